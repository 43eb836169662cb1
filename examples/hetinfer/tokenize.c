/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer tokenize, detokenize: text to ids and back. Neither makes a session. */
#include "commands.h"
#include "common.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct request {
    const char *text, *file, *ids;
    bool no_bos, special, pieces;
    settings settings;
} request;

static int piece_at(const engine *e, int32_t id, const char **piece, size_t *bytes)
{
    const het_status status = het_tokenizer_token(e->tokenizer, id, piece, bytes, NULL);
    return status ? failure("token %d: %s", (int)id, het_status_name(status)) : STATUS_GO;
}

static int print_ids_json(const engine *e, const int32_t *ids, size_t count)
{
    json_t *root = json_begin("tokenize"), *list = json_array(), *pieces = json_array();
    int status = STATUS_GO;
    for (size_t i = 0; status == STATUS_GO && i < count; i++) {
        const char *piece = "";
        size_t bytes = 0;
        status = piece_at(e, ids[i], &piece, &bytes);
        json_array_append_new(list, json_integer(ids[i]));
        json_array_append_new(pieces, json_text(piece, bytes));
    }
    json_object_set_new(root, "count", json_integer((json_int_t)count));
    json_object_set_new(root, "ids", list);
    json_object_set_new(root, "pieces", pieces);
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}

static int print_ids(const engine *e, const request *r, const int32_t *ids, size_t count)
{
    if (r->settings.json)
        return print_ids_json(e, ids, count);
    for (size_t i = 0; i < count; i++) {
        if (!r->pieces) {
            printf(i ? ",%d" : "%d", (int)ids[i]);
            continue;
        }
        const char *piece = "";
        size_t bytes = 0;
        const int status = piece_at(e, ids[i], &piece, &bytes);
        if (status != STATUS_GO)
            return status;
        printf("%8d  %.*s\n", (int)ids[i], (int)bytes, piece);
    }
    if (!r->pieces)
        putchar('\n');
    return fflush(stdout) ? failure("cannot write the ids") : STATUS_DONE;
}

int command_tokenize(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "tokenize", "MODEL", "Print the token ids of a text, separated by commas.");
    options_text(&o, "prompt", 'p', &r.text, "TEXT", "The text");
    options_text(&o, "file", 'f', &r.file, "FILE", "The same from a file ('-': stdin)");
    options_flag(&o, "no-bos", 0, &r.no_bos, "No begin-of-sequence token");
    options_flag(&o, "special", 0, &r.special, "Control tokens in the text are such");
    options_flag(&o, "pieces", 0, &r.pieces, "One line per token: id and spelling");
    settings_output(&o, &r.settings);
    const char *path = NULL;
    char *text = NULL;
    int32_t *ids = NULL;
    size_t bytes = 0, count = 0;
    int status = options_parse(&o, argc, argv, &path);
    if (status == STATUS_GO)
        status = read_text("tokenize", r.text, r.file, &text, &bytes);
    engine e = { 0 };
    if (status == STATUS_GO)
        status = engine_model(&e, &r.settings, path, HET_MODEL_TOKENIZER_ONLY);
    if (status == STATUS_GO)
        status = encode(&e, text, bytes,
                        (r.no_bos ? 0 : HET_ENCODE_ADD_SPECIAL) |
                            (r.special ? HET_ENCODE_PARSE_SPECIAL : 0), &ids, &count);
    if (status == STATUS_GO)
        status = print_ids(&e, &r, ids, count);
    engine_close(&e);
    free(ids);
    free(text);
    return status;
}

static int decode(const engine *e, const request *r, const int32_t *ids, size_t count)
{
    if (!e->tokenizer)
        return failure("the model has no tokenizer");
    const uint64_t flags = r->special ? HET_DECODE_SPECIAL : 0;
    het_error err = HET_ERROR_INIT;
    size_t bytes = 0;
    het_status status =
        het_tokenizer_decode(e->tokenizer, ids, count, flags, NULL, 0, &bytes, &err);
    if (status)
        return failure_of(status, &err);
    char *text = malloc(bytes + 1);
    if (!text)
        return failure("out of memory");
    status = het_tokenizer_decode(e->tokenizer, ids, count, flags, text, bytes, &bytes, &err);
    const int result = status ? failure_of(status, &err)
                              : give_text(&r->settings, "detokenize", text, bytes);
    free(text);
    return result;
}

int command_detokenize(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "detokenize", "MODEL", "Print the text of token ids.");
    options_text(&o, "ids", 0, &r.ids, "LIST", "Token ids, for example 1,15,7");
    options_flag(&o, "special", 0, &r.special, "Print control tokens as their names");
    settings_output(&o, &r.settings);
    const char *path = NULL;
    int32_t *ids = NULL;
    size_t count = 0;
    int status = options_parse(&o, argc, argv, &path);
    if (status == STATUS_GO)
        status = r.ids ? parse_ids("detokenize", r.ids, &ids, &count)
                       : usage_error("detokenize", "--ids is missing");
    engine e = { 0 };
    if (status == STATUS_GO)
        status = engine_model(&e, &r.settings, path, HET_MODEL_TOKENIZER_ONLY);
    if (status == STATUS_GO)
        status = decode(&e, &r, ids, count);
    engine_close(&e);
    free(ids);
    return status;
}

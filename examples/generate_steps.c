/* SPDX-License-Identifier: Apache-2.0 */
/* The same as hello.c one level lower: generate_steps MODEL [TEXT [TOKENS]].
 *
 * Text becomes tokens, tokens are appended to a sequence, a step runs what is pending, and its
 * logits are the scores of every possible next token. Whoever drives this loop can serve several
 * sequences at once, change the scores, or stop where it likes.
 */
#include <hetinfer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything that has to be given up at the end, in order of creation. */
typedef struct engine {
    het_context *context;
    het_model *model;
    const het_tokenizer *tokenizer; /* borrowed from model */
    het_session *session;
    het_sequence *sequence;
    het_sampler *sampler;
    het_detokenizer *detokenizer;
} engine;

static het_status start(engine *e, const char *path, het_error *err)
{
    het_status status = het_context_create(NULL, &e->context, err);
    if (!status)
        status = het_model_load(e->context, path, NULL, &e->model, err);
    if (!status)
        status = het_session_create(e->model, NULL, &e->session, err);
    if (!status)
        status = het_sequence_create(e->session, &e->sequence, err);
    if (!status)
        status = het_sampler_create(e->context, NULL, &e->sampler, err);
    if (status)
        return status;
    e->tokenizer = het_model_tokenizer(e->model);
    if (!e->tokenizer) {
        snprintf(err->message, sizeof err->message, "the model has no tokenizer");
        return HET_E_UNSUPPORTED;
    }
    return het_detokenizer_create(e->tokenizer, 0, &e->detokenizer, err);
}

static void finish(engine *e)
{
    het_detokenizer_destroy(e->detokenizer);
    het_sampler_destroy(e->sampler);
    het_sequence_destroy(e->sequence);
    het_session_destroy(e->session);
    het_model_destroy(e->model);
    het_context_destroy(e->context);
}

static het_status append_text(engine *e, const char *text, het_error *err)
{
    const size_t bytes = strlen(text), capacity = bytes + 2;
    size_t count = 0;
    int32_t *ids = malloc(capacity * sizeof *ids);
    if (!ids)
        return HET_E_NOMEM;
    het_status status = het_tokenizer_encode(e->tokenizer, text, bytes, HET_ENCODE_ADD_SPECIAL, ids,
                                             capacity, &count, err);
    for (size_t i = 0; !status && i < count; i++)
        het_sampler_accept(e->sampler, ids[i]);
    if (!status)
        status = het_sequence_append(e->sequence, ids, count, 0, err);
    free(ids);
    return status;
}

/* Run what is pending, however many steps that takes, and choose the next token. */
static het_status next_token(engine *e, size_t vocabulary, int32_t *id, het_error *err)
{
    uint64_t pending = 0;
    het_status status;
    do {
        status = het_session_step(e->session, &pending, err);
    } while (!status && pending > 0);
    if (status)
        return status;
    uint32_t rows = 0;
    const float *logits = het_sequence_logits(e->sequence, NULL, &rows);
    if (!logits)
        return HET_E_INTERNAL;
    logits += (size_t)(rows - 1) * vocabulary; /* the last row is about the last token */
    status = het_sampler_sample(e->sampler, logits, vocabulary, id, err);
    if (!status)
        het_sampler_accept(e->sampler, *id);
    return status;
}

/* Print the text that is complete by now; a character may be spread over several tokens. */
static het_status print_token(engine *e, int32_t id)
{
    const char *text = "";
    const het_status status = het_detokenizer_push(e->detokenizer, id, &text, NULL);
    fputs(text, stdout);
    fflush(stdout);
    return status;
}

static het_status generate(engine *e, const char *text, long token_max, het_error *err)
{
    het_model_info info = { .struct_size = sizeof info };
    het_status status = het_model_get_info(e->model, &info);
    if (!status)
        status = append_text(e, text, err);
    for (long i = 0; !status && i < token_max; i++) {
        int32_t id = 0;
        uint32_t flags = 0;
        status = next_token(e, (size_t)info.vocabulary_size, &id, err);
        if (!status)
            status = het_tokenizer_token(e->tokenizer, id, NULL, NULL, &flags);
        if (status || (flags & HET_TOKEN_END))
            break;
        status = print_token(e, id);
        if (!status && i + 1 < token_max)
            status = het_sequence_append(e->sequence, &id, 1, 0, err);
    }
    if (!status)
        status = print_token(e, -1);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s MODEL [TEXT [TOKENS]]\n", argv[0]);
        return 2;
    }
    engine e = { 0 };
    het_error err = HET_ERROR_INIT;
    het_status status = start(&e, argv[1], &err);
    if (!status)
        status = generate(&e, argc > 2 ? argv[2] : "Once upon a time",
                          argc > 3 ? strtol(argv[3], NULL, 10) : 60, &err);
    putchar('\n');
    if (status)
        fprintf(stderr, "%s: %s\n", het_status_name(status), err.message);
    finish(&e);
    return status != 0;
}

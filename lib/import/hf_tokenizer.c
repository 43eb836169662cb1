/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/hf_tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/text/internal.h"

#define IDS_MAX ((json_int_t)1 << 24)
/* Ids that no token has, beyond as many as there are tokens. */
#define HOLES_MAX 65536
#define SMALL_JSON_MAX ((size_t)1 << 20)

static het_status broken(const het__hf_vocabulary *h, const char *what)
{
    return het__fail(h->err, HET_E_FORMAT, "tokenizer.json: %s", what);
}

int32_t het__hf_token_id(const het__vocabulary *v, const char *text)
{
    const size_t n = strlen(text);
    for (size_t i = 0; n > 0 && i < v->token_count && i <= INT32_MAX; i++)
        if (v->tokens[i].bytes == n && memcmp(v->tokens[i].data, text, n) == 0)
            return (int32_t)i;
    return -1;
}

/* ---- tokens ---- */

typedef struct token_tables {
    het__span *tokens;
    int32_t *types;
    uint8_t *edges;
} token_tables;

static bool id_of(const json_t *v, json_int_t *id)
{
    *id = json_integer_value(v);
    return json_is_integer(v) && *id >= 0 && *id < IDS_MAX;
}

/* Whether the model has no row for an added token. */
static bool is_beyond(const het__hf_vocabulary *h, json_int_t id)
{
    return h->rows > 0 && id >= h->rows;
}

/* One more than the highest id. */
static het_status count_ids(het__hf_vocabulary *h, const json_t *vocab, const json_t *added)
{
    const char *text;
    json_t *value;
    json_int_t id, most = -1;
    json_object_foreach((json_t *)(uintptr_t)vocab, text, value) {
        if (!id_of(value, &id))
            return broken(h, "a token of the vocabulary has no id");
        most = id > most ? id : most;
    }
    if (h->is_unigram) /* a list: ids are places */
        most = (json_int_t)json_array_size(vocab) - 1;
    for (size_t i = 0; i < json_array_size(added); i++) {
        if (!id_of(json_object_get(json_array_get(added, i), "id"), &id))
            return broken(h, "an added token has no id");
        most = id > most && !is_beyond(h, id) ? id : most;
    }
    const size_t tokens =
        json_object_size(vocab) + json_array_size(vocab) + json_array_size(added);
    if (most < 0 || most >= IDS_MAX || (size_t)most > 2 * tokens + HOLES_MAX)
        return broken(h, "the vocabulary is empty, or its ids are far apart");
    h->v.token_count = (size_t)most + 1;
    return HET_OK;
}

static het_status read_vocabulary(het__hf_vocabulary *h, const json_t *vocab, token_tables *t)
{
    const char *text;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)vocab, text, value) {
        const size_t id = (size_t)json_integer_value(value), n = strlen(text);
        if (t->tokens[id].data)
            return broken(h, "two tokens have one id");
        t->tokens[id] = (het__span){ text, n };
        t->types[id] = h->byte_fallback && het__byte_of_piece(text, n) >= 0 ? HET__TOKEN_BYTE
                                                                           : HET__TOKEN_NORMAL;
    }
    return HET_OK;
}

/* A list of tokens with their scores. */
static het_status read_scored(het__hf_vocabulary *h, const json_t *vocab, token_tables *t)
{
    double *scores = het__arena_zero(&h->arena, h->v.token_count, sizeof *scores);
    if (!scores)
        return het__fail_nomem(h->err, "a vocabulary");
    for (size_t i = 0; i < h->v.token_count; i++)
        scores[i] = NAN;
    for (size_t i = 0; i < json_array_size(vocab); i++) {
        const json_t *pair = json_array_get(vocab, i), *score = json_array_get(pair, 1);
        const char *text = json_string_value(json_array_get(pair, 0));
        if (!text || !json_is_number(score))
            return broken(h, "a token of the vocabulary has no text or no score");
        const size_t n = strlen(text);
        t->tokens[i] = (het__span){ text, n };
        t->types[i] = h->byte_fallback && het__byte_of_piece(text, n) >= 0 ? HET__TOKEN_BYTE
                                                                          : HET__TOKEN_NORMAL;
        scores[i] = json_number_value(score);
    }
    h->v.exact_scores = scores;
    return HET_OK;
}

/* The id of the unknown token is a number here. */
static void read_unknown(het__hf_vocabulary *h, const json_t *model)
{
    json_int_t id;
    if (id_of(json_object_get(model, "unk_id"), &id) && (size_t)id < h->v.token_count)
        h->v.unknown_id = (int32_t)id;
}

static bool flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static het_status read_added(het__hf_vocabulary *h, const json_t *added, token_tables *t)
{
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *a = json_array_get(added, i);
        const size_t id = (size_t)json_integer_value(json_object_get(a, "id"));
        const char *text = het__json_text(a, "content");
        if (id >= h->v.token_count)
            continue;
        if (!text || !*text)
            return broken(h, "an added token has no content");
        t->tokens[id] = (het__span){ text, strlen(text) };
        t->types[id] = flag(a, "special") ? HET__TOKEN_CONTROL : HET__TOKEN_USER;
        t->edges[id] = (uint8_t)((flag(a, "lstrip") ? HET__EDGE_STRIPS_LEFT : 0) |
                                 (flag(a, "rstrip") ? HET__EDGE_STRIPS_RIGHT : 0) |
                                 (flag(a, "single_word") ? HET__EDGE_WHOLE_WORD : 0));
    }
    return HET_OK;
}

/* ---- merges ---- */

/* "left right", or ["left", "right"], which may hold spaces: such a pair never applies, because no
 * text holds them when it is merged. */
static het_status read_merges(het__hf_vocabulary *h, const json_t *list)
{
    const size_t count = json_array_size(list);
    het__span *merges = het__arena_zero(&h->arena, count, sizeof *merges);
    if (!merges)
        return het__fail_nomem(h->err, "a vocabulary");
    for (size_t i = 0; i < count; i++) {
        const json_t *m = json_array_get(list, i);
        const char *text = json_string_value(m);
        if (!text) {
            const char *left = json_string_value(json_array_get(m, 0));
            const char *right = json_string_value(json_array_get(m, 1));
            if (json_array_size(m) != 2 || !left || !right || !*left || !*right)
                return broken(h, "a merge is not two parts");
            text = strchr(left, ' ') || strchr(right, ' ')
                       ? "\x01 \x01"
                       : het__arena_printf(&h->arena, "%s %s", left, right);
            if (!text)
                return het__fail_nomem(h->err, "a vocabulary");
        }
        merges[i] = (het__span){ text, strlen(text) };
    }
    h->v.merges = merges;
    h->v.merge_count = count;
    return HET_OK;
}

/* ---- the model ---- */

static het_status check_model(het__hf_vocabulary *h, const json_t *model)
{
    const char *type = het__json_text(model, "type");
    const char *prefix = het__json_text(model, "continuing_subword_prefix");
    const char *suffix = het__json_text(model, "end_of_word_suffix");
    const json_t *dropout = json_object_get(model, "dropout");
    char text[48];
    h->is_unigram = type && strcmp(type, "Unigram") == 0;
    if (h->is_unigram)
        return json_is_array(json_object_get(model, "vocab"))
                   ? HET_OK : broken(h, "the model has no vocab");
    if (type && strcmp(type, "BPE") != 0) {
        snprintf(text, sizeof text, "%.40s", type);
        return het__fail(h->err, HET_E_UNSUPPORTED,
                         "tokenizer.json: a model of type \"%s\", neither BPE nor Unigram, is not "
                         "supported",
                         het__printable(text));
    }
    if ((prefix && *prefix) || (suffix && *suffix) || json_number_value(dropout) > 0)
        return het__fail(h->err, HET_E_UNSUPPORTED,
                         "tokenizer.json: prefixes and suffixes of words, and dropout, are not "
                         "supported");
    if (!json_is_object(json_object_get(model, "vocab")) ||
        !json_is_array(json_object_get(model, "merges")))
        return broken(h, "the model has no vocab or no merges");
    return HET_OK;
}

static het_status read_json(het__hf_vocabulary *h)
{
    const json_t *model = json_object_get(h->root, "model");
    const json_t *vocab = json_object_get(model, "vocab");
    const json_t *added = json_object_get(h->root, "added_tokens");
    het_status s = check_model(h, model);
    if (s == HET_OK)
        s = count_ids(h, vocab, added);
    if (s != HET_OK)
        return s;
    const size_t n = h->v.token_count;
    token_tables t = { het__arena_zero(&h->arena, n, sizeof *t.tokens),
                       het__arena_zero(&h->arena, n, sizeof *t.types),
                       het__arena_zero(&h->arena, n, sizeof *t.edges) };
    if (!t.tokens || !t.types || !t.edges)
        return het__fail_nomem(h->err, "a vocabulary");
    for (size_t i = 0; i < n; i++)
        t.types[i] = HET__TOKEN_UNUSED;
    h->v.tokens = t.tokens;
    h->v.types = t.types;
    h->v.edges = t.edges;
    h->byte_fallback = flag(model, "byte_fallback");
    h->v.fuses_unknown = flag(model, "fuse_unk");
    h->rule.rule.whole_words = flag(model, "ignore_merges");
    s = h->is_unigram ? read_scored(h, vocab, &t) : read_vocabulary(h, vocab, &t);
    if (s == HET_OK)
        s = read_added(h, added, &t);
    if (s == HET_OK && h->is_unigram)
        read_unknown(h, model);
    else if (s == HET_OK)
        s = read_merges(h, json_object_get(model, "merges"));
    const char *unknown = het__json_text(model, "unk_token");
    if (s == HET_OK && unknown)
        h->v.unknown_id = het__hf_token_id(&h->v, unknown);
    return s == HET_OK ? het__hf_read_pipeline(h) : s;
}

/* ---- ids of other files ---- */

static void add_end(het__hf_vocabulary *h, const json_t *id, int32_t *ends)
{
    const json_int_t n = json_integer_value(id);
    if (json_is_integer(id) && n >= 0 && (uint64_t)n < h->v.token_count && h->v.end_count < 64)
        ends[h->v.end_count++] = (int32_t)n;
}

static void read_ids(het__hf_vocabulary *h, const json_t *object, int32_t *ends)
{
    const json_t *bos = json_object_get(object, "bos_token_id");
    const json_t *eos = json_object_get(object, "eos_token_id");
    const json_int_t b = json_integer_value(bos);
    const size_t had = h->v.end_count;
    if (h->v.bos_id < 0 && json_is_integer(bos) && b >= 0 && (uint64_t)b < h->v.token_count)
        h->v.bos_id = (int32_t)b;
    for (size_t i = 0; i < json_array_size(eos); i++)
        add_end(h, json_array_get(eos, i), ends);
    add_end(h, eos, ends);
    if (h->v.eos_id < 0 && h->v.end_count > had)
        h->v.eos_id = ends[had];
}

/* The name of a token: a text, or an object with its content. */
static void read_name(const het__hf_vocabulary *h, const json_t *object, const char *key,
                      int32_t *id)
{
    const json_t *v = json_object_get(object, key);
    const char *name = json_is_object(v) ? het__json_text(v, "content") : json_string_value(v);
    const int32_t found = name ? het__hf_token_id(&h->v, name) : -1;
    if (found >= 0)
        *id = found;
}

static void read_switch(const json_t *object, const char *key, int32_t *value)
{
    const json_t *v = json_object_get(object, key);
    if (json_is_boolean(v))
        *value = json_is_true(v);
}

static het_status read_other_files(het__hf_vocabulary *h, const het__hf_place *place)
{
    static const char *const files[] = { "tokenizer_config.json", "generation_config.json",
                                         "config.json" };
    int32_t *ends = het__arena_zero(&h->arena, 64, sizeof *ends);
    if (!ends)
        return het__fail_nomem(h->err, "a vocabulary");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        json_t *root;
        const het_status s = het__hf_json(place, files[i], i ? SMALL_JSON_MAX : HET__HF_JSON_MAX,
                                          &root, h->err);
        if (s != HET_OK)
            return s;
        if (i == 0) {
            read_name(h, root, "bos_token", &h->v.bos_id);
            read_name(h, root, "eos_token", &h->v.eos_id);
            read_name(h, root, "pad_token", &h->v.padding_id);
            read_switch(root, "add_bos_token", &h->v.add_bos);
            read_switch(root, "add_eos_token", &h->v.add_eos);
        } else {
            read_ids(h, root, ends);
            read_ids(h, json_object_get(root, "text_config"), ends);
        }
        json_decref(root);
    }
    h->v.end_ids = ends;
    return HET_OK;
}

/* ---- entry points ---- */

static void begin(het__hf_vocabulary *h, het__mem *mem, het_error *err)
{
    *h = (het__hf_vocabulary){ .err = err };
    het__arena_init(&h->arena, mem);
    h->v.bos_id = h->v.eos_id = h->v.unknown_id = h->v.padding_id = h->v.eot_id = -1;
    h->v.add_bos = h->v.add_eos = h->v.add_space_prefix = h->v.remove_extra_whitespaces = -1;
}

static het_status finish(het__hf_vocabulary *h, het_status s, het__mem *mem,
                         het_tokenizer **tokenizer)
{
    *tokenizer = NULL;
    if (s == HET_OK)
        s = het__tokenizer_create(mem, &h->v, tokenizer, h->err);
    json_decref(h->root);
    het__arena_finish(&h->arena);
    return s;
}

static het_status parse(het__hf_vocabulary *h, const void *data, size_t bytes)
{
    const het__json_limits limits = { HET__HF_JSON_MAX, HET__HF_DEPTH_MAX };
    const het_status s =
        het__json_read("tokenizer.json", data, bytes, &limits, &h->root, h->err);
    return s == HET_OK ? read_json(h) : s;
}

het_status het__hf_tokenizer_json(const void *data, size_t bytes, het__mem *mem,
                                  het_tokenizer **tokenizer, het_error *err)
{
    het__hf_vocabulary h;
    begin(&h, mem, err);
    return finish(&h, parse(&h, data, bytes), mem, tokenizer);
}

het_status het__hf_tokenizer_spm(const void *data, size_t bytes, het__mem *mem,
                                 het_tokenizer **tokenizer, het_error *err)
{
    het__hf_vocabulary h;
    begin(&h, mem, err);
    return finish(&h, het__hf_read_spm(&h, data, bytes), mem, tokenizer);
}

static het_status lend(het__hf_vocabulary *h, het_status s,
                       het_status (*take)(void *user, const het__vocabulary *vocabulary),
                       void *user)
{
    het__vocabulary v = h->v;
    if (v.own_rule) /* tokenizer.json's own */
        v.rule = h->known_rule;
    if (s == HET_OK)
        s = take(user, &v);
    json_decref(h->root);
    het__arena_finish(&h->arena);
    return s;
}

het_status het__hf_lend_vocabulary(const het__hf_place *place, int64_t rows, het__mem *mem,
                                   het_status (*take)(void *user,
                                                      const het__vocabulary *vocabulary),
                                   void *user, het_error *err)
{
    het__mapping json = { 0 }, model;
    het__hf_vocabulary h;
    het_status s = het__hf_map(place, "tokenizer.model", &model, err);
    if (s == HET_OK && !model.data)
        s = het__hf_map(place, "tokenizer.json", &json, err);
    if (s == HET_OK && (json.data || model.data)) {
        begin(&h, mem, err);
        h.rows = rows;
        s = model.data ? het__hf_read_spm(&h, model.data, model.bytes)
                       : parse(&h, json.data, json.bytes);
        if (s == HET_OK)
            s = read_other_files(&h, place);
        s = lend(&h, s, take, user);
    }
    het__unmap_file(&model);
    het__unmap_file(&json);
    return s;
}

het_status het__hf_tokenizer(const het__hf_place *place, int64_t rows, het__mem *mem,
                             het_tokenizer **tokenizer, het_error *err)
{
    het__mapping json, model = { 0 };
    het__hf_vocabulary h;
    *tokenizer = NULL;
    het_status s = het__hf_map(place, "tokenizer.json", &json, err);
    if (s == HET_OK && !json.data)
        s = het__hf_map(place, "tokenizer.model", &model, err);
    if (s == HET_OK && (json.data || model.data)) {
        begin(&h, mem, err);
        h.rows = rows;
        s = json.data ? parse(&h, json.data, json.bytes)
                      : het__hf_read_spm(&h, model.data, model.bytes);
        if (s == HET_OK)
            s = read_other_files(&h, place);
        s = finish(&h, s, mem, tokenizer);
    }
    het__unmap_file(&model);
    het__unmap_file(&json);
    return s;
}

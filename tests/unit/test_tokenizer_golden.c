/* SPDX-License-Identifier: Apache-2.0 */
/* Ids against those of other implementations: llama.cpp's for three GGUF vocabularies,
 * SentencePiece's for two models, tiktoken's rules for three rank files. */
#include "lib/import/gguf.h"
#include "lib/import/hf_tokenizer.h"
#include "test.h"

typedef struct bytes {
    char *data;
    size_t size;
} bytes;

static het__mem mem;

/* Terminated by a NUL that is not counted. */
static bytes read_data(const char *name)
{
    char path[600];
    bytes b = { 0 };
    void *data = test_read_file(test_data_path(path, sizeof path, name), &b.size);
    CHECK(data != NULL);
    b.data = calloc(b.size + 1, 1);
    if (data && b.data)
        memcpy(b.data, data, b.size);
    free(data);
    return b;
}

static void check_ids(const char *what, const het_tokenizer *t, const char *text, size_t size,
                      const int32_t *want, size_t want_count)
{
    const size_t room = size + 3;
    int32_t *ids = malloc(room * sizeof *ids);
    size_t n = 0;
    CHECK_INT(het_tokenizer_encode(t, text, size, 0, ids, room, &n, NULL), HET_OK);
    CHECK_INT(n, want_count);
    for (size_t i = 0; i < n && i < want_count; i++)
        if (ids[i] != want[i]) {
            TEST_FAIL("%s: id %zu of \"%.40s\" is %d, want %d", what, i, text, ids[i], want[i]);
            break;
        }
    free(ids);
}

/* Numbers up to a character that is none; blanks between them. */
static size_t read_numbers(const char **at, const char *stop, int32_t *out, size_t room)
{
    size_t n = 0;
    while (**at && !strchr(stop, **at)) {
        char *end;
        const long v = strtol(*at, &end, 10);
        if (end == *at) {
            (*at)++;
            continue;
        }
        if (n < room)
            out[n++] = (int32_t)v;
        *at = end;
    }
    return n;
}

static int32_t id_key(const het__gguf *g, const char *key)
{
    int64_t v;
    return het__gguf_i64(g, key, &v) ? (int32_t)v : -1;
}

static het_tokenizer *load_gguf(const char *name)
{
    bytes file = read_data(name);
    het__arena arena;
    het__gguf g = { 0 };
    het_error err = HET_ERROR_INIT;
    het__arena_init(&arena, &mem);
    CHECK_INT(het__gguf_open(&g, &arena, file.data, file.size, &err), HET_OK);
    het__span kind = { "", 0 }, rule = { "", 0 };
    CHECK(het__gguf_string(&g, "tokenizer.ggml.model", &kind));
    het__gguf_string(&g, "tokenizer.ggml.pre", &rule);
    const het__gguf_entry *tokens = het__gguf_find(&g, "tokenizer.ggml.tokens");
    const het__gguf_entry *scores = het__gguf_find(&g, "tokenizer.ggml.scores");
    const het__gguf_entry *types = het__gguf_find(&g, "tokenizer.ggml.token_type");
    const het__gguf_entry *merges = het__gguf_find(&g, "tokenizer.ggml.merges");
    het_tokenizer *t = NULL;
    CHECK(tokens != NULL);
    if (tokens) {
        const size_t n = (size_t)tokens->count;
        float *s = calloc(n, sizeof *s);
        int32_t *y = calloc(n, sizeof *y);
        for (size_t i = 0; i < n; i++) {
            double score;
            int64_t type;
            if (scores && het__gguf_array_f64(scores, i, &score))
                s[i] = (float)score;
            y[i] = types && het__gguf_array_i64(types, i, &type) ? (int32_t)type : 1;
        }
        const het__vocabulary v = {
            .kind = het__arena_strndup(&arena, kind.data, kind.bytes),
            .rule = het__arena_strndup(&arena, rule.data, rule.bytes),
            .token_count = n,
            .tokens = het__gguf_strings(&g, tokens),
            .scores = scores ? s : NULL,
            .types = types ? y : NULL,
            .merges = merges ? het__gguf_strings(&g, merges) : NULL,
            .merge_count = merges ? (size_t)merges->count : 0,
            .bos_id = id_key(&g, "tokenizer.ggml.bos_token_id"),
            .eos_id = id_key(&g, "tokenizer.ggml.eos_token_id"),
            .unknown_id = id_key(&g, "tokenizer.ggml.unknown_token_id"),
            .padding_id = id_key(&g, "tokenizer.ggml.padding_token_id"),
            .eot_id = -1,
            .add_bos = -1,
            .add_eos = -1,
            .add_space_prefix = -1,
            .remove_extra_whitespaces = -1,
        };
        CHECK_INT(het__tokenizer_create(&mem, &v, &t, &err), HET_OK);
        if (!t)
            fprintf(stderr, "%s\n", err.message);
        free(s);
        free(y);
    }
    het__arena_finish(&arena);
    free(file.data);
    return t;
}

/* Decoding what was encoded gives the text back. */
static void check_round_trip(const het_tokenizer *t, const char *text, size_t size)
{
    const size_t room = size + 3;
    int32_t *ids = malloc(room * sizeof *ids);
    char *back = malloc(size + 1);
    size_t n = 0, back_size = 0;
    CHECK_INT(het_tokenizer_encode(t, text, size, 0, ids, room, &n, NULL), HET_OK);
    CHECK_INT(het_tokenizer_decode(t, ids, n, 0, back, size + 1, &back_size, NULL), HET_OK);
    CHECK_INT(back_size, size);
    CHECK(back_size == size && memcmp(back, text, size) == 0);
    free(back);
    free(ids);
}

/* Strings separated by a marker line; one line of ids for each. */
static void check_vocabulary_file(const char *name)
{
    static const char marker[] = "\n__ggml_vocab_test__\n";
    char path[200];
    het_tokenizer *t = load_gguf(name);
    snprintf(path, sizeof path, "%s.inp", name);
    bytes inputs = read_data(path);
    snprintf(path, sizeof path, "%s.out", name);
    bytes outputs = read_data(path);
    const char *at = inputs.data, *out = outputs.data;
    int32_t want[2000];
    size_t cases = 0;
    while (t && inputs.data && outputs.data && *out) {
        const char *end = strstr(at, marker);
        if (!end)
            break;
        const size_t n = read_numbers(&out, "\n", want, 2000);
        check_ids(name, t, at, (size_t)(end - at), want, n);
        check_round_trip(t, at, (size_t)(end - at));
        out += *out == '\n';
        at = end + sizeof marker - 1;
        cases++;
    }
    CHECK_INT(cases, 46);
    free(inputs.data);
    free(outputs.data);
    het__tokenizer_destroy(t);
}

static void gguf_vocabularies(void)
{
    check_vocabulary_file("tokenizers/ggml-vocab-falcon.gguf");
    check_vocabulary_file("tokenizers/ggml-vocab-gpt-2.gguf");
    check_vocabulary_file("tokenizers/ggml-vocab-phi-3.gguf");
}

/* A JSON string at *at, which stands on the opening quote. */
static char *quoted_text(const char **at, size_t *size)
{
    char *out = malloc(strlen(*at) + 1);
    size_t n = 0;
    const char *p = *at + 1;
    while (*p && *p != '"') {
        if (*p != '\\') {
            out[n++] = *p++;
            continue;
        }
        p++;
        unsigned code = 0;
        switch (*p) {
        case 'n': out[n++] = '\n'; p++; break;
        case 't': out[n++] = '\t'; p++; break;
        case 'r': out[n++] = '\r'; p++; break;
        case 'b': out[n++] = '\b'; p++; break;
        case 'f': out[n++] = '\f'; p++; break;
        case 'u':
            CHECK(sscanf(p + 1, "%4x", &code) == 1 && code < 0x80);
            out[n++] = (char)code;
            p += 5;
            break;
        default: out[n++] = *p++; break;
        }
    }
    *at = p + 1;
    *size = n;
    return out;
}

static size_t check_json_cases(const char *name, const het_tokenizer *t)
{
    bytes file = read_data(name);
    const char *at = file.data ? file.data : "";
    size_t cases = 0;
    int32_t want[2000];
    while (t && (at = strstr(at, "\"text\": ")) != NULL) {
        size_t size;
        at += strlen("\"text\": ");
        char *text = quoted_text(&at, &size);
        at = strstr(at, "\"ids\": [");
        if (!at)
            break;
        at += strlen("\"ids\": [");
        const size_t n = read_numbers(&at, "]", want, 2000);
        check_ids(name, t, text, size, want, n);
        check_round_trip(t, text, size);
        free(text);
        cases++;
    }
    free(file.data);
    return cases;
}

static het_tokenizer *load_spm(const char *name)
{
    bytes file = read_data(name);
    het_error err = HET_ERROR_INIT;
    het_tokenizer *t = NULL;
    CHECK_INT(het__hf_tokenizer_spm(file.data, file.size, &mem, &t, &err), HET_OK);
    if (!t)
        fprintf(stderr, "%s: %s\n", name, err.message);
    free(file.data);
    return t;
}

/* The ids are those of the beginning of a text, as far as they reach. */
static void check_long_text(const het_tokenizer *t, const char *ids_name, const char *text_name)
{
    bytes file = read_data(ids_name), text = read_data(text_name);
    const char *at = file.data;
    int32_t *want = malloc(file.size * sizeof *want);
    const size_t n = read_numbers(&at, "", want, file.size);
    char *back = malloc(text.size);
    size_t size = 0;
    CHECK(n > 100);
    CHECK_INT(het_tokenizer_decode(t, want, n, 0, back, text.size, &size, NULL), HET_OK);
    CHECK(size > 500 && size <= text.size && memcmp(back, text.data, size) == 0);
    check_ids(ids_name, t, back, size, want, n);
    free(back);
    free(want);
    free(text.data);
    free(file.data);
}

static void sentencepiece_models(void)
{
    het_tokenizer *t = load_spm("tokenizers/spm/mistral-v1.model");
    CHECK_INT(check_json_cases("golden/tokenizers/spm-tokenizer.model.v1.json", t), 47);
    check_long_text(t, "golden/tokenizers/mistral-v1.frankenstein_13.txt.ids.txt",
                    "text/frankenstein.txt");
    check_long_text(t, "golden/tokenizers/mistral-v1.tinystories_story1.txt.ids.txt",
                    "text/tinystories_sample.txt");
    het__tokenizer_destroy(t);
    t = load_spm("llm/hf/tokenizer.model");
    CHECK_INT(check_json_cases("golden/tokenizers/spm-stories260K-tokenizer.model.json", t), 47);
    het__tokenizer_destroy(t);
    t = load_gguf("llm/gguf/stories260K-F32.gguf");
    CHECK_INT(check_json_cases("golden/tokenizers/spm-stories260K-tokenizer.model.json", t), 47);
    check_long_text(t, "golden/tokenizers/stories260K.frankenstein_13.txt.ids.txt",
                    "text/frankenstein.txt");
    check_long_text(t, "golden/tokenizers/stories260K.tinystories_story1.txt.ids.txt",
                    "text/tinystories_sample.txt");
    het__tokenizer_destroy(t);
}

/* Rank files: a line per token, its bytes in base64 and its rank, which is also its id. */
typedef struct rank_file {
    char *raw;         /* bytes of all tokens */
    het__span *tokens; /* by rank */
    size_t count;
    size_t *table;     /* hash of bytes to rank + 1 */
    size_t mask;
} rank_file;

static size_t rank_of(const rank_file *r, const char *data, size_t size)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)data[i]) * 1099511628211u;
    for (size_t i = h & r->mask;; i = (i + 1) & r->mask) {
        if (!r->table[i])
            return i + ((size_t)1 << 40); /* a free place */
        const het__span *s = &r->tokens[r->table[i] - 1];
        if (s->bytes == size && memcmp(s->data, data, size) == 0)
            return r->table[i] - 1;
    }
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) : -1;
}

static rank_file read_ranks(const char *name)
{
    bytes file = read_data(name);
    rank_file r = { 0 };
    r.raw = malloc(file.size);
    r.mask = (1u << 20) - 1;
    r.table = calloc(r.mask + 1, sizeof *r.table);
    r.tokens = calloc(300000, sizeof *r.tokens);
    char *out = r.raw;
    for (const char *at = file.data; *at;) {
        const char *const start = out;
        unsigned bits = 0;
        int have = 0;
        for (int v; (v = base64_value(*at)) >= 0; at++) {
            bits = bits << 6 | (unsigned)v;
            have += 6;
            if (have >= 8) {
                have -= 8;
                *out++ = (char)(bits >> have & 0xff);
            }
        }
        while (*at == '=' || *at == ' ')
            at++;
        char *end;
        const size_t rank = strtoul(at, &end, 10);
        CHECK_INT(rank, r.count);
        r.tokens[r.count++] = (het__span){ start, (size_t)(out - start) };
        const size_t place = rank_of(&r, start, (size_t)(out - start));
        r.table[place - ((size_t)1 << 40)] = rank + 1;
        at = end + strspn(end, "\r\n");
    }
    free(file.data);
    return r;
}

/* Merge the token's bytes by ranks below its own: two parts are left. Returns the length of the
 * first. */
static size_t split_token(const rank_file *r, size_t rank)
{
    const het__span s = r->tokens[rank];
    size_t cut[300], n = s.bytes;
    for (size_t i = 0; i <= n; i++)
        cut[i] = i;
    while (n > 2) {
        size_t best = rank, where = 0;
        for (size_t i = 0; i + 2 <= n; i++) {
            const size_t got = rank_of(r, s.data + cut[i], cut[i + 2] - cut[i]);
            if (got < best) {
                best = got;
                where = i;
            }
        }
        if (best == rank)
            return 0;
        memmove(&cut[where + 1], &cut[where + 2], (n - where - 1) * sizeof *cut);
        n--;
    }
    return cut[1];
}

/* Bytes as byte-level vocabularies spell them. Returns the end. */
static char *spell(const char *data, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned b = (unsigned char)data[i];
        unsigned code = b;
        if (b <= 0x20)
            code = 0x100 + b;
        else if (b >= 0x7f && b <= 0xa0)
            code = 0x121 + b - 0x7f;
        else if (b == 0xad)
            code = 0x143;
        if (code < 0x80) {
            *out++ = (char)code;
        } else {
            *out++ = (char)(0xc0 | code >> 6);
            *out++ = (char)(0x80 | (code & 0x3f));
        }
    }
    return out;
}

static het_tokenizer *load_ranks(const char *name, const char *rule)
{
    rank_file r = read_ranks(name);
    het__span *tokens = calloc(r.count, sizeof *tokens), *merges = calloc(r.count, sizeof *merges);
    size_t total = 0, merge_count = 0;
    for (size_t i = 0; i < r.count; i++)
        total += 4 * r.tokens[i].bytes + 1;
    char *const text = malloc(total), *out = text;
    for (size_t i = 0; i < r.count; i++) {
        char *start = out;
        out = spell(r.tokens[i].data, r.tokens[i].bytes, out);
        tokens[i] = (het__span){ start, (size_t)(out - start) };
        const size_t left = r.tokens[i].bytes > 1 ? split_token(&r, i) : 0;
        if (left == 0)
            continue;
        start = out;
        out = spell(r.tokens[i].data, left, out);
        *out++ = ' ';
        out = spell(r.tokens[i].data + left, r.tokens[i].bytes - left, out);
        merges[merge_count++] = (het__span){ start, (size_t)(out - start) };
    }
    const het__vocabulary v = {
        .kind = "gpt2", .rule = rule, .token_count = r.count, .tokens = tokens,
        .merges = merges, .merge_count = merge_count, .bos_id = -1, .eos_id = -1,
        .unknown_id = -1, .padding_id = -1, .eot_id = -1, .add_bos = -1, .add_eos = -1,
        .add_space_prefix = -1, .remove_extra_whitespaces = -1,
    };
    het_tokenizer *t = NULL;
    CHECK_INT(het__tokenizer_create(&mem, &v, &t, NULL), HET_OK);
    free(text);
    free(merges);
    free(tokens);
    free(r.tokens);
    free(r.table);
    free(r.raw);
    return t;
}

static void tiktoken_ranks(void)
{
    static const char *const files[][3] = {
        { "tokenizers/tiktoken/r50k_base.tiktoken", "gpt-2", "tiktoken-r50k_base.json" },
        { "tokenizers/tiktoken/cl100k_base.tiktoken", "cl100k", "tiktoken-cl100k_base.json" },
        { "tokenizers/tiktoken/o200k_base.tiktoken", "o200k", "tiktoken-o200k_base.json" },
    };
    for (size_t i = 0; i < 3; i++) {
        char path[100];
        het_tokenizer *t = load_ranks(files[i][0], files[i][1]);
        snprintf(path, sizeof path, "golden/tokenizers/%s", files[i][2]);
        CHECK_INT(check_json_cases(path, t), 47);
        bytes text = read_data("text/tinyshakespeare.txt");
        check_round_trip(t, text.data, text.size);
        free(text.data);
        het__tokenizer_destroy(t);
    }
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(gguf_vocabularies);
    test_case(sentencepiece_models);
    test_case(tiktoken_ranks);
    CHECK_INT(mem.bytes, 0);
    return test_finish();
}

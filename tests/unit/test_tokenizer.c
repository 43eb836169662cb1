/* SPDX-License-Identifier: Apache-2.0 */
/* Tokenizers over tiny vocabularies that are spelled out here. */
#include "lib/base/os.h"
#include "lib/text/internal.h"
#include "lib/text/utf8.h"
#include "test.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static het__mem mem;

typedef struct piece {
    const char *text;
    int32_t type;
    float score;
} piece;

typedef struct builder {
    het__span tokens[1024], merges[64];
    int32_t types[1024];
    float scores[1024];
    char names[256][8];
    het__vocabulary v;
} builder;

static void add(builder *b, const char *text, int32_t type, float score)
{
    const size_t i = b->v.token_count++;
    b->tokens[i] = (het__span){ text, strlen(text) };
    b->types[i] = type;
    b->scores[i] = score;
}

static void start(builder *b, const char *kind, const char *rule)
{
    memset(b, 0, sizeof *b);
    b->v = (het__vocabulary){
        .kind = kind, .rule = rule, .tokens = b->tokens, .types = b->types, .bos_id = -1,
        .eos_id = -1, .unknown_id = -1, .padding_id = -1, .eot_id = -1, .add_bos = -1,
        .add_eos = -1, .add_space_prefix = -1, .remove_extra_whitespaces = -1,
    };
}

/* 0 <unk>, 1 <s>, 2 </s>, 3..258 byte tokens, then pieces. */
static void start_spm(builder *b, bool with_bytes)
{
    start(b, "llama", NULL);
    add(b, "<unk>", HET__TOKEN_UNKNOWN, 0);
    add(b, "<s>", HET__TOKEN_CONTROL, 0);
    add(b, "</s>", HET__TOKEN_CONTROL, 0);
    for (int i = 0; i < 256 && with_bytes; i++) {
        snprintf(b->names[i], sizeof b->names[i], "<0x%02X>", i);
        add(b, b->names[i], HET__TOKEN_BYTE, 0);
    }
    b->v.scores = b->scores;
    b->v.unknown_id = 0;
    b->v.bos_id = 1;
    b->v.eos_id = 2;
}

/* 0..255: the bytes. */
static void start_bpe(builder *b, const char *rule)
{
    start(b, "gpt2", rule);
    int other = 0;
    for (int i = 0; i < 256; i++) {
        const bool shown = (i > 0x20 && i < 0x7f) || (i > 0xa0 && i != 0xad);
        const int code = shown ? i : 0x100 + other++;
        if (code < 0x80)
            snprintf(b->names[i], sizeof b->names[i], "%c", code);
        else
            snprintf(b->names[i], sizeof b->names[i], "%c%c", 0xc0 | code >> 6,
                     0x80 | (code & 0x3f));
        add(b, b->names[i], HET__TOKEN_NORMAL, 0);
    }
    b->v.merges = b->merges;
}

static void merge(builder *b, const char *parts)
{
    b->merges[b->v.merge_count++] = (het__span){ parts, strlen(parts) };
}

static het_tokenizer *finish(const builder *b)
{
    het_tokenizer *t = NULL;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het__tokenizer_create(&mem, &b->v, &t, &err), HET_OK);
    if (!t) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    return t;
}

/* Ids as text, "1 2 3", so that a failure shows both. */
static const char *ids_of(const het_tokenizer *t, const char *text, size_t size, uint64_t flags)
{
    static char out[4000];
    int32_t ids[600];
    size_t n = 0, at = 0;
    CHECK_INT(het_tokenizer_encode(t, text, size, flags, ids, COUNT(ids), &n, NULL), HET_OK);
    out[0] = '\0';
    for (size_t i = 0; i < n && i < COUNT(ids); i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%d", i ? " " : "", ids[i]);
    return out;
}

#define CHECK_IDS(t, text, flags, want) \
    CHECK_STR(ids_of(t, text, sizeof(text) - 1, flags), want)

static const char *text_of(const het_tokenizer *t, const int32_t *ids, size_t n, uint64_t flags)
{
    static char out[4000];
    size_t size = 0;
    CHECK_INT(het_tokenizer_decode(t, ids, n, flags, out, sizeof out - 1, &size, NULL), HET_OK);
    out[size < sizeof out ? size : 0] = '\0';
    return out;
}

static void check_refused(const builder *b, het_status want, const char *names);

static void spm_merges_by_score(void)
{
    static const piece pieces[] = {
        { "\xe2\x96\x81", 1, -9 }, { "a", 1, -9 },  { "b", 1, -9 },  { "c", 1, -9 },   /* 259.. */
        { "ab", 1, -2 },           { "bc", 1, -1 }, { "abc", 1, -5 }, { "aa", 1, -3 }, /* 263.. */
        { "\xe2\x96\x81" "a", 1, -4 }, { "aaa", 1, -8 },                               /* 267.. */
        { "de", 1, -30001 },       { "ef", 1, -30000 },                               /* 269.. */
    };
    builder *b = malloc(sizeof *b);
    start_spm(b, true);
    for (size_t i = 0; i < COUNT(pieces); i++)
        add(b, pieces[i].text, pieces[i].type, pieces[i].score);
    het_tokenizer *t = finish(b);
    CHECK(t->cuts_at_space);
    CHECK_IDS(t, "", 0, "");
    CHECK_IDS(t, "", HET_ENCODE_ADD_SPECIAL, "1");
    CHECK_IDS(t, "abc", 0, "267 264"); /* bc first; then " a" is better than a + bc */
    CHECK_IDS(t, "ab", HET_ENCODE_ADD_SPECIAL, "1 259 263");
    CHECK_IDS(t, "a b", 0, "267 259 261");
    CHECK_IDS(t, "aa", 0, "259 266");
    CHECK_IDS(t, "baaaa", 0, "259 261 266 266"); /* leftmost first; aaa loses */
    CHECK_IDS(t, "def", 0, "259 103 270"); /* near scores differ */
    CHECK_IDS(t, "\xc3\xa4", 0, "259 198 167");
    CHECK_IDS(t, "\xff\x80" "b", 0, "259 258 131 261");
    CHECK_IDS(t, "a\0b", 0, "267 3 261");
    CHECK_IDS(t, "<s>", 0, "259 63 118 65");
    CHECK_IDS(t, "<s>ab</s>b", HET_ENCODE_PARSE_SPECIAL, "1 259 263 2 259 261");
    het__tokenizer_destroy(t);
    b->v.add_space_prefix = 0, b->v.add_bos = 0, b->v.add_eos = 1;
    t = finish(b);
    CHECK_IDS(t, "abc", HET_ENCODE_ADD_SPECIAL, "265 2");
    CHECK_IDS(t, " abc", 0, "267 264");
    het__tokenizer_destroy(t);
    b->v.add_space_prefix = 1, b->v.remove_extra_whitespaces = 1;
    t = finish(b);
    CHECK_IDS(t, "  b   b  ", 0, "259 261 259 261");
    CHECK_IDS(t, "   ", 0, "");
    het__tokenizer_destroy(t);
    free(b);
}

/* A double array of which a tab is the text behind it: a space. */
static size_t tab_to_space(uint8_t out[80])
{
    uint32_t units[16] = { 0 };
    const uint32_t bytes = sizeof units;
    units[0] = 1 << 10;                         /* children of the root lie at 1 ^ byte */
    units[1 ^ '\t'] = '\t' | 1 << 8 | 2 << 10; /* a value, at this place ^ 2 */
    units[1 ^ '\t' ^ 2] = UINT32_C(1) << 31;    /* the text at 0 */
    memcpy(out, &bytes, 4);
    memcpy(out + 4, units, sizeof units);
    memcpy(out + 4 + sizeof units, " ", 2);
    return 4 + sizeof units + 2;
}

static void unigrams_add_up(void)
{
    static const piece pieces[] = {
        { "\xe2\x96\x81", 1, -2 }, { "a", 1, -3 }, { "b", 1, -3 }, { "ab", 1, -4.5f },
        { "\xe2\x96\x81" "a", 1, -4 }, { "abab", 1, -8 },
    };
    uint8_t map[80];
    builder *b = malloc(sizeof *b);
    for (int with_bytes = 1; with_bytes >= 0; with_bytes--) {
        start_spm(b, with_bytes);
        b->v.kind = "t5";
        for (size_t i = 0; i < COUNT(pieces); i++)
            add(b, pieces[i].text, pieces[i].type, pieces[i].score);
        het_tokenizer *t = finish(b);
        if (with_bytes) { /* pieces are 259 and so on */
            CHECK_IDS(t, "", HET_ENCODE_ADD_SPECIAL, "2");
            CHECK_IDS(t, "a", HET_ENCODE_ADD_SPECIAL, "263 2");
            CHECK_IDS(t, "ab", 0, "259 262"); /* -6.5; merging by score would begin with " a" */
            CHECK_IDS(t, "abab", 0, "259 264");
            CHECK_IDS(t, "b ab", 0, "259 261 259 262");
            CHECK_IDS(t, "az", 0, "263 125");
            CHECK_IDS(t, "\xc3\xa9", 0, "259 198 172");
            CHECK_IDS(t, "\xff\x80", 0, "259 258 131");
            CHECK_IDS(t, "a\tb", 0, "263 12 261");
        } else { /* from 3 on */
            CHECK_IDS(t, "ab", 0, "3 6");
            CHECK_IDS(t, "xyz\xff" "a", 0, "3 0 4"); /* unknown ones side by side are one */
            CHECK_IDS(t, "x a", 0, "3 0 7");
        }
        het__tokenizer_destroy(t);
        b->v.charsmap = map;
        b->v.charsmap_bytes = tab_to_space(map);
        b->v.charsmap_longest = with_bytes;
        b->v.remove_extra_whitespaces = 1;
        t = finish(b);
        CHECK_IDS(t, "  a\t \tb\t", 0, with_bytes ? "263 259 261" : "7 3 5");
        het__tokenizer_destroy(t);
        b->v.charsmap_bytes = 40; /* less than it says */
        check_refused(b, HET_E_FORMAT, "cut off");
    }
    free(b);
}

static void spm_without_byte_tokens(void)
{
    builder *b = malloc(sizeof *b);
    start_spm(b, false);
    add(b, "a", HET__TOKEN_NORMAL, 0); /* 3, and no blank */
    het_tokenizer *t = finish(b);
    CHECK_IDS(t, "a\xc3\xa4" "a", 0, "0 3 0 3"); /* unknown once per character */
    const int32_t ids[] = { 1, 0, 3, 2 };
    CHECK_STR(text_of(t, ids, 4, 0), "a");
    CHECK_STR(text_of(t, ids, 4, HET_DECODE_SPECIAL), "<s><unk>a</s>");
    het__tokenizer_destroy(t);
    b->v.unknown_id = -1;
    b->types[0] = HET__TOKEN_CONTROL;
    t = finish(b);
    CHECK_IDS(t, "a\xc3\xa4" "a", 0, "3 3");
    het__tokenizer_destroy(t);
    free(b);
}

static void spm_tokens_across_words(void)
{
    builder *b = malloc(sizeof *b);
    start_spm(b, true);
    add(b, "\xe2\x96\x81", 1, -9);      /* 259 */
    add(b, "a", 1, -9);
    add(b, "a\xe2\x96\x81", 1, -1);     /* 261 */
    add(b, "a\xe2\x96\x81" "a", 1, -2); /* 262 */
    het_tokenizer *t = finish(b);
    CHECK(!t->cuts_at_space);
    CHECK_IDS(t, "a a a", 0, "259 261 262");
    het__tokenizer_destroy(t);
    free(b);
}

static void bpe_merges_by_rank(void)
{
    builder *b = malloc(sizeof *b);
    start_bpe(b, "gpt-2");
    add(b, "ab", 1, 0);           /* 256 */
    add(b, "abc", 1, 0);          /* 257; its merge leads over a string that is no token */
    add(b, "\xc4\xa0" "a", 1, 0); /* 258: " a" */
    add(b, "<|end|>", HET__TOKEN_CONTROL, 0);
    add(b, "<|x|>", HET__TOKEN_USER, 0);
    add(b, "<|x|>y", HET__TOKEN_USER, 0);
    merge(b, "b c");
    merge(b, "a bc");
    merge(b, "a b");
    merge(b, "\xc4\xa0 a");
    b->v.eos_id = 259;
    het_tokenizer *t = finish(b);
    CHECK_IDS(t, "", HET_ENCODE_ADD_SPECIAL, "");
    CHECK_IDS(t, "abc", 0, "257");
    CHECK_IDS(t, "bc", 0, "98 99");
    CHECK_IDS(t, "aab ab", 0, "97 256 32 256");
    CHECK_IDS(t, "a\0\xff", 0, "97 0 255");
    CHECK_IDS(t, "<|x|>z", 0, "260 122");
    CHECK_IDS(t, "z<|x|>y<|x|>", 0, "122 261 260");
    CHECK_IDS(t, "<|end|>", 0, "60 124 101 110 100 124 62");
    CHECK_IDS(t, "ab<|end|>ab", HET_ENCODE_PARSE_SPECIAL, "256 259 256");
    const int32_t ids[] = { 258, 259, 260, 257 };
    CHECK_STR(text_of(t, ids, 4, 0), " a<|x|>abc");
    CHECK_STR(text_of(t, ids, 4, HET_DECODE_SPECIAL), " a<|end|><|x|>abc");
    het__tokenizer_destroy(t);
    free(b);
}

/* Words of a rule, joined by '|'. */
typedef struct words {
    const char *text;
    char out[400];
    size_t size;
} words;

static bool take_word(void *user, size_t begin, size_t size)
{
    words *w = user;
    if (w->size > 0)
        w->out[w->size++] = '|';
    memcpy(w->out + w->size, w->text + begin, size);
    w->size += size;
    w->out[w->size] = '\0';
    return true;
}

static void rules_cut_words(void)
{
    static const char *const cases[][3] = {
        { "gpt-2", "I'll go  home 1234!?", "I|'ll| go| | home| 1234|!?" },
        { "gpt-2", "a \n\n b\n", "a| \n\n| b|\n" },
        { "default", "It's 12345, ok", "It|'|s| |123|45|,| ok" },
        { "llama-bpe", "I'LL go  (home) 12345", "I|'LL| go| | (|home|)| |123|45" },
        { "llama-bpe", "x\r\n\r\ny.\n\nz", "x|\r\n\r\n|y|.\n\n|z" },
        { "qwen2", "a 123", "a| |1|2|3" },
        { "falcon", "x-1234 it's", "x|-|123|4| it|'|s" },
        { "starcoder", "ab12 cd", "ab|1|2| cd" },
        { "gpt-4o", "HelloWorld isn't", "Hello|World| isn't" },
        { "tekken", "HelloWORLD 12", "Hello|WORLD| |1|2" },
        { "cl100k", "a  b  ", "a| | b|  " },
        { "deepseek-llm", "ab 12\n  c  ", "ab| |12|\n| | c|  " },
        { "deepseek-coder", "ab, 12", "ab|,| |1|2" },
        { "deepseek-v3", "a.b 1234", "a|.b| |123|4" },
        { "bloom", "a, bc.d", "a|,| bc|.|d" },
        { "viking", "a12", "a|1|2" },
        { NULL, "12", "12" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const het__rule *rule = het__rule_find(cases[i][0]);
        het__splitter *s = NULL;
        words w = { .text = cases[i][1] };
        CHECK(rule != NULL);
        het_error err = HET_ERROR_INIT;
        if (!rule || het__splitter_create(&mem, rule, &s, &err) != HET_OK) {
            TEST_FAIL("%s: %s", cases[i][0], err.message);
            continue;
        }
        CHECK_INT(het__splitter_run(s, w.text, strlen(w.text), take_word, &w, NULL), HET_OK);
        CHECK_STR(w.out, cases[i][2]);
        het__splitter_destroy(s);
    }
    CHECK(het__rule_find("") == het__rule_find("default"));
    CHECK(het__rule_find("no-such") == NULL);
}

static void check_refused(const builder *b, het_status want, const char *names)
{
    het_tokenizer *t = NULL;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het__tokenizer_create(&mem, &b->v, &t, &err), want);
    CHECK(t == NULL);
    test_checks++;
    if (!strstr(err.message, names))
        TEST_FAIL("\"%s\" does not name %s", err.message, names);
}

static void bad_vocabularies_are_named(void)
{
    builder *b = malloc(sizeof *b);
    start_bpe(b, "no-such");
    check_refused(b, HET_E_UNSUPPORTED, "no-such");
    start_bpe(b, "gpt-2");
    b->v.kind = "unigram";
    check_refused(b, HET_E_UNSUPPORTED, "unigram");
    b->v.kind = "gpt2", b->v.bos_id = 256;
    check_refused(b, HET_E_FORMAT, "bos token 256");
    b->v.bos_id = -1;
    merge(b, "a b");
    merge(b, "ab");
    check_refused(b, HET_E_FORMAT, "merge 1");
    start(b, "gpt2", NULL);
    check_refused(b, HET_E_FORMAT, "0 tokens");
    free(b);
}

static void facts_are_told(void)
{
    builder *b = malloc(sizeof *b);
    start_bpe(b, "llama3");
    add(b, "<|begin_of_text|>", HET__TOKEN_CONTROL, 0);
    add(b, "<|eot_id|>", HET__TOKEN_CONTROL, 0);
    add(b, "<|im_end|>", HET__TOKEN_NORMAL, 0);
    b->v.bos_id = 256;
    het_tokenizer *t = finish(b);
    het_tokenizer_info info = { .struct_size = sizeof info };
    CHECK_INT(het_tokenizer_get_info(t, &info), HET_OK);
    CHECK_INT(info.token_count, 259);
    CHECK_INT(info.bos_id, 256);
    CHECK_INT(info.eos_id, -1);
    CHECK_INT(info.adds_bos, 1);
    CHECK_STR(info.kind, "bpe");
    CHECK_STR(info.rule, "llama-bpe");
    info.struct_size = 2;
    CHECK_INT(het_tokenizer_get_info(t, &info), HET_E_INVALID);
    const char *text;
    size_t size;
    uint32_t flags;
    CHECK_INT(het_tokenizer_token(t, 257, &text, &size, &flags), HET_OK);
    CHECK(size == 10 && memcmp(text, "<|eot_id|>", 10) == 0);
    CHECK_INT(flags, HET_TOKEN_END | HET_TOKEN_CONTROL);
    CHECK_INT(het_tokenizer_token(t, 258, NULL, NULL, &flags), HET_OK);
    CHECK_INT(flags, 0);
    CHECK_INT(het_tokenizer_token(t, 259, NULL, NULL, NULL), HET_E_INVALID);
    CHECK_INT(het_tokenizer_token(t, -1, NULL, NULL, NULL), HET_E_INVALID);
    het__tokenizer_destroy(t);
    /* Here "<|end|>" only closes a part. */
    add(b, "<|end|>", HET__TOKEN_CONTROL, 0);
    add(b, "<|return|>", HET__TOKEN_CONTROL, 0);
    add(b, "<|call|>", HET__TOKEN_CONTROL, 0);
    t = finish(b);
    CHECK_INT(het_tokenizer_token(t, 259, NULL, NULL, &flags), HET_OK);
    CHECK_INT(flags, HET_TOKEN_CONTROL);
    het__tokenizer_destroy(t);
    start_spm(b, true);
    t = finish(b);
    CHECK_INT(het_tokenizer_token(t, 0, NULL, NULL, &flags), HET_OK);
    CHECK_INT(flags, HET_TOKEN_UNKNOWN);
    CHECK_INT(het_tokenizer_token(t, 68, NULL, NULL, &flags), HET_OK);
    CHECK_INT(flags, HET_TOKEN_BYTE);
    het__tokenizer_destroy(t);
    free(b);
}

static void small_buffers_are_told(void)
{
    builder *b = malloc(sizeof *b);
    start_bpe(b, NULL);
    het_tokenizer *t = finish(b);
    int32_t ids[3] = { -7, -7, -7 };
    size_t n = 0;
    CHECK_INT(het_tokenizer_encode(t, "abcd", 4, 0, ids, 2, &n, NULL), HET_OK);
    CHECK_INT(n, 4);
    CHECK(ids[0] == 97 && ids[1] == 98 && ids[2] == -7);
    CHECK_INT(het_tokenizer_encode(t, NULL, 0, 0, NULL, 0, &n, NULL), HET_OK);
    CHECK_INT(n, 0);
    char text[4] = "xyz";
    CHECK_INT(het_tokenizer_decode(t, ids, 2, 0, text, 1, &n, NULL), HET_OK);
    CHECK_INT(n, 2);
    CHECK_STR(text, "ayz");
    n = 55;
    CHECK_INT(het_tokenizer_decode(t, ids, 3, 0, text, 3, &n, NULL), HET_E_INVALID);
    CHECK_INT(n, 55);
    CHECK_STR(text, "ayz");
    het__tokenizer_destroy(t);
    free(b);
}

static int owned;

static void retain(void *owner)
{
    ++*(int *)owner;
}

static void release(void *owner)
{
    --*(int *)owner;
}

static void streams_are_whole(void)
{
    builder *b = malloc(sizeof *b);
    start_spm(b, true);
    add(b, "\xe2\x96\x81" "a", 1, 0); /* 259 */
    het_tokenizer *t = finish(b);
    het__tokenizer_set_owner(t, &owned, retain, release);
    het_detokenizer *d = NULL;
    CHECK_INT(het_detokenizer_create(t, 0, &d, NULL), HET_OK);
    CHECK_INT(owned, 1);
    static const struct {
        int32_t id;
        const char *text;
    } steps[] = {
        { 1, "" },   { 259, "a" },       { 259, " a" },          { 3 + 0xf0, "" },
        { 3 + 0x9f, "" }, { 3 + 0x98, "" }, { 3 + 0x80, "\xf0\x9f\x98\x80" },
        { 3 + 0xe2, "" }, { 3 + 0x82, "" }, { 259, "\xef\xbf\xbd a" },
        { 3 + 0xff, "\xef\xbf\xbd" }, { 3 + 0xc3, "" }, { -1, "\xef\xbf\xbd" },
        { 259, "a" }, { -1, "" }, { 3 + 0x20, "" }, { 259, " a" },
    };
    for (size_t i = 0; i < COUNT(steps); i++) {
        const char *text = NULL;
        size_t size = 99;
        CHECK_INT(het_detokenizer_push(d, steps[i].id, &text, &size), HET_OK);
        CHECK_STR(text, steps[i].text);
        CHECK_INT(size, strlen(steps[i].text));
    }
    const char *text = NULL;
    CHECK_INT(het_detokenizer_push(d, 260, &text, NULL), HET_E_INVALID);
    CHECK_INT(het_detokenizer_push(d, -2, &text, NULL), HET_E_INVALID);
    het_detokenizer_destroy(d);
    het_detokenizer_destroy(NULL);
    CHECK_INT(owned, 0);
    het__tokenizer_destroy(t);
    free(b);
}

/* White space behind a special token belongs to it in this family. */
static void phi3_takes_space_along(void)
{
    builder *b = malloc(sizeof *b);
    start_spm(b, true);
    add(b, "<|placeholder1|>", HET__TOKEN_CONTROL, 0);
    add(b, "<|end|>", HET__TOKEN_CONTROL, 0); /* 260 */
    add(b, "\xe2\x96\x81", 1, 0);
    add(b, "a", 1, 0);
    het_tokenizer *t = finish(b);
    CHECK_IDS(t, "a<|end|>\n \n<|end|>\na", HET_ENCODE_PARSE_SPECIAL, "261 262 260 260 261 262");
    CHECK_IDS(t, "<s>\na", HET_ENCODE_PARSE_SPECIAL, "1 261 13 262");
    het__tokenizer_destroy(t);
    free(b);
}

/* Random text: pieces of the vocabulary, valid characters, and bytes. */
static size_t random_text(uint64_t *state, char *out, size_t room, bool valid)
{
    static const char *const parts[] = {
        " ", "  ", "a", "b", "ab", "\n", "1", "'s", "\xc3\xa9", "\xf0\x9f\x98\x80", "\xe5\xad\x97",
    };
    size_t n = 0;
    const size_t want = (size_t)(test_random(state) % room);
    while (n + 8 < want) {
        const uint64_t r = test_random(state);
        const char *part = parts[r / 16 % COUNT(parts)];
        if (r % 16 == 0 && !valid) {
            out[n++] = (char)(r >> 8);
        } else {
            memcpy(out + n, part, strlen(part));
            n += strlen(part);
        }
    }
    return n;
}

static void check_round_trips(const het_tokenizer *t, bool valid)
{
    uint64_t state = 3;
    for (int i = 0; i < 2000; i++) {
        char text[300], back[310];
        int32_t ids[310];
        size_t n = 0, size = 0;
        const size_t length = random_text(&state, text, sizeof text, valid);
        CHECK_INT(het_tokenizer_encode(t, text, length, 0, ids, COUNT(ids), &n, NULL), HET_OK);
        CHECK(n <= length + 3);
        CHECK_INT(het_tokenizer_decode(t, ids, n, 0, back, sizeof back, &size, NULL), HET_OK);
        CHECK(size == length && memcmp(text, back, size) == 0);
    }
}

static void decoding_undoes_encoding(void)
{
    static const char *const rules[] = { "default", "gpt-2", "llama-bpe", "falcon", "gpt-4o",
                                         "cl100k", "tekken", "deepseek-llm", "deepseek-v3",
                                         "deepseek-coder", "bloom", "starcoder" };
    builder *b = malloc(sizeof *b);
    for (int prefix = 0; prefix < 2; prefix++) {
        start_spm(b, true);
        add(b, "\xe2\x96\x81", 1, -3);
        add(b, "\xe2\x96\x81\xe2\x96\x81", 1, -1);
        add(b, "\xe2\x96\x81" "a", 1, -2);
        add(b, "ab", 1, -2);
        b->v.add_space_prefix = prefix;
        het_tokenizer *t = finish(b);
        check_round_trips(t, false);
        het__tokenizer_destroy(t);
    }
    for (size_t i = 0; i < COUNT(rules); i++) {
        start_bpe(b, rules[i]);
        add(b, "ab", 1, 0);
        merge(b, "a b");
        merge(b, "\xc4\xa0 a");
        het_tokenizer *t = finish(b);
        check_round_trips(t, i % 2 == 0);
        het__tokenizer_destroy(t);
    }
    free(b);
}

/* Texts that are hard for a naive implementation: one word, one run of blanks, many words, broken
 * UTF-8; 64 KiB for every rule, 1 MiB for one of each kind. Quadratic time would be minutes. */
static void long_texts_take_linear_time(void)
{
    static const char *const rules[] = { "default", "gpt-2", "llama-bpe", "gpt-4o", "cl100k",
                                         "tekken", "deepseek-llm", "deepseek-coder",
                                         "deepseek-v3", "bloom" };
    static const char *const units[] = { "a", " ", "A", "ab ", "\xf0\x9f", "1", "\n", "\xcc\x81",
                                         " !", "<|x|>", "  \t" };
    const size_t most = 1 << 20;
    char *text = malloc(most + 1), *back = malloc(most);
    int32_t *ids = malloc((most + 3) * sizeof *ids);
    builder *b = malloc(sizeof *b);
    for (size_t r = 0; r <= COUNT(rules); r++) {
        if (r < COUNT(rules)) {
            start_bpe(b, rules[r]);
            merge(b, "a a");
            merge(b, "aa aa");
            merge(b, "\xc4\xa0 \xc4\xa0");
        } else {
            start_spm(b, true);
            add(b, "aa", 1, -1);
            add(b, "aaaa", 1, -2);
            add(b, "\xe2\x96\x81\xe2\x96\x81", 1, -1);
        }
        add(b, "<|x|>", HET__TOKEN_USER, 0);
        het_tokenizer *t = finish(b);
        for (size_t u = 0; u < COUNT(units); u++) {
            const bool full = u < 2 && (r == 1 || r == COUNT(rules));
            const size_t size = full ? most : most / 16;
            size_t n = 0, back_size = 0;
            for (size_t i = 0; i < size; i++)
                text[i] = units[u][i % strlen(units[u])];
            text[size] = 'x'; /* not reached: no terminator to lean on */
            const uint64_t before = het__now_ns();
            CHECK_INT(het_tokenizer_encode(t, text, size, 0, ids, size + 3, &n, NULL), HET_OK);
            const double seconds = 1e-9 * (double)(het__now_ns() - before);
            test_checks++;
            if (seconds > 5)
                TEST_FAIL("rule %zu, unit %zu: %.1f s", r, u, seconds);
            CHECK_INT(het_tokenizer_decode(t, ids, n, 0, back, size, &back_size, NULL), HET_OK);
            CHECK(strchr(units[u], '<') ||
                  (back_size == size && memcmp(text, back, size) == 0));
        }
        het__tokenizer_destroy(t);
    }
    free(b);
    free(ids);
    free(back);
    free(text);
}

static int64_t allowed; /* allocations that still succeed */

static void *few(void *user, size_t bytes, size_t align)
{
    (void)user;
    return allowed-- > 0 ? aligned_alloc(align, (bytes + align - 1) / align * align) : NULL;
}

static void give_back(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(ptr);
}

/* Everything a tokenizer does, with the n-th allocation failing. Returns the first failure. */
static het_status whole_life(het__mem *scarce, const builder *b)
{
    static const char text[] = "ab <|x|> \xff\xf0\x9f\x98\x80 ab ab ab 123 and a word of a length "
                               "thatmakesworkingmemorygrowwhilethetextisbeingencodedandencoded";
    het_tokenizer *t = NULL;
    het_detokenizer *d = NULL;
    int32_t ids[200];
    size_t n = 4711;
    het_status status = het__tokenizer_create(scarce, &b->v, &t, NULL);
    CHECK((status == HET_OK) == (t != NULL));
    if (status == HET_OK) {
        ids[0] = -7;
        status = het_tokenizer_encode(t, text, sizeof text, 0, ids, COUNT(ids), &n, NULL);
        CHECK((status == HET_OK) == (n != 4711));
        CHECK((status == HET_OK) == (ids[0] != -7));
    }
    if (status == HET_OK) {
        status = het_detokenizer_create(t, 0, &d, NULL);
        CHECK((status == HET_OK) == (d != NULL));
    }
    const char *out;
    for (size_t i = 0; i < n && status == HET_OK; i++)
        status = het_detokenizer_push(d, ids[i], &out, NULL);
    het_detokenizer_destroy(d);
    het__tokenizer_destroy(t);
    CHECK_INT(scarce->bytes, 0);
    return status;
}

static void every_allocation_may_fail(void)
{
    const het_allocator allocator = { sizeof allocator, 0, NULL, few, give_back };
    het__mem scarce;
    het__mem_init(&scarce, &allocator);
    builder *b = malloc(sizeof *b);
    uint8_t map[80];
    for (int kind = 0; kind < 3; kind++) {
        if (kind != 1)
            start_spm(b, true);
        else
            start_bpe(b, "deepseek-llm");
        add(b, "<|x|>", HET__TOKEN_USER, 0);
        if (kind == 1)
            merge(b, "a b");
        if (kind == 2) {
            b->v.kind = "t5";
            b->v.charsmap = map;
            b->v.charsmap_bytes = tab_to_space(map);
        }
        het_status status = HET_E_NOMEM;
        int n = 0;
        for (; n < 200 && status != HET_OK; n++) {
            allowed = n;
            status = whole_life(&scarce, b);
            CHECK(status == HET_OK || status == HET_E_NOMEM);
        }
        CHECK(n > 15 && status == HET_OK);
    }
    free(b);
}

static void create_is_quick(void)
{
    const size_t count = 150000;
    het__span *tokens = calloc(count, sizeof *tokens), *merges = calloc(count, sizeof *merges);
    char *names = calloc(count, 16), *parts = calloc(count, 16);
    for (size_t i = 0; i < count; i++) {
        const int n = snprintf(names + 16 * i, 16, "%zx", i);
        tokens[i] = (het__span){ names + 16 * i, (size_t)n };
        merges[i].data = parts + 16 * i;
        merges[i].bytes = (size_t)snprintf(parts + 16 * i, 16, "%.*s %s", n - 1, names + 16 * i,
                                           names + 16 * i + n - 1);
        if (n == 1)
            merges[i] = (het__span){ "0 0", 3 };
    }
    const het__vocabulary v = {
        .kind = "gpt2", .rule = "gpt-2", .token_count = count, .tokens = tokens,
        .merges = merges, .merge_count = count, .bos_id = -1, .eos_id = -1, .unknown_id = -1,
        .padding_id = -1, .eot_id = -1, .add_bos = -1, .add_eos = -1, .add_space_prefix = -1,
        .remove_extra_whitespaces = -1,
    };
    het_tokenizer *t = NULL;
    const uint64_t before = het__now_ns();
    CHECK_INT(het__tokenizer_create(&mem, &v, &t, NULL), HET_OK);
    const double ms = 1e-6 * (double)(het__now_ns() - before);
    printf("       150000 tokens in %.0f ms, %" PRIu64 " MiB\n", ms, mem.bytes >> 20);
    CHECK(ms < 2000); /* ten times what is meant, for slow builds */
    CHECK_IDS(t, "111", 0, "273");
    het__tokenizer_destroy(t);
    free(parts);
    free(names);
    free(merges);
    free(tokens);
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(spm_merges_by_score);
    test_case(unigrams_add_up);
    test_case(spm_without_byte_tokens);
    test_case(spm_tokens_across_words);
    test_case(bpe_merges_by_rank);
    test_case(rules_cut_words);
    test_case(bad_vocabularies_are_named);
    test_case(facts_are_told);
    test_case(small_buffers_are_told);
    test_case(streams_are_whole);
    test_case(phi3_takes_space_along);
    test_case(decoding_undoes_encoding);
    test_case(long_texts_take_linear_time);
    test_case(every_allocation_may_fail);
    test_case(create_is_quick);
    CHECK_INT(mem.bytes, 0);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Input: choices (4 bytes) | number of pieces | pieces (type and length in one byte, bytes) | text.
 *
 * Properties: ids are in range and no more than promised; a small buffer gets the beginning;
 * decoding what was encoded gives the text back where every byte is a token and nothing else was
 * asked for; a stream gives what decoding gives, made UTF-8; when an allocation fails, the answer
 * is out of memory or what it was before; nothing leaks. */
#include "fuzz.h"

#include <string.h>

#include "lib/text/tokenizer.h"
#include "lib/text/utf8.h"

#define PIECES_MAX 320
#define MERGES_MAX 64

static const char *const rules[] = {
    "default", "gpt-2", "llama-bpe", "qwen2", "falcon", "starcoder", "gpt-4o", "cl100k",
    "tekken", "deepseek-llm", "deepseek-coder", "deepseek-v3", "bloom", "viking", "dbrx", "",
};

typedef struct input {
    het__vocabulary v;
    het__span tokens[PIECES_MAX], merges[MERGES_MAX];
    int32_t types[PIECES_MAX];
    float scores[PIECES_MAX];
    char names[256][8];
    char merge_text[MERGES_MAX][40];
    bool has_bytes;   /* every byte is a token */
    bool keeps_text;  /* nothing in the vocabulary makes encoding lossy */
    const char *text;
    size_t text_bytes;
    uint64_t flags;
} input;

/* Byte tokens of the kind, as ids 0 to 255. */
static void add_bytes(input *in, bool spm)
{
    int other = 0;
    for (int i = 0; i < 256; i++) {
        const bool shown = (i > 0x20 && i < 0x7f) || (i > 0xa0 && i != 0xad);
        const int code = shown ? i : 0x100 + other++;
        if (spm)
            snprintf(in->names[i], sizeof in->names[i], "<0x%02X>", i);
        else if (code < 0x80)
            snprintf(in->names[i], sizeof in->names[i], "%c", code);
        else
            snprintf(in->names[i], sizeof in->names[i], "%c%c", 0xc0 | code >> 6,
                     0x80 | (code & 0x3f));
        in->tokens[i] = (het__span){ in->names[i], strlen(in->names[i]) };
        in->types[i] = spm ? HET__TOKEN_BYTE : HET__TOKEN_NORMAL;
    }
    in->v.token_count = 256;
    in->has_bytes = true;
}

/* Consecutive short tokens become merges. */
static void add_merge(input *in, het__span left, het__span right)
{
    if (in->v.merge_count == MERGES_MAX || left.bytes + right.bytes > 32 || !left.bytes ||
        !right.bytes)
        return;
    char *out = in->merge_text[in->v.merge_count];
    memcpy(out, left.data, left.bytes);
    out[left.bytes] = ' ';
    memcpy(out + left.bytes + 1, right.data, right.bytes);
    in->merges[in->v.merge_count++] = (het__span){ out, left.bytes + right.bytes + 1 };
}

static bool blank_inside(het__span s)
{
    for (size_t i = 0; i + 3 <= s.bytes; i++)
        if (memcmp(s.data + i, "\xe2\x96\x81", 3) == 0)
            return true;
    return false;
}

static void read_input(input *in, const uint8_t *data, size_t size)
{
    const uint8_t c0 = size > 0 ? data[0] : 0, c1 = size > 1 ? data[1] : 0;
    const uint8_t c2 = size > 2 ? data[2] : 0, c3 = size > 3 ? data[3] : 0;
    const bool spm = c0 & 1;
    size_t at = size < 4 ? size : 4;
    in->v = (het__vocabulary){
        .kind = spm ? "llama" : "gpt2",
        .rule = rules[c1 % (sizeof rules / sizeof *rules)],
        .tokens = in->tokens,
        .types = c0 & 2 ? NULL : in->types,
        .scores = c0 & 4 ? NULL : in->scores,
        .merges = in->merges,
        .bos_id = c2 & 1 ? 0 : -1,
        .eos_id = c2 & 2 ? 1 : -1,
        .unknown_id = c2 & 4 ? 2 : -1,
        .padding_id = -1,
        .eot_id = -1,
        .add_bos = c2 >> 3 & 1,
        .add_eos = c2 >> 4 & 1,
        .add_space_prefix = c2 >> 5 & 1,
        .remove_extra_whitespaces = c2 >> 6 & 1,
    };
    in->flags = c3 & 3;
    in->keeps_text = !(spm && (c2 & 64));
    if (!(c0 & 8))
        add_bytes(in, spm);
    /* An id that is declared special must not be one of the bytes. */
    if (in->has_bytes)
        in->v.bos_id = in->v.eos_id = in->v.unknown_id = -1;
    const size_t pieces = at < size ? data[at++] % 64 : 0;
    for (size_t i = 0; i < pieces && at < size && in->v.token_count < PIECES_MAX; i++) {
        const uint8_t head = data[at++];
        size_t n = head & 31;
        n = n < size - at ? n : size - at;
        const size_t id = in->v.token_count++;
        in->tokens[id] = (het__span){ (const char *)data + at, n };
        in->types[id] = head >> 5;
        in->scores[id] = (float)(head % 7) - 3.0f;
        /* After a user-defined token comes a space that stays; blanks read as spaces. */
        if (spm && (in->types[id] == HET__TOKEN_USER || blank_inside(in->tokens[id])))
            in->keeps_text = false;
        at += n;
        if (!spm && id > 0 && head & 1)
            add_merge(in, in->tokens[id - 1], in->tokens[id]);
    }
    in->text = (const char *)data + at;
    in->text_bytes = size - at;
    in->keeps_text = in->keeps_text && in->flags == 0 &&
                     !(spm && blank_inside((het__span){ in->text, in->text_bytes }));
}

/* Every maximal part of a broken character becomes U+FFFD. Returns the length. */
static size_t repair(const char *text, size_t bytes, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes;) {
        const unsigned char first = (unsigned char)text[i];
        const size_t whole = het__utf8_length(first);
        size_t have = 1;
        while (have < whole && i + have < bytes &&
               het__utf8_continues(first, have, (unsigned char)text[i + have]))
            have++;
        const bool good = have == whole;
        memcpy(out + n, good ? text + i : "\xef\xbf\xbd", good ? have : 3);
        n += good ? have : 3;
        i += have;
    }
    return n;
}

static void check_stream(const het_tokenizer *t, const int32_t *ids, size_t count,
                         const char *text, size_t bytes)
{
    het_detokenizer *d = NULL;
    char *want = malloc(3 * bytes + 1), *got = malloc(3 * bytes + 1);
    size_t n = 0;
    const size_t want_bytes = repair(text, bytes, want);
    FUZZ_REQUIRE(het_detokenizer_create(t, 0, &d, NULL) == HET_OK);
    for (size_t i = 0; i <= count; i++) {
        const char *piece;
        size_t size;
        FUZZ_REQUIRE(het_detokenizer_push(d, i < count ? ids[i] : -1, &piece, &size) == HET_OK);
        FUZZ_REQUIRE(piece[size] == '\0' && size <= want_bytes - n);
        memcpy(got + n, piece, size);
        n += size;
    }
    FUZZ_REQUIRE(n == want_bytes && memcmp(got, want, n) == 0);
    het_detokenizer_destroy(d);
    free(got);
    free(want);
}

static void check_text(const het_tokenizer *t, const input *in)
{
    const size_t most = 2 * in->text_bytes + 3;
    int32_t *ids = malloc(most * sizeof *ids);
    size_t count = 0, again = 0, bytes = 0, stated = 0;
    FUZZ_REQUIRE(het_tokenizer_encode(t, in->text, in->text_bytes, in->flags, ids, most, &count,
                                      NULL) == HET_OK);
    FUZZ_REQUIRE(count <= most);
    for (size_t i = 0; i < count; i++)
        FUZZ_REQUIRE(ids[i] >= 0 && (size_t)ids[i] < in->v.token_count);
    int32_t *few = malloc((count / 2 + 1) * sizeof *few);
    FUZZ_REQUIRE(het_tokenizer_encode(t, in->text, in->text_bytes, in->flags, few, count / 2,
                                      &again, NULL) == HET_OK);
    FUZZ_REQUIRE(again == count && memcmp(few, ids, count / 2 * sizeof *ids) == 0);
    free(few);
    FUZZ_REQUIRE(het_tokenizer_decode(t, ids, count, 0, NULL, 0, &bytes, NULL) == HET_OK);
    char *text = malloc(bytes + 1);
    FUZZ_REQUIRE(het_tokenizer_decode(t, ids, count, 0, text, bytes, &stated, NULL) == HET_OK);
    FUZZ_REQUIRE(stated == bytes);
    if (in->has_bytes && in->keeps_text)
        FUZZ_REQUIRE(bytes == in->text_bytes && memcmp(text, in->text, bytes) == 0);
    check_stream(t, ids, count, text, bytes);
    free(text);
    free(ids);
}

static void check_scarce(const input *in, uint64_t until)
{
    fuzz_memory memory;
    het__mem mem;
    het_tokenizer *t = NULL;
    size_t count = 0;
    fuzz_mem_init(&mem, &memory, until);
    het_status status = het__tokenizer_create(&mem, &in->v, &t, NULL);
    FUZZ_REQUIRE((status == HET_OK) == (t != NULL));
    if (t)
        status = het_tokenizer_encode(t, in->text, in->text_bytes, in->flags, NULL, 0, &count,
                                      NULL);
    FUZZ_REQUIRE(status == HET_OK || status == HET_E_NOMEM || status == HET_E_FORMAT);
    het__tokenizer_destroy(t);
    FUZZ_REQUIRE(memory.live == 0 && memory.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input *in = calloc(1, sizeof *in);
    fuzz_memory memory;
    het__mem mem;
    het_tokenizer *t = NULL;
    het_error err = HET_ERROR_INIT;
    read_input(in, data, size);
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    const het_status status = het__tokenizer_create(&mem, &in->v, &t, &err);
    FUZZ_REQUIRE((status == HET_OK) == (t != NULL));
    FUZZ_REQUIRE(status == HET_OK || (status == HET_E_FORMAT && err.message[0]));
    if (t)
        check_text(t, in);
    het__tokenizer_destroy(t);
    FUZZ_REQUIRE(memory.live == 0 && memory.used == 0);
    check_scarce(in, fuzz_seed(data, size) % 48);
    free(in);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-level BPE: a rule cuts the text into words; the bytes of a word are merged by the rank of
 * the pair.
 *
 * Vocabularies spell bytes as printable characters (the 188 printable ones of Latin-1 as
 * themselves, the other 68 as U+0100 and up). Here tokens are turned into bytes once, so that
 * texts need not be turned into such spelling. A merge whose parts or result are not tokens has
 * symbols of its own, because it may lead to one that is. */
#include <assert.h>

#include "lib/base/error.h"
#include "lib/text/internal.h"
#include "lib/text/utf8.h"

/* The byte that a character spells, -1 if it spells none. */
static int byte_of_code(uint32_t code)
{
    static const unsigned char first[3] = { 0x00, 0x7f, 0xad };
    static const unsigned char last[3] = { 0x20, 0xa0, 0xad };
    if (code >= 0x100 && code < 0x144) {
        uint32_t n = code - 0x100;
        for (int i = 0; i < 3; i++) {
            const uint32_t size = (uint32_t)last[i] - first[i] + 1;
            if (n < size)
                return (int)(first[i] + n);
            n -= size;
        }
    }
    if (code >= 0x100)
        return -1;
    for (int i = 0; i < 3; i++)
        if (code >= first[i] && code <= last[i])
            return -1;
    return (int)code;
}

/* Write the bytes that text spells; false (and *bytes untouched) if it holds other characters. */
static bool unspell(const char *text, size_t text_bytes, char *out, size_t *bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < text_bytes;) {
        const size_t length = het__utf8_char(text + i, text_bytes - i);
        const int byte = length ? byte_of_code(het__utf8_code(text + i, length)) : -1;
        if (byte < 0)
            return false;
        out[n++] = (char)byte;
        i += length;
    }
    *bytes = n;
    return true;
}

/* Texts of the tokens; those that stand for themselves (special tokens, and what spells no bytes)
 * are not found by merging. */
static bool build_tokens(het_tokenizer *t, char **room)
{
    for (uint32_t id = 0; id < t->token_count; id++) {
        het__token *k = &t->tokens[id];
        size_t bytes;
        k->text = k->piece;
        k->text_bytes = k->piece_bytes;
        if (k->flags & HET_TOKEN_BYTE) {
            **room = (char)het__byte_of_piece(k->piece, k->piece_bytes);
            k->text = (*room)++;
            k->text_bytes = 1;
        } else if ((k->type == HET__TOKEN_NORMAL || k->type == HET__TOKEN_UNUSED) &&
                   unspell(k->piece, k->piece_bytes, *room, &bytes)) {
            k->text = *room;
            k->text_bytes = (uint32_t)bytes;
            *room += bytes;
            if (bytes > 0 &&
                het__strmap_add(&t->symbols, t->mem, k->text, bytes, id) == HET__NONE)
                return false;
        }
    }
    for (uint32_t id = 0; id < t->token_count; id++)
        if ((t->tokens[id].flags & HET_TOKEN_BYTE) &&
            het__strmap_add(&t->symbols, t->mem, t->tokens[id].text, 1, id) == HET__NONE)
            return false;
    return true;
}

/* The symbol of some bytes, a new one if there is none yet. */
static bool symbol_of(het_tokenizer *t, const char *data, size_t bytes, uint32_t *symbol_count,
                      uint32_t *symbol)
{
    *symbol = het__strmap_add(&t->symbols, t->mem, data, bytes, *symbol_count);
    *symbol_count += *symbol == *symbol_count;
    return *symbol != HET__NONE;
}

/* Every byte is a symbol, a token or not. */
static bool build_bytes(het_tokenizer *t, char *room, uint32_t *symbol_count)
{
    for (int b = 0; b < 256; b++) {
        room[b] = (char)b;
        if (!symbol_of(t, &room[b], 1, symbol_count, &t->byte_symbol[b]))
            return false;
    }
    return true;
}

/* One entry of the list of merges: both parts and their concatenation become symbols. Entries that
 * spell no bytes can never apply and stay empty. */
static het_status build_merge(het_tokenizer *t, size_t rank, het__span text, char **room,
                              uint32_t *symbol_count, het_error *err)
{
    het__merge *m = &t->merges[rank];
    *m = (het__merge){ HET__NONE, HET__NONE, HET__NONE };
    const char *space = text.bytes > 1 ? memchr(text.data + 1, ' ', text.bytes - 1) : NULL;
    if (!space || space == text.data + text.bytes - 1)
        return het__fail(err, HET_E_FORMAT, "merge %zu of the vocabulary is not two parts", rank);
    const size_t left_spelt = (size_t)(space - text.data);
    size_t left = 0, right = 0;
    char *const whole = *room;
    if (!unspell(text.data, left_spelt, whole, &left) ||
        !unspell(space + 1, text.bytes - left_spelt - 1, whole + left, &right))
        return HET_OK;
    *room += left + right;
    if (!symbol_of(t, whole, left, symbol_count, &m->left) ||
        !symbol_of(t, whole + left, right, symbol_count, &m->right) ||
        !symbol_of(t, whole, left + right, symbol_count, &m->whole))
        return het__fail_nomem(err, "a vocabulary");
    het__pairmap_add(&t->pairs, m->left, m->right, (uint32_t)rank);
    return HET_OK;
}

het_status het__bpe_build(het_tokenizer *t, const het__vocabulary *vocabulary, het_error *err)
{
    const size_t merge_count = vocabulary->merge_count;
    if (merge_count >= HET__NONE / 8 || t->token_count >= HET__NONE / 2)
        return het__fail(err, HET_E_FORMAT, "the vocabulary has %zu merges", merge_count);
    t->merges = het__alloc_zero(t->mem, merge_count, sizeof *t->merges);
    char *room = t->text + t->text_bytes;
    uint32_t symbol_count = t->token_count;
    if (!t->merges || !het__strmap_init(&t->symbols, t->mem, t->token_count + 256u) ||
        !het__pairmap_init(&t->pairs, t->mem, merge_count) || !build_tokens(t, &room) ||
        !build_bytes(t, room, &symbol_count))
        return het__fail_nomem(err, "a vocabulary");
    room += 256;
    for (size_t i = 0; i < merge_count; i++) {
        const het_status status =
            build_merge(t, i, vocabulary->merges[i], &room, &symbol_count, err);
        if (status != HET_OK)
            return status;
    }
    return vocabulary->own_rule
               ? het__splitter_create_own(t->mem, vocabulary->own_rule, &t->splitter, err)
               : het__splitter_create(t->mem, t->rule, &t->splitter, err);
}

static uint32_t match(const het__encoder *encoder, const het__symbol *left,
                      const het__symbol *right, uint32_t *merged)
{
    const het_tokenizer *t = encoder->tokenizer;
    const uint32_t rank = het__pairmap_find(&t->pairs, left->id, right->id);
    if (rank != HET__NONE)
        *merged = t->merges[rank].whole;
    return rank;
}

static bool encode_word(void *user, size_t begin, size_t bytes)
{
    het__encoder *encoder = user;
    const het_tokenizer *t = encoder->tokenizer;
    const char *const text = encoder->text + begin;
    if (t->rule->whole_words || bytes == 1) {
        const uint32_t id = het__strmap_find(&t->symbols, text, bytes);
        if (id < t->token_count)
            return het__encoder_emit(encoder, id);
    }
    if (!het__encoder_reserve(encoder, bytes))
        return false;
    for (size_t i = 0; i < bytes; i++)
        encoder->symbols[i] = (het__symbol){
            .begin = (uint32_t)i,
            .end = (uint32_t)i + 1,
            .previous = i > 0 ? (uint32_t)i - 1 : HET__NONE,
            .next = i + 1 < bytes ? (uint32_t)i + 1 : HET__NONE,
            .id = t->byte_symbol[(unsigned char)text[i]],
            .order = HET__NONE,
        };
    het__encoder_merge(encoder, bytes, match);
    for (uint32_t i = 0; i != HET__NONE; i = encoder->symbols[i].next) {
        const het__symbol *const s = &encoder->symbols[i];
        if (s->id < t->token_count) {
            if (!het__encoder_emit(encoder, s->id))
                return false;
            continue;
        }
        for (uint32_t b = s->begin; b < s->end; b++)
            if (!het__encoder_emit_byte(encoder, (unsigned char)text[b]))
                return false;
    }
    return true;
}

/* A copy in which every byte that is not UTF-8 is a control character, which no rule puts into a
 * word of letters or digits. Lengths stay. NULL if text is UTF-8 (*copied false) or when out of
 * memory. */
static char *repaired(het__mem *mem, const char *text, size_t bytes, bool *copied)
{
    char *copy = NULL;
    *copied = false;
    for (size_t i = 0; i < bytes;) {
        const size_t n = het__utf8_char(text + i, bytes - i);
        if (n == 0 && !copy) {
            *copied = true;
            copy = het__alloc(mem, bytes);
            if (!copy)
                return NULL;
            memcpy(copy, text, bytes);
        }
        if (n == 0)
            copy[i] = 0x01;
        i += n ? n : 1;
    }
    return copy;
}

het_status het__bpe_encode(het__encoder *encoder, const char *text, size_t bytes, bool begins,
                           het_error *err)
{
    bool copied;
    if (het__wants_space(encoder->tokenizer, text, bytes, begins)) {
        if (bytes == SIZE_MAX || !het__encoder_escape(encoder, bytes + 1))
            return het__fail_nomem(err, "encoded text");
        encoder->escaped[0] = ' ';
        memcpy(encoder->escaped + 1, text, bytes);
        text = encoder->escaped;
        bytes++;
    }
    char *const copy = repaired(encoder->mem, text, bytes, &copied);
    if (copied && !copy)
        return het__fail_nomem(err, "encoded text");
    encoder->text = text;
    const het_status status = het__splitter_run(encoder->tokenizer->splitter, copied ? copy : text,
                                                bytes, encode_word, encoder, err);
    het__free(encoder->mem, copy);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece-style encoding: characters are merged while the concatenation of two neighbours is
 * a token, the one with the highest score first. A character that is in no token becomes the byte
 * tokens of its bytes, or the unknown token once.
 *
 * Where no token has a blank after something that is not one (true of the usual vocabularies),
 * nothing merges across such a place, and the text is encoded word by word: the same ids with
 * working memory of the size of a word. */
#include <assert.h>

#include "lib/base/error.h"
#include "lib/text/internal.h"
#include "lib/text/utf8.h"

#define BLANK_BYTES (sizeof HET__LOWER_BLOCK - 1)

static bool is_blank(const char *text, size_t bytes)
{
    return bytes >= BLANK_BYTES && memcmp(text, HET__LOWER_BLOCK, BLANK_BYTES) == 0;
}

/* Whether a blank follows something else in the piece. */
static bool goes_on_after_blank(const char *piece, size_t bytes)
{
    bool other = false;
    for (size_t i = 0; i < bytes;) {
        if (!is_blank(piece + i, bytes - i)) {
            other = true;
            i++;
            continue;
        }
        if (other)
            return true;
        i += BLANK_BYTES;
    }
    return false;
}

/* A score as an integer: the higher the score, the lower the order; never HET__NONE. */
static uint32_t order_of(float score)
{
    if (!(score > -3.4e38f)) /* NaN too */
        return HET__NONE - 1;
    score += 0.0f; /* -0 is 0 */
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return ~bits;
}

static void build_texts(het_tokenizer *t, char *room)
{
    for (uint32_t id = 0; id < t->token_count; id++) {
        het__token *k = &t->tokens[id];
        k->text = k->piece;
        k->text_bytes = k->piece_bytes;
        if (k->flags & HET_TOKEN_BYTE) {
            *room = (char)het__byte_of_piece(k->piece, k->piece_bytes);
            k->text = room++;
            k->text_bytes = 1;
        } else if (k->type == HET__TOKEN_NORMAL || k->type == HET__TOKEN_UNUSED) {
            char *out = room;
            for (size_t i = 0; i < k->piece_bytes;) {
                const bool blank = is_blank(k->piece + i, k->piece_bytes - i);
                *out++ = blank ? ' ' : k->piece[i];
                i += blank ? BLANK_BYTES : 1;
            }
            k->text = room;
            k->text_bytes = (uint32_t)(out - room);
            room = out;
        }
    }
}

/* Pairs of tokens that merge into a token, by rank. One that names other things never applies. */
static het_status build_pairs(het_tokenizer *t, const het__vocabulary *v, het_error *err)
{
    if (v->merge_count >= HET__NONE / 8)
        return het__fail(err, HET_E_FORMAT, "the vocabulary has %zu merges", v->merge_count);
    char *whole = het__alloc(t->mem, 2 * (size_t)t->symbols.bytes_max);
    t->merges = het__alloc_zero(t->mem, v->merge_count, sizeof *t->merges);
    if (!whole || !t->merges || !het__pairmap_init(&t->pairs, t->mem, v->merge_count)) {
        het__free(t->mem, whole);
        return het__fail_nomem(err, "a vocabulary");
    }
    for (size_t i = 0; i < v->merge_count; i++) {
        const het__span m = v->merges[i];
        const char *space = m.bytes > 1 ? memchr(m.data + 1, ' ', m.bytes - 1) : NULL;
        const size_t left = space ? (size_t)(space - m.data) : 0;
        const size_t right = space ? m.bytes - left - 1 : 0;
        if (left == 0 || right == 0 || left > t->symbols.bytes_max ||
            right > t->symbols.bytes_max)
            continue;
        memcpy(whole, m.data, left);
        memcpy(whole + left, space + 1, right);
        const het__merge found = { het__strmap_find(&t->symbols, whole, left),
                                   het__strmap_find(&t->symbols, whole + left, right),
                                   het__strmap_find(&t->symbols, whole, left + right) };
        t->merges[i] = found;
        if (found.left != HET__NONE && found.right != HET__NONE && found.whole != HET__NONE)
            het__pairmap_add(&t->pairs, found.left, found.right, (uint32_t)i);
    }
    het__free(t->mem, whole);
    return HET_OK;
}

het_status het__spm_build(het_tokenizer *t, const het__vocabulary *vocabulary, het_error *err)
{
    t->scores = het__alloc_zero(t->mem, t->token_count, sizeof *t->scores);
    if (!t->scores || !het__strmap_init(&t->symbols, t->mem, t->token_count))
        return het__fail_nomem(err, "a vocabulary");
    build_texts(t, t->text + t->text_bytes);
    memset(t->byte_symbol, 0xff, sizeof t->byte_symbol);
    t->cuts_at_space = true;
    for (uint32_t id = 0; id < t->token_count; id++) {
        const het__token *k = &t->tokens[id];
        if (vocabulary->scores)
            t->scores[id] = vocabulary->scores[id];
        if (k->flags & HET_TOKEN_BYTE) {
            uint32_t *const slot = &t->byte_symbol[(unsigned char)k->text[0]];
            *slot = *slot == HET__NONE ? id : *slot;
        } else if (k->type != HET__TOKEN_CONTROL && k->type != HET__TOKEN_UNKNOWN &&
                   k->piece_bytes > 0) {
            if (het__strmap_add(&t->symbols, t->mem, k->piece, k->piece_bytes, id) == HET__NONE)
                return het__fail_nomem(err, "a vocabulary");
            t->cuts_at_space =
                t->cuts_at_space && !goes_on_after_blank(k->piece, k->piece_bytes);
        }
    }
    t->cuts_at_space = (t->cuts_at_space && !t->is_unigram) || t->cuts_at_blanks;
    if (t->is_unigram)
        return het__unigram_build(t, vocabulary, err);
    return t->by_rank ? build_pairs(t, vocabulary, err) : HET_OK;
}

static uint32_t match_pair(const het__encoder *encoder, const het__symbol *left,
                           const het__symbol *right, uint32_t *merged)
{
    const het_tokenizer *t = encoder->tokenizer;
    if (left->id == HET__NONE || right->id == HET__NONE)
        return HET__NONE;
    const uint32_t rank = het__pairmap_find(&t->pairs, left->id, right->id);
    if (rank != HET__NONE)
        *merged = t->merges[rank].whole;
    return rank;
}

static uint32_t match(const het__encoder *encoder, const het__symbol *left,
                      const het__symbol *right, uint32_t *merged)
{
    const het_tokenizer *t = encoder->tokenizer;
    const uint32_t id =
        het__strmap_find(&t->symbols, encoder->text + left->begin, right->end - left->begin);
    if (id == HET__NONE)
        return HET__NONE;
    *merged = id;
    return order_of(t->scores[id]);
}

static bool emit_symbol(het__encoder *encoder, const het__symbol *s)
{
    const het_tokenizer *t = encoder->tokenizer;
    const char *const text = encoder->text + s->begin;
    const uint32_t bytes = s->end - s->begin;
    const bool after_unknown = encoder->after_unknown;
    encoder->after_unknown = false;
    if (s->id != HET__NONE)
        return het__encoder_emit(encoder, s->id);
    /* A blank that the vocabulary lacks was a space. */
    if (is_blank(text, bytes))
        return het__encoder_emit_byte(encoder, ' ');
    if (t->byte_symbol[(unsigned char)text[0]] == HET__NONE) {
        encoder->after_unknown = true;
        return (after_unknown && t->fuses_unknown) ||
               het__encoder_emit_byte(encoder, (unsigned char)text[0]); /* unknown, once */
    }
    for (uint32_t i = 0; i < bytes; i++)
        if (!het__encoder_emit_byte(encoder, (unsigned char)text[i]))
            return false;
    return true;
}

/* Encode text[0, bytes), in which blanks are blanks. */
static bool encode_word(het__encoder *encoder, const char *text, size_t bytes)
{
    if (!het__encoder_reserve(encoder, bytes))
        return false;
    encoder->text = text;
    encoder->after_unknown = false;
    size_t count = 0;
    for (size_t i = 0; i < bytes; count++) {
        const size_t n = het__utf8_char(text + i, bytes - i);
        const size_t end = i + (n ? n : 1);
        encoder->symbols[count] = (het__symbol){
            .begin = (uint32_t)i,
            .end = (uint32_t)end,
            .previous = count > 0 ? (uint32_t)count - 1 : HET__NONE,
            .next = end < bytes ? (uint32_t)count + 1 : HET__NONE,
            .id = het__strmap_find(&encoder->tokenizer->symbols, text + i, end - i),
            .order = HET__NONE,
        };
        i = end;
    }
    het__encoder_merge(encoder, count, encoder->tokenizer->by_rank ? match_pair : match);
    for (uint32_t i = 0; i != HET__NONE; i = encoder->symbols[i].next)
        if (!emit_symbol(encoder, &encoder->symbols[i]))
            return false;
    return true;
}

/* Length of the first word: up to a blank that follows something else, or anything. */
static size_t word_length(const char *text, size_t bytes, bool every)
{
    bool other = false;
    for (size_t i = 0; i < bytes;) {
        const bool blank = is_blank(text + i, bytes - i);
        if (blank && (other || (every && i > 0)))
            return i;
        other = other || !blank;
        i += blank ? BLANK_BYTES : 1;
    }
    return bytes;
}

/* Spaces become blanks. Returns the bytes written. */
static size_t escape(const het_tokenizer *t, const char *text, size_t bytes, bool prefix,
                     bool begins, bool last, char *out)
{
    char *const start = out;
    size_t end = bytes;
    if (t->squeezes_space && last)
        while (end > 0 && text[end - 1] == ' ')
            end--;
    bool after_space = begins;
    if (prefix && end > 0) {
        memcpy(out, HET__LOWER_BLOCK, BLANK_BYTES);
        out += BLANK_BYTES;
    }
    for (size_t i = 0; i < end; i++) {
        const bool space = text[i] == ' ';
        if (space && !(t->squeezes_space && after_space)) {
            memcpy(out, HET__LOWER_BLOCK, BLANK_BYTES);
            out += BLANK_BYTES;
        } else if (!space) {
            *out++ = text[i];
        }
        after_space = space;
    }
    return (size_t)(out - start);
}

het_status het__spm_encode(het__encoder *encoder, const char *text, size_t bytes, bool first,
                           bool begins, bool last, het_error *err)
{
    const het_tokenizer *t = encoder->tokenizer;
    size_t room;
    if (!het__mul_size(bytes, BLANK_BYTES, &room) || !het__add_size(room, BLANK_BYTES, &room))
        return het__fail_nomem(err, "encoded text");
    if (!het__encoder_escape(encoder, room))
        return het__fail_nomem(err, "encoded text");
    const char *const escaped = encoder->escaped;
    const bool prefix = first && het__wants_space(t, text, bytes, begins);
    const size_t total = escape(t, text, bytes, prefix, begins, last, encoder->escaped);
    for (size_t i = 0; i < total;) {
        const size_t n =
            t->cuts_at_space ? word_length(escaped + i, total - i, t->cuts_at_blanks) : total - i;
        if (!(t->is_unigram ? het__unigram_word : encode_word)(encoder, escaped + i, n))
            return het__fail_nomem(err, "encoded text");
        i += n;
    }
    return HET_OK;
}

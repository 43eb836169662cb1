/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens written out in a text: user-defined ones always, control and unknown ones on request.
 *
 * Positions at which the first two bytes fit are collected once; then each length that occurs is
 * tried at what is left of them, the longest first. Most texts have few such positions, and time
 * is at worst the text's length times the number of lengths. */
#include <stdlib.h>

#include "lib/base/error.h"
#include "lib/text/internal.h"

static bool has_bit(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

static void set_bit(uint8_t *bits, size_t i)
{
    bits[i / 8] = (uint8_t)(bits[i / 8] | 1u << (i % 8));
}

static size_t pair_of(const char *text)
{
    return (size_t)(unsigned char)text[0] << 8 | (unsigned char)text[1];
}

static bool is_special(const het__token *k, bool control)
{
    const bool other = k->type == HET__TOKEN_CONTROL || k->type == HET__TOKEN_UNKNOWN;
    return k->piece_bytes > 0 && (k->type == HET__TOKEN_USER || (control && other));
}

static int longest_first(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x < y) - (x > y);
}

static bool build_set(het_tokenizer *t, het__special_set *set, bool control)
{
    size_t n = 0;
    for (uint32_t id = 0; id < t->token_count; id++)
        n += is_special(&t->tokens[id], control);
    set->lengths = het__alloc_zero(t->mem, n, sizeof *set->lengths);
    if (!set->lengths)
        return false;
    n = 0;
    for (uint32_t id = 0; id < t->token_count; id++) {
        const het__token *k = &t->tokens[id];
        if (!is_special(k, control))
            continue;
        set->lengths[n++] = k->piece_bytes;
        if (k->piece_bytes == 1)
            set_bit(set->single, (unsigned char)k->piece[0]);
        else
            set_bit(set->pairs, pair_of(k->piece));
    }
    if (n > 0)
        qsort(set->lengths, n, sizeof *set->lengths, longest_first);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || set->lengths[i] != set->lengths[i - 1])
            set->lengths[set->length_count++] = set->lengths[i];
    return true;
}

het_status het__special_build(het_tokenizer *t, het_error *err)
{
    if (!build_set(t, &t->special_set[0], false) || !build_set(t, &t->special_set[1], true) ||
        !het__strmap_init(&t->specials, t->mem, 0))
        return het__fail_nomem(err, "a vocabulary");
    for (uint32_t id = 0; id < t->token_count; id++) {
        const het__token *k = &t->tokens[id];
        if (is_special(k, true) &&
            het__strmap_add(&t->specials, t->mem, k->piece, k->piece_bytes, id) == HET__NONE)
            return het__fail_nomem(err, "a vocabulary");
    }
    return HET_OK;
}

static bool may_begin(const het__special_set *set, const char *text, size_t bytes)
{
    return has_bit(set->single, (unsigned char)text[0]) ||
           (bytes > 1 && has_bit(set->pairs, pair_of(text)));
}

static bool is_space(char c)
{
    return memchr(" \t\n\v\f\r", c, 6) != NULL;
}

/* Mark one token at a place, and the white space around it that it takes along. */
static void claim(const het__token *k, uint8_t *marks, const char *text, size_t bytes, size_t at)
{
    const size_t end = at + k->piece_bytes;
    memset(marks + at, HET__MARK_REST, k->piece_bytes);
    marks[at] = HET__MARK_FIRST;
    if (k->edges & HET__EDGE_STRIPS_RIGHT)
        for (size_t i = end; i < bytes && marks[i] == HET__MARK_PLAIN && is_space(text[i]); i++)
            marks[i] = HET__MARK_DROPPED;
    if (k->edges & HET__EDGE_STRIPS_LEFT)
        for (size_t i = at; i-- > 0 && marks[i] == HET__MARK_PLAIN && is_space(text[i]);)
            marks[i] = HET__MARK_DROPPED;
}

/* Letters beyond ASCII are taken for parts of words, whatever they are. */
static bool is_word(char c)
{
    const unsigned char u = (unsigned char)c;
    return u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'A' && u <= 'Z') ||
           (u >= 'a' && u <= 'z') || u == '_';
}

static bool stands_alone(const het__token *k, const char *text, size_t bytes, size_t at)
{
    const size_t end = at + k->piece_bytes;
    return !(k->edges & HET__EDGE_WHOLE_WORD) ||
           ((at == 0 || !is_word(text[at - 1])) && (end == bytes || !is_word(text[end])));
}

/* Try all tokens of n bytes at the places, which are ascending. Returns the number of places that
 * are still plain. Marked stretches are longer than or as long as n, or white space beside one:
 * a token overlaps one exactly if its first or its last byte is marked. */
static size_t claim_length(const het_tokenizer *t, bool control, const char *text, size_t bytes,
                           size_t n, size_t *places, size_t count, uint8_t *marks)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t at = places[i];
        if (marks[at] != HET__MARK_PLAIN)
            continue;
        places[kept++] = at;
        if (n > bytes - at || marks[at + n - 1] != HET__MARK_PLAIN)
            continue;
        const uint32_t id = het__strmap_find(&t->specials, text + at, n);
        if (id == HET__NONE || !is_special(&t->tokens[id], control) ||
            !stands_alone(&t->tokens[id], text, bytes, at))
            continue;
        claim(&t->tokens[id], marks, text, bytes, at);
        kept--;
    }
    return kept;
}

het_status het__special_mark(const het_tokenizer *t, const char *text, size_t bytes, bool control,
                             uint8_t **marks, het_error *err)
{
    const het__special_set *set = &t->special_set[control];
    size_t count = 0;
    *marks = NULL;
    if (set->length_count == 0)
        return HET_OK;
    for (size_t i = 0; i < bytes; i++)
        count += may_begin(set, text + i, bytes - i);
    if (count == 0)
        return HET_OK;
    size_t *places = het__alloc_zero(t->mem, count, sizeof *places);
    *marks = het__alloc_zero(t->mem, bytes, 1);
    if (!places || !*marks) {
        het__free(t->mem, places);
        het__free(t->mem, *marks);
        *marks = NULL;
        return het__fail_nomem(err, "encoded text");
    }
    count = 0;
    for (size_t i = 0; i < bytes; i++)
        if (may_begin(set, text + i, bytes - i))
            places[count++] = i;
    for (size_t i = 0; i < set->length_count && count > 0; i++)
        count = claim_length(t, control, text, bytes, set->lengths[i], places, count, *marks);
    het__free(t->mem, places);
    return HET_OK;
}

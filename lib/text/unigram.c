/* SPDX-License-Identifier: Apache-2.0 */
/* Unigram vocabularies: of all ways to write a text as tokens, the one whose scores add up to the
 * most. A character that no token of its own has may be unknown, at ten below the lowest score;
 * unknown ones side by side are one, which becomes the tokens of its bytes where all of them are
 * there.
 *
 * Tokens are found by narrowing a sorted list byte by byte: no more memory than four bytes per
 * token, and as many steps as the tokens that begin so have bytes. */
#include <math.h>

#include "lib/base/error.h"
#include "lib/text/internal.h"

#define UNKNOWN_PENALTY 10.0

/* ---- table ---- */

static int compare(const het_tokenizer *t, uint32_t a, uint32_t b)
{
    const het__token *x = &t->tokens[a], *y = &t->tokens[b];
    const uint32_t n = x->piece_bytes < y->piece_bytes ? x->piece_bytes : y->piece_bytes;
    const int c = memcmp(x->piece, y->piece, n);
    if (c != 0)
        return c;
    if (x->piece_bytes != y->piece_bytes)
        return x->piece_bytes < y->piece_bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void sift_down(const het_tokenizer *t, uint32_t *h, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(t, h[child], h[child + 1]) < 0)
            child++;
        if (compare(t, h[root], h[child]) >= 0)
            return;
        const uint32_t swap = h[root];
        h[root] = h[child];
        h[child] = swap;
    }
}

static void sort(const het_tokenizer *t, uint32_t *h, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(t, h, i, count);
    for (size_t last = count; last-- > 1;) {
        const uint32_t swap = h[0];
        h[0] = h[last];
        h[last] = swap;
        sift_down(t, h, 0, last);
    }
}

static bool is_found(const het__token *k)
{
    return k->piece_bytes > 0 && !(k->flags & HET_TOKEN_BYTE) && k->type != HET__TOKEN_CONTROL &&
           k->type != HET__TOKEN_UNKNOWN;
}

het_status het__unigram_build(het_tokenizer *t, const het__vocabulary *v, het_error *err)
{
    double least = INFINITY;
    t->sorted = het__alloc_zero(t->mem, t->token_count, sizeof *t->sorted);
    t->exact = het__alloc_zero(t->mem, t->token_count, sizeof *t->exact);
    if (!t->sorted || !t->exact)
        return het__fail_nomem(err, "a vocabulary");
    for (uint32_t id = 0; id < t->token_count; id++) {
        const het__token *k = &t->tokens[id];
        const double score = v->exact_scores ? v->exact_scores[id] : (double)t->scores[id];
        const bool counts = v->exact_scores || k->type == HET__TOKEN_NORMAL;
        t->exact[id] = isnan(score) || isfinite(score) ? score : 0;
        if (counts && isfinite(score) && score < least)
            least = score;
        if (is_found(k) && !isnan(score)) /* a token beside the model is not found by it */
            t->sorted[t->sorted_count++] = id;
    }
    sort(t, t->sorted, t->sorted_count);
    t->unknown_score = (isfinite(least) ? least : 0) - UNKNOWN_PENALTY;
    if (v->charsmap_bytes == 0)
        return HET_OK;
    const het_status s = het__charsmap_check(v->charsmap, v->charsmap_bytes, err);
    if (s != HET_OK)
        return s;
    t->charsmap = het__alloc(t->mem, v->charsmap_bytes);
    if (!t->charsmap)
        return het__fail_nomem(err, "a vocabulary");
    memcpy(t->charsmap, v->charsmap, v->charsmap_bytes);
    t->charsmap_bytes = v->charsmap_bytes;
    return HET_OK;
}

/* ---- the text before it is cut ---- */

static bool is_white(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (n == 1)
        return p[0] == ' ' || (p[0] >= 9 && p[0] <= 13);
    if (n == 2)
        return p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0);
    if (n != 3)
        return false;
    const uint32_t c = (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63u);
    return c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* In place: bytes without white space at the ends, runs of spaces as one. */
static size_t tidy(const het_tokenizer *t, char *text, size_t bytes)
{
    size_t begin = 0, end = 0, out = 0;
    bool other = false;
    for (size_t i = 0, n; i < bytes; i += n) {
        n = het__step_bytes(text + i, bytes - i);
        if (is_white(text + i, n))
            continue;
        begin = other ? begin : i;
        end = i + n;
        other = true;
    }
    begin = t->drops_left ? (other ? begin : bytes) : 0;
    end = t->drops_right ? (other ? end : begin) : bytes;
    for (size_t i = begin; i < end; i++)
        if (!(t->joins_spaces && text[i] == ' ' && i > begin && text[i - 1] == ' '))
            text[out++] = text[i];
    return out;
}

het_status het__unigram_prepare(const het_tokenizer *t, const char *text, size_t bytes, char **out,
                                size_t *out_bytes, het_error *err)
{
    *out = NULL;
    if (!t->charsmap && !t->joins_spaces && !t->drops_left && !t->drops_right)
        return HET_OK;
    het_status s = HET_OK;
    if (t->charsmap) {
        s = het__charsmap_run(t, text, bytes, out, &bytes, err);
    } else {
        *out = het__alloc(t->mem, bytes);
        if (!*out)
            return het__fail_nomem(err, "encoded text");
        memcpy(*out, text, bytes);
    }
    if (s == HET_OK)
        *out_bytes = tidy(t, *out, bytes);
    return s;
}

/* ---- Viterbi ---- */

static bool reserve(het__encoder *e, size_t count)
{
    if (count <= e->path_capacity)
        return true;
    if (count > SIZE_MAX / sizeof *e->path)
        return false;
    het__path *grown = het__realloc(e->mem, e->path, count * sizeof *grown);
    if (!grown)
        return false;
    e->path = grown;
    e->path_capacity = count;
    return true;
}

static void offer(het__path *to, size_t begin, uint32_t id, double score)
{
    if (to->begin == HET__NONE || score > to->score)
        *to = (het__path){ .score = score, .begin = (uint32_t)begin, .id = id };
}

/* The part of sorted[low, high) whose byte at `depth` is this one; all are longer than depth. */
static void narrow(const het_tokenizer *t, size_t depth, unsigned char byte, size_t *low,
                   size_t *high)
{
    size_t a = *low, b = *high;
    while (a < b) {
        const size_t middle = a + (b - a) / 2;
        if ((unsigned char)t->tokens[t->sorted[middle]].piece[depth] < byte)
            a = middle + 1;
        else
            b = middle;
    }
    *low = a;
    b = *high;
    while (a < b) {
        const size_t middle = a + (b - a) / 2;
        if ((unsigned char)t->tokens[t->sorted[middle]].piece[depth] <= byte)
            a = middle + 1;
        else
            b = middle;
    }
    *high = a;
}

/* Offer every token that begins at i; whether one of them is the character alone. */
static bool offer_tokens(het__encoder *e, const char *text, size_t bytes, size_t i, size_t single)
{
    const het_tokenizer *t = e->tokenizer;
    size_t low = 0, high = t->sorted_count;
    bool alone = false;
    for (size_t depth = 0; low < high && i + depth < bytes;) {
        narrow(t, depth, (unsigned char)text[i + depth], &low, &high);
        depth++;
        uint32_t id = HET__NONE;
        /* Those that end here come first; of equal ones the last counts. */
        while (low < high && t->tokens[t->sorted[low]].piece_bytes == depth)
            id = t->sorted[low++];
        if (id == HET__NONE)
            continue;
        offer(&e->path[i + depth], i, id, e->path[i].score + t->exact[id]);
        alone = alone || depth == single;
    }
    return alone;
}

static bool emit_unknown(het__encoder *e, const char *text, size_t bytes)
{
    const het_tokenizer *t = e->tokenizer;
    const uint32_t id = het__strmap_find(&t->symbols, text, bytes);
    bool all = true;
    if (id != HET__NONE && !isnan(t->exact[id]))
        return het__encoder_emit(e, id);
    for (size_t i = 0; i < bytes; i++)
        all = all && t->byte_symbol[(unsigned char)text[i]] != HET__NONE;
    for (size_t i = 0; all && i < bytes; i++)
        if (!het__encoder_emit(e, t->byte_symbol[(unsigned char)text[i]]))
            return false;
    return all || t->unknown_id < 0 || het__encoder_emit(e, (uint32_t)t->unknown_id);
}

bool het__unigram_word(het__encoder *e, const char *text, size_t bytes)
{
    const het_tokenizer *t = e->tokenizer;
    if (bytes >= HET__NONE || !reserve(e, bytes + 1))
        return false;
    for (size_t i = 0; i <= bytes; i++)
        e->path[i].begin = HET__NONE;
    e->path[0] = (het__path){ .begin = 0, .id = HET__NONE };
    for (size_t i = 0, n; i < bytes; i += n) {
        n = het__step_bytes(text + i, bytes - i);
        if (!offer_tokens(e, text, bytes, i, n))
            offer(&e->path[i + n], i, HET__NONE, e->path[i].score + t->unknown_score);
    }
    /* Turned round: begin of each becomes the end of the token that begins there. */
    size_t at = bytes;
    for (size_t next = 0; at > 0; at = next) {
        next = e->path[at].begin;
        e->path[next].end = (uint32_t)at;
        e->path[next].next = e->path[at].id;
    }
    for (size_t i = 0, end; i < bytes; i = end) {
        end = e->path[i].end;
        if (e->path[i].next != HET__NONE) {
            if (!het__encoder_emit(e, e->path[i].next))
                return false;
            continue;
        }
        while (end < bytes && e->path[end].next == HET__NONE)
            end = e->path[end].end;
        if (!emit_unknown(e, text + i, end - i))
            return false;
    }
    return true;
}

/* Words between white space, each as if it stood alone. */
het_status het__unigram_split(het__encoder *e, const char *text, size_t bytes, bool begins,
                              bool last, het_error *err)
{
    het_status s = HET_OK;
    for (size_t i = 0, end; s == HET_OK && i < bytes; i = end) {
        size_t n = het__step_bytes(text + i, bytes - i);
        end = i + n;
        if (is_white(text + i, n))
            continue;
        for (; end < bytes; end += n) {
            n = het__step_bytes(text + end, bytes - end);
            if (is_white(text + end, n))
                break;
        }
        s = het__spm_encode(e, text + i, end - i, true, begins && i == 0, last && end == bytes,
                            err);
    }
    return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Building a tokenizer, and encoding and decoding over both kinds. */
#include "lib/text/internal.h"

#include <assert.h>

#include "lib/base/error.h"

/* Control tokens that end a turn or a text under every name that models in use give them. */
static const char *const end_names[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<end_of_turn>", "<|eom_id|>",
};

int het__byte_of_piece(const char *piece, size_t bytes)
{
    static const char digits[] = "0123456789ABCDEFabcdef";
    if (bytes != 6 || memcmp(piece, "<0x", 3) != 0 || piece[5] != '>')
        return -1;
    int value = 0;
    for (int i = 3; i < 5; i++) {
        const char *const d = piece[i] ? strchr(digits, piece[i]) : NULL;
        if (!d)
            return -1;
        const int n = (int)(d - digits);
        value = 16 * value + (n < 16 ? n : n - 6);
    }
    return value;
}

/* One block for all pieces, for their texts (never longer), for the 256 bytes, and for the strings
 * of merges. */
static het_status copy_pieces(het_tokenizer *t, const het__vocabulary *v, het_error *err)
{
    size_t total = 0, merges = 0;
    bool fits = true;
    for (size_t i = 0; i < v->token_count; i++)
        fits = fits && v->tokens[i].bytes < UINT32_MAX / 4 &&
               het__add_size(total, v->tokens[i].bytes, &total);
    for (size_t i = 0; i < v->merge_count && !t->is_spm; i++)
        fits = fits && het__add_size(merges, v->merges[i].bytes, &merges);
    if (!fits || total > SIZE_MAX / 4 || merges > SIZE_MAX / 4)
        return het__fail(err, HET_E_FORMAT, "the vocabulary's tokens are too long");
    t->text = het__alloc(t->mem, 2 * total + merges + 256);
    if (!t->text)
        return het__fail_nomem(err, "a vocabulary");
    for (size_t i = 0; i < v->token_count; i++) {
        het__token *k = &t->tokens[i];
        k->piece = t->text + t->text_bytes;
        k->piece_bytes = (uint32_t)v->tokens[i].bytes;
        if (k->piece_bytes > 0)
            memcpy(t->text + t->text_bytes, v->tokens[i].data, k->piece_bytes);
        t->text_bytes += k->piece_bytes;
    }
    return HET_OK;
}

static bool piece_is(const het__token *k, const char *name)
{
    const size_t n = strlen(name);
    return k->piece_bytes == n && memcmp(k->piece, name, n) == 0;
}

/* Whether a control token of this name exists. */
static bool has_control(const het_tokenizer *t, const char *name)
{
    for (uint32_t id = 0; id < t->token_count; id++)
        if (t->tokens[id].type == HET__TOKEN_CONTROL && piece_is(&t->tokens[id], name))
            return true;
    return false;
}

static void classify(het_tokenizer *t, const het__vocabulary *v)
{
    const int32_t control[4] = { v->bos_id, v->eos_id, v->padding_id, v->eot_id };
    for (uint32_t id = 0; id < t->token_count; id++) {
        het__token *k = &t->tokens[id];
        const int32_t type = v->types ? v->types[id] : HET__TOKEN_NORMAL;
        const bool known = type >= HET__TOKEN_NORMAL && type <= HET__TOKEN_BYTE;
        k->type = known ? (uint8_t)type : HET__TOKEN_NORMAL;
        if (!v->types && t->is_spm && het__byte_of_piece(k->piece, k->piece_bytes) >= 0)
            k->type = HET__TOKEN_BYTE;
        for (int i = 0; i < 4 && !v->types; i++)
            if (control[i] == (int32_t)id)
                k->type = HET__TOKEN_CONTROL;
        if ((int32_t)id == v->unknown_id && k->type == HET__TOKEN_NORMAL)
            k->type = HET__TOKEN_UNKNOWN;
    }
}

/* The Phi-3 family is known by its place-holder tokens: there, white space after a special token
 * is part of it, which no key of the file says. */
static bool strips_right(const het_tokenizer *t)
{
    return t->is_spm && has_control(t, "<|placeholder1|>");
}

static void set_flags(het_tokenizer *t, const het__vocabulary *v)
{
    /* In this vocabulary "<|end|>" ends a part of an answer, not the answer. */
    const bool end_goes_on = has_control(t, "<|return|>") && has_control(t, "<|call|>");
    const bool strip = strips_right(t);
    for (uint32_t id = 0; id < t->token_count; id++) {
        het__token *k = &t->tokens[id];
        const bool control = k->type == HET__TOKEN_CONTROL;
        if (control)
            k->flags |= HET_TOKEN_CONTROL;
        if (k->type == HET__TOKEN_BYTE && het__byte_of_piece(k->piece, k->piece_bytes) >= 0)
            k->flags |= HET_TOKEN_BYTE;
        if (k->type == HET__TOKEN_UNKNOWN || (int32_t)id == v->unknown_id)
            k->flags |= HET_TOKEN_UNKNOWN;
        if ((int32_t)id == v->eos_id || (int32_t)id == v->eot_id)
            k->flags |= HET_TOKEN_END;
        for (size_t i = 0; i < v->end_count; i++)
            if (v->end_ids[i] == (int32_t)id)
                k->flags |= HET_TOKEN_END;
        for (size_t i = 0; control && i < sizeof end_names / sizeof *end_names; i++)
            if (piece_is(k, end_names[i]) && !(end_goes_on && piece_is(k, "<|end|>")))
                k->flags |= HET_TOKEN_END;
        if (v->edges)
            k->edges = v->edges[id];
        else if (strip && (control || k->type == HET__TOKEN_USER) && !piece_is(k, "<unk>") &&
                 !piece_is(k, "<s>") && !piece_is(k, "<|endoftext|>"))
            k->edges = HET__EDGE_STRIPS_RIGHT;
    }
}

static het_status check_ids(const het__vocabulary *v, het_error *err)
{
    const struct { const char *name; int32_t id; } ids[] = {
        { "bos", v->bos_id }, { "eos", v->eos_id }, { "unknown", v->unknown_id },
        { "padding", v->padding_id }, { "eot", v->eot_id },
    };
    if (v->token_count == 0 || v->token_count > INT32_MAX)
        return het__fail(err, HET_E_FORMAT, "the vocabulary has %zu tokens", v->token_count);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i].id < -1 || (ids[i].id >= 0 && (size_t)ids[i].id >= v->token_count))
            return het__fail(err, HET_E_FORMAT, "%s token %d is not among the %zu tokens",
                             ids[i].name, ids[i].id, v->token_count);
    return HET_OK;
}

static bool choose(int32_t said, bool otherwise)
{
    return said < 0 ? otherwise : said != 0;
}

static const char *const own_names[] = { "tokenizer.json", NULL };

/* Kind, rule, and what follows from both. */
static het_status set_kind(het_tokenizer *t, const het__vocabulary *v, het_error *err)
{
    const char *const kind = v->kind ? v->kind : "";
    t->is_unigram = strcmp(kind, "t5") == 0;
    t->is_spm = t->is_unigram || strcmp(kind, "llama") == 0;
    if (!t->is_spm && strcmp(kind, "gpt2") != 0)
        return het__fail(err, HET_E_UNSUPPORTED, "tokenizer kind \"%.64s\" is not supported",
                         kind);
    t->rule = t->is_spm ? NULL : het__rule_find(v->rule);
    if (!t->is_spm && v->own_rule) {
        t->own_rule.names = own_names;
        t->own_rule.whole_words = v->own_rule->rule.whole_words;
        t->rule = &t->own_rule;
    }
    if (!t->is_spm && !t->rule)
        return het__fail(err, HET_E_UNSUPPORTED, "pre-tokenizer rule \"%.64s\" is not known",
                         v->rule);
    t->bos_id = v->bos_id;
    t->eos_id = v->eos_id;
    t->unknown_id = v->unknown_id;
    t->padding_id = v->padding_id;
    const bool begins = t->is_spm ? !t->is_unigram : t->rule->adds_bos;
    t->adds_bos = choose(v->add_bos, begins) && v->bos_id >= 0;
    t->adds_eos = choose(v->add_eos, t->is_unigram) && v->eos_id >= 0;
    t->adds_space = t->is_spm ? choose(v->add_space_prefix, true)
                              : v->own_rule && choose(v->add_space_prefix, false);
    t->strips_space = t->is_spm && t->adds_space && !v->keeps_space;
    t->by_rank = t->is_spm && v->by_rank;
    t->splits_white = v->splits_white;
    t->joins_spaces = v->joins_spaces;
    t->drops_left = v->drops_left;
    t->drops_right = v->drops_right;
    t->charsmap_longest = v->charsmap_longest;
    t->fuses_unknown = v->fuses_unknown;
    t->cuts_at_blanks = t->is_spm && v->cuts_at_blanks;
    t->space_rule = v->space_rule;
    t->form = v->form;
    t->squeezes_space = t->is_spm && choose(v->remove_extra_whitespaces, false);
    return HET_OK;
}

static het_status build(het_tokenizer *t, const het__vocabulary *v, het_error *err)
{
    het_status status = set_kind(t, v, err);
    if (status != HET_OK)
        return status;
    t->token_count = (uint32_t)v->token_count;
    t->tokens = het__alloc_zero(t->mem, v->token_count, sizeof *t->tokens);
    if (!t->tokens)
        return het__fail_nomem(err, "a vocabulary");
    status = copy_pieces(t, v, err);
    if (status != HET_OK)
        return status;
    classify(t, v);
    set_flags(t, v);
    status = t->is_spm ? het__spm_build(t, v, err) : het__bpe_build(t, v, err);
    if (status != HET_OK)
        return status;
    for (uint32_t id = 0; id < t->token_count; id++) {
        const het__token *k = &t->tokens[id];
        const uint32_t n = k->text_bytes > k->piece_bytes ? k->text_bytes : k->piece_bytes;
        t->text_bytes_max = n > t->text_bytes_max ? n : t->text_bytes_max;
    }
    return het__special_build(t, err);
}

het_status het__tokenizer_create(het__mem *mem, const het__vocabulary *vocabulary,
                                 het_tokenizer **tokenizer, het_error *err)
{
    *tokenizer = NULL;
    het_status status = check_ids(vocabulary, err);
    if (status != HET_OK)
        return status;
    het_tokenizer *t = het__alloc_zero(mem, 1, sizeof *t);
    if (!t)
        return het__fail_nomem(err, "a tokenizer");
    t->mem = mem;
    status = build(t, vocabulary, err);
    if (status != HET_OK) {
        het__tokenizer_destroy(t);
        return status;
    }
    *tokenizer = t;
    return HET_OK;
}

void het__tokenizer_destroy(het_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    het__mem *mem = tokenizer->mem;
    het__splitter_destroy(tokenizer->splitter);
    het__pairmap_finish(&tokenizer->pairs, mem);
    het__free(mem, tokenizer->merges);
    het__free(mem, tokenizer->scores);
    het__free(mem, tokenizer->exact);
    het__free(mem, tokenizer->sorted);
    het__free(mem, tokenizer->charsmap);
    het__free(mem, tokenizer->special_set[0].lengths);
    het__free(mem, tokenizer->special_set[1].lengths);
    het__strmap_finish(&tokenizer->specials, mem);
    het__strmap_finish(&tokenizer->symbols, mem);
    het__free(mem, tokenizer->text);
    het__free(mem, tokenizer->tokens);
    het__free(mem, tokenizer);
}

void het__tokenizer_set_owner(het_tokenizer *tokenizer, void *owner, void (*retain)(void *),
                              void (*release)(void *))
{
    tokenizer->owner = owner;
    tokenizer->retain = retain;
    tokenizer->release = release;
}

static het_status encode_plain(het__encoder *e, const char *text, size_t bytes, bool first,
                               bool begins, bool last, het_error *err)
{
    const het_tokenizer *t = e->tokenizer;
    char *normal = NULL;
    het_status status = HET_OK;
    if (t->form != HET__FORM_NONE)
        status = het__normalise(t->mem, t->form, text, bytes, &normal, &bytes, err);
    if (normal)
        text = normal;
    char *prepared = NULL;
    if (status == HET_OK && t->is_unigram)
        status = het__unigram_prepare(t, text, bytes, &prepared, &bytes, err);
    if (prepared)
        text = prepared;
    if (status == HET_OK && t->splits_white)
        status = het__unigram_split(e, text, bytes, begins, last, err);
    else if (status == HET_OK)
        status = t->is_spm ? het__spm_encode(e, text, bytes, first, begins, last, err)
                           : het__bpe_encode(e, text, bytes, begins, err);
    het__free(t->mem, prepared);
    het__free(t->mem, normal);
    return status;
}

/* Encode stretch by stretch: tokens that are marked, and the plain text between them. */
static het_status encode_marked(het__encoder *e, const char *text, size_t bytes,
                                const uint8_t *marks, het_error *err)
{
    const het_tokenizer *t = e->tokenizer;
    bool first = true;
    for (size_t i = 0, end; i < bytes; i = end) {
        const uint8_t mark = marks ? marks[i] : HET__MARK_PLAIN;
        end = marks ? i + 1 : bytes;
        if (mark == HET__MARK_DROPPED)
            continue;
        const uint8_t more = mark == HET__MARK_FIRST ? HET__MARK_REST : HET__MARK_PLAIN;
        while (end < bytes && marks[end] == more)
            end++;
        het_status status = HET_OK;
        if (mark == HET__MARK_FIRST) {
            const uint32_t id = het__strmap_find(&t->specials, text + i, end - i);
            if (!het__encoder_emit(e, id))
                status = het__fail_nomem(err, "encoded text");
        } else {
            status = encode_plain(e, text + i, end - i, first, i == 0, end == bytes, err);
        }
        if (status != HET_OK)
            return status;
        first = mark == HET__MARK_FIRST;
    }
    return HET_OK;
}

het_status het__tokenizer_encode(const het_tokenizer *t, const char *text, size_t text_bytes,
                                 uint64_t flags, int32_t *ids, size_t capacity, size_t *count,
                                 het_error *err)
{
    het__encoder e = { .tokenizer = t, .mem = t->mem };
    const bool special = (flags & HET_ENCODE_ADD_SPECIAL) != 0;
    uint8_t *marks = NULL;
    het_status status = het__special_mark(t, text, text_bytes,
                                          (flags & HET_ENCODE_PARSE_SPECIAL) != 0, &marks, err);
    if (status == HET_OK && special && t->adds_bos && !het__encoder_emit(&e, (uint32_t)t->bos_id))
        status = het__fail_nomem(err, "encoded text");
    if (status == HET_OK)
        status = encode_marked(&e, text, text_bytes, marks, err);
    if (status == HET_OK && special && t->adds_eos && !het__encoder_emit(&e, (uint32_t)t->eos_id))
        status = het__fail_nomem(err, "encoded text");
    if (status == HET_OK) {
        const size_t n = e.id_count < capacity ? e.id_count : capacity;
        if (n > 0)
            memcpy(ids, e.ids, n * sizeof *ids);
        *count = e.id_count;
    }
    het__free(t->mem, marks);
    het__free(t->mem, e.ids);
    het__free(t->mem, e.symbols);
    het__free(t->mem, e.heap);
    het__free(t->mem, e.escaped);
    het__free(t->mem, e.path);
    return status;
}

het__span het__token_text(const het_tokenizer *t, uint32_t id, uint64_t flags, bool starting)
{
    assert(id < t->token_count);
    const het__token *k = &t->tokens[id];
    het__span s = { k->text, k->text_bytes };
    if (!(flags & HET_DECODE_SPECIAL) && (k->flags & (HET_TOKEN_CONTROL | HET_TOKEN_UNKNOWN)))
        s.bytes = 0;
    if (starting && t->strips_space && s.bytes > 0 && s.data[0] == ' ') {
        s.data++;
        s.bytes--;
    }
    return s;
}

het_status het__tokenizer_decode(const het_tokenizer *t, const int32_t *ids, size_t id_count,
                                 uint64_t flags, char *text, size_t capacity, size_t *bytes,
                                 het_error *err)
{
    size_t total = 0;
    bool starting = true;
    for (size_t i = 0; i < id_count; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= t->token_count)
            return het__fail(err, HET_E_INVALID, "id %d at %zu is not among the %u tokens", ids[i],
                             i, t->token_count);
    for (size_t i = 0; i < id_count; i++) {
        const het__span s = het__token_text(t, (uint32_t)ids[i], flags, starting);
        starting = starting && het__token_text(t, (uint32_t)ids[i], flags, false).bytes == 0;
        if (total < capacity && s.bytes > 0) {
            const size_t room = capacity - total;
            memcpy(text + total, s.data, s.bytes < room ? s.bytes : room);
        }
        total += s.bytes;
    }
    *bytes = total;
    return HET_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece's tokenizer.model, a protobuf message: pieces with scores and types, and of the
 * trainer and the normaliser what encoding depends on. */
#include <string.h>

#include "lib/base/error.h"
#include "lib/import/hf_tokenizer.h"

/* Piece (1), its score and type; trainer (2); normaliser (3). */
enum { MODEL_PIECE = 1, MODEL_TRAINER = 2, MODEL_NORMALISER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TRAINER_KIND = 3, TRAINER_SUFFIX = 24, TRAINER_UNKNOWN = 40, TRAINER_BOS, TRAINER_EOS,
       TRAINER_PADDING };
enum { NORMALISER_MAP = 2, NORMALISER_PREFIX = 3, NORMALISER_SQUEEZE = 4, NORMALISER_ESCAPE = 5 };
#define KIND_UNIGRAM 1
#define KIND_BPE 2

typedef struct cursor {
    const uint8_t *at, *end;
} cursor;

typedef struct field {
    uint64_t number, value; /* of a varint or fixed number */
    cursor inner;           /* of bytes */
    bool is_bytes, is_float;
} field;

static bool read_varint(cursor *c, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; c->at < c->end && shift < 64; shift += 7) {
        const uint8_t b = *c->at++;
        *value |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return true;
    }
    return false;
}

static bool read_fixed(cursor *c, size_t bytes, uint64_t *value)
{
    if ((size_t)(c->end - c->at) < bytes)
        return false;
    *value = 0;
    for (size_t i = bytes; i-- > 0;)
        *value = *value << 8 | c->at[i];
    c->at += bytes;
    return true;
}

/* False at what is no field. */
static bool next(cursor *c, field *f)
{
    uint64_t tag, n;
    *f = (field){ 0 };
    if (!read_varint(c, &tag) || tag >> 3 == 0)
        return false;
    f->number = tag >> 3;
    switch (tag & 7) {
    case 0:
        return read_varint(c, &f->value);
    case 1:
        return read_fixed(c, 8, &f->value);
    case 2:
        if (!read_varint(c, &n) || n > (uint64_t)(c->end - c->at))
            return false;
        f->is_bytes = true;
        f->inner = (cursor){ c->at, c->at + n };
        c->at += n;
        return true;
    case 5:
        f->is_float = true;
        return read_fixed(c, 4, &f->value);
    default:
        return false;
    }
}

static het_status broken(const het__hf_vocabulary *h)
{
    return het__fail(h->err, HET_E_FORMAT, "tokenizer.model is no SentencePiece model");
}

typedef struct tables {
    het__span *tokens;
    float *scores;
    int32_t *types;
} tables;

static het_status read_piece(const het__hf_vocabulary *h, cursor c, const tables *t, size_t i)
{
    t->types[i] = HET__TOKEN_NORMAL;
    for (field f; c.at < c.end;) {
        if (!next(&c, &f))
            return broken(h);
        if (f.number == PIECE_TEXT && f.is_bytes) {
            t->tokens[i] = (het__span){ (const char *)f.inner.at,
                                        (size_t)(f.inner.end - f.inner.at) };
        } else if (f.number == PIECE_SCORE && f.is_float) {
            const uint32_t bits = (uint32_t)f.value;
            memcpy(&t->scores[i], &bits, sizeof bits);
        } else if (f.number == PIECE_TYPE && !f.is_bytes) {
            if (f.value < HET__TOKEN_NORMAL || f.value > HET__TOKEN_BYTE)
                return broken(h);
            t->types[i] = (int32_t)f.value;
        }
    }
    return HET_OK;
}

static het_status read_trainer(het__hf_vocabulary *h, cursor c, uint64_t *kind)
{
    for (field f; c.at < c.end;) {
        if (!next(&c, &f))
            return broken(h);
        const int32_t id = (int32_t)(uint32_t)f.value; /* negative: none */
        if (f.number == TRAINER_KIND)
            *kind = f.value;
        else if (f.number == TRAINER_SUFFIX && f.value)
            return het__fail(h->err, HET_E_UNSUPPORTED,
                             "tokenizer.model: blanks behind words are not supported");
        else if (f.number == TRAINER_UNKNOWN)
            h->v.unknown_id = id;
        else if (f.number == TRAINER_BOS)
            h->v.bos_id = id;
        else if (f.number == TRAINER_EOS)
            h->v.eos_id = id;
        else if (f.number == TRAINER_PADDING)
            h->v.padding_id = id;
    }
    return HET_OK;
}

static het_status read_normaliser(het__hf_vocabulary *h, cursor c)
{
    for (field f; c.at < c.end;) {
        if (!next(&c, &f))
            return broken(h);
        if (f.number == NORMALISER_PREFIX) {
            h->v.add_space_prefix = f.value != 0;
        } else if (f.number == NORMALISER_SQUEEZE) {
            h->v.remove_extra_whitespaces = f.value != 0;
        } else if (f.number == NORMALISER_MAP && f.is_bytes) {
            h->v.charsmap = f.inner.at;
            h->v.charsmap_bytes = (size_t)(f.inner.end - f.inner.at);
            h->v.charsmap_longest = true;
        } else if (f.number == NORMALISER_ESCAPE && f.value == 0) {
            return het__fail(h->err, HET_E_UNSUPPORTED,
                             "tokenizer.model: its normalisation of texts is not supported");
        }
    }
    return HET_OK;
}

static het_status read_rest(het__hf_vocabulary *h, cursor c)
{
    uint64_t kind = 1;
    for (field f; c.at < c.end;) {
        if (!next(&c, &f))
            return broken(h);
        het_status s = HET_OK;
        if (f.number == MODEL_TRAINER && f.is_bytes)
            s = read_trainer(h, f.inner, &kind);
        else if (f.number == MODEL_NORMALISER && f.is_bytes)
            s = read_normaliser(h, f.inner);
        if (s != HET_OK)
            return s;
    }
    if (kind != KIND_BPE && kind != KIND_UNIGRAM)
        return het__fail(h->err, HET_E_UNSUPPORTED,
                         "tokenizer.model: a model of kind %llu, neither BPE nor unigram, is not "
                         "supported", (unsigned long long)kind);
    if (kind == KIND_UNIGRAM)
        h->v.kind = "t5";
    else if (h->v.charsmap_bytes > 0)
        return het__fail(h->err, HET_E_UNSUPPORTED,
                         "tokenizer.model: its normalisation of texts is not supported");
    return HET_OK;
}

het_status het__hf_read_spm(het__hf_vocabulary *h, const void *data, size_t bytes)
{
    const cursor whole = { data, (const uint8_t *)data + bytes };
    size_t count = 0, i = 0;
    cursor c = whole;
    for (field f; c.at < c.end;) {
        if (!next(&c, &f))
            return broken(h);
        count += f.number == MODEL_PIECE && f.is_bytes;
    }
    const tables t = { het__arena_zero(&h->arena, count, sizeof(het__span)),
                       het__arena_zero(&h->arena, count, sizeof(float)),
                       het__arena_zero(&h->arena, count, sizeof(int32_t)) };
    if (!t.tokens || !t.scores || !t.types)
        return het__fail_nomem(h->err, "a vocabulary");
    c = whole;
    for (field f; c.at < c.end && next(&c, &f);) {
        if (f.number != MODEL_PIECE || !f.is_bytes)
            continue;
        const het_status s = read_piece(h, f.inner, &t, i++);
        if (s != HET_OK)
            return s;
    }
    h->v.kind = "llama";
    h->v.token_count = count;
    h->v.tokens = t.tokens;
    h->v.scores = t.scores;
    h->v.types = t.types;
    h->v.unknown_id = 0;
    h->v.bos_id = 1;
    h->v.eos_id = 2;
    h->v.add_space_prefix = h->v.remove_extra_whitespaces = 1;
    return read_rest(h, whole);
}

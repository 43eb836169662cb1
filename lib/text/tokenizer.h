/* SPDX-License-Identifier: Apache-2.0 */
/* Building a tokenizer from what a model file says. */
#ifndef HET_TEXT_TOKENIZER_H
#define HET_TEXT_TOKENIZER_H

#include "lib/base/mem.h"

#include <hetinfer/tokenizer.h>

typedef enum het__token_type { /* as in GGUF's tokenizer.ggml.token_type */
    HET__TOKEN_NORMAL = 1,
    HET__TOKEN_UNKNOWN = 2,
    HET__TOKEN_CONTROL = 3,
    HET__TOKEN_USER = 4,
    HET__TOKEN_UNUSED = 5,
    HET__TOKEN_BYTE = 6,
} het__token_type;

/* Lent bytes, not NUL-terminated. */
typedef struct het__span {
    const char *data;
    size_t bytes;
} het__span;

/* A vocabulary as read from a file. Everything is lent for the call of het__tokenizer_create();
 * the tokenizer copies what it needs. */
typedef struct het__vocabulary {
    const char *kind; /* "llama" (SentencePiece-style merging by score) or "gpt2" (byte BPE) */
    const char *rule; /* tokenizer.ggml.pre; NULL or "" if absent */
    size_t token_count;
    const het__span *tokens;
    const float *scores;   /* token_count, or NULL */
    const int32_t *types;  /* token_count of het__token_type, or NULL: all normal */
    const het__span *merges; /* "left right", by rank; NULL for "llama" */
    size_t merge_count;
    int32_t bos_id, eos_id, unknown_id, padding_id; /* -1: absent */
    int32_t eot_id;        /* end of turn, -1: absent */
    int32_t add_bos;       /* 1, 0, or -1: the kind's default */
    int32_t add_eos;       /* likewise */
    int32_t add_space_prefix; /* likewise */
    int32_t remove_extra_whitespaces; /* likewise */
} het__vocabulary;

het_status het__tokenizer_create(het__mem *mem, const het__vocabulary *vocabulary,
                                 het_tokenizer **tokenizer, het_error *err);
void het__tokenizer_destroy(het_tokenizer *tokenizer);

/* The model that a tokenizer belongs to is kept alive by its detokenizers through these. */
void het__tokenizer_set_owner(het_tokenizer *tokenizer, void *owner, void (*retain)(void *),
                              void (*release)(void *));

#endif /* HET_TEXT_TOKENIZER_H */

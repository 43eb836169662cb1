/* SPDX-License-Identifier: Apache-2.0 */
/* Building a tokenizer from what a model file says. */
#ifndef HET_TEXT_TOKENIZER_H
#define HET_TEXT_TOKENIZER_H

#include "lib/text/rules.h"

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

/* How a token that is written in a text takes what is around it. */
typedef enum het__token_edge {
    HET__EDGE_STRIPS_LEFT = 1,  /* white space before it is part of it */
    HET__EDGE_STRIPS_RIGHT = 2, /* behind it */
    HET__EDGE_WHOLE_WORD = 4,   /* not within a word */
} het__token_edge;

/* Unicode normal forms. */
typedef enum het__normal_form {
    HET__FORM_NONE = 0,
    HET__FORM_C,
    HET__FORM_D,
    HET__FORM_KC,
    HET__FORM_KD,
} het__normal_form;

/* What a space before the text is made of, where one is added. */
typedef enum het__space_rule {
    HET__SPACE_ALWAYS = 0,   /* before the text and behind each special token */
    HET__SPACE_UNLESS_THERE, /* the same, but not before a space */
    HET__SPACE_FIRST,        /* only at the beginning of the text, not before a space */
} het__space_rule;

/* A vocabulary as read from a file. Everything is lent for the call of het__tokenizer_create();
 * the tokenizer copies what it needs. */
typedef struct het__vocabulary {
    const char *kind; /* "llama" (SentencePiece-style merging by score), "t5" (unigram: scores add
                       * up) or "gpt2" (byte BPE) */
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
    /* What only tokenizer.json says. Zero elsewhere. */
    const uint8_t *edges;       /* token_count sets of het__token_edge, or NULL: known families' */
    const int32_t *end_ids;     /* further tokens that end a text */
    size_t end_count;
    const het__own_rule *own_rule; /* "gpt2": instead of rule */
    bool by_rank;               /* "llama": pairs merge in the order of merges, without scores */
    bool fuses_unknown;         /* "llama": unknown characters side by side are one token */
    bool cuts_at_blanks;        /* "llama": no token crosses the beginning of a word */
    const double *exact_scores; /* "t5": instead of scores; not a number: no token of the model */
    const uint8_t *charsmap;    /* "t5": replaced characters, see charsmap.c; or NULL */
    size_t charsmap_bytes;
    bool charsmap_longest;
    bool splits_white, joins_spaces, drops_left, drops_right; /* "t5" */
    bool keeps_space;           /* decoding leaves the space that encoding added */
    het__space_rule space_rule;
    het__normal_form form;      /* of the text between special tokens */
} het__vocabulary;

het_status het__tokenizer_create(het__mem *mem, const het__vocabulary *vocabulary,
                                 het_tokenizer **tokenizer, het_error *err);
void het__tokenizer_destroy(het_tokenizer *tokenizer);

/* The model that a tokenizer belongs to is kept alive by its detokenizers through these. */
void het__tokenizer_set_owner(het_tokenizer *tokenizer, void *owner, void (*retain)(void *),
                              void (*release)(void *));

#endif /* HET_TEXT_TOKENIZER_H */

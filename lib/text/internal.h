/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer behind the handle, and what its files share.
 *
 *   text --special.c--> tokens written out in the text | stretches of plain text
 *   stretch --spm.c or bpe.c--> symbols --merge.c--> ids
 */
#ifndef HET_TEXT_INTERNAL_H
#define HET_TEXT_INTERNAL_H

#include "lib/text/rules.h"
#include "lib/text/strmap.h"
#include "lib/text/tokenizer.h"
#include "lib/text/utf8.h"

/* U+2581, which stands for a space in SentencePiece vocabularies. */
#define HET__LOWER_BLOCK "\xe2\x96\x81"

typedef struct het__token {
    const char *piece; /* as the vocabulary spells it */
    const char *text;  /* as it reads: blanks are blanks, bytes are bytes */
    uint32_t piece_bytes;
    uint32_t text_bytes;
    uint32_t flags;    /* HET_TOKEN_* */
    uint8_t type;      /* het__token_type */
    uint8_t edges;     /* het__token_edge, where it is written in a text */
} het__token;

/* Which tokens are looked for in a text: filters in front of het_tokenizer.specials. */
typedef struct het__special_set {
    uint32_t *lengths;    /* that occur, longest first */
    size_t length_count;
    uint8_t single[32];   /* a bit per byte that is a token */
    uint8_t pairs[8192];  /* a bit per pair of bytes that begins a longer token */
} het__special_set;

typedef struct het__merge {
    uint32_t left, right, whole; /* symbols */
} het__merge;

/* Symbols are what merging works on: ids below token_count, and above it strings that are not
 * tokens but lead to tokens. */
struct het_tokenizer {
    /* Immutable after creation. */
    het__mem *mem;
    bool is_spm;
    bool adds_bos, adds_eos;
    bool adds_space;        /* before stretches of text, by space_rule */
    bool strips_space;      /* decoding takes it away again */
    bool by_rank;           /* spm: merges by pairs instead of scores */
    bool fuses_unknown;     /* spm */
    bool cuts_at_blanks;    /* spm: every blank begins a word */
    het__space_rule space_rule;
    het__normal_form form;
    bool squeezes_space;    /* spm: runs of spaces count as one, outer ones not at all */
    bool cuts_at_space;     /* spm: no token goes on after a blank that follows something else */
    int32_t bos_id, eos_id, unknown_id, padding_id;
    const het__rule *rule;  /* bpe */
    het__rule own_rule;     /* bpe: what rule points to if the file spells it out; no steps */
    het__splitter *splitter; /* bpe */
    uint32_t token_count;
    uint32_t text_bytes_max; /* of one token */
    het__token *tokens;
    char *text;              /* pieces and texts */
    size_t text_bytes;
    het__strmap symbols;     /* strings to symbols */
    het__strmap specials;    /* strings to control, user-defined and unknown tokens */
    het__special_set special_set[2]; /* user-defined ones; control and unknown ones too */
    uint32_t byte_symbol[256]; /* bpe: where merging begins; spm: byte tokens or HET__NONE */
    float *scores;             /* spm */
    /* Unigram (with is_spm): scores add up instead of ordering merges. */
    bool is_unigram;
    bool splits_white;      /* words are what lies between white space */
    bool joins_spaces;      /* runs of spaces become one, before all else */
    bool drops_left, drops_right; /* white space at the ends of a stretch */
    bool charsmap_longest;  /* as SentencePiece does; else as tokenizer.json's library */
    uint8_t *charsmap;      /* replaced characters, or NULL */
    size_t charsmap_bytes;
    double *exact;          /* scores */
    double unknown_score;
    uint32_t *sorted;       /* ids by the bytes of their pieces */
    size_t sorted_count;
    het__merge *merges;        /* by rank */
    het__pairmap pairs;        /* two symbols to a rank */
    /* Kept alive by detokenizers. */
    void *owner;
    void (*retain)(void *owner);
    void (*release)(void *owner);
};

/* A symbol of the text that is being merged: bytes [begin, end). */
typedef struct het__symbol {
    uint32_t begin, end;
    uint32_t previous, next; /* HET__NONE at the ends */
    uint32_t id;             /* HET__NONE: no symbol of the vocabulary */
    uint32_t order;          /* of the merge with next, least first; HET__NONE: none */
    uint32_t merged;         /* what that merge gives */
} het__symbol;

/* Unigram: the best way to a place in the text, and onwards from it once that is known. */
typedef struct het__path {
    double score;
    uint32_t begin; /* of the last token on the way; HET__NONE: no way yet */
    uint32_t id;    /* of it; HET__NONE: unknown */
    uint32_t end, next; /* of the token that begins here, likewise */
} het__path;

/* Working memory of one call. */
typedef struct het__encoder {
    const het_tokenizer *tokenizer;
    het__mem *mem;
    const char *text; /* that symbols refer to */
    het__symbol *symbols;
    uint64_t *heap;
    size_t symbol_capacity;
    int32_t *ids;
    size_t id_count, id_capacity;
    char *escaped; /* spm; bpe with a space before the text */
    size_t escaped_capacity;
    bool after_unknown; /* spm: the symbol before was one */
    het__path *path;    /* unigram */
    size_t path_capacity;
} het__encoder;

/* The order of merging left with right, and what it gives; HET__NONE: not at all. */
typedef uint32_t (*het__match_fn)(const het__encoder *encoder, const het__symbol *left,
                                  const het__symbol *right, uint32_t *merged);

bool het__encoder_emit(het__encoder *encoder, uint32_t id);
/* Room for count symbols; keeps none of the old. */
bool het__encoder_reserve(het__encoder *encoder, size_t count);
/* Merge neighbours among symbols[0, count) until none can be. Those left are reached from 0 by
 * next. O(count log count). */
void het__encoder_merge(het__encoder *encoder, size_t count, het__match_fn match);
/* The token for one byte that nothing longer expresses. */
bool het__encoder_emit_byte(het__encoder *encoder, unsigned char byte);

/* A stretch of plain text. first: nothing is before it, or a special token; last: nothing follows
 * in the text. */
het_status het__spm_encode(het__encoder *encoder, const char *text, size_t bytes, bool first,
                           bool begins, bool last, het_error *err);
het_status het__bpe_encode(het__encoder *encoder, const char *text, size_t bytes, bool begins,
                           het_error *err);
/* Whether a space comes before a stretch. begins: nothing at all is before it. */
static inline bool het__wants_space(const het_tokenizer *t, const char *text, size_t bytes,
                                    bool begins)
{
    if (!t->adds_space || bytes == 0)
        return false;
    const size_t n = sizeof HET__LOWER_BLOCK - 1;
    const bool there = text[0] == ' ' || (t->is_spm && bytes >= n &&
                                          memcmp(text, HET__LOWER_BLOCK, n) == 0);
    switch (t->space_rule) {
    case HET__SPACE_UNLESS_THERE:
        return !there;
    case HET__SPACE_FIRST:
        return begins && !there;
    default:
        return true;
    }
}

/* Text in a normal form, to be freed; NULL and HET_OK where that is the text itself, or the text is
 * no UTF-8. */
het_status het__normalise(het__mem *mem, het__normal_form form, const char *text, size_t bytes,
                          char **out, size_t *out_bytes, het_error *err);
/* Room for bytes in encoder->escaped. */
bool het__encoder_escape(het__encoder *encoder, size_t bytes);

/* Build what is particular to a kind from tokens, whose pieces and types are known: fills text of
 * every token and the tables. */
het_status het__spm_build(het_tokenizer *tokenizer, const het__vocabulary *vocabulary,
                          het_error *err);
het_status het__bpe_build(het_tokenizer *tokenizer, const het__vocabulary *vocabulary,
                          het_error *err);

/* Bytes of the character that a text begins with; what is no UTF-8 goes byte by byte. */
static inline size_t het__step_bytes(const char *text, size_t bytes)
{
    const size_t n = het__utf8_char(text, bytes);
    return n ? n : 1;
}

/* unigram.c; spm.c has built its part. */
het_status het__unigram_build(het_tokenizer *tokenizer, const het__vocabulary *vocabulary,
                              het_error *err);
/* A stretch before it is encoded, to be freed; NULL and HET_OK where it stays as it is. */
het_status het__unigram_prepare(const het_tokenizer *tokenizer, const char *text, size_t bytes,
                                char **out, size_t *out_bytes, het_error *err);
het_status het__unigram_split(het__encoder *encoder, const char *text, size_t bytes, bool begins,
                              bool last, het_error *err);
/* Encode text[0, bytes), in which blanks are blanks; false: out of memory. */
bool het__unigram_word(het__encoder *encoder, const char *text, size_t bytes);
/* charsmap.c */
het_status het__charsmap_check(const uint8_t *data, size_t bytes, het_error *err);
het_status het__charsmap_run(const het_tokenizer *tokenizer, const char *text, size_t bytes,
                             char **out, size_t *out_bytes, het_error *err);

/* Tokens written out in texts: the tables, from tokens whose pieces and types are known. */
het_status het__special_build(het_tokenizer *tokenizer, het_error *err);

typedef enum het__mark {
    HET__MARK_PLAIN = 0,
    HET__MARK_FIRST,   /* byte of a token */
    HET__MARK_REST,
    HET__MARK_DROPPED, /* white space that a token before it takes with it */
} het__mark;

/* Find tokens in text, the longest first and the leftmost among those of one length. *marks has
 * one het__mark per byte, to be freed, or is NULL where there are none. */
het_status het__special_mark(const het_tokenizer *tokenizer, const char *text, size_t bytes,
                             bool control, uint8_t **marks, het_error *err);

/* "<0x41>" is 0x41; -1 if piece is not of this form. */
int het__byte_of_piece(const char *piece, size_t bytes);

/* What follows stands behind the public functions of lib/api/tokenizer.c. */
het_status het__tokenizer_encode(const het_tokenizer *tokenizer, const char *text,
                                 size_t text_bytes, uint64_t flags, int32_t *ids,
                                 size_t capacity, size_t *count, het_error *err);
het_status het__tokenizer_decode(const het_tokenizer *tokenizer, const int32_t *ids,
                                 size_t id_count, uint64_t flags, char *text, size_t capacity,
                                 size_t *bytes, het_error *err);
/* Text of one token under HET_DECODE_* flags; starting: nothing was rendered before. */
het__span het__token_text(const het_tokenizer *tokenizer, uint32_t id, uint64_t flags,
                          bool starting);
het_status het__detokenizer_create(const het_tokenizer *tokenizer, uint64_t flags,
                                   het_detokenizer **detokenizer, het_error *err);
het_status het__detokenizer_push(het_detokenizer *detokenizer, int32_t id, const char **text,
                                 size_t *bytes);
void het__detokenizer_destroy(het_detokenizer *detokenizer);

#endif /* HET_TEXT_INTERNAL_H */

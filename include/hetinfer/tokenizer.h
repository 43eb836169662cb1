/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tokenizer.h
 * Text to token ids and back.
 *
 * A tokenizer is immutable and borrowed from its model; any number of threads
 * may use it at once.
 */
#ifndef HETINFER_TOKENIZER_H
#define HETINFER_TOKENIZER_H

#include <hetinfer/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Put the begin-of-sequence token first, and the end-of-sequence token last, if the model wants
 *  them. */
#define HET_ENCODE_ADD_SPECIAL (UINT64_C(1) << 0)
/** Recognise control tokens written out in the text, for example "<|end|>". */
#define HET_ENCODE_PARSE_SPECIAL (UINT64_C(1) << 1)
/** Render control tokens as their names instead of leaving them out. */
#define HET_DECODE_SPECIAL (UINT64_C(1) << 0)

/** A token that ends generation (end of sequence, end of turn). */
#define HET_TOKEN_END (UINT32_C(1) << 0)
/** A token that is not text. */
#define HET_TOKEN_CONTROL (UINT32_C(1) << 1)
/** A token that stands for one raw byte. */
#define HET_TOKEN_BYTE (UINT32_C(1) << 2)
/** The token for what the vocabulary cannot express. */
#define HET_TOKEN_UNKNOWN (UINT32_C(1) << 3)

/** Facts about a tokenizer. Ids are -1 where there is no such token. */
typedef struct het_tokenizer_info {
    uint32_t struct_size; /**< Set by the caller. */
    uint32_t flags;       /**< Zero. */
    int32_t token_count;  /**< Ids are in [0, token_count). */
    int32_t bos_id;       /**< Begin of sequence. */
    int32_t eos_id;       /**< End of sequence. */
    int32_t unknown_id;   /**< Unknown token. */
    int32_t padding_id;   /**< Padding. */
    int32_t adds_bos;     /**< 1 if HET_ENCODE_ADD_SPECIAL puts bos_id first. */
    char kind[16];        /**< "spm" or "bpe". */
    char rule[16];        /**< Pre-tokenizer rule, for example "llama-bpe"; "" for spm. */
} het_tokenizer_info;

/**
 * Facts about a tokenizer.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_tokenizer_get_info(const het_tokenizer *tokenizer,
                                                        het_tokenizer_info *info);

/**
 * Turn text into token ids.
 *
 * Never fails on content: bytes that are not UTF-8 are encoded through byte
 * tokens (or the unknown token where the vocabulary has none).
 *
 * @param tokenizer   Tokenizer.
 * @param text        UTF-8; may contain NUL bytes. May be NULL if @p text_bytes is 0.
 * @param text_bytes  Bytes at @p text.
 * @param flags       HET_ENCODE_*.
 * @param ids         Receives at most @p capacity ids. May be NULL if @p capacity is 0.
 * @param capacity    Room at @p ids, in ids.
 * @param count       Receives the number of ids of the whole text, which may exceed
 *                    @p capacity: then call again with more room. No text gives
 *                    more than text_bytes + 3 ids (twice text_bytes + 3 where single
 *                    characters are user-defined tokens).
 * @param err         May be NULL.
 * @retval HET_E_NOMEM  Out of memory.
 *
 * Cost: O(text_bytes · log text_bytes).
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_tokenizer_encode(const het_tokenizer *tokenizer,
                                                      const char *text, size_t text_bytes,
                                                      uint64_t flags, int32_t *ids,
                                                      size_t capacity, size_t *count,
                                                      het_error *err);

/**
 * Turn token ids into text.
 *
 * @param tokenizer  Tokenizer.
 * @param ids        Ids, each in [0, token_count).
 * @param id_count   Number of ids.
 * @param flags      HET_DECODE_*.
 * @param text       Receives at most @p capacity bytes; no NUL is added. May be NULL
 *                   if @p capacity is 0.
 * @param capacity   Room at @p text.
 * @param bytes      Receives the length of the whole text, which may exceed
 *                   @p capacity. Byte tokens may make it other than UTF-8.
 * @param err        May be NULL.
 * @retval HET_E_INVALID  An id is out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_tokenizer_decode(const het_tokenizer *tokenizer,
                                                      const int32_t *ids, size_t id_count,
                                                      uint64_t flags, char *text,
                                                      size_t capacity, size_t *bytes,
                                                      het_error *err);

/**
 * What the vocabulary says about one token.
 *
 * @param tokenizer    Tokenizer.
 * @param id           Id.
 * @param piece        Receives the token as the vocabulary spells it; borrowed. May be NULL.
 * @param piece_bytes  Receives its length. May be NULL.
 * @param token_flags  Receives HET_TOKEN_*. May be NULL.
 * @retval HET_E_INVALID  Id out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_tokenizer_token(const het_tokenizer *tokenizer, int32_t id,
                                                     const char **piece, size_t *piece_bytes,
                                                     uint32_t *token_flags);

/** Turns a stream of ids into pieces of text that are always whole UTF-8. */
typedef struct het_detokenizer het_detokenizer;

/**
 * Create a detokenizer at the beginning of a text.
 *
 * @param tokenizer    Its model is kept alive.
 * @param flags        HET_DECODE_*.
 * @param detokenizer  Receives the handle.
 * @param err          May be NULL.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_detokenizer_create(const het_tokenizer *tokenizer,
                                                        uint64_t flags,
                                                        het_detokenizer **detokenizer,
                                                        het_error *err);

/**
 * Add one id and take the text that is complete by now.
 *
 * @param detokenizer  Detokenizer.
 * @param id           Next id, or -1 at the end: what is still incomplete comes out as
 *                     U+FFFD, and the detokenizer is at a beginning again.
 * @param text         Receives the text, NUL-terminated, "" if nothing is complete.
 *                     Borrowed; valid until the next call on this handle.
 * @param bytes        Receives its length. May be NULL.
 * @retval HET_E_INVALID  Id out of range.
 *
 * Cost: does not allocate.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_detokenizer_push(het_detokenizer *detokenizer, int32_t id,
                                                      const char **text, size_t *bytes);

/**
 * Give a detokenizer up.
 * @param detokenizer  May be NULL.
 * @since 0.1
 */
HET_API void het_detokenizer_destroy(het_detokenizer *detokenizer);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_TOKENIZER_H */

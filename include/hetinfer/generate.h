/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file generate.h
 * The whole loop in one call: prompt in, text out, piece by piece.
 */
#ifndef HETINFER_GENERATE_H
#define HETINFER_GENERATE_H

#include <hetinfer/sampler.h>
#include <hetinfer/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Why generation ended. */
typedef enum het_finish {
    HET_FINISH_LENGTH = 1,   /**< max_tokens or context_max was reached. */
    HET_FINISH_END = 2,      /**< The model gave an end token. */
    HET_FINISH_STOP = 3,     /**< A stop string appeared. */
    HET_FINISH_CALLBACK = 4, /**< The callback asked for it. */
    HET_FINISH_FORCE_32 = 0x7fffffff
} het_finish;

/**
 * Receives the text as it comes.
 *
 * @param user   As given.
 * @param text   Whole UTF-8 characters, NUL-terminated, never empty.
 * @param bytes  Length of text.
 * @return 0 to go on; anything else ends generation with HET_FINISH_CALLBACK.
 */
typedef int (*het_piece_fn)(void *user, const char *text, size_t bytes);

/** Do not put the begin-of-sequence token first. */
#define HET_GENERATE_NO_BOS (UINT64_C(1) << 0)
/** Go on after an end token. */
#define HET_GENERATE_IGNORE_END (UINT64_C(1) << 1)
/** Take control tokens written out in the prompt as such. */
#define HET_GENERATE_PARSE_SPECIAL (UINT64_C(1) << 2)

/** Options of het_generate(). */
typedef struct het_generate_options {
    uint32_t struct_size;               /**< sizeof(het_generate_options). */
    uint32_t max_tokens;                /**< New tokens at most; 0 = 512. */
    uint64_t flags;                     /**< HET_GENERATE_*. */
    const het_sampler_options *sampler; /**< May be NULL: defaults. */
    const char *const *stop;            /**< Stop strings; text before them is delivered. */
    size_t stop_count;                  /**< Entries of stop, at most 16; each 1 to 255 bytes. */
    het_piece_fn piece;                 /**< May be NULL. */
    void *piece_user;                   /**< First argument of piece. */
} het_generate_options;

/** Initial value of a het_generate_options. */
#define HET_GENERATE_OPTIONS_INIT \
    { sizeof(het_generate_options), 0, 0, NULL, NULL, 0, NULL, NULL }

/** What het_generate() did. */
typedef struct het_generate_result {
    uint32_t struct_size;     /**< Set by the caller. */
    uint32_t finish;          /**< het_finish. */
    uint64_t prompt_count;    /**< Tokens of the prompt. */
    uint64_t generated_count; /**< Tokens made, an end token included. */
    uint64_t prompt_ns;       /**< Time for the prompt, until the first token is sampled. */
    uint64_t generated_ns;    /**< Time for all tokens after the first. */
} het_generate_result;

/**
 * Continue a text.
 *
 * Uses one sequence of the session for the time of the call.
 *
 * @param session     Session; het_session_cancel() from another thread (or from the
 *                    callback) stops it.
 * @param text        Prompt, UTF-8.
 * @param text_bytes  Bytes at @p text; must give at least one token.
 * @param options     May be NULL: defaults.
 * @param result      Filled up to result->struct_size bytes. May be NULL.
 * @param err         May be NULL.
 *
 * @retval HET_E_INVALID      The prompt is empty or longer than context_max - 1 tokens.
 * @retval HET_E_UNSUPPORTED  The model has no tokenizer.
 * @retval HET_E_BUSY         All sequence_max sequences are in use.
 * @retval HET_E_CANCELLED    Cancelled; pieces delivered so far stand.
 *
 * Cost: allocates before the first token only.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_generate(het_session *session, const char *text,
                                              size_t text_bytes,
                                              const het_generate_options *options,
                                              het_generate_result *result, het_error *err);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_GENERATE_H */

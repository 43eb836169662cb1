/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sampler.h
 * Choosing a token from logits: a chain of filters and a seeded draw.
 */
#ifndef HETINFER_SAMPLER_H
#define HETINFER_SAMPLER_H

#include <hetinfer/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_sampler het_sampler;

/** Filters of the chain. */
typedef enum het_filter {
    HET_FILTER_NONE = 0,
    HET_FILTER_PENALTIES = 1,
    HET_FILTER_TEMPERATURE = 2,
    HET_FILTER_TOP_K = 3,
    HET_FILTER_TOP_P = 4,
    HET_FILTER_MIN_P = 5,
    HET_FILTER_FORCE_32 = 0x7fffffff
} het_filter;

/** Added to the logit of one token before anything else. */
typedef struct het_logit_bias {
    int32_t id;  /**< Token. */
    float bias;  /**< Natural-logarithm units; -INFINITY forbids the token. */
} het_logit_bias;

/**
 * Options of het_sampler_create(). Because zero means default, a value that would be zero has a
 * spelling of its own: HET_SAMPLER_GREEDY for temperature 0, HET_OFF for a filter.
 */
typedef struct het_sampler_options {
    uint32_t struct_size;      /**< sizeof(het_sampler_options). */
    uint32_t flags;            /**< HET_SAMPLER_*. */
    uint64_t seed;             /**< Same seed, same logits: same tokens, on every machine. */
    float temperature;         /**< > 0; 0 = 0.7. */
    int32_t top_k;             /**< Keep the k best; 0 = 50; HET_OFF = all. */
    float top_p;               /**< Keep the least set of mass p; 0 = 0.9; HET_OFF = all. */
    float min_p;               /**< Drop tokens below min_p times the best; 0 = off. */
    float repeat_penalty;      /**< Divide (if negative: multiply) recent logits; 0 = 1. */
    float frequency_penalty;   /**< Subtract per recent occurrence; 0 = none. */
    float presence_penalty;    /**< Subtract once if recent; 0 = none. */
    int32_t penalty_window;    /**< Recent tokens looked at, at most 65536; 0 = 64. */
    const het_logit_bias *bias; /**< May be NULL. Copied. */
    size_t bias_count;         /**< Entries of bias. */
    /** Order of filters, ended by HET_FILTER_NONE or after 8. All zero: penalties, temperature,
     *  top_k, top_p, min_p. A filter left out is not applied. */
    uint8_t order[8];
} het_sampler_options;

/** Take the best token always (lowest id among equals); the seed is not used. */
#define HET_SAMPLER_GREEDY (UINT32_C(1) << 0)
/** Value that switches top_k or top_p off. */
#define HET_OFF (-1)

/** Initial value of a het_sampler_options. */
#define HET_SAMPLER_OPTIONS_INIT \
    { sizeof(het_sampler_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, { 0 } }

/**
 * Create a sampler.
 *
 * @param context  Kept alive by the sampler.
 * @param options  May be NULL: defaults.
 * @param sampler  Receives the handle.
 * @param err      May be NULL.
 * @retval HET_E_INVALID  A value is out of range; the message names it.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_sampler_create(het_context *context,
                                                    const het_sampler_options *options,
                                                    het_sampler **sampler, het_error *err);

/**
 * Choose a token. Does not record it: call het_sampler_accept().
 *
 * @param sampler  Sampler; its random state advances by one draw (none if greedy).
 * @param logits   One score per token; NaN counts as -INFINITY. Not changed.
 * @param count    Number of scores, in [1, INT32_MAX].
 * @param id       Receives the token.
 * @param err      May be NULL.
 * @retval HET_E_INVALID  No score is finite.
 *
 * Cost: O(count) on average; allocates when @p count exceeds that of all calls before.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_sampler_sample(het_sampler *sampler, const float *logits,
                                                    size_t count, int32_t *id, het_error *err);

/**
 * Record a token of the text (prompt or sampled) for the penalties.
 * @since 0.1
 */
HET_API void het_sampler_accept(het_sampler *sampler, int32_t id);

/**
 * Forget recorded tokens and start the random sequence again from the seed.
 * @since 0.1
 */
HET_API void het_sampler_reset(het_sampler *sampler);

/**
 * Give a sampler up.
 * @param sampler  May be NULL.
 * @since 0.1
 */
HET_API void het_sampler_destroy(het_sampler *sampler);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_SAMPLER_H */

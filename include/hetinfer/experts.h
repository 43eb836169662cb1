/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file experts.h
 * Which experts a session's mixtures chose, and what bringing them to a device cost.
 *
 * Where a device may keep some experts only (limits.DEVICE.experts of a policy), the others are
 * brought when a token chooses them. docs/experts.md says how.
 */
#ifndef HETINFER_EXPERTS_H
#define HETINFER_EXPERTS_H

#include <hetinfer/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which experts stay on a device when others are wanted. */
typedef enum het_expert_keep {
    HET_EXPERT_KEEP_RECENT = 0,   /**< Those used last. */
    HET_EXPERT_KEEP_FREQUENT = 1, /**< Those used most often. */
    HET_EXPERT_KEEP_FORCE_32 = 0x7fffffff
} het_expert_keep;

/** What the tokens of a session chose in one mixture of experts. */
typedef struct het_expert_use {
    uint32_t struct_size;  /**< Set by the caller. */
    int32_t layer;         /**< Of the model. */
    uint32_t expert_count; /**< Experts. */
    uint32_t chosen_count; /**< Of them by a token. */
    uint64_t token_count;  /**< Tokens that were counted: those of devices that tell. */
    double imbalance;      /**< Uses of the expert used most, over the mean of all: 1 where all are
                                used alike; 0 without tokens. */
    double entropy;        /**< Of the experts' shares, in bits, at most log2(expert_count). */
    double chi_square;     /**< Of the uses against equal ones, with expert_count - 1 degrees of
                                freedom. */
} het_expert_use;

/** What a session kept of experts on devices that may keep some only, all devices together. */
typedef struct het_expert_traffic {
    uint32_t struct_size;     /**< Set by the caller. */
    uint32_t slot_count;      /**< Experts that fit at once; 0: no device keeps some only. */
    uint64_t slot_bytes;      /**< Memory of them all. */
    uint64_t hit_count;       /**< Wanted, and there. */
    uint64_t miss_count;      /**< Wanted, and brought. */
    uint64_t eviction_count;  /**< Given up for another. */
    uint64_t ahead_count;     /**< Brought before a token chose them. */
    uint64_t ahead_hit_count; /**< Of these, chosen while they were there. */
    uint64_t staged_bytes;    /**< Brought. */
} het_expert_traffic;

/**
 * Number of mixtures of experts in the layers that a session runs.
 *
 * @param session  Session.
 * @return 0 for a model without experts, or of a graph.
 * Thread-safety: not while a step runs.
 * @since 0.1
 */
HET_API uint32_t het_session_mixture_count(const het_session *session);

/**
 * What tokens chose in one mixture since the session was compiled, or compiled anew after a device
 * failed. Counts are those of devices whose host sees the choices: the CPU, and GPUs that keep some
 * experts only.
 *
 * @param session   Session.
 * @param index     Mixture, in [0, het_session_mixture_count()), in the order of the layers.
 * @param use       Filled up to use->struct_size bytes.
 * @param counts    Receives the uses of each expert. May be NULL.
 * @param capacity  Elements of @p counts; of more experts the first ones are told.
 * @param err       May be NULL.
 * @retval HET_E_INVALID  No such mixture, or struct_size is too small to hold itself.
 * Cost: O(experts). Thread-safety: not while a step runs.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_mixture_at(const het_session *session, uint32_t index,
                                                        het_expert_use *use, uint64_t *counts,
                                                        size_t capacity, het_error *err);

/**
 * What was brought to devices that may keep some experts only.
 *
 * @param session  Session.
 * @param traffic  Filled up to traffic->struct_size bytes.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * Thread-safety: not while a step runs.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_expert_traffic(const het_session *session,
                                                            het_expert_traffic *traffic);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_EXPERTS_H */

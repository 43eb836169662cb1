/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file telemetry.h
 * Counters of a session.
 */
#ifndef HETINFER_TELEMETRY_H
#define HETINFER_TELEMETRY_H

#include <hetinfer/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Counters since a session was created. All are measured or counted, none modelled. Of a graph
 *  model's session only step_count and allocation_count are kept. */
typedef struct het_telemetry {
    uint32_t struct_size;         /**< Set by the caller. */
    uint32_t sequence_count;      /**< Sequences alive. */
    uint64_t step_count;          /**< Steps, or runs of a graph. */
    uint64_t prefill_token_count; /**< Tokens of steps with more than one per sequence. */
    uint64_t decode_token_count;  /**< Tokens of steps with one per sequence. */
    uint64_t prefill_ns;          /**< Time in such steps. */
    uint64_t decode_ns;           /**< Time in such steps. */
    uint64_t weight_bytes;        /**< Weights as kept for running (mapped or re-laid). */
    uint64_t mapped_bytes;        /**< Part of weight_bytes that is used straight from a file. */
    uint64_t kv_bytes;            /**< Keys and values, all pages. */
    uint64_t kv_used_bytes;       /**< Pages that sequences hold. */
    uint64_t activation_bytes;    /**< Intermediate tensors and scratch. */
    uint64_t allocation_count;    /**< Allocations of the context so far: a step adds none. */
} het_telemetry;

/**
 * Read the counters.
 *
 * @param session    Session; must not be inside het_session_step() on another thread.
 * @param telemetry  Filled up to telemetry->struct_size bytes.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_telemetry_snapshot(const het_session *session,
                                                        het_telemetry *telemetry);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_TELEMETRY_H */

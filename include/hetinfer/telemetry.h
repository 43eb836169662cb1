/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file telemetry.h
 * Counters of a session, and the health of its devices.
 */
#ifndef HETINFER_TELEMETRY_H
#define HETINFER_TELEMETRY_H

#include <hetinfer/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Counters since a session was created. All are measured or counted, none modelled. Of a graph
 *  model's session only step_count, allocation_count, replan_count, retry_count, bind_copy_bytes
 *  and what the form run last holds are kept. */
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
    uint64_t replan_count;        /**< New plans because of a device that failed. */
    uint64_t retry_count;         /**< Runs made again on the device that failed. */
    uint64_t staging_bytes;       /**< Of activation_bytes: host memory where inputs, outputs and
                                       copies wait that no device's memory can take. */
    uint64_t shared_bytes;        /**< Of activation_bytes: host memory that devices use in
                                       place. */
    uint64_t bind_copy_bytes;     /**< Inputs and outputs of a graph's runs that were copied, to and
                                       from devices included: 0 where all were bound as
                                       het_session_bind_input() and het_session_bind_output() say
                                       for use in place. */
} het_telemetry;

/** What a session holds on one device and has done there since it was compiled. Pools add up: the
 *  devices' weight, io, temporary and scratch bytes with staging_bytes and shared_bytes of
 *  het_telemetry are its weight_bytes and activation_bytes, their state_bytes its kv_bytes. */
typedef struct het_telemetry_device {
    uint32_t struct_size;     /**< Set by the caller. */
    uint32_t device;          /**< Index in the context. */
    uint64_t weight_bytes;    /**< Weights as kept for running. */
    uint64_t mapped_bytes;    /**< Of weight_bytes: straight from a file. */
    uint64_t state_bytes;     /**< Keys and values, all pages. */
    uint64_t io_bytes;        /**< Inputs and outputs. */
    uint64_t temporary_bytes; /**< Intermediate tensors, by lifetime. */
    uint64_t scratch_bytes;   /**< Memory of programs. */
    uint64_t imported_bytes;  /**< Of the host's shared_bytes: used in place. In no pool. */
    double planned_bytes;     /**< What the plan counts: weights, state, io and temporaries. */
    double limit_bytes;       /**< By the policy; INFINITY: none. */
    uint64_t program_count;   /**< Programs started: one per layer of the plan and step. */
    uint64_t launch_count;    /**< Kernels started. */
    uint64_t busy_ns;         /**< Time between start and end of programs. */
    uint64_t copy_count;      /**< Values copied from other devices. */
    uint64_t copy_bytes;      /**< Of these. */
    uint64_t share_count;     /**< Values of other devices that were used where they lay. */
    uint64_t share_bytes;     /**< Of these. */
    uint64_t bounce_count;    /**< Of copy_count: by way of host memory, because the host reaches
                                   neither side. */
    uint64_t input_count;     /**< Inputs copied to it. */
    uint64_t input_bytes;     /**< Of these. */
    uint64_t output_count;    /**< Outputs copied from it. */
    uint64_t output_bytes;    /**< Of these. */
    uint64_t wait_count;      /**< Times that the host waited for it within a step. */
    uint64_t stream_slot_bytes; /**< Of weight_bytes: room for weights that come for each step. */
    uint64_t stream_count;    /**< Layers whose weights came. */
    uint64_t stream_ahead_count; /**< Of these, those that were sent for before their turn. */
    uint64_t stream_bytes;    /**< Of all of these. */
} het_telemetry_device;

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

/**
 * Number of devices that a session uses; of a graph model that was not compiled yet, 0.
 *
 * @param session  Session; must not be inside het_session_step() or het_session_run() on another
 *                 thread.
 * @since 0.1
 */
HET_API uint32_t het_telemetry_device_count(const het_session *session);

/**
 * Memory and counters of one device.
 *
 * A device that was lost is not asked: its weights, scratch and times are 0 then.
 *
 * @param session  As above.
 * @param index    In [0, het_telemetry_device_count()).
 * @param device   Filled up to device->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range, or struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_telemetry_device_at(const het_session *session,
                                                         uint32_t index,
                                                         het_telemetry_device *device);

/** How a session gets on with a device. */
typedef enum het_health {
    HET_HEALTH_OK = 0,      /**< It has not failed. */
    HET_HEALTH_RETRIED = 1, /**< It has failed, and is used further. */
    HET_HEALTH_OUT = 2,     /**< It has failed, and the session runs without it. */
    HET_HEALTH_UNUSED = 3,  /**< The session's options or policy leave it out. */
    HET_HEALTH_FORCE_32 = 0x7fffffff
} het_health;

/** What a session knows of a device. */
typedef struct het_device_health {
    uint32_t struct_size;        /**< Set by the caller: sizeof(het_device_health). */
    uint32_t state;              /**< het_health. */
    uint64_t retry_count;        /**< Runs made again on it. */
    uint64_t failure_count;      /**< Failures, those of the runs made again included. */
    uint64_t memory_limit_bytes; /**< What it may hold since its memory ran out; 0 = it did not. */
    int32_t status;              /**< het_status of the last failure; HET_OK: there was none. */
    int32_t layer;               /**< Layer that it was at then, or -1. */
    char message[224];           /**< What it said then: one sentence, or "". */
} het_device_health;

/**
 * How a session gets on with one of the context's devices.
 *
 * A device that fails is tried again, given less, or left out of a new plan, as docs/failover.md
 * says; each failure is logged once as a warning.
 *
 * @param session       Session; must not be inside het_session_step() or het_session_run() on
 *                      another thread.
 * @param device_index  In [0, het_context_device_count()).
 * @param health        Filled up to health->struct_size bytes.
 * @retval HET_E_INVALID  No such device, or struct_size is too small to hold itself.
 *
 * Cost: asks no device.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_device_health(const het_session *session,
                                                           uint32_t device_index,
                                                           het_device_health *health);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_TELEMETRY_H */

/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan.h
 * Which layer runs on which device, what it is expected to cost, and why.
 */
#ifndef HETINFER_PLAN_H
#define HETINFER_PLAN_H

#include <hetinfer/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_plan het_plan;

/** What a plan is for. */
typedef enum het_phase {
    HET_PHASE_DECODE = 0,  /**< One new token per sequence. */
    HET_PHASE_PREFILL = 1, /**< Many tokens of a prompt at once. */
    HET_PHASE_FORCE_32 = 0x7fffffff
} het_phase;

/**
 * Options of het_plan_make().
 *
 * For a graph model token_count is the extent that is assumed where inputs leave one open (0 = 1),
 * phase and context_count mean nothing, and measure is refused.
 */
typedef struct het_plan_options {
    uint32_t struct_size;  /**< sizeof(het_plan_options). */
    uint32_t phase;        /**< het_phase. */
    int64_t token_count;   /**< Tokens per step; 0 = 1 in decode, 512 in prefill. */
    int64_t context_count; /**< Positions before this step; 0 = none. */
    uint64_t flags;        /**< Zero. */
    const char *devices;   /**< Backends allowed, comma-separated. May be NULL: all. */
    uint32_t threads;      /**< Host threads assumed; 0 = as a session would. */
    /**
     * 1 = measure the devices' ceilings first (half a second each) and use these alone. 0: what
     * het_calibrate() found, for devices that have it; assumed figures for the others.
     */
    uint32_t measure;
} het_plan_options;

/** Initial value of a het_plan_options: decode. */
#define HET_PLAN_OPTIONS_INIT { sizeof(het_plan_options), 0, 0, 0, 0, NULL, 0, 0 }

/** Totals of a plan. */
typedef struct het_plan_info {
    uint32_t struct_size;       /**< Set by the caller. */
    uint32_t layer_count;       /**< Entries of het_plan_layer_at(). */
    uint32_t node_count;        /**< Nodes of the fused graph. */
    uint32_t unfused_count;     /**< Nodes before fusion. */
    uint32_t figures_source;    /**< het_source of the machine figures behind the times. */
    uint32_t transfer_count;    /**< Copies between devices. */
    double predicted_ns;        /**< One step. */
    double flop_count;          /**< Multiply and add count as two. */
    double weight_bytes;        /**< Weights that one step reads. */
    double activation_bytes;    /**< Inputs and outputs of all nodes. */
    uint64_t transfer_bytes;    /**< Bytes copied between devices in one step. */
} het_plan_info;

/** One layer on one device. Strings are borrowed from the plan. */
typedef struct het_plan_layer {
    uint32_t struct_size;   /**< Set by the caller. */
    int32_t layer;          /**< Block index; -1 before and after the blocks. */
    uint32_t device;        /**< Index in the context. */
    uint32_t node_count;    /**< Nodes of this entry. */
    const char *name;       /**< "embedding", "block 3", "head". */
    const char *backend;    /**< Backend of the device. */
    const char *operations; /**< Names of the operations, in order, comma-separated. */
    const char *reason;     /**< Why this device, and what the next best would cost. */
    double predicted_ns;    /**< Expected time in one step. */
    double flop_count;      /**< Work. */
    double weight_bytes;    /**< Weights read. */
    double activation_bytes; /**< Inputs and outputs. */
} het_plan_layer;

/**
 * Decide where each layer of a model runs. Runs nothing of the model.
 *
 * @param model    Kept alive by the plan.
 * @param options  May be NULL: decode with defaults.
 * @param plan     Receives the handle.
 * @param err      May be NULL.
 * @retval HET_E_UNSUPPORTED  No device can run some operation; the message names it. Or a graph is
 *                            run without a plan because extents follow from contents.
 * @retval HET_E_INVALID      devices names an unknown backend, or a count is negative.
 *
 * Deterministic: same model, options and figures give the same plan.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_plan_make(const het_model *model,
                                               const het_plan_options *options, het_plan **plan,
                                               het_error *err);

/**
 * Totals of a plan.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_plan_get_info(const het_plan *plan, het_plan_info *info);

/**
 * One entry of a plan, in order of execution.
 *
 * @param plan   Plan.
 * @param index  In [0, layer_count).
 * @param layer  Filled up to layer->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_plan_layer_at(const het_plan *plan, uint32_t index,
                                                   het_plan_layer *layer);

/**
 * The plan as text, one line per node; equal plans have equal text.
 *
 * @return Borrowed from the plan.
 * @since 0.1
 */
HET_API const char *het_plan_text(const het_plan *plan);

/**
 * Give a plan up.
 * @param plan  May be NULL.
 * @since 0.1
 */
HET_API void het_plan_destroy(het_plan *plan);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_PLAN_H */

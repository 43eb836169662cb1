/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan.h
 * Which layer runs on which device, what it is expected to cost, and why.
 */
#ifndef HETINFER_PLAN_H
#define HETINFER_PLAN_H

#include <hetinfer/machine.h>
#include <hetinfer/model.h>
#include <hetinfer/policy.h>

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

/** Judge by simulation what a sum of times cannot see: products of matrices split by rows over two
 *  devices, and branches side by side. Sessions do so where docs/policy.md says. */
#define HET_PLAN_SPLIT (UINT64_C(1) << 0)
/** Place the phase alone, as if the other one did not need its weights and states too. */
#define HET_PLAN_ALONE (UINT64_C(1) << 1)

/**
 * Options of het_plan_make().
 *
 * For a graph model token_count is the extent that is assumed where inputs leave one open (0 = 1),
 * phase and context_count mean nothing, and measure is refused.
 *
 * With a machine, a policy, an objective or a flag, prefill and decode of a language model are
 * placed together, over one copy of weights and states: decode of sequence_count sequences behind
 * context_count positions, prefill of token_count tokens, or of context_count if it is decode that
 * is asked for. A plan for one of them and a plan for the other agree if prefill has as many tokens
 * as decode has positions before it.
 */
typedef struct het_plan_options {
    uint32_t struct_size;  /**< sizeof(het_plan_options). */
    uint32_t phase;        /**< het_phase. */
    int64_t token_count;   /**< Tokens per step; 0 = 1 in decode, 512 in prefill. */
    int64_t context_count; /**< Positions before this step; 0 = none. */
    uint64_t flags;        /**< HET_PLAN_*. */
    const char *devices;   /**< Backends allowed, comma-separated. May be NULL: all. */
    uint32_t threads;      /**< Host threads assumed; 0 = as a session would. */
    /**
     * 1 = measure the devices' ceilings first (half a second each) and use these alone. 0: what
     * het_calibrate() found, for devices that have it; assumed figures for the others.
     */
    uint32_t measure;
    const het_machine *machine; /**< Plan for this machine; devices, threads and measure must be
                                     zero then. May be NULL: the context's devices. */
    const het_policy *policy;   /**< May be NULL: everything may go everywhere. */
    uint32_t objective;      /**< het_objective; HET_OBJECTIVE_DEFAULT: the policy's. */
    uint32_t sequence_count; /**< Sequences in a decode step; 0 = 1. */
    int64_t output_count;    /**< Tokens decoded per prompt, by which the phases are weighed
                                  against each other; 0 = 128. */
} het_plan_options;

/** Initial value of a het_plan_options: decode. */
#define HET_PLAN_OPTIONS_INIT \
    { sizeof(het_plan_options), 0, 0, 0, 0, NULL, 0, 0, NULL, NULL, 0, 0, 0 }

/** Totals of a plan. */
typedef struct het_plan_info {
    uint32_t struct_size;       /**< Set by the caller. */
    uint32_t layer_count;       /**< Entries of het_plan_layer_at(). */
    uint32_t node_count;        /**< Nodes of the fused graph. */
    uint32_t unfused_count;     /**< Nodes before fusion. */
    uint32_t figures_source;    /**< het_source of the figures of the devices used. */
    uint32_t transfer_count;    /**< Copies between devices. */
    double predicted_ns;        /**< One step. */
    double flop_count;          /**< Multiply and add count as two. */
    double weight_bytes;        /**< Weights that one step reads. */
    double activation_bytes;    /**< Inputs and outputs of all nodes. */
    uint64_t transfer_bytes;    /**< Bytes copied between devices in one step. */
    uint32_t device_count;      /**< Entries of het_plan_device_at(). */
    uint32_t objective;         /**< het_objective; never HET_OBJECTIVE_DEFAULT. */
    uint32_t is_proven;         /**< 1: no placement within the limits is better. */
    uint32_t broken_count;      /**< Wishes of the policy that are not kept. */
    double total;               /**< The objective over all phases by their weights: ns, or nJ under
                                     HET_OBJECTIVE_ENERGY. */
    double bound;               /**< No placement has a lower total. */
    double greedy_total;        /**< Of each node on the first device that supports it, NPU before
                                     GPU before CPU; infinite: it is over a limit. */
    double simulated_ns;        /**< One step of the plan as simulated, devices side by side where
                                     nothing waits, with HET_PLAN_SPLIT; undivided, of a session
                                     that divides products; else 0. */
    double split_ns;            /**< The same with what het_plan_split_at() tells. */
    uint32_t split_count;       /**< Entries of het_plan_split_at(). */
    uint32_t best_single;       /**< Device (of the plan) that alone has the lowest total;
                                     UINT32_MAX: none can. */
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
    double stored_bytes;    /**< Weights that the device holds for this entry and for none before
                                 it. Their sum is what the step needs of weights. */
    double state_bytes;     /**< Keys and values that its nodes keep. */
    double runner_up_total; /**< The plan's total with this entry on runner_up, all else as it is;
                                 infinite: no other device can. */
    uint32_t runner_up;     /**< Device of the plan, or UINT32_MAX. */
    uint32_t plan_device;   /**< Device of the plan, in [0, device_count). */
    double stream_bytes;    /**< Of stored_bytes: what is not kept but comes for each step. */
} het_plan_layer;

/** One device of the plan, which need not be there. Strings are borrowed from the plan. */
typedef struct het_plan_device {
    uint32_t struct_size;    /**< Set by the caller. */
    uint32_t kind;           /**< het_device_kind. */
    uint32_t context_index;  /**< In the context; UINT32_MAX: it is not there. */
    uint32_t node_count;     /**< Nodes that it runs in this step. */
    const char *name;        /**< As the machine names it. */
    const char *backend;     /**< Backend. */
    double weight_bytes;     /**< Weights that it holds, of all phases. */
    double file_bytes;       /**< Weights that it reads from the mapped file instead, since nothing
                                  fits otherwise; times do not count waiting for the disk. */
    double state_bytes;      /**< Keys and values. */
    double io_bytes;         /**< Inputs and outputs. */
    double activation_bytes; /**< Temporaries, at most at a time. */
    double limit_bytes;      /**< What it may hold in all; infinite: no limit. */
    double busy_ns;          /**< Its nodes, and copies to it, in this step. */
    double single_total;     /**< The total with everything on it; infinite: it cannot. */
    double slot_bytes;       /**< Slots of experts, where a policy lets it keep some only; the
                                  experts' matrices are then not in weight_bytes. */
    double bring_ns;         /**< Part of busy_ns: bringing experts that are expected to be
                                  missing, if all are chosen equally often (docs/experts.md). */
    uint32_t slot_count;     /**< Slots of experts. */
    uint32_t stream_slot_count;  /**< Slots for weights of layers that come for each step; 0: all
                                      layers keep theirs (docs/planning.md). */
    double stream_slot_bytes;    /**< One of these; all of them are in weight_bytes. */
    double stream_bytes;         /**< What comes in a step. */
    uint32_t stream_layer_count; /**< Layers here whose weights come. */
    uint32_t stream_layer_max;   /**< Of so many layers here. */
} het_plan_device;

/** One copy between devices. Strings are borrowed from the plan. */
typedef struct het_plan_transfer {
    uint32_t struct_size;  /**< Set by the caller. */
    uint32_t from, to;     /**< Devices of the plan. */
    uint32_t layer;        /**< Index of the entry (het_plan_layer_at()) that it comes before. */
    const char *name;      /**< The value. */
    double bytes;          /**< Size. */
    double predicted_ns;   /**< Expected time. */
} het_plan_transfer;

/** What HET_PLAN_SPLIT adds to a plan, or what a session divides. Strings are borrowed from the
 *  plan. */
typedef struct het_plan_split {
    uint32_t struct_size;  /**< Set by the caller. */
    uint32_t device;       /**< Device of the plan that has the nodes. */
    uint32_t other;        /**< Device that takes part. */
    uint32_t node_count;   /**< Nodes: 1 where a product is split by rows of its weights; else a
                                branch that runs on other beside what device does. */
    const char *name;      /**< The first node. */
    double share;          /**< Of the rows that other takes; 1: the whole branch. */
    double simulated_ns;   /**< One step with this and all splits before it. */
} het_plan_split;

/**
 * Decide where each layer of a model runs. Runs nothing of the model.
 *
 * @param model    Kept alive by the plan.
 * @param options  May be NULL: decode with defaults.
 * @param plan     Receives the handle.
 * @param err      May be NULL.
 * @retval HET_E_UNSUPPORTED  No device can run some operation; the message names it. Or nothing
 *                            fits the memories; the message has their sizes. Or a graph is run
 *                            without a plan because extents follow from contents.
 * @retval HET_E_INVALID      devices names an unknown backend, a count is negative, or the policy
 *                            asks for what the machine has not.
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
 * One device of a plan, with what it holds.
 *
 * @param plan    Plan.
 * @param index   In [0, device_count).
 * @param device  Filled up to device->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_plan_device_at(const het_plan *plan, uint32_t index,
                                                    het_plan_device *device);

/**
 * One copy of a plan, in order of execution.
 *
 * @param plan      Plan.
 * @param index     In [0, transfer_count).
 * @param transfer  Filled up to transfer->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_plan_transfer_at(const het_plan *plan, uint32_t index,
                                                      het_plan_transfer *transfer);

/**
 * One split or branch that the simulation found to pay, in the order in which they were found; of a
 * session's plan, one that it runs.
 *
 * @param plan   Plan made with HET_PLAN_SPLIT, or a session's.
 * @param index  In [0, split_count).
 * @param split  Filled up to split->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_plan_split_at(const het_plan *plan, uint32_t index,
                                                   het_plan_split *split);

/**
 * A plan from its text: devices as the text says, costs anew.
 *
 * @param model    Kept alive by the plan.
 * @param options  As of the plan whose text it is; its phase is placed alone. May be NULL.
 * @param text     As het_plan_text() gave it; need not end in NUL. Read during the call only.
 * @param bytes    Its size.
 * @param plan     Receives the handle.
 * @param err      May be NULL; the message begins with "plan:LINE:".
 * @retval HET_E_FORMAT       Not a plan of this model, step and machine: a node is missing, stands
 *                            there twice or is another one, or transfers do not match what crosses
 *                            between devices.
 * @retval HET_E_VERSION      Of a later form.
 * @retval HET_E_UNSUPPORTED  A device may not run what the text puts there, or lacks the memory.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_plan_load(const het_model *model,
                                               const het_plan_options *options, const void *text,
                                               size_t bytes, het_plan **plan, het_error *err);

/**
 * The plan as text, one line per device, node, copy and reason; equal plans have equal text.
 * docs/planning.md describes it.
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

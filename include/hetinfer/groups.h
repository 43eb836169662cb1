/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file groups.h
 * Which operations of a model would run as one kernel, and what that saves.
 *
 * Of a graph model an analysis: sessions fuse by rules of their own. Of a language model what its
 * sessions fuse, operations being those that its family is spelled with. A group takes one launch
 * and the longer of its arithmetic and its traffic; what is made and read inside a group costs no
 * traffic, in the analysis of a graph while as much of it as must be kept fits near memory.
 */
#ifndef HETINFER_GROUPS_H
#define HETINFER_GROUPS_H

#include <hetinfer/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_groups het_groups;

/** How groups are made. */
typedef enum het_group_rule {
    HET_GROUP_GREEDY = 0,   /**< An operation joins the one before it unless a value forks, values
                                 join, or a limit is reached. */
    HET_GROUP_PATTERNS = 1, /**< Conv+BatchNormalization+activation, Conv+BatchNormalization and
                                 Add+Relu; everything else alone. */
    HET_GROUP_SEARCH = 2,   /**< The least expected time; never more than the other two. */
    HET_GROUP_RULE_FORCE_32 = 0x7fffffff
} het_group_rule;

/** Before grouping, put norms and attention that are spelled out in small steps into one operation
 *  each, and do away with copies. Activations are recognised in any case. */
#define HET_GROUPS_RECOGNISE (UINT64_C(1) << 0)

/** Options of het_groups_make(). */
typedef struct het_groups_options {
    uint32_t struct_size;         /**< sizeof(het_groups_options). */
    uint32_t rule;                /**< het_group_rule; of graphs. */
    uint64_t flags;               /**< HET_GROUPS_*; of graphs. */
    uint64_t touched_bytes_max;   /**< Values and constants that a group of several operations
                                       touches; 0 = no limit. */
    uint64_t near_bytes;          /**< Near memory; 0 = 1 MiB. */
    const het_tensor_desc *inputs; /**< Extents of the inputs, in file order. May be NULL: extents
                                       that are not fixed are 1. */
    size_t input_count;           /**< Of inputs: all of the model, or 0. */
    uint32_t operation_count_max; /**< Operations of a group; 0 = no limit but for the search's
                                       own of 16. */
    uint32_t device;              /**< Index in the context of the device whose figures give times:
                                       those of a calibration, else assumed ones. */
    uint32_t phase;               /**< het_phase; of language models, like what follows. */
    uint32_t kv_dtype;            /**< het_dtype of keys and values; 0 = F16. */
    int64_t token_count;          /**< Tokens of the step; 0 = 1 in decode, 512 in prefill. */
    int64_t context_count;        /**< Positions before the step. */
} het_groups_options;

/** Initial value of a het_groups_options: greedy. */
#define HET_GROUPS_OPTIONS_INIT \
    { sizeof(het_groups_options), 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0 }

/** Totals. Traffic is what all kernels together read and write, constants included. */
typedef struct het_groups_info {
    uint32_t struct_size;     /**< Set by the caller. */
    uint32_t group_count;     /**< Groups, single operations included. */
    uint32_t node_count;      /**< Operations that were grouped. */
    uint32_t spelled_count;   /**< Operations before HET_GROUPS_RECOGNISE. */
    uint32_t greedy_count;    /**< Groups that HET_GROUP_GREEDY makes of the same; 0 of language
                                   models, which have no rules to compare. */
    uint32_t patterns_count;  /**< Groups that HET_GROUP_PATTERNS makes of the same; likewise. */
    uint32_t figures_source;  /**< het_source of the figures behind the times. */
    uint32_t is_proven;       /**< 1: the search left nothing out. */
    double spelled_bytes;     /**< Traffic before HET_GROUPS_RECOGNISE, each operation alone. */
    double unfused_bytes;     /**< Traffic of each operation alone. */
    double traffic_bytes;     /**< Traffic of the groups. */
    double inner_bytes;       /**< Values that never leave their group, each counted once. */
    double unfused_ns;        /**< Expected time of each operation alone. */
    double predicted_ns;      /**< Expected time of the groups. */
    double greedy_ns;         /**< The same of HET_GROUP_GREEDY. */
    double patterns_ns;       /**< The same of HET_GROUP_PATTERNS. */
    uint32_t is_calibrated;   /**< 1: times rest on a calibration of the device. */
    uint32_t phase;           /**< het_phase; of language models. */
} het_groups_info;

/** One group. Strings are borrowed from het_groups. */
typedef struct het_group {
    uint32_t struct_size;     /**< Set by the caller. */
    uint32_t node_count;      /**< Operations. */
    const char *operations;   /**< Their kinds, in order, comma-separated. */
    const char *const *names; /**< The names of their nodes; "" where there is none. */
    double predicted_ns;      /**< Expected time. */
    double unfused_bytes;     /**< Traffic of each operation alone. */
    double traffic_bytes;     /**< Traffic of the group. */
    double inner_bytes;       /**< Values that never leave it, each counted once. */
} het_group;

/**
 * Group the operations of a graph model for inputs of given extents, or of a language model for a
 * step. Runs nothing of the model but what follows from its constants.
 *
 * @param model    A model with its graph.
 * @param options  May be NULL: greedy with defaults.
 * @param groups   Receives the handle, which keeps nothing of the model but may keep it alive.
 * @param err      May be NULL.
 * @retval HET_E_INVALID      Extents do not fit the model; the message names the input or the node.
 *                            Or the model was loaded without its graph, or there is no such device.
 *
 * Deterministic: the same model, options and figures give the same groups.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_groups_make(const het_model *model,
                                                 const het_groups_options *options,
                                                 het_groups **groups, het_error *err);

/**
 * Totals.
 *
 * @param groups  Groups.
 * @param info    Filled up to info->struct_size bytes.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_groups_get_info(const het_groups *groups,
                                                     het_groups_info *info);

/**
 * One group, in an order in which they can run.
 *
 * @param groups  Groups.
 * @param index   In [0, group_count).
 * @param group   Filled up to group->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_groups_at(const het_groups *groups, uint32_t index,
                                               het_group *group);

/**
 * Give groups up.
 * @param groups  May be NULL.
 * @since 0.1
 */
HET_API void het_groups_destroy(het_groups *groups);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_GROUPS_H */

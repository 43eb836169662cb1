/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file analysis.h
 * What a model costs on a machine, operation by operation, without running it.
 *
 * Counts (parameters, arithmetic, bytes, stages) follow from the model alone. Times, energy and
 * shares of units follow from counts and a machine's figures by a model of few terms:
 *
 *   roofline  max(arithmetic / peak, bytes / bandwidth)
 *   mapped    the same with the share of the peak that the work can reach, plus one launch
 *   predicted what the planner expects
 */
#ifndef HETINFER_ANALYSIS_H
#define HETINFER_ANALYSIS_H

#include <hetinfer/groups.h>
#include <hetinfer/machine.h>
#include <hetinfer/plan.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_analysis het_analysis;

/** What the roofline says that time goes to. */
typedef enum het_bottleneck {
    HET_BOTTLENECK_NONE = 0,    /**< There is nothing to do: a view. */
    HET_BOTTLENECK_COMPUTE = 1, /**< As many operations per byte as the balance, or more. */
    HET_BOTTLENECK_MEMORY = 2,  /**< Fewer. */
    HET_BOTTLENECK_FORCE_32 = 0x7fffffff
} het_bottleneck;

/** Character of a piece of work on any machine, by operations per byte of memory traffic. */
typedef enum het_intensity_label {
    HET_LABEL_NONE = 0,
    HET_LABEL_MEMORY_BOUND = 1,      /**< Below 15. */
    HET_LABEL_BALANCED = 2,          /**< From 15, below 25. */
    HET_LABEL_COMPUTE_INTENSIVE = 3, /**< From 25. */
    HET_LABEL_FORCE_32 = 0x7fffffff
} het_intensity_label;

/** Type of arithmetic whose peak counts. */
typedef enum het_arithmetic {
    HET_ARITHMETIC_F32 = 0,
    HET_ARITHMETIC_F16 = 1,
    HET_ARITHMETIC_BF16 = 2,
    HET_ARITHMETIC_INT8 = 3,
    HET_ARITHMETIC_FASTEST = 4, /**< Whichever the device is fastest at. */
    HET_ARITHMETIC_FORCE_32 = 0x7fffffff
} het_arithmetic;

/** Leave operations without a module of their own out, with their edges: sums, products, shapes,
 *  pools called as functions. Stages then mean little; documents exist that count this way. */
#define HET_ANALYSIS_COMPAT (UINT64_C(1) << 0)
/** Ask the context's backends which operations they run: het_analysis_support_at(). */
#define HET_ANALYSIS_SUPPORT (UINT64_C(1) << 1)

/** Options of het_analysis_make(). */
typedef struct het_analysis_options {
    uint32_t struct_size;       /**< sizeof(het_analysis_options). */
    uint32_t phase;             /**< het_phase; of language models. */
    uint64_t flags;             /**< HET_ANALYSIS_*. */
    const het_machine *machine; /**< May be NULL: the context's devices, with what a calibration
                                     says of them, else with assumed figures. */
    int64_t batch_count;        /**< Images or sequences: first extents that the file leaves open;
                                     0 = 1. */
    int64_t token_count;        /**< Tokens of each sequence; 0 = 1 in decode, 512 in prefill. Of a
                                     graph: other extents that are open; 0 = 1. */
    int64_t context_count;      /**< Positions before the step; of language models. */
    uint32_t device;            /**< Index in the machine, or in the context. */
    uint32_t group_rule;        /**< het_group_rule of the groups; of graphs. Groups of language
                                     models are what sessions fuse. */
    uint32_t arithmetic;        /**< het_arithmetic. */
    uint32_t kv_dtype;          /**< het_dtype of keys and values; 0 = F16. */
} het_analysis_options;

/** Initial value of a het_analysis_options: one image, or one token. */
#define HET_ANALYSIS_OPTIONS_INIT { sizeof(het_analysis_options), 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0 }

/** The same is done for each channel by itself: a depthwise convolution. */
#define HET_PARALLELISM_DEPTHWISE (UINT32_C(1) << 0)
/** A convolution whose window is one place. */
#define HET_PARALLELISM_POINTWISE (UINT32_C(1) << 1)

/** Along which axes results are independent of each other. */
typedef struct het_parallelism {
    uint32_t struct_size;  /**< As the library has it: fields beyond it are not there. */
    uint32_t flags;        /**< HET_PARALLELISM_*. */
    double batch_count;    /**< Images, sequences, or matrices. */
    double channel_count;  /**< Channels, columns, or heads. */
    double spatial_count;  /**< Places, or rows. */
    double total_count;    /**< Product of the three: results that could be made at once. */
} het_parallelism;

/** How the work spreads over the units of the device. All zero where there is none. */
typedef struct het_mapping {
    uint32_t struct_size;   /**< As the library has it: fields beyond it are not there. */
    uint32_t unit_class;    /**< het_unit_class. */
    uint32_t flags;         /**< Zero. */
    uint32_t is_fitting;    /**< 1: a tile of the work fits the near memory of a unit. */
    double unit_count;      /**< Units of the device. */
    double lane_count;      /**< Lanes of a unit. */
    double thread_count;    /**< Lanes that the work could keep busy: its independent results. */
    double item_count;      /**< Tiles, each of which goes to one unit. */
    double used_unit_count; /**< min(items, units). */
    double wave_count;      /**< ceil(items / units). */
    double wave_efficiency; /**< items / (waves * units), in (0,1]. */
    double occupancy;       /**< Share of the used units' lanes that have work, in (0,1]. */
    double utilisation;     /**< Share of the peak that can be reached: product of the two. */
    int64_t tile_rows;      /**< A tile: rows x columns results over this depth of terms. */
    int64_t tile_columns;
    int64_t tile_depth;
    double tile_bytes;      /**< Operands and results of a tile. */
} het_mapping;

/** The memory of a node is that of its operand: it costs nothing. */
#define HET_SUBGRAPH_VIEW (UINT32_C(1) << 0)
/** Nothing is known of the node's arithmetic: an operation or extents that are not known. */
#define HET_SUBGRAPH_OPAQUE (UINT32_C(1) << 1)

/** A node, or a group of nodes that would run as one kernel. Strings and lists are borrowed.
 *
 *  The graph of a language model comes fused, as sessions run it: each of its nodes is a group, and
 *  the operations of the group are those that the node stands for. */
typedef struct het_subgraph {
    uint32_t struct_size;   /**< Set by the caller. */
    uint32_t node_count;    /**< 1 of a node. */
    const uint32_t *nodes;  /**< Indices for het_analysis_node_at(). */
    const uint32_t *before; /**< Nodes (of a group: groups) that it needs the results of. */
    uint32_t before_count;  /**< As many of them, each once. */
    uint32_t operation_count; /**< Of a group: its nodes, those that HET_ANALYSIS_COMPAT left out
                                   included; of language models its operations before fusion. */
    const char *name;       /**< Of a group: that of its first node. */
    const char *operations; /**< Kinds, comma-separated. */
    const char *axes;       /**< Along which results are independent, in words. */
    int32_t layer;          /**< Block of a language model, or -1. */
    uint32_t stage;         /**< Longest chain of nodes (of groups) before it. */
    uint32_t group;         /**< Of a node: its group; UINT32_MAX: none. */
    uint32_t flags;         /**< HET_SUBGRAPH_*. */
    uint32_t bottleneck;    /**< het_bottleneck. */
    uint32_t label;         /**< het_intensity_label. */
    double parameter_count; /**< Trained numbers. */
    double mac_count;       /**< Pairs of multiplication and addition. */
    double flop_count;      /**< All operations; a pair is two. */
    double input_bytes;     /**< Activations and state read. */
    double output_bytes;    /**< Activations and state written. */
    double weight_bytes;    /**< Constants read. */
    double intensity;       /**< Operations per byte of all three. */
    double compute_ns;      /**< At the peak. */
    double memory_ns;       /**< At the bandwidth. */
    double roofline_ns;     /**< The longer of the two. */
    double mapped_ns;       /**< Launch, and the longer with the arithmetic at its utilisation. */
    double predicted_ns;    /**< As the planner has it. */
    double joules;          /**< 0: the machine does not say. */
    const het_parallelism *parallelism; /**< Of a group: of its member with the most arithmetic. */
    const het_mapping *mapping;         /**< Likewise. */
    double ungrouped_bytes; /**< Of a group: bytes of its operations, each alone. Of a node: 0. */
    double inner_bytes;     /**< Of a group: values that never leave it, each once. */
} het_subgraph;

/** What could run side by side in the graph. */
typedef struct het_concurrency {
    uint32_t struct_size;         /**< As the library has it: fields beyond it are not there. */
    uint32_t node_count;
    uint32_t critical_path_count; /**< Nodes of the longest chain: stages. */
    uint32_t width_count;         /**< Most nodes of one stage. */
    double efficiency;            /**< Nodes / (stages * width), in [0,1]: 1 where all stages are
                                       as wide as the widest. */
    double critical_ns;           /**< Longest chain by mapped time. */
    double total_ns;              /**< Mapped time, one node after the other. */
} het_concurrency;

/** Totals. */
typedef struct het_analysis_info {
    uint32_t struct_size;     /**< Set by the caller. */
    uint32_t node_count;      /**< Nodes; those left out by HET_ANALYSIS_COMPAT are not counted. */
    uint32_t group_count;     /**< Of language models as many as nodes. */
    uint32_t spelled_count;   /**< Nodes before: of the file's graph, or before fusion. */
    uint32_t opaque_count;    /**< Nodes of which nothing is known. */
    uint32_t figures_source;  /**< het_source of the machine's figures. */
    uint32_t energy_source;   /**< het_source; HET_SOURCE_UNAVAILABLE: joules is 0. */
    uint32_t bottleneck;      /**< het_bottleneck that takes more of the roofline's time. */
    uint32_t label;           /**< het_intensity_label of mac_intensity. */
    uint32_t tile_count;      /**< Groups that end in an activation. */
    double parameter_count;   /**< Of the model, whatever of it runs. */
    double active_parameter_count; /**< Of a language model: those that one decoded token reads, as
                                        het_model_info has it; of a graph: those that it reads,
                                        without rows that are looked up by index. */
    double mac_count;
    double flop_count;
    double input_bytes;
    double output_bytes;
    double weight_bytes;
    double traffic_bytes;     /**< All three: each node alone. */
    double grouped_bytes;     /**< Of the groups. */
    double inner_bytes;       /**< Values that never leave their group, each once. */
    double ungrouped_bytes;   /**< Of the operations of the groups, each alone: more than
                                   traffic_bytes where HET_ANALYSIS_COMPAT leaves nodes out, and for
                                   language models. */
    double intensity;         /**< flop_count / traffic_bytes. */
    double mac_intensity;     /**< 2 * mac_count / traffic_bytes. */
    double peak_ops_per_s;    /**< Of the device, for the arithmetic that was asked for. */
    double bytes_per_s;       /**< Of the device. */
    double balance;           /**< The first divided by the second. */
    double roofline_ns;       /**< Sums over the nodes. */
    double mapped_ns;
    double predicted_ns;
    double grouped_ns;        /**< Predicted, of the groups. */
    double utilisation;       /**< Share of the peak that the arithmetic can reach. */
    double unit_fill;         /**< Share of the units that have work, weighted by arithmetic; never
                                   falls with the batch. */
    double joules;            /**< Of one step; modelled. */
    double price;             /**< Of one step, in the machine's currency; 0: not known. */
    double kv_bytes_per_token; /**< Keys and values that a token leaves; 0 of graphs. */
    double seed_ns;           /**< By the formula that multiplies by 1 + 0.05 (tiles - 1). */
    double seed_joules;       /**< Likewise. */
    const char *machine;      /**< Borrowed, like all names. */
    const char *device;
    const het_concurrency *concurrency;
    double ungrouped_ns;      /**< Predicted, of the operations of the groups, each alone. */
    uint32_t is_calibrated;   /**< 1: predicted times rest on a calibration of the device. */
    uint32_t phase;           /**< het_phase; of language models. */
} het_analysis_info;

/** Nodes that depend on nothing of their own stage or later. */
typedef struct het_analysis_stage {
    uint32_t struct_size;  /**< Set by the caller. */
    uint32_t node_count;
    const uint32_t *nodes; /**< Ascending; borrowed. */
    double flop_count;
    double bytes;
    double longest_ns;     /**< Mapped time of its longest node. */
} het_analysis_stage;

/** Sees one node; anything but HET_OK ends the walk. */
typedef het_status (*het_subgraph_visit)(void *user, uint32_t index, const het_subgraph *node);

/**
 * Count and estimate. Runs nothing of the model but what follows from its constants, and reads no
 * weights.
 *
 * @param model     A model with its graph.
 * @param options   May be NULL.
 * @param analysis  Receives the handle, which keeps the model alive.
 * @param err       May be NULL.
 * @retval HET_E_INVALID  An option is out of range, the model was loaded without its graph, or its
 *                        extents do not fit; the message says which.
 *
 * Deterministic. Cost: that of loading the graph once more, and O(nodes + edges).
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_analysis_make(const het_model *model,
                                                   const het_analysis_options *options,
                                                   het_analysis **analysis, het_error *err);

/**
 * Totals.
 *
 * @param analysis  Analysis.
 * @param info      Filled up to info->struct_size bytes.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_analysis_get_info(const het_analysis *analysis,
                                                       het_analysis_info *info);

/**
 * One node.
 *
 * @param analysis  Analysis.
 * @param index     In [0, node_count), in an order in which they can run.
 * @param node      Filled up to node->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_analysis_node_at(const het_analysis *analysis, uint32_t index,
                                                      het_subgraph *node);

/**
 * One group; the same with [0, group_count).
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_analysis_group_at(const het_analysis *analysis,
                                                       uint32_t index, het_subgraph *group);

/**
 * One stage; the same with [0, concurrency->critical_path_count).
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_analysis_stage_at(const het_analysis *analysis,
                                                       uint32_t index, het_analysis_stage *stage);

/**
 * Visit all nodes in an order in which they can run.
 *
 * @param analysis  Analysis.
 * @param visit     Called once per node. The node is borrowed for the call; what it points to lives
 *                  as long as the analysis.
 * @param user      For visit.
 * @return HET_OK, or what visit returned when it ended the walk.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_analysis_foreach(const het_analysis *analysis,
                                                      het_subgraph_visit visit, void *user);

/**
 * Whether a device of the context runs a node as it stands.
 *
 * @param analysis  Made with HET_ANALYSIS_SUPPORT.
 * @param index     Node.
 * @param device    Index in the context.
 * @param reason    Receives why not, borrowed; NULL where it runs. May be NULL.
 * @retval HET_E_UNSUPPORTED  It does not.
 * @retval HET_E_INVALID      An index is out of range, or the flag was not given.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_analysis_support_at(const het_analysis *analysis,
                                                         uint32_t index, uint32_t device,
                                                         const char **reason);

/**
 * Give an analysis up.
 * @param analysis  May be NULL.
 * @since 0.1
 */
HET_API void het_analysis_destroy(het_analysis *analysis);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_ANALYSIS_H */

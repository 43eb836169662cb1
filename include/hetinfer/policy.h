/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy.h
 * What the user wants of placing and running: which parts of a network may go where, how much
 * memory each device may give, what is to be least. docs/policy.md has the file format.
 */
#ifndef HETINFER_POLICY_H
#define HETINFER_POLICY_H

#include <hetinfer/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_policy het_policy;

/** What a placement makes least. */
typedef enum het_objective {
    HET_OBJECTIVE_DEFAULT = 0,    /**< Energy under the power profile "efficiency", else latency. */
    HET_OBJECTIVE_LATENCY = 1,    /**< Time of one step. */
    HET_OBJECTIVE_THROUGHPUT = 2, /**< Time of the busiest device: steps follow each other. */
    HET_OBJECTIVE_ENERGY = 3,     /**< Joules of one step, where the machine's figures know them. */
    HET_OBJECTIVE_FORCE_32 = 0x7fffffff
} het_objective;

/** How firmly a rule speaks. */
typedef enum het_rule_kind {
    HET_RULE_MUST = 1,   /**< These devices and no others. */
    HET_RULE_PREFER = 2, /**< These, the first most, as far as memory and operations allow. */
    HET_RULE_NEVER = 3,  /**< Not these. */
    HET_RULE_KIND_FORCE_32 = 0x7fffffff
} het_rule_kind;

/** A rule. A node is meant by it if all that is given holds. Later rules win over earlier ones. */
typedef struct het_policy_rule {
    uint32_t struct_size;  /**< sizeof(het_policy_rule). */
    uint32_t kind;         /**< het_rule_kind. */
    const char *devices;   /**< Kinds ("cpu", "igpu", "gpu", "npu"), backends, or one of several
                                ("gpu:1"), comma-separated; at most 8. */
    const char *classes;   /**< Parts of a network ("expert_ffn,ffn"), comma-separated. May be
                                NULL: all. */
    const char *operation; /**< Pattern of operations' names; '*' and '?'. May be NULL: all. */
    const char *name;      /**< Pattern of nodes' names. May be NULL: all. */
    const char *layers;    /**< "0-15", "3" or "24-". May be NULL: all, and what is in none. */
    double flop_count_min; /**< Arithmetic of one run, a multiply and an add are two; 0 = none. */
    double flop_count_max; /**< 0 = none. */
    double bytes_min;      /**< Weights, inputs and outputs of one run; 0 = none. */
    double bytes_max;      /**< 0 = none. */
} het_policy_rule;

/** Initial value of a het_policy_rule: says nothing yet. */
#define HET_POLICY_RULE_INIT \
    { sizeof(het_policy_rule), 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0 }

/** What a device may give. */
typedef struct het_policy_limit {
    uint32_t struct_size;  /**< sizeof(het_policy_limit). */
    uint32_t threads;      /**< Host threads; 0 = no limit. */
    uint64_t memory_bytes; /**< 0 = no limit. */
    double memory_share;   /**< Of the memory that the machine says it has, in (0, 1]; 0 = no
                                limit. Not together with memory_bytes. */
} het_policy_limit;

/** Initial value of a het_policy_limit: no limit. */
#define HET_POLICY_LIMIT_INIT { sizeof(het_policy_limit), 0, 0, 0 }

/** Who acts on a key: bits of het_policy_note.honoured. */
#define HET_POLICY_BY_PLANS (UINT64_C(1) << 0)
#define HET_POLICY_BY_SIMULATION (UINT64_C(1) << 1)
#define HET_POLICY_BY_SESSIONS (UINT64_C(1) << 2)

/** What became of one key or rule. Strings are borrowed from the policy. */
typedef struct het_policy_note {
    uint32_t struct_size; /**< Set by the caller. */
    uint32_t line;        /**< In the file; 0 = unknown. */
    uint64_t honoured;    /**< HET_POLICY_BY_*; 0 = kept, and nobody acts on it. */
    const char *key;      /**< "limits.npu", "rules[3]". */
    const char *text;     /**< What acts on it and what does not, or why it has no effect. */
} het_policy_note;

/**
 * Make an empty policy: everything may go everywhere.
 *
 * @param context  Kept alive by the policy.
 * @param policy   Receives the handle.
 * @param err      May be NULL.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_policy_create(het_context *context, het_policy **policy,
                                                   het_error *err);

/**
 * Read a policy from a YAML file.
 *
 * @param context  Kept alive by the policy.
 * @param path     File of at most 16 MiB.
 * @param policy   Receives the handle.
 * @param err      May be NULL.
 * @retval HET_E_IO       The file cannot be read.
 * @retval HET_E_FORMAT   The file is no YAML, or has what policies may not have: anchors, tags, a
 *                        key twice.
 * @retval HET_E_VERSION  The file is of a later form than this release knows.
 * @retval HET_E_INVALID  An unknown key, a value of the wrong type or out of range, or rules that
 *                        contradict each other.
 * Messages begin with file and line.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_policy_load(het_context *context, const char *path,
                                                 het_policy **policy, het_error *err);

/**
 * Read a policy from YAML text.
 *
 * @param context  Kept alive by the policy.
 * @param text     UTF-8; need not end in NUL.
 * @param size     Bytes of text, at most 16 MiB.
 * @param name     Name of the text in messages. May be NULL: "policy".
 * @param policy   Receives the handle.
 * @param err      May be NULL.
 * @retval HET_E_FORMAT   As het_policy_load(), like VERSION and INVALID.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_policy_load_memory(het_context *context, const char *text,
                                                        size_t size, const char *name,
                                                        het_policy **policy, het_error *err);

/**
 * A policy that the library brings along. It can be changed like any other.
 *
 * @param context  Kept alive by the policy.
 * @param name     One of het_policy_preset_name().
 * @param policy   Receives the handle.
 * @param err      May be NULL.
 * @retval HET_E_INVALID  No preset has this name; the message lists them.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_policy_preset(het_context *context, const char *name,
                                                   het_policy **policy, het_error *err);

/**
 * Number of presets.
 * @since 0.1
 */
HET_API uint32_t het_policy_preset_count(void);

/**
 * Name of a preset.
 * @param index  In [0, het_policy_preset_count()); NULL is returned for any other.
 * @return Static.
 * @since 0.1
 */
HET_API const char *het_policy_preset_name(uint32_t index);

/**
 * Append a rule, which wins over all that are there.
 *
 * @param policy  Policy.
 * @param rule    Read during the call only.
 * @param err     May be NULL.
 * @retval HET_E_INVALID  The rule names no device, an unknown device or class, a range that is
 *                        none; or no device would be left to nodes that an earlier rule places.
 *                        The policy is as before.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_policy_set_rule(het_policy *policy,
                                                     const het_policy_rule *rule, het_error *err);

/**
 * Set what a device may give. Replaces the limit that was set under the same name; of several names
 * for one device the least counts.
 *
 * @param policy  Policy.
 * @param device  As in het_policy_rule.devices, one.
 * @param limit   Read during the call only. Without any limit an earlier one is taken away.
 * @param err     May be NULL.
 * @retval HET_E_INVALID  Unknown device, a share outside (0, 1], or share and bytes at once. The
 *                        policy is as before.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_policy_set_limit(het_policy *policy, const char *device,
                                                      const het_policy_limit *limit,
                                                      het_error *err);

/**
 * Set what placements make least.
 *
 * @param policy     Policy.
 * @param objective  het_objective.
 * @param err        May be NULL.
 * @retval HET_E_INVALID  No such objective.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_policy_set_objective(het_policy *policy, uint32_t objective,
                                                          het_error *err);

/**
 * The policy as YAML in one normal form: equal policies have equal text, and reading the text gives
 * an equal policy. Comments of a file are not kept.
 *
 * @return Borrowed from the policy, until it is changed.
 * @since 0.1
 */
HET_API const char *het_policy_text(const het_policy *policy);

/**
 * Number of notes: one for each key that is set, and one for each rule that never has an effect.
 * @since 0.1
 */
HET_API uint32_t het_policy_note_count(const het_policy *policy);

/**
 * What became of one key or rule.
 *
 * @param policy  Policy.
 * @param index   In [0, het_policy_note_count()).
 * @param note    Filled up to note->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_policy_note_at(const het_policy *policy, uint32_t index,
                                                    het_policy_note *note);

/**
 * Give a policy up.
 * @param policy  May be NULL.
 * @since 0.1
 */
HET_API void het_policy_destroy(het_policy *policy);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_POLICY_H */

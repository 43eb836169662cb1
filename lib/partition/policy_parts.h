/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of policies share: names of devices, and which rule includes which. */
#ifndef HET_PARTITION_POLICY_PARTS_H
#define HET_PARTITION_POLICY_PARTS_H

#include "lib/partition/policy.h"

/* Longest name, description or pattern. */
#define HET__POLICY_TEXT_MAX 512
/* Bounds of amounts that a policy names; the least is 1, or 0 for none. */
#define HET__POLICY_FLOPS_MAX 1e24
#define HET__POLICY_BYTES_MAX 1e18
#define HET__POLICY_SHARE_MIN 1e-6
#define HET__POLICY_ROWS_MIN 0.001 /* share of a product's rows, and of those that stay */
#define HET__POLICY_THREADS_MAX 1024

/* A name of devices taken apart. */
typedef struct het__device_name {
    uint32_t kinds;      /* bits of het_device_kind */
    uint32_t otherwise;  /* kinds that it means where the machine has none of those */
    const char *backend; /* NULL: the name is one of kinds */
    int32_t index;       /* "gpu:1"; -1: all */
} het__device_name;

bool het__device_name_read(const char *name, het__device_name *parts);
/* "cpu, igpu, …" for messages. */
const char *het__device_name_list(void);
/* Whether a stands for all that b may stand for, on any machine. */
bool het__device_name_covers(const char *a, const char *b);
/* Whether there may be a device that both stand for. */
bool het__device_names_meet(const char *a, const char *b);

/* Whether every node that b means is meant by a too. May say false where it is so. */
bool het__policy_rule_covers(const het__policy_rule *a, const het__policy_rule *b);

/* het__policy_add_rule() without a look at the other rules: het__policy_check() follows. */
het_status het__policy_append_rule(het__policy *policy, const het__policy_rule *rule,
                                   const char *what, het_error *err);

/* Append a copy. HET_E_INVALID if its selectors are none, or there is no room. */
het_status het__policy_append_split(het__policy *policy, const het__policy_split *split,
                                    const char *what, het_error *err);

/* A policy that the library brings, by name. */
typedef struct het__preset {
    const char *name, *text;
} het__preset;

extern const het__preset het__presets[];
extern const uint32_t het__preset_count;

/* Text that a policy may hold: not empty, not too long, every character can be shown. */
bool het__policy_text_is_good(const char *text);

extern const char *const het__objective_names[];  /* by het_objective - 1; NULL-terminated */
extern const char *const het__power_names[];      /* by het__power_profile */
extern const char *const het__scheduling_names[]; /* by het__scheduling */
extern const char *const het__trigger_names[];    /* by het__policy_trigger: "on_error", … */
extern const char *const het__split_names[];      /* by het__policy_split_when */
extern const char *const het__peak_names[];       /* by het__peak: "f32", … */
extern const char *const het__expert_keep_names[]; /* by het_expert_keep */
extern const char *const het__host_names[];       /* by bit of het__policy.host_parts */

#endif /* HET_PARTITION_POLICY_PARTS_H */

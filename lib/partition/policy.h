/* SPDX-License-Identifier: Apache-2.0 */
/* A policy: what the user wants of placing and running, as data. Read from YAML (policy_read.c),
 * written as YAML (policy_write.c), shipped (policy_presets.c); docs/policy.md is its reference.
 *
 * Rules are looked at in order. For one node and one device the last rule counts that matches the
 * node and says something about the device:
 *
 *     must D      every device: those of D are allowed, no others
 *     never D     devices of D: not allowed
 *     prefer D    every device: those of D are wished for, the first most; allows and forbids none
 *
 * Thresholds come last, and only for devices that no matching `must` or `prefer` names. Among
 * placements that keep limits and rules, one that breaks fewer wishes is better, whatever it
 * costs; the objective decides among those that break as many. */
#ifndef HET_PARTITION_POLICY_H
#define HET_PARTITION_POLICY_H

#include "lib/base/arena.h"
#include "lib/base/text.h"
#include "lib/machine/machine.h"
#include "lib/partition/node_class.h"

#include <hetinfer/policy.h>

#define HET__POLICY_RULES_MAX 512
#define HET__POLICY_LIMITS_MAX 32
#define HET__POLICY_DEVICES_MAX 8 /* in one list */
#define HET__POLICY_WORD_MAX 24   /* of a device's name in a policy, NUL included */

/* Devices as a policy names them: a kind ("igpu"), a backend ("cpu_onednn"), one of them
 * ("gpu:1"). */
typedef struct het__policy_devices {
    uint32_t count;
    char name[HET__POLICY_DEVICES_MAX][HET__POLICY_WORD_MAX];
} het__policy_devices;

typedef struct het__policy_rule {
    /* Which nodes: all that are given hold. */
    uint32_t classes;  /* bits of het__node_class; 0: any */
    int32_t layer_first, layer_last; /* -1, -1: any, nodes outside layers too */
    const char *name;  /* pattern with * and ?; NULL: any */
    const char *op;    /* pattern of operations' names; NULL: any */
    double flops_min, flops_max, bytes_min, bytes_max; /* of one run; 0: no bound */
    /* Where to: at least one list is not empty. */
    het__policy_devices must, prefer, never;
    uint32_t line;     /* in the file; 0: from a call */
} het__policy_rule;

/* Whether weights that a device has no room for may be brought for each step. */
typedef enum het__policy_stream {
    HET__STREAM_UNSAID = 0, /* where that is the cheapest */
    HET__STREAM_NEVER,
    HET__STREAM_ALWAYS,     /* wherever they do not fit */
} het__policy_stream;

typedef struct het__policy_limit {
    char device[HET__POLICY_WORD_MAX];
    double memory_bytes; /* 0: none */
    double memory_share; /* of what the machine says, in (0, 1]; 0: none */
    double expert_bytes; /* of experts of mixtures at once; 0: all of them */
    uint32_t expert_keep; /* het_expert_keep */
    uint32_t stream;     /* het__policy_stream */
    uint32_t threads;    /* 0: none */
    uint32_t line;
} het__policy_limit;

/* Whether products are divided by rows, and branches moved, where a simulation says it pays. */
typedef enum het__policy_split_when {
    HET__SPLIT_AUTO = 0, /* where all devices were measured */
    HET__SPLIT_ALWAYS,
    HET__SPLIT_NEVER,    /* not where it is asked for by name either */
    HET__SPLIT_COUNT
} het__policy_split_when;

/* Products of which a share of the rows is another device's, whatever the simulation says. */
typedef struct het__policy_split {
    het__policy_rule where; /* its selectors and line */
    char to[HET__POLICY_WORD_MAX];
    double share;           /* of the rows, in (0, 1) */
} het__policy_split;

typedef enum het__scheduling {
    HET__SCHEDULING_FIFO = 0,
    HET__SCHEDULING_BW_AWARE,
    HET__SCHEDULING_CRITICAL_PATH,
    HET__SCHEDULING_COUNT
} het__scheduling;

typedef enum het__power_profile {
    HET__POWER_BALANCED = 0,
    HET__POWER_PERFORMANCE,
    HET__POWER_EFFICIENCY,
    HET__POWER_COUNT
} het__power_profile;

typedef enum het__policy_trigger {
    HET__TRIGGER_ERROR = 0,
    HET__TRIGGER_OOM,
    HET__TRIGGER_TIMEOUT,
    HET__TRIGGER_THERMAL,
    HET__TRIGGER_COUNT
} het__policy_trigger;

/* What happens when something goes wrong on a device. */
typedef struct het__policy_fallback {
    bool is_set;
    uint32_t retry;      /* attempts on the same device */
    uint32_t backoff_ms; /* before the first of them; doubles with each */
    double limit;        /* TIMEOUT: ms, THERMAL: degrees Celsius; 0: the system's own */
    double back;         /* THERMAL: degrees at which the device is used again; 0: somewhat below
                            the limit */
    /* Device that takes over; HET__POLICY_ANY: whichever is best; "": none, the call fails. */
    char next[HET__POLICY_WORD_MAX];
} het__policy_fallback;

#define HET__POLICY_ANY "any"
/* Of "retry" without a number, and of errors that pass where no policy says a word. */
#define HET__POLICY_RETRIES 3
#define HET__POLICY_BACKOFF_MS 10

typedef struct het__policy_precision {
    char device[HET__POLICY_WORD_MAX];
    uint32_t type; /* het__peak: what products are made of; sums are F32 everywhere */
} het__policy_precision;

typedef struct het__policy {
    het__mem *mem;
    het__arena arena;     /* strings */
    const char *name, *description, *model; /* NULL: none. model: what it was written for */
    uint32_t objective;   /* het_objective; ask het__policy_objective() */
    uint32_t power;       /* het__power_profile */
    het__policy_devices devices; /* all that may be used; empty: all of the machine */
    uint32_t host_parts;  /* bits by het__host_names: said to be on the CPU, as they always are */
    bool skip_missing;    /* rules for devices that the machine lacks do not count */
    het__policy_rule *rules;
    uint32_t rule_count, rule_capacity;
    het__policy_limit limits[HET__POLICY_LIMITS_MAX];
    uint32_t limit_count;
    het__policy_precision precision[HET__POLICY_LIMITS_MAX];
    uint32_t precision_count;
    uint32_t split_when;       /* het__policy_split_when */
    het__policy_split *splits; /* later ones win */
    uint32_t split_count, split_capacity;
    /* Thresholds of dynamic partitioning; 0: none. */
    double min_flops, min_bytes;
    double max_transfer_ratio; /* time to bring and fetch / time to run */
    /* Running. 0: not said. */
    uint32_t scheduling;       /* het__scheduling */
    double bandwidth_capacity; /* bytes/s that all devices together may draw */
    uint32_t bandwidth_tokens; /* pieces of it; 0 with a capacity: 1 per device */
    bool throttle;             /* work waits for tokens; false: only counted */
    uint32_t micro_batch_min, micro_batch_max;
    bool micro_batch_adaptive;
    uint32_t max_queue_depth;
    uint32_t pipeline_stages;
    bool double_buffering;
    het__policy_fallback fallback[HET__TRIGGER_COUNT];
    bool telemetry;
    uint32_t telemetry_interval_ms;
    const char *telemetry_sink; /* "log" or a path; NULL: log */
} het__policy;

/* ---- life ---- */

/* An empty policy, under which everything may go everywhere. */
void het__policy_init(het__policy *policy, het__mem *mem);
void het__policy_finish(het__policy *policy);

/* Read YAML. `what` names the document in messages and is needed for the call only. On failure the
 * policy is empty and finished; HET_E_INVALID: "WHAT:LINE: sentence". */
het_status het__policy_read(const char *text, size_t size, const char *what, het__mem *mem,
                            het__policy *policy, het_error *err);
/* The normalised form: reading it gives an equal policy, writing that the same text. */
void het__policy_write(const het__policy *policy, het__text *text);

/* Presets by name: their text; NULL if there is none. */
const char *het__policy_preset_text(const char *name);
const char *het__policy_preset_name(uint32_t index); /* NULL behind the last */

/* Append a copy. HET_E_INVALID if it says nothing, says two things, or leaves no device to nodes
 * that an earlier rule has placed; the policy is as before then. what: of messages, may be NULL. */
het_status het__policy_add_rule(het__policy *policy, const het__policy_rule *rule,
                                const char *what, het_error *err);
/* The limit of that device's name is replaced. */
het_status het__policy_set_limit(het__policy *policy, const het__policy_limit *limit,
                                 const char *what, het_error *err);
/* Append to a list; HET_E_INVALID if it is not the name of a device or the list is full. */
het_status het__policy_add_device(het__policy_devices *devices, const char *name, het_error *err);
/* Rules do not contradict each other or the list of devices. */
het_status het__policy_check(const het__policy *policy, const char *what, het_error *err);

/* "0-15", "3", "24-". False if it is no such thing. */
bool het__policy_layers_read(const char *text, int32_t *first, int32_t *last);
/* Whether text has the pattern's form: * any characters, ? one. */
bool het__glob_match(const char *pattern, const char *text);

/* ---- what it means on a machine ---- */

typedef struct het__policy_bits {
    bool is_skipped;
    uint32_t must, never; /* devices of the machine, as bits */
    uint8_t wish[HET__MACHINE_DEVICES_MAX]; /* place in the list; its length: not in it */
} het__policy_bits;

/* A policy's names resolved. Both policy and machine must outlive it. */
typedef struct het__policy_view {
    const het__policy *policy; /* NULL: none, everything is allowed */
    const het__machine *machine;
    het__mem *mem;
    het__policy_bits *rules; /* per rule of the policy */
    uint32_t enabled;        /* devices that may be used at all */
    uint32_t hosts;          /* devices of kind CPU or REFERENCE */
} het__policy_view;

/* policy may be NULL. HET_E_INVALID where a `must`, or the list of devices, names nothing that the
 * machine has, unless the policy says that this does not count. On failure nothing is left. */
het_status het__policy_bind(const het__policy *policy, const het__machine *machine, het__mem *mem,
                            het__policy_view *view, het_error *err);
void het__policy_view_finish(het__policy_view *view);

typedef struct het__policy_subject {
    het__node_label label;
    const char *name, *op; /* may be NULL */
    double flops, bytes;   /* of one run; bytes: weights, inputs and outputs */
} het__policy_subject;

typedef enum het__policy_cause {
    HET__CAUSE_NONE = 0,  /* no rule says anything */
    HET__CAUSE_RULE,      /* answer.rule */
    HET__CAUSE_DEVICES,   /* not in the list of devices */
    HET__CAUSE_MIN_FLOPS,
    HET__CAUSE_MIN_BYTES,
} het__policy_cause;

typedef struct het__policy_answer {
    bool is_allowed;
    uint32_t broken; /* wishes that the device would break: 0 is what is preferred */
    uint32_t cause;  /* het__policy_cause: of is_allowed, or of a wish */
    uint32_t rule;   /* index, with CAUSE_RULE */
    bool is_named;   /* by a rule that says must or prefer: max_transfer_ratio does not count */
} het__policy_answer;

void het__policy_subject_of(const het__graph *graph, uint32_t node, const het__node_label *label,
                            const het__work *work, het__policy_subject *subject);
/* Answers for all devices of the machine. O(rules). */
void het__policy_ask(const het__policy_view *view, const het__policy_subject *subject,
                     het__policy_answer answers[HET__MACHINE_DEVICES_MAX]);
/* Whether a node may go to one device; why receives a sentence ("policy: line 12: must be on
 * igpu"), and may be NULL. */
bool het__policy_allows(const het__policy_view *view, const het__policy_subject *subject,
                        uint32_t device, char *why, size_t why_bytes);
/* The sentence of an answer. */
void het__policy_why(const het__policy_view *view, const het__policy_answer *answer, char *why,
                     size_t why_bytes);
/* Whether a node may leave the host: transfer_ns to bring its inputs and fetch its outputs, node_ns
 * to run it there. Ask for devices off the host that the answer does not name. */
bool het__policy_transfer_allows(const het__policy_view *view, double transfer_ns, double node_ns);

/* Bytes that a device may hold: the least of the machine's own figures and all limits that name
 * it; INFINITY: nobody says. */
double het__policy_memory_limit(const het__policy_view *view, uint32_t device);
/* Bytes that a device may keep of experts at once, the least that is said; 0: nobody says. keep: of
 * the one that says so. */
double het__policy_experts(const het__policy_view *view, uint32_t device, uint32_t *keep);
/* Of limits that name a device: NEVER before ALWAYS before UNSAID. */
het__policy_stream het__policy_streams(const het__policy_view *view, uint32_t device);
/* Share of the rows that other devices than the one that has a product take of it, and which, as
 * bits: by the last of the policy's splits that means the product and names any; 0: none does. */
double het__policy_split_of(const het__policy_view *view, const het__policy_subject *subject,
                            uint32_t device, uint32_t *others);
/* Host threads; 0: nobody says. The profile "efficiency" halves the machine's units. */
uint32_t het__policy_threads(const het__policy_view *view, uint32_t device);
/* Never DEFAULT: without a word, energy under the profile "efficiency", else latency. policy may be
 * NULL. */
uint32_t het__policy_objective(const het__policy *policy);
/* Type of products on a device: het__peak, or HET__PEAK_COUNT: nobody says. */
uint32_t het__policy_precision_of(const het__policy_view *view, uint32_t device);
/* Devices of the machine that a name stands for, as bits. Those that the machine lacks count where
 * one is named by its number. */
uint32_t het__policy_select(const het__machine *machine, const char *name);
/* The same where work is given out: in place of what the machine lacks, what stands for it. */
uint32_t het__policy_workers(const het__machine *machine, const char *name);

/* ---- what has no effect yet, or never ---- */

/* Call visit for every key that is set and for every rule without effect, in the order of the
 * written form. */
typedef void (*het__policy_visit)(void *user, const het_policy_note *note);
void het__policy_notes(const het__policy *policy, het__policy_visit visit, void *user);

#endif /* HET_PARTITION_POLICY_H */

/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file simulation.h
 * What a plan would do over time: steps one after the other or side by side on devices that share
 * memories, with queues, limits and faults. Runs nothing and needs neither weights nor devices;
 * docs/simulation.md says what it can see and what not.
 *
 * A simulation has lanes, which do one thing at a time: the devices of the plan's machine, then the
 * links that the plan uses. It has rounds: repetitions of the plan, which are steps of a sequence,
 * chunks of a prompt, or runs of a graph.
 */
#ifndef HETINFER_SIMULATION_H
#define HETINFER_SIMULATION_H

#include <hetinfer/plan.h>
#include <hetinfer/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_simulation het_simulation;

/** Which of the tasks that wait for a lane is next. */
typedef enum het_schedule {
    HET_SCHEDULE_DEFAULT = 0,       /**< The policy's; without one HET_SCHEDULE_IN_ORDER. */
    HET_SCHEDULE_IN_ORDER = 1,      /**< As they are enqueued, as sessions do it. */
    HET_SCHEDULE_FIFO = 2,          /**< The one that has been ready longest. */
    HET_SCHEDULE_BANDWIDTH = 3,     /**< The one ready longest that the memory has bandwidth for; if
                                         there is none, the one that needs least. */
    HET_SCHEDULE_CRITICAL_PATH = 4, /**< The one with the longest way to the end. */
    HET_SCHEDULE_FORCE_32 = 0x7fffffff
} het_schedule;

/** What goes wrong. */
typedef enum het_fault_kind {
    HET_FAULT_SLOW = 1,  /**< The device needs `factor` times as long from begin_ns to end_ns. */
    HET_FAULT_LOSS = 2,  /**< The device is gone from begin_ns on. */
    HET_FAULT_ERROR = 3, /**< The first `count` attempts of the device's task `index` fail. */
    HET_FAULT_KIND_FORCE_32 = 0x7fffffff
} het_fault_kind;

/** One fault. Fields that its kind does not name are not looked at. */
typedef struct het_fault {
    uint32_t kind;   /**< het_fault_kind. */
    uint32_t device; /**< In the plan's machine. */
    uint32_t index;  /**< Of a task, among those that the plan gives to the device. */
    uint32_t count;  /**< Attempts that fail. */
    double begin_ns; /**< From here on. */
    double end_ns;   /**< To here. */
    double factor;   /**< In [1, 1000]. */
} het_fault;

/** Each node is a task of its own; otherwise each layer on one device is. */
#define HET_SIMULATION_BY_NODE (UINT64_C(1) << 0)
/** A prompt's micro-batches grow while the memories have bandwidth left, and are halved where they
 *  have not: from micro_batch_min tokens up to the plan's. */
#define HET_SIMULATION_ADAPTIVE (UINT64_C(1) << 1)

/** Options of het_simulation_make(). What is zero here and set in the policy is as the policy has
 *  it. */
typedef struct het_simulation_options {
    uint32_t struct_size;    /**< sizeof(het_simulation_options). */
    uint32_t schedule;       /**< het_schedule. */
    uint64_t flags;          /**< HET_SIMULATION_*. */
    uint32_t step_count;     /**< Steps of each sequence, or runs of a graph; 0 = 1. */
    uint32_t sequence_count; /**< Sequences side by side; 0 = 1. */
    uint32_t micro_batch_count; /**< Equal parts of a prefill step; 0 = 1. */
    uint32_t micro_batch_min;   /**< Tokens, with HET_SIMULATION_ADAPTIVE; 0 = an eighth of what
                                     micro_batch_count gives. */
    uint32_t buffer_count;   /**< Rounds that a task may be ahead of its readers; 0 = 2, double
                                  buffering. */
    uint32_t round_count_max; /**< Rounds that may be under way at once; 0 = no limit. */
    uint32_t queue_count_max; /**< Tasks handed to a device and not done; 0 = no limit. */
    uint32_t retry_count_max; /**< Attempts after the first one, up to 32. */
    double backoff_ns;       /**< Before the first of them; doubles with each. */
    double token_bytes_per_s; /**< What running tasks may ask a memory for together: the next one
                                   waits. 0 = no limit. */
    const het_policy *policy; /**< Scheduling, bandwidth, micro-batches, pipelining, fallbacks. May
                                   be NULL. */
    const het_fault *faults; /**< May be NULL if there are none. */
    uint32_t fault_count;    /**< Of faults. */
    uint32_t fallback;       /**< 1 + device that takes over from one that is lost; 0 = the first
                                  host, or else the first that is left. */
} het_simulation_options;

/** Initial value of a het_simulation_options: one round, no faults. */
#define HET_SIMULATION_OPTIONS_INIT \
    { sizeof(het_simulation_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, 0 }

/** Totals. */
typedef struct het_simulation_info {
    uint32_t struct_size;    /**< Set by the caller. */
    uint32_t is_complete;    /**< 1: everything was done; 0: a fault had no way out. */
    uint32_t device_count;   /**< Lanes that are devices: [0, device_count). */
    uint32_t lane_count;     /**< Devices and links. */
    uint32_t memory_count;   /**< Memories. */
    uint32_t event_count;    /**< Attempts at tasks. */
    uint32_t rate_count;     /**< Changes of a memory's rate. */
    uint32_t round_count;    /**< Repetitions of the plan. */
    uint32_t task_count;     /**< Tasks that were done. */
    uint32_t figures_source; /**< het_source of the figures behind the times. */
    double token_count;      /**< Tokens of all rounds; runs of a graph. */
    double makespan_ns;      /**< Until the last task ends, or the run fails. */
    double round_ns;         /**< One round alone, without faults. */
    double bound_ns;         /**< No order of the tasks is faster without faults; 0 with
                                  HET_SIMULATION_ADAPTIVE, which changes them. */
    double held_ns;          /**< Time in which a full queue held back the others. */
    double joules;           /**< 0 where the machine's figures know nothing of it. */
} het_simulation_info;

/** What became of an attempt. */
typedef enum het_outcome {
    HET_OUTCOME_DONE = 0,   /**< It has a result. */
    HET_OUTCOME_FAILED = 1, /**< An error; it is tried again. */
    HET_OUTCOME_LOST = 2,   /**< Its device was lost. */
    HET_OUTCOME_FORCE_32 = 0x7fffffff
} het_outcome;

/** What kept a task from beginning earlier. */
typedef enum het_wait_cause {
    HET_WAIT_NOTHING = 0, /**< It began at once. */
    HET_WAIT_DATA = 1,    /**< Another task makes what it needs. */
    HET_WAIT_LANE = 2,    /**< Another task had its device or link. */
    HET_WAIT_TOKENS = 3,  /**< Another task had the bandwidth. */
    HET_WAIT_QUEUE = 4,   /**< A queue was full. */
    HET_WAIT_FAULT = 5,   /**< An earlier attempt. */
    HET_WAIT_CAUSE_FORCE_32 = 0x7fffffff
} het_wait_cause;

/** One attempt at a task. Strings are borrowed from the simulation. */
typedef struct het_simulation_event {
    uint32_t struct_size; /**< Set by the caller. */
    uint32_t lane;        /**< Where. */
    uint32_t task;        /**< Which; attempts at one task share it. */
    uint32_t round;       /**< Of which repetition of the plan. */
    uint32_t sequence;    /**< Of which sequence. */
    uint32_t outcome;     /**< het_outcome. */
    uint32_t wait;        /**< het_wait_cause; of a first attempt that came to nothing
                               HET_WAIT_NOTHING. */
    uint32_t after;       /**< Event that ended the wait; UINT32_MAX: none. */
    int32_t layer;        /**< Block index; -1 before and after the blocks. */
    uint32_t is_transfer; /**< 1: a copy from one device to another. */
    const char *name;     /**< "block 3"; of a node or a copied value: its name. */
    const char *operations; /**< Names of the operations, comma-separated; "transfer". */
    double ready_ns;      /**< When nothing but its lane was missing; the last attempt's. */
    double begin_ns;      /**< Begin. */
    double end_ns;        /**< End. */
    double bytes;         /**< That it moves through its memory, in the round's nominal size. */
} het_simulation_event;

/** A device or a link. Busy, throttled, idle and lost times are the makespan. */
typedef struct het_simulation_lane {
    uint32_t struct_size; /**< Set by the caller. */
    uint32_t from;        /**< Device; of a link: where it comes from. */
    uint32_t to;          /**< The same device; of a link: where it goes. */
    uint32_t memory;      /**< That it loads; UINT32_MAX: none. */
    uint32_t task_count;  /**< Done here. */
    uint32_t queue_peak;  /**< Most tasks handed over and not done. */
    const char *name;     /**< Of the device; "cpu to igpu". */
    const char *backend;  /**< Of the device; of a link "". */
    double busy_ns;       /**< Tasks, whatever came of them. */
    double contended_ns;  /**< Of busy_ns: what sharing the memory cost. */
    double throttled_ns;  /**< A task was ready, and the bandwidth was handed out. */
    double idle_ns;       /**< Nothing was ready. */
    double lost_ns;       /**< The device was gone. */
} het_simulation_lane;

/** One memory. */
typedef struct het_simulation_memory {
    uint32_t struct_size;  /**< Set by the caller. */
    uint32_t lane_count;   /**< Lanes that load it. */
    const char *name;      /**< As the machine calls it. */
    double bytes_per_s;    /**< What it has; 0: no limit known. */
    double bytes;          /**< Moved in all. */
    double peak_bytes_per_s; /**< Most at a time. */
    double saturated_ns;   /**< Time in which tasks asked for more than it has. */
} het_simulation_memory;

/** A memory's rate changes. */
typedef struct het_simulation_rate {
    uint32_t struct_size;  /**< Set by the caller. */
    uint32_t memory;       /**< Which. */
    double at_ns;          /**< From here on, until its next change. */
    double bytes_per_s;    /**< All its lanes together. */
} het_simulation_rate;

/**
 * Simulate a plan.
 *
 * @param plan        Made by het_plan_make(); kept alive by the simulation.
 * @param options     May be NULL: one round.
 * @param simulation  Receives the handle.
 * @param err         May be NULL.
 * @retval HET_E_INVALID      A number is out of range, a fault names no device, or rounds and tasks
 *                            are too many; the message says which.
 * @retval HET_E_UNSUPPORTED  The plan is a session's, or of a graph that is run without one.
 *
 * A run that ends in a fault is a result: is_complete is 0. Deterministic: the same plan and
 * options give the same events, bit for bit. Cost: about a microsecond per task.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_simulation_make(const het_plan *plan,
                                                     const het_simulation_options *options,
                                                     het_simulation **simulation, het_error *err);

/**
 * Totals.
 *
 * @param simulation  Simulation.
 * @param info        Filled up to info->struct_size bytes.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_simulation_get_info(const het_simulation *simulation,
                                                         het_simulation_info *info);

/**
 * One attempt, in order of their ends; among equals by lane.
 *
 * @param simulation  Simulation.
 * @param index       In [0, event_count).
 * @param event       Filled up to event->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_simulation_event_at(const het_simulation *simulation,
                                                         uint32_t index,
                                                         het_simulation_event *event);

/**
 * One device or link.
 *
 * @param simulation  Simulation.
 * @param index       In [0, lane_count); devices come first, as the machine numbers them.
 * @param lane        Filled up to lane->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_simulation_lane_at(const het_simulation *simulation,
                                                        uint32_t index,
                                                        het_simulation_lane *lane);

/**
 * One memory.
 *
 * @param simulation  Simulation.
 * @param index       In [0, memory_count).
 * @param memory      Filled up to memory->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_simulation_memory_at(const het_simulation *simulation,
                                                          uint32_t index,
                                                          het_simulation_memory *memory);

/**
 * One change of a memory's rate, in order of time.
 *
 * @param simulation  Simulation.
 * @param index       In [0, rate_count).
 * @param rate        Filled up to rate->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_simulation_rate_at(const het_simulation *simulation,
                                                        uint32_t index,
                                                        het_simulation_rate *rate);

/**
 * Give a simulation up.
 * @param simulation  May be NULL.
 * @since 0.1
 */
HET_API void het_simulation_destroy(het_simulation *simulation);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_SIMULATION_H */

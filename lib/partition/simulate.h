/* SPDX-License-Identifier: Apache-2.0 */
/* Discrete events: tasks on lanes -> when each begins and ends. Pure arithmetic, like place.h.
 *
 * A lane is a device or a link: it runs one task at a time. A task takes its launch, then
 *
 *     alone = max(compute_ns, bytes / bandwidth)
 *
 * while it asks its lane's memory group for a steady bytes / alone. Where the tasks that run ask a
 * group for more than it has, each gets what it asks for or an equal share, whichever is less
 * (max-min), and goes on at that part of its speed. Rates change only at events, so that times are
 * exact: a task that nothing disturbs ends at begin + launch + alone to the last bit.
 *
 * Dependencies point to lower task numbers, so there are no cycles and no deadlocks. Ties go to the
 * lower number: equal problems give equal results, byte for byte.
 *
 * Time O((tasks + dependencies) log tasks + events * lanes); memory linear, taken before the first
 * event except for the rate track. */
#ifndef HET_PARTITION_SIMULATE_H
#define HET_PARTITION_SIMULATE_H

#include "lib/base/mem.h"

#include <hetinfer/base.h>

#define HET__SIM_NONE UINT32_MAX
#define HET__SIM_TASKS_MAX (1u << 24)
/* How far down its queue a lane looks for a task that fits under HET__SIM_BANDWIDTH. */
#define HET__SIM_WINDOW 64

/* Which of the tasks that wait for a lane comes next. Among equals of each: the lower number. */
typedef enum het__sim_policy {
    HET__SIM_IN_ORDER = 0,  /* by number, ready or not: the lane waits for it */
    HET__SIM_FIFO,          /* the one that has been ready longest */
    HET__SIM_BANDWIDTH,     /* the one ready longest that its group has bandwidth left for; if there
                               is none, the one that asks for least */
    HET__SIM_CRITICAL_PATH, /* the one with the longest way to the end, alone times added up */
    HET__SIM_POLICY_COUNT
} het__sim_policy;

/* What a task takes where it runs. */
typedef struct het__sim_cost {
    uint32_t lane;
    double launch_ns;  /* loads no memory */
    double compute_ns; /* with all bytes at hand */
    double bytes;      /* of the lane's group, read and written */
    double joules;     /* beyond what the lane's watts say */
} het__sim_cost;

typedef struct het__sim_task {
    het__sim_cost cost;
    double fixed_bytes;  /* part of cost.bytes that the size of its batch does not change */
    double release_ns;   /* not before */
    uint32_t first_dependency, dependency_count; /* of problem->dependencies */
    int32_t priority;    /* higher first, before the policy is asked; HET__SIM_IN_ORDER: unused */
    uint32_t batch;      /* whose size the hook chooses; HET__SIM_NONE: none */
} het__sim_task;

typedef struct het__sim_lane {
    uint32_t group;      /* HET__SIM_NONE: bytes cost nothing but the lane's own bandwidth */
    double bandwidth;    /* bytes/s alone; 0: no limit but the group's */
    double busy_watts, idle_watts;
} het__sim_lane;

typedef struct het__sim_group {
    double bandwidth;    /* bytes/s of all its lanes together; 0: no limit */
    double token_bandwidth; /* bytes/s that running tasks may ask for together: the next one waits,
                               and a task that asks for more alone goes at this rate. 0: no limit */
    double token_size;   /* bytes/s of one token: tasks take whole ones. 0: as much as they need */
} het__sim_group;

/* A lane is slower for a while; windows of one lane that overlap multiply. */
typedef struct het__sim_slow {
    uint32_t lane;
    double begin_ns, end_ns;
    double factor;       /* >= 1: time that the same work takes */
} het__sim_slow;

/* A lane is lost for good: what it was running is begun anew on the fallback, what is queued or
 * comes later goes there as well. */
typedef struct het__sim_loss {
    uint32_t lane;
    double at_ns;
} het__sim_loss;

/* The first `count` attempts of a task fail at their end. */
typedef struct het__sim_error {
    uint32_t task, count;
} het__sim_error;

/* What a batch hook sees: the time since it was asked last, or since 0. */
typedef struct het__sim_view {
    uint32_t batch;
    double now_ns, window_ns;
    double utilisation;  /* of the group whose bandwidth was used most, 0 to 1; 0 without limits */
} het__sim_view;

typedef struct het__sim_problem {
    uint32_t task_count, dependency_count, lane_count, group_count;
    const het__sim_task *tasks;
    const uint32_t *dependencies; /* task numbers, lower than the task's own */
    const het__sim_lane *lanes;
    const het__sim_group *groups;
    uint32_t policy;     /* het__sim_policy */
    /* Tasks are handed to their lanes by number; where a lane has so many that are not done, the
     * handing over stops, for all lanes, until it has one less. 0: no limit. */
    uint32_t queue_depth;
    /* faults */
    uint32_t slow_count, loss_count, error_count;
    const het__sim_slow *slow;
    const het__sim_loss *losses;
    const het__sim_error *errors;
    uint32_t retry_max;  /* attempts after the first; then the task goes to the fallback */
    double backoff_ns;   /* before the first retry; doubles with each */
    /* Per lane: where its tasks go at equal cost when it is lost; HET__SIM_NONE: the run fails.
     * NULL: none has one. */
    const uint32_t *fallback;
    /* Instead of the table: fill *cost (given: what the task took on the lost lane) or return
     * false. Must be pure. */
    bool (*move)(void *user, uint32_t task, uint32_t lost, het__sim_cost *cost);
    /* Asked once per batch, when the first of its tasks becomes ready: factor, >= 0, on compute_ns,
     * joules and bytes but fixed_bytes; at 0 its tasks take no time and leave no spans. NULL:
     * 1. */
    double (*batch)(void *user, const het__sim_view *view);
    void *user;          /* of both */
    bool track;          /* keep the rates of groups over time */
} het__sim_problem;

/* What kept a task from beginning earlier. */
typedef enum het__sim_wait {
    HET__SIM_WAIT_NOTHING = 0, /* began at 0 or at its release */
    HET__SIM_WAIT_DATA,        /* `after` made what it needs */
    HET__SIM_WAIT_LANE,        /* `after` had its lane */
    HET__SIM_WAIT_TOKENS,      /* `after` gave back the bandwidth */
    HET__SIM_WAIT_QUEUE,       /* `after` made room in a full queue */
    HET__SIM_WAIT_FAULT,       /* an error or a loss; `after` is the task itself */
} het__sim_wait;

/* A task's last attempt. Not run: begin_ns and end_ns are NAN. */
typedef struct het__sim_times {
    double ready_ns, begin_ns, end_ns;
    uint32_t lane;       /* where it ran in the end */
    uint32_t attempts;
    uint32_t wait;       /* het__sim_wait */
    uint32_t after;      /* task, or HET__SIM_NONE */
} het__sim_times;

typedef enum het__sim_end {
    HET__SIM_DONE = 0,
    HET__SIM_FAILED_ATTEMPT,  /* an error */
    HET__SIM_LOST_ATTEMPT,    /* its lane was lost */
} het__sim_end;

/* An attempt. In order of their ends, lanes ascending among equals. */
typedef struct het__sim_span {
    uint32_t task, lane;
    double begin_ns, end_ns;
    uint32_t end;        /* het__sim_end */
} het__sim_span;

/* busy + throttled + idle + lost is the makespan. */
typedef struct het__sim_lane_times {
    double busy_ns;      /* launches and attempts, whatever came of them */
    double contended_ns; /* of busy_ns: what sharing the group cost */
    double throttled_ns; /* a task was ready and had no tokens */
    double idle_ns;
    double lost_ns;
    uint32_t task_count; /* that were done here */
    uint32_t queue_peak; /* handed over and not done */
} het__sim_lane_times;

typedef struct het__sim_group_times {
    double bytes;        /* moved, attempts that failed included */
    double peak_rate;    /* bytes/s */
    double saturated_ns; /* time in which tasks asked for more than there was */
} het__sim_group_times;

/* From at_ns on, until the group's next entry. */
typedef struct het__sim_rate {
    uint32_t group;
    double at_ns;
    double rate;         /* bytes/s */
} het__sim_rate;

typedef struct het__sim_result {
    het__mem *mem;
    double makespan_ns;  /* end of the last attempt, or when the run failed */
    double joules;
    double held_ns;      /* time in which handing over stood still */
    bool completed;
    uint32_t failed_task; /* that had nowhere to go; HET__SIM_NONE */
    uint32_t task_count, lane_count, group_count, span_count, rate_count;
    het__sim_times *tasks;
    het__sim_span *spans;
    het__sim_lane_times *lanes;
    het__sim_group_times *groups;
    het__sim_rate *rates;
} het__sim_result;

/* Simulate. HET_E_INVALID: a number is out of range, with a sentence; HET_E_NOMEM. A run that fails
 * by its faults is a result (completed is false). Nothing to finish on failure. */
het_status het__simulate(const het__sim_problem *problem, het__mem *mem, het__sim_result *result,
                         het_error *err);
void het__sim_finish(het__sim_result *result);

/* What a task takes on a lane with nothing beside it, launch included; slowness aside. */
double het__sim_alone_ns(const het__sim_problem *problem, const het__sim_cost *cost);
/* No run without faults is shorter: the longest way through the dependencies, the most loaded lane,
 * and the most loaded group, whichever is longest. HET_E_NOMEM is the only failure. */
het_status het__sim_bound_ns(const het__sim_problem *problem, het__mem *mem, double *bound_ns);

/* Sizes of micro-batches by bandwidth utilisation: one step more while it is under `low`, half
 * above `high`. A batch hook whose user it is. */
typedef struct het__sim_aimd {
    double size, step, size_min, size_max;
    double low, high;    /* utilisation */
    double left;         /* of the work to hand out, in the same unit as size */
} het__sim_aimd;

double het__sim_aimd_next(void *aimd, const het__sim_view *view);

/* ---- repetition (simulate_repeat.c) ---- */

/* How tasks of one round follow those of the round before. */
typedef enum het__sim_carry {
    HET__SIM_CARRY_NONE = 0, /* rounds are independent but for lanes and buffers */
    HET__SIM_CARRY_SAME,     /* each task after its own of the round before: state in order */
    HET__SIM_CARRY_ALL,      /* tasks that need none after those that none needs: decode steps */
} het__sim_carry;

/* Rounds of one template: steps, chunks, micro-batches, sequences. Task t of round r is number
 * r * task_count + t. */
typedef struct het__sim_repeat {
    uint32_t rounds;
    uint32_t carry;      /* het__sim_carry */
    uint32_t streams;    /* rounds of so many streams take turns, each follows its own stream's
                            last; 0 = 1 */
    uint32_t buffers;    /* rounds that the buffer between a task and its readers holds: a task
                            waits until all readers of its output of `buffers` rounds before have
                            ended. 2: double buffering. 0: no limit */
    uint32_t in_flight;  /* rounds begun and not ended at most, counted over all streams: tasks that
                            need none wait for all that none needs. 0: no limit */
    bool batches;        /* round r is batch r of the hook */
} het__sim_repeat;

/* Make the tasks and dependencies of all rounds; both arrays are the caller's to het__free(), and
 * neither is set on failure. HET_E_NOMEM, or HET_E_INVALID if there are too many. */
het_status het__sim_repeat_make(const het__sim_problem *round, const het__sim_repeat *repeat,
                                het__mem *mem, het__sim_task **tasks, uint32_t *task_count,
                                uint32_t **dependencies, uint32_t *dependency_count,
                                het_error *err);

#endif /* HET_PARTITION_SIMULATE_H */

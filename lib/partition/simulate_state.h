/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the simulation share: the state between two events.
 *
 *   simulate.c        events in order, handing over, ends of tasks
 *   simulate_queue.c  which task a lane takes next, tokens
 *   simulate_rates.c  how fast running tasks go, and what time and bytes that adds up to
 *   simulate_fault.c  losses, errors, slowness
 *   simulate_check.c  whether a problem makes sense, and bounds of its result */
#ifndef HET_PARTITION_SIMULATE_STATE_H
#define HET_PARTITION_SIMULATE_STATE_H

#include "lib/partition/simulate.h"

#define SIM_WINDOWS_MAX 1024  /* slow windows, losses */
#define SIM_RETRY_MAX 32
#define SIM_NUMBER_MAX 1e18   /* ns, bytes, bytes/s: sums of all tasks stay finite */
/* Bandwidths and times that differ by less come from different roundings of the same. */
#define SIM_EPSILON 1e-12

typedef struct het__sim_item {
    het__sim_cost cost;      /* at size 1 of its batch, where it runs now */
    double path_ns;          /* to the end, itself included */
    double not_before;       /* release, or end of a back-off */
    uint32_t missing;        /* dependencies not done, and 1 while not handed over */
    uint32_t errors;         /* attempts that still fail */
    uint32_t tries;          /* failed on this lane */
    uint32_t child, sibling; /* in a heap */
    bool is_handed, is_done;
} het__sim_item;

typedef struct het__sim_track {
    uint32_t queue;          /* heap of tasks that wait; in order: of all that were handed over */
    uint32_t running;        /* task, or HET__SIM_NONE */
    bool is_working;         /* past its launch */
    bool is_lost;
    bool is_throttled;       /* the next task has no tokens */
    uint32_t depth;          /* handed over, not done */
    uint32_t last;           /* task that had the lane before */
    double free_ns;          /* when `last` ended */
    double lost_at;          /* INFINITY: never */
    double slow;             /* time that the same work takes now, >= 1 */
    double begin_ns;         /* of the attempt */
    double since, left, speed; /* of the phase: at `since` it had `left` ns to go at full speed */
    double alone_ns;         /* of the work phase */
    double next_ns;          /* end of the phase; INFINITY: idle */
    double demand;           /* bytes/ns that the running task asks for at full speed */
} het__sim_track;

typedef struct het__sim_pool {
    double rate;             /* bytes/ns now */
    double bytes_seen;       /* when the hook was asked last */
    uint32_t last;           /* task that ended last here */
    bool is_saturated, is_dirty;
    bool is_held;            /* somebody waits for its tokens */
} het__sim_pool;

typedef struct het__sim {
    const het__sim_problem *p;
    het__mem *mem;
    het__sim_result *r;
    double now;
    uint32_t handed, done;   /* tasks */
    uint32_t timers;         /* heap of tasks that are ready but for not_before */
    uint32_t boundary;       /* of boundaries: next */
    uint32_t full;           /* lane whose queue had no room; HET__SIM_NONE */
    uint32_t rate_max;       /* entries that r->rates has room for */
    double asked_ns;         /* when the hook was asked last */
    het__sim_item *items;
    het__sim_track *tracks;
    het__sim_pool *pools;
    uint32_t *first_next, *next; /* tasks that need a task */
    double *scales;          /* per batch; NAN: not asked yet */
    double *boundaries;      /* begins and ends of slow windows, ascending */
    uint32_t *order;         /* scratch: a lane each */
    double *sorted;          /* scratch: a lane each */
    bool failed, out_of_memory;
} het__sim;

/* Two times are one event. */
static inline bool het__sim_is_due(const het__sim *s, double ns)
{
    return ns <= s->now + s->now * SIM_EPSILON + 1e-9;
}

/* simulate_check.c */
het_status het__sim_check(const het__sim_problem *problem, het_error *err);
bool het__sim_cost_is_sane(const het__sim_problem *problem, const het__sim_cost *cost);
/* Time of the work phase at full speed. */
double het__sim_work_ns(const het__sim_problem *problem, const het__sim_cost *cost);
/* first_next and next of a problem. */
bool het__sim_successors(const het__sim_problem *problem, het__mem *mem, uint32_t **first_next,
                         uint32_t **next);
/* Longest way from each task to the end. */
void het__sim_paths(const het__sim_problem *problem, const uint32_t *first_next,
                    const uint32_t *next, double *path_ns);

/* simulate_queue.c: heaps of tasks linked through their items. */
uint32_t het__sim_push(het__sim *s, uint32_t heap, uint32_t task, bool by_time);
uint32_t het__sim_pop(het__sim *s, uint32_t heap, bool by_time);
/* Begin what can begin now. */
void het__sim_dispatch(het__sim *s);

/* simulate_rates.c */
void het__sim_begin(het__sim *s, uint32_t lane, uint32_t task);
void het__sim_work(het__sim *s, uint32_t lane); /* the launch is over */
void het__sim_stop(het__sim *s, uint32_t lane, het__sim_end end);
void het__sim_share(het__sim *s);
void het__sim_advance(het__sim *s, double to);
/* What a task takes in the size that the hook chose for its batch. */
het__sim_cost het__sim_scaled(het__sim *s, uint32_t task);

/* simulate_fault.c */
void het__sim_slowness(het__sim *s);
void het__sim_losses(het__sim *s);
/* An attempt has failed. */
void het__sim_retry(het__sim *s, uint32_t lane, uint32_t task);
/* Move a task off lanes that are lost; false: the run has failed. */
bool het__sim_settle(het__sim *s, uint32_t task);

/* simulate.c: a task's dependencies are done and it was handed over. It joins its lane's queue when
 * its time has come; under HET__SIM_IN_ORDER it is in it. */
void het__sim_ready(het__sim *s, uint32_t task, het__sim_wait why, uint32_t after);

#endif /* HET_PARTITION_SIMULATE_STATE_H */

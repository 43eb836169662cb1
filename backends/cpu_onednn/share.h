/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing out the tasks of a step among workers of different speed.
 *
 *     tasks      0                                                   n
 *                [ worker 0          | worker 1 | worker 2           )
 *     worker     takes from the front of its range; with nothing left, it takes a part of the
 *                range that would last longest, from its back
 *
 * Ranges are as long as the workers are fast, so that each reads one stream of memory and steals
 * seldom. Speeds are work per time of the steps before, smoothed; nothing but the distribution of
 * tasks depends on them. Two kinds of work have speeds of their own: cores that share a memory bus
 * differ less when they wait for it.
 *
 * A worker's range lies in one word with the number of the step that it belongs to. Whoever needs
 * a range of this step first sets it, the owner or a thief, so that a worker that comes late, or
 * not at all, keeps nobody waiting.
 */
#ifndef HET_CPU_SHARE_H
#define HET_CPU_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/base/mem.h"

typedef enum het__load {
    HET__LOAD_STREAM = 0, /* bound by memory: one token */
    HET__LOAD_COMPUTE,    /* many tokens */
    HET__LOAD_KINDS
} het__load;

/* A range's ends have 24 bits. */
#define HET__SHARE_TASKS_MAX (INT64_C(1) << 24)

typedef struct het__share_slot {
    _Alignas(64) _Atomic uint64_t range; /* step, begin, end; by everybody */
    /* By its worker; learn() reads it. */
    _Alignas(64) double work[HET__LOAD_KINDS], ns[HET__LOAD_KINDS];
    /* By learn(). */
    double speed[HET__LOAD_KINDS]; /* 0: unknown */
    uint32_t cut[HET__LOAD_KINDS]; /* where its range begins, in 1/2^16 of the tasks */
} het__share_slot;

typedef struct het__share {
    het__share_slot *slots; /* [count] */
    uint32_t count;
    uint32_t cleaned; /* number of a step, when no range was older than that */
} het__share;

/* One worker's view of the step that it is in. */
typedef struct het__share_step {
    het__share *share;
    int64_t tasks;
    het__load kind;
    uint32_t worker;
    uint32_t number;
} het__share_step;

het_status het__share_init(het__share *share, het__mem *mem, uint32_t count, het_error *err);
void het__share_finish(het__share *share, het__mem *mem);

/* While no step runs: new ranges from what the workers noted since the last call. number: of the
 * last step, or any that is not used again; between two calls numbers rise by less than 2^15. */
void het__share_learn(het__share *share, uint32_t number);

/* By each worker that takes part in a step, with the same number, kind and tasks, below
 * HET__SHARE_TASKS_MAX. All have left one step before any enters the next, which has a higher
 * number. */
het__share_step het__share_enter(het__share *share, uint32_t worker, uint32_t number,
                                 het__load kind, int64_t tasks);
/* The next task, or -1: nothing is left to take. */
int64_t het__share_take(const het__share_step *step);
/* What the worker did in this step, in any unit that steps of a kind share. */
void het__share_note(const het__share_step *step, double work, double ns);

#endif /* HET_CPU_SHARE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of a session whose products are divided by rows between devices, and whose branches run
 * beside each other.
 *
 *     plan of the graph ─▶ what to divide: the policy's splits, or what a simulation found to pay
 *                     ─▶ graph with parts and joins (lib/passes/split_rows.h)
 *                     ─▶ plan of that: parts where they were meant to be, all else as before
 *
 * All phases run the same graph, so a product is cut at the shares of all of them and each has its
 * parts where it wants them: a device holds each row at most once. */
#ifndef HET_EXEC_SPLIT_H
#define HET_EXEC_SPLIT_H

#include "lib/exec/executor.h"

/* Plan beside the request: zero is an ordinary plan. */
typedef struct het__exec_planning {
    const het__graph *graph; /* in place of the request's; NULL: that one */
    /* het__plan_request; steps are numbered by het__exec_step_of(). */
    bool split, simulated;
    const uint8_t *given, *begins;
} het__exec_planning;

/* Number of a phase's step in a problem of all of them: prefill comes first. */
static inline uint32_t het__exec_step_of(uint32_t phase_count, uint32_t phase)
{
    return phase_count - 1 - phase;
}
/* How often a phase's step runs, against the other phase. */
double het__exec_phase_weight(uint32_t phase_count, uint32_t phase);

/* support.c: one plan per phase of the request. */
het_status het__exec_plan_with(const het__exec_request *request, const het__exec_planning *how,
                               het__mem *mem, het__plan *plans, het_error *err);
/* Why a device of the registry does not run a node of a graph, in a session of these options, but
 * for the policy; NULL: it does. Else in the arena, or "" where memory ran out. */
const char *het__exec_refusal(const het__exec_request *request, const het__graph *graph,
                              uint32_t node, uint32_t device, het__arena *arena);

/* Plans of a session, one per phase. graph: the graph that they are of, to be finished after them;
 * its arena.mem is NULL if that is the request's. It borrows the request's. A split that cannot be
 * leaves the plans without; the log says so if the policy named it. */
het_status het__exec_plan_split(const het__exec_request *request, het__mem *mem, het__plan *plans,
                                het__graph *graph, het_error *err);

#endif /* HET_EXEC_SPLIT_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* The placement problem of a graph, a machine and a policy. Node n of step k is node n * steps + k
 * of the problem: what steps share is used by neighbours, so that few weights are in between at a
 * time. */
#ifndef HET_PARTITION_PLAN_PROBLEM_H
#define HET_PARTITION_PLAN_PROBLEM_H

#include "lib/partition/place.h"
#include "lib/partition/plan.h"

typedef struct het__plan_problem {
    const het__plan_request *request;
    het__arena *arena;
    uint32_t steps, devices, nodes; /* nodes: of the graph */
    het__plan_step step[HET__PLAN_STEPS_MAX];
    uint32_t objective; /* het_objective, never DEFAULT */
    het__work *work;       /* per node and step */
    double *node_ns;       /* per node, step and device: one run; INFINITY: not there */
    const char **reasons;  /* likewise: why not there; else NULL */
    uint32_t *broken;      /* likewise: wishes of the policy that it breaks; NULL: no policy */
    double wish;           /* what a broken wish counts in place.node_cost */
    double *node_cost;     /* of the objective, without wishes */
    uint32_t *value_ids;   /* per value of place: of the graph */
    double **transfer_ns;  /* likewise: one copy, [from * devices + to] */
    uint32_t *store_ids;   /* per store of place: of the graph */
    double limit[HET__PLACE_DEVICES_MAX]; /* bytes; INFINITY: none */
    uint32_t slot_devices; /* bits: devices that keep some experts only */
    uint32_t slot_count[HET__PLACE_DEVICES_MAX];
    double slot_bytes[HET__PLACE_DEVICES_MAX]; /* of all slots */
    double slot_share[HET__PLACE_DEVICES_MAX]; /* slots in parts of all experts of the graph */
    uint32_t slot_first;   /* stores from here on are slots */
    het__place_problem place; /* with wishes */
    het__place_problem plain; /* the same without */
} het__plan_problem;

/* Fill a problem in memory of the arena. */
het_status het__plan_problem_make(const het__plan_request *request, het__arena *arena,
                                  het__plan_problem *problem, het_error *err);

/* plan_slots.c. What devices keep of experts; called before nodes have costs. */
void het__plan_slots_find(het__plan_problem *problem);
/* Time that a mixture is expected to wait for experts on a device; 0 for all else. */
double het__plan_bring_ns(const het__plan_problem *problem, uint32_t node, uint32_t step,
                          uint32_t device);
/* Whether a value is a stack of experts, which takes nothing on slot_devices. */
bool het__plan_slots_hold(const het__plan_problem *problem, uint32_t value);
/* Add the slots' stores, for which there is room. False: out of memory. */
bool het__plan_slots_store(het__plan_problem *problem, het__place_store *stores);

/* plan_together.c: a placement in which all steps have the same devices, per node of the problem.
 * HET_E_UNSUPPORTED: there is none that keeps the limits, or none was found. */
het_status het__plan_place_together(const het__plan_problem *problem, het__mem *mem,
                                    uint8_t *devices);

/* plan_entry.c: entries, transfers and memory of the plan of one step. devices: of the placement,
 * per node of the problem. False: out of memory. */
bool het__plan_describe(const het__plan_problem *problem, const uint8_t *devices, uint32_t step,
                        het__plan *plan);

/* plan_split.c: simulate one step of the plan, and look for products and branches that pay when
 * another device takes part, if the request has split. Fills simulated_ns, split_ns, splits. */
het_status het__plan_split_find(const het__plan_problem *problem, const uint8_t *devices,
                                uint32_t step, het__plan *plan, het_error *err);

#endif /* HET_PARTITION_PLAN_PROBLEM_H */

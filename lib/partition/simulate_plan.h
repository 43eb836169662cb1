/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as tasks: what runs where, what is carried between, step after step, on a machine whose
 * devices share memories. Works on data alone: no weights, no devices.
 *
 * A device's lane has the device's number, links come behind. A unit of work is an entry of the
 * plan, or a node. It takes what the plan says, no less: bytes beyond what the memory could move in
 * that time come from caches and load nothing. A transfer inside one memory loads it twice, reading
 * and writing; one between two memories loads the slower. */
#ifndef HET_PARTITION_SIMULATE_PLAN_H
#define HET_PARTITION_SIMULATE_PLAN_H

#include "lib/partition/plan.h"
#include "lib/partition/simulate.h"

typedef struct het__plan_sim_request {
    const het__plan *plan;
    const het__graph *graph; /* that the plan is of */
    const int64_t *symbols;  /* that the plan was made for */
    bool exact;
    bool by_node;            /* a unit is a node, not an entry */
    bool is_language;        /* steps of a sequence follow each other; else they are independent */
    bool is_prefill;         /* steps are chunks of a prompt: they overlap on different devices */
    uint32_t steps, sequences; /* 0 = 1 */
    uint32_t micro_batches;  /* equal parts of a prefill step's tokens; 0 = 1 */
    uint32_t buffers;        /* het__sim_repeat.buffers; 0 = 2 */
    uint32_t in_flight;      /* het__sim_repeat.in_flight */
    uint32_t policy;         /* het__sim_policy */
    uint32_t queue_depth;
    double token_bandwidth;  /* of each memory, bytes/s; 0: no limit */
    double token_size;       /* het__sim_group.token_size */
    /* Faults; lanes are devices of the machine. Of errors, task counts the units of the lane, over
     * all rounds. */
    uint32_t slow_count, loss_count, error_count;
    const het__sim_slow *slow;
    const het__sim_loss *losses;
    const struct het__plan_sim_error {
        uint32_t device, unit, count;
    } *errors;
    uint32_t retry_max;
    double backoff_ns;
    uint32_t fallback;       /* device; HET__SIM_NONE: the first host, or the first that is left */
    het__sim_aimd *adapt;    /* sizes of micro-batches in tokens; NULL: equal ones. Changed */
} het__plan_sim_request;

/* What one task of a round is. */
typedef struct het__plan_unit {
    uint32_t entry;          /* of the plan; of a transfer: of the producer */
    uint32_t first_node, node_count; /* of a transfer: the producer, 1 */
    uint32_t from, to;       /* devices; equal for work */
    uint32_t value;          /* that is carried; HET__NO_VALUE: work */
} het__plan_unit;

typedef struct het__plan_sim {
    het__arena arena;
    uint32_t unit_count, rounds, streams; /* task = round * unit_count + unit */
    uint32_t device_count, lane_count;
    const het__plan_unit *units;
    const het__sim_task *tasks; /* of one round */
    const uint32_t *lane_from, *lane_to; /* devices of a lane; equal: the device's own */
    const uint32_t *lane_group; /* that it loads; HET__SIM_NONE */
    double step_ns;          /* one round of the first size, alone and without faults */
    double bound_ns;         /* of all rounds without faults; 0 if their sizes adapt */
    het__sim_result result;
    het__sim_task *all_tasks;
} het__plan_sim;

/* Simulate a plan. HET_E_INVALID, HET_E_NOMEM. On failure nothing is left to finish. */
het_status het__simulate_plan(const het__plan_sim_request *request, het__mem *mem,
                              het__plan_sim *sim, het_error *err);
void het__plan_sim_finish(het__plan_sim *sim);

#endif /* HET_PARTITION_SIMULATE_PLAN_H */

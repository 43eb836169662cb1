/* SPDX-License-Identifier: Apache-2.0 */
/* Placement as pure arithmetic: nodes, values, costs -> a device per node.
 *
 * Exact dynamic programme over the topological order. The state behind node i is, for every value
 * that a later node still reads, the set of devices that hold it. Two partial placements with the
 * same state have the same future, so the cheaper one is kept (the lower device numbers among
 * equals: same input, same output). Where more states than STATES_MAX arise the dearest are
 * dropped, and where more values are alive than a state can describe only single devices are
 * compared; the result then says that it is not proven. */
#ifndef HET_PARTITION_PLACE_H
#define HET_PARTITION_PLACE_H

#include "lib/base/mem.h"

#include <hetinfer/base.h>

#define HET__PLACE_DEVICES_MAX 16

typedef struct het__place_value {
    uint32_t producer;          /* node */
    uint32_t consumer_count;
    const uint32_t *consumers;  /* nodes, ascending, all behind the producer */
    const double *transfer_ns;  /* [from * device_count + to] */
} het__place_value;

typedef struct het__place_problem {
    uint32_t node_count;
    uint32_t device_count;
    const double *node_ns;      /* [node * device_count + device]; INFINITY: cannot run there */
    uint32_t value_count;       /* values that a node makes and another reads */
    const het__place_value *values;
} het__place_problem;

typedef struct het__placement {
    uint8_t *device;            /* per node; caller's array of node_count */
    double total_ns;
    double single_ns[HET__PLACE_DEVICES_MAX]; /* everything on one device; INFINITY: cannot */
    bool proven;                /* no state was dropped */
} het__placement;

/* HET_E_UNSUPPORTED with the node's number in *stuck if no device runs some node, or no transfer
 * reaches it. */
het_status het__place(const het__place_problem *problem, het__mem *mem, het__placement *placement,
                      uint32_t *stuck);

/* Cost of a given placement under the same rules. */
double het__place_cost(const het__place_problem *problem, const uint8_t *device);

#endif /* HET_PARTITION_PLACE_H */

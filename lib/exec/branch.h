/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of nodes that another device computes beside what the first one does. To be at work at the
 * same time such a run must be handed over while there is something left for the first device:
 * nodes move to where that is so. */
#ifndef HET_EXEC_BRANCH_H
#define HET_EXEC_BRANCH_H

#include "lib/ir/graph.h"

/* Nodes [first, first + count), each of which reads of others only what the one before it makes for
 * it alone. */
typedef struct het__branch {
    uint32_t first, count;
    uint32_t phase;
    uint8_t device;  /* that it moves to */
    bool is_late;    /* the device computes while it is called: the other one is called first */
} het__branch;

/* The node after which a branch can begin, and the first that needs what it makes, by a graph's
 * numbers; HET__NO_VALUE: none. */
uint32_t het__branch_source(const het__graph *graph, const het__branch *branch,
                            const uint32_t *position);
uint32_t het__branch_user(const het__graph *graph, const het__branch *branch,
                          const uint32_t *position);

/* Nodes in an order in which branches stand right behind what they read or, if late, right before
 * who reads them. position: of each node in it. Both have room for all nodes. O(nodes * count) */
void het__branch_order(const het__graph *graph, const het__branch *branches, uint32_t count,
                       uint32_t *order, uint32_t *position);

#endif /* HET_EXEC_BRANCH_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Layers whose weights a device has no room to keep, and which come before each run.
 *
 * A plan with such layers is placed as if none of their weights took room, and every node took as
 * long as its weights take to come, if that is longer than it runs: what is brought comes while the
 * layer before it computes. Then layers keep their weights after all, as many as there is room for,
 * spread evenly so that what is brought has their time too. */
#ifndef HET_PARTITION_PLAN_STREAM_H
#define HET_PARTITION_PLAN_STREAM_H

#include "lib/ir/stream.h"
#include "lib/partition/plan_problem.h"

/* Devices that may bring weights and cannot hold all of the graph, as bits. is_wanted: the policy
 * asks one of them to. HET_E_NOMEM is the only failure. */
het_status het__plan_stream_devices(const het__plan_problem *problem, het__mem *mem,
                                    uint32_t *devices, bool *is_wanted);
/* All layers come on these devices. False: out of memory. */
bool het__plan_stream_all(const het__plan_problem *problem, uint32_t devices,
                          het__plan_streams *streams);
/* Layers of a placement that stay, of a problem made with `all`. devices of the result: those where
 * some layer comes; 0: everything fits. HET_E_UNSUPPORTED: not even what must stay does. */
het_status het__plan_stream_choose(const het__plan_problem *problem, const uint8_t *placement,
                                   het__mem *mem, het__plan_streams *streams);

/* Whether the weights of a node come before it runs, and how long that takes. */
bool het__plan_node_streams(const het__plan_request *request, uint32_t node, uint32_t device);
double het__plan_stream_ns(const het__plan_problem *problem, uint32_t node, uint32_t device);

/* What the plan says of it, and what its memory is then. */
void het__plan_stream_describe(const het__plan_problem *problem, het__plan *plan);

#endif /* HET_PARTITION_PLAN_STREAM_H */

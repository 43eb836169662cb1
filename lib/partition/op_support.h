/* SPDX-License-Identifier: Apache-2.0 */
/* What devices can run that are not there to be asked: a table by backend and kind, for plans on
 * machines that are only described. docs/planning.md prints it. */
#ifndef HET_PARTITION_OP_SUPPORT_H
#define HET_PARTITION_OP_SUPPORT_H

#include "lib/ir/graph.h"
#include "lib/machine/machine.h"

/* How much of the operations a device runs. */
typedef enum het__op_support {
    HET__SUPPORT_ALL = 0,
    HET__SUPPORT_KERNELS, /* language models and vision: everything of known extents that needs no
                             bodies, sequences, recurrences, random numbers or sorting */
    HET__SUPPORT_PRODUCTS, /* products and convolutions with constant weights in 8 or 16 bits, and
                              what goes element by element */
    HET__SUPPORT_MATRICES, /* products of F32 with constant matrices, as the backend for AMD's NPUs
                              asks for them where one is there */
} het__op_support;

/* By the backend's name; for an unknown one by the device's kind. */
het__op_support het__op_support_of(const het__machine_device *device);

/* NULL: the device runs the node. Else why not, a static sentence. exact: nothing may be computed
 * in fewer bits than the graph has. */
const char *het__op_refusal(const het__graph *graph, const het__node *node,
                            const het__machine_device *device, bool exact);

/* The whole table for het__plan_request.reasons, in memory of the arena; NULL: out of memory. */
const char **het__op_refusals(const het__graph *graph, const het__machine *machine, bool exact,
                              het__arena *arena);

#endif /* HET_PARTITION_OP_SUPPORT_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that are brought to a device for each run of their layer, where it has no room to keep
 * them: which constants of a layer those are, for the room that counts bytes and for the backends
 * that bring them. Vectors stay: they are small, and would cost a copy each. */
#ifndef HET_IR_STREAM_H
#define HET_IR_STREAM_H

#include "lib/ir/graph.h"

/* Layers that a device holds at once of those that are brought: one computes while the other is
 * on its way. */
#define HET__STREAM_SLOTS 2

static inline bool het__value_streams(const het__value *value)
{
    return value->kind == HET__VALUE_CONST && value->rank != HET__RANK_UNKNOWN && value->rank >= 2;
}

#endif /* HET_IR_STREAM_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A node of a graph, ready to be run by its plain kernel on memory with fixed places: what host
 * devices compile a tensor operation to when they have nothing better. */
#ifndef HET_PLAIN_CALL_H
#define HET_PLAIN_CALL_H

#include "lib/plain/plain.h"

typedef struct het__plain_call {
    het__node node; /* a copy; its attributes are the graph's */
    het__tensor *inputs, *outputs;
    het__scratch scratch;
    het__interpreter interpreter;
} het__plain_call;

/* Whether the node is a tensor operation with a kernel, whose extents are all known and follow
 * from the inputs' extents; if not, why. */
bool het__plain_supports(const het__graph *graph, const het__node *node, char *reason,
                         size_t bytes);

/* address: where a value that is not a constant lies. Arrays come from the arena, scratch from
 * mem. */
het_status het__plain_call_init(het__plain_call *call, const het__graph *graph,
                                const het__node *node, void *(*address)(void *user, uint32_t value),
                                void *user, het__arena *arena, het__mem *mem, het_error *err);
/* There is nothing to run: the output lies where the input does. */
bool het__plain_call_is_done(const het__plain_call *call);
/* Takes scratch memory in the first run only. Fails where contents are refused. */
het_status het__plain_call_run(het__plain_call *call, het_error *err);
void het__plain_call_finish(het__plain_call *call);

/* ---- in parts (call_cut.c) ---- */

#define HET__PLAIN_CALLS_MAX 16

/* How many calls, each on a stretch of the axis of output 0, do together what the call does, to
 * the bit; 1: no more than itself. bytes: what the call moves. */
uint32_t het__plain_call_cuts(const het__plain_call *call, int64_t bytes, uint32_t *axis);
/* The call, as it was initialised, does places [first, first + count) of the axis only. */
void het__plain_call_narrow(het__plain_call *call, uint32_t axis, int64_t first, int64_t count);

#endif /* HET_PLAIN_CALL_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a language model's graph, so that a model can be spread over processes.
 *
 *     process A: layers [0, k)          process B: layers [k, n)
 *     ids -> embedding -> ... -> hidden  ===>  hidden -> ... -> head -> logits
 *
 * Each process has the whole model's file and a session of its own layers, with keys and values for
 * these alone. Both append the same tokens in the same pieces; what A's step leaves per token is
 * what B's step starts from. */
#ifndef HET_PASSES_LAYERS_H
#define HET_PASSES_LAYERS_H

#include "lib/ir/graph.h"

/* Names of the input and output that stand for the rest of the model: F32 [T, width] both. */
#define HET__HIDDEN_IN "hidden"
#define HET__HIDDEN_OUT "hidden.next"

/* Keep layers [first, end) of a graph as an importer made it, with `layers` in all: what stands
 * before the first layer stays if first is 0, what follows the last if end is layers. What came
 * from before is then the input HET__HIDDEN_IN, what went beyond the output HET__HIDDEN_OUT; inputs
 * that nobody reads any more stay. HET_E_UNSUPPORTED: more than one tensor crosses, or layers on
 * both sides share keys and values. */
het_status het__graph_keep_layers(het__graph *graph, int32_t first, int32_t end, int32_t layers,
                                  het_error *err);

#endif /* HET_PASSES_LAYERS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of plans share. */
#ifndef HET_API_PLAN_DESCRIBED_H
#define HET_API_PLAN_DESCRIBED_H

#include "lib/api/handles.h"

/* Symbols of one step of a language model: token_count tokens in all of so many sequences, each
 * behind context positions. */
void het__plan_symbols(int64_t token_count, int64_t context, int64_t sequences, int64_t *symbols);

/* Figures of the context's devices: measured now, of those that can be and are in the mask. */
het_status het__plan_figures(const het__registry *registry, uint32_t mask, uint32_t threads,
                             het_device_figures *figures, het_error *err);

/* Inputs of a network; what the file leaves open is taken as extent. */
het_status het__plan_inputs(const het__network *network, int64_t extent, het__tensor *inputs,
                            het_error *err);

/* Fill plan->own for options with a machine, a policy, an objective or a flag; text: NULL, or where
 * everything goes. */
het_status het__plan_described(het_plan *plan, const het_plan_options *o, const char *text,
                               size_t bytes, het_error *err);

#endif /* HET_API_PLAN_DESCRIBED_H */

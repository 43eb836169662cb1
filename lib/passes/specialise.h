/* SPDX-License-Identifier: Apache-2.0 */
/* A graph of tensor operations for inputs of known shapes: every extent bound, what follows from
 * constants computed, branches with a known condition taken, what nobody reads left out. */
#ifndef HET_PASSES_SPECIALISE_H
#define HET_PASSES_SPECIALISE_H

#include "lib/ir/graph.h"
#include "lib/ir/tensor.h"

typedef struct het__specialise_report {
    uint32_t nodes_before; /* of the graph itself, not of bodies */
    uint32_t folded;       /* nodes whose outputs became constants */
    uint32_t branches;     /* If nodes replaced by one of their bodies */
    uint32_t dead;         /* nodes that nothing depended on */
    uint32_t open;         /* nodes with outputs whose extents follow from contents */
} het__specialise_report;

/* inputs: one per INPUT value of raw, in order of ids; only types and extents are read. out is
 * initialised here; it borrows attributes, bodies and constants from raw, which must outlive it.
 * HET_E_INVALID names the node that refuses the shapes. report may be NULL. */
het_status het__specialise(const het__graph *raw, const het__tensor *inputs, uint32_t input_count,
                           het__mem *mem, het__graph *out, het__specialise_report *report,
                           het_error *err);
/* The same with a bound on the work of folding, in operations and bytes: what costs more stays in
 * the graph. 0: a bound that grows with the constants. */
het_status het__specialise_within(const het__graph *raw, const het__tensor *inputs,
                                  uint32_t input_count, double work_max, het__mem *mem,
                                  het__graph *out, het__specialise_report *report, het_error *err);

#endif /* HET_PASSES_SPECIALISE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A graph of tensor operations for inputs of known shapes: every extent bound, what follows from
 * constants computed, branches with a known condition taken, what nobody reads left out. */
#ifndef HET_PASSES_SPECIALISE_H
#define HET_PASSES_SPECIALISE_H

#include <stdbool.h>

#include "lib/ir/graph.h"
#include "lib/ir/tensor.h"

typedef struct het__specialise_report {
    uint32_t nodes_before; /* of the graph itself, not of bodies */
    uint32_t folded;       /* nodes whose outputs became constants */
    uint32_t branches;     /* If nodes replaced by one of their bodies */
    uint32_t dead;         /* nodes that nothing depended on */
    uint32_t open;         /* nodes with outputs whose extents follow from contents */
    uint32_t undecided;    /* If nodes whose condition is not known */
} het__specialise_report;

typedef struct het__specialise_request {
    const het__graph *graph;
    const het__tensor *inputs; /* per INPUT value of the graph, in order of ids */
    uint32_t input_count;
    const bool *known; /* per input: its contents hold as well, and are copied; NULL: of none */
    double work_max;   /* of folding, in operations and bytes: what costs more stays in the graph.
                          0: a bound that grows with the constants */
} het__specialise_request;

/* out is initialised here; it borrows attributes, bodies and constants from the graph, which must
 * outlive it. HET_E_INVALID names the node that refuses the shapes. report may be NULL. */
het_status het__specialise_for(const het__specialise_request *request, het__mem *mem,
                               het__graph *out, het__specialise_report *report, het_error *err);

/* For types and extents alone. */
het_status het__specialise(const het__graph *raw, const het__tensor *inputs, uint32_t input_count,
                           het__mem *mem, het__graph *out, het__specialise_report *report,
                           het_error *err);

#endif /* HET_PASSES_SPECIALISE_H */

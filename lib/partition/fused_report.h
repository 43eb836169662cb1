/* SPDX-License-Identifier: Apache-2.0 */
/* What the passes fused in a language model's graph, described as the groups of a network are.
 *
 * No rule of grouping is asked: both graphs are there, as the model's family spells it and as
 * sessions run it, and passes on them keep the numbers of values. A node of the second is the group
 * of those nodes of the first whose results it makes, and of those whose results are gone and were
 * only read by these. */
#ifndef HET_PARTITION_FUSED_REPORT_H
#define HET_PARTITION_FUSED_REPORT_H

#include "lib/partition/group_report.h"

typedef struct het__fused_request {
    const het__graph *spelled, *fused;
    const het__analysis *spelled_nodes, *fused_nodes; /* of all nodes of either */
    const int64_t *symbols;
    const uint32_t *shown; /* per node of fused: its number for the reader, or UINT32_MAX */
} het__fused_request;

/* Everything lies in the arena; report->members are nodes of the spelled graph. HET_E_NOMEM is the
 * only failure. */
het_status het__fused_report_make(const het__fused_request *request, het__arena *arena,
                                  het__group_report *report);

#endif /* HET_PARTITION_FUSED_REPORT_H */

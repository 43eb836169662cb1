/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of nodes described as the nodes of an analysis are. */
#ifndef HET_PARTITION_GROUP_REPORT_H
#define HET_PARTITION_GROUP_REPORT_H

#include "lib/cost/analysis.h"
#include "lib/partition/groups.h"

typedef struct het__group_report {
    het_subgraph *groups;
    uint32_t *group;   /* per node of the graph */
    uint32_t *members; /* nodes by group, ascending */
    uint32_t *first;   /* per group, one more: entries of members */
    const char **names; /* per entry of members; NULL: the report does not say */
    uint32_t group_count;
    uint32_t tile_count;   /* groups that end in an activation */
    double bytes;          /* traffic of all groups */
    double alone_bytes;    /* of each member alone */
    double inner_bytes;    /* values that never leave their group, each once */
    double ns;             /* as the problem's cost has it */
    double alone_ns;       /* predicted, of each member alone */
} het__group_report;

typedef struct het__group_report_request {
    const het__analysis *nodes;       /* of all nodes of the graph, in its order */
    const het__group_problem *problem; /* of the same graph */
    const het__machine_device *device;
    const uint32_t *shown;            /* per node: its number for the reader, or UINT32_MAX */
    het__group_rule rule;
} het__group_report_request;

/* Everything lies in the arena. HET_E_NOMEM is the only failure. */
het_status het__group_report_make(const het__group_report_request *request, het__arena *arena,
                                  het__group_report *report);

#endif /* HET_PARTITION_GROUP_REPORT_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* The analysis of a graph on one device: counts, times and stages of every node. Pure arithmetic
 * over graph and figures. */
#ifndef HET_COST_ANALYSIS_H
#define HET_COST_ANALYSIS_H

#include "lib/base/arena.h"
#include "lib/cost/concurrency.h"
#include "lib/ir/graph.h"
#include "lib/machine/machine.h"

typedef struct het__analysis_request {
    const het__graph *graph;          /* node names live as long as the analysis is used */
    const het__machine_device *device;
    const int64_t *symbols;           /* all HET__SYM_MAX bound */
    uint32_t arithmetic;              /* het_arithmetic */
    bool drop_functional;             /* leave out what het__is_functional() says */
    bool skip_statistics;             /* mean and variance of BatchNormalization are no traffic */
} het__analysis_request;

typedef struct het__analysis {
    uint32_t node_count;
    het_subgraph *nodes;
    het_parallelism *parallelism; /* per node */
    het_mapping *mapping;         /* per node */
    uint32_t *index;       /* per node: its number */
    uint32_t *graph_node;  /* per node: that of the graph */
    uint32_t edge_count;
    het__edge *edges;      /* between nodes of the analysis, by `to`, each once */
    uint32_t *sources;     /* per edge: from */
    uint32_t *stage_first; /* per stage, one more at the end: entries of stage_nodes */
    uint32_t *stage_nodes;
    het_concurrency concurrency;
    double peak, bandwidth; /* operations/s and bytes/s that times are reckoned with */
    double active_parameters;
    uint32_t opaque_count;
} het__analysis;

/* Neither moves nor changes a byte of its first operand: Reshape and the like, Dropout outside
 * training. */
bool het__node_is_view(const het__graph *graph, const het__node *node);

/* What an exporter makes of a function call and not of a module: sums, products, shapes, and pools
 * whose name has no module ("/GlobalAveragePool"). */
bool het__is_functional(const het__node *node);

/* Numbers that training sets: elements of floating-point and 8-bit constants, without single
 * numbers and the statistics of BatchNormalization. */
double het__node_parameters(const het__graph *graph, const het__node *node);

/* The same of a whole graph, constants that several nodes read counted once. HET_E_NOMEM. */
het_status het__graph_parameters(const het__graph *graph, het__mem *mem, double *count);

/* Everything lies in the arena. Groups of the nodes are UINT32_MAX. */
het_status het__analyse(const het__analysis_request *request, het__arena *arena,
                        het__analysis *analysis, het_error *err);

/* Bottleneck, label, times and energy of a subgraph whose counts and mapping are filled. */
void het__analysis_times(const het__machine_device *device, double peak, het_subgraph *subgraph);

#endif /* HET_COST_ANALYSIS_H */

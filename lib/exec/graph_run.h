/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of tensor operations, run with the shapes that inputs happen to have.
 *
 * For each set of input shapes the graph is specialised (extents bound, constants folded), fused,
 * planned and compiled once; a few such forms are kept, the one used longest ago goes first. Where
 * extents or branches (If) follow from contents of small integer inputs (a switch, a shape), a form
 * is for these contents too, unless they turn out to change from run to run. A form
 * whose extents all follow from the inputs' extents runs as a compiled plan and allocates nothing.
 * When a device fails for good, the forms that use it are made anew without it.
 * Where extents follow from other contents (NonZero, Loop, …) the form is interpreted on the
 * host. */
#ifndef HET_EXEC_GRAPH_RUN_H
#define HET_EXEC_GRAPH_RUN_H

#include "lib/exec/recover.h"
#include "lib/ir/tensor.h"
#include "lib/passes/passes.h"

typedef struct het__graph_run het__graph_run;

typedef struct het__graph_run_request {
    const het__registry *registry;
    const het__graph *graph; /* as the importer made it; kept until destroy */
    uint32_t device_mask;
    uint32_t threads;
    uint32_t precision;
    bool pin_threads;
    bool validate;
    het_parallel_fn parallel;
    void *parallel_user;
    const het__policy *policy; /* kept until destroy; NULL: none */
    struct het__trace *const *trace; /* as het__exec_request has it */
    het__pass_options passes;
    /* Bytes of a constant of the graph that nobody reads for a while, so that their pages may leave
     * memory. May be NULL. */
    void (*constant_idle)(void *user, const void *data, size_t bytes);
    void *constant_user;
    uint32_t forms_max; /* compiled forms kept, each with weights of its own; 0 = 4 */
    double work_max; /* operations and bytes of folding, and of an interpreted run; 0: folding has
                        a bound of its own, a run ends when it is over or cancelled */
} het__graph_run_request;

het_status het__graph_run_create(const het__graph_run_request *request, het__graph_run **run,
                                 het_error *err);
void het__graph_run_destroy(het__graph_run *run);

/* Compile for inputs of these types and extents, unless that was done before. data may be NULL. */
het_status het__graph_run_prepare(het__graph_run *run, const het__tensor *inputs, het_error *err);

/* One run. inputs: per INPUT value of the graph in order of ids, data read only. outputs: per entry
 * of graph->outputs; where data is not NULL on entry it points to capacity[i] bytes that receive
 * the output; elsewhere data is set to memory of the run, which inputs of the next call may point
 * to, and valid until then. Type and extents are always set. HET_E_INVALID if a capacity is too
 * small. Inputs are read and outputs written where they are, unless bind.c has to copy. */
het_status het__graph_run_step(het__graph_run *run, const het__tensor *inputs,
                               het__tensor *outputs, const size_t *capacity,
                               _Atomic uint32_t *cancel, het_error *err);

/* Bytes of inputs and outputs that runs have copied: none where all lie where devices use them. */
uint64_t het__graph_run_copied(const het__graph_run *run);

/* The executor of the form used last; NULL if it is interpreted or there is none. */
const het__exec *het__graph_run_exec(const het__graph_run *run);
const het__recovery *het__graph_run_recovery(const het__graph_run *run);

/* The plan of the form used last, NULL if it is interpreted or there is none; and the fused graph
 * that it is of. */
const het__plan *het__graph_run_plan(const het__graph_run *run);
const het__graph *het__graph_run_graph(const het__graph_run *run);

/* Number the layers of a graph that has none: pieces of about as much work. */
void het__graph_run_layers(het__graph *graph, const int64_t *symbols);

#endif /* HET_EXEC_GRAPH_RUN_H */

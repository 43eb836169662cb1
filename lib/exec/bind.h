/* SPDX-License-Identifier: Apache-2.0 */
/* Where the inputs and outputs of a compiled graph lie: with the caller, wherever that goes, and
 * else at home in the executor, with a copy before or after the run.
 *
 * Copied is what
 *     a device keeps in memory of its own             (executor.h: het__exec_bind() is false)
 *     lies where no element of its type may lie
 *     is an output that meets an input or an earlier output: it is made at home, and there when all
 *         inputs have been read
 *     is an input that meets an output which is made at home, that of the run before, say
 *     is an output that the graph gives under several names. */
#ifndef HET_EXEC_BIND_H
#define HET_EXEC_BIND_H

#include "lib/exec/executor.h"
#include "lib/ir/tensor.h"

typedef struct het__bound {
    uint32_t value; /* of the compiled graph; HET__NO_VALUE: nobody reads this input */
    void *home;
    void *at;       /* where it was in the last run; NULL: at home */
    size_t bytes, align;
    bool is_apart; /* no other output is the same value */
    bool copies;
} het__bound;

typedef struct het__binding {
    uint32_t input_count, output_count;
    het__bound *inputs, *outputs;
    bool is_bound; /* the members `at` and `copies` hold */
} het__binding;

/* inputs: values of the graph as it was before it was compiled, whose names the inputs have. */
het_status het__binding_init(het__binding *binding, het__mem *mem, het__exec *exec,
                             const het__graph *compiled, const het__graph *graph,
                             const uint32_t *inputs, uint32_t input_count, het_error *err);
void het__binding_finish(het__binding *binding, het__mem *mem);

/* Before a run: binds, and copies inputs. outputs: data is where the caller wants it, of capacity
 * bytes, or NULL. HET_E_INVALID: too few bytes. Adds to *copied. */
het_status het__binding_begin(het__binding *binding, het__exec *exec, const het__graph *compiled,
                              const het__tensor *inputs, const het__tensor *outputs,
                              const size_t *capacity, uint64_t *copied, het_error *err);
/* After it: copies outputs, and says of each where it lies. */
void het__binding_end(const het__binding *binding, het__tensor *outputs, uint64_t *copied);

#endif /* HET_EXEC_BIND_H */

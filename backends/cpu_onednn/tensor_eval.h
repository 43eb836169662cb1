/* SPDX-License-Identifier: Apache-2.0 */
/* A node as shape rules and the readers of forms see it, while a program is built. */
#ifndef HET_CPU_TENSOR_EVAL_H
#define HET_CPU_TENSOR_EVAL_H

#include "backends/cpu_onednn/cpu.h"

#define HET__CPU_EVAL_INPUTS 8
#define HET__CPU_EVAL_OUTPUTS 4

/* Stays where it was initialised: e points into it. */
typedef struct het__cpu_eval {
    het__eval e;
    het__tensor in[HET__CPU_EVAL_INPUTS], out[HET__CPU_EVAL_OUTPUTS];
    het__scratch scratch;
    het_error err;
} het__cpu_eval;

/* Extents, and contents of constants; false: more operands than fit. To be finished either way. */
bool het__cpu_eval_init(het__cpu_eval *eval, const het__graph *graph, const het__node *node);
void het__cpu_eval_finish(het__cpu_eval *eval);

#endif /* HET_CPU_TENSOR_EVAL_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of tensor operations. */
#ifndef HET_CPU_TENSOR_H
#define HET_CPU_TENSOR_H

#include "backends/cpu_onednn/cpu.h"

/* Any tensor operation: by a kernel of this backend, or by the plain one. */
het_status het__cpu_build_tensor(het__cpu_build *build, const het__node *node);

/* tensor_attention.c */
bool het__cpu_attention_fits(const het__graph *graph, const het__node *node);
het_status het__cpu_build_attention_of_graph(het__cpu_build *build, const het__node *node);

/* tensor_move.c */
bool het__cpu_move_fits(const het__graph *graph, const het__node *node);
het_status het__cpu_build_move(het__cpu_build *build, const het__node *node);

/* tensor_transposed.c; x and the weights are F32 */
bool het__cpu_transposed_fits(const het__graph *graph, const het__node *node);
het_status het__cpu_build_transposed(het__cpu_build *build, const het__node *node);

/* tensor_recurrent.c */
bool het__cpu_recurrent_fits(const het__graph *graph, const het__node *node);
het_status het__cpu_build_recurrent(het__cpu_build *build, const het__node *node);

/* tensor_resize.c */
bool het__cpu_resize_fits(const het__graph *graph, const het__node *node);
het_status het__cpu_build_resize(het__cpu_build *build, const het__node *node);

/* tensor_rows.c */
bool het__cpu_rows_fit(const het__graph *graph, const het__node *node);
het_status het__cpu_build_rows_of_graph(het__cpu_build *build, const het__node *node);

/* tensor_scatter.c; *done: there is a kernel for the node */
het_status het__cpu_build_scatter(het__cpu_build *build, const het__node *node, bool *done);

/* qtensor.c: QMAP and operations on codes with one scale; *done: there is a kernel for the node */
het_status het__cpu_build_codes(het__cpu_build *build, const het__node *node, bool *done);

#endif /* HET_CPU_TENSOR_H */

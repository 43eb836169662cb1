/* SPDX-License-Identifier: Apache-2.0 */
/* Constants that come before each run of a program, for slices that stream.
 *
 *     program ─▶ item: its pieces, in the form that its kernels want, in host memory
 *                 │ before it starts, or while the one before it runs
 *                 ▼
 *     slots of the device, taken in turn: one is filled while another is read
 *
 * Operations see a piece as memory like any other. Which memory that is, is found when a kernel is
 * given its arguments (het__gpu_memory_now()): programs take whatever slot their item is in. A slot
 * is a memory per piece, so that a piece begins where a constant of its own would. Programs of the
 * same pieces (those of two phases) have one item. */
#ifndef HET_GPU_STREAM_H
#define HET_GPU_STREAM_H

#include "backends/gpu/driver.h"

typedef struct het__gpu_item het__gpu_item;

/* Before and after the calls of a slice that streams are prepared: a piece is asked for in between.
 * begin makes an item, of a layer; end finds the one that the program has, and room in the slots
 * for it. */
het_status het__gpu_stream_begin(het__gpu *gpu, int32_t layer, het_error *err);
het_status het__gpu_stream_end(het__gpu *gpu, het__gpu_item **item, het_error *err);

/* A constant of the slice, as it lies (lay NULL) or in a form; constants of other slices are
 * none. */
het_status het__gpu_stream_piece(het__gpu *gpu, const het__gpu_operand *constant, const char *form,
                                 size_t bytes, het__gpu_lay_fn lay, const void *user,
                                 het__gpu_memory **memory, het_error *err);

/* Around the launches of a program: its pieces are there; what follows is sent for. When either
 * fails nothing counts as there. */
het_status het__gpu_stream_take(het__gpu *gpu, het__gpu_item *item, het_error *err);
het_status het__gpu_stream_leave(het__gpu *gpu, het__gpu_item *item, het_error *err);
/* What is in the slots is not known: a wait has failed. */
void het__gpu_stream_forget(het__gpu *gpu);

void het__gpu_stream_drop(het__gpu *gpu);

#endif /* HET_GPU_STREAM_H */

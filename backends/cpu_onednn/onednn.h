/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN's matrix product for F32 weights as they lie in the file, where it beats the own kernels:
 * see het__onednn_wanted(). Each thread runs tiles of a fixed shape by itself, so that results do
 * not depend on how many threads there are.
 *
 * Without oneDNN in the build, or if its threads cannot be held at one, het__onednn_open() gives
 * NULL and nothing else is called. oneDNN allocates on its own while it runs (argument tables and
 * packing buffers, freed again); that memory does not pass through the application's allocator.
 */
#ifndef HET_CPU_ONEDNN_H
#define HET_CPU_ONEDNN_H

#include "backends/cpu_onednn/matmul.h"
#include "lib/base/mem.h"

/* Rows of weights in a tile. */
#define HET__DENSE_ROWS 128

typedef struct het__onednn het__onednn;
typedef struct het__dense het__dense;

/* "oneDNN 2.6.3", or "" without it. */
void het__onednn_name(char *text, size_t bytes);

het__onednn *het__onednn_open(het__mem *mem, uint32_t threads);
void het__onednn_close(het__onednn *onednn); /* may be NULL */

/* Whether F32 products with many tokens go to oneDNN at this level. */
bool het__onednn_wanted(const het__cpu_level *level, bool mapped);

/* The product of a fixed number of tokens with a tile, shared by all that have the same shape.
 * Strides in elements. NULL: oneDNN has nothing but its reference code for it. */
const het__dense *het__dense_get(het__onednn *onednn, int64_t tokens, int64_t k,
                                 int64_t act_stride, int64_t out_stride);
size_t het__dense_scratch(const het__dense *dense);

/* Hold oneDNN's threads at one on the calling thread; leave() takes what enter() gave. */
int het__onednn_enter(const het__onednn *onednn);
void het__onednn_leave(const het__onednn *onednn, int previous);
/* False: nothing was computed. */
bool het__dense_run(const het__dense *dense, uint32_t worker, const float *acts,
                    const float *weights, float *out, void *scratch);

#endif /* HET_CPU_ONEDNN_H */

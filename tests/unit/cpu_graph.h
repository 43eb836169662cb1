/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of single operations for the CPU backend, with random constants. */
#ifndef HETINFER_TEST_CPU_GRAPH_H
#define HETINFER_TEST_CPU_GRAPH_H

#include "backends/cpu_onednn/cpu.h"
#include "lib/quant/quant.h"
#include "rig.h"

static uint64_t seed;

/* ---- random data ---- */

static inline float *random_floats(rig *r, int64_t count, float scale)
{
    float *x = het__arena_alloc(&r->graph.arena, (size_t)count * sizeof *x);
    for (int64_t i = 0; x && i < count; i++)
        x[i] = test_random_float(&seed) * scale;
    return x;
}

/* Of the scales of blocks: with 1/1000 they are no normal numbers in F16. */
static float scale_size = 1;

/* Bytes of a scale in a block of a format, and where they stand. */
static inline void set_scales(het_dtype dtype, unsigned char *block)
{
    const uint16_t d = het__f32_to_f16(scale_size * (0.01f + 0.005f * test_random_float(&seed)));
    switch (dtype) {
    case HET_DTYPE_Q4_K:
    case HET_DTYPE_Q5_K:
        memcpy(block, &d, 2);
        memcpy(block + 2, &d, 2);
        break;
    case HET_DTYPE_Q6_K:
        memcpy(block + 208, &d, 2);
        break;
    default: /* Q4_0, Q5_0, Q8_0, IQ4_NL */
        memcpy(block, &d, 2);
        break;
    }
}

static inline void *random_weights(rig *r, het_dtype dtype, int64_t n, int64_t k)
{
    const int64_t bytes = n * het_dtype_bytes(dtype, k);
    unsigned char *w = het__arena_alloc(&r->graph.arena, (size_t)bytes);
    if (!w)
        return NULL;
    if (dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_BF16) {
        for (int64_t i = 0; i < n * k; i++) {
            const float f = test_random_float(&seed);
            const uint16_t h = dtype == HET_DTYPE_F16 ? het__f32_to_f16(f) : het__f32_to_bf16(f);
            if (dtype == HET_DTYPE_F32)
                memcpy(w + 4 * i, &f, 4);
            else
                memcpy(w + 2 * i, &h, 2);
        }
        return w;
    }
    for (int64_t i = 0; i < bytes; i++)
        w[i] = (unsigned char)(test_random(&seed) >> 32);
    const int64_t elements = dtype >= HET_DTYPE_Q2_K && dtype <= HET_DTYPE_Q8_K ? 256 : 32;
    const int64_t block = het_dtype_bytes(dtype, elements);
    for (int64_t i = 0; i < bytes; i += block)
        set_scales(dtype, w + i);
    return w;
}

/* ---- graphs ---- */

#define FIXED(count) { (count), HET__SYM_ONE }

static inline uint32_t matrix_input(rig *r, const char *name, int64_t columns)
{
    const het__extent e[2] = { { 1, HET__SYM_TOKENS }, FIXED(columns) };
    return het__graph_value(&r->graph, name, HET__VALUE_INPUT, HET_DTYPE_F32, 2, e);
}

static inline uint32_t index_input(rig *r, const char *name, het__symbol symbol, int64_t columns)
{
    const het__extent e[2] = { { 1, symbol }, FIXED(columns) };
    return het__graph_value(&r->graph, name, HET__VALUE_INPUT, HET_DTYPE_I32, columns ? 2 : 1, e);
}

static inline uint32_t weight(rig *r, het_dtype dtype, int64_t n, int64_t k)
{
    const int64_t e[2] = { n, k };
    return het__graph_const(&r->graph, "w", dtype, 2, e, random_weights(r, dtype, n, k));
}

static inline uint32_t vector(rig *r, int64_t n, float around)
{
    float *x = random_floats(r, n, 0.5f);
    for (int64_t i = 0; x && i < n; i++)
        x[i] += around;
    return het__graph_const(&r->graph, "v", HET_DTYPE_F32, 1, &n, x);
}

static inline uint32_t node(rig *r, het__op op, const uint32_t *inputs, uint32_t count,
                            het__attrs attrs)
{
    het_error err = HET_ERROR_INIT;
    const uint32_t v = het__graph_node(&r->graph, op, 0, "node", inputs, count, &attrs, &err);
    if (v == HET__NO_VALUE)
        TEST_FAIL("%s", err.message);
    return v;
}

/* norm -> three projections with biases; a product with residual behind the first. */

/* Else no thread would ever be asked to help. */
static inline void share_steps(rig *r)
{
    r->device->alone_macs = 0;
    r->device->short_macs = 0;
}

#endif /* HETINFER_TEST_CPU_GRAPH_H */

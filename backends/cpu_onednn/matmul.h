/* SPDX-License-Identifier: Apache-2.0 */
/* Products of activations with weights, for one instruction-set level.
 *
 *     out[t, n] = sum over k of x[t, k] * W[n, k]
 *
 * W is any numeric type of the model file. It is used as it lies in the file, or re-laid once into
 * a form of the level's own. Activations are prepared row by row into the kind that the matrix
 * asks for. Work is cut by rows of W: a call computes a range of rows for all tokens, and gives
 * the same bits however the range was cut and whichever thread runs it.
 */
#ifndef HET_CPU_MATMUL_H
#define HET_CPU_MATMUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hetinfer/session.h>

/* Form of activations. A row of k elements takes het__cpu_act_bytes(kind, k) bytes and starts
 * aligned to 64 bytes; one of floats may be any k of them. */
typedef enum het__cpu_act {
    HET__CPU_ACT_F32 = 0, /* float[k] */
    HET__CPU_ACT_Q8,      /* per 32 elements: int8 codes, scale, sums of codes; see q8_forms.h */
    HET__CPU_ACT_BF16,    /* uint16_t[k] */
} het__cpu_act;

/* Version of the packed forms: what is packed is kept on disk, so whoever changes a byte of a form,
 * its size, its number or what choose() chooses raises this. tests/kernels/test_forms.c knows. */
#define HET__CPU_LAYOUT_VERSION 1

typedef struct het__cpu_matrix {
    het_dtype dtype;
    int64_t n, k;
    const void *source;   /* [n] rows as in the file, row_bytes apart */
    size_t row_bytes;
    void *packed;         /* re-laid form, aligned to 64, or NULL: rows are used as they lie */
    uint32_t form;        /* private to the level */
    het__cpu_act act;     /* what run() wants */
} het__cpu_matrix;

/* What is done to a product, in this order; nothing where scale is 1, vectors are NULL and the
 * bounds infinite. */
typedef struct het__cpu_finish {
    float scale;
    const float *bias;     /* of the first row of W that is written */
    const float *residual; /* like out */
    int64_t residual_stride;
    float low, high;       /* what is below or above becomes these; NaN stays */
} het__cpu_finish;

/* One instruction-set level. */
typedef struct het__cpu_level {
    const char *name;     /* "avx512", "avx2vnni", "avx2", "generic" */
    const char *features; /* what it uses, for the device's description */

    /* Choose a form: fills form and act of a matrix whose dtype, n, k, source, row_bytes are set.
     * Returns the bytes that its packed form takes, 0 if it is used as it lies. relay = false
     * forces the latter. */
    size_t (*choose)(het__cpu_matrix *matrix, het_precision precision, bool relay);
    /* Rows of W that belong together: ranges given to pack() and run() start at multiples of it. */
    int64_t (*granule)(const het__cpu_matrix *matrix);
    /* Fill matrix->packed for rows [first, first + count). Disjoint ranges in parallel. */
    void (*pack)(const het__cpu_matrix *matrix, int64_t first, int64_t count);

    /* Prepare one row of activations (any kind of this level). */
    void (*prepare)(het__cpu_act act, const float *x, int64_t k, void *row);

    /* Bytes of scratch that one run() needs for this matrix and at most this many tokens. */
    size_t (*scratch_bytes)(const het__cpu_matrix *matrix, int64_t tokens);
    /* out[t * out_stride + (n - first)] for n in [first, first + count), t in [0, tokens).
     * acts: prepared rows, act_stride bytes apart. scratch: the caller's own, aligned to 64. */
    void (*run)(const het__cpu_matrix *matrix, int64_t first, int64_t count, const void *acts,
                size_t act_stride, int64_t tokens, float *out, int64_t out_stride, void *scratch);
    /* Of count elements in each of so many rows. */
    void (*finish)(const het__cpu_finish *finish, float *out, int64_t out_stride, int64_t tokens,
                   int64_t count);

    /* Loops on registers for het_device_measure(): operations done (multiply and add count as
     * two); NULL: the level has no such instruction. */
    double (*peak_f32)(uint64_t iterations);
    double (*peak_bf16)(uint64_t iterations);
    double (*peak_int8)(uint64_t iterations);
    /* Sum of bytes, read as fast as the level can: for bandwidth. bytes is a multiple of 4096. */
    uint64_t (*read_all)(const void *data, size_t bytes);

    /* Vector helpers used by other kernels. */
    float (*dot)(const float *a, const float *b, int64_t n);
    void (*to_f16)(uint16_t *target, const float *source, int64_t n);   /* nearest even */
    void (*exp_rows)(float *x, int64_t n, float maximum, float *sum);   /* x = exp(x - maximum) */
    /* x = x * scale + more, if there is one: the largest that is a number, -infinity if none is. */
    float (*scale_max)(float *x, const float *more, int64_t n, float scale);
    void (*silu)(float *x, int64_t n);
    void (*gelu_tanh)(float *x, int64_t n);
} het__cpu_level;

static inline size_t het__cpu_act_bytes(het__cpu_act act, int64_t k)
{
    const size_t blocks = (size_t)(k + 31) / 32;
    switch (act) {
    case HET__CPU_ACT_Q8: /* 32 codes, float scale, three words about their sums */
        return (blocks * 48 + 63) / 64 * 64;
    case HET__CPU_ACT_BF16:
        return (blocks * 64 + 63) / 64 * 64;
    case HET__CPU_ACT_F32:
    default:
        return (blocks * 128 + 63) / 64 * 64;
    }
}

/* Levels that this processor can run, best first, ended by NULL; "generic" is always the last. */
const het__cpu_level *const *het__cpu_levels(void);
/* The best, or the one that HETINFER_CPU_LEVEL names when use_env; NULL if that one is unknown or
 * cannot run here. */
const het__cpu_level *het__cpu_level_choose(bool use_env);

#endif /* HET_CPU_MATMUL_H */

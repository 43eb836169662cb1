/* SPDX-License-Identifier: Apache-2.0 */
/* The loops of attention, for one instruction-set level.
 *
 * What a row of the result is must not depend on which rows are computed with it, nor on how its
 * keys are cut into calls, so that a prompt gives the same bits in one step and in many:
 *
 *   scores   one sum per lane along the head, and one fixed tree over the lanes;
 *   soften   lane i takes every position that is i modulo the lanes;
 *   weigh    one multiply-add per key, in the order of positions.
 *
 * Widths are heads padded to HET__ATTN_LANES. Rows of queries come as 1, 2, 4 or a multiple
 * of 8. */
#ifndef HET_CPU_ATTENTION_MATH_H
#define HET_CPU_ATTENTION_MATH_H

#include <stddef.h>
#include <stdint.h>

#define HET__ATTN_LANES 16
/* Positions whose scores are softened at once, and the unit in which work is cut over a context.
 * Cuts are at its multiples: they depend on positions alone. */
#define HET__ATTN_SPLIT 256
/* Scores of neighbouring rows are this far apart: not a power of two, or the rows of a tile would
 * meet in the same sets of a cache. */
#define HET__ATTN_STRIDE (HET__ATTN_SPLIT + 16)

typedef enum het__attention_kind {
    HET__ATTN_KIND_F32,
    HET__ATTN_KIND_F16,
    HET__ATTN_KIND_Q8, /* blocks of 32 codes behind an F16 scale */
} het__attention_kind;

/* Keys or values of one head at neighbouring positions. */
typedef struct het__attention_rows {
    const void *data;
    size_t stride; /* bytes from row to row */
    int64_t count;
    het__attention_kind kind;
    const void *ahead; /* rows that will be wanted next, stride apart; NULL: unknown */
} het__attention_rows;

typedef struct het__attention_math {
    const char *level; /* name of the het__cpu_level that may use it */
    /* out[i * HET__ATTN_STRIDE + j] = q[i] · k[j]. Rows of q are width apart; width elements of
     * each key are read. */
    void (*scores)(const float *q, int64_t rows, int64_t width, const het__attention_rows *k,
                   float *out);
    /* Scores of one row at positions [first, end) of a split to weights, of which [low, high) are
     * seen and the others become 0; first <= low < high <= end. Returns the largest score and
     * stores the sum of weights. softcap 0: none. */
    float (*soften)(float *s, int64_t first, int64_t end, int64_t low, int64_t high, float softcap,
                    float *sum);
    /* acc[i] += sum over j of p[i * HET__ATTN_STRIDE + j] * v[j]. Rows of acc are width apart. */
    void (*weigh)(const float *p, int64_t rows, const het__attention_rows *v, int64_t width,
                  float *acc);
    /* Heads of size elements to F32, each padded with zeros to width, rows stride floats apart. */
    void (*load)(float *target, int64_t stride, const het__attention_rows *source, int64_t size,
                 int64_t width);
    void (*scale)(float *x, float factor, int64_t width);
    /* x = x * factor + y * other */
    void (*blend)(float *x, float factor, const float *y, float other, int64_t width);
    /* low, high = low * cos - high * sin, low * sin + high * cos */
    void (*turn)(float *low, float *high, const float *cosines, const float *sines, int64_t n);
} het__attention_math;

const het__attention_math *het__attention_math_for(const char *level);

#endif /* HET_CPU_ATTENTION_MATH_H */

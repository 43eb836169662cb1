/* SPDX-License-Identifier: Apache-2.0 */
/* The two small products of attention, for one instruction-set level. Widths are padded to
 * HET__ATTN_LANES elements and keys to HET__ATTN_LANES rows, so that no kernel has a tail. */
#ifndef HET_CPU_ATTENTION_MATH_H
#define HET_CPU_ATTENTION_MATH_H

#include <stdint.h>

#define HET__ATTN_LANES 16
/* Keys that are worked on at once: with F32 rows of 128 they fill a first-level cache. */
#define HET__ATTN_KEYS 64

typedef struct het__attention_math {
    const char *level; /* name of the het__cpu_level that may use it */
    /* out[i * HET__ATTN_KEYS + j] = q[i] · k[j] for i < rows, j < keys (a multiple of
     * HET__ATTN_LANES). Rows of q and k are width apart. */
    void (*scores)(const float *q, int64_t rows, const float *k, int64_t keys, int64_t width,
                   float *out);
    /* acc[i] += sum over j < keys of p[i * HET__ATTN_KEYS + j] * v[j]. Rows of acc and v are width
     * apart. */
    void (*weigh)(const float *p, int64_t rows, const float *v, int64_t keys, int64_t width,
                  float *acc);
    float (*maximum)(const float *x, int64_t n); /* n >= 1 */
    void (*scale)(float *x, float factor, int64_t width);
} het__attention_math;

const het__attention_math *het__attention_math_for(const char *level);

#endif /* HET_CPU_ATTENTION_MATH_H */

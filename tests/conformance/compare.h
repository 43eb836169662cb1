/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a tensor is what the suite says. */
#ifndef HETINFER_TEST_COMPARE_H
#define HETINFER_TEST_COMPARE_H

#include <math.h>
#include <stdio.h>

#include "lib/plain/plain.h"

/* Differences that count as none: absolute + relative * |wanted|. */
typedef struct tolerance {
    double relative, absolute;
} tolerance;

/* The suite's own numbers for 32 and 64 bits. Of narrower types the relative part is two steps: one
 * for each side, which rounds intermediate results of its own accord. Types of 8 and 4 bits come
 * from conversions alone, which have one right answer. */
static inline tolerance tolerance_of(het_dtype dtype, double relative)
{
    switch (dtype) {
    case HET_DTYPE_F32:
    case HET_DTYPE_F64: return (tolerance){ relative, 1e-7 };
    case HET_DTYPE_F16: return (tolerance){ 1.0 / 512, 1.0 / 65536 };
    case HET_DTYPE_BF16: return (tolerance){ 1.0 / 64, 1e-7 };
    default: return (tolerance){ 0, 0 };
    }
}

static inline bool is_near(double got, double want, tolerance t)
{
    if (isnan(got) || isnan(want))
        return isnan(got) && isnan(want);
    if (isinf(got) || isinf(want))
        return got == want;
    return fabs(got - want) <= t.absolute + t.relative * fabs(want);
}

/* Type and shape; reason receives what differs. */
static inline bool same_form(const het__tensor *got, const het__tensor *want, char *reason,
                             size_t bytes)
{
    char g[80], w[80];
    if (got->dtype == want->dtype && het__tensor_same_extents(got, want))
        return true;
    het__tensor_describe(got, g, sizeof g);
    het__tensor_describe(want, w, sizeof w);
    snprintf(reason, bytes, "is %s, want %s", g, w);
    return false;
}

static inline bool same_values(const het__tensor *got, const het__tensor *want, double relative,
                               char *reason, size_t bytes)
{
    const int64_t n = het__tensor_elements(want);
    const tolerance t = tolerance_of(want->dtype, relative);
    const bool whole = het__dtype_is_int(want->dtype) || want->dtype == HET_DTYPE_BOOL;
    int64_t wrong = 0, first = -1;
    for (int64_t i = 0; i < n; i++) {
        const het_dtype type = want->dtype;
        const bool same =
            whole ? het__get_i64(type, got->data, i) == het__get_i64(type, want->data, i)
                  : is_near(het__get_f64(type, got->data, i), het__get_f64(type, want->data, i), t);
        if (!same && first < 0)
            first = i;
        wrong += !same;
    }
    if (first < 0)
        return true;
    snprintf(reason, bytes, "%lld of %lld differ, the first at %lld: %.9g, want %.9g",
             (long long)wrong, (long long)n, (long long)first,
             het__get_f64(got->dtype, got->data, first),
             het__get_f64(want->dtype, want->data, first));
    return false;
}

#endif /* HETINFER_TEST_COMPARE_H */

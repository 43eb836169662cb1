/* SPDX-License-Identifier: Apache-2.0 */
/* What threads that run steps do with numbers below the least normal one.
 *
 * Processors take some hundred cycles for an operation that meets one, and networks make them by
 * the thousand: what a curve lets through of inputs far below zero, multiplied a few times. At
 * HET_PRECISION_FAST x86 makes them zero, as GPUs do; at HET_PRECISION_EXACT, in plain kernels
 * and in the application's own operations they are what they are. The mode is a thread's, and
 * threads are the application's too: whoever enters leaves. */
#ifndef HET_CPU_FLOAT_MODE_H
#define HET_CPU_FLOAT_MODE_H

#include <hetinfer/session.h>

#include <stdbool.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

typedef struct het__float_mode {
    uint64_t before;
    bool is_changed;
} het__float_mode;

#if defined(__SSE2__)
/* Results flushed to zero. Operands are taken as they are, for what makes an F16 below its normal
 * numbers an F32 by a product (vec_generic.h). */
#define HET__FLOAT_ZEROES UINT64_C(0x8000)
static inline uint64_t het__float_get(void)
{
    return _mm_getcsr();
}
static inline void het__float_set(uint64_t mode)
{
    _mm_setcsr((unsigned)mode);
}
#else
#define HET__FLOAT_ZEROES UINT64_C(0)
static inline uint64_t het__float_get(void)
{
    return 0;
}
static inline void het__float_set(uint64_t mode)
{
    (void)mode;
}
#endif

/* precision: het_precision of the device. */
static inline het__float_mode het__float_enter(uint32_t precision)
{
    const het__float_mode mode = { het__float_get(), precision == HET_PRECISION_FAST };
    if (mode.is_changed)
        het__float_set(mode.before | HET__FLOAT_ZEROES);
    return mode;
}

/* For code within a step that takes such numbers as they are. */
static inline het__float_mode het__float_pause(void)
{
    const het__float_mode mode = { het__float_get(), HET__FLOAT_ZEROES != 0 };
    if (mode.is_changed)
        het__float_set(mode.before & ~HET__FLOAT_ZEROES);
    return mode;
}

static inline void het__float_leave(het__float_mode mode)
{
    if (mode.is_changed)
        het__float_set(mode.before);
}

#endif /* HET_CPU_FLOAT_MODE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores of short runs in the type that arithmetic is done in. One loop per pair of
 * types, so that the choice by type is made once per run and not per element. */
#include "lib/plain/chunk.h"

#include <assert.h>
#include <math.h>

#include "lib/plain/small_floats.h"

/* Types that C has, as het_dtype and as C calls them. */
#define C_TYPES(X, out) \
    X(F32, float, out) X(F64, double, out) X(I8, int8_t, out) X(I16, int16_t, out) \
    X(I32, int32_t, out) X(I64, int64_t, out) X(U8, uint8_t, out) X(U16, uint16_t, out) \
    X(U32, uint32_t, out) X(U64, uint64_t, out) X(BOOL, uint8_t, out) X(I4, int8_t, out) \
    X(U4, uint8_t, out) X(I2, int8_t, out) X(U2, uint8_t, out)

#define LOAD_LOOP(name, type, out) \
    case HET_DTYPE_##name: \
        for (int64_t k = 0; k < n; k++) { \
            type x; \
            memcpy(&x, from + k * (int64_t)sizeof x, sizeof x); \
            to[k] = (out)x; \
        } \
        return;

static void load_f32(het_dtype dtype, const char *from, int64_t n, float *to)
{
    uint16_t half;
    switch ((int)dtype) {
    C_TYPES(LOAD_LOOP, float)
    case HET_DTYPE_F16:
        for (int64_t k = 0; k < n; k++) {
            memcpy(&half, from + k * 2, 2);
            to[k] = het__f16_to_f32(half);
        }
        return;
    case HET_DTYPE_BF16:
        for (int64_t k = 0; k < n; k++) {
            memcpy(&half, from + k * 2, 2);
            to[k] = het__bf16_to_f32(half);
        }
        return;
    default:
        for (int64_t k = 0; k < n; k++)
            to[k] = (float)het__get_f64(dtype, from, k);
    }
}

static void load_f64(het_dtype dtype, const char *from, int64_t n, double *to)
{
    switch ((int)dtype) {
    C_TYPES(LOAD_LOOP, double)
    default:
        for (int64_t k = 0; k < n; k++)
            to[k] = het__get_f64(dtype, from, k);
    }
}

#define LOAD_INTEGERS(name, type) LOAD_LOOP(name, type, int64_t)

static void load_i64(het_dtype dtype, const char *from, int64_t n, int64_t *to)
{
    switch ((int)dtype) {
    LOAD_INTEGERS(I8, int8_t)
    LOAD_INTEGERS(U8, uint8_t)
    LOAD_INTEGERS(BOOL, uint8_t)
    LOAD_INTEGERS(I32, int32_t)
    LOAD_INTEGERS(I64, int64_t)
    default:
        for (int64_t k = 0; k < n; k++)
            to[k] = het__get_i64(dtype, from, k);
    }
}

/* To F32 such that rounding once more to a narrower type gives what rounding x at once would: the
 * last bit is set where something was cut off (rounding to odd). */
static float narrow(double x)
{
    float f = (float)x;
    uint32_t bits;
    if ((double)f == x || !isfinite(x) || !isfinite(f))
        return f;
    memcpy(&bits, &f, sizeof bits);
    if (fabs((double)f) > fabs(x))
        bits--;
    bits |= 1u;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* As het__put_f64() does it: cut towards zero, modulo 2^64. */
static int64_t cut(double x)
{
    if (x >= -0x1p63 && x < 0x1p63)
        return (int64_t)x;
    if (x >= 0x1p63 && x < 0x1p64)
        return (int64_t)(uint64_t)x;
    return INT64_MIN;
}

#define STORE_LOOP(name, type, value) \
    case HET_DTYPE_##name: \
        for (int64_t k = 0; k < n; k++) { \
            const type y = (type)(value); \
            memcpy(to + k * (int64_t)sizeof y, &y, sizeof y); \
        } \
        return;

static void store_f32(het_dtype dtype, char *to, int64_t n, const float *from)
{
    switch ((int)dtype) {
    STORE_LOOP(F32, float, from[k])
    STORE_LOOP(F64, double, from[k])
    STORE_LOOP(F16, uint16_t, het__f32_to_f16(from[k]))
    STORE_LOOP(BF16, uint16_t, het__f32_to_bf16(from[k]))
    STORE_LOOP(BOOL, uint8_t, from[k] != 0)
    STORE_LOOP(I64, int64_t, cut((double)from[k]))
    STORE_LOOP(I32, int32_t, cut((double)from[k]))
    STORE_LOOP(I8, int8_t, cut((double)from[k]))
    STORE_LOOP(U8, uint8_t, cut((double)from[k]))
    default:
        for (int64_t k = 0; k < n; k++)
            het__put_f64(dtype, to, k, (double)from[k]);
    }
}

static void store_f64(het_dtype dtype, char *to, int64_t n, const double *from)
{
    switch ((int)dtype) {
    STORE_LOOP(F32, float, from[k])
    STORE_LOOP(F64, double, from[k])
    STORE_LOOP(F16, uint16_t, het__f32_to_f16(narrow(from[k])))
    STORE_LOOP(BF16, uint16_t, het__f32_to_bf16(narrow(from[k])))
    default:
        for (int64_t k = 0; k < n; k++)
            het__put_f64(dtype, to, k, from[k]);
    }
}

static void store_u64(het_dtype dtype, char *to, int64_t n, const int64_t *from)
{
    switch ((int)dtype) {
    STORE_LOOP(F32, float, (uint64_t)from[k])
    STORE_LOOP(F64, double, (uint64_t)from[k])
    default:
        for (int64_t k = 0; k < n; k++)
            het__put_f64(dtype, to, k, (double)(uint64_t)from[k]);
    }
}

static void store_i64(het_dtype dtype, char *to, int64_t n, const int64_t *from)
{
    switch ((int)dtype) {
    STORE_LOOP(F32, float, from[k])
    STORE_LOOP(F64, double, from[k])
    STORE_LOOP(I64, int64_t, from[k])
    STORE_LOOP(I32, int32_t, from[k])
    STORE_LOOP(I8, int8_t, from[k])
    STORE_LOOP(U8, uint8_t, from[k])
    STORE_LOOP(BOOL, uint8_t, from[k] != 0)
    default:
        for (int64_t k = 0; k < n; k++)
            het__put_i64(dtype, to, k, from[k]);
    }
}

het__lane het__lane_of(het_dtype dtype)
{
    return dtype == HET_DTYPE_F64 ? HET__LANE_F64
           : het__dtype_is_float(dtype) ? HET__LANE_F32
                                        : HET__LANE_I64;
}

static bool is_in_place(het__lane lane, const het__tensor *t)
{
    const bool same = lane == HET__LANE_F32   ? t->dtype == HET_DTYPE_F32
                      : lane == HET__LANE_F64 ? t->dtype == HET_DTYPE_F64
                                              : t->dtype == HET_DTYPE_I64 ||
                                                    t->dtype == HET_DTYPE_U64;
    return same && (uintptr_t)t->data % (lane == HET__LANE_F32 ? 4 : 8) == 0;
}

static char *place(const het__tensor *t, int64_t first)
{
    return (char *)t->data + first * het_dtype_bytes(t->dtype, 1);
}

const void *het__lane_load(het__lane lane, const het__tensor *t, int64_t first, int64_t step,
                           int64_t n, het__chunk *buffer)
{
    assert(n <= HET__CHUNK && (step == 0 || step == 1));
    const char *from = place(t, first);
    const int64_t loaded = step ? n : 1;
    if (step && is_in_place(lane, t))
        return from;
    switch (lane) {
    case HET__LANE_F32:
        load_f32(t->dtype, from, loaded, buffer->f32);
        for (int64_t k = loaded; k < n; k++)
            buffer->f32[k] = buffer->f32[0];
        break;
    case HET__LANE_F64:
        load_f64(t->dtype, from, loaded, buffer->f64);
        for (int64_t k = loaded; k < n; k++)
            buffer->f64[k] = buffer->f64[0];
        break;
    case HET__LANE_I64:
        load_i64(t->dtype, from, loaded, buffer->i64);
        for (int64_t k = loaded; k < n; k++)
            buffer->i64[k] = buffer->i64[0];
        break;
    }
    return buffer;
}

void *het__lane_target(het__lane lane, const het__tensor *t, int64_t first, het__chunk *buffer)
{
    return is_in_place(lane, t) ? (void *)place(t, first) : buffer;
}

void het__lane_store(het__lane lane, bool from_u64, const het__tensor *t, int64_t first, int64_t n,
                     const void *target)
{
    char *to = place(t, first);
    if (is_in_place(lane, t) && target == to)
        return;
    if (lane == HET__LANE_F32)
        store_f32(t->dtype, to, n, target);
    else if (lane == HET__LANE_F64)
        store_f64(t->dtype, to, n, target);
    else if (from_u64 && het__dtype_is_float(t->dtype))
        store_u64(t->dtype, to, n, target);
    else
        store_i64(t->dtype, to, n, target);
}

static bool joins(const het__walk *walk, uint32_t outer, uint32_t inner)
{
    for (int k = 0; k < 3; k++)
        if (walk->stride[k][outer] != walk->stride[k][inner] * walk->extent[inner])
            return false;
    return true;
}

int64_t het__walk_runs(het__walk *walk, int64_t step[3])
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < walk->rank; i++) {
        if (walk->extent[i] == 1)
            continue;
        const bool join = rank > 0;
        walk->extent[rank] = walk->extent[i];
        for (int k = 0; k < 3; k++)
            walk->stride[k][rank] = walk->stride[k][i];
        rank++;
        if (join && joins(walk, rank - 2, rank - 1)) {
            rank--;
            walk->extent[rank - 1] *= walk->extent[rank];
            for (int k = 0; k < 3; k++)
                walk->stride[k][rank - 1] = walk->stride[k][rank];
        }
    }
    for (int k = 0; k < 3; k++)
        step[k] = rank ? walk->stride[k][rank - 1] : 0;
    walk->rank = rank ? rank - 1 : 0;
    return rank ? walk->extent[rank - 1] : 1;
}

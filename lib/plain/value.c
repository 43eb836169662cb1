/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of any scalar type as numbers, walking shapes, the table of kernels. */
#include <assert.h>
#include <math.h>

#include "lib/base/dtype.h"
#include "lib/plain/plain.h"
#include "lib/plain/small_floats.h"

bool het__dtype_is_unsigned(het_dtype dtype)
{
    switch ((int)dtype) {
    case HET_DTYPE_U2:
    case HET_DTYPE_U4:
    case HET_DTYPE_U8:
    case HET_DTYPE_U16:
    case HET_DTYPE_U32:
    case HET_DTYPE_U64:
        return true;
    default:
        return false;
    }
}

bool het__dtype_is_int(het_dtype dtype)
{
    switch ((int)dtype) {
    case HET_DTYPE_I2:
    case HET_DTYPE_I4:
    case HET_DTYPE_I8:
    case HET_DTYPE_I16:
    case HET_DTYPE_I32:
    case HET_DTYPE_I64:
        return true;
    default:
        return het__dtype_is_unsigned(dtype);
    }
}

bool het__dtype_is_float(het_dtype dtype)
{
    return het__dtype(dtype) && !het__dtype_is_block(dtype) && !het__dtype_is_int(dtype) &&
           dtype != HET_DTYPE_BOOL;
}

#define LOAD(type) \
    type x; \
    memcpy(&x, (const char *)data + i * (int64_t)sizeof x, sizeof x)

int64_t het__get_i64(het_dtype dtype, const void *data, int64_t i)
{
    switch ((int)dtype) {
    case HET_DTYPE_BOOL:
    case HET_DTYPE_U2:
    case HET_DTYPE_U4:
    case HET_DTYPE_U8: { LOAD(uint8_t); return x; }
    case HET_DTYPE_I2:
    case HET_DTYPE_I4:
    case HET_DTYPE_I8: { LOAD(int8_t); return x; }
    case HET_DTYPE_U16: { LOAD(uint16_t); return x; }
    case HET_DTYPE_I16: { LOAD(int16_t); return x; }
    case HET_DTYPE_U32: { LOAD(uint32_t); return x; }
    case HET_DTYPE_I32: { LOAD(int32_t); return x; }
    case HET_DTYPE_U64:
    case HET_DTYPE_I64: { LOAD(int64_t); return x; }
    default: return (int64_t)het__get_f64(dtype, data, i);
    }
}

double het__get_f64(het_dtype dtype, const void *data, int64_t i)
{
    switch ((int)dtype) {
    case HET_DTYPE_F32: { LOAD(float); return (double)x; }
    case HET_DTYPE_F64: { LOAD(double); return x; }
    case HET_DTYPE_F16: { LOAD(uint16_t); return (double)het__f16_to_f32(x); }
    case HET_DTYPE_BF16: { LOAD(uint16_t); return (double)het__bf16_to_f32(x); }
    case HET_DTYPE_U64: { LOAD(uint64_t); return (double)x; }
    case HET_DTYPE_F8E4M3:
    case HET_DTYPE_F8E4M3UZ:
    case HET_DTYPE_F8E5M2:
    case HET_DTYPE_F8E5M2UZ:
    case HET_DTYPE_F8E8M0:
    case HET_DTYPE_F4E2M1: { LOAD(uint8_t); return het__small_float_get(dtype, x); }
    default: return (double)het__get_i64(dtype, data, i);
    }
}

#define STORE(type, value) \
    do { \
        const type y = (type)(value); \
        memcpy((char *)data + i * (int64_t)sizeof y, &y, sizeof y); \
    } while (0)

void het__put_i64(het_dtype dtype, void *data, int64_t i, int64_t x)
{
    const uint64_t u = (uint64_t)x;
    switch ((int)dtype) {
    case HET_DTYPE_BOOL: STORE(uint8_t, x != 0); break;
    case HET_DTYPE_U2: STORE(uint8_t, u & 3); break;
    case HET_DTYPE_U4: STORE(uint8_t, u & 15); break;
    case HET_DTYPE_I2: STORE(uint8_t, ((u & 3) ^ 2) - 2); break;
    case HET_DTYPE_I4: STORE(uint8_t, ((u & 15) ^ 8) - 8); break;
    case HET_DTYPE_U8:
    case HET_DTYPE_I8: STORE(uint8_t, u); break;
    case HET_DTYPE_U16:
    case HET_DTYPE_I16: STORE(uint16_t, u); break;
    case HET_DTYPE_U32:
    case HET_DTYPE_I32: STORE(uint32_t, u); break;
    case HET_DTYPE_U64:
    case HET_DTYPE_I64: STORE(uint64_t, u); break;
    default: het__put_f64(dtype, data, i, (double)x); break;
    }
}

/* Cut towards zero, modulo 2^64; what is not finite becomes the least I64, as on x86. */
static int64_t integer_of(double x)
{
    if (x >= -0x1p63 && x < 0x1p63)
        return (int64_t)x;
    if (x >= 0x1p63 && x < 0x1p64)
        return (int64_t)(uint64_t)x;
    return INT64_MIN;
}

void het__put_f64(het_dtype dtype, void *data, int64_t i, double x)
{
    switch ((int)dtype) {
    case HET_DTYPE_F32: STORE(float, x); break;
    case HET_DTYPE_F64: STORE(double, x); break;
    case HET_DTYPE_F16: STORE(uint16_t, het__f32_to_f16((float)x)); break;
    case HET_DTYPE_BF16: STORE(uint16_t, het__f32_to_bf16((float)x)); break;
    case HET_DTYPE_F8E4M3:
    case HET_DTYPE_F8E4M3UZ:
    case HET_DTYPE_F8E5M2:
    case HET_DTYPE_F8E5M2UZ:
    case HET_DTYPE_F8E8M0:
    case HET_DTYPE_F4E2M1: STORE(uint8_t, het__small_float_put(dtype, x, true)); break;
    case HET_DTYPE_BOOL: STORE(uint8_t, x != 0); break;
    default: het__put_i64(dtype, data, i, integer_of(x)); break;
    }
}

const float *het__plain_f32(het__eval *e, const het__tensor *t)
{
    if (t->dtype == HET_DTYPE_F32 && (uintptr_t)t->data % sizeof(float) == 0)
        return t->data;
    const int64_t n = het__tensor_elements(t);
    float *copy = het__eval_scratch(e, (size_t)n, sizeof *copy);
    for (int64_t i = 0; copy && i < n; i++)
        copy[i] = (float)het__get_f64(t->dtype, t->data, i);
    return copy;
}

double *het__plain_f64(het__eval *e, const het__tensor *t)
{
    const int64_t n = het__tensor_elements(t);
    double *copy = het__eval_scratch(e, (size_t)n, sizeof *copy);
    for (int64_t i = 0; copy && i < n; i++)
        copy[i] = het__get_f64(t->dtype, t->data, i);
    return copy;
}

static void walk_operand(het__walk *walk, int k, const het__tensor *t)
{
    int64_t strides[HET_RANK_MAX];
    if (!t)
        return;
    assert(t->rank <= walk->rank);
    het__tensor_strides(t, strides);
    for (uint32_t i = 0; i < t->rank; i++) {
        const uint32_t at = walk->rank - t->rank + i;
        assert(t->extent[i] == walk->extent[at] || t->extent[i] == 1);
        walk->stride[k][at] = t->extent[i] == 1 ? 0 : strides[i];
    }
}

void het__walk_init(het__walk *walk, const het__tensor *out, const het__tensor *a,
                    const het__tensor *b, const het__tensor *c)
{
    memset(walk, 0, sizeof *walk);
    walk->rank = out->rank;
    memcpy(walk->extent, out->extent, out->rank * sizeof out->extent[0]);
    walk_operand(walk, 0, a);
    walk_operand(walk, 1, b);
    walk_operand(walk, 2, c);
}

#define ROW(id, name, least, most, outputs, shape, count, axes, plain) het__plain_##plain,

het__plain_fn het__plain_kernel(het__op op)
{
    static const het__plain_fn kernels[] = { HET__TENSOR_OPS(ROW) };
    if (op == HET__OP_T_CUSTOM)
        return het__plain_custom;
    return op >= HET__OP_T_FIRST && op < HET__OP_T_UNKNOWN ? kernels[op - HET__OP_T_FIRST] : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Concrete tensors and attribute lists. */
#include "lib/ir/tensor.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/ir/attr.h"

int64_t het__tensor_bytes(const het__tensor *t)
{
    const het__dtype_info *type = het__dtype(t->dtype);
    int64_t n = 1, span = 1, bytes;
    if (!type || t->rank > HET_RANK_MAX)
        return -1;
    for (uint32_t i = 0; i < t->rank; i++) {
        /* Some extents may multiply to what does not fit although one of them is 0. */
        if (t->extent[i] < 0 || (t->extent[i] && !het__mul_i64(span, t->extent[i], &span)))
            return -1;
        n *= t->extent[i] ? 1 : 0;
    }
    n *= span;
    const int64_t row = t->rank ? t->extent[t->rank - 1] : 1;
    if (row % type->block_elements != 0 ||
        !het__mul_i64(n / type->block_elements, type->block_bytes, &bytes))
        return -1;
    return bytes;
}

void het__tensor_strides(const het__tensor *t, int64_t strides[HET_RANK_MAX])
{
    int64_t step = 1;
    for (uint32_t i = t->rank; i-- > 0;) {
        strides[i] = step;
        step *= t->extent[i];
    }
}

bool het__tensor_same_extents(const het__tensor *a, const het__tensor *b)
{
    if (a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->extent[i] != b->extent[i])
            return false;
    return true;
}

void het__tensor_describe(const het__tensor *t, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "%s[", het_dtype_name(t->dtype));
    for (uint32_t i = 0; i < t->rank && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%lld", i ? "," : "",
                                 (long long)t->extent[i]);
    if (used < bytes)
        snprintf(text + used, bytes - used, "]");
}

const het__attr *het__attr_find(const het__attr_list *list, const char *name, het__attr_kind kind)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].kind == kind && strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    return NULL;
}

int64_t het__attr_int(const het__attr_list *list, const char *name, int64_t absent)
{
    const het__attr *a = het__attr_find(list, name, HET__ATTR_INT);
    return a ? a->u.i : absent;
}

float het__attr_float(const het__attr_list *list, const char *name, float absent)
{
    const het__attr *a = het__attr_find(list, name, HET__ATTR_FLOAT);
    return a ? a->u.f : absent;
}

const char *het__attr_string(const het__attr_list *list, const char *name, const char *absent)
{
    const het__attr *a = het__attr_find(list, name, HET__ATTR_STRING);
    return a ? a->u.string : absent;
}

het_dtype het__attr_dtype(const het__attr_list *list, const char *name, het_dtype absent)
{
    /* By the numbers of TensorProto.DataType in onnx.proto. */
    static const uint8_t types[] = {
        [1] = HET_DTYPE_F32,       [2] = HET_DTYPE_U8,        [3] = HET_DTYPE_I8,
        [4] = HET_DTYPE_U16,       [5] = HET_DTYPE_I16,       [6] = HET_DTYPE_I32,
        [7] = HET_DTYPE_I64,       [9] = HET_DTYPE_BOOL,      [10] = HET_DTYPE_F16,
        [11] = HET_DTYPE_F64,      [12] = HET_DTYPE_U32,      [13] = HET_DTYPE_U64,
        [16] = HET_DTYPE_BF16,     [17] = HET_DTYPE_F8E4M3,   [18] = HET_DTYPE_F8E4M3UZ,
        [19] = HET_DTYPE_F8E5M2,   [20] = HET_DTYPE_F8E5M2UZ, [21] = HET_DTYPE_U4,
        [22] = HET_DTYPE_I4,       [23] = HET_DTYPE_F4E2M1,   [24] = HET_DTYPE_F8E8M0,
        [25] = HET_DTYPE_U2,       [26] = HET_DTYPE_I2,
    };
    const int64_t number = het__attr_int(list, name, 0);
    if (number == 0)
        return absent;
    return number > 0 && number < (int64_t)sizeof types ? (het_dtype)types[number]
                                                        : HET_DTYPE_NONE;
}

bool het__tensor_is_row(const het__tensor *p, const het__tensor *x, uint32_t axis)
{
    const uint32_t lead = x->rank - p->rank;
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t extent = i < lead ? 1 : p->extent[i - lead];
        if (extent != (i < axis ? 1 : x->extent[i]))
            return false;
    }
    return true;
}

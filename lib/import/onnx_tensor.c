/* SPDX-License-Identifier: Apache-2.0 */
/* TensorProto: where the contents of a tensor lie, and in which of five forms.
 *
 *   raw_data                 in place; 4 and 2 bits are spread over bytes
 *   float_data, double_data  in place if they stand in one piece
 *   int32_data               one number per element (its low bits, for halves and small floats), or
 *                            per byte of packed elements
 *   int64_data, uint64_data  one number per element
 *   external_data            a piece of another file, as raw_data would be */
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/import/onnx_parts.h"

/* Fields of TensorProto. */
enum { DIMS = 1, TYPE = 2, SEGMENT = 3, FLOATS = 4, INT32S = 5, STRINGS = 6, INT64S = 7, NAME = 8,
       RAW = 9, DOUBLES = 10, UINT64S = 11, LOCATION = 14 };
enum { IS_STRING = 8, IS_COMPLEX64 = 14, IS_COMPLEX128 = 15 };

/* What data of a tensor without elements points to: "no contents" is another thing. */
static const uint64_t nothing[8];

typedef struct fields {
    het__pb message;
    int64_t type;
    het__pb raw;
    bool has_raw, is_external, has_segment;
} fields;

het_dtype het__onnx_dtype(int64_t type, const char **what)
{
    static const het_dtype dtypes[] = {
        HET_DTYPE_NONE,     HET_DTYPE_F32,    HET_DTYPE_U8,       HET_DTYPE_I8,
        HET_DTYPE_U16,      HET_DTYPE_I16,    HET_DTYPE_I32,      HET_DTYPE_I64,
        HET_DTYPE_NONE,     HET_DTYPE_BOOL,   HET_DTYPE_F16,      HET_DTYPE_F64,
        HET_DTYPE_U32,      HET_DTYPE_U64,    HET_DTYPE_NONE,     HET_DTYPE_NONE,
        HET_DTYPE_BF16,     HET_DTYPE_F8E4M3, HET_DTYPE_F8E4M3UZ, HET_DTYPE_F8E5M2,
        HET_DTYPE_F8E5M2UZ, HET_DTYPE_U4,     HET_DTYPE_I4,       HET_DTYPE_F4E2M1,
        HET_DTYPE_F8E8M0,   HET_DTYPE_U2,     HET_DTYPE_I2,
    };
    const int64_t known = (int64_t)(sizeof dtypes / sizeof dtypes[0]);
    const het_dtype t = type >= 0 && type < known ? dtypes[type] : HET_DTYPE_NONE;
    if (t == HET_DTYPE_NONE && what)
        *what = type == IS_STRING ? "a tensor of strings"
                : type == IS_COMPLEX64 || type == IS_COMPLEX128
                    ? "a tensor of complex numbers"
                    : "a tensor of a type that is not known here";
    return t;
}

/* Elements in a byte of raw data; 0: elements of whole bytes. */
static int64_t elements_per_byte(het_dtype dtype)
{
    switch ((int)dtype) {
    case HET_DTYPE_U4:
    case HET_DTYPE_I4:
    case HET_DTYPE_F4E2M1: return 2;
    case HET_DTYPE_U2:
    case HET_DTYPE_I2: return 4;
    default: return 0;
    }
}

void het__onnx_unpack(het_dtype dtype, const uint8_t *packed, uint8_t *out, int64_t count)
{
    const int64_t per = elements_per_byte(dtype);
    const unsigned bits = 8u / (unsigned)per, mask = (1u << bits) - 1;
    const unsigned sign = dtype == HET_DTYPE_I4 || dtype == HET_DTYPE_I2 ? 1u << (bits - 1) : 0;
    for (int64_t i = 0; i < count; i++) {
        const unsigned x = packed[i / per] >> bits * (unsigned)(i % per) & mask;
        out[i] = (uint8_t)((x ^ sign) - sign);
    }
}

static het_status read_fields(het__onnx_reader *r, het__pb message, fields *t,
                              het__onnx_weight *weight)
{
    het_status s = HET_OK;
    *t = (fields){ .message = message };
    weight->name = "";
    for (het__pb_field f; s == HET_OK && het__pb_next(&message, &f);) {
        switch (f.key) {
        case HET__PB_KEY(TYPE, HET__PB_VARINT): t->type = (int32_t)f.value; break;
        case HET__PB_KEY(SEGMENT, HET__PB_BYTES): t->has_segment = true; break;
        case HET__PB_KEY(NAME, HET__PB_BYTES):
            s = het__onnx_name(r, &f.bytes, &weight->name);
            break;
        case HET__PB_KEY(RAW, HET__PB_BYTES):
            t->raw = f.bytes;
            t->has_raw = true;
            break;
        case HET__PB_KEY(LOCATION, HET__PB_VARINT): t->is_external = (int32_t)f.value == 1; break;
        default: break;
        }
    }
    return s == HET_OK && message.bad ? het__onnx_bad(r, message.at, "malformed tensor") : s;
}

static het_status read_extents(const het__onnx_reader *r, const fields *t,
                               const het__onnx_weight *weight, het__tensor *out)
{
    het__pb_list dims = { .message = t->message, .number = DIMS, .wire = HET__PB_VARINT };
    for (uint64_t x; het__pb_list_next(&dims, &x);) {
        if (out->rank == HET_RANK_MAX)
            return het__fail(r->err, HET_E_UNSUPPORTED, "tensor %s has more than %d extents",
                             weight->name, HET_RANK_MAX);
        out->extent[out->rank++] = (int64_t)x;
    }
    if (het__pb_list_bad(&dims))
        return het__onnx_bad(r, het__pb_list_bad(&dims), "malformed extents");
    if (het__tensor_bytes(out) < 0)
        return het__onnx_bad(r, t->message.at, "tensor %s has an impossible size", weight->name);
    return HET_OK;
}

/* ---- contents as raw bytes ---- */

int64_t het__onnx_stored_bytes(const het__tensor *t)
{
    const int64_t n = het__tensor_elements(t), per = elements_per_byte(t->dtype);
    return per ? n / per + (n % per != 0) : het__tensor_bytes(t);
}

static bool is_clean_bool(const uint8_t *p, int64_t n)
{
    uint8_t all = 0;
    for (int64_t i = 0; i < n; i++)
        all |= p[i];
    return all <= 1;
}

/* Bytes that are as long as they must be. */
static het_status take_raw(het__onnx_reader *r, const uint8_t *p, het__tensor *t)
{
    const int64_t n = het__tensor_elements(t);
    const bool packed = elements_per_byte(t->dtype) > 0;
    const bool clean = t->dtype != HET_DTYPE_BOOL || is_clean_bool(p, n);
    t->data = (void *)(uintptr_t)p;
    if (!packed && clean)
        return HET_OK;
    uint8_t *copy = het__arena_alloc(r->keep, (size_t)n);
    if (!copy)
        return het__onnx_nomem(r);
    if (packed)
        het__onnx_unpack(t->dtype, p, copy, n);
    for (int64_t i = 0; !packed && i < n; i++)
        copy[i] = p[i] != 0;
    t->data = copy;
    return HET_OK;
}

/* ---- contents as numbers ---- */

static het__pb_list numbers_of(const fields *t, het_dtype dtype)
{
    het__pb_list list = { .message = t->message, .number = INT32S, .wire = HET__PB_VARINT };
    switch ((int)dtype) {
    case HET_DTYPE_F32:
        list.number = FLOATS;
        list.wire = HET__PB_FIXED32;
        break;
    case HET_DTYPE_F64:
        list.number = DOUBLES;
        list.wire = HET__PB_FIXED64;
        break;
    case HET_DTYPE_I64: list.number = INT64S; break;
    case HET_DTYPE_U32:
    case HET_DTYPE_U64: list.number = UINT64S; break;
    default: break;
    }
    return list;
}

/* The numbers where they lie, if they stand in one piece and need no decoding. */
static const uint8_t *in_one_piece(het__pb_list list, uint64_t bytes)
{
    const uint8_t *piece = NULL;
    if (list.wire == HET__PB_VARINT)
        return NULL;
    for (het__pb_field f; het__pb_next(&list.message, &f);)
        if (f.key == HET__PB_KEY(list.number, HET__PB_BYTES) && het__pb_left(&f.bytes) == bytes)
            piece = f.bytes.at;
    return piece;
}

static het_status take_numbers(het__onnx_reader *r, het__pb_list list, uint64_t count,
                               het__tensor *t)
{
    const bool packed = elements_per_byte(t->dtype) > 0;
    const size_t width = packed ? 1 : het__dtype(t->dtype)->block_bytes;
    const uint8_t *piece = in_one_piece(list, count * width);
    if (piece && count) {
        t->data = (void *)(uintptr_t)piece;
        return HET_OK;
    }
    uint8_t *copy = het__arena_zero(r->keep, (size_t)count, width);
    if (!copy)
        return het__onnx_nomem(r);
    uint8_t *at = copy;
    for (uint64_t x; het__pb_list_next(&list, &x); at += width) {
        if (t->dtype == HET_DTYPE_BOOL)
            x = x != 0;
        memcpy(at, &x, width);
    }
    return packed ? take_raw(r, copy, t) : (t->data = copy, HET_OK);
}

static het_status read_contents(het__onnx_reader *r, const fields *t, het__onnx_weight *weight)
{
    het__tensor *out = &weight->tensor;
    const int64_t bytes = het__onnx_stored_bytes(out);
    const uint8_t *p = NULL;
    weight->file_bytes = (uint64_t)bytes;
    if (t->is_external) {
        const het_status s =
            het__onnx_external(r, t->message, weight->name, (size_t)bytes, &p);
        return s == HET_OK ? take_raw(r, p, out) : s;
    }
    if (t->has_raw) {
        if (het__pb_left(&t->raw) != (uint64_t)bytes)
            return het__onnx_bad(r, t->raw.at, "tensor %s has %zu bytes of contents, not %lld",
                                 weight->name, het__pb_left(&t->raw), (long long)bytes);
        return take_raw(r, t->raw.at, out);
    }
    const het__pb_list list = numbers_of(t, out->dtype);
    const uint64_t have = het__pb_list_count(list);
    const uint64_t want = elements_per_byte(out->dtype) ? (uint64_t)bytes
                                                        : (uint64_t)het__tensor_elements(out);
    if (have != want)
        return het__onnx_bad(r, t->message.at, have == UINT64_MAX
                                                   ? "tensor %s: malformed list of numbers"
                                                   : "tensor %s: not as many numbers as elements",
                             weight->name);
    return take_numbers(r, list, have, out);
}

het_status het__onnx_read_tensor(het__onnx_reader *r, het__pb message, het__onnx_weight *weight)
{
    fields t;
    const char *what = "";
    memset(weight, 0, sizeof *weight);
    het_status s = read_fields(r, message, &t, weight);
    if (s != HET_OK)
        return s;
    weight->tensor.dtype = het__onnx_dtype(t.type, &what);
    if (weight->tensor.dtype == HET_DTYPE_NONE)
        return het__fail(r->err, HET_E_UNSUPPORTED, "%s: %s", weight->name, what);
    if (t.has_segment)
        return het__fail(r->err, HET_E_UNSUPPORTED, "tensor %s is a segment of a larger one",
                         weight->name);
    s = read_extents(r, &t, weight, &weight->tensor);
    if (s == HET_OK)
        s = read_contents(r, &t, weight);
    if (s == HET_OK && het__tensor_elements(&weight->tensor) == 0)
        weight->tensor.data = (void *)(uintptr_t)nothing;
    return s;
}

het_status het__onnx_tensor(const void *data, size_t size, het__mem *mem, het__tensor *tensor,
                            const char **name, het_error *err)
{
    het__onnx_reader r = { .data = data, .size = size, .mem = mem, .err = err };
    het__onnx_weight w;
    const uint8_t *first = data;
    het__arena_init(&r.scratch, mem);
    het__names_init(&r.interned, mem);
    r.keep = &r.scratch;
    het_status s = het__onnx_read_tensor(&r, (het__pb){ .at = first, .end = first + size }, &w);
    if (s == HET_OK) {
        const size_t bytes = (size_t)het__tensor_bytes(&w.tensor), length = strlen(w.name) + 1;
        char *copy = bytes < SIZE_MAX - length ? het__alloc(mem, bytes + length) : NULL;
        if (copy) {
            memcpy(copy, w.tensor.data, bytes);
            memcpy(copy + bytes, w.name, length);
            *tensor = w.tensor;
            tensor->data = copy;
            if (name)
                *name = copy + bytes;
        } else {
            s = het__onnx_nomem(&r);
        }
    }
    het__names_finish(&r.interned);
    het__arena_finish(&r.scratch);
    return s;
}

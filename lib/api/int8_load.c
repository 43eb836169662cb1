/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices in symmetric int8 with a scale per row, as het_quantize() writes them, in a form that
 * all devices multiply: Q8_0 whose blocks repeat the row's scale, which holds exactly the same
 * values where the scale is one of F16 and rows are whole blocks; F32 otherwise. docs/quantize.md
 * has the layout. The tensors of scales are not weights of the graph and leave the list. */
#include "lib/api/quantize_load.h"

#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/import/gguf_parts.h"
#include "lib/import/gguf_write.h"
#include "lib/quant/encode.h"

static bool ends_in(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

/* Of "x.weight" the tensor "x.weight_scale". */
static const het__gguf_tensor *scales_of(const het__gguf *gguf, const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        const char *other = gguf->tensors[i].name;
        if (strncmp(other, name, n) == 0 && strcmp(other + n, HET__INT8_SCALE) == 0)
            return &gguf->tensors[i];
    }
    return NULL;
}

static bool is_one_per_row(const het__gguf_tensor *t, const het__gguf_tensor *scales)
{
    if (scales->dtype != HET_DTYPE_F32 || !scales->data || scales->rank + 1 != t->rank)
        return false;
    for (uint32_t i = 0; i < scales->rank; i++)
        if (scales->extent[i] != t->extent[i])
            return false;
    return true;
}

static float scale_at(const het__gguf_tensor *scales, int64_t row)
{
    float scale;
    memcpy(&scale, (const char *)scales->data + (size_t)row * sizeof scale, sizeof scale);
    return scale;
}

/* *type: what the matrix becomes. */
static het_status check_scales(const het__gguf_tensor *t, const het__gguf_tensor *scales,
                               int64_t rows, het_dtype *type, het_error *err)
{
    if (!scales || !is_one_per_row(t, scales))
        return het__fail(err, HET_E_FORMAT,
                         "tensor '%.120s' is of type I8 and has no '%.120s" HET__INT8_SCALE
                         "' with one F32 per row", t->name, t->name);
    *type = t->extent[t->rank - 1] % 32 == 0 ? HET_DTYPE_Q8_0 : HET_DTYPE_F32;
    for (int64_t r = 0; r < rows; r++) {
        const float scale = scale_at(scales, r);
        if (!(scale >= 0 && isfinite(scale)))
            return het__fail(err, HET_E_FORMAT, "scale %lld of tensor '%.120s' is not finite, or "
                             "is negative", (long long)r, t->name);
        if (!het__int8_is_f16(scale))
            *type = HET_DTYPE_F32;
    }
    return HET_OK;
}

static het_status expand(het_model *m, het__gguf_tensor *t, const het__gguf_tensor *scales,
                         het__borrower *borrower, het_error *err)
{
    const int64_t columns = t->extent[t->rank - 1], rows = het__gguf_elements(t) / columns;
    het_dtype type = HET_DTYPE_F32;
    const void *from = NULL;
    het_status s = check_scales(t, scales, rows, &type, err);
    if (s == HET_OK)
        s = het__borrow(borrower, t->data, t->bytes, &from, err);
    if (s != HET_OK)
        return s;
    const size_t bytes = het__gguf_bytes_as(t, type), row_bytes = bytes / (size_t)rows;
    uint8_t *target = het__arena_alloc(&m->language->arena, bytes);
    if (!target)
        return het__fail_nomem(err, "the weights of a model");
    for (int64_t r = 0; r < rows; r++) {
        const int8_t *codes = (const int8_t *)from + r * columns;
        void *row = target + (size_t)r * row_bytes;
        if (type == HET_DTYPE_Q8_0)
            het__int8_to_q8_0(codes, scale_at(scales, r), row, columns);
        else
            het__int8_decode(codes, scale_at(scales, r), row, columns);
    }
    if (het__language_is_mapped(m, t->data))
        het__drop_pages(t->data, t->bytes);
    t->data = target;
    t->dtype = type;
    t->bytes = bytes;
    return HET_OK;
}

/* All without the tensors of scales of those that were expanded, which are marked by rank 0. */
static het_status leave_out(het__gguf *gguf, het__arena *arena, het_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < gguf->tensor_count; i++)
        if (gguf->tensors[i].rank > 0)
            gguf->tensors[kept++] = gguf->tensors[i];
    gguf->tensor_count = kept;
    gguf->tensor_order = het__gguf_sort(arena, gguf->tensors, kept, sizeof *gguf->tensors);
    return gguf->tensor_order ? HET_OK : het__fail_nomem(err, "the list of tensors");
}

het_status het__int8_loaded(het_model *m, het_error *err)
{
    het__gguf *gguf = &m->language->gguf;
    het__borrower borrower = { .lender = het__model_lender(m) };
    bool found = false;
    het_status s = HET_OK;
    for (size_t i = 0; s == HET_OK && i < gguf->tensor_count; i++) {
        het__gguf_tensor *t = &gguf->tensors[i];
        if (t->dtype != HET_DTYPE_I8 || t->rank < 2 || !ends_in(t->name, ".weight") || !t->data)
            continue;
        het__gguf_tensor *scales = (het__gguf_tensor *)scales_of(gguf, t->name);
        s = expand(m, t, scales, &borrower, err);
        if (s == HET_OK)
            scales->rank = 0;
        found = true;
    }
    het__borrow_end(&borrower);
    if (s != HET_OK)
        return s;
    return found ? leave_out(gguf, &m->language->arena, err) : HET_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What shape rules and plain kernels share: refusing, outputs, scratch memory, broadcasting. */
#include "lib/ir/eval.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

static het_status fail(const het__eval *e, het_status status, const char *format, va_list args)
{
    char text[160];
    vsnprintf(text, sizeof text, format, args);
    return het__fail(e->err, status, "%s %s: %s", het__node_operation(e->node), e->node->name,
                     text);
}

het_status het__eval_refuse(const het__eval *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const het_status s = fail(e, HET_E_INVALID, format, args);
    va_end(args);
    return s;
}

het_status het__eval_unsupported(const het__eval *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const het_status s = fail(e, HET_E_UNSUPPORTED, format, args);
    va_end(args);
    return s;
}

het_status het__eval_nomem(const het__eval *e)
{
    return het__fail_nomem(e->err, e->node->name);
}

het_status het__eval_shape(het__eval *e, uint32_t i, het_dtype dtype, uint32_t rank,
                           const int64_t *extent)
{
    if (i >= e->output_count)
        return HET_OK; /* an optional output that the node does not have */
    if (rank > HET_RANK_MAX)
        return het__eval_refuse(e, "output %u has rank %u; %d is the most", i, rank, HET_RANK_MAX);
    het__tensor *t = &e->outputs[i];
    t->dtype = dtype;
    t->rank = rank;
    for (uint32_t k = 0; k < rank; k++)
        t->extent[k] = extent[k];
    if (het__tensor_bytes(t) < 0)
        return het__eval_refuse(e, "output %u has an impossible size", i);
    return HET_OK;
}

het_status het__eval_like(het__eval *e, uint32_t i, het_dtype dtype, const het__tensor *t)
{
    return het__eval_shape(e, i, dtype, t->rank, t->extent);
}

het_status het__eval_output(het__eval *e, uint32_t i, het_dtype dtype, uint32_t rank,
                            const int64_t *extent)
{
    const het_status s = het__eval_shape(e, i, dtype, rank, extent);
    if (s != HET_OK || i >= e->output_count)
        return s;
    het__tensor *t = &e->outputs[i];
    het__free(e->mem, t->data);
    t->data = het__alloc(e->mem, (size_t)het__tensor_bytes(t));
    return t->data ? HET_OK : het__eval_nomem(e);
}

bool het__eval_ints(const het__eval *e, uint32_t i, const char *name, uint32_t most, int64_t *out,
                    uint32_t *count, bool *present, het_status *status)
{
    const het__tensor *t = het__eval_input(e, i);
    const het__attr *a = name && !t ? het__attr_find(e->attrs, name, HET__ATTR_INTS) : NULL;
    *present = t || a;
    *count = 0;
    *status = HET_OK;
    if (t && (t->rank > 1 || (t->dtype != HET_DTYPE_I64 && t->dtype != HET_DTYPE_I32))) {
        *status = het__eval_refuse(e, "input %u is not a list of integers", i);
        return true;
    }
    const int64_t n = t ? het__tensor_elements(t) : a ? (int64_t)a->count : 0;
    if (n > (int64_t)most) {
        *status = het__eval_refuse(e, "%lld integers where at most %u make sense", (long long)n,
                                   most);
        return true;
    }
    *count = (uint32_t)n;
    if (t && !t->data)
        return n == 0;
    for (int64_t k = 0; k < n; k++) {
        int32_t narrow;
        if (a) {
            out[k] = a->u.ints[k];
        } else if (t->dtype == HET_DTYPE_I64) {
            memcpy(&out[k], (const char *)t->data + k * 8, 8);
        } else {
            memcpy(&narrow, (const char *)t->data + k * 4, 4);
            out[k] = narrow;
        }
    }
    return true;
}

bool het__broadcast(const het__tensor *a, het__tensor *out)
{
    const uint32_t rank = a->rank > out->rank ? a->rank : out->rank;
    int64_t extent[HET_RANK_MAX];
    for (uint32_t i = 0; i < rank; i++) {
        const int64_t x = i + a->rank < rank ? 1 : a->extent[i + a->rank - rank];
        const int64_t y = i + out->rank < rank ? 1 : out->extent[i + out->rank - rank];
        if (x != y && x != 1 && y != 1)
            return false;
        extent[i] = x == 1 ? y : x;
    }
    out->rank = rank;
    memcpy(out->extent, extent, rank * sizeof extent[0]);
    return true;
}

/* ---- scratch ---- */

void het__scratch_init(het__scratch *scratch, het__mem *mem)
{
    memset(scratch, 0, sizeof *scratch);
    scratch->mem = mem;
}

void het__scratch_finish(het__scratch *scratch)
{
    for (size_t i = 0; i < sizeof scratch->blocks / sizeof scratch->blocks[0]; i++)
        het__free(scratch->mem, scratch->blocks[i]);
}

void *het__eval_scratch(het__eval *e, size_t count, size_t size)
{
    het__scratch *s = e->scratch;
    size_t bytes;
    if (!het__mul_size(count ? count : 1, size, &bytes) ||
        s->used == sizeof s->blocks / sizeof s->blocks[0])
        return NULL;
    const uint32_t i = s->used++;
    if (s->sizes[i] < bytes) {
        het__free(s->mem, s->blocks[i]);
        s->sizes[i] = 0;
        s->blocks[i] = het__alloc(s->mem, bytes);
        if (!s->blocks[i])
            return NULL;
        s->sizes[i] = bytes;
    }
    return s->blocks[i];
}

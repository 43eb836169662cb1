/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks grow by doubling, so that pushing costs little and memory stays below twice of what is
 * there. */
#include "lib/plain/stack.h"

#include <string.h>

/* Room for so many bytes more, which are not yet counted. */
static het_status reserve(het__stack *s, const het__eval *e, size_t bytes)
{
    size_t need;
    if (!het__add_size(s->bytes, bytes, &need))
        return het__eval_nomem(e);
    if (s->data && need <= s->capacity)
        return HET_OK;
    const size_t twice = s->capacity <= SIZE_MAX / 2 ? s->capacity * 2 : need;
    const size_t capacity = need > twice ? need : twice;
    char *grown = het__realloc(e->interpreter->mem, s->data, capacity);
    if (!grown)
        return het__eval_nomem(e);
    s->data = grown;
    s->capacity = capacity;
    return HET_OK;
}

static het_status append_zeros(het__stack *s, const het__eval *e, int64_t count)
{
    size_t bytes;
    if (!het__mul_size((size_t)het__tensor_bytes(&s->element), (size_t)count, &bytes))
        return het__eval_nomem(e);
    const het_status status = reserve(s, e, bytes);
    if (status != HET_OK)
        return status;
    memset(s->data + s->bytes, 0, bytes);
    s->bytes += bytes;
    return HET_OK;
}

/* From now on elements are like t. */
static het_status settle(het__stack *s, const het__eval *e, const het__tensor *t)
{
    s->element = *t;
    s->element.data = NULL;
    if (het__tensor_bytes(t) < 0)
        return het__eval_refuse(e, "what is stacked has an impossible size");
    return append_zeros(s, e, s->owed);
}

het_status het__stack_push(het__stack *s, const het__eval *e, const het__tensor *t)
{
    het_status status = HET_OK;
    if (s->element.dtype == HET_DTYPE_NONE)
        status = settle(s, e, t);
    else if (t->dtype != s->element.dtype || !het__tensor_same_extents(t, &s->element))
        return het__eval_refuse(e, "what is stacked changes its shape from step to step");
    const size_t bytes = status == HET_OK ? (size_t)het__tensor_bytes(t) : 0;
    if (status == HET_OK)
        status = reserve(s, e, bytes);
    if (status != HET_OK)
        return status;
    memcpy(s->data + s->bytes, t->data, bytes);
    s->bytes += bytes;
    s->count++;
    return HET_OK;
}

het_status het__stack_pad(het__stack *s, const het__eval *e, int64_t count)
{
    s->count += count;
    if (s->element.dtype != HET_DTYPE_NONE)
        return append_zeros(s, e, count);
    s->owed += count;
    return HET_OK;
}

static void element_of(const het__value *declared, het__tensor *t)
{
    memset(t, 0, sizeof *t);
    t->dtype = declared->dtype == HET_DTYPE_NONE ? HET_DTYPE_F32 : declared->dtype;
    if (!het__value_is_known(declared))
        return;
    t->rank = declared->rank;
    for (uint32_t i = 0; i < t->rank; i++)
        t->extent[i] = declared->extent[i].symbol == HET__SYM_ONE ? declared->extent[i].count : 0;
}

/* Elements, which lie one behind the other, put at their places along the axis. */
static het_status place(const het__stack *s, const het__eval *e, int64_t axis, bool is_reversed,
                        het__tensor *whole)
{
    const int64_t bytes = het__tensor_bytes(whole);
    char *to = het__alloc(e->interpreter->mem, (size_t)bytes);
    if (!to)
        return het__eval_nomem(e);
    whole->data = to;
    if (bytes == 0)
        return HET_OK;
    const int64_t outer = het__tensor_span(whole, 0, (uint32_t)axis);
    const int64_t piece = bytes / (outer * s->count);
    for (int64_t i = 0; i < s->count; i++) {
        const int64_t at = is_reversed ? s->count - 1 - i : i;
        for (int64_t o = 0; o < outer; o++)
            memcpy(to + (o * s->count + at) * piece, s->data + (i * outer + o) * piece,
                   (size_t)piece);
    }
    return HET_OK;
}

het_status het__stack_take(het__stack *s, const het__eval *e, const het__value *declared,
                           const het__stack_order *order, het__tensor *whole)
{
    static const het__stack_order in_front = { 0, false, 0 };
    order = order ? order : &in_front;
    het_status status = HET_OK;
    if (s->element.dtype == HET_DTYPE_NONE) {
        het__tensor element;
        element_of(declared, &element);
        status = settle(s, e, &element);
    }
    const uint32_t fresh = order->batch > 0 ? 2 : 1, rank = s->element.rank + fresh;
    const int64_t axis = order->batch > 0 ? 0 : het__axis(order->axis, rank);
    if (status == HET_OK && (rank > HET_RANK_MAX || axis < 0))
        status = het__eval_refuse(e, "rank %u cannot be stacked along axis %lld", s->element.rank,
                                  (long long)order->axis);
    if (status != HET_OK)
        return status;
    *whole = (het__tensor){ .dtype = s->element.dtype, .rank = rank };
    for (uint32_t i = 0; i < s->element.rank; i++)
        whole->extent[i < axis ? i : i + fresh] = s->element.extent[i];
    if (order->batch > 0)
        whole->extent[0] = order->batch;
    whole->extent[order->batch > 0 ? 1 : axis] =
        order->batch > 0 ? s->count / order->batch : s->count;
    if (het__tensor_bytes(whole) < 0)
        return het__eval_refuse(e, "what is stacked has an impossible size");
    if (axis != 0 || order->is_reversed)
        return place(s, e, axis, order->is_reversed, whole);
    status = reserve(s, e, 0);
    if (status == HET_OK) {
        whole->data = s->data;
        s->data = NULL;
    }
    return status;
}

void het__stack_finish(het__stack *s, het__mem *mem)
{
    het__free(mem, s->data);
    memset(s, 0, sizeof *s);
}

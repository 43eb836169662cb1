/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that choose by contents: what is not zero, what a condition keeps, the best, the
 * different ones. */
#include <string.h>

#include "lib/ir/move.h"
#include "lib/plain/order.h"
#include "lib/plain/plain.h"
#include "lib/plain/strided.h"

het_status het__plain_non_zero(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    const int64_t count = out->extent[1];
    int64_t at[HET_RANK_MAX] = { 0 };
    if (count == 0)
        return HET_OK;
    const int64_t n = het__tensor_elements(x);
    for (int64_t i = 0, found = 0; i < n && found < count; i++) {
        if (het__is_nonzero(x, i)) {
            for (uint32_t a = 0; a < x->rank; a++)
                het__put_i64(HET_DTYPE_I64, out->data, a * count + found, at[a]);
            found++;
        }
        for (uint32_t a = x->rank; a-- > 0;) {
            if (++at[a] < x->extent[a])
                break;
            at[a] = 0;
        }
    }
    return HET_OK;
}

het_status het__plain_compress(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *condition = &e->inputs[1], *out = &e->outputs[0];
    const bool has_axis = het__attr_find(e->attrs, "axis", HET__ATTR_INT) != NULL;
    uint32_t axis = 0;
    const het_status s = has_axis ? het__axis_of(e, "axis", 0, x->rank, &axis) : HET_OK;
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    const int64_t outer = has_axis ? het__tensor_span(x, 0, axis) : 1;
    const int64_t extent = has_axis ? x->extent[axis] : het__tensor_elements(x);
    const int64_t inner = has_axis ? het__tensor_span(x, axis + 1, x->rank) : 1;
    const int64_t run = inner * (int64_t)het__element_bytes(x->dtype);
    const int64_t kept = out->extent[axis];
    const int64_t looked = condition->extent[0] < extent ? condition->extent[0] : extent;
    const unsigned char *keeps = condition->data;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0, made = 0; i < looked && made < kept; i++)
            if (keeps[i]) {
                memcpy((char *)out->data + (o * kept + made) * run,
                       (const char *)x->data + (o * extent + i) * run, (size_t)run);
                made++;
            }
    return HET_OK;
}

/* ---- TopK ---- */

/* The best of a line: a heap whose root is the worst of those kept. */
typedef struct best {
    const uint64_t *key; /* greater is better */
    int64_t *heap;
    int64_t count;
} best;

/* Of equals the first one is better. */
static bool is_worse(const best *b, int64_t x, int64_t y)
{
    return b->key[x] != b->key[y] ? b->key[x] < b->key[y] : x > y;
}

static void sift_down(best *b, int64_t i)
{
    const int64_t moved = b->heap[i];
    for (int64_t child; (child = 2 * i + 1) < b->count; i = child) {
        if (child + 1 < b->count && is_worse(b, b->heap[child + 1], b->heap[child]))
            child++;
        if (!is_worse(b, b->heap[child], moved))
            break;
        b->heap[i] = b->heap[child];
    }
    b->heap[i] = moved;
}

/* Leaves the best k of n in the heap, in falling order. */
static void choose(best *b, int64_t k, int64_t n)
{
    b->count = k;
    for (int64_t i = 0; i < k; i++)
        b->heap[i] = i;
    for (int64_t i = k / 2; i-- > 0;)
        sift_down(b, i);
    for (int64_t i = k; i < n; i++)
        if (is_worse(b, b->heap[0], i)) {
            b->heap[0] = i;
            sift_down(b, 0);
        }
    while (b->count > 1) {
        const int64_t worst = b->heap[0];
        b->heap[0] = b->heap[--b->count];
        b->heap[b->count] = worst;
        sift_down(b, 0);
    }
}

static void write_best(const het__eval *e, const best *b, int64_t first, int64_t inner,
                       int64_t out_first, int64_t k)
{
    const het__tensor *x = &e->inputs[0];
    const size_t element = het__element_bytes(x->dtype);
    for (int64_t i = 0; i < k; i++) {
        const int64_t from = first + b->heap[i] * inner, to = out_first + i * inner;
        memcpy((char *)e->outputs[0].data + (size_t)to * element,
               (const char *)x->data + (size_t)from * element, element);
        if (e->output_count > 1)
            het__put_i64(HET_DTYPE_I64, e->outputs[1].data, to, b->heap[i]);
    }
}

het_status het__plain_top_k(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    const uint64_t flip = het__attr_int(e->attrs, "largest", 1) ? 0 : UINT64_MAX;
    uint32_t axis;
    const het_status s = het__axis_of(e, "axis", -1, x->rank, &axis);
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    const int64_t n = x->extent[axis], k = out->extent[axis];
    const int64_t inner = het__tensor_span(x, axis + 1, x->rank);
    const int64_t lines = het__tensor_span(x, 0, axis) * inner;
    uint64_t *key = het__eval_scratch(e, (size_t)n, sizeof *key);
    int64_t *heap = het__eval_scratch(e, (size_t)k, sizeof *heap);
    if (!key || !heap)
        return het__eval_nomem(e);
    for (int64_t line = 0; line < lines; line++) {
        const int64_t outer = line / inner, first = outer * n * inner + line % inner;
        best b = { key, heap, 0 };
        for (int64_t i = 0; i < n; i++)
            key[i] = het__order_key(x->dtype, x->data, first + i * inner) ^ flip;
        choose(&b, k, n);
        write_best(e, &b, first, inner, outer * k * inner + line % inner, k);
    }
    return HET_OK;
}

/* ---- Unique ---- */

/* Slices of the input along an axis: [outer, count, inner]. */
typedef struct slices {
    const het__tensor *x;
    int64_t outer, count, inner;
    uint64_t *key;  /* [count][outer * inner] */
    int64_t *order; /* slices in rising order */
    int64_t *spare;
    int64_t *group; /* per slice: which of the different ones it is */
    int64_t *first; /* per different one: the first slice that is so */
    int64_t groups;
} slices;

static int compare(const slices *s, int64_t a, int64_t b)
{
    const int64_t n = s->outer * s->inner;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t x = s->key[a * n + i], y = s->key[b * n + i];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static bool slice_less(const void *context, int64_t a, int64_t b)
{
    return compare(context, a, b) < 0;
}

static void read_slices(slices *s)
{
    const int64_t n = s->outer * s->inner;
    for (int64_t c = 0; c < s->count; c++) {
        s->order[c] = c;
        for (int64_t o = 0; o < s->outer; o++)
            for (int64_t i = 0; i < s->inner; i++)
                s->key[c * n + o * s->inner + i] = het__order_key(
                    s->x->dtype, s->x->data, (o * s->count + c) * s->inner + i);
    }
}

static void find_groups(slices *s)
{
    for (int64_t i = 0; i < s->count; i++) {
        const int64_t slice = s->order[i];
        if (i == 0 || compare(s, s->order[i - 1], slice) != 0)
            s->first[s->groups++] = slice;
        s->group[slice] = s->groups - 1;
    }
}

/* Numbers the groups anew, as their first slices come. */
static void sort_by_first(slices *s)
{
    int64_t next = 0;
    for (int64_t c = 0; c < s->count; c++) {
        if (s->first[s->group[c]] == c)
            s->spare[s->group[c]] = next++;
    }
    for (int64_t c = 0; c < s->count; c++)
        s->group[c] = s->spare[s->group[c]];
    for (int64_t c = s->count; c-- > 0;)
        s->first[s->group[c]] = c;
}

static het_status write_groups(het__eval *e, const slices *s, uint32_t rank,
                               const int64_t *extent)
{
    const int64_t run = s->inner * (int64_t)het__element_bytes(s->x->dtype);
    het_status status = het__eval_output(e, 0, s->x->dtype, rank, extent);
    for (uint32_t i = 1; status == HET_OK && i < 4; i++)
        status = het__eval_output(e, i, HET_DTYPE_I64, 1, i == 2 ? &s->count : &s->groups);
    if (status != HET_OK)
        return status;
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t g = 0; g < s->groups; g++)
            memcpy((char *)e->outputs[0].data + (o * s->groups + g) * run,
                   (const char *)s->x->data + (o * s->count + s->first[g]) * run, (size_t)run);
    if (e->output_count > 1 && s->groups)
        memcpy(e->outputs[1].data, s->first, (size_t)s->groups * sizeof *s->first);
    if (e->output_count > 2 && s->count)
        memcpy(e->outputs[2].data, s->group, (size_t)s->count * sizeof *s->group);
    if (e->output_count > 3 && s->groups) {
        memset(s->spare, 0, (size_t)s->groups * sizeof *s->spare);
        for (int64_t c = 0; c < s->count; c++)
            s->spare[s->group[c]]++;
        memcpy(e->outputs[3].data, s->spare, (size_t)s->groups * sizeof *s->spare);
    }
    return HET_OK;
}

/* Slices without elements are all the same, however many there are: no list of them is needed. */
static het_status unique_empty(het__eval *e, const het__tensor *x, uint32_t rank, uint32_t axis)
{
    const int64_t count = rank && rank == x->rank ? x->extent[axis] : 0;
    const int64_t groups = count > 0, zero = 0;
    het__tensor out = *x;
    out.extent[axis] = groups;
    het_status s = het__eval_output(e, 0, x->dtype, rank, out.extent);
    for (uint32_t i = 1; s == HET_OK && i < 4; i++)
        s = het__eval_output(e, i, HET_DTYPE_I64, 1, i == 2 ? &count : &groups);
    if (s != HET_OK || groups == 0)
        return s;
    if (e->output_count > 1)
        het__put_i64(HET_DTYPE_I64, e->outputs[1].data, 0, 0);
    if (e->output_count > 2)
        het__fill(e->outputs[2].data, &zero, sizeof zero, count);
    if (e->output_count > 3)
        het__put_i64(HET_DTYPE_I64, e->outputs[3].data, 0, count);
    return HET_OK;
}

het_status het__plain_unique(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const bool has_axis = het__attr_find(e->attrs, "axis", HET__ATTR_INT) != NULL;
    uint32_t axis = 0;
    const het_status status = has_axis ? het__axis_of(e, "axis", 0, x->rank, &axis) : HET_OK;
    if (status != HET_OK)
        return status;
    if (het__tensor_bytes(x) == 0)
        return unique_empty(e, x, has_axis ? x->rank : 1, axis);
    slices s = { .x = x,
                 .outer = has_axis ? het__tensor_span(x, 0, axis) : 1,
                 .count = has_axis ? x->extent[axis] : het__tensor_elements(x),
                 .inner = has_axis ? het__tensor_span(x, axis + 1, x->rank) : 1 };
    const size_t count = (size_t)s.count;
    s.key = het__eval_scratch(e, count * (size_t)(s.outer * s.inner), sizeof *s.key);
    s.order = het__eval_scratch(e, count, sizeof *s.order);
    s.spare = het__eval_scratch(e, count, sizeof *s.spare);
    s.group = het__eval_scratch(e, count, sizeof *s.group);
    s.first = het__eval_scratch(e, count, sizeof *s.first);
    if (!s.key || !s.order || !s.spare || !s.group || !s.first)
        return het__eval_nomem(e);
    read_slices(&s);
    het__order_sort(s.order, s.count, s.spare, slice_less, &s);
    find_groups(&s);
    if (het__attr_int(e->attrs, "sorted", 1) == 0)
        sort_by_first(&s);
    het__tensor out = *x;
    out.rank = has_axis ? x->rank : 1;
    out.extent[axis] = s.groups;
    return write_groups(e, &s, out.rank, out.extent);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* NonMaxSuppression: per image and class, boxes by falling score, each kept unless it covers too
 * much of one kept before. */
#include <string.h>

#include "lib/ir/move.h"
#include "lib/plain/order.h"
#include "lib/plain/plain.h"

typedef struct box {
    double low[2], high[2];
} box;

typedef struct suppression {
    const het__tensor *boxes, *scores;
    int64_t count; /* of boxes per image */
    bool centered; /* centre and size instead of two corners */
    bool has_least;
    double least; /* score */
    double most;  /* of the union that the intersection may be */
    int64_t most_kept;
    uint64_t *key;
    int64_t *order, *spare;
    box *kept;
    int64_t (*selected)[3];
    int64_t selected_count;
} suppression;

static box box_of(const suppression *s, int64_t image, int64_t i)
{
    double v[4];
    box b;
    for (int k = 0; k < 4; k++)
        v[k] = het__number(s->boxes, (image * s->count + i) * 4 + k);
    for (int k = 0; k < 2; k++) {
        const double half = v[k + 2] / 2;
        const double x = s->centered ? v[k] - half : v[k], y = s->centered ? v[k] + half : v[k + 2];
        b.low[k] = x < y || s->centered ? x : y;
        b.high[k] = x < y || s->centered ? y : x;
    }
    return b;
}

static double area(const double low[2], const double high[2])
{
    return high[0] > low[0] && high[1] > low[1] ? (high[0] - low[0]) * (high[1] - low[1]) : 0;
}

static bool covers(const suppression *s, const box *a, const box *b)
{
    double low[2], high[2];
    for (int k = 0; k < 2; k++) {
        low[k] = a->low[k] > b->low[k] ? a->low[k] : b->low[k];
        high[k] = a->high[k] < b->high[k] ? a->high[k] : b->high[k];
    }
    const double common = area(low, high);
    const double both = area(a->low, a->high) + area(b->low, b->high) - common;
    /* In float as the threshold is, so that a quotient equal to it is equal. */
    return common > 0 && both > 0 && (double)(float)(common / both) > s->most;
}

static bool score_greater(const void *context, int64_t a, int64_t b)
{
    const suppression *s = context;
    return s->key[a] > s->key[b];
}

static void suppress(suppression *s, int64_t image, int64_t class, int64_t classes)
{
    const int64_t first = (image * classes + class) * s->count;
    int64_t candidates = 0, kept = 0;
    for (int64_t i = 0; i < s->count; i++) {
        s->key[i] = het__order_key(HET_DTYPE_F32, s->scores->data, first + i);
        if (!s->has_least || het__number(s->scores, first + i) > s->least)
            s->order[candidates++] = i;
    }
    het__order_sort(s->order, candidates, s->spare, score_greater, s);
    for (int64_t i = 0; i < candidates && kept < s->most_kept; i++) {
        const box b = box_of(s, image, s->order[i]);
        int64_t k = 0;
        while (k < kept && !covers(s, &s->kept[k], &b))
            k++;
        if (k < kept)
            continue;
        s->kept[kept++] = b;
        int64_t *row = s->selected[s->selected_count++];
        row[0] = image;
        row[1] = class;
        row[2] = s->order[i];
    }
}

static void read_limits(const het__eval *e, suppression *s)
{
    const het__tensor *most = het__eval_input(e, 2), *overlap = het__eval_input(e, 3);
    const het__tensor *least = het__eval_input(e, 4);
    s->most_kept = most ? het__index_at(most, 0) : 0;
    s->most_kept = s->most_kept < 0 ? 0 : s->most_kept > s->count ? s->count : s->most_kept;
    s->most = overlap ? het__number(overlap, 0) : 0;
    s->has_least = least != NULL;
    s->least = least ? het__number(least, 0) : 0;
    s->centered = het__attr_int(e->attrs, "center_point_box", 0) != 0;
}

het_status het__plain_non_max_suppression(het__eval *e)
{
    suppression s = { .boxes = &e->inputs[0], .scores = &e->inputs[1],
                      .count = e->inputs[0].extent[1] };
    int64_t images = s.scores->extent[0], classes = s.scores->extent[1], lists, rows;
    read_limits(e, &s);
    if (het__tensor_bytes(s.scores) == 0)
        images = classes = s.most_kept = 0;
    const size_t count = s.most_kept ? (size_t)s.count : 0;
    if (!het__mul_i64(images, classes, &lists) || !het__mul_i64(lists, s.most_kept, &rows))
        return het__eval_nomem(e);
    s.key = het__eval_scratch(e, count, sizeof *s.key);
    s.order = het__eval_scratch(e, count, sizeof *s.order);
    s.spare = het__eval_scratch(e, count, sizeof *s.spare);
    s.kept = het__eval_scratch(e, (size_t)s.most_kept, sizeof *s.kept);
    s.selected = het__eval_scratch(e, (size_t)rows, sizeof *s.selected);
    if (!s.key || !s.order || !s.spare || !s.kept || !s.selected)
        return het__eval_nomem(e);
    for (int64_t n = 0; n < images && s.most_kept; n++)
        for (int64_t c = 0; c < classes; c++)
            suppress(&s, n, c, classes);
    const int64_t extent[] = { s.selected_count, 3 };
    const het_status status = het__eval_output(e, 0, HET_DTYPE_I64, 2, extent);
    if (status == HET_OK && s.selected_count)
        memcpy(e->outputs[0].data, s.selected, (size_t)s.selected_count * sizeof *s.selected);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of graphs, where all keys are there: heads times stretches of queries. A task packs the
 * keys and values of its head once, computes the scores of a few queries at a time, softens them
 * and weighs the values. */
#include "backends/cpu_onednn/tensor.h"

#include <math.h>
#include <string.h>

#include "backends/cpu_onednn/tensor_math.h"

/* Floats of keys, or of values, that a task packs at most: larger heads run by the plain kernel. */
#define PACKED_MAX ((int64_t)1 << 19)
/* Floats of scores at once. */
#define SCORES_MAX ((int64_t)32 << 10)
#define ROWS_MAX 48
/* A multiple of the rows of a product's tile, at every level. */
#define ROWS_STEP 12

typedef struct attention_step {
    const het__tensor_math *math;
    const float *q, *k, *v;
    const float *mask; /* added to the scores, or NULL */
    int64_t mask_batch, mask_head, mask_query; /* steps, 0 where it is repeated */
    float *out;
    int64_t batch, heads, kv_heads, queries, keys, size, value_size;
    int64_t rows;   /* queries at once */
    int64_t cuts;   /* of the queries of a head */
    float scale;
    size_t keys_offset, values_offset, scores_offset;
} attention_step;

static int64_t panels_of(const attention_step *s, int64_t columns)
{
    return (columns + s->math->panel - 1) / s->math->panel;
}

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    attention_step *s = step->data;
    (void)symbols;
    const int64_t heads = s->batch * s->heads;
    const int64_t threads = het__pool_count(step->program->device->pool);
    const int64_t most = (s->queries + s->rows - 1) / s->rows;
    /* Packing is done anew for each cut: few cuts, unless threads would have nothing to do. */
    s->cuts = heads >= 4 * threads ? 1 : (4 * threads + heads - 1) / (heads ? heads : 1);
    s->cuts = s->cuts < most ? s->cuts : most > 0 ? most : 1;
    if (s->cuts > 1 && heads == 1) /* all threads have as many */
        s->cuts = (s->cuts + threads - 1) / threads * threads;
    step->tasks = heads * s->cuts;
    step->program->step_macs += (double)heads * (double)s->queries * (double)s->keys *
                                (double)(s->size + s->value_size);
}

/* b[k][n] at b[k * k_step + n * n_step], all panels one behind the other, each of all rows. */
static void pack_all(const attention_step *s, const float *b, int64_t k_step, int64_t n_step,
                     int64_t depth, int64_t columns, float *packed)
{
    const int64_t panel = s->math->panel;
    for (int64_t n = 0; n < columns; n += panel, packed += depth * panel)
        s->math->pack(b + n * n_step, k_step, n_step, depth,
                      columns - n < panel ? columns - n : panel, packed);
}

static void multiply(const attention_step *s, const float *a, int64_t depth, int64_t rows,
                     const float *packed, int64_t columns, float *out)
{
    const int64_t panel = s->math->panel;
    for (int64_t n = 0; n < columns; n += panel, packed += depth * panel)
        s->math->product(a, depth, packed, depth, rows, columns - n < panel ? columns - n : panel,
                         false, out + n, columns);
}

/* Scores to weights that add up to one, or to zeros if no key is open. What is no number makes the
 * whole row so: it goes through exponentials and sum. */
static void soften(const het__cpu_level *level, const attention_step *s, const float *mask,
                   float *row)
{
    float sum = 0;
    const float most = level->scale_max(row, mask, s->keys, s->scale);
    bool is_open = most > -INFINITY;
    for (int64_t j = 0; !is_open && j < s->keys; j++)
        is_open = isnan(row[j]);
    if (!is_open) {
        memset(row, 0, (size_t)s->keys * sizeof *row);
        return;
    }
    level->exp_rows(row, s->keys, most, &sum);
    const het__cpu_finish share = { .scale = 1.0f / sum, .low = -INFINITY, .high = INFINITY };
    level->finish(&share, row, s->keys, 1, s->keys);
}

/* First query of a cut: whole tiles of products, while there are enough. */
static int64_t cut_at(const attention_step *s, int64_t cut)
{
    const int64_t q = cut * s->queries / s->cuts;
    return cut == s->cuts || s->queries < s->cuts * ROWS_STEP ? q : q / ROWS_STEP * ROWS_STEP;
}

static void run(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const attention_step *s = step->data;
    const het__cpu_level *level = step->program->device->level;
    const int64_t head = task / s->cuts, cut = task % s->cuts;
    const int64_t kv = head / s->heads * s->kv_heads +
                       head % s->heads / (s->heads / s->kv_heads);
    float *keys = (float *)(void *)(scratch + s->keys_offset);
    float *values = (float *)(void *)(scratch + s->values_offset);
    float *scores = (float *)(void *)(scratch + s->scores_offset);
    pack_all(s, s->k + kv * s->keys * s->size, 1, s->size, s->size, s->keys, keys);
    pack_all(s, s->v + kv * s->keys * s->value_size, s->value_size, 1, s->keys, s->value_size,
             values);
    const int64_t end = cut_at(s, cut + 1);
    for (int64_t q = cut_at(s, cut); q < end; q += s->rows) {
        const int64_t rows = end - q < s->rows ? end - q : s->rows;
        multiply(s, s->q + (head * s->queries + q) * s->size, s->size, rows, keys, s->keys,
                 scores);
        const float *mask = s->mask ? s->mask + head / s->heads * s->mask_batch +
                                          head % s->heads * s->mask_head : NULL;
        for (int64_t r = 0; r < rows; r++)
            soften(level, s, mask ? mask + (q + r) * s->mask_query : NULL, scores + r * s->keys);
        multiply(s, scores, s->keys, rows, values, s->value_size,
                 s->out + (head * s->queries + q) * s->value_size);
    }
}

static int64_t extent(const het__graph *g, const het__node *node, uint32_t input, uint32_t axis)
{
    return g->values[node->inputs[input]].extent[axis].count;
}

/* F32 of [batch or 1, heads or 1, queries or 1, keys], leading ones left out or not. */
static bool mask_fits(const het__graph *g, const het__node *node, const het__value *mask)
{
    if (mask->dtype != HET_DTYPE_F32 || mask->rank > 4 || mask->rank == 0 ||
        mask->extent[mask->rank - 1].count != extent(g, node, 1, 2) ||
        (mask->kind == HET__VALUE_CONST && (uintptr_t)mask->data % sizeof(float) != 0))
        return false;
    for (uint32_t i = 0; i + 1 < mask->rank; i++) {
        const int64_t n = mask->extent[i].count;
        if (n != 1 && n != extent(g, node, 0, i + 4 - mask->rank))
            return false;
    }
    return true;
}

static void take_mask(het__cpu_build *build, const het__node *node, attention_step *s)
{
    const uint32_t value = node->input_count > 3 ? node->inputs[3] : HET__NO_VALUE;
    if (value == HET__NO_VALUE)
        return;
    const het__value *mask = &build->slice->graph->values[value];
    int64_t *const steps[] = { &s->mask_batch, &s->mask_head, &s->mask_query };
    int64_t step = s->keys;
    if (mask->kind == HET__VALUE_CONST)
        s->mask = mask->data;
    else
        het__cpu_place(build, value, &s->mask);
    for (uint32_t axis = 3; axis-- > 0;) {
        const bool there = axis + mask->rank >= 4;
        const int64_t n = there ? mask->extent[axis + mask->rank - 4].count : 1;
        *steps[axis] = n == 1 ? 0 : step;
        step *= n;
    }
}

bool het__cpu_attention_fits(const het__graph *g, const het__node *node)
{
    const het__attr_list *list = &node->attrs.tensor;
    if (node->op != HET__OP_T_ATTENTION || node->output_count != 1 ||
        het__attr_int(list, "is_causal", 0) || het__attr_float(list, "softcap", 0) != 0)
        return false;
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (i == 3 && node->inputs[i] != HET__NO_VALUE &&
            !mask_fits(g, node, &g->values[node->inputs[i]]))
            return false;
        if (i > 3 && node->inputs[i] != HET__NO_VALUE)
            return false;
        const het__value *v = i < 3 ? &g->values[node->inputs[i]] : NULL;
        if (v && (v->dtype != HET_DTYPE_F32 || v->rank != 4 || v->kind == HET__VALUE_CONST))
            return false;
    }
    const int64_t keys = extent(g, node, 1, 2), size = extent(g, node, 1, 3);
    const int64_t value_size = extent(g, node, 2, 3);
    return keys > 0 && size > 0 && value_size > 0 &&
           (keys + HET__PANEL_MAX) * (size + value_size + HET__PANEL_MAX) <= PACKED_MAX;
}

het_status het__cpu_build_attention_of_graph(het__cpu_build *build, const het__node *node)
{
    const het__graph *g = build->slice->graph;
    het__cpu_step *step = het__cpu_add_step(build, sizeof(attention_step));
    if (!step)
        return HET_E_NOMEM;
    attention_step *s = step->data;
    s->math = het__tensor_math_for(build->device->level->name);
    het__cpu_place(build, node->inputs[0], &s->q);
    het__cpu_place(build, node->inputs[1], &s->k);
    het__cpu_place(build, node->inputs[2], &s->v);
    het__cpu_place(build, node->outputs[0], &s->out);
    s->batch = extent(g, node, 0, 0);
    s->heads = extent(g, node, 0, 1);
    s->queries = extent(g, node, 0, 2);
    s->size = extent(g, node, 0, 3);
    s->kv_heads = extent(g, node, 1, 1);
    s->keys = extent(g, node, 1, 2);
    s->value_size = extent(g, node, 2, 3);
    s->scale = het__attr_float(&node->attrs.tensor, "scale", 1.0f / sqrtf((float)s->size));
    take_mask(build, node, s);
    s->rows = SCORES_MAX / s->keys;
    s->rows = s->rows < 1 ? 1 : s->rows > ROWS_MAX ? ROWS_MAX : s->rows;
    size_t own = 0;
    const int64_t panel = s->math->panel;
    s->keys_offset = het__cpu_reserve(
        &own, (size_t)(panels_of(s, s->keys) * panel * s->size) * sizeof(float));
    s->values_offset = het__cpu_reserve(
        &own, (size_t)(panels_of(s, s->value_size) * panel * s->keys) * sizeof(float));
    s->scores_offset = het__cpu_reserve(&own, (size_t)(s->rows * s->keys) * sizeof(float));
    het__cpu_need_worker(build, own);
    step->bind = bind;
    step->task = run;
    return HET_OK;
}

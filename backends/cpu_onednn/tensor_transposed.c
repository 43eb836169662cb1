/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolutions of one or two axes, as products whose results are spread over the output:
 *
 *     spread[output channel][tap][place] = weights[output channel][tap][channels] x input
 *
 * for a stretch of input places at a time, then added to the output rows that the taps reach. A
 * task owns its output: a group's block of output channels, and, where windows of different input
 * rows do not meet, a stretch of rows. */
#include <string.h>

#include "backends/cpu_onednn/tensor.h"
#include "backends/cpu_onednn/tensor_math.h"
#include "lib/base/error.h"
#include "lib/ir/window.h"

/* Rows of a product: what is spread stays in a second-level cache. */
#define ROWS_MAX 96
#define TAPS_MAX 1024
/* Multiply-adds of a task, about. */
#define TASK_MACS 262144

typedef struct transposed_step {
    const het__tensor_math *math;
    het__window w; /* of two axes; in: the output */
    const float *x, *weights, *bias;
    float *out;
    int64_t depth, outputs; /* channels of a group */
    int64_t block, blocks;  /* output channels of a task; blocks of a group */
    int64_t rows, cuts;     /* input rows of a task */
    size_t spread_offset;
} transposed_step;

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    const transposed_step *s = step->data;
    (void)symbols;
    step->tasks = s->w.batch * s->w.groups * s->blocks * s->cuts;
    step->program->step_macs += (double)s->w.batch * (double)s->w.channels *
                                (double)s->outputs * (double)s->w.kernel_span *
                                (double)s->w.out_span;
}

/* Places of one row, from column x on, of one tap. */
static void spread_row(const transposed_step *s, const float *from, int64_t count, int64_t y,
                       int64_t x, int64_t tap, float *plane)
{
    const het__window *w = &s->w;
    const int64_t oy = y * w->stride[0] - w->begin[0] + tap / w->kernel[1] * w->dilation[0];
    const int64_t shift = tap % w->kernel[1] * w->dilation[1] - w->begin[1];
    if (oy < 0 || oy >= w->in[0])
        return;
    float *row = plane + oy * w->in[1];
    const int64_t step = w->stride[1];
    int64_t first = 0, end = count;
    while (first < end && (x + first) * step + shift < 0)
        first++;
    while (end > first && (x + end - 1) * step + shift >= w->in[1])
        end--;
    row += x * step + shift;
    for (int64_t i = first; i < end; i++)
        row[i * step] += from[i];
}

/* Windows two wide beside each other: of the results of a row's two taps every other goes behind
 * one of the first. */
static bool is_paired(const transposed_step *s)
{
    const het__window *w = &s->w;
    return w->kernel[1] == 2 && w->stride[1] == 2 && w->dilation[1] == 1 && w->begin[1] == 0 &&
           w->in[1] >= 2 * w->out[1];
}

/* As spread_row(), of tap and the one behind it, whose results are at second. */
static void spread_pair(const transposed_step *s, const float *restrict first,
                        const float *restrict second, int64_t count, int64_t y, int64_t x,
                        int64_t tap, float *plane)
{
    const het__window *w = &s->w;
    const int64_t oy = y * w->stride[0] - w->begin[0] + tap / 2 * w->dilation[0];
    if (oy < 0 || oy >= w->in[0])
        return;
    float *restrict row = plane + oy * w->in[1] + 2 * x;
    for (int64_t i = 0; i < count; i++) {
        row[2 * i] += first[i];
        row[2 * i + 1] += second[i];
    }
}

/* Input places [place, place + count) of channels [channel, channel + outputs) of a group. */
static void spread(const transposed_step *s, const float *from, int64_t outputs, int64_t place,
                   int64_t count, float *planes)
{
    const het__window *w = &s->w;
    const int64_t panel = s->math->panel, taps = is_paired(s) ? 2 : 1;
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t t = 0; t < w->kernel_span; t += taps, from += taps * panel)
            for (int64_t i = 0; i < count;) {
                const int64_t y = (place + i) / w->out[1], x = (place + i) % w->out[1];
                const int64_t left = w->out[1] - x, n = left < count - i ? left : count - i;
                float *plane = planes + o * w->in_span;
                if (taps == 2)
                    spread_pair(s, from + i, from + panel + i, n, y, x, t, plane);
                else
                    spread_row(s, from + i, n, y, x, t, plane);
                i += n;
            }
}

/* Rows of the output that belong to input rows [first, end). */
static void begin_rows(const transposed_step *s, int64_t first, int64_t end, float start,
                       float *plane)
{
    const het__window *w = &s->w;
    int64_t from = first == 0 ? 0 : first * w->stride[0] - w->begin[0];
    int64_t to = end == w->out[0] ? w->in[0] : end * w->stride[0] - w->begin[0];
    from = from < 0 ? 0 : from;
    to = to > w->in[0] ? w->in[0] : to;
    for (int64_t i = from * w->in[1]; i < to * w->in[1]; i++)
        plane[i] = start;
}

static void run(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const transposed_step *s = step->data;
    const het__window *w = &s->w;
    const int64_t cut = task % s->cuts, part = task / s->cuts, block = part % s->blocks;
    const int64_t group = part / s->blocks % w->groups, image = part / s->blocks / w->groups;
    const int64_t left = s->outputs - block * s->block;
    const int64_t outputs = left < s->block ? left : s->block;
    const int64_t channel = group * s->outputs + block * s->block;
    const int64_t row = cut * s->rows, end = row + s->rows < w->out[0] ? row + s->rows : w->out[0];
    const float *x = s->x + (image * w->channels + group * s->depth) * w->out_span;
    const float *weights = s->weights + channel * w->kernel_span * s->depth;
    float *planes = s->out + (image * w->out_channels + channel) * w->in_span;
    float *packed = (float *)(void *)scratch;
    float *results = (float *)(void *)(scratch + s->spread_offset);
    const int64_t panel = s->math->panel;
    for (int64_t o = 0; o < outputs; o++)
        begin_rows(s, row, end, s->bias ? s->bias[channel + o] : 0, planes + o * w->in_span);
    for (int64_t p = row * w->out[1]; p < end * w->out[1]; p += panel) {
        const int64_t rest = end * w->out[1] - p, columns = rest < panel ? rest : panel;
        for (int64_t k = 0; k < s->depth; k += HET__PANEL_DEPTH) {
            const int64_t depth = s->depth - k < HET__PANEL_DEPTH ? s->depth - k : HET__PANEL_DEPTH;
            s->math->pack(x + k * w->out_span + p, w->out_span, 1, depth, columns, packed);
            s->math->product(weights + k, s->depth, packed, depth, outputs * w->kernel_span,
                             columns, k > 0, results, panel);
        }
        spread(s, results, outputs, p, columns, planes);
    }
}

/* ---- building ---- */

static void tensor_of(const het__graph *g, uint32_t value, het__tensor *t)
{
    const het__value *v = &g->values[value];
    memset(t, 0, sizeof *t);
    t->dtype = v->dtype;
    t->rank = v->rank;
    for (uint32_t i = 0; i < v->rank; i++)
        t->extent[i] = v->extent[i].count;
}

static bool window_of(const het__graph *g, const het__node *node, het__window *w)
{
    het_error err = HET_ERROR_INIT;
    het__tensor in[3], out;
    memset(in, 0, sizeof in);
    for (uint32_t i = 0; i < node->input_count && i < 3; i++)
        if (node->inputs[i] != HET__NO_VALUE)
            tensor_of(g, node->inputs[i], &in[i]);
    tensor_of(g, node->outputs[0], &out);
    const het__eval e = { .node = node, .attrs = &node->attrs.tensor, .inputs = in,
                          .input_count = node->input_count, .outputs = &out, .output_count = 1,
                          .err = &err };
    if (het__window_conv_transpose(&e, w) != HET_OK || w->axes > 2)
        return false;
    if (w->axes == 2)
        return true;
    w->axes = 2;
    w->in[1] = w->in[0];
    w->out[1] = w->out[0];
    w->kernel[1] = w->kernel[0];
    w->stride[1] = w->stride[0];
    w->dilation[1] = w->dilation[0];
    w->begin[1] = w->begin[0];
    w->in[0] = w->out[0] = w->kernel[0] = w->stride[0] = w->dilation[0] = 1;
    w->begin[0] = 0;
    return true;
}

bool het__cpu_transposed_fits(const het__graph *g, const het__node *node)
{
    het__window w;
    if (node->op != HET__OP_T_CONV_TRANSPOSE ||
        g->values[node->inputs[1]].kind != HET__VALUE_CONST)
        return false;
    if (node->input_count > 2 && node->inputs[2] != HET__NO_VALUE &&
        g->values[node->inputs[2]].dtype != HET_DTYPE_F32)
        return false;
    return window_of(g, node, &w) && w.batch > 0 && w.channels > 0 && w.out_channels > 0 &&
           w.in_span > 0 && w.out_span > 0 && w.kernel_span > 0 && w.kernel_span <= TAPS_MAX;
}

/* [output channel][tap][channel of the group] from [channel][output channel of the group][tap] */
static het_status pack_weights(het__cpu_build *build, const het__node *node, transposed_step *s)
{
    const het__window *w = &s->w;
    const char *from = build->slice->graph->values[node->inputs[1]].data;
    const int64_t taps = w->kernel_span, count = w->channels * s->outputs * taps;
    float *to = het__arena_zero(&build->program->arena, (size_t)count, sizeof *to);
    if (!to)
        return het__fail_nomem(build->err, node->name);
    for (int64_t c = 0; c < w->channels; c++)
        for (int64_t i = 0; i < s->outputs * taps; i++)
            memcpy(to + (c / s->depth * s->outputs * taps + i) * s->depth + c % s->depth,
                   from + (c * s->outputs * taps + i) * (int64_t)sizeof *to, sizeof *to);
    build->program->bytes += (size_t)count * sizeof *to;
    s->weights = to;
    return HET_OK;
}

static void cut_tasks(transposed_step *s)
{
    const het__window *w = &s->w;
    const int64_t most = ROWS_MAX / w->kernel_span;
    s->block = most < 1 ? 1 : most < s->outputs ? most : s->outputs;
    s->blocks = (s->outputs + s->block - 1) / s->block;
    const int64_t reach = (w->kernel[0] - 1) * w->dilation[0] + 1;
    const double macs = (double)w->out[1] * (double)(s->block * w->kernel_span * s->depth);
    s->rows = reach <= w->stride[0] && macs < TASK_MACS ? (int64_t)(TASK_MACS / macs) + 1 : 1;
    if (reach > w->stride[0] || s->rows > w->out[0])
        s->rows = w->out[0];
    s->cuts = (w->out[0] + s->rows - 1) / s->rows;
}

het_status het__cpu_build_transposed(het__cpu_build *build, const het__node *node)
{
    het__cpu_step *step = het__cpu_add_step(build, sizeof(transposed_step));
    if (!step)
        return HET_E_NOMEM;
    transposed_step *s = step->data;
    window_of(build->slice->graph, node, &s->w);
    s->math = het__tensor_math_for(build->device->level->name);
    const het__value *x = &build->slice->graph->values[node->inputs[0]];
    if (x->kind == HET__VALUE_CONST)
        s->x = x->data;
    else
        het__cpu_place(build, node->inputs[0], &s->x);
    het__cpu_place(build, node->outputs[0], &s->out);
    s->depth = s->w.channels / s->w.groups;
    s->outputs = s->w.out_channels / s->w.groups;
    cut_tasks(s);
    size_t own = 0;
    het__cpu_reserve(&own, HET__PANEL_DEPTH * HET__PANEL_MAX * sizeof(float));
    s->spread_offset = het__cpu_reserve(
        &own, (size_t)(s->block * s->w.kernel_span) * HET__PANEL_MAX * sizeof(float));
    het__cpu_need_worker(build, own);
    step->bind = bind;
    step->task = run;
    const het_status status = pack_weights(build, node, s);
    if (status != HET_OK || node->input_count < 3)
        return status;
    return het__cpu_vector_get(build, node->inputs[2], &s->bias);
}

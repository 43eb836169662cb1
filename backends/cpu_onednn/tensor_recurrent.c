/* SPDX-License-Identifier: Apache-2.0 */
/* RNN, GRU and LSTM in F32, with weights that are constants.
 *
 *     gates[direction][row] = W x + biases      one product over all steps of all sequences
 *     step: gates += R h; activations; states   a task per direction and block of sequences
 *
 * A row is a step of a sequence, in the order in which X has them. Where the first product is small
 * each task makes the rows that it needs, without a step of the program before it. */
#include <math.h>
#include <string.h>

#include "backends/cpu_onednn/recurrent_math.h"
#include "backends/cpu_onednn/tensor.h"
#include "backends/cpu_onednn/tensor_eval.h"
#include "backends/cpu_onednn/tensor_math.h"
#include "lib/base/error.h"

/* Rows of a task of the first product. */
#define TASK_ROWS 48
/* Multiply-adds of the first product from which on it is worth a step of its own. */
#define APART_MACS 262144
/* What a gate's activation takes, and a step until its last sum is there, in multiply-adds. */
#define CURVE_MACS 3
#define STEP_MACS 300
/* Multiply-adds of a task of sequences, about, and its sequences at most. */
#define BLOCK_MACS 32768
#define BLOCK_MIN 12
#define BLOCK_MAX 48

/* Packed for products, of one direction. */
typedef struct direction {
    const float *w;         /* [width] x [gates * hidden] */
    const float *r;         /* [hidden] x the gates whose R h is added to W x */
    const float *r_part;    /* [hidden] x [hidden]: GRU, the new gate */
    const float *bias;      /* [gates * hidden] */
    const float *part_bias; /* [hidden]: GRU, linear before reset */
    const float *peepholes; /* [3 * hidden] or NULL */
} direction;

typedef struct recurrent_step {
    const het__tensor_math *math;
    const het__recurrent_math *cells;
    het__recurrent form;
    direction directions[2];
    const float *x, *first_hidden, *first_cell; /* the latter two may be NULL */
    float *y, *last_hidden, *last_cell;         /* NULL: nobody reads them */
    int64_t gates;                              /* gates * hidden */
    int64_t added;                              /* of them, those that r belongs to */
    int64_t rows;                               /* steps * batch */
    int64_t row_cuts, panels;                   /* tasks of the first product */
    int64_t block, blocks;                      /* sequences of a task */
    bool apart;                                 /* the first product is a step of its own */
} recurrent_step;

/* ---- the first product ---- */

static float *gates_at(const het__cpu_step *step, int64_t which, int64_t row)
{
    const recurrent_step *s = step->data;
    float *all = (float *)(void *)step->program->shared;
    return all + (which * s->rows + row) * s->gates;
}

/* Panels [first, end) of some rows. */
static void project(const het__cpu_step *step, int64_t which, int64_t row, int64_t rows,
                    int64_t first, int64_t end)
{
    const recurrent_step *s = step->data;
    const direction *d = &s->directions[which];
    const int64_t width = s->form.width, panel = s->math->panel;
    float *gates = gates_at(step, which, row);
    for (int64_t p = first; p < end; p++) {
        const int64_t n = p * panel, left = s->gates - n, columns = left < panel ? left : panel;
        for (int64_t i = 0; i < rows; i++)
            memcpy(gates + i * s->gates + n, d->bias + n, (size_t)columns * sizeof *gates);
        s->math->product(s->x + row * width, width, d->w + n * width, width, rows, columns, true,
                         gates + n, s->gates);
    }
}

static void project_bind(het__cpu_step *step, const int64_t *symbols)
{
    const recurrent_step *s = step->data;
    (void)symbols;
    step->tasks = s->form.directions * s->row_cuts * s->panels;
    step->program->step_macs += (double)s->form.directions * (double)s->rows * (double)s->gates *
                                (double)s->form.width;
}

static void project_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const recurrent_step *s = step->data;
    const int64_t panel = task % s->panels, part = task / s->panels;
    const int64_t row = part % s->row_cuts * TASK_ROWS, left = s->rows - row;
    (void)scratch;
    project(step, part / s->row_cuts, row, left < TASK_ROWS ? left : TASK_ROWS, panel, panel + 1);
}

/* ---- steps ---- */

/* A block of sequences on its way. */
typedef struct block {
    int64_t which;        /* direction */
    int64_t first, count; /* sequences */
    float *hidden, *cell, *part; /* [count][hidden] */
} block;

static int64_t row_of(const het__recurrent *f, int64_t t, int64_t sequence)
{
    return f->is_batch_first ? sequence * f->steps + t : t * f->batch + sequence;
}

static int64_t state_at(const het__recurrent *f, int64_t which, int64_t sequence)
{
    return (f->is_batch_first ? sequence * f->directions + which : which * f->batch + sequence) *
           f->hidden;
}

static int64_t output_at(const het__recurrent *f, int64_t t, int64_t which, int64_t sequence)
{
    return (f->is_batch_first ? (sequence * f->steps + t) * f->directions + which
                              : (t * f->directions + which) * f->batch + sequence) * f->hidden;
}

/* Rows of X that a block needs. */
static void project_block(const het__cpu_step *step, const block *b)
{
    const recurrent_step *s = step->data;
    const het__recurrent *f = &s->form;
    if (f->is_batch_first || b->count == f->batch) {
        project(step, b->which, row_of(f, 0, b->first), b->count * f->steps, 0, s->panels);
        return;
    }
    for (int64_t t = 0; t < f->steps; t++)
        project(step, b->which, row_of(f, t, b->first), b->count, 0, s->panels);
}

static void load_states(const recurrent_step *s, const block *b, const float *from, float *to)
{
    const size_t bytes = (size_t)s->form.hidden * sizeof *to;
    for (int64_t i = 0; i < b->count; i++, to += s->form.hidden)
        if (from)
            memcpy(to, from + state_at(&s->form, b->which, b->first + i), bytes);
        else
            memset(to, 0, bytes);
}

static void store_states(const recurrent_step *s, const block *b, const float *from, float *to)
{
    for (int64_t i = 0; to && i < b->count; i++, from += s->form.hidden)
        memcpy(to + state_at(&s->form, b->which, b->first + i), from,
               (size_t)s->form.hidden * sizeof *to);
}

/* out[row][n] of a packed matrix with the states. */
static void multiply(const recurrent_step *s, const block *b, const float *states,
                     const float *packed, int64_t columns, bool more, float *out, int64_t stride)
{
    const int64_t hidden = s->form.hidden, panel = s->math->panel;
    for (int64_t n = 0; n < columns; n += panel)
        s->math->product(states, hidden, packed + n * hidden, hidden, b->count,
                         columns - n < panel ? columns - n : panel, more, out + n, stride);
}

static void advance(const het__cpu_step *step, const block *b, int64_t t)
{
    const recurrent_step *s = step->data;
    const het__recurrent *f = &s->form;
    const direction *d = &s->directions[b->which];
    float *gates = gates_at(step, b->which, row_of(f, t, b->first));
    const int64_t stride = (f->is_batch_first ? f->steps : 1) * s->gates;
    const het__cell_job job = {
        .form = f, .act = &f->activations[b->which * f->curves], .rows = b->count, .gates = gates,
        .gate_stride = stride, .hidden = b->hidden, .cell = b->cell, .part = b->part,
        .part_bias = d->part_bias, .peepholes = d->peepholes,
    };
    multiply(s, b, b->hidden, d->r, s->added, true, gates, stride);
    if (f->gates == 4) {
        s->cells->lstm(&job);
    } else if (f->gates == 3) {
        if (f->is_linear_before_reset)
            multiply(s, b, b->hidden, d->r_part, f->hidden, false, b->part, f->hidden);
        s->cells->gru_gates(&job);
        if (!f->is_linear_before_reset)
            multiply(s, b, b->part, d->r_part, f->hidden, true, gates + 2 * f->hidden, stride);
        s->cells->gru_state(&job);
    } else {
        s->cells->rnn(&job);
    }
}

static void run_bind(het__cpu_step *step, const int64_t *symbols)
{
    const recurrent_step *s = step->data;
    (void)symbols;
    step->tasks = s->form.directions * s->blocks;
    const double depth = (double)s->form.hidden + (s->apart ? 0 : (double)s->form.width);
    const double sums = (double)s->form.directions * (double)s->rows * (double)s->gates;
    if (step->tasks > 1) /* one task has nobody to share with */
        step->program->step_macs += sums * (depth + CURVE_MACS) +
                                    (double)step->tasks * (double)s->form.steps * STEP_MACS;
}

static void run_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const recurrent_step *s = step->data;
    const het__recurrent *f = &s->form;
    const int64_t first = task % s->blocks * s->block, left = f->batch - first;
    const int64_t states = s->block * f->hidden;
    float *const memory = (float *)(void *)scratch;
    const block b = { .which = task / s->blocks, .first = first,
                      .count = left < s->block ? left : s->block, .hidden = memory,
                      .cell = memory + states, .part = memory + 2 * states };
    const bool backwards = b.which == 1 || f->is_reversed;
    if (!s->apart)
        project_block(step, &b);
    load_states(s, &b, s->first_hidden, b.hidden);
    load_states(s, &b, s->first_cell, b.cell);
    for (int64_t i = 0; i < f->steps; i++) {
        const int64_t t = backwards ? f->steps - 1 - i : i;
        advance(step, &b, t);
        for (int64_t k = 0; s->y && k < b.count; k++)
            memcpy(s->y + output_at(f, t, b.which, b.first + k), b.hidden + k * f->hidden,
                   (size_t)f->hidden * sizeof *s->y);
    }
    store_states(s, &b, b.hidden, s->last_hidden);
    store_states(s, &b, b.cell, s->last_cell);
}

/* ---- building ---- */

static bool is_vector(const het__graph *g, const het__node *node, uint32_t input, bool constant)
{
    if (input >= node->input_count || node->inputs[input] == HET__NO_VALUE)
        return true;
    const het__value *v = &g->values[node->inputs[input]];
    return v->dtype == HET_DTYPE_F32 && (!constant || (v->kind == HET__VALUE_CONST && v->data));
}

/* Sequences of different lengths are left to the plain kernel. */
static bool are_full(const het__eval *e, const het__recurrent *f)
{
    const het__tensor *lens = het__eval_input(e, 4);
    if (lens && !lens->data)
        return false;
    for (int64_t i = 0; lens && i < f->batch; i++)
        if (het__get_i64(lens->dtype, lens->data, i) != f->steps)
            return false;
    return true;
}

static size_t gate_bytes(const het__recurrent *f)
{
    size_t n = (size_t)f->directions * f->gates;
    if (!het__mul_size(n, (size_t)f->hidden, &n) || !het__mul_size(n, (size_t)f->batch, &n) ||
        !het__mul_size(n, (size_t)f->steps, &n) || !het__mul_size(n, sizeof(float), &n))
        return 0;
    return n;
}

static bool is_known(const het__cpu_eval *eval, het__recurrent *f)
{
    if (het__recurrent_form(&eval->e, f) != HET_OK || f->batch == 0 || f->hidden == 0 ||
        f->steps == 0 || gate_bytes(f) == 0 || !are_full(&eval->e, f))
        return false;
    for (uint32_t i = 0; i < f->curves * f->directions; i++)
        if (!het__recurrent_knows(f->activations[i].curve))
            return false;
    return true;
}

bool het__cpu_recurrent_fits(const het__graph *g, const het__node *node)
{
    het__cpu_eval eval;
    het__recurrent form;
    if (node->op != HET__OP_T_RNN && node->op != HET__OP_T_GRU && node->op != HET__OP_T_LSTM)
        return false;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (i != 4 && !is_vector(g, node, i, i != 0 && i != 5 && i != 6))
            return false;
    const bool fits = het__cpu_eval_init(&eval, g, node) && is_known(&eval, &form);
    het__cpu_eval_finish(&eval);
    return fits;
}

/* Where weights are packed to. */
typedef struct packer {
    het__cpu_build *build;
    const het__node *node;
    recurrent_step *s;
    float *copy; /* a matrix at an address of floats */
    bool failed;
} packer;

static float *take(packer *p, int64_t count)
{
    float *x = het__arena_zero(&p->build->program->arena, (size_t)count, sizeof *x);
    p->failed = p->failed || !x;
    p->build->program->bytes += x ? (size_t)count * sizeof *x : 0;
    return x;
}

/* count floats of a constant from element at on; NULL: it is left out. */
static float *load(packer *p, uint32_t input, int64_t at, int64_t count, float *to)
{
    if (input >= p->node->input_count || p->node->inputs[input] == HET__NO_VALUE)
        return NULL;
    const het__value *v = &p->build->slice->graph->values[p->node->inputs[input]];
    if (to)
        memcpy(to, (const char *)v->data + at * (int64_t)sizeof *to, (size_t)count * sizeof *to);
    return to;
}

/* Rows [first, first + rows) of a matrix of depth columns, as panels of its transpose. */
static const float *pack(packer *p, uint32_t input, int64_t first, int64_t rows, int64_t depth)
{
    const int64_t panel = p->s->math->panel, panels = (rows + panel - 1) / panel;
    float *packed = take(p, panels * panel * depth + panel);
    const float *from = load(p, input, first * depth, rows * depth, p->copy);
    if (!packed || !from)
        return packed;
    for (int64_t n = 0; n < rows; n += panel)
        p->s->math->pack(from + n * depth, 1, depth, depth, rows - n < panel ? rows - n : panel,
                         packed + n * depth);
    return packed;
}

/* Wb + Rb, but for the new gate of a GRU that is linear before reset, whose Rb stays apart. */
static void pack_biases(packer *p, int64_t which, direction *d)
{
    const het__recurrent *f = &p->s->form;
    const int64_t rows = p->s->gates, n = f->hidden;
    float *bias = take(p, rows);
    d->bias = bias;
    if (!bias || !load(p, 3, which * 2 * rows, 2 * rows, p->copy))
        return;
    const int64_t joined = f->gates == 3 && f->is_linear_before_reset ? 2 * n : rows;
    for (int64_t i = 0; i < rows; i++)
        bias[i] = p->copy[i] + (i < joined ? p->copy[rows + i] : 0);
    if (joined == rows)
        return;
    float *part = take(p, n);
    if (part)
        memcpy(part, p->copy + rows + joined, (size_t)n * sizeof *part);
    d->part_bias = part;
}

static void pack_direction(packer *p, int64_t which)
{
    const recurrent_step *s = p->s;
    const het__recurrent *f = &s->form;
    direction *d = &p->s->directions[which];
    d->w = pack(p, 1, which * s->gates, s->gates, f->width);
    d->r = pack(p, 2, which * s->gates, s->added, f->hidden);
    if (f->gates == 3)
        d->r_part = pack(p, 2, which * s->gates + s->added, f->hidden, f->hidden);
    pack_biases(p, which, d);
    if (f->gates == 4 && load(p, 7, 0, 0, p->copy)) {
        float *peepholes = take(p, 3 * f->hidden);
        load(p, 7, which * 3 * f->hidden, 3 * f->hidden, peepholes);
        d->peepholes = peepholes;
    }
}

static het_status pack_weights(het__cpu_build *build, const het__node *node, recurrent_step *s)
{
    packer p = { .build = build, .node = node, .s = s };
    const het__recurrent *f = &s->form;
    const int64_t longest = f->width > f->hidden ? f->width : f->hidden;
    het__mem *mem = build->device->host->mem;
    p.copy = het__alloc(mem, (size_t)(s->gates * (longest > 2 ? longest : 2)) * sizeof *p.copy);
    p.failed = !p.copy;
    for (uint32_t d = 0; d < f->directions && !p.failed; d++)
        pack_direction(&p, d);
    het__free(mem, p.copy);
    return p.failed ? het__fail_nomem(build->err, node->name) : HET_OK;
}

static void cut_tasks(recurrent_step *s)
{
    const het__recurrent *f = &s->form;
    const double first = (double)f->directions * (double)s->rows * (double)s->gates *
                         (double)f->width;
    const double one = (double)f->steps * (double)s->gates * (double)(f->hidden + f->width);
    const double fit = one > 0 ? BLOCK_MACS / one : BLOCK_MAX;
    s->apart = first >= APART_MACS;
    s->row_cuts = (s->rows + TASK_ROWS - 1) / TASK_ROWS;
    s->panels = (s->gates + s->math->panel - 1) / s->math->panel;
    s->block = fit < BLOCK_MIN ? BLOCK_MIN : fit < BLOCK_MAX ? (int64_t)fit : BLOCK_MAX;
    s->block = s->block < f->batch ? s->block : f->batch;
    s->blocks = (f->batch + s->block - 1) / s->block;
}

static void place_outputs(het__cpu_build *build, const het__node *node, recurrent_step *s)
{
    float **const fields[] = { &s->y, &s->last_hidden, &s->last_cell };
    for (uint32_t o = 0; o < node->output_count && o < 3; o++)
        if (node->outputs[o] != HET__NO_VALUE)
            het__cpu_place(build, node->outputs[o], fields[o]);
}

static het_status get_inputs(het__cpu_build *build, const het__node *node, recurrent_step *s)
{
    const uint32_t none = HET__NO_VALUE, count = node->input_count;
    het_status status = het__cpu_vector_get(build, node->inputs[0], &s->x);
    if (status == HET_OK)
        status = het__cpu_vector_get(build, count > 5 ? node->inputs[5] : none, &s->first_hidden);
    if (status == HET_OK && s->form.gates == 4)
        status = het__cpu_vector_get(build, count > 6 ? node->inputs[6] : none, &s->first_cell);
    return status;
}

het_status het__cpu_build_recurrent(het__cpu_build *build, const het__node *node)
{
    het__cpu_eval eval;
    het__cpu_step *step = het__cpu_add_step(build, sizeof(recurrent_step));
    if (!step)
        return HET_E_NOMEM;
    recurrent_step *s = step->data;
    s->math = het__tensor_math_for(build->device->level->name);
    s->cells = het__recurrent_math_for(build->device->level->name);
    het__cpu_eval_init(&eval, build->slice->graph, node);
    const bool known = is_known(&eval, &s->form);
    het__cpu_eval_finish(&eval);
    if (!known)
        return het__fail(build->err, HET_E_INTERNAL, "%s does not fit", node->name);
    s->gates = s->form.gates * s->form.hidden;
    s->added = s->form.gates == 3 ? 2 * s->form.hidden : s->gates;
    s->rows = s->form.steps * s->form.batch;
    cut_tasks(s);
    het_status status = get_inputs(build, node, s);
    place_outputs(build, node, s);
    if (status == HET_OK)
        status = pack_weights(build, node, s);
    if (status != HET_OK)
        return status;
    het__cpu_need_shared(build, gate_bytes(&s->form));
    het__cpu_need_worker(build, (size_t)(3 * s->block * s->form.hidden) * sizeof(float));
    if (s->apart) {
        step->bind = project_bind;
        step->task = project_task;
        step = het__cpu_add_step(build, 0);
        if (!step)
            return HET_E_NOMEM;
        step->data = s;
    }
    step->bind = run_bind;
    step->task = run_task;
    return HET_OK;
}

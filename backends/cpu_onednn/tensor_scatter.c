/* SPDX-License-Identifier: Apache-2.0 */
/* ScatterND with indices that are constants: what each byte of the output is a copy of is known
 * when a program is built. The output is cut into pieces, each from one place of the data or of the
 * updates, and tasks are stretches of it: nothing is written twice, in whatever order. */
#include <string.h>

#include "backends/cpu_onednn/tensor.h"
#include "backends/cpu_onednn/tensor_eval.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"

/* Bytes of a task, about. */
#define TASK_BYTES 32768
/* Pieces at most: where indices jump more often, they are as good as the list of pieces. */
#define PIECES_MAX 65536
#define NOT_WRITTEN (-1)

typedef struct piece {
    int64_t to, from, bytes;
    bool is_update;
} piece;

typedef struct scatter_step {
    const char *data, *updates;
    char *out;
    const piece *pieces; /* in the order of the output, without gaps */
    const int64_t *first; /* piece that each task begins with, and the end */
    int64_t tasks, bytes;
} scatter_step;

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    const scatter_step *s = step->data;
    (void)symbols;
    step->tasks = s->tasks;
    step->program->step_macs += (double)s->bytes / 10; /* copied in a product's time */
}

static void run(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const scatter_step *s = step->data;
    (void)scratch;
    for (int64_t i = s->first[task]; i < s->first[task + 1]; i++) {
        const piece *p = &s->pieces[i];
        memcpy(s->out + p->to, (p->is_update ? s->updates : s->data) + p->from, (size_t)p->bytes);
    }
}

/* ---- building ---- */

/* The slices of the output that indices name, in bytes and numbers. */
typedef struct slices {
    const het__tensor *indices, *out;
    int64_t slice;      /* bytes */
    int64_t count;      /* of the output */
    int64_t updates;    /* of the updates */
    int32_t *writer;    /* per slice of the output: the last update, or NOT_WRITTEN */
} slices;

static bool slices_of(const het__cpu_eval *eval, slices *s)
{
    const het__tensor *data = &eval->in[0], *indices = &eval->in[1], *out = &eval->out[0];
    const char *how = het__attr_string(eval->e.attrs, "reduction", "none");
    if (strcmp(how, "none") != 0 || eval->e.input_count != 3 || !indices->data ||
        indices->dtype != HET_DTYPE_I64 || indices->rank == 0 ||
        het__dtype_is_block(data->dtype) || het__tensor_bytes(out) <= 0 ||
        het__tensor_bytes(&eval->in[2]) <= 0)
        return false;
    const uint32_t depth = (uint32_t)indices->extent[indices->rank - 1];
    *s = (slices){ .indices = indices, .out = out };
    s->count = het__tensor_span(out, 0, depth);
    s->slice = het__tensor_bytes(out) / s->count;
    s->updates = het__tensor_span(indices, 0, indices->rank - 1);
    return s->count <= INT32_MAX && s->updates <= INT32_MAX;
}

/* Number of the slice that update i replaces; -1: an index is outside, which a run has to say. */
static int64_t target(const slices *s, int64_t i)
{
    const uint32_t depth = (uint32_t)s->indices->extent[s->indices->rank - 1];
    int64_t number = 0;
    for (uint32_t k = 0; k < depth; k++) {
        const int64_t extent = s->out->extent[k];
        int64_t at = het__get_i64(HET_DTYPE_I64, s->indices->data, i * depth + k);
        at += at < 0 ? extent : 0;
        if (at < 0 || at >= extent)
            return -1;
        number = number * extent + at;
    }
    return number;
}

static bool find_writers(slices *s)
{
    for (int64_t i = 0; i < s->count; i++)
        s->writer[i] = NOT_WRITTEN;
    for (int64_t i = 0; i < s->updates; i++) {
        const int64_t at = target(s, i);
        if (at < 0)
            return false;
        s->writer[at] = (int32_t)i;
    }
    return true;
}

/* Slices from number first on that are one piece. */
static int64_t together(const slices *s, int64_t first, int64_t end)
{
    int64_t n = first + 1;
    for (; n < end; n++)
        if (s->writer[n] != (s->writer[first] == NOT_WRITTEN
                                 ? NOT_WRITTEN : s->writer[first] + (n - first)))
            break;
    return n - first;
}

/* Fills pieces and first unless they are NULL; returns how many pieces there are. */
static int64_t list_pieces(const slices *s, int64_t per_task, piece *pieces, int64_t *first)
{
    int64_t count = 0, task = 0;
    for (int64_t at = 0; at < s->count; task++) {
        const int64_t end = at + per_task < s->count ? at + per_task : s->count;
        if (first)
            first[task] = count;
        while (at < end) {
            const int64_t n = together(s, at, end), writer = s->writer[at];
            const bool is_update = writer != NOT_WRITTEN;
            if (pieces)
                pieces[count] = (piece){ at * s->slice, (is_update ? writer : at) * s->slice,
                                         n * s->slice, is_update };
            count++;
            at += n;
        }
    }
    if (first)
        first[task] = count;
    return count;
}

static het_status add_step(het__cpu_build *build, const het__node *node, const slices *list,
                           int64_t per_task, int64_t count)
{
    const het__value *data = &build->slice->graph->values[node->inputs[0]];
    const het__value *updates = &build->slice->graph->values[node->inputs[2]];
    het__cpu_step *step = het__cpu_add_step(build, sizeof(scatter_step));
    if (!step)
        return HET_E_NOMEM;
    scatter_step *s = step->data;
    s->tasks = (list->count + per_task - 1) / per_task;
    s->bytes = list->count * list->slice;
    het__arena *arena = &build->program->arena;
    piece *pieces = het__arena_zero(arena, (size_t)count, sizeof *pieces);
    int64_t *first = het__arena_zero(arena, (size_t)s->tasks + 1, sizeof *first);
    if (!pieces || !first)
        return het__fail_nomem(build->err, node->name);
    list_pieces(list, per_task, pieces, first);
    s->pieces = pieces;
    s->first = first;
    if (data->kind == HET__VALUE_CONST)
        s->data = data->data;
    else
        het__cpu_place(build, node->inputs[0], &s->data);
    if (updates->kind == HET__VALUE_CONST)
        s->updates = updates->data;
    else
        het__cpu_place(build, node->inputs[2], &s->updates);
    het__cpu_place(build, node->outputs[0], &s->out);
    step->bind = bind;
    step->task = run;
    return HET_OK;
}

static het_status build_slices(het__cpu_build *build, const het__node *node, slices *s, bool *done)
{
    het__mem *mem = build->device->host->mem;
    const int64_t per_task = TASK_BYTES / s->slice + 1;
    het_status status = HET_OK;
    s->writer = het__alloc(mem, (size_t)s->count * sizeof *s->writer);
    if (!s->writer)
        return het__fail_nomem(build->err, node->name);
    if (find_writers(s)) {
        const int64_t count = list_pieces(s, per_task, NULL, NULL);
        *done = count <= PIECES_MAX;
        if (*done)
            status = add_step(build, node, s, per_task, count);
    }
    het__free(mem, s->writer);
    return status;
}

het_status het__cpu_build_scatter(het__cpu_build *build, const het__node *node, bool *done)
{
    het__cpu_eval eval;
    slices s;
    het_status status = HET_OK;
    *done = false;
    if (node->op != HET__OP_T_SCATTER_ND)
        return HET_OK;
    if (het__cpu_eval_init(&eval, build->slice->graph, node) && slices_of(&eval, &s))
        status = build_slices(build, node, &s, done);
    het__cpu_eval_finish(&eval);
    return status;
}

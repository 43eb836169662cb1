/* SPDX-License-Identifier: Apache-2.0 */
/* Scan: a body that is run for each slice of its inputs. In operation set 8 every tensor has a
 * batch in front, sequences may be of different lengths, and axis 1 is scanned; from 9 on there is
 * one sequence, and each input and output has an axis and a direction. */
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/plain/loop.h"

typedef struct slices {
    const char *data;
    het__tensor slice;
    int64_t outer, length; /* extents before the axis, and its own */
    size_t piece;          /* bytes behind the axis */
    bool is_reversed;
    char *copy; /* of one slice, where a slice is not in one piece */
} slices;

typedef struct scan {
    het__loop_run run;
    bool is_batched; /* operation set 8 */
    int64_t batch, length;
    slices *in; /* per input that is scanned */
} scan;

/* Entry i of a list of integers that may be absent or short. */
static int64_t entry(const het__eval *e, const char *name, uint32_t i)
{
    const het__attr *a = het__attr_find(e->attrs, name, HET__ATTR_INTS);
    return a && i < a->count ? a->u.ints[i] : 0;
}

/* The tensor without one extent. */
static het__tensor without(const het__tensor *t, uint32_t axis)
{
    het__tensor slice = *t;
    slice.data = NULL;
    slice.rank--;
    for (uint32_t i = axis; i < slice.rank; i++)
        slice.extent[i] = t->extent[i + 1];
    return slice;
}

static het_status open_slices(const scan *s, uint32_t i, slices *in)
{
    const het__eval *e = s->run.e;
    const het__tensor *t = het__eval_input(e, s->run.form.first + s->run.form.states + i);
    if (!t || t->rank < (s->is_batched ? 2U : 1U))
        return het__eval_refuse(e, "input %u cannot be scanned", i);
    const int64_t wanted = s->is_batched ? 1 : entry(e, "scan_input_axes", i);
    const int64_t axis = het__axis(wanted, t->rank);
    if (axis < 0)
        return het__eval_refuse(e, "axis %lld of %u", (long long)wanted, t->rank);
    in->data = t->data;
    in->length = t->extent[axis];
    in->outer = 1;
    in->is_reversed = entry(e, s->is_batched ? "directions" : "scan_input_directions", i) != 0;
    in->slice = without(t, (uint32_t)axis);
    if (s->is_batched)
        in->slice = without(&in->slice, 0);
    if (het__tensor_elements(t) == 0)
        return HET_OK; /* products of the other extents might not fit */
    const size_t size = het__dtype(t->dtype)->block_bytes;
    in->piece = (size_t)het__tensor_span(t, (uint32_t)axis + 1, t->rank) * size;
    in->outer = s->is_batched ? 1 : het__tensor_span(t, 0, (uint32_t)axis);
    if (in->outer > 1)
        in->copy = het__alloc(e->interpreter->mem, (size_t)in->outer * in->piece);
    return in->outer > 1 && !in->copy ? het__eval_nomem(e) : HET_OK;
}

static het_status open_scan(scan *s)
{
    het__eval *e = s->run.e;
    const uint32_t count = s->run.form.scans;
    s->in = het__eval_scratch(e, count, sizeof *s->in);
    if (!s->in)
        return het__eval_nomem(e);
    memset(s->in, 0, count * sizeof *s->in);
    for (uint32_t i = 0; i < count; i++) {
        const het_status status = open_slices(s, i, &s->in[i]);
        if (status != HET_OK)
            return status;
        const het__tensor *t = &e->inputs[s->run.form.first + s->run.form.states + i];
        if (i == 0) {
            s->length = s->in[0].length;
            s->batch = s->is_batched ? t->extent[0] : 1;
        }
        if (s->in[i].length != s->length || (s->is_batched && t->extent[0] != s->batch))
            return het__eval_refuse(e, "inputs of %lld and %lld steps", (long long)s->length,
                                    (long long)s->in[i].length);
    }
    return HET_OK;
}

static void take_slice(slices *in, int64_t b, int64_t at, het__tensor *out)
{
    *out = in->slice;
    if (!in->copy) {
        out->data = (void *)(uintptr_t)(in->data + (size_t)(b * in->length + at) * in->piece);
        return;
    }
    for (int64_t o = 0; o < in->outer; o++)
        memcpy(in->copy + (size_t)o * in->piece,
               in->data + (size_t)(o * in->length + at) * in->piece, in->piece);
    out->data = in->copy;
}

static het_status run_steps(scan *s, int64_t b, int64_t length)
{
    het__loop_run *l = &s->run;
    for (int64_t step = 0; step < length; step++) {
        for (uint32_t i = 0; i < l->form.scans; i++) {
            slices *in = &s->in[i];
            take_slice(in, b, in->is_reversed ? length - 1 - step : step,
                       &l->inputs[l->form.states + i]);
        }
        const het_status status = het__loop_once(l);
        if (status != HET_OK)
            return status;
    }
    return HET_OK;
}

/* ---- operation set 9 and later ---- */

static het_status run_one(scan *s)
{
    het__loop_run *l = &s->run;
    het__eval *e = l->e;
    for (uint32_t i = 0; i < l->form.states; i++)
        het__loop_set_state(l, i, &e->inputs[i], false);
    het_status status = run_steps(s, 0, s->length);
    if (status == HET_OK)
        status = het__loop_hand_out_states(l);
    for (uint32_t i = 0; status == HET_OK && i < l->form.stacked; i++) {
        const het__stack_order order = { entry(e, "scan_output_axes", i),
                                         entry(e, "scan_output_directions", i) != 0, 0 };
        het__tensor whole;
        status = het__stack_take(&l->stacks[i], e, het__loop_declared(l, i), &order, &whole);
        if (status == HET_OK)
            status = het__hand_out(e, l->form.states + i, &whole);
    }
    return status;
}

/* ---- operation set 8 ---- */

/* The states of sequence b begin as its part of the inputs. */
static het_status set_states(scan *s, int64_t b)
{
    het__loop_run *l = &s->run;
    for (uint32_t i = 0; i < l->form.states; i++) {
        const het__tensor *t = het__eval_input(l->e, l->form.first + i);
        if (!t || t->rank < 1 || t->extent[0] != s->batch)
            return het__eval_refuse(l->e, "state %u has no batch of %lld", i,
                                    (long long)s->batch);
        het__tensor part = without(t, 0);
        part.data = (char *)t->data + het__tensor_bytes(t) / s->batch * b;
        het__loop_set_state(l, i, &part, false);
    }
    return HET_OK;
}

static het_status run_sequence(scan *s, int64_t b)
{
    het__loop_run *l = &s->run;
    const het__tensor *lengths = het__eval_input(l->e, 0);
    const int64_t length = lengths ? het__get_i64(lengths->dtype, lengths->data, b) : s->length;
    if (length < 0 || length > s->length)
        return het__eval_refuse(l->e, "sequence %lld has %lld of %lld steps", (long long)b,
                                (long long)length, (long long)s->length);
    het_status status = set_states(s, b);
    if (status == HET_OK)
        status = run_steps(s, b, length);
    for (uint32_t i = 0; status == HET_OK && i < l->form.stacked; i++)
        status = het__stack_pad(&l->stacks[i], l->e, s->length - length);
    for (uint32_t i = 0; status == HET_OK && i < l->form.states; i++)
        status = het__stack_push(&l->stacks[l->form.stacked + i], l->e, &l->inputs[i]);
    return status;
}

static het_status run_batch(scan *s)
{
    het__loop_run *l = &s->run;
    const het__tensor *lengths = het__eval_input(l->e, 0);
    if (s->batch == 0)
        return het__eval_unsupported(l->e, "an empty batch");
    if (lengths && (lengths->dtype != HET_DTYPE_I64 || lengths->rank != 1 ||
                    lengths->extent[0] != s->batch))
        return het__eval_refuse(l->e, "sequence_lens does not fit the batch");
    het_status status = HET_OK;
    for (int64_t b = 0; status == HET_OK && b < s->batch; b++)
        status = run_sequence(s, b);
    const het__stack_order order = { 0, false, s->batch };
    for (uint32_t i = 0; status == HET_OK && i < l->form.states + l->form.stacked; i++) {
        const bool is_state = i < l->form.states;
        const uint32_t k = is_state ? l->form.stacked + i : i - l->form.states;
        het__tensor whole;
        status = het__stack_take(&l->stacks[k], l->e,
                                 is_state ? NULL : het__loop_declared(l, k),
                                 is_state ? NULL : &order, &whole);
        if (status == HET_OK)
            status = het__hand_out(l->e, i, &whole);
    }
    return status;
}

het_status het__plain_scan(het__eval *e)
{
    scan s = { .run = { .e = e }, .is_batched = e->attrs->opset < 9 };
    het_status status = het__scan_form(e, &s.run.form);
    if (status != HET_OK)
        return status;
    if (!e->interpreter)
        return het__eval_unsupported(e, "bodies are not run here");
    const uint32_t stacks = s.run.form.stacked + (s.is_batched ? s.run.form.states : 0);
    status = het__loop_open(&s.run, 0, 0, stacks);
    if (status == HET_OK)
        status = open_scan(&s);
    if (status == HET_OK)
        status = s.is_batched ? run_batch(&s) : run_one(&s);
    for (uint32_t i = 0; s.in && i < s.run.form.scans; i++)
        het__free(e->interpreter->mem, s.in[i].copy);
    het__loop_close(&s.run);
    return status;
}

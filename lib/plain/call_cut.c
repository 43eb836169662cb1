/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of plain kernels on a stretch of the outermost axis: an operand's places along it lie side
 * by side, so that a part of a tensor is a tensor, with data of its own. */
#include "lib/plain/call.h"

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/ir/move.h"
#include "lib/ir/reduce.h"

/* Bytes of a task, about, and tasks at most. */
#define TASK_BYTES 32768

/* The operand's part that belongs to a stretch of the axis, counted from the end of the shape. */
static void narrow(het__tensor *t, uint32_t from_end, int64_t extent, int64_t first, int64_t count)
{
    if (t->dtype == HET_DTYPE_NONE || t->rank < from_end ||
        t->extent[t->rank - from_end] != extent)
        return;
    const uint32_t axis = t->rank - from_end;
    const int64_t unit = het__tensor_span(t, axis + 1, t->rank);
    t->data = (char *)t->data + first * unit * (int64_t)het__element_bytes(t->dtype);
    t->extent[axis] = count;
}

static bool is_by_element(const het__plain_call *call)
{
    const het__op op = call->node.op;
    return (op >= HET__OP_T_ABS && op <= HET__OP_T_MS_GELU) || op == HET__OP_T_NOT ||
           op == HET__OP_T_CLIP || op == HET__OP_T_CAST || op == HET__OP_T_EXPAND ||
           op == HET__OP_T_WHERE ||
           (op >= HET__OP_T_ADD && op <= HET__OP_T_MEAN && call->node.attrs.tensor.opset >= 7);
}

/* Whether input 0 and all outputs have the same extents up to the axis. */
static bool goes_on(const het__plain_call *call, uint32_t axis)
{
    for (uint32_t o = 0; o < call->node.output_count; o++)
        for (uint32_t i = 0; i <= axis; i++)
            if (call->outputs[o].rank <= axis || call->inputs[0].rank <= axis ||
                call->outputs[o].extent[i] != call->inputs[0].extent[i])
                return false;
    return true;
}

static bool keeps_slice(const het__eval *e, uint32_t axis)
{
    het__slicing slice;
    bool known = false;
    return het__slice_of(e, &e->inputs[0], &slice, &known) == HET_OK && known &&
           slice.start[axis] == 0 && slice.step[axis] == 1;
}

static bool keeps_pad(const het__eval *e, uint32_t axis)
{
    het__pad pad;
    bool known = false;
    return het__pad_of(e, &e->inputs[0], &pad, &known) == HET_OK && known &&
           pad.before[axis] == 0 && pad.after[axis] == 0;
}

static bool keeps_reduced(const het__eval *e, uint32_t axis)
{
    uint32_t mask;
    het_status s = HET_OK;
    return het__reduce_axes(e, &mask, &s) && s == HET_OK && (mask & ((2u << axis) - 1)) == 0;
}

/* Whether an output's places along the axis, the first that is longer than 1, stem from the same
 * places of the inputs, and the kernel does the same for each however many there are. */
static bool is_cut_by(const het__plain_call *call, uint32_t axis)
{
    het_error err = HET_ERROR_INIT;
    const het__attr_list *list = &call->node.attrs.tensor;
    const uint32_t rank = call->inputs[0].rank;
    const het__eval e = { .node = &call->node, .attrs = list, .inputs = call->inputs,
                          .input_count = call->node.input_count, .outputs = call->outputs,
                          .output_count = call->node.output_count, .err = &err };
    if (is_by_element(call))
        return call->node.output_count == 1;
    if (!goes_on(call, axis))
        return false;
    switch (call->node.op) {
    case HET__OP_T_CONCAT:
        return het__axis(het__attr_int(list, "axis", 1), rank) > axis;
    case HET__OP_T_SPLIT:
    case HET__OP_T_GATHER:
        return het__axis(het__attr_int(list, "axis", 0), rank) > axis;
    case HET__OP_T_SLICE:
        return keeps_slice(&e, axis);
    case HET__OP_T_PAD:
        return keeps_pad(&e, axis);
    case HET__OP_T_RESIZE: /* sizes and regions name extents of the whole */
        return !het__eval_input(&e, 1) && !het__eval_input(&e, 3);
    case HET__OP_T_REDUCE_MAX:
    case HET__OP_T_REDUCE_MEAN:
    case HET__OP_T_REDUCE_MIN:
    case HET__OP_T_REDUCE_SUM:
        return keeps_reduced(&e, axis);
    case HET__OP_T_GLOBAL_AVERAGE_POOL:
    case HET__OP_T_GLOBAL_MAX_POOL:
        return axis < 2;
    default:
        return false;
    }
}

/* Data, and for Concat the other operands too, follow the axis; the rest are parameters. */
static bool is_data(const het__plain_call *call, uint32_t input)
{
    if (call->node.op == HET__OP_T_EXPAND)
        return input == 0;
    return input == 0 || call->node.op == HET__OP_T_CONCAT || is_by_element(call);
}

void het__plain_call_narrow(het__plain_call *call, uint32_t axis, int64_t first, int64_t count)
{
    const int64_t extent = call->outputs[0].extent[axis];
    const bool by_element = is_by_element(call);
    const uint32_t from_end = call->outputs[0].rank - axis;
    for (uint32_t i = 0; i < call->node.input_count; i++) {
        het__tensor *t = &call->inputs[i];
        if (is_data(call, i))
            narrow(t, by_element ? from_end : t->rank - axis, extent, first, count);
    }
    for (uint32_t o = 0; o < call->node.output_count; o++) {
        het__tensor *t = &call->outputs[o];
        narrow(t, by_element ? from_end : t->rank - axis, extent, first, count);
    }
}

uint32_t het__plain_call_cuts(const het__plain_call *call, int64_t bytes, uint32_t *axis)
{
    const het__tensor *out = &call->outputs[0];
    for (uint32_t i = 0; i < call->node.input_count; i++)
        if (is_data(call, i) && call->inputs[i].dtype != HET_DTYPE_NONE &&
            (het__dtype_is_block(call->inputs[i].dtype) ||
             het__tensor_elements(&call->inputs[i]) == 0))
            return 1;
    for (*axis = 0; *axis < out->rank && out->extent[*axis] == 1; ++*axis) {}
    if (bytes < 2 * TASK_BYTES || call->node.input_count == 0 || *axis == out->rank ||
        !is_cut_by(call, *axis))
        return 1;
    int64_t count = bytes / TASK_BYTES;
    count = count < HET__PLAIN_CALLS_MAX ? count : HET__PLAIN_CALLS_MAX;
    return (uint32_t)(count < out->extent[*axis] ? count : out->extent[*axis]);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Checks around each program, with het__exec_request.validate: does it write all that it makes, and
 * nothing beyond, and no NaN or infinity where it was given none.
 *
 * Before a program what it will leave behind is filled with NaN, and a pattern is put behind it,
 * for which layout.c and share.c leave room; no two values share bytes then, but for views. After
 * it, which is waited for, both are looked at. Numbers are checked on every device but the
 * reference, and only if all that the program reads is finite: what a network means by infinity
 * (masks) is so left alone. Allocates where the host does not reach a device's memory. */
#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/internal.h"
#include "lib/quant/quant.h"

#define PATTERN 0xa5

/* A unit's program in a step. */
typedef struct subject {
    het__exec *x;
    uint32_t phase;
    const het__unit *unit;
    const het__plan_entry *entry;
    const int64_t *symbols;
} subject;

typedef het_status (*visit_fn)(const subject *s, uint32_t value, het_error *err);

/* ---- numbers ---- */

static bool is_float(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_BF16 ||
           dtype == HET_DTYPE_F64;
}

static size_t size_of(het_dtype dtype)
{
    return (size_t)het_dtype_bytes(dtype, 1);
}

static bool is_finite_at(het_dtype dtype, const char *at)
{
    uint16_t half;
    float single;
    double twice;
    switch (dtype) {
    case HET_DTYPE_F32:
        memcpy(&single, at, sizeof single);
        return isfinite(single);
    case HET_DTYPE_F64:
        memcpy(&twice, at, sizeof twice);
        return isfinite(twice);
    default:
        memcpy(&half, at, sizeof half);
        return dtype == HET_DTYPE_F16 ? (half & 0x7c00) != 0x7c00 : (half & 0x7f80) != 0x7f80;
    }
}

static bool all_finite(het_dtype dtype, const char *data, size_t bytes)
{
    const size_t size = size_of(dtype);
    for (size_t i = 0; i + size <= bytes; i += size)
        if (!is_finite_at(dtype, data + i))
            return false;
    return true;
}

static bool is_pattern(const char *at)
{
    for (size_t i = 0; i < HET__ALIGN; i++)
        if ((unsigned char)at[i] != PATTERN)
            return false;
    return true;
}

/* ---- which values ---- */

static bool is_inside(const subject *s, uint32_t node)
{
    return node != HET__NO_VALUE && node >= s->entry->first_node &&
           node < s->entry->first_node + s->entry->node_count;
}

/* What the program reads and does not make. */
static het_status for_inputs(const subject *s, visit_fn visit, het_error *err)
{
    const het__graph *g = s->x->graph;
    const uint32_t end = s->entry->first_node + s->entry->node_count;
    for (uint32_t n = s->entry->first_node; n < end; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            const uint32_t v = g->nodes[n].inputs[i];
            if (v == HET__NO_VALUE || is_inside(s, g->values[v].producer))
                continue;
            const het_status status = visit(s, v, err);
            if (status != HET_OK)
                return status;
        }
    return HET_OK;
}

static bool is_read_later(const subject *s, uint32_t value)
{
    const het__graph *g = s->x->graph;
    const uint32_t end = s->entry->first_node + s->entry->node_count;
    for (uint32_t n = end; n < g->node_count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++)
            if (g->nodes[n].inputs[i] == value)
                return true;
    return g->values[value].kind == HET__VALUE_OUTPUT;
}

/* What the program leaves behind: its memory is used for nothing else when it has ended. */
static het_status for_outputs(const subject *s, visit_fn visit, het_error *err)
{
    const het__graph *g = s->x->graph;
    const uint32_t end = s->entry->first_node + s->entry->node_count;
    for (uint32_t n = s->entry->first_node; n < end; n++)
        for (uint32_t o = 0; o < g->nodes[n].output_count; o++) {
            const uint32_t v = g->nodes[n].outputs[o];
            const het_status status = is_read_later(s, v) ? visit(s, v, err) : HET_OK;
            if (status != HET_OK)
                return status;
        }
    return HET_OK;
}

static const het__place *place_of(const subject *s, uint32_t value)
{
    return &s->x->opened[s->unit->device].places[s->phase][value];
}

/* Whether an output has bytes of its own, which may be written before the program runs. */
static bool is_free(const subject *s, uint32_t value)
{
    const het__graph *g = s->x->graph;
    return place_of(s, value)->buffer && !het__op_is_view(g->nodes[g->values[value].producer].op);
}

/* ---- bytes of a value on the device of the unit ---- */

/* *data: for give_back(). more: bytes behind the value. */
static het_status take(const subject *s, uint32_t value, size_t more, bool is_read, char **data,
                       het_error *err)
{
    const het__opened *o = &s->x->opened[s->unit->device];
    const het__place *place = place_of(s, value);
    const size_t bytes = het__exec_bytes_of(s->x, value, s->symbols) + more;
    *data = het__exec_host_of(s->x, s->phase, s->unit->device, value);
    if (*data)
        return HET_OK;
    *data = het__alloc(s->x->mem, bytes);
    if (!*data)
        return het__fail_nomem(err, "a check");
    return is_read && bytes ? o->backend->buffer_read(o->device, place->buffer, place->offset,
                                                      *data, bytes, err)
                            : HET_OK;
}

static het_status give_back(const subject *s, uint32_t value, size_t more, bool is_written,
                            char *data, het_error *err)
{
    const het__opened *o = &s->x->opened[s->unit->device];
    const het__place *place = place_of(s, value);
    const size_t bytes = het__exec_bytes_of(s->x, value, s->symbols) + more;
    if (data == het__exec_host_of(s->x, s->phase, s->unit->device, value))
        return HET_OK;
    const het_status status =
        is_written ? o->backend->buffer_write(o->device, place->buffer, place->offset, data,
                                              bytes, err)
                   : HET_OK;
    het__free(s->x->mem, data);
    return status;
}

/* ---- before ---- */

/* HET_E_UNSUPPORTED: it has a number that is none. */
static het_status look_at_input(const subject *s, uint32_t value, het_error *err)
{
    const het__value *v = &s->x->graph->values[value];
    char *data;
    if (!is_float(v->dtype) || v->kind == HET__VALUE_STATE)
        return HET_OK;
    const size_t bytes = het__exec_bytes_of(s->x, value, s->symbols);
    if (v->kind == HET__VALUE_CONST)
        return !v->data || all_finite(v->dtype, v->data, bytes) ? HET_OK : HET_E_UNSUPPORTED;
    if (!place_of(s, value)->buffer)
        return HET_OK;
    het_status status = take(s, value, 0, true, &data, err);
    if (data && status == HET_OK && !all_finite(v->dtype, data, bytes))
        status = HET_E_UNSUPPORTED;
    const het_status end = data ? give_back(s, value, 0, false, data, err) : HET_OK;
    return status == HET_OK ? end : status;
}

static het_status prepare_output(const subject *s, uint32_t value, het_error *err)
{
    char *data;
    if (!is_free(s, value))
        return HET_OK;
    const bool is_number = is_float(s->x->graph->values[value].dtype);
    het_status status = take(s, value, HET__ALIGN, !is_number, &data, err);
    if (!data)
        return status;
    const size_t bytes = het__exec_bytes_of(s->x, value, s->symbols);
    if (status == HET_OK && is_number) /* all ones: a NaN of each type */
        memset(data, 0xff, bytes);
    if (status == HET_OK)
        memset(data + bytes, PATTERN, HET__ALIGN);
    const het_status end = give_back(s, value, HET__ALIGN, status == HET_OK, data, err);
    return status == HET_OK ? end : status;
}

/* ---- after ---- */

static het_status check_output(const subject *s, uint32_t value, het_error *err)
{
    const het__value *v = &s->x->graph->values[value];
    const het__machine *machine = &s->x->phase[0].plan.machine;
    const bool is_judge = machine->device[s->unit->device].kind == HET_DEVICE_REFERENCE;
    const size_t bytes = het__exec_bytes_of(s->x, value, s->symbols);
    const bool is_guarded = is_free(s, value);
    char *data;
    if (!place_of(s, value)->buffer)
        return HET_OK;
    het_status status = take(s, value, is_guarded ? HET__ALIGN : 0, true, &data, err);
    if (!data)
        return status;
    if (status == HET_OK && is_guarded && !is_pattern(data + bytes))
        status = het__fail(err, HET_E_INTERNAL, "it wrote beyond the end of %s", v->name);
    else if (status == HET_OK && s->unit->expects_finite && !is_judge && is_float(v->dtype) &&
             !all_finite(v->dtype, data, bytes))
        status = het__fail(err, HET_E_INTERNAL,
                           "it left or made numbers of %s that are none, of numbers that are",
                           v->name);
    give_back(s, value, 0, false, data, err);
    return status;
}

/* ---- the two sides of a program ---- */

static subject subject_of(het__exec *x, uint32_t phase, const het__unit *unit,
                          const int64_t *symbols)
{
    const het__phase_state *ps = &x->phase[phase];
    return (subject){ x, phase, unit, &ps->plan.entries[unit - ps->units], symbols };
}

het_status het__exec_check_before(het__exec *x, uint32_t phase, het__unit *unit,
                                  const int64_t *symbols, het_error *err)
{
    const subject s = subject_of(x, phase, unit, symbols);
    het_status status = for_inputs(&s, look_at_input, err);
    unit->expects_finite = status == HET_OK;
    if (status == HET_OK || status == HET_E_UNSUPPORTED)
        status = for_outputs(&s, prepare_output, err);
    return status == HET_OK ? status
                            : het__exec_blame(x, unit->device, unit->layer, HET__EXEC_ENQUEUE,
                                              status, err);
}

het_status het__exec_check_after(het__exec *x, uint32_t phase, het__unit *unit,
                                 const int64_t *symbols, het_error *err)
{
    const subject s = subject_of(x, phase, unit, symbols);
    het__opened *o = &x->opened[unit->device];
    het_status status = o->backend->wait(o->device, x->request.timeout_ns, err);
    if (status == HET_OK) {
        o->ended = o->enqueued;
        status = for_outputs(&s, check_output, err);
    }
    return status == HET_OK ? status
                            : het__exec_blame(x, unit->device, unit->layer, HET__EXEC_WAIT, status,
                                              err);
}

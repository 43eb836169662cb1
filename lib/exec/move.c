/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between the host and devices, and between devices: as few copies as memories allow. */
#include <assert.h>
#include <string.h>

#include "lib/base/os.h"
#include "lib/exec/internal.h"

static het_status write_value(het__exec *x, uint32_t phase, const het__io_move *to,
                              const void *source, size_t bytes, het_error *err)
{
    const het__opened *o = &x->opened[to->device];
    const het__place *place = &o->places[phase][to->value];
    void *host = het__exec_host_of(x, phase, to->device, to->value);
    if (!host)
        return o->backend->buffer_write(o->device, place->buffer, place->offset, source, bytes,
                                        err);
    memcpy(host, source, bytes);
    return HET_OK;
}

static het_status read_value(het__exec *x, uint32_t phase, const het__io_move *from, void *target,
                             size_t bytes, het_error *err)
{
    const het__opened *o = &x->opened[from->device];
    const het__place *place = &o->places[phase][from->value];
    const void *host = het__exec_host_of(x, phase, from->device, from->value);
    if (!host)
        return o->backend->buffer_read(o->device, place->buffer, place->offset, target, bytes,
                                       err);
    memcpy(target, host, bytes);
    return HET_OK;
}

size_t het__exec_bytes_of(const het__exec *x, uint32_t value, const int64_t *symbols)
{
    const int64_t bytes = het__value_bytes(&x->graph->values[value], symbols);
    assert(bytes >= 0);
    return (size_t)bytes;
}

het_status het__exec_move_input(het__exec *x, uint32_t phase, const het__io_move *m,
                                const int64_t *symbols, het_error *err)
{
    het__exec_counts *counts = &x->opened[m->device].counts;
    const uint64_t begin = x->trace ? het__now_ns() : 0;
    const size_t bytes = het__exec_bytes_of(x, m->value, symbols);
    const het_status s = write_value(x, phase, m, x->staging[m->value], bytes, err);
    if (s != HET_OK)
        return het__exec_blame(x, m->device, -1, HET__EXEC_INPUT, s, err);
    counts->inputs++;
    counts->input_bytes += bytes;
    if (x->trace)
        het__exec_record(x, HET__TRACE_INPUT, m->device, -1, x->graph->values[m->value].name, begin)
            ->bytes = bytes;
    return HET_OK;
}

het_status het__exec_move_output(het__exec *x, uint32_t phase, const het__io_move *m,
                                 const int64_t *symbols, het_error *err)
{
    het__exec_counts *counts = &x->opened[m->device].counts;
    const uint64_t begin = x->trace ? het__now_ns() : 0;
    const size_t bytes = het__exec_bytes_of(x, m->value, symbols);
    const het_status s = read_value(x, phase, m, x->staging[m->value], bytes, err);
    if (s != HET_OK)
        return het__exec_blame(x, m->device, -1, HET__EXEC_OUTPUT, s, err);
    counts->outputs++;
    counts->output_bytes += bytes;
    if (x->trace)
        het__exec_record(x, HET__TRACE_OUTPUT, m->device, -1, x->graph->values[m->value].name,
                         begin)->bytes = bytes;
    return HET_OK;
}

het_status het__exec_copy(het__exec *x, uint32_t phase, const het__transfer *t, size_t bytes,
                          int32_t layer, het_error *err)
{
    const het__io_move from = { t->value, t->from }, to = { t->value, t->to };
    const void *source = het__exec_host_of(x, phase, t->from, t->value);
    void *target = het__exec_host_of(x, phase, t->to, t->value);
    if (!source && !target) {
        target = x->bounce;
        x->opened[t->to].counts.bounces++;
        assert(target);
    }
    if (!source) {
        const het_status s = read_value(x, phase, &from, target, bytes, err);
        if (s != HET_OK)
            return het__exec_blame(x, t->from, layer, HET__EXEC_TRANSFER, s, err);
        if (target != x->bounce)
            return HET_OK;
        source = target;
    }
    const het_status s = write_value(x, phase, &to, source, bytes, err);
    return s == HET_OK ? s : het__exec_blame(x, t->to, layer, HET__EXEC_TRANSFER, s, err);
}

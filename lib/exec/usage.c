/* SPDX-License-Identifier: Apache-2.0 */
/* What an executor's devices hold and have done. A device that is lost is not asked: of it only
 * what the core counts itself is told. */
#include <math.h>
#include <string.h>

#include "lib/exec/internal.h"

static het__backend_counters ask(const het__opened *o)
{
    het__backend_counters c;
    memset(&c, 0, sizeof c);
    if (!o->is_lost)
        o->backend->counters(o->device, &c);
    return c;
}

void het__exec_counters_get(const het__exec *x, het__exec_counters *counters)
{
    memset(counters, 0, sizeof *counters);
    counters->staging_bytes = x->staging_bytes;
    counters->shared_bytes = x->shared_bytes;
    counters->activation_bytes = x->staging_bytes + x->shared_bytes;
    for (uint32_t d = 0; d < x->device_count; d++) {
        const het__opened *o = &x->opened[d];
        if (!o->device)
            continue;
        const het__backend_counters c = ask(o);
        counters->weight_bytes += c.weight_bytes;
        counters->mapped_bytes += c.mapped_bytes;
        counters->state_bytes += o->state_bytes;
        counters->activation_bytes += o->io_bytes + o->temp_bytes + c.scratch_bytes;
    }
}

uint64_t het__exec_io_moved(const het__exec *x)
{
    uint64_t bytes = 0;
    for (uint32_t d = 0; d < x->device_count; d++)
        bytes += x->opened[d].counts.input_bytes + x->opened[d].counts.output_bytes;
    return bytes;
}

uint32_t het__exec_usage_count(const het__exec *x)
{
    uint32_t count = 0;
    for (uint32_t d = 0; d < x->device_count; d++)
        count += x->opened[d].device != NULL;
    return count;
}

void het__exec_usage_at(const het__exec *x, uint32_t index, het__exec_usage *usage)
{
    uint32_t d = 0;
    while (!x->opened[d].device || index-- > 0)
        d++;
    const het__opened *o = &x->opened[d];
    const het__plan *plan = &x->phase[0].plan;
    const het__plan_memory *m = &plan->memory[d];
    const het__backend_counters c = ask(o);
    double most = 0; /* temporaries of the step with the most */
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        most = fmax(most, x->phase[p].plan.memory[d].activation_bytes);
    *usage = (het__exec_usage){
        .device = plan->machine.device[d].context_index,
        .weight_bytes = c.weight_bytes, .mapped_bytes = c.mapped_bytes,
        .state_bytes = o->state_bytes, .io_bytes = o->io_bytes, .temp_bytes = o->temp_bytes,
        .scratch_bytes = c.scratch_bytes, .imported_bytes = o->shared_bytes,
        .planned_bytes = m->weight_bytes + m->file_bytes + m->state_bytes + m->io_bytes +
                         m->slot_bytes + most,
        .limit_bytes = m->limit_bytes, .programs = o->enqueued, .launches = c.launch_count,
        .busy_ns = c.busy_ns, .stream_slot_bytes = c.stream_slot_bytes,
        .streams = c.stream_count, .streams_ahead = c.stream_ahead,
        .stream_bytes = c.streamed_bytes, .counts = o->counts,
    };
}

void het__exec_times_get(const het__exec *x, uint32_t phase, uint32_t entry,
                         const het__trace *trace, het__exec_times *times)
{
    memset(times, 0, sizeof *times);
    if (phase >= x->request.phase_count || entry >= x->phase[phase].unit_count || !trace)
        return;
    const het__unit_times *t = &x->phase[phase].units[entry].measured;
    if (t->trace == het__trace_number(trace))
        *times = t->times;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of trace.h, and those of telemetry.h that look at devices. */
#include <stdio.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/options.h"

#define EVENTS_DEFAULT 65536

/* NULL: a graph that is not compiled, or nothing is left to run on. */
static const het__exec *exec_of(const het_session *session)
{
    return session->network ? het__graph_run_exec(session->network->run) : session->engine.exec;
}

/* ---- trace.h ---- */

het_status het_session_trace_start(het_session *session, uint32_t events_max, het_error *err)
{
    HET_REQUIRE(session != NULL, err);
    het__trace *trace = het__trace_create(&session->model->context->mem,
                                          events_max ? events_max : EVENTS_DEFAULT);
    if (!trace)
        return het__fail_nomem(err, "a trace");
    het__trace_destroy(session->trace);
    session->trace = trace;
    return HET_OK;
}

void het_session_trace_stop(het_session *session)
{
    het__trace_destroy(session->trace);
    session->trace = NULL;
}

het_status het_session_trace_write(const het_session *session, het_trace_write_fn write,
                                   void *user, het_error *err)
{
    HET_REQUIRE(session != NULL && write != NULL, err);
    const het__registry *registry = &session->model->context->registry;
    het__trace_device devices[HET__DEVICES_MAX];
    if (!session->trace)
        return het__fail(err, HET_E_INVALID, "the session has no trace");
    for (uint32_t d = 0; d < registry->count; d++) {
        const het_device_info *info = &registry->device[d].info;
        snprintf(devices[d].name, sizeof devices[d].name, "%s: %.70s", info->backend, info->name);
    }
    const het_status s =
        het__trace_write(session->trace, devices, registry->count, write, user);
    return s == HET_OK ? s : het__fail(err, s, "the trace could not be written");
}

het_status het_session_layer_time_at(const het_session *session, het_phase phase, uint32_t index,
                                     het_layer_time *time)
{
    const het__exec *exec = exec_of(session);
    const uint32_t at = session->network ? 0 : (uint32_t)phase; /* a graph has one plan */
    const het__plan *plan = exec && session->trace ? het__exec_plan_of(exec, at) : NULL;
    het__exec_times t;
    if (!plan || index >= plan->entry_count || (uint32_t)phase >= HET__PHASE_COUNT)
        return HET_E_INVALID;
    het__exec_times_get(exec, at, index, session->trace, &t);
    const het_layer_time out = {
        .struct_size = sizeof out, .is_device_clock = t.is_device_clock, .run_count = t.runs,
        .last_ns = t.last_ns, .least_ns = t.least_ns, .total_ns = t.total_ns,
    };
    return het__result_write(time, &out, sizeof out);
}

/* ---- telemetry.h ---- */

uint32_t het_telemetry_device_count(const het_session *session)
{
    const het__exec *exec = exec_of(session);
    return exec ? het__exec_usage_count(exec) : 0;
}

het_status het_telemetry_device_at(const het_session *session, uint32_t index,
                                   het_telemetry_device *device)
{
    het__exec_usage u;
    if (index >= het_telemetry_device_count(session))
        return HET_E_INVALID;
    het__exec_usage_at(exec_of(session), index, &u);
    const het__exec_counts *c = &u.counts;
    const het_telemetry_device out = {
        .struct_size = sizeof out, .device = u.device, .weight_bytes = u.weight_bytes,
        .mapped_bytes = u.mapped_bytes, .state_bytes = u.state_bytes, .io_bytes = u.io_bytes,
        .temporary_bytes = u.temp_bytes, .scratch_bytes = u.scratch_bytes,
        .imported_bytes = u.imported_bytes, .planned_bytes = u.planned_bytes,
        .limit_bytes = u.limit_bytes, .program_count = u.programs, .launch_count = u.launches,
        .busy_ns = u.busy_ns, .copy_count = c->copies, .copy_bytes = c->copied_bytes,
        .share_count = c->shares, .share_bytes = c->shared_bytes, .bounce_count = c->bounces,
        .input_count = c->inputs, .input_bytes = c->input_bytes, .output_count = c->outputs,
        .output_bytes = c->output_bytes, .wait_count = c->waits,
        .stream_slot_bytes = u.stream_slot_bytes, .stream_count = u.streams,
        .stream_ahead_count = u.streams_ahead, .stream_bytes = u.stream_bytes,
    };
    return het__result_write(device, &out, sizeof out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Asking backends what they run, and planning with the answer. */
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/executor.h"
#include "lib/exec/registry.h"
#include "lib/exec/split.h"

/* Steps of decoding per step of a prompt, by which the phases are weighed: as het_plan_options has
 * it. */
#define DECODES_PER_PROMPT 128

void het__exec_attach(het__machine *machine, uint32_t device, const het__calibration *c)
{
    const bool first = machine->link_bandwidth.source != HET_SOURCE_MEASURED;
    const double latency = c->copy_ns + 2 * c->launch_ns;
    machine->device[device].calibration = c;
    if (c->copy_bandwidth > 0 && (first || c->copy_bandwidth < machine->link_bandwidth.value))
        machine->link_bandwidth =
            (het__figure){ .value = c->copy_bandwidth, .source = HET_SOURCE_MEASURED };
    if (first || latency > machine->link_latency.value)
        machine->link_latency = (het__figure){ .value = latency, .source = HET_SOURCE_MEASURED };
}

const het__calibration *het__exec_figures(const het__registry *registry, uint32_t index,
                                          uint32_t threads, het_device_figures *figures)
{
    const het__registered *device = &registry->device[index];
    const het__calibration *c =
        het__calibrations_find(registry->calibrations, &device->info, threads);
    het__machine_assume(&device->info, threads, figures);
    if (device->backend->figures)
        device->backend->figures(device->backend_index, figures);
    if (c)
        het__calibration_figures(c, figures);
    return c;
}

het_status het__exec_machine(const het__registry *registry, uint32_t mask, uint32_t threads,
                             const het_device_figures *figures, het__machine *machine,
                             het_error *err)
{
    memset(machine, 0, sizeof *machine);
    for (uint32_t i = 0; i < registry->count; i++) {
        het_device_figures known;
        const het__calibration *c = NULL;
        const het_device_info *info = &registry->device[i].info;
        if (!(mask >> i & 1)) {
            het__machine_leave_out(machine, info);
            continue;
        }
        if (!figures)
            c = het__exec_figures(registry, i, threads, &known);
        if (!het__machine_add(machine, info, figures ? &figures[i] : &known))
            return het__fail(err, HET_E_UNSUPPORTED, "more devices than a plan can hold");
        if (registry->device[i].backend->product_unit)
            registry->device[i].backend->product_unit(
                registry->device[i].backend_index,
                &machine->device[machine->device_count - 1].product_unit);
        if (c)
            het__exec_attach(machine, machine->device_count - 1, c);
    }
    return HET_OK;
}

static const char *refusal(const het__registered *device, bool exact, const het__graph *graph,
                           const het__node *node, het__arena *arena, bool *failed)
{
    char reason[160] = "";
    const het__backend *b = device->backend;
    if (exact && b->is_reduced)
        return "computes in fewer bits than an exact session, or the policy for it, allows";
    if (b->supports_on
            ? b->supports_on(device->backend_index, graph, node, reason, sizeof reason)
            : b->supports(graph, node, reason, sizeof reason))
        return NULL;
    const char *copy = het__arena_strdup(arena, reason[0] ? reason : "not supported");
    *failed = *failed || !copy;
    return copy;
}

/* By the session's options, or by the policy's types of products. */
static bool is_exact(const het__exec_request *request, const het__policy_view *view,
                     uint32_t device)
{
    return request->precision == HET_PRECISION_EXACT ||
           (request->policy && het__policy_precision_of(view, device) == HET__PEAK_F32);
}

static het_status ask_backends(const het__exec_request *request, const het__graph *graph,
                               const het__machine *machine, const het__policy_view *view,
                               het__arena *arena, const char ***reasons)
{
    const size_t nodes = graph->node_count;
    bool failed = false;
    *reasons = het__arena_zero(arena, nodes * machine->device_count, sizeof **reasons);
    if (!*reasons)
        return HET_E_NOMEM;
    for (size_t n = 0; n < nodes; n++)
        for (uint32_t d = 0; d < machine->device_count; d++)
            (*reasons)[n * machine->device_count + d] =
                refusal(&request->registry->device[machine->device[d].context_index],
                        is_exact(request, view, d), graph, &graph->nodes[n], arena, &failed);
    return failed ? HET_E_NOMEM : HET_OK;
}

/* What planning under a policy takes: names resolved, and what part of a network each node is. */
static het_status bind_policy(const het__exec_request *request, const het__graph *graph,
                              const het__machine *machine, het__arena *arena,
                              het__policy_view *view, het__node_label **labels, het_error *err)
{
    *labels = NULL;
    memset(view, 0, sizeof *view);
    if (!request->policy)
        return HET_OK;
    *labels = het__arena_zero(arena, (size_t)graph->node_count + 1, sizeof **labels);
    if (!*labels)
        return het__fail_nomem(err, "the plan");
    const het_status s = het__graph_labels(graph, arena->mem, *labels, err);
    return s == HET_OK ? het__policy_bind(request->policy, machine, arena->mem, view, err) : s;
}

het_status het__exec_support(const het__registry *registry, const het__graph *graph,
                             het__arena *arena, const char ***reasons)
{
    bool failed = false;
    *reasons = het__arena_zero(arena, (size_t)graph->node_count * registry->count + 1,
                               sizeof **reasons);
    if (!*reasons)
        return HET_E_NOMEM;
    for (size_t n = 0; n < graph->node_count; n++)
        for (uint32_t d = 0; d < registry->count; d++)
            (*reasons)[n * registry->count + d] =
                refusal(&registry->device[d], false, graph, &graph->nodes[n], arena, &failed);
    return failed ? HET_E_NOMEM : HET_OK;
}

uint32_t het__exec_streaming(const het__registry *registry, const het__machine *machine)
{
    uint32_t devices = 0;
    for (uint32_t d = 0; d < machine->device_count; d++)
        if (registry->device[machine->device[d].context_index].backend->streams)
            devices |= 1u << d;
    return devices;
}

const char *het__exec_refusal(const het__exec_request *request, const het__graph *graph,
                              uint32_t node, uint32_t device, het__arena *arena)
{
    bool failed = false;
    const char *why = refusal(&request->registry->device[device],
                              request->precision == HET_PRECISION_EXACT, graph,
                              &graph->nodes[node], arena, &failed);
    return failed ? "" : why;
}

/* One plan per step. */
static het_status make_plans(const het__exec_request *request, const het__machine *machine,
                             const het__plan_step *steps, uint32_t count,
                             const het__exec_planning *how, het__mem *mem, het__plan *plans,
                             het_error *err)
{
    const het__graph *graph = how->graph ? how->graph : request->graph;
    het__arena arena;
    het__policy_view view;
    het__node_label *labels;
    const char **reasons = NULL;
    double limits[HET__MACHINE_DEVICES_MAX] = { 0 };
    for (uint32_t d = 0; request->memory_limits && d < machine->device_count; d++)
        limits[d] = request->memory_limits[machine->device[d].context_index];
    het__arena_init(&arena, mem);
    het_status s = bind_policy(request, graph, machine, &arena, &view, &labels, err);
    if (s == HET_OK && ask_backends(request, graph, machine, &view, &arena, &reasons) != HET_OK)
        s = het__fail_nomem(err, "the plan");
    if (s == HET_OK) {
        const het__plan_request plan_request = {
            .graph = graph, .unfused_count = request->unfused_count,
            .machine = machine, .symbols = steps->symbols, .reasons = reasons,
            .exact = request->precision == HET_PRECISION_EXACT, .step_count = count,
            .steps = steps, .policy = request->policy ? &view : NULL, .labels = labels,
            .limits = limits,
            .stream_devices = het__exec_streaming(request->registry, machine),
            .split = how->split, .simulated = how->simulated, .given = how->given,
            .begins = how->begins,
        };
        s = het__plan_make(&plan_request, mem, plans, err);
    }
    het__policy_view_finish(&view);
    het__arena_finish(&arena);
    return s;
}

/* The machine of a request, and who stands for what was taken out of it. */
static het_status machine_of(const het__exec_request *request, const het_device_figures *figures,
                             het__machine *machine, het_error *err)
{
    const het_status s = het__exec_machine(request->registry, request->device_mask,
                                           request->threads, figures, machine, err);
    for (uint32_t i = 0; s == HET_OK && request->stand_ins && i < machine->absent_count; i++)
        machine->absent[i].stand_ins = request->stand_ins[machine->absent[i].context_index];
    return s;
}

het_status het__exec_plan(const het__exec_request *request, const int64_t *symbols,
                          const het_device_figures *figures, het__mem *mem, het__plan *plan,
                          het_error *err)
{
    static const het__exec_planning plain = { .graph = NULL };
    het__machine machine;
    const het__plan_step step = { symbols, 1, "" };
    const het_status s = machine_of(request, figures, &machine, err);
    return s == HET_OK ? make_plans(request, &machine, &step, 1, &plain, mem, plan, err) : s;
}

double het__exec_phase_weight(uint32_t phase_count, uint32_t phase)
{
    return phase_count > 1 && phase == HET_PHASE_DECODE ? DECODES_PER_PROMPT : 1;
}

het_status het__exec_plan_with(const het__exec_request *request, const het__exec_planning *how,
                               het__mem *mem, het__plan *plans, het_error *err)
{
    static const char *const names[] = { [HET_PHASE_DECODE] = "decode",
                                         [HET_PHASE_PREFILL] = "prefill" };
    const uint32_t count = request->phase_count ? request->phase_count : HET__PHASE_COUNT;
    het__machine machine;
    het__plan_step steps[HET__PHASE_COUNT];
    het__plan made[HET__PHASE_COUNT];
    for (uint32_t p = 0; p < count; p++)
        steps[het__exec_step_of(count, p)] =
            (het__plan_step){ request->symbols_max[p], het__exec_phase_weight(count, p),
                              count > 1 ? names[p] : "" };
    het_status s = machine_of(request, NULL, &machine, err);
    if (s == HET_OK)
        s = make_plans(request, &machine, steps, count, how, mem, made, err);
    for (uint32_t p = 0; s == HET_OK && p < count; p++)
        plans[p] = made[het__exec_step_of(count, p)];
    return s;
}

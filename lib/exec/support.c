/* SPDX-License-Identifier: Apache-2.0 */
/* Asking backends what they run, and planning with the answer. */
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/executor.h"
#include "lib/exec/registry.h"

/* The device that was added last costs what was measured of it. A transfer goes at the pace of the
 * slowest device, and waits for one launch on either side. */
static void attach(het__machine *machine, const het__calibration *c)
{
    const bool first = machine->link_bandwidth.source != HET_SOURCE_MEASURED;
    const double latency = c->copy_ns + 2 * c->launch_ns;
    machine->device[machine->device_count - 1].calibration = c;
    if (c->copy_bandwidth > 0 && (first || c->copy_bandwidth < machine->link_bandwidth.value))
        machine->link_bandwidth =
            (het__figure){ .value = c->copy_bandwidth, .source = HET_SOURCE_MEASURED };
    if (first || latency > machine->link_latency.value)
        machine->link_latency = (het__figure){ .value = latency, .source = HET_SOURCE_MEASURED };
}

het_status het__exec_machine(const het__registry *registry, uint32_t mask, uint32_t threads,
                             const het_device_figures *figures, het__machine *machine,
                             het_error *err)
{
    memset(machine, 0, sizeof *machine);
    for (uint32_t i = 0; i < registry->count; i++) {
        if (!(mask >> i & 1))
            continue;
        het_device_figures assumed;
        const het_device_info *info = &registry->device[i].info;
        het__machine_assume(info, threads, &assumed);
        const het__calibration *c =
            figures ? NULL : het__calibrations_find(registry->calibrations, info, threads);
        if (c)
            het__calibration_figures(c, &assumed);
        if (!het__machine_add(machine, info, figures ? &figures[i] : &assumed))
            return het__fail(err, HET_E_UNSUPPORTED, "more devices than a plan can hold");
        if (c)
            attach(machine, c);
    }
    return HET_OK;
}

/* device: of the plan's machine. */
static bool is_pinned_elsewhere(const het__exec_request *request, size_t node, uint32_t device)
{
    return request->pinned && request->graph->nodes[node].op == HET__OP_ATTENTION &&
           request->pinned[node] != device;
}

static const char *refusal(const het__registered *device, const het__graph *graph,
                           const het__node *node, het__arena *arena, bool *failed)
{
    char reason[160] = "";
    if (device->backend->supports(graph, node, reason, sizeof reason))
        return NULL;
    const char *copy = het__arena_strdup(arena, reason[0] ? reason : "not supported");
    *failed = *failed || !copy;
    return copy;
}

static het_status ask_backends(const het__exec_request *request, const het__machine *machine,
                               het__arena *arena, const char ***reasons)
{
    const size_t nodes = request->graph->node_count;
    bool failed = false;
    *reasons = het__arena_zero(arena, nodes * machine->device_count, sizeof **reasons);
    if (!*reasons)
        return HET_E_NOMEM;
    for (size_t n = 0; n < nodes; n++)
        for (uint32_t d = 0; d < machine->device_count; d++)
            (*reasons)[n * machine->device_count + d] =
                is_pinned_elsewhere(request, n, d)
                    ? "its state is on another device"
                    : refusal(&request->registry->device[machine->device[d].context_index],
                              request->graph, &request->graph->nodes[n], arena, &failed);
    return failed ? HET_E_NOMEM : HET_OK;
}

/* What planning under a policy takes: names resolved, and what part of a network each node is. */
static het_status bind_policy(const het__exec_request *request, const het__machine *machine,
                              het__arena *arena, het__policy_view *view,
                              het__node_label **labels, het_error *err)
{
    *labels = NULL;
    memset(view, 0, sizeof *view);
    if (!request->policy)
        return HET_OK;
    *labels = het__arena_zero(arena, (size_t)request->graph->node_count + 1, sizeof **labels);
    if (!*labels)
        return het__fail_nomem(err, "the plan");
    const het_status s = het__graph_labels(request->graph, arena->mem, *labels, err);
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
                refusal(&registry->device[d], graph, &graph->nodes[n], arena, &failed);
    return failed ? HET_E_NOMEM : HET_OK;
}

static het_status make_plan(const het__exec_request *request, const het__machine *machine,
                            const int64_t *symbols, het__mem *mem, het__plan *plan,
                            het_error *err)
{
    het__arena arena;
    het__policy_view view;
    het__node_label *labels;
    const char **reasons = NULL;
    het__arena_init(&arena, mem);
    het_status s = bind_policy(request, machine, &arena, &view, &labels, err);
    if (s == HET_OK && ask_backends(request, machine, &arena, &reasons) != HET_OK)
        s = het__fail_nomem(err, "the plan");
    if (s == HET_OK) {
        const het__plan_request plan_request = {
            .graph = request->graph, .unfused_count = request->unfused_count,
            .machine = machine, .symbols = symbols, .reasons = reasons,
            .exact = request->precision == HET_PRECISION_EXACT,
            .policy = request->policy ? &view : NULL, .labels = labels,
        };
        s = het__plan_make(&plan_request, mem, plan, err);
    }
    het__policy_view_finish(&view);
    het__arena_finish(&arena);
    return s;
}

/* A node that reads the state of another must run where that one writes it. Changes device, the
 * place of each node, to what that asks for; true if something changed. */
static bool gather_states(const het__graph *graph, uint8_t *device)
{
    bool changed = false;
    for (uint32_t n = 0; n < graph->node_count; n++) {
        const het__node *reader = &graph->nodes[n];
        if (reader->op != HET__OP_ATTENTION || reader->inputs[HET__ATTN_K] != HET__NO_VALUE)
            continue;
        for (uint32_t w = 0; w < n; w++)
            if (graph->nodes[w].op == HET__OP_ATTENTION && device[w] != device[n] &&
                graph->nodes[w].inputs[HET__ATTN_K_STATE] == reader->inputs[HET__ATTN_K_STATE]) {
                device[n] = device[w];
                changed = true;
            }
    }
    return changed;
}

het_status het__exec_plan(const het__exec_request *request, const int64_t *symbols,
                          const het_device_figures *figures, het__mem *mem, het__plan *plan,
                          het_error *err)
{
    het__machine machine;
    het_status s = het__exec_machine(request->registry, request->device_mask, request->threads,
                                     figures, &machine, err);
    if (s == HET_OK)
        s = make_plan(request, &machine, symbols, mem, plan, err);
    if (s != HET_OK || request->pinned)
        return s;
    uint8_t *device = het__alloc_zero(mem, plan->node_count, 1);
    if (device)
        memcpy(device, plan->node_device, plan->node_count);
    if (!device || gather_states(request->graph, device)) {
        het__exec_request again = *request;
        again.pinned = device;
        het__plan_finish(plan);
        s = device ? make_plan(&again, &machine, symbols, mem, plan, err)
                   : het__fail_nomem(err, "the plan");
    }
    het__free(mem, device);
    return s;
}

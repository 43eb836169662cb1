/* SPDX-License-Identifier: Apache-2.0 */
/* Asking backends what they run, and planning with the answer. */
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/executor.h"
#include "lib/exec/registry.h"

static het_status make_machine(const het__exec_request *request,
                               const het_device_figures *figures, het__machine *machine)
{
    memset(machine, 0, sizeof *machine);
    for (uint32_t i = 0; i < request->registry->count; i++) {
        if (!(request->device_mask >> i & 1))
            continue;
        het_device_figures assumed;
        const het_device_info *info = &request->registry->device[i].info;
        het__machine_assume(info, request->threads, &assumed);
        if (!het__machine_add(machine, info, figures ? &figures[i] : &assumed))
            return HET_E_UNSUPPORTED;
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
    const char **reasons = NULL;
    het__arena_init(&arena, mem);
    het_status s = ask_backends(request, machine, &arena, &reasons);
    if (s != HET_OK) {
        s = het__fail_nomem(err, "the plan");
    } else {
        const het__plan_request plan_request = {
            request->graph, request->unfused_count, machine, symbols, reasons,
            request->precision == HET_PRECISION_EXACT,
        };
        s = het__plan_make(&plan_request, mem, plan, err);
    }
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
    het_status s = make_machine(request, figures, &machine);
    if (s != HET_OK)
        return het__fail(err, s, "more devices than a plan can hold");
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

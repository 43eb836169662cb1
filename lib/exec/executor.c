/* SPDX-License-Identifier: Apache-2.0 */
/* Making an executor and running steps. */
#include "lib/exec/executor.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/internal.h"
#include "lib/exec/split.h"
#include "lib/ir/lent.h"

#define SETTLE_NS UINT64_C(30000000000) /* that destroying waits where waits have no limit */

/* ---- create ---- */

/* All phases over one residency of weights, and attention where the states are. */
static het_status make_plans(het__exec *x, het_error *err)
{
    het__plan plans[HET__PHASE_COUNT];
    const het_status s = het__exec_plan_split(&x->request, x->mem, plans, &x->split, err);
    for (uint32_t p = 0; s == HET_OK && p < x->request.phase_count; p++)
        x->phase[p].plan = plans[p];
    if (s == HET_OK && x->split.arena.mem)
        x->graph = &x->split;
    return s;
}

/* Of each device of the machine: the session's, or exact where the policy wants products in F32. */
static het_status choose_precision(const het__exec *x, uint32_t *precision, het_error *err)
{
    const het__machine *machine = &x->phase[0].plan.machine;
    het__policy_view view;
    for (uint32_t d = 0; d < machine->device_count; d++)
        precision[d] = x->request.precision;
    if (!x->request.policy)
        return HET_OK;
    const het_status s = het__policy_bind(x->request.policy, machine, x->mem, &view, err);
    for (uint32_t d = 0; s == HET_OK && d < machine->device_count; d++)
        if (het__policy_precision_of(&view, d) == HET__PEAK_F32)
            precision[d] = HET_PRECISION_EXACT;
    if (s == HET_OK)
        het__policy_view_finish(&view);
    return s;
}

static het_status open_devices(het__exec *x, het_error *err)
{
    const het__machine *machine = &x->phase[0].plan.machine;
    double expert_bytes[HET__MACHINE_DEVICES_MAX];
    uint32_t expert_keep[HET__MACHINE_DEVICES_MAX], precision[HET__MACHINE_DEVICES_MAX];
    het_status s = choose_precision(x, precision, err);
    if (s == HET_OK)
        s = het__exec_expert_limits(x, expert_bytes, expert_keep, err);
    if (s != HET_OK)
        return s;
    x->device_count = machine->device_count;
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        for (uint32_t n = 0; n < x->graph->node_count; n++) {
            const uint32_t d = x->phase[p].plan.node_device[n];
            if (x->opened[d].device)
                continue;
            const het__registered *r =
                &x->request.registry->device[machine->device[d].context_index];
            const het__open_options options = {
                .threads = x->request.threads, .precision = precision[d],
                .weights_mapped = x->request.weights_mapped,
                .pin_threads = x->request.pin_threads, .parallel = x->request.parallel,
                .parallel_user = x->request.parallel_user,
                .weight_cache = x->request.weight_cache, .content = x->request.content,
                .expert_bytes = (uint64_t)expert_bytes[d], .expert_keep = expert_keep[d],
                .stream_slots = x->phase[p].plan.stream[d].slot_count,
            };
            x->opened[d].backend = r->backend;
            s = r->backend->open(&x->request.registry->host, r->backend_index, &options,
                                 &x->opened[d].device, err);
            if (s != HET_OK)
                return het__exec_blame(x, d, -1, HET__EXEC_OPEN, s, err);
        }
    return HET_OK;
}

/* What a device reads where it lies is there before it looks, and what is checked is there too. */
static het_status keep_constants(const het__exec *x, const het__slice *slice,
                                 const het__backend *backend, het_error *err)
{
    if (!slice->borrower || (backend->borrows && !x->request.validate))
        return HET_OK;
    for (uint32_t n = 0; n < slice->node_count; n++) {
        const het_status s =
            het__lent_keep_node(slice->borrower, slice->graph,
                                &slice->graph->nodes[slice->nodes[n]], slice->symbols_max, err);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

static het_status compile_entry(het__exec *x, uint32_t phase, uint32_t index,
                                het__borrower *borrower, het_error *err)
{
    const het__plan_entry *entry = &x->phase[phase].plan.entries[index];
    het__unit *unit = &x->phase[phase].units[index];
    het__opened *o = &x->opened[entry->device];
    uint32_t *nodes = het__arena_alloc(&x->arena, entry->node_count * sizeof *nodes);
    if (!nodes)
        return het__fail_nomem(err, "a layer");
    for (uint32_t n = 0; n < entry->node_count; n++)
        nodes[n] = entry->first_node + n;
    const het__slice slice = { x->graph, nodes, entry->node_count, o->places[phase],
                               x->request.symbols_max[phase], x->request.constant_copied,
                               x->request.constant_user, x->expert_uses, entry->is_streamed,
                               borrower->lender ? borrower : NULL };
    het_status s = keep_constants(x, &slice, o->backend, err);
    if (s != HET_OK)
        return s;
    s = o->backend->compile(o->device, &slice, &unit->program, err);
    if (s == HET_E_FORMAT) /* weights that are corrupt are so for every device */
        return s;
    return s == HET_OK ? s : het__exec_blame(x, entry->device, entry->layer, HET__EXEC_COMPILE, s,
                                             err);
}

static het_status compile_phase(het__exec *x, uint32_t phase, uint32_t done, uint32_t all,
                                het__borrower *borrower, het_error *err)
{
    het__phase_state *ps = &x->phase[phase];
    for (uint32_t i = 0; i < ps->plan.entry_count; i++) {
        if (x->request.progress &&
            x->request.progress(x->request.progress_user, (double)(done + i) / all,
                                ps->plan.entries[i].name) != 0)
            return het__fail(err, HET_E_CANCELLED, "cancelled while preparing %s",
                             ps->plan.entries[i].name);
        const het_status s = compile_entry(x, phase, i, borrower, err);
        if (s != HET_OK)
            return s;
        ps->unit_count++;
    }
    return HET_OK;
}

static het_status compile_all(het__exec *x, het_error *err)
{
    uint32_t all = 0, done = 0;
    het__borrower borrower = { .lender = x->request.lender };
    het_status s = HET_OK;
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        all += x->phase[p].plan.entry_count;
    for (uint32_t p = 0; s == HET_OK && p < x->request.phase_count; p++) {
        s = compile_phase(x, p, done, all ? all : 1, &borrower, err);
        done += x->phase[p].plan.entry_count;
    }
    het__borrow_end(&borrower);
    if (s != HET_OK)
        return s;
    for (uint32_t d = 0; d < x->device_count; d++)
        if (x->opened[d].device && x->opened[d].backend->ready)
            x->opened[d].backend->ready(x->opened[d].device);
    if (x->request.progress && x->request.progress(x->request.progress_user, 1.0, "ready") != 0)
        return het__fail(err, HET_E_CANCELLED, "cancelled when ready");
    return HET_OK;
}

/* stage: what was being done when it failed. */
static het_status prepare(het__exec *x, het__exec_stage *stage, het_error *err)
{
    *stage = HET__EXEC_PLAN;
    het_status s = make_plans(x, err);
    if (s != HET_OK)
        return s;
    *stage = HET__EXEC_OPEN;
    s = open_devices(x, err);
    if (s != HET_OK)
        return s;
    *stage = HET__EXEC_RESERVE;
    s = het__exec_layout(x, err);
    if (s == HET_OK)
        s = het__exec_experts(x, err);
    if (s != HET_OK)
        return s;
    *stage = HET__EXEC_COMPILE;
    return compile_all(x, err);
}

het_status het__exec_create(const het__exec_request *request, het__exec **exec, het_error *err)
{
    het__mem *mem = request->registry->host.mem;
    het__exec_stage stage = HET__EXEC_PLAN;
    *exec = NULL;
    het__exec *x = het__alloc_zero(mem, 1, sizeof *x);
    if (request->failure)
        *request->failure = (het__exec_failure){ HET__EXEC_NO_DEVICE, -1, HET__EXEC_PLAN,
                                                 x ? HET_OK : HET_E_NOMEM };
    if (!x)
        return het__fail_nomem(err, "the executor");
    x->mem = mem;
    x->log = request->registry->host.log;
    x->graph = request->graph;
    x->request = *request;
    x->request.failure = NULL; /* lent for this call */
    if (x->request.phase_count == 0)
        x->request.phase_count = HET__PHASE_COUNT;
    het__arena_init(&x->arena, mem);
    het__exec_note(x, HET__EXEC_NONE, -1, HET__EXEC_IDLE, HET_OK);
    const het_status s = prepare(x, &stage, err);
    if (s != HET_OK) {
        if (x->failure.status != s) /* no device is to blame */
            het__exec_note(x, HET__EXEC_NONE, -1, stage, s);
        if (request->failure)
            *request->failure = x->failure;
        het__exec_destroy(x);
        return s;
    }
    x->request.weight_cache = NULL;
    *exec = x;
    return HET_OK;
}

/* ---- destroy ---- */

static void close_device(het__opened *o)
{
    if (!o->device)
        return;
    het__buffer *const buffers[] = { o->io, o->state, o->temp, o->shared };
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        if (buffers[i])
            o->backend->buffer_destroy(o->device, buffers[i]);
    o->backend->close(o->device);
}

/* What waiting failed for has ended before its memory goes, or its device is known to hang. */
static void settle(het__exec *x)
{
    for (uint32_t d = 0; d < x->device_count; d++) {
        het__opened *o = &x->opened[d];
        if (!o->device || o->is_lost || o->ended == o->enqueued)
            continue;
        const uint64_t limit = x->request.timeout_ns ? x->request.timeout_ns : SETTLE_NS;
        const het_status s = o->backend->wait(o->device, limit, NULL);
        o->hangs = o->hangs || s == HET_E_TIMEOUT;
    }
}

void het__exec_destroy(het__exec *x)
{
    if (!x)
        return;
    settle(x);
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        for (uint32_t i = 0; i < x->phase[p].unit_count; i++) {
            het__opened *o = &x->opened[x->phase[p].units[i].device];
            o->backend->release(o->device, x->phase[p].units[i].program);
        }
    bool hangs = false;
    for (uint32_t d = 0; d < x->device_count; d++) {
        hangs = hangs || (x->opened[d].hangs && x->opened[d].shared);
        if (x->opened[d].device)
            het__exec_drop_lent(x, d);
        close_device(&x->opened[d]);
    }
    for (uint32_t v = 0; x->home && x->is_owned && v < x->graph->value_count; v++)
        if (x->is_owned[v])
            het__free(x->mem, x->home[v]);
    het__free(x->mem, x->bounce);
    if (!hangs) /* else somebody may still write there: memory that is lost is the lesser evil */
        het__free(x->mem, x->shared_block);
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        het__plan_finish(&x->phase[p].plan);
    het__graph_finish(&x->split);
    het__arena_finish(&x->arena);
    het__free(x->mem, x);
}

/* ---- use ---- */

const het__plan *het__exec_plan_of(const het__exec *x, uint32_t phase)
{
    return phase < x->request.phase_count ? &x->phase[phase].plan : NULL;
}

const het__graph *het__exec_graph(const het__exec *x)
{
    return x->graph;
}

static uint32_t find_value(const het__exec *x, const char *name, het__value_kind kind)
{
    for (uint32_t v = 0; v < x->graph->value_count; v++)
        if (x->graph->values[v].kind == kind && strcmp(x->graph->values[v].name, name) == 0)
            return v;
    return HET__NO_VALUE;
}

void *het__exec_input(het__exec *x, const char *name)
{
    const uint32_t v = find_value(x, name, HET__VALUE_INPUT);
    return v == HET__NO_VALUE ? NULL : x->staging[v];
}

void *het__exec_output(het__exec *x, const char *name)
{
    const uint32_t v = find_value(x, name, HET__VALUE_OUTPUT);
    return v == HET__NO_VALUE ? NULL : x->staging[v];
}

void het__exec_set_timeout(het__exec *x, uint64_t timeout_ns)
{
    x->request.timeout_ns = timeout_ns;
}

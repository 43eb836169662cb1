/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of plan.h. */
#include <math.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/api/plan_described.h"
#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/options.h"

#define SEQUENCES_MAX 65536

static het_status check_options(const het_model *model, const het_plan_options *options,
                                het_plan_options *o, het_error *err)
{
    const het_status s = het__options_read(o, sizeof *o, options, "het_plan_options", err);
    if (s != HET_OK)
        return s;
    if (o->flags & ~(HET_PLAN_SPLIT | HET_PLAN_ALONE))
        return het__fail(err, HET_E_VERSION, "het_plan_options.flags has an unknown flag");
    if (o->phase > HET_PHASE_PREFILL)
        return het__fail(err, HET_E_INVALID, "het_plan_options.phase is %u", o->phase);
    if (o->token_count < 0 || o->token_count > INT32_MAX || o->context_count < 0 ||
        o->context_count > INT32_MAX || o->output_count < 0 || o->output_count > INT32_MAX ||
        o->sequence_count > SEQUENCES_MAX)
        return het__fail(err, HET_E_INVALID, "a count of het_plan_options is out of range");
    if (o->objective > HET_OBJECTIVE_ENERGY)
        return het__fail(err, HET_E_INVALID, "het_plan_options.objective is %u", o->objective);
    if (o->machine && (o->devices || o->threads || o->measure))
        return het__fail(err, HET_E_INVALID, "het_plan_options: devices, threads and measure "
                         "mean the context's devices, not a machine's");
    if (!model->is_whole)
        return het__fail(err, HET_E_INVALID, "the model was loaded without its graph");
    return HET_OK;
}

static void fill_defaults(const het_model *model, het_plan_options *o)
{
    if (o->sequence_count == 0)
        o->sequence_count = 1;
    if (o->output_count == 0)
        o->output_count = 128;
    if (o->token_count == 0)
        o->token_count = model->network           ? 1
                         : o->phase == HET_PHASE_DECODE ? o->sequence_count : 512;
}

/* Symbols of the step that is planned for: one sequence. */
static void bind_symbols(const het_plan_options *o, int64_t *symbols)
{
    het__plan_symbols(o->token_count, o->context_count, 1, symbols);
}

het_status het__plan_figures(const het__registry *registry, uint32_t mask, uint32_t threads,
                             het_device_figures *figures, het_error *err)
{
    for (uint32_t i = 0; i < registry->count; i++) {
        het__machine_assume(&registry->device[i].info, threads, &figures[i]);
        if (!(mask >> i & 1))
            continue;
        het_device_figures f;
        const het_status s = het__registry_measure(registry, i, threads, &f, err);
        if (s == HET_OK)
            figures[i] = f;
        else if (s != HET_E_UNSUPPORTED)
            return s;
    }
    return HET_OK;
}

/* HET_E_UNSUPPORTED where there is no saying. */
het_status het__plan_inputs(const het__network *n, int64_t extent, het__tensor *inputs,
                            het_error *err)
{
    for (uint32_t i = 0; i < n->input_count; i++) {
        const het__value *v = &n->onnx.graph.values[n->inputs[i]];
        if (v->dtype == HET_DTYPE_NONE || !het__value_is_known(v))
            return het__fail(err, HET_E_UNSUPPORTED,
                             "input %s may be of any type or rank: only a session has a plan",
                             v->name);
        inputs[i] = (het__tensor){ .dtype = v->dtype, .rank = v->rank };
        for (uint32_t k = 0; k < v->rank; k++)
            inputs[i].extent[k] = v->extent[k].symbol == HET__SYM_ONE ? v->extent[k].count : extent;
    }
    return HET_OK;
}

/* The plan is that of a session made for it. */
static het_status compile_network(het_plan *p, const het_plan_options *o, uint32_t mask,
                                  const het__tensor *inputs, het_error *err)
{
    const het__graph_run_request request = {
        .registry = &p->context->registry, .graph = &p->model->network->onnx.graph,
        .device_mask = mask, .threads = o->threads ? o->threads : het__cpus_default(),
        .passes = { HET__PASSES_ALL, 0 }, .forms_max = 1,
    };
    het_status s = het__graph_run_create(&request, &p->run, err);
    if (s == HET_OK)
        s = het__graph_run_prepare(p->run, inputs, err);
    if (s != HET_OK)
        return s;
    p->plan = (het__plan *)(uintptr_t)het__graph_run_plan(p->run);
    if (!p->plan)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "extents of the graph follow from contents: it is run without a plan");
    return HET_OK;
}

static het_status fill_network_plan(het_plan *p, const het_plan_options *o, het_error *err)
{
    const het__network *n = p->model->network;
    het__mem *mem = &p->model->context->mem;
    uint32_t mask;
    if (o->measure)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "het_plan_options.measure: graphs are planned by a calibration");
    if (o->threads > HET__THREADS_MAX)
        return het__fail(err, HET_E_INVALID, "het_plan_options.threads is %u, not in 1 to %d",
                         o->threads, HET__THREADS_MAX);
    het__tensor *inputs = het__alloc_zero(mem, n->input_count, sizeof *inputs);
    if (!inputs)
        return het__fail_nomem(err, "a plan");
    het_status s = het__registry_select(&p->context->registry, o->devices, &mask, err);
    if (s == HET_OK)
        s = het__plan_inputs(n, o->token_count, inputs, err);
    if (s == HET_OK)
        s = compile_network(p, o, mask, inputs, err);
    het__free(mem, inputs);
    return s;
}

static het_status fill_plan(het_plan *p, const het_plan_options *o, het_error *err)
{
    const het_context *context = p->model->context;
    het_device_figures figures[HET__DEVICES_MAX];
    het__exec_request request = { .registry = &context->registry };
    request.threads = o->threads ? o->threads : het__cpus_default();
    het_status s =
        het__registry_select(&context->registry, o->devices, &request.device_mask, err);
    if (s == HET_OK && o->measure)
        s = het__plan_figures(&context->registry, request.device_mask, request.threads, figures,
                              err);
    if (s == HET_OK)
        s = het__model_graph(p->model, HET_DTYPE_F16, &p->graph, &request.unfused_count, err);
    if (s != HET_OK)
        return s;
    request.graph = &p->graph;
    bind_symbols(o, p->symbols);
    return het__exec_plan(&request, p->symbols, o->measure ? figures : NULL,
                          &p->model->context->mem, &p->own, err);
}

/* What only described machines, policies and objectives need. */
static bool is_described(const het_plan_options *o)
{
    return o->machine || o->policy || o->objective || o->flags || o->sequence_count > 1;
}

static het_status create(const het_model *model, const het_plan_options *options,
                         const char *text, size_t bytes, het_plan **plan, het_error *err)
{
    het_plan_options o;
    het_status s = check_options(model, options, &o, err);
    if (s != HET_OK)
        return s;
    fill_defaults(model, &o);
    het_context *context = model->context;
    het_plan *p = het__alloc_zero(&context->mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a plan");
    p->model = (het_model *)(uintptr_t)model;
    p->context = context;
    p->plan = &p->own;
    if (text || is_described(&o))
        s = het__plan_described(p, &o, text, bytes, err);
    else
        s = model->network ? fill_network_plan(p, &o, err) : fill_plan(p, &o, err);
    if (s != HET_OK) {
        het__graph_run_destroy(p->run);
        if (p->graph.arena.mem)
            het__graph_finish(&p->graph);
        het__free(&context->mem, p);
        return s;
    }
    p->phase = o.phase;
    for (uint32_t i = 0; p->run && i < HET__SYM_MAX; i++)
        p->symbols[i] = 1;
    het__model_retain(p->model);
    *plan = p;
    return HET_OK;
}

het_status het_plan_make(const het_model *model, const het_plan_options *options, het_plan **plan,
                         het_error *err)
{
    HET_REQUIRE(plan != NULL, err);
    *plan = NULL;
    HET_REQUIRE(model != NULL, err);
    return create(model, options, NULL, 0, plan, err);
}

het_status het_plan_load(const het_model *model, const het_plan_options *options, const void *text,
                         size_t bytes, het_plan **plan, het_error *err)
{
    HET_REQUIRE(plan != NULL, err);
    *plan = NULL;
    HET_REQUIRE(model != NULL && text != NULL, err);
    return create(model, options, text, bytes, plan, err);
}

static uint32_t best_single(const het__plan *p)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t d = 0; d < p->machine.device_count; d++)
        if (p->single[d] < (best == UINT32_MAX ? INFINITY : p->single[best]))
            best = d;
    return best;
}

het_status het_plan_get_info(const het_plan *plan, het_plan_info *info)
{
    const het__plan *p = plan->plan;
    uint32_t source = HET_SOURCE_MEASURED;
    for (uint32_t i = 0; i < p->entry_count; i++) { /* of devices that the times are of */
        const uint32_t own = het__machine_source(&p->machine.device[p->entries[i].device]);
        source = own != HET_SOURCE_MEASURED ? own : source;
    }
    const het_plan_info out = {
        .struct_size = sizeof out, .layer_count = p->entry_count, .node_count = p->node_count,
        .unfused_count = p->unfused_count, .figures_source = source,
        .transfer_count = p->transfer_count, .predicted_ns = p->predicted_ns,
        .flop_count = p->flops, .weight_bytes = p->weight_bytes,
        .activation_bytes = p->activation_bytes, .transfer_bytes = p->transfer_bytes,
        .device_count = p->machine.device_count, .objective = p->objective,
        .is_proven = p->proven, .broken_count = p->broken_wishes, .total = p->total,
        .bound = p->bound, .greedy_total = p->greedy, .simulated_ns = p->simulated_ns,
        .split_ns = p->split_ns, .split_count = p->split_count, .best_single = best_single(p),
    };
    return het__result_write(info, &out, sizeof out);
}

het_status het_plan_layer_at(const het_plan *plan, uint32_t index, het_plan_layer *layer)
{
    const het__plan *p = plan->plan;
    if (index >= p->entry_count)
        return HET_E_INVALID;
    const het__plan_entry *e = &p->entries[index];
    const het_plan_layer out = {
        .struct_size = sizeof out, .layer = e->layer,
        .device = p->machine.device[e->device].context_index, .node_count = e->node_count,
        .name = e->name, .backend = p->machine.device[e->device].backend,
        .operations = e->operations, .reason = e->reason, .predicted_ns = e->predicted_ns,
        .flop_count = e->flops, .weight_bytes = e->weight_bytes,
        .activation_bytes = e->activation_bytes, .stored_bytes = e->stored_bytes,
        .state_bytes = e->state_bytes, .runner_up_total = e->runner_up_total,
        .runner_up = e->runner_up, .plan_device = e->device, .stream_bytes = e->stream_bytes,
    };
    return het__result_write(layer, &out, sizeof out);
}

het_status het_plan_device_at(const het_plan *plan, uint32_t index, het_plan_device *device)
{
    const het__plan *p = plan->plan;
    if (index >= p->machine.device_count)
        return HET_E_INVALID;
    const het__machine_device *d = &p->machine.device[index];
    const het__plan_memory *m = &p->memory[index];
    const het__plan_stream *x = &p->stream[index];
    het_plan_device out = {
        .struct_size = sizeof out, .kind = d->kind, .context_index = d->context_index,
        .name = d->name, .backend = d->backend, .weight_bytes = m->weight_bytes,
        .file_bytes = m->file_bytes, .state_bytes = m->state_bytes, .io_bytes = m->io_bytes,
        .activation_bytes = m->activation_bytes, .limit_bytes = m->limit_bytes,
        .single_total = p->single[index],
        .slot_bytes = m->slot_bytes, .bring_ns = m->bring_ns, .slot_count = m->slot_count,
        .stream_slot_count = x->slot_count, .stream_slot_bytes = x->slot_bytes,
        .stream_bytes = x->bytes, .stream_layer_count = x->come_count,
        .stream_layer_max = x->layer_count,
    };
    for (uint32_t n = 0; n < p->node_count; n++) {
        out.node_count += p->node_device[n] == index;
        out.busy_ns += p->node_device[n] == index ? p->node_ns[n] : 0;
    }
    for (uint32_t i = 0; i < p->transfer_count; i++)
        out.busy_ns += p->transfers[i].to == index ? p->transfers[i].ns : 0;
    return het__result_write(device, &out, sizeof out);
}

het_status het_plan_transfer_at(const het_plan *plan, uint32_t index, het_plan_transfer *transfer)
{
    const het__plan *p = plan->plan;
    if (index >= p->transfer_count)
        return HET_E_INVALID;
    const het__plan_transfer *t = &p->transfers[index];
    uint32_t entry = 0;
    while (entry + 1 < p->entry_count && p->entries[entry + 1].first_node <= t->node)
        entry++;
    const het_plan_transfer out = { .struct_size = sizeof out, .from = t->from, .to = t->to,
                                    .layer = entry, .name = t->name, .bytes = t->bytes,
                                    .predicted_ns = t->ns };
    return het__result_write(transfer, &out, sizeof out);
}

het_status het_plan_split_at(const het_plan *plan, uint32_t index, het_plan_split *split)
{
    const het__plan *p = plan->plan;
    if (index >= p->split_count)
        return HET_E_INVALID;
    const het__plan_split *v = &p->splits[index];
    const het_plan_split out = { .struct_size = sizeof out, .device = v->device,
                                 .other = v->other, .node_count = v->node_count,
                                 .name = v->name, .share = v->share,
                                 .simulated_ns = v->simulated_ns };
    return het__result_write(split, &out, sizeof out);
}

const char *het_plan_text(const het_plan *plan)
{
    return plan->plan->text;
}

void het_plan_destroy(het_plan *plan)
{
    if (!plan || !plan->model)
        return; /* NULL, or borrowed from a session */
    het_model *model = plan->model;
    if (plan->run)
        het__graph_run_destroy(plan->run); /* which has the plan */
    else
        het__plan_finish(&plan->own);
    if (plan->graph.arena.mem)
        het__graph_finish(&plan->graph);
    het__free(&model->context->mem, plan);
    het__model_release(model);
}

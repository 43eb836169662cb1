/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of plan.h. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/options.h"

static het_status check_options(const het_model *model, const het_plan_options *options,
                                het_plan_options *o, het_error *err)
{
    const het_status s = het__options_read(o, sizeof *o, options, "het_plan_options", err);
    if (s != HET_OK)
        return s;
    if (o->flags != 0)
        return het__fail(err, HET_E_VERSION, "het_plan_options.flags has an unknown flag");
    if (o->phase > HET_PHASE_PREFILL)
        return het__fail(err, HET_E_INVALID, "het_plan_options.phase is %u", o->phase);
    if (o->token_count < 0 || o->token_count > INT32_MAX || o->context_count < 0 ||
        o->context_count > INT32_MAX)
        return het__fail(err, HET_E_INVALID, "a count of het_plan_options is out of range");
    if (o->token_count == 0)
        o->token_count = model->network || o->phase == HET_PHASE_DECODE ? 1 : 512;
    return HET_OK;
}

/* Symbols of the step that is planned for: one sequence. */
static void bind_symbols(const het_plan_options *o, int64_t *symbols)
{
    memset(symbols, 0, HET__SYM_MAX * sizeof *symbols);
    const int64_t pages = (o->context_count + o->token_count + HET__PAGE_SIZE - 1) / HET__PAGE_SIZE;
    symbols[HET__SYM_ONE] = 1;
    symbols[HET__SYM_TOKENS] = o->token_count;
    symbols[HET__SYM_SEQUENCES] = 1;
    symbols[HET__SYM_ROWS] = 1;
    symbols[HET__SYM_CONTEXT] = o->context_count;
    symbols[HET__SYM_PAGES] = symbols[HET__SYM_STATE_PAGES] = pages;
}

static het_status measure_devices(const het__registry *registry, uint32_t mask, uint32_t threads,
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

/* Inputs of a graph, what the file leaves open taken as extent. HET_E_UNSUPPORTED where there is no
 * saying. */
static het_status describe_inputs(const het__network *n, int64_t extent, het__tensor *inputs,
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
        s = describe_inputs(n, o->token_count, inputs, err);
    if (s == HET_OK)
        s = compile_network(p, o, mask, inputs, err);
    het__free(mem, inputs);
    return s;
}

static het_status fill_plan(het_plan *p, const het_plan_options *o, het_error *err)
{
    const het_context *context = p->model->context;
    int64_t symbols[HET__SYM_MAX];
    het_device_figures figures[HET__DEVICES_MAX];
    het__graph graph;
    het__exec_request request = { .registry = &context->registry };
    request.threads = o->threads ? o->threads : het__cpus_default();
    het_status s =
        het__registry_select(&context->registry, o->devices, &request.device_mask, err);
    if (s == HET_OK && o->measure)
        s = measure_devices(&context->registry, request.device_mask, request.threads, figures, err);
    if (s == HET_OK)
        s = het__model_graph(p->model, HET_DTYPE_F16, &graph, &request.unfused_count, err);
    if (s != HET_OK)
        return s;
    request.graph = &graph;
    bind_symbols(o, symbols);
    s = het__exec_plan(&request, symbols, o->measure ? figures : NULL, &p->model->context->mem,
                       &p->own, err);
    het__graph_finish(&graph);
    return s;
}

het_status het_plan_make(const het_model *model, const het_plan_options *options, het_plan **plan,
                         het_error *err)
{
    het_plan_options o;
    HET_REQUIRE(plan != NULL, err);
    *plan = NULL;
    HET_REQUIRE(model != NULL, err);
    het_status s = check_options(model, options, &o, err);
    if (s != HET_OK)
        return s;
    if (!model->is_whole)
        return het__fail(err, HET_E_INVALID, "the model was loaded without its graph");
    het_context *context = model->context;
    het_plan *p = het__alloc_zero(&context->mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a plan");
    p->model = (het_model *)(uintptr_t)model;
    p->context = context;
    p->plan = &p->own;
    s = model->network ? fill_network_plan(p, &o, err) : fill_plan(p, &o, err);
    if (s != HET_OK) {
        het__graph_run_destroy(p->run);
        het__free(&context->mem, p);
        return s;
    }
    het__model_retain(p->model);
    *plan = p;
    return HET_OK;
}

het_status het_plan_get_info(const het_plan *plan, het_plan_info *info)
{
    const het__plan *p = plan->plan;
    uint32_t source = HET_SOURCE_MEASURED;
    for (uint32_t i = 0; i < p->machine.device_count; i++)
        if (het__machine_source(&p->machine.device[i]) != HET_SOURCE_MEASURED)
            source = het__machine_source(&p->machine.device[i]);
    const het_plan_info out = {
        .struct_size = sizeof out, .layer_count = p->entry_count, .node_count = p->node_count,
        .unfused_count = p->unfused_count, .figures_source = source,
        .transfer_count = p->transfer_count, .predicted_ns = p->predicted_ns,
        .flop_count = p->flops, .weight_bytes = p->weight_bytes,
        .activation_bytes = p->activation_bytes, .transfer_bytes = p->transfer_bytes,
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
        .activation_bytes = e->activation_bytes,
    };
    return het__result_write(layer, &out, sizeof out);
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
    het__free(&model->context->mem, plan);
    het__model_release(model);
}

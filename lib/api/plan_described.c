/* SPDX-License-Identifier: Apache-2.0 */
/* Plans for machines that need not be there, and plans under a policy: both phases of a language
 * model together, or a graph with bound shapes. */
#include <stdio.h>
#include <string.h>

#include "lib/api/plan_described.h"
#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/partition/op_support.h"
#include "lib/passes/specialise.h"

/* Images stay as they are: blocks of channels are one backend's wish. */
#define PASSES (HET__PASSES_ALL & ~(UINT32_C(1) << HET__PASS_LAYOUT))

typedef struct maker {
    const het_plan_options *o;
    const het_model *model;
    het__mem *mem;
    het__arena arena;
    het__machine *machine;
    bool is_present; /* of the context's devices */
    het__graph graph;
    uint32_t unfused_count;
    const char **reasons;
    het__policy_view view;
    het__node_label *labels;
    int64_t symbols[HET__PLAN_STEPS_MAX][HET__SYM_MAX];
    het__plan_step steps[HET__PLAN_STEPS_MAX];
    char names[HET__PLAN_STEPS_MAX][96];
    uint32_t step_count, step; /* step: the one that was asked for */
} maker;

void het__plan_symbols(int64_t token_count, int64_t context, int64_t sequences, int64_t *symbols)
{
    memset(symbols, 0, HET__SYM_MAX * sizeof *symbols);
    const int64_t each = (token_count + sequences - 1) / sequences;
    const int64_t pages = sequences * ((context + each + HET__PAGE_SIZE - 1) / HET__PAGE_SIZE);
    symbols[HET__SYM_ONE] = 1;
    symbols[HET__SYM_TOKENS] = token_count;
    symbols[HET__SYM_SEQUENCES] = sequences;
    symbols[HET__SYM_ROWS] = sequences;
    symbols[HET__SYM_CONTEXT] = context;
    symbols[HET__SYM_PAGES] = symbols[HET__SYM_STATE_PAGES] = pages;
}

/* ---- machine ---- */

/* The context's devices that the list selects. */
static het_status present_machine(maker *m, het_error *err)
{
    const het_plan_options *o = m->o;
    const het__registry *registry = &m->model->context->registry;
    het_device_figures figures[HET__DEVICES_MAX];
    const uint32_t threads = o->threads ? o->threads : het__cpus_default();
    uint32_t mask;
    if (threads > HET__THREADS_MAX)
        return het__fail(err, HET_E_INVALID, "het_plan_options.threads is %u, not in 1 to %d",
                         threads, HET__THREADS_MAX);
    het_status s = het__registry_select(registry, o->devices, &mask, err);
    if (s == HET_OK && o->measure)
        s = het__plan_figures(registry, mask, threads, figures, err);
    if (s == HET_OK)
        s = het__exec_machine(registry, mask, threads, o->measure ? figures : NULL, m->machine,
                              err);
    m->is_present = true;
    return s;
}

static het_status take_machine(maker *m, het_error *err)
{
    m->machine = het__arena_zero(&m->arena, 1, sizeof *m->machine);
    if (!m->machine)
        return het__fail_nomem(err, "a plan");
    if (!m->o->machine)
        return present_machine(m, err);
    *m->machine = m->o->machine->machine;
    return m->machine->device_count ? HET_OK
                                    : het__fail(err, HET_E_INVALID, "the machine has no device");
}

/* What is there is asked; what is not, is looked up. */
static het_status take_reasons(maker *m, het_error *err)
{
    const uint32_t devices = m->machine->device_count;
    const char **asked = NULL;
    m->reasons = het__op_refusals(&m->graph, m->machine, false, &m->arena);
    het_status s = m->reasons ? HET_OK : HET_E_NOMEM;
    const het__registry *registry = &m->model->context->registry;
    if (s == HET_OK && m->is_present)
        s = het__exec_support(registry, &m->graph, &m->arena, &asked);
    for (size_t n = 0; s == HET_OK && asked && n < m->graph.node_count; n++)
        for (uint32_t d = 0; d < devices; d++)
            m->reasons[n * devices + d] =
                asked[n * registry->count + m->machine->device[d].context_index];
    return s == HET_OK ? HET_OK : het__fail_nomem(err, "a plan");
}

/* ---- graph and steps ---- */

static het_status take_network(maker *m, het_error *err)
{
    const het__network *n = m->model->network;
    const het__pass_options passes = { PASSES, 0 };
    het__specialise_report report;
    if (m->o->measure)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "het_plan_options.measure: plans of graphs use assumed figures");
    het__tensor *inputs = het__arena_zero(&m->arena, n->input_count, sizeof *inputs);
    if (!inputs)
        return het__fail_nomem(err, "a plan");
    het_status s = het__plan_inputs(n, m->o->token_count, inputs, err);
    if (s == HET_OK)
        s = het__specialise(&n->onnx.graph, inputs, n->input_count, m->mem, &m->graph, &report,
                            err);
    if (s != HET_OK)
        return s;
    m->unfused_count = report.nodes_before;
    if (report.open)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "extents of the graph follow from contents: it is run without a plan");
    s = het__passes_run(&m->graph, &passes, NULL, err);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        m->symbols[0][i] = 1;
    het__graph_run_layers(&m->graph, m->symbols[0]);
    snprintf(m->names[0], sizeof m->names[0], "run extent %lld", (long long)m->o->token_count);
    m->steps[0] = (het__plan_step){ m->symbols[0], 1, m->names[0] };
    m->step_count = 1;
    return HET_OK;
}

static void add_step(maker *m, uint32_t phase, int64_t tokens, int64_t context, double weight)
{
    const uint32_t i = m->step_count++;
    const int64_t sequences = phase == HET_PHASE_DECODE ? m->o->sequence_count : 1;
    het__plan_symbols(tokens, context, sequences, m->symbols[i]);
    snprintf(m->names[i], sizeof m->names[i], "%s tokens %lld context %lld sequences %lld",
             phase == HET_PHASE_DECODE ? "decode" : "prefill", (long long)tokens,
             (long long)context, (long long)sequences);
    m->steps[i] = (het__plan_step){ m->symbols[i], weight, m->names[i] };
    if (phase == m->o->phase)
        m->step = i;
}

/* Prefill first, whichever is asked for: both plans come from the same problem. */
static void take_steps(maker *m, bool alone)
{
    const het_plan_options *o = m->o;
    const bool decode = o->phase == HET_PHASE_DECODE;
    const double outputs = (double)o->output_count;
    if (alone) {
        add_step(m, o->phase, o->token_count, o->context_count, 1);
    } else if (decode) {
        const int64_t prompt = o->context_count ? o->context_count : 512;
        add_step(m, HET_PHASE_PREFILL, prompt, 0, 1);
        add_step(m, HET_PHASE_DECODE, o->token_count, o->context_count, outputs);
    } else {
        const int64_t before = o->context_count + o->token_count;
        add_step(m, HET_PHASE_PREFILL, o->token_count, o->context_count, 1);
        add_step(m, HET_PHASE_DECODE, o->sequence_count, before, outputs);
    }
}

static het_status take_graph(maker *m, bool alone, het_error *err)
{
    if (m->model->network)
        return take_network(m, err);
    const het_status s =
        het__model_graph(m->model, HET_DTYPE_F16, &m->graph, &m->unfused_count, err);
    if (s == HET_OK)
        take_steps(m, alone);
    return s;
}

/* ---- policy ---- */

static het_status take_policy(maker *m, het_error *err)
{
    if (!m->o->policy)
        return HET_OK;
    m->labels = het__arena_zero(&m->arena, m->graph.node_count, sizeof *m->labels);
    if (!m->labels)
        return het__fail_nomem(err, "a plan");
    const het_status s = het__graph_labels(&m->graph, m->mem, m->labels, err);
    return s == HET_OK
               ? het__policy_bind(&m->o->policy->policy, m->machine, m->mem, &m->view, err) : s;
}

/* ---- plan ---- */

/* Backends of the context say so; elsewhere those of graphics processors do. */
static uint32_t streaming_devices(const maker *m)
{
    uint32_t devices = 0;
    if (m->is_present)
        return het__exec_streaming(&m->model->context->registry, m->machine);
    for (uint32_t d = 0; d < m->machine->device_count; d++) {
        const uint32_t kind = m->machine->device[d].kind;
        devices |= kind == HET_DEVICE_GPU || kind == HET_DEVICE_IGPU ? 1u << d : 0;
    }
    return devices;
}

static het_status make_plan(maker *m, const uint8_t *forced, het__plan *out, het_error *err)
{
    het__plan plans[HET__PLAN_STEPS_MAX];
    const het__plan_request request = {
        .graph = &m->graph, .unfused_count = m->unfused_count, .machine = m->machine,
        .symbols = m->symbols[m->step], .reasons = m->reasons, .step_count = m->step_count,
        .steps = m->steps, .policy = m->o->policy ? &m->view : NULL, .labels = m->labels,
        .objective = m->o->objective, .limited = m->o->machine != NULL, .forced = forced,
        .stream_devices = streaming_devices(m),
        .split = (m->o->flags & HET_PLAN_SPLIT) != 0,
    };
    const het_status s = het__plan_make(&request, m->mem, plans, err);
    for (uint32_t k = 0; s == HET_OK && k < m->step_count; k++)
        if (k == m->step)
            *out = plans[k];
        else
            het__plan_finish(&plans[k]);
    return s;
}

static het_status read_text(maker *m, const char *text, size_t bytes, uint8_t **forced,
                            het_error *err)
{
    *forced = NULL;
    if (!text)
        return HET_OK;
    *forced = het__arena_zero(&m->arena, m->graph.node_count, 1);
    if (!*forced)
        return het__fail_nomem(err, "a plan");
    return het__plan_read(text, bytes, &m->graph, m->symbols[0], m->machine, m->mem, *forced, err);
}

het_status het__plan_described(het_plan *plan, const het_plan_options *o, const char *text,
                               size_t bytes, het_error *err)
{
    maker *m = het__alloc_zero(&plan->model->context->mem, 1, sizeof *m);
    uint8_t *forced = NULL;
    if (!m)
        return het__fail_nomem(err, "a plan");
    m->o = o;
    m->model = plan->model;
    m->mem = &plan->model->context->mem;
    het__arena_init(&m->arena, m->mem);
    het_status s = take_machine(m, err);
    if (s == HET_OK)
        s = take_graph(m, text || (o->flags & HET_PLAN_ALONE), err);
    if (s == HET_OK)
        s = take_reasons(m, err);
    if (s == HET_OK)
        s = take_policy(m, err);
    if (s == HET_OK)
        s = read_text(m, text, bytes, &forced, err);
    if (s == HET_OK)
        s = make_plan(m, forced, &plan->own, err);
    het__policy_view_finish(&m->view);
    plan->graph = m->graph; /* kept for simulations */
    memcpy(plan->symbols, m->symbols[m->step], sizeof plan->symbols);
    het__arena_finish(&m->arena);
    het__free(m->mem, m);
    return s;
}

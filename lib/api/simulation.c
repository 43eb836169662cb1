/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of simulation.h: options and policy become a request, tasks become events. */
#include <math.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/partition/simulate_plan.h"

#define FAULTS_MAX 1024
#define ROUNDS_MAX 65536
/* Utilisation that adaptive micro-batches leave alone. */
#define ADAPT_LOW 0.7
#define ADAPT_HIGH 0.95

/* Keeps nothing of the plan but its context. */
struct het_simulation {
    het_context *context; /* a reference */
    het__mem *mem;
    het__arena arena;     /* of all strings */
    het__machine machine;
    het__plan_sim sim;
    het_simulation_info info;
    const char **names, **operations; /* per unit */
    int32_t *layers;
    const char **lanes;   /* names of lanes */
    uint32_t *event_of;   /* per task: its last attempt; UINT32_MAX: none */
    uint32_t *previous;   /* per event: the attempt before at the same task */
};

/* ---- options ---- */

static het_status check_options(const het_simulation_options *options, het_simulation_options *o,
                                het_error *err)
{
    const het_status s =
        het__options_read(o, sizeof *o, options, "het_simulation_options", err);
    if (s != HET_OK)
        return s;
    if (o->flags & ~(HET_SIMULATION_BY_NODE | HET_SIMULATION_ADAPTIVE))
        return het__fail(err, HET_E_VERSION, "het_simulation_options.flags has an unknown flag");
    if (o->schedule > HET_SCHEDULE_CRITICAL_PATH)
        return het__fail(err, HET_E_INVALID, "het_simulation_options.schedule is %u", o->schedule);
    if (o->fault_count > FAULTS_MAX || (o->fault_count && !o->faults))
        return het__fail(err, HET_E_INVALID, "het_simulation_options has %u faults, at most %d",
                         o->fault_count, FAULTS_MAX);
    if ((double)(o->step_count ? o->step_count : 1) *
            (o->sequence_count ? o->sequence_count : 1) > ROUNDS_MAX)
        return het__fail(err, HET_E_INVALID, "more than %d steps of all sequences", ROUNDS_MAX);
    if (!(o->token_bytes_per_s >= 0) || !(o->backoff_ns >= 0))
        return het__fail(err, HET_E_INVALID, "a number of het_simulation_options is negative");
    return HET_OK;
}

/* Faults by kind, in the arena. */
static het_status take_faults(const het_simulation_options *o, het__arena *arena,
                              het__plan_sim_request *r, het_error *err)
{
    het__sim_slow *slow = het__arena_zero(arena, (size_t)o->fault_count + 1, sizeof *slow);
    het__sim_loss *losses = het__arena_zero(arena, (size_t)o->fault_count + 1, sizeof *losses);
    struct het__plan_sim_error *errors =
        het__arena_zero(arena, (size_t)o->fault_count + 1, sizeof *errors);
    if (!slow || !losses || !errors)
        return het__fail_nomem(err, "a simulation");
    for (uint32_t i = 0; i < o->fault_count; i++) {
        const het_fault *f = &o->faults[i];
        if (f->device >= r->plan->machine.device_count)
            return het__fail(err, HET_E_INVALID, "fault %u: there is no device %u", i, f->device);
        if (f->kind == HET_FAULT_SLOW)
            slow[r->slow_count++] =
                (het__sim_slow){ f->device, f->begin_ns, f->end_ns, f->factor };
        else if (f->kind == HET_FAULT_LOSS)
            losses[r->loss_count++] = (het__sim_loss){ f->device, f->begin_ns };
        else if (f->kind == HET_FAULT_ERROR)
            errors[r->error_count++] =
                (struct het__plan_sim_error){ f->device, f->index, f->count };
        else
            return het__fail(err, HET_E_INVALID, "fault %u: kind %u", i, f->kind);
    }
    r->slow = slow;
    r->losses = losses;
    r->errors = errors;
    return HET_OK;
}

static uint32_t parts_of(int64_t tokens, int64_t most)
{
    return most > 0 && most < tokens ? (uint32_t)((tokens + most - 1) / most) : 1;
}

static uint32_t lowest_bit(uint32_t bits)
{
    for (uint32_t i = 0; i < 32; i++)
        if (bits >> i & 1)
            return i;
    return HET__SIM_NONE;
}

/* What the options leave open. */
static void take_policy(const het__policy *p, het__plan_sim_request *r,
                        const het_simulation_options *o, het__sim_aimd *adapt)
{
    static const uint32_t schedules[HET__SCHEDULING_COUNT] = {
        [HET__SCHEDULING_FIFO] = HET__SIM_FIFO, [HET__SCHEDULING_BW_AWARE] = HET__SIM_BANDWIDTH,
        [HET__SCHEDULING_CRITICAL_PATH] = HET__SIM_CRITICAL_PATH,
    };
    const int64_t tokens = r->symbols[HET__SYM_TOKENS];
    const het__policy_fallback *f = &p->fallback[HET__TRIGGER_ERROR];
    if (!o->schedule)
        r->policy = schedules[p->scheduling < HET__SCHEDULING_COUNT ? p->scheduling : 0];
    if (r->token_bandwidth <= 0 && p->throttle) {
        r->token_bandwidth = p->bandwidth_capacity;
        if (p->bandwidth_tokens)
            r->token_size = p->bandwidth_capacity / p->bandwidth_tokens;
    }
    if (!r->queue_depth)
        r->queue_depth = p->max_queue_depth;
    if (!o->micro_batch_count && p->micro_batch_max)
        r->micro_batches = parts_of(tokens, p->micro_batch_max);
    if (p->micro_batch_adaptive && !o->micro_batch_min && p->micro_batch_min)
        adapt->size_min = p->micro_batch_min;
    if (!r->in_flight)
        r->in_flight = p->pipeline_stages;
    if (!r->buffers && p->pipeline_stages)
        r->buffers = p->double_buffering ? 2 : 1;
    if (f->is_set && !r->retry_max) {
        r->retry_max = f->retry < 32 ? f->retry : 32;
        r->backoff_ns = f->backoff_ms * 1e6;
    }
    if (f->is_set && f->next[0] && r->fallback == HET__SIM_NONE)
        r->fallback = lowest_bit(het__policy_select(&r->plan->machine, f->next));
}

static het_status take_options(const het_plan *plan, const het_simulation_options *o,
                               het__arena *arena, het__plan_sim_request *r, het__sim_aimd *adapt,
                               het_error *err)
{
    static const uint32_t schedules[] = { HET__SIM_IN_ORDER, HET__SIM_IN_ORDER, HET__SIM_FIFO,
                                          HET__SIM_BANDWIDTH, HET__SIM_CRITICAL_PATH };
    const double tokens = (double)r->symbols[HET__SYM_TOKENS];
    r->is_language = plan->model->language != NULL;
    r->is_prefill = r->is_language && plan->phase == HET_PHASE_PREFILL;
    r->by_node = (o->flags & HET_SIMULATION_BY_NODE) != 0;
    r->steps = o->step_count ? o->step_count : 1;
    r->sequences = o->sequence_count ? o->sequence_count : 1;
    r->micro_batches = o->micro_batch_count;
    r->buffers = o->buffer_count;
    r->in_flight = o->round_count_max;
    r->policy = schedules[o->schedule];
    r->queue_depth = o->queue_count_max;
    r->token_bandwidth = o->token_bytes_per_s;
    r->retry_max = o->retry_count_max;
    r->backoff_ns = o->backoff_ns;
    r->fallback = o->fallback ? o->fallback - 1 : HET__SIM_NONE;
    adapt->size_min = o->micro_batch_min;
    if (o->policy)
        take_policy(&o->policy->policy, r, o, adapt);
    const bool adapts = (o->flags & HET_SIMULATION_ADAPTIVE) ||
                        (o->policy && o->policy->policy.micro_batch_adaptive);
    if (adapts && r->is_prefill) {
        const double most = ceil(tokens / (r->micro_batches ? r->micro_batches : 1));
        const double least = adapt->size_min > 0 ? adapt->size_min : fmax(1, floor(most / 8));
        *adapt = (het__sim_aimd){
            .size_min = least, .size_max = most, .low = ADAPT_LOW, .high = ADAPT_HIGH,
            .left = tokens * r->steps * r->sequences,
        };
        adapt->size = fmax(adapt->size_min, floor(adapt->size_max / 2));
        adapt->step = fmax(1, floor(adapt->size_max / 8));
        r->adapt = adapt;
    }
    return take_faults(o, arena, r, err);
}

/* ---- description ---- */

static het_status name_units(het_simulation *s, const het__plan *plan, const het__graph *g,
                             bool by_node)
{
    const uint32_t units = s->sim.unit_count;
    s->names = het__arena_zero(&s->arena, (size_t)units + 1, sizeof *s->names);
    s->operations = het__arena_zero(&s->arena, (size_t)units + 1, sizeof *s->operations);
    s->layers = het__arena_zero(&s->arena, (size_t)units + 1, sizeof *s->layers);
    if (!s->names || !s->operations || !s->layers)
        return HET_E_NOMEM;
    for (uint32_t i = 0; i < units; i++) {
        const het__plan_unit *u = &s->sim.units[i];
        const het__plan_entry *e = &plan->entries[u->entry];
        const het__node *node = &g->nodes[u->first_node];
        const bool is_copy = u->value != HET__NO_VALUE;
        const char *name = is_copy ? g->values[u->value].name : by_node ? node->name : e->name;
        s->names[i] = het__arena_strdup(&s->arena, name ? name : "");
        s->operations[i] = het__arena_strdup(&s->arena, is_copy ? "transfer"
                                             : by_node ? het__node_operation(node)
                                                       : e->operations);
        s->layers[i] = e->layer;
        if (!s->names[i] || !s->operations[i])
            return HET_E_NOMEM;
    }
    return HET_OK;
}

static het_status name_lanes(het_simulation *s)
{
    s->lanes = het__arena_zero(&s->arena, (size_t)s->sim.lane_count + 1, sizeof *s->lanes);
    s->event_of = het__arena_zero(&s->arena, (size_t)s->sim.result.task_count + 1,
                                  sizeof *s->event_of);
    s->previous = het__arena_zero(&s->arena, (size_t)s->sim.result.span_count + 1,
                                  sizeof *s->previous);
    if (!s->lanes || !s->event_of || !s->previous)
        return HET_E_NOMEM;
    for (uint32_t i = 0; i < s->sim.lane_count; i++) {
        const char *from = s->machine.device[s->sim.lane_from[i]].name;
        const char *to = s->machine.device[s->sim.lane_to[i]].name;
        s->lanes[i] = i < s->sim.device_count
                          ? from : het__arena_printf(&s->arena, "%s to %s", from, to);
        if (!s->lanes[i])
            return HET_E_NOMEM;
    }
    for (uint32_t i = 0; i < s->sim.result.task_count; i++)
        s->event_of[i] = UINT32_MAX;
    for (uint32_t i = 0; i < s->sim.result.span_count; i++) {
        uint32_t *last = &s->event_of[s->sim.result.spans[i].task];
        s->previous[i] = *last;
        *last = i;
    }
    return HET_OK;
}

static void fill_info(het_simulation *s, const het__plan_sim_request *r)
{
    const het__sim_result *x = &s->sim.result;
    uint32_t source = HET_SOURCE_MEASURED;
    for (uint32_t i = 0; i < s->machine.device_count; i++)
        if (het__machine_source(&s->machine.device[i]) != HET_SOURCE_MEASURED)
            source = het__machine_source(&s->machine.device[i]);
    const double steps = (double)r->steps * r->sequences;
    uint32_t rounds = 0, tasks = 0;
    for (uint32_t i = 0; i < x->span_count; i++) {
        const uint32_t round = x->spans[i].task / s->sim.unit_count;
        rounds = round >= rounds ? round + 1 : rounds;
        tasks += x->spans[i].end == HET__SIM_DONE;
    }
    s->info = (het_simulation_info){
        .struct_size = sizeof s->info, .is_complete = x->completed,
        .device_count = s->sim.device_count, .lane_count = s->sim.lane_count,
        .memory_count = s->machine.group_count, .event_count = x->span_count,
        .rate_count = x->rate_count, .round_count = r->adapt ? rounds : s->sim.rounds,
        .task_count = tasks,
        .figures_source = source,
        .token_count = r->is_language ? steps * (double)r->symbols[HET__SYM_TOKENS] : steps,
        .makespan_ns = x->makespan_ns, .round_ns = s->sim.step_ns, .bound_ns = s->sim.bound_ns,
        .held_ns = x->held_ns, .joules = x->joules,
    };
}

/* ---- life ---- */

static het_status fill(het_simulation *s, const het_plan *plan, const het_simulation_options *o,
                       het_error *err)
{
    het__sim_aimd adapt = { 0 };
    het__plan_sim_request r = {
        .plan = plan->plan, .symbols = plan->symbols,
        .graph = plan->run ? het__graph_run_graph(plan->run) : &plan->graph,
    };
    s->machine = plan->plan->machine;
    het_status status = take_options(plan, o, &s->arena, &r, &adapt, err);
    if (status == HET_OK)
        status = het__simulate_plan(&r, s->mem, &s->sim, err);
    if (status != HET_OK)
        return status;
    if (name_units(s, plan->plan, r.graph, r.by_node) != HET_OK || name_lanes(s) != HET_OK)
        return het__fail_nomem(err, "a simulation");
    fill_info(s, &r);
    return HET_OK;
}

het_status het_simulation_make(const het_plan *plan, const het_simulation_options *options,
                               het_simulation **simulation, het_error *err)
{
    het_simulation_options o;
    HET_REQUIRE(simulation != NULL, err);
    *simulation = NULL;
    HET_REQUIRE(plan != NULL, err);
    const het_status checked = check_options(options, &o, err);
    if (checked != HET_OK)
        return checked;
    if (!plan->model)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "the plan is a session's: make one with het_plan_make()");
    het__mem *mem = &plan->model->context->mem;
    het_simulation *s = het__alloc_zero(mem, 1, sizeof *s);
    if (!s)
        return het__fail_nomem(err, "a simulation");
    s->mem = mem;
    s->context = plan->model->context;
    het__context_retain(s->context);
    het__arena_init(&s->arena, mem);
    const het_status status = fill(s, plan, &o, err);
    if (status != HET_OK)
        het_simulation_destroy(s);
    else
        *simulation = s;
    return status;
}

void het_simulation_destroy(het_simulation *s)
{
    if (!s)
        return;
    het_context *context = s->context;
    het__plan_sim_finish(&s->sim);
    het__arena_finish(&s->arena);
    het__free(s->mem, s);
    het__context_release(context);
}

/* ---- answers ---- */

het_status het_simulation_get_info(const het_simulation *simulation, het_simulation_info *info)
{
    return het__result_write(info, &simulation->info, sizeof simulation->info);
}

het_status het_simulation_event_at(const het_simulation *s, uint32_t index,
                                   het_simulation_event *event)
{
    if (index >= s->info.event_count)
        return HET_E_INVALID;
    const het__sim_span *span = &s->sim.result.spans[index];
    const het__sim_times *t = &s->sim.result.tasks[span->task];
    const uint32_t unit = span->task % s->sim.unit_count, round = span->task / s->sim.unit_count;
    const bool is_last = s->event_of[span->task] == index;
    const het_simulation_event out = {
        .struct_size = sizeof out, .lane = span->lane, .task = span->task, .round = round,
        .sequence = round % s->sim.streams, .outcome = span->end,
        .wait = is_last ? t->wait
                : s->previous[index] == UINT32_MAX ? HET_WAIT_NOTHING : HET_WAIT_FAULT,
        .after = !is_last || t->after == span->task ? s->previous[index]
                 : t->after == HET__SIM_NONE ? UINT32_MAX : s->event_of[t->after],
        .layer = s->layers[unit], .is_transfer = s->sim.units[unit].value != HET__NO_VALUE,
        .name = s->names[unit], .operations = s->operations[unit],
        .ready_ns = is_last ? t->ready_ns : span->begin_ns, .begin_ns = span->begin_ns,
        .end_ns = span->end_ns, .bytes = s->sim.tasks[unit].cost.bytes,
    };
    return het__result_write(event, &out, sizeof out);
}

het_status het_simulation_lane_at(const het_simulation *s, uint32_t index,
                                  het_simulation_lane *lane)
{
    if (index >= s->info.lane_count)
        return HET_E_INVALID;
    const het__sim_lane_times *t = &s->sim.result.lanes[index];
    const bool is_device = index < s->info.device_count;
    const het_simulation_lane out = {
        .struct_size = sizeof out, .from = s->sim.lane_from[index], .to = s->sim.lane_to[index],
        .memory = s->sim.lane_group[index], .task_count = t->task_count,
        .queue_peak = t->queue_peak, .name = s->lanes[index],
        .backend = is_device ? s->machine.device[index].backend : "", .busy_ns = t->busy_ns,
        .contended_ns = t->contended_ns, .throttled_ns = t->throttled_ns, .idle_ns = t->idle_ns,
        .lost_ns = t->lost_ns,
    };
    return het__result_write(lane, &out, sizeof out);
}

het_status het_simulation_memory_at(const het_simulation *s, uint32_t index,
                                    het_simulation_memory *memory)
{
    if (index >= s->info.memory_count)
        return HET_E_INVALID;
    const het__sim_group_times *t = &s->sim.result.groups[index];
    uint32_t lanes = 0;
    for (uint32_t i = 0; i < s->info.lane_count; i++)
        lanes += s->sim.lane_group[i] == index;
    const het_simulation_memory out = {
        .struct_size = sizeof out, .lane_count = lanes, .name = s->machine.group[index].name,
        .bytes_per_s = s->machine.group[index].bandwidth.value, .bytes = t->bytes,
        .peak_bytes_per_s = t->peak_rate, .saturated_ns = t->saturated_ns,
    };
    return het__result_write(memory, &out, sizeof out);
}

het_status het_simulation_rate_at(const het_simulation *s, uint32_t index,
                                  het_simulation_rate *rate)
{
    if (index >= s->info.rate_count)
        return HET_E_INVALID;
    const het__sim_rate *r = &s->sim.result.rates[index];
    const het_simulation_rate out = { sizeof out, r->group, r->at_ns, r->rate };
    return het__result_write(rate, &out, sizeof out);
}

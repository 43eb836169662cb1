/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of session.h and telemetry.h; what they do with a network is in
 * session_network.c. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/base/os.h"
#include "lib/import/content.h"

/* Positions that a session reserves when nobody says how many. */
#define DEFAULT_CONTEXT 4096
/* Limits that keep every size of a session far from overflow. */
#define CONTEXT_LIMIT (INT64_C(1) << 24)
#define BATCH_LIMIT 65536
#define SEQUENCE_LIMIT 4096
#define FLAGS_KNOWN \
    (HET_SESSION_WEIGHTS_MAPPED | HET_SESSION_PIN_THREADS | HET_SESSION_VALIDATE)

void het__session_retain(het_session *session)
{
    atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
}

void het__session_release(het_session *session)
{
    if (!session || atomic_fetch_sub_explicit(&session->refs, 1, memory_order_acq_rel) != 1)
        return;
    het_model *model = session->model;
    if (session->network) {
        het__network_session_close(session);
    } else {
        het__exec *exec = session->engine.exec;
        het__engine_finish(&session->engine);
        het__exec_destroy(exec);
        het__graph_finish(&session->graph);
        het__turns_finish(&session->turns, &model->context->mem);
        het__free(&model->context->mem, session->weight_cache);
    }
    het__trace_destroy(session->trace);
    het__policy_finish(&session->policy);
    het__free(&model->context->mem, session);
    het__model_release(model);
}

/* ---- options ---- */

static het_status out_of_range(const char *name, int64_t value, int64_t most, het_error *err)
{
    return het__fail(err, HET_E_INVALID, "het_session_options.%s is %lld, not in 1 to %lld", name,
                     (long long)value, (long long)most);
}

static void set_defaults(const het__lm_config *config, het_session_options *o)
{
    if (o->context_max == 0) {
        o->context_max = config->context;
        if (o->context_max > DEFAULT_CONTEXT)
            o->context_max = DEFAULT_CONTEXT;
    }
    if (o->sequence_max == 0)
        o->sequence_max = 1;
    if (o->batch_max == 0)
        o->batch_max = 512;
    if (o->logits_max == 0)
        o->logits_max = o->sequence_max;
    if (o->kv_dtype == 0)
        o->kv_dtype = HET_DTYPE_F16;
    if (o->layer_count == 0 && o->layer_first < config->layers)
        o->layer_count = (uint32_t)config->layers - o->layer_first;
}

static het_status check_ranges(const het__lm_config *config, const het_session_options *o,
                               het_error *err)
{
    const int64_t context = config->context < CONTEXT_LIMIT ? config->context : CONTEXT_LIMIT;
    if (o->context_max < 1 || o->context_max > context)
        return out_of_range("context_max", o->context_max, context, err);
    if (o->sequence_max > SEQUENCE_LIMIT)
        return out_of_range("sequence_max", o->sequence_max, SEQUENCE_LIMIT, err);
    if (o->batch_max > BATCH_LIMIT)
        return out_of_range("batch_max", o->batch_max, BATCH_LIMIT, err);
    if (o->logits_max > o->batch_max && o->logits_max > o->sequence_max)
        return out_of_range("logits_max", o->logits_max,
                            o->batch_max > o->sequence_max ? o->batch_max : o->sequence_max, err);
    if (o->kv_dtype != HET_DTYPE_F16 && o->kv_dtype != HET_DTYPE_F32 &&
        o->kv_dtype != HET_DTYPE_Q8_0)
        return het__fail(err, HET_E_INVALID,
                         "het_session_options.kv_dtype is %s, not F16, F32 or Q8_0",
                         het_dtype_name((het_dtype)o->kv_dtype));
    if (o->kv_dtype == HET_DTYPE_Q8_0 && config->head_size % 32 != 0)
        return het__fail(err, HET_E_INVALID,
                         "het_session_options.kv_dtype is Q8_0, whose blocks of 32 do not fit "
                         "the model's heads of %d", (int)config->head_size);
    if (o->layer_first >= config->layers)
        return het__fail(err, HET_E_INVALID, "het_session_options.layer_first is %u of %lld layers",
                         o->layer_first, (long long)config->layers);
    if (o->layer_count > config->layers - o->layer_first)
        return out_of_range("layer_count", o->layer_count, config->layers - o->layer_first, err);
    /* Slots are numbered in 32 bits. */
    if ((o->context_max + HET__PAGE_SIZE) * o->sequence_max > INT32_MAX)
        return het__fail(err, HET_E_INVALID, "context_max times sequence_max exceeds 2^31");
    return HET_OK;
}

static het_status check_options(const het_model *model, const het_session_options *options,
                                het_session_options *o, het_error *err)
{
    const het_status s = het__options_read(o, sizeof *o, options, "het_session_options", err);
    if (s != HET_OK)
        return s;
    if ((o->flags & ~FLAGS_KNOWN) != 0 || o->reserved != 0)
        return het__fail(err, HET_E_VERSION, "het_session_options has an unknown flag");
    if (o->parallel && (o->flags & HET_SESSION_PIN_THREADS))
        return het__fail(err, HET_E_INVALID,
                         "HET_SESSION_PIN_THREADS: threads that parallel runs are not ours to pin");
    if (o->precision > HET_PRECISION_EXACT)
        return het__fail(err, HET_E_INVALID, "het_session_options.precision is %u", o->precision);
    if (o->weight_cache && !*o->weight_cache)
        return het__fail(err, HET_E_INVALID, "het_session_options.weight_cache is empty");
    if (o->threads > HET__THREADS_MAX)
        return out_of_range("threads", o->threads, HET__THREADS_MAX, err);
    if (model->network)
        return HET_OK; /* what remains sizes the state of a language model */
    set_defaults(&model->language->config, o);
    return check_ranges(&model->language->config, o, err);
}

/* ---- create ---- */

/* The file's bytes are not needed in memory once a device holds its own copy. Memory that the
 * application gave us is left alone, and so are weights that no file holds as they are. */
static void drop_original(void *user, const void *data, size_t bytes)
{
    if (het__language_is_mapped(user, data))
        het__drop_pages(data, bytes);
}

static void borrow_plans(void *user)
{
    het_session *s = user;
    const het__exec *exec = s->engine.exec;
    for (uint32_t p = 0; p < HET__PHASE_COUNT; p++) {
        s->plans[p].plan = exec ? (het__plan *)(uintptr_t)het__exec_plan_of(exec, p) : NULL;
        s->plans[p].context = s->model->context;
    }
}

/* Of an executor that is made when another has failed. */
static int ask_cancel(void *user, double fraction, const char *what)
{
    const het_session *s = user;
    (void)fraction;
    (void)what;
    return atomic_load(&s->engine.cancel) != 0;
}

static het_status identify(const het_model *model, const het_session_options *o,
                           het__hash128 *content, het_error *err)
{
    het_context *context = model->context;
    const het__language *l = model->language;
    const het__file_state *state = l->is_folder          ? &l->hf.shards.state
                                   : model->mapping.data ? &model->mapping.state
                                                         : NULL;
    const het__content_request request = {
        .gguf = &l->gguf,
        .file = state && state->bytes ? state : NULL, /* a package in memory is no file */
        .keeps_pages = l->is_folder || model->mapping.mem, .lender = het__model_lender(model),
        .folder = o->weight_cache, .mem = &context->mem, .log = &context->log,
        .progress = o->progress, .progress_user = o->progress_user,
    };
    return het__content_id(&request, content, err);
}

static het_status describe(het_session *s, const het_session_options *o,
                           const het__limits *limits, het_error *err)
{
    het__exec_request *q = &s->request;
    *q = (het__exec_request){
        .registry = &s->model->context->registry, .graph = &s->graph, .threads = o->threads,
        .precision = o->precision,
        .weights_mapped = (o->flags & HET_SESSION_WEIGHTS_MAPPED) != 0,
        .pin_threads = (o->flags & HET_SESSION_PIN_THREADS) != 0,
        .validate = (o->flags & HET_SESSION_VALIDATE) != 0,
        .parallel = o->parallel, .parallel_user = o->parallel_user,
        .constant_copied = drop_original, .constant_user = s->model,
        .lender = het__model_lender(s->model),
        .weight_cache = o->weight_cache,
        .progress = o->progress, .progress_user = o->progress_user, .trace = &s->trace,
    };
    het__engine_symbols(limits, q->symbols_max);
    const int32_t first = (int32_t)o->layer_first, end = first + (int32_t)o->layer_count;
    const het_status st = het__model_graph_layers(s->model, (het_dtype)o->kv_dtype, first, end,
                                                  limits->turns != NULL, &s->graph,
                                                  &q->unfused_count, err);
    if (st != HET_OK || !o->weight_cache)
        return st;
    s->weight_cache = het__strndup(&s->model->context->mem, o->weight_cache,
                                   strlen(o->weight_cache));
    if (!s->weight_cache)
        return het__fail_nomem(err, "a session");
    q->weight_cache = s->weight_cache;
    const het_status known = identify(s->model, o, &q->content, err);
    const uint32_t quantized = (uint32_t)s->model->language->quantized;
    if (quantized) /* the file's weights are other ones */
        het__hash128_add(&q->content, &quantized, sizeof quantized);
    if (limits->hidden_in || limits->hidden_out) { /* other weights than those of all layers */
        const int32_t layers[2] = { first, end };
        het__hash128_add(&q->content, layers, sizeof layers);
    }
    return known;
}

/* Sequences that stay short enough turn as the graph's constants say. */
static het_status make_turns(het_session *s, int64_t context_max, const het__turns **turns,
                             het_error *err)
{
    const het__lm_config *config = &s->model->language->config;
    const het__lm_source source = het__model_source(s->model);
    if (config->turning == HET__TURNING_FIXED || context_max <= config->turning_length)
        return HET_OK;
    *turns = &s->turns;
    return het__turns_init(&s->turns, config, &source, &s->model->context->mem, err);
}

static het_status open_language(het_session *s, const het_session_options *o,
                                uint32_t device_mask, het_error *err)
{
    het_context *context = s->model->context;
    const het__lm_config *config = &s->model->language->config;
    const bool ends = o->layer_first + (int64_t)o->layer_count == config->layers;
    het__limits limits = {
        o->context_max, o->sequence_max, o->batch_max, o->logits_max, config->vocabulary,
        HET__PAGE_SIZE, o->layer_first ? config->width : 0, ends ? 0 : config->width, NULL,
    };
    het__exec *exec = NULL;
    het__recovery_init(&s->recovery, &context->registry, device_mask,
                       o->policy ? &s->policy : NULL);
    het_status st = make_turns(s, o->context_max, &limits.turns, err);
    if (st == HET_OK)
        st = describe(s, o, &limits, err);
    if (st == HET_OK)
        st = het__recovery_create(&s->recovery, &s->request, NULL, &exec, err);
    if (st != HET_OK) {
        het__recovery_gave_up(&s->recovery);
        return st;
    }
    het__recovery_settled(&s->recovery, exec);
    st = het__engine_init(&s->engine, &context->mem, exec, &limits, err);
    if (st != HET_OK)
        return st;
    s->request.progress = ask_cancel;
    s->request.progress_user = s;
    het__engine_recover(&s->engine, &s->recovery, &s->request, borrow_plans, s);
    borrow_plans(s);
    return HET_OK;
}

/* What a policy says about devices and threads. */
static het_status obey(const het__policy *policy, const het__registry *registry, uint32_t *mask,
                       uint32_t *threads, het_error *err)
{
    het__machine machine = { .device_count = 0 };
    het__policy_view view;
    for (uint32_t i = 0; i < registry->count; i++) {
        const het_device_info *info = &registry->device[i].info;
        het_device_figures figures;
        het__machine_assume(info, 0, &figures);
        if (!(*mask >> i & 1))
            het__machine_leave_out(&machine, info);
        else if (!het__machine_add(&machine, info, &figures))
            return het__fail(err, HET_E_UNSUPPORTED, "more devices than a plan can hold");
    }
    het_status s = het__policy_bind(policy, &machine, policy->mem, &view, err);
    if (s != HET_OK)
        return s;
    for (uint32_t d = 0; d < machine.device_count; d++) {
        const uint32_t most = het__policy_threads(&view, d);
        if (!(view.enabled >> d & 1))
            *mask &= ~(UINT32_C(1) << machine.device[d].context_index);
        else if (most && (!*threads || most < *threads))
            *threads = most;
    }
    het__policy_view_finish(&view);
    return HET_OK;
}

/* A copy, so that the caller may change or destroy the policy: its text is all that it says, but
 * for the lines of the file that it came from, which messages name. */
static het_status copy_policy(het_session *s, const het_policy *policy, het_error *err)
{
    const het_status st = het__policy_read(policy->text, strlen(policy->text), "policy",
                                           &s->model->context->mem, &s->policy, err);
    for (uint32_t i = 0; st == HET_OK && i < s->policy.rule_count; i++)
        s->policy.rules[i].line = policy->policy.rules[i].line;
    return st;
}

static het_status fill_session(het_session *s, het_session_options *o, het_error *err)
{
    const het__registry *registry = &s->model->context->registry;
    uint32_t mask, limit = 0;
    het_status st = het__registry_select(registry, o->devices, &mask, err);
    if (st == HET_OK && o->policy)
        st = copy_policy(s, o->policy, err);
    if (st == HET_OK && o->policy)
        st = obey(&s->policy, registry, &mask, &limit, err);
    if (st != HET_OK)
        return st;
    if (o->threads == 0)
        o->threads = het__cpus_default();
    else
        limit = 0; /* said by the caller */
    if (limit && limit < o->threads)
        o->threads = limit;
    return s->model->network ? het__network_session_open(s, o, mask, err)
                             : open_language(s, o, mask, err);
}

het_status het_session_create(const het_model *model, const het_session_options *options,
                              het_session **session, het_error *err)
{
    het_session_options o;
    HET_REQUIRE(session != NULL, err);
    *session = NULL;
    HET_REQUIRE(model != NULL, err);
    if (!model->is_whole)
        return het__fail(err, HET_E_INVALID, "the model was loaded without its graph");
    if (model->language && model->language->is_outline)
        return het__fail(err, HET_E_INVALID,
                         "the model is a configuration without weights: it can be inspected and "
                         "planned, not run");
    het_status st = check_options(model, options, &o, err);
    if (st != HET_OK)
        return st;
    het_session *s = het__alloc_zero(&model->context->mem, 1, sizeof *s);
    if (!s)
        return het__fail_nomem(err, "a session");
    atomic_init(&s->refs, 1);
    s->model = (het_model *)(uintptr_t)model;
    het__model_retain(s->model);
    st = fill_session(s, &o, err);
    if (st != HET_OK) {
        het__session_release(s);
        return st;
    }
    *session = s;
    return HET_OK;
}

/* ---- use ---- */

het_status het_session_step(het_session *session, uint64_t *pending_count, het_error *err)
{
    HET_REQUIRE(session != NULL, err);
    het_status s = het__need_language(session, "het_session_step", err);
    if (s == HET_OK)
        s = het__engine_step(&session->engine, NULL, err);
    if (s == HET_OK && pending_count)
        *pending_count = (uint64_t)het__engine_pending(&session->engine);
    return s;
}

void het_session_cancel(het_session *session)
{
    atomic_store(session->network ? &session->network->cancel : &session->engine.cancel, 1);
}

het_status het_session_warmup(het_session *session, het_error *err)
{
    HET_REQUIRE(session != NULL, err);
    return session->network ? het__network_warmup(session, err)
                            : het__engine_warmup(&session->engine, err);
}

const het_plan *het_session_plan(const het_session *session, het_phase phase)
{
    const bool is_known = (uint32_t)phase < HET__PHASE_COUNT && session->plans[phase].plan;
    return is_known ? &session->plans[phase] : NULL;
}

void het_session_destroy(het_session *session)
{
    het__session_release(session);
}

static void count_language(const het_session *session, het_telemetry *t)
{
    const het__engine *e = &session->engine;
    het__exec_counters c = { 0 };
    if (e->exec)
        het__exec_counters_get(e->exec, &c);
    const uint64_t page_bytes = e->pages.count ? c.state_bytes / e->pages.count : 0;
    t->sequence_count = e->stream_count;
    t->step_count = e->step_count;
    t->prefill_token_count = e->prefill_tokens;
    t->decode_token_count = e->decode_tokens;
    t->prefill_ns = e->prefill_ns;
    t->decode_ns = e->decode_ns;
    t->weight_bytes = c.weight_bytes;
    t->mapped_bytes = c.mapped_bytes;
    t->kv_bytes = c.state_bytes;
    t->kv_used_bytes = page_bytes * (e->pages.count - e->pages.free_count);
    t->activation_bytes = c.activation_bytes;
    t->staging_bytes = c.staging_bytes;
    t->shared_bytes = c.shared_bytes;
}

static void count_network(const het_session *session, het_telemetry *t)
{
    const het__exec *exec = het__graph_run_exec(session->network->run);
    het__exec_counters c;
    t->step_count = session->network->run_count;
    t->bind_copy_bytes = het__graph_run_copied(session->network->run);
    if (!exec)
        return;
    het__exec_counters_get(exec, &c);
    t->weight_bytes = c.weight_bytes;
    t->mapped_bytes = c.mapped_bytes;
    t->activation_bytes = c.activation_bytes;
    t->staging_bytes = c.staging_bytes;
    t->shared_bytes = c.shared_bytes;
}

static const het__recovery *recovery_of(const het_session *session)
{
    return session->network ? het__graph_run_recovery(session->network->run)
                            : &session->recovery;
}

het_status het_telemetry_snapshot(const het_session *session, het_telemetry *telemetry)
{
    het_telemetry out = { .struct_size = sizeof out };
    const het__recovery *recovery = recovery_of(session);
    if (session->network)
        count_network(session, &out);
    else
        count_language(session, &out);
    out.allocation_count = session->model->context->mem.count;
    out.replan_count = recovery->replan_count;
    out.retry_count = recovery->retry_count;
    return het__result_write(telemetry, &out, sizeof out);
}

het_status het_session_device_health(const het_session *session, uint32_t device_index,
                                     het_device_health *health)
{
    het_device_health out;
    if (!session || !health || device_index >= session->model->context->registry.count)
        return HET_E_INVALID;
    het__recovery_health(recovery_of(session), device_index, &out);
    return het__result_write(health, &out, sizeof out);
}

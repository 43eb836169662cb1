/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer bench: tokens per second, next to what the machine could do in the same minute.
 *
 * pp N reads N tokens into an empty sequence; tg N adds N tokens one by one at a given depth. Each
 * is run once unmeasured. Right before and after, the device is measured: its read bandwidth is the
 * limit of tg (every token reads the weights once, and the keys and values so far), its peak rate
 * of products that of pp. The better of the two measurements counts, so a share is never flattered
 * by a slow minute.
 */
#include "bench.h"
#include "commands.h"
#include "interrupt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_tokens(bench *b, int64_t count)
{
    het_error err = HET_ERROR_INIT;
    het_status status = HET_OK;
    for (int64_t i = 0; !status && i < count; i++) {
        b->random = b->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const int32_t id = (int32_t)((b->random >> 33) %
                                     (uint64_t)b->engine->info.vocabulary_size);
        status = het_sequence_append(b->sequence, &id, 1, 0, &err);
    }
    uint64_t pending = 0;
    do {
        if (!status)
            status = het_session_step(b->engine->session, &pending, &err);
    } while (!status && pending > 0);
    return status ? failure_of(status, &err) : STATUS_GO;
}

static int cut(bench *b, int64_t length)
{
    het_error err = HET_ERROR_INIT;
    const het_status status = het_sequence_truncate(b->sequence, length, &err);
    return status ? failure_of(status, &err) : STATUS_GO;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarise(series *s)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < s->count; i++)
        sum += s->samples[i];
    s->mean = sum / (double)s->count;
    for (size_t i = 0; i < s->count; i++)
        squares += (s->samples[i] - s->mean) * (s->samples[i] - s->mean);
    s->deviation = s->count > 1 ? sqrt(squares / (double)(s->count - 1)) : 0.0;
    double sorted[REPEAT_MAX];
    memcpy(sorted, s->samples, s->count * sizeof sorted[0]);
    qsort(sorted, s->count, sizeof sorted[0], compare);
    s->median = (sorted[(s->count - 1) / 2] + sorted[s->count / 2]) / 2.0;
}

/* One prompt of n tokens, or n tokens one by one. */
static int run_once(bench *b, int64_t n, bool one_by_one, double *seconds)
{
    const double start = now_s();
    int status = STATUS_GO;
    if (!one_by_one)
        status = add_tokens(b, n);
    for (int64_t i = 0; one_by_one && status == STATUS_GO && i < n; i++)
        status = add_tokens(b, 1);
    *seconds = now_s() - start;
    return status;
}

static int run_series(bench *b, series *s, int64_t n, bool one_by_one)
{
    const int64_t depth = one_by_one ? b->request->depth : 0;
    int status = cut(b, 0);
    if (status == STATUS_GO && depth)
        status = add_tokens(b, depth);
    for (int64_t i = -1; status == STATUS_GO && i < b->request->repeat; i++) {
        double seconds = 0.0;
        status = run_once(b, n, one_by_one, &seconds);
        if (status == STATUS_GO)
            status = cut(b, depth);
        if (i >= 0)
            s->samples[s->count++] = (double)n / fmax(seconds, 1e-9);
    }
    if (status != STATUS_GO)
        return status;
    if (depth)
        snprintf(s->name, sizeof s->name, "tg%lld @ %lld", (long long)n, (long long)depth);
    else
        snprintf(s->name, sizeof s->name, "%s%lld", one_by_one ? "tg" : "pp", (long long)n);
    summarise(s);
    return STATUS_GO;
}

/* Work of one step as the planner counts it, and the device that reads most of its weights. */
static int count_step(bench *b, het_phase phase, int64_t tokens, int64_t context,
                      het_plan_info *info)
{
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    o.phase = (uint32_t)phase;
    o.token_count = tokens;
    o.context_count = context;
    o.devices = b->engine->selected;
    o.threads = (uint32_t)b->request->settings.threads;
    het_plan *plan = NULL;
    het_error err = HET_ERROR_INIT;
    het_status status = het_plan_make(b->engine->model, &o, &plan, &err);
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    if (!status)
        status = het_plan_get_info(plan, info);
    double most = -1.0;
    for (uint32_t i = 0; !status && i < info->layer_count; i++) {
        het_plan_layer l = { .struct_size = sizeof l };
        status = het_plan_layer_at(plan, i, &l);
        if (!status && l.weight_bytes > most) {
            most = l.weight_bytes;
            b->device = l.device;
        }
    }
    het_plan_destroy(plan);
    return status ? failure_of(status, &err) : STATUS_GO;
}

static int count_work(bench *b)
{
    const bench_request *r = b->request;
    const int64_t batch = r->settings.batch ? r->settings.batch : 512;
    het_plan_info info;
    int status = STATUS_GO;
    for (int64_t at = 0; status == STATUS_GO && at < r->prompt; at += batch) {
        const int64_t n = r->prompt - at < batch ? r->prompt - at : batch;
        status = count_step(b, HET_PHASE_PREFILL, n, at, &info);
        b->prompt_flops += info.flop_count;
    }
    if (status != STATUS_GO)
        return status;
    const int64_t context = r->depth + r->generate / 2;
    status = count_step(b, HET_PHASE_DECODE, 1, context, &info);
    const double share = r->settings.kv == 2 ? 34.0 / 64 : r->settings.kv == 1 ? 2 : 1;
    const double kv = (double)b->engine->info.kv_bytes_per_token * share;
    b->token_bytes = info.weight_bytes + kv * (double)context;
    return status;
}

static void measure(const bench *b, het_device_figures *figures)
{
    const het_device *device = het_context_device(b->engine->context, b->device);
    memset(figures, 0, sizeof *figures);
    figures->struct_size = sizeof *figures;
    het_error err = HET_ERROR_INIT;
    if (het_device_measure(device, (uint32_t)b->request->settings.threads, figures, &err))
        figures->source = HET_SOURCE_UNAVAILABLE;
}

/* Type of products that most of the weights allow: 0 f32, 1 bf16, 2 int8. */
static int product_type(const engine *e, const bench_request *r)
{
    double bytes[3] = { 0 };
    for (size_t i = 0; i < het_model_weight_count(e->model); i++) {
        het_weight w = { .struct_size = sizeof w };
        if (het_model_weight_at(e->model, i, &w))
            break;
        bytes[w.desc.dtype >= HET_DTYPE_Q4_0 ? 2 : w.desc.dtype == HET_DTYPE_BF16] +=
            (double)w.size_bytes;
    }
    if (r->settings.precision == HET_PRECISION_EXACT)
        return 0;
    return bytes[2] >= bytes[0] + bytes[1] ? 2 : bytes[1] >= bytes[0] + bytes[2] ? 1 : 0;
}

static void find_limits(bench *b)
{
    const double bandwidth = fmax(b->before.read_bytes_per_s, b->after.read_bytes_per_s);
    const double peak[3] = { fmax(b->before.f32_ops_per_s, b->after.f32_ops_per_s),
                             fmax(b->before.bf16_ops_per_s, b->after.bf16_ops_per_s),
                             fmax(b->before.int8_ops_per_s, b->after.int8_ops_per_s) };
    static const char *const names[3] = { "f32 peak", "bf16 peak", "int8 peak" };
    int type = product_type(b->engine, b->request);
    type = peak[type] > 0 ? type : 0;
    b->prompt.bound = names[type];
    b->generate.bound = "read bandwidth";
    if (b->prompt_flops > 0)
        b->prompt.limit = peak[type] * (double)b->request->prompt / b->prompt_flops;
    if (b->token_bytes > 0)
        b->generate.limit = bandwidth / b->token_bytes;
}

static int run_all(bench *b)
{
    const bench_request *r = b->request;
    het_error err = HET_ERROR_INIT;
    const het_status made = het_sequence_create(b->engine->session, &b->sequence, &err);
    if (made)
        return failure_of(made, &err);
    int status = count_work(b);
    if (status == STATUS_GO)
        measure(b, &b->before);
    if (status == STATUS_GO && r->prompt)
        status = run_series(b, &b->prompt, r->prompt, false);
    if (status == STATUS_GO && r->generate)
        status = run_series(b, &b->generate, r->generate, true);
    if (status == STATUS_GO)
        measure(b, &b->after);
    find_limits(b);
    het_sequence_destroy(b->sequence);
    return status;
}

/* Defaults that the model has room for, and the context that holds them. */
static int choose_sizes(const engine *e, bench_request *r, het_session_options *o)
{
    const int64_t room = e->info.context_max > 0 ? e->info.context_max : 4096;
    r->prompt = r->prompt >= 0 ? r->prompt : room < 512 ? room : 512;
    r->generate = r->generate >= 0 ? r->generate : room - r->depth < 64 ? room - r->depth : 64;
    const int64_t needed = r->prompt > r->depth + r->generate ? r->prompt
                                                              : r->depth + r->generate;
    if (r->prompt + r->generate <= 0 || r->generate < 0)
        return usage_error("bench", "nothing to measure");
    if (r->settings.context && r->settings.context < needed)
        return usage_error("bench", "--context must be %lld or more", (long long)needed);
    o->context_max = needed > r->settings.context ? needed : r->settings.context;
    return STATUS_GO;
}

int command_bench(int argc, char **argv)
{
    bench_request r = { .prompt = -1, .generate = -1, .repeat = 5 };
    options o;
    options_begin(&o, "bench", "MODEL", "Measure tokens per second, and the machine's limits.");
    options_int(&o, "prompt", 'p', &r.prompt, 0, INT32_MAX, "N", "Tokens of a prompt (512)");
    options_int(&o, "generate", 'n', &r.generate, 0, INT32_MAX, "N", "Tokens one by one (64)");
    options_int(&o, "repeat", 'r', &r.repeat, 1, REPEAT_MAX, "N", "Measurements of each (5)");
    options_int(&o, "depth", 'd', &r.depth, 0, INT32_MAX, "N", "Tokens before -n starts (0)");
    settings_session(&o, &r.settings);
    settings_output(&o, &r.settings);
    const char *path = NULL;
    int status = options_parse(&o, argc, argv, &path);
    if (status != STATUS_GO)
        return status;
    interrupt_begin();
    engine e = { 0 };
    het_session_options session = HET_SESSION_OPTIONS_INIT;
    bench *b = calloc(1, sizeof *b);
    status = b ? engine_model(&e, &r.settings, path, 0) : failure("out of memory");
    if (status == STATUS_GO)
        status = choose_sizes(&e, &r, &session);
    if (status == STATUS_GO)
        status = engine_session(&e, &r.settings, &session);
    if (status == STATUS_GO) {
        *b = (bench){ .engine = &e, .request = &r, .random = 1 };
        status = run_all(b);
        if (status == STATUS_GO)
            status = r.settings.json ? bench_print_json(b) : bench_print_table(b);
    }
    free(b);
    engine_close(&e);
    interrupt_end();
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a benchmark as a table and as JSON. A share is of the median, since one disturbed
 * run should not move it. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

static void print_row(const row *r)
{
    printf("%-24s %10.2f +- %-8.2f %10.2f", r->name, r->mean, r->deviation, r->median);
    if (r->limit > 0)
        printf(" %12.2f %7.1f %%  of %s", r->limit, 100.0 * r->median / r->limit, r->bound);
    putchar('\n');
}

static void print_times(const row *r)
{
    printf("%-24s", r->name);
    if (r->prompt)
        printf(" first token %9.2f ms", r->first_median_s * 1e3);
    if (r->generate)
        printf(" token p50 %9.3f ms, p95 %9.3f ms", r->step_p50_s * 1e3, r->step_p95_s * 1e3);
    if (r->predicted_s > 0)
        printf(", predicted %.3f ms (%+.1f %%)", r->predicted_s * 1e3,
               100.0 * (r->predicted_s / bench_row_seconds(r) - 1.0));
    putchar('\n');
}

/* One sequence with the same work, or NULL. */
static const row *single_of(const bench *b, const row *r)
{
    for (size_t i = 0; r->sequences > 1 && i < b->row_count; i++) {
        const row *s = &b->rows[i];
        if (s->sequences == 1 && s->generate == r->generate && s->depth == r->depth && !s->prompt)
            return s;
    }
    return NULL;
}

static void print_sequences(const bench *b)
{
    for (size_t i = 0; i < b->row_count; i++) {
        const row *r = &b->rows[i], *s = single_of(b, r);
        if (s && s->median > 0)
            printf("%-24s %.2f times one sequence\n", r->name, r->median / s->median);
    }
}

static void print_figures(const char *when, const het_device_figures *f)
{
    if (f->source == HET_SOURCE_UNAVAILABLE)
        printf("%-24s this device cannot be measured\n", when);
    else
        printf("%-24s read %.2f GB/s, f32 %.1f, bf16 %.1f, int8 %.1f GOP/s\n", when,
               f->read_bytes_per_s * 1e-9, f->f32_ops_per_s * 1e-9, f->bf16_ops_per_s * 1e-9,
               f->int8_ops_per_s * 1e-9);
}

static void print_start(const bench *b)
{
    const het_telemetry *t = &b->telemetry;
    char a[32], c[32], d[32], e[32];
    printf("%-24s model open %.3f s, session %.3f s\n", "start", b->engine->open_s,
           b->engine->session_s);
    printf("%-24s peak %s: weights %s, keys and values %s, activations %s\n", "memory",
           format_bytes((double)b->peak_bytes, a), format_bytes((double)t->weight_bytes, c),
           format_bytes((double)t->kv_bytes, d), format_bytes((double)t->activation_bytes, e));
}

/* How unevenly experts were used, over all mixtures: mean and most. False: there is none. */
static bool find_imbalance(const bench *b, double *mean, double *most)
{
    const het_session *session = b->engine->session;
    const uint32_t count = session ? het_session_mixture_count(session) : 0;
    uint32_t told = 0;
    *mean = *most = 0;
    for (uint32_t i = 0; i < count; i++) {
        het_expert_use use = { .struct_size = sizeof use };
        if (het_session_mixture_at(session, i, &use, NULL, 0, NULL) || use.token_count == 0)
            continue;
        *mean += use.imbalance;
        *most = use.imbalance > *most ? use.imbalance : *most;
        told++;
    }
    *mean /= told ? told : 1;
    return told > 0;
}

static het_expert_traffic find_traffic(const bench *b)
{
    het_expert_traffic t = { .struct_size = sizeof t };
    if (!b->engine->session || het_session_expert_traffic(b->engine->session, &t))
        t.slot_count = 0;
    return t;
}

static void print_experts(const bench *b)
{
    double mean, most;
    char a[32], c[32];
    const het_expert_traffic t = find_traffic(b);
    if (find_imbalance(b, &mean, &most))
        printf("%-24s most used / mean of a mixture: %.2f, at most %.2f\n", "experts", mean, most);
    if (t.slot_count)
        printf("%-24s %u in %s: %llu there, %llu brought, %llu ahead, %s\n", "",
               t.slot_count, format_bytes((double)t.slot_bytes, a),
               (unsigned long long)t.hit_count, (unsigned long long)t.miss_count,
               (unsigned long long)t.ahead_count, format_bytes((double)t.staged_bytes, c));
}

static json_t *json_experts(const bench *b)
{
    double mean, most;
    const het_expert_traffic t = find_traffic(b);
    const bool is_known = find_imbalance(b, &mean, &most);
    if (!is_known && !t.slot_count)
        return json_null();
    return json_pack("{s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "imbalance_mean", mean,
                     "imbalance_max", most, "slots", (json_int_t)t.slot_count, "slot_bytes",
                     (json_int_t)t.slot_bytes, "hits", (json_int_t)t.hit_count, "misses",
                     (json_int_t)t.miss_count, "ahead", (json_int_t)t.ahead_count,
                     "staged_bytes", (json_int_t)t.staged_bytes);
}

void bench_print_table(const bench *b)
{
    const het_model_info *m = &b->engine->info;
    char weights[32];
    print_safe(m->name[0] ? m->name : m->architecture, 0);
    printf(", %.2f M parameters, %s\n\n", (double)m->parameter_count * 1e-6,
           format_bytes((double)m->weight_bytes, weights));
    printf("%-24s %22s %10s %12s %9s\n", "test", "tokens/s (mean, sd)", "median", "limit",
           "share");
    for (size_t i = 0; i < b->row_count; i++)
        print_row(&b->rows[i]);
    putchar('\n');
    for (size_t i = 0; i < b->row_count; i++)
        print_times(&b->rows[i]);
    print_sequences(b);
    print_start(b);
    print_experts(b);
    print_figures("machine before", &b->before);
    print_figures("machine after", &b->after);
    if (b->request->steps)
        bench_print_steps(b);
    if (b->request->overhead)
        bench_print_overhead(b);
}

static json_t *known(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

static json_t *json_prediction(const row *r)
{
    const double seconds = bench_row_seconds(r);
    return r->predicted_s > 0
        ? json_pack("{s:f, s:f, s:f}", "predicted_s", r->predicted_s, "measured_s", seconds,
                    "error_percent", 100.0 * (r->predicted_s / seconds - 1.0))
        : json_null();
}

static json_t *json_row(const bench *b, const row *r)
{
    json_t *samples = json_array();
    for (size_t i = 0; i < r->count; i++)
        json_array_append_new(samples, json_real(r->rates[i]));
    char hash[20];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r->ids_hash);
    const int64_t tokens = r->generate ? r->generate : r->prompt;
    json_t *e = json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:o, s:s}", "name", r->name,
                          "tokens", (json_int_t)tokens, "prompt", (json_int_t)r->prompt, "depth",
                          (json_int_t)r->depth, "sequences", (json_int_t)r->sequences, "mean",
                          r->mean, "stddev", r->deviation, "median", r->median, "samples", samples,
                          "ids_hash", hash);
    const row *single = single_of(b, r);
    const double alone = single ? single->median : 0.0;
    json_object_set_new(e, "first_token_s", r->prompt ? known(r->first_median_s) : json_null());
    json_object_set_new(e, "token_p50_s", known(r->step_p50_s));
    json_object_set_new(e, "token_p95_s", known(r->step_p95_s));
    json_object_set_new(e, "times_one_sequence", known(alone > 0 ? r->median / alone : 0.0));
    json_object_set_new(e, "flops", json_real(r->flops));
    json_object_set_new(e, "bytes", json_real(r->bytes));
    json_object_set_new(e, "limit", known(r->limit));
    json_object_set_new(e, "share", known(r->limit > 0 ? r->median / r->limit : 0.0));
    json_object_set_new(e, "bound", r->limit > 0 ? json_string(r->bound) : json_null());
    json_object_set_new(e, "prediction", json_prediction(r));
    return e;
}

static json_t *json_figures(const het_device_figures *f)
{
    return json_pack("{s:s, s:f, s:f, s:f, s:f}", "source", source_name(f->source),
                     "read_bytes_per_s", f->read_bytes_per_s, "f32_ops_per_s", f->f32_ops_per_s,
                     "bf16_ops_per_s", f->bf16_ops_per_s, "int8_ops_per_s", f->int8_ops_per_s);
}

static json_t *json_target(const char *name, const char *unit, double low, double high,
                           double value, const char *label)
{
    json_t *t = json_pack("{s:s, s:s, s:s}", "name", name, "unit", unit, "label",
                          value > 0 ? label : "unavailable");
    json_object_set_new(t, "low", known(low));
    json_object_set_new(t, "high", known(high));
    json_object_set_new(t, "value", known(value));
    return t;
}

static const row *row_named(const bench *b, const char *name)
{
    for (size_t i = 0; i < b->row_count; i++)
        if (strcmp(b->rows[i].name, name) == 0)
            return &b->rows[i];
    return NULL;
}

/* Figures that documents about such machines ask for; see docs/source-numbers.md. */
static json_t *json_targets(const bench *b)
{
    const double dual_channel = 89.6e9; /* bytes per second of DDR5-5600 on two channels */
    const row *first = NULL, *token = NULL;
    for (size_t i = 0; i < b->row_count; i++) {
        const row *r = &b->rows[i];
        if (r->prompt && (!first || r->prompt < first->prompt))
            first = r;
        if (r->generate && r->sequences == 1 && !token)
            token = r;
    }
    const row *pp = row_named(b, "pp512"), *tg = row_named(b, "tg512");
    json_t *list = json_array();
    json_array_append_new(list, json_target("first token of the shortest prompt", "s", 0.05, 0.1,
                                            first ? first->first_median_s : 0, "measured"));
    json_array_append_new(list, json_target("tokens one by one", "tokens/s", 30, 50,
                                            token ? token->median : 0, "measured"));
    json_array_append_new(list, json_target("tokens one by one at 89.6 GB/s at most", "tokens/s",
                                            30, 50, token ? dual_channel / token->bytes : 0,
                                            "modelled"));
    json_array_append_new(list, json_target("pp512", "tokens/s", 0, 0, pp ? pp->median : 0,
                                            "measured"));
    json_array_append_new(list, json_target("tg512", "tokens/s", 0, 0, tg ? tg->median : 0,
                                            "measured"));
    /* What a run on this machine cannot show; 'hetinfer simulate' models the first two. */
    json_array_append_new(list, json_target("gain of a pipeline", "times", 2, 3, 0, ""));
    json_array_append_new(list, json_target("gain of all devices over one", "times", 0, 0, 0, ""));
    json_array_append_new(list, json_target("latency between devices", "s", 0, 0, 0, ""));
    return list;
}

json_t *bench_json(const bench *b)
{
    const het_model_info *m = &b->engine->info;
    const het_telemetry *t = &b->telemetry;
    json_t *root = json_begin("bench"), *tests = json_array();
    json_object_set_new(root, "model",
                        json_pack("{s:s, s:I, s:I}", "architecture", m->architecture,
                                  "parameter_count", (json_int_t)m->parameter_count,
                                  "weight_bytes", (json_int_t)m->weight_bytes));
    for (size_t i = 0; i < b->row_count; i++)
        json_array_append_new(tests, json_row(b, &b->rows[i]));
    json_object_set_new(root, "tests", tests);
    json_object_set_new(root, "targets", json_targets(b));
    json_object_set_new(root, "threads", json_integer(b->request->settings.threads));
    json_object_set_new(root, "open_s", json_real(b->engine->open_s));
    json_object_set_new(root, "session_s", json_real(b->engine->session_s));
    json_object_set_new(root, "load_s", json_real(b->engine->load_s));
    json_object_set_new(root, "peak_memory_bytes", json_integer((json_int_t)b->peak_bytes));
    json_object_set_new(root, "memory",
                        json_pack("{s:I, s:I, s:I, s:I}", "weight_bytes",
                                  (json_int_t)t->weight_bytes, "mapped_bytes",
                                  (json_int_t)t->mapped_bytes, "kv_bytes", (json_int_t)t->kv_bytes,
                                  "activation_bytes", (json_int_t)t->activation_bytes));
    json_object_set_new(root, "experts", json_experts(b));
    json_object_set_new(root, "before", json_figures(&b->before));
    json_object_set_new(root, "after", json_figures(&b->after));
    json_object_set_new(root, "steps", b->request->steps ? bench_json_steps(b) : json_null());
    json_object_set_new(root, "overhead",
                        b->request->overhead ? bench_json_overhead(b) : json_null());
    return root;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Each layer of the session's plans: its time by the plan, and as the session's trace has it.
 *
 * The plans of a session are made for full prompts of --batch tokens and for one token of every
 * sequence, both with nothing before them; such steps are run here, so that like is compared with
 * like. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>

#define PROMPTS 3

static const char *phase_name(het_phase phase)
{
    return phase == HET_PHASE_DECODE ? "decode" : "prefill";
}

/* The layers of a phase's plan, as yet without times. */
static int list_layers(bench *b, het_phase phase)
{
    const het_plan *plan = het_session_plan(b->engine->session, phase);
    het_plan_info info = { .struct_size = sizeof info };
    if (!plan || het_plan_get_info(plan, &info))
        return failure("the session has no plan");
    layer_time *more = realloc(b->layers, (b->layer_count + info.layer_count) * sizeof *more);
    if (!more)
        return failure("out of memory");
    b->layers = more;
    for (uint32_t i = 0; i < info.layer_count; i++) {
        layer_time *l = &b->layers[b->layer_count++];
        *l = (layer_time){ .phase = phase, .index = i,
                           .layer = { .struct_size = sizeof l->layer } };
        if (het_plan_layer_at(plan, i, &l->layer))
            return failure("the plan lacks a layer");
    }
    return STATUS_GO;
}

/* What the step that has just ended took. */
static int take_sample(bench *b, het_phase phase)
{
    for (size_t i = 0; i < b->layer_count; i++) {
        layer_time *l = &b->layers[i];
        het_layer_time time = { .struct_size = sizeof time };
        if (l->phase != phase || l->runs == STEPS_MAX)
            continue;
        if (het_session_layer_time_at(b->engine->session, phase, l->index, &time))
            return failure("no times of layers");
        l->samples[l->runs++] = (double)time.last_ns;
        l->is_device_clock = time.is_device_clock != 0;
    }
    return STATUS_GO;
}

/* The first step of each kind meets cold caches and is not kept. A prompt that the session has no
 * room for is left out. */
static int run_steps(bench *b)
{
    const int64_t given = b->request->settings.batch, batch = given ? given : 512;
    row prompt = { .sequences = 1 }, token = { .sequences = (int64_t)b->sequence_count };
    int status = STATUS_GO;
    for (int i = 0; status == STATUS_GO && i <= PROMPTS && batch <= b->context; i++) {
        status = bench_cut(b, 0);
        if (status == STATUS_GO)
            status = bench_feed(b, &prompt, batch);
        if (status == STATUS_GO && i > 0)
            status = take_sample(b, HET_PHASE_PREFILL);
    }
    if (status == STATUS_GO)
        status = bench_cut(b, 0);
    for (int64_t i = 0; status == STATUS_GO && i <= STEPS_MAX && i < b->context; i++) {
        status = bench_feed(b, &token, 1);
        if (status == STATUS_GO && i > 0)
            status = take_sample(b, HET_PHASE_DECODE);
    }
    return status;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts. */
static double median_of(double *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

int bench_steps(bench *b)
{
    het_error err = HET_ERROR_INIT;
    const bool traced = b->request->settings.trace != NULL;
    if (!traced && het_session_trace_start(b->engine->session, 0, &err))
        return failure_of((het_status)err.status, &err);
    int status = list_layers(b, HET_PHASE_PREFILL);
    if (status == STATUS_GO)
        status = list_layers(b, HET_PHASE_DECODE);
    if (status == STATUS_GO)
        status = run_steps(b);
    for (size_t i = 0; i < b->layer_count; i++)
        b->layers[i].measured_ns = median_of(b->layers[i].samples, b->layers[i].runs);
    if (!traced)
        het_session_trace_stop(b->engine->session);
    return status;
}

/* Middle of the layers' errors without signs, in percent of what was measured; NAN: no layers. */
static double median_error(const bench *b, het_phase phase)
{
    double *errors = calloc(b->layer_count + 1, sizeof *errors), median = (double)NAN;
    size_t count = 0;
    for (size_t i = 0; errors && i < b->layer_count; i++) {
        const layer_time *l = &b->layers[i];
        if (l->phase == phase && l->runs && l->measured_ns > 0)
            errors[count++] = 100 * fabs(l->layer.predicted_ns / l->measured_ns - 1);
    }
    if (count)
        median = median_of(errors, count);
    free(errors);
    return median;
}

static void sum(const bench *b, het_phase phase, double *predicted, double *measured)
{
    *predicted = *measured = 0;
    for (size_t i = 0; i < b->layer_count; i++)
        if (b->layers[i].phase == phase && b->layers[i].runs) {
            *predicted += b->layers[i].layer.predicted_ns;
            *measured += b->layers[i].measured_ns;
        }
}

static void print_phase(const bench *b, het_phase phase)
{
    double predicted, measured;
    sum(b, phase, &predicted, &measured);
    if (!(measured > 0)) {
        printf("%-8s not measured: the session has no room for a whole step\n",
               phase_name(phase));
        return;
    }
    for (size_t i = 0; i < b->layer_count; i++) {
        const layer_time *l = &b->layers[i];
        if (l->phase != phase || !l->runs)
            continue;
        printf("%-8s %-14s %-14s %12.4f ms %12.4f ms %8.3f  %s clock\n", phase_name(phase),
               l->layer.name, l->layer.backend, l->layer.predicted_ns * 1e-6,
               l->measured_ns * 1e-6, l->layer.predicted_ns / fmax(l->measured_ns, 1),
               l->is_device_clock ? "device" : "host");
    }
    printf("%-8s %-14s %-14s %12.4f ms %12.4f ms %8.3f  median error %.1f %%\n",
           phase_name(phase), "all", "", predicted * 1e-6, measured * 1e-6, predicted / measured,
           median_error(b, phase));
}

void bench_print_steps(const bench *b)
{
    const het_plan *plan = het_session_plan(b->engine->session, HET_PHASE_DECODE);
    het_plan_info info = { .struct_size = sizeof info };
    if (!plan || het_plan_get_info(plan, &info))
        return;
    printf("\n%-8s %-14s %-14s %15s %15s %8s  figures %s\n", "step", "layer", "device",
           "predicted", "measured", "ratio", source_name(info.figures_source));
    print_phase(b, HET_PHASE_PREFILL);
    print_phase(b, HET_PHASE_DECODE);
}

static json_t *json_phase(const bench *b, het_phase phase)
{
    double predicted, measured;
    json_t *layers = json_array();
    for (size_t i = 0; i < b->layer_count; i++) {
        const layer_time *l = &b->layers[i];
        if (l->phase == phase)
            json_array_append_new(layers, json_pack(
                "{s:s, s:s, s:I, s:f, s:f, s:s}", "name", l->layer.name, "device",
                l->layer.backend, "runs", (json_int_t)l->runs, "predicted_s",
                l->layer.predicted_ns * 1e-9, "measured_s", l->measured_ns * 1e-9, "clock",
                l->is_device_clock ? "device" : "host"));
    }
    sum(b, phase, &predicted, &measured);
    const double error = median_error(b, phase);
    json_t *p = json_pack("{s:o, s:f, s:f}", "layers", layers, "predicted_s", predicted * 1e-9,
                          "measured_s", measured * 1e-9);
    json_object_set_new(p, "median_error_percent", isnan(error) ? json_null() : json_real(error));
    return p;
}

json_t *bench_json_steps(const bench *b)
{
    return json_pack("{s:o, s:o}", "prefill", json_phase(b, HET_PHASE_PREFILL), "decode",
                     json_phase(b, HET_PHASE_DECODE));
}

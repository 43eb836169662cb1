/* SPDX-License-Identifier: Apache-2.0 */
/* What a step costs beside its kernels: steps of one token for every sequence, each with the time
 * that all devices of the plan worked in it, as the session counts it.
 *
 * Devices that work side by side may have worked longer than the step took: then what is beside
 * their work is less than nothing, and says nothing. */
#include "bench.h"

#include <stdlib.h>

#define WARM_STEPS 4

typedef struct sample {
    double step_s, busy_s, beside; /* beside: of busy_s */
} sample;

/* Seconds that the session's devices have worked so far. */
static int busy_so_far(const bench *b, double *seconds)
{
    const het_session *session = b->engine->session;
    *seconds = 0;
    for (uint32_t i = 0; i < het_telemetry_device_count(session); i++) {
        het_telemetry_device d = { .struct_size = sizeof d };
        if (het_telemetry_device_at(session, i, &d))
            return failure("no counters of devices");
        *seconds += (double)d.busy_ns * 1e-9;
    }
    return STATUS_GO;
}

static int run_step(bench *b, row *r, sample *s)
{
    double before = 0, after = 0;
    int status = busy_so_far(b, &before);
    const double start = now_s();
    if (status == STATUS_GO)
        status = bench_feed(b, r, 1);
    s->step_s = now_s() - start;
    if (status == STATUS_GO)
        status = busy_so_far(b, &after);
    s->busy_s = after - before;
    s->beside = s->busy_s > 0 ? s->step_s / s->busy_s - 1 : 0;
    return status;
}

static int by_step(const void *a, const void *b)
{
    const double x = ((const sample *)a)->step_s, y = ((const sample *)b)->step_s;
    return (x > y) - (x < y);
}

static int by_beside(const void *a, const void *b)
{
    const double x = ((const sample *)a)->beside, y = ((const sample *)b)->beside;
    return (x > y) - (x < y);
}

int bench_overhead(bench *b)
{
    sample samples[OVERHEAD_STEPS];
    row token = { .sequences = (int64_t)b->sequence_count };
    overhead *o = &b->overhead;
    int status = bench_cut(b, 0);
    for (int64_t i = -WARM_STEPS; status == STATUS_GO && o->steps < OVERHEAD_STEPS &&
                                  i + WARM_STEPS < b->context; i++) {
        sample s;
        status = run_step(b, &token, &s);
        if (i >= 0)
            samples[o->steps++] = s;
    }
    if (status != STATUS_GO || o->steps == 0)
        return status;
    qsort(samples, o->steps, sizeof *samples, by_step);
    o->step_s = samples[o->steps / 2].step_s;
    o->busy_s = samples[o->steps / 2].busy_s;
    o->least_step_s = samples[0].step_s;
    o->least_busy_s = samples[0].busy_s;
    qsort(samples, o->steps, sizeof *samples, by_beside);
    o->beside = samples[o->steps / 2].beside;
    return status;
}

void bench_print_overhead(const bench *b)
{
    const overhead *o = &b->overhead;
    const het_plan *plan = het_session_plan(b->engine->session, HET_PHASE_DECODE);
    het_plan_info info = { .struct_size = sizeof info };
    if (!plan || het_plan_get_info(plan, &info) || o->steps == 0) {
        printf("\nbeside kernels           not measured: the session has no room for steps\n");
        return;
    }
    printf("\nbeside kernels           %.2f %% of them (median of %u steps); step %.3f ms, kernels "
           "%.3f ms; least step %.3f ms, kernels %.3f ms\n", 100 * o->beside, o->steps,
           1e3 * o->step_s, 1e3 * o->busy_s, 1e3 * o->least_step_s, 1e3 * o->least_busy_s);
    printf("plan                     %u layers on %u devices, %u copies\n", info.layer_count,
           het_telemetry_device_count(b->engine->session), info.transfer_count);
}

json_t *bench_json_overhead(const bench *b)
{
    const overhead *o = &b->overhead;
    return json_pack("{s:i, s:f, s:f, s:f, s:f, s:f}", "steps", (int)o->steps, "step_s", o->step_s,
                     "kernels_s", o->busy_s, "beside_percent", 100 * o->beside, "least_step_s",
                     o->least_step_s, "least_kernels_s", o->least_busy_s);
}

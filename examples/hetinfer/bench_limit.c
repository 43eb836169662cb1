/* SPDX-License-Identifier: Apache-2.0 */
/* What could be reached, and what the planner expects.
 *
 * A step takes at least as long as its products at the device's peak rate, and at least as long as
 * reading its weights, and the keys and values so far, at its read bandwidth. The longer of the two
 * is the limit; both rates are measured right before and after. */
#include "bench.h"

#include <math.h>
#include <string.h>

static int plan_step(bench *b, het_phase phase, int64_t tokens, int64_t context, bool measured,
                     het_plan_info *info)
{
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    o.phase = (uint32_t)phase;
    o.token_count = tokens;
    o.context_count = context;
    o.devices = b->engine->selected;
    o.threads = (uint32_t)b->request->settings.threads;
    o.measure = measured;
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

/* Totals of what a row's limit is about: its prompt, in steps of --batch, or one step in the middle
 * of its tokens one by one. */
static int plan_row(bench *b, const row *r, bool measured, het_plan_info *sum)
{
    const int64_t given = b->request->settings.batch, batch = given ? given : 512;
    het_plan_info info;
    memset(sum, 0, sizeof *sum);
    if (r->generate)
        return plan_step(b, HET_PHASE_DECODE, r->sequences,
                         r->depth + r->prompt + r->generate / 2, measured, sum);
    for (int64_t at = 0; at < r->prompt; at += batch) {
        const int64_t n = r->prompt - at < batch ? r->prompt - at : batch;
        const int status = plan_step(b, HET_PHASE_PREFILL, n, r->depth + at, measured && at == 0,
                                     &info);
        if (status != STATUS_GO)
            return status;
        sum->flop_count += info.flop_count;
        sum->weight_bytes += info.weight_bytes;
        sum->predicted_ns += info.predicted_ns;
        sum->figures_source = info.figures_source;
    }
    return STATUS_GO;
}

int bench_count_work(bench *b, row *r)
{
    het_plan_info sum;
    const int status = plan_row(b, r, false, &sum);
    /* Relative to halves: --kv f16, f32, and blocks of 32 codes with a scale. */
    static const double share[] = { 1, 2, 34.0 / 64 };
    const double kv = (double)b->engine->info.kv_bytes_per_token * share[b->request->settings.kv];
    const int64_t context = r->depth + (r->generate ? r->prompt + r->generate / 2 : 0);
    r->flops = sum.flop_count;
    r->bytes = sum.weight_bytes + kv * (double)context * (double)r->sequences;
    return status;
}

void bench_note_peak(bench *b)
{
    const uint64_t peak = peak_memory_bytes();
    b->peak_bytes = peak > b->peak_bytes ? peak : b->peak_bytes;
}

int bench_predict(bench *b, row *r)
{
    het_plan_info sum;
    int status = plan_row(b, r, false, &sum);
    if (status == STATUS_GO && sum.figures_source != HET_SOURCE_MEASURED) { /* not calibrated */
        bench_note_peak(b);
        status = plan_row(b, r, true, &sum);
        peak_memory_forget();
    }
    r->predicted_s = sum.predicted_ns * 1e-9;
    return status;
}

double bench_row_seconds(const row *r)
{
    return r->generate ? r->step_p50_s : r->first_median_s;
}

void bench_measure(bench *b, het_device_figures *figures)
{
    bench_note_peak(b);
    const het_device *device = het_context_device(b->engine->context, b->device);
    memset(figures, 0, sizeof *figures);
    figures->struct_size = sizeof *figures;
    het_error err = HET_ERROR_INIT;
    if (het_device_measure(device, (uint32_t)b->request->settings.threads, figures, &err))
        figures->source = HET_SOURCE_UNAVAILABLE;
    peak_memory_forget();
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

void bench_find_limit(const bench *b, row *r, const het_device_figures *before,
                      const het_device_figures *after)
{
    static const char *const names[3] = { "f32 peak", "bf16 peak", "int8 peak" };
    const double bandwidth = fmax(before->read_bytes_per_s, after->read_bytes_per_s);
    const double peak[3] = { fmax(before->f32_ops_per_s, after->f32_ops_per_s),
                             fmax(before->bf16_ops_per_s, after->bf16_ops_per_s),
                             fmax(before->int8_ops_per_s, after->int8_ops_per_s) };
    int type = product_type(b->engine, b->request);
    type = peak[type] > 0 ? type : 0;
    r->bound = names[type];
    if (!(peak[type] > 0) || !(bandwidth > 0))
        return;
    const double computing = r->flops / peak[type], reading = r->bytes / bandwidth;
    if (reading > computing)
        r->bound = "read bandwidth";
    r->limit = (double)((r->generate ? 1 : r->prompt) * r->sequences) /
               fmax(fmax(computing, reading), 1e-12);
}

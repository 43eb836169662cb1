/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of calibration.h. */
#include <math.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/exec/calibrate.h"

static het_status check_options(const het_calibrate_options *options, het_calibrate_options *o,
                                het_error *err)
{
    const het_status s = het__options_read(o, sizeof *o, options, "het_calibrate_options", err);
    if (s != HET_OK)
        return s;
    if (o->flags & ~(HET_CALIBRATE_QUICK | HET_CALIBRATE_DRY_RUN))
        return het__fail(err, HET_E_VERSION, "het_calibrate_options.flags has an unknown flag");
    if (o->threads > HET__THREADS_MAX)
        return het__fail(err, HET_E_INVALID, "het_calibrate_options.threads is %u, not in 1 to %d",
                         o->threads, HET__THREADS_MAX);
    if (o->threads == 0)
        o->threads = het__cpus_default();
    return HET_OK;
}

/* Without a list: what computes for a living. */
static het_status select_devices(const het__registry *registry, const het_calibrate_options *o,
                                 uint32_t *mask, het_error *err)
{
    const het_status s = het__registry_select(registry, o->devices, mask, err);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; !o->devices && i < registry->count; i++) {
        const uint32_t kind = registry->device[i].info.kind;
        if (kind == HET_DEVICE_REFERENCE || kind == HET_DEVICE_SIMULATED)
            *mask &= ~(UINT32_C(1) << i);
    }
    if (!*mask)
        return het__fail(err, HET_E_INVALID, "this context has no device that is worth measuring");
    if (o->path && (*mask & (*mask - 1)))
        return het__fail(err, HET_E_INVALID, "one file for the calibrations of several devices");
    return HET_OK;
}

/* ---- the report ---- */

static double rate_of(double ceiling, double log_factor)
{
    return ceiling / exp(log_factor);
}

static void report_class(const het__calibration *c, uint32_t k, het_calibration_class *out)
{
    const het__calibration_rate *r = &c->rates[k];
    *out = (het_calibration_class){
        .struct_size = sizeof *out, .sample_count = r->sample_count,
        .name = het__work_class_name(k),
        .launch_ns = c->launch_ns * exp(r->log_factor[HET__TERM_LAUNCH]),
        .ops_per_s = rate_of(c->peak[HET__PEAK_F32], r->log_factor[HET__TERM_COMPUTE]),
        .read_bytes_per_s = rate_of(c->bandwidth, r->log_factor[HET__TERM_INPUT]),
        .write_bytes_per_s = rate_of(c->bandwidth, r->log_factor[HET__TERM_OUTPUT]),
        .weight_bytes_per_s = rate_of(c->bandwidth, r->log_factor[HET__TERM_WEIGHT]),
    };
}

static het_status report(het_calibration *all, const het__calibration *c, uint32_t device,
                         bool is_measured, het_error *err)
{
    const uint32_t at = all->device_count;
    all->device[at].text = het__calibration_write(c, &all->context->mem);
    if (!all->device[at].text)
        return het__fail_nomem(err, "a calibration");
    all->device[at].info = (het_calibration_device){
        .struct_size = sizeof(het_calibration_device), .device = device, .threads = c->threads,
        .sample_count = c->sample_count, .class_count = HET__WORK_CLASS_COUNT,
        .figures_source = is_measured ? HET_SOURCE_MEASURED : HET_SOURCE_ASSUMED,
        .read_bytes_per_s = c->bandwidth, .f32_ops_per_s = c->peak[HET__PEAK_F32],
        .bf16_ops_per_s = c->peak[HET__PEAK_BF16], .int8_ops_per_s = c->peak[HET__PEAK_INT8],
        .launch_ns = c->launch_ns, .copy_bytes_per_s = c->copy_bandwidth, .copy_ns = c->copy_ns,
        .residual = c->residual,
    };
    for (uint32_t k = 0; k < HET__WORK_CLASS_COUNT; k++)
        report_class(c, k, &all->device[at].classes[k]);
    all->device_count++;
    return HET_OK;
}

/* ---- measuring ---- */

static het_status measure_one(het_calibration *all, const het_calibrate_options *o, uint32_t device,
                              double from, double to, het_error *err)
{
    het_context *context = all->context;
    const het__registry *registry = &context->registry;
    const het__calibrate_request request = {
        .registry = registry, .device = device, .threads = o->threads,
        .quick = (o->flags & HET_CALIBRATE_QUICK) != 0, .progress = o->progress,
        .progress_user = o->progress_user, .from = from, .to = to,
    };
    het__calibration c;
    het_status s = het__calibrate(&request, &c, err);
    if (s != HET_OK)
        return s;
    s = report(all, &c, device, registry->device[device].backend->measure != NULL, err);
    if (s == HET_OK && !(o->flags & HET_CALIBRATE_DRY_RUN))
        s = het__calibrations_keep(&context->calibrations, &registry->device[device].info, &c,
                                   o->path, err);
    het__calibration_finish(&c);
    return s;
}

static het_status measure_all(het_calibration *all, const het_calibrate_options *o, uint32_t mask,
                              het_error *err)
{
    const double count = __builtin_popcount(mask);
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < all->context->registry.count; i++)
        if (mask >> i & 1)
            s = measure_one(all, o, i, all->device_count / count, (all->device_count + 1) / count,
                            err);
    return s;
}

het_status het_calibrate(het_context *context, const het_calibrate_options *options,
                         het_calibration **calibration, het_error *err)
{
    het_calibrate_options o;
    uint32_t mask = 0;
    if (calibration)
        *calibration = NULL;
    HET_REQUIRE(context != NULL, err);
    het_status s = check_options(options, &o, err);
    if (s == HET_OK)
        s = select_devices(&context->registry, &o, &mask, err);
    if (s != HET_OK)
        return s;
    het_calibration *all = het__alloc_zero(&context->mem, 1, sizeof *all);
    if (!all)
        return het__fail_nomem(err, "a calibration");
    all->context = context;
    het__context_retain(context);
    s = measure_all(all, &o, mask, err);
    if (s == HET_OK && calibration)
        *calibration = all;
    else
        het_calibration_destroy(all);
    return s;
}

/* ---- reading the report ---- */

uint32_t het_calibration_device_count(const het_calibration *calibration)
{
    return calibration->device_count;
}

het_status het_calibration_device_at(const het_calibration *calibration, uint32_t index,
                                     het_calibration_device *device)
{
    if (index >= calibration->device_count)
        return HET_E_INVALID;
    return het__result_write(device, &calibration->device[index].info, sizeof *device);
}

het_status het_calibration_class_at(const het_calibration *calibration, uint32_t index,
                                    uint32_t work_class, het_calibration_class *result)
{
    if (index >= calibration->device_count || work_class >= HET__WORK_CLASS_COUNT)
        return HET_E_INVALID;
    return het__result_write(result, &calibration->device[index].classes[work_class],
                             sizeof *result);
}

const char *het_calibration_text(const het_calibration *calibration, uint32_t index)
{
    return index < calibration->device_count ? calibration->device[index].text : NULL;
}

void het_calibration_destroy(het_calibration *calibration)
{
    if (!calibration)
        return;
    het_context *context = calibration->context;
    for (uint32_t i = 0; i < calibration->device_count; i++)
        het__free(&context->mem, calibration->device[i].text);
    het__free(&context->mem, calibration);
    het__context_release(context);
}

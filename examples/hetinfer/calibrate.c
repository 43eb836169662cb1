/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer calibrate: measure the devices, so that plans say how long things take. */
#include "commands.h"
#include "common.h"

#include <stdio.h>
#include <string.h>

typedef struct request {
    bool quick, dry_run;
    const char *output;
    settings settings;
} request;

static int device_at(const het_calibration *c, uint32_t index, het_calibration_device *device)
{
    memset(device, 0, sizeof *device);
    device->struct_size = sizeof *device;
    const het_status status = het_calibration_device_at(c, index, device);
    return status ? failure("%s", het_status_name(status)) : STATUS_GO;
}

static int class_at(const het_calibration *c, uint32_t index, uint32_t k,
                    het_calibration_class *result)
{
    memset(result, 0, sizeof *result);
    result->struct_size = sizeof *result;
    const het_status status = het_calibration_class_at(c, index, k, result);
    return status ? failure("%s", het_status_name(status)) : STATUS_GO;
}

static int info_of(const engine *e, uint32_t index, het_device_info *info)
{
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    const het_status status = het_device_get_info(het_context_device(e->context, index), info);
    return status ? failure("%s", het_status_name(status)) : STATUS_GO;
}

/* ---- table ---- */

static void print_ceilings(const het_calibration_device *d)
{
    printf("     read %.2f GB/s   f32 %.1f GOP/s", d->read_bytes_per_s * 1e-9,
           d->f32_ops_per_s * 1e-9);
    if (d->bf16_ops_per_s > 0)
        printf("   bf16 %.1f GOP/s", d->bf16_ops_per_s * 1e-9);
    if (d->int8_ops_per_s > 0)
        printf("   int8 %.1f GOP/s", d->int8_ops_per_s * 1e-9);
    printf("   launch %.1f us   copy %.2f GB/s (%s)\n", d->launch_ns * 1e-3,
           d->copy_bytes_per_s * 1e-9, source_name(d->figures_source));
}

static int print_device(const engine *e, const het_calibration *c, uint32_t index)
{
    het_calibration_device d;
    het_device_info info;
    int status = device_at(c, index, &d);
    if (status == STATUS_GO)
        status = info_of(e, d.device, &info);
    if (status != STATUS_GO)
        return status;
    printf("%3u  %-12s ", d.device, info.backend);
    print_safe(info.name, 0);
    printf("\n     %u threads, %u samples, fitted within %.0f %%\n", d.threads, d.sample_count,
           100 * d.residual);
    print_ceilings(&d);
    printf("\n     %-12s %8s %10s %10s %10s %10s %10s\n", "class", "samples", "launch, us",
           "f32 GOP/s", "in GB/s", "out GB/s", "weights");
    for (uint32_t k = 0; k < d.class_count; k++) {
        het_calibration_class r;
        status = class_at(c, index, k, &r);
        if (status != STATUS_GO)
            return status;
        printf("     %-12s %8u %10.2f %10.1f %10.2f %10.2f %10.2f\n", r.name, r.sample_count,
               r.launch_ns * 1e-3, r.ops_per_s * 1e-9, r.read_bytes_per_s * 1e-9,
               r.write_bytes_per_s * 1e-9, r.weight_bytes_per_s * 1e-9);
    }
    return STATUS_GO;
}

static int print_table(const engine *e, const het_calibration *c)
{
    for (uint32_t i = 0; i < het_calibration_device_count(c); i++) {
        if (i > 0)
            putchar('\n');
        const int status = print_device(e, c, i);
        if (status != STATUS_GO)
            return status;
    }
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

/* ---- JSON ---- */

static json_t *json_class(const het_calibration_class *r)
{
    return json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f}", "name", r->name, "samples",
                     (json_int_t)r->sample_count, "launch_ns", r->launch_ns, "ops_per_s",
                     r->ops_per_s, "read_bytes_per_s", r->read_bytes_per_s, "write_bytes_per_s",
                     r->write_bytes_per_s, "weight_bytes_per_s", r->weight_bytes_per_s);
}

static json_t *json_figures(const het_calibration_device *d)
{
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "source", source_name(d->figures_source),
                     "read_bytes_per_s", d->read_bytes_per_s, "f32_ops_per_s", d->f32_ops_per_s,
                     "bf16_ops_per_s", d->bf16_ops_per_s, "int8_ops_per_s", d->int8_ops_per_s,
                     "launch_ns", d->launch_ns);
}

static int json_device(const engine *e, const het_calibration *c, uint32_t index, json_t *list)
{
    het_calibration_device d;
    het_device_info info;
    int status = device_at(c, index, &d);
    if (status == STATUS_GO)
        status = info_of(e, d.device, &info);
    if (status != STATUS_GO)
        return status;
    json_t *classes = json_array();
    for (uint32_t k = 0; status == STATUS_GO && k < d.class_count; k++) {
        het_calibration_class r;
        status = class_at(c, index, k, &r);
        if (status == STATUS_GO)
            json_array_append_new(classes, json_class(&r));
    }
    json_t *entry = json_pack("{s:I, s:s, s:o, s:I, s:I, s:f, s:o, s:{s:f, s:f}, s:o}", "index",
                              (json_int_t)d.device, "backend", info.backend, "name",
                              json_text(info.name, strlen(info.name)), "threads",
                              (json_int_t)d.threads, "samples", (json_int_t)d.sample_count,
                              "residual", d.residual, "figures", json_figures(&d), "copy",
                              "bytes_per_s", d.copy_bytes_per_s, "ns", d.copy_ns, "classes",
                              classes);
    json_array_append_new(list, entry);
    return status;
}

static int print_json(const engine *e, const het_calibration *c, const request *r)
{
    json_t *root = json_begin("calibrate"), *list = json_array();
    int status = STATUS_GO;
    for (uint32_t i = 0; status == STATUS_GO && i < het_calibration_device_count(c); i++)
        status = json_device(e, c, i, list);
    json_object_set_new(root, "quick", json_boolean(r->quick));
    json_object_set_new(root, "kept", json_boolean(!r->dry_run));
    json_object_set_new(root, "devices", list);
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}

/* ---- command ---- */

static int calibrate(const engine *e, const request *r)
{
    het_calibrate_options o = HET_CALIBRATE_OPTIONS_INIT;
    het_calibration *c = NULL;
    het_error err = HET_ERROR_INIT;
    progress bar;
    o.threads = (uint32_t)r->settings.threads;
    o.devices = r->settings.devices;
    o.path = r->output;
    o.flags = (r->quick ? HET_CALIBRATE_QUICK : 0) | (r->dry_run ? HET_CALIBRATE_DRY_RUN : 0);
    progress_begin(&bar, r->settings.quiet);
    o.progress = progress_update;
    o.progress_user = &bar;
    const het_status made = het_calibrate(e->context, &o, &c, &err);
    progress_end(&bar);
    const int status = made ? failure_of(made, &err)
                       : r->settings.json ? print_json(e, c, r) : print_table(e, c);
    het_calibration_destroy(c);
    return status;
}

int command_calibrate(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "calibrate", NULL, "Measure the devices, so that plans know them.");
    options_flag(&o, "quick", 0, &r.quick, "A fifth of it, in less than ten seconds");
    options_flag(&o, "dry-run", 0, &r.dry_run, "Print what was measured, keep nothing");
    options_text(&o, "output", 'o', &r.output, "FILE", "Write there, not into the cache directory");
    options_int(&o, "threads", 't', &r.settings.threads, 1, 4096, "N", "Threads (one per core)");
    options_text(&o, "devices", 0, &r.settings.devices, "LIST", "Backends, comma-separated (all)");
    settings_output(&o, &r.settings);
    int status = options_parse(&o, argc, argv, NULL);
    if (status == STATUS_GO && r.dry_run && r.output)
        status = usage_error("calibrate", "--dry-run keeps nothing, so there is nothing for -o");
    engine e = { 0 };
    if (status == STATUS_GO)
        status = engine_context(&e, &r.settings);
    if (status == STATUS_GO)
        status = calibrate(&e, &r);
    engine_close(&e);
    return status;
}

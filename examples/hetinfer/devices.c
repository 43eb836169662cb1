/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer devices: what was found in this machine, and why the rest was not. With --machine: what
 * another one has. */
#include "commands.h"
#include "machine_print.h"

#include <stdio.h>
#include <string.h>

typedef struct request {
    bool measure;
    const char *machine; /* a profile or file, or NULL */
    settings settings;
} request;

static int device_info(const het_device *device, het_device_info *info)
{
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    const het_status status = het_device_get_info(device, info);
    return status ? failure("%s", het_status_name(status)) : STATUS_GO;
}

/* figures->source stays HET_SOURCE_UNAVAILABLE for a device that cannot be measured. */
static void measure(const het_device *device, const request *r, het_device_figures *figures)
{
    memset(figures, 0, sizeof *figures);
    figures->struct_size = sizeof *figures;
    het_error err = HET_ERROR_INIT;
    if (het_device_measure(device, (uint32_t)r->settings.threads, figures, &err))
        figures->source = HET_SOURCE_UNAVAILABLE;
}

static void print_figures(const het_device_figures *f)
{
    if (f->source == HET_SOURCE_UNAVAILABLE) {
        puts("     not measurable");
        return;
    }
    printf("     read %.2f GB/s   f32 %.1f GOP/s", f->read_bytes_per_s * 1e-9,
           f->f32_ops_per_s * 1e-9);
    if (f->bf16_ops_per_s > 0)
        printf("   bf16 %.1f GOP/s", f->bf16_ops_per_s * 1e-9);
    if (f->int8_ops_per_s > 0)
        printf("   int8 %.1f GOP/s", f->int8_ops_per_s * 1e-9);
    printf("   launch %.1f us (%s)\n", f->launch_ns * 1e-3, source_name(f->source));
}

static int print_table(const engine *e, const request *r)
{
    for (uint32_t i = 0; i < het_context_device_count(e->context); i++) {
        const het_device *device = het_context_device(e->context, i);
        het_device_info info;
        char memory[32];
        const int status = device_info(device, &info);
        if (status != STATUS_GO)
            return status;
        printf("%3u  %-12s %-10s ", i, info.backend, kind_name(info.kind));
        print_safe(info.name, 0);
        printf("\n     %u units, %s", info.unit_count,
               format_bytes((double)info.memory_bytes, memory));
        printf("%s%s%s%s\n", info.features[0] ? ", " : "", info.features,
               info.driver[0] ? ", " : "", info.driver);
        if (r->measure) {
            het_device_figures figures;
            measure(device, r, &figures);
            print_figures(&figures);
        }
    }
    printf("\n%s\n", het_context_report(e->context));
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static json_t *json_figures(const het_device_figures *f)
{
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "source", source_name(f->source),
                     "read_bytes_per_s", f->read_bytes_per_s, "f32_ops_per_s", f->f32_ops_per_s,
                     "bf16_ops_per_s", f->bf16_ops_per_s, "int8_ops_per_s", f->int8_ops_per_s,
                     "launch_ns", f->launch_ns);
}

static int print_json(const engine *e, const request *r)
{
    json_t *root = json_begin("devices"), *list = json_array();
    int status = STATUS_GO;
    for (uint32_t i = 0; status == STATUS_GO && i < het_context_device_count(e->context); i++) {
        const het_device *device = het_context_device(e->context, i);
        het_device_info info;
        status = device_info(device, &info);
        if (status != STATUS_GO)
            break;
        json_t *entry = json_pack("{s:I, s:s, s:s, s:I, s:I}", "index", (json_int_t)i, "backend",
                                  info.backend, "kind", kind_name(info.kind), "units",
                                  (json_int_t)info.unit_count, "memory_bytes",
                                  (json_int_t)info.memory_bytes);
        json_object_set_new(entry, "name", json_text(info.name, strlen(info.name)));
        json_object_set_new(entry, "features", json_text(info.features, strlen(info.features)));
        json_object_set_new(entry, "driver", json_text(info.driver, strlen(info.driver)));
        if (r->measure) {
            het_device_figures figures;
            measure(device, r, &figures);
            json_object_set_new(entry, "figures", json_figures(&figures));
        }
        json_array_append_new(list, entry);
    }
    const char *report = het_context_report(e->context);
    json_object_set_new(root, "devices", list);
    json_object_set_new(root, "report", json_text(report, strlen(report)));
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}

int command_devices(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "devices", NULL, "Print the devices of this machine, and what is missing.");
    options_flag(&o, "measure", 'm', &r.measure, "Measure each (half a second)");
    options_int(&o, "threads", 't', &r.settings.threads, 1, 4096, "N", "Threads to measure with");
    options_text(&o, "devices", 0, &r.settings.devices, "LIST", "Backends, comma-separated (all)");
    options_text(&o, "machine", 0, &r.machine, "NAME|FILE",
                 "A profile or a machine file instead of this machine");
    settings_output(&o, &r.settings);
    int status = options_parse(&o, argc, argv, NULL);
    r.machine = machine_name(r.machine);
    if (status == STATUS_GO && r.machine && (r.measure || r.settings.threads))
        status = usage_error("devices", "--machine is not this machine: it cannot be measured");
    engine e = { 0 };
    if (status == STATUS_GO)
        status = engine_context(&e, &r.settings);
    if (status == STATUS_GO && r.machine)
        status = show_machine(e.context, r.machine, r.settings.json);
    else if (status == STATUS_GO)
        status = r.settings.json ? print_json(&e, &r) : print_table(&e, &r);
    engine_close(&e);
    return status;
}

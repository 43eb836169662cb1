/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer machine: the profiles that the library brings, one of them or a machine file as a table,
 * and the present machine as a file. */
#include "commands.h"
#include "machine_print.h"

#include <stdio.h>
#include <string.h>

typedef struct request {
    bool measure, text;
    const char *file;
    settings settings;
} request;

/* ---- list ---- */

static int list_json(const het_context *context)
{
    json_t *root = json_begin("machines"), *list = json_array();
    for (uint32_t i = 0; i < het_machine_profile_count(); i++) {
        het_machine *machine = NULL;
        het_error err = HET_ERROR_INIT;
        het_machine_info info = { .struct_size = sizeof info };
        het_status status = het_machine_load(context, het_machine_profile_name(i), &machine, &err);
        if (!status)
            status = het_machine_get_info(machine, &info);
        if (!status)
            json_array_append_new(
                list, json_pack("{s:s, s:o, s:I}", "profile", het_machine_profile_name(i), "name",
                                json_text(info.name, strlen(info.name)), "device_count",
                                (json_int_t)info.device_count));
        het_machine_destroy(machine);
        if (status) {
            json_decref(list);
            json_decref(root);
            return failure_of(status, &err);
        }
    }
    json_object_set_new(root, "machines", list);
    return json_end(root);
}

static int list_text(const het_context *context)
{
    for (uint32_t i = 0; i < het_machine_profile_count(); i++) {
        het_machine *machine = NULL;
        het_error err = HET_ERROR_INIT;
        het_machine_info info = { .struct_size = sizeof info };
        het_status status = het_machine_load(context, het_machine_profile_name(i), &machine, &err);
        if (!status)
            status = het_machine_get_info(machine, &info);
        if (!status)
            printf("%-20s %u device%s  %s\n", het_machine_profile_name(i), info.device_count,
                   info.device_count == 1 ? " " : "s", info.name);
        het_machine_destroy(machine);
        if (status)
            return failure_of(status, &err);
    }
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static int machine_list(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "machine list", NULL, "Print the machines that the library knows.");
    settings_output(&o, &r.settings);
    int status = options_parse(&o, argc, argv, NULL);
    engine e = { 0 };
    if (status == STATUS_GO)
        status = engine_context(&e, &r.settings);
    if (status == STATUS_GO)
        status = r.settings.json ? list_json(e.context) : list_text(e.context);
    engine_close(&e);
    return status;
}

/* ---- show ---- */

static int print_text(const het_machine *machine)
{
    fputs(het_machine_text(machine), stdout);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static int show_text(const het_context *context, const char *name)
{
    het_machine *machine = NULL;
    int status = machine_open(context, name, 0, &machine);
    if (status == STATUS_GO)
        status = print_text(machine);
    het_machine_destroy(machine);
    return status;
}

static int machine_show(int argc, char **argv)
{
    request r = { 0 };
    options o;
    const char *name = NULL;
    options_begin(&o, "machine show", "NAME|FILE|this",
                  "Print a profile, a machine file, or this machine.");
    options_flag(&o, "text", 0, &r.text, "As a machine file");
    settings_output(&o, &r.settings);
    int status = options_parse(&o, argc, argv, &name);
    engine e = { 0 };
    if (status == STATUS_GO)
        status = engine_context(&e, &r.settings);
    if (status == STATUS_GO)
        status = r.text ? show_text(e.context, name)
                        : show_machine(e.context, name, r.settings.json);
    engine_close(&e);
    return status;
}

/* ---- record ---- */

static int record(const het_context *context, const request *r)
{
    het_error err = HET_ERROR_INIT;
    het_machine *machine = NULL;
    het_machine_options o = HET_MACHINE_OPTIONS_INIT;
    o.threads = (uint32_t)r->settings.threads;
    o.measure = r->measure;
    het_status status = het_machine_from_context(context, &o, &machine, &err);
    if (!status && r->file)
        status = het_machine_write(machine, r->file, &err);
    int result = status ? failure_of(status, &err) : STATUS_DONE;
    if (!status && r->settings.json)
        result = print_machine(machine, true);
    else if (!status && !r->file)
        result = print_text(machine);
    het_machine_destroy(machine);
    return result;
}

static int machine_record(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "machine record", NULL, "Write this machine as a machine file.");
    options_text(&o, "out", 'o', &r.file, "FILE", "Where to (standard output)");
    options_flag(&o, "measure", 'm', &r.measure, "Measure each device (half a second)");
    options_int(&o, "threads", 't', &r.settings.threads, 1, 1024, "N",
                "Threads that the figures are for (one per core)");
    options_text(&o, "devices", 0, &r.settings.devices, "LIST", "Backends, comma-separated (all)");
    settings_output(&o, &r.settings);
    int status = options_parse(&o, argc, argv, NULL);
    engine e = { 0 };
    if (status == STATUS_GO)
        status = engine_context(&e, &r.settings);
    if (status == STATUS_GO)
        status = record(e.context, &r);
    engine_close(&e);
    return status;
}

/* ---- command ---- */

static void print_usage(FILE *f)
{
    fputs("usage: hetinfer machine list\n"
          "       hetinfer machine show NAME|FILE [option ...]\n"
          "       hetinfer machine record [-o FILE] [option ...]\n\n"
          "Machines as files, with the source of every figure.\n"
          "hetinfer machine list --help, and so on: the options of each.\n", f);
}

int command_machine(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "list") == 0)
        return machine_list(argc - 1, argv + 1);
    if (strcmp(name, "show") == 0)
        return machine_show(argc - 1, argv + 1);
    if (strcmp(name, "record") == 0)
        return machine_record(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_usage(stdout);
        return STATUS_DONE;
    }
    if (argc > 1)
        fprintf(stderr, "hetinfer machine: no command '%s'\n\n", name);
    print_usage(stderr);
    return STATUS_USAGE;
}

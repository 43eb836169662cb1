/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer doctor: what hardware there is, what each backend makes of it, what is missing and what
 * would help, and whether what works computes what it should. Nothing is changed. */
#include "commands.h"
#include "doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct request {
    const char *root, *report;
    bool all, no_run;
    settings settings;
} request;

/* ---- privacy ---- */

/* A path of somebody's: "/home/somebody/x" becomes "~/x". */
static void hide_folder(char *text, const char *folder, bool with_name)
{
    const size_t n = strlen(folder);
    for (char *at = text; n > 1 && (at = strstr(at, folder)) != NULL; at++) {
        const size_t name = with_name ? strcspn(at + n, "/ :,;)'\"") : 0;
        if (!with_name && at[n] && !strchr("/ :,;)'\"", at[n]))
            continue; /* another folder, whose name begins so */
        *at = '~';
        memmove(at + 1, at + n + name, strlen(at + n + name) + 1);
    }
}

void doctor_hide_home(char *text)
{
    const char *home = getenv("HOME");
    if (home && home[0] == '/')
        hide_folder(text, home, false);
    hide_folder(text, "/home/", true);
    hide_folder(text, "/root", false);
}

/* Words that name one piece of hardware and no other. */
static void hide_identity(char *features)
{
    for (char *at; (at = strstr(features, "uuid:")) != NULL;) {
        char *end = at + strcspn(at, " ");
        end += *end == ' ';
        memmove(at, end, strlen(end) + 1);
    }
    for (size_t n = strlen(features); n > 0 && features[n - 1] == ' '; n--)
        features[n - 1] = '\0';
}

/* ---- backends ---- */

/* The line of the context's report that a backend has. */
static void take_reason(const het_context *context, doctor_backend *b)
{
    const size_t n = strlen(b->name);
    for (const char *line = het_context_report(context); *line;) {
        const size_t length = strcspn(line, "\n");
        if (strncmp(line, b->name, n) == 0 && strncmp(line + n, ": ", 2) == 0) {
            snprintf(b->reason, sizeof b->reason, "%.*s", (int)(length - n - 2), line + n + 2);
            doctor_hide_home(b->reason);
            return;
        }
        line += length + (line[length] == '\n');
    }
}

static void take_devices(het_context *context, doctor_backend *b)
{
    for (uint32_t i = 0; i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        if (b->device_count < DOCTOR_DEVICES_MAX &&
            het_device_get_info(het_context_device(context, i), &info) == HET_OK &&
            strcmp(info.backend, b->name) == 0) {
            hide_identity(info.features);
            b->devices[b->device_count++].info = info;
        }
    }
}

/* A design of an NPU is proven when its device is opened, with a product whose result is known. */
static void take_line(void *user, het_log_level level, const char *component, const char *message)
{
    static const char prefix[] = "design refused: ";
    (void)level;
    (void)component;
    if (strncmp(message, prefix, sizeof prefix - 1) == 0)
        doctor_find(user, BROKEN, NEED_NONE, "", "a design cannot be used: %s",
                    message + sizeof prefix - 1);
}

/* Each backend in a context of its own, so that none hides hardware from another. */
static int examine(const doctor *d, doctor_backend *b)
{
    char list[64];
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    snprintf(list, sizeof list, "%s,ref", b->name);
    o.backends = list;
    o.log = take_line;
    o.log_user = b;
    o.log_level = HET_LOG_WARN;
    const het_status status = het_context_create(&o, &context, &err);
    if (status == HET_E_INVALID) { /* an unknown name */
        b->state = NOT_BUILT;
        return STATUS_GO;
    }
    if (status)
        return failure_of(status, &err);
    take_reason(context, b);
    take_devices(context, b);
    b->state = b->device_count ? READY
               : strncmp(b->reason, "its module", 10) == 0 ? NOT_LOADED : NO_DEVICE;
    for (uint32_t i = 0; !d->no_run && i < b->device_count; i++)
        doctor_answer(context, b->name, i, b->device_count == 1, &b->devices[i]);
    het_context_destroy(context);
    return STATUS_GO;
}

static int examine_all(doctor *d)
{
    static const struct { const char *name, *purpose; } backends[DOCTOR_BACKENDS] = {
        { "cpu_onednn", "processors" },
        { "opencl_igpu", "graphics processors through OpenCL" },
        { "intel_l0", "Intel's graphics processors through Level Zero" },
        { "amd_xrt_npu", "AMD's NPUs through XRT" },
    };
    int status = STATUS_GO;
    for (int i = 0; status == STATUS_GO && i < DOCTOR_BACKENDS; i++) {
        doctor_backend *b = &d->backends[i];
        b->name = backends[i].name;
        b->purpose = backends[i].purpose;
        status = examine(d, b);
        if (status == STATUS_GO)
            doctor_check(&d->system, b);
    }
    return status;
}

/* ---- command ---- */

static int write_report(const doctor *d, const char *path)
{
    json_t *root = doctor_report(d);
    const int written = root ? json_dump_file(root, path, JSON_INDENT(2)) : -1;
    json_decref(root);
    return written == 0 ? STATUS_GO : failure("cannot write %s", path);
}

static int give(const doctor *d, const request *r)
{
    int status = r->report ? write_report(d, r->report) : STATUS_GO;
    if (status == STATUS_GO)
        status = r->settings.json ? json_end(doctor_report(d)) : doctor_print(d);
    return status == STATUS_DONE && !doctor_count(d).is_well ? STATUS_FAILED : status;
}

int command_doctor(int argc, char **argv)
{
    request r = { .root = "" };
    options o;
    options_begin(&o, "doctor", NULL,
                  "Say what works here, what is missing, and what would help.");
    options_flag(&o, "all", 0, &r.all, "What would help on every distribution, not on this one");
    options_flag(&o, "no-run", 0, &r.no_run, "Compute nothing");
    options_text(&o, "root", 0, &r.root, "DIR",
                 "Read the files of another machine, recorded there (of this one)");
    options_text(&o, "report", 0, &r.report, "FILE", "Write what --json prints (nowhere)");
    settings_output(&o, &r.settings);
    int status = options_parse(&o, argc, argv, NULL);
    doctor *d = status == STATUS_GO ? calloc(1, sizeof *d) : NULL;
    if (status == STATUS_GO && !d)
        status = failure("out of memory");
    if (status == STATUS_GO) {
        d->all = r.all;
        d->no_run = r.no_run;
        status = doctor_look(&d->system, r.root);
    }
    if (status == STATUS_GO)
        status = examine_all(d);
    if (status == STATUS_GO)
        status = give(d, &r);
    free(d);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor found, for programs and for bug reports: hetinfer.doctor/1. It holds no name of a
 * user or a host, no path of a home folder and no serial number: none of these is looked at, and
 * what drivers say is cleaned of home folders. */
#include "doctor.h"

#include <string.h>

static json_t *text_of(const char *text)
{
    return json_text(text, strlen(text));
}

const char *state_word(backend_state state)
{
    static const char *const words[] = { "ready", "no device", "not loaded", "not in this build" };
    return words[state];
}

/* ---- hardware ---- */

static void put_known(json_t *object, const het_device_state *s, uint64_t what, const char *key,
                      double value)
{
    json_object_set_new(object, key, s->known & what ? json_real(value) : json_null());
}

static void put_bytes(json_t *object, const het_device_state *s, uint64_t what, const char *key,
                      uint64_t value)
{
    json_object_set_new(object, key,
                        s->known & what ? json_integer((json_int_t)value) : json_null());
}

static json_t *report_state(const het_device_state *s)
{
    json_t *o = json_object();
    put_known(o, s, HET_STATE_WATTS, "watts", s->watts);
    put_known(o, s, HET_STATE_CELSIUS, "celsius", s->celsius);
    put_known(o, s, HET_STATE_CELSIUS_MAX, "celsius_max", s->celsius_max);
    put_known(o, s, HET_STATE_MEGAHERTZ, "megahertz", s->megahertz);
    put_known(o, s, HET_STATE_MEGAHERTZ_MAX, "megahertz_max", s->megahertz_max);
    put_known(o, s, HET_STATE_LOAD, "load", s->load);
    put_bytes(o, s, HET_STATE_MEMORY, "memory_bytes", s->memory_bytes);
    put_bytes(o, s, HET_STATE_MEMORY, "memory_used_bytes", s->memory_used_bytes);
    put_bytes(o, s, HET_STATE_SHARED_MEMORY, "shared_bytes", s->shared_bytes);
    put_bytes(o, s, HET_STATE_SHARED_MEMORY, "shared_used_bytes", s->shared_used_bytes);
    put_known(o, s, HET_STATE_TRAFFIC, "traffic_bytes_per_s", s->traffic_bytes_per_s);
    json_object_set_new(o, "denied", json_boolean((s->known & HET_STATE_DENIED) != 0));
    return o;
}

static json_t *report_piece(const piece *p)
{
    static const char *const access[] = { "none", "denied", "allowed" };
    const het_hardware_info *i = &p->info;
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:o, s:o}", "kind",
                     kind_name(i->kind), "physical", i->physical, "name", text_of(i->name),
                     "vendor_id", (json_int_t)i->vendor_id, "device_id", (json_int_t)i->device_id,
                     "revision", (json_int_t)i->revision, "driver", i->driver, "node", i->node,
                     "access", access[i->access < 3 ? i->access : 0], "group", i->group,
                     "firmware", text_of(i->firmware), "state", report_state(&p->state));
}

/* ---- system ---- */

static void put_library(json_t *list, const library *l)
{
    json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", l->name, "installed",
                                          (int)l->is_there, "version", l->version));
}

static json_t *report_system(const doctor_system *s)
{
    json_t *libraries = json_array(), *drivers = json_array(), *tools = json_array();
    put_library(libraries, &s->libraries.opencl);
    put_library(libraries, &s->libraries.clblast);
    put_library(libraries, &s->libraries.ze_loader);
    put_library(libraries, &s->libraries.ze_intel);
    put_library(libraries, &s->libraries.xrt);
    put_library(libraries, &s->libraries.xrt_npu);
    for (uint32_t i = 0; i < s->opencl_driver_count; i++)
        json_array_append_new(drivers, text_of(s->opencl_drivers[i]));
    for (size_t i = 0; i < DOCTOR_TOOLS; i++)
        if (s->has_tool[i])
            json_array_append_new(tools, json_string(doctor_tools[i]));
    return json_pack("{s:o, s:o, s:s, s:o, s:b, s:o, s:o, s:o}", "name", text_of(s->pretty), "id",
                     text_of(s->id), "family", distribution_word(s->distribution), "kernel",
                     text_of(s->kernel), "elsewhere", (int)(s->root[0] != '\0'), "libraries",
                     libraries, "opencl_drivers", drivers, "tools", tools);
}

/* ---- backends ---- */

static json_t *report_advice(const finding *f)
{
    json_t *list = json_array();
    for (int k = 0; f->need != NEED_NONE && k < DISTRIBUTION_COUNT; k++) {
        const distribution d = (distribution)k;
        char command[160];
        need_command(f->need, d, f->name, command, sizeof command);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "distribution",
                                              distribution_word(d), "packages",
                                              need_packages(f->need, d), "command", command,
                                              "note", need_note(f->need, d)));
    }
    return list;
}

static json_t *report_finding(const finding *f)
{
    static const char *const weights[] = { "note", "missing", "broken" };
    return json_pack("{s:s, s:o, s:s, s:s, s:o}", "weight", weights[f->weight], "text",
                     text_of(f->text), "need", need_word(f->need), "name", f->name, "advice",
                     report_advice(f));
}

static json_t *report_test(const known_answer *t)
{
    static const char *const verdicts[] = { "not run", "passed", "failed" };
    return json_pack("{s:s, s:s, s:f, s:f, s:o}", "name", t->name, "result", verdicts[t->verdict],
                     "setup_ms", t->setup_ms, "run_ms", t->run_ms, "message",
                     text_of(t->message));
}

static json_t *report_device(const doctor *d, const doctor_device *device)
{
    const het_device_info *i = &device->info;
    json_t *tests = json_array();
    for (int k = 0; !d->no_run && k < DOCTOR_TESTS; k++)
        json_array_append_new(tests, report_test(&device->tests[k]));
    return json_pack("{s:o, s:s, s:I, s:I, s:o, s:o, s:o}", "name", text_of(i->name), "kind",
                     kind_name(i->kind), "units", (json_int_t)i->unit_count, "memory_bytes",
                     (json_int_t)i->memory_bytes, "driver", text_of(i->driver), "features",
                     text_of(i->features), "tests", tests);
}

static json_t *report_backend(const doctor *d, const doctor_backend *b)
{
    json_t *devices = json_array(), *findings = json_array();
    for (uint32_t i = 0; i < b->device_count; i++)
        json_array_append_new(devices, report_device(d, &b->devices[i]));
    for (uint32_t i = 0; i < b->finding_count; i++)
        json_array_append_new(findings, report_finding(&b->findings[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "name", b->name, "purpose", b->purpose,
                     "state", state_word(b->state), "reason", text_of(b->reason), "devices",
                     devices, "findings", findings);
}

json_t *doctor_report(const doctor *d)
{
    json_t *root = json_begin("doctor"), *hardware = json_array(), *backends = json_array();
    const doctor_totals t = doctor_count(d);
    for (uint32_t i = 0; i < d->system.hardware_count; i++)
        json_array_append_new(hardware, report_piece(&d->system.hardware[i]));
    for (int i = 0; i < DOCTOR_BACKENDS; i++)
        json_array_append_new(backends, report_backend(d, &d->backends[i]));
    json_object_set_new(root, "release", json_string(het_version_string()));
    json_object_set_new(root, "system", report_system(&d->system));
    json_object_set_new(root, "hardware", hardware);
    json_object_set_new(root, "backends", backends);
    json_object_set_new(root, "summary",
                        json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I}", "well", (int)t.is_well,
                                  "ran", (int)!d->no_run, "devices", (json_int_t)t.devices,
                                  "passed", (json_int_t)t.passed, "failed",
                                  (json_int_t)t.failed, "missing", (json_int_t)t.missing,
                                  "broken", (json_int_t)t.broken));
    return root;
}

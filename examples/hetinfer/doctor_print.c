/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor found, for people: at most 100 columns, so that it can be pasted anywhere. */
#include "doctor.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 100
#define TEXT_BYTES 1024

/* ---- lines ---- */

/* Words, broken so that they fit; lines after the first are indented by hang. */
static void print_hanging(unsigned indent, unsigned hang, const char *first, const char *text)
{
    size_t column = indent + strlen(first);
    printf("%*s%s", (int)indent, "", first);
    for (bool begins = true; *text; begins = false) {
        const size_t n = strcspn(text, " ");
        if (!begins && column + 1 + n > COLUMNS) {
            printf("\n%*s", (int)hang, "");
            column = hang;
        } else if (!begins) {
            putchar(' ');
            column++;
        }
        for (size_t i = 0; i < n; i++)
            putchar((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i]);
        column += n;
        text += n + strspn(text + n, " ");
    }
    putchar('\n');
}

static void print_words(unsigned indent, const char *first, const char *text)
{
    print_hanging(indent, indent + 2, first, text);
}

/* Append to a text in a buffer, with a comma between. */
static void add(char *text, size_t bytes, const char *part)
{
    const size_t n = strlen(text);
    if (part[0] && n < bytes)
        snprintf(text + n, bytes - n, "%s%s", n ? ", " : "", part);
}

/* ---- hardware ---- */

static void add_clock(const het_device_state *s, char *text, size_t bytes)
{
    char part[64];
    if (!(s->known & HET_STATE_MEGAHERTZ))
        return;
    snprintf(part, sizeof part, "%.0f", s->megahertz);
    if (s->known & HET_STATE_MEGAHERTZ_MAX)
        snprintf(part, sizeof part, "%.0f of %.0f", s->megahertz, s->megahertz_max);
    strncat(part, " MHz", sizeof part - strlen(part) - 1);
    add(text, bytes, part);
}

static void add_pool(const char *what, uint64_t used, uint64_t all, char *text, size_t bytes)
{
    char part[128], a[32], b[32];
    snprintf(part, sizeof part, "%s of %s %s", format_bytes((double)used, a),
             format_bytes((double)all, b), what);
    add(text, bytes, part);
}

static void describe_state(const het_device_state *s, char *text, size_t bytes)
{
    char part[96];
    text[0] = '\0';
    if (s->known & HET_STATE_CELSIUS) {
        snprintf(part, sizeof part, "%.0f C", s->celsius);
        if (s->known & HET_STATE_CELSIUS_MAX)
            snprintf(part, sizeof part, "%.0f of %.0f C", s->celsius, s->celsius_max);
        add(text, bytes, part);
    }
    if (s->known & HET_STATE_WATTS) {
        snprintf(part, sizeof part, "%.1f W", s->watts);
        add(text, bytes, part);
    }
    add_clock(s, text, bytes);
    if (s->known & HET_STATE_LOAD) {
        snprintf(part, sizeof part, "%.0f %% busy", 100 * s->load);
        add(text, bytes, part);
    }
    if (s->known & HET_STATE_MEMORY)
        add_pool(s->kind == HET_DEVICE_CPU ? "used" : "of its own used", s->memory_used_bytes,
                 s->memory_bytes, text, bytes);
    if (s->known & HET_STATE_SHARED_MEMORY)
        add_pool("shared used", s->shared_used_bytes, s->shared_bytes, text, bytes);
    if (s->known & HET_STATE_DENIED)
        add(text, bytes, "energy: told to the administrator only");
}

static void print_piece(const piece *p)
{
    const het_hardware_info *info = &p->info;
    char text[TEXT_BYTES], part[160], first[40];
    text[0] = '\0';
    add(text, sizeof text, info->name);
    if (info->kind == HET_DEVICE_CPU && info->unit_count) {
        snprintf(part, sizeof part, "%u threads", info->unit_count);
        add(text, sizeof text, part);
    }
    if (info->kind != HET_DEVICE_CPU) {
        snprintf(part, sizeof part, "%s%s", info->driver[0] ? "driver " : "no driver",
                 info->driver);
        add(text, sizeof text, part);
    }
    if (info->node[0]) {
        snprintf(part, sizeof part, "%s%s", info->node,
                 info->access == HET_ACCESS_ALLOWED ? "" :
                 info->access == HET_ACCESS_DENIED ? " (no permission)" : " (missing)");
        add(text, sizeof text, part);
    }
    if (info->firmware[0]) {
        snprintf(part, sizeof part, "firmware %s", info->firmware);
        add(text, sizeof text, part);
    }
    snprintf(first, sizeof first, "%-18s ", info->physical);
    print_hanging(2, 21, first, text);
    describe_state(&p->state, text, sizeof text);
    if (text[0])
        print_hanging(21, 21, "", text);
}

static void print_system(const doctor_system *s)
{
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "hetinfer %s on %s, kernel %s", het_version_string(), s->pretty,
             s->kernel[0] ? s->kernel : "unknown");
    print_words(0, "", text);
    if (s->root[0])
        print_words(0, "", "(files of another machine; backends and tests are this machine's)");
    puts("\nhardware");
    for (uint32_t i = 0; i < s->hardware_count; i++)
        print_piece(&s->hardware[i]);
}

/* ---- libraries ---- */

static void add_library(const library *l, char *text, size_t bytes)
{
    char part[96];
    snprintf(part, sizeof part, "%s%s%s%s", l->name, l->version[0] ? " (" : "", l->version,
             l->version[0] ? ")" : "");
    if (l->is_there)
        add(text, bytes, part);
}

static void print_libraries(const doctor_system *s)
{
    const library *const all[] = { &s->libraries.opencl,   &s->libraries.clblast,
                                   &s->libraries.ze_loader, &s->libraries.ze_intel,
                                   &s->libraries.xrt,      &s->libraries.xrt_npu };
    char text[TEXT_BYTES] = "";
    puts("\nlibraries");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        add_library(all[i], text, sizeof text);
    print_words(2, "installed: ", text[0] ? text : "none of OpenCL, Level Zero or XRT");
    text[0] = '\0';
    for (uint32_t i = 0; i < s->opencl_driver_count; i++)
        add(text, sizeof text, s->opencl_drivers[i]);
    if (text[0])
        print_words(2, "OpenCL drivers: ", text);
    text[0] = '\0';
    for (size_t i = 0; i < DOCTOR_TOOLS; i++)
        if (s->has_tool[i])
            add(text, sizeof text, doctor_tools[i]);
    if (text[0])
        print_words(2, "tools to look further: ", text);
}

/* ---- backends ---- */

static void print_advice_for(const finding *f, distribution d)
{
    char command[160], text[TEXT_BYTES], first[24];
    const char *note = need_note(f->need, d);
    need_command(f->need, d, f->name, command, sizeof command);
    snprintf(text, sizeof text, "%s%s%s%s", command, *command && *note ? "  (" : "", note,
             *command && *note ? ")" : "");
    snprintf(first, sizeof first, "%s: ", distribution_title(d));
    if (text[0])
        print_words(8, first, text);
}

/* A group or a module is the same everywhere. */
static void print_advice(const doctor *d, const finding *f)
{
    const bool all = d->all || d->system.distribution == DISTRIBUTION_COUNT;
    char command[160];
    if (f->need == NEED_GROUP || f->need == NEED_MODULE) {
        need_command(f->need, DEBIAN, f->name, command, sizeof command);
        print_words(8, command, f->need == NEED_GROUP ? ", then log in again" : "");
    } else if (f->need != NEED_NONE) {
        for (int k = 0; k < DISTRIBUTION_COUNT; k++)
            if (all || d->system.distribution == (distribution)k)
                print_advice_for(f, (distribution)k);
    }
}

static void print_test(const known_answer *t)
{
    char text[TEXT_BYTES], first[24];
    snprintf(first, sizeof first, "%s: ", t->name);
    if (t->verdict == PASSED)
        snprintf(text, sizeof text, "right, %.2f ms (ready after %.0f ms)", t->run_ms,
                 t->setup_ms);
    else
        snprintf(text, sizeof text, "%s%s", t->verdict == FAILED ? "WRONG: " : "not run: ",
                 t->message);
    print_words(8, first, text);
}

static void print_device(const doctor *d, const doctor_device *device)
{
    const het_device_info *info = &device->info;
    char text[TEXT_BYTES] = "", part[96];
    add(text, sizeof text, info->name);
    snprintf(part, sizeof part, "%s, %u units", kind_name(info->kind), info->unit_count);
    add(text, sizeof text, part);
    add(text, sizeof text, info->driver);
    add(text, sizeof text, info->features);
    print_words(6, "device: ", text);
    for (int i = 0; !d->no_run && i < DOCTOR_TESTS; i++)
        print_test(&device->tests[i]);
}

static void print_backend(const doctor *d, const doctor_backend *b)
{
    static const char *const marks[] = { "- ", "! ", "!! " };
    char first[32], text[TEXT_BYTES];
    snprintf(first, sizeof first, "%-12s ", b->name);
    snprintf(text, sizeof text, "%s%s%s", state_word(b->state), b->reason[0] ? ": " : "",
             b->reason);
    print_hanging(2, 15, first, text);
    for (uint32_t i = 0; i < b->device_count; i++)
        print_device(d, &b->devices[i]);
    for (uint32_t i = 0; i < b->finding_count; i++) {
        print_words(6, marks[b->findings[i].weight], b->findings[i].text);
        print_advice(d, &b->findings[i]);
    }
}

/* ---- all ---- */

doctor_totals doctor_count(const doctor *d)
{
    doctor_totals t = { 0 };
    bool has_cpu = false;
    for (int i = 0; i < DOCTOR_BACKENDS; i++) {
        const doctor_backend *b = &d->backends[i];
        t.devices += b->device_count;
        has_cpu = has_cpu || (b->device_count && b->devices[0].info.kind == HET_DEVICE_CPU);
        for (uint32_t k = 0; k < b->device_count; k++)
            for (int n = 0; n < DOCTOR_TESTS; n++) {
                t.passed += b->devices[k].tests[n].verdict == PASSED;
                t.failed += b->devices[k].tests[n].verdict == FAILED;
            }
        for (uint32_t k = 0; k < b->finding_count; k++) {
            t.missing += b->findings[k].weight == MISSING;
            t.broken += b->findings[k].weight == BROKEN;
        }
    }
    t.is_well = has_cpu && t.failed == 0 && t.broken == 0;
    return t;
}

int doctor_print(const doctor *d)
{
    char text[TEXT_BYTES];
    const doctor_totals t = doctor_count(d);
    print_system(&d->system);
    print_libraries(&d->system);
    puts("\nbackends");
    for (int i = 0; i < DOCTOR_BACKENDS; i++)
        print_backend(d, &d->backends[i]);
    snprintf(text, sizeof text, "%s: %u device%s ready, %u test%s passed, %u failed, %u thing%s "
             "to put right", t.is_well ? "ok" : "FAILED", t.devices, t.devices == 1 ? "" : "s",
             t.passed, t.passed == 1 ? "" : "s", t.failed, t.missing + t.broken,
             t.missing + t.broken == 1 ? "" : "s");
    putchar('\n');
    print_words(0, "", text);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A timeline as a table for other programs, and as trace events. */
#include "timeline.h"

#include <errno.h>
#include <string.h>

static int finish(FILE *f, const char *path)
{
    const bool failed = ferror(f) != 0;
    return fclose(f) != 0 || failed ? failure("%s: cannot write", path) : STATUS_GO;
}

/* ---- CSV ---- */

static void put_field(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc((unsigned char)*text < 0x20 ? '?' : *text, f);
    }
    fputc('"', f);
}

int timeline_write_csv(const timeline *t, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return failure("%s: %s", path, strerror(errno));
    fputs("event,lane,task,round,sequence,layer,name,operations,begin_ns,end_ns,ready_ns,bytes,"
          "outcome,waited_for,after\n", f);
    for (uint32_t i = 0; i < t->info.event_count; i++) {
        const het_simulation_event *e = &t->events[i];
        fprintf(f, "%u,", i);
        put_field(f, t->lanes[e->lane].name);
        fprintf(f, ",%u,%u,%u,%d,", e->task, e->round, e->sequence, e->layer);
        put_field(f, e->name);
        fputc(',', f);
        put_field(f, e->operations);
        fprintf(f, ",%.3f,%.3f,%.3f,%.0f,%s,%s,", e->begin_ns, e->end_ns, e->ready_ns, e->bytes,
                outcome_name(e->outcome), wait_name(e->wait));
        if (e->after != UINT32_MAX)
            fprintf(f, "%u", e->after);
        fputc('\n', f);
    }
    return finish(f, path);
}

/* ---- trace ---- */

static void put_json(FILE *f, json_t *value)
{
    json_dumpf(value, f, JSON_COMPACT);
    json_decref(value);
}

static void put_name(FILE *f, const char *what, uint32_t lane, const char *name)
{
    put_json(f, json_pack("{s:s, s:s, s:i, s:i, s:{s:o}}", "ph", "M", "name", what, "pid", 1,
                          "tid", (int)lane, "args", "name", json_text(name, strlen(name))));
}

/* Times are microseconds there. */
static void put_event(FILE *f, const het_simulation_event *e)
{
    put_json(f, json_pack(
        "{s:s, s:o, s:s, s:f, s:f, s:i, s:i, s:{s:o, s:I, s:I, s:f, s:s, s:s}}", "ph", "X", "name",
        json_text(e->name, strlen(e->name)), "cat", e->is_transfer ? "transfer" : "work", "ts",
        e->begin_ns * 1e-3, "dur", (e->end_ns - e->begin_ns) * 1e-3, "pid", 1, "tid",
        (int)e->lane, "args", "operations", json_text(e->operations, strlen(e->operations)),
        "round", (json_int_t)e->round, "sequence", (json_int_t)e->sequence, "bytes", e->bytes,
        "outcome", outcome_name(e->outcome), "waited_for", wait_name(e->wait)));
}

static void put_rate(FILE *f, const timeline *t, const het_simulation_rate *r)
{
    char name[64];
    snprintf(name, sizeof name, "%.40s GB/s", t->memories[r->memory].name);
    put_json(f, json_pack("{s:s, s:s, s:f, s:i, s:{s:f}}", "ph", "C", "name", name, "ts",
                          r->at_ns * 1e-3, "pid", 1, "args", "rate", r->bytes_per_s * 1e-9));
}

int timeline_write_trace(const timeline *t, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return failure("%s: %s", path, strerror(errno));
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", f);
    put_name(f, "process_name", 0, "hetinfer simulate");
    for (uint32_t i = 0; i < t->info.lane_count; i++) {
        fputs(",\n", f);
        put_name(f, "thread_name", i, t->lanes[i].name);
    }
    for (uint32_t i = 0; i < t->info.event_count; i++) {
        fputs(",\n", f);
        put_event(f, &t->events[i]);
    }
    for (uint32_t i = 0; i < t->info.rate_count; i++) {
        fputs(",\n", f);
        put_rate(f, t, &t->rates[i]);
    }
    fputs("\n]}\n", f);
    return finish(f, path);
}

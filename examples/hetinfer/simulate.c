/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer simulate: what a plan would do over time, on a machine that need not be there. Runs
 * nothing of the model. */
#include "commands.h"
#include "plan_command.h"
#include "timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_MAX 64
#define EVENTS_PRINTED 200 /* of a table; JSON and CSV have all */

typedef struct request {
    plan_request plan;
    plan_made made;
    int schedule; /* het_schedule */
    int64_t steps, streams, micro_batches, buffers, in_flight, queue, retries;
    double tokens_gb, backoff_ms;
    bool by_node, adaptive, compare;
    texts fail, slow, error;
    const char *fallback, *html, *csv, *trace;
    het_fault faults[3 * FAULTS_MAX];
    uint32_t fault_count, device_count;
} request;

static const char *const schedules[] = { "default", "in_order", "fifo", "bw_aware",
                                         "critical_path" };

/* ---- faults ---- */

static bool is_kind(const char *name, size_t length, uint32_t kind)
{
    static const char *const names[] = { "", "cpu", "igpu", "gpu", "npu" };
    return kind < sizeof names / sizeof names[0] && strlen(names[kind]) == length &&
           strncmp(names[kind], name, length) == 0;
}

/* The device of a number, name, backend or kind, the first that fits. */
static int find_device(const request *r, const char *name, size_t length, uint32_t *device)
{
    char *end = NULL;
    const unsigned long number = strtoul(name, &end, 10);
    for (uint32_t pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < r->device_count; i++) {
            het_plan_device d = { .struct_size = sizeof d };
            if (het_plan_device_at(r->made.plan, i, &d))
                continue;
            const char *text = pass == 0 ? d.name : d.backend;
            *device = i;
            if (pass == 2 ? is_kind(name, length, d.kind)
                          : strlen(text) == length && strncmp(text, name, length) == 0)
                return STATUS_GO;
        }
    if (length && end == name + length && number < r->device_count) {
        *device = (uint32_t)number;
        return STATUS_GO;
    }
    return failure("the machine has no device '%.*s'; see 'hetinfer plan'", (int)length, name);
}

static bool read_number(const char **at, double *value)
{
    char *end = NULL;
    errno = 0;
    *value = strtod(*at, &end);
    const bool ok = end != *at && !errno && *value >= 0 && *value <= 1e12;
    *at = end;
    return ok;
}

/* "DEVICE@MS" with what follows: "" | "[-MS]:FACTOR" | "[:COUNT]". */
static int read_fault(request *r, const char *text, uint32_t kind)
{
    static const char *const forms[] = { "", "--slow wants DEVICE@MS-MS:FACTOR",
                                         "--fail wants DEVICE@MS",
                                         "--error wants DEVICE@TASK:COUNT" };
    const char *at = strrchr(text, '@');
    het_fault f = { .kind = kind, .end_ns = 1e18, .factor = 2, .count = 1 };
    double number = 0, second = 0;
    if (!at)
        return usage_error("simulate", "%s, not '%s'", forms[kind], text);
    const size_t length = (size_t)(at++ - text);
    bool ok = read_number(&at, &number);
    if (kind == HET_FAULT_SLOW) {
        if (ok && *at == '-') {
            at++;
            ok = read_number(&at, &second) && second >= number;
            f.end_ns = second * 1e6;
        }
        ok = ok && *at++ == ':' && read_number(&at, &f.factor) && f.factor >= 1 && f.factor <= 1000;
    } else if (kind == HET_FAULT_ERROR && ok && *at == ':') {
        at++;
        ok = read_number(&at, &second) && second <= 1000;
        f.count = (uint32_t)second;
    }
    if (!ok || *at || (kind == HET_FAULT_ERROR && number > 1e9))
        return usage_error("simulate", "%s, not '%s'", forms[kind], text);
    f.begin_ns = number * 1e6;
    f.index = kind == HET_FAULT_ERROR ? (uint32_t)number : 0;
    const int status = find_device(r, text, length, &f.device);
    if (status == STATUS_GO)
        r->faults[r->fault_count++] = f;
    return status;
}

static int read_faults(request *r)
{
    const struct { const texts *list; uint32_t kind; } all[] = {
        { &r->slow, HET_FAULT_SLOW }, { &r->fail, HET_FAULT_LOSS }, { &r->error, HET_FAULT_ERROR },
    };
    int status = STATUS_GO;
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
        for (size_t i = 0; status == STATUS_GO && i < all[k].list->count; i++)
            status = read_fault(r, all[k].list->at[i], all[k].kind);
    return status;
}

/* ---- simulation ---- */

static int simulate(request *r, uint32_t schedule, het_simulation **simulation)
{
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    uint32_t device = 0;
    if (r->fallback) {
        const int status = find_device(r, r->fallback, strlen(r->fallback), &device);
        if (status != STATUS_GO)
            return status;
        o.fallback = device + 1;
    }
    o.schedule = schedule;
    o.flags = (r->by_node ? HET_SIMULATION_BY_NODE : 0) |
              (r->adaptive ? HET_SIMULATION_ADAPTIVE : 0);
    o.step_count = (uint32_t)r->steps;
    o.sequence_count = (uint32_t)r->streams;
    o.micro_batch_count = (uint32_t)r->micro_batches;
    o.buffer_count = (uint32_t)r->buffers;
    o.round_count_max = (uint32_t)r->in_flight;
    o.queue_count_max = (uint32_t)r->queue;
    o.retry_count_max = (uint32_t)r->retries;
    o.backoff_ns = r->backoff_ms * 1e6;
    o.token_bytes_per_s = r->tokens_gb * 1e9;
    o.policy = r->made.policy;
    o.faults = r->faults;
    o.fault_count = r->fault_count;
    const het_status made = het_simulation_make(r->made.plan, &o, simulation, &err);
    return made ? failure_of(made, &err) : STATUS_GO;
}

/* ---- table ---- */

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void print_lanes(const timeline *t)
{
    const double whole = t->info.makespan_ns;
    printf("%-28s %6s %12s %7s %7s %9s %7s %7s\n", "lane", "tasks", "busy, ms", "busy",
           "contend", "throttled", "idle", "lost");
    for (uint32_t i = 0; i < t->info.lane_count; i++) {
        const het_simulation_lane *l = &t->lanes[i];
        print_safe(l->name, 28);
        printf(" %6u %12.4f %5.1f %% %5.1f %% %7.1f %% %5.1f %% %5.1f %%\n", l->task_count,
               l->busy_ns * 1e-6, share(l->busy_ns, whole), share(l->contended_ns, whole),
               share(l->throttled_ns, whole), share(l->idle_ns, whole), share(l->lost_ns, whole));
    }
    for (uint32_t i = 0; i < t->info.memory_count; i++) {
        const het_simulation_memory *m = &t->memories[i];
        if (m->bytes <= 0)
            continue;
        fputs("memory ", stdout);
        print_safe(m->name, 0);
        printf(": %.2f MB, mean %.2f, peak %.2f of %.2f GB/s, saturated %.1f %%\n",
               m->bytes * 1e-6, whole > 0 ? m->bytes / whole : 0, m->peak_bytes_per_s * 1e-9,
               m->bytes_per_s * 1e-9, share(m->saturated_ns, whole));
    }
}

static void print_totals(const timeline *t, const request *r)
{
    const het_simulation_info *i = &t->info;
    double idle = 0;
    for (int k = 0; k < WAIT_CAUSES; k++)
        idle += t->waited[k];
    printf("\n%u rounds in %.4f ms; one alone %.4f ms; ", i->round_count, i->makespan_ns * 1e-6,
           i->round_ns * 1e-6);
    if (i->bound_ns > 0)
        printf("bound %.4f ms; ", i->bound_ns * 1e-6);
    printf("%.2f per second\n", i->makespan_ns > 0 ? i->token_count / i->makespan_ns * 1e9 : 0);
    if (i->joules > 0)
        printf("%.4f J, %.4f J each\n", i->joules,
               i->token_count > 0 ? i->joules / i->token_count : 0);
    if (i->held_ns > 0)
        printf("a full queue held back the others for %.4f ms\n", i->held_ns * 1e-6);
    fputs("lanes waited for:", stdout);
    for (uint32_t k = 0; k < WAIT_CAUSES; k++)
        if (t->waited[k] > 0)
            printf(" %s %.1f %%", wait_name(k), share(t->waited[k], idle));
    printf("%s\n%u tasks, schedule %s (figures: %s)%s\n", idle > 0 ? "" : " nothing",
           i->task_count, schedules[r->schedule], source_name(i->figures_source),
           i->is_complete ? "" : "\nthe run fails: a fault has no way out");
}

static int print_table(const timeline *t, const request *r)
{
    const uint32_t shown =
        t->info.event_count < EVENTS_PRINTED ? t->info.event_count : EVENTS_PRINTED;
    printf("%12s %12s %-20s %-24s %5s  %s\n", "begin, ms", "takes, ms", "lane", "task", "round",
           "waited for");
    for (uint32_t i = 0; i < shown; i++) {
        const het_simulation_event *e = &t->events[i];
        printf("%12.4f %12.4f ", e->begin_ns * 1e-6, (e->end_ns - e->begin_ns) * 1e-6);
        print_safe(t->lanes[e->lane].name, 20);
        putchar(' ');
        print_safe(e->name, 24);
        printf(" %5u  %s%s\n", e->round, wait_name(e->wait),
               e->outcome == HET_OUTCOME_DONE ? "" : e->outcome == HET_OUTCOME_FAILED
                                                         ? "; failed" : "; lost");
    }
    if (shown < t->info.event_count)
        printf("... and %u more (--json and --csv have all)\n", t->info.event_count - shown);
    putchar('\n');
    print_lanes(t);
    print_totals(t, r);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

/* ---- JSON ---- */

static json_t *json_string_of(const char *text)
{
    return json_text(text, strlen(text));
}

static json_t *json_lane(const het_simulation_lane *l)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "name",
                     json_string_of(l->name), "backend", json_string_of(l->backend), "from",
                     (json_int_t)l->from, "to", (json_int_t)l->to, "memory",
                     l->memory == UINT32_MAX ? json_null() : json_integer(l->memory),
                     "task_count", (json_int_t)l->task_count, "queue_peak",
                     (json_int_t)l->queue_peak, "busy_ns", l->busy_ns, "contended_ns",
                     l->contended_ns, "throttled_ns", l->throttled_ns, "idle_ns", l->idle_ns,
                     "lost_ns", l->lost_ns);
}

static json_t *json_event(const het_simulation_event *e)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:i, s:o, s:o, s:b, s:f, s:f, s:f, s:f, s:s, s:s, s:o}",
                     "lane", (json_int_t)e->lane, "task", (json_int_t)e->task, "round",
                     (json_int_t)e->round, "sequence", (json_int_t)e->sequence, "layer",
                     (int)e->layer, "name", json_string_of(e->name), "operations",
                     json_string_of(e->operations), "transfer", (int)e->is_transfer, "ready_ns",
                     e->ready_ns, "begin_ns", e->begin_ns, "end_ns", e->end_ns, "bytes", e->bytes,
                     "outcome", outcome_name(e->outcome), "waited_for", wait_name(e->wait),
                     "after", e->after == UINT32_MAX ? json_null() : json_integer(e->after));
}

static json_t *json_totals(const timeline *t)
{
    const het_simulation_info *i = &t->info;
    return json_pack("{s:b, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:s}", "complete",
                     (int)i->is_complete, "round_count", (json_int_t)i->round_count, "task_count",
                     (json_int_t)i->task_count, "token_count", i->token_count, "makespan_ns",
                     i->makespan_ns, "round_ns", i->round_ns, "bound_ns", i->bound_ns, "held_ns",
                     i->held_ns, "joules", i->joules, "figures_source",
                     source_name(i->figures_source));
}

static int print_json(const timeline *t, const request *r)
{
    json_t *root = json_begin("simulate"), *lanes = json_array(), *memories = json_array();
    json_t *events = json_array(), *rates = json_array(), *waited = json_object();
    for (uint32_t i = 0; i < t->info.lane_count; i++)
        json_array_append_new(lanes, json_lane(&t->lanes[i]));
    for (uint32_t i = 0; i < t->info.memory_count; i++) {
        const het_simulation_memory *m = &t->memories[i];
        json_array_append_new(
            memories, json_pack("{s:o, s:f, s:f, s:f, s:f}", "name", json_string_of(m->name),
                                "bytes_per_s", m->bytes_per_s, "bytes", m->bytes,
                                "peak_bytes_per_s", m->peak_bytes_per_s, "saturated_ns",
                                m->saturated_ns));
    }
    for (uint32_t i = 0; i < t->info.event_count; i++)
        json_array_append_new(events, json_event(&t->events[i]));
    for (uint32_t i = 0; i < t->info.rate_count; i++)
        json_array_append_new(rates, json_pack("{s:I, s:f, s:f}", "memory",
                                               (json_int_t)t->rates[i].memory, "at_ns",
                                               t->rates[i].at_ns, "bytes_per_s",
                                               t->rates[i].bytes_per_s));
    for (uint32_t i = 0; i < WAIT_CAUSES; i++)
        json_object_set_new(waited, wait_name(i), json_real(t->waited[i]));
    json_object_set_new(root, "phase", json_string(r->plan.phase ? "prefill" : "decode"));
    json_object_set_new(root, "schedule", json_string(schedules[r->schedule]));
    json_object_set_new(root, "totals", json_totals(t));
    json_object_set_new(root, "waited_ns", waited);
    json_object_set_new(root, "lanes", lanes);
    json_object_set_new(root, "memories", memories);
    json_object_set_new(root, "events", events);
    json_object_set_new(root, "rates", rates);
    return json_end(root);
}

/* ---- comparison ---- */

static int print_comparison(request *r)
{
    json_t *list = json_array();
    if (!r->plan.settings.json)
        printf("%-14s %12s %12s %12s %12s\n", "schedule", "makespan, ms", "per second",
               "contend, ms", "throttle, ms");
    for (uint32_t k = HET_SCHEDULE_IN_ORDER; k <= HET_SCHEDULE_CRITICAL_PATH; k++) {
        het_simulation *s = NULL;
        timeline t = { 0 };
        double contended = 0, throttled = 0;
        int status = simulate(r, k, &s);
        if (status == STATUS_GO)
            status = timeline_read(&t, s);
        for (uint32_t i = 0; status == STATUS_GO && i < t.info.lane_count; i++) {
            contended += t.lanes[i].contended_ns;
            throttled += t.lanes[i].throttled_ns;
        }
        const double ns = t.info.makespan_ns, rate = ns > 0 ? t.info.token_count / ns * 1e9 : 0;
        timeline_free(&t);
        het_simulation_destroy(s);
        if (status != STATUS_GO) {
            json_decref(list);
            return status;
        }
        if (!r->plan.settings.json)
            printf("%-14s %12.4f %12.2f %12.4f %12.4f\n", schedules[k], ns * 1e-6, rate,
                   contended * 1e-6, throttled * 1e-6);
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:f, s:f}", "schedule",
                                              schedules[k], "makespan_ns", ns, "per_second", rate,
                                              "contended_ns", contended, "throttled_ns",
                                              throttled));
    }
    if (!r->plan.settings.json) {
        json_decref(list);
        return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
    }
    json_t *root = json_begin("simulate");
    json_object_set_new(root, "schedules", list);
    return json_end(root);
}

/* ---- command ---- */

static int write_files(const timeline *t, const request *r)
{
    char title[256], about[512];
    int status = STATUS_GO;
    snprintf(title, sizeof title, "%s: %s", r->plan.model, r->plan.phase ? "prefill" : "decode");
    snprintf(about, sizeof about, "Simulated on %s under %s; schedule %s.",
             r->plan.machine ? r->plan.machine : "this machine",
             r->plan.policy ? r->plan.policy : "no policy", schedules[r->schedule]);
    if (r->html)
        status = timeline_write_html(t, r->made.plan, title, about, r->html);
    if (status == STATUS_GO && r->csv)
        status = timeline_write_csv(t, r->csv);
    if (status == STATUS_GO && r->trace)
        status = timeline_write_trace(t, r->trace);
    return status;
}

static int run(request *r)
{
    het_plan_info info = { .struct_size = sizeof info };
    het_simulation *simulation = NULL;
    timeline t = { 0 };
    if (het_plan_get_info(r->made.plan, &info))
        return failure("the plan says nothing");
    r->device_count = info.device_count;
    int status = read_faults(r);
    if (status == STATUS_GO && r->compare)
        return print_comparison(r);
    if (status == STATUS_GO)
        status = simulate(r, (uint32_t)r->schedule, &simulation);
    if (status == STATUS_GO)
        status = timeline_read(&t, simulation);
    if (status == STATUS_GO)
        status = write_files(&t, r);
    if (status == STATUS_GO)
        status = r->plan.settings.json ? print_json(&t, r) : print_table(&t, r);
    timeline_free(&t);
    het_simulation_destroy(simulation);
    return status;
}

static void declare(options *o, request *r)
{
    options_begin(o, "simulate", "MODEL",
                  "Simulate a plan over time: queues, shared memory, limits and faults.");
    plan_declare(o, &r->plan);
    options_int(o, "steps", 0, &r->steps, 1, 65536, "N", "Steps of each stream (1)");
    options_int(o, "streams", 0, &r->streams, 1, 4096, "N",
                "Streams of steps side by side (1)");
    options_choice(o, "schedule", &r->schedule,
                   "default|in_order|fifo|bw_aware|critical_path",
                   "Which task is next (the policy's, or in_order)");
    options_flag(o, "compare", 0, &r->compare, "Compare all schedules");
    options_flag(o, "nodes", 0, &r->by_node, "A task per operation, not per layer");
    options_int(o, "micro-batches", 0, &r->micro_batches, 1, 65536, "N",
                "Parts of a prefill step (1)");
    options_flag(o, "adaptive", 0, &r->adaptive, "Parts grow and shrink with the bandwidth used");
    options_int(o, "buffers", 0, &r->buffers, 1, 1024, "N",
                "Rounds that a task may be ahead of its readers (2)");
    options_int(o, "pipeline", 0, &r->in_flight, 1, 65536, "N",
                "Rounds under way at once (no limit)");
    options_int(o, "queue", 0, &r->queue, 1, 65536, "N",
                "Tasks handed to a device and not done (no limit)");
    options_number(o, "bandwidth", &r->tokens_gb, 1e-9, 1e6, "GB/S",
                   "Bandwidth that is handed out as tokens (no limit)");
    options_texts(o, "fail", &r->fail, "DEVICE@MS", "Lose a device");
    options_texts(o, "slow", &r->slow, "DEVICE@MS[-MS]:F", "A device needs F times as long");
    options_texts(o, "error", &r->error, "DEVICE@TASK[:N]", "N attempts at a task fail");
    options_int(o, "retries", 0, &r->retries, 1, 32, "N", "Attempts after the first (0)");
    options_number(o, "backoff", &r->backoff_ms, 0, 1e9, "MS", "Before the first retry (0)");
    options_text(o, "fallback", 0, &r->fallback, "DEVICE", "Takes over from a lost one (the CPU)");
    options_text(o, "html", 0, &r->html, "FILE", "Write the timeline as a page");
    options_text(o, "csv", 0, &r->csv, "FILE", "Write the events as a table");
    options_text(o, "trace", 0, &r->trace, "FILE", "Write trace events (Perfetto)");
}

int command_simulate(int argc, char **argv)
{
    request r = { 0 };
    options o;
    engine e = { 0 };
    declare(&o, &r);
    int status = options_parse(&o, argc, argv, &r.plan.model);
    if (status == STATUS_GO)
        status = plan_check(&r.plan, "simulate");
    if (status == STATUS_GO)
        status = engine_model(&e, &r.plan.settings, r.plan.model, 0);
    if (status == STATUS_GO)
        status = plan_make(&e, &r.plan, &r.made);
    if (status == STATUS_GO)
        status = run(&r);
    plan_unmake(&r.made);
    engine_close(&e);
    return status;
}

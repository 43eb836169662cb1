/* SPDX-License-Identifier: Apache-2.0 */
/* A timeline as one page that needs nothing else: a row per device and link, a curve per memory,
 * tables of what was used and what waited for what. Drawings share one time axis, which the wheel
 * and a few lines of script zoom; without script everything is there but zoom and highlighting. */
#include "timeline.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 1000.0     /* of all drawings, in their own unit; pages stretch them */
#define ROW 30
#define BAR 24
#define TRACK 70
#define EVENTS_MAX 20000 /* a page with more opens slowly */
#define CHAIN_MAX 60

static void put_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '&' || c == '<' || c == '>' || c == '"')
            fprintf(f, "&#%d;", c);
        else
            fputc(c < 0x20 || c == 0x7f ? '?' : c, f);
    }
}

static void put_ms(FILE *f, double ns)
{
    fprintf(f, "%.*f ms", ns < 1e5 ? 5 : ns < 1e7 ? 3 : 2, ns * 1e-6);
}

static double at(const timeline *t, double ns)
{
    return t->info.makespan_ns > 0 ? ns / t->info.makespan_ns * WIDTH : 0;
}

/* ---- drawings ---- */

static void put_event(FILE *f, const timeline *t, uint32_t index)
{
    const het_simulation_event *e = &t->events[index];
    const char *kind = e->outcome != HET_OUTCOME_DONE ? "bad" : e->is_transfer ? "copy" : "work";
    fprintf(f, "<rect id=\"e%u\" class=\"%s\" x=\"%.4f\" y=\"%u\" width=\"%.4f\" height=\"%d\"",
            index, kind, at(t, e->begin_ns), e->lane * ROW + 3,
            fmax(0.02, at(t, e->end_ns) - at(t, e->begin_ns)), BAR);
    if (!strcmp(kind, "work")) /* neighbours differ, and a layer looks the same in every round */
        fprintf(f, " fill=\"hsl(%d,45%%,%d%%)\"", 200 + (e->layer + 1) * 37 % 90,
                e->round % 2 ? 52 : 62);
    if (e->after != UINT32_MAX)
        fprintf(f, " data-after=\"%u\"", e->after);
    fputs("><title>", f);
    put_text(f, e->name);
    fputs(" (", f);
    put_text(f, e->operations);
    fputs(")\n", f);
    put_text(f, t->lanes[e->lane].name);
    fprintf(f, ", round %u, sequence %u: ", e->round, e->sequence);
    put_ms(f, e->begin_ns);
    fputs(" + ", f);
    put_ms(f, e->end_ns - e->begin_ns);
    fprintf(f, "\n%s; %.3f MB; waited for %s", outcome_name(e->outcome), e->bytes * 1e-6,
            wait_name(e->wait));
    if (e->after < t->info.event_count) {
        fputs(" (", f);
        put_text(f, t->events[e->after].name);
        fputc(')', f);
    }
    fputs("</title></rect>\n", f);
}

static void put_lanes(FILE *f, const timeline *t)
{
    const uint32_t shown = t->info.event_count < EVENTS_MAX ? t->info.event_count : EVENTS_MAX;
    fprintf(f, "<div class=\"row\"><div class=\"names\">");
    for (uint32_t i = 0; i < t->info.lane_count; i++) {
        fputs("<div>", f);
        put_text(f, t->lanes[i].name);
        fputs("</div>", f);
    }
    fprintf(f, "</div><svg class=\"time\" viewBox=\"0 0 %g %u\" height=\"%u\" "
            "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"timeline\">\n", WIDTH,
            t->info.lane_count * ROW, t->info.lane_count * ROW);
    for (uint32_t i = 0; i < t->info.lane_count; i++)
        fprintf(f, "<rect class=\"bed\" x=\"0\" y=\"%u\" width=\"%g\" height=\"%d\"/>\n",
                i * ROW + 3, WIDTH, BAR);
    for (uint32_t i = 0; i < shown; i++)
        put_event(f, t, i);
    fputs("</svg></div>\n", f);
    if (shown < t->info.event_count)
        fprintf(f, "<p class=\"note\">The first %u of %u events are drawn.</p>\n", shown,
                t->info.event_count);
}

/* Steps of a memory's rate, from the top of the track down to what is used of the scale. */
static void put_track(FILE *f, const timeline *t, uint32_t memory)
{
    const het_simulation_memory *m = &t->memories[memory];
    const double top = fmax(fmax(m->bytes_per_s, m->peak_bytes_per_s), 1);
    double rate = 0;
    fputs("<div class=\"row\"><div class=\"names\"><div>", f);
    put_text(f, m->name);
    fprintf(f, "<br><small>to %.4g GB/s</small></div></div><svg class=\"time\" "
            "viewBox=\"0 0 %g %d\" height=\"%d\" preserveAspectRatio=\"none\" role=\"img\" "
            "aria-label=\"bandwidth\">"
            "<rect class=\"bed\" x=\"0\" y=\"0\" width=\"%g\" height=\"%d\"/>"
            "<path class=\"rate\" d=\"M0 %d", top * 1e-9, WIDTH, TRACK, TRACK, WIDTH, TRACK,
            TRACK);
    for (uint32_t i = 0; i < t->info.rate_count; i++) {
        const het_simulation_rate *r = &t->rates[i];
        if (r->memory != memory)
            continue;
        fprintf(f, "L%.4f %.2fL%.4f %.2f", at(t, r->at_ns), TRACK * (1 - rate / top),
                at(t, r->at_ns), TRACK * (1 - r->bytes_per_s / top));
        rate = r->bytes_per_s;
    }
    fprintf(f, "L%g %.2fL%g %dZ\"><title>", WIDTH, TRACK * (1 - rate / top), WIDTH, TRACK);
    put_text(f, m->name);
    fprintf(f, ": %.4g of %.4g GB/s at most, saturated ", m->peak_bytes_per_s * 1e-9,
            m->bytes_per_s * 1e-9);
    put_ms(f, m->saturated_ns);
    fputs("</title></path></svg></div>\n", f);
}

/* Times under the drawings, which the script rewrites. */
static void put_axis(FILE *f, const timeline *t)
{
    fputs("<div class=\"row\"><div class=\"names\"></div><div class=\"axis\">", f);
    for (int i = 0; i <= 4; i++) {
        fputs("<span>", f);
        put_ms(f, t->info.makespan_ns * i / 4);
        fputs("</span>", f);
    }
    fputs("</div></div>\n", f);
}

/* ---- tables ---- */

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void put_use(FILE *f, const timeline *t)
{
    const double whole = t->info.makespan_ns;
    fputs("<h2>Use</h2>\n<table><tr><th>lane</th><th>tasks</th><th>busy</th><th>share</th>"
          "<th>of it contention</th><th>throttled</th><th>idle</th><th>lost</th></tr>\n", f);
    for (uint32_t i = 0; i < t->info.lane_count; i++) {
        const het_simulation_lane *l = &t->lanes[i];
        const double times[4] = { l->contended_ns, l->throttled_ns, l->idle_ns, l->lost_ns };
        fputs("<tr><td>", f);
        put_text(f, l->name);
        fprintf(f, "</td><td>%u</td><td>", l->task_count);
        put_ms(f, l->busy_ns);
        fprintf(f, "</td><td>%.1f %%</td>", share(l->busy_ns, whole));
        for (int k = 0; k < 4; k++) {
            fputs("<td>", f);
            if (times[k] > 0)
                put_ms(f, times[k]);
            fputs("</td>", f);
        }
        fputs("</tr>\n", f);
    }
    fputs("</table>\n<table><tr><th>memory</th><th>GB/s</th><th>mean</th><th>peak</th>"
          "<th>moved, MB</th><th>saturated</th></tr>\n", f);
    for (uint32_t i = 0; i < t->info.memory_count; i++) {
        const het_simulation_memory *m = &t->memories[i];
        fputs("<tr><td>", f);
        put_text(f, m->name);
        fprintf(f, "</td><td>%.4g</td><td>%.4g</td><td>%.4g</td><td>%.3f</td><td>%.1f %%</td>"
                "</tr>\n", m->bytes_per_s * 1e-9, whole > 0 ? m->bytes / whole : 0,
                m->peak_bytes_per_s * 1e-9, m->bytes * 1e-6, share(m->saturated_ns, whole));
    }
    fputs("</table>\n", f);
}

static void put_waits(FILE *f, const timeline *t)
{
    double whole = 0;
    for (int i = 0; i < WAIT_CAUSES; i++)
        whole += t->waited[i];
    fputs("<h2>What lanes waited for</h2>\n<table><tr><th>cause</th><th>time of all lanes</th>"
          "<th>share</th></tr>\n", f);
    for (uint32_t i = 0; i < WAIT_CAUSES; i++)
        if (t->waited[i] > 0) {
            fprintf(f, "<tr><td>%s</td><td>", wait_name(i));
            put_ms(f, t->waited[i]);
            fprintf(f, "</td><td>%.1f %%</td></tr>\n", share(t->waited[i], whole));
        }
    fputs("</table>\n", f);
}

static void put_chain(FILE *f, const timeline *t)
{
    uint32_t chain[CHAIN_MAX];
    const uint32_t count = timeline_chain(t, chain, CHAIN_MAX);
    const uint32_t shown = count < CHAIN_MAX ? count : CHAIN_MAX;
    fprintf(f, "<h2>What the end waited for</h2>\n<p class=\"note\">%u tasks, one after the other; "
            "the last first%s.</p>\n<table><tr><th>task</th><th>lane</th><th>round</th>"
            "<th>begin</th><th>takes</th><th>waited for</th></tr>\n", count,
            shown < count ? ", as far as the table goes" : "");
    for (uint32_t i = 0; i < shown; i++) {
        const het_simulation_event *e = &t->events[chain[i]];
        fputs("<tr><td>", f);
        put_text(f, e->name);
        fputs("</td><td>", f);
        put_text(f, t->lanes[e->lane].name);
        fprintf(f, "</td><td>%u</td><td>", e->round);
        put_ms(f, e->begin_ns);
        fputs("</td><td>", f);
        put_ms(f, e->end_ns - e->begin_ns);
        fprintf(f, "</td><td>%s</td></tr>\n", wait_name(e->wait));
    }
    fputs("</table>\n", f);
}

static void put_layer(FILE *f, const timeline *t, const het_plan_layer *l)
{
    fputs("<tr><td>", f);
    put_text(f, l->name);
    fputs("</td><td>", f);
    put_text(f, l->plan_device < t->info.device_count ? t->lanes[l->plan_device].name
                                                      : l->backend);
    fputs("</td><td>", f);
    put_ms(f, l->predicted_ns);
    fprintf(f, "</td><td>%.3f</td><td>%.3f</td><td>", l->flop_count * 1e-9,
            l->weight_bytes * 1e-6);
    if (l->runner_up < t->info.device_count && isfinite(l->runner_up_total)) {
        put_text(f, t->lanes[l->runner_up].name);
        fputs(": ", f);
        put_ms(f, l->runner_up_total);
    }
    fputs("</td><td class=\"why\">", f);
    put_text(f, l->reason);
    fputs("<br><small>", f);
    put_text(f, l->operations);
    fputs("</small></td></tr>\n", f);
}

/* What a device does not keep. */
static void put_device(FILE *f, const timeline *t, const het_plan_device *d, uint32_t index)
{
    char a[32], b[32];
    if (d->stream_slot_count) {
        fputs("<p class=\"note\">", f);
        put_text(f, t->lanes[index].name);
        fprintf(f, " brings the weights of %u of %u layers for each step: %s, in %u slots of %s."
                "</p>\n", d->stream_layer_count, d->stream_layer_max,
                format_bytes(d->stream_bytes, a), d->stream_slot_count,
                format_bytes(d->stream_slot_bytes, b));
    }
    if (d->slot_count) {
        fputs("<p class=\"note\">", f);
        put_text(f, t->lanes[index].name);
        fprintf(f, " keeps experts in %u slots of %s in all.</p>\n", d->slot_count,
                format_bytes(d->slot_bytes, a));
    }
}

static int put_plan(FILE *f, const timeline *t, const het_plan *plan)
{
    het_plan_info info = { .struct_size = sizeof info };
    het_status status = het_plan_get_info(plan, &info);
    fputs("<h2>Decisions</h2>\n<p class=\"note\">The last but one column is what the plan makes "
          "least with this layer on the next best device, all else as it is; the plan itself has ",
          f);
    put_ms(f, info.total);
    fprintf(f, "%s.</p>\n<table><tr><th>layer</th><th>device</th><th>takes</th><th>GFLOP</th>"
            "<th>weights, MB</th><th>runner-up</th><th class=\"why\">why</th></tr>\n",
            info.objective == HET_OBJECTIVE_ENERGY ? " (ms stand for mJ)" : "");
    for (uint32_t i = 0; !status && i < info.layer_count; i++) {
        het_plan_layer l = { .struct_size = sizeof l };
        status = het_plan_layer_at(plan, i, &l);
        if (!status)
            put_layer(f, t, &l);
    }
    fputs("</table>\n", f);
    for (uint32_t i = 0; !status && i < info.device_count; i++) {
        het_plan_device d = { .struct_size = sizeof d };
        status = het_plan_device_at(plan, i, &d);
        if (!status)
            put_device(f, t, &d, i);
    }
    return status ? failure("%s", het_status_name(status)) : STATUS_GO;
}

/* ---- page ---- */

static const char head[] =
    "<style>body{font:14px sans-serif;margin:2em;color:#222}small{color:#666}"
    ".row{display:flex;margin-bottom:4px}.names{flex:0 0 11em;overflow:hidden;font-size:12px}"
    ".names div{height:30px;line-height:30px;white-space:nowrap}"
    ".names div:has(br){line-height:15px;height:auto}"
    "svg.time{flex:1;min-width:0;display:block}.axis{flex:1;display:flex;"
    "justify-content:space-between;font-size:12px;color:#555}"
    ".bed{fill:#f2f2f2}.copy{fill:#e0a030}.bad{fill:#c0392b}.rate{fill:#9db8d2;stroke:#4a7fb5;"
    "vector-effect:non-scaling-stroke}rect.on{stroke:#000;stroke-width:2;"
    "vector-effect:non-scaling-stroke}table{border-collapse:collapse;margin:.5em 0}"
    "td,th{padding:.2em .8em;text-align:right;vertical-align:top}"
    "td:first-child,th:first-child,.why{text-align:left}tr:nth-child(even){background:#f7f7f7}"
    ".why{max-width:40em}.note{color:#555}</style>\n";

/* Wheel: zoom at the pointer; drag: move; click: what an event waited for; double click: all. */
static const char script[] =
    "<script>(function(){var W=%g,T=%.17g,x=0,w=W,s=document.querySelectorAll('svg.time'),"
    "a=document.querySelectorAll('.axis span');"
    "function draw(){s.forEach(function(v){var b=v.viewBox.baseVal;b.x=x;b.width=w;});"
    "a.forEach(function(n,i){n.textContent=((x+w*i/4)/W*T*1e-6).toPrecision(6)+' ms';});}"
    "function clamp(){w=Math.min(W,Math.max(W*1e-6,w));x=Math.min(W-w,Math.max(0,x));draw();}"
    "s.forEach(function(v){v.addEventListener('wheel',function(e){e.preventDefault();"
    "var r=v.getBoundingClientRect(),p=(e.clientX-r.left)/r.width,c=x+w*p;"
    "w*=e.deltaY<0?0.8:1.25;w=Math.min(W,w);x=c-w*p;clamp();},{passive:false});"
    "v.addEventListener('mousemove',function(e){if(e.buttons&1){"
    "x-=e.movementX/v.clientWidth*w;clamp();}});"
    "v.addEventListener('dblclick',function(){x=0;w=W;clamp();});"
    "v.addEventListener('click',function(e){document.querySelectorAll('rect.on').forEach("
    "function(n){n.classList.remove('on');});var n=e.target;while(n&&n.id&&"
    "!n.classList.contains('on')){n.classList.add('on');"
    "n=document.getElementById('e'+n.dataset.after);}});});})();</script>\n";

static void put_summary(FILE *f, const timeline *t)
{
    const het_simulation_info *i = &t->info;
    fputs("<p>", f);
    put_ms(f, i->makespan_ns);
    fprintf(f, " for %u round%s; one alone takes ", i->round_count,
            i->round_count == 1 ? "" : "s");
    put_ms(f, i->round_ns);
    if (i->bound_ns > 0) {
        fputs(", and no order is faster than ", f);
        put_ms(f, i->bound_ns);
    }
    if (i->makespan_ns > 0)
        fprintf(f, ". %.4g per second", i->token_count / i->makespan_ns * 1e9);
    if (i->joules > 0)
        fprintf(f, ", %.4g J", i->joules);
    fprintf(f, ". Figures of the machine: %s.", source_name(i->figures_source));
    if (!i->is_complete)
        fputs(" <strong>The run fails: a fault has no way out.</strong>", f);
    fputs("</p>\n<p class=\"note\">Wheel: zoom; drag: move; double click: all; click: what it "
          "waited for.</p>\n", f);
}

static int put_page(FILE *f, const timeline *t, const het_plan *plan, const char *title,
                    const char *about)
{
    int status = STATUS_GO;
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", f);
    put_text(f, title);
    fprintf(f, "</title>%s</head><body>\n<h1>", head);
    put_text(f, title);
    fputs("</h1>\n<p class=\"note\">", f);
    put_text(f, about);
    fputs("</p>\n", f);
    put_summary(f, t);
    put_lanes(f, t);
    for (uint32_t i = 0; i < t->info.memory_count; i++)
        if (t->memories[i].bytes > 0)
            put_track(f, t, i);
    put_axis(f, t);
    put_use(f, t);
    if (plan)
        status = put_plan(f, t, plan);
    put_waits(f, t);
    put_chain(f, t);
    fprintf(f, script, WIDTH, t->info.makespan_ns);
    fputs("</body></html>\n", f);
    return status;
}

int timeline_write_html(const timeline *t, const het_plan *plan, const char *title,
                        const char *about, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return failure("%s: %s", path, strerror(errno));
    const int status = put_page(f, t, plan, title, about);
    const bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed)
        return failure("%s: cannot write", path);
    return status;
}

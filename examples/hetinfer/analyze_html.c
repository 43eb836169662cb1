/* SPDX-License-Identifier: Apache-2.0 */
/* An analysis as one page that needs nothing else: the roofline with a point per operation, time
 * and bytes of the model's parts, its stages, and tables. Well-formed as XML. */
#include "analyze.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the roofline and the curve of batches, in pixels. */
#define PLOT_WIDTH 760
#define PLOT_HEIGHT 420
#define PLOT_LEFT 70
#define PLOT_BOTTOM 44
#define BAR_PITCH 22
#define BAR_HEIGHT 15
#define NAME_WIDTH 200
#define BARS_WIDTH 250
#define STAGE_WIDTH 12
#define CELL_HEIGHT 16
/* Rows of cells that a stage shows; the last one stands for what is left. */
#define CELLS_MAX 40
/* Below the stages, for values that skip some. */
#define ARC_HEIGHT 40
/* The smallest axis of the roofline spans these powers of ten. */
#define DECADES_LEAST 2

static const char style[] =
    ":root{--bg:#fbfbf9;--fg:#22252a;--soft:#6b7078;--line:#d9dade;--card:#fff;--compute:#c2622d;"
    "--memory:#2f6fb0;--none:#a7abb3;--group:#4d8f4a}"
    "@media(prefers-color-scheme:dark){:root{--bg:#17191d;--fg:#e6e7ea;--soft:#9aa0aa;"
    "--line:#363a42;--card:#1f2228;--compute:#e68a52;--memory:#6aa7e8;--none:#6f757f;"
    "--group:#7cc277}}"
    "body{font:15px/1.5 system-ui,sans-serif;background:var(--bg);color:var(--fg);margin:2rem auto;"
    "max-width:64rem;padding:0 1rem}h1{font-size:1.7rem;margin-bottom:0}h2{margin-top:2.4rem;"
    "font-size:1.2rem}.soft{color:var(--soft)}.cards{display:grid;gap:.8rem;margin:1.4rem 0;"
    "grid-template-columns:repeat(auto-fit,minmax(11rem,1fr))}.cards div{background:var(--card);"
    "border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}.cards b{display:block;"
    "font-size:1.25rem}.wide{overflow-x:auto}svg{display:block}svg text{font:12px system-ui,"
    "sans-serif;fill:var(--fg)}svg .soft{fill:var(--soft)}.grid{stroke:var(--line)}"
    ".roof{stroke:var(--fg);stroke-width:2;fill:none}.compute{fill:var(--compute)}"
    ".memory{fill:var(--memory)}.none{fill:var(--none)}.point{opacity:.65}"
    ".arc{fill:none;stroke:var(--soft);opacity:.6}.arc:hover{opacity:1;stroke-width:2}"
    ".point:hover{opacity:1;stroke:var(--fg)}.group{fill:none;stroke:var(--group);"
    "stroke-width:1.5;opacity:.8}.curve{fill:none;stroke-width:2.5}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.15rem .7rem;"
    "text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}"
    "th:first-child,td:first-child,.left{text-align:left}summary{cursor:pointer}";

/* ---- axes ---- */

typedef struct axis {
    double low, high; /* powers of ten */
} axis;

static void widen(axis *x, double value)
{
    if (!(value > 0))
        return;
    x->low = fmin(x->low, floor(log10(value)));
    x->high = fmax(x->high, ceil(log10(value)));
}

static double across(const axis *x, double value)
{
    return PLOT_LEFT + (log10(value) - x->low) / (x->high - x->low) * (PLOT_WIDTH - PLOT_LEFT - 20);
}

static double down(const axis *y, double value)
{
    const double height = PLOT_HEIGHT - PLOT_BOTTOM - 10;
    return 10 + height - (log10(value) - y->low) / (y->high - y->low) * height;
}

static void put_grid(FILE *f, const axis *x, const axis *y)
{
    const int bottom = PLOT_HEIGHT - PLOT_BOTTOM;
    for (double p = x->low; p <= x->high; p++) {
        const double at = across(x, pow(10, p));
        fprintf(f, "<line class=\"grid\" x1=\"%.1f\" y1=\"10\" x2=\"%.1f\" y2=\"%d\"/>"
                "<text class=\"soft\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", at,
                at, bottom, at, bottom + 17, pow(10, p));
    }
    for (double p = y->low; p <= y->high; p++) {
        const double at = down(y, pow(10, p));
        fprintf(f, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                "<text class=\"soft\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                PLOT_LEFT, at, PLOT_WIDTH - 20, at, PLOT_LEFT - 6, at + 4, pow(10, p));
    }
}

/* ---- roofline ---- */

/* Operations per ns are GFLOP/s. */
static double reached(const het_subgraph *s)
{
    return s->mapped_ns > 0 ? s->flop_count / s->mapped_ns : 0;
}

static void put_title(FILE *f, const het_subgraph *s)
{
    fputs("<title>", f);
    html_text(f, s->name);
    fputs(" (", f);
    html_text(f, s->operations);
    fprintf(f, "): %.3f MMAC, %.3f MB, %.2f op/byte, %.4f ms, bound by %s</title>",
            s->mac_count * 1e-6, subgraph_bytes(s) * 1e-6, s->intensity, s->mapped_ns * 1e-6,
            bottleneck_name(s->bottleneck));
}

static void put_point(FILE *f, const analysis *a, const het_subgraph *s, const axis *x,
                      const axis *y, bool group)
{
    if (!(reached(s) > 0) || !(s->intensity > 0))
        return;
    const double cx = across(x, s->intensity), cy = down(y, reached(s));
    const double r = 3 + 14 * sqrt(s->mapped_ns / fmax(a->info.mapped_ns, s->mapped_ns));
    if (group)
        fprintf(f, "<rect class=\"group\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">",
                cx - r, cy - r, 2 * r, 2 * r);
    else
        fprintf(f, "<circle class=\"point %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\">",
                bottleneck_name(s->bottleneck), cx, cy, r);
    put_title(f, s);
    fputs(group ? "</rect>\n" : "</circle>\n", f);
}

static void put_roof(FILE *f, const het_analysis_info *t, const axis *x, const axis *y)
{
    const double peak = t->peak_ops_per_s * 1e-9, bandwidth = t->bytes_per_s * 1e-9;
    if (!(peak > 0) || !(bandwidth > 0))
        return;
    const double first = fmax(pow(10, x->low), pow(10, y->low) / bandwidth);
    fprintf(f, "<polyline class=\"roof\" points=\"%.1f,%.1f %.1f,%.1f %.1f,%.1f\"/>\n",
            across(x, first), down(y, first * bandwidth), across(x, t->balance), down(y, peak),
            across(x, pow(10, x->high)), down(y, peak));
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f GFLOP/s</text>\n",
            PLOT_WIDTH - 24, down(y, peak) - 6, peak);
    fprintf(f, "<text class=\"soft\" x=\"%.1f\" y=\"%.1f\">%.0f GB/s</text>\n",
            across(x, 2 * first) + 14, down(y, 2 * first * bandwidth) + 16, bandwidth);
}

static int put_roofline(FILE *f, const analysis *a)
{
    const het_analysis_info *t = &a->info;
    axis x = { floor(log10(fmax(t->balance, 1e-3))), 0 }, y;
    x.high = x.low + DECADES_LEAST;
    y.high = ceil(log10(fmax(t->peak_ops_per_s * 1e-9, 1e-3)));
    y.low = y.high - DECADES_LEAST;
    int status = STATUS_GO;
    het_subgraph s;
    for (uint32_t i = 0; status == STATUS_GO && i < t->node_count; i++) {
        status = analysis_node(a, i, &s);
        widen(&x, s.intensity);
        widen(&y, reached(&s));
    }
    fprintf(f, "<h2>Roofline</h2>\n<p>Operations per second over operations per byte. A circle is "
            "an operation, its area the time that it takes; a square is a group of them as one "
            "kernel. The line is what the device allows; what lies below it lacks pieces of work "
            "for its units, or is short next to a launch.</p>\n<div class=\"wide\">"
            "<svg width=\"%d\" height=\"%d\" role=\"img\">\n", PLOT_WIDTH, PLOT_HEIGHT);
    put_grid(f, &x, &y);
    put_roof(f, t, &x, &y);
    for (uint32_t i = 0; status == STATUS_GO && i < t->node_count; i++) {
        status = analysis_node(a, i, &s);
        put_point(f, a, &s, &x, &y, false);
    }
    for (uint32_t i = 0; status == STATUS_GO && i < t->group_count; i++) {
        status = analysis_group(a, i, &s);
        if (status == STATUS_GO && strchr(s.operations, ','))
            put_point(f, a, &s, &x, &y, true);
    }
    fprintf(f, "<text class=\"soft\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">operations per byte"
            "</text><text class=\"soft\" x=\"14\" y=\"%d\" text-anchor=\"middle\" transform=\""
            "rotate(-90 14 %d)\">GFLOP/s</text>\n</svg></div>\n<p class=\"soft\"><svg width=\"300\""
            " height=\"16\"><circle class=\"compute\" cx=\"8\" cy=\"8\" r=\"6\"/><text x=\"20\" "
            "y=\"12\">bound by arithmetic</text><circle class=\"memory\" cx=\"158\" cy=\"8\" r=\"6"
            "\"/><text x=\"170\" y=\"12\">bound by memory</text></svg></p>\n",
            (PLOT_WIDTH + PLOT_LEFT) / 2, PLOT_HEIGHT - 6, PLOT_HEIGHT / 2, PLOT_HEIGHT / 2);
    return status;
}

/* ---- parts ---- */

static void put_bar(FILE *f, double x, int y, double width, const char *kind, const char *format,
                    double value)
{
    fprintf(f, "<rect class=\"%s\" x=\"%.0f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>"
            "<text class=\"soft\" x=\"%.1f\" y=\"%d\">", kind, x, y, width, BAR_HEIGHT,
            x + width + 5, y + 12);
    fprintf(f, format, value);
    fputs("</text>", f);
}

static int put_modules(FILE *f, const analysis *a)
{
    size_t count;
    double ns = 1e-9, bytes = 1e-9;
    module *modules = analysis_modules(a, &count);
    if (!modules)
        return failure("out of memory");
    for (size_t i = 0; i < count; i++) {
        ns = fmax(ns, modules[i].ns);
        bytes = fmax(bytes, modules[i].bytes);
    }
    fprintf(f, "<h2>Parts of the model</h2>\n<div class=\"wide\"><svg width=\"%d\" height=\"%d\" "
            "role=\"img\"><text class=\"soft\" x=\"%d\" y=\"12\">time, ms</text><text class="
            "\"soft\" x=\"%d\" y=\"12\">memory traffic, MB</text>\n", NAME_WIDTH + 2 * BARS_WIDTH +
            150, (int)count * BAR_PITCH + 20, NAME_WIDTH, NAME_WIDTH + BARS_WIDTH + 80);
    for (size_t i = 0; i < count; i++) {
        const module *m = &modules[i];
        const int y = 20 + (int)i * BAR_PITCH;
        fprintf(f, "<g><title>%u operations, %.0f parameters, %.3f MMAC</title><text x=\"%d\" "
                "y=\"%d\" text-anchor=\"end\">", m->node_count, m->parameters, m->macs * 1e-6,
                NAME_WIDTH - 8, y + 12);
        html_text(f, m->name);
        fputs("</text>", f);
        put_bar(f, NAME_WIDTH, y, m->ns / ns * BARS_WIDTH, "compute", "%.4f", m->ns * 1e-6);
        put_bar(f, NAME_WIDTH + BARS_WIDTH + 80, y, m->bytes / bytes * BARS_WIDTH, "memory",
                "%.3f", m->bytes * 1e-6);
        fputs("</g>\n", f);
    }
    fputs("</svg></div>\n", f);
    free(modules);
    return STATUS_GO;
}

/* ---- stages ---- */

static int put_stage(FILE *f, const analysis *a, uint32_t index, uint32_t rows)
{
    het_analysis_stage s = { .struct_size = sizeof s };
    het_subgraph n;
    const het_status known = het_analysis_stage_at(a->handle, index, &s);
    int status = known ? failure("stage %u: %s", index, het_status_name(known)) : STATUS_GO;
    for (uint32_t i = 0; status == STATUS_GO && i < s.node_count && i < rows; i++) {
        status = analysis_node(a, s.nodes[i], &n);
        if (status != STATUS_GO)
            break;
        fprintf(f, "<rect class=\"%s point\" x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\">",
                bottleneck_name(n.bottleneck), index * STAGE_WIDTH, i * CELL_HEIGHT,
                STAGE_WIDTH - 1, CELL_HEIGHT - 1);
        put_title(f, &n);
        fputs("</rect>", f);
    }
    fputc('\n', f);
    return status;
}

/* A value that skips stages, as an arc below them. */
static void put_arcs(FILE *f, const analysis *a, const het_subgraph *n, uint32_t top)
{
    for (uint32_t i = 0; i < n->before_count; i++) {
        het_subgraph from;
        if (analysis_node(a, n->before[i], &from) != STATUS_GO || n->stage < from.stage + 2)
            continue;
        const uint32_t x = from.stage * STAGE_WIDTH + STAGE_WIDTH / 2;
        const uint32_t end = n->stage * STAGE_WIDTH + STAGE_WIDTH / 2;
        const double depth = fmin(2 * ARC_HEIGHT, 10 + 8 * sqrt(n->stage - from.stage));
        fprintf(f, "<path class=\"arc\" d=\"M%u %u Q%u %.1f %u %u\"><title>", x, top,
                (x + end) / 2, top + depth, end, top);
        html_text(f, from.name);
        fputs(" to ", f);
        html_text(f, n->name);
        fputs("</title></path>\n", f);
    }
}

static int put_stages(FILE *f, const analysis *a)
{
    const het_concurrency *c = a->info.concurrency;
    const uint32_t rows = c->width_count < CELLS_MAX ? c->width_count : CELLS_MAX;
    int status = STATUS_GO;
    fprintf(f, "<h2>Stages</h2>\n<p>%u operations on the longest chain, at most %u side by side%s; "
            "%.0f %% as many operations as there would be were all stages as wide as the widest. "
            "From left to right in the order in which they can run; an arc is a value that skips "
            "stages.</p>\n<div class=\"wide\">"
            "<svg width=\"%u\" height=\"%u\" role=\"img\">\n", c->critical_path_count,
            c->width_count, a->options.flags & HET_ANALYSIS_COMPAT
            ? " (functions and their edges left out)" : "", 100 * c->efficiency,
            c->critical_path_count * STAGE_WIDTH, rows * CELL_HEIGHT + ARC_HEIGHT + 4);
    for (uint32_t i = 0; status == STATUS_GO && i < c->critical_path_count; i++)
        status = put_stage(f, a, i, rows);
    for (uint32_t i = 0; status == STATUS_GO && i < a->info.node_count; i++) {
        het_subgraph n;
        status = analysis_node(a, i, &n);
        if (status == STATUS_GO)
            put_arcs(f, a, &n, rows * CELL_HEIGHT);
    }
    fputs("</svg></div>\n", f);
    return status;
}

/* ---- batches ---- */

static void put_curve(FILE *f, const analysis *a, const axis *x, const char *color, bool fill)
{
    fprintf(f, "<polyline class=\"curve\" style=\"stroke:var(--%s)\" points=\"", color);
    for (size_t i = 0; i < a->point_count; i++) {
        const het_analysis_info *t = &a->points[i].info;
        fprintf(f, "%.1f,%.1f ", across(x, (double)a->points[i].batch),
                10 + (1 - (fill ? t->unit_fill : t->utilisation)) * (PLOT_HEIGHT / 2 - 54));
    }
    fputs("\"/>\n", f);
}

static void put_batches(FILE *f, const analysis *a)
{
    axis x = { 0, 1 };
    const int height = PLOT_HEIGHT / 2, bottom = height - PLOT_BOTTOM;
    const int64_t fills = sweep_fills_at(a);
    if (!a->point_count)
        return;
    for (size_t i = 0; i < a->point_count; i++)
        widen(&x, (double)a->points[i].batch);
    fprintf(f, "<h2>Batches</h2>\n<p>Share of the units that have work, and of the peak that can "
            "be reached. ");
    if (fills)
        fprintf(f, "All units have work from a batch of %lld on.", (long long)fills);
    fprintf(f, "</p>\n<div class=\"wide\"><svg width=\"%d\" height=\"%d\" role=\"img\">\n",
            PLOT_WIDTH, height);
    for (int i = 0; i <= 4; i++) {
        const double y = 10 + i * (height - 54) / 4.0;
        fprintf(f, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text class="
                "\"soft\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d %%</text>\n", PLOT_LEFT, y,
                PLOT_WIDTH - 10, y, PLOT_LEFT - 6, y + 4, 100 - 25 * i);
    }
    for (size_t i = 0; i < a->point_count; i++)
        fprintf(f, "<text class=\"soft\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%lld</text>\n",
                across(&x, (double)a->points[i].batch), bottom + 17,
                (long long)a->points[i].batch);
    put_curve(f, a, &x, "memory", true);
    put_curve(f, a, &x, "compute", false);
    fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" style=\"fill:var(--memory)\">units with"
            " work</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\" style=\"fill:var(--compute)\">"
            "of the peak</text></svg></div>\n", PLOT_WIDTH - 120, height - 6, PLOT_WIDTH - 14,
            height - 6);
}

/* ---- tables ---- */

static void put_subgraph_row(FILE *f, const het_subgraph *s, bool group)
{
    fputs("<tr><td>", f);
    html_text(f, s->name);
    fputs("</td><td class=\"left\">", f);
    html_text(f, s->operations);
    fprintf(f, "</td><td>%u</td><td>%.0f</td><td>%.3f</td><td>%.3f</td><td>%.3f</td><td>%.3f</td>"
            "<td>%.2f</td><td>%s</td>", s->stage, s->parameter_count, s->mac_count * 1e-6,
            s->input_bytes * 1e-6, s->output_bytes * 1e-6, s->weight_bytes * 1e-6, s->intensity,
            bottleneck_name(s->bottleneck));
    fprintf(f, "<td>%.0f</td><td>%.0f</td><td>%.1f</td><td>%.4f</td>",
            s->mapping->item_count, s->mapping->wave_count, 100 * s->mapping->utilisation,
            (group ? s->predicted_ns : s->mapped_ns) * 1e-6);
    if (group)
        fprintf(f, "<td>%u</td><td>%.3f</td><td>%.3f</td>", s->operation_count,
                s->ungrouped_bytes * 1e-6, s->inner_bytes * 1e-6);
    fputs("</tr>\n", f);
}

static int put_table(FILE *f, const analysis *a, bool groups)
{
    const uint32_t count = groups ? a->info.group_count : a->info.node_count;
    int status = STATUS_GO;
    if (!count)
        return status;
    fprintf(f, "<details><summary>%u %s</summary><div class=\"wide\"><table><tr><th>name</th>"
            "<th class=\"left\">kind</th><th>stage</th><th>parameters</th><th>MMAC</th>"
            "<th>in, MB</th><th>out, MB</th><th>weights, MB</th><th>op/byte</th><th>bound by</th>"
            "<th>tiles</th><th>waves</th><th>%% of peak</th><th>ms</th>%s</tr>\n", count,
            groups ? "groups" : "operations",
            groups ? "<th>operations</th><th>each alone, MB</th><th>kept inside, MB</th>" : "");
    for (uint32_t i = 0; status == STATUS_GO && i < count; i++) {
        het_subgraph s;
        status = groups ? analysis_group(a, i, &s) : analysis_node(a, i, &s);
        if (status == STATUS_GO)
            put_subgraph_row(f, &s, groups);
    }
    fputs("</table></div></details>\n", f);
    return status;
}

/* ---- page ---- */

static void put_card(FILE *f, const char *what, const char *format, double value)
{
    fputs("<div><b>", f);
    fprintf(f, format, value);
    fprintf(f, "</b>%s</div>\n", what);
}

static void put_head(FILE *f, const analysis *a)
{
    const het_analysis_info *t = &a->info;
    char name[128];
    analysis_model_name(a->path, name, sizeof name);
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\""
          "viewport\" content=\"width=device-width\"/><title>", f);
    html_text(f, name);
    fprintf(f, "</title><style>%s</style></head><body>\n<h1>", style);
    html_text(f, name);
    fputs("</h1>\n<p class=\"soft\">", f);
    html_text(f, a->engine->info.architecture);
    fputs(", on ", f);
    html_text(f, t->device);
    fprintf(f, ": %.1f GFLOP/s, %.1f GB/s, balance %.1f operations per byte (%s figures, %s). "
            "Nothing was run: all times are reckoned.</p>\n<div class=\"cards\">\n",
            t->peak_ops_per_s * 1e-9, t->bytes_per_s * 1e-9, t->balance,
            source_name(t->figures_source), analysis_basis(a));
    put_card(f, "million parameters", "%.3f", t->parameter_count * 1e-6);
    put_card(f, "GMAC", "%.4f", t->mac_count * 1e-9);
    put_card(f, "MB of memory traffic", "%.1f", t->traffic_bytes * 1e-6);
    put_card(f, label_name(t->label), "%.1f op/byte", t->mac_intensity);
    put_card(f, "mapped to units", "%.3f ms", t->mapped_ns * 1e-6);
    put_card(f, "of the peak can be reached", "%.0f %%", 100 * t->utilisation);
    if (t->group_count) {
        put_card(f, "MB of traffic in groups", "%.1f", t->grouped_bytes * 1e-6);
        put_card(f, "MB before fusion", "%.1f", t->ungrouped_bytes * 1e-6);
        put_card(f, "groups", "%.0f", t->group_count);
    }
    if (t->kv_bytes_per_token > 0)
        put_card(f, "bytes of keys and values per token", "%.0f", t->kv_bytes_per_token);
    if (t->energy_source != HET_SOURCE_UNAVAILABLE)
        put_card(f, "joules per inference, modelled", "%.4g", t->joules);
    fputs("</div>\n", f);
}

static int put_page(FILE *f, const analysis *a)
{
    put_head(f, a);
    int status = put_roofline(f, a);
    if (status == STATUS_GO)
        status = put_modules(f, a);
    if (status == STATUS_GO)
        status = put_stages(f, a);
    put_batches(f, a);
    fputs("<h2>Tables</h2>\n", f);
    if (status == STATUS_GO)
        status = put_table(f, a, false);
    if (status == STATUS_GO)
        status = put_table(f, a, true);
    fputs("</body></html>\n", f);
    return status;
}

int analyze_write_html(const analysis *a, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return failure("%s: %s", path, strerror(errno));
    const int status = put_page(f, a);
    const bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed)
        return failure("%s: cannot write", path);
    return status;
}

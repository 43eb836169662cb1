/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a benchmark as one page that needs nothing else: a bar per row, the limit as the
 * outline of the bar, and a table. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BAR_HEIGHT 22
#define BAR_PITCH 30
#define NAME_WIDTH 190
#define BARS_WIDTH 520

/* Rows of prompts are an order of magnitude faster: each kind has a scale of its own. */
static double scale_of(const bench *b, const row *r)
{
    double most = 1e-9;
    for (size_t i = 0; i < b->row_count; i++) {
        const row *s = &b->rows[i];
        if (!s->generate != !r->generate)
            continue;
        most = s->median > most ? s->median : most;
        most = s->limit > most ? s->limit : most;
    }
    return BARS_WIDTH / most;
}

static void put_bar(FILE *f, const bench *b, size_t index)
{
    const row *r = &b->rows[index];
    const double scale = scale_of(b, r);
    const int y = (int)index * BAR_PITCH;
    fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", NAME_WIDTH - 8, y + 16);
    html_text(f, r->name);
    fprintf(f, "</text><rect class=\"speed\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
            NAME_WIDTH, y, r->median * scale, BAR_HEIGHT);
    if (r->limit > 0)
        fprintf(f, "<rect class=\"limit\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                NAME_WIDTH, y, r->limit * scale, BAR_HEIGHT);
    fprintf(f, "<text x=\"%d\" y=\"%d\">%.1f", NAME_WIDTH + BARS_WIDTH + 8, y + 16, r->median);
    if (r->limit > 0)
        fprintf(f, " of %.1f (%.0f %%)", r->limit, 100.0 * r->median / r->limit);
    fputs("</text>\n", f);
}

static void put_table(FILE *f, const bench *b)
{
    fputs("<table><tr><th>test<th>tokens/s (median)<th>mean<th>deviation<th>limit<th>limited by"
          "<th>first token, ms<th>token p50, ms<th>p95, ms<th>predicted, ms</tr>\n", f);
    for (size_t i = 0; i < b->row_count; i++) {
        const row *r = &b->rows[i];
        fputs("<tr><td>", f);
        html_text(f, r->name);
        fprintf(f, "<td>%.2f<td>%.2f<td>%.2f<td>", r->median, r->mean, r->deviation);
        if (r->limit > 0)
            fprintf(f, "%.2f<td>%s", r->limit, r->bound);
        else
            fputs("<td>", f);
        const double ms[4] = { r->prompt ? r->first_median_s : 0.0, r->step_p50_s, r->step_p95_s,
                               r->predicted_s };
        for (int j = 0; j < 4; j++) {
            fputs("<td>", f);
            if (ms[j] > 0)
                fprintf(f, "%.3f", ms[j] * 1e3);
        }
        fputs("</tr>\n", f);
    }
    fputs("</table>\n", f);
}

static void put_page(FILE *f, const bench *b)
{
    const het_model_info *m = &b->engine->info;
    const int width = NAME_WIDTH + BARS_WIDTH + 210, height = (int)b->row_count * BAR_PITCH;
    char weights[32], peak[32];
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>hetinfer bench</title>"
          "<style>body{font:14px sans-serif;margin:2em}svg text{font:13px sans-serif}"
          ".speed{fill:#4a7fb5}.limit{fill:none;stroke:#333}td,th{padding:.2em .8em;"
          "text-align:right}td:first-child{text-align:left}</style>\n<h1>", f);
    html_text(f, m->name[0] ? m->name : m->architecture);
    fprintf(f, "</h1>\n<p>%.2f M parameters, %s of weights. Opened in %.3f s, session in %.3f s, "
            "peak memory %s. Machine: read %.2f GB/s, f32 %.1f, bf16 %.1f, int8 %.1f GOP/s (%s).\n",
            (double)m->parameter_count * 1e-6, format_bytes((double)m->weight_bytes, weights),
            b->engine->open_s, b->engine->session_s,
            format_bytes((double)b->peak_bytes, peak), b->after.read_bytes_per_s * 1e-9,
            b->after.f32_ops_per_s * 1e-9, b->after.bf16_ops_per_s * 1e-9,
            b->after.int8_ops_per_s * 1e-9, source_name(b->after.source));
    fprintf(f, "<p>Bars: tokens per second; outline: the limit that the machine set in the same "
            "minute. Prompts and tokens one by one have scales of their own.\n"
            "<p><svg width=\"%d\" height=\"%d\" role=\"img\">\n", width, height);
    for (size_t i = 0; i < b->row_count; i++)
        put_bar(f, b, i);
    fputs("</svg>\n", f);
    put_table(f, b);
    fputs("</html>\n", f);
}

int bench_write_html(const bench *b, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return failure("%s: %s", path, strerror(errno));
    put_page(f, b);
    const bool failed = ferror(f) != 0;
    return fclose(f) != 0 || failed ? failure("%s: cannot write", path) : STATUS_GO;
}

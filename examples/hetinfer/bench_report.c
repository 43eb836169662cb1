/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a benchmark as a table and as JSON. A share is of the median, since one disturbed
 * run should not move it. */
#include "bench.h"

#include <stdio.h>

static void print_series(const series *s)
{
    if (!s->count)
        return;
    printf("%-16s %10.2f +- %-8.2f %10.2f", s->name, s->mean, s->deviation, s->median);
    if (s->limit > 0)
        printf(" %12.2f %7.1f %%  of %s", s->limit, 100.0 * s->median / s->limit, s->bound);
    putchar('\n');
}

static void print_figures(const char *when, const het_device_figures *f)
{
    if (f->source == HET_SOURCE_UNAVAILABLE)
        printf("%-16s this device cannot be measured\n", when);
    else
        printf("%-16s read %.2f GB/s, f32 %.1f, bf16 %.1f, int8 %.1f GOP/s\n", when,
               f->read_bytes_per_s * 1e-9, f->f32_ops_per_s * 1e-9, f->bf16_ops_per_s * 1e-9,
               f->int8_ops_per_s * 1e-9);
}

int bench_print_table(const bench *b)
{
    const het_model_info *m = &b->engine->info;
    char weights[32], token[32];
    print_safe(m->name[0] ? m->name : m->architecture, 0);
    printf(", %.2f M parameters, %s; a token reads %s\n\n", (double)m->parameter_count * 1e-6,
           format_bytes((double)m->weight_bytes, weights), format_bytes(b->token_bytes, token));
    printf("%-16s %22s %10s %12s %9s\n", "test", "tokens/s (mean, sd)", "median", "limit",
           "share");
    print_series(&b->prompt);
    print_series(&b->generate);
    putchar('\n');
    print_figures("machine before", &b->before);
    print_figures("machine after", &b->after);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static json_t *json_series(const series *s, int64_t tokens, int64_t depth)
{
    json_t *samples = json_array();
    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(samples, json_real(s->samples[i]));
    json_t *entry = json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:o}", "name", s->name, "tokens",
                              (json_int_t)tokens, "depth", (json_int_t)depth, "mean", s->mean,
                              "stddev", s->deviation, "median", s->median, "samples", samples);
    const bool known = s->limit > 0;
    json_object_set_new(entry, "limit", known ? json_real(s->limit) : json_null());
    json_object_set_new(entry, "share", known ? json_real(s->median / s->limit) : json_null());
    json_object_set_new(entry, "bound", known ? json_string(s->bound) : json_null());
    return entry;
}

static json_t *json_figures(const het_device_figures *f)
{
    return json_pack("{s:s, s:f, s:f, s:f, s:f}", "source", source_name(f->source),
                     "read_bytes_per_s", f->read_bytes_per_s, "f32_ops_per_s", f->f32_ops_per_s,
                     "bf16_ops_per_s", f->bf16_ops_per_s, "int8_ops_per_s", f->int8_ops_per_s);
}

int bench_print_json(const bench *b)
{
    const het_model_info *m = &b->engine->info;
    const bench_request *r = b->request;
    json_t *root = json_begin("bench"), *tests = json_array();
    json_object_set_new(root, "model",
                        json_pack("{s:s, s:I, s:I}", "architecture", m->architecture,
                                  "parameter_count", (json_int_t)m->parameter_count,
                                  "weight_bytes", (json_int_t)m->weight_bytes));
    if (b->prompt.count)
        json_array_append_new(tests, json_series(&b->prompt, r->prompt, 0));
    if (b->generate.count)
        json_array_append_new(tests, json_series(&b->generate, r->generate, r->depth));
    json_object_set_new(root, "tests", tests);
    json_object_set_new(root, "token_bytes", json_real(b->token_bytes));
    json_object_set_new(root, "prompt_flops", json_real(b->prompt_flops));
    json_object_set_new(root, "load_s", json_real(b->engine->load_s));
    json_object_set_new(root, "peak_memory_bytes", json_integer((json_int_t)peak_memory_bytes()));
    json_object_set_new(root, "before", json_figures(&b->before));
    json_object_set_new(root, "after", json_figures(&b->after));
    return json_end(root);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer quantize: a model's weights in smaller types, what became of each, and with --check what
 * the model lost by it over a text. */
#include "commands.h"
#include "common.h"
#include "compare.h"
#include "interrupt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct request {
    texts paths; /* from, to */
    const char *type, *check, *importance;
    char *text; /* of importance, for free() */
    texts overrides;
    bool keep_output, keep_embedding, again;
    settings settings;
    het_quantize_override list[TEXTS_MAX];
    char *patterns[TEXTS_MAX]; /* for free() */
} request;

/* ---- options ---- */

/* "PATTERN=TYPE"; the type "keep" leaves what fits as it is. */
static int read_override(request *r, size_t index)
{
    const char *text = r->overrides.at[index], *equals = strrchr(text, '=');
    if (!equals || equals == text)
        return usage_error("quantize", "--override wants PATTERN=TYPE, not '%s'", text);
    const bool keep = strcmp(equals + 1, "keep") == 0;
    const het_dtype type = find_dtype(equals + 1);
    if (!keep && !type)
        return usage_error("quantize", "--override: there is no type '%s'", equals + 1);
    const size_t n = (size_t)(equals - text);
    char *pattern = malloc(n + 1);
    if (!pattern)
        return failure("out of memory");
    memcpy(pattern, text, n);
    pattern[n] = '\0';
    r->patterns[index] = pattern;
    r->list[index] = (het_quantize_override){ .pattern = pattern,
                                              .type = keep ? 0 : (uint32_t)type };
    return STATUS_GO;
}

static int read_options(request *r, het_quantize_options *o)
{
    const het_dtype type = r->type ? find_dtype(r->type) : HET_DTYPE_Q8_0;
    if (r->paths.count != 2)
        return usage_error("quantize", "give a model and the file to write");
    if (!type)
        return usage_error("quantize", "--type: there is no type '%s'", r->type);
    int status = STATUS_GO;
    for (size_t i = 0; status == STATUS_GO && i < r->overrides.count; i++)
        status = read_override(r, i);
    o->type = (uint32_t)type;
    o->flags = (r->keep_output ? HET_QUANTIZE_KEEP_OUTPUT : 0) |
               (r->keep_embedding ? HET_QUANTIZE_KEEP_EMBEDDING : 0) |
               (r->again ? HET_QUANTIZE_AGAIN : 0);
    o->threads = (uint32_t)r->settings.threads;
    o->overrides = r->list;
    o->override_count = r->overrides.count;
    if (status == STATUS_GO && r->importance) {
        r->text = read_file(r->importance, &o->importance_bytes);
        o->importance = r->text;
        status = r->text ? STATUS_GO : STATUS_FAILED;
    }
    return status;
}

/* ---- output ---- */

/* Error in parts of the values' size; what was copied has none. */
static double relative(double error, double value)
{
    return value > 0 ? error / value : 0;
}

static double ratio(uint64_t source, uint64_t target)
{
    return target ? (double)source / (double)target : 0;
}

static int tensor_at(const het_quantization *q, uint32_t index, het_quantization_tensor *t)
{
    memset(t, 0, sizeof *t);
    t->struct_size = sizeof *t;
    const het_status status = het_quantization_at(q, index, t);
    return status ? failure("tensor %u: %s", index, het_status_name(status)) : STATUS_GO;
}

static const char *result_name(uint32_t result)
{
    static const char *const names[] = { "copied", "encoded", "replaced" };
    return result < sizeof names / sizeof names[0] ? names[result] : "unknown";
}

static void print_comparison(const comparison *c)
{
    printf("perplexity  %.4f before, %.4f after (%+.3f %%), %zu tokens\n", exp(c->nll[0]),
           exp(c->nll[1]), 100 * (exp(c->nll[1] - c->nll[0]) - 1), c->scored);
    printf("divergence  %.6f nats per token\n", c->divergence);
    printf("same top    %.2f %%\n", 100 * c->same_top);
}

static int print_table(const het_quantization *q, const het_quantization_info *t,
                       const comparison *c)
{
    char before[32], after[32];
    printf("%-32s %-6s %-6s %12s %12s %6s %10s %9s\n", "tensor", "from", "to", "bytes before",
           "after", "ratio", "rms error", "relative");
    for (uint32_t i = 0; i < t->tensor_count; i++) {
        het_quantization_tensor r;
        const int status = tensor_at(q, i, &r);
        if (status != STATUS_GO)
            return status;
        print_safe(r.name, 32);
        printf(" %-6s %-6s %12llu %12llu %6.2f", het_dtype_name((het_dtype)r.source_type),
               het_dtype_name((het_dtype)r.type), (unsigned long long)r.source_bytes,
               (unsigned long long)r.target_bytes, ratio(r.source_bytes, r.target_bytes));
        if (r.result != HET_QUANTIZE_COPIED)
            printf(" %10.3g %7.3f %%", r.rms_error, 100 * relative(r.rms_error, r.rms_value));
        puts(r.result == HET_QUANTIZE_REPLACED ? "  rows do not fit the type" : "");
    }
    printf("\n%u of %u tensors encoded: %s, before %s (%.2f to one), rms error %.3f %%\n",
           t->encoded_count, t->tensor_count, format_bytes((double)t->target_bytes, after),
           format_bytes((double)t->source_bytes, before), ratio(t->source_bytes, t->target_bytes),
           100 * relative(t->rms_error, t->rms_value));
    if (c)
        print_comparison(c);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static json_t *json_tensor(const het_quantization_tensor *r)
{
    return json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:b, s:f, s:f, s:f}", "name",
                     json_text(r->name, strlen(r->name)), "result", result_name(r->result),
                     "source_type", het_dtype_name((het_dtype)r->source_type), "type",
                     het_dtype_name((het_dtype)r->type), "elements", (json_int_t)r->elements,
                     "source_bytes", (json_int_t)r->source_bytes, "target_bytes",
                     (json_int_t)r->target_bytes, "ratio",
                     ratio(r->source_bytes, r->target_bytes), "is_weighed", r->is_weighed,
                     "rms_error", r->rms_error,
                     "rms_value", r->rms_value, "error_max", r->error_max);
}

static json_t *json_comparison(const comparison *c)
{
    if (!c)
        return json_null();
    return json_pack("{s:I, s:f, s:f, s:f, s:f}", "scored", (json_int_t)c->scored,
                     "perplexity_before", exp(c->nll[0]), "perplexity_after", exp(c->nll[1]),
                     "divergence", c->divergence, "same_top", c->same_top);
}

static int print_json(const het_quantization *q, const het_quantization_info *t,
                      const comparison *c)
{
    json_t *root = json_begin("quantize"), *list = json_array();
    int status = STATUS_GO;
    for (uint32_t i = 0; status == STATUS_GO && i < t->tensor_count; i++) {
        het_quantization_tensor r;
        status = tensor_at(q, i, &r);
        if (status == STATUS_GO)
            json_array_append_new(list, json_tensor(&r));
    }
    json_object_set_new(root, "type", json_string(het_dtype_name((het_dtype)t->type)));
    json_object_set_new(root, "totals",
                        json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "tensor_count",
                                  (json_int_t)t->tensor_count, "encoded_count",
                                  (json_int_t)t->encoded_count, "source_bytes",
                                  (json_int_t)t->source_bytes, "target_bytes",
                                  (json_int_t)t->target_bytes, "ratio",
                                  ratio(t->source_bytes, t->target_bytes), "rms_error",
                                  t->rms_error, "rms_value", t->rms_value));
    json_object_set_new(root, "tensors", list);
    json_object_set_new(root, "check", json_comparison(c));
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}

/* ---- command ---- */

static int write_model(const request *r, het_quantize_options *o, het_quantization **q)
{
    engine e = { 0 };
    het_error err = HET_ERROR_INIT;
    progress bar;
    /* Weights of folders and packages are there once they are loaded whole. */
    const bool inspects = is_gguf(r->paths.at[0]) && !r->importance;
    const uint64_t flags = inspects ? HET_MODEL_INSPECT_ONLY : 0;
    int status = engine_model(&e, &r->settings, r->paths.at[0], flags);
    if (status == STATUS_GO) {
        progress_begin(&bar, r->settings.quiet);
        o->progress = progress_update;
        o->progress_user = &bar;
        const het_status made = het_quantize(e.model, o, r->paths.at[1], q, &err);
        progress_end(&bar);
        status = made ? failure_of(made, &err) : STATUS_GO;
    }
    engine_close(&e);
    return status;
}

/* What the written file lost. */
static int check_model(const request *r, engine *original, comparison *c)
{
    engine e = { 0 };
    int status = engine_model(&e, &r->settings, r->paths.at[1], 0);
    if (status == STATUS_GO)
        status = compare_models(original, &e, &r->settings, r->check, c);
    engine_close(&e);
    return status;
}

static int quantize(request *r, het_quantize_options *o)
{
    engine original = { 0 };
    het_quantization *q = NULL;
    comparison c = { 0 };
    int status = STATUS_GO;
    if (r->check) { /* opened before the file is written, which may replace it */
        status = engine_model(&original, &r->settings, r->paths.at[0], 0);
        if (status == STATUS_GO)
            status = engine_need_language(&original, r->paths.at[0]);
    }
    if (status == STATUS_GO)
        status = write_model(r, o, &q);
    if (status == STATUS_GO && r->check)
        status = check_model(r, &original, &c);
    het_quantization_info info = { .struct_size = sizeof info };
    if (status == STATUS_GO && het_quantization_get_info(q, &info))
        status = failure("the report does not describe itself");
    if (status == STATUS_GO)
        status = r->settings.json ? print_json(q, &info, r->check ? &c : NULL)
                                  : print_table(q, &info, r->check ? &c : NULL);
    het_quantization_destroy(q);
    engine_close(&original);
    return status;
}

int command_quantize(int argc, char **argv)
{
    request r = { .type = NULL };
    het_quantize_options q = HET_QUANTIZE_OPTIONS_INIT;
    options o;
    options_begin(&o, "quantize", "MODEL OUT", "Write a GGUF file with smaller weights.");
    o.operands = &r.paths;
    options_text(&o, "type", 0, &r.type, "TYPE",
                 "f16, bf16, int8, q4_0, q4_1, q5_0, q5_1, q8_0, q2_k…q6_k, iq4_nl, mxfp4 (q8_0)");
    options_texts(&o, "override", &r.overrides, "PATTERN=TYPE",
                  "Another type, or keep, for tensors of such names; the first counts");
    options_flag(&o, "keep-output", 0, &r.keep_output, "Leave the output matrix as it is");
    options_flag(&o, "keep-embedding", 0, &r.keep_embedding, "Leave the table as it is");
    options_flag(&o, "again", 0, &r.again, "Encode anew what is in a block format");
    options_text(&o, "importance", 0, &r.importance, "TEXT",
                 "Weigh errors by what the columns of matrices are worth while reading this");
    options_text(&o, "check", 0, &r.check, "TEXT", "Compare with the original over this text");
    settings_session(&o, &r.settings);
    settings_output(&o, &r.settings);
    const char *none = NULL;
    int status = options_parse(&o, argc, argv, &none);
    if (status == STATUS_GO)
        status = read_options(&r, &q);
    if (status == STATUS_GO) {
        interrupt_begin();
        status = quantize(&r, &q);
        interrupt_end();
    }
    for (size_t i = 0; i < r.overrides.count; i++)
        free(r.patterns[i]);
    free(r.text);
    return status;
}

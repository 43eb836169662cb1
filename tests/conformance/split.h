/* SPDX-License-Identifier: Apache-2.0 */
/* What is compared where a model is spread over devices: how far numbers are off, tokens that a
 * language model generates, and one run of a network of small images. */
#ifndef HETINFER_TEST_SPLIT_H
#define HETINFER_TEST_SPLIT_H

#include <stdbool.h>

#include <hetinfer.h>

#include "test.h"

#define SPLIT_TOLERANCE 2e-4 /* times the largest: float32 through a dozen layers */
#define SPLIT_IMAGES 4
#define SPLIT_PIXELS (SPLIT_IMAGES * 3 * 4096)
#define SPLIT_SCORES (SPLIT_IMAGES * 64)
#define SPLIT_PROMPT 20
#define SPLIT_STEPS 12

/* The largest difference over the largest that is wanted; a NaN is infinitely far off. */
static inline double split_worst_of(const float *got, const float *want, size_t count)
{
    double worst = 0, largest = 1e-3;
    for (size_t i = 0; i < count; i++) {
        const double e = fabs((double)got[i] - (double)want[i]);
        largest = fmax(largest, fabs((double)want[i]));
        if (!(e <= worst))
            worst = isnan(e) ? INFINITY : e;
    }
    return worst / largest;
}

typedef struct split_generated {
    int32_t ids[SPLIT_STEPS];
    float *logits; /* SPLIT_STEPS rows */
    size_t vocabulary;
    bool good;
} split_generated;

static inline int32_t split_largest_of(const float *row, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (row[i] > row[best])
            best = i;
    return (int32_t)best;
}

/* A prompt of made-up tokens, and greedy ones behind it; g->good is returned. */
static inline bool split_generate(het_session *s, split_generated *g, het_error *err)
{
    int32_t ids[SPLIT_PROMPT];
    het_sequence *q = NULL;
    for (int i = 0; i < SPLIT_PROMPT; i++)
        ids[i] = (int32_t)(3 + (size_t)i * 37 % (g->vocabulary - 3));
    g->good = het_sequence_create(s, &q, NULL) == HET_OK &&
              het_sequence_append(q, ids, SPLIT_PROMPT, 0, NULL) == HET_OK;
    for (int i = 0; i < SPLIT_STEPS && g->good; i++) {
        int64_t first;
        uint32_t rows = 0;
        while (g->good && het_sequence_pending(q) > 0)
            g->good = het_session_step(s, NULL, err) == HET_OK;
        const float *logits = g->good ? het_sequence_logits(q, &first, &rows) : NULL;
        g->good = logits && rows > 0;
        if (!g->good)
            break;
        memcpy(g->logits + (size_t)i * g->vocabulary, logits + (rows - 1) * g->vocabulary,
               g->vocabulary * sizeof *logits);
        g->ids[i] = split_largest_of(logits + (rows - 1) * g->vocabulary, g->vocabulary);
        g->good = het_sequence_append(q, &g->ids[i], 1, 0, NULL) == HET_OK;
    }
    het_sequence_destroy(q);
    return g->good;
}

static inline void split_make_images(float *pixels)
{
    uint64_t seed = 3;
    for (int i = 0; i < SPLIT_PIXELS; i++)
        pixels[i] = fabsf(test_random_float(&seed));
}

/* The first output of SPLIT_SCORES at most, of SPLIT_IMAGES images bound to the first input, or of
 * as many as it wants. */
static inline bool split_run_network(const het_model *model, het_session *s, float *pixels,
                                     float *out, size_t *out_count, het_error *err)
{
    het_port in_port = { .struct_size = sizeof in_port };
    het_port out_port = { .struct_size = sizeof out_port };
    het_tensor in = HET_TENSOR_INIT, result = HET_TENSOR_INIT;
    if (het_model_input_at(model, 0, &in_port) != HET_OK ||
        het_model_output_at(model, 0, &out_port) != HET_OK)
        return false;
    in.desc = in_port.desc;
    if (in.desc.extent[0] <= 0)
        in.desc.extent[0] = SPLIT_IMAGES;
    in.data = pixels;
    in.size_bytes = (size_t)in.desc.extent[0] * sizeof(float);
    for (uint32_t i = 1; i < in.desc.rank; i++)
        in.size_bytes *= (size_t)in.desc.extent[i];
    if (in.size_bytes > SPLIT_PIXELS * sizeof *pixels ||
        het_session_bind_input(s, in_port.name, &in, err) != HET_OK ||
        het_session_run(s, err) != HET_OK ||
        het_session_get_output(s, out_port.name, &result, err) != HET_OK ||
        result.desc.dtype != HET_DTYPE_F32 || result.size_bytes > SPLIT_SCORES * sizeof *out)
        return false;
    *out_count = result.size_bytes / sizeof *out;
    memcpy(out, result.data, result.size_bytes);
    return true;
}

/* Calls fn for the models FOLDER/NAME.SUFFIX of the source whose names have `wanted` in them. */
static inline void split_each_file(het_context *context, const char *wanted, const char *folder,
                                   const char *suffix, const char *const *names, size_t count,
                                   void (*fn)(const char *, const het_model *))
{
    for (size_t i = 0; i < count; i++) {
        char path[512], file[128];
        het_model *model = NULL;
        het_error err = HET_ERROR_INIT;
        if (!strstr(names[i], wanted))
            continue;
        snprintf(file, sizeof file, "%s/%s.%s", folder, names[i], suffix);
        if (het_model_load(context, test_source_path(path, sizeof path, file), NULL, &model,
                           &err) == HET_OK)
            fn(names[i], model);
        else
            TEST_FAIL("%s: %s", names[i], err.message);
        het_model_destroy(model);
    }
}

#endif /* HETINFER_TEST_SPLIT_H */

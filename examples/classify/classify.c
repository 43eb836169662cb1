/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a picture: classify MODEL IMAGE [options]. The model is an ONNX file with one input of
 * images and scores of classes as its first output.
 *
 * Everything that is known about a model is asked of it: extents and order of its input, number of
 * classes. What a file does not say is an option: how the values of pixels were scaled in training,
 * and what the classes are called. */
#include <hetinfer.h>

#include "image.h"
#include "labels.h"
#include "options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct engine {
    het_context *context;
    het_model *model;
    het_session *session;
    het_port input, output;
    float *values; /* of the input */
} engine;

/* ---- the model ---- */

static het_status refuse(het_error *err, const char *text)
{
    snprintf(err->message, sizeof err->message, "%s", text);
    return HET_E_UNSUPPORTED;
}

/* The extents of an image of one input: [N, C, H, W], [N, H, W, C], or either without N. */
static bool find_layout(const het_tensor_desc *desc, unsigned side, image_layout *l)
{
    if (desc->rank != 3 && desc->rank != 4)
        return false;
    const int64_t *e = desc->extent + (desc->rank - 3);
    if (desc->rank == 4 && desc->extent[0] != 1 && desc->extent[0] != -1)
        return false;
    const bool first = e[0] == 1 || e[0] == 3;
    if (!first && e[2] != 1 && e[2] != 3)
        return false;
    int64_t height = first ? e[1] : e[0], width = first ? e[2] : e[1];
    height = height == -1 ? side : height;
    width = width == -1 ? side : width;
    if (height < 1 || height > SIDE_MAX || width < 1 || width > SIDE_MAX)
        return false;
    l->channels_last = !first;
    l->channels = (uint32_t)(first ? e[0] : e[2]);
    l->height = (uint32_t)height;
    l->width = (uint32_t)width;
    return true;
}

static het_status start(engine *e, const options *o, het_error *err)
{
    het_session_options so = HET_SESSION_OPTIONS_INIT;
    so.devices = o->devices;
    so.threads = o->threads;
    e->input.struct_size = e->output.struct_size = sizeof(het_port);
    het_status status = het_context_create(NULL, &e->context, err);
    if (!status)
        status = het_model_load(e->context, o->model, NULL, &e->model, err);
    if (status)
        return status;
    if (het_model_input_count(e->model) != 1 || het_model_output_count(e->model) == 0 ||
        het_model_input_at(e->model, 0, &e->input) || het_model_output_at(e->model, 0, &e->output))
        return refuse(err, "the model does not take one image and give scores");
    return het_session_create(e->model, &so, &e->session, err);
}

static void finish(engine *e)
{
    het_session_destroy(e->session);
    het_model_destroy(e->model);
    het_context_destroy(e->context);
    free(e->values);
}

/* Fits the picture into e->values and lends these to the session. */
static het_status give_image(engine *e, const options *o, const image *picture, het_error *err)
{
    het_tensor tensor = HET_TENSOR_INIT;
    image_layout l = o->layout;
    if (e->input.desc.dtype != HET_DTYPE_F32 || !find_layout(&e->input.desc, o->side, &l))
        return refuse(err, "the model's input is no single image of 32-bit floating-point numbers");
    const size_t count = (size_t)l.width * l.height * l.channels;
    e->values = malloc(count * sizeof *e->values);
    if (!e->values || !image_fit(picture, &l, e->values)) {
        snprintf(err->message, sizeof err->message, "out of memory");
        return HET_E_NOMEM;
    }
    tensor.data = e->values;
    tensor.size_bytes = count * sizeof *e->values;
    tensor.desc = e->input.desc;
    int64_t *extent = tensor.desc.extent;
    if (tensor.desc.rank == 4)
        *extent++ = 1;
    extent[l.channels_last ? 2 : 0] = l.channels;
    extent[l.channels_last ? 0 : 1] = l.height;
    extent[l.channels_last ? 1 : 2] = l.width;
    return het_session_bind_input(e->session, e->input.name, &tensor, err);
}

static het_status compute(engine *e, const options *o, het_tensor *scores, het_error *err)
{
    image picture;
    char why[200];
    if (!image_load(&picture, o->image, why, sizeof why)) {
        snprintf(err->message, sizeof err->message, "%.100s: %.100s", o->image, why);
        return HET_E_FORMAT;
    }
    het_status status = give_image(e, o, &picture, err);
    image_free(&picture);
    if (!status)
        status = het_session_run(e->session, err);
    if (!status)
        status = het_session_get_output(e->session, e->output.name, scores, err);
    if (status)
        return status;
    if (scores->desc.dtype != HET_DTYPE_F32 || het_tensor_desc_bytes(&scores->desc) <= 0)
        return refuse(err, "the model's output is no list of 32-bit floating-point numbers");
    return HET_OK;
}

/* ---- what it means ---- */

/* Scores to probabilities in place, unless they are probabilities already. */
static void soften(double *scores, size_t count)
{
    double top = scores[0], low = scores[0], sum = 0;
    for (size_t i = 0; i < count; i++) {
        top = fmax(top, scores[i]);
        low = fmin(low, scores[i]);
        sum += scores[i];
    }
    if (low >= 0 && top <= 1 && fabs(sum - 1) < 1e-3)
        return;
    sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += scores[i] = exp(scores[i] - top);
    for (size_t i = 0; i < count; i++)
        scores[i] /= sum;
}

static void print_top(double *shares, size_t count, unsigned top, const labels *names)
{
    for (unsigned k = 0; k < top && k < count; k++) {
        size_t best = 0;
        for (size_t i = 1; i < count; i++)
            if (shares[i] > shares[best])
                best = i;
        if (best < names->count)
            printf("%6.2f %%  %s\n", 100 * shares[best], names->line[best]);
        else
            printf("%6.2f %%  class %zu\n", 100 * shares[best], best);
        shares[best] = -1;
    }
}

static bool show(const het_tensor *scores, const options *o)
{
    labels names = { 0 };
    const size_t count = (size_t)het_tensor_desc_bytes(&scores->desc) / sizeof(float);
    double *shares = malloc(count * sizeof *shares);
    bool ok = shares && (!o->labels || labels_load(&names, o->labels));
    for (size_t i = 0; ok && i < count; i++) {
        shares[i] = ((const float *)scores->data)[i];
        ok = isfinite(shares[i]);
    }
    if (ok) {
        soften(shares, count);
        print_top(shares, count, o->top, &names);
    } else if (!shares) {
        fprintf(stderr, "classify: out of memory\n");
    } else if (o->labels && !names.line) {
        fprintf(stderr, "classify: %s: no labels can be read\n", o->labels);
    } else {
        fprintf(stderr, "classify: the model gives scores that are no numbers\n");
    }
    labels_free(&names);
    free(shares);
    return ok;
}

int main(int argc, char **argv)
{
    options o;
    const int status = options_parse(&o, argc, argv);
    if (status != OPTIONS_RUN)
        return status;
    engine e = { 0 };
    het_error err = HET_ERROR_INIT;
    het_tensor scores = HET_TENSOR_INIT;
    bool ok = !start(&e, &o, &err) && !compute(&e, &o, &scores, &err);
    if (ok)
        ok = show(&scores, &o) && fflush(stdout) == 0;
    else
        fprintf(stderr, "classify: %s\n", err.message);
    finish(&e);
    return ok ? 0 : 1;
}

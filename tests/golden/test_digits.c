/* SPDX-License-Identifier: Apache-2.0 */
/* The digits networks of examples/models against scores that other programs computed from the same
 * files (tests/models/train_digits.py), through the public functions alone: all images at once and
 * in odd groups, into memory of the session and of the caller; what does not fit is refused.
 *
 *     test_digits DEVICES */
#include <stdbool.h>

#include <hetinfer.h>

#include "test.h"

#define IMAGES 100
#define PIXELS 64
#define CLASSES 10
#define DRAWN 10 /* the first images are the digits themselves */

typedef struct network {
    const char *name;
    double bound;  /* of the largest difference, as a share of the scores' range; 0: see below */
    bool integers; /* scores lie on a grid: a few may be one step off */
} network;

static const network networks[] = {
    { "digits-conv", 1e-4, false },
    { "digits-vit", 1e-4, false },
    { "digits-conv-int8", 0, true },
};

static const char *devices;
static het_context *context;
static float images[IMAGES * PIXELS];

/* Data of a float32 .npy file of exactly count numbers, behind a header whose length stands at
 * byte 8. */
static bool read_npy(const char *name, float *out, size_t count)
{
    char path[512], file[128];
    size_t bytes = 0;
    snprintf(file, sizeof file, "tests/models/reference/%s.npy", name);
    unsigned char *raw = test_read_file(test_source_path(path, sizeof path, file), &bytes);
    bool ok = raw && bytes > 10 && memcmp(raw, "\x93NUMPY", 6) == 0;
    const size_t head = ok ? 10 + (size_t)raw[8] + 256 * (size_t)raw[9] : 0;
    ok = ok && bytes == head + count * sizeof *out;
    if (ok)
        memcpy(out, raw + head, count * sizeof *out);
    else
        TEST_FAIL("cannot read %s", path);
    free(raw);
    return ok;
}

static het_tensor tensor_of(const float *data, int64_t count, int64_t channels, int64_t side)
{
    het_tensor t = HET_TENSOR_INIT;
    t.desc.dtype = HET_DTYPE_F32;
    t.desc.rank = 4;
    t.desc.extent[0] = count;
    t.desc.extent[1] = channels;
    t.desc.extent[2] = t.desc.extent[3] = side;
    t.size_bytes = (size_t)(count * channels * side * side) * sizeof *data;
    t.data = (void *)(uintptr_t)data; /* inputs are only read */
    return t;
}

/* ---- scores ---- */

/* Scores of images [first, first + count) to their rows; own: into memory of ours. */
static void run_group(het_session *s, int64_t first, int64_t count, bool own, float *scores)
{
    het_error err = HET_ERROR_INIT;
    const het_tensor in = tensor_of(images + first * PIXELS, count, 1, 8);
    float *rows = scores + first * CLASSES;
    het_tensor out = HET_TENSOR_INIT, bound = HET_TENSOR_INIT;
    bound.data = rows;
    bound.size_bytes = (size_t)count * CLASSES * sizeof *rows;
    if (het_session_bind_input(s, "image", &in, &err) ||
        het_session_bind_output(s, "scores", own ? &bound : NULL, &err) ||
        het_session_run(s, &err) || het_session_get_output(s, "scores", &out, &err)) {
        TEST_FAIL("images %" PRId64 " to %" PRId64 ": %s", first, first + count, err.message);
        return;
    }
    CHECK_INT(out.desc.dtype, HET_DTYPE_F32);
    CHECK_INT(out.desc.rank, 2);
    CHECK_INT(out.desc.extent[0], count);
    CHECK_INT(out.desc.extent[1], CLASSES);
    CHECK(!own || out.data == (void *)rows);
    if (het_tensor_desc_bytes(&out.desc) == (int64_t)bound.size_bytes && !own)
        memcpy(rows, out.data, bound.size_bytes);
}

static void run_groups(het_session *s, const int64_t *sizes, size_t size_count, bool own,
                       float *scores)
{
    size_t turn = 0;
    memset(scores, 0, IMAGES * CLASSES * sizeof *scores);
    for (int64_t first = 0; first < IMAGES;) {
        const int64_t n = sizes[turn++ % size_count], left = IMAGES - first;
        run_group(s, first, n < left ? n : left, own, scores);
        first += n;
    }
}

/* Distance of neighbours on the grid of scores. */
static double grid_step(const float *want)
{
    double step = INFINITY;
    for (size_t i = 0; i < IMAGES * CLASSES; i++)
        for (size_t k = 0; k < i; k++) {
            const double d = fabs((double)want[i] - (double)want[k]);
            step = d > 1e-6 && d < step ? d : step;
        }
    return step;
}

static void compare(const network *n, const char *how, const float *got, const float *want)
{
    double most = 0, low = want[0], high = want[0];
    size_t unequal = 0;
    const double step = n->integers ? grid_step(want) : 0;
    for (size_t i = 0; i < IMAGES * CLASSES; i++) {
        const double d = fabs((double)got[i] - (double)want[i]);
        most = d <= most ? most : d;
        unequal += !(d < step / 2);
        low = fmin(low, want[i]);
        high = fmax(high, want[i]);
    }
    if (n->integers) {
        printf("  %s %s: %zu of %d not equal, by %.2f steps at most\n", n->name, how, unequal,
               IMAGES * CLASSES, most / step);
        CHECK(unequal <= IMAGES * CLASSES / 1000);
        CHECK_NEAR(most / step, 0, 1.01);
    } else {
        printf("  %s %s: %.2e of a range of %.1f\n", n->name, how, most, high - low);
        CHECK_NEAR(most, 0, n->bound * (high - low));
    }
}

static void check_drawn(const float *scores)
{
    for (int i = 0; i < DRAWN; i++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (scores[i * CLASSES + c] > scores[i * CLASSES + best])
                best = c;
        CHECK_INT(best, i);
    }
}

/* ---- ports, and what does not fit ---- */

static void check_ports(const het_model *model)
{
    het_port in = { .struct_size = sizeof in }, out = { .struct_size = sizeof out };
    CHECK_INT(het_model_input_count(model), 1);
    CHECK_INT(het_model_output_count(model), 1);
    CHECK_INT(het_model_input_at(model, 0, &in), HET_OK);
    CHECK_INT(het_model_output_at(model, 0, &out), HET_OK);
    CHECK_STR(in.name, "image");
    CHECK_STR(out.name, "scores");
    CHECK_INT(in.desc.dtype, HET_DTYPE_F32);
    CHECK_INT(in.desc.rank, 4);
    CHECK_INT(in.desc.extent[0], -1);
    CHECK_INT(in.desc.extent[3], 8);
    CHECK_STR(in.symbol[0], "N");
    CHECK(in.symbol[1] == NULL);
    /* What the file says of an output may or may not be known before a run. */
    if (!(out.desc.flags & HET_TENSOR_RANK_UNKNOWN))
        CHECK_INT(out.desc.extent[1], CLASSES);
}

static void check_refusals(het_session *s)
{
    const het_tensor wide = tensor_of(images, 1, 3, 8), right = tensor_of(images, 1, 1, 8);
    het_tensor type = right, small = right, tight = HET_TENSOR_INIT;
    float room[CLASSES - 1];
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het_session_run(s, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "image") != NULL);
    CHECK_INT(het_session_bind_input(s, "picture", &right, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "picture") != NULL);
    CHECK_INT(het_session_bind_input(s, "image", &wide, &err), HET_E_INVALID);
    type.desc.dtype = HET_DTYPE_I32;
    CHECK_INT(het_session_bind_input(s, "image", &type, &err), HET_E_INVALID);
    small.size_bytes--;
    CHECK_INT(het_session_bind_input(s, "image", &small, &err), HET_E_INVALID);
    tight.data = room;
    tight.size_bytes = sizeof room;
    CHECK_INT(het_session_bind_input(s, "image", &right, &err), HET_OK);
    CHECK_INT(het_session_bind_output(s, "scores", &tight, &err), HET_OK);
    CHECK_INT(het_session_run(s, &err), HET_E_INVALID);
    CHECK_INT(het_session_bind_output(s, "scores", NULL, &err), HET_OK);
}

/* ---- one network ---- */

static void check_session(const network *n, het_session *s, const float *want)
{
    static const int64_t whole[] = { IMAGES }, one[] = { 1 }, odd[] = { 3, 1, 17, 2, 5 };
    float got[IMAGES * CLASSES];
    check_refusals(s);
    run_groups(s, whole, 1, false, got);
    compare(n, "whole", got, want);
    check_drawn(got);
    run_groups(s, one, 1, true, got);
    compare(n, "single", got, want);
    run_groups(s, odd, 5, true, got);
    compare(n, "odd", got, want);
}

static void check_network(const network *n)
{
    char path[512], file[128];
    float want[IMAGES * CLASSES];
    het_model *model = NULL;
    het_session *session = NULL;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    o.devices = devices;
    o.threads = 2;
    snprintf(file, sizeof file, "%s.scores", n->name);
    if (!read_npy(file, want, IMAGES * CLASSES))
        return;
    snprintf(file, sizeof file, "examples/models/%s.onnx", n->name);
    if (het_model_load(context, test_source_path(path, sizeof path, file), NULL, &model, &err) ||
        het_session_create(model, &o, &session, &err)) {
        TEST_FAIL("%s: %s", path, err.message);
    } else {
        check_ports(model);
        check_session(n, session, want);
    }
    het_session_destroy(session);
    het_model_destroy(model);
}

int main(int argc, char **argv)
{
    het_error err = HET_ERROR_INIT;
    devices = argc > 1 ? argv[1] : "ref";
    if (!read_npy("digits.images", images, IMAGES * PIXELS))
        return 1;
    if (het_context_create(NULL, &context, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        const int before = test_failures;
        check_network(&networks[i]);
        printf("%s %s\n", test_failures == before ? "ok    " : "FAILED", networks[i].name);
    }
    het_context_destroy(context);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What slides a window over an image: tables from torch (tests/vectors/make_windows.py), properties
 * that no table shows, arithmetic, and what must be refused. */
#include <limits.h>

#include "lib/ir/window.h"
#include "vector_case.h"

#include "vectors/window.h"

#define F32 HET_DTYPE_F32
#define I64 HET_DTYPE_I64
#define U8 HET_DTYPE_U8

static void vectors(void)
{
    for (size_t i = 0; i < sizeof vector_cases / sizeof vector_cases[0]; i++)
        vector_check(&vector_cases[i]);
}

/* Extents of outputs need no contents, and do not depend on them. */
static void rules_without_contents(void)
{
    for (size_t i = 0; i < sizeof vector_cases / sizeof vector_cases[0]; i++) {
        const vector_case *v = &vector_cases[i];
        bool unknown;
        vector_load(v);
        CHECK_INT(case_rule(&unknown), HET_OK);
        CHECK(!unknown);
        for (uint32_t o = 0; o < v->output_count; o++)
            for (uint32_t k = 0; k < v->outputs[o].rank; k++)
                CHECK_INT(eval_case.out[o].extent[k], v->outputs[o].extent[k]);
    }
}

/* ---- windows at and beyond the edge ---- */

static void window_in_the_padding(void)
{
    case_begin("MaxPool", 12);
    case_input(F32, 3, E(1, 1, 2), V(-5, -7));
    case_ints("kernel_shape", 1, E(2));
    case_ints("dilations", 1, E(5));
    case_ints("pads", 2, E(4, 4));
    eval_case.outputs = 2;
    CHECK_INT(case_run(), HET_OK);
    /* Taps at -4 and 1, -3 and 2, -2 and 3, -1 and 4, 0 and 5. */
    case_check(0, F32, 3, E(1, 1, 5),
               V(-7, -(double)3.402823466e38f, -(double)3.402823466e38f,
                 -(double)3.402823466e38f, -5),
               0);
    case_check(1, I64, 3, E(1, 1, 5), V(1, -1, -1, -1, 0), 0);

    case_begin("AveragePool", 19);
    case_input(F32, 3, E(1, 1, 2), V(-5, -7));
    case_ints("kernel_shape", 1, E(2));
    case_ints("dilations", 1, E(5));
    case_ints("pads", 2, E(4, 4));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 1, 5), V(-7, 0, 0, 0, -5), 0);
}

static void last_window_of_ceil_mode(void)
{
    /* Two windows would do for 2 + 2 * 1 by 3, but the second starts behind image and pad. */
    case_begin("AveragePool", 19);
    case_input(F32, 3, E(1, 1, 2), V(3, 6));
    case_ints("kernel_shape", 1, E(3));
    case_ints("strides", 1, E(3));
    case_ints("pads", 2, E(1, 1));
    case_int("ceil_mode", 1);
    case_int("count_include_pad", 1);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 1, 1), V(3), 1e-7);
    /* What lies behind the last pad does not count. */
    case_begin("AveragePool", 19);
    case_input(F32, 3, E(1, 1, 3), V(3, 6, 8));
    case_ints("kernel_shape", 1, E(3));
    case_ints("strides", 1, E(2));
    case_ints("pads", 2, E(0, 1));
    case_int("ceil_mode", 1);
    case_int("count_include_pad", 1);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 1, 2), V(17.0 / 3, 4), 1e-6);
}

static void not_a_number(void)
{
    case_begin("MaxPool", 12);
    case_input(F32, 3, E(1, 1, 4), V(1, (double)NAN, 3, 2));
    case_ints("kernel_shape", 1, E(2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 1, 3), V((double)NAN, (double)NAN, 3), 0);
}

static void nothing_to_do(void)
{
    case_begin("Conv", 11); /* no images */
    case_input(F32, 4, E(0, 2, 5, 5), V(0));
    case_input(F32, 4, E(3, 2, 3, 3), (const double[54]){ 0 });
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(0, 3, 3, 3), NULL, 0);
    case_begin("Conv", 11); /* no channels: the bias alone */
    case_input(F32, 3, E(1, 0, 3), V(0));
    case_input(F32, 3, E(2, 0, 2), V(0));
    case_input(F32, 1, E(2), V(5, -1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 2, 2), V(5, 5, -1, -1), 0);
    case_begin("ConvTranspose", 11); /* no elements: the bias alone */
    case_input(F32, 3, E(1, 1, 0), V(0));
    case_input(F32, 3, E(1, 1, 2), V(1, 1));
    case_input(F32, 1, E(1), V(7));
    case_ints("output_shape", 1, E(2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 1, 2), V(7, 7), 0);
    case_begin("GlobalAveragePool", 1);
    case_input(F32, 3, E(1, 2, 0), V(0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 2, 1), V(0, 0), 0);
}

/* Of ones: every output counts the taps inside. */
static void four_axes(void)
{
    static double ones[81];
    double want[256];
    for (int i = 0; i < 81; i++)
        ones[i] = 1;
    for (int i = 0; i < 256; i++) {
        want[i] = 1;
        for (int axis = 0; axis < 4; axis++)
            want[i] *= (i >> (2 * axis) & 3) % 3 == 0 ? 1 : 2;
    }
    case_begin("Conv", 11);
    case_input(F32, 6, E(1, 1, 3, 3, 3, 3), ones);
    case_input(F32, 6, E(1, 1, 2, 2, 2, 2), ones);
    case_ints("pads", 8, E(1, 1, 1, 1, 1, 1, 1, 1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 6, E(1, 1, 4, 4, 4, 4), want, 0);
}

/* Pads of this size are never walked. */
static void huge_pads(void)
{
    case_begin("MaxPool", 12);
    case_input(F32, 4, E(1, 1, 1, 1), V(3));
    case_ints("kernel_shape", 2, E(INT_MAX, INT_MAX));
    case_ints("pads", 4, E(INT_MAX, INT_MAX, INT_MAX, INT_MAX));
    case_ints("strides", 2, E(INT_MAX, INT_MAX));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 1, 2, 2),
               V(-(double)3.402823466e38f, -(double)3.402823466e38f, -(double)3.402823466e38f, 3),
               0);
}

/* ---- pools undone ---- */

static void unpool(bool shape_given)
{
    static const int64_t two = 2;
    case_begin("MaxUnpool", 11);
    case_input(F32, 3, E(1, 2, 2), V(5, 6, 7, 8));
    case_input(I64, 3, E(1, 2, 2), V(1, 2, 4, 7));
    case_ints("kernel_shape", 1, &two);
    case_ints("strides", 1, &two);
    if (shape_given)
        case_input(I64, 1, E(3), V(1, 2, 5));
}

static void pools_undone(void)
{
    bool unknown;
    unpool(false);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 2, 4), V(0, 5, 6, 0, 7, 0, 0, 8), 0);
    unpool(true);
    CHECK_INT(case_rule(&unknown), HET_OK);
    CHECK(unknown);
    CHECK_INT(eval_case.out[0].dtype, F32);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 2, 5), V(0, 5, 6, 0, 0, 7, 0, 0, 8, 0), 0);
    unpool(false);
    het__put_i64(I64, eval_case.in[1].data, 3, 8);
    case_refused("index 8 of 8");
    unpool(false);
    het__put_i64(I64, eval_case.in[1].data, 0, -1);
    case_refused("index -1");
}

/* ---- regions ---- */

/* On a ramp every bilinear sample is its place, so that a bin is its centre. */
static void regions_on_a_ramp(void)
{
    double ramp[64];
    for (int i = 0; i < 64; i++)
        ramp[i] = i / 8 * 10 + i % 8;
    for (int half = 0; half < 2; half++)
        for (int ratio = 0; ratio < 3; ratio++) {
            case_begin("RoiAlign", 16);
            case_input(F32, 4, E(1, 1, 8, 8), ramp);
            case_input(F32, 2, E(1, 4), V(2, 1, 6, 5));
            case_input(I64, 1, E(1), V(0));
            case_int("output_height", 2);
            case_int("output_width", 2);
            case_int("sampling_ratio", ratio);
            case_string("coordinate_transformation_mode",
                        half ? "half_pixel" : "output_half_pixel");
            CHECK_INT(case_run(), HET_OK);
            const double s = half ? 0.5 * 11 : 0;
            case_check(0, F32, 4, E(1, 1, 2, 2), V(23 - s, 25 - s, 43 - s, 45 - s), 1e-5);
        }
}

static void first_version_of_regions(void)
{
    double ramp[16];
    for (int i = 0; i < 16; i++)
        ramp[i] = i;
    case_begin("RoiAlign", 10); /* shifts nothing, and no side is less than one */
    case_input(F32, 4, E(1, 1, 4, 4), ramp);
    case_input(F32, 2, E(1, 4), V(1, 1, 1, 1));
    case_input(I64, 1, E(1), V(0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 1, 1, 1), V(7.5), 1e-6);
}

static void largest_of_regions(void)
{
    double ramp[2 * 16];
    for (int i = 0; i < 32; i++)
        ramp[i] = i;
    case_begin("MaxRoiPool", 1);
    case_input(F32, 4, E(2, 1, 4, 4), ramp);
    case_input(F32, 2, E(2, 5), V(1, 0, 0, 3, 3, 0, 9, 9, 12, 12));
    case_ints("pooled_shape", 2, E(2, 2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(2, 1, 2, 2), V(21, 23, 29, 31, 0, 0, 0, 0), 0);
}

static void regions_refused(void)
{
    static const double image[4];
    static const struct {
        const char *op;
        double roi[5];
        int64_t batch;
        const char *why;
    } bad[] = {
        { "RoiAlign", { 0, 0, 1, 1 }, 1, "region 0 is of image 1" },
        { "RoiAlign", { 0, 0, 1, 1 }, -1, "region 0 is of image -1" },
        { "RoiAlign", { (double)NAN, 0, 1, 1 }, 0, "not finite" },
        { "RoiAlign", { 0, 0, 1e30, 1 }, 0, "too large" },
        { "MaxRoiPool", { 1, 0, 0, 1, 1 }, 0, "region 0 is of image 1" },
        { "MaxRoiPool", { (double)NAN, 0, 0, 1, 1 }, 0, "region 0 is of image" },
        { "MaxRoiPool", { 0, 0, (double)INFINITY, 1, 1 }, 0, "not finite" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const bool align = strcmp(bad[i].op, "RoiAlign") == 0;
        case_begin(bad[i].op, 16);
        case_input(F32, 4, E(1, 1, 2, 2), image);
        case_input(F32, 2, E(1, align ? 4 : 5), bad[i].roi);
        if (align)
            case_input(I64, 1, E(1), V((double)bad[i].batch));
        case_ints("pooled_shape", 2, E(1, 1));
        case_refused(bad[i].why);
    }
}

/* ---- properties ---- */

/* Offsets of whole elements move the image; without any it is a convolution. */
static void deformed_by_nothing(void)
{
    uint64_t seed = 5;
    double x[2 * 36], w[3 * 2 * 9], zeros[18 * 16] = { 0 }, want[48];
    for (int i = 0; i < 72; i++)
        x[i] = (double)test_random_float(&seed);
    for (int i = 0; i < 54; i++)
        w[i] = (double)test_random_float(&seed);
    case_begin("Conv", 22);
    case_input(F32, 4, E(1, 2, 6, 6), x);
    case_input(F32, 4, E(3, 2, 3, 3), w);
    CHECK_INT(case_run(), HET_OK);
    for (int i = 0; i < 48; i++)
        want[i] = case_out(0, i);
    case_begin("DeformConv", 22);
    case_input(F32, 4, E(1, 2, 6, 6), x);
    case_input(F32, 4, E(3, 2, 3, 3), w);
    case_input(F32, 4, E(1, 18, 4, 4), zeros);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 3, 4, 4), want, 1e-6);
    for (int i = 0; i < 18 * 16; i++)
        zeros[i] = (double)NAN;
    case_begin("DeformConv", 22); /* nowhere */
    case_input(F32, 4, E(1, 2, 6, 6), x);
    case_input(F32, 4, E(3, 2, 3, 3), w);
    case_input(F32, 4, E(1, 18, 4, 4), zeros);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 3, 4, 4), (const double[48]){ 0 }, 0);
}

/* A scale that is no number must give some number. */
static void quantised_by_nonsense(void)
{
    static const double scales[] = { 0, (double)INFINITY, -(double)INFINITY, (double)NAN };
    for (int i = 0; i < 4; i++) {
        case_begin("QLinearConv", 10);
        case_input(U8, 3, E(1, 1, 2), V(7, 9));
        case_input(F32, 0, NULL, V(1));
        case_input(U8, 0, NULL, V(0));
        case_input(U8, 3, E(1, 1, 1), V(1));
        case_input(F32, 0, NULL, V(1));
        case_input(U8, 0, NULL, V(0));
        case_input(F32, 0, NULL, &scales[i]);
        case_input(U8, 0, NULL, V(3));
        CHECK_INT(case_run(), HET_OK);
        CHECK(case_out(0, 0) >= 0 && case_out(0, 0) <= 255);
    }
}

/* ---- arithmetic ---- */

static double work_of(const char *op, uint32_t rank, const int64_t *x, const int64_t *w,
                      const int64_t *out, double *units)
{
    het__work work = { 0 };
    case_begin(op, 11);
    case_input(F32, rank, x, NULL);
    if (w)
        case_input(F32, rank, w, NULL);
    case_ints("kernel_shape", 2, E(3, 3));
    eval_case.out[0] = (het__tensor){ .dtype = F32, .rank = rank };
    memcpy(eval_case.out[0].extent, out, rank * sizeof out[0]);
    const het__eval e = case_eval();
    het__tensor_op_of(eval_case.node.op)->count(&e, &work);
    *units = work.units;
    return w ? work.macs : work.flops;
}

static void arithmetic(void)
{
    double units;
    /* The first layer of a ResNet; published as 118 million. */
    CHECK_NEAR(work_of("Conv", 4, E(1, 3, 224, 224), E(64, 3, 7, 7), E(1, 64, 112, 112), &units),
               118013952, 0);
    CHECK_NEAR(units, 64 * 112, 0);
    CHECK_NEAR(work_of("Conv", 4, E(1, 32, 10, 10), E(32, 1, 3, 3), E(1, 32, 5, 5), &units),
               32 * 9 * 25, 0);
    CHECK_NEAR(work_of("ConvTranspose", 4, E(1, 8, 5, 5), E(8, 4, 3, 3), E(1, 4, 7, 7), &units),
               8 * 25 * 4 * 9, 0);
    CHECK_NEAR(units, 4, 0);
    CHECK_NEAR(work_of("MaxPool", 4, E(1, 2, 9, 9), NULL, E(1, 2, 4, 4), &units), 2 * 16 * 9, 0);
    CHECK_NEAR(work_of("GlobalAveragePool", 4, E(1, 2, 9, 9), NULL, E(1, 2, 1, 1), &units), 162, 0);
}

/* ---- refusals ---- */

static void conv(uint32_t rank, const int64_t *x, const int64_t *w)
{
    case_begin("Conv", 11);
    case_input(F32, rank, x, NULL);
    case_input(F32, rank, w, NULL);
}

static void refused_convolutions(void)
{
    conv(2, E(1, 1), E(1, 1));
    case_refused("rank 2");
    conv(3, E(1, 2, 5), E(3, 1, 2));
    case_refused("a group has 2");
    conv(3, E(1, 2, 5), E(3, 2, 6));
    case_refused("a kernel of 6 does not fit in 5");
    conv(3, E(1, 2, 5), E(3, 2, 0));
    case_refused("kernel_shape");
    conv(3, E(1, 2, 5), E(3, 2, 2));
    case_int("group", 0);
    case_refused("0 groups");
    conv(3, E(1, 2, 5), E(3, 1, 2));
    case_int("group", 2);
    case_refused("2 channels to 3 in 2 groups");
    conv(3, E(1, 2, 5), E(3, 2, 2));
    case_input(F32, 1, E(2), NULL);
    case_refused("one number per channel of 3");
    conv(3, E(1, 2, 5), E(3, 2, 2));
    case_string("auto_pad", "SAME");
    case_refused("auto_pad");
    conv(3, E(1, 2, 5), E(3, 2, 2));
    case_input(HET_DTYPE_F64, 1, E(3), NULL);
    case_refused("input 2 is F64");
    conv(3, E(1, 1, INT64_MAX), E(1, 1, 1));
    case_refused("an extent");
    conv(3, E(1, 1, 5), E(1, 1, 2));
    case_ints("kernel_shape", 1, E(3));
    case_refused("kernel_shape and weights differ");
}

static void refused_attributes(void)
{
    static const struct {
        const char *name;
        uint32_t count;
        int64_t values[4];
    } bad[] = {
        { "strides", 1, { 0 } },           { "strides", 1, { -1 } },
        { "strides", 2, { 1, 1 } },        { "dilations", 1, { 0 } },
        { "dilations", 1, { INT64_MAX } }, { "pads", 1, { 1 } },
        { "pads", 2, { -1, 0 } },          { "pads", 2, { 0, INT64_MAX } },
        { "kernel_shape", 1, { 0 } },      { "kernel_shape", 0, { 0 } },
    };
    static const char *const ops[] = { "Conv", "ConvTranspose", "MaxPool" };
    static const int64_t two = 2;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (int o = 0; o < 3; o++) {
            case_begin(ops[o], 11);
            case_input(F32, 3, E(1, 1, 5), NULL);
            if (o < 2)
                case_input(F32, 3, E(1, 1, 2), NULL);
            case_ints(bad[i].name, bad[i].count, bad[i].values);
            if (o == 2 && strcmp(bad[i].name, "kernel_shape") != 0)
                case_ints("kernel_shape", 1, &two);
            case_refused(bad[i].name);
        }
}

static void refused_others(void)
{
    case_begin("ConvTranspose", 11);
    case_input(F32, 3, E(1, 2, 5), NULL);
    case_input(F32, 3, E(3, 2, 2), NULL);
    case_refused("weights for 3 channels");
    case_begin("ConvTranspose", 11);
    case_input(F32, 3, E(1, 1, 5), NULL);
    case_input(F32, 3, E(1, 1, 2), NULL);
    case_ints("pads", 2, E(9, 9));
    case_refused("an output extent of -12");
    case_begin("ConvTranspose", 11);
    case_input(F32, 3, E(1, 1, INT_MAX), NULL);
    case_input(F32, 3, E(1, 1, 2), NULL);
    case_ints("strides", 1, E(INT_MAX));
    case_refused("an output extent");
    case_begin("MaxPool", 12);
    case_input(F32, 3, E(1, 1, 5), NULL);
    case_refused("no kernel_shape");
    case_begin("LpPool", 18);
    case_input(F32, 3, E(1, 1, 5), NULL);
    case_ints("kernel_shape", 1, E(2));
    case_int("p", 0);
    case_refused("p is 0");
    case_begin("AveragePool", 7);
    case_input(U8, 3, E(1, 1, 5), NULL);
    case_ints("kernel_shape", 1, E(2));
    case_refused("an image of U8");
    case_begin("LRN", 13);
    case_input(F32, 3, E(1, 1, 5), NULL);
    case_refused("size is 0");
    case_begin("ConvInteger", 10);
    case_input(F32, 3, E(1, 1, 5), NULL);
    case_input(U8, 3, E(1, 1, 2), NULL);
    case_refused("input 0 is F32");
    case_begin("DeformConv", 19);
    case_input(F32, 3, E(1, 1, 5), NULL);
    case_input(F32, 3, E(1, 1, 2), NULL);
    case_input(F32, 3, E(1, 3, 4), NULL);
    case_refused("input 2 does not fit");
    case_begin("Conv", 11);
    case_refused("rank 0");
}

int main(void)
{
    test_case(vectors);
    test_case(rules_without_contents);
    test_case(window_in_the_padding);
    test_case(last_window_of_ceil_mode);
    test_case(not_a_number);
    test_case(nothing_to_do);
    test_case(four_axes);
    test_case(huge_pads);
    test_case(pools_undone);
    test_case(regions_on_a_ramp);
    test_case(first_version_of_regions);
    test_case(largest_of_regions);
    test_case(regions_refused);
    test_case(deformed_by_nothing);
    test_case(quantised_by_nonsense);
    test_case(arithmetic);
    test_case(refused_convolutions);
    test_case(refused_attributes);
    test_case(refused_others);
    case_end();
    return test_finish();
}

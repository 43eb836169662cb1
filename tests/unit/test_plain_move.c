/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that move, pick and place elements: values by hand or against loops that do it one by
 * one, and what must be refused. */
#include "eval_case.h"

#define F32 HET_DTYPE_F32
#define I64 HET_DTYPE_I64
#define I32 HET_DTYPE_I32
#define U8 HET_DTYPE_U8
#define BOOL HET_DTYPE_BOOL
#define NAN_ ((double)NAN)

#define COUNT(array) ((int64_t)(sizeof array / sizeof array[0]))

/* 0, 1, 2, … */
static const double *counting(void)
{
    static double values[40000];
    for (int64_t i = 0; i < COUNT(values); i++)
        values[i] = (double)i;
    return values;
}

static void list(uint32_t count, const int64_t *values)
{
    double v[16];
    for (uint32_t i = 0; i < count; i++)
        v[i] = (double)values[i];
    case_input(I64, 1, E(count), v);
}

static void floats(const char *name, uint32_t count, const float *values)
{
    het__attr *a = case_attr(name, HET__ATTR_FLOATS);
    a->count = count;
    a->u.floats = values;
}

/* ---- the same bytes ---- */

static void check_reshape(int32_t allowzero, uint32_t count, const int64_t *shape, uint32_t rank,
                          const int64_t *want)
{
    case_begin("Reshape", 14);
    case_int("allowzero", allowzero);
    case_input(F32, 3, E(2, 3, 4), counting());
    list(count, shape);
    if (!want) {
        CHECK_INT(case_run(), HET_E_INVALID);
        return;
    }
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, rank, want, counting(), 0);
}

static void reshape(void)
{
    check_reshape(0, 2, E(-1, 4), 2, E(6, 4));
    check_reshape(0, 3, E(0, -1, 2), 3, E(2, 6, 2));
    check_reshape(0, 1, E(24), 1, E(24));
    check_reshape(0, 2, E(-1, 5), 0, NULL);
    check_reshape(0, 2, E(-1, -1), 0, NULL);
    check_reshape(0, 2, E(-2, 12), 0, NULL);
    check_reshape(0, 4, E(2, 3, 4, 0), 0, NULL);
    check_reshape(1, 3, E(2, 0, -1), 0, NULL);
    check_reshape(0, 3, E(INT64_MAX, 2, -1), 0, NULL);
    bool unknown;
    CHECK_INT(case_rule(&unknown), HET_OK);
    CHECK(unknown);
}

static void squeeze_and_back(void)
{
    case_begin("Squeeze", 11);
    case_input(F32, 4, E(1, 3, 1, 2), counting());
    case_ints("axes", 1, E(-2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 3, 2), counting(), 0);

    case_begin("Squeeze", 13);
    case_input(F32, 4, E(1, 3, 1, 2), counting());
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(3, 2), counting(), 0);

    case_begin("Squeeze", 13);
    case_input(F32, 4, E(1, 3, 1, 2), counting());
    list(1, E(1));
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("Unsqueeze", 13);
    case_input(F32, 2, E(3, 2), counting());
    list(2, E(-1, 0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 3, 2, 1), counting(), 0);

    case_begin("Unsqueeze", 13);
    case_input(F32, 2, E(3, 2), counting());
    list(2, E(3, -1));
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("Flatten", 13);
    case_input(F32, 3, E(2, 3, 4), counting());
    case_int("axis", -1);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(6, 4), counting(), 0);
}

/* ---- transposing ---- */

static void check_transpose(het_dtype dtype, uint32_t rank, const int64_t *extent,
                            const int64_t *order)
{
    const bool narrow = dtype == U8;
    static double values[40000];
    int64_t strides[HET_RANK_MAX];
    het__tensor x = { .dtype = dtype, .rank = rank };
    memcpy(x.extent, extent, rank * sizeof *extent);
    const int64_t n = het__tensor_elements(&x);
    for (int64_t i = 0; i < n; i++)
        values[i] = narrow ? (double)(i * 7 % 251) : (double)(i % 30000);
    case_begin("Transpose", 13);
    case_input(dtype, rank, extent, values);
    case_ints("perm", rank, order);
    CHECK_INT(case_run(), HET_OK);
    het__tensor_strides(&x, strides);
    int64_t wrong = 0, at[HET_RANK_MAX] = { 0 };
    for (int64_t i = 0; i < n; i++) {
        int64_t from = 0;
        for (uint32_t k = 0; k < rank; k++)
            from += at[k] * strides[order[k]];
        wrong += case_out(0, i) != values[from];
        for (uint32_t k = rank; k-- > 0 && ++at[k] == extent[order[k]];)
            at[k] = 0;
    }
    CHECK_INT(wrong, 0);
}

static void transposes(void)
{
    static const het_dtype types[] = { F32, U8, HET_DTYPE_I16, HET_DTYPE_F64 };
    for (int t = 0; t < 4; t++) {
        check_transpose(types[t], 2, E(70, 130), E(1, 0));
        check_transpose(types[t], 2, E(64, 64), E(1, 0));
        check_transpose(types[t], 3, E(3, 33, 65), E(2, 0, 1));
        check_transpose(types[t], 4, E(2, 17, 5, 40), E(0, 2, 1, 3));
        check_transpose(types[t], 4, E(2, 17, 5, 40), E(3, 1, 0, 2));
        check_transpose(types[t], 5, E(3, 1, 4, 2, 6), E(4, 3, 2, 1, 0));
        check_transpose(types[t], 1, E(9), E(0));
    }
    case_begin("Transpose", 13);
    case_input(F32, 2, E(2, 3), counting());
    case_ints("perm", 2, E(1, 1));
    CHECK_INT(case_run(), HET_E_INVALID);
    eval_case.attrs[0].u.ints = E(0, 2);
    CHECK_INT(case_run(), HET_E_INVALID);
    eval_case.attrs[0].count = 1;
    CHECK_INT(case_run(), HET_E_INVALID);
}

/* ---- joining and splitting ---- */

static void concat_and_split(void)
{
    case_begin("Concat", 13);
    case_int("axis", -1);
    case_input(F32, 2, E(2, 2), V(1, 2, 3, 4));
    case_input(F32, 2, E(2, 0), counting());
    case_input(F32, 2, E(2, 1), V(5, 6));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 3), V(1, 2, 5, 3, 4, 6), 0);
    eval_case.in[2].extent[0] = 1;
    CHECK_INT(case_run(), HET_E_INVALID);
    eval_case.in[2].dtype = I32;
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("Split", 18);
    case_int("num_outputs", 3);
    case_input(F32, 1, E(7), counting());
    eval_case.outputs = 3;
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 1, E(3), V(0, 1, 2), 0);
    case_check(2, F32, 1, E(1), V(6), 0);

    case_begin("Split", 11);
    case_input(F32, 2, E(2, 3), counting());
    case_int("axis", 1);
    case_ints("split", 2, E(1, 2));
    eval_case.outputs = 2;
    CHECK_INT(case_run(), HET_OK);
    case_check(1, F32, 2, E(2, 2), V(1, 2, 4, 5), 0);
    eval_case.attrs[1].u.ints = E(1, 1);
    CHECK_INT(case_run(), HET_E_INVALID);
    eval_case.attrs[1].u.ints = E(-1, 4);
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("Split", 13);
    case_input(F32, 1, E(7), counting());
    eval_case.outputs = 2;
    CHECK_INT(case_run(), HET_E_INVALID);
}

/* ---- cutting and repeating ---- */

static void slices(void)
{
    case_begin("Slice", 13);
    case_input(F32, 2, E(3, 5), counting());
    list(2, E(-1, 100));
    list(2, E(INT64_MIN + 1, -100));
    list(2, E(0, 1));
    list(2, E(-2, -3));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 2), V(14, 11, 4, 1), 0);

    case_begin("Slice", 9);
    case_input(F32, 2, E(3, 5), counting());
    case_ints("starts", 1, E(1));
    case_ints("ends", 1, E(1000));
    case_ints("axes", 1, E(1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(3, 4), V(1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14), 0);
    eval_case.attrs[2].u.ints = E(2);
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("Slice", 13);
    case_input(F32, 1, E(5), counting());
    list(1, E(0));
    list(1, E(5));
    list(1, E(0));
    list(1, E(0));
    CHECK_INT(case_run(), HET_E_INVALID); /* a step of zero */
    bool unknown;
    CHECK_INT(case_rule(&unknown), HET_OK);
    CHECK(unknown);
}

static void repeats(void)
{
    case_begin("Tile", 13);
    case_input(F32, 2, E(1, 2), V(1, 2));
    list(2, E(2, 2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 4), V(1, 2, 1, 2, 1, 2, 1, 2), 0);

    case_begin("Tile", 13);
    case_input(F32, 2, E(1, 2), V(1, 2));
    list(2, E(INT64_C(1) << 62, 2));
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("Expand", 13);
    case_input(U8, 2, E(2, 1), V(7, 9));
    list(3, E(2, 1, 3));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, U8, 3, E(2, 2, 3), V(7, 7, 7, 9, 9, 9, 7, 7, 7, 9, 9, 9), 0);

    case_begin("Expand", 13);
    case_input(F32, 1, E(3), counting());
    list(1, E(2));
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("ConstantOfShape", 9);
    list(4, E(1 << 30, 1 << 30, 1 << 30, 1 << 30));
    CHECK_INT(case_run(), HET_E_INVALID);
}

static void check_pad(const char *mode, int64_t before, int64_t after, int64_t count,
                      const double *want)
{
    case_begin("Pad", 19);
    case_string("mode", mode);
    case_input(F32, 2, E(1, 3), V(1, 2, 3));
    list(2, E(before, after));
    case_input(F32, 0, NULL, V(9));
    list(1, E(-1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(1, count), want, 0);
}

static void pads(void)
{
    check_pad("constant", 2, 1, 6, V(9, 9, 1, 2, 3, 9));
    check_pad("edge", 2, 1, 6, V(1, 1, 1, 2, 3, 3));
    check_pad("reflect", 2, 1, 6, V(3, 2, 1, 2, 3, 2));
    check_pad("wrap", 2, 4, 9, V(2, 3, 1, 2, 3, 1, 2, 3, 1));
    check_pad("reflect", -1, 2, 4, V(2, 3, 2, 3));
    check_pad("constant", 1, -2, 2, V(9, 1));
    check_pad("constant", -4, 3, 2, V(9, 9));
    check_pad("constant", 4, -5, 2, V(9, 9));
    check_pad("constant", -3, 0, 0, NULL);

    case_begin("Pad", 10);
    case_ints("pads", 4, E(1, 0, 0, 1));
    case_float("value", 0.5F);
    case_input(F32, 2, E(1, 2), V(1, 2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 3), V(0.5, 0.5, 0.5, 1, 2, 0.5), 0);
    eval_case.attrs[0].u.ints = E(0, 0, 0, -3);
    CHECK_INT(case_run(), HET_E_INVALID);
    eval_case.attrs[0].u.ints = E(INT64_MAX, 0, 1, 0);
    CHECK_INT(case_run(), HET_E_INVALID);
    eval_case.attrs[0].count = 3;
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("Pad", 13);
    case_string("mode", "edge");
    case_input(F32, 1, E(2), V(1, 2));
    list(2, E(-2, 3));
    CHECK_INT(case_run(), HET_E_INVALID); /* nothing to repeat */
}

static void blocks(void)
{
    case_begin("DepthToSpace", 13);
    case_int("blocksize", 2);
    case_string("mode", "CRD");
    case_input(F32, 4, E(1, 4, 1, 2), counting());
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 1, 2, 4), V(0, 2, 1, 3, 4, 6, 5, 7), 0);
    eval_case.attrs[0].u.i = 3;
    CHECK_INT(case_run(), HET_E_INVALID);
    eval_case.attrs[0].u.i = 0;
    CHECK_INT(case_run(), HET_E_INVALID);
    eval_case.attrs[0].u.i = INT64_MAX;
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("Trilu", 14);
    case_input(F32, 2, E(2, 3), counting());
    case_input(I64, 0, NULL, V(0x1p62));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 3), V(0, 0, 0, 0, 0, 0), 0);

    case_begin("ReverseSequence", 10);
    case_input(F32, 2, E(3, 2), counting());
    list(2, E(3, 2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(3, 2), V(4, 3, 2, 1, 0, 5), 0);
    case_begin("ReverseSequence", 10);
    case_input(F32, 2, E(3, 2), counting());
    list(2, E(3, 4));
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("Col2Im", 18);
    case_input(F32, 3, E(1, 4, 2), V(1, 2, 3, 4, 5, 6, 7, 8));
    list(2, E(2, 3));
    list(2, E(2, 2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 1, 2, 3), V(1, 5, 4, 5, 13, 8), 0);
    case_ints("strides", 2, E(0, 1));
    CHECK_INT(case_run(), HET_E_INVALID);
}

/* ---- sampling ---- */

static void begin_resize(const char *mode, const char *transform)
{
    case_begin("Resize", 19);
    case_string("mode", mode);
    case_string("coordinate_transformation_mode", transform);
}

static void resizes(void)
{
    begin_resize("linear", "half_pixel");
    case_input(F32, 2, E(1, 2), V(1, 3));
    case_no_input();
    case_input(F32, 1, E(2), V(2, 2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 4), V(1, 1.5, 2.5, 3, 1, 1.5, 2.5, 3), 0);

    begin_resize("nearest", "asymmetric");
    case_input(U8, 2, E(1, 6), V(0, 1, 2, 3, 4, 5));
    case_no_input();
    case_input(F32, 1, E(2), V(3, 1 / 3.0));
    case_string("nearest_mode", "floor");
    CHECK_INT(case_run(), HET_OK);
    case_check(0, U8, 2, E(3, 2), V(0, 3, 0, 3, 0, 3), 0);

    begin_resize("linear", "tf_crop_and_resize");
    case_float("extrapolation_value", -5);
    case_ints("axes", 1, E(1));
    case_input(F32, 2, E(1, 3), V(0, 10, 20));
    case_input(F32, 1, E(2), V(-0.5, 1));
    case_no_input();
    list(1, E(4));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(1, 4), V(-5, 0, 10, 20), 1e-5);

    begin_resize("linear", "half_pixel");
    case_input(F32, 2, E(1, 2), V(1, 3));
    case_no_input();
    case_input(F32, 1, E(2), V(2, 2));
    list(2, E(2, 2));
    CHECK_INT(case_run(), HET_E_INVALID); /* scales and sizes */

    static const double bad[] = { 0, -1, 0, 1e30 };
    for (int i = 0; i < 4; i++) {
        begin_resize("linear", "half_pixel");
        case_input(F32, 1, E(2), V(1, 3));
        case_no_input();
        case_input(F32, 1, E(1), i == 2 ? V(NAN_) : &bad[i]);
        CHECK_INT(case_run(), HET_E_INVALID);
    }
    begin_resize("linear", "half_pixel");
    case_input(F32, 1, E(0), counting());
    case_no_input();
    case_no_input();
    list(1, E(3));
    CHECK_INT(case_run(), HET_E_INVALID); /* nothing to sample */
}

/* The same image with channels first and last, in both directions and all modes. */
static void resize_layouts(void)
{
    static const char *const modes[] = { "nearest", "linear", "cubic" };
    double first[2 * 5 * 7], last[2 * 5 * 7], want[2 * 8 * 3];
    uint64_t seed = 5;
    for (int i = 0; i < 70; i++) {
        first[i] = (double)test_random_float(&seed);
        last[i % 35 * 2 + i / 35] = first[i];
    }
    for (int m = 0; m < 6; m++) {
        begin_resize(modes[m % 3], "half_pixel");
        case_int("antialias", m > 3);
        case_input(F32, 4, E(1, 2, 5, 7), first);
        case_no_input();
        case_no_input();
        list(4, E(1, 2, 8, 3));
        CHECK_INT(case_run(), HET_OK);
        for (int i = 0; i < 48; i++)
            want[i % 24 * 2 + i / 24] = case_out(0, i);
        begin_resize(modes[m % 3], "half_pixel");
        case_int("antialias", m > 3);
        case_input(F32, 4, E(1, 5, 7, 2), last);
        case_no_input();
        case_no_input();
        list(4, E(1, 8, 3, 2));
        CHECK_INT(case_run(), HET_OK);
        case_check(0, F32, 4, E(1, 8, 3, 2), want, 1e-6);
    }
}

/* Weights sum to one: an image of one value stays that. */
static void resize_constant(void)
{
    static const char *const transforms[] = { "half_pixel", "align_corners", "asymmetric",
                                              "pytorch_half_pixel", "half_pixel_symmetric" };
    double threes[60];
    for (int i = 0; i < 60; i++)
        threes[i] = 3;
    for (int k = 0; k < 20; k++) {
        begin_resize(k % 2 ? "cubic" : "linear", transforms[k % 5]);
        case_int("antialias", k / 10);
        case_int("exclude_outside", k % 3 == 0);
        case_input(HET_DTYPE_F16, 3, E(3, 4, 5), threes);
        case_no_input();
        case_no_input();
        list(3, E(2, 7, 3));
        CHECK_INT(case_run(), HET_OK);
        case_check(0, HET_DTYPE_F16, 3, E(2, 7, 3), threes, 0);
    }
}

static void grids(void)
{
    double grid[12];
    case_begin("AffineGrid", 20);
    case_int("align_corners", 1);
    case_input(F32, 3, E(1, 2, 3), V(1, 0, 0, 0, 1, 0));
    list(4, E(1, 1, 2, 3));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 2, 3, 2), V(-1, -1, 0, -1, 1, -1, -1, 1, 0, 1, 1, 1), 0);
    for (int i = 0; i < 12; i++)
        grid[i] = case_out(0, i);
    static const char *const modes[] = { "nearest", "linear", "cubic" };
    for (int m = 0; m < 3; m++) {
        case_begin("GridSample", 20);
        case_int("align_corners", 1);
        case_string("mode", modes[m]);
        case_input(F32, 4, E(1, 1, 2, 3), counting());
        case_input(F32, 4, E(1, 2, 3, 2), grid);
        CHECK_INT(case_run(), HET_OK);
        case_check(0, F32, 4, E(1, 1, 2, 3), counting(), 1e-6);
    }
    case_begin("GridSample", 20);
    case_string("padding_mode", "border");
    case_input(F32, 4, E(1, 1, 2, 3), counting());
    case_input(F32, 4, E(1, 1, 2, 2), V(1e30, -1e30, NAN_, -INFINITY));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 1, 1, 2), V(2, 0), 0);
}

/* ---- by index ---- */

static void gathers(void)
{
    case_begin("Gather", 13);
    case_int("axis", 1);
    case_input(F32, 2, E(2, 3), counting());
    case_input(I32, 2, E(1, 2), V(-1, 0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(2, 1, 2), V(2, 0, 5, 3), 0);
    static const double outside[] = { 3, -4, 0x1p40, -0x1p62 };
    for (int i = 0; i < 4; i++) {
        case_begin("Gather", 13);
        case_int("axis", 1);
        case_input(F32, 2, E(2, 3), counting());
        case_input(I64, 0, NULL, &outside[i]);
        CHECK_INT(case_run(), HET_E_INVALID);
        case_begin("GatherElements", 13);
        case_int("axis", 1);
        case_input(F32, 2, E(2, 3), counting());
        case_input(I64, 2, E(1, 1), &outside[i]);
        CHECK_INT(case_run(), HET_E_INVALID);
        case_begin("GatherND", 13);
        case_int("batch_dims", 1);
        case_input(F32, 2, E(2, 3), counting());
        case_input(I64, 2, E(2, 1), V(0, outside[i]));
        CHECK_INT(case_run(), HET_E_INVALID);
        case_begin("ScatterElements", 18);
        case_int("axis", 1);
        case_input(F32, 2, E(2, 3), counting());
        case_input(I64, 2, E(1, 1), &outside[i]);
        case_input(F32, 2, E(1, 1), V(1));
        CHECK_INT(case_run(), HET_E_INVALID);
        case_begin("ScatterND", 18);
        case_input(F32, 2, E(2, 3), counting());
        case_input(I64, 2, E(1, 2), V(0, outside[i]));
        case_input(F32, 1, E(1), V(1));
        CHECK_INT(case_run(), HET_E_INVALID);
        case_begin("TensorScatter", 24);
        case_input(F32, 3, E(1, 3, 2), counting());
        case_input(F32, 3, E(1, 1, 2), V(1, 2));
        case_input(I64, 1, E(1), &outside[i]);
        CHECK_INT(case_run(), HET_E_INVALID);
    }
    case_begin("Gather", 13);
    case_input(F32, 2, E(0, 3), counting());
    case_input(I64, 1, E(1), V(0));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("Gather", 13);
    case_input(F32, 2, E(2, 3), counting());
    case_input(F32, 1, E(1), V(0));
    CHECK_INT(case_run(), HET_E_INVALID);
}

static void check_scatter(het_dtype dtype, const char *how, const double *want)
{
    case_begin("ScatterND", 18);
    case_string("reduction", how);
    case_input(dtype, 1, E(3), V(5, 6, 7));
    case_input(I64, 2, E(3, 1), V(1, -1, 1));
    case_input(dtype, 1, E(3), V(2, 9, 3));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, dtype, 1, E(3), want, 0);
}

static void scatters(void)
{
    static const het_dtype types[] = { F32, I64, U8, HET_DTYPE_F16 };
    for (int t = 0; t < 4; t++) {
        check_scatter(types[t], "none", V(5, 3, 9));
        check_scatter(types[t], "add", V(5, 11, 16));
        check_scatter(types[t], "mul", V(5, 36, 63));
        check_scatter(types[t], "min", V(5, 2, 7));
        check_scatter(types[t], "max", V(5, 6, 9));
    }
    case_begin("TensorScatter", 24);
    case_string("mode", "circular");
    case_input(F32, 3, E(1, 3, 1), V(1, 2, 3));
    case_input(F32, 3, E(1, 2, 1), V(8, 9));
    case_input(I64, 1, E(1), V(-1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 3, 1), V(9, 2, 8), 0);
}

/* ---- by contents ---- */

static void choices(void)
{
    case_begin("TopK", 11);
    case_input(F32, 1, E(6), V(1, NAN_, 4, -2, 4, 3));
    list(1, E(4));
    eval_case.outputs = 2;
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 1, E(4), V(NAN_, 4, 4, 3), 0);
    case_check(1, I64, 1, E(4), V(1, 2, 4, 5), 0);
    case_begin("TopK", 11);
    case_input(F32, 1, E(6), counting());
    list(1, E(7));
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("NonZero", 13);
    case_input(F32, 2, E(2, 2), V(-0.0, 1, NAN_, 0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, I64, 2, E(2, 2), V(0, 1, 1, 0), 0);
    bool unknown;
    CHECK_INT(case_rule(&unknown), HET_OK);
    CHECK(unknown);
    case_begin("NonZero", 13);
    case_input(F32, 0, NULL, V(3));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, I64, 2, E(0, 1), NULL, 0);

    case_begin("Compress", 11);
    case_int("axis", -1);
    case_input(F32, 2, E(2, 3), counting());
    case_input(BOOL, 1, E(2), V(0, 1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 1), V(1, 4), 0);

    case_begin("Unique", 11);
    case_int("sorted", 0);
    case_int("axis", 0);
    case_input(F32, 2, E(4, 2), V(3, 1, 0, 0, 3, 1, 0, -0.0));
    eval_case.outputs = 4;
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 2), V(3, 1, 0, 0), 0);
    case_check(1, I64, 1, E(2), V(0, 1), 0);
    case_check(2, I64, 1, E(4), V(0, 1, 0, 1), 0);
    case_check(3, I64, 1, E(2), V(2, 2), 0);
}

static void suppression(void)
{
    for (int limit = 0; limit < 3; limit++) {
        case_begin("NonMaxSuppression", 11);
        case_input(F32, 3, E(1, 4, 4),
                   V(0, 0, 1, 1, 0, 0.1, 1, 1.1, 1, 3, 0, 2, 0, 5, 1, 6));
        case_input(F32, 3, E(1, 1, 4), V(0.5, 0.9, 0.7, 0.1));
        list(1, E(limit == 2 ? INT64_C(1) << 40 : limit));
        case_input(F32, 1, E(1), V(0.5));
        case_input(F32, 1, E(1), V(0.2));
        CHECK_INT(case_run(), HET_OK);
        case_check(0, I64, 2, E(limit, 3), V(0, 0, 1, 0, 0, 2), 0);
    }
    eval_case.in[1].extent[2] = 3;
    CHECK_INT(case_run(), HET_E_INVALID);
}

/* ---- made of numbers ---- */

static void ranges(void)
{
    case_begin("Range", 11);
    case_input(I64, 0, NULL, V(10));
    case_input(I64, 0, NULL, V(4));
    case_input(I64, 0, NULL, V(-4));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, I64, 1, E(2), V(10, 6), 0);

    static const double start[] = { 0, -0x1p62, 0, 0 }, limit[] = { 5, 0x1p62, 1e300, NAN_ };
    static const double delta[] = { 0, 1e-9, 1e-300, 1 };
    for (int i = 0; i < 4; i++) {
        case_begin("Range", 11);
        case_input(HET_DTYPE_F64, 0, NULL, &start[i]);
        case_input(HET_DTYPE_F64, 0, NULL, &limit[i]);
        case_input(HET_DTYPE_F64, 0, NULL, &delta[i]);
        CHECK_INT(case_run(), HET_E_INVALID);
    }
    case_begin("OneHot", 11);
    case_input(F32, 1, E(3), V(1, -1, NAN_));
    case_input(I64, 0, NULL, V(3));
    case_input(F32, 1, E(2), V(2, 5));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(3, 3), V(2, 5, 2, 2, 2, 5, 2, 2, 2), 0);
    case_begin("OneHot", 11);
    case_input(F32, 1, E(3), V(1, -1, 3));
    case_input(I64, 0, NULL, V(-3));
    case_input(F32, 1, E(2), V(2, 5));
    CHECK_INT(case_run(), HET_E_INVALID);

    case_begin("EyeLike", 9);
    case_int("dtype", 7);
    case_int("k", INT64_MIN);
    case_input(F32, 2, E(2, 2), counting());
    CHECK_INT(case_run(), HET_OK);
    case_check(0, I64, 2, E(2, 2), V(0, 0, 0, 0), 0);
}

static void constants(void)
{
    static const float values[] = { 1.5F, -2 };
    case_begin("Constant", 13);
    floats("value_floats", 2, values);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 1, E(2), V(1.5, -2), 0);

    case_begin("Constant", 13);
    case_string("value_string", "text");
    CHECK_INT(case_run(), HET_E_UNSUPPORTED);

    case_begin("Shape", 15);
    case_int("start", -2);
    case_int("end", 100);
    case_input(F32, 3, E(2, 3, 4), NULL);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, I64, 1, E(2), V(3, 4), 0);

    case_begin("Size", 13);
    case_input(F32, 3, E(2, 3, 4), NULL);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, I64, 0, NULL, V(24), 0);
}

int main(void)
{
    test_case(reshape);
    test_case(squeeze_and_back);
    test_case(transposes);
    test_case(concat_and_split);
    test_case(slices);
    test_case(repeats);
    test_case(pads);
    test_case(blocks);
    test_case(resizes);
    test_case(resize_layouts);
    test_case(resize_constant);
    test_case(grids);
    test_case(gathers);
    test_case(scatters);
    test_case(choices);
    test_case(suppression);
    test_case(ranges);
    test_case(constants);
    case_end();
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Operations element by element: values by NumPy's formulas, every code of the small floats, what
 * integers do at their ends, what the rules refuse, and what hostile graphs may ask for. */
#include "lib/plain/plain.h"
#include "lib/plain/small_floats.h"
#include "test.h"

#define INPUTS_MAX 8
#define OUTPUTS_MAX 3

typedef struct vector {
    het_dtype dtype; /* NONE: left out */
    uint32_t rank;
    int64_t extent[4];
    const double *values;
} vector;

typedef struct vector_case {
    const char *op;
    int32_t opset;
    uint32_t attr_count;
    het__attr attrs[3];
    uint32_t input_count;
    vector inputs[INPUTS_MAX];
    uint32_t output_count;
    vector outputs[OUTPUTS_MAX];
    double tolerance; /* relative to values above 1 */
} vector_case;

#include "../vectors/elementwise.h"

/* ---- running one operation ---- */

typedef struct bench {
    het__mem mem;
    het__scratch scratch;
    het_error err;
    het__node node;
    het__attr_list attrs;
    het__tensor inputs[INPUTS_MAX], outputs[OUTPUTS_MAX];
    char *blocks[INPUTS_MAX]; /* what inputs lie in */
    bool aligned;             /* else at odd addresses */
    het__eval e;
} bench;

static void start(bench *b, const char *op, int32_t opset, const het__attr *attrs,
                  uint32_t attr_count, uint32_t input_count, uint32_t output_count)
{
    memset(b, 0, sizeof *b);
    het__mem_init(&b->mem, NULL);
    het__scratch_init(&b->scratch, &b->mem);
    b->err = (het_error)HET_ERROR_INIT;
    b->node = (het__node){ .op = het__tensor_op_find(op), .name = "n", .input_count = input_count,
                           .output_count = output_count };
    b->attrs = (het__attr_list){ .items = attrs, .count = attr_count, .opset = opset };
    b->e = (het__eval){ .node = &b->node, .attrs = &b->attrs, .inputs = b->inputs,
                        .input_count = input_count, .outputs = b->outputs,
                        .output_count = output_count, .mem = &b->mem, .scratch = &b->scratch,
                        .err = &b->err };
    if (b->node.op == HET__OP_T_UNKNOWN)
        TEST_FAIL("%s is not in the table", op);
}

/* Memory for input i, whose type and extents stand already; exactly as long as they say. */
static void take(bench *b, uint32_t i)
{
    const int64_t bytes = het__tensor_bytes(&b->inputs[i]);
    b->blocks[i] = malloc((size_t)bytes + !b->aligned);
    b->inputs[i].data = b->blocks[i] + !b->aligned;
    memset(b->inputs[i].data, 0, (size_t)bytes);
}

static void give(bench *b, uint32_t i, const vector *v)
{
    het__tensor *t = &b->inputs[i];
    t->dtype = v->dtype;
    t->rank = v->rank;
    memcpy(t->extent, v->extent, sizeof v->extent);
    if (v->dtype == HET_DTYPE_NONE)
        return;
    take(b, i);
    for (int64_t k = 0; k < het__tensor_elements(t); k++)
        het__put_f64(t->dtype, t->data, k, v->values[k]);
}

static het_status shape(bench *b)
{
    return het__tensor_op_of(b->node.op)->shape(&b->e);
}

/* The rule, memory, the kernel. */
static het_status run(bench *b)
{
    het_status s = shape(b);
    for (uint32_t o = 0; s == HET_OK && o < b->node.output_count; o++) {
        const int64_t bytes = het__tensor_bytes(&b->outputs[o]);
        b->outputs[o].data = het__alloc(&b->mem, (size_t)bytes);
        memset(b->outputs[o].data, 0xa5, (size_t)bytes);
    }
    return s == HET_OK ? het__plain_kernel(b->node.op)(&b->e) : s;
}

static void finish(bench *b)
{
    for (uint32_t o = 0; o < b->node.output_count; o++)
        het__free(&b->mem, b->outputs[o].data);
    for (uint32_t i = 0; i < INPUTS_MAX; i++)
        free(b->blocks[i]);
    het__scratch_finish(&b->scratch);
    CHECK_INT(b->mem.bytes, 0);
}

/* ---- vectors ---- */

static bool is_near(double got, double want, double tolerance)
{
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= tolerance * fmax(1, fabs(want));
}

static void compare(const char *op, size_t at, const het__tensor *got, const vector *want,
                    double tolerance)
{
    test_checks++;
    bool fits = got->dtype == want->dtype && got->rank == want->rank;
    for (uint32_t i = 0; fits && i < got->rank; i++)
        fits = got->extent[i] == want->extent[i];
    if (!fits) {
        char text[64];
        het__tensor_describe(got, text, sizeof text);
        TEST_FAIL("case %zu, %s: %s, want %s of rank %u", at, op, text,
                  het_dtype_name(want->dtype), want->rank);
        return;
    }
    for (int64_t k = 0; k < het__tensor_elements(got); k++) {
        const double x = het__get_f64(got->dtype, got->data, k);
        if (!is_near(x, want->values[k], tolerance)) {
            TEST_FAIL("case %zu, %s: element %" PRId64 " is %.17g, want %.17g", at, op, k, x,
                      want->values[k]);
            return;
        }
    }
}

static void check_vector(const vector_case *v, size_t at, bool aligned)
{
    bench b;
    start(&b, v->op, v->opset, v->attrs, v->attr_count, v->input_count, v->output_count);
    b.aligned = aligned;
    for (uint32_t i = 0; i < v->input_count; i++)
        give(&b, i, &v->inputs[i]);
    const het_status s = run(&b);
    CHECK_INT(s, HET_OK);
    if (s != HET_OK)
        TEST_FAIL("case %zu: %s", at, b.err.message);
    for (uint32_t o = 0; s == HET_OK && o < v->output_count; o++)
        compare(v->op, at, &b.outputs[o], &v->outputs[o], v->tolerance);
    finish(&b);
}

static void vectors(void)
{
    for (size_t g = 0; g < sizeof elementwise_groups / sizeof *elementwise_groups; g++)
        for (size_t i = 0; i < elementwise_groups[g].count; i++) {
            check_vector(&elementwise_groups[g].cases[i], i, false);
            check_vector(&elementwise_groups[g].cases[i], i, true);
        }
}

/* ---- runs longer than a chunk, in every way of lying ---- */

static double element(const het__tensor *t, int64_t row, int64_t column)
{
    const int64_t r = t->rank < 2 || t->extent[0] == 1 ? 0 : row;
    const int64_t c = t->rank < 1 || t->extent[t->rank - 1] == 1 ? 0 : column;
    return het__get_f64(t->dtype, t->data, r * (t->rank ? t->extent[t->rank - 1] : 1) + c);
}

static void long_runs(void)
{
    static const struct { uint32_t rank; int64_t extent[2]; } shapes[] = {
        { 2, { 3, 1300 } }, { 1, { 1300, 0 } }, { 2, { 3, 1 } }, { 0, { 0, 0 } },
    };
    static const het_dtype types[] = { HET_DTYPE_F32, HET_DTYPE_F64, HET_DTYPE_F16, HET_DTYPE_BF16,
                                       HET_DTYPE_I16, HET_DTYPE_I64 };
    for (size_t type = 0; type < sizeof types / sizeof types[0]; type++)
        for (size_t pair = 0; pair < 8; pair++) {
            bench b;
            start(&b, "Add", 14, NULL, 0, 2, 1);
            b.aligned = pair % 2;
            for (uint32_t i = 0; i < 2; i++) {
                const size_t s = pair / 4 == i ? 0 : pair % 4;
                b.inputs[i] = (het__tensor){ .dtype = types[type], .rank = shapes[s].rank };
                memcpy(b.inputs[i].extent, shapes[s].extent, sizeof shapes[s].extent);
                take(&b, i);
                for (int64_t k = 0; k < het__tensor_elements(&b.inputs[i]); k++)
                    het__put_f64(types[type], b.inputs[i].data, k, (double)(k * 7 % 61 + i));
            }
            CHECK_INT(run(&b), HET_OK);
            CHECK_INT(het__tensor_elements(&b.outputs[0]), 3900);
            int64_t wrong = 0;
            for (int64_t k = 0; k < 3900; k++)
                wrong += het__get_f64(types[type], b.outputs[0].data, k) !=
                         element(&b.inputs[0], k / 1300, k % 1300) +
                             element(&b.inputs[1], k / 1300, k % 1300);
            CHECK_INT(wrong, 0);
            finish(&b);
        }
}

/* ---- integers at their ends ---- */

static het_status integers(const char *op, const het__attr *attrs, uint32_t attr_count,
                           het_dtype dtype, uint64_t x, uint64_t y, uint64_t *out)
{
    bench b;
    start(&b, op, 20, attrs, attr_count, 2, 1);
    for (uint32_t i = 0; i < 2; i++) {
        b.inputs[i] = (het__tensor){ .dtype = dtype };
        take(&b, i);
        het__put_i64(dtype, b.inputs[i].data, 0, (int64_t)(i ? y : x));
    }
    const het_status s = run(&b);
    if (s == HET_OK)
        *out = (uint64_t)het__get_i64(b.outputs[0].dtype, b.outputs[0].data, 0);
    finish(&b);
    return s;
}

#define LEAST_64 (UINT64_C(1) << 63)
#define ALL_64 UINT64_MAX

static void integer_ends(void)
{
    static const het__attr fmod_attr = { "fmod", .kind = HET__ATTR_INT, .u.i = 1 };
    static const struct {
        const char *op;
        het_dtype dtype;
        uint64_t x, y, want;
        uint32_t fmod;
    } cases[] = {
        { "Div", HET_DTYPE_I64, LEAST_64, ALL_64, LEAST_64, 0 },
        { "Div", HET_DTYPE_I64, 7, ALL_64, (uint64_t)-7, 0 },
        { "Div", HET_DTYPE_I32, (uint64_t)INT32_MIN, ALL_64, (uint64_t)INT32_MIN, 0 },
        { "Div", HET_DTYPE_I8, (uint64_t)-128, ALL_64, (uint64_t)-128, 0 },
        { "Div", HET_DTYPE_U64, ALL_64, 2, INT64_MAX, 0 },
        { "Mod", HET_DTYPE_I64, LEAST_64, ALL_64, 0, 0 },
        { "Mod", HET_DTYPE_I64, LEAST_64, ALL_64, 0, 1 },
        { "Mod", HET_DTYPE_U64, ALL_64, 10, 5, 0 },
        { "Mod", HET_DTYPE_U64, ALL_64, 10, 5, 1 },
        { "Mod", HET_DTYPE_I32, (uint64_t)-7, 3, 2, 0 },
        { "Mod", HET_DTYPE_I32, (uint64_t)-7, 3, (uint64_t)-1, 1 },
        { "Add", HET_DTYPE_I64, INT64_MAX, 1, LEAST_64, 0 },
        { "Mul", HET_DTYPE_U64, LEAST_64 + 3, 2, 6, 0 },
        { "Mul", HET_DTYPE_I64, INT64_C(3037000500), INT64_C(3037000500), 0x8000000008abc290, 0 },
        { "Sub", HET_DTYPE_U32, 0, 1, UINT32_MAX, 0 },
        { "Greater", HET_DTYPE_U64, ALL_64, 1, 1, 0 },
        { "Greater", HET_DTYPE_I64, ALL_64, 1, 0, 0 },
        { "Equal", HET_DTYPE_I64, LEAST_64 + 1, LEAST_64, 0, 0 },
        { "Max", HET_DTYPE_U64, ALL_64, 1, ALL_64, 0 },
        { "Min", HET_DTYPE_U64, ALL_64, 1, 1, 0 },
        { "Max", HET_DTYPE_I64, ALL_64, 1, 1, 0 },
        { "Pow", HET_DTYPE_I64, 3, 39, UINT64_C(4052555153018976267), 0 },
        { "Pow", HET_DTYPE_I32, 2, 31, (uint64_t)INT32_MIN, 0 },
        { "PRelu", HET_DTYPE_U64, ALL_64, 3, ALL_64, 0 },
        { "PRelu", HET_DTYPE_I64, LEAST_64, ALL_64, LEAST_64, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t got = 99;
        CHECK_INT(integers(cases[i].op, &fmod_attr, cases[i].fmod, cases[i].dtype, cases[i].x,
                           cases[i].y, &got), HET_OK);
        if (got != cases[i].want)
            TEST_FAIL("%s of %" PRIx64 " and %" PRIx64 ": %" PRIx64 ", want %" PRIx64, cases[i].op,
                      cases[i].x, cases[i].y, got, cases[i].want);
    }
    uint64_t unused;
    for (het_dtype dtype = HET_DTYPE_I8; dtype <= HET_DTYPE_U64; dtype++) {
        CHECK_INT(integers("Div", NULL, 0, dtype, 5, 0, &unused), HET_E_INVALID);
        CHECK_INT(integers("Mod", NULL, 0, dtype, 5, 0, &unused), HET_E_INVALID);
        CHECK_INT(integers("Mod", &fmod_attr, 1, dtype, 5, 0, &unused), HET_E_INVALID);
    }
    CHECK_INT(integers("Pow", NULL, 0, HET_DTYPE_I64, 0, ALL_64, &unused), HET_E_INVALID);
}

/* One number through a unary operation or a cast; by bit pattern of up to 64 bits. */
static uint64_t convert(const char *op, const het__attr *attrs, uint32_t attr_count,
                        het_dtype dtype, uint64_t x)
{
    bench b;
    uint64_t out = 0;
    start(&b, op, 26, attrs, attr_count, 1, 1);
    b.inputs[0] = (het__tensor){ .dtype = dtype, .rank = 1, .extent = { 1 } };
    take(&b, 0);
    memcpy(b.inputs[0].data, &x, (size_t)het_dtype_bytes(dtype, 1));
    CHECK_INT(run(&b), HET_OK);
    memcpy(&out, b.outputs[0].data, (size_t)het__tensor_bytes(&b.outputs[0]));
    finish(&b);
    return out;
}

static uint64_t cast(het_dtype from, uint64_t x, int64_t to)
{
    const het__attr attr = { "to", .kind = HET__ATTR_INT, .u.i = to };
    return convert("Cast", &attr, 1, from, x);
}

static uint64_t bit_cast(het_dtype from, uint64_t x, int64_t to)
{
    const het__attr attr = { "to", .kind = HET__ATTR_INT, .u.i = to };
    return convert("BitCast", &attr, 1, from, x);
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void cast_ends(void)
{
    /* U64 to F32 and F64 rounds once; what is above 2^63 stays positive. */
    CHECK_INT(cast(HET_DTYPE_U64, ALL_64, 11), bits_of(0x1p64));
    CHECK_INT(cast(HET_DTYPE_U64, ALL_64, 1), 0x5f800000);
    CHECK_INT(cast(HET_DTYPE_I64, (UINT64_C(1) << 53) + 1, 11), bits_of(0x1p53));
    CHECK_INT(cast(HET_DTYPE_I64, (UINT64_C(1) << 62) + (UINT64_C(1) << 38) + 1, 1), 0x5e800001);
    CHECK_INT(cast(HET_DTYPE_I64, (UINT64_C(1) << 62) + (UINT64_C(1) << 38), 1), 0x5e800000);
    CHECK_INT(cast(HET_DTYPE_U64, ALL_64, 7), ALL_64);
    /* F64 to F16 and BF16 rounds once: just above a tie of F16 that F32 would round onto it. */
    CHECK_INT(cast(HET_DTYPE_F64, bits_of(1 + 0x1p-11 + 0x1p-40), 10), 0x3c01);
    CHECK_INT(cast(HET_DTYPE_F64, bits_of(1 + 0x1p-11), 10), 0x3c00);
    CHECK_INT(cast(HET_DTYPE_F64, bits_of(-1 - 0x1p-8 - 0x1p-40), 16), 0xbf81);
    CHECK_INT(cast(HET_DTYPE_F64, bits_of(1e300), 10), 0x7c00);
    CHECK_INT(cast(HET_DTYPE_F64, bits_of(NAN), 9), 1);
    CHECK_INT(cast(HET_DTYPE_F64, bits_of(-0.0), 9), 0);
    CHECK_INT(cast(HET_DTYPE_F32, 0x43480000, 3), 0xc8); /* 200 wraps to -56 */
    CHECK_INT(cast(HET_DTYPE_I8, 0xf7, 22), 0x07); /* low 4 bits of -9 */
    CHECK_INT(cast(HET_DTYPE_I8, 0x0f, 22), 0xff);
    CHECK_INT(cast(HET_DTYPE_I4, 0xf8, 21), 0x08);
    CHECK_INT(cast(HET_DTYPE_I4, 0xf8, 1), 0xc1000000); /* -8 */
    CHECK_INT(bit_cast(HET_DTYPE_F32, 0x3f800000, 6), 0x3f800000);
    CHECK_INT(bit_cast(HET_DTYPE_U4, 0x0f, 22), 0xff);
    CHECK_INT(bit_cast(HET_DTYPE_I4, 0xf9, 21), 0x09);
    CHECK_INT(bit_cast(HET_DTYPE_I4, 0xf9, 23), 0x09);
    CHECK_INT(bit_cast(HET_DTYPE_U2, 0x02, 26), 0xfe);
    CHECK_INT(convert("Abs", NULL, 0, HET_DTYPE_I64, LEAST_64), LEAST_64);
    CHECK_INT(convert("Neg", NULL, 0, HET_DTYPE_I64, LEAST_64), LEAST_64);
    CHECK_INT(convert("Sign", NULL, 0, HET_DTYPE_U64, LEAST_64), 1);
    CHECK_INT(convert("Abs", NULL, 0, HET_DTYPE_U64, LEAST_64), LEAST_64);
}

static void clip_ends(void)
{
    static const uint64_t in[] = { 0, 7, LEAST_64, ALL_64 };
    static const uint64_t unsigned_want[] = { 5, 7, LEAST_64, LEAST_64 + 9 };
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        bench b;
        start(&b, "Clip", 13, NULL, 0, 3, 1);
        const het_dtype dtype = is_signed ? HET_DTYPE_I64 : HET_DTYPE_U64;
        const uint64_t bounds[] = { 5, is_signed ? 6 : LEAST_64 + 9 };
        b.inputs[0] = (het__tensor){ .dtype = dtype, .rank = 1, .extent = { 4 } };
        b.inputs[1] = b.inputs[2] = (het__tensor){ .dtype = dtype };
        for (uint32_t i = 0; i < 3; i++)
            take(&b, i);
        memcpy(b.inputs[0].data, in, sizeof in);
        memcpy(b.inputs[1].data, &bounds[0], 8);
        memcpy(b.inputs[2].data, &bounds[1], 8);
        CHECK_INT(run(&b), HET_OK);
        static const uint64_t signed_want[] = { 5, 6, 5, 5 };
        for (int k = 0; k < 4; k++)
            CHECK_INT(het__get_i64(dtype, b.outputs[0].data, k),
                      (int64_t)(is_signed ? signed_want : unsigned_want)[k]);
        finish(&b);
    }
}

/* ---- small floats ---- */

static void small_float_codes(void)
{
    static const het_dtype types[] = { HET_DTYPE_F8E4M3, HET_DTYPE_F8E4M3UZ, HET_DTYPE_F8E5M2,
                                       HET_DTYPE_F8E5M2UZ, HET_DTYPE_F8E8M0, HET_DTYPE_F4E2M1 };
    static const double most[] = { 448, 240, 57344, 57344, 0x1p127, 6 };
    static const double least[] = { 0x1p-9, 0x1p-10, 0x1p-16, 0x1p-17, 0x1p-127, 0.5 };
    static const int finite[] = { 254, 255, 248, 255, 255, 16 };
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        const int codes = types[t] == HET_DTYPE_F4E2M1 ? 16 : 256;
        double large = 0, small = INFINITY;
        int count = 0;
        for (int code = 0; code < codes; code++) {
            const double x = het__small_float_get(types[t], (uint8_t)code);
            if (isnan(x) || isinf(x))
                continue;
            count++;
            large = fmax(large, x);
            small = x > 0 ? fmin(small, x) : small;
            CHECK_INT(het__small_float_put(types[t], x, true), code);
            CHECK_INT(het__small_float_put(types[t], x, false), code);
        }
        CHECK_INT(count, finite[t]);
        CHECK_NEAR(large, most[t], 0);
        CHECK_NEAR(small, least[t], 0);
    }
}

/* Between neighbours: halves go to the even code, the rest to the nearer one. */
static void small_float_rounding(void)
{
    static const het_dtype types[] = { HET_DTYPE_F8E4M3, HET_DTYPE_F8E4M3UZ, HET_DTYPE_F8E5M2,
                                       HET_DTYPE_F8E5M2UZ, HET_DTYPE_F4E2M1 };
    static const int last[] = { 0x7e, 0x7f, 0x7b, 0x7f, 7 };
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        for (int code = 0; code < last[t]; code++) {
            const double x = het__small_float_get(types[t], (uint8_t)code);
            const double y = het__small_float_get(types[t], (uint8_t)(code + 1));
            const double middle = (x + y) / 2;
            const int even = code & 1 ? code + 1 : code;
            const int sign = types[t] == HET_DTYPE_F4E2M1 ? 8 : 0x80;
            const bool one_zero = types[t] == HET_DTYPE_F8E4M3UZ || types[t] == HET_DTYPE_F8E5M2UZ;
            CHECK(y > x);
            CHECK_INT(het__small_float_put(types[t], middle, true), even);
            CHECK_INT(het__small_float_put(types[t], -middle, true),
                      even == 0 && one_zero ? 0 : even | sign);
            CHECK_INT(het__small_float_put(types[t], nextafter(middle, 0), true), code);
            CHECK_INT(het__small_float_put(types[t], nextafter(middle, y), true), code + 1);
        }
}

static void small_float_limits(void)
{
    static const struct {
        het_dtype dtype;
        double x;
        uint8_t saturated, open; /* codes with saturate 1 and 0 */
    } cases[] = {
        { HET_DTYPE_F8E4M3, 464, 0x7e, 0x7e }, /* a tie that still rounds down */
        { HET_DTYPE_F8E4M3, 465, 0x7e, 0x7f },
        { HET_DTYPE_F8E4M3, -1e9, 0xfe, 0xff },
        { HET_DTYPE_F8E4M3, INFINITY, 0x7e, 0x7f },
        { HET_DTYPE_F8E4M3, NAN, 0x7f, 0x7f },
        { HET_DTYPE_F8E4M3, -0.0, 0x80, 0x80 },
        { HET_DTYPE_F8E4M3UZ, 1e300, 0x7f, 0x80 },
        { HET_DTYPE_F8E4M3UZ, -INFINITY, 0xff, 0x80 },
        { HET_DTYPE_F8E4M3UZ, NAN, 0x80, 0x80 },
        { HET_DTYPE_F8E4M3UZ, -0.0, 0, 0 },
        { HET_DTYPE_F8E4M3UZ, -1e-300, 0, 0 },
        { HET_DTYPE_F8E5M2, 61439, 0x7b, 0x7b },
        { HET_DTYPE_F8E5M2, 61440, 0x7b, 0x7c },
        { HET_DTYPE_F8E5M2, -INFINITY, 0xfb, 0xfc },
        { HET_DTYPE_F8E5M2, NAN, 0x7e, 0x7e },
        { HET_DTYPE_F8E5M2UZ, INFINITY, 0x7f, 0x80 },
        { HET_DTYPE_F8E5M2UZ, 5e-324, 0, 0 },
        { HET_DTYPE_F4E2M1, 100, 7, 7 },
        { HET_DTYPE_F4E2M1, -INFINITY, 15, 15 },
        { HET_DTYPE_F4E2M1, 5, 6, 6 },
        { HET_DTYPE_F8E8M0, 1.5, 128, 128 }, /* ties go up */
        { HET_DTYPE_F8E8M0, 1.49, 127, 127 },
        { HET_DTYPE_F8E8M0, 0x1p128, 254, 255 },
        { HET_DTYPE_F8E8M0, 0x1p-130, 0, 255 },
        { HET_DTYPE_F8E8M0, 0, 0, 255 },
        { HET_DTYPE_F8E8M0, NAN, 255, 255 },
        { HET_DTYPE_F8E8M0, INFINITY, 254, 255 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_INT(het__small_float_put(cases[i].dtype, cases[i].x, true), cases[i].saturated);
        CHECK_INT(het__small_float_put(cases[i].dtype, cases[i].x, false), cases[i].open);
    }
    CHECK(isinf(het__small_float_get(HET_DTYPE_F8E5M2, 0x7c)));
    CHECK(isnan(het__small_float_get(HET_DTYPE_F8E5M2, 0x7d)));
    CHECK(isnan(het__small_float_get(HET_DTYPE_F8E4M3, 0xff)));
    CHECK(isnan(het__small_float_get(HET_DTYPE_F8E8M0, 0xff)));
}

/* Cast's own attributes. */
static void small_float_casts(void)
{
    static const struct {
        const char *mode;
        uint32_t x; /* F32 */
        uint8_t want;
    } powers[] = {
        { "up", 0x3f800001, 128 },   { "down", 0x3fffffff, 127 }, { "nearest", 0x3fc00000, 128 },
        { "nearest", 0x3fbfffff, 127 }, { "up", 0x3f800000, 127 }, { "down", 0x3f800000, 127 },
        { "up", 0x7f7fffff, 254 },   { "down", 0x00000001, 0 },   { "up", 0x7fc00000, 255 },
    };
    for (size_t i = 0; i < sizeof powers / sizeof powers[0]; i++) {
        const het__attr attrs[] = {
            { "to", .kind = HET__ATTR_INT, .u.i = 24 },
            { "round_mode", .kind = HET__ATTR_STRING, .u.string = powers[i].mode },
        };
        CHECK_INT(convert("Cast", attrs, 2, HET_DTYPE_F32, powers[i].x), powers[i].want);
    }
    const het__attr open[] = { { "to", .kind = HET__ATTR_INT, .u.i = 19 },
                               { "saturate", .kind = HET__ATTR_INT, .u.i = 0 } };
    CHECK_INT(convert("Cast", open, 1, HET_DTYPE_F32, 0x7f7fffff), 0x7b);
    CHECK_INT(convert("Cast", open, 2, HET_DTYPE_F32, 0x7f7fffff), 0x7c);
}

/* ---- refusals ---- */

typedef struct refusal {
    const char *sentence; /* part of the message; NULL: accepted */
    const char *op;
    uint32_t input_count;
    vector inputs[INPUTS_MAX]; /* contents are not known to the rule */
    uint32_t attr_count;
    het__attr attrs[2];
} refusal;

#define V(type, ...) \
    { HET_DTYPE_##type, sizeof((int64_t[]){ __VA_ARGS__ }) / 8, { __VA_ARGS__ }, NULL }
#define SCALAR(type) { HET_DTYPE_##type, 0, { 0 }, NULL }
#define ABSENT { HET_DTYPE_NONE, 0, { 0 }, NULL }
#define INT(key, value) { key, .kind = HET__ATTR_INT, .u.i = value }
#define STRING(key, value) { key, .kind = HET__ATTR_STRING, .u.string = value }
#define INTS(key, ...) \
    { key, .kind = HET__ATTR_INTS, .count = sizeof((int64_t[]){ __VA_ARGS__ }) / 8, \
      .u.ints = (const int64_t[]){ __VA_ARGS__ } }

static void refusals(void)
{
    const refusal cases[] = {
        { "cannot be I32", "Exp", 1, { V(I32, 3) }, 0, { { 0 } } },
        { "cannot be F32", "Not", 1, { V(F32, 3) }, 0, { { 0 } } },
        { "cannot be U8", "Neg", 1, { V(U8, 3) }, 0, { { 0 } } },
        { "cannot be BOOL", "Abs", 1, { V(BOOL, 3) }, 0, { { 0 } } },
        { "cannot be Q4_0", "Identity", 1, { V(Q4_0, 32) }, 0, { { 0 } } },
        { "is missing", "Relu", 1, { ABSENT }, 0, { { 0 } } },
        { "is missing", "Relu", 0, { ABSENT }, 0, { { 0 } } },
        { "is missing", "Add", 1, { V(F32, 3) }, 0, { { 0 } } },
        { "is missing", "Add", 2, { V(F32, 3), ABSENT }, 0, { { 0 } } },
        { "is missing", "Sum", 3, { V(F32, 3), V(F32, 3), ABSENT }, 0, { { 0 } } },
        { "cannot be I8", "Sum", 1, { V(I8, 3) }, 0, { { 0 } } },
        { "cannot be F32", "And", 2, { V(F32, 3), V(F32, 3) }, 0, { { 0 } } },
        { "input 1 is F16 where input 0 is F32", "Add", 2, { V(F32, 3), V(F16, 3) }, 0, { { 0 } } },
        { "F32[4] does not broadcast to F32[3]", "Add", 2, { V(F32, 3), V(F32, 4) }, 0, { { 0 } } },
        { NULL, "Add", 2, { V(F32, 3), V(F32, 4, 1) }, 0, { { 0 } } },
        { "impossible size", "Add", 2, { V(F32, INT64_C(1) << 40, 1), V(F32, INT64_C(1) << 40) }, 0,
          { { 0 } } },
        { "slope does not broadcast", "PRelu", 2, { V(F32, 3), V(F32, 2, 3) }, 0, { { 0 } } },
        { "neither LEFT nor RIGHT", "BitShift", 2, { V(U8, 3), V(U8, 3) }, 0, { { 0 } } },
        { "neither none nor tanh", "Gelu", 1, { V(F32, 3) }, 1, { STRING("approximate", "sin") } },
        { "cannot be F32", "BitShift", 2, { V(F32, 3), V(F32, 3) }, 1,
          { STRING("direction", "LEFT") } },
        { "cannot be I8", "Where", 3, { V(I8, 3), V(F32, 3), V(F32, 3) }, 0, { { 0 } } },
        { "input 2 is F64", "Where", 3, { V(BOOL, 3), V(F32, 3), V(F64, 3) }, 0, { { 0 } } },
        { "cannot be BOOL", "Less", 2, { V(BOOL, 3), V(BOOL, 3) }, 0, { { 0 } } },
        { NULL, "Equal", 2, { V(BOOL, 3), V(BOOL, 3) }, 0, { { 0 } } },
        { "bound 1 is not one number", "Clip", 2, { V(F32, 3), V(F32, 3) }, 0, { { 0 } } },
        { "bound 2 is not one number", "Clip", 3, { V(F32, 3), ABSENT, SCALAR(I8) }, 0, { { 0 } } },
        { "bias does not fit", "com.microsoft:FastGelu", 2, { V(F32, 3), V(F32, 4) }, 0,
          { { 0 } } },
        { "no attribute to", "Cast", 1, { V(F32, 3) }, 0, { { 0 } } },
        { "a string, complex or later", "Cast", 1, { V(F32, 3) }, 1, { INT("to", 8) } },
        { "a string, complex or later", "Cast", 1, { V(F32, 3) }, 1, { INT("to", 14) } },
        { "a string, complex or later", "Cast", 1, { V(F32, 3) }, 1, { INT("to", INT64_MIN) } },
        { "a string, complex or later", "Cast", 1, { V(F32, 3) }, 1, { INT("to", INT64_MAX) } },
        { "round_mode is none", "Cast", 1, { V(F32, 3) }, 2,
          { INT("to", 24), STRING("round_mode", "away") } },
        { "are not of one size", "BitCast", 1, { V(F32, 3) }, 1, { INT("to", 11) } },
        { "are not of one size", "BitCast", 1, { V(I4, 3) }, 1, { INT("to", 3) } },
        { "input 1 is not one number", "Dropout", 2, { V(F32, 3), V(F32, 2) }, 0, { { 0 } } },
        { "input 2 is not one number", "Dropout", 3, { V(F32, 3), ABSENT, SCALAR(F32) }, 0,
          { { 0 } } },
        { "no attribute shape", "RandomNormal", 0, { ABSENT }, 0, { { 0 } } },
        { "impossible size", "RandomNormal", 0, { ABSENT }, 1, { INTS("shape", 2, -1) } },
        { "impossible size", "RandomUniform", 0, { ABSENT }, 1,
          { INTS("shape", INT64_MAX, INT64_MAX) } },
        { "has rank 9", "RandomUniform", 0, { ABSENT }, 1,
          { INTS("shape", 1, 1, 1, 1, 1, 1, 1, 1, 1) } },
        { "output cannot be I8", "RandomUniform", 0, { ABSENT }, 2,
          { INTS("shape", 2), INT("dtype", 3) } },
        { "cannot be I32", "Bernoulli", 1, { V(I32, 3) }, 0, { { 0 } } },
        { "no matrix of rows", "Multinomial", 1, { V(F32, 3) }, 0, { { 0 } } },
        { "no matrix of rows", "Multinomial", 1, { V(F32, 3, 0) }, 0, { { 0 } } },
        { "impossible size", "Multinomial", 1, { V(F32, 3, 2) }, 1, { INT("sample_size", -1) } },
        { "impossible size", "Multinomial", 1, { V(F32, 3, 2) }, 1,
          { INT("sample_size", INT64_MAX) } },
        { "it cannot quantise to I32", "QuantizeLinear", 3, { V(F32, 3), SCALAR(F32), SCALAR(I32) },
          0, { { 0 } } },
        { "not the zero point's type", "QuantizeLinear", 3,
          { V(F32, 3), SCALAR(F32), SCALAR(U8) }, 1, { INT("output_dtype", 3) } },
        { "precision names no type", "QuantizeLinear", 2, { V(F32, 3), SCALAR(F32) }, 1,
          { INT("precision", 6) } },
        { "cannot be F64", "QuantizeLinear", 2, { V(F64, 3), SCALAR(F32) }, 0, { { 0 } } },
        { "is not the extent of the axis", "QuantizeLinear", 2, { V(F32, 3, 4), V(F32, 3) }, 0,
          { { 0 } } },
        { NULL, "QuantizeLinear", 2, { V(F32, 3, 4), V(F32, 3) }, 1, { INT("axis", -2) } },
        { "is not the extent of the axis", "QuantizeLinear", 2, { V(F32, 3, 4), V(F32, 3) }, 1,
          { INT("axis", INT64_MIN) } },
        { "is not the extent of the axis", "QuantizeLinear", 2, { SCALAR(F32), V(F32, 3) }, 1,
          { INT("axis", 0) } },
        { "not of one shape", "QuantizeLinear", 3, { V(F32, 3, 4), V(F32, 4), V(U8, 3) }, 0,
          { { 0 } } },
        { "block_size is negative", "QuantizeLinear", 2, { V(F32, 4, 4), V(F32, 4, 2) }, 1,
          { INT("block_size", -2) } },
        { "there is no block_size", "QuantizeLinear", 2, { V(F32, 4, 4), V(F32, 4, 2) }, 0,
          { { 0 } } },
        { "those of blocks of 3", "QuantizeLinear", 2, { V(F32, 4, 4), V(F32, 4, 1) }, 1,
          { INT("block_size", 3) } },
        { NULL, "QuantizeLinear", 2, { V(F32, 4, 4), V(F32, 4, 1) }, 1,
          { INT("block_size", INT64_MAX) } },
        { "those of blocks of 2", "DequantizeLinear", 2, { V(I4, 4, 4), V(F32, 4, 2) }, 2,
          { INT("block_size", 2), INT("axis", 5) } },
        { "the zero point is U8", "DequantizeLinear", 3, { V(I8, 3), SCALAR(F32), SCALAR(U8) }, 0,
          { { 0 } } },
        { "can only be F32", "DequantizeLinear", 2, { V(I8, 3), SCALAR(F32) }, 1,
          { INT("output_dtype", 11) } },
        { "can only be F32", "DequantizeLinear", 2, { V(I8, 3), SCALAR(F8E8M0) }, 0, { { 0 } } },
        { "cannot be F16", "DynamicQuantizeLinear", 1, { V(F16, 3) }, 0, { { 0 } } },
        { "do not broadcast", "com.microsoft:QLinearAdd", 7,
          { V(U8, 3), SCALAR(F32), SCALAR(U8), V(U8, 4), SCALAR(F32), SCALAR(U8), SCALAR(F32) }, 0,
          { { 0 } } },
        { "input 3 cannot be I8", "com.microsoft:QLinearAdd", 7,
          { V(U8, 3), SCALAR(F32), SCALAR(U8), V(I8, 3), SCALAR(F32), SCALAR(U8), SCALAR(F32) }, 0,
          { { 0 } } },
        { "input 6 is not one F32 scale", "com.microsoft:QLinearMul", 6,
          { V(U8, 3), SCALAR(F32), SCALAR(U8), V(U8, 3), SCALAR(F32), SCALAR(U8) }, 0, { { 0 } } },
        { "input 2 is not one zero point", "com.microsoft:QLinearMul", 7,
          { V(U8, 3), SCALAR(F32), V(U8, 2), V(U8, 3), SCALAR(F32), SCALAR(U8), SCALAR(F32) }, 0,
          { { 0 } } },
        { "no places to average", "com.microsoft:QLinearGlobalAveragePool", 5,
          { V(U8, 3, 2), SCALAR(F32), SCALAR(U8), SCALAR(F32), SCALAR(U8) }, 0, { { 0 } } },
        { "no places to average", "com.microsoft:QLinearGlobalAveragePool", 5,
          { V(U8, 3, 2, 0), SCALAR(F32), SCALAR(U8), SCALAR(F32), SCALAR(U8) }, 0, { { 0 } } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const refusal *r = &cases[i];
        bench b;
        start(&b, r->op, 25, r->attrs, r->attr_count, r->input_count, 1);
        for (uint32_t k = 0; k < r->input_count; k++) {
            b.inputs[k] = (het__tensor){ .dtype = r->inputs[k].dtype, .rank = r->inputs[k].rank };
            memcpy(b.inputs[k].extent, r->inputs[k].extent, sizeof r->inputs[k].extent);
        }
        const het_status s = shape(&b);
        CHECK(r->sentence ? s == HET_E_INVALID || s == HET_E_UNSUPPORTED : s == HET_OK);
        if (r->sentence && !strstr(b.err.message, r->sentence))
            TEST_FAIL("case %zu, %s: \"%s\", want \"%s\"", i, r->op, b.err.message, r->sentence);
        finish(&b);
    }
}

/* ---- random numbers ---- */

static uint64_t draw_of(const char *name, double *mean)
{
    const int64_t extent[] = { 40, 50 };
    const het__attr attr = { "shape", .kind = HET__ATTR_INTS, .count = 2, .u.ints = extent };
    bench b;
    uint64_t first = 0;
    start(&b, "RandomUniform", 1, &attr, 1, 0, 1);
    b.node.name = name;
    CHECK_INT(run(&b), HET_OK);
    memcpy(&first, b.outputs[0].data, sizeof first);
    *mean = 0;
    for (int64_t i = 0; i < 2000; i++)
        *mean += het__get_f64(HET_DTYPE_F32, b.outputs[0].data, i) / 2000;
    finish(&b);
    return first;
}

static void random_without_seed(void)
{
    double a, b, c;
    const uint64_t first = draw_of("one", &a);
    CHECK(draw_of("one", &b) == first);
    CHECK(draw_of("two", &c) != first);
    CHECK_NEAR(a, 0.5, 0.03);
    CHECK_NEAR(c, 0.5, 0.03);
    CHECK_NEAR(a, b, 0);
}

static void random_classes(void)
{
    const het__attr attrs[] = { { "sample_size", .kind = HET__ATTR_INT, .u.i = 4000 },
                                { "dtype", .kind = HET__ATTR_INT, .u.i = 7 } };
    const double logs[] = { 0, -INFINITY, log(3), NAN, NAN, NAN };
    int64_t seen[3] = { 0 };
    bench b;
    start(&b, "Multinomial", 7, attrs, 2, 1, 1);
    give(&b, 0, &(vector){ HET_DTYPE_F32, 2, { 2, 3 }, logs });
    CHECK_INT(run(&b), HET_OK);
    for (int64_t i = 0; i < 8000; i++) {
        const int64_t class = het__get_i64(HET_DTYPE_I64, b.outputs[0].data, i);
        CHECK(class >= 0 && class < 3);
        seen[i < 4000 ? class : 0] += i < 4000;
    }
    CHECK_INT(seen[1], 0);
    CHECK_NEAR((double)seen[2], 3000, 100);
    finish(&b);
}

static void random_bits(void)
{
    const double p[] = { 0, 1, 0.5, 2, NAN };
    const het__attr attr = { "dtype", .kind = HET__ATTR_INT, .u.i = 9 };
    bench b;
    start(&b, "Bernoulli", 15, &attr, 1, 1, 1);
    give(&b, 0, &(vector){ HET_DTYPE_F32, 1, { 5 }, p });
    CHECK_INT(run(&b), HET_OK);
    const uint8_t *y = b.outputs[0].data;
    CHECK_INT(y[0], 0);
    CHECK_INT(y[1], 1);
    CHECK(y[2] <= 1);
    CHECK_INT(y[4], 0);
    finish(&b);
}

static void bad_ratio(void)
{
    static const double ratios[] = { 1, -0.5, 7, NAN };
    const double x[] = { 1 }, on[] = { 1 };
    for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
        bench b;
        start(&b, "Dropout", 13, NULL, 0, 3, 1);
        give(&b, 0, &(vector){ HET_DTYPE_F32, 1, { 1 }, x });
        give(&b, 1, &(vector){ HET_DTYPE_F32, 0, { 0 }, &ratios[i] });
        give(&b, 2, &(vector){ HET_DTYPE_BOOL, 0, { 0 }, on });
        CHECK_INT(run(&b), HET_E_INVALID);
        finish(&b);
    }
}

/* Scales that make no sense give codes within the type's range. */
static void hostile_scales(void)
{
    static const double scales[] = { 0, -0.0, NAN, INFINITY, -INFINITY, 1e-45, -3 };
    const double x[] = { 0, 1, -1, INFINITY, -INFINITY, NAN, 3e38, -3e38 };
    for (het_dtype dtype = HET_DTYPE_I8; dtype <= HET_DTYPE_U2; dtype++) {
        if (dtype == HET_DTYPE_I32 || dtype == HET_DTYPE_I64 || dtype == HET_DTYPE_F8E8M0 ||
            (dtype > HET_DTYPE_U16 && dtype < HET_DTYPE_F8E4M3))
            continue;
        for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
            bench b;
            const double zero = 0;
            start(&b, "QuantizeLinear", 21, NULL, 0, 3, 1);
            give(&b, 0, &(vector){ HET_DTYPE_F32, 1, { 8 }, x });
            give(&b, 1, &(vector){ HET_DTYPE_F32, 0, { 0 }, &scales[i] });
            give(&b, 2, &(vector){ dtype, 0, { 0 }, &zero });
            CHECK_INT(run(&b), HET_OK);
            for (int64_t k = 0; het__dtype_is_int(dtype) && k < 8; k++) {
                const int64_t code = het__get_i64(dtype, b.outputs[0].data, k);
                uint8_t again[8];
                het__put_i64(dtype, again, 0, code);
                CHECK_INT(het__get_i64(dtype, again, 0), code);
            }
            finish(&b);
        }
    }
}

int main(void)
{
    test_case(vectors);
    test_case(long_runs);
    test_case(integer_ends);
    test_case(cast_ends);
    test_case(clip_ends);
    test_case(small_float_codes);
    test_case(small_float_rounding);
    test_case(small_float_limits);
    test_case(small_float_casts);
    test_case(refusals);
    test_case(random_without_seed);
    test_case(random_classes);
    test_case(random_bits);
    test_case(bad_ratio);
    test_case(hostile_scales);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* LINEAR, GATED, MATMUL and MOE on an OpenCL device against the reference device: every weight
 * type, every kernel, tails of rows and columns, everything that is done to a sum.
 *
 *     check_products [gpu] [quick]      gpu: with the kernels that GPUs get
 *                                       quick: little of everything, for interpreters (oclgrind)
 *
 * Errors are held against the largest result, which is a few times what a sum of random terms comes
 * to: of 512 terms F32 can lose 2^-24 times the square root of that many, about 1e-6 of it. */
#define _POSIX_C_SOURCE 200809L /* setenv */

#include "opencl_rig.h"

static const het_dtype types[] = {
    HET_DTYPE_F32, HET_DTYPE_F16, HET_DTYPE_BF16, HET_DTYPE_Q4_0, HET_DTYPE_Q4_1, HET_DTYPE_Q5_0,
    HET_DTYPE_Q5_1, HET_DTYPE_Q8_0, HET_DTYPE_Q2_K, HET_DTYPE_Q3_K, HET_DTYPE_Q4_K,
    HET_DTYPE_Q5_K, HET_DTYPE_Q6_K, HET_DTYPE_IQ4_NL, HET_DTYPE_IQ4_XS, HET_DTYPE_MXFP4,
};
enum { TYPES = sizeof types / sizeof types[0] };
static const int64_t row_counts[] = { 1, 2, 5, 8, 33, 128 };
enum { ROW_COUNTS = sizeof row_counts / sizeof row_counts[0] };
#define TOLERANCE 4e-6

static uint64_t seed = 20261121;
static bool is_quick;
static void *given[64];
static uint32_t given_count;

/* A matrix that lives until the case ends. */
static void *weights(het_dtype dtype, int64_t n, int64_t k)
{
    void *p = random_weights(dtype, n, k, &seed, NULL);
    return given[given_count++] = p;
}

static void drop_weights(void)
{
    while (given_count)
        free(given[--given_count]);
}

/* Columns of a weight: a tail of every kind that the type allows. */
static int64_t inner_of(het_dtype dtype)
{
    const uint32_t block = het__dtype(dtype)->block_elements;
    return block == 1 ? 77 : block == 32 ? 3 * 32 : 512;
}

static node_input constant(het_dtype dtype, int64_t rows, int64_t columns)
{
    return (node_input){ .kind = HET__VALUE_CONST, .dtype = dtype, .rank = 2,
                         .extent = { FIXED(rows), FIXED(columns) },
                         .data = weights(dtype, rows, columns) };
}

static node_input vector(het_dtype dtype, int64_t count)
{
    return (node_input){ .kind = HET__VALUE_CONST, .dtype = dtype, .rank = 1,
                         .extent = { FIXED(count) }, .data = weights(dtype, 1, count) };
}

static node_input step_rows(int64_t columns)
{
    return (node_input){ .kind = HET__VALUE_INPUT, .dtype = HET_DTYPE_F32, .rank = 2,
                         .extent = { TOKENS_OF, FIXED(columns) } };
}

static node_case new_case(const char *name, het__op op, uint32_t inputs)
{
    node_case c = { .op = op, .input_count = inputs, .tokens_max = 130, .tolerance = TOLERANCE,
                    .seed = ++seed };
    snprintf(c.name, sizeof c.name, "%s", name);
    return c;
}

static void check(const node_case *c)
{
    static const int64_t few[] = { 1, 3, 7, 33 };
    if (is_quick)
        node_check(c, few, sizeof few / sizeof few[0]);
    else
        node_check(c, row_counts, ROW_COUNTS);
    drop_weights();
}

/* One projection of each type, with a bias and a residual. */
static void every_type(void)
{
    for (int i = 0; i < TYPES; i += is_quick ? 3 : 1) {
        const int64_t k = inner_of(types[i]), n = is_quick ? 21 : 101;
        node_case c = new_case(het_dtype_name(types[i]), HET__OP_LINEAR, 4);
        c.attrs.linear.projections = 1;
        c.attrs.linear.residual = true;
        c.inputs[0] = step_rows(k);
        c.inputs[1] = step_rows(n);
        c.inputs[2] = constant(types[i], n, k);
        c.inputs[3] = vector(HET_DTYPE_F32, n);
        check(&c);
    }
}

/* Three projections of different types and sizes; a bias that is not F32, and none. */
static void projections(void)
{
    node_case c = new_case("projections", HET__OP_LINEAR, 8);
    c.attrs.linear.projections = 3;
    c.inputs[0] = step_rows(256);
    c.inputs[2] = constant(HET_DTYPE_Q4_K, 3, 256);
    c.inputs[3] = vector(HET_DTYPE_F16, 3);
    c.inputs[4] = constant(HET_DTYPE_F32, 64, 256);
    c.inputs[6] = constant(HET_DTYPE_Q8_0, 65, 256);
    c.inputs[7] = vector(HET_DTYPE_BF16, 65);
    check(&c);
}

/* Sums of many terms: errors of terms must not add up. */
static void long_sums(void)
{
    static const het_dtype of[] = { HET_DTYPE_F32, HET_DTYPE_Q4_0 };
    for (int i = 0; i < 2 && !is_quick; i++) {
        node_case c = new_case("long sums", HET__OP_LINEAR, 4);
        c.attrs.linear.projections = 1;
        c.inputs[0] = step_rows(14336);
        c.inputs[2] = constant(of[i], 6, 14336);
        check(&c);
    }
}

static void gated(void)
{
    static const het__unary acts[] = { HET__UNARY_SILU, HET__UNARY_GELU_TANH, HET__UNARY_GELU_ERF,
                                       HET__UNARY_RELU };
    for (int i = 0; i < 4; i += is_quick ? 2 : 1) {
        node_case c = new_case("gated", HET__OP_GATED, 3);
        c.attrs.gated.act = acts[i];
        c.inputs[0] = step_rows(256);
        c.inputs[1] = constant(i % 2 ? HET_DTYPE_Q4_0 : HET_DTYPE_F16, 70, 256);
        c.inputs[2] = constant(i > 1 ? HET_DTYPE_Q6_K : HET_DTYPE_Q4_0, 70, 256);
        c.tolerance = 1e-5;
        check(&c);
    }
}

/* ---- matmul ---- */

static node_input operand(het__value_kind kind, het_dtype dtype, uint32_t rank,
                          const int64_t *extent)
{
    node_input in = { .kind = kind, .dtype = dtype, .rank = rank };
    int64_t rows = 1;
    for (uint32_t i = 0; i < rank; i++) {
        in.extent[i] = (het__extent)FIXED(extent[i]);
        rows *= i + 1 < rank ? extent[i] : 1;
    }
    if (kind == HET__VALUE_CONST)
        in.data = weights(dtype, rows, extent[rank - 1]);
    return in;
}

typedef struct matmul_case {
    const char *name;
    uint32_t a_rank, b_rank;
    int64_t a[4], b[4];
    bool transpose_b, bias, residual;
    het__value_kind kind; /* of b */
    het_dtype type;
    float scale;
    het__act act;
} matmul_case;

static const matmul_case matmuls[] = {
    { "plain", 2, 2, { 130, 77 }, { 77, 101 }, .kind = HET__VALUE_INPUT, .type = HET_DTYPE_F32,
      .scale = 1, .act = { HET__ACT_RELU, 0, 0 }, .bias = true, .residual = true },
    { "one row", 2, 2, { 1, 300 }, { 300, 19 }, .kind = HET__VALUE_CONST, .type = HET_DTYPE_F32,
      .scale = 0.5f },
    { "few columns", 3, 2, { 3, 5, 33 }, { 33, 7 }, .kind = HET__VALUE_CONST,
      .type = HET_DTYPE_F16, .scale = 1, .bias = true, .act = { HET__ACT_GELU_ERF, 0, 0 } },
    { "bfloat16", 3, 3, { 3, 20, 40 }, { 1, 40, 66 }, .kind = HET__VALUE_CONST,
      .type = HET_DTYPE_BF16, .scale = 1, .act = { HET__ACT_HARD_SWISH, 0, 0 } },
    { "turned", 2, 2, { 65, 96 }, { 67, 96 }, .transpose_b = true, .kind = HET__VALUE_CONST,
      .type = HET_DTYPE_Q5_0, .scale = 2, .bias = true, .act = { HET__ACT_CLIP, -1, 2 } },
    { "heads", 4, 4, { 2, 3, 17, 32 }, { 2, 3, 21, 32 }, .transpose_b = true,
      .kind = HET__VALUE_INPUT, .type = HET_DTYPE_F32, .scale = 0.125f },
    { "values", 4, 4, { 2, 3, 17, 21 }, { 2, 3, 21, 32 }, .kind = HET__VALUE_INPUT,
      .type = HET_DTYPE_F32, .scale = 1, .residual = true },
    { "one of the leading", 4, 4, { 2, 3, 5, 16 }, { 2, 1, 16, 18 }, .kind = HET__VALUE_INPUT,
      .type = HET_DTYPE_F32, .scale = 1, .act = { HET__ACT_LEAKY_RELU, 0.25f, 0 } },
    { "the other", 4, 3, { 2, 3, 70, 16 }, { 3, 70, 16 }, .transpose_b = true,
      .kind = HET__VALUE_INPUT, .type = HET_DTYPE_F32, .scale = 1,
      .act = { HET__ACT_SWISH, 1.5f, 0 } },
    { "few rows, heads", 3, 3, { 6, 4, 32 }, { 6, 50, 32 }, .transpose_b = true,
      .kind = HET__VALUE_INPUT, .type = HET_DTYPE_F32, .scale = 1,
      .act = { HET__ACT_HARD_SIGMOID, 0.2f, 0.5f } },
    { "large", 2, 2, { 150, 200 }, { 200, 140 }, .kind = HET__VALUE_CONST, .type = HET_DTYPE_F32,
      .scale = 3, .bias = true, .residual = true, .act = { HET__ACT_SIGMOID, 0, 0 } },
    { "large, turned", 2, 2, { 150, 200 }, { 140, 200 }, .transpose_b = true, .bias = true,
      .kind = HET__VALUE_CONST, .type = HET_DTYPE_F32, .scale = 1,
      .act = { HET__ACT_TANH, 0, 0 } },
};

static void run_matmul(const matmul_case *m)
{
    node_case c = new_case(m->name, HET__OP_MATMUL, 4);
    const int64_t n = m->b[m->transpose_b ? m->b_rank - 2 : m->b_rank - 1];
    int64_t out[4];
    memcpy(out, m->a, sizeof out);
    out[m->a_rank - 1] = n;
    c.attrs.matmul = (het__matmul_attrs){ m->transpose_b, m->scale, m->act };
    c.inputs[0] = operand(HET__VALUE_INPUT, HET_DTYPE_F32, m->a_rank, m->a);
    c.inputs[1] = operand(m->kind, m->type, m->b_rank, m->b);
    if (m->bias)
        c.inputs[2] = vector(HET_DTYPE_F32, n);
    if (m->residual)
        c.inputs[3] = operand(HET__VALUE_INPUT, HET_DTYPE_F32, m->a_rank, out);
    node_check(&c, &(int64_t){ 1 }, 1);
    drop_weights();
}

static void matmul(void)
{
    for (size_t i = 0; i < sizeof matmuls / sizeof matmuls[0]; i++)
        if (!is_quick || strncmp(matmuls[i].name, "large", 5) != 0)
            run_matmul(&matmuls[i]);
}

/* The same with CLBlast wherever it can, and without it. */
static void other_library(void)
{
    for (int i = 0; i < 2 && !is_quick; i++) {
        setenv("HETINFER_OPENCL_CLBLAST", i ? "0" : "1", 1);
        for (size_t k = 0; k < sizeof matmuls / sizeof matmuls[0]; k++)
            if (strncmp(matmuls[k].name, "large", 5) == 0)
                run_matmul(&matmuls[k]);
        node_case c = new_case("linear", HET__OP_LINEAR, 4);
        c.attrs.linear.projections = 1;
        c.attrs.linear.residual = true;
        c.inputs[0] = step_rows(77);
        c.inputs[1] = step_rows(101);
        c.inputs[2] = constant(HET_DTYPE_F32, 101, 77);
        c.inputs[3] = vector(HET_DTYPE_F32, 101);
        check(&c);
    }
    unsetenv("HETINFER_OPENCL_CLBLAST");
}

/* ---- moe ---- */

static node_input experts(het_dtype dtype, int64_t count, int64_t rows, int64_t columns)
{
    return (node_input){ .kind = HET__VALUE_CONST, .dtype = dtype, .rank = 3,
                         .extent = { FIXED(count), FIXED(rows), FIXED(columns) },
                         .data = weights(dtype, count * rows, columns) };
}

/* Scores of one digit: ties everywhere; scores that meet SparseMixer's limit to the last bit. */
static float *tied_scores(int64_t tokens, int64_t count, float jitter)
{
    float *scores = malloc((size_t)(tokens * count) * sizeof *scores);
    given[given_count++] = scores;
    for (int64_t i = 0; i < tokens * count; i++) {
        const uint64_t r = test_random(&seed);
        scores[i] = (float)((int)(r % 7) - 3) / 4;
        if (r >> 40 & 1)
            scores[i] *= 1 - 2 * jitter;
    }
    return scores;
}

typedef struct moe_case {
    het__moe_attrs attrs;
    int64_t experts;
    het_dtype types[3];
    bool tied;
} moe_case;

static void moe(void)
{
    static const moe_case cases[] = {
        { { 2, HET__ROUTER_SOFTMAX, false, 1, 0, HET__UNARY_SILU }, 5,
          { HET_DTYPE_F32, HET_DTYPE_F32, HET_DTYPE_F32 }, false },
        { { 3, HET__ROUTER_SOFTMAX, true, 2, 0, HET__UNARY_GELU_TANH }, 40,
          { HET_DTYPE_Q4_0, HET_DTYPE_Q8_0, HET_DTYPE_F16 }, true },
        { { 4, HET__ROUTER_SIGMOID, true, 1, 0, HET__UNARY_SILU }, 70,
          { HET_DTYPE_Q5_1, HET_DTYPE_Q5_1, HET_DTYPE_MXFP4 }, true },
        { { 2, HET__ROUTER_SPARSE_MIXER, false, 1, 0.01f, HET__UNARY_SILU }, 16,
          { HET_DTYPE_BF16, HET_DTYPE_BF16, HET_DTYPE_IQ4_NL }, true },
        { { 2, HET__ROUTER_SPARSE_MIXER, false, 1, 0.1f, HET__UNARY_SILU }, 3,
          { HET_DTYPE_Q8_0, HET_DTYPE_Q8_0, HET_DTYPE_Q8_0 }, true },
        { { 3, HET__ROUTER_SIGMOID, false, 1, 0, HET__UNARY_RELU }, 3,
          { HET_DTYPE_Q4_1, HET_DTYPE_Q4_1, HET_DTYPE_Q4_1 }, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i += is_quick ? 3 : 1) {
        const moe_case *m = &cases[i];
        const int64_t width = 64, inner = 96;
        node_case c = new_case("moe", HET__OP_MOE, 5);
        snprintf(c.name, sizeof c.name, "moe %zu", i);
        c.attrs.moe = m->attrs;
        c.inputs[0] = step_rows(width);
        c.inputs[1] = step_rows(m->experts);
        if (m->tied)
            c.inputs[1].data = tied_scores(c.tokens_max, m->experts, m->attrs.jitter);
        c.inputs[2] = experts(m->types[0], m->experts, inner, width);
        c.inputs[3] = experts(m->types[1], m->experts, inner, width);
        c.inputs[4] = experts(m->types[2], m->experts, width, inner);
        c.tolerance = 2e-5;
        check(&c);
    }
}

int main(int argc, char **argv)
{
    bool as_gpu = false;
    for (int i = 1; i < argc; i++) {
        as_gpu = as_gpu || strcmp(argv[i], "gpu") == 0;
        is_quick = is_quick || strcmp(argv[i], "quick") == 0;
    }
    opencl_environment(as_gpu);
    setvbuf(stdout, NULL, _IOLBF, 0); /* so that slow runs say how far they are */
    printf("%s\n", opencl_device());
    test_case(every_type);
    test_case(projections);
    test_case(long_sums);
    test_case(gated);
    test_case(matmul);
    test_case(other_library);
    test_case(moe);
    return test_finish();
}

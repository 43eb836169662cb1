/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions, arg, softmax, running sums and losses: values by hand, against sums written as loops,
 * and what must be refused. */
#include "eval_case.h"

#define F32 HET_DTYPE_F32
#define I64 HET_DTYPE_I64
#define NAN_ ((double)NAN)
#define INF_ ((double)INFINITY)

/* ---- reductions ---- */

static void axes_as_attribute_and_as_input(void)
{
    case_begin("ReduceSum", 11);
    case_input(F32, 2, E(2, 3), V(1, 2, 3, 4, 5, 6));
    case_ints("axes", 1, E(-1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 1), V(6, 15), 0);

    case_begin("ReduceSum", 13);
    case_input(F32, 2, E(2, 3), V(1, 2, 3, 4, 5, 6));
    case_input(I64, 1, E(1), V(0));
    case_int("keepdims", 0);
    bool unknown;
    CHECK_INT(case_rule(&unknown), HET_OK);
    CHECK(unknown);
    CHECK_INT(eval_case.out[0].dtype, F32);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 1, E(3), V(5, 7, 9), 0);
}

static void no_axes(void)
{
    case_begin("ReduceMax", 18);
    case_input(F32, 2, E(2, 2), V(1, 7, -3, 2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(1, 1), V(7), 0);

    case_begin("ReduceSumSquare", 18);
    case_input(F32, 2, E(2, 2), V(1, 7, -3, 2));
    case_input(I64, 1, E(0), V(0));
    case_int("noop_with_empty_axes", 1);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 2), V(1, 49, 9, 4), 0);

    case_begin("ReduceSum", 13);
    case_input(F32, 0, NULL, V(4));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 0, NULL, V(4), 0);
}

static double slow_reduce(const char *op, const double *x, int64_t n)
{
    double sum = 0, squares = 0, abs = 0, prod = 1, top = -INF_, least = INF_, exps = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i];
        squares += x[i] * x[i];
        abs += fabs(x[i]);
        prod *= x[i];
        top = fmax(top, x[i]);
        least = fmin(least, x[i]);
        exps += exp(x[i]);
    }
    return !strcmp(op, "ReduceSum") ? sum : !strcmp(op, "ReduceMean") ? sum / (double)n
         : !strcmp(op, "ReduceL1") ? abs : !strcmp(op, "ReduceL2") ? sqrt(squares)
         : !strcmp(op, "ReduceSumSquare") ? squares : !strcmp(op, "ReduceProd") ? prod
         : !strcmp(op, "ReduceMax") ? top : !strcmp(op, "ReduceMin") ? least
         : !strcmp(op, "ReduceLogSum") ? log(sum) : log(exps);
}

/* Any set of axes of a shape whose runs cross the kernel's blocks and lanes. */
static void compare_axes(const char *op, uint32_t mask, const int64_t *extent, const double *x)
{
    const int64_t total = extent[0] * extent[1] * extent[2] * extent[3];
    double *run = malloc((size_t)total * sizeof *run);
    int64_t axes[4], stride[4] = { extent[1] * extent[2] * extent[3], extent[2] * extent[3],
                                   extent[3], 1 };
    uint32_t count = 0;
    case_begin(op, 11);
    case_input(F32, 4, extent, x);
    for (uint32_t i = 0; i < 4; i++)
        if (mask >> i & 1)
            axes[count++] = i;
    case_ints("axes", count, axes);
    CHECK_INT(case_run(), HET_OK);
    int64_t result = 0;
    for (int64_t i = 0; i < total; i++) {
        int64_t n = 0;
        bool first = true;
        for (uint32_t a = 0; a < 4; a++)
            first &= !(mask >> a & 1) || i / stride[a] % extent[a] == 0;
        for (int64_t k = 0; first && k < total; k++) {
            bool same = true;
            for (uint32_t a = 0; a < 4; a++)
                same &= mask >> a & 1 || i / stride[a] % extent[a] == k / stride[a] % extent[a];
            if (same)
                run[n++] = het__get_f64(F32, eval_case.in[0].data, k);
        }
        if (first) {
            const double want = slow_reduce(op, run, n);
            CHECK_NEAR(case_out(0, result), want, 1e-6 * (1 + fabs(want)));
            result++;
        }
    }
    CHECK_INT(result, het__tensor_elements(&eval_case.out[0]));
    free(run);
}

static void every_set_of_axes(void)
{
    static const char *const ops[] = { "ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2",
                                       "ReduceSumSquare", "ReduceProd", "ReduceMax", "ReduceMin",
                                       "ReduceLogSum", "ReduceLogSumExp" };
    static const int64_t shapes[][4] = { { 2, 3, 5, 4 }, { 1, 3, 1, 7 }, { 3, 1, 2, 290 } };
    uint64_t seed = 5;
    for (size_t s = 0; s < 3; s++) {
        const int64_t *e = shapes[s], total = e[0] * e[1] * e[2] * e[3];
        double *x = malloc((size_t)total * sizeof *x);
        for (int64_t i = 0; i < total; i++)
            x[i] = 1 + 0.25 * (double)test_random_float(&seed);
        for (size_t o = 0; o < sizeof ops / sizeof ops[0]; o++)
            for (uint32_t mask = s == 2 ? 9 : 1; mask < 16; mask += s == 2 ? 3 : 1)
                compare_axes(ops[o], mask, e, x);
        free(x);
    }
}

static void sums_are_rounded_once(void)
{
    enum { N = 4099 };
    static double x[N];
    for (int i = 0; i < N; i++)
        x[i] = i == 0 ? 16777216 : 1;
    case_begin("ReduceSum", 11);
    case_input(F32, 1, E(N), x);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 1, E(1), V(16777216 + N - 1), 0);
}

static void empty_sets(void)
{
    static const struct {
        const char *op;
        het_dtype dtype;
        double want;
    } cases[] = {
        { "ReduceSum", HET_DTYPE_F32, 0 },           { "ReduceProd", HET_DTYPE_F32, 1 },
        { "ReduceMax", HET_DTYPE_F32, -INFINITY },   { "ReduceMin", HET_DTYPE_F32, INFINITY },
        { "ReduceMax", HET_DTYPE_I8, -128 },         { "ReduceMin", HET_DTYPE_U8, 255 },
        { "ReduceMin", HET_DTYPE_U64, 0x1p64 },      { "ReduceMax", HET_DTYPE_U64, 0 },
        { "ReduceMax", HET_DTYPE_I64, -0x1p63 },     { "ReduceMin", HET_DTYPE_BOOL, 1 },
        { "ReduceLogSum", HET_DTYPE_F32, -INFINITY }, { "ReduceL2", HET_DTYPE_F32, 0 },
        { "ReduceLogSumExp", HET_DTYPE_F32, -INFINITY }, { "ReduceMean", HET_DTYPE_F32, NAN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        case_begin(cases[i].op, 20);
        case_input(cases[i].dtype, 2, E(2, 0), V(0));
        case_input(I64, 1, E(1), V(1));
        CHECK_INT(case_run(), HET_OK);
        case_check(0, cases[i].dtype, 2, E(2, 1), V(cases[i].want, cases[i].want), 0);
    }
    case_begin("ReduceMean", 18);
    case_input(HET_DTYPE_I32, 2, E(2, 0), V(0));
    case_input(I64, 1, E(1), V(1));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("ReduceSum", 18); /* nothing kept either */
    case_input(F32, 2, E(0, 3), V(0));
    case_input(I64, 1, E(1), V(1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(0, 1), V(0), 0);
}

static void integers_are_exact(void)
{
    case_begin("ReduceSum", 11);
    case_input(I64, 1, E(3), V(0x1p62, 1, 1));
    CHECK_INT(case_run(), HET_OK);
    CHECK_INT(het__get_i64(I64, eval_case.out[0].data, 0), (INT64_C(1) << 62) + 2);

    case_begin("ReduceMax", 20);
    case_input(HET_DTYPE_U64, 1, E(3), V(1, 0x1p63, 5));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, HET_DTYPE_U64, 1, E(1), V(0x1p63), 0);

    case_begin("ReduceProd", 18); /* modulo 2^32 */
    case_input(HET_DTYPE_I32, 1, E(2), V(65536, 65537));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, HET_DTYPE_I32, 1, E(1), V(65536), 0);

    case_begin("ReduceMean", 18);
    case_input(HET_DTYPE_I32, 1, E(2), V(-3, -4));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, HET_DTYPE_I32, 1, E(1), V(-3), 0);

    case_begin("ReduceL1", 18);
    case_input(HET_DTYPE_I32, 1, E(2), V(-3, 4));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, HET_DTYPE_I32, 1, E(1), V(7), 0);
}

static void nan_and_infinity(void)
{
    case_begin("ReduceMax", 18);
    case_input(F32, 2, E(2, 2), V(NAN_, 1, 1, NAN_));
    case_input(I64, 1, E(1), V(1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 1), V(NAN_, NAN_), 0);

    case_begin("ReduceLogSumExp", 18);
    case_input(F32, 2, E(5, 2), V(1000, 1000, -INF_, -INF_, INF_, 0, NAN_, 0, -1000, -1000));
    case_input(I64, 1, E(1), V(1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(5, 1), V(1000 + log(2), -INF_, INF_, NAN_, -1000 + log(2)), 1e-4);
}

static void bad_reductions(void)
{
    static const int64_t bad[][2] = { { 2, 0 }, { -3, 0 }, { 1, 1 }, { 1, -1 },
                                      { INT64_MIN, 0 }, { INT64_MAX, 0 } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        case_begin("ReduceSum", 11);
        case_input(F32, 2, E(2, 2), V(1, 2, 3, 4));
        case_ints("axes", 2, bad[i]);
        CHECK_INT(case_run(), HET_E_INVALID);
    }
    case_begin("ReduceSum", 13);
    case_input(F32, 2, E(2, 2), V(1, 2, 3, 4));
    case_input(F32, 1, E(1), V(1)); /* axes are integers */
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("ReduceSum", 13);
    case_no_input();
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("ReduceSum", 13);
    case_input(HET_DTYPE_BOOL, 1, E(2), V(1, 1));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("ReduceSum", 13);
    case_input(HET_DTYPE_Q8_0, 1, E(32), NULL);
    CHECK_INT(case_run(), HET_E_UNSUPPORTED);
}

/* ---- arg ---- */

static void arg_of_equals_and_nan(void)
{
    for (int last = 0; last < 2; last++) {
        case_begin("ArgMax", 13);
        case_input(F32, 2, E(2, 4), V(1, 5, 5, 2, 1, NAN_, 9, NAN_));
        case_int("axis", 1);
        case_int("select_last_index", last);
        CHECK_INT(case_run(), HET_OK);
        case_check(0, I64, 2, E(2, 1), last ? V(2, 3) : V(1, 1), 0);
    }
    case_begin("ArgMin", 13); /* the default axis is 0 */
    case_input(HET_DTYPE_I64, 2, E(2, 2), V(-0x1p63, 5, 0, 5));
    case_int("keepdims", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, I64, 1, E(2), V(0, 0), 0);
    case_begin("ArgMax", 13);
    case_input(HET_DTYPE_U64, 1, E(3), V(1, 0x1p63, 2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, I64, 1, E(1), V(1), 0);
}

static void bad_arg(void)
{
    case_begin("ArgMax", 13);
    case_input(F32, 2, E(2, 0), V(0));
    case_int("axis", 1);
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("ArgMax", 13);
    case_input(F32, 2, E(0, 2), V(0));
    case_int("axis", 1);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, I64, 2, E(0, 1), V(0), 0);
    case_begin("ArgMax", 13);
    case_input(F32, 1, E(2), V(0, 1));
    case_int("axis", 1);
    CHECK_INT(case_run(), HET_E_INVALID);
}

/* ---- softmax ---- */

static void softmax_before_and_since_13(void)
{
    const double x[] = { 1, 2, 3, 4, 0, 0, 0, 0 };
    double sum = 0, want[8];
    for (int i = 0; i < 4; i++)
        sum += exp(x[i]);
    for (int i = 0; i < 8; i++)
        want[i] = i < 4 ? exp(x[i]) / sum : 0.25;
    case_begin("Softmax", 11); /* everything from axis 1 on is one row */
    case_input(F32, 3, E(2, 2, 2), x);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(2, 2, 2), want, 1e-6);
    case_begin("Softmax", 13);
    case_input(F32, 3, E(2, 2, 2), x);
    CHECK_INT(case_run(), HET_OK);
    const double p = 1 / (1 + exp(1)), q = 1 - p;
    case_check(0, F32, 3, E(2, 2, 2), V(p, q, p, q, 0.5, 0.5, 0.5, 0.5), 1e-6);
    case_begin("LogSoftmax", 13);
    case_input(HET_DTYPE_F16, 2, E(2, 2), V(0, 10000, 1, 10001));
    case_int("axis", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, HET_DTYPE_F16, 2, E(2, 2),
               V(-1 - log1p(exp(-1)), -log(2), -log1p(exp(-1)), -log(2)), 2e-3);
    case_begin("Hardmax", 13);
    case_input(F32, 2, E(2, 3), V(1, 3, 3, NAN_, 1, 2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 3), V(0, 1, 0, 1, 0, 0), 0);
}

/* The two paths of a wide strip agree: along the last axis, and along the first of a transposed. */
static void softmax_paths_agree(void)
{
    enum { N = 3, M = 300 };
    static double x[N * M], turned[N * M], first[N * M];
    uint64_t seed = 8;
    for (int i = 0; i < N * M; i++)
        x[i] = 10 * (double)test_random_float(&seed);
    for (int i = 0; i < N * M; i++)
        turned[i % N * M + i / N] = x[i];
    case_begin("Softmax", 13);
    case_input(F32, 2, E(M, N), x);
    CHECK_INT(case_run(), HET_OK);
    for (int i = 0; i < N * M; i++)
        first[i % N * M + i / N] = case_out(0, i);
    case_begin("Softmax", 13);
    case_input(F32, 2, E(N, M), turned);
    case_int("axis", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(N, M), first, 1e-6);
}

static void bad_softmax(void)
{
    case_begin("Softmax", 11);
    case_input(F32, 1, E(2), V(0, 1)); /* the default axis is 1 */
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("Softmax", 13);
    case_input(F32, 1, E(2), V(0, 1));
    case_int("axis", INT64_MIN);
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("Softmax", 13);
    case_input(HET_DTYPE_I32, 1, E(2), V(0, 1));
    CHECK_INT(case_run(), HET_E_UNSUPPORTED);
    case_begin("Softmax", 13);
    case_input(F32, 2, E(3, 0), V(0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(3, 0), V(0), 0);
}

/* ---- running sums ---- */

static void running_sums(void)
{
    for (int mode = 0; mode < 4; mode++) {
        static const double want[4][6] = { { 1, 3, 6, 4, 9, 15 }, { 0, 1, 3, 0, 4, 9 },
                                           { 6, 5, 3, 15, 11, 6 }, { 5, 3, 0, 11, 6, 0 } };
        case_begin("CumSum", 14);
        case_input(HET_DTYPE_I32, 2, E(2, 3), V(1, 2, 3, 4, 5, 6));
        case_input(HET_DTYPE_I32, 0, NULL, V(1));
        case_int("exclusive", mode & 1);
        case_int("reverse", mode >> 1);
        bool unknown;
        CHECK_INT(case_rule(&unknown), HET_OK);
        CHECK(!unknown);
        CHECK_INT(case_run(), HET_OK);
        case_check(0, HET_DTYPE_I32, 2, E(2, 3), want[mode], 0);
    }
    case_begin("CumProd", 26);
    case_input(F32, 2, E(2, 2), V(2, 3, 4, 5));
    case_input(I64, 1, E(1), V(-2));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 2), V(2, 3, 8, 15), 0);
}

static void bad_running_sums(void)
{
    static const double axes[] = { 1, -2, 0x1p62 };
    for (int i = 0; i < 3; i++) {
        case_begin("CumSum", 14);
        case_input(F32, 1, E(3), V(1, 2, 3));
        case_input(I64, 0, NULL, V(axes[i]));
        CHECK_INT(case_run(), HET_E_INVALID);
    }
    /* A kernel that learns the axis later than its rule. */
    case_begin("CumSum", 14);
    case_input(F32, 1, E(3), V(1, 2, 3));
    case_input(I64, 0, NULL, V(7));
    het__eval e = case_eval();
    e.mem = &eval_case.mem;
    e.scratch = &eval_case.scratch;
    CHECK_INT(het__plain_kernel(eval_case.node.op)(&e), HET_E_INVALID);
    case_begin("CumSum", 14);
    case_input(F32, 1, E(3), V(1, 2, 3));
    case_input(I64, 1, E(2), V(0, 0));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("CumSum", 14);
    case_input(F32, 1, E(3), V(1, 2, 3));
    CHECK_INT(case_run(), HET_E_INVALID);
}

/* ---- losses ---- */

static void losses(void)
{
    const double p[] = { -1, -2, -3, -4, -5, -6 }; /* [2][3] */
    static const struct {
        const char *reduction;
        double want;
    } cases[] = { { "sum", 2 * 2 + 4 * 0.5 }, { "mean", (2 * 2 + 4 * 0.5) / 2.5 } };
    for (int i = 0; i < 2; i++) {
        case_begin("NegativeLogLikelihoodLoss", 13);
        case_input(F32, 2, E(2, 3), p);
        case_input(I64, 1, E(2), V(1, 0));
        case_input(F32, 1, E(3), V(0.5, 2, 9));
        case_string("reduction", cases[i].reduction);
        CHECK_INT(case_run(), HET_OK);
        case_check(0, F32, 0, NULL, V(cases[i].want), 1e-6);
    }
    case_begin("SoftmaxCrossEntropyLoss", 13);
    eval_case.outputs = 2;
    case_input(F32, 3, E(1, 2, 2), V(0, 1, 0, 1));
    case_input(HET_DTYPE_I32, 2, E(1, 2), V(0, -7));
    case_int("ignore_index", -7);
    case_string("reduction", "none");
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(1, 2), V(log(2), 0), 1e-6);
    case_check(1, F32, 3, E(1, 2, 2), V(-log(2), -log(2), -log(2), -log(2)), 1e-6);
    case_begin("SoftmaxCrossEntropyLoss", 13); /* the mean leaves out what is ignored */
    case_input(F32, 2, E(2, 2), V(0, 0, 5, 5));
    case_input(I64, 1, E(2), V(0, 1));
    case_int("ignore_index", 1);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 0, NULL, V(log(2)), 1e-6);
}

static void bad_losses(void)
{
    static const double classes[] = { 3, -1, 0x1p62 };
    for (int i = 0; i < 3; i++) {
        case_begin("NegativeLogLikelihoodLoss", 13);
        case_input(F32, 2, E(1, 3), V(1, 2, 3));
        case_input(I64, 1, E(1), V(classes[i]));
        CHECK_INT(case_run(), HET_E_INVALID);
    }
    case_begin("NegativeLogLikelihoodLoss", 13);
    case_input(F32, 2, E(1, 3), V(1, 2, 3));
    case_input(I64, 1, E(2), V(0, 0));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("NegativeLogLikelihoodLoss", 13);
    case_input(F32, 1, E(3), V(1, 2, 3));
    case_input(I64, 0, NULL, V(0));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("NegativeLogLikelihoodLoss", 13);
    case_input(F32, 2, E(1, 3), V(1, 2, 3));
    case_input(I64, 1, E(1), V(0));
    case_input(F32, 1, E(2), V(0, 0));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("NegativeLogLikelihoodLoss", 13);
    case_input(F32, 2, E(1, 3), V(1, 2, 3));
    case_input(I64, 1, E(1), V(0));
    case_string("reduction", "most");
    CHECK_INT(case_run(), HET_E_INVALID);
}

/* Extents that multiply to nothing, and to more than fits on the way. */
static void huge_and_empty(void)
{
    het__tensor t = { HET_DTYPE_F32, 3, { 0, INT64_C(1) << 40, INT64_C(1) << 40 }, NULL };
    CHECK_INT(het__tensor_bytes(&t), -1);
    t.extent[1] = 7;
    CHECK_INT(het__tensor_bytes(&t), 0);
    case_begin("Softmax", 13);
    case_input(F32, 3, E(INT64_C(1) << 40, 0, INT64_C(1) << 40), NULL);
    bool unknown;
    CHECK_INT(case_rule(&unknown), HET_E_INVALID);
}

int main(void)
{
    test_case(axes_as_attribute_and_as_input);
    test_case(no_axes);
    test_case(every_set_of_axes);
    test_case(sums_are_rounded_once);
    test_case(empty_sets);
    test_case(integers_are_exact);
    test_case(nan_and_infinity);
    test_case(bad_reductions);
    test_case(arg_of_equals_and_nan);
    test_case(bad_arg);
    test_case(softmax_before_and_since_13);
    test_case(softmax_paths_agree);
    test_case(bad_softmax);
    test_case(running_sums);
    test_case(bad_running_sums);
    test_case(losses);
    test_case(bad_losses);
    test_case(huge_and_empty);
    case_end();
    return test_finish();
}

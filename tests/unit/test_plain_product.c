/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices: tables from NumPy (tests/vectors/make_windows.py), sizes around the tiles
 * against plain loops, and what must be refused. */
#include "lib/ir/product.h"
#include "vector_case.h"

#include "vectors/product.h"

#define F32 HET_DTYPE_F32
#define I8 HET_DTYPE_I8
#define U8 HET_DTYPE_U8

static void vectors(void)
{
    for (size_t i = 0; i < sizeof vector_cases / sizeof vector_cases[0]; i++)
        vector_check(&vector_cases[i]);
}

static void rules_without_contents(void)
{
    for (size_t i = 0; i < sizeof vector_cases / sizeof vector_cases[0]; i++) {
        const vector_case *v = &vector_cases[i];
        bool unknown;
        vector_load(v);
        CHECK_INT(case_rule(&unknown), HET_OK);
        CHECK(!unknown);
        CHECK_INT(eval_case.out[0].dtype, v->outputs[0].dtype);
        CHECK_INT(eval_case.out[0].rank, v->outputs[0].rank);
    }
}

/* Rows, depth and columns on both sides of the tiles, with and without transposing. */
static void sizes(void)
{
    static const int64_t rows[] = { 1, 2, 5, 64, 65 }, depths[] = { 1, 3, 255, 256, 258 };
    static const int64_t columns[] = { 1, 127, 129 };
    static double a[65 * 258], b[258 * 129], want[65 * 129];
    uint64_t seed = 3;
    for (size_t i = 0; i < sizeof a / sizeof a[0]; i++)
        a[i] = (double)((int)(test_random(&seed) % 17) - 8);
    for (size_t i = 0; i < sizeof b / sizeof b[0]; i++)
        b[i] = (double)((int)(test_random(&seed) % 17) - 8);
    for (int n = 0; n < 5 * 5 * 3 * 4; n++) {
        const int64_t m = rows[n % 5], d = depths[n / 5 % 5], c = columns[n / 25 % 3];
        const bool turn_a = n / 75 & 1, turn_b = n / 150 & 1;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < c; j++) {
                want[i * c + j] = 0;
                for (int64_t k = 0; k < d; k++)
                    want[i * c + j] += (turn_a ? a[k * m + i] : a[i * d + k]) *
                                       (turn_b ? b[j * d + k] : b[k * c + j]);
            }
        case_begin("Gemm", 13);
        case_input(F32, 2, turn_a ? E(d, m) : E(m, d), a);
        case_input(F32, 2, turn_b ? E(c, d) : E(d, c), b);
        case_int("transA", turn_a);
        case_int("transB", turn_b);
        CHECK_INT(case_run(), HET_OK);
        case_check(0, F32, 2, E(m, c), want, 0);
    }
}

static void nothing_to_do(void)
{
    case_begin("MatMul", 13);
    case_input(F32, 2, E(2, 0), V(0));
    case_input(F32, 2, E(0, 3), V(0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 3), (const double[6]){ 0 }, 0);
    case_begin("MatMul", 13);
    case_input(F32, 3, E(0, 2, 3), V(0));
    case_input(F32, 2, E(3, 2), (const double[6]){ 0 });
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(0, 2, 2), NULL, 0);
    case_begin("Einsum", 12);
    case_input(F32, 2, E(2, 0), V(0));
    case_input(F32, 2, E(0, 3), V(0));
    case_string("equation", "ij,jk->ik");
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 3), (const double[6]){ 0 }, 0);
    case_begin("Det", 11);
    case_input(F32, 3, E(2, 0, 0), V(0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 1, E(2), V(1, 1), 0);
}

/* Sums of bytes wrap as 32 bits do; everything else is exact. */
static void wide_integers(void)
{
    case_begin("MatMul", 13);
    case_input(HET_DTYPE_I32, 1, E(2), V(2147483647, 2147483647));
    case_input(HET_DTYPE_I32, 1, E(2), V(2, 1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, HET_DTYPE_I32, 0, NULL, V(2147483645), 0);
    case_begin("MatMul", 13);
    case_input(HET_DTYPE_U64, 1, E(2), V(0, 0));
    case_input(HET_DTYPE_U64, 1, E(2), V(3, 1));
    het__put_i64(HET_DTYPE_U64, eval_case.in[0].data, 0, INT64_MAX);
    het__put_i64(HET_DTYPE_U64, eval_case.in[0].data, 1, 5);
    CHECK_INT(case_run(), HET_OK);
    CHECK_INT(het__get_i64(HET_DTYPE_U64, eval_case.out[0].data, 0),
              (int64_t)(3 * (uint64_t)INT64_MAX + 5));
    case_begin("Gemm", 13);
    case_input(HET_DTYPE_I32, 2, E(1, 1), V(3));
    case_input(HET_DTYPE_I32, 2, E(1, 2), V(5, -4));
    case_input(HET_DTYPE_I32, 1, E(2), V(100, 7));
    case_float("alpha", 0.5F);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, HET_DTYPE_I32, 2, E(1, 2), V(107, 1), 0);
}

static void short_floats(void)
{
    case_begin("QLinearMatMul", 21);
    case_input(HET_DTYPE_F8E5M2, 2, E(1, 2), V(2, 3));
    case_input(F32, 0, NULL, V(0.5));
    case_input(HET_DTYPE_F8E5M2, 0, NULL, V(0));
    case_input(HET_DTYPE_F8E5M2, 2, E(2, 1), V(4, 1));
    case_input(F32, 0, NULL, V(4));
    case_input(HET_DTYPE_F8E5M2, 0, NULL, V(1));
    case_input(F32, 0, NULL, V(2));
    case_input(HET_DTYPE_F8E5M2, 0, NULL, V(0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, HET_DTYPE_F8E5M2, 2, E(1, 1), V(6), 0);
}

static void arithmetic(void)
{
    static const struct {
        const char *op, *equation;
        uint32_t ranks[2];
        int64_t a[3], b[3];
        double macs;
    } counts[] = {
        { "MatMul", NULL, { 3, 3 }, { 2, 5, 7 }, { 1, 7, 3 }, 2 * 5 * 7 * 3 },
        { "MatMul", NULL, { 1, 2 }, { 7 }, { 7, 3 }, 21 },
        { "Gemm", NULL, { 2, 2 }, { 5, 7 }, { 7, 3 }, 105 },
        { "Einsum", "bij,jk->bik", { 3, 2 }, { 2, 5, 7 }, { 7, 3 }, 210 },
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        het__work work = { 0 };
        case_begin(counts[i].op, 13);
        case_input(F32, counts[i].ranks[0], counts[i].a, NULL);
        case_input(F32, counts[i].ranks[1], counts[i].b, NULL);
        if (counts[i].equation)
            case_string("equation", counts[i].equation);
        het__eval e = case_eval();
        const het__tensor_op *op = het__tensor_op_of(eval_case.node.op);
        CHECK_INT(op->shape(&e), HET_OK);
        op->count(&e, &work);
        CHECK_NEAR(work.macs, counts[i].macs, 0);
        CHECK_NEAR(work.flops, 2 * counts[i].macs, 0);
        CHECK_NEAR(work.units, (double)het__tensor_elements(&eval_case.out[0]), 0);
    }
}

/* ---- refusals ---- */

static void two(const char *op, het_dtype dtype, uint32_t rank_a, const int64_t *a,
                uint32_t rank_b, const int64_t *b)
{
    case_begin(op, 21);
    case_input(dtype, rank_a, a, NULL);
    case_input(dtype, rank_b, b, NULL);
}

static void refused_products(void)
{
    two("MatMul", F32, 2, E(2, 3), 2, E(2, 3));
    case_refused("rows of 3 by columns of 2");
    two("MatMul", F32, 0, NULL, 2, E(2, 3));
    case_refused("no matrix or vector");
    two("MatMul", F32, 3, E(2, 2, 3), 3, E(3, 3, 2));
    case_refused("leading extents");
    two("MatMul", HET_DTYPE_BOOL, 2, E(2, 2), 2, E(2, 2));
    case_refused("input 0 is");
    two("MatMul", F32, 2, E(INT64_MAX, 0), 2, E(0, INT64_MAX));
    case_refused("impossible size");
    two("Gemm", F32, 3, E(1, 2, 3), 2, E(3, 2));
    case_refused("no matrix");
    two("Gemm", F32, 2, E(2, 3), 2, E(3, 4));
    case_input(F32, 2, E(4, 2), NULL);
    case_refused("C does not fit");
    two("Gemm", F32, 2, E(2, 3), 2, E(3, 4));
    case_input(F32, 3, E(1, 2, 4), NULL);
    case_refused("C does not fit");
    two("MatMulInteger", I8, 2, E(2, 3), 2, E(3, 4));
    case_input(I8, 1, E(3), NULL);
    case_refused("input 2 fits neither the whole nor the rows");
    two("MatMulInteger", I8, 2, E(2, 3), 2, E(3, 4));
    case_input(U8, 0, NULL, NULL);
    case_refused("input 2 is U8");
    two("MatMulInteger", F32, 2, E(2, 3), 2, E(3, 4));
    case_refused("input 0 is F32");
    two("QLinearMatMul", F32, 2, E(2, 3), 2, E(3, 4));
    case_refused("input 0 is F32");
    case_begin("Det", 11);
    case_input(F32, 2, E(2, 3), NULL);
    case_refused("no square matrix");
    case_begin("MatMul", 13);
    case_refused("left out");
}

static void refused_equations(void)
{
    static const struct {
        const char *equation, *why;
    } bad[] = {
        { "ij,jk,kl->il", "more than 2 inputs" },
        { "ij->ij", "no term for input 1" },
        { "ijk,jk->ik", "term 0" },
        { "i?,jk->ik", "term 0" },
        { "i..,jk->ik", "term 0" },
        { "...i...,jk->ik", "term 0" },
        { "ijk...,jk->ik", "term 0" },
        { "ij,jk->im", "axis 1 of the output" },
        { "ij,jk->ii", "axis 1 of the output" },
        { "ij,jk->i->k", "malformed" },
        { "ij,jk->i k.", "malformed" },
        { "ii,jk->k", "axis 1 of input 0 is 3 where another is 2" },
        { "ij,ik->jk", "axis 0 of input 1 is 3 where another is 2" },
        { "", "term" },
        { ",", "term 0" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        two("Einsum", F32, 2, E(2, 3), 2, E(3, 4));
        case_string("equation", bad[i].equation);
        case_refused(bad[i].why);
    }
    two("Einsum", F32, 2, E(2, 3), 2, E(3, 4));
    case_refused("no equation");
    two("Einsum", F32, 5, E(1, 1, 1, 1, 1), 5, E(1, 1, 1, 1, 1));
    case_string("equation", "abcde,fghij");
    case_refused("more than 8 axes");
    two("Einsum", F32, 3, E(1 << 30, 1 << 30, 0), 2, E(1 << 30, 1 << 30));
    case_string("equation", "abc,de->");
    case_refused("impossible size");
}

int main(void)
{
    test_case(vectors);
    test_case(rules_without_contents);
    test_case(sizes);
    test_case(nothing_to_do);
    test_case(wide_integers);
    test_case(short_floats);
    test_case(arithmetic);
    test_case(refused_products);
    test_case(refused_equations);
    case_end();
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Products on the NPU's backend over the stand-in for XRT (tests/drivers/xrt): what comes out is,
 * bit for bit, what plain C gives for the same codes of 8 bits. Nothing here ran on an NPU. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "folder.h"
#include "npu_case.h"

#include "lib/base/dtype.h"
#include "lib/plain/act.h"
#include "lib/quant/encode.h"
#include "lib/quant/quant.h"

#define EXTENT_MAX 512

/* ---- what is wanted ---- */

/* Codes and factor of a row, or of a column where stride says so. */
static float encode(const float *x, int64_t count, int64_t stride, int8_t *codes)
{
    float most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmaxf(most, fabsf(x[i * stride]));
    const float factor = most / 127.0f, inverse = factor > 0 ? 1.0f / factor : 0;
    for (int64_t i = 0; i < count; i++)
        codes[i] = (int8_t)fminf(fmaxf(rintf(x[i * stride] * inverse), -127), 127);
    return factor;
}

/* x [rows, inner] times w [columns, inner] by codes, in parts of the inner extent. */
static void product(const float *x, int64_t rows, int64_t inner, const float *w, int64_t columns,
                    bool transposed, double *out)
{
    static int8_t a[EXTENT_MAX * 2], b[EXTENT_MAX * 2];
    for (int64_t n = 0; n < columns; n++)
        for (int64_t t = 0; t < rows; t++) {
            double value = 0;
            for (int64_t from = 0; from < inner; from += npu_part) {
                const int64_t count = inner - from < npu_part ? inner - from : npu_part;
                const float fw = transposed ? encode(w + from * columns + n, count, columns, b)
                                            : encode(w + n * inner + from, count, 1, b);
                const float fx = encode(x + t * inner + from, count, 1, a);
                int64_t sum = 0;
                for (int64_t k = 0; k < count; k++)
                    sum += a[k] * b[k];
                value += (double)sum * ((double)fx * (double)fw);
            }
            out[t * columns + n] = value;
        }
}

static void check_equal(const char *what, const float *got, const double *want, int64_t count)
{
    int64_t wrong = 0, first = -1;
    for (int64_t i = 0; i < count; i++) {
        const float w = (float)want[i];
        if (memcmp(&got[i], &w, sizeof w) != 0 && wrong++ == 0)
            first = i;
    }
    test_checks++;
    if (wrong)
        TEST_FAIL("%s: %lld of %lld differ; the first, %lld, is %.9g, want %.9g", what,
                  (long long)wrong, (long long)count, (long long)first, (double)got[first],
                  want[first]);
}

/* ---- BF16: against "ref" on rounded numbers ---- */

static void round_all(float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = het__bf16_to_f32(het__f32_to_bf16(x[i]));
}

/* One product x w on a device; x and w are taken as they are, or rounded before. */
static bool bf16_product(const char *backend, bool rounded, int64_t rows, int64_t inner,
                         int64_t columns, float *out)
{
    static float w[EXTENT_MAX * 2 * 100];
    uint64_t seed = (uint64_t)(rows * 1000 + inner);
    rig r;
    if (strcmp(backend, "ref") == 0)
        rig_open(&r, backend);
    else if (!npu_open(&r, ""))
        return false;
    const uint32_t x = het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2,
                                        (het__extent[]){ { rows, HET__SYM_ONE },
                                                         { inner, HET__SYM_ONE } });
    const uint32_t weight = het__graph_const(&r.graph, "w", HET_DTYPE_F32, 2,
                                             (int64_t[]){ columns, inner }, w);
    het__attrs attrs = { .linear = { 1, false } };
    const uint32_t y = het__graph_node(&r.graph, HET__OP_LINEAR, 0, "linear",
                                       (uint32_t[]){ x, HET__NO_VALUE, weight, HET__NO_VALUE }, 4,
                                       &attrs, NULL);
    npu_fill(w, columns * inner, &seed);
    if (rounded)
        round_all(w, columns * inner);
    const bool compiled = rig_compile(&r);
    if (compiled) {
        npu_fill(rig_data(&r, x), rows * inner, &seed);
        if (rounded)
            round_all(rig_data(&r, x), rows * inner);
        rig_run(&r);
        memcpy(out, rig_data(&r, y), (size_t)(rows * columns) * sizeof *out);
    }
    if (strcmp(backend, "ref") == 0)
        rig_close(&r);
    else
        npu_close(&r);
    return compiled;
}

/* Numbers are below 3: terms below 9, of which F32 sums keep 24 bits each. */
static void bf16_case(int64_t rows, int64_t inner, int64_t columns)
{
    static float got[200 * 100], want[200 * 100], plain[200 * 100];
    const double bound = (double)(inner * inner) * 9 * 0x1p-24;
    double most = 0, coarse = 0;
    if (!bf16_product("amd_xrt_npu", false, rows, inner, columns, got) ||
        !bf16_product("ref", true, rows, inner, columns, want) ||
        !bf16_product("ref", false, rows, inner, columns, plain))
        return;
    for (int64_t i = 0; i < rows * columns; i++) {
        most = fmax(most, fabs((double)got[i] - (double)want[i]));
        coarse = fmax(coarse, fabs((double)plain[i] - (double)want[i]));
    }
    test_checks++;
    if (!(most <= bound))
        TEST_FAIL("%lld x %lld x %lld: off by %g, more than %g", (long long)rows,
                  (long long)inner, (long long)columns, most, bound);
    CHECK(inner < 8 || coarse > 4 * most); /* it is rounding that is compared */
}

static void bf16_is_what_ref_gives_of_rounded_numbers(void)
{
    static const struct { const char *name; int64_t inner; } designs[] = {
        { "bf16/small-single", 32 }, { "bf16/small-whole", 64 },
    };
    for (int i = 0; i < 2; i++) {
        npu_use_design(designs[i].name, designs[i].inner);
        bf16_case(1, 4, 1);
        bf16_case(7, 31, 15);
        bf16_case(17, 64, 97);
        bf16_case(130, 200, 32);
        bf16_case(200, 65, 100);
    }
}

/* ---- linear ---- */

/* One product with bias and residual, at the most rows and at fewer. */
static void linear_case(int64_t rows, int64_t inner, int64_t columns, uint64_t seed)
{
    rig r;
    if (!npu_open(&r, ""))
        return;
    float *w = malloc((size_t)(columns * inner) * sizeof *w), bias[EXTENT_MAX];
    double *want = malloc((size_t)(rows * columns) * sizeof *want);
    npu_fill(w, columns * inner, &seed);
    npu_fill(bias, columns, &seed);
    const het__extent tokens = { 1, HET__SYM_TOKENS };
    r.symbols_max[HET__SYM_TOKENS] = r.symbols[HET__SYM_TOKENS] = rows;
    const uint32_t x = het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2,
                                        (het__extent[]){ tokens, EXTENT(inner) });
    const uint32_t residual = het__graph_value(&r.graph, "r", HET__VALUE_INPUT, HET_DTYPE_F32, 2,
                                               (het__extent[]){ tokens, EXTENT(columns) });
    const uint32_t weight = het__graph_const(&r.graph, "w", HET_DTYPE_F32, 2,
                                             (int64_t[]){ columns, inner }, w);
    const uint32_t b = het__graph_const(&r.graph, "b", HET_DTYPE_F32, 1, &columns, bias);
    het__attrs attrs = { .linear = { 1, true } };
    const uint32_t y = het__graph_node(&r.graph, HET__OP_LINEAR, 0, "linear",
                                       (uint32_t[]){ x, residual, weight, b }, 4, &attrs, NULL);
    if (rig_compile(&r)) {
        npu_fill(rig_data(&r, x), rows * inner, &seed);
        npu_fill(rig_data(&r, residual), rows * columns, &seed);
        const float *add = rig_data(&r, residual);
        for (int64_t t = rows; t > 0; t = t > 3 ? t - 3 : t - 1) {
            char what[64];
            snprintf(what, sizeof what, "%lld x %lld x %lld", (long long)t, (long long)inner,
                     (long long)columns);
            r.symbols[HET__SYM_TOKENS] = t;
            rig_run(&r);
            product(rig_data(&r, x), t, inner, w, columns, false, want);
            for (int64_t i = 0; i < t * columns; i++)
                want[i] = want[i] + (double)bias[i % columns] + (double)add[i];
            check_equal(what, rig_data(&r, y), want, t * columns);
            if (t < rows - 6)
                t = t > 2 ? 2 : t;
        }
    }
    npu_close(&r);
    free(want);
    free(w);
}

static void linear_cases(uint64_t seed)
{
    static const int64_t rows[] = { 1, 7, 16, 17, 33, 130 };
    static const int64_t inner[] = { 4, 31, 64, 65, 200 };
    static const int64_t columns[] = { 1, 15, 32, 97, 300 };
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 5; k++)
            linear_case(rows[i], inner[k], columns[(i + 2 * k) % 5], seed + i * 5 + k);
    linear_case(600, 70, 20, seed + 40); /* more rows than go at once */
    linear_case(1030, 33, 9, seed + 41);
}

static void one_core_is_bit_exact(void)
{
    npu_use_design("small-single", 32);
    linear_cases(1);
}

static void whole_array_is_bit_exact(void)
{
    npu_use_design("small-whole", 64);
    linear_cases(100);
}

/* ---- the other products ---- */

/* act(x·Wgᵀ) * (x·Wuᵀ), weights in a block format. */
static void gated_is_bit_exact(void)
{
    enum { ROWS = 19, INNER = 96, COLUMNS = 40 };
    static char codes[2][COLUMNS * INNER * 2];
    static float w[2][COLUMNS * INNER];
    static double want[2][ROWS * COLUMNS];
    uint64_t seed = 7;
    rig r;
    npu_use_design("small-whole", 64);
    if (!npu_open(&r, ""))
        return;
    const het__extent shape[] = { EXTENT(ROWS), EXTENT(INNER) };
    uint32_t in[3] = { het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, shape) };
    for (int i = 0; i < 2; i++) {
        npu_fill(w[i], COLUMNS * INNER, &seed);
        het__q8_0_encode(w[i], codes[i], COLUMNS * INNER);
        het__decoder(HET_DTYPE_Q8_0)(codes[i], w[i], COLUMNS * INNER);
        in[1 + i] = het__graph_const(&r.graph, i ? "up" : "gate", HET_DTYPE_Q8_0, 2,
                                     (int64_t[]){ COLUMNS, INNER }, codes[i]);
    }
    het__attrs attrs = { .gated = { HET__UNARY_SILU } };
    const uint32_t y = het__graph_node(&r.graph, HET__OP_GATED, 0, "gated", in, 3, &attrs, NULL);
    if (rig_compile(&r)) {
        npu_fill(rig_data(&r, in[0]), ROWS * INNER, &seed);
        rig_run(&r);
        for (int i = 0; i < 2; i++)
            product(rig_data(&r, in[0]), ROWS, INNER, w[i], COLUMNS, false, want[i]);
        for (int i = 0; i < ROWS * COLUMNS; i++)
            want[1][i] *= (double)(float)het__unary_value(HET__UNARY_SILU, want[0][i]);
        check_equal("gated", rig_data(&r, y), want[1], ROWS * COLUMNS);
    }
    npu_close(&r);
}

/* A matrix in int8 with one scale per column goes as it is: were its parts encoded again, those in
 * which no code is 127 would be rounded twice. */
static void int8_by_channel_is_not_rounded_again(void)
{
    enum { ROWS = 6, INNER = 96, COLUMNS = 20 };
    static uint8_t blocks[COLUMNS * INNER / 32 * 34];
    static int8_t codes[COLUMNS][INNER];
    static double want[ROWS * COLUMNS];
    uint64_t seed = 11;
    rig r;
    npu_use_design("small-single", 32);
    if (!npu_open(&r, ""))
        return;
    for (int n = 0; n < COLUMNS; n++) {
        for (int k = 0; k < INNER; k++)
            codes[n][k] = (int8_t)((int)(test_random(&seed) % 101) - 50);
        het__int8_to_q8_0(codes[n], 0.0625f * (float)(n + 1), blocks + n * INNER / 32 * 34, INNER);
    }
    const het__extent shape[] = { EXTENT(ROWS), EXTENT(INNER) };
    const uint32_t in[] = {
        het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, shape),
        HET__NO_VALUE, het__graph_const(&r.graph, "w", HET_DTYPE_Q8_0, 2,
                                        (int64_t[]){ COLUMNS, INNER }, blocks), HET__NO_VALUE,
    };
    het__attrs attrs = { .linear = { 1, false } };
    const uint32_t y = het__graph_node(&r.graph, HET__OP_LINEAR, 0, "l", in, 4, &attrs, NULL);
    if (rig_compile(&r)) {
        float *x = rig_data(&r, in[0]);
        for (int i = 0; i < ROWS * INNER; i++) /* the factor of every part of a row is 1 */
            x[i] = i % 16 ? (float)((int)(test_random(&seed) % 255) - 127) : 127.0f;
        rig_run(&r);
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            double sum = 0;
            for (int k = 0; k < INNER; k++)
                sum += (double)x[i / COLUMNS * INNER + k] * codes[i % COLUMNS][k];
            want[i] = sum * 0.0625 * (i % COLUMNS + 1);
        }
        check_equal("int8", rig_data(&r, y), want, ROWS * COLUMNS);
    }
    npu_close(&r);
}

static void matmul_case(bool transpose_b)
{
    enum { ROWS = 10, INNER = 70, COLUMNS = 33 };
    static float w[INNER * COLUMNS], bias[COLUMNS];
    static double want[ROWS * COLUMNS];
    uint64_t seed = 9;
    rig r;
    if (!npu_open(&r, ""))
        return;
    npu_fill(w, INNER * COLUMNS, &seed);
    npu_fill(bias, COLUMNS, &seed);
    const het__extent shape[] = { EXTENT(2), EXTENT(ROWS / 2), EXTENT(INNER) };
    const int64_t extent[] = { transpose_b ? COLUMNS : INNER, transpose_b ? INNER : COLUMNS };
    const uint32_t in[] = {
        het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 3, shape),
        het__graph_const(&r.graph, "w", HET_DTYPE_F32, 2, extent, w),
        het__graph_const(&r.graph, "b", HET_DTYPE_F32, 1, (int64_t[]){ COLUMNS }, bias),
    };
    het__attrs attrs = { .matmul = { transpose_b, 0.5f, { HET__ACT_RELU, 0, 0 } } };
    const uint32_t y = het__graph_node(&r.graph, HET__OP_MATMUL, 0, "mm", in, 3, &attrs, NULL);
    if (rig_compile(&r)) {
        npu_fill(rig_data(&r, in[0]), ROWS * INNER, &seed);
        rig_run(&r);
        product(rig_data(&r, in[0]), ROWS, INNER, w, COLUMNS, !transpose_b, want);
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            const double v = want[i] * 0.5 + (double)bias[i % COLUMNS];
            want[i] = v < 0 ? 0 : v;
        }
        check_equal(transpose_b ? "b transposed" : "b", rig_data(&r, y), want, ROWS * COLUMNS);
    }
    npu_close(&r);
}

static void matmul_is_bit_exact(void)
{
    npu_use_design("small-single", 32);
    matmul_case(false);
    matmul_case(true);
}

/* Rows that eight bits cannot hold: NaN stays NaN in its row and nowhere else; the smallest
 * numbers and zeros give zeros. */
static void odd_rows_stay_by_themselves(void)
{
    enum { ROWS = 5, SIDE = 32 };
    static float w[SIDE * SIDE];
    uint64_t seed = 3;
    rig r;
    npu_use_design("small-single", 32);
    if (!npu_open(&r, ""))
        return;
    npu_fill(w, SIDE * SIDE, &seed);
    const het__extent shape[] = { EXTENT(ROWS), EXTENT(SIDE) };
    const uint32_t in[] = {
        het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, shape),
        HET__NO_VALUE, het__graph_const(&r.graph, "w", HET_DTYPE_F32, 2,
                                        (int64_t[]){ SIDE, SIDE }, w), HET__NO_VALUE,
    };
    het__attrs attrs = { .linear = { 1, false } };
    const uint32_t y = het__graph_node(&r.graph, HET__OP_LINEAR, 0, "l", in, 4, &attrs, NULL);
    if (rig_compile(&r)) {
        float *x = rig_data(&r, in[0]);
        npu_fill(x, ROWS * SIDE, &seed);
        x[5] = NAN;
        x[SIDE + 6] = INFINITY;
        memset(x + 2 * SIDE, 0, SIDE * sizeof *x);
        for (int i = 0; i < SIDE; i++)
            x[3 * SIDE + i] = 1e-44f;
        rig_run(&r);
        const float *out = rig_data(&r, y);
        for (int i = 0; i < SIDE; i++) {
            CHECK(isnan(out[i]) && isnan(out[SIDE + i]));
            CHECK(fabsf(out[2 * SIDE + i]) <= 0 && fabsf(out[3 * SIDE + i]) <= 0);
            CHECK(isfinite(out[4 * SIDE + i]));
        }
    }
    npu_close(&r);
}

/* ---- designs that are refused when a device is opened ---- */

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0);
    if (f)
        fclose(f);
}

#define MANIFEST(kernel)                                                                  \
    "name: x\ndevices: [npu1]\ncolumns: 1\nxclbin: a.xclbin\nkernel: " kernel "\n"        \
    TYPES_I8 "tile: {rows: 8, inner: 16, columns: 16}\ninner: 32\n"                      \
    "instructions: {source: single-core-v1}\n"
#define TYPES_I8 "types: {input: i8, weight: i8, output: i32, accumulator: i32}\n"
#define XCLBIN "stand-in xclbin\nkernel MLIR_AIE\ntile_rows 8\ntile_inner 16\n" \
               "tile_columns 16\ninner 32\n"

/* Opening with one package: what the error says. */
static void refused_case(const char *manifest, const char *xclbin, const char *standin,
                         het_status want, const char *says)
{
    test_folder folder;
    het__probed probed = { 0 };
    het_error err = HET_ERROR_INIT;
    rig r;
    const unsigned before = npu_objects(); /* that a hung device keeps */
    test_folder_make(&folder);
    write_text(test_folder_file(&folder, "design.yaml"), manifest);
    if (xclbin)
        write_text(test_folder_file(&folder, "a.xclbin"), xclbin);
    setenv("HETINFER_NPU_DESIGNS", folder.path, 1);
    setenv("HETINFER_XRT_STANDIN", standin, 1);
    rig_init(&r, "amd_xrt_npu");
    r.host.use_env = true;
    r.backend->probe(&r.host, &probed);
    CHECK_INT(probed.device_count, 1);
    CHECK_INT(rig_open_device(&r, &err), want);
    if (!strstr(err.message, says))
        TEST_FAIL("\"%s\" does not say \"%s\"", err.message, says);
    rig_close(&r);
    if (want != HET_E_TIMEOUT)
        CHECK_INT(npu_objects(), before);
    test_folder_remove(&folder);
}

static void bad_designs_are_refused(void)
{
    static const char good[] = MANIFEST("MLIR_AIE");
    refused_case(good, XCLBIN "wrong 1\n", "", HET_E_UNSUPPORTED,
                 "multiplies 8 by 32 by 16 wrongly");
    refused_case(good, XCLBIN "bf16 1\n", "", HET_E_TIMEOUT, "state 8");
    refused_case(good, NULL, "", HET_E_UNSUPPORTED, "a.xclbin is not there");
    refused_case(good, "something\n", "", HET_E_UNSUPPORTED, "is no xclbin");
    refused_case(MANIFEST("GEMM"), XCLBIN, "", HET_E_UNSUPPORTED, "has no kernel GEMM");
    refused_case(good, XCLBIN "arguments 5\n", "", HET_E_UNSUPPORTED, "takes 5 arguments, not 6");
    refused_case(good, XCLBIN "tile_rows 16\n", "", HET_E_TIMEOUT, "state 8");
    refused_case(good, XCLBIN "inner 64\n", "", HET_E_TIMEOUT, "state 8");
    refused_case(good, XCLBIN "columns 8\n", "", HET_E_BUSY, "a context");
    refused_case(good, XCLBIN "silent 1\n", "", HET_E_TIMEOUT, "state 8");
    refused_case(good, XCLBIN, "fail=wrong@wait#1", HET_E_UNSUPPORTED, "wrongly");
    refused_case(good, XCLBIN, "fail=lost@group#2", HET_E_DEVICE_LOST, "told to be lost");
    refused_case(good, XCLBIN, "fail=error@group#2", HET_E_UNSUPPORTED, "argument 3 of kernel");
    refused_case(good, XCLBIN, "fail=strange@device#1", HET_E_IO, "no known type");
}

/* ---- contexts ---- */

#define PACKAGE(name, columns, tile, inner, source, launch)                                  \
    "name: " name "\ndevices: [npu1]\ncolumns: " columns "\nxclbin: a.xclbin\n"               \
    "kernel: MLIR_AIE\ntypes: {input: i8, weight: i8, output: i32, accumulator: i32}\n"     \
    "tile: {" tile "}\ninner: " inner "\ninstructions: {source: " source "}\n"              \
    "figures: {int8: 1 Top/s, launch: " launch "}\n"

/* One product each for two designs, which want five columns together where there are four: the one
 * leaves for the other, and comes back. */
static void contexts_leave_and_come_back(void)
{
    enum { ROWS = 9, TURNS = 3 };
    static const int64_t inner[] = { 32, 128 }, columns[] = { 16, 32 }, parts[] = { 32, 64 };
    static float w[2][128 * 32];
    static double want[ROWS * 32];
    char both[600];
    uint64_t seed = 11;
    uint32_t x[2], y[2];
    test_folder one, all;
    rig r;
    test_folder_make(&one);
    test_folder_make(&all);
    write_text(test_folder_file(&one, "design.yaml"),
               PACKAGE("one", "1", "rows: 8, inner: 16, columns: 16", "32", "single-core-v1",
                       "10 us"));
    write_text(test_folder_file(&one, "a.xclbin"), XCLBIN);
    write_text(test_folder_file(&all, "design.yaml"),
               PACKAGE("all", "4", "rows: 4, inner: 16, columns: 8", "64", "whole-array-v1",
                       "12 us"));
    write_text(test_folder_file(&all, "a.xclbin"),
               "stand-in xclbin\ncolumns 4\ncore_rows 4\ntile_rows 4\ntile_inner 16\n"
               "tile_columns 8\ninner 64\n");
    snprintf(both, sizeof both, "%s:%s", one.path, all.path);
    setenv("HETINFER_NPU_DESIGNS", both, 1);
    if (!npu_open(&r, "columns=4"))
        return;
    het__attrs attrs = { .linear = { 1, false } };
    for (int i = 0; i < 2; i++) {
        npu_fill(w[i], inner[i] * columns[i], &seed);
        x[i] = het__graph_value(&r.graph, i ? "b" : "a", HET__VALUE_INPUT, HET_DTYPE_F32, 2,
                                (het__extent[]){ EXTENT(ROWS), EXTENT(inner[i]) });
        const uint32_t in[] = { x[i], HET__NO_VALUE,
                                het__graph_const(&r.graph, i ? "v" : "w", HET_DTYPE_F32, 2,
                                                 (int64_t[]){ columns[i], inner[i] }, w[i]),
                                HET__NO_VALUE };
        y[i] = het__graph_node(&r.graph, HET__OP_LINEAR, 0, "linear", in, 4, &attrs, NULL);
    }
    const bool compiled = rig_compile(&r);
    const unsigned before = npu_calls("context");
    for (int turn = 0; compiled && turn < TURNS; turn++) {
        for (int i = 0; i < 2; i++)
            npu_fill(rig_data(&r, x[i]), ROWS * inner[i], &seed);
        rig_run(&r);
        for (int i = 0; i < 2; i++) {
            npu_part = parts[i];
            product(rig_data(&r, x[i]), ROWS, inner[i], w[i], columns[i], false, want);
            check_equal(i ? "whole array" : "one core", rig_data(&r, y[i]), want,
                        ROWS * columns[i]);
        }
    }
    CHECK_INT(npu_calls("context") - before, 2 * TURNS);
    npu_close(&r);
    test_folder_remove(&one);
    test_folder_remove(&all);
}

int main(void)
{
    test_case(one_core_is_bit_exact);
    test_case(whole_array_is_bit_exact);
    test_case(gated_is_bit_exact);
    test_case(int8_by_channel_is_not_rounded_again);
    test_case(matmul_is_bit_exact);
    test_case(odd_rows_stay_by_themselves);
    test_case(bf16_is_what_ref_gives_of_rounded_numbers);
    test_case(contexts_leave_and_come_back);
    test_case(bad_designs_are_refused); /* some hang, and what they hold stays with them */
    return test_finish();
}

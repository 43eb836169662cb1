/* SPDX-License-Identifier: Apache-2.0 */
/* Products on the NPU's backend over the stand-in for XRT (tests/drivers/xrt): what comes out is,
 * bit for bit, what plain C gives for the same codes of 8 bits. Nothing here ran on an NPU. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "rig.h"

#include "lib/base/dtype.h"
#include "lib/base/os.h"
#include "lib/plain/act.h"
#include "lib/quant/quant.h"

#define EXTENT_MAX 512

static unsigned standin_calls(const char *name)
{
    unsigned (*ask)(const char *) = NULL;
    void *symbol = het__find_symbol("xrt_standin_calls");
    memcpy(&ask, &symbol, sizeof ask);
    return ask ? ask(name) : 0;
}

static unsigned standin_objects(void)
{
    unsigned (*ask)(void) = NULL;
    void *symbol = het__find_symbol("xrt_standin_objects");
    memcpy(&ask, &symbol, sizeof ask);
    return ask ? ask() : 0;
}

static void check_rules(void)
{
    unsigned (*ask)(char *, size_t) = NULL;
    char text[200] = "";
    void *symbol = het__find_symbol("xrt_standin_broken_rules");
    memcpy(&ask, &symbol, sizeof ask);
    const unsigned broken = ask ? ask(text, sizeof text) : 1;
    if (broken)
        TEST_FAIL("%u rules of XRT broken, the first: %s", broken, text);
}

/* A rig on the stand-in's device; false if it cannot be opened. */
static bool npu_open(rig *r, const char *standin)
{
    het__probed probed = { 0 };
    het_error err = HET_ERROR_INIT;
    setenv("HETINFER_XRT_STANDIN", standin, 1);
    rig_init(r, "amd_xrt_npu");
    r->host.use_env = true;
    r->backend->probe(&r->host, &probed);
    if (probed.device_count == 0) {
        TEST_FAIL("no device: %s", probed.reason);
        return false;
    }
    const het_status s = rig_open_device(r, &err);
    if (s != HET_OK)
        TEST_FAIL("%s: %s", het_status_name(s), err.message);
    return s == HET_OK;
}

static void npu_close(rig *r)
{
    rig_close(r);
    CHECK_INT(standin_objects(), 0);
    check_rules();
}

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

/* x [rows, inner] times w [columns, inner] by codes, in F64. */
static void product(const float *x, int64_t rows, int64_t inner, const float *w, int64_t columns,
                    bool transposed, double *out)
{
    static int8_t a[EXTENT_MAX * 2], b[EXTENT_MAX * 2];
    for (int64_t n = 0; n < columns; n++) {
        const float fw = transposed ? encode(w + n, inner, columns, b)
                                    : encode(w + n * inner, inner, 1, b);
        for (int64_t t = 0; t < rows; t++) {
            const float fx = encode(x + t * inner, inner, 1, a);
            int64_t sum = 0;
            for (int64_t k = 0; k < inner; k++)
                sum += a[k] * b[k];
            out[t * columns + n] = (double)sum * ((double)fx * (double)fw);
        }
    }
}

static void fill(float *x, int64_t count, uint64_t *seed)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = test_random_float(seed) * (i % 7 ? 1.0f : 3.0f);
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

/* ---- linear ---- */

#define EXTENT(n) { n, HET__SYM_ONE }

/* One product with bias and residual, at the most rows and at fewer. */
static void linear_case(int64_t rows, int64_t inner, int64_t columns, uint64_t seed)
{
    rig r;
    if (!npu_open(&r, ""))
        return;
    float *w = malloc((size_t)(columns * inner) * sizeof *w), bias[EXTENT_MAX];
    double *want = malloc((size_t)(rows * columns) * sizeof *want);
    fill(w, columns * inner, &seed);
    fill(bias, columns, &seed);
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
        fill(rig_data(&r, x), rows * inner, &seed);
        fill(rig_data(&r, residual), rows * columns, &seed);
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

static void linear_is_bit_exact(void)
{
    static const int64_t rows[] = { 1, 7, 16, 17, 33, 130 };
    static const int64_t inner[] = { 4, 31, 64, 65, 200 };
    static const int64_t columns[] = { 1, 15, 32, 97, 300 };
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 5; k++)
            linear_case(rows[i], inner[k], columns[(i + 2 * k) % 5], 1 + i * 5 + k);
    printf("%u runs in all\n", standin_calls("start"));
}

int main(void)
{
    test_case(linear_is_bit_exact);
    return test_finish();
}

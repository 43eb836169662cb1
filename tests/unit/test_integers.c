/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs with codes of eight bits: the plain kernels of the operations as they are written give
 * what the devices give behind all passes, at every level and for any number of threads. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "backends/cpu_onednn/matmul.h"
#include "lib/exec/graph_run.h"
#include "lib/exec/registry.h"
#include "tensor_bench.h"

#define OUTPUTS_MAX 4

/* ---- making graphs ---- */

static uint32_t bytes(bench *b, het_dtype dtype, uint32_t rank, const int64_t *extent)
{
    const int64_t n = bench_span(rank, extent);
    uint8_t *x = bench_bytes(b, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        x[i] = (uint8_t)test_random(&b->seed);
    return het__graph_const(&b->raw, "codes", dtype, rank, extent, x);
}

static uint32_t zero(bench *b, het_dtype dtype, int32_t value)
{
    uint8_t *x = bench_bytes(b, 4);
    *x = (uint8_t)value;
    return het__graph_const(&b->raw, "zero", dtype, 0, NULL, x);
}

static uint32_t biases(bench *b, int64_t n, int32_t reach)
{
    int32_t *x = bench_bytes(b, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (int32_t)(test_random(&b->seed) % (uint64_t)(2 * reach)) - reach;
    return het__graph_const(&b->raw, "bias", HET_DTYPE_I32, 1, &n, x);
}

static uint32_t quantised(bench *b, uint32_t x, double scale, het_dtype type, int32_t at)
{
    return OP(b, "QuantizeLinear", x, bench_scalar(b, scale), zero(b, type, at));
}

static uint32_t back(bench *b, uint32_t x, double scale, het_dtype type, int32_t at)
{
    return OP(b, "DequantizeLinear", x, bench_scalar(b, scale), zero(b, type, at));
}

static uint32_t rounded(bench *b, uint32_t x, double scale, int32_t at)
{
    return back(b, quantised(b, x, scale, HET_DTYPE_U8, at), scale, HET_DTYPE_U8, at);
}

static uint32_t scales(bench *b, int64_t n, float base)
{
    float *x = bench_random(b, 1, &n);
    for (int64_t i = 0; i < n; i++)
        x[i] = base * (1.5f + x[i] / 4);
    return het__graph_const(&b->raw, "scales", HET_DTYPE_F32, 1, &n, x);
}

/* ---- running them ---- */

static bool compare(const char *who, const het__tensor *want, const het__tensor *got, int64_t most)
{
    const int64_t n = het__tensor_elements(want);
    int64_t worst = 0, off = 0;
    CHECK_INT(got->dtype, want->dtype);
    CHECK(het__tensor_same_extents(want, got));
    for (int64_t i = 0; i < n; i++) {
        const int64_t d = het__get_i64(want->dtype, want->data, i) -
                          het__get_i64(want->dtype, got->data, i);
        const int64_t size = d < 0 ? -d : d;
        worst = size > worst ? size : worst;
        off += size != 0;
    }
    if (worst > most || off * 20 > n + 59)
        TEST_FAIL("%s: %lld of %lld codes are off, by up to %lld", who, (long long)off,
                  (long long)n, (long long)worst);
    return worst <= most;
}

/* Nodes of this kind behind the passes. */
static uint32_t count_of(const het__graph_run *run, het__op op)
{
    const het__graph *g = het__graph_run_graph(run);
    uint32_t n = 0;
    for (uint32_t i = 0; g && i < g->node_count; i++)
        n += g->nodes[i].op == op;
    return n;
}

typedef struct wanted {
    int64_t most;        /* steps that codes may be off by */
    uint32_t products;   /* QCONV nodes */
    uint32_t floats;     /* CONV and MATMUL nodes */
} wanted;

static void run_on(bench *b, const char *backend, uint32_t threads, const het__tensor *want,
                   const wanted *w)
{
    const het__host host = { .mem = &b->mem, .use_env = true };
    het__registry registry;
    het__graph_run *run = NULL;
    het__tensor got[OUTPUTS_MAX];
    const size_t capacity[OUTPUTS_MAX] = { 0 };
    _Atomic uint32_t cancel = 0;
    memset(got, 0, sizeof got);
    CHECK_INT(het__registry_init(&registry, &host, backend, &b->err), HET_OK);
    const het__graph_run_request request = {
        .registry = &registry, .graph = &b->raw, .device_mask = 1, .threads = threads,
        .passes = { HET__PASSES_ALL, 0 } };
    het_status s = het__graph_run_create(&request, &run, &b->err);
    if (s == HET_OK)
        s = het__graph_run_step(run, b->inputs, got, capacity, &cancel, &b->err);
    if (s != HET_OK)
        TEST_FAIL("%s: %s", backend, b->err.message);
    for (uint32_t o = 0; s == HET_OK && o < b->raw.output_count; o++)
        compare(backend, &want[o], &got[o], w->most);
    if (s == HET_OK) {
        CHECK_INT(count_of(run, HET__OP_QCONV), w->products);
        CHECK_INT(count_of(run, HET__OP_CONV) + count_of(run, HET__OP_MATMUL), w->floats);
        CHECK_INT(count_of(run, HET__OP_T_QLINEAR_CONV), 0);
    }
    het__graph_run_destroy(run);
    het__registry_finish(&registry);
}

static void check(bench *b, wanted w)
{
    het__tensor want[8];
    if (b->raw.failed || het__specialise(&b->raw, b->inputs, b->input_count, &b->mem, &b->graph,
                                         NULL, &b->err) != HET_OK) {
        TEST_FAIL("%s", b->err.message);
        return;
    }
    if (bench_interpret(b, want)) {
        run_on(b, "ref", 1, want, &w);
        for (const het__cpu_level *const *l = het__cpu_levels(); *l; l++) {
            setenv("HETINFER_CPU_LEVEL", (*l)->name, 1);
            run_on(b, "cpu_onednn", 1, want, &w);
            run_on(b, "cpu_onednn", 3, want, &w);
        }
    }
    for (uint32_t o = 0; o < b->raw.output_count; o++)
        het__tensor_finish(&b->mem, &want[o]);
}

/* ---- cases ---- */

/* QLinearConv of every mixture of types; a pool of codes and another convolution behind it. */
static void convolutions(void)
{
    for (uint32_t i = 0; i < 16; i++) {
        bench b;
        bench_open(&b);
        b.seed = i + 1;
        const het_dtype in = i & 1 ? HET_DTYPE_I8 : HET_DTYPE_U8;
        const het_dtype out = i & 2 ? HET_DTYPE_I8 : HET_DTYPE_U8;
        const het_dtype type = i & 4 ? HET_DTYPE_U8 : HET_DTYPE_I8;
        const int32_t at = i & 1 ? -7 : 120, to = i & 2 ? 3 : 131;
        const int64_t groups = i & 8 ? 18 : 1;
        const uint32_t x = bench_input(&b, 4, E(1, 18, 9, 11));
        const uint32_t q = quantised(&b, x, 0.02, in, at);
        bench_int(&b, "group", groups);
        bench_ints(&b, "pads", 4, E(1, 1, 1, 1));
        uint32_t y = OP(&b, "QLinearConv", q, bench_scalar(&b, 0.02), zero(&b, in, at),
                        bytes(&b, type, 4, E(18, 18 / groups, 3, 3)), scales(&b, 18, 0.001f),
                        zero(&b, type, i & 4 ? 128 : 0), bench_scalar(&b, 0.03),
                        zero(&b, out, to), biases(&b, 18, 20000));
        bench_ints(&b, "kernel_shape", 2, E(2, 2));
        y = OP(&b, "MaxPool", y);
        y = OP(&b, "QLinearConv", y, bench_scalar(&b, 0.03), zero(&b, out, to),
               bytes(&b, HET_DTYPE_I8, 4, E(37, 18, 1, 1)), bench_scalar(&b, 0.002),
               zero(&b, HET_DTYPE_I8, 0), bench_scalar(&b, 0.05), zero(&b, HET_DTYPE_U8, 9));
        bench_output(&b, y);
        check(&b, (wanted){ 0, 2, 0 });
        bench_close(&b);
    }
}

static void products(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = quantised(&b, bench_input(&b, 3, E(2, 3, 70)), 0.02, HET_DTYPE_U8, 77);
    bench_output(&b, OP(&b, "QLinearMatMul", x, bench_scalar(&b, 0.02), zero(&b, HET_DTYPE_U8, 77),
                        bytes(&b, HET_DTYPE_I8, 2, E(70, 33)), scales(&b, 33, 0.002f),
                        zero(&b, HET_DTYPE_I8, 0), bench_scalar(&b, 0.04),
                        zero(&b, HET_DTYPE_U8, 100)));
    check(&b, (wanted){ 0, 1, 0 });
    bench_close(&b);
}

/* Elements that only move, and functions of single elements, between codes: no step is lost. */
static void moves_and_tables(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = rounded(&b, bench_input(&b, 4, E(1, 6, 4, 5)), 0.013, 140);
    const uint32_t other = bench_input(&b, 4, E(1, 6, 4, 5));
    b.raw.values[other].name = "other"; /* inputs are told apart by their names */
    const uint32_t y = rounded(&b, other, 0.021, 90);
    const uint32_t curved = OP(&b, "Sigmoid", y);
    bench_int(&b, "axis", 1);
    uint32_t z = OP(&b, "Concat", x, curved);
    z = OP(&b, "Reshape", z, bench_list(&b, 5, E(1, 2, 6, 4, 5)));
    bench_ints(&b, "perm", 5, E(0, 2, 1, 3, 4));
    z = OP(&b, "Transpose", z);
    z = quantised(&b, z, 0.01, HET_DTYPE_I8, -20);
    bench_output(&b, z);
    check(&b, (wanted){ 0, 0, 0 });
    CHECK_INT(bench_count(&b, "Sigmoid"), 1);
    bench_close(&b);
}

/* A weight and a bias as exporters write them. */
static uint32_t layer(bench *b, const char *op, uint32_t x, float in, uint32_t rank,
                      const int64_t *extent)
{
    const int64_t n = extent[0];
    float *w = bench_bytes(b, (size_t)n * sizeof *w), *product = bench_bytes(b, (size_t)n * 4);
    for (int64_t i = 0; i < n; i++) {
        w[i] = 0.001f * (1 + (float)(i % 5));
        product[i] = in * w[i];
    }
    const uint32_t ws = het__graph_const(&b->raw, "s", HET_DTYPE_F32, 1, &n, w);
    const uint32_t bs = het__graph_const(&b->raw, "s", HET_DTYPE_F32, 1, &n, product);
    bench_int(b, "axis", 0);
    const uint32_t weight = OP(b, "DequantizeLinear", bytes(b, HET_DTYPE_I8, rank, extent), ws);
    bench_int(b, "axis", 0);
    const uint32_t bias = OP(b, "DequantizeLinear", biases(b, n, 5000), bs);
    if (rank == 2)
        bench_int(b, "transB", 1);
    return OP(b, op, x, weight, bias);
}

/* A small residual network of floats between codes. */
static void networks(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = rounded(&b, bench_input(&b, 4, E(1, 5, 9, 8)), 0.016, 128);
    uint32_t y = OP(&b, "Relu", layer(&b, "Conv", x, 0.016f, 4, E(20, 5, 3, 3)));
    const uint32_t short_cut = rounded(&b, y, 0.05, 0);
    y = layer(&b, "Conv", short_cut, 0.05f, 4, E(20, 20, 1, 1));
    y = OP(&b, "Clip", y, bench_scalar(&b, -4), bench_scalar(&b, 5));
    y = OP(&b, "Add", rounded(&b, y, 0.04, 101), short_cut);
    y = rounded(&b, OP(&b, "Relu", y), 0.06, 17);
    bench_ints(&b, "kernel_shape", 2, E(3, 2));
    y = rounded(&b, OP(&b, "AveragePool", y), 0.05, 20);
    y = rounded(&b, OP(&b, "GlobalAveragePool", y), 0.02, 17);
    y = OP(&b, "Flatten", y);
    y = layer(&b, "Gemm", y, 0.02f, 2, E(11, 20));
    bench_output(&b, quantised(&b, y, 0.02, HET_DTYPE_U8, 128));
    check(&b, (wanted){ 1, 4, 0 });
    bench_close(&b);
}

/* What cannot be codes: weights of a float convolution become float constants. */
static void leftovers(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 4, E(1, 5, 9, 8));
    const uint32_t y = layer(&b, "Conv", x, 0.016f, 4, E(20, 5, 3, 3));
    bench_output(&b, quantised(&b, y, 0.05, HET_DTYPE_U8, 128));
    check(&b, (wanted){ 1, 0, 1 });
    bench_close(&b);
}

int main(void)
{
    convolutions();
    products();
    moves_and_tables();
    networks();
    leftovers();
    return test_finish();
}

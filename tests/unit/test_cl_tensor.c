/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations on OpenCL against the reference device: random shapes, and one of each function
 * of one operand. What the backend refuses is counted: each kind of operation that it has must be
 * run now and then. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>

#include "cl_case.h"
#include "tensor_case.h"

static uint32_t ran, refused;

static void fill_inputs(rig *r)
{
    for (uint32_t v = 0; v < r->graph.value_count; v++) {
        if (r->graph.values[v].kind != HET__VALUE_INPUT)
            continue;
        const size_t bytes = rig_bytes(r, v, r->symbols);
        char *data = malloc(bytes + 1);
        fill(r->graph.values[v].dtype, data, bytes);
        cl_give(r, v, data, bytes);
        free(data);
    }
}

static void run(const char *backend, case_fn make, uint64_t start, result *out)
{
    rig r;
    form f;
    het_error err = HET_ERROR_INIT;
    char reason[128] = "";
    uint32_t first;
    memset(out, 0, sizeof *out);
    seed = start;
    rig_init(&r, backend);
    r.host.use_env = true;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    const bool built = build(&r, make, &f, &first);
    const bool fits = built && r.backend->supports(&r.graph, &r.graph.nodes[0], reason,
                                                   sizeof reason);
    CHECK(fits || reason[0]);
    if (fits && rig_compile(&r)) {
        fill_inputs(&r);
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->wait(r.device, 0, &err), HET_OK);
        rig_run(&r);
        describe(&r, &f, out);
        out->count = f.output_count;
        for (uint32_t o = 0; o < f.output_count; o++) {
            out->bytes[o] = rig_bytes(&r, first + o, r.symbols);
            out->dtype[o] = r.graph.values[first + o].dtype;
            out->data[o] = malloc(out->bytes[o] + 1);
            cl_take(&r, first + o, out->data[o], out->bytes[o]);
        }
    }
    rig_close(&r);
}

static void compare(case_fn make)
{
    const uint64_t start = seed;
    result want, got;
    run("opencl_igpu", make, start, &got);
    run("ref", make, start, &want);
    ran += got.count > 0;
    refused += got.count == 0;
    for (uint32_t o = 0; o < want.count && got.count == want.count; o++) {
        double largest = 1;
        const double worst = distance(&want, &got, o, &largest);
        if (!(worst <= 2e-5 * largest))
            TEST_FAIL("%s: off by %g where values reach %g", want.text, worst, largest);
    }
    for (uint32_t o = 0; o < OUTPUTS_MAX; o++) {
        free(want.data[o]);
        free(got.data[o]);
    }
}

/* ---- cases that the CPU backend leaves to plain kernels ---- */

static het__op next_unary;

static void each_unary(rig *r, form *f)
{
    const int64_t extent[2] = { 3, pick(5, 70) };
    f->op = next_unary;
    f->opset = 20;
    add_input(f, input(r, HET_DTYPE_F32, 2, extent));
}

static void compares(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_EQUAL, HET__OP_T_GREATER, HET__OP_T_GREATER_OR_EQUAL,
                                   HET__OP_T_LESS, HET__OP_T_LESS_OR_EQUAL };
    const int64_t extent[3] = { 2, pick(1, 9), pick(1, 40) }, row[1] = { extent[2] };
    const het_dtype dtype = pick(0, 1) ? HET_DTYPE_F32 : HET_DTYPE_I64;
    f->op = ops[pick(0, 4)];
    add_input(f, input(r, dtype, 3, extent));
    add_input(f, input(r, dtype, 1, row));
}

static void integers_of(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_ADD, HET__OP_T_SUB, HET__OP_T_MUL, HET__OP_T_MAX,
                                   HET__OP_T_MIN };
    const int64_t extent[2] = { pick(1, 9), pick(1, 40) };
    const het_dtype dtype = pick(0, 1) ? HET_DTYPE_I32 : HET_DTYPE_I64;
    f->op = ops[pick(0, 4)];
    add_input(f, input(r, dtype, 2, extent));
    add_input(f, input(r, dtype, 2, extent));
}

static void logic(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_AND, HET__OP_T_OR, HET__OP_T_XOR };
    const int64_t extent[2] = { pick(1, 9), pick(1, 40) };
    f->op = ops[pick(0, 2)];
    add_input(f, input(r, HET_DTYPE_BOOL, 2, extent));
    add_input(f, input(r, HET_DTYPE_BOOL, 2, extent));
}

static void cast(rig *r, form *f)
{
    static const het_dtype types[] = { HET_DTYPE_F32, HET_DTYPE_I32, HET_DTYPE_I64, HET_DTYPE_BOOL,
                                       HET_DTYPE_U8, HET_DTYPE_I8 };
    static const int numbers[] = { 1, 6, 7, 9, 2, 3 }; /* of ONNX */
    const int64_t extent[2] = { pick(1, 9), pick(1, 40) };
    f->op = HET__OP_T_CAST;
    add_int(f, "to", numbers[pick(0, 5)]);
    add_input(f, input(r, types[pick(0, 5)], 2, extent));
}

static void reductions(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_REDUCE_L1, HET__OP_T_REDUCE_L2, HET__OP_T_REDUCE_MIN,
                                   HET__OP_T_REDUCE_PROD, HET__OP_T_REDUCE_SUM_SQUARE,
                                   HET__OP_T_GLOBAL_MAX_POOL };
    const int64_t extent[4] = { pick(1, 2), pick(1, 9), pick(1, 5), pick(1, 30) };
    const int64_t axes[2] = { 2, 3 };
    f->op = ops[pick(0, 5)];
    add_input(f, input(r, HET_DTYPE_F32, 4, extent));
    if (f->op != HET__OP_T_GLOBAL_MAX_POOL)
        add_input(f, integers(r, pick(1, 2), axes));
}

static void group_norm(rig *r, form *f)
{
    const int64_t groups = pick(1, 3), channels = groups * pick(1, 4);
    const int64_t extent[4] = { pick(1, 2), channels, pick(1, 9), pick(1, 12) };
    f->op = pick(0, 1) ? HET__OP_T_GROUP_NORMALIZATION : HET__OP_T_INSTANCE_NORMALIZATION;
    f->opset = pick(0, 1) ? 18 : 21;
    add_input(f, input(r, HET_DTYPE_F32, 4, extent));
    const bool by_group = f->op == HET__OP_T_GROUP_NORMALIZATION && f->opset < 21;
    if (f->op == HET__OP_T_GROUP_NORMALIZATION)
        add_int(f, "num_groups", groups);
    for (int i = 0; i < 2; i++)
        add_input(f, either(r, 1, by_group ? &groups : &channels));
}

static void gemm(rig *r, form *f)
{
    const int64_t m = pick(1, 40), k = pick(1, 50), n = pick(1, 40), turned = pick(0, 1);
    const int64_t a[2] = { m, k }, b[2] = { turned ? n : k, turned ? k : n };
    const int64_t c[2] = { pick(0, 1) ? m : 1, pick(0, 1) ? n : 1 };
    f->op = HET__OP_T_GEMM;
    add_int(f, "transB", turned);
    add_attr(f, "alpha", HET__ATTR_FLOAT)->u.f = 0.5f;
    add_input(f, input(r, HET_DTYPE_F32, 2, a));
    add_input(f, either(r, 2, b));
    if (pick(0, 1))
        add_input(f, either(r, 2, c));
}

static void packed_attention(rig *r, form *f)
{
    const int64_t heads = pick(1, 4), size = pick(1, 20), rows = pick(1, 20), keys = pick(1, 40);
    const int64_t q[3] = { 2, rows, heads * size }, k[3] = { 2, keys, heads * size };
    const int64_t mask[2] = { rows, keys };
    f->op = HET__OP_T_ATTENTION;
    f->opset = 23;
    add_int(f, "q_num_heads", heads);
    add_int(f, "kv_num_heads", heads);
    add_int(f, "is_causal", pick(0, 1));
    if (pick(0, 1))
        add_attr(f, "softcap", HET__ATTR_FLOAT)->u.f = 2;
    add_input(f, input(r, HET_DTYPE_F32, 3, q));
    add_input(f, input(r, HET_DTYPE_F32, 3, k));
    add_input(f, input(r, HET_DTYPE_F32, 3, k));
    if (pick(0, 1))
        add_input(f, input(r, HET_DTYPE_BOOL, 2, mask));
}

static void shuffles(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_DEPTH_TO_SPACE, HET__OP_T_SPACE_TO_DEPTH };
    const int64_t side = pick(1, 3);
    const int64_t extent[4] = { pick(1, 2), side * side * pick(1, 3), side * pick(1, 5),
                                side * pick(1, 9) };
    f->op = ops[pick(0, 1)];
    add_int(f, "blocksize", side);
    if (f->op == HET__OP_T_DEPTH_TO_SPACE && pick(0, 1))
        add_attr(f, "mode", HET__ATTR_STRING)->u.string = "CRD";
    add_input(f, input(r, pick_type(), 4, extent));
}

static void tile(rig *r, form *f)
{
    const int64_t extent[3] = { pick(1, 4), pick(1, 9), pick(1, 9) };
    const int64_t times[3] = { pick(1, 3), pick(1, 3), pick(1, 3) };
    f->op = HET__OP_T_TILE;
    add_input(f, input(r, pick_type(), 3, extent));
    add_input(f, integers(r, 3, times));
}

/* ---- codes of eight bits ---- */

static uint32_t scalar(rig *r, float x)
{
    return het__graph_const(&r->graph, "s", HET_DTYPE_F32, 0, NULL, keep(r, &x, sizeof x));
}

static uint32_t zero_point(rig *r, het_dtype dtype)
{
    const unsigned char zero = (unsigned char)pick(0, 255);
    return het__graph_const(&r->graph, "z", dtype, 0, NULL, keep(r, &zero, 1));
}

static het_dtype code_type(void)
{
    return pick(0, 1) ? HET_DTYPE_U8 : HET_DTYPE_I8;
}

static void quantize(rig *r, form *f)
{
    const int64_t extent[4] = { 2, pick(1, 9), pick(1, 9), pick(1, 30) };
    const het_dtype code = code_type();
    const bool back = pick(0, 1);
    f->op = back ? HET__OP_T_DEQUANTIZE_LINEAR : HET__OP_T_QUANTIZE_LINEAR;
    add_input(f, input(r, back ? code : HET_DTYPE_F32, 4, extent));
    if (pick(0, 1)) {
        add_input(f, scalar(r, 0.03f));
        add_input(f, zero_point(r, code));
        return;
    }
    float scales[9];
    unsigned char zeros[9];
    for (int i = 0; i < 9; i++) {
        scales[i] = 0.01f + 0.005f * (float)pick(0, 9);
        zeros[i] = (unsigned char)pick(0, 255);
    }
    add_input(f, het__graph_const(&r->graph, "s", HET_DTYPE_F32, 1, &extent[1],
                                  keep(r, scales, sizeof scales)));
    add_input(f, het__graph_const(&r->graph, "z", code, 1, &extent[1],
                                  keep(r, zeros, sizeof zeros)));
}

static void qlinear(rig *r, form *f)
{
    const int64_t extent[4] = { 2, pick(1, 9), pick(1, 9), pick(1, 30) };
    const int64_t channel[4] = { 1, extent[1], 1, 1 };
    const het_dtype dtype = code_type();
    f->op = pick(0, 1) ? HET__OP_T_MS_QLINEAR_ADD : HET__OP_T_MS_QLINEAR_MUL;
    for (int i = 0; i < 2; i++) {
        add_input(f, input(r, dtype, 4, i && pick(0, 1) ? channel : extent));
        add_input(f, scalar(r, 0.01f + 0.004f * (float)pick(0, 20)));
        add_input(f, zero_point(r, dtype));
    }
    add_input(f, scalar(r, 0.02f + 0.01f * (float)pick(0, 20)));
    add_input(f, zero_point(r, dtype));
}

static void qlinear_pool(rig *r, form *f)
{
    const bool last = pick(0, 1);
    const int64_t extent[4] = { pick(1, 2), pick(1, 9), pick(1, 20), pick(1, 20) };
    const het_dtype dtype = code_type();
    f->op = HET__OP_T_MS_QLINEAR_POOL;
    add_int(f, "channels_last", last);
    add_input(f, input(r, dtype, 4, extent));
    add_input(f, scalar(r, 0.013f * (float)pick(1, 9)));
    add_input(f, zero_point(r, dtype));
    add_input(f, scalar(r, 0.007f * (float)pick(1, 9)));
    add_input(f, zero_point(r, dtype));
}

/* ---- all ---- */

static void run_cases(const case_fn *cases, size_t count, int times)
{
    for (size_t c = 0; c < count; c++) {
        ran = refused = 0;
        for (int i = 0; i < times; i++)
            compare(cases[c]);
        /* The last one is an operation that is left to others. */
        if (ran == 0 && c + 1 < count && times > 2)
            TEST_FAIL("case %zu is never run", c);
    }
}

static void unaries(void)
{
    ran = refused = 0;
    for (het__op op = HET__OP_T_ABS; op <= HET__OP_T_MS_GELU; op++) {
        next_unary = op;
        compare(each_unary);
    }
    CHECK_INT(refused, 0);
}

int main(int argc, char **argv)
{
    static const case_fn more[] = { compares, integers_of, logic, cast, reductions, group_norm,
                                    gemm, packed_attention, shuffles, tile, quantize, qlinear,
                                    qlinear_pool, conv_transpose };
    const int times = argc > 1 ? atoi(argv[1]) : 4;
    const int kinds = argc > 2 ? atoi(argv[2]) : 2; /* of kernels: processors', GPUs' */
    cl_find();
    for (int gpu = 0; gpu < kinds; gpu++) {
        cl_be_gpu(gpu);
        unaries();
        run_cases(tensor_cases, sizeof tensor_cases / sizeof tensor_cases[0], times);
        run_cases(more, sizeof more / sizeof more[0], times);
    }
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations: the CPU backend against the reference device on random shapes, empty ones
 * included, at every level, with the same bits for one thread and for three. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>

#include "backends/cpu_onednn/matmul.h"
#include "counting_allocator.h"
#include "tensor_case.h"

static void run(const char *backend, uint32_t threads, case_fn make, uint64_t start, result *out)
{
    rig r;
    form f;
    het_error err = HET_ERROR_INIT;
    uint32_t first;
    memset(out, 0, sizeof *out);
    seed = start;
    rig_init(&r, backend);
    r.options.threads = threads;
    r.host.use_env = true;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    if (build(&r, make, &f, &first) && rig_compile(&r)) {
        for (uint32_t v = 0; v < r.graph.value_count; v++)
            if (r.graph.values[v].kind == HET__VALUE_INPUT)
                fill(r.graph.values[v].dtype, rig_data(&r, v), rig_bytes(&r, v, r.symbols));
        /* Plain kernels take scratch memory in the first run. */
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        rig_run(&r);
        describe(&r, &f, out);
        out->count = f.output_count;
        for (uint32_t o = 0; o < f.output_count; o++) {
            out->bytes[o] = rig_bytes(&r, first + o, r.symbols);
            out->dtype[o] = r.graph.values[first + o].dtype;
            out->data[o] = malloc(out->bytes[o] + 1);
            memcpy(out->data[o], rig_data(&r, first + o), out->bytes[o]);
        }
    }
    rig_close(&r);
}

/* But for the sign and payload of what is not a number, which follow the order of operands. */
static bool same_bits(const result *a, const result *b, uint32_t o)
{
    double largest = 0;
    if (a->dtype[o] == HET_DTYPE_F32)
        return distance(a, b, o, &largest) == 0;
    return a->bytes[o] == 0 || memcmp(a->data[o], b->data[o], a->bytes[o]) == 0;
}

static void compare(case_fn make, const char *level)
{
    const uint64_t start = seed;
    result want, one, three;
    run("ref", 1, make, start, &want);
    run("cpu_onednn", 1, make, start, &one);
    run("cpu_onednn", 3, make, start, &three);
    CHECK_INT(one.count, want.count);
    CHECK_INT(three.count, want.count);
    for (uint32_t o = 0; o < want.count && one.count == want.count; o++) {
        double largest = 1;
        const double worst = distance(&want, &one, o, &largest);
        /* Gates of unbounded curves multiply: relative errors then grow as values' logarithms. */
        if (!(worst <= 1e-5 * largest * fmax(1, log10(largest))))
            TEST_FAIL("%s, %s: off by %g where values reach %g", level, want.text, worst, largest);
        if (three.count == one.count && !same_bits(&one, &three, o))
            TEST_FAIL("%s, %s: three threads give other bits than one", level, one.text);
    }
    for (uint32_t o = 0; o < OUTPUTS_MAX; o++) {
        free(want.data[o]);
        free(one.data[o]);
        free(three.data[o]);
    }
}

/* ---- cases with kernels on the CPU only ---- */

/* Numbers small enough that sums over the inputs stay about 1; often at an address that no float
 * has. */
static uint32_t scaled(rig *r, uint32_t rank, const int64_t *extent, bool is_input)
{
    if (is_input)
        return input(r, HET_DTYPE_F32, rank, extent);
    const int64_t n = elements(rank, extent);
    const float scale = 1 / (1 + sqrtf((float)extent[rank - 1]));
    char *x = het__arena_alloc(&r->graph.arena, (size_t)n * sizeof(float) + 4);
    x += pick(0, 1) ? 0 : pick(1, 3);
    for (int64_t i = 0; i < n; i++) {
        const float value = scale * test_random_float(&seed);
        memcpy(x + i * 4, &value, sizeof value);
    }
    return het__graph_const(&r->graph, "w", HET_DTYPE_F32, rank, extent, x);
}

static void curves(rig *r, form *f, uint32_t count)
{
    static const char *const names[] = { "Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign",
                                         "LeakyRelu", "ScaledTanh", "Affine", "Elu", "Softplus",
                                         "ThresholdedRelu" };
    static const float factors[6] = { 0.3f, 0.2f, 0.4f, 0.1f, 0.5f, 0.6f };
    const char *list[6];
    for (uint32_t i = 0; i < count; i++)
        list[i] = names[pick(0, pick(0, 3) ? 6 : 10)];
    het__attr *a = add_attr(f, "activations", HET__ATTR_STRINGS);
    a->count = count;
    a->u.strings = keep(r, list, count * sizeof *list);
    a = add_attr(f, "activation_alpha", HET__ATTR_FLOATS);
    a->count = 6;
    a->u.floats = factors;
}

static void lengths(rig *r, form *f, int64_t batch, int64_t steps)
{
    const bool is_full = pick(0, 1);
    int64_t list[64];
    if (pick(0, 3)) {
        add_input(f, HET__NO_VALUE);
        return;
    }
    for (int64_t i = 0; i < batch; i++)
        list[i] = is_full ? steps : pick(0, steps);
    add_input(f, integers(r, batch, list));
}

/* All of them have a kernel but those with weights from inputs, shorter sequences and some curves,
 * which the plain one runs. */
static void recurrent(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_RNN, HET__OP_T_GRU, HET__OP_T_LSTM };
    static const char *const ways[] = { "forward", "reverse", "bidirectional" };
    static const int64_t gate_counts[] = { 1, 3, 4 };
    const int64_t op = pick(0, 2), way = pick(0, 2), directions = way == 2 ? 2 : 1;
    const int64_t gates = gate_counts[op], hidden = pick(0, 4) ? pick(1, 40) : pick(60, 150);
    const int64_t width = pick(0, 4) ? pick(1, 40) : pick(100, 300), steps = pick(0, 9);
    const int64_t batch = pick(0, 2) ? pick(1, 4) : pick(5, 60), layout = pick(0, 3) == 0;
    const int64_t rows = gates * hidden;
    f->op = ops[op];
    f->opset = 14;
    add_attr(f, "direction", HET__ATTR_STRING)->u.string = ways[way];
    if (layout)
        add_int(f, "layout", 1);
    const bool is_curved = pick(0, 2) == 0;
    if (is_curved)
        curves(r, f, (uint32_t)((op + 1) * directions));
    /* Gates without a bound multiply states beyond all numbers in a few steps. */
    if (pick(0, 2) == 0 || (is_curved && steps > 3))
        add_attr(f, "clip", HET__ATTR_FLOAT)->u.f = 0.7f;
    if (op == 1)
        add_int(f, "linear_before_reset", pick(0, 1));
    if (op == 2 && pick(0, 3) == 0)
        add_int(f, "input_forget", 1);
    const bool given = pick(0, 7) == 0;
    const int64_t x[3] = { layout ? batch : steps, layout ? steps : batch, width };
    const int64_t w[3] = { directions, rows, width }, again[3] = { directions, rows, hidden };
    const int64_t bias[2] = { directions, 2 * rows }, peepholes[2] = { directions, 3 * hidden };
    const int64_t state[3] = { layout ? batch : directions, layout ? directions : batch, hidden };
    add_input(f, input(r, HET_DTYPE_F32, 3, x));
    add_input(f, scaled(r, 3, w, false));
    add_input(f, scaled(r, 3, again, given && steps < 3));
    add_input(f, pick(0, 2) ? scaled(r, 2, bias, false) : HET__NO_VALUE);
    lengths(r, f, batch, steps);
    for (int i = 0; i < (op == 2 ? 2 : 1); i++)
        add_input(f, pick(0, 1) ? scaled(r, 3, state, pick(0, 1)) : HET__NO_VALUE);
    if (op == 2 && pick(0, 1))
        add_input(f, scaled(r, 2, peepholes, false));
    f->output_count = (uint32_t)pick(1, op == 2 ? 3 : 2);
}

static void transform(form *f, const char *const *names, int64_t last, const char *attr)
{
    const int64_t which = pick(-1, last);
    if (which >= 0)
        add_attr(f, attr, HET__ATTR_STRING)->u.string = names[which];
}

static void scales_of(rig *r, form *f, uint32_t rank, const float *scales)
{
    const int64_t count = rank;
    add_input(f, het__graph_const(&r->graph, "s", HET_DTYPE_F32, 1, &count,
                                  keep(r, scales, rank * sizeof *scales)));
}

/* Any axes, in all ways; most are one or two neighbours, and images of several tasks are among
 * them. */
static void resized(rig *r, form *f)
{
    static const char *const modes[] = { "nearest", "linear", "cubic" };
    static const char *const nearest[] = { "round_prefer_floor", "round_prefer_ceil", "floor",
                                           "ceil" };
    static const char *const ways[] = { "half_pixel", "asymmetric", "align_corners",
                                        "pytorch_half_pixel", "half_pixel_symmetric",
                                        "tf_crop_and_resize" };
    static const float factors[] = { 2, 1, 0.5f, 3, 1.7f, 0.3f, 7.9f, 4 };
    const uint32_t rank = (uint32_t)pick(2, 5), first = (uint32_t)pick(0, rank - 1);
    const uint32_t end = first + (pick(0, 5) ? (uint32_t)pick(1, 2) : 3);
    const bool is_large = pick(0, 9) == 0;
    int64_t extent[5], sizes[5];
    float scales[5], region[10];
    for (uint32_t i = 0; i < rank; i++) {
        extent[i] = pick(0, 30) ? pick(1, rank > 3 ? 9 : 20) : 0;
        if (is_large && i == rank - 1)
            extent[i] = pick(60, 160);
        scales[i] = i >= first && i < end ? factors[pick(0, 7)] : 1;
        sizes[i] = i >= first && i < end ? pick(1, 40) : extent[i];
        region[i] = 0.1f;
        region[rank + i] = 0.8f;
    }
    f->op = HET__OP_T_RESIZE;
    f->opset = 18;
    add_attr(f, "mode", HET__ATTR_STRING)->u.string = modes[pick(0, 2)];
    transform(f, ways, 5, "coordinate_transformation_mode");
    transform(f, nearest, 3, "nearest_mode");
    if (pick(0, 9) == 0)
        add_int(f, pick(0, 1) ? "antialias" : "exclude_outside", 1);
    add_input(f, input(r, HET_DTYPE_F32, rank, extent));
    const bool by_scale = pick(0, 1) || elements(rank, extent) == 0;
    scales_of(r, f, 2 * rank, region);
    if (by_scale) {
        scales_of(r, f, rank, scales);
        return;
    }
    add_input(f, HET__NO_VALUE);
    add_input(f, integers(r, rank, sizes));
}

static void upsample(rig *r, form *f)
{
    const float scales[4] = { 1, 1, (float)pick(1, 60), 2.5f };
    int64_t extent[4];
    f->op = HET__OP_T_UPSAMPLE;
    f->opset = 9;
    add_attr(f, "mode", HET__ATTR_STRING)->u.string = pick(0, 1) ? "nearest" : "linear";
    add_input(f, image(r, HET_DTYPE_F32, extent));
    scales_of(r, f, 4, scales);
}

/* Rows of every length below a few vectors and longer ones, along any axis, some of them with
 * infinities, some all of minus infinity. */
static void rows(rig *r, form *f)
{
    const bool is_long = pick(0, 3) == 0, are_many = !is_long && pick(0, 2) == 0;
    const int64_t extent[3] = { are_many ? 1 : pick(1, 4),
                                are_many ? pick(300, 2500) : pick(1, is_long ? 9 : 40),
                                is_long ? pick(37, 1100) : pick(1, 36) };
    const int64_t turned[3] = { extent[0], extent[2], extent[1] };
    const bool along = pick(0, 2) > 0;
    f->op = HET__OP_T_SOFTMAX;
    add_int(f, "axis", along ? 2 : 1);
    if (pick(0, 3)) {
        add_input(f, input(r, HET_DTYPE_F32, 3, along ? extent : turned));
        return;
    }
    const int64_t count = extent[0] * extent[1] * extent[2];
    float *x = het__arena_alloc(&r->graph.arena, (size_t)count * sizeof *x);
    fill(HET_DTYPE_F32, x, (size_t)count * sizeof *x);
    for (int64_t i = 0; i < count; i++) {
        const bool is_closed = i / extent[2] % 7 == 3; /* a row, if they lie along memory */
        x[i] = is_closed || pick(0, 5) == 0 ? -INFINITY : pick(0, 90) ? 30 * x[i] : INFINITY;
    }
    add_input(f, het__graph_const(&r->graph, "x", HET_DTYPE_F32, 3, along ? extent : turned, x));
}

/* Neighbouring axes, some of extent 1 between them; longer than tasks and partial sums. */
static void sums(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_REDUCE_MEAN, HET__OP_T_REDUCE_SUM,
                                   HET__OP_T_GLOBAL_AVERAGE_POOL };
    const uint32_t rank = (uint32_t)pick(2, 5), first = (uint32_t)pick(0, rank - 1);
    const uint32_t last = (uint32_t)pick(first, rank - 1), axes = last - first + 1;
    int64_t extent[5], list[5];
    f->op = ops[pick(0, 2)];
    for (uint32_t i = 0; i < rank; i++)
        extent[i] = pick(0, 3) ? pick(1, rank > 3 ? 5 : 12) : pick(0, 9) ? 1 : 0;
    if (pick(0, 2) == 0)
        extent[pick(0, rank - 1)] = pick(100, 400);
    add_input(f, input(r, HET_DTYPE_F32, rank, extent));
    if (f->op == HET__OP_T_GLOBAL_AVERAGE_POOL)
        return;
    for (uint32_t i = 0; i < axes; i++)
        list[i] = (int64_t)(first + i) - (pick(0, 1) ? (int64_t)rank : 0);
    if (pick(0, 3)) /* else all of them */
        add_input(f, integers(r, axes, list));
    add_int(f, "keepdims", pick(0, 1));
    if (pick(0, 9) == 0)
        add_int(f, "noop_with_empty_axes", 1);
}

static uint32_t scattered_indices(rig *r, uint32_t rank, const int64_t *shape, uint32_t depth,
                                  const int64_t *extent)
{
    const int64_t slices = elements(rank - 1, shape);
    const bool in_order = pick(0, 1); /* many of them are neighbours */
    int64_t *list = het__arena_alloc(&r->graph.arena, (size_t)(slices * depth + 1) * sizeof *list);
    const int64_t named = elements(depth, extent), start = named ? pick(0, named - 1) : 0;
    for (int64_t i = 0; i < slices; i++) {
        int64_t at = in_order ? (start + i) % named : pick(0, named - 1);
        for (uint32_t k = depth; k-- > 0; at /= extent[k])
            list[i * depth + k] = at % extent[k] - (pick(0, 3) ? 0 : extent[k]);
    }
    return het__graph_const(&r->graph, "i", HET_DTYPE_I64, rank, shape, list);
}

/* Slices of any size, in order and not, some named twice; of several tasks now and then. */
static void scatter(rig *r, form *f)
{
    const uint32_t rank = (uint32_t)pick(1, 4), depth = (uint32_t)pick(0, rank);
    const uint32_t lists = (uint32_t)pick(0, 2);
    const het_dtype dtype = pick_type();
    int64_t extent[4], shape[3], updates[8];
    for (uint32_t i = 0; i < rank; i++)
        extent[i] = pick(0, 2) ? pick(1, 9) : pick(10, 40);
    for (uint32_t i = 0; i < lists; i++)
        updates[i] = shape[i] = pick(0, 20) ? pick(1, 20) : 0;
    shape[lists] = depth;
    for (uint32_t i = depth; i < rank; i++)
        updates[lists + i - depth] = extent[i];
    f->op = HET__OP_T_SCATTER_ND;
    if (pick(0, 9) == 0 && dtype != HET_DTYPE_U8)
        add_attr(f, "reduction", HET__ATTR_STRING)->u.string = pick(0, 1) ? "max" : "none";
    const bool given = dtype == HET_DTYPE_F32 && pick(0, 3) == 0;
    add_input(f, given ? constant(r, rank, extent) : input(r, dtype, rank, extent));
    add_input(f, scattered_indices(r, lists + 1, shape, depth, extent));
    add_input(f, given && pick(0, 1) ? constant(r, lists + rank - depth, updates)
                                     : input(r, dtype, lists + rank - depth, updates));
}

/* An index behind the end is refused when it is run, as without a kernel. */
static void scatter_outside(void)
{
    static const int64_t indices[2] = { 1, 3 };
    const int64_t extent[2] = { 3, 5 }, two[2] = { 2, 1 }, updates[2] = { 2, 5 };
    het_error err = HET_ERROR_INIT;
    rig r;
    rig_open(&r, "cpu_onednn");
    const uint32_t in[3] = { input(&r, HET_DTYPE_F32, 2, extent),
                             het__graph_const(&r.graph, "i", HET_DTYPE_I64, 2, two, indices),
                             input(&r, HET_DTYPE_F32, 2, updates) };
    const het__attr_list list = { .opset = 18 };
    const uint32_t out = het__graph_tensor_node(&r.graph, HET__OP_T_SCATTER_ND, "scatter", in, 3, 1,
                                                &list);
    if (infer(&r, out, 1) && rig_compile(&r)) {
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_E_INVALID);
        CHECK(strstr(err.message, "outside") != NULL);
    }
    rig_close(&r);
}

static const case_fn cpu_cases[] = { recurrent, resized, upsample, rows, sums, scatter };

/* Every allocation of compiling fails once: that is said, and nothing is left. */
static void short_of_memory(case_fn make)
{
    counting_allocator count = { 0 };
    const het_allocator allocator = counting_allocator_of(&count);
    het_error err = HET_ERROR_INIT;
    het_status status = HET_E_NOMEM;
    uint32_t first;
    form f;
    rig r;
    rig_init(&r, "cpu_onednn");
    het__mem_init(&r.mem, &allocator);
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    if (build(&r, make, &f, &first) && rig_compile(&r)) {
        r.backend->release(r.device, r.program);
        for (uint64_t n = 1; status == HET_E_NOMEM && n < 1000; n++) {
            const int64_t before = count.blocks;
            r.program = NULL;
            err = (het_error)HET_ERROR_INIT;
            counting_allocator_fail(&count, n);
            status = rig_compile_slice(&r, &err);
            CHECK_INT(count.failed, status != HET_OK);
            if (status != HET_OK) {
                CHECK_INT(status, HET_E_NOMEM);
                CHECK(err.message[0] != '\0');
                CHECK_INT(count.blocks, before);
            }
        }
        CHECK_INT(status, HET_OK);
    }
    counting_allocator_fail(&count, 0);
    rig_close(&r);
}

static void compare_all(const case_fn *cases, size_t count, int times)
{
    for (const het__cpu_level *const *l = het__cpu_levels(); *l; l++) {
        setenv("HETINFER_CPU_LEVEL", (*l)->name, 1);
        for (size_t c = 0; c < count; c++)
            for (int i = 0; i < times; i++)
                compare(cases[c], (*l)->name);
    }
}

int main(void)
{
    compare_all(tensor_cases, sizeof tensor_cases / sizeof tensor_cases[0], 60);
    compare_all(cpu_cases, sizeof cpu_cases / sizeof cpu_cases[0], 25);
    scatter_outside();
    for (size_t c = 0; c < sizeof cpu_cases / sizeof cpu_cases[0]; c++)
        for (int i = 0; i < 10; i++)
            short_of_memory(cpu_cases[c]);
    return test_finish();
}

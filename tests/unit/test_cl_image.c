/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, pools and changes of layout on OpenCL against the reference device, on random
 * windows, plain and in blocks of any size: floats nearly, codes of eight bits to the bit. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>

#include "cl_case.h"

static uint64_t seed = 4;

static int32_t pick(int32_t first, int32_t last)
{
    return first + (int32_t)(test_random(&seed) % (uint64_t)(last - first + 1));
}

typedef struct shape {
    het__op op;
    int64_t batch, height, width;
    het__image_attrs attrs;
    het_dtype type; /* of the input */
    bool bias;
} shape;

static bool is_float(const shape *s)
{
    return s->type == HET_DTYPE_F32;
}

/* The least code of a random type. */
static int32_t random_code(het_dtype *type)
{
    *type = pick(0, 1) ? HET_DTYPE_U8 : HET_DTYPE_I8;
    return *type == HET_DTYPE_I8 ? -128 : 0;
}

static void random_window(shape *s)
{
    het__image_attrs *a = &s->attrs;
    for (int i = 0; i < 2; i++) {
        a->kernel[i] = pick(1, 4);
        a->stride[i] = pick(1, 3);
        a->dilation[i] = pick(1, 2);
        const int32_t reach = (a->kernel[i] - 1) * a->dilation[i];
        a->pad_begin[i] = pick(0, reach);
        a->pad_end[i] = pick(0, reach);
        const int64_t size = reach + 1 + pick(0, 14);
        if (i == 0)
            s->height = size;
        else
            s->width = size;
    }
    if (pick(0, 3) == 0) { /* pointwise, as most convolutions are */
        a->kernel[0] = a->kernel[1] = a->stride[0] = a->stride[1] = 1;
        memset(a->pad_begin, 0, sizeof a->pad_begin);
        memset(a->pad_end, 0, sizeof a->pad_end);
    }
}

static int32_t random_block(void)
{
    static const int32_t blocks[] = { 16, 16, 8, 4, 3 };
    return blocks[pick(0, 4)];
}

static void random_channels(het__image_attrs *a, int32_t block)
{
    a->groups = 1;
    switch (pick(0, 5)) {
    case 0: /* a picture */
        a->channels_in = pick(1, 4);
        a->channels_out = pick(1, 40);
        a->block_out = block;
        break;
    case 1: /* depthwise */
        a->groups = a->channels_in = a->channels_out = pick(2, 40);
        a->block_in = a->block_out = pick(0, 2) ? block : 0;
        break;
    case 2: /* groups of whole blocks */
        a->groups = pick(2, 3);
        a->channels_in = a->groups * block * pick(1, 2);
        a->channels_out = a->groups * block * pick(1, 3);
        a->block_in = a->block_out = block;
        break;
    case 3: /* plain, any groups */
        a->groups = pick(1, 3);
        a->channels_in = a->groups * pick(1, 5);
        a->channels_out = a->groups * pick(1, 12);
        break;
    case 4: /* groups across blocks */
        a->groups = pick(2, 3);
        a->channels_in = a->groups * pick(2, 7);
        a->channels_out = a->groups * pick(1, 7);
        a->block_in = a->block_out = block;
        break;
    default:
        a->channels_in = pick(5, 40);
        a->channels_out = pick(1, 70);
        a->block_in = a->block_out = pick(0, 2) ? block : 0;
        break;
    }
}

static shape random_conv(bool codes)
{
    shape s = { .op = codes ? HET__OP_QCONV : HET__OP_CONV, .batch = pick(1, 2),
                .type = HET_DTYPE_F32, .bias = pick(0, 1) != 0 };
    het__image_attrs *a = &s.attrs;
    random_window(&s);
    random_channels(a, random_block());
    if (!codes) {
        a->residual = pick(0, 2) == 0;
        a->act = (het__act){ (het__act_kind)pick(0, HET__ACT_COUNT - 1), 0.3f, 0.6f };
        return s;
    }
    const int32_t in_low = random_code(&s.type), low = random_code(&a->type);
    a->zero_in = pick(in_low, in_low + 255);
    a->zero_out = pick(low, low + 255);
    a->least = pick(0, 1) ? low : pick(low, a->zero_out);
    a->most = pick(0, 1) ? low + 255 : pick(a->zero_out, low + 255);
    return s;
}

static shape random_pool(void)
{
    shape s = { .op = HET__OP_POOL, .batch = pick(1, 2), .type = HET_DTYPE_F32 };
    random_window(&s);
    s.attrs.groups = 1;
    s.attrs.channels_in = s.attrs.channels_out = pick(1, 40);
    s.attrs.block_in = s.attrs.block_out = pick(0, 1) ? random_block() : 0;
    if (pick(0, 2) == 0) {
        random_code(&s.type);
        return s;
    }
    s.attrs.mean = pick(0, 1) != 0;
    s.attrs.count_padding = pick(0, 1) != 0;
    if (pick(0, 3) == 0)
        s.attrs.act = (het__act){ HET__ACT_HARD_SWISH, 0, 0 };
    return s;
}

static shape random_layout(void)
{
    const bool packs = pick(0, 1) != 0;
    const int32_t block = random_block();
    shape s = { .op = packs ? HET__OP_BLOCK : HET__OP_UNBLOCK, .batch = pick(1, 3),
                .height = pick(1, 20), .width = pick(1, 20), .type = HET_DTYPE_F32 };
    s.attrs.groups = 1;
    s.attrs.channels_in = s.attrs.channels_out = pick(1, 40);
    s.attrs.block_in = packs ? 0 : block;
    s.attrs.block_out = packs ? block : 0;
    if (pick(0, 1))
        random_code(&s.type);
    return s;
}

/* ---- running ---- */

static void output_size(const shape *s, int64_t size[2])
{
    const het__image_attrs *a = &s->attrs;
    for (int i = 0; i < 2; i++) {
        size[i] = i ? s->width : s->height;
        if (s->op != HET__OP_BLOCK && s->op != HET__OP_UNBLOCK)
            size[i] = (size[i] + a->pad_begin[i] + a->pad_end[i] -
                       (a->kernel[i] - 1) * a->dilation[i] - 1) / a->stride[i] + 1;
    }
}

static uint32_t image_value(rig *r, const char *name, const shape *s, int32_t channels,
                            int32_t block, int64_t height, int64_t width)
{
    const int64_t last = block ? block : 1;
    const het__extent extent[5] = {
        { s->batch, HET__SYM_ONE }, { (channels + last - 1) / last, HET__SYM_ONE },
        { height, HET__SYM_ONE }, { width, HET__SYM_ONE }, { block, HET__SYM_ONE } };
    return het__graph_value(&r->graph, name, HET__VALUE_INPUT, s->type, block ? 5 : 4, extent);
}

/* Codes of all values, biases of 20 bits, numbers of about that reach. */
static uint32_t constant(rig *r, het_dtype dtype, uint32_t rank, const int64_t *extent,
                         float reach)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < rank; i++)
        count *= extent[i];
    char *data = het__arena_alloc(&r->graph.arena, (size_t)count * 4);
    for (int64_t i = 0; data && i < count; i++) {
        const int32_t bias = pick(-500000, 500000);
        const float x = reach * test_random_float(&seed);
        if (dtype == HET_DTYPE_I8)
            data[i] = (char)pick(-128, 127);
        else
            memcpy(data + 4 * i, dtype == HET_DTYPE_I32 ? (const void *)&bias : &x, 4);
    }
    return het__graph_const(&r->graph, "w", dtype, rank, extent, data);
}

static uint32_t build(rig *r, const shape *s)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t w[4] = { a->channels_out, a->channels_in / a->groups, a->kernel[0],
                           a->kernel[1] };
    uint32_t in[4] = { HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE }, count = 1;
    const het__attrs attrs = { .image = *a };
    int64_t size[2];
    het_error err = HET_ERROR_INIT;
    in[0] = image_value(r, "x", s, a->channels_in, a->block_in, s->height, s->width);
    output_size(s, size);
    if (s->op == HET__OP_CONV) {
        in[1] = constant(r, HET_DTYPE_F32, 4, w, 1);
        if (s->bias)
            in[2] = constant(r, HET_DTYPE_F32, 1, w, 1);
        if (a->residual)
            in[3] = image_value(r, "r", s, a->channels_out, a->block_out, size[0], size[1]);
        count = 4;
    } else if (s->op == HET__OP_QCONV) {
        in[1] = constant(r, HET_DTYPE_I8, 4, w, 0);
        in[2] = constant(r, HET_DTYPE_F32, 1, w, 0.02f / sqrtf((float)(w[1] * w[2] * w[3])));
        if (s->bias)
            in[3] = constant(r, HET_DTYPE_I32, 1, w, 0);
        count = 4;
    }
    const uint32_t out = het__graph_node(&r->graph, s->op, 0, "image", in, count, &attrs, &err);
    if (out == HET__NO_VALUE)
        TEST_FAIL("%s", err.message);
    else
        r->graph.values[out].kind = HET__VALUE_OUTPUT;
    return out;
}

static void fill_inputs(rig *r)
{
    for (uint32_t v = 0; v < r->graph.value_count; v++) {
        if (r->graph.values[v].kind != HET__VALUE_INPUT)
            continue;
        const size_t bytes = rig_bytes(r, v, r->symbols);
        unsigned char *data = malloc(bytes + 1);
        for (size_t i = 0; i < bytes; i++)
            data[i] = (unsigned char)pick(0, 255);
        for (size_t i = 0; r->graph.values[v].dtype == HET_DTYPE_F32 && i + 4 <= bytes; i += 4) {
            const float x = test_random_float(&seed);
            memcpy(data + i, &x, sizeof x);
        }
        cl_give(r, v, data, bytes);
        free(data);
    }
}

/* The output's bytes, to be freed. */
static unsigned char *run(const char *backend, const shape *s, uint64_t start, size_t *bytes)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    unsigned char *result = NULL;
    char reason[128] = "";
    seed = start;
    rig_init(&r, backend);
    r.host.use_env = true;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    const uint32_t out = build(&r, s);
    if (out != HET__NO_VALUE &&
        !r.backend->supports(&r.graph, &r.graph.nodes[0], reason, sizeof reason))
        TEST_FAIL("%s refuses: %s", backend, reason);
    if (out != HET__NO_VALUE && rig_compile(&r)) {
        fill_inputs(&r);
        rig_run(&r);
        *bytes = rig_bytes(&r, out, r.symbols);
        result = malloc(*bytes + 1);
        cl_take(&r, out, result, *bytes);
    }
    rig_close(&r);
    return result;
}

/* Not in the padding of a last block. */
static bool is_real(const shape *s, int64_t i)
{
    const het__image_attrs *a = &s->attrs;
    int64_t size[2];
    if (!a->block_out)
        return true;
    output_size(s, size);
    const int64_t blocks = (a->channels_out + a->block_out - 1) / a->block_out;
    const int64_t block = i / (size[0] * size[1] * a->block_out) % blocks;
    return block * a->block_out + i % a->block_out < a->channels_out;
}

static void compare(const shape *s)
{
    size_t bytes = 0;
    const uint64_t start = seed;
    unsigned char *want = run("ref", s, start, &bytes), *got = run("opencl_igpu", s, start, &bytes);
    const bool floats = is_float(s) && s->op != HET__OP_QCONV;
    double worst = 0, largest = 1;
    for (size_t i = 0; want && got && i < bytes / (floats ? 4 : 1); i++) {
        if (!is_real(s, (int64_t)i))
            continue;
        float x = want[i], y = got[i];
        if (floats) {
            memcpy(&x, want + 4 * i, 4);
            memcpy(&y, got + 4 * i, 4);
        }
        const double d = fabs((double)x - (double)y);
        worst = d > worst || isnan(d) ? d : worst;
        largest = fabs((double)x) > largest ? fabs((double)x) : largest;
    }
    const het__image_attrs *a = &s->attrs;
    if (!(worst <= (floats ? 1e-5 * largest : 0)))
        TEST_FAIL("operation %d of %s, channels %d to %d in %d groups, blocks %d to %d, window "
                  "%dx%d, activation %d: off by %g where values reach %g",
                  (int)s->op, het_dtype_name(s->type), a->channels_in, a->channels_out, a->groups,
                  a->block_in, a->block_out, a->kernel[0], a->kernel[1], (int)a->act.kind, worst,
                  largest);
    free(want);
    free(got);
}

/* ---- tables ---- */

static void maps_codes(void)
{
    unsigned char x[99], table[256], got[99];
    const int64_t entries = 256;
    const het__extent extent = { sizeof x, HET__SYM_ONE };
    rig r;
    het_error err = HET_ERROR_INIT;
    for (size_t i = 0; i < sizeof x; i++)
        x[i] = (unsigned char)pick(0, 255);
    for (size_t i = 0; i < sizeof table; i++)
        table[i] = (unsigned char)pick(0, 255);
    rig_init(&r, "opencl_igpu");
    r.host.use_env = true;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    const uint32_t in[2] = {
        het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_I8, 1, &extent),
        het__graph_const(&r.graph, "t", HET_DTYPE_U8, 1, &entries, table) };
    const het__attrs attrs = { .map = { HET_DTYPE_U8 } };
    const uint32_t out = het__graph_node(&r.graph, HET__OP_QMAP, 0, "map", in, 2, &attrs, &err);
    CHECK(out != HET__NO_VALUE);
    if (out != HET__NO_VALUE && rig_compile(&r)) {
        cl_give(&r, in[0], x, sizeof x);
        rig_run(&r);
        cl_take(&r, out, got, sizeof got);
        for (size_t i = 0; i < sizeof x; i++)
            CHECK_INT(got[i], table[x[i]]);
    }
    rig_close(&r);
}

int main(int argc, char **argv)
{
    const int times = argc > 1 ? atoi(argv[1]) : 8;
    cl_find();
    for (int gpu = 0; gpu < 2; gpu++) {
        cl_be_gpu(gpu);
        for (int i = 0; i < times; i++) {
            const shape conv = random_conv(false), codes = random_conv(true);
            compare(&conv);
            compare(&codes);
        }
        for (int i = 0; i < times / 2; i++) {
            const shape pool = random_pool(), layout = random_layout();
            compare(&pool);
            compare(&layout);
        }
        maps_codes();
    }
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Images: random windows, plain and in blocks of channels, of F32 and of codes; general products.
 * Codes must agree to the bit. */
#include "cts.h"

#include <math.h>

#define CASES 24 /* of each kind and block */

static int32_t pick(int32_t low, int32_t high)
{
    return (int32_t)cts_between(low, high);
}

typedef struct shape {
    het__op op;
    int64_t batch, size[2];
    het__image_attrs attrs;
    het_dtype type; /* of the input */
    bool bias;
} shape;

static void random_window(shape *s)
{
    het__image_attrs *a = &s->attrs;
    const bool is_pointwise = pick(0, 3) == 0;
    for (int i = 0; i < 2; i++) {
        a->kernel[i] = is_pointwise ? 1 : pick(1, 5);
        a->stride[i] = is_pointwise ? 1 : pick(1, 3);
        a->dilation[i] = pick(1, 2);
        const int32_t reach = (a->kernel[i] - 1) * a->dilation[i];
        a->pad_begin[i] = pick(0, reach);
        a->pad_end[i] = pick(0, reach);
        s->size[i] = reach + 1 + pick(0, 20);
    }
}

static void random_channels(shape *s, int32_t lanes)
{
    het__image_attrs *a = &s->attrs;
    a->groups = 1;
    a->block_in = a->block_out = lanes;
    switch (pick(0, 4)) {
    case 0: /* a picture */
        a->channels_in = pick(1, 4);
        a->channels_out = pick(1, 70);
        a->block_in = 0;
        break;
    case 1: /* depthwise */
        a->groups = a->channels_in = a->channels_out = pick(2, 40);
        break;
    case 2: /* groups of whole blocks */
        a->groups = pick(2, 3);
        a->channels_in = a->groups * lanes * pick(1, 2);
        a->channels_out = a->groups * lanes * pick(1, 3);
        break;
    case 3: /* plain, any groups */
        a->groups = pick(1, 3);
        a->channels_in = a->groups * pick(1, 5);
        a->channels_out = a->groups * pick(1, 5);
        a->block_in = a->block_out = 0;
        break;
    default:
        a->channels_in = pick(5, 40);
        a->channels_out = pick(1, 70);
    }
}

/* The least code of a random type. */
static int32_t random_type(het_dtype *type)
{
    *type = pick(0, 1) ? HET_DTYPE_I8 : HET_DTYPE_U8;
    return *type == HET_DTYPE_I8 ? -128 : 0;
}

static void random_codes(shape *s)
{
    het__image_attrs *a = &s->attrs;
    const int32_t low_in = random_type(&s->type), low = random_type(&a->type);
    a->zero_in = pick(low_in, low_in + 255);
    a->zero_out = pick(low, low + 255);
    a->least = pick(0, 1) ? low : pick(low, a->zero_out);
    a->most = pick(0, 1) ? low + 255 : pick(a->zero_out, low + 255);
}

static uint32_t image_value(cts_case *c, const char *name, het_dtype type, int64_t batch,
                            int32_t channels, int32_t block, const int64_t *size)
{
    const int64_t last = block ? block : 1;
    const int64_t extent[5] = { batch, (channels + last - 1) / last, size[0], size[1], block };
    return cts_input(c, name, type, block ? 5 : 4, extent);
}

static void out_size(const shape *s, int64_t size[2])
{
    const het__image_attrs *a = &s->attrs;
    for (int i = 0; i < 2; i++)
        size[i] = (s->size[i] + a->pad_begin[i] + a->pad_end[i] -
                   (a->kernel[i] - 1) * a->dilation[i] - 1) / a->stride[i] + 1;
}

static bool full_range(const cts_case *c, uint32_t step, uint32_t value, void *data, size_t bytes)
{
    const het_dtype type = c->graph.values[value].dtype;
    (void)step;
    if (type != HET_DTYPE_I8 && type != HET_DTYPE_U8)
        return false;
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)data)[i] = (uint8_t)cts_between(0, 255);
    return true;
}

static uint32_t conv_factors(cts_case *c, const shape *s, int64_t terms)
{
    const int64_t count = s->attrs.channels_out;
    float *x = cts_bytes(c, (size_t)count * sizeof *x);
    for (int64_t i = 0; i < count; i++)
        x[i] = 0.005f * (1 + 0.5f * cts_random()) / sqrtf((float)terms);
    return cts_constant(c, HET_DTYPE_F32, 1, &count, x);
}

static uint32_t code_constant(cts_case *c, uint32_t rank, const int64_t *extent)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < rank; i++)
        count *= extent[i];
    int8_t *x = cts_bytes(c, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        x[i] = (int8_t)cts_between(-127, 127);
    return cts_constant(c, HET_DTYPE_I8, rank, extent, x);
}

/* Of products of numbers in -2 to 2, whose variance is 16/9: three deviations. */
static double largest_sum(int64_t terms)
{
    return 4 * sqrt((double)terms);
}

static void run_shape(const shape *s, const char *what)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t w[4] = { a->channels_out, a->channels_in / a->groups, a->kernel[0],
                           a->kernel[1] };
    const int64_t terms = w[1] * w[2] * w[3];
    cts_case *c = cts_begin(het__op_info_of(s->op)->name,
                            "%s %dx%d, %d to %d channels, %d groups, blocks %d %d, act %d%s%s",
                            het_dtype_name(s->type), (int)s->size[0], (int)s->size[1],
                            a->channels_in, a->channels_out, a->groups, a->block_in, a->block_out,
                            (int)a->act.kind, a->residual ? ", residual" : "", what);
    uint32_t in[4] = { HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE }, count = 1;
    if (!c)
        return;
    c->fill = full_range;
    c->tolerance = cts_tolerance(s->op, terms, HET_DTYPE_NONE, false);
    c->magnitude = s->op == HET__OP_CONV ? largest_sum(terms) : 0;
    in[0] = image_value(c, "x", s->type, s->batch, a->channels_in, a->block_in, s->size);
    if (s->op == HET__OP_CONV) {
        int64_t size[2];
        out_size(s, size);
        count = 4;
        in[1] = cts_weight(c, HET_DTYPE_F32, 4, w);
        in[2] = s->bias ? cts_vector(c, w[0], 0) : HET__NO_VALUE;
        if (a->residual)
            in[3] = image_value(c, "r", s->type, s->batch, a->channels_out, a->block_out, size);
    }
    if (s->op == HET__OP_QCONV) {
        count = 4;
        in[1] = code_constant(c, 4, w);
        in[2] = conv_factors(c, s, terms);
        if (s->bias) {
            int32_t *bias = cts_bytes(c, (size_t)w[0] * sizeof *bias);
            for (int64_t i = 0; i < w[0]; i++)
                bias[i] = (int32_t)cts_between(-5000, 5000);
            in[3] = cts_constant(c, HET_DTYPE_I32, 1, w, bias);
        }
    }
    cts_node(c, s->op, in, count, &(het__attrs){ .image = *a });
    cts_check(c);
}

static void conv(int32_t lanes, bool codes)
{
    shape s = { .op = codes ? HET__OP_QCONV : HET__OP_CONV, .batch = pick(1, 2),
                .bias = pick(0, 1) != 0, .type = HET_DTYPE_F32 };
    random_window(&s);
    random_channels(&s, lanes);
    if (codes) {
        random_codes(&s);
    } else {
        s.attrs.residual = pick(0, 2) == 0;
        s.attrs.act = (het__act){ (het__act_kind)pick(0, HET__ACT_COUNT - 1), 0.3f, 0.6f };
    }
    run_shape(&s, s.bias ? ", bias" : "");
}

static void pool(int32_t lanes, bool codes)
{
    shape s = { .op = HET__OP_POOL, .batch = pick(1, 2), .type = HET_DTYPE_F32 };
    random_window(&s);
    s.attrs.groups = 1;
    s.attrs.channels_in = s.attrs.channels_out = pick(1, 40);
    s.attrs.block_in = s.attrs.block_out = pick(0, 1) ? lanes : 0;
    if (codes) {
        random_type(&s.type);
    } else {
        s.attrs.mean = pick(0, 1) != 0;
        s.attrs.count_padding = pick(0, 1) != 0;
    }
    run_shape(&s, s.attrs.mean ? ", mean" : ", max");
}

static void layout(int32_t lanes, bool codes)
{
    const bool packs = pick(0, 1) != 0;
    shape s = { .op = packs ? HET__OP_BLOCK : HET__OP_UNBLOCK, .batch = pick(1, 3),
                .size = { pick(1, 20), pick(1, 20) }, .type = HET_DTYPE_F32 };
    for (int i = 0; i < 2; i++)
        s.attrs.kernel[i] = s.attrs.stride[i] = s.attrs.dilation[i] = 1;
    s.attrs.groups = 1;
    s.attrs.channels_in = s.attrs.channels_out = pick(1, 40);
    s.attrs.block_in = packs ? 0 : lanes;
    s.attrs.block_out = packs ? lanes : 0;
    if (codes)
        random_type(&s.type);
    run_shape(&s, "");
}

static void qmap(void)
{
    het_dtype from, to;
    random_type(&from);
    random_type(&to);
    cts_case *c = cts_begin("qmap", "%s to %s", het_dtype_name(from), het_dtype_name(to));
    if (!c)
        return;
    const int64_t extent[3] = { 3, cts_between(1, 50), cts_between(1, 50) }, entries = 256;
    uint8_t *table = cts_bytes(c, 256);
    for (int i = 0; i < 256; i++)
        table[i] = (uint8_t)cts_between(0, 255);
    c->fill = full_range;
    const uint32_t in[2] = { cts_input(c, "x", from, 3, extent),
                             cts_constant(c, to, 1, &entries, table) };
    cts_node(c, HET__OP_QMAP, in, 2, &(het__attrs){ .map = { to } });
    cts_check(c);
}

/* [batch.., M, K] by [batch.. or none, K, N], either way round, constant or not. */
static void matmul(void)
{
    const int64_t m = cts_between(1, 40), k = cts_between(1, 130), n = cts_between(1, 70);
    const int64_t batch = cts_between(1, 3);
    const bool shared = pick(0, 1), turned = pick(0, 1), constant = pick(0, 1);
    cts_case *c = cts_begin("matmul", "%d x %d x %d x %d%s%s%s", (int)batch, (int)m, (int)k, (int)n,
                            shared ? ", one b" : "", turned ? ", transposed" : "",
                            constant ? ", constant" : "");
    if (!c)
        return;
    const int64_t a[3] = { batch, m, k }, out[3] = { batch, m, n };
    const int64_t b[3] = { batch, turned ? n : k, turned ? k : n };
    const uint32_t rank = shared ? 2 : 3;
    c->tolerance = cts_tolerance(HET__OP_MATMUL, k, HET_DTYPE_NONE, false);
    c->magnitude = 0.7 * largest_sum(k);
    const uint32_t in[4] = {
        cts_input(c, "a", HET_DTYPE_F32, 3, a),
        constant ? cts_weight(c, HET_DTYPE_F32, rank, b + shared)
                 : cts_input(c, "b", HET_DTYPE_F32, rank, b + shared),
        pick(0, 1) ? cts_vector(c, n, 0) : HET__NO_VALUE,
        pick(0, 1) ? cts_input(c, "r", HET_DTYPE_F32, 3, out) : HET__NO_VALUE,
    };
    const het__act act = { (het__act_kind)pick(0, HET__ACT_COUNT - 1), 0.3f, 0.6f };
    const het__attrs attrs = { .matmul = { turned, 0.7f, act } };
    cts_node(c, HET__OP_MATMUL, in, 4, &attrs);
    cts_check(c);
}

/* A device that likes blocks of some width takes no others. */
void cts_images(void)
{
    const het__backend *b = cts.exact.backend;
    const int32_t own = b->image_block ? b->image_block(&cts.host) : 0;
    for (int32_t width = 8; width <= 16; width *= 2)
        for (int codes = 0; codes < 2; codes++)
            for (int i = 0; i < CASES; i++) {
                const int32_t lanes = own ? own : width;
                cts.seed = (uint64_t)(width * 1000 + codes * 500 + i) * 2654435761u + 1;
                conv(lanes, codes);
                pool(lanes, codes);
                if (i % 3 == 0)
                    layout(lanes, codes);
            }
    for (int i = 0; i < CASES; i++) {
        cts.seed = (uint64_t)(5000 + i) * 2654435761u;
        matmul();
        if (i % 6 == 0)
            qmap();
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, pools and changes of layout: the CPU backend against the reference device on random
 * windows, plain and blocked, at every level, with the same bits for one thread and for three. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>

#include "backends/cpu_onednn/image_math.h"
#include "backends/cpu_onednn/matmul.h"
#include "rig.h"

static uint64_t seed = 4;

static int32_t pick(int32_t first, int32_t last)
{
    return first + (int32_t)(test_random(&seed) % (uint64_t)(last - first + 1));
}

typedef struct shape {
    het__op op;
    int64_t batch, height, width;
    het__image_attrs attrs;
    bool bias;
} shape;

static void random_window(shape *s)
{
    het__image_attrs *a = &s->attrs;
    for (int i = 0; i < 2; i++) {
        a->kernel[i] = pick(1, 5);
        a->stride[i] = pick(1, 3);
        a->dilation[i] = pick(1, 2);
        const int32_t reach = (a->kernel[i] - 1) * a->dilation[i];
        a->pad_begin[i] = pick(0, reach);
        a->pad_end[i] = pick(0, reach);
        const int64_t size = reach + 1 + pick(0, 24);
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

static shape random_conv(int32_t lanes)
{
    shape s = { .op = HET__OP_CONV, .batch = pick(1, 2), .bias = pick(0, 1) != 0 };
    het__image_attrs *a = &s.attrs;
    random_window(&s);
    a->groups = 1;
    switch (pick(0, 4)) {
    case 0: /* a picture */
        a->channels_in = pick(1, 4);
        a->channels_out = pick(1, 70);
        a->block_out = lanes;
        break;
    case 1: /* depthwise */
        a->groups = a->channels_in = a->channels_out = pick(2, 40);
        a->block_in = a->block_out = lanes;
        break;
    case 2: /* groups of whole blocks */
        a->groups = pick(2, 3);
        a->channels_in = a->groups * lanes * pick(1, 2);
        a->channels_out = a->groups * lanes * pick(1, 5);
        a->block_in = a->block_out = lanes;
        break;
    case 3: /* plain, any groups */
        a->groups = pick(1, 3);
        a->channels_in = a->groups * pick(1, 5);
        a->channels_out = a->groups * pick(1, 5);
        break;
    default:
        a->channels_in = pick(5, 40);
        a->channels_out = pick(1, 100);
        a->block_in = a->block_out = lanes;
        break;
    }
    a->residual = pick(0, 2) == 0;
    a->act = (het__act){ (het__act_kind)pick(0, HET__ACT_COUNT - 1), 0.3f, 0.6f };
    return s;
}

static shape random_pool(int32_t lanes)
{
    shape s = { .op = HET__OP_POOL, .batch = pick(1, 2) };
    random_window(&s);
    s.attrs.groups = 1;
    s.attrs.channels_in = s.attrs.channels_out = pick(1, 40);
    s.attrs.block_in = s.attrs.block_out = pick(0, 1) ? lanes : 0;
    s.attrs.mean = pick(0, 1) != 0;
    s.attrs.count_padding = pick(0, 1) != 0;
    return s;
}

static shape random_layout(int32_t lanes)
{
    const bool packs = pick(0, 1) != 0;
    shape s = { .op = packs ? HET__OP_BLOCK : HET__OP_UNBLOCK, .batch = pick(1, 3),
                .height = pick(1, 20), .width = pick(1, 20) };
    s.attrs.groups = 1;
    s.attrs.channels_in = s.attrs.channels_out = pick(1, 40);
    s.attrs.block_in = packs ? 0 : lanes;
    s.attrs.block_out = packs ? lanes : 0;
    return s;
}

static uint32_t image_value(rig *r, const char *name, const shape *s, int32_t channels,
                            int32_t block, int64_t height, int64_t width)
{
    const int64_t last = block ? block : 1;
    const het__extent extent[5] = {
        { s->batch, HET__SYM_ONE }, { (channels + last - 1) / last, HET__SYM_ONE },
        { height, HET__SYM_ONE }, { width, HET__SYM_ONE }, { block, HET__SYM_ONE } };
    return het__graph_value(&r->graph, name, HET__VALUE_INPUT, HET_DTYPE_F32, block ? 5 : 4,
                            extent);
}

static uint32_t constant(rig *r, uint32_t rank, const int64_t *extent)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < rank; i++)
        count *= extent[i];
    float *x = het__arena_alloc(&r->graph.arena, (size_t)count * sizeof *x);
    for (int64_t i = 0; x && i < count; i++)
        x[i] = test_random_float(&seed);
    return het__graph_const(&r->graph, "w", HET_DTYPE_F32, rank, extent, x);
}

/* The node; out receives its output. x and residual are made first. */
static uint32_t build(rig *r, const shape *s)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t w[4] = { a->channels_out, a->channels_in / a->groups, a->kernel[0],
                           a->kernel[1] };
    uint32_t in[4] = { HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE };
    const het__attrs attrs = { .image = *a };
    het_error err = HET_ERROR_INIT;
    in[0] = image_value(r, "x", s, a->channels_in, a->block_in, s->height, s->width);
    if (s->op == HET__OP_CONV) {
        if (a->residual) {
            int64_t size[2];
            for (int i = 0; i < 2; i++)
                size[i] = ((i ? s->width : s->height) + a->pad_begin[i] + a->pad_end[i] -
                           (a->kernel[i] - 1) * a->dilation[i] - 1) / a->stride[i] + 1;
            in[3] = image_value(r, "r", s, a->channels_out, a->block_out, size[0], size[1]);
        }
        in[1] = constant(r, 4, w);
        if (s->bias)
            in[2] = constant(r, 1, w);
    }
    const uint32_t out = het__graph_node(&r->graph, s->op, 0, "image", in,
                                         s->op == HET__OP_CONV ? 4 : 1, &attrs, &err);
    if (out == HET__NO_VALUE)
        TEST_FAIL("%s", err.message);
    else
        r->graph.values[out].kind = HET__VALUE_OUTPUT;
    return out;
}

/* Runs on a device; the output's elements, to be freed. */
static float *run(const char *backend, uint32_t threads, const shape *s, uint64_t start,
                  size_t *count)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    float *result = NULL;
    seed = start;
    rig_init(&r, backend);
    r.options.threads = threads;
    r.host.use_env = true;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    const uint32_t out = build(&r, s);
    if (out != HET__NO_VALUE && rig_compile(&r)) {
        for (uint32_t v = 0; v < r.graph.value_count; v++) {
            if (r.graph.values[v].kind != HET__VALUE_INPUT)
                continue;
            float *x = rig_data(&r, v);
            for (size_t i = 0; i < rig_bytes(&r, v, r.symbols) / 4; i++)
                x[i] = test_random_float(&seed);
        }
        rig_run(&r);
        *count = rig_bytes(&r, out, r.symbols) / sizeof *result;
        result = malloc(*count * sizeof *result + 1);
        memcpy(result, rig_data(&r, out), *count * sizeof *result);
    }
    rig_close(&r);
    return result;
}

/* Not in the padding of a last block. */
static bool is_real(const shape *s, int64_t i)
{
    const het__image_attrs *a = &s->attrs;
    if (!a->block_out)
        return true;
    const int64_t reach[2] = { (a->kernel[0] - 1) * a->dilation[0] + 1,
                               (a->kernel[1] - 1) * a->dilation[1] + 1 };
    int64_t places = s->height * s->width;
    if (s->op == HET__OP_CONV || s->op == HET__OP_POOL)
        places = ((s->height + a->pad_begin[0] + a->pad_end[0] - reach[0]) / a->stride[0] + 1) *
                 ((s->width + a->pad_begin[1] + a->pad_end[1] - reach[1]) / a->stride[1] + 1);
    const int64_t blocks = (a->channels_out + a->block_out - 1) / a->block_out;
    const int64_t block = i / (places * a->block_out) % blocks;
    return block * a->block_out + i % a->block_out < a->channels_out;
}

static void compare(const shape *s, const char *level)
{
    size_t n = 0;
    const uint64_t start = seed;
    float *want = run("ref", 1, s, start, &n), *one = run("cpu_onednn", 1, s, start, &n);
    float *three = run("cpu_onednn", 3, s, start, &n);
    double worst = 0, largest = 1;
    for (size_t i = 0; want && one && i < n; i++) {
        if (!is_real(s, (int64_t)i))
            continue;
        const double d = fabs((double)want[i] - (double)one[i]);
        worst = d > worst || d != d ? d : worst;
        largest = fabs((double)want[i]) > largest ? fabs((double)want[i]) : largest;
    }
    const het__image_attrs *a = &s->attrs;
    if (!(worst <= 1e-5 * largest))
        TEST_FAIL("%s, operation %d, channels %d to %d in %d groups, blocks %d to %d, window "
                  "%dx%d, activation %d: off by %g where values reach %g",
                  level, (int)s->op, a->channels_in, a->channels_out, a->groups, a->block_in,
                  a->block_out, a->kernel[0], a->kernel[1], (int)a->act.kind, worst, largest);
    if (one && three && memcmp(one, three, n * sizeof *one) != 0)
        TEST_FAIL("%s: three threads give other bits than one", level);
    free(want);
    free(one);
    free(three);
}

int main(void)
{
    for (const het__cpu_level *const *l = het__cpu_levels(); *l; l++) {
        const int32_t lanes = het__image_math_for((*l)->name)->lanes;
        setenv("HETINFER_CPU_LEVEL", (*l)->name, 1);
        for (int i = 0; i < 60; i++) {
            const shape conv = random_conv(lanes);
            compare(&conv, (*l)->name);
        }
        for (int i = 0; i < 20; i++) {
            const shape pool = random_pool(lanes);
            compare(&pool, (*l)->name);
            const shape layout = random_layout(lanes);
            compare(&layout, (*l)->name);
        }
    }
    return test_finish();
}

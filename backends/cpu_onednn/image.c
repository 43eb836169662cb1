/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, pools and changes of layout as steps.
 *
 *     convolution   pad (where the window leaves the image, or the picture is plain), product
 *     depthwise, pool, block, unblock   one step
 *
 * Work is cut by image, group of channel blocks and stretch of output places; what an element is
 * does not depend on the cut. Weights are packed per program: each has its own convolutions.
 */
#include <assert.h>
#include <string.h>

#include "backends/cpu_onednn/image.h"
#include "lib/base/error.h"
#include "lib/plain/strided.h"
#include "lib/quant/quant.h"

/* Output places of a task at most: their sums, for a full group, stay in half of a second-level
 * cache. */
#define TASK_PLACES 240
/* Floats that a task of the lighter kinds moves, about. */
#define TASK_FLOATS 16384
/* Places of a task that changes the layout: whole cache lines. */
#define LAYOUT_PLACES 1024

typedef struct image_step {
    const het__image_math *math;
    het__image_attrs attrs;
    const float *input, *residual;
    float *output;
    float *weights, *bias; /* own memory */
    int64_t batch, height, width, out_height, out_width;
    int64_t in_blocks, out_blocks, lanes;
    int64_t rows; /* of the output per task */
    het__mem *mem;
    size_t packed_bytes;
    /* convolutions */
    int64_t padded_height, padded_width, padded_image; /* floats of one padded image */
    size_t padded_offset;                              /* in shared scratch */
    bool pads;
    int64_t groups;       /* groups of blocks, over all groups of channels */
    int64_t group_blocks; /* blocks of a group of channels */
    bool half_group;      /* no more than half of the last of them is used */
    int64_t cuts;         /* groups of blocks per group of channels */
    int64_t places, chunk;
    int32_t *place;
    int64_t *steps;
    int64_t step_count, depth;
    int64_t tail_step, tail_depth; /* steps from there on are of the last, perhaps partial block */
} image_step;

static int64_t blocks_of(int64_t channels, int64_t lanes)
{
    return (channels + lanes - 1) / lanes;
}

static void release(het__device *device, image_step *s)
{
    device->weight_bytes -= s->packed_bytes;
    het__free(s->mem, s->weights);
    het__free(s->mem, s->bias);
    het__free(s->mem, s->place);
    het__free(s->mem, s->steps);
}

static void finish(het__cpu_step *step)
{
    release(step->program->device, step->data);
}

/* Elements of a constant as F32. */
static het_status read_constant(het__cpu_build *build, uint32_t value, float **data)
{
    const het__value *v = &build->slice->graph->values[value];
    const int64_t count = het__value_elements(v, build->slice->symbols_max);
    *data = het__alloc(build->device->host->mem, (size_t)count * sizeof **data);
    if (!*data)
        return het__fail_nomem(build->err, v->name);
    het__decoder(v->dtype)(v->data, *data, count);
    return HET_OK;
}

/* ---- convolutions: packing ---- */

/* First block, and how many, of a cut of a group's blocks. */
static int64_t cut_first(const image_step *s, int64_t cut)
{
    return cut * s->group_blocks / s->cuts;
}

static int64_t depth_of(const image_step *s, int64_t step)
{
    return step < s->tail_step ? s->depth : s->tail_depth;
}

/* Weights of one output block: per lane, all channels of all steps. */
static int64_t block_floats(const image_step *s)
{
    return (s->tail_step * s->depth + (s->step_count - s->tail_step) * s->tail_depth) * s->lanes;
}

/* [groups][cut][steps][depth][blocks of the cut][lanes] from [M][C/g][kh][kw] */
static void pack_conv(const image_step *s, const float *w, float *packed)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t taps = (int64_t)a->kernel[0] * a->kernel[1];
    const int64_t per_in = a->channels_in / a->groups, per_out = a->channels_out / a->groups;
    const int64_t steps = s->step_count;
    float *to = packed;
    for (int64_t g = 0; g < a->groups; g++)
        for (int64_t cut = 0; cut < s->cuts; cut++)
            for (int64_t k = 0; k < steps; k++)
                for (int64_t d = 0; d < depth_of(s, k); d++)
                    for (int64_t b = cut_first(s, cut); b < cut_first(s, cut + 1); b++)
                        for (int64_t l = 0; l < s->lanes; l++, to++) {
                            const int64_t m = b * s->lanes + l, c = k / taps * s->depth + d;
                            *to = m < per_out ? w[((g * per_out + m) * per_in + c) * taps +
                                                  k % taps] : 0;
                        }
}

static void pack_depthwise(const image_step *s, const float *w, float *packed)
{
    const int64_t taps = (int64_t)s->attrs.kernel[0] * s->attrs.kernel[1];
    for (int64_t b = 0; b < s->out_blocks; b++)
        for (int64_t t = 0; t < taps; t++)
            for (int64_t l = 0; l < s->lanes; l++) {
                const int64_t c = b * s->lanes + l;
                packed[(b * taps + t) * s->lanes + l] =
                    c < s->attrs.channels_out ? w[c * taps + t] : 0;
            }
}

static het_status take_weights(het__cpu_build *build, const het__node *node, image_step *s,
                               size_t floats, void (*pack)(const image_step *, const float *,
                                                           float *))
{
    float *raw = NULL, *bias = NULL;
    het_status status = read_constant(build, node->inputs[1], &raw);
    if (status == HET_OK && node->input_count > 2 && node->inputs[2] != HET__NO_VALUE)
        status = read_constant(build, node->inputs[2], &bias);
    const size_t bias_floats = (size_t)(s->out_blocks * s->lanes);
    if (status == HET_OK) {
        s->weights = het__alloc(s->mem, floats * sizeof *s->weights);
        s->bias = het__alloc_zero(s->mem, bias_floats, sizeof *s->bias);
        if (!s->weights || !s->bias)
            status = het__fail_nomem(build->err, node->name);
    }
    if (status == HET_OK) {
        pack(s, raw, s->weights);
        if (bias)
            memcpy(s->bias, bias, (size_t)s->attrs.channels_out * sizeof *bias);
        s->packed_bytes = (floats + bias_floats) * sizeof(float);
        build->device->weight_bytes += s->packed_bytes;
    }
    het__free(s->mem, raw);
    het__free(s->mem, bias);
    return status;
}

/* ---- convolutions: the padded image ---- */

/* Rows of a task: as much as other light tasks move. */
static int64_t pad_rows(const image_step *s)
{
    return TASK_FLOATS / (s->padded_width * s->depth) + 1;
}

static int64_t pad_cuts(const image_step *s)
{
    return (s->padded_height + pad_rows(s) - 1) / pad_rows(s);
}

static void bind_pad(het__cpu_step *step, const int64_t *symbols)
{
    const image_step *s = *(image_step *const *)step->data;
    (void)symbols;
    step->tasks = s->pads ? s->batch * (s->attrs.block_in ? s->in_blocks : 1) * pad_cuts(s) : 0;
}

/* A row of [H][W][lanes] with its border. */
static void pad_block(const image_step *s, const float *from, float *to)
{
    const int64_t row = s->padded_width * s->lanes, width = s->width * s->lanes;
    const int64_t left = s->attrs.pad_begin[1] * s->lanes;
    const int64_t copied = width < row - left ? width : row - left;
    memset(to, 0, (size_t)left * sizeof *to);
    memcpy(to + left, from, (size_t)copied * sizeof *to);
    memset(to + left + copied, 0, (size_t)(row - left - copied) * sizeof *to);
}

/* Three rows, as colours have them, a place at a time. */
static void weave(const float *restrict from, int64_t plane, int64_t width, float *restrict to)
{
    const float *restrict second = from + plane, *restrict third = second + plane;
    for (int64_t x = 0; x < width; x++) {
        to[3 * x] = from[x];
        to[3 * x + 1] = second[x];
        to[3 * x + 2] = third[x];
    }
}

/* A row of [C][H][W] as [W][C] with its border. */
static void pad_picture(const image_step *s, const float *from, float *to)
{
    const int64_t channels = s->depth, room = s->padded_width - s->attrs.pad_begin[1];
    const int64_t width = s->width < room ? s->width : room, plane = s->height * s->width;
    memset(to, 0, (size_t)(s->attrs.pad_begin[1] * channels) * sizeof *to);
    to += s->attrs.pad_begin[1] * channels;
    memset(to + width * channels, 0, (size_t)((room - width) * channels) * sizeof *to);
    if (channels == 3) {
        weave(from, plane, width, to);
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t x = 0; x < width; x++)
            to[x * channels + c] = from[c * plane + x];
}

static void run_pad(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const image_step *s = *(image_step *const *)step->data;
    const int64_t cuts = pad_cuts(s), plane = task / cuts, first = task % cuts * pad_rows(s);
    const int64_t end = first + pad_rows(s), row = s->padded_width * s->depth;
    const float *from = s->input + plane * s->height * s->width * s->depth;
    float *to = (float *)(void *)(step->program->shared + s->padded_offset) +
                plane * s->padded_height * row;
    (void)scratch;
    for (int64_t y = first; y < end && y < s->padded_height; y++) {
        const int64_t line = y - s->attrs.pad_begin[0];
        if (line < 0 || line >= s->height)
            memset(to + y * row, 0, (size_t)row * sizeof *to);
        else if (s->attrs.block_in)
            pad_block(s, from + line * s->width * s->lanes, to + y * row);
        else
            pad_picture(s, from + line * s->width, to + y * row);
    }
}

/* ---- convolutions: running ---- */

static void bind_conv(het__cpu_step *step, const int64_t *symbols)
{
    const image_step *s = step->data;
    const het__image_attrs *a = &s->attrs;
    (void)symbols;
    step->tasks = s->batch * s->groups * ((s->places + s->chunk - 1) / s->chunk);
    step->program->step_macs += (double)s->batch * (double)s->places * a->channels_out *
                                a->kernel[0] * a->kernel[1] * (a->channels_in / a->groups);
}

static void run_conv(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const image_step *s = step->data;
    const int64_t chunks = (s->places + s->chunk - 1) / s->chunk;
    const int64_t first = task % chunks * s->chunk, rest = task / chunks;
    const int64_t part = rest % s->groups, image = rest / s->groups;
    const int64_t group = part / s->cuts, cut = part % s->cuts;
    const int64_t block = cut_first(s, cut), end = cut_first(s, cut + 1);
    const int64_t out_block = group * s->group_blocks + block;
    const int64_t output = ((image * s->out_blocks + out_block) * s->places + first) * s->lanes;
    const float *in = s->pads ? (const float *)(const void *)(step->program->shared +
                                                              s->padded_offset) : s->input;
    const int64_t in_group = s->attrs.block_in
                                 ? s->in_blocks / s->attrs.groups * group * s->padded_height *
                                       s->padded_width * s->lanes : 0;
    const het__conv_job job = {
        .input = in + image * s->padded_image + in_group,
        .weights = s->weights + (group * s->group_blocks + block) * block_floats(s),
        .bias = s->bias + out_block * s->lanes,
        .residual = s->residual ? s->residual + output : NULL,
        .output = s->output + output,
        .places = s->place + first,
        .place_count = first + s->chunk < s->places ? s->chunk : s->places - first,
        .steps = s->steps, .step_count = s->step_count, .tail_step = s->tail_step,
        .depth = (int32_t)s->depth, .tail_depth = (int32_t)s->tail_depth,
        .blocks = (int32_t)(end - block), .output_stride = s->places * s->lanes,
        .last_is_half = end == s->group_blocks && s->half_group,
        .act = &s->attrs.act,
    };
    (void)scratch;
    s->math->conv(&job);
}

int64_t het__cpu_image_chunk(int64_t parts, int64_t places, int64_t tile, uint32_t threads)
{
    const int64_t all = (places + tile - 1) / tile;
    int64_t most = TASK_PLACES / tile, best = 1, least = INT64_MAX;
    most = most < all ? most : all;
    for (int64_t tiles = most; tiles > 0; tiles--) {
        const int64_t tasks = parts * ((all + tiles - 1) / tiles);
        /* A task takes a tile's time besides: its weights come from further away. */
        const int64_t time = (tasks + threads - 1) / threads * (tiles + 1);
        if (time < least) {
            least = time;
            best = tiles;
        }
    }
    return best * tile;
}

/* Blocks per cut that make full tiles, and cuts of nearly equal size. */
static void cut_blocks(image_step *s, uint32_t threads)
{
    int32_t most = HET__IMAGE_GROUP;
    while (s->math->tile(most) == 0)
        most--;
    const int64_t channels = s->attrs.channels_out / s->attrs.groups;
    s->group_blocks = blocks_of(channels, s->lanes);
    s->half_group = channels - (s->group_blocks - 1) * s->lanes <= s->lanes / 2;
    s->cuts = (s->group_blocks + most - 1) / most;
    s->groups = s->attrs.groups * s->cuts;
    const int32_t tile = s->math->tile((int32_t)((s->group_blocks + s->cuts - 1) / s->cuts));
    s->places = s->out_height * s->out_width;
    s->chunk = het__cpu_image_chunk(s->batch * s->groups, s->places, tile, threads);
}

static het_status list_places(het__cpu_build *build, const het__node *node, image_step *s)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t pixel = a->block_in ? s->lanes : s->depth;
    const int64_t taps = (int64_t)a->kernel[0] * a->kernel[1];
    if (s->padded_height * s->padded_width > INT32_MAX / pixel)
        return het__fail(build->err, HET_E_UNSUPPORTED, "node %s: the image is too large",
                         node->name);
    s->place = het__alloc(s->mem, (size_t)s->places * sizeof *s->place);
    s->steps = het__alloc(s->mem, (size_t)s->step_count * sizeof *s->steps);
    if (!s->place || !s->steps)
        return het__fail_nomem(build->err, node->name);
    for (int64_t i = 0; i < s->places; i++)
        s->place[i] = (int32_t)((i / s->out_width * a->stride[0] * s->padded_width +
                                 i % s->out_width * a->stride[1]) * pixel);
    for (int64_t k = 0; k < s->step_count; k++) {
        const int64_t y = k % taps / a->kernel[1] * a->dilation[0];
        const int64_t x = k % a->kernel[1] * a->dilation[1];
        s->steps[k] = ((k / taps * s->padded_height + y) * s->padded_width + x) * pixel;
    }
    return HET_OK;
}

static void size_padding(image_step *s)
{
    const het__image_attrs *a = &s->attrs;
    s->pads = !a->block_in;
    for (int i = 0; i < 2; i++)
        s->pads = s->pads || a->pad_begin[i] || a->pad_end[i];
    s->padded_height = s->height + (s->pads ? a->pad_begin[0] + a->pad_end[0] : 0);
    s->padded_width = s->width + (s->pads ? a->pad_begin[1] + a->pad_end[1] : 0);
    s->depth = a->block_in ? s->lanes : a->channels_in;
    s->step_count = (a->block_in ? s->in_blocks / a->groups : 1) * a->kernel[0] * a->kernel[1];
    const int64_t taps = (int64_t)a->kernel[0] * a->kernel[1];
    const int64_t rest = a->channels_in / a->groups % s->depth;
    s->tail_step = s->step_count - taps;
    s->tail_depth = rest ? rest : s->depth;
    s->padded_image = s->padded_height * s->padded_width * s->depth *
                      (a->block_in ? s->in_blocks : 1);
}

static het_status build_conv(het__cpu_build *build, const het__node *node, image_step *s)
{
    size_padding(s);
    cut_blocks(s, build->device->options.threads);
    size_t shared = 0;
    s->padded_offset =
        het__cpu_reserve(&shared, s->pads ? (size_t)(s->batch * s->padded_image) * sizeof(float)
                                          : 0);
    het__cpu_need_shared(build, shared);
    het__cpu_step *pad = het__cpu_add_step(build, sizeof(image_step *));
    if (!pad)
        return HET_E_NOMEM;
    pad->bind = bind_pad;
    pad->task = run_pad;
    *(image_step **)pad->data = s;
    const size_t floats = (size_t)(s->attrs.groups * s->group_blocks * block_floats(s));
    const het_status status = list_places(build, node, s);
    return status == HET_OK ? take_weights(build, node, s, floats, pack_conv) : status;
}

/* ---- depthwise convolutions and pools ---- */

static void bind_window(het__cpu_step *step, const int64_t *symbols)
{
    const image_step *s = step->data;
    const double window = (double)s->attrs.kernel[0] * s->attrs.kernel[1];
    (void)symbols;
    step->tasks = s->batch * s->out_blocks * ((s->out_height + s->rows - 1) / s->rows);
    step->program->step_macs += (double)(s->batch * s->out_blocks * s->lanes) *
                                (double)(s->out_height * s->out_width) * window;
}

static void run_window(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const image_step *s = step->data;
    const int64_t cuts = (s->out_height + s->rows - 1) / s->rows;
    const int64_t plane = task / cuts, first = task % cuts * s->rows;
    const int64_t block = plane % s->out_blocks;
    const int64_t taps = (int64_t)s->attrs.kernel[0] * s->attrs.kernel[1];
    const int64_t output = plane * s->out_height * s->out_width * s->lanes;
    const het__window_job job = {
        .input = s->input + plane * s->height * s->width * s->lanes,
        .weights = s->weights ? s->weights + block * taps * s->lanes : NULL,
        .bias = s->bias ? s->bias + block * s->lanes : NULL,
        .residual = s->residual ? s->residual + output : NULL,
        .output = s->output + output,
        .height = s->height, .width = s->width, .out_width = s->out_width,
        .first_row = first,
        .end_row = first + s->rows < s->out_height ? first + s->rows : s->out_height,
        .attrs = &s->attrs,
    };
    (void)scratch;
    if (s->weights)
        s->math->depthwise(&job);
    else
        s->math->pool(&job);
}

static void cut_rows(image_step *s)
{
    const int64_t floats = s->out_width * s->lanes * s->attrs.kernel[0] * s->attrs.kernel[1];
    s->rows = TASK_FLOATS / (floats > 0 ? floats : 1) + 1;
}

/* ---- layouts ---- */

static int64_t layout_cuts(const image_step *s)
{
    return (s->height * s->width + LAYOUT_PLACES - 1) / LAYOUT_PLACES;
}

static void bind_layout(het__cpu_step *step, const int64_t *symbols)
{
    const image_step *s = step->data;
    (void)symbols;
    step->tasks = s->batch * blocks_of(s->attrs.channels_out, s->lanes) * layout_cuts(s);
    step->program->step_macs += (double)(s->batch * s->attrs.channels_out) *
                                (double)(s->height * s->width);
}

/* Squares of a cache line's width, turned. */
static void turn(float *to, int64_t to_place, int64_t to_lane, const float *from,
                 int64_t from_place, int64_t from_lane, int64_t places, int64_t lanes)
{
    const int64_t unit = sizeof(float);
    het__strided s = { 0 };
    if (to_lane == 1) {
        het__strided_axis(&s, places, to_place * unit, from_place * unit);
        het__strided_axis(&s, lanes, to_lane * unit, from_lane * unit);
    } else {
        het__strided_axis(&s, lanes, to_lane * unit, from_lane * unit);
        het__strided_axis(&s, places, to_place * unit, from_place * unit);
    }
    het__strided_copy(&s, to, from, sizeof *to);
}

static void run_layout(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const image_step *s = step->data;
    const int64_t size = s->height * s->width, cuts = layout_cuts(s);
    const int64_t plane = task / cuts, first = task % cuts * LAYOUT_PLACES;
    const int64_t places = size - first < LAYOUT_PLACES ? size - first : LAYOUT_PLACES;
    const int64_t blocks = blocks_of(s->attrs.channels_out, s->lanes);
    const int64_t image = plane / blocks, block = plane % blocks;
    const int64_t channels = s->attrs.channels_out - block * s->lanes;
    const int64_t real = channels < s->lanes ? channels : s->lanes;
    const int64_t plain = (image * s->attrs.channels_out + block * s->lanes) * size + first;
    const int64_t blocked = (plane * size + first) * s->lanes;
    (void)scratch;
    if (!s->attrs.block_out) {
        turn(s->output + plain, 1, size, s->input + blocked, s->lanes, 1, places, real);
        return;
    }
    float *to = s->output + blocked;
    if (real < s->lanes)
        memset(to, 0, (size_t)(places * s->lanes) * sizeof *to);
    turn(to, s->lanes, 1, s->input + plain, 1, size, places, real);
}

/* ---- plain images ---- */

static void bind_plain(het__cpu_step *step, const int64_t *symbols)
{
    const image_step *s = step->data;
    const het__image_attrs *a = &s->attrs;
    (void)symbols;
    step->tasks = s->batch * a->channels_out;
    step->program->step_macs += (double)step->tasks * (double)(s->out_height * s->out_width) *
                                a->kernel[0] * a->kernel[1] *
                                (s->weights ? a->channels_in / a->groups : 1);
}

/* Output columns first to end - 1 at which a tap lies in the image. */
static void columns_of(const image_step *s, int64_t kx, int64_t *first, int64_t *end)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t shift = kx * a->dilation[1] - a->pad_begin[1], stride = a->stride[1];
    *first = shift < 0 ? (-shift + stride - 1) / stride : 0;
    *end = s->width - shift <= 0 ? 0 : (s->width - shift + stride - 1) / stride;
    *end = *end < s->out_width ? *end : s->out_width;
}

static void conv_row(const image_step *s, const float *in, const float *w, int64_t oy, float *out)
{
    const het__image_attrs *a = &s->attrs;
    for (int64_t c = 0; c < a->channels_in / a->groups; c++)
        for (int64_t ky = 0; ky < a->kernel[0]; ky++) {
            const int64_t y = oy * a->stride[0] - a->pad_begin[0] + ky * a->dilation[0];
            if (y < 0 || y >= s->height)
                continue;
            for (int64_t kx = 0; kx < a->kernel[1]; kx++) {
                const float *row = in + (c * s->height + y) * s->width + kx * a->dilation[1] -
                                   a->pad_begin[1];
                const float f = w[(c * a->kernel[0] + ky) * a->kernel[1] + kx];
                int64_t first, end;
                columns_of(s, kx, &first, &end);
                for (int64_t x = first; x < end; x++)
                    out[x] += f * row[x * a->stride[1]];
            }
        }
}

static void run_plain_conv(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const image_step *s = step->data;
    const het__image_attrs *a = &s->attrs;
    const int64_t m = task % a->channels_out, image = task / a->channels_out;
    const int64_t per_in = a->channels_in / a->groups;
    const int64_t group = m / (a->channels_out / a->groups);
    const float *in = s->input + (image * a->channels_in + group * per_in) * s->height * s->width;
    const float *w = s->weights + m * per_in * a->kernel[0] * a->kernel[1];
    (void)scratch;
    for (int64_t oy = 0; oy < s->out_height; oy++) {
        const int64_t at = (task * s->out_height + oy) * s->out_width;
        float *out = s->output + at;
        for (int64_t x = 0; x < s->out_width; x++)
            out[x] = s->bias[m];
        conv_row(s, in, w, oy, out);
        for (int64_t x = 0; s->residual && x < s->out_width; x++)
            out[x] += s->residual[at + x];
        s->math->act(&a->act, out, s->out_width);
    }
}

static float pool_place(const image_step *s, const float *in, int64_t oy, int64_t ox)
{
    const het__image_attrs *a = &s->attrs;
    float most = 0;
    double sum = 0;
    int64_t seen = 0;
    for (int64_t ky = 0; ky < a->kernel[0]; ky++) {
        const int64_t y = oy * a->stride[0] - a->pad_begin[0] + ky * a->dilation[0];
        for (int64_t kx = 0; y >= 0 && y < s->height && kx < a->kernel[1]; kx++) {
            const int64_t x = ox * a->stride[1] - a->pad_begin[1] + kx * a->dilation[1];
            if (x < 0 || x >= s->width)
                continue;
            const float v = in[y * s->width + x];
            most = seen == 0 || v > most || v != v ? v : most;
            sum += (double)v;
            seen++;
        }
    }
    const int64_t all = a->count_padding ? (int64_t)a->kernel[0] * a->kernel[1] : seen;
    return !a->mean ? most : all ? (float)(sum / (double)all) : 0;
}

static void run_plain_pool(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const image_step *s = step->data;
    const float *in = s->input + task * s->height * s->width;
    float *out = s->output + task * s->out_height * s->out_width;
    (void)scratch;
    for (int64_t oy = 0; oy < s->out_height; oy++)
        for (int64_t ox = 0; ox < s->out_width; ox++)
            out[oy * s->out_width + ox] = pool_place(s, in, oy, ox);
    s->math->act(&s->attrs.act, out, s->out_height * s->out_width);
}

static void pack_none(const image_step *s, const float *w, float *packed)
{
    const het__image_attrs *a = &s->attrs;
    memcpy(packed, w, (size_t)a->channels_out * (size_t)(a->channels_in / a->groups) *
                          (size_t)a->kernel[0] * (size_t)a->kernel[1] * sizeof *w);
}

static het_status build_plain(het__cpu_build *build, const het__node *node, het__cpu_step *step,
                              image_step *s)
{
    const het__image_attrs *a = &s->attrs;
    step->bind = bind_plain;
    step->task = node->op == HET__OP_CONV ? run_plain_conv : run_plain_pool;
    if (node->op != HET__OP_CONV)
        return HET_OK;
    const size_t floats = (size_t)a->channels_out * (size_t)(a->channels_in / a->groups) *
                          (size_t)a->kernel[0] * (size_t)a->kernel[1];
    s->out_blocks = blocks_of(a->channels_out, s->lanes);
    return take_weights(build, node, s, floats, pack_none);
}

/* ---- choosing ---- */

static void describe(het__cpu_build *build, const het__node *node, image_step *s)
{
    const het__value *x = het__cpu_value(build, node, 0);
    const het__value *out = &build->slice->graph->values[node->outputs[0]];
    s->math = het__image_math_for(build->device->level->name);
    s->mem = build->device->host->mem;
    s->attrs = node->attrs.image;
    s->lanes = s->math->lanes;
    het__cpu_place(build, node->inputs[0], &s->input);
    if (node->op == HET__OP_CONV && node->input_count > 3)
        het__cpu_place(build, node->inputs[3], &s->residual);
    het__cpu_place(build, node->outputs[0], &s->output);
    s->batch = x->extent[0].count;
    s->in_blocks = x->extent[1].count;
    s->height = x->extent[2].count;
    s->width = x->extent[3].count;
    s->out_blocks = out->extent[1].count;
    s->out_height = out->extent[2].count;
    s->out_width = out->extent[3].count;
}

static bool is_depthwise(const het__image_attrs *a)
{
    return a->groups > 1 && a->groups == a->channels_in && a->groups == a->channels_out;
}

het_status het__cpu_build_image(het__cpu_build *build, const het__node *node)
{
    /* The padding's step comes first but needs the other's data. */
    image_step *s = het__arena_zero(&build->program->arena, 1, sizeof *s);
    if (!s)
        return het__fail_nomem(build->err, node->name);
    describe(build, node, s);
    if ((s->attrs.block_in && s->attrs.block_in != s->lanes) ||
        (s->attrs.block_out && s->attrs.block_out != s->lanes))
        return het__fail(build->err, HET_E_UNSUPPORTED,
                         "node %s: blocks of another width than this processor's vectors",
                         node->name);
    if (het__cpu_value(build, node, 0)->dtype != HET_DTYPE_F32)
        return het__cpu_build_qimage(build, node);
    const bool is_conv = node->op == HET__OP_CONV && s->attrs.block_out &&
                         !(is_depthwise(&s->attrs) && s->attrs.block_in);
    het_status status = HET_OK;
    if (is_conv)
        status = build_conv(build, node, s);
    het__cpu_step *step = het__cpu_add_step(build, 0);
    if (!step) {
        release(build->device, s);
        return HET_E_NOMEM;
    }
    step->data = s;
    step->finish = finish;
    if (is_conv) {
        step->bind = bind_conv;
        step->task = run_conv;
    } else if (node->op == HET__OP_BLOCK || node->op == HET__OP_UNBLOCK) {
        step->bind = bind_layout;
        step->task = run_layout;
    } else if (!s->attrs.block_out) {
        status = build_plain(build, node, step, s);
    } else {
        cut_rows(s);
        step->bind = bind_window;
        step->task = run_window;
        const int64_t taps = (int64_t)s->attrs.kernel[0] * s->attrs.kernel[1];
        if (node->op == HET__OP_CONV)
            status = take_weights(build, node, s, (size_t)(s->out_blocks * taps * s->lanes),
                                  pack_depthwise);
    }
    return status;
}

const char *het__cpu_image_problem(const het__graph *graph, const het__node *node)
{
    const het__image_attrs *a = &node->attrs.image;
    if (graph->values[node->inputs[0]].kind == HET__VALUE_CONST)
        return "an image is a constant";
    const het_dtype type = graph->values[node->inputs[0]].dtype;
    if (type != HET_DTYPE_F32 && type != HET_DTYPE_U8 && type != HET_DTYPE_I8)
        return "an image holds neither floats nor codes of eight bits";
    if (node->op == HET__OP_QCONV)
        for (uint32_t i = 1; i < node->input_count; i++)
            if (node->inputs[i] != HET__NO_VALUE &&
                (graph->values[node->inputs[i]].kind != HET__VALUE_CONST ||
                 !graph->values[node->inputs[i]].data))
                return "weights are not constants";
    if (node->op != HET__OP_CONV && node->op != HET__OP_QCONV)
        return NULL;
    const het__value *w = &graph->values[node->inputs[1]];
    if (w->kind != HET__VALUE_CONST || !w->data ||
        (node->op == HET__OP_CONV && !het__decoder(w->dtype)))
        return "weights are not constants";
    const int32_t block = a->block_in > a->block_out ? a->block_in : a->block_out;
    if (a->groups > 1 && block > 0 && !is_depthwise(a) &&
        (a->channels_in / a->groups % block != 0 || a->channels_out / a->groups % block != 0))
        return "channels of groups are not whole blocks";
    return a->block_in && !a->block_out ? "a blocked image becomes plain" : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of codes, and pools and changes of layout of images of codes, as steps; cut like
 * those of image.c.
 *
 *     convolution   copy (where the window leaves the image, codes are signed or the image is
 *                   plain: padding is the zero point then), product
 *     depthwise, pool, block, unblock, plain convolution   one step
 */
#include <string.h>

#include "backends/cpu_onednn/image.h"
#include "backends/cpu_onednn/qimage_math.h"
#include "lib/base/error.h"

/* Bytes that a task of the lighter kinds moves, about. */
#define TASK_BYTES 32768

typedef struct qimage_step {
    const het__qimage_math *math;
    het__image_attrs attrs;
    const uint8_t *input;
    uint8_t *output;
    uint8_t *weights;         /* own memory */
    int32_t *start;
    float *factor;
    bool is_signed;           /* the input */
    int64_t batch, height, width, out_height, out_width;
    int64_t in_blocks, out_blocks, lanes;
    int64_t rows;             /* per task: of the output, or of the copy */
    het__mem *mem;
    size_t packed_bytes;
    int64_t copy_height, copy_width, copy_image; /* bytes of one image */
    size_t copy_offset;                          /* in shared scratch */
    bool copies;
    int64_t pixel;            /* bytes of a place of the copy: a block, or all channels by four */
    int64_t groups, group_blocks, cuts;
    int64_t places, chunk, step_count;
    int32_t quads;
    int32_t *place;
    int64_t *steps;
} qimage_step;

static int64_t parts_of(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

static void release(het__device *device, qimage_step *s)
{
    device->weight_bytes -= s->packed_bytes;
    het__free(s->mem, s->weights);
    het__free(s->mem, s->start);
    het__free(s->mem, s->factor);
    het__free(s->mem, s->place);
    het__free(s->mem, s->steps);
}

static void finish(het__cpu_step *step)
{
    release(step->program->device, step->data);
}

static int64_t cut_first(const qimage_step *s, int64_t cut)
{
    return cut * s->group_blocks / s->cuts;
}

/* ---- weights ---- */

/* Four channels of one tap for the channels of a block of the output. */
static void take_quad(const qimage_step *s, const int8_t *w, int64_t group, int64_t block,
                      int64_t step, int64_t quad, int8_t *codes)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t taps = (int64_t)a->kernel[0] * a->kernel[1];
    const int64_t per_in = a->channels_in / a->groups, per_out = a->channels_out / a->groups;
    const int64_t c = step / taps * s->quads * 4 + quad * 4, m = block * s->lanes;
    const int64_t channels = per_in - c < 4 ? per_in - c : 4;
    const int64_t lanes = per_out - m < s->lanes ? per_out - m : s->lanes;
    memset(codes, 0, (size_t)(4 * s->lanes));
    for (int64_t l = 0; l < lanes; l++) {
        const int8_t *from = w + ((group * per_out + m + l) * per_in + c) * taps + step % taps;
        for (int64_t i = 0; i < channels; i++)
            codes[4 * l + i] = from[i * taps];
    }
}

/* [groups][cut][steps][quads][blocks of the cut] */
static void pack_conv(const qimage_step *s, const int8_t *w)
{
    int8_t codes[4 * 64];
    uint8_t *to = s->weights;
    for (int64_t g = 0; g < s->attrs.groups; g++)
        for (int64_t cut = 0; cut < s->cuts; cut++)
            for (int64_t k = 0; k < s->step_count; k++)
                for (int64_t q = 0; q < s->quads; q++)
                    for (int64_t b = cut_first(s, cut); b < cut_first(s, cut + 1); b++) {
                        take_quad(s, w, g, b, k, q, codes);
                        s->math->pack(codes, to);
                        to += s->math->quad_bytes;
                    }
}

/* Codes in the low halves of 32 bits. */
static void pack_depthwise(const qimage_step *s, const int8_t *w)
{
    const int64_t taps = (int64_t)s->attrs.kernel[0] * s->attrs.kernel[1];
    int32_t *to = (int32_t *)(void *)s->weights;
    for (int64_t c = 0; c < s->attrs.channels_out; c++)
        for (int64_t t = 0; t < taps; t++)
            to[(c / s->lanes * taps + t) * s->lanes + c % s->lanes] =
                (int32_t)(uint16_t)(int16_t)w[c * taps + t];
}

static void pack_none(const qimage_step *s, const int8_t *w)
{
    const het__image_attrs *a = &s->attrs;
    memcpy(s->weights, w, (size_t)a->channels_out * (size_t)(a->channels_in / a->groups) *
                              (size_t)a->kernel[0] * (size_t)a->kernel[1]);
}

/* What the zero point of unsigned codes adds to the sums is taken away from their start. */
static int32_t start_of(const qimage_step *s, const int8_t *w, int64_t m, int32_t bias,
                        int32_t zero)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t count =
        (int64_t)a->channels_in / a->groups * a->kernel[0] * a->kernel[1];
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += w[m * count + i];
    return (int32_t)(uint32_t)(uint64_t)(bias - sum * zero);
}

/* zero: of the codes that the sums are made of, 0 where it is taken away from each. */
static het_status take_weights(het__cpu_build *build, const het__node *node, qimage_step *s,
                               size_t bytes, int32_t zero,
                               void (*pack)(const qimage_step *, const int8_t *))
{
    const int8_t *w = het__cpu_value(build, node, 1)->data;
    const char *factor = het__cpu_value(build, node, 2)->data, *bias = NULL;
    const size_t channels = (size_t)(parts_of(s->attrs.channels_out, s->lanes) * s->lanes);
    if (node->input_count > 3 && node->inputs[3] != HET__NO_VALUE)
        bias = het__cpu_value(build, node, 3)->data;
    s->weights = het__alloc_zero(s->mem, bytes ? bytes : 1, 1);
    s->start = het__alloc_zero(s->mem, channels, sizeof *s->start);
    s->factor = het__alloc_zero(s->mem, channels, sizeof *s->factor);
    if (!s->weights || !s->start || !s->factor)
        return het__fail_nomem(build->err, node->name);
    memcpy(s->factor, factor, (size_t)s->attrs.channels_out * sizeof *s->factor);
    for (int64_t m = 0; m < s->attrs.channels_out; m++) {
        int32_t b = 0;
        if (bias)
            memcpy(&b, bias + m * (int64_t)sizeof b, sizeof b);
        /* Groups of whole blocks: channels stand one behind the other. */
        s->start[m] = start_of(s, w, m, b, zero);
    }
    pack(s, w);
    s->packed_bytes = bytes + channels * 8;
    build->device->weight_bytes += s->packed_bytes;
    return HET_OK;
}

/* ---- the copy ---- */

static const qimage_step *step_of(const het__cpu_step *step)
{
    return *(qimage_step *const *)step->data;
}

static void bind_copy(het__cpu_step *step, const int64_t *symbols)
{
    const qimage_step *s = step_of(step);
    const int64_t blocks = s->attrs.block_in ? s->in_blocks : 1;
    (void)symbols;
    step->tasks = s->copies ? s->batch * blocks * parts_of(s->copy_height, s->rows) : 0;
    step->program->step_macs += s->copies ? (double)(s->batch * s->copy_image) / 16 : 0;
}

/* A row of a block; from is NULL above and below the image. */
static void copy_row(const qimage_step *s, const uint8_t *from, uint8_t zero, uint8_t *to)
{
    const int64_t row = s->copy_width * s->lanes, left = s->attrs.pad_begin[1] * s->lanes;
    const int64_t width = s->width * s->lanes;
    if (!from) {
        memset(to, zero, (size_t)row);
        return;
    }
    memset(to, zero, (size_t)left);
    if (s->is_signed)
        for (int64_t i = 0; i < width; i++)
            to[left + i] = from[i] ^ 0x80;
    else
        memcpy(to + left, from, (size_t)width);
    memset(to + left + width, zero, (size_t)(row - left - width));
}

/* Places that follow each other, from a plain image: channels, by four, stand together. */
static void gather(const qimage_step *s, const uint8_t *from, int64_t places, uint8_t zero,
                   uint8_t *to)
{
    if (s->pixel != s->attrs.channels_in)
        memset(to, zero, (size_t)(places * s->pixel));
    s->math->turn(to, s->pixel, from, s->height * s->width, s->attrs.channels_in, places,
                  s->is_signed ? 0x80 : 0);
}

/* Rows [first, end) of the copy. */
static void gather_rows(const qimage_step *s, const uint8_t *from, int64_t first, int64_t end,
                        uint8_t zero, uint8_t *to)
{
    const int64_t row = s->copy_width * s->pixel, above = s->attrs.pad_begin[0];
    const int64_t top = first > above ? first : above < end ? above : end;
    const int64_t below = above + s->height < end ? above + s->height : end;
    const int64_t bottom = below > top ? below : top;
    if (s->copy_width == s->width) {
        memset(to + first * row, zero, (size_t)((top - first) * row));
        if (bottom > top)
            gather(s, from + (top - above) * s->width, (bottom - top) * s->width, zero,
                   to + top * row);
        memset(to + bottom * row, zero, (size_t)((end - bottom) * row));
        return;
    }
    memset(to + first * row, zero, (size_t)((end - first) * row));
    for (int64_t y = top; y < bottom; y++)
        gather(s, from + (y - above) * s->width, s->width, zero,
               to + y * row + s->attrs.pad_begin[1] * s->pixel);
}

static void run_copy(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const qimage_step *s = step_of(step);
    const int64_t cuts = parts_of(s->copy_height, s->rows);
    const int64_t plane = task / cuts, first = task % cuts * s->rows;
    const int64_t end = first + s->rows < s->copy_height ? first + s->rows : s->copy_height;
    const bool plain = !s->attrs.block_in;
    const uint8_t zero = (uint8_t)(s->attrs.zero_in + (s->is_signed ? 128 : 0));
    const int64_t planes = plain ? s->attrs.channels_in : s->lanes;
    const uint8_t *from = s->input + plane * planes * s->height * s->width;
    uint8_t *to = step->program->shared + s->copy_offset +
                  plane * s->copy_height * s->copy_width * s->pixel;
    (void)scratch;
    if (plain) {
        gather_rows(s, from, first, end, zero, to);
        return;
    }
    for (int64_t row = first; row < end; row++) {
        const int64_t y = row - s->attrs.pad_begin[0];
        const bool inside = y >= 0 && y < s->height;
        copy_row(s, inside ? from + y * s->width * s->lanes : NULL, zero,
                 to + row * s->copy_width * s->pixel);
    }
}

/* ---- convolutions ---- */

static void bind_conv(het__cpu_step *step, const int64_t *symbols)
{
    const qimage_step *s = step->data;
    const het__image_attrs *a = &s->attrs;
    (void)symbols;
    step->tasks = s->batch * s->groups * parts_of(s->places, s->chunk);
    step->program->step_macs += (double)s->batch * (double)s->places * a->channels_out *
                                a->kernel[0] * a->kernel[1] * (a->channels_in / a->groups) / 2;
}

static void run_conv(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const qimage_step *s = step->data;
    const int64_t chunks = parts_of(s->places, s->chunk);
    const int64_t first = task % chunks * s->chunk, rest = task / chunks;
    const int64_t part = rest % s->groups, image = rest / s->groups;
    const int64_t group = part / s->cuts, cut = part % s->cuts;
    const int64_t block = cut_first(s, cut), end = cut_first(s, cut + 1);
    const int64_t out_block = group * s->group_blocks + block;
    const int64_t block_bytes = s->step_count * s->quads * s->math->quad_bytes;
    const uint8_t *in = s->copies ? step->program->shared + s->copy_offset : s->input;
    const int64_t in_group = s->attrs.block_in
                                 ? s->in_blocks / s->attrs.groups * group * s->copy_height *
                                       s->copy_width * s->lanes : 0;
    const het__qconv_job job = {
        .input = in + image * s->copy_image + in_group,
        .weights = s->weights + (group * s->group_blocks + block) * block_bytes,
        .start = s->start + out_block * s->lanes,
        .factor = s->factor + out_block * s->lanes,
        .output = s->output +
                  ((image * s->out_blocks + out_block) * s->places + first) * s->lanes,
        .places = s->place + first,
        .place_count = first + s->chunk < s->places ? s->chunk : s->places - first,
        .steps = s->steps, .step_count = s->step_count, .quads = s->quads,
        .blocks = (int32_t)(end - block), .output_stride = s->places * s->lanes,
        .attrs = &s->attrs,
    };
    (void)scratch;
    s->math->conv(&job);
}

static void cut_blocks(qimage_step *s, uint32_t threads)
{
    int32_t most = HET__IMAGE_GROUP;
    while (s->math->tile(most) == 0)
        most--;
    s->group_blocks = parts_of(s->attrs.channels_out / s->attrs.groups, s->lanes);
    s->cuts = parts_of(s->group_blocks, most);
    s->groups = s->attrs.groups * s->cuts;
    const int32_t tile = s->math->tile((int32_t)parts_of(s->group_blocks, s->cuts));
    s->places = s->out_height * s->out_width;
    s->chunk = het__cpu_image_chunk(s->batch * s->groups, s->places, tile, threads);
}

static het_status list_places(het__cpu_build *build, const het__node *node, qimage_step *s)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t taps = (int64_t)a->kernel[0] * a->kernel[1];
    if (s->copy_height * s->copy_width > INT32_MAX / s->pixel)
        return het__fail(build->err, HET_E_UNSUPPORTED, "node %s: the image is too large",
                         node->name);
    s->place = het__alloc(s->mem, (size_t)s->places * sizeof *s->place);
    s->steps = het__alloc(s->mem, (size_t)s->step_count * sizeof *s->steps);
    if (!s->place || !s->steps)
        return het__fail_nomem(build->err, node->name);
    for (int64_t i = 0; i < s->places; i++)
        s->place[i] = (int32_t)((i / s->out_width * a->stride[0] * s->copy_width +
                                 i % s->out_width * a->stride[1]) * s->pixel);
    for (int64_t k = 0; k < s->step_count; k++) {
        const int64_t y = k % taps / a->kernel[1] * a->dilation[0];
        const int64_t x = k % a->kernel[1] * a->dilation[1];
        s->steps[k] = ((k / taps * s->copy_height + y) * s->copy_width + x) * s->pixel;
    }
    return HET_OK;
}

static void size_copy(qimage_step *s)
{
    const het__image_attrs *a = &s->attrs;
    s->copies = !a->block_in || s->is_signed;
    for (int i = 0; i < 2; i++)
        s->copies = s->copies || a->pad_begin[i] || a->pad_end[i];
    s->copy_height = s->height + (s->copies ? a->pad_begin[0] + a->pad_end[0] : 0);
    s->copy_width = s->width + (s->copies ? a->pad_begin[1] + a->pad_end[1] : 0);
    s->pixel = a->block_in ? s->lanes : parts_of(a->channels_in, 4) * 4;
    s->quads = (int32_t)(s->pixel / 4);
    s->step_count = (a->block_in ? s->in_blocks / a->groups : 1) * a->kernel[0] * a->kernel[1];
    s->copy_image =
        s->copy_height * s->copy_width * s->pixel * (a->block_in ? s->in_blocks : 1);
    s->rows = TASK_BYTES / (s->copy_width * s->pixel) + 1;
}

static het_status build_conv(het__cpu_build *build, const het__node *node, qimage_step *s)
{
    size_copy(s);
    cut_blocks(s, build->device->options.threads);
    size_t shared = 0;
    s->copy_offset =
        het__cpu_reserve(&shared, s->copies ? (size_t)(s->batch * s->copy_image) : 0);
    het__cpu_need_shared(build, shared);
    het__cpu_step *copy = het__cpu_add_step(build, sizeof(qimage_step *));
    if (!copy)
        return HET_E_NOMEM;
    copy->bind = bind_copy;
    copy->task = run_copy;
    *(qimage_step **)copy->data = s;
    const size_t bytes = (size_t)(s->attrs.groups * s->group_blocks * s->step_count * s->quads) *
                         (size_t)s->math->quad_bytes;
    const het_status status = list_places(build, node, s);
    const int32_t zero = s->attrs.zero_in + (s->is_signed ? 128 : 0);
    return status == HET_OK ? take_weights(build, node, s, bytes, zero, pack_conv) : status;
}

/* ---- depthwise convolutions and pools ---- */

static void bind_window(het__cpu_step *step, const int64_t *symbols)
{
    const qimage_step *s = step->data;
    const double window = (double)s->attrs.kernel[0] * s->attrs.kernel[1];
    (void)symbols;
    step->tasks = s->batch * s->out_blocks * parts_of(s->out_height, s->rows);
    step->program->step_macs += (double)(s->batch * s->out_blocks * s->lanes) *
                                (double)(s->out_height * s->out_width) * window;
}

static void run_window(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const qimage_step *s = step->data;
    const int64_t cuts = parts_of(s->out_height, s->rows);
    const int64_t plane = task / cuts, first = task % cuts * s->rows;
    const int64_t block = plane % s->out_blocks;
    const int64_t taps = (int64_t)s->attrs.kernel[0] * s->attrs.kernel[1];
    const int32_t *weights = (const int32_t *)(const void *)s->weights;
    const het__qwindow_job job = {
        .input = s->input + plane * s->height * s->width * s->lanes,
        .weights = weights ? weights + block * taps * s->lanes : NULL,
        .start = weights ? s->start + block * s->lanes : NULL,
        .factor = weights ? s->factor + block * s->lanes : NULL,
        .output = s->output + plane * s->out_height * s->out_width * s->lanes,
        .height = s->height, .width = s->width, .out_width = s->out_width,
        .first_row = first,
        .end_row = first + s->rows < s->out_height ? first + s->rows : s->out_height,
        .is_signed = s->is_signed, .attrs = &s->attrs,
    };
    (void)scratch;
    if (weights)
        s->math->depthwise(&job);
    else
        s->math->pool(&job);
}

static het_status build_window(het__cpu_build *build, const het__node *node, het__cpu_step *step,
                               qimage_step *s)
{
    const int64_t taps = (int64_t)s->attrs.kernel[0] * s->attrs.kernel[1];
    s->rows = TASK_BYTES / (s->out_width * s->lanes * taps) + 1;
    step->bind = bind_window;
    step->task = run_window;
    if (node->op != HET__OP_QCONV)
        return HET_OK;
    return take_weights(build, node, s, (size_t)(s->out_blocks * taps * s->lanes) * 4, 0,
                        pack_depthwise);
}

/* ---- layouts ---- */

static void bind_layout(het__cpu_step *step, const int64_t *symbols)
{
    const qimage_step *s = step->data;
    (void)symbols;
    step->tasks = s->batch * parts_of(s->attrs.channels_out, s->lanes);
    step->program->step_macs += (double)(s->batch * s->attrs.channels_out) *
                                (double)(s->height * s->width) / 2;
}

static void run_layout(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const qimage_step *s = step->data;
    const int64_t blocks = parts_of(s->attrs.channels_out, s->lanes), lanes = s->lanes;
    const int64_t image = task / blocks, block = task % blocks, size = s->height * s->width;
    const int64_t channels = s->attrs.channels_out - block * lanes;
    const int64_t real = channels < lanes ? channels : lanes;
    const int64_t plain = (image * s->attrs.channels_out + block * lanes) * size;
    (void)scratch;
    if (s->attrs.block_out) {
        uint8_t *to = s->output + task * size * lanes;
        if (real < lanes)
            memset(to, 0, (size_t)(size * lanes));
        s->math->turn(to, lanes, s->input + plain, size, real, size, 0);
        return;
    }
    s->math->turn(s->output + plain, size, s->input + task * size * lanes, lanes, size, real, 0);
}

/* ---- plain images ---- */

static void bind_plain(het__cpu_step *step, const int64_t *symbols)
{
    const qimage_step *s = step->data;
    const het__image_attrs *a = &s->attrs;
    (void)symbols;
    step->tasks = s->batch * a->channels_out;
    step->program->step_macs += (double)step->tasks * (double)(s->out_height * s->out_width) *
                                a->kernel[0] * a->kernel[1] *
                                (s->weights ? a->channels_in / a->groups : 1);
}

static int32_t code_at(const qimage_step *s, const uint8_t *in, int64_t at)
{
    return s->is_signed ? (int8_t)in[at] : in[at];
}

/* One tap's products, from the places where it lies in the image. */
static void add_tap(const qimage_step *s, const uint8_t *row, int64_t kx, int32_t w, int32_t *sums)
{
    const het__image_attrs *a = &s->attrs;
    const int64_t shift = kx * a->dilation[1] - a->pad_begin[1], stride = a->stride[1];
    const int64_t first = shift < 0 ? (-shift + stride - 1) / stride : 0;
    int64_t end = s->width - shift <= 0 ? 0 : (s->width - shift + stride - 1) / stride;
    end = end < s->out_width ? end : s->out_width;
    for (int64_t x = first; x < end; x++)
        sums[x] = (int32_t)((uint32_t)sums[x] +
                            (uint32_t)((code_at(s, row, x * stride + shift) - a->zero_in) * w));
}

static void run_plain_conv(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const qimage_step *s = step->data;
    const het__image_attrs *a = &s->attrs;
    const int64_t m = task % a->channels_out, image = task / a->channels_out;
    const int64_t per_in = a->channels_in / a->groups;
    const int64_t group = m / (a->channels_out / a->groups);
    const uint8_t *in = s->input + (image * a->channels_in + group * per_in) * s->height * s->width;
    const int8_t *w = (const int8_t *)s->weights + m * per_in * a->kernel[0] * a->kernel[1];
    int32_t *sums = (int32_t *)(void *)scratch;
    for (int64_t oy = 0; oy < s->out_height; oy++) {
        for (int64_t x = 0; x < s->out_width; x++)
            sums[x] = s->start[m];
        for (int64_t c = 0; c < per_in; c++)
            for (int64_t ky = 0; ky < a->kernel[0]; ky++) {
                const int64_t y = oy * a->stride[0] - a->pad_begin[0] + ky * a->dilation[0];
                const uint8_t *row = in + (c * s->height + y) * s->width;
                for (int64_t kx = 0; y >= 0 && y < s->height && kx < a->kernel[1]; kx++)
                    add_tap(s, row, kx, w[(c * a->kernel[0] + ky) * a->kernel[1] + kx], sums);
            }
        s->math->requantise(a, sums, s->factor[m],
                            s->output + (task * s->out_height + oy) * s->out_width, s->out_width);
    }
}

static uint8_t most_at(const qimage_step *s, const uint8_t *in, int64_t oy, int64_t ox)
{
    const het__image_attrs *a = &s->attrs;
    int32_t most = s->is_signed ? -128 : 0;
    for (int64_t ky = 0; ky < a->kernel[0]; ky++) {
        const int64_t y = oy * a->stride[0] - a->pad_begin[0] + ky * a->dilation[0];
        for (int64_t kx = 0; y >= 0 && y < s->height && kx < a->kernel[1]; kx++) {
            const int64_t x = ox * a->stride[1] - a->pad_begin[1] + kx * a->dilation[1];
            if (x >= 0 && x < s->width && code_at(s, in, y * s->width + x) > most)
                most = code_at(s, in, y * s->width + x);
        }
    }
    return (uint8_t)most;
}

static void run_plain_pool(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const qimage_step *s = step->data;
    const uint8_t *in = s->input + task * s->height * s->width;
    uint8_t *out = s->output + task * s->out_height * s->out_width;
    (void)scratch;
    for (int64_t oy = 0; oy < s->out_height; oy++)
        for (int64_t ox = 0; ox < s->out_width; ox++)
            out[oy * s->out_width + ox] = most_at(s, in, oy, ox);
}

static het_status build_plain(het__cpu_build *build, const het__node *node, het__cpu_step *step,
                              qimage_step *s)
{
    const het__image_attrs *a = &s->attrs;
    step->bind = bind_plain;
    step->task = node->op == HET__OP_QCONV ? run_plain_conv : run_plain_pool;
    if (node->op != HET__OP_QCONV)
        return HET_OK;
    het__cpu_need_worker(build, (size_t)s->out_width * sizeof(int32_t));
    return take_weights(build, node, s,
                        (size_t)a->channels_out * (size_t)(a->channels_in / a->groups) *
                            (size_t)a->kernel[0] * (size_t)a->kernel[1],
                        0, pack_none);
}

/* ---- choosing ---- */

static void describe(het__cpu_build *build, const het__node *node, qimage_step *s)
{
    const het__value *x = het__cpu_value(build, node, 0);
    const het__value *out = &build->slice->graph->values[node->outputs[0]];
    s->math = het__qimage_math_for(build->device->level->name);
    s->mem = build->device->host->mem;
    s->attrs = node->attrs.image;
    s->lanes = s->math->lanes;
    s->is_signed = x->dtype == HET_DTYPE_I8;
    het__cpu_place(build, node->inputs[0], &s->input);
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
    return a->block_in && a->groups > 1 && a->groups == a->channels_in &&
           a->groups == a->channels_out;
}

het_status het__cpu_build_qimage(het__cpu_build *build, const het__node *node)
{
    qimage_step *s = het__arena_zero(&build->program->arena, 1, sizeof *s);
    if (!s)
        return het__fail_nomem(build->err, node->name);
    describe(build, node, s);
    const bool is_product =
        node->op == HET__OP_QCONV && s->attrs.block_out && !is_depthwise(&s->attrs);
    het_status status = HET_OK;
    if (is_product)
        status = build_conv(build, node, s);
    het__cpu_step *step = het__cpu_add_step(build, 0);
    if (!step) {
        release(build->device, s);
        return HET_E_NOMEM;
    }
    step->data = s;
    step->finish = finish;
    if (is_product) {
        step->bind = bind_conv;
        step->task = run_conv;
    } else if (node->op == HET__OP_BLOCK || node->op == HET__OP_UNBLOCK) {
        step->bind = bind_layout;
        step->task = run_layout;
    } else if (s->attrs.block_out) {
        status = build_window(build, node, step, s);
    } else {
        status = build_plain(build, node, step, s);
    }
    return status;
}

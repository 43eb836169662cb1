/* SPDX-License-Identifier: Apache-2.0 */
/* Products and convolutions of quantised numbers.
 *
 * Sums are exact and then kept modulo 2^32. The factor back to the output's steps is computed in
 * F32 as (first scale * second scale) / output scale, the sum is rounded to F32 and multiplied, and
 * the result is rounded to nearest even: what common runtimes do, to the last step. */
#include <math.h>

#include "lib/ir/product.h"
#include "lib/plain/sliding.h"

static void put_wrapped(het__tensor *out, int64_t first, int64_t count, const double *sums)
{
    for (int64_t j = 0; j < count; j++)
        het__put_i64(HET_DTYPE_I32, out->data, first + j, (int64_t)sums[j]);
}

/* What turns sums into elements of the output. */
typedef struct requantiser {
    het__tensor *out;
    double zero;
    bool exact; /* sums are integers, to be kept modulo 2^32 */
} requantiser;

static void requantise(const requantiser *r, int64_t at, double sum, float factor)
{
    const het_dtype dtype = r->out->dtype;
    const float x = r->exact ? (float)(int32_t)(uint32_t)(int64_t)sum : (float)sum;
    if (het__dtype_is_float(dtype)) {
        het__put_f64(dtype, r->out->data, at, (double)(x * factor) + r->zero);
        return;
    }
    const double low = dtype == HET_DTYPE_I8 ? -128 : 0;
    double y = (double)rintf(x * factor) + r->zero;
    if (!(y > low)) /* a NaN too */
        y = low;
    if (y > low + 255)
        y = low + 255;
    het__put_i64(dtype, r->out->data, at, (int64_t)y);
}

/* The one number of an optional input. */
static double number(const het__eval *e, uint32_t i, double absent)
{
    const het__tensor *t = het__eval_input(e, i);
    return t ? het__get_f64(t->dtype, t->data, 0) : absent;
}

/* ---- products ---- */

/* Numbers of input i in scratch, or NULL where it is left out; false: no memory. */
static bool numbers(het__eval *e, uint32_t i, const double **out)
{
    const het__tensor *t = het__eval_input(e, i);
    *out = t ? het__plain_f64(e, t) : NULL;
    return !t || *out;
}

typedef struct integer_rows {
    het__tensor *out;
    int64_t first, columns;
} integer_rows;

static void put_integer_row(void *user, int64_t row, int64_t column, int64_t count,
                            const double *sums)
{
    const integer_rows *t = user;
    put_wrapped(t->out, t->first + row * t->columns + column, count, sums);
}

typedef struct scaled_rows {
    requantiser how;
    int64_t first, columns;
    const double *a, *b; /* scales */
    int64_t a_step, b_step;
    float scale; /* of the output */
} scaled_rows;

static void put_scaled_row(void *user, int64_t row, int64_t column, int64_t count,
                           const double *sums)
{
    const scaled_rows *t = user;
    const float a = (float)t->a[row * t->a_step];
    for (int64_t j = 0; j < count; j++) {
        const float factor = a * (float)t->b[(column + j) * t->b_step] / t->scale;
        requantise(&t->how, t->first + row * t->columns + column + j, sums[j], factor);
    }
}

/* Where the inputs of a quantised product stand, and its zero points. */
typedef struct operands {
    het__product p;
    het__operand a, b;
    const double *zeros[2];
    het__lines lines[2];
} operands;

static het_status read_operands(het__eval *e, uint32_t second, uint32_t zero_a, uint32_t zero_b,
                                operands *o)
{
    const uint32_t zeros[] = { zero_a, zero_b };
    const het_status s = het__product_of_matmul(e, 0, second, &o->p);
    if (s != HET_OK)
        return s;
    o->a = (het__operand){ .dtype = e->inputs[0].dtype, .data = e->inputs[0].data,
                           .line_step = o->p.a_row, .k_step = o->p.a_depth };
    o->b = (het__operand){ .dtype = e->inputs[second].dtype, .data = e->inputs[second].data,
                           .line_step = o->p.b_column, .k_step = o->p.b_depth };
    for (int i = 0; i < 2; i++) {
        const het__tensor *t = het__eval_input(e, zeros[i]);
        if (!numbers(e, zeros[i], &o->zeros[i]))
            return het__eval_nomem(e);
        o->lines[i] = (het__lines){ 0, 0 };
        if (t)
            het__product_lines(&o->p, t, i == 1, &o->lines[i]);
    }
    o->a.zero_step = o->lines[0].step;
    o->b.zero_step = o->lines[1].step;
    return HET_OK;
}

/* Operands of one matrix of the batch. */
static void point(operands *o, int64_t a, int64_t b)
{
    o->a.first = a * o->p.rows * o->p.depth;
    o->b.first = b * o->p.depth * o->p.columns;
    o->a.zeros = o->zeros[0] ? o->zeros[0] + a * o->lines[0].batch_step : NULL;
    o->b.zeros = o->zeros[1] ? o->zeros[1] + b * o->lines[1].batch_step : NULL;
}

het_status het__plain_mat_mul_integer(het__eval *e)
{
    operands o;
    const het_status s = read_operands(e, 1, 2, 3, &o);
    if (s != HET_OK)
        return s;
    double *scratch = het__eval_scratch(e, HET__PRODUCT_SCRATCH, sizeof *scratch);
    if (!scratch)
        return het__eval_nomem(e);
    const het__product *p = &o.p;
    integer_rows target = { .out = &e->outputs[0], .columns = p->columns };
    het__walk walk;
    het__walk_init(&walk, &p->batch, &p->a_batch, &p->b_batch, NULL);
    const int64_t count = het__tensor_elements(target.out) ? het__tensor_elements(&p->batch) : 0;
    for (int64_t i = 0; i < count; i++, het__walk_next(&walk)) {
        point(&o, walk.index[0], walk.index[1]);
        target.first = i * p->rows * p->columns;
        het__product_f64(&o.a, &o.b, p->rows, p->columns, p->depth, scratch, put_integer_row,
                         &target);
    }
    return HET_OK;
}

het_status het__plain_qlinear_mat_mul(het__eval *e)
{
    operands o;
    het__lines a_lines, b_lines;
    const double *a_scales, *b_scales;
    const het_status s = read_operands(e, 3, 2, 5, &o);
    if (s != HET_OK)
        return s;
    double *scratch = het__eval_scratch(e, HET__PRODUCT_SCRATCH, sizeof *scratch);
    if (!scratch || !numbers(e, 1, &a_scales) || !numbers(e, 4, &b_scales))
        return het__eval_nomem(e);
    const het__product *p = &o.p;
    het__product_lines(p, &e->inputs[1], false, &a_lines);
    het__product_lines(p, &e->inputs[4], true, &b_lines);
    scaled_rows target = {
        .how = { &e->outputs[0], number(e, 7, 0),
                 !het__dtype_is_float(o.a.dtype) && !het__dtype_is_float(o.b.dtype) },
        .columns = p->columns, .a_step = a_lines.step, .b_step = b_lines.step,
        .scale = (float)number(e, 6, 1) };
    het__walk walk;
    het__walk_init(&walk, &p->batch, &p->a_batch, &p->b_batch, NULL);
    const int64_t count =
        het__tensor_elements(&e->outputs[0]) ? het__tensor_elements(&p->batch) : 0;
    for (int64_t i = 0; i < count; i++, het__walk_next(&walk)) {
        point(&o, walk.index[0], walk.index[1]);
        target.first = i * p->rows * p->columns;
        target.a = a_scales + walk.index[0] * a_lines.batch_step;
        target.b = b_scales + walk.index[1] * b_lines.batch_step;
        het__product_f64(&o.a, &o.b, p->rows, p->columns, p->depth, scratch, put_scaled_row,
                         &target);
    }
    return HET_OK;
}

/* ---- convolutions ---- */

static void put_integers(void *user, int64_t channel, int64_t first, int64_t count,
                         const double *sums)
{
    (void)channel;
    put_wrapped(user, first, count, sums);
}

typedef struct scaled_channels {
    requantiser how;
    const double *scales; /* of the weights */
    int64_t step;
    float image, out; /* scales */
} scaled_channels;

static void put_scaled(void *user, int64_t channel, int64_t first, int64_t count,
                       const double *sums)
{
    const scaled_channels *t = user;
    const float factor = t->image * (float)t->scales[channel * t->step] / t->out;
    for (int64_t j = 0; j < count; j++)
        requantise(&t->how, first + j, sums[j], factor);
}

static int64_t step_of(const het__eval *e, uint32_t i)
{
    const het__tensor *t = het__eval_input(e, i);
    return t && het__tensor_elements(t) > 1;
}

het_status het__plain_conv_integer(het__eval *e)
{
    het__conv conv = { .image = &e->inputs[0], .weights = &e->inputs[1],
                       .image_zero = number(e, 2, 0), .zero_step = step_of(e, 3),
                       .sink = put_integers, .user = &e->outputs[0] };
    const het_status s = het__window_conv(e, &conv.window);
    if (s != HET_OK)
        return s;
    return numbers(e, 3, &conv.weight_zeros) ? het__conv_run(e, &conv) : het__eval_nomem(e);
}

het_status het__plain_qlinear_conv(het__eval *e)
{
    scaled_channels target = { .how = { &e->outputs[0], number(e, 7, 0), true },
                               .step = step_of(e, 4), .image = (float)number(e, 1, 1),
                               .out = (float)number(e, 6, 1) };
    het__conv conv = { .image = &e->inputs[0], .weights = &e->inputs[3],
                       .image_zero = number(e, 2, 0), .zero_step = step_of(e, 5),
                       .sink = put_scaled, .user = &target };
    const het_status s = het__window_conv(e, &conv.window);
    if (s != HET_OK)
        return s;
    if (!numbers(e, 4, &target.scales) || !numbers(e, 5, &conv.weight_zeros) ||
        !numbers(e, 8, &conv.bias))
        return het__eval_nomem(e);
    return het__conv_run(e, &conv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* RotaryEmbedding: pairs of elements, side by side or half a head apart, turned by the angle of
 * their token's position; what lies behind the rotated part is copied. */
#include "lib/ir/sequence.h"
#include "lib/plain/rows.h"

/* Row of the tables for a token: its position, or the token itself. */
static het_status table_row(const het__eval *e, const het__rotary *f, int64_t token, int64_t *row)
{
    const het__tensor *at = het__eval_input(e, 3);
    *row = at ? het__get_i64(at->dtype, at->data, token) : token;
    if (at && (*row < 0 || *row >= f->positions))
        return het__eval_refuse(e, "position %lld of %lld", (long long)*row,
                                (long long)f->positions);
    return HET_OK;
}

static void turn(const het__rotary *f, const double *c, const double *s, double *x)
{
    const int64_t step = f->is_interleaved ? 2 : 1, apart = f->is_interleaved ? 1 : f->half;
    for (int64_t i = 0; i < f->half; i++) {
        double *a = x + i * step, *b = a + apart;
        const double real = c[i] * *a - s[i] * *b;
        *b = s[i] * *a + c[i] * *b;
        *a = real;
    }
}

static void turn_token(const het__eval *e, const het__rotary *f, const het__rows *x, int64_t b,
                       int64_t t, const double *angles, double *line)
{
    for (int64_t h = 0; h < f->heads; h++) {
        const int64_t at = (f->is_packed ? (b * f->steps + t) * f->heads + h
                                         : (b * f->heads + h) * f->steps + t) *
                           f->head_size;
        het__rows_load(x, at, f->head_size, line);
        turn(f, angles, angles + f->half, line);
        het__store_row(e->outputs[0].dtype, e->outputs[0].data, at, f->head_size, line);
    }
}

het_status het__plain_rotary_embedding(het__eval *e)
{
    het__rotary f;
    het__rows x, cosine, sine;
    het_status s = het__rotary_form(e, &f);
    if (s != HET_OK || het__tensor_elements(&e->inputs[0]) == 0)
        return s;
    s = het__rows_of(e, &e->inputs[0], &x);
    if (s == HET_OK)
        s = het__rows_of(e, &e->inputs[1], &cosine);
    if (s == HET_OK)
        s = het__rows_of(e, &e->inputs[2], &sine);
    double *line = het__eval_scratch(e, (size_t)f.head_size, sizeof *line);
    double *angles = het__eval_scratch(e, (size_t)f.half * 2, sizeof *angles);
    if (s != HET_OK || !line || !angles)
        return het__eval_nomem(e);
    for (int64_t b = 0; b < f.batch; b++)
        for (int64_t t = 0; t < f.steps; t++) {
            int64_t row;
            s = table_row(e, &f, b * f.steps + t, &row);
            if (s != HET_OK)
                return s;
            het__rows_load(&cosine, row * f.half, f.half, angles);
            het__rows_load(&sine, row * f.half, f.half, angles + f.half);
            turn_token(e, &f, &x, b, t, angles, line);
        }
    return HET_OK;
}

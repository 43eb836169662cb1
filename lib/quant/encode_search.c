/* SPDX-License-Identifier: Apache-2.0 */
/* Searches for the scale of a group. Each tries rounding with a handful of candidates; for the
 * codes that come out of one, the best scale (and minimum) is a least-squares problem with a closed
 * solution, and the candidate whose solution leaves the least error wins. */
#include "lib/quant/encode_parts.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

/* Groups whose largest magnitude is below this are zeros. */
#define NOTHING 1e-15f

float het__extreme(const float *x, int count)
{
    float most = 0, extreme = 0;
    for (int i = 0; i < count; i++)
        if (fabsf(x[i]) > most) {
            most = fabsf(x[i]);
            extreme = x[i];
        }
    return extreme;
}

float het__mean_square(const float *x, int count)
{
    float sum = 0;
    for (int i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sum / (float)count;
}

void het__weigh(const float *x, const float *importance, float square, int count, float *weights)
{
    for (int i = 0; i < count; i++)
        weights[i] = importance[i] * sqrtf(square + x[i] * x[i]);
}

/* ---- scale alone ---- */

/* Sums over a group: of w x q, and of w q^2. Their ratio is the best scale for the codes q. */
typedef struct sums {
    float xq, qq;
} sums;

static sums round_with(const float *x, const float *weights, int count, float inverse, int reach)
{
    sums s = { 0, 0 };
    for (int i = 0; i < count; i++) {
        const float q = (float)het__nearest(inverse * x[i], -reach, reach - 1);
        s.xq += weights[i] * x[i] * q;
        s.qq += weights[i] * q * q;
    }
    return s;
}

float het__fit_scale(const float *x, const float *weights, int count, int reach, uint8_t *codes)
{
    const float extreme = het__extreme(x, count);
    for (int i = 0; i < count; i++)
        codes[i] = 0;
    if (!(fabsf(extreme) >= NOTHING))
        return 0;
    float inverse = -(float)reach / extreme;
    sums s = round_with(x, weights, count, inverse, reach);
    float scale = s.qq > 0 ? s.xq / s.qq : 0, best = scale * s.xq;
    for (int i = -9; i <= 9; i++) {
        if (i == 0)
            continue;
        const float tried = -((float)reach + 0.1f * (float)i) / extreme;
        s = round_with(x, weights, count, tried, reach);
        if (s.qq > 0 && s.xq * s.xq > best * s.qq) {
            scale = s.xq / s.qq;
            best = scale * s.xq;
            inverse = tried;
        }
    }
    for (int i = 0; i < count; i++)
        codes[i] = (uint8_t)(het__nearest(inverse * x[i], -reach, reach - 1) + reach);
    return scale;
}

/* Whether element i with another code leaves less error, given the others; then it gets it. */
static bool improve(const float *x, float w, int i, int low, int high, int8_t *codes, sums *s)
{
    const float q = (float)codes[i];
    sums t = { s->xq - w * x[i] * q, 0 };
    if (!(t.xq > 0))
        return false;
    t.qq = s->qq - w * q * q;
    const int code = het__nearest(x[i] * t.qq / t.xq, low, high);
    if (code == codes[i])
        return false;
    t.xq += w * x[i] * (float)code;
    t.qq += w * (float)code * (float)code;
    if (!(t.qq > 0 && t.xq * t.xq * s->qq > s->xq * s->xq * t.qq))
        return false;
    codes[i] = (int8_t)code;
    *s = t;
    return true;
}

float het__fit_codes(const float *x, const float *weights, int count, int8_t *codes)
{
    const float extreme = het__extreme(x, count);
    sums s = { 0, 0 };
    for (int i = 0; i < count; i++)
        codes[i] = -4;
    if (!(fabsf(extreme) >= NOTHING))
        return 0;
    for (int i = 0; i < count; i++) {
        const float w = weights ? weights[i] : x[i] * x[i];
        codes[i] = (int8_t)het__nearest(-4.0f / extreme * x[i], -4, 3);
        s.xq += w * x[i] * (float)codes[i];
        s.qq += w * (float)codes[i] * (float)codes[i];
    }
    bool changed = true;
    for (int round = 0; round < 5 && changed; round++) {
        changed = false;
        for (int i = 0; i < count; i++)
            changed = improve(x, weights ? weights[i] : x[i] * x[i], i, -4, 3, codes, &s) ||
                      changed;
    }
    return s.qq > 0 ? s.xq / s.qq : 0;
}

static sums round_levels(const float *x, const float *weights, int count, float inverse, int top)
{
    sums s = { 0, 0 };
    for (int i = 0; i < count; i++) {
        const float q = (float)het__nearest(inverse * x[i], 0, top);
        s.xq += weights[i] * x[i] * q;
        s.qq += weights[i] * q * q;
    }
    return s;
}

float het__fit_levels(const float *x, const float *weights, int count, int top, uint8_t *codes)
{
    int8_t levels[16] = { 0 };
    float most = 0, best = 0, inverse = 0;
    assert(count <= 16 && top <= INT8_MAX);
    for (int i = 0; i < count; i++) {
        most = x[i] > most ? x[i] : most;
        codes[i] = 0;
    }
    if (!(most >= NOTHING))
        return 0;
    /* Each value in turn is about the last that is not cut off: where what is larger hardly counts
     * the others get finer steps. */
    for (int i = 0; i < 9 * count; i++) {
        if (!(x[i / 9] >= NOTHING))
            continue;
        const float tried = ((float)top + 0.1f * (float)(i % 9 - 4)) / x[i / 9];
        const sums s = round_levels(x, weights, count, tried, top);
        if (s.qq > 0 && s.xq * s.xq > best * s.qq) {
            best = s.xq * s.xq / s.qq;
            inverse = tried;
        }
    }
    sums s = round_levels(x, weights, count, inverse, top);
    for (int i = 0; i < count; i++)
        levels[i] = (int8_t)het__nearest(inverse * x[i], 0, top);
    bool changed = true;
    for (int round = 0; round < 5 && changed; round++) {
        changed = false;
        for (int i = 0; i < count; i++)
            changed = improve(x, weights[i], i, 0, top, levels, &s) || changed;
    }
    for (int i = 0; i < count; i++)
        codes[i] = (uint8_t)levels[i];
    return s.qq > 0 ? s.xq / s.qq : 0;
}

/* ---- scale and minimum ---- */

/* A candidate; base is negative minimum: x ~ scale q + base. */
typedef struct line {
    float scale, base;
} line;

static float error_of(const het__affine_search *a, const float *x, const float *weights, int count,
                      line l, const uint8_t *codes)
{
    float error = 0;
    for (int i = 0; i < count; i++) {
        const float d = l.scale * (float)codes[i] + l.base - x[i];
        error += weights[i] * (a->is_absolute ? fabsf(d) : d * d);
    }
    return error;
}

/* The best line for the codes of one rounding; false if it does not exist. */
static bool solve(const float *x, const float *weights, int count, const uint8_t *codes, float w,
                  float wx, line *l)
{
    float wq = 0, wqq = 0, wxq = 0;
    for (int i = 0; i < count; i++) {
        const float q = (float)codes[i];
        wq += weights[i] * q;
        wqq += weights[i] * q * q;
        wxq += weights[i] * q * x[i];
    }
    const float determinant = w * wqq - wq * wq;
    if (!(determinant > 0))
        return false;
    l->scale = (w * wxq - wx * wq) / determinant;
    l->base = (wqq * wx - wq * wxq) / determinant;
    if (l->base > 0) {
        l->base = 0;
        l->scale = wxq / wqq;
    }
    return true;
}

static void round_from(const float *x, int count, float inverse, float base, int top,
                       uint8_t *codes)
{
    for (int i = 0; i < count; i++)
        codes[i] = (uint8_t)het__nearest(inverse * (x[i] - base), 0, top);
}

float het__fit_affine(const het__affine_search *a, const float *x, const float *weights, int count,
                      float *min, uint8_t *codes)
{
    assert(count > 0 && count <= HET__GROUP_MAX);
    float low = x[0], high = x[0], w = weights[0], wx = weights[0] * x[0];
    for (int i = 1; i < count; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        w += weights[i];
        wx += weights[i] * x[i];
    }
    low = low > 0 ? 0 : low;
    *min = -low;
    for (int i = 0; i < count; i++)
        codes[i] = 0;
    if (!(high > low))
        return 0;
    const float inverse = (float)a->top / (high - low);
    line best = { 1 / inverse, low };
    round_from(x, count, inverse, low, a->top, codes);
    float least = error_of(a, x, weights, count, best, codes);
    for (int i = 0; i <= a->steps; i++) { /* from the best minimum so far: descent as well */
        uint8_t tried[HET__GROUP_MAX];
        line l;
        const float top = a->first + a->step * (float)i + (float)a->top;
        round_from(x, count, top / (high - best.base), best.base, a->top, tried);
        if (!solve(x, weights, count, tried, w, wx, &l))
            continue;
        const float error = error_of(a, x, weights, count, l, tried);
        if (error < least) {
            memcpy(codes, tried, (size_t)count);
            least = error;
            best = l;
        }
    }
    *min = -best.base;
    return best.scale;
}

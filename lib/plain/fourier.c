/* SPDX-License-Identifier: Apache-2.0 */
/* Powers of two by halving; short lengths by the definition; other lengths as a convolution with a
 * chirp (Bluestein), which is a product of transforms whose length is a power of two: O(n log n)
 * whatever the length. */
#include "lib/plain/fourier.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846
/* Up to here the definition is as fast. */
#define SHORT_MAX 16

static bool is_power(int64_t n)
{
    return (n & (n - 1)) == 0;
}

/* exp(-2 pi i k / n) for k below count; n and k may be large, so the angle is reduced exactly. */
static void fill_circle(double *table, int64_t n, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        const double angle = 2 * PI * ((double)k / (double)n);
        table[2 * k] = cos(angle);
        table[2 * k + 1] = -sin(angle);
    }
}

static void swap_reversed(double *z, int64_t n)
{
    for (int64_t i = 1, j = 0; i < n; i++) {
        int64_t bit = n >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
        if (i < j)
            for (int part = 0; part < 2; part++) {
                const double x = z[2 * i + part];
                z[2 * i + part] = z[2 * j + part];
                z[2 * j + part] = x;
            }
    }
}

/* In place; n is a power of two, circle its first half. */
static void halve(double *z, int64_t n, const double *circle)
{
    swap_reversed(z, n);
    for (int64_t half = 1; half < n; half *= 2) {
        const int64_t step = n / half / 2;
        for (int64_t from = 0; from < n; from += 2 * half)
            for (int64_t k = 0; k < half; k++) {
                double *a = z + 2 * (from + k), *b = a + 2 * half;
                const double *w = circle + 2 * k * step;
                const double re = b[0] * w[0] - b[1] * w[1], im = b[0] * w[1] + b[1] * w[0];
                b[0] = a[0] - re;
                b[1] = a[1] - im;
                a[0] += re;
                a[1] += im;
            }
    }
}

static void define(const het__fourier *p)
{
    const int64_t n = p->length;
    for (int64_t k = 0; k < n; k++) {
        double re = 0, im = 0;
        for (int64_t j = 0; j < n; j++) {
            const double *w = p->circle + 2 * (j * k % n), *x = p->line + 2 * j;
            re += x[0] * w[0] - x[1] * w[1];
            im += x[0] * w[1] + x[1] * w[0];
        }
        p->work[2 * k] = re;
        p->work[2 * k + 1] = im;
    }
    memcpy(p->line, p->work, (size_t)n * 2 * sizeof(double));
}

static void times(double *x, const double *a, const double *b)
{
    const double re = a[0] * b[0] - a[1] * b[1], im = a[0] * b[1] + a[1] * b[0];
    x[0] = re;
    x[1] = im;
}

static void convolve(const het__fourier *p)
{
    const int64_t n = p->length, m = p->padded;
    memset(p->work, 0, (size_t)m * 2 * sizeof(double));
    for (int64_t k = 0; k < n; k++)
        times(p->work + 2 * k, p->line + 2 * k, p->chirp + 2 * k);
    halve(p->work, m, p->circle);
    for (int64_t k = 0; k < m; k++) {
        times(p->work + 2 * k, p->work + 2 * k, p->spread + 2 * k);
        p->work[2 * k + 1] = -p->work[2 * k + 1]; /* the way back is that of the conjugate */
    }
    halve(p->work, m, p->circle);
    for (int64_t k = 0; k < n; k++) {
        double *z = p->work + 2 * k;
        z[0] /= (double)m;
        z[1] /= -(double)m;
        times(p->line + 2 * k, z, p->chirp + 2 * k);
    }
}

/* The angle of the chirp goes by k * k modulo twice the length. */
static void fill_chirp(het__fourier *p)
{
    const int64_t n = p->length, m = p->padded;
    memset(p->spread, 0, (size_t)m * 2 * sizeof(double));
    for (int64_t k = 0, square = 0; k < n; k++) {
        const double angle = PI * ((double)square / (double)n);
        double *c = p->chirp + 2 * k;
        c[0] = cos(angle);
        c[1] = -sin(angle);
        for (int side = 0; side < (k ? 2 : 1); side++) {
            double *s = p->spread + 2 * (side ? m - k : k);
            s[0] = c[0];
            s[1] = -c[1];
        }
        square = (square + 2 * k + 1) % (2 * n);
    }
    halve(p->spread, m, p->circle);
}

het_status het__fourier_prepare(het__eval *e, int64_t length, het__fourier *p)
{
    assert(length > 0);
    memset(p, 0, sizeof *p);
    p->length = p->padded = length;
    if (length > INT64_MAX / 8)
        return het__eval_nomem(e);
    const bool is_short = length <= SHORT_MAX, has_chirp = !is_short && !is_power(length);
    if (has_chirp)
        for (p->padded = 1; p->padded < 2 * length - 1;)
            p->padded *= 2;
    const size_t n = (size_t)length, m = (size_t)p->padded, pair = 2 * sizeof(double);
    p->line = het__eval_scratch(e, n, pair);
    p->circle = het__eval_scratch(e, m, pair);
    p->work = het__eval_scratch(e, m, pair);
    if (has_chirp) {
        p->chirp = het__eval_scratch(e, n, pair);
        p->spread = het__eval_scratch(e, m, pair);
    }
    if (!p->line || !p->circle || !p->work || (has_chirp && (!p->chirp || !p->spread)))
        return het__eval_nomem(e);
    fill_circle(p->circle, p->padded, is_short ? p->padded : p->padded / 2);
    if (has_chirp)
        fill_chirp(p);
    return HET_OK;
}

static void conjugate(const het__fourier *p, double scale)
{
    for (int64_t k = 0; k < p->length; k++) {
        p->line[2 * k] *= scale;
        p->line[2 * k + 1] *= -scale;
    }
}

void het__fourier_run(const het__fourier *p, bool is_inverse)
{
    if (is_inverse)
        conjugate(p, 1);
    if (p->length <= SHORT_MAX)
        define(p);
    else if (p->chirp)
        convolve(p);
    else
        halve(p->line, p->length, p->circle);
    if (is_inverse)
        conjugate(p, 1 / (double)p->length);
}

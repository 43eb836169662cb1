/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: MT19937 with 53-bit fractions, as NumPy's RandomState draws them, so that a seed
 * gives the numbers that ONNX's reference gives. Without a seed the node's name is the seed: runs
 * repeat, and nodes differ. */
#include <math.h>

#include "lib/plain/chunk.h"

#define WORDS 624
#define MIDDLE 397

/* Constants of M. Matsumoto and T. Nishimura, "Mersenne Twister", 1998. */
typedef struct generator {
    uint32_t words[WORDS];
    uint32_t next;
    double spare; /* normal numbers come in pairs */
    bool has_spare;
} generator;

static void seed(generator *g, uint32_t value)
{
    g->words[0] = value;
    for (uint32_t i = 1; i < WORDS; i++)
        g->words[i] = 1812433253u * (g->words[i - 1] ^ g->words[i - 1] >> 30) + i;
    g->next = WORDS;
    g->has_spare = false;
}

/* FNV-1a. */
static uint32_t hash_of(const char *name)
{
    uint32_t h = 2166136261u;
    for (; name && *name; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return h;
}

static void seed_from(generator *g, const het__eval *e)
{
    /* An integer for Dropout, a float elsewhere, whose fraction is cut off. */
    const het__attr *i = het__attr_find(e->attrs, "seed", HET__ATTR_INT);
    const float f = het__attr_float(e->attrs, "seed", NAN);
    if (i)
        seed(g, (uint32_t)(uint64_t)i->u.i);
    else if (f >= -0x1p62f && f <= 0x1p62f)
        seed(g, (uint32_t)(uint64_t)(int64_t)f);
    else
        seed(g, hash_of(e->node->name));
}

static void refill(generator *g)
{
    uint32_t *w = g->words;
    for (uint32_t i = 0; i < WORDS; i++) {
        const uint32_t y = (w[i] & 0x80000000u) | (w[(i + 1) % WORDS] & 0x7fffffffu);
        w[i] = w[(i + MIDDLE) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    g->next = 0;
}

static uint32_t draw(generator *g)
{
    if (g->next == WORDS)
        refill(g);
    uint32_t y = g->words[g->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* In [0, 1). */
static double uniform(generator *g)
{
    const uint32_t high = draw(g) >> 5, low = draw(g) >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
}

/* Mean 0, variance 1: Marsaglia's polar method. */
static double normal(generator *g)
{
    if (g->has_spare) {
        g->has_spare = false;
        return g->spare;
    }
    double x, y, square;
    do {
        x = 2 * uniform(g) - 1;
        y = 2 * uniform(g) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = sqrt(-2 * log(square) / square);
    g->spare = factor * x;
    g->has_spare = true;
    return factor * y;
}

het_status het__plain_random(het__eval *e)
{
    const het__tensor *y = &e->outputs[0];
    const het__op op = e->node->op;
    const bool is_normal = op == HET__OP_T_RANDOM_NORMAL || op == HET__OP_T_RANDOM_NORMAL_LIKE;
    const double from = (double)(is_normal ? het__attr_float(e->attrs, "mean", 0)
                                           : het__attr_float(e->attrs, "low", 0));
    const double span = is_normal ? (double)het__attr_float(e->attrs, "scale", 1)
                                  : (double)het__attr_float(e->attrs, "high", 1) - from;
    const int64_t total = het__tensor_elements(y);
    generator g;
    seed_from(&g, e);
    for (int64_t i = 0; i < total; i++) {
        const double x = is_normal ? normal(&g) : uniform(&g);
        if (op == HET__OP_T_BERNOULLI)
            het__put_f64(y->dtype, y->data, i,
                         x < het__get_f64(e->inputs[0].dtype, e->inputs[0].data, i));
        else
            het__put_f64(y->dtype, y->data, i, from + x * span);
    }
    return HET_OK;
}

/* exp(x - the row's largest), added up from class to class. */
static void fill_sums(const het__tensor *x, int64_t row, double *sums)
{
    const int64_t classes = x->extent[1];
    double most = -HUGE_VAL, sum = 0;
    for (int64_t c = 0; c < classes; c++)
        most = fmax(most, het__get_f64(x->dtype, x->data, row * classes + c));
    for (int64_t c = 0; c < classes; c++) {
        sum += exp(het__get_f64(x->dtype, x->data, row * classes + c) - most);
        sums[c] = sum;
    }
}

/* The first class whose sum is above; the last one where none is (NaN among the inputs). */
static int64_t class_of(const double *sums, int64_t classes, double at)
{
    int64_t first = 0, end = classes - 1;
    while (first < end) {
        const int64_t middle = first + (end - first) / 2;
        if (sums[middle] > at)
            end = middle;
        else
            first = middle + 1;
    }
    return first;
}

het_status het__plain_multinomial(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *y = &e->outputs[0];
    const int64_t classes = x->extent[1], samples = y->extent[1];
    double *sums = het__eval_scratch(e, (size_t)classes, sizeof *sums);
    generator g;
    if (!sums)
        return het__eval_nomem(e);
    seed_from(&g, e);
    for (int64_t row = 0; row < x->extent[0]; row++) {
        fill_sums(x, row, sums);
        for (int64_t s = 0; s < samples; s++)
            het__put_i64(y->dtype, y->data, row * samples + s,
                         class_of(sums, classes, uniform(&g) * sums[classes - 1]));
    }
    return HET_OK;
}

/* ---- Dropout ---- */

static het_status drop(het__eval *e, double ratio)
{
    const het__tensor *x = &e->inputs[0], *y = &e->outputs[0];
    const int64_t total = het__tensor_elements(x);
    generator g;
    seed_from(&g, e);
    for (int64_t i = 0; i < total; i++) {
        const bool keep = uniform(&g) >= ratio;
        const double v = het__get_f64(x->dtype, x->data, i);
        het__put_f64(y->dtype, y->data, i, keep ? v / (1 - ratio) : 0);
        if (e->output_count > 1)
            het__put_i64(e->outputs[1].dtype, e->outputs[1].data, i, keep);
    }
    return HET_OK;
}

het_status het__plain_dropout(het__eval *e)
{
    const het__tensor *ratio = het__eval_input(e, 1), *training = het__eval_input(e, 2);
    const double part = ratio ? het__get_f64(ratio->dtype, ratio->data, 0) : 0.5;
    if (training && het__get_i64(training->dtype, training->data, 0) && part != 0) {
        if (!(part >= 0 && part < 1))
            return het__eval_refuse(e, "ratio is not in [0, 1)");
        return drop(e, part);
    }
    const int64_t total = het__tensor_elements(&e->inputs[0]);
    for (int64_t i = 0; e->output_count > 1 && i < total; i++)
        het__put_f64(e->outputs[1].dtype, e->outputs[1].data, i, 1);
    return het__plain_identity(e);
}

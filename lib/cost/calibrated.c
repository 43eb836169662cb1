/* SPDX-License-Identifier: Apache-2.0 */
/* Rates fitted to samples, and costs by them.
 *
 * Every class of work, and every format within a class, has five positive factors, one per term of
 * the cost. They are fitted together to the logarithms of the measured times, each drawn to that of
 * its parent (format -> class -> all classes -> what the ceilings say), so that a class which was
 * never measured costs what the others suggest, and a format with two samples does not run away.
 * How strongly is one number per term: efficiencies of arithmetic differ little between classes,
 * launches much. A cost grows with each of its terms, is positive and continuous, whatever the
 * samples.
 *
 * The same fit gives the covariance of the factors, and with it how sure each cost is. */
#include "lib/cost/cost.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "lib/base/error.h"

#define TERMS HET__TERM_COUNT
#define CLASSES HET__WORK_CLASS_COUNT
#define NODES_MAX (1 + HET__CALIBRATION_RATES_MAX)

/* A quarter of the shorter of computing and reading hides behind the longer. On the networks of
 * tests/validation 0, 1/4 and 1/2 differ by about two points of median error, 1 is worse. */
#define OVERLAP 0.25
/* Share of the launch that is left where an operation is not worth sharing. */
#define LAUNCH_ALONE 0.1

/* Standard deviations of a factor's logarithm around its parent's, from the same networks: with
 * half or twice of all the median error changes by a point. What products reach of a peak is much
 * the same; what an operation of other classes is worth is not. */
static const double spread_of[TERMS] = { 0.8, 0.11, 0.35, 0.35, 0.35 };
#define COMPUTE_SPREAD_OTHERS 1.0
#define COMPUTE_SPREAD_FORMATS 0.5 /* of a class: other units, other kernels */
/* Of a time of a kernel and shape that no sample has, beside what the fit itself leaves open: with
 * it 85 % of the time of networks that were not fitted on is in groups within their ranges. */
#define UNSEEN 0.2
#define ROOT_SPREAD 1.8
/* What kernels reach of ceilings before anything is known: factors of launch, compute, bytes. */
static const double prior_of[TERMS] = { 1, 2, 1.5, 1.5, 1.5 };

/* Of the logarithm of a time around the model: where the fit starts, and its bounds. */
#define RESIDUAL_FIRST 0.25
#define RESIDUAL_LEAST 0.05
#define RESIDUAL_MOST 0.5
/* Times further from the model than this count less: interrupted, or a kernel of another kind. */
#define OUTLIER 0.3
#define ROUNDS 30
#define STEP_MOST 1.0
#define CONVERGED 1e-4
#define FACTOR_MOST 14.0 /* of a logarithm: a million times */
/* Four times of five lie within this many standard deviations. */
#define QUANTILE 1.2816

/* ---- terms ---- */

static void terms_of(const het__work_item *item, const het__calibration *c, double *x)
{
    const double f32 = c->peak[HET__PEAK_F32];
    const double own = item->peak < HET__PEAK_COUNT ? c->peak[item->peak] : f32;
    const double peak = (own > f32 ? own : f32) *
                        het__cost_utilisation(item->units, c->capacity, c->in_waves);
    const double per_byte = c->bandwidth > 0 ? 1e9 / c->bandwidth : 0;
    x[HET__TERM_LAUNCH] = c->launch_ns;
    x[HET__TERM_COMPUTE] = peak > 0 ? item->flops / peak * 1e9 : 0;
    x[HET__TERM_INPUT] = item->input_bytes * per_byte;
    x[HET__TERM_OUTPUT] = item->output_bytes * per_byte;
    x[HET__TERM_WEIGHT] = item->weight_bytes * per_byte;
}

/* Cores leave to one of them what is over before the others have come to help: the launch, which is
 * that of a shared operation, is no longer than what the others would have done of it, and a part
 * of itself. How many take part, where that is so; else 0. */
static double sharers_of(const het__calibration *c)
{
    return !c->in_waves && c->capacity > 1 ? c->capacity : 0;
}

/* Adapts the parts; what the launch comes to. */
static double limit_launch(double *part, double work, double sharers)
{
    const double shared = part[HET__TERM_LAUNCH], least = LAUNCH_ALONE * shared;
    const double alone = (sharers - 1) * work + least;
    if (!(sharers > 0) || alone >= shared)
        return shared;
    part[HET__TERM_LAUNCH] = least;
    for (int j = HET__TERM_COMPUTE; j < TERMS; j++)
        part[j] *= sharers;
    return alone;
}

/* Time by factors, and what each term adds to it: the derivatives by the factors' logarithms. */
static double combine(const double *log_factor, const double *x, double sharers, double *part)
{
    for (int j = 0; j < TERMS; j++)
        part[j] = x[j] > 0 ? x[j] * exp(log_factor[j]) : 0;
    const double compute = part[HET__TERM_COMPUTE];
    const double memory = part[HET__TERM_INPUT] + part[HET__TERM_OUTPUT] + part[HET__TERM_WEIGHT];
    const double hidden = 1 - OVERLAP;
    if (compute > memory) {
        for (int j = HET__TERM_INPUT; j < TERMS; j++)
            part[j] *= hidden;
    } else {
        part[HET__TERM_COMPUTE] *= hidden;
    }
    const double work = fmax(compute, memory) + hidden * fmin(compute, memory);
    return work + limit_launch(part, work, sharers);
}

/* ---- the tree of rates: node 0 is all classes, then the calibration's rates ---- */

static uint32_t find_rate(const het__calibration *c, const het__work_item *item)
{
    for (uint32_t r = CLASSES; r < c->rate_count; r++)
        if (c->rates[r].work_class == item->work_class && c->rates[r].format == item->format &&
            c->rates[r].peak == item->peak)
            return r;
    return item->work_class < CLASSES ? item->work_class : (uint32_t)HET__WORK_OTHER;
}

static het__calibration_rate *add_rate(het__calibration *c, uint32_t work_class, uint32_t format,
                                       uint32_t peak)
{
    het__calibration_rate *r = &c->rates[c->rate_count++];
    memset(r, 0, sizeof *r);
    r->work_class = work_class;
    r->format = format;
    r->peak = peak;
    return r;
}

static uint32_t times_of(const het__work_item *item)
{
    return item->times ? item->times : 1;
}

/* A class has rates of its formats only where there are several. */
static void make_rates(het__calibration *c)
{
    bool several[CLASSES] = { false };
    const het__work_item *first[CLASSES] = { NULL };
    c->rate_count = 0;
    for (uint32_t k = 0; k < CLASSES; k++)
        add_rate(c, k, HET__RATE_ANY, HET__RATE_ANY);
    for (uint32_t i = 0; i < c->item_count; i++) {
        const het__work_item *item = &c->items[i], **f = &first[item->work_class];
        if (!*f)
            *f = item;
        several[item->work_class] |= (*f)->format != item->format || (*f)->peak != item->peak;
    }
    for (uint32_t i = 0; i < c->item_count; i++) {
        const het__work_item *item = &c->items[i];
        uint32_t r = find_rate(c, item);
        if (r < CLASSES && several[r] && c->rate_count < HET__CALIBRATION_RATES_MAX) {
            r = c->rate_count;
            add_rate(c, item->work_class, item->format, item->peak);
        }
        c->rates[r].sample_count += times_of(item);
        if (r >= CLASSES)
            c->rates[item->work_class].sample_count += times_of(item);
    }
}

typedef struct fit {
    het__calibration *c;
    uint32_t nodes, size;  /* size = nodes * TERMS */
    double *theta;         /* logarithms of factors, per node */
    double *h, *g;         /* size x size, size */
    double *row;           /* size: derivatives of one sample */
    double *step;
    double (*x)[TERMS];    /* per item */
    uint32_t *node;        /* per item: its node's slot */
    double variance;
} fit;

/* Nodes stand in memory from formats to the root: elimination in that order leaves most of what is
 * zero as it is. */
static uint32_t slot_of(const fit *f, uint32_t node)
{
    return f->nodes - 1 - node;
}

static uint32_t parent_of(const fit *f, uint32_t node)
{
    return node <= CLASSES ? 0 : 1 + f->c->rates[node - 1].work_class;
}

/* ---- one round ---- */

static double sample_time(const fit *f, const het__calibration_sample *s, double *row)
{
    const double sharers = sharers_of(f->c);
    double ns = 0;
    for (uint32_t i = s->first_item; i < s->first_item + s->item_count; i++) {
        double part[TERMS];
        const uint32_t at = f->node[i] * TERMS;
        const double times = times_of(&f->c->items[i]);
        ns += times * combine(f->theta + at, f->x[i], sharers, part);
        for (int j = 0; row && j < TERMS; j++)
            row[at + (uint32_t)j] += times * part[j];
    }
    return ns > DBL_MIN ? ns : DBL_MIN;
}

static double weight_of(double residual)
{
    return fabs(residual) > OUTLIER ? OUTLIER / fabs(residual) : 1;
}

/* Slots that a sample touches, each once. */
static uint32_t touched(const fit *f, const het__calibration_sample *s, uint32_t *list)
{
    bool seen[NODES_MAX] = { false };
    uint32_t count = 0;
    for (uint32_t i = s->first_item; i < s->first_item + s->item_count; i++)
        if (!seen[f->node[i]]) {
            seen[f->node[i]] = true;
            list[count++] = f->node[i];
        }
    return count;
}

static void add_sample(fit *f, const het__calibration_sample *s)
{
    uint32_t list[NODES_MAX];
    const uint32_t count = touched(f, s, list);
    const double ns = sample_time(f, s, f->row);
    const double residual = log(ns / s->ns), weight = weight_of(residual) / f->variance;
    for (uint32_t a = 0; a < count; a++)
        for (uint32_t i = list[a] * TERMS; i < (list[a] + 1) * TERMS; i++) {
            const double di = f->row[i] / ns;
            f->g[i] += weight * residual * di;
            for (uint32_t b = 0; b < count; b++)
                for (uint32_t k = list[b] * TERMS; k < (list[b] + 1) * TERMS; k++)
                    f->h[i * f->size + k] += weight * di * f->row[k] / ns;
        }
    for (uint32_t a = 0; a < count; a++)
        memset(f->row + list[a] * TERMS, 0, TERMS * sizeof *f->row);
}

static double spread_at(uint32_t node, uint32_t term)
{
    if (node == 0)
        return ROOT_SPREAD;
    if (term != HET__TERM_COMPUTE)
        return spread_of[term];
    return node > CLASSES                     ? COMPUTE_SPREAD_FORMATS
           : node - 1 > HET__WORK_CONV_POINT ? COMPUTE_SPREAD_OTHERS : spread_of[term];
}

/* Every factor is drawn to its parent's, the root's to what is known before. */
static void add_priors(fit *f)
{
    for (uint32_t n = 0; n < f->nodes; n++)
        for (uint32_t j = 0; j < TERMS; j++) {
            const uint32_t i = slot_of(f, n) * TERMS + j;
            const uint32_t p = slot_of(f, parent_of(f, n)) * TERMS + j;
            const double pull = 1 / (spread_at(n, j) * spread_at(n, j));
            const double off = f->theta[i] - (n == 0 ? log(prior_of[j]) : f->theta[p]);
            f->h[i * f->size + i] += pull;
            f->g[i] += pull * off;
            if (n == 0)
                continue;
            f->h[p * f->size + p] += pull;
            f->h[i * f->size + p] -= pull;
            f->h[p * f->size + i] -= pull;
            f->g[p] -= pull * off;
        }
}

static void assemble(fit *f)
{
    memset(f->h, 0, (size_t)f->size * f->size * sizeof *f->h);
    memset(f->g, 0, f->size * sizeof *f->g);
    for (uint32_t s = 0; s < f->c->sample_count; s++)
        add_sample(f, &f->c->samples[s]);
    add_priors(f);
}

/* The upper half of h becomes U of h = UᵀU; h is positive definite by its priors. */
static void factor(fit *f)
{
    const uint32_t n = f->size;
    for (uint32_t k = 0; k < n; k++) {
        double *rk = f->h + (size_t)k * n;
        const double pivot = sqrt(rk[k] > 1e-12 ? rk[k] : 1e-12);
        for (uint32_t j = k; j < n; j++)
            rk[j] /= pivot;
        for (uint32_t i = k + 1; i < n; i++) {
            const double times = rk[i];
            if (times == 0) /* exactly: never touched */
                continue;
            double *ri = f->h + (size_t)i * n;
            for (uint32_t j = i; j < n; j++)
                ri[j] -= times * rk[j];
        }
    }
}

/* first: entries of b before it are zero. */
static void solve(const fit *f, double *b, uint32_t first)
{
    const uint32_t n = f->size;
    for (uint32_t k = first; k < n; k++) {
        const double *rk = f->h + (size_t)k * n;
        b[k] /= rk[k];
        for (uint32_t i = k + 1; i < n && b[k] != 0; i++)
            b[i] -= rk[i] * b[k];
    }
    for (uint32_t i = n; i-- > 0;) {
        const double *ri = f->h + (size_t)i * n;
        for (uint32_t k = i + 1; k < n; k++)
            b[i] -= ri[k] * b[k];
        b[i] /= ri[i];
    }
}

/* The greatest change of a factor's logarithm. */
static double advance(fit *f)
{
    double most = 0;
    for (uint32_t i = 0; i < f->size; i++)
        f->step[i] = -f->g[i];
    solve(f, f->step, 0);
    for (uint32_t i = 0; i < f->size; i++)
        most = fmax(most, fabs(f->step[i]));
    const double scale = most > STEP_MOST ? STEP_MOST / most : 1;
    for (uint32_t i = 0; i < f->size; i++)
        f->theta[i] = fmin(fmax(f->theta[i] + scale * f->step[i], -FACTOR_MOST), FACTOR_MOST);
    return most;
}

static void estimate_variance(fit *f)
{
    double sum = 0;
    for (uint32_t s = 0; s < f->c->sample_count; s++) {
        const double r = log(sample_time(f, &f->c->samples[s], NULL) / f->c->samples[s].ns);
        sum += weight_of(r) * r * r;
    }
    const double sd = f->c->sample_count ? sqrt(sum / f->c->sample_count) : RESIDUAL_FIRST;
    const double bounded = fmin(fmax(sd, RESIDUAL_LEAST), RESIDUAL_MOST);
    f->variance = bounded * bounded;
}

/* ---- the fit ---- */

static bool reserve(fit *f, het__arena *arena)
{
    const het__calibration *c = f->c;
    f->nodes = 1 + c->rate_count;
    f->size = f->nodes * TERMS;
    f->theta = het__arena_zero(arena, f->size, sizeof *f->theta);
    f->h = het__arena_zero(arena, (size_t)f->size * f->size, sizeof *f->h);
    f->g = het__arena_zero(arena, f->size, sizeof *f->g);
    f->row = het__arena_zero(arena, f->size, sizeof *f->row);
    f->step = het__arena_zero(arena, f->size, sizeof *f->step);
    f->x = het__arena_zero(arena, (size_t)c->item_count + 1, sizeof *f->x);
    f->node = het__arena_zero(arena, (size_t)c->item_count + 1, sizeof *f->node);
    return f->theta && f->h && f->g && f->row && f->step && f->x && f->node;
}

static void start(fit *f)
{
    for (uint32_t i = 0; i < f->size; i++)
        f->theta[i] = log(prior_of[i % TERMS]);
    for (uint32_t i = 0; i < f->c->item_count; i++) {
        terms_of(&f->c->items[i], f->c, f->x[i]);
        f->node[i] = slot_of(f, 1 + find_rate(f->c, &f->c->items[i]));
    }
    f->variance = RESIDUAL_FIRST * RESIDUAL_FIRST;
}

/* Rates are the nodes behind the root; covariances are blocks of the inverse of h. */
static void take(fit *f)
{
    assemble(f);
    factor(f);
    for (uint32_t r = 0; r < f->c->rate_count; r++) {
        het__calibration_rate *rate = &f->c->rates[r];
        const uint32_t at = slot_of(f, r + 1) * TERMS;
        memcpy(rate->log_factor, f->theta + at, sizeof rate->log_factor);
        for (uint32_t j = 0; j < TERMS; j++) {
            memset(f->step, 0, f->size * sizeof *f->step);
            f->step[at + j] = 1;
            solve(f, f->step, at + j);
            memcpy(rate->covariance[j], f->step + at, sizeof rate->covariance[j]);
        }
    }
    f->c->residual = sqrt(f->variance);
}

het_status het__calibration_fit(het__calibration *c, het__mem *mem, het_error *err)
{
    het__arena arena;
    fit f = { .c = c };
    make_rates(c);
    het__arena_init(&arena, mem);
    if (!reserve(&f, &arena)) {
        het__arena_finish(&arena);
        c->rate_count = 0;
        return het__fail_nomem(err, "the rates of a calibration");
    }
    start(&f);
    for (int round = 0; round < ROUNDS; round++) {
        assemble(&f);
        factor(&f);
        const double change = advance(&f);
        if (round >= 3)
            estimate_variance(&f);
        if (change < CONVERGED)
            break;
    }
    take(&f);
    het__arena_finish(&arena);
    return HET_OK;
}

/* ---- costs ---- */

static double variance_of(const het__calibration_rate *rate, const double *part, double ns)
{
    double sum = 0;
    for (int i = 0; i < TERMS; i++)
        for (int j = 0; j < TERMS; j++)
            sum += part[i] * rate->covariance[i][j] * part[j];
    return ns > 0 && sum > 0 ? sum / (ns * ns) : 0;
}

void het__cost_calibrated(const het__work_item *item, const het__calibration *c, het__cost *cost)
{
    double x[TERMS], part[TERMS];
    assert(c->rate_count >= CLASSES);
    const het__calibration_rate *rate = &c->rates[find_rate(c, item)];
    terms_of(item, c, x);
    cost->ns = combine(rate->log_factor, x, sharers_of(c), part);
    cost->overlap = OVERLAP;
    cost->compute_ns = x[HET__TERM_COMPUTE] * exp(rate->log_factor[HET__TERM_COMPUTE]);
    cost->memory_ns = 0;
    for (int j = HET__TERM_INPUT; j < TERMS; j++)
        cost->memory_ns += x[j] * exp(rate->log_factor[j]);
    cost->launch_ns = cost->ns - fmax(cost->compute_ns, cost->memory_ns) -
                      (1 - OVERLAP) * fmin(cost->compute_ns, cost->memory_ns);
    cost->launch_ns = cost->launch_ns > 0 ? cost->launch_ns : 0; /* rounding */
    const double sd = sqrt(c->residual * c->residual + UNSEEN * UNSEEN +
                           variance_of(rate, part, cost->ns));
    cost->low_ns = cost->ns * exp(-QUANTILE * sd);
    cost->high_ns = cost->ns * exp(QUANTILE * sd);
}

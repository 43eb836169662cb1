/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a token: bias, filters in the chosen order, one draw.
 *
 * Candidates are an array of (logit, id), always in the order of ids; a filter removes some and
 * keeps the order. "Better" is the higher logit, and the lower id among equals, so the order of
 * candidates by quality is total, and which are the k best is never ambiguous. Filters that need
 * that order find the last candidate that stays by quickselect on a copy: O(n) on average, with
 * pivots from a fixed sequence, so that the time does not hang on the order of the logits. */
#include "lib/generate/sampler.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/options.h"

typedef struct candidate {
    double logit;
    int32_t id;
} candidate;

/* A candidate in the copy that is searched. */
typedef struct ranked {
    double logit;
    double mass;
    int32_t id;
} ranked;

typedef struct recent {
    int32_t id;
    int32_t count; /* > 0 */
} recent;

struct het_sampler {
    /* Immutable after creation. */
    het__mem *mem;
    void *owner;
    void (*release)(void *owner);
    het_sampler_options options;
    het_logit_bias *bias;
    /* Exclusive to the caller. */
    uint64_t random[4];
    int32_t *window;       /* ring of penalty_window ids */
    size_t window_first, window_count;
    recent *recents;       /* the ids of the window, ascending */
    size_t recent_count;
    candidate *candidates;
    ranked *copy;
    size_t capacity;       /* of both */
};

double het__exp_negative(double x)
{
    /* x = k ln 2 + r, |r| <= 0.35; the two parts of ln 2 make k ln 2 exact enough. */
    static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    static const double inverse_factorial[14] = {
        1,           1,            1.0 / 2,       1.0 / 6,        1.0 / 24,
        1.0 / 120,   1.0 / 720,    1.0 / 5040,    1.0 / 40320,    1.0 / 362880,
        1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
    };
    if (!(x > -708.0))
        return 0.0;
    const int k = (int)(x * 0x1.71547652b82fep+0 - 0.5);
    const double r = (x - k * ln2_high) - k * ln2_low;
    double sum = inverse_factorial[13]; /* r^14 / 14! is below half a unit in the last place */
    for (int i = 12; i >= 0; i--)
        sum = sum * r + inverse_factorial[i];
    const uint64_t bits = (uint64_t)(k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

/* splitmix64, for seeding, and xoshiro256**: both by D. Blackman and S. Vigna
 * (https://prng.di.unimi.it), in the public domain; written after their description. */
static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static uint64_t next_random(uint64_t s[4])
{
    const uint64_t result = rotate(s[1] * 5, 7) * 9;
    const uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

static het_status check_order(const het_sampler_options *o, het_error *err)
{
    bool seen[HET_FILTER_MIN_P + 1] = { false };
    for (size_t i = 0; i < sizeof o->order && o->order[i] != HET_FILTER_NONE; i++) {
        const uint8_t filter = o->order[i];
        if (filter > HET_FILTER_MIN_P)
            return het__fail(err, HET_E_INVALID, "order[%zu] is %u, which is not a filter", i,
                             filter);
        if (seen[filter])
            return het__fail(err, HET_E_INVALID, "order[%zu] repeats filter %u", i, filter);
        seen[filter] = true;
    }
    return HET_OK;
}

static het_status check_bias(const het_sampler_options *o, het_error *err)
{
    if (o->bias_count > 0 && !o->bias)
        return het__fail(err, HET_E_INVALID, "bias is NULL, bias_count %zu", o->bias_count);
    for (size_t i = 0; i < o->bias_count; i++) {
        if (o->bias[i].id < 0)
            return het__fail(err, HET_E_INVALID, "bias[%zu].id is %d", i, o->bias[i].id);
        if (isnan(o->bias[i].bias) || o->bias[i].bias > FLT_MAX)
            return het__fail(err, HET_E_INVALID, "bias[%zu].bias is %g", i,
                             (double)o->bias[i].bias);
    }
    return HET_OK;
}

/* One number in [low, high]; NaN is outside. */
static het_status check_range(const char *name, double value, double low, double high,
                              het_error *err)
{
    if (value >= low && value <= high)
        return HET_OK;
    return het__fail(err, HET_E_INVALID, "%s is %g, not in [%g, %g]", name, value, low, high);
}

static het_status check_ranges(const het_sampler_options *o, het_error *err)
{
    const struct {
        const char *name;
        double value, low, high;
    } ranges[] = {
        { "temperature", (double)o->temperature, 0, FLT_MAX },
        { "top_k", o->top_k, HET_OFF, INT32_MAX },
        { "top_p", o->top_p == HET_OFF ? 0.0 : (double)o->top_p, 0, 1 },
        { "min_p", (double)o->min_p, 0, 1 },
        { "repeat_penalty", (double)o->repeat_penalty, 0, FLT_MAX },
        { "frequency_penalty", (double)o->frequency_penalty, -FLT_MAX, FLT_MAX },
        { "presence_penalty", (double)o->presence_penalty, -FLT_MAX, FLT_MAX },
        { "penalty_window", o->penalty_window, 0, HET__PENALTY_WINDOW_MAX },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const het_status status = check_range(ranges[i].name, ranges[i].value, ranges[i].low,
                                              ranges[i].high, err);
        if (status != HET_OK)
            return status;
    }
    if (o->flags & ~HET_SAMPLER_GREEDY)
        return het__fail(err, HET_E_INVALID, "flags is 0x%x", o->flags);
    return HET_OK;
}

static void put_defaults(het_sampler_options *o)
{
    static const uint8_t order[] = { HET_FILTER_PENALTIES, HET_FILTER_TEMPERATURE,
                                     HET_FILTER_TOP_K, HET_FILTER_TOP_P, HET_FILTER_MIN_P };
    if (o->temperature == 0.0f)
        o->temperature = 0.7f;
    if (o->top_k == 0)
        o->top_k = 50;
    if (o->top_p == 0.0f)
        o->top_p = 0.9f;
    if (o->repeat_penalty == 0.0f)
        o->repeat_penalty = 1.0f;
    if (o->penalty_window == 0)
        o->penalty_window = 64;
    if (o->order[0] == HET_FILTER_NONE)
        memcpy(o->order, order, sizeof order);
}

het_status het__sampler_check(const het_sampler_options *options, het_sampler_options *checked,
                              het_error *err)
{
    het_sampler_options o;
    het_status status = het__options_read(&o, sizeof o, options, "het_sampler_options", err);
    if (status == HET_OK)
        status = check_ranges(&o, err);
    if (status == HET_OK)
        status = check_bias(&o, err);
    if (status == HET_OK)
        status = check_order(&o, err);
    if (status != HET_OK)
        return status;
    put_defaults(&o);
    *checked = o;
    return HET_OK;
}

het_status het__sampler_create(het__mem *mem, const het_sampler_options *checked,
                               het_sampler **sampler, het_error *err)
{
    *sampler = NULL;
    het_sampler *s = het__alloc_zero(mem, 1, sizeof *s);
    if (!s)
        return het__fail_nomem(err, "a sampler");
    s->mem = mem;
    s->options = *checked;
    const size_t window = (size_t)checked->penalty_window;
    s->bias = het__alloc_zero(mem, checked->bias_count, sizeof *s->bias);
    s->window = het__alloc_zero(mem, window, sizeof *s->window);
    s->recents = het__alloc_zero(mem, window, sizeof *s->recents);
    if (!s->bias || !s->window || !s->recents) {
        het__sampler_destroy(s);
        return het__fail_nomem(err, "a sampler");
    }
    if (checked->bias_count > 0)
        memcpy(s->bias, checked->bias, checked->bias_count * sizeof *s->bias);
    s->options.bias = s->bias;
    het__sampler_reset(s);
    *sampler = s;
    return HET_OK;
}

void het__sampler_set_owner(het_sampler *sampler, void *owner, void (*release)(void *))
{
    sampler->owner = owner;
    sampler->release = release;
}

void het__sampler_destroy(het_sampler *sampler)
{
    if (!sampler)
        return;
    void (*const release)(void *) = sampler->release;
    void *const owner = sampler->owner;
    het__mem *mem = sampler->mem;
    het__free(mem, sampler->copy);
    het__free(mem, sampler->candidates);
    het__free(mem, sampler->recents);
    het__free(mem, sampler->window);
    het__free(mem, sampler->bias);
    het__free(mem, sampler);
    if (release)
        release(owner);
}

void het__sampler_reset(het_sampler *sampler)
{
    uint64_t state = sampler->options.seed;
    for (int i = 0; i < 4; i++)
        sampler->random[i] = split_mix(&state);
    sampler->window_first = sampler->window_count = sampler->recent_count = 0;
}

/* Index of id among the recents, or where it belongs. */
static size_t recent_place(const het_sampler *s, int32_t id)
{
    size_t low = 0, high = s->recent_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (s->recents[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void forget_oldest(het_sampler *s)
{
    const size_t i = recent_place(s, s->window[s->window_first]);
    assert(i < s->recent_count && s->recents[i].id == s->window[s->window_first]);
    if (--s->recents[i].count == 0) {
        s->recent_count--;
        memmove(&s->recents[i], &s->recents[i + 1],
                (s->recent_count - i) * sizeof *s->recents);
    }
    s->window_first = (s->window_first + 1) % (size_t)s->options.penalty_window;
    s->window_count--;
}

void het__sampler_accept(het_sampler *sampler, int32_t id)
{
    const size_t size = (size_t)sampler->options.penalty_window;
    if (sampler->window_count == size)
        forget_oldest(sampler);
    sampler->window[(sampler->window_first + sampler->window_count++) % size] = id;
    const size_t i = recent_place(sampler, id);
    if (i < sampler->recent_count && sampler->recents[i].id == id) {
        sampler->recents[i].count++;
        return;
    }
    memmove(&sampler->recents[i + 1], &sampler->recents[i],
            (sampler->recent_count - i) * sizeof *sampler->recents);
    sampler->recents[i] = (recent){ id, 1 };
    sampler->recent_count++;
}

static bool better(double logit, int32_t id, const ranked *than)
{
    return logit > than->logit || (logit == than->logit && id < than->id);
}

static size_t best_of(const candidate *c, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (c[i].logit > c[best].logit)
            best = i;
    return best;
}

/* Keep the last candidate that stays, and all that are better. */
static size_t keep_through(candidate *c, size_t count, const ranked *last)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (c[i].id == last->id || better(c[i].logit, c[i].id, last))
            c[kept++] = c[i];
    return kept;
}

/* Among copy[0, count): the best candidate such that it and all better ones weigh at least need;
 * the worst one if all together do not. Each candidate weighs its mass. */
static ranked select_by_mass(ranked *copy, size_t count, double need)
{
    size_t low = 0, high = count; /* what is sought lies in [low, high) */
    uint64_t state = count;
    while (high - low > 1) {
        const ranked pivot = copy[low + split_mix(&state) % (high - low)];
        size_t middle = low;
        double mass = 0;
        for (size_t i = low; i < high; i++) {
            if (!better(copy[i].logit, copy[i].id, &pivot))
                continue;
            const ranked swap = copy[i];
            copy[i] = copy[middle];
            copy[middle++] = swap;
            mass += swap.mass;
        }
        if (mass >= need) {
            high = middle;
        } else {
            /* The pivot is the best of the rest: it is sought, or what is comes after it. */
            size_t at = middle;
            while (copy[at].id != pivot.id)
                at++;
            copy[at] = copy[middle];
            copy[middle] = pivot;
            need -= mass + pivot.mass;
            if (need <= 0 || middle + 1 == high)
                return pivot;
            low = middle + 1;
        }
    }
    return copy[low];
}

static size_t keep_top_k(het_sampler *s, size_t count)
{
    const int32_t k = s->options.top_k;
    if (k == HET_OFF || (size_t)k >= count)
        return count;
    for (size_t i = 0; i < count; i++)
        s->copy[i] = (ranked){ s->candidates[i].logit, 1.0, s->candidates[i].id };
    const ranked last = select_by_mass(s->copy, count, k);
    return keep_through(s->candidates, count, &last);
}

/* Masses relative to the best candidate's. */
static double mass_of(const candidate *c, double best)
{
    return het__exp_negative(c->logit - best);
}

static size_t keep_top_p(het_sampler *s, size_t count)
{
    const candidate *const c = s->candidates;
    if (s->options.top_p == HET_OFF || s->options.top_p >= 1.0f)
        return count;
    const double best = c[best_of(c, count)].logit;
    double total = 0;
    for (size_t i = 0; i < count; i++) {
        s->copy[i] = (ranked){ c[i].logit, mass_of(&c[i], best), c[i].id };
        total += s->copy[i].mass;
    }
    const ranked last = select_by_mass(s->copy, count, (double)s->options.top_p * total);
    return keep_through(s->candidates, count, &last);
}

static size_t keep_min_p(het_sampler *s, size_t count)
{
    candidate *const c = s->candidates;
    const double best = c[best_of(c, count)].logit;
    size_t kept = 0;
    for (size_t i = 0; i < count && s->options.min_p > 0.0f; i++)
        if (mass_of(&c[i], best) >= (double)s->options.min_p)
            c[kept++] = c[i];
    return s->options.min_p > 0.0f ? kept : count;
}

/* Both lists ascend by id. */
static void apply_penalties(const het_sampler *s, candidate *c, size_t count)
{
    const double repeat = (double)s->options.repeat_penalty;
    size_t i = 0;
    for (size_t r = 0; r < s->recent_count; r++) {
        const recent *const seen = &s->recents[r];
        /* With the whole vocabulary present, an id is its own index. */
        if (seen->id >= 0 && (size_t)seen->id < count && c[seen->id].id == seen->id)
            i = (size_t)seen->id;
        while (i < count && c[i].id < seen->id)
            i++;
        if (i == count || c[i].id != seen->id)
            continue;
        c[i].logit = c[i].logit > 0 ? c[i].logit / repeat : c[i].logit * repeat;
        c[i].logit -= seen->count * (double)s->options.frequency_penalty;
        c[i].logit -= (double)s->options.presence_penalty;
    }
}

static size_t apply_filter(het_sampler *s, uint8_t filter, size_t count)
{
    switch (filter) {
    case HET_FILTER_PENALTIES:
        apply_penalties(s, s->candidates, count);
        return count;
    case HET_FILTER_TEMPERATURE:
        for (size_t i = 0; i < count; i++)
            s->candidates[i].logit /= (double)s->options.temperature;
        return count;
    case HET_FILTER_TOP_K:
        return keep_top_k(s, count);
    case HET_FILTER_TOP_P:
        return keep_top_p(s, count);
    default:
        assert(filter == HET_FILTER_MIN_P);
        return keep_min_p(s, count);
    }
}

static het_status reserve(het_sampler *s, size_t count, het_error *err)
{
    if (count <= s->capacity)
        return HET_OK;
    candidate *c = het__alloc_zero(s->mem, count, sizeof *c);
    ranked *r = het__alloc_zero(s->mem, count, sizeof *r);
    if (!c || !r) {
        het__free(s->mem, c);
        het__free(s->mem, r);
        return het__fail_nomem(err, "candidates");
    }
    het__free(s->mem, s->candidates);
    het__free(s->mem, s->copy);
    s->candidates = c;
    s->copy = r;
    s->capacity = count;
    return HET_OK;
}

/* Candidates with their bias; false if no score is finite. +INFINITY is the largest float, so that
 * differences of logits are numbers. */
static bool take_logits(het_sampler *s, const float *logits, size_t count)
{
    bool finite = false;
    for (size_t i = 0; i < count; i++) {
        finite = finite || isfinite(logits[i]);
        double v = isnan(logits[i]) ? -INFINITY : (double)logits[i];
        v = v > (double)FLT_MAX ? (double)FLT_MAX : v;
        s->candidates[i] = (candidate){ v, (int32_t)i };
    }
    for (size_t i = 0; i < s->options.bias_count; i++)
        if ((size_t)s->bias[i].id < count)
            s->candidates[s->bias[i].id].logit += (double)s->bias[i].bias;
    return finite;
}

/* Forbidden tokens are no candidates. */
static size_t drop_forbidden(candidate *c, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (c[i].logit > -INFINITY)
            c[kept++] = c[i];
    return kept;
}

static int32_t draw(het_sampler *s, size_t count)
{
    const candidate *const c = s->candidates;
    const double best = c[best_of(c, count)].logit;
    const double unit = (double)(next_random(s->random) >> 11) * 0x1p-53;
    double total = 0, sum = 0;
    for (size_t i = 0; i < count; i++) {
        s->copy[i].mass = mass_of(&c[i], best);
        total += s->copy[i].mass;
    }
    const double target = unit * total; /* < total, the last sum below */
    int32_t id = c[0].id;
    for (size_t i = 0; i < count; i++) {
        sum += s->copy[i].mass;
        if (sum > target) {
            id = c[i].id;
            break;
        }
    }
    return id;
}

het_status het__sampler_sample(het_sampler *sampler, const float *logits, size_t count,
                               int32_t *id, het_error *err)
{
    const bool greedy = (sampler->options.flags & HET_SAMPLER_GREEDY) != 0;
    const het_status status = reserve(sampler, count, err);
    if (status != HET_OK)
        return status;
    const bool finite = take_logits(sampler, logits, count);
    size_t left = finite ? drop_forbidden(sampler->candidates, count) : 0;
    if (left == 0)
        return het__fail(err, HET_E_INVALID, "none of the %zu scores is finite", count);
    for (size_t i = 0; i < sizeof sampler->options.order; i++) {
        const uint8_t filter = sampler->options.order[i];
        if (filter == HET_FILTER_NONE)
            break;
        if (!greedy || filter == HET_FILTER_PENALTIES) /* the others leave the best where it is */
            left = apply_filter(sampler, filter, left);
        assert(left > 0);
    }
    *id = greedy ? sampler->candidates[best_of(sampler->candidates, left)].id
                 : draw(sampler, left);
    return HET_OK;
}

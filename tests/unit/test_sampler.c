/* SPDX-License-Identifier: Apache-2.0 */
/* Draws against the exact distribution, which is computed here by sorting, without the code under
 * test. */
#include "lib/generate/sampler.h"
#include "test.h"

#include <float.h>

#define VOCABULARY 60

static het__mem mem;

static het_sampler *make(const het_sampler_options *options)
{
    het_sampler_options checked;
    het_sampler *s = NULL;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het__sampler_check(options, &checked, &err), HET_OK);
    CHECK_INT(het__sampler_create(&mem, &checked, &s, &err), HET_OK);
    return s;
}

static int32_t sample(het_sampler *s, const float *logits, size_t count)
{
    int32_t id = -7;
    CHECK_INT(het_sampler_sample(s, logits, count, &id, NULL), HET_OK);
    return id;
}

typedef struct entry {
    int32_t id;
    double logit;
} entry;

static int by_quality(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit < y->logit ? 1 : -1;
    return x->id < y->id ? -1 : 1;
}

static double sum_of(const entry *e, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += exp(e[i].logit - e[0].logit);
    return sum;
}

/* The filter on entries that are sorted by quality. Returns how many stay. */
static size_t reference_filter(uint8_t filter, const het_sampler_options *o, const int *seen,
                               entry *e, size_t n)
{
    size_t keep = n;
    double sum = 0;
    switch (filter) {
    case HET_FILTER_PENALTIES:
        for (size_t i = 0; i < n; i++) {
            if (!seen[e[i].id])
                continue;
            e[i].logit = e[i].logit > 0 ? e[i].logit / (double)o->repeat_penalty
                                        : e[i].logit * (double)o->repeat_penalty;
            e[i].logit -= seen[e[i].id] * (double)o->frequency_penalty;
            e[i].logit -= (double)o->presence_penalty;
        }
        break;
    case HET_FILTER_TEMPERATURE:
        for (size_t i = 0; i < n; i++)
            e[i].logit /= (double)o->temperature;
        break;
    case HET_FILTER_TOP_K:
        if (o->top_k > 0 && (size_t)o->top_k < n)
            keep = (size_t)o->top_k;
        break;
    case HET_FILTER_TOP_P:
        for (keep = 0; keep < n && o->top_p > 0 && sum < (double)o->top_p * sum_of(e, n); keep++)
            sum += exp(e[keep].logit - e[0].logit);
        keep = o->top_p > 0 ? keep : n;
        break;
    case HET_FILTER_MIN_P:
        for (keep = 1; keep < n; keep++)
            if (exp(e[keep].logit - e[0].logit) < (double)o->min_p)
                break;
        break;
    default:
        break;
    }
    qsort(e, n, sizeof *e, by_quality);
    return keep;
}

static void reference(const het_sampler_options *o, const float *logits, const int *seen,
                      double *probability)
{
    static const uint8_t usual[8] = { 1, 2, 3, 4, 5, 0, 0, 0 };
    entry e[VOCABULARY];
    size_t n = VOCABULARY;
    for (int32_t i = 0; i < VOCABULARY; i++) {
        probability[i] = 0;
        e[i] = (entry){ i, (double)logits[i] };
        for (size_t b = 0; b < o->bias_count; b++)
            if (o->bias[b].id == i)
                e[i].logit += (double)o->bias[b].bias;
    }
    qsort(e, n, sizeof *e, by_quality);
    while (n > 0 && e[n - 1].logit < -DBL_MAX)
        n--;
    const uint8_t *order = o->order[0] ? o->order : usual;
    for (int i = 0; i < 8 && order[i]; i++)
        n = reference_filter(order[i], o, seen, e, n);
    const double sum = sum_of(e, n);
    for (size_t i = 0; i < n; i++)
        probability[e[i].id] = exp(e[i].logit - e[0].logit) / sum;
}

/* 1e5 draws; the statistic stays within 6 standard deviations of its mean. */
static void check_distribution(const char *name, const het_sampler_options *o, size_t recents)
{
    const int draws = 100000;
    float logits[VOCABULARY];
    int seen[VOCABULARY] = { 0 }, drawn[VOCABULARY] = { 0 };
    double want[VOCABULARY], statistic = 0, small_want = 0, small_drawn = 0;
    uint64_t state = 99;
    int cells = 0;
    for (int i = 0; i < VOCABULARY; i++)
        logits[i] = 3 * test_random_float(&state) + (i % 7 == 0 ? 1.0f : 0.0f);
    logits[10] = logits[20] = logits[30]; /* equals */
    logits[40] = NAN;
    logits[41] = -INFINITY;
    for (int i = 40; i < 42; i++)
        seen[i] = 0;
    het_sampler *s = make(o);
    for (size_t i = 0; i < recents; i++) {
        const int32_t id = (int32_t)(i * i % 13 * 3);
        het_sampler_accept(s, id);
        seen[id]++;
    }
    float clean[VOCABULARY];
    memcpy(clean, logits, sizeof clean);
    clean[40] = -INFINITY;
    reference(o, clean, seen, want);
    for (int i = 0; i < draws; i++)
        drawn[sample(s, logits, VOCABULARY)]++;
    for (int i = 0; i < VOCABULARY; i++) {
        const double expected = want[i] * draws;
        if (want[i] == 0 && drawn[i] > 0)
            TEST_FAIL("%s: token %d came %d times, want never", name, i, drawn[i]);
        if (expected < 10) {
            small_want += expected;
            small_drawn += drawn[i];
            continue;
        }
        statistic += (drawn[i] - expected) * (drawn[i] - expected) / expected;
        cells++;
    }
    if (small_want >= 10) {
        statistic += (small_drawn - small_want) * (small_drawn - small_want) / small_want;
        cells++;
    }
    const double freedom = cells > 1 ? cells - 1 : 1;
    test_checks++;
    if (!(statistic < freedom + 6 * sqrt(2 * freedom)))
        TEST_FAIL("%s: chi-square %.1f with %g degrees of freedom", name, statistic, freedom);
    het_sampler_destroy(s);
}

static void distributions(void)
{
    const het_logit_bias bias[3] = { { 3, 2.0f }, { 7, -INFINITY }, { 1000000, 5.0f } };
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT;
    o.temperature = 0.7f, o.top_k = 50, o.top_p = 0.9f, o.repeat_penalty = 1.0f;
    check_distribution("defaults spelled out", &o, 0);
    o.top_k = HET_OFF, o.top_p = HET_OFF, o.temperature = 1;
    check_distribution("softmax", &o, 0);
    o.temperature = 2.5f;
    check_distribution("hot", &o, 0);
    o.top_k = 5;
    check_distribution("top_k", &o, 0);
    o.top_k = HET_OFF, o.top_p = 0.5f;
    check_distribution("top_p", &o, 0);
    o.top_p = HET_OFF, o.min_p = 0.2f;
    check_distribution("min_p", &o, 0);
    o.top_k = 20, o.top_p = 0.8f, o.min_p = 0.1f, o.temperature = 0.8f;
    check_distribution("all", &o, 0);
    o.repeat_penalty = 1.3f, o.frequency_penalty = 0.2f, o.presence_penalty = 0.3f;
    check_distribution("all, penalties", &o, 50);
    o.bias = bias, o.bias_count = 3;
    check_distribution("all, penalties, bias", &o, 50);
    static const uint8_t orders[][8] = {
        { 4, 2, 1, 3, 5, 0 }, { 5, 4, 3, 2, 1, 0 }, { 2, 4, 0 }, { 3, 1, 0 }, { 5, 2, 0 }, { 4, 0 },
    };
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        char name[20];
        snprintf(name, sizeof name, "order %zu", i);
        memcpy(o.order, orders[i], 8);
        o.top_k = 12;
        check_distribution(name, &o, 50);
    }
}

static void the_crossing_token_stays(void)
{
    /* 0.5, 0.25, 0.25: p 0.5 is reached by the first; 0.51 takes the lower id of the equals. */
    const float logits[3] = { (float)log(0.5), (float)log(0.25), (float)log(0.25) };
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT;
    o.temperature = 1, o.top_p = 0.49f;
    het_sampler *s = make(&o);
    for (int i = 0; i < 100; i++)
        CHECK_INT(sample(s, logits, 3), 0);
    het_sampler_destroy(s);
    o.top_p = 0.51f;
    s = make(&o);
    int seen[3] = { 0 };
    for (int i = 0; i < 200; i++)
        seen[sample(s, logits, 3)]++;
    CHECK(seen[0] > 0 && seen[1] > 0 && seen[2] == 0);
    het_sampler_destroy(s);
}

static void greedy_takes_the_lowest_best(void)
{
    const float logits[6] = { NAN, 1, 3, -INFINITY, 3, 2 };
    const float infinite[3] = { 0, INFINITY, INFINITY };
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT;
    o.flags = HET_SAMPLER_GREEDY;
    het_sampler *s = make(&o);
    CHECK_INT(sample(s, logits, 6), 2);
    CHECK_INT(sample(s, logits, 6), 2);
    CHECK_INT(sample(s, infinite, 3), 1);
    het_sampler_destroy(s);
    o.repeat_penalty = 2;
    const het_logit_bias bias = { 5, 0.5f };
    o.bias = &bias, o.bias_count = 1;
    s = make(&o);
    het_sampler_accept(s, 2);
    CHECK_INT(sample(s, logits, 6), 4);
    het_sampler_accept(s, 4);
    CHECK_INT(sample(s, logits, 6), 5);
    het_sampler_reset(s);
    CHECK_INT(sample(s, logits, 6), 2);
    het_sampler_destroy(s);
}

static void the_window_forgets(void)
{
    const float logits[3] = { 3, 2, 1 };
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT;
    o.flags = HET_SAMPLER_GREEDY, o.penalty_window = 3, o.presence_penalty = 1.5f;
    het_sampler *s = make(&o);
    het_sampler_accept(s, -5); /* no token at all */
    het_sampler_accept(s, INT32_MAX);
    het_sampler_accept(s, 0);
    CHECK_INT(sample(s, logits, 3), 1);
    het_sampler_accept(s, 2);
    het_sampler_accept(s, 2);
    CHECK_INT(sample(s, logits, 3), 1);
    het_sampler_accept(s, 2);
    CHECK_INT(sample(s, logits, 3), 0);
    het_sampler_destroy(s);
    /* Frequencies come down one by one. */
    o.presence_penalty = 0, o.frequency_penalty = 0.4f;
    s = make(&o);
    for (int i = 0; i < 100; i++)
        het_sampler_accept(s, 0);
    CHECK_INT(sample(s, logits, 3), 1); /* 3 - 1.2 */
    het_sampler_accept(s, 1);
    CHECK_INT(sample(s, logits, 3), 0); /* 2.2 and 1.6 */
    het_sampler_destroy(s);
}

static void seeds_repeat(void)
{
    float logits[VOCABULARY];
    int32_t first[200], ids[200];
    uint64_t state = 5;
    for (int i = 0; i < VOCABULARY; i++)
        logits[i] = 2 * test_random_float(&state);
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT;
    o.seed = 1234;
    het_sampler *a = make(&o), *b = make(&o);
    for (int i = 0; i < 200; i++) {
        first[i] = sample(a, logits, VOCABULARY);
        CHECK_INT(sample(b, logits, VOCABULARY), first[i]);
    }
    het_sampler_reset(a);
    for (int i = 0; i < 200; i++)
        CHECK_INT(sample(a, logits, VOCABULARY), first[i]);
    het_sampler_destroy(a);
    het_sampler_destroy(b);
    o.seed = 1235;
    a = make(&o);
    for (int i = 0; i < 200; i++)
        ids[i] = sample(a, logits, VOCABULARY);
    CHECK(memcmp(ids, first, sizeof ids) != 0);
    het_sampler_destroy(a);
}

/* The same on every machine and in every release: these ids must not change. */
static void draws_are_pinned(void)
{
    static const int32_t want[12] = { 8, 35, 62, 89, 97, 78, 70, 81, 75, 54, 64, 27 };
    float logits[100];
    for (int i = 0; i < 100; i++)
        logits[i] = (float)(i * 37 % 100) / 16.0f;
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT;
    o.seed = 42, o.temperature = 1;
    het_sampler *s = make(&o);
    for (int i = 0; i < 12; i++)
        CHECK_INT(sample(s, logits, 100), want[i]);
    het_sampler_destroy(s);
}

static void defaults_are_as_documented(void)
{
    het_sampler_options c;
    CHECK_INT(het__sampler_check(NULL, &c, NULL), HET_OK);
    CHECK_NEAR(c.temperature, 0.7f, 0);
    CHECK_INT(c.top_k, 50);
    CHECK_NEAR(c.top_p, 0.9f, 0);
    CHECK_NEAR(c.min_p, 0, 0);
    CHECK_NEAR(c.repeat_penalty, 1, 0);
    CHECK_INT(c.penalty_window, 64);
    CHECK_INT(c.order[0], HET_FILTER_PENALTIES);
    CHECK_INT(c.order[4], HET_FILTER_MIN_P);
    CHECK_INT(c.order[5], HET_FILTER_NONE);
}

static void check_refused(het_sampler_options o, const char *name)
{
    het_sampler_options checked;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het__sampler_check(&o, &checked, &err), HET_E_INVALID);
    test_checks++;
    if (!strstr(err.message, name))
        TEST_FAIL("\"%s\" does not name %s", err.message, name);
}

#define REFUSED(field, value)                              \
    do {                                                   \
        het_sampler_options o_ = HET_SAMPLER_OPTIONS_INIT; \
        o_.field = (value);                                \
        check_refused(o_, #field);                         \
    } while (0)

static void bad_values_are_named(void)
{
    REFUSED(temperature, -1);
    REFUSED(temperature, NAN);
    REFUSED(temperature, INFINITY);
    REFUSED(top_k, -2);
    REFUSED(top_p, 1.5f);
    REFUSED(top_p, -0.5f);
    REFUSED(top_p, NAN);
    REFUSED(min_p, -1);
    REFUSED(min_p, 1.01f);
    REFUSED(repeat_penalty, -1);
    REFUSED(frequency_penalty, NAN);
    REFUSED(presence_penalty, INFINITY);
    REFUSED(penalty_window, -1);
    REFUSED(penalty_window, 65537);
    REFUSED(flags, 2);
    REFUSED(bias_count, 1);
    REFUSED(order[0], 6);
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT;
    o.order[0] = o.order[1] = HET_FILTER_TOP_K;
    check_refused(o, "order[1]");
    het_logit_bias bias = { 1, NAN };
    o.order[0] = 0, o.bias = &bias, o.bias_count = 1;
    check_refused(o, "bias[0]");
    bias = (het_logit_bias){ -1, 0 };
    check_refused(o, "bias[0]");
}

static void no_score_is_an_error(void)
{
    const float none[3] = { NAN, -INFINITY, NAN };
    const float one[2] = { 1, NAN };
    const het_logit_bias bias = { 0, -INFINITY };
    het_error err = HET_ERROR_INIT;
    int32_t id = 77;
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT;
    het_sampler *s = make(&o);
    CHECK_INT(het_sampler_sample(s, none, 3, &id, &err), HET_E_INVALID);
    CHECK_INT(het_sampler_sample(s, one, 0, &id, &err), HET_E_INVALID);
    CHECK_INT(id, 77);
    CHECK_INT(sample(s, one, 2), 0);
    het_sampler_destroy(s);
    o.bias = &bias, o.bias_count = 1;
    s = make(&o);
    CHECK_INT(het_sampler_sample(s, one, 2, &id, &err), HET_E_INVALID);
    het_sampler_destroy(s);
}

/* Values at the ends of the range give a token, not a NaN. */
static void extreme_values_hold(void)
{
    const float logits[4] = { FLT_MAX, -FLT_MAX, FLT_MIN, INFINITY };
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT;
    o.temperature = 1e-45f, o.repeat_penalty = 1e-45f, o.top_p = 1e-45f, o.min_p = 1;
    het_sampler *s = make(&o);
    for (int i = 0; i < 4; i++) {
        het_sampler_accept(s, i);
        const int32_t id = sample(s, logits, 4);
        CHECK(id >= 0 && id < 4);
    }
    het_sampler_destroy(s);
}

static void exponential_is_near(void)
{
    double worst = 0;
    for (int i = 0; i <= 200000; i++) {
        const double x = -707.0 * i / 200000, want = exp(x);
        const double error = fabs(het__exp_negative(x) - want) / want;
        worst = error > worst ? error : worst;
    }
    CHECK_NEAR(worst, 0, 4.5e-16);
    CHECK_NEAR(het__exp_negative(0), 1, 0);
    CHECK_NEAR(het__exp_negative(-800), 0, 0);
    CHECK_NEAR(het__exp_negative(-INFINITY), 0, 0);
}

static int allowed; /* allocations that still succeed */

static void *few(void *user, size_t bytes, size_t align)
{
    (void)user;
    return allowed-- > 0 ? aligned_alloc(align, (bytes + align - 1) / align * align) : NULL;
}

static void give_back(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(ptr);
}

static void every_allocation_may_fail(void)
{
    const het_allocator allocator = { sizeof allocator, 0, NULL, few, give_back };
    const het_logit_bias bias = { 1, 1 };
    float logits[1000] = { 0 };
    het__mem scarce;
    het__mem_init(&scarce, &allocator);
    het_sampler_options o = HET_SAMPLER_OPTIONS_INIT, checked;
    o.bias = &bias, o.bias_count = 1;
    CHECK_INT(het__sampler_check(&o, &checked, NULL), HET_OK);
    for (int n = 0; n < 20; n++) {
        het_sampler *s = NULL;
        int32_t id = -7;
        allowed = n;
        het_status status = het__sampler_create(&scarce, &checked, &s, NULL);
        CHECK((status == HET_OK) == (s != NULL));
        if (status == HET_OK)
            status = het_sampler_sample(s, logits, 10, &id, NULL);
        if (status == HET_OK)
            status = het_sampler_sample(s, logits, 1000, &id, NULL);
        CHECK_INT(status, n < 8 ? HET_E_NOMEM : HET_OK);
        if (s && status != HET_OK) { /* it still works */
            allowed = 100;
            CHECK_INT(het_sampler_sample(s, logits, 1000, &id, NULL), HET_OK);
        }
        het_sampler_destroy(s);
        CHECK_INT(scarce.bytes, 0);
    }
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(distributions);
    test_case(the_crossing_token_stays);
    test_case(greedy_takes_the_lowest_best);
    test_case(the_window_forgets);
    test_case(seeds_repeat);
    test_case(draws_are_pinned);
    test_case(defaults_are_as_documented);
    test_case(bad_values_are_named);
    test_case(no_score_is_an_error);
    test_case(extreme_values_hold);
    test_case(exponential_is_near);
    test_case(every_allocation_may_fail);
    CHECK_INT(mem.bytes, 0);
    return test_finish();
}

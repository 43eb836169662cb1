/* SPDX-License-Identifier: Apache-2.0 */
/* Every level that can run here, on every weight type, precision and layout, at random shapes with
 * tails: against the product in double precision of the exactly decoded weights with the
 * activations as they were prepared. The tolerance is the bound of F32 summation, k * 2^-24 times
 * the sum of magnitudes. Canaries stand around outputs, packed weights, prepared activations and
 * scratch, and around the vectors of the small kernels. */
#define _POSIX_C_SOURCE 200809L /* setenv */

#include "weights.h"

#include "lib/base/dtype.h"
#include "lib/quant/quant.h"
#include "test.h"

/* As a float large and negative: no activation function leaves it as it is. */
#define CANARY 0xda

/* Layout of prepared blocks of 8-bit activations; repeated here so that a change is noticed. */
typedef struct act_block {
    int8_t codes[32];
    float scale;
    int32_t sums[3];
} act_block;

typedef struct shape {
    int64_t n, k, tokens;
} shape;

static const het__cpu_level *level;
static uint64_t seed = 20261;

static int64_t random_between(int64_t low, int64_t high)
{
    return low + (int64_t)(test_random(&seed) % (uint64_t)(high - low + 1));
}

static bool canary_intact(const uint8_t *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (p[i] != CANARY)
            return false;
    }
    return true;
}

/* Memory with 256 bytes of canary on both sides. */
static uint8_t *guarded(size_t bytes)
{
    uint8_t *p = aligned_bytes(bytes + 512);
    memset(p, CANARY, 256);
    memset(p + 256 + bytes, CANARY, 256);
    return p + 256;
}

static void guarded_free(uint8_t *p, size_t bytes, const char *what)
{
    if (!canary_intact(p - 256, 256) || !canary_intact(p + bytes, 256))
        TEST_FAIL("%s: bytes outside %s were written", level->name, what);
    test_checks++;
    free(p - 256);
}

static void decode_act(het__cpu_act act, const void *row, int64_t k, double *x)
{
    for (int64_t i = 0; i < k; i++) {
        const act_block *b = (const act_block *)row + i / 32;
        switch (act) {
        case HET__CPU_ACT_Q8: x[i] = (double)b->codes[i % 32] * (double)b->scale; break;
        case HET__CPU_ACT_BF16: x[i] = (double)het__bf16_to_f32(((const uint16_t *)row)[i]); break;
        case HET__CPU_ACT_F32:
        default: x[i] = (double)((const float *)row)[i]; break;
        }
    }
}

/* Rounding of the activations: half a step of the block's scale, and three roundings of the up to
 * 127 steps in F32; or 2^-8 of the value. */
static void check_act(het__cpu_act act, const float *x, const void *row, int64_t k)
{
    double *decoded = malloc((size_t)k * sizeof *decoded);
    double worst = 0;
    decode_act(act, row, k, decoded);
    for (int64_t i = 0; i < k; i++) {
        const double error = fabs(decoded[i] - (double)x[i]);
        const double scale = (double)((const act_block *)row)[i / 32].scale;
        const double bound = act == HET__CPU_ACT_Q8 ? (0.5 + ldexp(3 * 127, -24)) * scale
            : act == HET__CPU_ACT_BF16 ? ldexp(fabs((double)x[i]), -8) : 0.0;
        if (error > bound)
            worst = fmax(worst, error - bound);
    }
    CHECK_NEAR(worst, 0, 0);
    free(decoded);
}

typedef struct run_case {
    het__cpu_matrix m;
    shape s;
    const uint8_t *acts;
    size_t act_stride;
} run_case;

/* One call on rows [first, first + count) with canaries around and between what it may write. */
static void run_guarded(const run_case *c, int64_t first, int64_t count, int64_t token,
                        int64_t tokens, float *result)
{
    const int64_t stride = count + 3;
    const size_t bytes = (size_t)(tokens * stride) * sizeof(float);
    const size_t scratch_bytes = level->scratch_bytes(&c->m, tokens);
    uint8_t *out = guarded(bytes), *scratch = guarded(scratch_bytes);
    memset(out, CANARY, bytes);
    level->run(&c->m, first, count, c->acts + (size_t)token * c->act_stride, c->act_stride, tokens,
               (float *)(void *)out, stride, scratch);
    for (int64_t t = 0; t < tokens; t++) {
        const float *row = (const float *)(const void *)out + t * stride;
        memcpy(result + (token + t) * c->s.n + first, row, (size_t)count * sizeof *row);
        if (!canary_intact((const uint8_t *)(row + count), 3 * sizeof *row))
            TEST_FAIL("%s: output written beyond its rows", level->name);
    }
    guarded_free(out, bytes, "the output");
    guarded_free(scratch, scratch_bytes, "the scratch");
}

static void compare_double(const run_case *c, const float *result, const char *what)
{
    const int64_t n = c->s.n, k = c->s.k;
    float *w = malloc((size_t)k * sizeof *w);
    double *x = malloc((size_t)k * sizeof *x);
    double worst = 0;
    for (int64_t t = 0; t < c->s.tokens; t++) {
        decode_act(c->m.act, c->acts + (size_t)t * c->act_stride, k, x);
        for (int64_t i = 0; i < n; i++) {
            het__decoder(c->m.dtype)((const uint8_t *)c->m.source + (size_t)i * c->m.row_bytes, w,
                                     k);
            double sum = 0, magnitude = 0;
            for (int64_t j = 0; j < k; j++) {
                sum += (double)w[j] * x[j];
                magnitude += fabs((double)w[j] * x[j]);
            }
            /* Biases and sums of codes add magnitude of their own: twice the products at most
             * for types with a bias; 16 covers the cancellation in (code - zero). */
            const double bound = (double)(k + 16) * ldexp(magnitude, -24) + 1e-30;
            const double error = fabs((double)result[t * n + i] - sum);
            if (!(error <= bound))
                worst = fmax(worst, error / bound);
        }
    }
    if (worst > 0) {
        TEST_FAIL("%s %s %s n %lld k %lld tokens %lld: error is %.3g of its bound", level->name,
                  het__dtype(c->m.dtype)->name, what, (long long)n, (long long)k,
                  (long long)c->s.tokens, worst);
    }
    test_checks++;
    free(w);
    free(x);
}

static void check_same(const run_case *c, const float *a, const float *b, const char *what)
{
    const size_t count = (size_t)(c->s.n * c->s.tokens);
    test_checks++;
    if (memcmp(a, b, count * sizeof *a) != 0) {
        TEST_FAIL("%s %s n %lld k %lld tokens %lld: bits differ %s", level->name,
                  het__dtype(c->m.dtype)->name, (long long)c->s.n, (long long)c->s.k,
                  (long long)c->s.tokens, what);
    }
}

static void check_matrix(const run_case *c, const char *what)
{
    const size_t bytes = (size_t)(c->s.n * c->s.tokens) * sizeof(float);
    float *whole = malloc(bytes), *pieces = malloc(bytes);
    run_guarded(c, 0, c->s.n, 0, c->s.tokens, whole);
    compare_double(c, whole, what);

    const int64_t granule = level->granule(&c->m);
    for (int64_t first = 0; first < c->s.n;) {
        int64_t count = granule * random_between(1, 3);
        count = count < c->s.n - first ? count : c->s.n - first;
        run_guarded(c, first, count, 0, c->s.tokens, pieces);
        first += count;
    }
    check_same(c, whole, pieces, "when the rows are cut");

    for (int64_t token = 0; token < c->s.tokens;) {
        const int64_t left = c->s.tokens - token;
        const int64_t count = test_random(&seed) % 2 ? 1 : random_between(1, left);
        run_guarded(c, 0, c->s.n, token, count, pieces);
        token += count;
    }
    /* Rows of plain types as they lie are summed in another order when there is one token. */
    if (c->m.packed || c->m.act == HET__CPU_ACT_Q8)
        check_same(c, whole, pieces, "when the tokens are cut");
    else
        compare_double(c, pieces, what);
    free(whole);
    free(pieces);
}

/* tiny: scales of MXFP4 at the low end, where they are subnormal, and activations to match. */
static void check_case(het_dtype dtype, het_precision precision, bool relay, shape s, bool tiny)
{
    size_t row_bytes;
    uint8_t *source = weights_random(dtype, s.n, s.k, &seed, &row_bytes);
    for (int64_t i = 0; tiny && i < s.n * (s.k / 32); i++)
        source[i * 17] = (uint8_t)(i % 3);
    run_case c = { .s = s };
    c.m = (het__cpu_matrix){ .dtype = dtype, .n = s.n, .k = s.k, .source = source,
                             .row_bytes = row_bytes };
    const size_t packed = level->choose(&c.m, precision, relay);
    if (packed) {
        c.m.packed = guarded(packed);
        const int64_t granule = level->granule(&c.m);
        for (int64_t i = 0; i < s.n; i += granule)
            level->pack(&c.m, i, granule < s.n - i ? granule : s.n - i);
    }
    c.act_stride = het__cpu_act_bytes(c.m.act, s.k) + 64 * (size_t)random_between(0, 1);
    const bool close = c.m.act == HET__CPU_ACT_F32 && random_between(0, 1);
    if (close) /* rows of floats may lie anywhere */
        c.act_stride = (size_t)s.k * sizeof(float);
    const size_t acts_bytes = c.act_stride * (size_t)s.tokens;
    uint8_t *acts = guarded(acts_bytes);
    float *x = malloc((size_t)s.k * sizeof *x);
    for (int64_t t = 0; t < s.tokens; t++) {
        for (int64_t i = 0; i < s.k; i++)
            x[i] = test_random_float(&seed) * (t % 3 == 1 && i < 40 ? 0 : tiny ? 1e30f : 3);
        if (close)
            memcpy(acts + (size_t)t * c.act_stride, x, c.act_stride);
        else
            level->prepare(c.m.act, x, s.k, acts + (size_t)t * c.act_stride);
        check_act(c.m.act, x, acts + (size_t)t * c.act_stride, s.k);
    }
    c.acts = acts;
    char what[64];
    snprintf(what, sizeof what, "%s, %s", precision == HET_PRECISION_FAST ? "fast" : "exact",
             c.m.packed ? "re-laid" : "as it lies");
    check_matrix(&c, what);
    if (packed)
        guarded_free(c.m.packed, packed, "the packed weights");
    guarded_free(acts, acts_bytes, "the prepared activations");
    free(x);
    free(source);
}

static shape random_shape(het_dtype dtype)
{
    const int64_t block = het__dtype(dtype)->block_elements;
    shape s;
    s.n = random_between(1, 100);
    s.tokens = random_between(1, 3) == 1 ? 1 : random_between(1, 40);
    s.k = block == 1 ? random_between(1, 700) : block * random_between(1, 1400 / block);
    return s;
}

static void products(void)
{
    for (const het_dtype *d = weight_types; *d != HET_DTYPE_NONE; d++) {
        for (int precision = 0; precision < 2; precision++) {
            for (int relay = 0; relay < 2; relay++) {
                for (int i = 0; i < 6; i++)
                    check_case(*d, (het_precision)precision, relay, random_shape(*d), false);
            }
        }
    }
}

/* Every operation by itself is exactly rounded: bits are those of plain C. */
static void finishing(void)
{
    for (int round = 0; round < 200; round++) {
        const int64_t tokens = random_between(1, 5), count = random_between(1, 70);
        const int64_t stride = count + random_between(0, 3);
        float bias[70], residual[5 * 72], want[5 * 73];
        const size_t bytes = (size_t)(tokens * stride) * sizeof(float);
        uint8_t *guard = guarded(bytes);
        float *out = (float *)(void *)guard;
        for (int64_t i = 0; i < tokens * stride; i++)
            want[i] = out[i] = i == 7 ? NAN : 4 * test_random_float(&seed);
        for (int64_t i = 0; i < count; i++)
            bias[i] = test_random_float(&seed);
        for (int64_t i = 0; i < tokens * (count + 2); i++)
            residual[i] = test_random_float(&seed);
        const bool cut = random_between(0, 1);
        const het__cpu_finish f = {
            .scale = random_between(0, 1) ? 1 : 0.7f,
            .bias = random_between(0, 1) ? bias : NULL,
            .residual = random_between(0, 1) ? residual : NULL, .residual_stride = count + 2,
            .low = cut ? 0 : -INFINITY, .high = cut && random_between(0, 1) ? 1 : INFINITY,
        };
        for (int64_t i = 0; i < tokens * stride; i++) {
            const int64_t t = i / stride, j = i % stride;
            if (j >= count)
                continue;
            want[i] *= f.scale;
            want[i] += f.bias ? bias[j] : 0;
            want[i] += f.residual ? residual[t * (count + 2) + j] : 0;
            want[i] = want[i] < f.low ? f.low : want[i] > f.high ? f.high : want[i];
        }
        level->finish(&f, out, stride, tokens, count);
        int wrong = 0;
        for (int64_t i = 0; i < tokens * stride; i++)
            wrong += isnan(want[i]) ? !isnan(out[i]) : out[i] != want[i];
        CHECK_INT(wrong, 0);
        guarded_free(guard, bytes, "what is finished");
    }
}

static void smallest_scales(void)
{
    const shape s = { .n = 40, .k = 160, .tokens = 12 };
    for (int i = 0; i < 4; i++)
        check_case(HET_DTYPE_MXFP4, (het_precision)(i / 2), i % 2, s, true);
}

/* NaN and infinity in an activation must not turn into plausible numbers. */
static void not_finite(void)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    size_t row_bytes;
    void *source = weights_random(HET_DTYPE_Q4_0, 3, 64, &seed, &row_bytes);
    het__cpu_matrix m = matrix_make(level, HET_DTYPE_Q4_0, 3, 64, source, row_bytes,
                                    HET_PRECISION_FAST, true);
    uint8_t *act = aligned_bytes(het__cpu_act_bytes(m.act, 64));
    void *scratch = aligned_bytes(level->scratch_bytes(&m, 1));
    for (int i = 0; i < 3; i++) {
        float x[64] = { 0 }, out[3];
        x[0] = 1;
        x[37] = bad[i];
        level->prepare(m.act, x, 64, act);
        level->run(&m, 0, 3, act, 0, 1, out, 3, scratch);
        for (int r = 0; r < 3; r++)
            CHECK(!isfinite(out[r]));
    }
    free(scratch);
    free(act);
    free(m.packed);
    free(source);
}

static double ulps(float got, double want)
{
    const float w = (float)want;
    const double unit = (double)nextafterf(fabsf(w), INFINITY) - fabs((double)w);
    return fabs((double)got - want) / unit;
}

static void exponentials(void)
{
    float x[1000], sum;
    double worst = 0;
    for (int round = 0; round < 20; round++) {
        double total = 0;
        const int64_t n = random_between(1, 1000);
        float y[1000];
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] = 100.0f * test_random_float(&seed) - 3.0f;
        level->exp_rows(x, n, 2.0f, &sum);
        for (int64_t i = 0; i < n; i++) {
            const double want = exp((double)(y[i] - 2.0f));
            if (want > 3.5e38)
                CHECK(isinf(x[i]));
            else
                worst = fmax(worst, ulps(x[i], want));
            total += (double)x[i];
        }
        if (total < 1e38)
            CHECK_NEAR((double)sum, total, 1e-5 * total);
    }
    CHECK_NEAR(worst, 0, 2.0);
    float edge[] = { -INFINITY, NAN, INFINITY, 0.0f, -150.0f };
    level->exp_rows(edge, 5, 0.0f, &sum);
    CHECK(edge[0] == 0.0f && isnan(edge[1]) && isinf(edge[2]) && edge[3] == 1.0f);
    CHECK(edge[4] == 0.0f);
}

/* NaN is passed over, wherever it stands, and kept. */
static void largest(void)
{
    for (int round = 0; round < 200; round++) {
        float x[100], y[100], more[100], want = -INFINITY;
        const int64_t n = random_between(1, 100);
        const bool added = random_between(0, 1);
        for (int64_t i = 0; i < n; i++) {
            x[i] = random_between(0, 9) == 0 ? NAN : 9 * test_random_float(&seed);
            more[i] = random_between(0, 9) == 0 ? -INFINITY : test_random_float(&seed);
            y[i] = x[i] * 0.3f;
            y[i] += added ? more[i] : 0;
            want = y[i] > want ? y[i] : want;
        }
        const float got = level->scale_max(x, added ? more : NULL, n, 0.3f);
        int wrong = got != want;
        for (int64_t i = 0; i < n; i++)
            wrong += isnan(y[i]) ? !isnan(x[i]) : x[i] != y[i];
        CHECK_INT(wrong, 0);
    }
}

static void activations(void)
{
    float x[333], y[333];
    for (int i = 0; i < 333; i++)
        x[i] = y[i] = 12.0f * test_random_float(&seed);
    x[5] = y[5] = -300.0f;
    x[6] = y[6] = 300.0f;
    level->silu(x, 333);
    double worst = 0;
    for (int i = 0; i < 333; i++) {
        const double v = (double)y[i], want = v / (1 + exp(-v));
        worst = fmax(worst, fabs((double)x[i] - want) / (1e-30 + fabs(want)));
        x[i] = y[i];
    }
    CHECK_NEAR(worst, 0, 1e-6);
    level->gelu_tanh(x, 333);
    worst = 0;
    for (int i = 0; i < 333; i++) {
        const double v = (double)y[i];
        const double want = 0.5 * v * (1 + tanh(0.79788456080286536 * (v + 0.044715 * v * v * v)));
        worst = fmax(worst, fabs((double)x[i] - want) / (0.01 + fabs(want)));
    }
    CHECK_NEAR(worst, 0, 3e-6);
}

static void halves(void)
{
    uint16_t h[65536], back[65536];
    static float f[65536];
    for (int i = 0; i < 65536; i++)
        h[i] = (uint16_t)i;
    for (int i = 0; i < 65536; i++)
        f[i] = het__f16_to_f32(h[i]);
    level->to_f16(back, f, 65536);
    int wrong = 0;
    for (int i = 0; i < 65536; i++) {
        wrong += isnan(f[i]) ? (back[i] & 0x7c00) != 0x7c00 || !(back[i] & 0x3ff)
                             : back[i] != h[i];
    }
    CHECK_INT(wrong, 0);
    for (int i = 0; i < 65536; i++) {
        const uint32_t bits = (uint32_t)(test_random(&seed) >> 32);
        memcpy(&f[i], &bits, 4);
        if (i % 2) /* the range of halves */
            f[i] = ldexpf(test_random_float(&seed), (int)random_between(-26, 17));
    }
    level->to_f16(back, f, 65531);
    for (int i = 0; i < 65531; i++)
        wrong += !isnan(f[i]) && back[i] != het__f32_to_f16(f[i]);
    CHECK_INT(wrong, 0);
}

static void rows(void)
{
    for (int round = 0; round < 50; round++) {
        float a[300], b[300];
        const int64_t n = random_between(0, 300);
        double want = 0, magnitude = 0;
        for (int64_t i = 0; i < n; i++) {
            a[i] = test_random_float(&seed);
            b[i] = test_random_float(&seed);
            want += (double)a[i] * (double)b[i];
            magnitude += fabs((double)a[i] * (double)b[i]);
        }
        CHECK_NEAR((double)level->dot(a, b, n), want, ldexp(magnitude * 300, -24));
    }
    uint8_t *bytes = aligned_bytes(8192);
    uint64_t want = 0;
    for (int i = 0; i < 8192; i++)
        want += bytes[i] = (uint8_t)(test_random(&seed) >> 50);
    CHECK_INT(level->read_all(bytes, 8192), want);
    free(bytes);
}

/* ---- vectors of any length at any address, with canaries on both sides ---- */

static void run_exp(float *x, int64_t n)
{
    float sum = 0;
    level->exp_rows(x, n, 0.5f, &sum);
}

static void run_silu(float *x, int64_t n)
{
    level->silu(x, n);
}

static void run_gelu(float *x, int64_t n)
{
    level->gelu_tanh(x, n);
}

static double want_exp(double x)
{
    return exp(x - 0.5);
}

static double want_silu(double x)
{
    return x / (1 + exp(-x));
}

static double want_gelu(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
}

static void vectors_in_place(void (*run)(float *x, int64_t n), double (*want)(double))
{
    const int64_t n = random_between(1, 200), at = random_between(0, 15);
    float before[200];
    double worst = 0;
    uint8_t *bytes = guarded((size_t)(at + n) * sizeof(float));
    float *x = (float *)(void *)bytes + at;
    memset(bytes, CANARY, (size_t)at * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        before[i] = x[i] = 8 * test_random_float(&seed);
    run(x, n);
    for (int64_t i = 0; i < n; i++) {
        const double w = want((double)before[i]);
        worst = fmax(worst, fabs((double)x[i] - w) / (0.01 + fabs(w)));
    }
    CHECK_NEAR(worst, 0, 3e-6);
    CHECK(canary_intact(bytes, (size_t)at * sizeof *x));
    guarded_free(bytes, (size_t)(at + n) * sizeof *x, "a vector");
}

static void vectors_halves(void)
{
    const int64_t n = random_between(0, 200), at = random_between(0, 31);
    float f[232];
    int wrong = 0;
    uint8_t *bytes = guarded((size_t)(at + n) * 2);
    uint16_t *h = (uint16_t *)(void *)bytes + at;
    memset(bytes, CANARY, (size_t)at * 2);
    for (int64_t i = 0; i < n; i++)
        f[at + i] = test_random_float(&seed);
    level->to_f16(h, f + at, n);
    for (int64_t i = 0; i < n; i++)
        wrong += h[i] != het__f32_to_f16(f[at + i]);
    CHECK_INT(wrong, 0);
    CHECK(canary_intact(bytes, (size_t)at * 2));
    guarded_free(bytes, (size_t)(at + n) * 2, "halves");
}

static void vectors_anywhere(void)
{
    for (int round = 0; round < 100; round++) {
        vectors_in_place(run_exp, want_exp);
        vectors_in_place(run_silu, want_silu);
        vectors_in_place(run_gelu, want_gelu);
        vectors_halves();
    }
}

static void peaks(void)
{
    CHECK(level->peak_f32 && level->peak_f32(100) > 0);
    CHECK(!level->peak_int8 || level->peak_int8(100) > 0);
    CHECK(!level->peak_bf16 || level->peak_bf16(100) > 0);
}

static void choice(void)
{
    const het__cpu_level *const *levels = het__cpu_levels();
    CHECK(het__cpu_level_choose(false) == levels[0]);
    for (; *levels; levels++) {
        setenv("HETINFER_CPU_LEVEL", (*levels)->name, 1);
        CHECK(het__cpu_level_choose(true) == *levels);
        if (!levels[1])
            CHECK_STR((*levels)->name, "generic");
    }
    setenv("HETINFER_CPU_LEVEL", "sse1", 1);
    CHECK(het__cpu_level_choose(true) == NULL);
    unsetenv("HETINFER_CPU_LEVEL");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0)
        return bench_main(argc - 2, argv + 2);
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) | 1;
    test_case(choice);
    for (const het__cpu_level *const *l = levels_to_test(); *l; l++) {
        level = *l;
        printf("%s: %s\n", level->name, level->features);
        test_case(products);
        test_case(finishing);
    test_case(smallest_scales);
        test_case(not_finite);
        test_case(exponentials);
        test_case(largest);
    test_case(activations);
        test_case(halves);
        test_case(rows);
        test_case(vectors_anywhere);
        test_case(peaks);
    }
    return test_finish();
}

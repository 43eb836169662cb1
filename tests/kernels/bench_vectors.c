/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of the kernels on vectors: activations, norms, rotation, conversions.
 *
 * Each works on one row of a model's width, which a first-level cache holds: GB/s are of what it
 * reads and writes, and may be above the bandwidth of memory that is measured beside. Plain C is
 * the same in a loop with the C library's functions. */
#include "bench.h"

#include "backends/cpu_onednn/cpu.h"
#include "lib/quant/quant.h"
#include "test.h"

#define WIDTH 2048
#define HEAD 128
#define CALLS 64 /* between two looks at the clock */
#define READ_PIECE ((size_t)16 << 20)

typedef struct vectors {
    const het__cpu_level *level;
    float a[WIDTH], b[WIDTH], c[WIDTH], weight[WIDTH], angles[HEAD];
    uint16_t h[WIDTH];
    uint8_t acts[WIDTH * 4] __attribute__((aligned(64)));
    float result;
} vectors;

static void do_prepare(vectors *v)
{
    v->level->prepare(HET__CPU_ACT_Q8, v->a, WIDTH, v->acts);
}

static void plain_prepare(vectors *v)
{
    for (int64_t i = 0; i < WIDTH; i += 32) {
        float most = 0;
        for (int64_t j = 0; j < 32; j++)
            most = fmaxf(most, fabsf(v->a[i + j]));
        const float inverse = most > 0 ? 127 / most : 0;
        for (int64_t j = 0; j < 32; j++)
            v->acts[i + j] = (uint8_t)(int8_t)rintf(v->a[i + j] * inverse);
    }
}

static void do_rms(vectors *v)
{
    const het__cpu_norm norm = { .weight = v->weight, .group = WIDTH, .eps = 1e-5f,
                                 .kind = HET__NORM_RMS };
    het__cpu_norm_row(v->level, &norm, v->a, v->c, WIDTH);
}

static void plain_rms(vectors *v)
{
    float sum = 0;
    for (int64_t i = 0; i < WIDTH; i++)
        sum += v->a[i] * v->a[i];
    const float inverse = 1 / sqrtf(sum / WIDTH + 1e-5f);
    for (int64_t i = 0; i < WIDTH; i++)
        v->c[i] = v->a[i] * inverse * v->weight[i];
}

static void do_rope(vectors *v)
{
    const het__rope_attrs attrs = { .rotated = HEAD, .head_size = HEAD, .scale = 1 };
    for (int64_t i = 0; i < WIDTH; i += HEAD)
        het__cpu_turn(&attrs, v->angles, v->c + i);
}

static void plain_rope(vectors *v)
{
    for (int64_t i = 0; i < WIDTH; i += HEAD)
        for (int64_t j = 0; j < HEAD / 2; j++) {
            float *p = v->c + i + j, *q = p + HEAD / 2;
            const float x = *p, y = *q, c = v->angles[j], s = v->angles[HEAD / 2 + j];
            *p = x * c - y * s;
            *q = x * s + y * c;
        }
}

static void do_exp(vectors *v)
{
    memcpy(v->c, v->a, sizeof v->c);
    v->level->exp_rows(v->c, WIDTH, 1, &v->result);
}

static void plain_exp(vectors *v)
{
    v->result = 0;
    for (int64_t i = 0; i < WIDTH; i++)
        v->result += v->c[i] = expf(v->a[i] - 1);
}

static void do_silu(vectors *v)
{
    memcpy(v->c, v->a, sizeof v->c);
    v->level->silu(v->c, WIDTH);
}

static void plain_silu(vectors *v)
{
    for (int64_t i = 0; i < WIDTH; i++)
        v->c[i] = v->a[i] / (1 + expf(-v->a[i]));
}

static void do_gelu(vectors *v)
{
    memcpy(v->c, v->a, sizeof v->c);
    v->level->gelu_tanh(v->c, WIDTH);
}

static void plain_gelu(vectors *v)
{
    for (int64_t i = 0; i < WIDTH; i++) {
        const float x = v->a[i];
        v->c[i] = 0.5f * x * (1 + tanhf(0.7978846f * (x + 0.044715f * x * x * x)));
    }
}

static void do_to_f16(vectors *v)
{
    v->level->to_f16(v->h, v->a, WIDTH);
}

static void plain_to_f16(vectors *v)
{
    for (int64_t i = 0; i < WIDTH; i++)
        v->h[i] = het__f32_to_f16(v->a[i]);
}

static void do_dot(vectors *v)
{
    v->result = v->level->dot(v->a, v->b, WIDTH);
}

static void plain_dot(vectors *v)
{
    v->result = 0;
    for (int64_t i = 0; i < WIDTH; i++)
        v->result += v->a[i] * v->b[i];
}

static const struct small_kernel {
    const char *name;
    void (*run)(vectors *v), (*plain)(vectors *v);
    double bytes; /* read and written, per element */
} kernels[] = {
    { "prepare_q8", do_prepare, plain_prepare, 4 + 1.5 },
    { "rms_norm", do_rms, plain_rms, 4 + 4 + 4 },
    { "rope", do_rope, plain_rope, 4 + 4 },
    { "exp_rows", do_exp, plain_exp, 4 + 4 },
    { "silu", do_silu, plain_silu, 4 + 4 },
    { "gelu_tanh", do_gelu, plain_gelu, 4 + 4 },
    { "to_f16", do_to_f16, plain_to_f16, 4 + 2 },
    { "dot", do_dot, plain_dot, 4 + 4 },
};

static double best_of(void (*run)(vectors *v), vectors *v, double seconds)
{
    const double until = bench_now() + seconds;
    double best = 1e30;
    do {
        const double start = bench_now();
        for (int i = 0; i < CALLS; i++) {
            run(v);
            __asm__ volatile("" ::: "memory");
        }
        best = fmin(best, (bench_now() - start) / CALLS);
    } while (bench_now() < until);
    return best;
}

static double read_bandwidth(const het__cpu_level *level, const uint8_t *bytes)
{
    double best = 1e30;
    for (int i = 0; i < 5; i++) {
        const double start = bench_now();
        const volatile uint64_t sum = level->read_all(bytes, READ_PIECE);
        (void)sum;
        best = fmin(best, bench_now() - start);
    }
    return (double)READ_PIECE / best;
}

static void bench_level(const het__cpu_level *level, const uint8_t *bytes)
{
    static vectors v;
    uint64_t seed = 5;
    v.level = level;
    for (int i = 0; i < WIDTH; i++) {
        v.a[i] = v.c[i] = test_random_float(&seed);
        v.b[i] = v.weight[i] = test_random_float(&seed);
        v.h[i] = het__f32_to_f16(v.b[i]);
    }
    for (int i = 0; i < HEAD; i++)
        v.angles[i] = i < HEAD / 2 ? 0.6f : 0.8f; /* a true rotation: nothing grows */
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        const bench_result r = {
            .level = level->name, .kernel = kernels[i].name, .k = WIDTH, .tokens = 1, .threads = 1,
            .seconds = best_of(kernels[i].run, &v, bench_seconds() / 5),
            .plain_seconds = best_of(kernels[i].plain, &v, bench_seconds() / 20),
            .bytes = kernels[i].bytes * WIDTH, .bandwidth = read_bandwidth(level, bytes),
        };
        bench_report(&r);
    }
}

void bench_vectors(const char *level)
{
    uint8_t *bytes = aligned_bytes(READ_PIECE);
    memset(bytes, 1, READ_PIECE);
    for (const het__cpu_level *const *l = levels_to_test(); *l; l++)
        if (!level || strcmp(level, "all") == 0 || strcmp(level, (*l)->name) == 0)
            bench_level(*l, bytes);
    free(bytes);
}

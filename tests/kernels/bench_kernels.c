/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of the products, next to what the processor does at best in the same second:
 *
 *     check_kernels --bench [level] [dtype] [n k tokens]
 *
 * Peak, bandwidth and product are measured in turn, many short times, so that other load on the
 * machine disturbs all three alike. The best time of each counts; for one token the best but a
 * tenth, since the first ones find weights in a cache. One token is judged by bytes of weights
 * per second, several by operations. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include "weights.h"

#include <pthread.h>
#include <time.h>

#include "lib/base/dtype.h"
#include "test.h"

#define THREADS_MAX 2
#define ROUNDS_MAX 2000
/* Memory that is read, and the piece of it per measurement: so short that some pieces run without
 * an interruption, and in turn, so that none is found in a cache. */
#define READ_BYTES ((size_t)256 << 20)
#define READ_PIECE ((size_t)16 << 20)

typedef struct work {
    const het__cpu_level *level;
    const het__cpu_matrix *matrix;
    const uint8_t *acts;
    size_t act_stride;
    int64_t tokens, first, count, stride;
    float *out;
    void *scratch;
    const uint8_t *bytes; /* for bandwidth: READ_BYTES / threads of it, read in turn */
    size_t byte_count, byte_next;
    uint8_t *copies;      /* of the packed weights, used in turn */
    size_t copy_bytes;
    int64_t copy, copy_count;
    int kind;
    double seconds;
} work;

enum { KIND_PRODUCT, KIND_PEAK, KIND_READ };

static volatile uint64_t bench_sink;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double (*peak_of(const het__cpu_level *l, const het__cpu_matrix *m))(uint64_t)
{
    if (m->act == HET__CPU_ACT_Q8 && l->peak_int8)
        return l->peak_int8;
    return m->act == HET__CPU_ACT_BF16 ? l->peak_bf16 : l->peak_f32;
}

static void *worker(void *argument)
{
    work *w = argument;
    het__cpu_matrix m = *w->matrix;
    if (m.packed)
        m.packed = w->copies + (size_t)w->copy * w->copy_bytes;
    else
        m.source = w->copies + (size_t)w->copy * w->copy_bytes;
    const double start = now();
    switch (w->kind) {
    case KIND_PRODUCT:
        w->level->run(&m, w->first, w->count, w->acts, w->act_stride, w->tokens,
                      w->out + w->first, w->stride, w->scratch);
        break;
    case KIND_PEAK: bench_sink = (uint64_t)peak_of(w->level, w->matrix)(20000); break;
    default:
        bench_sink = w->level->read_all(w->bytes + w->byte_next, READ_PIECE);
        break;
    }
    w->seconds = now() - start;
    if (w->kind == KIND_PRODUCT)
        w->copy = (w->copy + 1) % w->copy_count;
    if (w->kind == KIND_READ)
        w->byte_next = (w->byte_next + READ_PIECE) % w->byte_count;
    return NULL;
}

/* All workers at once; the time of the slowest. */
static double run_all(work *w, int threads, int kind)
{
    pthread_t id[THREADS_MAX];
    double worst = 0;
    for (int i = 0; i < threads; i++)
        w[i].kind = kind;
    for (int i = 1; i < threads; i++)
        pthread_create(&id[i], NULL, worker, &w[i]);
    worker(&w[0]);
    for (int i = 1; i < threads; i++)
        pthread_join(id[i], NULL);
    for (int i = 0; i < threads; i++)
        worst = fmax(worst, w[i].seconds);
    return worst;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void report(const het__cpu_level *l, const het__cpu_matrix *m, int64_t tokens, int threads,
                   const double best[3], size_t weight_bytes)
{
    const double operations = 2.0 * (double)m->n * (double)m->k * (double)tokens;
    const double speed = operations / best[KIND_PRODUCT] * 1e-9;
    const double limit = threads * peak_of(l, m)(1) * 20000 / best[KIND_PEAK] * 1e-9;
    const double bytes = (double)weight_bytes / best[KIND_PRODUCT] * 1e-9;
    const double memory = threads * (double)READ_PIECE / best[KIND_READ] * 1e-9;
    printf("%-8s %-6s %6lld x %5lld x %4lld  %dT %12.0f ns  %8.1f GOP/s = %5.1f%% of %7.1f",
           l->name, het__dtype(m->dtype)->name, (long long)m->n, (long long)m->k, (long long)tokens,
           threads, best[KIND_PRODUCT] * 1e9, speed, 100 * speed / limit, limit);
    if (tokens <= 8)
        printf("   %5.1f GB/s = %5.1f%% of %5.1f", bytes, 100 * bytes / memory, memory);
    printf("\n");
    fflush(stdout);
}

static void bench_one(const het__cpu_level *l, het_dtype dtype, int64_t n, int64_t k,
                      int64_t tokens, bool relay, het_precision precision, const uint8_t *bytes)
{
    uint64_t seed = 7;
    size_t row_bytes;
    void *source = weights_random(dtype, n, k, &seed, &row_bytes);
    het__cpu_matrix m = { .dtype = dtype, .n = n, .k = k, .source = source,
                          .row_bytes = row_bytes };
    size_t packed = l->choose(&m, precision, relay);
    const size_t copy_bytes = packed ? packed : row_bytes * (size_t)n;
    const bool cached = tokens > 8 || getenv("BENCH_CACHED");
    const int64_t copies = cached ? 1 : 1 + (int64_t)(READ_BYTES / 2 / copy_bytes);
    uint8_t *copy = aligned_bytes(copy_bytes * (size_t)copies);
    if (packed) {
        m.packed = copy;
        const double start = now();
        l->pack(&m, 0, n);
        if (getenv("BENCH_PACK"))
            printf("pack %.2f GB/s\n", (double)(row_bytes * (size_t)n) / (now() - start) * 1e-9);
    }
    for (int64_t i = packed ? 1 : 0; i < copies; i++)
        memcpy(copy + (size_t)i * copy_bytes, packed ? copy : source, copy_bytes);
    const size_t act_stride = het__cpu_act_bytes(m.act, k);
    uint8_t *acts = aligned_bytes(act_stride * (size_t)tokens);
    float *x = malloc((size_t)k * sizeof *x);
    for (int64_t t = 0; t < tokens; t++) {
        for (int64_t i = 0; i < k; i++)
            x[i] = test_random_float(&seed);
        l->prepare(m.act, x, k, acts + (size_t)t * act_stride);
    }
    float *out = aligned_bytes((size_t)(n * tokens) * sizeof *out);
    for (int threads = 1; threads <= THREADS_MAX; threads++) {
        work w[THREADS_MAX];
        const int64_t granule = l->granule(&m);
        const int64_t part = (n / threads + granule - 1) / granule * granule;
        for (int i = 0; i < threads; i++) {
            w[i] = (work){ .level = l, .matrix = &m, .acts = acts, .act_stride = act_stride,
                           .tokens = tokens, .first = i * part, .stride = n, .out = out,
                           .bytes = bytes + (size_t)i * (READ_BYTES / (size_t)threads),
                           .byte_count = READ_BYTES / (size_t)threads, .copies = copy,
                           .copy_bytes = copy_bytes, .copy_count = copies };
            w[i].count = i == threads - 1 ? n - w[i].first : part;
            w[i].scratch = aligned_bytes(l->scratch_bytes(&m, tokens));
        }
        static double times[3][ROUNDS_MAX];
        double best[3];
        const double until = now() + 1.5;
        int rounds = 0;
        while (rounds < ROUNDS_MAX && (rounds < 3 || now() < until)) {
            for (int kind = 0; kind < 3; kind++)
                times[kind][rounds] = run_all(w, threads, kind);
            rounds++;
        }
        for (int kind = 0; kind < 3; kind++) {
            qsort(times[kind], (size_t)rounds, sizeof times[kind][0], compare_doubles);
            best[kind] = times[kind][tokens > 8 ? 0 : rounds / 10];
        }
        report(l, &m, tokens, threads, best, copy_bytes);
        for (int i = 0; i < threads; i++)
            free(w[i].scratch);
    }
    free(out);
    free(x);
    free(acts);
    free(copy);
    free(source);
}

int bench_main(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "attention") == 0)
        return bench_attention_main(argc - 1, argv + 1);
    static const int64_t shapes[][2] = { { 2048, 2048 }, { 5632, 2048 }, { 2048, 5632 },
                                         { 32000, 2048 } };
    static const het_dtype usual[] = { HET_DTYPE_Q4_0, HET_DTYPE_Q8_0, HET_DTYPE_F16 };
    const char *level_name = argc > 0 ? argv[0] : NULL;
    const char *type_name = argc > 1 ? argv[1] : NULL;
    const bool relay = getenv("BENCH_AS_IT_LIES") == NULL;
    const het_precision precision = getenv("BENCH_EXACT") ? HET_PRECISION_EXACT
                                                          : HET_PRECISION_FAST;
    uint8_t *bytes = aligned_bytes(READ_BYTES);
    memset(bytes, 1, READ_BYTES);
    for (const het__cpu_level *const *l = levels_to_test(); *l; l++) {
        if (level_name && strcmp(level_name, "all") != 0 && strcmp(level_name, (*l)->name) != 0)
            continue;
        for (const het_dtype *d = weight_types; *d != HET_DTYPE_NONE; d++) {
            bool wanted = type_name && strcmp(type_name, het__dtype(*d)->name) == 0;
            for (int i = 0; i < 3; i++)
                wanted |= (!type_name || strcmp(type_name, "usual") == 0) && *d == usual[i];
            if (!wanted && !(type_name && strcmp(type_name, "all") == 0))
                continue;
            if (argc > 4) {
                bench_one(*l, *d, atoll(argv[2]), atoll(argv[3]), atoll(argv[4]), relay, precision,
                          bytes);
                continue;
            }
            for (int i = 0; i < 8; i++)
                bench_one(*l, *d, shapes[i / 2][0], shapes[i / 2][1], i % 2 ? 512 : 1, relay,
                          precision, bytes);
        }
    }
    free(bytes);
    return 0;
}

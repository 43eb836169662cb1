/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of the kernels, next to what the processor does at best in the same second:
 *
 *     check_kernels --bench [--json] [LEVEL|all] [TYPE|usual|all] [N K TOKENS|sweep]
 *     check_kernels --bench [--json] vectors [LEVEL|all]
 *     check_kernels --bench attention [LEVEL|all]
 *
 * Peak, bandwidth and product are measured in turn, many short times, so that other load on the
 * machine disturbs all three alike. The best time of each counts; for few tokens the best but a
 * tenth, since the first ones find weights in a cache. The limit is the longer of the operations at
 * the peak and of the bytes of the weights at the bandwidth. Plain C is a loop over weights decoded
 * row by row, on one thread. sweep: one matrix with 1 to 512 tokens.
 *
 * BENCH_SECONDS=S per line, BENCH_EXACT, BENCH_AS_IT_LIES (weights not re-laid), BENCH_CACHED (one
 * copy of the weights), BENCH_PACK (re-laying too). */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include "bench.h"

#include <pthread.h>
#include <strings.h>
#include <time.h>

#include "lib/base/dtype.h"
#include "lib/quant/quant.h"
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

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_seconds(void)
{
    const char *text = getenv("BENCH_SECONDS");
    return text ? atof(text) : 1.0;
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
    const double start = bench_now();
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
    w->seconds = bench_now() - start;
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

static bool bench_json, bench_first = true;

void bench_begin(bool json)
{
    bench_json = json;
    if (json)
        printf("[");
}

int bench_end(void)
{
    if (bench_json)
        printf("\n]\n");
    if (bench_first)
        fprintf(stderr, "nothing was measured: no such level or type here\n");
    return bench_first ? 2 : 0;
}

static void report_json(const bench_result *r)
{
    printf("%s\n {\"level\": \"%s\", \"kernel\": \"%s\", \"n\": %lld, \"k\": %lld, "
           "\"tokens\": %lld, \"threads\": %d, \"ns\": %.1f, \"times_plain_c\": %.3f, "
           "\"gops\": %.3f, \"gops_limit\": %.3f, \"gb_s\": %.3f, \"gb_s_limit\": %.3f, "
           "\"share\": %.4f}",
           bench_first ? "" : ",", r->level, r->kernel, (long long)r->n, (long long)r->k,
           (long long)r->tokens, r->threads, r->seconds * 1e9, r->plain_seconds / r->seconds,
           r->operations / r->seconds * 1e-9, r->peak * 1e-9, r->bytes / r->seconds * 1e-9,
           r->bandwidth * 1e-9, bench_share(r));
}

double bench_share(const bench_result *r)
{
    const double computing = r->peak > 0 ? r->operations / r->peak : 0;
    const double reading = r->bandwidth > 0 ? r->bytes / r->bandwidth : 0;
    return fmax(computing, reading) / r->seconds;
}

void bench_report(const bench_result *r)
{
    if (bench_json) {
        report_json(r);
    } else {
        printf("%-8s %-10s", r->level, r->kernel);
        if (r->n)
            printf(" %6lld x %5lld x %4lld  %dT", (long long)r->n, (long long)r->k,
                   (long long)r->tokens, r->threads);
        else
            printf(" %6lld", (long long)r->k);
        printf(" %12.0f ns %7.1f x plain C", r->seconds * 1e9, r->plain_seconds / r->seconds);
        if (r->operations > 0)
            printf("  %7.1f of %6.1f GOP/s", r->operations / r->seconds * 1e-9, r->peak * 1e-9);
        printf("  %6.1f of %5.1f GB/s", r->bytes / r->seconds * 1e-9, r->bandwidth * 1e-9);
        if (r->n)
            printf("  %5.1f %% of the limit", 100 * bench_share(r));
        printf("\n");
    }
    bench_first = false;
    fflush(stdout);
}

/* The product in plain C, of as many rows as take some milliseconds; time of all rows. */
static double plain_seconds(const het__cpu_matrix *m, const float *x, int64_t tokens)
{
    const int64_t wanted = 2000000 / (m->k * tokens) + 1, rows = wanted < m->n ? wanted : m->n;
    float *w = aligned_bytes((size_t)m->k * sizeof *w), total = 0;
    double best = 1e30;
    for (int round = 0; round < 3; round++) {
        const double start = bench_now();
        for (int64_t i = 0; i < rows; i++) {
            het__decoder(m->dtype)((const uint8_t *)m->source + (size_t)i * m->row_bytes, w, m->k);
            for (int64_t t = 0; t < tokens; t++) {
                float sum = 0;
                for (int64_t j = 0; j < m->k; j++)
                    sum += w[j] * x[t * m->k + j];
                total += sum;
            }
        }
        best = fmin(best, bench_now() - start);
    }
    bench_sink += (uint64_t)(total > 0);
    free(w);
    return best * (double)m->n / (double)rows;
}

/* A matrix in as many copies as no cache holds, and prepared activations. */
typedef struct bench_case {
    const het__cpu_level *level;
    het__cpu_matrix m;
    const uint8_t *bytes;
    uint8_t *copy;
    size_t copy_bytes;
    int64_t copies, tokens;
    float *x, *out;
    uint8_t *acts;
    size_t act_stride;
    double plain;
} bench_case;

static void case_weights(bench_case *c, bool relay, het_precision precision)
{
    het__cpu_matrix *m = &c->m;
    const size_t bytes = m->row_bytes * (size_t)m->n;
    const size_t packed = c->level->choose(m, precision, relay);
    c->copy_bytes = packed ? packed : bytes;
    const bool cached = c->tokens > 8 || getenv("BENCH_CACHED");
    c->copies = cached ? 1 : 1 + (int64_t)(READ_BYTES / 2 / c->copy_bytes);
    c->copy = aligned_bytes(c->copy_bytes * (size_t)c->copies);
    if (packed) {
        m->packed = c->copy;
        const double start = bench_now();
        c->level->pack(m, 0, m->n);
        if (getenv("BENCH_PACK"))
            printf("pack %.2f GB/s\n", (double)bytes / (bench_now() - start) * 1e-9);
    }
    for (int64_t i = packed ? 1 : 0; i < c->copies; i++)
        memcpy(c->copy + (size_t)i * c->copy_bytes, packed ? c->copy : m->source, c->copy_bytes);
}

static void case_activations(bench_case *c, uint64_t *seed)
{
    const int64_t k = c->m.k;
    c->act_stride = het__cpu_act_bytes(c->m.act, k);
    c->acts = aligned_bytes(c->act_stride * (size_t)c->tokens);
    c->x = aligned_bytes((size_t)(k * c->tokens) * sizeof *c->x);
    for (int64_t i = 0; i < k * c->tokens; i++)
        c->x[i] = test_random_float(seed);
    for (int64_t t = 0; t < c->tokens; t++)
        c->level->prepare(c->m.act, c->x + t * k, k, c->acts + (size_t)t * c->act_stride);
    c->out = aligned_bytes((size_t)(c->m.n * c->tokens) * sizeof *c->out);
}

static void case_worker(const bench_case *c, int index, int threads, work *w)
{
    const het__cpu_level *l = c->level;
    const int64_t n = c->m.n, granule = l->granule(&c->m);
    const int64_t part = (n / threads + granule - 1) / granule * granule;
    *w = (work){ .level = l, .matrix = &c->m, .acts = c->acts, .act_stride = c->act_stride,
                 .tokens = c->tokens, .first = index * part, .stride = n, .out = c->out,
                 .bytes = c->bytes + (size_t)index * (READ_BYTES / (size_t)threads),
                 .byte_count = READ_BYTES / (size_t)threads, .copies = c->copy,
                 .copy_bytes = c->copy_bytes, .copy_count = c->copies };
    w->count = index == threads - 1 ? n - w->first : part;
    w->scratch = aligned_bytes(l->scratch_bytes(&c->m, c->tokens));
}

static void case_run(const bench_case *c, int threads)
{
    static double times[3][ROUNDS_MAX];
    work w[THREADS_MAX];
    double best[3];
    for (int i = 0; i < threads; i++)
        case_worker(c, i, threads, &w[i]);
    const double until = bench_now() + bench_seconds();
    int rounds = 0;
    while (rounds < ROUNDS_MAX && (rounds < 3 || bench_now() < until)) {
        for (int kind = 0; kind < 3; kind++)
            times[kind][rounds] = run_all(w, threads, kind);
        rounds++;
    }
    for (int kind = 0; kind < 3; kind++) {
        qsort(times[kind], (size_t)rounds, sizeof times[kind][0], compare_doubles);
        best[kind] = times[kind][c->tokens > 8 ? 0 : rounds / 10];
    }
    const het__cpu_matrix *m = &c->m;
    const double peak = threads * peak_of(c->level, m)(1) * 20000 / best[KIND_PEAK];
    const bench_result r = {
        .level = c->level->name, .kernel = het__dtype(m->dtype)->name, .n = m->n, .k = m->k,
        .tokens = c->tokens, .threads = threads, .seconds = best[KIND_PRODUCT],
        .plain_seconds = c->plain, .operations = 2.0 * (double)(m->n * m->k * c->tokens),
        .bytes = (double)c->copy_bytes, .peak = peak,
        .bandwidth = threads * (double)READ_PIECE / best[KIND_READ],
    };
    bench_report(&r);
    for (int i = 0; i < threads; i++)
        free(w[i].scratch);
}

static void bench_one(const het__cpu_level *l, het_dtype dtype, const int64_t shape[3],
                      const uint8_t *bytes)
{
    uint64_t seed = 7;
    bench_case c = { .level = l, .bytes = bytes, .tokens = shape[2] };
    c.m = (het__cpu_matrix){ .dtype = dtype, .n = shape[0], .k = shape[1] };
    void *source = weights_random(dtype, c.m.n, c.m.k, &seed, &c.m.row_bytes);
    c.m.source = source;
    case_weights(&c, getenv("BENCH_AS_IT_LIES") == NULL,
                 getenv("BENCH_EXACT") ? HET_PRECISION_EXACT : HET_PRECISION_FAST);
    case_activations(&c, &seed);
    c.plain = plain_seconds(&c.m, c.x, c.tokens);
    for (int threads = 1; threads <= THREADS_MAX; threads++)
        case_run(&c, threads);
    free(c.out);
    free(c.x);
    free(c.acts);
    free(c.copy);
    free(source);
}

static bool wanted_type(const char *name, het_dtype dtype)
{
    static const het_dtype usual[] = { HET_DTYPE_Q4_0, HET_DTYPE_Q8_0, HET_DTYPE_F16 };
    if (name && strcmp(name, "all") == 0)
        return true;
    if (name && strcmp(name, "usual") != 0)
        return strcasecmp(name, het__dtype(dtype)->name) == 0;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (dtype == usual[i])
            return true;
    return false;
}

static void bench_type(const het__cpu_level *l, het_dtype dtype, int argc, char **argv,
                       const uint8_t *bytes)
{
    static const int64_t shapes[][3] = {
        { 2048, 2048, 1 }, { 2048, 2048, 512 }, { 5632, 2048, 1 }, { 5632, 2048, 512 },
        { 2048, 5632, 1 }, { 2048, 5632, 512 }, { 32000, 2048, 1 }, { 32000, 2048, 512 },
    };
    static const int64_t tokens[] = { 1, 2, 4, 8, 16, 64, 512 };
    if (argc > 2) {
        bench_one(l, dtype, (const int64_t[]){ atoll(argv[0]), atoll(argv[1]), atoll(argv[2]) },
                  bytes);
        return;
    }
    if (argc > 0) {
        for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
            bench_one(l, dtype, (const int64_t[]){ 5632, 2048, tokens[i] }, bytes);
        return;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        bench_one(l, dtype, shapes[i], bytes);
}

static void bench_products(int argc, char **argv)
{
    const char *level = argc > 0 ? argv[0] : NULL;
    uint8_t *bytes = aligned_bytes(READ_BYTES);
    memset(bytes, 1, READ_BYTES);
    for (const het__cpu_level *const *l = levels_to_test(); *l; l++) {
        if (level && strcmp(level, "all") != 0 && strcmp(level, (*l)->name) != 0)
            continue;
        for (const het_dtype *d = weight_types; *d != HET_DTYPE_NONE; d++)
            if (wanted_type(argc > 1 ? argv[1] : NULL, *d))
                bench_type(*l, *d, argc > 2 ? argc - 2 : 0, argv + 2, bytes);
    }
    free(bytes);
}

int bench_main(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "attention") == 0)
        return bench_attention_main(argc - 1, argv + 1);
    const bool json = argc > 0 && strcmp(argv[0], "--json") == 0;
    argc -= json;
    argv += json;
    bench_begin(json);
    if (argc > 0 && strcmp(argv[0], "vectors") == 0)
        bench_vectors(argc > 1 ? argv[1] : NULL);
    else
        bench_products(argc, argv);
    return bench_end();
}

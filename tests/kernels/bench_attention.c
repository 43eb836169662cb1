/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of attention, next to what the processor does at best in the same second:
 *
 *     check_kernels --bench attention [level] [shape] [step]
 *
 * Prompts are judged by operations against the peak of F32, single tokens by bytes of the cache
 * against reading memory; several layers, so that none is found in a cache. Attention, peak and
 * bandwidth are measured in turn; the best time of each counts, for single tokens the best but a
 * tenth. */
#define _POSIX_C_SOURCE 200809L /* setenv */

#include "backends/cpu_onednn/cpu.h"
#include "lib/base/os.h"
#include "rig.h"
#include "weights.h"

#define LAYERS_MAX 16
#define ROUNDS_MAX 1000
#define PAGE 64
#define PEAK_ITERATIONS 20000
#define READ_PIECE ((size_t)8 << 20)
#define CACHE_BYTES ((int64_t)96 << 20)

typedef struct shape {
    const char *name;
    int32_t heads, kv_heads, head_size, window;
    float softcap;
} shape;

static const shape shapes[] = {
    { "32/4 heads of 64", 32, 4, 64, 0, 0 },
    { "8/4 heads of 256, cap", 8, 4, 256, 0, 50 },
    { "8/4 heads of 256", 8, 4, 256, 0, 0 },
    { "32/8 heads of 128", 32, 8, 128, 0, 0 },
    { "14/2 heads of 64", 14, 2, 64, 0, 0 },
    { "12/12 heads of 64", 12, 12, 64, 0, 0 },
};

static const int64_t steps[][2] = {
    { 512, 0 }, { 512, 1536 }, { 4, 4000 }, { 1, 512 }, { 1, 4096 },
};

static uint32_t index_value(rig *r, const char *name, het__symbol symbol, int64_t columns)
{
    const het__extent e[2] = { { 1, symbol }, { columns, HET__SYM_ONE } };
    return het__graph_value(&r->graph, name, HET__VALUE_INPUT, HET_DTYPE_I32, columns ? 2 : 1, e);
}

static uint32_t rows_value(rig *r, const char *name, int64_t columns)
{
    const het__extent e[2] = { { 1, HET__SYM_TOKENS }, { columns, HET__SYM_ONE } };
    return het__graph_value(&r->graph, name, HET__VALUE_INPUT, HET_DTYPE_F32, 2, e);
}

static void build(rig *r, const shape *s, het_dtype state, int64_t layers)
{
    const het__extent e[4] = { { 1, HET__SYM_STATE_PAGES }, { s->kv_heads, HET__SYM_ONE },
                               { PAGE, HET__SYM_ONE }, { s->head_size, HET__SYM_ONE } };
    const het__attrs attrs = { .attention = {
        .heads = s->heads, .kv_heads = s->kv_heads, .head_size = s->head_size, .page_size = PAGE,
        .scale = 0.1f, .softcap = s->softcap, .window = s->window,
        .rope = { s->head_size, s->head_size, false, 1e4f, 1, 1 } } };
    uint32_t in[HET__ATTN_INPUT_COUNT];
    in[HET__ATTN_Q] = rows_value(r, "q", (int64_t)s->heads * s->head_size);
    in[HET__ATTN_K] = rows_value(r, "k", (int64_t)s->kv_heads * s->head_size);
    in[HET__ATTN_V] = rows_value(r, "v", (int64_t)s->kv_heads * s->head_size);
    in[HET__ATTN_POSITIONS] = index_value(r, "positions", HET__SYM_TOKENS, 0);
    in[HET__ATTN_SLOTS] = index_value(r, "slots", HET__SYM_TOKENS, 0);
    in[HET__ATTN_SEGMENTS] = index_value(r, "segments", HET__SYM_SEQUENCES, 4);
    in[HET__ATTN_PAGES] = index_value(r, "pages", HET__SYM_PAGES, 0);
    for (int i = HET__ATTN_Q_NORM; i <= HET__ATTN_FACTORS; i++)
        in[i] = HET__NO_VALUE;
    het_error err = HET_ERROR_INIT;
    for (int64_t l = 0; l < layers; l++) {
        for (int i = HET__ATTN_K_STATE; i <= HET__ATTN_V_STATE; i++)
            in[i] = het__graph_value(&r->graph, "state", HET__VALUE_STATE, state, 4, e);
        het__graph_node(&r->graph, HET__OP_ATTENTION, 0, "attention", in, HET__ATTN_INPUT_COUNT,
                        &attrs, &err);
    }
}

static void fill(rig *r, int64_t tokens, int64_t past)
{
    uint64_t seed = 5;
    for (uint32_t v = 0; v < r->graph.value_count; v++) {
        const het__value *value = &r->graph.values[v];
        const int64_t count = het__value_elements(value, r->symbols);
        float *f = rig_data(r, v);
        int32_t *n = rig_data(r, v);
        if (value->dtype == HET_DTYPE_F16)
            memset(f, 0x31, rig_bytes(r, v, r->symbols));
        else if (value->dtype == HET_DTYPE_F32)
            for (int64_t i = 0; i < count; i++)
                f[i] = test_random_float(&seed);
        else if (strcmp(value->name, "segments") == 0)
            memcpy(n, (int32_t[4]){ 0, (int32_t)tokens, (int32_t)past, 0 }, 16);
        else
            for (int64_t i = 0; i < count; i++)
                n[i] = (int32_t)(strcmp(value->name, "pages") == 0 ? i : past + i);
    }
}

typedef struct load {
    const het__cpu_level *level;
    uint8_t *bytes; /* READ_PIECE per thread, twice, read in turn */
    int turn;
    bool read;
} load;

static volatile double bench_sink;

static void run_load(void *arg, uint32_t worker, uint32_t count)
{
    const load *l = arg;
    const size_t piece = (size_t)worker + (size_t)l->turn * count;
    if (l->read)
        bench_sink = (double)l->level->read_all(l->bytes + piece * READ_PIECE, READ_PIECE);
    else
        bench_sink = l->level->peak_f32(PEAK_ITERATIONS);
}

static double seconds_since(uint64_t begin)
{
    return 1e-9 * (double)(het__now_ns() - begin);
}

#define TURNS 8

static void measure(rig *r, load *l, double times[3][ROUNDS_MAX], int round)
{
    for (int kind = 0; kind < 3; kind++) {
        const uint64_t begin = het__now_ns();
        l->read = kind == 1;
        if (kind == 0)
            rig_run(r);
        else
            het__pool_run(r->device->pool, run_load, l);
        times[kind][round] = seconds_since(begin);
    }
    l->turn = (l->turn + 1) % TURNS;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double visible(const shape *s, int64_t tokens, int64_t past)
{
    double sum = 0;
    for (int64_t i = 0; i < tokens; i++) {
        const int64_t all = past + i + 1;
        sum += (double)(s->window && all > s->window ? s->window : all);
    }
    return sum;
}

static void bench_one(const het__cpu_level *level, const shape *s, het_dtype state, int64_t tokens,
                      int64_t past, uint32_t threads)
{
    static rig r;
    het_error err = HET_ERROR_INIT;
    rig_init(&r, "cpu_onednn");
    r.host.use_env = true;
    r.options.threads = threads;
    if (rig_open_device(&r, &err) != HET_OK)
        return;
    r.device->alone_macs = 0;
    r.device->short_macs = 0;
    const int64_t row = 2 * s->kv_heads * het_dtype_bytes(state, s->head_size);
    const int64_t pages = (past + tokens + PAGE - 1) / PAGE;
    int64_t layers = tokens > 8 ? 1 : 1 + CACHE_BYTES / (row * (past + tokens));
    layers = layers > LAYERS_MAX ? LAYERS_MAX : layers;
    r.symbols[HET__SYM_TOKENS] = r.symbols_max[HET__SYM_TOKENS] = tokens;
    for (int i = HET__SYM_PAGES; i <= HET__SYM_STATE_PAGES; i++)
        r.symbols[i] = r.symbols_max[i] = pages;
    r.symbols[HET__SYM_STATE_PAGES] = r.symbols_max[HET__SYM_STATE_PAGES] = pages;
    r.symbols[HET__SYM_CONTEXT] = past;
    build(&r, s, state, layers);
    load l = { .level = level, .bytes = aligned_bytes(READ_PIECE * TURNS * threads) };
    memset(l.bytes, 1, READ_PIECE * TURNS * threads);
    if (rig_compile(&r)) {
        static double times[3][ROUNDS_MAX];
        fill(&r, tokens, past);
        const uint64_t begin = het__now_ns();
        int rounds = 0;
        while (rounds < ROUNDS_MAX && (rounds < 5 || seconds_since(begin) < 1.0))
            measure(&r, &l, times, rounds++);
        for (int kind = 0; kind < 3; kind++) {
            qsort(times[kind], (size_t)rounds, sizeof times[kind][0], compare_doubles);
            times[kind][0] = times[kind][tokens > 8 ? 0 : rounds / 10] /
                             (double)(kind ? 1 : layers);
        }
        const double flops = 4.0 * s->heads * s->head_size * visible(s, tokens, past);
        const double speed = 1e-9 * flops / times[0][0];
        const double peak =
            1e-9 * threads * level->peak_f32(1) * PEAK_ITERATIONS / times[2][0];
        const double seen = visible(s, 1, past + tokens - 1);
        const double bytes = 1e-9 * seen * (double)row / times[0][0];
        const double memory = 1e-9 * threads * (double)READ_PIECE / times[1][0];
        printf("%-8s %-22s %4" PRId64 " @ %4" PRId64 "  %uT %9.1f us  %7.1f GFLOP/s = %5.1f%% of "
               "%6.1f",
               level->name, s->name, tokens, past, threads, 1e6 * times[0][0], speed,
               100 * speed / peak, peak);
        if (tokens <= 8)
            printf("   %5.1f GB/s = %5.1f%% of %5.1f", bytes, 100 * bytes / memory, memory);
        printf("\n");
        fflush(stdout);
    }
    free(l.bytes);
    rig_close(&r);
}

int bench_attention_main(int argc, char **argv)
{
    const size_t shape_count = sizeof shapes / sizeof shapes[0];
    const bool f32 = getenv("BENCH_F32") != NULL;
    for (const het__cpu_level *const *l = het__cpu_levels(); *l; l++) {
        if (argc > 0 && strcmp(argv[0], "all") != 0 && strcmp(argv[0], (*l)->name) != 0)
            continue;
        setenv("HETINFER_CPU_LEVEL", (*l)->name, 1);
        for (size_t s = 0; s < shape_count; s++) {
            if (argc > 1 ? s != (size_t)atoi(argv[1]) : s > 1)
                continue;
            for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
                for (uint32_t threads = 1; threads <= 2; threads++)
                    if (argc < 3 || i == (size_t)atoi(argv[2]))
                        bench_one(*l, &shapes[s], f32 ? HET_DTYPE_F32 : HET_DTYPE_F16, steps[i][0],
                                  steps[i][1], threads);
        }
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of the CPU backend against the reference device, on small random graphs: all
 * levels that this processor runs, several numbers of tokens with one compiled program, and the
 * same bits for every number of threads. */
#define _POSIX_C_SOURCE 200809L
#include "backends/cpu_onednn/cpu.h"
#include "cpu_graph.h"

#define TOKENS_MAX 150 /* in products; 33 elsewhere */
#define PAGES_MAX 64
#define CANARY 0xa5

static const int64_t token_counts[] = { 1, 2, 3, 7, 16, 33, 150 };
#define TOKEN_COUNTS (sizeof token_counts / sizeof token_counts[0])

typedef struct spec spec;
struct spec {
    const char *name;
    void (*build)(rig *r, const spec *s);
    het_dtype dtypes[3]; /* of weights */
    int64_t k, n;
    het__attrs attrs;
    het__op op;
    het_dtype state;
    bool normed_heads, factors;
    int64_t sequences; /* most in a step */
    int64_t past;      /* of the first sequence */
    bool wide;         /* enough rows for oneDNN's tiles: also with TOKENS_MAX tokens */
    double tolerance;  /* times the largest wanted value */
};

static size_t token_count_of(const spec *s)
{
    return TOKEN_COUNTS - (s->wide ? 0 : 1);
}

static void build_linear(rig *r, const spec *s)
{
    const uint32_t x = matrix_input(r, "x", s->k);
    const uint32_t norm[2] = { x, vector(r, s->k, 1) };
    const uint32_t y = node(r, HET__OP_NORM, norm, 2,
                            (het__attrs){ .norm = { HET__NORM_RMS, 1e-5f, (int32_t)s->k } });
    const uint32_t in[8] = { y, HET__NO_VALUE, weight(r, s->dtypes[0], s->n, s->k),
                             vector(r, s->n, 0), weight(r, s->dtypes[1], s->n + 24, s->k),
                             HET__NO_VALUE, weight(r, s->dtypes[2], 3, s->k), vector(r, 3, 0) };
    node(r, HET__OP_LINEAR, in, 8, (het__attrs){ .linear = { 3, false } });
    const uint32_t back[4] = { x, matrix_input(r, "residual", s->n),
                               weight(r, s->dtypes[0], s->n, s->k), HET__NO_VALUE };
    node(r, HET__OP_LINEAR, back, 4, (het__attrs){ .linear = { 1, true } });
}

static uint32_t fixed_input(rig *r, const char *name, int64_t rows, int64_t columns)
{
    const het__extent e[2] = { FIXED(rows), FIXED(columns) };
    return het__graph_value(&r->graph, name, HET__VALUE_INPUT, HET_DTYPE_F32, 2, e);
}

/* Rows by a constant, either way round: with all that may follow, and with the scale alone. */
static void build_matmul(rig *r, const spec *s)
{
    static const int64_t rows[] = { 1, 2, 7, 13, 33, 40, 150 };
    const int64_t columns[2] = { s->k, s->n };
    const uint32_t turned =
        het__graph_const(&r->graph, "w", HET_DTYPE_F32, 2, columns,
                         random_weights(r, HET_DTYPE_F32, s->k, s->n));
    const uint32_t straight = weight(r, HET_DTYPE_F32, s->n, s->k), bias = vector(r, s->n, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t x = fixed_input(r, "x", rows[i], s->k);
        const uint32_t all[4] = { x, turned, bias, fixed_input(r, "residual", rows[i], s->n) };
        const uint32_t none[4] = { x, straight, HET__NO_VALUE, HET__NO_VALUE };
        node(r, HET__OP_MATMUL, all, 4, s->attrs);
        node(r, HET__OP_MATMUL, none, 4, (het__attrs){ .matmul = { true, 0.7f, { 0 } } });
    }
}

/* norm with a bias -> gated; and gated on the input itself. */
static void build_gated(rig *r, const spec *s)
{
    const uint32_t x = matrix_input(r, "x", s->k);
    const uint32_t norm[3] = { x, vector(r, s->k, 1), vector(r, s->k, 0) };
    const uint32_t y = node(r, HET__OP_NORM, norm, 3,
                            (het__attrs){ .norm = { HET__NORM_LAYER, 1e-5f, (int32_t)s->k } });
    const uint32_t in[3] = { y, weight(r, s->dtypes[0], s->n, s->k),
                             weight(r, s->dtypes[1], s->n, s->k) };
    node(r, HET__OP_GATED, in, 3, s->attrs);
    const uint32_t raw[3] = { x, in[1], in[2] };
    node(r, HET__OP_GATED, raw, 3, s->attrs);
}

/* Experts of n hidden values; two or three of five. The scores are their own input. */
static void build_moe(rig *r, const spec *s)
{
    enum { EXPERTS = 5 };
    const int64_t n = s->n, k = s->k;
    const int64_t in[3] = { EXPERTS, n, k }, back[3] = { EXPERTS, k, n };
    const uint32_t inputs[5] = {
        matrix_input(r, "x", k), matrix_input(r, "scores", EXPERTS),
        het__graph_const(&r->graph, "gate", s->dtypes[0], 3, in,
                         random_weights(r, s->dtypes[0], EXPERTS * n, k)),
        het__graph_const(&r->graph, "up", s->dtypes[1], 3, in,
                         random_weights(r, s->dtypes[1], EXPERTS * n, k)),
        het__graph_const(&r->graph, "down", s->dtypes[2], 3, back,
                         random_weights(r, s->dtypes[2], EXPERTS * k, n)),
    };
    node(r, HET__OP_MOE, inputs, 5, s->attrs);
}

/* Streams predicted and corrected, cut and matched, and columns of one. */
static void build_streams(rig *r, const spec *s)
{
    uint32_t in[6] = { matrix_input(r, "c", 9), matrix_input(r, "a", s->k),
                       matrix_input(r, "b", s->k), matrix_input(r, "d", s->k) };
    node(r, HET__OP_PREDICT, in, 4, (het__attrs){ { 0 } });
    in[4] = in[3];
    in[3] = in[2];
    in[2] = in[1];
    in[1] = matrix_input(r, "y", s->k);
    in[0] = matrix_input(r, "c3", 3);
    node(r, HET__OP_CORRECT, in, 5, (het__attrs){ .correct = { 2 } });
    node(r, HET__OP_MATCH, in + 1, 2, (het__attrs){ .match = { 1e-5f } });
    node(r, HET__OP_CUT, in + 1, 1, (het__attrs){ .cut = { 0.5f } });
    const uint32_t part =
        node(r, HET__OP_COLUMNS, in + 1, 1, (het__attrs){ .columns = { 3, s->k / 2 } });
    const uint32_t parts[3] = { part, in[2], part };
    node(r, HET__OP_JOIN, parts, 3, (het__attrs){ { 0 } });
    node(r, HET__OP_UNARY, in + 1, 1, (het__attrs){ .unary = { HET__UNARY_SCALE, 0.3f } });
    node(r, HET__OP_UNARY, in + 1, 1, (het__attrs){ .unary = { HET__UNARY_SOFTCAP, 1.5f } });
    const uint32_t bare[2] = { in[1], HET__NO_VALUE };
    node(r, HET__OP_NORM, bare, 2,
         (het__attrs){ .norm = { HET__NORM_RMS, 1e-5f, (int32_t)s->k } });
}

static void build_norm(rig *r, const spec *s)
{
    const int64_t group = s->attrs.norm.group;
    const uint32_t in[3] = { matrix_input(r, "x", s->k), vector(r, group, 1),
                             s->attrs.norm.kind == HET__NORM_LAYER ? vector(r, group, 0)
                                                                   : HET__NO_VALUE };
    node(r, HET__OP_NORM, in, 3, s->attrs);
}

static void build_unary(rig *r, const spec *s)
{
    const uint32_t x = matrix_input(r, "x", s->k);
    for (int kind = HET__UNARY_SILU; kind <= HET__UNARY_SIGMOID; kind++)
        node(r, HET__OP_UNARY, &x, 1, (het__attrs){ .unary = { .kind = (het__unary)kind } });
    node(r, HET__OP_SOFTMAX, &x, 1, s->attrs);
}

static void build_binary(rig *r, const spec *s)
{
    const uint32_t a = matrix_input(r, "a", s->k), b = matrix_input(r, "b", s->k);
    const uint32_t full[2] = { a, b }, row[2] = { a, vector(r, s->k, 0) };
    node(r, HET__OP_ADD, full, 2, s->attrs);
    node(r, HET__OP_ADD, row, 2, s->attrs);
    node(r, HET__OP_MUL, full, 2, s->attrs);
    node(r, HET__OP_MUL, row, 2, s->attrs);
}

static void build_rows(rig *r, const spec *s)
{
    const uint32_t table[2] = { weight(r, s->dtypes[0], s->n, s->k),
                                index_input(r, "ids", HET__SYM_TOKENS, 0) };
    const uint32_t x = node(r, HET__OP_EMBED, table, 2, s->attrs);
    const uint32_t in[2] = { x, index_input(r, "rows", HET__SYM_ROWS, 0) };
    node(r, HET__OP_ROWS, in, 2, s->attrs);
}

static uint32_t factors(rig *r, const spec *s, int32_t rotated)
{
    return s->factors && rotated ? vector(r, rotated / 2, 1.5f) : HET__NO_VALUE;
}

static void build_rope(rig *r, const spec *s)
{
    const uint32_t in[3] = { matrix_input(r, "x", s->k),
                             index_input(r, "positions", HET__SYM_TOKENS, 0),
                             factors(r, s, s->attrs.rope.rotated) };
    node(r, HET__OP_ROPE, in, 3, s->attrs);
}

static void build_attention(rig *r, const spec *s)
{
    const het__attention_attrs *a = &s->attrs.attention;
    const het__extent state[4] = { { 1, HET__SYM_STATE_PAGES }, FIXED(a->kv_heads),
                                   FIXED(a->page_size), FIXED(a->head_size) };
    const int64_t d = a->head_size;
    uint32_t in[HET__ATTN_INPUT_COUNT];
    in[HET__ATTN_Q] = matrix_input(r, "q", a->heads * d);
    in[HET__ATTN_K] = matrix_input(r, "k", a->kv_heads * d);
    in[HET__ATTN_V] = matrix_input(r, "v", a->kv_heads * d);
    for (int i = HET__ATTN_K_STATE; i <= HET__ATTN_V_STATE; i++)
        in[i] = het__graph_value(&r->graph, i == HET__ATTN_K_STATE ? "keys" : "values",
                                 HET__VALUE_STATE, s->state, 4, state);
    in[HET__ATTN_POSITIONS] = index_input(r, "positions", HET__SYM_TOKENS, 0);
    in[HET__ATTN_SLOTS] = index_input(r, "slots", HET__SYM_TOKENS, 0);
    in[HET__ATTN_SEGMENTS] = index_input(r, "segments", HET__SYM_SEQUENCES, 4);
    in[HET__ATTN_PAGES] = index_input(r, "pages", HET__SYM_PAGES, 0);
    in[HET__ATTN_Q_NORM] = s->normed_heads ? vector(r, d, 1) : HET__NO_VALUE;
    in[HET__ATTN_K_NORM] = s->normed_heads ? vector(r, d, 1) : HET__NO_VALUE;
    in[HET__ATTN_FACTORS] = factors(r, s, a->rope.rotated);
    node(r, HET__OP_ATTENTION, in, HET__ATTN_INPUT_COUNT, s->attrs);
}

/* ---- a step ---- */

typedef struct step {
    int32_t ids[TOKENS_MAX], rows[TOKENS_MAX], positions[TOKENS_MAX], slots[TOKENS_MAX];
    int32_t segments[4 * TOKENS_MAX], pages[PAGES_MAX];
    int64_t sequences, page_count;
} step;

/* Sequences of unlike length whose pages are scattered; some had a past. With as many sequences
 * as tokens every one has a single token. */
static void make_step(const spec *s, int64_t tokens, step *p)
{
    const int64_t page = s->op == HET__OP_ATTENTION ? s->attrs.attention.page_size : 1;
    int64_t row = 0;
    p->page_count = 0;
    p->sequences = s->sequences < 1 ? 1 : s->sequences < tokens ? s->sequences : tokens;
    for (int64_t b = 0; b < p->sequences; b++) {
        const int64_t rest = p->sequences - b - 1;
        const int64_t rows = rest ? (tokens - row - rest + 1) / 2 : tokens - row;
        const int64_t past = b == 0 ? s->past : s->past * b / (p->sequences + 1);
        const int32_t first = (int32_t)p->page_count;
        for (int64_t at = 0; page > 1 && at < past + rows; at += page, p->page_count++)
            p->pages[p->page_count] = (int32_t)((p->page_count * 11 + 5) % PAGES_MAX);
        const int32_t segment[4] = { (int32_t)row, (int32_t)rows, (int32_t)past, first };
        memcpy(p->segments + 4 * b, segment, sizeof segment);
        for (int64_t i = 0; i < rows; i++, row++) {
            const int64_t at = past + i;
            p->positions[row] = (int32_t)at;
            if (page > 1)
                p->slots[row] = (int32_t)(p->pages[first + at / page] * page + at % page);
        }
    }
    for (int64_t t = 0; t < tokens; t++) {
        p->ids[t] = (int32_t)(s->n ? t * 7 % s->n : 0);
        p->rows[t] = (int32_t)(tokens - 1 - t);
    }
}

static const void *index_data(const step *p, const char *name)
{
    return strcmp(name, "ids") == 0        ? p->ids
           : strcmp(name, "rows") == 0     ? p->rows
           : strcmp(name, "slots") == 0    ? p->slots
           : strcmp(name, "segments") == 0 ? p->segments
           : strcmp(name, "pages") == 0    ? p->pages
                                           : p->positions;
}

static void random_block(unsigned char *block)
{
    float x[32];
    for (int i = 0; i < 32; i++)
        x[i] = 2.0f * test_random_float(&seed);
    het__q8_0_encode(x, block, 32);
}

static void fill_value(rig *r, uint32_t v, const step *p)
{
    const het__value *value = &r->graph.values[v];
    const size_t bytes = rig_bytes(r, v, r->symbols);
    memset(rig_data(r, v), value->producer == HET__NO_VALUE ? 0 : CANARY,
           rig_bytes(r, v, r->symbols_max));
    if (value->producer != HET__NO_VALUE)
        return;
    if (value->dtype == HET_DTYPE_I32) {
        memcpy(rig_data(r, v), index_data(p, value->name), bytes);
        return;
    }
    const int64_t count = het__value_elements(value, r->symbols);
    for (int64_t i = 0; value->dtype == HET_DTYPE_Q8_0 && i < count; i += 32)
        random_block((unsigned char *)rig_data(r, v) + i / 32 * 34);
    for (int64_t i = 0; value->dtype != HET_DTYPE_Q8_0 && i < count; i++) {
        const float f = 2.0f * test_random_float(&seed);
        const uint16_t h = het__f32_to_f16(f);
        if (value->dtype == HET_DTYPE_F16)
            memcpy((uint16_t *)rig_data(r, v) + i, &h, 2);
        else
            memcpy((float *)rig_data(r, v) + i, &f, 4);
    }
}

static void run_step(rig *r, const spec *s, int64_t tokens)
{
    static step p;
    memset(&p, 0, sizeof p);
    make_step(s, tokens, &p);
    r->symbols[HET__SYM_TOKENS] = tokens;
    r->symbols[HET__SYM_ROWS] = tokens > 1 ? tokens - 1 : 1;
    r->symbols[HET__SYM_SEQUENCES] = p.sequences;
    r->symbols[HET__SYM_PAGES] = p.page_count ? p.page_count : 1;
    r->symbols[HET__SYM_CONTEXT] = s->past;
    seed = 77;
    for (uint32_t v = 0; v < r->graph.value_count; v++)
        if (r->graph.values[v].kind != HET__VALUE_CONST)
            fill_value(r, v, &p);
    rig_run(r);
}

/* ---- comparing ---- */

static bool is_result(const rig *r, uint32_t v)
{
    uint32_t uses[RIG_VALUES_MAX];
    het__graph_use_counts(&r->graph, uses);
    const het__value *value = &r->graph.values[v];
    return value->kind == HET__VALUE_STATE || (value->producer != HET__NO_VALUE && uses[v] == 0);
}

static double at(const het__value *value, const void *data, int64_t i)
{
    if (value->dtype == HET_DTYPE_F16)
        return (double)het__f16_to_f32(((const uint16_t *)data)[i]);
    if (value->dtype == HET_DTYPE_Q8_0) {
        float block[32];
        het__decoder(HET_DTYPE_Q8_0)((const unsigned char *)data + i / 32 * 34, block, 32);
        return (double)block[i % 32];
    }
    return (double)((const float *)data)[i];
}

static void compare_value(rig *got, rig *want, uint32_t v, const spec *s)
{
    const het__value *value = &got->graph.values[v];
    const int64_t count = het__value_elements(value, got->symbols);
    const void *g = rig_data(got, v), *w = rig_data(want, v);
    double largest = 1e-3, worst = 0;
    int64_t where = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(at(value, w, i)));
    for (int64_t i = 0; i < count; i++) {
        const double e = fabs(at(value, g, i) - at(value, w, i));
        if (!(e <= worst)) {
            worst = e;
            where = i;
        }
    }
    /* A key may round to the other of two neighbours in F16, and is then one of many keys. */
    double tolerance = s->tolerance;
    if (s->state == HET_DTYPE_F16)
        tolerance = value->kind == HET__VALUE_STATE ? 1.0 / 1024 : 5e-5;
    if (s->state == HET_DTYPE_Q8_0) /* the same with steps of 1/127, and the scale in F16 */
        tolerance = value->kind == HET__VALUE_STATE ? 1.0 / 120 : 5e-4;
    test_checks++;
    if (!(worst <= tolerance * largest))
        TEST_FAIL("%s, %s, %" PRId64 " tokens, %u threads: value %u[%" PRId64
                  "] = %.9g, want %.9g, off by %.3g of %.3g",
                  s->name, getenv("HETINFER_CPU_LEVEL"), got->symbols[HET__SYM_TOKENS],
                  got->options.threads, v, where, at(value, g, where), at(value, w, where), worst,
                  largest);
    const unsigned char *bytes = g;
    for (size_t i = rig_bytes(got, v, got->symbols); i < rig_bytes(got, v, got->symbols_max); i++)
        if (bytes[i] != (value->producer == HET__NO_VALUE ? 0 : CANARY)) {
            TEST_FAIL("%s: value %u is written behind its end", s->name, v);
            break;
        }
}

static void compare(rig *got, rig *want, const spec *s)
{
    for (uint32_t v = 0; v < got->graph.value_count; v++)
        if (is_result(got, v))
            compare_value(got, want, v, s);
}

static void compare_bits(rig *got, rig *want, const spec *s)
{
    for (uint32_t v = 0; v < got->graph.value_count; v++)
        if (is_result(got, v) &&
            memcmp(rig_data(got, v), rig_data(want, v), rig_bytes(got, v, got->symbols)) != 0)
            TEST_FAIL("%s, %" PRId64 " tokens: value %u differs between %u and %u threads",
                      s->name, got->symbols[HET__SYM_TOKENS], v, got->options.threads,
                      want->options.threads);
    test_checks++;
}

static bool start(rig *r, const char *backend, const spec *s, uint32_t threads,
                  het_precision precision, bool mapped)
{
    het_error err = HET_ERROR_INIT;
    rig_init(r, backend);
    r->host.use_env = true;
    r->options = (het__open_options){ .threads = threads, .precision = precision,
                                      .weights_mapped = mapped };
    CHECK_INT(rig_open_device(r, &err), HET_OK);
    if (!r->device)
        return false;
    if (strcmp(backend, "ref") != 0)
        share_steps(r);
    const int64_t tokens = token_counts[token_count_of(s) - 1];
    r->symbols_max[HET__SYM_TOKENS] = tokens;
    r->symbols_max[HET__SYM_ROWS] = tokens;
    r->symbols_max[HET__SYM_SEQUENCES] = tokens;
    r->symbols_max[HET__SYM_PAGES] = PAGES_MAX;
    r->symbols[HET__SYM_STATE_PAGES] = r->symbols_max[HET__SYM_STATE_PAGES] = PAGES_MAX;
    seed = 12345;
    s->build(r, s);
    char reason[100] = "";
    for (uint32_t n = 0; n < r->graph.node_count; n++)
        if (!r->backend->supports(&r->graph, &r->graph.nodes[n], reason, sizeof reason))
            TEST_FAIL("%s: %s", s->name, reason);
    return rig_compile(r);
}

/* Where a device has opened oneDNN, wide F32 weights go through it. */
static void check_onednn(const rig *r, const spec *s)
{
    if (r->device->onednn && s->wide)
        CHECK(r->program->uses_onednn);
    else
        CHECK(!r->program->uses_onednn || r->device->onednn);
}

#define THREADS 3

#define LEVELS_MAX 4

/* HETINFER_TEST_LEVELS: how many of the levels are tried, fastest first; all without it. */
static uint32_t levels_wanted(void)
{
    const char *text = getenv("HETINFER_TEST_LEVELS");
    const long n = text ? strtol(text, NULL, 10) : LEVELS_MAX;
    return n > 0 && n < LEVELS_MAX ? (uint32_t)n : LEVELS_MAX;
}

static void set_level(const het__cpu_level *level)
{
    setenv("HETINFER_CPU_LEVEL", level->name, 1);
}

/* All levels and numbers of threads at once, so that the reference computes each step once. */
static void check_spec(const spec *s, het_precision precision, bool mapped)
{
    static rig want, got[LEVELS_MAX][THREADS];
    const het__cpu_level *const *levels = het__cpu_levels();
    bool ready = start(&want, "ref", s, 1, precision, false);
    uint32_t count = 0;
    for (; levels[count] && count < levels_wanted(); count++)
        for (uint32_t t = 0; t < THREADS; t++) {
            set_level(levels[count]);
            ready = start(&got[count][t], "cpu_onednn", s, t + 1, precision, mapped) && ready;
            if (ready)
                check_onednn(&got[count][t], s);
        }
    for (size_t i = 0; ready && i < token_count_of(s); i++) {
        run_step(&want, s, token_counts[i]);
        for (uint32_t l = 0; l < count; l++) {
            set_level(levels[l]);
            for (uint32_t t = 0; t < THREADS; t++) {
                run_step(&got[l][t], s, token_counts[i]);
                if (t == 0)
                    compare(&got[l][t], &want, s);
                else
                    compare_bits(&got[l][t], &got[l][0], s);
            }
        }
    }
    for (uint32_t l = 0; l < count; l++)
        for (uint32_t t = 0; t < THREADS; t++)
            rig_close(&got[l][t]);
    rig_close(&want);
}

static void check_all(const spec *specs, size_t count, het_precision precision, bool mapped)
{
    for (size_t i = 0; i < count; i++)
        check_spec(&specs[i], precision, mapped);
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define T(a, b, c) { HET_DTYPE_##a, HET_DTYPE_##b, HET_DTYPE_##c }
#define GATED(name) { .gated = { HET__UNARY_##name } }
#define MOE(used, router, act) \
    { .moe = { used, HET__ROUTER_##router, true, 1, 0.01f, HET__UNARY_##act } }

/* F32 sums of up to some hundred products of values near 1 against double. */
static const spec exact_products[] = {
    { "linear f32", build_linear, T(F32, F32, F32), 64, 40, .tolerance = 2e-6 },
    { "linear f32, tails", build_linear, T(F32, F16, BF16), 71, 37, .tolerance = 2e-6 },
    { "linear q8_0, q4_0", build_linear, T(Q8_0, Q4_0, F32), 96, 50, .tolerance = 2e-6 },
    { "linear q4_k, q6_k", build_linear, T(Q4_K, Q6_K, Q4_K), 512, 130, .tolerance = 4e-6 },
    { "linear f32, wide", build_linear, T(F32, F32, F32), 48, 300, .wide = true,
      .tolerance = 2e-6 },
    { "linear f32, wide, tails", build_linear, T(F32, F32, F16), 71, 199, .wide = true,
      .tolerance = 2e-6 },
    { "gated f32, wide", build_gated, T(F32, F32, NONE), 64, 290, GATED(SILU), .wide = true,
      .tolerance = 4e-6 },
    { "gated silu", build_gated, T(Q4_0, Q8_0, NONE), 160, 77, GATED(SILU), .tolerance = 4e-6 },
    { "gated gelu", build_gated, T(F32, F32, NONE), 33, 20, GATED(GELU_TANH), .tolerance = 4e-6 },
    { "gated erf", build_gated, T(BF16, F16, NONE), 64, 64, GATED(GELU_ERF), .tolerance = 4e-6 },
    { "moe f32", build_moe, T(F32, F32, F32), 45, 70, MOE(2, SPARSE_MIXER, SILU),
      .tolerance = 4e-6 },
    { "moe q4_0, q8_0", build_moe, T(Q4_0, Q4_0, Q8_0), 96, 160, MOE(3, SOFTMAX, SILU),
      .tolerance = 4e-6 },
    { "moe, types of all kinds", build_moe, T(Q4_K, F16, BF16), 256, 77, MOE(1, SIGMOID, RELU),
      .tolerance = 4e-6 },
};

/* Few columns, few rows of weights: tiles of all widths, tokens shared by threads. */
#define MATMUL(k, n, act, alpha, beta)                                                  \
    build_matmul, T(F32, F32, NONE), k, n,                                              \
        .attrs = { .matmul = { false, 0.7f, { HET__ACT_##act, alpha, beta } } },        \
        .tolerance = 2e-6

static const spec narrow_products[] = {
    { "matmul to 1", MATMUL(1, 1, NONE, 0, 0) },
    { "matmul to 10, relu", MATMUL(64, 10, RELU, 0, 0) },
    { "matmul to 17, clip", MATMUL(130, 17, CLIP, -0.5f, 2) },
    { "matmul to 48, gelu", MATMUL(33, 48, GELU_ERF, 0, 0) },
    { "matmul to 70, swish", MATMUL(27, 70, SWISH, 1, 0) },
    { "matmul to 260, relu", MATMUL(48, 260, RELU, 0, 0) },
    { "matmul of 300, none", MATMUL(300, 400, NONE, 0, 0) },
};

/* Activations of 8 bits per block of 32: errors of 1/254 of a block's largest element, random
 * over the row; bfloat16: 1/512 of each element. */
static const spec fast_products[] = {
    { "linear q8_0, q4_0", build_linear, T(Q8_0, Q4_0, F32), 96, 50, .tolerance = 0.02 },
    { "linear q4_k, q6_k", build_linear, T(Q4_K, Q6_K, Q5_0), 512, 130, .tolerance = 0.02 },
    { "linear bf16", build_linear, T(BF16, F16, BF16), 71, 37, .tolerance = 0.01 },
    { "gated silu", build_gated, T(Q4_0, Q8_0, NONE), 160, 77, GATED(SILU), .tolerance = 0.03 },
    { "gated relu", build_gated, T(Q4_K, Q6_K, NONE), 256, 300, GATED(RELU), .tolerance = 0.03 },
    { "moe q4_0, q8_0", build_moe, T(Q4_0, Q8_0, Q4_0), 96, 160, MOE(2, SOFTMAX, SILU),
      .tolerance = 0.04 },
};

static void products_exact(void)
{
    check_all(exact_products, COUNT(exact_products), HET_PRECISION_EXACT, false);
}

static void products_fast(void)
{
    check_all(fast_products, COUNT(fast_products), HET_PRECISION_FAST, false);
}

/* What an F16 below its normal numbers stands for is an ordinary F32. */
static void products_of_small_scales(void)
{
    scale_size = 1e-3f;
    check_all(fast_products, 2, HET_PRECISION_FAST, false);
    scale_size = 1;
}

static void products_narrow(void)
{
    check_all(narrow_products, COUNT(narrow_products), HET_PRECISION_EXACT, false);
    check_all(narrow_products, COUNT(narrow_products), HET_PRECISION_FAST, true);
}

static void products_mapped(void)
{
    check_all(exact_products, COUNT(exact_products), HET_PRECISION_EXACT, true);
    check_all(fast_products, COUNT(fast_products), HET_PRECISION_FAST, true);
}

static const spec small_ops[] = {
    { "rms norm", build_norm, .k = 96, .attrs = { .norm = { HET__NORM_RMS, 1e-6f, 96 } },
      .tolerance = 1e-6 },
    { "grouped rms norm", build_norm, .k = 96, .attrs = { .norm = { HET__NORM_RMS, 1e-6f, 24 } },
      .tolerance = 1e-6 },
    { "layer norm", build_norm, .k = 67, .attrs = { .norm = { HET__NORM_LAYER, 1e-5f, 67 } },
      .tolerance = 1e-6 },
    { "unary, softmax", build_unary, .k = 61, .tolerance = 2e-6 },
    { "unary, long rows", build_unary, .k = 4099, .tolerance = 4e-6 },
    { "add, mul", build_binary, .k = 61, .tolerance = 1e-7 },
    { "add, mul, long rows", build_binary, .k = 4099, .tolerance = 1e-7 },
    { "embed f32, rows", build_rows, T(F32, NONE, NONE), 51, 30,
      .attrs = { .embed = { 3.0f } }, .tolerance = 1e-7 },
    { "embed q4_k, rows", build_rows, T(Q4_K, NONE, NONE), 256, 30,
      .attrs = { .embed = { 1.0f } }, .tolerance = 1e-7 },
    { "streams", build_streams, .k = 71, .tolerance = 2e-6 },
    { "rope", build_rope, .k = 3 * 24,
      .attrs = { .rope = { 24, 24, false, 1e4f, 1.0f, 1.0f } }, .past = 9000, .tolerance = 1e-6 },
    { "rope, part, pairs", build_rope, .k = 2 * 40, .factors = true,
      .attrs = { .rope = { 40, 16, true, 5e5f, 0.25f, 1.2f } }, .past = 31, .tolerance = 1e-6 },
};

static void small_operations(void)
{
    check_all(small_ops, COUNT(small_ops), HET_PRECISION_EXACT, false);
}

/* H, G, d, page, softcap, window, then the rotation; the scale is 1/sqrt(d). */
#define ATTENTION(h, g, d, page, cap, window, ...)                                              \
    build_attention, .op = HET__OP_ATTENTION, .tolerance = 4e-6,                                \
        .attrs = { .attention = { h, g, d, page, 1.0f / (d / 16.0f + 1), cap, window, 1e-6f,    \
                                  { d, __VA_ARGS__ } } }
#define NO_ROPE 0, false, 0, 1, 1

static const spec attentions[] = {
    { "heads of 8", ATTENTION(4, 4, 8, 16, 0, 0, NO_ROPE), .state = HET_DTYPE_F32 },
    { "heads of 64, shared", ATTENTION(8, 2, 64, 32, 0, 0, 64, false, 1e4f, 1, 1),
      .state = HET_DTYPE_F16, .sequences = 3, .past = 45 },
    { "one key head", ATTENTION(7, 1, 24, 16, 0, 0, 24, true, 1e4f, 1, 1), .state = HET_DTYPE_F16,
      .sequences = 2, .past = 100, .factors = true },
    { "heads of 256, cap, window", ATTENTION(2, 1, 256, 16, 30, 20, 256, false, 1e4f, 1, 1),
      .state = HET_DTYPE_F16, .sequences = 4, .past = 70 },
    { "normed heads", ATTENTION(6, 3, 40, 64, 0, 0, 20, false, 1e6f, 0.5f, 1.1f),
      .state = HET_DTYPE_F32, .normed_heads = true, .sequences = 5, .past = 200 },
    { "pages of 256", ATTENTION(4, 2, 80, 256, 0, 33, 80, true, 1e4f, 1, 1),
      .state = HET_DTYPE_F16, .sequences = 2, .past = 300 },
    { "single tokens", ATTENTION(8, 4, 32, 32, 50, 0, 32, false, 1e4f, 1, 1),
      .state = HET_DTYPE_F16, .sequences = 33, .past = 25, .normed_heads = true },
    { "many heads per key head", ATTENTION(71, 1, 16, 8, 0, 5, NO_ROPE), .state = HET_DTYPE_F32,
      .sequences = 2, .past = 17 },
    { "odd head", ATTENTION(3, 3, 13, 10, 0, 0, 12, false, 1e4f, 1, 1), .state = HET_DTYPE_F32,
      .sequences = 3, .past = 33 },
};

static void attention(void)
{
    check_all(attentions, COUNT(attentions), HET_PRECISION_EXACT, false);
}

/* Contexts of several splits, windows that begin and end within one, every usual size of heads. */
static const spec long_attentions[] = {
    { "long, 1 head each", ATTENTION(2, 2, 64, 64, 0, 0, 64, false, 1e4f, 1, 1),
      .state = HET_DTYPE_F16, .sequences = 3, .past = 700 },
    { "long, 2, cap", ATTENTION(2, 1, 256, 64, 50, 0, 256, false, 1e4f, 1, 1),
      .state = HET_DTYPE_F16, .sequences = 2, .past = 520 },
    { "long, 4, window", ATTENTION(4, 1, 128, 64, 0, 300, 64, true, 1e4f, 1, 1),
      .state = HET_DTYPE_F16, .past = 800 },
    { "long, 8, window", ATTENTION(8, 1, 64, 64, 0, 100, NO_ROPE), .state = HET_DTYPE_F16,
      .sequences = 4, .past = 600 },
    { "long, 7", ATTENTION(7, 1, 96, 64, 0, 0, NO_ROPE), .state = HET_DTYPE_F16, .past = 500 },
    { "long, 3, cap, window", ATTENTION(3, 1, 80, 32, 20, 257, NO_ROPE), .state = HET_DTYPE_F32,
      .sequences = 2, .past = 777 },
    { "long, odd pages", ATTENTION(5, 1, 48, 24, 0, 0, NO_ROPE), .state = HET_DTYPE_F32,
      .past = 600 },
    { "long, many sequences", ATTENTION(2, 1, 32, 64, 0, 0, NO_ROPE), .state = HET_DTYPE_F16,
      .sequences = 7, .past = 900, .normed_heads = true },
};

static const spec q8_attentions[] = {
    { "q8_0, 8", ATTENTION(8, 1, 64, 64, 0, 0, 64, false, 1e4f, 1, 1), .state = HET_DTYPE_Q8_0,
      .sequences = 3, .past = 300 },
    { "q8_0, 2, cap", ATTENTION(4, 2, 128, 16, 30, 70, 128, true, 1e4f, 1, 1),
      .state = HET_DTYPE_Q8_0, .sequences = 2, .past = 120 },
    { "q8_0, 1, 3, 5", ATTENTION(5, 5, 96, 64, 0, 0, NO_ROPE), .state = HET_DTYPE_Q8_0,
      .sequences = 33, .past = 40 },
    { "q8_0, 16", ATTENTION(16, 1, 32, 64, 0, 0, NO_ROPE), .state = HET_DTYPE_Q8_0, .past = 520 },
};

static void attention_q8(void)
{
    check_all(q8_attentions, COUNT(q8_attentions), HET_PRECISION_EXACT, false);
}

static void attention_long(void)
{
    check_all(long_attentions, COUNT(long_attentions), HET_PRECISION_EXACT, false);
}

static void *data_of(rig *r, const char *name)
{
    for (uint32_t v = 0; v < r->graph.value_count; v++)
        if (strcmp(r->graph.values[v].name, name) == 0)
            return rig_data(r, v);
    TEST_FAIL("no value %s", name);
    return NULL;
}

/* Tokens [from, to) of a sequence with a past; columns of q and of k and v. */
static void run_chunk(rig *r, const spec *s, const float *q, const float *k, const float *v,
                      int64_t from, int64_t to, float *out)
{
    const het__attention_attrs *a = &s->attrs.attention;
    const int64_t wide = (int64_t)a->heads * a->head_size, n = to - from;
    const int64_t narrow = (int64_t)a->kv_heads * a->head_size;
    const int32_t segment[4] = { 0, (int32_t)n, (int32_t)(s->past + from), 0 };
    int32_t *pages = data_of(r, "pages");
    memcpy(data_of(r, "q"), q + from * wide, (size_t)(n * wide) * sizeof *q);
    memcpy(data_of(r, "k"), k + from * narrow, (size_t)(n * narrow) * sizeof *k);
    memcpy(data_of(r, "v"), v + from * narrow, (size_t)(n * narrow) * sizeof *v);
    memcpy(data_of(r, "segments"), segment, sizeof segment);
    for (int32_t i = 0; i < PAGES_MAX; i++)
        pages[i] = (i * 11 + 5) % PAGES_MAX;
    for (int64_t i = 0; i < n; i++) {
        const int64_t p = s->past + from + i;
        ((int32_t *)data_of(r, "positions"))[i] = (int32_t)p;
        ((int32_t *)data_of(r, "slots"))[i] =
            (int32_t)(pages[p / a->page_size] * a->page_size + p % a->page_size);
    }
    r->symbols[HET__SYM_TOKENS] = n;
    r->symbols[HET__SYM_SEQUENCES] = 1;
    r->symbols[HET__SYM_PAGES] = (s->past + to + a->page_size - 1) / a->page_size;
    r->symbols[HET__SYM_CONTEXT] = s->past + from;
    rig_run(r);
    memcpy(out + from * wide, rig_data(r, r->graph.nodes[0].outputs[0]),
           (size_t)(n * wide) * sizeof *out);
}

static void chunk_state(rig *r, const spec *s, const char *name)
{
    const het__attention_attrs *a = &s->attrs.attention;
    const int64_t count = (int64_t)PAGES_MAX * a->page_size * a->kv_heads * a->head_size;
    for (int64_t i = 0; s->state == HET_DTYPE_Q8_0 && i < count; i += 32)
        random_block((unsigned char *)data_of(r, name) + i / 32 * 34);
    for (int64_t i = 0; s->state != HET_DTYPE_Q8_0 && i < count; i++) {
        const float f = 2.0f * test_random_float(&seed);
        const uint16_t h = het__f32_to_f16(f);
        if (s->state == HET_DTYPE_F16)
            memcpy((uint16_t *)data_of(r, name) + i, &h, 2);
        else
            memcpy((float *)data_of(r, name) + i, &f, 4);
    }
}

static const spec chunk_specs[] = {
    { "chunks, 8", ATTENTION(8, 1, 64, 64, 0, 0, 64, false, 1e4f, 1, 1), .state = HET_DTYPE_F16,
      .past = 230, .wide = true },
    { "chunks, 2, cap, window", ATTENTION(4, 2, 256, 16, 30, 300, 256, false, 1e4f, 1, 1),
      .state = HET_DTYPE_F16, .past = 490, .wide = true },
    { "chunks, 7, window", ATTENTION(7, 1, 80, 64, 0, 40, 80, true, 1e4f, 1, 1),
      .state = HET_DTYPE_F16, .past = 200, .wide = true, .normed_heads = true },
    { "chunks, 1, odd head", ATTENTION(3, 3, 13, 10, 0, 0, NO_ROPE), .state = HET_DTYPE_F32,
      .past = 300, .wide = true },
    { "chunks, q8_0", ATTENTION(8, 2, 64, 64, 0, 0, 64, false, 1e4f, 1, 1),
      .state = HET_DTYPE_Q8_0, .past = 230, .wide = true },
};

/* A query gets the same bits alone and among others. */
static void check_chunks(const spec *s, rig *r)
{
    static const int64_t sizes[] = { TOKENS_MAX, 1, 3, 64, 17 };
    const het__attention_attrs *a = &s->attrs.attention;
    const int64_t wide = (int64_t)a->heads * a->head_size * TOKENS_MAX;
    float *whole = calloc((size_t)wide, sizeof *whole), *out = calloc((size_t)wide, sizeof *out);
    const float *q = random_floats(r, wide, 1), *k = random_floats(r, wide, 1);
    const float *v = random_floats(r, wide, 1);
    CHECK(whole && out && q && k && v);
    for (size_t i = 0; whole && out && i < COUNT(sizes); i++) {
        seed = 99;
        chunk_state(r, s, "keys");
        chunk_state(r, s, "values");
        memset(out, 0, (size_t)wide * sizeof *out);
        for (int64_t t = 0; t < TOKENS_MAX; t += sizes[i])
            run_chunk(r, s, q, k, v, t, t + sizes[i] < TOKENS_MAX ? t + sizes[i] : TOKENS_MAX, out);
        if (i == 0)
            memcpy(whole, out, (size_t)wide * sizeof *out);
        test_checks++;
        if (memcmp(whole, out, (size_t)wide * sizeof *out) != 0)
            TEST_FAIL("%s, %s: chunks of %" PRId64 " give other bits", s->name,
                      getenv("HETINFER_CPU_LEVEL"), sizes[i]);
    }
    free(whole);
    free(out);
}

static void chunks_keep_bits(void)
{
    const het__cpu_level *const *levels = het__cpu_levels();
    for (uint32_t l = 0; levels[l] && l < levels_wanted(); l++)
        for (size_t i = 0; i < COUNT(chunk_specs); i++) {
            static rig r;
            set_level(levels[l]);
            if (start(&r, "cpu_onednn", &chunk_specs[i], 2, HET_PRECISION_EXACT, false))
                check_chunks(&chunk_specs[i], &r);
            rig_close(&r);
        }
}

/* Attention of TOKENS_MAX tokens that remember nothing but each other. */
static bool remembered(const spec *s, const float *q, const float *k, const float *v, float *out)
{
    static rig r;
    const bool ready = start(&r, "cpu_onednn", s, 1, HET_PRECISION_EXACT, false);
    if (ready)
        run_chunk(&r, s, q, k, v, 0, TOKENS_MAX, out);
    rig_close(&r);
    return ready;
}

/* What rounding keys and values does. With elements up to A a scale is at most A/127, and errors
 * are uniform in half of it, 0.0023 A deviation: scores of d products of them with queries of
 * deviation s are off by 0.0023 A s scale sqrt(d), and so are the weights, relatively; the result,
 * a mean of values, by no more than that times the values' deviation and the values' own error.
 * Five times that for the largest of all; F16 is a sixteenth of it. */
static void rounded_states(void)
{
    const size_t wide = 4 * 64 * TOKENS_MAX, narrow = 64 * TOKENS_MAX;
    static const het_dtype types[] = { HET_DTYPE_F32, HET_DTYPE_F16, HET_DTYPE_Q8_0 };
    float *q = calloc(wide, sizeof *q), *k = calloc(narrow, sizeof *k);
    float *v = calloc(narrow, sizeof *v), *out[3];
    seed = 31;
    for (size_t i = 0; q && i < wide; i++)
        q[i] = test_random_float(&seed);
    for (size_t i = 0; k && v && i < narrow; i++) {
        k[i] = test_random_float(&seed);
        v[i] = test_random_float(&seed);
    }
    set_level(het__cpu_levels()[0]);
    for (int i = 0; i < 3; i++) {
        const spec s = { "rounded", ATTENTION(4, 1, 64, 64, 0, 0, NO_ROPE), .state = types[i],
                         .wide = true };
        out[i] = calloc(wide, sizeof *out[i]);
        CHECK(q && k && v && out[i] && remembered(&s, q, k, v, out[i]));
    }
    const double uniform = 1 / sqrt(3.0); /* deviation of what lies in -1..1 */
    const double scale = 1.0 / (64 / 16.0 + 1);
    const double error = 1 / 127.0 / sqrt(12.0);
    const double relative = error * uniform * scale * sqrt(64.0);
    const double bound = 5 * (relative * uniform + error);
    double worst[3] = { 0 };
    for (int i = 1; i < 3; i++)
        for (size_t j = 0; out[0] && out[i] && j < wide; j++)
            worst[i] = fmax(worst[i], fabs((double)out[i][j] - (double)out[0][j]));
    printf("rounded states: F16 %.2g, Q8_0 %.2g, bound %.2g\n", worst[1], worst[2], bound);
    CHECK(worst[1] > 0 && worst[1] <= bound / 16);
    CHECK(worst[2] > worst[1] && worst[2] <= bound);
    for (int i = 0; i < 3; i++)
        free(out[i]);
    free(q);
    free(k);
    free(v);
}

/* Scratch of a program for so many pages. */
static size_t scratch_for(const spec *s, int64_t pages, size_t *worker)
{
    static rig r;
    het_error err = HET_ERROR_INIT;
    size_t bytes = 0;
    rig_init(&r, "cpu_onednn");
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    r.symbols_max[HET__SYM_TOKENS] = 512;
    r.symbols_max[HET__SYM_PAGES] = r.symbols_max[HET__SYM_STATE_PAGES] = pages;
    s->build(&r, s);
    if (r.device && rig_compile(&r)) {
        bytes = r.device->shared_bytes + r.device->workers_bytes;
        *worker = r.program->worker_stride;
        /* Another program takes the same. */
        het__program *const first = r.program;
        const uint64_t scratch = r.device->scratch_bytes;
        CHECK_INT(rig_compile_slice(&r, &err), HET_OK);
        CHECK_INT(r.device->scratch_bytes, scratch);
        r.backend->release(r.device, r.program);
        r.program = first;
        CHECK_INT(r.device->scratch_bytes, scratch);
    }
    rig_close(&r);
    return bytes;
}

/* A thread's scratch knows nothing of the context; what all share for sequences with few rows
 * grows by less than a seventh of what one layer's keys and values do. */
static void scratch_beside_the_context(void)
{
    size_t worker[2] = { 0, 1 };
    const spec *s = &chunk_specs[0];
    const size_t small = scratch_for(s, 8, &worker[0]), large = scratch_for(s, 512, &worker[1]);
    const size_t cache = 2 * 504 * 64 * 64 * sizeof(uint16_t);
    CHECK_INT(worker[0], worker[1]);
    CHECK(small > 0 && large - small < cache / 7);
}

int main(void)
{
    test_case(small_operations);
    test_case(attention);
    test_case(attention_long);
    test_case(attention_q8);
    test_case(rounded_states);
    test_case(chunks_keep_bits);
    test_case(scratch_beside_the_context);
    test_case(products_exact);
    test_case(products_fast);
    test_case(products_of_small_scales);
    test_case(products_narrow);
    test_case(products_mapped);
    return test_finish();
}

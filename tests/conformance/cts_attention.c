/* SPDX-License-Identifier: Apache-2.0 */
/* Attention: pages out of order, sequences of unlike length, windows, caps, states of every type,
 * rotation and head norms fused in. */
#include "cts.h"

#define PAGES 64

typedef struct spec {
    const char *name;
    int32_t heads, kv_heads, size, page;
    float cap;
    int32_t window;
    het__rope_attrs rope; /* rotated 0: none */
    het_dtype state;
    bool norms, factors, shared; /* shared: a second node reads what the first wrote */
    int64_t sequences, past; /* most sequences in a step; positions before it of the first */
} spec;

/* The step's tables; which follows from its tokens. */
typedef struct tables {
    int32_t positions[256], slots[256], segments[4 * 64], pages[256];
    int64_t sequences, page_count;
} tables;

static void make_tables(const spec *s, int64_t tokens, tables *t)
{
    int64_t row = 0;
    memset(t, 0, sizeof *t);
    t->sequences = s->sequences < tokens ? s->sequences : tokens;
    for (int64_t b = 0; b < t->sequences; b++) {
        const int64_t rest = t->sequences - b - 1;
        const int64_t rows = rest ? (tokens - row - rest + 1) / 2 : tokens - row;
        const int64_t past = b == 0 ? s->past : s->past * b / (t->sequences + 1);
        const int32_t first = (int32_t)t->page_count;
        for (int64_t at = 0; at < past + rows; at += s->page, t->page_count++)
            t->pages[t->page_count] = (int32_t)((t->page_count * 11 + 5) % PAGES);
        const int32_t segment[4] = { (int32_t)row, (int32_t)rows, (int32_t)past, first };
        memcpy(t->segments + 4 * b, segment, sizeof segment);
        for (int64_t i = 0; i < rows; i++, row++) {
            const int64_t at = past + i;
            t->positions[row] = (int32_t)at;
            t->slots[row] = (int32_t)(t->pages[first + at / s->page] * s->page + at % s->page);
        }
    }
}

static bool fill(const cts_case *c, uint32_t step, uint32_t value, void *data, size_t bytes)
{
    static tables t;
    const het__value *v = &c->graph.values[value];
    if (v->dtype != HET_DTYPE_I32)
        return false;
    make_tables(c->user, c->steps[step].symbols[HET__SYM_TOKENS], &t);
    memcpy(data, strcmp(v->name, "positions") == 0  ? t.positions
                 : strcmp(v->name, "slots") == 0    ? t.slots
                 : strcmp(v->name, "segments") == 0 ? t.segments
                                                    : t.pages, bytes);
    return true;
}

static void bind_steps(cts_case *c, const spec *s)
{
    static const int64_t tokens[] = { 1, 2, 7, 33, 4 };
    static tables t;
    cts_tokens(c, 5, tokens);
    for (uint32_t i = 0; i < 5; i++) {
        int64_t *symbols = c->steps[i].symbols;
        make_tables(s, tokens[i], &t);
        symbols[HET__SYM_SEQUENCES] = t.sequences;
        symbols[HET__SYM_PAGES] = t.page_count;
        symbols[HET__SYM_CONTEXT] = s->past;
        symbols[HET__SYM_STATE_PAGES] = PAGES;
    }
    c->symbols_max[HET__SYM_SEQUENCES] = 35;
    c->symbols_max[HET__SYM_PAGES] = c->symbols_max[HET__SYM_STATE_PAGES] = PAGES;
    c->symbols_max[HET__SYM_CONTEXT] = s->past + 40;
}

/* A key may round to the other of two neighbours of its type. With keys and queries up to 2 a
 * score is then off by 2^-10 and the weight of that position by as much of itself; a twentieth of
 * the sum is what the weight of one position may be in the shortest sequences. Steps of Q8_0 are
 * sixteen times as large. */
static void set_tolerance(cts_case *c, const spec *s)
{
    c->tolerance = cts_tolerance(HET__OP_ATTENTION, s->past + s->size, HET_DTYPE_NONE, false);
    c->state_tolerance = s->state == HET_DTYPE_F16    ? 1.0 / 1024
                         : s->state == HET_DTYPE_Q8_0 ? 1.0 / 120
                                                      : 0;
    if (s->state == HET_DTYPE_F16)
        c->tolerance += 3e-4;
    if (s->state == HET_DTYPE_Q8_0)
        c->tolerance += 16 * 3e-4;
}

static void attention(const spec *s)
{
    cts_case *c = cts_begin("attention", "%s, %d of %d heads of %d, state %s", s->name,
                            s->kv_heads, s->heads, s->size, het_dtype_name(s->state));
    uint32_t in[HET__ATTN_INPUT_COUNT];
    if (!c)
        return;
    const het__extent state[4] = { { 1, HET__SYM_STATE_PAGES }, CTS_FIXED(s->kv_heads),
                                   CTS_FIXED(s->page), CTS_FIXED(s->size) };
    c->user = s;
    c->fill = fill;
    set_tolerance(c, s);
    in[HET__ATTN_Q] = cts_matrix(c, "q", (int64_t)s->heads * s->size);
    in[HET__ATTN_K] = cts_matrix(c, "k", (int64_t)s->kv_heads * s->size);
    in[HET__ATTN_V] = cts_matrix(c, "v", (int64_t)s->kv_heads * s->size);
    for (int i = HET__ATTN_K_STATE; i <= HET__ATTN_V_STATE; i++)
        in[i] = het__graph_value(&c->graph, i == HET__ATTN_K_STATE ? "keys" : "values",
                                 HET__VALUE_STATE, s->state, 4, state);
    in[HET__ATTN_POSITIONS] = cts_index(c, "positions", HET__SYM_TOKENS, 0);
    in[HET__ATTN_SLOTS] = cts_index(c, "slots", HET__SYM_TOKENS, 0);
    in[HET__ATTN_SEGMENTS] = cts_index(c, "segments", HET__SYM_SEQUENCES, 4);
    in[HET__ATTN_PAGES] = cts_index(c, "pages", HET__SYM_PAGES, 0);
    in[HET__ATTN_Q_NORM] = s->norms ? cts_vector(c, s->size, 1) : HET__NO_VALUE;
    in[HET__ATTN_K_NORM] = s->norms ? cts_vector(c, s->size, 1) : HET__NO_VALUE;
    in[HET__ATTN_FACTORS] =
        s->factors ? cts_vector(c, s->rope.rotated / 2, 1.5f) : HET__NO_VALUE;
    het__attrs attrs = { .attention = { s->heads, s->kv_heads, s->size, s->page,
                                        1.0f / ((float)s->size / 16.0f + 1), s->cap, s->window,
                                        1e-6f, s->rope } };
    attrs.attention.rope.head_size = s->size;
    cts_node(c, HET__OP_ATTENTION, in, HET__ATTN_INPUT_COUNT, &attrs);
    if (s->shared) {
        in[HET__ATTN_Q] = cts_matrix(c, "q", (int64_t)s->heads * s->size);
        in[HET__ATTN_K] = in[HET__ATTN_V] = in[HET__ATTN_K_NORM] = HET__NO_VALUE;
        cts_node(c, HET__OP_ATTENTION, in, HET__ATTN_INPUT_COUNT, &attrs);
    }
    bind_steps(c, s);
    cts_check(c);
}

#define NO_TURN { 0, 0, false, 0, 1, 1 }
#define TURN(rotated, pairs) { 0, rotated, pairs, 1e4f, 1, 1 }

static const spec specs[] = {
    { "plain", 4, 4, 8, 16, 0, 0, NO_TURN, HET_DTYPE_F32, .sequences = 1 },
    { "shared heads", 8, 2, 64, 32, 0, 0, TURN(64, false), HET_DTYPE_F16, .sequences = 3,
      .past = 45 },
    { "one key head", 7, 1, 24, 16, 0, 0, TURN(24, true), HET_DTYPE_F16, .factors = true,
      .sequences = 2, .past = 100 },
    { "cap, window", 2, 1, 256, 16, 30, 20, TURN(256, false), HET_DTYPE_F16, .sequences = 4,
      .past = 70 },
    { "head norms", 6, 3, 40, 64, 0, 0, TURN(20, false), HET_DTYPE_F32, .norms = true,
      .sequences = 5, .past = 200 },
    { "large pages", 4, 2, 80, 256, 0, 33, TURN(80, true), HET_DTYPE_F16, .sequences = 2,
      .past = 300 },
    { "single tokens", 8, 4, 32, 32, 50, 0, TURN(32, false), HET_DTYPE_F16, .norms = true,
      .sequences = 33, .past = 25 },
    { "odd heads", 3, 3, 13, 10, 0, 0, TURN(12, false), HET_DTYPE_F32, .sequences = 3,
      .past = 33 },
    { "long", 8, 1, 64, 64, 0, 0, TURN(64, false), HET_DTYPE_F16, .sequences = 1, .past = 900 },
    { "long, window", 4, 1, 128, 64, 0, 300, TURN(64, true), HET_DTYPE_F16, .sequences = 1,
      .past = 800 },
    { "shared state", 4, 2, 32, 16, 0, 40, TURN(32, false), HET_DTYPE_F16, .norms = true,
      .shared = true, .sequences = 3, .past = 50 },
    { "codes", 8, 1, 64, 64, 0, 0, TURN(64, false), HET_DTYPE_Q8_0, .sequences = 3, .past = 300 },
    { "codes, cap, window", 4, 2, 128, 16, 30, 70, TURN(128, true), HET_DTYPE_Q8_0,
      .sequences = 2, .past = 120 },
};

void cts_attention(void)
{
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        attention(&specs[i]);
}

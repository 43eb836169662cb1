/* SPDX-License-Identifier: Apache-2.0 */
/* Language models for calibration: of every format of weights a few blocks that do not fit into
 * caches, and small ones, where what a step costs beside its products shows. Their weights are all
 * alike; what kernels take does not depend on it. */
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/calibrate.h"
#include "lib/import/lm.h"
#include "lib/passes/passes.h"

/* Positions that a sequence may have. */
#define CONTEXT_MAX 1280

typedef struct language_case {
    het_dtype format;
    int32_t layers, width, ffn_width, heads, kv_heads, vocabulary, experts;
    bool quick;
    het__calibrate_step steps[HET__CALIBRATE_STEPS_MAX];
    uint32_t step_count;
} language_case;

#define DEEP { { 1, 8 }, { 1, 1000 }, { 4, 8 }, { 64, 0 }, { 128, 256 } }, 5
#define FLAT { { 1, 8 }, { 64, 0 } }, 2
#define SMALL { { 1, 8 }, { 1, 1000 }, { 16, 0 }, { 128, 0 }, { 128, 512 } }, 5

/* Models of such widths do not fit into caches; these, of a few blocks, would fit into some. */
#define COLD_WIDTH 2048

/* About 45 to 180 MB each where weights are to be read from memory. */
static const language_case cases[] = {
    { HET_DTYPE_Q4_0, 3, 2048, 5632, 16, 4, 8192, 0, true, DEEP },
    { HET_DTYPE_Q8_0, 2, 2048, 5632, 16, 4, 8192, 0, true, FLAT },
    { HET_DTYPE_F16, 1, 2048, 5632, 16, 16, 4096, 0, true, FLAT },
    { HET_DTYPE_F32, 1, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_BF16, 1, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_Q4_1, 2, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_Q5_0, 2, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_Q5_1, 2, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_Q2_K, 3, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_Q3_K, 3, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_Q4_K, 2, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_Q5_K, 2, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_Q6_K, 2, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_IQ4_NL, 2, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_IQ4_XS, 2, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_MXFP4, 2, 2048, 5632, 16, 4, 4096, 0, false, FLAT },
    { HET_DTYPE_Q4_0, 4, 512, 1024, 8, 4, 2048, 8, false, FLAT },
    { HET_DTYPE_Q8_0, 4, 256, 512, 4, 4, 1024, 4, false, FLAT },
    { HET_DTYPE_Q4_0, 8, 96, 256, 6, 6, 512, 0, true, SMALL },
    { HET_DTYPE_F32, 6, 128, 384, 8, 4, 512, 0, true, SMALL },
    { HET_DTYPE_Q8_0, 6, 256, 768, 4, 2, 1024, 0, false, SMALL },
};

#define CASES (sizeof cases / sizeof *cases)

static const language_case *case_at(uint32_t index, bool quick)
{
    for (size_t i = 0; i < CASES; i++)
        if ((!quick || cases[i].quick) && index-- == 0)
            return &cases[i];
    return NULL;
}

uint32_t het__calibrate_language_count(bool quick)
{
    uint32_t count = 0;
    while (case_at(count, quick))
        count++;
    return count;
}

/* ---- weights on request ---- */

typedef struct source {
    const language_case *c;
    het__arena *arena; /* of the weights */
} source;

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* What every model has; a bias, or factors of rotation, it may do without. */
static bool find_weight(void *user, const char *name, het__lm_weight *w)
{
    source *s = user;
    if (ends_with(name, ".bias") || strncmp(name, "rope_f", 6) == 0)
        return false;
    int64_t rows = 1;
    for (uint32_t i = 0; i + 1 < w->rank; i++)
        rows *= w->extent[i];
    w->dtype = w->rank > 1 && !ends_with(name, "gate_inp.weight") ? s->c->format : HET_DTYPE_F32;
    w->bytes = (size_t)(rows * het_dtype_bytes(w->dtype, w->extent[w->rank - 1]));
    w->name = het__arena_strdup(s->arena, name);
    void *data = het__arena_alloc(s->arena, w->bytes);
    if (!w->name || !data)
        return false; /* the graph then lacks a weight */
    memset(data, HET__CALIBRATE_BYTE, w->bytes);
    w->data = data;
    return true;
}

/* ---- the graph ---- */

static void configure(const language_case *c, het__lm_config *config)
{
    memset(config, 0, sizeof *config);
    memcpy(config->architecture, "llama", sizeof "llama");
    config->layers = c->layers;
    config->width = c->width;
    config->ffn_width = c->ffn_width;
    config->vocabulary = c->vocabulary;
    config->context = CONTEXT_MAX;
    config->heads = c->heads;
    config->kv_heads = c->kv_heads;
    config->head_size = c->width / c->heads;
    config->norm_eps = 1e-5f;
    config->rope.head_size = config->rope.rotated = config->head_size;
    config->rope.theta = 10000;
    config->rope.scale = config->rope.magnitude = 1;
    if (c->experts > 0) {
        config->experts = c->experts;
        config->experts_used = 2;
        config->expert_width = c->ffn_width;
    }
}

het_status het__calibrate_language(uint32_t index, bool quick, het__mem *mem,
                                   het__calibrate_subject *subject, het__calibrate_step *steps,
                                   uint32_t *step_count, het_error *err)
{
    const language_case *c = case_at(index, quick);
    const het__lm_family *family = het__lm_family_of("llama");
    het__lm_config config;
    memset(subject, 0, sizeof *subject);
    het__graph_init(&subject->raw, mem);
    configure(c, &config);
    het_status s = het__lm_layers_init(&config, &subject->raw.arena)
                       ? het__lm_configure(family, &config, err)
                       : het__fail_nomem(err, "a language model to measure");
    source from = { c, &subject->raw.arena };
    const het__lm_source found = { &from, find_weight };
    subject->is_language = true;
    subject->is_cold = c->width >= COLD_WIDTH;
    snprintf(subject->name, sizeof subject->name, "language model%s, %s, %d wide",
             c->experts ? " of experts" : "", het_dtype_name(c->format), (int)c->width);
    if (s == HET_OK)
        s = het__lm_graph(family, &config, &found, HET_DTYPE_F16, mem, &subject->graph, err);
    const het__pass_options all = { HET__PASSES_ALL, 0 };
    if (s == HET_OK)
        s = het__passes_run(&subject->graph, &all, NULL, err);
    memcpy(steps, c->steps, sizeof c->steps);
    *step_count = c->step_count;
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        subject->symbols_max[i] = 1;
    for (uint32_t i = 0; i < c->step_count; i++)
        if (c->steps[i].tokens > subject->symbols_max[HET__SYM_TOKENS])
            subject->symbols_max[HET__SYM_TOKENS] = c->steps[i].tokens;
    subject->symbols_max[HET__SYM_PAGES] = CONTEXT_MAX / HET__PAGE_SIZE;
    subject->symbols_max[HET__SYM_STATE_PAGES] = CONTEXT_MAX / HET__PAGE_SIZE;
    subject->symbols_max[HET__SYM_CONTEXT] = 0;
    if (s != HET_OK)
        het__calibrate_subject_finish(subject);
    return s;
}

/* One sequence, its pages in order. */
void het__calibrate_language_bind(het__exec *exec, const het__calibrate_step *step,
                                  int64_t *symbols)
{
    const int64_t end = step->context + step->tokens;
    const int64_t pages = (end + HET__PAGE_SIZE - 1) / HET__PAGE_SIZE;
    int32_t *ids = het__exec_input(exec, "ids"), *rows = het__exec_input(exec, "rows");
    int32_t *positions = het__exec_input(exec, "positions");
    int32_t *slots = het__exec_input(exec, "slots"), *page = het__exec_input(exec, "pages");
    int32_t *segments = het__exec_input(exec, "segments");
    for (int64_t t = 0; t < step->tokens; t++) {
        ids[t] = (int32_t)(t * 7 % 256);
        positions[t] = slots[t] = (int32_t)(step->context + t);
    }
    for (int64_t p = 0; p < pages; p++)
        page[p] = (int32_t)p;
    segments[0] = segments[3] = 0;
    segments[1] = (int32_t)step->tokens;
    segments[2] = (int32_t)step->context;
    rows[0] = (int32_t)step->tokens - 1;
    symbols[HET__SYM_TOKENS] = step->tokens;
    symbols[HET__SYM_SEQUENCES] = symbols[HET__SYM_ROWS] = 1;
    symbols[HET__SYM_PAGES] = pages;
    symbols[HET__SYM_CONTEXT] = step->context;
}

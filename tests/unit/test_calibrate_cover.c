/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured against what models ask for: every product and read of a language model, in
 * every format of weights, has rates of its own, and a fit to made-up times of the measured graphs
 * predicts the products of a larger model, though small weights run by slower kernels. */
#include "lib/exec/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/cost/cost.h"
#include "lib/import/lm.h"
#include "lib/ir/rounding.h"
#include "lib/passes/passes.h"
#include "test.h"

#define WITHIN 1.15 /* of the made-up time, either way */

static const het__machine_device cores = { .unit_class = HET__UNIT_CORES };
static het__mem mem;

/* ---- a processor that is made up ---- */

#define BYTES_PER_NS 20.0
static const double ops_per_ns[HET__PEAK_COUNT] = { 100, 100, 200, 400 };

/* Blocks take longer by their format; what is small runs in F32, twice as slowly as F32 can. */
static double true_ns(const het__graph *g, const het__node *node, const het__work_item *item)
{
    const bool rounds = het__dtype_is_block((het_dtype)item->format) ||
                        item->format == HET_DTYPE_BF16;
    const uint32_t at = node->op == HET__OP_GATED ? 1 : 2;
    const bool is_product = node->op == HET__OP_LINEAR || node->op == HET__OP_GATED ||
                            node->op == HET__OP_MOE;
    const het__value *w = is_product ? &g->values[node->inputs[at]] : NULL;
    double rate = ops_per_ns[item->peak] / (1 + 0.05 * (item->format % 8));
    if (w && rounds) {
        const int64_t n = w->extent[w->rank - 1].count * w->extent[w->rank - 2].count;
        const bool is_small = n < HET__ROUNDED_ELEMENTS_MIN;
        rate = is_small ? 30 : ops_per_ns[item->format == HET_DTYPE_BF16 ? HET__PEAK_BF16
                                                                         : HET__PEAK_INT8] /
                                   (1 + 0.05 * (item->format % 8));
    }
    return 100 + fmax(item->flops / rate, (item->input_bytes + item->output_bytes +
                                           item->weight_bytes) / BYTES_PER_NS);
}

static het__work_item item_of(const het__graph *g, const het__node *node, const int64_t *symbols)
{
    het__work_item item = { .times = 1 };
    het__work work;
    het__node_work(g, node, symbols, &work);
    het__work_item_of(g, node, &work, &cores, false, &item);
    return item;
}

static void bind(const int64_t *most, const het__calibrate_step *step, int64_t *symbols)
{
    memcpy(symbols, most, HET__SYM_MAX * sizeof *symbols);
    if (!step->tokens)
        return;
    symbols[HET__SYM_TOKENS] = step->tokens;
    symbols[HET__SYM_SEQUENCES] = symbols[HET__SYM_ROWS] = 1;
    symbols[HET__SYM_PAGES] = (step->context + step->tokens + HET__PAGE_SIZE - 1) / HET__PAGE_SIZE;
    symbols[HET__SYM_CONTEXT] = step->context;
}

static void add_sample(het__calibration *c, const het__calibrate_subject *subject,
                       const het__calibrate_step *step)
{
    const het__graph *g = &subject->graph;
    int64_t symbols[HET__SYM_MAX];
    het_error err = HET_ERROR_INIT;
    het__work_item *items = calloc(g->node_count, sizeof *items);
    double ns = 0;
    CHECK(items != NULL);
    if (!items)
        return;
    bind(subject->symbols_max, step, symbols);
    for (uint32_t n = 0; n < g->node_count; n++) {
        items[n] = item_of(g, &g->nodes[n], symbols);
        ns += true_ns(g, &g->nodes[n], &items[n]);
    }
    CHECK_INT(het__calibration_add(c, items, g->node_count, ns, 0, &err), HET_OK);
    free(items);
}

static void measure_languages(het__calibration *c)
{
    for (uint32_t i = 0; i < het__calibrate_language_count(false); i++) {
        het__calibrate_subject subject;
        het__calibrate_step steps[HET__CALIBRATE_STEPS_MAX];
        uint32_t count;
        het_error err = HET_ERROR_INIT;
        CHECK_INT(het__calibrate_language(i, false, &mem, &subject, steps, &count, &err), HET_OK);
        for (uint32_t s = 0; s < count; s++)
            add_sample(c, &subject, &steps[s]);
        het__calibrate_subject_finish(&subject);
    }
}

static void measure_networks(het__calibration *c)
{
    static const het__calibrate_step once;
    for (uint32_t i = 0; i < het__calibrate_network_count(false); i++) {
        het__calibrate_subject subject;
        het_error err = HET_ERROR_INIT;
        CHECK_INT(het__calibrate_network(i, false, 16, &mem, &subject, &err), HET_OK);
        add_sample(c, &subject, &once);
        het__calibrate_subject_finish(&subject);
    }
}

/* ---- a model of one layer, of weights that are not small ---- */

typedef struct source {
    het_dtype format;
    het__arena *arena;
} source;

static bool find_weight(void *user, const char *name, het__lm_weight *w)
{
    const source *s = user;
    if (strstr(name, ".bias") || strncmp(name, "rope_f", 6) == 0)
        return false;
    w->dtype = w->rank > 1 ? s->format : HET_DTYPE_F32;
    w->bytes = (size_t)((w->rank > 1 ? w->extent[0] : 1) *
                        het_dtype_bytes(w->dtype, w->extent[w->rank - 1]));
    w->name = het__arena_strdup(s->arena, name);
    w->data = het__arena_zero(s->arena, w->bytes, 1);
    return w->name && w->data;
}

static void make_model(het_dtype format, het__graph *raw, het__graph *graph)
{
    het__lm_config config;
    het_error err = HET_ERROR_INIT;
    const het__lm_family *family = het__lm_family_of("llama");
    source from = { format, &raw->arena };
    const het__lm_source found = { &from, find_weight };
    const het__pass_options all = { HET__PASSES_ALL, 0 };
    het__graph_init(raw, &mem);
    memset(&config, 0, sizeof config);
    memcpy(config.architecture, "llama", sizeof "llama");
    config.layers = 1;
    config.width = config.vocabulary = 2048;
    config.ffn_width = 5632;
    config.context = 2048;
    config.heads = 32;
    config.kv_heads = 4;
    config.head_size = config.rope.head_size = config.rope.rotated = 64;
    config.norm_eps = 1e-5f;
    config.rope.theta = 10000;
    config.rope.scale = config.rope.magnitude = 1;
    CHECK(het__lm_layers_init(&config, &raw->arena));
    CHECK_INT(het__lm_configure(family, &config, &err), HET_OK);
    CHECK_INT(het__lm_graph(family, &config, &found, HET_DTYPE_F16, &mem, graph, &err), HET_OK);
    CHECK_INT(het__passes_run(graph, &all, NULL, &err), HET_OK);
}

static bool has_rate(const het__calibration *c, const het__work_item *item)
{
    for (uint32_t r = 0; r < c->rate_count; r++)
        if (c->rates[r].work_class == item->work_class && c->rates[r].format == item->format &&
            c->rates[r].peak == item->peak && c->rates[r].sample_count > 0)
            return true;
    return false;
}

static void check_step(const het__calibration *c, const het__graph *g,
                       const het__calibrate_step *step, het_dtype format)
{
    int64_t symbols[HET__SYM_MAX], ones[HET__SYM_MAX];
    double predicted = 0, real = 0;
    for (int i = 0; i < HET__SYM_MAX; i++)
        ones[i] = 1;
    bind(ones, step, symbols);
    for (uint32_t n = 0; n < g->node_count; n++) {
        const het__work_item item = item_of(g, &g->nodes[n], symbols);
        het__cost cost;
        if (item.work_class == HET__WORK_MATMUL_ONE || item.work_class == HET__WORK_MATMUL ||
            item.work_class == HET__WORK_GATHER)
            if (!has_rate(c, &item))
                TEST_FAIL("%s of %s has no rate", het__work_class_name(item.work_class),
                          het_dtype_name((het_dtype)item.format));
        het__cost_calibrated(&item, c, &cost);
        predicted += cost.ns;
        real += true_ns(g, &g->nodes[n], &item);
    }
    if (predicted > WITHIN * real || real > WITHIN * predicted)
        TEST_FAIL("%s, %d tokens: %.0f ns, in truth %.0f", het_dtype_name(format),
                  (int)step->tokens, predicted, real);
}

static void models_are_covered(void)
{
    static const het__calibrate_step steps[] = { { 1, 10 }, { 128, 0 }, { 512, 0 } };
    static const het_dtype formats[] = {
        HET_DTYPE_F32, HET_DTYPE_F16, HET_DTYPE_BF16, HET_DTYPE_Q4_0, HET_DTYPE_Q4_1,
        HET_DTYPE_Q5_0, HET_DTYPE_Q5_1, HET_DTYPE_Q8_0, HET_DTYPE_Q2_K, HET_DTYPE_Q3_K,
        HET_DTYPE_Q4_K, HET_DTYPE_Q5_K, HET_DTYPE_Q6_K, HET_DTYPE_IQ4_NL, HET_DTYPE_IQ4_XS,
        HET_DTYPE_MXFP4,
    };
    const het_device_info info = { .struct_size = sizeof info, .unit_count = 1 };
    het__calibration c;
    het_error err = HET_ERROR_INIT;
    het__calibration_init(&c, &mem);
    het__calibration_key(&c, &info, 1);
    for (int p = 0; p < HET__PEAK_COUNT; p++)
        c.peak[p] = ops_per_ns[p] * 1e9;
    c.bandwidth = BYTES_PER_NS * 1e9;
    c.launch_ns = 100;
    measure_networks(&c);
    measure_languages(&c);
    CHECK_INT(het__calibration_fit(&c, &mem, &err), HET_OK);
    CHECK(c.rate_count < HET__CALIBRATION_RATES_MAX); /* all that there are had room */
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        het__graph raw, graph;
        make_model(formats[f], &raw, &graph);
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
            check_step(&c, &graph, &steps[s], formats[f]);
        het__graph_finish(&graph);
        het__graph_finish(&raw);
    }
    het__calibration_finish(&c);
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(models_are_covered);
    CHECK_INT(mem.bytes, 0);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Cost of a node: the longer of computing and reading, what becomes of figures' sources, classes of
 * work, memory that several share; rates fitted to samples: what they recover, and what holds
 * whatever the samples. */
#include "lib/cost/cost.h"
#include "test.h"

static het__cost cost_of(double flops, double bytes, uint32_t source)
{
    static const het__graph graph;
    const het__node node = { .op = HET__OP_SOFTMAX };
    const het__work work = { .flops = flops, .input_bytes = bytes / 2, .output_bytes = bytes / 2 };
    const het__machine_device device = { .bandwidth = { .value = 10e9, .source = source },
                                         .peak = { [HET__PEAK_F32] = { .value = 100e9 } },
                                         .launch = { .value = 7 } };
    het__cost cost;
    het__cost_node(&graph, &node, &work, &device, false, &cost);
    return cost;
}

static void longer_counts(void)
{
    const het__cost reading = cost_of(100, 1000, HET_SOURCE_ASSUMED);
    CHECK(reading.memory_bound);
    CHECK_NEAR(reading.ns, 7 + 100, 1e-9);
    const het__cost computing = cost_of(1000, 50, HET_SOURCE_ASSUMED);
    CHECK(!computing.memory_bound);
    CHECK_NEAR(computing.ns, 7 + 10, 1e-9);
    CHECK_INT(computing.work_class, HET__WORK_SOFTMAX);
    CHECK(computing.low_ns < computing.ns && computing.ns < computing.high_ns);
}

/* Assumed figures err on the low side already; of measured ones kernels reach a part. */
static void measured_is_not_reached(void)
{
    CHECK_NEAR(cost_of(100, 1000, HET_SOURCE_DATASHEET).memory_ns, 100, 1e-9);
    const het__cost m = cost_of(1000, 1000, HET_SOURCE_MEASURED);
    CHECK(m.memory_ns > 100 && m.memory_ns < 200);
    CHECK(m.compute_ns > 10 && m.compute_ns < 20);
    const het__cost assumed = cost_of(1000, 1000, HET_SOURCE_ASSUMED);
    CHECK(assumed.high_ns / assumed.ns > m.high_ns / m.ns); /* and says that it is less sure */
}

/* ---- utilisation ---- */

static void units_work_in_waves(void)
{
    CHECK_NEAR(het__cost_utilisation(0, 8, true), 1, 0);
    CHECK_NEAR(het__cost_utilisation(100, 0, true), 1, 0);
    CHECK_NEAR(het__cost_utilisation(2, 8, false), 0.25, 1e-12);
    CHECK_NEAR(het__cost_utilisation(9, 8, false), 1, 0);
    CHECK_NEAR(het__cost_utilisation(8, 8, true), 1, 1e-12);
    CHECK_NEAR(het__cost_utilisation(9, 8, true), 9.0 / 16, 1e-12);
    double before = 0; /* pieces over utilisation is time: it never falls */
    for (int pieces = 1; pieces < 100; pieces++) {
        const double u = het__cost_utilisation(pieces, 8, true);
        CHECK(u > 0 && u <= 1 && pieces / u >= before - 1e-9);
        before = pieces / u;
    }
}

/* ---- classes ---- */

static uint32_t add_linear(het__graph *g, int64_t columns, int64_t rows)
{
    const het__extent e[2] = { { 1, HET__SYM_TOKENS }, { columns, HET__SYM_ONE } };
    const int64_t w[2] = { rows, columns };
    const uint32_t x = het__graph_value(g, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, e);
    const uint32_t in[4] = { x, HET__NO_VALUE, het__graph_const(g, "w", HET_DTYPE_Q4_0, 2, w, NULL),
                             HET__NO_VALUE };
    const het__attrs attrs = { .linear = { 1, false } };
    het_error err = HET_ERROR_INIT;
    return het__graph_node(g, HET__OP_LINEAR, 0, "linear", in, 4, &attrs, &err);
}

static void work_of(const het__graph *g, const het__node *node, int64_t tokens, het__work *work)
{
    int64_t symbols[HET__SYM_MAX];
    for (int i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = 1;
    symbols[HET__SYM_TOKENS] = tokens;
    het__node_work(g, node, symbols, work);
}

static uint32_t bound_class(const het__graph *g, int64_t tokens, uint32_t unit_class,
                            het__work_item *item)
{
    const het__machine_device device = { .unit_class = unit_class };
    het__work work;
    work_of(g, &g->nodes[0], tokens, &work);
    het__work_item_of(g, &g->nodes[0], &work, &device, false, item);
    return item->work_class;
}

static void nodes_have_classes(void)
{
    het__mem mem;
    het__graph g;
    het__work_item item;
    het__mem_init(&mem, NULL);
    het__graph_init(&g, &mem);
    CHECK(add_linear(&g, 64, 96) != HET__NO_VALUE);
    CHECK_INT(het__work_class_of(&g, &g.nodes[0]), HET__WORK_MATMUL);
    CHECK_INT(bound_class(&g, 1, HET__UNIT_CORES, &item), HET__WORK_MATMUL_ONE);
    CHECK_INT(item.peak, HET__PEAK_F32); /* small weights take F32 activations on cores */
    CHECK_INT(bound_class(&g, 2, HET__UNIT_SIMT, &item), HET__WORK_MATMUL);
    CHECK_INT(item.format, HET_DTYPE_Q4_0);
    CHECK_INT(item.peak, HET__PEAK_INT8);
    CHECK_NEAR(item.flops, 2.0 * 2 * 64 * 96, 1e-9);
    CHECK_NEAR(item.weight_bytes, 64 * 96 / 32 * 18.0, 1e-9);
    het__graph_finish(&g);
    static const struct { int32_t channels, groups, window; uint32_t want; } convs[] = {
        { 64, 1, 3, HET__WORK_CONV }, { 64, 1, 1, HET__WORK_CONV_POINT },
        { 64, 64, 3, HET__WORK_CONV_DEPTH }, { 64, 4, 3, HET__WORK_CONV },
        { 1, 1, 3, HET__WORK_CONV },
    };
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        het__node node = { .op = HET__OP_CONV };
        node.attrs.image.channels_in = convs[i].channels;
        node.attrs.image.groups = convs[i].groups;
        node.attrs.image.kernel[0] = node.attrs.image.kernel[1] = convs[i].window;
        CHECK_INT(het__work_class_of(&g, &node), convs[i].want);
    }
    CHECK_INT(mem.bytes, 0);
}

static void operations_have_classes(void)
{
    static const struct { const char *name; uint32_t want; } known[] = {
        { "Relu", HET__WORK_ELEMENTWISE }, { "Where", HET__WORK_ELEMENTWISE },
        { "QuantizeLinear", HET__WORK_ELEMENTWISE }, { "Transpose", HET__WORK_MOVE },
        { "Concat", HET__WORK_MOVE }, { "Gather", HET__WORK_GATHER }, { "TopK", HET__WORK_GATHER },
        { "ReduceMean", HET__WORK_REDUCE }, { "GlobalAveragePool", HET__WORK_REDUCE },
        { "MaxPool", HET__WORK_POOL }, { "Resize", HET__WORK_RESIZE },
        { "Softmax", HET__WORK_SOFTMAX },
        { "LayerNormalization", HET__WORK_NORM }, { "Attention", HET__WORK_ATTENTION },
        { "MatMul", HET__WORK_MATMUL }, { "Gemm", HET__WORK_MATMUL },
        { "ConvTranspose", HET__WORK_CONV_UP }, { "LSTM", HET__WORK_RECURRENT },
        { "GRU", HET__WORK_RECURRENT }, { "LogSoftmax", HET__WORK_SOFTMAX },
    };
    static const het__graph none;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const het__node node = { .op = het__tensor_op_find(known[i].name) };
        CHECK_STR(het__work_class_name(het__work_class_of(&none, &node)),
                  het__work_class_name(known[i].want));
    }
}

static uint32_t value_of(het__graph *g, het__value_kind kind, uint32_t rank, const int64_t *extent)
{
    het__extent e[HET_RANK_MAX];
    for (uint32_t i = 0; i < rank; i++)
        e[i] = (het__extent){ extent[i], HET__SYM_ONE };
    return het__graph_value(g, "v", kind, HET_DTYPE_F32, rank, e);
}

/* Rows that nobody asks for are not read; a view of what lies in memory takes no time. */
static void what_is_not_touched_costs_nothing(void)
{
    het__mem mem;
    het__graph g;
    het__work work;
    het__mem_init(&mem, NULL);
    het__graph_init(&g, &mem);
    const uint32_t table = value_of(&g, HET__VALUE_TEMP, 2, (const int64_t[]){ 1000, 64 });
    const uint32_t ids = value_of(&g, HET__VALUE_TEMP, 1, (const int64_t[]){ 3 });
    const uint32_t few = value_of(&g, HET__VALUE_TEMP, 2, (const int64_t[]){ 3, 64 });
    const uint32_t given = value_of(&g, HET__VALUE_INPUT, 2, (const int64_t[]){ 3, 64 });
    const uint32_t in[2] = { table, ids };
    const het__node node = { .op = HET__OP_T_GATHER, .inputs = in, .input_count = 2,
                             .outputs = &few, .output_count = 1 };
    work_of(&g, &node, 1, &work);
    CHECK_NEAR(work.input_bytes, 3 * 64 * 4 + 3 * 4, 0);
    CHECK_NEAR(work.output_bytes, 3 * 64 * 4, 0);
    const het__machine_device device = { .launch = { .value = 7 } };
    const het__node views[] = {
        { .op = HET__OP_T_RESHAPE, .inputs = &few, .input_count = 1, .outputs = &table,
          .output_count = 1 },
        { .op = HET__OP_T_RESHAPE, .inputs = &given, .input_count = 1, .outputs = &table,
          .output_count = 1 },
    };
    for (int i = 0; i < 2; i++) {
        het__cost cost;
        het__cost_node(&g, &views[i], &work, &device, false, &cost);
        CHECK_NEAR(cost.ns, i ? 7 : 0, 0); /* what comes from outside may have to be copied */
    }
    het__graph_finish(&g);
    CHECK_INT(mem.bytes, 0);
}

static double conv_flops(het__act_kind kind, int32_t channels, int32_t block, uint32_t unit_class)
{
    static const het__graph none;
    const het__machine_device device = { .unit_class = unit_class };
    const het__work work = { .flops = 1000, .units = 10 };
    het__node node = { .op = HET__OP_CONV };
    het__work_item item;
    node.attrs.image = (het__image_attrs){
        .channels_in = channels, .channels_out = channels, .block_in = block, .block_out = block,
        .groups = 1, .kernel = { 3, 3 }, .act = { .kind = kind },
    };
    het__work_item_of(&none, &node, &work, &device, false, &item);
    return item.flops;
}

/* Cores go through input channels one by one; curves are more than a sum. */
static void convolutions_are_counted_as_run(void)
{
    CHECK_NEAR(conv_flops(HET__ACT_RELU, 24, 16, HET__UNIT_CORES), 1000 * 32.0 / 24, 1e-9);
    CHECK_NEAR(conv_flops(HET__ACT_RELU, 24, 16, HET__UNIT_SIMT), 1000 * (32.0 / 24) * (32.0 / 24),
               1e-9);
    CHECK(conv_flops(HET__ACT_SWISH, 32, 16, HET__UNIT_CORES) > 1000 + 10 * 10);
}

/* A pool over the whole image is a sum. */
static void large_windows_are_sums(void)
{
    het__mem mem;
    het__graph g;
    het__mem_init(&mem, NULL);
    het__graph_init(&g, &mem);
    const uint32_t x = value_of(&g, HET__VALUE_TEMP, 5, (const int64_t[]){ 1, 2, 7, 9, 16 });
    het__node node = { .op = HET__OP_POOL, .inputs = &x, .input_count = 1 };
    node.attrs.image = (het__image_attrs){ .kernel = { 7, 9 } };
    CHECK_INT(het__work_class_of(&g, &node), HET__WORK_REDUCE);
    node.attrs.image.kernel[1] = 7;
    CHECK_INT(het__work_class_of(&g, &node), HET__WORK_POOL);
    het__graph_finish(&g);
    CHECK_INT(mem.bytes, 0);
}

/* ---- one memory for several ---- */

static void group_memory_is_shared(void)
{
    het__machine m = { .device_count = 4, .group_count = 2 };
    m.group[0].bandwidth.value = 80e9;
    m.group[1].bandwidth.value = 500e9;
    const double own[4] = { 60e9, 70e9, 10e9, 500e9 };
    for (int i = 0; i < 4; i++)
        m.device[i].bandwidth.value = own[i];
    m.device[3].group = 1;
    CHECK_NEAR(het__cost_share(&m, 0, 0), 1, 0);
    CHECK_NEAR(het__cost_share(&m, 0, 1), 1, 0);
    CHECK_NEAR(het__cost_share(&m, 0, 8 + 1), 1, 0);        /* another memory */
    CHECK_NEAR(het__cost_share(&m, 0, 3), 40.0 / 60, 1e-12); /* halves */
    CHECK_NEAR(het__cost_share(&m, 1, 3), 40.0 / 70, 1e-12);
    CHECK_NEAR(het__cost_share(&m, 0, 7), 35.0 / 60, 1e-12); /* the third takes but 10 */
    CHECK_NEAR(het__cost_share(&m, 2, 7), 1, 1e-12);
    double sum = 0;
    for (uint32_t i = 0; i < 3; i++)
        sum += het__cost_share(&m, i, 7) * own[i];
    CHECK_NEAR(sum, 80e9, 1);
    het__cost alone = { .ns = 1 + 10, .launch_ns = 1, .compute_ns = 10, .memory_ns = 9,
                        .overlap = 1, .low_ns = 5.5, .high_ns = 22 }, cost;
    het__cost_contended(&m, 0, 3, &alone, &cost);
    CHECK_NEAR(cost.memory_ns, 13.5, 1e-9);
    CHECK_NEAR(cost.ns, 14.5, 1e-9);
    CHECK(cost.memory_bound && cost.low_ns < cost.ns && cost.ns < cost.high_ns);
    het__cost_contended(&m, 0, 1, &alone, &cost);
    CHECK_NEAR(cost.ns, alone.ns, 1e-9);
}

/* ---- rates ---- */

static double random_between(uint64_t *seed, double low, double high) /* evenly in logarithms */
{
    return low * exp((double)(test_random(seed) >> 11) / 9007199254740992.0 * log(high / low));
}

static het__work_item random_item(uint64_t *seed, uint32_t classes)
{
    static const uint32_t formats[] = { HET_DTYPE_F32, HET_DTYPE_Q4_0, HET_DTYPE_F16 };
    return (het__work_item){
        .work_class = (uint32_t)(test_random(seed) >> 33) % classes,
        .format = formats[(test_random(seed) >> 33) % 3],
        .peak = (uint32_t)(test_random(seed) >> 33) % 2 ? HET__PEAK_INT8 : HET__PEAK_F32,
        .flops = random_between(seed, 1e3, 1e10),
        .input_bytes = random_between(seed, 1e2, 1e7),
        .output_bytes = random_between(seed, 1e2, 1e7),
        .weight_bytes = random_between(seed, 1, 1e8),
        .units = random_between(seed, 1, 1e6),
    };
}

static void begin(het__calibration *c, het__mem *mem)
{
    het__calibration_init(c, mem);
    c->peak[HET__PEAK_F32] = 200e9;
    c->peak[HET__PEAK_INT8] = 700e9;
    c->bandwidth = 20e9;
    c->launch_ns = 500;
    c->capacity = 4;
}

static void finish_fit(het__calibration *c, het__mem *mem)
{
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het__calibration_fit(c, mem, &err), HET_OK);
}

static double cost_ns(const het__calibration *c, const het__work_item *item)
{
    het__cost cost;
    het__cost_calibrated(item, c, &cost);
    CHECK(isfinite(cost.ns) && cost.ns > 0);
    CHECK(isfinite(cost.low_ns) && isfinite(cost.high_ns));
    CHECK(0 < cost.low_ns && cost.low_ns <= cost.ns && cost.ns <= cost.high_ns);
    CHECK(cost.compute_ns >= 0 && cost.memory_ns >= 0 && cost.launch_ns >= 0);
    CHECK_NEAR(cost.ns, cost.launch_ns + fmax(cost.compute_ns, cost.memory_ns) +
                            (1 - cost.overlap) * fmin(cost.compute_ns, cost.memory_ns),
               1e-9 * cost.ns);
    return cost.ns;
}

/* More of anything never costs less, and a little more costs little more. */
static void check_item(const het__calibration *c, const het__work_item *item)
{
    const double ns = cost_ns(c, item);
    for (int k = 0; k < 4; k++) {
        het__work_item more = *item;
        double *const part[] = { &more.flops, &more.input_bytes, &more.output_bytes,
                                 &more.weight_bytes };
        *part[k] *= 1.01;
        const double little = cost_ns(c, &more);
        CHECK(little >= ns && little <= ns * 1.0101);
        *part[k] *= 1e3;
        CHECK(cost_ns(c, &more) >= little);
        *part[k] = 0;
        CHECK(cost_ns(c, &more) <= ns);
    }
}

/* Samples of no sense at all. */
static void costs_stay_sane(void)
{
    het__mem mem;
    uint64_t seed = 5;
    het__mem_init(&mem, NULL);
    for (int round = 0; round < 12; round++) {
        het__calibration c;
        het_error err = HET_ERROR_INIT;
        begin(&c, &mem);
        const int samples = round * 9;
        for (int i = 0; i < samples; i++) {
            het__work_item items[3];
            const uint32_t count = 1 + (uint32_t)i % 3;
            for (uint32_t k = 0; k < count; k++)
                items[k] = random_item(&seed, 9);
            CHECK_INT(het__calibration_add(&c, items, count, random_between(&seed, 1, 1e13), 0.1,
                                           &err), HET_OK);
        }
        finish_fit(&c, &mem);
        for (int i = 0; i < 20; i++) {
            const het__work_item item = random_item(&seed, HET__WORK_CLASS_COUNT);
            check_item(&c, &item);
        }
        het__calibration_finish(&c);
    }
    CHECK_INT(mem.bytes, 0);
}

/* What a device takes that behaves as the model says; cores: four, of which one does short work
 * alone. */
static double truth_on(const het__work_item *w, bool cores)
{
    static const double launch[] = { 1000, 2000, 3000 }, part[] = { 0.5, 0.4, 0.6 };
    const uint32_t k = w->work_class % 3;
    const double compute = w->flops / (part[k] * 200e9) * 1e9;
    const double memory = (w->input_bytes / 15e9 + w->output_bytes / 8e9 +
                           w->weight_bytes / (k ? 12e9 : 18e9)) * 1e9;
    const double work = fmax(compute, memory) + 0.75 * fmin(compute, memory);
    return work + (cores ? fmin(launch[k], 3 * work + 0.1 * launch[k]) : launch[k]);
}

static double truth(const het__work_item *w)
{
    return truth_on(w, true);
}

static het__work_item plain_item(uint64_t *seed)
{
    het__work_item item = random_item(seed, 3);
    item.format = HET_DTYPE_F32;
    item.peak = HET__PEAK_F32;
    item.units = 1e6;
    return item;
}

static void truth_is_recovered(void)
{
    het__mem mem;
    het__calibration c;
    het_error err = HET_ERROR_INIT;
    uint64_t seed = 77;
    double worst = 0, inside = 0;
    het__mem_init(&mem, NULL);
    begin(&c, &mem);
    for (int i = 0; i < 120; i++) {
        const het__work_item item = plain_item(&seed);
        const double noise = exp(0.05 * (double)test_random_float(&seed));
        CHECK_INT(het__calibration_add(&c, &item, 1, truth(&item) * noise, 0.02, &err), HET_OK);
    }
    finish_fit(&c, &mem);
    for (int i = 0; i < 200; i++) {
        const het__work_item item = plain_item(&seed);
        het__cost cost;
        het__cost_calibrated(&item, &c, &cost);
        worst = fmax(worst, fabs(log(cost.ns / truth(&item))));
        inside += cost.low_ns <= truth(&item) && truth(&item) <= cost.high_ns;
    }
    CHECK(worst < 0.12);
    CHECK(inside >= 150);
    CHECK(c.residual < 0.1);
    het__calibration_finish(&c);
}

/* Cores do not pay for handing over what one of them has done before, other devices do. */
static void short_work_is_not_shared(void)
{
    het__work_item little = { .format = HET_DTYPE_F32, .peak = HET__PEAK_F32, .flops = 1e3,
                              .units = 1e6 };
    for (int waves = 0; waves < 2; waves++) {
        het__mem mem;
        het__calibration c;
        het_error err = HET_ERROR_INIT;
        uint64_t seed = 78;
        het__mem_init(&mem, NULL);
        begin(&c, &mem);
        c.in_waves = waves;
        for (int i = 0; i < 120; i++) {
            const het__work_item item = plain_item(&seed);
            CHECK_INT(het__calibration_add(&c, &item, 1, truth_on(&item, !waves), 0.02, &err),
                      HET_OK);
        }
        finish_fit(&c, &mem);
        for (little.work_class = 0; little.work_class < 3; little.work_class++) {
            const double ns = cost_ns(&c, &little), launch = 1000.0 * (1 + little.work_class);
            CHECK(waves ? ns > 0.8 * launch : ns < 0.2 * launch);
        }
        het__calibration_finish(&c);
        CHECK_INT(mem.bytes, 0);
    }
}

/* A class without samples costs what the others suggest, and is less sure. */
static void unknown_class_is_like_others(void)
{
    het__mem mem;
    het__calibration c, empty;
    het_error err = HET_ERROR_INIT;
    uint64_t seed = 3;
    het__mem_init(&mem, NULL);
    begin(&c, &mem);
    for (int i = 0; i < 60; i++) {
        const het__work_item item = plain_item(&seed);
        CHECK_INT(het__calibration_add(&c, &item, 1, truth(&item), 0.02, &err), HET_OK);
    }
    finish_fit(&c, &mem);
    begin(&empty, &mem);
    finish_fit(&empty, &mem);
    for (int i = 0; i < 50; i++) {
        het__work_item item = plain_item(&seed);
        het__cost known, unknown, nothing;
        het__cost_calibrated(&item, &c, &known);
        item.work_class = HET__WORK_POOL;
        het__cost_calibrated(&item, &c, &unknown);
        het__cost_calibrated(&item, &empty, &nothing);
        CHECK(unknown.ns > known.ns / 3 && unknown.ns < known.ns * 3);
        CHECK(unknown.high_ns / unknown.low_ns > known.high_ns / known.low_ns);
        CHECK(nothing.high_ns / nothing.low_ns > unknown.high_ns / unknown.low_ns);
        CHECK(nothing.ns > known.ns / 10 && nothing.ns < known.ns * 10);
    }
    het__calibration_finish(&empty);
    het__calibration_finish(&c);
}

/* One sample of a format moves that format and nothing else. */
static void one_sample_is_not_a_law(void)
{
    het__mem mem;
    het__calibration c;
    het_error err = HET_ERROR_INIT;
    uint64_t seed = 19;
    het__mem_init(&mem, NULL);
    begin(&c, &mem);
    for (int i = 0; i < 60; i++) {
        const het__work_item item = plain_item(&seed);
        CHECK_INT(het__calibration_add(&c, &item, 1, truth(&item), 0.02, &err), HET_OK);
    }
    het__work_item odd = plain_item(&seed);
    odd.format = HET_DTYPE_Q4_0;
    CHECK_INT(het__calibration_add(&c, &odd, 1, truth(&odd) * 100, 0.02, &err), HET_OK);
    finish_fit(&c, &mem);
    const double own = cost_ns(&c, &odd);
    CHECK(own > truth(&odd) && own < truth(&odd) * 100);
    odd.format = HET_DTYPE_F32; /* its class, which others know better */
    CHECK_NEAR(cost_ns(&c, &odd), truth(&odd), 0.5 * truth(&odd));
    het__calibration_finish(&c);
}

/* Equal samples, equal rates, whatever was in memory. */
static void fits_are_deterministic(void)
{
    het__mem mem;
    het__calibration c[2];
    het__mem_init(&mem, NULL);
    for (int k = 0; k < 2; k++) {
        uint64_t seed = 4;
        het_error err = HET_ERROR_INIT;
        memset(&c[k], k ? 0xff : 0, sizeof c[k]);
        begin(&c[k], &mem);
        for (int i = 0; i < 50; i++) {
            const het__work_item item = random_item(&seed, 6);
            CHECK_INT(het__calibration_add(&c[k], &item, 1, truth(&item), 0, &err), HET_OK);
        }
        finish_fit(&c[k], &mem);
    }
    CHECK_INT(c[0].rate_count, c[1].rate_count);
    CHECK(memcmp(c[0].rates, c[1].rates, c[0].rate_count * sizeof *c[0].rates) == 0);
    CHECK(c[0].rate_count > HET__WORK_CLASS_COUNT); /* formats of their own */
    for (int k = 0; k < 2; k++)
        het__calibration_finish(&c[k]);
}

/* A device with a calibration goes by it. */
static void devices_use_calibrations(void)
{
    het__mem mem;
    het__calibration c;
    uint64_t seed = 8;
    het__mem_init(&mem, NULL);
    begin(&c, &mem);
    finish_fit(&c, &mem);
    het__machine_device device = { .bandwidth = { .value = 1 }, .calibration = &c };
    const het__work_item item = plain_item(&seed);
    het__cost cost, want;
    het__cost_item(&item, &device, &cost);
    het__cost_calibrated(&item, &c, &want);
    CHECK_NEAR(cost.ns, want.ns, 0);
    CHECK_INT(cost.work_class, item.work_class);
    het__calibration_finish(&c);
}

int main(void)
{
    test_case(longer_counts);
    test_case(measured_is_not_reached);
    test_case(units_work_in_waves);
    test_case(nodes_have_classes);
    test_case(operations_have_classes);
    test_case(what_is_not_touched_costs_nothing);
    test_case(convolutions_are_counted_as_run);
    test_case(large_windows_are_sums);
    test_case(group_memory_is_shared);
    test_case(costs_stay_sane);
    test_case(truth_is_recovered);
    test_case(short_work_is_not_shared);
    test_case(unknown_class_is_like_others);
    test_case(one_sample_is_not_a_law);
    test_case(fits_are_deterministic);
    test_case(devices_use_calibrations);
    return test_finish();
}

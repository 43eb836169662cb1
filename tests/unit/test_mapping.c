/* SPDX-License-Identifier: Apache-2.0 */
/* Stages, mapping, roofline and energy as arithmetic: values reckoned by hand, and what holds for
 * all graphs, work and devices. */
#include "lib/cost/analysis.h"
#include "lib/cost/mapping.h"
#include "lib/cost/roofline.h"

#include "test.h"

#define NODES_MAX 40
#define EDGES_MAX (NODES_MAX * NODES_MAX)

static const uint32_t classes[] = { HET__UNIT_CORES, HET__UNIT_SIMT, HET__UNIT_SYSTOLIC,
                                    HET__UNIT_TILES };
#define CLASS_COUNT (sizeof classes / sizeof *classes)

static het__machine_device device_of(uint32_t unit_class, double units, double lanes, double near)
{
    het__machine_device d = { .unit_class = unit_class };
    d.peak[HET__PEAK_F32].value = 1e12;
    d.bandwidth.value = 1e11;
    d.units.value = units;
    d.lanes.value = lanes;
    d.near_bytes.value = near;
    return d;
}

/* ---- stages ---- */

static het_concurrency stages_of(uint32_t nodes, const het__edge *edges, uint32_t count,
                                 uint32_t *stage, const double *ns)
{
    uint32_t width[NODES_MAX];
    double finish[NODES_MAX];
    het_concurrency c;
    het__concurrency(nodes, edges, count, ns, finish, stage, width, &c);
    return c;
}

static void diamond(void)
{
    static const het__edge edges[] = { { 0, 1 }, { 0, 2 }, { 1, 3 }, { 2, 3 } };
    static const double ns[] = { 1, 10, 4, 2 };
    uint32_t stage[NODES_MAX];
    const het_concurrency c = stages_of(4, edges, 4, stage, ns);
    CHECK_INT(c.critical_path_count, 3);
    CHECK_INT(c.width_count, 2);
    CHECK_NEAR(c.efficiency, 4.0 / 6, 1e-12);
    CHECK_NEAR(c.critical_ns, 13, 0);
    CHECK_NEAR(c.total_ns, 17, 0);
    CHECK_INT(stage[1], 1);
    CHECK_INT(stage[2], 1);
    CHECK_INT(stage[3], 2);
    CHECK_INT(c.node_count, 4);
}

static void extremes(void)
{
    static const het__edge chain[] = { { 0, 1 }, { 1, 2 }, { 1, 2 } };
    uint32_t stage[NODES_MAX];
    het_concurrency c = stages_of(3, chain, 3, stage, NULL);
    CHECK_INT(c.critical_path_count, 3);
    CHECK_NEAR(c.efficiency, 1, 0);
    c = stages_of(5, chain, 0, stage, NULL);
    CHECK_INT(c.critical_path_count, 1);
    CHECK_INT(c.width_count, 5);
    CHECK_NEAR(c.efficiency, 1, 0);
    c = stages_of(0, chain, 0, stage, NULL);
    CHECK_INT(c.critical_path_count, 0);
    CHECK_NEAR(c.efficiency, 0, 0);
}

static uint32_t random_edges(uint64_t *seed, uint32_t nodes, het__edge *edges)
{
    uint32_t count = 0;
    const uint64_t rarity = 1 + test_random(seed) % 12;
    for (uint32_t to = 1; to < nodes; to++)
        for (uint32_t from = 0; from < to; from++)
            if (test_random(seed) % rarity == 0)
                edges[count++] = (het__edge){ from, to };
    return count;
}

/* Efficiency stays in its bounds; every edge goes to a later stage, and a stage has a reason. */
static void random_graphs(void)
{
    static het__edge edges[EDGES_MAX];
    uint64_t seed = 7;
    for (int round = 0; round < 2000; round++) {
        uint32_t stage[NODES_MAX], reason[NODES_MAX] = { 0 };
        double ns[NODES_MAX];
        const uint32_t nodes = 1 + (uint32_t)(test_random(&seed) % NODES_MAX);
        const uint32_t count = random_edges(&seed, nodes, edges);
        for (uint32_t n = 0; n < nodes; n++)
            ns[n] = (double)(test_random(&seed) % 1000);
        const het_concurrency c = stages_of(nodes, edges, count, stage, ns);
        CHECK(c.efficiency > 0 && c.efficiency <= 1);
        CHECK(c.critical_ns <= c.total_ns);
        CHECK(c.critical_path_count <= nodes && c.width_count <= nodes);
        for (uint32_t e = 0; e < count; e++) {
            CHECK(stage[edges[e].to] > stage[edges[e].from]);
            reason[edges[e].to] |= stage[edges[e].to] == stage[edges[e].from] + 1;
        }
        for (uint32_t n = 0; n < nodes; n++)
            CHECK(stage[n] == 0 || reason[n]);
    }
}

/* ---- waves and tiles ---- */

static void sawtooth(void)
{
    CHECK_NEAR(het__waves(0, 8), 0, 0);
    CHECK_NEAR(het__waves(8, 8), 1, 0);
    CHECK_NEAR(het__waves(9, 8), 2, 0);
    /* The share of busy units rises to 1 at each multiple, and falls behind it. */
    for (int items = 1; items < 64; items++) {
        const double share = items / (het__waves(items, 8) * 8);
        const double next = (items + 1) / (het__waves(items + 1, 8) * 8);
        CHECK(share > 0 && share <= 1);
        if (items % 8 == 0)
            CHECK(share == 1 && next < share);
        else
            CHECK(next > share);
    }
    /* The same in a mapping: 16 columns to a tile of an array, a tile for each unit. */
    const het__machine_device d = device_of(HET__UNIT_SYSTOLIC, 4, 256, 1 << 20);
    for (int tiles = 1; tiles <= 9; tiles++) {
        const het__work_shape w = { 1, 64, 16 * tiles, 16, 4, false };
        het_mapping m;
        het__map_work(&w, &d, &m);
        CHECK_NEAR(m.item_count, tiles, 0);
        CHECK_NEAR(m.wave_count, (tiles + 3) / 4, 0);
        CHECK_NEAR(m.wave_efficiency, tiles / (4.0 * ((tiles + 3) / 4)), 1e-12);
        CHECK_NEAR(m.occupancy, 64.0 / (64 + 2 * 16), 1e-12); /* filling and emptying */
    }
}

/* Cores with vectors of 8: 64 x 64 tiles of a product of 128 x 128 terms deep, on 4 cores. */
static void by_hand(void)
{
    const het__machine_device d = device_of(HET__UNIT_CORES, 4, 8, 1 << 20);
    het__work_shape w = { 1, 128, 128, 32, 4, false };
    het_mapping m;
    het__map_work(&w, &d, &m);
    CHECK_INT(m.tile_rows, 64);
    CHECK_INT(m.tile_columns, 64);
    CHECK_INT(m.tile_depth, 32);
    CHECK_NEAR(m.tile_bytes, 4.0 * (32 * (64 + 64) + 64 * 64), 0);
    CHECK_NEAR(m.item_count, 4, 0);
    CHECK_NEAR(m.thread_count, 128 * 128, 0);
    CHECK_NEAR(m.used_unit_count, 4, 0);
    CHECK_NEAR(m.utilisation, 1, 0);
    /* 20 results: three vectors, the last half full. */
    w = (het__work_shape){ 1, 1, 20, 100, 4, false };
    het__map_work(&w, &d, &m);
    CHECK_NEAR(m.item_count, 3, 0);
    CHECK_NEAR(m.used_unit_count, 3, 0);
    CHECK_NEAR(m.wave_efficiency, 0.75, 0);
    CHECK_NEAR(m.occupancy, 20.0 / 24, 1e-12);
    w = (het__work_shape){ 1, 0, 20, 100, 4, false };
    het__map_work(&w, &d, &m);
    CHECK_NEAR(m.item_count, 0, 0);
    CHECK_NEAR(m.utilisation, 0, 0);
}

/* 256 KB per tile, as the documents ask: what 3 x 3 windows over 512 channels need is cut. */
static void scratchpad(void)
{
    const het__machine_device d = device_of(HET__UNIT_TILES, 64, 64, 256 * 1024);
    const het__work_shape w = { 1, 49, 512, 512 * 9, 4, false };
    het_mapping m;
    het__map_work(&w, &d, &m);
    CHECK_INT(m.is_fitting, 1);
    CHECK(m.tile_bytes <= 256 * 1024);
    CHECK(m.tile_rows * m.tile_columns * m.tile_depth > 0);
    CHECK(4.0 * 512 * 9 * (49 + 64) > 256 * 1024); /* would not fit whole */
}

static double random_extent(uint64_t *seed)
{
    return (double)(1 + (test_random(seed) >> (44 + test_random(seed) % 20)));
}

static void random_work(void)
{
    uint64_t seed = 11;
    for (int round = 0; round < 20000; round++) {
        const double units = (double)(1 + test_random(&seed) % 200);
        const double lanes = (double)(1 << (test_random(&seed) % 15));
        const double near = (double)(64 + (test_random(&seed) >> (40 + test_random(&seed) % 20)));
        const het__machine_device d =
            device_of(classes[test_random(&seed) % CLASS_COUNT], units, lanes, near);
        const het__work_shape w = { random_extent(&seed), random_extent(&seed),
                                    random_extent(&seed),
                                    test_random(&seed) % 2 ? random_extent(&seed) : 0, 4,
                                    test_random(&seed) % 4 == 0 };
        het_mapping m;
        het__map_work(&w, &d, &m);
        CHECK(m.used_unit_count >= 1 && m.used_unit_count <= units);
        CHECK(m.occupancy > 0 && m.occupancy <= 1);
        CHECK(m.wave_efficiency > 0 && m.wave_efficiency <= 1);
        CHECK(m.utilisation > 0 && m.utilisation <= 1);
        CHECK(m.is_fitting && m.tile_bytes <= near);
        CHECK(m.wave_count * units >= m.item_count * (1 - 1e-12)); /* beyond 2^53 it rounds */
    }
}

/* More of the same work never leaves more units without any. */
static void fill_is_monotone(void)
{
    uint64_t seed = 5;
    for (int round = 0; round < 300; round++) {
        const het__machine_device d = device_of(classes[(size_t)round % CLASS_COUNT],
                                                (double)(1 + test_random(&seed) % 150),
                                                (double)(1 << (test_random(&seed) % 12)), 1 << 18);
        const double rows = random_extent(&seed), columns = random_extent(&seed);
        const double depth = random_extent(&seed);
        double used = 0;
        for (int batch = 1; batch <= 32; batch++) {
            const het__work_shape w = { 1, rows * batch, columns, depth, 4, false };
            het_mapping m;
            het__map_work(&w, &d, &m);
            CHECK(m.used_unit_count >= used);
            used = m.used_unit_count;
        }
    }
}

/* ---- roofline, energy, labels ---- */

static void roofline(void)
{
    CHECK_NEAR(het__roofline_ns(100, 10, 1e9, 1e9), 100, 1e-9);
    CHECK_NEAR(het__roofline_ns(10, 100, 1e9, 1e9), 100, 1e-9);
    /* It flips at peak / bandwidth = 10 operations per byte. */
    CHECK_INT(het__bottleneck(1000, 100, 1e10, 1e9), HET_BOTTLENECK_COMPUTE);
    CHECK_INT(het__bottleneck(999, 100, 1e10, 1e9), HET_BOTTLENECK_MEMORY);
    CHECK_INT(het__bottleneck(0, 0, 1e10, 1e9), HET_BOTTLENECK_NONE);
    /* What the published table says of 31, 14 and 17 operations per byte. */
    CHECK_INT(het__intensity_label(31, 1), HET_LABEL_COMPUTE_INTENSIVE);
    CHECK_INT(het__intensity_label(14, 1), HET_LABEL_MEMORY_BOUND);
    CHECK_INT(het__intensity_label(17, 1), HET_LABEL_BALANCED);
    CHECK_INT(het__intensity_label(25, 1), HET_LABEL_COMPUTE_INTENSIVE);
    CHECK_INT(het__intensity_label(0, 0), HET_LABEL_NONE);
}

/* Effective rate = peak x utilisation, and one launch. */
static void mapped_time(void)
{
    het__machine_device d = device_of(HET__UNIT_CORES, 4, 8, 1 << 20);
    const het_mapping half = { .struct_size = sizeof half, .utilisation = 0.5 };
    het_subgraph s = { .flop_count = 1e6, .input_bytes = 1000, .mapping = &half };
    d.launch.value = 250;
    het__analysis_times(&d, 1e12, &s);
    CHECK_NEAR(s.compute_ns, 1000, 1e-9);
    CHECK_NEAR(s.memory_ns, 10, 1e-9);
    CHECK_NEAR(s.roofline_ns, 1000, 1e-9);
    CHECK_NEAR(s.mapped_ns, 250 + 2000, 1e-9);
    CHECK_NEAR(s.intensity, 1000, 1e-9);
    CHECK_NEAR(s.joules, 0, 0);
    d.watts.value = 10; /* 2.25 us at 10 W */
    het__analysis_times(&d, 1e12, &s);
    CHECK_NEAR(s.joules, 22.5e-6, 1e-12);
    d.joules_per_op.value = 2e-12;
    d.joules_per_byte.value = 3e-9;
    het__analysis_times(&d, 1e12, &s);
    CHECK_NEAR(s.joules, 2e-6 + 3e-6, 1e-15);
}

static void price(void)
{
    het__machine_device d = { 0 };
    CHECK_NEAR(het__price(&d, 1e9), 0, 0);
    d.price_per_hour.value = 7.2; /* 0.002 per second */
    CHECK_NEAR(het__price(&d, 2.5e9), 0.005, 1e-15);
}

/* 17 tiles: a factor of 1 + 0.05 * 16 = 1.8. */
static void seed_v1(void)
{
    CHECK_NEAR(het__seed_ns(3e9, 1.5e12, 1, 17), 2e6 * 1.8, 1e-6);
    CHECK_NEAR(het__seed_ns(3e9, 1.5e12, 2, 1), 4e6, 1e-6);
    CHECK_NEAR(het__seed_joules(1e9, 1e6, 1e-9, 1e-7, 17), (1 + 0.1) * 1.8, 1e-12);
    CHECK_NEAR(het__seed_joules(1e9, 0, 1e-9, 1e-7, 0), 1, 1e-12);
}

static void arithmetic(void)
{
    het__machine_device d = device_of(HET__UNIT_SIMT, 1, 1, 1);
    d.peak[HET__PEAK_BF16].value = 4e12;
    CHECK_NEAR(het__arithmetic_peak(&d, HET_ARITHMETIC_F32), 1e12, 0);
    CHECK_NEAR(het__arithmetic_peak(&d, HET_ARITHMETIC_BF16), 4e12, 0);
    CHECK_NEAR(het__arithmetic_peak(&d, HET_ARITHMETIC_INT8), 1e12, 0); /* has none */
    CHECK_NEAR(het__arithmetic_peak(&d, HET_ARITHMETIC_FASTEST), 4e12, 0);
    d.peak[HET__PEAK_F32].value = 0; /* only bfloat16 */
    CHECK_NEAR(het__arithmetic_peak(&d, HET_ARITHMETIC_F32), 4e12, 0);
}

int main(void)
{
    test_case(diamond);
    test_case(extremes);
    test_case(random_graphs);
    test_case(sawtooth);
    test_case(by_hand);
    test_case(scratchpad);
    test_case(random_work);
    test_case(fill_is_monotone);
    test_case(roofline);
    test_case(mapped_time);
    test_case(price);
    test_case(seed_v1);
    test_case(arithmetic);
    return test_finish();
}

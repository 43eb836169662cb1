/* SPDX-License-Identifier: Apache-2.0 */
/* Placement against brute force: every assignment of random small problems is costed by an
 * evaluation written here, and the dynamic programme must find the same minimum. */
#include "lib/partition/place.h"

#include "counting_allocator.h"
#include "test.h"

#define NODES_MAX 48
#define DEVICES_MAX 3
#define VALUES_MAX 128

/* A problem with the memory behind it. */
typedef struct problem {
    het__place_problem p;
    double node_ns[NODES_MAX * DEVICES_MAX];
    het__place_value values[VALUES_MAX];
    uint32_t consumers[VALUES_MAX][NODES_MAX];
    double transfer_ns[VALUES_MAX][DEVICES_MAX * DEVICES_MAX];
} problem;

static uint32_t below(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(test_random(seed) >> 33) % n;
}

/* Whole numbers, so that sums are exact in any order; often equal, often zero. */
static double random_ns(uint64_t *seed, uint32_t infinite_percent)
{
    if (below(seed, 100) < infinite_percent)
        return INFINITY;
    return below(seed, 3) ? below(seed, 20) : 0;
}

static void add_value(problem *b, uint64_t *seed, uint32_t producer, uint32_t density)
{
    uint32_t v = b->p.value_count, n = 0;
    for (uint32_t i = producer + 1; i < b->p.node_count; i++)
        if (below(seed, 100) < density)
            b->consumers[v][n++] = i;
    if (n == 0)
        return;
    for (uint32_t a = 0; a < b->p.device_count; a++)
        for (uint32_t c = 0; c < b->p.device_count; c++)
            b->transfer_ns[v][a * b->p.device_count + c] = a == c ? 0 : random_ns(seed, 4);
    b->values[v] = (het__place_value){ producer, n, b->consumers[v], b->transfer_ns[v] };
    b->p.value_count++;
}

static void make_problem(problem *b, uint64_t *seed, uint32_t nodes, uint32_t devices,
                         uint32_t infinite_percent, uint32_t density)
{
    memset(b, 0, sizeof *b);
    b->p.node_count = nodes;
    b->p.device_count = devices;
    b->p.node_ns = b->node_ns;
    b->p.values = b->values;
    for (uint32_t i = 0; i < nodes * devices; i++)
        b->node_ns[i] = random_ns(seed, infinite_percent);
    for (uint32_t n = 0; n + 1 < nodes; n++)
        for (uint32_t k = below(seed, 3); k > 0; k--)
            add_value(b, seed, n, density);
}

/* The cost of an assignment: nodes, and for every value the cheapest known source at the time of
 * each first use on a device. */
static double evaluate(const het__place_problem *p, const uint8_t *device)
{
    double ns = 0;
    for (uint32_t n = 0; n < p->node_count; n++)
        ns += p->node_ns[n * p->device_count + device[n]];
    for (uint32_t v = 0; v < p->value_count; v++) {
        bool has[DEVICES_MAX] = { false };
        has[device[p->values[v].producer]] = true;
        for (uint32_t c = 0; c < p->values[v].consumer_count; c++) {
            const uint32_t to = device[p->values[v].consumers[c]];
            double cheapest = has[to] ? 0 : INFINITY;
            for (uint32_t from = 0; from < p->device_count; from++)
                if (has[from] && !has[to])
                    cheapest =
                        fmin(cheapest, p->values[v].transfer_ns[from * p->device_count + to]);
            ns += cheapest;
            has[to] = true;
        }
    }
    return ns;
}

static double brute_force(const het__place_problem *p)
{
    uint8_t device[NODES_MAX] = { 0 };
    double best = INFINITY;
    for (;;) {
        best = fmin(best, evaluate(p, device));
        uint32_t n = 0;
        while (n < p->node_count && ++device[n] == p->device_count)
            device[n++] = 0;
        if (n == p->node_count)
            return best;
    }
}

static double best_single(const het__place_problem *p)
{
    double best = INFINITY;
    for (uint32_t d = 0; d < p->device_count; d++) {
        double ns = 0;
        for (uint32_t n = 0; n < p->node_count; n++)
            ns += p->node_ns[n * p->device_count + d];
        best = fmin(best, ns);
    }
    return best;
}

static void check_placement(const het__place_problem *p, const het__placement *got)
{
    bool valid = true;
    for (uint32_t n = 0; n < p->node_count; n++)
        valid = valid && got->device[n] < p->device_count;
    CHECK(valid);
    if (!valid)
        return;
    CHECK_NEAR(evaluate(p, got->device), got->total_ns, 1e-9);
    CHECK_NEAR(het__place_cost(p, got->device), got->total_ns, 1e-9);
    CHECK(got->total_ns <= best_single(p));
    for (uint32_t d = 0; d < p->device_count; d++) {
        double ns = 0;
        for (uint32_t n = 0; n < p->node_count; n++)
            ns += p->node_ns[n * p->device_count + d];
        CHECK(got->single_ns[d] == ns);
    }
}

static void random_problems(void)
{
    static problem b;
    uint64_t seed = 0x9e3779b97f4a7c15;
    uint32_t solved = 0, refused = 0, mixed = 0;
    het__mem mem;
    het__mem_init(&mem, NULL);
    for (uint32_t i = 0; i < 3000; i++) {
        const uint32_t devices = 1 + below(&seed, 3);
        const uint32_t nodes = 1 + below(&seed, i < 2600 ? 7 : 8);
        make_problem(&b, &seed, nodes, devices, below(&seed, 3) ? 5 : 30, 20 + below(&seed, 60));
        uint8_t device[NODES_MAX], again[NODES_MAX];
        het__placement got = { .device = device }, second = { .device = again };
        uint32_t stuck = 0;
        const double want = brute_force(&b.p);
        const het_status s = het__place(&b.p, &mem, &got, &stuck);
        if (!isfinite(want)) {
            CHECK_INT(s, HET_E_UNSUPPORTED);
            CHECK(stuck < nodes);
            refused++;
            continue;
        }
        CHECK_INT(s, HET_OK);
        if (s != HET_OK)
            continue;
        CHECK_NEAR(got.total_ns, want, 1e-9);
        CHECK(got.proven);
        check_placement(&b.p, &got);
        CHECK_INT(het__place(&b.p, &mem, &second, &stuck), HET_OK);
        CHECK(memcmp(device, again, nodes) == 0);
        solved++;
        mixed += got.total_ns < best_single(&b.p);
    }
    printf("%u solved, %u refused, %u better than the best device alone\n", solved, refused, mixed);
    CHECK(solved > 2000 && refused > 50 && mixed > 500);
    CHECK_INT(mem.bytes, 0);
}

/* Too many states, and too many values alive, to be exact: still valid, and never worse than the
 * best device alone. */
static void large_problems(void)
{
    static problem b;
    uint64_t seed = 77;
    uint32_t dropped = 0;
    het__mem mem;
    het__mem_init(&mem, NULL);
    for (uint32_t i = 0; i < 12; i++) {
        make_problem(&b, &seed, i < 8 ? 20 : NODES_MAX, 3, 0, i < 8 ? 30 : 80);
        uint8_t device[NODES_MAX];
        het__placement got = { .device = device };
        uint32_t stuck = 0;
        CHECK_INT(het__place(&b.p, &mem, &got, &stuck), HET_OK);
        check_placement(&b.p, &got);
        dropped += !got.proven;
    }
    printf("%u of 12 not proven\n", dropped);
    CHECK(dropped >= 2);
    CHECK_INT(mem.bytes, 0);
}

/* Equal costs everywhere: one device, the first. */
static void ties(void)
{
    static problem b;
    uint64_t seed = 5;
    het__mem mem;
    het__mem_init(&mem, NULL);
    make_problem(&b, &seed, 8, 3, 0, 50);
    for (uint32_t i = 0; i < 8 * 3; i++)
        b.node_ns[i] = 7;
    memset(b.transfer_ns, 0, sizeof b.transfer_ns);
    uint8_t device[NODES_MAX];
    het__placement got = { .device = device };
    uint32_t stuck;
    CHECK_INT(het__place(&b.p, &mem, &got, &stuck), HET_OK);
    CHECK_NEAR(got.total_ns, 56, 0);
    for (uint32_t n = 0; n < 8; n++)
        CHECK_INT(device[n], 0);
}

static void stuck_node(void)
{
    static problem b;
    uint64_t seed = 9;
    het__mem mem;
    het__mem_init(&mem, NULL);
    for (uint32_t bad = 0; bad < 6; bad++) {
        make_problem(&b, &seed, 6, 2, 0, 40);
        memset(b.transfer_ns, 0, sizeof b.transfer_ns);
        b.node_ns[bad * 2] = b.node_ns[bad * 2 + 1] = INFINITY;
        uint8_t device[NODES_MAX];
        het__placement got = { .device = device };
        uint32_t stuck = 99;
        CHECK_INT(het__place(&b.p, &mem, &got, &stuck), HET_E_UNSUPPORTED);
        CHECK_INT(stuck, bad);
    }
    make_problem(&b, &seed, 0, 2, 0, 40);
    het__placement none = { .device = NULL };
    uint32_t stuck = 0;
    CHECK_INT(het__place(&b.p, &mem, &none, &stuck), HET_OK);
    CHECK_NEAR(none.total_ns, 0, 0);
    CHECK_INT(mem.bytes, 0);
}

static void no_memory(void)
{
    static problem b;
    uint64_t seed = 11;
    make_problem(&b, &seed, 7, 3, 0, 50);
    counting_allocator counter = { 0 };
    const het_allocator allocator = counting_allocator_of(&counter);
    het__mem mem;
    het__mem_init(&mem, &allocator);
    het_status s = HET_E_NOMEM;
    uint64_t n = 0;
    while (s != HET_OK && n < 1000) {
        uint8_t device[NODES_MAX];
        het__placement got = { .device = device };
        uint32_t stuck;
        counting_allocator_fail(&counter, ++n);
        s = het__place(&b.p, &mem, &got, &stuck);
        CHECK(s == HET_OK || s == HET_E_NOMEM);
        CHECK_INT(counter.blocks, 0);
    }
    CHECK_INT(s, HET_OK);
    CHECK(n > 4);
}

int main(void)
{
    test_case(random_problems);
    test_case(large_problems);
    test_case(ties);
    test_case(stuck_node);
    test_case(no_memory);
    return test_finish();
}

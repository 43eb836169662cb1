/* SPDX-License-Identifier: Apache-2.0 */
/* Placement against brute force: every assignment of random small problems is costed by an
 * evaluation written here, and placing must find the same minimum: as a sum and as the largest
 * share of a device, with and without limits on what devices hold. */
#include "lib/partition/place.h"

#include "counting_allocator.h"
#include "test.h"

#define NODES_MAX 48
#define DEVICES_MAX 3
#define VALUES_MAX 128
#define STORES_MAX 12
#define LIMITS_MAX 4

/* A problem with the memory behind it. */
typedef struct problem {
    het__place_problem p;
    double node_cost[NODES_MAX * DEVICES_MAX];
    het__place_value values[VALUES_MAX];
    uint32_t consumers[VALUES_MAX][NODES_MAX];
    double transfer_cost[VALUES_MAX][DEVICES_MAX * DEVICES_MAX];
    het__place_store stores[STORES_MAX];
    uint32_t users[STORES_MAX][NODES_MAX];
    het__place_limit limits[LIMITS_MAX];
    double scratch[NODES_MAX];
} problem;

static uint32_t below(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(test_random(seed) >> 33) % n;
}

/* Whole numbers, so that sums are exact in any order; often equal, often zero. */
static double random_cost(uint64_t *seed, uint32_t infinite_percent)
{
    if (below(seed, 100) < infinite_percent)
        return INFINITY;
    return below(seed, 3) ? below(seed, 20) : 0;
}

static void add_value(problem *b, uint64_t *seed, uint32_t producer, uint32_t density)
{
    uint32_t v = b->p.value_count, n = 0;
    const uint32_t step = b->p.phase_count ? b->p.phase_count : 1;
    for (uint32_t i = producer + step; i < b->p.node_count; i += step)
        for (uint32_t twice = below(seed, 8) ? 1 : 2; twice > 0; twice--)
            if (n < NODES_MAX && below(seed, 100) < density)
                b->consumers[v][n++] = i;
    if (n == 0)
        return;
    for (uint32_t a = 0; a < b->p.device_count; a++)
        for (uint32_t c = 0; c < b->p.device_count; c++)
            b->transfer_cost[v][a * b->p.device_count + c] = a == c ? 0 : random_cost(seed, 4);
    b->values[v] = (het__place_value){ producer, n, b->consumers[v], b->transfer_cost[v],
                                       below(seed, 12) };
    b->p.value_count++;
}

static void make_problem(problem *b, uint64_t *seed, uint32_t nodes, uint32_t devices,
                         uint32_t infinite_percent, uint32_t density)
{
    memset(b, 0, sizeof *b);
    b->p.node_count = nodes;
    b->p.device_count = devices;
    b->p.phase_count = nodes % 2 == 0 && below(seed, 3) == 0 ? 2 : 0;
    b->p.node_cost = b->node_cost;
    b->p.values = b->values;
    for (uint32_t i = 0; i < nodes * devices; i++)
        b->node_cost[i] = random_cost(seed, infinite_percent);
    for (uint32_t n = 0; n + 1 < nodes; n++)
        for (uint32_t k = below(seed, 3); k > 0; k--)
            add_value(b, seed, n, density);
}

/* Weights of one or several nodes, states whose nodes must be together, and limits near what is
 * needed. */
static void add_memory(problem *b, uint64_t *seed)
{
    static uint64_t free_seed = 77;
    double all = 0;
    const uint32_t stores = below(seed, STORES_MAX + 1);
    for (uint32_t s = 0; s < stores; s++) {
        uint32_t count = 0;
        const uint32_t want = below(seed, 3) ? 1 : 2 + below(seed, 2);
        for (uint32_t n = below(seed, b->p.node_count); n < b->p.node_count && count < want;
             n += below(seed, 3))
            b->users[s][count++] = n;
        b->stores[s] = (het__place_store){ below(seed, 40), count, b->users[s],
                                           below(seed, 4) == 0, below(seed, 2) == 0, 0 };
        if (below(&free_seed, 3) == 0)
            b->stores[s].free_devices = below(&free_seed, 1u << b->p.device_count);
        all += b->stores[s].bytes;
    }
    b->p.stores = b->stores;
    b->p.store_count = stores;
    b->p.file_devices = below(seed, 3) ? 0 : below(seed, 1u << b->p.device_count);
    if (below(seed, 2)) {
        for (uint32_t n = 0; n < b->p.node_count; n++)
            b->scratch[n] = below(seed, 10);
        b->p.scratch_bytes = b->scratch;
    }
    const uint32_t limits = below(seed, LIMITS_MAX + 1);
    for (uint32_t i = 0; i < limits; i++)
        b->limits[i] = (het__place_limit){ 1 + below(seed, (1u << b->p.device_count) - 1),
                                           floor(all * below(seed, 150) / 100) +
                                               below(seed, 40) };
    b->p.limits = b->limits;
    b->p.limit_count = limits;
}

/* ---- what a placement is, said once more ---- */

static bool holds(const het__place_problem *p, const het__place_value *v, const uint8_t *device,
                  uint32_t d, uint32_t at)
{
    const uint32_t phases = p->phase_count ? p->phase_count : 1;
    const uint32_t last = v->consumers[v->consumer_count - 1];
    if (at % phases != v->producer % phases || at > last)
        return false;
    bool there = device[v->producer] == d && at >= v->producer;
    for (uint32_t i = 0; i < v->consumer_count; i++)
        there = there || (device[v->consumers[i]] == d && at >= v->consumers[i]);
    return there;
}

static double bytes_on(const het__place_problem *p, const uint8_t *device, uint32_t d)
{
    double stored = 0, peak = 0;
    for (uint32_t s = 0; s < p->store_count; s++) {
        bool used = false;
        for (uint32_t i = 0; i < p->stores[s].user_count; i++)
            used = used || device[p->stores[s].users[i]] == d;
        used = used && !(p->stores[s].is_file && p->file_devices >> d & 1) &&
               !(p->stores[s].free_devices >> d & 1);
        stored += used ? p->stores[s].bytes : 0;
    }
    for (uint32_t n = 0; n < p->node_count; n++) {
        double now = p->scratch_bytes && device[n] == d ? p->scratch_bytes[n] : 0;
        for (uint32_t v = 0; v < p->value_count; v++)
            now += holds(p, &p->values[v], device, d, n) ? p->values[v].bytes : 0;
        peak = fmax(peak, now);
    }
    return stored + peak;
}

static bool is_allowed(const het__place_problem *p, const uint8_t *device)
{
    for (uint32_t s = 0; s < p->store_count; s++)
        for (uint32_t i = 1; i < p->stores[s].user_count; i++)
            if (p->stores[s].is_tied &&
                device[p->stores[s].users[i]] != device[p->stores[s].users[0]])
                return false;
    for (uint32_t i = 0; i < p->limit_count; i++) {
        double bytes = 0;
        for (uint32_t d = 0; d < p->device_count; d++)
            bytes += p->limits[i].devices >> d & 1 ? bytes_on(p, device, d) : 0;
        if (bytes > p->limits[i].bytes)
            return false;
    }
    return true;
}

/* The objective so far, when node n comes to its device: nodes, and for every value the cheapest
 * known source at the time of each first use on a device, charged to the receiver. */
static double enter(const het__place_problem *p, const uint8_t *device, uint32_t n, double *load)
{
    const uint32_t d = device[n];
    load[d] += p->node_cost[n * p->device_count + d];
    for (uint32_t v = 0; v < p->value_count; v++) {
        const het__place_value *value = &p->values[v];
        bool has[DEVICES_MAX] = { false }, reads = false;
        has[device[value->producer]] = true;
        for (uint32_t c = 0; c < value->consumer_count; c++) {
            reads = reads || value->consumers[c] == n;
            if (value->consumers[c] < n)
                has[device[value->consumers[c]]] = true;
        }
        if (!reads || has[d])
            continue;
        double cheapest = INFINITY;
        for (uint32_t from = 0; from < p->device_count; from++)
            if (has[from])
                cheapest = fmin(cheapest, value->transfer_cost[from * p->device_count + d]);
        load[d] += cheapest;
    }
    double sum = 0, most = 0;
    for (uint32_t i = 0; i < p->device_count; i++) {
        sum += load[i];
        most = fmax(most, load[i]);
    }
    return p->objective == HET__PLACE_SUM ? sum : most;
}

static double evaluate(const het__place_problem *p, const uint8_t *device)
{
    double load[DEVICES_MAX] = { 0 }, cost = 0;
    for (uint32_t n = 0; n < p->node_count; n++)
        cost = enter(p, device, n, load);
    return is_allowed(p, device) ? cost : INFINITY;
}

/* All assignments but those whose first nodes cost as much as the best already: costs only grow. */
static void try_all(const het__place_problem *p, uint8_t *device, uint32_t n, const double *load,
                    double cost, double *best)
{
    if (n == p->node_count) {
        if (is_allowed(p, device))
            *best = cost;
        return;
    }
    for (uint32_t d = 0; d < p->device_count; d++) {
        double more[DEVICES_MAX];
        memcpy(more, load, sizeof more);
        device[n] = (uint8_t)d;
        const double now = enter(p, device, n, more);
        if (now < *best)
            try_all(p, device, n + 1, more, now, best);
    }
}

static double brute_force(const het__place_problem *p)
{
    uint8_t device[NODES_MAX] = { 0 };
    const double none[DEVICES_MAX] = { 0 };
    double best = INFINITY;
    try_all(p, device, 0, none, 0, &best);
    return best;
}

static double single(const het__place_problem *p, uint32_t d)
{
    uint8_t device[NODES_MAX];
    memset(device, (int)d, sizeof device);
    return evaluate(p, device);
}

static double best_single(const het__place_problem *p)
{
    double best = INFINITY;
    for (uint32_t d = 0; d < p->device_count; d++)
        best = fmin(best, single(p, d));
    return best;
}

static void check_placement(const het__place_problem *p, const het__placement *got, het__mem *mem)
{
    bool valid = true;
    for (uint32_t n = 0; n < p->node_count; n++)
        valid = valid && got->device[n] < p->device_count;
    CHECK(valid);
    if (!valid)
        return;
    CHECK_NEAR(evaluate(p, got->device), got->total, 1e-9);
    CHECK(got->total <= best_single(p) && got->total <= got->greedy);
    CHECK(got->bound <= got->total * (1 + 1e-12));
    for (uint32_t d = 0; d < p->device_count; d++)
        CHECK(got->single[d] == single(p, d));
    het__place_sums sums;
    CHECK_INT(het__place_measure(p, got->device, mem, &sums), HET_OK);
    CHECK(sums.fits && sums.possible);
    CHECK_NEAR(sums.objective, got->total, 1e-9);
    CHECK_NEAR(het__place_cost(p, got->device), sums.sum, 1e-9);
    for (uint32_t d = 0; d < p->device_count; d++)
        CHECK_NEAR(sums.stored[d] + sums.peak[d], bytes_on(p, got->device, d), 0);
}

/* ---- cases ---- */

typedef struct counts {
    uint32_t solved, refused, mixed, proven, limited, cut;
} counts;

static void check_problem(problem *b, het__mem *mem, counts *c)
{
    uint8_t device[NODES_MAX], again[NODES_MAX];
    het__placement got = { .device = device }, second = { .device = again };
    uint32_t stuck = 0;
    const double want = brute_force(&b->p);
    const het_status s = het__place(&b->p, mem, &got, &stuck);
    if (!isfinite(want)) {
        CHECK_INT(s, HET_E_UNSUPPORTED);
        CHECK(stuck <= b->p.node_count);
        CHECK(stuck < b->p.node_count || got.proven);
        c->refused++;
        return;
    }
    CHECK_INT(s, HET_OK);
    if (s != HET_OK)
        return;
    CHECK_NEAR(got.total, want, 1e-9);
    check_placement(&b->p, &got, mem);
    CHECK_INT(het__place(&b->p, mem, &second, &stuck), HET_OK);
    CHECK(memcmp(device, again, b->p.node_count) == 0);
    const uint32_t limits = b->p.limit_count;
    c->solved++;
    c->proven += got.proven;
    c->mixed += got.total < best_single(&b->p);
    c->limited += limits > 0;
    b->p.limit_count = 0;
    c->cut += limits > 0 && brute_force(&b->p) < want;
    b->p.limit_count = limits;
}

static void random_problems(void)
{
    static problem b;
    uint64_t seed = 0x9e3779b97f4a7c15;
    counts sum = { 0 }, most = { 0 };
    het__mem mem;
    het__mem_init(&mem, NULL);
    for (uint32_t i = 0; i < 10000; i++) {
        const uint32_t devices = 1 + below(&seed, 3), nodes = 1 + below(&seed, 10);
        make_problem(&b, &seed, nodes, devices, below(&seed, 3) ? 5 : 20, 20 + below(&seed, 60));
        if (i % 4)
            add_memory(&b, &seed);
        b.p.objective = i % 3 == 2 ? HET__PLACE_BOTTLENECK : HET__PLACE_SUM;
        check_problem(&b, &mem, i % 3 == 2 ? &most : &sum);
    }
    const counts *c[] = { &sum, &most };
    for (int i = 0; i < 2; i++)
        printf("%s: %u solved, %u proven, %u refused, %u better than the best device alone, "
               "%u with limits of which %u change the optimum\n", i ? "bottleneck" : "sum",
               c[i]->solved, c[i]->proven, c[i]->refused, c[i]->mixed, c[i]->limited, c[i]->cut);
    CHECK(sum.solved > 3000 && sum.refused > 50 && sum.mixed > 500 && sum.cut > 300);
    CHECK(most.solved > 1500 && most.mixed > 500 && most.cut > 100);
    CHECK_INT(sum.proven, sum.solved);
    CHECK_INT(most.proven, most.solved);
    CHECK_INT(mem.bytes, 0);
}

/* Too many states to be exact: still valid, and never worse than the best device alone. */
static void large_problems(void)
{
    static problem b;
    uint64_t seed = 77;
    uint32_t dropped = 0, found = 0;
    het__mem mem;
    het__mem_init(&mem, NULL);
    for (uint32_t i = 0; i < 12; i++) {
        make_problem(&b, &seed, i < 8 ? 20 : NODES_MAX, 3, 0, i < 8 ? 30 : 80);
        if (i % 2)
            add_memory(&b, &seed);
        b.p.objective = i % 3 == 1 ? HET__PLACE_BOTTLENECK : HET__PLACE_SUM;
        uint8_t device[NODES_MAX];
        het__placement got = { .device = device };
        uint32_t stuck = 0;
        const het_status s = het__place(&b.p, &mem, &got, &stuck);
        CHECK(s == HET_OK || (s == HET_E_UNSUPPORTED && b.p.limit_count + b.p.store_count));
        if (s != HET_OK)
            continue;
        check_placement(&b.p, &got, &mem);
        found++;
        dropped += !got.proven;
    }
    printf("%u of 12 found, %u not proven\n", found, dropped);
    CHECK(found >= 8 && dropped >= 2);
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
        b.node_cost[i] = 7;
    memset(b.transfer_cost, 0, sizeof b.transfer_cost);
    uint8_t device[NODES_MAX];
    het__placement got = { .device = device };
    uint32_t stuck;
    CHECK_INT(het__place(&b.p, &mem, &got, &stuck), HET_OK);
    CHECK_NEAR(got.total, 56, 0);
    for (uint32_t n = 0; n < 8; n++)
        CHECK_INT(device[n], 0);
}

/* One weight for two nodes: it counts once on a device, and twice on two. */
static void shared_weight(void)
{
    static const double cost[] = { 1, 9, 9, 1 };
    static const uint32_t users[] = { 0, 1 };
    const het__place_store store = { 10, 2, users, false, false, 0 };
    het__place_limit limits[] = { { 1, 10 }, { 2, 9 } };
    het__place_problem p = { .node_count = 2, .device_count = 2, .node_cost = cost,
                             .store_count = 1, .stores = &store, .limit_count = 2,
                             .limits = limits };
    uint8_t device[2];
    het__placement got = { .device = device };
    uint32_t stuck;
    het__mem mem;
    het__mem_init(&mem, NULL);
    CHECK_INT(het__place(&p, &mem, &got, &stuck), HET_OK);
    CHECK_NEAR(got.total, 10, 0); /* the second device has no room for it */
    limits[1].bytes = 10;
    CHECK_INT(het__place(&p, &mem, &got, &stuck), HET_OK);
    CHECK_NEAR(got.total, 2, 0);
    limits[0] = (het__place_limit){ 3, 19 }; /* one memory for both */
    CHECK_INT(het__place(&p, &mem, &got, &stuck), HET_OK);
    CHECK_NEAR(got.total, 10, 0);
    limits[0].bytes = 9;
    CHECK_INT(het__place(&p, &mem, &got, &stuck), HET_E_UNSUPPORTED);
    CHECK(got.proven && stuck == 2);
    CHECK_INT(mem.bytes, 0);
}

/* What is there in one phase is gone in the other; what is stored is there in both. */
static void phases(void)
{
    static const double cost[] = { 1, 5, 1, 5, 1, 5, 1, 5 }, free_ns[4] = { 0 };
    static const uint32_t readers[] = { 2, 3 }, state[] = { 2, 3 };
    const het__place_value values[] = { { 0, 1, &readers[0], free_ns, 30 },
                                        { 1, 1, &readers[1], free_ns, 20 } };
    const het__place_store store = { 5, 2, state, true, false, 0 };
    const het__place_limit limit = { 1, 35 };
    het__place_problem p = { .node_count = 4, .device_count = 2, .node_cost = cost,
                             .value_count = 2, .values = values, .store_count = 1,
                             .stores = &store, .limit_count = 1, .limits = &limit,
                             .phase_count = 2 };
    uint8_t device[4];
    het__placement got = { .device = device };
    uint32_t stuck;
    het__mem mem;
    het__mem_init(&mem, NULL);
    CHECK_INT(het__place(&p, &mem, &got, &stuck), HET_OK);
    CHECK_NEAR(got.total, 4, 0);
    p.phase_count = 1; /* all at once: 55 bytes do not fit */
    CHECK_INT(het__place(&p, &mem, &got, &stuck), HET_OK);
    CHECK(got.total > 4);
}

static void stuck_node(void)
{
    static problem b;
    uint64_t seed = 9;
    het__mem mem;
    het__mem_init(&mem, NULL);
    for (uint32_t bad = 0; bad < 6; bad++) {
        make_problem(&b, &seed, 6, 2, 0, 40);
        memset(b.transfer_cost, 0, sizeof b.transfer_cost);
        b.node_cost[bad * 2] = b.node_cost[bad * 2 + 1] = INFINITY;
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
    CHECK_NEAR(none.total, 0, 0);
    CHECK_INT(mem.bytes, 0);
}

static void no_memory(void)
{
    static problem b;
    for (uint32_t objective = 0; objective < 2; objective++) {
        uint64_t seed = 11;
        make_problem(&b, &seed, 7, 3, 0, 50);
        do {
            add_memory(&b, &seed);
        } while (!isfinite(brute_force(&b.p)) || b.p.limit_count == 0);
        b.p.objective = objective;
        counting_allocator counter = { 0 };
        const het_allocator allocator = counting_allocator_of(&counter);
        het__mem mem;
        het__mem_init(&mem, &allocator);
        het_status s = HET_E_NOMEM;
        uint64_t n = 0;
        while (s != HET_OK && n < 10000) {
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
}

int main(void)
{
    test_case(random_problems);
    test_case(large_problems);
    test_case(ties);
    test_case(shared_weight);
    test_case(phases);
    test_case(stuck_node);
    test_case(no_memory);
    return test_finish();
}

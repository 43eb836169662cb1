/* SPDX-License-Identifier: Apache-2.0 */
/* Input: bytes that choose. The first says whether the others make a placement problem (nodes,
 * values, stores, limits, costs), or a graph and a machine to plan for.
 *
 * Properties: every node is on a device that runs it, within the limits; sums are those of the
 * placement; two runs give the same bytes; small problems cost what the best of all assignments
 * costs; a plan's text is read back; when an allocation fails the answer is out of memory or what
 * it was before; nothing leaks. */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "lib/partition/place.h"
#include "../tests/random_plan.h"

#define NODES_MAX 24
#define SMALL_MAX 6 /* nodes whose assignments are all tried */
#define DEVICES_MAX 3
#define VALUES_MAX 32
#define STORES_MAX 8
#define LIMITS_MAX 3

typedef struct source {
    const uint8_t *at, *end;
} source;

/* Chosen by the next byte or two; 0 behind the last. */
static uint32_t below(void *user, uint32_t n)
{
    source *s = user;
    uint32_t x = s->at < s->end ? *s->at++ : 0;
    if (n > 256)
        x = x << 8 | (s->at < s->end ? *s->at++ : 0);
    return n ? x % n : 0;
}

/* ---- placement problems ---- */

typedef struct problem {
    het__place_problem p;
    double node_cost[NODES_MAX * DEVICES_MAX];
    het__place_value values[VALUES_MAX];
    uint32_t consumers[VALUES_MAX][4];
    double transfer_cost[VALUES_MAX][DEVICES_MAX * DEVICES_MAX];
    het__place_store stores[STORES_MAX];
    uint32_t users[STORES_MAX][4];
    het__place_limit limits[LIMITS_MAX];
} problem;

static double cost(source *s)
{
    const uint32_t x = below(s, 256);
    return x > 240 ? (double)INFINITY : (double)x;
}

/* Ascending nodes, `step` apart, behind `first`. */
static uint32_t pick(source *s, uint32_t first, uint32_t step, uint32_t nodes, uint32_t *list)
{
    uint32_t count = 0, n = first;
    for (uint32_t want = below(s, 5); want > 0 && count < 4; want--) {
        n += step * below(s, 4);
        if (n < nodes && n > first)
            list[count++] = n;
    }
    return count;
}

static void add_value(problem *b, source *s)
{
    const uint32_t D = b->p.device_count, v = b->p.value_count;
    const uint32_t step = b->p.phase_count ? b->p.phase_count : 1;
    const uint32_t producer = below(s, b->p.node_count);
    const uint32_t count = pick(s, producer, step, b->p.node_count, b->consumers[v]);
    for (uint32_t i = 0; i < D * D; i++)
        b->transfer_cost[v][i] = i / D == i % D ? 0 : cost(s);
    b->values[v] = (het__place_value){ producer, count, b->consumers[v], b->transfer_cost[v],
                                       below(s, 64) };
    b->p.value_count += count > 0;
}

static void make_problem(problem *b, source *s)
{
    memset(b, 0, sizeof *b);
    b->p.device_count = 1 + below(s, DEVICES_MAX);
    b->p.node_count = 1 + below(s, NODES_MAX);
    b->p.phase_count = 1 + below(s, 2);
    b->p.objective = below(s, 2);
    b->p.file_devices = below(s, 8);
    b->p.node_cost = b->node_cost;
    b->p.values = b->values;
    b->p.stores = b->stores;
    b->p.limits = b->limits;
    for (uint32_t i = 0; i < b->p.node_count * b->p.device_count; i++)
        b->node_cost[i] = cost(s);
    for (uint32_t k = below(s, VALUES_MAX); k > 0; k--)
        add_value(b, s);
    for (uint32_t k = below(s, STORES_MAX); k > 0; k--) {
        const uint32_t i = b->p.store_count++;
        b->users[i][0] = below(s, b->p.node_count);
        uint32_t more[4];
        uint32_t count = pick(s, b->users[i][0], 1, b->p.node_count, more);
        count = count > 3 ? 3 : count;
        memcpy(b->users[i] + 1, more, count * sizeof *more);
        b->stores[i] = (het__place_store){ below(s, 128), 1 + count, b->users[i],
                                           below(s, 4) == 0, below(s, 2) == 0,
                                           below(s, 1u << b->p.device_count) };
    }
    for (uint32_t k = below(s, LIMITS_MAX + 1); k > 0; k--)
        b->limits[b->p.limit_count++] =
            (het__place_limit){ 1 + below(s, (1u << b->p.device_count) - 1), below(s, 1024) };
}

/* The best of all assignments; costs are small whole numbers, so sums are exact. */
static double best_of_all(const het__place_problem *p, het__mem *mem)
{
    uint8_t device[SMALL_MAX] = { 0 };
    double best = INFINITY;
    for (;;) {
        het__place_sums sums;
        uint32_t n = 0;
        FUZZ_REQUIRE(het__place_measure(p, device, mem, &sums) == HET_OK);
        if (sums.fits && sums.possible && sums.objective < best)
            best = sums.objective;
        while (n < p->node_count && ++device[n] == p->device_count)
            device[n++] = 0;
        if (n == p->node_count)
            return best;
    }
}

static void check_placement(const het__place_problem *p, const het__placement *got, het_status s,
                            het__mem *mem)
{
    het__place_sums sums;
    if (s == HET_OK) {
        for (uint32_t n = 0; n < p->node_count; n++)
            FUZZ_REQUIRE(got->device[n] < p->device_count);
        FUZZ_REQUIRE(het__place_measure(p, got->device, mem, &sums) == HET_OK);
        FUZZ_REQUIRE(sums.fits && sums.possible && sums.objective == got->total);
        FUZZ_REQUIRE(got->total <= got->greedy && got->bound <= got->total * (1 + 1e-9));
        for (uint32_t d = 0; d < p->device_count; d++)
            FUZZ_REQUIRE(got->total <= got->single[d]);
    }
    if (p->node_count > SMALL_MAX)
        return;
    const double want = best_of_all(p, mem);
    FUZZ_REQUIRE(isfinite(want) == (s == HET_OK));
    FUZZ_REQUIRE(s != HET_OK || (got->total == want && got->proven));
}

static void fuzz_place(source *s, uint64_t seed)
{
    static problem b;
    uint8_t device[NODES_MAX], again[NODES_MAX];
    het__placement got = { .device = device }, second = { .device = again };
    fuzz_memory memory;
    het__mem mem;
    uint32_t stuck;
    make_problem(&b, s);
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    const het_status first = het__place(&b.p, &mem, &got, &stuck);
    FUZZ_REQUIRE(first == HET_OK || first == HET_E_UNSUPPORTED);
    FUZZ_REQUIRE(first == HET_OK || stuck <= b.p.node_count);
    check_placement(&b.p, &got, first, &mem);
    memory.until = seed % 64;
    const het_status short_of = het__place(&b.p, &mem, &second, &stuck);
    FUZZ_REQUIRE(short_of == first || short_of == HET_E_NOMEM);
    FUZZ_REQUIRE(short_of != HET_OK || memcmp(device, again, b.p.node_count) == 0);
    FUZZ_REQUIRE(memory.live == 0 && memory.used == 0);
}

/* ---- plans ---- */

static void check_plan(const random_plan *r, const het__plan *p, het__mem *mem)
{
    uint8_t device[RANDOM_PLAN_NODES_MAX];
    het_error err = HET_ERROR_INIT;
    for (uint32_t d = 0; d < p->machine.device_count; d++) {
        const het__plan_memory *m = &p->memory[d];
        FUZZ_REQUIRE(m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes <=
                     m->limit_bytes);
        FUZZ_REQUIRE(p->total <= p->single[d] * (1 + 1e-9));
    }
    FUZZ_REQUIRE(p->split_ns <= p->simulated_ns);
    FUZZ_REQUIRE(het__plan_read(p->text, strlen(p->text), &r->graph, r->symbols, &r->machine, mem,
                                device, &err) == HET_OK);
    FUZZ_REQUIRE(memcmp(device, p->node_device, p->node_count) == 0);
}

static void fuzz_plan(source *s, uint64_t seed)
{
    static random_plan r;
    fuzz_memory memory;
    het__mem mem;
    het__plan p, again;
    het_error err = HET_ERROR_INIT;
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    r.below = below;
    r.user = s;
    const uint32_t limit = below(s, 4096), devices = 1 + below(s, 4);
    random_plan_graph(&r, &mem, below(s, 32));
    random_plan_machine(&r, devices, limit);
    random_plan_reasons(&r);
    const het__plan_request request = {
        .graph = &r.graph, .machine = &r.machine, .symbols = r.symbols, .reasons = r.reasons,
        .limited = true, .objective = 1 + below(s, 3), .split = below(s, 2) != 0,
    };
    const het_status first = het__plan_make(&request, &mem, &p, &err);
    FUZZ_REQUIRE(first == HET_OK || first == HET_E_UNSUPPORTED);
    if (first == HET_OK)
        check_plan(&r, &p, &mem);
    memory.until = seed % 256;
    const het_status second = het__plan_make(&request, &mem, &again, &err);
    FUZZ_REQUIRE(second == first || second == HET_E_NOMEM);
    if (second == HET_OK) {
        FUZZ_REQUIRE(strcmp(again.text, p.text) == 0);
        het__plan_finish(&again);
    }
    if (first == HET_OK)
        het__plan_finish(&p);
    het__graph_finish(&r.graph);
    FUZZ_REQUIRE(memory.live == 0 && memory.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    source s = { data, data + size };
    const uint64_t seed = fuzz_seed(data, size);
    if (below(&s, 4))
        fuzz_place(&s, seed);
    else
        fuzz_plan(&s, seed);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Time and memory of placing by size: `meson test --benchmark place`. Chains, and chains with a
 * residual every fourth node, on four devices; the last column bends where something is not
 * linear. Prints a table; nothing here can fail. */
#include <time.h>

#include "lib/partition/place.h"

#include "test.h"

#define DEVICES 4

typedef struct network {
    het__place_problem p;
    double *cost, *transfer;
    het__place_value *values;
    het__place_store *stores;
    uint32_t *consumers, *users;
    het__place_limit limits[DEVICES];
} network;

static uint32_t below(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(test_random(seed) >> 33) % n;
}

/* Of this process: other programs do not count. */
static double now_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* A node reads the one before it, and with residuals every fourth one four before as well. */
static void make(network *w, uint32_t nodes, bool residual, double room)
{
    uint64_t seed = nodes;
    memset(w, 0, sizeof *w);
    w->cost = calloc((size_t)nodes * DEVICES, sizeof *w->cost);
    w->transfer = calloc(DEVICES * DEVICES, sizeof *w->transfer);
    w->values = calloc(nodes, sizeof *w->values);
    w->stores = calloc(nodes, sizeof *w->stores);
    w->consumers = calloc(2 * (size_t)nodes, sizeof *w->consumers);
    w->users = calloc(nodes, sizeof *w->users);
    double bytes = 0;
    for (uint32_t i = 0; i < nodes * DEVICES; i++)
        w->cost[i] = 10 + below(&seed, 1000);
    for (uint32_t i = 0; i < DEVICES * DEVICES; i++)
        w->transfer[i] = i / DEVICES == i % DEVICES ? 0 : 300;
    for (uint32_t n = 0; n < nodes; n++) {
        uint32_t *c = w->consumers + 2 * (size_t)n, count = 0;
        if (n + 1 < nodes)
            c[count++] = n + 1;
        if (residual && n % 4 == 0 && n + 4 < nodes)
            c[count++] = n + 4;
        w->values[n] = (het__place_value){ n, count, c, w->transfer, 1000 };
        w->users[n] = n;
        w->stores[n] = (het__place_store){ 1000.0 * (1 + below(&seed, 8)), 1, &w->users[n], false,
                                             false, 0 };
        bytes += w->stores[n].bytes;
    }
    for (uint32_t d = 0; d < DEVICES; d++)
        w->limits[d] = (het__place_limit){ 1u << d, floor(bytes * room) };
    w->p = (het__place_problem){ .node_count = nodes, .device_count = DEVICES,
                                 .node_cost = w->cost, .value_count = nodes, .values = w->values,
                                 .store_count = nodes, .stores = w->stores,
                                 .limit_count = room > 0 ? DEVICES : 0, .limits = w->limits };
}

static void drop(network *w)
{
    free(w->cost);
    free(w->transfer);
    free(w->values);
    free(w->stores);
    free(w->consumers);
    free(w->users);
}

static void row(uint32_t nodes, bool residual, double room)
{
    network w;
    het__mem mem;
    make(&w, nodes, residual, room);
    het__mem_init(&mem, NULL);
    uint8_t *device = malloc(nodes);
    het__placement got = { .device = device };
    uint32_t stuck;
    const double start = now_s();
    const het_status s = het__place(&w.p, &mem, &got, &stuck);
    const double took = now_s() - start;
    CHECK(s == HET_OK || room > 0);
    printf("%7u  %-9s %-7s %9.1f ms %9.1f MB  %8.3f us/node  %s, gap %.3f %%\n", nodes,
           residual ? "residual" : "chain", room > 0 ? "limits" : "none", took * 1e3,
           (double)mem.peak / 1e6, took * 1e6 / nodes,
           s != HET_OK ? "nothing found" : got.proven ? "proven" : "not proven",
           s == HET_OK ? 100 * (got.total / got.bound - 1) : 0);
    free(device);
    drop(&w);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = { 100, 1000, 10000, 30000, 100000 };
    const size_t most = argc > 1 ? (size_t)atoi(argv[1]) : sizeof sizes / sizeof *sizes;
    printf("  nodes  graph     limits        time    memory       per node\n");
    for (int residual = 0; residual < 2; residual++)
        for (size_t i = 0; i < most && i < sizeof sizes / sizeof *sizes; i++)
            row(sizes[i], residual, 0);
    for (size_t i = 0; i < most && i < 3; i++)
        row(sizes[i], false, 0.27);
    return test_finish();
}

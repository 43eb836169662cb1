/* SPDX-License-Identifier: Apache-2.0 */
/* Placing the nodes of a model by chance: the devices of a context refuse every node but their own,
 * so that any plan is the one that a seed says. */
#ifndef HETINFER_TEST_PLACED_H
#define HETINFER_TEST_PLACED_H

#include "lib/api/handles.h"
#include "lib/backend.h"
#include "test.h"

#define PLACED_MAX 6
/* Not by chance: the first half of the nodes on the first device, the rest on the second. */
#define PLACED_HALVES UINT64_MAX

static struct placed {
    uint64_t pattern; /* 0: no device refuses anything */
    uint32_t count;
    het__registered real[PLACED_MAX];
    het__backend table[PLACED_MAX];
} placed;

static inline uint64_t placed_hash(uint64_t a, uint64_t b)
{
    uint64_t h = (a * UINT64_C(0x9e3779b97f4a7c15)) ^ (b + 1) * UINT64_C(0xc2b2ae3d27d4eb4f);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

static inline bool placed_runs(uint32_t device, const het__graph *graph, const het__node *node,
                               char *reason, size_t bytes)
{
    const het__registered *r = &placed.real[device];
    return r->backend->supports_on
               ? r->backend->supports_on(r->backend_index, graph, node, reason, bytes)
               : r->backend->supports(graph, node, reason, bytes);
}

/* By node, by layer or by stretches of nodes; nodes that share a state stay together. */
static inline uint32_t placed_owner(const het__graph *graph, const het__node *node)
{
    const uint64_t index = (uint64_t)(node - graph->nodes);
    if (placed.pattern == PLACED_HALVES)
        return 2 * index >= graph->node_count && placed.count > 1;
    uint64_t key = placed.pattern % 3 == 0   ? index
                   : placed.pattern % 3 == 1 ? (uint64_t)(node->layer + 1)
                                             : index / (2 + placed.pattern % 7);
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HET__NO_VALUE &&
            graph->values[node->inputs[i]].kind == HET__VALUE_STATE) {
            key = UINT64_C(1000003) + node->inputs[i];
            break;
        }
    return (uint32_t)(placed_hash(placed.pattern, key) % placed.count);
}

/* What its owner cannot run is the first device's. */
static inline bool placed_supports(uint32_t device, const het__graph *graph, const het__node *node,
                                   char *reason, size_t bytes)
{
    char own[160] = "";
    if (!placed.pattern)
        return placed_runs(device, graph, node, reason, bytes);
    uint32_t owner = placed_owner(graph, node);
    if (!placed_runs(owner, graph, node, own, sizeof own))
        owner = 0;
    snprintf(reason, bytes, "another device's");
    return owner == device && placed_runs(device, graph, node, reason, bytes);
}

#define PLACED_SUPPORTS(n)                                                                       \
    static inline bool placed_supports_##n(uint32_t index, const het__graph *graph,              \
                                           const het__node *node, char *reason, size_t bytes)    \
    {                                                                                            \
        (void)index;                                                                             \
        return placed_supports(n, graph, node, reason, bytes);                                   \
    }
PLACED_SUPPORTS(0)
PLACED_SUPPORTS(1)
PLACED_SUPPORTS(2)
PLACED_SUPPORTS(3)
PLACED_SUPPORTS(4)
PLACED_SUPPORTS(5)

/* Stands between a context and its devices from now on. */
static inline void placed_begin(het__registry *registry)
{
    static bool (*const supports[PLACED_MAX])(uint32_t, const het__graph *, const het__node *,
                                              char *, size_t) = {
        placed_supports_0, placed_supports_1, placed_supports_2,
        placed_supports_3, placed_supports_4, placed_supports_5,
    };
    if (registry->count > PLACED_MAX)
        registry->count = PLACED_MAX;
    placed.count = registry->count;
    for (uint32_t i = 0; i < registry->count; i++) {
        placed.real[i] = registry->device[i];
        placed.table[i] = *registry->device[i].backend;
        placed.table[i].supports_on = supports[i];
        registry->device[i].backend = &placed.table[i];
    }
}

#endif /* HETINFER_TEST_PLACED_H */

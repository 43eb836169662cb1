/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the text of a plan, for a graph of five nodes on a machine of two devices.
 *
 * Properties: the reader ends in success or in a refusal that names a line; what it accepts puts
 * every node on a device of the machine, can be planned anew as it says, and gives a text that is
 * accepted again; when an allocation fails the answer is out of memory or what it was before;
 * nothing leaks. */
#include "fuzz.h"

#include <string.h>

#include "lib/partition/plan.h"

#define NODES 5

typedef struct rig {
    fuzz_memory memory;
    het__mem mem;
    het__graph graph;
    het__machine machine;
    int64_t symbols[HET__SYM_MAX];
} rig;

static void set(het__figure *figure, double value)
{
    figure->value = value;
    figure->source = HET_SOURCE_ASSUMED;
}

static void make_machine(het__machine *m)
{
    m->device_count = 2;
    m->group_count = 1;
    memcpy(m->name, "two", 4);
    set(&m->link_bandwidth, 1e9);
    set(&m->link_latency, 10);
    for (uint32_t d = 0; d < 2; d++) {
        memcpy(m->device[d].backend, d ? "two" : "one", 4);
        memcpy(m->device[d].name, d ? "B \"b\"" : "A", d ? 6 : 2);
        m->device[d].kind = HET_DEVICE_CPU;
        m->device[d].context_index = UINT32_MAX;
        set(&m->device[d].peak[HET__PEAK_F32], d ? 9e9 : 1e9);
        set(&m->device[d].bandwidth, 1e9);
        set(&m->device[d].launch, d ? 100 : 1);
    }
}

/* y = relu(x) + relu(x·W), then two more curves. */
static bool make_graph(het__graph *g, het__mem *mem)
{
    const het__extent extent[] = { { 1, HET__SYM_TOKENS }, { 4, HET__SYM_ONE } };
    const int64_t square[] = { 4, 4 };
    const het__attrs relu = { .unary = { .kind = HET__UNARY_RELU } };
    const het__attrs one = { .linear = { 1, false } };
    het__graph_init(g, mem);
    const uint32_t x = het__graph_value(g, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, extent);
    const uint32_t w = het__graph_const(g, "w", HET_DTYPE_F32, 2, square, NULL);
    const uint32_t a = het__graph_node(g, HET__OP_UNARY, 0, "a", &x, 1, &relu, NULL);
    const uint32_t in[] = { x, HET__NO_VALUE, w, HET__NO_VALUE };
    const uint32_t b = het__graph_node(g, HET__OP_LINEAR, 0, "b\n", in, 4, &one, NULL);
    const uint32_t both[] = { a, b };
    const uint32_t c = het__graph_node(g, HET__OP_ADD, 1, "c", both, 2, NULL, NULL);
    const uint32_t d = het__graph_node(g, HET__OP_UNARY, -1, "d", &c, 1, &relu, NULL);
    const uint32_t e = het__graph_node(g, HET__OP_UNARY, -1, "e", &d, 1, &relu, NULL);
    if (!g->failed)
        het__graph_output(g, e, "y");
    return !g->failed;
}

static bool start(rig *r, uint64_t until)
{
    memset(r, 0, sizeof *r);
    fuzz_mem_init(&r->mem, &r->memory, until);
    make_machine(&r->machine);
    r->symbols[HET__SYM_ONE] = 1;
    r->symbols[HET__SYM_TOKENS] = 3;
    return make_graph(&r->graph, &r->mem);
}

static void finish(rig *r)
{
    het__graph_finish(&r->graph);
    FUZZ_REQUIRE(r->memory.live == 0 && r->memory.used == 0);
}

static het_status read_text(rig *r, const char *text, size_t size, uint8_t *device)
{
    het_error err = HET_ERROR_INIT;
    const het_status s = het__plan_read(text, size, &r->graph, r->symbols, &r->machine, &r->mem,
                                        device, &err);
    FUZZ_REQUIRE(s == HET_OK || s == HET_E_FORMAT || s == HET_E_VERSION || s == HET_E_NOMEM);
    FUZZ_REQUIRE(s == HET_OK || (err.status == (int32_t)s && err.message[0]));
    FUZZ_REQUIRE(s == HET_OK || s == HET_E_NOMEM || strncmp(err.message, "plan:", 5) == 0);
    for (uint32_t n = 0; s == HET_OK && n < NODES; n++)
        FUZZ_REQUIRE(device[n] < 2);
    return s;
}

/* The plan that the text says, and its own text. */
static het_status plan_again(rig *r, const uint8_t *device)
{
    const het__plan_request request = { .graph = &r->graph, .unfused_count = NODES,
                                        .machine = &r->machine, .symbols = r->symbols,
                                        .forced = device };
    het__plan plan;
    het_error err = HET_ERROR_INIT;
    uint8_t again[NODES];
    het_status s = het__plan_make(&request, &r->mem, &plan, &err);
    FUZZ_REQUIRE(s == HET_OK || s == HET_E_NOMEM);
    if (s != HET_OK)
        return s;
    FUZZ_REQUIRE(memcmp(plan.node_device, device, NODES) == 0);
    s = read_text(r, plan.text, strlen(plan.text), again);
    FUZZ_REQUIRE(s == HET_E_NOMEM || (s == HET_OK && memcmp(again, device, NODES) == 0));
    het__plan_finish(&plan);
    return s;
}

static het_status run(const uint8_t *data, size_t size, uint64_t until)
{
    static rig r;
    uint8_t device[NODES];
    het_status s = HET_E_NOMEM;
    if (start(&r, until))
        s = read_text(&r, (const char *)data, size, device);
    if (s == HET_OK)
        s = plan_again(&r, device);
    finish(&r);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const het_status s = run(data, size, UINT64_MAX);
    FUZZ_REQUIRE(s != HET_E_NOMEM);
    const het_status short_of = run(data, size, fuzz_seed(data, size) % 64);
    FUZZ_REQUIRE(short_of == HET_E_NOMEM || short_of == s);
    return 0;
}

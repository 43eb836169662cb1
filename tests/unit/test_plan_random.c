/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of plans, on random graphs and machines and on the two phases of a language model:
 * every node once, every cut edge with its transfer, no memory overrun, sums that are right, equal
 * plans with equal bytes, and texts that are read back or refused. */
#include "lib/api/handles.h"
#include "lib/partition/plan.h"

#include "random_plan.h"
#include "tiny_model.h"

static uint32_t below(void *user, uint32_t n)
{
    return (uint32_t)(test_random(user) >> 33) % n;
}

/* ---- what a plan must be ---- */

static void check_entries(const het__plan *p)
{
    uint32_t next = 0;
    double stored = 0, ns = 0, memory = 0;
    for (uint32_t i = 0; i < p->entry_count; i++) {
        const het__plan_entry *e = &p->entries[i];
        CHECK(e->first_node == next && e->node_count > 0);
        for (uint32_t n = next; n < next + e->node_count; n++)
            CHECK_INT(p->node_device[n], e->device);
        next += e->node_count;
        stored += e->stored_bytes;
        ns += e->predicted_ns;
        CHECK(e->reason[0] && e->device < p->machine.device_count);
        CHECK(e->runner_up == HET__PLAN_NONE || e->runner_up < p->machine.device_count);
        CHECK(e->runner_up != e->device);
    }
    CHECK_INT(next, p->node_count);
    for (uint32_t d = 0; d < p->machine.device_count; d++)
        memory += p->memory[d].weight_bytes + p->memory[d].file_bytes;
    for (uint32_t i = 0; i < p->transfer_count; i++)
        ns += p->transfers[i].ns;
    CHECK(stored <= memory);
    CHECK_NEAR(ns, p->predicted_ns, 1e-9 * ns);
}

/* Devices that read a value, in order of their first readers. */
static void check_transfers(const het__plan *p, const het__graph *g, const int64_t *symbols)
{
    uint32_t wanted = 0, matched = 0;
    for (uint32_t v = 0; v < g->value_count; v++) {
        uint32_t there = g->values[v].producer == HET__NO_VALUE
                             ? UINT32_MAX : 1u << p->node_device[g->values[v].producer];
        for (uint32_t n = 0; n < g->node_count; n++)
            for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
                const uint32_t d = p->node_device[n];
                if (g->nodes[n].inputs[i] != v || there >> d & 1)
                    continue;
                wanted++;
                for (uint32_t t = 0; t < p->transfer_count; t++) {
                    const het__plan_transfer *x = &p->transfers[t];
                    matched += x->value == v && x->to == d && x->node == n &&
                               there >> x->from & 1 &&
                               x->bytes == (double)het__value_bytes(&g->values[v], symbols);
                }
                there |= 1u << d;
            }
    }
    CHECK_INT(p->transfer_count, wanted);
    CHECK_INT(matched, wanted);
}

/* Weights and states of the graph, counted by value. */
static void check_memory(const het__plan *const *plans, uint32_t steps, const het__graph *g,
                         const int64_t *symbols)
{
    const het__plan *p = plans[0];
    for (uint32_t d = 0; d < p->machine.device_count; d++) {
        double weights = 0, states = 0;
        for (uint32_t v = 0; v < g->value_count; v++) {
            bool used = false;
            for (uint32_t n = 0; n < g->node_count; n++)
                for (uint32_t i = 0; i < g->nodes[n].input_count; i++)
                    for (uint32_t k = 0; k < steps; k++)
                        used = used || (g->nodes[n].inputs[i] == v &&
                                        plans[k]->node_device[n] == d);
            const double bytes = (double)het__value_bytes(&g->values[v], symbols);
            weights += used && g->values[v].kind == HET__VALUE_CONST ? bytes : 0;
            states += used && g->values[v].kind == HET__VALUE_STATE ? bytes : 0;
        }
        const het__plan_memory *m = &p->memory[d];
        CHECK_NEAR(m->weight_bytes + m->file_bytes, weights, 0);
        CHECK(m->file_bytes <= 0 || m->weight_bytes <= 0);
        CHECK_NEAR(m->state_bytes, states, 0);
        CHECK(m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes <=
              m->limit_bytes);
    }
    for (uint32_t i = 0; i < p->machine.group_count; i++) {
        double all = 0;
        for (uint32_t d = 0; d < p->machine.device_count; d++)
            if (p->machine.device[d].group == i)
                all += p->memory[d].weight_bytes + p->memory[d].state_bytes +
                       p->memory[d].io_bytes + p->memory[d].activation_bytes;
        CHECK(p->machine.group[i].memory_bytes.value <= 0 ||
              all <= p->machine.group[i].memory_bytes.value);
    }
}

static void check_costs(const het__plan *p)
{
    for (uint32_t d = 0; d < p->machine.device_count; d++)
        CHECK(p->total <= p->single[d] * (1 + 1e-12));
    CHECK(p->total <= p->greedy * (1 + 1e-12) && p->bound <= p->total * (1 + 1e-12));
}

/* ---- texts ---- */

static het_status read_text(const het__plan *p, const char *text, size_t bytes,
                            const het__graph *g, const int64_t *symbols, het__mem *mem,
                            uint8_t *device)
{
    het_error err = HET_ERROR_INIT;
    const het_status s = het__plan_read(text, bytes, g, symbols, &p->machine, mem, device, &err);
    if (s != HET_OK)
        CHECK(strncmp(err.message, "plan:", 5) == 0);
    return s;
}

/* A line left out, or there twice, is noticed: there is none that says nothing but that of a
 * simulation. */
static void check_lines(const het__plan *p, const het__graph *g, const int64_t *symbols,
                        het__mem *mem, uint8_t *device)
{
    const size_t length = strlen(p->text);
    char *copy = malloc(2 * length + 1);
    for (const char *line = p->text; *line;) {
        const size_t before = (size_t)(line - p->text), n = strcspn(line, "\n") + 1;
        memcpy(copy, p->text, before);
        memcpy(copy + before, line + n, length - before - n);
        CHECK(read_text(p, copy, length - n, g, symbols, mem, device) != HET_OK);
        memcpy(copy + before, line, n);
        memcpy(copy + before + n, line, length - before);
        CHECK(read_text(p, copy, length + n, g, symbols, mem, device) != HET_OK);
        line += n;
    }
    free(copy);
}

static void check_text(const het__plan *p, const het__graph *g, const int64_t *symbols,
                       het__mem *mem, bool lines)
{
    uint8_t *device = malloc(p->node_count + 1u);
    CHECK_INT(read_text(p, p->text, strlen(p->text), g, symbols, mem, device), HET_OK);
    CHECK(memcmp(device, p->node_device, p->node_count) == 0);
    CHECK(read_text(p, p->text, strlen(p->text) - 1, g, symbols, mem, device) != HET_OK);
    if (lines)
        check_lines(p, g, symbols, mem, device);
    free(device);
}

/* What the text says, planned anew, is the same placement. */
static void check_forced(const het__plan_request *request, const het__plan *p, het__mem *mem)
{
    het__plan_request forced = *request;
    het__plan again;
    het_error err = HET_ERROR_INIT;
    forced.forced = p->node_device;
    CHECK_INT(het__plan_make(&forced, mem, &again, &err), HET_OK);
    CHECK(memcmp(again.node_device, p->node_device, p->node_count) == 0);
    CHECK_NEAR(again.total, p->total, 1e-9 * p->total);
    het__plan_finish(&again);
}

/* ---- random plans ---- */

typedef struct counts {
    uint32_t made, refused, mixed, limited, split;
} counts;

static void check_plan(const het__plan_request *request, het__mem *mem, bool lines, counts *c)
{
    het__plan p, again;
    het_error err = HET_ERROR_INIT;
    const het_status s = het__plan_make(request, mem, &p, &err);
    if (s != HET_OK) {
        CHECK_INT(s, HET_E_UNSUPPORTED);
        CHECK(strstr(err.message, "fits") != NULL);
        c->refused++;
        return;
    }
    const het__plan *one = &p;
    check_entries(&p);
    check_transfers(&p, request->graph, request->symbols);
    check_memory(&one, 1, request->graph, request->symbols);
    check_costs(&p);
    check_text(&p, request->graph, request->symbols, mem, lines);
    if (p.node_count)
        check_forced(request, &p, mem);
    CHECK_INT(het__plan_make(request, mem, &again, &err), HET_OK);
    CHECK_STR(again.text, p.text);
    c->made++;
    c->mixed += p.transfer_count > 0;
    c->split += p.split_count > 0;
    for (uint32_t d = 0; d < p.machine.device_count; d++)
        c->limited += isinf(p.single[d]) != 0;
    CHECK(p.split_ns <= p.simulated_ns && (p.simulated_ns <= p.predicted_ns * (1 + 1e-9)));
    het__plan_finish(&again);
    het__plan_finish(&p);
}

static void random_plans(void)
{
    static random_plan r;
    uint64_t seed = 0x853c49e6748fea9b;
    counts c = { 0 };
    het__mem mem;
    het__mem_init(&mem, NULL);
    r.below = below;
    r.user = &seed;
    for (uint32_t i = 0; i < 240; i++) {
        const uint32_t limit = i % 2 ? 256 + below(&seed, 6000) : 0;
        random_plan_graph(&r, &mem, below(&seed, i % 8 ? 16 : 40));
        CHECK(!r.graph.failed);
        random_plan_machine(&r, 1 + below(&seed, 4), limit);
        random_plan_reasons(&r);
        const het__plan_request request = {
            .graph = &r.graph, .unfused_count = r.graph.node_count, .machine = &r.machine,
            .symbols = r.symbols, .reasons = r.reasons, .limited = true,
            .objective = 1 + below(&seed, 3), .split = i % 3 == 0,
        };
        check_plan(&request, &mem, i % 16 == 0 && !request.split, &c);
        het__graph_finish(&r.graph);
    }
    printf("%u made, %u refused, %u on several devices, %u times one device was not enough, "
           "%u with splits\n", c.made, c.refused, c.mixed, c.limited, c.split);
    CHECK(c.made > 150 && c.refused > 5 && c.mixed > 50 && c.limited > 10 && c.split > 5);
    CHECK_INT(mem.bytes, 0);
}

/* ---- the phases of a language model ---- */

static het_context *context;

/* Two devices, one quick at arithmetic, one quick to read; neither holds all. */
static void two_devices(het__machine *m, double limit)
{
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "two");
    m->device_count = 2;
    m->group_count = 1;
    m->group[0].bandwidth = random_plan_figure(4e9);
    m->link_bandwidth = random_plan_figure(8e9);
    m->link_latency = random_plan_figure(500);
    for (uint32_t d = 0; d < 2; d++) {
        het__machine_device *v = &m->device[d];
        v->context_index = UINT32_MAX;
        v->kind = d ? HET_DEVICE_IGPU : HET_DEVICE_CPU;
        snprintf(v->backend, sizeof v->backend, "%s", d ? "igpu" : "cpu");
        snprintf(v->name, sizeof v->name, "%s", v->backend);
        v->peak[HET__PEAK_F32] = random_plan_figure(d ? 50e9 : 2e9);
        v->bandwidth = random_plan_figure(d ? 1e9 : 3e9);
        v->launch = random_plan_figure(d ? 2000 : 100);
        v->memory_bytes = random_plan_figure(limit);
    }
}

static double most_of(const het__plan *p)
{
    double most = 0;
    for (uint32_t d = 0; d < 2; d++)
        most = fmax(most, p->memory[d].weight_bytes + p->memory[d].state_bytes +
                              p->memory[d].io_bytes + p->memory[d].activation_bytes);
    return most;
}

static void bind(int64_t *symbols, int64_t tokens, int64_t before)
{
    memset(symbols, 0, HET__SYM_MAX * sizeof *symbols);
    symbols[HET__SYM_ONE] = symbols[HET__SYM_SEQUENCES] = symbols[HET__SYM_ROWS] = 1;
    symbols[HET__SYM_TOKENS] = tokens;
    symbols[HET__SYM_CONTEXT] = before;
    symbols[HET__SYM_PAGES] = symbols[HET__SYM_STATE_PAGES] = (before + tokens + 63) / 64;
}

/* States stay where they are, and a weight that both phases use on a device counts once. */
static void check_phases(const het__graph *g, const het__machine *m, het__mem *mem, double *most)
{
    int64_t symbols[2][HET__SYM_MAX];
    het__plan plans[2], again[2];
    het_error err = HET_ERROR_INIT;
    bind(symbols[0], 100, 0);
    bind(symbols[1], 1, 100);
    const het__plan_step steps[] = { { symbols[0], 1, "prefill" }, { symbols[1], 50, "decode" } };
    const het__plan_request request = { .graph = g, .machine = m, .step_count = 2, .steps = steps,
                                        .symbols = symbols[0], .limited = true };
    const het_status s = het__plan_make(&request, mem, plans, &err);
    if (s != HET_OK)
        TEST_FAIL("%s", err.message);
    if (s != HET_OK)
        return;
    const het__plan *both[] = { &plans[0], &plans[1] };
    const int64_t *largest = symbols[1];
    check_memory(both, 2, g, largest);
    for (uint32_t k = 0; k < 2; k++) {
        check_entries(&plans[k]);
        check_transfers(&plans[k], g, symbols[k]);
        check_costs(&plans[k]);
        check_text(&plans[k], g, symbols[k], mem, false);
    }
    for (uint32_t n = 0; n < g->node_count; n++)
        if (g->nodes[n].op == HET__OP_ATTENTION)
            CHECK_INT(plans[0].node_device[n], plans[1].node_device[n]);
    CHECK_INT(het__plan_make(&request, mem, again, &err), HET_OK);
    for (uint32_t k = 0; k < 2; k++) {
        CHECK_STR(again[k].text, plans[k].text);
        het__plan_finish(&again[k]);
    }
    *most = most_of(&plans[0]);
    printf("limit %.0f: prefill on %u entries, decode on %u, %s, total %.0f, bound %.0f\n",
           m->device[0].memory_bytes.value, plans[0].entry_count, plans[1].entry_count,
           plans[0].proven ? "proven" : "not proven", plans[0].total, plans[0].bound);
    het__plan_finish(&plans[0]);
    het__plan_finish(&plans[1]);
}

static void phases(void)
{
    tiny_options o = TINY_LLAMA;
    tiny_model m;
    o.layers = 4;
    tiny_make(&m, &o);
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err), HET_OK);
    het__graph g;
    uint32_t unfused;
    CHECK_INT(het__model_graph(model, HET_DTYPE_F16, &g, &unfused, &err), HET_OK);
    static het__machine machine;
    double most;
    two_devices(&machine, 0);
    check_phases(&g, &machine, &context->mem, &most);
    for (int i = 0; i < 3; i++) {
        two_devices(&machine, floor(most * (0.95 - 0.1 * i)));
        double less;
        check_phases(&g, &machine, &context->mem, &less);
        CHECK(less <= machine.device[0].memory_bytes.value);
    }
    het__graph_finish(&g);
    het_model_destroy(model);
    tiny_free(&m);
}

int main(void)
{
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    test_case(random_plans);
    test_case(phases);
    het_context_destroy(context);
    return test_finish();
}

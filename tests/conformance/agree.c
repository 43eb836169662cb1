/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation of a plan and its execution on simulated devices do the same work in the same
 * order: per device the same nodes, per way between two devices the same copies with the same
 * bytes.
 *
 * What the executor does is written down by the devices themselves: every program that is enqueued
 * and, because no device shows its memory to the host here, every copy out of one and into one. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "placed.h"

#include <hetinfer.h>

#include "../tiny_model.h"
#include "lib/partition/simulate_plan.h"

#define EVENTS_MAX 4096
#define PATTERNS 40

typedef enum event_kind { EVENT_RUN, EVENT_READ, EVENT_WRITE } event_kind;

typedef struct event {
    event_kind kind;
    uint32_t device;
    uint32_t first_node, node_count; /* EVENT_RUN */
    size_t bytes;
} event;

static event events[EVENTS_MAX];
static uint32_t event_count;
static struct { const het__program *program; uint32_t device, first, count; } programs[EVENTS_MAX];
static uint32_t program_count;

static void note(event e)
{
    if (event_count < EVENTS_MAX)
        events[event_count++] = e;
}

/* ---- devices that write down what they are asked ---- */

/* Opened devices, by which a call knows its own number. */
static struct { het__device *device; uint32_t number; } opened[PLACED_MAX];

static uint32_t number_of(const het__device *device)
{
    for (uint32_t i = 0; i < PLACED_MAX; i++)
        if (opened[i].device == device)
            return opened[i].number;
    TEST_FAIL("an unknown device");
    return 0;
}

static const het__backend *real_of(const het__device *device)
{
    return placed.real[number_of(device)].backend;
}

static het_status open_on(uint32_t number, const het__host *host, uint32_t index,
                          const het__open_options *options, het__device **device, het_error *err)
{
    const het_status s =
        placed.real[number].backend->open(host, index, options, device, err);
    for (uint32_t i = 0; s == HET_OK && i < PLACED_MAX; i++)
        if (!opened[i].device) {
            opened[i].device = *device;
            opened[i].number = number;
            break;
        }
    return s;
}

#define OPEN(n)                                                                               \
    static het_status open_##n(const het__host *host, uint32_t index,                         \
                               const het__open_options *options, het__device **device,        \
                               het_error *err)                                                \
    {                                                                                         \
        return open_on(n, host, index, options, device, err);                                 \
    }
OPEN(0)
OPEN(1)
OPEN(2)
OPEN(3)

static void close_any(het__device *device)
{
    const het__backend *b = real_of(device);
    for (uint32_t i = 0; i < PLACED_MAX; i++)
        if (opened[i].device == device)
            opened[i].device = NULL;
    b->close(device);
}

static void *no_host(het__device *device, het__buffer *buffer)
{
    (void)device;
    (void)buffer;
    return NULL;
}

static het_status write_any(het__device *device, het__buffer *buffer, size_t offset,
                            const void *source, size_t bytes, het_error *err)
{
    const het__backend *b = real_of(device);
    char *host = b->buffer_host(device, buffer);
    note((event){ EVENT_WRITE, number_of(device), 0, 0, bytes });
    if (!host)
        return b->buffer_write(device, buffer, offset, source, bytes, err);
    memcpy(host + offset, source, bytes);
    return HET_OK;
}

static het_status read_any(het__device *device, het__buffer *buffer, size_t offset, void *target,
                           size_t bytes, het_error *err)
{
    const het__backend *b = real_of(device);
    const char *host = b->buffer_host(device, buffer);
    note((event){ EVENT_READ, number_of(device), 0, 0, bytes });
    if (!host)
        return b->buffer_read(device, buffer, offset, target, bytes, err);
    memcpy(target, host + offset, bytes);
    return HET_OK;
}

static het_status compile_any(het__device *device, const het__slice *slice, het__program **program,
                              het_error *err)
{
    const het_status s = real_of(device)->compile(device, slice, program, err);
    if (s == HET_OK && program_count < EVENTS_MAX) {
        programs[program_count].program = *program;
        programs[program_count].device = number_of(device);
        programs[program_count].first = slice->nodes[0];
        programs[program_count++].count = slice->node_count;
    }
    return s;
}

static het_status enqueue_any(het__device *device, het__program *program, const int64_t *symbols,
                              het_error *err)
{
    for (uint32_t i = 0; i < program_count; i++)
        if (programs[i].program == program && programs[i].device == number_of(device))
            note((event){ EVENT_RUN, number_of(device), programs[i].first, programs[i].count, 0 });
    return real_of(device)->enqueue(device, program, symbols, err);
}

static void write_down(het__registry *registry)
{
    static het_status (*const opens[4])(const het__host *, uint32_t, const het__open_options *,
                                        het__device **, het_error *) = { open_0, open_1, open_2,
                                                                         open_3 };
    placed_begin(registry);
    for (uint32_t i = 0; i < placed.count && i < 4; i++) {
        het__backend *b = &placed.table[i];
        b->open = opens[i];
        b->close = close_any;
        b->buffer_host = no_host;
        b->buffer_import = NULL;
        b->buffer_write = write_any;
        b->buffer_read = read_any;
        b->compile = compile_any;
        b->enqueue = enqueue_any;
    }
}

/* ---- comparing ---- */

/* Nodes that a device ran, in order; from events, or from simulated units by their begin. */
static uint32_t nodes_run(uint32_t device, uint32_t *nodes)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < event_count; i++)
        for (uint32_t n = 0; events[i].kind == EVENT_RUN && events[i].device == device &&
                             n < events[i].node_count; n++)
            nodes[count++] = events[i].first_node + n;
    return count;
}

/* The unit of a lane that begins as number `order`; HET__SIM_NONE behind the last. */
static uint32_t unit_at(const het__plan_sim *sim, uint32_t from, uint32_t to, uint32_t order)
{
    for (uint32_t u = 0; u < sim->unit_count; u++) {
        if (sim->units[u].from != from || sim->units[u].to != to)
            continue;
        const double begin = sim->result.tasks[u].begin_ns;
        uint32_t before = 0;
        for (uint32_t w = 0; w < sim->unit_count; w++)
            before += sim->units[w].from == from && sim->units[w].to == to && w != u &&
                      (sim->result.tasks[w].begin_ns < begin ||
                       (!(sim->result.tasks[w].begin_ns > begin) && w < u));
        if (before == order)
            return u;
    }
    return HET__SIM_NONE;
}

static uint32_t nodes_simulated(const het__plan_sim *sim, uint32_t device, uint32_t *nodes)
{
    uint32_t count = 0;
    for (uint32_t order = 0;; order++) {
        const uint32_t u = unit_at(sim, device, device, order);
        if (u == HET__SIM_NONE)
            return count;
        for (uint32_t n = 0; n < sim->units[u].node_count; n++)
            nodes[count++] = sim->units[u].first_node + n;
    }
}

/* Copies between devices: what is read before the last program has run and written then. Inputs are
 * written before the first program runs, outputs read after the last. */
static uint32_t copies_made(uint32_t from, uint32_t to, size_t *bytes)
{
    uint32_t count = 0, source = UINT32_MAX, last = 0;
    size_t size = 0;
    for (uint32_t i = 0; i < event_count; i++)
        if (events[i].kind == EVENT_RUN)
            last = i;
    for (uint32_t i = 0; i < last; i++) {
        const event *e = &events[i];
        if (e->kind == EVENT_READ) {
            source = e->device;
            size = e->bytes;
        } else if (e->kind == EVENT_WRITE && source != UINT32_MAX) {
            CHECK_INT(e->bytes, size);
            if (source == from && e->device == to)
                bytes[count++] = size;
            source = UINT32_MAX;
        }
    }
    return count;
}

static void compare_lanes(const het__plan_sim *sim, const het__graph *graph,
                          const int64_t *symbols, uint32_t *transfers)
{
    static uint32_t ran[EVENTS_MAX], planned[EVENTS_MAX];
    static size_t copied[EVENTS_MAX];
    const uint32_t devices = placed.count;
    for (uint32_t d = 0; d < devices; d++) {
        const uint32_t a = nodes_run(d, ran), b = nodes_simulated(sim, d, planned);
        CHECK_INT(a, b);
        CHECK(a != b || memcmp(ran, planned, a * sizeof *ran) == 0);
    }
    for (uint32_t from = 0; from < devices; from++)
        for (uint32_t to = 0; to < devices; to++) {
            if (from == to)
                continue;
            const uint32_t made = copies_made(from, to, copied);
            *transfers += made;
            for (uint32_t i = 0;; i++) {
                const uint32_t u = unit_at(sim, from, to, i);
                if (u == HET__SIM_NONE) {
                    CHECK_INT(made, i);
                    break;
                }
                const het__value *v = &graph->values[sim->units[u].value];
                if (i < made)
                    CHECK_INT(copied[i], het__value_bytes(v, symbols));
            }
        }
}

/* One step of each phase with as many tokens as there may be; contents do not matter. */
static void agree(const het__exec_request *request, uint32_t *transfers)
{
    het__exec *exec = NULL;
    het_error err = HET_ERROR_INIT;
    _Atomic uint32_t cancel = 0;
    program_count = 0;
    if (het__exec_create(request, &exec, &err) != HET_OK) {
        TEST_FAIL("pattern %" PRIu64 ": %s", placed.pattern, err.message);
        return;
    }
    for (uint32_t phase = 0; phase < HET__PHASE_COUNT; phase++) {
        const int64_t *symbols = request->symbols_max[phase];
        const het__plan_sim_request sim_request = {
            .plan = het__exec_plan_of(exec, phase), .graph = request->graph, .symbols = symbols,
            .exact = true, .is_language = true, .is_prefill = phase == HET_PHASE_PREFILL,
        };
        het__plan_sim sim;
        event_count = 0;
        if (het__exec_run(exec, phase, symbols, &cancel, &err) != HET_OK ||
            het__simulate_plan(&sim_request, request->registry->host.mem, &sim, &err) != HET_OK) {
            TEST_FAIL("pattern %" PRIu64 ": %s", placed.pattern, err.message);
            continue;
        }
        compare_lanes(&sim, request->graph, symbols, transfers);
        het__plan_sim_finish(&sim);
    }
    het__exec_destroy(exec);
}

static void order_and_bytes(void)
{
    const het__limits limits = { .context_max = 64, .sequence_max = 1, .batch_max = 16,
                                 .logits_max = 16, .vocabulary = 120,
                                 .page_size = HET__PAGE_SIZE };
    het_context_options co = HET_CONTEXT_OPTIONS_INIT;
    tiny_options o = TINY_LLAMA;
    tiny_model tiny;
    het_context *context = NULL;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    het__graph graph;
    uint32_t transfers = 0;
    co.backends = "ref,sim";
    o.layers = 4;
    tiny_make(&tiny, &o);
    if (het_context_create(&co, &context, &err) != HET_OK ||
        het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        return;
    }
    write_down(&context->registry);
    het__exec_request request = { .registry = &context->registry, .threads = 1,
                                  .precision = HET_PRECISION_EXACT,
                                  .device_mask = (1u << context->registry.count) - 1 };
    het__engine_symbols(&limits, request.symbols_max);
    CHECK_INT(het__model_graph(model, HET_DTYPE_F32, &graph, &request.unfused_count, &err),
              HET_OK);
    request.graph = &graph;
    for (placed.pattern = 1; placed.pattern <= PATTERNS; placed.pattern++)
        agree(&request, &transfers);
    printf("%d plans, %u copies compared\n", PATTERNS, transfers);
    CHECK(transfers > 10 * PATTERNS);
    het__graph_finish(&graph);
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&tiny);
}

int main(void)
{
    setenv("HETINFER_SIM", "amd-8945hs:igpu,intel-185h:igpu", 1);
    setenv("HETINFER_SIM_SCALE", "0", 1);
    test_case(order_and_bytes);
    return test_finish();
}

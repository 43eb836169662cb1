/* SPDX-License-Identifier: Apache-2.0 */
/* What lib/backend.h promises beside results: buffers, queues, waiting, states, counters, and
 * sentences with errors. */
#include "cts.h"

#include <threads.h>

#include "lib/base/os.h"

#define SECOND UINT64_C(1000000000)

static cts_row *row;
static const char *rule;
static het_error err;

#define MUST(call)                                                                     \
    do {                                                                               \
        const het_status s_ = (call);                                                  \
        test_checks++;                                                                 \
        if (s_ != HET_OK)                                                              \
            cts_fail(row, rule, "%s: %s: %s", #call, het_status_name(s_), err.message); \
    } while (0)
#define HOLDS(condition)                                   \
    do {                                                   \
        test_checks++;                                     \
        if (!(condition))                                  \
            cts_fail(row, rule, "not true: %s", #condition); \
    } while (0)

static bool begin(const char *name)
{
    if (cts.options.filter && !strstr("contract", cts.options.filter) &&
        !strstr(name, cts.options.filter))
        return false;
    row = cts_row_of("contract");
    rule = name;
    row->cases++;
    err = (het_error)HET_ERROR_INIT;
    if (cts.options.verbose)
        printf("contract: %s\n", name), fflush(stdout);
    return true;
}

static het_status put(het__buffer *b, size_t offset, const void *data, size_t bytes)
{
    const cts_side *s = &cts.exact;
    char *host = s->backend->buffer_host(s->device, b);
    if (!host)
        return s->backend->buffer_write(s->device, b, offset, data, bytes, &err);
    memcpy(host + offset, data, bytes);
    return HET_OK;
}

static het_status get(het__buffer *b, size_t offset, void *data, size_t bytes)
{
    const cts_side *s = &cts.exact;
    const char *host = s->backend->buffer_host(s->device, b);
    if (!host)
        return s->backend->buffer_read(s->device, b, offset, data, bytes, &err);
    memcpy(data, host + offset, bytes);
    return HET_OK;
}

/* ---- buffers ---- */

static void buffers(void)
{
    static unsigned char data[70000], back[70000];
    static const size_t sizes[] = { 1, 63, 64, 4096, 69999 };
    const cts_side *s = &cts.exact;
    if (!begin("buffers are zeroed and keep bytes at any offset"))
        return;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 + 3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        het__buffer *b = NULL;
        const size_t n = sizes[i], at = n / 3, some = n - at;
        MUST(s->backend->buffer_create(s->device, n, &b, &err));
        if (!b)
            continue;
        memset(back, 1, n);
        MUST(get(b, 0, back, n));
        size_t zeros = 0;
        while (zeros < n && back[zeros] == 0)
            zeros++;
        HOLDS(zeros == n);
        MUST(put(b, at, data, some));
        MUST(get(b, at, back, some));
        HOLDS(memcmp(back, data, some) == 0);
        s->backend->buffer_destroy(s->device, b);
    }
}

static void impossible_buffer(void)
{
    const cts_side *s = &cts.exact;
    het__buffer *b = NULL;
    if (!begin("a buffer larger than all memory is HET_E_NOMEM with a sentence"))
        return;
    const het_status got = s->backend->buffer_create(s->device, SIZE_MAX / 2, &b, &err);
    HOLDS(got == HET_E_NOMEM);
    HOLDS(strlen(err.message) > 10);
    if (got == HET_OK)
        s->backend->buffer_destroy(s->device, b);
}

/* ---- programs ---- */

/* y = x + 1 on the last y and so on, `count` times. */
static cts_case *adding(int64_t columns)
{
    cts_case *c = cts_begin("contract", "adding %s", rule);
    if (!c)
        return NULL;
    float *one = cts_bytes(c, (size_t)columns * sizeof *one);
    for (int64_t i = 0; i < columns; i++)
        one[i] = 1;
    const uint32_t in[2] = { cts_matrix(c, "x", columns),
                             cts_constant(c, HET_DTYPE_F32, 1, &columns, one) };
    cts_node(c, HET__OP_ADD, in, 2, NULL);
    static const int64_t tokens[] = { 2 };
    cts_tokens(c, 1, tokens);
    return c;
}

static bool runs(cts_case *c)
{
    char reason[200];
    return c && !c->graph.failed && cts_supports(&cts.exact, c, reason, sizeof reason);
}

/* An import must show the host what kernels wrote, and kernels what the host wrote. */
static void import(void)
{
    static _Alignas(HET__IMPORT_ALIGN) unsigned char memory[2 * HET__IMPORT_ALIGN];
    static cts_run r;
    const cts_side *s = &cts.exact;
    het__buffer *b = NULL;
    if (!begin("imported memory is used in place"))
        return;
    if (!s->backend->buffer_import) {
        row->refused++;
        snprintf(row->reason, sizeof row->reason, "no memory of the host is imported");
        return;
    }
    const het_status got =
        s->backend->buffer_import(s->device, memory, sizeof memory, &b, &err);
    HOLDS(got == HET_OK || got == HET_E_UNSUPPORTED);
    cts_case *c = got == HET_OK ? adding(256) : NULL;
    if (runs(c)) {
        float *x = (float *)(void *)memory, *y = (float *)(void *)(memory + HET__IMPORT_ALIGN);
        const uint32_t nodes[1] = { 0 };
        r = (cts_run){ .side = &cts.exact, .c = c };
        r.places[0] = (het__place){ b, 0 };
        r.places[c->graph.nodes[0].outputs[0]] = (het__place){ b, HET__IMPORT_ALIGN };
        const het__slice slice = { .graph = &c->graph, .nodes = nodes, .node_count = 1,
                                   .places = r.places, .symbols_max = c->symbols_max };
        for (int i = 0; i < 512; i++)
            x[i] = (float)i;
        MUST(s->backend->compile(s->device, &slice, &r.program, &err));
        if (r.program)
            MUST(cts_go(&r, 0, &err));
        int seen = 0; /* by the host of what the kernel wrote */
        while (r.program && seen < 512 && y[seen] == (float)(seen + 1))
            seen++;
        HOLDS(!r.program || seen == 512);
        cts_release(&r);
    }
    if (b)
        s->backend->buffer_destroy(s->device, b);
}

/* Two programs that hand a value to and fro: 100 turns in one queue, one wait. */
static void queue(void)
{
    static cts_run a, b;
    float x[2 * 96], got[2 * 96];
    if (!begin("programs of a queue run in order"))
        return;
    cts_case *c = adding(96);
    if (!runs(c))
        return;
    const cts_side *s = &cts.exact;
    MUST(cts_prepare(&a, &cts.exact, c, CTS_APART, &err));
    const uint32_t out = c->graph.nodes[0].outputs[0], nodes[1] = { 0 };
    b = (cts_run){ .side = &cts.exact, .c = c };
    b.places[0] = a.places[out]; /* from y back to x */
    b.places[out] = a.places[0];
    const het__slice slice = { .graph = &c->graph, .nodes = nodes, .node_count = 1,
                               .places = b.places, .symbols_max = c->symbols_max };
    MUST(s->backend->compile(s->device, &slice, &b.program, &err));
    for (int i = 0; i < 2 * 96; i++)
        x[i] = (float)i;
    MUST(cts_write(&a, 0, x, sizeof x, &err));
    for (int i = 0; i < 50 && a.program && b.program; i++) {
        MUST(s->backend->enqueue(s->device, a.program, c->steps[0].symbols, &err));
        MUST(s->backend->enqueue(s->device, b.program, c->steps[0].symbols, &err));
        cts.exact.enqueued += 2;
    }
    MUST(s->backend->wait(s->device, 0, &err));
    MUST(cts_read(&a, 0, got, sizeof got, &err));
    for (int i = 0; i < 2 * 96; i++)
        if (got[i] != (float)(i + 100)) {
            cts_fail(row, rule, "element %d is %g after 100 additions to %d", i, (double)got[i], i);
            break;
        }
    if (b.program)
        s->backend->release(s->device, b.program);
    cts_release(&a);
}

/* Symbols are bound by enqueueing: what the caller does to its array afterwards changes nothing. */
static void symbols(void)
{
    static cts_run r;
    float x[4 * 96], got[4 * 96];
    if (!begin("symbols are taken when a program is enqueued"))
        return;
    cts_case *c = adding(96);
    if (!runs(c))
        return;
    const cts_side *s = &cts.exact;
    MUST(cts_prepare(&r, &cts.exact, c, CTS_APART, &err));
    for (int i = 0; i < 4 * 96; i++)
        x[i] = 5;
    MUST(cts_write(&r, 0, x, sizeof x, &err));
    int64_t bound[HET__SYM_MAX];
    memcpy(bound, c->steps[0].symbols, sizeof bound);
    for (int i = 0; i < 20 && r.program; i++) {
        bound[HET__SYM_TOKENS] = i == 19 ? 4 : 1;
        MUST(s->backend->enqueue(s->device, r.program, bound, &err));
        cts.exact.enqueued++;
        bound[HET__SYM_TOKENS] = 1;
    }
    MUST(s->backend->wait(s->device, 0, &err));
    MUST(cts_read(&r, c->graph.nodes[0].outputs[0], got, sizeof got, &err));
    HOLDS(got[0] == 6 && got[4 * 96 - 1] == 6);
    cts_release(&r);
}

/* A wait that succeeds with a limit, waiting for nothing, and for a part. */
static void waiting(void)
{
    static cts_run r;
    if (!begin("waits end, with a limit and without"))
        return;
    const cts_side *s = &cts.exact;
    MUST(s->backend->wait(s->device, 0, &err));
    MUST(s->backend->wait(s->device, 60 * SECOND, &err));
    cts_case *c = adding(96);
    if (!runs(c))
        return;
    MUST(cts_prepare(&r, &cts.exact, c, CTS_TOGETHER, &err));
    MUST(cts_feed(&r, 0, true, &err));
    const uint64_t before = cts.exact.enqueued;
    for (int i = 0; i < 10 && r.program; i++) {
        MUST(s->backend->enqueue(s->device, r.program, c->steps[0].symbols, &err));
        cts.exact.enqueued++;
    }
    if (s->backend->wait_for) {
        MUST(s->backend->wait_for(s->device, before, 60 * SECOND, &err));
        MUST(s->backend->wait_for(s->device, before + 5, 60 * SECOND, &err));
        MUST(s->backend->wait_for(s->device, before + 10, 0, &err));
    }
    MUST(s->backend->wait(s->device, 60 * SECOND, &err));
    cts_release(&r);
}

/* Spans of programs that were waited for lie in order within the time that passed. */
static void spans(void)
{
    static cts_run r;
    if (!begin("spans of programs follow each other"))
        return;
    const cts_side *s = &cts.exact;
    if (!s->backend->span)
        return;
    cts_case *c = adding(96);
    if (!runs(c))
        return;
    MUST(cts_prepare(&r, &cts.exact, c, CTS_TOGETHER, &err));
    MUST(cts_feed(&r, 0, true, &err));
    const uint64_t first = cts.exact.enqueued + 1, start = het__now_ns();
    for (int i = 0; i < 5 && r.program; i++) {
        MUST(s->backend->enqueue(s->device, r.program, c->steps[0].symbols, &err));
        cts.exact.enqueued++;
    }
    MUST(s->backend->wait(s->device, 0, &err));
    const uint64_t stop = het__now_ns();
    uint64_t last = start;
    for (uint64_t i = first; i < first + 5; i++) {
        uint64_t from = 0, to = 0;
        if (!s->backend->span(s->device, i, &from, &to))
            continue;
        /* The clocks of host and device may be off by a little. */
        HOLDS(from <= to && from + SECOND / 1000 >= last && to <= stop + SECOND / 1000);
        last = to;
    }
    HOLDS(!s->backend->span(s->device, cts.exact.enqueued + 1000, &last, &last));
    cts_release(&r);
}

/* ---- states ---- */

static uint32_t state_of(const cts_case *c)
{
    for (uint32_t v = 0; v < c->graph.value_count; v++)
        if (c->graph.values[v].kind == HET__VALUE_STATE)
            return v;
    return HET__NO_VALUE;
}

static bool one_sequence(const cts_case *c, uint32_t step, uint32_t value, void *data, size_t bytes)
{
    const het__value *v = &c->graph.values[value];
    int32_t *x = data;
    const int32_t segment[4] = { 0, 3, (int32_t)(3 * step), 0 };
    if (v->dtype != HET_DTYPE_I32)
        return false;
    if (strcmp(v->name, "segments") == 0)
        memcpy(x, segment, sizeof segment);
    else
        for (int32_t i = 0; i < (int32_t)(bytes / sizeof *x); i++)
            x[i] = strcmp(v->name, "pages") == 0 ? i : (int32_t)(3 * step) + i;
    return true;
}

/* A sequence of 12 tokens in four steps, its keys and values kept on the device between them. */
static void states(void)
{
    enum { HEADS = 2, SIZE = 16, PAGE = 8, PAGES = 3 };
    static cts_run got, want;
    uint32_t in[HET__ATTN_INPUT_COUNT];
    if (!begin("states last from step to step"))
        return;
    cts_case *c = cts_begin("contract", "states");
    if (!c)
        return;
    const het__extent state[4] = { { 1, HET__SYM_STATE_PAGES }, CTS_FIXED(HEADS), CTS_FIXED(PAGE),
                                   CTS_FIXED(SIZE) };
    for (int i = 0; i < 3; i++)
        in[i] = cts_matrix(c, "x", HEADS * SIZE);
    for (int i = HET__ATTN_K_STATE; i <= HET__ATTN_V_STATE; i++)
        in[i] = het__graph_value(&c->graph, "state", HET__VALUE_STATE, HET_DTYPE_F32, 4, state);
    in[HET__ATTN_POSITIONS] = cts_index(c, "positions", HET__SYM_TOKENS, 0);
    in[HET__ATTN_SLOTS] = cts_index(c, "slots", HET__SYM_TOKENS, 0);
    in[HET__ATTN_SEGMENTS] = cts_index(c, "segments", HET__SYM_SEQUENCES, 4);
    in[HET__ATTN_PAGES] = cts_index(c, "pages", HET__SYM_PAGES, 0);
    for (int i = HET__ATTN_Q_NORM; i < HET__ATTN_INPUT_COUNT; i++)
        in[i] = HET__NO_VALUE;
    const het__attrs attrs = { .attention = { HEADS, HEADS, SIZE, PAGE, 0.25f, 0, 0, 1e-6f,
                                              { SIZE, 0, false, 0, 1, 1 } } };
    cts_node(c, HET__OP_ATTENTION, in, HET__ATTN_INPUT_COUNT, &attrs);
    static const int64_t tokens[] = { 3, 3, 3, 3 };
    cts_tokens(c, 4, tokens);
    for (uint32_t i = 0; i < 4; i++) {
        c->steps[i].symbols[HET__SYM_PAGES] = (3 * i + 3 + PAGE - 1) / PAGE;
        c->steps[i].symbols[HET__SYM_CONTEXT] = 3 * i;
        c->steps[i].symbols[HET__SYM_STATE_PAGES] = PAGES;
    }
    c->symbols_max[HET__SYM_PAGES] = c->symbols_max[HET__SYM_STATE_PAGES] = PAGES;
    c->symbols_max[HET__SYM_CONTEXT] = 12;
    c->fill = one_sequence;
    c->tolerance = cts_tolerance(HET__OP_ATTENTION, SIZE + 12, HET_DTYPE_NONE, false);
    if (!runs(c) || state_of(c) == HET__NO_VALUE) {
        row->refused++;
        snprintf(row->reason, sizeof row->reason, "runs no attention");
        return;
    }
    MUST(cts_prepare(&got, &cts.exact, c, CTS_TOGETHER, &err));
    MUST(cts_prepare(&want, &cts.ref, c, CTS_APART, &err));
    for (uint32_t i = 0; i < 4 && got.program && want.program; i++) {
        MUST(cts_feed(&got, i, i == 0, &err));
        MUST(cts_feed(&want, i, i == 0, &err));
        MUST(cts_go(&got, i, &err));
        MUST(cts_go(&want, i, &err));
        cts_compare(&got, &want, i, true);
    }
    cts_release(&got);
    cts_release(&want);
}

/* ---- counters, opening ---- */

static void counters(void)
{
    static cts_run r;
    het__backend_counters before, after;
    if (!begin("counters count"))
        return;
    const cts_side *s = &cts.exact;
    cts_case *c = adding(1024);
    if (!runs(c))
        return;
    s->backend->counters(s->device, &before);
    MUST(cts_prepare(&r, &cts.exact, c, CTS_APART, &err));
    MUST(cts_feed(&r, 0, true, &err));
    MUST(cts_go(&r, 0, &err));
    s->backend->counters(s->device, &after);
    HOLDS(after.weight_bytes >= before.weight_bytes + 4096);
    HOLDS(after.launch_count > before.launch_count);
    HOLDS(after.busy_ns >= before.busy_ns);
    HOLDS(after.mapped_bytes <= after.weight_bytes);
    cts_release(&r);
}

/* Opened and closed beside the one that is open, and nothing is left. */
static void opening(void)
{
    if (!begin("a device can be opened twice"))
        return;
    cts_side other;
    const uint64_t bytes = cts.mem.bytes;
    for (int i = 0; i < 2; i++) {
        het__buffer *b = NULL;
        MUST(cts_open(&other, cts.exact.backend, cts.exact.index, HET_PRECISION_EXACT, &err));
        if (!other.device)
            return;
        MUST(other.backend->buffer_create(other.device, 1000, &b, &err));
        if (b)
            other.backend->buffer_destroy(other.device, b);
        cts_close(&other);
    }
    HOLDS(cts.mem.bytes == bytes);
}

static void probing(void)
{
    static het__probed probed;
    if (!begin("a probe says what is there"))
        return;
    cts.exact.backend->probe(&cts.host, &probed);
    HOLDS(probed.device_count > cts.exact.index && probed.device_count <= HET__DEVICES_MAX);
    HOLDS(probed.reason[0] != '\0' && !strchr(probed.reason, '\n'));
    for (uint32_t i = 0; i < probed.device_count; i++) {
        HOLDS(probed.device[i].name[0] != '\0');
        HOLDS(probed.device[i].kind >= HET_DEVICE_CPU &&
              probed.device[i].kind <= HET_DEVICE_SIMULATED);
        HOLDS(probed.device[i].unit_count > 0 && probed.device[i].memory_bytes > 0);
    }
}

void cts_contract(void)
{
    if (cts.options.only_ask)
        return;
    probing();
    opening();
    buffers();
    impossible_buffer();
    import();
    queue();
    symbols();
    waiting();
    spans();
    states();
    counters();
}

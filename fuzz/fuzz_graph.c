/* SPDX-License-Identifier: Apache-2.0 */
/* Input: an ONNX file as it stands. What the reader accepts is bound to small shapes, specialised,
 * rewritten, planned and run on the reference device.
 *
 * Properties: every step ends, within a bound of memory and of work, in success or in a refusal
 * with a message; types and extents of outputs do not depend on the passes; a second run gives the
 * same bytes although fresh memory holds others; when an allocation fails, the answer is out of
 * memory or what it was before; nothing leaks. */
#include "fuzz.h"

#include <string.h>

#include "lib/exec/graph_run.h"
#include "lib/exec/registry.h"
#include "lib/import/onnx.h"

/* Operations and bytes of a run: a fraction of a second with sanitizers. */
#define WORK_MAX 2e7
#define INPUTS_MAX 16
#define OUTPUTS_MAX 16
#define INPUT_BYTES_MAX (1 << 16)

typedef struct rig {
    fuzz_memory memory;
    het__mem mem;
    het__registry registry;
    het__onnx onnx;
    het__graph_run *run;
    het__tensor inputs[INPUTS_MAX];
    het_error err;
    uint64_t seed; /* shapes and contents of inputs */
    uint8_t dirt;  /* what fresh memory holds */
} rig;

static void *dirty_alloc(void *user, size_t bytes, size_t align)
{
    rig *r = user;
    void *p = fuzz_alloc(&r->memory, bytes, align);
    if (p)
        memset(p, r->dirt, bytes);
    return p;
}

static void dirty_free(void *user, void *ptr, size_t bytes, size_t align)
{
    rig *r = user;
    fuzz_free(&r->memory, ptr, bytes, align);
}

static uint32_t below(rig *r, uint32_t most)
{
    r->seed = r->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(r->seed >> 33) % most;
}

/* ---- inputs ---- */

/* A small shape that the model allows; false if it asks for a large one. */
static bool shape_input(rig *r, const het__value *v, int64_t *symbols, het__tensor *t)
{
    memset(t, 0, sizeof *t);
    t->dtype = v->dtype;
    t->rank = het__value_is_known(v) ? v->rank : below(r, 5);
    for (uint32_t i = 0; i < t->rank; i++) {
        const het__extent e =
            het__value_is_known(v) ? v->extent[i] : (het__extent){ 1 + below(r, 6), HET__SYM_ONE };
        if (e.symbol != HET__SYM_ONE && symbols[e.symbol] < 0)
            symbols[e.symbol] = below(r, 6);
        t->extent[i] = e.symbol == HET__SYM_ONE ? e.count : symbols[e.symbol];
    }
    const int64_t bytes = het__tensor_bytes(t);
    return bytes >= 0 && bytes <= INPUT_BYTES_MAX;
}

/* Small numbers of both signs, in F32 also fractions; bytes of the other types as they come. */
static void fill(rig *r, het__tensor *t)
{
    const int64_t bytes = het__tensor_bytes(t);
    uint8_t *p = t->data;
    for (int64_t i = 0; i < bytes; i++)
        p[i] = t->dtype == HET_DTYPE_BOOL ? (uint8_t)below(r, 2) : (uint8_t)below(r, 256);
    if (t->dtype == HET_DTYPE_F32)
        for (int64_t i = 0; i < bytes / 4; i++) {
            const float x = ((float)below(r, 64) - 24) / 8;
            memcpy(p + 4 * i, &x, 4);
        }
    if (t->dtype == HET_DTYPE_I64)
        for (int64_t i = 0; i < bytes / 8; i++) {
            const int64_t x = (int64_t)below(r, 12) - 4;
            memcpy(p + 8 * i, &x, 8);
        }
}

static bool make_inputs(rig *r)
{
    const het__graph *g = &r->onnx.graph;
    int64_t symbols[HET__SYM_MAX];
    uint32_t count = 0;
    for (int i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = -1;
    for (uint32_t v = 0; v < g->value_count; v++) {
        if (g->values[v].kind != HET__VALUE_INPUT)
            continue;
        if (count == INPUTS_MAX || !shape_input(r, &g->values[v], symbols, &r->inputs[count]))
            return false;
        het__tensor *t = &r->inputs[count++];
        t->data = malloc((size_t)het__tensor_bytes(t) + 1); /* not the library's */
        FUZZ_REQUIRE(t->data);
        fill(r, t);
    }
    return g->output_count <= OUTPUTS_MAX;
}

/* ---- one way through ---- */

static het_status start(rig *r, const uint8_t *data, size_t size, uint64_t until, uint8_t dirt)
{
    memset(r, 0, sizeof *r);
    r->err = (het_error)HET_ERROR_INIT;
    r->seed = fuzz_seed(data, size);
    r->memory.until = until;
    r->dirt = dirt;
    const het_allocator allocator = { sizeof allocator, 0, r, dirty_alloc, dirty_free };
    het__mem_init(&r->mem, &allocator);
    const het__host host = { .mem = &r->mem };
    het_status s = het__registry_init(&r->registry, &host, "ref", &r->err);
    if (s == HET_OK)
        s = het__onnx_open(data, size, NULL, &r->mem, &r->onnx, &r->err);
    return s;
}

static het_status create(rig *r, uint32_t passes)
{
    const het__graph_run_request request = {
        .registry = &r->registry, .graph = &r->onnx.graph, .device_mask = 1, .threads = 1,
        .passes = { passes, passes ? 8 : 0 }, .work_max = WORK_MAX,
    };
    return het__graph_run_create(&request, &r->run, &r->err);
}

static void finish(rig *r)
{
    het__graph_run_destroy(r->run);
    het__onnx_close(&r->onnx);
    het__registry_finish(&r->registry);
    for (int i = 0; i < INPUTS_MAX; i++)
        free(r->inputs[i].data);
    FUZZ_REQUIRE(r->memory.live == 0 && r->memory.used == 0);
}

static void check_refusal(const rig *r, het_status s)
{
    FUZZ_REQUIRE(s == HET_E_FORMAT || s == HET_E_UNSUPPORTED || s == HET_E_VERSION ||
                 s == HET_E_NOMEM || s == HET_E_INVALID);
    FUZZ_REQUIRE(r->err.status == (int32_t)s && r->err.message[0]);
}

/* A compiled form runs to its end: only what ends soon is run. */
static bool is_short(const rig *r)
{
    const het__graph *g = het__graph_run_graph(r->run);
    int64_t symbols[HET__SYM_MAX];
    double work = 0;
    for (int i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = 1;
    for (uint32_t n = 0; het__graph_run_plan(r->run) && n < g->node_count; n++) {
        het__work w;
        het__node_work(g, &g->nodes[n], symbols, &w);
        work += w.flops + w.input_bytes + w.output_bytes + w.weight_bytes;
    }
    return work <= WORK_MAX;
}

static het_status step(rig *r, het__tensor *outputs)
{
    static const size_t none[OUTPUTS_MAX];
    _Atomic uint32_t cancel = 0;
    memset(outputs, 0, OUTPUTS_MAX * sizeof *outputs);
    const het_status s =
        het__graph_run_step(r->run, r->inputs, outputs, none, &cancel, &r->err);
    for (uint32_t o = 0; s == HET_OK && o < r->onnx.graph.output_count; o++)
        FUZZ_REQUIRE(het__tensor_bytes(&outputs[o]) >= 0 && outputs[o].data);
    return s;
}

static bool is_random(const het__graph *g)
{
    for (uint32_t n = 0; n < g->node_count; n++) {
        const het__node *node = &g->nodes[n];
        switch (node->op) {
        case HET__OP_T_BERNOULLI:
        case HET__OP_T_DROPOUT:
        case HET__OP_T_RANDOM_UNIFORM:
        case HET__OP_T_RANDOM_NORMAL:
        case HET__OP_T_RANDOM_UNIFORM_LIKE:
        case HET__OP_T_RANDOM_NORMAL_LIKE:
        case HET__OP_T_MULTINOMIAL:
            return true;
        default:
            break;
        }
        for (uint32_t i = 0; het__op_is_tensor(node->op) && i < node->attrs.tensor.count; i++)
            if (node->attrs.tensor.items[i].kind == HET__ATTR_GRAPH &&
                is_random(node->attrs.tensor.items[i].u.graph))
                return true;
    }
    return false;
}

/* Types, extents and bytes of two runs. */
static void check_same(const rig *r, const het__tensor *a, const rig *other, const het__tensor *b)
{
    const bool random = is_random(&r->onnx.graph);
    for (uint32_t o = 0; o < other->onnx.graph.output_count; o++) {
        FUZZ_REQUIRE(a[o].dtype == b[o].dtype);
        if (!random)
            FUZZ_REQUIRE(het__tensor_same_extents(&a[o], &b[o]) &&
                         memcmp(a[o].data, b[o].data, (size_t)het__tensor_bytes(&a[o])) == 0);
    }
}

/* The form without passes has outputs of the same types and extents. */
static void check_plain_form(const uint8_t *data, size_t size, const rig *with)
{
    rig r;
    if (start(&r, data, size, UINT64_MAX, 0x5a) == HET_OK && make_inputs(&r) &&
        create(&r, 0) == HET_OK &&
        het__graph_run_prepare(r.run, r.inputs, &r.err) == HET_OK) {
        const het__graph *a = het__graph_run_graph(r.run), *b = het__graph_run_graph(with->run);
        FUZZ_REQUIRE(!het__graph_run_plan(r.run) == !het__graph_run_plan(with->run));
        for (uint32_t o = 0; o < a->output_count && het__graph_run_plan(r.run); o++) {
            const het__value *x = &a->values[a->outputs[o]], *y = &b->values[b->outputs[o]];
            FUZZ_REQUIRE(x->dtype == y->dtype && x->rank == y->rank);
            for (uint32_t i = 0; i < x->rank; i++)
                FUZZ_REQUIRE(x->extent[i].count == y->extent[i].count);
        }
    }
    finish(&r);
}

/* Prepare and run; *ran: outputs are there. */
static het_status go(rig *r, het__tensor *outputs, bool *ran)
{
    *ran = false;
    het_status s = create(r, HET__PASSES_ALL);
    if (s == HET_OK)
        s = het__graph_run_prepare(r->run, r->inputs, &r->err);
    if (s != HET_OK || !is_short(r))
        return s;
    s = step(r, outputs);
    *ran = s == HET_OK;
    return s;
}

static void check_failing(const uint8_t *data, size_t size, het_status before)
{
    het__tensor outputs[OUTPUTS_MAX];
    bool ran;
    rig r;
    het_status s = start(&r, data, size, fuzz_seed(data, size) % 512, 0x33);
    if (s == HET_OK && make_inputs(&r))
        s = go(&r, outputs, &ran);
    FUZZ_REQUIRE(s == HET_E_NOMEM || s == before);
    if (s != HET_OK)
        check_refusal(&r, s);
    finish(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    het__tensor outputs[OUTPUTS_MAX], again[OUTPUTS_MAX];
    bool ran = false, ran_again = false;
    rig first, second;
    het_status s = start(&first, data, size, UINT64_MAX, 0xa5);
    if (s == HET_OK && make_inputs(&first)) {
        s = go(&first, outputs, &ran);
        check_failing(data, size, s);
        if (het__graph_run_graph(first.run))
            check_plain_form(data, size, &first);
    }
    if (s != HET_OK)
        check_refusal(&first, s);
    if (ran && start(&second, data, size, UINT64_MAX, 0x11) == HET_OK) {
        FUZZ_REQUIRE(make_inputs(&second));
        FUZZ_REQUIRE(go(&second, again, &ran_again) == HET_OK && ran_again);
        check_same(&first, outputs, &second, again);
        FUZZ_REQUIRE(step(&second, again) == HET_OK);
        check_same(&first, outputs, &second, again);
        finish(&second);
    }
    finish(&first);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Input: an ONNX file as it stands, and the same bytes as a tensor alone.
 *
 * Properties: the reader's memory is bounded by the input's size; a refusal carries a message of
 * readable text and leaves nothing behind; what is accepted is a graph that holds together, bodies
 * included (tests/onnx_check.h); the contents of every constant and weight can be read; opening
 * twice gives the same; when an allocation fails, the answer is out of memory or what it was
 * before; nothing leaks. */
#include "fuzz.h"

#include <string.h>
#include <utf8proc.h>

#include "lib/import/onnx.h"
#include "tests/onnx_check.h"

typedef struct result {
    fuzz_memory memory;
    het__mem mem;
    het__onnx onnx;
    het_error err;
    het_status status;
} result;

static void start(result *r, const uint8_t *data, size_t size, uint64_t until)
{
    memset(r, 0, sizeof *r);
    fuzz_mem_init(&r->mem, &r->memory, until);
    r->err = (het_error)HET_ERROR_INIT;
    r->status = het__onnx_open(data, size, NULL, &r->mem, &r->onnx, &r->err);
}

static void finish(result *r)
{
    het__onnx_close(&r->onnx);
    FUZZ_REQUIRE(r->memory.live == 0 && r->memory.used == 0);
}

static void check_text(const char *text)
{
    for (utf8proc_ssize_t n; *text; text += n) {
        utf8proc_int32_t point;
        n = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &point);
        FUZZ_REQUIRE(n > 0);
    }
}

static void check_refusal(const het_error *err, het_status status)
{
    FUZZ_REQUIRE(status == HET_E_FORMAT || status == HET_E_UNSUPPORTED ||
                 status == HET_E_VERSION || status == HET_E_NOMEM);
    FUZZ_REQUIRE(err->status == (int32_t)status && err->message[0]);
}

static volatile uint8_t sink;

static void touch(const het__tensor *t)
{
    const int64_t bytes = het__tensor_bytes(t);
    uint8_t sum = 0;
    FUZZ_REQUIRE(bytes >= 0 && t->data);
    for (int64_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)t->data)[i]);
    sink = sum;
}

/* Text and tensors of a graph and of what is in it. */
static void check_contents(const het__graph *g)
{
    for (uint32_t v = 0; v < g->value_count; v++) {
        const het__value *value = &g->values[v];
        het__tensor t = { .dtype = value->dtype, .data = (void *)(uintptr_t)value->data };
        check_text(value->name);
        if (value->kind != HET__VALUE_CONST)
            continue;
        for (t.rank = 0; t.rank < value->rank; t.rank++)
            t.extent[t.rank] = value->extent[t.rank].count;
        touch(&t);
    }
    for (uint32_t n = 0; n < g->node_count; n++)
        for (uint32_t i = 0; i < g->nodes[n].attrs.tensor.count; i++) {
            const het__attr *a = &g->nodes[n].attrs.tensor.items[i];
            check_text(a->name);
            if (a->kind == HET__ATTR_TENSOR)
                touch(a->u.tensor);
            if (a->kind == HET__ATTR_GRAPH)
                check_contents(a->u.graph);
        }
}

static void check_model(const result *r)
{
    const char *wrong = onnx_check_graph(&r->onnx.graph);
    if (wrong)
        fprintf(stderr, "%s\n", wrong);
    FUZZ_REQUIRE(!wrong);
    check_contents(&r->onnx.graph);
    check_text(r->onnx.name);
    for (uint32_t i = 0; i < r->onnx.weight_count; i++)
        touch(&r->onnx.weights[i].tensor);
    for (uint32_t i = 0; i < r->onnx.property_count; i++) {
        check_text(r->onnx.properties[i].key);
        check_text(r->onnx.properties[i].value);
    }
}

static void check_same_graph(const het__graph *a, const het__graph *b)
{
    FUZZ_REQUIRE(a->value_count == b->value_count && a->node_count == b->node_count);
    FUZZ_REQUIRE(a->output_count == b->output_count && a->symbol_count == b->symbol_count);
    for (uint32_t v = 0; v < a->value_count; v++)
        FUZZ_REQUIRE(strcmp(a->values[v].name, b->values[v].name) == 0 &&
                     a->values[v].kind == b->values[v].kind);
    for (uint32_t n = 0; n < a->node_count; n++) {
        const het__node *x = &a->nodes[n], *y = &b->nodes[n];
        FUZZ_REQUIRE(x->op == y->op && x->input_count == y->input_count);
        FUZZ_REQUIRE(memcmp(x->inputs, y->inputs, x->input_count * sizeof *x->inputs) == 0);
        for (uint32_t i = 0; i < x->attrs.tensor.count; i++)
            if (x->attrs.tensor.items[i].kind == HET__ATTR_GRAPH)
                check_same_graph(x->attrs.tensor.items[i].u.graph,
                                 y->attrs.tensor.items[i].u.graph);
    }
}

static void check_tensor(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    het__mem mem;
    het__tensor t;
    const char *name;
    het_error err = HET_ERROR_INIT;
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    const het_status s = het__onnx_tensor(data, size, &mem, &t, &name, &err);
    if (s == HET_OK) {
        touch(&t);
        check_text(name);
        het__free(&mem, t.data);
    } else {
        check_refusal(&err, s);
    }
    FUZZ_REQUIRE(memory.live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result first, second;
    (void)het__onnx_sniff(data, size);
    check_tensor(data, size);
    start(&first, data, size, UINT64_MAX);
    /* A byte of the file makes at most 4 pieces of a graph and a part of a definition, calls of
     * functions 65536 pieces more. */
    FUZZ_REQUIRE(atomic_load(&first.mem.peak) <= ((size_t)32 << 20) + 2048 * size);
    start(&second, data, size, UINT64_MAX);
    FUZZ_REQUIRE(first.status == second.status);
    FUZZ_REQUIRE(strcmp(first.err.message, second.err.message) == 0);
    if (first.status == HET_OK)
        check_same_graph(&first.onnx.graph, &second.onnx.graph);
    finish(&second);

    start(&second, data, size, fuzz_seed(data, size) % 64);
    FUZZ_REQUIRE(second.status == HET_E_NOMEM || second.status == first.status);
    if (second.status != HET_OK)
        check_refusal(&second.err, second.status);
    finish(&second);

    if (first.status == HET_OK) {
        check_model(&first);
    } else {
        check_refusal(&first.err, first.status);
        check_text(first.err.message);
        for (const char *p = first.err.message; *p; p++)
            FUZZ_REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
    finish(&first);
    return 0;
}

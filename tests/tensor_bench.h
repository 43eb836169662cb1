/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of tensor operations in the making: raw, as an importer leaves them; then specialised, run
 * as they are, passed through some passes, run again, and compared. */
#ifndef HETINFER_TENSOR_BENCH_H
#define HETINFER_TENSOR_BENCH_H

#include "lib/passes/passes.h"
#include "lib/passes/specialise.h"
#include "lib/plain/plain.h"
#include "test.h"

#define BENCH_MAX 512
#define OPSET 20
#define E(...) ((const int64_t[]){ __VA_ARGS__ })
#define IN(...) ((const uint32_t[]){ __VA_ARGS__ })
#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof *(list)))
/* A node with inputs, one output and no attributes. */
#define OP(b, name, ...) bench_node((b), (name), IN(__VA_ARGS__), COUNT(IN(__VA_ARGS__)), 1)

typedef struct bench {
    het__mem mem;
    het__graph raw, graph; /* graph: after bench_run(), until bench_close() */
    uint64_t seed;
    void *owned[BENCH_MAX];
    uint32_t owned_count;
    het__attr attrs[8]; /* of the next node */
    uint32_t attr_count;
    int32_t opset;
    het__tensor inputs[8];
    uint32_t input_count;
    het__pass_report report;
    het_error err;
} bench;

static inline void bench_open(bench *b)
{
    memset(b, 0, sizeof *b);
    het__mem_init(&b->mem, NULL);
    het__graph_init(&b->raw, &b->mem);
    b->seed = 11;
    b->opset = OPSET;
    b->err = (het_error)HET_ERROR_INIT;
}

static inline void bench_close(bench *b)
{
    het__graph_finish(&b->graph);
    het__graph_finish(&b->raw);
    for (uint32_t i = 0; i < b->owned_count; i++)
        free(b->owned[i]);
    CHECK_INT(b->mem.bytes, 0);
}

/* Zeroed memory until the bench is closed. */
static inline void *bench_bytes(bench *b, size_t bytes)
{
    char *p = calloc(1, bytes);
    b->owned[b->owned_count++] = p;
    return p;
}

static inline int64_t bench_span(uint32_t rank, const int64_t *extent)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= extent[i];
    return n;
}

static inline float *bench_random(bench *b, uint32_t rank, const int64_t *extent)
{
    const int64_t n = bench_span(rank, extent);
    float *x = bench_bytes(b, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = 2 * test_random_float(&b->seed);
    return x;
}

static inline uint32_t bench_input(bench *b, uint32_t rank, const int64_t *extent)
{
    het__extent e[HET_RANK_MAX];
    het__tensor *t = &b->inputs[b->input_count++];
    t->dtype = HET_DTYPE_F32;
    t->rank = rank;
    for (uint32_t i = 0; i < rank; i++) {
        t->extent[i] = extent[i];
        e[i] = (het__extent){ extent[i], HET__SYM_ONE };
    }
    t->data = bench_random(b, rank, extent);
    return het__graph_value(&b->raw, "x", HET__VALUE_INPUT, HET_DTYPE_F32, rank, e);
}

/* Random numbers; F32. */
static inline uint32_t bench_weight(bench *b, uint32_t rank, const int64_t *extent)
{
    return het__graph_const(&b->raw, "w", HET_DTYPE_F32, rank, extent,
                            bench_random(b, rank, extent));
}

/* Numbers above zero, as a variance is. */
static inline uint32_t bench_positive(bench *b, int64_t n)
{
    float *x = bench_random(b, 1, &n);
    for (int64_t i = 0; i < n; i++)
        x[i] = 0.25f + x[i] * x[i];
    return het__graph_const(&b->raw, "v", HET_DTYPE_F32, 1, &n, x);
}

static inline uint32_t bench_scalar(bench *b, double x)
{
    float *data = bench_bytes(b, sizeof *data);
    *data = (float)x;
    return het__graph_const(&b->raw, "c", HET_DTYPE_F32, 0, NULL, data);
}

static inline uint32_t bench_list(bench *b, uint32_t count, const int64_t *values)
{
    const int64_t n = count;
    int64_t *data = bench_bytes(b, count * sizeof *data);
    memcpy(data, values, count * sizeof *data);
    return het__graph_const(&b->raw, "i", HET_DTYPE_I64, 1, &n, data);
}

static inline het__attr *bench_attr(bench *b, const char *name, het__attr_kind kind)
{
    het__attr *a = &b->attrs[b->attr_count++];
    memset(a, 0, sizeof *a);
    a->name = name;
    a->kind = kind;
    return a;
}

static inline void bench_int(bench *b, const char *name, int64_t x)
{
    bench_attr(b, name, HET__ATTR_INT)->u.i = x;
}

static inline void bench_float(bench *b, const char *name, float x)
{
    bench_attr(b, name, HET__ATTR_FLOAT)->u.f = x;
}

static inline void bench_ints(bench *b, const char *name, uint32_t count, const int64_t *x)
{
    int64_t *copy = bench_bytes(b, count * sizeof *copy);
    memcpy(copy, x, count * sizeof *copy);
    het__attr *a = bench_attr(b, name, HET__ATTR_INTS);
    a->count = count;
    a->u.ints = copy;
}

/* With the attributes given since the last node; the first output. */
static inline uint32_t bench_node(bench *b, const char *op, const uint32_t *in, uint32_t count,
                                  uint32_t outputs)
{
    het__attr *items = calloc(b->attr_count + 1, sizeof *items);
    b->owned[b->owned_count++] = items;
    memcpy(items, b->attrs, b->attr_count * sizeof *items);
    const het__attr_list list = { .items = items, .count = b->attr_count, .opset = b->opset };
    b->attr_count = 0;
    const het__op id = het__tensor_op_find(op);
    CHECK(id != HET__OP_T_UNKNOWN);
    return het__graph_tensor_node(&b->raw, id, op, in, count, outputs, &list);
}

static inline void bench_output(bench *b, uint32_t value)
{
    het__graph_output(&b->raw, value, "y");
}

static inline uint32_t bench_count(const bench *b, const char *op)
{
    const het__op id = het__tensor_op_find(op);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->graph.node_count; i++)
        n += b->graph.nodes[i].op == id;
    return n;
}

static inline const het__attr_list *bench_attrs(const bench *b, const char *op)
{
    static const het__attr_list none;
    const het__op id = het__tensor_op_find(op);
    for (uint32_t i = 0; i < b->graph.node_count; i++)
        if (b->graph.nodes[i].op == id)
            return &b->graph.nodes[i].attrs.tensor;
    return &none;
}

static inline bool bench_interpret(bench *b, het__tensor *outputs)
{
    const het__interpreter how = { .mem = &b->mem };
    memset(outputs, 0, 8 * sizeof *outputs);
    const het_status s = het__interpret(&how, &b->graph, b->inputs, b->input_count, outputs,
                                        b->graph.output_count, &b->err);
    if (s != HET_OK)
        TEST_FAIL("%s", b->err.message);
    return s == HET_OK;
}

static inline void bench_compare(const het__tensor *was, const het__tensor *is)
{
    CHECK_INT(is->dtype, was->dtype);
    CHECK(het__tensor_same_extents(was, is));
    const int64_t n = het__tensor_elements(was);
    for (int64_t i = 0; i < n; i++) {
        const double a = het__get_f64(was->dtype, was->data, i);
        CHECK_NEAR(het__get_f64(is->dtype, is->data, i), a, 2e-5 * (1 + fabs(a)));
    }
}

/* Rewrites that these passes made, checked to leave the outputs as they were and to find nothing
 * more when they run again. */
static inline uint32_t bench_run(bench *b, uint32_t mask)
{
    het__tensor was[8], is[8];
    const het__pass_options options = { mask, 0 };
    uint32_t rewrites = 0, again = 0;
    if (b->raw.failed || het__specialise(&b->raw, b->inputs, b->input_count, &b->mem, &b->graph,
                                         NULL, &b->err) != HET_OK) {
        TEST_FAIL("%s", b->err.message);
        return 0;
    }
    const bool ran = bench_interpret(b, was);
    if (het__passes_run(&b->graph, &options, &b->report, &b->err) != HET_OK)
        TEST_FAIL("%s", b->err.message);
    for (uint32_t p = 0; p < HET__PASS_COUNT; p++)
        rewrites += b->report.rewrites[p];
    const bool runs = bench_interpret(b, is);
    for (uint32_t o = 0; o < b->graph.output_count; o++) {
        if (ran && runs)
            bench_compare(&was[o], &is[o]);
        het__tensor_finish(&b->mem, &was[o]);
        het__tensor_finish(&b->mem, &is[o]);
    }
    het__pass_report second;
    CHECK_INT(het__passes_run(&b->graph, &options, &second, &b->err), HET_OK);
    for (uint32_t p = 0; p < HET__PASS_COUNT; p++)
        again += second.rewrites[p];
    CHECK_INT(again, 0);
    return rewrites;
}

#endif /* HETINFER_TENSOR_BENCH_H */

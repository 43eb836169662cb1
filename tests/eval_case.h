/* SPDX-License-Identifier: Apache-2.0 */
/* One tensor operation with operands spelled out: shape rule without contents, with contents, and
 * plain kernel. Operands lie at odd addresses, each in a block of its own, so that a sanitizer sees
 * what is read outside of it. */
#ifndef HETINFER_EVAL_CASE_H
#define HETINFER_EVAL_CASE_H

#include "lib/ir/shapes.h"
#include "lib/plain/plain.h"
#include "test.h"

#define CASE_MAX 12

static struct eval_case {
    het__mem mem;
    het__scratch scratch;
    het__node node;
    het__attr attrs[CASE_MAX];
    het__tensor in[CASE_MAX], out[CASE_MAX];
    void *owned[CASE_MAX];
    uint32_t inputs, outputs;
    het_error err;
} eval_case;

static inline void case_end(void)
{
    struct eval_case *c = &eval_case;
    for (uint32_t i = 0; i < CASE_MAX; i++) {
        free(c->owned[i]);
        het__free(&c->mem, c->out[i].data);
    }
    het__scratch_finish(&c->scratch);
    memset(c, 0, sizeof *c);
}

static inline void case_begin(const char *op, int32_t opset)
{
    struct eval_case *c = &eval_case;
    case_end();
    het__mem_init(&c->mem, NULL);
    het__scratch_init(&c->scratch, &c->mem);
    c->node.op = het__tensor_op_find(op);
    c->node.name = "node";
    c->node.attrs.tensor.items = c->attrs;
    c->node.attrs.tensor.opset = opset;
    c->outputs = 1;
    c->err = (het_error)HET_ERROR_INIT;
}

static inline het__attr *case_attr(const char *name, het__attr_kind kind)
{
    het__attr *a = &eval_case.attrs[eval_case.node.attrs.tensor.count++];
    a->name = name;
    a->kind = kind;
    return a;
}

static inline void case_int(const char *name, int64_t value)
{
    case_attr(name, HET__ATTR_INT)->u.i = value;
}

static inline void case_float(const char *name, float value)
{
    case_attr(name, HET__ATTR_FLOAT)->u.f = value;
}

static inline void case_string(const char *name, const char *value)
{
    case_attr(name, HET__ATTR_STRING)->u.string = value;
}

static inline void case_ints(const char *name, uint32_t count, const int64_t *values)
{
    het__attr *a = case_attr(name, HET__ATTR_INTS);
    a->count = count;
    a->u.ints = values;
}

/* values NULL: contents are not known. */
static inline void case_input(het_dtype dtype, uint32_t rank, const int64_t *extent,
                              const double *values)
{
    struct eval_case *c = &eval_case;
    het__tensor *t = &c->in[c->inputs];
    t->dtype = dtype;
    t->rank = rank;
    for (uint32_t i = 0; i < rank; i++)
        t->extent[i] = extent[i];
    if (values) {
        c->owned[c->inputs] = malloc((size_t)het__tensor_bytes(t) + 1);
        t->data = (char *)c->owned[c->inputs] + 1;
        const int64_t n = het__tensor_elements(t);
        for (int64_t i = 0; i < n; i++)
            het__put_f64(dtype, t->data, i, values[i]);
    }
    c->inputs++;
}

static inline void case_no_input(void)
{
    eval_case.inputs++;
}

static inline het__eval case_eval(void)
{
    struct eval_case *c = &eval_case;
    c->node.input_count = c->inputs;
    c->node.output_count = c->outputs;
    return (het__eval){ .node = &c->node, .attrs = &c->node.attrs.tensor, .inputs = c->in,
                        .input_count = c->inputs, .outputs = c->out, .output_count = c->outputs,
                        .err = &c->err };
}

/* What the rule says when no contents are known: status, and in *unknown whether shapes are. */
static inline het_status case_rule(bool *unknown)
{
    het__tensor blind[CASE_MAX];
    het__eval e = case_eval();
    memcpy(blind, eval_case.in, sizeof blind);
    for (uint32_t i = 0; i < CASE_MAX; i++)
        blind[i].data = NULL;
    e.inputs = blind;
    const het_status s = het__tensor_op_of(eval_case.node.op)->shape(&e);
    *unknown = e.unknown;
    return s;
}

/* Rule and kernel. */
static inline het_status case_run(void)
{
    struct eval_case *c = &eval_case;
    const het__tensor_op *op = het__tensor_op_of(c->node.op);
    het__eval e = case_eval();
    het__work work = { 0 };
    het_status s = op->shape(&e);
    if (s != HET_OK)
        return s;
    for (uint32_t o = 0; o < c->outputs && !e.unknown; o++) {
        const size_t bytes = (size_t)het__tensor_bytes(&c->out[o]);
        c->out[o].data = het__alloc(&c->mem, bytes);
        memset(c->out[o].data, 0xA5, bytes);
    }
    op->count(&e, &work);
    e.mem = &c->mem;
    e.scratch = &c->scratch;
    s = het__plain_kernel(c->node.op)(&e);
    return s;
}

static inline double case_out(uint32_t output, int64_t i)
{
    return het__get_f64(eval_case.out[output].dtype, eval_case.out[output].data, i);
}

/* Type, extents and elements of an output. */
static inline void case_check(uint32_t output, het_dtype dtype, uint32_t rank,
                              const int64_t *extent, const double *want, double tolerance)
{
    const het__tensor *t = &eval_case.out[output];
    CHECK_INT(t->dtype, dtype);
    CHECK_INT(t->rank, rank);
    for (uint32_t i = 0; i < rank && i < t->rank; i++)
        CHECK_INT(t->extent[i], extent[i]);
    const int64_t n = t->data ? het__tensor_elements(t) : 0;
    for (int64_t i = 0; i < n; i++) {
        const double got = case_out(output, i);
        if (isnan(want[i]) || isinf(want[i]))
            CHECK(isnan(want[i]) ? isnan(got) : got == want[i]);
        else
            CHECK_NEAR(got, want[i], tolerance);
    }
}

#define E(...) ((const int64_t[]){ __VA_ARGS__ })
#define V(...) ((const double[]){ __VA_ARGS__ })

#endif /* HETINFER_EVAL_CASE_H */

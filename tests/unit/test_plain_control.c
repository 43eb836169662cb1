/* SPDX-License-Identifier: Apache-2.0 */
/* If, Loop, Scan and FlexAttention with bodies built by hand, run by the interpreter: what they
 * compute, what they refuse, and that no failed allocation leaves anything behind. */
#include "counting_allocator.h"
#include "lib/base/error.h"
#include "lib/plain/plain.h"
#include "test.h"

#define F32 HET_DTYPE_F32
#define I64 HET_DTYPE_I64
#define BOOL_ HET_DTYPE_BOOL
#define NO HET__NO_VALUE
#define E(...) ((const int64_t[]){ __VA_ARGS__ })
#define V(...) ((const double[]){ __VA_ARGS__ })
#define IDS(...) ((const uint32_t[]){ __VA_ARGS__ })

/* One node with up to two bodies, and what runs it. */
static struct rig {
    counting_allocator counter;
    het__mem build, run; /* graphs; everything that running takes */
    het__graph outer, body[2];
    het__attr attrs[8], to;
    het__attr_list list, plain, cast;
    het__tensor in[8], out[4];
    uint32_t inputs, outputs;
    het_error err;
} rig;

static void rig_end(void)
{
    het__graph_finish(&rig.outer);
    het__graph_finish(&rig.body[0]);
    het__graph_finish(&rig.body[1]);
    for (uint32_t i = 0; i < 8; i++)
        free(rig.in[i].data);
    for (uint32_t i = 0; i < 4; i++)
        het__tensor_finish(&rig.run, &rig.out[i]);
    CHECK_INT(rig.counter.blocks, 0);
    memset(&rig, 0, sizeof rig);
}

static void rig_begin(int32_t opset)
{
    const het_allocator allocator = counting_allocator_of(&rig.counter);
    het__mem_init(&rig.build, NULL);
    het__mem_init(&rig.run, &allocator);
    het__graph_init(&rig.outer, &rig.build);
    het__graph_init(&rig.body[0], &rig.build);
    het__graph_init(&rig.body[1], &rig.build);
    rig.list = (het__attr_list){ .items = rig.attrs, .opset = opset };
    rig.plain = (het__attr_list){ .opset = opset };
    rig.cast = (het__attr_list){ .items = &rig.to, .count = 1, .opset = opset };
    rig.to = (het__attr){ "to", HET__ATTR_INT, 0, { .i = 1 } };
    rig.err = (het_error)HET_ERROR_INIT;
}

static het__attr *attr(const char *name, het__attr_kind kind)
{
    het__attr *a = &rig.attrs[rig.list.count++];
    a->name = name;
    a->kind = kind;
    return a;
}

static void attr_ints(const char *name, uint32_t count, const int64_t *values)
{
    het__attr *a = attr(name, HET__ATTR_INTS);
    a->count = count;
    a->u.ints = values;
}

static void attr_body(const char *name, int body, uint32_t captured)
{
    het__attr *a = attr(name, HET__ATTR_GRAPH);
    a->count = captured;
    a->u.graph = &rig.body[body];
}

/* ---- bodies ---- */

static uint32_t formal(int body)
{
    return het__graph_value(&rig.body[body], "in", HET__VALUE_INPUT, HET_DTYPE_NONE,
                            HET__RANK_UNKNOWN, NULL);
}

static uint32_t constant(int body, float x)
{
    float *data = het__arena_alloc(&rig.body[body].arena, sizeof *data);
    *data = x;
    return het__graph_const(&rig.body[body], "const", F32, 0, NULL, data);
}

static uint32_t node(int body, het__op op, uint32_t a, uint32_t b)
{
    return het__graph_tensor_node(&rig.body[body], op, "inner", IDS(a, b), b == NO ? 1 : 2, 1,
                                  op == HET__OP_T_CAST ? &rig.cast : &rig.plain);
}

static uint32_t add(int body, uint32_t a, uint32_t b)
{
    return node(body, HET__OP_T_ADD, a, b);
}

static void give(int body, uint32_t value)
{
    het__graph_output(&rig.body[body], value, "out");
}

static uint32_t same(int body, uint32_t value)
{
    return node(body, HET__OP_T_CAST, value, NO);
}

/* ---- running ---- */

/* dtype NONE: left out */
static void input(het_dtype dtype, uint32_t rank, const int64_t *extent, const double *values)
{
    het__tensor *t = &rig.in[rig.inputs++];
    t->dtype = dtype;
    t->rank = rank;
    for (uint32_t i = 0; i < rank; i++)
        t->extent[i] = extent[i];
    if (dtype == HET_DTYPE_NONE)
        return;
    const size_t bytes = (size_t)het__tensor_bytes(t);
    t->data = malloc(bytes ? bytes : 1);
    for (int64_t i = 0; i < het__tensor_elements(t); i++)
        het__put_f64(dtype, t->data, i, values[i]);
}

/* A graph of one node around the bodies. */
static void wrap(het__op op, uint32_t outputs)
{
    uint32_t ids[8];
    for (uint32_t i = 0; i < rig.inputs; i++)
        ids[i] = rig.in[i].dtype == HET_DTYPE_NONE
                     ? NO
                     : het__graph_value(&rig.outer, "x", HET__VALUE_INPUT, HET_DTYPE_NONE,
                                        HET__RANK_UNKNOWN, NULL);
    const uint32_t first = het__graph_tensor_node(&rig.outer, op, "outer", ids, rig.inputs,
                                                  outputs, &rig.list);
    for (uint32_t i = 0; i < outputs; i++)
        het__graph_output(&rig.outer, first + i, "y");
    rig.outputs = outputs;
}

static het_status interpret(void)
{
    const het__interpreter how = { .mem = &rig.run };
    het__tensor given[8];
    uint32_t count = 0;
    for (uint32_t i = 0; i < rig.inputs; i++)
        if (rig.in[i].dtype != HET_DTYPE_NONE)
            given[count++] = rig.in[i];
    for (uint32_t i = 0; i < rig.outputs; i++)
        het__tensor_finish(&rig.run, &rig.out[i]);
    return het__interpret(&how, &rig.outer, given, count, rig.out, rig.outputs, &rig.err);
}

static void runs(het__op op, uint32_t outputs)
{
    wrap(op, outputs);
    if (interpret() != HET_OK)
        TEST_FAIL("%s", rig.err.message);
    test_checks++;
}

static void refused(het__op op, uint32_t outputs, const char *why)
{
    wrap(op, outputs);
    CHECK_INT(interpret(), HET_E_INVALID);
    if (!strstr(rig.err.message, why))
        TEST_FAIL("\"%s\" does not say \"%s\"", rig.err.message, why);
    rig_end();
}

static void check(uint32_t o, het_dtype dtype, uint32_t rank, const int64_t *extent,
                  const double *want)
{
    const het__tensor *t = &rig.out[o];
    CHECK_INT(t->dtype, dtype);
    CHECK_INT(t->rank, rank);
    if (t->dtype != dtype || t->rank != rank)
        return;
    for (uint32_t i = 0; i < rank; i++)
        CHECK_INT(t->extent[i], extent[i]);
    for (int64_t i = 0; i < het__tensor_elements(t); i++)
        CHECK_NEAR(het__get_f64(dtype, t->data, i), want[i], 1e-6);
}

/* Every allocation fails once: an error then, nothing left behind, and the next run is well. */
static void survives_failures(void)
{
    uint64_t n = 1;
    for (; n < 500; n++) {
        counting_allocator_fail(&rig.counter, n);
        const het_status s = interpret();
        if (rig.counter.failed == 0)
            break;
        CHECK_INT(s, HET_E_NOMEM);
        CHECK_INT(rig.counter.blocks, 0);
    }
    CHECK(n > 3 && n < 500);
    counting_allocator_fail(&rig.counter, 0);
    CHECK_INT(interpret(), HET_OK);
}

/* ---- If ---- */

/* x and y from around: their sum, or their product and x. */
static void if_case(const double *condition, uint32_t rank)
{
    rig_begin(16);
    for (int body = 0; body < 2; body++) {
        const uint32_t x = formal(body), y = formal(body);
        give(body, node(body, body == 0 ? HET__OP_T_ADD : HET__OP_T_MUL, x, y));
        give(body, add(body, x, constant(body, (float)body)));
    }
    attr_body("then_branch", 0, 2);
    attr_body("else_branch", 1, 2);
    input(BOOL_, rank, E(1), condition);
    input(F32, 1, E(2), V(3, 5));
    input(F32, 0, NULL, V(2));
}

static void if_takes_a_branch(void)
{
    if_case(V(1), 0);
    runs(HET__OP_T_IF, 2);
    check(0, F32, 1, E(2), V(5, 7));
    check(1, F32, 1, E(2), V(3, 5));
    survives_failures();
    rig_end();
    if_case(V(0), 1);
    runs(HET__OP_T_IF, 2);
    check(0, F32, 1, E(2), V(6, 10));
    check(1, F32, 1, E(2), V(4, 6));
    rig_end();
}

static void if_refusals(void)
{
    if_case(V(1), 0);
    rig.in[0].dtype = HET_DTYPE_U8;
    refused(HET__OP_T_IF, 2, "not one boolean");
    if_case(V(1), 0);
    rig.list.count = 1;
    refused(HET__OP_T_IF, 2, "no body else_branch");
    if_case(V(1), 0);
    refused(HET__OP_T_IF, 3, "gives 2 values of 3");
    if_case(V(1), 0);
    rig.attrs[0].count = 1;
    refused(HET__OP_T_IF, 2, "takes 1 inputs of 2");
    if_case(V(1), 0);
    rig.attrs[0].count = 3;
    refused(HET__OP_T_IF, 2, "takes 3 values");
}

/* ---- Loop ---- */

/* sum += step * captured; the sum before is stacked; goes on while the sum is below bound. */
static void loop_case(double trips, float bound)
{
    rig_begin(13);
    const uint32_t at = formal(0);
    formal(0); /* the condition, which the body does not look at */
    const uint32_t sum = formal(0), factor = formal(0);
    const uint32_t next = add(0, sum, node(0, HET__OP_T_MUL, same(0, at), factor));
    give(0, node(0, HET__OP_T_LESS, next, constant(0, bound)));
    give(0, next);
    give(0, add(0, sum, constant(0, 0)));
    attr_body("body", 0, 1);
    if (trips < 0)
        input(HET_DTYPE_NONE, 0, NULL, NULL);
    else
        input(I64, 0, NULL, &trips);
}

static void loop_inputs(const double *condition)
{
    if (condition)
        input(BOOL_, 1, E(1), condition);
    else
        input(HET_DTYPE_NONE, 0, NULL, NULL);
    input(F32, 1, E(2), V(0, 1));
    input(F32, 0, NULL, V(2));
}

static void loop_counts(void)
{
    loop_case(4, -1); /* what the body says is ignored: there was no condition */
    loop_inputs(NULL);
    runs(HET__OP_T_LOOP, 2);
    check(0, F32, 1, E(2), V(12, 13));
    check(1, F32, 2, E(4, 2), V(0, 1, 0, 1, 2, 3, 6, 7));
    survives_failures();
    rig_end();
}

static void scalar_sum(void)
{
    rig.in[2].rank = 0;
}

static void loop_while(void)
{
    loop_case(-1, 10);
    loop_inputs(V(1));
    scalar_sum();
    runs(HET__OP_T_LOOP, 2);
    check(0, F32, 0, NULL, V(12));
    check(1, F32, 1, E(4), V(0, 0, 2, 6));
    rig_end();
    loop_case(2, 10);
    loop_inputs(V(1));
    scalar_sum();
    runs(HET__OP_T_LOOP, 1);
    check(0, F32, 0, NULL, V(2));
    rig_end();
}

static void loop_not_at_all(void)
{
    for (int declared = 0; declared < 2; declared++) {
        loop_case(declared ? 0 : 5, 10);
        loop_inputs(V(declared));
        if (declared) {
            het__value *v = &rig.body[0].values[rig.body[0].outputs[2]];
            v->dtype = I64;
            v->rank = 2;
            v->extent[0] = (het__extent){ 3, HET__SYM_ONE };
            v->extent[1] = (het__extent){ 1, HET__SYM_COUNT };
        }
        runs(HET__OP_T_LOOP, 2);
        check(0, F32, 1, E(2), V(0, 1));
        check(1, declared ? I64 : F32, declared ? 3 : 1, E(0, 3, 0), NULL);
        rig_end();
    }
    loop_case(-1, 10);
    rig.inputs = 0;
    input(I64, 0, NULL, V(-3));
    loop_inputs(V(1));
    runs(HET__OP_T_LOOP, 1);
    check(0, F32, 1, E(2), V(0, 1));
    rig_end();
}

static void loop_changes_extents(void)
{
    rig_begin(13);
    for (int i = 0; i < 2; i++)
        formal(0);
    const uint32_t sum = formal(0), more = formal(0);
    give(0, node(0, HET__OP_T_LESS, constant(0, 0), constant(0, 1)));
    give(0, add(0, sum, more));
    attr_body("body", 0, 1);
    input(I64, 0, NULL, V(2));
    input(HET_DTYPE_NONE, 0, NULL, NULL);
    input(F32, 0, NULL, V(1));
    input(F32, 1, E(2), V(1, 2));
    runs(HET__OP_T_LOOP, 1);
    check(0, F32, 1, E(2), V(3, 5));
    rig_end();
}

static void loop_refusals(void)
{
    loop_case(-1, 10);
    loop_inputs(NULL);
    refused(HET__OP_T_LOOP, 2, "neither a trip count nor");
    loop_case(3, 10);
    loop_inputs(NULL);
    refused(HET__OP_T_LOOP, 3, "3 outputs where the body gives 2");
    loop_case(3, 10);
    loop_inputs(V(1)); /* the sum has two elements */
    refused(HET__OP_T_LOOP, 2, "not one boolean");
    loop_case(3, 10);
    loop_inputs(NULL);
    rig.attrs[0].count = 5;
    refused(HET__OP_T_LOOP, 2, "takes 5 values");
    loop_case(3, 10);
    loop_inputs(NULL);
    rig.to.u.i = 7; /* the step stays an integer: the product is refused inside */
    refused(HET__OP_T_LOOP, 2, "inner");
    rig_begin(13);
    for (int i = 0; i < 2; i++)
        formal(0);
    const uint32_t sum = formal(0);
    give(0, node(0, HET__OP_T_LESS, sum, sum));
    give(0, same(0, sum));
    rig.to.u.i = 7;
    attr_body("body", 0, 0);
    input(I64, 0, NULL, V(2));
    input(HET_DTYPE_NONE, 0, NULL, NULL);
    input(F32, 0, NULL, V(1));
    refused(HET__OP_T_LOOP, 1, "changes its type");
    rig_begin(13); /* what is stacked grows */
    for (int i = 0; i < 2; i++)
        formal(0);
    const uint32_t state = formal(0), more = formal(0);
    give(0, node(0, HET__OP_T_LESS, constant(0, 0), constant(0, 1)));
    give(0, add(0, state, more));
    give(0, add(0, state, constant(0, 0)));
    attr_body("body", 0, 1);
    input(I64, 0, NULL, V(2));
    input(HET_DTYPE_NONE, 0, NULL, NULL);
    input(F32, 0, NULL, V(1));
    input(F32, 1, E(2), V(1, 2));
    refused(HET__OP_T_LOOP, 2, "changes its shape");
}

/* ---- Scan ---- */

/* sum += x; stacked: the new sum. */
static void scan_case(int32_t opset)
{
    rig_begin(opset);
    const uint32_t sum = formal(0), x = formal(0);
    const uint32_t next = add(0, sum, x);
    give(0, next);
    give(0, add(0, next, constant(0, 0)));
    attr_body("body", 0, 0);
    attr("num_scan_inputs", HET__ATTR_INT)->u.i = 1;
}

static void scan_sums(void)
{
    scan_case(11);
    input(F32, 1, E(2), V(0, 100));
    input(F32, 2, E(3, 2), V(1, 2, 3, 4, 5, 6));
    runs(HET__OP_T_SCAN, 2);
    check(0, F32, 1, E(2), V(9, 112));
    check(1, F32, 2, E(3, 2), V(1, 102, 4, 106, 9, 112));
    survives_failures();
    rig_end();
}

static void scan_axes_and_directions(void)
{
    scan_case(9);
    attr_ints("scan_input_axes", 1, E(-1));
    attr_ints("scan_input_directions", 1, E(1));
    attr_ints("scan_output_axes", 1, E(1));
    attr_ints("scan_output_directions", 1, E(1));
    input(F32, 1, E(2), V(0, 100));
    input(F32, 2, E(2, 3), V(1, 2, 3, 4, 5, 6));
    runs(HET__OP_T_SCAN, 2);
    check(0, F32, 1, E(2), V(6, 115));
    check(1, F32, 2, E(2, 3), V(6, 5, 3, 115, 111, 106));
    survives_failures();
    rig_end();
}

static void scan_nothing(void)
{
    scan_case(9);
    input(F32, 1, E(2), V(0, 100));
    input(F32, 2, E(0, 2), NULL);
    runs(HET__OP_T_SCAN, 2);
    check(0, F32, 1, E(2), V(0, 100));
    check(1, F32, 1, E(0), NULL);
    rig_end();
}

static void scan_of_set_8(void)
{
    scan_case(8);
    attr_ints("directions", 1, E(1));
    input(I64, 1, E(2), V(0, 2));
    input(F32, 2, E(2, 1), V(10, 20));
    input(F32, 3, E(2, 3, 1), V(1, 2, 3, 4, 5, 6));
    runs(HET__OP_T_SCAN, 2);
    check(0, F32, 2, E(2, 1), V(10, 29));
    check(1, F32, 3, E(2, 3, 1), V(0, 0, 0, 25, 29, 0));
    survives_failures();
    rig_end();
    scan_case(8);
    input(HET_DTYPE_NONE, 0, NULL, NULL);
    input(F32, 2, E(2, 1), V(10, 20));
    input(F32, 3, E(2, 2, 1), V(1, 2, 3, 4));
    runs(HET__OP_T_SCAN, 2);
    check(0, F32, 2, E(2, 1), V(13, 27));
    check(1, F32, 3, E(2, 2, 1), V(11, 13, 23, 27));
    rig_end();
}

static void scan_inputs(void)
{
    input(F32, 1, E(2), V(0, 100));
    input(F32, 2, E(3, 2), V(1, 2, 3, 4, 5, 6));
}

static void scan_refusals(void)
{
    for (int64_t scans = 0; scans < 4; scans += 3) {
        scan_case(11);
        scan_inputs();
        rig.attrs[1].u.i = scans;
        refused(HET__OP_T_SCAN, 2, "inputs to scan");
    }
    scan_case(11);
    scan_inputs();
    attr_ints("scan_input_axes", 1, E(2));
    refused(HET__OP_T_SCAN, 2, "axis 2 of 2");
    scan_case(11);
    scan_inputs();
    attr_ints("scan_output_axes", 1, E(3));
    refused(HET__OP_T_SCAN, 2, "along axis 3");
    scan_case(11);
    scan_inputs();
    rig.attrs[1].u.i = 2; /* then nothing is carried, and lengths differ */
    refused(HET__OP_T_SCAN, 2, "inputs of 2 and 3 steps");
    scan_case(11);
    input(F32, 1, E(2), V(0, 100));
    refused(HET__OP_T_SCAN, 2, "1 inputs for a body of 2");
    scan_case(8);
    input(I64, 1, E(1), V(4));
    input(F32, 2, E(1, 2), V(0, 100));
    input(F32, 3, E(1, 3, 2), V(1, 2, 3, 4, 5, 6));
    refused(HET__OP_T_SCAN, 2, "4 of 3 steps");
    scan_case(8);
    input(HET_DTYPE_NONE, 0, NULL, NULL);
    input(F32, 2, E(2, 1), V(0, 100));
    input(F32, 3, E(1, 3, 2), V(1, 2, 3, 4, 5, 6));
    refused(HET__OP_T_SCAN, 2, "no batch of 1");
}

/* ---- FlexAttention ---- */

static void flex_case(void)
{
    rig_begin(1);
    const uint32_t scores = formal(0), bias = formal(0);
    give(0, add(0, scores, bias));
    attr_body("score_mod", 0, 1);
    input(F32, 4, E(1, 1, 1, 1), V(1));
    input(F32, 4, E(1, 1, 2, 1), V(1, 1));
    input(F32, 4, E(1, 1, 2, 1), V(8, 4));
}

static void flex_attention_bodies(void)
{
    flex_case();
    input(F32, 1, E(2), V(log(3), 0));
    runs(HET__OP_T_FLEX_ATTENTION, 1);
    check(0, F32, 4, E(1, 1, 1, 1), V(7));
    survives_failures();
    rig_end();
    flex_case();
    input(F32, 4, E(2, 1, 1, 1), V(1, 1));
    refused(HET__OP_T_FLEX_ATTENTION, 1, "changes the shape");
    flex_case();
    refused(HET__OP_T_FLEX_ATTENTION, 1, "score_mod");
}

int main(void)
{
    test_case(if_takes_a_branch);
    test_case(if_refusals);
    test_case(loop_counts);
    test_case(loop_while);
    test_case(loop_not_at_all);
    test_case(loop_changes_extents);
    test_case(loop_refusals);
    test_case(scan_sums);
    test_case(scan_axes_and_directions);
    test_case(scan_nothing);
    test_case(scan_of_set_8);
    test_case(scan_refusals);
    test_case(flex_attention_bodies);
    return test_finish();
}

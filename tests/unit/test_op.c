/* SPDX-License-Identifier: Apache-2.0 */
/* An application's own operators by the public interface: what callbacks see, and where their nodes
 * may stand. */
#include "op_rig.h"

#include <pthread.h>

/* ---- running ---- */

static void runs(void)
{
    ow n = ow_node("test:Shift", "x", "y");
    ow_attr_float(&n, "gain", 2.5f);
    add_shift(NULL, 0);
    ow open = model_of(n, "N"), fixed = model_of(ow_node("test:Shift", "x", "y"), "3");
    check_run(&open, 2.5f);
    check_run(&fixed, 1);
    free(open.data);
    free(fixed.data);
    drop("Shift");
}

/* Through the conversion of other operations around it. */
static void stands_among_others(void)
{
    ow g = ow_graph("g");
    float x[3] = { 1, -2, 3 }, y[3] = { 0 };
    size_t count = 3;
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "3");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_add_node(&g, "Relu", "x", "a");
    ow_add_node(&g, "test:Shift", "a", "b");
    ow_add_node(&g, "test:Shift", "a", "c");
    ow_add_node(&g, "Mul", "b,c", "y");
    ow m = ow_model(9, 17, g);
    add_shift(NULL, 0);
    must_run(&m, x, &count, y);
    CHECK_INT(count, 3);
    for (int i = 0; i < 3; i++) {
        const float r = (x[i] > 0 ? x[i] : 0) + 1;
        CHECK_NEAR(y[i], r * r, 0);
    }
    drop("Shift");
    free(m.data);
}

/* ---- attributes ---- */

static bool sees_lists(const het_op_call *call)
{
    size_t count = 9;
    const int64_t *ints = het_op_attr_ints(call, "ints", &count);
    bool ok = ints && count == 2 && ints[0] == -1 && ints[1] == INT64_MAX;
    const float *floats = het_op_attr_floats(call, "floats", &count);
    ok = ok && floats && count == 3 && floats[2] == 0.75f;
    const char *const *strings = het_op_attr_strings(call, "strings", &count);
    ok = ok && strings && count == 2 && strcmp(strings[1], "two") == 0;
    ints = het_op_attr_ints(call, "no ints", &count);
    ok = ok && ints && count == 0;
    return ok && !het_op_attr_ints(call, "floats", &count) && count == 0 &&
           !het_op_attr_floats(call, "nothing", &count) &&
           !het_op_attr_strings(call, "text", &count);
}

static bool sees_tensor(const het_op_call *call)
{
    het_tensor t = HET_TENSOR_INIT;
    if (het_op_attr_tensor(call, "tensor", &t) != HET_OK || t.desc.rank != 2 ||
        t.desc.dtype != HET_DTYPE_F64 || t.size_bytes != 16 || (uintptr_t)t.data % 8 != 0)
        return false;
    return ((const double *)t.data)[1] == 2.5 &&
           het_op_attr_tensor(call, "int", &t) == HET_E_INVALID;
}

/* 1 if every attribute is as it should be. */
static het_status see_attributes(void *user, het_op_call *call)
{
    (void)user;
    float *y = het_op_call_output(call, 0)->data;
    y[0] = het_op_attr_int(call, "int", 0) == -7 && het_op_attr_int(call, "text", 5) == 5;
    y[1] = het_op_attr_float(call, "float", 0) == 0.5f;
    y[2] = strcmp(het_op_attr_string(call, "text", ""), "words") == 0 &&
           !het_op_attr_string(call, "int", NULL);
    y[3] = sees_lists(call);
    y[4] = sees_tensor(call);
    y[5] = het_op_call_version(call) == 3 && strcmp(het_op_call_node(call), "the node") == 0;
    y[6] = het_op_call_input_count(call) == 1 && het_op_call_output_count(call) == 1 &&
           !het_op_call_input(call, 1) && !het_op_call_output(call, 1);
    return HET_OK;
}

static void reads_attributes(void)
{
    static const int64_t ints[2] = { -1, INT64_MAX };
    const double tensor[2] = { 1, 2.5 };
    ow n = ow_node("test:See", "x", "y"), a = ow_attr("floats", 6);
    ow_attr_int(&n, "int", -7);
    ow_attr_float(&n, "float", 0.5f);
    ow_attr_text(&n, "text", "words");
    ow_attr_ints(&n, "ints", ints, 2);
    ow_attr_ints(&n, "no ints", ints, 0);
    ow_float(&a, 7, 1);
    ow_float(&a, 7, 2);
    ow_float(&a, 7, 0.75f);
    ow_add(&n, OW_NODE_ATTR, a);
    a = ow_attr("strings", 8);
    ow_text(&a, 9, "one");
    ow_text(&a, 9, "two");
    ow_add(&n, OW_NODE_ATTR, a);
    ow_attr_tensor(&n, "tensor", ow_tensor(NULL, OW_DOUBLE, "1,2", tensor, sizeof tensor));
    const het_op_info info = info_of("See", same_shape, see_attributes);
    ow m = model_of(n, "7");
    add(&info);
    /* Wherever the file lies, and so its tensors. */
    uint8_t *space = malloc(m.bytes + 8);
    for (size_t at = 0; space && at < 8; at++) {
        float x[7] = { 0 }, y[7] = { 0 };
        size_t count = 7;
        memcpy(space + at, m.data, m.bytes);
        const ow moved = { space + at, m.bytes, 0 };
        must_run(&moved, x, &count, y);
        for (int i = 0; i < 7; i++)
            CHECK_NEAR(y[i], 1, 0);
    }
    free(space);
    free(m.data);
    drop("See");
}

/* ---- operands ---- */

/* (a, b?, c) -> (a + c [+ b], the number of inputs that are there) */
static het_status three_shape(void *user, het_op_call *call, het_tensor_desc *outputs)
{
    (void)user;
    CHECK(!het_op_call_output(call, 0));
    CHECK_INT(outputs[1].struct_size, sizeof outputs[1]);
    outputs[0] = het_op_call_input(call, 0)->desc;
    outputs[1].dtype = HET_DTYPE_F32; /* a scalar */
    return HET_OK;
}

static het_status three(void *user, het_op_call *call)
{
    (void)user;
    float *sum = het_op_call_output(call, 0)->data, *there = het_op_call_output(call, 1)->data;
    const size_t count = het_op_call_output(call, 0)->size_bytes / sizeof *sum;
    memset(sum, 0, count * sizeof *sum);
    *there = 0;
    for (uint32_t k = 0; k < het_op_call_input_count(call); k++) {
        const het_tensor *t = het_op_call_input(call, k);
        *there += t != NULL;
        CHECK(!t || (uintptr_t)t->data % sizeof(float) == 0);
        for (size_t i = 0; t && i < count; i++)
            sum[i] += ((const float *)t->data)[i];
    }
    return HET_OK;
}

static void check_three(const char *inputs, float want, float want_there)
{
    static const float w[3] = { 10, 20, 30 };
    ow g = ow_graph("g");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "3");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_add(&g, OW_WEIGHT, ow_tensor("w", OW_FLOAT, "3", w, sizeof w));
    ow_add_node(&g, "test:Three", inputs, "sum,there");
    ow_add_node(&g, "Mul", "sum,there", "y");
    ow m = ow_model(9, 17, g);
    uint8_t *space = malloc(m.bytes + 4);
    for (size_t at = 0; space && at < 4; at++) { /* the weight at any address */
        float x[3] = { 1, 2, 3 }, y[3] = { 0 };
        size_t count = 3;
        memcpy(space + at, m.data, m.bytes);
        const ow moved = { space + at, m.bytes, 0 };
        must_run(&moved, x, &count, y);
        for (int i = 0; i < 3; i++)
            CHECK_NEAR(y[i], x[i] * want * want_there, 0);
    }
    free(space);
    free(m.data);
}

static void takes_optional_inputs(void)
{
    het_op_info info = info_of("Three", three_shape, three);
    info.inputs_max = 3;
    info.outputs_min = 2;
    add(&info);
    check_three("x,w,x", 12, 3);
    check_three("x,,w", 11, 2);
    check_three("x", 1, 1);
    check_three("x,,,", 1, 1); /* left out beyond the most there are */
    drop("Three");
}

/* ---- extents that follow from contents ---- */

/* Elements above 0: only computing tells how many. */
static het_status keep_shape(void *user, het_op_call *call, het_tensor_desc *outputs)
{
    (void)user;
    (void)call;
    outputs[0].dtype = HET_DTYPE_F32;
    outputs[0].rank = 1;
    outputs[0].extent[0] = -1;
    return HET_OK;
}

static het_status keep(void *user, het_op_call *call)
{
    (void)user;
    const het_tensor *in = het_op_call_input(call, 0);
    const float *x = in->data;
    het_tensor_desc d = in->desc;
    d.extent[0] = 0;
    for (int64_t i = 0; i < in->desc.extent[0]; i++)
        d.extent[0] += x[i] > 0;
    CHECK(!het_op_call_output(call, 0));
    const het_tensor *out = het_op_call_make_output(call, 0, &d);
    if (!out)
        return HET_E_NOMEM;
    CHECK(het_op_call_make_output(call, 0, &d) == out && het_op_call_output(call, 0) == out);
    float *y = out->data;
    for (int64_t i = 0; i < in->desc.extent[0]; i++)
        if (x[i] > 0)
            *y++ = x[i];
    return HET_OK;
}

static void makes_outputs(void)
{
    ow g = ow_graph("g");
    float x[4] = { 1, -2, 3, 4 }, y[4] = { 0 };
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "N");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_add_node(&g, "test:Keep", "x", "a");
    ow_add_node(&g, "Mul", "a,a", "y");
    ow m = ow_model(9, 17, g);
    het_op_info info = info_of("Keep", keep_shape, keep);
    add(&info);
    for (size_t given = 1; given <= 4; given++) {
        static const size_t kept[5] = { 0, 1, 1, 2, 3 };
        size_t count = given;
        must_run(&m, x, &count, y);
        CHECK_INT(count, kept[given]);
        CHECK_NEAR(y[count - 1], given == 4 ? 16 : given == 3 ? 9 : 1, 0);
    }
    x[0] = -1;
    size_t count = 2; /* nothing is left */
    must_run(&m, x, &count, y);
    CHECK_INT(count, 0);
    drop("Keep");
    free(m.data);
}

/* (x, n) -> x n times: the contents of n tell. */
static het_status repeat_shape(void *user, het_op_call *call, het_tensor_desc *outputs)
{
    (void)user;
    const het_tensor *x = het_op_call_input(call, 0), *n = het_op_call_input(call, 1);
    outputs[0] = x->desc;
    if (n->data)
        outputs[0].extent[0] *= *(const int64_t *)n->data;
    else
        outputs[0] = (het_tensor_desc){ sizeof *outputs, x->desc.dtype, 0,
                                        HET_TENSOR_RANK_UNKNOWN, { 0 } };
    return HET_OK;
}

static het_status repeat(void *user, het_op_call *call)
{
    (void)user;
    const het_tensor *in = het_op_call_input(call, 0), *out = het_op_call_output(call, 0);
    for (size_t at = 0; out && at < out->size_bytes; at += in->size_bytes)
        memcpy((char *)out->data + at, in->data, in->size_bytes);
    return out ? HET_OK : HET_E_INTERNAL;
}

static void add_repeat(void)
{
    het_op_info info = info_of("Repeat", repeat_shape, repeat);
    info.inputs_min = 2;
    add(&info);
}

static void reads_contents_for_shapes(void)
{
    static const int64_t two = 2;
    float x[2] = { 5, 6 }, y[8] = { 0 };
    add_repeat();
    for (int constant = 0; constant < 2; constant++) {
        ow g = ow_graph("g");
        ow_value(&g, OW_INPUT, "x", OW_FLOAT, "2");
        ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
        if (constant) {
            ow_add(&g, OW_WEIGHT, ow_tensor("n", OW_INT64, "", &two, sizeof two));
        } else {
            ow_add_node(&g, "ReduceMax", "x", "top");
            ow c = ow_node("Cast", "top", "n");
            ow_attr_int(&c, "to", OW_INT64);
            ow_add(&g, OW_NODE, c);
        }
        ow_add_node(&g, "test:Repeat", "x,n", "y");
        ow m = ow_model(9, 17, g);
        x[1] = constant ? 6 : 3;
        x[0] = constant ? 5 : 2;
        size_t count = 2;
        must_run(&m, x, &count, y);
        CHECK_INT(count, constant ? 4 : 6);
        for (size_t i = 0; i < count; i++)
            CHECK_NEAR(y[i], x[i % 2], 0);
        free(m.data);
    }
    drop("Repeat");
}

/* ---- bodies ---- */

/* x, shifted as often as the loop runs: three times. */
static ow loop_model(void)
{
    static const int64_t trips = 3;
    ow body = ow_graph("body");
    ow_value(&body, OW_INPUT, "i", OW_INT64, "");
    ow_value(&body, OW_INPUT, "go", OW_BOOL, "");
    ow_value(&body, OW_INPUT, "v", OW_FLOAT, NULL);
    ow_value(&body, OW_OUTPUT, "go on", OW_BOOL, NULL);
    ow_value(&body, OW_OUTPUT, "w", OW_FLOAT, NULL);
    ow_add_node(&body, "Identity", "go", "go on");
    ow_add_node(&body, "test:Shift", "v", "s");
    ow_add_node(&body, "test:Repeat", "s,one", "w"); /* takes one from around */
    ow loop = ow_node("Loop", "trips,,x", "y");
    ow_attr_graph(&loop, "body", body);
    ow g = ow_graph("g");
    static const int64_t one = 1;
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "N");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_add(&g, OW_WEIGHT, ow_tensor("trips", OW_INT64, "", &trips, sizeof trips));
    ow_add(&g, OW_WEIGHT, ow_tensor("one", OW_INT64, "", &one, sizeof one));
    ow_add(&g, OW_NODE, loop);
    return ow_model(9, 17, g);
}

/* More than 0 at its top: shifted, else as it is. */
static ow if_model(void)
{
    static const float zero = 0;
    ow yes = ow_graph("yes"), no = ow_graph("no"), g = ow_graph("g");
    ow_value(&yes, OW_OUTPUT, "a", OW_FLOAT, NULL);
    ow_add_node(&yes, "test:Shift", "x", "a");
    ow_value(&no, OW_OUTPUT, "b", OW_FLOAT, NULL);
    ow_add_node(&no, "Identity", "x", "b");
    ow node = ow_node("If", "c", "y");
    ow_attr_graph(&node, "then_branch", yes);
    ow_attr_graph(&node, "else_branch", no);
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "N");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_add(&g, OW_WEIGHT, ow_tensor("zero", OW_FLOAT, "", &zero, sizeof zero));
    ow max = ow_node("ReduceMax", "x", "top");
    ow_attr_int(&max, "keepdims", 0);
    ow_add(&g, OW_NODE, max);
    ow_add_node(&g, "Greater", "top,zero", "c");
    ow_add(&g, OW_NODE, node);
    return ow_model(9, 17, g);
}

static void stands_in_bodies(void)
{
    add_shift(NULL, 0);
    add_repeat();
    ow loop = loop_model(), branch = if_model();
    check_run(&loop, 3);
    check_run(&branch, 1);
    float x[2] = { -1, -2 }, y[2] = { 0 };
    size_t count = 2;
    must_run(&branch, x, &count, y);
    CHECK_NEAR(y[1], -2, 0);
    drop("Shift");
    drop("Repeat");
    free(loop.data);
    free(branch.data);
}

/* ---- folding and cost ---- */

static void run_often(const ow *file, uint32_t often)
{
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    het_session *s = NULL;
    float x[3] = { 1, 2, 3 };
    CHECK_INT(load(file, &model, &err), HET_OK);
    het_status st = open_session(model, &s, &err);
    if (st == HET_OK)
        st = bind_x(s, x, 3, &err);
    for (uint32_t i = 0; st == HET_OK && i < often; i++)
        st = het_session_run(s, &err);
    if (st != HET_OK)
        TEST_FAIL("%s", err.message);
    het_session_destroy(s);
    het_model_destroy(model);
}

static void folds_what_is_pure(void)
{
    static const float w[3] = { 10, 20, 30 };
    ow g = ow_graph("g");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "3");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_add(&g, OW_WEIGHT, ow_tensor("w", OW_FLOAT, "3", w, sizeof w));
    ow_add_node(&g, "test:Shift", "w", "v");
    ow_add_node(&g, "Add", "x,v", "y");
    ow m = ow_model(9, 17, g);
    for (uint64_t flags = 0; flags <= HET_OP_PURE; flags++) {
        _Atomic uint32_t calls = 0;
        add_shift(&calls, flags);
        run_often(&m, 4);
        CHECK_INT(calls, flags & HET_OP_PURE ? 1 : 4);
        drop("Shift");
    }
    free(m.data);
}

static uint32_t costs;

static void cost(void *user, const het_op_call *call, het_op_cost *c)
{
    (void)user;
    CHECK_NEAR(c->flop_count, 3, 0);
    CHECK_INT(het_op_call_output(call, 0)->desc.extent[0], 3);
    CHECK(!het_op_call_output(call, 0)->data && !het_op_call_input(call, 0)->data);
    c->flop_count = 12345;
    c->extra_bytes = (double)NAN;
    costs++;
}

static void counts_cost(void)
{
    het_op_info info = info_of("Shift", same_shape, shift);
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    het_session *s = NULL;
    het_plan_layer layer = { .struct_size = sizeof layer };
    ow m = model_of(ow_node("test:Shift", "x", "y"), "3");
    info.cost = cost;
    costs = 0;
    add(&info);
    CHECK_INT(load(&m, &model, &err), HET_OK);
    CHECK_INT(open_session(model, &s, &err), HET_OK);
    CHECK(costs > 0);
    const het_plan *plan = s ? het_session_plan(s, 0) : NULL;
    CHECK(plan && het_plan_layer_at(plan, 0, &layer) == HET_OK);
    if (plan) {
        CHECK_STR(layer.operations, "test:Shift");
        CHECK_NEAR(layer.flop_count, 12345, 0);
    }
    het_session_destroy(s);
    het_model_destroy(model);
    drop("Shift");
    free(m.data);
}

/* ---- threads and memory ---- */

typedef struct job {
    const het_model *model;
    int failures;
} job;

static void *run_job(void *argument)
{
    job *j = argument;
    float x[3] = { 1, 2, 3 };
    het_session *s = NULL;
    het_error err = HET_ERROR_INIT;
    het_status st = open_session(j->model, &s, &err);
    if (st == HET_OK)
        st = bind_x(s, x, 3, &err);
    for (int i = 0; st == HET_OK && i < 50; i++) {
        het_tensor out = HET_TENSOR_INIT;
        het_op_info o = info_of("Other", same_shape, shift);
        st = het_session_run(s, &err);
        if (st == HET_OK)
            st = het_session_get_output(s, "y", &out, &err);
        j->failures += st != HET_OK || ((const float *)out.data)[2] != 6;
        /* Meanwhile others register; only one of the two threads can at a time. */
        if (het_op_register(context, &o, &err) == HET_OK &&
            het_op_unregister(context, "test", "Other", &err) != HET_OK)
            j->failures++;
    }
    j->failures += st != HET_OK;
    het_session_destroy(s);
    return NULL;
}

static het_status quiet_shift(void *user, het_op_call *call)
{
    const het_tensor *in = het_op_call_input(call, 0), *out = het_op_call_output(call, 0);
    for (size_t i = 0; i < in->size_bytes / sizeof(float); i++)
        ((float *)out->data)[i] = ((const float *)in->data)[i] + 1;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
    return HET_OK;
}

static void runs_on_several_threads(void)
{
    _Atomic uint32_t calls = 0;
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    pthread_t threads[2];
    het_op_info o = info_of("Shift", same_shape, quiet_shift);
    o.user = &calls;
    add(&o);
    add_repeat();
    ow m = loop_model();
    CHECK_INT(load(&m, &model, &err), HET_OK);
    job jobs[2] = { { model, 0 }, { model, 0 } };
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT(jobs[i].failures, 0);
    }
    CHECK_INT(calls, 2 * 50 * 3);
    het_model_destroy(model);
    drop("Shift");
    drop("Repeat");
    free(m.data);
}

/* Registers, runs a file, takes the operators away again. */
static het_status use_once(const ow *file, int *released, het_error *err)
{
    float x[3] = { 1, 2, 3 }, y[3];
    size_t count = 3;
    het_op_info o = info_of("Three", three_shape, three), k = info_of("Keep", keep_shape, keep);
    o.inputs_max = 3;
    o.outputs_min = 2;
    o.user = released;
    o.release = note_release;
    het_status s = het_op_register(context, &o, err);
    if (s != HET_OK)
        return s;
    s = het_op_register(context, &k, err);
    if (s == HET_OK) {
        s = run_file(file, x, &count, y, err);
        drop("Keep");
    }
    drop("Three");
    return s;
}

static void survives_each_failed_allocation(void)
{
    static const float w[3] = { 10, 20, 30 };
    const double d[2] = { 1, 2 };
    ow g = ow_graph("g"), n = ow_node("test:Three", "x,w", "a,b");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "3");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_add(&g, OW_WEIGHT, ow_tensor("w", OW_FLOAT, "3", w, sizeof w));
    ow_attr_tensor(&n, "tensor", ow_tensor(NULL, OW_DOUBLE, "1,2", d, sizeof d));
    ow_add(&g, OW_NODE, n);
    ow_add_node(&g, "test:Keep", "a", "y");
    ow file = ow_model(9, 17, g);
    uint64_t n_th = 1;
    for (; n_th < 1000; n_th++) {
        const int64_t blocks = counter.blocks;
        int released = 0;
        het_error err = HET_ERROR_INIT;
        counting_allocator_fail(&counter, n_th);
        const het_status s = use_once(&file, &released, &err);
        const bool met = counter.failed > 0;
        counting_allocator_fail(&counter, 0);
        if (s != HET_OK && s != HET_E_NOMEM)
            TEST_FAIL("allocation %d: %d: %s", (int)n_th, (int)s, err.message);
        /* The list of the context may have grown; it does so at most twice. */
        if (counter.blocks > blocks + 1)
            TEST_FAIL("allocation %d: %d blocks more", (int)n_th, (int)(counter.blocks - blocks));
        CHECK(released == 1 || (s == HET_E_NOMEM && released == 0));
        if (!met) {
            CHECK_INT(s, HET_OK);
            break;
        }
    }
    printf("%d allocations\n", (int)n_th);
    CHECK(n_th > 20 && n_th < 1000);
    free(file.data);
}

static void on_each_device(void)
{
    test_case(runs);
    test_case(stands_among_others);
    test_case(reads_attributes);
    test_case(takes_optional_inputs);
    test_case(makes_outputs);
    test_case(reads_contents_for_shapes);
    test_case(stands_in_bodies);
    test_case(folds_what_is_pure);
    test_case(counts_cost);
    test_case(runs_on_several_threads);
    test_case(survives_each_failed_allocation);
}

int main(void)
{
    return test_operators(NULL, on_each_device);
}

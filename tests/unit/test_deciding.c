/* SPDX-License-Identifier: Apache-2.0 */
/* Small inputs that decide what runs (a switch, a shape): each content has a form of its own, which
 * allocates nothing in a run; contents that never come back cost no forms without end. */
#include <hetinfer.h>

#include "counting_allocator.h"
#include "onnx_writer.h"
#include "test.h"

static counting_allocator counter;
static het_context *context;

static het_model *load(ow *file)
{
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    if (het_model_load_memory(context, file->data, file->bytes, NULL, &model, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return model;
}

static het_session *open_session(const het_model *model)
{
    het_error err = HET_ERROR_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    o.threads = 2;
    if (het_session_create(model, &o, &s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return s;
}

static void bind(het_session *s, const char *name, het_dtype type, uint32_t rank, int64_t extent,
                 void *data, size_t bytes)
{
    het_error err = HET_ERROR_INIT;
    het_tensor t = HET_TENSOR_INIT;
    t.data = data;
    t.size_bytes = bytes;
    t.desc.dtype = type;
    t.desc.rank = rank;
    t.desc.extent[0] = extent;
    if (het_session_bind_input(s, name, &t, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
}

static het_tensor run(het_session *s)
{
    het_error err = HET_ERROR_INIT;
    het_tensor t = HET_TENSOR_INIT;
    if (het_session_run(s, &err) != HET_OK || het_session_get_output(s, "y", &t, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return t;
}

/* y = c ? x + x : x * x, and the condition is an input, by way of a node. */
static ow switch_file(void)
{
    ow yes = ow_graph("yes"), no = ow_graph("no"), g = ow_graph("g");
    ow_value(&yes, OW_OUTPUT, "a", OW_FLOAT, NULL);
    ow_add_node(&yes, "Add", "x,x", "a");
    ow_value(&no, OW_OUTPUT, "b", OW_FLOAT, NULL);
    ow_add_node(&no, "Mul", "x,x", "b");
    ow node = ow_node("If", "c", "y");
    ow_attr_graph(&node, "then_branch", yes);
    ow_attr_graph(&node, "else_branch", no);
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "N");
    ow_value(&g, OW_INPUT, "k", OW_INT64, "");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    static const int64_t eight = 8;
    ow_add(&g, OW_WEIGHT, ow_tensor("eight", OW_INT64, "", &eight, sizeof eight));
    ow_add_node(&g, "Equal", "k,eight", "c");
    ow_add(&g, OW_NODE, node);
    return ow_model(9, 17, g);
}

static void switch_once(het_session *s, float *x, int64_t k)
{
    bind(s, "x", HET_DTYPE_F32, 1, 3, x, 3 * sizeof *x);
    bind(s, "k", HET_DTYPE_I64, 0, 0, &k, sizeof k);
    const het_tensor t = run(s);
    for (int i = 0; t.data && i < 3; i++)
        CHECK_NEAR(((const float *)t.data)[i], k == 8 ? x[i] + x[i] : x[i] * x[i], 0);
}

static void switches_without_allocating(void)
{
    ow file = switch_file();
    het_model *model = load(&file);
    het_session *s = open_session(model);
    float x[3] = { 3, -1, 5 };
    switch_once(s, x, 8);
    switch_once(s, x, 16);
    counting_allocator_fail(&counter, 0);
    for (int i = 0; i < 6; i++) {
        x[1] += 1;
        switch_once(s, x, i % 2 ? 8 : 16);
    }
    CHECK_INT(counter.calls, 0);
    het_session_destroy(s);
    het_model_destroy(model);
    free(file.data);
}

/* A warm-up knows no contents: its form gives way to those that do. */
static void warm_up_decides_nothing(void)
{
    ow file = switch_file();
    het_model *model = load(&file);
    het_session *s = open_session(model);
    float x[3] = { 3, -1, 5 };
    int64_t k = 16;
    bind(s, "x", HET_DTYPE_F32, 1, 3, x, sizeof x);
    bind(s, "k", HET_DTYPE_I64, 0, 0, &k, sizeof k);
    CHECK_INT(het_session_warmup(s, NULL), HET_OK);
    switch_once(s, x, 8);
    switch_once(s, x, 16);
    het_session_destroy(s);
    het_model_destroy(model);
    free(file.data);
}

/* A number that is another one in each run, as positions and counters are. */
static void contents_may_change_forever(void)
{
    ow file = switch_file();
    het_model *model = load(&file);
    het_session *s = open_session(model);
    float x[3] = { 3, -1, 5 };
    for (int64_t k = 0; k < 40; k++)
        switch_once(s, x, k);
    const uint64_t before = counter.calls;
    for (int64_t k = 40; k < 60; k++)
        switch_once(s, x, k);
    const uint64_t calls = counter.calls - before;
    CHECK(calls < 20 * 40); /* no form was made: that takes hundreds */
    switch_once(s, x, 8);
    het_session_destroy(s);
    het_model_destroy(model);
    free(file.data);
}

/* y = Relu(Reshape(x, shape)), shape an input. */
static void shapes_are_inputs(void)
{
    ow g = ow_graph("g");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "N");
    ow_value(&g, OW_INPUT, "shape", OW_INT64, "2");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_add_node(&g, "Reshape", "x,shape", "r");
    ow_add_node(&g, "Relu", "r", "y");
    ow file = ow_model(9, 17, g);
    het_model *model = load(&file);
    het_session *s = open_session(model);
    float x[6] = { 1, -2, 3, -4, 5, -6 };
    int64_t shapes[3][2] = { { 2, 3 }, { 3, 2 }, { -1, 1 } };
    for (int i = 0; i < 12; i++) {
        if (i == 3)
            counting_allocator_fail(&counter, 0);
        bind(s, "x", HET_DTYPE_F32, 1, 6, x, sizeof x);
        bind(s, "shape", HET_DTYPE_I64, 1, 2, shapes[i % 3], sizeof shapes[0]);
        const het_tensor t = run(s);
        CHECK_INT(t.desc.rank, 2);
        CHECK_INT(t.desc.extent[0], i % 3 == 2 ? 6 : shapes[i % 3][0]);
        CHECK_INT(t.desc.extent[1], shapes[i % 3][1]);
        for (int k = 0; t.data && k < 6; k++)
            CHECK_NEAR(((const float *)t.data)[k], x[k] > 0 ? x[k] : 0, 0);
    }
    CHECK_INT(counter.calls, 0);
    het_session_destroy(s);
    het_model_destroy(model);
    free(file.data);
}

int main(void)
{
    const het_allocator allocator = counting_allocator_of(&counter);
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.allocator = &allocator;
    CHECK_INT(het_context_create(&o, &context, NULL), HET_OK);
    test_case(switches_without_allocating);
    test_case(warm_up_decides_nothing);
    test_case(contents_may_change_forever);
    test_case(shapes_are_inputs);
    het_context_destroy(context);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
    return test_finish();
}

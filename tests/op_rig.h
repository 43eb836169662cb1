/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of an application's own operators share: a context that counts its memory, small files
 * with one node, one run of them on the device at hand, and an operator that adds a number. */
#ifndef HETINFER_OP_RIG_H
#define HETINFER_OP_RIG_H

#include <hetinfer.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "counting_allocator.h"
#include "onnx_writer.h"
#include "test.h"

static counting_allocator counter;
static het_context *context;
static const char *device;

/* ---- models and sessions ---- */

static void add_domain(ow *m)
{
    ow_add(m, OW_OPSET, ow_opset("test", 3));
}

/* y = node(x), one input of floats. Takes the node over. */
static ow model_of(ow node, const char *extents)
{
    ow g = ow_graph("g");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, extents);
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_text(&node, OW_NODE_NAME, "the node");
    ow_add(&g, OW_NODE, node);
    ow m = ow_model(9, 17, g);
    add_domain(&m);
    return m;
}

static het_status load(const ow *file, het_model **model, het_error *err)
{
    return het_model_load_memory(context, file->data, file->bytes, NULL, model, err);
}

static het_status open_session(const het_model *model, het_session **session, het_error *err)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.devices = device;
    o.threads = 2;
    return het_session_create(model, &o, session, err);
}

static het_status bind_x(het_session *s, float *data, size_t count, het_error *err)
{
    het_tensor t = HET_TENSOR_INIT;
    t.data = data;
    t.size_bytes = count * sizeof *data;
    t.desc.dtype = HET_DTYPE_F32;
    t.desc.rank = 1;
    t.desc.extent[0] = (int64_t)count;
    return het_session_bind_input(s, "x", &t, err);
}

/* Loads, runs once with x and copies y out. count: elements of x, then of y. */
static het_status run_file(const ow *file, float *x, size_t *count, float *y, het_error *err)
{
    het_model *model = NULL;
    het_session *s = NULL;
    het_tensor out = HET_TENSOR_INIT;
    het_status st = load(file, &model, err);
    if (st == HET_OK)
        st = open_session(model, &s, err);
    if (st == HET_OK)
        st = bind_x(s, x, *count, err);
    if (st == HET_OK)
        st = het_session_run(s, err);
    if (st == HET_OK)
        st = het_session_get_output(s, "y", &out, err);
    *count = out.size_bytes / sizeof *y;
    if (st == HET_OK)
        memcpy(y, out.data, out.size_bytes);
    het_session_destroy(s);
    het_model_destroy(model);
    return st;
}

static inline void must_run(const ow *file, float *x, size_t *count, float *y)
{
    het_error err = HET_ERROR_INIT;
    if (run_file(file, x, count, y, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
}

/* ---- operators ---- */

static het_op_info info_of(const char *name, het_op_shape_fn shape, het_op_compute_fn compute)
{
    het_op_info info = HET_OP_INFO_INIT;
    info.domain = "test";
    info.name = name;
    info.inputs_min = 1;
    info.shape = shape;
    info.compute = compute;
    return info;
}

static void add(const het_op_info *info)
{
    het_error err = HET_ERROR_INIT;
    if (het_op_register(context, info, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
}

static void drop(const char *name)
{
    het_error err = HET_ERROR_INIT;
    if (het_op_unregister(context, "test", name, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
}

static het_status same_shape(void *user, het_op_call *call, het_tensor_desc *outputs)
{
    (void)user;
    outputs[0] = het_op_call_input(call, 0)->desc;
    return HET_OK;
}

/* y = x + gain; counts calls in user, if there is one. */
static het_status shift(void *user, het_op_call *call)
{
    const het_tensor *in = het_op_call_input(call, 0), *out = het_op_call_output(call, 0);
    const float gain = het_op_attr_float(call, "gain", 1.0f), *x = in->data;
    float *y = out->data;
    CHECK_INT((uintptr_t)x % sizeof *x, 0);
    for (size_t i = 0; i < in->size_bytes / sizeof *x; i++)
        y[i] = x[i] + gain;
    if (user)
        atomic_fetch_add((_Atomic uint32_t *)user, 1);
    return HET_OK;
}

static void add_shift(void *user, uint64_t flags)
{
    het_op_info info = info_of("Shift", same_shape, shift);
    info.user = user;
    info.flags = flags;
    add(&info);
}

static inline void check_run(const ow *file, float gain)
{
    float x[3] = { 1, -2, 3 }, y[3] = { 0 };
    size_t count = 3;
    must_run(file, x, &count, y);
    CHECK_INT(count, 3);
    for (int i = 0; i < 3; i++)
        CHECK_NEAR(y[i], x[i] + gain, 0);
}

static void note_release(void *user)
{
    ++*(int *)user;
}

/* All cases that do not depend on the device (NULL: none), then those that do, with each. */
static int test_operators(void (*once)(void), void (*on_each_device)(void))
{
    const het_allocator allocator = counting_allocator_of(&counter);
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.allocator = &allocator;
    if (het_context_create(&o, &context, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        return test_finish();
    }
    if (once)
        once();
    for (uint32_t i = 0; i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        CHECK_INT(het_device_get_info(het_context_device(context, i), &info), HET_OK);
        device = info.backend;
        printf("with %s\n", device);
        on_each_device();
    }
    add_shift(NULL, 0); /* the context gives it back */
    het_context_destroy(context);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
    return test_finish();
}

#endif /* HETINFER_OP_RIG_H */

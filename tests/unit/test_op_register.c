/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations of an application's own operators: what is refused, which nodes they serve, how
 * long they live; and callbacks that fail. */
#include "op_rig.h"

static const char *find(const het_model *m, const char *key, const char *type)
{
    for (size_t i = 0; i < het_model_metadata_count(m); i++) {
        het_metadata e = { .struct_size = sizeof e };
        if (het_model_metadata_at(m, i, &e) == HET_OK && strcmp(e.key, key) == 0 &&
            strcmp(e.type, type) == 0)
            return e.value;
    }
    return "";
}

static void is_known_where_registered(void)
{
    ow m = model_of(ow_node("test:Shift", "x", "y"), "3");
    het_error err = HET_ERROR_INIT;
    het_model *before = NULL, *after = NULL;
    CHECK_INT(load(&m, &before, &err), HET_OK);
    CHECK_STR(find(before, "test:Shift", "unknown operation"), "1");
    add_shift(NULL, 0);
    CHECK_INT(load(&m, &after, &err), HET_OK);
    CHECK_STR(find(after, "test:Shift", "operation"), "1");
    CHECK_STR(find(before, "test:Shift", "unknown operation"), "1");
    het_session *s = NULL;
    CHECK_INT(open_session(before, &s, &err), HET_E_UNSUPPORTED);
    CHECK_STR(err.message, "node the node: operation test:Shift is not known");
    het_model_destroy(before);
    het_model_destroy(after);
    drop("Shift");
    free(m.data);
}

static void counts_operands(void)
{
    static const char *const wrong[][2] = {
        { "x,x,x,x", "y,b" }, { "", "y,b" }, { "x", "y" }, { "x", "y,b,c" },
    };
    het_op_info info = info_of("Three", same_shape, shift);
    info.inputs_max = 3;
    info.outputs_min = 2;
    add(&info);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ow m = model_of(ow_node("test:Three", wrong[i][0], wrong[i][1]), "3");
        het_error err = HET_ERROR_INIT;
        het_model *model = NULL;
        CHECK_INT(load(&m, &model, &err), HET_E_FORMAT);
        if (!strstr(err.message, "the node") || !strstr(err.message, "test:Three"))
            TEST_FAIL("\"%s\" names neither node nor operator", err.message);
        CHECK(!model);
        free(m.data);
    }
    drop("Three");
}

/* ---- callbacks that fail ---- */

typedef enum fault {
    SHAPE_FAILS, SHAPE_SAYS_WHY, SHAPE_NEGATIVE, SHAPE_RANK, SHAPE_NO_TYPE, SHAPE_BLOCKS,
    SHAPE_FLAG, SHAPE_HUGE, SHAPE_MAKES, COMPUTE_FAILS, COMPUTE_SAYS_WHY, COMPUTE_ODD_STATUS,
    COMPUTE_CANCELS, COMPUTE_MAKES_NOTHING, COMPUTE_OTHER_TYPE, COMPUTE_OTHER_SHAPE,
    COMPUTE_NEGATIVE, COMPUTE_NO_SUCH, FAULTS
} fault;

static const struct {
    het_status status;
    const char *message;
} faults[FAULTS] = {
    [SHAPE_FAILS] = { HET_E_UNSUPPORTED, "the application's shape function returned -3" },
    [SHAPE_SAYS_WHY] = { HET_E_UNSUPPORTED, "not today" },
    [SHAPE_NEGATIVE] = { HET_E_INVALID, "the shape function gives output 0 extent -5" },
    [SHAPE_RANK] = { HET_E_INVALID, "the shape function gives output 0 9 extents; 8 is the most" },
    [SHAPE_NO_TYPE] = { HET_E_INVALID, "the shape function gives output 0 no type of a graph" },
    [SHAPE_BLOCKS] = { HET_E_INVALID, "the shape function gives output 0 no type of a graph" },
    [SHAPE_FLAG] = { HET_E_INVALID, "the shape function gives output 0 an unknown flag" },
    [SHAPE_HUGE] = { HET_E_INVALID, "output 0 has an impossible size" },
    [SHAPE_MAKES] = { HET_E_INVALID, "output 0 cannot be made here" },
    [COMPUTE_FAILS] = { HET_E_IO, "the application's compute function returned -6" },
    [COMPUTE_SAYS_WHY] = { HET_E_IO, "the disk is gone" },
    [COMPUTE_ODD_STATUS] = { HET_E_INVALID, "the application's compute function returned 5" },
    [COMPUTE_CANCELS] = { HET_E_CANCELLED, "the application's compute function returned -9" },
    [COMPUTE_MAKES_NOTHING] = { HET_E_INVALID, "the compute function did not make output 0" },
    [COMPUTE_OTHER_TYPE] = { HET_E_INVALID,
                             "the compute function gives output 0 another type than the shape "
                             "function" },
    [COMPUTE_OTHER_SHAPE] = { HET_E_INVALID,
                              "the compute function gives output 0 another shape than it has" },
    [COMPUTE_NEGATIVE] = { HET_E_INVALID, "output 0 has an impossible size" },
    [COMPUTE_NO_SUCH] = { HET_E_INVALID, "output 1 cannot be made here" },
};

static het_status faulty_shape(void *user, het_op_call *call, het_tensor_desc *outputs)
{
    het_tensor_desc *y = &outputs[0];
    const fault f = *(const fault *)user;
    *y = het_op_call_input(call, 0)->desc;
    switch (f) {
    case SHAPE_FAILS: return HET_E_UNSUPPORTED;
    case SHAPE_SAYS_WHY:
        het_op_call_fail(call, "at first this");
        het_op_call_fail(call, "not today");
        return HET_E_UNSUPPORTED;
    case SHAPE_NEGATIVE: y->extent[0] = -5; break;
    case SHAPE_RANK: y->rank = 9; break;
    case SHAPE_NO_TYPE: y->dtype = HET_DTYPE_NONE; break;
    case SHAPE_BLOCKS: y->dtype = HET_DTYPE_Q8_0; break;
    case SHAPE_FLAG: y->flags = 2; break;
    case SHAPE_HUGE: y->extent[0] = INT64_MAX; break;
    case SHAPE_MAKES: (void)!het_op_call_make_output(call, 0, y); break;
    case COMPUTE_MAKES_NOTHING: case COMPUTE_OTHER_TYPE: case COMPUTE_NEGATIVE:
        y->extent[0] = -1;
        break;
    default: break;
    }
    return HET_OK;
}

static het_status faulty(void *user, het_op_call *call)
{
    het_tensor_desc d = het_op_call_input(call, 0)->desc;
    switch (*(const fault *)user) {
    case COMPUTE_FAILS: return HET_E_IO;
    case COMPUTE_SAYS_WHY: het_op_call_fail(call, "the disk is gone"); return HET_E_IO;
    case COMPUTE_ODD_STATUS: return (het_status)5;
    case COMPUTE_CANCELS: return HET_E_CANCELLED;
    case COMPUTE_OTHER_TYPE: d.dtype = HET_DTYPE_I32; break;
    case COMPUTE_OTHER_SHAPE: d.extent[0]++; break;
    case COMPUTE_NEGATIVE: d.extent[0] = -1; break;
    case COMPUTE_NO_SUCH: return het_op_call_make_output(call, 1, &d) ? HET_OK : HET_E_IO;
    default: return HET_OK;
    }
    CHECK(!het_op_call_make_output(call, 0, &d));
    return HET_OK; /* the failure counts all the same */
}

static void reports_failures(void)
{
    fault f = SHAPE_FAILS;
    ow m = model_of(ow_node("test:Faulty", "x", "y"), "N");
    het_op_info info = info_of("Faulty", faulty_shape, faulty);
    info.user = &f;
    add(&info);
    for (; f < FAULTS; f++) {
        float x[3] = { 1, 2, 3 }, y[3];
        size_t count = 3;
        het_error err = HET_ERROR_INIT;
        char want[200];
        snprintf(want, sizeof want, "test:Faulty the node: %s", faults[f].message);
        CHECK_INT(run_file(&m, x, &count, y, &err), faults[f].status);
        CHECK_STR(err.message, want);
    }
    drop("Faulty");
    free(m.data);
}

/* A session goes on after a run in which the application failed. */
static void recovers(void)
{
    fault f = COMPUTE_SAYS_WHY;
    float x[3] = { 1, 2, 3 };
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    het_session *s = NULL;
    ow m = model_of(ow_node("test:Faulty", "x", "y"), "3");
    het_op_info info = info_of("Faulty", faulty_shape, faulty);
    info.user = &f;
    add(&info);
    CHECK_INT(load(&m, &model, &err), HET_OK);
    CHECK_INT(open_session(model, &s, &err), HET_OK);
    CHECK_INT(bind_x(s, x, 3, &err), HET_OK);
    CHECK_INT(het_session_run(s, &err), HET_E_IO);
    f = FAULTS;
    CHECK_INT(het_session_run(s, &err), HET_OK);
    f = COMPUTE_FAILS;
    CHECK_INT(het_session_run(s, &err), HET_E_IO);
    het_session_destroy(s);
    het_model_destroy(model);
    drop("Faulty");
    free(m.data);
}

/* ---- registering ---- */

static void refused(const het_op_info *info, het_status status, const char *word)
{
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het_op_register(context, info, &err), status);
    if (!strstr(err.message, word))
        TEST_FAIL("\"%s\" lacks \"%s\"", err.message, word);
}

static void refuses_what_is_wrong(void)
{
    const het_op_info good = info_of("Good", same_shape, shift);
    het_op_info o = good;
    o.name = NULL;
    refused(&o, HET_E_INVALID, "name");
    o.name = "";
    refused(&o, HET_E_INVALID, "name");
    o = good;
    o.shape = NULL;
    refused(&o, HET_E_INVALID, "Good has no shape");
    o = good;
    o.compute = NULL;
    refused(&o, HET_E_INVALID, "Good has no compute");
    o = good;
    o.inputs_min = 3;
    o.inputs_max = 2;
    refused(&o, HET_E_INVALID, "3 to 2 inputs");
    o.inputs_max = 65;
    refused(&o, HET_E_INVALID, "65 inputs");
    o = good;
    o.outputs_min = 65;
    refused(&o, HET_E_INVALID, "65 outputs");
    o = good;
    o.version_min = 5;
    o.version_max = 4;
    refused(&o, HET_E_INVALID, "versions 5 to 4");
    o = good;
    o.flags = 2;
    refused(&o, HET_E_VERSION, "flag");
    o = good;
    o.struct_size = 2;
    refused(&o, HET_E_INVALID, "het_op_info");
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het_op_unregister(context, "test", "Good", &err), HET_E_INVALID);
    CHECK_STR(err.message, "no operator test:Good is registered");
}

static void replaces_nothing(void)
{
    static const char *const known[][2] = {
        { NULL, "Relu" }, { "", "Conv" }, { "ai.onnx", "Loop" }, { "com.microsoft", "Gelu" },
    };
    het_op_info o = info_of("Mine", same_shape, shift);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        o.domain = known[i][0];
        o.name = known[i][1];
        refused(&o, HET_E_INVALID, "the library has");
    }
    o.domain = "test";
    o.name = "Mine";
    o.version_min = 2;
    o.version_max = 4;
    add(&o);
    o.version_min = 4;
    o.version_max = 0;
    refused(&o, HET_E_INVALID, "test:Mine is registered already, for versions 2 to 4");
    o.version_min = 5;
    add(&o);
    o.version_min = 0;
    o.version_max = 1;
    add(&o);
    drop("Mine"); /* all versions */
    o.version_max = 0;
    add(&o);
    drop("Mine");
}

/* The operation set of the file decides: version 3. */
static void chooses_by_version(void)
{
    _Atomic uint32_t calls[3] = { 0, 0, 0 };
    static const int32_t range[3][2] = { { 0, 2 }, { 3, 3 }, { 4, 0 } };
    ow m = model_of(ow_node("test:Shift", "x", "y"), "3");
    for (int i = 0; i < 3; i++) {
        het_op_info o = info_of("Shift", same_shape, shift);
        o.user = &calls[i];
        o.version_min = range[i][0];
        o.version_max = range[i][1];
        add(&o);
    }
    check_run(&m, 1);
    CHECK_INT(calls[0], 0);
    CHECK_INT(calls[1], 1);
    CHECK_INT(calls[2], 0);
    drop("Shift");
    free(m.data);
}

/* One of ai.onnx that the library does not know, by both names of the domain. */
static void serves_the_standard_domain(void)
{
    het_op_info o = info_of("Unheard", same_shape, shift);
    het_error err = HET_ERROR_INIT;
    o.domain = NULL;
    add(&o);
    ow plain = model_of(ow_node("Unheard", "x", "y"), "3");
    ow full = model_of(ow_node("ai.onnx:Unheard", "x", "y"), "3");
    check_run(&plain, 1);
    check_run(&full, 1);
    CHECK_INT(het_op_unregister(context, "", "Unheard", &err), HET_OK);
    free(plain.data);
    free(full.data);
}

/* Numbers below the least normal one are what they are here, whatever own kernels make of them. */
static het_status copy(void *user, het_op_call *call)
{
    volatile float tiny = 1e-40f;
    (void)user;
    CHECK(tiny * 1.0f > 0);
    const het_tensor *in = het_op_call_input(call, 0);
    memcpy(het_op_call_output(call, 0)->data, in->data, in->size_bytes);
    return HET_OK;
}

static void lives_as_long_as_models(void)
{
    int released = 0;
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    het_session *s = NULL;
    float x[3] = { 1, 2, 3 };
    ow m = model_of(ow_node("test:Copy", "x", "y"), "3");
    het_op_info o = info_of("Copy", same_shape, copy);
    o.user = &released;
    o.release = note_release;
    add(&o);
    refused(&o, HET_E_INVALID, "already");
    CHECK_INT(released, 0);
    CHECK_INT(load(&m, &model, &err), HET_OK);
    drop("Copy");
    CHECK_INT(released, 0);
    CHECK_INT(open_session(model, &s, &err), HET_OK);
    het_model_destroy(model);
    CHECK_INT(bind_x(s, x, 3, &err), HET_OK);
    CHECK_INT(het_session_run(s, &err), HET_OK);
    CHECK_INT(released, 0);
    het_session_destroy(s);
    CHECK_INT(released, 1);
    add(&o);
    drop("Copy");
    CHECK_INT(released, 2);
    free(m.data);
}

/* What cannot be handed to a callback stays unknown. */
static void leaves_what_it_cannot_bind(void)
{
    ow lists = ow_node("test:Shift", "x", "y"), a = ow_attr("tensors", 9);
    ow body = ow_graph("b"), graphs = ow_node("test:Shift", "x", "y");
    ow_add(&lists, OW_NODE_ATTR, a);
    ow_value(&body, OW_OUTPUT, "z", OW_FLOAT, NULL);
    ow_add_node(&body, "Relu", "x", "z");
    ow_attr_graph(&graphs, "body", body);
    ow files[2] = { model_of(lists, "3"), model_of(graphs, "3") };
    static const char *const says[2] = {
        "node the node: operation test:Shift has attributes of a kind that is not read",
        "node the node: operation test:Shift is not known",
    };
    add_shift(NULL, 0);
    for (int i = 0; i < 2; i++) {
        float x[3] = { 1, 2, 3 }, y[3];
        size_t count = 3;
        het_error err = HET_ERROR_INIT;
        CHECK_INT(run_file(&files[i], x, &count, y, &err), HET_E_UNSUPPORTED);
        CHECK_STR(err.message, says[i]);
        free(files[i].data);
    }
    drop("Shift");
}

static void on_each_device(void)
{
    test_case(reports_failures);
    test_case(recovers);
    test_case(lives_as_long_as_models);
}

static void once(void)
{
    test_case(is_known_where_registered);
    test_case(counts_operands);
    test_case(refuses_what_is_wrong);
    test_case(replaces_nothing);
    test_case(chooses_by_version);
    test_case(serves_the_standard_domain);
    test_case(leaves_what_it_cannot_bind);
}

int main(void)
{
    return test_operators(once, on_each_device);
}

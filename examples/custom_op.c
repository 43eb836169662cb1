/* SPDX-License-Identifier: Apache-2.0 */
/* Run a graph that uses an operator of the application's own: Mirror in the domain com.example. It
 * turns each row around and multiplies it with the attribute gain. The graph stands below, byte by
 * byte; het_model_load() with the path of a file does as well. */
#include <hetinfer.h>
#include <stdio.h>

/* One node, y = Mirror(x), gain = 2, x: F32[2,3]. */
static const char network[] =
    "\x08\x08"                                        /* version of the format */
    "\x3a\x56"                                        /* the graph: */
    "\x0a\x2b\x0a\x01x\x12\x01y\x22\x06Mirror"        /* a node: input, output, type, */
    "\x2a\x0e\x0a\x04gain\x15\0\0\0\x40\xa0\x01\x01"  /* attribute, */
    "\x3a\x0b" "com.example"                          /* domain; */
    "\x12\x07" "example"                              /* the graph's name; */
    "\x5a\x13\x0a\x01x\x12\x0e\x0a\x0c\x08\x01"       /* its input, */
    "\x12\x08\x0a\x02\x08\x02\x0a\x02\x08\x03"        /* with extents; */
    "\x62\x09\x0a\x01y\x12\x04\x0a\x02\x08\x01"       /* its output */
    "\x42\x02\x10\x0d"                                /* operation sets: ai.onnx 13 */
    "\x42\x0f\x0a\x0b" "com.example" "\x10\x01";      /* and our own, 1 */

static het_status mirror_shape(void *user, het_op_call *call, het_tensor_desc *outputs)
{
    (void)user;
    const het_tensor *x = het_op_call_input(call, 0);
    if (!x || x->desc.dtype != HET_DTYPE_F32 || x->desc.rank == 0) {
        het_op_call_fail(call, "the input is not of F32 with at least one extent");
        return HET_E_INVALID;
    }
    outputs[0] = x->desc;
    return HET_OK;
}

static het_status mirror_compute(void *user, het_op_call *call)
{
    (void)user;
    const het_tensor *in = het_op_call_input(call, 0), *out = het_op_call_output(call, 0);
    const float gain = het_op_attr_float(call, "gain", 1.0f);
    const float *x = in->data;
    float *y = out->data;
    const size_t columns = (size_t)in->desc.extent[in->desc.rank - 1];
    const size_t rows = columns ? in->size_bytes / (columns * sizeof *x) : 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            y[r * columns + c] = gain * x[r * columns + columns - 1 - c];
    return HET_OK;
}

int main(void)
{
    float x[6] = { 1, 2, 3, 4, 5, 6 };
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *session = NULL;
    het_error err = HET_ERROR_INIT;
    het_op_info mirror = HET_OP_INFO_INIT;
    mirror.domain = "com.example";
    mirror.name = "Mirror";
    mirror.inputs_min = 1;
    mirror.shape = mirror_shape;
    mirror.compute = mirror_compute;
    het_tensor in = HET_TENSOR_INIT, out = HET_TENSOR_INIT;
    in.data = x;
    in.size_bytes = sizeof x;
    in.desc.dtype = HET_DTYPE_F32;
    in.desc.rank = 2;
    in.desc.extent[0] = 2;
    in.desc.extent[1] = 3;

    const int failed =
        het_context_create(NULL, &context, &err) || het_op_register(context, &mirror, &err) ||
        het_model_load_memory(context, network, sizeof network - 1, NULL, &model, &err) ||
        het_session_create(model, NULL, &session, &err) ||
        het_session_bind_input(session, "x", &in, &err) || het_session_run(session, &err) ||
        het_session_get_output(session, "y", &out, &err);
    if (failed)
        fprintf(stderr, "%s\n", err.message);
    for (size_t i = 0; i < out.size_bytes / sizeof(float); i++)
        printf("%g%s", (double)((const float *)out.data)[i], (i + 1) % 3 ? " " : "\n");

    het_session_destroy(session);
    het_model_destroy(model);
    het_context_destroy(context);
    return failed;
}

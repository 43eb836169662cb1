/* SPDX-License-Identifier: Apache-2.0 */
/* A slice becomes calls of operations, which share one scratch; a step is their launches. */
#include "backends/opencl_igpu/opencl.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

/* ---- operations ---- */

static const het__cl_op *const ops[HET__OP_T_FIRST] = {
    [HET__OP_EMBED] = &het__cl_embed,     [HET__OP_NORM] = &het__cl_norm,
    [HET__OP_LINEAR] = &het__cl_linear,   [HET__OP_GATED] = &het__cl_gated,
    [HET__OP_ROPE] = &het__cl_rope,       [HET__OP_ATTENTION] = &het__cl_attention,
    [HET__OP_ADD] = &het__cl_binary,      [HET__OP_MUL] = &het__cl_binary,
    [HET__OP_UNARY] = &het__cl_unary,     [HET__OP_SOFTMAX] = &het__cl_softmax,
    [HET__OP_ROWS] = &het__cl_rows,       [HET__OP_COLUMNS] = &het__cl_columns,
    [HET__OP_MOE] = &het__cl_moe,         [HET__OP_CUT] = &het__cl_cut,
    [HET__OP_MATCH] = &het__cl_match,     [HET__OP_PREDICT] = &het__cl_predict,
    [HET__OP_CORRECT] = &het__cl_correct, [HET__OP_CONV] = &het__cl_conv,
    [HET__OP_POOL] = &het__cl_pool,       [HET__OP_BLOCK] = &het__cl_block,
    [HET__OP_UNBLOCK] = &het__cl_unblock, [HET__OP_MATMUL] = &het__cl_matmul,
    [HET__OP_QCONV] = &het__cl_qconv,     [HET__OP_QMAP] = &het__cl_qmap,
};

static const het__cl_op *op_of(het__op op)
{
    if (het__op_is_tensor(op))
        return &het__cl_tensor;
    return (uint32_t)op < HET__OP_T_FIRST ? ops[op] : NULL;
}

bool het__cl_supports(const het__graph *graph, const het__node *node, char *reason, size_t bytes)
{
    const het__cl_op *op = op_of(node->op);
    if (op && op->prepare)
        return op->supports(graph, node, reason, bytes);
    snprintf(reason, bytes, "no kernel for %s", het__node_operation(node));
    return false;
}

bool het__cl_inputs_are_f32(const het__graph *graph, const het__node *node, uint32_t bits,
                            char *reason, size_t bytes)
{
    for (uint32_t i = 0; i < node->input_count && i < 32; i++) {
        if (!(bits >> i & 1) || node->inputs[i] == HET__NO_VALUE)
            continue;
        const het_dtype dtype = graph->values[node->inputs[i]].dtype;
        if (dtype != HET_DTYPE_F32) {
            snprintf(reason, bytes, "input %u of %s is %s", i, het__node_operation(node),
                     het_dtype_name(dtype));
            return false;
        }
    }
    return true;
}

bool het__cl_has_f32(het_dtype dtype, const het__node *node, char *reason, size_t bytes)
{
    static const het_dtype types[] = {
        HET_DTYPE_F32,  HET_DTYPE_F16,  HET_DTYPE_BF16, HET_DTYPE_Q4_0, HET_DTYPE_Q4_1,
        HET_DTYPE_Q5_0, HET_DTYPE_Q5_1, HET_DTYPE_Q8_0, HET_DTYPE_Q2_K, HET_DTYPE_Q3_K,
        HET_DTYPE_Q4_K, HET_DTYPE_Q5_K, HET_DTYPE_Q6_K, HET_DTYPE_IQ4_NL, HET_DTYPE_IQ4_XS,
        HET_DTYPE_MXFP4,
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i] == dtype)
            return true;
    snprintf(reason, bytes, "%s of %s", het__node_operation(node), het_dtype_name(dtype));
    return false;
}

/* ---- compile ---- */

static het_status operand_init(const het__slice *slice, uint32_t id, het__cl_operand *operand,
                               het_error *err)
{
    if (id == HET__NO_VALUE)
        return HET_OK;
    const het__value *value = &slice->graph->values[id];
    if (het__value_bytes(value, slice->symbols_max) < 0)
        return het__fail(err, HET_E_INVALID, "value %s has no size in bytes", value->name);
    operand->value = *value;
    operand->value.name = NULL;
    operand->value.data = NULL;
    operand->is_present = true;
    het__value_matrix(&operand->value, slice->symbols_max, &operand->rows, &operand->columns);
    if (value->kind == HET__VALUE_CONST) {
        operand->host = value->data;
        return value->data ? HET_OK
                           : het__fail(err, HET_E_INVALID, "constant %s has no data", value->name);
    }
    const het__place *place = &slice->places[id];
    assert(place->buffer);
    operand->mem = place->buffer->mem;
    operand->offset = place->offset;
    return HET_OK;
}

static het_status upload_constants(het__device *device, const het__slice *slice,
                                   het__cl_call *call, het_error *err)
{
    het_status s = HET_OK;
    for (uint32_t i = 0; i < call->input_count && s == HET_OK; i++) {
        het__cl_operand *o = &call->inputs[i];
        if (o->is_present && o->value.kind == HET__VALUE_CONST && !o->has_form)
            s = het__cl_keep_plain(device, slice, o,
                                   (size_t)het__value_bytes(&o->value, slice->symbols_max), err);
    }
    return s;
}

static het_status call_init(het__device *device, het__program *program, const het__slice *slice,
                            const het__node *node, het__cl_call *call, het_error *err)
{
    char reason[128];
    if (!het__cl_supports(slice->graph, node, reason, sizeof reason))
        return het__fail(err, HET_E_UNSUPPORTED, "node %s: %s", node->name, reason);
    *call = (het__cl_call){
        .device = device, .facts = &device->found.facts, .mem = device->host.mem,
        .arena = &program->arena, .graph = slice->graph, .node = node,
        .symbols_max = slice->symbols_max, .op = node->op, .attrs = node->attrs,
        .input_count = node->input_count, .output_count = node->output_count,
        .program = program, .slice = slice,
    };
    call->inputs = het__arena_zero(&program->arena, node->input_count, sizeof *call->inputs);
    call->outputs = het__arena_zero(&program->arena, node->output_count, sizeof *call->outputs);
    if (!call->inputs || !call->outputs)
        return het__fail_nomem(err, "a program");
    het_status s = HET_OK;
    for (uint32_t i = 0; i < node->input_count && s == HET_OK; i++)
        s = operand_init(slice, node->inputs[i], &call->inputs[i], err);
    for (uint32_t i = 0; i < node->output_count && s == HET_OK; i++)
        s = operand_init(slice, node->outputs[i], &call->outputs[i], err);
    if (s == HET_OK)
        s = op_of(node->op)->prepare(call, err);
    if (s == HET_OK)
        s = upload_constants(device, slice, call, err);
    call->graph = NULL;
    call->node = NULL;
    call->symbols_max = NULL;
    call->slice = NULL;
    return s;
}

static het_status scratch_init(het__device *device, het__program *program, het_error *err)
{
    size_t most = 0;
    for (uint32_t i = 0; i < program->call_count; i++)
        if (program->calls[i].scratch_bytes > most)
            most = program->calls[i].scratch_bytes;
    if (most == 0)
        return HET_OK;
    cl_int code;
    program->scratch = clCreateBuffer(device->context, CL_MEM_READ_WRITE, most, NULL, &code);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clCreateBuffer");
    program->scratch_bytes = most;
    device->counters.scratch_bytes += most;
    for (uint32_t i = 0; i < program->call_count; i++)
        program->calls[i].scratch = program->scratch;
    return HET_OK;
}

void het__cl_release(het__device *device, het__program *program)
{
    for (const het__cl_own_kernel *k = program->kernels; k && !device->is_gone; k = k->next)
        clReleaseKernel(k->kernel);
    if (program->scratch && !device->is_gone)
        clReleaseMemObject(program->scratch);
    device->counters.scratch_bytes -= program->scratch_bytes;
    het__arena_finish(&program->arena);
    het__free(device->host.mem, program);
}

het_status het__cl_compile(het__device *device, const het__slice *slice, het__program **program,
                           het_error *err)
{
    het__program *p = het__alloc_zero(device->host.mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a program");
    het__arena_init(&p->arena, device->host.mem);
    p->calls = het__arena_zero(&p->arena, slice->node_count, sizeof *p->calls);
    het_status s = p->calls ? HET_OK : het__fail_nomem(err, "a program");
    for (uint32_t i = 0; i < slice->node_count && s == HET_OK; i++)
        s = call_init(device, p, slice, &slice->graph->nodes[slice->nodes[i]],
                      &p->calls[p->call_count++], err);
    if (s == HET_OK)
        s = scratch_init(device, p, err);
    if (s != HET_OK) {
        het__cl_release(device, p);
        return s;
    }
    *program = p;
    return HET_OK;
}

void het__cl_want_scratch(het__cl_call *call, size_t bytes)
{
    if (bytes > call->scratch_bytes)
        call->scratch_bytes = bytes;
}

/* ---- run ---- */

static void bind(het__cl_operand *operands, uint32_t count, const int64_t *symbols)
{
    for (uint32_t i = 0; i < count; i++)
        if (operands[i].is_present)
            het__value_matrix(&operands[i].value, symbols, &operands[i].rows,
                              &operands[i].columns);
}

het_status het__cl_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                           het_error *err)
{
    het_status s = het__cl_run_begin(device, err);
    if (s != HET_OK)
        return s;
    device->open_run->is_first = !program->has_run;
    program->has_run = true;
    for (uint32_t i = 0; i < program->call_count && s == HET_OK; i++) {
        het__cl_call *call = &program->calls[i];
        bind(call->inputs, call->input_count, symbols);
        bind(call->outputs, call->output_count, symbols);
        s = op_of(call->op)->launch(call, symbols, err);
    }
    if (s == HET_OK)
        return het__cl_run_end(device, err);
    het__cl_run_drop(device);
    return s;
}

void het__cl_arg(cl_kernel kernel, uint32_t index, size_t bytes, const void *value)
{
    clSetKernelArg(kernel, index, bytes, value);
}

void het__cl_arg_int(cl_kernel kernel, uint32_t index, int64_t value)
{
    const cl_int number = (cl_int)value;
    assert(number == value);
    het__cl_arg(kernel, index, sizeof number, &number);
}

void het__cl_arg_long(cl_kernel kernel, uint32_t index, int64_t value)
{
    const cl_long number = value;
    het__cl_arg(kernel, index, sizeof number, &number);
}

void het__cl_arg_float(cl_kernel kernel, uint32_t index, float value)
{
    het__cl_arg(kernel, index, sizeof value, &value);
}

void het__cl_arg_memory(cl_kernel kernel, uint32_t index, cl_mem mem, size_t offset)
{
    const cl_ulong at = offset;
    het__cl_arg(kernel, index, sizeof mem, mem ? &mem : NULL);
    het__cl_arg(kernel, index + 1, sizeof at, &at);
}

void het__cl_arg_tensor(cl_kernel kernel, uint32_t index, const het__cl_operand *operand)
{
    het__cl_arg_memory(kernel, index, operand->mem, operand->offset);
}

het_status het__cl_launch(het__cl_call *call, cl_kernel kernel, uint32_t dimensions,
                          const size_t *global, const size_t *local, het_error *err)
{
    assert(dimensions >= 1 && dimensions <= 3);
    size_t whole[3];
    for (uint32_t i = 0; i < dimensions; i++) {
        if (global[i] == 0)
            return HET_OK;
        whole[i] = local ? het__round_up(global[i], local[i]) : global[i];
    }
    cl_event event;
    const cl_int code = clEnqueueNDRangeKernel(call->device->queue, kernel, dimensions, NULL,
                                               whole, local, 0, NULL, &event);
    if (code != CL_SUCCESS)
        return het__cl_failed(call->device, err, code, "clEnqueueNDRangeKernel");
    het__cl_run_event(call->device, event);
    call->device->counters.launch_count++;
    return HET_OK;
}

het_status het__cl_copy(het__cl_call *call, cl_mem source, size_t source_offset, cl_mem target,
                        size_t target_offset, size_t bytes, het_error *err)
{
    if (bytes == 0)
        return HET_OK;
    cl_event event;
    const cl_int code = clEnqueueCopyBuffer(call->device->queue, source, target, source_offset,
                                            target_offset, bytes, 0, NULL, &event);
    if (code != CL_SUCCESS)
        return het__cl_failed(call->device, err, code, "clEnqueueCopyBuffer");
    het__cl_run_event(call->device, event);
    call->device->counters.launch_count++;
    return HET_OK;
}

cl_command_queue het__cl_queue(het__cl_call *call)
{
    return call->device->queue;
}

void het__cl_count_launch(het__cl_call *call)
{
    call->device->counters.launch_count++;
}

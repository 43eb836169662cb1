/* SPDX-License-Identifier: Apache-2.0 */
/* A slice becomes calls of operations, which share scratch; a step is their launches. */
#include "backends/gpu/stream.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

/* ---- operations ---- */

static const het__gpu_op *const ops[HET__OP_T_FIRST] = {
    [HET__OP_EMBED] = &het__gpu_embed,     [HET__OP_NORM] = &het__gpu_norm,
    [HET__OP_LINEAR] = &het__gpu_linear,   [HET__OP_GATED] = &het__gpu_gated,
    [HET__OP_ROPE] = &het__gpu_rope,       [HET__OP_ATTENTION] = &het__gpu_attention,
    [HET__OP_ADD] = &het__gpu_binary,      [HET__OP_MUL] = &het__gpu_binary,
    [HET__OP_UNARY] = &het__gpu_unary,     [HET__OP_SOFTMAX] = &het__gpu_softmax,
    [HET__OP_ROWS] = &het__gpu_rows,       [HET__OP_COLUMNS] = &het__gpu_columns,
    [HET__OP_MOE] = &het__gpu_moe,         [HET__OP_CUT] = &het__gpu_cut,
    [HET__OP_MATCH] = &het__gpu_match,     [HET__OP_PREDICT] = &het__gpu_predict,
    [HET__OP_CORRECT] = &het__gpu_correct, [HET__OP_CONV] = &het__gpu_conv,
    [HET__OP_POOL] = &het__gpu_pool,       [HET__OP_BLOCK] = &het__gpu_block,
    [HET__OP_UNBLOCK] = &het__gpu_unblock, [HET__OP_MATMUL] = &het__gpu_matmul,
    [HET__OP_QCONV] = &het__gpu_qconv,     [HET__OP_QMAP] = &het__gpu_qmap,
    [HET__OP_JOIN] = &het__gpu_join,
};

static const het__gpu_op *op_of(het__op op)
{
    if (het__op_is_tensor(op))
        return &het__gpu_tensor;
    return (uint32_t)op < HET__OP_T_FIRST ? ops[op] : NULL;
}

bool het__gpu_supports(const het__graph *graph, const het__node *node, char *reason, size_t bytes)
{
    const het__gpu_op *op = op_of(node->op);
    if (op && op->prepare)
        return op->supports(graph, node, reason, bytes);
    snprintf(reason, bytes, "no kernel for %s", het__node_operation(node));
    return false;
}

bool het__gpu_inputs_are_f32(const het__graph *graph, const het__node *node, uint32_t bits,
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

bool het__gpu_has_f32(het_dtype dtype, const het__node *node, char *reason, size_t bytes)
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

static het_status operand_init(const het__gpu *gpu, const het__slice *slice, uint32_t id,
                               het__gpu_operand *operand, het_error *err)
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
    operand->mem = gpu->driver->memory_of(place->buffer);
    operand->offset = place->offset;
    return HET_OK;
}

static het_status upload_constants(het__gpu *gpu, const het__slice *slice,
                                   het__gpu_call *call, het_error *err)
{
    het_status s = HET_OK;
    for (uint32_t i = 0; i < call->input_count && s == HET_OK; i++) {
        het__gpu_operand *o = &call->inputs[i];
        if (o->is_present && o->value.kind == HET__VALUE_CONST && !o->has_form)
            s = het__gpu_keep_plain(gpu, slice, o,
                                    (size_t)het__value_bytes(&o->value, slice->symbols_max), err);
    }
    return s;
}

/* All but what operands are. */
static het_status call_begin(het__gpu *gpu, het__program *program, const het__graph *graph,
                             const het__node *node, const int64_t *symbols_max,
                             het__gpu_call *call, het_error *err)
{
    *call = (het__gpu_call){
        .gpu = gpu, .facts = gpu->facts, .mem = gpu->host.mem, .arena = &program->arena,
        .graph = graph, .node = node, .symbols_max = symbols_max, .op = node->op,
        .attrs = node->attrs, .input_count = node->input_count,
        .output_count = node->output_count, .program = program,
    };
    call->inputs = het__arena_zero(&program->arena, node->input_count, sizeof *call->inputs);
    call->outputs = het__arena_zero(&program->arena, node->output_count, sizeof *call->outputs);
    return call->inputs && call->outputs ? HET_OK : het__fail_nomem(err, "a program");
}

static het_status call_init(het__gpu *gpu, het__program *program, const het__slice *slice,
                            const het__node *node, het__gpu_call *call, het_error *err)
{
    char reason[128];
    if (!het__gpu_supports(slice->graph, node, reason, sizeof reason))
        return het__fail(err, HET_E_UNSUPPORTED, "node %s: %s", node->name, reason);
    het_status s = call_begin(gpu, program, slice->graph, node, slice->symbols_max, call, err);
    call->slice = slice;
    for (uint32_t i = 0; i < node->input_count && s == HET_OK; i++)
        s = operand_init(gpu, slice, node->inputs[i], &call->inputs[i], err);
    for (uint32_t i = 0; i < node->output_count && s == HET_OK; i++)
        s = operand_init(gpu, slice, node->outputs[i], &call->outputs[i], err);
    if (s == HET_OK)
        s = op_of(node->op)->prepare(call, err);
    if (s == HET_OK)
        s = upload_constants(gpu, slice, call, err);
    call->graph = NULL;
    call->node = NULL;
    call->symbols_max = NULL;
    call->slice = NULL;
    return s;
}

/* ---- only asking ---- */

/* More than the rows that any kernel is the last for; sizes that follow from it still fit. */
#define ASKED_ROWS 4096

static void ask_operand(const het__graph *graph, uint32_t id, const int64_t *symbols,
                        het__gpu_operand *operand)
{
    if (id == HET__NO_VALUE)
        return;
    operand->value = graph->values[id];
    operand->host = operand->value.kind == HET__VALUE_CONST ? operand->value.data : NULL;
    operand->is_present = true;
    het__value_matrix(&operand->value, symbols, &operand->rows, &operand->columns);
}

bool het__gpu_supports_by(const het__gpu_driver *driver, const het__gpu_facts *facts,
                          const het__graph *graph, const het__node *node, char *reason,
                          size_t bytes)
{
    int64_t symbols[HET__SYM_MAX];
    het__mem mem; /* of nobody's: no context is given, and nothing is kept */
    het__gpu_call call;
    het_error err = HET_ERROR_INIT;
    if (!het__gpu_supports(graph, node, reason, bytes))
        return false;
    for (int i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = i == HET__SYM_ONE ? 1 : ASKED_ROWS;
    het__mem_init(&mem, NULL);
    het__gpu gpu = { .driver = driver, .facts = facts, .host = { .mem = &mem },
                     .only_asks = true };
    het__program program = { .call_count = 0 };
    het__arena_init(&program.arena, &mem);
    het_status s = call_begin(&gpu, &program, graph, node, symbols, &call, &err);
    for (uint32_t i = 0; i < node->input_count && s == HET_OK; i++)
        ask_operand(graph, node->inputs[i], symbols, &call.inputs[i]);
    for (uint32_t i = 0; i < node->output_count && s == HET_OK; i++)
        ask_operand(graph, node->outputs[i], symbols, &call.outputs[i]);
    if (s == HET_OK)
        s = op_of(node->op)->prepare(&call, &err);
    het__arena_finish(&program.arena);
    if (s != HET_OK)
        snprintf(reason, bytes, "%s", err.message);
    return s == HET_OK;
}

/* ---- programs ---- */

static het_status scratch_init(het__gpu *gpu, het__program *program, het_error *err)
{
    size_t most = 0;
    for (uint32_t i = 0; i < program->call_count; i++)
        if (program->calls[i].scratch_bytes > most)
            most = program->calls[i].scratch_bytes;
    if (most == 0)
        return HET_OK;
    const het_status s = het__gpu_scratch_take(gpu, most, &program->scratch, err);
    for (uint32_t i = 0; i < program->call_count && s == HET_OK; i++)
        program->calls[i].scratch = program->scratch->mem;
    return s;
}

void het__gpu_release(het__gpu *gpu, het__program *program)
{
    for (het__gpu_kernel *k = program->kernels; k; k = k->next)
        gpu->driver->kernel_release(gpu, k->handle);
    if (program->scratch)
        het__gpu_scratch_leave(gpu, program->scratch);
    het__arena_finish(&program->arena);
    het__free(gpu->host.mem, program);
}

het_status het__gpu_compile(het__gpu *gpu, const het__slice *slice, het__program **program,
                            het_error *err)
{
    het__program *p = het__alloc_zero(gpu->host.mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a program");
    het__arena_init(&p->arena, gpu->host.mem);
    p->calls = het__arena_zero(&p->arena, slice->node_count, sizeof *p->calls);
    het_status s = p->calls ? HET_OK : het__fail_nomem(err, "a program");
    if (s == HET_OK)
        s = het__gpu_keep_slice(gpu, slice, err);
    if (s == HET_OK && slice->streams)
        s = het__gpu_stream_begin(gpu, slice->graph->nodes[slice->nodes[0]].layer, err);
    for (uint32_t i = 0; i < slice->node_count && s == HET_OK; i++)
        s = call_init(gpu, p, slice, &slice->graph->nodes[slice->nodes[i]],
                      &p->calls[p->call_count++], err);
    if (s == HET_OK && gpu->driver->call)
        s = het__gpu_order(gpu, p, slice->symbols_max, err);
    if (s == HET_OK && slice->streams)
        s = het__gpu_stream_end(gpu, &p->item, err);
    if (s == HET_OK)
        s = scratch_init(gpu, p, err);
    if (s != HET_OK) {
        het__gpu_release(gpu, p);
        return s;
    }
    *program = p;
    return HET_OK;
}

void het__gpu_want_scratch(het__gpu_call *call, size_t bytes)
{
    if (bytes > call->scratch_bytes)
        call->scratch_bytes = bytes;
}

/* ---- run ---- */

static void bind(het__gpu_operand *operands, uint32_t count, const int64_t *symbols)
{
    for (uint32_t i = 0; i < count; i++)
        if (operands[i].is_present)
            het__value_matrix(&operands[i].value, symbols, &operands[i].rows,
                              &operands[i].columns);
}

het_status het__gpu_enqueue(het__gpu *gpu, het__program *program, const int64_t *symbols,
                            het_error *err)
{
    het_status s = gpu->driver->begin(gpu, !program->has_run, err);
    if (s != HET_OK)
        return s;
    program->has_run = true;
    if (program->item)
        s = het__gpu_stream_take(gpu, program->item, err);
    for (uint32_t i = 0; i < program->call_count && s == HET_OK; i++) {
        het__gpu_call *call = &program->calls[i];
        bind(call->inputs, call->input_count, symbols);
        bind(call->outputs, call->output_count, symbols);
        if (gpu->driver->call)
            s = gpu->driver->call(gpu, call, err);
        if (s == HET_OK)
            s = op_of(call->op)->launch(call, symbols, err);
    }
    if (s == HET_OK && program->item)
        s = het__gpu_stream_leave(gpu, program->item, err);
    if (s == HET_OK)
        return gpu->driver->end(gpu, err);
    gpu->driver->drop(gpu);
    return s;
}

/* ---- what operations call ---- */

het_status het__gpu_kernel_of(het__gpu_call *call, const char *file, const char *name,
                              const char *options, het__gpu_kernel **kernel, het_error *err)
{
    het__gpu *gpu = call->gpu;
    het__gpu_kernel *k = het__arena_zero(&call->program->arena, 1, sizeof *k);
    if (!k)
        return het__fail_nomem(err, "a kernel");
    k->driver = gpu->driver;
    const het_status s = gpu->driver->kernel(gpu, file, name, options, &k->handle, err);
    if (s != HET_OK)
        return s;
    k->next = call->program->kernels;
    call->program->kernels = k;
    *kernel = k;
    return HET_OK;
}

void het__gpu_arg(het__gpu_kernel *kernel, uint32_t index, size_t bytes, const void *value)
{
    kernel->driver->argument(kernel->handle, index, bytes, value);
}

void het__gpu_arg_int(het__gpu_kernel *kernel, uint32_t index, int64_t value)
{
    const int32_t number = (int32_t)value;
    assert(number == value);
    het__gpu_arg(kernel, index, sizeof number, &number);
}

void het__gpu_arg_long(het__gpu_kernel *kernel, uint32_t index, int64_t value)
{
    het__gpu_arg(kernel, index, sizeof value, &value);
}

void het__gpu_arg_float(het__gpu_kernel *kernel, uint32_t index, float value)
{
    het__gpu_arg(kernel, index, sizeof value, &value);
}

void het__gpu_arg_memory(het__gpu_kernel *kernel, uint32_t index, het__gpu_memory *mem,
                         size_t offset)
{
    const uint64_t at = offset;
    kernel->driver->argument_memory(kernel->handle, index, het__gpu_memory_now(mem));
    het__gpu_arg(kernel, index + 1, sizeof at, &at);
}

void het__gpu_arg_tensor(het__gpu_kernel *kernel, uint32_t index, const het__gpu_operand *operand)
{
    het__gpu_arg_memory(kernel, index, operand->mem, operand->offset);
}

het_status het__gpu_launch(het__gpu_call *call, het__gpu_kernel *kernel, uint32_t dimensions,
                           const size_t *global, const size_t *local, het_error *err)
{
    assert(dimensions >= 1 && dimensions <= 3);
    size_t whole[3];
    for (uint32_t i = 0; i < dimensions; i++) {
        if (global[i] == 0)
            return HET_OK;
        whole[i] = local ? het__round_up(global[i], local[i]) : global[i];
    }
    const het_status s =
        kernel->driver->launch(call->gpu, kernel->handle, dimensions, whole, local, err);
    call->gpu->counters.launch_count += s == HET_OK;
    return s;
}

het_status het__gpu_copy(het__gpu_call *call, het__gpu_memory *source, size_t source_offset,
                         het__gpu_memory *target, size_t target_offset, size_t bytes,
                         het_error *err)
{
    if (bytes == 0)
        return HET_OK;
    const het_status s =
        call->gpu->driver->copy(call->gpu, het__gpu_memory_now(source), source_offset, target,
                                target_offset, bytes, err);
    call->gpu->counters.launch_count += s == HET_OK;
    return s;
}

het_status het__gpu_dense_init(het__gpu_call *call, het__gpu_product *product, int64_t rows_max,
                               het_error *err)
{
    const het__gpu_driver *driver = call->gpu->driver;
    return driver->dense_init ? driver->dense_init(call, product, rows_max, err) : HET_OK;
}

het_status het__gpu_dense_run(het__gpu_call *call, const het__gpu_product *product,
                              const het__gpu_product_step *step, bool *done, het_error *err)
{
    const het__gpu_driver *driver = call->gpu->driver;
    *done = false;
    return driver->dense_run ? driver->dense_run(call, product, step, done, err) : HET_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The plain C device: the numerical truth, and the last device that can run anything.
 *
 * Constants are read where they lie, whatever their type; sums are kept in double; programs run on
 * the calling thread inside enqueue, so wait has nothing to wait for. */
#include "backends/ref/ref.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/base/moving.h"

extern const het__backend het__backend_ref;

static const het__ref_kernel *const kernels[HET__OP_T_FIRST] = {
    [HET__OP_EMBED] = &het__ref_embed,     [HET__OP_NORM] = &het__ref_norm,
    [HET__OP_LINEAR] = &het__ref_linear,   [HET__OP_GATED] = &het__ref_gated,
    [HET__OP_ROPE] = &het__ref_rope,       [HET__OP_ATTENTION] = &het__ref_attention,
    [HET__OP_ADD] = &het__ref_add,         [HET__OP_MUL] = &het__ref_mul,
    [HET__OP_UNARY] = &het__ref_unary,     [HET__OP_SOFTMAX] = &het__ref_softmax,
    [HET__OP_ROWS] = &het__ref_rows,       [HET__OP_CONV] = &het__ref_image,
    [HET__OP_POOL] = &het__ref_image,      [HET__OP_BLOCK] = &het__ref_image,
    [HET__OP_UNBLOCK] = &het__ref_image,   [HET__OP_MATMUL] = &het__ref_matmul,
    [HET__OP_QCONV] = &het__ref_qconv,     [HET__OP_QMAP] = &het__ref_qmap,
    [HET__OP_COLUMNS] = &het__ref_columns, [HET__OP_MOE] = &het__ref_moe,
    [HET__OP_CUT] = &het__ref_cut,         [HET__OP_MATCH] = &het__ref_match,
    [HET__OP_PREDICT] = &het__ref_predict, [HET__OP_CORRECT] = &het__ref_correct,
    [HET__OP_JOIN] = &het__ref_join,
};

struct het__device {
    het__mem *mem;
    het__backend_counters counters;
    const void **constants; /* those already counted, ascending */
    size_t constant_count, constant_capacity;
    uint64_t moves; /* of imported buffers */
};

struct het__buffer {
    void *data;
    bool is_borrowed; /* imported */
};

struct het__program {
    het__arena arena; /* holds the program's arrays; the program itself is a block of its own */
    uint32_t call_count;
    het__ref_call *calls;
    double *scratch; /* shared by the calls */
    uint64_t scratch_bytes;
    het__moving *moving; /* what points into imported buffers */
    uint64_t moves;      /* of the device, that this has followed */
};

/* ---- reading operands ---- */

const float *het__ref_row(const het__ref_operand *operand, int64_t row, float *room)
{
    const char *at = operand->read + row * operand->row_bytes;
    if (operand->value.dtype == HET_DTYPE_F32 && (uintptr_t)at % _Alignof(float) == 0)
        return (const float *)(const void *)at;
    operand->decode(at, room, operand->columns);
    return room;
}

float het__ref_at(const het__ref_operand *operand, int64_t row, int64_t column)
{
    const char *at = operand->read + row * operand->row_bytes;
    float block[256];
    if (operand->value.dtype == HET_DTYPE_F32) {
        memcpy(block, at + column * (int64_t)sizeof(float), sizeof(float));
        return block[0];
    }
    const het__dtype_info *info = het__dtype(operand->value.dtype);
    assert(info->block_elements <= sizeof block / sizeof block[0]);
    at += column / info->block_elements * info->block_bytes;
    operand->decode(at, block, info->block_elements);
    return block[column % info->block_elements];
}

int64_t het__ref_two_rows(const het__ref_call *call)
{
    int64_t widest = 1;
    for (uint32_t i = 0; i < call->input_count; i++) {
        if (call->inputs[i].read && call->inputs[i].columns > widest)
            widest = call->inputs[i].columns;
    }
    return widest < INT64_MAX / 16 ? widest : -1; /* two floats make a double */
}

static void operand_bind(het__ref_operand *operand, const int64_t *symbols)
{
    if (!operand->read)
        return;
    het__value_matrix(&operand->value, symbols, &operand->rows, &operand->columns);
    operand->row_bytes = het_dtype_bytes(operand->value.dtype, operand->columns);
    assert(operand->rows >= 0 && operand->row_bytes >= 0);
}

static void call_bind(het__ref_call *call, const int64_t *symbols)
{
    for (uint32_t i = 0; i < call->input_count; i++)
        operand_bind(&call->inputs[i], symbols);
    for (uint32_t i = 0; i < call->output_count; i++)
        operand_bind(&call->outputs[i], symbols);
}

/* ---- device ---- */

static void ref_probe(const het__host *host, het__probed *probed)
{
    (void)host;
    het_device_info *info = &probed->device[0];
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    info->kind = HET_DEVICE_REFERENCE;
    info->unit_count = 1;
    info->memory_bytes = het__memory_bytes();
    snprintf(info->name, sizeof info->name, "reference (plain C)");
    probed->device_count = 1;
    snprintf(probed->reason, sizeof probed->reason, "always present");
}

static het_status ref_open(const het__host *host, uint32_t index, const het__open_options *options,
                           het__device **device, het_error *err)
{
    assert(index == 0);
    (void)index;
    (void)options;
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    if (!d)
        return het__fail_nomem(err, "the reference device");
    d->mem = host->mem;
    *device = d;
    return HET_OK;
}

static void ref_close(het__device *device)
{
    het__free(device->mem, device->constants);
    het__free(device->mem, device);
}

static bool input_supported(const het__ref_kernel *kernel, uint32_t input, het_dtype dtype)
{
    const uint32_t bit = input < 32 ? 1u << input : 0;
    if (kernel->integers & bit)
        return dtype == HET_DTYPE_I32;
    if (kernel->codes & bit)
        return true;
    if (kernel->floats & bit)
        return dtype == HET_DTYPE_F32;
    if (kernel->states & bit)
        return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_Q8_0;
    return het__decoder(dtype) != NULL;
}

static bool ref_supports(const het__graph *graph, const het__node *node, char *reason,
                         size_t bytes)
{
    const uint32_t op = (uint32_t)node->op;
    if (het__op_is_tensor(node->op))
        return het__plain_supports(graph, node, reason, bytes);
    const het__ref_kernel *kernel = op < HET__OP_T_FIRST ? kernels[op] : NULL;
    if (!kernel) {
        snprintf(reason, bytes, "no kernel for operation %u", op);
        return false;
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == HET__NO_VALUE)
            continue;
        const het_dtype dtype = graph->values[node->inputs[i]].dtype;
        if (!input_supported(kernel, i, dtype)) {
            snprintf(reason, bytes, "input %u of %s is %s", i, het__op_info_of(node->op)->name,
                     het_dtype_name(dtype));
            return false;
        }
    }
    for (uint32_t i = 0; i < node->output_count; i++) {
        const het_dtype dtype = graph->values[node->outputs[i]].dtype;
        if (dtype != HET_DTYPE_F32 && !kernel->codes) {
            snprintf(reason, bytes, "%s gives F32, not %s", het__op_info_of(node->op)->name,
                     het_dtype_name(dtype));
            return false;
        }
    }
    return true;
}

static void ref_counters(het__device *device, het__backend_counters *counters)
{
    *counters = device->counters;
}

/* ---- buffers ---- */

static het_status ref_buffer_create(het__device *device, size_t bytes, het__buffer **buffer,
                                    het_error *err)
{
    het__buffer *b = het__alloc(device->mem, sizeof *b);
    char *data = het__alloc_zero(device->mem, bytes, 1);
    if (!b || !data) {
        het__free(device->mem, data);
        het__free(device->mem, b);
        return het__fail(err, HET_E_NOMEM, "out of memory for a buffer of %zu bytes", bytes);
    }
    *b = (het__buffer){ data, false };
    *buffer = b;
    return HET_OK;
}

static het_status ref_buffer_import(het__device *device, void *host, size_t bytes,
                                    het__buffer **buffer, het_error *err)
{
    (void)bytes;
    het__buffer *b = het__alloc(device->mem, sizeof *b);
    if (!b)
        return het__fail_nomem(err, "a buffer");
    *b = (het__buffer){ host, true };
    *buffer = b;
    return HET_OK;
}

static void ref_buffer_destroy(het__device *device, het__buffer *buffer)
{
    if (!buffer->is_borrowed)
        het__free(device->mem, buffer->data);
    het__free(device->mem, buffer);
}

static void *ref_buffer_host(het__device *device, het__buffer *buffer)
{
    (void)device;
    return buffer->data;
}

static void ref_buffer_move(het__device *device, het__buffer *buffer, void *host)
{
    assert(buffer->is_borrowed);
    buffer->data = host;
    device->moves++;
}

/* ---- programs ---- */

/* Programs share constants, so each is counted once per device. */
static het_status count_constant(het__device *device, const void *data, int64_t bytes,
                                 het_error *err)
{
    size_t low = 0, high = device->constant_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if ((uintptr_t)device->constants[middle] < (uintptr_t)data)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < device->constant_count && device->constants[low] == data)
        return HET_OK;
    if (device->constant_count == device->constant_capacity) {
        const size_t capacity = device->constant_capacity ? 2 * device->constant_capacity : 64;
        const void **grown =
            het__realloc(device->mem, device->constants, capacity * sizeof *grown);
        if (!grown)
            return het__fail_nomem(err, "the list of constants");
        device->constants = grown;
        device->constant_capacity = capacity;
    }
    memmove(&device->constants[low + 1], &device->constants[low],
            (device->constant_count - low) * sizeof *device->constants);
    device->constants[low] = data;
    device->constant_count++;
    device->counters.weight_bytes += (uint64_t)bytes;
    device->counters.mapped_bytes += (uint64_t)bytes;
    return HET_OK;
}

/* field points into the place of a value, or does when the program is complete. */
static het_status note_place(het__program *program, const het__slice *slice, uint32_t id,
                             void *field, het_error *err)
{
    const het__buffer *buffer = slice->places[id].buffer;
    if (!buffer->is_borrowed)
        return HET_OK;
    const het_status s =
        het__moving_add(&program->moving, &program->arena, field, &buffer->data);
    return s == HET_OK ? s : het__fail_nomem(err, "a program");
}

static het_status operand_init(het__device *device, het__program *program,
                               const het__slice *slice, uint32_t id, het__ref_operand *operand,
                               het_error *err)
{
    if (id == HET__NO_VALUE)
        return HET_OK;
    const het__value *value = &slice->graph->values[id];
    const int64_t bytes = het__value_bytes(value, slice->symbols_max);
    if (bytes < 0)
        return het__fail(err, HET_E_INVALID, "value %s has no size in bytes", value->name);
    operand->value = *value;
    operand->value.name = NULL;
    operand->value.data = NULL;
    operand->decode = het__decoder(value->dtype);
    if (value->kind == HET__VALUE_CONST) {
        if (!value->data)
            return het__fail(err, HET_E_INVALID, "constant %s has no data", value->name);
        operand->read = value->data;
        return count_constant(device, value->data, bytes, err);
    }
    const het__place *place = &slice->places[id];
    assert(place->buffer);
    operand->write = (char *)place->buffer->data + place->offset;
    operand->read = operand->write;
    const het_status s = note_place(program, slice, id, &operand->write, err);
    return s == HET_OK ? note_place(program, slice, id, &operand->read, err) : s;
}

static void *place_of(void *user, uint32_t value)
{
    const het__slice *slice = user;
    const het__place *place = &slice->places[value];
    assert(place->buffer);
    return (char *)place->buffer->data + place->offset;
}

static het_status plain_init(het__device *device, het__program *program, const het__slice *slice,
                             const het__node *node, het__ref_call *call, het_error *err)
{
    het__slice copy = *slice;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v =
            node->inputs[i] == HET__NO_VALUE ? NULL : &slice->graph->values[node->inputs[i]];
        if (!v || v->kind != HET__VALUE_CONST)
            continue;
        const het_status s = count_constant(
            device, v->data, het__value_bytes(v, slice->symbols_max), err);
        if (s != HET_OK)
            return s;
    }
    call->plain = het__arena_zero(&program->arena, 1, sizeof *call->plain);
    if (!call->plain)
        return het__fail_nomem(err, "a program");
    het_status s = het__plain_call_init(call->plain, slice->graph, node, place_of, &copy,
                                        &program->arena, device->mem, err);
    for (uint32_t i = 0; s == HET_OK && i < node->input_count; i++)
        if (node->inputs[i] != HET__NO_VALUE &&
            slice->graph->values[node->inputs[i]].kind != HET__VALUE_CONST)
            s = note_place(program, slice, node->inputs[i], &call->plain->inputs[i].data, err);
    for (uint32_t o = 0; s == HET_OK && o < node->output_count; o++)
        s = note_place(program, slice, node->outputs[o], &call->plain->outputs[o].data, err);
    return s;
}

static het_status call_init(het__device *device, het__program *program, const het__slice *slice,
                            const het__node *node, het__ref_call *call, het_error *err)
{
    char reason[128];
    if (!ref_supports(slice->graph, node, reason, sizeof reason))
        return het__fail(err, HET_E_UNSUPPORTED, "node %s: %s", node->name, reason);
    call->op = node->op;
    if (het__op_is_tensor(node->op))
        return plain_init(device, program, slice, node, call, err);
    call->attrs = node->attrs;
    call->input_count = node->input_count;
    call->output_count = node->output_count;
    call->inputs =
        het__arena_zero(&program->arena, node->input_count, sizeof *call->inputs);
    call->outputs =
        het__arena_zero(&program->arena, node->output_count, sizeof *call->outputs);
    if (!call->inputs || !call->outputs)
        return het__fail_nomem(err, "a program");
    het_status status = HET_OK;
    for (uint32_t i = 0; i < node->input_count && !status; i++)
        status = operand_init(device, program, slice, node->inputs[i], &call->inputs[i], err);
    for (uint32_t i = 0; i < node->output_count && !status; i++)
        status = operand_init(device, program, slice, node->outputs[i], &call->outputs[i], err);
    return status;
}

/* One block that serves every call, sized with all symbols at their largest. */
static het_status scratch_init(het__device *device, het__program *program,
                               const int64_t *symbols_max, het_error *err)
{
    int64_t most = 0;
    for (uint32_t i = 0; i < program->call_count; i++) {
        het__ref_call *call = &program->calls[i];
        if (call->plain)
            continue;
        const het__ref_kernel *kernel = kernels[call->op];
        call_bind(call, symbols_max);
        const int64_t doubles = kernel->scratch ? kernel->scratch(call) : 0;
        if (doubles < 0)
            return het__fail(err, HET_E_INVALID, "scratch of %s is too large",
                             het__op_info_of(call->op)->name);
        most = doubles > most ? doubles : most;
    }
    program->scratch = het__alloc_zero(device->mem, (size_t)most, sizeof(double));
    if (!program->scratch)
        return het__fail_nomem(err, "the scratch of a program");
    program->scratch_bytes = (uint64_t)most * sizeof(double);
    device->counters.scratch_bytes += program->scratch_bytes;
    for (uint32_t i = 0; i < program->call_count; i++)
        program->calls[i].scratch = program->scratch;
    return HET_OK;
}

static void ref_release(het__device *device, het__program *program)
{
    device->counters.scratch_bytes -= program->scratch_bytes;
    for (uint32_t i = 0; i < program->call_count; i++)
        if (program->calls[i].plain)
            het__plain_call_finish(program->calls[i].plain);
    het__free(device->mem, program->scratch);
    het__arena_finish(&program->arena);
    het__free(device->mem, program);
}

static het_status ref_compile(het__device *device, const het__slice *slice, het__program **program,
                              het_error *err)
{
    het__program *p = het__alloc_zero(device->mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a program");
    het__arena_init(&p->arena, device->mem);
    het_status status = HET_OK;
    p->calls = het__arena_zero(&p->arena, slice->node_count, sizeof *p->calls);
    if (!p->calls)
        status = het__fail_nomem(err, "a program");
    for (uint32_t i = 0; i < slice->node_count && !status; i++) {
        const het__node *node = &slice->graph->nodes[slice->nodes[i]];
        status = call_init(device, p, slice, node, &p->calls[p->call_count++], err);
    }
    if (!status)
        status = scratch_init(device, p, slice->symbols_max, err);
    if (status) {
        ref_release(device, p);
        return status;
    }
    het__moving_settle(p->moving);
    p->moves = device->moves;
    *program = p;
    return HET_OK;
}

static het_status ref_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                              het_error *err)
{
    const uint64_t start = het__now_ns();
    het_status status = HET_OK;
    if (program->moving && program->moves != device->moves)
        het__moving_apply(program->moving);
    program->moves = device->moves;
    for (uint32_t i = 0; i < program->call_count && status == HET_OK; i++) {
        het__ref_call *call = &program->calls[i];
        if (call->plain) {
            status = het__plain_call_run(call->plain, err);
            continue;
        }
        call_bind(call, symbols);
        kernels[call->op]->run(call);
    }
    device->counters.launch_count += program->call_count;
    device->counters.busy_ns += het__now_ns() - start;
    return status;
}

static het_status ref_wait(het__device *device, uint64_t timeout_ns, het_error *err)
{
    (void)device;
    (void)timeout_ns;
    (void)err;
    return HET_OK;
}

const het__backend het__backend_ref = {
    .name = "ref",
    .probe = ref_probe,
    .open = ref_open,
    .close = ref_close,
    .supports = ref_supports,
    .buffer_create = ref_buffer_create,
    .buffer_destroy = ref_buffer_destroy,
    .buffer_host = ref_buffer_host,
    .buffer_import = ref_buffer_import,
    .buffer_move = ref_buffer_move,
    .compile = ref_compile,
    .release = ref_release,
    .enqueue = ref_enqueue,
    .wait = ref_wait,
    .counters = ref_counters,
};

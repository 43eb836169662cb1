/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that fail when told to, and otherwise pass every call on to the backend "ref".
 *
 * It finds that backend in the table, like any other caller. Buffers are ref's own, so places of a
 * slice go through unchanged; a program is wrapped to remember which outputs to spoil. */
#include "backends/null/null.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "backends/null/fault.h"
#include "lib/backend.h"
#include "lib/base/error.h"

extern const het__backend het__backend_null;

/* Behind each buffer, so that a slice that writes too far does not write where nothing is. */
#define SLACK HET__ALIGN

/* Memory that counts against a device's bound: a buffer, or a constant of some program. */
typedef struct holding {
    const void *what;
    uint64_t bytes;
} holding;

struct het__device {
    const het__backend *inner;
    het__device *inner_device;
    het__mem *mem;
    uint32_t index;
    bool is_lost;
    uint64_t bytes; /* of all holdings */
    holding *holdings;
    uint32_t holding_count, holding_room;
};

/* A value that the slice makes. */
typedef struct output {
    het__value value; /* type and extents only */
    het__place place;
    bool is_last;     /* of the last node */
    char kept[8];     /* its last element, before a run that shall not write it */
} output;

struct het__program {
    het__program *inner;
    uint32_t output_count;
    output outputs[];
};

static const het__backend *find_inner(void)
{
    for (const het__backend *const *b = het__backends; *b; b++) {
        if (strcmp((*b)->name, "ref") == 0)
            return *b;
    }
    return NULL;
}

/* A hang that sleeps out the caller's patience. */
static het_status hang(const het__device *device, uint64_t timeout_ns, uint64_t number,
                       het_error *err)
{
    const uint64_t ns = timeout_ns ? timeout_ns : HET__NULL_HANG_NS;
    const uint64_t end = het__now_ns() + ns;
    for (uint64_t now = het__now_ns(); now < end; now = het__now_ns()) {
        const struct timespec left = { (time_t)((end - now) / 1000000000u),
                                       (long)((end - now) % 1000000000u) };
        thrd_sleep(&left, NULL);
    }
    return het__fail(err, HET_E_TIMEOUT, "null device %u: wait %llu hangs, as told", device->index,
                     (unsigned long long)number);
}

static het_status fail(uint32_t device, const het__null_fault *fault, het_error *err)
{
    return het__fail(err, fault->status, "null device %u: %s %llu fails, as told", device,
                     het__null_call_name(fault->call), (unsigned long long)fault->number);
}

/* Count a call; its status if it is to fail. What else is to happen is left to the caller:
 * fault->effect, 0 for nothing. */
static het_status meet_any(het__device *device, het__null_call call, het__null_fault *fault,
                           het_error *err)
{
    memset(fault, 0, sizeof *fault);
    const bool met = het__null_meets(device->index, call, fault);
    if (device->is_lost)
        return het__fail(err, HET_E_DEVICE_LOST, "null device %u: lost, as told", device->index);
    if (!met)
        return HET_OK;
    device->is_lost = fault->effect == HET__NULL_LOST;
    return fault->effect == HET__NULL_FAIL || device->is_lost ? fail(device->index, fault, err)
                                                              : HET_OK;
}

static het_status meet(het__device *device, het__null_call call, het_error *err)
{
    het__null_fault fault;
    return meet_any(device, call, &fault, err);
}

static void null_probe(const het__host *host, het__probed *probed)
{
    const het__backend *inner = find_inner();
    const char *text = host && host->use_env ? het__env("HETINFER_NULL_DEVICES") : NULL;
    probed->device_count = 0;
    if (inner)
        inner->probe(host, probed);
    if (!probed->device_count) {
        snprintf(probed->reason, sizeof probed->reason, "no backend \"ref\" to compute with");
        return;
    }
    const bool is_good = text && text[0] >= '1' && text[0] - '0' <= HET__NULL_DEVICES_MAX &&
                         !text[1];
    probed->device_count = is_good ? (uint32_t)(text[0] - '0') : het__null_device_count();
    for (uint32_t i = 0; i < probed->device_count; i++) {
        het_device_info *info = &probed->device[i];
        *info = probed->device[0];
        info->kind = HET_DEVICE_SIMULATED;
        snprintf(info->name, sizeof info->name, "null (fault injection)");
    }
    snprintf(probed->reason, sizeof probed->reason, "%salways present, used when named",
             text && !is_good ? "HETINFER_NULL_DEVICES is no number of devices; " : "");
}

/* What the environment says, and whether opening fails. */
static het_status prepare_open(const het__host *host, uint32_t index, het_error *err)
{
    const char *text = host->use_env ? het__env("HETINFER_NULL_FAULT") : NULL;
    const char *memory = host->use_env ? het__env("HETINFER_NULL_MEMORY") : NULL;
    const het_status status = text ? het__null_arm_text(text, err) : HET_OK;
    het__null_fault fault;
    if (status)
        return status;
    if (memory)
        het__null_memory(strtoull(memory, NULL, 10));
    return het__null_meets(index, HET__NULL_OPEN, &fault) ? fail(index, &fault, err) : HET_OK;
}

static het_status null_open(const het__host *host, uint32_t index,
                            const het__open_options *options, het__device **device, het_error *err)
{
    het_status status = prepare_open(host, index, err);
    if (status)
        return status;
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    if (!d)
        return het__fail_nomem(err, "the null device");
    d->mem = host->mem;
    d->index = index;
    d->inner = find_inner();
    assert(d->inner);
    status = d->inner->open(host, 0, options, &d->inner_device, err);
    if (status) {
        het__free(host->mem, d);
        return status;
    }
    *device = d;
    return HET_OK;
}

static void null_close(het__device *device)
{
    device->inner->close(device->inner_device);
    het__free(device->mem, device->holdings);
    het__free(device->mem, device);
}

/* ---- memory with a bound ---- */

static bool holds(const het__device *device, const void *what)
{
    for (uint32_t i = 0; i < device->holding_count; i++)
        if (device->holdings[i].what == what)
            return true;
    return false;
}

/* what: NULL for a buffer that is yet to be made; let_go() takes the last one back. */
static het_status hold(het__device *device, const void *what, uint64_t bytes, het_error *err)
{
    const uint64_t most = het__null_memory_bytes();
    if (most && (bytes > most || device->bytes > most - bytes))
        return het__fail(err, HET_E_NOMEM, "null device %u: %llu bytes beside %llu are more than "
                         "its %llu", device->index, (unsigned long long)bytes,
                         (unsigned long long)device->bytes, (unsigned long long)most);
    if (device->holding_count == device->holding_room) {
        const uint32_t room = 2 * device->holding_room + 16;
        holding *more = het__realloc(device->mem, device->holdings, room * sizeof *more);
        if (!more)
            return het__fail_nomem(err, "the null device");
        device->holdings = more;
        device->holding_room = room;
    }
    device->holdings[device->holding_count++] = (holding){ what, bytes };
    device->bytes += bytes;
    return HET_OK;
}

static void let_go(het__device *device, const void *what)
{
    for (uint32_t i = device->holding_count; i-- > 0;)
        if (device->holdings[i].what == what) {
            device->bytes -= device->holdings[i].bytes;
            device->holdings[i] = device->holdings[--device->holding_count];
            return;
        }
}

/* Constants stay until the device is closed, as those of "ref" do. */
static het_status hold_constants(het__device *device, const het__slice *slice, het_error *err)
{
    for (uint32_t i = 0; i < slice->node_count; i++) {
        const het__node *node = &slice->graph->nodes[slice->nodes[i]];
        for (uint32_t k = 0; k < node->input_count; k++) {
            if (node->inputs[k] == HET__NO_VALUE)
                continue;
            const het__value *v = &slice->graph->values[node->inputs[k]];
            if (v->kind != HET__VALUE_CONST || !v->data || holds(device, v->data))
                continue;
            const het_status s =
                hold(device, v->data, (uint64_t)het__value_bytes(v, slice->symbols_max), err);
            if (s)
                return s;
        }
    }
    return HET_OK;
}

static bool null_supports(const het__graph *graph, const het__node *node, char *reason,
                          size_t bytes)
{
    const het__backend *inner = find_inner();
    assert(inner);
    return inner->supports(graph, node, reason, bytes);
}

static het_status null_buffer_create(het__device *device, size_t bytes, het__buffer **buffer,
                                     het_error *err)
{
    size_t with_slack = 0;
    het_status status = meet(device, HET__NULL_BUFFER_CREATE, err);
    if (!status && !het__add_size(bytes, SLACK, &with_slack))
        status = het__fail_nomem(err, "a buffer");
    if (!status)
        status = hold(device, NULL, bytes, err);
    if (status)
        return status;
    status = device->inner->buffer_create(device->inner_device, with_slack, buffer, err);
    if (status)
        let_go(device, NULL);
    else
        device->holdings[device->holding_count - 1].what = *buffer;
    return status;
}

static void null_buffer_destroy(het__device *device, het__buffer *buffer)
{
    let_go(device, buffer);
    device->inner->buffer_destroy(device->inner_device, buffer);
}

/* Where the bytes are, whatever the host is told. */
static char *bytes_of(het__device *device, het__buffer *buffer)
{
    char *data = device->inner->buffer_host(device->inner_device, buffer);
    assert(data);
    return data;
}

static void *null_buffer_host(het__device *device, het__buffer *buffer)
{
    return het__null_buffers_hidden() ? NULL : bytes_of(device, buffer);
}

static het_status null_buffer_write(het__device *device, het__buffer *buffer, size_t offset,
                                    const void *source, size_t bytes, het_error *err)
{
    const het_status status = meet(device, HET__NULL_BUFFER_WRITE, err);
    if (!status)
        memcpy(bytes_of(device, buffer) + offset, source, bytes);
    return status;
}

static het_status null_buffer_read(het__device *device, het__buffer *buffer, size_t offset,
                                   void *target, size_t bytes, het_error *err)
{
    const het_status status = meet(device, HET__NULL_BUFFER_READ, err);
    if (!status)
        memcpy(target, bytes_of(device, buffer) + offset, bytes);
    return status;
}

static uint32_t slice_output_count(const het__slice *slice)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < slice->node_count; i++)
        count += slice->graph->nodes[slice->nodes[i]].output_count;
    return count;
}

static void remember_outputs(het__program *program, const het__slice *slice)
{
    for (uint32_t i = 0; i < slice->node_count; i++) {
        const het__node *node = &slice->graph->nodes[slice->nodes[i]];
        for (uint32_t o = 0; o < node->output_count; o++) {
            output *out = &program->outputs[program->output_count++];
            out->value = slice->graph->values[node->outputs[o]];
            out->value.name = NULL;
            out->place = slice->places[node->outputs[o]];
            out->is_last = i + 1 == slice->node_count;
        }
    }
}

static het_status null_compile(het__device *device, const het__slice *slice,
                               het__program **program, het_error *err)
{
    het_status status = meet(device, HET__NULL_COMPILE, err);
    if (!status)
        status = hold_constants(device, slice, err);
    if (status)
        return status;
    size_t bytes;
    het__program *p = NULL;
    if (het__mul_size(slice_output_count(slice), sizeof(output), &bytes) &&
        het__add_size(bytes, sizeof *p, &bytes))
        p = het__alloc_zero(device->mem, 1, bytes);
    if (!p)
        return het__fail_nomem(err, "a program");
    status = device->inner->compile(device->inner_device, slice, &p->inner, err);
    if (status) {
        het__free(device->mem, p);
        return status;
    }
    remember_outputs(p, slice);
    *program = p;
    return HET_OK;
}

static void null_release(het__device *device, het__program *program)
{
    device->inner->release(device->inner_device, program->inner);
    het__free(device->mem, program);
}

/* Where an output is, and how many elements of how many bytes; 0 bytes: a block format. */
static char *elements_of(het__device *device, const output *out, const int64_t *symbols,
                         int64_t *count, size_t *bytes)
{
    const int64_t one = het_dtype_bytes(out->value.dtype, 1);
    *count = het__value_elements(&out->value, symbols);
    *bytes = one > 0 && one <= 8 ? (size_t)one : 0;
    return bytes_of(device, out->place.buffer) + out->place.offset;
}

static void spoil(het__device *device, const output *out, const int64_t *symbols)
{
    static const uint16_t half = 0x7e00, brain = 0x7fc0;
    static const float single = NAN;
    static const double twice = NAN;
    int64_t count;
    size_t bytes;
    char *at = elements_of(device, out, symbols, &count, &bytes);
    const void *nan = out->value.dtype == HET_DTYPE_F32    ? (const void *)&single
                      : out->value.dtype == HET_DTYPE_F64  ? (const void *)&twice
                      : out->value.dtype == HET_DTYPE_F16  ? (const void *)&half
                      : out->value.dtype == HET_DTYPE_BF16 ? (const void *)&brain
                                                           : NULL;
    for (int64_t i = 0; nan && i < count; i++)
        memcpy(at + i * (int64_t)bytes, nan, bytes);
}

/* The last element of an output, kept before a run or put back after it. */
static void keep(het__device *device, output *out, const int64_t *symbols, bool back)
{
    int64_t count;
    size_t bytes;
    char *at = elements_of(device, out, symbols, &count, &bytes);
    if (count < 1)
        return;
    at += (count - 1) * (int64_t)bytes;
    memcpy(back ? at : out->kept, back ? out->kept : at, bytes);
}

static void write_beyond(het__device *device, const output *out, const int64_t *symbols)
{
    static const uint32_t rubbish = 0x7fc12345;
    const int64_t bytes = het__value_bytes(&out->value, symbols);
    memcpy(bytes_of(device, out->place.buffer) + out->place.offset + bytes, &rubbish,
           sizeof rubbish);
}

static void spoil_all(het__device *device, het__program *program, const int64_t *symbols,
                      het__null_effect effect)
{
    for (uint32_t i = 0; i < program->output_count; i++) {
        output *out = &program->outputs[i];
        if (effect == HET__NULL_NAN)
            spoil(device, out, symbols);
        else if (effect == HET__NULL_SHORT && out->is_last)
            keep(device, out, symbols, true);
        else if (effect == HET__NULL_LONG && out->is_last)
            write_beyond(device, out, symbols);
    }
}

static het_status null_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                               het_error *err)
{
    het__null_fault fault;
    het_status status = meet_any(device, HET__NULL_ENQUEUE, &fault, err);
    for (uint32_t i = 0; i < program->output_count && fault.effect == HET__NULL_SHORT; i++)
        if (program->outputs[i].is_last)
            keep(device, &program->outputs[i], symbols, false);
    if (!status)
        status = device->inner->enqueue(device->inner_device, program->inner, symbols, err);
    if (!fault.effect || status)
        return status;
    status = device->inner->wait(device->inner_device, 0, err);
    if (!status)
        spoil_all(device, program, symbols, fault.effect);
    return status;
}

static het_status null_wait(het__device *device, uint64_t timeout_ns, het_error *err)
{
    het__null_fault fault;
    const het_status status = meet_any(device, HET__NULL_WAIT, &fault, err);
    if (status)
        return status;
    return fault.effect == HET__NULL_HANG
               ? hang(device, timeout_ns, fault.number, err)
               : device->inner->wait(device->inner_device, timeout_ns, err);
}

static void null_counters(het__device *device, het__backend_counters *counters)
{
    device->inner->counters(device->inner_device, counters);
}

const het__backend het__backend_null = {
    .name = "null",
    .on_demand = true,
    .probe = null_probe,
    .open = null_open,
    .close = null_close,
    .supports = null_supports,
    .buffer_create = null_buffer_create,
    .buffer_destroy = null_buffer_destroy,
    .buffer_host = null_buffer_host,
    .buffer_write = null_buffer_write,
    .buffer_read = null_buffer_read,
    .compile = null_compile,
    .release = null_release,
    .enqueue = null_enqueue,
    .wait = null_wait,
    .counters = null_counters,
};

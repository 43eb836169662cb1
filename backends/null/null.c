/* SPDX-License-Identifier: Apache-2.0 */
/* A device that fails when told to, and otherwise passes every call on to the backend "ref".
 *
 * It finds that backend in the table, like any other caller. Buffers are ref's own, so places of a
 * slice go through unchanged; a program is wrapped to remember which outputs to spoil. */
#include "backends/null/null.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>

#include "backends/null/fault.h"
#include "lib/backend.h"
#include "lib/base/error.h"

extern const het__backend het__backend_null;

struct het__device {
    const het__backend *inner;
    het__device *inner_device;
    het__mem *mem;
};

/* A value that the slice makes. */
typedef struct output {
    het__value value; /* extents only */
    het__place place;
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
static het_status hang(uint64_t timeout_ns, uint64_t number, het_error *err)
{
    const uint64_t ns = timeout_ns ? timeout_ns : HET__NULL_HANG_NS;
    const uint64_t end = het__now_ns() + ns;
    for (uint64_t now = het__now_ns(); now < end; now = het__now_ns()) {
        const struct timespec left = { (time_t)((end - now) / 1000000000u),
                                       (long)((end - now) % 1000000000u) };
        thrd_sleep(&left, NULL);
    }
    return het__fail(err, HET_E_TIMEOUT, "null device: wait %llu hangs, as told",
                     (unsigned long long)number);
}

/* Count a call; its status if it is to fail. */
static het_status meet(het__null_call call, het_error *err)
{
    het__null_fault fault;
    if (!het__null_meets(call, &fault))
        return HET_OK;
    assert(fault.effect == HET__NULL_FAIL);
    return het__fail(err, fault.status, "null device: %s %llu fails, as told",
                     het__null_call_name(call), (unsigned long long)fault.number);
}

static void null_probe(const het__host *host, het__probed *probed)
{
    const het__backend *inner = find_inner();
    probed->device_count = 0;
    if (inner)
        inner->probe(host, probed);
    if (!probed->device_count) {
        snprintf(probed->reason, sizeof probed->reason, "no backend \"ref\" to compute with");
        return;
    }
    probed->device_count = 1;
    het_device_info *info = &probed->device[0];
    info->kind = HET_DEVICE_SIMULATED;
    snprintf(info->name, sizeof info->name, "null (fault injection)");
    snprintf(probed->reason, sizeof probed->reason, "always present, used when named");
}

static het_status null_open(const het__host *host, uint32_t index,
                            const het__open_options *options, het__device **device, het_error *err)
{
    const char *text = host->use_env ? het__env("HETINFER_NULL_FAULT") : NULL;
    het_status status = text ? het__null_arm_text(text, err) : HET_OK;
    if (!status)
        status = meet(HET__NULL_OPEN, err);
    if (status)
        return status;
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    if (!d)
        return het__fail_nomem(err, "the null device");
    d->mem = host->mem;
    d->inner = find_inner();
    assert(d->inner);
    status = d->inner->open(host, index, options, &d->inner_device, err);
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
    het__free(device->mem, device);
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
    const het_status status = meet(HET__NULL_BUFFER_CREATE, err);
    return status ? status
                  : device->inner->buffer_create(device->inner_device, bytes, buffer, err);
}

static void null_buffer_destroy(het__device *device, het__buffer *buffer)
{
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
    const het_status status = meet(HET__NULL_BUFFER_WRITE, err);
    if (!status)
        memcpy(bytes_of(device, buffer) + offset, source, bytes);
    return status;
}

static het_status null_buffer_read(het__device *device, het__buffer *buffer, size_t offset,
                                   void *target, size_t bytes, het_error *err)
{
    const het_status status = meet(HET__NULL_BUFFER_READ, err);
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
        }
    }
}

static het_status null_compile(het__device *device, const het__slice *slice,
                               het__program **program, het_error *err)
{
    het_status status = meet(HET__NULL_COMPILE, err);
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

static void spoil(het__device *device, const output *out, const int64_t *symbols)
{
    char *at = bytes_of(device, out->place.buffer) + out->place.offset;
    const int64_t count = het__value_elements(&out->value, symbols);
    const float nan = NAN;
    for (int64_t i = 0; i < count; i++)
        memcpy(at + i * (int64_t)sizeof nan, &nan, sizeof nan);
}

static het_status null_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                               het_error *err)
{
    het__null_fault fault;
    const bool met = het__null_meets(HET__NULL_ENQUEUE, &fault);
    if (met && fault.effect == HET__NULL_FAIL)
        return het__fail(err, fault.status, "null device: enqueue %llu fails, as told",
                         (unsigned long long)fault.number);
    het_status status = device->inner->enqueue(device->inner_device, program->inner, symbols, err);
    if (!met || status)
        return status;
    assert(fault.effect == HET__NULL_NAN);
    status = device->inner->wait(device->inner_device, 0, err);
    for (uint32_t i = 0; i < program->output_count && !status; i++)
        spoil(device, &program->outputs[i], symbols);
    return status;
}

static het_status null_wait(het__device *device, uint64_t timeout_ns, het_error *err)
{
    het__null_fault fault;
    if (!het__null_meets(HET__NULL_WAIT, &fault))
        return device->inner->wait(device->inner_device, timeout_ns, err);
    if (fault.effect == HET__NULL_HANG)
        return hang(timeout_ns, fault.number, err);
    return het__fail(err, fault.status, "null device: wait %llu fails, as told",
                     (unsigned long long)fault.number);
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

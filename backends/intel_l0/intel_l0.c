/* SPDX-License-Identifier: Apache-2.0 */
/* Intel's GPUs through Level Zero: the functions of the backend.
 *
 * Everything that the core asks for stands in a file of its own: probe.c finds devices, device.c
 * opens them, memory.c gives memory, driver.c and modules.c start what backends/gpu makes programs
 * of, events.c waits for them. */
#include "backends/intel_l0/l0.h"

#include <stdio.h>
#include <string.h>

#include "backends/gpu/experts.h"
#include "backends/gpu/notes.h"
#include "lib/base/error.h"
#include "lib/base/os.h"

extern const het__backend het__backend_intel_l0;

/* ---- what the last probe found, for questions without a device; guarded by the lock ---- */

static het__mutex lock = PTHREAD_MUTEX_INITIALIZER;
static het__gpu_facts known[HET__DEVICES_MAX];
static ze_device_handle_t known_id[HET__DEVICES_MAX]; /* for as long as the process */
static uint32_t known_count;

static void l0_probe(const het__host *host, het__probed *probed)
{
    het__l0_list *list = het__alloc(host->mem, sizeof *list);
    if (!list) {
        snprintf(probed->reason, sizeof probed->reason, "out of memory");
        return;
    }
    het__l0_find(host, list);
    het__mutex_lock(&lock);
    probed->device_count = known_count = list->count;
    for (uint32_t i = 0; i < list->count; i++) {
        known[i] = list->device[i].facts;
        known_id[i] = list->device[i].id;
        probed->device[i] = list->device[i].info;
        memcpy(probed->physical[i], list->device[i].physical, sizeof probed->physical[i]);
    }
    het__mutex_unlock(&lock);
    snprintf(probed->reason, sizeof probed->reason, "%s", list->reason);
    het__free(host->mem, list);
}

static bool l0_supports_on(uint32_t index, const het__graph *graph, const het__node *node,
                           char *reason, size_t bytes)
{
    /* The least that devices of this backend are. */
    het__gpu_facts facts = { .units = 1, .group_max = 256, .local_bytes = 65536,
                             .buffer_max_bytes = UINT32_MAX, .lanes = 1,
                             .base_align = HET__ALIGN, .is_intel = true };
    het__mutex_lock(&lock);
    if (index < known_count)
        facts = known[index];
    het__mutex_unlock(&lock);
    return het__gpu_supports_by(&het__l0_asking, &facts, graph, node, reason, bytes);
}

static bool l0_supports(const het__graph *graph, const het__node *node, char *reason,
                        size_t bytes)
{
    return l0_supports_on(UINT32_MAX, graph, node, reason, bytes);
}

/* The buffers of a program, each once, and NULL behind them. */
static het__buffer **buffers_of(het__program *program, const het__slice *slice)
{
    const uint32_t values = slice->graph->value_count;
    het__buffer **list = het__arena_zero(&program->arena, (size_t)values + 1, sizeof *list);
    uint32_t count = 0;
    for (uint32_t i = 0; list && i < values; i++) {
        het__buffer *buffer = slice->places[i].buffer;
        uint32_t k = 0;
        while (k < count && list[k] != buffer)
            k++;
        if (buffer && k == count)
            list[count++] = buffer;
    }
    return list;
}

static het_status l0_compile(het__device *device, const het__slice *slice, het__program **program,
                             het_error *err)
{
    het__program *p;
    const het_status s = het__gpu_compile(&device->gpu, slice, &p, err);
    if (s != HET_OK)
        return s;
    p->own = buffers_of(p, slice);
    if (!p->own) {
        het__gpu_release(&device->gpu, p);
        return het__fail_nomem(err, "a program");
    }
    *program = p;
    return HET_OK;
}

static void l0_release(het__device *device, het__program *program)
{
    het__gpu_release(&device->gpu, program);
}

static void l0_state(uint32_t index, het_device_state *state)
{
    ze_device_handle_t id = NULL;
    memset(state, 0, sizeof *state);
    het__mutex_lock(&lock);
    if (index < known_count)
        id = known_id[index];
    het__mutex_unlock(&lock);
    if (id && het__l0_has_sysman())
        het__l0_read_state(id, state);
}

static het_status l0_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                             het_error *err)
{
    const het_status s = het__gpu_enqueue(&device->gpu, program, symbols, err);
    if (s != HET_OK && device->gpu.is_gone && !device->has_stopped && s != HET_E_TIMEOUT)
        return het__fail(err, HET_E_TIMEOUT,
                         "the device has not answered after it took part of a program");
    for (het__buffer **b = program->own; s == HET_OK && *b; b++)
        (*b)->last_use = device->enqueued;
    return s;
}

static uint32_t l0_brought(het__device *device, het__brought *list, uint32_t max)
{
    return het__gpu_notes_take(&device->gpu, list, max);
}

static void l0_counters(het__device *device, het__backend_counters *counters)
{
    *counters = device->gpu.counters;
    het__gpu_experts_count(&device->gpu, counters);
}

const het__backend het__backend_intel_l0 = {
    .name = "intel_l0",
    .probe = l0_probe,
    .open = het__l0_open,
    .close = het__l0_close,
    .supports = l0_supports,
    .supports_on = l0_supports_on,
    .measure = het__l0_measure,
    .state = l0_state,
    .is_asynchronous = true,
    .streams = true,
    .borrows = true,
    .buffer_create = het__l0_buffer_create,
    .buffer_destroy = het__l0_buffer_destroy,
    .buffer_host = het__l0_buffer_host,
    .buffer_import = het__l0_buffer_import,
    .buffer_write = het__l0_buffer_write,
    .buffer_read = het__l0_buffer_read,
    .compile = l0_compile,
    .release = l0_release,
    .enqueue = l0_enqueue,
    .wait = het__l0_wait,
    .wait_for = het__l0_wait_for,
    .span = het__l0_span,
    .brought = l0_brought,
    .counters = l0_counters,
};

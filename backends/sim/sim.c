/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated device as a backend. Everything is computed by another one, found in the table like
 * by any other caller; what is added is time, memory, refusals and a queue. */
#include "backends/sim/sim.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "lib/base/error.h"
#include "lib/ir/stream.h"
#include "lib/partition/op_support.h"

extern const het__backend het__backend_sim;

#define SCALE_MAX 1e6

/* ---- probing ---- */

static void describe(const het__sim_profile *p, het_device_info *info)
{
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    info->kind = HET_DEVICE_SIMULATED;
    info->unit_count = p->device.units.value >= 1 ? (uint32_t)p->device.units.value : 1;
    info->memory_bytes = p->memory_bytes;
    snprintf(info->name, sizeof info->name, "sim: %.58s", p->device.name);
    snprintf(info->driver, sizeof info->driver, "simulated from profile %.39s", p->profile);
}

static void sim_probe(const het__host *host, het__probed *probed)
{
    het__sim_profile p;
    probed->device_count = 0;
    const uint32_t count = het__sim_probe(host, probed->reason, sizeof probed->reason);
    for (uint32_t i = 0; i < count && het__sim_profile_get(i, &p); i++)
        describe(&p, &probed->device[probed->device_count++]);
}

static bool sim_supports_on(uint32_t index, const het__graph *graph, const het__node *node,
                            char *reason, size_t bytes)
{
    het__sim_profile p;
    if (!het__sim_profile_get(index, &p)) {
        snprintf(reason, bytes, "there is no such device");
        return false;
    }
    const char *why = het__op_refusal(graph, node, &p.device, false);
    if (why)
        snprintf(reason, bytes, "%s", why);
    return !why && p.inner->supports(graph, node, reason, bytes);
}

static bool sim_supports(const het__graph *graph, const het__node *node, char *reason,
                         size_t bytes)
{
    return sim_supports_on(0, graph, node, reason, bytes);
}

static void figures_of(const het__sim_profile *p, het_device_figures *figures)
{
    const het__machine_device *d = &p->device;
    const double bf16 = d->peak[HET__PEAK_BF16].value, f16 = d->peak[HET__PEAK_F16].value;
    memset(figures, 0, sizeof *figures);
    figures->struct_size = sizeof *figures;
    figures->source = het__machine_source(d);
    figures->read_bytes_per_s = d->bandwidth.value;
    figures->f32_ops_per_s = d->peak[HET__PEAK_F32].value;
    figures->bf16_ops_per_s = bf16 > 0 ? bf16 : f16;
    figures->int8_ops_per_s = d->peak[HET__PEAK_INT8].value;
    figures->launch_ns = d->launch.value;
}

static void sim_figures(uint32_t index, het_device_figures *figures)
{
    het__sim_profile p;
    if (het__sim_profile_get(index, &p))
        figures_of(&p, figures);
}

/* ---- opening ---- */

static het_status read_scale(bool use_env, double *scale, het_error *err)
{
    const char *text = use_env ? het__env("HETINFER_SIM_SCALE") : NULL;
    char *end = NULL;
    *scale = 1;
    if (!text || !*text)
        return HET_OK;
    *scale = strtod(text, &end);
    if (end == text || *end || !(*scale >= 0) || *scale > SCALE_MAX)
        return het__fail(err, HET_E_INVALID, "HETINFER_SIM_SCALE is \"%.40s\", not 0 to %g", text,
                         SCALE_MAX);
    return HET_OK;
}

/* Threads of the application serve real devices; the inner one has its own. */
static het_status open_inner(het__device *d, const het__host *host,
                             const het__open_options *options, het_error *err)
{
    het__open_options inner = *options;
    inner.parallel = NULL;
    inner.pin_threads = false;
    inner.weight_cache = NULL;
    d->inner = d->profile.inner;
    return d->inner->open(host, 0, &inner, &d->inner_device, err);
}

static het_status sim_open(const het__host *host, uint32_t index, const het__open_options *options,
                           het__device **device, het_error *err)
{
    double scale;
    het_status s = read_scale(host->use_env, &scale, err);
    if (s != HET_OK)
        return s;
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    if (!d)
        return het__fail_nomem(err, "a simulated device");
    d->mem = host->mem;
    d->scale = scale;
    d->is_exact = options->precision == HET_PRECISION_EXACT;
    d->stream_slots = options->stream_slots;
    if (!het__sim_profile_get(index, &d->profile))
        s = het__fail(err, HET_E_INVALID, "there is no simulated device %u", index);
    if (s == HET_OK)
        s = open_inner(d, host, options, err);
    if (s == HET_OK) {
        s = het__sim_queue_start(d, err);
        if (s != HET_OK)
            d->inner->close(d->inner_device);
    }
    if (s != HET_OK) {
        het__free(host->mem, d);
        return s;
    }
    *device = d;
    return HET_OK;
}

static void sim_close(het__device *device)
{
    het__sim_queue_stop(device);
    device->inner->close(device->inner_device);
    het__free(device->mem, device->constants);
    het__free(device->mem, device);
}

static het_status sim_measure(het__device *device, het_device_figures *figures, het_error *err)
{
    (void)err;
    figures_of(&device->profile, figures);
    return HET_OK;
}

/* ---- memory ---- */

static het_status check_budget(const het__device *d, uint64_t bytes, const char *what,
                               het_error *err)
{
    const uint64_t budget = d->profile.memory_bytes;
    if (!budget || (bytes <= budget && d->used_bytes <= budget - bytes))
        return HET_OK;
    return het__fail(err, HET_E_NOMEM, "sim: %s has %llu bytes, %llu of them in use: no room for "
                     "%s of %llu", d->profile.device.name, (unsigned long long)budget,
                     (unsigned long long)d->used_bytes, what, (unsigned long long)bytes);
}

/* host NULL: memory of the inner device's own. */
static het_status make_buffer(het__device *d, void *host, size_t bytes, het__buffer **buffer,
                              het_error *err)
{
    het_status s = check_budget(d, bytes, "a buffer", err);
    if (s != HET_OK)
        return s;
    het__buffer *b = het__alloc_zero(d->mem, 1, sizeof *b);
    if (!b)
        return het__fail_nomem(err, "a buffer");
    het__mutex_lock(&d->inner_lock);
    s = host ? d->inner->buffer_import(d->inner_device, host, bytes, &b->inner, err)
             : d->inner->buffer_create(d->inner_device, bytes, &b->inner, err);
    if (s == HET_OK)
        b->data = d->inner->buffer_host(d->inner_device, b->inner);
    het__mutex_unlock(&d->inner_lock);
    if (s != HET_OK) {
        het__free(d->mem, b);
        return s;
    }
    assert(b->data);
    b->bytes = bytes;
    d->used_bytes += bytes;
    *buffer = b;
    return HET_OK;
}

static het_status sim_buffer_create(het__device *d, size_t bytes, het__buffer **buffer,
                                    het_error *err)
{
    return make_buffer(d, NULL, bytes, buffer, err);
}

/* What shares its memory with the host uses that of the host in place. */
static het_status sim_buffer_import(het__device *d, void *host, size_t bytes, het__buffer **buffer,
                                    het_error *err)
{
    if (d->profile.is_hidden || !d->inner->buffer_import)
        return het__fail(err, HET_E_UNSUPPORTED, "sim: %s has memory of its own",
                         d->profile.device.name);
    return make_buffer(d, host, bytes, buffer, err);
}

static void sim_buffer_destroy(het__device *d, het__buffer *buffer)
{
    het__sim_queue_drop(d);
    het__mutex_lock(&d->inner_lock);
    d->inner->buffer_destroy(d->inner_device, buffer->inner);
    het__mutex_unlock(&d->inner_lock);
    d->used_bytes -= buffer->bytes;
    het__free(d->mem, buffer);
}

static void *sim_buffer_host(het__device *d, het__buffer *buffer)
{
    return d->profile.is_hidden ? NULL : buffer->data;
}

/* A copy over the link. */
static void copy(const het__device *d, void *target, const void *source, size_t bytes)
{
    const double ns = d->profile.link_latency_ns +
                      (d->profile.link_bandwidth > 0
                           ? (double)bytes / d->profile.link_bandwidth * 1e9 : 0);
    const uint64_t end = het__now_ns() + (uint64_t)(ns * d->scale);
    memcpy(target, source, bytes);
    for (uint64_t now = het__now_ns(); now < end; now = het__now_ns()) {
        const struct timespec left = { (time_t)((end - now) / 1000000000u),
                                       (long)((end - now) % 1000000000u) };
        thrd_sleep(&left, NULL);
    }
}

static het_status sim_buffer_write(het__device *d, het__buffer *buffer, size_t offset,
                                   const void *source, size_t bytes, het_error *err)
{
    (void)err;
    copy(d, buffer->data + offset, source, bytes);
    return HET_OK;
}

static het_status sim_buffer_read(het__device *d, het__buffer *buffer, size_t offset, void *target,
                                  size_t bytes, het_error *err)
{
    (void)err;
    copy(d, target, buffer->data + offset, bytes);
    return HET_OK;
}

/* ---- programs ---- */

static bool is_kept(const het__device *d, const void *data)
{
    for (size_t i = d->constant_count; i-- > 0;)
        if (d->constants[i] == data)
            return true;
    return false;
}

static bool grow_constants(het__device *d)
{
    if (d->constant_count < d->constant_capacity)
        return true;
    const size_t capacity = d->constant_capacity ? 2 * d->constant_capacity : 64;
    const void **grown = het__realloc(d->mem, d->constants, capacity * sizeof *grown);
    if (!grown)
        return false;
    d->constants = grown;
    d->constant_capacity = capacity;
    return true;
}

/* A constant that comes before each run counts with the slice, and not as one that stays. */
static bool is_first_of_slice(const het__slice *slice, uint32_t node, uint32_t input)
{
    const uint32_t id = slice->graph->nodes[slice->nodes[node]].inputs[input];
    for (uint32_t n = 0; n <= node; n++) {
        const het__node *at = &slice->graph->nodes[slice->nodes[n]];
        for (uint32_t i = 0; i < (n < node ? at->input_count : input); i++)
            if (at->inputs[i] == id)
                return false;
    }
    return true;
}

static uint64_t stream_bytes(const het__slice *slice)
{
    uint64_t bytes = 0;
    for (uint32_t n = 0; slice->streams && n < slice->node_count; n++) {
        const het__node *node = &slice->graph->nodes[slice->nodes[n]];
        for (uint32_t i = 0; i < node->input_count; i++) {
            const het__value *v = node->inputs[i] == HET__NO_VALUE
                                      ? NULL : &slice->graph->values[node->inputs[i]];
            if (!v || !het__value_streams(v) || !is_first_of_slice(slice, n, i))
                continue;
            const int64_t size = het__value_bytes(v, slice->symbols_max);
            bytes += size > 0 ? (uint64_t)size : 0;
        }
    }
    return bytes;
}

/* All slots grow with the largest that comes. */
static het_status fit_slots(het__device *d, uint64_t bytes, het_error *err)
{
    const uint64_t more = bytes > d->slot_bytes ? bytes - d->slot_bytes : 0;
    const het_status s = check_budget(d, d->stream_slots * more, "slots of weights", err);
    if (s != HET_OK)
        return s;
    d->slot_bytes += more;
    d->used_bytes += d->stream_slots * more;
    return HET_OK;
}

/* Constants that the slice brings to the device; they are taken back if it does not compile. */
static het_status keep_constants(het__device *d, const het__slice *slice, uint64_t *bytes,
                                 het_error *err)
{
    *bytes = 0;
    for (uint32_t n = 0; n < slice->node_count; n++) {
        const het__node *node = &slice->graph->nodes[slice->nodes[n]];
        for (uint32_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i] == HET__NO_VALUE)
                continue;
            const het__value *v = &slice->graph->values[node->inputs[i]];
            if (v->kind != HET__VALUE_CONST || !v->data || is_kept(d, v->data) ||
                (slice->streams && het__value_streams(v)))
                continue;
            const int64_t size = het__value_bytes(v, slice->symbols_max);
            if (!grow_constants(d))
                return het__fail_nomem(err, "the list of constants");
            d->constants[d->constant_count++] = v->data;
            *bytes += size > 0 ? (uint64_t)size : 0;
        }
    }
    return check_budget(d, *bytes, "weights", err);
}

/* The slice with the inner device's buffers. */
static het_status compile_inner(het__device *d, const het__slice *slice, het__program *p,
                                het_error *err)
{
    const uint32_t count = slice->graph->value_count;
    het__place *places = het__alloc_zero(d->mem, count, sizeof *places);
    het__slice inner = *slice;
    if (!places)
        return het__fail_nomem(err, "a program");
    for (uint32_t v = 0; v < count; v++)
        if (slice->places[v].buffer)
            places[v] = (het__place){ slice->places[v].buffer->inner, slice->places[v].offset };
    inner.places = places;
    het__mutex_lock(&d->inner_lock);
    const het_status s = d->inner->compile(d->inner_device, &inner, &p->inner, err);
    het__mutex_unlock(&d->inner_lock);
    het__free(d->mem, places);
    return s;
}

static het_status sim_compile(het__device *d, const het__slice *slice, het__program **program,
                              het_error *err)
{
    const size_t before = d->constant_count;
    uint64_t bytes = 0;
    het__program *p = het__alloc_zero(d->mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a program");
    het_status s = het__sim_model_make(&p->model, slice, d->is_exact, d->mem, err);
    if (s != HET_OK) {
        het__free(d->mem, p);
        return s;
    }
    p->stream_bytes = stream_bytes(slice);
    p->layer = slice->graph->nodes[slice->nodes[0]].layer;
    s = keep_constants(d, slice, &bytes, err);
    if (s == HET_OK)
        s = fit_slots(d, p->stream_bytes, err);
    if (s == HET_OK)
        s = compile_inner(d, slice, p, err);
    if (s != HET_OK) {
        d->constant_count = before;
        het__sim_model_finish(&p->model);
        het__free(d->mem, p);
        return s;
    }
    d->used_bytes += bytes;
    p->next = d->programs;
    d->programs = p;
    *program = p;
    return HET_OK;
}

static void sim_release(het__device *d, het__program *program)
{
    het__program **at = &d->programs;
    het__sim_queue_drop(d);
    het__sim_stream_forget(d, program);
    while (*at != program)
        at = &(*at)->next;
    *at = program->next;
    het__mutex_lock(&d->inner_lock);
    d->inner->release(d->inner_device, program->inner);
    het__mutex_unlock(&d->inner_lock);
    het__sim_model_finish(&program->model);
    het__free(d->mem, program);
}

static void sim_ready(het__device *d)
{
    het__mutex_lock(&d->inner_lock);
    if (d->inner->ready)
        d->inner->ready(d->inner_device);
    het__mutex_unlock(&d->inner_lock);
}

static het_status sim_enqueue(het__device *d, het__program *program, const int64_t *symbols,
                              het_error *err)
{
    (void)err;
    het__sim_queue_add(d, program, symbols);
    return HET_OK;
}

static het_status sim_wait(het__device *d, uint64_t timeout_ns, het_error *err)
{
    return het__sim_queue_wait(d, UINT64_MAX, timeout_ns, err);
}

static het_status sim_wait_for(het__device *d, uint64_t count, uint64_t timeout_ns,
                               het_error *err)
{
    return het__sim_queue_wait(d, count, timeout_ns, err);
}

static bool sim_span(het__device *d, uint64_t count, uint64_t *begin_ns, uint64_t *end_ns)
{
    het__mutex_lock(&d->lock);
    const bool known = count > 0 && count <= d->done && d->done - count < HET__SIM_SPANS;
    if (known) {
        *begin_ns = d->spans[(count - 1) % HET__SIM_SPANS].begin_ns;
        *end_ns = d->spans[(count - 1) % HET__SIM_SPANS].end_ns;
    }
    het__mutex_unlock(&d->lock);
    return known;
}

static uint32_t sim_brought(het__device *d, het__brought *list, uint32_t max)
{
    uint32_t count = 0;
    het__mutex_lock(&d->lock);
    if (d->stream_count - d->brought_taken > HET__SIM_SPANS)
        d->brought_taken = d->stream_count - HET__SIM_SPANS;
    while (count < max && d->brought_taken < d->stream_count) {
        const het__brought *b = &d->brought[d->brought_taken % HET__SIM_SPANS];
        if (b->end_ns > het__now_ns())
            break;
        list[count++] = *b;
        d->brought_taken++;
    }
    het__mutex_unlock(&d->lock);
    return count;
}

/* Time is the modelled one: what a device of that kind would have been busy. */
static void sim_counters(het__device *d, het__backend_counters *counters)
{
    het__mutex_lock(&d->inner_lock);
    d->inner->counters(d->inner_device, counters);
    het__mutex_unlock(&d->inner_lock);
    het__mutex_lock(&d->lock);
    counters->busy_ns = (uint64_t)d->modelled_ns;
    counters->stream_slot_bytes = d->stream_slots * d->slot_bytes;
    counters->stream_count = d->stream_count;
    counters->stream_ahead = d->stream_ahead;
    counters->streamed_bytes = d->streamed_bytes;
    het__mutex_unlock(&d->lock);
}

const het__backend het__backend_sim = {
    .name = "sim",
    .on_demand = true,
    .probe = sim_probe,
    .open = sim_open,
    .close = sim_close,
    .supports = sim_supports,
    .supports_on = sim_supports_on,
    .figures = sim_figures,
    .measure = sim_measure,
    .is_asynchronous = true,
    .streams = true,
    .buffer_create = sim_buffer_create,
    .buffer_destroy = sim_buffer_destroy,
    .buffer_host = sim_buffer_host,
    .buffer_import = sim_buffer_import,
    .buffer_write = sim_buffer_write,
    .buffer_read = sim_buffer_read,
    .compile = sim_compile,
    .release = sim_release,
    .ready = sim_ready,
    .enqueue = sim_enqueue,
    .wait = sim_wait,
    .wait_for = sim_wait_for,
    .span = sim_span,
    .brought = sim_brought,
    .counters = sim_counters,
};

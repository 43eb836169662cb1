/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU as a device: what is found, what is supported, plain host memory, and the table of
 * functions. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "backends/cpu_onednn/cache.h"
#include "backends/cpu_onednn/image.h"
#include "backends/cpu_onednn/measure.h"
#include "backends/cpu_onednn/program.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/quant/quant.h"

extern const het__backend het__backend_cpu_onednn;

/* Some ten microseconds of products: such a program is over before another thread has woken up and
 * met the first barriers. */
#define ALONE_MACS 2e5
/* About a microsecond of products on one thread: handing a step to others takes half of that. */
#define SHORT_MACS 4e3

/* The processor's brand string, without the spaces that pad it. */
static void brand(char *name, size_t bytes)
{
    snprintf(name, bytes, "CPU");
#if defined(__x86_64__) || defined(__i386__)
    unsigned words[12] = { 0 };
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(0x80000000u, &eax, &ebx, &ecx, &edx) || eax < 0x80000004u)
        return;
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                    &words[4 * i + 3]);
    char text[49] = { 0 };
    memcpy(text, words, 48);
    const char *begin = text + strspn(text, " ");
    size_t n = strlen(begin);
    while (n && begin[n - 1] == ' ')
        n--;
    if (n)
        snprintf(name, bytes, "%.*s", (int)n, begin);
#endif
}

static void cpu_probe(const het__host *host, het__probed *probed)
{
    const het__cpu_level *level = het__cpu_level_choose(host->use_env);
    memset(probed, 0, sizeof *probed);
    if (!level) {
        snprintf(probed->reason, sizeof probed->reason,
                 "HETINFER_CPU_LEVEL names no instruction-set level that this processor can run");
        return;
    }
    het_device_info *info = &probed->device[0];
    probed->device_count = 1;
    info->struct_size = sizeof *info;
    info->kind = HET_DEVICE_CPU;
    info->unit_count = het__cpu_count();
    info->memory_bytes = het__memory_bytes();
    brand(info->name, sizeof info->name);
    het__onednn_name(info->driver, sizeof info->driver);
    snprintf(info->features, sizeof info->features, "%s", level->features);
    snprintf(probed->reason, sizeof probed->reason, "%s, %u processors, kernels for %s",
             info->name, info->unit_count, level->name);
}

static het_status cpu_open(const het__host *host, uint32_t index, const het__open_options *options,
                           het__device **device, het_error *err)
{
    (void)index;
    const het__cpu_level *level = het__cpu_level_choose(host->use_env);
    if (!level)
        return het__fail(err, HET_E_UNSUPPORTED, "HETINFER_CPU_LEVEL names no level of this CPU");
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    if (!d)
        return het__fail_nomem(err, "a device");
    d->host = host;
    d->level = level;
    d->options = *options;
    d->round_small = host->use_env && het__env("HETINFER_CPU_ROUND_SMALL") != NULL;
    d->alone_macs = ALONE_MACS;
    d->short_macs = SHORT_MACS;
    const het__pool_options pool = { options->threads, options->pin_threads, options->parallel,
                                     options->parallel_user };
    const het_status s = het__pool_create(host->mem, &pool, &d->pool, err);
    if (s != HET_OK) {
        het__free(host->mem, d);
        return s;
    }
    d->cache = het__cpu_cache_open(d);
    d->options.weight_cache = NULL; /* was lent */
    if (het__onednn_wanted(level, options->weights_mapped && !d->cache))
        d->onednn = het__onednn_open(host->mem, options->threads);
    *device = d;
    return HET_OK;
}

static void cpu_close(het__device *device)
{
    het__mem *mem = device->host->mem;
    het__pool_destroy(device->pool);
    het__onednn_close(device->onednn);
    het__cpu_constants_free(device);
    het__cpu_angles_free(device);
    het__cpu_cache_close(device);
    het__free(mem, device->shared);
    het__free(mem, device->workers);
    het__free(mem, device);
}

/* ---- what is supported ---- */

static const het__value *input(const het__graph *graph, const het__node *node, uint32_t i)
{
    if (i >= node->input_count || node->inputs[i] == HET__NO_VALUE)
        return NULL;
    return &graph->values[node->inputs[i]];
}

/* A weight: constant, of a type that has a decoder, in whole blocks. */
static bool is_weight(const het__value *v)
{
    return v->kind == HET__VALUE_CONST && het__decoder(v->dtype) && v->rank >= 1 &&
           het_dtype_bytes(v->dtype, v->extent[v->rank - 1].count) >= 0;
}

static bool needs_weight(const het__node *node, uint32_t i)
{
    switch (node->op) {
    case HET__OP_EMBED:
        return i == 0;
    case HET__OP_NORM:
    case HET__OP_GATED:
        return i > 0;
    case HET__OP_LINEAR:
    case HET__OP_MOE:
        return i > 1;
    case HET__OP_ROPE:
        return i > 1;
    case HET__OP_CONV:
    case HET__OP_MATMUL:
        return i == 1 || i == 2;
    case HET__OP_ATTENTION:
        return i >= HET__ATTN_Q_NORM;
    default:
        return false;
    }
}

/* Angles of each token, in place of factors. */
static bool are_angles(const het__graph *graph, const het__node *node, uint32_t i)
{
    const bool is_place = (node->op == HET__OP_ROPE && i == 2) ||
                          (node->op == HET__OP_ATTENTION && i == HET__ATTN_FACTORS);
    return is_place && input(graph, node, i)->kind != HET__VALUE_CONST &&
           input(graph, node, i)->rank == 2;
}

static bool is_index(const het__node *node, uint32_t i)
{
    switch (node->op) {
    case HET__OP_EMBED:
    case HET__OP_ROPE:
    case HET__OP_ROWS:
        return i == 1;
    case HET__OP_ATTENTION:
        return i >= HET__ATTN_POSITIONS && i <= HET__ATTN_PAGES;
    default:
        return false;
    }
}

static bool refuse(char *reason, size_t bytes, const char *what, const het__value *v)
{
    snprintf(reason, bytes, "%s (%s, %s)", what, v->name, het_dtype_name(v->dtype));
    return false;
}

static bool cpu_supports(const het__graph *graph, const het__node *node, char *reason,
                         size_t bytes)
{
    if (!het__op_info_of(node->op)) {
        snprintf(reason, bytes, "unknown operation");
        return false;
    }
    if (het__op_is_tensor(node->op))
        return het__plain_supports(graph, node, reason, bytes);
    if (node->op == HET__OP_MATMUL) {
        const het__value *w = input(graph, node, 1);
        if (w->rank != 2 || (!node->attrs.matmul.transpose_b && w->dtype != HET_DTYPE_F32)) {
            snprintf(reason, bytes, "the second operand is not a matrix of weights");
            return false;
        }
    }
    const bool is_image = (node->op >= HET__OP_CONV && node->op <= HET__OP_UNBLOCK) ||
                          node->op == HET__OP_QCONV;
    const char *problem = is_image ? het__cpu_image_problem(graph, node) : NULL;
    if (problem) {
        snprintf(reason, bytes, "%s", problem);
        return false;
    }
    if (node->op == HET__OP_QMAP) {
        const het__value *x = input(graph, node, 0), *table = input(graph, node, 1);
        return (x->kind != HET__VALUE_CONST && table->kind == HET__VALUE_CONST && table->data) ||
               refuse(reason, bytes, "codes are constant or their table is not", table);
    }
    if (is_image && input(graph, node, 0)->dtype != HET_DTYPE_F32)
        return true;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = input(graph, node, i);
        if (!v || v->kind == HET__VALUE_STATE)
            continue;
        if (needs_weight(node, i) && !are_angles(graph, node, i)) {
            if (!is_weight(v))
                return refuse(reason, bytes, "not a constant of a numeric type", v);
        } else if (is_index(node, i)) {
            if (v->dtype != HET_DTYPE_I32 || v->kind == HET__VALUE_CONST)
                return refuse(reason, bytes, "not indices of a step", v);
        } else if (v->kind == HET__VALUE_CONST ? !is_weight(v) : v->dtype != HET_DTYPE_F32) {
            return refuse(reason, bytes, "activations are not F32", v);
        }
    }
    return true;
}

static int32_t cpu_image_block(const het__host *host)
{
    const het__cpu_level *level = het__cpu_level_choose(host->use_env);
    return level ? het__image_math_for(level->name)->lanes : 0;
}

/* ---- memory ---- */

static het_status cpu_buffer_create(het__device *device, size_t bytes, het__buffer **buffer,
                                    het_error *err)
{
    het__buffer *b = het__alloc(device->host->mem, sizeof *b);
    void *data = het__alloc_zero(device->host->mem, 1, bytes);
    if (!b || !data) {
        het__free(device->host->mem, b);
        het__free(device->host->mem, data);
        return het__fail_nomem(err, "a buffer");
    }
    *b = (het__buffer){ data, bytes, false };
    *buffer = b;
    return HET_OK;
}

static het_status cpu_buffer_import(het__device *device, void *host, size_t bytes,
                                    het__buffer **buffer, het_error *err)
{
    het__buffer *b = het__alloc(device->host->mem, sizeof *b);
    if (!b)
        return het__fail_nomem(err, "a buffer");
    *b = (het__buffer){ host, bytes, true };
    *buffer = b;
    return HET_OK;
}

static void cpu_buffer_destroy(het__device *device, het__buffer *buffer)
{
    if (!buffer)
        return;
    if (!buffer->is_borrowed)
        het__free(device->host->mem, buffer->data);
    het__free(device->host->mem, buffer);
}

static void *cpu_buffer_host(het__device *device, het__buffer *buffer)
{
    (void)device;
    return buffer->data;
}

static void cpu_buffer_move(het__device *device, het__buffer *buffer, void *host)
{
    assert(buffer->is_borrowed);
    buffer->data = host;
    device->moves++;
}

static het_status cpu_buffer_write(het__device *device, het__buffer *buffer, size_t offset,
                                   const void *source, size_t bytes, het_error *err)
{
    (void)device;
    (void)err;
    memcpy((unsigned char *)buffer->data + offset, source, bytes);
    return HET_OK;
}

static het_status cpu_buffer_read(het__device *device, het__buffer *buffer, size_t offset,
                                  void *target, size_t bytes, het_error *err)
{
    (void)device;
    (void)err;
    memcpy(target, (const unsigned char *)buffer->data + offset, bytes);
    return HET_OK;
}

/* enqueue has returned after the last step: nothing is left to wait for. */
static het_status cpu_wait(het__device *device, uint64_t timeout_ns, het_error *err)
{
    (void)device;
    (void)timeout_ns;
    (void)err;
    return HET_OK;
}

static void cpu_counters(het__device *device, het__backend_counters *counters)
{
    *counters = (het__backend_counters){
        .weight_bytes = device->weight_bytes,
        .mapped_bytes = device->mapped_bytes,
        .scratch_bytes = device->scratch_bytes,
        .launch_count = device->launch_count,
        .busy_ns = device->busy_ns,
    };
}

const het__backend het__backend_cpu_onednn = {
    .name = "cpu_onednn",
    .probe = cpu_probe,
    .open = cpu_open,
    .close = cpu_close,
    .supports = cpu_supports,
    .image_block = cpu_image_block,
    .measure = het__cpu_measure,
    .borrows = true,
    .buffer_create = cpu_buffer_create,
    .buffer_destroy = cpu_buffer_destroy,
    .buffer_host = cpu_buffer_host,
    .buffer_import = cpu_buffer_import,
    .buffer_move = cpu_buffer_move,
    .buffer_write = cpu_buffer_write,
    .buffer_read = cpu_buffer_read,
    .compile = het__cpu_compile,
    .release = het__cpu_release,
    .ready = het__cpu_cache_keep,
    .enqueue = het__cpu_enqueue,
    .wait = cpu_wait,
    .counters = cpu_counters,
};

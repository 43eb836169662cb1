/* SPDX-License-Identifier: Apache-2.0 */
/* A graph on one device: every value in a buffer of its own, all nodes in one slice.
 *
 *     rig_open -> build r.graph, set r.symbols and r.symbols_max -> rig_compile -> rig_run …
 *     -> rig_close, which checks that nothing is left allocated */
#ifndef HETINFER_TEST_RIG_H
#define HETINFER_TEST_RIG_H

#include "lib/backend.h"
#include "test.h"

#define RIG_VALUES_MAX 64

typedef struct rig {
    het__mem mem;
    het__host host;
    het__open_options options;
    const het__backend *backend;
    het__device *device;
    het__graph graph;
    int64_t symbols[HET__SYM_MAX], symbols_max[HET__SYM_MAX];
    het__buffer *buffers[RIG_VALUES_MAX];
    het__place places[RIG_VALUES_MAX];
    uint32_t nodes[RIG_VALUES_MAX];
    het__program *program;
    void *shadow[RIG_VALUES_MAX]; /* of buffers that the host cannot reach */
} rig;

static inline const het__backend *rig_backend(const char *name)
{
    for (const het__backend *const *b = het__backends; *b; b++)
        if (strcmp((*b)->name, name) == 0)
            return *b;
    return NULL;
}

/* Everything but the device. */
static inline void rig_init(rig *r, const char *backend)
{
    memset(r, 0, sizeof *r);
    het__mem_init(&r->mem, NULL);
    r->host.mem = &r->mem;
    r->options.threads = 1;
    r->backend = rig_backend(backend);
    het__graph_init(&r->graph, &r->mem);
    for (int i = 0; i < HET__SYM_MAX; i++)
        r->symbols[i] = r->symbols_max[i] = 1;
}

static inline het_status rig_open_device(rig *r, het_error *err)
{
    return r->backend->open(&r->host, 0, &r->options, &r->device, err);
}

static inline void rig_open(rig *r, const char *backend)
{
    het_error err = HET_ERROR_INIT;
    rig_init(r, backend);
    CHECK_INT(rig_open_device(r, &err), HET_OK);
}

static inline size_t rig_bytes(const rig *r, uint32_t value, const int64_t *symbols)
{
    return (size_t)het__value_bytes(&r->graph.values[value], symbols);
}

/* A value that is not a constant: its bytes on the host, or a copy of them that a run takes to the
 * device and back. */
static inline void *rig_data(rig *r, uint32_t value)
{
    void *host = r->backend->buffer_host(r->device, r->buffers[value]);
    const size_t bytes = rig_bytes(r, value, r->symbols_max);
    if (host || r->shadow[value])
        return host ? host : r->shadow[value];
    r->shadow[value] = malloc(bytes ? bytes : 1);
    if (!r->shadow[value] || r->backend->buffer_read(r->device, r->buffers[value], 0,
                                                     r->shadow[value], bytes, NULL) != HET_OK)
        TEST_FAIL("value %u cannot be read", value);
    return r->shadow[value];
}

static inline void rig_move_shadows(rig *r, bool to_device)
{
    for (uint32_t v = 0; v < RIG_VALUES_MAX; v++) {
        if (!r->shadow[v])
            continue;
        const size_t bytes = rig_bytes(r, v, r->symbols_max);
        const het_status s =
            to_device
                ? r->backend->buffer_write(r->device, r->buffers[v], 0, r->shadow[v], bytes, NULL)
                : r->backend->buffer_read(r->device, r->buffers[v], 0, r->shadow[v], bytes, NULL);
        CHECK_INT(s, HET_OK);
    }
}

static inline het_status rig_buffers(rig *r, het_error *err)
{
    for (uint32_t v = 0; v < r->graph.value_count; v++) {
        if (r->graph.values[v].kind == HET__VALUE_CONST || r->buffers[v])
            continue;
        const het_status status = r->backend->buffer_create(
            r->device, rig_bytes(r, v, r->symbols_max), &r->buffers[v], err);
        if (status)
            return status;
        r->places[v].buffer = r->buffers[v];
    }
    return HET_OK;
}

static inline het_status rig_compile_slice(rig *r, het_error *err)
{
    for (uint32_t n = 0; n < r->graph.node_count; n++)
        r->nodes[n] = n;
    const het__slice slice = { .graph = &r->graph, .nodes = r->nodes,
                               .node_count = r->graph.node_count, .places = r->places,
                               .symbols_max = r->symbols_max };
    return r->backend->compile(r->device, &slice, &r->program, err);
}

static inline bool rig_compile(rig *r)
{
    het_error err = HET_ERROR_INIT;
    het_status status = r->graph.failed ? HET_E_INVALID : het__graph_check(&r->graph, &err);
    if (!status && r->graph.value_count > RIG_VALUES_MAX)
        status = HET_E_INVALID;
    if (!status)
        status = rig_buffers(r, &err);
    if (!status)
        status = rig_compile_slice(r, &err);
    if (status)
        TEST_FAIL("%s: %s", het_status_name(status), err.message);
    return !status;
}

/* Also checks that a step allocates nothing. */
static inline void rig_run(rig *r)
{
    het_error err = HET_ERROR_INIT;
    rig_move_shadows(r, true);
    const uint64_t count = r->mem.count;
    CHECK_INT(r->backend->enqueue(r->device, r->program, r->symbols, &err), HET_OK);
    CHECK_INT(r->backend->wait(r->device, 0, &err), HET_OK);
    CHECK_INT(r->mem.count, count);
    rig_move_shadows(r, false);
}

static inline void rig_close(rig *r)
{
    if (r->program)
        r->backend->release(r->device, r->program);
    for (uint32_t v = 0; v < RIG_VALUES_MAX; v++)
        if (r->buffers[v])
            r->backend->buffer_destroy(r->device, r->buffers[v]);
    for (uint32_t v = 0; v < RIG_VALUES_MAX; v++)
        free(r->shadow[v]);
    if (r->device)
        r->backend->close(r->device);
    het__graph_finish(&r->graph);
    CHECK_INT(r->mem.bytes, 0);
}

#endif /* HETINFER_TEST_RIG_H */

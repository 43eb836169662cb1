/* SPDX-License-Identifier: Apache-2.0 */
/* Three devices that compute with "ref" and differ as machines do, as a registry:
 *
 *     0  near     computes inside enqueue, its memory is the host's, uses host memory in place
 *     1  sharing  computes on a thread, hides its memory, uses host memory in place
 *     2  far      computes on a thread, hides its memory, copies all
 *
 * A node runs where its name begins with "N:", else where async_pattern and its name say; some run
 * everywhere. A gate holds threads back until the near device has run a number of programs, to show
 * that nobody waited for them. Stand-ins: their times say nothing. */
#ifndef HETINFER_ASYNC_DEVICE_H
#define HETINFER_ASYNC_DEVICE_H

#include "lib/backend.h"
#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/exec/registry.h"

#include "test.h"

#include <time.h>

#define ASYNC_DEVICES 3
#define ASYNC_QUEUE 512

static uint64_t async_pattern;             /* which node goes where */
static uint32_t async_can_import;          /* as bits; others say HET_E_UNSUPPORTED */
static bool async_is_slow;                 /* threads dawdle now and then */
static uint64_t async_delay_ns;            /* before every program of a thread */
static int64_t async_fault_at;             /* the write that fails with HET_E_IO, from 1; 0: none */
static _Atomic het_status async_fault_wait; /* what the next wait of a thread gives; 0: none */
static _Atomic uint64_t async_gate_from;   /* programs of threads wait from this number; 0: none */
static uint64_t async_gate_programs;       /* of the near device, that open it; 0: one */
static uint64_t async_near_programs;       /* that it has run */
static _Atomic uint32_t async_gate_opened; /* the near device has run them */
static _Atomic uint32_t async_gate_failed; /* nobody opened it for seconds */
static _Atomic uint64_t async_reads, async_writes, async_imports, async_waits_for;

struct het__device {
    const het__backend *ref;
    het__device *inner;
    het__mem *mem;
    uint32_t index;
    het__mutex lock;
    het__cond changed;
    het__thread thread;
    bool stop;
    uint64_t enqueued, ended, random;
    struct { het__program *program; uint64_t begin_ns, end_ns; int64_t symbols[HET__SYM_MAX]; }
        queue[ASYNC_QUEUE];
};

static inline const het__backend *async_ref(void)
{
    for (const het__backend *const *b = het__backends; *b; b++)
        if (strcmp((*b)->name, "ref") == 0)
            return *b;
    return NULL;
}

static inline void async_nap(uint64_t ns)
{
    const struct timespec time = { 0, (long)ns };
    nanosleep(&time, NULL);
}

static inline void async_hold(uint64_t number)
{
    const uint64_t from = atomic_load(&async_gate_from);
    if (from == 0 || number < from)
        return;
    for (int i = 0; i < 5000; i++) {
        if (atomic_load(&async_gate_opened))
            return;
        async_nap(1000000);
    }
    atomic_fetch_add(&async_gate_failed, 1);
}

static inline void *async_work(void *argument)
{
    het__device *d = argument;
    het__mutex_lock(&d->lock);
    for (;;) {
        while (d->ended == d->enqueued && !d->stop)
            het__cond_wait(&d->changed, &d->lock);
        if (d->ended == d->enqueued)
            break;
        const uint64_t number = d->ended + 1;
        het__mutex_unlock(&d->lock);
        async_hold(number);
        if (async_is_slow && test_random(&d->random) % 4 == 0)
            async_nap(test_random(&d->random) % 100000);
        if (async_delay_ns)
            async_nap(async_delay_ns);
        const uint64_t begin = het__now_ns();
        CHECK_INT(d->ref->enqueue(d->inner, d->queue[(number - 1) % ASYNC_QUEUE].program,
                                  d->queue[(number - 1) % ASYNC_QUEUE].symbols, NULL), HET_OK);
        het__mutex_lock(&d->lock);
        d->queue[(number - 1) % ASYNC_QUEUE].begin_ns = begin;
        d->queue[(number - 1) % ASYNC_QUEUE].end_ns = het__now_ns();
        d->ended = number;
        het__cond_broadcast(&d->changed);
    }
    het__mutex_unlock(&d->lock);
    return NULL;
}

static inline het_status async_open(const het__host *host, uint32_t index,
                                    const het__open_options *options, het__device **device,
                                    het_error *err)
{
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    if (!d)
        return HET_E_NOMEM;
    d->ref = async_ref();
    d->mem = host->mem;
    d->index = index;
    d->random = index + 1;
    const het_status s = d->ref->open(host, 0, options, &d->inner, err);
    if (s != HET_OK) {
        het__free(host->mem, d);
        return s;
    }
    het__mutex_init(&d->lock);
    het__cond_init(&d->changed);
    if (index > 0)
        CHECK(het__thread_start(&d->thread, async_work, d));
    *device = d;
    return HET_OK;
}

static inline void async_close(het__device *d)
{
    if (d->index > 0) {
        het__mutex_lock(&d->lock);
        d->stop = true; /* what is still to do is done first: a lost device may have something */
        het__cond_broadcast(&d->changed);
        het__mutex_unlock(&d->lock);
        het__thread_join(d->thread);
    }
    het__cond_finish(&d->changed);
    het__mutex_finish(&d->lock);
    d->ref->close(d->inner);
    het__free(d->mem, d);
}

static inline bool async_supports(uint32_t device, const het__graph *graph, const het__node *node,
                                  char *reason, size_t bytes)
{
    uint64_t h = async_pattern;
    for (const char *p = node->name; p && *p; p++)
        h = (h ^ (uint64_t)(unsigned char)*p) * UINT64_C(1099511628211);
    uint32_t owner = (uint32_t)(h >> 40) % (ASYNC_DEVICES + 1);
    if (node->name && node->name[0] >= '0' && node->name[0] <= '2' && node->name[1] == ':')
        owner = (uint32_t)(node->name[0] - '0');
    snprintf(reason, bytes, "not mine");
    return (owner == device || owner == ASYNC_DEVICES) &&
           async_ref()->supports(graph, node, reason, bytes);
}

#define ASYNC_SUPPORTS(n)                                                                     \
    static bool async_supports_##n(const het__graph *graph, const het__node *node,            \
                                   char *reason, size_t bytes)                                \
    {                                                                                         \
        return async_supports(n, graph, node, reason, bytes);                                 \
    }
ASYNC_SUPPORTS(0)
ASYNC_SUPPORTS(1)
ASYNC_SUPPORTS(2)

static inline het_status async_create(het__device *d, size_t bytes, het__buffer **buffer,
                                      het_error *err)
{
    return d->ref->buffer_create(d->inner, bytes, buffer, err);
}

static inline void async_destroy(het__device *d, het__buffer *buffer)
{
    d->ref->buffer_destroy(d->inner, buffer);
}

static inline void *async_host(het__device *d, het__buffer *buffer)
{
    return d->index > 0 ? NULL : d->ref->buffer_host(d->inner, buffer);
}

static inline het_status async_import(het__device *d, void *host, size_t bytes,
                                      het__buffer **buffer, het_error *err)
{
    CHECK_INT((uintptr_t)host % HET__IMPORT_ALIGN, 0);
    CHECK_INT(bytes % HET__IMPORT_ALIGN, 0);
    if (!(async_can_import >> d->index & 1))
        return het__fail(err, HET_E_UNSUPPORTED, "not this memory");
    atomic_fetch_add(&async_imports, 1);
    return d->ref->buffer_import(d->inner, host, bytes, buffer, err);
}

static inline het_status async_write(het__device *d, het__buffer *buffer, size_t offset,
                                     const void *source, size_t bytes, het_error *err)
{
    atomic_fetch_add(&async_writes, 1);
    if (async_fault_at > 0 && --async_fault_at == 0)
        return het__fail(err, HET_E_IO, "a write fails, as told");
    memcpy((char *)d->ref->buffer_host(d->inner, buffer) + offset, source, bytes);
    return HET_OK;
}

static inline het_status async_read(het__device *d, het__buffer *buffer, size_t offset,
                                    void *target, size_t bytes, het_error *err)
{
    (void)err;
    atomic_fetch_add(&async_reads, 1);
    memcpy(target, (const char *)d->ref->buffer_host(d->inner, buffer) + offset, bytes);
    return HET_OK;
}

static inline het_status async_compile(het__device *d, const het__slice *slice,
                                       het__program **program, het_error *err)
{
    return d->ref->compile(d->inner, slice, program, err);
}

/* A device that was lost may still be at it. */
static inline void async_release(het__device *d, het__program *program)
{
    het__mutex_lock(&d->lock);
    while (d->index > 0 && d->ended < d->enqueued)
        het__cond_wait(&d->changed, &d->lock);
    het__mutex_unlock(&d->lock);
    d->ref->release(d->inner, program);
}

static inline het_status async_enqueue(het__device *d, het__program *program,
                                       const int64_t *symbols, het_error *err)
{
    if (d->index == 0) {
        if (++async_near_programs >= async_gate_programs)
            atomic_store(&async_gate_opened, 1);
        return d->ref->enqueue(d->inner, program, symbols, err);
    }
    het__mutex_lock(&d->lock);
    const bool full = d->enqueued - d->ended == ASYNC_QUEUE;
    if (!full) {
        const uint64_t at = d->enqueued++ % ASYNC_QUEUE;
        d->queue[at].program = program;
        memcpy(d->queue[at].symbols, symbols, sizeof d->queue[at].symbols);
        het__cond_broadcast(&d->changed);
    }
    het__mutex_unlock(&d->lock);
    return full ? het__fail(err, HET_E_BUSY, "the queue is full") : HET_OK;
}

static inline het_status async_wait_for(het__device *d, uint64_t count, uint64_t timeout_ns,
                                        het_error *err)
{
    (void)timeout_ns;
    atomic_fetch_add(&async_waits_for, 1);
    const het_status fault = atomic_exchange(&async_fault_wait, HET_OK);
    if (fault != HET_OK)
        return het__fail(err, fault, "a wait fails, as told");
    het__mutex_lock(&d->lock);
    CHECK(count <= d->enqueued);
    while (d->ended < count)
        het__cond_wait(&d->changed, &d->lock);
    het__mutex_unlock(&d->lock);
    return HET_OK;
}

static inline het_status async_wait(het__device *d, uint64_t timeout_ns, het_error *err)
{
    (void)timeout_ns;
    const het_status fault = d->index > 0 ? atomic_exchange(&async_fault_wait, HET_OK) : HET_OK;
    if (fault != HET_OK)
        return het__fail(err, fault, "a wait fails, as told");
    het__mutex_lock(&d->lock);
    while (d->ended < d->enqueued)
        het__cond_wait(&d->changed, &d->lock);
    het__mutex_unlock(&d->lock);
    return HET_OK;
}

static inline bool async_span(het__device *d, uint64_t count, uint64_t *begin_ns,
                              uint64_t *end_ns)
{
    het__mutex_lock(&d->lock);
    CHECK(count >= 1 && count <= d->ended);
    const bool known = d->enqueued - count < ASYNC_QUEUE;
    if (known) {
        *begin_ns = d->queue[(count - 1) % ASYNC_QUEUE].begin_ns;
        *end_ns = d->queue[(count - 1) % ASYNC_QUEUE].end_ns;
    }
    het__mutex_unlock(&d->lock);
    return known;
}

static inline void async_counters(het__device *d, het__backend_counters *counters)
{
    d->ref->counters(d->inner, counters);
}

#define ASYNC_COMMON(n)                                                                        \
    .open = async_open, .close = async_close, .supports = async_supports_##n,                  \
    .buffer_create = async_create, .buffer_destroy = async_destroy,                            \
    .buffer_host = async_host, .buffer_write = async_write, .buffer_read = async_read,         \
    .compile = async_compile, .release = async_release, .enqueue = async_enqueue,              \
    .counters = async_counters
static const het__backend async_backends[ASYNC_DEVICES] = {
    { .name = "near", ASYNC_COMMON(0), .buffer_import = async_import, .wait = async_wait },
    { .name = "sharing", ASYNC_COMMON(1), .buffer_import = async_import, .is_asynchronous = true,
      .wait = async_wait, .wait_for = async_wait_for, .span = async_span },
    { .name = "far", ASYNC_COMMON(2), .is_asynchronous = true, .wait = async_wait,
      .wait_for = async_wait_for },
};

static inline void async_registry(het__registry *r, const het__host *host)
{
    memset(r, 0, sizeof *r);
    r->host = *host;
    for (uint32_t i = 0; i < ASYNC_DEVICES; i++) {
        het__registered *d = &r->device[r->count];
        d->backend = &async_backends[i];
        d->backend_index = i;
        d->info.kind = i ? HET_DEVICE_GPU : HET_DEVICE_REFERENCE;
        d->info.index = r->count++;
        snprintf(d->info.backend, sizeof d->info.backend, "%s", d->backend->name);
        snprintf(d->info.name, sizeof d->info.name, "%s (a stand-in)", d->backend->name);
    }
}

#endif /* HETINFER_ASYNC_DEVICE_H */

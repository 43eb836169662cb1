/* SPDX-License-Identifier: Apache-2.0 */
/* One model spread over several devices: whichever node runs where, the logits are those of one
 * device. The devices compute with "ref" but run nothing before they are waited for, some hide
 * their memory from the host, and each refuses a random part of the nodes. */
#include "exec_case.h"

#define DEVICES 3
#define QUEUE_MAX 512

struct het__device {
    const het__backend *ref;
    het__device *inner;
    bool hides;
    uint32_t queued;
    struct { het__program *program; int64_t symbols[HET__SYM_MAX]; } queue[QUEUE_MAX];
};

static uint64_t pattern; /* which node goes where */
static het__mem *memory;
static uint32_t waits_run;

static const het__backend *find_ref(void)
{
    for (const het__backend *const *b = het__backends; *b; b++)
        if (strcmp((*b)->name, "ref") == 0)
            return *b;
    return NULL;
}

static het_status lazy_open(const het__host *host, uint32_t index,
                            const het__open_options *options, het__device **device, het_error *err)
{
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    if (!d)
        return HET_E_NOMEM;
    memory = host->mem;
    d->ref = find_ref();
    d->hides = index == 1;
    const het_status s = d->ref->open(host, 0, options, &d->inner, err);
    if (s != HET_OK)
        het__free(host->mem, d);
    else
        *device = d;
    return s;
}

static void lazy_close(het__device *d)
{
    CHECK_INT(d->queued, 0);
    d->ref->close(d->inner);
    het__free(memory, d);
}

/* A node belongs to the device that its name and the pattern say; some to all. */
static uint32_t owner_of(const het__node *node)
{
    uint64_t h = pattern;
    for (const char *p = node->name; *p; p++)
        h = (h ^ (uint64_t)(unsigned char)*p) * UINT64_C(1099511628211);
    return (uint32_t)(h >> 40) % (DEVICES + 1);
}

#define SUPPORTS(n)                                                                          \
    static bool supports_##n(const het__graph *graph, const het__node *node, char *reason,   \
                             size_t bytes)                                                   \
    {                                                                                        \
        const uint32_t owner = owner_of(node);                                               \
        snprintf(reason, bytes, "not mine");                                                 \
        return (owner == n || owner == DEVICES) &&                                           \
               find_ref()->supports(graph, node, reason, bytes);                             \
    }
SUPPORTS(0)
SUPPORTS(1)
SUPPORTS(2)

static het_status lazy_create(het__device *d, size_t bytes, het__buffer **buffer, het_error *err)
{
    return d->ref->buffer_create(d->inner, bytes, buffer, err);
}

static void lazy_destroy(het__device *d, het__buffer *buffer)
{
    d->ref->buffer_destroy(d->inner, buffer);
}

static void *lazy_host(het__device *d, het__buffer *buffer)
{
    return d->hides ? NULL : d->ref->buffer_host(d->inner, buffer);
}

static het_status lazy_write(het__device *d, het__buffer *buffer, size_t offset,
                             const void *source, size_t bytes, het_error *err)
{
    (void)err;
    CHECK(d->hides);
    memcpy((char *)d->ref->buffer_host(d->inner, buffer) + offset, source, bytes);
    return HET_OK;
}

static het_status lazy_read(het__device *d, het__buffer *buffer, size_t offset, void *target,
                            size_t bytes, het_error *err)
{
    (void)err;
    CHECK(d->hides);
    memcpy(target, (const char *)d->ref->buffer_host(d->inner, buffer) + offset, bytes);
    return HET_OK;
}

static het_status lazy_compile(het__device *d, const het__slice *slice, het__program **program,
                               het_error *err)
{
    return d->ref->compile(d->inner, slice, program, err);
}

static void lazy_release(het__device *d, het__program *program)
{
    d->ref->release(d->inner, program);
}

static het_status lazy_enqueue(het__device *d, het__program *program, const int64_t *symbols,
                               het_error *err)
{
    (void)err;
    if (d->queued == QUEUE_MAX)
        return HET_E_BUSY;
    d->queue[d->queued].program = program;
    memcpy(d->queue[d->queued++].symbols, symbols, sizeof d->queue[0].symbols);
    return HET_OK;
}

static het_status lazy_wait(het__device *d, uint64_t timeout_ns, het_error *err)
{
    het_status s = HET_OK;
    for (uint32_t i = 0; i < d->queued && s == HET_OK; i++) {
        s = d->ref->enqueue(d->inner, d->queue[i].program, d->queue[i].symbols, err);
        waits_run++;
    }
    d->queued = 0;
    return s == HET_OK ? d->ref->wait(d->inner, timeout_ns, err) : s;
}

static void lazy_counters(het__device *d, het__backend_counters *counters)
{
    d->ref->counters(d->inner, counters);
}

#define LAZY(n)                                                                                \
    { .name = "lazy" #n, .is_asynchronous = true, .open = lazy_open, .close = lazy_close,      \
      .supports = supports_##n, .buffer_create = lazy_create, .buffer_destroy = lazy_destroy,  \
      .buffer_host = lazy_host, .buffer_write = lazy_write, .buffer_read = lazy_read,          \
      .compile = lazy_compile, .release = lazy_release, .enqueue = lazy_enqueue,               \
      .wait = lazy_wait, .counters = lazy_counters }
static const het__backend lazy[DEVICES] = { LAZY(0), LAZY(1), LAZY(2) };

static void fill_registry(het__registry *r, const het__host *host)
{
    memset(r, 0, sizeof *r);
    r->host = *host;
    for (uint32_t i = 0; i < DEVICES; i++) {
        het__registered *d = &r->device[r->count];
        d->backend = &lazy[i];
        d->backend_index = i;
        d->info.kind = i ? HET_DEVICE_GPU : HET_DEVICE_REFERENCE;
        d->info.index = r->count++;
        snprintf(d->info.backend, sizeof d->info.backend, "lazy%u", i);
    }
}

static void spread(const char *architecture)
{
    tiny_model tiny;
    tiny_options o = TINY_LLAMA;
    o.architecture = architecture;
    het_context_options co = HET_CONTEXT_OPTIONS_INIT;
    co.backends = "ref";
    het_context *context = NULL;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    tiny_make(&tiny, &o);
    CHECK_INT(het_context_create(&co, &context, NULL), HET_OK);
    CHECK_INT(het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err), HET_OK);
    float *want = calloc(LENGTH * VOCABULARY, sizeof *want);
    float *got = calloc(LENGTH * VOCABULARY, sizeof *got);
    uint32_t entries = 0, most = 0;
    CHECK_INT(exec_case_run(model, &context->registry, want, &entries, NULL, NULL, &err), HET_OK);
    het__registry registry;
    fill_registry(&registry, &context->registry.host);
    for (pattern = 1; pattern <= 60; pattern++) {
        memset(got, 0, LENGTH * VOCABULARY * sizeof *got);
        const het_status s = exec_case_run(model, &registry, got, &entries, NULL, NULL, &err);
        if (s != HET_OK)
            TEST_FAIL("pattern %d: %s", (int)pattern, err.message);
        most = entries > most ? entries : most;
        if (memcmp(got, want, LENGTH * VOCABULARY * sizeof *got) != 0)
            TEST_FAIL("pattern %d: other logits", (int)pattern);
    }
    printf("%s: up to %u entries\n", architecture, most);
    CHECK(most > 8 && waits_run > 1000);
    free(want);
    free(got);
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&tiny);
}

static void spread_llama(void)
{
    spread("llama");
}

static void spread_qwen3(void)
{
    spread("qwen3");
}

int main(void)
{
    test_case(spread_llama);
    test_case(spread_qwen3);
    return test_finish();
}

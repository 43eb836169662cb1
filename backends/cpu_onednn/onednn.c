/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows oneDNN: C API of versions 2 (2.6 and newer) and 3, chosen when this is
 * compiled. */
#include "backends/cpu_onednn/onednn.h"

#include "lib/base/os.h"

#include <stdio.h>
#include <string.h>

#include "het_config.h"

/* Measured on one thread of a Zen 4 core with 2.6.3: a prompt of 512 tokens through two blocks of
 * 2048 x 5632 in F32, GFLOP/s.
 *
 *     level       re-laid   as in the file   oneDNN, as in the file
 *     avx512        106            82               91
 *     avx2           98            77               98
 *     generic        17            17               35 (SSE4.1)
 *
 * bfloat16 tiles with AVX-512: own 230 and 201 against 164 to 199. */
bool het__onednn_wanted(const het__cpu_level *level, bool mapped)
{
    return mapped || strcmp(level->name, "generic") == 0;
}

#if HET_HAVE_ONEDNN

#include <oneapi/dnnl/dnnl.h>

typedef struct worker_memory {
    dnnl_memory_t acts, weights, out, scratch;
} worker_memory;

struct het__dense {
    het__dense *next;
    int64_t tokens, k, act_stride, out_stride; /* key */
    dnnl_primitive_t primitive;                /* NULL: refused */
    size_t scratch_bytes;
    dnnl_stream_t *streams;
    worker_memory *memory; /* per worker: a memory object holds one address at a time */
};

struct het__onednn {
    het__mem *mem;
    uint32_t threads;
    dnnl_engine_t engine;
    dnnl_stream_t *streams; /* per worker */
    het__dense *products;
    /* Of the OpenMP runtime that oneDNN uses; NULL where it has no threads of its own. */
    void (*omp_set_num_threads)(int);
    int (*omp_get_max_threads)(void);
};

/* A stride description of a matrix, in the form of the API version. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t desc;
typedef const_dnnl_memory_desc_t desc_ref;
#define DESC(d) (d)

static bool desc_create(desc *d, int64_t rows, int64_t columns, int64_t row_stride,
                        int64_t column_stride)
{
    const dnnl_dims_t dims = { rows, columns }, strides = { row_stride, column_stride };
    return dnnl_memory_desc_create_with_strides(d, 2, dims, dnnl_f32, strides) == dnnl_success;
}

static void desc_destroy(desc *d)
{
    if (*d)
        dnnl_memory_desc_destroy(*d);
}

static dnnl_status_t matmul_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                   const desc d[3], dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(pd, engine, d[0], d[1], NULL, d[2], attr);
}
#else
typedef dnnl_memory_desc_t desc;
typedef const dnnl_memory_desc_t *desc_ref;
#define DESC(d) (&(d))

static bool desc_create(desc *d, int64_t rows, int64_t columns, int64_t row_stride,
                        int64_t column_stride)
{
    const dnnl_dims_t dims = { rows, columns }, strides = { row_stride, column_stride };
    return dnnl_memory_desc_init_by_strides(d, 2, dims, dnnl_f32, strides) == dnnl_success;
}

static void desc_destroy(desc *d)
{
    (void)d;
}

static dnnl_status_t matmul_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                   const desc d[3], dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t matmul;
    const dnnl_status_t s = dnnl_matmul_desc_init(&matmul, &d[0], &d[1], NULL, &d[2]);
    return s == dnnl_success ? dnnl_primitive_desc_create(pd, &matmul, attr, engine, NULL) : s;
}
#endif

void het__onednn_name(char *text, size_t bytes)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, bytes, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
}

/* Symbols are looked up at run time, so that the library is not bound to one OpenMP runtime. */
static bool find_openmp(het__onednn *o)
{
    void *set = het__find_symbol("omp_set_num_threads");
    void *get = het__find_symbol("omp_get_max_threads");
    memcpy(&o->omp_set_num_threads, &set, sizeof set);
    memcpy(&o->omp_get_max_threads, &get, sizeof get);
    return set && get;
}

static bool one_thread_possible(het__onednn *o)
{
    switch (dnnl_version()->cpu_runtime) {
    case DNNL_RUNTIME_OMP:
        return find_openmp(o);
    case DNNL_RUNTIME_SEQ:
        return true;
    default:
        return false;
    }
}

het__onednn *het__onednn_open(het__mem *mem, uint32_t threads)
{
    het__onednn *o = het__alloc_zero(mem, 1, sizeof *o);
    if (!o)
        return NULL;
    o->mem = mem;
    o->threads = threads;
    o->streams = het__alloc_zero(mem, threads, sizeof *o->streams);
    bool good = o->streams && one_thread_possible(o) &&
                dnnl_engine_create(&o->engine, dnnl_cpu, 0) == dnnl_success;
    for (uint32_t i = 0; good && i < threads; i++)
        good = dnnl_stream_create(&o->streams[i], o->engine, dnnl_stream_default_flags) ==
               dnnl_success;
    if (good)
        return o;
    het__onednn_close(o);
    return NULL;
}

static void dense_destroy(het__mem *mem, het__dense *d, uint32_t threads)
{
    for (uint32_t i = 0; d->memory && i < threads; i++) {
        dnnl_memory_t *all[] = { &d->memory[i].acts, &d->memory[i].weights, &d->memory[i].out,
                                 &d->memory[i].scratch };
        for (size_t m = 0; m < sizeof all / sizeof all[0]; m++)
            if (*all[m])
                dnnl_memory_destroy(*all[m]);
    }
    if (d->primitive)
        dnnl_primitive_destroy(d->primitive);
    het__free(mem, d->memory);
    het__free(mem, d);
}

void het__onednn_close(het__onednn *onednn)
{
    if (!onednn)
        return;
    while (onednn->products) {
        het__dense *d = onednn->products;
        onednn->products = d->next;
        dense_destroy(onednn->mem, d, onednn->threads);
    }
    for (uint32_t i = 0; onednn->streams && i < onednn->threads; i++)
        if (onednn->streams[i])
            dnnl_stream_destroy(onednn->streams[i]);
    if (onednn->engine)
        dnnl_engine_destroy(onednn->engine);
    het__free(onednn->mem, onednn->streams);
    het__free(onednn->mem, onednn);
}

static bool memory_create(dnnl_memory_t *memory, const desc *d, dnnl_engine_t engine)
{
    return dnnl_memory_create(memory, DESC(*d), engine, DNNL_MEMORY_NONE) == dnnl_success;
}

/* The primitive, and per worker the memory objects that it is called with. */
static bool dense_fill(het__onednn *o, het__dense *d, const desc shapes[3],
                       const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name) !=
            dnnl_success || !name || strncmp(name, "ref", 3) == 0)
        return false;
    desc_ref pad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    d->scratch_bytes = pad ? dnnl_memory_desc_get_size(pad) : 0;
    for (uint32_t i = 0; i < o->threads; i++) {
        worker_memory *m = &d->memory[i];
        if (!memory_create(&m->acts, &shapes[0], o->engine) ||
            !memory_create(&m->weights, &shapes[1], o->engine) ||
            !memory_create(&m->out, &shapes[2], o->engine) ||
            (pad && dnnl_memory_create(&m->scratch, pad, o->engine, DNNL_MEMORY_NONE) !=
                        dnnl_success))
            return false;
    }
    return dnnl_primitive_create(&d->primitive, pd) == dnnl_success;
}

static bool dense_create(het__onednn *o, het__dense *d)
{
    desc shapes[3];
    memset(shapes, 0, sizeof shapes);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    /* Weights lie as [rows, k]: the product's second matrix is their transpose. */
    bool good = desc_create(&shapes[0], d->tokens, d->k, d->act_stride, 1) &&
                desc_create(&shapes[1], d->k, HET__DENSE_ROWS, 1, d->k) &&
                desc_create(&shapes[2], d->tokens, HET__DENSE_ROWS, d->out_stride, 1);
    good = good && dnnl_primitive_attr_create(&attr) == dnnl_success &&
           dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) ==
               dnnl_success;
    good = good && matmul_create(&pd, o->engine, shapes, attr) == dnnl_success;
    good = good && dense_fill(o, d, shapes, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    for (int i = 0; i < 3; i++)
        desc_destroy(&shapes[i]);
    return good;
}

const het__dense *het__dense_get(het__onednn *onednn, int64_t tokens, int64_t k,
                                 int64_t act_stride, int64_t out_stride)
{
    for (het__dense *d = onednn->products; d; d = d->next)
        if (d->tokens == tokens && d->k == k && d->act_stride == act_stride &&
            d->out_stride == out_stride)
            return d->primitive ? d : NULL;
    het__dense *d = het__alloc_zero(onednn->mem, 1, sizeof *d);
    if (!d)
        return NULL;
    d->memory = het__alloc_zero(onednn->mem, onednn->threads, sizeof *d->memory);
    d->streams = onednn->streams;
    d->tokens = tokens;
    d->k = k;
    d->act_stride = act_stride;
    d->out_stride = out_stride;
    /* A shape that fails stays in the list, so that it is not tried for every layer. */
    d->next = onednn->products;
    onednn->products = d;
    const int previous = het__onednn_enter(onednn);
    const bool good = d->memory && dense_create(onednn, d);
    het__onednn_leave(onednn, previous);
    if (!good && d->primitive) {
        dnnl_primitive_destroy(d->primitive);
        d->primitive = NULL;
    }
    return good ? d : NULL;
}

size_t het__dense_scratch(const het__dense *dense)
{
    return dense->scratch_bytes;
}

int het__onednn_enter(const het__onednn *onednn)
{
    if (!onednn->omp_set_num_threads)
        return 0;
    const int previous = onednn->omp_get_max_threads();
    if (previous != 1)
        onednn->omp_set_num_threads(1);
    return previous;
}

void het__onednn_leave(const het__onednn *onednn, int previous)
{
    if (onednn->omp_set_num_threads && previous != 1)
        onednn->omp_set_num_threads(previous);
}

bool het__dense_run(const het__dense *dense, uint32_t worker, const float *acts,
                    const float *weights, float *out, void *scratch)
{
    const worker_memory *m = &dense->memory[worker];
    /* The API takes addresses without const; acts and weights are read only. */
    if (dnnl_memory_set_data_handle(m->acts, (void *)(uintptr_t)acts) != dnnl_success ||
        dnnl_memory_set_data_handle(m->weights, (void *)(uintptr_t)weights) != dnnl_success ||
        dnnl_memory_set_data_handle(m->out, out) != dnnl_success ||
        (m->scratch && dnnl_memory_set_data_handle(m->scratch, scratch) != dnnl_success))
        return false;
    const dnnl_exec_arg_t args[] = {
        { DNNL_ARG_SRC, m->acts },
        { DNNL_ARG_WEIGHTS, m->weights },
        { DNNL_ARG_DST, m->out },
        { DNNL_ARG_SCRATCHPAD, m->scratch },
    };
    const dnnl_stream_t stream = dense->streams[worker];
    return dnnl_primitive_execute(dense->primitive, stream, m->scratch ? 4 : 3, args) ==
               dnnl_success && dnnl_stream_wait(stream) == dnnl_success;
}

#else

void het__onednn_name(char *text, size_t bytes)
{
    snprintf(text, bytes, "%s", "");
}

het__onednn *het__onednn_open(het__mem *mem, uint32_t threads)
{
    (void)mem;
    (void)threads;
    return NULL;
}

void het__onednn_close(het__onednn *onednn)
{
    (void)onednn;
}

const het__dense *het__dense_get(het__onednn *onednn, int64_t tokens, int64_t k,
                                 int64_t act_stride, int64_t out_stride)
{
    (void)onednn;
    (void)tokens;
    (void)k;
    (void)act_stride;
    (void)out_stride;
    return NULL;
}

size_t het__dense_scratch(const het__dense *dense)
{
    (void)dense;
    return 0;
}

int het__onednn_enter(const het__onednn *onednn)
{
    (void)onednn;
    return 0;
}

void het__onednn_leave(const het__onednn *onednn, int previous)
{
    (void)onednn;
    (void)previous;
}

bool het__dense_run(const het__dense *dense, uint32_t worker, const float *acts,
                    const float *weights, float *out, void *scratch)
{
    (void)dense;
    (void)worker;
    (void)acts;
    (void)weights;
    (void)out;
    (void)scratch;
    return false;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Constants of a device: re-laid once for the level or taken from a cache on disk, kept until the
 * device closes, found again by the address of their data. */
#include <stdio.h>
#include <string.h>

#include "backends/cpu_onednn/cache.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/ir/rounding.h"
#include "lib/quant/quant.h"

/* Rows that a thread re-lays at once, as near as the granule allows. */
#define PACK_ROWS 64
/* File bytes re-laid before their pages may leave memory: copy and original are never both
 * resident as a whole. */
#define PART_BYTES ((int64_t)16 << 20)
/* The same where they are unpacked for it: few enough to be in a cache when they are re-laid. */
#define LENT_BYTES ((int64_t)8 << 20)
/* Form of a vector: F32 elements. No level's forms reach so far. */
#define FORM_VECTOR UINT32_MAX

static het__cpu_constant *find(const het__device *device, const het__cpu_constant *like)
{
    for (het__cpu_constant *c = device->constants; c; c = c->next)
        if (c->data == like->data && c->use == like->use && c->turned == like->turned &&
            c->matrix.dtype == like->matrix.dtype && c->matrix.n == like->matrix.n &&
            c->matrix.k == like->matrix.k)
            return c;
    return NULL;
}

/* How a constant is seen. */
typedef struct form_wanted {
    het__cpu_use use;
    int64_t n, k; /* rows, elements of a row */
    bool turned;  /* rows are the columns of what lies there */
} form_wanted;

/* The entry for a constant: *fresh tells whether it is new. */
static het_status get(het__cpu_build *build, const het__value *value, const form_wanted *want,
                      het__cpu_constant **constant, bool *fresh)
{
    het__device *device = build->device;
    if (!value->data)
        return het__fail(build->err, HET_E_INVALID, "weight %s has no data", value->name);
    const het__cpu_constant like = {
        .use = want->use, .data = value->data, .turned = want->turned,
        .matrix = { .dtype = value->dtype, .n = want->n, .k = want->k, .source = value->data,
                    .row_bytes = (size_t)het_dtype_bytes(value->dtype, want->k) },
    };
    *constant = find(device, &like);
    *fresh = !*constant;
    if (*constant)
        return HET_OK;
    het__cpu_constant *c = het__alloc(device->host->mem, sizeof *c);
    if (!c)
        return het__fail_nomem(build->err, "the list of weights");
    *c = like;
    c->name = het__hash128_of(value->name, strlen(value->name));
    c->next = device->constants;
    device->constants = c;
    *constant = c;
    return HET_OK;
}

static void drop_newest(het__device *device)
{
    het__cpu_constant *c = device->constants;
    device->constants = c->next;
    het__free(device->host->mem, c);
}

/* Rows that are read as they lie; once for all uses. */
static void count_mapped(het__device *device, const het__cpu_constant *constant)
{
    for (const het__cpu_constant *c = device->constants; c; c = c->next)
        if (c != constant && c->data == constant->data &&
            c->use != HET__CPU_USE_VECTOR && !c->matrix.packed)
            return;
    const uint64_t bytes = (uint64_t)constant->matrix.n * constant->matrix.row_bytes;
    device->weight_bytes += bytes;
    device->mapped_bytes += bytes;
}

static void tell_copied(const het__cpu_build *build, const void *data, size_t bytes)
{
    if (build->slice->constant_copied)
        build->slice->constant_copied(build->slice->user, data, bytes);
}

/* ---- bytes that are made when they are asked for ---- */

typedef struct team_job {
    void (*fn)(void *job, uint32_t number);
    void *job;
} team_job;

static void team_region(void *arg, uint32_t worker, uint32_t count)
{
    const team_job *t = arg;
    (void)count;
    t->fn(t->job, worker);
}

static void team_run(void *user, void (*fn)(void *job, uint32_t number), void *job)
{
    team_job t = { fn, job };
    het__pool_run(user, team_region, &t);
}

het__team het__cpu_team(const het__device *device)
{
    return (het__team){ het__pool_count(device->pool), team_run, device->pool };
}

static size_t source_bytes(const het__cpu_constant *c)
{
    return (size_t)c->matrix.n * c->matrix.row_bytes;
}

/* It is read as it lies. */
static het_status keep_source(het__cpu_build *build, const het__cpu_constant *c)
{
    return het__borrow_keep(build->borrower, c->data, source_bytes(c), build->err);
}

/* ---- memory of re-laid weights ---- */

/* Slabs hold the matrices one behind the other: small ones then lie in huge pages too. Each is as
 * large as all before it, within bounds. */
#define SLAB_MIN ((size_t)1 << 20)
#define SLAB_MAX ((size_t)64 << 20)

struct het__cpu_slab {
    struct het__cpu_slab *next;
    size_t bytes, used; /* this head included */
};

/* NULL when out of memory. */
static void *slab_take(const het__device *device, het__cpu_slab **slabs, size_t bytes)
{
    const size_t head = het__round_up(sizeof(het__cpu_slab), HET__ALIGN);
    het__cpu_slab *slab = *slabs;
    bytes = het__round_up(bytes, HET__ALIGN);
    if (!slab || slab->bytes - slab->used < bytes) {
        size_t size = slab ? slab->bytes * 2 : SLAB_MIN;
        size = size > SLAB_MAX ? SLAB_MAX : size;
        size = size > head + bytes ? size : head + bytes;
        slab = het__alloc(device->host->mem, size);
        if (!slab)
            return NULL;
        *slab = (het__cpu_slab){ *slabs, size, head };
        *slabs = slab;
    }
    void *data = (unsigned char *)slab + slab->used;
    slab->used += bytes;
    return data;
}

static void slabs_free(const het__device *device, het__cpu_slab **slabs)
{
    while (*slabs) {
        het__cpu_slab *slab = *slabs;
        *slabs = slab->next;
        het__free(device->host->mem, slab);
    }
}

void het__cpu_matrices_free(het__device *device)
{
    slabs_free(device, &device->matrix_slabs);
}

typedef struct pack_job {
    const het__device *device;
    const het__cpu_matrix *matrix;
    int64_t rows;        /* per task */
    int64_t first, last; /* of this part of the matrix */
} pack_job;

static void pack_region(void *arg, uint32_t worker, uint32_t count)
{
    const pack_job *job = arg;
    (void)worker;
    (void)count;
    for (;;) {
        const int64_t first = job->first + het__pool_take(job->device->pool, 1) * job->rows;
        if (first >= job->last)
            return;
        const int64_t left = job->last - first;
        job->device->level->pack(job->matrix, first, left < job->rows ? left : job->rows);
    }
}

/* ---- rows from columns ---- */

/* Elements to either side of a square that is read and written by lines. */
#define TURN_SIDE 16

typedef struct turn_job {
    const het__device *device;
    const het__cpu_matrix *matrix; /* of rows */
    const unsigned char *columns;  /* floats [k,n] at any address */
    float *rows;                   /* row first of the matrix */
    int64_t first, last;
} turn_job;

static void turn_square(const turn_job *job, int64_t row, int64_t rows, int64_t column)
{
    const het__cpu_matrix *m = job->matrix;
    const int64_t columns = m->k - column < TURN_SIDE ? m->k - column : TURN_SIDE;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            memcpy(&job->rows[(row - job->first + i) * m->k + column + j],
                   job->columns + ((column + j) * m->n + row + i) * (int64_t)sizeof(float),
                   sizeof(float));
}

static void turn_region(void *arg, uint32_t worker, uint32_t count)
{
    const turn_job *job = arg;
    (void)worker;
    (void)count;
    for (;;) {
        const int64_t row = job->first + het__pool_take(job->device->pool, 1) * TURN_SIDE;
        if (row >= job->last)
            return;
        const int64_t rows = job->last - row < TURN_SIDE ? job->last - row : TURN_SIDE;
        for (int64_t column = 0; column < job->matrix->k; column += TURN_SIDE)
            turn_square(job, row, rows, column);
    }
}

static void turn(const het__device *device, const het__cpu_constant *c, float *rows,
                 int64_t first, int64_t last)
{
    turn_job job = { device, &c->matrix, c->data, rows, first, last };
    het__pool_run(device->pool, turn_region, &job);
}

/* All rows, kept, for kernels that read them as they lie. */
static het_status keep_rows(het__cpu_build *build, het__cpu_constant *c)
{
    het__device *device = build->device;
    const size_t bytes = (size_t)c->matrix.n * c->matrix.row_bytes;
    const het_status s = keep_source(build, c);
    float *rows = s == HET_OK ? slab_take(device, &device->matrix_slabs, bytes) : NULL;
    if (s != HET_OK)
        return s;
    if (!rows)
        return het__fail_nomem(build->err, "turned weights");
    turn(device, c, rows, 0, c->matrix.n);
    c->matrix.source = rows;
    device->weight_bytes += bytes;
    tell_copied(build, c->data, bytes);
    return HET_OK;
}

/* ---- re-laying ---- */

static het_status pack_part(het__cpu_build *build, const het__cpu_constant *c, int64_t rows,
                            int64_t first, int64_t last, float *turned)
{
    het__cpu_matrix m = c->matrix;
    const size_t bytes = (size_t)(last - first) * m.row_bytes;
    const char *data = (const char *)c->data + (size_t)first * m.row_bytes;
    const void *at = turned;
    if (turned) {
        turn(build->device, c, turned, first, last);
    } else {
        const het_status s = het__borrow(build->borrower, data, bytes, &at, build->err);
        if (s != HET_OK)
            return s;
    }
    m.source = (const void *)((uintptr_t)at - (uintptr_t)first * m.row_bytes);
    pack_job job = { build->device, &m, rows, first, last };
    het__pool_run(build->device->pool, pack_region, &job);
    if (!turned)
        tell_copied(build, data, bytes);
    return HET_OK;
}

/* Rows of a part, a multiple of those that a thread takes. */
static int64_t part_rows(const het__cpu_build *build, const het__cpu_matrix *m, int64_t rows)
{
    const int64_t bytes = build->slice->borrower ? LENT_BYTES : PART_BYTES;
    const int64_t part = (bytes / (int64_t)m->row_bytes / rows + 1) * rows;
    return part < m->n ? part : m->n;
}

static het_status pack(het__cpu_build *build, het__cpu_constant *c)
{
    het__device *device = build->device;
    het__cpu_matrix *m = &c->matrix;
    const int64_t granule = device->level->granule(m);
    const int64_t rows = (PACK_ROWS + granule - 1) / granule * granule;
    const int64_t part = part_rows(build, m, rows);
    float *turned = NULL;
    het_status s = HET_OK;
    if (c->turned) {
        s = keep_source(build, c);
        turned = s == HET_OK ? het__alloc(device->host->mem, (size_t)part * m->row_bytes) : NULL;
        if (!turned)
            return s == HET_OK ? het__fail_nomem(build->err, "re-laid weights") : s;
    }
    m->packed = slab_take(device, &device->matrix_slabs, c->packed_bytes);
    if (!m->packed)
        s = het__fail_nomem(build->err, "re-laid weights");
    if (m->packed && device->cache) /* what lies between the parts of a form is written too */
        memset(m->packed, 0, c->packed_bytes);
    for (int64_t first = 0; s == HET_OK && first < m->n; first += part)
        s = pack_part(build, c, rows, first, m->n - first < part ? m->n : first + part, turned);
    het__free(device->host->mem, turned);
    if (s != HET_OK)
        return s;
    if (c->turned)
        tell_copied(build, c->data, source_bytes(c));
    device->weight_bytes += c->packed_bytes;
    return HET_OK;
}

static het_status get_matrix(het__cpu_build *build, const het__value *v, const form_wanted *want,
                             const het__cpu_matrix **matrix)
{
    het__device *device = build->device;
    het__cpu_constant *c;
    bool fresh;
    het_status s = get(build, v, want, &c, &fresh);
    if (s != HET_OK)
        return s;
    *matrix = &c->matrix;
    if (!fresh)
        return HET_OK;
    const bool exact = device->options.precision == HET_PRECISION_EXACT ||
                       (!device->round_small &&
                        c->matrix.n * c->matrix.k < HET__ROUNDED_ELEMENTS_MIN);
    /* oneDNN reads F32 rows as they lie. */
    const bool relay = (!device->options.weights_mapped || device->cache) &&
                       !(device->onednn && v->dtype == HET_DTYPE_F32);
    c->packed_bytes = device->level->choose(
        &c->matrix, exact ? HET_PRECISION_EXACT : HET_PRECISION_FAST, relay);
    if (!c->packed_bytes && !c->turned) {
        s = keep_source(build, c);
        if (s == HET_OK)
            count_mapped(device, c);
        else
            drop_newest(device);
        return s;
    }
    if (c->packed_bytes && het__cpu_cache_load(device, c))
        return HET_OK;
    s = c->packed_bytes ? pack(build, c) : keep_rows(build, c);
    if (s != HET_OK)
        drop_newest(device);
    return s;
}

het_status het__cpu_matrix_get(het__cpu_build *build, uint32_t value, bool turned,
                               const het__cpu_matrix **matrix)
{
    const het__value *v = &build->slice->graph->values[value];
    const form_wanted want = { HET__CPU_USE_MATRIX, v->extent[turned ? 1 : 0].count,
                               v->extent[turned ? 0 : 1].count, turned };
    return get_matrix(build, v, &want, matrix);
}

het_status het__cpu_matrix_part(het__cpu_build *build, uint32_t value, int64_t index,
                                const het__cpu_matrix **matrix)
{
    const het__value *v = &build->slice->graph->values[value];
    const int64_t rows = v->extent[1].count, columns = v->extent[2].count;
    char name[160];
    snprintf(name, sizeof name, "%s[%lld]", v->name, (long long)index);
    het__value part = *v;
    part.name = name;
    if (v->data)
        part.data = (const char *)v->data + index * rows * het_dtype_bytes(v->dtype, columns);
    const form_wanted want = { HET__CPU_USE_MATRIX, rows, columns, false };
    return get_matrix(build, &part, &want, matrix);
}

het_status het__cpu_table_get(het__cpu_build *build, uint32_t value,
                              const het__cpu_matrix **matrix)
{
    const het__value *v = &build->slice->graph->values[value];
    het__cpu_constant *c;
    bool fresh;
    const form_wanted want = { HET__CPU_USE_TABLE, v->extent[0].count, v->extent[1].count, false };
    het_status s = get(build, v, &want, &c, &fresh);
    if (s == HET_OK && fresh) {
        s = keep_source(build, c);
        if (s == HET_OK)
            count_mapped(build->device, c);
        else
            drop_newest(build->device);
    }
    if (s == HET_OK)
        *matrix = &c->matrix;
    return s;
}

static het_status decode_vector(het__cpu_build *build, het__cpu_constant *c)
{
    het__device *device = build->device;
    const void *at;
    const het_status s = het__borrow(build->borrower, c->data, source_bytes(c), &at, build->err);
    if (s != HET_OK)
        return s;
    c->matrix.packed = slab_take(device, &device->vector_slabs, c->packed_bytes);
    if (!c->matrix.packed)
        return het__fail_nomem(build->err, "a weight vector");
    het__decoder(c->matrix.dtype)(at, c->matrix.packed, c->matrix.k);
    device->weight_bytes += c->packed_bytes;
    tell_copied(build, c->data, c->matrix.row_bytes);
    return HET_OK;
}

het_status het__cpu_vector_get(het__cpu_build *build, uint32_t value, const float **vector)
{
    *vector = NULL;
    if (value == HET__NO_VALUE)
        return HET_OK;
    het__device *device = build->device;
    const het__value *v = &build->slice->graph->values[value];
    if (v->kind != HET__VALUE_CONST) {
        het__cpu_place(build, value, vector);
        return HET_OK;
    }
    const int64_t ones[HET__SYM_MAX] = { [HET__SYM_ONE] = 1 };
    const int64_t n = het__value_elements(v, ones);
    het__cpu_constant *c;
    bool fresh;
    const form_wanted want = { HET__CPU_USE_VECTOR, 1, n, false };
    het_status s = get(build, v, &want, &c, &fresh);
    if (s != HET_OK)
        return s;
    if (fresh) {
        c->packed_bytes = (size_t)n * sizeof(float);
        c->matrix.form = FORM_VECTOR;
    }
    if (fresh && !het__cpu_cache_load(device, c))
        s = decode_vector(build, c);
    if (s == HET_OK)
        *vector = c->matrix.packed;
    else
        drop_newest(device);
    return s;
}

bool het__cpu_lies_askew(const het__value *v)
{
    const int64_t ones[HET__SYM_MAX] = { [HET__SYM_ONE] = 1 };
    return v->kind == HET__VALUE_CONST && v->dtype == HET_DTYPE_F32 &&
           (uintptr_t)v->data % sizeof(float) != 0 && het__value_elements(v, ones) > 0;
}

void het__cpu_constants_free(het__device *device)
{
    while (device->constants)
        drop_newest(device);
    slabs_free(device, &device->matrix_slabs);
    slabs_free(device, &device->vector_slabs);
}

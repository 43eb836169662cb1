/* SPDX-License-Identifier: Apache-2.0 */
/* Constants on the device: each once per device and form.
 *
 * A constant as it lies is used in place where the device shares the host's memory and either is
 * the host's processor or was asked to (weights_mapped): the pages around it become a memory
 * object, with those of its neighbours in the file where the driver takes a page only once.
 * Otherwise it is copied. A form that an operation makes is laid out in host memory and
 * copied. */
#include "backends/gpu/experts.h"

#include <assert.h>
#include <string.h>

#include "backends/gpu/notes.h"
#include "backends/gpu/sent.h"
#include "backends/gpu/stream.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/ir/lent.h"
#include "lib/ir/stream.h"
#include "lib/quant/quant.h"

#define IN_PLACE_ALIGN 8
#define PAGES "pages"

struct het__gpu_kept {
    het__gpu_kept *next;
    const void *data; /* of the constant; NULL: a table */
    char *form;       /* "": as it lies; PAGES: what others lie in */
    size_t bytes;
    het__gpu_memory *mem;
    size_t offset;    /* bytes from mem's beginning to the constant's */
    bool is_guest;    /* mem is another entry's */
};

/* Of constants that begin at the same place (rows of a matrix and all of it) each has forms of its
 * own; as they lie, the longest serves for all. */
static het__gpu_kept *find(het__gpu *gpu, const void *data, const char *form, size_t bytes)
{
    for (het__gpu_kept *k = gpu->kept; k; k = k->next)
        if (k->data == data && strcmp(k->form, form) == 0 &&
            (k->bytes == bytes || (!*form && k->bytes > bytes)))
            return k;
    return NULL;
}

static void kept_drop(het__gpu *gpu, het__gpu_kept *kept)
{
    if (kept->mem && !kept->is_guest)
        gpu->driver->memory_free(gpu, kept->mem);
    het__free(gpu->host.mem, kept->form);
    het__free(gpu->host.mem, kept);
}

void het__gpu_drop_constants(het__gpu *gpu)
{
    het__gpu_experts_drop(gpu);
    het__gpu_stream_drop(gpu);
    het__gpu_sent_drop(gpu);
    het__gpu_notes_drop(gpu);
    while (gpu->kept) {
        het__gpu_kept *next = gpu->kept->next;
        kept_drop(gpu, gpu->kept);
        gpu->kept = next;
    }
}

/* An entry without memory, not in the list yet. */
static het__gpu_kept *kept_new(het__gpu *gpu, const void *data, const char *form, size_t bytes)
{
    het__gpu_kept *k = het__alloc_zero(gpu->host.mem, 1, sizeof *k);
    char *copy = het__strndup(gpu->host.mem, form, strlen(form));
    if (!k || !copy) {
        het__free(gpu->host.mem, copy);
        het__free(gpu->host.mem, k);
        return NULL;
    }
    *k = (het__gpu_kept){ .data = data, .form = copy, .bytes = bytes };
    return k;
}

static het_status upload(het__gpu *gpu, const void *data, size_t bytes, het__gpu_memory **mem,
                         het_error *err)
{
    if (bytes > gpu->facts->buffer_max_bytes)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "a constant of %zu bytes is larger than the %llu that the device allows",
                         bytes, (unsigned long long)gpu->facts->buffer_max_bytes);
    return gpu->driver->memory_make(gpu, bytes ? bytes : 1, bytes ? data : NULL, mem, err);
}

/* ---- bytes that are made when they are asked for ---- */

static het_status borrow(const het__slice *slice, const void *data, size_t bytes, const void **at,
                         het_error *err)
{
    *at = data;
    return slice && slice->borrower ? het__borrow(slice->borrower, data, bytes, at, err) : HET_OK;
}

het_status het__gpu_keep_data(const het__slice *slice, const het__value *value, const void *data,
                              het_error *err)
{
    return slice ? het__lent_keep(slice->borrower, value, data, slice->symbols_max, err) : HET_OK;
}

/* What kernels read in the host's memory, and what is brought from there for each run. */
het_status het__gpu_keep_slice(const het__gpu *gpu, const het__slice *slice, het_error *err)
{
    const bool in_place =
        gpu->driver->memory_import && (gpu->weights_mapped || gpu->facts->is_cpu);
    if (!slice->borrower || !(in_place || slice->streams))
        return HET_OK;
    for (uint32_t n = 0; n < slice->node_count; n++) {
        const het_status s =
            het__lent_keep_node(slice->borrower, slice->graph,
                                &slice->graph->nodes[slice->nodes[n]], slice->symbols_max, err);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

/* ---- as they lie ---- */

/* Whole pages. */
typedef struct pages {
    uintptr_t begin, end;
} pages;

static pages pages_of(const void *data, size_t bytes)
{
    return (pages){ (uintptr_t)data / HET__IMPORT_ALIGN * HET__IMPORT_ALIGN,
                    het__round_up((uintptr_t)data + bytes, HET__IMPORT_ALIGN) };
}

/* The pages grow by those of constants that begin or end in them, or right beside. Every page that
 * is added holds a part of a constant, so it is there. True: they grew. */
static bool grow(const het__slice *slice, const het__node *node, pages *p)
{
    bool grew = false;
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == HET__NO_VALUE)
            continue;
        const het__value *v = &slice->graph->values[node->inputs[i]];
        const int64_t bytes = v->kind == HET__VALUE_CONST && v->data
                                  ? het__value_bytes(v, slice->symbols_max) : 0;
        const pages q = pages_of(v->data, bytes > 0 ? (size_t)bytes : 0);
        if (bytes <= 0 || q.begin > p->end || q.end < p->begin ||
            (q.begin >= p->begin && q.end <= p->end))
            continue;
        p->begin = q.begin < p->begin ? q.begin : p->begin;
        p->end = q.end > p->end ? q.end : p->end;
        grew = true;
    }
    return grew;
}

/* An entry of the pages that the constant lies in, with its neighbours; NULL: none can be had. */
static het__gpu_kept *import_together(het__gpu *gpu, const het__slice *slice, pages p)
{
    for (het__gpu_kept *k = gpu->kept; k; k = k->next)
        if (strcmp(k->form, PAGES) == 0 && (uintptr_t)k->data <= p.begin &&
            p.end <= (uintptr_t)k->data + k->bytes)
            return k;
    for (bool grew = true; grew;) {
        grew = false;
        for (uint32_t i = 0; i < slice->node_count; i++)
            grew = grow(slice, &slice->graph->nodes[slice->nodes[i]], &p) || grew;
    }
    if (p.end - p.begin > gpu->facts->buffer_max_bytes)
        return NULL;
    het__gpu_kept *k = kept_new(gpu, (const void *)p.begin, PAGES, p.end - p.begin);
    if (k && gpu->driver->memory_import(gpu, (const void *)p.begin, p.end - p.begin, &k->mem)) {
        k->next = gpu->kept;
        gpu->kept = k;
        return k;
    }
    if (k)
        kept_drop(gpu, k);
    return NULL;
}

/* The whole pages that hold the constant: what else is in them is mapped too, and not touched. */
static bool use_in_place(het__gpu *gpu, const het__slice *slice, const void *data, size_t bytes,
                         het__gpu_kept *kept)
{
    if (!gpu->driver->memory_import || !(gpu->weights_mapped || gpu->facts->is_cpu))
        return false;
    const pages p = pages_of(data, bytes);
    /* Kernels load elements as a whole. */
    if (bytes == 0 || (uintptr_t)data % IN_PLACE_ALIGN != 0 ||
        p.end - p.begin > gpu->facts->buffer_max_bytes)
        return false;
    if (gpu->driver->imports_once) {
        const het__gpu_kept *host = import_together(gpu, slice, p);
        if (!host)
            return false;
        kept->mem = host->mem;
        kept->is_guest = true;
        kept->offset = (uintptr_t)data - (uintptr_t)host->data;
        return true;
    }
    if (!gpu->driver->memory_import(gpu, (const void *)p.begin, p.end - p.begin, &kept->mem))
        return false;
    kept->offset = (uintptr_t)data - p.begin;
    return true;
}

het_status het__gpu_keep_plain(het__gpu *gpu, const het__slice *slice, het__gpu_operand *operand,
                               size_t bytes, het_error *err)
{
    if (slice->streams && het__value_streams(&operand->value) && bytes) {
        operand->offset = 0;
        return het__gpu_stream_piece(gpu, operand, "", bytes, NULL, NULL, &operand->mem, err);
    }
    het__gpu_kept *k = find(gpu, operand->host, "", bytes);
    if (!k) {
        k = kept_new(gpu, operand->host, "", bytes);
        if (!k)
            return het__fail_nomem(err, "a constant");
        const bool in_place = use_in_place(gpu, slice, operand->host, bytes, k);
        const void *data;
        het_status s = in_place ? HET_OK : borrow(slice, operand->host, bytes, &data, err);
        if (s == HET_OK && !in_place)
            s = upload(gpu, data, bytes, &k->mem, err);
        if (s != HET_OK) {
            kept_drop(gpu, k);
            return s;
        }
        k->next = gpu->kept;
        gpu->kept = k;
        gpu->counters.weight_bytes += bytes;
        gpu->counters.mapped_bytes += in_place ? bytes : 0;
        if (!in_place && slice->constant_copied)
            slice->constant_copied(slice->user, operand->host, bytes);
    }
    operand->mem = k->mem;
    operand->offset = k->offset;
    return HET_OK;
}

/* ---- in other forms ---- */

static het_status keep_form(het__gpu_call *call, const het__gpu_operand *constant, const char *form,
                            size_t bytes, het__gpu_lay_fn lay, const void *user,
                            het__gpu_memory **mem, het_error *err)
{
    het__gpu *gpu = call->gpu;
    if (gpu->only_asks) { /* some address: whether there is a form may choose among kernels */
        *mem = (het__gpu_memory *)gpu;
        return HET_OK;
    }
    if (constant && call->slice && call->slice->streams && het__value_streams(&constant->value))
        return het__gpu_stream_piece(gpu, constant, form, bytes, lay, user, mem, err);
    const void *data = constant ? constant->host : NULL;
    het__gpu_kept *k = find(gpu, data, form, bytes);
    if (k) {
        *mem = k->mem;
        return HET_OK;
    }
    k = kept_new(gpu, data, form, bytes);
    void *laid = het__alloc(gpu->host.mem, bytes);
    het_status s = k && laid ? HET_OK : het__fail_nomem(err, "a constant");
    het__gpu_operand at = { .host = NULL };
    if (s == HET_OK && constant) {
        at = *constant;
        const int64_t n = het__value_bytes(&at.value, call->symbols_max);
        s = borrow(call->slice, constant->host, n > 0 ? (size_t)n : 0, &at.host, err);
    }
    if (s == HET_OK) {
        lay(user, constant ? &at : NULL, laid);
        s = upload(gpu, laid, bytes, &k->mem, err);
    }
    het__free(gpu->host.mem, laid);
    if (s != HET_OK) {
        if (k)
            kept_drop(gpu, k);
        return s;
    }
    k->next = gpu->kept;
    gpu->kept = k;
    gpu->counters.weight_bytes += bytes;
    *mem = k->mem;
    return HET_OK;
}

het_status het__gpu_constant(het__gpu_call *call, uint32_t input, const char *form, size_t bytes,
                             het__gpu_lay_fn lay, const void *user, het__gpu_memory **mem,
                             het_error *err)
{
    het__gpu_operand *constant = &call->inputs[input];
    assert(constant->value.kind == HET__VALUE_CONST && form[0]);
    const het_status s = keep_form(call, constant, form, bytes, lay, user, mem, err);
    if (s == HET_OK && !constant->has_form && call->slice && call->slice->constant_copied)
        call->slice->constant_copied(call->slice->user, constant->host,
                                     (size_t)het__value_bytes(&constant->value,
                                                              call->symbols_max));
    constant->has_form = true;
    return s;
}

het_status het__gpu_table(het__gpu_call *call, const char *form, size_t bytes, het__gpu_lay_fn lay,
                          const void *user, het__gpu_memory **mem, het_error *err)
{
    return keep_form(call, NULL, form, bytes, lay, user, mem, err);
}

static void lay_f32(const void *user, const het__gpu_operand *constant, void *target)
{
    (void)user;
    het__decoder(constant->value.dtype)(constant->host, target,
                                        constant->rows * constant->columns);
}

het_status het__gpu_constant_f32(het__gpu_call *call, uint32_t input, het__gpu_memory **mem,
                                 het_error *err)
{
    const het__gpu_operand *c = &call->inputs[input];
    int64_t count;
    if (!het__mul_i64(c->rows, c->columns, &count) || count > INT64_MAX / 8)
        return het__fail(err, HET_E_INVALID, "a constant has no size in bytes");
    return het__gpu_constant(call, input, "f32", (size_t)count * sizeof(float), lay_f32, NULL, mem,
                             err);
}

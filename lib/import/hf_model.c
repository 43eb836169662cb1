/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/hf_model.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/import/config_parts.h"
#include "lib/import/gguf_model.h"
#include "lib/import/gguf_parts.h"
#include "lib/import/hf_names.h"
#include "lib/quant/quant.h"

#define SMALL_JSON_MAX ((size_t)1 << 20)
#define TEMPLATE_BYTES_MAX ((size_t)1 << 20)

/* ---- configuration ---- */

static het_status add_generation(het__hf *hf, const het__hf_place *place, het_error *err)
{
    json_t *root;
    het_status s = het__hf_json(place, "generation_config.json", SMALL_JSON_MAX, &root, err);
    if (s == HET_OK && root &&
        !het__config_list(root, "generation_config.", hf->arena, &hf->config))
        s = het__fail_nomem(err, "the configuration");
    json_decref(root);
    return s;
}

/* A template of its own file goes before one of tokenizer_config.json. */
static het_status read_template(const het__hf_place *place, json_t *entries, het_error *err)
{
    het__mapping m;
    het_status s = het__hf_map(place, "chat_template.jinja", &m, err);
    if (s == HET_OK && m.data && m.bytes <= TEMPLATE_BYTES_MAX) {
        json_t *text = json_stringn(m.data, m.bytes); /* NULL: no UTF-8 */
        if (text)
            json_object_set_new(entries, "tokenizer.chat_template", text);
    }
    het__unmap_file(&m);
    return s;
}

/* Of tokenizer_config.json single values only: its list of tokens is what tokenizer.json says. */
static het_status add_tokenizer(het__hf *hf, const het__hf_place *place, het_error *err)
{
    const char *key;
    json_t *value, *root, *entries = json_object();
    het_status s = het__hf_json(place, "tokenizer_config.json", HET__HF_JSON_MAX, &root, err);
    if (!entries) {
        json_decref(root);
        return het__fail_nomem(err, "the configuration");
    }
    json_object_foreach(root, key, value) {
        char full[160];
        snprintf(full, sizeof full, "tokenizer_config.%.140s", key);
        if (strcmp(key, "chat_template") == 0 && json_is_string(value))
            json_object_set(entries, "tokenizer.chat_template", value);
        else if (!json_is_object(value) && !json_is_array(value))
            json_object_set(entries, full, value);
    }
    json_decref(root);
    if (s == HET_OK)
        s = read_template(place, entries, err);
    if (s == HET_OK && !het__config_list(entries, "", hf->arena, &hf->config))
        s = het__fail_nomem(err, "the configuration");
    json_decref(entries);
    return s;
}

het_status het__hf_read_config(het__hf *hf, const het__hf_place *place, het__arena *arena,
                               het_error *err)
{
    het__mapping m;
    hf->arena = arena;
    het_status s = het__hf_map(place, "config.json", &m, err);
    if (s == HET_OK && !m.data)
        s = het__fail(err, HET_E_IO, "%s/config.json is missing", place->folder);
    if (s == HET_OK)
        s = het__config_read(m.data, m.bytes, arena, &hf->config, err);
    het__unmap_file(&m);
    if (s != HET_OK)
        return s;
    hf->config.lm.rope.interleaved = false; /* rows of q and k are not permuted */
    s = add_generation(hf, place, err);
    return s == HET_OK ? add_tokenizer(hf, place, err) : s;
}

/* ---- weights ---- */

/* What a tensor of the files is to the graph. */
typedef struct record {
    const char *name; /* first, for the sort */
    const het__st_tensor *tensor;
    het__hf_use use;
    uint32_t part; /* of PART: its number; of HALVES: 0 the upper half, 1 the lower */
} record;

typedef struct lister {
    het__hf *hf;
    const het__hf_family *family;
    bool loads;
    record *records;
    size_t record_count;
    het__gguf *gguf;
    het__borrower *borrower; /* of the tensors' data */
    het_error *err;
} lister;

static const char *shown(const char *name, char buffer[100])
{
    snprintf(buffer, 100, "%.96s", name);
    return het__printable(buffer);
}

static het_status refuse(const lister *l, het_status status, const het__st_tensor *t,
                         const char *what)
{
    char buffer[100];
    return het__fail(l->err, status, "%s: tensor %s %s", t->file, shown(t->name, buffer), what);
}

static bool is_float(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_BF16;
}

static het_status check_tensor(const lister *l, const het__st_tensor *t, const het__hf_name *n)
{
    char what[96];
    if (n->use == HET__HF_UNKNOWN) {
        snprintf(what, sizeof what, "has no part in the graph of family %s",
                 l->family->architecture);
        return refuse(l, HET_E_UNSUPPORTED, t, what);
    }
    if (!is_float(t->dtype)) {
        snprintf(what, sizeof what, "is of type %s: weights are F32, F16 or BF16",
                 het__dtype(t->dtype)->name);
        return refuse(l, HET_E_UNSUPPORTED, t, what);
    }
    const uint32_t most = n->use == HET__HF_WHOLE ? 3 : n->use == HET__HF_HALVES ? 3 : 2;
    if (t->rank < 1 || t->rank > most || t->bytes == 0 ||
        (n->use == HET__HF_HALVES && (t->rank != 3 || t->extent[1] % 2 != 0)))
        return refuse(l, HET_E_FORMAT, t, "does not have the extents of such a weight");
    return HET_OK;
}

static het_status add_record(lister *l, size_t index, const het__hf_name *n)
{
    const het__st_tensor *t = &l->hf->shards.tensors.tensors[index];
    const char *name = het__arena_strdup(l->hf->arena, n->name);
    if (!name)
        return het__fail_nomem(l->err, "the list of weights");
    l->hf->names[index] = name;
    const uint32_t part = n->use == HET__HF_PART ? n->part : 0;
    l->records[l->record_count++] = (record){ name, t, n->use, part };
    if (n->use != HET__HF_HALVES)
        return HET_OK;
    char *up = het__arena_strdup(l->hf->arena, n->name);
    char *gate = up ? strstr(up, "ffn_gate_exps") : NULL;
    if (!gate)
        return het__fail_nomem(l->err, "the list of weights");
    memcpy(gate, "ffn_up_exps.weight", sizeof "ffn_up_exps.weight");
    l->records[l->record_count++] = (record){ up, t, n->use, 1 };
    return HET_OK;
}

/* A tied head that is stored nevertheless is the table. */
static het_status make_records(lister *l)
{
    const het__safetensors *st = &l->hf->shards.tensors;
    l->hf->names = het__arena_zero(l->hf->arena, st->count, sizeof *l->hf->names);
    l->records = het__arena_zero(l->hf->arena, 2 * st->count, sizeof *l->records);
    if (!l->hf->names || !l->records)
        return het__fail_nomem(l->err, "the list of weights");
    for (size_t i = 0; i < st->count; i++) {
        het__hf_name n;
        het__hf_name_of(l->family, st->tensors[i].name, &n);
        if (n.use == HET__HF_OTHER ||
            (l->hf->config.lm.tied && strcmp(n.name, "output.weight") == 0))
            continue;
        het_status s = check_tensor(l, &st->tensors[i], &n);
        if (s == HET_OK)
            s = add_record(l, i, &n);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

/* ---- data that is made anew ---- */

static void drop_source(const lister *l, const void *data, size_t bytes)
{
    if (het__hf_shards_hold(&l->hf->shards, data))
        het__drop_pages(data, bytes);
}

/* Where a tensor's bytes are now, until the next one's are asked for. */
static het_status look_at(const lister *l, const het__st_tensor *t, const void **data)
{
    return het__borrow(l->borrower, t->data, t->bytes, data, l->err);
}

static bool is_norm(const char *name)
{
    return strstr(name, "norm") != NULL;
}

static het_status make_vector(const lister *l, const record *r, het__gguf_tensor *t)
{
    const int64_t n = t->extent[0];
    const void *from;
    t->dtype = HET_DTYPE_F32;
    t->bytes = (size_t)n * sizeof(float);
    if (!l->loads)
        return HET_OK;
    float *values = het__arena_zero(l->hf->arena, (size_t)n, sizeof *values);
    if (!values)
        return het__fail_nomem(l->err, "a weight");
    const het_status s = look_at(l, r->tensor, &from);
    if (s != HET_OK)
        return s;
    het__decoder(r->tensor->dtype)(from, values, n);
    for (int64_t i = 0; l->family->adds_one && is_norm(t->name) && i < n; i++)
        values[i] += 1.0f;
    t->data = values;
    return HET_OK;
}

static het_status make_matrix(const lister *l, const record *r, het__gguf_tensor *t)
{
    const size_t element = het__dtype(t->dtype)->block_bytes;
    if (!l->loads || (uintptr_t)r->tensor->data % element == 0) {
        t->data = l->loads ? r->tensor->data : NULL;
        return HET_OK;
    }
    const void *from;
    void *copy = het__arena_alloc(l->hf->arena, t->bytes);
    if (!copy)
        return het__fail_nomem(l->err, "a weight");
    const het_status s = look_at(l, r->tensor, &from);
    if (s != HET_OK)
        return s;
    memcpy(copy, from, t->bytes);
    drop_source(l, r->tensor->data, t->bytes);
    t->data = copy;
    return HET_OK;
}

/* Of every expert one half: [experts, rows, columns] of [experts, 2 * rows, columns]. */
static het_status make_half(const lister *l, const record *r, het__gguf_tensor *t)
{
    t->extent[1] /= 2;
    t->bytes /= 2;
    if (!l->loads)
        return HET_OK;
    char *copy = het__arena_alloc(l->hf->arena, t->bytes);
    if (!copy)
        return het__fail_nomem(l->err, "a stack of weights");
    const size_t part = t->bytes / (size_t)t->extent[0];
    const char *first = (const char *)r->tensor->data + (r->part ? part : 0);
    for (int64_t i = 0; i < t->extent[0]; i++) {
        const void *from;
        const het_status s =
            het__borrow(l->borrower, first + (size_t)i * 2 * part, part, &from, l->err);
        if (s != HET_OK)
            return s;
        memcpy(copy + (size_t)i * part, from, part);
    }
    t->data = copy;
    return HET_OK;
}

static bool same_shape(const het__st_tensor *a, const het__st_tensor *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->extent, b->extent, a->rank * sizeof a->extent[0]) == 0;
}

/* Whether the parts lie one behind the other as the stack does. */
static bool is_stack(const record *const *parts, size_t count)
{
    const het__st_tensor *first = parts[0]->tensor;
    bool is = (uintptr_t)first->data % het__dtype(first->dtype)->block_bytes == 0;
    for (size_t i = 1; is && i < count; i++)
        is = parts[i]->tensor->data == (const char *)first->data + i * first->bytes &&
             strcmp(parts[i]->tensor->file, first->file) == 0;
    return is;
}

static het_status make_stack(const lister *l, const record *const *parts, size_t count,
                             het__gguf_tensor *t)
{
    const het__st_tensor *first = parts[0]->tensor;
    if (first->rank != 2)
        return refuse(l, HET_E_FORMAT, first, "is no matrix");
    for (size_t i = 1; i < count; i++)
        if (!same_shape(first, parts[i]->tensor))
            return refuse(l, HET_E_FORMAT, parts[i]->tensor,
                          "differs from its neighbours in type or extents");
    t->rank = 3;
    t->extent[0] = (int64_t)count;
    memcpy(&t->extent[1], first->extent, 2 * sizeof t->extent[0]);
    if (!het__mul_size(first->bytes, count, &t->bytes))
        return het__fail_nomem(l->err, "a stack of weights");
    if (!l->loads || is_stack(parts, count)) {
        t->data = l->loads ? first->data : NULL;
        return HET_OK;
    }
    char *copy = het__arena_alloc(l->hf->arena, t->bytes);
    if (!copy)
        return het__fail_nomem(l->err, "a stack of weights");
    for (size_t i = 0; i < count; i++) {
        const void *from;
        const het_status s = look_at(l, parts[i]->tensor, &from);
        if (s != HET_OK)
            return s;
        memcpy(copy + i * first->bytes, from, first->bytes);
        drop_source(l, parts[i]->tensor->data, first->bytes);
    }
    t->data = copy;
    return HET_OK;
}

/* The records of one weight by their number; fails unless they are 0, 1, 2, … */
static het_status order_parts(const lister *l, const record *records, const size_t *order,
                              size_t count, const record ***parts)
{
    *parts = het__arena_zero(l->hf->arena, count, sizeof **parts);
    if (!*parts)
        return het__fail_nomem(l->err, "the list of weights");
    for (size_t i = 0; i < count; i++) {
        const record *r = &records[order[i]];
        if (count > 1 && r->use != HET__HF_PART)
            return refuse(l, HET_E_FORMAT, r->tensor, "is there under a second name as well");
        if (r->use == HET__HF_PART && (r->part >= count || (*parts)[r->part]))
            return refuse(l, HET_E_FORMAT, r->tensor,
                          "is one of a stack of which a part is missing or doubled");
        (*parts)[r->use == HET__HF_PART ? r->part : 0] = r;
    }
    return HET_OK;
}

static het_status make_weight(lister *l, const size_t *order, size_t count)
{
    const record **parts;
    const size_t index = l->gguf->tensor_count;
    het__gguf_tensor *t = &l->gguf->tensors[index];
    const het_status s = order_parts(l, l->records, order, count, &parts);
    if (s != HET_OK)
        return s;
    const record *r = parts[0];
    *t = (het__gguf_tensor){ .name = r->name, .dtype = r->tensor->dtype,
                             .rank = r->tensor->rank, .bytes = r->tensor->bytes };
    memcpy(t->extent, r->tensor->extent, sizeof t->extent);
    l->hf->sources[index] = r->tensor->name;
    l->gguf->tensor_count++;
    if (r->use == HET__HF_PART)
        return make_stack(l, parts, count, t);
    if (r->use == HET__HF_HALVES)
        return make_half(l, r, t);
    return t->rank == 1 ? make_vector(l, r, t) : make_matrix(l, r, t);
}

static het_status add_factors_of(lister *l, const char *name, const float *factors)
{
    const int64_t pairs = l->hf->config.lm.rope.rotated / 2;
    if (!factors)
        return het__fail(l->err, HET_E_FORMAT, "config.json: rope has no list of %lld factors",
                         (long long)pairs);
    l->hf->sources[l->gguf->tensor_count] = "config.json";
    l->gguf->tensors[l->gguf->tensor_count++] = (het__gguf_tensor){
        .name = name, .dtype = HET_DTYPE_F32, .rank = 1, .extent = { pairs },
        .data = l->loads ? factors : NULL, .bytes = (size_t)pairs * sizeof(float),
    };
    return HET_OK;
}

/* Frequencies are divided by what the configuration lists or leads to; no file holds it. */
static het_status add_factors(lister *l)
{
    const het__config *c = &l->hf->config;
    if (!c->lm.rope_factors)
        return HET_OK;
    if (c->lm.turning != HET__TURNING_LONG)
        return add_factors_of(l, "rope_freqs.weight", c->rope_factors);
    const het_status s = add_factors_of(l, "rope_factors_short.weight", c->rope_factors);
    return s == HET_OK ? add_factors_of(l, "rope_factors_long.weight", c->long_factors) : s;
}

static het_status make_weights(lister *l)
{
    const record *r = l->records;
    const size_t *order =
        het__gguf_sort(l->hf->arena, r, l->record_count, sizeof *r);
    l->gguf->tensors =
        het__arena_zero(l->hf->arena, l->record_count + 2, sizeof *l->gguf->tensors);
    l->hf->sources = het__arena_zero(l->hf->arena, l->record_count + 2, sizeof *l->hf->sources);
    if (!order || !l->gguf->tensors || !l->hf->sources)
        return het__fail_nomem(l->err, "the list of weights");
    for (size_t i = 0, n; i < l->record_count; i += n) {
        for (n = 1; i + n < l->record_count &&
                    strcmp(r[order[i]].name, r[order[i + n]].name) == 0; n++)
            ;
        const het_status s = make_weight(l, order + i, n);
        if (s != HET_OK)
            return s;
    }
    return add_factors(l);
}

het_status het__hf_list_weights(het__hf *hf, bool loads, het__gguf *gguf, het_error *err)
{
    het__borrower borrower = { .lender = hf->shards.lender };
    lister l = { .hf = hf, .loads = loads, .gguf = gguf, .borrower = &borrower, .err = err };
    gguf->arena = hf->arena;
    gguf->tensor_count = 0;
    l.family = het__hf_family_of(hf->config.lm.architecture);
    if (!l.family)
        return het__fail(err, HET_E_UNSUPPORTED, "checkpoints of family %s are not read",
                         hf->config.lm.architecture);
    het_status s = make_records(&l);
    if (s == HET_OK)
        s = make_weights(&l);
    het__borrow_end(&borrower);
    if (s != HET_OK)
        return s;
    gguf->tensor_order =
        het__gguf_sort(hf->arena, gguf->tensors, gguf->tensor_count, sizeof *gguf->tensors);
    if (!gguf->tensor_order)
        return het__fail_nomem(err, "the list of weights");
    if (!hf->config.lm.tied && !het__gguf_tensor_find(gguf, "output.weight"))
        return het__fail(err, HET_E_FORMAT,
                         "tensor lm_head.weight is missing, and config.json does not tie the "
                         "head to the embedding");
    return HET_OK;
}

/* ---- source ---- */

static bool find(void *user, const char *name, het__lm_weight *weight)
{
    const het__hf_weights *w = user;
    const het__gguf_tensor *t = het__gguf_tensor_find(w->gguf, name);
    if (!t)
        return false;
    het__gguf_weight(t, weight);
    weight->name = w->hf->sources[t - w->gguf->tensors];
    return true;
}

het__lm_source het__hf_source(const het__hf_weights *weights)
{
    return (het__lm_source){ (void *)(uintptr_t)weights, find };
}

void het__hf_close(het__hf *hf)
{
    het__hf_shards_close(&hf->shards);
}

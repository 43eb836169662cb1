/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of quantize.h: which tensor gets which type, and the passage of the weights from
 * one file to the other in pieces, so that memory does not grow with the model. A piece is whole
 * blocks of both types wherever it is cut, since rows are. */
#include <math.h>
#include <string.h>

#include "lib/api/importance.h"
#include "lib/api/quantize_load.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/base/os.h"
#include "lib/import/gguf_write.h"
#include "lib/import/hf_gguf.h"
#include "lib/quant/encode.h"

/* Elements at once: a multiple of every block. */
#define PIECE 65536
#define PIECE_ENCODED_BYTES (PIECE * 4)
/* Bytes that are copied at once. */
#define COPY_BYTES ((size_t)16 << 20)
#define NAME_CUT 120

struct het_quantization {
    het_context *context; /* a reference */
    het__arena arena;
    het_quantization_info info;
    het_quantization_tensor *tensors;
};

typedef struct work {
    const het__gguf *from;
    het__gguf converted; /* of a folder */
    het__gguf extended;  /* the same and the scales of matrices in int8 behind it */
    size_t scales_first; /* tensors from here on are scales, which the report does not list */
    het_quantize_options o;
    het__mem *mem;
    het_dtype *types;
    het_quantization *out;
    het__gguf_writer writer;
    struct piece *pieces; /* per thread */
    het__borrower borrower; /* of the tensors' data */
    het__importance importance;
    uint64_t done, all;    /* elements, for progress */
    double error, square;  /* sums over encoded elements */
    uint64_t elements;     /* encoded */
} work;

/* What one thread works on. */
typedef struct piece {
    const het__gguf_tensor *tensor;
    het_dtype type;
    int64_t at; /* elements of the tensor [at, at + count) */
    size_t count;
    const uint8_t *source; /* of the first */
    float *before, *after;
    float *weights;        /* PIECE, where there is importance; else NULL */
    const het__column_weights *columns; /* of the tensor: importance; or NULL */
    float *scales;         /* of type I8: of the tensor's rows */
    uint8_t *encoded;
    double error, square, error_max;
    het_status status;
    het_error err;
    het__thread thread;
    bool is_started;
} piece;

/* ---- which type ---- */

/* '*' stands for any characters, '?' for one. Goes back to the last star only, so it takes at most
 * the product of both lengths. */
static bool fits(const char *pattern, const char *name)
{
    const char *star = NULL, *from = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (*pattern == '?' || (*pattern && *pattern == *name)) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool is_matrix(const het__gguf_tensor *t)
{
    const size_t n = strlen(t->name);
    return t->rank >= 2 && n > 7 && strcmp(t->name + n - 7, ".weight") == 0;
}

/* Few elements, or such that decide which others are used. */
static bool is_delicate(const char *name)
{
    static const char *const parts[] = { "ffn_gate_inp", "altup_", "laurel_", "rope_" };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(name, parts[i]))
            return true;
    return false;
}

static bool is_kept(const char *name, uint64_t flags)
{
    const bool table = strcmp(name, "token_embd.weight") == 0 ||
                       strcmp(name, "per_layer_token_embd.weight") == 0;
    return (table && (flags & HET_QUANTIZE_KEEP_EMBEDDING)) ||
           (strcmp(name, "output.weight") == 0 && (flags & HET_QUANTIZE_KEEP_OUTPUT));
}

/* What is asked for; NONE: as it is. */
static het_dtype wanted_type(const work *w, const het__gguf_tensor *t)
{
    const bool plain = t->dtype == HET_DTYPE_F32 || t->dtype == HET_DTYPE_F16 ||
                       t->dtype == HET_DTYPE_BF16 || t->dtype == HET_DTYPE_F64;
    const bool again = (w->o.flags & HET_QUANTIZE_AGAIN) && het__dtype_is_block(t->dtype);
    if (!is_matrix(t) || !(plain || again) || !het__decoder(t->dtype))
        return HET_DTYPE_NONE;
    for (size_t i = 0; i < w->o.override_count; i++)
        if (fits(w->o.overrides[i].pattern, t->name))
            return (het_dtype)w->o.overrides[i].type;
    if (is_delicate(t->name) || is_kept(t->name, w->o.flags))
        return HET_DTYPE_NONE;
    return (het_dtype)w->o.type;
}

static het_dtype with_smaller_blocks(het_dtype type)
{
    switch ((int)type) {
    case HET_DTYPE_Q2_K:
    case HET_DTYPE_Q3_K: return HET_DTYPE_IQ4_NL;
    case HET_DTYPE_Q4_K: return HET_DTYPE_Q5_0;
    case HET_DTYPE_Q5_K: return HET_DTYPE_Q5_1;
    case HET_DTYPE_Q6_K: return HET_DTYPE_Q8_0;
    default: return HET_DTYPE_F16;
    }
}

static het_dtype choose(const work *w, const het__gguf_tensor *t, het_quantize_result *result)
{
    het_dtype type = wanted_type(w, t);
    *result = HET_QUANTIZE_COPIED;
    if (type == HET_DTYPE_NONE || type == t->dtype)
        return t->dtype;
    *result = HET_QUANTIZE_ENCODED;
    if (type == HET_DTYPE_I8 && t->extent[t->rank - 1] > HET__INT8_COLUMNS_MAX) {
        type = HET_DTYPE_F16;
        *result = HET_QUANTIZE_REPLACED;
    }
    while (t->extent[t->rank - 1] % het__dtype(type)->block_elements) {
        type = with_smaller_blocks(type);
        *result = HET_QUANTIZE_REPLACED;
    }
    if (type == t->dtype)
        *result = HET_QUANTIZE_COPIED;
    return type;
}

het_dtype het__quantize_type_of(const het__gguf_tensor *tensor, het_dtype type)
{
    const work w = { .o = { .type = (uint32_t)type } };
    het_quantize_result result;
    return choose(&w, tensor, &result);
}

/* general.file_type of files that are mostly of a type; the mixtures' names have none of their
 * own. */
static int64_t file_type(het_dtype type)
{
    switch ((int)type) {
    case HET_DTYPE_F32: return 0;
    case HET_DTYPE_F16: return 1;
    case HET_DTYPE_Q4_0: return 2;
    case HET_DTYPE_Q4_1: return 3;
    case HET_DTYPE_Q8_0: return 7;
    case HET_DTYPE_Q5_0: return 8;
    case HET_DTYPE_Q5_1: return 9;
    case HET_DTYPE_Q2_K: return 10;
    case HET_DTYPE_Q3_K: return 11;
    case HET_DTYPE_Q4_K: return 14;
    case HET_DTYPE_Q5_K: return 16;
    case HET_DTYPE_Q6_K: return 18;
    case HET_DTYPE_IQ4_NL: return 25;
    case HET_DTYPE_BF16: return 32;
    case HET_DTYPE_MXFP4: return 38;
    default: return -1;
    }
}

/* ---- options ---- */

static bool is_written(uint32_t type)
{
    return type == HET_DTYPE_I8 || het__encoder((het_dtype)type);
}

static het_status check_options(const het_quantize_options *options, het_quantize_options *o,
                                het_error *err)
{
    const uint64_t known =
        HET_QUANTIZE_KEEP_OUTPUT | HET_QUANTIZE_KEEP_EMBEDDING | HET_QUANTIZE_AGAIN;
    const het_status s = het__options_read(o, sizeof *o, options, "het_quantize_options", err);
    if (s != HET_OK)
        return s;
    if (o->flags & ~known)
        return het__fail(err, HET_E_VERSION, "het_quantize_options.flags has an unknown flag");
    o->type = o->type ? o->type : HET_DTYPE_Q8_0;
    if (o->threads > HET__THREADS_MAX || o->reserved)
        return het__fail(err, HET_E_INVALID, "het_quantize_options.threads is %u, more than %d, or "
                         "reserved is not zero", o->threads, HET__THREADS_MAX);
    o->threads = o->threads ? o->threads : 1;
    if (!is_written(o->type))
        return het__fail(err, HET_E_INVALID, "weights of type %u (%s) cannot be written", o->type,
                         het_dtype_name((het_dtype)o->type));
    if (o->override_count && !o->overrides)
        return het__fail(err, HET_E_INVALID, "het_quantize_options.overrides is NULL");
    for (size_t i = 0; i < o->override_count; i++) {
        const het_quantize_override *v = &o->overrides[i];
        if (!v->pattern || v->reserved)
            return het__fail(err, HET_E_INVALID, "override %zu has no pattern, or its reserved "
                             "field is not zero", i);
        if (v->type && !is_written(v->type))
            return het__fail(err, HET_E_INVALID, "override %zu: weights of type %u (%s) cannot be "
                             "written", i, v->type, het_dtype_name((het_dtype)v->type));
    }
    return HET_OK;
}

static het_status check_model(const het_model *model, het_error *err)
{
    const het__language *l = model->language;
    if (!l || l->is_outline)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "het_quantize() reads GGUF files and folders; this model is of format "
                         "'%s'", model->info.format);
    if (l->is_folder)
        return model->is_whole && l->folder
                   ? HET_OK
                   : het__fail(err, HET_E_UNSUPPORTED, model->is_whole
                               ? "folders in packages are not quantised: unpack it"
                               : "the folder was loaded without its weights: load it without "
                                 "HET_MODEL_INSPECT_ONLY");
    if (!l->gguf.has_data)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "the model was loaded from a package without its weights: load it "
                         "without HET_MODEL_INSPECT_ONLY");
    return HET_OK;
}

/* ---- passage ---- */

static het_status report_progress(const work *w, het_error *err)
{
    const double fraction = w->all ? (double)w->done / (double)w->all : 1;
    if (w->o.progress && w->o.progress(w->o.progress_user, fraction, "weights") != 0)
        return het__fail(err, HET_E_CANCELLED, "cancelled while writing the weights");
    return HET_OK;
}

static size_t bytes_of(het_dtype type, size_t count)
{
    const het__dtype_info *info = het__dtype(type);
    return count / info->block_elements * info->block_bytes;
}

static het_status check_finite(piece *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (!isfinite(p->before[i]))
            return het__fail(&p->err, HET_E_FORMAT, "element %lld of tensor '%.*s' is not finite",
                             (long long)p->at + (long long)i, NAME_CUT, p->tensor->name);
    return HET_OK;
}

static het_status compare(piece *p)
{
    p->error = p->square = p->error_max = 0;
    for (size_t i = 0; i < p->count; i++) {
        const double value = (double)p->before[i], difference = fabs((double)p->after[i] - value);
        if (!isfinite(p->after[i]))
            return het__fail(&p->err, HET_E_UNSUPPORTED,
                             "tensor '%.*s' has elements near %g, beyond what the scales of %s "
                             "reach", NAME_CUT, p->tensor->name, value, het_dtype_name(p->type));
        p->error += difference * difference;
        p->square += value * value;
        p->error_max = difference > p->error_max ? difference : p->error_max;
    }
    return HET_OK;
}

/* Whole rows of a matrix in int8. */
static void encode_rows(piece *p)
{
    const int64_t columns = p->tensor->extent[p->tensor->rank - 1];
    for (int64_t i = 0; i < (int64_t)p->count; i += columns) {
        int8_t *codes = (int8_t *)p->encoded + i;
        float *scale = &p->scales[(p->at + i) / columns];
        het__int8_encode(p->before + i, columns, codes, scale);
        het__int8_decode(codes, *scale, p->after + i, columns);
    }
}

static void *run_piece(void *argument)
{
    piece *p = argument;
    const het__gguf_tensor *t = p->tensor;
    het__decoder(t->dtype)(p->source, p->before, (int64_t)p->count);
    p->status = check_finite(p);
    if (p->status != HET_OK)
        return NULL;
    if (p->type == HET_DTYPE_I8) {
        encode_rows(p);
        p->status = compare(p);
        return NULL;
    }
    const size_t width = (size_t)t->extent[t->rank - 1];
    const size_t matrix = width * (size_t)t->extent[t->rank - 2];
    for (size_t i = 0; p->columns && i < p->count; i++) {
        const size_t at = (size_t)p->at + i, of = p->columns->matrices > 1 ? at / matrix : 0;
        p->weights[i] = p->columns->weights[of * width + at % width];
    }
    het__encoder(p->type)(p->before, p->columns ? p->weights : NULL, p->encoded,
                          (int64_t)p->count);
    het__decoder(p->type)(p->encoded, p->after, (int64_t)p->count);
    p->status = compare(p);
    return NULL;
}

/* Elements of a piece: of int8 whole rows. */
static int64_t piece_of(const work *w, size_t index)
{
    const het__gguf_tensor *t = &w->from->tensors[index];
    return w->types[index] == HET_DTYPE_I8 ? PIECE - PIECE % t->extent[t->rank - 1] : PIECE;
}

/* The scales of a matrix that becomes int8. */
static float *scales_of(const work *w, size_t index)
{
    size_t at = w->scales_first;
    for (size_t i = 0; i < index; i++)
        at += w->types[i] == HET_DTYPE_I8 && w->from->tensors[i].dtype != HET_DTYPE_I8;
    return w->types[index] == HET_DTYPE_I8 ? (float *)w->from->tensors[at].data : NULL;
}

/* The pieces from an element on, as many as there are threads: *ran. A thread that cannot be
 * started has its piece done here. */
static het_status run_pieces(work *w, size_t index, int64_t at, int64_t all, uint32_t *ran,
                             het_error *err)
{
    const het__gguf_tensor *t = &w->from->tensors[index];
    const int64_t most = piece_of(w, index), first = at;
    const int64_t left = all - at, round = most * w->o.threads;
    const void *source;
    uint32_t count = 0;
    *ran = 0;
    const het_status s = het__borrow(
        &w->borrower, (const uint8_t *)t->data + bytes_of(t->dtype, (size_t)at),
        bytes_of(t->dtype, (size_t)(left < round ? left : round)), &source, err);
    if (s != HET_OK)
        return s;
    for (; count < w->o.threads && at < all; count++, at += most) {
        piece *p = &w->pieces[count];
        p->tensor = t;
        p->source = (const uint8_t *)source + bytes_of(t->dtype, (size_t)(at - first));
        p->type = w->types[index];
        p->columns = het__importance_of(&w->importance, p->tensor);
        p->at = at;
        p->count = (size_t)(all - at < most ? all - at : most);
        p->scales = scales_of(w, index);
        p->err = (het_error)HET_ERROR_INIT;
        p->is_started = count > 0 && het__thread_start(&p->thread, run_piece, p);
    }
    for (uint32_t i = 0; i < count; i++)
        if (!w->pieces[i].is_started)
            run_piece(&w->pieces[i]);
    for (uint32_t i = 0; i < count; i++)
        if (w->pieces[i].is_started)
            het__thread_join(w->pieces[i].thread);
    *ran = count;
    return HET_OK;
}

static het_status take_piece(work *w, size_t index, const piece *p, het_error *err)
{
    het_quantization_tensor *r = &w->out->tensors[index];
    if (p->status != HET_OK)
        return het__fail(err, p->status, "%s", p->err.message);
    r->rms_error += p->error; /* sums until the tensor is done */
    r->rms_value += p->square;
    r->error_max = p->error_max > r->error_max ? p->error_max : r->error_max;
    w->done += p->count;
    const het_status s = het__gguf_write_data(&w->writer, index, bytes_of(p->type, (size_t)p->at),
                                              p->encoded, bytes_of(p->type, p->count), err);
    return s == HET_OK ? report_progress(w, err) : s;
}

static het_status encode_tensor(work *w, size_t index, het_error *err)
{
    het_quantization_tensor *r = &w->out->tensors[index];
    const int64_t all = het__gguf_elements(&w->from->tensors[index]);
    het_status s = HET_OK;
    for (int64_t at = 0; s == HET_OK && at < all;) {
        uint32_t count;
        s = run_pieces(w, index, at, all, &count, err);
        for (uint32_t i = 0; s == HET_OK && i < count; i++)
            s = take_piece(w, index, &w->pieces[i], err);
        at += (int64_t)count * piece_of(w, index);
    }
    w->error += r->rms_error;
    w->square += r->rms_value;
    w->elements += (uint64_t)all;
    r->rms_error = sqrt(r->rms_error / (double)all);
    r->rms_value = sqrt(r->rms_value / (double)all);
    return s;
}

static het_status write_tensor(work *w, size_t index, het_error *err)
{
    const het__gguf_tensor *t = &w->from->tensors[index];
    if (index < w->scales_first && w->out->tensors[index].result != HET_QUANTIZE_COPIED)
        return encode_tensor(w, index, err);
    het_status s = HET_OK;
    for (size_t at = 0; s == HET_OK && at < t->bytes;) {
        const size_t n = t->bytes - at < COPY_BYTES ? t->bytes - at : COPY_BYTES;
        const void *data;
        s = het__borrow(&w->borrower, (const char *)t->data + at, n, &data, err);
        if (s == HET_OK)
            s = het__gguf_write_data(&w->writer, index, at, data, n, err);
        at += n;
    }
    w->done += (uint64_t)het__gguf_elements(t);
    return s == HET_OK ? report_progress(w, err) : s;
}

static bool looks_at_importance(het_dtype type)
{
    return het__dtype_is_block(type) && type != HET_DTYPE_Q8_0 && type != HET_DTYPE_MXFP4;
}

/* The type of every tensor; behind them all a tensor of scales for each matrix in int8, whose data
 * is written once the matrix has been encoded. */
static het_status choose_types(work *w, het_error *err)
{
    het__arena *arena = &w->out->arena;
    const het__gguf *from = w->from;
    const size_t count = from->tensor_count;
    het_quantize_result result;
    size_t int8 = 0;
    for (size_t i = 0; i < count; i++)
        int8 += choose(w, &from->tensors[i], &result) == HET_DTYPE_I8 &&
                result == HET_QUANTIZE_ENCODED;
    het__gguf_tensor *all = het__arena_zero(arena, count + int8, sizeof *all);
    w->types = het__arena_zero(arena, count + int8, sizeof *w->types);
    if (!all || !w->types)
        return het__fail_nomem(err, "the list of tensors");
    w->extended = *from;
    w->extended.tensors = all;
    w->extended.tensor_count = count;
    w->extended.tensor_order = NULL; /* nobody looks for a tensor */
    w->scales_first = count;
    for (size_t i = 0; i < count; i++) {
        all[i] = from->tensors[i];
        w->types[i] = choose(w, &all[i], &result);
        if (w->types[i] != HET_DTYPE_I8 || result != HET_QUANTIZE_ENCODED)
            continue;
        het__gguf_tensor *t = &all[w->extended.tensor_count];
        *t = all[i];
        t->dtype = w->types[w->extended.tensor_count++] = HET_DTYPE_F32;
        t->rank--;
        t->bytes = (size_t)het__gguf_elements(t) * sizeof(float);
        t->data = het__arena_zero(arena, t->bytes, 1);
        t->name = het__arena_printf(arena, "%s" HET__INT8_SCALE, all[i].name);
        if (!t->data || !t->name)
            return het__fail_nomem(err, "the scales of a matrix");
    }
    w->from = &w->extended;
    return HET_OK;
}

/* Types and the report, but for what the passage finds. */
static het_status prepare(work *w, het_error *err)
{
    het_quantization *out = w->out;
    const het_status chosen = choose_types(w, err);
    if (chosen != HET_OK)
        return chosen;
    const size_t count = w->scales_first;
    out->tensors = het__arena_zero(&out->arena, count, sizeof *out->tensors);
    w->pieces = het__alloc_zero(w->mem, w->o.threads, sizeof *w->pieces);
    bool whole = out->tensors && w->pieces;
    for (uint32_t i = 0; whole && i < w->o.threads; i++) {
        piece *p = &w->pieces[i];
        p->before = het__alloc_zero(w->mem, PIECE, sizeof *p->before);
        p->after = het__alloc_zero(w->mem, PIECE, sizeof *p->after);
        p->encoded = het__alloc(w->mem, PIECE_ENCODED_BYTES);
        p->weights = w->importance.count ? het__alloc_zero(w->mem, PIECE, sizeof *p->weights)
                                         : NULL;
        whole = p->before && p->after && p->encoded && (p->weights || !w->importance.count);
    }
    if (!whole)
        return het__fail_nomem(err, "the weights of a model");
    out->info = (het_quantization_info){ .struct_size = sizeof out->info, .type = w->o.type };
    out->info.tensor_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        const het__gguf_tensor *t = &w->from->tensors[i];
        het_quantization_tensor *r = &out->tensors[i];
        het_quantize_result result;
        choose(w, t, &result);
        *r = (het_quantization_tensor){ .struct_size = sizeof *r, .result = (uint32_t)result };
        r->source_type = (uint32_t)t->dtype;
        r->type = (uint32_t)w->types[i];
        r->elements = (uint64_t)het__gguf_elements(t);
        r->source_bytes = t->bytes;
        r->target_bytes = het__gguf_bytes_as(t, w->types[i]);
        if (result == HET_QUANTIZE_ENCODED && w->types[i] == HET_DTYPE_I8)
            r->target_bytes += r->elements / (uint64_t)t->extent[t->rank - 1] * sizeof(float);
        r->is_weighed = result != HET_QUANTIZE_COPIED && looks_at_importance(w->types[i]) &&
                        het__importance_of(&w->importance, t);
        r->name = het__arena_strndup(&out->arena, t->name, strlen(t->name));
        if (!r->name)
            return het__fail_nomem(err, "the name of a tensor");
        out->info.encoded_count += result != HET_QUANTIZE_COPIED;
        out->info.source_bytes += r->source_bytes;
        out->info.target_bytes += r->target_bytes;
        w->all += r->elements;
    }
    return HET_OK;
}

static het_status write_file(work *w, const char *path, het_error *err)
{
    const int64_t number =
        w->out->info.encoded_count ? file_type((het_dtype)w->o.type) : -1;
    het_status s =
        het__gguf_write_begin(&w->writer, w->mem, path, w->from, w->types, number, err);
    if (s != HET_OK)
        return s;
    for (size_t i = 0; s == HET_OK && i < w->from->tensor_count; i++)
        s = write_tensor(w, i, err);
    if (s == HET_OK)
        return het__gguf_write_commit(&w->writer, err);
    het__gguf_write_abandon(&w->writer);
    return s;
}

static void give_back(work *w)
{
    het__borrow_end(&w->borrower);
    for (uint32_t i = 0; w->pieces && i < w->o.threads; i++) {
        het__free(w->mem, w->pieces[i].before);
        het__free(w->mem, w->pieces[i].after);
        het__free(w->mem, w->pieces[i].weights);
        het__free(w->mem, w->pieces[i].encoded);
    }
    het__free(w->mem, w->pieces);
}

/* What a folder's model is as GGUF, in the report's memory until all is written. */
static het_status convert(work *w, const het_model *model, het_error *err)
{
    const het__language *l = model->language;
    het__hf_place place;
    het_status s = het__hf_place_find(w->mem, l->folder, &place, err);
    if (s == HET_OK && !place.folder)
        s = het__fail(err, HET_E_IO, "the folder %s is not there any more", l->folder);
    if (s == HET_OK)
        s = het__hf_to_gguf(&l->hf, &l->gguf, &place, &w->out->arena, &w->converted, err);
    het__hf_place_finish(&place);
    w->from = &w->converted;
    return s;
}

static het_status weigh(work *w, const het_model *model, het_error *err)
{
    if (!model->is_whole)
        return het__fail(err, HET_E_INVALID, "importance is measured with the model, which was "
                         "loaded with HET_MODEL_INSPECT_ONLY");
    return het__importance_measure(model, w->o.importance, w->o.importance_bytes, w->o.threads,
                                   w->o.progress, w->o.progress_user, &w->out->arena,
                                   &w->importance, err);
}

het_status het_quantize(const het_model *model, const het_quantize_options *options,
                        const char *path, het_quantization **quantization, het_error *err)
{
    work w = { 0 };
    if (quantization)
        *quantization = NULL;
    HET_REQUIRE(model != NULL && path != NULL, err);
    het_status s = check_options(options, &w.o, err);
    if (s == HET_OK)
        s = check_model(model, err);
    if (s != HET_OK)
        return s;
    w.mem = &model->context->mem;
    w.from = &model->language->gguf;
    w.borrower.lender = het__model_lender(model);
    w.out = het__alloc_zero(w.mem, 1, sizeof *w.out);
    if (!w.out)
        return het__fail_nomem(err, "a report");
    w.out->context = model->context;
    het__context_retain(model->context);
    het__arena_init(&w.out->arena, w.mem);
    s = model->language->is_folder ? convert(&w, model, err) : HET_OK;
    if (s == HET_OK && w.o.importance)
        s = weigh(&w, model, err);
    if (s == HET_OK)
        s = prepare(&w, err);
    if (s == HET_OK)
        s = write_file(&w, path, err);
    if (w.elements) {
        w.out->info.rms_error = sqrt(w.error / (double)w.elements);
        w.out->info.rms_value = sqrt(w.square / (double)w.elements);
    }
    give_back(&w);
    if (s == HET_OK && quantization)
        *quantization = w.out;
    else
        het_quantization_destroy(w.out);
    return s;
}

/* ---- report ---- */

het_status het_quantization_get_info(const het_quantization *quantization,
                                     het_quantization_info *info)
{
    return het__result_write(info, &quantization->info, sizeof *info);
}

het_status het_quantization_at(const het_quantization *quantization, uint32_t index,
                               het_quantization_tensor *tensor)
{
    if (index >= quantization->info.tensor_count)
        return HET_E_INVALID;
    return het__result_write(tensor, &quantization->tensors[index], sizeof *tensor);
}

void het_quantization_destroy(het_quantization *quantization)
{
    if (!quantization)
        return;
    het_context *context = quantization->context;
    het__arena_finish(&quantization->arena);
    het__free(&context->mem, quantization);
    het__context_release(context);
}

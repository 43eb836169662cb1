/* SPDX-License-Identifier: Apache-2.0 */
/* The same encoders as in files; pieces of a tensor go to threads in turn. */
#include "lib/api/quantize_load.h"

#include <math.h>

#include "lib/base/cpus.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/import/gguf_write.h"
#include "lib/quant/encode.h"

/* Elements at once: a multiple of every block. */
#define PIECE 65536
#define THREADS_DEFAULT 16
/* AUTO: the share of memory that weights may take as they are, and in 8 bits. */
#define SHARE_PLAIN 0.5
#define SHARE_EIGHT 0.6

typedef struct job {
    const het__gguf_tensor *tensor;
    const uint8_t *source; /* its bytes */
    het_dtype type;
    uint8_t *target;
    _Atomic int64_t next; /* element */
    int64_t all, piece;   /* elements of the tensor, and at once */
    int64_t channels;     /* int8 was asked for: columns of a row; else 0 */
    _Atomic int64_t bad;  /* element that is not finite, or -1 */
} job;

typedef struct worker {
    job *job;
    float *before;
    het__thread thread;
    bool is_started;
} worker;

static size_t bytes_of(het_dtype type, int64_t count)
{
    const het__dtype_info *info = het__dtype(type);
    return (size_t)count / info->block_elements * info->block_bytes;
}

/* Rows in int8, in the form that a file with them is loaded into: Q8_0 or F32. */
static void encode_channels(job *j, const float *x, int64_t at, int64_t count)
{
    int8_t codes[HET__INT8_COLUMNS_MAX];
    for (int64_t i = 0; i < count; i += j->channels) {
        uint8_t *target = j->target + bytes_of(j->type, at + i);
        float scale;
        het__int8_encode(x + i, j->channels, codes, &scale);
        if (!het__int8_is_f16(scale))
            atomic_store(&j->bad, at + i);
        else if (j->type == HET_DTYPE_Q8_0)
            het__int8_to_q8_0(codes, scale, target, j->channels);
        else
            het__int8_decode(codes, scale, (float *)(void *)target, j->channels);
    }
}

static void *work(void *argument)
{
    const worker *w = argument;
    job *j = w->job;
    const het__gguf_tensor *t = j->tensor;
    for (;;) {
        const int64_t at = atomic_fetch_add(&j->next, j->piece);
        if (at >= j->all)
            return NULL;
        const int64_t count = j->all - at < j->piece ? j->all - at : j->piece;
        const uint8_t *source = j->source + bytes_of(t->dtype, at);
        het__decoder(t->dtype)(source, w->before, count);
        for (int64_t i = 0; i < count; i++)
            if (!isfinite(w->before[i]))
                atomic_store(&j->bad, at + i);
        if (atomic_load(&j->bad) >= 0)
            return NULL;
        if (j->channels)
            encode_channels(j, w->before, at, count);
        else
            het__encoder(j->type)(w->before, NULL, j->target + bytes_of(j->type, at), count);
    }
}

static het_status encode(het_model *m, het__gguf_tensor *t, het_dtype type, const void *source,
                         worker *workers, uint32_t count, het_error *err)
{
    const int64_t columns = t->extent[t->rank - 1];
    const bool is_int8 = type == HET_DTYPE_I8;
    if (is_int8)
        type = columns % 32 ? HET_DTYPE_F32 : HET_DTYPE_Q8_0;
    const size_t bytes = het__gguf_bytes_as(t, type);
    job j = { .tensor = t, .source = source, .type = type, .all = het__gguf_elements(t),
              .piece = PIECE };
    j.channels = is_int8 ? columns : 0;
    j.piece -= is_int8 ? PIECE % columns : 0;
    atomic_init(&j.next, 0);
    atomic_init(&j.bad, -1);
    j.target = het__arena_alloc(&m->language->arena, bytes);
    if (!j.target)
        return het__fail_nomem(err, "the weights of a model");
    for (uint32_t i = 0; i < count; i++) {
        workers[i].job = &j;
        workers[i].is_started = i > 0 && het__thread_start(&workers[i].thread, work, &workers[i]);
    }
    work(&workers[0]);
    for (uint32_t i = 1; i < count; i++)
        if (workers[i].is_started)
            het__thread_join(workers[i].thread);
    if (atomic_load(&j.bad) >= 0)
        return het__fail(err, HET_E_FORMAT, "element %lld of tensor '%.120s' is not finite%s",
                         (long long)atomic_load(&j.bad), t->name,
                         is_int8 ? ", or its row is too large for the type" : "");
    if (het__language_is_mapped(m, t->data))
        het__drop_pages(t->data, t->bytes);
    t->data = j.target;
    t->dtype = type;
    t->bytes = bytes;
    return HET_OK;
}

/* Bytes of all weights, if they had a type; NONE: as they are. */
static double bytes_in(const het__gguf *gguf, het_dtype type)
{
    double bytes = 0;
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        const het__gguf_tensor *t = &gguf->tensors[i];
        bytes += (double)(type == HET_DTYPE_NONE
                              ? t->bytes
                              : het__gguf_bytes_as(t, het__quantize_type_of(t, type)));
    }
    return bytes;
}

/* The most precise of: as it is, Q8_0, Q4_K. */
static het_dtype automatic(const het__gguf *gguf)
{
    const double memory = (double)het__memory_bytes();
    if (!(memory > 0) || bytes_in(gguf, HET_DTYPE_NONE) <= SHARE_PLAIN * memory)
        return HET_DTYPE_NONE;
    return bytes_in(gguf, HET_DTYPE_Q8_0) <= SHARE_EIGHT * memory ? HET_DTYPE_Q8_0
                                                                  : HET_DTYPE_Q4_K;
}

static het_status encode_all(het_model *m, const het_model_options *o, het_dtype type,
                             worker *workers, uint32_t count, het_error *err)
{
    het__gguf *gguf = &m->language->gguf;
    het__borrower borrower = { .lender = het__model_lender(m) };
    het_status s = HET_OK;
    for (size_t i = 0; s == HET_OK && i < gguf->tensor_count; i++) {
        het__gguf_tensor *t = &gguf->tensors[i];
        const het_dtype wanted = het__quantize_type_of(t, type);
        const void *source;
        if (wanted != t->dtype)
            s = het__borrow(&borrower, t->data, t->bytes, &source, err);
        if (s == HET_OK && wanted != t->dtype)
            s = encode(m, t, wanted, source, workers, count, err);
        if (s == HET_OK)
            s = het__model_report(o, (double)(i + 1) / (double)gguf->tensor_count, "quantising",
                                  err);
    }
    het__borrow_end(&borrower);
    return s;
}

het_status het__quantize_loaded(het_model *m, const het_model_options *o, het_error *err)
{
    const bool is_auto = o->quantize_type == HET_MODEL_QUANTIZE_AUTO;
    const het_dtype type =
        is_auto ? automatic(&m->language->gguf) : (het_dtype)o->quantize_type;
    if (type == HET_DTYPE_NONE)
        return HET_OK;
    uint32_t count = o->threads ? o->threads : het__cpus_default();
    count = !o->threads && count > THREADS_DEFAULT ? THREADS_DEFAULT : count;
    worker *workers = het__alloc_zero(&m->context->mem, count, sizeof *workers);
    bool whole = workers != NULL;
    for (uint32_t i = 0; whole && i < count; i++) {
        workers[i].before = het__alloc(&m->context->mem, PIECE * sizeof(float));
        whole = workers[i].before != NULL;
    }
    const het_status s = whole ? encode_all(m, o, type, workers, count, err)
                               : het__fail_nomem(err, "the weights of a model");
    m->language->quantized = type;
    for (uint32_t i = 0; workers && i < count; i++)
        het__free(&m->context->mem, workers[i].before);
    het__free(&m->context->mem, workers);
    return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors from and to DLPack. The structs are those of its published binary interface (the
 * unversioned form, which all exporters still know), written here so that nothing is needed to
 * build; tests exchange tensors with a definition of their own.
 *
 * A het_tensor is dense, so strides are taken only where they say nothing else. Types narrower than
 * a byte are packed there and one per byte here, so they do not pass. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/options.h"

#define DEVICE_CPU 1

typedef struct dl_device {
    int32_t type, id;
} dl_device;

typedef struct dl_type {
    uint8_t code, bits;
    uint16_t lanes;
} dl_type;

typedef struct dl_tensor {
    void *data;
    dl_device device;
    int32_t ndim;
    dl_type type;
    int64_t *shape;
    int64_t *strides; /* in elements; NULL: dense */
    uint64_t byte_offset;
} dl_tensor;

struct DLManagedTensor {
    dl_tensor tensor;
    void *manager;
    void (*deleter)(struct DLManagedTensor *self);
};

/* Type codes of DLPack. */
enum { DL_INT = 0, DL_UINT = 1, DL_FLOAT = 2, DL_BFLOAT = 4, DL_BOOL = 6, DL_F8E4M3FN = 10,
       DL_F8E4M3FNUZ = 11, DL_F8E5M2 = 12, DL_F8E5M2FNUZ = 13, DL_F8E8M0FNU = 14 };

static const struct {
    uint8_t code, bits;
    het_dtype dtype;
} types[] = {
    { DL_FLOAT, 32, HET_DTYPE_F32 },      { DL_FLOAT, 16, HET_DTYPE_F16 },
    { DL_FLOAT, 64, HET_DTYPE_F64 },      { DL_BFLOAT, 16, HET_DTYPE_BF16 },
    { DL_INT, 8, HET_DTYPE_I8 },          { DL_INT, 16, HET_DTYPE_I16 },
    { DL_INT, 32, HET_DTYPE_I32 },        { DL_INT, 64, HET_DTYPE_I64 },
    { DL_UINT, 8, HET_DTYPE_U8 },         { DL_UINT, 16, HET_DTYPE_U16 },
    { DL_UINT, 32, HET_DTYPE_U32 },       { DL_UINT, 64, HET_DTYPE_U64 },
    { DL_BOOL, 8, HET_DTYPE_BOOL },       { DL_F8E4M3FN, 8, HET_DTYPE_F8E4M3 },
    { DL_F8E4M3FNUZ, 8, HET_DTYPE_F8E4M3UZ }, { DL_F8E5M2, 8, HET_DTYPE_F8E5M2 },
    { DL_F8E5M2FNUZ, 8, HET_DTYPE_F8E5M2UZ }, { DL_F8E8M0FNU, 8, HET_DTYPE_F8E8M0 },
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

/* ---- from ---- */

static het_dtype dtype_of(dl_type type)
{
    for (size_t i = 0; type.lanes == 1 && i < TYPE_COUNT; i++)
        if (types[i].code == type.code && types[i].bits == type.bits)
            return types[i].dtype;
    return HET_DTYPE_NONE;
}

/* Extents of one step nowhere, so their strides say nothing; nor do those of a tensor without
 * elements. */
static bool is_dense(const dl_tensor *t)
{
    uint64_t step = 1; /* the product of extents was checked before */
    for (int32_t i = t->ndim; t->strides && i-- > 0;) {
        if (t->shape[i] == 0)
            return true;
        if (t->shape[i] != 1 && t->strides[i] != (int64_t)step) {
            for (int32_t k = 0; k < i; k++)
                if (t->shape[k] == 0)
                    return true;
            return false;
        }
        step *= (uint64_t)t->shape[i];
    }
    return true;
}

static het_status read_shape(const dl_tensor *t, het_tensor_desc *desc, het_error *err)
{
    if (t->ndim < 0 || (t->ndim > 0 && !t->shape))
        return het__fail(err, HET_E_INVALID, "the DLPack tensor has %d extents and no shape",
                         (int)t->ndim);
    if (t->ndim > HET_RANK_MAX)
        return het__fail(err, HET_E_UNSUPPORTED, "the DLPack tensor has %d extents; %d is the most",
                         (int)t->ndim, HET_RANK_MAX);
    desc->rank = (uint32_t)t->ndim;
    for (uint32_t i = 0; i < desc->rank; i++)
        desc->extent[i] = t->shape[i];
    if (het_tensor_desc_bytes(desc) < 0)
        return het__fail(err, HET_E_INVALID, "the DLPack tensor has an impossible shape");
    if (!is_dense(t))
        return het__fail(err, HET_E_UNSUPPORTED,
                         "the DLPack tensor is not dense and row-major: make it contiguous");
    return HET_OK;
}

het_status het_tensor_from_dlpack(const struct DLManagedTensor *managed, het_tensor *tensor,
                                  het_error *err)
{
    HET_REQUIRE(managed != NULL && tensor != NULL, err);
    const dl_tensor *t = &managed->tensor;
    het_tensor out = HET_TENSOR_INIT;
    if (t->device.type != DEVICE_CPU)
        return het__fail(err, HET_E_UNSUPPORTED, "the DLPack tensor lies on a device of type %d, "
                         "not in memory of the CPU", (int)t->device.type);
    out.desc.dtype = (uint32_t)dtype_of(t->type);
    if (out.desc.dtype == HET_DTYPE_NONE)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "the DLPack tensor has elements of code %u, %u bits, %u lanes",
                         t->type.code, t->type.bits, t->type.lanes);
    het_status s = read_shape(t, &out.desc, err);
    if (s != HET_OK)
        return s;
    out.size_bytes = (size_t)het_tensor_desc_bytes(&out.desc);
    if (!t->data && out.size_bytes > 0)
        return het__fail(err, HET_E_INVALID, "the DLPack tensor has no data");
    out.data = t->data ? (char *)t->data + t->byte_offset : NULL;
    s = het__result_write(tensor, &out, sizeof out);
    return s == HET_OK ? s : het__fail(err, s, "het_tensor.struct_size: use HET_TENSOR_INIT");
}

/* ---- to ---- */

/* What an exported tensor takes beside its bytes. */
typedef struct exported {
    struct DLManagedTensor managed;
    int64_t shape[HET_RANK_MAX];
    int64_t strides[HET_RANK_MAX];
    het_context *context;
    void (*release)(void *user);
    void *user;
} exported;

static void delete_export(struct DLManagedTensor *self)
{
    if (!self)
        return;
    exported *e = self->manager;
    het_context *context = e->context;
    if (e->release)
        e->release(e->user);
    het__free(&context->mem, e);
    het__context_release(context);
}

static bool dl_type_of(uint32_t dtype, dl_type *type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if ((uint32_t)types[i].dtype == dtype) {
            *type = (dl_type){ types[i].code, types[i].bits, 1 };
            return true;
        }
    return false;
}

static void fill_export(exported *e, const het_tensor *t, dl_type type)
{
    uint64_t step = 1; /* beside an extent of zero the others may be anything: modulo 2^64 */
    for (uint32_t i = t->desc.rank; i-- > 0;) {
        e->shape[i] = t->desc.extent[i];
        e->strides[i] = (int64_t)step;
        step *= (uint64_t)e->shape[i];
    }
    e->managed = (struct DLManagedTensor){
        .tensor = { .data = t->data, .device = { DEVICE_CPU, 0 }, .ndim = (int32_t)t->desc.rank,
                    .type = type, .shape = e->shape, .strides = e->strides },
        .manager = e, .deleter = delete_export,
    };
}

het_status het_tensor_to_dlpack(het_context *context, const het_tensor *tensor,
                                void (*release)(void *user), void *user,
                                struct DLManagedTensor **managed, het_error *err)
{
    HET_REQUIRE(managed != NULL, err);
    *managed = NULL;
    HET_REQUIRE(context != NULL && tensor != NULL, err);
    het_tensor t;
    dl_type type;
    const het_status s = het__options_read(&t, sizeof t, tensor, "het_tensor", err);
    if (s != HET_OK)
        return s;
    const int64_t bytes = het_tensor_desc_bytes(&t.desc);
    if (bytes < 0 || t.desc.flags != 0)
        return het__fail(err, HET_E_INVALID, "the tensor has an impossible shape or no type");
    if (bytes > 0 && (!t.data || t.size_bytes < (uint64_t)bytes))
        return het__fail(err, HET_E_INVALID, "the tensor has %zu bytes, not %lld",
                         t.data ? t.size_bytes : 0, (long long)bytes);
    if (!dl_type_of(t.desc.dtype, &type))
        return het__fail(err, HET_E_UNSUPPORTED, "DLPack has no elements of type %s",
                         het_dtype_name((het_dtype)t.desc.dtype));
    exported *e = het__alloc_zero(&context->mem, 1, sizeof *e);
    if (!e)
        return het__fail_nomem(err, "a DLPack tensor");
    fill_export(e, &t, type);
    e->context = context;
    e->release = release;
    e->user = user;
    het__context_retain(context);
    *managed = &e->managed;
    return HET_OK;
}

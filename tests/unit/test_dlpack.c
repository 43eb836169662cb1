/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors handed over by DLPack, with a producer and a consumer that know the interface from its
 * published description and not from the library. */
#include <hetinfer.h>

#include "counting_allocator.h"
#include "test.h"

/* The interface, as its description has it. */
typedef struct DLTensor {
    void *data;
    struct { int32_t device_type, device_id; } device;
    int32_t ndim;
    struct { uint8_t code, bits; uint16_t lanes; } dtype;
    int64_t *shape;
    int64_t *strides;
    uint64_t byte_offset;
} DLTensor;

struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
};

static counting_allocator counter;
static het_context *context;

static struct DLManagedTensor produce(void *data, int32_t rank, int64_t *shape, int64_t *strides)
{
    struct DLManagedTensor m = { { data, { 1, 0 }, rank, { 2, 32, 1 }, shape, strides, 0 }, NULL,
                                 NULL };
    return m;
}

static void from_dense(void)
{
    float data[7] = { 0, 1, 2, 3, 4, 5, 6 };
    int64_t shape[2] = { 2, 3 }, strides[2] = { 3, 1 };
    struct DLManagedTensor m = produce(data, 2, shape, NULL);
    for (int k = 0; k < 2; k++, m.dl_tensor.strides = strides) {
        het_error err = HET_ERROR_INIT;
        het_tensor t = HET_TENSOR_INIT;
        CHECK_INT(het_tensor_from_dlpack(&m, &t, &err), HET_OK);
        CHECK(t.data == data);
        CHECK_INT(t.size_bytes, 24);
        CHECK_INT(t.desc.dtype, HET_DTYPE_F32);
        CHECK_INT(t.desc.rank, 2);
        CHECK_INT(t.desc.extent[0], 2);
        CHECK_INT(t.desc.extent[1], 3);
        CHECK_INT(t.desc.struct_size, sizeof t.desc);
    }
    het_tensor t = HET_TENSOR_INIT;
    m.dl_tensor.byte_offset = 4;
    CHECK_INT(het_tensor_from_dlpack(&m, &t, NULL), HET_OK);
    CHECK(t.data == data + 1);
    /* An extent of one is nowhere stepped along. */
    shape[0] = 1;
    strides[0] = 77;
    CHECK_INT(het_tensor_from_dlpack(&m, &t, NULL), HET_OK);
    m.dl_tensor.ndim = 0;
    m.dl_tensor.shape = NULL;
    CHECK_INT(het_tensor_from_dlpack(&m, &t, NULL), HET_OK);
    CHECK_INT(t.size_bytes, 4);
}

static void from_empty(void)
{
    int64_t shape[2] = { 0, 3 }, strides[2] = { 9, 9 };
    struct DLManagedTensor m = produce(NULL, 2, shape, strides);
    het_tensor t = HET_TENSOR_INIT;
    CHECK_INT(het_tensor_from_dlpack(&m, &t, NULL), HET_OK);
    CHECK_INT(t.size_bytes, 0);
}

static void refused(struct DLManagedTensor *m, het_status want, const char *word)
{
    het_error err = HET_ERROR_INIT;
    het_tensor t = HET_TENSOR_INIT;
    t.size_bytes = 99;
    CHECK_INT(het_tensor_from_dlpack(m, &t, &err), want);
    CHECK(strstr(err.message, word) != NULL);
    CHECK_INT(t.size_bytes, 99);
}

static void from_refusals(void)
{
    float data[6];
    int64_t shape[9] = { 2, 3, 1, 1, 1, 1, 1, 1, 1 }, strides[2] = { 1, 2 };
    struct DLManagedTensor m = produce(data, 2, shape, strides);
    refused(&m, HET_E_UNSUPPORTED, "row-major");
    m = produce(data, 2, shape, NULL);
    m.dl_tensor.device.device_type = 2;
    refused(&m, HET_E_UNSUPPORTED, "device");
    m = produce(data, 2, shape, NULL);
    m.dl_tensor.dtype.lanes = 4;
    refused(&m, HET_E_UNSUPPORTED, "lanes");
    m.dl_tensor.dtype.lanes = 1;
    m.dl_tensor.dtype.bits = 4;
    refused(&m, HET_E_UNSUPPORTED, "bits");
    m = produce(data, 9, shape, NULL);
    refused(&m, HET_E_UNSUPPORTED, "extents");
    m = produce(data, -1, shape, NULL);
    refused(&m, HET_E_INVALID, "shape");
    m = produce(data, 2, NULL, NULL);
    refused(&m, HET_E_INVALID, "shape");
    m = produce(NULL, 2, shape, NULL);
    refused(&m, HET_E_INVALID, "no data");
    shape[0] = -2;
    refused(&m, HET_E_INVALID, "shape");
    shape[0] = shape[1] = INT64_C(1) << 40;
    refused(&m, HET_E_INVALID, "shape");
}

static int released;

static void release(void *user)
{
    released++;
    CHECK(user == &released);
}

static void to_and_back(void)
{
    static const struct {
        het_dtype dtype;
        uint8_t code, bits;
    } types[] = {
        { HET_DTYPE_F32, 2, 32 }, { HET_DTYPE_F16, 2, 16 }, { HET_DTYPE_F64, 2, 64 },
        { HET_DTYPE_BF16, 4, 16 }, { HET_DTYPE_I8, 0, 8 }, { HET_DTYPE_I64, 0, 64 },
        { HET_DTYPE_U8, 1, 8 }, { HET_DTYPE_U32, 1, 32 }, { HET_DTYPE_BOOL, 6, 8 },
        { HET_DTYPE_F8E4M3, 10, 8 }, { HET_DTYPE_F8E5M2, 12, 8 },
    };
    double data[6] = { 1, 2, 3, 4, 5, 6 };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        het_error err = HET_ERROR_INIT;
        het_tensor t = HET_TENSOR_INIT, back = HET_TENSOR_INIT;
        struct DLManagedTensor *m = NULL;
        t.data = data;
        t.size_bytes = sizeof data;
        t.desc.dtype = types[i].dtype;
        t.desc.rank = 3;
        t.desc.extent[0] = 2;
        t.desc.extent[1] = 1;
        t.desc.extent[2] = 3;
        released = 0;
        CHECK_INT(het_tensor_to_dlpack(context, &t, release, &released, &m, &err), HET_OK);
        if (!m)
            continue;
        CHECK(m->dl_tensor.data == data);
        CHECK_INT(m->dl_tensor.dtype.code, types[i].code);
        CHECK_INT(m->dl_tensor.dtype.bits, types[i].bits);
        CHECK_INT(m->dl_tensor.dtype.lanes, 1);
        CHECK_INT(m->dl_tensor.device.device_type, 1);
        CHECK_INT(m->dl_tensor.ndim, 3);
        CHECK_INT(m->dl_tensor.shape[2], 3);
        CHECK_INT(m->dl_tensor.strides[0], 3);
        CHECK_INT(m->dl_tensor.byte_offset, 0);
        CHECK_INT(het_tensor_from_dlpack(m, &back, &err), HET_OK);
        CHECK_INT(back.desc.dtype, types[i].dtype);
        CHECK_INT(back.size_bytes, het_tensor_desc_bytes(&t.desc));
        CHECK_INT(released, 0);
        m->deleter(m);
        CHECK_INT(released, 1);
    }
}

static void to_refusals(void)
{
    float data[4];
    het_error err = HET_ERROR_INIT;
    struct DLManagedTensor *m = (void *)data;
    het_tensor t = HET_TENSOR_INIT;
    t.desc.dtype = HET_DTYPE_F32;
    t.desc.rank = 1;
    t.desc.extent[0] = 4;
    t.data = data;
    t.size_bytes = 15;
    released = 0;
    CHECK_INT(het_tensor_to_dlpack(context, &t, release, &released, &m, &err), HET_E_INVALID);
    CHECK(m == NULL);
    t.size_bytes = 16;
    t.desc.dtype = HET_DTYPE_I4;
    CHECK_INT(het_tensor_to_dlpack(context, &t, release, &released, &m, &err), HET_E_UNSUPPORTED);
    CHECK(strstr(err.message, "I4") != NULL);
    t.desc.dtype = HET_DTYPE_F32;
    t.desc.extent[0] = -1;
    CHECK_INT(het_tensor_to_dlpack(context, &t, NULL, NULL, &m, &err), HET_E_INVALID);
    t.desc.extent[0] = 4;
    counting_allocator_fail(&counter, 1);
    CHECK_INT(het_tensor_to_dlpack(context, &t, release, &released, &m, &err), HET_E_NOMEM);
    counting_allocator_fail(&counter, 0);
    CHECK_INT(released, 0);
    CHECK(m == NULL);
}

/* The tensor keeps what it was allocated from. */
static void outlives_context(void)
{
    float data[4] = { 1, 2, 3, 4 };
    struct DLManagedTensor *m = NULL;
    het_tensor t = HET_TENSOR_INIT;
    t.desc.dtype = HET_DTYPE_F32;
    t.desc.rank = 1;
    t.desc.extent[0] = 4;
    t.data = data;
    t.size_bytes = sizeof data;
    CHECK_INT(het_tensor_to_dlpack(context, &t, NULL, NULL, &m, NULL), HET_OK);
    het_context_destroy(context);
    context = NULL;
    CHECK(counter.blocks > 0);
    if (m)
        m->deleter(m);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
}

int main(void)
{
    const het_allocator allocator = counting_allocator_of(&counter);
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.allocator = &allocator;
    o.backends = "ref";
    CHECK_INT(het_context_create(&o, &context, NULL), HET_OK);
    test_case(from_dense);
    test_case(from_empty);
    test_case(from_refusals);
    test_case(to_and_back);
    test_case(to_refusals);
    test_case(outlives_context);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Constants on the device: each once per device and form.
 *
 * A constant as it lies is used in place where the device shares the host's memory and either is
 * the host's processor or was asked to (weights_mapped): the pages around it become a memory
 * object. Otherwise it is copied. A form that an operation makes is laid out in host memory and
 * copied. */
#include "backends/opencl_igpu/opencl.h"

#include <assert.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/quant/quant.h"

#define IN_PLACE_ALIGN 8

static het__cl_kept *find(het__device *device, const void *data, const char *form)
{
    for (het__cl_kept *k = device->kept; k; k = k->next)
        if (k->data == data && strcmp(k->form, form) == 0)
            return k;
    return NULL;
}

static void kept_drop(het__device *device, het__cl_kept *kept)
{
    if (kept->mem && !device->is_gone)
        clReleaseMemObject(kept->mem);
    het__free(device->host.mem, kept->form);
    het__free(device->host.mem, kept);
}

void het__cl_drop_constants(het__device *device)
{
    while (device->kept) {
        het__cl_kept *next = device->kept->next;
        kept_drop(device, device->kept);
        device->kept = next;
    }
}

/* An entry without memory, not in the list yet. */
static het__cl_kept *kept_new(het__device *device, const void *data, const char *form, size_t bytes)
{
    het__cl_kept *k = het__alloc_zero(device->host.mem, 1, sizeof *k);
    char *copy = het__strndup(device->host.mem, form, strlen(form));
    if (!k || !copy) {
        het__free(device->host.mem, copy);
        het__free(device->host.mem, k);
        return NULL;
    }
    *k = (het__cl_kept){ .data = data, .form = copy, .bytes = bytes };
    return k;
}

static het_status upload(het__device *device, const void *data, size_t bytes, cl_mem *mem,
                         het_error *err)
{
    cl_int code;
    if (bytes > device->found.facts.buffer_max_bytes)
        return het__fail(err, HET_E_UNSUPPORTED,
                         "a constant of %zu bytes is larger than the %llu that the device allows",
                         bytes, (unsigned long long)device->found.facts.buffer_max_bytes);
    *mem = clCreateBuffer(device->context, CL_MEM_READ_ONLY, bytes ? bytes : 1, NULL, &code);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clCreateBuffer");
    if (bytes)
        code = clEnqueueWriteBuffer(device->queue, *mem, CL_TRUE, 0, bytes, data, 0, NULL, NULL);
    return code == CL_SUCCESS ? HET_OK
                              : het__cl_failed(device, err, code, "clEnqueueWriteBuffer");
}

/* ---- as they lie ---- */

/* The whole pages that hold the constant: what else is in them is mapped too, and not touched. */
static bool use_in_place(het__device *device, const void *data, size_t bytes, het__cl_kept *kept)
{
    if (!(device->weights_mapped || device->found.facts.is_cpu) || !het__cl_imports(device) ||
        (uintptr_t)data % sizeof(double) != 0) /* kernels read whole elements */
        return false;
    const uintptr_t begin = (uintptr_t)data / HET__IMPORT_ALIGN * HET__IMPORT_ALIGN;
    const uintptr_t end = het__round_up((uintptr_t)data + bytes, HET__IMPORT_ALIGN);
    cl_int code;
    /* Kernels load elements as a whole. */
    if (bytes == 0 || (uintptr_t)data % IN_PLACE_ALIGN != 0 ||
        end - begin > device->found.facts.buffer_max_bytes)
        return false;
    kept->mem = clCreateBuffer(device->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR,
                               end - begin, (void *)begin, &code);
    kept->offset = (uintptr_t)data - begin;
    if (code != CL_SUCCESS)
        kept->mem = NULL;
    return code == CL_SUCCESS;
}

het_status het__cl_keep_plain(het__device *device, const het__slice *slice,
                              het__cl_operand *operand, size_t bytes, het_error *err)
{
    het__cl_kept *k = find(device, operand->host, "");
    if (!k) {
        k = kept_new(device, operand->host, "", bytes);
        if (!k)
            return het__fail_nomem(err, "a constant");
        const bool in_place = use_in_place(device, operand->host, bytes, k);
        const het_status s = in_place ? HET_OK : upload(device, operand->host, bytes, &k->mem, err);
        if (s != HET_OK) {
            kept_drop(device, k);
            return s;
        }
        k->next = device->kept;
        device->kept = k;
        device->counters.weight_bytes += bytes;
        device->counters.mapped_bytes += in_place ? bytes : 0;
        if (!in_place && slice->constant_copied)
            slice->constant_copied(slice->user, operand->host, bytes);
    }
    operand->mem = k->mem;
    operand->offset = k->offset;
    return HET_OK;
}

/* ---- in other forms ---- */

static het_status keep_form(het__cl_call *call, const het__cl_operand *constant, const char *form,
                            size_t bytes, het__cl_lay_fn lay, const void *user, cl_mem *mem,
                            het_error *err)
{
    het__device *device = call->device;
    const void *data = constant ? constant->host : NULL;
    het__cl_kept *k = find(device, data, form);
    if (k) {
        assert(k->bytes == bytes);
        *mem = k->mem;
        return HET_OK;
    }
    k = kept_new(device, data, form, bytes);
    void *laid = het__alloc(device->host.mem, bytes);
    het_status s = k && laid ? HET_OK : het__fail_nomem(err, "a constant");
    if (s == HET_OK) {
        lay(user, constant, laid);
        s = upload(device, laid, bytes, &k->mem, err);
    }
    het__free(device->host.mem, laid);
    if (s != HET_OK) {
        if (k)
            kept_drop(device, k);
        return s;
    }
    k->next = device->kept;
    device->kept = k;
    device->counters.weight_bytes += bytes;
    *mem = k->mem;
    return HET_OK;
}

het_status het__cl_constant(het__cl_call *call, uint32_t input, const char *form, size_t bytes,
                            het__cl_lay_fn lay, const void *user, cl_mem *mem, het_error *err)
{
    het__cl_operand *constant = &call->inputs[input];
    assert(constant->value.kind == HET__VALUE_CONST && form[0]);
    const het_status s = keep_form(call, constant, form, bytes, lay, user, mem, err);
    if (s == HET_OK && !constant->has_form && call->slice->constant_copied)
        call->slice->constant_copied(call->slice->user, constant->host,
                                     (size_t)het__value_bytes(&constant->value,
                                                              call->symbols_max));
    constant->has_form = true;
    return s;
}

het_status het__cl_table(het__cl_call *call, const char *form, size_t bytes, het__cl_lay_fn lay,
                         const void *user, cl_mem *mem, het_error *err)
{
    return keep_form(call, NULL, form, bytes, lay, user, mem, err);
}

static void lay_f32(const void *user, const het__cl_operand *constant, void *target)
{
    (void)user;
    het__decoder(constant->value.dtype)(constant->host, target,
                                        constant->rows * constant->columns);
}

het_status het__cl_constant_f32(het__cl_call *call, uint32_t input, cl_mem *mem, het_error *err)
{
    const het__cl_operand *c = &call->inputs[input];
    int64_t count;
    if (!het__mul_i64(c->rows, c->columns, &count) || count > INT64_MAX / 8)
        return het__fail(err, HET_E_INVALID, "a constant has no size in bytes");
    return het__cl_constant(call, input, "f32", (size_t)count * sizeof(float), lay_f32, NULL, mem,
                            err);
}

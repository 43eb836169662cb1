/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of base.h, tensor.h and version.h: names and sizes. */
#include "lib/base/dtype.h"
#include "lib/base/mem.h"

#include <hetinfer/tensor.h>
#include <hetinfer/version.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

uint32_t het_version(void)
{
    return HETINFER_VERSION;
}

const char *het_version_string(void)
{
    return TEXT(HETINFER_VERSION_MAJOR) "." TEXT(HETINFER_VERSION_MINOR) "." TEXT(
        HETINFER_VERSION_PATCH);
}

const char *het_status_name(het_status status)
{
    switch (status) {
    case HET_OK: return "HET_OK";
    case HET_E_INVALID: return "HET_E_INVALID";
    case HET_E_NOMEM: return "HET_E_NOMEM";
    case HET_E_UNSUPPORTED: return "HET_E_UNSUPPORTED";
    case HET_E_VERSION: return "HET_E_VERSION";
    case HET_E_FORMAT: return "HET_E_FORMAT";
    case HET_E_IO: return "HET_E_IO";
    case HET_E_BUSY: return "HET_E_BUSY";
    case HET_E_TIMEOUT: return "HET_E_TIMEOUT";
    case HET_E_CANCELLED: return "HET_E_CANCELLED";
    case HET_E_DEVICE_LOST: return "HET_E_DEVICE_LOST";
    case HET_E_INTERNAL: return "HET_E_INTERNAL";
    case HET_STATUS_FORCE_32: break;
    }
    return "unknown";
}

const char *het_dtype_name(het_dtype dtype)
{
    const het__dtype_info *info = het__dtype(dtype);
    return info ? info->name : "unknown";
}

int64_t het_dtype_bytes(het_dtype dtype, int64_t count)
{
    const het__dtype_info *info = het__dtype(dtype);
    int64_t bytes;
    if (!info || count < 0 || count % info->block_elements != 0 ||
        !het__mul_i64(count / info->block_elements, info->block_bytes, &bytes))
        return -1;
    return bytes;
}

int64_t het_tensor_desc_bytes(const het_tensor_desc *desc)
{
    if (desc->rank > HET_RANK_MAX)
        return -1;
    int64_t rows = 1;
    for (uint32_t i = 0; i + 1 < desc->rank; i++)
        if (desc->extent[i] < 0 || !het__mul_i64(rows, desc->extent[i], &rows))
            return -1;
    const int64_t columns = desc->rank ? desc->extent[desc->rank - 1] : 1;
    const int64_t row = het_dtype_bytes((het_dtype)desc->dtype, columns);
    int64_t bytes;
    return row >= 0 && het__mul_i64(rows, row, &bytes) ? bytes : -1;
}

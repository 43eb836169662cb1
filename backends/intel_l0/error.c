/* SPDX-License-Identifier: Apache-2.0 */
/* Codes of Level Zero: their names, and what the core does next. */
#include "backends/intel_l0/l0.h"

#include "lib/base/error.h"

#define NAME(code) { code, #code, HET_E_INTERNAL }
#define MEANS(code, status) { code, #code, status }

static const struct { ze_result_t code; const char *name; het_status status; } codes[] = {
    MEANS(ZE_RESULT_NOT_READY, HET_E_TIMEOUT),
    MEANS(ZE_RESULT_ERROR_DEVICE_LOST, HET_E_DEVICE_LOST),
    MEANS(ZE_RESULT_ERROR_DEVICE_REQUIRES_RESET, HET_E_DEVICE_LOST),
    MEANS(ZE_RESULT_ERROR_DEVICE_IN_LOW_POWER_STATE, HET_E_BUSY),
    MEANS(ZE_RESULT_ERROR_NOT_AVAILABLE, HET_E_BUSY),
    MEANS(ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY, HET_E_NOMEM),
    MEANS(ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY, HET_E_NOMEM),
    MEANS(ZE_RESULT_ERROR_UNSUPPORTED_SIZE, HET_E_NOMEM),
    MEANS(ZE_RESULT_ERROR_MODULE_BUILD_FAILURE, HET_E_UNSUPPORTED),
    MEANS(ZE_RESULT_ERROR_MODULE_LINK_FAILURE, HET_E_UNSUPPORTED),
    MEANS(ZE_RESULT_ERROR_DEPENDENCY_UNAVAILABLE, HET_E_UNSUPPORTED),
    MEANS(ZE_RESULT_ERROR_UNSUPPORTED_VERSION, HET_E_UNSUPPORTED),
    MEANS(ZE_RESULT_ERROR_UNSUPPORTED_FEATURE, HET_E_UNSUPPORTED),
    MEANS(ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT, HET_E_UNSUPPORTED),
    MEANS(ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION, HET_E_UNSUPPORTED),
    MEANS(ZE_RESULT_ERROR_INVALID_NATIVE_BINARY, HET_E_UNSUPPORTED),
    MEANS(ZE_RESULT_ERROR_INVALID_KERNEL_NAME, HET_E_UNSUPPORTED),
    MEANS(ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION, HET_E_UNSUPPORTED),
    NAME(ZE_RESULT_ERROR_INSUFFICIENT_PERMISSIONS),
    NAME(ZE_RESULT_ERROR_UNINITIALIZED),
    NAME(ZE_RESULT_ERROR_INVALID_ARGUMENT),
    NAME(ZE_RESULT_ERROR_INVALID_NULL_HANDLE),
    NAME(ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE),
    NAME(ZE_RESULT_ERROR_INVALID_NULL_POINTER),
    NAME(ZE_RESULT_ERROR_INVALID_SIZE),
    NAME(ZE_RESULT_ERROR_INVALID_SYNCHRONIZATION_OBJECT),
    NAME(ZE_RESULT_ERROR_INVALID_ENUMERATION),
    NAME(ZE_RESULT_ERROR_INVALID_GLOBAL_WIDTH_DIMENSION),
    NAME(ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX),
    NAME(ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_SIZE),
    NAME(ZE_RESULT_ERROR_INVALID_KERNEL_ATTRIBUTE_VALUE),
    NAME(ZE_RESULT_ERROR_INVALID_MODULE_UNLINKED),
    NAME(ZE_RESULT_ERROR_INVALID_COMMAND_LIST_TYPE),
    NAME(ZE_RESULT_ERROR_OVERLAPPING_REGIONS),
    NAME(ZE_RESULT_ERROR_UNKNOWN),
};

het_status het__l0_fail(het_error *err, ze_result_t code, const char *what)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code)
            return het__fail_native(err, codes[i].status, (int32_t)code, "%s gives %s (0x%x)",
                                    what, codes[i].name, (unsigned)code);
    return het__fail_native(err, HET_E_INTERNAL, (int32_t)code, "%s gives code 0x%x", what,
                            (unsigned)code);
}

het_status het__l0_failed(het__device *device, het_error *err, ze_result_t code, const char *what)
{
    const het_status s = het__l0_fail(err, code, what);
    if (s == HET_E_DEVICE_LOST || s == HET_E_TIMEOUT)
        device->gpu.is_gone = true;
    if (s == HET_E_DEVICE_LOST)
        device->has_stopped = true;
    return s;
}

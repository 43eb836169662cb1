/* SPDX-License-Identifier: Apache-2.0 */
/* Codes of OpenCL: their names, and what the core does next.
 *
 * Some drivers answer an impossible size with "out of resources", others with an allocation
 * failure; both mean that memory ran out. Codes below -1000 are of extensions and drivers: a driver
 * that lost its device gives one that no document lists (-9999 on NVIDIA and on Intel's older). */
#include "backends/opencl_igpu/opencl.h"

#include "lib/base/error.h"

#define NAME(code) { code, #code, HET_E_INTERNAL }
#define MEANS(code, status) { code, #code, status }
#define DEVICE_GONE (-9999)

static const struct { cl_int code; const char *name; het_status status; } codes[] = {
    MEANS(CL_DEVICE_NOT_FOUND, HET_E_UNSUPPORTED),
    MEANS(CL_DEVICE_NOT_AVAILABLE, HET_E_DEVICE_LOST),
    MEANS(CL_COMPILER_NOT_AVAILABLE, HET_E_UNSUPPORTED),
    MEANS(CL_MEM_OBJECT_ALLOCATION_FAILURE, HET_E_NOMEM),
    MEANS(CL_OUT_OF_RESOURCES, HET_E_NOMEM),
    MEANS(CL_OUT_OF_HOST_MEMORY, HET_E_NOMEM),
    NAME(CL_PROFILING_INFO_NOT_AVAILABLE),
    MEANS(CL_BUILD_PROGRAM_FAILURE, HET_E_UNSUPPORTED),
    NAME(CL_MISALIGNED_SUB_BUFFER_OFFSET),
    MEANS(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, HET_E_DEVICE_LOST),
    NAME(CL_INVALID_VALUE),
    MEANS(CL_INVALID_DEVICE, HET_E_DEVICE_LOST),
    MEANS(CL_INVALID_CONTEXT, HET_E_DEVICE_LOST),
    MEANS(CL_INVALID_COMMAND_QUEUE, HET_E_DEVICE_LOST),
    NAME(CL_INVALID_MEM_OBJECT),
    MEANS(CL_INVALID_BINARY, HET_E_UNSUPPORTED),
    MEANS(CL_INVALID_BUILD_OPTIONS, HET_E_UNSUPPORTED),
    NAME(CL_INVALID_PROGRAM),
    NAME(CL_INVALID_PROGRAM_EXECUTABLE),
    MEANS(CL_INVALID_KERNEL_NAME, HET_E_UNSUPPORTED),
    NAME(CL_INVALID_KERNEL),
    NAME(CL_INVALID_ARG_INDEX),
    NAME(CL_INVALID_ARG_VALUE),
    NAME(CL_INVALID_ARG_SIZE),
    NAME(CL_INVALID_KERNEL_ARGS),
    NAME(CL_INVALID_WORK_DIMENSION),
    NAME(CL_INVALID_WORK_GROUP_SIZE),
    NAME(CL_INVALID_WORK_ITEM_SIZE),
    NAME(CL_INVALID_EVENT),
    NAME(CL_INVALID_OPERATION),
    MEANS(CL_INVALID_BUFFER_SIZE, HET_E_NOMEM),
    NAME(CL_INVALID_GLOBAL_WORK_SIZE),
    MEANS(DEVICE_GONE, HET_E_DEVICE_LOST),
};

het_status het__cl_fail(het_error *err, cl_int code, const char *what)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code)
            return het__fail_native(err, codes[i].status, code, "%s gives %s (%d)", what,
                                    codes[i].name, (int)code);
    return het__fail_native(err, code < -1000 ? HET_E_DEVICE_LOST : HET_E_INTERNAL, code,
                            "%s gives code %d", what, (int)code);
}

het_status het__cl_failed(het__device *device, het_error *err, cl_int code, const char *what)
{
    const het_status s = het__cl_fail(err, code, what);
    device->gpu.is_gone = device->gpu.is_gone || s == HET_E_DEVICE_LOST;
    return s;
}

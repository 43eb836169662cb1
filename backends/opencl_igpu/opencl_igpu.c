/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of the OpenCL loader. */
#include "backends/opencl_igpu/op.h"

#include <stdio.h>

#include "lib/base/error.h"

extern const het__backend het__backend_opencl_igpu;

static void cl_probe(const het__host *host, het__probed *probed)
{
    (void)host;
    snprintf(probed->reason, sizeof probed->reason, "no device");
}

static het_status cl_open(const het__host *host, uint32_t index, const het__open_options *options,
                          het__device **device, het_error *err)
{
    (void)host;
    (void)index;
    (void)options;
    (void)device;
    return het__fail(err, HET_E_UNSUPPORTED, "no device");
}

het_status het__cl_kernel(het__cl_call *call, const char *file, const char *name,
                          const char *options, cl_kernel *kernel, het_error *err)
{
    (void)call;
    (void)name;
    (void)options;
    (void)kernel;
    return het__fail(err, HET_E_UNSUPPORTED, "%s is not built", file);
}

het_status het__cl_constant(het__cl_call *call, uint32_t input, const char *form, size_t bytes,
                            het__cl_lay_fn lay, const void *user, cl_mem *mem, het_error *err)
{
    (void)call;
    (void)input;
    (void)bytes;
    (void)lay;
    (void)user;
    (void)mem;
    return het__fail(err, HET_E_UNSUPPORTED, "no form %s", form);
}

const het__backend het__backend_opencl_igpu = {
    .name = "opencl_igpu",
    .probe = cl_probe,
    .open = cl_open,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the OpenCL backend share: finding a driver, devices whose memory the host may not
 * reach.
 *
 * Processors count as devices here, in two ways: as what they are, and as GPUs, so that the kernels
 * of GPUs run too. */
#ifndef HETINFER_CL_CASE_H
#define HETINFER_CL_CASE_H

#include "rig.h"

/* Skips the program where there is no driver. The first device is used. */
static inline void cl_find(void)
{
    rig r;
    het__probed probed;
    memset(&probed, 0, sizeof probed);
    setenv("HETINFER_OPENCL_CPU", "1", 1);
    setenv("POCL_MAX_PTHREAD_COUNT", "2", 0);
    rig_init(&r, "opencl_igpu");
    r.host.use_env = true;
    if (!r.backend)
        test_skip("the library was built without OpenCL");
    r.backend->probe(&r.host, &probed);
    het__graph_finish(&r.graph);
    if (probed.device_count == 0)
        test_skip(probed.reason);
    printf("with %s\n", probed.device[0].name);
}

static inline void cl_be_gpu(bool gpu)
{
    if (gpu)
        setenv("HETINFER_OPENCL_AS_GPU", "1", 1);
    else
        unsetenv("HETINFER_OPENCL_AS_GPU");
}

static inline void cl_give(rig *r, uint32_t value, const void *data, size_t bytes)
{
    het_error err = HET_ERROR_INIT;
    void *host = rig_data(r, value);
    if (host && bytes)
        memcpy(host, data, bytes);
    else if (bytes)
        CHECK_INT(r->backend->buffer_write(r->device, r->buffers[value], 0, data, bytes, &err),
                  HET_OK);
}

static inline void cl_take(rig *r, uint32_t value, void *data, size_t bytes)
{
    het_error err = HET_ERROR_INIT;
    const void *host = rig_data(r, value);
    if (host && bytes)
        memcpy(data, host, bytes);
    else if (bytes)
        CHECK_INT(r->backend->buffer_read(r->device, r->buffers[value], 0, data, bytes, &err),
                  HET_OK);
}

#endif /* HETINFER_CL_CASE_H */

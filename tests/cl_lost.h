/* SPDX-License-Identifier: Apache-2.0 */
/* A device that is lost runs nothing any more, and the library takes its memory at once. A driver
 * that is only said to have failed goes on: cl_end_all(), before the failure is given, makes it
 * what it stands for. Queues are seen by this program's own functions in place of the loader's.
 *
 * Needs _GNU_SOURCE, for RTLD_NEXT. */
#ifndef HETINFER_TEST_CL_LOST_H
#define HETINFER_TEST_CL_LOST_H

#include <dlfcn.h>

#include "backends/opencl_igpu/opencl.h"

#define CL_QUEUES 32

static cl_command_queue cl_queues[CL_QUEUES]; /* the last; NULL: released */
static unsigned cl_queue_count;

cl_command_queue clCreateCommandQueue(cl_context context, cl_device_id device,
                                      cl_command_queue_properties properties, cl_int *code)
{
    static cl_command_queue (*next)(cl_context, cl_device_id, cl_command_queue_properties,
                                    cl_int *);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clCreateCommandQueue");
    return cl_queues[cl_queue_count++ % CL_QUEUES] = next(context, device, properties, code);
}

cl_int clReleaseCommandQueue(cl_command_queue queue)
{
    static cl_int (*next)(cl_command_queue);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clReleaseCommandQueue");
    for (int i = 0; i < CL_QUEUES; i++)
        if (cl_queues[i] == queue)
            cl_queues[i] = NULL;
    return next(queue);
}

static inline void cl_end_all(void)
{
    for (int i = 0; i < CL_QUEUES; i++)
        if (cl_queues[i])
            clFinish(cl_queues[i]);
}

#endif /* HETINFER_TEST_CL_LOST_H */

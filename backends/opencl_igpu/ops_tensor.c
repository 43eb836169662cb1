/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL: tensor operations. */
#include "backends/opencl_igpu/op.h"

#include <stdio.h>

static bool no_kernel(const het__graph *graph, const het__node *node, char *reason, size_t bytes)
{
    (void)graph;
    snprintf(reason, bytes, "no kernel for %s", het__node_operation(node));
    return false;
}

const het__cl_op het__cl_tensor = { .supports = no_kernel };

/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL: images. */
#include "backends/opencl_igpu/op.h"

#include <stdio.h>

static bool no_kernel(const het__graph *graph, const het__node *node, char *reason, size_t bytes)
{
    (void)graph;
    snprintf(reason, bytes, "no kernel for %s", het__node_operation(node));
    return false;
}

const het__cl_op het__cl_conv = { .supports = no_kernel };
const het__cl_op het__cl_pool = { .supports = no_kernel };
const het__cl_op het__cl_block = { .supports = no_kernel };
const het__cl_op het__cl_unblock = { .supports = no_kernel };
const het__cl_op het__cl_qconv = { .supports = no_kernel };
const het__cl_op het__cl_qmap = { .supports = no_kernel };

/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL: operations on whole rows. */
#include "backends/opencl_igpu/op.h"

#include <stdio.h>

static bool no_kernel(const het__graph *graph, const het__node *node, char *reason, size_t bytes)
{
    (void)graph;
    snprintf(reason, bytes, "no kernel for %s", het__node_operation(node));
    return false;
}

const het__cl_op het__cl_embed = { .supports = no_kernel };
const het__cl_op het__cl_norm = { .supports = no_kernel };
const het__cl_op het__cl_softmax = { .supports = no_kernel };
const het__cl_op het__cl_rows = { .supports = no_kernel };
const het__cl_op het__cl_columns = { .supports = no_kernel };
const het__cl_op het__cl_cut = { .supports = no_kernel };
const het__cl_op het__cl_match = { .supports = no_kernel };
const het__cl_op het__cl_predict = { .supports = no_kernel };
const het__cl_op het__cl_correct = { .supports = no_kernel };

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cost/cost.h"

#include "lib/base/dtype.h"

/* Peak for products with weights of this type; everything else runs on the F32 units. */
static double peak_for(const het__graph *graph, const het__node *node,
                       const het_device_figures *f, bool exact)
{
    if (exact || (node->op != HET__OP_LINEAR && node->op != HET__OP_GATED))
        return f->f32_ops_per_s;
    const uint32_t weight = node->inputs[node->op == HET__OP_LINEAR ? 2 : 1];
    const het_dtype dtype = graph->values[weight].dtype;
    if (het__dtype_is_block(dtype) && f->int8_ops_per_s > f->f32_ops_per_s)
        return f->int8_ops_per_s;
    if (dtype == HET_DTYPE_BF16 && f->bf16_ops_per_s > f->f32_ops_per_s)
        return f->bf16_ops_per_s;
    return f->f32_ops_per_s;
}

void het__cost_node(const het__graph *graph, const het__node *node, const het__work *work,
                    const het__machine_device *device, bool exact, het__cost *cost)
{
    const het_device_figures *f = &device->figures;
    const double peak = peak_for(graph, node, f, exact);
    const double bytes = work->input_bytes + work->output_bytes + work->weight_bytes;
    cost->compute_ns = peak > 0 ? work->flops / peak * 1e9 : 0;
    cost->memory_ns = f->read_bytes_per_s > 0 ? bytes / f->read_bytes_per_s * 1e9 : 0;
    cost->memory_bound = cost->memory_ns > cost->compute_ns;
    cost->ns = f->launch_ns + (cost->memory_bound ? cost->memory_ns : cost->compute_ns);
}

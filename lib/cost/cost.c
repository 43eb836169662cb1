/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cost/cost.h"

#include "lib/base/dtype.h"

/* What whole steps reach of measured figures, which are of bare loops: prompts 50 to 64 % of the
 * peak, tokens one by one 54 to 95 % of the bandwidth, as the machine has it (Q4_0, 1.1 and 2.6 B
 * parameters, AVX-512, two threads; hetinfer bench --predict). Assumed figures err on the low side
 * already. */
#define REACHED_OF_PEAK 0.65
#define REACHED_OF_BANDWIDTH 0.85

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
    const bool measured = f->source == HET_SOURCE_MEASURED;
    const double peak = peak_for(graph, node, f, exact) * (measured ? REACHED_OF_PEAK : 1);
    const double bandwidth = f->read_bytes_per_s * (measured ? REACHED_OF_BANDWIDTH : 1);
    const double bytes = work->input_bytes + work->output_bytes + work->weight_bytes;
    cost->compute_ns = peak > 0 ? work->flops / peak * 1e9 : 0;
    cost->memory_ns = bandwidth > 0 ? bytes / bandwidth * 1e9 : 0;
    cost->memory_bound = cost->memory_ns > cost->compute_ns;
    cost->ns = f->launch_ns + (cost->memory_bound ? cost->memory_ns : cost->compute_ns);
}

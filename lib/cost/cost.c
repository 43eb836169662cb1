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
                       const het__machine_device *device, bool exact)
{
    const double f32 = het__machine_peak(device, HET__PEAK_F32);
    if (exact || (node->op != HET__OP_LINEAR && node->op != HET__OP_GATED &&
                  node->op != HET__OP_MOE))
        return f32;
    const uint32_t weight = node->inputs[node->op == HET__OP_GATED ? 1 : 2];
    const het_dtype dtype = graph->values[weight].dtype;
    const double own = het__dtype_is_block(dtype) ? het__machine_peak(device, HET__PEAK_INT8)
                       : dtype == HET_DTYPE_BF16 ? het__machine_peak(device, HET__PEAK_BF16) : f32;
    return own > f32 ? own : f32;
}

void het__cost_node(const het__graph *graph, const het__node *node, const het__work *work,
                    const het__machine_device *device, bool exact, het__cost *cost)
{
    const bool measured = device->bandwidth.source == HET_SOURCE_MEASURED;
    const double peak = peak_for(graph, node, device, exact) * (measured ? REACHED_OF_PEAK : 1);
    const double bandwidth = device->bandwidth.value * (measured ? REACHED_OF_BANDWIDTH : 1);
    const double bytes = work->input_bytes + work->output_bytes + work->weight_bytes;
    cost->compute_ns = peak > 0 ? work->flops / peak * 1e9 : 0;
    cost->memory_ns = bandwidth > 0 ? bytes / bandwidth * 1e9 : 0;
    cost->memory_bound = cost->memory_ns > cost->compute_ns;
    cost->ns = device->launch.value + (cost->memory_bound ? cost->memory_ns : cost->compute_ns);
}

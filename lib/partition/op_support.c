/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/partition/op_support.h"

#include <string.h>

#include "lib/base/dtype.h"

static const struct { const char *backend; het__op_support support; } backends[] = {
    { "cpu", HET__SUPPORT_ALL },          { "cpu_onednn", HET__SUPPORT_ALL },
    { "ref", HET__SUPPORT_ALL },          { "null", HET__SUPPORT_ALL },
    { "intel_l0", HET__SUPPORT_KERNELS }, { "opencl_igpu", HET__SUPPORT_KERNELS },
    { "amd_xrt_npu", HET__SUPPORT_MATRICES },
};

het__op_support het__op_support_of(const het__machine_device *device)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strcmp(device->backend, backends[i].backend) == 0)
            return backends[i].support;
    switch (device->kind) {
    case HET_DEVICE_IGPU:
    case HET_DEVICE_GPU: return HET__SUPPORT_KERNELS;
    case HET_DEVICE_NPU: return HET__SUPPORT_PRODUCTS;
    default: return HET__SUPPORT_ALL;
    }
}

/* What no kernel of a graphics processor here would be written for. */
static const char *kernel_refusal(const het__node *node)
{
    switch (node->op) {
    case HET__OP_T_IF: case HET__OP_T_LOOP: case HET__OP_T_SCAN:
        return "a body is run on the host";
    case HET__OP_T_RNN: case HET__OP_T_GRU: case HET__OP_T_LSTM:
        return "a loop over time is run on the host";
    case HET__OP_T_NON_ZERO: case HET__OP_T_UNIQUE: case HET__OP_T_COMPRESS:
    case HET__OP_T_NON_MAX_SUPPRESSION: case HET__OP_T_TOP_K:
        return "sorting and choosing is done on the host";
    case HET__OP_T_BERNOULLI: case HET__OP_T_RANDOM_UNIFORM: case HET__OP_T_RANDOM_NORMAL:
    case HET__OP_T_RANDOM_UNIFORM_LIKE: case HET__OP_T_RANDOM_NORMAL_LIKE:
    case HET__OP_T_MULTINOMIAL:
        return "random numbers come from the host";
    case HET__OP_T_UNKNOWN: case HET__OP_T_CUSTOM:
        return "only the host runs operations from outside";
    default:
        return node->op > HET__OP_T_ROTARY_EMBEDDING && node->op < HET__OP_T_UNKNOWN
                   ? "no kernel for operations of this kind" : NULL;
    }
}

static bool is_elementwise(het__op op)
{
    return op == HET__OP_ADD || op == HET__OP_MUL || op == HET__OP_UNARY || op == HET__OP_QMAP ||
           (op >= HET__OP_T_ABS && op <= HET__OP_T_BIT_CAST) ||
           (op >= HET__OP_T_ADD && op <= HET__OP_T_MS_QLINEAR_MUL) || het__op_is_view(op);
}

/* Inputs that must be constants, as a range; none: not a product. */
static bool weight_range(const het__node *node, uint32_t *first, uint32_t *step, uint32_t *count)
{
    *first = 1;
    *step = 1;
    *count = 1;
    switch (node->op) {
    case HET__OP_LINEAR:
        *first = 2;
        *step = 2;
        *count = (uint32_t)node->attrs.linear.projections;
        return true;
    case HET__OP_GATED:
        *count = 2;
        return true;
    case HET__OP_CONV: case HET__OP_QCONV: case HET__OP_MATMUL: case HET__OP_T_CONV:
    case HET__OP_T_MAT_MUL: case HET__OP_T_GEMM: case HET__OP_T_CONV_INTEGER:
    case HET__OP_T_MAT_MUL_INTEGER:
        return true;
    case HET__OP_T_QLINEAR_CONV: case HET__OP_T_QLINEAR_MAT_MUL:
        *first = 3;
        return true;
    default:
        return false;
    }
}

/* Codes go to 8-bit units, floating point to 16-bit ones. */
static const char *weight_refusal(het_dtype dtype, const het__machine_device *device, bool exact)
{
    const bool codes = dtype == HET_DTYPE_I8 || dtype == HET_DTYPE_U8;
    if (codes)
        return device->peak[HET__PEAK_INT8].value > 0 ? NULL : "no arithmetic of 8 bits";
    if (exact)
        return "computes in fewer bits than the weights have";
    if (het__dtype_is_block(dtype))
        return device->peak[HET__PEAK_INT8].value > 0 ? NULL : "no arithmetic of 8 bits";
    return device->peak[HET__PEAK_BF16].value > 0 || device->peak[HET__PEAK_F16].value > 0
               ? NULL : "no arithmetic of 16 bits";
}

static const char *product_refusal(const het__graph *graph, const het__node *node,
                                   const het__machine_device *device, bool exact)
{
    uint32_t first, step, count;
    if (is_elementwise(node->op))
        return NULL;
    if (!weight_range(node, &first, &step, &count))
        return "runs products with constant weights and what goes element by element";
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t at = first + i * step;
        if (at >= node->input_count || node->inputs[at] == HET__NO_VALUE ||
            graph->values[node->inputs[at]].kind != HET__VALUE_CONST)
            return "its weights must be constants";
        const char *why = weight_refusal(graph->values[node->inputs[at]].dtype, device, exact);
        if (why)
            return why;
    }
    return NULL;
}

/* As the backend has it: weights of any type that has a decoding, coded as the design takes them. */
static const char *matrix_weight_refusal(const het__graph *graph, const het__node *node,
                                         uint32_t input)
{
    if (input >= node->input_count || node->inputs[input] == HET__NO_VALUE ||
        graph->values[node->inputs[input]].kind != HET__VALUE_CONST)
        return "its weights must be constants";
    return graph->values[node->inputs[input]].rank == 2 ? NULL : "its weights are no matrix";
}

static const char *matrix_refusal(const het__graph *graph, const het__node *node,
                                  const het__machine_device *device, bool exact)
{
    const bool is_known = node->op == HET__OP_LINEAR || node->op == HET__OP_GATED ||
                          node->op == HET__OP_MATMUL;
    uint32_t first, step, count;
    if (!is_known || !weight_range(node, &first, &step, &count))
        return "no design for operations of this kind";
    if (exact)
        return "computes in fewer bits than an exact session may";
    if (!(device->peak[HET__PEAK_INT8].value > 0 || device->peak[HET__PEAK_BF16].value > 0))
        return "no arithmetic of 8 or 16 bits";
    for (uint32_t i = 0; i < count; i++) {
        const char *why = matrix_weight_refusal(graph, node, first + i * step);
        if (why)
            return why;
    }
    return graph->values[node->inputs[0]].dtype == HET_DTYPE_F32 &&
                   graph->values[node->outputs[0]].dtype == HET_DTYPE_F32
               ? NULL : "its activations are not F32";
}

const char *het__op_refusal(const het__graph *graph, const het__node *node,
                            const het__machine_device *device, bool exact)
{
    switch (het__op_support_of(device)) {
    case HET__SUPPORT_KERNELS: return kernel_refusal(node);
    case HET__SUPPORT_PRODUCTS: return product_refusal(graph, node, device, exact);
    case HET__SUPPORT_MATRICES: return matrix_refusal(graph, node, device, exact);
    default: return NULL;
    }
}

const char **het__op_refusals(const het__graph *graph, const het__machine *machine, bool exact,
                              het__arena *arena)
{
    const char **reasons = het__arena_zero(
        arena, (size_t)graph->node_count * machine->device_count, sizeof *reasons);
    for (uint32_t n = 0; reasons && n < graph->node_count; n++)
        for (uint32_t d = 0; d < machine->device_count; d++)
            reasons[(size_t)n * machine->device_count + d] =
                het__op_refusal(graph, &graph->nodes[n], &machine->device[d], exact);
    return reasons;
}

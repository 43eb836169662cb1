/* SPDX-License-Identifier: Apache-2.0 */
/* A case as a device that codes its products sees it: weights and activations are what their codes
 * mean, as F32, which "ref" then multiplies. What is left between the two is the rounding of sums,
 * so such a device is held to what F32 allows, and to its own statement of how it codes:
 *
 *     8 bits   a factor max |x| / 127 for each row or column and each part of `inner` terms, which
 *              the device's product unit tells; codes to nearest
 *     BF16     to nearest even
 */
#include "cts.h"

#include <math.h>

#include "lib/quant/quant.h"

static void code(float *x, int64_t count, int64_t stride, int64_t part)
{
    for (int64_t from = 0; from < count; from += part) {
        const int64_t n = count - from < part ? count - from : part;
        float most = 0;
        for (int64_t i = 0; i < n; i++)
            most = fmaxf(most, fabsf(x[(from + i) * stride]));
        const float factor = most / 127.0f, inverse = factor > 0 ? 1.0f / factor : 0;
        for (int64_t i = 0; i < n; i++) {
            float *at = &x[(from + i) * stride];
            *at = factor * fminf(fmaxf(rintf(*at * inverse), -127), 127);
        }
    }
}

/* A matrix by rows, or by columns where the sums go down. */
static void code_matrix(const cts_coding *coding, float *x, int64_t rows, int64_t columns,
                        bool down)
{
    if (coding->part == 0)
        for (int64_t i = 0; i < rows * columns; i++)
            x[i] = het__bf16_to_f32(het__f32_to_bf16(x[i]));
    else if (down)
        for (int64_t c = 0; c < columns; c++)
            code(x + c, rows, columns, coding->part);
    else
        for (int64_t r = 0; r < rows; r++)
            code(x + r * columns, columns, 1, coding->part);
}

void cts_code_input(const cts_case *c, uint32_t step, uint32_t value, void *data)
{
    int64_t rows, columns;
    if (!c->coding || value != c->graph.nodes[0].inputs[0])
        return;
    het__value_matrix(&c->graph.values[value], c->steps[step].symbols, &rows, &columns);
    code_matrix(c->coding, data, rows, columns, false);
}

/* Constant matrices become F32 of their own. */
static void code_weight(cts_case *c, cts_case *owner, het__value *v, bool down)
{
    int64_t rows, columns;
    het__value_matrix(v, c->symbols_max, &rows, &columns);
    float *x = cts_bytes(owner, (size_t)(rows * columns) * sizeof *x);
    het__decoder(v->dtype)(v->data, x, rows * columns);
    code_matrix(c->coding, x, rows, columns, down);
    v->dtype = HET_DTYPE_F32;
    v->data = x;
}

const cts_case *cts_coded(cts_case *c, const cts_side *side)
{
    const het__node *node = &c->graph.nodes[0];
    const het__backend *b = side->backend;
    het__product_unit unit = { .inner = 0 };
    het_device_figures figures;
    if (!b->is_reduced || !b->product_unit || !b->figures || c->graph.node_count != 1 ||
        c->graph.values[node->inputs[0]].kind != HET__VALUE_INPUT)
        return c;
    const bool linear = node->op == HET__OP_LINEAR, matmul = node->op == HET__OP_MATMUL;
    if (!linear && !matmul && node->op != HET__OP_GATED)
        return c;
    b->product_unit(side->index, &unit);
    b->figures(side->index, &figures);
    cts_case *coded = cts_bytes(c, sizeof *coded);
    cts_coding *coding = cts_bytes(c, sizeof *coding);
    het__value *values = cts_bytes(c, c->graph.value_count * sizeof *values);
    *coding = (cts_coding){ figures.int8_ops_per_s > 0 ? unit.inner : 0 };
    memcpy(values, c->graph.values, c->graph.value_count * sizeof *values);
    *coded = *c;
    coded->graph.values = values;
    coded->coding = coding;
    const uint32_t first = linear ? 2 : 1, step = linear ? 2 : 1;
    const uint32_t count = linear ? (uint32_t)node->attrs.linear.projections : matmul ? 1 : 2;
    for (uint32_t i = 0; i < count; i++)
        code_weight(coded, c, &values[node->inputs[first + i * step]],
                    matmul && !node->attrs.matmul.transpose_b);
    return coded;
}

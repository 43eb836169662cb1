/* SPDX-License-Identifier: Apache-2.0 */
/* Making the graphs and data of cases, and the one table of tolerances. */
#include "cts.h"

#include <math.h>

#include "lib/base/dtype.h"
#include "lib/plain/plain.h"
#include "lib/quant/quant.h"

const het_dtype cts_weight_types[] = {
    HET_DTYPE_F32, HET_DTYPE_F16, HET_DTYPE_BF16, HET_DTYPE_Q4_0, HET_DTYPE_Q4_1, HET_DTYPE_Q5_0,
    HET_DTYPE_Q5_1, HET_DTYPE_Q8_0, HET_DTYPE_Q2_K, HET_DTYPE_Q3_K, HET_DTYPE_Q4_K,
    HET_DTYPE_Q5_K, HET_DTYPE_Q6_K, HET_DTYPE_IQ4_NL, HET_DTYPE_IQ4_XS, HET_DTYPE_MXFP4,
    HET_DTYPE_NONE,
};

/* ---- tolerances ---- */

/* Units of the last place of F32 (2^-24), times the largest wanted element. `base` is for
 * functions: an exponential, a root and a division in F32 are off by a few units each, and OpenCL
 * allows 3 for exp, 4 for sin and cos, 16 for pow and tanh. `per_root` is for sums: rounding errors
 * of a sum in F32 of n terms of random sign grow like sqrt(n), and those of its terms are of the
 * size of the largest result; four times that for the largest error of many. Operations that are
 * not named move or compare. */
static const struct { het__op op; double base, per_root; } tolerances[] = {
    { HET__OP_EMBED, 2, 0 },   { HET__OP_NORM, 16, 1 },   { HET__OP_LINEAR, 8, 4 },
    { HET__OP_GATED, 48, 8 },  { HET__OP_ROPE, 24, 0 },   { HET__OP_ATTENTION, 64, 4 },
    { HET__OP_ADD, 2, 0 },     { HET__OP_MUL, 2, 0 },     { HET__OP_UNARY, 48, 0 },
    { HET__OP_SOFTMAX, 32, 1 }, { HET__OP_MOE, 64, 8 },   { HET__OP_CUT, 16, 1 },
    { HET__OP_MATCH, 24, 1 },  { HET__OP_PREDICT, 8, 4 }, { HET__OP_CORRECT, 8, 0 },
    { HET__OP_CONV, 48, 4 },   { HET__OP_POOL, 48, 2 },   { HET__OP_MATMUL, 48, 4 },
};

/* With HET_PRECISION_FAST activations may be rounded to 8 bits per block of 32 beside weights of
 * block types: 1/254 of a block's largest element each, twice in gated products and three times in
 * mixtures; beside bfloat16 and halves to 8 bits of mantissa. */
static double fast_tolerance(het__op op, het_dtype weights)
{
    const double once = het__dtype_is_block(weights) ? 0.02 : 0.01;
    return op == HET__OP_MOE ? 2 * once : op == HET__OP_GATED ? 1.5 * once : once;
}

double cts_tolerance(het__op op, int64_t terms, het_dtype weights, bool is_fast)
{
    if (is_fast && (op == HET__OP_LINEAR || op == HET__OP_GATED || op == HET__OP_MOE ||
                    op == HET__OP_MATMUL || op == HET__OP_CONV))
        return fast_tolerance(op, weights);
    for (size_t i = 0; i < sizeof tolerances / sizeof *tolerances; i++)
        if (tolerances[i].op == op)
            return ldexp(tolerances[i].base + tolerances[i].per_root * sqrt((double)terms), -24);
    return het__op_is_tensor(op) ? ldexp(48 + 4 * sqrt((double)terms), -24) : 0;
}

/* ---- random numbers ---- */

float cts_random(void)
{
    return test_random_float(&cts.seed);
}

int64_t cts_between(int64_t low, int64_t high)
{
    return low + (int64_t)(test_random(&cts.seed) >> 33) % (high - low + 1);
}

void *cts_bytes(cts_case *c, size_t bytes)
{
    void *p = het__arena_zero(&c->graph.arena, bytes ? bytes : 1, 1);
    if (!p)
        abort();
    return p;
}

/* Where the halves of a block lie that scale it: random bytes there may be no numbers. */
static void set_scales(het_dtype dtype, uint8_t *block)
{
    int at[2] = { 0, -1 };
    switch ((int)dtype) {
    case HET_DTYPE_Q4_1: case HET_DTYPE_Q5_1: case HET_DTYPE_Q4_K: case HET_DTYPE_Q5_K:
        at[1] = 2;
        break;
    case HET_DTYPE_Q2_K: at[0] = 80, at[1] = 82; break;
    case HET_DTYPE_Q3_K: at[0] = 108; break;
    case HET_DTYPE_Q6_K: at[0] = 208; break;
    case HET_DTYPE_MXFP4: block[0] = (uint8_t)cts_between(118, 125); return;
    default: break;
    }
    for (int i = 0; i < 2; i++) {
        const uint16_t h = het__f32_to_f16(0.01f + 0.005f * cts_random());
        if (at[i] >= 0)
            memcpy(block + at[i], &h, sizeof h);
    }
}

void cts_random_elements(het_dtype dtype, void *data, int64_t count)
{
    const het__dtype_info *info = het__dtype(dtype);
    const bool is_float = het__dtype_is_float(dtype);
    uint8_t *at = data;
    if (!het__dtype_is_block(dtype)) {
        for (int64_t i = 0; i < count; i++)
            if (is_float)
                het__put_f64(dtype, data, i, 2.0 * (double)cts_random());
            else
                het__put_i64(dtype, data, i, dtype == HET_DTYPE_BOOL ? cts_between(0, 1)
                                                                     : cts_between(-9, 9));
        return;
    }
    for (int64_t i = 0; i < count; i += info->block_elements, at += info->block_bytes) {
        for (uint32_t b = 0; b < info->block_bytes; b++)
            at[b] = (uint8_t)(test_random(&cts.seed) >> 37);
        set_scales(dtype, at);
    }
}

/* ---- values ---- */

uint32_t cts_matrix(cts_case *c, const char *name, int64_t columns)
{
    const het__extent e[2] = { { 1, HET__SYM_TOKENS }, CTS_FIXED(columns) };
    return het__graph_value(&c->graph, name, HET__VALUE_INPUT, HET_DTYPE_F32, 2, e);
}

uint32_t cts_index(cts_case *c, const char *name, het__symbol symbol, int64_t columns)
{
    const het__extent e[2] = { { 1, symbol }, CTS_FIXED(columns) };
    return het__graph_value(&c->graph, name, HET__VALUE_INPUT, HET_DTYPE_I32, columns ? 2 : 1, e);
}

uint32_t cts_input(cts_case *c, const char *name, het_dtype dtype, uint32_t rank,
                   const int64_t *extent)
{
    het__extent e[HET_RANK_MAX];
    for (uint32_t i = 0; i < rank; i++)
        e[i] = CTS_FIXED(extent[i]);
    return het__graph_value(&c->graph, name, HET__VALUE_INPUT, dtype, rank, e);
}

uint32_t cts_constant(cts_case *c, het_dtype dtype, uint32_t rank, const int64_t *extent,
                      const void *data)
{
    return het__graph_const(&c->graph, "w", dtype, rank, extent, data);
}

uint32_t cts_weight(cts_case *c, het_dtype dtype, uint32_t rank, const int64_t *extent)
{
    int64_t rows = 1;
    for (uint32_t i = 0; i + 1 < rank; i++)
        rows *= extent[i];
    const int64_t row = het_dtype_bytes(dtype, extent[rank - 1]);
    void *data = cts_bytes(c, (size_t)(rows * row));
    for (int64_t i = 0; i < rows; i++)
        cts_random_elements(dtype, (char *)data + i * row, extent[rank - 1]);
    return cts_constant(c, dtype, rank, extent, data);
}

uint32_t cts_vector(cts_case *c, int64_t count, float around)
{
    float *x = cts_bytes(c, (size_t)count * sizeof *x);
    for (int64_t i = 0; i < count; i++)
        x[i] = around + 0.5f * cts_random();
    return cts_constant(c, HET_DTYPE_F32, 1, &count, x);
}

/* Tensor operations have no shapes of their own yet; the rule of the table gives them. */
static uint32_t tensor_node(cts_case *c, het__op op, const uint32_t *inputs, uint32_t count,
                            const het__attr_list *list, uint32_t outputs)
{
    het__value shapes[HET__EVAL_OUTPUTS_MAX];
    het_error err = HET_ERROR_INIT;
    uint32_t made = outputs;
    const uint32_t first =
        het__graph_tensor_node(&c->graph, op, "node", inputs, count, outputs, list);
    if (first == HET__NO_VALUE)
        return first;
    const het__node *node = &c->graph.nodes[c->graph.node_count - 1];
    if (het__op_info_of(op)->shape(&c->graph, node, shapes, &made, &err) != HET_OK) {
        fprintf(stderr, "%s: %s\n", c->name, err.message);
        c->graph.failed = true;
        return HET__NO_VALUE;
    }
    for (uint32_t i = 0; i < made; i++) {
        het__value *v = &c->graph.values[first + i];
        v->dtype = shapes[i].dtype;
        v->rank = shapes[i].rank;
        memcpy(v->extent, shapes[i].extent, sizeof v->extent);
    }
    return first;
}

uint32_t cts_node(cts_case *c, het__op op, const uint32_t *inputs, uint32_t count,
                  const het__attrs *attrs)
{
    static const het__attr_list none = { .opset = 20 };
    het_error err = HET_ERROR_INIT;
    if (het__op_is_tensor(op))
        return tensor_node(c, op, inputs, count, attrs ? &attrs->tensor : &none, 1);
    const uint32_t v = het__graph_node(&c->graph, op, 0, "node", inputs, count, attrs, &err);
    if (v == HET__NO_VALUE)
        fprintf(stderr, "%s: %s\n", c->name, err.message);
    return v;
}

uint32_t cts_tensor_node(cts_case *c, het__op op, const uint32_t *inputs, uint32_t count,
                         const het__attr_list *list, uint32_t outputs)
{
    return tensor_node(c, op, inputs, count, list, outputs);
}

void cts_tokens(cts_case *c, uint32_t count, const int64_t *tokens)
{
    int64_t most = 1;
    for (uint32_t i = 0; i < count; i++) {
        int64_t *s = c->steps[i].symbols;
        for (int j = 0; j < HET__SYM_MAX; j++)
            s[j] = 1;
        s[HET__SYM_TOKENS] = tokens[i];
        s[HET__SYM_ROWS] = tokens[i] > 1 ? tokens[i] - 1 : 1;
        most = tokens[i] > most ? tokens[i] : most;
    }
    c->step_count = count;
    c->symbols_max[HET__SYM_TOKENS] = c->symbols_max[HET__SYM_ROWS] = most + 2;
}

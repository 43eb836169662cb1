/* SPDX-License-Identifier: Apache-2.0 */
/* Activations that a file spells out: x * sigmoid(x), x * clip(x + 3, 0, 6) / 6, and the many ways
 * to write GELU.
 *
 * A group of elementwise operations on one value and numbers is a function of one number, whatever
 * its spelling. So the group is not compared with patterns: it is computed at a few points, and the
 * results are compared with those of the activations. */
#include <math.h>
#include <string.h>

#include "lib/passes/match.h"
#include "lib/passes/tensor.h"

/* Nodes on a path from the result back to x; the longest spelling of GELU has 8. */
#define DEPTH_MAX 10
/* Evaluations of a node within one group: a bound for graphs made to have many paths. */
#define STEPS_MAX 64
#define CANDIDATES_MAX 16

/* Numbers in files are rounded to F32, or to four digits and fewer places of 1/6 and sqrt(2). */
#define TOLERANCE 2e-6

static const double points[] = { -9, -4.5, -2.75, -1.5, -0.75, -0.125, 0.25, 0.875, 1.75, 2.875,
                                 5, 11 };
#define POINTS ((int)(sizeof points / sizeof points[0]))

typedef struct group {
    const het__rewriter *r;
    uint32_t x; /* the value that stands for the number */
    double at;
    uint32_t steps;
    bool failed;
} group;

/* ---- computing ---- */

static double clip(const group *g, const het__node *node, double x, bool *ok)
{
    const het__attr_list *list = &node->attrs.tensor;
    double low = -INFINITY, high = INFINITY;
    if (list->opset < 11) {
        low = (double)het__attr_float(list, "min", -INFINITY);
        high = (double)het__attr_float(list, "max", INFINITY);
    } else if ((het__rw_input(g->r, node, 1) && !het__rw_scalar(g->r, node->inputs[1], &low)) ||
               (het__rw_input(g->r, node, 2) && !het__rw_scalar(g->r, node->inputs[2], &high))) {
        *ok = false;
    }
    return fmin(fmax(x, low), high);
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

static double gelu_erf(double x)
{
    return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
}

static double hard_sigmoid(double x, double alpha, double beta)
{
    return fmin(fmax(alpha * x + beta, 0), 1);
}

static double one_operand(const group *g, const het__node *node, double x, bool *ok)
{
    const het__attr_list *list = &node->attrs.tensor;
    switch (node->op) {
    case HET__OP_T_SIGMOID: return logistic(x);
    case HET__OP_T_TANH: return tanh(x);
    case HET__OP_T_ERF: return erf(x);
    case HET__OP_T_EXP: return exp(x);
    case HET__OP_T_LOG: return log(x);
    case HET__OP_T_NEG: return -x;
    case HET__OP_T_ABS: return fabs(x);
    case HET__OP_T_SQRT: return sqrt(x);
    case HET__OP_T_RECIPROCAL: return 1 / x;
    case HET__OP_T_RELU: return fmax(x, 0);
    case HET__OP_T_SOFTPLUS: return log1p(exp(x));
    case HET__OP_T_CLIP: return clip(g, node, x, ok);
    case HET__OP_T_HARD_SIGMOID:
        return hard_sigmoid(x, (double)het__attr_float(list, "alpha", 0.2f),
                            (double)het__attr_float(list, "beta", 0.5f));
    default: *ok = false; return 0;
    }
}

static double two_operands(const het__node *node, double a, double b, bool *ok)
{
    switch (node->op) {
    case HET__OP_T_ADD: case HET__OP_T_SUM: return a + b;
    case HET__OP_T_SUB: return a - b;
    case HET__OP_T_MUL: return a * b;
    case HET__OP_T_DIV: return a / b;
    case HET__OP_T_POW: return pow(a, b);
    case HET__OP_T_MAX: return fmax(a, b);
    case HET__OP_T_MIN: return fmin(a, b);
    default: *ok = false; return 0;
    }
}

static bool is_elementwise(het__op op, uint32_t *operands)
{
    switch (op) {
    case HET__OP_T_SIGMOID: case HET__OP_T_TANH: case HET__OP_T_ERF: case HET__OP_T_EXP:
    case HET__OP_T_LOG: case HET__OP_T_NEG: case HET__OP_T_ABS: case HET__OP_T_SQRT:
    case HET__OP_T_RECIPROCAL: case HET__OP_T_RELU: case HET__OP_T_SOFTPLUS:
    case HET__OP_T_CLIP: case HET__OP_T_HARD_SIGMOID:
        *operands = 1;
        return true;
    case HET__OP_T_ADD: case HET__OP_T_SUB: case HET__OP_T_MUL: case HET__OP_T_DIV:
    case HET__OP_T_POW: case HET__OP_T_MAX: case HET__OP_T_MIN: case HET__OP_T_SUM:
        *operands = 2;
        return true;
    default:
        return false;
    }
}

static double compute(group *g, uint32_t value, uint32_t depth)
{
    double c, in[2] = { 0, 0 };
    uint32_t operands;
    bool ok = true;
    if (value == g->x)
        return g->at;
    if (het__rw_scalar(g->r, value, &c))
        return c;
    const het__node *node = het__rw_producer(g->r, value);
    if (g->failed || !node || depth == DEPTH_MAX || ++g->steps > STEPS_MAX ||
        !is_elementwise(node->op, &operands) || node->output_count != 1 ||
        node->input_count < operands || (operands == 2 && node->input_count != 2)) {
        g->failed = true;
        return 0;
    }
    for (uint32_t i = 0; i < operands; i++)
        in[i] = compute(g, node->inputs[i], depth + 1);
    const double y = operands == 1 ? one_operand(g, node, in[0], &ok)
                                   : two_operands(node, in[0], in[1], &ok);
    g->failed = g->failed || !ok;
    return y;
}

/* The function at all points; false if it depends on more than x. */
static bool sample(const het__rewriter *r, uint32_t result, uint32_t x, double *y)
{
    for (int i = 0; i < POINTS; i++) {
        group g = { .r = r, .x = x, .at = points[i] };
        y[i] = compute(&g, result, 0);
        if (g.failed || !isfinite(y[i]))
            return false;
    }
    return true;
}

/* ---- comparing ---- */

typedef double (*curve)(double x, double alpha);

static double swish(double x, double alpha)
{
    return x * logistic(alpha * x);
}

static double mish(double x, double alpha)
{
    (void)alpha;
    return x * tanh(log1p(exp(x)));
}

static double exact_gelu(double x, double alpha)
{
    (void)alpha;
    return gelu_erf(x);
}

static double tanh_gelu(double x, double alpha)
{
    (void)alpha;
    return gelu_tanh(x);
}

static double hard_swish(double x, double alpha)
{
    (void)alpha;
    return x * hard_sigmoid(x, 1.0 / 6, 0.5);
}

static double hard_gate(double x, double alpha)
{
    (void)alpha;
    return hard_sigmoid(x, 1.0 / 6, 0.5);
}

static bool fits(const double *y, curve f, double alpha)
{
    for (int i = 0; i < POINTS; i++)
        if (!(fabs(y[i] - f(points[i], alpha)) <= TOLERANCE * (1 + fabs(points[i]))))
            return false;
    return true;
}

typedef struct found {
    het__op op;
    int32_t opset; /* that has the operation */
    double alpha;
} found;

static bool recognise(const double *y, found *f)
{
    static const struct {
        curve curve;
        found is;
    } known[] = {
        { exact_gelu, { HET__OP_T_GELU, 20, 0 } },
        { tanh_gelu, { HET__OP_T_GELU, 20, 1 } },
        { hard_swish, { HET__OP_T_HARD_SWISH, 14, 0 } },
        { mish, { HET__OP_T_MISH, 18, 0 } },
        { hard_gate, { HET__OP_T_HARD_SIGMOID, 6, 0 } },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (fits(y, known[i].curve, 0)) {
            *f = known[i].is;
            return true;
        }
    /* y = x / (1 + exp(-alpha x)) at a point where neither side has run into its limit. */
    const int probe = 7;
    const double gate = y[probe] / points[probe];
    if (!(gate > 0 && gate < 1))
        return false;
    *f = (found){ HET__OP_T_SWISH, 24, log(gate / (1 - gate)) / points[probe] };
    if (fabs(f->alpha - 1) < 1e-5)
        f->alpha = 1;
    return fabs(f->alpha) > 0.1 && fabs(f->alpha) < 10 && fits(y, swish, f->alpha);
}

/* ---- replacing ---- */

/* Values from which the result may follow: what its group reads, the farthest last. */
static uint32_t candidates(const het__rewriter *r, uint32_t result, uint32_t *values)
{
    uint32_t count = 0, next = 0;
    values[count++] = result;
    while (next < count) {
        const het__node *node = het__rw_producer(r, values[next++]);
        uint32_t operands;
        double c;
        if (!node || !is_elementwise(node->op, &operands) || node->input_count < operands)
            continue;
        for (uint32_t i = 0; i < operands && count < CANDIDATES_MAX; i++) {
            bool known = het__rw_scalar(r, node->inputs[i], &c);
            for (uint32_t k = 0; k < count; k++)
                known = known || values[k] == node->inputs[i];
            if (!known && node->inputs[i] != HET__NO_VALUE)
                values[count++] = node->inputs[i];
        }
    }
    return count;
}

static uint32_t make(het__rewriter *r, const found *f, const char *name, uint32_t x)
{
    het__attr items[2];
    uint32_t count = 0;
    if (f->op == HET__OP_T_GELU) {
        items[count++] = (het__attr){ "approximate", HET__ATTR_STRING, 0,
                                      { .string = f->alpha > 0 ? "tanh" : "none" } };
    } else if (f->op == HET__OP_T_SWISH) {
        items[count++] = het__match_float("alpha", (float)f->alpha);
    } else if (f->op == HET__OP_T_HARD_SIGMOID) {
        items[count++] = het__match_float("alpha", 1.0f / 6);
        items[count++] = het__match_float("beta", 0.5f);
    }
    const het__attrs attrs = het__match_attrs(r, f->opset, items, count);
    return r->failed ? HET__NO_VALUE : het__rw_node(r, f->op, name, &x, 1, 1, &attrs);
}

static void look_at(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const uint32_t result = node.outputs[0];
    uint32_t values[CANDIDATES_MAX];
    double y[POINTS];
    found f;
    const uint32_t count = candidates(r, result, values);
    for (uint32_t i = count; i-- > 1;) {
        if (!het__match_same_shape(r, result, values[i]) || !sample(r, result, values[i], y) ||
            !recognise(y, &f))
            continue;
        const uint32_t made = make(r, &f, node.name, values[i]);
        if (!r->failed)
            het__match_replace(r, result, made);
        return;
    }
}

/* Groups end in a product or a quotient, or in a bound where the last factor was moved inside. */
static bool may_end(het__op op)
{
    return op == HET__OP_T_MUL || op == HET__OP_T_DIV || op == HET__OP_T_CLIP;
}

void het__pass_activations(het__rewriter *r)
{
    for (uint32_t n = r->graph->node_count; n-- > 0 && !r->failed;)
        if (may_end(r->graph->nodes[n].op) && r->graph->nodes[n].output_count == 1)
            look_at(r, n);
}

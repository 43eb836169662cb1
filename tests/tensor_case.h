/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of tensor operations with random shapes, empty ones included, types and attributes: what is
 * run on the reference device and on another one, and how far the results are apart. */
#ifndef HETINFER_TENSOR_CASE_H
#define HETINFER_TENSOR_CASE_H

#include "lib/base/dtype.h"
#include "rig.h"

#define INPUTS_MAX 8
#define OUTPUTS_MAX 4

static uint64_t seed = 11;
static bool has_odd_numbers; /* NaN among the elements */

static int64_t pick(int64_t first, int64_t last)
{
    return first + (int64_t)(test_random(&seed) % (uint64_t)(last - first + 1));
}

/* Mostly small, now and then nothing or longer than a task. */
static int64_t pick_extent(void)
{
    switch (pick(0, 11)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return pick(60, 200);
    default: return pick(1, 20);
    }
}

static void pick_shape(uint32_t rank, int64_t *extent)
{
    for (uint32_t i = 0; i < rank; i++)
        extent[i] = pick_extent();
}

static int64_t elements(uint32_t rank, const int64_t *extent)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= extent[i];
    return n;
}

static void fill(het_dtype dtype, void *data, size_t bytes)
{
    if (dtype != HET_DTYPE_F32) {
        for (size_t i = 0; i < bytes; i++)
            ((unsigned char *)data)[i] =
                (unsigned char)(dtype == HET_DTYPE_BOOL ? pick(0, 1) : pick(0, 255));
        return;
    }
    for (size_t i = 0; i < bytes / 4; i++) {
        float x = 3 * test_random_float(&seed);
        if (has_odd_numbers && pick(0, 40) == 0)
            x = NAN;
        memcpy((char *)data + i * 4, &x, sizeof x);
    }
}

/* ---- what is run ---- */

/* Of a node; a case fills it. */
typedef struct form {
    het__op op;
    uint32_t inputs[INPUTS_MAX], input_count, output_count;
    het__attr attrs[8];
    uint32_t attr_count;
    int32_t opset;
} form;

typedef void (*case_fn)(rig *r, form *f);

static uint32_t input(rig *r, het_dtype dtype, uint32_t rank, const int64_t *extent)
{
    het__extent e[HET_RANK_MAX];
    for (uint32_t i = 0; i < rank; i++)
        e[i] = (het__extent){ extent[i], HET__SYM_ONE };
    return het__graph_value(&r->graph, "x", HET__VALUE_INPUT, dtype, rank, e);
}

static void *keep(rig *r, const void *data, size_t bytes)
{
    void *copy = het__arena_alloc(&r->graph.arena, bytes + 1);
    if (copy && bytes)
        memcpy(copy, data, bytes);
    return copy;
}

/* Often at an address that no float has. */
static uint32_t constant(rig *r, uint32_t rank, const int64_t *extent)
{
    const size_t bytes = (size_t)elements(rank, extent) * sizeof(float);
    char *x = het__arena_alloc(&r->graph.arena, bytes + 4);
    x += pick(0, 1) ? 0 : pick(1, 3);
    fill(HET_DTYPE_F32, x, bytes);
    return het__graph_const(&r->graph, "w", HET_DTYPE_F32, rank, extent, x);
}

static uint32_t integers(rig *r, int64_t count, const int64_t *x)
{
    return het__graph_const(&r->graph, "i", HET_DTYPE_I64, 1, &count,
                            keep(r, x, (size_t)count * sizeof *x));
}

static uint32_t either(rig *r, uint32_t rank, const int64_t *extent)
{
    return pick(0, 3) ? input(r, HET_DTYPE_F32, rank, extent) : constant(r, rank, extent);
}

static void add_input(form *f, uint32_t value)
{
    f->inputs[f->input_count++] = value;
}

static het__attr *add_attr(form *f, const char *name, het__attr_kind kind)
{
    het__attr *a = &f->attrs[f->attr_count++];
    *a = (het__attr){ .name = name, .kind = kind };
    return a;
}

static void add_int(form *f, const char *name, int64_t i)
{
    add_attr(f, name, HET__ATTR_INT)->u.i = i;
}

/* ---- cases ---- */

/* Extents of an operand that broadcasts: some are 1, leading ones may be left out. */
static uint32_t narrowed(rig *r, uint32_t rank, const int64_t *extent)
{
    int64_t e[HET_RANK_MAX];
    const uint32_t cut = pick(0, 2) ? 0 : (uint32_t)pick(0, rank);
    for (uint32_t i = cut; i < rank; i++)
        e[i - cut] = pick(0, 2) == 0 ? 1 : extent[i];
    return either(r, rank - cut, e);
}

static void binary(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_ADD, HET__OP_T_SUB, HET__OP_T_MUL, HET__OP_T_DIV,
                                   HET__OP_T_SUM, HET__OP_T_MAX, HET__OP_T_MIN, HET__OP_T_POW,
                                   HET__OP_T_PRELU };
    const uint32_t rank = (uint32_t)pick(0, 4);
    int64_t extent[HET_RANK_MAX];
    pick_shape(rank, extent);
    f->op = ops[pick(0, 8)];
    const uint32_t full = input(r, HET_DTYPE_F32, rank, extent);
    const uint32_t other = narrowed(r, rank, extent);
    const bool turned = f->op != HET__OP_T_PRELU && pick(0, 1);
    add_input(f, turned ? other : full);
    add_input(f, turned ? full : other);
}

/* Both operands broadcast, one along some axes, the other along the rest. */
static void crossed(rig *r, form *f)
{
    const uint32_t rank = (uint32_t)pick(2, 5);
    int64_t a[HET_RANK_MAX], b[HET_RANK_MAX];
    for (uint32_t i = 0; i < rank; i++) {
        a[i] = b[i] = pick(1, 12);
        *(pick(0, 1) ? &a[i] : &b[i]) = 1;
    }
    f->op = pick(0, 1) ? HET__OP_T_ADD : HET__OP_T_DIV;
    add_input(f, either(r, rank, a));
    add_input(f, either(r, rank, b));
}

static void unary(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_RELU, HET__OP_T_LEAKY_RELU, HET__OP_T_SIGMOID,
                                   HET__OP_T_TANH, HET__OP_T_SWISH, HET__OP_T_HARD_SIGMOID,
                                   HET__OP_T_HARD_SWISH, HET__OP_T_GELU, HET__OP_T_EXP,
                                   HET__OP_T_ERF, HET__OP_T_NEG, HET__OP_T_ABS, HET__OP_T_CLIP };
    const uint32_t rank = (uint32_t)pick(0, 4);
    int64_t extent[HET_RANK_MAX];
    pick_shape(rank, extent);
    f->op = ops[pick(0, 12)];
    if (pick(0, 1) && (f->op == HET__OP_T_LEAKY_RELU || f->op == HET__OP_T_SWISH ||
                       f->op == HET__OP_T_HARD_SIGMOID))
        add_attr(f, "alpha", HET__ATTR_FLOAT)->u.f = 0.4f;
    if (f->op == HET__OP_T_GELU && pick(0, 1))
        add_attr(f, "approximate", HET__ATTR_STRING)->u.string = "tanh";
    add_input(f, either(r, rank, extent));
    for (int i = 0; f->op == HET__OP_T_CLIP && i < 2; i++)
        add_input(f, constant(r, 0, NULL));
}

static void softmax(rig *r, form *f)
{
    const uint32_t rank = (uint32_t)pick(1, 4);
    int64_t extent[HET_RANK_MAX];
    pick_shape(rank, extent);
    f->op = HET__OP_T_SOFTMAX;
    f->opset = pick(0, 1) ? 13 : 11;
    if (pick(0, 1))
        add_int(f, "axis", pick(0, 1) ? (int64_t)rank - 1 : pick(-(int64_t)rank, -1));
    else if (rank == 1)
        add_int(f, "axis", 0);
    add_input(f, either(r, rank, extent));
}

static void norm(rig *r, form *f)
{
    const uint32_t rank = (uint32_t)pick(1, 4);
    int64_t extent[HET_RANK_MAX];
    pick_shape(rank, extent);
    f->op = pick(0, 1) ? HET__OP_T_LAYER_NORMALIZATION : HET__OP_T_RMS_NORMALIZATION;
    f->opset = f->op == HET__OP_T_LAYER_NORMALIZATION ? 17 : 23;
    const uint32_t axis = pick(0, 3) ? rank - 1 : (uint32_t)pick(0, rank - 1);
    if (axis != rank - 1 || pick(0, 1))
        add_int(f, "axis", axis);
    if (pick(0, 1))
        add_attr(f, "epsilon", HET__ATTR_FLOAT)->u.f = 1e-3f;
    add_input(f, input(r, HET_DTYPE_F32, rank, extent));
    add_input(f, either(r, rank - axis, extent + axis));
    if (f->op == HET__OP_T_LAYER_NORMALIZATION && pick(0, 1))
        add_input(f, either(r, rank - axis, extent + axis));
}

static void product(rig *r, form *f)
{
    const uint32_t batch = (uint32_t)pick(0, 2), cut = batch ? (uint32_t)pick(0, batch) : 0;
    int64_t a[HET_RANK_MAX], b[HET_RANK_MAX];
    for (uint32_t i = 0; i < batch; i++) {
        a[i] = b[i] = pick(1, 4);
        if (pick(0, 2) == 0)
            *(pick(0, 1) ? &a[i] : &b[i]) = 1;
    }
    a[batch] = pick_extent();
    a[batch + 1] = b[batch] = pick(0, 9) ? pick_extent() : pick(250, 600);
    b[batch + 1] = pick_extent();
    f->op = HET__OP_T_MAT_MUL;
    const bool right = pick(0, 1);
    add_input(f, either(r, batch + 2 - (right ? 0 : cut), a + (right ? 0 : cut)));
    add_input(f, either(r, batch + 2 - (right ? cut : 0), b + (right ? cut : 0)));
}

static void attention(rig *r, form *f)
{
    const int64_t batch = pick(1, 2), kv_heads = pick(1, 3), heads = kv_heads * pick(1, 3);
    const int64_t size = pick(1, 70), value_size = pick(1, 70), queries = pick(0, 70);
    const int64_t keys = pick(0, 9) ? pick(1, 70) : pick(800, 2500);
    const int64_t q[4] = { batch, heads, queries, size }, k[4] = { batch, kv_heads, keys, size };
    const int64_t v[4] = { batch, kv_heads, keys, value_size };
    f->op = HET__OP_T_ATTENTION;
    f->opset = 23;
    if (pick(0, 1))
        add_attr(f, "scale", HET__ATTR_FLOAT)->u.f = 0.3f;
    if (pick(0, 5) == 0)
        add_int(f, "is_causal", 1);
    add_input(f, input(r, HET_DTYPE_F32, 4, q));
    add_input(f, input(r, HET_DTYPE_F32, 4, k));
    add_input(f, input(r, HET_DTYPE_F32, 4, v));
    if (pick(0, 1)) { /* a mask that is added */
        const uint32_t rank = (uint32_t)pick(2, 4);
        int64_t mask[4] = { batch, heads, queries, keys };
        for (uint32_t i = 4 - rank; i < 3; i++)
            mask[i] = pick(0, 2) ? mask[i] : 1;
        add_input(f, either(r, rank, mask + 4 - rank));
    }
}

/* ---- cases: elements that move ---- */

static het_dtype pick_type(void)
{
    static const het_dtype types[] = { HET_DTYPE_F32, HET_DTYPE_F32, HET_DTYPE_U8, HET_DTYPE_I64 };
    return types[pick(0, 3)];
}

/* An image: few axes are 1, so that tasks have something to share. */
static uint32_t image(rig *r, het_dtype dtype, int64_t extent[4])
{
    extent[0] = pick(0, 3) ? 1 : pick(0, 3);
    extent[1] = pick(1, 40);
    extent[2] = pick(0, 20) ? pick(1, 40) : 0;
    extent[3] = pick(1, 40);
    return input(r, dtype, 4, extent);
}

static void transpose(rig *r, form *f)
{
    const uint32_t rank = (uint32_t)pick(1, 5);
    int64_t extent[HET_RANK_MAX], perm[HET_RANK_MAX];
    for (uint32_t i = 0; i < rank; i++) {
        extent[i] = pick(0, 20) ? pick(0, 2) ? pick(1, 8) : pick(16, 60) : 0;
        perm[i] = i;
    }
    for (uint32_t i = rank; i-- > 1;) {
        const int64_t k = pick(0, i), t = perm[i];
        perm[i] = perm[k];
        perm[k] = t;
    }
    f->op = HET__OP_T_TRANSPOSE;
    het__attr *a = add_attr(f, "perm", HET__ATTR_INTS);
    a->count = rank;
    a->u.ints = keep(r, perm, rank * sizeof *perm);
    add_input(f, input(r, pick_type(), rank, extent));
}

static void concat(rig *r, form *f)
{
    int64_t extent[4];
    const het_dtype dtype = pick_type();
    const int64_t axis = pick(0, 3);
    f->op = HET__OP_T_CONCAT;
    add_int(f, "axis", axis);
    add_input(f, image(r, dtype, extent));
    for (int64_t i = pick(0, 3); i > 0; i--) {
        extent[axis] = pick(0, 20);
        add_input(f, input(r, dtype, 4, extent));
    }
}

static void split(rig *r, form *f)
{
    int64_t extent[4];
    const int64_t axis = pick(0, 3);
    f->op = HET__OP_T_SPLIT;
    add_int(f, "axis", axis);
    add_input(f, image(r, pick_type(), extent));
    const int64_t first = pick(0, extent[axis]);
    const int64_t parts[2] = { first, extent[axis] - first };
    add_input(f, integers(r, 2, parts));
    f->output_count = 2;
}

static void slice(rig *r, form *f)
{
    int64_t extent[4], list[4][2];
    f->op = HET__OP_T_SLICE;
    add_input(f, image(r, pick_type(), extent));
    const int64_t axis = pick(0, 2);
    for (int i = 0; i < 2; i++) {
        list[0][i] = pick(-30, 30);
        list[1][i] = pick(-30, 45);
        list[2][i] = i ? 3 : axis;
        list[3][i] = pick(0, 2) ? pick(1, 3) : -pick(1, 2);
    }
    for (int i = 0; i < 4; i++)
        add_input(f, integers(r, 2, list[i]));
}

static void gather(rig *r, form *f)
{
    int64_t extent[4], indices[12];
    const int64_t axis = pick(0, 3), count = pick(0, 12);
    f->op = HET__OP_T_GATHER;
    add_int(f, "axis", axis);
    add_input(f, image(r, pick_type(), extent));
    const int64_t n = extent[axis];
    for (int64_t i = 0; i < count; i++)
        indices[i] = n ? pick(-n, n - 1) : 0;
    const uint32_t list = integers(r, n ? count : 0, indices);
    if (n && count == 1)
        r->graph.values[list].rank = 0;
    add_input(f, list);
}

static void pad(rig *r, form *f)
{
    static const char *const modes[] = { "constant", "edge", "reflect", "constant" };
    int64_t extent[4], pads[8] = { 0 };
    f->op = HET__OP_T_PAD;
    add_input(f, image(r, HET_DTYPE_F32, extent));
    const char *mode = modes[pick(0, 3)];
    for (int i = 0; i < 8; i++)
        if (extent[i % 4] > 0 && pick(0, 1))
            pads[i] = pick(0, strcmp(mode, "constant") == 0 ? 5 : extent[i % 4] - 1);
    add_attr(f, "mode", HET__ATTR_STRING)->u.string = mode;
    add_input(f, integers(r, 8, pads));
}

static void resize(rig *r, form *f)
{
    int64_t extent[4], sizes[4];
    f->op = HET__OP_T_RESIZE;
    f->opset = 13;
    extent[0] = pick(1, 2);
    for (int i = 1; i < 4; i++)
        extent[i] = pick(1, 24);
    add_input(f, input(r, HET_DTYPE_F32, 4, extent));
    memcpy(sizes, extent, sizeof sizes);
    for (int i = pick(0, 5) ? 2 : 1; i < 4; i++)
        sizes[i] = pick(0, 1) ? 2 * extent[i] : pick(1, 40);
    add_attr(f, "mode", HET__ATTR_STRING)->u.string = pick(0, 1) ? "nearest" : "linear";
    if (pick(0, 1))
        add_attr(f, "coordinate_transformation_mode", HET__ATTR_STRING)->u.string =
            pick(0, 1) ? "asymmetric" : "align_corners";
    add_input(f, HET__NO_VALUE);
    if (pick(0, 1)) {
        add_input(f, HET__NO_VALUE);
        add_input(f, integers(r, 4, sizes));
        return;
    }
    const float scales[4] = { 1, 1, (float)pick(1, 3), 2.5f };
    const int64_t four = 4;
    add_input(f, het__graph_const(&r->graph, "s", HET_DTYPE_F32, 1, &four,
                                  keep(r, scales, sizeof scales)));
}

static void expand(rig *r, form *f)
{
    int64_t extent[4], wanted[4];
    for (int i = 0; i < 4; i++) {
        wanted[i] = pick(0, 20) ? pick(1, 24) : 0;
        extent[i] = pick(0, 1) ? wanted[i] : 1;
    }
    f->op = HET__OP_T_EXPAND;
    add_input(f, input(r, pick_type(), 4, extent));
    add_input(f, integers(r, 4, wanted));
}

static void where(rig *r, form *f)
{
    int64_t extent[4], some[4];
    const het_dtype dtype = pick_type();
    const uint32_t a = image(r, dtype, extent);
    for (int i = 0; i < 4; i++)
        some[i] = pick(0, 1) ? extent[i] : 1;
    f->op = HET__OP_T_WHERE;
    add_input(f, input(r, HET_DTYPE_BOOL, 4, pick(0, 1) ? extent : some));
    add_input(f, a);
    add_input(f, input(r, dtype, 4, some));
}

static void reduce(rig *r, form *f)
{
    static const het__op ops[] = { HET__OP_T_REDUCE_MEAN, HET__OP_T_REDUCE_SUM,
                                   HET__OP_T_REDUCE_MAX, HET__OP_T_GLOBAL_AVERAGE_POOL };
    int64_t extent[4], axes[2];
    f->op = ops[pick(0, 3)];
    extent[0] = pick(1, 2);
    for (int i = 1; i < 4; i++)
        extent[i] = pick(1, 40);
    add_input(f, input(r, HET_DTYPE_F32, 4, extent));
    if (f->op == HET__OP_T_GLOBAL_AVERAGE_POOL)
        return;
    f->opset = 18;
    axes[0] = pick(0, 2);
    axes[1] = pick(axes[0] + 1, 3);
    add_int(f, "keepdims", pick(0, 1));
    add_input(f, integers(r, pick(1, 2), axes));
}

static void conv_transpose(rig *r, form *f)
{
    const int64_t groups = pick(0, 3) ? 1 : 2, in = groups * pick(1, 9), out = pick(1, 9);
    const int64_t x[4] = { pick(1, 2), in, pick(1, 9), pick(1, 40) };
    const int64_t w[4] = { in, out, pick(1, 3), pick(1, 3) };
    static const char *const names[] = { "strides", "dilations" };
    f->op = HET__OP_T_CONV_TRANSPOSE;
    add_int(f, "group", groups);
    for (int i = 0; i < 2; i++) {
        const int64_t pair[2] = { pick(1, 3), pick(1, 3) };
        het__attr *a = add_attr(f, names[i], HET__ATTR_INTS);
        a->count = 2;
        a->u.ints = keep(r, pair, sizeof pair);
    }
    const int64_t pads[4] = { 0, w[3] > 1 ? pick(0, 1) : 0, w[2] > 1 ? pick(0, 1) : 0, 0 };
    het__attr *a = add_attr(f, "pads", HET__ATTR_INTS);
    a->count = 4;
    a->u.ints = keep(r, x[2] > 1 && x[3] > 1 ? pads : (const int64_t[4]){ 0 }, sizeof pads);
    const int64_t all = out * groups;
    add_input(f, input(r, HET_DTYPE_F32, 4, x));
    add_input(f, either(r, 4, w));
    if (pick(0, 1))
        add_input(f, constant(r, 1, &all));
}

/* ---- running ---- */

static bool infer(rig *r, uint32_t first, uint32_t count)
{
    het__graph *g = &r->graph;
    het_error err = HET_ERROR_INIT;
    const het__node *node = &g->nodes[g->values[first].producer];
    het__value made[HET__EVAL_OUTPUTS_MAX];
    uint32_t n = 0;
    if (het__tensor_op_of(node->op)->info.shape(g, node, made, &n, &err) != HET_OK) {
        TEST_FAIL("%s: %s", het__op_info_of(node->op)->name, err.message);
        return false;
    }
    for (uint32_t o = 0; o < count; o++) {
        het__value *v = &g->values[first + o];
        *v = (het__value){ .name = "out", .kind = HET__VALUE_OUTPUT, .dtype = made[o].dtype,
                           .rank = made[o].rank, .producer = v->producer };
        memcpy(v->extent, made[o].extent, sizeof v->extent);
    }
    return true;
}

static bool build(rig *r, case_fn make, form *f, uint32_t *first)
{
    *f = (form){ .opset = 18, .output_count = 1 };
    has_odd_numbers = pick(0, 9) == 0;
    make(r, f);
    const het__attr_list list = { .items = keep(r, f->attrs, f->attr_count * sizeof *f->attrs),
                                  .count = f->attr_count, .opset = f->opset };
    *first = het__graph_tensor_node(&r->graph, f->op, "node", f->inputs, f->input_count,
                                    f->output_count, &list);
    return *first != HET__NO_VALUE && infer(r, *first, f->output_count);
}

typedef struct result {
    unsigned char *data[OUTPUTS_MAX];
    size_t bytes[OUTPUTS_MAX];
    het_dtype dtype[OUTPUTS_MAX];
    uint32_t count;
    char text[200]; /* the node */
} result;

static void describe(const rig *r, const form *f, result *out)
{
    char *to = out->text;
    const char *end = to + sizeof out->text;
    to += snprintf(to, (size_t)(end - to), "%s", het__op_info_of(f->op)->name);
    for (uint32_t i = 0; i < f->input_count && end - to > 40; i++) {
        if (f->inputs[i] == HET__NO_VALUE)
            continue;
        const het__value *v = &r->graph.values[f->inputs[i]];
        to += snprintf(to, (size_t)(end - to), v->kind == HET__VALUE_CONST ? " constant" : " ");
        for (uint32_t k = 0; k < v->rank && end - to > 20; k++)
            to += snprintf(to, (size_t)(end - to), "%s%d", k ? "x" : "",
                           (int)v->extent[k].count);
    }
}

static const case_fn tensor_cases[] = {
    binary, crossed, unary, softmax, norm, product, attention, transpose, concat, split, slice,
    gather, pad, resize, expand, where, reduce, conv_transpose,
};

static double distance(const result *a, const result *b, uint32_t o, double *largest)
{
    double worst = 0;
    if (a->dtype[o] != HET_DTYPE_F32)
        return a->bytes[o] && memcmp(a->data[o], b->data[o], a->bytes[o]) != 0 ? INFINITY : 0;
    for (size_t i = 0; i < a->bytes[o] / 4; i++) {
        float x, y;
        memcpy(&x, a->data[o] + 4 * i, 4);
        memcpy(&y, b->data[o] + 4 * i, 4);
        const double d = x == y || (isnan(x) && isnan(y)) ? 0 : fabs((double)x - (double)y);
        worst = d > worst || isnan(d) ? d : worst;
        if (isnan(d))
            return d;
        *largest = isfinite(x) && fabs((double)x) > *largest ? fabs((double)x) : *largest;
    }
    return worst;
}

#endif /* HETINFER_TENSOR_CASE_H */

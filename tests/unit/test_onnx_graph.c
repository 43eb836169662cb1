/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of ONNX files: names, order, constants, bodies of nodes, functions. */
#include "test.h"

#include "lib/import/onnx.h"
#include "lib/plain/plain.h"
#include "onnx_writer.h"

#define OPSET 17

static het__mem mem;

typedef struct opened {
    het__onnx onnx;
    uint8_t *bytes;
    het_status status;
    het_error err;
} opened;

/* The file in a block of its own, so that a byte read too far is found. */
static void open_model(opened *o, ow model)
{
    memset(o, 0, sizeof *o);
    o->bytes = malloc(model.bytes);
    memcpy(o->bytes, model.data, model.bytes);
    o->err = (het_error)HET_ERROR_INIT;
    o->status = het__onnx_open(o->bytes, model.bytes, NULL, &mem, &o->onnx, &o->err);
    free(model.data);
}

static void open_graph(opened *o, ow graph)
{
    open_model(o, ow_model(9, OPSET, graph));
    CHECK_INT(o->status, HET_OK);
    CHECK_STR(o->err.message, "");
}

static void close_model(opened *o)
{
    het__onnx_close(&o->onnx);
    free(o->bytes);
    CHECK_INT(atomic_load(&mem.bytes), 0);
}

static void refuse_model(ow model, het_status status, const char *part)
{
    opened o;
    open_model(&o, model);
    CHECK_INT(o.status, status);
    CHECK_INT(o.err.status, status);
    if (!strstr(o.err.message, part))
        TEST_FAIL("message \"%s\" does not say \"%s\"", o.err.message, part);
    close_model(&o);
}

static void refuse(ow graph, het_status status, const char *part)
{
    refuse_model(ow_model(9, OPSET, graph), status, part);
}

/* The graph in one line: "Add(x,w)->y Relu(y)->z | z", constants with a star. */
static const char *shown(const het__graph *g)
{
    static char text[2048];
    size_t n = 0;
    text[0] = '\0';
#define SHOW(...) \
    n += (size_t)snprintf(text + n, n < sizeof text ? sizeof text - n : 0, __VA_ARGS__)
    for (uint32_t i = 0; i < g->node_count; i++) {
        const het__node *node = &g->nodes[i];
        const char *type = node->attrs.tensor.type;
        SHOW("%s(", type ? type : het__op_info_of(node->op)->name);
        for (uint32_t k = 0; k < node->input_count; k++) {
            const uint32_t v = node->inputs[k];
            const bool constant = v != HET__NO_VALUE && g->values[v].kind == HET__VALUE_CONST;
            SHOW("%s%s%s", k ? "," : "", v == HET__NO_VALUE ? "-" : g->values[v].name,
                 constant ? "*" : "");
        }
        SHOW(")->");
        for (uint32_t k = 0; k < node->output_count; k++)
            SHOW("%s%s", k ? "," : "", g->values[node->outputs[k]].name);
        SHOW(" ");
    }
    SHOW("|");
    for (uint32_t i = 0; i < g->output_count; i++)
        SHOW(" %s", g->values[g->outputs[i]].name);
#undef SHOW
    return text;
}

/* Names of the INPUT values in order of their ids. */
static const char *inputs_of(const het__graph *g)
{
    static char text[512];
    size_t n = 0;
    text[0] = '\0';
    for (uint32_t v = 0; v < g->value_count && n < sizeof text; v++)
        if (g->values[v].kind == HET__VALUE_INPUT)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "," : "",
                                  g->values[v].name);
    return text;
}

static const het__attr *attr_of(const het__graph *g, uint32_t node, const char *name,
                                het__attr_kind kind)
{
    return node < g->node_count ? het__attr_find(&g->nodes[node].attrs.tensor, name, kind) : NULL;
}

static const het__graph *body_of(const het__graph *g, uint32_t node, const char *name)
{
    const het__attr *a = attr_of(g, node, name, HET__ATTR_GRAPH);
    CHECK(a);
    return a ? a->u.graph : g;
}

/* Inputs x and c (BOOL), output y. */
static ow start(void)
{
    ow g = ow_graph("g");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "n,3");
    ow_value(&g, OW_INPUT, "c", OW_BOOL, "");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    return g;
}

static void add_weight(ow *g, const char *name)
{
    static const float w[3] = { 1, 2, 3 };
    ow_add(g, OW_WEIGHT, ow_tensor(name, OW_FLOAT, "3", w, sizeof w));
}

/* ---- ends and order ---- */

static void ends(void)
{
    opened o;
    ow g = start();
    add_weight(&g, "w");
    ow_value(&g, OW_INPUT, "w", OW_FLOAT, "3"); /* as files of old versions have it */
    ow_value(&g, OW_OUTPUT, "z", OW_FLOAT, "3,m,?");
    ow_add_node(&g, "Add", "x,w", "y");
    ow_add_node(&g, "Relu", "y", "z");
    open_graph(&o, g);
    const het__graph *m = &o.onnx.graph;
    CHECK_STR(shown(m), "Add(x,w*)->y Relu(y)->z | y z");
    CHECK_STR(inputs_of(m), "x,c");
    CHECK_STR(m->nodes[0].name, "y");
    CHECK_INT(m->nodes[0].attrs.tensor.opset, OPSET);
    const het__value *x = &m->values[m->nodes[0].inputs[0]];
    CHECK_INT(x->dtype, HET_DTYPE_F32);
    CHECK_INT(x->rank, 2);
    CHECK_INT(x->extent[0].count, 1);
    CHECK_STR(m->symbol_names[x->extent[0].symbol], "n");
    CHECK_INT(x->extent[1].count, 3);
    CHECK_INT(x->extent[1].symbol, HET__SYM_ONE);
    const het__onnx_declared *d = o.onnx.outputs;
    CHECK_INT(d[0].rank, HET__RANK_UNKNOWN);
    CHECK_INT(d[1].rank, 3);
    CHECK_INT(d[1].extent[0].count, 3);
    CHECK_STR(m->symbol_names[d[1].extent[1].symbol], "m");
    CHECK_INT(d[1].extent[2].count, -1);
    close_model(&o);
}

static void open_extents(void)
{
    opened o;
    ow g = ow_graph("g");
    ow_value(&g, OW_INPUT, "a", OW_FLOAT, "n,?,-1");
    ow_value(&g, OW_INPUT, "b", OW_FLOAT, "?,n,0");
    ow_value(&g, OW_INPUT, "s", OW_FLOAT, "");
    ow_value(&g, OW_INPUT, "u", OW_FLOAT, NULL);
    ow_value(&g, OW_OUTPUT, "y", 0, NULL);
    ow_add_node(&g, "Sum", "a,b,s,u", "y");
    open_graph(&o, g);
    const het__value *v = o.onnx.graph.values;
    CHECK_INT(v[0].extent[0].symbol, v[1].extent[1].symbol);
    CHECK_STR(o.onnx.graph.symbol_names[v[0].extent[1].symbol], "a[1]");
    CHECK_STR(o.onnx.graph.symbol_names[v[0].extent[2].symbol], "a[2]");
    CHECK_STR(o.onnx.graph.symbol_names[v[1].extent[0].symbol], "b[0]");
    CHECK_INT(v[1].extent[2].count, 0);
    CHECK_INT(v[2].rank, 0);
    CHECK_INT(v[3].rank, HET__RANK_UNKNOWN);
    close_model(&o);
}

static void outputs_by_identity(void)
{
    opened o;
    ow g = start();
    add_weight(&g, "w");
    ow_value(&g, OW_OUTPUT, "x", OW_FLOAT, NULL);
    ow_value(&g, OW_OUTPUT, "w", OW_FLOAT, NULL);
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_add_node(&g, "Relu", "x", "y");
    open_graph(&o, g);
    CHECK_STR(shown(&o.onnx.graph),
              "Relu(x)->y Identity(x)->x Identity(w*)->w Identity(y)->y | y x w y");
    close_model(&o);
}

static void names_left_out(void)
{
    opened o;
    ow g = start();
    ow_add_node(&g, "Clip", "x,,c", "y");
    ow_add_node(&g, "LSTM", "x,x,x,,,c", ",h,");
    ow_add_node(&g, "Relu", "x", "");  /* nothing is wanted of it */
    ow_add_node(&g, "Relu", "x,,", "r"); /* more inputs than it has, and none of them given */
    open_graph(&o, g);
    CHECK_STR(shown(&o.onnx.graph), "Clip(x,-,c)->y LSTM(x,x,x,-,-,c)->h,h Relu(x)->r | y");
    close_model(&o);
}

static void order(void)
{
    opened o;
    ow g = start();
    ow_add_node(&g, "Add", "b,a", "y");
    ow_add_node(&g, "Relu", "a", "b");
    ow_add_node(&g, "Relu", "x", "a");
    open_graph(&o, g);
    CHECK_STR(shown(&o.onnx.graph), "Relu(x)->a Relu(a)->b Add(b,a)->y | y");
    close_model(&o);
    /* A body waits for what it names. */
    g = start();
    ow branch = ow_graph("b");
    ow_value(&branch, OW_OUTPUT, "t", 0, NULL);
    ow_add_node(&branch, "Neg", "a", "t");
    ow n = ow_node("If", "c", "y");
    ow_attr_graph(&n, "then_branch", branch);
    ow_add(&g, OW_NODE, n);
    ow_add_node(&g, "Relu", "x", "a");
    open_graph(&o, g);
    CHECK_STR(shown(&o.onnx.graph), "Relu(x)->a If(c,a)->y | y");
    close_model(&o);
}

static void broken_names(void)
{
    ow g = start();
    ow_add_node(&g, "Relu", "a", "b");
    ow_add_node(&g, "Relu", "b", "a");
    ow_add_node(&g, "Relu", "x", "y");
    refuse(g, HET_E_FORMAT, "cycle");
    g = start();
    ow_add_node(&g, "Add", "y,x", "y");
    refuse(g, HET_E_FORMAT, "node y is part of a cycle");
    g = start();
    ow_add_node(&g, "Relu", "nowhere", "y");
    refuse(g, HET_E_FORMAT, "y uses nowhere, which nothing makes");
    g = start();
    ow_add_node(&g, "Relu", "x", "a");
    refuse(g, HET_E_FORMAT, "g uses y, which nothing makes");
    g = start();
    ow_add_node(&g, "Relu", "x", "y");
    ow_add_node(&g, "Relu", "x", "y");
    refuse(g, HET_E_FORMAT, "y is made twice");
    g = start();
    ow_add_node(&g, "Split", "x", "y,y");
    refuse(g, HET_E_FORMAT, "y is made twice");
    g = start();
    ow_add_node(&g, "Relu", "c", "x");
    refuse(g, HET_E_FORMAT, "x is made twice");
    g = start();
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "1");
    refuse(g, HET_E_FORMAT, "x is made twice");
    g = start();
    add_weight(&g, "w");
    add_weight(&g, "w");
    refuse(g, HET_E_FORMAT, "w is made twice");
    g = ow_graph("g");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "1");
    refuse(g, HET_E_FORMAT, "no outputs");
}

static void wrong_counts(void)
{
    ow g = start();
    ow_add_node(&g, "Relu", "x,x", "y");
    refuse(g, HET_E_FORMAT, "node y: Relu takes 1 to 1 inputs, not 2");
    g = start();
    ow_add_node(&g, "Add", "x", "y");
    refuse(g, HET_E_FORMAT, "node y: Add takes 2 to 2 inputs, not 1");
    g = start();
    ow_add_node(&g, "Relu", "x", "y,z");
    refuse(g, HET_E_FORMAT, "Relu has at most 1 outputs, not 2");
    g = start();
    char many[400] = "y";
    for (int i = 0; i < 64; i++)
        snprintf(many + strlen(many), 8, ",o%d", i);
    ow_add_node(&g, "a:B", "x", many);
    refuse(g, HET_E_UNSUPPORTED, "a:B has at most 64 outputs, not 65");
}

/* ---- attributes and constants ---- */

static void attributes(void)
{
    static const int64_t ints[] = { 1, -2, INT64_MAX };
    opened o;
    ow g = start();
    ow n = ow_node("a:B", "x", "y"), a = ow_attr("fs", 6);
    ow_attr_int(&n, "i", -7);
    ow_attr_float(&n, "f", 2.5F);
    ow_attr_text(&n, "s", "text");
    ow_attr_ints(&n, "is", ints, 3);
    ow_float(&a, 7, 1.5F);
    ow_bytes(&a, 7, "\0\0\0\100\0\0\100\100", 8);
    ow_add(&n, OW_NODE_ATTR, a);
    a = ow_attr("ss", 8);
    ow_text(&a, 9, "one");
    ow_text(&a, 9, "");
    ow_add(&n, OW_NODE_ATTR, a);
    ow_attr_tensor(&n, "t", ow_tensor("", OW_INT64, "1", ints + 2, 8));
    a = ow_attr("guessed", 0);
    ow_int(&a, 3, 9);
    ow_add(&n, OW_NODE_ATTR, a);
    ow_add(&n, OW_NODE_ATTR, ow_attr("none", 7));
    ow_add(&g, OW_NODE, n);
    open_graph(&o, g);
    const het__attr_list *l = &o.onnx.graph.nodes[0].attrs.tensor;
    CHECK_STR(l->type, "a:B");
    CHECK_INT(l->opset, 1);
    CHECK_INT(l->count, 9);
    CHECK_INT(het__attr_int(l, "i", 0), -7);
    CHECK_NEAR(het__attr_float(l, "f", 0), 2.5, 0);
    CHECK_STR(het__attr_string(l, "s", ""), "text");
    const het__attr *is = het__attr_find(l, "is", HET__ATTR_INTS);
    CHECK_INT(is ? is->count : 0, 3);
    CHECK_INT(is ? is->u.ints[2] : 0, INT64_MAX);
    const het__attr *fs = het__attr_find(l, "fs", HET__ATTR_FLOATS);
    CHECK_INT(fs ? fs->count : 0, 3);
    CHECK_NEAR(fs ? fs->u.floats[2] : 0, 3, 0);
    const het__attr *ss = het__attr_find(l, "ss", HET__ATTR_STRINGS);
    CHECK_INT(ss ? ss->count : 0, 2);
    CHECK_STR(ss ? ss->u.strings[0] : "", "one");
    const het__attr *t = het__attr_find(l, "t", HET__ATTR_TENSOR);
    CHECK_INT(t ? t->u.tensor->dtype : 0, HET_DTYPE_I64);
    CHECK_INT(het__attr_int(l, "guessed", 0), 9);
    CHECK_INT(het__attr_find(l, "none", HET__ATTR_INTS)->count, 0);
    close_model(&o);
}

/* What a node means with an attribute that has no form here is not known, whatever its name. */
static void odd_attributes(void)
{
    opened o;
    ow g = start();
    ow n = ow_node("ConstantOfShape", "c", "y");
    ow_attr_tensor(&n, "value", ow_tensor("", OW_STRING, "1", "a", 1));
    ow_add(&g, OW_NODE, n);
    n = ow_node("Relu", "x", "z");
    ow_add(&n, OW_NODE_ATTR, ow_attr("types", 14));
    ow_add(&g, OW_NODE, n);
    open_graph(&o, g);
    CHECK_STR(shown(&o.onnx.graph), "ai.onnx:ConstantOfShape(c)->y ai.onnx:Relu(x)->z | y");
    CHECK_INT(o.onnx.unknown_count, 2);
    close_model(&o);
}

static void broken_attributes(void)
{
    static const struct { uint32_t field; const char *bytes; size_t size; int type; } rows[] = {
        { 8, "\x80", 1, 7 },     /* half a number */
        { 7, "abc", 3, 6 },      /* three of four bytes */
        { 6, "\x0b", 1, 5 },     /* a graph with a group in it */
        { 5, "\x08", 1, 4 },     /* a tensor that ends early */
        { 5, "\x08\x03", 2, 5 }, /* no graph */
        { 6, "", 0, 4 },         /* no tensor */
        { 1, "\xff", 1, 2 },     /* a name that is no text */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ow g = start(), n = ow_node("Relu", "x", "y"), a = ow_attr("a", rows[i].type);
        ow_bytes(&a, rows[i].field, rows[i].bytes, rows[i].size);
        ow_add(&n, OW_NODE_ATTR, a);
        ow_add(&g, OW_NODE, n);
        refuse(g, HET_E_FORMAT, "byte ");
    }
    ow g = start(), f = ow_function("f", "A", "p", "q"), m;
    ow_add_node(&g, "Relu", "x", "y");
    ow_add(&f, OW_FN_DEFAULT, ow_attr("odd", 14));
    m = ow_model(9, OPSET, g);
    ow_add(&m, OW_FUNCTION, f);
    refuse_model(m, HET_E_UNSUPPORTED, "function A has a default");
}

static void add_constant(ow *g, const char *name, ow attr)
{
    ow n = ow_node("Constant", "", name);
    ow_add(&n, OW_NODE_ATTR, attr);
    ow_add(g, OW_NODE, n);
}

static void check_const(const het__graph *g, uint32_t i, het_dtype dtype, uint32_t rank,
                        const void *want, size_t bytes)
{
    const het__value *v = &g->values[g->nodes[0].inputs[i]];
    CHECK_INT(v->kind, HET__VALUE_CONST);
    CHECK_INT(v->dtype, dtype);
    CHECK_INT(v->rank, rank);
    CHECK_INT(v->data ? memcmp(v->data, want, bytes) : -1, 0);
}

static void constants(void)
{
    opened o;
    ow g = start(), a = ow_attr("value_float", 1), b = ow_attr("value_int", 2);
    ow c = ow_attr("value_floats", 6), d = ow_attr("value_ints", 7), e = ow_attr("value", 4);
    const float f = 2.5F;
    const int64_t i = -3, is[] = { 4, 5 };
    ow_float(&a, 2, f);
    ow_int(&b, 3, i);
    ow_float(&c, 7, f);
    ow_int(&d, 8, is[0]);
    ow_int(&d, 8, is[1]);
    ow_add(&e, 5, ow_tensor("", OW_UINT8, "1,2", "ab", 2));
    add_constant(&g, "k0", a);
    add_constant(&g, "k1", b);
    add_constant(&g, "k2", c);
    add_constant(&g, "k3", d);
    add_constant(&g, "k4", e);
    ow_add_node(&g, "a:B", "k0,k1,k2,k3,k4", "y");
    open_graph(&o, g);
    CHECK_STR(shown(&o.onnx.graph), "a:B(k0*,k1*,k2*,k3*,k4*)->y | y");
    check_const(&o.onnx.graph, 0, HET_DTYPE_F32, 0, &f, 4);
    check_const(&o.onnx.graph, 1, HET_DTYPE_I64, 0, &i, 8);
    check_const(&o.onnx.graph, 2, HET_DTYPE_F32, 1, &f, 4);
    check_const(&o.onnx.graph, 3, HET_DTYPE_I64, 1, is, 16);
    check_const(&o.onnx.graph, 4, HET_DTYPE_U8, 2, "ab", 2);
    CHECK_INT(o.onnx.weight_count, 1); /* k4: numbers that stand for floats */
    CHECK_INT(o.onnx.parameter_count, 2);
    CHECK_STR(o.onnx.weight_count ? o.onnx.weights[0].name : "", "k4");
    close_model(&o);
    g = start();
    a = ow_attr("value_string", 3);
    ow_text(&a, 4, "s");
    add_constant(&g, "y", a);
    open_graph(&o, g);
    CHECK_STR(shown(&o.onnx.graph), "ai.onnx:Constant()->y | y");
    close_model(&o);
}

static void operations_by_domain(void)
{
    opened o;
    ow g = start();
    ow_add_node(&g, "ai.onnx:Relu", "x", "a");
    ow_add_node(&g, "com.microsoft:Gelu", "a", "b");
    ow_add_node(&g, "my.own:Relu", "b", "d");
    ow_add_node(&g, "NoSuchThing", "d", "y");
    ow m = ow_model(9, OPSET, g);
    ow_add(&m, OW_OPSET, ow_opset("my.own", 3));
    open_model(&o, m);
    CHECK_INT(o.status, HET_OK);
    const het__graph *r = &o.onnx.graph;
    CHECK_STR(shown(r),
              "Relu(x)->a com.microsoft:Gelu(a)->b my.own:Relu(b)->d "
              "ai.onnx:NoSuchThing(d)->y | y");
    CHECK_INT(r->nodes[1].op, HET__OP_T_MS_GELU);
    CHECK_INT(r->nodes[2].op, HET__OP_T_UNKNOWN);
    CHECK_INT(r->nodes[2].attrs.tensor.opset, 3);
    CHECK_INT(o.onnx.unknown_count, 2);
    close_model(&o);
}

/* ---- bodies ---- */

/* A body of one node without formal inputs. */
static ow branch(const char *type, const char *inputs, const char *output)
{
    ow b = ow_graph(output);
    ow_value(&b, OW_OUTPUT, output, 0, NULL);
    ow_add_node(&b, type, inputs, output);
    return b;
}

static void two_bodies(void)
{
    opened o;
    ow g = start(), n = ow_node("If", "c", "y");
    add_weight(&g, "w");
    ow_add_node(&g, "Relu", "x", "a");
    ow_add_node(&g, "Neg", "x", "b");
    ow_attr_graph(&n, "then_branch", branch("Sum", "a,w,x", "t"));
    ow_attr_graph(&n, "else_branch", branch("Sum", "b,a,b", "e"));
    ow_add(&g, OW_NODE, n);
    open_graph(&o, g);
    const het__graph *r = &o.onnx.graph;
    CHECK_STR(shown(r), "Relu(x)->a Neg(x)->b If(c,a,x,b)->y | y");
    const het__graph *t = body_of(r, 2, "then_branch"), *e = body_of(r, 2, "else_branch");
    CHECK_STR(shown(t), "Sum(a,w*,x)->t | t");
    CHECK_STR(inputs_of(t), "a,x,b");
    CHECK_STR(shown(e), "Sum(b,a,b)->e | e");
    CHECK_STR(inputs_of(e), "a,x,b");
    CHECK_INT(attr_of(r, 2, "then_branch", HET__ATTR_GRAPH)->count, 3);
    CHECK_INT(attr_of(r, 2, "else_branch", HET__ATTR_GRAPH)->count, 3);
    CHECK_INT(o.onnx.body_count, 2);
    /* The constant is the same memory. */
    CHECK(t->values[t->nodes[0].inputs[1]].data == o.onnx.weights[0].tensor.data);
    close_model(&o);
}

/* A loop in a branch; the innermost body takes from each level. */
static ow nested_graph(void)
{
    ow g = start(), loop = ow_graph("loop"), outer = ow_graph("outer");
    const int64_t two = 2;
    add_weight(&g, "w");
    ow_add(&g, OW_WEIGHT, ow_tensor("m", OW_INT64, "", &two, sizeof two));
    ow_add_node(&g, "Relu", "x", "a");
    ow_value(&loop, OW_INPUT, "i", OW_INT64, "");
    ow_value(&loop, OW_INPUT, "go", OW_BOOL, "");
    ow_value(&loop, OW_INPUT, "v", OW_FLOAT, "1,1,1");
    ow_value(&loop, OW_OUTPUT, "go", 0, NULL);
    ow_value(&loop, OW_OUTPUT, "v2", OW_DOUBLE, "2,n");
    ow_value(&loop, OW_OUTPUT, "a", 0, NULL);
    ow_add_node(&loop, "Sum", "v,a,b,w,k", "v2");
    ow_value(&outer, OW_OUTPUT, "last", 0, NULL);
    ow_add_node(&outer, "Neg", "x", "b");
    ow k = ow_node("Constant", "", "k"), n = ow_node("Loop", "m,c,b", "last,all");
    ow_attr_float(&k, "value_float", 1);
    ow_add(&outer, OW_NODE, k);
    ow_attr_graph(&n, "body", loop);
    ow_add(&outer, OW_NODE, n);
    ow both = ow_node("If", "c", "y");
    ow_attr_graph(&both, "then_branch", outer);
    ow_attr_graph(&both, "else_branch", branch("Identity", "x", "e"));
    ow_add(&g, OW_NODE, both);
    return g;
}

static void nested_bodies(void)
{
    opened o;
    open_graph(&o, nested_graph());
    const het__graph *r = &o.onnx.graph;
    CHECK_STR(shown(r), "Relu(x)->a If(c,x,c,a)->y | y");
    const het__graph *t = body_of(r, 1, "then_branch");
    CHECK_STR(shown(t), "Neg(x)->b Loop(m*,c,b,a,b)->last,all | last");
    CHECK_STR(inputs_of(t), "x,c,a");
    const het__graph *l = body_of(t, 1, "body");
    CHECK_STR(shown(l),
              "Sum(v,a,b,w*,k*)->v2 Identity(go)->go Identity(a)->a | go v2 a");
    CHECK_STR(inputs_of(l), "i,go,v,a,b");
    CHECK_INT(attr_of(t, 1, "body", HET__ATTR_GRAPH)->count, 2);
    CHECK_INT(l->values[1].dtype, HET_DTYPE_BOOL);
    CHECK_INT(l->values[2].rank, 3); /* as declared, though a loop may change it */
    CHECK_INT(l->values[3].rank, HET__RANK_UNKNOWN);
    CHECK_INT(l->values[l->outputs[1]].dtype, HET_DTYPE_F64);
    CHECK_INT(l->values[l->outputs[1]].extent[0].count, 2);
    CHECK_STR(l->symbol_names[l->values[l->outputs[1]].extent[1].symbol], "n");
    close_model(&o);
}

/* The model with x = 1, -2, 3. */
static void check_run(ow model, bool c, float y0, float y1, float y2)
{
    float x[3] = { 1, -2, 3 };
    uint8_t flag = c;
    const het__tensor inputs[2] = { { HET_DTYPE_F32, 2, { 1, 3 }, x },
                                    { HET_DTYPE_BOOL, 0, { 0 }, &flag } };
    const het__interpreter how = { .mem = &mem };
    const float want[3] = { y0, y1, y2 };
    het__tensor y = { HET_DTYPE_NONE, 0, { 0 }, NULL };
    opened o;
    open_model(&o, model);
    CHECK_INT(o.status, HET_OK);
    CHECK_INT(het__interpret(&how, &o.onnx.graph, inputs, 2, &y, 1, &o.err), HET_OK);
    CHECK_STR(o.err.message, "");
    CHECK_INT(y.data ? het__tensor_bytes(&y) : -1, sizeof want);
    for (int i = 0; i < 3 && y.data && het__tensor_bytes(&y) == sizeof want; i++)
        CHECK_NEAR(((const float *)y.data)[i], want[i], 0);
    het__tensor_finish(&mem, &y);
    close_model(&o);
}

static void nested_bodies_run(void)
{
    check_run(ow_model(9, OPSET, nested_graph()), true, 3, 12, 5);
    check_run(ow_model(9, OPSET, nested_graph()), false, 1, -2, 3);
}

static void names_inside(void)
{
    opened o;
    /* A name of the body hides the same name around it. */
    ow g = start(), n = ow_node("If", "c", "y"), b = ow_graph("b");
    ow_value(&b, OW_OUTPUT, "z", 0, NULL);
    ow_add_node(&b, "Neg", "x", "a");
    ow_add_node(&b, "Neg", "a", "z");
    ow_attr_graph(&n, "then_branch", b);
    ow_add(&g, OW_NODE, n);
    ow_add_node(&g, "Relu", "y", "a");
    open_graph(&o, g);
    CHECK_STR(shown(&o.onnx.graph), "If(c,x)->y Relu(y)->a | y");
    close_model(&o);
    /* What stands in a body is not seen outside. */
    g = start();
    n = ow_node("If", "c", "a");
    ow_attr_graph(&n, "then_branch", branch("Neg", "x", "z"));
    ow_add(&g, OW_NODE, n);
    ow_add_node(&g, "Relu", "z", "y");
    refuse(g, HET_E_FORMAT, "y uses z, which nothing makes");
    g = start();
    n = ow_node("If", "c", "y");
    ow_attr_graph(&n, "then_branch", branch("Neg", "nowhere", "z"));
    ow_add(&g, OW_NODE, n);
    refuse(g, HET_E_FORMAT, "z uses nowhere, which nothing makes");
    /* A body cannot wait for its own node. */
    g = start();
    n = ow_node("If", "c", "y");
    ow_attr_graph(&n, "then_branch", branch("Neg", "y", "z"));
    ow_add(&g, OW_NODE, n);
    refuse(g, HET_E_FORMAT, "cycle");
}

static ow deep_graph(int depth)
{
    ow b = branch("Neg", "x", "z");
    for (int i = 1; i < depth; i++) {
        ow n = ow_node("If", "c", "z"), around = ow_graph("around");
        ow_value(&around, OW_OUTPUT, "z", 0, NULL);
        ow_attr_graph(&n, "then_branch", b);
        ow_add(&around, OW_NODE, n);
        b = around;
    }
    ow g = start(), n = ow_node("If", "c", "y");
    ow_attr_graph(&n, "then_branch", b);
    ow_add(&g, OW_NODE, n);
    return g;
}

static void depth(void)
{
    opened o;
    open_graph(&o, deep_graph(31));
    CHECK_INT(o.onnx.body_count, 31);
    close_model(&o);
    refuse(deep_graph(32), HET_E_UNSUPPORTED, "nested deeper than 32");
    refuse(deep_graph(500), HET_E_UNSUPPORTED, "nested deeper than 32");
    ow g = start(), n = ow_node("a:B", "c", "y");
    for (int i = 0; i < 5; i++)
        ow_attr_graph(&n, "body", branch("Neg", "x", "z"));
    ow_add(&g, OW_NODE, n);
    refuse(g, HET_E_UNSUPPORTED, "more than 4 bodies");
    g = start();
    n = ow_node("a:B", "c", "y");
    for (int i = 0; i < 1025; i++)
        ow_attr_int(&n, "i", i);
    ow_add(&g, OW_NODE, n);
    refuse(g, HET_E_UNSUPPORTED, "more than 1024 attributes");
}

/* ---- functions ---- */

static void functions(void)
{
    opened o;
    ow g = start();
    ow_add_node(&g, "f:Twice", "x", "a");
    ow_add_node(&g, "f:Scale", "a,", "b");
    ow n = ow_node("f:Scale", "b,c", "y");
    ow_attr_float(&n, "by", 4);
    ow_text(&n, OW_NODE_NAME, "last");
    ow_add(&g, OW_NODE, n);
    ow m = ow_model(9, OPSET, g);
    ow f = ow_function("f", "Twice", "p", "q");
    ow_add(&f, OW_FN_OPSET, ow_opset("", 13));
    ow_add(&f, OW_FN_NODE, ow_node("f:Once", "p", "i"));
    ow_add(&f, OW_FN_NODE, ow_node("f:Once", "i", "q"));
    ow_add(&m, OW_FUNCTION, f);
    f = ow_function("f", "Once", "p", "q"); /* called before it is there */
    ow_add(&f, OW_FN_NODE, ow_node("Relu", "p", "q"));
    ow_add(&m, OW_FUNCTION, f);
    f = ow_function("f", "Scale", "p,r,s", "q,unused");
    n = ow_node("Elu", "p", "e");
    ow_attr_reference(&n, "alpha", 1, "by");
    ow_attr_reference(&n, "left", 1, "out");
    ow_add(&f, OW_FN_NODE, n);
    ow_add(&f, OW_FN_NODE, ow_node("Clip", "e,r,s", "q"));
    ow_add(&f, OW_FN_NODE, ow_node("Neg", "q", "unused"));
    ow by = ow_attr("by", 1);
    ow_float(&by, 2, 3);
    ow_add(&f, OW_FN_DEFAULT, by);
    ow_add(&m, OW_FUNCTION, f);
    open_model(&o, m);
    CHECK_INT(o.status, HET_OK);
    CHECK_STR(o.err.message, "");
    const het__graph *r = &o.onnx.graph;
    CHECK_STR(shown(r), "Relu(x)->a/i Relu(a/i)->a "
                        "Elu(a)->b/e Clip(b/e,-,-)->b Neg(b)->b/unused "
                        "Elu(b)->last/e Clip(last/e,c,-)->y Neg(y)->last/unused | y");
    CHECK_INT(r->nodes[0].attrs.tensor.opset, OPSET); /* Once says nothing itself */
    CHECK_INT(r->nodes[2].attrs.tensor.count, 1);
    CHECK_NEAR(het__attr_float(&r->nodes[2].attrs.tensor, "alpha", 0), 3, 0);
    CHECK_NEAR(het__attr_float(&r->nodes[5].attrs.tensor, "alpha", 0), 4, 0);
    CHECK_INT(o.onnx.unknown_count, 0);
    close_model(&o);
}

/* A body in a function: it sees the names of the function, and its attributes. */
static ow choosing_model(void)
{
    ow g = start();
    ow n = ow_node("f:Choose", "c,x", "y");
    ow_attr_float(&n, "k", 7);
    ow_add(&g, OW_NODE, n);
    ow m = ow_model(9, OPSET, g), f = ow_function("f", "Choose", "which,p", "q");
    n = ow_node("If", "which", "q");
    ow b = ow_graph("b"), v = ow_node("Constant", "", "seven");
    ow_value(&b, OW_OUTPUT, "t", 0, NULL);
    ow_attr_reference(&v, "value_float", 1, "k");
    ow_add(&b, OW_NODE, v);
    ow_add_node(&b, "f:Plus", "p,seven", "t");
    ow_attr_graph(&n, "then_branch", b);
    ow_attr_graph(&n, "else_branch", branch("Identity", "p", "e"));
    ow_add(&f, OW_FN_NODE, n);
    ow_add(&f, OW_FN_OPSET, ow_opset("", 11));
    ow_add(&m, OW_FUNCTION, f);
    f = ow_function("f", "Plus", "a,b", "sum");
    ow_add(&f, OW_FN_NODE, ow_node("Add", "a,b", "sum"));
    ow_add(&m, OW_FUNCTION, f);
    return m;
}

static void bodies_in_functions(void)
{
    opened o;
    open_model(&o, choosing_model());
    CHECK_INT(o.status, HET_OK);
    CHECK_STR(o.err.message, "");
    const het__graph *r = &o.onnx.graph;
    CHECK_STR(shown(r), "If(c,x)->y | y");
    CHECK_INT(r->nodes[0].attrs.tensor.opset, 11);
    const het__graph *t = body_of(r, 0, "then_branch");
    CHECK_INT(t->nodes[0].op, HET__OP_T_ADD);
    const het__value *seven = &t->values[t->nodes[0].inputs[1]];
    CHECK_INT(seven->kind, HET__VALUE_CONST);
    CHECK_INT(seven->dtype, HET_DTYPE_F32);
    close_model(&o);
    check_run(choosing_model(), true, 8, 5, 10);
    check_run(choosing_model(), false, 1, -2, 3);
}

static ow model_calling(const char *type, const char *inputs, const char *outputs)
{
    ow g = start();
    ow_add_node(&g, type, inputs, outputs);
    return ow_model(9, OPSET, g);
}

static ow simple_function(const char *name, const char *calls)
{
    ow f = ow_function("f", name, "p", "q");
    ow_add(&f, OW_FN_NODE, ow_node(calls, "p", "q"));
    return f;
}

/* A function is found by all of its names, and before what the library knows. */
static void functions_by_name(void)
{
    opened o;
    ow g = start(), n = ow_node("f:A", "x", "a"), f = simple_function("A", "Neg");
    ow_text(&n, OW_NODE_OVERLOAD, "second");
    ow_add(&g, OW_NODE, n);
    ow_add_node(&g, "f:A", "a", "b");
    ow_add_node(&g, "g:A", "b", "d");
    ow_add_node(&g, "Relu", "d", "y");
    ow m = ow_model(9, OPSET, g);
    ow_text(&f, 13, "second");
    ow_add(&m, OW_FUNCTION, f);
    ow_add(&m, OW_FUNCTION, simple_function("A", "Abs"));
    f = ow_function("ai.onnx", "Relu", "p", "q");
    ow_add(&f, OW_FN_NODE, ow_node("Sign", "p", "q"));
    ow_add(&m, OW_FUNCTION, f);
    open_model(&o, m);
    CHECK_INT(o.status, HET_OK);
    CHECK_STR(shown(&o.onnx.graph), "Neg(x)->a Abs(a)->b g:A(b)->d Sign(d)->y | y");
    close_model(&o);
    /* What the call leaves out is left out inside, and where it is handed on. */
    g = start();
    ow_add_node(&g, "f:Pass", ",x", "a,b");
    ow_add_node(&g, "Clip", "b,a,c", "y");
    m = ow_model(9, OPSET, g);
    ow_add(&m, OW_FUNCTION, ow_function("f", "Pass", "p,q", "p,q"));
    open_model(&o, m);
    CHECK_INT(o.status, HET_OK);
    CHECK_STR(shown(&o.onnx.graph), "Clip(x,-,c)->y | y");
    close_model(&o);
}

/* An input that the call leaves out is left out in bodies of the function too. */
static void left_out_inside(void)
{
    opened o;
    ow g = start(), f = ow_function("f", "Choose", "which,p,low", "q");
    ow n = ow_node("If", "which", "q");
    ow_attr_graph(&n, "then_branch", branch("Clip", "p,low", "t"));
    ow_add(&f, OW_FN_NODE, n);
    ow_add_node(&g, "f:Choose", "c,x", "y");
    ow m = ow_model(9, OPSET, g);
    ow_add(&m, OW_FUNCTION, f);
    open_model(&o, m);
    CHECK_INT(o.status, HET_OK);
    CHECK_STR(shown(&o.onnx.graph), "If(c,x)->y | y");
    CHECK_STR(shown(body_of(&o.onnx.graph, 0, "then_branch")), "Clip(p,-)->t | t");
    close_model(&o);
}

/* Functions that take a graph from the call, as an attribute. */
static void graphs_in_calls(void)
{
    ow g = start(), f = ow_function("f", "Choose", "which", "q");
    ow n = ow_node("If", "which", "q");
    ow_attr_reference(&n, "then_branch", 5, "then");
    ow_add(&f, OW_FN_NODE, n);
    n = ow_node("f:Choose", "c", "y");
    ow_attr_graph(&n, "then", branch("Neg", "x", "t"));
    ow_add(&g, OW_NODE, n);
    ow m = ow_model(9, OPSET, g);
    ow_add(&m, OW_FUNCTION, f);
    refuse_model(m, HET_E_UNSUPPORTED, "node q takes graph then from a call");
}

static void broken_functions(void)
{
    ow m = model_calling("f:A", "x", "y");
    ow_add(&m, OW_FUNCTION, simple_function("A", "f:B"));
    ow_add(&m, OW_FUNCTION, simple_function("B", "f:A"));
    refuse_model(m, HET_E_FORMAT, "calls itself");
    m = model_calling("f:A", "x,c", "y");
    ow_add(&m, OW_FUNCTION, simple_function("A", "Relu"));
    refuse_model(m, HET_E_FORMAT, "function A takes 1 inputs, not 2");
    m = model_calling("f:A", "x", "y,z");
    ow_add(&m, OW_FUNCTION, simple_function("A", "Relu"));
    refuse_model(m, HET_E_FORMAT, "function A has 1 outputs, not 2");
    m = model_calling("f:A", "x", "y");
    ow_add(&m, OW_FUNCTION, simple_function("A", "Relu"));
    ow_add(&m, OW_FUNCTION, simple_function("A", "Relu"));
    refuse_model(m, HET_E_FORMAT, "function A is there twice");
    /* A function does not see the names around its call. */
    ow f = ow_function("f", "A", "p", "q");
    ow_add(&f, OW_FN_NODE, ow_node("Add", "p,x", "q"));
    m = model_calling("f:A", "x", "y");
    ow_add(&m, OW_FUNCTION, f);
    refuse_model(m, HET_E_FORMAT, "uses x, which nothing makes");
    f = ow_function("f", "A", "p", "q");
    ow_add(&f, OW_FN_OPSET, ow_opset("", 99));
    m = model_calling("f:A", "x", "y");
    ow_add(&m, OW_FUNCTION, f);
    refuse_model(m, HET_E_VERSION, "99");
    ow g = start(), n = ow_node("Elu", "x", "y");
    ow_attr_reference(&n, "alpha", 1, "by");
    ow_add(&g, OW_NODE, n);
    refuse(g, HET_E_FORMAT, "refers to attribute by of a function");
}

/* Each calls the next one twice: what comes of it has a limit. */
static void explosion(void)
{
    ow m = model_calling("f:F0", "x", "y");
    for (int i = 0; i < 30; i++) {
        char name[8], next[8];
        snprintf(name, sizeof name, "F%d", i);
        snprintf(next, sizeof next, i == 29 ? "Relu" : "f:F%d", i + 1);
        ow f = ow_function("f", name, "p", "q");
        ow_add(&f, OW_FN_NODE, ow_node(next, "p", "i"));
        ow_add(&f, OW_FN_NODE, ow_node(next, "i", "q"));
        ow_add(&m, OW_FUNCTION, f);
    }
    refuse_model(m, HET_E_UNSUPPORTED, "too much");
    m = model_calling("f:F0", "x", "y");
    for (int i = 0; i < 40; i++) {
        char name[8], next[8];
        snprintf(name, sizeof name, "F%d", i);
        snprintf(next, sizeof next, "f:F%d", i + 1);
        ow_add(&m, OW_FUNCTION, simple_function(name, next));
    }
    refuse_model(m, HET_E_UNSUPPORTED, "nested deeper");
    /* Calls in bodies in calls. */
    m = model_calling("f:F0", "c", "y");
    for (int i = 0; i < 20; i++) {
        char name[8], next[8];
        snprintf(name, sizeof name, "F%d", i);
        snprintf(next, sizeof next, i == 19 ? "Not" : "f:F%d", i + 1);
        ow f = ow_function("f", name, "p", "q"), n = ow_node("If", "p", "q");
        ow_attr_graph(&n, "then_branch", branch(next, "p", "t"));
        ow_add(&f, OW_FN_NODE, n);
        ow_add(&m, OW_FUNCTION, f);
    }
    refuse_model(m, HET_E_UNSUPPORTED, "calls and bodies are nested deeper");
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(ends);
    test_case(open_extents);
    test_case(outputs_by_identity);
    test_case(names_left_out);
    test_case(order);
    test_case(broken_names);
    test_case(wrong_counts);
    test_case(attributes);
    test_case(odd_attributes);
    test_case(broken_attributes);
    test_case(constants);
    test_case(operations_by_domain);
    test_case(two_bodies);
    test_case(nested_bodies);
    test_case(nested_bodies_run);
    test_case(names_inside);
    test_case(depth);
    test_case(functions);
    test_case(bodies_in_functions);
    test_case(functions_by_name);
    test_case(left_out_inside);
    test_case(graphs_in_calls);
    test_case(broken_functions);
    test_case(explosion);
    return test_finish();
}

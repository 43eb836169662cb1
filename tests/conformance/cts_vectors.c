/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's results in double precision (tests/vectors/make_ops.py) on every device: the one part of
 * the suite that judges "ref" as well. The vectors' own tolerances are of rounding once to F32; a
 * device that sums in F32 is allowed what the suite's table says. */
#include "cts.h"

#include "lib/quant/quant.h"

typedef struct ops_tensor {
    het__value_kind kind;
    het_dtype dtype; /* HET_DTYPE_NONE: absent */
    const void *data;
    const double *after; /* of a state: its elements after the step */
    uint32_t rank;
    het__extent extent[4];
} ops_tensor;

typedef struct ops_result {
    uint32_t rank;
    het__extent extent[2];
    const double *want;
} ops_result;

typedef struct ops_case {
    const char *name;
    het__op op;
    double tolerance; /* times the larger of 1 and the wanted value */
    het__attrs attrs;
    int64_t symbols[HET__SYM_COUNT];
    uint32_t input_count;
    ops_tensor inputs[HET__ATTN_INPUT_COUNT];
    uint32_t output_count;
    ops_result outputs[3];
} ops_case;

#define N(count) { count, HET__SYM_ONE }
#define S(name) { 1, HET__SYM_##name }
#define INPUT(dtype, ...) { HET__VALUE_INPUT, HET_DTYPE_##dtype, __VA_ARGS__ }
#define CONST(dtype, ...) { HET__VALUE_CONST, HET_DTYPE_##dtype, __VA_ARGS__ }
#define STATE(dtype, ...) { HET__VALUE_STATE, HET_DTYPE_##dtype, __VA_ARGS__ }
#define ABSENT { .dtype = HET_DTYPE_NONE }

#include "../vectors/ops.h"

/* Data by value, in the case's user pointer. */
static bool fill(const cts_case *c, uint32_t step, uint32_t value, void *data, size_t bytes)
{
    const void *const *contents = c->user;
    (void)step;
    if (contents[value])
        memcpy(data, contents[value], bytes);
    return contents[value] != NULL;
}

static cts_case *build(const ops_case *o, uint32_t *inputs)
{
    cts_case *c = cts_begin(het__op_info_of(o->op)->name, "NumPy: %s", o->name);
    if (!c)
        return NULL;
    const void **contents = cts_bytes(c, CTS_VALUES_MAX * sizeof *contents);
    c->user = contents;
    c->fill = fill;
    for (int i = HET__SYM_TOKENS; i < HET__SYM_COUNT; i++) {
        c->steps[0].symbols[i] = o->symbols[i];
        c->symbols_max[i] = i == HET__SYM_STATE_PAGES ? o->symbols[i] : 3 * o->symbols[i];
    }
    for (uint32_t i = 0; i < o->input_count; i++) {
        const ops_tensor *t = &o->inputs[i];
        inputs[i] = HET__NO_VALUE;
        if (t->dtype == HET_DTYPE_NONE)
            continue;
        inputs[i] = het__graph_value(&c->graph, "x", t->kind, t->dtype, t->rank, t->extent);
        if (inputs[i] == HET__NO_VALUE)
            return c;
        if (t->kind == HET__VALUE_CONST)
            c->graph.values[inputs[i]].data = t->data;
        else
            contents[inputs[i]] = t->data;
    }
    cts_node(c, o->op, inputs, o->input_count, &o->attrs);
    return c;
}

/* Terms of the case's longest sum, generously: the widest input. */
static int64_t terms_of(const cts_case *c)
{
    int64_t most = 1;
    for (uint32_t v = 0; v < c->graph.value_count; v++) {
        int64_t rows, columns;
        het__value_matrix(&c->graph.values[v], c->steps[0].symbols, &rows, &columns);
        most = columns > most ? columns : most;
    }
    return most;
}

static bool judge(cts_run *r, const ops_case *o, uint32_t value, const double *want,
                  const char *what)
{
    const cts_case *c = r->c;
    const het__value *v = &c->graph.values[value];
    const int64_t count = het__value_elements(v, c->steps[0].symbols);
    const size_t bytes = (size_t)het__value_bytes(v, c->steps[0].symbols);
    float *got = malloc((size_t)count * sizeof *got + 1);
    void *data = malloc(bytes + 1);
    het_error err = HET_ERROR_INIT;
    double largest = 1;
    bool good = got && data && cts_read(r, value, data, bytes, &err) == HET_OK;
    if (good)
        het__decoder(v->dtype)(data, got, count);
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(want[i]));
    const double table = cts_tolerance(o->op, terms_of(c), HET_DTYPE_NONE, false) * largest;
    for (int64_t i = 0; good && i < count; i++) {
        const double tolerance = fmax(table, o->tolerance * fmax(1, fabs(want[i])));
        if (fabs((double)got[i] - want[i]) <= tolerance)
            continue;
        cts_fail(cts_row_of(c->row), c->name, "%s[%" PRId64 "] = %.9g, want %.9g within %.3g", what,
                 i, (double)got[i], want[i], tolerance);
        good = false;
    }
    free(got);
    free(data);
    return good;
}

static void run_case(const ops_case *o)
{
    static cts_run r;
    uint32_t inputs[HET__ATTN_INPUT_COUNT];
    het_error err = HET_ERROR_INIT;
    char reason[200] = "";
    cts_case *c = build(o, inputs);
    cts_row *row = c ? cts_row_of(c->row) : NULL;
    if (!c)
        return;
    row->cases++;
    test_checks++;
    if (c->graph.failed) {
        cts_fail(row, c->name, "the case is wrong");
        return;
    }
    if (!cts_supports(&cts.exact, c, reason, sizeof reason)) {
        if (!row->refused++)
            snprintf(row->reason, sizeof row->reason, "%s", reason);
        return;
    }
    if (cts.options.only_ask)
        return;
    het_status s = cts_prepare(&r, &cts.exact, c, CTS_TOGETHER, &err);
    if (s == HET_OK)
        s = cts_feed(&r, 0, true, &err);
    if (s == HET_OK)
        s = cts_go(&r, 0, &err);
    if (s != HET_OK)
        cts_fail(row, c->name, "%s: %s", het_status_name(s), err.message);
    for (uint32_t i = 0; s == HET_OK && i < o->output_count; i++)
        judge(&r, o, c->graph.nodes[0].outputs[i], o->outputs[i].want, "output");
    for (uint32_t i = 0; s == HET_OK && i < o->input_count; i++)
        if (o->inputs[i].after)
            judge(&r, o, inputs[i], o->inputs[i].after, "state");
    cts_release(&r);
}

void cts_vectors(void)
{
    for (size_t g = 0; g < sizeof ops_groups / sizeof *ops_groups; g++)
        for (size_t i = 0; i < ops_groups[g].count; i++)
            run_case(&ops_groups[g].cases[i]);
}

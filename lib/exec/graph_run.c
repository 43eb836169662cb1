/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of a graph: one per set of input shapes, compiled or interpreted. */
#include "lib/exec/graph_run.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/bind.h"
#include "lib/exec/registry.h"
#include "lib/passes/passes.h"
#include "lib/passes/specialise.h"
#include "lib/plain/plain.h"

#define FORMS_DEFAULT 4
/* A program is cancelled at its end, so one holds about this much work. */
#define LAYER_FLOPS 1e8
/* Inputs of so few bytes may decide what runs: a switch, a shape, an index. */
#define DECIDING_BYTES_MAX 64
/* Forms made for contents that came but once; more of them, and contents decide no more. */
#define PASSING_FORMS_MAX 8

typedef struct form {
    het__tensor *shapes; /* of the inputs; data: contents that this form is for, or NULL */
    unsigned char *contents; /* memory of these */
    bool waits;          /* for contents, which may decide what was left open */
    het__graph graph;
    het__exec *exec;     /* NULL: interpreted */
    het__binding binding; /* of exec's inputs and outputs */
    uint64_t used;       /* number of the run that used it last; 0: an empty slot */
    uint64_t runs;
} form;

struct het__graph_run {
    het__mem *mem;
    het__graph_run_request request;
    uint32_t input_count, output_count;
    uint32_t *inputs; /* values of the graph */
    form *forms;
    uint32_t form_count;
    form *last;
    bool *decides;          /* per input, for the form in the making */
    uint32_t passing_forms; /* made for contents and given up unused */
    het__recovery recovery;
    het__tensor *owned, *fresh; /* outputs of an interpreted run, of the one in progress */
    uint64_t runs;
    uint64_t copied_bytes;
};

/* ---- create, destroy ---- */

static void finish_form(het__graph_run *r, form *f)
{
    het__exec_destroy(f->exec);
    het__graph_finish(&f->graph);
    het__free(r->mem, f->shapes);
    het__free(r->mem, f->contents);
    het__binding_finish(&f->binding, r->mem);
    if (r->last == f)
        r->last = NULL;
    memset(f, 0, sizeof *f);
}

static void free_tensors(const het__graph_run *r, het__tensor *tensors)
{
    for (uint32_t o = 0; tensors && o < r->output_count; o++)
        het__tensor_finish(r->mem, &tensors[o]);
}

void het__graph_run_destroy(het__graph_run *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; r->forms && i < r->form_count; i++)
        finish_form(r, &r->forms[i]);
    free_tensors(r, r->owned);
    het__free(r->mem, r->owned);
    het__free(r->mem, r->fresh);
    het__free(r->mem, r->forms);
    het__free(r->mem, r->inputs);
    het__free(r->mem, r->decides);
    het__free(r->mem, r);
}

het_status het__graph_run_create(const het__graph_run_request *request, het__graph_run **run,
                                 het_error *err)
{
    het__mem *mem = request->registry->host.mem;
    const het__graph *g = request->graph;
    het__graph_run *r = het__alloc_zero(mem, 1, sizeof *r);
    *run = NULL;
    if (!r)
        return het__fail_nomem(err, "a graph's session");
    r->mem = mem;
    r->request = *request;
    r->form_count = request->forms_max ? request->forms_max : FORMS_DEFAULT;
    r->output_count = g->output_count;
    r->forms = het__alloc_zero(mem, r->form_count, sizeof *r->forms);
    r->owned = het__alloc_zero(mem, g->output_count ? g->output_count : 1, sizeof *r->owned);
    r->fresh = het__alloc_zero(mem, g->output_count ? g->output_count : 1, sizeof *r->fresh);
    r->inputs = het__alloc_zero(mem, g->value_count ? g->value_count : 1, sizeof *r->inputs);
    r->decides = het__alloc_zero(mem, g->value_count ? g->value_count : 1, sizeof *r->decides);
    if (!r->forms || !r->owned || !r->fresh || !r->inputs || !r->decides) {
        het__graph_run_destroy(r);
        return het__fail_nomem(err, "a graph's session");
    }
    for (uint32_t v = 0; v < g->value_count; v++)
        if (g->values[v].kind == HET__VALUE_INPUT)
            r->inputs[r->input_count++] = v;
    het__recovery_init(&r->recovery, request->registry, request->device_mask, request->policy);
    for (uint32_t n = 0; n < g->node_count; n++)
        r->recovery.spares_hosts = r->recovery.spares_hosts || g->nodes[n].op == HET__OP_T_CUSTOM;
    *run = r;
    return HET_OK;
}

/* ---- inputs against what the model says ---- */

static het_status wrong_extent(const het__value *v, uint32_t axis, int64_t got, int64_t want,
                               het_error *err)
{
    return het__fail(err, HET_E_INVALID, "input %s: extent %u is %lld where the model has %lld",
                     v->name, axis, (long long)got, (long long)want);
}

static het_status check_input(const het__value *v, const het__tensor *t, int64_t *symbols,
                              het_error *err)
{
    if (v->dtype != t->dtype)
        return het__fail(err, HET_E_INVALID, "input %s: type %s where the model has %s", v->name,
                         het_dtype_name(t->dtype), het_dtype_name(v->dtype));
    if (!het__value_is_known(v))
        return HET_OK;
    if (v->rank != t->rank)
        return het__fail(err, HET_E_INVALID, "input %s: %u extents where the model has %u",
                         v->name, t->rank, v->rank);
    for (uint32_t i = 0; i < v->rank; i++) {
        const het__extent e = v->extent[i];
        if (t->extent[i] < 0)
            return wrong_extent(v, i, t->extent[i], 0, err);
        if (e.symbol == HET__SYM_ONE) {
            if (t->extent[i] != e.count)
                return wrong_extent(v, i, t->extent[i], e.count, err);
        } else if (symbols[e.symbol] < 0) {
            symbols[e.symbol] = t->extent[i];
        } else if (symbols[e.symbol] != t->extent[i]) {
            return wrong_extent(v, i, t->extent[i], symbols[e.symbol], err);
        }
    }
    return HET_OK;
}

static het_status check_inputs(const het__graph_run *r, const het__tensor *inputs, het_error *err)
{
    int64_t symbols[HET__SYM_MAX];
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = -1;
    for (uint32_t i = 0; i < r->input_count; i++) {
        const het__value *v = &r->request.graph->values[r->inputs[i]];
        const het_status s = check_input(v, &inputs[i], symbols, err);
        if (s != HET_OK)
            return s;
        if (het__tensor_bytes(&inputs[i]) < 0)
            return het__fail(err, HET_E_INVALID, "input %s has an impossible size", v->name);
    }
    return HET_OK;
}

/* ---- forms ---- */

/* Whether contents of this input may decide what runs; floats and large tensors are what is run
 * on. */
static bool may_decide(const het__tensor *input)
{
    switch (input->dtype) {
    case HET_DTYPE_BOOL:
    case HET_DTYPE_I32:
    case HET_DTYPE_I64:
        return input->data && het__tensor_bytes(input) <= DECIDING_BYTES_MAX;
    default:
        return false;
    }
}

static bool choose_deciding(het__graph_run *r, const het__tensor *inputs)
{
    bool any = false;
    for (uint32_t i = 0; i < r->input_count; i++) {
        r->decides[i] = may_decide(&inputs[i]);
        any = any || r->decides[i];
    }
    return any && r->passing_forms < PASSING_FORMS_MAX;
}

static bool fits(const het__tensor *input, const het__tensor *of_form)
{
    if (!het__tensor_same_extents(input, of_form))
        return false;
    return !of_form->data ||
           (input->data &&
            memcmp(input->data, of_form->data, (size_t)het__tensor_bytes(of_form)) == 0);
}

/* A form that was made without contents is passed over where they may help. */
static form *find_form(het__graph_run *r, const het__tensor *inputs)
{
    const bool can_decide = choose_deciding(r, inputs);
    for (uint32_t f = 0; f < r->form_count; f++) {
        bool same = r->forms[f].used != 0 && !(can_decide && r->forms[f].waits);
        for (uint32_t i = 0; same && i < r->input_count; i++)
            same = fits(&inputs[i], &r->forms[f].shapes[i]);
        if (same)
            return &r->forms[f];
    }
    return NULL;
}

static form *free_slot(het__graph_run *r)
{
    form *oldest = &r->forms[0];
    for (uint32_t f = 1; f < r->form_count; f++)
        if (r->forms[f].used < oldest->used)
            oldest = &r->forms[f];
    if (oldest->used) {
        r->passing_forms += oldest->contents && oldest->runs < 2;
        finish_form(r, oldest);
    }
    return oldest;
}

void het__graph_run_layers(het__graph *g, const int64_t *symbols)
{
    double flops = 0;
    int32_t layer = 0;
    for (uint32_t n = 0; n < g->node_count; n++) {
        het__work work;
        het__node_work(g, &g->nodes[n], symbols, &work);
        if (flops > 0 && flops + work.flops > LAYER_FLOPS) {
            layer++;
            flops = 0;
        }
        flops += work.flops;
        g->nodes[n].layer = layer;
    }
}

static int ask_cancel(void *user, double fraction, const char *what)
{
    _Atomic uint32_t *cancel = user;
    (void)fraction;
    (void)what;
    return atomic_load(cancel) != 0;
}

static het_status compile(het__graph_run *r, form *f, uint32_t unfused, _Atomic uint32_t *cancel,
                          het_error *err)
{
    const het__graph_run_request *q = &r->request;
    het__exec_request request = {
        .registry = q->registry, .graph = &f->graph, .unfused_count = unfused,
        .threads = q->threads, .precision = q->precision,
        .pin_threads = q->pin_threads, .parallel = q->parallel,
        .parallel_user = q->parallel_user, .phase_count = 1, .validate = q->validate,
        .progress = cancel ? ask_cancel : NULL, .progress_user = cancel,
        .trace = q->trace, .lends = true,
        .constant_copied = q->constant_idle, .constant_user = q->constant_user,
    };
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        request.symbols_max[0][i] = 1;
    het__graph_run_layers(&f->graph, request.symbols_max[0]);
    const het_status s = het__recovery_create(&r->recovery, &request, cancel, &f->exec, err);
    if (s != HET_OK)
        return s;
    return het__binding_init(&f->binding, r->mem, f->exec, &f->graph, q->graph, r->inputs,
                             r->input_count, err);
}

/* A node that cannot run is named before its outputs' extents are missed. */
static het_status check_known(const het__graph *g, het_error *err)
{
    for (uint32_t n = 0; n < g->node_count; n++) {
        const het__attr_list *attrs = &g->nodes[n].attrs.tensor;
        if (g->nodes[n].op == HET__OP_T_UNKNOWN)
            return het__fail(err, HET_E_UNSUPPORTED, "node %s: operation %s %s", g->nodes[n].name,
                             attrs->type, attrs->partial
                                              ? "has attributes of a kind that is not read"
                                              : "is not known");
    }
    return HET_OK;
}

/* Images in the layout of the first device that has one of its own. */
static het__pass_options pass_options(const het__graph_run *r)
{
    const het__graph_run_request *q = &r->request;
    het__pass_options options = q->passes;
    for (uint32_t i = 0; i < q->registry->count && options.block == 0; i++) {
        const het__backend *b = q->registry->device[i].backend;
        if ((r->recovery.mask >> i & 1) && b->image_block)
            options.block = b->image_block(&q->registry->host);
    }
    return options;
}

/* For these extents; where they leave extents or branches open, for contents of small inputs too,
 * if that helps: *decided says so, and r->decides which. */
static het_status specialise(het__graph_run *r, het__graph *graph, const het__tensor *inputs,
                             het__specialise_report *report, bool *waits, bool *decided,
                             het_error *err)
{
    het__specialise_request q = { .graph = r->request.graph, .inputs = inputs,
                                  .input_count = r->input_count, .work_max = r->request.work_max };
    *decided = false;
    const het_status s = het__specialise_for(&q, r->mem, graph, report, err);
    const bool is_open = s == HET_OK && report->open + report->undecided > 0;
    const bool can_decide = choose_deciding(r, inputs);
    *waits = is_open && !can_decide;
    if (!is_open || !can_decide)
        return s;
    het__graph other;
    het__specialise_report better;
    q.known = r->decides;
    if (het__specialise_for(&q, r->mem, &other, &better, NULL) != HET_OK)
        return HET_OK;
    *decided = better.open + better.undecided < report->open + report->undecided;
    het__graph_finish(*decided ? graph : &other);
    if (*decided) {
        *graph = other;
        *report = better;
    }
    return HET_OK;
}

/* What a form is for. */
static bool keep_shapes(het__graph_run *r, form *f, const het__tensor *inputs, bool decided)
{
    size_t bytes = 0;
    for (uint32_t i = 0; decided && i < r->input_count; i++)
        bytes += r->decides[i] ? (size_t)het__tensor_bytes(&inputs[i]) : 0;
    f->shapes = het__alloc_zero(r->mem, r->input_count ? r->input_count : 1, sizeof *f->shapes);
    f->contents = decided ? het__alloc(r->mem, bytes ? bytes : 1) : NULL;
    if (!f->shapes || (decided && !f->contents))
        return false;
    unsigned char *to = f->contents;
    for (uint32_t i = 0; i < r->input_count; i++) {
        f->shapes[i] = inputs[i];
        f->shapes[i].data = NULL;
        if (!decided || !r->decides[i])
            continue;
        const size_t size = (size_t)het__tensor_bytes(&inputs[i]);
        memcpy(to, inputs[i].data, size);
        f->shapes[i].data = to;
        to += size;
    }
    return true;
}

/* What a form has read of the graph's constants it has in another order, or reads where it lies. */
static void leave_constants(const het__graph_run *r)
{
    const het__graph *g = r->request.graph;
    const int64_t ones[HET__SYM_MAX] = { 1 };
    for (uint32_t v = 0; r->request.constant_idle && v < g->value_count; v++)
        if (g->values[v].kind == HET__VALUE_CONST && g->values[v].data)
            r->request.constant_idle(r->request.constant_user, g->values[v].data,
                                     (size_t)het__value_bytes(&g->values[v], ones));
}

static het_status build_form(het__graph_run *r, form *f, const het__tensor *inputs,
                             _Atomic uint32_t *cancel, het_error *err)
{
    het__specialise_report report;
    bool decided;
    het_status s = specialise(r, &f->graph, inputs, &report, &f->waits, &decided, err);
    if (s == HET_OK)
        s = check_known(&f->graph, err);
    const het__pass_options passes = pass_options(r);
    if (s == HET_OK && !report.open)
        s = het__passes_run(&f->graph, &passes, NULL, err);
    if (s != HET_OK)
        return s;
    if (!keep_shapes(r, f, inputs, decided))
        return het__fail_nomem(err, "a form of the graph");
    if (report.open)
        return HET_OK;
    leave_constants(r);
    s = compile(r, f, report.nodes_before, cancel, err);
    leave_constants(r);
    return s;
}

/* Forms that use devices which were taken out. */
static void drop_forms(het__graph_run *r)
{
    for (uint32_t i = 0; i < r->form_count; i++)
        if (het__recovery_used(r->forms[i].exec) & ~r->recovery.mask)
            finish_form(r, &r->forms[i]);
}

static het_status prepare(het__graph_run *r, const het__tensor *inputs, _Atomic uint32_t *cancel,
                          het_error *err)
{
    het_status s = check_inputs(r, inputs, err);
    if (s != HET_OK)
        return s;
    form *f = find_form(r, inputs);
    if (!f) {
        f = free_slot(r);
        s = build_form(r, f, inputs, cancel, err);
        if (s != HET_OK)
            finish_form(r, f);
        drop_forms(r);
        if (s != HET_OK)
            return s;
    }
    f->used = ++r->runs;
    f->runs++;
    r->last = f;
    return HET_OK;
}

/* Of the operation. */
static het_status conclude(het__graph_run *r, het_status s, het_error *own, het_error *err)
{
    if (s == HET_OK || s == HET_E_CANCELLED)
        het__recovery_settled(&r->recovery, r->last ? r->last->exec : NULL);
    else
        het__recovery_gave_up(&r->recovery);
    if (s == HET_OK)
        return s;
    own->status = s;
    return het__recovery_report(own, err);
}

het_status het__graph_run_prepare(het__graph_run *r, const het__tensor *inputs, het_error *err)
{
    het_error own = HET_ERROR_INIT;
    const het_status s = prepare(r, inputs, NULL, &own);
    return conclude(r, s, &own, err);
}

/* ---- running ---- */

/* Without its data. */
static void describe(const het__value *v, het__tensor *t)
{
    t->dtype = v->dtype;
    t->rank = v->rank;
    for (uint32_t i = 0; i < v->rank; i++)
        t->extent[i] = v->extent[i].count;
}

/* Whether the same may be run again; *status and err are else what to return. */
static bool recovers(het__graph_run *r, form *f, _Atomic uint32_t *cancel, het_status *status,
                     het_error *err)
{
    het__exec_failure failure;
    het__exec_failure_get(f->exec, &failure);
    const het__recovery_step next =
        het__recovery_after(&r->recovery, f->exec, cancel, status, err);
    if (next == HET__RECOVERY_REBUILD || het__recovery_is_dead(failure.status)) {
        finish_form(r, f);
        drop_forms(r);
    }
    return next != HET__RECOVERY_FAIL;
}

static het_status run_compiled(het__graph_run *r, form *f, const het__tensor *inputs,
                               het__tensor *outputs, const size_t *capacity,
                               _Atomic uint32_t *cancel, bool *again, het_error *err)
{
    int64_t symbols[HET__SYM_MAX];
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = 1;
    het_status s = het__binding_begin(&f->binding, f->exec, &f->graph, inputs, outputs, capacity,
                                      &r->copied_bytes, err);
    if (s != HET_OK)
        return s;
    const uint64_t moved = het__exec_io_moved(f->exec);
    s = het__exec_run(f->exec, 0, symbols, cancel, err);
    r->copied_bytes += het__exec_io_moved(f->exec) - moved;
    if (s != HET_OK) {
        *again = recovers(r, f, cancel, &s, err);
        return s;
    }
    for (uint32_t o = 0; o < r->output_count; o++)
        describe(&f->graph.values[f->graph.outputs[o]], &outputs[o]);
    het__binding_end(&f->binding, outputs, &r->copied_bytes);
    return HET_OK;
}

/* What an interpreted run has made. */
static het_status give_all(het__graph_run *r, const form *f, het__tensor *outputs,
                           const size_t *capacity, het_error *err)
{
    for (uint32_t o = 0; o < r->output_count; o++) {
        const size_t bytes = (size_t)het__tensor_bytes(&r->owned[o]);
        void *const target = outputs[o].data;
        outputs[o] = r->owned[o];
        if (!target)
            continue;
        outputs[o].data = target;
        if (bytes > capacity[o])
            return het__fail(err, HET_E_INVALID, "output %s takes %zu bytes, %zu were given",
                             f->graph.values[f->graph.outputs[o]].name, bytes, capacity[o]);
        memmove(target, r->owned[o].data, bytes);
        r->copied_bytes += bytes;
    }
    return HET_OK;
}

static het_status run_interpreted(het__graph_run *r, form *f, const het__tensor *inputs,
                                  het__tensor *outputs, const size_t *capacity,
                                  _Atomic uint32_t *cancel, het_error *err)
{
    double work_left = r->request.work_max;
    const het__interpreter how = { .mem = r->mem, .cancel = cancel,
                                   .work_left = r->request.work_max > 0 ? &work_left : NULL };
    /* Inputs may be what the run before gave. */
    const het_status s = het__interpret(&how, &f->graph, inputs, r->input_count, r->fresh,
                                        r->output_count, err);
    free_tensors(r, r->owned);
    het__tensor *const made = r->fresh;
    r->fresh = r->owned;
    r->owned = made;
    return s == HET_OK ? give_all(r, f, outputs, capacity, err) : s;
}

/* *again: something failed, and it may be begun anew. */
static het_status attempt(het__graph_run *r, const het__tensor *inputs, het__tensor *outputs,
                          const size_t *capacity, _Atomic uint32_t *cancel, bool *again,
                          het_error *err)
{
    *again = false;
    const het_status s = prepare(r, inputs, cancel, err);
    if (s != HET_OK)
        return s;
    return r->last->exec
               ? run_compiled(r, r->last, inputs, outputs, capacity, cancel, again, err)
               : run_interpreted(r, r->last, inputs, outputs, capacity, cancel, err);
}

het_status het__graph_run_step(het__graph_run *r, const het__tensor *inputs, het__tensor *outputs,
                               const size_t *capacity, _Atomic uint32_t *cancel, het_error *err)
{
    het_error own = HET_ERROR_INIT;
    bool again = true;
    het_status s = HET_OK;
    const het__exec *exec = r->last ? r->last->exec : NULL;
    const het__recovery_step first =
        het__recovery_cool(&r->recovery, exec, cancel, &s, &own);
    if (first == HET__RECOVERY_FAIL)
        return conclude(r, s, &own, err);
    if (first == HET__RECOVERY_REBUILD)
        drop_forms(r);
    do
        s = attempt(r, inputs, outputs, capacity, cancel, &again, &own);
    while (s != HET_OK && again);
    return conclude(r, s, &own, err);
}

const het__recovery *het__graph_run_recovery(const het__graph_run *r)
{
    return &r->recovery;
}

uint64_t het__graph_run_copied(const het__graph_run *r)
{
    return r->copied_bytes;
}

const het__exec *het__graph_run_exec(const het__graph_run *r)
{
    return r->last ? r->last->exec : NULL;
}

const het__plan *het__graph_run_plan(const het__graph_run *r)
{
    return r->last && r->last->exec ? het__exec_plan_of(r->last->exec, 0) : NULL;
}

const het__graph *het__graph_run_graph(const het__graph_run *r)
{
    const form *f = r->last;
    return !f ? NULL : f->exec ? het__exec_graph(f->exec) : &f->graph;
}

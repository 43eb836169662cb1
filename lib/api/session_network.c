/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of networks: which memory is bound to which input and output, and runs.
 *
 * Arguments are checked against what the file says of inputs; whether the extents that it leaves
 * open fit each other is found when a run specialises the graph. */
#include <stdio.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/base/text.h"

/* Combinations of extents that stay compiled, each with re-laid weights of its own; session.h says
 * so. */
#define FORMS_MAX 4

het_status het__need_language(const het_session *session, const char *function, het_error *err)
{
    if (!session->network)
        return HET_OK;
    return het__fail(err, HET_E_INVALID,
                     "%s() is for language models: a graph runs by het_session_run()", function);
}

static het_status need_network(const het_session *session, const char *function, het_error *err)
{
    if (session->network)
        return HET_OK;
    return het__fail(err, HET_E_INVALID,
                     "%s() is for graph models: a language model runs by het_session_step()",
                     function);
}

static const het__network *network_of(const het_session *session)
{
    return session->model->network;
}

static const het__value *input_value(const het_session *session, uint32_t i)
{
    const het__network *n = network_of(session);
    return &n->onnx.graph.values[n->inputs[i]];
}

static const het__value *output_value(const het_session *session, uint32_t i)
{
    const het__graph *graph = &network_of(session)->onnx.graph;
    return &graph->values[graph->outputs[i]];
}

/* ---- open and close ---- */

/* Whether inputs can be described before any is bound. */
static bool describe_inputs(const het_session *session, het__tensor *inputs)
{
    const het__network *n = network_of(session);
    for (uint32_t i = 0; i < n->input_count; i++) {
        const het__value *v = input_value(session, i);
        inputs[i] = (het__tensor){ .dtype = v->dtype, .rank = v->rank };
        if (v->dtype == HET_DTYPE_NONE || !het__value_is_known(v))
            return false;
        for (uint32_t k = 0; k < v->rank; k++) {
            if (v->extent[k].symbol != HET__SYM_ONE)
                return false;
            inputs[i].extent[k] = v->extent[k].count;
        }
    }
    return true;
}

static void take_plan(het_session *s)
{
    s->plans[0].plan = (het__plan *)(uintptr_t)het__graph_run_plan(s->network->run);
    s->plans[0].context = s->model->context;
    s->plans[1] = s->plans[0];
}

/* A model whose inputs leave nothing open is compiled when its session is made. */
static het_status compile_fixed(het_session *s, het_error *err)
{
    het__network_session *n = s->network;
    const size_t bytes = network_of(s)->input_count * sizeof *n->inputs;
    if (!describe_inputs(s, n->inputs)) {
        memset(n->inputs, 0, bytes);
        return HET_OK;
    }
    const het_status st = het__graph_run_prepare(n->run, n->inputs, err);
    memset(n->inputs, 0, bytes);
    if (st == HET_OK)
        take_plan(s);
    return st;
}

/* What lies in the mapped file can be read again. */
static void drop_original(void *user, const void *data, size_t bytes)
{
    const het__mapping *mapping = &((const het_model *)user)->mapping;
    const uintptr_t begin = (uintptr_t)mapping->data, at = (uintptr_t)data;
    if (mapping->data && at >= begin && at - begin < mapping->bytes &&
        bytes <= mapping->bytes - (at - begin))
        het__drop_pages(data, bytes);
}

static het_status reserve(het_session *s, het_error *err)
{
    het__mem *mem = &s->model->context->mem;
    const uint32_t inputs = network_of(s)->input_count;
    const uint32_t outputs = network_of(s)->onnx.graph.output_count;
    het__network_session *n = s->network = het__alloc_zero(mem, 1, sizeof *n);
    if (!n)
        return het__fail_nomem(err, "a session");
    n->inputs = het__alloc_zero(mem, inputs, sizeof *n->inputs);
    n->outputs = het__alloc_zero(mem, outputs, sizeof *n->outputs);
    n->targets = het__alloc_zero(mem, outputs, sizeof *n->targets);
    n->capacities = het__alloc_zero(mem, outputs, sizeof *n->capacities);
    if (!n->inputs || !n->outputs || !n->targets || !n->capacities)
        return het__fail_nomem(err, "a session");
    return HET_OK;
}

het_status het__network_session_open(het_session *s, const het_session_options *o,
                                     uint32_t device_mask, het_error *err)
{
    const het__graph_run_request request = {
        .registry = &s->model->context->registry, .graph = &network_of(s)->onnx.graph,
        .device_mask = device_mask, .threads = o->threads, .precision = o->precision,
        .pin_threads = (o->flags & HET_SESSION_PIN_THREADS) != 0,
        .parallel = o->parallel, .parallel_user = o->parallel_user,
        .policy = o->policy ? &s->policy : NULL, .trace = &s->trace,
        .validate = (o->flags & HET_SESSION_VALIDATE) != 0,
        .passes = { HET__PASSES_ALL, 0 }, .forms_max = FORMS_MAX,
        .constant_idle = drop_original, .constant_user = s->model,
    };
    het_status st = reserve(s, err);
    if (st == HET_OK && o->progress && o->progress(o->progress_user, 0.0, "graph") != 0)
        st = het__fail(err, HET_E_CANCELLED, "cancelled while making the session");
    if (st == HET_OK)
        st = het__graph_run_create(&request, &s->network->run, err);
    if (st == HET_OK)
        st = compile_fixed(s, err);
    if (st == HET_OK && o->progress && o->progress(o->progress_user, 1.0, "graph") != 0)
        st = het__fail(err, HET_E_CANCELLED, "cancelled while making the session");
    return st;
}

void het__network_session_close(het_session *s)
{
    het__mem *mem = &s->model->context->mem;
    het__network_session *n = s->network;
    if (n->run)
        het__graph_run_destroy(n->run);
    het__free(mem, n->inputs);
    het__free(mem, n->outputs);
    het__free(mem, n->targets);
    het__free(mem, n->capacities);
    het__free(mem, n);
}

/* ---- names and forms ---- */

/* "F32[N,3,?]"; "any" where the file does not say. */
static void describe_port(const het_session *session, uint32_t input, char *text, size_t bytes)
{
    het_port port = { .struct_size = sizeof port, .desc = HET_TENSOR_DESC_INIT };
    het__network_input(network_of(session), input, &port);
    text[0] = '\0';
    het__append(text, bytes, "%s",
                port.desc.dtype ? het_dtype_name((het_dtype)port.desc.dtype) : "any type");
    if (port.desc.flags & HET_TENSOR_RANK_UNKNOWN) {
        het__append(text, bytes, " of any shape");
        return;
    }
    for (uint32_t i = 0; i < port.desc.rank; i++) {
        het__append(text, bytes, i ? "," : "[");
        if (port.desc.extent[i] >= 0)
            het__append(text, bytes, "%lld", (long long)port.desc.extent[i]);
        else
            het__append(text, bytes, "%s", port.symbol[i] ? port.symbol[i] : "?");
    }
    het__append(text, bytes, port.desc.rank ? "]" : "[]");
}

typedef const het__value *(*value_fn)(const het_session *session, uint32_t i);

/* Index of an input or output, or HET_E_INVALID with the names that there are. */
static het_status find(const het_session *session, const char *kind, value_fn value_at,
                       uint32_t count, const char *name, uint32_t *index, het_error *err)
{
    char names[160] = "";
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(value_at(session, i)->name, name) == 0) {
            *index = i;
            return HET_OK;
        }
        het__append(names, sizeof names, "%s%s", i ? ", " : "", value_at(session, i)->name);
    }
    return het__fail(err, HET_E_INVALID, "the model has no %s '%s'; it has: %s", kind, name,
                     names);
}

static het_status find_input(const het_session *session, const char *name, uint32_t *index,
                             het_error *err)
{
    return find(session, "input", input_value, network_of(session)->input_count, name, index, err);
}

static het_status find_output(const het_session *session, const char *name, uint32_t *index,
                              het_error *err)
{
    return find(session, "output", output_value, network_of(session)->onnx.graph.output_count,
                name, index, err);
}

/* ---- bind ---- */

static bool fits(const het__value *v, const het__tensor *t)
{
    if (v->dtype != HET_DTYPE_NONE && v->dtype != t->dtype)
        return false;
    if (!het__value_is_known(v))
        return true;
    if (v->rank != t->rank)
        return false;
    for (uint32_t i = 0; i < v->rank; i++)
        if (v->extent[i].symbol == HET__SYM_ONE && v->extent[i].count != t->extent[i])
            return false;
    return true;
}

static het_status read_tensor(const het_tensor *theirs, het_tensor *ours, const char *name,
                              het_error *err)
{
    const het_status s = het__options_read(ours, sizeof *ours, theirs, "het_tensor", err);
    if (s == HET_OK && (ours->reserved != 0 || ours->desc.flags != 0))
        return het__fail(err, HET_E_VERSION, "the tensor for '%s' has an unknown flag", name);
    return s;
}

static het_status check_input(const het_session *session, uint32_t index, const het_tensor *t,
                              het__tensor *out, het_error *err)
{
    static unsigned char nothing; /* for tensors without elements: NULL means not known */
    const het__value *v = input_value(session, index);
    char want[96], got[96];
    const int64_t bytes = het_tensor_desc_bytes(&t->desc);
    if (bytes < 0 || het__dtype_is_block((het_dtype)t->desc.dtype))
        return het__fail(err, HET_E_INVALID, "the tensor for input '%s' has an impossible shape, "
                         "or no type that a graph can take", v->name);
    *out = (het__tensor){ .dtype = (het_dtype)t->desc.dtype, .rank = t->desc.rank };
    memcpy(out->extent, t->desc.extent, t->desc.rank * sizeof out->extent[0]);
    if (!fits(v, out)) {
        describe_port(session, index, want, sizeof want);
        het__tensor_describe(out, got, sizeof got);
        return het__fail(err, HET_E_INVALID, "input '%s' is %s, not %s", v->name, want, got);
    }
    if (bytes > 0 && (!t->data || t->size_bytes < (uint64_t)bytes))
        return het__fail(err, HET_E_INVALID, "the tensor for input '%s' has %zu bytes, not %lld",
                         v->name, t->data ? t->size_bytes : 0, (long long)bytes);
    out->data = bytes > 0 ? t->data : &nothing;
    return HET_OK;
}

het_status het_session_bind_input(het_session *session, const char *name,
                                  const het_tensor *tensor, het_error *err)
{
    HET_REQUIRE(session != NULL && name != NULL, err);
    uint32_t index = 0;
    het_tensor t;
    het__tensor bound = { .dtype = HET_DTYPE_NONE };
    het_status s = need_network(session, "het_session_bind_input", err);
    if (s == HET_OK)
        s = find_input(session, name, &index, err);
    if (s == HET_OK && tensor)
        s = read_tensor(tensor, &t, name, err);
    if (s == HET_OK && tensor)
        s = check_input(session, index, &t, &bound, err);
    if (s == HET_OK)
        session->network->inputs[index] = bound;
    return s;
}

het_status het_session_bind_output(het_session *session, const char *name,
                                   const het_tensor *tensor, het_error *err)
{
    HET_REQUIRE(session != NULL && name != NULL, err);
    uint32_t index = 0;
    het_tensor t = HET_TENSOR_INIT;
    het_status s = need_network(session, "het_session_bind_output", err);
    if (s == HET_OK)
        s = find_output(session, name, &index, err);
    if (s == HET_OK && tensor)
        s = read_tensor(tensor, &t, name, err);
    if (s == HET_OK && tensor && !t.data)
        s = het__fail(err, HET_E_INVALID, "the tensor for output '%s' has no data", name);
    if (s != HET_OK)
        return s;
    session->network->targets[index] = t.data;
    session->network->capacities[index] = t.size_bytes;
    return HET_OK;
}

/* ---- run ---- */

static het_status need_inputs(const het_session *session, het_error *err)
{
    for (uint32_t i = 0; i < network_of(session)->input_count; i++)
        if (session->network->inputs[i].dtype == HET_DTYPE_NONE) {
            char form[96];
            describe_port(session, i, form, sizeof form);
            return het__fail(err, HET_E_INVALID, "input '%s' (%s) is not bound",
                             input_value(session, i)->name, form);
        }
    return HET_OK;
}

het_status het__network_warmup(het_session *session, het_error *err)
{
    het_status s = need_inputs(session, err);
    if (s != HET_OK)
        return s;
    het__network_session *n = session->network;
    const uint64_t replans = het__graph_run_recovery(n->run)->replan_count;
    s = het__graph_run_prepare(n->run, n->inputs, err);
    if (het__graph_run_recovery(n->run)->replan_count != replans)
        n->has_run = false; /* outputs may have gone with the device that failed */
    take_plan(session);
    return s;
}

het_status het_session_run(het_session *session, het_error *err)
{
    HET_REQUIRE(session != NULL, err);
    het__network_session *n = session->network;
    het_status s = need_network(session, "het_session_run", err);
    if (s == HET_OK)
        s = need_inputs(session, err);
    if (s != HET_OK)
        return s;
    n->has_run = false; /* what was there may be overwritten from here on */
    if (atomic_exchange(&n->cancel, 0))
        return het__fail(err, HET_E_CANCELLED, "cancelled before the run");
    for (uint32_t i = 0; i < network_of(session)->onnx.graph.output_count; i++)
        n->outputs[i] = (het__tensor){ .data = n->targets[i] };
    s = het__graph_run_step(n->run, n->inputs, n->outputs, n->capacities, &n->cancel, err);
    if (s == HET_E_CANCELLED)
        atomic_store(&n->cancel, 0);
    take_plan(session);
    n->has_run = s == HET_OK;
    n->run_count += n->has_run;
    return s;
}

het_status het_session_get_output(const het_session *session, const char *name,
                                  het_tensor *tensor, het_error *err)
{
    HET_REQUIRE(session != NULL && name != NULL && tensor != NULL, err);
    uint32_t index = 0;
    het_status s = need_network(session, "het_session_get_output", err);
    if (s == HET_OK)
        s = find_output(session, name, &index, err);
    if (s == HET_OK && !session->network->has_run)
        s = het__fail(err, HET_E_INVALID, "output '%s' was not made yet: no run has succeeded "
                      "since the session was made, or the last one failed", name);
    if (s != HET_OK)
        return s;
    const het__tensor *made = &session->network->outputs[index];
    het_tensor out = HET_TENSOR_INIT;
    out.data = made->data;
    out.size_bytes = (size_t)het__tensor_bytes(made);
    out.desc.dtype = made->dtype;
    out.desc.rank = made->rank;
    memcpy(out.desc.extent, made->extent, made->rank * sizeof made->extent[0]);
    s = het__result_write(tensor, &out, sizeof out);
    return s == HET_OK ? s : het__fail(err, s, "het_tensor.struct_size: use HET_TENSOR_INIT");
}

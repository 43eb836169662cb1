/* SPDX-License-Identifier: Apache-2.0 */
/* The graph runs as always, but what goes into its products are outputs as well, which are summed
 * up after every step. */
#include "lib/api/importance.h"

#include <math.h>
#include <string.h>

#include "lib/base/error.h"

#define WINDOW_MAX 512
#define CHUNK 64
/* A column that the text never used still counts this much of the mean. */
#define LEAST 1e-4

/* What one value of the graph feeds. */
typedef struct tap {
    uint32_t value;
    int64_t columns;
    const float *rows; /* of the last step */
    double *sums;      /* [columns] */
    float *weights;    /* the result */
} tap;

typedef struct meter {
    het__mem *mem;
    het__arena *arena;
    het__graph graph;
    tap *taps;
    uint32_t tap_count;
    het__expert_sums *mixtures;
    uint32_t *inputs; /* per mixture: taps of its rows and scores */
    uint32_t mixture_count, threads;
    het__importance *out;
    int32_t *ids;
    size_t id_count;
    uint64_t rows;
    het_error *err;
} meter;

/* ---- what to look at ---- */

static tap *tap_of(meter *m, uint32_t value)
{
    het__value *v = &m->graph.values[value];
    for (uint32_t i = 0; i < m->tap_count; i++)
        if (m->taps[i].value == value)
            return &m->taps[i];
    if (v->kind != HET__VALUE_TEMP || v->rank != 2 || v->dtype != HET_DTYPE_F32)
        return NULL;
    const int64_t columns = v->extent[1].count;
    tap t = { .value = value, .columns = columns };
    t.sums = het__arena_zero(m->arena, (size_t)columns, sizeof *t.sums);
    t.weights = het__arena_zero(m->arena, (size_t)columns, sizeof *t.weights);
    if (!t.sums || !t.weights)
        return NULL;
    v->kind = HET__VALUE_OUTPUT;
    m->taps[m->tap_count] = t;
    return &m->taps[m->tap_count++];
}

/* Of a part of a fused weight, which is called "name[first:end]", the name alone, once. */
static bool add_matrix(meter *m, const char *name, int64_t matrices, int64_t columns,
                       float *weights)
{
    const char *end = strchr(name, '[');
    const size_t n = end ? (size_t)(end - name) : strlen(name);
    het__column_weights *last = m->out->count ? &m->out->matrices[m->out->count - 1] : NULL;
    if (last && strlen(last->name) == n && memcmp(last->name, name, n) == 0)
        return true;
    het__column_weights *w = &m->out->matrices[m->out->count++];
    *w = (het__column_weights){ het__arena_strndup(m->arena, name, n), columns, matrices,
                                weights };
    return w->name != NULL;
}

static bool look_at_mixture(meter *m, const het__node *node)
{
    const tap *rows = tap_of(m, node->inputs[0]);
    const tap *scores = rows ? tap_of(m, node->inputs[1]) : NULL;
    if (!rows || !scores)
        return true;
    for (uint32_t i = 2; i < 5; i++)
        if (m->graph.values[node->inputs[i]].kind != HET__VALUE_CONST)
            return true;
    het__expert_sums *e = &m->mixtures[m->mixture_count];
    m->inputs[2 * m->mixture_count] = (uint32_t)(rows - m->taps);
    m->inputs[2 * m->mixture_count++ + 1] = (uint32_t)(scores - m->taps);
    if (!het__expert_sums_init(e, m->arena, &m->graph, node))
        return false;
    bool whole = true;
    for (uint32_t i = 2; i < 5 && whole; i++)
        whole = add_matrix(m, m->graph.values[node->inputs[i]].name, e->experts,
                           i < 4 ? e->columns : e->inner, i < 4 ? e->in_weights : e->out_weights);
    return whole;
}

/* Constants of a node that its first input is multiplied by. */
static bool look_at(meter *m, const het__node *node)
{
    if (node->op == HET__OP_MOE)
        return look_at_mixture(m, node);
    if (node->op != HET__OP_LINEAR && node->op != HET__OP_GATED)
        return true;
    for (uint32_t i = 1; i < node->input_count; i++) {
        const het__value *w =
            node->inputs[i] == HET__NO_VALUE ? NULL : &m->graph.values[node->inputs[i]];
        if (!w || w->kind != HET__VALUE_CONST || w->rank < 2)
            continue;
        const tap *t = tap_of(m, node->inputs[0]);
        if (t && !add_matrix(m, w->name, 1, t->columns, t->weights))
            return false;
    }
    return true;
}

static het_status find_taps(meter *m)
{
    size_t most = 0;
    for (uint32_t n = 0; n < m->graph.node_count; n++)
        most += m->graph.nodes[n].input_count;
    const size_t nodes = m->graph.node_count;
    m->taps = het__arena_zero(m->arena, 2 * nodes + 1, sizeof *m->taps);
    m->mixtures = het__arena_zero(m->arena, nodes + 1, sizeof *m->mixtures);
    m->inputs = het__arena_zero(m->arena, 2 * nodes + 1, sizeof *m->inputs);
    m->out->matrices = het__arena_zero(m->arena, most + 1, sizeof *m->out->matrices);
    bool whole = m->taps && m->mixtures && m->inputs && m->out->matrices;
    for (uint32_t n = 0; whole && n < m->graph.node_count; n++)
        whole = look_at(m, &m->graph.nodes[n]);
    return whole ? HET_OK : het__fail_nomem(m->err, "the importance of columns");
}

/* ---- reading the text ---- */

static het_status encode(meter *m, const het_model *model, const char *text, size_t bytes)
{
    const het_tokenizer *tokenizer = het_model_tokenizer(model);
    het_tokenizer_info info = { .struct_size = sizeof info, .bos_id = -1 };
    if (!tokenizer || het_tokenizer_get_info(tokenizer, &info) != HET_OK)
        return het__fail(m->err, HET_E_UNSUPPORTED, "the model has no tokenizer for the text");
    const bool leads = info.adds_bos && info.bos_id >= 0;
    het_status s = het_tokenizer_encode(tokenizer, text, bytes, 0, NULL, 0, &m->id_count, m->err);
    if (s != HET_OK)
        return s;
    m->ids = het__arena_zero(m->arena, m->id_count + 1, sizeof *m->ids);
    if (!m->ids)
        return het__fail_nomem(m->err, "the ids of a text");
    m->ids[0] = leads ? info.bos_id : 0;
    s = het_tokenizer_encode(tokenizer, text, bytes, 0, m->ids + leads, m->id_count,
                             &m->id_count, m->err);
    m->id_count += leads;
    return s == HET_OK && m->id_count < 2
               ? het__fail(m->err, HET_E_INVALID, "the text is too short") : s;
}

static het_status add_rows(meter *m, size_t count)
{
    for (uint32_t t = 0; t < m->tap_count; t++)
        for (size_t r = 0; r < count; r++) {
            const float *row = m->taps[t].rows + r * (size_t)m->taps[t].columns;
            for (int64_t i = 0; i < m->taps[t].columns; i++)
                m->taps[t].sums[i] += (double)row[i] * (double)row[i];
        }
    m->rows += count;
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < m->mixture_count; i++) {
        m->mixtures[i].rows = m->taps[m->inputs[2 * i]].rows;
        m->mixtures[i].scores = m->taps[m->inputs[2 * i + 1]].rows;
        s = het__expert_sums_add(&m->mixtures[i], count, m->threads, m->mem, m->err);
    }
    return s;
}

static het_status read_window(meter *m, het__engine *engine, const int32_t *ids, size_t count)
{
    het__stream *stream;
    het_status s = het__stream_create(engine, &stream, m->err);
    if (s != HET_OK)
        return s;
    s = het__stream_append(engine, stream, ids, count, true, m->err);
    while (s == HET_OK && stream->done < stream->length) {
        const int64_t before = stream->done;
        s = het__engine_step(engine, NULL, m->err);
        if (s == HET_OK)
            s = add_rows(m, (size_t)(stream->done - before));
    }
    het__stream_destroy(engine, stream);
    return s;
}

static het_status read_windows(meter *m, het__engine *engine, size_t window,
                               het_progress_fn progress, void *user)
{
    het_status s = HET_OK;
    for (size_t at = 0; s == HET_OK && at < m->id_count; at += window) {
        const size_t n = m->id_count - at < window ? m->id_count - at : window;
        s = read_window(m, engine, m->ids + at, n);
        if (s == HET_OK && progress &&
            progress(user, (double)(at + n) / (double)m->id_count, "importance") != 0)
            s = het__fail(m->err, HET_E_CANCELLED, "cancelled while reading the text");
    }
    return s;
}

static het_status run(meter *m, const het_model *model, uint32_t threads,
                      het_progress_fn progress, void *user)
{
    const het__registry *registry = &model->context->registry;
    const het__lm_config *c = &model->language->config;
    const int64_t window = c->context < WINDOW_MAX ? c->context : WINDOW_MAX;
    const het__limits limits = { window, 1, CHUNK, CHUNK, c->vocabulary, HET__PAGE_SIZE, 0, 0,
                                 NULL };
    het__exec_request request = { .registry = registry, .threads = threads, .graph = &m->graph };
    het__engine engine = { 0 };
    het__exec *exec = NULL;
    het_status s = het__registry_select(registry, NULL, &request.device_mask, m->err);
    het__engine_symbols(&limits, request.symbols_max);
    if (s == HET_OK)
        s = het__exec_create(&request, &exec, m->err);
    if (s == HET_OK)
        s = het__engine_init(&engine, m->mem, exec, &limits, m->err);
    for (uint32_t t = 0; s == HET_OK && t < m->tap_count; t++)
        m->taps[t].rows = het__exec_output(exec, m->graph.values[m->taps[t].value].name);
    if (s == HET_OK)
        s = read_windows(m, &engine, (size_t)window, progress, user);
    het__engine_finish(&engine);
    het__exec_destroy(exec);
    return s;
}

/* ---- the result ---- */

void het__importance_scale(const double *squares, int64_t count, float *weights)
{
    double mean = 0;
    for (int64_t i = 0; i < count; i++)
        mean += squares[i] / (double)count;
    for (int64_t i = 0; i < count; i++)
        weights[i] = mean > 0 && isfinite(mean) ? (float)(squares[i] / mean + LEAST) : 1.0f;
}

static void conclude(meter *m)
{
    for (uint32_t t = 0; t < m->tap_count; t++)
        het__importance_scale(m->taps[t].sums, m->taps[t].columns, m->taps[t].weights);
    for (uint32_t i = 0; i < m->mixture_count; i++)
        het__expert_sums_conclude(&m->mixtures[i]);
}

het_status het__importance_measure(const het_model *model, const char *text, size_t bytes,
                                   uint32_t threads, het_progress_fn progress, void *user,
                                   het__arena *arena, het__importance *importance, het_error *err)
{
    meter m = { .mem = &model->context->mem, .arena = arena, .out = importance, .err = err,
                .threads = threads };
    uint32_t unfused;
    *importance = (het__importance){ 0 };
    het_status s = encode(&m, model, text, bytes);
    if (s == HET_OK)
        s = het__model_graph(model, HET_DTYPE_F16, &m.graph, &unfused, err);
    if (s != HET_OK)
        return s;
    s = find_taps(&m);
    if (s == HET_OK)
        s = run(&m, model, threads, progress, user);
    if (s == HET_OK)
        conclude(&m);
    het__graph_finish(&m.graph);
    return s;
}

const het__column_weights *het__importance_of(const het__importance *importance,
                                              const het__gguf_tensor *tensor)
{
    const int64_t columns = tensor->extent[tensor->rank - 1];
    for (size_t i = 0; i < importance->count; i++) {
        const het__column_weights *w = &importance->matrices[i];
        if (w->columns == columns && strcmp(w->name, tensor->name) == 0 &&
            (w->matrices == 1 || (tensor->rank == 3 && tensor->extent[0] == w->matrices)))
            return w;
    }
    return NULL;
}

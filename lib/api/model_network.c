/* SPDX-License-Identifier: Apache-2.0 */
/* Models in ONNX files: graphs with tensors for inputs and outputs. An operation that this release
 * does not know is no error here: the model can be looked at, and a run says which node it is.
 *
 * Two lists are made of the graph when it is loaded, both from a walk over all nodes, those of
 * bodies included: how often each operation occurs, which stands behind the file's own metadata,
 * and which operation reads each weight. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"

/* The table of operations leaves it out. */
#define OWN_DOMAIN "ai.onnx:"

/* A node's operation; with data, one of its inputs that is a weight. */
typedef struct mention {
    const char *operation;
    const void *data;
    size_t order;
    bool unknown;
} mention;

typedef struct mentions {
    mention *items; /* NULL: only counting */
    size_t count;
} mentions;

static mention mention_of(const het__node *node, const void *data, size_t order)
{
    const bool unknown = node->op == HET__OP_T_UNKNOWN;
    const char *type = node->attrs.tensor.type;
    if (!type)
        type = het__node_operation(node);
    else if (strncmp(type, OWN_DOMAIN, strlen(OWN_DOMAIN)) == 0)
        type += strlen(OWN_DOMAIN);
    return (mention){ type, data, order, unknown };
}

static void add_mention(mentions *m, const het__node *node, const void *data)
{
    if (m->items)
        m->items[m->count] = mention_of(node, data, m->count);
    m->count++;
}

/* Nodes, or with weights true their inputs that are weights. */
static void walk(const het__graph *graph, bool weights, mentions *m)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const het__node *node = &graph->nodes[i];
        const het__attr_list *list = &node->attrs.tensor;
        if (!weights)
            add_mention(m, node, NULL);
        for (uint32_t k = 0; weights && k < node->input_count; k++) {
            const uint32_t v = node->inputs[k];
            if (v != HET__NO_VALUE && graph->values[v].kind == HET__VALUE_CONST)
                add_mention(m, node, graph->values[v].data);
        }
        for (uint32_t a = 0; a < list->count; a++)
            if (list->items[a].kind == HET__ATTR_GRAPH)
                walk(list->items[a].u.graph, weights, m);
    }
}

/* All mentions in memory of their own. */
static het_status collect(const het__graph *graph, bool weights, het__mem *mem, mentions *m,
                          het_error *err)
{
    *m = (mentions){ NULL, 0 };
    walk(graph, weights, m);
    mention *items = het__alloc_zero(mem, m->count, sizeof *items);
    if (!items)
        return het__fail_nomem(err, "the operations of the model");
    *m = (mentions){ items, 0 };
    walk(graph, weights, m);
    return HET_OK;
}

static int by_name(const void *a, const void *b)
{
    const mention *x = a, *y = b;
    const int order = strcmp(x->operation, y->operation);
    return order ? order : (int)x->unknown - (int)y->unknown;
}

static int by_data(const void *a, const void *b)
{
    const mention *x = a, *y = b;
    if (x->data != y->data)
        return (uintptr_t)x->data < (uintptr_t)y->data ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* ---- metadata ---- */

static het_status add_operations(het__network *n, const mentions *m, het_error *err)
{
    for (size_t first = 0, end; first < m->count; first = end) {
        for (end = first + 1; end < m->count && !by_name(&m->items[first], &m->items[end]);)
            end++;
        het_metadata *e = &n->entries[n->entry_count++];
        e->struct_size = sizeof *e;
        e->key = m->items[first].operation;
        e->type = m->items[first].unknown ? "unknown operation" : "operation";
        e->value = het__arena_printf(&n->arena, "%zu", end - first);
        if (!e->value)
            return het__fail_nomem(err, "the metadata");
    }
    return HET_OK;
}

static het_status list_metadata(het__network *n, het__mem *mem, het_error *err)
{
    mentions m;
    het_status s = collect(&n->onnx.graph, false, mem, &m, err);
    if (s != HET_OK)
        return s;
    qsort(m.items, m.count, sizeof *m.items, by_name);
    size_t room = m.count; /* at most one entry per node */
    if (het__add_size(room, n->onnx.property_count, &room))
        n->entries = het__arena_zero(&n->arena, room, sizeof *n->entries);
    for (uint32_t i = 0; n->entries && i < n->onnx.property_count; i++)
        n->entries[n->entry_count++] = (het_metadata){
            sizeof(het_metadata), 0, n->onnx.properties[i].key, "string",
            n->onnx.properties[i].value,
        };
    s = n->entries ? add_operations(n, &m, err) : het__fail_nomem(err, "the metadata");
    het__free(mem, m.items);
    return s;
}

/* ---- weights ---- */

static het_status list_modules(het__network *n, het__mem *mem, het_error *err)
{
    mentions m;
    const het_status s = collect(&n->onnx.graph, true, mem, &m, err);
    if (s != HET_OK)
        return s;
    qsort(m.items, m.count, sizeof *m.items, by_data);
    n->modules = het__arena_zero(&n->arena, n->onnx.weight_count, sizeof *n->modules);
    for (uint32_t w = 0; n->modules && w < n->onnx.weight_count; w++) {
        const void *data = n->onnx.weights[w].tensor.data;
        size_t low = 0, high = m.count; /* the first mention of these bytes */
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            if ((uintptr_t)m.items[middle].data < (uintptr_t)data)
                low = middle + 1;
            else
                high = middle;
        }
        n->modules[w] = low < m.count && m.items[low].data == data ? m.items[low].operation
                                                                   : "other";
    }
    het__free(mem, m.items);
    return n->modules ? HET_OK : het__fail_nomem(err, "the weights");
}

static het_status list_inputs(het__network *n, het_error *err)
{
    const het__graph *graph = &n->onnx.graph;
    for (uint32_t v = 0; v < graph->value_count; v++)
        n->input_count += graph->values[v].kind == HET__VALUE_INPUT;
    n->inputs = het__arena_zero(&n->arena, n->input_count, sizeof *n->inputs);
    if (!n->inputs)
        return het__fail_nomem(err, "the inputs");
    uint32_t at = 0;
    for (uint32_t v = 0; v < graph->value_count; v++)
        if (graph->values[v].kind == HET__VALUE_INPUT)
            n->inputs[at++] = v;
    return HET_OK;
}

/* ---- open and close ---- */

/* The folder of a path, to be freed. */
static char *folder_of(het__mem *mem, const char *path)
{
    const char *end = strrchr(path, '/');
    if (!end)
        return het__strndup(mem, ".", 1);
    return het__strndup(mem, path, end == path ? 1 : (size_t)(end - path));
}

static void fill_info(const het__network *n, het_model_info *info)
{
    const char *name = n->onnx.name && *n->onnx.name ? n->onnx.name : "";
    memcpy(info->format, "onnx", 5);
    het__model_copy(info->name, sizeof info->name, name, strlen(name));
    name = *name ? name : "graph";
    het__model_copy(info->architecture, sizeof info->architecture, name, strlen(name));
    info->parameter_count = n->onnx.parameter_count;
    for (uint32_t i = 0; i < n->onnx.weight_count; i++)
        info->weight_bytes += n->onnx.weights[i].file_bytes;
}

/* In the log once, so that nobody learns of it only from a run. */
static void warn_of_unknown(const het_model *m)
{
    const het__network *n = m->network;
    for (size_t i = n->onnx.property_count; i < n->entry_count; i++)
        if (strcmp(n->entries[i].type, "unknown operation") == 0)
            het__log_line(&m->context->log, HET_LOG_WARN, "model",
                          "operation %s (%s nodes) is not known: the model will not run",
                          n->entries[i].key, n->entries[i].value);
}

/* Operations that the application registered. */
static het_status bind_customs(het_model *m, het_error *err)
{
    het__onnx *onnx = &m->network->onnx;
    het__custom_set *set = &m->network->customs;
    het__arena *arena = &m->network->arena;
    uint32_t bound = 0;
    het_status s = het__custom_snapshot(&m->context->customs, set, err);
    if (s == HET_OK)
        s = het__custom_bind(set, &onnx->graph, arena, &bound, err);
    for (uint32_t i = 0; s == HET_OK && i < onnx->body_count; i++)
        s = het__custom_bind(set, onnx->bodies[i], arena, &bound, err);
    onnx->unknown_count -= s == HET_OK ? bound : 0;
    return s;
}

static het_status list_all(het_model *m, const het_model_options *o, het_error *err)
{
    het__network *n = m->network;
    het__mem *mem = &m->context->mem;
    het_status s = het__model_report(o, 0.9, "graph", err);
    if (s == HET_OK)
        s = list_inputs(n, err);
    if (s == HET_OK)
        s = list_metadata(n, mem, err);
    return s == HET_OK ? list_modules(n, mem, err) : s;
}

het_status het__network_open(het_model *m, const void *data, size_t bytes, const char *path,
                             const het_model_options *o, het_error *err)
{
    het__mem *mem = &m->context->mem;
    het_status s = het__model_report(o, 0.0, "metadata", err);
    if (s != HET_OK)
        return s;
    het__network *n = het__alloc_zero(mem, 1, sizeof *n);
    char *folder = path ? folder_of(mem, path) : NULL;
    if (!n || (path && !folder))
        s = het__fail_nomem(err, "a model");
    else
        s = het__onnx_open(data, bytes, folder, mem, &n->onnx, err);
    het__free(mem, folder);
    if (s != HET_OK) {
        het__free(mem, n);
        return s;
    }
    het__arena_init(&n->arena, mem);
    m->network = n;
    s = bind_customs(m, err);
    if (s == HET_OK)
        s = list_all(m, o, err);
    if (s != HET_OK)
        return s;
    fill_info(n, &m->info);
    m->is_whole = het__model_wants_graph(o);
    if (m->is_whole)
        warn_of_unknown(m);
    het__log_line(&m->context->log, HET_LOG_INFO, "model", "%s, %llu parameters, %u nodes",
                  m->info.architecture, (unsigned long long)m->info.parameter_count,
                  n->onnx.graph.node_count);
    return HET_OK;
}

void het__network_close(het_model *m)
{
    het__onnx_close(&m->network->onnx);
    het__custom_set_finish(&m->network->customs);
    het__arena_finish(&m->network->arena);
    het__free(&m->context->mem, m->network);
}

/* ---- use ---- */

void het__network_weight(const het__network *n, size_t index, het_weight *weight)
{
    const het__onnx_weight *w = &n->onnx.weights[index];
    weight->layer = -1;
    weight->name = w->name;
    weight->module = n->modules[index];
    weight->size_bytes = w->file_bytes;
    weight->desc.dtype = w->tensor.dtype;
    weight->desc.rank = w->tensor.rank;
    memcpy(weight->desc.extent, w->tensor.extent, sizeof weight->desc.extent);
}

/* NULL where the file leaves an extent open without a name: the reader makes one then, of the
 * input's name and the number of the extent. */
static const char *symbol_name(const het__graph *graph, const char *input, uint32_t axis,
                               uint32_t symbol)
{
    const char *name = symbol < HET__SYM_COUNT ? NULL : graph->symbol_names[symbol];
    char made[240];
    if (name)
        snprintf(made, sizeof made, "%.200s[%u]", input, axis);
    return name && strcmp(name, made) == 0 ? NULL : name;
}

static void fill_port(const het__graph *graph, het_dtype dtype, uint32_t rank,
                      const het__extent *extent, het_port *port)
{
    port->desc.dtype = dtype;
    if (rank == HET__RANK_UNKNOWN) {
        port->desc.flags = HET_TENSOR_RANK_UNKNOWN;
        return;
    }
    assert(rank <= HET_RANK_MAX);
    port->desc.rank = rank;
    for (uint32_t i = 0; i < rank; i++) {
        port->desc.extent[i] = extent[i].symbol == HET__SYM_ONE ? extent[i].count : -1;
        port->symbol[i] = symbol_name(graph, port->name, i, extent[i].symbol);
    }
}

void het__network_input(const het__network *n, uint32_t index, het_port *port)
{
    const het__graph *graph = &n->onnx.graph;
    const het__value *v = &graph->values[n->inputs[index]];
    port->name = v->name;
    fill_port(graph, v->dtype, v->rank, v->extent, port);
}

void het__network_output(const het__network *n, uint32_t index, het_port *port)
{
    const het__graph *graph = &n->onnx.graph;
    const het__onnx_declared *d = &n->onnx.outputs[index];
    port->name = graph->values[graph->outputs[index]].name;
    fill_port(graph, d->dtype, d->rank, d->extent, port);
}

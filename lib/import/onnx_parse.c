/* SPDX-License-Identifier: Apache-2.0 */
/* GraphProto, NodeProto, ValueInfoProto and FunctionProto to definitions. Each message is walked
 * twice: to count, and to fill arrays of that size. */
#include <string.h>

#include "lib/import/onnx_parts.h"

/* Fields of GraphProto. */
enum { G_NODE = 1, G_NAME = 2, G_WEIGHT = 5, G_INPUT = 11, G_OUTPUT = 12, G_SPARSE = 15 };
/* Fields of NodeProto. */
enum { N_INPUT = 1, N_OUTPUT = 2, N_NAME = 3, N_TYPE = 4, N_ATTR = 5, N_DOMAIN = 7,
       N_OVERLOAD = 8 };
static uint32_t count_fields(het__pb m, uint32_t number)
{
    uint32_t n = 0;
    for (het__pb_field f; het__pb_next(&m, &f);)
        n += f.key == HET__PB_KEY(number, HET__PB_BYTES) && n < UINT32_MAX;
    return n;
}

/* ---- inputs and outputs of graphs ---- */

static het_status parse_dim(het__onnx_reader *r, het__pb m, het__onnx_io *io)
{
    const uint32_t i = io->rank++;
    het_status s = HET_OK;
    io->extent[i] = -1;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        if (f.key == HET__PB_KEY(1, HET__PB_VARINT) && (int64_t)f.value >= 0)
            io->extent[i] = (int64_t)f.value;
        if (f.key == HET__PB_KEY(2, HET__PB_BYTES))
            s = het__onnx_name(r, &f.bytes, &io->symbol[i]);
    }
    if (io->symbol[i] && !io->symbol[i][0])
        io->symbol[i] = NULL;
    return s == HET_OK && m.bad ? het__onnx_bad(r, m.at, "malformed extent") : s;
}

static het_status parse_shape(het__onnx_reader *r, het__pb m, het__onnx_io *io)
{
    het_status s = HET_OK;
    io->rank = 0;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        if (f.key != HET__PB_KEY(1, HET__PB_BYTES))
            continue;
        if (io->rank == HET_RANK_MAX)
            return het__fail(r->err, HET_E_UNSUPPORTED, "%s has more than %d extents", io->name,
                             HET_RANK_MAX);
        s = parse_dim(r, f.bytes, io);
    }
    return s == HET_OK && m.bad ? het__onnx_bad(r, m.at, "malformed shape") : s;
}

static het_status parse_tensor_type(het__onnx_reader *r, het__pb m, het__onnx_io *io)
{
    het_status s = HET_OK;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        if (f.key == HET__PB_KEY(1, HET__PB_VARINT) && f.value)
            io->dtype = het__onnx_dtype((int32_t)f.value, &io->odd);
        if (f.key == HET__PB_KEY(2, HET__PB_BYTES))
            s = parse_shape(r, f.bytes, io);
    }
    return s == HET_OK && m.bad ? het__onnx_bad(r, m.at, "malformed type") : s;
}

static het_status parse_type(het__onnx_reader *r, het__pb m, het__onnx_io *io)
{
    het_status s = HET_OK;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        switch (f.key) {
        case HET__PB_KEY(1, HET__PB_BYTES): s = parse_tensor_type(r, f.bytes, io); break;
        case HET__PB_KEY(4, HET__PB_BYTES): io->odd = "a sequence"; break;
        case HET__PB_KEY(5, HET__PB_BYTES): io->odd = "a map"; break;
        case HET__PB_KEY(7, HET__PB_BYTES): io->odd = "an opaque value"; break;
        case HET__PB_KEY(8, HET__PB_BYTES): io->odd = "a sparse tensor"; break;
        case HET__PB_KEY(9, HET__PB_BYTES): io->odd = "an optional"; break;
        default: break;
        }
    }
    return s == HET_OK && m.bad ? het__onnx_bad(r, m.at, "malformed type") : s;
}

static het_status parse_io(het__onnx_reader *r, het__pb m, het__onnx_io *io)
{
    het_status s = HET_OK;
    const uint8_t *at = m.at;
    io->name = "";
    io->rank = HET__RANK_UNKNOWN;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        if (f.key == HET__PB_KEY(1, HET__PB_BYTES))
            s = het__onnx_name(r, &f.bytes, &io->name);
        if (f.key == HET__PB_KEY(2, HET__PB_BYTES))
            s = parse_type(r, f.bytes, io);
    }
    if (s == HET_OK && m.bad)
        return het__onnx_bad(r, m.at, "malformed description of a value");
    return s == HET_OK && !io->name[0] ? het__onnx_bad(r, at, "a value without a name") : s;
}

/* ---- nodes ---- */

/* All strings of a field. */
het_status het__onnx_parse_names(het__onnx_reader *r, het__pb m, uint32_t number,
                                 const char ***list, uint32_t *count)
{
    const uint32_t n = count_fields(m, number);
    het_status s = HET_OK;
    *count = 0;
    *list = het__arena_zero(&r->scratch, n, sizeof **list);
    if (!*list)
        return het__onnx_nomem(r);
    for (het__pb_field f; s == HET_OK && *count < n && het__pb_next(&m, &f);)
        if (f.key == HET__PB_KEY(number, HET__PB_BYTES))
            s = het__onnx_name(r, &f.bytes, &(*list)[(*count)++]);
    return s;
}

/* All messages of a field. */
const het__pb *het__onnx_messages(het__onnx_reader *r, het__pb m, uint32_t number,
                                  uint32_t *count)
{
    const uint32_t n = count_fields(m, number);
    het__pb *list = het__arena_zero(&r->scratch, n, sizeof *list);
    *count = 0;
    if (!list)
        return NULL;
    for (het__pb_field f; *count < n && het__pb_next(&m, &f);)
        if (f.key == HET__PB_KEY(number, HET__PB_BYTES))
            list[(*count)++] = f.bytes;
    return list;
}

static het_status find_operation(het__onnx_reader *r, het__onnx_node *node)
{
    const char *name = node->type;
    if (node->domain[0])
        name = het__onnx_join(r, node->domain, ":", node->type);
    if (!name)
        return het__onnx_nomem(r);
    const het__name_slot *row = het__names_find(&r->ops, name, strlen(name));
    node->op = row ? (het__op)row->value : HET__OP_T_UNKNOWN;
    node->full = node->domain[0] ? name : het__onnx_join(r, "ai.onnx", ":", node->type);
    return node->full ? HET_OK : het__onnx_nomem(r);
}

static het_status parse_node_names(het__onnx_reader *r, het__pb m, het__onnx_node *node)
{
    het_status s = HET_OK;
    node->name = node->type = node->domain = node->overload = "";
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        switch (f.key) {
        case HET__PB_KEY(N_NAME, HET__PB_BYTES):
            s = het__onnx_name(r, &f.bytes, &node->name);
            break;
        case HET__PB_KEY(N_TYPE, HET__PB_BYTES):
            s = het__onnx_name(r, &f.bytes, &node->type);
            break;
        case HET__PB_KEY(N_DOMAIN, HET__PB_BYTES):
            s = het__onnx_name(r, &f.bytes, &node->domain);
            break;
        case HET__PB_KEY(N_OVERLOAD, HET__PB_BYTES):
            s = het__onnx_name(r, &f.bytes, &node->overload);
            break;
        default: break;
        }
    }
    node->domain = het__onnx_domain(node->domain);
    return s == HET_OK && m.bad ? het__onnx_bad(r, m.at, "malformed node") : s;
}

/* Some exporters keep all weights in Constant nodes. */
static het_status count_constant(het__onnx_reader *r, const het__onnx_node *node)
{
    for (uint32_t i = 0; node->output_count && i < node->attr_count; i++) {
        const het__attr *a = &node->attrs[i];
        if (a->kind != HET__ATTR_TENSOR || !het__onnx_is_parameter(a->u.tensor))
            continue;
        const het__onnx_weight w = { node->outputs[0], *a->u.tensor,
                                     (uint64_t)het__onnx_stored_bytes(a->u.tensor) };
        return het__onnx_add_weight(r, &w);
    }
    return HET_OK;
}

static het_status parse_node(het__onnx_reader *r, het__pb m, het__onnx_node *node)
{
    uint32_t attr_count;
    het_status s = parse_node_names(r, m, node);
    if (s == HET_OK)
        s = het__onnx_parse_names(r, m, N_INPUT, &node->inputs, &node->input_count);
    if (s == HET_OK)
        s = het__onnx_parse_names(r, m, N_OUTPUT, &node->outputs, &node->output_count);
    if (s != HET_OK)
        return s;
    if (!node->type[0])
        return het__onnx_bad(r, m.at, "node %s has no operation", node->name);
    while (node->output_count && !node->outputs[node->output_count - 1][0])
        node->output_count--;
    for (uint32_t i = 0; i < node->output_count && !node->name[0]; i++)
        node->name = node->outputs[i];
    s = find_operation(r, node);
    if (s != HET_OK)
        return s;
    const het__pb *attrs = het__onnx_messages(r, m, N_ATTR, &attr_count);
    s = attrs ? het__onnx_parse_attrs(r, attrs, attr_count, node) : het__onnx_nomem(r);
    return s == HET_OK && node->op == HET__OP_T_CONSTANT ? count_constant(r, node) : s;
}

het_status het__onnx_parse_nodes(het__onnx_reader *r, het__pb m, uint32_t number,
                                 het__onnx_part *part)
{
    const uint32_t n = count_fields(m, number);
    het_status s = HET_OK;
    part->nodes = het__arena_zero(&r->scratch, n, sizeof *part->nodes);
    if (!part->nodes)
        return het__onnx_nomem(r);
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);)
        if (f.key == HET__PB_KEY(number, HET__PB_BYTES))
            s = parse_node(r, f.bytes, &part->nodes[part->node_count++]);
    return s == HET_OK ? het__onnx_sort(r, part) : s;
}

/* ---- graphs ---- */

static het_status parse_graph_fields(het__onnx_reader *r, het__pb m, het__onnx_part *part)
{
    het_status s = HET_OK;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        switch (f.key) {
        case HET__PB_KEY(G_NAME, HET__PB_BYTES):
            s = het__onnx_name(r, &f.bytes, &part->name);
            break;
        case HET__PB_KEY(G_WEIGHT, HET__PB_BYTES):
            s = het__onnx_read_tensor(r, f.bytes, &part->weights[part->weight_count++]);
            if (s == HET_OK && !part->weights[part->weight_count - 1].name[0])
                s = het__onnx_bad(r, f.bytes.at, "an initializer without a name");
            break;
        case HET__PB_KEY(G_INPUT, HET__PB_BYTES):
            s = parse_io(r, f.bytes, &part->inputs[part->input_count++]);
            break;
        case HET__PB_KEY(G_OUTPUT, HET__PB_BYTES):
            s = parse_io(r, f.bytes, &part->outputs[part->output_count++]);
            break;
        case HET__PB_KEY(G_SPARSE, HET__PB_BYTES):
            return het__fail(r->err, HET_E_UNSUPPORTED, "graph %s has sparse initializers",
                             part->name);
        default: break;
        }
    }
    return s == HET_OK && m.bad ? het__onnx_bad(r, m.at, "malformed graph") : s;
}

het_status het__onnx_parse_graph(het__onnx_reader *r, het__pb m, het__onnx_part *part)
{
    if (r->depth == HET__ONNX_DEPTH_MAX)
        return het__fail(r->err, HET_E_UNSUPPORTED, "graphs are nested deeper than %d",
                         HET__ONNX_DEPTH_MAX);
    part->name = "";
    part->weights = het__arena_zero(&r->scratch, count_fields(m, G_WEIGHT), sizeof *part->weights);
    part->inputs = het__arena_zero(&r->scratch, count_fields(m, G_INPUT), sizeof *part->inputs);
    part->outputs = het__arena_zero(&r->scratch, count_fields(m, G_OUTPUT), sizeof *part->outputs);
    if (!part->weights || !part->inputs || !part->outputs)
        return het__onnx_nomem(r);
    r->depth++;
    het_status s = parse_graph_fields(r, m, part);
    if (s == HET_OK)
        s = het__onnx_parse_nodes(r, m, G_NODE, part);
    r->depth--;
    for (uint32_t i = 0; s == HET_OK && i < part->weight_count; i++)
        s = het__onnx_add_weight(r, &part->weights[i]);
    return s;
}

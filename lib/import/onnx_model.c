/* SPDX-License-Identifier: Apache-2.0 */
/* ModelProto: versions, functions, the main graph, and what can be said about the file. */
#include <stdio.h>
#include <string.h>

#include "lib/import/onnx_parts.h"

/* Fields of ModelProto. */
enum { M_IR = 1, M_PRODUCER = 2, M_PRODUCER_VERSION = 3, M_DOMAIN = 4, M_VERSION = 5, M_DOC = 6,
       M_GRAPH = 7, M_OPSET = 8, M_PROPERTY = 14, M_FUNCTION = 25 };
/* Fields of FunctionProto. */
enum { F_NAME = 1, F_INPUT = 4, F_OUTPUT = 5, F_NODE = 7, F_OPSET = 9, F_DOMAIN = 10,
       F_DEFAULT = 11, F_OVERLOAD = 13 };

/* ---- operation sets ---- */

static het_status parse_opset(het__onnx_reader *r, het__pb m, het__names *opsets)
{
    const char *domain = "";
    int64_t version = 0;
    het_status s = HET_OK;
    const uint8_t *at = m.at;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        if (f.key == HET__PB_KEY(1, HET__PB_BYTES))
            s = het__onnx_name(r, &f.bytes, &domain);
        if (f.key == HET__PB_KEY(2, HET__PB_VARINT))
            version = (int64_t)f.value;
    }
    if (s != HET_OK)
        return s;
    domain = het__onnx_domain(domain);
    if (m.bad || version < 0 || version > INT32_MAX)
        return het__onnx_bad(r, at, "malformed operation set %s", domain);
    if (!domain[0] && version > HET__ONNX_OPSET_MAX)
        return het__fail(r->err, HET_E_VERSION,
                         "operation set ai.onnx %lld is newer than the newest known here, %d",
                         (long long)version, HET__ONNX_OPSET_MAX);
    het__name_slot *slot = het__names_find(opsets, domain, strlen(domain));
    if (slot)
        slot->value = (uint32_t)version;
    else if (!het__names_add(opsets, domain, strlen(domain), (uint32_t)version))
        return het__onnx_nomem(r);
    return HET_OK;
}

/* ---- functions ---- */

het_status het__onnx_call_key(het__onnx_reader *r, const char *domain, const char *name,
                              const char *overload, const char **key)
{
    const char *end = het__onnx_join(r, ":", overload, "");
    const char *start = het__onnx_join(r, domain, ":", name);
    *key = end && start ? het__onnx_join(r, start, end, "") : NULL;
    return *key ? HET_OK : het__onnx_nomem(r);
}

static het_status parse_function_names(het__onnx_reader *r, het__pb m, het__onnx_function *fn,
                                       const char **key)
{
    const char *name = "", *domain = "", *overload = "";
    het_status s = HET_OK;
    const uint8_t *at = m.at;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        switch (f.key) {
        case HET__PB_KEY(F_NAME, HET__PB_BYTES): s = het__onnx_name(r, &f.bytes, &name); break;
        case HET__PB_KEY(F_DOMAIN, HET__PB_BYTES): s = het__onnx_name(r, &f.bytes, &domain); break;
        case HET__PB_KEY(F_OVERLOAD, HET__PB_BYTES):
            s = het__onnx_name(r, &f.bytes, &overload);
            break;
        case HET__PB_KEY(F_OPSET, HET__PB_BYTES):
            s = parse_opset(r, f.bytes, &fn->opsets);
            break;
        default: break;
        }
    }
    if (s != HET_OK)
        return s;
    if (m.bad || !name[0])
        return het__onnx_bad(r, m.bad ? m.at : at, "malformed function %s", name);
    fn->name = name;
    return het__onnx_call_key(r, het__onnx_domain(domain), name, overload, key);
}

static het_status parse_defaults(het__onnx_reader *r, het__pb m, het__onnx_function *fn)
{
    het__onnx_node node = { .name = fn->name };
    uint32_t n;
    const het__pb *list = het__onnx_messages(r, m, F_DEFAULT, &n);
    if (!list)
        return het__onnx_nomem(r);
    const het_status s = het__onnx_parse_attrs(r, list, n, &node);
    if (s == HET_OK && (node.links || node.odd))
        return het__fail(r->err, HET_E_UNSUPPORTED,
                         "function %s has a default that is no number, text or tensor", fn->name);
    fn->defaults = node.attrs;
    fn->default_count = node.attr_count;
    return s;
}

/* Inputs and outputs of a function are names only. */
static het_status parse_ends(het__onnx_reader *r, het__pb m, uint32_t number, het__onnx_io **ends,
                             uint32_t *count)
{
    const char **names;
    const het_status s = het__onnx_parse_names(r, m, number, &names, count);
    *ends = s == HET_OK ? het__arena_zero(&r->scratch, *count, sizeof **ends) : NULL;
    for (uint32_t i = 0; *ends && i < *count; i++)
        (*ends)[i].name = names[i];
    return s == HET_OK && !*ends ? het__onnx_nomem(r) : s;
}

static het_status parse_function(het__onnx_reader *r, het__pb m, het__onnx_function *fn)
{
    const char *key;
    const uint8_t *at = m.at;
    het__onnx_part *part = &fn->part;
    het__names_init(&fn->opsets, r->mem);
    het_status s = parse_function_names(r, m, fn, &key);
    if (s == HET_OK && het__names_find(&r->called, key, strlen(key)))
        s = het__onnx_bad(r, at, "function %s is there twice", fn->name);
    if (s == HET_OK && !het__names_add(&r->called, key, strlen(key), (uint32_t)(fn - r->functions)))
        s = het__onnx_nomem(r);
    part->name = fn->name;
    if (s == HET_OK)
        s = parse_ends(r, m, F_INPUT, &part->inputs, &part->input_count);
    if (s == HET_OK)
        s = parse_ends(r, m, F_OUTPUT, &part->outputs, &part->output_count);
    if (s == HET_OK)
        s = parse_defaults(r, m, fn);
    return s == HET_OK ? het__onnx_parse_nodes(r, m, F_NODE, part) : s;
}

/* ---- weights and properties ---- */

bool het__onnx_is_parameter(const het__tensor *t)
{
    switch ((int)t->dtype) {
    case HET_DTYPE_I32:
    case HET_DTYPE_U32:
    case HET_DTYPE_I64:
    case HET_DTYPE_U64:
    case HET_DTYPE_BOOL: return false;
    default: return t->rank > 0;
    }
}

het_status het__onnx_add_weight(het__onnx_reader *r, const het__onnx_weight *weight)
{
    het__onnx *m = r->model;
    void *list = m->weights;
    if (!het__onnx_grow(r, &list, m->weight_count, &r->weight_capacity, sizeof *weight))
        return het__onnx_nomem(r);
    m->weights = list;
    m->weights[m->weight_count++] = *weight;
    m->weight_bytes += weight->file_bytes;
    if (het__onnx_is_parameter(&weight->tensor))
        m->parameter_count += (uint64_t)het__tensor_elements(&weight->tensor);
    return HET_OK;
}

static het_status add_property(het__onnx_reader *r, const char *key, const char *value)
{
    het__onnx *m = r->model;
    void *list = m->properties;
    if (!key || !value ||
        !het__onnx_grow(r, &list, m->property_count, &r->property_capacity, sizeof *m->properties))
        return het__onnx_nomem(r);
    m->properties = list;
    m->properties[m->property_count++] = (het__onnx_property){ key, value };
    return HET_OK;
}

static het_status add_number(het__onnx_reader *r, const char *key, int64_t value)
{
    return add_property(r, key, het__arena_printf(r->keep, "%lld", (long long)value));
}

static het_status add_text(het__onnx_reader *r, const char *key, const het__pb *bytes)
{
    return het__pb_left(bytes) ? add_property(r, key, het__onnx_text(r, bytes)) : HET_OK;
}

static het_status add_entry(het__onnx_reader *r, het__pb m)
{
    het__pb key = { NULL, NULL, false }, value = key;
    for (het__pb_field f; het__pb_next(&m, &f);) {
        if (f.key == HET__PB_KEY(1, HET__PB_BYTES))
            key = f.bytes;
        if (f.key == HET__PB_KEY(2, HET__PB_BYTES))
            value = f.bytes;
    }
    if (m.bad)
        return het__onnx_bad(r, m.at, "malformed property");
    return add_property(r, het__onnx_text(r, &key), het__onnx_text(r, &value));
}

static het_status add_opset(het__onnx_reader *r, const char *domain)
{
    const het__name_slot *slot = het__names_find(&r->opsets, domain, strlen(domain));
    const char *key = het__onnx_join(r, "opset.", domain[0] ? domain : "ai.onnx", "");
    return key ? add_number(r, key, slot->value) : het__onnx_nomem(r);
}

/* ---- the model ---- */

static het_status check_version(const het__onnx_reader *r, int64_t version)
{
    if (version > HET__ONNX_IR_MAX)
        return het__fail(r->err, HET_E_VERSION,
                         "version %lld of the file format is newer than the newest known here, %d",
                         (long long)version, HET__ONNX_IR_MAX);
    if (version < 1)
        return het__fail(r->err, HET_E_FORMAT, "the file says no version of the format");
    return HET_OK;
}

/* What everything else depends on. */
static het_status parse_head(het__onnx_reader *r, het__pb m, het__pb *graph)
{
    het_status s = HET_OK;
    int64_t version = 0;
    uint32_t graphs = 0, functions = 0;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        switch (f.key) {
        case HET__PB_KEY(M_IR, HET__PB_VARINT): version = (int64_t)f.value; break;
        case HET__PB_KEY(M_OPSET, HET__PB_BYTES):
            s = parse_opset(r, f.bytes, &r->opsets);
            break;
        case HET__PB_KEY(M_FUNCTION, HET__PB_BYTES): functions++; break;
        case HET__PB_KEY(M_GRAPH, HET__PB_BYTES):
            *graph = f.bytes;
            graphs++;
            break;
        default: break;
        }
    }
    if (s == HET_OK && m.bad)
        return het__onnx_bad(r, m.at, "no field of a model");
    if (s == HET_OK)
        s = check_version(r, version);
    if (s == HET_OK && graphs != 1)
        return het__fail(r->err, HET_E_FORMAT, "the model has %u graphs, not one", graphs);
    r->functions = het__arena_zero(&r->scratch, functions, sizeof *r->functions);
    return s == HET_OK && !r->functions ? het__onnx_nomem(r) : s;
}

static het_status parse_rest(het__onnx_reader *r, het__pb m)
{
    het_status s = HET_OK;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        switch (f.key) {
        case HET__PB_KEY(M_IR, HET__PB_VARINT):
            s = add_number(r, "ir_version", (int64_t)f.value);
            break;
        case HET__PB_KEY(M_PRODUCER, HET__PB_BYTES):
            s = add_text(r, "producer_name", &f.bytes);
            break;
        case HET__PB_KEY(M_PRODUCER_VERSION, HET__PB_BYTES):
            s = add_text(r, "producer_version", &f.bytes);
            break;
        case HET__PB_KEY(M_DOMAIN, HET__PB_BYTES): s = add_text(r, "domain", &f.bytes); break;
        case HET__PB_KEY(M_VERSION, HET__PB_VARINT):
            s = add_number(r, "model_version", (int64_t)f.value);
            break;
        case HET__PB_KEY(M_DOC, HET__PB_BYTES): s = add_text(r, "doc_string", &f.bytes); break;
        case HET__PB_KEY(M_PROPERTY, HET__PB_BYTES): s = add_entry(r, f.bytes); break;
        case HET__PB_KEY(M_FUNCTION, HET__PB_BYTES):
            s = parse_function(r, f.bytes, &r->functions[r->function_count++]);
            break;
        default: break;
        }
    }
    return s;
}

/* In the order of the file. */
static het_status add_opsets(het__onnx_reader *r, het__pb m)
{
    het_status s = HET_OK;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        const char *domain = "";
        if (f.key != HET__PB_KEY(M_OPSET, HET__PB_BYTES))
            continue;
        for (het__pb_field g; s == HET_OK && het__pb_next(&f.bytes, &g);)
            if (g.key == HET__PB_KEY(1, HET__PB_BYTES))
                s = het__onnx_name(r, &g.bytes, &domain);
        if (s == HET_OK)
            s = add_opset(r, het__onnx_domain(domain));
    }
    return s;
}

het_status het__onnx_parse_model(het__onnx_reader *r, het__onnx_part *part)
{
    const het__pb m = { .at = r->data, .end = r->data + r->size };
    het__pb graph = m;
    het_status s = parse_head(r, m, &graph);
    if (s == HET_OK)
        s = parse_rest(r, m);
    if (s == HET_OK)
        s = add_opsets(r, m);
    return s == HET_OK ? het__onnx_parse_graph(r, graph, part) : s;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer inspect on a graph model: inputs, outputs, operations by how often they occur. */
#include "inspect_graph.h"

#include "port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct operation {
    const char *name; /* borrowed from the model */
    long long count;
    bool unknown;
} operation;

typedef struct operations {
    operation *at;
    size_t count, unknown_count;
} operations;

bool is_operation(const het_metadata *m, bool *unknown)
{
    const bool strange = strcmp(m->type, "unknown operation") == 0;
    if (unknown)
        *unknown = strange;
    return strange || strcmp(m->type, "operation") == 0;
}

static int by_count(const void *a, const void *b)
{
    const operation *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The list is for free(). */
static int read_operations(const engine *e, operations *o)
{
    const size_t count = het_model_metadata_count(e->model);
    *o = (operations){ .at = calloc(count + 1, sizeof *o->at) };
    if (!o->at)
        return failure("out of memory");
    for (size_t i = 0; i < count; i++) {
        het_metadata m = { .struct_size = sizeof m };
        bool unknown;
        if (het_model_metadata_at(e->model, i, &m) || !is_operation(&m, &unknown))
            continue;
        o->at[o->count++] = (operation){ m.key, strtoll(m.value, NULL, 10), unknown };
        o->unknown_count += unknown;
    }
    qsort(o->at, o->count, sizeof *o->at, by_count);
    return STATUS_GO;
}

/* "opset.ai.onnx" and the like: what is of use before anything else. */
static void print_versions(const engine *e)
{
    fputs("versions     ", stdout);
    for (size_t i = 0; i < het_model_metadata_count(e->model); i++) {
        het_metadata m = { .struct_size = sizeof m };
        if (het_model_metadata_at(e->model, i, &m) || is_operation(&m, NULL))
            continue;
        const bool opset = strncmp(m.key, "opset.", 6) == 0;
        if (!opset && strcmp(m.key, "ir_version") != 0)
            continue;
        putchar(' ');
        print_safe(opset ? m.key + 6 : "format", 0);
        putchar(' ');
        print_safe(m.value, 0);
        putchar(' ');
    }
    putchar('\n');
}

static int print_ports(const engine *e, bool output)
{
    for (size_t i = 0; i < port_count(e->model, output); i++) {
        het_port port;
        char shape[SHAPE_BYTES];
        const int status = port_at(e->model, output, i, &port);
        if (status != STATUS_GO)
            return status;
        shape_text(&port.desc, port.symbol, shape);
        printf("%-12s  ", output ? "output" : "input");
        print_safe(port.name, 32);
        putchar(' ');
        print_safe(shape, 0);
        putchar('\n');
    }
    return STATUS_GO;
}

int print_graph(const engine *e)
{
    operations o;
    print_versions(e);
    int status = print_ports(e, false);
    if (status == STATUS_GO)
        status = print_ports(e, true);
    if (status == STATUS_GO)
        status = read_operations(e, &o);
    if (status != STATUS_GO)
        return status;
    printf("\n%-32s %8s\n", "operation", "nodes");
    for (size_t i = 0; i < o.count; i++) {
        print_safe(o.at[i].name, 32);
        printf(" %8lld%s\n", o.at[i].count, o.at[i].unknown ? "  not known here" : "");
    }
    free(o.at);
    return STATUS_GO;
}

static int json_ports(const engine *e, bool output, json_t *list)
{
    int status = STATUS_GO;
    for (size_t i = 0; status == STATUS_GO && i < port_count(e->model, output); i++) {
        het_port port;
        status = port_at(e->model, output, i, &port);
        if (status == STATUS_GO)
            json_array_append_new(list, shape_json(port.name, &port.desc, port.symbol));
    }
    return status;
}

static void json_opsets(const engine *e, json_t *opsets)
{
    for (size_t i = 0; i < het_model_metadata_count(e->model); i++) {
        het_metadata m = { .struct_size = sizeof m };
        if (!het_model_metadata_at(e->model, i, &m) && !is_operation(&m, NULL) &&
            strncmp(m.key, "opset.", 6) == 0)
            json_object_set_new(opsets, m.key + 6, json_integer(strtoll(m.value, NULL, 10)));
    }
}

int json_graph(const engine *e, json_t *root)
{
    operations o = { 0 };
    json_t *inputs = json_array(), *outputs = json_array(), *list = json_array();
    json_t *opsets = json_object();
    int status = json_ports(e, false, inputs);
    if (status == STATUS_GO)
        status = json_ports(e, true, outputs);
    if (status == STATUS_GO)
        status = read_operations(e, &o);
    for (size_t i = 0; i < o.count; i++)
        json_array_append_new(list, json_pack("{s:o, s:I, s:b}", "name",
                                              json_text(o.at[i].name, strlen(o.at[i].name)),
                                              "nodes", (json_int_t)o.at[i].count, "known",
                                              (int)!o.at[i].unknown));
    json_opsets(e, opsets);
    json_object_set_new(root, "opsets", opsets);
    json_object_set_new(root, "inputs", inputs);
    json_object_set_new(root, "outputs", outputs);
    json_object_set_new(root, "operations", list);
    free(o.at);
    return status;
}

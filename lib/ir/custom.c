/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations of an application's operations, and the nodes that mean them.
 *
 * Two registrations of one name must not share a version, and none has the name of an operation of
 * the table: a node means one thing whatever the order of calls. */
#include "lib/ir/custom.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

/* A name that no message would show whole. */
#define NAME_BYTES_MAX 128

/* ---- references ---- */

static void retain(het__custom_op *op)
{
    atomic_fetch_add_explicit(&op->refs, 1, memory_order_relaxed);
}

static void release(het__custom_op *op)
{
    if (atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (op->info.release)
        op->info.release(op->info.user);
    het__free(op->mem, op);
}

void het__custom_set_finish(het__custom_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        release(set->items[i]);
    if (set->items)
        het__free(set->mem, set->items);
    memset(set, 0, sizeof *set);
}

void het__custom_list_init(het__custom_list *list, het__mem *mem)
{
    memset(list, 0, sizeof *list);
    het__mutex_init(&list->lock);
    list->set.mem = mem;
}

void het__custom_list_finish(het__custom_list *list)
{
    het__custom_set_finish(&list->set);
    het__mutex_finish(&list->lock);
}

het_status het__custom_snapshot(het__custom_list *list, het__custom_set *set, het_error *err)
{
    memset(set, 0, sizeof *set);
    set->mem = list->set.mem;
    het__mutex_lock(&list->lock);
    const uint32_t count = list->set.count;
    set->items = count ? het__alloc(set->mem, count * sizeof(het__custom_op *)) : NULL;
    for (uint32_t i = 0; set->items && i < count; i++) {
        set->items[i] = list->set.items[i];
        retain(set->items[i]);
        set->count++;
    }
    het__mutex_unlock(&list->lock);
    return set->count == count ? HET_OK : het__fail_nomem(err, "the registered operations");
}

/* ---- registering ---- */

static const char *domain_of(const char *domain)
{
    return domain && domain[0] ? domain : "ai.onnx";
}

static het_status check_counts(const het_op_info *o, het_error *err)
{
    if (o->inputs_min > o->inputs_max || o->inputs_max > HET_OP_OPERANDS_MAX)
        return het__fail(err, HET_E_INVALID, "operator %s takes %u to %u inputs; %d is the most",
                         o->name, o->inputs_min, o->inputs_max, HET_OP_OPERANDS_MAX);
    if (o->outputs_min > o->outputs_max || o->outputs_max > HET_OP_OPERANDS_MAX)
        return het__fail(err, HET_E_INVALID, "operator %s has %u to %u outputs; %d is the most",
                         o->name, o->outputs_min, o->outputs_max, HET_OP_OPERANDS_MAX);
    if (o->version_min < 0 || o->version_min > o->version_max)
        return het__fail(err, HET_E_INVALID, "operator %s is for versions %d to %d", o->name,
                         (int)o->version_min, (int)o->version_max);
    return HET_OK;
}

/* Fills defaults in. */
static het_status check_info(het_op_info *o, het_error *err)
{
    if (!o->name || !o->name[0] || strlen(o->name) > NAME_BYTES_MAX)
        return het__fail(err, HET_E_INVALID, "an operator needs a name of at most %d bytes",
                         NAME_BYTES_MAX);
    o->domain = domain_of(o->domain);
    if (strlen(o->domain) > NAME_BYTES_MAX)
        return het__fail(err, HET_E_INVALID, "the domain of operator %s is longer than %d bytes",
                         o->name, NAME_BYTES_MAX);
    if (!o->shape || !o->compute)
        return het__fail(err, HET_E_INVALID, "operator %s has no %s function", o->name,
                         o->shape ? "compute" : "shape");
    if (o->inputs_max == 0)
        o->inputs_max = o->inputs_min;
    if (o->outputs_min == 0)
        o->outputs_min = 1;
    if (o->outputs_max == 0)
        o->outputs_max = o->outputs_min;
    if (o->version_max == 0)
        o->version_max = INT32_MAX;
    return check_counts(o, err);
}

static het__custom_op *make_op(het__mem *mem, const het_op_info *info)
{
    const size_t bytes = strlen(info->domain) + strlen(info->name) + 2;
    het__custom_op *op = het__alloc_zero(mem, 1, sizeof *op + bytes);
    if (!op)
        return NULL;
    char *type = (char *)(op + 1);
    snprintf(type, bytes, "%s:%s", info->domain, info->name);
    atomic_init(&op->refs, 1);
    op->mem = mem;
    op->info = *info;
    op->info.domain = NULL; /* the caller's: type says both */
    op->info.name = NULL;
    op->type = type;
    return op;
}

static het_status check_new(const het__custom_set *set, const het__custom_op *op, het_error *err)
{
    const char *own = strncmp(op->type, "ai.onnx:", 8) == 0 ? op->type + 8 : op->type;
    if (het__tensor_op_find(own) != HET__OP_T_UNKNOWN)
        return het__fail(err, HET_E_INVALID,
                         "operator %s is one that the library has: it cannot be replaced",
                         op->type);
    for (uint32_t i = 0; i < set->count; i++) {
        const het_op_info *other = &set->items[i]->info;
        if (strcmp(set->items[i]->type, op->type) == 0 &&
            other->version_min <= op->info.version_max &&
            op->info.version_min <= other->version_max)
            return het__fail(err, HET_E_INVALID,
                             "operator %s is registered already, for versions %d to %d", op->type,
                             (int)other->version_min, (int)other->version_max);
    }
    return HET_OK;
}

static het_status add(het__custom_set *set, het__custom_op *op, het_error *err)
{
    const het_status s = check_new(set, op, err);
    if (s != HET_OK)
        return s;
    het__custom_op **items =
        het__realloc(set->mem, set->items, (set->count + 1) * sizeof *items);
    if (!items)
        return het__fail_nomem(err, op->type);
    set->items = items;
    set->items[set->count++] = op;
    return HET_OK;
}

het_status het__custom_register(het__custom_list *list, const het_op_info *info, het_error *err)
{
    het_op_info o = *info;
    het_status s = check_info(&o, err);
    if (s != HET_OK)
        return s;
    het__custom_op *op = make_op(list->set.mem, &o);
    if (!op)
        return het__fail_nomem(err, "an operator");
    het__mutex_lock(&list->lock);
    s = add(&list->set, op, err);
    het__mutex_unlock(&list->lock);
    if (s != HET_OK)
        het__free(op->mem, op); /* never called, so not released either */
    return s;
}

/* The first of that name, taken out of the set. */
static het__custom_op *take(het__custom_set *set, const char *type)
{
    for (uint32_t i = 0; i < set->count; i++) {
        het__custom_op *op = set->items[i];
        if (strcmp(op->type, type) != 0)
            continue;
        set->items[i] = set->items[--set->count];
        return op;
    }
    return NULL;
}

het_status het__custom_unregister(het__custom_list *list, const char *domain, const char *name,
                                  het_error *err)
{
    char type[2 * NAME_BYTES_MAX + 2];
    bool found = false;
    const int length = snprintf(type, sizeof type, "%s:%s", domain_of(domain), name);
    while (length > 0 && (size_t)length < sizeof type) {
        het__mutex_lock(&list->lock);
        het__custom_op *op = take(&list->set, type);
        het__mutex_unlock(&list->lock);
        if (!op)
            break;
        found = true;
        release(op); /* may call the application: not under the lock */
    }
    return found ? HET_OK : het__fail(err, HET_E_INVALID, "no operator %s is registered", type);
}

/* ---- nodes ---- */

static const het__custom_op *find(const het__custom_set *set, const het__attr_list *attrs)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const het__custom_op *op = set->items[i];
        if (strcmp(op->type, attrs->type) == 0 && attrs->opset >= op->info.version_min &&
            attrs->opset <= op->info.version_max)
            return op;
    }
    return NULL;
}

static bool can_bind(const het__node *node)
{
    const het__attr_list *attrs = &node->attrs.tensor;
    if (node->op != HET__OP_T_UNKNOWN || !attrs->type || attrs->partial)
        return false;
    for (uint32_t i = 0; i < attrs->count; i++)
        if (attrs->items[i].kind == HET__ATTR_GRAPH)
            return false;
    return true;
}

static bool is_askew(const het__tensor *t)
{
    const het__dtype_info *type = het__dtype(t->dtype);
    return t->data && type && (uintptr_t)t->data % type->block_bytes != 0;
}

/* A tensor in the file lies where it lies; the application wants it aligned. */
static const het__tensor *aligned_copy(const het__tensor *t, het__arena *arena)
{
    const int64_t bytes = het__tensor_bytes(t);
    het__tensor *copy = bytes < 0 ? NULL : het__arena_alloc(arena, sizeof *copy);
    void *data = copy ? het__arena_alloc(arena, (size_t)bytes + 1) : NULL;
    if (!data)
        return NULL;
    memcpy(data, t->data, (size_t)bytes);
    *copy = *t;
    copy->data = data;
    return copy;
}

static bool align_attributes(het__attr_list *attrs, het__arena *arena)
{
    het__attr *items = NULL;
    for (uint32_t i = 0; i < attrs->count; i++) {
        if (attrs->items[i].kind != HET__ATTR_TENSOR || !is_askew(attrs->items[i].u.tensor))
            continue;
        if (!items) {
            items = het__arena_zero(arena, attrs->count, sizeof *items);
            if (!items)
                return false;
            memcpy(items, attrs->items, attrs->count * sizeof *items);
            attrs->items = items;
        }
        items[i].u.tensor = aligned_copy(items[i].u.tensor, arena);
        if (!items[i].u.tensor)
            return false;
    }
    return true;
}

static het_status bind(het__node *node, const het__custom_op *op, het__arena *arena,
                       het_error *err)
{
    const het_op_info *o = &op->info;
    while (node->input_count > o->inputs_max &&
           node->inputs[node->input_count - 1] == HET__NO_VALUE)
        node->input_count--;
    if (node->input_count < o->inputs_min || node->input_count > o->inputs_max)
        return het__fail(err, HET_E_FORMAT, "node %s: %s takes %u to %u inputs, not %u",
                         node->name, op->type, o->inputs_min, o->inputs_max, node->input_count);
    if (node->output_count < o->outputs_min || node->output_count > o->outputs_max)
        return het__fail(err, HET_E_FORMAT, "node %s: %s has %u to %u outputs, not %u",
                         node->name, op->type, o->outputs_min, o->outputs_max,
                         node->output_count);
    if (!align_attributes(&node->attrs.tensor, arena))
        return het__fail_nomem(err, node->name);
    node->op = HET__OP_T_CUSTOM;
    node->attrs.tensor.type = op->type;
    node->attrs.tensor.custom = op;
    return HET_OK;
}

het_status het__custom_bind(const het__custom_set *set, het__graph *graph, het__arena *arena,
                            uint32_t *bound, het_error *err)
{
    het_status s = HET_OK;
    for (uint32_t n = 0; set->count && s == HET_OK && n < graph->node_count; n++) {
        het__node *node = &graph->nodes[n];
        const het__custom_op *op = can_bind(node) ? find(set, &node->attrs.tensor) : NULL;
        if (!op)
            continue;
        s = bind(node, op, arena, err);
        *bound += s == HET_OK;
    }
    return s;
}

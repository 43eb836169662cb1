/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of op.h: registering, and what callbacks ask of their call. */
#include <stdio.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/options.h"

het_status het_op_register(het_context *context, const het_op_info *info, het_error *err)
{
    het_op_info o;
    HET_REQUIRE(context != NULL && info != NULL, err);
    const het_status s = het__options_read(&o, sizeof o, info, "het_op_info", err);
    if (s != HET_OK)
        return s;
    if ((o.flags & ~HET_OP_PURE) != 0 || o.reserved != 0)
        return het__fail(err, HET_E_VERSION, "het_op_info has an unknown flag");
    return het__custom_register(&context->customs, &o, err);
}

het_status het_op_unregister(het_context *context, const char *domain, const char *name,
                             het_error *err)
{
    HET_REQUIRE(context != NULL && name != NULL, err);
    return het__custom_unregister(&context->customs, domain, name, err);
}

/* ---- operands ---- */

const char *het_op_call_node(const het_op_call *call)
{
    return call->eval->node->name;
}

int32_t het_op_call_version(const het_op_call *call)
{
    return call->eval->attrs->opset;
}

uint32_t het_op_call_input_count(const het_op_call *call)
{
    return call->eval->input_count;
}

const het_tensor *het_op_call_input(const het_op_call *call, uint32_t index)
{
    return het__eval_input(call->eval, index) ? &call->inputs[index] : NULL;
}

uint32_t het_op_call_output_count(const het_op_call *call)
{
    return call->eval->output_count;
}

const het_tensor *het_op_call_output(const het_op_call *call, uint32_t index)
{
    return index < call->eval->output_count && (call->made >> index & 1) ? &call->outputs[index]
                                                                         : NULL;
}

static bool is_same(const het_tensor_desc *a, const het_tensor_desc *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->extent, b->extent, a->rank * sizeof a->extent[0]) == 0;
}

/* Fails the call; the first reason stands. */
static const het_tensor *fail(het_op_call *call, const char *format, uint32_t index)
{
    if (call->failed == HET_OK)
        call->failed = het__fail(call->eval->err, HET_E_INVALID, format, call->op->type,
                                 call->eval->node->name, index);
    return NULL;
}

const het_tensor *het_op_call_make_output(het_op_call *call, uint32_t index,
                                          const het_tensor_desc *desc)
{
    het__eval *e = call->eval;
    het_tensor_desc d = HET_TENSOR_DESC_INIT;
    if (call->stage != HET__CUSTOM_COMPUTE || index >= e->output_count || !desc)
        return fail(call, "%s %s: output %u cannot be made here", index);
    if (het__options_read(&d, sizeof d, desc, "het_tensor_desc", NULL) != HET_OK || d.flags ||
        d.rank > HET_RANK_MAX)
        return fail(call, "%s %s: the compute function gives output %u no extents", index);
    het_tensor *out = &call->outputs[index];
    if (call->made >> index & 1) {
        if (!is_same(&out->desc, &d))
            return fail(call, "%s %s: the compute function gives output %u another shape than it "
                        "has", index);
        return out;
    }
    if (e->outputs[index].dtype != (het_dtype)d.dtype)
        return fail(call, "%s %s: the compute function gives output %u another type than the shape "
                    "function", index);
    const het_status s = het__eval_output(e, index, (het_dtype)d.dtype, d.rank, d.extent);
    if (s != HET_OK) {
        call->failed = call->failed != HET_OK ? call->failed : s;
        return NULL;
    }
    het__custom_tensor(&e->outputs[index], out);
    call->made |= UINT64_C(1) << index;
    return out;
}

void het_op_call_fail(het_op_call *call, const char *sentence)
{
    snprintf(call->sentence, sizeof call->sentence, "%s", sentence);
}

/* ---- attributes ---- */

int64_t het_op_attr_int(const het_op_call *call, const char *name, int64_t absent)
{
    return het__attr_int(call->eval->attrs, name, absent);
}

float het_op_attr_float(const het_op_call *call, const char *name, float absent)
{
    return het__attr_float(call->eval->attrs, name, absent);
}

const char *het_op_attr_string(const het_op_call *call, const char *name, const char *absent)
{
    return het__attr_string(call->eval->attrs, name, absent);
}

static const het__attr *list_of(const het_op_call *call, const char *name, het__attr_kind kind,
                                size_t *count)
{
    const het__attr *a = het__attr_find(call->eval->attrs, name, kind);
    *count = a ? a->count : 0;
    return a;
}

/* A list without elements is there all the same, which NULL would deny. */

const int64_t *het_op_attr_ints(const het_op_call *call, const char *name, size_t *count)
{
    static const int64_t empty[1] = { 0 };
    const het__attr *a = list_of(call, name, HET__ATTR_INTS, count);
    return !a ? NULL : a->count ? a->u.ints : empty;
}

const float *het_op_attr_floats(const het_op_call *call, const char *name, size_t *count)
{
    static const float empty[1] = { 0 };
    const het__attr *a = list_of(call, name, HET__ATTR_FLOATS, count);
    return !a ? NULL : a->count ? a->u.floats : empty;
}

const char *const *het_op_attr_strings(const het_op_call *call, const char *name, size_t *count)
{
    static const char *const empty[1] = { "" };
    const het__attr *a = list_of(call, name, HET__ATTR_STRINGS, count);
    return !a ? NULL : a->count ? a->u.strings : empty;
}

het_status het_op_attr_tensor(const het_op_call *call, const char *name, het_tensor *tensor)
{
    const het__attr *a = het__attr_find(call->eval->attrs, name, HET__ATTR_TENSOR);
    het_tensor out;
    if (!a)
        return HET_E_INVALID;
    het__custom_tensor(a->u.tensor, &out);
    return het__result_write(tensor, &out, sizeof out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that the application registered: who keeps them, how nodes find them, and what their
 * callbacks see.
 *
 * A context has a list of registrations; a model takes a reference to all that are there when it is
 * loaded, so that its nodes may point to them as long as it lives. */
#ifndef HET_IR_CUSTOM_H
#define HET_IR_CUSTOM_H

#include "lib/base/os.h"
#include "lib/ir/eval.h"

#include <hetinfer/op.h>

/* Immutable, but for the atomic. */
typedef struct het__custom_op {
    _Atomic uint32_t refs;
    het__mem *mem;
    het_op_info info; /* defaults filled in; its strings lie behind this */
    const char *type; /* "domain:Name", as of het__attr_list */
} het__custom_op;

/* References to registrations. */
typedef struct het__custom_set {
    het__mem *mem;
    het__custom_op **items;
    uint32_t count;
} het__custom_set;

typedef struct het__custom_list {
    het__mutex lock;
    het__custom_set set; /* guarded by lock */
} het__custom_list;

void het__custom_list_init(het__custom_list *list, het__mem *mem);
void het__custom_list_finish(het__custom_list *list);
/* info has the size of this release's. */
het_status het__custom_register(het__custom_list *list, const het_op_info *info, het_error *err);
het_status het__custom_unregister(het__custom_list *list, const char *domain, const char *name,
                                  het_error *err);
/* References to all that are registered. */
het_status het__custom_snapshot(het__custom_list *list, het__custom_set *set, het_error *err);
void het__custom_set_finish(het__custom_set *set);

/* Nodes of unknown operations become HET__OP_T_CUSTOM where the set has one for them (not those of
 * bodies). A node with bodies or with attributes of kinds that nobody reads stays unknown.
 * HET_E_FORMAT for a number of inputs or outputs that the operation does not take. arena: of the
 * model; bound counts. */
het_status het__custom_bind(const het__custom_set *set, het__graph *graph, het__arena *arena,
                            uint32_t *bound, het_error *err);

static inline bool het__custom_is_pure(const het__custom_op *op)
{
    return (op->info.flags & HET_OP_PURE) != 0;
}

/* ---- calls: custom_call.c ---- */

typedef enum het__custom_stage {
    HET__CUSTOM_SHAPE = 1,
    HET__CUSTOM_COST,
    HET__CUSTOM_COMPUTE,
} het__custom_stage;

struct het_op_call {
    het__eval *eval;
    const het__custom_op *op;
    het__custom_stage stage;
    het_status failed;   /* a function that the callback called failed, and filled err */
    uint64_t made;       /* bit per output that has memory */
    void *copies;        /* of inputs, to be freed; NULL: none, or in scratch */
    char sentence[128];  /* why the callback fails; "": it does not say */
    het_tensor inputs[HET_OP_OPERANDS_MAX]; /* type NONE: left out */
    het_tensor outputs[HET_OP_OPERANDS_MAX];
};

/* Inputs that lie askew are copied. */
het_status het__custom_begin(het_op_call *call, het__eval *e, het__custom_stage stage);
/* What the callback returned becomes what the library returns. */
het_status het__custom_end(het_op_call *call, het_status status);
/* The public form of a tensor; data of one without elements is not NULL. */
void het__custom_tensor(const het__tensor *t, het_tensor *out);

het_status het__shape_custom(het__eval *e);
void het__count_custom(const het__eval *e, het__work *work);

#endif /* HET_IR_CUSTOM_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes by name, as tensor operations have them: lists in the graph's arena. */
#ifndef HET_IR_ATTR_H
#define HET_IR_ATTR_H

#include "lib/ir/tensor.h"

struct het__custom_op;
struct het__graph;

typedef enum het__attr_kind {
    HET__ATTR_INT = 1,
    HET__ATTR_FLOAT,
    HET__ATTR_STRING,
    HET__ATTR_INTS,
    HET__ATTR_FLOATS,
    HET__ATTR_STRINGS,
    HET__ATTR_TENSOR,
    HET__ATTR_GRAPH,
} het__attr_kind;

typedef struct het__attr {
    const char *name;
    het__attr_kind kind;
    uint32_t count; /* of a list; of a body: values that it takes from around it */
    union {
        int64_t i;
        float f;
        const char *string;
        const int64_t *ints;
        const float *floats;
        const char *const *strings;
        const het__tensor *tensor;
        /* A body. Its formal inputs come first among its INPUT values, the values that it takes
         * from around it are the last `count` of them. The node has these as its last `count`
         * inputs, in the same order. All bodies of a node have the same count and order, those that
         * another body takes included: whatever runs a body hands it the end of the node's inputs
         * as it stands. Constants around a body are no inputs but constants of the body. Every
         * output is made by a node of the body. */
        const struct het__graph *graph;
    } u;
} het__attr;

/* What a tensor operation carries. */
typedef struct het__attr_list {
    const het__attr *items;
    uint32_t count;
    int32_t opset;    /* version of the operation set that the node means */
    const char *type; /* "domain:Name" of an operation that this release does not know, or NULL */
    bool partial;     /* the file has attributes that have no form here */
    const struct het__custom_op *custom; /* of HET__OP_T_CUSTOM: kept alive by the model */
} het__attr_list;

/* NULL if there is none of that name and kind. */
const het__attr *het__attr_find(const het__attr_list *list, const char *name, het__attr_kind kind);
int64_t het__attr_int(const het__attr_list *list, const char *name, int64_t absent);
float het__attr_float(const het__attr_list *list, const char *name, float absent);
const char *het__attr_string(const het__attr_list *list, const char *name, const char *absent);
/* An integer attribute that names an element type by ONNX's numbers. NONE where there is no such
 * type here (strings, complex numbers, numbers of later releases); 0 means absent. */
het_dtype het__attr_dtype(const het__attr_list *list, const char *name, het_dtype absent);

#endif /* HET_IR_ATTR_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* What part of a network a node is: the words in which policies, reports and people speak of it.
 *
 * Three kinds of evidence, in this order: the operation; names (of the node, of its weights, of
 * what it makes), as exporters of language models and of ONNX files give them; and for products of
 * two activations the softmax between them, which makes all three attention. */
#ifndef HET_PARTITION_NODE_CLASS_H
#define HET_PARTITION_NODE_CLASS_H

#include "lib/ir/graph.h"

typedef enum het__node_class {
    HET__CLASS_OTHER = 0,
    HET__CLASS_EMBEDDING,
    HET__CLASS_ATTENTION_QKV_PROJ,
    HET__CLASS_ATTENTION,        /* scores, softmax, weighted sum, rotation of q and k */
    HET__CLASS_ATTENTION_OUTPUT_PROJ,
    HET__CLASS_ROUTER_LOGITS,
    HET__CLASS_EXPERT_SELECTION, /* softmax and choice of experts, order of tokens */
    HET__CLASS_EXPERT_FFN,
    HET__CLASS_FFN,
    HET__CLASS_NORM,
    HET__CLASS_RESIDUAL,         /* sums of two activations */
    HET__CLASS_ACTIVATION,       /* one operand, a curve; softmax outside attention */
    HET__CLASS_LM_HEAD,
    HET__CLASS_CONV,
    HET__CLASS_POOL,
    HET__CLASS_MATMUL,           /* products that are none of the above */
    HET__CLASS_ELEMENTWISE,
    HET__CLASS_REDUCE,
    HET__CLASS_MOVE,             /* layouts, picking by index, views */
    HET__CLASS_RECURRENT,
    HET__CLASS_CONTROL,          /* bodies */
    HET__CLASS_COUNT
} het__node_class;

typedef struct het__node_label {
    uint32_t node_class; /* het__node_class */
    int32_t layer;       /* the number behind "layers", "blk" and the like in its name; -1: none.
                            node->layer is no help: of graphs it counts parts of a plan */
} het__node_label;

/* One label per node. labels: caller's array of node_count. O(nodes + edges + length of names).
 * HET_E_NOMEM is the only failure. */
het_status het__graph_labels(const het__graph *graph, het__mem *mem, het__node_label *labels,
                             het_error *err);

/* "attention_qkv_proj". */
const char *het__node_class_name(uint32_t node_class);

/* Classes that a word stands for, as bits; 0 if nobody knows it. Besides the names above these are
 * words for several ("router", "attention_layer") and other spellings ("layernorm", "head"). */
uint32_t het__node_class_find(const char *word);

#endif /* HET_PARTITION_NODE_CLASS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX files to graphs of tensor operations.
 *
 * The reader walks the protobuf in place, every length checked against what is there; weights stay
 * where they lie (in the file's mapping, or in mappings of external data files), at any alignment,
 * but for types that the file packs (4 and 2 bits) or spells out element by element in varints or
 * typed fields: those are copied. What a node's body takes from around it becomes explicit inputs
 * of the node, behind its own; functions of the model are expanded at their calls. Nothing is
 * normalised: a node means what its operation set says it means. */
#ifndef HET_IMPORT_ONNX_H
#define HET_IMPORT_ONNX_H

#include "lib/base/file.h"
#include "lib/base/os.h"
#include "lib/ir/graph.h"

/* One weight: an initializer of the graph, of a body or of a function's body, or the tensor of a
 * Constant node if its elements count as parameters. */
typedef struct het__onnx_weight {
    const char *name;
    het__tensor tensor; /* data as of the graph's constant */
    uint64_t file_bytes; /* as stored */
} het__onnx_weight;

/* One line about the file: producer, operation sets, the model's own properties. */
typedef struct het__onnx_property {
    const char *key;   /* "producer_name", "opset.ai.onnx", "ir_version", … or as in the file */
    const char *value;
} het__onnx_property;

/* What the file says about an output. Values themselves know no more than what rules find out. */
typedef struct het__onnx_declared {
    het_dtype dtype; /* HET_DTYPE_NONE: nothing */
    uint32_t rank;   /* HET__RANK_UNKNOWN: nothing */
    het__extent extent[HET_RANK_MAX]; /* count -1: nothing */
} het__onnx_declared;

typedef struct het__onnx {
    het__graph graph; /* owns everything here that is not a mapping */
    het__mem *mem;
    het__onnx_weight *weights;
    uint32_t weight_count;
    het__onnx_property *properties;
    uint32_t property_count;
    const char *name; /* of the graph, or "" */
    uint64_t parameter_count; /* elements of floating and of quantised weights of rank >= 1 */
    uint64_t weight_bytes;
    uint32_t unknown_count;   /* nodes of operations that this release does not know */
    het__mapping *external;   /* mapped data files */
    uint32_t external_count;
    het__graph **bodies;      /* every graph that is an attribute of a node, however deep */
    uint32_t body_count;
    const het__onnx_declared *outputs; /* per output of the graph */
} het__onnx;

/* Whether bytes look like an ONNX model: a protobuf whose first fields are those of a model. Cheap;
 * size may be that of the first 4096 bytes. */
bool het__onnx_sniff(const void *data, size_t size);

/* data is borrowed until het__onnx_close(). folder: where external data files are looked for, which
 * must lie in it or below, and not behind symbolic links; NULL: there are none, and a model that
 * wants them is refused (HET_E_UNSUPPORTED). An input of the graph that has an initializer is that
 * constant, and no input.
 *
 * HET_E_IO for data files that are not there; HET_E_FORMAT with place and reason for malformed
 * bytes; HET_E_UNSUPPORTED for strings, sequences, optionals, sparse tensors and complex numbers as
 * graph inputs, outputs or weights; HET_E_VERSION for operation sets newer than this release.
 * Unknown operations are no error: they become HET__OP_T_UNKNOWN. */
het_status het__onnx_open(const void *data, size_t size, const char *folder, het__mem *mem,
                          het__onnx *model, het_error *err);
void het__onnx_close(het__onnx *model);

/* One tensor alone, as the conformance suite keeps its inputs: a serialised TensorProto. data of
 * the tensor is allocated and the caller's; the name, if asked for, lies in the same block. */
het_status het__onnx_tensor(const void *data, size_t size, het__mem *mem, het__tensor *tensor,
                            const char **name, het_error *err);

#endif /* HET_IMPORT_ONNX_H */

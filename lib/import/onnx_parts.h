/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ONNX reader share.
 *
 *   bytes --(onnx_parse.c, onnx_attr.c, onnx_tensor.c)--> definitions --(onnx_build.c)--> graphs
 *
 * Definitions mirror the file: names, not values. They are made once, whatever is built of them:
 * the nodes of a function again for each call. */
#ifndef HET_IMPORT_ONNX_PARTS_H
#define HET_IMPORT_ONNX_PARTS_H

#include "lib/base/error.h"
#include "lib/import/onnx.h"
#include "lib/import/onnx_names.h"
#include "lib/import/onnx_wire.h"

/* The newest that this release knows. */
#define HET__ONNX_OPSET_MAX 27
#define HET__ONNX_IR_MAX 14

/* Bodies in bodies and calls in calls, together; as deep as the interpreter goes. Every level takes
 * some hundred bytes of stack. */
#define HET__ONNX_DEPTH_MAX 32
/* Attributes of one node: they are looked up one by one. */
#define HET__ONNX_ATTRS_MAX 1024
/* Bodies of one node: each gets what any of them takes from around it. */
#define HET__ONNX_BODIES_MAX 4

/* ---- definitions ---- */

/* An input or output of a graph. */
typedef struct het__onnx_io {
    const char *name;
    const char *odd; /* "a sequence", …: what it is instead of a tensor; NULL */
    het_dtype dtype; /* HET_DTYPE_NONE: not said */
    uint32_t rank;   /* HET__RANK_UNKNOWN: not said */
    int64_t extent[HET_RANK_MAX]; /* -1: not said, or symbol */
    const char *symbol[HET_RANK_MAX];
} het__onnx_io;

/* Beside an attribute, if it has one of these. */
typedef struct het__onnx_link {
    const char *reference; /* attribute of the function that it stands for */
    const struct het__onnx_part *body;
} het__onnx_link;

typedef struct het__onnx_node {
    const char *name; /* "" is possible */
    const char *type;
    const char *domain; /* "" for ai.onnx */
    const char *overload;
    const char *full; /* "domain:Name" */
    het__op op;       /* unless a function of the model has that name */
    const char **inputs; /* "": left out */
    const char **outputs;
    uint32_t input_count, output_count;
    het__attr *attrs;
    het__onnx_link *links; /* per attribute; NULL: none has one */
    uint32_t attr_count;
    const char *odd; /* an attribute that has no form here, or NULL */
} het__onnx_node;

/* Nodes in order: a graph, or what a function consists of. */
typedef struct het__onnx_part {
    const char *name;
    het__onnx_node *nodes;
    uint32_t *order; /* of nodes; NULL: as they stand */
    uint32_t node_count;
    het__onnx_weight *weights;
    uint32_t weight_count;
    het__onnx_io *inputs, *outputs;
    uint32_t input_count, output_count;
    const char **wanted; /* names used here or in bodies, but not made here */
    uint32_t wanted_count;
} het__onnx_part;

typedef struct het__onnx_function {
    const char *name; /* "domain:name" for messages */
    het__onnx_part part; /* of inputs and outputs only the names */
    het__attr *defaults;
    uint32_t default_count;
    het__names opsets; /* domain -> version */
    bool open;         /* a call is being expanded */
} het__onnx_function;

/* ---- the reader at work ---- */

typedef struct het__onnx_reader {
    const uint8_t *data;
    size_t size;
    const char *folder;
    het__mem *mem;
    het__onnx *model;     /* NULL while a tensor alone is read */
    het__arena *keep;     /* what the model points to */
    het__arena scratch;   /* definitions */
    het__names interned;  /* -> nothing */
    het__names ops;       /* names of the table -> het__op */
    het__names opsets;    /* domain -> version */
    het__names called;    /* "domain:name:overload" -> index of a function */
    het__onnx_function *functions;
    uint32_t function_count;
    het__names files;     /* locations of external data -> index of a mapping */
    uint32_t weight_capacity, property_capacity, body_capacity, external_capacity;
    uint32_t depth;
    uint64_t budget;      /* see het__onnx_spend() */
    het_error *err;
} het__onnx_reader;

/* HET_E_FORMAT with the place in the file. */
het_status het__onnx_bad(const het__onnx_reader *r, const uint8_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
het_status het__onnx_nomem(const het__onnx_reader *r);

/* The one copy of a name; "" for no bytes. HET_E_FORMAT if it is no text; *name is left alone. */
het_status het__onnx_name(het__onnx_reader *r, const het__pb *bytes, const char **name);
/* The one copy of three texts in a row; NULL: out of memory. */
const char *het__onnx_join(het__onnx_reader *r, const char *a, const char *b, const char *c);
/* A copy as text, whatever the bytes are; NULL: out of memory. */
const char *het__onnx_text(het__onnx_reader *r, const het__pb *bytes);
/* One name for the domain that has two. */
const char *het__onnx_domain(const char *domain);
/* Room for one more element of an array of the model. */
bool het__onnx_grow(het__onnx_reader *r, void **array, uint32_t count, uint32_t *capacity,
                    size_t size);

/* ---- onnx_tensor.c ---- */

/* HET_DTYPE_NONE for what has no form here; *what (may be NULL) names it then. */
het_dtype het__onnx_dtype(int64_t type, const char **what);
/* Contents in place or in r->keep. HET_E_UNSUPPORTED for types without a form here: whoever can do
 * without the tensor goes on. */
het_status het__onnx_read_tensor(het__onnx_reader *r, het__pb message, het__onnx_weight *weight);
/* Bytes of the contents in a file, where elements of 4 and 2 bits are packed. */
int64_t het__onnx_stored_bytes(const het__tensor *t);
/* count elements of 4 or 2 bits, one per byte. */
void het__onnx_unpack(het_dtype dtype, const uint8_t *packed, uint8_t *out, int64_t count);

/* ---- onnx_external.c ---- */

/* The bytes of a tensor, given by its message, that lie in a file of their own. */
het_status het__onnx_external(het__onnx_reader *r, het__pb message, const char *tensor,
                              size_t bytes, const uint8_t **data);

/* ---- onnx_attr.c ---- */

/* Fills attrs, links and odd of the node. */
het_status het__onnx_parse_attrs(het__onnx_reader *r, const het__pb *messages, uint32_t count,
                                 het__onnx_node *node);

/* ---- onnx_parse.c ---- */

/* All strings of a field, in r->scratch. */
het_status het__onnx_parse_names(het__onnx_reader *r, het__pb m, uint32_t number,
                                 const char ***list, uint32_t *count);
/* All messages of a field; NULL: out of memory. */
const het__pb *het__onnx_messages(het__onnx_reader *r, het__pb m, uint32_t number,
                                  uint32_t *count);
/* The nodes of a graph or function whose inputs, outputs and weights are there already. */
het_status het__onnx_parse_nodes(het__onnx_reader *r, het__pb m, uint32_t number,
                                 het__onnx_part *part);
het_status het__onnx_parse_graph(het__onnx_reader *r, het__pb m, het__onnx_part *part);

/* ---- onnx_model.c ---- */

het_status het__onnx_parse_model(het__onnx_reader *r, het__onnx_part *part);
/* What names a function in r->called. */
het_status het__onnx_call_key(het__onnx_reader *r, const char *domain, const char *name,
                              const char *overload, const char **key);
/* Counts a weight of the model. */
het_status het__onnx_add_weight(het__onnx_reader *r, const het__onnx_weight *weight);
/* Whether the elements are what training makes: floats, and integers that stand for them. */
bool het__onnx_is_parameter(const het__tensor *t);

/* ---- onnx_sort.c ---- */

/* Sets part->order and part->wanted. HET_E_FORMAT if a name is made twice or nodes wait for each
 * other. */
het_status het__onnx_sort(het__onnx_reader *r, het__onnx_part *part);

/* ---- building: onnx_build.c, onnx_body.c, onnx_call.c ---- */

/* What the bodies of one node take from around them, in the order of their first use. */
typedef struct het__onnx_captures {
    het__names index;
    const char **names;
    uint32_t *outer; /* values of the graph around */
    uint32_t count, name_capacity, outer_capacity;
} het__onnx_captures;

/* A call of a function. */
typedef struct het__onnx_call {
    const het__onnx_function *function;
    const het__attr_list *attrs; /* of the calling node */
} het__onnx_call;

/* Where names have a meaning while nodes are added to a graph: a graph, or a call in it. */
typedef struct het__onnx_frame {
    het__graph *graph;
    struct het__onnx_frame *around; /* of a body: whose names it sees */
    het__names bound;               /* -> value, or HET__ONNX_ABSENT */
    het__onnx_captures *captures;   /* of a body: shared by those of its node */
    uint32_t *taken;                /* of a body: INPUT values of the first captures */
    uint32_t taken_count, taken_capacity;
    const het__onnx_call *call; /* NULL outside of functions */
    const char *prefix;         /* of names, "" outside of functions */
} het__onnx_frame;

/* Bound to an optional input that the call leaves out. */
#define HET__ONNX_ABSENT (UINT32_MAX - 1)

void het__onnx_frame_init(const het__onnx_reader *r, het__onnx_frame *frame, het__graph *graph);
void het__onnx_frame_finish(const het__onnx_reader *r, het__onnx_frame *frame);
/* The name must be new there. */
het_status het__onnx_bind(het__onnx_reader *r, het__onnx_frame *frame, const char *name,
                          uint32_t value);
/* The value of a name, taken from around if need be; HET__NO_VALUE if it is absent. */
het_status het__onnx_lookup(het__onnx_reader *r, het__onnx_frame *frame, const char *name,
                            const char *user, uint32_t *value);
/* The name with the calls that led to it; NULL: out of memory. */
const char *het__onnx_full_name(het__onnx_reader *r, const het__onnx_frame *frame,
                                const char *name);
/* What is built costs about as much as it stands in the file, but for functions and captures: those
 * are bounded by this. */
het_status het__onnx_spend(het__onnx_reader *r, uint64_t pieces);

/* The main graph into r->model->graph. */
het_status het__onnx_build(het__onnx_reader *r, const het__onnx_part *part);
het_status het__onnx_build_nodes(het__onnx_reader *r, het__onnx_frame *frame,
                                 const het__onnx_part *part);
/* A graph of its own in r->model->bodies. taken: how many captures are its inputs so far. */
het_status het__onnx_build_body(het__onnx_reader *r, het__onnx_frame *around,
                                const het__onnx_part *part, het__onnx_captures *captures,
                                het__graph **graph, uint32_t *taken);
/* Inputs for the captures that other bodies of the node brought. */
het_status het__onnx_pad_body(het__onnx_reader *r, het__graph *body,
                              const het__onnx_captures *captures, uint32_t *taken);
het_status het__onnx_build_weights(het__onnx_reader *r, het__onnx_frame *frame,
                                   const het__onnx_part *part);
/* HET__NO_VALUE: out of memory. */
uint32_t het__onnx_build_const(het__onnx_reader *r, het__onnx_frame *frame, const char *name,
                               const het__tensor *t);
/* Nodes of the function in place of the call. */
het_status het__onnx_build_call(het__onnx_reader *r, het__onnx_frame *frame,
                                const het__onnx_node *node, het__onnx_function *function,
                                const uint32_t *inputs, const het__attr_list *attrs);

#endif /* HET_IMPORT_ONNX_PARTS_H */

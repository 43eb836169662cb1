/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations on OpenCL: what the files of them share.
 *
 * A builder writes down the kernels that a node starts, or says why there are none. It is asked
 * twice: by supports(), with nothing to keep and constants that may lack their contents, and by
 * prepare(). */
#ifndef HET_GPU_TENSOR_H
#define HET_GPU_TENSOR_H

#include "backends/gpu/starts.h"
#include "lib/ir/eval.h"

#define HET__GPU_OPERANDS_MAX 64

typedef struct het__gpu_recipe {
    het__eval e;       /* operands with the contents of constants */
    het__gpu_call *call; /* NULL: only asked */
    het__gpu_starts starts;
    het__scratch scratch;
    het_error error;   /* of e */
    char *reason;      /* why not */
    size_t reason_bytes;
    het_status status; /* other than HET_OK: memory or the device fails, error says how */
    het__tensor inputs[HET__GPU_OPERANDS_MAX], outputs[HET__GPU_OPERANDS_MAX];
} het__gpu_recipe;

typedef bool (*het__gpu_builder)(het__gpu_recipe *t);

/* False, with the reason. */
bool het__gpu_refuse(het__gpu_recipe *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether a reader of lib/ir went well; if not, its sentence is the reason. */
bool het__gpu_went(het__gpu_recipe *t, het_status status);

/* Numbers that the operation has worked out, on the device; nothing where t only asks. */
bool het__gpu_recipe_table(het__gpu_recipe *t, const void *data, size_t bytes,
                           het__gpu_memory **memory);

/* Name of an element type in kernels; NULL: they do not compute with it. */
const char *het__gpu_type(het_dtype dtype);
/* Of an unsigned integer of that size. */
const char *het__gpu_type_of_size(size_t bytes);

/* ---- regular places (ops_tensor_map.c) ---- */

enum { HET__GPU_OUT, HET__GPU_A, HET__GPU_B, HET__GPU_C, HET__GPU_SIDES };
#define HET__GPU_AXES_MAX (2 * HET_RANK_MAX)

/* Axes, outermost first, and what one step along each is, in elements, for the output and up to
 * three operands. */
typedef struct het__gpu_places {
    uint32_t rank;
    int64_t extent[HET__GPU_AXES_MAX];
    int64_t step[HET__GPU_SIDES][HET__GPU_AXES_MAX];
} het__gpu_places;

void het__gpu_places_axis(het__gpu_places *p, int64_t extent, int64_t out, int64_t a);
/* The output is dense and has these axes. */
void het__gpu_places_dense(het__gpu_places *p);
/* Over all places of the output, with inputs 0 to count - 1 broadcast to them. */
void het__gpu_places_of(het__gpu_places *p, const het__tensor *out, const het__tensor *inputs,
                        uint32_t count);
/* Axes that lie behind one another on all sides become one. */
void het__gpu_places_merge(het__gpu_places *p);

/* A start of the kernel map. */
typedef struct het__gpu_map {
    const char *f;        /* of kernels/tensor_map.cl, without f_ */
    const char *to, *type[3];
    uint32_t arity;
    uint32_t output, input[3];
    size_t out_offset, offset[3]; /* bytes */
    float p, q;
    het__gpu_places places;
} het__gpu_map;

bool het__gpu_add_map(het__gpu_recipe *t, het__gpu_map *map);
/* Puts extents and steps; false: more than eight axes. Merges them first. */
bool het__gpu_put_places(het__gpu_recipe *t, het__gpu_start *s, het__gpu_places *p);
/* Elements of input `input` to output `output`, as they are; offsets in elements. */
bool het__gpu_add_move(het__gpu_recipe *t, uint32_t output, int64_t to, uint32_t input,
                       int64_t from, const het__gpu_places *places);

/* ---- builders ---- */

bool het__gpu_build_unary(het__gpu_recipe *t);
bool het__gpu_build_binary(het__gpu_recipe *t);
bool het__gpu_build_variadic(het__gpu_recipe *t);
bool het__gpu_build_where(het__gpu_recipe *t);
bool het__gpu_build_clip(het__gpu_recipe *t);
bool het__gpu_build_cast(het__gpu_recipe *t);
bool het__gpu_build_view(het__gpu_recipe *t);

/* ops_tensor_move.c */
bool het__gpu_build_transpose(het__gpu_recipe *t);
bool het__gpu_build_concat(het__gpu_recipe *t);
bool het__gpu_build_split(het__gpu_recipe *t);
bool het__gpu_build_slice(het__gpu_recipe *t);
bool het__gpu_build_repeat(het__gpu_recipe *t);
bool het__gpu_build_shuffle(het__gpu_recipe *t);
bool het__gpu_build_gather(het__gpu_recipe *t);
bool het__gpu_build_pad(het__gpu_recipe *t);
bool het__gpu_build_resize(het__gpu_recipe *t);

/* ops_tensor_rows.c */
bool het__gpu_build_softmax(het__gpu_recipe *t);
bool het__gpu_build_reduce(het__gpu_recipe *t);
bool het__gpu_build_layer_norm(het__gpu_recipe *t);
bool het__gpu_build_group_norm(het__gpu_recipe *t);
bool het__gpu_build_global_pool(het__gpu_recipe *t);
/* A start of a kernel of tensor_rows.cl: a group for each row of n elements. */
het__gpu_start *het__gpu_add_rows(het__gpu_recipe *t, const char *name, const char *macro,
                                  int64_t rows, int64_t n);

/* ops_tensor_product.c */
bool het__gpu_build_product(het__gpu_recipe *t);
bool het__gpu_build_attention(het__gpu_recipe *t);

/* ops_tensor_codes.c */
bool het__gpu_build_quantize(het__gpu_recipe *t);
bool het__gpu_build_qlinear_binary(het__gpu_recipe *t);
bool het__gpu_build_qlinear_pool(het__gpu_recipe *t);

#endif /* HET_GPU_TENSOR_H */

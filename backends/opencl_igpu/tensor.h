/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations on OpenCL: what the files of them share.
 *
 * A builder writes down the kernels that a node starts, or says why there are none. It is asked
 * twice: by supports(), with nothing to keep and constants that may lack their contents, and by
 * prepare(). */
#ifndef HET_OPENCL_TENSOR_H
#define HET_OPENCL_TENSOR_H

#include "backends/opencl_igpu/starts.h"
#include "lib/ir/eval.h"

#define HET__CL_OPERANDS_MAX 64

typedef struct het__cl_recipe {
    het__eval e;       /* operands with the contents of constants */
    het__cl_call *call; /* NULL: only asked */
    het__cl_starts starts;
    het__scratch scratch;
    het_error error;   /* of e */
    char *reason;      /* why not */
    size_t reason_bytes;
    het_status status; /* other than HET_OK: memory or the device fails, error says how */
    het__tensor inputs[HET__CL_OPERANDS_MAX], outputs[HET__CL_OPERANDS_MAX];
} het__cl_recipe;

typedef bool (*het__cl_builder)(het__cl_recipe *t);

/* False, with the reason. */
bool het__cl_refuse(het__cl_recipe *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether a reader of lib/ir went well; if not, its sentence is the reason. */
bool het__cl_went(het__cl_recipe *t, het_status status);

/* Numbers that the operation has worked out, on the device; nothing where t only asks. */
bool het__cl_recipe_table(het__cl_recipe *t, const void *data, size_t bytes, cl_mem *memory);

/* Name of an element type in kernels; NULL: they do not compute with it. */
const char *het__cl_type(het_dtype dtype);
/* Of an unsigned integer of that size. */
const char *het__cl_type_of_size(size_t bytes);

/* ---- regular places (ops_tensor_map.c) ---- */

enum { HET__CL_OUT, HET__CL_A, HET__CL_B, HET__CL_C, HET__CL_SIDES };
#define HET__CL_AXES_MAX (2 * HET_RANK_MAX)

/* Axes, outermost first, and what one step along each is, in elements, for the output and up to
 * three operands. */
typedef struct het__cl_places {
    uint32_t rank;
    int64_t extent[HET__CL_AXES_MAX];
    int64_t step[HET__CL_SIDES][HET__CL_AXES_MAX];
} het__cl_places;

void het__cl_places_axis(het__cl_places *p, int64_t extent, int64_t out, int64_t a);
/* The output is dense and has these axes. */
void het__cl_places_dense(het__cl_places *p);
/* Over all places of the output, with inputs 0 to count - 1 broadcast to them. */
void het__cl_places_of(het__cl_places *p, const het__tensor *out, const het__tensor *inputs,
                       uint32_t count);
/* Axes that lie behind one another on all sides become one. */
void het__cl_places_merge(het__cl_places *p);

/* A start of the kernel map. */
typedef struct het__cl_map {
    const char *f;        /* of kernels/tensor_map.cl, without f_ */
    const char *to, *type[3];
    uint32_t arity;
    uint32_t output, input[3];
    size_t out_offset, offset[3]; /* bytes */
    float p, q;
    het__cl_places places;
} het__cl_map;

bool het__cl_add_map(het__cl_recipe *t, het__cl_map *map);
/* Puts extents and steps; false: more than eight axes. Merges them first. */
bool het__cl_put_places(het__cl_recipe *t, het__cl_start *s, het__cl_places *p);
/* Elements of input `input` to output `output`, as they are; offsets in elements. */
bool het__cl_add_move(het__cl_recipe *t, uint32_t output, int64_t to, uint32_t input, int64_t from,
                      const het__cl_places *places);

/* ---- builders ---- */

bool het__cl_build_unary(het__cl_recipe *t);
bool het__cl_build_binary(het__cl_recipe *t);
bool het__cl_build_variadic(het__cl_recipe *t);
bool het__cl_build_where(het__cl_recipe *t);
bool het__cl_build_clip(het__cl_recipe *t);
bool het__cl_build_cast(het__cl_recipe *t);
bool het__cl_build_view(het__cl_recipe *t);

/* ops_tensor_move.c */
bool het__cl_build_transpose(het__cl_recipe *t);
bool het__cl_build_concat(het__cl_recipe *t);
bool het__cl_build_split(het__cl_recipe *t);
bool het__cl_build_slice(het__cl_recipe *t);
bool het__cl_build_repeat(het__cl_recipe *t);
bool het__cl_build_shuffle(het__cl_recipe *t);
bool het__cl_build_gather(het__cl_recipe *t);
bool het__cl_build_pad(het__cl_recipe *t);
bool het__cl_build_resize(het__cl_recipe *t);

/* ops_tensor_rows.c */
bool het__cl_build_softmax(het__cl_recipe *t);
bool het__cl_build_reduce(het__cl_recipe *t);
bool het__cl_build_layer_norm(het__cl_recipe *t);
bool het__cl_build_group_norm(het__cl_recipe *t);
bool het__cl_build_global_pool(het__cl_recipe *t);
/* A start of a kernel of tensor_rows.cl: a group for each row of n elements. */
het__cl_start *het__cl_add_rows(het__cl_recipe *t, const char *name, const char *macro,
                                int64_t rows, int64_t n);

/* ops_tensor_product.c */
bool het__cl_build_product(het__cl_recipe *t);
bool het__cl_build_attention(het__cl_recipe *t);

/* ops_tensor_codes.c */
bool het__cl_build_quantize(het__cl_recipe *t);
bool het__cl_build_qlinear_binary(het__cl_recipe *t);
bool het__cl_build_qlinear_pool(het__cl_recipe *t);

#endif /* HET_OPENCL_TENSOR_H */

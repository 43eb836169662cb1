/* SPDX-License-Identifier: Apache-2.0 */
/* A product of rows with a matrix of weights, what LINEAR, GATED, MATMUL and MOE are made of:
 * kernels matvec and matmul for one weight type, several row counts, and what they are given. */
#ifndef HET_GPU_PRODUCT_H
#define HET_GPU_PRODUCT_H

#include "backends/gpu/op.h"

/* How many rows share what is read of the weights: one, up to 4, up to 8, tiles. */
enum { HET__GPU_SIZES = 4 };

typedef struct het__gpu_product {
    uint32_t weight; /* input */
    het__gpu_memory *form; /* the weights in a form of ours; NULL: as they lie */
    size_t form_at;        /* bytes from its beginning */
    bool is_slotted;       /* form and form_at are set by whoever runs it, small_at before init */
    size_t small_at; /* see kernels/blocks.cl */
    het_dtype dtype;
    int64_t inner, columns;
    het__unary unary;     /* done to results */
    het__act_kind act;    /* another way to say it, of MATMUL */
    bool is_turned;       /* weights are [inner, columns], of a plain type */
    bool is_batched;      /* a matrix of x and out per plane */
    bool is_grouped, gathers; /* rows in parts by tiles; rows of x by order */
    bool is_rounded; /* rows of x are codes, see het__gpu_codes */
    bool is_matrix;  /* and many of them are multiplied by matrix instructions */
    het__gpu_kernel *kernels[HET__GPU_SIZES]; /* of the sizes that can occur */
    het__gpu_kernel *finish; /* behind a product of the driver's own; NULL: none */
} het__gpu_product;

/* What changes from launch to launch. */
typedef struct het__gpu_product_step {
    het__gpu_span x, bias, residual, out, tiles, order;
    het__gpu_span codes, marks; /* what is_rounded takes instead of x */
    int64_t rows;   /* of a plane */
    int64_t planes; /* 1 unless is_batched */
    int64_t parts;  /* is_grouped: the most that there can be */
    bool multiplies; /* the result by what out holds */
    float scale, alpha, beta;
    int32_t extents[8], steps[8]; /* int8 of kernels/product.cl, without its alignment */
} het__gpu_product_step;

bool het__gpu_has_decoder(het_dtype dtype);
/* The form in which kernels of this device read weights of blocks.cl; NULL: as they lie. small_at
 * is above 0 where they are split (HET_SPLIT). */
het_status het__gpu_weight_init(het__gpu_call *call, uint32_t input, het__gpu_memory **form,
                                size_t *small_at, het_error *err);
/* A matrix of so many blocks alone in that form: small_at; and laying it out there. */
size_t het__gpu_matrix_small_at(const het__gpu_call *call, het_dtype dtype, size_t blocks);
void het__gpu_matrix_lay(het_dtype dtype, size_t small_at, size_t blocks, const void *source,
                         void *target);
/* Everything but form, small_at and kernels is set. rows_max: the most rows of a plane, or of a
 * part on average. Unsets is_rounded where the driver has no kernels for it. */
het_status het__gpu_product_init(het__gpu_call *call, het__gpu_product *product, int64_t rows_max,
                                 het_error *err);
/* The size for so many rows (of a part on average), and the most rows of a part of that size. */
uint32_t het__gpu_product_size(const het__gpu_product *product, int64_t rows);
int64_t het__gpu_product_part(const het__gpu_call *call, const het__gpu_product *product,
                              uint32_t size);
het_status het__gpu_product_run(het__gpu_call *call, const het__gpu_product *product, uint32_t size,
                                const het__gpu_product_step *step, het_error *err);

/* Rows of x that are rounded to 8 bits, once for all products that read them (codes.c): codes at
 * `at` of the call's scratch, marks behind them. */
typedef struct het__gpu_codes {
    het__gpu_kernel *kernel;
    int64_t inner;
    size_t at, marks_at;
} het__gpu_codes;
/* Whether a product is to be made in 8 bits: fast sessions of devices with instructions for it,
 * constant weights of block types. Everything but kernels is set. */
bool het__gpu_codes_fit(const het__gpu_call *call, const het__gpu_product *product);
/* *end, where scratch ends so far, moves on. */
het_status het__gpu_codes_init(het__gpu_call *call, het__gpu_codes *codes, int64_t rows_max,
                               int64_t inner, size_t *end, het_error *err);
/* Rounds rows of x, and sets codes and marks of the step. */
het_status het__gpu_codes_run(het__gpu_call *call, const het__gpu_codes *codes, het__gpu_span x,
                              int64_t rows, het__gpu_product_step *step, het_error *err);

/* What the driver has of its own for dense products, if anything (driver.h). For up to rows_max
 * rows: what het__gpu_dense_run() needs, if it is to be used at all. */
het_status het__gpu_dense_init(het__gpu_call *call, het__gpu_product *product, int64_t rows_max,
                               het_error *err);
/* Makes *done true, or leaves the product to our own kernels. */
het_status het__gpu_dense_run(het__gpu_call *call, const het__gpu_product *product,
                              const het__gpu_product_step *step, bool *done, het_error *err);

/* Where the weights are when launch() runs, and arguments of a kernel with those of HET_PRODUCT
 * (kernels/product.cl). */
het__gpu_span het__gpu_product_weights(const het__gpu_call *call, const het__gpu_product *product);
void het__gpu_product_bind(const het__gpu_call *call, const het__gpu_product *product,
                           het__gpu_kernel *kernel, const het__gpu_product_step *step);

/* An input or output as it is when launch() runs. */
static inline het__gpu_span het__gpu_span_of(const het__gpu_operand *operand)
{
    return (het__gpu_span){ operand->is_present ? operand->mem : NULL, operand->offset };
}

/* A bias: F32, or a constant of any type, of which *form is made then. */
bool het__gpu_bias_fits(const het__value *value);
het_status het__gpu_bias_init(het__gpu_call *call, uint32_t input, het__gpu_memory **form,
                              het_error *err);
static inline het__gpu_span het__gpu_bias_of(const het__gpu_call *call, uint32_t input,
                                             het__gpu_memory *form)
{
    if (form || input >= call->input_count)
        return (het__gpu_span){ form, 0 };
    return het__gpu_span_of(&call->inputs[input]);
}

#endif /* HET_GPU_PRODUCT_H */

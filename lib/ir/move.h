/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations that move, pick and place elements say in attributes and small inputs: read
 * here once, for shape rules and kernels alike. Everything read is checked; a kernel that reads it
 * again compares the extents with those of its output, since contents may have changed. */
#ifndef HET_IR_MOVE_H
#define HET_IR_MOVE_H

#include "lib/ir/eval.h"
#include "lib/ir/tensor_ops.h"

/* A list of integers from an input or, in older operation sets, an attribute. */
typedef struct het__ints {
    int64_t at[HET__EVAL_OUTPUTS_MAX];
    uint32_t count;
    bool present;
    bool known; /* contents are there, or the list is absent */
} het__ints;

/* At most most (<= HET__EVAL_OUTPUTS_MAX) integers; name may be NULL. */
het_status het__ints_of(const het__eval *e, uint32_t i, const char *name, uint32_t most,
                        het__ints *list);

/* The input, refused if it is left out or of a block type, whose elements have no address. */
het_status het__operand(const het__eval *e, uint32_t i, const het__tensor **t);
/* The same, and of type I32 or I64. */
het_status het__index_operand(const het__eval *e, uint32_t i, const het__tensor **t);

/* Bytes of one element of a scalar type. */
size_t het__element_bytes(het_dtype dtype);

/* Product of the extents from first to last - 1; false on overflow, which a zero elsewhere in the
 * shape allows. */
bool het__span_checked(const het__tensor *t, uint32_t first, uint32_t last, int64_t *n);

/* Integers and floats of 16 bits and more as a number; NaN for other types. */
double het__number(const het__tensor *t, int64_t i);
/* Whether the element is anything but zero, of either sign. */
bool het__is_nonzero(const het__tensor *t, int64_t i);
/* Element of an I32 or I64 tensor. */
int64_t het__index_at(const het__tensor *t, int64_t i);

/* The attribute as an axis in [0, rank); refuses others. */
het_status het__axis_of(const het__eval *e, const char *name, int64_t absent, uint32_t rank,
                        uint32_t *axis);
/* Makes axes non-negative; refuses those outside of the rank and repeated ones. */
het_status het__axes_check(const het__eval *e, int64_t *axes, uint32_t count, uint32_t rank);

/* Which of names (ended by NULL) the attribute has; refuses others. */
het_status het__choice(const het__eval *e, const char *name, const char *absent,
                       const char *const *names, int *which);

/* In a rule: type of output 0 and nothing else is known. */
het_status het__unknown_extents(het__eval *e, het_dtype dtype);

het_status het__permutation_of(const het__eval *e, const het__tensor *x,
                               uint32_t permutation[HET_RANK_MAX]);

typedef struct het__slicing {
    int64_t start[HET_RANK_MAX];
    int64_t step[HET_RANK_MAX]; /* not zero; no longer than the extent */
    int64_t count[HET_RANK_MAX];
} het__slicing;

het_status het__slice_of(const het__eval *e, const het__tensor *x, het__slicing *slice,
                         bool *known);

enum { HET__PAD_CONSTANT, HET__PAD_REFLECT, HET__PAD_EDGE, HET__PAD_WRAP };

typedef struct het__pad {
    int mode;
    int64_t before[HET_RANK_MAX]; /* negative: elements cut off */
    int64_t after[HET_RANK_MAX];
    int64_t kept[HET_RANK_MAX];   /* elements of the input that stay */
    int64_t extent[HET_RANK_MAX]; /* of the output */
} het__pad;

het_status het__pad_of(const het__eval *e, const het__tensor *x, het__pad *pad, bool *known);

/* Extents of the parts along the axis, one per output of the node. */
het_status het__split_of(const het__eval *e, const het__tensor *x, uint32_t axis,
                         het__ints *parts);

/* Of the operation Shape: how many of rank extents, from which on. */
uint32_t het__shape_bounds(const het__eval *e, uint32_t rank, uint32_t *first);

typedef struct het__col2im {
    uint32_t rank;                /* of the image */
    int64_t image[HET_RANK_MAX];
    int64_t block[HET_RANK_MAX];
    int64_t count[HET_RANK_MAX];  /* of blocks */
    int64_t stride[HET_RANK_MAX];
    int64_t dilation[HET_RANK_MAX];
    int64_t pad[HET_RANK_MAX];    /* before */
    int64_t channels;
} het__col2im;

het_status het__col2im_of(const het__eval *e, const het__tensor *x, het__col2im *c, bool *known);

enum { HET__RESIZE_NEAREST, HET__RESIZE_LINEAR, HET__RESIZE_CUBIC };
enum {
    HET__RESIZE_HALF_PIXEL,
    HET__RESIZE_HALF_PIXEL_SYMMETRIC,
    HET__RESIZE_PYTORCH_HALF_PIXEL,
    HET__RESIZE_ALIGN_CORNERS,
    HET__RESIZE_ASYMMETRIC,
    HET__RESIZE_TF_CROP,
    HET__RESIZE_TF_HALF_PIXEL, /* operation sets 11 and 12 */
};
enum {
    HET__RESIZE_ROUND_FLOOR, /* ties down */
    HET__RESIZE_ROUND_CEIL,  /* ties up */
    HET__RESIZE_FLOOR,
    HET__RESIZE_CEIL,
    HET__RESIZE_SIMPLE, /* operation set 10: down where it enlarges, up where it shrinks */
};

typedef struct het__resize {
    int mode, transform, nearest;
    bool antialias, exclude_outside;
    double cubic_a, extrapolation;
    double scale[HET_RANK_MAX];
    double length[HET_RANK_MAX]; /* of the output before it is cut to an integer */
    double from[HET_RANK_MAX], to[HET_RANK_MAX]; /* region, in parts of the input */
    int64_t extent[HET_RANK_MAX];
} het__resize;

het_status het__resize_of(const het__eval *e, const het__tensor *x, het__resize *r, bool *known);

#endif /* HET_IR_MOVE_H */

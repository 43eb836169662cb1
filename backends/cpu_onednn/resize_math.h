/* SPDX-License-Identifier: Apache-2.0 */
/* The loops that resize rows of F32, for one instruction-set level. */
#ifndef HET_CPU_RESIZE_MATH_H
#define HET_CPU_RESIZE_MATH_H

#include <stdint.h>

/* Elements that take part in one, at most: cubic. */
#define HET__RESIZE_WIDTH_MAX 4

/* Which elements of a row make each of a resized one. */
typedef struct het__resize_line {
    int64_t in, out;
    int64_t width;        /* elements that take part in each, HET__RESIZE_WIDTH_MAX at most */
    const int32_t *index; /* [out][width] */
    const float *weight;  /* [out][width]; NULL: width is 1, and elements move as they are */
} het__resize_line;

typedef struct het__resize_math {
    const char *level; /* name of the het__cpu_level that may use it */
    /* to[out][unit] from from[in][unit]. */
    void (*along)(const het__resize_line *line, int64_t unit, const float *from, float *to);
    /* to[i] = sum over width rows of weight * row[i]. */
    void (*across)(const float *const *rows, const float *weight, int64_t width, int64_t count,
                   float *to);
} het__resize_math;

/* Of the level of that name. */
const het__resize_math *het__resize_math_for(const char *level);

#endif /* HET_CPU_RESIZE_MATH_H */

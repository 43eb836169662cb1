/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures from PNG and JPEG files, and their way into a tensor. Files may be hostile: sizes are
 * bounded before anything is allocated for them, and damage is an error with a sentence. */
#ifndef CLASSIFY_IMAGE_H
#define CLASSIFY_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct image {
    uint32_t width, height;
    uint32_t channels;     /* 1: grey, 3: red, green, blue */
    unsigned char *pixels; /* rows from the top, without gaps; free() */
} image;

/* How the values of a tensor follow from those of pixels. */
typedef struct image_layout {
    uint32_t width, height, channels;
    bool channels_last;       /* NHWC instead of NCHW */
    bool blue_first;          /* BGR */
    bool stretch;             /* the whole picture, whatever its shape; else the middle of it */
    double scale;             /* value = (pixel * scale - mean) / deviation */
    double mean[3], deviation[3];
} image_layout;

/* Both file formats are told by their first bytes. false: why (of why_size bytes) says so. */
bool image_load(image *out, const char *path, char *why, size_t why_size);
void image_free(image *picture);

/* values: width * height * channels of the layout. Pixels are averaged where the picture is larger
 * and interpolated where it is smaller. */
bool image_fit(const image *picture, const image_layout *layout, float *values);

#endif /* CLASSIFY_IMAGE_H */

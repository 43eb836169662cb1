/* SPDX-License-Identifier: Apache-2.0 */
/* A two-dimensional float32 array in the .npy format, written row by row. */
#ifndef HETINFER_NPY_H
#define HETINFER_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct npy {
    FILE *file;
    uint64_t rows, columns;
} npy;

bool npy_create(npy *out, const char *path, uint64_t columns);
bool npy_append(npy *out, const float *rows, size_t row_count);
/* Write the final shape and close. false: the file is not whole (errno says why). */
bool npy_close(npy *out);

#endif /* HETINFER_NPY_H */

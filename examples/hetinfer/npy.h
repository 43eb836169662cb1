/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays in the .npy format.
 *
 * Element types that NumPy does not have stand in a file as others, both ways: BF16 as float32
 * (which holds it exactly; reading rounds to nearest even), 8-bit and 4-bit floats as uint8, their
 * bits; 4-bit and 2-bit integers as int8 or uint8, their values. */
#ifndef HETINFER_NPY_H
#define HETINFER_NPY_H

#include <hetinfer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A two-dimensional float32 array, written row by row. */
typedef struct npy {
    FILE *file;
    uint64_t rows, columns;
} npy;

bool npy_create(npy *out, const char *path, uint64_t columns);
bool npy_append(npy *out, const float *rows, size_t row_count);
/* Write the final shape and close. false: the file is not whole (errno says why). */
bool npy_close(npy *out);

/* A whole tensor. false: the file is not whole (errno says why). */
bool npy_save(const char *path, const het_tensor *tensor);

/* Whole file into tensor: formats 1.0 to 3.0, little-endian, rows or columns first (the tensor has
 * rows first), of booleans, integers and floats. tensor->data is for free(). Returns STATUS_GO, or
 * STATUS_FAILED after a sentence on stderr. */
int npy_load(const char *path, het_tensor *tensor);
/* Turn a loaded tensor into one of another element type where a file holds it as this one; false if
 * it does not. */
bool npy_become(het_tensor *tensor, het_dtype dtype);

#endif /* HETINFER_NPY_H */

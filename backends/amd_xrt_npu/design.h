/* SPDX-License-Identifier: Apache-2.0 */
/* Design packages: a folder with a manifest, the array's configuration (an xclbin) and what its
 * instructions are made from. docs/npu.md describes the manifest.
 *
 * A design multiplies A [rows, inner] by B [inner, columns], codes of 8 bits or BF16, to sums of 32
 * bits, integers or F32. `inner` is a constant
 * of the configuration: its cores know how many tiles make a sum. Longer sums are taken in parts.
 * Rows and columns are free as far as they are whole units and descriptors hold them. */
#ifndef HET_NPU_DESIGN_H
#define HET_NPU_DESIGN_H

#include "backends/amd_xrt_npu/txn.h"
#include "lib/base/arena.h"

#define HET__NPU_DESIGNS_MAX 16
#define HET__NPU_SHAPES_MAX 32
#define HET__NPU_PATH_MAX 512
#define HET__NPU_MANIFEST "design.yaml"

/* Generations of devices, as AMD's driver counts them; a mask of 1 << generation. */
typedef enum het__npu_generation {
    HET__NPU_UNKNOWN = 0,
    HET__NPU_1, /* Phoenix, Hawk Point */
    HET__NPU_4, /* Strix */
    HET__NPU_5, /* Strix Halo */
    HET__NPU_6, /* Krackan */
    HET__NPU_GENERATION_COUNT
} het__npu_generation;

typedef enum het__npu_source {
    HET__NPU_FILES = 0,   /* a stream per shape */
    HET__NPU_SINGLE_CORE, /* one core, fed by the shim tile of its column */
    HET__NPU_WHOLE_ARRAY, /* four by four: A goes along rows of cores, B along columns */
} het__npu_source;

typedef enum het__npu_type {
    HET__NPU_INT8 = 0, /* sums are I32 and exact */
    HET__NPU_BF16,     /* sums are F32 */
} het__npu_type;

#define HET__NPU_SUM_BYTES 4 /* of either type */

typedef struct het__npu_shape {
    int64_t rows, columns;
    char file[64]; /* in the package */
} het__npu_shape;

typedef struct het__npu_design {
    char folder[HET__NPU_PATH_MAX];
    char name[48], kernel[48], xclbin[64];
    uint32_t generations; /* mask */
    uint32_t columns;     /* of the array */
    uint32_t core_rows;   /* that rows of A are spread over */
    het__npu_source source;
    het__txn_form form;
    het__npu_type type;
    int64_t tile_rows, tile_inner, tile_columns;
    int64_t inner;
    bool weights_by_column; /* B lies [columns, inner] */
    uint32_t shape_count;
    het__npu_shape shape[HET__NPU_SHAPES_MAX];
    double ops_per_s, bytes_per_s, launch_ns; /* 0: not stated */
    bool is_measured;                         /* the three above */
} het__npu_design;

/* Read a manifest; folder is kept as where the files lie. HET_E_FORMAT or INVALID with
 * "FILE:LINE: sentence". */
het_status het__npu_manifest_read(const char *text, size_t size, const char *folder,
                                  het__arena *arena, het__npu_design *design, het_error *err);

typedef struct het__npu_designs {
    uint32_t count, refused;
    het__npu_design design[HET__NPU_DESIGNS_MAX];
    char reason[256]; /* of the first that was refused */
} het__npu_designs;

/* All packages of the folders that the environment and the user's and the system's data
 * directories name, in order of their names. */
void het__npu_find_designs(het__mem *mem, bool use_env, het__npu_designs *designs);

/* ---- gemm.c ---- */

/* Of an element of A and B. */
static inline int64_t het__npu_element_bytes(const het__npu_design *d)
{
    return d->type == HET__NPU_BF16 ? 2 : 1;
}
/* Rows and columns that one unit of work has: extents of a product are padded to whole ones. */
int64_t het__npu_unit_rows(const het__npu_design *d);
int64_t het__npu_unit_columns(const het__npu_design *d);
/* How the columns of a product are cut: the width of a cut, at least 1; 0: no way. */
int64_t het__npu_cut_columns(const het__npu_design *d, int64_t columns);
/* Row counts for which there are streams at a width, ascending; how many. */
#define HET__NPU_RUNGS_MAX 8
uint32_t het__npu_rungs(const het__npu_design *d, int64_t width,
                        int64_t rungs[HET__NPU_RUNGS_MAX]);
/* The stream of a product of these extents, checked; the words are the caller's. */
het_status het__npu_instructions(const het__npu_design *d, het__mem *mem, int64_t rows,
                                 int64_t columns, uint32_t **words, size_t *count,
                                 het_error *err);

#endif /* HET_NPU_DESIGN_H */

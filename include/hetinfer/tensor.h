/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tensor.h
 * Description of a tensor: element type and extents.
 */
#ifndef HETINFER_TENSOR_H
#define HETINFER_TENSOR_H

#include <hetinfer/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Most extents a tensor can have. */
#define HET_RANK_MAX 8

/** The number of extents is not known before a run. */
#define HET_TENSOR_RANK_UNKNOWN (UINT32_C(1) << 0)

/** Element type and extents; dense, row-major, outermost extent first. */
typedef struct het_tensor_desc {
    uint32_t struct_size;         /**< sizeof(het_tensor_desc). */
    uint32_t dtype;               /**< het_dtype. */
    uint32_t rank;                /**< Extents in use, 0 to HET_RANK_MAX. */
    uint32_t flags;               /**< HET_TENSOR_*; zero for a tensor that exists. */
    int64_t extent[HET_RANK_MAX]; /**< Outermost first; the last is a row. */
} het_tensor_desc;

/** Initial value of a het_tensor_desc: a scalar of no type. */
#define HET_TENSOR_DESC_INIT { sizeof(het_tensor_desc), 0, 0, 0, { 0 } }

/** A tensor in memory of the host: a description and its bytes. */
typedef struct het_tensor {
    uint32_t struct_size; /**< sizeof(het_tensor). */
    uint32_t reserved;    /**< Zero. */
    size_t size_bytes;    /**< Usable bytes at data. */
    void *data;           /**< At least het_tensor_desc_bytes(&desc) bytes, dense. */
    het_tensor_desc desc; /**< Type and extents. */
} het_tensor;

/** Initial value of a het_tensor: nothing. */
#define HET_TENSOR_INIT { sizeof(het_tensor), 0, 0, NULL, HET_TENSOR_DESC_INIT }

/**
 * Bytes that a dense tensor of this description occupies.
 *
 * @return Bytes, or -1 if the type is unknown, an extent is negative, a row does
 *         not fit whole blocks, or the product exceeds INT64_MAX.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API int64_t het_tensor_desc_bytes(const het_tensor_desc *desc);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_TENSOR_H */

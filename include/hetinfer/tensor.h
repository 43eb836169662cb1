/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tensor.h
 * Description of a tensor: element type and extents; and tensors in memory, also as other programs
 * hand them over (DLPack).
 */
#ifndef HETINFER_TENSOR_H
#define HETINFER_TENSOR_H

#include <hetinfer/context.h>

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

/** A tensor as the DLPack interface passes it around; see its dlpack.h. */
struct DLManagedTensor;

/**
 * See a DLPack tensor as a het_tensor. Nothing is copied, neither here nor, as
 * het_session_bind_input() says, when it is bound.
 *
 * The tensor points into the memory of @p managed, which stays the caller's: call its deleter when
 * nothing reads the tensor any more (no session has it bound).
 *
 * @param managed  Of the CPU, dense and row-major (no strides, or those of a dense tensor), of a
 *                 type with whole bytes and one lane.
 * @param tensor   Filled up to tensor->struct_size bytes.
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID      An impossible shape, or no data.
 * @retval HET_E_UNSUPPORTED  Another device, other strides, an element type that has no name here,
 *                            or more than HET_RANK_MAX extents; the message says which.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_tensor_from_dlpack(const struct DLManagedTensor *managed,
                                                        het_tensor *tensor, het_error *err);

/**
 * Hand a tensor over as a DLPack tensor. Nothing is copied.
 *
 * @param context  Whose allocator keeps the description; kept alive until the deleter was called.
 * @param tensor   Read during the call; its bytes must stay where they are until the deleter was
 *                 called. For an output of a session that means: no run before, unless the output
 *                 is bound to memory of the caller.
 * @param release  Called by the deleter, once, on the thread that calls it: the bytes are not read
 *                 any more. May be NULL.
 * @param user     Argument of @p release.
 * @param managed  Receives the tensor. Whoever has it last calls managed->deleter(managed).
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID      The tensor has an impossible shape, or fewer bytes than that takes.
 * @retval HET_E_UNSUPPORTED  DLPack has no such element type of whole bytes (block formats, 4 and
 *                            2 bits).
 * @retval HET_E_NOMEM        Out of memory.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_tensor_to_dlpack(het_context *context,
                                                      const het_tensor *tensor,
                                                      void (*release)(void *user), void *user,
                                                      struct DLManagedTensor **managed,
                                                      het_error *err);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_TENSOR_H */

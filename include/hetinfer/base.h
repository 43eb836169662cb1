/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base.h
 * What every other header needs: export macros, status codes, the error record,
 * and element types.
 */
#ifndef HETINFER_BASE_H
#define HETINFER_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define HET_API __attribute__((visibility("default")))
#define HET_NODISCARD __attribute__((warn_unused_result))
#else
#define HET_API
#define HET_NODISCARD
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Outcome of a call: 0 or a negative code, chosen by what the caller does next.
 *
 * Values never change. Treat an unknown negative value as HET_E_INTERNAL.
 */
typedef enum het_status {
    HET_OK = 0,             /**< Done. */
    HET_E_INVALID = -1,     /**< An argument breaks a documented rule: fix the call. */
    HET_E_NOMEM = -2,       /**< The allocator returned NULL, or a budget is spent. */
    HET_E_UNSUPPORTED = -3, /**< Well-formed, but not something this build or device can do. */
    HET_E_VERSION = -4,     /**< A struct or file is newer (or far older) than this library. */
    HET_E_FORMAT = -5,      /**< The bytes of a file or buffer are malformed. */
    HET_E_IO = -6,          /**< The operating system refused a read, a write or a mapping. */
    HET_E_BUSY = -7,        /**< Not now: the object is in use. Try later. */
    HET_E_TIMEOUT = -8,     /**< A device did not answer in time. */
    HET_E_CANCELLED = -9,   /**< Stopped by het_session_cancel() or by a callback. */
    HET_E_DEVICE_LOST = -10, /**< The device is gone, and no other can go on. */
    HET_E_INTERNAL = -11,   /**< A defect of this library: please report it. */
    HET_STATUS_FORCE_32 = 0x7fffffff
} het_status;

/**
 * What went wrong, in memory of the caller. 256 bytes; contains no pointers.
 *
 * Initialise with HET_ERROR_INIT once; a call that fails overwrites it, a call
 * that succeeds leaves it alone.
 */
typedef struct het_error {
    uint32_t struct_size; /**< sizeof(het_error). */
    int32_t status;       /**< The het_status that the call returned. */
    int32_t native_code;  /**< Code of the system or driver (errno, cl_int, …), or 0. */
    int32_t layer;        /**< Layer of the model that was worked on, or -1. */
    char backend[16];     /**< Backend that reported it, or "". */
    char message[224];    /**< One sentence that names what and where. */
} het_error;

/** Initial value of a het_error. */
#define HET_ERROR_INIT { sizeof(het_error), 0, 0, -1, { 0 }, { 0 } }

/**
 * Element type of a tensor.
 *
 * Values below 32 are plain scalars; values from 32 on are block formats, in
 * which a fixed number of neighbouring elements of a row share scales.
 */
typedef enum het_dtype {
    HET_DTYPE_NONE = 0, /**< Not given. */
    HET_DTYPE_F32 = 1,
    HET_DTYPE_F16 = 2,
    HET_DTYPE_BF16 = 3,
    HET_DTYPE_F64 = 4,
    HET_DTYPE_I8 = 5,
    HET_DTYPE_I16 = 6,
    HET_DTYPE_I32 = 7,
    HET_DTYPE_I64 = 8,
    HET_DTYPE_U8 = 9,
    HET_DTYPE_U16 = 10,
    HET_DTYPE_U32 = 11,
    HET_DTYPE_U64 = 12,
    HET_DTYPE_BOOL = 13,   /**< One byte, 0 or 1. */
    HET_DTYPE_F8E4M3 = 14, /**< No infinity. */
    HET_DTYPE_F8E4M3UZ = 15, /**< No infinity, no negative zero. */
    HET_DTYPE_F8E5M2 = 16,
    HET_DTYPE_F8E5M2UZ = 17, /**< No infinity, no negative zero. */
    HET_DTYPE_F8E8M0 = 18, /**< Powers of two. */
    HET_DTYPE_F4E2M1 = 19, /**< One per byte, in its low bits. */
    HET_DTYPE_I4 = 20,     /**< One per byte, sign extended. */
    HET_DTYPE_U4 = 21,     /**< One per byte. */
    HET_DTYPE_I2 = 22,     /**< One per byte, sign extended. */
    HET_DTYPE_U2 = 23,     /**< One per byte. */
    HET_DTYPE_Q4_0 = 32,
    HET_DTYPE_Q4_1 = 33,
    HET_DTYPE_Q5_0 = 34,
    HET_DTYPE_Q5_1 = 35,
    HET_DTYPE_Q8_0 = 36,
    HET_DTYPE_Q8_1 = 37,
    HET_DTYPE_Q2_K = 38,
    HET_DTYPE_Q3_K = 39,
    HET_DTYPE_Q4_K = 40,
    HET_DTYPE_Q5_K = 41,
    HET_DTYPE_Q6_K = 42,
    HET_DTYPE_Q8_K = 43,
    HET_DTYPE_IQ4_NL = 44,
    HET_DTYPE_IQ4_XS = 45,
    HET_DTYPE_MXFP4 = 46,
    HET_DTYPE_FORCE_32 = 0x7fffffff
} het_dtype;

/**
 * Name of a status, for example "HET_E_FORMAT"; "unknown" for a value that this
 * release does not know. Static storage.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API const char *het_status_name(het_status status);

/**
 * Short name of an element type as model files spell it, for example "Q4_0";
 * "unknown" for a value that this release does not know. Static storage.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API const char *het_dtype_name(het_dtype dtype);

/**
 * Bytes that @p count consecutive elements of one row occupy.
 *
 * @param dtype  Element type.
 * @param count  Elements, >= 0; for a block format a multiple of its block.
 * @return Bytes, or -1 if the type is unknown, @p count does not fit whole
 *         blocks, or the product exceeds INT64_MAX.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API int64_t het_dtype_bytes(het_dtype dtype, int64_t count);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_BASE_H */

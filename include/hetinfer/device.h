/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file device.h
 * What one device is and what it can do.
 */
#ifndef HETINFER_DEVICE_H
#define HETINFER_DEVICE_H

#include <hetinfer/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Kind of hardware. */
typedef enum het_device_kind {
    HET_DEVICE_CPU = 1,
    HET_DEVICE_IGPU = 2,
    HET_DEVICE_GPU = 3,
    HET_DEVICE_NPU = 4,
    HET_DEVICE_REFERENCE = 5, /**< Plain C on the CPU: slow, and the measure of correctness. */
    HET_DEVICE_SIMULATED = 6, /**< Computes on the CPU and pretends to be something else. */
    HET_DEVICE_KIND_FORCE_32 = 0x7fffffff
} het_device_kind;

/** Where a number comes from. */
typedef enum het_source {
    HET_SOURCE_UNAVAILABLE = 0, /**< Not known; the value is 0. */
    HET_SOURCE_MEASURED = 1,    /**< Measured on this machine. */
    HET_SOURCE_MODELLED = 2,    /**< Computed from other figures. */
    HET_SOURCE_DATASHEET = 3,   /**< Stated by the vendor. */
    HET_SOURCE_ASSUMED = 4,     /**< A guess that errs on the low side. */
    HET_SOURCE_FORCE_32 = 0x7fffffff
} het_source;

/** Facts about a device that cost nothing to know. */
typedef struct het_device_info {
    uint32_t struct_size;  /**< Set by the caller: sizeof(het_device_info). */
    uint32_t kind;         /**< het_device_kind. */
    uint32_t index;        /**< Index in the context. */
    uint32_t unit_count;   /**< Cores, compute units or array columns that may be used. */
    uint64_t memory_bytes; /**< Memory that the device can reach. */
    uint64_t flags;        /**< Zero. */
    char backend[16];      /**< Backend, for example "cpu_onednn". */
    char name[64];         /**< For example the processor's brand string. */
    char features[128];    /**< Instruction sets or extensions in use, space-separated. */
    char driver[64];       /**< Vendor library and its version, or "". */
} het_device_info;

/** Speed of a device in round figures, and where they come from. */
typedef struct het_device_figures {
    uint32_t struct_size;         /**< Set by the caller. */
    uint32_t source;              /**< het_source of all figures below. */
    double read_bytes_per_s;      /**< Memory read bandwidth, all units together. */
    double f32_ops_per_s;         /**< Multiply and add count as two. */
    double bf16_ops_per_s;        /**< 0 if the device has no such instruction. */
    double int8_ops_per_s;        /**< 8-bit dot products, 32-bit sums. */
    double launch_ns;             /**< Cost of starting one kernel. */
} het_device_figures;

/**
 * Facts about a device.
 *
 * @param device  Device.
 * @param info    Filled up to info->struct_size bytes.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_device_get_info(const het_device *device,
                                                     het_device_info *info);

/**
 * Measure a device's speed now, with nothing else running on it.
 *
 * The figures are the ceilings that any program meets in the same minute: read
 * bandwidth of memory too large for the caches, and peak rates of dot products
 * on registers.
 *
 * @param device   Device.
 * @param threads  Host threads to use, 0 = as a session would by default.
 * @param figures  Filled up to figures->struct_size bytes.
 * @param err      May be NULL.
 * @retval HET_E_UNSUPPORTED  This backend cannot be measured.
 *
 * Cost: blocks for about half a second and allocates 256 MiB meanwhile.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_device_measure(const het_device *device, uint32_t threads,
                                                    het_device_figures *figures, het_error *err);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_DEVICE_H */

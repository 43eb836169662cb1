/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file calibration.h
 * Measuring devices once, so that plans say how long things take.
 *
 * A calibration runs small graphs of every class of work on a device and fits to their times what a
 * launch, an operation and a byte of each class take. It is kept as a file in the user's cache
 * directory (see docs/ENVIRONMENT.md), for one device under one version of library and driver with
 * one number of threads, and plans made for the same use it from then on.
 */
#ifndef HETINFER_CALIBRATION_H
#define HETINFER_CALIBRATION_H

#include <hetinfer/context.h>
#include <hetinfer/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_calibration het_calibration;

/** A fifth of the cases and of the time for each: less sure, mostly of rarer kinds of work. */
#define HET_CALIBRATE_QUICK (UINT64_C(1) << 0)
/** Neither write the result nor use it in plans. */
#define HET_CALIBRATE_DRY_RUN (UINT64_C(1) << 1)

/** Options of het_calibrate(). */
typedef struct het_calibrate_options {
    uint32_t struct_size; /**< sizeof(het_calibrate_options). */
    uint32_t threads;     /**< Host threads to measure with; 0 = as a session would by default. */
    uint64_t flags;       /**< HET_CALIBRATE_*. */
    /**
     * Backends or kinds of device, comma-separated. May be NULL: all but reference and simulated
     * devices.
     */
    const char *devices;
    /**
     * File to write instead of that in the cache directory; one device must be meant. May be NULL.
     */
    const char *path;
    het_progress_fn progress; /**< May be NULL. Not 0 cancels. */
    void *progress_user;      /**< First argument of progress. */
} het_calibrate_options;

/** Initial value of a het_calibrate_options. */
#define HET_CALIBRATE_OPTIONS_INIT { sizeof(het_calibrate_options), 0, 0, NULL, NULL, NULL, NULL }

/** What was measured of a device. */
typedef struct het_calibration_device {
    uint32_t struct_size;    /**< Set by the caller. */
    uint32_t device;         /**< Index in the context. */
    uint32_t threads;        /**< Host threads that it was measured with. */
    uint32_t sample_count;   /**< Times taken. */
    uint32_t class_count;    /**< Entries of het_calibration_class_at(). */
    uint32_t figures_source; /**< het_source of the ceilings below. */
    double read_bytes_per_s; /**< Ceilings, as het_device_figures has them. */
    double f32_ops_per_s;
    double bf16_ops_per_s;   /**< 0: the device has no such instruction. */
    double int8_ops_per_s;
    double launch_ns;
    double copy_bytes_per_s; /**< Into the device's memory and out of it again. */
    double copy_ns;          /**< The same for a few bytes. */
    /** Standard deviation of the logarithm of measured over fitted time: 0.1 is about 10 %. */
    double residual;
} het_calibration_device;

/** What one class of work reaches. */
typedef struct het_calibration_class {
    uint32_t struct_size;  /**< Set by the caller. */
    uint32_t sample_count; /**< Operations behind it; 0: drawn from the other classes. */
    const char *name;      /**< "matmul", "conv_point", …; static. */
    double launch_ns;      /**< Per operation. */
    double ops_per_s;      /**< In F32, once launched and with all operands at hand. */
    double read_bytes_per_s;   /**< Activations. */
    double write_bytes_per_s;  /**< Results. */
    double weight_bytes_per_s; /**< Weights. */
} het_calibration_class;

/**
 * Measure devices with nothing else running, and keep the result.
 *
 * Plans of this context made from now on use it, and so do those of later
 * contexts that find the file.
 *
 * @param context      Gives devices and memory.
 * @param options      May be NULL: all defaults.
 * @param calibration  Receives the handle: what was found, for a report. May be NULL.
 * @param err          May be NULL.
 *
 * @retval HET_E_INVALID      devices names what the context does not have or leaves none, path is
 *                            given for several, or threads is out of range.
 * @retval HET_E_CANCELLED    The progress callback asked for it. Devices that were done are kept.
 * @retval HET_E_IO           The file cannot be written; err->message names it.
 * @retval HET_E_NOMEM        Out of memory.
 *
 * Cost: blocks for up to a minute per device, ten seconds with HET_CALIBRATE_QUICK; takes up to 400
 * MiB meanwhile.
 * Thread-safety: any thread; other calls on the context may run, but take from what is measured.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_calibrate(het_context *context,
                                               const het_calibrate_options *options,
                                               het_calibration **calibration, het_error *err);

/**
 * Devices that were measured.
 * @since 0.1
 */
HET_API uint32_t het_calibration_device_count(const het_calibration *calibration);

/**
 * What was measured of one device.
 *
 * @param calibration  Calibration.
 * @param index        In [0, het_calibration_device_count()).
 * @param device       Filled up to device->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range, or struct_size too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_calibration_device_at(const het_calibration *calibration,
                                                           uint32_t index,
                                                           het_calibration_device *device);

/**
 * What one class of work reaches on a device.
 *
 * @param calibration  Calibration.
 * @param index        Device, as above.
 * @param work_class   In [0, class_count).
 * @param result       Filled up to result->struct_size bytes.
 * @retval HET_E_INVALID  An index out of range, or struct_size too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_calibration_class_at(const het_calibration *calibration,
                                                          uint32_t index, uint32_t work_class,
                                                          het_calibration_class *result);

/**
 * The calibration of a device as the text of its file.
 *
 * @return Borrowed from the calibration; NULL if @p index is out of range.
 * @since 0.1
 */
HET_API const char *het_calibration_text(const het_calibration *calibration, uint32_t index);

/**
 * Give the report up; what was kept stays in use.
 * @param calibration  May be NULL.
 * @since 0.1
 */
HET_API void het_calibration_destroy(het_calibration *calibration);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_CALIBRATION_H */

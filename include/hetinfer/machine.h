/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file machine.h
 * A machine as data: devices with their speeds, the memories that they share, the ways between
 * them, and for every figure where it comes from. It may be the present one, one that was recorded
 * elsewhere, or a profile that the library brings; planning needs no more of it than this.
 *
 * As a file it is YAML, described in docs/profiles.md.
 */
#ifndef HETINFER_MACHINE_H
#define HETINFER_MACHINE_H

#include <hetinfer/device.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_machine het_machine;

/** What a figure of a device says. */
typedef enum het_figure_kind {
    HET_FIGURE_F32 = 0,  /**< Operations/s on 32-bit floats; multiply and add count as two. */
    HET_FIGURE_F16 = 1,  /**< The same on 16-bit floats. */
    HET_FIGURE_BF16 = 2, /**< The same on bfloat16. */
    HET_FIGURE_INT8 = 3, /**< The same on 8-bit integers with 32-bit sums. */
    HET_FIGURE_BANDWIDTH = 4,        /**< Bytes/s read, alone on its memory. */
    HET_FIGURE_LAUNCH = 5,           /**< Nanoseconds to start one kernel. */
    HET_FIGURE_UNITS = 6,            /**< Cores, compute units, arrays, tiles. */
    HET_FIGURE_LANES = 7,            /**< 32-bit floats that a unit works on at a time. */
    HET_FIGURE_CLOCK = 8,            /**< Hz. */
    HET_FIGURE_NEAR_BYTES = 9,       /**< Fast memory of one unit. */
    HET_FIGURE_CACHE_BYTES = 10,     /**< Last cache that all units share. */
    HET_FIGURE_MEMORY_BYTES = 11,    /**< Of its memory that it may use, where that is not all. */
    HET_FIGURE_WATTS = 12,           /**< At full load. */
    HET_FIGURE_JOULES_PER_OP = 13,   /**< Of one operation. */
    HET_FIGURE_JOULES_PER_BYTE = 14, /**< Of one byte from its memory. */
    HET_FIGURE_PRICE_PER_HOUR = 15,  /**< Currency of the file's choice. */
    HET_FIGURE_SHARED_BANDWIDTH = 16, /**< Bytes/s of its memory, for all that share it. */
    HET_FIGURE_SHARED_BYTES = 17,    /**< Size of its memory. */
    HET_FIGURE_KIND_FORCE_32 = 0x7fffffff
} het_figure_kind;

/** How a device's units divide work among them. */
typedef enum het_unit_class {
    HET_UNITS_CORES = 0,    /**< Cores with vector units. */
    HET_UNITS_SIMT = 1,     /**< Compute units that run groups of lanes. */
    HET_UNITS_SYSTOLIC = 2, /**< Matrix units that take work in chunks. */
    HET_UNITS_TILES = 3,    /**< Tiles with a scratchpad each. */
    HET_UNIT_CLASS_FORCE_32 = 0x7fffffff
} het_unit_class;

/** One figure. Strings are borrowed from the machine. */
typedef struct het_figure {
    uint32_t struct_size;   /**< Set by the caller. */
    uint32_t source;        /**< het_source; HET_SOURCE_UNAVAILABLE: not known, value 0. */
    double value;           /**< In what its kind names; a launch in nanoseconds. */
    uint32_t kind;          /**< het_figure_kind; of a link bandwidth or HET_FIGURE_LAUNCH. */
    uint32_t is_unverified; /**< 1: stated, but nobody has found who says so. */
    const char *name;       /**< As machine files call it, for example "near-memory". */
    const char *unit;       /**< Of value: "op/s", "B/s", "ns", "Hz", "B", "W", "J/op", "J/B",
                                 "/h" or "". */
    const char *origin;     /**< A page, a command, a reckoning; or "". */
} het_figure;

/** Devices that a calibration of the user's cache directory fits cost what it says. */
#define HET_MACHINE_CALIBRATED (UINT32_C(1) << 0)

/** Options of het_machine_from_context(). */
typedef struct het_machine_options {
    uint32_t struct_size; /**< sizeof(het_machine_options). */
    uint32_t threads;     /**< Host threads assumed; 0 = as a session would. */
    uint32_t measure;     /**< 1 = measure the devices (half a second each); 0 = assume. */
    uint32_t flags;       /**< HET_MACHINE_*. */
} het_machine_options;

/** Initial value of a het_machine_options: nothing is measured. */
#define HET_MACHINE_OPTIONS_INIT { sizeof(het_machine_options), 0, 0, 0 }

/** A machine as a whole. Strings are borrowed from it. */
typedef struct het_machine_info {
    uint32_t struct_size;  /**< Set by the caller. */
    uint32_t device_count; /**< Devices. */
    uint32_t memory_count; /**< Memories that devices work in. */
    uint32_t link_count;   /**< Ways between devices that differ from the ordinary one. */
    const char *name;      /**< For example the processor's brand string. */
    const char *about;     /**< What the file says about itself; or "". */
} het_machine_info;

/** One device. Strings are borrowed from the machine. */
typedef struct het_machine_device {
    uint32_t struct_size;   /**< Set by the caller. */
    uint32_t kind;          /**< het_device_kind. */
    uint32_t unit_class;    /**< het_unit_class. */
    uint32_t context_index; /**< In the context that it was made from; UINT32_MAX: in none. */
    uint32_t memory;        /**< The memory that it works in, in [0, memory_count). */
    uint32_t figures_source; /**< The weakest het_source of the figures that times depend on. */
    const char *name;       /**< Unique in the machine. */
    const char *backend;    /**< Backend that would run on it; may be one that is not there. */
    const char *memory_name; /**< For example "dram". */
} het_machine_device;

/**
 * The present machine: its devices, and what the operating system tells about them.
 *
 * @param context  Kept alive by the machine.
 * @param options  May be NULL: nothing is measured.
 * @param machine  Receives the handle.
 * @param err      May be NULL.
 * @retval HET_E_INVALID  threads is out of range.
 *
 * With HET_MACHINE_CALIBRATED, and without measure, devices that were calibrated have the ceilings
 * that were found, and analyses, plans and simulations of the machine the rates by class of work;
 * the text of the machine does not hold the latter. Figures that are neither measured nor told
 * by the system are assumed, on the low side, and say so. Cost: some milliseconds; with measure
 * half a second and 256 MiB per device.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_machine_from_context(const het_context *context,
                                                          const het_machine_options *options,
                                                          het_machine **machine, het_error *err);

/**
 * A built-in profile, or a machine from a file.
 *
 * @param context  Kept alive by the machine, of which it uses the memory functions only.
 * @param name     Name of a profile (het_machine_profile_name()), else the path of a file.
 * @param machine  Receives the handle.
 * @param err      May be NULL; the message names file, line and what is wrong.
 * @retval HET_E_IO       There is no such profile, and the file cannot be read.
 * @retval HET_E_FORMAT   The file is no YAML, or none that machine files may use.
 * @retval HET_E_VERSION  The file is of a later form than this release knows.
 * @retval HET_E_INVALID  A key is unknown or missing, or a value is out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_machine_load(const het_context *context, const char *name,
                                                  het_machine **machine, het_error *err);

/**
 * A machine from the text of a machine file.
 *
 * @param context  Kept alive by the machine, of which it uses the memory functions only.
 * @param text     UTF-8, not NUL-terminated; read during the call only.
 * @param bytes    Its size.
 * @param machine  Receives the handle.
 * @param err      May be NULL; messages call the text "machine".
 * @retval HET_E_FORMAT, HET_E_VERSION, HET_E_INVALID  As het_machine_load().
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_machine_load_memory(const het_context *context,
                                                         const void *text, size_t bytes,
                                                         het_machine **machine, het_error *err);

/**
 * Number of built-in profiles.
 * @since 0.1
 */
HET_API uint32_t het_machine_profile_count(void);

/**
 * Name of a built-in profile, in alphabetical order.
 *
 * @param index  In [0, het_machine_profile_count()).
 * @return Static storage; NULL if @p index is out of range.
 * @since 0.1
 */
HET_API const char *het_machine_profile_name(uint32_t index);

/**
 * A machine as a whole.
 *
 * @param machine  Machine.
 * @param info     Filled up to info->struct_size bytes.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_machine_get_info(const het_machine *machine,
                                                      het_machine_info *info);

/**
 * Number of devices, at least 1.
 * @since 0.1
 */
HET_API uint32_t het_machine_device_count(const het_machine *machine);

/**
 * One device.
 *
 * @param machine  Machine.
 * @param index    In [0, het_machine_device_count()).
 * @param device   Filled up to device->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_machine_device_at(const het_machine *machine, uint32_t index,
                                                       het_machine_device *device);

/**
 * One figure of a device.
 *
 * @param machine  Machine.
 * @param device   In [0, het_machine_device_count()).
 * @param kind     What is asked for. All kinds: from 0 until HET_E_INVALID.
 * @param figure   Filled up to figure->struct_size bytes. What is not known has value 0 and source
 *                 HET_SOURCE_UNAVAILABLE.
 * @retval HET_E_INVALID  No such device or kind.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_machine_figure(const het_machine *machine, uint32_t device,
                                                    het_figure_kind kind, het_figure *figure);

/**
 * The way from one device's memory to another's.
 *
 * @param machine    Machine.
 * @param from       In [0, het_machine_device_count()).
 * @param to         The same; not @p from.
 * @param bandwidth  Bytes/s; filled up to its struct_size.
 * @param latency    Nanoseconds of one transfer; filled up to its struct_size.
 * @retval HET_E_INVALID  No such device, or both are the same.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_machine_link(const het_machine *machine, uint32_t from,
                                                  uint32_t to, het_figure *bandwidth,
                                                  het_figure *latency);

/**
 * The machine as the text of a machine file; loading it gives the same machine again, and the same
 * text.
 *
 * @return Borrowed from the machine.
 * @since 0.1
 */
HET_API const char *het_machine_text(const het_machine *machine);

/**
 * Write het_machine_text() to a file, which is replaced as a whole.
 *
 * @param machine  Machine.
 * @param path     File to write.
 * @param err      May be NULL.
 * @retval HET_E_IO    The file cannot be written; what was there is still there.
 * @retval HET_E_BUSY  Another process is writing it.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_machine_write(const het_machine *machine, const char *path,
                                                   het_error *err);

/**
 * Give a machine up.
 * @param machine  May be NULL.
 * @since 0.1
 */
HET_API void het_machine_destroy(het_machine *machine);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_MACHINE_H */

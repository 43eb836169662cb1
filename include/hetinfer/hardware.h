/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file hardware.h
 * The processor, graphics processors and NPUs of a machine as the kernel shows them, whether or not
 * a backend can use them, and their present state: power, temperature, clock, load, memory.
 *
 * All of it is read from files of the kernel (/sys, /proc, /dev), with the rights of the process.
 * Of hardware that is a device of the context the driver's library is asked first where it can tell
 * (Level Zero, with ZES_ENABLE_SYSMAN=1 in the environment). What neither tells, or not to this
 * process, is not known: flags say what is, and no value is made up for the rest.
 */
#ifndef HETINFER_HARDWARE_H
#define HETINFER_HARDWARE_H

#include <hetinfer/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What was found in a machine. */
typedef struct het_hardware het_hardware;

/** Options of het_hardware_find(). */
typedef struct het_hardware_options {
    uint32_t struct_size; /**< sizeof(het_hardware_options). */
    uint32_t flags;       /**< Zero. */
    /**
     * Folder below which the files of another machine lie as they do there, for example
     * `sys/class/powercap`. Who may use a device is then told from the owner, group and mode of its
     * file and from `proc/self/status` below it. May be NULL: this machine.
     */
    const char *root;
} het_hardware_options;

/** Initial value of a het_hardware_options: this machine. */
#define HET_HARDWARE_OPTIONS_INIT { sizeof(het_hardware_options), 0, NULL }

/** Whether this process may use a piece of hardware by its file in /dev. */
typedef enum het_hardware_access {
    HET_ACCESS_NONE = 0,    /**< There is no such file: no driver, or one without it. */
    HET_ACCESS_DENIED = 1,  /**< It may be neither read nor written. */
    HET_ACCESS_ALLOWED = 2, /**< It may be used; a processor always. */
    HET_HARDWARE_ACCESS_FORCE_32 = 0x7fffffff
} het_hardware_access;

/** One piece of hardware. */
typedef struct het_hardware_info {
    uint32_t struct_size;  /**< Set by the caller. */
    uint32_t kind;         /**< het_device_kind: CPU, IGPU, GPU or NPU. */
    uint32_t vendor_id;    /**< On the PCI bus; 0 of a processor. */
    uint32_t device_id;    /**< The same. */
    uint32_t revision;     /**< The same. */
    uint32_t access;       /**< het_hardware_access. */
    uint32_t device_index; /**< In the context: the first device that is this hardware, by any
                                backend; UINT32_MAX: none, or it is another machine's. */
    uint32_t unit_count;   /**< Processors (threads) of a processor; 0: not known. */
    char physical[32];     /**< "cpu", or the place on the bus: "pci:0000:00:02.0". */
    char name[64];         /**< The product's name where it is known, else a description. */
    char driver[32];       /**< Driver of the kernel, for example "xe"; "": none has taken it. */
    char node[32];         /**< File in /dev, for example "/dev/dri/renderD128"; or "". */
    char group[32];        /**< Group that this file belongs to; or "". */
    char firmware[32];     /**< Version, where the driver tells; or "". */
} het_hardware_info;

/** What of a het_device_state is known: bits of known. */
#define HET_STATE_WATTS (UINT64_C(1) << 0)
#define HET_STATE_JOULES (UINT64_C(1) << 1)
#define HET_STATE_PACKAGE_JOULES (UINT64_C(1) << 2)
#define HET_STATE_CELSIUS (UINT64_C(1) << 3)
#define HET_STATE_CELSIUS_MAX (UINT64_C(1) << 4)
#define HET_STATE_MEGAHERTZ (UINT64_C(1) << 5)
#define HET_STATE_MEGAHERTZ_MAX (UINT64_C(1) << 6)
#define HET_STATE_LOAD (UINT64_C(1) << 7)
#define HET_STATE_BUSY (UINT64_C(1) << 8)
#define HET_STATE_MEMORY (UINT64_C(1) << 9)
#define HET_STATE_SHARED_MEMORY (UINT64_C(1) << 10)
#define HET_STATE_OWN_MEMORY (UINT64_C(1) << 11)
#define HET_STATE_TRAFFIC (UINT64_C(1) << 12)
/** The busy counters are of this process alone, not of the whole device, and so is a load that
 *  het_device_state_between() takes from them where the device tells none. */
#define HET_STATE_BUSY_IS_OWN (UINT64_C(1) << 13)
/** Something is told to others than this process: on most systems only the administrator may read
 *  the energy of processors. */
#define HET_STATE_DENIED (UINT64_C(1) << 14)

/** Present state. What is not known is 0. */
typedef struct het_device_state {
    uint32_t struct_size;       /**< Set by the caller. */
    uint32_t kind;              /**< het_device_kind. */
    uint64_t known;             /**< HET_STATE_*. */
    uint64_t time_ns;           /**< When it was read, on a clock that only goes forward. */
    double watts;               /**< Drawn now, as the hardware averages it. */
    double joules;              /**< Energy since some time in the past; begins anew from 0 at
                                     joules_wrap. Of a processor its cores alone. */
    double joules_wrap;         /**< 0: never. */
    double package_joules;      /**< The same of the whole chip that it is a part of. */
    double package_joules_wrap; /**< The same. */
    double celsius;             /**< Hottest sensor that speaks for all of it. */
    double celsius_max;         /**< Where the hardware protects itself. */
    double megahertz;           /**< Actual clock; of a processor the mean of its cores. */
    double megahertz_max;       /**< Highest that may be used. */
    double load;                /**< Share of time in which it works, 0 to 1. */
    uint64_t busy_count;        /**< Time in which it worked, in a unit of its own, */
    uint64_t busy_of_count;     /**< and in all. Shares come from two reads:
                                     het_device_state_between(). */
    uint64_t memory_bytes;      /**< Memory of its own; of a processor the machine's. */
    uint64_t memory_used_bytes; /**< Of these; of a processor without what can be had at once. */
    uint64_t shared_bytes;      /**< Of the machine's memory that it may use. */
    uint64_t shared_used_bytes; /**< Of these. */
    uint64_t own_bytes;         /**< What this process holds there, whichever memory. */
    double traffic_bytes_per_s; /**< Read from and written to the machine's memory. */
} het_device_state;

/**
 * Look for the processor, graphics processors and NPUs of a machine.
 *
 * @param context   Kept alive by the handle.
 * @param options   May be NULL: this machine.
 * @param hardware  Receives the handle.
 * @param err       May be NULL.
 * @retval HET_E_INVALID  The root is too long.
 * @retval HET_E_IO       The root is no folder.
 *
 * Cost: reads three small files per device of the PCI bus, some ms. No driver is asked.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_hardware_find(const het_context *context,
                                                   const het_hardware_options *options,
                                                   het_hardware **hardware, het_error *err);

/**
 * Number of pieces, at least 1: the processor is the first.
 * @since 0.1
 */
HET_API uint32_t het_hardware_count(const het_hardware *hardware);

/**
 * One piece, as it was found.
 *
 * @param hardware  Hardware.
 * @param index     In [0, het_hardware_count()).
 * @param info      Filled up to info->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range, or struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_hardware_at(const het_hardware *hardware, uint32_t index,
                                                 het_hardware_info *info);

/**
 * Its present state, read anew.
 *
 * @param hardware  Hardware.
 * @param index     In [0, het_hardware_count()).
 * @param state     Filled up to state->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range, or struct_size is too small to hold itself.
 *
 * Cost: some 20 small files of the kernel, below 1 ms; of a processor one more per thread; of a
 * graphics processor one more per open file of the process. Reading a GPU's files may wake it.
 * Allocates nothing. Thread-safety: any thread.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_hardware_state(const het_hardware *hardware, uint32_t index,
                                                    het_device_state *state);

/**
 * Give it up.
 * @param hardware  May be NULL.
 * @since 0.1
 */
HET_API void het_hardware_destroy(het_hardware *hardware);

/**
 * Present state of the hardware that a device of the context is.
 *
 * @param device  Device.
 * @param state   Filled up to state->struct_size bytes.
 * @retval HET_E_INVALID      struct_size is too small to hold itself.
 * @retval HET_E_UNSUPPORTED  The device is simulated, or it is not known which hardware it is.
 *
 * Cost: as het_hardware_state(); the first call of a context looks for the hardware.
 * Thread-safety: any thread.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_device_get_state(const het_device *device,
                                                      het_device_state *state);

/**
 * What happened between two reads of one device: the later one, with the mean power and the load of
 * the time between where counters tell them.
 *
 * @param earlier  The first read.
 * @param later    The second.
 * @param between  Filled up to between->struct_size bytes.
 * @retval HET_E_INVALID  No time has passed, they are of different kinds, or between's struct_size
 *                        is too small to hold itself.
 *
 * Cost: none. Thread-safety: any thread.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_device_state_between(const het_device_state *earlier,
                                                          const het_device_state *later,
                                                          het_device_state *between);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_HARDWARE_H */

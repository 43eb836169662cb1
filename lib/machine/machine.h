/* SPDX-License-Identifier: Apache-2.0 */
/* A machine as data: devices with their speeds, the memories that they share, and the links between
 * them. Planning sees this and never a backend, so it can plan for a machine that is not there.
 * Every number says where it comes from. */
#ifndef HET_MACHINE_MACHINE_H
#define HET_MACHINE_MACHINE_H

#include <stdbool.h>

#include <hetinfer/device.h>

#include "lib/ir/product_unit.h"

#define HET__MACHINE_DEVICES_MAX 16
#define HET__MACHINE_GROUPS_MAX 16
#define HET__MACHINE_LINKS_MAX 64

/* A number and where it comes from. */
typedef struct het__figure {
    double value;       /* 0: not known */
    uint32_t source;    /* het_source; HET_SOURCE_UNAVAILABLE: not known */
    bool is_unverified; /* stated, but nobody has found who says so */
    const char *origin; /* a page, a command, a reckoning; NULL: none. Borrowed from what the
                           machine was read from, never from a context */
} het__figure;

/* Type of arithmetic. */
typedef enum het__peak {
    HET__PEAK_F32 = 0,
    HET__PEAK_F16,
    HET__PEAK_BF16,
    HET__PEAK_INT8,
    HET__PEAK_COUNT
} het__peak;

/* How a device's units divide work among them. */
typedef enum het__unit_class {
    HET__UNIT_CORES = 0, /* cores with vector units */
    HET__UNIT_SIMT,      /* compute units or multiprocessors that run groups of lanes */
    HET__UNIT_SYSTOLIC,  /* matrix units that take work in chunks */
    HET__UNIT_TILES,     /* tiles with a scratchpad each */
    HET__UNIT_CLASS_COUNT
} het__unit_class;

struct het__calibration;

typedef struct het__machine_device {
    uint32_t context_index;  /* in the context that it was made from; UINT32_MAX: in none */
    uint32_t kind;           /* het_device_kind */
    uint32_t unit_class;     /* het__unit_class */
    uint32_t group;          /* the memory that it works in, of machine->group */
    char backend[16];
    char name[64];
    het__figure peak[HET__PEAK_COUNT]; /* operations/s of all units; multiply and add are two.
                                          0: it has no such arithmetic */
    het__figure bandwidth;   /* bytes/s read, alone on its memory */
    het__figure launch;      /* ns to start one kernel */
    het__figure units;       /* cores, compute units, arrays, tiles */
    het__figure lanes;       /* F32 elements that a unit works on at a time */
    het__figure clock;       /* Hz */
    het__figure near_bytes;  /* fast memory of one unit: L2, local memory, scratchpad */
    het__figure cache_bytes; /* last cache that all units share */
    het__figure memory_bytes; /* of its group's memory that it may use; 0: all */
    het__figure watts;       /* at full load */
    het__figure joules_per_op;
    het__figure joules_per_byte;
    het__figure price_per_hour; /* currency of the file's choice */
    het__product_unit product_unit;
    const struct het__calibration *calibration; /* measured by class of work; NULL: none. Borrowed
                                                   like origins */
} het__machine_device;

/* One DRAM and what shares it. */
typedef struct het__machine_group {
    char name[32];
    het__figure bandwidth;    /* bytes/s, all its devices together */
    het__figure memory_bytes;
} het__machine_group;

/* A way between two devices that differs from the machine's ordinary one. */
typedef struct het__machine_link {
    uint32_t from, to;
    het__figure bandwidth; /* bytes/s */
    het__figure latency;   /* ns */
} het__machine_link;

/* A device of the context that is not in the machine: it counts where another is named by its
 * number. */
typedef struct het__machine_absent {
    uint32_t context_index, kind;
    uint32_t stand_ins; /* devices of the context that do its work, as bits; 0: nobody was named */
    char backend[sizeof(((het__machine_device *)NULL)->backend)];
} het__machine_absent;

typedef struct het__machine {
    char name[64];
    const char *about; /* what a file says about itself; NULL: nothing. Borrowed like origins */
    uint32_t device_count, group_count, link_count;
    het__machine_device device[HET__MACHINE_DEVICES_MAX];
    het__machine_group group[HET__MACHINE_GROUPS_MAX];
    het__machine_link link[HET__MACHINE_LINKS_MAX];
    het__figure link_bandwidth; /* bytes/s between devices where no link says else */
    het__figure link_latency;   /* ns of one transfer */
    uint32_t absent_count;
    het__machine_absent absent[HET__MACHINE_DEVICES_MAX];
} het__machine;

/* Figures for a device that nobody measured: from kind, cores and instruction sets, on the low
 * side, marked HET_SOURCE_ASSUMED. threads: host threads in use, 0 = all units. */
void het__machine_assume(const het_device_info *info, uint32_t threads,
                         het_device_figures *figures);

/* Append a device of a context, in the group of the host's memory; false if there are too many. */
bool het__machine_add(het__machine *machine, const het_device_info *info,
                      const het_device_figures *figures);
/* Say that a device of the context is left out; beyond the room for them nothing is kept. */
void het__machine_leave_out(het__machine *machine, const het_device_info *info);

/* Peak for a type of arithmetic; where the device has no such units, that for F32, or for the
 * widest type that it has: work takes the units that there are. 0 if it has none. */
double het__machine_peak(const het__machine_device *device, het__peak type);

/* The source that speaks for all figures that times depend on: the weakest of them. */
uint32_t het__machine_source(const het__machine_device *device);

/* Time to move bytes from one device's memory to another's, ns. Devices that share memory copy
 * too: each keeps its values in buffers of its own. */
double het__machine_transfer_ns(const het__machine *machine, uint32_t from, uint32_t to,
                                double bytes);

#endif /* HET_MACHINE_MACHINE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A machine as data: devices with their speeds, and the links between them. Planning sees this
 * and never a backend, so it can plan for a machine that is not there. */
#ifndef HET_MACHINE_MACHINE_H
#define HET_MACHINE_MACHINE_H

#include <stdbool.h>

#include <hetinfer/device.h>

#define HET__MACHINE_DEVICES_MAX 16

typedef struct het__machine_device {
    uint32_t context_index; /* in the context that it was made from */
    uint32_t kind;          /* het_device_kind */
    bool shares_host_memory; /* copies between such devices stay in one memory */
    char backend[16];
    het_device_figures figures;
} het__machine_device;

typedef struct het__machine {
    uint32_t device_count;
    het__machine_device device[HET__MACHINE_DEVICES_MAX];
    double link_bytes_per_s; /* between devices */
    double link_ns;          /* latency of one transfer */
} het__machine;

/* Figures for a device that nobody measured: from kind, cores and instruction sets, on the low
 * side, marked HET_SOURCE_ASSUMED. threads: host threads in use, 0 = all units. */
void het__machine_assume(const het_device_info *info, uint32_t threads,
                         het_device_figures *figures);

/* Append a device; false if there are too many. */
bool het__machine_add(het__machine *machine, const het_device_info *info,
                      const het_device_figures *figures);

/* Time to move bytes from one device's memory to another's, ns. Devices that share memory copy
 * too: each keeps its values in buffers of its own. */
double het__machine_transfer_ns(const het__machine *machine, uint32_t from, uint32_t to,
                                double bytes);

#endif /* HET_MACHINE_MACHINE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* The processor, graphics processors and NPUs of a machine by the kernel's files below a root ("":
 * this machine), and their present state. Nothing here keeps anything between calls. */
#ifndef HET_MACHINE_HARDWARE_H
#define HET_MACHINE_HARDWARE_H

#include "lib/base/sysfs.h"

#include <hetinfer/hardware.h>

#define HET__HARDWARE_MAX 32

/* Drivers of the kernel whose files are known. */
typedef enum het__hardware_driver {
    HET__DRIVER_OTHER = 0,
    HET__DRIVER_CPU,
    HET__DRIVER_I915,
    HET__DRIVER_XE,
    HET__DRIVER_AMDGPU,
    HET__DRIVER_AMDXDNA,
    HET__DRIVER_IVPU
} het__hardware_driver;

typedef struct het__hardware {
    het_hardware_info info;    /* device_index is the caller's to fill */
    het__hardware_driver driver;
    char address[HET__SYS_NAME]; /* on the PCI bus, "0000:00:02.0"; "" of a processor */
    char card[HET__SYS_NAME];    /* "card1", "accel0"; or "" */
} het__hardware;

/* The processor first, then by address; at most max, which is at least 1. */
uint32_t het__hardware_find(const char *root, het__hardware *list, uint32_t max);

/* Every field is set. */
void het__hardware_state(const char *root, const het__hardware *hardware, het_device_state *state);

/* What told knows takes the place of what state has. */
void het__hardware_tell(het_device_state *state, const het_device_state *told);

/* The piece that a device is; count: none, or it cannot be told. physical: see het__probed. */
uint32_t het__hardware_of(const het__hardware *list, uint32_t count, uint32_t kind,
                          const char *physical);

/* Of the time between two reads; false: no time has passed. */
bool het__hardware_between(const het_device_state *earlier, const het_device_state *later,
                           het_device_state *between);

#endif /* HET_MACHINE_HARDWARE_H */

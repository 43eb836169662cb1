/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of an open file of a graphics device or an NPU (/proc/self/fdinfo/N): how
 * long its engines worked for whoever opened it, and the memory that it holds. */
#ifndef HET_MACHINE_FDINFO_H
#define HET_MACHINE_FDINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct het__fdinfo {
    char driver[16];
    char address[32];      /* on the PCI bus, "0000:00:02.0"; or "" */
    uint64_t client;       /* several files of one client have the same numbers */
    bool has_client;
    bool has_ns;           /* busy_ns is told, or */
    bool has_cycles;       /* cycles is */
    bool has_bytes;
    uint64_t busy_ns;      /* of the engines that compute, together */
    uint64_t cycles;       /* the same in cycles, */
    uint64_t cycles_in_all; /* of so many */
    uint64_t bytes;        /* memory of the device or of the machine that it keeps in place */
} het__fdinfo;

/* False: no file of such a device. Numbers that do not fit are cut off at UINT64_MAX. */
bool het__fdinfo_parse(const char *text, size_t bytes, het__fdinfo *info);

#endif /* HET_MACHINE_FDINFO_H */

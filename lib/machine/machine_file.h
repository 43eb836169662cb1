/* SPDX-License-Identifier: Apache-2.0 */
/* Machines as files. A machine file is YAML; every figure stands on a line of its own with its unit
 * and its source:
 *
 *     hetinfer-machine: 1
 *     name: "A laptop"
 *     link:                        what holds between devices where `links` says nothing else
 *       bandwidth: {value: 40 GB/s, source: assumed, origin: "half of what the memory gives"}
 *       latency: {value: 10 us, source: assumed}
 *     memories:
 *       - name: "dram"
 *         bandwidth: {value: 89.6 GB/s, source: datasheet, origin: "two channels of DDR5-5600"}
 *     devices:
 *       - name: "Some NPU"
 *         kind: npu
 *         memory: "dram"           may be left out where there is only one
 *         int8: {value: 11 Top/s, unverified: true}
 *     links:
 *       - {from: "Some NPU", to: "Some CPU", latency: {…}}
 *
 * Writing what was read gives the same text for the same machine: writing it a second time changes
 * nothing. */
#ifndef HET_MACHINE_MACHINE_FILE_H
#define HET_MACHINE_MACHINE_FILE_H

#include "lib/base/arena.h"
#include "lib/base/text.h"
#include "lib/machine/machine.h"

/* Form of files that this release reads and writes. */
#define HET__MACHINE_FORM 1
#define HET__MACHINE_FILE_BYTES_MAX (1u << 20)

/* Read a machine file; texts go to the arena. `what` names it in messages, "WHAT:LINE: sentence".
 * Nothing is in a context (context_index UINT32_MAX). On failure machine is undefined. */
het_status het__machine_read(const char *text, size_t bytes, const char *what, het__arena *arena,
                             het__machine *machine, het_error *err);

/* Append the text of a machine file. */
void het__machine_put(het__text *out, const het__machine *machine);

/* "cpu", "igpu", …: by het_device_kind - 1; "cores", "simt", …: by het__unit_class; "measured", …:
 * by het_source - 1. NULL-terminated. */
extern const char *const het__kind_names[], *const het__unit_class_names[],
    *const het__source_names[];

/* How the units of a kind of device divide work, where nobody says. */
het__unit_class het__unit_class_of(uint32_t kind);

#endif /* HET_MACHINE_MACHINE_FILE_H */

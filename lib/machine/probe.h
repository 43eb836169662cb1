/* SPDX-License-Identifier: Apache-2.0 */
/* The present machine: devices of a context, and what the operating system says of the processors
 * and the memory that they work in. */
#ifndef HET_MACHINE_PROBE_H
#define HET_MACHINE_PROBE_H

#include "lib/base/arena.h"
#include "lib/base/cpus.h"
#include "lib/machine/machine.h"

/* Append a device of a context with what is known of it, each figure with its origin. root: "" but
 * in tests; cpus: the processors that may be used; threads: that figures are for. The name becomes
 * unique. Texts go to the arena. HET_E_INVALID: there are too many devices. */
het_status het__machine_probe(het__machine *machine, const char *root, const het__cpus *cpus,
                              const het_device_info *info, const het_device_figures *figures,
                              uint32_t threads, het__arena *arena, het_error *err);

#endif /* HET_MACHINE_PROBE_H */

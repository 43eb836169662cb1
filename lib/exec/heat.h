/* SPDX-License-Identifier: Apache-2.0 */
/* Whether devices of a session are hotter than its policy allows (fallback.on_thermal). Their
 * temperatures come from their drivers and the kernel's files, asked for now and then, never by a
 * thread. */
#ifndef HET_EXEC_HEAT_H
#define HET_EXEC_HEAT_H

#include "lib/machine/hardware.h"
#include "lib/machine/machine.h"
#include "lib/partition/policy.h"

/* Whoever drives an executor sees this header, and no backend: lib/exec/registry.h defines it. */
struct het__registry;

typedef struct het__heat {
    const char *root;     /* of the kernel's files */
    const struct het__registry *registry; /* whose drivers tell more */
    double limit;         /* degrees Celsius; 0: where the hardware protects itself */
    double back;          /* degrees at which a device has cooled; 0: some below the limit */
    uint64_t interval_ns; /* 0: nothing is watched */
    uint64_t next_ns;     /* not asked before */
    uint32_t known;       /* devices of the registry whose hardware is known, as bits */
    het__hardware hardware[HET__MACHINE_DEVICES_MAX];
} het__heat;

/* what: the policy's word, NULL: none, and nothing is watched. interval_ms 0: once a second. */
void het__heat_init(het__heat *heat, const struct het__registry *registry,
                    const het__policy_fallback *what, uint32_t interval_ms);
/* Whether it is time to ask again. */
bool het__heat_is_due(het__heat *heat);
/* Whether a device is at its limit or above; false also where either is not known. */
bool het__heat_is_high(const het__heat *heat, uint32_t device, double *celsius, double *limit);
/* Whether a device that was too hot has cooled; false also where that is not known. */
bool het__heat_is_low(const het__heat *heat, uint32_t device, double *celsius);

#endif /* HET_EXEC_HEAT_H */

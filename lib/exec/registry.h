/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of a context: backends chosen, probed, and asked what they can run. */
#ifndef HET_EXEC_REGISTRY_H
#define HET_EXEC_REGISTRY_H

#include "lib/backend.h"
#include "lib/base/text.h"
#include "lib/exec/calibrations.h"

typedef struct het__registered {
    const het__backend *backend;
    uint32_t backend_index; /* of the device within its backend */
    het_device_info info;
    char physical[32]; /* see het__probed */
} het__registered;

/* Immutable after het__registry_init(), but for what calibrations lock themselves. */
typedef struct het__registry {
    het__host host;
    het__calibrations *calibrations; /* of the context; NULL: none */
    const char *system_root;         /* of the kernel's files; NULL: this machine's */
    uint32_t count;
    het__registered device[HET__DEVICES_MAX];
    char *report;
} het__registry;

/* Choose backends by the list (see het_context_options.backends; NULL: default) and probe them. */
het_status het__registry_init(het__registry *registry, const het__host *host, const char *list,
                              het_error *err);
void het__registry_finish(het__registry *registry);

/* Add what a backend reported, but for hardware that is there already through another. */
void het__registry_add(het__registry *registry, const het__backend *backend,
                       const het__probed *probed, het__text *report);

/* Devices that a list of backend names or kinds ("cpu", "gpu", "npu") selects, as bits; NULL: all
 * of the context. */
het_status het__registry_select(const het__registry *registry, const char *list, uint32_t *mask,
                                het_error *err);

/* Present state of a device that is this hardware (NULL: not known which) by files of the kernel
 * below root, and by its driver, which goes first, where root is "": this machine's. False: neither
 * tells anything. Thread-safe. */
struct het__hardware;
bool het__registered_state(const het__registered *device, const char *root,
                           const struct het__hardware *hardware, het_device_state *state);

/* Measure a device with a session's default options. */
het_status het__registry_measure(const het__registry *registry, uint32_t index, uint32_t threads,
                                 het_device_figures *figures, het_error *err);

#endif /* HET_EXEC_REGISTRY_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Backends of this build by name: those linked in, and those that are files of their own. */
#ifndef HET_EXEC_MODULES_H
#define HET_EXEC_MODULES_H

#include "lib/backend.h"

/* Names in order of preference, ended by NULL; not all are in het__backends. Made by meson. */
extern const char *const het__backend_names[];

/* A backend by its name, loaded if it is a file of its own. NULL: reason (bytes long) says why. */
const het__backend *het__backend_find(const het__host *host, const char *name, char *reason,
                                      size_t bytes);
/* The same for one that is a file of its own. */
const het__backend *het__module_load(const het__host *host, const char *name, char *reason,
                                     size_t bytes);

#endif /* HET_EXEC_MODULES_H */

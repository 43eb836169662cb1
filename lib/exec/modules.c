/* SPDX-License-Identifier: Apache-2.0 */
/* Loading of backends that are files of their own (lib/base/module_path.h). A file that
 * cannot be loaded, or was made with another core, gives a line in the context's report: what it
 * drives is not there, and that is all. */
#include "lib/exec/modules.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/module_path.h"
#include "lib/base/os.h"
#include "lib/het_module_build.h"

#define PATH_MAX_BYTES 1024

const het__backend *het__module_load(const het__host *host, const char *name, char *reason,
                                     size_t bytes)
{
    char path[PATH_MAX_BYTES], message[PATH_MAX_BYTES];
    if (!het__module_path(host->use_env, name, path, sizeof path)) {
        snprintf(reason, bytes, "its module is not installed");
        return NULL;
    }
    const het__module *module =
        het__load_symbol(path, HET__MODULE_SYMBOL, message, sizeof message);
    if (!module) {
        snprintf(reason, bytes, "its module cannot be loaded: %s", message);
        return NULL;
    }
    if (module->struct_size != sizeof *module || strcmp(module->build, HET__MODULE_BUILD) != 0 ||
        strcmp(module->backend->name, name) != 0) {
        snprintf(reason, bytes, "its module is of another build: %s", path);
        return NULL;
    }
    return module->backend;
}

const het__backend *het__backend_find(const het__host *host, const char *name, char *reason,
                                      size_t bytes)
{
    for (size_t i = 0; het__backends[i]; i++)
        if (strcmp(het__backends[i]->name, name) == 0)
            return het__backends[i];
    return het__module_load(host, name, reason, bytes);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Loading of backends that are files of their own: hetinfer-NAME.so.
 *
 * They are looked for in HETINFER_BACKEND_PATH, beside the file that holds this code and in its
 * folder hetinfer/, and where this build installs them. The first that is there counts. A file that
 * cannot be loaded, or was made with another core, gives a line in the context's report: what it
 * drives is not there, and that is all. */
#include "lib/exec/modules.h"

#include <stdio.h>
#include <string.h>

#include "het_config.h"
#include "lib/base/os.h"
#include "lib/het_module_build.h"

#define PATH_MAX_BYTES 1024

static bool try_folder(const char *folder, size_t length, const char *below, const char *name,
                       char *path)
{
    const int n = snprintf(path, PATH_MAX_BYTES, "%.*s%s/hetinfer-%s.so", (int)length, folder,
                           below, name);
    return length > 0 && n > 0 && n < PATH_MAX_BYTES && het__path_exists(path);
}

/* The first file of that name. */
static bool find_file(const het__host *host, const char *name, char *path)
{
    char own[PATH_MAX_BYTES];
    const char *list = host->use_env ? het__env("HETINFER_BACKEND_PATH") : NULL;
    while (list && *list) {
        const size_t n = strcspn(list, ":");
        if (n < PATH_MAX_BYTES && try_folder(list, n, "", name, path))
            return true;
        list += n + (list[n] == ':');
    }
    if (het__own_folder(own, sizeof own) &&
        (try_folder(own, strlen(own), "", name, path) ||
         try_folder(own, strlen(own), "/hetinfer", name, path)))
        return true;
    return try_folder(HET_MODULE_FOLDER, strlen(HET_MODULE_FOLDER), "", name, path);
}

const het__backend *het__module_load(const het__host *host, const char *name, char *reason,
                                     size_t bytes)
{
    char path[PATH_MAX_BYTES], message[PATH_MAX_BYTES];
    if (!find_file(host, name, path)) {
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

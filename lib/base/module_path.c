/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/module_path.h"

#include <stdio.h>
#include <string.h>

#include "het_config.h"
#include "lib/base/os.h"

#define FOLDER_MAX 1024

static bool try_folder(const char *folder, size_t length, const char *below, const char *name,
                       char *path, size_t bytes)
{
    const int n =
        snprintf(path, bytes, "%.*s%s/hetinfer-%s.so", (int)length, folder, below, name);
    return length > 0 && n > 0 && (size_t)n < bytes && het__path_exists(path);
}

bool het__module_path(bool use_env, const char *name, char *path, size_t bytes)
{
    char own[FOLDER_MAX];
    const char *list = use_env ? het__env("HETINFER_BACKEND_PATH") : NULL;
    while (list && *list) {
        const size_t n = strcspn(list, ":");
        if (n < FOLDER_MAX && try_folder(list, n, "", name, path, bytes))
            return true;
        list += n + (list[n] == ':');
    }
    if (het__own_folder(own, sizeof own) &&
        (try_folder(own, strlen(own), "", name, path, bytes) ||
         try_folder(own, strlen(own), "/hetinfer", name, path, bytes)))
        return true;
    return try_folder(HET_MODULE_FOLDER, strlen(HET_MODULE_FOLDER), "", name, path, bytes);
}

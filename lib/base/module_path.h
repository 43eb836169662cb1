/* SPDX-License-Identifier: Apache-2.0 */
/* Where parts of the library lie that are files of their own: hetinfer-NAME.so in the folders of
 * HETINFER_BACKEND_PATH, beside the file that holds this code and in its folder hetinfer/, and
 * where this build installs them. The first that is there counts. */
#ifndef HET_BASE_MODULE_PATH_H
#define HET_BASE_MODULE_PATH_H

#include <stdbool.h>
#include <stddef.h>

bool het__module_path(bool use_env, const char *name, char *path, size_t bytes);

#endif /* HET_BASE_MODULE_PATH_H */

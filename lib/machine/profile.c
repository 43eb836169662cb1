/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/machine/profile.h"

#include <string.h>

const het__profile *het__profile_find(const char *name)
{
    for (uint32_t i = 0; i < het__profile_count; i++)
        if (strcmp(het__profiles[i].name, name) == 0)
            return &het__profiles[i];
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that the library brings: presets/NAME.yaml, made into a table when it is built. */
#include <string.h>

#include "lib/partition/policy_parts.h"

const char *het__policy_preset_name(uint32_t index)
{
    return index < het__preset_count ? het__presets[index].name : NULL;
}

const char *het__policy_preset_text(const char *name)
{
    for (uint32_t i = 0; i < het__preset_count; i++)
        if (strcmp(het__presets[i].name, name) == 0)
            return het__presets[i].text;
    return NULL;
}

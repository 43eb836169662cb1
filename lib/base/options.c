/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/options.h"

#include <string.h>

#include "lib/base/error.h"

het_status het__options_read(void *ours, size_t our_bytes, const void *theirs, const char *name,
                             het_error *err)
{
    memset(ours, 0, our_bytes);
    if (!theirs)
        return HET_OK;
    uint32_t size;
    memcpy(&size, theirs, sizeof size);
    if (size < sizeof size)
        return het__fail(err, HET_E_INVALID, "%s.struct_size is %u: use its INIT macro", name,
                         size);
    for (size_t i = our_bytes; i < size; i++)
        if (((const unsigned char *)theirs)[i] != 0)
            return het__fail(err, HET_E_VERSION,
                             "%s has a field set at byte %zu that this library does not know",
                             name, i);
    memcpy(ours, theirs, size < our_bytes ? size : our_bytes);
    return HET_OK;
}

het_status het__result_write(void *theirs, const void *ours, size_t our_bytes)
{
    uint32_t size;
    memcpy(&size, theirs, sizeof size);
    if (size < sizeof size)
        return HET_E_INVALID;
    const size_t n = size < our_bytes ? size : our_bytes;
    memcpy((char *)theirs + sizeof size, (const char *)ours + sizeof size, n - sizeof size);
    return HET_OK;
}

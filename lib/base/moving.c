/* SPDX-License-Identifier: Apache-2.0 */
/* Fields are of pointer types that differ, so their bytes are copied rather than assigned. */
#include "lib/base/moving.h"

#include <string.h>

het_status het__moving_add(het__moving **list, het__arena *arena, void *field, void *const *base)
{
    het__moving *m = het__arena_alloc(arena, sizeof *m);
    if (!m)
        return HET_E_NOMEM;
    *m = (het__moving){ *list, field, base, 0 };
    *list = m;
    return HET_OK;
}

void het__moving_settle(het__moving *list)
{
    for (het__moving *m = list; m; m = m->next) {
        const char *now;
        memcpy(&now, m->field, sizeof now);
        m->offset = now - (const char *)*m->base;
    }
}

void het__moving_apply(const het__moving *list)
{
    for (const het__moving *m = list; m; m = m->next) {
        char *const now = (char *)*m->base + m->offset;
        memcpy(m->field, &now, sizeof now);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing at a load of at most three quarters. */
#include "lib/import/onnx_names.h"

#include <assert.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/os.h"

#define CAPACITY_FIRST 16u

void het__names_init(het__names *names, het__mem *mem)
{
    *names = (het__names){ .mem = mem, .seed = het__now_ns() ^ (uint64_t)(uintptr_t)names };
}

void het__names_finish(het__names *names)
{
    if (names->mem)
        het__free(names->mem, names->slots);
    memset(names, 0, sizeof *names);
}

/* The slot of the name, or the free one where it would go. */
static het__name_slot *slot_of(const het__names *names, const char *name, size_t bytes)
{
    uint64_t i = het__hash64(name, bytes, names->seed);
    for (;; i++) {
        het__name_slot *s = &names->slots[i & (names->capacity - 1)];
        if (!s->name || (s->bytes == bytes && memcmp(s->name, name, bytes) == 0))
            return s;
    }
}

static bool grow(het__names *names)
{
    if (names->capacity > UINT32_MAX / 4)
        return false;
    het__names more = *names;
    more.capacity = names->capacity ? names->capacity * 2 : CAPACITY_FIRST;
    more.slots = het__alloc_zero(names->mem, more.capacity, sizeof *more.slots);
    if (!more.slots)
        return false;
    for (uint32_t i = 0; i < names->capacity; i++)
        if (names->slots[i].name)
            *slot_of(&more, names->slots[i].name, names->slots[i].bytes) = names->slots[i];
    het__free(names->mem, names->slots);
    *names = more;
    return true;
}

het__name_slot *het__names_find(const het__names *names, const char *name, size_t bytes)
{
    if (!names->capacity)
        return NULL;
    het__name_slot *s = slot_of(names, name, bytes);
    return s->name ? s : NULL;
}

bool het__names_add(het__names *names, const char *name, size_t bytes, uint32_t value)
{
    if (bytes > UINT32_MAX)
        return false;
    if ((uint64_t)names->count * 4 >= (uint64_t)names->capacity * 3 && !grow(names))
        return false;
    het__name_slot *s = slot_of(names, name, bytes);
    assert(!s->name);
    *s = (het__name_slot){ name, (uint32_t)bytes, value };
    names->count++;
    return true;
}

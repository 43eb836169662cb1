/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/text/strmap.h"

#include <assert.h>

/* FNV-1a with a final mix, so that the low bits, which choose the slot, depend on all bytes. */
static uint64_t hash_bytes(const char *data, size_t bytes)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static uint64_t hash_pair(uint32_t left, uint32_t right)
{
    const uint64_t h = ((uint64_t)left << 32 | right) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

/* Slots for count keys: a power of two, at least twice as many. */
static bool slot_count(size_t count, size_t *slots)
{
    if (count > SIZE_MAX / 8)
        return false;
    size_t n = 8;
    while (n < 2 * count)
        n *= 2;
    *slots = n;
    return true;
}

bool het__strmap_init(het__strmap *map, het__mem *mem, size_t count)
{
    size_t n;
    if (!slot_count(count, &n))
        return false;
    map->slots = het__alloc_zero(mem, n, sizeof *map->slots);
    map->mask = n - 1;
    map->count = 0;
    map->bytes_max = 0;
    return map->slots != NULL;
}

void het__strmap_finish(het__strmap *map, het__mem *mem)
{
    het__free(mem, map->slots);
    map->slots = NULL;
}

static het__strmap_slot *strmap_slot(const het__strmap *map, const char *data, size_t bytes)
{
    size_t i = hash_bytes(data, bytes) & map->mask;
    het__strmap_slot *s = &map->slots[i];
    while (s->data && (s->bytes != bytes || memcmp(s->data, data, bytes) != 0)) {
        i = (i + 1) & map->mask;
        s = &map->slots[i];
    }
    return s;
}

static bool strmap_grow(het__strmap *map, het__mem *mem)
{
    het__strmap larger;
    if (!het__strmap_init(&larger, mem, map->mask + 1))
        return false;
    for (size_t i = 0; i <= map->mask; i++)
        if (map->slots[i].data)
            *strmap_slot(&larger, map->slots[i].data, map->slots[i].bytes) = map->slots[i];
    larger.count = map->count;
    larger.bytes_max = map->bytes_max;
    het__strmap_finish(map, mem);
    *map = larger;
    return true;
}

uint32_t het__strmap_add(het__strmap *map, het__mem *mem, const char *data, size_t bytes,
                         uint32_t value)
{
    assert(data && bytes <= UINT32_MAX && value != HET__NONE);
    het__strmap_slot *s = strmap_slot(map, data, bytes);
    if (s->data)
        return s->value;
    if (2 * (map->count + 1) > map->mask + 1) {
        if (!strmap_grow(map, mem))
            return HET__NONE;
        s = strmap_slot(map, data, bytes);
    }
    *s = (het__strmap_slot){ .data = data, .bytes = (uint32_t)bytes, .value = value };
    map->count++;
    if (bytes > map->bytes_max)
        map->bytes_max = (uint32_t)bytes;
    return value;
}

uint32_t het__strmap_find(const het__strmap *map, const char *data, size_t bytes)
{
    if (bytes > map->bytes_max)
        return HET__NONE;
    const het__strmap_slot *s = strmap_slot(map, data, bytes);
    return s->data ? s->value : HET__NONE;
}

bool het__pairmap_init(het__pairmap *map, het__mem *mem, size_t count)
{
    size_t n, bytes;
    if (!slot_count(count, &n) || !het__mul_size(n, sizeof *map->slots, &bytes))
        return false;
    map->slots = het__alloc(mem, bytes);
    map->mask = n - 1;
    if (map->slots)
        memset(map->slots, 0xff, bytes); /* value = HET__NONE */
    return map->slots != NULL;
}

void het__pairmap_finish(het__pairmap *map, het__mem *mem)
{
    het__free(mem, map->slots);
    map->slots = NULL;
}

static het__pairmap_slot *pairmap_slot(const het__pairmap *map, uint32_t left, uint32_t right)
{
    size_t i = hash_pair(left, right) & map->mask;
    het__pairmap_slot *s = &map->slots[i];
    while (s->value != HET__NONE && (s->left != left || s->right != right)) {
        i = (i + 1) & map->mask;
        s = &map->slots[i];
    }
    return s;
}

void het__pairmap_add(het__pairmap *map, uint32_t left, uint32_t right, uint32_t value)
{
    het__pairmap_slot *s = pairmap_slot(map, left, right);
    if (s->value == HET__NONE)
        *s = (het__pairmap_slot){ .left = left, .right = right, .value = value };
}

uint32_t het__pairmap_find(const het__pairmap *map, uint32_t left, uint32_t right)
{
    return pairmap_slot(map, left, right)->value;
}

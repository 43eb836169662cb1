/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of like meaning side by side: exponents of trained weights take few values and compress to
 * a third, mantissas and signs look like noise, and mixed with them exponents would not be found.
 * The loops over GROUP elements are written so that compilers make vectors of them, at -O2 too: a
 * known number of turns, and pointers that do not overlap. */
#include "lib/import/package_parts.h"

#include <assert.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are little-endian in files");

#define GROUP 16

static void split_2(const uint8_t *source, size_t count, uint8_t *low, uint8_t *high)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t v;
        memcpy(&v, source + 2 * i, sizeof v);
        v = (uint16_t)(v << 1 | v >> 15);
        low[i] = (uint8_t)v;
        high[i] = (uint8_t)(v >> 8);
    }
}

static inline uint16_t joined_2(uint8_t low, uint8_t high)
{
    const uint16_t v = (uint16_t)(low | high << 8);
    return (uint16_t)(v >> 1 | v << 15);
}

static void join_2(const uint8_t *restrict low, const uint8_t *restrict high, size_t count,
                   uint8_t *restrict target)
{
    size_t i = 0;
    for (; i + GROUP <= count; i += GROUP) {
        uint16_t v[GROUP];
        for (int k = 0; k < GROUP; k++)
            v[k] = joined_2(low[i + (size_t)k], high[i + (size_t)k]);
        memcpy(target + 2 * i, v, sizeof v);
    }
    for (; i < count; i++) {
        const uint16_t v = joined_2(low[i], high[i]);
        memcpy(target + 2 * i, &v, sizeof v);
    }
}

static void split_4(const uint8_t *source, size_t count, uint8_t *planes)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t v;
        memcpy(&v, source + 4 * i, sizeof v);
        v = v << 1 | v >> 31;
        planes[i] = (uint8_t)v;
        planes[count + i] = (uint8_t)(v >> 8);
        planes[2 * count + i] = (uint8_t)(v >> 16);
        planes[3 * count + i] = (uint8_t)(v >> 24);
    }
}

static void join_4(const uint8_t *const *planes, size_t count, uint8_t *target)
{
    const uint8_t *const a = planes[0], *const b = planes[1], *const c = planes[2];
    const uint8_t *const d = planes[3];
    for (size_t i = 0; i < count; i++) {
        uint32_t v = (uint32_t)a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 |
                     (uint32_t)d[i] << 24;
        v = v >> 1 | v << 31;
        memcpy(target + 4 * i, &v, sizeof v);
    }
}

void het__planes_split(uint32_t width, const uint8_t *source, size_t bytes, uint8_t *planes)
{
    assert(bytes % width == 0);
    if (width == 2)
        split_2(source, bytes / 2, planes, planes + bytes / 2);
    else if (width == 4)
        split_4(source, bytes / 4, planes);
    else
        memcpy(planes, source, bytes);
}

void het__planes_join(uint32_t width, const uint8_t *const *planes, uint8_t *target, size_t bytes)
{
    assert(bytes % width == 0);
    if (width == 2)
        join_2(planes[0], planes[1], bytes / 2, target);
    else if (width == 4)
        join_4(planes, bytes / 4, target);
    else
        memcpy(target, planes[0], bytes);
}

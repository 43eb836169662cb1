/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are "KEY:<blanks>VALUE", as the kernel's page on usage stats of DRM clients has them.
 * Engines that copy or decode are left out: a network does not run there. */
#include "lib/machine/fdinfo.h"

#include <string.h>

static bool begins(const char *text, size_t bytes, const char *with)
{
    const size_t n = strlen(with);
    return bytes >= n && memcmp(text, with, n) == 0;
}

static bool is(const char *text, size_t bytes, const char *word)
{
    return bytes == strlen(word) && memcmp(text, word, bytes) == 0;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t product(uint64_t a, uint64_t b)
{
    return b && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

/* "123 KiB": the number, and what stands behind it. */
static bool number_of(const char *text, size_t bytes, uint64_t *value, const char **unit,
                      size_t *unit_bytes)
{
    size_t n = 0;
    *value = 0;
    for (; n < bytes && text[n] >= '0' && text[n] <= '9'; n++)
        *value = sum(product(*value, 10), (uint64_t)(text[n] - '0'));
    if (n == 0)
        return false;
    for (*unit = text + n, *unit_bytes = bytes - n; *unit_bytes && **unit == ' '; (*unit)++)
        (*unit_bytes)--;
    return true;
}

static bool bytes_of(const char *text, size_t bytes, uint64_t *value)
{
    const char *unit;
    size_t n;
    if (!number_of(text, bytes, value, &unit, &n))
        return false;
    *value = product(*value, is(unit, n, "KiB") ? 1024 : is(unit, n, "MiB") ? 1048576 : 1);
    return n == 0 || is(unit, n, "KiB") || is(unit, n, "MiB");
}

static bool computes(const char *engine, size_t bytes)
{
    return is(engine, bytes, "render") || is(engine, bytes, "compute") ||
           is(engine, bytes, "gfx") || is(engine, bytes, "rcs") || is(engine, bytes, "ccs") ||
           begins(engine, bytes, "npu");
}

static void copy(char *target, size_t room, const char *text, size_t bytes)
{
    const size_t n = bytes < room ? bytes : room - 1;
    memcpy(target, text, n);
    target[n] = '\0';
}

/* Memory by regions, under two keys: the second says the same in older words. */
typedef struct regions {
    uint64_t resident, older;
    bool has_resident, has_older;
} regions;

static void take_memory(const char *key, size_t n, const char *value, size_t bytes, regions *r)
{
    uint64_t size;
    const bool resident = begins(key, n, "drm-resident-");
    if ((!resident && !begins(key, n, "drm-memory-")) || !bytes_of(value, bytes, &size))
        return;
    if (resident)
        r->resident = sum(r->resident, size);
    else
        r->older = sum(r->older, size);
    r->has_resident = r->has_resident || resident;
    r->has_older = r->has_older || !resident;
}

static void take_engine(const char *key, size_t n, const char *value, size_t bytes,
                        het__fdinfo *info)
{
    static const char ns_key[] = "drm-engine-", cycles_key[] = "drm-cycles-",
                      all_key[] = "drm-total-cycles-";
    const char *unit;
    uint64_t number;
    size_t unit_bytes;
    if (!number_of(value, bytes, &number, &unit, &unit_bytes))
        return;
    if (begins(key, n, ns_key) && computes(key + sizeof ns_key - 1, n - (sizeof ns_key - 1)) &&
        is(unit, unit_bytes, "ns")) {
        info->busy_ns = sum(info->busy_ns, number);
        info->has_ns = true;
    } else if (begins(key, n, cycles_key) &&
               computes(key + sizeof cycles_key - 1, n - (sizeof cycles_key - 1))) {
        info->cycles = sum(info->cycles, number);
        info->has_cycles = true;
    } else if (begins(key, n, all_key) &&
               computes(key + sizeof all_key - 1, n - (sizeof all_key - 1))) {
        info->cycles_in_all = number > info->cycles_in_all ? number : info->cycles_in_all;
    }
}

static void take_line(const char *key, size_t n, const char *value, size_t bytes,
                      het__fdinfo *info, regions *r)
{
    const char *unit;
    size_t unit_bytes;
    if (is(key, n, "drm-driver"))
        copy(info->driver, sizeof info->driver, value, bytes);
    else if (is(key, n, "drm-pdev"))
        copy(info->address, sizeof info->address, value, bytes);
    else if (is(key, n, "drm-client-id"))
        info->has_client = number_of(value, bytes, &info->client, &unit, &unit_bytes);
    take_engine(key, n, value, bytes, info);
    take_memory(key, n, value, bytes, r);
}

bool het__fdinfo_parse(const char *text, size_t bytes, het__fdinfo *info)
{
    regions r = { 0 };
    memset(info, 0, sizeof *info);
    while (bytes > 0) {
        const char *feed = memchr(text, '\n', bytes);
        const size_t length = feed ? (size_t)(feed - text) : bytes;
        const char *colon = memchr(text, ':', length);
        const size_t key = colon ? (size_t)(colon - text) : 0;
        size_t at = key + 1;
        while (colon && at < length && (text[at] == ' ' || text[at] == '\t'))
            at++;
        if (key > 0 && at < length)
            take_line(text, key, text + at, length - at, info, &r);
        text += length + (feed != NULL);
        bytes -= length + (feed != NULL);
    }
    info->has_cycles = info->has_cycles && info->cycles_in_all > 0;
    info->has_bytes = r.has_resident || r.has_older;
    info->bytes = r.has_resident ? r.resident : r.older;
    return info->driver[0] != '\0';
}

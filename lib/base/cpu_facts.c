/* SPDX-License-Identifier: Apache-2.0 */
/* What the system says of cores, their clocks and caches, and of memory: facts for a description of
 * the machine, none of which anything depends on. Every file may be missing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cpus.h"

#define LINE_BYTES 512
/* Cache indices that are looked at, as cpus.c does. */
#define CACHES_MAX 8

/* ---- caches ---- */

typedef struct cache {
    uint32_t level; /* 0: there is none */
    uint64_t bytes;
    uint32_t sharing; /* processors that have it, at least 1 */
    uint32_t first;   /* the lowest of them: two with one first are one cache */
} cache;

/* "32768K" */
static uint64_t size_of(const char *text)
{
    char *end;
    const uint64_t n = strtoull(text, &end, 10);
    const uint32_t shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    return n >> (63 - shift) ? 0 : n << shift;
}

/* "0-3,8": how many, and the first. */
static void read_sharing(const char *list, cache *c)
{
    uint32_t count = 0;
    for (const char *at = list; *at >= '0' && *at <= '9';) {
        char *end;
        const unsigned long first = strtoul(at, &end, 10);
        const unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        if (last < first || last >= HET__CPUS_MAX)
            break;
        if (count == 0)
            c->first = (uint32_t)first;
        count += (uint32_t)(last - first) + 1;
        at = *end == ',' ? end + 1 : end;
    }
    c->sharing = count ? count : 1;
}

static cache read_cache(const char *root, uint32_t id, uint32_t index)
{
    char name[48], line[LINE_BYTES];
    cache c = { .sharing = 1, .first = id };
    snprintf(name, sizeof name, "cache/index%" PRIu32 "/type", index);
    if (het__cpus_line(root, id, name, line, sizeof line) && strcmp(line, "Instruction") == 0)
        return c;
    snprintf(name, sizeof name, "cache/index%" PRIu32 "/size", index);
    if (!het__cpus_line(root, id, name, line, sizeof line))
        return c;
    c.bytes = size_of(line);
    snprintf(name, sizeof name, "cache/index%" PRIu32 "/shared_cpu_list", index);
    if (het__cpus_line(root, id, name, line, sizeof line))
        read_sharing(line, &c);
    snprintf(name, sizeof name, "cache/index%" PRIu32 "/level", index);
    if (het__cpus_line(root, id, name, line, sizeof line))
        c.level = (uint32_t)strtoul(line, NULL, 10);
    return c;
}

/* Threads of the core that a processor is one of, at least 1. */
static uint32_t threads_of(const char *root, uint32_t id)
{
    char line[LINE_BYTES];
    cache c = { .sharing = 1 };
    if (het__cpus_line(root, id, "topology/thread_siblings_list", line, sizeof line))
        read_sharing(line, &c);
    return c.sharing;
}

static void read_caches(const char *root, const het__cpus *cpus, het__cpu_facts *facts)
{
    bool seen[HET__CPUS_MAX] = { false };
    for (uint32_t k = 0; k < cpus->count; k++)
        for (uint32_t i = 0; i < CACHES_MAX; i++) {
            const cache c = read_cache(root, cpus->id[k], i);
            if (c.level == 2 && k == 0) {
                const uint32_t threads = threads_of(root, cpus->id[0]);
                const uint32_t cores = c.sharing > threads ? c.sharing / threads : 1;
                facts->near_bytes = c.bytes / cores;
            }
            if (c.level == 3 && c.first < HET__CPUS_MAX && !seen[c.first]) {
                seen[c.first] = true;
                facts->cache_bytes += c.bytes;
            }
        }
}

/* ---- clocks ---- */

static uint64_t hertz_of(const char *root, uint32_t id)
{
    char line[LINE_BYTES];
    if (!het__cpus_line(root, id, "cpufreq/cpuinfo_max_freq", line, sizeof line))
        return 0;
    const uint64_t khz = strtoull(line, NULL, 10);
    return khz < 1000000000 ? khz * 1000 : 0;
}

/* Cores come in the order of their speed. */
static void add_core(het__cpu_facts *facts, uint64_t hertz)
{
    het__cpu_kind *last = facts->kind_count ? &facts->kind[facts->kind_count - 1] : NULL;
    if (!last || (last->hertz != hertz && facts->kind_count < HET__CPU_KINDS_MAX)) {
        facts->kind[facts->kind_count++] = (het__cpu_kind){ 1, hertz };
        return;
    }
    last->cores++;
    last->hertz = hertz < last->hertz ? hertz : last->hertz;
}

void het__cpus_describe(const char *root, const het__cpus *cpus, het__cpu_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    read_caches(root, cpus, facts);
    for (uint32_t k = 0; k < cpus->cores && k < cpus->count; k++)
        add_core(facts, hertz_of(root, cpus->id[k]));
}

uint64_t het__cpus_memory(const char *root)
{
    char path[LINE_BYTES], line[LINE_BYTES];
    uint64_t bytes = 0;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    FILE *f = fopen(path, "re");
    while (f && bytes == 0 && fgets(line, sizeof line, f))
        if (strncmp(line, "MemTotal:", 9) == 0) {
            const uint64_t kib = strtoull(line + 9, NULL, 10);
            bytes = kib < UINT64_C(1) << 50 ? kib * 1024 : 0;
        }
    if (f)
        fclose(f);
    return bytes;
}

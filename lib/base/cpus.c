/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "lib/base/cpus.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 512
#define LINE_BYTES 512
/* Cache indices that are looked at; processors have four. */
#define CACHES_MAX 8

typedef struct cpu {
    uint16_t id;
    uint32_t sibling; /* allowed threads of the same core before this one */
    bool far;
    bool has_caches, has_l3;
    uint64_t capacity, hertz; /* in any unit; 0: unknown */
} cpu;

/* ---- reading ---- */

/* First line of a file without its line feed. */
static bool read_line(const char *path, char *line, size_t bytes)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    const bool is_read = fgets(line, (int)bytes, f) != NULL;
    fclose(f);
    if (is_read)
        line[strcspn(line, "\n")] = '\0';
    return is_read;
}

bool het__cpus_line(const char *root, uint32_t id, const char *name, char *line, size_t bytes)
{
    char path[PATH_BYTES];
    const int n = snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%u/%s", root,
                           (unsigned)id, name);
    return n > 0 && (size_t)n < sizeof path && read_line(path, line, bytes);
}

static bool read_of(const char *root, uint32_t id, const char *name, char *line)
{
    return het__cpus_line(root, id, name, line, LINE_BYTES);
}

static uint64_t number_of(const char *root, uint32_t id, const char *name)
{
    char line[LINE_BYTES];
    return read_of(root, id, name, line) ? strtoull(line, NULL, 10) : 0;
}

/* "0-3,8": whether it holds id. */
static bool list_has(const char *list, uint32_t id)
{
    while (*list) {
        char *end;
        const unsigned long first = strtoul(list, &end, 10);
        unsigned long last = first;
        if (end == list)
            return false;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (id >= first && id <= last)
            return true;
        list = *end == ',' ? end + 1 : end;
        if (*end && *end != ',')
            return false;
    }
    return false;
}

static void read_caches(const char *root, cpu *c)
{
    for (uint32_t i = 0; i < CACHES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "cache/index%u/level", (unsigned)i);
        const uint64_t level = number_of(root, c->id, name);
        c->has_caches = c->has_caches || level > 0;
        c->has_l3 = c->has_l3 || level == 3;
    }
}

static void read_cpu(const char *root, const uint16_t *allowed, uint32_t count, cpu *c)
{
    char line[LINE_BYTES];
    if (read_of(root, c->id, "topology/thread_siblings_list", line))
        for (uint32_t i = 0; i < count; i++)
            c->sibling += allowed[i] < c->id && list_has(line, allowed[i]);
    c->capacity = number_of(root, c->id, "cpu_capacity");
    c->hertz = number_of(root, c->id, "cpufreq/cpuinfo_max_freq");
    read_caches(root, c);
}

/* ---- order ---- */

static int compare(const void *left, const void *right)
{
    const cpu *a = left, *b = right;
    if (a->far != b->far)
        return a->far ? 1 : -1;
    if ((a->sibling > 0) != (b->sibling > 0))
        return a->sibling ? 1 : -1;
    if (a->capacity != b->capacity)
        return a->capacity > b->capacity ? -1 : 1;
    if (a->hertz != b->hertz)
        return a->hertz > b->hertz ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

void het__cpus_order(const char *root, const uint16_t *allowed, uint32_t count, het__cpus *cpus)
{
    cpu all[HET__CPUS_MAX];
    bool has_l3 = false;
    memset(cpus, 0, sizeof *cpus);
    count = count < HET__CPUS_MAX ? count : HET__CPUS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        all[i] = (cpu){ .id = allowed[i] };
        read_cpu(root, allowed, count, &all[i]);
        has_l3 = has_l3 || all[i].has_l3;
    }
    for (uint32_t i = 0; i < count; i++)
        all[i].far = has_l3 && all[i].has_caches && !all[i].has_l3;
    qsort(all, count, sizeof *all, compare);
    for (uint32_t i = 0; i < count; i++) {
        cpus->id[i] = all[i].id;
        cpus->cores += !all[i].far && all[i].sibling == 0;
    }
    cpus->count = count ? count : 1;
    cpus->cores = cpus->cores ? cpus->cores : 1;
}

void het__cpus_get(het__cpus *cpus)
{
    uint16_t allowed[HET__CPUS_MAX];
    uint32_t count = 0;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        for (uint32_t i = 0; i < CPU_SETSIZE && count < HET__CPUS_MAX; i++)
            if (CPU_ISSET(i, &set))
                allowed[count++] = (uint16_t)i;
    } else { /* more processors than a set has room for */
        const long n = sysconf(_SC_NPROCESSORS_ONLN);
        for (long i = 0; i < n && i < HET__CPUS_MAX; i++)
            allowed[count++] = (uint16_t)i;
    }
    het__cpus_order("", allowed, count, cpus);
}

bool het__cpus_pin(uint32_t id)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (id >= CPU_SETSIZE)
        return false;
    CPU_SET(id, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

/* ---- control groups ---- */

static void lower(double *least, double quota, double period)
{
    if (quota > 0 && period > 0 && (*least <= 0 || quota / period < *least))
        *least = quota / period;
}

/* Limits of one group: cpu.max of the second version, two files of the first. */
static void read_group(const char *folder, bool second, double *least)
{
    char path[PATH_BYTES + 32], line[LINE_BYTES];
    if (second) {
        snprintf(path, sizeof path, "%s/cpu.max", folder);
        char *end = line;
        if (!read_line(path, line, sizeof line))
            return;
        const double quota = strtod(line, &end); /* 0 for "max" */
        lower(least, quota, strtod(end, NULL));
        return;
    }
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_line(path, line, sizeof line))
        return;
    const double quota = strtod(line, NULL); /* -1: none */
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (read_line(path, line, sizeof line))
        lower(least, quota, strtod(line, NULL));
}

/* A group and those that it is in, up to the mount. In a container the path may name a group that
 * is not visible; the mount is then the container's own group. */
static void read_groups(const char *mount, const char *group, bool second, double *least)
{
    char folder[PATH_BYTES];
    const size_t root = strlen(mount);
    const int n = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof folder)
        return;
    for (;;) {
        read_group(folder, second, least);
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < root)
            return;
        *slash = '\0';
    }
}

/* "cpu,cpuacct" names the controller. */
static bool names_cpu(const char *list, size_t bytes)
{
    while (bytes) {
        const char *comma = memchr(list, ',', bytes);
        const size_t n = comma ? (size_t)(comma - list) : bytes;
        if (n == 3 && memcmp(list, "cpu", 3) == 0)
            return true;
        list += n + (comma != NULL);
        bytes -= n + (comma != NULL);
    }
    return false;
}

/* Lines are NUMBER:CONTROLLERS:GROUP; the second version has no controllers. */
uint32_t het__cpus_quota(const char *root)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    double least = 0;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        controllers++;
        const size_t bytes = (size_t)(group++ - controllers);
        const bool second = bytes == 0;
        if (!second && !names_cpu(controllers, bytes))
            continue;
        snprintf(path, sizeof path, "%s/sys/fs/cgroup%s", root, second ? "" : "/cpu");
        read_groups(path, group, second, &least);
    }
    if (f)
        fclose(f);
    return least <= 0 ? 0 : least < 1 ? 1 : least < HET__CPUS_MAX ? (uint32_t)least : 0;
}

/* ---- numbers of threads ---- */

static uint32_t within_quota(uint32_t threads)
{
    const uint32_t quota = het__cpus_quota("");
    return quota && quota < threads ? quota : threads;
}

uint32_t het__cpus_default(void)
{
    het__cpus cpus;
    het__cpus_get(&cpus);
    return within_quota(cpus.cores);
}

uint32_t het__cpus_usable(void)
{
    het__cpus cpus;
    het__cpus_get(&cpus);
    return within_quota(cpus.count);
}

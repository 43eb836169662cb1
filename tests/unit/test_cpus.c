/* SPDX-License-Identifier: Apache-2.0 */
/* Processors in order, and quotas, read from made-up trees of /sys and /proc. */
#define _GNU_SOURCE
#include "lib/base/cpus.h"
#include "test.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void make(const char *format, ...)
{
    char path[512];
    const int n = snprintf(path, sizeof path, "%s/", root);
    va_list list;
    va_start(list, format);
    vsnprintf(path + n, sizeof path - (size_t)n, format, list);
    va_end(list);
    char *text = strchr(path, '=');
    CHECK(text != NULL);
    *text++ = '\0';
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    if (f) {
        fprintf(f, "%s\n", text);
        fclose(f);
    }
}

static void begin_tree(void)
{
    snprintf(root, sizeof root, "/tmp/het_cpus_XXXXXX");
    CHECK(mkdtemp(root) != NULL);
}

static void end_tree(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    CHECK_INT(system(command), 0);
}

/* l3: a third-level cache; siblings: as the kernel writes them. */
static void make_cpu(int id, const char *siblings, int megahertz, bool l3)
{
    make("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list=%s", id, siblings);
    make("sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq=%d000", id, megahertz);
    for (int i = 0; i < 3 + l3; i++)
        make("sys/devices/system/cpu/cpu%d/cache/index%d/level=%d", id, i, i ? i : 1);
}

static void order(uint32_t first, uint32_t end, het__cpus *cpus)
{
    uint16_t allowed[HET__CPUS_MAX];
    for (uint32_t i = first; i < end; i++)
        allowed[i - first] = (uint16_t)i;
    het__cpus_order(root, allowed, end - first, cpus);
}

static void check_order(const het__cpus *cpus, const int *want, uint32_t count)
{
    CHECK_INT(cpus->count, count);
    for (uint32_t i = 0; i < count; i++)
        if (cpus->id[i] != want[i])
            TEST_FAIL("place %u: processor %u, want %d", i, cpus->id[i], want[i]);
}

/* Six fast cores of two threads, two of them faster still; eight slower ones; two on an island of
 * their own without a third-level cache. Siblings are not neighbours everywhere. */
static void core_ultra_9_185h(void)
{
    begin_tree();
    static const char *const pairs[6] = { "0,5", "1-2", "3-4", "6-7", "8-9", "10-11" };
    static const int first[6] = { 0, 1, 3, 6, 8, 10 }, second[6] = { 5, 2, 4, 7, 9, 11 };
    for (int i = 0; i < 6; i++) {
        const int megahertz = i == 2 || i == 3 ? 5100 : 4800;
        make_cpu(first[i], pairs[i], megahertz, true);
        make_cpu(second[i], pairs[i], megahertz, true);
    }
    for (int i = 12; i < 22; i++) {
        char own[8];
        snprintf(own, sizeof own, "%d", i);
        make_cpu(i, own, i < 20 ? 3800 : 2500, i < 20);
    }
    het__cpus cpus;
    order(0, 22, &cpus);
    static const int want[22] = { 3, 6, 0, 1, 8, 10, 12, 13, 14, 15, 16, 17, 18, 19,
                                  4, 7, 2, 5, 9, 11, 20, 21 };
    check_order(&cpus, want, 22);
    CHECK_INT(cpus.cores, 14);
    /* A process that may use the second threads only has a core for each of them. */
    static const uint16_t some[3] = { 5, 7, 20 };
    het__cpus_order(root, some, 3, &cpus);
    CHECK_INT(cpus.count, 3);
    CHECK_INT(cpus.cores, 2);
    CHECK_INT(cpus.id[0], 7);
    CHECK_INT(cpus.id[2], 20);
    /* One that may use nothing but the island uses it. */
    order(20, 22, &cpus);
    CHECK_INT(cpus.cores, 2);
    end_tree();
}

static void ryzen_9_8945hs(void)
{
    begin_tree();
    for (int i = 0; i < 16; i++) {
        char pair[16];
        snprintf(pair, sizeof pair, "%d,%d", i % 8, i % 8 + 8);
        make_cpu(i, pair, 5263, true);
    }
    het__cpus cpus;
    order(0, 16, &cpus);
    static const int want[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    check_order(&cpus, want, 16);
    CHECK_INT(cpus.cores, 8);
    end_tree();
}

/* Capacities without frequencies, no caches described; and nothing described at all. */
static void little_is_known(void)
{
    begin_tree();
    for (int i = 0; i < 8; i++)
        make("sys/devices/system/cpu/cpu%d/cpu_capacity=%d", i, i < 4 ? 446 : 1024);
    het__cpus cpus;
    order(0, 8, &cpus);
    static const int want[8] = { 4, 5, 6, 7, 0, 1, 2, 3 };
    check_order(&cpus, want, 8);
    CHECK_INT(cpus.cores, 8);
    order(100, 103, &cpus);
    static const int unknown[3] = { 100, 101, 102 };
    check_order(&cpus, unknown, 3);
    CHECK_INT(cpus.cores, 3);
    het__cpus_order(root, NULL, 0, &cpus);
    CHECK_INT(cpus.count, 1);
    CHECK_INT(cpus.cores, 1);
    make("sys/devices/system/cpu/cpu0/topology/thread_siblings_list=,-x9");
    make("sys/devices/system/cpu/cpu1/topology/thread_siblings_list=0-");
    order(0, 2, &cpus);
    CHECK_INT(cpus.count, 2);
    end_tree();
}

static void quotas(void)
{
    begin_tree();
    CHECK_INT(het__cpus_quota(root), 0);
    make("proc/self/cgroup=0::/a/b");
    CHECK_INT(het__cpus_quota(root), 0);
    make("sys/fs/cgroup/a/b/cpu.max=max 100000");
    CHECK_INT(het__cpus_quota(root), 0);
    make("sys/fs/cgroup/a/cpu.max=350000 100000");
    CHECK_INT(het__cpus_quota(root), 3);
    make("sys/fs/cgroup/a/b/cpu.max=100000 50000");
    CHECK_INT(het__cpus_quota(root), 2);
    make("sys/fs/cgroup/a/b/cpu.max=20000 100000");
    CHECK_INT(het__cpus_quota(root), 1);
    make("sys/fs/cgroup/a/b/cpu.max=nonsense");
    CHECK_INT(het__cpus_quota(root), 3);
    end_tree();
    /* In a container the group is the mount itself, whatever the path says. */
    begin_tree();
    make("proc/self/cgroup=0::/../outside");
    make("sys/fs/cgroup/cpu.max=400000 100000");
    CHECK_INT(het__cpus_quota(root), 4);
    end_tree();
    begin_tree();
    make("proc/self/cgroup=3:cpuset:/x\n2:cpu,cpuacct:/docker/y\n1:name=systemd:/z");
    make("sys/fs/cgroup/cpu/docker/y/cpu.cfs_quota_us=-1");
    make("sys/fs/cgroup/cpu/docker/y/cpu.cfs_period_us=100000");
    CHECK_INT(het__cpus_quota(root), 0);
    make("sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us=600000");
    make("sys/fs/cgroup/cpu/docker/cpu.cfs_period_us=100000");
    CHECK_INT(het__cpus_quota(root), 6);
    end_tree();
}

static void this_machine(void)
{
    het__cpus cpus;
    het__cpus_get(&cpus);
    CHECK(cpus.count >= 1 && cpus.cores >= 1 && cpus.cores <= cpus.count);
    CHECK(het__cpus_default() >= 1 && het__cpus_default() <= het__cpus_usable());
    CHECK(het__cpus_usable() <= cpus.count);
    printf("%u processors, %u cores, %u threads by default\n", cpus.count, cpus.cores,
           het__cpus_default());
}

int main(void)
{
    test_case(core_ultra_9_185h);
    test_case(ryzen_9_8945hs);
    test_case(little_is_known);
    test_case(quotas);
    test_case(this_machine);
    return test_finish();
}

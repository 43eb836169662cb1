/* SPDX-License-Identifier: Apache-2.0 */
/* State of the processor: RAPL, hwmon, cpufreq, /proc/stat and /proc/meminfo. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cpus.h"
#include "lib/machine/state_parts.h"

static void read_cpu_clock(const het__reading *r)
{
    char names[HET__CPUS_MAX / 4][HET__SYS_NAME];
    const uint32_t count = het__sys_list(r->root, "cpu", names, HET__CPUS_MAX / 4,
                                         "sys/devices/system/cpu");
    double sum = 0, most = NAN;
    uint32_t cores = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t khz;
        if (names[i][3] < '0' || names[i][3] > '9')
            continue;
        if (het__sys_number(r->root, &khz, "sys/devices/system/cpu/%s/cpufreq/scaling_cur_freq",
                            names[i]) && khz > 0) {
            sum += (double)khz * 1e-3;
            cores++;
        }
        if (het__sys_number(r->root, &khz, "sys/devices/system/cpu/%s/cpufreq/cpuinfo_max_freq",
                            names[i]) && khz > 0 && !(most > (double)khz * 1e-3))
            most = (double)khz * 1e-3;
    }
    het__state_tell(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, cores ? sum / cores : NAN);
    het__state_tell(r, HET_STATE_MEGAHERTZ_MAX, &r->s->megahertz_max, most);
}

/* "cpu  user nice system idle iowait irq softirq steal …": guests are in user already. */
static void read_cpu_time(const het__reading *r)
{
    char line[256];
    uint64_t t[8];
    if (!het__sys_line(r->root, line, sizeof line, "proc/stat") ||
        sscanf(line, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6],
               &t[7]) != 8)
        return;
    uint64_t all = 0;
    for (size_t i = 0; i < 8; i++)
        if (__builtin_add_overflow(all, t[i], &all))
            return;
    r->s->busy_of_count = all;
    r->s->busy_count = all - t[3] - t[4];
    r->s->known |= HET_STATE_BUSY;
}

static bool memory_line(const char *text, const char *key, uint64_t *bytes)
{
    const char *at = strstr(text, key);
    uint64_t kib;
    if (!at || sscanf(at + strlen(key), "%" SCNu64 " kB", &kib) != 1 || kib > UINT64_MAX >> 10)
        return false;
    *bytes = kib << 10;
    return true;
}

static void read_cpu_memory(const het__reading *r)
{
    char text[HET__STATE_TEXT_BYTES];
    uint64_t total, available;
    het__sys_read(r->root, text, sizeof text, "proc/meminfo");
    if (!memory_line(text, "MemTotal:", &total) ||
        !memory_line(text, "MemAvailable:", &available) || available > total)
        return;
    r->s->memory_bytes = total;
    r->s->memory_used_bytes = total - available;
    r->s->known |= HET_STATE_MEMORY;
}

static void read_cpu_sensors(const het__reading *r)
{
    static const char *const drivers[] = { "coretemp", "k10temp", "zenpower" };
    char names[HET__STATE_NAMES_MAX][HET__SYS_NAME];
    const uint32_t count =
        het__sys_list(r->root, "hwmon", names, HET__STATE_NAMES_MAX, "sys/class/hwmon");
    for (uint32_t i = 0; i < count; i++) {
        char folder[96], name[32];
        snprintf(folder, sizeof folder, "sys/class/hwmon/%.63s", names[i]);
        if (!het__sys_line(r->root, name, sizeof name, "%s/name", folder))
            continue;
        for (size_t k = 0; k < sizeof drivers / sizeof *drivers; k++)
            if (strcmp(name, drivers[k]) == 0)
                het__state_temperature(r, folder, name);
    }
}

/* Where no sensor's driver is loaded, the kernel's own zones may still tell. */
static void read_thermal_zone(const het__reading *r)
{
    char names[HET__STATE_NAMES_MAX][HET__SYS_NAME];
    const uint32_t count =
        het__sys_list(r->root, "thermal_zone", names, HET__STATE_NAMES_MAX, "sys/class/thermal");
    for (uint32_t i = 0; i < count; i++) {
        char type[32];
        int64_t value;
        if (het__sys_line(r->root, type, sizeof type, "sys/class/thermal/%s/type", names[i]) &&
            strcmp(type, "x86_pkg_temp") == 0 &&
            het__sys_number(r->root, &value, "sys/class/thermal/%s/temp", names[i]))
            het__state_tell(r, HET_STATE_CELSIUS, &r->s->celsius, (double)value / 1000);
    }
}

void het__state_cpu(const het__reading *r)
{
    het__gpu_metrics m;
    het__state_energy(r, "core");
    read_cpu_sensors(r);
    read_thermal_zone(r);
    read_cpu_clock(r);
    read_cpu_time(r);
    read_cpu_memory(r);
    if (!het__state_chip_metrics(r->root, &m))
        return;
    het__state_tell(r, HET_STATE_WATTS, &r->s->watts, m.cpu_watts);
    het__state_tell(r, HET_STATE_CELSIUS, &r->s->celsius, m.cpu_celsius);
    het__state_tell(r, HET_STATE_TRAFFIC, &r->s->traffic_bytes_per_s, m.traffic_bytes_per_s);
}

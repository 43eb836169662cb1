/* SPDX-License-Identifier: Apache-2.0 */
/* Which file tells what of which device. Several may tell the same: the first that is there counts,
 * files of a device of its own before tables about the whole chip. */
#include "lib/machine/hardware.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cpus.h"
#include "lib/base/os.h"
#include "lib/machine/fdinfo.h"
#include "lib/machine/gpu_metrics.h"

#define NAMES_MAX 64
#define FILES_MAX 256
#define FDINFO_BYTES 4096
#define METRICS_BYTES 1024
#define TEXT_BYTES 8192
#define DRM_CLIENTS_MAX 64

/* What is being filled. */
typedef struct reading {
    const char *root;
    const het__hardware *h;
    het_device_state *s;
} reading;

static bool knows(const reading *r, uint64_t what)
{
    return (r->s->known & what) != 0;
}

/* The first to tell counts; NAN tells nothing. */
static void tell(const reading *r, uint64_t what, double *field, double value)
{
    if (!knows(r, what) && isfinite(value)) {
        *field = value;
        r->s->known |= what;
    }
}

/* A number that reading it has just left at value. */
static void tell_scaled(const reading *r, uint64_t what, double *field, bool is_there,
                        const int64_t *value, double unit)
{
    tell(r, what, field, is_there && *value >= 0 ? (double)*value * unit : NAN);
}

/* ---- sensors (hwmon) ---- */

/* Whether text begins so, in any case. */
static bool begins(const char *text, const char *with)
{
    for (; *with; text++, with++)
        if ((*text | 0x20) != (*with | 0x20))
            return false;
    return true;
}

/* How well a temperature speaks for all of its device: labels by what drivers call them. */
static int rank_of(const char *driver, const char *label)
{
    if (begins(label, "vram") || begins(label, "mem"))
        return 0;
    if (strcmp(driver, "coretemp") == 0)
        return begins(label, "Package") ? 3 : 1;
    if (strcmp(driver, "k10temp") == 0 || strcmp(driver, "zenpower") == 0)
        return begins(label, "Tdie") ? 4 : begins(label, "Tctl") ? 3 : 1;
    return begins(label, "junction") ? 3 : begins(label, "edge") || begins(label, "pkg") ? 2 : 1;
}

/* Of the sensors with the best rank the hottest; a laptop may have several packages. */
static void read_temperature(const reading *r, const char *folder, const char *driver)
{
    char files[NAMES_MAX][HET__SYS_NAME];
    const uint32_t count = het__sys_list(r->root, "temp", files, NAMES_MAX, "%s", folder);
    double best = NAN, limit = NAN;
    int best_rank = 0;
    for (uint32_t i = 0; i < count; i++) {
        char label[64] = "";
        unsigned number;
        int n = 0;
        int64_t value, crit;
        if (sscanf(files[i], "temp%u_input%n", &number, &n) != 1 || !n || files[i][n] ||
            !het__sys_number(r->root, &value, "%s/%s", folder, files[i]))
            continue;
        het__sys_line(r->root, label, sizeof label, "%s/temp%u_label", folder, number);
        const int rank = rank_of(driver, label);
        const double celsius = (double)value / 1000;
        if (rank < best_rank || rank == 0 || (rank == best_rank && !(celsius > best)))
            continue;
        best = celsius;
        best_rank = rank;
        limit = het__sys_number(r->root, &crit, "%s/temp%u_crit", folder, number) && crit > 0
                    ? (double)crit / 1000 : NAN;
    }
    tell(r, HET_STATE_CELSIUS, &r->s->celsius, best);
    if (!isnan(best))
        tell(r, HET_STATE_CELSIUS_MAX, &r->s->celsius_max, limit);
}

/* Millionths of watts and joules. The second counter is the package's on Intel's cards. */
static void read_power(const reading *r, const char *folder)
{
    static const char *const files[] = { "power1_average", "power1_input" };
    int64_t value;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        tell_scaled(r, HET_STATE_WATTS, &r->s->watts,
                    het__sys_number(r->root, &value, "%s/%s", folder, files[i]), &value, 1e-6);
    tell_scaled(r, HET_STATE_JOULES, &r->s->joules,
                het__sys_number(r->root, &value, "%s/energy1_input", folder), &value, 1e-6);
    tell_scaled(r, HET_STATE_PACKAGE_JOULES, &r->s->package_joules,
                het__sys_number(r->root, &value, "%s/energy2_input", folder), &value, 1e-6);
}

/* Sensors that a device of the PCI bus has itself. */
static void read_own_sensors(const reading *r)
{
    char names[NAMES_MAX][HET__SYS_NAME];
    const uint32_t count = het__sys_list(r->root, "hwmon", names, NAMES_MAX,
                                         "sys/bus/pci/devices/%s/hwmon", r->h->address);
    for (uint32_t i = 0; i < count; i++) {
        char folder[160];
        int64_t hertz;
        snprintf(folder, sizeof folder, "sys/bus/pci/devices/%s/hwmon/%.63s", r->h->address,
                 names[i]);
        read_temperature(r, folder, "");
        read_power(r, folder);
        tell_scaled(r, HET_STATE_MEGAHERTZ, &r->s->megahertz,
                    het__sys_number(r->root, &hertz, "%s/freq1_input", folder), &hertz, 1e-6);
    }
}

/* ---- energy (powercap) ---- */

typedef struct zone {
    double joules, wrap;
    bool is_known;
} zone;

static void add_zone(const reading *r, const char *folder, zone *sum)
{
    int64_t energy, range = 0;
    const het__sys_may may = het__sys_access(r->root, false, "%s/energy_uj", folder);
    if (may == HET__SYS_DENIED)
        r->s->known |= HET_STATE_DENIED;
    if (may != HET__SYS_ALLOWED ||
        !het__sys_number(r->root, &energy, "%s/energy_uj", folder) || energy < 0)
        return;
    het__sys_number(r->root, &range, "%s/max_energy_range_uj", folder);
    sum->joules += (double)energy * 1e-6;
    sum->wrap = range > 0 ? (double)range * 1e-6 : 0;
    sum->is_known = true;
}

/* Zones are "intel-rapl:0" of a package and "intel-rapl:0:1" of its parts, on AMD's processors,
 * too. Counters of several packages are added: with more than one a wrap cannot be told. */
static void read_energy(const reading *r, const char *part)
{
    char names[NAMES_MAX][HET__SYS_NAME];
    zone package = { 0 }, own = { 0 };
    uint32_t packages = 0;
    const uint32_t count =
        het__sys_list(r->root, "intel-rapl:", names, NAMES_MAX, "sys/class/powercap");
    for (uint32_t i = 0; i < count; i++) {
        char name[32], folder[128];
        snprintf(folder, sizeof folder, "sys/class/powercap/%.63s", names[i]);
        if (!het__sys_line(r->root, name, sizeof name, "%s/name", folder))
            continue;
        if (strncmp(name, "package", 7) == 0) {
            add_zone(r, folder, &package);
            packages++;
        } else if (strcmp(name, part) == 0) {
            add_zone(r, folder, &own);
        }
    }
    if (package.is_known && !knows(r, HET_STATE_PACKAGE_JOULES)) {
        tell(r, HET_STATE_PACKAGE_JOULES, &r->s->package_joules, package.joules);
        r->s->package_joules_wrap = packages == 1 ? package.wrap : 0;
    }
    if (own.is_known && !knows(r, HET_STATE_JOULES)) {
        tell(r, HET_STATE_JOULES, &r->s->joules, own.joules);
        r->s->joules_wrap = packages == 1 ? own.wrap : 0;
    }
}

/* ---- AMD's table of the whole chip ---- */

static bool metrics_of(const char *root, const char *address, het__gpu_metrics *metrics)
{
    char data[METRICS_BYTES];
    const size_t n = het__sys_read(root, data, sizeof data,
                                   "sys/bus/pci/devices/%s/gpu_metrics", address);
    return het__gpu_metrics_parse(data, n, metrics);
}

/* Of the GPU that lies on one chip with the processor and the NPU. */
static bool chip_metrics(const char *root, het__gpu_metrics *metrics)
{
    char names[FILES_MAX][HET__SYS_NAME];
    const uint32_t count = het__sys_list(root, "0000:", names, FILES_MAX,
                                         "sys/bus/pci/drivers/amdgpu");
    for (uint32_t i = 0; i < count; i++)
        if (metrics_of(root, names[i], metrics) && metrics->is_chip)
            return true;
    return false;
}

/* ---- the processor ---- */

static void read_cpu_clock(const reading *r)
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
    tell(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, cores ? sum / cores : NAN);
    tell(r, HET_STATE_MEGAHERTZ_MAX, &r->s->megahertz_max, most);
}

/* "cpu  user nice system idle iowait irq softirq steal …": guests are in user already. */
static void read_cpu_time(const reading *r)
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

static void read_cpu_memory(const reading *r)
{
    char text[TEXT_BYTES];
    uint64_t total, available;
    het__sys_read(r->root, text, sizeof text, "proc/meminfo");
    if (!memory_line(text, "MemTotal:", &total) ||
        !memory_line(text, "MemAvailable:", &available) || available > total)
        return;
    r->s->memory_bytes = total;
    r->s->memory_used_bytes = total - available;
    r->s->known |= HET_STATE_MEMORY;
}

static void read_cpu_sensors(const reading *r)
{
    static const char *const drivers[] = { "coretemp", "k10temp", "zenpower" };
    char names[NAMES_MAX][HET__SYS_NAME];
    const uint32_t count =
        het__sys_list(r->root, "hwmon", names, NAMES_MAX, "sys/class/hwmon");
    for (uint32_t i = 0; i < count; i++) {
        char folder[96], name[32];
        snprintf(folder, sizeof folder, "sys/class/hwmon/%.63s", names[i]);
        if (!het__sys_line(r->root, name, sizeof name, "%s/name", folder))
            continue;
        for (size_t k = 0; k < sizeof drivers / sizeof *drivers; k++)
            if (strcmp(name, drivers[k]) == 0)
                read_temperature(r, folder, name);
    }
}

/* Where no sensor's driver is loaded, the kernel's own zones may still tell. */
static void read_thermal_zone(const reading *r)
{
    char names[NAMES_MAX][HET__SYS_NAME];
    const uint32_t count =
        het__sys_list(r->root, "thermal_zone", names, NAMES_MAX, "sys/class/thermal");
    for (uint32_t i = 0; i < count; i++) {
        char type[32];
        int64_t value;
        if (het__sys_line(r->root, type, sizeof type, "sys/class/thermal/%s/type", names[i]) &&
            strcmp(type, "x86_pkg_temp") == 0 &&
            het__sys_number(r->root, &value, "sys/class/thermal/%s/temp", names[i]))
            tell(r, HET_STATE_CELSIUS, &r->s->celsius, (double)value / 1000);
    }
}

static void read_cpu(const reading *r)
{
    het__gpu_metrics m;
    read_energy(r, "core");
    read_cpu_sensors(r);
    read_thermal_zone(r);
    read_cpu_clock(r);
    read_cpu_time(r);
    read_cpu_memory(r);
    if (!chip_metrics(r->root, &m))
        return;
    tell(r, HET_STATE_WATTS, &r->s->watts, m.cpu_watts);
    tell(r, HET_STATE_CELSIUS, &r->s->celsius, m.cpu_celsius);
    tell(r, HET_STATE_TRAFFIC, &r->s->traffic_bytes_per_s, m.traffic_bytes_per_s);
}

/* ---- what this process does there ---- */

/* A device of this process's may be open under several numbers, all of which tell the same. */
static bool seen_before(uint64_t *clients, uint32_t *count, uint64_t client)
{
    for (uint32_t i = 0; i < *count; i++)
        if (clients[i] == client)
            return true;
    if (*count < DRM_CLIENTS_MAX)
        clients[(*count)++] = client;
    return false;
}

static void add_capped(uint64_t *sum, uint64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = UINT64_MAX;
}

static void read_own_use(const reading *r)
{
    char names[FILES_MAX][HET__SYS_NAME], text[FDINFO_BYTES];
    uint64_t clients[DRM_CLIENTS_MAX], bytes = 0, busy_ns = 0, cycles = 0, in_all = 0;
    bool has_bytes = false, has_ns = false, has_cycles = false;
    uint32_t client_count = 0;
    const uint32_t count =
        het__sys_list(r->root, "", names, FILES_MAX, "proc/self/fdinfo");
    for (uint32_t i = 0; i < count; i++) {
        het__fdinfo info;
        const size_t n =
            het__sys_read(r->root, text, sizeof text, "proc/self/fdinfo/%s", names[i]);
        if (!het__fdinfo_parse(text, n, &info) || strcmp(info.address, r->h->address) != 0 ||
            (info.has_client && seen_before(clients, &client_count, info.client)))
            continue;
        has_bytes = has_bytes || info.has_bytes;
        has_ns = has_ns || info.has_ns;
        has_cycles = has_cycles || info.has_cycles;
        add_capped(&bytes, info.bytes);
        add_capped(&busy_ns, info.busy_ns);
        add_capped(&cycles, info.cycles);
        in_all = info.cycles_in_all > in_all ? info.cycles_in_all : in_all;
    }
    if (has_bytes) {
        r->s->own_bytes = bytes;
        r->s->known |= HET_STATE_OWN_MEMORY;
    }
    if (!knows(r, HET_STATE_BUSY) && (has_ns || has_cycles)) {
        r->s->busy_count = has_ns ? busy_ns : cycles;
        r->s->busy_of_count = has_ns ? r->s->time_ns : in_all;
        r->s->known |= HET_STATE_BUSY | HET_STATE_BUSY_IS_OWN;
    }
}

/* ---- graphics processors ---- */

static void read_clock_file(const reading *r, bool max, const char *path)
{
    int64_t value;
    const bool is_there = het__sys_number(r->root, &value, "%s", path) && (!max || value > 0);
    if (max)
        tell_scaled(r, HET_STATE_MEGAHERTZ_MAX, &r->s->megahertz_max, is_there, &value, 1);
    else
        tell_scaled(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, is_there, &value, 1);
}

static void read_i915(const reading *r)
{
    static const struct { const char *name; bool max; } files[] = {
        { "gt/gt0/rps_act_freq_mhz", false }, { "gt_act_freq_mhz", false },
        { "gt/gt0/rps_max_freq_mhz", true },  { "gt_max_freq_mhz", true },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[160];
        snprintf(path, sizeof path, "sys/class/drm/%s/%s", r->h->card, files[i].name);
        read_clock_file(r, files[i].max, path);
    }
}

static void read_xe(const reading *r)
{
    char path[160];
    for (int max = 0; max < 2; max++) {
        snprintf(path, sizeof path, "sys/bus/pci/devices/%s/tile0/gt0/freq0/%s", r->h->address,
                 max ? "max_freq" : "act_freq");
        read_clock_file(r, max, path);
    }
}

/* "0: 200Mhz\n1: 800Mhz *\n": the star stands at the present one. */
static void read_levels(const reading *r)
{
    char text[TEXT_BYTES];
    double most = NAN;
    het__sys_read(r->root, text, sizeof text, "sys/bus/pci/devices/%s/pp_dpm_sclk",
                  r->h->address);
    for (const char *line = text; *line;) {
        const size_t n = strcspn(line, "\n");
        unsigned level, mhz;
        if (sscanf(line, "%u: %uMhz", &level, &mhz) == 2 || sscanf(line, "S: %uMhz", &mhz) == 1) {
            if (memchr(line, '*', n))
                tell(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, mhz);
            most = mhz > most || isnan(most) ? mhz : most;
        }
        line += n + (line[n] == '\n');
    }
    tell(r, HET_STATE_MEGAHERTZ_MAX, &r->s->megahertz_max, most);
}

static bool read_pool(const reading *r, const char *pool, uint64_t *total, uint64_t *used)
{
    int64_t all, taken;
    if (!het__sys_number(r->root, &all, "sys/bus/pci/devices/%s/mem_info_%s_total",
                         r->h->address, pool) ||
        !het__sys_number(r->root, &taken, "sys/bus/pci/devices/%s/mem_info_%s_used",
                         r->h->address, pool) || all < 0 || taken < 0)
        return false;
    *total = (uint64_t)all;
    *used = (uint64_t)taken;
    return true;
}

static void read_amdgpu(const reading *r)
{
    int64_t percent;
    het__gpu_metrics m;
    if (het__sys_number(r->root, &percent, "sys/bus/pci/devices/%s/gpu_busy_percent",
                        r->h->address) && percent >= 0 && percent <= 100)
        tell(r, HET_STATE_LOAD, &r->s->load, (double)percent / 100);
    if (read_pool(r, "vram", &r->s->memory_bytes, &r->s->memory_used_bytes))
        r->s->known |= HET_STATE_MEMORY;
    if (read_pool(r, "gtt", &r->s->shared_bytes, &r->s->shared_used_bytes))
        r->s->known |= HET_STATE_SHARED_MEMORY;
    read_levels(r);
    if (!metrics_of(r->root, r->h->address, &m))
        return;
    tell(r, HET_STATE_WATTS, &r->s->watts, m.gpu_watts);
    tell(r, HET_STATE_CELSIUS, &r->s->celsius, m.gpu_celsius);
    tell(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, m.gpu_megahertz);
    tell(r, HET_STATE_LOAD, &r->s->load, m.gpu_load);
}

/* ---- NPUs ---- */

static void read_amdxdna(const reading *r)
{
    het__gpu_metrics m;
    if (!chip_metrics(r->root, &m))
        return;
    tell(r, HET_STATE_WATTS, &r->s->watts, m.npu_watts);
    tell(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, m.npu_megahertz);
    tell(r, HET_STATE_LOAD, &r->s->load, m.npu_load);
}

static void read_ivpu(const reading *r)
{
    char path[160];
    int64_t us;
    for (int max = 0; max < 2; max++) {
        snprintf(path, sizeof path, "sys/bus/pci/devices/%s/npu_%s_frequency_mhz", r->h->address,
                 max ? "max" : "current");
        read_clock_file(r, max, path);
    }
    if (het__sys_number(r->root, &us, "sys/bus/pci/devices/%s/npu_busy_time_us",
                        r->h->address) && us >= 0 && us <= INT64_MAX / 1000) {
        r->s->busy_count = (uint64_t)us * 1000;
        r->s->busy_of_count = r->s->time_ns;
        r->s->known |= HET_STATE_BUSY;
    }
}

/* ---- all ---- */

void het__hardware_state(const char *root, const het__hardware *hardware, het_device_state *state)
{
    const reading r = { root, hardware, state };
    memset(state, 0, sizeof *state);
    state->struct_size = sizeof *state;
    state->kind = hardware->info.kind;
    state->time_ns = het__now_ns();
    if (hardware->driver == HET__DRIVER_CPU) {
        read_cpu(&r);
        return;
    }
    read_own_sensors(&r);
    switch (hardware->driver) {
    case HET__DRIVER_I915: read_i915(&r); break;
    case HET__DRIVER_XE: read_xe(&r); break;
    case HET__DRIVER_AMDGPU: read_amdgpu(&r); break;
    case HET__DRIVER_AMDXDNA: read_amdxdna(&r); break;
    case HET__DRIVER_IVPU: read_ivpu(&r); break;
    default: break;
    }
    /* What processors call "uncore" is, on those with a GPU of Intel's, the GPU. */
    if (hardware->info.kind == HET_DEVICE_IGPU && hardware->info.vendor_id == 0x8086)
        read_energy(&r, "uncore");
    read_own_use(&r);
}

/* Joules between two reads of a counter that may have begun anew once; NAN: it was set back. */
static double spent(double earlier, double later, double wrap)
{
    const double d = later - earlier;
    return d >= 0 ? d : wrap > 0 && d + wrap >= 0 ? d + wrap : NAN;
}

bool het__hardware_between(const het_device_state *earlier, const het_device_state *later,
                           het_device_state *between)
{
    const uint64_t both = earlier->known & later->known;
    *between = *later;
    if (later->time_ns <= earlier->time_ns || later->kind != earlier->kind)
        return false;
    const double seconds = (double)(later->time_ns - earlier->time_ns) * 1e-9;
    if (both & HET_STATE_JOULES) {
        const double joules = spent(earlier->joules, later->joules, later->joules_wrap);
        if (!isnan(joules)) {
            between->watts = joules / seconds;
            between->known |= HET_STATE_WATTS;
        }
    }
    if ((both & HET_STATE_BUSY) && later->busy_of_count > earlier->busy_of_count &&
        later->busy_count >= earlier->busy_count) {
        const double load = (double)(later->busy_count - earlier->busy_count) /
                            (double)(later->busy_of_count - earlier->busy_of_count);
        /* What the whole device tells goes before what this process did there. */
        if (!(later->known & HET_STATE_LOAD) || !(later->known & HET_STATE_BUSY_IS_OWN)) {
            between->load = load < 1 ? load : 1;
            between->known |= HET_STATE_LOAD;
        }
    }
    return true;
}

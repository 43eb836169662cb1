/* SPDX-License-Identifier: Apache-2.0 */
/* Which file tells what of which device. Several may tell the same: the first that is there counts,
 * files of a device of its own before tables about the whole chip. */
#include "lib/machine/state_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/os.h"
#include "lib/machine/fdinfo.h"

#define FDINFO_BYTES 4096
#define METRICS_BYTES 1024
#define DRM_CLIENTS_MAX 64

bool het__state_knows(const het__reading *r, uint64_t what)
{
    return (r->s->known & what) != 0;
}

void het__state_tell(const het__reading *r, uint64_t what, double *field, double value)
{
    if (!het__state_knows(r, what) && isfinite(value)) {
        *field = value;
        r->s->known |= what;
    }
}

void het__state_scaled(const het__reading *r, uint64_t what, double *field, bool is_there,
                       const int64_t *value, double unit)
{
    het__state_tell(r, what, field, is_there && *value >= 0 ? (double)*value * unit : NAN);
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
void het__state_temperature(const het__reading *r, const char *folder, const char *driver)
{
    char files[HET__STATE_NAMES_MAX][HET__SYS_NAME];
    const uint32_t count =
        het__sys_list(r->root, "temp", files, HET__STATE_NAMES_MAX, "%s", folder);
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
    het__state_tell(r, HET_STATE_CELSIUS, &r->s->celsius, best);
    if (!isnan(best))
        het__state_tell(r, HET_STATE_CELSIUS_MAX, &r->s->celsius_max, limit);
}

/* Millionths of watts and joules. The second counter is the package's on Intel's cards. */
static void read_power(const het__reading *r, const char *folder)
{
    static const char *const files[] = { "power1_average", "power1_input" };
    int64_t value;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        het__state_scaled(r, HET_STATE_WATTS, &r->s->watts,
                          het__sys_number(r->root, &value, "%s/%s", folder, files[i]), &value,
                          1e-6);
    het__state_scaled(r, HET_STATE_JOULES, &r->s->joules,
                      het__sys_number(r->root, &value, "%s/energy1_input", folder), &value, 1e-6);
    het__state_scaled(r, HET_STATE_PACKAGE_JOULES, &r->s->package_joules,
                      het__sys_number(r->root, &value, "%s/energy2_input", folder), &value, 1e-6);
}

/* Sensors that a device of the PCI bus has itself. */
static void read_own_sensors(const het__reading *r)
{
    char names[HET__STATE_NAMES_MAX][HET__SYS_NAME];
    const uint32_t count = het__sys_list(r->root, "hwmon", names, HET__STATE_NAMES_MAX,
                                         "sys/bus/pci/devices/%s/hwmon", r->h->address);
    for (uint32_t i = 0; i < count; i++) {
        char folder[160];
        int64_t hertz;
        snprintf(folder, sizeof folder, "sys/bus/pci/devices/%s/hwmon/%.63s", r->h->address,
                 names[i]);
        het__state_temperature(r, folder, "");
        read_power(r, folder);
        het__state_scaled(r, HET_STATE_MEGAHERTZ, &r->s->megahertz,
                          het__sys_number(r->root, &hertz, "%s/freq1_input", folder), &hertz,
                          1e-6);
    }
}

/* ---- energy (powercap) ---- */

typedef struct zone {
    double joules, wrap;
    bool is_known;
} zone;

static void add_zone(const het__reading *r, const char *folder, zone *sum)
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
void het__state_energy(const het__reading *r, const char *part)
{
    char names[HET__STATE_NAMES_MAX][HET__SYS_NAME];
    zone package = { 0 }, own = { 0 };
    uint32_t packages = 0;
    const uint32_t count =
        het__sys_list(r->root, "intel-rapl:", names, HET__STATE_NAMES_MAX, "sys/class/powercap");
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
    if (package.is_known && !het__state_knows(r, HET_STATE_PACKAGE_JOULES)) {
        het__state_tell(r, HET_STATE_PACKAGE_JOULES, &r->s->package_joules, package.joules);
        r->s->package_joules_wrap = packages == 1 ? package.wrap : 0;
    }
    if (own.is_known && !het__state_knows(r, HET_STATE_JOULES)) {
        het__state_tell(r, HET_STATE_JOULES, &r->s->joules, own.joules);
        r->s->joules_wrap = packages == 1 ? own.wrap : 0;
    }
}

/* ---- AMD's table of the whole chip ---- */

bool het__state_metrics(const char *root, const char *address, het__gpu_metrics *metrics)
{
    char data[METRICS_BYTES];
    const size_t n = het__sys_read(root, data, sizeof data,
                                   "sys/bus/pci/devices/%s/gpu_metrics", address);
    return het__gpu_metrics_parse(data, n, metrics);
}

/* Of the GPU that lies on one chip with the processor and the NPU. */
bool het__state_chip_metrics(const char *root, het__gpu_metrics *metrics)
{
    char names[HET__STATE_FILES_MAX][HET__SYS_NAME];
    const uint32_t count = het__sys_list(root, "0000:", names, HET__STATE_FILES_MAX,
                                         "sys/bus/pci/drivers/amdgpu");
    for (uint32_t i = 0; i < count; i++)
        if (het__state_metrics(root, names[i], metrics) && metrics->is_chip)
            return true;
    return false;
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

static void read_own_use(const het__reading *r)
{
    char names[HET__STATE_FILES_MAX][HET__SYS_NAME], text[FDINFO_BYTES];
    uint64_t clients[DRM_CLIENTS_MAX], bytes = 0, busy_ns = 0, cycles = 0, in_all = 0;
    bool has_bytes = false, has_ns = false, has_cycles = false;
    uint32_t client_count = 0;
    const uint32_t count =
        het__sys_list(r->root, "", names, HET__STATE_FILES_MAX, "proc/self/fdinfo");
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
    if (!het__state_knows(r, HET_STATE_BUSY) && (has_ns || has_cycles)) {
        r->s->busy_count = has_ns ? busy_ns : cycles;
        r->s->busy_of_count = has_ns ? r->s->time_ns : in_all;
        r->s->known |= HET_STATE_BUSY | HET_STATE_BUSY_IS_OWN;
    }
}

/* ---- all ---- */

void het__hardware_state(const char *root, const het__hardware *hardware, het_device_state *state)
{
    const het__reading r = { root, hardware, state };
    memset(state, 0, sizeof *state);
    state->struct_size = sizeof *state;
    state->kind = hardware->info.kind;
    state->time_ns = het__now_ns();
    if (hardware->driver == HET__DRIVER_CPU) {
        het__state_cpu(&r);
        return;
    }
    read_own_sensors(&r);
    switch (hardware->driver) {
    case HET__DRIVER_I915: het__state_i915(&r); break;
    case HET__DRIVER_XE: het__state_xe(&r); break;
    case HET__DRIVER_AMDGPU: het__state_amdgpu(&r); break;
    case HET__DRIVER_AMDXDNA: het__state_amdxdna(&r); break;
    case HET__DRIVER_IVPU: het__state_ivpu(&r); break;
    default: break;
    }
    /* What processors call "uncore" is, on those with a GPU of Intel's, the GPU. */
    if (hardware->info.kind == HET_DEVICE_IGPU && hardware->info.vendor_id == 0x8086)
        het__state_energy(&r, "uncore");
    read_own_use(&r);
}

void het__hardware_tell(het_device_state *state, const het_device_state *told)
{
#define TELL(bit, field) \
    if (told->known & (bit)) \
        state->field = told->field;
    TELL(HET_STATE_WATTS, watts)
    TELL(HET_STATE_JOULES, joules)
    TELL(HET_STATE_JOULES, joules_wrap)
    TELL(HET_STATE_PACKAGE_JOULES, package_joules)
    TELL(HET_STATE_PACKAGE_JOULES, package_joules_wrap)
    TELL(HET_STATE_CELSIUS, celsius)
    TELL(HET_STATE_CELSIUS_MAX, celsius_max)
    TELL(HET_STATE_MEGAHERTZ, megahertz)
    TELL(HET_STATE_MEGAHERTZ_MAX, megahertz_max)
    TELL(HET_STATE_LOAD, load)
    TELL(HET_STATE_BUSY, busy_count)
    TELL(HET_STATE_BUSY, busy_of_count)
    TELL(HET_STATE_MEMORY, memory_bytes)
    TELL(HET_STATE_MEMORY, memory_used_bytes)
    TELL(HET_STATE_SHARED_MEMORY, shared_bytes)
    TELL(HET_STATE_SHARED_MEMORY, shared_used_bytes)
    TELL(HET_STATE_OWN_MEMORY, own_bytes)
    TELL(HET_STATE_TRAFFIC, traffic_bytes_per_s)
#undef TELL
    if (told->known & HET_STATE_BUSY)
        state->known &= ~HET_STATE_BUSY_IS_OWN;
    state->known |= told->known;
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

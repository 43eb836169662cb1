/* SPDX-License-Identifier: Apache-2.0 */
/* State of graphics processors and NPUs beyond their sensors: files of their drivers. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/machine/state_parts.h"

/* ---- graphics processors ---- */

static void read_clock_file(const het__reading *r, bool max, const char *path)
{
    int64_t value;
    const bool is_there = het__sys_number(r->root, &value, "%s", path) && (!max || value > 0);
    if (max)
        het__state_scaled(r, HET_STATE_MEGAHERTZ_MAX, &r->s->megahertz_max, is_there, &value, 1);
    else
        het__state_scaled(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, is_there, &value, 1);
}

void het__state_i915(const het__reading *r)
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

void het__state_xe(const het__reading *r)
{
    char path[160];
    for (int max = 0; max < 2; max++) {
        snprintf(path, sizeof path, "sys/bus/pci/devices/%s/tile0/gt0/freq0/%s", r->h->address,
                 max ? "max_freq" : "act_freq");
        read_clock_file(r, max, path);
    }
}

/* "0: 200Mhz\n1: 800Mhz *\n": the star stands at the present one. */
static void read_levels(const het__reading *r)
{
    char text[HET__STATE_TEXT_BYTES];
    double most = NAN;
    het__sys_read(r->root, text, sizeof text, "sys/bus/pci/devices/%s/pp_dpm_sclk",
                  r->h->address);
    for (const char *line = text; *line;) {
        const size_t n = strcspn(line, "\n");
        unsigned level, mhz;
        if (sscanf(line, "%u: %uMhz", &level, &mhz) == 2 || sscanf(line, "S: %uMhz", &mhz) == 1) {
            if (memchr(line, '*', n))
                het__state_tell(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, mhz);
            most = mhz > most || isnan(most) ? mhz : most;
        }
        line += n + (line[n] == '\n');
    }
    het__state_tell(r, HET_STATE_MEGAHERTZ_MAX, &r->s->megahertz_max, most);
}

static bool read_pool(const het__reading *r, const char *pool, uint64_t *total, uint64_t *used)
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

void het__state_amdgpu(const het__reading *r)
{
    int64_t percent;
    het__gpu_metrics m;
    if (het__sys_number(r->root, &percent, "sys/bus/pci/devices/%s/gpu_busy_percent",
                        r->h->address) && percent >= 0 && percent <= 100)
        het__state_tell(r, HET_STATE_LOAD, &r->s->load, (double)percent / 100);
    if (read_pool(r, "vram", &r->s->memory_bytes, &r->s->memory_used_bytes))
        r->s->known |= HET_STATE_MEMORY;
    if (read_pool(r, "gtt", &r->s->shared_bytes, &r->s->shared_used_bytes))
        r->s->known |= HET_STATE_SHARED_MEMORY;
    read_levels(r);
    if (!het__state_metrics(r->root, r->h->address, &m))
        return;
    het__state_tell(r, HET_STATE_WATTS, &r->s->watts, m.gpu_watts);
    het__state_tell(r, HET_STATE_CELSIUS, &r->s->celsius, m.gpu_celsius);
    het__state_tell(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, m.gpu_megahertz);
    het__state_tell(r, HET_STATE_LOAD, &r->s->load, m.gpu_load);
}

/* ---- NPUs ---- */

void het__state_amdxdna(const het__reading *r)
{
    het__gpu_metrics m;
    if (!het__state_chip_metrics(r->root, &m))
        return;
    het__state_tell(r, HET_STATE_WATTS, &r->s->watts, m.npu_watts);
    het__state_tell(r, HET_STATE_MEGAHERTZ, &r->s->megahertz, m.npu_megahertz);
    het__state_tell(r, HET_STATE_LOAD, &r->s->load, m.npu_load);
}

void het__state_ivpu(const het__reading *r)
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

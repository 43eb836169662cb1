/* SPDX-License-Identifier: Apache-2.0 */
/* Power, temperature, clock, load and memory of a device by the driver's system management. What it
 * does not tell (integrated GPUs have no power there) the core takes from the kernel's files.
 *
 * Drivers offer it for the devices of zeInit only where ZES_ENABLE_SYSMAN=1 stood in the
 * environment by then, which a library does not set: without it nothing is asked. Handles are
 * enumerated each time, so that nothing is kept that could outlive a device. */
#include <level_zero/zes_api.h>

#include "backends/intel_l0/l0.h"
#include "lib/base/os.h"

#define SENSORS_MAX 16
/* Of energies and memories: millionths. */
#define MICRO 1e-6

bool het__l0_has_sysman(void)
{
    const char *text = het__env("ZES_ENABLE_SYSMAN");
    return text && text[0] == '1' && text[1] == '\0';
}

/* Calls an enumeration for its length, then for the handles. Length 0: there are none. */
#define LIST(enumerate, device, handles, count)                                          \
    do {                                                                                 \
        (count) = 0;                                                                     \
        if (enumerate(device, &(count), NULL) != ZE_RESULT_SUCCESS)                      \
            (count) = 0;                                                                 \
        (count) = (count) < SENSORS_MAX ? (count) : SENSORS_MAX;                         \
        if ((count) && enumerate(device, &(count), handles) != ZE_RESULT_SUCCESS)        \
            (count) = 0;                                                                 \
    } while (0)

/* The counter of the whole device, which comes first. */
static void read_power(zes_device_handle_t device, het_device_state *s)
{
    zes_pwr_handle_t list[SENSORS_MAX];
    uint32_t count;
    LIST(zesDeviceEnumPowerDomains, device, list, count);
    for (uint32_t i = 0; i < count; i++) {
        zes_power_energy_counter_t counter = { 0 };
        zes_power_properties_t p = { .stype = ZES_STRUCTURE_TYPE_POWER_PROPERTIES };
        if (zesPowerGetProperties(list[i], &p) != ZE_RESULT_SUCCESS || p.onSubdevice ||
            zesPowerGetEnergyCounter(list[i], &counter) != ZE_RESULT_SUCCESS)
            continue;
        s->joules = (double)counter.energy * MICRO;
        s->known |= HET_STATE_JOULES;
        return;
    }
}

static void read_temperature(zes_device_handle_t device, het_device_state *s)
{
    zes_temp_handle_t list[SENSORS_MAX];
    uint32_t count;
    LIST(zesDeviceEnumTemperatureSensors, device, list, count);
    for (uint32_t i = 0; i < count; i++) {
        double degrees = 0;
        zes_temp_properties_t p = { .stype = ZES_STRUCTURE_TYPE_TEMP_PROPERTIES };
        if (zesTemperatureGetProperties(list[i], &p) != ZE_RESULT_SUCCESS ||
            (p.type != ZES_TEMP_SENSORS_GLOBAL && p.type != ZES_TEMP_SENSORS_GPU) ||
            zesTemperatureGetState(list[i], &degrees) != ZE_RESULT_SUCCESS ||
            ((s->known & HET_STATE_CELSIUS) && degrees <= s->celsius))
            continue;
        s->celsius = degrees;
        s->known |= HET_STATE_CELSIUS;
        if (p.maxTemperature > 0) {
            s->celsius_max = p.maxTemperature;
            s->known |= HET_STATE_CELSIUS_MAX;
        }
    }
}

static void read_frequency(zes_device_handle_t device, het_device_state *s)
{
    zes_freq_handle_t list[SENSORS_MAX];
    uint32_t count;
    LIST(zesDeviceEnumFrequencyDomains, device, list, count);
    for (uint32_t i = 0; i < count && !(s->known & HET_STATE_MEGAHERTZ); i++) {
        zes_freq_state_t now = { .stype = ZES_STRUCTURE_TYPE_FREQ_STATE };
        zes_freq_properties_t p = { .stype = ZES_STRUCTURE_TYPE_FREQ_PROPERTIES };
        if (zesFrequencyGetProperties(list[i], &p) != ZE_RESULT_SUCCESS ||
            p.type != ZES_FREQ_DOMAIN_GPU ||
            zesFrequencyGetState(list[i], &now) != ZE_RESULT_SUCCESS || now.actual < 0)
            continue;
        s->megahertz = now.actual;
        s->megahertz_max = p.max;
        s->known |= HET_STATE_MEGAHERTZ | (p.max > 0 ? HET_STATE_MEGAHERTZ_MAX : 0);
    }
}

/* Memory of the device's own; an integrated GPU's is the machine's. */
static void read_memory(zes_device_handle_t device, het_device_state *s)
{
    zes_mem_handle_t list[SENSORS_MAX];
    uint32_t count;
    LIST(zesDeviceEnumMemoryModules, device, list, count);
    for (uint32_t i = 0; i < count; i++) {
        zes_mem_state_t now = { .stype = ZES_STRUCTURE_TYPE_MEM_STATE };
        zes_mem_properties_t p = { .stype = ZES_STRUCTURE_TYPE_MEM_PROPERTIES };
        if (zesMemoryGetProperties(list[i], &p) != ZE_RESULT_SUCCESS ||
            zesMemoryGetState(list[i], &now) != ZE_RESULT_SUCCESS || now.free > now.size)
            continue;
        if (p.location == ZES_MEM_LOC_DEVICE) {
            s->memory_bytes += now.size;
            s->memory_used_bytes += now.size - now.free;
            s->known |= HET_STATE_MEMORY;
        } else {
            s->shared_bytes += now.size;
            s->shared_used_bytes += now.size - now.free;
            s->known |= HET_STATE_SHARED_MEMORY;
        }
    }
}

/* All engines together, else all that compute. */
static void read_load(zes_device_handle_t device, het_device_state *s)
{
    zes_engine_handle_t list[SENSORS_MAX];
    uint32_t count;
    bool is_all = false;
    LIST(zesDeviceEnumEngineGroups, device, list, count);
    for (uint32_t i = 0; i < count && !is_all; i++) {
        zes_engine_stats_t stats = { 0 };
        zes_engine_properties_t p = { .stype = ZES_STRUCTURE_TYPE_ENGINE_PROPERTIES };
        if (zesEngineGetProperties(list[i], &p) != ZE_RESULT_SUCCESS ||
            (p.type != ZES_ENGINE_GROUP_ALL && p.type != ZES_ENGINE_GROUP_COMPUTE_ALL) ||
            zesEngineGetActivity(list[i], &stats) != ZE_RESULT_SUCCESS)
            continue;
        is_all = p.type == ZES_ENGINE_GROUP_ALL;
        s->busy_count = stats.activeTime;
        s->busy_of_count = stats.timestamp;
        s->known |= HET_STATE_BUSY;
    }
}

void het__l0_read_state(ze_device_handle_t id, het_device_state *state)
{
    /* What the specification says of devices of zeInit. */
    const zes_device_handle_t device = (zes_device_handle_t)id;
    read_power(device, state);
    read_temperature(device, state);
    read_frequency(device, state);
    read_memory(device, state);
    read_load(device, state);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A part of sysman: power, frequency, temperature, memory, load, address on the bus.
 *
 * HETINFER_ZE_SYSMAN, read at each call: name=value[,name=value…], "none" for a value hides the
 * sensor, as integrated GPUs hide power; "off" for all makes everything unsupported.
 *     power        milliwatts; the energy counter grows by them
 *     frequency    MHz now
 *     temperature  degrees Celsius
 *     load         percent of the time that the engine is busy; without it what queues do
 *     memory       bytes free; without it what is left of the device's */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

typedef enum sensor_kind { POWER, FREQUENCY, TEMPERATURE, MEMORY, ENGINE, SENSOR_KINDS }
    sensor_kind;

typedef struct sensor {
    zd_object o;
    sensor_kind kind;
} sensor;

static sensor *sensors[ZE_TEST_DEVICES_MAX][SENSOR_KINDS];

static const char *const names[SENSOR_KINDS] = { "power", "frequency", "temperature", "memory",
                                                 "load" };
#define NONE (-1.0)

/* What the environment says; NONE: there is no such sensor. */
static double value_of(sensor_kind kind, double otherwise)
{
    const char *at = getenv("HETINFER_ZE_SYSMAN");
    const size_t n = strlen(names[kind]);
    for (; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, names[kind], n) == 0 && at[n] == '=')
            return strncmp(at + n + 1, "none", 4) == 0 ? NONE : strtod(at + n + 1, NULL);
    return otherwise;
}

/* The beginning of every function here. */
static ze_result_t enter(const char *call, const void *object, zd_kind kind)
{
    const char *text = getenv("HETINFER_ZE_SYSMAN");
    const ze_result_t r = zd_enter(call, object, kind, NULL);
    return r == ZE_RESULT_SUCCESS && text && strcmp(text, "off") == 0
               ? ZE_RESULT_ERROR_UNSUPPORTED_FEATURE : r;
}

/* Handles of one kind: one, or none. */
static ze_result_t list(const char *call, zes_device_handle_t device, sensor_kind kind,
                        uint32_t *count, void *handles)
{
    const ze_result_t r = enter(call, device, ZD_DEVICE);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    zd_device *const d = (zd_device *)device;
    if (value_of(kind, 0) == NONE) {
        *count = 0;
        return ZE_RESULT_SUCCESS;
    }
    sensor **const s = &sensors[d->index][kind];
    if (!*s) {
        *s = zd_new(sizeof **s, ZD_SENSOR, d);
        if (!*s)
            return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
        (*s)->kind = kind;
    }
    if (handles && *count > 0)
        memcpy(handles, s, sizeof *s);
    *count = 1;
    return ZE_RESULT_SUCCESS;
}

static zd_device *device_of(const void *handle)
{
    return ((const sensor *)handle)->o.device;
}

/* ---- devices ---- */

static ze_result_t enum_power(zes_device_handle_t device, uint32_t *count, zes_pwr_handle_t *out)
{
    return list("zesDeviceEnumPowerDomains", device, POWER, count, out);
}

static ze_result_t enum_frequency(zes_device_handle_t device, uint32_t *count,
                                  zes_freq_handle_t *out)
{
    return list("zesDeviceEnumFrequencyDomains", device, FREQUENCY, count, out);
}

static ze_result_t enum_temperature(zes_device_handle_t device, uint32_t *count,
                                    zes_temp_handle_t *out)
{
    return list("zesDeviceEnumTemperatureSensors", device, TEMPERATURE, count, out);
}

static ze_result_t enum_memory(zes_device_handle_t device, uint32_t *count, zes_mem_handle_t *out)
{
    return list("zesDeviceEnumMemoryModules", device, MEMORY, count, out);
}

static ze_result_t enum_engines(zes_device_handle_t device, uint32_t *count,
                                zes_engine_handle_t *out)
{
    return list("zesDeviceEnumEngineGroups", device, ENGINE, count, out);
}

static ze_result_t pci_properties(zes_device_handle_t device, zes_pci_properties_t *p)
{
    const ze_result_t r = enter("zesDevicePciGetProperties", device, ZD_DEVICE);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->address = (zes_pci_address_t){ .bus = ((const zd_device *)device)->index, .device = 2 };
    p->maxSpeed = (zes_pci_speed_t){ .gen = -1, .width = -1, .maxBandwidth = -1 };
    p->haveBandwidthCounters = p->havePacketCounters = p->haveReplayCounters = false;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t device_properties(zes_device_handle_t device, zes_device_properties_t *p)
{
    const ze_result_t r = enter("zesDeviceGetProperties", device, ZD_DEVICE);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->numSubdevices = 0;
    snprintf(p->serialNumber, sizeof p->serialNumber, "unknown");
    snprintf(p->boardNumber, sizeof p->boardNumber, "unknown");
    snprintf(p->brandName, sizeof p->brandName, "hetinfer");
    snprintf(p->modelName, sizeof p->modelName, "hetinfer test driver (PoCL)");
    snprintf(p->vendorName, sizeof p->vendorName, "hetinfer");
    snprintf(p->driverVersion, sizeof p->driverVersion, "%u", (unsigned)zd.version);
    return zd_device_table.pfnGetProperties((ze_device_handle_t)device, &p->core);
}

/* ---- sensors ---- */

static ze_result_t power_properties(zes_pwr_handle_t power, zes_power_properties_t *p)
{
    const ze_result_t r = enter("zesPowerGetProperties", power, ZD_SENSOR);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->onSubdevice = p->canControl = p->isEnergyThresholdSupported = false;
    p->subdeviceId = 0;
    p->defaultLimit = p->minLimit = p->maxLimit = -1;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t power_energy(zes_pwr_handle_t power, zes_power_energy_counter_t *counter)
{
    const ze_result_t r = enter("zesPowerGetEnergyCounter", power, ZD_SENSOR);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    counter->timestamp = zd_now_ns() / 1000; /* microseconds, and microjoules */
    counter->energy = (uint64_t)((double)counter->timestamp * value_of(POWER, 15000) / 1000);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t frequency_properties(zes_freq_handle_t frequency, zes_freq_properties_t *p)
{
    const ze_result_t r = enter("zesFrequencyGetProperties", frequency, ZD_SENSOR);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->type = ZES_FREQ_DOMAIN_GPU;
    p->onSubdevice = p->canControl = p->isThrottleEventSupported = false;
    p->subdeviceId = 0;
    p->min = 300;
    p->max = 2250;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t frequency_state(zes_freq_handle_t frequency, zes_freq_state_t *s)
{
    const ze_result_t r = enter("zesFrequencyGetState", frequency, ZD_SENSOR);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    s->currentVoltage = -1;
    s->actual = value_of(FREQUENCY, 1300);
    s->request = s->tdp = 2250;
    s->efficient = 700;
    s->throttleReasons = 0;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t temperature_properties(zes_temp_handle_t handle, zes_temp_properties_t *p)
{
    const ze_result_t r = enter("zesTemperatureGetProperties", handle, ZD_SENSOR);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->type = ZES_TEMP_SENSORS_GPU;
    p->onSubdevice = p->isCriticalTempSupported = false;
    p->isThreshold1Supported = p->isThreshold2Supported = false;
    p->subdeviceId = 0;
    p->maxTemperature = 105;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t temperature_state(zes_temp_handle_t handle, double *degrees)
{
    const ze_result_t r = enter("zesTemperatureGetState", handle, ZD_SENSOR);
    if (r == ZE_RESULT_SUCCESS)
        *degrees = value_of(TEMPERATURE, 55);
    return r;
}

static ze_result_t memory_properties(zes_mem_handle_t memory, zes_mem_properties_t *p)
{
    const ze_result_t r = enter("zesMemoryGetProperties", memory, ZD_SENSOR);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->type = ZES_MEM_TYPE_DDR5;
    p->onSubdevice = false;
    p->subdeviceId = 0;
    p->location = ZES_MEM_LOC_SYSTEM;
    p->physicalSize = zd.memory_bytes;
    p->busWidth = 128;
    p->numChannels = 2;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t memory_state(zes_mem_handle_t memory, zes_mem_state_t *s)
{
    const ze_result_t r = enter("zesMemoryGetState", memory, ZD_SENSOR);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    const uint64_t left = zd.memory_bytes - device_of(memory)->used_bytes;
    pthread_mutex_unlock(&zd.lock);
    s->health = ZES_MEM_HEALTH_OK;
    s->size = zd.memory_bytes;
    s->free = (uint64_t)value_of(MEMORY, (double)left);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t engine_properties(zes_engine_handle_t engine, zes_engine_properties_t *p)
{
    const ze_result_t r = enter("zesEngineGetProperties", engine, ZD_SENSOR);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->type = ZES_ENGINE_GROUP_COMPUTE_ALL;
    p->onSubdevice = false;
    p->subdeviceId = 0;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t engine_activity(zes_engine_handle_t engine, zes_engine_stats_t *s)
{
    const ze_result_t r = enter("zesEngineGetActivity", engine, ZD_SENSOR);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    const double busy_us = (double)device_of(engine)->busy_ns / 1000;
    pthread_mutex_unlock(&zd.lock);
    s->timestamp = zd_now_ns() / 1000;
    const double percent = value_of(ENGINE, NONE);
    s->activeTime =
        (uint64_t)(percent == NONE ? busy_us : (double)s->timestamp * percent / 100);
    return ZE_RESULT_SUCCESS;
}

const zes_device_dditable_t zd_sysman_device_table = {
    .pfnGetProperties = device_properties,
    .pfnPciGetProperties = pci_properties,
    .pfnEnumEngineGroups = enum_engines,
    .pfnEnumFrequencyDomains = enum_frequency,
    .pfnEnumMemoryModules = enum_memory,
    .pfnEnumPowerDomains = enum_power,
    .pfnEnumTemperatureSensors = enum_temperature,
};

const zes_power_dditable_t zd_sysman_power_table = {
    .pfnGetProperties = power_properties,
    .pfnGetEnergyCounter = power_energy,
};

const zes_frequency_dditable_t zd_sysman_frequency_table = {
    .pfnGetProperties = frequency_properties,
    .pfnGetState = frequency_state,
};

const zes_temperature_dditable_t zd_sysman_temperature_table = {
    .pfnGetProperties = temperature_properties,
    .pfnGetState = temperature_state,
};

const zes_memory_dditable_t zd_sysman_memory_table = {
    .pfnGetProperties = memory_properties,
    .pfnGetState = memory_state,
};

const zes_engine_dditable_t zd_sysman_engine_table = {
    .pfnGetProperties = engine_properties,
    .pfnGetActivity = engine_activity,
};

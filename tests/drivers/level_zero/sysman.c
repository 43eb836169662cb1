/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"
const zes_device_dditable_t zd_sysman_device_table = { .pfnGetProperties = NULL };
const zes_power_dditable_t zd_sysman_power_table = { .pfnGetProperties = NULL };
const zes_frequency_dditable_t zd_sysman_frequency_table = { .pfnGetProperties = NULL };
const zes_temperature_dditable_t zd_sysman_temperature_table = { .pfnGetProperties = NULL };
const zes_memory_dditable_t zd_sysman_memory_table = { .pfnGetProperties = NULL };
const zes_engine_dditable_t zd_sysman_engine_table = { .pfnGetProperties = NULL };

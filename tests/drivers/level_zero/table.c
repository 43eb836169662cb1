/* SPDX-License-Identifier: Apache-2.0 */
/* The doors of the driver: the loader asks each for a table of functions. Tables of what the driver
 * does not have are zero, which the loader turns into "unsupported". */
#include <level_zero/zet_ddi.h>
#include <string.h>

#include "driver.h"

/* getter, type of the table, what it is filled with */
#define FILLED(getter, table_type, source)                                                      \
    ZE_APIEXPORT ze_result_t ZE_APICALL getter(ze_api_version_t version, table_type *table);    \
    ZE_APIEXPORT ze_result_t ZE_APICALL getter(ze_api_version_t version, table_type *table)     \
    {                                                                                           \
        if (!table)                                                                             \
            return ZE_RESULT_ERROR_INVALID_NULL_POINTER;                                        \
        if (ZE_MAJOR_VERSION(version) != ZE_MAJOR_VERSION(ZE_API_VERSION_CURRENT))              \
            return ZE_RESULT_ERROR_UNSUPPORTED_VERSION;                                         \
        *table = source;                                                                        \
        return ZE_RESULT_SUCCESS;                                                               \
    }
#define EMPTY(getter, table_type)                       \
    static const table_type none_of_##table_type;       \
    FILLED(getter, table_type, none_of_##table_type)

FILLED(zeGetGlobalProcAddrTable, ze_global_dditable_t, zd_global_table)
FILLED(zeGetDriverProcAddrTable, ze_driver_dditable_t, zd_driver_table)
FILLED(zeGetDeviceProcAddrTable, ze_device_dditable_t, zd_device_table)
FILLED(zeGetContextProcAddrTable, ze_context_dditable_t, zd_context_table)
FILLED(zeGetMemProcAddrTable, ze_mem_dditable_t, zd_mem_table)
FILLED(zeGetModuleProcAddrTable, ze_module_dditable_t, zd_module_table)
FILLED(zeGetModuleBuildLogProcAddrTable, ze_module_build_log_dditable_t, zd_build_log_table)
FILLED(zeGetKernelProcAddrTable, ze_kernel_dditable_t, zd_kernel_table)
FILLED(zeGetCommandListProcAddrTable, ze_command_list_dditable_t, zd_list_table)
FILLED(zeGetCommandQueueProcAddrTable, ze_command_queue_dditable_t, zd_queue_table)
FILLED(zeGetFenceProcAddrTable, ze_fence_dditable_t, zd_fence_table)
FILLED(zeGetEventPoolProcAddrTable, ze_event_pool_dditable_t, zd_pool_table)
FILLED(zeGetEventProcAddrTable, ze_event_dditable_t, zd_event_table)
EMPTY(zeGetDeviceExpProcAddrTable, ze_device_exp_dditable_t)
EMPTY(zeGetEventExpProcAddrTable, ze_event_exp_dditable_t)
EMPTY(zeGetFabricEdgeExpProcAddrTable, ze_fabric_edge_exp_dditable_t)
EMPTY(zeGetFabricVertexExpProcAddrTable, ze_fabric_vertex_exp_dditable_t)
EMPTY(zeGetImageExpProcAddrTable, ze_image_exp_dditable_t)
EMPTY(zeGetImageProcAddrTable, ze_image_dditable_t)
EMPTY(zeGetKernelExpProcAddrTable, ze_kernel_exp_dditable_t)
EMPTY(zeGetPhysicalMemProcAddrTable, ze_physical_mem_dditable_t)
EMPTY(zeGetSamplerProcAddrTable, ze_sampler_dditable_t)
EMPTY(zeGetVirtualMemProcAddrTable, ze_virtual_mem_dditable_t)

FILLED(zesGetDeviceProcAddrTable, zes_device_dditable_t, zd_sysman_device_table)
FILLED(zesGetPowerProcAddrTable, zes_power_dditable_t, zd_sysman_power_table)
FILLED(zesGetFrequencyProcAddrTable, zes_frequency_dditable_t, zd_sysman_frequency_table)
FILLED(zesGetTemperatureProcAddrTable, zes_temperature_dditable_t, zd_sysman_temperature_table)
FILLED(zesGetMemoryProcAddrTable, zes_memory_dditable_t, zd_sysman_memory_table)
FILLED(zesGetEngineProcAddrTable, zes_engine_dditable_t, zd_sysman_engine_table)
EMPTY(zesGetDiagnosticsProcAddrTable, zes_diagnostics_dditable_t)
EMPTY(zesGetDriverProcAddrTable, zes_driver_dditable_t)
EMPTY(zesGetFabricPortProcAddrTable, zes_fabric_port_dditable_t)
EMPTY(zesGetFanProcAddrTable, zes_fan_dditable_t)
EMPTY(zesGetFirmwareProcAddrTable, zes_firmware_dditable_t)
EMPTY(zesGetLedProcAddrTable, zes_led_dditable_t)
EMPTY(zesGetPerformanceFactorProcAddrTable, zes_performance_factor_dditable_t)
EMPTY(zesGetPsuProcAddrTable, zes_psu_dditable_t)
EMPTY(zesGetRasProcAddrTable, zes_ras_dditable_t)
EMPTY(zesGetSchedulerProcAddrTable, zes_scheduler_dditable_t)
EMPTY(zesGetStandbyProcAddrTable, zes_standby_dditable_t)

EMPTY(zetGetCommandListProcAddrTable, zet_command_list_dditable_t)
EMPTY(zetGetContextProcAddrTable, zet_context_dditable_t)
EMPTY(zetGetDebugProcAddrTable, zet_debug_dditable_t)
EMPTY(zetGetDeviceProcAddrTable, zet_device_dditable_t)
EMPTY(zetGetKernelProcAddrTable, zet_kernel_dditable_t)
EMPTY(zetGetMetricGroupExpProcAddrTable, zet_metric_group_exp_dditable_t)
EMPTY(zetGetMetricGroupProcAddrTable, zet_metric_group_dditable_t)
EMPTY(zetGetMetricProcAddrTable, zet_metric_dditable_t)
EMPTY(zetGetMetricQueryPoolProcAddrTable, zet_metric_query_pool_dditable_t)
EMPTY(zetGetMetricQueryProcAddrTable, zet_metric_query_dditable_t)
EMPTY(zetGetMetricStreamerProcAddrTable, zet_metric_streamer_dditable_t)
EMPTY(zetGetModuleProcAddrTable, zet_module_dditable_t)
EMPTY(zetGetTracerExpProcAddrTable, zet_tracer_exp_dditable_t)

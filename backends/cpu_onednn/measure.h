/* SPDX-License-Identifier: Apache-2.0 */
/* Ceilings of the machine as it is now: see het_device_measure(). */
#ifndef HET_CPU_MEASURE_H
#define HET_CPU_MEASURE_H

#include "backends/cpu_onednn/cpu.h"

het_status het__cpu_measure(het__device *device, het_device_figures *figures, het_error *err);

#endif /* HET_CPU_MEASURE_H */

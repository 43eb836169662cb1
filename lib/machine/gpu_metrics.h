/* SPDX-License-Identifier: Apache-2.0 */
/* The table that the driver of AMD's graphics processors writes to the file gpu_metrics: of a chip
 * with a processor beside the GPU it tells of that, of the NPU and of the memory, too. */
#ifndef HET_MACHINE_GPU_METRICS_H
#define HET_MACHINE_GPU_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every number is NAN where the table does not tell it. */
typedef struct het__gpu_metrics {
    uint32_t format, content; /* 3 and 0: gpu_metrics_v3_0 */
    bool is_chip;             /* of a GPU beside a processor; a graphics card otherwise */
    double gpu_celsius, cpu_celsius;
    double gpu_watts, cpu_watts, npu_watts;
    double gpu_megahertz, npu_megahertz;
    double gpu_load, npu_load;   /* 0 to 1; of the NPU the mean of its columns */
    double traffic_bytes_per_s;  /* of the machine's memory */
} het__gpu_metrics;

/* False: no such table. Of a table in a form that is not known only the form is told. */
bool het__gpu_metrics_parse(const void *data, size_t bytes, het__gpu_metrics *metrics);

#endif /* HET_MACHINE_GPU_METRICS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* The forms are those of the kernel's kgd_pp_interface.h: little-endian, naturally aligned, a
 * header of the table's size (16 bits) and its form and content (8 bits each). The driver fills
 * what a chip has not with ones.
 *
 * Of the forms 2.1 to 2.3 only temperatures and clocks are taken: their power and load are in units
 * that differ between chips, and other files of the driver tell both. */
#include "lib/machine/gpu_metrics.h"

#include <math.h>
#include <string.h>

#define CORES_2 8
#define CORES_3 16
#define NPU_COLUMNS 8

/* Bytes of a table that are needed at least, and where in it things are. */
enum {
    FORM2_BYTES = 120,
    FORM2_GPU_TEMPERATURE = 4,
    FORM2_CORE_TEMPERATURE = 8,
    FORM2_LOAD = 28,
    FORM2_CPU_POWER = 42,
    FORM2_GPU_POWER = 46,
    FORM2_GPU_CLOCK = 64,

    FORM3_BYTES = 264,
    FORM3_GPU_TEMPERATURE = 4,
    FORM3_CORE_TEMPERATURE = 8,
    FORM3_GPU_LOAD = 42,
    FORM3_NPU_LOAD = 46,
    FORM3_READS = 94,
    FORM3_WRITES = 96,
    FORM3_NPU_POWER = 116,
    FORM3_GPU_POWER = 124,
    FORM3_CORES_POWER = 132,
    FORM3_GPU_CLOCK = 174,
    FORM3_NPU_CLOCK = 180
};

typedef struct table {
    const uint8_t *data;
    size_t bytes;
} table;

static double half(const table *t, size_t at)
{
    if (at + 2 > t->bytes)
        return NAN;
    const uint32_t value = t->data[at] | (uint32_t)t->data[at + 1] << 8;
    return value == 0xffff ? NAN : (double)value;
}

static double word(const table *t, size_t at)
{
    if (at + 4 > t->bytes)
        return NAN;
    const uint32_t value = t->data[at] | (uint32_t)t->data[at + 1] << 8 |
                           (uint32_t)t->data[at + 2] << 16 | (uint32_t)t->data[at + 3] << 24;
    return value == UINT32_MAX ? NAN : (double)value;
}

/* Hottest of some hundredths of a degree. A core that sleeps, or is not there, has 0. */
static double hottest(const table *t, size_t at, size_t count)
{
    double most = NAN;
    for (size_t i = 0; i < count; i++) {
        const double value = half(t, at + 2 * i);
        if (value > 0 && !(most >= value))
            most = value;
    }
    return most / 100;
}

/* Percent; some firmware counts hundredths of it, which shows where there are more than 100. */
static double share(double value, double largest)
{
    const double whole = largest > 100 ? 10000 : 100;
    return value <= whole ? value / whole : value > whole ? 1 : NAN;
}

static double npu_load(const table *t)
{
    double sum = 0, largest = 0;
    size_t count = 0;
    for (size_t i = 0; i < NPU_COLUMNS; i++) {
        const double value = half(t, FORM3_NPU_LOAD + 2 * i);
        if (!isnan(value)) {
            sum += value;
            largest = value > largest ? value : largest;
            count++;
        }
    }
    return count ? share(sum / (double)count, largest) : NAN;
}

static void read_form2(const table *t, het__gpu_metrics *m)
{
    m->gpu_celsius = half(t, FORM2_GPU_TEMPERATURE) / 100;
    m->cpu_celsius = hottest(t, FORM2_CORE_TEMPERATURE, CORES_2);
    m->gpu_megahertz = half(t, FORM2_GPU_CLOCK);
    if (m->content < 4)
        return;
    const double load = half(t, FORM2_LOAD);
    m->gpu_load = load <= 10000 ? load / 10000 : NAN;
    m->gpu_watts = half(t, FORM2_GPU_POWER) / 1000;
    m->cpu_watts = half(t, FORM2_CPU_POWER) / 1000;
}

static void read_form3(const table *t, het__gpu_metrics *m)
{
    const double load = half(t, FORM3_GPU_LOAD);
    m->gpu_celsius = half(t, FORM3_GPU_TEMPERATURE) / 100;
    m->cpu_celsius = hottest(t, FORM3_CORE_TEMPERATURE, CORES_3);
    m->gpu_load = share(load, load);
    m->npu_load = npu_load(t);
    m->traffic_bytes_per_s = (half(t, FORM3_READS) + half(t, FORM3_WRITES)) * 1e6;
    m->npu_watts = half(t, FORM3_NPU_POWER) / 1000;
    m->gpu_watts = word(t, FORM3_GPU_POWER) / 1000;
    m->cpu_watts = word(t, FORM3_CORES_POWER) / 1000;
    m->gpu_megahertz = half(t, FORM3_GPU_CLOCK);
    m->npu_megahertz = half(t, FORM3_NPU_CLOCK);
}

bool het__gpu_metrics_parse(const void *data, size_t bytes, het__gpu_metrics *metrics)
{
    table t = { data, bytes };
    if (bytes < 4)
        return false;
    const size_t size = t.data[0] | (size_t)t.data[1] << 8;
    if (size < 4 || size > bytes || t.data[2] == 0 || t.data[2] > 15)
        return false;
    t.bytes = size;
    *metrics = (het__gpu_metrics){ t.data[2], t.data[3], t.data[2] >= 2, NAN, NAN, NAN, NAN, NAN,
                                   NAN,       NAN,       NAN,            NAN, NAN };
    if (metrics->format == 2 && metrics->content >= 1 && metrics->content <= 4 &&
        size >= FORM2_BYTES)
        read_form2(&t, metrics);
    else if (metrics->format == 3 && metrics->content == 0 && size >= FORM3_BYTES)
        read_form3(&t, metrics);
    return true;
}

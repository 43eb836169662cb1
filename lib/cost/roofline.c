/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cost/roofline.h"

/* What each tile beyond the first adds in the documents' formulas. */
#define SEED_TILE_SHARE 0.05

double het__arithmetic_peak(const het__machine_device *device, uint32_t arithmetic)
{
    double most = 0;
    if (arithmetic < HET_ARITHMETIC_FASTEST)
        return het__machine_peak(device, (het__peak)arithmetic);
    for (int type = 0; type < HET__PEAK_COUNT; type++)
        most = device->peak[type].value > most ? device->peak[type].value : most;
    return most;
}

static double ns_of(double amount, double rate)
{
    return rate > 0 ? amount / rate * 1e9 : 0;
}

double het__roofline_ns(double flops, double bytes, double peak, double bandwidth)
{
    const double compute = ns_of(flops, peak), memory = ns_of(bytes, bandwidth);
    return compute > memory ? compute : memory;
}

uint32_t het__bottleneck(double flops, double bytes, double peak, double bandwidth)
{
    if (flops <= 0 && bytes <= 0)
        return HET_BOTTLENECK_NONE;
    /* Products, so that equality at the balance is exact. */
    return flops * bandwidth >= bytes * peak ? HET_BOTTLENECK_COMPUTE : HET_BOTTLENECK_MEMORY;
}

uint32_t het__intensity_label(double flops, double bytes)
{
    if (flops <= 0 && bytes <= 0)
        return HET_LABEL_NONE;
    if (flops < HET__INTENSITY_BALANCED * bytes)
        return HET_LABEL_MEMORY_BOUND;
    return flops < HET__INTENSITY_COMPUTE * bytes ? HET_LABEL_BALANCED
                                                  : HET_LABEL_COMPUTE_INTENSIVE;
}

double het__joules(const het__machine_device *d, double flops, double bytes, double ns,
                   uint32_t *source)
{
    if (d->joules_per_op.value > 0) {
        *source = HET_SOURCE_MODELLED;
        return flops * d->joules_per_op.value + bytes * d->joules_per_byte.value;
    }
    *source = d->watts.value > 0 ? HET_SOURCE_MODELLED : HET_SOURCE_UNAVAILABLE;
    return d->watts.value * ns * 1e-9;
}

double het__price(const het__machine_device *d, double ns)
{
    return d->price_per_hour.value * ns * 1e-9 / 3600;
}

static double tile_factor(double tiles)
{
    return 1 + SEED_TILE_SHARE * (tiles > 1 ? tiles - 1 : 0);
}

double het__seed_ns(double flops, double peak, double overhead, double tiles)
{
    return ns_of(flops, peak) * overhead * tile_factor(tiles);
}

double het__seed_joules(double flops, double bytes, double joules_per_op, double joules_per_byte,
                        double tiles)
{
    return (flops * joules_per_op + bytes * joules_per_byte) * tile_factor(tiles);
}

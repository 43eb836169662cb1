/* SPDX-License-Identifier: Apache-2.0 */
/* Times, energy and labels from counts and a device's figures. */
#ifndef HET_COST_ROOFLINE_H
#define HET_COST_ROOFLINE_H

#include "lib/machine/machine.h"

#include <hetinfer/analysis.h>

/* Operations per byte from which work is balanced, and from which it is compute-intensive, whatever
 * the machine. Between the characters that published tables give to 14, 17 and 31, and around the
 * balance of laptop processors (12 to 19 in F32). */
#define HET__INTENSITY_BALANCED 15
#define HET__INTENSITY_COMPUTE 25

/* Operations/s for a type of arithmetic (het_arithmetic); that of F32 where the device has none,
 * and its fastest where it has no F32 either. */
double het__arithmetic_peak(const het__machine_device *device, uint32_t arithmetic);

/* max(flops / peak, bytes / bandwidth) in ns; what is 0 of the device costs nothing. */
double het__roofline_ns(double flops, double bytes, double peak, double bandwidth);

/* Compute from intensity = peak / bandwidth on. */
uint32_t het__bottleneck(double flops, double bytes, double peak, double bandwidth);
uint32_t het__intensity_label(double flops, double bytes);

/* Energy of work that takes ns. *source: of the figures that it comes from; UNAVAILABLE: 0. What is
 * known of an operation and a byte comes first, the device's power second. */
double het__joules(const het__machine_device *device, double flops, double bytes, double ns,
                   uint32_t *source);
/* Price of work that takes ns; 0 if the machine has none. */
double het__price(const het__machine_device *device, double ns);

/* The formulas of the documents, as model "seed_v1": work cut into tiles, each of which but the
 * first adds a twentieth. overhead: factor of the scheduler, 1 = none. */
double het__seed_ns(double flops, double peak, double overhead, double tiles);
double het__seed_joules(double flops, double bytes, double joules_per_op, double joules_per_byte,
                        double tiles);

#endif /* HET_COST_ROOFLINE_H */

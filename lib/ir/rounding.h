/* SPDX-License-Identifier: Apache-2.0 */
/* Which products take rounded activations, for the device that rounds and for what reckons with
 * its speed: both kernels exist, and the one is several times as fast as the other. */
#ifndef HET_IR_ROUNDING_H
#define HET_IR_ROUNDING_H

#include <stdint.h>

/* On cores, weights with fewer elements take F32 activations in fast precision too: what rounding
 * would save on them is lost between the barriers, and small models keep their exact results. */
#define HET__ROUNDED_ELEMENTS_MIN (INT64_C(1) << 18)

#endif /* HET_IR_ROUNDING_H */

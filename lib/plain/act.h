/* SPDX-License-Identifier: Apache-2.0 */
/* What activations are, in double precision: the formulas of the plain kernels, and of devices that
 * finish on the host what they computed elsewhere. */
#ifndef HET_PLAIN_ACT_H
#define HET_PLAIN_ACT_H

#include "lib/ir/op.h"

double het__unary_value(het__unary kind, double x); /* kinds without alpha */
double het__act_value(const het__act *act, double x);

#endif /* HET_PLAIN_ACT_H */

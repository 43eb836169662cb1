/* SPDX-License-Identifier: Apache-2.0 */
/* The sampler behind the handle. Results are the same on every machine: all arithmetic is plain
 * double in a fixed order (candidates stay in the order of their ids), with an exponential of our
 * own, because those of C libraries differ in the last bit. */
#ifndef HET_GENERATE_SAMPLER_H
#define HET_GENERATE_SAMPLER_H

#include "lib/base/mem.h"

#include <hetinfer/sampler.h>

/* Most recent tokens that penalties can look at. */
#define HET__PENALTY_WINDOW_MAX 65536

/* Read a caller's options (NULL: defaults), check them, and put the defaults in. bias still points
 * to the caller's memory. */
het_status het__sampler_check(const het_sampler_options *options, het_sampler_options *checked,
                              het_error *err);

/* checked comes from het__sampler_check(). */
het_status het__sampler_create(het__mem *mem, const het_sampler_options *checked,
                               het_sampler **sampler, het_error *err);

/* What mem belongs to: release(owner) is the last thing that het_sampler_destroy() does. */
void het__sampler_set_owner(het_sampler *sampler, void *owner, void (*release)(void *));

het_status het__sampler_sample(het_sampler *sampler, const float *logits, size_t count,
                               int32_t *id, het_error *err);
void het__sampler_accept(het_sampler *sampler, int32_t id);
void het__sampler_reset(het_sampler *sampler);
void het__sampler_destroy(het_sampler *sampler);

/* e to the power of x <= 0, within 2 units in the last place; 0 below -708. */
double het__exp_negative(double x);

#endif /* HET_GENERATE_SAMPLER_H */

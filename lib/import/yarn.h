/* SPDX-License-Identifier: Apache-2.0 */
/* Yarn, the same for every file format: divisors of the frequencies and the context that follow from
 * a few numbers. */
#ifndef HET_IMPORT_YARN_H
#define HET_IMPORT_YARN_H

#include "lib/import/lm.h"

/* Of sines and cosines, where nothing else is said; multiplier 1 as published. */
double het__yarn_magnitude(double factor, double multiplier);

/* From config->yarn and config->rope: made_factors, from the arena, and the context, which grows to
 * original times factor. Refuses what has no meaning. */
het_status het__yarn_configure(het__lm_config *config, het__arena *arena, het_error *err);

#endif /* HET_IMPORT_YARN_H */

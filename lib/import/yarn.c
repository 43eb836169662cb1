/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/yarn.h"

#include <math.h>

#include "lib/base/error.h"

#define TWO_PI 6.283185307179586476925

double het__yarn_magnitude(double factor, double multiplier)
{
    return factor > 1 ? 0.1 * multiplier * log(factor) + 1 : 1;
}

/* The pair, a fraction of one too, that turns so often in the original context. */
static double pair_of(const het__lm_config *c, double turns)
{
    return c->rope.rotated * log((double)c->yarn.original / (turns * TWO_PI)) /
           (2 * log((double)c->rope.theta));
}

het_status het__yarn_configure(het__lm_config *c, het__arena *arena, het_error *err)
{
    const het__yarn *y = &c->yarn;
    const int32_t pairs = c->rope.rotated / 2;
    if (!(y->factor > 0 && y->factor < 1e6f) || !(y->fast > 0) || !(y->slow > 0) ||
        y->original < 1 || !(c->rope.theta > 1))
        return het__fail(err, HET_E_FORMAT,
                         "yarn with factor %g from %g to %g turns of %lld positions, base %g",
                         (double)y->factor, (double)y->fast, (double)y->slow,
                         (long long)y->original, (double)c->rope.theta);
    float *factors = het__arena_zero(arena, pairs > 0 ? (size_t)pairs : 1, sizeof *factors);
    if (!factors)
        return het__fail_nomem(err, "the configuration");
    double low = pair_of(c, (double)y->fast), high = pair_of(c, (double)y->slow);
    low = fmax(y->is_exact ? low : floor(low), 0);
    high = fmin(y->is_exact ? high : ceil(high), c->rope.rotated - 1);
    if (low == high)
        high += 0.001; /* as the authors' code avoids dividing by zero */
    for (int32_t i = 0; i < pairs; i++) {
        const double slowed = fmin(fmax((i - low) / (high - low), 0), 1);
        factors[i] = (float)(1 / (slowed / (double)y->factor + 1 - slowed));
    }
    c->made_factors = factors;
    const double longest = floor((double)y->original * (double)y->factor);
    if (longest > (double)c->context && longest < (double)INT32_MAX)
        c->context = (int64_t)longest;
    return HET_OK;
}

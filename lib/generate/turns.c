/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/generate/turns.h"

#include <math.h>
#include <string.h>

#include "lib/base/error.h"

static const float *factors_of(const het__lm_source *source, const char *name, int32_t pairs)
{
    het__lm_weight w = { .rank = 1, .extent = { pairs } };
    return source->find(source->user, name, &w) && w.rank == 1 && w.extent[0] == pairs &&
                   w.dtype == HET_DTYPE_F32
               ? w.data
               : NULL;
}

static bool fill(het__turns *t, int set, const float *factors, het__mem *mem)
{
    t->frequency[set] = het__alloc_zero(mem, (size_t)t->pairs, sizeof(double));
    for (int32_t i = 0; t->frequency[set] && i < t->pairs; i++) {
        float factor = 1;
        if (factors) /* of a mapped file, which need not be aligned */
            memcpy(&factor, factors + i, sizeof factor);
        t->frequency[set][i] = t->scale * pow(t->theta, -1.0 * i / t->pairs) / (double)factor;
    }
    return t->frequency[set] != NULL;
}

het_status het__turns_init(het__turns *t, const het__lm_config *c, const het__lm_source *source,
                           het__mem *mem, het_error *err)
{
    const int32_t pairs = c->rope.rotated / 2;
    *t = (het__turns){ .kind = c->turning, .pairs = pairs, .length = c->turning_length,
                       .theta = (double)c->rope.theta, .scale = (double)c->rope.scale,
                       .stretch = (double)c->stretch,
                       .magnitude = { (double)c->rope.magnitude, (double)c->long_magnitude } };
    const float *first = factors_of(source, "rope_factors_short.weight", pairs);
    const float *second = factors_of(source, "rope_factors_long.weight", pairs);
    if (t->kind == HET__TURNING_LONG && (!first || !second))
        return het__fail(err, HET_E_FORMAT, "rope has no two lists of %d factors in F32", pairs);
    if (!fill(t, 0, first, mem) || (t->kind == HET__TURNING_LONG && !fill(t, 1, second, mem))) {
        het__turns_finish(t, mem);
        return het__fail_nomem(err, "frequencies of rotation");
    }
    return HET_OK;
}

void het__turns_finish(het__turns *t, het__mem *mem)
{
    het__free(mem, t->frequency[0]);
    het__free(mem, t->frequency[1]);
    *t = (het__turns){ 0 };
}

int het__turns_set(const het__turns *t, int64_t length)
{
    return t->kind == HET__TURNING_LONG && length > t->length;
}

/* The base of a longer context, in the exponent of pair i: (grown base / base)^(-i / pairs). */
static double grown(const het__turns *t, int64_t length)
{
    const double size = 2.0 * t->pairs;
    const double times = t->stretch * (double)length / (double)t->length - (t->stretch - 1);
    return pow(times, size / (size - 2));
}

void het__turns_row(const het__turns *t, int64_t position, int64_t length, float *row)
{
    const int set = het__turns_set(t, length);
    const bool grows = t->kind == HET__TURNING_DYNAMIC && length > t->length;
    const double step = grows ? pow(grown(t, length), -1.0 / t->pairs) : 1;
    double slowed = 1;
    for (int32_t i = 0; i < t->pairs; i++) {
        const double angle = (double)position * t->frequency[set][i] * slowed;
        row[i] = (float)(cos(angle) * t->magnitude[set]);
        row[t->pairs + i] = (float)(sin(angle) * t->magnitude[set]);
        slowed *= step;
    }
}

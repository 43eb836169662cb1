/* SPDX-License-Identifier: Apache-2.0 */
/* How positions are turned, of config.json: bases, the part of a head, kinds of scaling. What
 * does not depend on the length of a sequence becomes a factor per frequency. */
#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/import/config_parts.h"
#include "lib/import/yarn.h"

/* A reader of the object that says how positions are turned: of layers that see everything, or of
 * local ones where they have one of their own. Its object is NULL where there is none. */
static het__config_reader rope_object(het__config_reader *r, bool local)
{
    het__config_reader out = *r;
    const json_t *o = het__config_get(r, "rope_parameters");
    const json_t *full = json_object_get(o, "full_attention");
    if (json_is_object(full))
        o = local ? json_object_get(o, "sliding_attention") : full;
    else if (local)
        o = NULL;
    else if (!json_is_object(o))
        o = het__config_get(r, "rope_scaling");
    if (o && !json_is_object(o) && !json_is_null(o))
        het__config_refuse(r, HET_E_FORMAT, "rope_scaling is not an object");
    out.object = o;
    return out;
}

/* Numbers that frequencies are divided by. Without them, or as many as there should be, the model
 * can be planned, not run. */
static const float *read_factors(het__config_reader *s, const char *key, het__arena *arena,
                                 const het__config *config)
{
    const json_t *list = het__config_get(s, key);
    const size_t pairs = (size_t)config->lm.rope.rotated / 2;
    if (json_array_size(list) != pairs)
        return NULL;
    float *factors = het__arena_zero(arena, pairs, sizeof *factors);
    for (size_t i = 0; factors && i < pairs; i++) {
        double v = 0;
        if (!het__config_number(json_array_get(list, i), &v) || !(v > 1e-6 && v < 1e6)) {
            het__config_refuse(s, HET_E_FORMAT, "%s is not a list of factors", key);
            return NULL;
        }
        factors[i] = (float)v;
    }
    if (!factors && s->status == HET_OK)
        s->status = het__fail_nomem(s->err, "the configuration");
    return factors;
}

/* Llama 3: long waves are slowed down by the whole factor, short ones not at all, those between
 * by a part of it. */
static void llama3_factors(het__config_reader *s, het__arena *arena, het__config *config)
{
    const het__rope_attrs *rope = &config->lm.rope;
    const double factor = het__config_real(s, "factor", 8);
    const double low = het__config_real(s, "low_freq_factor", 1);
    const double high = het__config_real(s, "high_freq_factor", 4);
    const double original = het__config_real(s, "original_max_position_embeddings", 8192);
    if (s->status != HET_OK)
        return;
    if (!(factor > 0) || !(high > low) || !(low > 0) || !(original > 0)) {
        het__config_refuse(s, HET_E_FORMAT, "the factors of rope are not positive and ascending");
        return;
    }
    float *factors = het__arena_zero(arena, (size_t)rope->rotated / 2, sizeof *factors);
    for (int32_t i = 0; factors && i < rope->rotated / 2; i++) {
        const double frequency = pow((double)rope->theta, -2.0 * i / rope->rotated);
        const double turns = original * frequency / 6.283185307179586476925;
        const double part = (turns - low) / (high - low);
        factors[i] = (float)(turns < low ? factor
                             : turns > high ? 1.0 : 1 / ((1 - part) / factor + part));
    }
    if (!factors)
        s->status = het__fail_nomem(s->err, "the configuration");
    config->rope_factors = factors;
}

/* Sequences beyond the original context turn by the long factors, all their positions, and shorter
 * ones by the short factors. */
static void read_longrope(het__config_reader *r, het__config_reader *s, het__arena *arena,
                          het__config *config)
{
    het__lm_config *c = &config->lm;
    int64_t original = het__config_int(r, "original_max_position_embeddings", 0, 0, INT32_MAX);
    if (original == 0)
        original = het__config_int(s, "original_max_position_embeddings", c->context, 1,
                                   INT32_MAX);
    const double ratio = het__config_real(s, "factor", (double)c->context / (double)original);
    double factor = ratio > 1 && original > 1 ? sqrt(1 + log(ratio) / log((double)original)) : 1;
    factor = het__config_real(s, "attention_factor", factor);
    c->rope.magnitude = (float)het__config_real(s, "short_mscale", factor);
    c->rope_factors = true;
    config->rope_factors = read_factors(s, "short_factor", arena, config);
    if (original >= c->context)
        return;
    c->turning = HET__TURNING_LONG;
    c->turning_length = original;
    c->long_magnitude = (float)het__config_real(s, "long_mscale", factor);
    config->long_factors = read_factors(s, "long_factor", arena, config);
}

/* The magnitude follows from the factor unless it is given, as itself or as two multipliers of the
 * factor's logarithm. */
static double yarn_magnitude(het__config_reader *s, double factor)
{
    const double upper = het__config_real(s, "mscale", 0);
    const double lower = het__config_real(s, "mscale_all_dim", 0);
    double magnitude = het__yarn_magnitude(factor, 1);
    if (upper != 0 && lower != 0)
        magnitude = het__yarn_magnitude(factor, upper) / het__yarn_magnitude(factor, lower);
    return het__config_real(s, "attention_factor", magnitude);
}

static void read_yarn(het__config_reader *s, het__arena *arena, het__lm_config *c)
{
    const int64_t original =
        het__config_int(s, "original_max_position_embeddings", c->context, 1, INT32_MAX);
    const double ratio = (double)c->context / (double)original;
    const double fast = het__config_real(s, "beta_fast", 0);
    const double slow = het__config_real(s, "beta_slow", 0);
    const bool truncates = het__config_bool(s, "truncate", true);
    c->yarn = (het__yarn){ .factor = (float)het__config_real(s, "factor", ratio),
                           .original = original, .fast = (float)(fast != 0 ? fast : 32),
                           .slow = (float)(slow != 0 ? slow : 1), .is_exact = !truncates };
    c->rope.magnitude = (float)yarn_magnitude(s, (double)c->yarn.factor);
    if (s->status == HET_OK)
        s->status = het__yarn_configure(c, arena, s->err);
}

/* Beyond the context that the model was made for the base grows with the length of what is read. */
static void read_dynamic(het__config_reader *s, het__lm_config *c)
{
    const double factor = het__config_real(s, "factor", 1);
    if (s->status != HET_OK)
        return;
    if (!(factor >= 1 && factor <= 1e6) || c->rope.rotated < 4) {
        het__config_refuse(s, HET_E_FORMAT, "rope is stretched by a factor of %g", factor);
        return;
    }
    c->turning = HET__TURNING_DYNAMIC;
    c->turning_length = c->context;
    c->stretch = (float)factor;
    const double longest = floor((double)c->context * factor);
    c->context = longest < (double)INT32_MAX ? (int64_t)longest : INT32_MAX;
}

static void read_linear(het__config_reader *s, het__lm_config *c)
{
    const double factor = het__config_real(s, "factor", 1);
    c->rope.scale = factor > 0 ? (float)(1.0 / factor) : 1.0f;
}

static void read_scaling(het__config_reader *r, het__arena *arena, het__config *config)
{
    char type[32];
    het__lm_config *c = &config->lm;
    het__config_reader s = rope_object(r, false);
    if (!s.object)
        return;
    het__config_text(&s, "rope_type", type, sizeof type);
    if (!type[0])
        het__config_text(&s, "type", type, sizeof type);
    if (strcmp(type, "linear") == 0) {
        read_linear(&s, c);
    } else if (strcmp(type, "llama3") == 0) {
        c->rope_factors = true;
        llama3_factors(&s, arena, config);
    } else if (strcmp(type, "longrope") == 0 || strcmp(type, "su") == 0) {
        read_longrope(r, &s, arena, config);
    } else if (strcmp(type, "yarn") == 0) {
        read_yarn(&s, arena, c);
    } else if (strcmp(type, "dynamic") == 0) {
        read_dynamic(&s, c);
    } else if (type[0] && strcmp(type, "default") != 0) {
        het__config_refuse(&s, HET_E_UNSUPPORTED, "rope of type \"%s\" is not supported", type);
    }
    if (r->status == HET_OK)
        r->status = s.status;
}

void het__config_rope(het__config_reader *r, het__arena *arena, het__config *config)
{
    het__lm_config *c = &config->lm;
    het__config_reader global = rope_object(r, false), local = rope_object(r, true);
    const double theta = het__config_real(r, "rope_theta", 10000);
    c->rope.theta = (float)theta;
    if (global.object && het__config_has(&global, "rope_theta"))
        c->rope.theta = (float)het__config_real(&global, "rope_theta", 0);
    c->local_theta = (float)het__config_real(r, "rope_local_base_freq", 0);
    if (local.object && het__config_has(&local, "rope_theta"))
        c->local_theta = (float)het__config_real(&local, "rope_theta", 0);
    double part = het__config_real(r, "partial_rotary_factor", 1);
    if (global.object && het__config_has(&global, "partial_rotary_factor"))
        part = het__config_real(&global, "partial_rotary_factor", 1);
    if (r->status == HET_OK)
        r->status = global.status != HET_OK ? global.status : local.status;
    c->rope.head_size = c->head_size;
    c->rope.rotated = (int32_t)(part > 0 && part < 1 ? part * c->head_size : c->head_size);
    c->rope.scale = c->rope.magnitude = 1.0f;
    if (c->rope.rotated % 2 != 0 || !(c->rope.theta > 0) || c->local_theta < 0)
        het__config_refuse(r, HET_E_FORMAT, "rope turns %d of %d elements with base %g",
                           c->rope.rotated, c->head_size, (double)c->rope.theta);
    if (r->status == HET_OK)
        read_scaling(r, arena, config);
}

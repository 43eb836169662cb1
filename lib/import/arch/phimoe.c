/* SPDX-License-Identifier: Apache-2.0 */
/* Phi-3.5-MoE and its smaller relatives: layer norms with bias, biases on all of attention and the
 * head, a mixture of experts routed by SparseMixer, whose two shares do not add up to one. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_phimoe;

#define JITTER 0.01f

/* Converters write the general factor of longrope, sqrt(1 + ln 32 / ln 4096), where the authors'
 * configuration of Phi-3.5-MoE says what sine and cosine are multiplied by. */
#define CONVERTED_MAGNITUDE 1.190238f
#define STATED_MAGNITUDE 1.243163121016122f

static float stated(float magnitude)
{
    const float off = magnitude - CONVERTED_MAGNITUDE;
    return off > -1e-5f && off < 1e-5f ? STATED_MAGNITUDE : magnitude;
}

static void configure(het__lm_config *config)
{
    config->rope.interleaved = false;
    config->norm = HET__NORM_LAYER;
    config->router = HET__ROUTER_SPARSE_MIXER;
    config->experts_norm = false;
    if (!(config->router_jitter > 0))
        config->router_jitter = JITTER;
    config->rope.magnitude = stated(config->rope.magnitude);
    config->long_magnitude = stated(config->long_magnitude);
}

const het__lm_family het__family_phimoe = { "phimoe", configure, het__lm_standard_block, NULL,
                                            NULL };

/* SPDX-License-Identifier: Apache-2.0 */
/* Gemma 3 (text): as Gemma 2 with norms over the heads of q and k instead of caps; five layers with
 * a window and a rope base of their own, then one that sees everything. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_gemma3;

#define PATTERN 6
#define LOCAL_THETA 10000.0f
/* As in gemma2.c; here the 27B model has so many layers. */
#define LAYERS_27B 62

static void configure(het__lm_config *config)
{
    config->act = HET__UNARY_GELU_TANH;
    config->scaled_embedding = true;
    config->head_norms = true;
    for (int64_t i = 0; !config->pattern_given && i < config->layers; i++)
        config->layer[i].is_local = (i + 1) % PATTERN != 0;
    if (!(config->local_theta > 0))
        config->local_theta = LOCAL_THETA;
    if (!(config->attention_scale > 0) && config->layers == LAYERS_27B)
        config->attention_scale =
            (float)(1.0 / __builtin_sqrt((double)config->width / config->heads));
}

const het__lm_family het__family_gemma3 = { "gemma3", configure, het__lm_sandwich_block, NULL,
                                            NULL };

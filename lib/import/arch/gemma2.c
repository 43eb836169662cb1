/* SPDX-License-Identifier: Apache-2.0 */
/* Gemma 2: four norms per block, scores and logits capped, a sliding window on even layers. Norm
 * weights are those that GGUF stores, one more than the checkpoint's. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_gemma2;

/* The 27B model, told by its layers, is the one whose scores are scaled by the width per head
 * instead of the size of a head; GGUF has no key for that. */
#define LAYERS_27B 46

static void configure(het__lm_config *config)
{
    config->act = HET__UNARY_GELU_TANH;
    config->scaled_embedding = true;
    for (int64_t i = 0; !config->pattern_given && i < config->layers; i++)
        config->layer[i].is_local = i % 2 == 0;
    if (!(config->attention_scale > 0) && config->layers == LAYERS_27B)
        config->attention_scale =
            (float)(1.0 / __builtin_sqrt((double)config->width / config->heads));
}

const het__lm_family het__family_gemma2 = { "gemma2", configure, het__lm_sandwich_block, NULL,
                                            NULL };

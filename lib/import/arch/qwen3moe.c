/* SPDX-License-Identifier: Apache-2.0 */
/* Qwen3 with experts: attention as in Qwen3; the largest softmax shares, made to add up to one
 * unless the configuration says otherwise. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_qwen3moe;

static void configure(het__lm_config *config)
{
    config->rope.interleaved = false;
    config->head_norms = true;
    if (!config->experts_norm_given)
        config->experts_norm = true;
}

const het__lm_family het__family_qwen3moe = { "qwen3moe", configure, het__lm_standard_block, NULL,
                                              NULL };

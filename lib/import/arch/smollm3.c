/* SPDX-License-Identifier: Apache-2.0 */
/* SmolLM3: Llama of which every fourth layer does not rotate, unless the configuration says which.
 * GGUF has no key for it, and permutes rows of q and k as it does for Llama. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_smollm3;

#define INTERVAL 4

static void configure(het__lm_config *config)
{
    config->rope.interleaved = true;
    for (int64_t i = 0; !config->no_rope_given && i < config->layers; i++)
        config->layer[i].no_rope = (i + 1) % INTERVAL == 0;
}

const het__lm_family het__family_smollm3 = { "smollm3", configure, het__lm_standard_block, NULL,
                                             NULL };

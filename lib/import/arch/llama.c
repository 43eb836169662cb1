/* SPDX-License-Identifier: Apache-2.0 */
/* Llama and its relatives (Mistral, TinyLlama, …), with experts Mixtral: rotation in interleaved
 * pairs, because GGUF stores the rows of q and k in that order. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_llama;

static void configure(het__lm_config *config)
{
    config->rope.interleaved = true;
    if (!config->experts_norm_given)
        config->experts_norm = true;
}

const het__lm_family het__family_llama = { "llama", configure, het__lm_standard_block, NULL, NULL };

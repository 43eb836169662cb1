/* SPDX-License-Identifier: Apache-2.0 */
/* Qwen3 (dense): an RMS norm over each head of q and k before the rotation, no biases. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_qwen3;

static void configure(het__lm_config *config)
{
    config->rope.interleaved = false;
    config->head_norms = true;
}

const het__lm_family het__family_qwen3 = { "qwen3", configure, het__lm_standard_block, NULL, NULL };

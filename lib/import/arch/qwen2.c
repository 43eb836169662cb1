/* SPDX-License-Identifier: Apache-2.0 */
/* Qwen2 and Qwen2.5: biases on q, k and v (found by name), rotation in halves. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_qwen2;

static void configure(het__lm_config *config)
{
    config->rope.interleaved = false;
}

const het__lm_family het__family_qwen2 = { "qwen2", configure, het__lm_standard_block, NULL, NULL };

/* SPDX-License-Identifier: Apache-2.0 */
/* Phi-3: q, k, v in one weight, gate and up in another; rotation in halves. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_phi3;

static void configure(het__lm_config *config)
{
    config->rope.interleaved = false;
    config->fused_qkv = true;
}

const het__lm_family het__family_phi3 = { "phi3", configure, het__lm_standard_block, NULL, NULL };

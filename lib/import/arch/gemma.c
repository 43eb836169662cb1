/* SPDX-License-Identifier: Apache-2.0 */
/* Gemma (the first): RMS norms and a table whose rows are scaled; GELU in its tanh form. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_gemma;

static void configure(het__lm_config *config)
{
    config->act = HET__UNARY_GELU_TANH;
    config->scaled_embedding = true;
}

const het__lm_family het__family_gemma = { "gemma", configure, het__lm_standard_block, NULL, NULL };

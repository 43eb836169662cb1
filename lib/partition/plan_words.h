/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer and the reader of plan texts agree on. */
#ifndef HET_PARTITION_PLAN_WORDS_H
#define HET_PARTITION_PLAN_WORDS_H

#include "lib/base/text.h"

#define HET__PLAN_VERSION 2

/* "…" with \" \\ and \xNN for what is no printable character. */
void het__plan_quote(het__text *text, const char *name);
/* "latency"; NULL for what is no objective. */
const char *het__plan_objective_name(uint32_t objective);

#endif /* HET_PARTITION_PLAN_WORDS_H */

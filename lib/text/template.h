/* SPDX-License-Identifier: Apache-2.0 */
/* Chat templates: a text in the language that models ship them in, read once, run many times. */
#ifndef HET_TEXT_TEMPLATE_H
#define HET_TEXT_TEMPLATE_H

#include <hetinfer/template.h>

#include "lib/text/template_value.h"

/* Immutable after create. */
typedef struct het__template {
    het__arena arena;
    const struct het__tn *tree;
} het__template;

extern const het__template_limits het__template_limits_default;

/* Copies the text. On failure there is nothing to finish. */
het_status het__template_init(het__template *t, het__mem *mem, het__ts text,
                              const het__template_limits *limits, het_error *err);
void het__template_finish(het__template *t);

/* Whole output in *text for het__free(); not NUL-terminated. */
het_status het__template_apply(const het__template *t, het__mem *mem,
                               const het_chat_message *messages, size_t count,
                               const het_template_options *options,
                               const het__template_limits *limits, char **text, size_t *bytes,
                               het_error *err);

#endif /* HET_TEXT_TEMPLATE_H */

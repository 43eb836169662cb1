/* SPDX-License-Identifier: Apache-2.0 */
/* Pre-tokenizer rules of byte-level BPE vocabularies: how a text is cut into words that are
 * encoded one by one. A rule is a cascade of regular expressions. Each cuts every piece that the
 * one before left into its matches and what lies between them, and sees one piece at a time: its
 * look-ahead does not reach into the next. */
#ifndef HET_TEXT_RULES_H
#define HET_TEXT_RULES_H

#include "lib/base/mem.h"

/* Most expressions of a rule. */
#define HET__RULE_STEPS 6

typedef struct het__rule {
    const char *const *names; /* as in tokenizer.ggml.pre, ended by NULL; the first is "the" name */
    const char *steps[HET__RULE_STEPS];
    bool whole_words; /* a word that is a token is never merged from parts */
    bool adds_bos;    /* readers begin a text with the begin-of-sequence token */
} het__rule;

/* A rule that a model's own file spells out; not trusted. */
typedef struct het__own_rule {
    het__rule rule;
    uint32_t drops_gaps; /* bit per step: what lies between its matches is left out */
} het__own_rule;

/* NULL or "" is "default"; NULL if there is no such rule. */
const het__rule *het__rule_find(const char *name);

/* A rule, compiled. Immutable after creation. */
typedef struct het__splitter het__splitter;

het_status het__splitter_create(het__mem *mem, const het__rule *rule, het__splitter **splitter,
                                het_error *err);
/* HET_E_UNSUPPORTED if an expression is not one that can be matched here. */
het_status het__splitter_create_own(het__mem *mem, const het__own_rule *rule,
                                    het__splitter **splitter, het_error *err);
void het__splitter_destroy(het__splitter *splitter);

/* Takes one word, at begin in the text; false stops. */
typedef bool (*het__word_fn)(void *user, size_t begin, size_t bytes);

/* Cut text, which must be UTF-8, into words, from left to right. HET_E_NOMEM if memory runs out or
 * a word is not taken; HET_E_UNSUPPORTED if a rule of one's own takes too long. */
het_status het__splitter_run(const het__splitter *splitter, const char *text, size_t bytes,
                             het__word_fn word, void *user, het_error *err);

#endif /* HET_TEXT_RULES_H */

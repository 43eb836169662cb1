/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of a Hugging Face config.json: what a language model computes, without its weights.
 *
 * The text is untrusted: size, depth and every number are bounded, and what the graph of the family
 * would not compute is refused by the name of its key. Keys that are missing have the values that
 * the authors' class gives them. */
#ifndef HET_IMPORT_CONFIG_H
#define HET_IMPORT_CONFIG_H

#include "lib/import/lm.h"

/* Larger files are no configurations. */
#define HET__CONFIG_BYTES_MAX ((size_t)1 << 20)
#define HET__CONFIG_DEPTH_MAX 32

/* One key as text; of an object in the file "object.key". */
typedef struct het__config_entry {
    const char *key, *type, *value;
} het__config_entry;

typedef struct het__config {
    het__lm_config lm;
    const het__lm_family *family; /* NULL: not read, or not known */
    het_dtype dtype;              /* of the weights, by the file; BF16 if it does not say */
    const char *name;             /* "_name_or_path", or "" */
    const float *rope_factors;    /* [lm.rope.rotated / 2] that frequencies are divided by; NULL:
                                   * none, or the file does not list them */
    const float *long_factors;    /* likewise of sequences beyond lm.turning_length */
    size_t entry_count;
    const het__config_entry *entries;
} het__config;

/* Whether the bytes can be such a file: the first that is no white space opens an object. */
bool het__config_sniff(const void *data, size_t bytes);

/* Read it. What a failure leaves: entries and lm.architecture, as far as they were read. All memory
 * but the parser's own comes from the arena. */
het_status het__config_read(const void *data, size_t bytes, het__arena *arena,
                            het__config *config, het_error *err);

#endif /* HET_IMPORT_CONFIG_H */

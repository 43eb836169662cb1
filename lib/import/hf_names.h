/* SPDX-License-Identifier: Apache-2.0 */
/* How checkpoints of the authors' classes name their weights, as tables: from these names to those
 * of lib/import/lm.h, which are GGUF's. */
#ifndef HET_IMPORT_HF_NAMES_H
#define HET_IMPORT_HF_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest name that het__hf_name_of() makes, with its NUL. */
#define HET__HF_NAME_BYTES 96

typedef enum het__hf_use {
    HET__HF_UNKNOWN, /* no name of such a model */
    HET__HF_OTHER,   /* of a part that is not the language model, or made anew: left alone */
    HET__HF_WHOLE,   /* the weight as it is */
    HET__HF_PART,    /* number `part` of a stack of matrices */
    HET__HF_HALVES,  /* rank 3: gate and up of every expert, one above the other */
} het__hf_use;

typedef struct het__hf_name {
    het__hf_use use;
    char name[HET__HF_NAME_BYTES]; /* of HALVES: the gate's */
    uint32_t part;
} het__hf_name;

/* Of a family, by its architecture. */
typedef struct het__hf_family {
    const char *architecture;
    bool four_norms; /* a norm behind attention and feed-forward each */
    bool adds_one;   /* to the weights of norms */
} het__hf_family;

/* NULL: such checkpoints are not read. */
const het__hf_family *het__hf_family_of(const char *architecture);

void het__hf_name_of(const het__hf_family *family, const char *name, het__hf_name *out);

#endif /* HET_IMPORT_HF_NAMES_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A language model as a GGUF file describes it: configuration, weights by name, vocabulary. */
#ifndef HET_IMPORT_GGUF_MODEL_H
#define HET_IMPORT_GGUF_MODEL_H

#include "lib/import/gguf.h"
#include "lib/import/lm.h"

/* Read and check the configuration; family receives the family of the architecture. */
het_status het__gguf_config(const het__gguf *gguf, het__lm_config *config,
                            const het__lm_family **family, het_error *err);

/* A tensor as a weight, under the tensor's own name. */
void het__gguf_weight(const het__gguf_tensor *tensor, het__lm_weight *weight);
/* Weights of the file; the source borrows gguf. */
het__lm_source het__gguf_source(const het__gguf *gguf);

/* HET_OK and *tokenizer = NULL if the file has no vocabulary. */
het_status het__gguf_tokenizer(const het__gguf *gguf, het__mem *mem, het_tokenizer **tokenizer,
                               het_error *err);

#endif /* HET_IMPORT_GGUF_MODEL_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A language model as a Hugging Face folder describes it: config.json, and weights in safetensors
 * files under the names of the authors' classes.
 *
 * The graph is the one that is built from GGUF: weights are handed to it under GGUF's names. They
 * stay where they are mapped, but for these, which are made anew in memory:
 *
 *   - vectors become F32, as converters keep them; Gemma's norms get one added;
 *   - matrices that the files hold one by one (experts, streams) become the stack that the graph's
 *     operation takes: one copy, whose source pages may leave memory at once. A table of pointers
 *     would save it, but every device wants one block, and the compilers of kernels one stride;
 *   - what an unpadded header leaves unaligned.
 *
 * Rows of q and k stand in the order of the authors' rotation, which turns halves. */
#ifndef HET_IMPORT_HF_MODEL_H
#define HET_IMPORT_HF_MODEL_H

#include "lib/import/config.h"
#include "lib/import/gguf.h"
#include "lib/import/hf_files.h"

typedef struct het__hf {
    het__arena *arena;
    het__config config;
    het__hf_shards shards;
    const char **names;   /* per tensor of the shards: what the graph calls it, or a stack that
                           * it is part of; NULL: the graph does not use it */
    const char **sources; /* per weight: the tensor of the files that it is made of, the first of
                           * them for a stack; "config.json" for factors of rope */
} het__hf;

/* config.json, and entries of generation_config.json and tokenizer_config.json behind its own
 * ("generation_config.key"; the template of a chat as "tokenizer.chat_template"). What a failure
 * leaves: as of het__config_read(). */
het_status het__hf_read_config(het__hf *hf, const het__hf_place *place, het__arena *arena,
                               het_error *err);
/* Weights of the shards, which are open, under the graph's names: fills tensors and their order in
 * gguf. loads: with their data, else data is NULL. Fails if a tensor is not known, a part of a
 * stack is missing, or a type is none of F32, F16 and BF16. */
het_status het__hf_list_weights(het__hf *hf, bool loads, het__gguf *gguf, het_error *err);
/* Borrows both. Messages name the tensors of the files. */
typedef struct het__hf_weights {
    const het__hf *hf;
    const het__gguf *gguf;
} het__hf_weights;
het__lm_source het__hf_source(const het__hf_weights *weights);
void het__hf_close(het__hf *hf);

#endif /* HET_IMPORT_HF_MODEL_H */

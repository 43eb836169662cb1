/* SPDX-License-Identifier: Apache-2.0 */
/* A Hugging Face folder as a GGUF file would have it: the same tensors with rows of q and k in the
 * order of GGUF's rotation, and as metadata what the reader of GGUF makes the same configuration
 * and the same vocabulary of. What GGUF cannot say is refused. */
#ifndef HET_IMPORT_HF_GGUF_H
#define HET_IMPORT_HF_GGUF_H

#include "lib/import/hf_model.h"

/* weights: of the folder, with their data. place: where its tokenizer lies; a folder without one
 * gives a file without a vocabulary. All memory comes from the arena; out borrows weights. */
het_status het__hf_to_gguf(const het__hf *hf, const het__gguf *weights,
                           const het__hf_place *place, het__arena *arena, het__gguf *out,
                           het_error *err);

#endif /* HET_IMPORT_HF_GGUF_H */

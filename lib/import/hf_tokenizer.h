/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer of a Hugging Face folder: tokenizer.json, or else SentencePiece's tokenizer.model;
 * which tokens begin and end a text, by tokenizer_config.json, generation_config.json and
 * config.json.
 *
 * A tokenizer.json is a pipeline of named steps. What is read is the two forms that language models
 * have: bytes spelled as characters (byte-level BPE), and SentencePiece's blanks with byte tokens
 * (merged by rank, or as unigrams);
 * any step that is neither is refused by its name. */
#ifndef HET_IMPORT_HF_TOKENIZER_H
#define HET_IMPORT_HF_TOKENIZER_H

#include "lib/import/hf_files.h"
#include "lib/text/tokenizer.h"

/* HET_OK and *tokenizer = NULL if the folder has neither file. rows: of the model's table, 0 if not
 * known; added tokens that have none (of pictures, for a model without eyes) are left out. */
het_status het__hf_tokenizer(const het__hf_place *place, int64_t rows, het__mem *mem,
                             het_tokenizer **tokenizer, het_error *err);

/* The folder's vocabulary as it would be given to het__tokenizer_create(), lent for a call of take;
 * tokenizer.model goes before tokenizer.json here. An own rule that GGUF has a name for has it as
 * rule, another one has NULL. Without a tokenizer take is not called. */
het_status het__hf_lend_vocabulary(const het__hf_place *place, int64_t rows, het__mem *mem,
                              het_status (*take)(void *user, const het__vocabulary *vocabulary),
                              void *user, het_error *err);

/* The files by themselves. */
het_status het__hf_tokenizer_json(const void *data, size_t bytes, het__mem *mem,
                                  het_tokenizer **tokenizer, het_error *err);
het_status het__hf_tokenizer_spm(const void *data, size_t bytes, het__mem *mem,
                                 het_tokenizer **tokenizer, het_error *err);

/* ---- what its files share ---- */

/* A vocabulary being read, in memory of the arena and of the parsed file. */
typedef struct het__hf_vocabulary {
    het__arena arena;
    json_t *root; /* tokenizer.json: owns the texts of tokens; or NULL */
    het__vocabulary v;
    het__own_rule rule;
    bool byte_fallback;
    bool is_unigram;
    const char *known_rule; /* GGUF's name of the expressions, or NULL */
    int64_t rows; /* 0: as many as there are tokens */
    het_error *err;
} het__hf_vocabulary;

/* hf_pipeline.c: normalizer, pre-tokenizer, decoder and post-processor, once tokens are known. */
het_status het__hf_read_pipeline(het__hf_vocabulary *h);
/* hf_spm.c */
het_status het__hf_read_spm(het__hf_vocabulary *h, const void *data, size_t bytes);
/* hf_pattern.c: an expression as tokenizer.json has it (Oniguruma's syntax), as PCRE2 reads it, in
 * the arena. HET_E_UNSUPPORTED if it has parts that mean something else there. */
het_status het__hf_pattern(het__arena *arena, const char *pattern, const char **out,
                           het_error *err);
/* Id of a token by its text, -1 if there is none. */
int32_t het__hf_token_id(const het__vocabulary *v, const char *text);

#endif /* HET_IMPORT_HF_TOKENIZER_H */

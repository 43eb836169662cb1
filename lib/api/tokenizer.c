/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions of tokenizers: arguments are checked here, work is done in lib/text. */
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/text/internal.h"

het_status het_tokenizer_get_info(const het_tokenizer *tokenizer, het_tokenizer_info *info)
{
    HET_REQUIRE(tokenizer != NULL, NULL);
    HET_REQUIRE(info != NULL, NULL);
    het_tokenizer_info out = {
        .token_count = (int32_t)tokenizer->token_count,
        .bos_id = tokenizer->bos_id,
        .eos_id = tokenizer->eos_id,
        .unknown_id = tokenizer->unknown_id,
        .padding_id = tokenizer->padding_id,
        .adds_bos = tokenizer->adds_bos,
    };
    const char *const rule = tokenizer->rule ? tokenizer->rule->names[0] : "";
    memcpy(out.kind, tokenizer->is_spm ? "spm" : "bpe", 4);
    for (size_t i = 0; rule[i] && i + 1 < sizeof out.rule; i++)
        out.rule[i] = rule[i];
    return het__result_write(info, &out, sizeof out);
}

het_status het_tokenizer_encode(const het_tokenizer *tokenizer, const char *text,
                                size_t text_bytes, uint64_t flags, int32_t *ids, size_t capacity,
                                size_t *count, het_error *err)
{
    HET_REQUIRE(tokenizer != NULL, err);
    HET_REQUIRE(text != NULL || text_bytes == 0, err);
    HET_REQUIRE((flags & ~(HET_ENCODE_ADD_SPECIAL | HET_ENCODE_PARSE_SPECIAL)) == 0, err);
    HET_REQUIRE(ids != NULL || capacity == 0, err);
    HET_REQUIRE(count != NULL, err);
    return het__tokenizer_encode(tokenizer, text, text_bytes, flags, ids, capacity, count, err);
}

het_status het_tokenizer_decode(const het_tokenizer *tokenizer, const int32_t *ids,
                                size_t id_count, uint64_t flags, char *text, size_t capacity,
                                size_t *bytes, het_error *err)
{
    HET_REQUIRE(tokenizer != NULL, err);
    HET_REQUIRE(ids != NULL || id_count == 0, err);
    HET_REQUIRE((flags & ~HET_DECODE_SPECIAL) == 0, err);
    HET_REQUIRE(text != NULL || capacity == 0, err);
    HET_REQUIRE(bytes != NULL, err);
    return het__tokenizer_decode(tokenizer, ids, id_count, flags, text, capacity, bytes, err);
}

het_status het_tokenizer_token(const het_tokenizer *tokenizer, int32_t id, const char **piece,
                               size_t *piece_bytes, uint32_t *token_flags)
{
    HET_REQUIRE(tokenizer != NULL, NULL);
    HET_REQUIRE(id >= 0 && (uint32_t)id < tokenizer->token_count, NULL);
    const het__token *k = &tokenizer->tokens[id];
    if (piece)
        *piece = k->piece;
    if (piece_bytes)
        *piece_bytes = k->piece_bytes;
    if (token_flags)
        *token_flags = k->flags;
    return HET_OK;
}

het_status het_detokenizer_create(const het_tokenizer *tokenizer, uint64_t flags,
                                  het_detokenizer **detokenizer, het_error *err)
{
    HET_REQUIRE(detokenizer != NULL, err);
    *detokenizer = NULL;
    HET_REQUIRE(tokenizer != NULL, err);
    HET_REQUIRE((flags & ~HET_DECODE_SPECIAL) == 0, err);
    return het__detokenizer_create(tokenizer, flags, detokenizer, err);
}

het_status het_detokenizer_push(het_detokenizer *detokenizer, int32_t id, const char **text,
                                size_t *bytes)
{
    HET_REQUIRE(detokenizer != NULL, NULL);
    HET_REQUIRE(text != NULL, NULL);
    return het__detokenizer_push(detokenizer, id, text, bytes);
}

void het_detokenizer_destroy(het_detokenizer *detokenizer)
{
    het__detokenizer_destroy(detokenizer);
}

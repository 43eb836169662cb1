/* SPDX-License-Identifier: Apache-2.0 */
/* het_generate(): the loop of prompt, step, sample, decode. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/base/os.h"
#include "lib/generate/stop.h"

typedef struct loop {
    het_session *session;
    het_generate_options options;
    het_sequence *sequence;
    het_sampler *sampler;
    het_detokenizer *detokenizer;
    het__stop stop;
    int32_t *ids; /* of the prompt */
    size_t id_count;
    het_generate_result result;
    bool refused; /* the callback asked for the end */
} loop;

#define FLAGS_KNOWN \
    (HET_GENERATE_NO_BOS | HET_GENERATE_IGNORE_END | HET_GENERATE_PARSE_SPECIAL)

static het_status read_options(loop *l, const het_generate_options *options, het_error *err)
{
    het_generate_options *o = &l->options;
    const het_status s = het__options_read(o, sizeof *o, options, "het_generate_options", err);
    if (s != HET_OK)
        return s;
    if (o->flags & ~FLAGS_KNOWN)
        return het__fail(err, HET_E_VERSION, "het_generate_options.flags has an unknown flag");
    if (o->max_tokens == 0)
        o->max_tokens = 512;
    return het__stop_init(&l->stop, o->stop, o->stop_count, err);
}

static het_status encode_prompt(loop *l, const char *text, size_t bytes, het_error *err)
{
    const het_tokenizer *t = l->session->model->tokenizer;
    het__mem *mem = &l->session->model->context->mem;
    const int64_t context = l->session->engine.limits.context_max;
    uint64_t flags = l->options.flags & HET_GENERATE_NO_BOS ? 0 : HET_ENCODE_ADD_SPECIAL;
    if (l->options.flags & HET_GENERATE_PARSE_SPECIAL)
        flags |= HET_ENCODE_PARSE_SPECIAL;
    if (!t)
        return het__fail(err, HET_E_UNSUPPORTED, "the model has no tokenizer");
    /* A longer prompt is refused below, so there is no need to keep more of it. */
    const size_t room = (size_t)context;
    l->ids = het__alloc_zero(mem, room, sizeof *l->ids);
    if (!l->ids)
        return het__fail_nomem(err, "the prompt");
    const het_status s =
        het_tokenizer_encode(t, text, bytes, flags, l->ids, room, &l->id_count, err);
    if (s != HET_OK)
        return s;
    if (l->id_count == 0)
        return het__fail(err, HET_E_INVALID, "the prompt is empty");
    if (l->session->engine.limits.hidden_in || l->session->engine.limits.hidden_out)
        return het__fail(err, HET_E_INVALID, "the session has only some of the model's layers");
    if (l->id_count > (uint64_t)context - 1)
        return het__fail(err, HET_E_INVALID, "the prompt has %zu tokens, context_max is %lld",
                         l->id_count, (long long)context);
    return HET_OK;
}

static het_status begin(loop *l, const char *text, size_t bytes, het_error *err)
{
    het_status s = encode_prompt(l, text, bytes, err);
    if (s == HET_OK)
        s = het_sampler_create(l->session->model->context, l->options.sampler, &l->sampler, err);
    if (s == HET_OK)
        s = het_detokenizer_create(l->session->model->tokenizer, 0, &l->detokenizer, err);
    if (s == HET_OK)
        s = het_sequence_create(l->session, &l->sequence, err);
    if (s == HET_OK)
        s = het_sequence_append(l->sequence, l->ids, l->id_count, 0, err);
    for (size_t i = 0; s == HET_OK && i < l->id_count; i++)
        het_sampler_accept(l->sampler, l->ids[i]);
    l->result.prompt_count = l->id_count;
    return s;
}

/* Continue the text where the prompt ends: its own ids set the detokenizer's state, unheard. */
static het_status prime_detokenizer(loop *l)
{
    const char *text;
    for (size_t i = 0; i < l->id_count; i++) {
        const het_status s = het_detokenizer_push(l->detokenizer, l->ids[i], &text, NULL);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

/* Run what is pending of this sequence and choose the next token. */
static het_status next_token(loop *l, int32_t *id, het_error *err)
{
    while (het_sequence_pending(l->sequence) > 0) {
        const het_status s =
            het__engine_step(&l->session->engine, l->sequence->stream, err);
        if (s != HET_OK)
            return s;
    }
    uint32_t rows;
    const float *logits = het_sequence_logits(l->sequence, NULL, &rows);
    const size_t vocabulary = (size_t)l->session->engine.limits.vocabulary;
    if (!logits)
        return het__fail(err, HET_E_INTERNAL, "the step made no logits");
    const het_status s = het_sampler_sample(l->sampler, logits + (rows - 1) * vocabulary,
                                            vocabulary, id, err);
    if (s == HET_OK)
        het_sampler_accept(l->sampler, *id);
    return s;
}

static bool is_end(const loop *l, int32_t id)
{
    uint32_t flags = 0;
    const het_tokenizer *t = l->session->model->tokenizer;
    return !(l->options.flags & HET_GENERATE_IGNORE_END) &&
           het_tokenizer_token(t, id, NULL, NULL, &flags) == HET_OK && (flags & HET_TOKEN_END);
}

/* Deliver a token's text; false if that ends generation. Ids beyond the vocabulary of the
 * tokenizer (padded heads) have no text. */
static bool deliver(loop *l, int32_t id)
{
    const char *text = "";
    size_t bytes = 0;
    if (het_detokenizer_push(l->detokenizer, id, &text, &bytes) != HET_OK)
        return true;
    if (het__stop_push(&l->stop, text, bytes, l->options.piece, l->options.piece_user))
        return true;
    l->refused = !l->stop.found;
    return false;
}

static uint32_t finish_of(const loop *l)
{
    return l->stop.found ? HET_FINISH_STOP : HET_FINISH_CALLBACK;
}

/* The end of the text by itself: what is incomplete or held back comes out. */
static void flush(loop *l)
{
    if (deliver(l, -1))
        het__stop_flush(&l->stop, l->options.piece, l->options.piece_user);
}

static het_status run(loop *l, het_error *err)
{
    const uint64_t start = het__now_ns();
    uint64_t first = 0;
    for (;;) {
        int32_t id;
        const het_status s = next_token(l, &id, err);
        if (s != HET_OK)
            return s;
        if (!first) {
            first = het__now_ns();
            l->result.prompt_ns = first - start;
        }
        l->result.generated_count++;
        l->result.generated_ns = het__now_ns() - first;
        if (is_end(l, id)) {
            l->result.finish = HET_FINISH_END;
            break;
        }
        if (!deliver(l, id)) {
            l->result.finish = finish_of(l);
            return HET_OK;
        }
        if (l->result.generated_count >= l->options.max_tokens ||
            het_sequence_length(l->sequence) >= l->session->engine.limits.context_max) {
            l->result.finish = HET_FINISH_LENGTH;
            break;
        }
        const het_status a = het_sequence_append(l->sequence, &id, 1, 0, err);
        if (a != HET_OK)
            return a;
    }
    flush(l);
    return HET_OK;
}

het_status het_generate(het_session *session, const char *text, size_t text_bytes,
                        const het_generate_options *options, het_generate_result *result,
                        het_error *err)
{
    HET_REQUIRE(session != NULL && (text != NULL || text_bytes == 0), err);
    HET_REQUIRE(!result || result->struct_size >= sizeof(uint32_t), err);
    loop l = { .session = session };
    het_status s = het__need_language(session, "het_generate", err);
    if (s == HET_OK)
        s = read_options(&l, options, err);
    if (s == HET_OK)
        s = begin(&l, text, text_bytes, err);
    if (s == HET_OK)
        s = prime_detokenizer(&l);
    if (s == HET_OK)
        s = run(&l, err);
    het_sequence_destroy(l.sequence);
    het_detokenizer_destroy(l.detokenizer);
    het_sampler_destroy(l.sampler);
    het__free(&session->model->context->mem, l.ids);
    if (s == HET_OK && result)
        s = het__result_write(result, &l.result, sizeof l.result);
    return s;
}

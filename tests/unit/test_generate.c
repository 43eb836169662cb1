/* SPDX-License-Identifier: Apache-2.0 */
/* het_generate() against the loop written out with steps, on every device. The model's weights are
 * random, so its text is: bytes of characters in pieces, control tokens, made-up words. */
#include <hetinfer.h>

#include "tiny_model.h"

#define VOCABULARY 320
#define PROMPT "hello there"

static const char *device;
static het_context *context;
static tiny_model tiny;
static het_model *model;

typedef struct sink {
    char text[8192];
    size_t bytes;
    uint32_t pieces, refuse_at;
    bool bad; /* a piece is empty, unterminated or not whole UTF-8 */
    het_session *cancel;
} sink;

static bool is_whole(const char *text, size_t bytes)
{
    size_t i = 0;
    while (i < bytes) {
        const unsigned char c = (unsigned char)text[i];
        const size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (n == 0 || i + n > bytes)
            return false;
        for (size_t k = 1; k < n; k++)
            if (((unsigned char)text[i + k] & 0xc0) != 0x80)
                return false;
        i += n;
    }
    return true;
}

static int take(void *user, const char *text, size_t bytes)
{
    sink *s = user;
    s->bad = s->bad || bytes == 0 || text[bytes] || !is_whole(text, bytes);
    memcpy(s->text + s->bytes, text, bytes);
    s->bytes += bytes;
    s->text[s->bytes] = '\0';
    if (s->cancel)
        het_session_cancel(s->cancel);
    return ++s->pieces == s->refuse_at;
}

static het_session *open_session(int64_t context_max)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    het_error err = HET_ERROR_INIT;
    o.devices = device;
    o.threads = 2;
    o.kv_dtype = HET_DTYPE_F32;
    o.context_max = context_max;
    o.batch_max = 16;
    if (het_session_create(model, &o, &s, &err))
        TEST_FAIL("%s", err.message);
    return s;
}

static const het_sampler_options greedy = { .struct_size = sizeof greedy,
                                            .flags = HET_SAMPLER_GREEDY };

static het_generate_options defaults(sink *s)
{
    het_generate_options o = HET_GENERATE_OPTIONS_INIT;
    memset(s, 0, sizeof *s);
    o.sampler = &greedy;
    o.piece = take;
    o.piece_user = s;
    o.max_tokens = 60;
    o.flags = HET_GENERATE_IGNORE_END;
    return o;
}

static het_generate_result generate(het_session *s, const char *prompt,
                                    const het_generate_options *o)
{
    het_generate_result r = { .struct_size = sizeof r };
    het_error err = HET_ERROR_INIT;
    if (het_generate(s, prompt, strlen(prompt), o, &r, &err) != HET_OK)
        TEST_FAIL("generate: %s", err.message);
    return r;
}

/* The same loop by hand; every[i] receives the text after i + 1 tokens. */
static size_t by_hand(const char *prompt, int count, char *text, int32_t *made)
{
    const het_tokenizer *t = het_model_tokenizer(model);
    het_session *s = open_session(400);
    het_sequence *q = NULL;
    het_detokenizer *d = NULL;
    int32_t ids[400];
    size_t n = 0, bytes = 0, used = 0;
    const char *piece;
    CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
    CHECK_INT(het_detokenizer_create(t, 0, &d, NULL), HET_OK);
    CHECK_INT(het_tokenizer_encode(t, prompt, strlen(prompt), HET_ENCODE_ADD_SPECIAL, ids, 400, &n,
                                   NULL), HET_OK);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(het_detokenizer_push(d, ids[i], &piece, &bytes), HET_OK);
    CHECK_INT(het_sequence_append(q, ids, n, 0, NULL), HET_OK);
    for (int i = 0; i < count; i++) {
        while (het_sequence_pending(q) > 0)
            CHECK_INT(het_session_step(s, NULL, NULL), HET_OK);
        const float *logits = het_sequence_logits(q, NULL, NULL);
        int32_t best = 0;
        for (int32_t k = 1; logits && k < VOCABULARY; k++)
            if (logits[k] > logits[best])
                best = k;
        made[i] = best;
        CHECK_INT(het_detokenizer_push(d, best, &piece, &bytes), HET_OK);
        memcpy(text + used, piece, bytes);
        used += bytes;
        CHECK_INT(het_sequence_append(q, &best, 1, 0, NULL), HET_OK);
    }
    CHECK_INT(het_detokenizer_push(d, -1, &piece, &bytes), HET_OK);
    memcpy(text + used, piece, bytes + 1);
    used += bytes;
    het_detokenizer_destroy(d);
    het_sequence_destroy(q);
    het_session_destroy(s);
    return used;
}

static void greedy_is_the_loop(void)
{
    static const char *const prompts[] = { PROMPT, "a", "the quick brown fox",
                                           "\xc3\xa9t\xc3\xa9" };
    het_session *s = open_session(400);
    sink got;
    for (size_t i = 0; i < 4; i++) {
        char text[4096];
        int32_t made[100];
        const size_t bytes = by_hand(prompts[i], 100, text, made);
        het_generate_options o = defaults(&got);
        o.max_tokens = 100;
        const het_generate_result r = generate(s, prompts[i], &o);
        CHECK_STR(got.text, text);
        CHECK_INT(got.bytes, bytes);
        CHECK(!got.bad);
        CHECK_INT(r.generated_count, 100);
        CHECK_INT(r.finish, HET_FINISH_LENGTH);
        CHECK(r.prompt_count > 0 && r.prompt_ns > 0 && r.generated_ns > 0);
    }
    het_telemetry t = { .struct_size = sizeof t };
    CHECK_INT(het_telemetry_snapshot(s, &t), HET_OK);
    CHECK_INT(t.sequence_count, 0);
    CHECK_INT(t.kv_used_bytes, 0);
    het_session_destroy(s);
}

static void counts(void)
{
    het_session *s = open_session(400);
    sink got;
    for (uint32_t n = 1; n < 6; n++) {
        het_generate_options o = defaults(&got);
        o.max_tokens = n;
        CHECK_INT(generate(s, PROMPT, &o).generated_count, n);
    }
    het_generate_options o = defaults(&got);
    o.piece = NULL;
    CHECK_INT(het_generate(s, PROMPT, strlen(PROMPT), &o, NULL, NULL), HET_OK);
    het_session_destroy(s);
    /* One token per position, and one behind the last. */
    s = open_session(40);
    o = defaults(&got);
    o.max_tokens = 1000;
    const het_generate_result r = generate(s, PROMPT, &o);
    CHECK_INT(r.finish, HET_FINISH_LENGTH);
    CHECK_INT(r.prompt_count + r.generated_count, 41);
    het_session_destroy(s);
}

/* Stop at each place of the text: what comes out is what is before it. */
static void stop_strings(void)
{
    het_session *s = open_session(400);
    sink whole, got;
    het_generate_options o = defaults(&whole);
    generate(s, PROMPT, &o);
    uint32_t tried = 0;
    for (size_t i = 0; i + 3 < whole.bytes; i++) {
        char stop[4] = { 0 };
        memcpy(stop, whole.text + i, 3);
        if (!is_whole(stop, 3))
            continue;
        const char *const stops[] = { "not in it at all", stop };
        o = defaults(&got);
        o.stop = stops;
        o.stop_count = 2;
        const het_generate_result r = generate(s, PROMPT, &o);
        CHECK_INT(r.finish, HET_FINISH_STOP);
        CHECK_INT(got.bytes, strstr(whole.text, stop) - whole.text);
        CHECK(memcmp(got.text, whole.text, got.bytes) == 0 && !got.bad);
        tried++;
    }
    CHECK(tried > 20);
    const char *const never[] = { "not in it at all" };
    o = defaults(&got);
    o.stop = never;
    o.stop_count = 1;
    CHECK_INT(generate(s, PROMPT, &o).finish, HET_FINISH_LENGTH);
    CHECK_STR(got.text, whole.text);
    het_session_destroy(s);
}

static void callback_ends(void)
{
    het_session *s = open_session(400);
    sink got;
    for (uint32_t at = 1; at < 5; at++) {
        het_generate_options o = defaults(&got);
        got.refuse_at = at;
        CHECK_INT(generate(s, PROMPT, &o).finish, HET_FINISH_CALLBACK);
        CHECK_INT(got.pieces, at);
    }
    /* Cancelled from the callback: nothing comes after that piece. */
    het_generate_options o = defaults(&got);
    het_generate_result r = { .struct_size = sizeof r };
    got.cancel = s;
    CHECK_INT(het_generate(s, PROMPT, strlen(PROMPT), &o, &r, NULL), HET_E_CANCELLED);
    CHECK_INT(got.pieces, 1);
    sink again;
    o = defaults(&again);
    CHECK_INT(generate(s, PROMPT, &o).finish, HET_FINISH_LENGTH);
    CHECK(strncmp(again.text, got.text, got.bytes) == 0);
    het_session_destroy(s);
}

static void seeds(void)
{
    het_session *s = open_session(400);
    sink got[3];
    for (int i = 0; i < 3; i++) {
        const het_sampler_options sampler = { .struct_size = sizeof sampler,
                                              .seed = i < 2 ? 5 : 6, .temperature = 1.5f };
        het_generate_options o = defaults(&got[i]);
        o.sampler = &sampler;
        generate(s, PROMPT, &o);
        CHECK(!got[i].bad);
    }
    CHECK_STR(got[1].text, got[0].text);
    CHECK(strcmp(got[2].text, got[0].text) != 0);
    het_session_destroy(s);
}

/* A bias makes the end token certain. */
static void end_token(void)
{
    het_session *s = open_session(400);
    sink got;
    const het_logit_bias bias = { 2, 1000 };
    const het_sampler_options sampler = { .struct_size = sizeof sampler,
                                          .flags = HET_SAMPLER_GREEDY, .bias = &bias,
                                          .bias_count = 1 };
    het_generate_options o = defaults(&got);
    o.sampler = &sampler;
    CHECK_INT(generate(s, PROMPT, &o).generated_count, 60);
    o = defaults(&got);
    o.sampler = &sampler;
    o.flags = 0;
    const het_generate_result r = generate(s, PROMPT, &o);
    CHECK_INT(r.finish, HET_FINISH_END);
    CHECK_INT(r.generated_count, 1);
    CHECK_STR(got.text, "");
    het_session_destroy(s);
}

static void refuse(het_session *s, const char *prompt, const het_generate_options *o,
                   het_status status, const char *names)
{
    het_error err = HET_ERROR_INIT;
    const het_status got = het_generate(s, prompt, strlen(prompt), o, NULL, &err);
    test_checks++;
    if (got != status || !strstr(err.message, names))
        TEST_FAIL("got %s: \"%s\", want %s naming %s", het_status_name(got), err.message,
                  het_status_name(status), names);
}

static void refusals(void)
{
    het_session *s = open_session(12);
    sink got;
    het_generate_options o = defaults(&got);
    o.flags |= HET_GENERATE_NO_BOS;
    refuse(s, "", &o, HET_E_INVALID, "empty");
    o = defaults(&got);
    refuse(s, "zzzzzzzzzzzzzzzzzzzzzzzz", &o, HET_E_INVALID, "context_max is 12");
    o.flags |= UINT64_C(1) << 50;
    refuse(s, "a", &o, HET_E_VERSION, "flag");
    o = defaults(&got);
    const char *const empty[] = { "" };
    o.stop = empty;
    o.stop_count = 1;
    refuse(s, "a", &o, HET_E_INVALID, "stop string 0");
    o = defaults(&got);
    const het_sampler_options bad = { .struct_size = sizeof bad, .temperature = -1 };
    o.sampler = &bad;
    refuse(s, "a", &o, HET_E_INVALID, "temperature");
    o = defaults(&got);
    het_sequence *q = NULL;
    CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
    refuse(s, "a", &o, HET_E_BUSY, "in use");
    het_sequence_destroy(q);
    generate(s, "a", &o);
    het_session_destroy(s);
}

/* Beginning tokens come first unless they are not wanted. */
static void begin_token(void)
{
    het_session *s = open_session(400);
    sink got;
    het_generate_options o = defaults(&got);
    const uint64_t with = generate(s, PROMPT, &o).prompt_count;
    o.flags |= HET_GENERATE_NO_BOS;
    CHECK_INT(generate(s, PROMPT, &o).prompt_count, with - 1);
    o = defaults(&got);
    const uint64_t plain = generate(s, "</s>", &o).prompt_count;
    o.flags |= HET_GENERATE_PARSE_SPECIAL;
    CHECK_INT(generate(s, "</s>", &o).prompt_count, 2);
    CHECK(plain > 2);
    het_session_destroy(s);
}

/* Another sequence of the session neither moves nor disturbs. */
static void beside_a_sequence(void)
{
    het_session_options so = HET_SESSION_OPTIONS_INIT;
    so.devices = device;
    so.threads = 1;
    so.kv_dtype = HET_DTYPE_F32;
    so.context_max = 200;
    so.sequence_max = 2;
    het_session *s = NULL, *alone = open_session(200);
    het_sequence *q = NULL;
    sink got, want;
    CHECK_INT(het_session_create(model, &so, &s, NULL), HET_OK);
    CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
    CHECK_INT(het_sequence_append(q, (const int32_t[]){ 4, 5, 6 }, 3, 0, NULL), HET_OK);
    het_generate_options o = defaults(&got);
    generate(s, PROMPT, &o);
    o = defaults(&want);
    generate(alone, PROMPT, &o);
    CHECK_STR(got.text, want.text);
    CHECK_INT(het_sequence_pending(q), 3);
    het_sequence_destroy(q);
    het_session_destroy(s);
    het_session_destroy(alone);
}

int main(void)
{
    tiny_options o = TINY_LLAMA;
    het_error err = HET_ERROR_INIT;
    o.vocabulary = VOCABULARY;
    o.words = true;
    o.seed = 12;
    tiny_make(&tiny, &o);
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    if (het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err))
        TEST_FAIL("%s", err.message);
    for (uint32_t i = 0; model && i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        CHECK_INT(het_device_get_info(het_context_device(context, i), &info), HET_OK);
        device = info.backend;
        printf("on %s\n", device);
        test_case(greedy_is_the_loop);
        test_case(counts);
        test_case(stop_strings);
        test_case(callback_ends);
        test_case(seeds);
        test_case(end_token);
        test_case(refusals);
        test_case(begin_token);
        test_case(beside_a_sequence);
    }
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&tiny);
    return test_finish();
}

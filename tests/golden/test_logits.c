/* SPDX-License-Identifier: Apache-2.0 */
/* Teacher-forced logits and greedy text of real models against golden vectors that another
 * program computed.
 *
 *     test_logits DEVICES [FILTER]
 *
 * Every golden <model>.<prompt>.json in the lists below is fed in three ways: at once, token by
 * token, and in odd chunks. Bounds are absolute, on logits of magnitude up to about 20; they are
 * derived in docs/NUMERICS.md. */
#include <jansson.h>

#include "golden/feed.h"

typedef struct golden_case {
    const char *model;  /* below llm/ */
    const char *golden; /* below golden/, without extension */
    double bound;       /* largest absolute difference; 0: see below */
    const char *peer;   /* golden of the same file as the peer ran it, or NULL */
    bool text;          /* greedy text must be equal for the whole length */
} golden_case;

/* F32 and what is exact in F32 meets the reference within rounding. For block formats the truth
 * is the file dequantised to F32 (`-deq`), and in exact precision the bound is the same. In fast
 * precision the bound is what the peer's own 8-bit activations deviate from that truth: not worse
 * in the largest deviation over all rows. With HETINFER_CPU_ROUND_SMALL the activations of these
 * small weights are rounded as those of large ones are: then, over the rows that both have seen,
 * the root mean square may exceed the peer's by a tenth (both round at random). */
static const golden_case cases[] = {
    { "gguf/stories260K-F32.gguf", "llm/stories260K-F32.once", 2e-4, NULL, true },
    { "gguf/stories260K-F32.gguf", "llm/stories260K-F32.dog", 2e-4, NULL, true },
    { "gguf/stories260K-F32.gguf", "llm/stories260K-F32.story", 2e-4, NULL, false },
    { "hf", "llm/stories260K-F32.once", 2e-4, NULL, true },
    { "hf/sharded/model.safetensors.index.json", "llm/stories260K-F32.once", 2e-4, NULL, false },
    { "gguf/stories260K-F16.gguf", "llm/stories260K-F16-deq.once",
      0, "llm/stories260K-F16.once", false },
    { "gguf/stories260K-BF16.gguf", "llm/stories260K-BF16-deq.once",
      0, "llm/stories260K-BF16.once", false },
    { "gguf/stories260K-Q8_0.gguf", "llm/stories260K-Q8_0-deq.once",
      0, "llm/stories260K-Q8_0.once", false },
    { "gguf/stories260K-Q4_0.gguf", "llm/stories260K-Q4_0-deq.once",
      0, "llm/stories260K-Q4_0.once", false },
    { "gguf/stories260K-Q4_1.gguf", "llm/stories260K-Q4_1-deq.once",
      0, "llm/stories260K-Q4_1.once", false },
    { "gguf/stories260K-Q5_0.gguf", "llm/stories260K-Q5_0-deq.once",
      0, "llm/stories260K-Q5_0.once", false },
    { "gguf/stories260K-IQ4_NL.gguf", "llm/stories260K-IQ4_NL-deq.once",
      0, "llm/stories260K-IQ4_NL.once", false },
    { "gguf/stories260K-Q4_K_M.gguf", "llm/stories260K-Q4_K_M-deq.once",
      0, "llm/stories260K-Q4_K_M.once", false },
    { "derived/stories260K-llama-tied-F32.gguf", "derived/stories260K-llama-tied-F32.once",
      2e-4, NULL, true },
    { "derived/stories260K-phi3-F32.gguf", "derived/stories260K-phi3-F32.once", 2e-4, NULL, true },
    { "derived/stories260K-x256-F16.gguf", "derived/stories260K-x256-F16-deq.once",
      0, "derived/stories260K-x256-F16.once", false },
    { "derived/stories260K-x256-Q8_0.gguf", "derived/stories260K-x256-Q8_0-deq.once",
      0, "derived/stories260K-x256-Q8_0.once", false },
    { "derived/stories260K-x256-Q4_0.gguf", "derived/stories260K-x256-Q4_0-deq.once",
      0, "derived/stories260K-x256-Q4_0.once", false },
    { "derived/stories260K-x256-IQ4_NL.gguf", "derived/stories260K-x256-IQ4_NL-deq.once",
      0, "derived/stories260K-x256-IQ4_NL.once", false },
    { "derived/stories260K-x256-IQ4_XS.gguf", "derived/stories260K-x256-IQ4_XS-deq.once",
      0, "derived/stories260K-x256-IQ4_XS.once", false },
    { "derived/stories260K-x256-Q2_K.gguf", "derived/stories260K-x256-Q2_K-deq.once",
      0, "derived/stories260K-x256-Q2_K.once", false },
    { "derived/stories260K-x256-Q3_K_M.gguf", "derived/stories260K-x256-Q3_K_M-deq.once",
      0, "derived/stories260K-x256-Q3_K_M.once", false },
    { "derived/stories260K-x256-Q4_K_M.gguf", "derived/stories260K-x256-Q4_K_M-deq.once",
      0, "derived/stories260K-x256-Q4_K_M.once", false },
    { "derived/stories260K-x256-Q5_K_M.gguf", "derived/stories260K-x256-Q5_K_M-deq.once",
      0, "derived/stories260K-x256-Q5_K_M.once", false },
    { "derived/stories260K-x256-Q6_K.gguf", "derived/stories260K-x256-Q6_K-deq.once",
      0, "derived/stories260K-x256-Q6_K.once", false },
};

/* ---- a golden ---- */

typedef struct golden {
    int32_t *ids;
    size_t prompt, count; /* rows = count */
    size_t vocabulary;
    float *logits;
    char *text;
} golden;

static void golden_free(golden *g)
{
    free(g->ids);
    free(g->logits);
    free(g->text);
}

static bool golden_load(golden *g, const char *name)
{
    char path[512], file[256];
    memset(g, 0, sizeof *g);
    snprintf(file, sizeof file, "golden/%s.json", name);
    json_t *j = json_load_file(test_data_path(path, sizeof path, file), 0, NULL);
    if (!j)
        return false;
    const json_t *prompt = json_object_get(j, "prompt_ids");
    const json_t *made = json_object_get(j, "generated_ids");
    g->prompt = json_array_size(prompt);
    g->count = (size_t)json_integer_value(json_object_get(j, "logits_rows"));
    g->vocabulary = (size_t)json_integer_value(json_object_get(j, "n_vocab"));
    g->ids = calloc(g->prompt + json_array_size(made) + 1, sizeof *g->ids);
    for (size_t i = 0; i < g->prompt; i++)
        g->ids[i] = (int32_t)json_integer_value(json_array_get(prompt, i));
    for (size_t i = 0; i < json_array_size(made); i++)
        g->ids[g->prompt + i] = (int32_t)json_integer_value(json_array_get(made, i));
    const char *text = json_string_value(json_object_get(j, "text"));
    g->text = text ? strcpy(malloc(strlen(text) + 1), text) : NULL;
    json_decref(j);
    size_t bytes = 0;
    snprintf(file, sizeof file, "golden/%s.logits.f32", name);
    g->logits = test_read_file(test_data_path(path, sizeof path, file), &bytes);
    return g->logits && bytes == g->count * g->vocabulary * sizeof(float);
}

/* The golden's text is prompt and continuation; ours is the continuation. */
static void check_text(het_session *session, const char *prompt, const golden *g)
{
    text_sink s = { .bytes = 0 };
    const het_sampler_options greedy = { .struct_size = sizeof greedy,
                                         .flags = HET_SAMPLER_GREEDY };
    het_generate_options o = HET_GENERATE_OPTIONS_INIT;
    o.sampler = &greedy;
    o.max_tokens = (uint32_t)(g->count + 1 - g->prompt);
    o.piece = text_collect;
    o.piece_user = &s;
    het_error err = HET_ERROR_INIT;
    const het_status st = het_generate(session, prompt, strlen(prompt), &o, NULL, &err);
    if (st != HET_OK)
        TEST_FAIL("generate: %s", err.message);
    const char *want = strstr(g->text, prompt);
    CHECK(want != NULL);
    if (want)
        CHECK_STR(s.text, want + strlen(prompt));
}

/* What the peer's own run of the same file deviates from the truth. Its text parts from the truth
 * at some row; up to there the inputs agree. */
static void peer_deviation(const golden_case *c, const golden *truth, deviation *peer)
{
    golden g;
    memset(peer, 0, sizeof *peer);
    if (golden_load(&g, c->peer)) {
        while (peer->rows < truth->count && peer->rows < g.count &&
               g.ids[peer->rows] == truth->ids[peer->rows])
            peer->rows++;
        deviation_add(peer, g.logits, truth->logits, peer->rows * truth->vocabulary);
    }
    golden_free(&g);
}

static double feed_golden(het_session *session, const golden *g, const size_t *sizes, size_t count)
{
    return feed(session, g->ids, g->count, g->logits, g->vocabulary, sizes, count);
}

/* The rows that the peer has seen, with activations rounded. */
static void check_rounded(het_session *session, const golden *g, const deviation *peer)
{
    static const size_t whole[] = { 100000 };
    deviation ours = { 0 };
    feed_all(session, g->ids, peer->rows, g->logits, g->vocabulary, whole, 1, &ours);
    printf("    rounded: rms %.4f, peer %.4f; most %.3f, peer %.3f\n", deviation_rms(&ours),
           deviation_rms(peer), ours.most, peer->most);
    CHECK(deviation_rms(&ours) <= 1.1 * deviation_rms(peer));
    CHECK(ours.most <= 1.5 * peer->most);
}

static void run_case(const golden_case *c, const char *devices)
{
    static const size_t whole[] = { 100000 }, one[] = { 1 }, odd[] = { 3, 1, 17, 2, 5 };
    char path[512], file[256];
    const bool rounded = getenv("HETINFER_CPU_ROUND_SMALL") != NULL;
    golden g;
    snprintf(file, sizeof file, "llm/%s", c->model);
    test_data_path(path, sizeof path, file);
    CHECK(golden_load(&g, c->golden));
    deviation peer = { 0 };
    if (c->peer && g.logits)
        peer_deviation(c, &g, &peer);
    for (uint32_t precision = 0; precision < 2 && g.logits; precision++) {
        het_session *s = open_session(path, devices, precision);
        if (!s)
            continue;
        const bool tight = c->bound > 0 || precision == HET_PRECISION_EXACT;
        const double bound = tight ? 2e-4 : rounded ? INFINITY : peer.most;
        const double a = feed_golden(s, &g, whole, 1), b = feed_golden(s, &g, one, 1);
        const double d = feed_golden(s, &g, odd, 5);
        printf("%-46s %s  whole %.2e  single %.2e  odd %.2e  bound %.2e\n", c->golden,
               precision ? "exact" : "fast ", a, b, d, bound);
        CHECK(a <= bound && b <= bound && d <= bound);
        if (rounded && !tight)
            check_rounded(s, &g, &peer);
        if (c->text)
            check_text(s, strstr(c->golden, ".dog") ? "The dog and the cat" : "Once upon a time",
                       &g);
        het_session_destroy(s);
    }
    golden_free(&g);
}

int main(int argc, char **argv)
{
    const char *devices = argc > 1 ? argv[1] : NULL;
    char path[512];
    test_data_path(path, sizeof path, "");
    skip_absent_level(devices);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (argc < 3 || strstr(cases[i].golden, argv[2]))
            run_case(&cases[i], devices);
    return test_finish();
}

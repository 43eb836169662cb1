/* SPDX-License-Identifier: Apache-2.0 */
/* Products divided by rows between two devices, as policies say by chance: which products, how many
 * of their rows, and on which device the others are. Greedy tokens are those of one device, tensors
 * within the tolerance of a whole network's rounding; bit by bit where both devices compute with
 * the same kernels.
 *
 *     split_rows FIRST SECOND [MODEL]
 *
 * FIRST, SECOND: backends. HETINFER_TEST_SPLITS: seeds per model, without it 50, a fifth of that
 * for models that are like another one, with HETINFER_TEST_LONG 300 for all, and 6 where kernels
 * are compiled for each. MODEL: part of a name.
 * HETINFER_OPENCL_CPU=1 makes a driver for processors a device. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "split.h"

#include "../tiny_model.h"

static het_context *context;
static const char *first, *second; /* backends */
static const char *a, *b;          /* the same in policies */
static const char *wanted = "";
static uint32_t seeds = 50, fewer = 10; /* per model; of those like another one */
static bool is_same_kernels;

/* ---- policies ---- */

static uint32_t below(uint64_t *seed, uint32_t most)
{
    return (uint32_t)(test_random(seed) >> 33) % most;
}

static const char *in_policies(const char *backend)
{
    return strcmp(backend, "sim") == 0 ? "simulated" : backend;
}

/* Where products are that nobody divides. */
static int put_base(char *text, size_t bytes, uint64_t *seed)
{
    const uint32_t kind = below(seed, 4);
    const char *base = kind == 2 ? b : a, *other = kind == 2 ? a : b;
    int n = snprintf(text, bytes, "rules:\n  - prefer: \"%s\"\n", base);
    if (kind == 3)
        n += snprintf(text + n, bytes - (size_t)n, "  - {layers: %u, prefer: \"%s\"}\n",
                      below(seed, 2), other);
    return n;
}

static void make_policy(char *text, size_t bytes, uint64_t number)
{
    static const char *const ops[] = { "linear", "gated", "matmul", "conv", "*" };
    uint64_t seed = 7919 * number;
    const uint32_t count = 2 + below(&seed, 5);
    int n = snprintf(text, bytes, "hetinfer-policy: 1\n");
    n += put_base(text + n, bytes - (size_t)n, &seed);
    n += snprintf(text + n, bytes - (size_t)n, "split:\n  rows:\n");
    for (uint32_t i = 0; i < count; i++) {
        char layers[24] = "";
        if (i > 1 && below(&seed, 2))
            snprintf(layers, sizeof layers, "layers: %u, ", below(&seed, 3));
        /* The first two divide everything, wherever it is. */
        const char *op = ops[i < 2 ? 4 : below(&seed, 5)];
        const char *to = i == 0 ? a : i == 1 ? b : below(&seed, 2) ? a : b;
        n += snprintf(text + n, bytes - (size_t)n,
                      "    - {op: \"%s\", %sto: \"%s\", share: 0.%02u}\n", op, layers, to,
                      10 + below(&seed, 81));
    }
}

/* ---- sessions ---- */

/* number 0: all on the first device. */
static het_session *open_session(const het_model *model, uint64_t number)
{
    char text[1024];
    het_error err = HET_ERROR_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    het_policy *policy = NULL;
    o.kv_dtype = HET_DTYPE_F32;
    o.devices = number ? NULL : first;
    o.threads = 1 + number % 2;
    o.batch_max = 16;
    o.context_max = 64;
    o.precision = HET_PRECISION_EXACT;
    if (number) {
        make_policy(text, sizeof text, number);
        if (het_policy_load_memory(context, text, strlen(text), "seed", &policy, &err) != HET_OK)
            TEST_FAIL("seed %" PRIu64 ": %s", number, err.message);
        o.policy = policy;
    }
    if (het_session_create(model, &o, &s, &err) != HET_OK)
        TEST_FAIL("seed %" PRIu64 ": %s", number, err.message);
    het_policy_destroy(policy);
    return s;
}

/* What a session's plans divide; what they list is there. */
static uint32_t splits_of(const het_session *s)
{
    uint32_t all = 0;
    for (int phase = HET_PHASE_DECODE; phase <= HET_PHASE_PREFILL; phase++) {
        const het_plan *p = het_session_plan(s, (het_phase)phase);
        het_plan_info info = { .struct_size = sizeof info };
        if (!p || het_plan_get_info(p, &info) != HET_OK)
            continue;
        for (uint32_t i = 0; i < info.split_count; i++) {
            het_plan_split split = { .struct_size = sizeof split };
            CHECK_INT(het_plan_split_at(p, i, &split), HET_OK);
            CHECK(split.device != split.other && split.share > 0 && split.share < 1);
            CHECK(split.node_count == 1 && split.simulated_ns == info.split_ns);
        }
        all += info.split_count;
    }
    return all;
}

/* ---- language models ---- */

static void compare(const char *name, uint64_t number, const float *got, const float *want,
                    size_t count, double *worst)
{
    const double e = split_worst_of(got, want, count);
    *worst = fmax(*worst, e);
    test_checks += 2;
    if (!(e <= SPLIT_TOLERANCE))
        TEST_FAIL("%s, seed %" PRIu64 ": off by %.3g of the largest", name, number, e);
    if (is_same_kernels && memcmp(got, want, count * sizeof *got) != 0)
        TEST_FAIL("%s, seed %" PRIu64 ": other bits, by %.3g of the largest", name, number, e);
}

static bool generate_once(const het_model *model, uint64_t number, split_generated *g,
                          uint32_t *splits)
{
    het_error err = HET_ERROR_INIT;
    het_session *s = open_session(model, number);
    g->good = s != NULL;
    if (s && !split_generate(s, g, &err))
        TEST_FAIL("seed %" PRIu64 ": %s", number, err.message);
    *splits = s ? splits_of(s) : 0;
    het_session_destroy(s);
    return g->good;
}

static bool is_like_another(const char *name)
{
    static const char *const names[] = { "llama 0", "llama 8", "qwen2 0", "phi3 0", "gemma3n",
                                         "phimoe", "qwen3moe" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void divide_language(const char *name, const het_model *model)
{
    const uint32_t most_seeds = is_like_another(name) ? fewer : seeds;
    het_model_info info = { .struct_size = sizeof info };
    split_generated want = { .good = false }, got = { .good = false };
    double worst = 0;
    uint32_t splits = 0, most = 0;
    CHECK_INT(het_model_get_info(model, &info), HET_OK);
    want.vocabulary = got.vocabulary = (size_t)info.vocabulary_size;
    want.logits = calloc(SPLIT_STEPS * want.vocabulary, sizeof(float));
    got.logits = calloc(SPLIT_STEPS * want.vocabulary, sizeof(float));
    if (want.logits && got.logits && generate_once(model, 0, &want, &splits)) {
        CHECK_INT(splits, 0);
        for (uint64_t number = 1; number <= most_seeds; number++) {
            if (!generate_once(model, number, &got, &splits))
                continue;
            if (splits == 0 || memcmp(got.ids, want.ids, sizeof got.ids) != 0)
                TEST_FAIL("%s, seed %" PRIu64 ": %s", name, number,
                          splits ? "other tokens" : "nothing is divided");
            compare(name, number, got.logits, want.logits, SPLIT_STEPS * want.vocabulary, &worst);
            most = splits > most ? splits : most;
        }
    }
    printf("%-16s %u seeds, up to %u splits, logits within %.1e\n", name, most_seeds, most, worst);
    fflush(stdout);
    free(want.logits);
    free(got.logits);
}

/* ---- networks ---- */

static bool run_network(const het_model *model, uint64_t number, float *pixels, float *out,
                        size_t *count, uint32_t *splits)
{
    het_error err = HET_ERROR_INIT;
    het_session *s = open_session(model, number);
    const bool good = s && split_run_network(model, s, pixels, out, count, &err);
    if (!good)
        TEST_FAIL("seed %" PRIu64 ": %s", number, err.message);
    *splits = s ? splits_of(s) : 0;
    het_session_destroy(s);
    return good;
}

static void divide_network(const char *name, const het_model *model)
{
    static float pixels[SPLIT_PIXELS], want[SPLIT_SCORES], got[SPLIT_SCORES];
    size_t count = 0, n = 0;
    double worst = 0;
    uint32_t splits = 0, most = 0;
    split_make_images(pixels);
    if (!run_network(model, 0, pixels, want, &count, &splits))
        return;
    for (uint64_t number = 1; number <= seeds; number++) {
        if (!run_network(model, number, pixels, got, &n, &splits))
            continue;
        CHECK_INT(n, count);
        if (splits == 0)
            TEST_FAIL("%s, seed %" PRIu64 ": nothing is divided", name, number);
        compare(name, number, got, want, count, &worst);
        most = splits > most ? splits : most;
    }
    printf("%-16s %u seeds, up to %u splits, scores within %.1e\n", name, seeds, most, worst);
    fflush(stdout);
}

/* ---- models ---- */

static void each_made(void)
{
    static const struct { const char *architecture; uint32_t type; } made[] = {
        { "llama", GW_F32 }, { "llama", GW_Q4_0 }, { "llama", GW_Q8_0 }, { "qwen2", GW_F32 },
        { "phi3", GW_F32 },
    };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        tiny_options o = TINY_LLAMA;
        tiny_model m;
        het_model *model = NULL;
        het_error err = HET_ERROR_INIT;
        char name[32];
        o.architecture = made[i].architecture;
        o.type = made[i].type;
        snprintf(name, sizeof name, "%s %u", o.architecture, o.type);
        if (!strstr(name, wanted))
            continue;
        tiny_make(&m, &o);
        if (het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err) == HET_OK)
            divide_language(name, model);
        else
            TEST_FAIL("%s: %s", name, err.message);
        het_model_destroy(model);
        tiny_free(&m);
    }
}

static void choose_seeds(void)
{
    const char *count = getenv("HETINFER_TEST_SPLITS");
    const bool compiles = strcmp(second, "opencl_igpu") == 0 || strcmp(second, "intel_l0") == 0;
    seeds = count ? (uint32_t)strtoul(count, NULL, 10)
            : compiles ? 6 : getenv("HETINFER_TEST_LONG") ? 300 : 50;
    fewer = seeds == 50 && !count ? seeds / 5 : seeds;
}

int main(int argc, char **argv)
{
    static const char *const families[] = { "gemma2", "gemma3n", "mixtral", "phimoe", "qwen3moe" };
    static const char *const networks[] = { "digits-conv", "digits-vit" };
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    char list[64];
    if (argc < 3)
        return 2;
    first = argv[1];
    second = argv[2];
    wanted = argc > 3 ? argv[3] : "";
    a = in_policies(first);
    b = in_policies(second);
    setenv("HETINFER_SIM", "amd-8945hs:igpu", 0);
    setenv("HETINFER_SIM_SCALE", "0", 0);
    setenv("HETINFER_SIM_COMPUTE", first, 0);
    /* ref adds residuals before it rounds; behind a join they are added after. */
    is_same_kernels = strcmp(second, "sim") == 0 && strcmp(first, "cpu_onednn") == 0;
    snprintf(list, sizeof list, "%s,%s", first, second);
    o.backends = list;
    if (het_context_create(&o, &context, &err) != HET_OK)
        test_skip(err.message);
    if (het_context_device_count(context) != 2) {
        het_context_destroy(context);
        test_skip("there are not two devices");
    }
    choose_seeds();
    each_made();
    split_each_file(context, wanted, "tests/models/reference/families", "gguf", families, 5,
                    divide_language);
    split_each_file(context, wanted, "examples/models", "onnx", networks, 2, divide_network);
    het_context_destroy(context);
    return test_finish();
}

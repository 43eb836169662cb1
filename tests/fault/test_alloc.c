/* SPDX-License-Identifier: Apache-2.0 */
/* Memory runs out at every single allocation of every call: the call says so, gives everything
 * back, leaves its result NULL, and the same objects work afterwards. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <hetinfer.h>

#include "counting_allocator.h"
#include "folder.h"
#include "tiny_model.h"
#include "tiny_onnx.h"

/* More allocations than any call here makes. */
#define CALLS_MAX 5000

static counting_allocator counter;
static het_allocator allocator;
static tiny_model tiny;
static tiny_onnx network;
static char backends[128];
static test_folder folder;
static bool mapped;
static char text[4096];
static size_t text_bytes;

static het_status make_context(het_context **context, het_error *err)
{
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.allocator = &allocator;
    o.flags = HET_CONTEXT_NO_ENV;
    o.backends = backends;
    return het_context_create(&o, context, err);
}

static het_status make_session(const het_model *model, const char *cache, het_session **session,
                               het_error *err)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.threads = 2;
    o.context_max = 100;
    o.batch_max = 16;
    o.sequence_max = 2;
    o.weight_cache = cache;
    o.flags = mapped ? HET_SESSION_WEIGHTS_MAPPED : 0;
    return het_session_create(model, &o, session, err);
}

typedef struct stage {
    het_context *context;
    het_model *model;
    het_session *session;
    het_sequence *sequence;
    het_plan *plan;
    het_groups *groups;
    het_policy *policy;
    het_machine *machine;
    het_analysis *analysis;
} stage;

static int take(void *user, const char *piece, size_t bytes)
{
    (void)user;
    if (text_bytes + bytes < sizeof text) {
        memcpy(text + text_bytes, piece, bytes);
        text_bytes += bytes;
    }
    return 0;
}

static het_status do_context(stage *s, het_error *err)
{
    return make_context(&s->context, err);
}

static het_status do_model(stage *s, het_error *err)
{
    return het_model_load_memory(s->context, tiny.file, tiny.bytes, NULL, &s->model, err);
}

static het_status do_session(stage *s, het_error *err)
{
    return make_session(s->model, NULL, &s->session, err);
}

/* With a file to be read, if no allocation failed when it was written. */
static het_status do_cached_session(stage *s, het_error *err)
{
    return make_session(s->model, folder.path, &s->session, err);
}

/* With a file to be written. */
static het_status do_first_session(stage *s, het_error *err)
{
    test_folder_empty(&folder);
    const het_status st = make_session(s->model, folder.path, &s->session, err);
    CHECK_INT(test_folder_count(&folder, ".tmp", NULL), 0);
    return st;
}

static het_status do_sequence(stage *s, het_error *err)
{
    return het_sequence_create(s->session, &s->sequence, err);
}

static het_status do_steps(stage *s, het_error *err)
{
    static const int32_t ids[20] = { 5, 9, 280, 33, 7 };
    het_status st = het_sequence_truncate(s->sequence, 0, err);
    if (st == HET_OK)
        st = het_sequence_append(s->sequence, ids, 20, 0, err);
    while (st == HET_OK && het_sequence_pending(s->sequence) > 0)
        st = het_session_step(s->session, NULL, err);
    return st;
}

static het_status do_warmup(stage *s, het_error *err)
{
    return het_session_warmup(s->session, err);
}

static het_status do_policy(stage *s, het_error *err)
{
    return het_policy_preset(s->context, "amd_phoenix", &s->policy, err);
}

static het_status do_rule(stage *s, het_error *err)
{
    het_policy_rule rule = HET_POLICY_RULE_INIT;
    het_policy_limit limit = HET_POLICY_LIMIT_INIT;
    het_policy *p = NULL;
    rule.kind = HET_RULE_PREFER;
    rule.devices = "cpu";
    rule.name = "blk.*";
    limit.threads = 2;
    het_status st = het_policy_create(s->context, &p, err);
    if (st == HET_OK)
        st = het_policy_set_rule(p, &rule, err);
    if (st == HET_OK)
        st = het_policy_set_limit(p, "cpu", &limit, err);
    if (st == HET_OK)
        st = het_policy_set_objective(p, HET_OBJECTIVE_ENERGY, err);
    het_policy_destroy(p);
    return st;
}

static het_status do_policy_session(stage *s, het_error *err)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.threads = 1;
    o.context_max = 100;
    o.policy = s->policy;
    return het_session_create(s->model, &o, &s->session, err);
}

static het_status do_plan(stage *s, het_error *err)
{
    return het_plan_make(s->model, NULL, &s->plan, err);
}

static het_status do_generate(stage *s, het_error *err)
{
    const het_sampler_options sampler = { .struct_size = sizeof sampler, .seed = 3,
                                          .repeat_penalty = 1.1f };
    const char *const stops[] = { "never this" };
    het_generate_options o = HET_GENERATE_OPTIONS_INIT;
    o.sampler = &sampler;
    o.max_tokens = 8;
    o.stop = stops;
    o.stop_count = 1;
    o.piece = take;
    o.flags = HET_GENERATE_IGNORE_END;
    text_bytes = 0;
    return het_generate(s->session, "some words", 10, &o, NULL, err);
}

static het_status do_inspect(stage *s, het_error *err)
{
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_model *m = NULL;
    o.flags = HET_MODEL_INSPECT_ONLY;
    const het_status st =
        het_model_load_memory(s->context, tiny.file, tiny.bytes, &o, &m, err);
    het_model_destroy(m);
    return st;
}

/* ---- graphs: s->model and s->session are those of the network ---- */

static het_status do_groups(stage *s, het_error *err)
{
    het_groups_options o = HET_GROUPS_OPTIONS_INIT;
    o.rule = HET_GROUP_SEARCH;
    o.flags = HET_GROUPS_RECOGNISE;
    return het_groups_make(s->model, &o, &s->groups, err);
}

static het_status do_analysis(stage *s, het_error *err)
{
    het_analysis_options o = HET_ANALYSIS_OPTIONS_INIT;
    o.flags = HET_ANALYSIS_SUPPORT;
    o.group_rule = HET_GROUP_SEARCH;
    return het_analysis_make(s->model, &o, &s->analysis, err);
}

static void undo_analysis(stage *s)
{
    het_analysis_destroy(s->analysis);
    s->analysis = NULL;
}

static void undo_groups(stage *s)
{
    het_groups_destroy(s->groups);
    s->groups = NULL;
}

static het_status do_machine(stage *s, het_error *err)
{
    het_machine_options o = HET_MACHINE_OPTIONS_INIT;
    o.flags = HET_MACHINE_CALIBRATED;
    return het_machine_from_context(s->context, &o, &s->machine, err);
}

static het_status do_profile(stage *s, het_error *err)
{
    return het_machine_load(s->context, "intel-185h", &s->machine, err);
}

static het_status do_machine_file(stage *s, het_error *err)
{
    het_status st = do_machine(s, err);
    if (st == HET_OK)
        st = het_machine_write(s->machine, test_folder_file(&folder, "m.yaml"), err);
    het_machine_destroy(s->machine);
    s->machine = NULL;
    if (st == HET_OK)
        st = het_machine_load(s->context, test_folder_file(&folder, "m.yaml"), &s->machine, err);
    return st;
}

static void undo_machine(stage *s)
{
    het_machine_destroy(s->machine);
    s->machine = NULL;
}

static het_status do_network(stage *s, het_error *err)
{
    return het_model_load_memory(s->context, network.file, network.bytes, NULL, &s->model, err);
}

/* Three sets of extents, each compiled at its first run and met again. */
static het_status do_runs(stage *s, het_error *err)
{
    static float x[12] = { 1, -2, 3 };
    het_status st = HET_OK;
    for (int i = 0; st == HET_OK && i < 6; i++) {
        het_tensor t = HET_TENSOR_INIT;
        t.data = x;
        t.size_bytes = sizeof x;
        t.desc.dtype = HET_DTYPE_F32;
        t.desc.rank = 2;
        t.desc.extent[0] = 1 + i % 3;
        t.desc.extent[1] = 3;
        st = het_session_bind_input(s->session, "x", &t, err);
        if (st == HET_OK)
            st = het_session_run(s->session, err);
        if (st == HET_OK)
            st = het_session_get_output(s->session, "z", &t, err);
        if (st == HET_OK)
            CHECK_NEAR(((float *)t.data)[2], 36, 1e-6);
    }
    return st;
}

static het_status do_new_runs(stage *s, het_error *err)
{
    het_status st = do_session(s, err);
    if (st == HET_OK)
        st = do_runs(s, err);
    het_session_destroy(s->session);
    s->session = NULL;
    return st;
}

static void undo_context(stage *s)
{
    het_context_destroy(s->context);
    s->context = NULL;
}

static void undo_model(stage *s)
{
    het_model_destroy(s->model);
    s->model = NULL;
}

static void undo_session(stage *s)
{
    het_session_destroy(s->session);
    s->session = NULL;
}

static void undo_sequence(stage *s)
{
    het_sequence_destroy(s->sequence);
    s->sequence = NULL;
}

static void undo_plan(stage *s)
{
    het_plan_destroy(s->plan);
    s->plan = NULL;
}

static void undo_policy(stage *s)
{
    het_policy_destroy(s->policy);
    s->policy = NULL;
}

static void undo_nothing(stage *s)
{
    (void)s;
}

/* HETINFER_TEST_STRIDE: of how many allocations one fails; every one without it. */
static uint64_t stride(void)
{
    const char *said = getenv("HETINFER_TEST_STRIDE");
    const long n = said ? strtol(said, NULL, 10) : 1;
    return n > 0 ? (uint64_t)n : 1;
}

/* Fail the first allocation, the second, … until the call gets through without meeting one. */
static void fail_each(const char *what, het_status (*act)(stage *, het_error *),
                      void (*undo)(stage *), stage *s, uint64_t least)
{
    const uint64_t step = stride();
    uint64_t n = 1, reached = 0;
    for (; n < CALLS_MAX; n += step) {
        const int64_t blocks = counter.blocks, bytes = counter.bytes;
        het_error err = HET_ERROR_INIT;
        counting_allocator_fail(&counter, n);
        const het_status st = act(s, &err);
        const bool met = counter.failed > 0;
        counting_allocator_fail(&counter, 0);
        if (!met) {
            CHECK_INT(st, HET_OK);
            undo(s);
            break;
        }
        reached++;
        if (st != HET_OK && st != HET_E_NOMEM)
            TEST_FAIL("%s, allocation %d: %s: %s", what, (int)n, het_status_name(st), err.message);
        if (st == HET_E_NOMEM && (err.status != HET_E_NOMEM || !err.message[0]))
            TEST_FAIL("%s, allocation %d: no message", what, (int)n);
        if (st == HET_OK)
            undo(s);
        if (counter.blocks != blocks || counter.bytes != bytes)
            TEST_FAIL("%s, allocation %d: %d blocks, %d bytes more than before", what, (int)n,
                      (int)(counter.blocks - blocks), (int)(counter.bytes - bytes));
    }
    printf("%-14s %d allocations\n", what, (int)reached);
    CHECK(n < CALLS_MAX && reached >= least / step);
    het_error err = HET_ERROR_INIT;
    if (act(s, &err) != HET_OK)
        TEST_FAIL("%s afterwards: %s", what, err.message);
}

static void every_allocation(void)
{
    stage s = { 0 };
    fail_each("context", do_context, undo_context, &s, 2);
    fail_each("machine", do_machine, undo_machine, &s, 3);
    undo_machine(&s);
    fail_each("profile", do_profile, undo_machine, &s, 5);
    undo_machine(&s);
    fail_each("machine file", do_machine_file, undo_machine, &s, 10);
    undo_machine(&s);
    test_folder_empty(&folder);
    fail_each("inspect", do_inspect, undo_nothing, &s, 3);
    fail_each("model", do_model, undo_model, &s, 5);
    fail_each("plan", do_plan, undo_plan, &s, 5);
    fail_each("analysis", do_analysis, undo_analysis, &s, 10);
    undo_analysis(&s);
    fail_each("groups", do_groups, undo_groups, &s, 10);
    undo_groups(&s);
    for (int i = 0; i < 2; i++, mapped = !mapped) {
        fail_each("first session", do_first_session, undo_session, &s, 10);
        undo_session(&s);
        fail_each("cached session", do_cached_session, undo_session, &s, 10);
        undo_session(&s);
    }
    fail_each("policy", do_policy, undo_policy, &s, 10);
    fail_each("rules", do_rule, undo_nothing, &s, 10);
    fail_each("its session", do_policy_session, undo_session, &s, 10);
    undo_session(&s);
    undo_policy(&s);
    fail_each("session", do_session, undo_session, &s, 10);
    fail_each("sequence", do_sequence, undo_sequence, &s, 5);
    fail_each("steps", do_steps, undo_nothing, &s, 0);
    fail_each("warm-up", do_warmup, undo_nothing, &s, 2);
    fail_each("generate", do_generate, undo_nothing, &s, 5);
    CHECK(text_bytes > 0);
    het_sequence_destroy(s.sequence);
    het_session_destroy(s.session);
    het_plan_destroy(s.plan);
    het_model_destroy(s.model);
    het_context_destroy(s.context);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
}

static void every_allocation_of_a_graph(void)
{
    stage s = { 0 };
    CHECK_INT(make_context(&s.context, NULL), HET_OK);
    fail_each("graph", do_network, undo_model, &s, 5);
    fail_each("its groups", do_groups, undo_groups, &s, 20);
    fail_each("its analysis", do_analysis, undo_analysis, &s, 20);
    undo_analysis(&s);
    undo_groups(&s);
    fail_each("its plan", do_plan, undo_plan, &s, 5);
    undo_plan(&s);
    fail_each("its session", do_session, undo_session, &s, 3);
    undo_session(&s);
    fail_each("its runs", do_new_runs, undo_nothing, &s, 10);
    undo_model(&s);
    undo_context(&s);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
}

/* ---- families: files of tests/models/reference/families ---- */

static char family_path[512];

static het_status do_family(stage *s, het_error *err)
{
    return het_model_load(s->context, family_path, NULL, &s->model, err);
}

static het_status do_family_steps(stage *s, het_error *err)
{
    static const int32_t ids[20] = { 5, 9, 80, 33, 7 };
    het_status st = het_sequence_truncate(s->sequence, 0, err);
    if (st == HET_OK)
        st = het_sequence_append(s->sequence, ids, 20, 0, err);
    while (st == HET_OK && het_sequence_pending(s->sequence) > 0)
        st = het_session_step(s->session, NULL, err);
    return st;
}

static void every_allocation_of_families(void)
{
    static const char *const names[] = { "gemma2", "gemma3n", "phimoe" };
    stage s = { 0 };
    CHECK_INT(make_context(&s.context, NULL), HET_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[128];
        snprintf(file, sizeof file, "tests/models/reference/families/%s.config.json", names[i]);
        test_source_path(family_path, sizeof family_path, file);
        fail_each("configuration", do_family, undo_model, &s, 4);
        fail_each("its plan", do_plan, undo_plan, &s, 5);
        undo_plan(&s);
        undo_model(&s);
        snprintf(file, sizeof file, "tests/models/reference/families/%s.gguf", names[i]);
        test_source_path(family_path, sizeof family_path, file);
        fail_each(names[i], do_family, undo_model, &s, 5);
        fail_each("its session", do_session, undo_session, &s, 10);
        CHECK_INT(het_sequence_create(s.session, &s.sequence, NULL), HET_OK);
        fail_each("its steps", do_family_steps, undo_nothing, &s, 0);
        undo_sequence(&s);
        undo_session(&s);
        undo_model(&s);
    }
    undo_context(&s);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
}

/* ---- folders: tests/models/reference/folders, and a tokenizer ---- */

static het_status do_tokenizer(stage *s, het_error *err)
{
    static const int32_t ids[4] = { 3, 40, 200, 260 };
    const char *sample = "the other caf\xc3\xa9 <|end|> 12";
    int32_t out[64];
    size_t n = 0;
    het_model *m = NULL;
    het_detokenizer *d = NULL;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    o.flags = HET_MODEL_TOKENIZER_ONLY;
    het_status st = het_model_load(s->context, folder.path, &o, &m, err);
    if (st == HET_OK)
        st = het_tokenizer_encode(het_model_tokenizer(m), sample, strlen(sample),
                                  HET_ENCODE_PARSE_SPECIAL, out, 64, &n, err);
    if (st == HET_OK)
        st = het_detokenizer_create(het_model_tokenizer(m), 0, &d, err);
    if (st == HET_OK)
        CHECK_INT(het_detokenizer_push(d, ids[1], &(const char *){ NULL }, NULL), HET_OK);
    het_detokenizer_destroy(d);
    het_model_destroy(m);
    return st;
}

static void every_allocation_of_folders(void)
{
    static const char *const names[] = { "gemma2", "gemma3n", "phimoe", "phi3" };
    static const char *const tokenizers[] = { "llama", "qwen2" };
    char file[128], path[512];
    stage s = { 0 };
    CHECK_INT(make_context(&s.context, NULL), HET_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(file, sizeof file, "tests/models/reference/folders/%s", names[i]);
        test_source_path(family_path, sizeof family_path, file);
        fail_each(names[i], do_family, undo_model, &s, 10);
        fail_each("its session", do_session, undo_session, &s, 10);
        undo_session(&s);
        fail_each("cached session", do_cached_session, undo_session, &s, 10);
        undo_session(&s);
        undo_model(&s);
    }
    test_folder_empty(&folder);
    for (size_t i = 0; i < sizeof tokenizers / sizeof tokenizers[0]; i++) {
        size_t bytes = 0;
        snprintf(file, sizeof file, "tests/vectors/tokenizers/%s.json", tokenizers[i]);
        void *data = test_read_file(test_source_path(path, sizeof path, file), &bytes);
        FILE *f = fopen(test_folder_file(&folder, "tokenizer.json"), "wb");
        CHECK(data && f && fwrite(data, 1, bytes, f) == bytes);
        if (f)
            fclose(f);
        free(data);
        fail_each("tokenizer", do_tokenizer, undo_nothing, &s, 10);
    }
    test_folder_empty(&folder);
    undo_context(&s);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
}

/* ---- packages ---- */

static char packed_path[512];

static het_status do_pack(stage *s, het_error *err)
{
    return het_package_write(s->context, family_path, packed_path, NULL, NULL, err);
}

static het_status do_extract(stage *s, het_error *err)
{
    char target[512];
    snprintf(target, sizeof target, "%s", test_folder_file(&folder, "back.gguf"));
    const het_status st = het_package_extract(s->context, packed_path, target, NULL, NULL, err);
    CHECK_INT(remove(target), st == HET_OK ? 0 : -1); /* nothing half-made */
    return st;
}

/* Of a file and of a folder; both give the model that they hold. */
static void every_allocation_of_packages(void)
{
    static const char *const sources[] = { "families/phimoe.gguf", "folders/gemma2" };
    char file[128];
    het_error err = HET_ERROR_INIT;
    stage s = { 0 };
    CHECK_INT(make_context(&s.context, NULL), HET_OK);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        snprintf(file, sizeof file, "tests/models/reference/%s", sources[i]);
        test_source_path(family_path, sizeof family_path, file);
        snprintf(packed_path, sizeof packed_path, "%s", test_folder_file(&folder, "packed.het"));
        if (do_pack(&s, &err) == HET_E_UNSUPPORTED) {
            printf("%s\n", err.message);
            break;
        }
        fail_each("packing", do_pack, undo_nothing, &s, 10);
        if (i == 0)
            fail_each("unpacking", do_extract, undo_nothing, &s, 5);
        memcpy(family_path, packed_path, sizeof family_path);
        fail_each("a package", do_family, undo_model, &s, 10);
        fail_each("its session", do_session, undo_session, &s, 10);
        undo_session(&s);
        undo_model(&s);
        test_folder_empty(&folder);
    }
    undo_context(&s);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
}

static void write_file(const char *name, const void *data, size_t bytes)
{
    FILE *f = fopen(test_folder_file(&folder, name), "wb");
    CHECK(f && fwrite(data, 1, bytes, f) == bytes);
    if (f)
        fclose(f);
}

/* A file of the folder, cut off at every 64th byte: the load says so and keeps nothing. */
static void cut_each(const stage *s, const char *source, const char *name, uint64_t flags)
{
    char path[512];
    size_t bytes = 0;
    uint8_t *data = test_read_file(test_source_path(path, sizeof path, source), &bytes);
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    o.flags = flags;
    CHECK(data != NULL);
    for (size_t n = 0; data && n < bytes; n += 64) {
        const int64_t blocks = counter.blocks, before = counter.bytes;
        het_error err = HET_ERROR_INIT;
        het_model *m = NULL;
        write_file(name, data, n);
        const het_status st = het_model_load(s->context, folder.path, &o, &m, &err);
        if (st != HET_E_FORMAT || m || !strstr(err.message, name))
            TEST_FAIL("%s of %zu bytes: %s: %s", name, n, het_status_name(st), err.message);
        CHECK(counter.blocks == blocks && counter.bytes == before);
    }
    if (data)
        write_file(name, data, bytes);
    free(data);
}

static void every_cut_of_a_folder(void)
{
    static const char model[] = "tests/models/reference/folders/phi3/";
    char file[128], path[512];
    stage s = { 0 };
    size_t bytes = 0;
    CHECK_INT(make_context(&s.context, NULL), HET_OK);
    test_folder_empty(&folder);
    snprintf(file, sizeof file, "%smodel.safetensors", model);
    void *data = test_read_file(test_source_path(path, sizeof path, file), &bytes);
    CHECK(data != NULL);
    write_file("model.safetensors", data ? data : "", bytes);
    free(data);
    snprintf(file, sizeof file, "%sconfig.json", model);
    cut_each(&s, file, "config.json", 0);
    snprintf(file, sizeof file, "%smodel.safetensors", model);
    cut_each(&s, file, "model.safetensors", 0);
    CHECK_INT(het_model_load(s.context, folder.path, NULL, &s.model, NULL), HET_OK);
    undo_model(&s);
    cut_each(&s, "tests/vectors/tokenizers/llama.json", "tokenizer.json",
             HET_MODEL_TOKENIZER_ONLY);
    test_folder_empty(&folder);
    undo_context(&s);
    CHECK_INT(counter.blocks, 0);
}

/* Each device by itself, and all of them together. */
int main(void)
{
    static char names[16][16];
    uint32_t count = 0;
    tiny_options o = TINY_LLAMA;
    o.vocabulary = 300;
    o.words = true;
    tiny_make(&tiny, &o);
    tiny_onnx_make(&network);
    test_folder_make(&folder);
    allocator = counting_allocator_of(&counter);
    het_context *context = NULL;
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    for (uint32_t i = 0; context && i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        CHECK_INT(het_device_get_info(het_context_device(context, i), &info), HET_OK);
        snprintf(names[count++], sizeof names[0], "%s", info.backend);
    }
    het_context_destroy(context);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(backends, sizeof backends, "%.15s", names[i]);
        printf("with %s\n", backends);
        test_case(every_allocation);
        test_case(every_allocation_of_a_graph);
        test_case(every_allocation_of_families);
        test_case(every_allocation_of_folders);
    }
    test_case(every_allocation_of_packages);
    test_case(every_cut_of_a_folder);
    strcpy(backends, "ref,null");
    test_case(every_allocation);
    test_folder_remove(&folder);
    tiny_free(&tiny);
    tiny_onnx_free(&network);
    return test_finish();
}

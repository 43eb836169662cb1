/* SPDX-License-Identifier: Apache-2.0 */
/* A language model on the Level Zero backend and the test driver: the tokens of other devices, what
 * a step submits, and what the second start need not make again. */
#include <unistd.h>

#include <hetinfer.h>

#include "drivers/level_zero/ask.h"
#include "folder.h"
#include "rig.h"

#define PROMPT "The fire in the hearth"
#define TOKENS 24

static void (*counts)(ze_test_counters *);

typedef struct result {
    int32_t ids[TOKENS];
    ze_test_counters loaded, first, last; /* before the first step, after it, at the end */
} result;

static int32_t best_of(const float *logits, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return (int32_t)best;
}

static het_status next_token(het_session *session, het_sequence *sequence, uint32_t vocabulary,
                             int32_t *id, het_error *err)
{
    uint64_t pending = 0;
    uint32_t rows = 0;
    het_status s;
    do {
        s = het_session_step(session, &pending, err);
    } while (!s && pending > 0);
    if (s)
        return s;
    const float *logits = het_sequence_logits(sequence, NULL, &rows);
    if (!logits)
        return HET_E_INTERNAL;
    *id = best_of(logits + (size_t)(rows - 1) * vocabulary, vocabulary);
    return het_sequence_append(sequence, id, 1, 0, err);
}

static het_status generate(const het_model *model, het_session *session, het_sequence *sequence,
                           result *out, het_error *err)
{
    int32_t prompt[64];
    size_t count = 0;
    het_model_info info = { .struct_size = sizeof info };
    het_status s = het_model_get_info(model, &info);
    if (!s)
        s = het_tokenizer_encode(het_model_tokenizer(model), PROMPT, strlen(PROMPT),
                                 HET_ENCODE_ADD_SPECIAL, prompt, 64, &count, err);
    if (!s)
        s = het_sequence_append(sequence, prompt, count, 0, err);
    for (int i = 0; i < TOKENS && !s; i++) {
        s = next_token(session, sequence, (uint32_t)info.vocabulary_size, &out->ids[i], err);
        if (i == 1) /* the first step of one token is behind us */
            counts(&out->first);
    }
    counts(&out->last);
    return s;
}

static void run(const char *backend, result *out)
{
    char path[512];
    het_error err = HET_ERROR_INIT;
    het_context_options c = HET_CONTEXT_OPTIONS_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *session = NULL;
    het_sequence *sequence = NULL;
    memset(out, 0, sizeof *out);
    c.backends = backend;
    o.precision = HET_PRECISION_EXACT;
    o.kv_dtype = HET_DTYPE_F32;
    o.context_max = 128;
    o.threads = 1;
    test_source_path(path, sizeof path, "examples/models/hearth.gguf");
    het_status s = het_context_create(&c, &context, &err);
    if (!s)
        s = het_model_load(context, path, NULL, &model, &err);
    if (!s)
        s = het_session_create(model, &o, &session, &err);
    if (!s)
        s = het_sequence_create(session, &sequence, &err);
    counts(&out->loaded);
    if (!s)
        s = generate(model, session, sequence, out, &err);
    if (s)
        TEST_FAIL("%s: %s", backend, err.message);
    het_sequence_destroy(sequence);
    het_session_destroy(session);
    het_model_destroy(model);
    het_context_destroy(context);
}

static result reference, cold, warm;

static void tokens_are_those_of_other_devices(void)
{
    run("ref", &reference);
    run("intel_l0", &cold);
    for (int i = 0; i < TOKENS; i++)
        CHECK_INT(cold.ids[i], reference.ids[i]);
}

static void steps_allocate_nothing(void)
{
    const double steps = TOKENS - 2;
    CHECK_INT(cold.last.allocations, cold.first.allocations);
    CHECK_INT(cold.last.objects, cold.first.objects);
    CHECK(cold.last.launches > cold.first.launches);
    printf("stand-in, a step of one token: %.0f submissions, %.0f kernels, %.0f bytes copied\n",
           (double)(cold.last.submissions - cold.first.submissions) / steps,
           (double)(cold.last.launches - cold.first.launches) / steps,
           (double)(cold.last.copied_bytes - cold.first.copied_bytes) / steps);
}

static void the_second_start_makes_no_module(void)
{
    run("intel_l0", &warm);
    for (int i = 0; i < TOKENS; i++)
        CHECK_INT(warm.ids[i], reference.ids[i]);
    printf("modules from SPIR-V and native binaries: first %llu and %llu, then %llu and %llu\n",
           (unsigned long long)cold.loaded.translations, (unsigned long long)cold.loaded.natives,
           (unsigned long long)(warm.loaded.translations - cold.loaded.translations),
           (unsigned long long)(warm.loaded.natives - cold.loaded.natives));
    CHECK_INT(cold.loaded.natives, 0);
    CHECK_INT(warm.loaded.translations, cold.loaded.translations);
    CHECK(warm.loaded.natives > 0);
}

int main(void)
{
    test_folder root, files;
    if (!rig_backend("intel_l0"))
        test_skip("the library is built without Level Zero");
    counts = ze_ask_find().counts;
    test_folder_make(&root);
    setenv("HETINFER_KERNEL_CACHE", root.path, 1);
    test_case(tokens_are_those_of_other_devices);
    test_case(steps_allocate_nothing);
    test_case(the_second_start_makes_no_module);
    snprintf(files.path, sizeof files.path, "%.200s/level_zero", root.path);
    test_folder_remove(&files);
    rmdir(root.path);
    return test_finish();
}

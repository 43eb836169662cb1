/* SPDX-License-Identifier: Apache-2.0 */
/* A context of a host device and null devices, models spread over them, and what the tests of
 * failover compare: tokens, outputs, warnings, memory. */
#ifndef HETINFER_TEST_FAILOVER_H
#define HETINFER_TEST_FAILOVER_H

#include <hetinfer.h>

#include "backends/null/null.h"
#include "counting_allocator.h"
#include "tiny_model.h"

#define FO_VOCABULARY 120
#define FO_PROMPT 5
#define FO_TOKENS 16
#define FO_HOST 0 /* devices of the context: the host's, then the null devices */
#define FO_FIRST 1
#define FO_SECOND 2

typedef struct failover {
    counting_allocator counter;
    het_allocator allocator;
    het_context *context;
    tiny_model tiny;
    het_model *model;   /* a language model */
    void *network_file;
    het_model *network; /* a graph; NULL: not loaded */
    het_policy *policy; /* of sessions; may be NULL */
    uint64_t flags;     /* of sessions */
    uint32_t threads;
    uint32_t warnings, errors; /* logged so far */
    uint32_t late;             /* of these: devices that had not answered in time */
    char line[512];            /* the last of them */
} failover;

static void fo_log(void *user, het_log_level level, const char *component, const char *message)
{
    failover *f = user;
    (void)component;
    f->warnings += level == HET_LOG_WARN;
    f->errors += level == HET_LOG_ERROR;
    f->late += strstr(message, "has not answered") != NULL;
    if (level <= HET_LOG_WARN)
        snprintf(f->line, sizeof f->line, "%s", message);
}

/* Faults, counters and lines of earlier tests are forgotten. */
static inline void fo_reset(failover *f, uint32_t devices)
{
    het__null_reset();
    het__null_devices(devices);
    f->warnings = f->errors = f->late = 0;
    f->line[0] = '\0';
}

static inline void fo_open(failover *f, const char *backends, uint32_t devices)
{
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    tiny_options t = TINY_LLAMA;
    memset(f, 0, sizeof *f);
    fo_reset(f, devices);
    f->allocator = counting_allocator_of(&f->counter);
    f->threads = 2;
    o.allocator = &f->allocator;
    o.flags = HET_CONTEXT_NO_ENV;
    o.backends = backends;
    o.log = fo_log;
    o.log_user = f;
    o.log_level = HET_LOG_WARN;
    t.layers = 3;
    tiny_make(&f->tiny, &t);
    if (het_context_create(&o, &f->context, &err) != HET_OK ||
        het_model_load_memory(f->context, f->tiny.file, f->tiny.bytes, NULL, &f->model, &err))
        TEST_FAIL("%s", err.message);
}

static inline void fo_set_policy(failover *f, const char *text)
{
    het_error err = HET_ERROR_INIT;
    het_policy_destroy(f->policy);
    f->policy = NULL;
    if (text && het_policy_load_memory(f->context, text, strlen(text), NULL, &f->policy, &err))
        TEST_FAIL("%s", err.message);
}

static inline void fo_load_network(failover *f, const char *name)
{
    char path[512];
    size_t bytes = 0;
    het_error err = HET_ERROR_INIT;
    f->network_file = test_read_file(test_source_path(path, sizeof path, name), &bytes);
    if (!f->network_file ||
        het_model_load_memory(f->context, f->network_file, bytes, NULL, &f->network, &err))
        TEST_FAIL("%s: %s", path, err.message);
}

static inline void fo_close(failover *f)
{
    het_policy_destroy(f->policy);
    het_model_destroy(f->network);
    het_model_destroy(f->model);
    het_context_destroy(f->context);
    CHECK_INT(f->counter.blocks, 0);
    free(f->network_file);
    tiny_free(&f->tiny);
    het__null_reset();
}

static inline het_status fo_session(const failover *f, const het_model *model,
                                    het_session **session, het_error *err)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.threads = f->threads;
    o.context_max = 64;
    o.batch_max = 8;
    o.sequence_max = 2;
    o.kv_dtype = HET_DTYPE_F32;
    o.precision = HET_PRECISION_EXACT;
    o.policy = f->policy;
    o.flags = f->flags;
    return het_session_create(model, &o, session, err);
}

/* ---- a generation ---- */

typedef struct fo_run {
    int32_t tokens[FO_TOKENS];
    float logits[FO_TOKENS][FO_VOCABULARY];
    uint32_t count;
} fo_run;

static inline int32_t fo_best(const float *logits)
{
    int32_t best = 0;
    for (int32_t i = 1; i < FO_VOCABULARY; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* One step, and the token that it says is next. */
static inline het_status fo_next(het_session *session, het_sequence *sequence, fo_run *run,
                                 het_error *err)
{
    while (het_sequence_pending(sequence) > 0) {
        const het_status s = het_session_step(session, NULL, err);
        if (s != HET_OK)
            return s;
    }
    const float *logits = het_sequence_logits(sequence, NULL, NULL);
    CHECK(logits != NULL);
    if (!logits)
        return HET_E_INTERNAL;
    memcpy(run->logits[run->count], logits, sizeof run->logits[0]);
    const int32_t id = run->tokens[run->count++] = fo_best(logits);
    return het_sequence_append(sequence, &id, 1, 0, err);
}

static inline het_status fo_begin(het_session *session, het_sequence **sequence, het_error *err)
{
    static const int32_t prompt[FO_PROMPT] = { 5, 9, 80, 33, 7 };
    const het_status s = het_sequence_create(session, sequence, err);
    return s == HET_OK ? het_sequence_append(*sequence, prompt, FO_PROMPT, 0, err) : s;
}

/* Greedy, count tokens. */
static inline het_status fo_generate(het_session *session, uint32_t count, fo_run *run,
                                     het_error *err)
{
    het_sequence *sequence = NULL;
    memset(run, 0, sizeof *run);
    het_status s = fo_begin(session, &sequence, err);
    while (s == HET_OK && run->count < count)
        s = fo_next(session, sequence, run, err);
    het_sequence_destroy(sequence);
    return s;
}

/* Tokens alike; logits within what other orders of summation make. */
static inline bool fo_same(const fo_run *a, const fo_run *b, uint32_t count)
{
    bool same = a->count == count && b->count >= count;
    for (uint32_t i = 0; same && i < count; i++) {
        same = a->tokens[i] == b->tokens[i];
        for (uint32_t k = 0; same && k < FO_VOCABULARY; k++)
            same = fabs((double)a->logits[i][k] - (double)b->logits[i][k]) < 1e-4;
    }
    return same;
}

/* ---- the network of digits ---- */

#define FO_OUTPUTS 64

static inline het_status fo_bind_digits(const failover *f, het_session *session, het_error *err)
{
    static float pixels[4096];
    het_port port = { .struct_size = sizeof port, .desc = HET_TENSOR_DESC_INIT };
    het_tensor t = HET_TENSOR_INIT;
    CHECK_INT(het_model_input_at(f->network, 0, &port), HET_OK);
    t.desc = port.desc;
    for (uint32_t i = 0; i < t.desc.rank; i++)
        t.desc.extent[i] = t.desc.extent[i] > 0 ? t.desc.extent[i] : 1;
    for (size_t i = 0; i < 4096; i++)
        pixels[i] = (float)(i * 7 % 17) / 16;
    t.data = pixels;
    t.size_bytes = sizeof pixels;
    return het_session_bind_input(session, port.name, &t, err);
}

static inline het_status fo_run_digits(const failover *f, het_session *session, float *out,
                                       uint32_t *count, het_error *err)
{
    het_port port = { .struct_size = sizeof port, .desc = HET_TENSOR_DESC_INIT };
    het_tensor t = HET_TENSOR_INIT;
    het_status s = het_session_run(session, err);
    CHECK_INT(het_model_output_at(f->network, 0, &port), HET_OK);
    if (s == HET_OK)
        s = het_session_get_output(session, port.name, &t, err);
    *count = s == HET_OK ? (uint32_t)(t.size_bytes / sizeof(float)) : 0;
    if (*count > FO_OUTPUTS)
        *count = FO_OUTPUTS;
    if (s == HET_OK)
        memcpy(out, t.data, *count * sizeof *out);
    return s;
}

static inline het_device_health fo_health(const het_session *session, uint32_t device)
{
    het_device_health health = { .struct_size = sizeof health };
    CHECK_INT(het_session_device_health(session, device, &health), HET_OK);
    return health;
}

/* Whether a plan of the session has something on a device. */
static inline bool fo_uses(const het_session *session, uint32_t device)
{
    for (int phase = HET_PHASE_DECODE; phase <= HET_PHASE_PREFILL; phase++) {
        const het_plan *plan = het_session_plan(session, (het_phase)phase);
        het_plan_layer layer = { .struct_size = sizeof layer };
        for (uint32_t i = 0; plan && het_plan_layer_at(plan, i, &layer) == HET_OK; i++)
            if (layer.device == device)
                return true;
    }
    return false;
}

static inline void fo_arm(uint32_t device, het__null_call call, uint64_t number, bool lasting,
                          het__null_effect effect, het_status status)
{
    const het__null_fault fault = { .call = call, .number = number, .lasting = lasting,
                                    .effect = effect, .status = status, .device = device };
    CHECK(het__null_arm(&fault));
}

#endif /* HETINFER_TEST_FAILOVER_H */

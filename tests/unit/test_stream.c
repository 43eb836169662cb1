/* SPDX-License-Identifier: Apache-2.0 */
/* A device with less memory than its layers' weights brings them for each run: the bits are those
 * of one that keeps them all, for every budget down to two slots; what is brought adds up; a step
 * allocates nothing; an upload that fails costs a warning and no token.
 *
 * A processor's OpenCL driver stands in for a GPU's; without one the program skips. Uploads are
 * failed by this program's own functions of OpenCL, which stand before the driver's.
 *
 * Usage: test_stream [intel_l0]: the same on Level Zero's test driver, which fails by itself. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "../fault/failover.h"
#include "cl_case.h"
#include "cl_uploads.h"
#include "drivers/level_zero/ask.h"
#include "lib/api/handles.h"

#define LAYERS 6

static uint32_t failures; /* uploads that failed */

/* ---- models and sessions ---- */

static failover f;

static void open_all(const char *backends, uint32_t type, bool tied)
{
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    tiny_options t = TINY_LLAMA;
    memset(&f, 0, sizeof f);
    f.allocator = counting_allocator_of(&f.counter);
    f.threads = 1;
    o.allocator = &f.allocator;
    o.backends = backends;
    o.log = fo_log;
    o.log_user = &f;
    o.log_level = HET_LOG_WARN;
    t.layers = LAYERS;
    t.type = type;
    t.tied = tied;
    tiny_make(&f.tiny, &t);
    if (het_context_create(&o, &f.context, &err) != HET_OK ||
        het_model_load_memory(f.context, f.tiny.file, f.tiny.bytes, NULL, &f.model, &err))
        TEST_FAIL("%s", err.message);
}

static const het__plan *plan_of(const het_session *session, het_phase phase)
{
    return het_session_plan(session, phase)->plan;
}

typedef struct outcome {
    fo_run run;
    het__plan_stream stream;
    het__plan_memory memory;
    double layers_bytes; /* that its layers keep, where all are kept */
    uint64_t allocations;
    het_telemetry_device used;
    het_expert_traffic traffic;
    char reason[256];
} outcome;

/* Of the device that is used; no test has two. */
static het_telemetry_device usage_of(const het_session *session)
{
    het_telemetry_device u = { .struct_size = sizeof u };
    uint32_t d = 0;
    while (het_telemetry_device_at(session, d++, &u) == HET_OK && !u.program_count)
        u = (het_telemetry_device){ .struct_size = sizeof u };
    CHECK(u.program_count > 0);
    return u;
}

static het_status generate_by(const char *policy, outcome *out, het_error *err)
{
    het_session *session = NULL;
    memset(out, 0, sizeof *out);
    fo_set_policy(&f, policy);
    het_status s = fo_session(&f, f.model, &session, err);
    if (s == HET_OK)
        s = fo_generate(session, FO_TOKENS, &out->run, err);
    if (s == HET_OK) {
        const het__plan *p = plan_of(session, HET_PHASE_DECODE);
        het_telemetry t = { .struct_size = sizeof t };
        CHECK_INT(het_telemetry_snapshot(session, &t), HET_OK);
        out->allocations = t.allocation_count;
        out->used = usage_of(session);
        out->traffic.struct_size = sizeof out->traffic;
        CHECK_INT(het_session_expert_traffic(session, &out->traffic), HET_OK);
        out->stream = p->stream[0];
        out->memory = p->memory[0];
        for (uint32_t i = 0; i < p->entry_count; i++) {
            if (p->entries[i].layer >= 0)
                out->layers_bytes += p->entries[i].stored_bytes;
            if (p->entries[i].is_streamed)
                snprintf(out->reason, sizeof out->reason, "%s", p->entries[i].reason);
        }
    }
    het_session_destroy(session);
    return s;
}

/* device: the only one that may be used. bytes 0: no limit. */
static het_status generate(const char *device, double bytes, const char *more, outcome *out,
                           het_error *err)
{
    char text[300];
    snprintf(text, sizeof text,
             "hetinfer-policy: 1\ndevices: [%s]\nlimits:\n  %s: { memory: %.0f B%s }\n", device,
             device, bytes, more);
    return generate_by(bytes > 0 ? text : NULL, out, err);
}

static bool same_bits(const fo_run *a, const fo_run *b)
{
    return a->count == b->count && memcmp(a->tokens, b->tokens, sizeof a->tokens) == 0 &&
           memcmp(a->logits, b->logits, sizeof a->logits) == 0;
}

/* ---- the same bits ---- */

/* From just too little to two slots: fewer and fewer layers stay. */
static void budgets(const char *backend, const char *device, uint32_t type)
{
    static outcome want, got;
    het_error err = HET_ERROR_INIT;
    uint32_t last = 0;
    open_all(backend, type, false);
    if (generate(device, 0, "", &want, &err))
        TEST_FAIL("%s", err.message);
    CHECK_INT(want.stream.slot_count, 0);
    const het__plan_memory *m = &want.memory;
    const double all = m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes;
    for (int part = 0; part <= LAYERS - 2; part++) {
        const double bytes = all - 1 - want.layers_bytes / LAYERS * part;
        const het_status s = generate(device, bytes, ", stream: true", &got, &err);
        if (s && part < LAYERS - 3)
            TEST_FAIL("%d: %s", part, err.message);
        if (s || !got.stream.slot_count) /* two slots and what is always there take more: */
            break;                       /* a processor's weights stay in the file then */
        CHECK(same_bits(&got.run, &want.run));
        CHECK(got.stream.come_count >= 2 && got.stream.come_count >= last);
        CHECK_INT(got.stream.layer_count, LAYERS);
        CHECK(got.memory.weight_bytes + got.memory.state_bytes + got.memory.io_bytes +
                  got.memory.activation_bytes <= bytes);
        CHECK_INT(strstr(got.reason, "weights come for each step") != NULL, 1);
        last = got.stream.come_count;
        printf("%s: %.0f of %.0f bytes: %u of %u layers come\n", backend, bytes, all,
               got.stream.come_count, got.stream.layer_count);
    }
    CHECK(last >= LAYERS - 2);
    CHECK_INT(f.warnings + f.errors, 0);
    fo_close(&f);
}

static void bits_on_opencl(void)
{
    cl_fault.calls = 0;
    budgets("opencl_igpu", "opencl_igpu", GW_F32);
    CHECK(cl_fault.calls > 0);
    budgets("opencl_igpu", "opencl_igpu", GW_Q8_0);
}

static void bits_on_gpu_kernels(void)
{
    cl_be_gpu(true);
    budgets("opencl_igpu", "opencl_igpu", GW_Q8_0);
    cl_be_gpu(false);
}

static void bits_on_sim(void)
{
    budgets("sim", "simulated", GW_Q8_0);
}

/* ---- what is brought ---- */

static void check_counters(const char *backend)
{
    het_error err = HET_ERROR_INIT;
    static outcome want;
    het_session *session = NULL;
    char text[200];
    fo_run run;
    open_all(backend, GW_Q8_0, false);
    CHECK_INT(generate(backend, 0, "", &want, &err), HET_OK);
    const het__plan_memory *m = &want.memory;
    snprintf(text, sizeof text, "hetinfer-policy: 1\nlimits:\n"
             "  %s: { memory: %.0f B, stream: true }\n", backend,
             m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes -
             want.layers_bytes / 2);
    fo_set_policy(&f, text);
    if (fo_session(&f, f.model, &session, &err)) {
        TEST_FAIL("%s", err.message);
        return;
    }
    const het__plan *p = plan_of(session, HET_PHASE_DECODE);
    const uint32_t come = p->stream[0].come_count;
    CHECK_INT(fo_generate(session, 4, &run, &err), HET_OK);
    const het_telemetry_device before = usage_of(session);
    const uint64_t blocks = f.counter.blocks;
    CHECK_INT(fo_generate(session, FO_TOKENS, &run, &err), HET_OK);
    const het_telemetry_device after = usage_of(session);
    CHECK_INT(f.counter.blocks, blocks);
    CHECK(same_bits(&run, &want.run));
    /* A prompt and 15 tokens behind it. All but the first of a kind came beside what ran. */
    const uint64_t brought = after.stream_count - before.stream_count;
    printf("%llu brought, %llu of them ahead, %u layers come\n", (unsigned long long)brought,
           (unsigned long long)(after.stream_ahead_count - before.stream_ahead_count), come);
    CHECK(come >= 3);
    CHECK(brought >= (uint64_t)come * FO_TOKENS && brought <= (uint64_t)come * FO_TOKENS + 3);
    CHECK(after.stream_ahead_count - before.stream_ahead_count + 3 >= brought);
    CHECK_INT(after.stream_bytes - before.stream_bytes,
              brought * (uint64_t)(p->stream[0].bytes / come));
    CHECK(after.stream_slot_bytes > 0 && after.weight_bytes > after.stream_slot_bytes);
    CHECK((double)after.weight_bytes < want.memory.weight_bytes);
    het_session_destroy(session);
    fo_close(&f);
}

static void counters_add_up(void)
{
    check_counters("opencl_igpu");
}

static void counters_of_level_zero_add_up(void)
{
    check_counters("intel_l0");
}

/* ---- traces ---- */

static int keep_text(void *user, const char *text, size_t bytes)
{
    char *all = user;
    const size_t used = strlen(all);
    if (used + bytes < 1 << 20) {
        memcpy(all + used, text, bytes);
        all[used + bytes] = '\0';
    }
    return 0;
}

/* Layers in the order in which they come, one after the other, and no others than the plan's. */
static void check_uploads(const het__trace *trace, const het__plan *p, uint64_t *count,
                          uint64_t *bytes, uint64_t *ahead)
{
    uint64_t free_ns = 0;
    *count = *bytes = *ahead = 0;
    for (uint32_t i = 0; i < het__trace_count(trace); i++) {
        const het__trace_event *e = het__trace_at(trace, i);
        char name[48];
        if (e->kind != HET__TRACE_UPLOAD)
            continue;
        snprintf(name, sizeof name, "block %d", e->layer);
        CHECK_STR(e->name, name);
        CHECK(e->begin_ns >= free_ns && e->end_ns >= e->begin_ns);
        CHECK(e->device == 0 && e->other == HET__TRACE_NO_EXPERT && e->step > 0);
        bool comes = false;
        for (uint32_t k = 0; k < p->entry_count; k++)
            comes = comes || (p->entries[k].layer == e->layer && p->entries[k].is_streamed);
        CHECK(comes);
        free_ns = e->end_ns;
        *count += 1;
        *bytes += e->bytes;
        *ahead += e->is_ahead;
    }
}

/* What a trace has of uploads is what the counters count, less what is still on its way. */
static void uploads_are_traced(const char *backend, const char *device, const char *clock)
{
    static char json[1 << 20];
    het_error err = HET_ERROR_INIT;
    static outcome want;
    het_session *session = NULL;
    char text[200];
    static fo_run run;
    uint64_t count, bytes, ahead;
    open_all(backend, GW_Q8_0, false);
    CHECK_INT(generate(device, 0, "", &want, &err), HET_OK);
    const het__plan_memory *m = &want.memory;
    snprintf(text, sizeof text, "hetinfer-policy: 1\nlimits:\n"
             "  %s: { memory: %.0f B, stream: true }\n", device,
             m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes -
             want.layers_bytes / 2);
    fo_set_policy(&f, text);
    if (fo_session(&f, f.model, &session, &err)) {
        TEST_FAIL("%s", err.message);
        return;
    }
    CHECK_INT(fo_generate(session, 4, &run, &err), HET_OK);
    const het_telemetry_device before = usage_of(session);
    CHECK_INT(het_session_trace_start(session, 0, &err), HET_OK);
    const uint64_t blocks = f.counter.blocks;
    CHECK_INT(fo_generate(session, FO_TOKENS, &run, &err), HET_OK);
    CHECK_INT(f.counter.blocks, blocks);
    const het_telemetry_device after = usage_of(session);
    check_uploads(session->trace, plan_of(session, HET_PHASE_DECODE), &count, &bytes, &ahead);
    const uint64_t brought = after.stream_count - before.stream_count;
    printf("%s: %u of %u uploads of %u bytes in the trace, %u of them ahead\n", backend,
           (unsigned)count, (unsigned)brought, (unsigned)bytes, (unsigned)ahead);
    CHECK(count <= brought && count + 2 >= brought && count > FO_TOKENS);
    CHECK_INT((after.stream_bytes - before.stream_bytes) * count, bytes * brought);
    CHECK(ahead <= after.stream_ahead_count - before.stream_ahead_count + 2);
    CHECK_INT(het_session_trace_write(session, keep_text, json, &err), HET_OK);
    CHECK(strstr(json, ": weights that come\"") != NULL);
    const char *first = strstr(json, "\"tid\":65,\"cat\":\"upload\",\"name\":\"block ");
    CHECK(first && (strstr(first, "\"ahead\":true") != NULL) == (ahead > 0));
    CHECK((ahead > 0) == (strcmp(clock, "device") == 0));
    snprintf(text, sizeof text, "\"clock\":\"%s\",\"layer\":", clock);
    CHECK(first && strstr(first, text) && strstr(first, text) < strchr(first, '\n'));
    json[0] = '\0';
    het_session_destroy(session);
    fo_close(&f);
}

static void uploads_of_opencl_are_traced(void)
{
    uploads_are_traced("opencl_igpu", "opencl_igpu", "device");
}

static void uploads_of_sim_are_traced(void)
{
    uploads_are_traced("sim", "simulated", "device");
}

static void uploads_of_level_zero_are_traced(void)
{
    uploads_are_traced("intel_l0", "intel_l0", "device");
}

/* ---- experts too ---- */

static double all_of(const het__plan_memory *m)
{
    return m->weight_bytes + m->slot_bytes + m->state_bytes + m->io_bytes + m->activation_bytes;
}

/* A mixture on a device with slots of experts and with less memory than the rest of its layers:
 * the tokens of a processor, and the bits of the same device with everything there. */
static void experts_and_layers(const char *backend, const char *device, bool has_slots)
{
    static outcome plain, whole, slots, both;
    het_error err = HET_ERROR_INIT;
    char list[40], text[200], path[512];
    snprintf(list, sizeof list, "%s,ref", backend);
    open_all(list, GW_Q8_0, false);
    het_model_destroy(f.model);
    f.model = NULL;
    test_source_path(path, sizeof path, "examples/models/hearth-phimoe");
    if (het_model_load(f.context, path, NULL, &f.model, &err) ||
        generate_by("hetinfer-policy: 1\ndevices: [ref]\n", &plain, &err) ||
        generate(device, 1e9, "", &whole, &err) ||
        generate(device, 1e9, ", experts: 150 kB", &slots, &err)) {
        TEST_FAIL("%s", err.message);
        return;
    }
    CHECK(fo_same(&whole.run, &plain.run, FO_TOKENS));
    CHECK(same_bits(&slots.run, &whole.run));
    CHECK_INT(slots.memory.slot_bytes > 0, has_slots);
    const double layers = slots.layers_bytes - slots.memory.slot_bytes;
    const double bytes = all_of(&slots.memory) - layers / 6;
    snprintf(text, sizeof text, ", experts: 150 kB, stream: true");
    if (generate(device, bytes, text, &both, &err))
        TEST_FAIL("%.0f bytes: %s", bytes, err.message);
    printf("%s: %.0f bytes instead of %.0f: %u of %u layers come in slots of %.0f, experts in "
           "%u slots of %.0f\n", backend, bytes, all_of(&whole.memory), both.stream.come_count,
           both.stream.layer_count, both.stream.slot_bytes, both.memory.slot_count,
           both.memory.slot_bytes);
    CHECK(same_bits(&both.run, &whole.run));
    CHECK(both.stream.come_count > 0 && both.used.stream_count >= FO_TOKENS);
    CHECK(all_of(&both.memory) <= bytes);
    CHECK_NEAR(both.memory.slot_bytes, slots.memory.slot_bytes, 0);
    CHECK_INT(both.used.stream_bytes * both.stream.come_count,
              both.used.stream_count * (uint64_t)both.stream.bytes);
    if (has_slots) { /* no expert comes with its layer */
        CHECK(both.stream.slot_bytes <= layers / both.stream.layer_count);
        CHECK_INT(both.traffic.slot_count, both.memory.slot_count);
        CHECK(both.traffic.miss_count > 0 && both.traffic.eviction_count > 0);
        CHECK(both.used.weight_bytes < slots.used.weight_bytes);
    }
    CHECK_INT(f.warnings + f.errors, 0);
    fo_close(&f);
}

static void experts_and_layers_on_opencl(void)
{
    experts_and_layers("opencl_igpu", "opencl_igpu", true);
    cl_be_gpu(true);
    experts_and_layers("opencl_igpu", "opencl_igpu", true);
    cl_be_gpu(false);
}

static void experts_and_layers_on_sim(void)
{
    experts_and_layers("sim", "simulated", false);
}

static void experts_and_layers_on_level_zero(void)
{
    experts_and_layers("intel_l0", "intel_l0", true);
}

/* ---- what is refused ---- */

static void never_means_never(void)
{
    static outcome out;
    het_error err = HET_ERROR_INIT;
    open_all("sim", GW_Q8_0, false);
    CHECK_INT(generate("simulated", 0, "", &out, &err), HET_OK);
    const het__plan_memory *m = &out.memory;
    const double bytes = m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes -
                         out.layers_bytes / 3;
    CHECK_INT(generate("simulated", bytes, ", stream: false", &out, &err), HET_E_UNSUPPORTED);
    /* Nothing else fits: it is done without being asked for. */
    CHECK_INT(generate("simulated", bytes, "", &out, &err), HET_OK);
    CHECK(out.stream.come_count > 0);
    CHECK_INT(generate("simulated", bytes / 10, ", stream: true", &out, &err),
              HET_E_UNSUPPORTED);
    fo_close(&f);
}

/* ---- uploads that fail ---- */

static void fail_upload(uint64_t from, uint64_t count, cl_int code, double bytes,
                        const fo_run *want)
{
    char text[400];
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    static fo_run run;
    snprintf(text, sizeof text, "hetinfer-policy: 1\nrules:\n  - prefer: opencl_igpu\nlimits:\n"
             "  opencl_igpu: { memory: %.0f B, stream: true }\n"
             "fallback:\n  on_error: {retry: 3, next: any}\n", bytes);
    fo_set_policy(&f, text);
    f.warnings = 0;
    cl_fault.calls = cl_fault.at = 0;
    if (fo_session(&f, f.model, &session, &err)) {
        TEST_FAIL("%s", err.message);
        return;
    }
    CHECK(plan_of(session, HET_PHASE_DECODE)->stream[0].come_count > 0);
    CHECK_INT(cl_fault.calls, 0);
    cl_fault.at = from;
    cl_fault.end = from + count;
    cl_fault.code = code;
    const het_status s = fo_generate(session, FO_TOKENS, &run, &err);
    const bool met = cl_fault.calls >= from;
    failures += met;
    cl_fault.at = 0;
    if (s)
        TEST_FAIL("upload %llu, code %d: %s", (unsigned long long)from, (int)code, err.message);
    CHECK(fo_same(&run, want, FO_TOKENS));
    CHECK_INT(f.warnings > 0, met);
    CHECK_INT(f.errors, 0);
    het_session_destroy(session);
}

static void failures_lose_nothing(void)
{
    static const struct { uint64_t count; cl_int code; } kinds[] = {
        { 1, CL_INVALID_OPERATION }, { 1, CL_OUT_OF_RESOURCES },
        { UINT32_MAX, CL_INVALID_OPERATION }, { UINT32_MAX, CL_OUT_OF_RESOURCES },
    };
    static outcome want;
    het_error err = HET_ERROR_INIT;
    open_all("opencl_igpu,ref", GW_Q8_0, false);
    CHECK_INT(generate("opencl_igpu", 1e9, "", &want, &err), HET_OK);
    const het__plan_memory *m = &want.memory;
    const double bytes = m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes -
                         want.layers_bytes / 2;
    const uint64_t step = getenv("HETINFER_TEST_LONG") ? 1 : 97;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (uint64_t at = 1 + k; at < 420; at += step)
            fail_upload(at, kinds[k].count, kinds[k].code, bytes, &want.run);
    printf("%u failures\n", failures);
    CHECK(failures >= 16);
    fo_close(&f);
}

/* What is sent for fails while other things run. */
static void late_failures(void)
{
    static outcome want;
    het_error err = HET_ERROR_INIT;
    open_all("opencl_igpu,ref", GW_Q8_0, false);
    CHECK_INT(generate("opencl_igpu", 1e9, "", &want, &err), HET_OK);
    const het__plan_memory *m = &want.memory;
    const double bytes = m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes -
                         want.layers_bytes / 2;
    cl_fault.is_late = true;
    for (uint64_t at = 1; at < 420; at += 141)
        fail_upload(at, 1, CL_OUT_OF_RESOURCES, bytes, &want.run);
    cl_fault.is_late = false;
    fo_close(&f);
}

/* Memory of the host runs out while a session is made. */
static void fail_allocations(const char *backend, uint64_t stride)
{
    static outcome want;
    het_error err = HET_ERROR_INIT;
    char text[200];
    bool met = true;
    uint32_t made = 0, refused = 0;
    open_all(backend, GW_Q8_0, false);
    CHECK_INT(generate(backend, 1e9, "", &want, &err), HET_OK);
    snprintf(text, sizeof text, "hetinfer-policy: 1\nlimits:\n"
             "  %s: { memory: %.0f B, stream: true }\n", backend,
             want.memory.weight_bytes + want.memory.state_bytes + want.memory.io_bytes +
             want.memory.activation_bytes - want.layers_bytes / 2);
    fo_set_policy(&f, text);
    for (uint64_t n = 1; met; n += getenv("HETINFER_TEST_LONG") ? 1 : stride) {
        het_session *session = NULL;
        counting_allocator_fail(&f.counter, n);
        const het_status s = fo_session(&f, f.model, &session, &err);
        met = f.counter.failed > 0;
        counting_allocator_fail(&f.counter, 0);
        CHECK(s == HET_OK || (met && s == HET_E_NOMEM));
        made += s == HET_OK;
        refused += s == HET_E_NOMEM;
        het_session_destroy(session);
    }
    printf("%u sessions made, %u refused\n", made, refused);
    CHECK(made > 0 && refused > 0);
    fo_close(&f);
}

static void allocations_fail(void)
{
    fail_allocations("opencl_igpu", 61);
}

/* ---- Level Zero ---- */

static ze_ask driver;

static void bits_on_level_zero(void)
{
    driver.reset();
    budgets("intel_l0", "intel_l0", GW_F32);
    budgets("intel_l0", "intel_l0", GW_Q8_0);
    CHECK_INT(driver.complaints(), 0);
}

/* The call fails at the at-th time while tokens are made, or from then on. True: it came to
 * that. */
static bool fail_call(const char *call, uint64_t at, const char *then, const char *result,
                      double bytes, const fo_run *want)
{
    char text[400], fault[120];
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    static fo_run run;
    driver.reset();
    snprintf(text, sizeof text, "hetinfer-policy: 1\nrules:\n  - prefer: intel_l0\nlimits:\n"
             "  intel_l0: { memory: %.0f B, stream: true }\n"
             "fallback:\n  on_error: {retry: 3, next: any}\n", bytes);
    fo_set_policy(&f, text);
    if (fo_session(&f, f.model, &session, &err)) {
        TEST_FAIL("%s", err.message);
        return false;
    }
    CHECK(plan_of(session, HET_PHASE_DECODE)->stream[0].come_count > 0);
    const uint64_t before = driver.calls(call);
    snprintf(fault, sizeof fault, "call=%s,at=%u%s,result=%s", call, (unsigned)at, then, result);
    CHECK(driver.arm(fault));
    if (fo_generate(session, FO_TOKENS, &run, &err))
        TEST_FAIL("%s: %s", fault, err.message);
    if (!fo_same(&run, want, FO_TOKENS))
        TEST_FAIL("%s: other tokens", fault);
    const bool met = driver.calls(call) - before >= at;
    CHECK(*then || (driver.armed() == 0) == met);
    CHECK_INT(f.errors, 0);
    driver.reset();
    het_session_destroy(session);
    CHECK_INT(driver.complaints(), 0);
    return met;
}

/* Of all that an upload is made of. */
static void calls_of_level_zero_fail(void)
{
    static const char *const calls[] = {
        "zeCommandListAppendMemoryCopy", "zeCommandListAppendBarrier", "zeEventHostReset",
        "zeEventQueryStatus", "zeEventHostSynchronize",
    };
    static const struct { const char *then, *result; } kinds[] = {
        { "", "unknown" }, { "+", "unknown" }, { "", "oom" }, { "", "lost" }, { "+", "lost" },
    };
    static outcome want;
    het_error err = HET_ERROR_INIT;
    const bool is_long = getenv("HETINFER_TEST_LONG");
    driver.reset();
    open_all("intel_l0,ref", GW_Q8_0, false);
    CHECK_INT(generate("intel_l0", 1e9, "", &want, &err), HET_OK);
    const het__plan_memory *m = &want.memory;
    const double bytes = m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes -
                         want.layers_bytes / 2;
    uint32_t met = 0;
    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++)
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
            for (uint64_t at = 1 + k; at < 400; at += is_long ? 1 : 391)
                met += fail_call(calls[c], at, kinds[k].then, kinds[k].result, bytes, &want.run);
    printf("%u failures\n", met);
    CHECK(met >= 40);
    fo_close(&f);
}

static void allocations_of_level_zero_fail(void)
{
    driver.reset();
    fail_allocations("intel_l0", 97);
    CHECK_INT(driver.complaints(), 0);
}

static int level_zero(void)
{
    driver = ze_ask_find();
    test_case(bits_on_level_zero);
    test_case(uploads_of_level_zero_are_traced);
    test_case(counters_of_level_zero_add_up);
    test_case(experts_and_layers_on_level_zero);
    test_case(calls_of_level_zero_fail);
    test_case(allocations_of_level_zero_fail);
    return test_finish();
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "intel_l0") == 0)
        return level_zero();
    cl_find();
    setenv("HETINFER_SIM", "h100-pcie:gpu", 1);
    setenv("HETINFER_SIM_SCALE", "0", 1);
    test_case(bits_on_opencl);
    test_case(bits_on_gpu_kernels);
    test_case(bits_on_sim);
    test_case(counters_add_up);
    test_case(uploads_of_opencl_are_traced);
    test_case(uploads_of_sim_are_traced);
    test_case(experts_and_layers_on_opencl);
    test_case(experts_and_layers_on_sim);
    test_case(never_means_never);
    test_case(failures_lose_nothing);
    test_case(late_failures);
    test_case(allocations_fail);
    return test_finish();
}

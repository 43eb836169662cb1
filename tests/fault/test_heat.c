/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that get too hot, by made-up files of the kernel: work goes elsewhere between two steps,
 * waits, or the call fails, as the policy says; and where nobody else can do the work, it goes
 * on. */
#define _GNU_SOURCE
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "failover.h"
#include "lib/api/handles.h"

#define SENSOR "/sys/class/hwmon/hwmon0"

static char root[64];

static void write_number(const char *name, int value)
{
    char path[160];
    snprintf(path, sizeof path, "%s" SENSOR "/%s", root, name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    if (f) {
        fprintf(f, "%d\n", value);
        fclose(f);
    }
}

static void begin_tree(int celsius)
{
    char path[160];
    snprintf(root, sizeof root, "/tmp/het_heat_XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    for (const char *end = SENSOR; (end = strchr(end + 1, '/')) != NULL;) {
        snprintf(path, sizeof path, "%s%.*s", root, (int)(end - SENSOR), SENSOR);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof path, "%s" SENSOR, root);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s" SENSOR "/name", root);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL && fputs("k10temp\n", f) >= 0);
    if (f)
        fclose(f);
    write_number("temp1_input", celsius * 1000);
}

static void end_tree(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CHECK_INT(system(command), 0);
}

/* The reference device is the processor, which has the sensor; null devices are nowhere. */
static void open_all(failover *f, const char *backends, const char *policy)
{
    fo_open(f, backends, 1);
    if (!f->context)
        return;
    f->context->registry.system_root = root;
    fo_set_policy(f, policy);
}

#define SELDOM                                                                           \
    "hetinfer-policy: 1\nrules: [{prefer: ref}]\ntelemetry: {interval_ms: 3600000}\n"     \
    "fallback: {on_thermal: {celsius: 90, next: simulated}}\n"
#define PREFER "hetinfer-policy: 1\nrules: [{prefer: ref}]\ntelemetry: {interval_ms: 1}\n"

static void work_leaves_a_device_that_gets_hot(void)
{
    failover f;
    fo_run want, got;
    het_session *session = NULL;
    het_sequence *sequence = NULL;
    het_error err = HET_ERROR_INIT;
    begin_tree(50);
    open_all(&f, "ref,null", PREFER "fallback: {on_thermal: {celsius: 90, next: simulated}}\n");
    CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
    CHECK_INT(fo_generate(session, FO_TOKENS, &want, &err), HET_OK);
    CHECK(fo_uses(session, FO_HOST) && !fo_uses(session, FO_FIRST));
    CHECK_INT(f.warnings, 0);

    memset(&got, 0, sizeof got);
    CHECK_INT(fo_begin(session, &sequence, &err), HET_OK);
    for (int i = 0; i < FO_TOKENS; i++) {
        if (i == FO_TOKENS / 2)
            write_number("temp1_input", 90000);
        usleep(2000); /* longer than the interval */
        CHECK_INT(fo_next(session, sequence, &got, &err), HET_OK);
    }
    CHECK(fo_same(&want, &got, FO_TOKENS));
    CHECK(!fo_uses(session, FO_HOST) && fo_uses(session, FO_FIRST));
    CHECK_INT(f.warnings, 1);
    CHECK(strstr(f.line, "device 0 (ref) is too hot: 90 degrees Celsius, where the limit is 90; "
                         "going on with null") != NULL);
    const het_device_health health = fo_health(session, FO_HOST);
    CHECK_INT(health.state, HET_HEALTH_OUT);
    CHECK_INT(health.failure_count, 1);
    CHECK_STR(health.message, "90 degrees Celsius, where the limit is 90");
    het_telemetry t = { .struct_size = sizeof t };
    CHECK_INT(het_telemetry_snapshot(session, &t), HET_OK);
    CHECK_INT(t.replan_count, 1);
    het_sequence_destroy(sequence);
    het_session_destroy(session);
    fo_close(&f);
    end_tree();
}

/* One step, and with it one look at temperatures, each. */
static void run_for_looks(het_session *session, int looks)
{
    het_error err = HET_ERROR_INIT;
    for (int i = 0; i < looks; i++) {
        het_sequence *sequence = NULL;
        fo_run got = { .count = 0 };
        CHECK_INT(fo_begin(session, &sequence, &err), HET_OK);
        usleep(2000);
        CHECK_INT(fo_next(session, sequence, &got, &err), HET_OK);
        het_sequence_destroy(sequence);
    }
}

/* Some degrees below the limit, or those that the policy says, and after a rest that is longer each
 * time: one warning on the way out and one on the way back. */
static void work_comes_back_when_it_has_cooled(void)
{
    static const struct { const char *more; int warm, cool; } cases[] = {
        { "", 81, 80 }, { ", return_celsius: 60", 61, 60 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        failover f;
        char policy[256];
        fo_run want, got;
        het_session *session = NULL;
        het_error err = HET_ERROR_INIT;
        begin_tree(50);
        snprintf(policy, sizeof policy, PREFER "fallback: {on_thermal: {celsius: 90, next: "
                 "simulated%s}}\n", cases[c].more);
        open_all(&f, "ref,null", policy);
        CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
        CHECK_INT(fo_generate(session, FO_TOKENS, &want, &err), HET_OK);
        write_number("temp1_input", 95000);
        run_for_looks(session, 1);
        CHECK(!fo_uses(session, FO_HOST) && fo_uses(session, FO_FIRST));
        write_number("temp1_input", cases[c].warm * 1000);
        run_for_looks(session, 15);
        CHECK(!fo_uses(session, FO_HOST)); /* not cool enough */
        CHECK_INT(f.warnings, 1);
        write_number("temp1_input", cases[c].cool * 1000);
        run_for_looks(session, 1);
        CHECK(fo_uses(session, FO_HOST) && !fo_uses(session, FO_FIRST));
        CHECK_INT(f.warnings, 2);
        CHECK(strstr(f.line, c == 0 ? "device 0 (ref) has cooled to 80 degrees Celsius; going on "
                                      "with ref" : "cooled to 60") != NULL);
        CHECK_INT(fo_health(session, FO_HOST).state, HET_HEALTH_RETRIED);
        write_number("temp1_input", 95000);
        run_for_looks(session, 1);
        CHECK_INT(f.warnings, 3);
        write_number("temp1_input", 50000);
        run_for_looks(session, 15); /* rests for twenty now */
        CHECK(!fo_uses(session, FO_HOST));
        run_for_looks(session, 10);
        CHECK(fo_uses(session, FO_HOST));
        CHECK_INT(f.warnings, 4);
        CHECK_INT(fo_generate(session, FO_TOKENS, &got, &err), HET_OK);
        CHECK(fo_same(&want, &got, FO_TOKENS));
        het_session_destroy(session);
        fo_close(&f);
        end_tree();
    }
}

/* The limit is the sensor's own, less a margin; the last device stays in use. */
static void what_nobody_else_can_do_goes_on(void)
{
    failover f;
    fo_run want, got;
    het_session *session = NULL;
    het_error err = HET_ERROR_INIT;
    begin_tree(50);
    open_all(&f, "ref", "hetinfer-policy: 1\nfallback: {on_thermal: any}\n"
                        "telemetry: {interval_ms: 1}\n");
    CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
    CHECK_INT(fo_generate(session, FO_TOKENS, &want, &err), HET_OK);
    write_number("temp1_crit", 100000);
    write_number("temp1_input", 99000);
    usleep(2000);
    CHECK_INT(fo_generate(session, FO_TOKENS, &got, &err), HET_OK);
    CHECK(fo_same(&want, &got, FO_TOKENS));
    CHECK_INT(fo_health(session, FO_HOST).state, HET_HEALTH_OK);
    CHECK_INT(f.warnings + f.errors, 0);
    het_session_destroy(session);
    fo_close(&f);
    end_tree();
}

/* No policy's word, a sensor that is gone, or the interval not over: nothing happens. */
static void what_is_not_known_is_not_hot(void)
{
    static const char *const policies[] = {
        PREFER, PREFER "fallback: {on_thermal: simulated}\n" /* no limit is known */, SELDOM,
    };
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        failover f;
        fo_run got;
        het_session *session = NULL;
        het_error err = HET_ERROR_INIT;
        begin_tree(50);
        open_all(&f, "ref,null", policies[i]);
        CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
        CHECK_INT(fo_generate(session, 1, &got, &err), HET_OK);
        write_number("temp1_input", 120000);
        usleep(2000);
        CHECK_INT(fo_generate(session, 4, &got, &err), HET_OK);
        CHECK(fo_uses(session, FO_HOST));
        CHECK_INT(f.warnings, 0);
        het_session_destroy(session);
        fo_close(&f);
        end_tree();
    }
}

static void a_policy_can_wait_or_refuse(void)
{
    failover f;
    fo_run got;
    het_session *session = NULL;
    het_sequence *sequence = NULL;
    het_error err = HET_ERROR_INIT;
    begin_tree(95);
    open_all(&f, "ref,null", PREFER "fallback: {on_thermal: {celsius: 90, retry: 3, backoff_ms: 1, "
                                    "next: none}}\n");
    CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
    CHECK_INT(fo_begin(session, &sequence, &err), HET_OK);
    memset(&got, 0, sizeof got);
    CHECK_INT(fo_next(session, sequence, &got, &err), HET_E_BUSY);
    CHECK_STR(err.message,
              "device 0 (ref) is too hot: 95 degrees Celsius, where the limit is 90");
    CHECK_INT(f.errors, 1);
    CHECK_INT(got.count, 0);
    write_number("temp1_input", 89000); /* the same call goes on when it has cooled */
    usleep(2000);
    CHECK_INT(fo_next(session, sequence, &got, &err), HET_OK);
    CHECK_INT(got.count, 1);
    CHECK(fo_uses(session, FO_HOST));
    het_sequence_destroy(sequence);
    het_session_destroy(session);
    fo_close(&f);
    end_tree();
}

static void a_graph_moves_too(void)
{
    failover f;
    het_session *session = NULL;
    het_error err = HET_ERROR_INIT;
    float image[64], before[10];
    uint64_t seed = 7;
    begin_tree(50);
    open_all(&f, "ref,null", PREFER "fallback: {on_thermal: {celsius: 90, next: simulated}}\n");
    fo_load_network(&f, "examples/models/digits-conv.onnx");
    CHECK_INT(fo_session(&f, f.network, &session, &err), HET_OK);
    for (size_t i = 0; i < 64; i++)
        image[i] = test_random_float(&seed);
    het_tensor in = HET_TENSOR_INIT, out = HET_TENSOR_INIT;
    in.data = image;
    in.size_bytes = sizeof image;
    in.desc.dtype = HET_DTYPE_F32;
    in.desc.rank = 4;
    in.desc.extent[0] = in.desc.extent[1] = 1;
    in.desc.extent[2] = in.desc.extent[3] = 8;
    CHECK_INT(het_session_bind_input(session, "image", &in, &err), HET_OK);
    CHECK_INT(het_session_run(session, &err), HET_OK);
    CHECK_INT(het_session_get_output(session, "scores", &out, &err), HET_OK);
    CHECK_INT(out.size_bytes, sizeof before);
    memcpy(before, out.data, sizeof before);
    CHECK(fo_uses(session, FO_HOST));
    write_number("temp1_input", 97000);
    usleep(2000);
    CHECK_INT(het_session_run(session, &err), HET_OK);
    CHECK_INT(het_session_get_output(session, "scores", &out, &err), HET_OK);
    for (size_t i = 0; i < 10; i++)
        CHECK_NEAR(((const float *)out.data)[i], before[i], 1e-4);
    CHECK(!fo_uses(session, FO_HOST) && fo_uses(session, FO_FIRST));
    CHECK_INT(f.warnings, 1);
    het_session_destroy(session);
    fo_close(&f);
    end_tree();
}

/* A simulated NPU does products alone: the processor is needed, however hot, and is not tried
 * again. */
static void what_is_needed_comes_back(void)
{
    failover f;
    fo_run want, got;
    het_session *session = NULL;
    het_context *context = NULL;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    setenv("HETINFER_SIM", "amd-8945hs:npu", 1);
    setenv("HETINFER_SIM_SCALE", "0", 1);
    begin_tree(50);
    open_all(&f, "ref", PREFER "fallback: {on_thermal: {celsius: 90, next: any}}\n");
    o.backends = "ref,sim";
    o.log = fo_log;
    o.log_user = &f;
    CHECK_INT(het_context_create(&o, &context, &err), HET_OK);
    context->registry.system_root = root;
    CHECK_INT(het_model_load_memory(context, f.tiny.file, f.tiny.bytes, NULL, &model, &err),
              HET_OK);
    CHECK_INT(fo_session(&f, model, &session, &err), HET_OK);
    CHECK_INT(fo_generate(session, FO_TOKENS, &want, &err), HET_OK);
    write_number("temp1_input", 95000);
    usleep(2000);
    CHECK_INT(fo_generate(session, FO_TOKENS, &got, &err), HET_OK);
    CHECK(fo_same(&want, &got, FO_TOKENS));
    CHECK_INT(fo_health(session, FO_HOST).state, HET_HEALTH_RETRIED);
    CHECK(fo_uses(session, FO_HOST));
    CHECK_INT(f.warnings, 1);
    CHECK(strstr(f.line, "no plan does without it") != NULL);
    CHECK_INT(f.errors, 0);
    het_session_destroy(session);
    het_model_destroy(model);
    het_context_destroy(context);
    fo_close(&f);
    end_tree();
}

int main(void)
{
    test_case(work_leaves_a_device_that_gets_hot);
    test_case(work_comes_back_when_it_has_cooled);
    test_case(what_nobody_else_can_do_goes_on);
    test_case(what_is_not_known_is_not_hot);
    test_case(a_policy_can_wait_or_refuse);
    test_case(a_graph_moves_too);
    test_case(what_is_needed_comes_back);
    return test_finish();
}

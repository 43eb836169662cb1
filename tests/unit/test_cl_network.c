/* SPDX-License-Identifier: Apache-2.0 */
/* Whole networks by the public interface: what OpenCL can run of them on OpenCL, the rest on the
 * CPU, against the CPU alone. Files are arguments; a name of those in shared data may be absent.
 * Networks of codes of eight bits give the same bits, others nearly the same numbers. */
#define _POSIX_C_SOURCE 200809L
#include <hetinfer.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "test.h"

#define PORTS_MAX 16

static het_context *context;

typedef struct outputs {
    float *data[PORTS_MAX];
    size_t count[PORTS_MAX];
    uint32_t used;
    uint32_t on_opencl, nodes;
} outputs;

static void outputs_free(outputs *o)
{
    for (uint32_t i = 0; i < o->used; i++)
        free(o->data[i]);
}

/* Drivers for processors compile for long in the first run: that is no failure here. */
static het_policy *prefer_opencl(void)
{
    static const char text[] = "hetinfer-policy: 1\nrules:\n  - prefer: opencl_igpu\n"
                               "fallback:\n  on_timeout:\n    after_ms: 600000\n";
    het_error err = HET_ERROR_INIT;
    het_policy *policy = NULL;
    if (het_policy_load_memory(context, text, sizeof text - 1, NULL, &policy, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return policy;
}

/* Numbers between -1 and 1, or codes; extents that are open become 1. */
static void *bind(het_session *s, const het_port *port, uint64_t seed)
{
    het_error err = HET_ERROR_INIT;
    het_tensor t = HET_TENSOR_INIT;
    int64_t count = 1;
    t.desc = port->desc;
    for (uint32_t i = 0; i < t.desc.rank; i++) {
        if (t.desc.extent[i] < 0)
            t.desc.extent[i] = 1;
        count *= t.desc.extent[i];
    }
    t.size_bytes = (size_t)het_dtype_bytes((het_dtype)t.desc.dtype, count);
    unsigned char *data = calloc(1, t.size_bytes + 1);
    for (size_t i = 0; i < t.size_bytes; i++)
        data[i] = (unsigned char)(test_random(&seed) >> 33 & 63);
    for (int64_t i = 0; t.desc.dtype == HET_DTYPE_F32 && i < count; i++) {
        const float x = test_random_float(&seed);
        memcpy(data + 4 * i, &x, sizeof x);
    }
    t.data = data;
    if (het_session_bind_input(s, port->name, &t, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return data;
}

static void count_nodes(const het_session *s, outputs *out)
{
    const het_plan *plan = het_session_plan(s, HET_PHASE_DECODE);
    het_plan_info info = { .struct_size = sizeof info };
    if (!plan || het_plan_get_info(plan, &info) != HET_OK)
        return;
    for (uint32_t i = 0; i < info.layer_count; i++) {
        het_plan_layer layer = { .struct_size = sizeof layer };
        CHECK_INT(het_plan_layer_at(plan, i, &layer), HET_OK);
        out->nodes += layer.node_count;
        if (strcmp(layer.backend, "opencl_igpu") == 0)
            out->on_opencl += layer.node_count;
    }
}

static void take_outputs(het_session *s, const het_model *model, outputs *out)
{
    const size_t count = het_model_output_count(model);
    for (size_t o = 0; o < count && o < PORTS_MAX; o++) {
        het_port port = { .struct_size = sizeof port };
        het_tensor t = HET_TENSOR_INIT;
        het_error err = HET_ERROR_INIT;
        CHECK_INT(het_model_output_at(model, o, &port), HET_OK);
        if (het_session_get_output(s, port.name, &t, &err) != HET_OK)
            TEST_FAIL("%s", err.message);
        if (t.desc.dtype != HET_DTYPE_F32)
            continue;
        out->count[out->used] = t.size_bytes / sizeof(float);
        out->data[out->used] = malloc(t.size_bytes + 1);
        memcpy(out->data[out->used++], t.data, t.size_bytes);
    }
}

static bool run(const het_model *model, const char *devices, const het_policy *policy, outputs *out)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    void *inputs[PORTS_MAX] = { NULL };
    memset(out, 0, sizeof *out);
    o.devices = devices;
    o.threads = 2;
    o.policy = policy;
    o.precision = HET_PRECISION_EXACT;
    het_status status = het_session_create(model, &o, &s, &err);
    const size_t count = het_model_input_count(model);
    for (size_t i = 0; status == HET_OK && i < count && i < PORTS_MAX; i++) {
        het_port port = { .struct_size = sizeof port };
        CHECK_INT(het_model_input_at(model, i, &port), HET_OK);
        inputs[i] = bind(s, &port, 7 + i);
    }
    for (int i = 0; status == HET_OK && i < 2; i++) /* the second run finds all memory in use */
        status = het_session_run(s, &err);
    if (status == HET_OK)
        take_outputs(s, model, out);
    else
        TEST_FAIL("%s: %s", devices, err.message);
    if (status == HET_OK)
        count_nodes(s, out);
    het_session_destroy(s);
    for (int i = 0; i < PORTS_MAX; i++)
        free(inputs[i]);
    return status == HET_OK;
}

static void compare(const char *path, const outputs *want, const outputs *got)
{
    const bool exact = strstr(path, "int8") != NULL;
    double worst = 0;
    CHECK_INT(got->used, want->used);
    for (uint32_t o = 0; o < want->used && o < got->used; o++) {
        double apart = 0, largest = 0;
        CHECK_INT(got->count[o], want->count[o]);
        for (size_t i = 0; i < want->count[o] && i < got->count[o]; i++) {
            const double d = fabs((double)want->data[o][i] - (double)got->data[o][i]);
            apart = d > apart || isnan(d) ? d : apart;
            largest = fmax(largest, fabs((double)want->data[o][i]));
        }
        if (!(apart <= (exact ? 0 : 1e-4 * largest)))
            TEST_FAIL("%s: output %u is off by %g where values reach %g", path, o, apart, largest);
        worst = fmax(worst, largest > 0 ? apart / largest : 0);
    }
    CHECK(got->on_opencl > 0);
    printf("%s: %u of %u nodes on OpenCL, off by %.2g of the range\n", path, got->on_opencl,
           got->nodes, worst);
}

static void check_model(const char *path)
{
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    outputs want, got;
    het_policy *policy = prefer_opencl();
    if (het_model_load(context, path, NULL, &model, &err) != HET_OK) {
        TEST_FAIL("%s: %s", path, err.message);
        het_policy_destroy(policy);
        return;
    }
    if (run(model, "cpu_onednn", NULL, &want) &&
        run(model, "opencl_igpu,cpu_onednn", policy, &got)) {
        compare(path, &want, &got);
        outputs_free(&got);
    }
    outputs_free(&want);
    het_model_destroy(model);
    het_policy_destroy(policy);
}

static bool has_opencl(void)
{
    for (uint32_t i = 0; i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        if (het_device_get_info(het_context_device(context, i), &info) == HET_OK &&
            strcmp(info.backend, "opencl_igpu") == 0)
            return true;
    }
    return false;
}

static bool exists(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f)
        fclose(f);
    return f != NULL;
}

int main(int argc, char **argv)
{
    static const char *const shared[] = {
        "squeezenet1.1", "shufflenet-v2-12-int8", "vittrack", "mobilenet_v2_1.0_224_quant",
        "yunet_n_320", "ultraface_rfb_320_simplified", "fastestdet_352", "resnet20_cifar10",
        "super_resolution_10", "mnist_cntk" };
    /* Compiling takes long; one of each sort but for long runs. */
    const size_t count = getenv("HETINFER_TEST_LONG") ? sizeof shared / sizeof shared[0] : 3;
    const char *root = getenv("HETINFER_TEST_DATA");
    het_error err = HET_ERROR_INIT;
    setenv("HETINFER_OPENCL_CPU", "1", 1);
    if (het_context_create(NULL, &context, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        return test_finish();
    }
    if (!has_opencl()) {
        het_context_destroy(context);
        test_skip("no OpenCL driver");
    }
    for (int i = 1; i < argc; i++)
        check_model(argv[i]);
    for (size_t i = 0; argc == 1 && root && i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/onnx/models/%s.onnx", root, shared[i]);
        if (exists(path))
            check_model(path);
    }
    het_context_destroy(context);
    if (!test_checks)
        test_skip("no shared data folder (HETINFER_TEST_DATA)");
    return test_finish();
}

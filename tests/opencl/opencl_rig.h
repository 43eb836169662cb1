/* SPDX-License-Identifier: Apache-2.0 */
/* One node on an OpenCL device and on the reference device, with the same values. */
#ifndef HETINFER_TEST_OPENCL_RIG_H
#define HETINFER_TEST_OPENCL_RIG_H

#include "random_weights.h"
#include "rig.h"

enum { NODE_INPUTS = 18, NODE_OUTPUTS = 8 };

typedef struct node_input {
    het__value_kind kind; /* INPUT or CONST */
    het_dtype dtype;      /* HET_DTYPE_NONE: absent */
    uint32_t rank;
    het__extent extent[4];
    const void *data;     /* INPUT: F32 for the symbols' most; NULL: random */
} node_input;

typedef struct node_case {
    char name[96];
    het__op op;
    het__attrs attrs;
    uint32_t input_count;
    node_input inputs[NODE_INPUTS];
    int64_t tokens_max;
    double tolerance; /* of the larger of 1 and the largest wanted value */
    uint64_t seed;
} node_case;

#define FIXED(n) { (n), HET__SYM_ONE }
#define TOKENS_OF { 1, HET__SYM_TOKENS }

/* Processors are devices here, whatever the caller's environment says; as_gpu: with the kernels
 * that GPUs get. */
static inline void opencl_environment(bool as_gpu)
{
    setenv("HETINFER_OPENCL_CPU", "1", 1);
    if (as_gpu)
        setenv("HETINFER_OPENCL_AS_GPU", "1", 1);
    else
        unsetenv("HETINFER_OPENCL_AS_GPU");
}

/* Skips the program where there is no driver. Gives the device's name. */
static inline const char *opencl_device(void)
{
    static het__probed probed;
    rig r;
    rig_init(&r, "opencl_igpu");
    r.host.use_env = true;
    if (!r.backend)
        test_skip("the library is built without OpenCL");
    r.backend->probe(&r.host, &probed);
    het__graph_finish(&r.graph);
    if (probed.device_count == 0)
        test_skip(probed.reason);
    return probed.device[0].name;
}

static inline bool node_open(rig *r, const char *backend, const node_case *c)
{
    het_error err = HET_ERROR_INIT;
    rig_init(r, backend);
    r->host.use_env = true;
    const het_status opened = rig_open_device(r, &err);
    if (opened != HET_OK) {
        TEST_FAIL("%s: %s", backend, err.message);
        return false;
    }
    uint32_t inputs[NODE_INPUTS];
    r->symbols_max[HET__SYM_TOKENS] = c->tokens_max;
    for (uint32_t i = 0; i < c->input_count; i++) {
        const node_input *in = &c->inputs[i];
        inputs[i] = in->dtype == HET_DTYPE_NONE
            ? HET__NO_VALUE
            : het__graph_value(&r->graph, "x", in->kind, in->dtype, in->rank, in->extent);
        if (in->dtype != HET_DTYPE_NONE && in->kind == HET__VALUE_CONST)
            r->graph.values[inputs[i]].data = in->data;
    }
    het__graph_node(&r->graph, c->op, -1, c->name, inputs, c->input_count, &c->attrs, &err);
    char reason[128] = "";
    if (r->graph.failed)
        TEST_FAIL("%s: %s", c->name, err.message);
    else if (!r->backend->supports(&r->graph, &r->graph.nodes[0], reason, sizeof reason))
        TEST_FAIL("%s: %s", c->name, reason);
    else
        return rig_compile(r);
    return false;
}

static inline void node_write(rig *r, uint32_t value, const void *data, size_t bytes)
{
    het_error err = HET_ERROR_INIT;
    void *host = rig_data(r, value);
    if (host)
        memcpy(host, data, bytes);
    else
        CHECK_INT(r->backend->buffer_write(r->device, r->buffers[value], 0, data, bytes, &err),
                  HET_OK);
}

static inline void node_read(rig *r, uint32_t value, void *data, size_t bytes)
{
    het_error err = HET_ERROR_INIT;
    const void *host = rig_data(r, value);
    if (host)
        memcpy(data, host, bytes);
    else
        CHECK_INT(r->backend->buffer_read(r->device, r->buffers[value], 0, data, bytes, &err),
                  HET_OK);
}

/* The same inputs into both; as many as the symbols say are meant, the rest is random too. */
static inline void node_fill(rig *a, rig *b, const node_case *c)
{
    uint64_t state = c->seed * 77 + 5;
    for (uint32_t i = 0; i < c->input_count; i++) {
        if (c->inputs[i].dtype == HET_DTYPE_NONE || c->inputs[i].kind == HET__VALUE_CONST)
            continue;
        const uint32_t v = a->graph.nodes[0].inputs[i];
        const size_t bytes = rig_bytes(a, v, a->symbols_max);
        float *room = malloc(bytes + 1);
        for (size_t k = 0; k < bytes / sizeof *room; k++)
            room[k] = test_random_float(&state);
        const void *data = c->inputs[i].data ? c->inputs[i].data : room;
        node_write(a, v, data, bytes);
        node_write(b, v, data, bytes);
        free(room);
    }
}

/* Results for so many tokens, and nothing written behind them. */
static inline void node_compare(rig *ref, rig *cl, const node_case *c, uint32_t output)
{
    const uint32_t v = ref->graph.nodes[0].outputs[output];
    const size_t bytes = rig_bytes(ref, v, ref->symbols);
    const size_t most = rig_bytes(ref, v, ref->symbols_max);
    float *want = malloc(most), *got = malloc(most);
    node_read(ref, v, want, most);
    node_read(cl, v, got, most);
    double worst = 0, largest = 1;
    size_t at = 0;
    for (size_t i = 0; i < bytes / sizeof *want; i++)
        largest = fmax(largest, fabs((double)want[i]));
    const double bound = c->tolerance * largest;
    for (size_t i = 0; i < bytes / sizeof *want; i++) {
        const double error = fabs((double)got[i] - (double)want[i]);
        if (!(error / bound <= worst)) { /* a NaN is the worst */
            worst = error / bound;
            at = i;
        }
    }
    test_checks++;
    if (!(worst <= 1))
        TEST_FAIL("%s, output %u, %lld tokens: [%zu] = %.9g, want %.9g: %.3g of the bound", c->name,
                  output, (long long)ref->symbols[HET__SYM_TOKENS], at, (double)got[at],
                  (double)want[at], worst);
    for (size_t i = bytes; i < most; i++)
        if (((unsigned char *)got)[i] != 0xa5) {
            TEST_FAIL("%s, output %u: written behind its %lld rows", c->name, output,
                      (long long)ref->symbols[HET__SYM_TOKENS]);
            break;
        }
    free(want);
    free(got);
}

static inline void node_step(rig *ref, rig *cl, const node_case *c, int64_t tokens)
{
    ref->symbols[HET__SYM_TOKENS] = cl->symbols[HET__SYM_TOKENS] = tokens;
    const het__node *node = &ref->graph.nodes[0];
    for (uint32_t o = 0; o < node->output_count; o++) {
        const size_t most = rig_bytes(ref, node->outputs[o], ref->symbols_max);
        void *canary = malloc(most);
        memset(canary, 0xa5, most);
        node_write(cl, node->outputs[o], canary, most);
        free(canary);
    }
    rig_run(ref);
    rig_run(cl);
    for (uint32_t o = 0; o < node->output_count; o++)
        node_compare(ref, cl, c, o);
}

/* All token counts with one compiled program each. */
static inline void node_check(const node_case *c, const int64_t *tokens, size_t count)
{
    rig ref, cl;
    /* Both are opened, because both are closed. */
    const bool has_ref = node_open(&ref, "ref", c);
    const bool has_cl = node_open(&cl, "opencl_igpu", c);
    if (has_ref && has_cl) {
        node_fill(&ref, &cl, c);
        for (size_t i = 0; i < count; i++)
            node_step(&ref, &cl, c, tokens[i]);
    }
    rig_close(&cl);
    rig_close(&ref);
}

#endif /* HETINFER_TEST_OPENCL_RIG_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations: the CPU backend against the reference device on random shapes, empty ones
 * included, at every level, with the same bits for one thread and for three. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>

#include "backends/cpu_onednn/matmul.h"
#include "tensor_case.h"

static void run(const char *backend, uint32_t threads, case_fn make, uint64_t start, result *out)
{
    rig r;
    form f;
    het_error err = HET_ERROR_INIT;
    uint32_t first;
    memset(out, 0, sizeof *out);
    seed = start;
    rig_init(&r, backend);
    r.options.threads = threads;
    r.host.use_env = true;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    if (build(&r, make, &f, &first) && rig_compile(&r)) {
        for (uint32_t v = 0; v < r.graph.value_count; v++)
            if (r.graph.values[v].kind == HET__VALUE_INPUT)
                fill(r.graph.values[v].dtype, rig_data(&r, v), rig_bytes(&r, v, r.symbols));
        /* Plain kernels take scratch memory in the first run. */
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        rig_run(&r);
        describe(&r, &f, out);
        out->count = f.output_count;
        for (uint32_t o = 0; o < f.output_count; o++) {
            out->bytes[o] = rig_bytes(&r, first + o, r.symbols);
            out->dtype[o] = r.graph.values[first + o].dtype;
            out->data[o] = malloc(out->bytes[o] + 1);
            memcpy(out->data[o], rig_data(&r, first + o), out->bytes[o]);
        }
    }
    rig_close(&r);
}

/* But for the sign and payload of what is not a number, which follow the order of operands. */
static bool same_bits(const result *a, const result *b, uint32_t o)
{
    double largest = 0;
    if (a->dtype[o] == HET_DTYPE_F32)
        return distance(a, b, o, &largest) == 0;
    return a->bytes[o] == 0 || memcmp(a->data[o], b->data[o], a->bytes[o]) == 0;
}

static void compare(case_fn make, const char *level)
{
    const uint64_t start = seed;
    result want, one, three;
    run("ref", 1, make, start, &want);
    run("cpu_onednn", 1, make, start, &one);
    run("cpu_onednn", 3, make, start, &three);
    CHECK_INT(one.count, want.count);
    CHECK_INT(three.count, want.count);
    for (uint32_t o = 0; o < want.count && one.count == want.count; o++) {
        double largest = 1;
        const double worst = distance(&want, &one, o, &largest);
        if (!(worst <= 1e-5 * largest))
            TEST_FAIL("%s, %s: off by %g where values reach %g", level, want.text, worst, largest);
        if (three.count == one.count && !same_bits(&one, &three, o))
            TEST_FAIL("%s, %s: three threads give other bits than one", level, one.text);
    }
    for (uint32_t o = 0; o < OUTPUTS_MAX; o++) {
        free(want.data[o]);
        free(one.data[o]);
        free(three.data[o]);
    }
}

int main(void)
{
    const size_t count = sizeof tensor_cases / sizeof tensor_cases[0];
    for (const het__cpu_level *const *l = het__cpu_levels(); *l; l++) {
        setenv("HETINFER_CPU_LEVEL", (*l)->name, 1);
        for (size_t c = 0; c < count; c++)
            for (int i = 0; i < 60; i++)
                compare(tensor_cases[c], (*l)->name);
    }
    return test_finish();
}

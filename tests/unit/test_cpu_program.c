/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of the CPU backend as a whole: what becomes of small numbers and of the mode of the
 * thread that runs them, and outputs that lie where inputs lay. */
#define _POSIX_C_SOURCE 200809L
#include "backends/cpu_onednn/float_mode.h"
#include "cpu_graph.h"

/* Small numbers times one, on the calling thread, as a short step, and shared out; the mode of the
 * thread is afterwards what it was. */
static void small_numbers(void)
{
    volatile float tiny = 1e-40f;
    for (uint32_t way = 0; way < 6; way++) {
        static rig r;
        het_error err = HET_ERROR_INIT;
        const bool exact = way % 2, kept = exact || HET__FLOAT_ZEROES == 0;
        rig_init(&r, "cpu_onednn");
        r.options.threads = 3;
        r.options.precision = exact ? HET_PRECISION_EXACT : HET_PRECISION_FAST;
        CHECK_INT(rig_open_device(&r, &err), HET_OK);
        if (way / 2 > 0)
            r.device->alone_macs = 0;
        if (way / 2 > 1)
            share_steps(&r);
        r.symbols[HET__SYM_TOKENS] = r.symbols_max[HET__SYM_TOKENS] = 70;
        const uint32_t in[2] = { matrix_input(&r, "a", 300), matrix_input(&r, "b", 300) };
        const uint32_t out = node(&r, HET__OP_MUL, in, 2, (het__attrs){ .unary = { 0 } });
        if (!rig_compile(&r))
            return;
        for (int i = 0; i < 70 * 300; i++) {
            ((float *)rig_data(&r, in[0]))[i] = tiny;
            ((float *)rig_data(&r, in[1]))[i] = 1;
        }
        rig_run(&r);
        for (int i = 0; i < 70 * 300; i++)
            CHECK(((float *)rig_data(&r, out))[i] == (kept ? tiny : 0));
        CHECK(tiny * 1.0f > 0);
        rig_close(&r);
    }
}

#define SQUARE 2048

/* x -> norm -> linear, whose output may lie where x was: every thread must have read x before one
 * writes. */
static bool start_square(rig *r, bool covered)
{
    het_error err = HET_ERROR_INIT;
    rig_init(r, "cpu_onednn");
    r->options.threads = 3;
    CHECK_INT(rig_open_device(r, &err), HET_OK);
    if (!r->device)
        return false;
    share_steps(r);
    seed = 4;
    const uint32_t x = matrix_input(r, "x", SQUARE);
    const uint32_t norm[2] = { x, vector(r, SQUARE, 1) };
    const uint32_t y = node(r, HET__OP_NORM, norm, 2,
                            (het__attrs){ .norm = { HET__NORM_RMS, 1e-5f, SQUARE } });
    const uint32_t in[4] = { y, HET__NO_VALUE, weight(r, HET_DTYPE_F32, SQUARE, SQUARE),
                             HET__NO_VALUE };
    const uint32_t out = node(r, HET__OP_LINEAR, in, 4, (het__attrs){ .linear = { 1, false } });
    bool good = out != HET__NO_VALUE && rig_buffers(r, &err) == HET_OK;
    if (good && covered)
        r->places[out] = r->places[x];
    good = good && rig_compile_slice(r, &err) == HET_OK;
    CHECK(good);
    return good;
}

static void outputs_may_cover_inputs(void)
{
    static rig apart, covered;
    bool ready = start_square(&apart, false);
    ready = start_square(&covered, true) && ready;
    for (int i = 0; ready && i < 50; i++) {
        float *a = rig_data(&apart, 0), *c = rig_data(&covered, 0);
        for (int64_t j = 0; j < SQUARE; j++)
            a[j] = c[j] = test_random_float(&seed);
        rig_run(&apart);
        rig_run(&covered);
        const uint32_t out = apart.graph.nodes[1].outputs[0];
        CHECK(memcmp(rig_data(&apart, out), c, SQUARE * sizeof *c) == 0);
    }
    rig_close(&covered);
    rig_close(&apart);
}

int main(void)
{
    test_case(small_numbers);
    test_case(outputs_may_cover_inputs);
    return test_finish();
}

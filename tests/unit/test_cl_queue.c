/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of the OpenCL backend: what calls wait for out of order, that numbers are those of the
 * order that was asked for however bytes are used again, that a copy waits for the programs that
 * touch its bytes and no others, and that the checking mode runs one program at a time.
 *
 * A processor's driver stands in for a GPU's; without one the program skips. */
#define _XOPEN_SOURCE 700 /* setenv */
#include <hetinfer.h>

#include "backends/opencl_igpu/opencl.h"
#include "cl_case.h"
#include "lib/api/handles.h"
#include "tiny_model.h"

#define WIDE 4096
#define SLOTS 6
#define NODES 40
#define RUNS 8

static void choose(bool out_of_order)
{
    setenv("HETINFER_OPENCL_QUEUE", out_of_order ? "out-of-order" : "in-order", 1);
}

static void open_rig(rig *r, bool out_of_order)
{
    het_error err = HET_ERROR_INIT;
    choose(out_of_order);
    rig_init(r, "opencl_igpu");
    r->host.use_env = true;
    CHECK_INT(rig_open_device(r, &err), HET_OK);
}

static uint32_t input(rig *r, const char *name, int64_t width)
{
    const het__extent extent[] = { { 1, HET__SYM_TOKENS }, { width, HET__SYM_ONE } };
    return het__graph_value(&r->graph, name, HET__VALUE_INPUT, HET_DTYPE_F32, 2, extent);
}

static uint32_t unary(rig *r, uint32_t x)
{
    const het__attrs attrs = { .unary = { .kind = HET__UNARY_TANH } };
    return het__graph_node(&r->graph, HET__OP_UNARY, 0, "tanh", &x, 1, &attrs, NULL);
}

static uint32_t add(rig *r, uint32_t x, uint32_t y)
{
    const uint32_t inputs[] = { x, y };
    return het__graph_node(&r->graph, HET__OP_ADD, 0, "add", inputs, 2, NULL, NULL);
}

static void fill(rig *r, uint32_t value, size_t count)
{
    float data[WIDE];
    uint64_t seed = 5;
    for (size_t i = 0; i < count; i++)
        data[i] = test_random_float(&seed);
    cl_give(r, value, data, count * sizeof *data);
}

/* ---- calls ---- */

static void check_after(const rig *r, uint32_t call, uint32_t count, const uint32_t *want)
{
    const het__gpu_call *c = &r->program->calls[call];
    CHECK_INT(c->after_count, count);
    for (uint32_t i = 0; i < count && i < c->after_count; i++)
        CHECK_INT(c->after[i], want[i]);
}

/* Two branches that join, then bytes of one of them again, then something of its own. */
static void calls_name_what_they_wait_for(void)
{
    rig r;
    open_rig(&r, true);
    if (!r.device->gpu.is_unordered) {
        printf("the device has no queue out of order\n");
        rig_close(&r);
        return;
    }
    het_error err = HET_ERROR_INIT;
    const uint32_t x = input(&r, "x", WIDE), a = unary(&r, x), b = unary(&r, x);
    const uint32_t c = add(&r, a, b), d = unary(&r, x), e = unary(&r, x);
    const uint32_t f = add(&r, c, d);
    CHECK_INT(rig_buffers(&r, &err), HET_OK);
    r.places[d] = r.places[a];
    CHECK_INT(rig_compile_slice(&r, &err), HET_OK);
    if (r.program) {
        check_after(&r, 0, 0, NULL);
        check_after(&r, 1, 0, NULL);
        check_after(&r, 2, 2, (const uint32_t[]){ 1, 0 });
        check_after(&r, 3, 1, (const uint32_t[]){ 2 }); /* by which it also waits for the first */
        check_after(&r, 4, 0, NULL);
        check_after(&r, 5, 1, (const uint32_t[]){ 3 });
        for (uint32_t i = 0; i < 6; i++)
            CHECK_INT(r.program->calls[i].is_last, i >= 4);
        const het__gpu_touch reads = { (het__gpu_memory *)r.buffers[x]->mem, 4, 8, false };
        const het__gpu_touch writes = { (het__gpu_memory *)r.buffers[x]->mem, 4, 8, true };
        const het__gpu_touch behind = { (het__gpu_memory *)r.buffers[x]->mem, 4 * WIDE,
                                        4 * WIDE + 4, true };
        CHECK(!het__gpu_touches(r.program, &reads) && het__gpu_touches(r.program, &writes));
        CHECK(!het__gpu_touches(r.program, &behind));
        CHECK(r.program->calls[4].outputs[0].mem == (het__gpu_memory *)r.buffers[e]->mem);
        CHECK(r.program->calls[5].outputs[0].mem == (het__gpu_memory *)r.buffers[f]->mem);
    }
    rig_close(&r);
}

/* A program whose values go round a few places; all of them after it, as one row. */
static void run_slots(uint64_t seed, bool out_of_order, float *out)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    uint32_t in_slot[SLOTS], slot_of[RIG_VALUES_MAX] = { 0 };
    open_rig(&r, out_of_order);
    r.symbols[HET__SYM_TOKENS] = r.symbols_max[HET__SYM_TOKENS] = 1;
    for (uint32_t i = 0; i < SLOTS; i++) {
        in_slot[i] = input(&r, "x", WIDE);
        slot_of[in_slot[i]] = i;
    }
    for (int i = 0; i < NODES; i++) {
        const uint32_t a = (uint32_t)(test_random(&seed) % SLOTS);
        const uint32_t b = (uint32_t)(test_random(&seed) % SLOTS);
        uint32_t to = (uint32_t)(test_random(&seed) % SLOTS);
        while (to == a || to == b)
            to = (to + 1) % SLOTS;
        const uint32_t y = test_random(&seed) % 2 ? unary(&r, in_slot[a])
                                                  : add(&r, in_slot[a], in_slot[b]);
        slot_of[y] = to;
        in_slot[to] = y;
    }
    CHECK_INT(rig_buffers(&r, &err), HET_OK);
    for (uint32_t v = SLOTS; v < r.graph.value_count; v++)
        r.places[v] = r.places[slot_of[v]];
    CHECK_INT(rig_compile_slice(&r, &err), HET_OK);
    for (uint32_t i = 0; i < SLOTS; i++)
        fill(&r, i, WIDE);
    /* Twice, the second behind the first. */
    CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
    CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
    CHECK_INT(r.backend->wait(r.device, 0, &err), HET_OK);
    for (uint32_t i = 0; i < SLOTS; i++)
        cl_take(&r, i, out + i * WIDE, WIDE * sizeof *out);
    rig_close(&r);
}

static void any_order_gives_the_same(void)
{
    static float want[SLOTS * WIDE], got[SLOTS * WIDE];
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        run_slots(seed, false, want);
        run_slots(seed, true, got);
        CHECK(memcmp(want, got, sizeof want) == 0);
        CHECK(isfinite((double)want[0]));
    }
}

/* ---- copies ---- */

#define LONG (1 << 20)

static bool is_running(const rig *r)
{
    cl_int state = CL_COMPLETE;
    cl_event last = het__cl_last_event(r->device, r->device->enqueued);
    if (last)
        clGetEventInfo(last, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    return state > CL_COMPLETE;
}

/* A write to an input that is read waits for the program, as does a read of what it makes; what it
 * does not touch is written meanwhile. */
static void copies_wait_for_what_they_touch(bool out_of_order)
{
    rig r;
    float data[64] = { 1 };
    het_error err = HET_ERROR_INIT;
    open_rig(&r, out_of_order);
    const uint32_t x = input(&r, "x", LONG), other = input(&r, "other", 64);
    uint32_t y = x;
    for (int i = 0; i < 24; i++)
        y = unary(&r, y);
    if (!rig_compile(&r)) {
        rig_close(&r);
        return;
    }
    uint32_t beside = 0;
    for (int i = 0; i < 5; i++) { /* the first one compiles */
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->buffer_write(r.device, r.buffers[other], 0, data, sizeof data, &err),
                  HET_OK);
        beside += is_running(&r);
        CHECK_INT(r.backend->buffer_write(r.device, r.buffers[x], 64, data, sizeof data, &err),
                  HET_OK);
        CHECK(!is_running(&r));
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->buffer_read(r.device, r.buffers[y], 64, data, sizeof data, &err),
                  HET_OK);
        CHECK(!is_running(&r));
        CHECK_NEAR(data[1], 0, 1e-6);
        CHECK(data[0] > 0.1f && data[0] < 0.5f);
        /* Waits go by what the program took the last time, where the driver has times. */
        CHECK_INT(r.backend->wait(r.device, UINT64_C(60000000000), &err), HET_OK);
        uint64_t begin, end;
        if (r.backend->span(r.device, r.device->enqueued, &begin, &end))
            CHECK_INT(((het__cl_program *)r.program->own)->last_ns, end - begin);
        data[0] = 1;
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        r.backend->release(r.device, r.program); /* then nothing is known of what it touches */
        r.program = NULL;
        CHECK_INT(r.backend->buffer_write(r.device, r.buffers[other], 0, data, sizeof data, &err),
                  HET_OK);
        CHECK(!is_running(&r));
        CHECK_INT(r.backend->wait(r.device, 0, &err), HET_OK);
        CHECK_INT(rig_compile_slice(&r, &err), HET_OK);
    }
    printf("%s: %u of 5 copies ended before the program that does not touch their bytes\n",
           r.device->gpu.is_unordered ? "out of order" : "in order", beside);
    CHECK(beside >= 3);
    rig_close(&r);
}

static void copies_in_order(void)
{
    copies_wait_for_what_they_touch(false);
}

static void copies_out_of_order(void)
{
    copies_wait_for_what_they_touch(true);
}

/* ---- one program at a time ---- */

static const het__backend *inner;
static uint32_t started, under_way;

static het_status watched_enqueue(het__device *device, het__program *program,
                                  const int64_t *symbols, het_error *err)
{
    started++;
    under_way += device->retired < device->enqueued;
    return inner->enqueue(device, program, symbols, err);
}

static void generate(het_context *context, uint64_t flags)
{
    tiny_options t = TINY_LLAMA;
    tiny_model m;
    het_model *model = NULL;
    het_session *s = NULL;
    het_sequence *q = NULL;
    het_error err = HET_ERROR_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    const int32_t ids[] = { 3, 5, 7 };
    o.flags = flags;
    tiny_make(&m, &t);
    CHECK_INT(het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err), HET_OK);
    if (het_session_create(model, &o, &s, &err) != HET_OK ||
        het_sequence_create(s, &q, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    started = under_way = 0;
    for (int i = 0; i < 3 && q; i++) {
        CHECK_INT(het_sequence_append(q, ids, 3, 0, &err), HET_OK);
        CHECK_INT(het_session_step(s, NULL, &err), HET_OK);
    }
    het_sequence_destroy(q);
    het_session_destroy(s);
    het_model_destroy(model);
    tiny_free(&m);
}

static void validation_runs_one_program_at_a_time(void)
{
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    het__backend table;
    choose(true);
    o.backends = "opencl_igpu";
    CHECK_INT(het_context_create(&o, &context, NULL), HET_OK);
    if (!context)
        return;
    inner = context->registry.device[0].backend;
    table = *inner;
    table.enqueue = watched_enqueue;
    context->registry.device[0].backend = &table;
    generate(context, 0);
    CHECK(started > 3 && under_way > 0);
    generate(context, HET_SESSION_VALIDATE);
    CHECK(started > 3);
    CHECK_INT(under_way, 0);
    het_context_destroy(context);
}

/* ---- scratch ---- */

/* Programs share the smallest that is enough; what the last one leaves is given back. */
static void programs_share_scratch(void)
{
    static const size_t wanted[] = { 1000, 500, 3000, 2000, 1000 };
    static const uint32_t same[] = { 0, 0, 2, 2, 0 };
    rig r;
    het_error err = HET_ERROR_INIT;
    het__gpu_scratch *got[5];
    open_rig(&r, false);
    het__gpu *gpu = &r.device->gpu;
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_INT(het__gpu_scratch_take(gpu, wanted[i], &got[i], &err), HET_OK);
        CHECK(got[i] == got[same[i]]);
    }
    CHECK_INT(gpu->counters.scratch_bytes, 4000);
    het__gpu_scratch_leave(gpu, got[2]);
    het__gpu_scratch_leave(gpu, got[0]);
    CHECK_INT(gpu->counters.scratch_bytes, 4000);
    het__gpu_scratch_leave(gpu, got[3]);
    CHECK_INT(gpu->counters.scratch_bytes, 1000);
    het__gpu_scratch_leave(gpu, got[1]);
    het__gpu_scratch_leave(gpu, got[4]);
    CHECK_INT(gpu->counters.scratch_bytes, 0);
    CHECK(!gpu->scratch);
    rig_close(&r);
}

int main(void)
{
    cl_find();
    test_case(programs_share_scratch);
    test_case(calls_name_what_they_wait_for);
    test_case(any_order_gives_the_same);
    test_case(copies_in_order);
    test_case(copies_out_of_order);
    test_case(validation_runs_one_program_at_a_time);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated device: which devices a text means, what they refuse, how much they hold, and how
 * long they take. What it computes is the business of the conformance suite. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "backends/sim/sim.h"
#include "rig.h"

#define WIDTH 1024
#define MS UINT64_C(1000000)

static const het__backend *sim;

static uint32_t probe(const char *text, het__probed *probed)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    const het__host host = { .mem = &mem, .use_env = true };
    setenv("HETINFER_SIM", text, 1);
    sim->probe(&host, probed);
    CHECK_INT(mem.bytes, 0);
    return probed->device_count;
}

static void devices_by_text(void)
{
    static het__probed p;
    CHECK_INT(probe("", &p), 2);
    CHECK_STR(p.device[0].name, "sim: Radeon 780M");
    CHECK_STR(p.device[1].name, "sim: XDNA1 NPU");
    CHECK_INT(p.device[0].kind, HET_DEVICE_SIMULATED);
    CHECK_STR(p.device[0].driver, "simulated from profile amd-8945hs");
    CHECK_INT(p.device[1].memory_bytes, 2000000000);
    CHECK_INT(probe("amd-8945hs:Radeon 780M@64M,intel-185h:npu", &p), 2);
    CHECK_INT(p.device[0].memory_bytes, 64 << 20);
    CHECK(strstr(p.device[1].driver, "intel-185h") != NULL);
    CHECK_INT(probe("h100-pcie:gpu", &p), 1);
}

static void wrong_texts(void)
{
    static const struct { const char *text, *part; } wrong[] = {
        { "nobody:npu", "no profile" },        { "amd-8945hs:gpu", "no device" },
        { "amd-8945hs", "PROFILE:DEVICE" },    { "amd-8945hs:", "PROFILE:DEVICE" },
        { ":npu", "no profile" },              { "amd-8945hs:npu@", "PROFILE:DEVICE" },
        { "amd-8945hs:npu@12Q", "PROFILE:DEVICE" }, { "amd-8945hs:npu@0", "PROFILE:DEVICE" },
        { "amd-8945hs:npu@99999999999999G", "PROFILE:DEVICE" },
        { "amd-8945hs:npu,,", "PROFILE:DEVICE" },
    };
    static het__probed p;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_INT(probe(wrong[i].text, &p), 0);
        if (!strstr(p.reason, wrong[i].part))
            TEST_FAIL("\"%s\": %s", wrong[i].text, p.reason);
    }
    char longer[700] = "";
    for (int i = 0; i < 40; i++)
        strcat(longer, "amd-8945hs:npu,");
    CHECK_INT(probe(longer, &p), 0);
    longer[15 * 17] = '\0';
    CHECK_INT(probe(longer, &p), 0); /* more than there may be */
}

static void figures_of_the_profile(void)
{
    static het__probed p;
    het_device_figures f;
    probe("", &p);
    sim->figures(0, &f);
    CHECK_NEAR(f.f32_ops_per_s, 8.6016e12, 1);
    CHECK_NEAR(f.read_bytes_per_s, 73e9, 1);
    CHECK_NEAR(f.launch_ns, 20000, 0);
    CHECK_INT(f.source, HET_SOURCE_ASSUMED); /* of the weakest */
    sim->figures(1, &f);
    CHECK_NEAR(f.f32_ops_per_s, 0, 0);
    CHECK_NEAR(f.int8_ops_per_s, 16e12, 1);
}

/* ---- with a graph: y = x W, [T,WIDTH] ---- */

static uint32_t y_of(const rig *r)
{
    return r->graph.nodes[0].outputs[0];
}

static bool start(rig *r, const char *text, const char *scale)
{
    static float weights[WIDTH * WIDTH];
    static het__probed probed;
    het_error err = HET_ERROR_INIT;
    const het__extent x[2] = { { 1, HET__SYM_TOKENS }, { WIDTH, HET__SYM_ONE } };
    const int64_t w[2] = { WIDTH, WIDTH };
    CHECK(probe(text, &probed) > 0);
    setenv("HETINFER_SIM_SCALE", scale, 1);
    rig_init(r, "sim");
    r->host.use_env = true;
    CHECK_INT(rig_open_device(r, &err), HET_OK);
    const uint32_t in[4] = {
        het__graph_value(&r->graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, x), HET__NO_VALUE,
        het__graph_const(&r->graph, "w", HET_DTYPE_F32, 2, w, weights), HET__NO_VALUE,
    };
    het__graph_node(&r->graph, HET__OP_LINEAR, 0, "linear", in, 4,
                    &(het__attrs){ .linear = { 1, false } }, NULL);
    return r->device && rig_compile(r);
}

/* Four million bytes of weights read at 85 % of 73 GB/s take 68 us, and a launch 20: a thousand
 * times that is what the program must take. */
static void time_is_kept(void)
{
    static rig r;
    if (start(&r, "amd-8945hs:igpu", "1000")) {
        const uint64_t begin = het__now_ns();
        rig_run(&r);
        const uint64_t took = het__now_ns() - begin;
        uint64_t from = 0, to = 0;
        het__backend_counters c;
        CHECK(took >= 70 * MS && took < 2000 * MS);
        CHECK(r.backend->span(r.device, 1, &from, &to));
        CHECK(from >= begin && to - from >= 70 * MS && to - from <= took);
        CHECK(!r.backend->span(r.device, 2, &from, &to));
        r.backend->counters(r.device, &c);
        CHECK_NEAR((double)c.busy_ns, 20000 + (WIDTH * WIDTH + 2 * WIDTH) * 4 / (0.85 * 73.0), 2);
    }
    rig_close(&r);
}

static void waits_have_limits(void)
{
    static rig r;
    het_error err = HET_ERROR_INIT;
    if (start(&r, "amd-8945hs:igpu", "1000")) {
        const het__backend *b = r.backend;
        const uint64_t begin = het__now_ns();
        for (int i = 0; i < 3; i++)
            CHECK_INT(b->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK(het__now_ns() - begin < 50 * MS);
        CHECK_INT(b->wait(r.device, 5 * MS, &err), HET_E_TIMEOUT);
        CHECK(strstr(err.message, "Radeon 780M") != NULL);
        CHECK_INT(b->wait_for(r.device, 1, 0, &err), HET_OK);
        const uint64_t first = het__now_ns() - begin;
        CHECK_INT(b->wait_for(r.device, 2, 5 * MS, &err), HET_E_TIMEOUT);
        CHECK_INT(b->wait(r.device, 0, &err), HET_OK);
        const uint64_t all = het__now_ns() - begin;
        CHECK(first >= 70 * MS && all >= 3 * 70 * MS && first < all);
    }
    rig_close(&r);
}

/* What has not begun when it is released never does. */
static void giving_up_is_quick(void)
{
    static rig r;
    het_error err = HET_ERROR_INIT;
    if (start(&r, "amd-8945hs:igpu", "100000")) {
        for (int i = 0; i < 20; i++)
            CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->wait(r.device, 5 * MS, &err), HET_E_TIMEOUT);
    }
    const uint64_t begin = het__now_ns();
    rig_close(&r);
    CHECK(het__now_ns() - begin < 2000 * MS);
}

/* Two devices take no longer than one. */
static void devices_overlap(void)
{
    static rig a, b;
    het_error err = HET_ERROR_INIT;
    const bool ready = start(&a, "amd-8945hs:igpu", "3000");
    if (start(&b, "amd-8945hs:igpu", "3000") && ready) {
        const uint64_t begin = het__now_ns();
        CHECK_INT(a.backend->enqueue(a.device, a.program, a.symbols, &err), HET_OK);
        CHECK_INT(b.backend->enqueue(b.device, b.program, b.symbols, &err), HET_OK);
        CHECK_INT(a.backend->wait(a.device, 0, &err), HET_OK);
        CHECK_INT(b.backend->wait(b.device, 0, &err), HET_OK);
        const uint64_t took = het__now_ns() - begin;
        CHECK(took >= 210 * MS && took < 400 * MS);
    }
    rig_close(&a);
    rig_close(&b);
}

static void memory_ends(void)
{
    static rig r;
    het_error err = HET_ERROR_INIT;
    het__buffer *buffer = NULL;
    /* 5 MiB hold the weights and little else. */
    if (start(&r, "amd-8945hs:igpu@5M", "0")) {
        CHECK_INT(r.backend->buffer_create(r.device, 2 << 20, &buffer, &err), HET_E_NOMEM);
        CHECK(strstr(err.message, "5242880") != NULL);
        CHECK_INT(r.backend->buffer_create(r.device, 1 << 19, &buffer, &err), HET_OK);
        CHECK_INT(r.backend->buffer_create(r.device, SIZE_MAX, &buffer, &err), HET_E_NOMEM);
        if (buffer)
            r.backend->buffer_destroy(r.device, buffer);
        rig_run(&r);
    }
    rig_close(&r);
    /* Weights that do not fit leave everything as it was. */
    static het__probed probed;
    static rig small;
    static const float weights[WIDTH * WIDTH];
    CHECK_INT(probe("amd-8945hs:igpu@1M", &probed), 1);
    rig_init(&small, "sim");
    small.host.use_env = true;
    CHECK_INT(rig_open_device(&small, &err), HET_OK);
    const het__extent x[2] = { { 1, HET__SYM_TOKENS }, { WIDTH, HET__SYM_ONE } };
    const int64_t w[2] = { WIDTH, WIDTH };
    const uint32_t in[4] = {
        het__graph_value(&small.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, x), HET__NO_VALUE,
        het__graph_const(&small.graph, "w", HET_DTYPE_F32, 2, w, weights), HET__NO_VALUE,
    };
    het__graph_node(&small.graph, HET__OP_LINEAR, 0, "linear", in, 4,
                    &(het__attrs){ .linear = { 1, false } }, NULL);
    CHECK_INT(rig_buffers(&small, &err), HET_OK);
    CHECK_INT(rig_compile_slice(&small, &err), HET_E_NOMEM);
    CHECK_INT(rig_compile_slice(&small, &err), HET_E_NOMEM);
    CHECK(strstr(err.message, "weights") != NULL);
    rig_close(&small);
}

/* An NPU's memory is its own, and it runs products of few bits alone. */
static void npu(void)
{
    static rig r;
    char reason[120] = "";
    if (start(&r, "amd-8945hs:npu", "0")) {
        float x[WIDTH], y[WIDTH];
        het_error err = HET_ERROR_INIT;
        for (int i = 0; i < WIDTH; i++)
            x[i] = 1;
        CHECK(r.backend->buffer_host(r.device, r.buffers[y_of(&r)]) == NULL);
        CHECK_INT(r.backend->buffer_write(r.device, r.buffers[0], 0, x, sizeof x, &err), HET_OK);
        rig_run(&r);
        CHECK_INT(r.backend->buffer_read(r.device, r.buffers[y_of(&r)], 0, y, sizeof y, &err),
                  HET_OK);
        CHECK_NEAR(y[7], 0, 0);
        const uint32_t in = y_of(&r);
        het__graph_node(&r.graph, HET__OP_SOFTMAX, 0, "softmax", &in, 1, NULL, NULL);
        CHECK(r.backend->supports_on(0, &r.graph, &r.graph.nodes[0], reason, sizeof reason));
        CHECK(!r.backend->supports_on(0, &r.graph, &r.graph.nodes[1], reason, sizeof reason));
        CHECK(strstr(reason, "no design") != NULL);
        CHECK(!r.backend->supports_on(7, &r.graph, &r.graph.nodes[0], reason, sizeof reason));
    }
    rig_close(&r);
}

static void wrong_scales(void)
{
    static const char *const wrong[] = { "fast", "-1", "1x", "nan", "1e9" };
    static het__probed probed;
    probe("", &probed);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        static rig r;
        het_error err = HET_ERROR_INIT;
        setenv("HETINFER_SIM_SCALE", wrong[i], 1);
        rig_init(&r, "sim");
        r.host.use_env = true;
        CHECK_INT(rig_open_device(&r, &err), HET_E_INVALID);
        CHECK(strstr(err.message, wrong[i]) != NULL);
        rig_close(&r);
    }
}

int main(void)
{
    sim = rig_backend("sim");
    CHECK(sim != NULL);
    if (!sim)
        return test_finish();
    test_case(devices_by_text);
    test_case(wrong_texts);
    test_case(figures_of_the_profile);
    test_case(time_is_kept);
    test_case(waits_have_limits);
    test_case(giving_up_is_quick);
    test_case(devices_overlap);
    test_case(memory_ends);
    test_case(npu);
    test_case(wrong_scales);
    return test_finish();
}

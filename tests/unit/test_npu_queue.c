/* SPDX-License-Identifier: Apache-2.0 */
/* What the NPU's backend hands over at once, and that it waits for it elsewhere: programs run while
 * the caller goes on, a deadline ends them, and a device that hangs is let go of soon. The array is
 * a stand-in with a thread of its own. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "npu_case.h"

#define INNER 150 /* three parts of 64 */
#define COLUMNS 40
#define MATRICES 3

static float weights[MATRICES][COLUMNS * INNER];

/* The library that was loaded is with or without them: both are tried. */
static bool has_lists(void)
{
    return het__find_symbol("_ZN3xrt7runlist7executeEv") != NULL;
}

static uint64_t now_ms(void)
{
    return het__now_ns() / 1000000;
}

/* Three products of one input in one node: x and the first result. */
static bool products(rig *r, int64_t rows, uint32_t *x, uint32_t *y)
{
    uint64_t seed = 5;
    uint32_t in[2 + 2 * MATRICES];
    *x = het__graph_value(&r->graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2,
                          (het__extent[]){ { 1, HET__SYM_TOKENS }, EXTENT(INNER) });
    in[0] = *x;
    in[1] = HET__NO_VALUE;
    for (uint32_t i = 0; i < MATRICES; i++) {
        npu_fill(weights[i], COLUMNS * INNER, &seed);
        in[2 + 2 * i] = het__graph_const(&r->graph, i == 0 ? "q" : i == 1 ? "k" : "v",
                                         HET_DTYPE_F32, 2, (int64_t[]){ COLUMNS, INNER },
                                         weights[i]);
        in[3 + 2 * i] = HET__NO_VALUE;
    }
    r->symbols_max[HET__SYM_TOKENS] = r->symbols[HET__SYM_TOKENS] = rows;
    het__attrs attrs = { .linear = { MATRICES, false } };
    *y = het__graph_node(&r->graph, HET__OP_LINEAR, 0, "qkv", in, 2 + 2 * MATRICES, &attrs, NULL);
    if (!rig_compile(r))
        return false;
    npu_fill(rig_data(r, *x), rows * INNER, &seed);
    return true;
}

/* Nine runs: three matrices of one cut and three parts. */
static void products_of_a_node_go_at_once(void)
{
    uint32_t x, y;
    rig r;
    npu_use_design("small-whole", 64);
    if (!npu_open(&r, ""))
        return;
    if (products(&r, 7, &x, &y)) {
        const bool lists = has_lists();
        rig_run(&r); /* makes the list */
        het__backend_counters before, after;
        r.backend->counters(r.device, &before);
        const unsigned calls = npu_calls("any");
        rig_run(&r);
        r.backend->counters(r.device, &after);
        const unsigned submitted = (unsigned)(after.launch_count - before.launch_count);
        printf("a node of %d products in %s: %u submissions, %u calls to XRT\n", MATRICES,
               lists ? "lists" : "single runs", submitted, npu_calls("any") - calls);
        CHECK_INT(submitted, lists ? 1 : 9);
    }
    npu_close(&r);
}

/* Large results stay apart: 600 rows are pieces of 512 and 128. */
static void large_results_overlap(void)
{
    uint32_t x, y;
    rig r;
    npu_use_design("small-whole", 64);
    if (!npu_open(&r, ""))
        return;
    if (products(&r, 600, &x, &y)) {
        rig_run(&r);
        CHECK(npu_calls("start") >= 3);
    }
    npu_close(&r);
}

static void callers_go_on_while_it_computes(void)
{
    enum { DELAY = 60 };
    static float first[7 * COLUMNS];
    uint32_t x, y;
    uint64_t begin_ns = 0, end_ns = 0, second_ns = 0;
    het_error err = HET_ERROR_INIT;
    rig r;
    npu_use_design("small-whole", 64);
    if (!npu_open(&r, ""))
        return;
    if (products(&r, 7, &x, &y)) {
        rig_run(&r);
        memcpy(first, rig_data(&r, y), sizeof first);
        memset(rig_data(&r, y), 0, sizeof first);
        setenv("HETINFER_XRT_STANDIN", "delay=60", 1);
        const uint64_t begin = now_ms();
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        const uint64_t handed = now_ms() - begin;
        CHECK_INT(r.backend->wait_for(r.device, 2, 0, &err), HET_OK);
        const uint64_t one = now_ms() - begin;
        CHECK_INT(r.backend->wait(r.device, 0, &err), HET_OK);
        const uint64_t both = now_ms() - begin;
        printf("two programs of %d ms: handed over after %u ms, done after %u and %u ms\n", DELAY,
               (unsigned)handed, (unsigned)one, (unsigned)both);
        CHECK(handed < DELAY && one >= DELAY && both >= 2 * DELAY);
        CHECK(r.backend->span(r.device, 2, &begin_ns, &end_ns) && end_ns >= begin_ns);
        CHECK(r.backend->span(r.device, 3, &second_ns, &end_ns) && second_ns >= begin_ns);
        CHECK(memcmp(first, rig_data(&r, y), sizeof first) == 0);
    }
    npu_close(&r);
}

/* Without the device's own thread, for sessions that run on the application's. */
static void applications_threads_are_the_only_ones(void)
{
    static float first[7 * COLUMNS];
    uint32_t x, y;
    het_error err = HET_ERROR_INIT;
    rig r;
    npu_use_design("small-whole", 64);
    for (int turn = 0; turn < 2; turn++) {
        if (!npu_open_by(&r, "", turn == 1))
            return;
        if (products(&r, 7, &x, &y)) {
            rig_run(&r);
            if (turn == 0)
                memcpy(first, rig_data(&r, y), sizeof first);
            CHECK(memcmp(first, rig_data(&r, y), sizeof first) == 0);
            setenv("HETINFER_XRT_STANDIN", "delay=70,fail=failed@wait#1", 1);
            const het_status s = r.backend->enqueue(r.device, r.program, r.symbols, &err);
            CHECK_INT(s, turn ? HET_E_INTERNAL : HET_OK);
            CHECK_INT(r.backend->wait(r.device, 0, &err), turn ? HET_OK : HET_E_INTERNAL);
            rig_run(&r); /* in a new context */
            CHECK(memcmp(first, rig_data(&r, y), sizeof first) == 0);
        }
        npu_close(&r);
    }
}

/* What was enqueued behind a program that fails is not run, and it is told once. */
static void failures_are_told_once(void)
{
    uint32_t x, y;
    het_error err = HET_ERROR_INIT;
    rig r;
    npu_use_design("small-whole", 64);
    if (!npu_open(&r, ""))
        return;
    if (products(&r, 7, &x, &y)) {
        setenv("HETINFER_XRT_STANDIN", "delay=70,fail=abort@wait#1", 1);
        for (int i = 0; i < 3; i++)
            CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->wait(r.device, 0, &err), HET_E_INTERNAL);
        CHECK_STR(err.message, "XRT, small-whole: the run ended in state 6");
        CHECK_INT(npu_calls("start"), has_lists() ? 1 : 2);
        CHECK_INT(r.backend->wait(r.device, 0, &err), HET_OK);
    }
    npu_close(&r);
}

/* The array never ends: the core's deadline does, and letting go takes little. What it holds stays
 * with it until the stand-in is told something else. */
static void a_deadline_ends_what_hangs(void)
{
    uint32_t x, y;
    het_error err = HET_ERROR_INIT;
    rig r;
    npu_use_design("small-whole", 64);
    if (!npu_open(&r, ""))
        return;
    if (products(&r, 7, &x, &y)) {
        setenv("HETINFER_XRT_STANDIN", "fail=hang@start#1", 1);
        const uint64_t begin = now_ms();
        for (int i = 0; i < 2; i++)
            CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->wait(r.device, 100 * UINT64_C(1000000), &err), HET_E_TIMEOUT);
        const uint64_t waited = now_ms() - begin;
        rig_close(&r);
        const uint64_t closed = now_ms() - begin - waited;
        printf("given up after %u ms, let go of in %u ms\n", (unsigned)waited, (unsigned)closed);
        CHECK(waited >= 100 && waited < 5000 && closed < 1500);
        CHECK(npu_objects() > 0);
    } else {
        rig_close(&r);
    }
    npu_check_rules();
}

/* Of the leak sanitizer, where it is. */
extern void __lsan_disable(void) __attribute__((weak));

int main(void)
{
    test_case(products_of_a_node_go_at_once);
    test_case(large_results_overlap);
    test_case(callers_go_on_while_it_computes);
    test_case(applications_threads_are_the_only_ones);
    test_case(failures_are_told_once);
    if (__lsan_disable)
        __lsan_disable(); /* a device that hangs keeps what it may still write to */
    test_case(a_deadline_ends_what_hangs);
    return test_finish();
}

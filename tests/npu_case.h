/* SPDX-License-Identifier: Apache-2.0 */
/* A rig on the stand-in for an NPU (tests/drivers/xrt), and questions to that. */
#ifndef HETINFER_TEST_NPU_CASE_H
#define HETINFER_TEST_NPU_CASE_H

#include "rig.h"

#include "lib/base/os.h"

#define EXTENT(n) { n, HET__SYM_ONE }

static int64_t npu_part; /* terms of a sum that the design in use takes at once */

static inline unsigned npu_objects(void)
{
    unsigned (*ask)(void) = NULL;
    void *symbol = het__find_symbol("xrt_standin_objects");
    memcpy(&ask, &symbol, sizeof ask);
    return ask ? ask() : 0;
}

/* Only this of the packages that the tests have. */
static inline void npu_use_design(const char *name, int64_t inner)
{
    static char all[400];
    char one[512];
    if (!all[0])
        snprintf(all, sizeof all, "%s", getenv("HETINFER_NPU_DESIGNS"));
    snprintf(one, sizeof one, "%s/%s", all, name);
    setenv("HETINFER_NPU_DESIGNS", one, 1);
    npu_part = inner;
}

static inline void npu_check_rules(void)
{
    unsigned (*ask)(char *, size_t) = NULL;
    char text[200] = "";
    void *symbol = het__find_symbol("xrt_standin_broken_rules");
    memcpy(&ask, &symbol, sizeof ask);
    const unsigned broken = ask ? ask(text, sizeof text) : 1;
    if (broken)
        TEST_FAIL("%u rules of XRT broken, the first: %s", broken, text);
}

static inline void npu_parallel(void *user, uint32_t count, het_task_fn task, void *arg)
{
    (void)user;
    for (uint32_t i = 0; i < count; i++)
        task(arg, i);
}

/* A rig on the stand-in's device; false if it cannot be opened. */
static inline bool npu_open_by(rig *r, const char *standin, bool by_application)
{
    het__probed probed = { 0 };
    het_error err = HET_ERROR_INIT;
    setenv("HETINFER_XRT_STANDIN", standin, 1);
    rig_init(r, "amd_xrt_npu");
    r->host.use_env = true;
    r->options.parallel = by_application ? npu_parallel : NULL;
    r->backend->probe(&r->host, &probed);
    if (probed.device_count == 0) {
        TEST_FAIL("no device: %s", probed.reason);
        return false;
    }
    const het_status s = rig_open_device(r, &err);
    if (s != HET_OK)
        TEST_FAIL("%s: %s", het_status_name(s), err.message);
    return s == HET_OK;
}

static inline bool npu_open(rig *r, const char *standin)
{
    return npu_open_by(r, standin, false);
}

static inline void npu_close(rig *r)
{
    rig_close(r);
    CHECK_INT(npu_objects(), 0);
    npu_check_rules();
}

static inline unsigned npu_calls(const char *name)
{
    unsigned (*ask)(const char *) = NULL;
    void *symbol = het__find_symbol("xrt_standin_calls");
    memcpy(&ask, &symbol, sizeof ask);
    return ask ? ask(name) : 0;
}

static inline void npu_fill(float *x, int64_t count, uint64_t *seed)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = test_random_float(seed) * (i % 7 ? 1.0f : 3.0f);
}

#endif /* HETINFER_TEST_NPU_CASE_H */

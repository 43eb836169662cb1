/* SPDX-License-Identifier: Apache-2.0 */
/* The test driver's functions (control.h), in the library that the loader loads too. */
#ifndef ZE_TEST_ASK_H
#define ZE_TEST_ASK_H

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "test.h"

typedef struct ze_ask {
    void (*reset)(void);
    void (*abandon)(void);
    int (*arm)(const char *);
    uint32_t (*armed)(void);
    uint64_t (*calls)(const char *);
    uint64_t (*complaints)(void);
    void (*counts)(ze_test_counters *);
} ze_ask;

/* Skips the test where there is no test driver. */
static inline ze_ask ze_ask_find(void)
{
    ze_ask driver = { 0 };
    const char *path = getenv("HETINFER_ZE_DRIVER");
    void *const library = path ? dlopen(path, RTLD_NOW) : NULL;
    const struct {
        const char *name;
        void *function;
    } functions[] = {
        { "ze_test_reset", &driver.reset },           { "ze_test_arm", &driver.arm },
        { "ze_test_armed", &driver.armed },           { "ze_test_calls", &driver.calls },
        { "ze_test_complaints", &driver.complaints }, { "ze_test_counts", &driver.counts },
        { "ze_test_abandon", &driver.abandon },
    };
    if (!library)
        test_skip("no test driver for Level Zero (HETINFER_ZE_DRIVER)");
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *const function = dlsym(library, functions[i].name);
        CHECK(function != NULL);
        memcpy(functions[i].function, &function, sizeof function);
    }
    return driver;
}

#endif /* ZE_TEST_ASK_H */

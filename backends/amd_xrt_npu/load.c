/* SPDX-License-Identifier: Apache-2.0 */
/* Finding XRT. Its library is loaded so that others see its symbols, then a file of ours that needs
 * twenty-one of them, of which those of run lists may be missing: what else the machine's release
 * lacks is named by the loader. Nothing is built against XRT, and where it is absent nothing of
 * this happened. */
#include "backends/amd_xrt_npu/npu.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/module_path.h"
#include "lib/base/os.h"

#define LIBRARY "libxrt_coreutil.so.2"
#define OLDEST "2.17"
#define TEXT_MAX 1024

/* Guarded by the lock; never unloaded. */
static het__mutex lock = PTHREAD_MUTEX_INITIALIZER;
static const het__xrt_calls *calls;
#define ABANDONED_MAX 1024
static const void *abandoned[ABANDONED_MAX];
static uint32_t abandoned_count;

static void say_why(const char *message, char *reason, size_t bytes)
{
    static const char missing[] = "undefined symbol: ";
    const char *at = strstr(message, missing);
    if (!at) {
        snprintf(reason, bytes, "its part for XRT cannot be loaded: %.120s", message);
        return;
    }
    at += sizeof missing - 1;
    snprintf(reason, bytes, "XRT is older than " OLDEST ": it lacks %.*s",
             (int)strcspn(at, " ,\n"), at);
}

static const het__xrt_calls *load(bool use_env, char *reason, size_t bytes)
{
    char path[TEXT_MAX], message[TEXT_MAX];
    const char *named = use_env ? het__env("HETINFER_XRT_LIBRARY") : NULL;
    if (!het__module_path(use_env, "xrt", path, sizeof path)) {
        snprintf(reason, bytes, "its part for XRT (hetinfer-xrt.so) is not installed");
        return NULL;
    }
    if (!het__load_global(named ? named : LIBRARY, message, sizeof message)) {
        snprintf(reason, bytes, "XRT is not installed: %.120s", message);
        return NULL;
    }
    const het__xrt_calls *found =
        het__load_symbol(path, HET__XRT_SYMBOL, message, sizeof message);
    if (!found)
        say_why(message, reason, bytes);
    else if (found->struct_size != sizeof *found) {
        snprintf(reason, bytes, "its part for XRT is of another build: %.100s", path);
        return NULL;
    }
    return found;
}

const het__xrt_calls *het__npu_load(bool use_env, char *reason, size_t bytes)
{
    het__mutex_lock(&lock);
    if (!calls)
        calls = load(use_env, reason, bytes);
    const het__xrt_calls *found = calls;
    het__mutex_unlock(&lock);
    return found;
}

bool het__npu_has_lists(void)
{
    static const char *const needed[] = {
        "_ZN3xrt7runlistC1ERKNS_10hw_contextE", "_ZN3xrt7runlist3addERKNS_3runE",
        "_ZN3xrt7runlist7executeEv",
        "_ZNK3xrt7runlist4waitERKNSt6chrono8durationIlSt5ratioILl1ELl1000EEEE",
    };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!het__find_symbol(needed[i]))
            return false;
    return true;
}

void het__npu_abandon(const void *object)
{
    het__mutex_lock(&lock);
    abandoned[abandoned_count++ % ABANDONED_MAX] = object;
    het__mutex_unlock(&lock);
}

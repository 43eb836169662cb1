/* SPDX-License-Identifier: Apache-2.0 */
/* Naps. Linux keeps how late a thread may be woken per thread; it is read and put back around each
 * nap, since the thread is the application's. */
#include "lib/base/nap.h"

#include "lib/base/os.h"

#ifdef __linux__
#include <sys/prctl.h>

void het__nap_ns(uint64_t ns)
{
    const int slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    if (slack > 1)
        prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    het__sleep_ns(ns);
    if (slack > 1)
        prctl(PR_SET_TIMERSLACK, (unsigned long)slack, 0UL, 0UL, 0UL);
}

#else

void het__nap_ns(uint64_t ns)
{
    het__sleep_ns(ns);
}

#endif

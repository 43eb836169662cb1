/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting with an end, by the clock of het__now_ns(). */
#ifndef HET_BASE_DEADLINE_H
#define HET_BASE_DEADLINE_H

#include "lib/base/os.h"

/* Until the condition is signalled, or the clock says deadline_ns (then false); may also return
 * true without a signal. The mutex is held. */
bool het__cond_wait_until(het__cond *cond, het__mutex *mutex, uint64_t deadline_ns);

#endif /* HET_BASE_DEADLINE_H */

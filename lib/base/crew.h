/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads for one call, for work that they share out among themselves. */
#ifndef HET_BASE_CREW_H
#define HET_BASE_CREW_H

#include "lib/base/mem.h"

/* Call run(job, n) for n in [0, count), the first on the caller's thread, the others each on one of
 * their own while they last. Where a thread cannot be started its number is left out, so run must
 * finish all that is left. */
void het__crew_run(het__mem *mem, uint32_t count, void (*run)(void *job, uint32_t number),
                   void *job);

/* Threads that somebody has already: run calls fn(job, n) for numbers n below count, each at most
 * once and any number of them at a time, and returns when all calls have. */
typedef struct het__team {
    uint32_t count; /* at least 1 */
    void (*run)(void *user, void (*fn)(void *job, uint32_t number), void *job);
    void *user;
} het__team;

#endif /* HET_BASE_CREW_H */

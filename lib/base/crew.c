/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/crew.h"

#include "lib/base/os.h"

typedef struct member {
    void (*run)(void *job, uint32_t number);
    void *job;
    uint32_t number;
    bool is_started;
    het__thread thread;
} member;

static void *work(void *argument)
{
    const member *m = argument;
    m->run(m->job, m->number);
    return NULL;
}

void het__crew_run(het__mem *mem, uint32_t count, void (*run)(void *job, uint32_t number),
                   void *job)
{
    member *members = count > 1 ? het__alloc_zero(mem, count, sizeof *members) : NULL;
    for (uint32_t i = 1; members && i < count; i++) {
        member *m = &members[i];
        *m = (member){ .run = run, .job = job, .number = i };
        m->is_started = het__thread_start(&m->thread, work, m);
    }
    run(job, 0);
    for (uint32_t i = 1; members && i < count; i++)
        if (members[i].is_started)
            het__thread_join(members[i].thread);
    het__free(mem, members);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations that have no kernel of their own here run as one task of the plain one. */
#include <string.h>

#include "backends/cpu_onednn/cpu.h"

static void *place_of(void *user, uint32_t value)
{
    return het__cpu_address(user, value);
}

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    (void)symbols;
    step->tasks = het__plain_call_is_done(step->data) ? 0 : 1;
}

/* A step has one task, and the next begins when it is over: nobody else writes the failure. */
static void run(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)task;
    (void)scratch;
    het__program *p = step->program;
    if (p->status == HET_OK)
        p->status = het__plain_call_run(step->data, &p->failure);
}

static void finish(het__cpu_step *step)
{
    het__plain_call_finish(step->data);
}

het_status het__cpu_build_plain(het__cpu_build *build, const het__node *node)
{
    het__cpu_step *step = het__cpu_add_step(build, sizeof(het__plain_call));
    if (!step)
        return HET_E_NOMEM;
    het__program *p = build->program;
    step->bind = bind;
    step->task = run;
    step->finish = finish;
    return het__plain_call_init(step->data, build->slice->graph, node, place_of, build, &p->arena,
                                build->device->host->mem, build->err);
}

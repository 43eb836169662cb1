/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations that have no kernel of their own here run by the plain one: as one task, or, if
 * places along the outermost axis do not depend on one another, as a task per stretch of that axis.
 * How many there are depends on extents alone. */
#include <stdatomic.h>
#include <string.h>

#include "backends/cpu_onednn/cpu.h"
#include "backends/cpu_onednn/float_mode.h"
#include "lib/base/error.h"

typedef struct plain_step {
    het__plain_call *calls;
    uint32_t count;
    int64_t bytes; /* moved */
    _Atomic bool has_failed;
} plain_step;

static void *place_of(void *user, uint32_t value)
{
    return het__cpu_address(user, value);
}

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    const plain_step *s = step->data;
    (void)symbols;
    step->tasks = het__plain_call_is_done(s->calls) ? 0 : s->count;
    if (s->count > 1)
        step->program->step_macs += (double)s->bytes / 4;
}

static void look(het__cpu_step *step)
{
    plain_step *s = step->data;
    atomic_store_explicit(&s->has_failed, false, memory_order_relaxed);
}

/* The first task to fail says why: nobody else writes the failure, and the step is over when it is
 * read. */
static void run(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    plain_step *s = step->data;
    het_error failure = HET_ERROR_INIT;
    (void)scratch;
    const het__float_mode mode = het__float_pause();
    const het_status status = het__plain_call_run(&s->calls[task], &failure);
    het__float_leave(mode);
    if (status != HET_OK && !atomic_exchange(&s->has_failed, true)) {
        step->program->failure = failure;
        step->program->status = status;
    }
}

static void finish(het__cpu_step *step)
{
    plain_step *s = step->data;
    for (uint32_t i = 0; i < s->count; i++)
        het__plain_call_finish(&s->calls[i]);
}

/* Plain kernels would copy what lies askew in each run. */
static het_status straighten(het__cpu_build *build, uint32_t value, het__tensor *t)
{
    const float *copy;
    if (value == HET__NO_VALUE || !het__cpu_lies_askew(&build->slice->graph->values[value]))
        return HET_OK;
    const het_status s = het__cpu_vector_get(build, value, &copy);
    if (s == HET_OK)
        t->data = (void *)(uintptr_t)copy;
    return s;
}

static het_status init(het__cpu_build *build, const het__node *node, het__plain_call *call)
{
    het_status s =
        het__plain_call_init(call, build->slice->graph, node, place_of, build,
                             &build->program->arena, build->device->host->mem, build->err);
    for (uint32_t i = 0; s == HET_OK && i < node->input_count; i++)
        het__cpu_follow(build, node->inputs[i], &call->inputs[i].data);
    for (uint32_t i = 0; s == HET_OK && i < node->input_count; i++)
        s = straighten(build, node->inputs[i], &call->inputs[i]);
    for (uint32_t o = 0; s == HET_OK && o < node->output_count; o++)
        het__cpu_follow(build, node->outputs[o], &call->outputs[o].data);
    return s;
}

het_status het__cpu_build_plain(het__cpu_build *build, const het__node *node)
{
    het__program *p = build->program;
    het__cpu_step *step = het__cpu_add_step(build, sizeof(plain_step));
    if (!step)
        return HET_E_NOMEM;
    plain_step *s = step->data;
    s->calls = het__arena_zero(&p->arena, HET__PLAIN_CALLS_MAX, sizeof *s->calls);
    if (!s->calls)
        return het__fail_nomem(build->err, node->name);
    step->bind = bind;
    step->look = look;
    step->task = run;
    step->finish = finish;
    het_status status = init(build, node, &s->calls[s->count++]);
    for (uint32_t o = 0; status == HET_OK && o < node->output_count; o++)
        s->bytes += het__tensor_bytes(&s->calls[0].outputs[o]);
    /* A reduction reads more than it writes. */
    if (status == HET_OK && node->input_count > 0 &&
        het__tensor_bytes(s->calls[0].inputs) > s->bytes)
        s->bytes = het__tensor_bytes(s->calls[0].inputs);
    uint32_t axis = 0;
    const uint32_t count = status == HET_OK ? het__plain_call_cuts(s->calls, s->bytes, &axis) : 1;
    while (status == HET_OK && s->count < count)
        status = init(build, node, &s->calls[s->count++]);
    if (status != HET_OK || count == 1)
        return status;
    const int64_t extent = s->calls[0].outputs[0].extent[axis];
    for (uint32_t i = 0; i < count; i++) {
        const int64_t first = extent * i / count;
        het__plain_call_narrow(&s->calls[i], axis, first, extent * (i + 1) / count - first);
    }
    return HET_OK;
}

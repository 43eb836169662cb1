/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls of a program wait for where they may run side by side, and which bytes a program
 * touches.
 *
 * A call reads its inputs and writes its outputs and states; all with scratch write the same. Of
 * two calls that meet in bytes which one of them writes, the later waits for the earlier, or for
 * one that does. Bytes are those of the largest step, so that this is worked out once. */
#include "backends/gpu/driver.h"

#include <assert.h>

#include "lib/base/error.h"

#define BITS 64

/* ---- bytes ---- */

static bool meet(const het__gpu_touch *a, const het__gpu_touch *b)
{
    return a->mem == b->mem && (a->is_written || b->is_written) && a->begin < b->end &&
           b->begin < a->end;
}

static void add_touch(het__gpu_call *call, const het__gpu_operand *o, bool is_written,
                      const int64_t *symbols_max)
{
    const int64_t bytes = o->mem ? het__value_bytes(&o->value, symbols_max) : 0;
    if (!o->is_present || !o->mem || o->value.kind == HET__VALUE_CONST)
        return;
    assert(bytes >= 0); /* or operand_init() had refused it */
    call->touches[call->touch_count++] = (het__gpu_touch){
        o->mem, o->offset, o->offset + (bytes > 0 ? (size_t)bytes : 1),
        is_written || o->value.kind == HET__VALUE_STATE,
    };
}

static het_status list_touches(het__program *p, const int64_t *symbols_max, het_error *err)
{
    for (uint32_t i = 0; i < p->call_count; i++) {
        het__gpu_call *call = &p->calls[i];
        call->touches = het__arena_zero(&p->arena, call->input_count + call->output_count,
                                        sizeof *call->touches);
        if (!call->touches)
            return het__fail_nomem(err, "a program");
        for (uint32_t k = 0; k < call->input_count; k++)
            add_touch(call, &call->inputs[k], false, symbols_max);
        for (uint32_t k = 0; k < call->output_count; k++)
            add_touch(call, &call->outputs[k], true, symbols_max);
    }
    return HET_OK;
}

static bool touches(const het__gpu_call *call, const het__gpu_touch *touch)
{
    for (uint32_t i = 0; i < call->touch_count; i++)
        if (meet(&call->touches[i], touch))
            return true;
    return false;
}

bool het__gpu_touches(const het__program *program, const het__gpu_touch *touch)
{
    for (uint32_t i = 0; i < program->call_count; i++)
        if (touches(&program->calls[i], touch))
            return true;
    return false;
}

/* ---- calls ---- */

static bool must_wait(const het__gpu_call *later, const het__gpu_call *earlier)
{
    if (later->scratch_bytes && earlier->scratch_bytes)
        return true;
    for (uint32_t i = 0; i < later->touch_count; i++)
        if (touches(earlier, &later->touches[i]))
            return true;
    return false;
}

/* before: a row of bits per call, of all calls that it waits for by any way. list: room for all. */
static het_status order_call(het__program *p, uint32_t index, uint64_t *before, size_t words,
                             uint32_t *list, het_error *err)
{
    het__gpu_call *call = &p->calls[index];
    uint64_t *mine = before + index * words;
    call->is_last = true;
    for (uint32_t i = index; i-- > 0;) {
        if (mine[i / BITS] >> i % BITS & 1 || !must_wait(call, &p->calls[i]))
            continue;
        list[call->after_count++] = i;
        p->calls[i].is_last = false;
        mine[i / BITS] |= UINT64_C(1) << i % BITS;
        for (size_t w = 0; w <= i / BITS; w++)
            mine[w] |= before[i * words + w];
    }
    call->after = het__arena_zero(&p->arena, call->after_count, sizeof *call->after);
    if (!call->after)
        return het__fail_nomem(err, "a program");
    for (uint32_t i = 0; i < call->after_count; i++)
        call->after[i] = list[i];
    return HET_OK;
}

het_status het__gpu_order(het__gpu *gpu, het__program *p, const int64_t *symbols_max,
                          het_error *err)
{
    const size_t count = p->call_count, words = (count + BITS - 1) / BITS;
    het_status s = list_touches(p, symbols_max, err);
    if (s != HET_OK || !gpu->is_unordered)
        return s;
    size_t all;
    uint64_t *before =
        het__mul_size(count, words, &all) ? het__alloc_zero(gpu->host.mem, all, 8) : NULL;
    uint32_t *list = het__alloc_zero(gpu->host.mem, count, sizeof *list);
    p->waits = het__arena_zero(&p->arena, count + 1, sizeof *p->waits);
    if (!before || !list || !p->waits)
        s = het__fail_nomem(err, "a program");
    for (uint32_t i = 0; i < count && s == HET_OK; i++)
        s = order_call(p, i, before, words, list, err);
    het__free(gpu->host.mem, before);
    het__free(gpu->host.mem, list);
    return s;
}

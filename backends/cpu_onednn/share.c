/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu_onednn/share.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"

#define WHOLE 65536u /* parts of all tasks in which ranges are cut */
/* Noted time that is worth looking at: far above a clock's resolution and a late start. */
#define NOTED_NS 100000.0
/* How far a new measurement moves a speed, and how many times the speed it may claim: a thread that
 * lost its processor for a while should not look slow afterwards. */
#define SMOOTH 0.125
#define SURPRISE 2.0
/* Ranges stay as they are, and with them what lies in each core's cache, until one would change by
 * this part of itself. */
#define STEADY 0.06
/* No range is shorter than this part of an even one: a worker must be seen to be fast again. */
#define LEAST (1.0 / 16)

/* A word says which of this many steps it belongs to. */
#define STEP_MASK 0xffffu
/* Ranges that nobody has touched for as many steps are renewed, so that they are never taken for
 * those of the present one. */
#define STEPS_KEPT 0x4000u

typedef struct range {
    uint32_t step, begin, end;
} range;

static uint64_t pack(range r)
{
    return (uint64_t)r.step << 48 | (uint64_t)r.begin << 24 | r.end;
}

static range unpack(uint64_t word)
{
    return (range){ (uint32_t)(word >> 48), (uint32_t)(word >> 24) & 0xffffff,
                    (uint32_t)word & 0xffffff };
}

het_status het__share_init(het__share *share, het__mem *mem, uint32_t count, het_error *err)
{
    share->slots = het__alloc_zero(mem, count, sizeof *share->slots);
    if (!share->slots)
        return het__fail_nomem(err, "the thread pool");
    share->count = count;
    for (uint32_t k = 0; k < HET__LOAD_KINDS; k++)
        for (uint32_t w = 0; w < count; w++)
            share->slots[w].cut[k] = (uint32_t)((uint64_t)WHOLE * w / count);
    return HET_OK;
}

void het__share_finish(het__share *share, het__mem *mem)
{
    het__free(mem, share->slots);
    share->slots = NULL;
}

/* ---- speeds ---- */

static uint32_t cut_of(const het__share *share, het__load kind, uint32_t worker)
{
    return worker < share->count ? share->slots[worker].cut[kind] : WHOLE;
}

static uint32_t width_of(const het__share *share, het__load kind, uint32_t worker)
{
    return cut_of(share, kind, worker + 1) - cut_of(share, kind, worker);
}

/* Sum of the speeds, each at least LEAST of the mean; 0 while one is unknown. */
static double speeds_sum(const het__share *share, het__load kind, double *least)
{
    double sum = 0, all = 0;
    for (uint32_t w = 0; w < share->count; w++) {
        if (!(share->slots[w].speed[kind] > 0))
            return 0;
        sum += share->slots[w].speed[kind];
    }
    *least = sum / share->count * LEAST;
    for (uint32_t w = 0; w < share->count; w++) {
        const double s = share->slots[w].speed[kind];
        all += s > *least ? s : *least;
    }
    return all;
}

static void cut_again(het__share *share, het__load kind)
{
    double least;
    const double sum = speeds_sum(share, kind, &least);
    if (!(sum > 0))
        return;
    bool moved = false;
    for (uint32_t w = 0; w < share->count; w++) {
        const double s = share->slots[w].speed[kind], part = s > least ? s : least;
        const double want = part / sum * WHOLE, have = width_of(share, kind, w);
        moved = moved || want > have * (1 + STEADY) || want < have * (1 - STEADY);
    }
    if (!moved)
        return;
    double at = 0;
    for (uint32_t w = 0; w < share->count; w++) {
        const double s = share->slots[w].speed[kind];
        share->slots[w].cut[kind] = (uint32_t)(at / sum * WHOLE);
        at += s > least ? s : least;
    }
}

static double smooth(double speed, double seen)
{
    if (!(speed > 0))
        return seen;
    seen = seen > speed * SURPRISE ? speed * SURPRISE : seen;
    seen = seen < speed / SURPRISE ? speed / SURPRISE : seen;
    return speed + (seen - speed) * SMOOTH;
}

static void clean(het__share *share, uint32_t number)
{
    if (number - share->cleaned < STEPS_KEPT)
        return;
    share->cleaned = number;
    for (uint32_t w = 0; w < share->count; w++)
        atomic_store_explicit(&share->slots[w].range, pack((range){ number & STEP_MASK, 0, 0 }),
                              memory_order_relaxed);
}

void het__share_learn(het__share *share, uint32_t number)
{
    clean(share, number);
    for (uint32_t k = 0; k < HET__LOAD_KINDS; k++) {
        bool news = false;
        for (uint32_t w = 0; w < share->count; w++) {
            het__share_slot *s = &share->slots[w];
            if (s->ns[k] < NOTED_NS)
                continue;
            s->speed[k] = smooth(s->speed[k], s->work[k] / s->ns[k]);
            s->work[k] = s->ns[k] = 0;
            news = true;
        }
        if (news)
            cut_again(share, (het__load)k);
    }
}

void het__share_note(const het__share_step *step, double work, double ns)
{
    het__share_slot *s = &step->share->slots[step->worker];
    s->work[step->kind] += work;
    s->ns[step->kind] += ns;
}

/* ---- tasks ---- */

/* The range that a worker starts with. */
static range first_range(const het__share_step *step, uint32_t worker)
{
    const uint64_t n = (uint64_t)step->tasks;
    return (range){ step->number,
                    (uint32_t)(n * cut_of(step->share, step->kind, worker) / WHOLE),
                    (uint32_t)(n * cut_of(step->share, step->kind, worker + 1) / WHOLE) };
}

het__share_step het__share_enter(het__share *share, uint32_t worker, uint32_t number,
                                 het__load kind, int64_t tasks)
{
    assert(tasks >= 0 && tasks < HET__SHARE_TASKS_MAX && worker < share->count);
    number &= STEP_MASK;
    const het__share_step step = { share, tasks, kind, worker, number };
    _Atomic uint64_t *own = &share->slots[worker].range;
    uint64_t old = atomic_load_explicit(own, memory_order_relaxed);
    /* If the exchange fails, a thief has set this range already. */
    if (unpack(old).step != number)
        atomic_compare_exchange_strong_explicit(own, &old, pack(first_range(&step, worker)),
                                                memory_order_relaxed, memory_order_relaxed);
    return step;
}

/* What is left of a worker's range. word: as it lies in the slot. */
static range left_of(const het__share_step *step, uint32_t worker, uint64_t *word)
{
    *word = atomic_load_explicit(&step->share->slots[worker].range, memory_order_relaxed);
    const range r = unpack(*word);
    return r.step == step->number ? r : first_range(step, worker);
}

static int64_t take_own(const het__share_step *step)
{
    _Atomic uint64_t *own = &step->share->slots[step->worker].range;
    uint64_t word = atomic_load_explicit(own, memory_order_relaxed);
    for (;;) {
        const range r = unpack(word);
        if (r.begin >= r.end)
            return -1;
        if (atomic_compare_exchange_weak_explicit(
                own, &word, pack((range){ r.step, r.begin + 1, r.end }), memory_order_relaxed,
                memory_order_relaxed))
            return r.begin;
    }
}

/* The worker whose range would last longest at its speed; count: nobody has anything. */
static uint32_t find_victim(const het__share_step *step, uint64_t *word, range *left)
{
    uint32_t victim = step->share->count;
    double longest = 0;
    for (uint32_t i = 1; i < step->share->count; i++) {
        const uint32_t v = (step->worker + i) % step->share->count;
        uint64_t seen;
        const range r = left_of(step, v, &seen);
        if (r.begin >= r.end)
            continue;
        const double time = (r.end - r.begin) / (1.0 + width_of(step->share, step->kind, v));
        if (time > longest) {
            longest = time;
            victim = v;
            *word = seen;
            *left = r;
        }
    }
    return victim;
}

/* Both go on with what they finish in the same time, rounded in the thief's favour because it is
 * idle now. The last task is taken too, even by a slow thief: its owner may not be there. The
 * thief's own range is empty, so nobody else writes it. Between the two writes the stolen tasks
 * are nobody's to steal, but not lost: the step lasts until the thief has left it. */
static int64_t steal(const het__share_step *step)
{
    for (;;) {
        uint64_t word = 0;
        range r = { 0, 0, 0 };
        const uint32_t v = find_victim(step, &word, &r);
        if (v == step->share->count)
            return -1;
        const double mine = 1.0 + width_of(step->share, step->kind, step->worker);
        const double its = 1.0 + width_of(step->share, step->kind, v);
        uint32_t n = (uint32_t)((r.end - r.begin) * (mine / (mine + its)) + 0.6);
        n = n ? n : 1;
        const range rest = { r.step, r.begin, r.end - n };
        if (!atomic_compare_exchange_strong_explicit(&step->share->slots[v].range, &word,
                                                     pack(rest), memory_order_relaxed,
                                                     memory_order_relaxed))
            continue;
        const range own = { r.step, rest.end + 1, r.end };
        atomic_store_explicit(&step->share->slots[step->worker].range, pack(own),
                              memory_order_relaxed);
        return rest.end;
    }
}

int64_t het__share_take(const het__share_step *step)
{
    const int64_t t = take_own(step);
    return t >= 0 ? t : steal(step);
}

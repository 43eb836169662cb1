/* SPDX-License-Identifier: Apache-2.0 */
/* How fast running tasks go, and what time, bytes and joules that adds up to. A task's end is
 * computed anew only where its speed changes, so that what nobody disturbs stays exact. */
#include <math.h>

#include "lib/partition/simulate_state.h"

/* Work that takes less is not told from none: rates of it would be nonsense. Of the clock the share
 * is a thousand times what a double resolves. */
#define SHORTEST_NS 1e-6
#define SHORTEST_SHARE 1e-12

/* ---- batches ---- */

/* Of the group that was used most since the hook was asked last. */
static double utilisation(het__sim *s, double window_ns)
{
    double most = 0;
    for (uint32_t g = 0; g < s->p->group_count; g++) {
        const double moved = s->r->groups[g].bytes - s->pools[g].bytes_seen;
        const double room = s->p->groups[g].bandwidth * 1e-9 * window_ns;
        s->pools[g].bytes_seen = s->r->groups[g].bytes;
        if (room > 0 && moved / room > most)
            most = moved / room;
    }
    return fmin(most, 1);
}

static double scale_of(het__sim *s, uint32_t batch)
{
    if (!s->p->batch || batch == HET__SIM_NONE)
        return 1;
    if (isnan(s->scales[batch])) {
        const double window = s->now - s->asked_ns;
        const het__sim_view view = { batch, s->now, window, utilisation(s, window) };
        const double x = s->p->batch(s->p->user, &view);
        s->asked_ns = s->now;
        s->scales[batch] = x >= 0 ? fmin(x, 1e3) : 0;
    }
    return s->scales[batch];
}

het__sim_cost het__sim_scaled(het__sim *s, uint32_t task)
{
    het__sim_cost c = s->items[task].cost;
    const double scale = scale_of(s, s->p->tasks[task].batch);
    const double fixed = fmin(s->p->tasks[task].fixed_bytes, c.bytes);
    if (scale == 1)
        return c;
    c.compute_ns *= scale;
    c.joules *= scale;
    c.bytes = scale > 0 ? fixed + (c.bytes - fixed) * scale : 0;
    c.launch_ns = scale > 0 ? c.launch_ns : 0;
    return c;
}

/* ---- phases ---- */

static void mark_dirty(het__sim *s, uint32_t lane)
{
    if (s->p->lanes[lane].group != HET__SIM_NONE)
        s->pools[s->p->lanes[lane].group].is_dirty = true;
}

/* The rest of a phase at another speed. */
static void set_speed(het__sim *s, uint32_t lane, double speed)
{
    het__sim_track *l = &s->tracks[lane];
    if (speed == l->speed)
        return;
    l->left = fmax(0, l->left - (s->now - l->since) * l->speed);
    l->since = s->now;
    l->speed = speed;
    l->next_ns = s->now + l->left / speed;
}

static void start_phase(het__sim *s, uint32_t lane, double ns)
{
    het__sim_track *l = &s->tracks[lane];
    l->since = s->now;
    l->left = ns;
    l->speed = 1 / l->slow;
    l->next_ns = s->now + (l->slow == 1 ? ns : ns * l->slow);
}

/* What kept the task until now. A lane that did nothing although the task was ready had no tokens
 * for it. */
static void explain(het__sim *s, uint32_t lane, uint32_t task)
{
    het__sim_times *t = &s->r->tasks[task];
    const het__sim_track *l = &s->tracks[lane];
    if (t->begin_ns <= t->ready_ns)
        return; /* what made it ready */
    if (l->last != HET__SIM_NONE && l->free_ns == s->now) {
        t->wait = HET__SIM_WAIT_LANE;
        t->after = l->last;
    } else if (s->p->lanes[lane].group != HET__SIM_NONE) {
        t->wait = HET__SIM_WAIT_TOKENS;
        t->after = s->pools[s->p->lanes[lane].group].last;
    }
}

void het__sim_begin(het__sim *s, uint32_t lane, uint32_t task)
{
    het__sim_track *l = &s->tracks[lane];
    const het__sim_cost c = het__sim_scaled(s, task);
    het__sim_times *t = &s->r->tasks[task];
    l->running = task;
    l->is_throttled = false;
    l->is_working = false;
    l->begin_ns = t->begin_ns = s->now;
    l->alone_ns = het__sim_work_ns(s->p, &c);
    const bool shares = s->p->lanes[lane].group != HET__SIM_NONE && l->alone_ns > SHORTEST_NS;
    l->demand = shares ? c.bytes / l->alone_ns : 0;
    t->lane = lane;
    t->attempts++;
    explain(s, lane, task);
    start_phase(s, lane, c.launch_ns);
    if (c.launch_ns == 0)
        het__sim_work(s, lane);
}

void het__sim_work(het__sim *s, uint32_t lane)
{
    het__sim_track *l = &s->tracks[lane];
    l->is_working = true;
    if (l->alone_ns <= s->now * SHORTEST_SHARE)
        l->demand = 0; /* its bytes are counted at its end */
    start_phase(s, lane, l->alone_ns);
    mark_dirty(s, lane);
}

void het__sim_stop(het__sim *s, uint32_t lane, het__sim_end end)
{
    het__sim_track *l = &s->tracks[lane];
    const uint32_t task = l->running, g = s->p->lanes[lane].group;
    const het__sim_cost c = het__sim_scaled(s, task);
    if (scale_of(s, s->p->tasks[task].batch) > 0)
        s->r->spans[s->r->span_count++] =
            (het__sim_span){ task, lane, l->begin_ns, s->now, (uint32_t)end };
    s->r->joules += c.joules;
    if (g != HET__SIM_NONE) {
        if (l->demand <= 0 && end == HET__SIM_DONE)
            s->r->groups[g].bytes += c.bytes;
        s->pools[g].last = task;
    }
    mark_dirty(s, lane);
    l->last = task;
    l->free_ns = s->now;
    l->running = HET__SIM_NONE;
    l->is_working = false;
    l->demand = 0;
    l->next_ns = INFINITY;
}

/* ---- sharing ---- */

static void track_rate(het__sim *s, uint32_t g, double rate)
{
    het__sim_result *r = s->r;
    if (!s->p->track || rate == s->pools[g].rate)
        return;
    if (r->rate_count == s->rate_max) {
        const uint32_t room = s->rate_max ? s->rate_max * 2 : 64;
        het__sim_rate *grown = het__realloc(s->mem, r->rates, (size_t)room * sizeof *grown);
        if (!grown) {
            s->out_of_memory = true;
            return;
        }
        r->rates = grown;
        s->rate_max = room;
    }
    /* An entry of this moment is no rate that ever was. */
    for (uint32_t i = r->rate_count; i-- > 0 && r->rates[i].at_ns == s->now;)
        if (r->rates[i].group == g) {
            r->rates[i].rate = rate * 1e9;
            return;
        }
    r->rates[r->rate_count++] = (het__sim_rate){ g, s->now, rate * 1e9 };
}

/* Lanes that load a group, by what they ask for, ascending; their sum. */
static uint32_t collect(het__sim *s, uint32_t g, double *sum)
{
    uint32_t count = 0;
    *sum = 0;
    for (uint32_t i = 0; i < s->p->lane_count; i++) {
        const het__sim_track *l = &s->tracks[i];
        if (s->p->lanes[i].group != g || l->running == HET__SIM_NONE || !l->is_working ||
            l->demand <= 0)
            continue;
        const double asked = l->demand / l->slow;
        uint32_t at = count++;
        for (; at > 0 && asked < s->sorted[at - 1]; at--) {
            s->sorted[at] = s->sorted[at - 1];
            s->order[at] = s->order[at - 1];
        }
        s->sorted[at] = asked;
        s->order[at] = i;
        *sum += asked;
    }
    return count;
}

/* Each gets what it asks for or an equal share of what is left, whichever is less. */
static void share_group(het__sim *s, uint32_t g)
{
    const double capacity = s->p->groups[g].bandwidth * 1e-9;
    double sum;
    const uint32_t count = collect(s, g, &sum);
    const bool is_short = capacity > 0 && sum > capacity * (1 + SIM_EPSILON);
    double left = capacity;
    for (uint32_t k = 0; k < count; k++) {
        const het__sim_track *l = &s->tracks[s->order[k]];
        const double equal = left / (count - k);
        if (is_short && s->sorted[k] > equal) {
            set_speed(s, s->order[k], equal / l->demand);
            left -= equal;
        } else {
            set_speed(s, s->order[k], 1 / l->slow);
            left -= s->sorted[k];
        }
    }
    const double rate = is_short ? capacity : sum;
    track_rate(s, g, rate);
    s->pools[g].rate = rate;
    s->pools[g].is_saturated = is_short;
    s->pools[g].is_dirty = false;
}

void het__sim_share(het__sim *s)
{
    for (uint32_t g = 0; g < s->p->group_count; g++)
        if (s->pools[g].is_dirty)
            share_group(s, g);
    /* What shares nothing goes at its lane's own speed. */
    for (uint32_t i = 0; i < s->p->lane_count; i++) {
        het__sim_track *l = &s->tracks[i];
        if (l->running != HET__SIM_NONE && (!l->is_working || l->demand <= 0))
            set_speed(s, i, 1 / l->slow);
    }
}

/* ---- what it adds up to ---- */

static void advance_lane(het__sim *s, uint32_t lane, double ns)
{
    const het__sim_track *l = &s->tracks[lane];
    het__sim_lane_times *t = &s->r->lanes[lane];
    const het__sim_lane *watts = &s->p->lanes[lane];
    if (l->is_lost) {
        t->lost_ns += ns;
        return;
    }
    const bool is_busy = l->running != HET__SIM_NONE;
    s->r->joules += (is_busy ? watts->busy_watts : watts->idle_watts) * ns * 1e-9;
    if (is_busy) {
        t->busy_ns += ns;
        if (l->is_working && l->demand > 0)
            t->contended_ns += ns * fmax(0, 1 - l->speed * l->slow);
    } else if (l->is_throttled) {
        t->throttled_ns += ns;
    } else {
        t->idle_ns += ns;
    }
}

void het__sim_advance(het__sim *s, double to)
{
    const double ns = to - s->now;
    for (uint32_t i = 0; ns > 0 && i < s->p->lane_count; i++)
        advance_lane(s, i, ns);
    for (uint32_t g = 0; ns > 0 && g < s->p->group_count; g++) {
        het__sim_group_times *t = &s->r->groups[g];
        t->bytes += s->pools[g].rate * ns;
        t->peak_rate = fmax(t->peak_rate, s->pools[g].rate * 1e9);
        t->saturated_ns += s->pools[g].is_saturated ? ns : 0;
    }
    if (ns > 0 && s->handed < s->p->task_count)
        s->r->held_ns += ns;
    s->now = to;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a simulation through the public functions and works out what waited for what. */
#include "timeline.h"

#include <stdlib.h>
#include <string.h>

const char *wait_name(uint32_t wait)
{
    static const char *const names[WAIT_CAUSES] = { "nothing", "data", "lane", "bandwidth",
                                                    "queue", "fault" };
    return wait < WAIT_CAUSES ? names[wait] : "?";
}

const char *outcome_name(uint32_t outcome)
{
    return outcome == HET_OUTCOME_DONE ? "done" : outcome == HET_OUTCOME_FAILED ? "failed" : "lost";
}

static bool reserve(timeline *t)
{
    t->events = calloc((size_t)t->info.event_count + 1, sizeof *t->events);
    t->lanes = calloc((size_t)t->info.lane_count + 1, sizeof *t->lanes);
    t->memories = calloc((size_t)t->info.memory_count + 1, sizeof *t->memories);
    t->rates = calloc((size_t)t->info.rate_count + 1, sizeof *t->rates);
    t->gaps = calloc((size_t)t->info.event_count + 1, sizeof *t->gaps);
    return t->events && t->lanes && t->memories && t->rates && t->gaps;
}

static het_status read_all(timeline *t)
{
    const het_simulation *s = t->simulation;
    het_status status = HET_OK;
    for (uint32_t i = 0; !status && i < t->info.event_count; i++) {
        t->events[i].struct_size = sizeof t->events[i];
        status = het_simulation_event_at(s, i, &t->events[i]);
    }
    for (uint32_t i = 0; !status && i < t->info.lane_count; i++) {
        t->lanes[i].struct_size = sizeof t->lanes[i];
        status = het_simulation_lane_at(s, i, &t->lanes[i]);
    }
    for (uint32_t i = 0; !status && i < t->info.memory_count; i++) {
        t->memories[i].struct_size = sizeof t->memories[i];
        status = het_simulation_memory_at(s, i, &t->memories[i]);
    }
    for (uint32_t i = 0; !status && i < t->info.rate_count; i++) {
        t->rates[i].struct_size = sizeof t->rates[i];
        status = het_simulation_rate_at(s, i, &t->rates[i]);
    }
    return status;
}

/* Events of one lane stand in their order, because they do not overlap. */
static bool find_gaps(timeline *t)
{
    double *last = calloc((size_t)t->info.lane_count + 1, sizeof *last);
    if (!last)
        return false;
    for (uint32_t i = 0; i < t->info.event_count; i++) {
        const het_simulation_event *e = &t->events[i];
        t->gaps[i] = e->begin_ns - last[e->lane];
        last[e->lane] = e->end_ns;
        if (e->wait < WAIT_CAUSES)
            t->waited[e->wait] += t->gaps[i];
    }
    free(last);
    return true;
}

int timeline_read(timeline *t, const het_simulation *simulation)
{
    memset(t, 0, sizeof *t);
    t->simulation = simulation;
    t->info.struct_size = sizeof t->info;
    const het_status status = het_simulation_get_info(simulation, &t->info);
    if (status)
        return failure("%s", het_status_name(status));
    if (!reserve(t))
        return failure("out of memory");
    const het_status read = read_all(t);
    if (read)
        return failure("%s", het_status_name(read));
    return find_gaps(t) ? STATUS_GO : failure("out of memory");
}

void timeline_free(timeline *t)
{
    free(t->events);
    free(t->lanes);
    free(t->memories);
    free(t->rates);
    free(t->gaps);
}

uint32_t timeline_chain(const timeline *t, uint32_t *events, uint32_t most)
{
    uint32_t at = UINT32_MAX, count = 0;
    for (uint32_t i = 0; i < t->info.event_count; i++)
        if (t->events[i].outcome == HET_OUTCOME_DONE)
            at = i; /* the last that ends */
    for (; at < t->info.event_count && count < t->info.event_count; at = t->events[at].after) {
        if (count < most)
            events[count] = at;
        count++;
    }
    return count;
}

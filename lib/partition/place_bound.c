/* SPDX-License-Identifier: Apache-2.0 */
/* Relaxed problems. With a price per byte stored on a device in place of its capacity, what is left
 * is a sum that the dynamic programme solves exactly, and its optimum less the price of all memory
 * is a lower bound. A store that several nodes use is charged when it comes to a device, which
 * makes it part of the state until its last user; where that makes too many states it is charged in
 * parts, never more in all than what it counts. For the largest share of a device, shares get
 * weights that sum to one: no weighted mean is above the largest. Prices and weights follow what
 * the last answer overran. */
#include <math.h>
#include <string.h>

#include "lib/partition/place_search.h"

#define DEVICES HET__PLACE_DEVICES_MAX
#define ROUNDS_MAX 40
#define ROUNDS_MIN 6
/* Nodes times devices times rounds: a second on one core. */
#define ROUNDS_WORK 1.5e6
/* Labels where an answer is a candidate and no bound. */
#define CUT_LABELS 256
#define WORSE_MAX 3 /* rounds without a better bound before the steps of weights shrink */

typedef struct relaxation {
    const het__place_problem *p;
    het__mem *mem;
    het__arena arena;
    het__place_index index;
    double *cost;
    uint8_t *device;
    double price[HET__PLACE_LIMITS_MAX], weight[DEVICES];
    double store_cost[DEVICES]; /* prices by device */
    bool in_parts, is_cut; /* is_cut: even so there were too many states */
    /* Prices of the best bound, and where its answer pointed. */
    double best_price[HET__PLACE_LIMITS_MAX], over[HET__PLACE_LIMITS_MAX];
    double square, value; /* of over; of the best bound */
    double price_step, weight_step;
    bool has_best;
    uint32_t worse;
    double upper;
} relaxation;

uint32_t het__place_labels_max(const het__place_problem *p)
{
    const double work = (double)(p->node_count ? p->node_count : 1) * p->device_count;
    const double labels = 1e7 / work;
    return labels > 4096 ? 4096 : labels < 256 ? 256 : (uint32_t)labels;
}

static bool is_bottleneck(const relaxation *r)
{
    return r->p->objective == HET__PLACE_BOTTLENECK;
}

static void price_nodes(relaxation *r)
{
    const uint32_t devices = r->p->device_count;
    memset(r->store_cost, 0, sizeof r->store_cost);
    for (uint32_t i = 0; i < r->p->limit_count; i++)
        for (uint32_t d = 0; d < devices; d++)
            r->store_cost[d] += r->p->limits[i].devices >> d & 1 ? r->price[i] : 0;
    for (uint32_t n = 0; n < r->p->node_count; n++)
        for (uint32_t d = 0; d < devices; d++) {
            const size_t at = (size_t)n * devices + d;
            const bool is_free = !r->in_parts || (r->p->file_devices >> d & 1);
            r->cost[at] = r->p->node_cost[at] * (is_bottleneck(r) ? r->weight[d] : 1) +
                          (is_free ? 0 : r->store_cost[d] * r->index.share_bytes[n]);
        }
}

/* Where the answer overran its memory. */
static void point(relaxation *r, const het__place_sums *sums, double value)
{
    r->square = 0;
    r->value = value;
    memcpy(r->best_price, r->price, sizeof r->best_price);
    for (uint32_t i = 0; i < r->p->limit_count; i++) {
        const het__place_limit *l = &r->p->limits[i];
        r->over[i] = -l->bytes;
        for (uint32_t d = 0; d < r->p->device_count; d++)
            r->over[i] += l->devices >> d & 1 ? sums->stored[d] + sums->peak[d] : 0;
        if (r->over[i] < 0 && r->price[i] <= 0)
            r->over[i] = 0;
        r->square += r->over[i] * r->over[i];
    }
}

/* From the best prices so far, along what their answer overran: a step that would close the gap if
 * the bound were as steep as it looks there (Polyak), less of it each time that was too far. */
static void move_prices(relaxation *r)
{
    const double target = isfinite(r->upper) ? r->upper : 1.2 * fabs(r->value) + 1;
    const double gap = target > r->value ? target - r->value : 0.01 * fabs(target);
    for (uint32_t i = 0; r->square > 0 && i < r->p->limit_count; i++) {
        r->price[i] = r->best_price[i] + r->price_step * gap / r->square * r->over[i];
        r->price[i] = r->price[i] > 0 ? r->price[i] : 0;
    }
}

static void move_weights(relaxation *r, const het__place_sums *sums)
{
    double most = 0, all = 0;
    for (uint32_t d = 0; d < r->p->device_count; d++)
        most = sums->load[d] > most ? sums->load[d] : most;
    for (uint32_t d = 0; d < r->p->device_count; d++) {
        if (most > 0)
            r->weight[d] *= exp(r->weight_step * (sums->load[d] / most - 1));
        all += r->weight[d];
    }
    for (uint32_t d = 0; d < r->p->device_count; d++)
        r->weight[d] /= all;
}

static void take(relaxation *r, const het__place_sums *sums, double value, bool complete,
                 het__place_relaxed *out)
{
    if (!r->has_best || value > r->value) {
        point(r, sums, value);
        memcpy(out->byte_price, r->price, sizeof out->byte_price);
        r->price_step = r->has_best ? fmin(1, 1.5 * r->price_step) : r->price_step;
        r->has_best = true;
        r->worse = 0;
    } else {
        r->price_step /= 2;
        r->weight_step /= ++r->worse % (WORSE_MAX + 1) == 0 ? 2 : 1;
    }
    if (complete && value > out->bound)
        out->bound = value;
    if (!sums->fits || !sums->possible || !(sums->objective < out->total))
        return;
    out->total = sums->objective;
    r->upper = out->total < r->upper ? out->total : r->upper;
    memcpy(out->device, r->device, r->p->node_count);
}

static het_status one_round(relaxation *r, het__place_relaxed *out, bool *done)
{
    price_nodes(r);
    const het__place_pass pass = {
        .index = &r->index, .node_cost = r->cost,
        .transfer_factor = is_bottleneck(r) ? r->weight : NULL,
        .store_cost = r->in_parts ? NULL : r->store_cost,
        .labels_max = r->is_cut ? CUT_LABELS : het__place_labels_max(r->p), .upper = INFINITY,
    };
    het__place_found found = { .device = r->device };
    het__place_sums sums;
    het_status s = het__place_search(&pass, r->mem, &found);
    if (s == HET_OK && !found.complete && !r->in_parts) {
        r->in_parts = true;
        return het__place_index_make(r->p, false, &r->arena, &r->index) ? HET_OK : HET_E_NOMEM;
    }
    if (s != HET_OK)
        return s;
    r->is_cut = r->is_cut || !found.complete;
    *done = !isfinite(found.total);
    if (*done)
        return HET_OK;
    double value = found.total;
    for (uint32_t i = 0; i < r->p->limit_count; i++)
        value -= r->price[i] * r->p->limits[i].bytes;
    s = het__place_measure(r->p, r->device, r->mem, &sums);
    if (s != HET_OK)
        return s;
    take(r, &sums, value, found.complete, out);
    move_prices(r);
    if (is_bottleneck(r))
        move_weights(r, &sums);
    *done = isfinite(r->upper) && out->bound >= r->upper;
    return HET_OK;
}

het_status het__place_relax(const het__place_problem *p, double upper, het__mem *mem,
                            het__place_relaxed *out)
{
    relaxation r = { .p = p, .mem = mem, .price_step = 0.5, .weight_step = 1,
                     .upper = upper };
    const double work = (double)(p->node_count ? p->node_count : 1) * p->device_count;
    const double affordable = ROUNDS_WORK / work;
    const uint32_t rounds = affordable > ROUNDS_MAX ? ROUNDS_MAX
                            : affordable < ROUNDS_MIN ? ROUNDS_MIN : (uint32_t)affordable;
    out->bound = 0;
    out->total = INFINITY;
    memset(out->byte_price, 0, sizeof out->byte_price);
    for (uint32_t d = 0; d < p->device_count; d++)
        r.weight[d] = 1.0 / p->device_count;
    het__arena_init(&r.arena, mem);
    r.cost = het__arena_zero(&r.arena, (size_t)p->node_count * p->device_count, sizeof *r.cost);
    r.device = het__arena_zero(&r.arena, p->node_count, 1);
    bool done = false;
    const bool made = het__place_index_make(p, p->limit_count > 0, &r.arena, &r.index);
    het_status s = r.cost && r.device && made ? HET_OK : HET_E_NOMEM;
    for (uint32_t i = 0; s == HET_OK && !done && i < (r.is_cut ? ROUNDS_MIN : rounds); i++)
        s = one_round(&r, out, &done);
    het__arena_finish(&r.arena);
    return s;
}

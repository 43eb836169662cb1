/* SPDX-License-Identifier: Apache-2.0 */
/* Placing: candidates that are always looked at, then the search, then what the search could not
 * prove. */
#include "lib/partition/place.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/partition/place_search.h"

#define DEVICES HET__PLACE_DEVICES_MAX
/* Comparisons of labels with vectors that a problem may take: a tenth of a second, or a second for
 * small ones (nodes times devices), which are to be solved exactly. */
#define VECTOR_WORK 1e7
#define VECTOR_WORK_SMALL 1e8
#define VECTOR_SMALL 64
#define NEAR 1e-4
/* Sums within limits need fewer comparisons per label: prices put them in order. */
#define VECTOR_WORK_SUM 1e8
#define VECTOR_LABELS_MAX 8192
#define VECTOR_LABELS_MIN 64

/* ---- what a placement costs and needs ---- */

static double bring_cost(const het__place_problem *p, const het__place_value *v, uint16_t where,
                         uint32_t device)
{
    if (where >> device & 1)
        return 0;
    double best = INFINITY;
    for (uint32_t from = 0; from < p->device_count; from++) {
        const double cost = v->transfer_cost[from * p->device_count + device];
        if (where >> from & 1 && cost < best)
            best = cost;
    }
    return best;
}

double het__place_cost(const het__place_problem *p, const uint8_t *device)
{
    double cost = 0;
    for (uint32_t n = 0; n < p->node_count; n++)
        cost += p->node_cost[(size_t)n * p->device_count + device[n]];
    for (uint32_t v = 0; v < p->value_count; v++) {
        const het__place_value *value = &p->values[v];
        uint16_t where = (uint16_t)(1u << device[value->producer]);
        for (uint32_t i = 0; i < value->consumer_count; i++) {
            const uint32_t d = device[value->consumers[i]];
            cost += bring_cost(p, value, where, d);
            where = (uint16_t)(where | 1u << d);
        }
    }
    return cost;
}

/* Loads by copies, and bytes as differences per node: what comes, less what went before it. What is
 * read stays within its phase. */
static void measure_value(const het__place_problem *p, const het__place_value *v,
                          const uint8_t *device, double *change, het__place_sums *sums)
{
    const uint32_t devices = p->device_count;
    const uint32_t last = v->consumer_count ? v->consumers[v->consumer_count - 1] : v->producer;
    uint16_t where = (uint16_t)(1u << device[v->producer]);
    const size_t end = (size_t)last + het__place_phases(p);
    change[(size_t)v->producer * devices + device[v->producer]] += v->bytes;
    change[end * devices + device[v->producer]] -= v->bytes;
    for (uint32_t i = 0; i < v->consumer_count; i++) {
        const uint32_t n = v->consumers[i], d = device[n];
        if (where >> d & 1)
            continue;
        sums->load[d] += bring_cost(p, v, where, d);
        where = (uint16_t)(where | 1u << d);
        change[(size_t)n * devices + d] += v->bytes;
        change[end * devices + d] -= v->bytes;
    }
}

static void measure_store(const het__place_problem *p, const het__place_store *s,
                          const uint8_t *device, het__place_sums *sums)
{
    uint16_t where = 0;
    for (uint32_t i = 0; i < s->user_count; i++) {
        const uint32_t d = device[s->users[i]];
        if (where >> d & 1)
            continue;
        if (where && s->is_tied)
            sums->possible = false;
        where = (uint16_t)(where | 1u << d);
        if (!(s->free_devices >> d & 1) && (!s->is_file || !(p->file_devices >> d & 1)))
            sums->stored[d] += s->bytes;
    }
}

static void add_up(const het__place_problem *p, const double *change, het__place_sums *sums)
{
    double all[HET__PLACE_PHASES_MAX][DEVICES] = { { 0 } };
    for (uint32_t n = 0; n < p->node_count; n++)
        for (uint32_t d = 0; d < p->device_count; d++) {
            double *now = &all[n % het__place_phases(p)][d];
            *now += change[(size_t)n * p->device_count + d];
            sums->peak[d] = *now > sums->peak[d] ? *now : sums->peak[d];
        }
    sums->fits = true;
    for (uint32_t i = 0; i < p->limit_count; i++) {
        double bytes = 0;
        for (uint32_t d = 0; d < p->device_count; d++)
            bytes += p->limits[i].devices >> d & 1 ? sums->stored[d] + sums->peak[d] : 0;
        sums->fits = sums->fits && bytes <= p->limits[i].bytes;
    }
    for (uint32_t d = 0; d < p->device_count; d++) {
        sums->sum += sums->load[d];
        if (p->objective == HET__PLACE_BOTTLENECK)
            sums->objective = sums->load[d] > sums->objective ? sums->load[d] : sums->objective;
    }
    sums->possible = sums->possible && isfinite(sums->sum);
    if (p->objective == HET__PLACE_SUM)
        sums->objective = sums->sum;
}

het_status het__place_measure(const het__place_problem *p, const uint8_t *device, het__mem *mem,
                              het__place_sums *sums)
{
    memset(sums, 0, sizeof *sums);
    sums->possible = true;
    const uint32_t phases = het__place_phases(p);
    double *change = het__alloc_zero(mem, ((size_t)p->node_count + phases) * p->device_count,
                                     sizeof *change);
    if (!change)
        return HET_E_NOMEM;
    for (uint32_t n = 0; n < p->node_count; n++) {
        const size_t at = (size_t)n * p->device_count + device[n];
        sums->load[device[n]] += p->node_cost[at];
        if (p->scratch_bytes) {
            change[at] += p->scratch_bytes[n];
            change[at + (size_t)phases * p->device_count] -= p->scratch_bytes[n];
        }
    }
    for (uint32_t v = 0; v < p->value_count; v++)
        measure_value(p, &p->values[v], device, change, sums);
    for (uint32_t i = 0; i < p->store_count; i++)
        measure_store(p, &p->stores[i], device, sums);
    add_up(p, change, sums);
    het__free(mem, change);
    return HET_OK;
}

/* ---- candidates ---- */

bool het__place_greedy(const het__place_problem *p, uint8_t *device)
{
    for (uint32_t n = 0; n < p->node_count; n++) {
        uint32_t i = 0, d = 0;
        for (; i < p->device_count; i++) {
            d = p->priority ? p->priority[i] : i;
            if (isfinite(p->node_cost[(size_t)n * p->device_count + d]))
                break;
        }
        if (i == p->device_count)
            return false;
        device[n] = (uint8_t)d;
    }
    return true;
}

typedef struct solver {
    const het__place_problem *p;
    het__mem *mem;
    het__placement *out;
    uint8_t *trial;
} solver;

/* The cheapest stays; among equals the first. */
static het_status consider(solver *s, const uint8_t *device, double *cost)
{
    het__place_sums sums;
    *cost = INFINITY;
    const het_status status = het__place_measure(s->p, device, s->mem, &sums);
    if (status != HET_OK || !sums.possible || !sums.fits)
        return status;
    *cost = sums.objective;
    if (!(sums.objective < s->out->total))
        return HET_OK;
    s->out->total = sums.objective;
    if (device != s->out->device)
        memcpy(s->out->device, device, s->p->node_count);
    return HET_OK;
}

static het_status consider_simple(solver *s)
{
    const het__place_problem *p = s->p;
    het_status status = HET_OK;
    for (uint32_t d = 0; status == HET_OK && d < p->device_count; d++) {
        memset(s->trial, (int)d, p->node_count);
        status = consider(s, s->trial, &s->out->single[d]);
    }
    s->out->greedy = INFINITY;
    if (status == HET_OK && het__place_greedy(p, s->trial))
        status = consider(s, s->trial, &s->out->greedy);
    double cost;
    return status == HET_OK && p->hint ? consider(s, p->hint, &cost) : status;
}

/* What every placement costs at least, transfers not counted; false with the node if one runs
 * nowhere. */
static bool least_of_nodes(const het__place_problem *p, double *bound, uint32_t *stuck)
{
    double sum = 0, most = 0;
    for (uint32_t n = 0; n < p->node_count; n++) {
        double least = INFINITY;
        for (uint32_t d = 0; d < p->device_count; d++)
            least = fmin(least, p->node_cost[(size_t)n * p->device_count + d]);
        if (!isfinite(least)) {
            *stuck = n;
            return false;
        }
        sum += least;
        most = fmax(most, least);
    }
    *bound = p->objective == HET__PLACE_SUM ? sum : fmax(most, sum / p->device_count);
    return true;
}

/* ---- search ---- */

/* Not more than a label that is cut off by rounding may be better. */
static bool is_met(double total, double bound)
{
    return total <= bound + 1e-12 * fabs(bound);
}

static void raise_bound(het__placement *out, double bound)
{
    out->bound = bound > out->bound ? bound : out->bound;
}

/* The sum without regard to memory. */
static het_status search_sum(solver *s, uint32_t *stuck)
{
    het__arena arena;
    het__place_index index;
    het__arena_init(&arena, s->mem);
    het_status status = het__place_index_make(s->p, false, &arena, &index) ? HET_OK : HET_E_NOMEM;
    const het__place_pass pass = { .index = &index, .node_cost = s->p->node_cost,
                                   .labels_max = het__place_labels_max(s->p),
                                   .upper = s->out->total };
    het__place_found found = { .device = s->trial };
    if (status == HET_OK)
        status = het__place_search(&pass, s->mem, &found);
    het__arena_finish(&arena);
    if (status != HET_OK)
        return status;
    if (found.complete)
        raise_bound(s->out, fmin(found.total, s->out->total));
    double cost;
    if (isfinite(found.total))
        return consider(s, s->trial, &cost);
    if (!isfinite(s->out->total))
        *stuck = found.stuck;
    return HET_OK;
}

static uint32_t vector_labels_max(const het__place_problem *p)
{
    const double work = (double)(p->node_count ? p->node_count : 1) * p->device_count;
    const double most = p->objective == HET__PLACE_SUM ? VECTOR_WORK_SUM
                        : work <= VECTOR_SMALL         ? VECTOR_WORK_SMALL : VECTOR_WORK;
    const double labels = sqrt(most / work);
    return labels > VECTOR_LABELS_MAX ? VECTOR_LABELS_MAX
           : labels < VECTOR_LABELS_MIN ? VECTOR_LABELS_MIN : (uint32_t)labels;
}

/* Labels with vectors, in the order that prices give. */
static het_status search_vectors(solver *s, const double *byte_price, bool *complete)
{
    het__arena arena;
    het__place_index index;
    het__arena_init(&arena, s->mem);
    het_status status =
        het__place_index_make(s->p, s->p->limit_count > 0, &arena, &index) ? HET_OK : HET_E_NOMEM;
    const het__place_pass pass = {
        .index = &index, .node_cost = s->p->node_cost, .memory = s->p->limit_count > 0,
        .bottleneck = s->p->objective == HET__PLACE_BOTTLENECK,
        .labels_max = vector_labels_max(s->p),
        .byte_price = s->p->limit_count > 0 ? byte_price : NULL,
        .upper = s->out->total,
    };
    het__place_found found = { .device = s->trial };
    if (status == HET_OK)
        status = het__place_search(&pass, s->mem, &found);
    het__arena_finish(&arena);
    *complete = found.complete;
    double cost;
    return status == HET_OK && isfinite(found.total) ? consider(s, s->trial, &cost) : status;
}

/* A large problem is not searched for the last hundredth of a percent. */
static bool is_near(const solver *s)
{
    return (double)s->p->node_count * s->p->device_count > VECTOR_SMALL &&
           s->out->total <= s->out->bound * (1 + NEAR);
}

static het_status prove(solver *s)
{
    het__place_relaxed relaxed = { .device = s->trial };
    double cost;
    bool complete = false;
    het_status status = het__place_relax(s->p, s->out->total, s->mem, &relaxed);
    if (status != HET_OK)
        return status;
    raise_bound(s->out, relaxed.bound);
    if (isfinite(relaxed.total))
        status = consider(s, s->trial, &cost);
    s->out->proven = is_met(s->out->total, s->out->bound);
    if (status != HET_OK || s->out->proven || is_near(s))
        return status;
    status = search_vectors(s, relaxed.byte_price, &complete);
    s->out->proven = complete || is_met(s->out->total, s->out->bound);
    if (s->out->proven && isfinite(s->out->total))
        s->out->bound = s->out->total;
    return status;
}

static het_status solve(solver *s, uint32_t *stuck)
{
    het__placement *out = s->out;
    if (!least_of_nodes(s->p, &out->bound, stuck))
        return HET_E_UNSUPPORTED;
    het_status status = consider_simple(s);
    const uint32_t nowhere = s->p->node_count;
    *stuck = nowhere;
    if (status == HET_OK && s->p->objective == HET__PLACE_SUM)
        status = search_sum(s, stuck);
    if (status != HET_OK)
        return status;
    if (*stuck < nowhere)
        return HET_E_UNSUPPORTED;
    out->proven = is_met(out->total, out->bound);
    if (!out->proven && (s->p->limit_count > 0 || s->p->objective == HET__PLACE_BOTTLENECK))
        status = prove(s);
    return status == HET_OK && !isfinite(out->total) ? HET_E_UNSUPPORTED : status;
}

het_status het__place(const het__place_problem *problem, het__mem *mem, het__placement *placement,
                      uint32_t *stuck)
{
    assert(problem->device_count >= 1 && problem->device_count <= DEVICES);
    solver s = { .p = problem, .mem = mem, .out = placement };
    assert(problem->limit_count <= HET__PLACE_LIMITS_MAX);
    assert(problem->phase_count <= HET__PLACE_PHASES_MAX);
    *stuck = 0;
    placement->total = placement->greedy = INFINITY;
    placement->bound = 0;
    placement->proven = false;
    for (uint32_t d = 0; d < DEVICES; d++)
        placement->single[d] = INFINITY;
    if (problem->node_count == 0) {
        placement->total = placement->greedy = 0;
        placement->proven = true;
        return HET_OK;
    }
    s.trial = het__alloc(mem, problem->node_count);
    if (!s.trial)
        return HET_E_NOMEM;
    const het_status status = solve(&s, stuck);
    het__free(mem, s.trial);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The decisions:
 *
 *     the caller's own fault, or cancelled          fail
 *     BUSY, IO                                      again, with back-off
 *     TIMEOUT, only if the policy says so           again, on the device opened anew
 *     NOMEM                                         half of what the device held, three times
 *     what is left of these, and all others         without the device
 *
 * A policy's word about a trigger replaces the numbers of attempts. A device that is too hot has
 * not failed: it goes only where the others can do without it. */
#include "lib/exec/recover.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/exec/registry.h"
#include "lib/exec/split.h"

_Static_assert(HET__DEVICES_MAX <= HET__MACHINE_DEVICES_MAX, "a bit and a row per device");

#define BACKOFF_MOST_MS 60000
#define SHRINKS_MAX 3
/* A device that was too hot rests for so many looks at its temperature, twice as many each time up
 * to so many times: what is taken out and used again by turns makes a new plan each time. */
#define REST_LOOKS 10
#define REST_DOUBLINGS 6
/* A deadline is there for devices that never answer: figures of a device that nobody measured are
 * wrong by an order of magnitude, and the first steps are slower than others. */
#define DEADLINE_LEAST_NS UINT64_C(30000000000)
#define DEADLINE_STEPS 100

/* What is done about one kind of failure. */
typedef struct rule {
    uint32_t retries, backoff_ms;
    const char *next; /* as het__policy_fallback.next */
} rule;

void het__recovery_init(het__recovery *r, const het__registry *registry, uint32_t mask,
                        const het__policy *policy)
{
    memset(r, 0, sizeof *r);
    r->registry = registry;
    r->all = r->mask = mask;
    r->has_policy = policy != NULL;
    if (!policy)
        return;
    r->policy = *policy;
    r->skips_missing = policy->skip_missing;
    const het__policy_fallback *thermal = &policy->fallback[HET__TRIGGER_THERMAL];
    het__heat_init(&r->heat, registry, thermal->is_set ? thermal : NULL,
                   policy->telemetry_interval_ms);
}

bool het__recovery_is_dead(het_status status)
{
    return status == HET_E_TIMEOUT || status == HET_E_DEVICE_LOST;
}

uint32_t het__recovery_used(const het__exec *exec)
{
    uint32_t used = 0;
    for (uint32_t p = 0; exec && p < HET__PHASE_COUNT; p++) {
        const het__plan *plan = het__exec_plan_of(exec, p);
        for (uint32_t i = 0; plan && i < plan->entry_count; i++)
            used |= UINT32_C(1) << plan->machine.device[plan->entries[i].device].context_index;
    }
    return used;
}

het_status het__recovery_report(const het_error *ours, het_error *err)
{
    const uint32_t size = err ? err->struct_size : 0;
    if (size >= offsetof(het_error, message) + 2) {
        memcpy(err, ours, size < sizeof *ours ? size : sizeof *ours);
        err->struct_size = size;
        if (size < sizeof *ours)
            ((char *)err)[size - 1] = '\0';
    }
    return (het_status)ours->status;
}

/* ---- what a policy says ---- */

static het__policy_trigger trigger_of(het_status status)
{
    return status == HET_E_TIMEOUT ? HET__TRIGGER_TIMEOUT
           : status == HET_E_NOMEM ? HET__TRIGGER_OOM
                                   : HET__TRIGGER_ERROR;
}

static const het__policy_fallback *said(const het__recovery *r, het__policy_trigger trigger)
{
    const het__policy_fallback *f = &r->policy.fallback[trigger];
    return r->has_policy && f->is_set ? f : NULL;
}

static rule rule_for(const het__recovery *r, het_status status)
{
    const het__policy_fallback *f = said(r, trigger_of(status));
    if (f)
        return (rule){ status == HET_E_DEVICE_LOST ? 0 : f->retry, f->backoff_ms, f->next };
    const bool is_transient = status == HET_E_BUSY || status == HET_E_IO;
    return (rule){ is_transient ? HET__POLICY_RETRIES : 0, HET__POLICY_BACKOFF_MS,
                   HET__POLICY_ANY };
}

/* Devices of the registry that a name in a policy means. */
static uint32_t named(const het__recovery *r, const char *name)
{
    het__machine machine = { .device_count = 0 };
    uint32_t bits = 0;
    for (uint32_t i = 0; i < r->registry->count; i++) {
        het_device_figures figures;
        het__machine_assume(&r->registry->device[i].info, 0, &figures);
        if (!het__machine_add(&machine, &r->registry->device[i].info, &figures))
            break;
    }
    const uint32_t selected = het__policy_select(&machine, name);
    for (uint32_t d = 0; d < machine.device_count; d++)
        if (selected >> d & 1)
            bits |= UINT32_C(1) << machine.device[d].context_index;
    return bits;
}

static bool is_host(const het__recovery *r, uint32_t device)
{
    const uint32_t kind = r->registry->device[device].info.kind;
    return kind == HET_DEVICE_CPU || kind == HET_DEVICE_REFERENCE;
}

/* ---- telling ---- */

static void put_names(const het__recovery *r, uint32_t mask, char *text, size_t bytes)
{
    const char *between = "";
    for (uint32_t i = 0; i < r->registry->count; i++)
        if (mask >> i & 1) {
            het__append(text, bytes, "%s%s", between, r->registry->device[i].info.backend);
            between = ", ";
        }
}

static void put_failure(const het__recovery *r, uint32_t device, char *text, size_t bytes)
{
    static const char *const stages[] = {
        [HET__EXEC_IDLE] = "", [HET__EXEC_PLAN] = " while placing",
        [HET__EXEC_OPEN] = " when opened", [HET__EXEC_RESERVE] = " reserving memory",
        [HET__EXEC_COMPILE] = " compiling",
        [HET__EXEC_INPUT] = " taking inputs", [HET__EXEC_TRANSFER] = " exchanging values",
        [HET__EXEC_ENQUEUE] = " starting work", [HET__EXEC_WAIT] = " working",
        [HET__EXEC_OUTPUT] = " giving outputs", [HET__EXEC_HEAT] = "",
    };
    const het__recovery_device *d = &r->device[device];
    het__append(text, bytes, "device %u (%s) %s%s", device,
                r->registry->device[device].info.backend,
                d->last.stage == HET__EXEC_HEAT ? "is too hot" : "failed", stages[d->last.stage]);
    if (d->last.layer >= 0)
        het__append(text, bytes, " at layer %d", d->last.layer);
    het__append(text, bytes, ": %s", d->message[0] ? d->message : het_status_name(d->last.status));
}

static void tell(const het__recovery *r, uint32_t device, uint32_t used)
{
    const het__recovery_device *d = &r->device[device];
    char text[480] = "";
    put_failure(r, device, text, sizeof text);
    if (!(r->mask >> device & 1)) {
        het__append(text, sizeof text, "; going on with ");
        put_names(r, used ? used : r->mask, text, sizeof text);
    } else if (d->is_shrunk) {
        het__append(text, sizeof text, "; going on with %.3g MB on it at most",
                    r->limits[device] / 1e6);
    } else if (d->last.stage == HET__EXEC_HEAT) {
        het__append(text, sizeof text, "; going on with it, no plan does without it");
    } else {
        het__append(text, sizeof text, "; going on after %u more attempt%s", d->tries,
                    d->tries == 1 ? "" : "s");
    }
    het__log_line(r->registry->host.log, HET_LOG_WARN, "recover", "%s", text);
}

static void tell_back(const het__recovery *r, uint32_t device, uint32_t used)
{
    char text[480] = "";
    het__append(text, sizeof text, "device %u (%s) has cooled to %.0f degrees Celsius; going on "
                "with ", device, r->registry->device[device].info.backend,
                r->device[device].celsius);
    put_names(r, used ? used : r->mask, text, sizeof text);
    het__log_line(r->registry->host.log, HET_LOG_WARN, "recover", "%s", text);
}

static void close_operation(het__recovery *r)
{
    for (uint32_t i = 0; i < HET__MACHINE_DEVICES_MAX; i++) {
        r->device[i].is_open = r->device[i].is_shrunk = false;
        r->device[i].tries = 0;
    }
    r->open = r->shrunk = r->used = r->back = 0;
    r->first = (het_error)HET_ERROR_INIT;
}

void het__recovery_settled(het__recovery *r, const het__exec *exec)
{
    if (!(r->open | r->back))
        return;
    const uint32_t used = het__recovery_used(exec);
    for (uint32_t i = 0; i < r->registry->count; i++)
        if (r->open >> i & 1)
            tell(r, i, used);
        else if (r->back >> i & 1)
            tell_back(r, i, used);
    close_operation(r);
}

void het__recovery_gave_up(het__recovery *r)
{
    for (uint32_t i = 0; i < r->registry->count; i++) {
        char text[480] = "";
        if (!(r->open >> i & 1))
            continue;
        put_failure(r, i, text, sizeof text);
        het__log_line(r->registry->host.log, HET_LOG_ERROR, "recover", "%s; giving up", text);
    }
    close_operation(r);
    if (!r->is_exhausted)
        return;
    r->is_exhausted = false;
    r->mask = r->all;
    r->hot = 0;
    memset(r->stand_ins, 0, sizeof r->stand_ins);
    memset(r->limits, 0, sizeof r->limits);
    for (uint32_t i = 0; i < HET__MACHINE_DEVICES_MAX; i++)
        r->device[i].shrink_count = 0;
}

/* ---- deciding ---- */

static void note(het__recovery *r, const het__exec_failure *f, const het_error *err)
{
    het__recovery_device *d = &r->device[f->device];
    d->failure_count++;
    d->is_open = true;
    d->last = *f;
    memcpy(d->message, err->message, sizeof d->message);
    r->open |= UINT32_C(1) << f->device;
    if (r->first.status == HET_OK)
        r->first = *err;
}

/* False if it was cancelled meanwhile. */
static bool sleep_ms(uint64_t ms, _Atomic uint32_t *cancel)
{
    for (; ms > 0; ms -= ms < 10 ? ms : 10) {
        const struct timespec slice = { 0, (long)(ms < 10 ? ms : 10) * 1000000 };
        if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
            return false;
        thrd_sleep(&slice, NULL);
    }
    return !cancel || !atomic_load_explicit(cancel, memory_order_relaxed);
}

/* Wait and count an attempt on the same device. */
static bool prepare_retry(het__recovery *r, het__recovery_device *d, const rule *what,
                          _Atomic uint32_t *cancel)
{
    const uint32_t doublings = d->tries < 16 ? d->tries : 16;
    const uint64_t ms = (uint64_t)what->backoff_ms << doublings;
    d->tries++;
    d->retry_count++;
    r->retry_count++;
    return sleep_ms(ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS, cancel);
}

/* Less than it held: held bytes are those of the plan that failed. */
static bool shrink(het__recovery *r, uint32_t device, double held)
{
    het__recovery_device *d = &r->device[device];
    if (held < 2 || d->shrink_count == SHRINKS_MAX || !(r->mask & ~(UINT32_C(1) << device)))
        return false;
    d->shrink_count++;
    d->is_shrunk = true;
    r->shrunk |= UINT32_C(1) << device;
    r->limits[device] = held / 2;
    r->replan_count++;
    return true;
}

/* Where memory ran out, another device in the same memory is no help. */
static bool is_helpless(const het__recovery *r, uint32_t device, het_status status, uint32_t left)
{
    if (status != HET_E_NOMEM || !is_host(r, device))
        return false;
    for (uint32_t i = 0; i < r->registry->count; i++)
        if ((left >> i & 1) && !is_host(r, i))
            return false;
    return true;
}

/* Those who were named to take over from a device do what it was to do, and what it did for
 * others. */
static void pass_on(het__recovery *r, uint32_t device, uint32_t wanted)
{
    const uint32_t bit = UINT32_C(1) << device;
    r->stand_ins[device] = wanted;
    for (uint32_t i = 0; i < r->registry->count; i++)
        if (r->stand_ins[i] & bit)
            r->stand_ins[i] = (r->stand_ins[i] & ~bit) | wanted;
}

static bool take_out(het__recovery *r, uint32_t device, het_status status, const char *next)
{
    const uint32_t bit = UINT32_C(1) << device;
    uint32_t left = r->mask & ~bit;
    if (!*next)
        return false;
    /* What was not in use is not drawn in unless it is named. */
    const uint32_t wanted = strcmp(next, HET__POLICY_ANY) == 0 ? 0 : left & named(r, next);
    if (wanted)
        left = wanted | (left & r->used);
    r->is_exhausted = !left || is_helpless(r, device, status, left);
    if (r->is_exhausted)
        return false;
    r->mask = left;
    r->back &= ~bit;
    pass_on(r, device, wanted);
    r->shrunk &= ~bit;
    r->device[device].is_shrunk = false;
    r->replan_count++;
    return true;
}

/* Bytes that plans give a device of the registry. */
static double held_by(const het__plan *plan, uint32_t device)
{
    for (uint32_t d = 0; d < plan->machine.device_count; d++)
        if (plan->machine.device[d].context_index == device) {
            const het__plan_memory *m = &plan->memory[d];
            return m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes;
        }
    return 0;
}

static bool is_ours(const het__recovery *r, const het__exec_failure *f)
{
    if (f->device >= r->registry->count || f->status == HET_E_CANCELLED ||
        f->status == HET_E_INVALID)
        return false;
    return !r->spares_hosts || !is_host(r, f->device) || f->stage < HET__EXEC_ENQUEUE;
}

static het__recovery_step decide(het__recovery *r, const het__exec_failure *f, double held,
                                 _Atomic uint32_t *cancel, het_status *status, het_error *err)
{
    if (!is_ours(r, f))
        return HET__RECOVERY_FAIL;
    note(r, f, err);
    het__recovery_device *d = &r->device[f->device];
    const rule what = rule_for(r, f->status);
    if (d->tries < what.retries) {
        if (prepare_retry(r, d, &what, cancel))
            return het__recovery_is_dead(f->status) || f->stage <= HET__EXEC_COMPILE
                       ? HET__RECOVERY_REBUILD : HET__RECOVERY_AGAIN;
        *status = het__fail(err, HET_E_CANCELLED, "cancelled before another attempt");
        return HET__RECOVERY_FAIL;
    }
    if (f->status == HET_E_NOMEM && *what.next && shrink(r, f->device, held))
        return HET__RECOVERY_REBUILD;
    if (take_out(r, f->device, f->status, what.next))
        return HET__RECOVERY_REBUILD;
    if (r->first.status != HET_OK)
        *err = r->first;
    *status = (het_status)err->status;
    return HET__RECOVERY_FAIL;
}

het__recovery_step het__recovery_after(het__recovery *r, const het__exec *exec,
                                       _Atomic uint32_t *cancel, het_status *status,
                                       het_error *err)
{
    het__exec_failure f;
    het__exec_failure_get(exec, &f);
    f.status = *status;
    const double held =
        f.device == HET__EXEC_NO_DEVICE ? 0 : held_by(het__exec_plan_of(exec, 0), f.device);
    r->used = het__recovery_used(exec);
    return decide(r, &f, held, cancel, status, err);
}

/* ---- heat ---- */

/* Whether a device is below its limit, or comes below it in the attempts that a policy grants. */
static bool cools(het__recovery *r, uint32_t device, const het__policy_fallback *what,
                  _Atomic uint32_t *cancel, double *celsius, double *limit)
{
    for (uint32_t tries = 0;; tries++) {
        if (!het__heat_is_high(&r->heat, device, celsius, limit))
            return true;
        if (tries == what->retry)
            return false;
        const uint64_t ms = (uint64_t)what->backoff_ms << (tries < 16 ? tries : 16);
        if (!sleep_ms(ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS, cancel))
            return true;
    }
}

static void note_heat(het__recovery *r, uint32_t device, double celsius, double limit)
{
    const het__exec_failure f = { device, -1, HET__EXEC_HEAT, HET_E_BUSY };
    het_error own = HET_ERROR_INIT;
    (void)het__fail(&own, HET_E_BUSY, "%.0f degrees Celsius, where the limit is %.0f", celsius,
                    limit);
    note(r, &f, &own);
}

static void rest(het__recovery_device *d)
{
    const uint32_t times = d->hot_count < REST_DOUBLINGS ? d->hot_count : REST_DOUBLINGS;
    d->hot_count++;
    d->rest = REST_LOOKS << times;
}

/* What was taken out because it was too hot and has cooled is used again, by itself and not by what
 * stood for it. */
static bool take_back(het__recovery *r)
{
    uint32_t back = 0;
    for (uint32_t i = 0; i < r->registry->count; i++) {
        het__recovery_device *d = &r->device[i];
        if (!(r->hot >> i & 1) || (d->rest > 0 && d->rest-- > 0) ||
            !het__heat_is_low(&r->heat, i, &d->celsius))
            continue;
        back |= UINT32_C(1) << i;
        r->stand_ins[i] = 0;
    }
    r->mask |= back;
    r->hot &= ~back;
    r->back |= back;
    r->replan_count += back != 0;
    return back != 0;
}

het__recovery_step het__recovery_cool(het__recovery *r, const het__exec *exec,
                                      _Atomic uint32_t *cancel, het_status *status,
                                      het_error *err)
{
    const het__policy_fallback *what = said(r, HET__TRIGGER_THERMAL);
    het__recovery_step step = HET__RECOVERY_AGAIN;
    if (!what || !exec || !het__heat_is_due(&r->heat))
        return step;
    r->used = het__recovery_used(exec);
    if (take_back(r))
        step = HET__RECOVERY_REBUILD;
    for (uint32_t i = 0; i < r->registry->count; i++) {
        double celsius = 0, limit = 0;
        if (!((r->used & ~r->needed) >> i & 1) || cools(r, i, what, cancel, &celsius, &limit))
            continue;
        if (!*what->next) {
            note_heat(r, i, celsius, limit);
            *status = het__fail(err, HET_E_BUSY, "device %u (%s) is too hot: %s", i,
                                r->registry->device[i].info.backend, r->device[i].message);
            return HET__RECOVERY_FAIL;
        }
        if (take_out(r, i, HET_E_BUSY, what->next)) {
            note_heat(r, i, celsius, limit);
            r->hot |= UINT32_C(1) << i;
            rest(&r->device[i]);
            step = HET__RECOVERY_REBUILD;
        }
        r->is_exhausted = false; /* nobody else is left: it goes on, hot as it is */
    }
    return step;
}

/* No plan does without what is too hot: it is used again, and stays. */
static bool put_back(het__recovery *r)
{
    const uint32_t hot = r->hot;
    r->mask |= hot;
    r->needed |= hot;
    for (uint32_t i = 0; i < r->registry->count; i++)
        if (hot >> i & 1)
            r->stand_ins[i] = 0;
    r->hot = 0;
    return hot != 0;
}

/* ---- making an executor ---- */

/* The plan that an executor failed to be made of is made again, for what its device was to hold. */
static double held_before(const het__exec_request *request, uint32_t device)
{
    het__plan plans[HET__PHASE_COUNT];
    het__graph graph;
    const uint32_t count = request->phase_count ? request->phase_count : HET__PHASE_COUNT;
    if (het__exec_plan_split(request, request->registry->host.mem, plans, &graph, NULL) != HET_OK)
        return 0;
    const double held = held_by(&plans[0], device);
    for (uint32_t p = 0; p < count; p++)
        het__plan_finish(&plans[p]);
    het__graph_finish(&graph);
    return held;
}

static void set_deadline(const het__recovery *r, het__exec *exec)
{
    const het__policy_fallback *f = said(r, HET__TRIGGER_TIMEOUT);
    double ns = (double)DEADLINE_LEAST_NS;
    for (uint32_t p = 0; p < HET__PHASE_COUNT; p++) {
        const het__plan *plan = het__exec_plan_of(exec, p);
        if (plan && plan->predicted_ns * DEADLINE_STEPS > ns)
            ns = plan->predicted_ns * DEADLINE_STEPS;
    }
    if (f && f->limit > 0)
        ns = f->limit * 1e6;
    het__exec_set_timeout(exec, ns < 9e18 ? (uint64_t)ns : UINT64_C(9000000000000000000));
}

/* A smaller share that no plan can keep: then without the devices that it is for. */
static bool drop_shrunk(het__recovery *r)
{
    const uint32_t shrunk = r->shrunk;
    bool any = false;
    for (uint32_t i = 0; i < r->registry->count; i++)
        if (shrunk >> i & 1)
            any = take_out(r, i, HET_E_NOMEM, rule_for(r, HET_E_NOMEM).next) || any;
    return any;
}

/* What to return when no executor could be made. */
static het_status refuse(het__recovery *r, het_status status, het_error *own, het_error *err)
{
    const bool is_other = status == HET_E_CANCELLED || status == HET_E_NOMEM;
    r->is_exhausted = r->is_exhausted || !is_other;
    if (!is_other && r->first.status != HET_OK)
        *own = r->first;
    own->status = is_other ? status : own->status;
    return het__recovery_report(own, err);
}

het_status het__recovery_create(het__recovery *r, const het__exec_request *request,
                                _Atomic uint32_t *cancel, het__exec **exec, het_error *err)
{
    het__exec_request q = *request;
    het__exec_failure f;
    *exec = NULL;
    r->used = r->used ? r->used : r->mask;
    for (;;) {
        het_error own = HET_ERROR_INIT;
        q.device_mask = r->mask;
        q.memory_limits = r->limits;
        q.stand_ins = r->stand_ins;
        q.failure = &f;
        r->policy.skip_missing = r->skips_missing || r->mask != r->all;
        q.policy = r->has_policy ? &r->policy : NULL;
        het_status s = het__exec_create(&q, exec, &own);
        if (s == HET_OK) {
            set_deadline(r, *exec);
            return HET_OK;
        }
        own.status = s;
        f.status = s;
        const double held = f.device != HET__EXEC_NO_DEVICE && s == HET_E_NOMEM
                                ? held_before(&q, f.device) : 0;
        if (decide(r, &f, held, cancel, &s, &own) != HET__RECOVERY_FAIL)
            continue;
        if (f.stage == HET__EXEC_PLAN && s != HET_E_NOMEM && s != HET_E_CANCELLED &&
            (drop_shrunk(r) || put_back(r)))
            continue;
        return refuse(r, s, &own, err);
    }
}

/* ---- asking ---- */

void het__recovery_health(const het__recovery *r, uint32_t device, het_device_health *health)
{
    const het__recovery_device *d = &r->device[device];
    assert(device < r->registry->count);
    memset(health, 0, sizeof *health);
    health->struct_size = sizeof *health;
    health->state = !(r->all >> device & 1)    ? HET_HEALTH_UNUSED
                    : !(r->mask >> device & 1) ? HET_HEALTH_OUT
                    : d->failure_count         ? HET_HEALTH_RETRIED
                                               : HET_HEALTH_OK;
    health->retry_count = d->retry_count;
    health->failure_count = d->failure_count;
    health->memory_limit_bytes = r->limits[device] > 0 ? (uint64_t)r->limits[device] : 0;
    health->status = d->last.status;
    health->layer = d->failure_count ? d->last.layer : -1;
    memcpy(health->message, d->message, sizeof health->message);
}

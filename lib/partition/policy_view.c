/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy means on one machine: names become bits once, then nodes are asked for. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/partition/policy_parts.h"

#define HOST_KINDS (UINT32_C(1) << HET_DEVICE_CPU | UINT32_C(1) << HET_DEVICE_REFERENCE)

/* ---- binding ---- */

typedef uint32_t (*select_fn)(const het__machine *machine, const char *name);

static uint32_t select_all(const het__machine *machine, const het__policy_devices *devices,
                           select_fn select)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < devices->count; i++)
        bits |= select(machine, devices->name[i]);
    return bits;
}

static het_status missing(const het__policy_rule *rule, const het__policy_devices *devices,
                          const het__machine *machine, het_error *err)
{
    char line[32] = "";
    if (rule && rule->line)
        snprintf(line, sizeof line, " (line %u)", rule->line);
    return het__fail(err, HET_E_INVALID, "policy: %s%s has no %s, which %s%s",
                     *machine->name ? "machine " : "this machine", machine->name,
                     devices->name[0], rule ? "a rule demands" : "the list of devices names",
                     line);
}

static het_status bind_rule(het__policy_view *view, uint32_t n, het_error *err)
{
    const het__policy_rule *rule = &view->policy->rules[n];
    het__policy_bits *bits = &view->rules[n];
    bits->must = select_all(view->machine, &rule->must, het__policy_workers);
    bits->never = select_all(view->machine, &rule->never, het__policy_select);
    if (rule->must.count && !(bits->must & view->enabled)) {
        if (!view->policy->skip_missing)
            return missing(rule, &rule->must, view->machine, err);
        bits->is_skipped = true;
    }
    uint32_t wished = 0;
    memset(bits->wish, (int)rule->prefer.count, sizeof bits->wish);
    for (uint32_t i = 0; i < rule->prefer.count; i++) {
        uint32_t now = het__policy_workers(view->machine, rule->prefer.name[i]) & ~wished;
        wished |= now;
        for (uint32_t d = 0; now; d++, now >>= 1)
            if (now & 1)
                bits->wish[d] = (uint8_t)i;
    }
    /* Wishes for what is not there are broken by everything alike. */
    if (!bits->must && !bits->never && !wished)
        bits->is_skipped = true;
    return HET_OK;
}

het_status het__policy_bind(const het__policy *policy, const het__machine *machine, het__mem *mem,
                            het__policy_view *view, het_error *err)
{
    assert(machine->device_count <= HET__MACHINE_DEVICES_MAX);
    *view = (het__policy_view){ .policy = policy, .machine = machine, .mem = mem };
    const uint32_t all = (UINT32_C(1) << machine->device_count) - 1;
    view->enabled = all;
    for (uint32_t i = 0; i < machine->device_count; i++)
        if (machine->device[i].kind < 32 && HOST_KINDS >> machine->device[i].kind & 1)
            view->hosts |= UINT32_C(1) << i;
    if (!policy)
        return HET_OK;
    if (policy->devices.count)
        view->enabled = select_all(machine, &policy->devices, het__policy_workers);
    if (!view->enabled && policy->devices.count) {
        if (!policy->skip_missing)
            return missing(NULL, &policy->devices, machine, err);
        view->enabled = all;
    }
    view->rules = het__alloc_zero(mem, (size_t)policy->rule_count + 1, sizeof *view->rules);
    if (!view->rules)
        return het__fail_nomem(err, "the policy");
    het_status s = HET_OK;
    for (uint32_t n = 0; s == HET_OK && n < policy->rule_count; n++)
        s = bind_rule(view, n, err);
    if (s != HET_OK)
        het__policy_view_finish(view);
    return s;
}

void het__policy_view_finish(het__policy_view *view)
{
    if (view->rules)
        het__free(view->mem, view->rules);
    memset(view, 0, sizeof *view);
}

/* ---- asking ---- */

void het__policy_subject_of(const het__graph *graph, uint32_t node, const het__node_label *label,
                            const het__work *work, het__policy_subject *subject)
{
    const het__node *n = &graph->nodes[node];
    *subject = (het__policy_subject){
        .label = *label,
        .name = n->name,
        .op = het__node_operation(n),
        .flops = work->flops,
        .bytes = work->input_bytes + work->output_bytes + work->weight_bytes,
    };
}

static bool within(double value, double least, double most)
{
    return value >= least && (most == 0 || value <= most);
}

static bool matches(const het__policy_rule *r, const het__policy_subject *s)
{
    if (r->classes && !(r->classes >> s->label.node_class & 1))
        return false;
    if (r->layer_first >= 0 &&
        (s->label.layer < r->layer_first || s->label.layer > r->layer_last))
        return false;
    return within(s->flops, r->flops_min, r->flops_max) &&
           within(s->bytes, r->bytes_min, r->bytes_max) &&
           (!r->op || het__glob_match(r->op, s->op ? s->op : "")) &&
           (!r->name || het__glob_match(r->name, s->name ? s->name : ""));
}

/* What all rules so far say. */
typedef struct verdict {
    uint32_t allowed, must, wished;
    uint32_t permit_rule[HET__MACHINE_DEVICES_MAX]; /* index + 1; 0: none */
    uint32_t wish_rule;                             /* index + 1; 0: none */
} verdict;

static void apply(verdict *v, const het__policy_rule *rule, const het__policy_bits *bits,
                  uint32_t n, uint32_t devices)
{
    if (rule->must.count) {
        v->allowed = v->must = bits->must;
        for (uint32_t d = 0; d < devices; d++)
            v->permit_rule[d] = n + 1;
    }
    v->allowed &= ~bits->never;
    for (uint32_t d = 0; d < devices; d++)
        if (bits->never >> d & 1)
            v->permit_rule[d] = n + 1;
    if (rule->prefer.count) {
        v->wish_rule = n + 1;
        v->wished = 0;
        for (uint32_t d = 0; d < devices; d++)
            v->wished |= (uint32_t)(bits->wish[d] < rule->prefer.count) << d;
    }
}

/* Devices off the host that are not worth the way for so little. */
static uint32_t too_little(const het__policy *p, const het__policy_subject *s,
                           het__policy_cause *cause)
{
    if (p->min_flops > 0 && s->flops < p->min_flops) {
        *cause = HET__CAUSE_MIN_FLOPS;
        return UINT32_MAX;
    }
    if (p->min_bytes > 0 && s->bytes < p->min_bytes) {
        *cause = HET__CAUSE_MIN_BYTES;
        return UINT32_MAX;
    }
    return 0;
}

void het__policy_ask(const het__policy_view *view, const het__policy_subject *subject,
                     het__policy_answer answers[HET__MACHINE_DEVICES_MAX])
{
    const het__policy *p = view->policy;
    const uint32_t devices = view->machine->device_count;
    verdict v = { .allowed = view->enabled };
    het__policy_cause cause = HET__CAUSE_NONE;
    uint32_t little = 0;
    for (uint32_t n = 0; p && n < p->rule_count; n++)
        if (!view->rules[n].is_skipped && matches(&p->rules[n], subject))
            apply(&v, &p->rules[n], &view->rules[n], n, devices);
    /* Where the host is out of the question, small work must go somewhere else. */
    if (p && v.allowed & view->enabled & view->hosts)
        little = too_little(p, subject, &cause) & ~view->hosts & ~v.must & ~v.wished;
    for (uint32_t d = 0; d < devices; d++) {
        const uint32_t bit = UINT32_C(1) << d;
        het__policy_answer *a = &answers[d];
        *a = (het__policy_answer){ .is_named = ((v.must | v.wished) & bit) != 0 };
        a->is_allowed = (v.allowed & view->enabled & ~little & bit) != 0;
        a->broken = v.wish_rule ? view->rules[v.wish_rule - 1].wish[d] : 0;
        if (!(view->enabled & bit)) {
            a->cause = HET__CAUSE_DEVICES;
        } else if (little & bit && v.allowed & bit) {
            a->cause = cause;
        } else if (v.permit_rule[d] || v.wish_rule) {
            a->cause = HET__CAUSE_RULE;
            a->rule = (v.permit_rule[d] ? v.permit_rule[d] : v.wish_rule) - 1;
        }
    }
}

static void why_rule(const het__policy *p, uint32_t n, char *why, size_t bytes)
{
    const het__policy_rule *r = &p->rules[n];
    const het__policy_devices *list = r->must.count ? &r->must
                                      : r->prefer.count ? &r->prefer : &r->never;
    char names[HET__POLICY_DEVICES_MAX * HET__POLICY_WORD_MAX] = "", place[32];
    size_t used = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const int more = snprintf(names + used, sizeof names - used, "%s%s", i ? " or " : "",
                                  list->name[i]);
        used += more > 0 && used + (size_t)more < sizeof names ? (size_t)more : 0;
    }
    if (r->line)
        snprintf(place, sizeof place, "line %u", r->line);
    else
        snprintf(place, sizeof place, "rule %u", n);
    snprintf(why, bytes, "policy: %s: %s %s", place,
             r->must.count ? "must" : r->prefer.count ? "prefer" : "never", names);
}

void het__policy_why(const het__policy_view *view, const het__policy_answer *answer, char *why,
                     size_t why_bytes)
{
    const het__policy *p = view->policy;
    if (!why_bytes)
        return;
    why[0] = 0;
    switch ((het__policy_cause)answer->cause) {
    case HET__CAUSE_NONE:
        snprintf(why, why_bytes, "policy: nothing said");
        break;
    case HET__CAUSE_RULE:
        why_rule(p, answer->rule, why, why_bytes);
        break;
    case HET__CAUSE_DEVICES:
        snprintf(why, why_bytes, "policy: not in the list of devices");
        break;
    case HET__CAUSE_MIN_FLOPS:
        snprintf(why, why_bytes, "policy: less arithmetic than min_flops %g", p->min_flops);
        break;
    case HET__CAUSE_MIN_BYTES:
        snprintf(why, why_bytes, "policy: fewer bytes than min_bytes %g", p->min_bytes);
        break;
    }
}

bool het__policy_allows(const het__policy_view *view, const het__policy_subject *subject,
                        uint32_t device, char *why, size_t why_bytes)
{
    het__policy_answer answers[HET__MACHINE_DEVICES_MAX];
    assert(device < view->machine->device_count);
    het__policy_ask(view, subject, answers);
    if (why)
        het__policy_why(view, &answers[device], why, why_bytes);
    return answers[device].is_allowed;
}

bool het__policy_transfer_allows(const het__policy_view *view, double transfer_ns, double node_ns)
{
    const het__policy *p = view->policy;
    return !p || p->max_transfer_ratio == 0 || transfer_ns <= p->max_transfer_ratio * node_ns;
}

/* ---- limits ---- */

static bool names_device(const het__policy_view *view, const char *name, uint32_t device)
{
    return het__policy_select(view->machine, name) >> device & 1;
}

double het__policy_memory_limit(const het__policy_view *view, uint32_t device)
{
    const het__machine_device *d = &view->machine->device[device];
    double most = d->memory_bytes.value;
    if (most <= 0 && d->group < view->machine->group_count)
        most = view->machine->group[d->group].memory_bytes.value;
    if (most <= 0)
        most = INFINITY;
    const double own = most;
    for (uint32_t i = 0; view->policy && i < view->policy->limit_count; i++) {
        const het__policy_limit *l = &view->policy->limits[i];
        if (!names_device(view, l->device, device))
            continue;
        if (l->memory_bytes > 0 && l->memory_bytes < most)
            most = l->memory_bytes;
        if (l->memory_share > 0 && l->memory_share * own < most)
            most = l->memory_share * own;
    }
    return most;
}

double het__policy_experts(const het__policy_view *view, uint32_t device, uint32_t *keep)
{
    double least = 0;
    *keep = 0;
    for (uint32_t i = 0; view->policy && i < view->policy->limit_count; i++) {
        const het__policy_limit *l = &view->policy->limits[i];
        if (l->expert_bytes <= 0 || !names_device(view, l->device, device) ||
            (least > 0 && l->expert_bytes >= least))
            continue;
        least = l->expert_bytes;
        *keep = l->expert_keep;
    }
    return least;
}

het__policy_stream het__policy_streams(const het__policy_view *view, uint32_t device)
{
    uint32_t said = HET__STREAM_UNSAID;
    for (uint32_t i = 0; view->policy && i < view->policy->limit_count; i++) {
        const het__policy_limit *l = &view->policy->limits[i];
        if (l->stream && said != HET__STREAM_NEVER && names_device(view, l->device, device))
            said = l->stream;
    }
    return (het__policy_stream)said;
}

double het__policy_split_of(const het__policy_view *view, const het__policy_subject *subject,
                            uint32_t device, uint32_t *others)
{
    *others = 0;
    for (uint32_t i = view->policy ? view->policy->split_count : 0; i-- > 0;) {
        const het__policy_split *split = &view->policy->splits[i];
        if (!matches(&split->where, subject))
            continue;
        *others = het__policy_workers(view->machine, split->to) & view->enabled &
                  ~(UINT32_C(1) << device);
        if (*others)
            return split->share;
    }
    return 0;
}

uint32_t het__policy_threads(const het__policy_view *view, uint32_t device)
{
    const het__policy *p = view->policy;
    uint32_t threads = 0;
    if (!p || !(view->hosts >> device & 1))
        return 0;
    if (p->power == HET__POWER_EFFICIENCY && view->machine->device[device].units.value >= 2)
        threads = (uint32_t)fmin(view->machine->device[device].units.value / 2, 1024);
    for (uint32_t i = 0; i < p->limit_count; i++)
        if (p->limits[i].threads && names_device(view, p->limits[i].device, device) &&
            (!threads || p->limits[i].threads < threads))
            threads = p->limits[i].threads;
    return threads;
}

uint32_t het__policy_objective(const het__policy *policy)
{
    if (policy && policy->objective != HET_OBJECTIVE_DEFAULT)
        return policy->objective;
    return policy && policy->power == HET__POWER_EFFICIENCY ? HET_OBJECTIVE_ENERGY
                                                            : HET_OBJECTIVE_LATENCY;
}

uint32_t het__policy_precision_of(const het__policy_view *view, uint32_t device)
{
    const het__policy *p = view->policy;
    uint32_t type = HET__PEAK_COUNT;
    for (uint32_t i = 0; p && i < p->precision_count; i++)
        if (names_device(view, p->precision[i].device, device))
            type = p->precision[i].type;
    return type;
}

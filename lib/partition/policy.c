/* SPDX-License-Identifier: Apache-2.0 */
/* A policy as data: changed by calls and by the reader, and kept free of contradictions. */
#include "lib/partition/policy.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/yaml.h"
#include "lib/partition/policy_parts.h"

const char *const het__objective_names[] = { "latency", "throughput", "energy", NULL };
const char *const het__power_names[] = { "balanced", "performance", "efficiency", NULL };
const char *const het__scheduling_names[] = { "fifo", "bw_aware", "critical_path", NULL };
const char *const het__trigger_names[] = { "on_error", "on_oom", "on_timeout", "on_thermal", NULL };
const char *const het__host_names[] = { "tokenization", "sampling", "memory_management",
                                        "orchestration", NULL };
const char *const het__expert_keep_names[] = { "recent", "frequent", NULL };
const char *const het__split_names[] = { "auto", "always", "never", NULL };
const char *const het__peak_names[] = { "f32", "f16", "bf16", "int8", NULL };

void het__policy_init(het__policy *policy, het__mem *mem)
{
    memset(policy, 0, sizeof *policy);
    policy->mem = mem;
    het__arena_init(&policy->arena, mem);
}

void het__policy_finish(het__policy *policy)
{
    if (!policy->mem)
        return;
    het__free(policy->mem, policy->rules);
    het__free(policy->mem, policy->splits);
    het__arena_finish(&policy->arena);
    memset(policy, 0, sizeof *policy);
}

/* ---- parts ---- */

bool het__policy_text_is_good(const char *text)
{
    if (!*text || strlen(text) > HET__POLICY_TEXT_MAX)
        return false;
    while (*text) {
        const size_t n = het__yaml_shown(text);
        if (n == 0)
            return false;
        text += n;
    }
    return true;
}

/* One retry point suffices: what a later star can take, an earlier one need not. */
bool het__glob_match(const char *pattern, const char *text)
{
    const char *star = NULL, *again = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            again = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static const char *read_layer(const char *text, int32_t *layer)
{
    int32_t n = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && n <= 99999; at++)
        n = 10 * n + (*at - '0');
    *layer = n;
    return at == text || n > 99999 ? NULL : at;
}

bool het__policy_layers_read(const char *text, int32_t *first, int32_t *last)
{
    int32_t a, b;
    const char *at = read_layer(text, &a);
    if (!at)
        return false;
    b = a;
    if (*at == '-') {
        b = INT32_MAX;
        if (*++at)
            at = read_layer(at, &b);
    }
    if (!at || *at || b < a)
        return false;
    *first = a;
    *last = b;
    return true;
}

het_status het__policy_add_device(het__policy_devices *devices, const char *name, het_error *err)
{
    het__device_name parts;
    if (!het__device_name_read(name, &parts))
        return het__fail(err, HET_E_INVALID, "'%.30s' is no device; known are %s", name,
                         het__device_name_list());
    for (uint32_t i = 0; i < devices->count; i++)
        if (strcmp(devices->name[i], name) == 0)
            return het__fail(err, HET_E_INVALID, "the device %s is listed twice", name);
    if (devices->count == HET__POLICY_DEVICES_MAX)
        return het__fail(err, HET_E_INVALID, "more than %d devices are listed",
                         HET__POLICY_DEVICES_MAX);
    /* A known name with an index is shorter than the room for it. */
    memcpy(devices->name[devices->count++], name, strlen(name) + 1);
    return HET_OK;
}

/* ---- contradictions ---- */

static bool covers_range(double a_min, double a_max, double b_min, double b_max)
{
    return a_min <= b_min && (a_max == 0 || (b_max != 0 && b_max <= a_max));
}

static bool covers_pattern(const char *a, const char *b)
{
    return !a || strcmp(a, "*") == 0 || (b && strcmp(a, b) == 0);
}

bool het__policy_rule_covers(const het__policy_rule *a, const het__policy_rule *b)
{
    const bool classes = a->classes == 0 || (b->classes && (b->classes & ~a->classes) == 0);
    const bool layers = a->layer_first < 0 ||
                        (b->layer_first >= a->layer_first && b->layer_last <= a->layer_last);
    return classes && layers && covers_pattern(a->name, b->name) && covers_pattern(a->op, b->op) &&
           covers_range(a->flops_min, a->flops_max, b->flops_min, b->flops_max) &&
           covers_range(a->bytes_min, a->bytes_max, b->bytes_min, b->bytes_max);
}

static bool is_covered(const het__policy_devices *all, const char *name)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (het__device_name_covers(all->name[i], name))
            return true;
    return false;
}

static bool meets(const het__policy_devices *all, const char *name)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (het__device_names_meet(all->name[i], name))
            return true;
    return all->count == 0;
}

static bool all_are_covered(const het__policy_devices *all, const het__policy_devices *some)
{
    for (uint32_t i = 0; i < some->count; i++)
        if (!is_covered(all, some->name[i]))
            return false;
    return true;
}

/* "WHAT:LINE: " of a rule's file, or "" of a call. */
typedef struct place {
    char text[128];
} place;

static place place_of(const char *what, uint32_t line)
{
    place p = { "" };
    if (what && line)
        snprintf(p.text, sizeof p.text, "%.90s:%u: ", what, line);
    return p;
}

/* What a rule says by itself. */
static het_status check_own(const het__policy *policy, const het__policy_rule *r, const char *at,
                            het_error *err)
{
    if (!r->must.count && !r->prefer.count && !r->never.count)
        return het__fail(err, HET_E_INVALID, "%sthe rule says neither must, prefer nor never", at);
    for (uint32_t i = 0; i < r->must.count; i++)
        if (is_covered(&r->never, r->must.name[i]))
            return het__fail(err, HET_E_INVALID,
                             "%sthe rule contradicts itself: must %s, and never", at,
                             r->must.name[i]);
    for (uint32_t i = 0; i < r->prefer.count; i++) {
        const char *name = r->prefer.name[i];
        if (is_covered(&r->never, name))
            return het__fail(err, HET_E_INVALID,
                             "%sthe rule contradicts itself: prefer %s, and never", at, name);
        if (!meets(&r->must, name))
            return het__fail(err, HET_E_INVALID,
                             "%sthe rule contradicts itself: prefer %s, which its must leaves out",
                             at, name);
        if (!meets(&policy->devices, name))
            return het__fail(err, HET_E_INVALID,
                             "%sprefer %s contradicts the list of devices, which leaves it out", at,
                             name);
    }
    bool is_there = r->must.count == 0;
    for (uint32_t i = 0; i < r->must.count; i++)
        is_there = is_there || meets(&policy->devices, r->must.name[i]);
    if (!is_there)
        return het__fail(err, HET_E_INVALID,
                         "%smust %s contradicts the list of devices, which leaves it out", at,
                         r->must.name[0]);
    return HET_OK;
}

/* Whether another rule than these two, behind the first, says anew where its nodes must be. */
static bool is_placed_anew(const het__policy *policy, uint32_t first, uint32_t second)
{
    for (uint32_t k = first + 1; k < policy->rule_count; k++)
        if (k != second && policy->rules[k].must.count &&
            het__policy_rule_covers(&policy->rules[k], &policy->rules[first]))
            return true;
    return false;
}

static het_status check_rule(const het__policy *policy, uint32_t n, const char *what,
                             het_error *err)
{
    const het__policy_rule *r = &policy->rules[n];
    const place at = place_of(what, r->line);
    const het_status s = check_own(policy, r, at.text, err);
    if (s != HET_OK || !r->never.count || r->must.count)
        return s;
    for (uint32_t i = 0; i < n; i++) {
        const het__policy_rule *before = &policy->rules[i];
        if (!before->must.count || !het__policy_rule_covers(r, before) ||
            !all_are_covered(&r->never, &before->must) || is_placed_anew(policy, i, n))
            continue;
        if (before->line)
            return het__fail(err, HET_E_INVALID,
                             "%snever %s contradicts the rule of line %u, which says must %s",
                             at.text, r->never.name[0], before->line, before->must.name[0]);
        return het__fail(err, HET_E_INVALID,
                         "%snever %s contradicts an earlier rule, which says must %s", at.text,
                         r->never.name[0], before->must.name[0]);
    }
    return HET_OK;
}

het_status het__policy_check(const het__policy *policy, const char *what, het_error *err)
{
    for (uint32_t n = 0; n < policy->rule_count; n++) {
        const het_status s = check_rule(policy, n, what, err);
        if (s != HET_OK)
            return s;
    }
    for (uint32_t t = 0; t < HET__TRIGGER_COUNT; t++) {
        const char *next = policy->fallback[t].next;
        if (*next && strcmp(next, HET__POLICY_ANY) != 0 && !meets(&policy->devices, next))
            return het__fail(err, HET_E_INVALID,
                             "%s%s%s.next %s contradicts the list of devices, which leaves it out",
                             what ? what : "", what ? ": fallback." : "fallback.",
                             het__trigger_names[t], next);
    }
    return HET_OK;
}

/* ---- changing ---- */

/* Nothing, or an amount that the written form can hold; not a number is neither. */
static bool is_bound(double value, double most)
{
    return value == 0 || (value >= 1 && value <= most);
}

static het_status check_selector(const het__policy_rule *r, const char *at, het_error *err)
{
    if (r->classes >> HET__CLASS_COUNT)
        return het__fail(err, HET_E_INVALID, "%sthere is no such class of nodes", at);
    if (r->layer_first < -1 || (r->layer_first < 0) != (r->layer_last < 0) ||
        r->layer_last < r->layer_first)
        return het__fail(err, HET_E_INVALID, "%slayers %d to %d are no range", at, r->layer_first,
                         r->layer_last);
    if ((r->name && !het__policy_text_is_good(r->name)) ||
        (r->op && !het__policy_text_is_good(r->op)))
        return het__fail(err, HET_E_INVALID,
                         "%sa pattern is empty, longer than %d bytes or holds a character that "
                         "cannot be shown", at, HET__POLICY_TEXT_MAX);
    if (!is_bound(r->flops_min, HET__POLICY_FLOPS_MAX) ||
        !is_bound(r->flops_max, HET__POLICY_FLOPS_MAX) ||
        !is_bound(r->bytes_min, HET__POLICY_BYTES_MAX) ||
        !is_bound(r->bytes_max, HET__POLICY_BYTES_MAX) ||
        (r->flops_max > 0 && r->flops_max < r->flops_min) ||
        (r->bytes_max > 0 && r->bytes_max < r->bytes_min))
        return het__fail(err, HET_E_INVALID,
                         "%sthe rule's bounds are out of range, or leave nothing between them", at);
    return HET_OK;
}

static bool copy_selector(het__policy *policy, het__policy_rule *to, const het__policy_rule *from)
{
    *to = *from;
    to->name = from->name ? het__arena_strdup(&policy->arena, from->name) : NULL;
    to->op = from->op ? het__arena_strdup(&policy->arena, from->op) : NULL;
    return (!from->name || to->name) && (!from->op || to->op);
}

het_status het__policy_append_split(het__policy *policy, const het__policy_split *split,
                                    const char *what, het_error *err)
{
    const place at = place_of(what, split->where.line);
    const het_status s = check_selector(&split->where, at.text, err);
    if (s != HET_OK)
        return s;
    if (policy->split_count == HET__POLICY_RULES_MAX)
        return het__fail(err, HET_E_INVALID, "%sthere are more than %d splits", at.text,
                         HET__POLICY_RULES_MAX);
    if (policy->split_count == policy->split_capacity) {
        const uint32_t capacity = policy->split_capacity ? 2 * policy->split_capacity : 8;
        het__policy_split *p = het__realloc(policy->mem, policy->splits, capacity * sizeof *p);
        if (!p)
            return het__fail_nomem(err, "the policy");
        policy->splits = p;
        policy->split_capacity = capacity;
    }
    het__policy_split *own = &policy->splits[policy->split_count];
    *own = *split;
    if (!copy_selector(policy, &own->where, &split->where))
        return het__fail_nomem(err, "the policy");
    policy->split_count++;
    return HET_OK;
}

/* Room for one more rule, whose strings are copied to where the policy's are. */
static het_status append(het__policy *policy, const het__policy_rule *rule, het_error *err)
{
    if (policy->rule_count == policy->rule_capacity) {
        const uint32_t capacity = policy->rule_capacity ? 2 * policy->rule_capacity : 8;
        het__policy_rule *rules =
            het__realloc(policy->mem, policy->rules, capacity * sizeof *rules);
        if (!rules)
            return het__fail_nomem(err, "the policy");
        policy->rules = rules;
        policy->rule_capacity = capacity;
    }
    if (!copy_selector(policy, &policy->rules[policy->rule_count], rule))
        return het__fail_nomem(err, "the policy");
    policy->rule_count++;
    return HET_OK;
}

het_status het__policy_append_rule(het__policy *policy, const het__policy_rule *rule,
                                   const char *what, het_error *err)
{
    const place at = place_of(what, rule->line);
    const het_status s = check_selector(rule, at.text, err);
    if (s != HET_OK)
        return s;
    if (policy->rule_count == HET__POLICY_RULES_MAX)
        return het__fail(err, HET_E_INVALID, "%sthere are more than %d rules", at.text,
                         HET__POLICY_RULES_MAX);
    return append(policy, rule, err);
}

het_status het__policy_add_rule(het__policy *policy, const het__policy_rule *rule,
                                const char *what, het_error *err)
{
    het_status s = het__policy_append_rule(policy, rule, what, err);
    if (s != HET_OK)
        return s;
    s = check_rule(policy, policy->rule_count - 1, what, err);
    if (s != HET_OK)
        policy->rule_count--;
    return s;
}

het_status het__policy_set_limit(het__policy *policy, const het__policy_limit *limit,
                                 const char *what, het_error *err)
{
    const place at = place_of(what, limit->line);
    het__device_name parts;
    if (!het__device_name_read(limit->device, &parts))
        return het__fail(err, HET_E_INVALID, "%s'%s' is no device; known are %s", at.text,
                         limit->device, het__device_name_list());
    const bool is_share = limit->memory_share == 0 ||
                          (limit->memory_share >= HET__POLICY_SHARE_MIN &&
                           limit->memory_share <= 1);
    if (!is_bound(limit->memory_bytes, HET__POLICY_BYTES_MAX) || !is_share ||
        !is_bound(limit->expert_bytes, HET__POLICY_BYTES_MAX) ||
        limit->stream > HET__STREAM_ALWAYS || limit->threads > HET__POLICY_THREADS_MAX)
        return het__fail(err, HET_E_INVALID, "%sthe limit of %s is out of range", at.text,
                         limit->device);
    if (limit->memory_bytes > 0 && limit->memory_share > 0)
        return het__fail(err, HET_E_INVALID,
                         "%sthe limit of %s contradicts itself: bytes, and a share", at.text,
                         limit->device);
    uint32_t n = 0;
    while (n < policy->limit_count && strcmp(policy->limits[n].device, limit->device) != 0)
        n++;
    const bool says_something =
        limit->memory_bytes > 0 || limit->memory_share > 0 || limit->threads > 0 ||
        limit->expert_bytes > 0 || limit->stream;
    if (!says_something) {
        if (n < policy->limit_count)
            memmove(&policy->limits[n], &policy->limits[n + 1],
                    (--policy->limit_count - n) * sizeof *policy->limits);
        return HET_OK;
    }
    if (n == HET__POLICY_LIMITS_MAX)
        return het__fail(err, HET_E_INVALID, "%sthere are more than %d limits", at.text,
                         HET__POLICY_LIMITS_MAX);
    policy->limits[n] = *limit;
    policy->limit_count += n == policy->limit_count;
    return HET_OK;
}

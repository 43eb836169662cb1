/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of policy.h. What can be asked of a policy is made when it changes, so that
 * asking needs no memory and no lock. */
#include <stdio.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/options.h"
#include "lib/base/yaml.h"

/* ---- what can be asked ---- */

typedef struct note_list {
    het__arena *arena;
    het_policy_note *at; /* NULL: only counted */
    uint32_t count;
    bool failed;
} note_list;

static void take_note(void *user, const het_policy_note *note)
{
    note_list *list = user;
    if (list->at) {
        het_policy_note *n = &list->at[list->count];
        *n = *note;
        n->key = het__arena_strdup(list->arena, note->key);
        n->text = het__arena_strdup(list->arena, note->text);
        list->failed = list->failed || !n->key || !n->text;
    }
    list->count++;
}

static bool make_notes(het_policy *policy, het__arena *arena, note_list *list)
{
    *list = (note_list){ .arena = arena };
    het__policy_notes(&policy->policy, take_note, list);
    het_policy_note *at = het__arena_zero(arena, (size_t)list->count + 1, sizeof *at);
    *list = (note_list){ .arena = arena, .at = at, .failed = !at };
    if (at)
        het__policy_notes(&policy->policy, take_note, list);
    return !list->failed;
}

/* Text and notes of the policy as it is now. On failure the old ones stay. */
static het_status refresh(het_policy *policy, het_error *err)
{
    het__mem *mem = policy->policy.mem;
    het__arena arena;
    het__text text;
    note_list list;
    het__arena_init(&arena, mem);
    het__text_init(&text, mem);
    het__policy_write(&policy->policy, &text);
    char *whole = het__text_take(&text);
    if (!whole || !make_notes(policy, &arena, &list)) {
        het__free(mem, whole);
        het__arena_finish(&arena);
        return het__fail_nomem(err, "the policy");
    }
    het__free(mem, policy->text);
    het__arena_finish(&policy->arena);
    policy->text = whole;
    policy->arena = arena;
    policy->notes = list.at;
    policy->note_count = list.count;
    return HET_OK;
}

/* ---- making ---- */

static het_status make(het_context *context, const char *text, size_t size, const char *what,
                       het_policy **policy, het_error *err)
{
    het__mem *mem = &context->mem;
    het_policy *p = het__alloc_zero(mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a policy");
    p->context = context;
    het__context_retain(context);
    het__arena_init(&p->arena, mem);
    het__policy_init(&p->policy, mem);
    het_status s = HET_OK;
    if (text)
        s = het__policy_read(text, size, what, mem, &p->policy, err);
    if (s == HET_OK)
        s = refresh(p, err);
    if (s != HET_OK)
        het_policy_destroy(p);
    else
        *policy = p;
    return s;
}

het_status het_policy_create(het_context *context, het_policy **policy, het_error *err)
{
    HET_REQUIRE(policy != NULL, err);
    *policy = NULL;
    HET_REQUIRE(context != NULL, err);
    return make(context, NULL, 0, NULL, policy, err);
}

het_status het_policy_load_memory(het_context *context, const char *text, size_t size,
                                  const char *name, het_policy **policy, het_error *err)
{
    HET_REQUIRE(policy != NULL, err);
    *policy = NULL;
    HET_REQUIRE(context != NULL, err);
    HET_REQUIRE(text != NULL, err);
    return make(context, text, size, name ? name : "policy", policy, err);
}

static het_status load_file(het_context *context, const het__file *file, const char *path,
                            het_policy **policy, het_error *err)
{
    if (file->bytes > HET__YAML_BYTES_MAX)
        return het__fail(err, HET_E_FORMAT, "%.120s is too large for a policy", path);
    char *text = het__alloc(&context->mem, (size_t)file->bytes);
    het_status s = HET_OK;
    if (!text)
        s = het__fail_nomem(err, "a policy");
    else if (!het__file_read(file, 0, text, (size_t)file->bytes))
        s = het__fail(err, HET_E_IO, "cannot read %.120s", path);
    else
        s = make(context, text, (size_t)file->bytes, path, policy, err);
    het__free(&context->mem, text);
    return s;
}

het_status het_policy_load(het_context *context, const char *path, het_policy **policy,
                           het_error *err)
{
    het__file file = { .fd = -1 };
    HET_REQUIRE(policy != NULL, err);
    *policy = NULL;
    HET_REQUIRE(context != NULL, err);
    HET_REQUIRE(path != NULL, err);
    het_status s = het__file_open(path, &file, err);
    if (s != HET_OK)
        return s;
    if (file.fd < 0)
        return het__fail(err, HET_E_IO, "cannot open %.120s: there is no such file", path);
    s = load_file(context, &file, path, policy, err);
    het__file_close(&file);
    return s;
}

static het_status no_preset(const char *name, het_error *err)
{
    char list[128] = "";
    for (uint32_t i = 0; het__policy_preset_name(i); i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                 het__policy_preset_name(i));
    }
    return het__fail(err, HET_E_INVALID, "no policy is called %.40s; there are %s", name, list);
}

het_status het_policy_preset(het_context *context, const char *name, het_policy **policy,
                             het_error *err)
{
    HET_REQUIRE(policy != NULL, err);
    *policy = NULL;
    HET_REQUIRE(context != NULL, err);
    HET_REQUIRE(name != NULL, err);
    const char *text = het__policy_preset_text(name);
    return text ? make(context, text, strlen(text), name, policy, err) : no_preset(name, err);
}

uint32_t het_policy_preset_count(void)
{
    uint32_t n = 0;
    while (het__policy_preset_name(n))
        n++;
    return n;
}

const char *het_policy_preset_name(uint32_t index)
{
    return het__policy_preset_name(index);
}

void het_policy_destroy(het_policy *policy)
{
    if (!policy)
        return;
    het_context *context = policy->context;
    het__free(&context->mem, policy->text);
    het__arena_finish(&policy->arena);
    het__policy_finish(&policy->policy);
    het__free(&context->mem, policy);
    het__context_release(context);
}

/* ---- changing ---- */

/* The next word of a list with commas; false at its end or where a word is too long. */
static bool next_word(const char **list, char word[HET__POLICY_WORD_MAX], het_status *status,
                      het_error *err)
{
    const size_t n = strcspn(*list, ",");
    if (n == 0 || n >= HET__POLICY_WORD_MAX) {
        *status = het__fail(err, HET_E_INVALID, "a list holds a word of %zu characters", n);
        return false;
    }
    memcpy(word, *list, n);
    word[n] = 0;
    *list += n + ((*list)[n] == ',' && (*list)[n + 1] ? 1 : 0);
    return true;
}

static het_status read_devices(const char *list, het__policy_devices *devices, het_error *err)
{
    char word[HET__POLICY_WORD_MAX];
    het_status s = HET_OK;
    do {
        if (!next_word(&list, word, &s, err))
            return s;
        s = het__policy_add_device(devices, word, err);
    } while (s == HET_OK && *list);
    return s;
}

static het_status read_classes(const char *list, uint32_t *classes, het_error *err)
{
    char word[HET__POLICY_WORD_MAX];
    het_status s = HET_OK;
    do {
        if (!next_word(&list, word, &s, err))
            return s;
        const uint32_t found = het__node_class_find(word);
        if (!found)
            return het__fail(err, HET_E_INVALID, "%s is no part of a network", word);
        *classes |= found;
    } while (*list);
    return HET_OK;
}

static het_status read_rule(const het_policy_rule *o, het__policy_rule *rule, het_error *err)
{
    het__policy_devices *lists[] = { NULL, &rule->must, &rule->prefer, &rule->never };
    *rule = (het__policy_rule){
        .layer_first = -1, .layer_last = -1, .name = o->name, .op = o->operation,
        .flops_min = o->flop_count_min, .flops_max = o->flop_count_max,
        .bytes_min = o->bytes_min, .bytes_max = o->bytes_max,
    };
    if (o->kind < HET_RULE_MUST || o->kind > HET_RULE_NEVER)
        return het__fail(err, HET_E_INVALID, "het_policy_rule.kind is %u", o->kind);
    if (!o->devices)
        return het__fail(err, HET_E_INVALID, "het_policy_rule.devices is NULL");
    het_status s = read_devices(o->devices, lists[o->kind], err);
    if (s == HET_OK && o->classes)
        s = read_classes(o->classes, &rule->classes, err);
    if (s == HET_OK && o->layers &&
        !het__policy_layers_read(o->layers, &rule->layer_first, &rule->layer_last))
        s = het__fail(err, HET_E_INVALID, "layers must be like 3, 0-15 or 24-, not %.30s",
                      o->layers);
    return s;
}

het_status het_policy_set_rule(het_policy *policy, const het_policy_rule *rule, het_error *err)
{
    het_policy_rule o;
    het__policy_rule r;
    HET_REQUIRE(policy != NULL, err);
    HET_REQUIRE(rule != NULL, err);
    het_status s = het__options_read(&o, sizeof o, rule, "het_policy_rule", err);
    if (s == HET_OK)
        s = read_rule(&o, &r, err);
    if (s == HET_OK)
        s = het__policy_add_rule(&policy->policy, &r, NULL, err);
    if (s != HET_OK)
        return s;
    s = refresh(policy, err);
    if (s != HET_OK)
        policy->policy.rule_count--;
    return s;
}

het_status het_policy_set_limit(het_policy *policy, const char *device,
                                const het_policy_limit *limit, het_error *err)
{
    het_policy_limit o;
    het__policy_devices one = { 0 };
    het__policy_limit before[HET__POLICY_LIMITS_MAX];
    HET_REQUIRE(policy != NULL, err);
    HET_REQUIRE(device != NULL, err);
    HET_REQUIRE(limit != NULL, err);
    het__policy *p = &policy->policy;
    const uint32_t count = p->limit_count;
    het_status s = het__options_read(&o, sizeof o, limit, "het_policy_limit", err);
    if (s == HET_OK)
        s = het__policy_add_device(&one, device, err);
    if (s == HET_OK && o.threads > HET__THREADS_MAX)
        s = het__fail(err, HET_E_INVALID, "het_policy_limit.threads is %u", o.threads);
    if (s != HET_OK)
        return s;
    het__policy_limit l = { .memory_bytes = (double)o.memory_bytes,
                            .memory_share = o.memory_share, .threads = o.threads };
    memcpy(l.device, one.name[0], sizeof l.device);
    for (uint32_t i = 0; i < count; i++) /* of these only files say anything */
        if (strcmp(p->limits[i].device, l.device) == 0) {
            l.expert_bytes = p->limits[i].expert_bytes;
            l.expert_keep = p->limits[i].expert_keep;
            l.stream = p->limits[i].stream;
        }
    memcpy(before, p->limits, sizeof before);
    s = het__policy_set_limit(p, &l, NULL, err);
    if (s == HET_OK)
        s = refresh(policy, err);
    if (s != HET_OK) {
        memcpy(p->limits, before, sizeof before);
        p->limit_count = count;
    }
    return s;
}

het_status het_policy_set_objective(het_policy *policy, uint32_t objective, het_error *err)
{
    HET_REQUIRE(policy != NULL, err);
    const uint32_t before = policy->policy.objective;
    if (objective > HET_OBJECTIVE_ENERGY)
        return het__fail(err, HET_E_INVALID, "there is no objective %u", objective);
    policy->policy.objective = objective;
    const het_status s = refresh(policy, err);
    if (s != HET_OK)
        policy->policy.objective = before;
    return s;
}

/* ---- asking ---- */

const char *het_policy_text(const het_policy *policy)
{
    return policy->text;
}

uint32_t het_policy_note_count(const het_policy *policy)
{
    return policy->note_count;
}

het_status het_policy_note_at(const het_policy *policy, uint32_t index, het_policy_note *note)
{
    if (index >= policy->note_count)
        return HET_E_INVALID;
    return het__result_write(note, &policy->notes[index], sizeof *note);
}

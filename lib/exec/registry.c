/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/exec/registry.h"

#include <string.h>

#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/exec/modules.h"
#include "lib/machine/hardware.h"

/* More names than backends exist. */
#define NAMES_MAX 16

typedef struct name_list {
    struct { const char *text; size_t bytes; bool removed; } name[NAMES_MAX];
    uint32_t count;
} name_list;

static bool split_list(const char *list, name_list *out)
{
    memset(out, 0, sizeof *out);
    while (*list) {
        const size_t n = strcspn(list, ",");
        if (n > 0) {
            if (out->count == NAMES_MAX)
                return false;
            const bool removed = *list == '-';
            out->name[out->count].text = list + removed;
            out->name[out->count].bytes = n - removed;
            out->name[out->count++].removed = removed;
        }
        list += n + (list[n] == ',');
    }
    return true;
}

static bool is_name(const char *name, const char *text, size_t bytes)
{
    return strlen(name) == bytes && memcmp(name, text, bytes) == 0;
}

/* The name of a backend as this build spells it, or NULL. */
static const char *known_name(const char *text, size_t bytes)
{
    for (size_t i = 0; het__backend_names[i]; i++)
        if (is_name(het__backend_names[i], text, bytes))
            return het__backend_names[i];
    return NULL;
}

static het_status unknown_name(const char *text, size_t bytes, het_error *err)
{
    char known[128] = "";
    size_t used = 0;
    for (size_t i = 0; het__backend_names[i]; i++) {
        const size_t n = strlen(het__backend_names[i]);
        if (used + n + 3 > sizeof known)
            break;
        memcpy(known + used, i ? ", " : "", i ? 2 : 0);
        used += i ? 2 : 0;
        memcpy(known + used, het__backend_names[i], n + 1);
        used += n;
    }
    return het__fail(err, HET_E_INVALID, "unknown backend \"%.*s\"; this build has %s",
                     (int)(bytes < 40 ? bytes : 40), text, known);
}

static bool is_removed(const name_list *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (names->name[i].removed &&
            is_name(name, names->name[i].text, names->name[i].bytes))
            return true;
    return false;
}

/* A name that is written twice counts once. */
static bool is_chosen(const char *const *chosen, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (chosen[i] == name)
            return true;
    return false;
}

/* The order of preference that a list asks for; named: backends were asked for by name. */
static het_status choose(const char *list, const char **chosen, uint32_t *count, bool *named,
                         het_error *err)
{
    name_list names = { .count = 0 };
    *count = 0;
    *named = false;
    if (list && !split_list(list, &names))
        return het__fail(err, HET_E_INVALID, "the list of backends has more than %d names",
                         NAMES_MAX);
    for (uint32_t i = 0; i < names.count; i++) {
        if (!known_name(names.name[i].text, names.name[i].bytes))
            return unknown_name(names.name[i].text, names.name[i].bytes, err);
        *named = *named || !names.name[i].removed;
    }
    if (*named) {
        for (uint32_t i = 0; i < names.count; i++) {
            const char *name = known_name(names.name[i].text, names.name[i].bytes);
            if (!is_removed(&names, name) && !is_chosen(chosen, *count, name))
                chosen[(*count)++] = name;
        }
        return HET_OK;
    }
    for (size_t b = 0; het__backend_names[b] && *count < NAMES_MAX; b++)
        if (!is_removed(&names, het__backend_names[b]))
            chosen[(*count)++] = het__backend_names[b];
    return HET_OK;
}

/* The device that was registered before for the same hardware, or NULL. */
static const het__registered *twin_of(const het__registry *registry, const char *physical)
{
    for (uint32_t i = 0; physical[0] && i < registry->count; i++)
        if (strcmp(registry->device[i].physical, physical) == 0)
            return &registry->device[i];
    return NULL;
}

void het__registry_add(het__registry *registry, const het__backend *backend,
                       const het__probed *probed, het__text *report)
{
    for (uint32_t i = 0; i < probed->device_count && registry->count < HET__DEVICES_MAX; i++) {
        const het__registered *twin = twin_of(registry, probed->physical[i]);
        if (twin) {
            het__text_printf(report, "%s: %s is device %u of %s, which is preferred\n",
                             backend->name, probed->device[i].name, twin->info.index,
                             twin->backend->name);
            continue;
        }
        het__registered *d = &registry->device[registry->count];
        d->backend = backend;
        d->backend_index = i;
        memcpy(d->physical, probed->physical[i], sizeof d->physical);
        d->info = probed->device[i];
        d->info.struct_size = sizeof d->info;
        d->info.index = registry->count++;
        memset(d->info.backend, 0, sizeof d->info.backend);
        memcpy(d->info.backend, backend->name, strlen(backend->name));
    }
}

/* on_demand: also a backend that is used only when it is named. */
static void add_devices(het__registry *registry, const char *name, bool on_demand,
                        het__text *report)
{
    char reason[256];
    het__probed probed;
    const het__backend *backend =
        het__backend_find(&registry->host, name, reason, sizeof reason);
    if (!backend) {
        het__text_printf(report, "%s: %s\n", name, reason);
        return;
    }
    if (backend->on_demand && !on_demand)
        return;
    memset(&probed, 0, sizeof probed);
    backend->probe(&registry->host, &probed);
    het__text_printf(report, "%s: %s\n", name,
                     probed.reason[0] ? probed.reason : "no reason given");
    het__registry_add(registry, backend, &probed, report);
}

het_status het__registry_init(het__registry *registry, const het__host *host, const char *list,
                              het_error *err)
{
    const char *chosen[NAMES_MAX];
    uint32_t count;
    bool named;
    memset(registry, 0, sizeof *registry);
    registry->host = *host;
    const het_status s = choose(list, chosen, &count, &named, err);
    if (s != HET_OK)
        return s;
    het__text report;
    het__text_init(&report, host->mem);
    for (uint32_t i = 0; i < count; i++)
        add_devices(registry, chosen[i], named, &report);
    registry->report = het__text_take(&report);
    if (!registry->report)
        return het__fail_nomem(err, "the backend report");
    if (registry->count == 0)
        return het__fail(err, HET_E_INVALID, "none of the backends asked for has a device");
    return HET_OK;
}

void het__registry_finish(het__registry *registry)
{
    if (registry->host.mem)
        het__free(registry->host.mem, registry->report);
    registry->report = NULL;
}

/* Kinds of device that can be named without knowing a backend. */
static bool kind_matches(uint32_t kind, const char *text, size_t bytes)
{
    if (is_name("cpu", text, bytes))
        return kind == HET_DEVICE_CPU;
    if (is_name("gpu", text, bytes) || is_name("igpu", text, bytes))
        return kind == HET_DEVICE_IGPU || kind == HET_DEVICE_GPU;
    if (is_name("npu", text, bytes))
        return kind == HET_DEVICE_NPU;
    return false;
}

static uint32_t matching(const het__registry *registry, const char *text, size_t bytes)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < registry->count; i++)
        if (is_name(registry->device[i].backend->name, text, bytes) ||
            kind_matches(registry->device[i].info.kind, text, bytes))
            mask |= UINT32_C(1) << i;
    return mask;
}

het_status het__registry_select(const het__registry *registry, const char *list, uint32_t *mask,
                                het_error *err)
{
    name_list names = { .count = 0 };
    const uint32_t all = (uint32_t)((UINT64_C(1) << registry->count) - 1);
    uint32_t chosen = 0, removed = 0;
    if (list && !split_list(list, &names))
        return het__fail(err, HET_E_INVALID, "the list of devices has more than %d names",
                         NAMES_MAX);
    for (uint32_t i = 0; i < names.count; i++) {
        const uint32_t m = matching(registry, names.name[i].text, names.name[i].bytes);
        if (!m)
            return het__fail(err, HET_E_INVALID, "this context has no device \"%.*s\"",
                             (int)(names.name[i].bytes < 40 ? names.name[i].bytes : 40),
                             names.name[i].text);
        if (names.name[i].removed)
            removed |= m;
        else
            chosen |= m;
    }
    *mask = (chosen ? chosen : all) & ~removed;
    return *mask ? HET_OK : het__fail(err, HET_E_INVALID, "the list of devices leaves none");
}

het_status het__registry_measure(const het__registry *registry, uint32_t index, uint32_t threads,
                                 het_device_figures *figures, het_error *err)
{
    const het__registered *d = &registry->device[index];
    if (!d->backend->measure)
        return het__fail(err, HET_E_UNSUPPORTED, "backend %s cannot be measured",
                         d->backend->name);
    const het__open_options options = { .threads = threads ? threads : het__cpus_default() };
    het__device *device = NULL;
    het_status s = d->backend->open(&registry->host, d->backend_index, &options, &device, err);
    if (s != HET_OK)
        return s;
    memset(figures, 0, sizeof *figures);
    s = d->backend->measure(device, figures, err);
    figures->struct_size = sizeof *figures;
    d->backend->close(device);
    return s;
}

bool het__registered_state(const het__registered *device, const char *root,
                           const struct het__hardware *hardware, het_device_state *state)
{
    het_device_state told = { .known = 0 };
    memset(state, 0, sizeof *state);
    if (hardware)
        het__hardware_state(root, hardware, state);
    if (root[0] == '\0' && device->backend->state)
        device->backend->state(device->backend_index, &told);
    if (!hardware && !told.known)
        return false;
    state->struct_size = sizeof *state;
    state->kind = device->info.kind;
    state->time_ns = state->time_ns ? state->time_ns : het__now_ns();
    het__hardware_tell(state, &told);
    return true;
}

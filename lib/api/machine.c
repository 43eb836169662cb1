/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of machine.h. */
#include <stdlib.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/options.h"
#include "lib/base/text.h"
#include "lib/exec/executor.h"
#include "lib/machine/figures.h"
#include "lib/machine/machine_file.h"
#include "lib/machine/probe.h"
#include "lib/machine/profile.h"

_Static_assert((int)HET_UNITS_TILES == (int)HET__UNIT_TILES, "unit classes are the same");

/* ---- making ---- */

static het_status begin(const het_context *context, het_machine **machine, het_error *err)
{
    het__mem *mem = (het__mem *)(uintptr_t)&context->mem;
    het_machine *m = het__alloc_zero(mem, 1, sizeof *m);
    if (!m)
        return het__fail_nomem(err, "a machine");
    m->context = (het_context *)(uintptr_t)context;
    het__context_retain(m->context);
    het__arena_init(&m->arena, mem);
    *machine = m;
    return HET_OK;
}

/* Give the machine its text; or take it away if it failed on the way here. */
static het_status finish(het_status s, het_machine **machine, het_error *err)
{
    het_machine *m = *machine;
    if (s == HET_OK) {
        het__text text;
        het__text_init(&text, m->arena.mem);
        het__machine_put(&text, &m->machine);
        m->text = text.failed ? NULL : het__arena_strdup(&m->arena, text.data);
        het__text_finish(&text);
        s = m->text ? HET_OK : het__fail_nomem(err, "a machine");
    }
    if (s != HET_OK) {
        het_machine_destroy(m);
        *machine = NULL;
    }
    return s;
}

/* What is measured now is newer. */
static bool is_calibrated(const het_machine_options *o)
{
    return (o->flags & HET_MACHINE_CALIBRATED) && !o->measure;
}

/* Figures that a calibration gave say so, and costs by class of work are there. */
static het_status attach(het_machine *m, const het_machine_options *o, het_error *err)
{
    static const uint32_t speeds[] = { HET_FIGURE_F32, HET_FIGURE_BF16, HET_FIGURE_INT8,
                                       HET_FIGURE_BANDWIDTH, HET_FIGURE_LAUNCH };
    const char *origin = het__arena_printf(&m->arena, "measured by 'hetinfer calibrate', "
                                           "threads: %u", o->threads);
    if (!origin)
        return het__fail_nomem(err, "a machine");
    for (uint32_t i = 0; i < m->machine.device_count; i++) {
        const het_device_info *info = &m->context->registry.device[i].info;
        const het__calibration *c =
            het__calibrations_find(m->context->registry.calibrations, info, o->threads);
        if (!c)
            continue;
        het__exec_attach(&m->machine, i, c);
        for (size_t k = 0; k < sizeof speeds / sizeof *speeds; k++)
            het__device_figure(&m->machine.device[i], speeds[k])->origin = origin;
        m->machine.link_bandwidth.origin = m->machine.link_latency.origin = origin;
    }
    return HET_OK;
}

static het_status read_figures(const het__registry *registry, uint32_t index,
                               const het_machine_options *o, het_device_figures *figures,
                               het_error *err)
{
    if (is_calibrated(o))
        het__exec_figures(registry, index, o->threads, figures);
    else
        het__machine_assume(&registry->device[index].info, o->threads, figures);
    if (!o->measure)
        return HET_OK;
    het_device_figures f;
    const het_status s = het__registry_measure(registry, index, o->threads, &f, err);
    if (s == HET_OK)
        *figures = f;
    return s == HET_E_UNSUPPORTED ? HET_OK : s;
}

static het_status probe(het_machine *m, const het_machine_options *o, het_error *err)
{
    const het__registry *registry = &m->context->registry;
    het__cpus cpus;
    het_status s = HET_OK;
    het__cpus_get(&cpus);
    for (uint32_t i = 0; s == HET_OK && i < registry->count; i++) {
        het_device_figures figures;
        s = read_figures(registry, i, o, &figures, err);
        if (s == HET_OK)
            s = het__machine_probe(&m->machine, "", &cpus, &registry->device[i].info, &figures,
                                   o->threads, &m->arena, err);
    }
    memcpy(m->machine.name, m->machine.device[0].name, sizeof m->machine.name);
    return s == HET_OK && is_calibrated(o) ? attach(m, o, err) : s;
}

het_status het_machine_from_context(const het_context *context, const het_machine_options *options,
                                    het_machine **machine, het_error *err)
{
    het_machine_options o;
    HET_REQUIRE(machine != NULL, err);
    *machine = NULL;
    HET_REQUIRE(context != NULL, err);
    het_status s = het__options_read(&o, sizeof o, options, "het_machine_options", err);
    if (s != HET_OK)
        return s;
    if (o.flags & ~HET_MACHINE_CALIBRATED)
        return het__fail(err, HET_E_VERSION, "het_machine_options.flags has an unknown flag");
    if (o.threads > HET__THREADS_MAX)
        return het__fail(err, HET_E_INVALID, "het_machine_options.threads is %u, not in 1 to %d",
                         o.threads, HET__THREADS_MAX);
    o.threads = o.threads ? o.threads : het__cpus_default();
    s = begin(context, machine, err);
    return s == HET_OK ? finish(probe(*machine, &o, err), machine, err) : s;
}

/* ---- loading ---- */

static het_status load(const het_context *context, const void *text, size_t bytes,
                       const char *what, het_machine **machine, het_error *err)
{
    het_status s = begin(context, machine, err);
    if (s != HET_OK)
        return s;
    s = het__machine_read(text, bytes, what, &(*machine)->arena, &(*machine)->machine, err);
    return finish(s, machine, err);
}

static het_status load_file(const het_context *context, const char *path, het_machine **machine,
                            het_error *err)
{
    het__mem *mem = (het__mem *)(uintptr_t)&context->mem;
    het__file file = { .fd = -1 };
    het_status s = het__file_open(path, &file, err);
    if (s != HET_OK)
        return s;
    if (file.fd < 0)
        return het__fail(err, HET_E_IO, "there is neither a profile nor a file '%.120s'", path);
    if (file.bytes > HET__MACHINE_FILE_BYTES_MAX) {
        het__file_close(&file);
        return het__fail(err, HET_E_FORMAT, "%.120s is too large for a machine file", path);
    }
    char *text = het__alloc(mem, (size_t)file.bytes);
    if (!text)
        s = het__fail_nomem(err, "a machine file");
    else if (!het__file_read(&file, 0, text, (size_t)file.bytes))
        s = het__fail(err, HET_E_IO, "cannot read '%.120s'", path);
    else
        s = load(context, text, (size_t)file.bytes, path, machine, err);
    het__free(mem, text);
    het__file_close(&file);
    return s;
}

het_status het_machine_load(const het_context *context, const char *name, het_machine **machine,
                            het_error *err)
{
    HET_REQUIRE(machine != NULL, err);
    *machine = NULL;
    HET_REQUIRE(context != NULL, err);
    HET_REQUIRE(name != NULL, err);
    const het__profile *profile = het__profile_find(name);
    return profile ? load(context, profile->text, profile->bytes, name, machine, err)
                   : load_file(context, name, machine, err);
}

het_status het_machine_load_memory(const het_context *context, const void *text, size_t bytes,
                                   het_machine **machine, het_error *err)
{
    HET_REQUIRE(machine != NULL, err);
    *machine = NULL;
    HET_REQUIRE(context != NULL, err);
    HET_REQUIRE(text != NULL || bytes == 0, err);
    return load(context, text ? text : "", bytes, "machine", machine, err);
}

uint32_t het_machine_profile_count(void)
{
    return het__profile_count;
}

const char *het_machine_profile_name(uint32_t index)
{
    return index < het__profile_count ? het__profiles[index].name : NULL;
}

/* ---- asking ---- */

het_status het_machine_get_info(const het_machine *machine, het_machine_info *info)
{
    const het__machine *m = &machine->machine;
    const het_machine_info out = {
        .struct_size = sizeof out, .device_count = m->device_count,
        .memory_count = m->group_count, .link_count = m->link_count, .name = m->name,
        .about = m->about ? m->about : "",
    };
    return het__result_write(info, &out, sizeof out);
}

uint32_t het_machine_device_count(const het_machine *machine)
{
    return machine->machine.device_count;
}

het_status het_machine_device_at(const het_machine *machine, uint32_t index,
                                 het_machine_device *device)
{
    const het__machine *m = &machine->machine;
    if (index >= m->device_count)
        return HET_E_INVALID;
    const het__machine_device *d = &m->device[index];
    const het_machine_device out = {
        .struct_size = sizeof out, .kind = d->kind, .unit_class = d->unit_class,
        .context_index = d->context_index, .memory = d->group,
        .figures_source = het__machine_source(d), .name = d->name, .backend = d->backend,
        .memory_name = m->group[d->group].name,
    };
    return het__result_write(device, &out, sizeof out);
}

static het_status write_figure(const het__figure *f, const het__figure_info *info, uint32_t kind,
                               het_figure *figure)
{
    const bool known = het__figure_is_known(f);
    const het_figure out = {
        .struct_size = sizeof out, .source = known ? f->source : HET_SOURCE_UNAVAILABLE,
        .value = known ? f->value : 0, .kind = kind, .is_unverified = known && f->is_unverified,
        .name = info->key, .unit = info->unit_here,
        .origin = known && f->origin ? f->origin : "",
    };
    return het__result_write(figure, &out, sizeof out);
}

het_status het_machine_figure(const het_machine *machine, uint32_t device, het_figure_kind kind,
                              het_figure *figure)
{
    if (device >= machine->machine.device_count || (uint32_t)kind >= HET__FIGURE_COUNT)
        return HET_E_INVALID;
    return write_figure(het__machine_figure(&machine->machine, device, (uint32_t)kind),
                        &het__figure_infos[kind], (uint32_t)kind, figure);
}

het_status het_machine_link(const het_machine *machine, uint32_t from, uint32_t to,
                            het_figure *bandwidth, het_figure *latency)
{
    const het__machine *m = &machine->machine;
    if (from >= m->device_count || to >= m->device_count || from == to)
        return HET_E_INVALID;
    const het__machine_link *link = het__machine_find_link(m, from, to);
    /* As het__machine_transfer_ns() counts. */
    const het__figure *rate = link && link->bandwidth.value > 0 ? &link->bandwidth
                                                                : &m->link_bandwidth;
    const het__figure *start = link ? &link->latency : &m->link_latency;
    const het_status s = write_figure(rate, &het__figure_infos[HET_FIGURE_BANDWIDTH],
                                      HET_FIGURE_BANDWIDTH, bandwidth);
    return s == HET_OK ? write_figure(start, &het__latency_info, HET_FIGURE_LAUNCH, latency) : s;
}

const char *het_machine_text(const het_machine *machine)
{
    return machine->text;
}

het_status het_machine_write(const het_machine *machine, const char *path, het_error *err)
{
    HET_REQUIRE(machine != NULL, err);
    HET_REQUIRE(path != NULL, err);
    return het__file_replace(machine->arena.mem, path, machine->text, strlen(machine->text), err);
}

void het_machine_destroy(het_machine *machine)
{
    if (!machine)
        return;
    het_context *context = machine->context;
    het__mem *mem = machine->arena.mem;
    het__arena_finish(&machine->arena);
    het__free(mem, machine);
    het__context_release(context);
}

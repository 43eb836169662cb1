/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a machine file becomes a machine. What is left out is unknown; what is there must
 * make sense: known keys, units, bounds, names that are unique and are there. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/yaml.h"
#include "lib/machine/figures.h"
#include "lib/machine/machine_file.h"

#define ORIGIN_BYTES_MAX 1000
#define ABOUT_BYTES_MAX 4000

const char *const het__kind_names[] = { "cpu", "igpu", "gpu", "npu", "reference", "simulated",
                                        NULL };
const char *const het__unit_class_names[] = { "cores", "simt", "systolic", "tiles", NULL };
const char *const het__source_names[] = { "measured", "modelled", "datasheet", "assumed", NULL };

typedef struct reader {
    const char *what;
    het__arena *arena;
    het__machine *machine;
    het_error *err;
} reader;

het__unit_class het__unit_class_of(uint32_t kind)
{
    return kind == HET_DEVICE_IGPU || kind == HET_DEVICE_GPU ? HET__UNIT_SIMT
           : kind == HET_DEVICE_NPU ? HET__UNIT_TILES : HET__UNIT_CORES;
}

/* ---- values ---- */

/* A text for a field of the machine, or nothing where node is NULL. */
static het_status read_name(const reader *r, const het__yaml_node *node, char *field, size_t bytes)
{
    const char *text;
    if (!node)
        return HET_OK;
    const het_status s = het__yaml_text(r->what, node, bytes - 1, &text, r->err);
    if (s == HET_OK)
        memcpy(field, text, strlen(text) + 1);
    return s;
}

/* A text that is kept in the arena. */
static het_status read_text(const reader *r, const het__yaml_node *node, size_t bytes_max,
                            const char **field)
{
    const char *text;
    if (!node)
        return HET_OK;
    const het_status s = het__yaml_text(r->what, node, bytes_max, &text, r->err);
    if (s != HET_OK)
        return s;
    *field = het__arena_strdup(r->arena, text);
    return *field ? HET_OK : het__fail_nomem(r->err, r->what);
}

/* Where a figure comes from: a source, or the word that there is none. */
static het_status read_source(const reader *r, const het__yaml_node *node, het__figure *figure)
{
    const het__yaml_node *source = het__yaml_get(node, "source");
    const het__yaml_node *unverified = het__yaml_get(node, "unverified");
    uint32_t index = 0;
    het_status s = HET_OK;
    if (unverified)
        s = het__yaml_flag(r->what, unverified, &figure->is_unverified, r->err);
    if (s == HET_OK && source)
        s = het__yaml_choice(r->what, source, het__source_names, &index, r->err);
    if (s != HET_OK)
        return s;
    if (figure->is_unverified ? source != NULL : source == NULL)
        return het__yaml_fail(r->what, node, r->err,
                              "%s must have a source or 'unverified: true', not %s", node->key,
                              source ? "both" : "neither");
    figure->source = figure->is_unverified ? HET_SOURCE_ASSUMED : index + HET_SOURCE_MEASURED;
    return HET_OK;
}

/* Nothing where node is NULL. */
static het_status read_figure(const reader *r, const het__yaml_node *node,
                              const het__figure_info *info, het__figure *figure)
{
    static const char *const keys[] = { "value", "source", "origin", "unverified", NULL };
    const het__yaml_node *value = NULL;
    if (!node)
        return HET_OK;
    het_status s = het__yaml_keys(r->what, node, keys, r->err);
    if (s == HET_OK)
        s = het__yaml_need(r->what, node, "value", &value, r->err);
    if (s == HET_OK)
        s = het__yaml_quantity(r->what, value, info->unit, info->power, info->low, info->high,
                               &figure->value, r->err);
    if (s == HET_OK && info->is_whole && figure->value != floor(figure->value))
        s = het__yaml_fail(r->what, value, r->err, "%s must be a whole number%s%s", node->key,
                           info->unit[0] ? " of " : "", info->unit[0] ? info->unit : "");
    if (s == HET_OK)
        s = read_source(r, node, figure);
    if (s == HET_OK)
        s = read_text(r, het__yaml_get(node, "origin"), ORIGIN_BYTES_MAX, &figure->origin);
    return s;
}

/* ---- memories ---- */

/* Index of a name among count fields of bytes each, or count. */
static uint32_t find_name(const char *name, const char *fields, size_t bytes, uint32_t count)
{
    uint32_t i = 0;
    while (i < count && strcmp(fields + i * bytes, name) != 0)
        i++;
    return i;
}

static het_status read_memory(const reader *r, const het__yaml_node *node)
{
    static const char *const keys[] = { "name", "bandwidth", "size", NULL };
    het__machine *m = r->machine;
    het__machine_group *group = &m->group[m->group_count];
    const het__yaml_node *name = NULL;
    het_status s = het__yaml_keys(r->what, node, keys, r->err);
    if (s == HET_OK)
        s = het__yaml_need(r->what, node, "name", &name, r->err);
    if (s == HET_OK)
        s = read_name(r, name, group->name, sizeof group->name);
    if (s == HET_OK && find_name(group->name, m->group[0].name, sizeof *group, m->group_count) <
                           m->group_count)
        return het__yaml_fail(r->what, name, r->err, "there are two memories '%s'", group->name);
    if (s == HET_OK)
        s = read_figure(r, het__yaml_get(node, "bandwidth"),
                        &het__figure_infos[HET_FIGURE_SHARED_BANDWIDTH], &group->bandwidth);
    if (s == HET_OK)
        s = read_figure(r, het__yaml_get(node, "size"),
                        &het__figure_infos[HET_FIGURE_SHARED_BYTES], &group->memory_bytes);
    m->group_count += s == HET_OK;
    return s;
}

/* ---- devices ---- */

static het_status read_device_memory(const reader *r, const het__yaml_node *node,
                                     het__machine_device *d)
{
    const het__machine *m = r->machine;
    const het__yaml_node *memory = het__yaml_get(node, "memory");
    const char *name = NULL;
    if (!memory && m->group_count == 1)
        return HET_OK;
    if (!memory)
        return het__yaml_fail(r->what, node, r->err,
                              "there are several memories: the key 'memory' is missing");
    const het_status s = het__yaml_text(r->what, memory, sizeof m->group[0].name - 1, &name,
                                        r->err);
    if (s != HET_OK)
        return s;
    d->group = find_name(name, m->group[0].name, sizeof m->group[0], m->group_count);
    return d->group < m->group_count
               ? HET_OK
               : het__yaml_fail(r->what, memory, r->err, "there is no memory '%s'", name);
}

/* What a device is; its figures apart. */
static het_status read_device_head(const reader *r, const het__yaml_node *node,
                                   het__machine_device *d)
{
    const het__machine *m = r->machine;
    const het__yaml_node *name = NULL, *kind = NULL;
    const het__yaml_node *units = het__yaml_get(node, "units-are");
    uint32_t index = 0;
    het_status s = het__yaml_need(r->what, node, "name", &name, r->err);
    if (s == HET_OK)
        s = read_name(r, name, d->name, sizeof d->name);
    if (s == HET_OK && find_name(d->name, m->device[0].name, sizeof *d, m->device_count) <
                           m->device_count)
        return het__yaml_fail(r->what, name, r->err, "there are two devices '%s'", d->name);
    if (s == HET_OK)
        s = het__yaml_need(r->what, node, "kind", &kind, r->err);
    if (s == HET_OK)
        s = het__yaml_choice(r->what, kind, het__kind_names, &index, r->err);
    d->kind = index + HET_DEVICE_CPU;
    d->unit_class = het__unit_class_of(d->kind);
    d->context_index = UINT32_MAX;
    if (s == HET_OK)
        s = read_name(r, het__yaml_get(node, "backend"), d->backend, sizeof d->backend);
    if (s == HET_OK && units)
        s = het__yaml_choice(r->what, units, het__unit_class_names, &d->unit_class, r->err);
    return s == HET_OK ? read_device_memory(r, node, d) : s;
}

static het_status read_device(const reader *r, const het__yaml_node *node)
{
    static const char *const head[] = { "name", "kind", "backend", "units-are", "memory" };
    enum { HEAD_COUNT = sizeof head / sizeof *head };
    const char *keys[HEAD_COUNT + HET__FIGURE_OWN_COUNT + 1] = { NULL };
    het__machine_device *d = &r->machine->device[r->machine->device_count];
    for (uint32_t i = 0; i < HEAD_COUNT; i++)
        keys[i] = head[i];
    for (uint32_t i = 0; i < HET__FIGURE_OWN_COUNT; i++)
        keys[HEAD_COUNT + i] = het__figure_infos[i].key;
    het_status s = het__yaml_keys(r->what, node, keys, r->err);
    if (s == HET_OK)
        s = read_device_head(r, node, d);
    for (uint32_t i = 0; s == HET_OK && i < HET__FIGURE_OWN_COUNT; i++)
        s = read_figure(r, het__yaml_get(node, het__figure_infos[i].key), &het__figure_infos[i],
                        het__device_figure(d, i));
    r->machine->device_count += s == HET_OK;
    return s;
}

/* ---- links ---- */

static het_status read_way(const reader *r, const het__yaml_node *node, het__figure *bandwidth,
                           het__figure *latency)
{
    const het_status s = read_figure(r, het__yaml_get(node, "bandwidth"),
                                     &het__figure_infos[HET_FIGURE_BANDWIDTH], bandwidth);
    return s == HET_OK ? read_figure(r, het__yaml_get(node, "latency"), &het__latency_info, latency)
                       : s;
}

static het_status read_end(const reader *r, const het__yaml_node *node, const char *key,
                           uint32_t *device)
{
    const het__machine *m = r->machine;
    const het__yaml_node *value;
    const char *name = NULL;
    het_status s = het__yaml_need(r->what, node, key, &value, r->err);
    if (s == HET_OK)
        s = het__yaml_text(r->what, value, sizeof m->device[0].name - 1, &name, r->err);
    if (s != HET_OK)
        return s;
    *device = find_name(name, m->device[0].name, sizeof m->device[0], m->device_count);
    return *device < m->device_count
               ? HET_OK
               : het__yaml_fail(r->what, value, r->err, "there is no device '%s'", name);
}

static het_status read_link(const reader *r, const het__yaml_node *node)
{
    static const char *const keys[] = { "from", "to", "bandwidth", "latency", NULL };
    het__machine *m = r->machine;
    het__machine_link *link = &m->link[m->link_count];
    het_status s = het__yaml_keys(r->what, node, keys, r->err);
    if (s == HET_OK)
        s = read_end(r, node, "from", &link->from);
    if (s == HET_OK)
        s = read_end(r, node, "to", &link->to);
    if (s == HET_OK && link->from == link->to)
        return het__yaml_fail(r->what, node, r->err, "a link needs two devices");
    if (s == HET_OK && het__machine_find_link(m, link->from, link->to))
        return het__yaml_fail(r->what, node, r->err, "there are two links from '%s' to '%s'",
                              m->device[link->from].name, m->device[link->to].name);
    if (s == HET_OK)
        s = read_way(r, node, &link->bandwidth, &link->latency);
    m->link_count += s == HET_OK;
    return s;
}

/* ---- the whole ---- */

/* Each entry of a list that may be missing; the entry goes where the count stands. */
static het_status read_list(const reader *r, const het__yaml_node *root, const char *key,
                            uint32_t count_max,
                            het_status (*read)(const reader *, const het__yaml_node *))
{
    const het__yaml_node *list = het__yaml_get(root, key);
    het_status s = HET_OK;
    if (!list)
        return HET_OK;
    if (list->kind != HET__YAML_SEQUENCE)
        return het__yaml_fail(r->what, list, r->err, "%s must be a list", key);
    if (list->count > count_max)
        return het__yaml_fail(r->what, list, r->err, "there are %u %s, more than %u", list->count,
                              key, count_max);
    for (uint32_t i = 0; s == HET_OK && i < list->count; i++)
        s = read(r, &list->children[i]);
    return s;
}

static het_status check_form(const reader *r, const het__yaml_node *root)
{
    const het__yaml_node *form = NULL;
    double number = 0;
    het_status s = het__yaml_need(r->what, root, "hetinfer-machine", &form, r->err);
    if (s == HET_OK)
        s = het__yaml_number(r->what, form, 1, 1e6, &number, r->err);
    if (s == HET_OK && number != HET__MACHINE_FORM) {
        (void)het__yaml_fail(r->what, form, r->err,
                             "a machine file of form %g; this release knows form %d", number,
                             HET__MACHINE_FORM);
        if (r->err)
            r->err->status = HET_E_VERSION;
        s = HET_E_VERSION;
    }
    return s;
}

static het_status read_root(const reader *r, const het__yaml_node *root)
{
    static const char *const keys[] = { "hetinfer-machine", "name", "about", "link", "memories",
                                        "devices", "links", NULL };
    static const char *const way_keys[] = { "bandwidth", "latency", NULL };
    het__machine *m = r->machine;
    const het__yaml_node *name = NULL, *link = het__yaml_get(root, "link");
    het_status s = check_form(r, root);
    if (s == HET_OK)
        s = het__yaml_keys(r->what, root, keys, r->err);
    if (s == HET_OK)
        s = het__yaml_need(r->what, root, "name", &name, r->err);
    if (s == HET_OK)
        s = read_name(r, name, m->name, sizeof m->name);
    if (s == HET_OK)
        s = read_text(r, het__yaml_get(root, "about"), ABOUT_BYTES_MAX, &m->about);
    if (s == HET_OK && link)
        s = het__yaml_keys(r->what, link, way_keys, r->err);
    if (s == HET_OK && link)
        s = read_way(r, link, &m->link_bandwidth, &m->link_latency);
    if (s == HET_OK)
        s = read_list(r, root, "memories", HET__MACHINE_GROUPS_MAX, read_memory);
    if (s == HET_OK && m->group_count == 0)
        s = het__yaml_fail(r->what, root, r->err, "there is no memory under 'memories'");
    if (s == HET_OK)
        s = read_list(r, root, "devices", HET__MACHINE_DEVICES_MAX, read_device);
    if (s == HET_OK && m->device_count == 0)
        s = het__yaml_fail(r->what, root, r->err, "there is no device under 'devices'");
    return s == HET_OK ? read_list(r, root, "links", HET__MACHINE_LINKS_MAX, read_link) : s;
}

het_status het__machine_read(const char *text, size_t bytes, const char *what, het__arena *arena,
                             het__machine *machine, het_error *err)
{
    const reader r = { what, arena, machine, err };
    const het__yaml_node *root;
    het__arena tree;
    memset(machine, 0, sizeof *machine);
    if (bytes > HET__MACHINE_FILE_BYTES_MAX)
        return het__fail(err, HET_E_FORMAT, "%.100s: a machine file has %zu bytes, more than %u",
                         what, bytes, HET__MACHINE_FILE_BYTES_MAX);
    het__arena_init(&tree, arena->mem);
    het_status s = het__yaml_parse(text, bytes, what, &tree, &root, err);
    if (s == HET_OK)
        s = read_root(&r, root);
    het__arena_finish(&tree);
    return s;
}

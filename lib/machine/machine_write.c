/* SPDX-License-Identifier: Apache-2.0 */
/* A machine becomes the text of a machine file, in one form only: keys in one order, a figure to a
 * line, texts in quotes, nothing where nothing is known. */
#include <assert.h>

#include "lib/base/yaml.h"
#include "lib/machine/figures.h"
#include "lib/machine/machine_file.h"

static void put_name(het__text *out, const char *key, const char *text)
{
    het__text_printf(out, "%s: ", key);
    het__yaml_put_text(out, text);
    het__text_append(out, "\n", 1);
}

static void put_figure(het__text *out, int indent, const het__figure_info *info,
                       const het__figure *figure)
{
    if (!het__figure_is_known(figure))
        return;
    het__text_printf(out, "%*s%s: {value: ", indent, "", info->key);
    het__yaml_put_quantity(out, figure->value, info->unit, info->power);
    if (figure->is_unverified)
        het__text_printf(out, ", unverified: true");
    else
        het__text_printf(out, ", source: %s", het__source_names[figure->source - 1]);
    if (figure->origin && figure->origin[0]) {
        het__text_printf(out, ", origin: ");
        het__yaml_put_text(out, figure->origin);
    }
    het__text_append(out, "}\n", 2);
}

static void put_way(het__text *out, int indent, const het__figure *bandwidth,
                    const het__figure *latency)
{
    put_figure(out, indent, &het__figure_infos[HET_FIGURE_BANDWIDTH], bandwidth);
    put_figure(out, indent, &het__latency_info, latency);
}

static void put_device(het__text *out, const het__machine *m, uint32_t index)
{
    const het__machine_device *d = &m->device[index];
    assert(d->group < m->group_count && d->unit_class < HET__UNIT_CLASS_COUNT);
    put_name(out, "  - name", d->name);
    het__text_printf(out, "    kind: %s\n", het__kind_names[d->kind - HET_DEVICE_CPU]);
    if (d->backend[0])
        put_name(out, "    backend", d->backend);
    if (d->unit_class != het__unit_class_of(d->kind))
        het__text_printf(out, "    units-are: %s\n", het__unit_class_names[d->unit_class]);
    if (m->group_count > 1)
        put_name(out, "    memory", m->group[d->group].name);
    for (uint32_t i = 0; i < HET__FIGURE_OWN_COUNT; i++)
        put_figure(out, 4, &het__figure_infos[i], het__machine_figure(m, index, i));
}

void het__machine_put(het__text *out, const het__machine *m)
{
    het__text_printf(out, "hetinfer-machine: %d\n", HET__MACHINE_FORM);
    put_name(out, "name", m->name);
    if (m->about && m->about[0])
        put_name(out, "about", m->about);
    if (het__figure_is_known(&m->link_bandwidth) || het__figure_is_known(&m->link_latency))
        het__text_printf(out, "link:\n");
    put_way(out, 2, &m->link_bandwidth, &m->link_latency);
    het__text_printf(out, "memories:\n");
    for (uint32_t i = 0; i < m->group_count; i++) {
        put_name(out, "  - name", m->group[i].name);
        put_figure(out, 4, &het__figure_infos[HET_FIGURE_SHARED_BANDWIDTH],
                   &m->group[i].bandwidth);
        put_figure(out, 4, &het__figure_infos[HET_FIGURE_SHARED_BYTES],
                   &m->group[i].memory_bytes);
    }
    het__text_printf(out, "devices:\n");
    for (uint32_t i = 0; i < m->device_count; i++)
        put_device(out, m, i);
    if (m->link_count)
        het__text_printf(out, "links:\n");
    for (uint32_t i = 0; i < m->link_count; i++) {
        put_name(out, "  - from", m->device[m->link[i].from].name);
        put_name(out, "    to", m->device[m->link[i].to].name);
        put_way(out, 4, &m->link[i].bandwidth, &m->link[i].latency);
    }
}

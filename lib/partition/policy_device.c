/* SPDX-License-Identifier: Apache-2.0 */
/* How a policy names devices: by kind, by backend, or one of several by its number. A backend's
 * name means devices of that backend; on a machine that is only described, where no backend runs
 * anything, it means the kind of device that the backend is for. */
#include <string.h>

#include "lib/partition/policy_parts.h"

#define KIND(k) (UINT32_C(1) << HET_DEVICE_##k)

static const struct {
    const char *name;
    uint32_t kinds, otherwise;
    bool is_backend;
} names[] = {
    { "cpu", KIND(CPU), KIND(REFERENCE), false },
    { "igpu", KIND(IGPU), 0, false },
    { "gpu", KIND(GPU) | KIND(IGPU), 0, false },
    { "dgpu", KIND(GPU), 0, false },
    { "npu", KIND(NPU), 0, false },
    { "simulated", KIND(SIMULATED), 0, false },
    { "cpu_onednn", KIND(CPU), 0, true },
    { "opencl_igpu", KIND(IGPU), 0, true },
    { "intel_l0", KIND(IGPU) | KIND(GPU), 0, true },
    { "amd_xrt_npu", KIND(NPU), 0, true },
    { "ref", KIND(REFERENCE), 0, true },
    { "null", KIND(SIMULATED), 0, true },
};
#define NAME_COUNT (sizeof names / sizeof names[0])

const char *het__device_name_list(void)
{
    return "cpu, igpu, gpu, dgpu, npu, simulated, cpu_onednn, opencl_igpu, intel_l0, amd_xrt_npu, "
           "ref, null";
}

bool het__device_name_read(const char *name, het__device_name *parts)
{
    const char *colon = strchr(name, ':');
    const size_t length = colon ? (size_t)(colon - name) : strlen(name);
    int32_t index = -1;
    if (colon) {
        const char *digit = colon + 1;
        if (*digit < '0' || *digit > '9' || digit[1])
            return false;
        index = *digit - '0';
    }
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (strlen(names[i].name) == length && memcmp(names[i].name, name, length) == 0) {
            *parts = (het__device_name){ names[i].kinds, names[i].otherwise,
                                         names[i].is_backend ? names[i].name : NULL, index };
            return true;
        }
    return false;
}

bool het__device_name_covers(const char *a, const char *b)
{
    het__device_name x, y;
    if (strcmp(a, b) == 0)
        return true;
    if (!het__device_name_read(a, &x) || !het__device_name_read(b, &y) || x.index >= 0)
        return false;
    if (x.backend)
        return y.backend == x.backend;
    return (y.kinds & ~x.kinds) == 0 && (y.otherwise & ~(x.kinds | x.otherwise)) == 0;
}

bool het__device_names_meet(const char *a, const char *b)
{
    het__device_name x, y;
    if (!het__device_name_read(a, &x) || !het__device_name_read(b, &y))
        return false;
    if (x.backend && y.backend && x.backend != y.backend)
        return false;
    return ((x.kinds | x.otherwise) & (y.kinds | y.otherwise)) != 0;
}

/* Devices that a name may mean, by why: bits of positions. */
typedef struct meant {
    uint32_t own, by_kind, otherwise;
} meant;

static void ask(const het__device_name *n, const char *backend, uint32_t kind, bool is_described,
                uint32_t bit, meant *m)
{
    const uint32_t kinds = kind < 32 ? UINT32_C(1) << kind : 0;
    if (n->backend && strcmp(backend, n->backend) == 0)
        m->own |= bit;
    if (kinds & n->kinds && (!n->backend || is_described))
        m->by_kind |= bit;
    if (kinds & n->otherwise)
        m->otherwise |= bit;
}

/* Of these devices the one that has this number among them and those that the machine lacks, in
 * the context's order: a bit of `present`, or of `absent` with *is_absent. */
static uint32_t numbered(const het__machine *machine, uint32_t present, uint32_t absent,
                         int32_t number, bool *is_absent)
{
    for (uint32_t a = 0, i = 0;;) {
        while (i < machine->device_count && !(present >> i & 1))
            i++;
        while (a < machine->absent_count && !(absent >> a & 1))
            a++;
        const bool has_absent = a < machine->absent_count;
        if (!has_absent && i == machine->device_count)
            return 0;
        *is_absent = has_absent && (i == machine->device_count ||
                                    machine->absent[a].context_index <
                                        machine->device[i].context_index);
        if (number-- == 0)
            return UINT32_C(1) << (*is_absent ? a : i);
        if (*is_absent)
            a++;
        else
            i++;
    }
}

/* What stands for these absent devices, as bits of positions. */
static uint32_t stand_ins(const het__machine *machine, uint32_t absent)
{
    uint32_t of_context = 0, bits = 0;
    for (uint32_t a = 0; a < machine->absent_count; a++)
        if (absent >> a & 1)
            of_context |= machine->absent[a].stand_ins;
    for (uint32_t i = 0; i < machine->device_count; i++) {
        const uint32_t index = machine->device[i].context_index;
        if (index < 32 && of_context >> index & 1)
            bits |= UINT32_C(1) << i;
    }
    return bits;
}

/* absent: bits of machine->absent that the name means, where it means none of those present. */
static uint32_t meaning(const het__machine *machine, const char *name, uint32_t *absent)
{
    het__device_name n;
    meant here = { 0, 0, 0 }, away = { 0, 0, 0 };
    *absent = 0;
    if (!het__device_name_read(name, &n))
        return 0;
    for (uint32_t i = 0; i < machine->device_count; i++) {
        const het__machine_device *d = &machine->device[i];
        ask(&n, d->backend, d->kind, d->context_index == UINT32_MAX, UINT32_C(1) << i, &here);
    }
    for (uint32_t i = 0; i < machine->absent_count; i++) {
        const het__machine_absent *a = &machine->absent[i];
        ask(&n, a->backend, a->kind, false, UINT32_C(1) << i, &away);
    }
    const bool own = here.own | away.own, by_kind = here.by_kind | away.by_kind;
    uint32_t lacks = own ? away.own : by_kind ? away.by_kind : away.otherwise;
    if (n.index < 0) {
        *absent = lacks;
        return here.own ? here.own : here.by_kind ? here.by_kind : here.otherwise;
    }
    bool is_absent = false;
    const uint32_t there = own ? here.own : by_kind ? here.by_kind : here.otherwise;
    const uint32_t bit = numbered(machine, there, lacks, n.index, &is_absent);
    *absent = is_absent ? bit : 0;
    return is_absent ? 0 : bit;
}

uint32_t het__policy_select(const het__machine *machine, const char *name)
{
    uint32_t absent;
    return meaning(machine, name, &absent);
}

uint32_t het__policy_workers(const het__machine *machine, const char *name)
{
    uint32_t absent;
    const uint32_t present = meaning(machine, name, &absent);
    return present ? present : stand_ins(machine, absent);
}

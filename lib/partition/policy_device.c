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

uint32_t het__policy_select(const het__machine *machine, const char *name)
{
    het__device_name n;
    uint32_t own = 0, by_kind = 0, otherwise = 0;
    if (!het__device_name_read(name, &n))
        return 0;
    for (uint32_t i = 0; i < machine->device_count; i++) {
        const het__machine_device *d = &machine->device[i];
        const uint32_t bit = UINT32_C(1) << i, kind = d->kind < 32 ? UINT32_C(1) << d->kind : 0;
        const bool is_described = d->context_index == UINT32_MAX;
        if (n.backend && strcmp(d->backend, n.backend) == 0)
            own |= bit;
        if (kind & n.kinds && (!n.backend || is_described))
            by_kind |= bit;
        if (kind & n.otherwise)
            otherwise |= bit;
    }
    uint32_t all = own ? own : by_kind ? by_kind : otherwise;
    for (int32_t skipped = 0; n.index >= 0 && all && skipped < n.index; skipped++)
        all &= all - 1;
    return n.index >= 0 ? all & -all : all;
}

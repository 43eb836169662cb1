/* SPDX-License-Identifier: Apache-2.0 */
/* The hardware that devices are is found once: neither moves while a session lives. */
#include "lib/exec/heat.h"

#include <string.h>

#include "lib/base/os.h"
#include "lib/exec/registry.h"

#define INTERVAL_MS 1000
/* Below the limit that the hardware states, so that work goes elsewhere before it slows down. */
#define MARGIN_CELSIUS 3
/* Below its limit, until a device that was too hot is used again: further than work that pauses
 * for a moment lets it fall. */
#define COOLED_CELSIUS 10

void het__heat_init(het__heat *heat, const struct het__registry *registry,
                    const het__policy_fallback *what, uint32_t interval_ms)
{
    het__hardware list[HET__HARDWARE_MAX];
    memset(heat, 0, sizeof *heat);
    if (!what)
        return;
    heat->registry = registry;
    heat->root = registry->system_root ? registry->system_root : "";
    heat->limit = what->limit;
    heat->back = what->back;
    heat->interval_ns = (uint64_t)(interval_ms ? interval_ms : INTERVAL_MS) * 1000000;
    const uint32_t count = het__hardware_find(heat->root, list, HET__HARDWARE_MAX);
    for (uint32_t i = 0; i < registry->count; i++) {
        const het__registered *d = &registry->device[i];
        const uint32_t index = het__hardware_of(list, count, d->info.kind, d->physical);
        if (index < count) {
            heat->hardware[i] = list[index];
            heat->known |= UINT32_C(1) << i;
        }
    }
}

bool het__heat_is_due(het__heat *heat)
{
    const uint64_t now = heat->interval_ns ? het__now_ns() : 0;
    if (!heat->interval_ns || now < heat->next_ns)
        return false;
    heat->next_ns = now + heat->interval_ns;
    return true;
}

/* False where temperature or limit is not known. */
static bool look(const het__heat *heat, uint32_t device, double *celsius, double *limit)
{
    het_device_state state;
    if (!heat->registry || device >= heat->registry->count ||
        !het__registered_state(&heat->registry->device[device], heat->root,
                               heat->known >> device & 1 ? &heat->hardware[device] : NULL,
                               &state))
        return false;
    if (!(state.known & HET_STATE_CELSIUS))
        return false;
    const bool states_one = (state.known & HET_STATE_CELSIUS_MAX) != 0;
    *celsius = state.celsius;
    *limit = heat->limit > 0 ? heat->limit : states_one ? state.celsius_max - MARGIN_CELSIUS : 0;
    return *limit > 0;
}

bool het__heat_is_high(const het__heat *heat, uint32_t device, double *celsius, double *limit)
{
    return look(heat, device, celsius, limit) && *celsius >= *limit;
}

bool het__heat_is_low(const het__heat *heat, uint32_t device, double *celsius)
{
    double limit;
    if (!look(heat, device, celsius, &limit))
        return false;
    const bool is_said = heat->back > 0 && heat->back < limit;
    return *celsius <= (is_said ? heat->back : limit - COOLED_CELSIUS);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of hardware.h. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/options.h"

/* Room for the paths below. */
#define ROOT_MAX 256

/* Immutable after het_hardware_find(). */
struct het_hardware {
    het_context *context; /* a reference */
    uint32_t count;
    char root[ROOT_MAX];
    het__hardware list[HET__HARDWARE_MAX];
};

/* The device of the context that each piece is, the first of several. */
static void find_devices(const het__registry *registry, het__hardware *list, uint32_t count)
{
    for (uint32_t i = 0; i < registry->count; i++) {
        const het__registered *d = &registry->device[i];
        const uint32_t index = het__hardware_of(list, count, d->info.kind, d->physical);
        if (index < count && list[index].info.device_index == UINT32_MAX)
            list[index].info.device_index = i;
    }
}

het_status het_hardware_find(const het_context *context, const het_hardware_options *options,
                             het_hardware **hardware, het_error *err)
{
    het_hardware_options o;
    HET_REQUIRE(context != NULL && hardware != NULL, err);
    *hardware = NULL;
    const het_status s = het__options_read(&o, sizeof o, options, "het_hardware_options", err);
    if (s != HET_OK)
        return s;
    if (o.flags)
        return het__fail(err, HET_E_VERSION, "het_hardware_options.flags has an unknown flag");
    if (o.root && (strlen(o.root) >= ROOT_MAX || o.root[0] == '\0'))
        return het__fail(err, HET_E_INVALID, "het_hardware_options.root is empty or too long");
    if (o.root && !het__is_folder(o.root))
        return het__fail(err, HET_E_IO, "%s is no folder", o.root);
    het_context *c = (het_context *)(uintptr_t)context; /* its count of references is atomic */
    het_hardware *h = het__alloc_zero(&c->mem, 1, sizeof *h);
    if (!h)
        return het__fail_nomem(err, "the hardware");
    if (o.root)
        memcpy(h->root, o.root, strlen(o.root));
    h->count = het__hardware_find(h->root, h->list, HET__HARDWARE_MAX);
    if (!o.root)
        find_devices(&context->registry, h->list, h->count);
    het__context_retain(c);
    h->context = c;
    *hardware = h;
    return HET_OK;
}

uint32_t het_hardware_count(const het_hardware *hardware)
{
    return hardware->count;
}

het_status het_hardware_at(const het_hardware *hardware, uint32_t index, het_hardware_info *info)
{
    if (index >= hardware->count)
        return HET_E_INVALID;
    return het__result_write(info, &hardware->list[index].info, sizeof *info);
}

het_status het_hardware_state(const het_hardware *hardware, uint32_t index,
                              het_device_state *state)
{
    het_device_state s;
    if (index >= hardware->count)
        return HET_E_INVALID;
    const het__hardware *h = &hardware->list[index];
    const het__registry *registry = &hardware->context->registry;
    if (h->info.device_index < registry->count)
        het__registered_state(&registry->device[h->info.device_index], hardware->root, h, &s);
    else
        het__hardware_state(hardware->root, h, &s);
    return het__result_write(state, &s, sizeof s);
}

void het_hardware_destroy(het_hardware *hardware)
{
    if (!hardware)
        return;
    het_context *context = hardware->context;
    het__free(&context->mem, hardware);
    het__context_release(context);
}

/* ---- devices of a context ---- */

/* Found once, by whichever thread asks first. */
static const het__hardware *hardware_of(het__hardware_cache *cache, const het__registered *device)
{
    het__mutex_lock(&cache->lock);
    if (cache->count == 0)
        cache->count = het__hardware_find(cache->root, cache->list, HET__HARDWARE_MAX);
    het__mutex_unlock(&cache->lock);
    const uint32_t index =
        het__hardware_of(cache->list, cache->count, device->info.kind, device->physical);
    return index < cache->count ? &cache->list[index] : NULL;
}

het_status het_device_get_state(const het_device *device, het_device_state *state)
{
    het_device_state s;
    if (state->struct_size < sizeof(uint32_t))
        return HET_E_INVALID;
    het_context *context = (het_context *)(uintptr_t)device->context; /* the cache has a lock */
    const het__registered *d = &context->registry.device[device->index];
    const het__hardware *h = hardware_of(&context->hardware, d);
    if (!het__registered_state(d, context->hardware.root, h, &s))
        return HET_E_UNSUPPORTED;
    return het__result_write(state, &s, sizeof s);
}

het_status het_device_state_between(const het_device_state *earlier, const het_device_state *later,
                                    het_device_state *between)
{
    het_device_state a, b, s;
    if (het__options_read(&a, sizeof a, earlier, "het_device_state", NULL) != HET_OK ||
        het__options_read(&b, sizeof b, later, "het_device_state", NULL) != HET_OK ||
        !het__hardware_between(&a, &b, &s))
        return HET_E_INVALID;
    s.struct_size = sizeof s;
    return het__result_write(between, &s, sizeof s);
}

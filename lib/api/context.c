/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of context.h and device.h. */
#include <stdio.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/options.h"

void het__context_retain(het_context *context)
{
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
}

void het__context_release(het_context *context)
{
    if (!context || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1)
        return;
    het__custom_list_finish(&context->customs);
    het__calibrations_finish(&context->calibrations);
    het__registry_finish(&context->registry);
    het__free(&context->mem, context->kernel_cache);
    het__free(&context->mem, context->system_root);
    het__mutex_finish(&context->hardware.lock);
    het__log_finish(&context->log);
    het__mem mem = { .allocator = context->mem.allocator };
    mem.bytes = 0;
    het__free(&mem, context);
}

/* HETINFER_LOG=debug writes to stderr where the application asked for nothing itself. */
static void log_to_stderr(void *user, het_log_level level, const char *component,
                          const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "hetinfer: %s: %s\n", component, message);
}

static het_log_level level_of(const char *name)
{
    static const char *const names[] = { "error", "warn", "info", "debug", "trace" };
    for (int i = 0; i < 5; i++)
        if (strcmp(name, names[i]) == 0)
            return (het_log_level)(i + 1);
    return (het_log_level)0;
}

static void init_log(het__log *log, const het_context_options *o, bool use_env)
{
    het_log_level level = o->log_level ? (het_log_level)o->log_level : HET_LOG_WARN;
    het_log_fn fn = o->log;
    const char *name = use_env && !fn ? het__env("HETINFER_LOG") : NULL;
    if (name && level_of(name)) {
        fn = log_to_stderr;
        level = level_of(name);
    }
    het__log_init(log, fn, o->log_user, level);
}

static het_status check_allocator(const het_allocator *theirs, het_allocator *ours, het_error *err)
{
    const het_status s =
        het__options_read(ours, sizeof *ours, theirs, "het_allocator", err);
    if (s != HET_OK)
        return s;
    return ours->alloc && ours->free && ours->flags == 0
               ? HET_OK
               : het__fail(err, HET_E_INVALID, "het_allocator lacks a function or has a flag set");
}

static void log_devices(het_context *context)
{
    for (uint32_t i = 0; i < context->registry.count; i++) {
        const het_device_info *d = &context->registry.device[i].info;
        context->devices[i] = (het_device){ context, i };
        het__log_line(&context->log, HET_LOG_INFO, "context", "device %u: %s, %s (%s)", i,
                      d->backend, d->name, d->features);
    }
}

static het_status fill_context(het_context *context, const het_context_options *o, het_error *err)
{
    const bool use_env = !(o->flags & HET_CONTEXT_NO_ENV);
    init_log(&context->log, o, use_env);
    const char *list = o->backends;
    if (!list && use_env)
        list = het__env("HETINFER_BACKENDS");
    const char *cache = use_env ? het__env("HETINFER_KERNEL_CACHE") : NULL;
    if (cache && *cache)
        context->kernel_cache = het__strndup(&context->mem, cache, strlen(cache));
    const char *root = use_env ? het__env("HETINFER_SYSTEM_ROOT") : NULL;
    if (root && *root)
        context->system_root = het__strndup(&context->mem, root, strlen(root));
    context->hardware.root = context->system_root ? context->system_root : "";
    const het__host host = { &context->mem, &context->log, use_env, context->kernel_cache };
    const het_status s = het__registry_init(&context->registry, &host, list, err);
    het__calibrations_init(&context->calibrations, use_env, &context->mem, &context->log);
    context->registry.calibrations = &context->calibrations;
    context->registry.system_root = context->system_root;
    if (s == HET_OK)
        log_devices(context);
    return s;
}

het_status het_context_create(const het_context_options *options, het_context **context,
                              het_error *err)
{
    het_context_options o;
    het_allocator allocator = { 0 };
    HET_REQUIRE(context != NULL, err);
    *context = NULL;
    het_status s = het__options_read(&o, sizeof o, options, "het_context_options", err);
    if (s == HET_OK && (o.flags & ~HET_CONTEXT_NO_ENV) != 0)
        s = het__fail(err, HET_E_VERSION, "het_context_options.flags has an unknown flag");
    if (s == HET_OK && o.log_level > HET_LOG_TRACE)
        s = het__fail(err, HET_E_INVALID, "het_context_options.log_level is %u", o.log_level);
    if (s == HET_OK && o.allocator)
        s = check_allocator(o.allocator, &allocator, err);
    if (s != HET_OK)
        return s;
    het__mem mem;
    het__mem_init(&mem, o.allocator ? &allocator : NULL);
    het_context *c = het__alloc_zero(&mem, 1, sizeof *c);
    if (!c)
        return het__fail_nomem(err, "a context");
    atomic_init(&c->refs, 1);
    het__mem_init(&c->mem, o.allocator ? &allocator : NULL);
    het__custom_list_init(&c->customs, &c->mem);
    het__mutex_init(&c->hardware.lock);
    s = fill_context(c, &o, err);
    if (s != HET_OK) {
        het__context_release(c);
        return s;
    }
    *context = c;
    return HET_OK;
}

uint32_t het_context_device_count(const het_context *context)
{
    return context->registry.count;
}

const het_device *het_context_device(const het_context *context, uint32_t index)
{
    return index < context->registry.count ? &context->devices[index] : NULL;
}

const char *het_context_report(const het_context *context)
{
    return context->registry.report;
}

void het_context_destroy(het_context *context)
{
    het__context_release(context);
}

het_status het_device_get_info(const het_device *device, het_device_info *info)
{
    return het__result_write(info, &device->context->registry.device[device->index].info,
                             sizeof *info);
}

het_status het_device_measure(const het_device *device, uint32_t threads,
                              het_device_figures *figures, het_error *err)
{
    het_device_figures f;
    HET_REQUIRE(figures != NULL && figures->struct_size >= sizeof(uint32_t), err);
    const het_status s = het__registry_measure(&device->context->registry, device->index, threads,
                                               &f, err);
    return s == HET_OK ? het__result_write(figures, &f, sizeof f) : s;
}

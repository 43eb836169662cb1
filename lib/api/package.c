/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of package.h. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/compress.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/import/package.h"

/* Options as a request; the paths are filled by the caller. */
static het_status read_options(het_context *context, const het_package_options *options,
                               het__package_request *q, het_error *err)
{
    het_package_options o;
    const het_status s = het__options_read(&o, sizeof o, options, "het_package_options", err);
    if (s != HET_OK)
        return s;
    if (o.reserved)
        return het__fail(err, HET_E_VERSION, "het_package_options has an unknown field");
    if (o.level > HET__COMPRESS_LEVEL_MAX || o.threads > HET__PACKAGE_THREADS_MAX)
        return het__fail(err, HET_E_INVALID, "het_package_options.%s is %u, not in 0 to %d",
                         o.threads > HET__PACKAGE_THREADS_MAX ? "threads" : "level",
                         o.threads > HET__PACKAGE_THREADS_MAX ? o.threads : o.level,
                         o.threads > HET__PACKAGE_THREADS_MAX ? HET__PACKAGE_THREADS_MAX
                                                              : HET__COMPRESS_LEVEL_MAX);
    *q = (het__package_request){
        .mem = &context->mem, .level = o.level ? (int)o.level : HET__COMPRESS_LEVEL,
        .threads = o.threads ? o.threads : 1, .progress = o.progress,
        .progress_user = o.progress_user,
    };
    return HET_OK;
}

static het_status give_info(het_package_info *theirs, const het_package_info *ours, het_error *err)
{
    if (theirs && het__result_write(theirs, ours, sizeof *ours) != HET_OK)
        return het__fail(err, HET_E_INVALID, "het_package_info.struct_size is too small");
    return HET_OK;
}

het_status het_package_write(het_context *context, const char *source, const char *target,
                             const het_package_options *options, het_package_info *info,
                             het_error *err)
{
    het__package_request q;
    het_package_info ours = { .struct_size = sizeof ours };
    HET_REQUIRE(context != NULL && source != NULL && target != NULL, err);
    HET_REQUIRE(!info || info->struct_size >= sizeof info->struct_size, err);
    het_status s = read_options(context, options, &q, err);
    if (s != HET_OK)
        return s;
    q.source = source;
    q.target = target;
    s = het__package_write(&q, &ours, err);
    if (s != HET_OK)
        return s;
    het__log_line(&context->log, HET_LOG_INFO, "package", "%s: %llu bytes as %llu", target,
                  (unsigned long long)ours.content_bytes, (unsigned long long)ours.package_bytes);
    return give_info(info, &ours, err);
}

static het_status check_frames(const het__package *p, const het__package_request *q,
                               het_error *err)
{
    const het__package_job job = {
        .package = p, .end_frame = p->frame_count, .threads = q->threads,
        .progress = q->progress, .progress_user = q->progress_user, .to = 1.0,
        .what = "checking",
    };
    return het__package_unpack(&job, q->mem, err);
}

/* target NULL: everything is checked and nothing kept. */
static het_status read_package(const het__package_request *q, het_package_info *info,
                               het_error *err)
{
    het__mapping mapping = { 0 };
    het__arena arena;
    het__package p;
    het_package_info ours;
    het_status s = het__map_file(q->source, &mapping, err);
    if (s != HET_OK)
        return s;
    het__arena_init(&arena, q->mem);
    s = het__package_open(&p, &arena, mapping.data, mapping.bytes, err);
    if (s == HET_OK)
        het__package_describe(&p, &ours);
    if (s == HET_OK)
        s = q->target ? het__package_extract(&p, q, err) : check_frames(&p, q, err);
    if (s == HET_OK)
        s = give_info(info, &ours, err);
    het__arena_finish(&arena);
    het__unmap_file(&mapping);
    return s;
}

het_status het_package_extract(het_context *context, const char *source, const char *target,
                               const het_package_options *options, het_package_info *info,
                               het_error *err)
{
    het__package_request q;
    HET_REQUIRE(context != NULL && source != NULL && target != NULL, err);
    HET_REQUIRE(!info || info->struct_size >= sizeof info->struct_size, err);
    const het_status s = read_options(context, options, &q, err);
    if (s != HET_OK)
        return s;
    q.source = source;
    q.target = target;
    return read_package(&q, info, err);
}

het_status het_package_check(het_context *context, const char *source,
                             const het_package_options *options, het_package_info *info,
                             het_error *err)
{
    het__package_request q;
    HET_REQUIRE(context != NULL && source != NULL, err);
    HET_REQUIRE(!info || info->struct_size >= sizeof info->struct_size, err);
    const het_status s = read_options(context, options, &q, err);
    if (s != HET_OK)
        return s;
    q.source = source;
    return read_package(&q, info, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions of samplers: arguments are checked here, work is done in lib/generate. */
#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/generate/sampler.h"

static void release_context(void *context)
{
    het__context_release(context);
}

het_status het_sampler_create(het_context *context, const het_sampler_options *options,
                              het_sampler **sampler, het_error *err)
{
    het_sampler_options checked;
    HET_REQUIRE(sampler != NULL, err);
    *sampler = NULL;
    HET_REQUIRE(context != NULL, err);
    het_status s = het__sampler_check(options, &checked, err);
    if (s == HET_OK)
        s = het__sampler_create(&context->mem, &checked, sampler, err);
    if (s != HET_OK)
        return s;
    het__context_retain(context);
    het__sampler_set_owner(*sampler, context, release_context);
    return HET_OK;
}

het_status het_sampler_sample(het_sampler *sampler, const float *logits, size_t count,
                              int32_t *id, het_error *err)
{
    HET_REQUIRE(sampler != NULL, err);
    HET_REQUIRE(logits != NULL, err);
    HET_REQUIRE(count >= 1 && count <= INT32_MAX, err);
    HET_REQUIRE(id != NULL, err);
    return het__sampler_sample(sampler, logits, count, id, err);
}

void het_sampler_accept(het_sampler *sampler, int32_t id)
{
    het__sampler_accept(sampler, id);
}

void het_sampler_reset(het_sampler *sampler)
{
    het__sampler_reset(sampler);
}

void het_sampler_destroy(het_sampler *sampler)
{
    het__sampler_destroy(sampler);
}

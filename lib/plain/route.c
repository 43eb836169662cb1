/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/plain/route.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The first of the largest scores that are not taken. */
static int32_t largest(const float *scores, int32_t count, const bool *taken)
{
    int32_t best = -1;
    for (int32_t i = 0; i < count; i++)
        if (!taken[i] && (best < 0 || scores[i] > scores[best]))
            best = i;
    return best;
}

/* Softmax of the best score among those that are not taken and near enough to it. The
 * comparison is made in F32, as the authors' code makes it. */
static float mixer_share(const float *scores, int32_t count, const bool *taken, int32_t best,
                         float jitter)
{
    double sum = 0;
    for (int32_t i = 0; i < count; i++) {
        const float size = fabsf(scores[i]);
        const float factor = size > scores[best] ? size : scores[best];
        const bool far = (scores[best] - scores[i]) / factor > 2 * jitter;
        if (!taken[i] && !far)
            sum += exp((double)scores[i] - (double)scores[best]);
    }
    return (float)(1 / sum);
}

static void route_mixer(const het__moe_attrs *attrs, const float *scores, int32_t count,
                        bool *taken, het__route *route)
{
    for (int32_t k = 0; k < attrs->used; k++) {
        const int32_t best = largest(scores, count, taken);
        route->expert[k] = best;
        route->share[k] = mixer_share(scores, count, taken, best, attrs->jitter);
        taken[best] = true;
    }
}

static double share_of(const het__moe_attrs *attrs, double score, double most, double sum)
{
    return attrs->router == HET__ROUTER_SIGMOID ? 1 / (1 + exp(-score)) : exp(score - most) / sum;
}

static void route_largest(const het__moe_attrs *attrs, const float *scores, int32_t count,
                          bool *taken, het__route *route)
{
    double share[HET__EXPERTS_USED_MAX], sum = 0, chosen = 0;
    const double most = (double)scores[largest(scores, count, taken)];
    for (int32_t i = 0; i < count; i++)
        sum += exp((double)scores[i] - most);
    for (int32_t k = 0; k < attrs->used; k++) {
        const int32_t best = largest(scores, count, taken);
        route->expert[k] = best;
        taken[best] = true;
        share[k] = share_of(attrs, (double)scores[best], most, sum);
        chosen += share[k];
    }
    for (int32_t k = 0; k < attrs->used; k++)
        route->share[k] = (float)(attrs->normalise ? share[k] / chosen : share[k]);
}

/* By expert, ascending; few enough for insertion. */
static void sort(het__route *route, int32_t used)
{
    for (int32_t k = 1; k < used; k++) {
        const int32_t expert = route->expert[k];
        const float share = route->share[k];
        int32_t at = k;
        for (; at > 0 && route->expert[at - 1] > expert; at--) {
            route->expert[at] = route->expert[at - 1];
            route->share[at] = route->share[at - 1];
        }
        route->expert[at] = expert;
        route->share[at] = share;
    }
}

void het__route_token(const het__moe_attrs *attrs, const float *scores, int32_t count,
                      het__route *route)
{
    bool taken[HET__EXPERTS_MAX];
    assert(count >= attrs->used && attrs->used <= HET__EXPERTS_USED_MAX &&
           count <= HET__EXPERTS_MAX);
    memset(taken, 0, (size_t)count * sizeof *taken);
    if (attrs->router == HET__ROUTER_SPARSE_MIXER)
        route_mixer(attrs, scores, count, taken, route);
    else
        route_largest(attrs, scores, count, taken, route);
    for (int32_t k = 0; k < attrs->used; k++)
        route->share[k] *= attrs->scale;
    sort(route, attrs->used);
}

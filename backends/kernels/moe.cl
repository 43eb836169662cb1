/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures of experts, all but the products:
 *
 *     moe_route   a group per token: its experts, ascending, and their shares
 *     moe_sort    one group: pairs (token, expert) by expert, tokens ascending; parts for products
 *     moe_add     an item per element: sums of results by shares, in the order of the experts
 *
 * Choices are those of lib/plain/route.c to the last bit of the scores: only comparisons decide.
 *
 *     EXPERTS, USED   of the layer; used of them by a token
 *     LANES           items of the groups of moe_route and moe_sort
 *     ROUTER          value of het__router; NORMALISE: shares are divided by their sum
 *
 * Where the compiler does not know EXPERTS and USED, EXPERTS_MOST and USED_MOST bound them. */
#ifndef EXPERTS_MOST
#define EXPERTS_MOST EXPERTS
#define USED_MOST USED
#endif

#define ROUTER_SOFTMAX 0
#define ROUTER_SIGMOID 1
#define ROUTER_SPARSE_MIXER 2

#if LANES == 1
#define SYNC
#else
#define SYNC barrier(CLK_LOCAL_MEM_FENCE)
#endif

/* (best - score) / factor > limit, where / rounds as IEEE 754 asks, which OpenCL's need not: the
 * quotient rounds to more than limit if and only if it lies beyond limit and half a step; it never
 * lies there exactly. step: that half. The remainder is exact where it matters. */
static inline bool is_far(float best, float score, float limit, float step)
{
    const float size = fabs(score), factor = size > best ? size : best;
    return fma(-limit, factor, best - score) > step * factor;
}

/* Which of the lanes' findings a loop over all scores would keep: it starts with the first that is
 * left and goes on only to what is larger: a NaN stays if it comes first, and never comes later. */
HET_INLINE int best_of(__local const float *scores, __local const int *best,
                          __local const int *first)
{
    int start = EXPERTS, at = -1;
    for (int i = 0; i < LANES; i++) {
        start = min(start, first[i]);
        if (best[i] < 0)
            continue;
        const float mine = scores[best[i]];
        if (at < 0 || mine > scores[at] || (mine == scores[at] && best[i] < at))
            at = best[i];
    }
    return at < 0 || isnan(scores[start]) ? start : at;
}

HET_INLINE float sum_of(__local const float *sums)
{
    float sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += sums[i];
    return sum;
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void moe_route(HET_IN(scores), HET_OUT(picked), HET_OUT(shares), const float scale,
               const float limit, const float step)
{
    __local float score[EXPERTS_MOST], sums[LANES], share[USED_MOST];
    __local int best[LANES], first[LANES], expert[USED_MOST];
    __local uchar taken[EXPERTS_MOST];
    const int lane = (int)get_local_id(0), token = (int)get_group_id(0);
    for (int i = lane; i < EXPERTS; i += LANES) {
        score[i] = HET_FLOATS(scores)[(ulong)token * EXPERTS + i];
        taken[i] = 0;
    }
    SYNC;
    float most = 0, all = 0, chosen = 0;
    for (int k = 0; k < USED; k++) {
        int mine = -1, start = EXPERTS;
        for (int i = EXPERTS - 1 - lane; i >= 0; i -= LANES) {
            if (taken[i])
                continue;
            start = i;
            if (!isnan(score[i]) && (mine < 0 || score[i] >= score[mine]))
                mine = i;
        }
        best[lane] = mine;
        first[lane] = start;
        SYNC;
        const int at = best_of(score, best, first);
        most = k == 0 ? score[at] : most;
        const bool adds = ROUTER == ROUTER_SPARSE_MIXER || k == 0;
        if (adds) {
            float sum = 0;
            for (int i = lane; i < EXPERTS; i += LANES)
                if (ROUTER != ROUTER_SPARSE_MIXER ||
                    (!taken[i] && !is_far(score[at], score[i], limit, step)))
                    sum += exp(score[i] - score[at]);
            sums[lane] = sum;
        }
        SYNC;
        if (adds)
            all = sum_of(sums);
        if (lane == 0) {
            taken[at] = 1;
            expert[k] = at;
            share[k] = ROUTER == ROUTER_SPARSE_MIXER ? 1.0f / all
                : ROUTER == ROUTER_SIGMOID ? het_sigmoid(score[at])
                                           : exp(score[at] - most) / all;
            chosen += share[k];
        }
        SYNC;
    }
    if (lane != 0)
        return;
    const bool is_mixer = ROUTER == ROUTER_SPARSE_MIXER, divides = NORMALISE && !is_mixer;
    for (int k = 0; k < USED; k++) {
        const int mine = expert[k];
        const float value = (divides ? share[k] / chosen : share[k]) * scale;
        int at = k;
        for (; at > 0 && expert[at - 1] > mine; at--) {
            expert[at] = expert[at - 1];
            share[at] = share[at - 1];
        }
        expert[at] = mine;
        share[at] = value;
    }
    for (int k = 0; k < USED; k++) {
        ((__global int *)(picked + picked_at))[(ulong)token * USED + k] = expert[k];
        HET_FLOATS_OUT(shares)[(ulong)token * USED + k] = share[k];
    }
}

/* tiles: how many there are, three unused, then each: expert, first pair, pairs (at most size),
 * unused. order: token of each pair; where: the pair of each of a token's experts. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void moe_sort(HET_IN(picked), HET_OUT(tiles), HET_OUT(order), HET_OUT(where), const int pairs,
              const int size)
{
    __local int first[EXPERTS_MOST];
    __global int *tile = (__global int *)(tiles + tiles_at);
    __global int *token = (__global int *)(order + order_at);
    __global int *pair = (__global int *)(where + where_at);
    __global const int *expert = HET_INTS(picked);
    const int lane = (int)get_local_id(0);
    for (int e = lane; e < EXPERTS; e += LANES) {
        int count = 0;
        for (int i = 0; i < pairs; i++)
            count += expert[i] == e;
        first[e] = count;
    }
    SYNC;
    if (lane == 0) {
        int at = 0, used = 0;
        for (int e = 0; e < EXPERTS; e++) {
            const int count = first[e];
            for (int i = 0; i < count; i += size, used++)
                vstore4((int4)(e, at + i, min(size, count - i), 0), used + 1, tile);
            first[e] = at;
            at += count;
        }
        tile[0] = used;
    }
    SYNC;
    for (int e = lane; e < EXPERTS; e += LANES) {
        int at = first[e];
        for (int i = 0; i < pairs; i++)
            if (expert[i] == e) {
                token[at] = i / USED;
                pair[i] = at++;
            }
    }
}

__kernel void moe_add(HET_IN(results), HET_IN(shares), HET_IN(where), HET_OUT(out), const int width,
                      const int tokens)
{
    const int n = (int)get_global_id(0), token = (int)get_global_id(1);
    if (n >= width || token >= tokens)
        return;
    float sum = 0;
    for (int k = 0; k < USED; k++) {
        const ulong i = (ulong)token * USED + k, pair = (ulong)HET_INTS(where)[i];
        sum = mad(HET_FLOATS(shares)[i], HET_FLOATS(results)[pair * (uint)width + n], sum);
    }
    HET_FLOATS_OUT(out)[(ulong)token * (uint)width + n] = sum;
}

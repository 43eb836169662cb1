/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of experts.h. */
#include <hetinfer/experts.h>

#include <math.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/options.h"

/* NULL: a graph, or nothing is left to run on. */
static const het__exec *exec_of(const het_session *session)
{
    return session->network ? NULL : session->engine.exec;
}

uint32_t het_session_mixture_count(const het_session *session)
{
    const het__exec *exec = exec_of(session);
    return exec ? het__exec_mixture_count(exec) : 0;
}

/* How evenly the experts are used: fills imbalance, entropy and chi_square. */
static void judge(const het__exec_mixture *m, uint64_t all, het_expert_use *use)
{
    const double mean = (double)all / m->experts;
    uint64_t most = 0;
    for (uint32_t e = 0; e < m->experts; e++) {
        const double n = (double)m->uses[e], share = n / (double)all;
        most = m->uses[e] > most ? m->uses[e] : most;
        use->entropy -= n > 0 ? share * log2(share) : 0;
        use->chi_square += (n - mean) * (n - mean) / mean;
    }
    use->imbalance = (double)most / mean;
}

het_status het_session_mixture_at(const het_session *session, uint32_t index, het_expert_use *use,
                                  uint64_t *counts, size_t capacity, het_error *err)
{
    HET_REQUIRE(session != NULL && use != NULL, err);
    HET_REQUIRE(index < het_session_mixture_count(session), err);
    HET_REQUIRE(counts != NULL || capacity == 0, err);
    het__exec_mixture m;
    uint64_t all = 0;
    het__exec_mixture_at(exec_of(session), index, &m);
    for (uint32_t e = 0; e < m.experts; e++)
        all += m.uses[e];
    het_expert_use out = { .struct_size = sizeof out, .layer = m.layer,
                           .expert_count = m.experts, .chosen_count = m.used,
                           .token_count = all / m.used };
    if (all > 0)
        judge(&m, all, &out);
    const het_status s = het__result_write(use, &out, sizeof out);
    if (s != HET_OK)
        return het__fail(err, s, "het_expert_use.struct_size is too small");
    for (size_t e = 0; e < capacity && e < m.experts; e++)
        counts[e] = m.uses[e];
    return HET_OK;
}

het_status het_session_expert_traffic(const het_session *session, het_expert_traffic *traffic)
{
    het__exec_traffic t = { 0 };
    if (!session || !traffic)
        return HET_E_INVALID;
    if (exec_of(session))
        het__exec_traffic_get(exec_of(session), &t);
    const het_expert_traffic out = {
        .struct_size = sizeof out, .slot_count = (uint32_t)t.slots, .slot_bytes = t.slot_bytes,
        .hit_count = t.hits, .miss_count = t.misses, .eviction_count = t.evictions,
        .ahead_count = t.ahead, .ahead_hit_count = t.ahead_hits, .staged_bytes = t.staged_bytes,
    };
    return het__result_write(traffic, &out, sizeof out);
}

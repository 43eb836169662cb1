/* SPDX-License-Identifier: Apache-2.0 */
/* One walk in topological order: each node is one stage behind the last of those that it needs. */
#include "lib/cost/concurrency.h"

#include <assert.h>
#include <string.h>

void het__concurrency(uint32_t node_count, const het__edge *edges, uint32_t edge_count,
                      const double *ns, double *finish, uint32_t *stage, uint32_t *width,
                      het_concurrency *r)
{
    uint32_t e = 0;
    memset(r, 0, sizeof *r);
    r->struct_size = sizeof *r;
    r->node_count = node_count;
    memset(width, 0, node_count * sizeof *width);
    for (uint32_t n = 0; n < node_count; n++) {
        double start = 0;
        stage[n] = 0;
        for (; e < edge_count && edges[e].to == n; e++) {
            const uint32_t from = edges[e].from;
            assert(from < n);
            stage[n] = stage[from] + 1 > stage[n] ? stage[from] + 1 : stage[n];
            start = ns && finish[from] > start ? finish[from] : start;
        }
        if (ns) {
            finish[n] = start + ns[n];
            r->critical_ns = finish[n] > r->critical_ns ? finish[n] : r->critical_ns;
            r->total_ns += ns[n];
        }
        width[stage[n]]++;
        r->width_count = width[stage[n]] > r->width_count ? width[stage[n]] : r->width_count;
        r->critical_path_count =
            stage[n] + 1 > r->critical_path_count ? stage[n] + 1 : r->critical_path_count;
    }
    assert(e == edge_count);
    if (node_count)
        r->efficiency = node_count / ((double)r->critical_path_count * r->width_count);
}

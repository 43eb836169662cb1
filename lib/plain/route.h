/* SPDX-License-Identifier: Apache-2.0 */
/* Which experts a token uses, and by what shares. One piece of code for all devices: the choice
 * must be the same wherever a layer runs.
 *
 * SparseMixer, at inference, of scores s with jitter e:
 *     first    the largest, m1; share: its softmax among the scores that lie less than
 *              2 e max(|s_j|, m1) below m1
 *     second   the same without the first, with the largest of the others in place of m1
 * The shares are of two softmaxes and do not add up to one. */
#ifndef HET_PLAIN_ROUTE_H
#define HET_PLAIN_ROUTE_H

#include "lib/ir/op.h"

typedef struct het__route {
    int32_t expert[HET__EXPERTS_USED_MAX]; /* ascending */
    float share[HET__EXPERTS_USED_MAX];
} het__route;

/* attrs->used experts of count scores. Experts are valid and differ whatever the scores hold. */
void het__route_token(const het__moe_attrs *attrs, const float *scores, int32_t count,
                      het__route *route);

#endif /* HET_PLAIN_ROUTE_H */

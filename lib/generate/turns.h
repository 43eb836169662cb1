/* SPDX-License-Identifier: Apache-2.0 */
/* Angles of rotation that depend on the length of a sequence: the rows that a graph with the input
 * "turns" is fed with.
 *
 * LONG (longrope): a sequence longer than the original context turns all its positions by the long
 * factors, so at the step that crosses it the keys that are cached become void, as in the authors'
 * generate(). DYNAMIC: what is appended at once turns by a base that follows from the length then;
 * the keys keep it, as those of the authors' cache do. */
#ifndef HET_GENERATE_TURNS_H
#define HET_GENERATE_TURNS_H

#include "lib/import/lm.h"

typedef struct het__turns {
    het__turning kind;
    int32_t pairs;
    int64_t length;      /* longest that the first set holds for */
    double theta, scale, stretch;
    double magnitude[2]; /* short, long */
    double *frequency[2];
} het__turns;

/* Factors are read from the source, which must have them; of DYNAMIC models too, if they exist. */
het_status het__turns_init(het__turns *turns, const het__lm_config *config,
                           const het__lm_source *source, het__mem *mem, het_error *err);
void het__turns_finish(het__turns *turns, het__mem *mem);

/* The set that a sequence of this length turns by: 0 or 1. */
int het__turns_set(const het__turns *turns, int64_t length);
/* Cosines and sines of a position in a sequence (or, of DYNAMIC, an append) up to length. */
void het__turns_row(const het__turns *turns, int64_t position, int64_t length, float *row);

#endif /* HET_GENERATE_TURNS_H */

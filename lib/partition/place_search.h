/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of placing share: an index of a problem, and one pass of the dynamic programme. */
#ifndef HET_PARTITION_PLACE_SEARCH_H
#define HET_PARTITION_PLACE_SEARCH_H

#include "lib/base/arena.h"
#include "lib/partition/place.h"

/* Something whose holders are part of the state: a value, or a store that several nodes use. */
typedef struct het__place_thing {
    const het__place_value *value; /* NULL: a store */
    double bytes;
    uint32_t phase;
    uint32_t last; /* the last node that reads it */
    bool is_tied, is_file;
    uint32_t free_devices;
} het__place_thing;

/* By node: things that appear with it, things that it reads, bytes of stores that it alone uses. */
typedef struct het__place_index {
    const het__place_problem *problem;
    uint32_t thing_count;
    het__place_thing *things;
    uint32_t *first_made, *made; /* per node + 1; things */
    uint32_t *first_read, *read;
    double *own_bytes, *own_file_bytes; /* the latter: of stores that may stay in a file */
    double *new_bytes;   /* suffix sums: bytes of stores whose first user is this node or later */
    double *share_bytes; /* per node: its part of the stores that it shares, and own_bytes */
} het__place_index;

/* In memory of the arena. memory: stores matter for their bytes; otherwise only ties do. */
bool het__place_index_make(const het__place_problem *problem, bool memory, het__arena *arena,
                           het__place_index *index);

/* One pass. Costs are those of the problem unless others are given. */
typedef struct het__place_pass {
    const het__place_index *index;
    const double *node_cost;
    const double *transfer_factor; /* per receiving device; NULL: 1 */
    bool memory;                   /* keep within the limits */
    const double *store_cost;      /* per device: what a stored byte adds to the cost; NULL: 0. Must
                                      be NULL with memory */
    bool bottleneck;               /* minimise the largest share instead of the sum */
    uint32_t labels_max;
    const double *byte_price; /* per limit: what a stored byte counts in the order of labels and in
                                 bounds; NULL: 0. Must be NULL without memory */
    double upper;             /* what costs as much is of no use; INFINITY: everything is */
} het__place_pass;

typedef struct het__place_found {
    uint8_t *device; /* per node; caller's array */
    double total;    /* INFINITY: nothing below upper */
    bool complete;   /* nothing was left out that could have been better */
    uint32_t stuck;  /* node behind which no label was left */
} het__place_found;

/* HET_E_NOMEM is the only failure. */
het_status het__place_search(const het__place_pass *pass, het__mem *mem, het__place_found *found);

/* place_bound.c: placements from relaxed problems, in which memory and shares have prices. */
typedef struct het__place_relaxed {
    double bound;          /* no placement that fits costs less */
    double total;          /* of the best placement seen that fits; INFINITY: none */
    uint8_t *device;       /* of that; caller's array */
    double byte_price[HET__PLACE_LIMITS_MAX]; /* of the best bound */
} het__place_relaxed;

/* upper: the cost of a placement that is known to fit, or INFINITY. */
het_status het__place_relax(const het__place_problem *problem, double upper, het__mem *mem,
                            het__place_relaxed *relaxed);

/* Labels of a pass without vectors that a problem of this size can afford. */
uint32_t het__place_labels_max(const het__place_problem *problem);

#endif /* HET_PARTITION_PLACE_SEARCH_H */

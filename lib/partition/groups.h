/* SPDX-License-Identifier: Apache-2.0 */
/* Fusion groups as pure arithmetic: operations, the memory they read and write, limits -> which
 * operations run as one kernel.
 *
 * A group takes one launch and the longer of its arithmetic and its traffic. What a member makes
 * and only other members read costs no traffic as long as what must be at hand of it fits near
 * memory: nothing where the reader takes element by element what it needs, a row where it works
 * along rows, else all of it. Whoever needs all of an operand waits for it, and begins a phase of
 * the group: what is read in another phase than it was made in must be kept as a whole.
 *
 * Groups can run one after the other: none needs, directly or not, what needs it. */
#ifndef HET_PARTITION_GROUPS_H
#define HET_PARTITION_GROUPS_H

#include "lib/base/mem.h"

#include <hetinfer/base.h>

#define HET__GROUP_OUTSIDE UINT32_MAX

/* What an operation is in the table of patterns. */
typedef enum het__group_kind {
    HET__GROUP_OTHER = 0,
    HET__GROUP_CONVOLUTION,
    HET__GROUP_NORM,       /* one factor and one offset per channel */
    HET__GROUP_ACTIVATION, /* ReLU, ReLU6, SiLU */
    HET__GROUP_RELU,       /* an activation as well */
    HET__GROUP_ADD,
} het__group_kind;

/* Memory that a node writes, or that is given. */
typedef struct het__group_value {
    double bytes;
    uint32_t producer; /* node, or HET__GROUP_OUTSIDE */
    bool is_result;    /* the caller reads it */
} het__group_value;

/* A node reads a value. */
typedef struct het__group_read {
    uint32_t node;
    uint32_t value;
    double at_hand; /* bytes of it that must be near at a time */
    bool moves;     /* false: a view, which reads nothing itself */
} het__group_read;

/* A node that must come before another: it makes an operand of it. */
typedef struct het__group_edge {
    uint32_t from, to;
} het__group_edge;

typedef struct het__group_node {
    het__group_kind kind;
    uint32_t operand_count; /* distinct ones that are no constants */
    bool is_alone;          /* never fused: bodies, unknown sizes */
    double compute_ns;
    double constant_bytes;
} het__group_node;

typedef struct het__group_problem {
    uint32_t node_count, value_count, read_count, edge_count;
    const het__group_node *nodes;   /* in topological order */
    const het__group_value *values;
    const het__group_read *reads;   /* by node, ascending */
    const het__group_edge *edges;   /* by `to`, ascending; each pair once */
    double launch_ns, ns_per_byte;
    double near_bytes;
    uint32_t max_ops; /* of a group; 0: no limit (the search has its own) */
    double max_bytes; /* values and constants that a group of several touches; 0: no limit */
} het__group_problem;

/* What one group takes. */
typedef struct het__group_cost {
    double ns, compute_ns;
    double bytes;      /* traffic, constants included */
    double inner_bytes; /* made and read inside, never written, each counted once */
    double touched_bytes;
} het__group_cost;

/* Group numbers per node, counted from 0 in an order in which they can run. */
typedef struct het__grouping {
    uint32_t *group; /* caller's array of node_count */
    uint32_t group_count;
    double ns;
    /* Of the search: no grouping is cheaper whose groups fit the limits, are connected, and have
     * their members, like groups that run out of order, within 64 places of one another. */
    bool proven;
} het__grouping;

typedef enum het__group_rule {
    HET__GROUP_GREEDY = 0, /* go on until a fork, a join or a limit */
    HET__GROUP_PATTERNS,   /* Conv+Norm+Activation, Conv+Norm, Add+ReLU; all else alone */
    HET__GROUP_SEARCH,     /* the cheapest under the cost above; never dearer than both */
    HET__GROUP_RULE_COUNT
} het__group_rule;

/* Adjacency that all below need, made once. */
typedef struct het__group_index {
    const het__group_problem *p;
    uint32_t *first_read;   /* per node, node_count + 1 entries */
    uint32_t *first_edge;   /* per node: edges to it */
    uint32_t *first_next;   /* per node: entries of next */
    uint32_t *next;         /* nodes that need it */
    uint32_t *first_made;   /* per node: entries of made */
    uint32_t *made;         /* values */
    uint32_t *first_reader; /* per value: entries of readers */
    uint32_t *readers;      /* indices of reads */
    uint32_t *mark;         /* per value: scratch of het__group_measure() */
    uint32_t *phase;        /* per node: likewise */
    uint32_t stamp;
} het__group_index;

bool het__group_index_init(het__group_index *index, const het__group_problem *problem,
                           het__mem *mem);
void het__group_index_finish(het__group_index *index, het__mem *mem);

/* Nodes in ascending order. */
void het__group_measure(het__group_index *index, const uint32_t *nodes, uint32_t count,
                        het__group_cost *cost);
/* Whether these nodes may be one group as far as limits go. */
bool het__group_fits(const het__group_problem *problem, const uint32_t *nodes, uint32_t count,
                     const het__group_cost *cost);

/* Group the nodes by a rule. HET_E_NOMEM is the only failure. */
het_status het__groups_make(const het__group_problem *problem, het__group_rule rule,
                            het__mem *mem, het__grouping *grouping);

/* group_search.c: the cheapest grouping, or the cheapest of those that it looked at. */
het_status het__groups_search(het__group_index *index, het__mem *mem, het__grouping *grouping);

/* Number the groups so that they can run in order; false if they cannot, or memory ran out. Adds
 * up ns. */
bool het__groups_settle(het__group_index *index, het__mem *mem, het__grouping *grouping);

#endif /* HET_PARTITION_GROUPS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Placement as pure arithmetic: nodes, values, stores, costs, limits -> a device per node.
 *
 * What a placement costs is the sum over nodes, each on its device, and over copies: the first
 * reader of a value on a device that does not hold it brings it there from the cheapest holder. As
 * a sum that is the time (or the energy) of one step; as the largest share of a device, with copies
 * charged to the device that receives them, it is the time between two steps of a full pipeline.
 *
 * What a placement needs of a device's memory is its stores (weights, states, buffers of inputs and
 * outputs, each once however many nodes of the device use it) and the most that values take there
 * at a time. A value takes its bytes on every device that holds it until its last use anywhere:
 * where later readers run is not known when a state is cut off, and no executor needs more.
 *
 * The first answer comes from an exact dynamic programme over the topological order whose state is,
 * for every value that a later node still reads, the set of devices that hold it (place_search.c).
 * If it does not fit, labels carry what they need of every device and only what is no better in any
 * respect is dropped; Lagrangian relaxation gives bounds, candidates, and the order in which labels
 * are dropped where there are too many (place_bound.c). The result says whether it is proven. */
#ifndef HET_PARTITION_PLACE_H
#define HET_PARTITION_PLACE_H

#include "lib/base/mem.h"

#include <hetinfer/base.h>

#define HET__PLACE_DEVICES_MAX 16
#define HET__PLACE_LIMITS_MAX 32
#define HET__PLACE_PHASES_MAX 4

/* What a node makes and others read. */
typedef struct het__place_value {
    uint32_t producer;           /* node */
    uint32_t consumer_count;
    const uint32_t *consumers;   /* nodes, ascending, all behind the producer */
    const double *transfer_cost; /* [from * device_count + to] */
    double bytes;
} het__place_value;

/* What stays on a device as long as the plan does. */
typedef struct het__place_store {
    double bytes;
    uint32_t user_count;
    const uint32_t *users; /* nodes, ascending */
    bool is_tied;          /* all users on one device: they write it */
    bool is_file;          /* takes nothing on devices that read it from a file */
    uint32_t free_devices; /* bits: takes nothing there */
} het__place_store;

/* Bytes that some devices may take together: what one may use, or what the memory holds that they
 * share. */
typedef struct het__place_limit {
    uint32_t devices; /* one bit each */
    double bytes;
} het__place_limit;

typedef enum het__place_objective {
    HET__PLACE_SUM = 0,
    HET__PLACE_BOTTLENECK, /* the largest share of a device */
} het__place_objective;

typedef struct het__place_problem {
    uint32_t node_count;
    uint32_t device_count;
    const double *node_cost;    /* [node * device_count + device], >= 0; INFINITY: not there */
    uint32_t value_count;       /* values that a node makes and another reads */
    const het__place_value *values;
    uint32_t store_count;
    const het__place_store *stores;
    const double *scratch_bytes; /* per node: on its device while it runs; NULL: none */
    uint32_t limit_count;
    const het__place_limit *limits;
    uint32_t file_devices; /* bits: see het__place_store.is_file */
    uint32_t phase_count; /* node n is of phase n % phase_count, values of their producer's phase:
                             those of different phases are never there at once; 0: one phase */
    het__place_objective objective;
    const uint8_t *hint;     /* a placement to look at; NULL: none */
    const uint8_t *priority; /* devices in the order in which the greedy comparison asks them;
                                NULL: as they are numbered */
} het__place_problem;

typedef struct het__placement {
    uint8_t *device;            /* per node; caller's array of node_count */
    double total;               /* the objective */
    double single[HET__PLACE_DEVICES_MAX]; /* all on one device; INFINITY: cannot or does not fit */
    double greedy;              /* each node on the first device that supports it; likewise */
    double bound;               /* no placement costs less */
    bool proven;                /* no placement that fits is cheaper */
} het__placement;

/* What a placement costs and needs. */
typedef struct het__place_sums {
    double objective, sum;
    double load[HET__PLACE_DEVICES_MAX];   /* nodes, and copies to the device */
    double stored[HET__PLACE_DEVICES_MAX]; /* bytes of stores */
    double peak[HET__PLACE_DEVICES_MAX];   /* bytes of values, at most at a time */
    bool fits;     /* within the limits */
    bool possible; /* every node can run where it is, ties hold, all transfers exist */
} het__place_sums;

/* HET_E_UNSUPPORTED with the node's number in *stuck if no device runs some node, or no transfer
 * reaches it; with *stuck = node_count if nothing was found that keeps the limits (nothing does, if
 * placement->proven). */
het_status het__place(const het__place_problem *problem, het__mem *mem, het__placement *placement,
                      uint32_t *stuck);

/* Cost of a given placement as a sum. */
double het__place_cost(const het__place_problem *problem, const uint8_t *device);

/* All of it. HET_E_NOMEM is the only failure. */
het_status het__place_measure(const het__place_problem *problem, const uint8_t *device,
                              het__mem *mem, het__place_sums *sums);

/* Each node to the first device of the problem's priority that runs it: how runtimes place that ask
 * one provider after the other. False if some node runs nowhere. */
bool het__place_greedy(const het__place_problem *problem, uint8_t *device);

static inline uint32_t het__place_phases(const het__place_problem *problem)
{
    return problem->phase_count ? problem->phase_count : 1;
}

#endif /* HET_PARTITION_PLACE_H */

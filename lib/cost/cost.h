/* SPDX-License-Identifier: Apache-2.0 */
/* What a node costs on a device.
 *
 *     launch + max(compute, memory) + (1 - overlap) · min(compute, memory)
 *
 * compute = operations / (peak · utilisation), memory = bytes / bandwidth. Where a device has a
 * calibration, launch, compute and the bytes read, written and read as weights are multiplied by
 * factors of the node's class (lib/cost/calibrated.c), and half of the shorter hides behind the
 * longer; elsewhere measured figures are lowered to what kernels reach of them, and all hides.
 * docs/costs.md says how well this predicts. */
#ifndef HET_COST_COST_H
#define HET_COST_COST_H

#include "lib/ir/graph.h"
#include "lib/machine/calibration.h"
#include "lib/machine/machine.h"

typedef struct het__cost {
    double ns;          /* as above */
    double compute_ns;
    double memory_ns;
    bool memory_bound;
    uint32_t work_class; /* het__work_class */
    double launch_ns;
    double overlap;     /* in [0, 1] */
    double low_ns, high_ns; /* four times of five the time lies between them; low <= ns <= high */
} het__cost;

/* ---- classes (class.c) ---- */

/* The class of a node as far as its kind tells: products are HET__WORK_MATMUL whatever their
 * columns. */
uint32_t het__work_class_of(const het__graph *graph, const het__node *node);
/* The same with symbols bound: work is the node's. Tells products with one column. */
uint32_t het__work_class_bound(const het__graph *graph, const het__node *node,
                               const het__work *work);
/* The node as the cost model sees it on a device. exact: activations stay F32; on cores they do so
 * in products with small weights anyway (lib/ir/rounding.h), which therefore are items of another
 * arithmetic, and with it of other rates, than large ones of the same class and format. */
void het__work_item_of(const het__graph *graph, const het__node *node, const het__work *work,
                       const het__machine_device *device, bool exact, het__work_item *item);

/* ---- cost.c ---- */

/* Whether a node's output lies where its input lies, so that nothing is to be done: views of
 * temporaries (lib/exec/layout.c). */
bool het__cost_is_nothing(const het__graph *graph, const het__node *node);

/* Cost of a node whose work is given (het__node_work()). exact: activations stay F32, so that
 * neither 8-bit nor bfloat16 units serve. */
void het__cost_node(const het__graph *graph, const het__node *node, const het__work *work,
                    const het__machine_device *device, bool exact, het__cost *cost);
/* The same of an item. */
void het__cost_item(const het__work_item *item, const het__machine_device *device,
                    het__cost *cost);

/* Share of a device's units that pieces of work keep busy, in (0, 1]: capacity at a time, in full
 * waves or as they come. 1 where either is not known. */
double het__cost_utilisation(double pieces, double capacity, bool in_waves);

/* Share of its own bandwidth that a device gets, in (0, 1], while the devices of the mask `active`
 * (bits, itself included or not) use their memory: those of one group share what the group has,
 * none getting more than it could use and the rest being divided evenly. */
double het__cost_share(const het__machine *machine, uint32_t device, uint32_t active);
/* What a cost becomes then. */
void het__cost_contended(const het__machine *machine, uint32_t device, uint32_t active,
                         const het__cost *alone, het__cost *cost);

/* ---- calibrated.c ---- */

/* Fit the rates of a calibration to its samples. Deterministic. HET_E_NOMEM. */
het_status het__calibration_fit(het__calibration *c, het__mem *mem, het_error *err);
/* Cost of an item by fitted rates. */
void het__cost_calibrated(const het__work_item *item, const het__calibration *c, het__cost *cost);

#endif /* HET_COST_COST_H */

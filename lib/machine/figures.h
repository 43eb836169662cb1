/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a device by kind: what files call them, in which unit, and within which bounds
 * they are credible at all. */
#ifndef HET_MACHINE_FIGURES_H
#define HET_MACHINE_FIGURES_H

#include "lib/machine/machine.h"

#include <hetinfer/machine.h>

/* Kinds that are a device's own; those after them are of its memory. */
#define HET__FIGURE_OWN_COUNT (HET_FIGURE_PRICE_PER_HOUR + 1)
#define HET__FIGURE_COUNT (HET_FIGURE_SHARED_BYTES + 1)

typedef struct het__figure_info {
    const char *key;  /* in files */
    const char *unit; /* in files: with a prefix */
    const char *unit_here; /* of het__figure.value */
    int power;        /* unit is 10^power of unit_here */
    double low, high; /* in unit_here */
    bool is_whole;
} het__figure_info;

extern const het__figure_info het__figure_infos[HET__FIGURE_COUNT];
/* Latency of a link: as a launch, under another name. */
extern const het__figure_info het__latency_info;

/* The figure of a device of the machine; kind < HET__FIGURE_COUNT. */
const het__figure *het__machine_figure(const het__machine *machine, uint32_t device,
                                       uint32_t kind);
/* kind < HET__FIGURE_OWN_COUNT. */
het__figure *het__device_figure(het__machine_device *device, uint32_t kind);

/* NULL if no link says how to go from one device's memory to the other's. */
const het__machine_link *het__machine_find_link(const het__machine *machine, uint32_t from,
                                                uint32_t to);

/* Whether there is something to say. */
static inline bool het__figure_is_known(const het__figure *figure)
{
    return figure->value > 0 && figure->source != HET_SOURCE_UNAVAILABLE;
}

#endif /* HET_MACHINE_FIGURES_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A simulation as arrays, and what is drawn and written of it. */
#ifndef HETINFER_COMMAND_TIMELINE_H
#define HETINFER_COMMAND_TIMELINE_H

#include "common.h"

#include <stdio.h>

#define WAIT_CAUSES 6

typedef struct timeline {
    const het_simulation *simulation;
    het_simulation_info info;
    het_simulation_event *events; /* in order of their ends */
    het_simulation_lane *lanes;
    het_simulation_memory *memories;
    het_simulation_rate *rates;
    double *gaps;                 /* per event: time in which its lane did nothing before it */
    double waited[WAIT_CAUSES];   /* gaps by cause, all lanes together */
} timeline;

/* All of these return STATUS_GO, or STATUS_FAILED after a sentence on stderr. */
int timeline_read(timeline *t, const het_simulation *simulation);
void timeline_free(timeline *t);

/* What the last end waited for, back to the beginning: fills at most `most` indices of events, the
 * last first; returns how many there are. */
uint32_t timeline_chain(const timeline *t, uint32_t *events, uint32_t most);

const char *wait_name(uint32_t wait);
const char *outcome_name(uint32_t outcome);

/* timeline_html.c: one page that needs nothing else. plan: its layers and reasons are added; may
 * be NULL. */
int timeline_write_html(const timeline *t, const het_plan *plan, const char *title,
                        const char *about, const char *path);

/* timeline_write.c */
int timeline_write_csv(const timeline *t, const char *path);
/* Trace events, as browsers' tracing pages and Perfetto read them. */
int timeline_write_trace(const timeline *t, const char *path);

#endif /* HETINFER_COMMAND_TIMELINE_H */

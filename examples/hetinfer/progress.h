/* SPDX-License-Identifier: Apache-2.0 */
/* One line on the terminal that says how far a long call has come. */
#ifndef HETINFER_PROGRESS_H
#define HETINFER_PROGRESS_H

#include <stdbool.h>

typedef struct progress {
    bool shown;     /* there is a line to take away */
    bool wanted;    /* stderr is a terminal and --quiet was not given */
    int percent;    /* as last drawn */
} progress;

void progress_begin(progress *p, bool quiet);
/* A het_progress_fn: user is a progress. Cancels after an interrupt. */
int progress_update(void *user, double fraction, const char *what);
/* Take the line away. */
void progress_end(progress *p);

#endif /* HETINFER_PROGRESS_H */

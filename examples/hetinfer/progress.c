/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "interrupt.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 30

void progress_begin(progress *p, bool quiet)
{
    p->shown = false;
    p->wanted = !quiet && isatty(STDERR_FILENO);
    p->percent = -1;
}

int progress_update(void *user, double fraction, const char *what)
{
    progress *p = user;
    const int percent = (int)(fraction * 100.0);
    if (p->wanted && percent != p->percent) {
        char bar[BAR_WIDTH + 1];
        for (int i = 0; i < BAR_WIDTH; i++)
            bar[i] = i * 100 < percent * BAR_WIDTH ? '#' : '.';
        bar[BAR_WIDTH] = '\0';
        /* Erase to the end of the line: what came before may have been longer. */
        fprintf(stderr, "\r[%s] %3d %% %.40s\033[K", bar, percent, what);
        fflush(stderr);
        p->shown = true;
        p->percent = percent;
    }
    return interrupt_seen();
}

void progress_end(progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
    p->percent = -1;
}

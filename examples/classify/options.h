/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of classify. */
#ifndef CLASSIFY_OPTIONS_H
#define CLASSIFY_OPTIONS_H

#include "image.h"

#define SIDE_MAX 8192 /* height and width of a model's input */

typedef struct options {
    const char *model, *image;
    const char *labels, *devices; /* may be NULL */
    image_layout layout;          /* what is asked for; extents come from the model */
    unsigned side;                /* where the model leaves height or width open */
    unsigned top, threads;        /* threads 0: as the library likes */
} options;

#define OPTIONS_RUN (-1)

/* OPTIONS_RUN, or the exit status; then what is to be said has been printed. */
int options_parse(options *o, int argc, char **argv);

#endif /* CLASSIFY_OPTIONS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Two models that should say the same, over one text. */
#ifndef HETINFER_COMPARE_H
#define HETINFER_COMPARE_H

#include "common.h"

/* Means over the tokens that were scored; natural logarithms. */
typedef struct comparison {
    size_t scored;
    double nll[2];    /* negative log-likelihood per token: of the first, of the second */
    double divergence; /* Kullback-Leibler, of the second from the first, per token */
    double same_top;  /* share of tokens for which both like the same one best */
} comparison;

/* Read the text with both models, whose engines have no session yet. STATUS_GO, or STATUS_FAILED
 * after a sentence on stderr. */
int compare_models(engine *first, engine *second, const settings *s, const char *text_file,
                   comparison *result);

#endif /* HETINFER_COMPARE_H */

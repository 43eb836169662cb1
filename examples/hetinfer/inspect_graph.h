/* SPDX-License-Identifier: Apache-2.0 */
/* What inspect shows of a graph model beside its weights. */
#ifndef HETINFER_INSPECT_GRAPH_H
#define HETINFER_INSPECT_GRAPH_H

#include "common.h"

/* Whether a metadata entry counts nodes of one operation; unknown may be NULL. */
bool is_operation(const het_metadata *m, bool *unknown);

/* Both return STATUS_GO, or STATUS_FAILED after a sentence on stderr. */
int print_graph(const engine *e);
int json_graph(const engine *e, json_t *root);

#endif /* HETINFER_INSPECT_GRAPH_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs of a graph model, and shapes as text and JSON. */
#ifndef HETINFER_PORT_H
#define HETINFER_PORT_H

#include "common.h"

#define SHAPE_BYTES 400

/* Input (or output) number index; STATUS_GO or STATUS_FAILED after a sentence. */
int port_at(const het_model *model, bool output, size_t index, het_port *port);
size_t port_count(const het_model *model, bool output);

/* "F32[N,3,?]"; symbol may be NULL. */
void shape_text(const het_tensor_desc *desc, const char *const *symbol, char text[SHAPE_BYTES]);
/* {"name", "dtype", "shape": [number, name or null, …] or null}; symbol may be NULL. */
json_t *shape_json(const char *name, const het_tensor_desc *desc, const char *const *symbol);

#endif /* HETINFER_PORT_H */

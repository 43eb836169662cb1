/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t port_count(const het_model *model, bool output)
{
    return output ? het_model_output_count(model) : het_model_input_count(model);
}

int port_at(const het_model *model, bool output, size_t index, het_port *port)
{
    memset(port, 0, sizeof *port);
    port->struct_size = sizeof *port;
    const het_status status = output ? het_model_output_at(model, index, port)
                                     : het_model_input_at(model, index, port);
    if (status == HET_OK)
        return STATUS_GO;
    return failure("%s %zu: %s", output ? "output" : "input", index, het_status_name(status));
}

static void append(char text[SHAPE_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(char text[SHAPE_BYTES], const char *format, ...)
{
    const size_t used = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + used, SHAPE_BYTES - used, format, list);
    va_end(list);
}

static const char *type_name(const het_tensor_desc *desc)
{
    return desc->dtype == HET_DTYPE_NONE ? "any" : het_dtype_name((het_dtype)desc->dtype);
}

void shape_text(const het_tensor_desc *desc, const char *const *symbol, char text[SHAPE_BYTES])
{
    text[0] = '\0';
    append(text, "%s[", type_name(desc));
    if (desc->flags & HET_TENSOR_RANK_UNKNOWN)
        append(text, "...");
    for (uint32_t i = 0; i < desc->rank && i < HET_RANK_MAX; i++) {
        append(text, "%s", i ? "," : "");
        if (desc->extent[i] >= 0)
            append(text, "%lld", (long long)desc->extent[i]);
        else
            append(text, "%s", symbol && symbol[i] ? symbol[i] : "?");
    }
    append(text, "]");
}

json_t *shape_json(const char *name, const het_tensor_desc *desc, const char *const *symbol)
{
    json_t *shape = desc->flags & HET_TENSOR_RANK_UNKNOWN ? json_null() : json_array();
    for (uint32_t i = 0; i < desc->rank && i < HET_RANK_MAX; i++) {
        const char *known = symbol ? symbol[i] : NULL;
        json_t *extent = desc->extent[i] >= 0 ? json_integer((json_int_t)desc->extent[i])
                         : known              ? json_text(known, strlen(known))
                                              : json_null();
        json_array_append_new(shape, extent);
    }
    return json_pack("{s:o, s:s, s:o}", "name", json_text(name, strlen(name)), "dtype",
                     type_name(desc), "shape", shape);
}

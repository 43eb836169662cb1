/* SPDX-License-Identifier: Apache-2.0 */
/* Contents of tensors in files of their own, beside the model or below its folder. A file is mapped
 * once, whoever lies in it, and stays so until the model is closed. */
#include <string.h>

#include "lib/import/onnx_parts.h"

enum { EXTERNAL = 13 };

typedef struct place {
    const char *location;
    uint64_t offset, length;
    bool has_length;
} place;

/* Decimal digits and nothing else. */
static bool number_of(const char *text, uint64_t *number)
{
    *number = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || *number > (UINT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + (uint64_t)(*p - '0');
    }
    return text[0] != '\0';
}

static het_status read_entry(het__onnx_reader *r, het__pb m, place *p)
{
    const uint8_t *at = m.at;
    const char *key = "", *value = "";
    het_status s = HET_OK;
    for (het__pb_field f; s == HET_OK && het__pb_next(&m, &f);) {
        if (f.key == HET__PB_KEY(1, HET__PB_BYTES))
            s = het__onnx_name(r, &f.bytes, &key);
        if (f.key == HET__PB_KEY(2, HET__PB_BYTES))
            s = het__onnx_name(r, &f.bytes, &value);
    }
    if (s != HET_OK)
        return s;
    bool good = !m.bad;
    if (strcmp(key, "location") == 0)
        p->location = value;
    if (strcmp(key, "offset") == 0)
        good = good && number_of(value, &p->offset);
    if (strcmp(key, "length") == 0) {
        good = good && number_of(value, &p->length);
        p->has_length = true;
    }
    return good ? HET_OK : het__onnx_bad(r, at, "malformed place in another file: %s", key);
}

static het_status map(het__onnx_reader *r, const char *location, uint32_t *index)
{
    het__onnx *m = r->model;
    const het__name_slot *slot = het__names_find(&r->files, location, strlen(location));
    void *list = m->external;
    het__file file;
    if (slot) {
        *index = slot->value;
        return HET_OK;
    }
    if (!het__onnx_grow(r, &list, m->external_count, &r->external_capacity, sizeof *m->external))
        return het__onnx_nomem(r);
    m->external = list;
    het_status s = het__file_open_below(r->folder, location, &file, r->err);
    if (s != HET_OK)
        return s;
    s = het__map_open(file.fd, location, &m->external[m->external_count], r->err);
    het__file_close(&file);
    if (s != HET_OK)
        return s;
    *index = m->external_count++;
    return het__names_add(&r->files, location, strlen(location), *index) ? HET_OK
                                                                        : het__onnx_nomem(r);
}

het_status het__onnx_external(het__onnx_reader *r, het__pb message, const char *tensor,
                              size_t bytes, const uint8_t **data)
{
    place p = { .location = NULL };
    uint32_t index = 0;
    het_status s = HET_OK;
    for (het__pb_field f; s == HET_OK && het__pb_next(&message, &f);)
        if (f.key == HET__PB_KEY(EXTERNAL, HET__PB_BYTES))
            s = read_entry(r, f.bytes, &p);
    if (s != HET_OK)
        return s;
    if (!p.location)
        return het__onnx_bad(r, message.at, "tensor %s lies in a file without a name", tensor);
    if (!r->folder || !r->model)
        return het__fail(r->err, HET_E_UNSUPPORTED, "tensor %s lies in %s, and there is no folder",
                         tensor, p.location);
    if (p.has_length && p.length != bytes)
        return het__onnx_bad(r, message.at, "tensor %s has %llu bytes of contents, not %zu", tensor,
                             (unsigned long long)p.length, bytes);
    s = map(r, p.location, &index);
    if (s != HET_OK)
        return s;
    const het__mapping *file = &r->model->external[index];
    if (p.offset > file->bytes || bytes > file->bytes - p.offset)
        return het__fail(r->err, HET_E_FORMAT, "tensor %s ends behind the end of %s", tensor,
                         p.location);
    *data = (const uint8_t *)file->data + p.offset;
    return HET_OK;
}

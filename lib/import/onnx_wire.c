/* SPDX-License-Identifier: Apache-2.0 */
/* Fields and numbers of the protobuf wire form. */
#include "lib/import/onnx_wire.h"

/* 7 bits to a byte: 64 bits take at most ten. */
#define VARINT_BYTES 10

static bool bad(het__pb *pb)
{
    pb->bad = true;
    return false;
}

static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < VARINT_BYTES && *at + i < end; i++) {
        const uint8_t byte = (*at)[i];
        x |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80) {
            *at += i + 1;
            *value = x;
            return true;
        }
    }
    return false;
}

bool het__pb_varint(het__pb *pb, uint64_t *value)
{
    if (pb->at == pb->end)
        return false;
    return take_varint(&pb->at, pb->end, value) || bad(pb);
}

bool het__pb_next(het__pb *pb, het__pb_field *field)
{
    const uint8_t *at = pb->at;
    uint64_t key, value = 0;
    if (at == pb->end)
        return false;
    if (!take_varint(&at, pb->end, &key) || key > UINT32_MAX || key >> 3 == 0)
        return bad(pb);
    const uint32_t wire = (uint32_t)key & 7;
    const size_t left = (size_t)(pb->end - at);
    size_t width = 0;
    field->key = (uint32_t)key;
    switch (wire) {
    case HET__PB_VARINT:
        if (!take_varint(&at, pb->end, &value))
            return bad(pb);
        break;
    case HET__PB_FIXED32:
    case HET__PB_FIXED64:
        width = wire == HET__PB_FIXED32 ? 4 : 8;
        if (left < width)
            return bad(pb);
        value = het__pb_load(at, width);
        break;
    case HET__PB_BYTES:
        if (!take_varint(&at, pb->end, &value) || value > (uint64_t)(pb->end - at))
            return bad(pb);
        width = (size_t)value;
        break;
    default:
        return bad(pb);
    }
    field->value = value;
    field->bytes = (het__pb){ .at = at, .end = at + width };
    pb->at = at + width;
    return true;
}

bool het__pb_list_next(het__pb_list *list, uint64_t *value)
{
    for (het__pb_field f;;) {
        het__pb *c = &list->chunk;
        const size_t width = list->wire == HET__PB_FIXED32 ? 4 : 8;
        if (c->at != c->end && list->wire == HET__PB_VARINT)
            return het__pb_varint(c, value);
        if (c->at != c->end) {
            if (het__pb_left(c) < width)
                return bad(c);
            *value = het__pb_load(c->at, width);
            c->at += width;
            return true;
        }
        if (!het__pb_next(&list->message, &f))
            return false;
        if (f.key == HET__PB_KEY(list->number, HET__PB_BYTES))
            *c = f.bytes;
        if (f.key == HET__PB_KEY(list->number, list->wire)) {
            *value = f.value;
            return true;
        }
    }
}

const uint8_t *het__pb_list_bad(const het__pb_list *list)
{
    return list->chunk.bad ? list->chunk.at : list->message.bad ? list->message.at : NULL;
}

uint64_t het__pb_list_count(het__pb_list list)
{
    uint64_t n = 0;
    for (uint64_t x; het__pb_list_next(&list, &x);)
        n++;
    return het__pb_list_bad(&list) ? UINT64_MAX : n;
}

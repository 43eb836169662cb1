/* SPDX-License-Identifier: Apache-2.0 */
/* The wire form of protocol buffers: fields one after the other, read in place.
 *
 *     for (het__pb_field f; het__pb_next(&m, &f);)
 *         switch (f.key) {
 *         case HET__PB_KEY(1, HET__PB_BYTES): … f.bytes …
 *         }
 *     if (m.bad) … what stands at m.at is no field
 *
 * A field of a known number but of another wire type falls into the default branch, like a field of
 * an unknown number: skipped, as the format asks for. Groups, which it gave up long ago, are
 * malformed here. */
#ifndef HET_IMPORT_ONNX_WIRE_H
#define HET_IMPORT_ONNX_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HET__PB_VARINT 0
#define HET__PB_FIXED64 1
#define HET__PB_BYTES 2
#define HET__PB_FIXED32 5

#define HET__PB_KEY(number, wire) ((uint32_t)(number) << 3 | (wire))

/* A message, or the rest of one; the bytes are borrowed. */
typedef struct het__pb {
    const uint8_t *at, *end;
    bool bad;
} het__pb;

typedef struct het__pb_field {
    uint32_t key;
    uint64_t value; /* of a varint and of fixed widths */
    het__pb bytes;  /* of bytes: strings, messages, packed lists */
} het__pb_field;

static inline size_t het__pb_left(const het__pb *pb)
{
    return (size_t)(pb->end - pb->at);
}

/* False at the end, and when there is no whole field: then bad is set and at stays. */
bool het__pb_next(het__pb *pb, het__pb_field *field);
/* One number; the same. */
bool het__pb_varint(het__pb *pb, uint64_t *value);

/* The numbers of a repeated field, packed or not: one after the other, wherever in the message they
 * stand. wire: that of one number. Start with { .message = m, .number = …, .wire = … }. */
typedef struct het__pb_list {
    het__pb message, chunk;
    uint32_t number, wire;
} het__pb_list;

/* False at the end, and where het__pb_list_bad() then points if the field is malformed. */
bool het__pb_list_next(het__pb_list *list, uint64_t *value);
const uint8_t *het__pb_list_bad(const het__pb_list *list);
/* How many there are; UINT64_MAX: malformed. */
uint64_t het__pb_list_count(het__pb_list list);

/* Little-endian, at any address. */
static inline uint64_t het__pb_load(const uint8_t *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = 0; i < bytes; i++)
        x |= (uint64_t)p[i] << 8 * i;
    return x;
}

#endif /* HET_IMPORT_ONNX_WIRE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Writes GGUF files in memory, for tests that need a model or a broken file.
 *
 *     gw *g = gw_begin(3);
 *     gw_string(g, "general.architecture", "llama");
 *     gw_tensor(g, "token_embd.weight", GW_F32, 2, (uint64_t[]){ 8, 32 }, values, sizeof values);
 *     size_t bytes;
 *     void *file = gw_finish(g, &bytes);   // free(file)
 *
 * Extents are fastest first, as in the file. A tensor without data gets zeros. Running out of
 * memory ends the program: it is a test. */
#ifndef HETINFER_GGUF_WRITER_H
#define HETINFER_GGUF_WRITER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Type numbers of tensors as the file has them. */
enum {
    GW_F32 = 0, GW_F16 = 1, GW_Q4_0 = 2, GW_Q4_1 = 3, GW_Q5_0 = 6, GW_Q5_1 = 7, GW_Q8_0 = 8,
    GW_Q2_K = 10, GW_Q3_K = 11, GW_Q4_K = 12, GW_Q5_K = 13, GW_Q6_K = 14, GW_IQ4_NL = 20,
    GW_IQ4_XS = 23, GW_I8 = 24, GW_I16 = 25, GW_I32 = 26, GW_I64 = 27, GW_F64 = 28, GW_BF16 = 30,
    GW_MXFP4 = 39,
};

typedef struct gw_buffer {
    uint8_t *data;
    size_t bytes, capacity;
} gw_buffer;

/* The counts may be changed before gw_finish(), to write a header that lies. */
typedef struct gw {
    uint32_t version;
    uint32_t alignment; /* follows an entry general.alignment written by gw_u32() */
    uint64_t entry_count, tensor_count;
    gw_buffer entries, tensors, data;
} gw;

static inline void gw_put(gw_buffer *b, const void *data, size_t bytes)
{
    if (b->capacity - b->bytes < bytes) {
        b->capacity = 2 * (b->bytes + bytes) + 64;
        b->data = realloc(b->data, b->capacity);
        if (!b->data)
            abort();
    }
    if (data && bytes)
        memcpy(b->data + b->bytes, data, bytes);
    else if (bytes)
        memset(b->data + b->bytes, 0, bytes);
    b->bytes += bytes;
}

static inline void gw_put_u32(gw_buffer *b, uint32_t v)
{
    const uint8_t p[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
    gw_put(b, p, sizeof p);
}

static inline void gw_put_u64(gw_buffer *b, uint64_t v)
{
    gw_put_u32(b, (uint32_t)v);
    gw_put_u32(b, (uint32_t)(v >> 32));
}

static inline void gw_put_text(gw_buffer *b, const char *text, size_t bytes)
{
    gw_put_u64(b, bytes);
    gw_put(b, text, bytes);
}

static inline void gw_pad(gw_buffer *b, size_t multiple)
{
    gw_put(b, NULL, (multiple - b->bytes % multiple) % multiple);
}

static inline gw *gw_begin(uint32_t version)
{
    gw *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    g->version = version;
    g->alignment = 32;
    return g;
}

/* An entry of any type from the bytes of its value. */
static inline void gw_raw(gw *g, const char *key, uint32_t type, const void *value, size_t bytes)
{
    gw_put_text(&g->entries, key, strlen(key));
    gw_put_u32(&g->entries, type);
    gw_put(&g->entries, value, bytes);
    g->entry_count++;
}

/* Scalars: gw_u8(g, key, value), …; gw_array_u8(g, key, values, count), …. Hosts are
 * little-endian, as the format is. */
#define GW_SCALAR(name, type, id)                                                              \
    static inline void gw_##name(gw *g, const char *key, type value)                           \
    {                                                                                          \
        gw_raw(g, key, id, &value, sizeof value);                                              \
        if (strcmp(key, "general.alignment") == 0)                                             \
            g->alignment = (uint32_t)value;                                                    \
    }                                                                                          \
    static inline void gw_array_##name(gw *g, const char *key, const type *values,             \
                                       uint64_t count)                                         \
    {                                                                                          \
        gw_raw(g, key, 9, NULL, 0);                                                            \
        gw_put_u32(&g->entries, id);                                                           \
        gw_put_u64(&g->entries, count);                                                        \
        gw_put(&g->entries, values, (size_t)count * sizeof *values);                           \
    }

GW_SCALAR(u8, uint8_t, 0)
GW_SCALAR(i8, int8_t, 1)
GW_SCALAR(u16, uint16_t, 2)
GW_SCALAR(i16, int16_t, 3)
GW_SCALAR(u32, uint32_t, 4)
GW_SCALAR(i32, int32_t, 5)
GW_SCALAR(f32, float, 6)
GW_SCALAR(bool, uint8_t, 7)
GW_SCALAR(u64, uint64_t, 10)
GW_SCALAR(i64, int64_t, 11)
GW_SCALAR(f64, double, 12)
#undef GW_SCALAR

/* Text that may hold any bytes. */
static inline void gw_text(gw *g, const char *key, const char *text, size_t bytes)
{
    gw_raw(g, key, 8, NULL, 0);
    gw_put_text(&g->entries, text, bytes);
}

static inline void gw_string(gw *g, const char *key, const char *text)
{
    gw_text(g, key, text, strlen(text));
}

static inline void gw_array_string(gw *g, const char *key, const char *const *texts, uint64_t count)
{
    gw_raw(g, key, 9, NULL, 0);
    gw_put_u32(&g->entries, 8);
    gw_put_u64(&g->entries, count);
    for (uint64_t i = 0; i < count; i++)
        gw_put_text(&g->entries, texts[i], strlen(texts[i]));
}

/* The record of a tensor alone, with an offset that need not be right. */
static inline void gw_tensor_at(gw *g, const char *name, uint32_t type, uint32_t rank,
                                const uint64_t *extents, uint64_t offset)
{
    gw_put_text(&g->tensors, name, strlen(name));
    gw_put_u32(&g->tensors, rank);
    for (uint32_t i = 0; i < rank; i++)
        gw_put_u64(&g->tensors, extents[i]);
    gw_put_u32(&g->tensors, type);
    gw_put_u64(&g->tensors, offset);
    g->tensor_count++;
}

/* A tensor and its data; general.alignment must be written before. */
static inline void gw_tensor(gw *g, const char *name, uint32_t type, uint32_t rank,
                             const uint64_t *extents, const void *data, size_t bytes)
{
    gw_pad(&g->data, g->alignment);
    gw_tensor_at(g, name, type, rank, extents, g->data.bytes);
    gw_put(&g->data, data, bytes);
}

/* The file, for the caller to free(); the writer is gone afterwards. */
static inline void *gw_finish(gw *g, size_t *bytes)
{
    gw_buffer file = { 0 };
    gw_put(&file, "GGUF", 4);
    gw_put_u32(&file, g->version);
    gw_put_u64(&file, g->tensor_count);
    gw_put_u64(&file, g->entry_count);
    gw_put(&file, g->entries.data, g->entries.bytes);
    gw_put(&file, g->tensors.data, g->tensors.bytes);
    if (g->data.bytes) {
        gw_pad(&file, g->alignment ? g->alignment : 1);
        gw_put(&file, g->data.data, g->data.bytes);
    }
    free(g->entries.data);
    free(g->tensors.data);
    free(g->data.data);
    free(g);
    *bytes = file.bytes;
    return file.data;
}

#endif /* HETINFER_GGUF_WRITER_H */

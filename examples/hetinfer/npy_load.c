/* SPDX-License-Identifier: Apache-2.0 */
/* Reading arrays. The header is a Python dictionary; of that language what headers hold is
 * understood, in any order and spacing, and nothing else. Every length in the file is compared with
 * what is there before it is used. */
#include "npy.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

/* What is left of the header. */
typedef struct cursor {
    const char *at, *end;
} cursor;

typedef struct header {
    char descr[16];
    bool has_descr, has_order, has_shape, fortran;
    het_tensor_desc desc; /* dtype not yet */
} header;

static const struct {
    const char *descr;
    het_dtype dtype;
} types[] = {
    { "<f4", HET_DTYPE_F32 }, { "<f2", HET_DTYPE_F16 }, { "<f8", HET_DTYPE_F64 },
    { "|i1", HET_DTYPE_I8 },  { "<i2", HET_DTYPE_I16 }, { "<i4", HET_DTYPE_I32 },
    { "<i8", HET_DTYPE_I64 }, { "|u1", HET_DTYPE_U8 },  { "<u2", HET_DTYPE_U16 },
    { "<u4", HET_DTYPE_U32 }, { "<u8", HET_DTYPE_U64 }, { "|b1", HET_DTYPE_BOOL },
    { "<i1", HET_DTYPE_I8 },  { "<u1", HET_DTYPE_U8 },  { "<b1", HET_DTYPE_BOOL },
};

static bool take(cursor *c, char wanted)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t'))
        c->at++;
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* A quoted text without escapes; cut texts are none. */
static bool take_text(cursor *c, char *text, size_t bytes)
{
    const char quote = take(c, '\'') ? '\'' : '"';
    if (quote == '"' && !take(c, '"'))
        return false;
    size_t n = 0;
    while (c->at < c->end && *c->at != quote && n + 1 < bytes)
        text[n++] = *c->at++;
    text[n] = '\0';
    return take(c, quote);
}

static bool take_word(cursor *c, const char *word)
{
    const size_t n = strlen(word);
    cursor copy = *c;
    if (!take(&copy, word[0]) || (size_t)(copy.end - copy.at) < n - 1 ||
        memcmp(copy.at, word + 1, n - 1) != 0)
        return false;
    c->at = copy.at + n - 1;
    return true;
}

static bool take_extent(cursor *c, int64_t *extent)
{
    int64_t n = 0;
    int digits = 0;
    take(c, ' ');
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9' && digits < 18; digits++)
        n = n * 10 + (*c->at++ - '0');
    *extent = n;
    return digits > 0;
}

static bool take_shape(cursor *c, het_tensor_desc *desc)
{
    if (!take(c, '('))
        return false;
    while (!take(c, ')')) {
        if (desc->rank == HET_RANK_MAX || !take_extent(c, &desc->extent[desc->rank]))
            return false;
        desc->rank++;
        if (!take(c, ','))
            return take(c, ')');
    }
    return true;
}

static bool take_entry(cursor *c, header *h)
{
    char key[32];
    if (!take_text(c, key, sizeof key) || !take(c, ':'))
        return false;
    if (strcmp(key, "descr") == 0)
        return h->has_descr = take_text(c, h->descr, sizeof h->descr);
    if (strcmp(key, "shape") == 0)
        return h->has_shape = !h->has_shape && take_shape(c, &h->desc);
    if (strcmp(key, "fortran_order") != 0)
        return false;
    h->fortran = take_word(c, "True");
    return h->has_order = h->fortran || take_word(c, "False");
}

static bool read_dictionary(cursor c, header *h)
{
    if (!take(&c, '{'))
        return false;
    while (!take(&c, '}')) {
        if (!take_entry(&c, h))
            return false;
        if (!take(&c, ',')) {
            if (!take(&c, '}'))
                return false;
            break;
        }
    }
    return h->has_descr && h->has_order && h->has_shape;
}

static het_dtype find_type(const char *descr)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].descr, descr) == 0)
            return types[i].dtype;
    return HET_DTYPE_NONE;
}

/* Where the data starts; 0 after a sentence on stderr. */
static size_t read_header(const char *path, const char *file, size_t bytes, header *h)
{
    const unsigned char *p = (const unsigned char *)file;
    if (bytes < 10 || memcmp(p, "\x93NUMPY", 6) != 0 || p[6] < 1 || p[6] > 3) {
        failure("%s: not an array in the .npy format, version 1 to 3", path);
        return 0;
    }
    size_t start = 10, length = p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) {
        start = 12;
        length = bytes < 12 ? bytes : length | (size_t)p[10] << 16 | (size_t)p[11] << 24;
    }
    if (length > bytes - (bytes < start ? bytes : start) ||
        !read_dictionary((cursor){ file + start, file + start + length }, h)) {
        failure("%s: the header of the array is damaged, or has more than %d extents", path,
                HET_RANK_MAX);
        return 0;
    }
    h->desc.dtype = (uint32_t)find_type(h->descr);
    if (h->desc.dtype != HET_DTYPE_NONE)
        return start + length;
    failure("%s: elements of type '%s' are not read; booleans, integers and floats of 8 to 64 "
            "bits, little-endian, are", path, h->descr);
    return 0;
}

/* The element that is at a place of a dense array with columns first goes to its place with rows
 * first. */
static void turn(const het_tensor_desc *desc, const char *from, char *to, size_t size,
                 size_t count)
{
    int64_t at[HET_RANK_MAX] = { 0 };
    size_t stride[HET_RANK_MAX], step = size;
    for (uint32_t i = desc->rank; i-- > 0;) {
        stride[i] = step;
        step *= (size_t)desc->extent[i];
    }
    size_t target = 0;
    for (size_t n = 0; n < count; n++) {
        memcpy(to + target, from + n * size, size);
        for (uint32_t i = 0; i < desc->rank; i++) { /* the first extent runs fastest */
            target += stride[i];
            if (++at[i] < desc->extent[i])
                break;
            target -= stride[i] * (size_t)desc->extent[i];
            at[i] = 0;
        }
    }
}

static int take_data(const char *path, header *h, const char *data, size_t available,
                     het_tensor *t)
{
    const int64_t bytes = het_tensor_desc_bytes(&h->desc);
    if (bytes < 0)
        return failure("%s: the array has an impossible shape", path);
    if ((uint64_t)bytes > available)
        return failure("%s: the array is cut short: %lld bytes are missing", path,
                       (long long)bytes - (long long)available);
    char *copy = malloc(bytes > 0 ? (size_t)bytes : 1);
    if (!copy)
        return failure("%s: out of memory", path);
    const size_t size = (size_t)het_dtype_bytes((het_dtype)h->desc.dtype, 1);
    if (h->fortran && h->desc.rank > 1)
        turn(&h->desc, data, copy, size, (size_t)bytes / size);
    else
        memcpy(copy, data, (size_t)bytes);
    for (int64_t i = 0; h->desc.dtype == HET_DTYPE_BOOL && i < bytes; i++)
        copy[i] = copy[i] != 0;
    *t = (het_tensor)HET_TENSOR_INIT;
    t->desc = h->desc;
    t->data = copy;
    t->size_bytes = (size_t)bytes;
    return STATUS_GO;
}

int npy_load(const char *path, het_tensor *tensor)
{
    size_t bytes = 0;
    char *file = read_file(path, &bytes);
    if (!file)
        return STATUS_FAILED;
    header h = { .desc = HET_TENSOR_DESC_INIT };
    const size_t start = read_header(path, file, bytes, &h);
    const int status = start ? take_data(path, &h, file + start, bytes - start, tensor)
                             : STATUS_FAILED;
    free(file);
    return status;
}

/* ---- other types ---- */

static void round_to_bfloat16(het_tensor *t)
{
    const size_t count = t->size_bytes / 4;
    for (size_t i = 0; i < count; i++) {
        uint32_t x;
        memcpy(&x, (char *)t->data + 4 * i, sizeof x);
        if ((x & 0x7fffffff) > 0x7f800000) /* stays not-a-number when its low bits go */
            x |= 0x00400000;
        else
            x += 0x7fff + (x >> 16 & 1);
        const uint16_t half = (uint16_t)(x >> 16);
        memcpy((char *)t->data + 2 * i, &half, sizeof half);
    }
    t->size_bytes = 2 * count;
}

bool npy_become(het_tensor *t, het_dtype dtype)
{
    const uint32_t from = t->desc.dtype;
    bool known = from == (uint32_t)dtype;
    if (dtype == HET_DTYPE_BF16 && from == HET_DTYPE_F32) {
        round_to_bfloat16(t);
        known = true;
    }
    if (dtype == HET_DTYPE_I4 || dtype == HET_DTYPE_I2)
        known = from == HET_DTYPE_I8;
    else if ((dtype >= HET_DTYPE_F8E4M3 && dtype <= HET_DTYPE_F4E2M1) || dtype == HET_DTYPE_U4 ||
             dtype == HET_DTYPE_U2)
        known = from == HET_DTYPE_U8;
    if (known)
        t->desc.dtype = (uint32_t)dtype;
    return known;
}

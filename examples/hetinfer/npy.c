/* SPDX-License-Identifier: Apache-2.0 */
/* Writing arrays.
 *
 *     "\x93NUMPY" 1 0 | u16 length of the rest, little-endian | dictionary, blanks, "\n" | data
 *
 * The data starts at a multiple of 64 bytes (NumPy format 1.0). Values are written as the machine
 * holds them and declared little-endian, which is what every supported machine is. Where the number
 * of rows is known only at the end, the header has a fixed size and is written twice. */
#include "npy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 128
/* Eight extents of 20 digits, and what is around them. */
#define HEADER_MOST 320

static bool write_header(FILE *f, const char *descr, const int64_t *extent, uint32_t rank)
{
    char text[HEADER_MOST];
    size_t n = (size_t)snprintf(text, sizeof text,
                                "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (uint32_t i = 0; i < rank && i < HET_RANK_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, i + 1 < rank ? "%lld, " : "%lld,",
                              (long long)extent[i]);
    n += (size_t)snprintf(text + n, sizeof text - n, "), }");
    char header[HEADER_MOST + 64];
    size_t bytes = (10 + n + 1 + 63) / 64 * 64;
    bytes = bytes < HEADER_BYTES ? HEADER_BYTES : bytes;
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((bytes - 10) & 0xff);
    header[9] = (char)((bytes - 10) >> 8);
    memcpy(header + 10, text, n);
    header[bytes - 1] = '\n';
    return fwrite(header, 1, bytes, f) == bytes;
}

/* ---- row by row ---- */

static bool write_rows_header(const npy *out)
{
    const int64_t extent[2] = { (int64_t)out->rows, (int64_t)out->columns };
    return write_header(out->file, "<f4", extent, 2);
}

bool npy_create(npy *out, const char *path, uint64_t columns)
{
    *out = (npy){ .file = fopen(path, "wb"), .columns = columns };
    if (out->file && write_rows_header(out))
        return true;
    if (out->file)
        fclose(out->file);
    out->file = NULL;
    return false;
}

bool npy_append(npy *out, const float *rows, size_t row_count)
{
    const size_t values = row_count * (size_t)out->columns;
    if (fwrite(rows, sizeof *rows, values, out->file) != values)
        return false;
    out->rows += row_count;
    return true;
}

bool npy_close(npy *out)
{
    bool whole = fseek(out->file, 0, SEEK_SET) == 0 && write_rows_header(out) &&
                 !ferror(out->file);
    whole = fclose(out->file) == 0 && whole;
    out->file = NULL;
    return whole;
}

/* ---- whole tensors ---- */

static const char *descr_of(uint32_t dtype)
{
    switch (dtype) {
    case HET_DTYPE_F32:
    case HET_DTYPE_BF16: return "<f4";
    case HET_DTYPE_F16: return "<f2";
    case HET_DTYPE_F64: return "<f8";
    case HET_DTYPE_I8:
    case HET_DTYPE_I4:
    case HET_DTYPE_I2: return "|i1";
    case HET_DTYPE_I16: return "<i2";
    case HET_DTYPE_I32: return "<i4";
    case HET_DTYPE_I64: return "<i8";
    case HET_DTYPE_U16: return "<u2";
    case HET_DTYPE_U32: return "<u4";
    case HET_DTYPE_U64: return "<u8";
    case HET_DTYPE_BOOL: return "|b1";
    default: return "|u1"; /* bytes, or the bits of a type that NumPy does not have */
    }
}

static bool write_bfloat16(FILE *f, const het_tensor *t)
{
    const size_t count = (size_t)het_tensor_desc_bytes(&t->desc) / 2;
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, (const char *)t->data + 2 * i, sizeof half);
        const uint32_t whole = (uint32_t)half << 16;
        if (fwrite(&whole, sizeof whole, 1, f) != 1)
            return false;
    }
    return true;
}

bool npy_save(const char *path, const het_tensor *t)
{
    const int64_t bytes = het_tensor_desc_bytes(&t->desc);
    FILE *f = bytes >= 0 ? fopen(path, "wb") : NULL;
    if (!f) {
        errno = bytes < 0 ? EINVAL : errno;
        return false;
    }
    bool whole = write_header(f, descr_of(t->desc.dtype), t->desc.extent, t->desc.rank);
    if (whole && t->desc.dtype == HET_DTYPE_BF16)
        whole = write_bfloat16(f, t);
    else if (whole && bytes > 0)
        whole = fwrite(t->data, 1, (size_t)bytes, f) == (size_t)bytes;
    return fclose(f) == 0 && whole;
}

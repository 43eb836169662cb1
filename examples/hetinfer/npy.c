/* SPDX-License-Identifier: Apache-2.0 */
/* The number of rows is known only at the end, so the header has a fixed size and is written twice.
 *
 *     "\x93NUMPY" 1 0 | u16 length of the rest, little-endian | dictionary, blanks, "\n" | data
 *
 * The data starts at a multiple of 64 bytes (NumPy format 1.0). Values are written as the machine
 * holds them and declared little-endian, which is what every supported machine is.
 */
#include "npy.h"

#include <string.h>

#define HEADER_BYTES 128

static bool write_header(const npy *out)
{
    char header[HEADER_BYTES];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(HEADER_BYTES - 10);
    header[9] = 0;
    char dictionary[HEADER_BYTES - 10];
    const int n = snprintf(dictionary, sizeof dictionary,
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %llu), }",
                           (unsigned long long)out->rows, (unsigned long long)out->columns);
    memcpy(header + 10, dictionary, (size_t)n);
    header[HEADER_BYTES - 1] = '\n';
    return fwrite(header, 1, sizeof header, out->file) == sizeof header;
}

bool npy_create(npy *out, const char *path, uint64_t columns)
{
    *out = (npy){ .file = fopen(path, "wb"), .columns = columns };
    if (out->file && write_header(out))
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
    bool whole = fseek(out->file, 0, SEEK_SET) == 0 && write_header(out) && !ferror(out->file);
    whole = fclose(out->file) == 0 && whole;
    out->file = NULL;
    return whole;
}

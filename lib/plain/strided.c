/* SPDX-License-Identifier: Apache-2.0 */
/* Copying between regular layouts. Axes are merged first; then the innermost decides:
 *
 *   dense on both sides              one memcpy per run
 *   dense in the target only, and
 *   another axis dense in the source squares of that axis and the last, a cache line wide
 *   anything else                    element by element, of 1, 2, 4, 8 or any number of bytes */
#include "lib/plain/strided.h"

#include <assert.h>
#include <string.h>

/* Of a cache: what one access brings. */
#define LINE_BYTES 64
/* Bytes that filling copies at a time: a part of the L1. */
#define FILL_PIECE 4096

void het__strided_dense(het__strided *s, size_t element)
{
    int64_t step = (int64_t)element;
    for (uint32_t i = s->rank; i-- > 0;) {
        s->to[i] = step;
        step *= s->extent[i];
    }
}

/* Axes of one place go; neighbours that continue one another on both sides become one. */
static void merge(het__strided *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->rank; i++) {
        if (s->extent[i] == 1)
            continue;
        if (n && s->to[n - 1] == s->to[i] * s->extent[i] &&
            s->from[n - 1] == s->from[i] * s->extent[i]) {
            s->extent[n - 1] *= s->extent[i];
        } else {
            s->extent[n] = s->extent[i];
            n++;
        }
        s->to[n - 1] = s->to[i];
        s->from[n - 1] = s->from[i];
    }
    s->rank = n;
}

#define STEPS(bytes) \
    for (int64_t i = 0; i < n; i++) \
        memcpy(to + i * to_step, from + i * from_step, bytes)

/* n elements in a line. */
static void copy_line(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t n,
                      size_t element)
{
    if (from_step == 0 && to_step == (int64_t)element) {
        het__fill(to, from, element, n);
        return;
    }
    switch (element) {
    case 1: STEPS(1); break;
    case 2: STEPS(2); break;
    case 4: STEPS(4); break;
    case 8: STEPS(8); break;
    default: STEPS(element); break;
    }
}

/* A square of one cache line's width: lines are read and written once and whole, since those of a
 * tensor whose rows are a power of two apart drive one another out of the cache. */
#define TURN(type) \
    enum { SIDE = LINE_BYTES / sizeof(type) }; \
    type in[SIDE][SIDE], out[SIDE][SIDE]; \
    for (int c = 0; c < SIDE; c++) \
        memcpy(in[c], from + c * column_from, sizeof in[c]); \
    for (int r = 0; r < SIDE; r++) \
        for (int c = 0; c < SIDE; c++) \
            out[r][c] = in[c][r]; \
    for (int r = 0; r < SIDE; r++) \
        memcpy(to + r * row_to, out[r], sizeof out[r])

static void turn(char *to, int64_t row_to, const char *from, int64_t column_from, size_t element)
{
    switch (element) {
    case 1: { TURN(uint8_t); break; }
    case 2: { TURN(uint16_t); break; }
    case 4: { TURN(uint32_t); break; }
    default: { TURN(uint64_t); break; }
    }
}

/* A rectangle whose columns are dense in the target and whose rows are dense in the source. */
static void copy_tiles(char *to, int64_t row_to, const char *from, int64_t column_from,
                       int64_t rows, int64_t columns, size_t element)
{
    const int64_t step = (int64_t)element, side = LINE_BYTES / step;
    for (int64_t c = 0; c < columns; c += side) {
        const int64_t width = columns - c < side ? columns - c : side;
        for (int64_t r = 0; r < rows; r += side) {
            char *const corner = to + r * row_to + c * step;
            const char *const source = from + r * step + c * column_from;
            const int64_t height = rows - r < side ? rows - r : side;
            if (width == side && height == side) {
                turn(corner, row_to, source, column_from, element);
                continue;
            }
            for (int64_t k = 0; k < height; k++)
                copy_line(corner + k * row_to, step, source + k * step, column_from, width,
                          element);
        }
    }
}

/* Where a walk over the outer axes stands. */
typedef struct place {
    int64_t at[HET__STRIDED_MAX];
    char *to;
    const char *from;
} place;

static bool next(const het__strided *s, uint32_t rank, place *p)
{
    for (uint32_t i = rank; i-- > 0;) {
        p->to += s->to[i];
        p->from += s->from[i];
        if (++p->at[i] < s->extent[i])
            return true;
        p->to -= s->to[i] * s->extent[i];
        p->from -= s->from[i] * s->extent[i];
        p->at[i] = 0;
    }
    return false;
}

/* The axis that is dense in the source goes to the end but one; rank: no such axis. */
static uint32_t find_rows(het__strided *s, int64_t element)
{
    for (uint32_t i = 0; i + 1 < s->rank; i++) {
        if (s->from[i] != element)
            continue;
        const uint32_t end = s->rank - 2;
        const int64_t extent = s->extent[i], to = s->to[i];
        memmove(&s->extent[i], &s->extent[i + 1], (end - i) * sizeof s->extent[0]);
        memmove(&s->to[i], &s->to[i + 1], (end - i) * sizeof s->to[0]);
        memmove(&s->from[i], &s->from[i + 1], (end - i) * sizeof s->from[0]);
        s->extent[end] = extent;
        s->to[end] = to;
        s->from[end] = element;
        return end;
    }
    return s->rank;
}

void het__strided_copy(het__strided *s, void *target, const void *source, size_t element)
{
    assert(s->rank <= HET__STRIDED_MAX && 8 % element == 0);
    for (uint32_t i = 0; i < s->rank; i++)
        if (s->extent[i] == 0)
            return;
    merge(s);
    const int64_t step = (int64_t)element;
    place p = { .to = target, .from = source };
    if (s->rank == 0) {
        memcpy(target, source, element);
        return;
    }
    const uint32_t last = s->rank - 1;
    if (s->to[last] == step && s->from[last] == step) {
        const size_t bytes = (size_t)s->extent[last] * element;
        do
            memcpy(p.to, p.from, bytes);
        while (next(s, last, &p));
    } else if (s->to[last] == step && find_rows(s, step) < s->rank) {
        do
            copy_tiles(p.to, s->to[last - 1], p.from, s->from[last], s->extent[last - 1],
                       s->extent[last], element);
        while (next(s, last - 1, &p));
    } else {
        do
            copy_line(p.to, s->to[last], p.from, s->from[last], s->extent[last], element);
        while (next(s, last, &p));
    }
}

void het__fill(void *target, const void *value, size_t element, int64_t count)
{
    if (count <= 0)
        return;
    const size_t bytes = (size_t)count * element;
    char *to = target;
    memcpy(to, value, element);
    /* What is filled is copied behind itself, in pieces that stay in a cache. */
    for (size_t done = element; done < bytes;) {
        const size_t piece = done < FILL_PIECE ? done : FILL_PIECE / element * element;
        const size_t n = bytes - done < piece ? bytes - done : piece;
        memcpy(to + done, to, n);
        done += n;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/amd_xrt_npu/txn.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"

#define HEADER_WORDS 4
#define ROWS_OF_ARRAY 6 /* shim, memory and four of cores, in the generations that are known */
#define BD_WORDS 8

/* ---- writing ---- */

/* Room for count words, zero, or NULL. */
static uint32_t *more(het__txn *t, size_t count)
{
    if (t->count + count > t->capacity) {
        const size_t capacity = 2 * t->capacity + count + 256;
        uint32_t *grown =
            t->failed ? NULL : het__realloc(t->mem, t->words, capacity * sizeof *grown);
        if (!grown) {
            t->failed = true;
            return NULL;
        }
        t->words = grown;
        t->capacity = capacity;
    }
    uint32_t *at = t->words + t->count;
    memset(at, 0, count * sizeof *at);
    t->count += count;
    t->operations++;
    return at;
}

void het__txn_begin(het__txn *t, het__mem *mem, het__txn_form form, uint32_t generation,
                    uint32_t columns)
{
    *t = (het__txn){ .mem = mem, .form = form };
    uint32_t *w = more(t, HEADER_WORDS);
    t->operations = 0;
    if (!w)
        return;
    w[0] = (uint32_t)ROWS_OF_ARRAY << 24 | generation << 16 | (form == HET__TXN_0_1 ? 0x100u : 1u);
    w[1] = 1u << 8 | columns; /* one row of memory tiles */
}

void het__txn_write(het__txn *t, uint32_t address, uint32_t value)
{
    const bool is_long = t->form == HET__TXN_0_1;
    uint32_t *w = more(t, is_long ? 6 : 3);
    if (!w)
        return;
    w[0] = HET__TXN_WRITE;
    w[is_long ? 2 : 1] = address;
    w[is_long ? 4 : 2] = value;
    if (is_long)
        w[5] = 6 * sizeof *w;
}

void het__txn_block(het__txn *t, uint32_t address, const uint32_t *words, uint32_t count)
{
    const uint32_t head = t->form == HET__TXN_0_1 ? 4 : 3;
    uint32_t *w = more(t, head + count);
    if (!w)
        return;
    w[0] = HET__TXN_BLOCK;
    w[head - 2] = address;
    w[head - 1] = (head + count) * (uint32_t)sizeof *w;
    memcpy(w + head, words, count * sizeof *w);
}

void het__txn_mask(het__txn *t, uint32_t address, uint32_t value, uint32_t mask)
{
    const bool is_long = t->form == HET__TXN_0_1;
    uint32_t *w = more(t, is_long ? 7 : 4);
    if (!w)
        return;
    w[0] = HET__TXN_MASK;
    w[is_long ? 2 : 1] = address;
    w[is_long ? 4 : 2] = value;
    w[is_long ? 5 : 3] = mask;
    if (is_long)
        w[6] = 7 * sizeof *w;
}

void het__txn_patch(het__txn *t, uint32_t address, uint32_t argument, uint32_t plus)
{
    const bool is_long = t->form == HET__TXN_0_1;
    const uint32_t count = is_long ? 12 : 6;
    uint32_t *w = more(t, count);
    if (!w)
        return;
    w[0] = HET__TXN_PATCH;
    w[1] = count * (uint32_t)sizeof *w;
    w[is_long ? 6 : 2] = address;
    w[is_long ? 8 : 3] = argument;
    w[is_long ? 10 : 4] = plus;
}

void het__txn_sync(het__txn *t, uint32_t column)
{
    uint32_t *w = more(t, 4);
    if (!w)
        return;
    w[0] = HET__TXN_SYNC;
    w[1] = 4 * sizeof *w;
    w[2] = column << 16;          /* direction 0, row 0 */
    w[3] = 1u << 8 | 1u << 16;    /* one row, one column, channel 0 */
}

bool het__txn_end(het__txn *t)
{
    if (t->failed) {
        het__free(t->mem, t->words);
        t->words = NULL;
        return false;
    }
    t->words[2] = t->operations;
    t->words[3] = (uint32_t)(t->count * sizeof *t->words);
    return true;
}

/* ---- files ---- */

static int hex_of(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Words of up to eight digits, one per line; false if it is something else. */
static bool read_text(const unsigned char *at, size_t size, uint32_t *words, size_t *count)
{
    size_t n = 0, i = 0;
    while (i < size) {
        uint32_t word = 0;
        int digits = 0;
        for (; i < size && hex_of(at[i]) >= 0; i++, digits++)
            word = word << 4 | (uint32_t)hex_of(at[i]);
        if (digits < 1 || digits > 8)
            return false;
        words[n++] = word;
        while (i < size && (at[i] == '\n' || at[i] == '\r'))
            i++;
    }
    *count = n;
    return n > 0;
}

het_status het__txn_read(het__mem *mem, const void *bytes, size_t size, uint32_t **words,
                         size_t *count, het_error *err)
{
    const unsigned char *at = bytes;
    if (size < HEADER_WORDS * sizeof **words || size > HET__TXN_BYTES_MAX)
        return het__fail(err, HET_E_FORMAT, "instructions of %zu bytes", size);
    uint32_t *made = het__alloc(mem, (size + 1) / 2 * sizeof *made); /* "0\n0" is the shortest */
    if (!made)
        return het__fail_nomem(err, "instructions");
    if (!read_text(at, size, made, count)) {
        if (size % sizeof *made != 0) {
            het__free(mem, made);
            return het__fail(err, HET_E_FORMAT, "instructions are neither words nor a text of "
                                                "hexadecimal words");
        }
        *count = size / sizeof *made;
        for (size_t i = 0; i < *count; i++)
            made[i] = at[4 * i] | (uint32_t)at[4 * i + 1] << 8 | (uint32_t)at[4 * i + 2] << 16 |
                      (uint32_t)at[4 * i + 3] << 24;
    }
    *words = made;
    return HET_OK;
}

/* ---- checking ---- */

typedef struct descriptor {
    uint32_t words[BD_WORDS];
    uint32_t argument;
    uint64_t plus;
    bool is_written, is_patched;
} descriptor;

typedef struct checker {
    const uint32_t *words;
    size_t count, at;
    bool is_long;
    uint32_t columns;
    uint64_t tokens[16];                 /* of a column: asked for and not waited for */
    const uint64_t *argument_bytes;
    descriptor bd[16][HET__NPU_BD_COUNT];
} checker;

static het_status bad(const checker *c, het_error *err, const char *what)
{
    return het__fail(err, HET_E_FORMAT, "instruction at word %zu: %s", c->at, what);
}

/* Column of a register, and its place in the tile; false: not a shim tile of the design. */
static bool place_of(const checker *c, uint32_t address, uint32_t *column, uint32_t *reg)
{
    *column = address >> HET__NPU_COLUMN_SHIFT;
    *reg = address & ((1u << HET__NPU_COLUMN_SHIFT) - 1);
    return *column < c->columns;
}

static het_status check_block(checker *c, uint32_t address, const uint32_t *data, size_t count,
                              het_error *err)
{
    uint32_t column, reg;
    if (!place_of(c, address, &column, &reg) || reg < HET__NPU_BD ||
        reg >= HET__NPU_BD + 32 * HET__NPU_BD_COUNT || (reg - HET__NPU_BD) % 32 != 0)
        return bad(c, err, "a block goes to something that is no buffer descriptor");
    if (count != BD_WORDS)
        return bad(c, err, "a buffer descriptor has 8 words");
    descriptor *d = &c->bd[column][(reg - HET__NPU_BD) / 32];
    memcpy(d->words, data, sizeof d->words);
    d->is_written = true;
    d->is_patched = false;
    return HET_OK;
}

static het_status check_patch(checker *c, uint32_t address, uint32_t argument, uint32_t plus,
                              het_error *err)
{
    uint32_t column, reg;
    if (!place_of(c, address, &column, &reg) || reg < HET__NPU_BD ||
        reg >= HET__NPU_BD + 32 * HET__NPU_BD_COUNT || (reg - HET__NPU_BD) % 32 != 4)
        return bad(c, err, "a patch goes to something that is no address of a descriptor");
    if (argument >= HET__TXN_ARGUMENTS)
        return bad(c, err, "a patch names an argument that there is not");
    descriptor *d = &c->bd[column][(reg - HET__NPU_BD) / 32];
    if (!d->is_written)
        return bad(c, err, "a patch of a descriptor that was not written");
    d->argument = argument;
    d->plus = plus;
    d->is_patched = true;
    return HET_OK;
}

/* The byte behind the last that a descriptor moves in `runs` runs. Fields hold counts and strides
 * of words; strides are stored less one, and a count of 0 of the first two means: no end. */
static uint64_t end_of(const descriptor *d, uint64_t runs)
{
    const uint64_t length = d->words[0];
    const uint64_t size0 = d->words[3] >> 20 & 0x3ff, stride0 = (d->words[3] & 0xfffff) + 1;
    const uint64_t size1 = d->words[4] >> 20 & 0x3ff, stride1 = (d->words[4] & 0xfffff) + 1;
    const uint64_t stride2 = (d->words[5] & 0xfffff) + 1;
    const uint64_t turns = (d->words[6] >> 20 & 0x3f) + 1;
    const uint64_t turn_stride = (d->words[6] & 0xfffff) + 1;
    const uint64_t n0 = size0 && size0 < length ? size0 : length;
    const uint64_t rest = n0 ? (length + n0 - 1) / n0 : 0;
    const uint64_t n1 = size1 && size1 < rest ? size1 : rest;
    const uint64_t n2 = n1 ? (rest + n1 - 1) / n1 : 0;
    if (length == 0)
        return 0;
    const uint64_t turned = (turns < runs ? turns : runs) - 1;
    const uint64_t last = (n0 - 1) * stride0 + (n1 - 1) * stride1 + (n2 - 1) * stride2 +
                          turned * turn_stride;
    return d->plus + 4 * (last + 1);
}

static het_status check_write(checker *c, uint32_t address, uint32_t value, het_error *err)
{
    uint32_t column, reg;
    const bool is_queue = place_of(c, address, &column, &reg) &&
                          (reg == HET__NPU_S2MM_QUEUE || reg == HET__NPU_S2MM_QUEUE + 8 ||
                           reg == HET__NPU_MM2S_QUEUE || reg == HET__NPU_MM2S_QUEUE + 8);
    if (!is_queue)
        return bad(c, err, "a write goes to something that is no queue of a data mover");
    const descriptor *d = &c->bd[column][value & 0xf];
    if (!d->is_written || !d->is_patched)
        return bad(c, err, "a queued descriptor has no address");
    if (d->words[6] >> 26 != 0 || d->words[7] >> 25 != 1)
        return bad(c, err, "a queued descriptor is not valid, begins in the middle or has another "
                           "behind it");
    if (end_of(d, (value >> 16 & 0xff) + 1) > c->argument_bytes[d->argument])
        return bad(c, err, "a descriptor reaches beyond the argument's buffer");
    if (value >> 31)
        c->tokens[column]++;
    return HET_OK;
}

static het_status check_sync(checker *c, const uint32_t *w, het_error *err)
{
    const uint32_t column = w[2] >> 16 & 0xff, columns = w[3] >> 16 & 0xff;
    if ((w[2] & 0xff) != 0 || (w[2] >> 8 & 0xff) != 0 || w[3] >> 24 != 0)
        return bad(c, err, "a wait for something else than results");
    if (columns == 0 || column + columns > c->columns)
        return bad(c, err, "a wait for columns that there are not");
    for (uint32_t i = column; i < column + columns; i++) {
        if (c->tokens[i] == 0)
            return bad(c, err, "a wait for a token that nothing gives");
        c->tokens[i]--;
    }
    return HET_OK;
}

/* Words of the operation at c->at by its kind alone; 0: no such kind. For a block only its head. */
static size_t length_of(const checker *c)
{
    switch (c->words[c->at] & 0xff) {
    case HET__TXN_WRITE: return c->is_long ? 6 : 3;
    case HET__TXN_BLOCK: return c->is_long ? 4 : 3;
    case HET__TXN_MASK: return c->is_long ? 7 : 4;
    case HET__TXN_SYNC: return 4;
    case HET__TXN_PATCH: return c->is_long ? 12 : 6;
    default: return 0;
    }
}

static het_status check_operation(checker *c, size_t *length, het_error *err)
{
    const uint32_t *w = c->words + c->at;
    const size_t left = c->count - c->at;
    *length = length_of(c);
    if (*length == 0)
        return bad(c, err, "an operation of no known kind");
    if (*length > left)
        return bad(c, err, "an operation is cut off");
    switch (w[0] & 0xff) {
    case HET__TXN_BLOCK: {
        const size_t head = *length, whole = w[head - 1] / sizeof *w;
        if (w[head - 1] % sizeof *w != 0 || whole <= head || whole > left)
            return bad(c, err, "a block has a length that cannot be");
        *length = whole;
        return check_block(c, w[head - 2], w + head, whole - head, err);
    }
    case HET__TXN_WRITE:
        return check_write(c, w[c->is_long ? 2 : 1], w[c->is_long ? 4 : 2], err);
    case HET__TXN_PATCH:
        if (w[1] != *length * sizeof *w)
            return bad(c, err, "a patch has a length that cannot be");
        return check_patch(c, w[c->is_long ? 6 : 2], w[c->is_long ? 8 : 3],
                           w[c->is_long ? 10 : 4], err);
    case HET__TXN_SYNC:
        return check_sync(c, w, err);
    default: {
        uint32_t column, reg;
        const bool known = place_of(c, w[c->is_long ? 2 : 1], &column, &reg) &&
                           (reg == HET__NPU_S2MM_CONTROL || reg == HET__NPU_S2MM_CONTROL + 8);
        return known ? HET_OK : bad(c, err, "bits of a register that is no control of a mover");
    }
    }
}

het_status het__txn_check(const uint32_t *words, size_t count, uint32_t columns,
                          const uint64_t argument_bytes[HET__TXN_ARGUMENTS], het_error *err)
{
    assert(columns >= 1 && columns <= 16);
    checker c = { .words = words, .count = count, .columns = columns,
                  .argument_bytes = argument_bytes };
    if (count < HEADER_WORDS || words[3] != count * sizeof *words)
        return bad(&c, err, "the header has another length");
    const uint32_t form = words[0] & 0xffff;
    if (form != 0x100 && form != 1)
        return bad(&c, err, "the header names a form that is not known");
    c.is_long = form == 0x100;
    uint32_t operations = 0;
    for (c.at = HEADER_WORDS; c.at < count; operations++) {
        size_t length;
        const het_status s = check_operation(&c, &length, err);
        if (s != HET_OK)
            return s;
        c.at += length;
    }
    if (operations != words[2])
        return bad(&c, err, "the header has another count of operations");
    for (uint32_t i = 0; i < columns; i++)
        if (c.tokens[i])
            return bad(&c, err, "a result is never waited for");
    return HET_OK;
}

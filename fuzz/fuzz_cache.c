/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a file of the cache of re-laid weights as it stands. It is read once so, and once with
 * everything repaired that only says what the file is: magic, key, size, checksum, so that entries
 * and counts are reached.
 *
 * Properties: memory is bounded by the input's size; a refusal carries a message of printable ASCII
 * and leaves nothing behind; every entry lies inside the input, on pages of its own, has its sums,
 * and is found again; an index written from the same entries is read back as it was; when an
 * allocation fails, the answer is out of memory or what it was before. */
#include "fuzz.h"

#include <string.h>

#include "backends/cpu_onednn/cache_file.h"

static const het__cache_key key = { { { 1, 2, 3 } }, "fuzz", 7, HET__CACHE_EXACT };

typedef struct bytes {
    const uint8_t *data;
    size_t size;
} bytes;

static bool read_bytes(void *user, uint64_t offset, void *target, size_t count)
{
    const bytes *b = user;
    if (offset > b->size || count > b->size - offset)
        return false;
    memcpy(target, b->data + offset, count);
    return true;
}

static het_status open_index(het__cache_index *index, het__mem *mem, bytes *file, het_error *err)
{
    const het__cache_input input = { read_bytes, file, file->size };
    return het__cache_index_read(index, mem, &input, &key, err);
}

static void check_refusal(const het__cache_index *index, het_status status, const het_error *err)
{
    FUZZ_REQUIRE(status == HET_E_FORMAT || status == HET_E_NOMEM);
    FUZZ_REQUIRE(err->status == (int32_t)status && err->message[0]);
    for (const char *p = err->message; *p; p++)
        FUZZ_REQUIRE(*p >= 0x20 && *p < 0x7f);
    FUZZ_REQUIRE(!index->entries && !index->sums && !index->header.entry_count);
}

static void check_entries(const het__cache_index *index, size_t size)
{
    uint64_t end = sizeof index->header + het__cache_table_bytes(&index->header), part = 0;
    uint32_t next = 0;
    for (uint32_t i = 0; i < index->header.entry_count; i++) {
        const het__cache_entry *e = &index->entries[i];
        FUZZ_REQUIRE(e->offset % HET__CACHE_PAGE == 0 && e->offset >= end && e->bytes > 0);
        FUZZ_REQUIRE(e->offset <= size && e->bytes <= size - e->offset);
        FUZZ_REQUIRE(e->part == part);
        end = e->offset + e->bytes;
        part += het__cache_parts(e->bytes);
        const het__cache_entry *found = het__cache_find(index, e, &next);
        FUZZ_REQUIRE(found && memcmp(&found->name, &e->name, sizeof e->name) == 0 &&
                     found->bytes == e->bytes && found->form == e->form);
    }
    FUZZ_REQUIRE(part == index->header.part_count);
    het__cache_entry other = { .n = -1 };
    FUZZ_REQUIRE(!het__cache_find(index, &other, &next) || index->header.entry_count);
}

/* A file of which only the beginning exists. */
typedef struct beginning {
    const het__cache_index *index;
} beginning;

static bool read_beginning(void *user, uint64_t offset, void *target, size_t count)
{
    const het__cache_index *index = ((const beginning *)user)->index;
    const size_t head = sizeof index->header;
    FUZZ_REQUIRE(offset == 0 ? count == head
                             : offset == head && count == het__cache_table_bytes(&index->header));
    memcpy(target, offset == 0 ? (const void *)&index->header : index->entries, count);
    return true;
}

static void check_writing(const het__cache_index *index, het__mem *mem)
{
    const uint32_t count = index->header.entry_count;
    het__cache_index made, back;
    het_error err = HET_ERROR_INIT;
    FUZZ_REQUIRE(het__cache_index_make(&made, mem, &key, count, index->header.part_count));
    memcpy(made.entries, index->entries, het__cache_table_bytes(&index->header));
    het__cache_index_lay_out(&made);
    het__cache_index_seal(&made);
    beginning b = { &made };
    const het__cache_input input = { read_beginning, &b, made.header.file_bytes };
    FUZZ_REQUIRE(het__cache_index_read(&back, mem, &input, &key, &err) == HET_OK);
    FUZZ_REQUIRE(memcmp(&back.header, &made.header, sizeof made.header) == 0);
    FUZZ_REQUIRE(
        memcmp(back.entries, made.entries, het__cache_table_bytes(&made.header)) == 0);
    het__cache_index_free(&back, mem);
    het__cache_index_free(&made, mem);
}

static void check_file(bytes file)
{
    fuzz_memory memory;
    het__mem mem;
    het__cache_index index;
    het_error err = HET_ERROR_INIT;
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    const het_status status = open_index(&index, &mem, &file, &err);
    FUZZ_REQUIRE(atomic_load(&mem.peak) <= 128 + file.size);
    if (status == HET_OK) {
        check_entries(&index, file.size);
        check_writing(&index, &mem);
        het__cache_index_free(&index, &mem);
    } else {
        check_refusal(&index, status, &err);
    }
    FUZZ_REQUIRE(memory.live == 0);
    fuzz_mem_init(&mem, &memory, 0);
    err = (het_error)HET_ERROR_INIT;
    const het_status without = open_index(&index, &mem, &file, &err);
    FUZZ_REQUIRE(without == HET_E_NOMEM || without == status);
    check_refusal(&index, without, &err);
    FUZZ_REQUIRE(memory.live == 0);
}

/* entries and sums lie behind the header in memory as in the file. */
static void repair(uint8_t *data, size_t size)
{
    het__cache_index index;
    fuzz_memory memory;
    het__mem mem;
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    FUZZ_REQUIRE(het__cache_index_make(&index, &mem, &key, 0, 0));
    het__cache_header h = index.header, *old = (het__cache_header *)(void *)data;
    het__cache_index_free(&index, &mem);
    h.entry_count = old->entry_count;
    h.part_count = old->part_count;
    h.file_bytes = size;
    index.header = h;
    index.entries = (het__cache_entry *)(void *)(data + sizeof h);
    if (het__cache_table_bytes(&h) <= size - sizeof h)
        het__cache_index_seal(&index);
    *old = index.header;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_file((bytes){ data, size });
    if (size < sizeof(het__cache_header))
        return 0;
    uint8_t *copy = malloc(size);
    FUZZ_REQUIRE(copy);
    memcpy(copy, data, size);
    repair(copy, size);
    check_file((bytes){ copy, size });
    free(copy);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu_onednn/cache_file.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"

#define MAGIC "HETCACH\n"
#define ORDER 0x01020304u
#define VERSION 1u

_Static_assert(sizeof(het__cache_header) == 88 && sizeof(het__cache_entry) == 64,
               "what is written has no holes");

size_t het__cache_table_bytes(const het__cache_header *header)
{
    return (size_t)header->entry_count * sizeof(het__cache_entry) +
           (size_t)header->part_count * sizeof(uint64_t);
}

static uint64_t checksum(const het__cache_index *index)
{
    const uint64_t seed = het__hash64(&index->header, offsetof(het__cache_header, checksum), 0);
    return het__hash64(index->entries, het__cache_table_bytes(&index->header), seed);
}

/* ---- reading ---- */

static het_status check_key(const het__cache_key *found, const het__cache_key *key,
                            het_error *err)
{
    if (memcmp(&found->content, &key->content, sizeof key->content) != 0)
        return het__fail(err, HET_E_FORMAT, "made from another model");
    if (memcmp(found->level, key->level, sizeof key->level) != 0)
        return het__fail(err, HET_E_FORMAT, "made for another instruction-set level");
    if (found->layout != key->layout)
        return het__fail(err, HET_E_FORMAT, "made for version %u of the forms, not %u",
                         found->layout, key->layout);
    if (found->choice != key->choice)
        return het__fail(err, HET_E_FORMAT, "made for another precision");
    return HET_OK;
}

static het_status check_header(const het__cache_header *h, const het__cache_input *input,
                               const het__cache_key *key, het_error *err)
{
    if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0)
        return het__fail(err, HET_E_FORMAT, "does not begin as a cache of weights does");
    if (h->order != ORDER)
        return het__fail(err, HET_E_FORMAT, "made on a machine of another byte order");
    if (h->version != VERSION)
        return het__fail(err, HET_E_FORMAT, "version %u of the file, not %u", h->version, VERSION);
    if (h->file_bytes != input->bytes)
        return het__fail(err, HET_E_FORMAT, "%llu bytes, its header says %llu",
                         (unsigned long long)input->bytes, (unsigned long long)h->file_bytes);
    if (h->part_bytes != HET__CACHE_PART)
        return het__fail(err, HET_E_FORMAT, "parts of %llu bytes",
                         (unsigned long long)h->part_bytes);
    /* Both counts have 32 bits: no overflow. */
    if (het__cache_table_bytes(h) > h->file_bytes - sizeof *h)
        return het__fail(err, HET_E_FORMAT, "%u entries and %u parts have no room in %llu bytes",
                         h->entry_count, h->part_count, (unsigned long long)h->file_bytes);
    return check_key(&h->key, key, err);
}

static het_status check_entries(const het__cache_index *index, het_error *err)
{
    const het__cache_header *h = &index->header;
    uint64_t end = sizeof *h + het__cache_table_bytes(h), part = 0;
    for (uint32_t i = 0; i < h->entry_count; i++) {
        const het__cache_entry *e = &index->entries[i];
        if (e->offset % HET__CACHE_PAGE != 0 || e->offset < end || e->bytes == 0 ||
            e->offset > h->file_bytes || e->bytes > h->file_bytes - e->offset)
            return het__fail(err, HET_E_FORMAT, "entry %u lies at %llu with %llu bytes", i,
                             (unsigned long long)e->offset, (unsigned long long)e->bytes);
        if (e->part != part || het__cache_parts(e->bytes) > h->part_count - part)
            return het__fail(err, HET_E_FORMAT, "entry %u begins with part %u of %u", i, e->part,
                             h->part_count);
        end = e->offset + e->bytes;
        part += het__cache_parts(e->bytes);
    }
    if (part != h->part_count)
        return het__fail(err, HET_E_FORMAT, "%u parts, its entries have %llu", h->part_count,
                         (unsigned long long)part);
    return HET_OK;
}

static het_status read_tables(het__cache_index *index, het__mem *mem,
                              const het__cache_input *input, het_error *err)
{
    const size_t bytes = het__cache_table_bytes(&index->header);
    index->entries = het__alloc(mem, bytes);
    if (!index->entries)
        return het__fail_nomem(err, "the list of cached weights");
    index->sums = (uint64_t *)(void *)(index->entries + index->header.entry_count);
    if (!input->read(input->user, sizeof index->header, index->entries, bytes))
        return het__fail(err, HET_E_IO, "its beginning cannot be read");
    if (checksum(index) != index->header.checksum)
        return het__fail(err, HET_E_FORMAT, "its beginning does not have the right checksum");
    return check_entries(index, err);
}

het_status het__cache_index_read(het__cache_index *index, het__mem *mem,
                                 const het__cache_input *input, const het__cache_key *key,
                                 het_error *err)
{
    memset(index, 0, sizeof *index);
    if (input->bytes < sizeof index->header)
        return het__fail(err, HET_E_FORMAT, "only %llu bytes", (unsigned long long)input->bytes);
    if (!input->read(input->user, 0, &index->header, sizeof index->header))
        return het__fail(err, HET_E_IO, "its beginning cannot be read");
    het_status s = check_header(&index->header, input, key, err);
    if (s == HET_OK)
        s = read_tables(index, mem, input, err);
    if (s != HET_OK)
        het__cache_index_free(index, mem);
    return s;
}

void het__cache_index_free(het__cache_index *index, het__mem *mem)
{
    het__free(mem, index->entries);
    memset(index, 0, sizeof *index);
}

static bool same_matrix(const het__cache_entry *a, const het__cache_entry *b)
{
    return memcmp(&a->name, &b->name, sizeof a->name) == 0 && a->n == b->n && a->k == b->k &&
           a->bytes == b->bytes && a->dtype == b->dtype && a->form == b->form &&
           a->act == b->act;
}

/* Matrices are asked for in the order in which they were written, so the next is at hand. */
const het__cache_entry *het__cache_find(const het__cache_index *index,
                                        const het__cache_entry *like, uint32_t *next)
{
    const uint32_t count = index->header.entry_count;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t at = (uint32_t)(((uint64_t)*next + i) % count);
        if (same_matrix(&index->entries[at], like)) {
            *next = at + 1;
            return &index->entries[at];
        }
    }
    return NULL;
}

/* ---- writing ---- */

bool het__cache_index_make(het__cache_index *index, het__mem *mem, const het__cache_key *key,
                           uint32_t count, uint64_t part_count)
{
    memset(index, 0, sizeof *index);
    if (part_count > UINT32_MAX)
        return false;
    het__cache_header *h = &index->header;
    memcpy(h->magic, MAGIC, sizeof h->magic);
    h->order = ORDER;
    h->version = VERSION;
    h->key = *key;
    h->entry_count = count;
    h->part_count = (uint32_t)part_count;
    h->part_bytes = HET__CACHE_PART;
    index->entries = het__alloc_zero(mem, 1, het__cache_table_bytes(h));
    if (!index->entries)
        return false;
    index->sums = (uint64_t *)(void *)(index->entries + count);
    return true;
}

void het__cache_index_lay_out(het__cache_index *index)
{
    het__cache_header *h = &index->header;
    uint64_t end = sizeof *h + het__cache_table_bytes(h), part = 0;
    for (uint32_t i = 0; i < h->entry_count; i++) {
        het__cache_entry *e = &index->entries[i];
        e->offset = het__round_up(end, HET__CACHE_PAGE);
        e->part = (uint32_t)part;
        end = e->offset + e->bytes;
        part += het__cache_parts(e->bytes);
    }
    assert(part == h->part_count);
    h->file_bytes = het__round_up(end, HET__CACHE_PAGE);
}

void het__cache_index_seal(het__cache_index *index)
{
    index->header.checksum = checksum(index);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The file that keeps re-laid weights from one start to the next.
 *
 *   [ header | entries | sums of parts ][ entry 0 ][ entry 1 ] ...    each at a multiple of 4096
 *
 * It belongs to one model's contents, one level, one version of the forms and one choice of them,
 * all of which the header repeats. The header's checksum covers entries and sums too; a sum covers
 * up to HET__CACHE_PART bytes of an entry, so that threads check what they read while it is in
 * their cache. Numbers are the machine's own: a file from a machine of the other byte order is
 * refused. Nothing is believed: a file that passes gives entries that lie inside it and apart. */
#ifndef HET_CPU_CACHE_FILE_H
#define HET_CPU_CACHE_FILE_H

#include "lib/base/hash.h"
#include "lib/base/mem.h"

/* Fits into a second-level cache. */
#define HET__CACHE_PART ((size_t)1 << 19)
#define HET__CACHE_PAGE ((uint64_t)4096)

typedef struct het__cache_key {
    het__hash128 content; /* of the model */
    char level[16];
    uint32_t layout; /* HET__CPU_LAYOUT_VERSION */
    uint32_t choice; /* HET__CACHE_* */
} het__cache_key;

/* What besides type and size decides about a matrix's form. */
#define HET__CACHE_EXACT 1u
#define HET__CACHE_ROUND_SMALL 2u

typedef struct het__cache_header {
    char magic[8];
    uint32_t order; /* of bytes */
    uint32_t version;
    het__cache_key key;
    uint32_t entry_count, part_count;
    uint64_t part_bytes, file_bytes;
    uint64_t checksum; /* of the header before it, then of entries and sums */
} het__cache_header;

/* One matrix. */
typedef struct het__cache_entry {
    het__hash128 name; /* of the weight inside the model */
    int64_t n, k;
    uint64_t offset, bytes;
    uint32_t dtype, form, act;
    uint32_t part; /* index of its first sum */
} het__cache_entry;

/* A file's beginning in memory; entries and sums follow each other in one block. */
typedef struct het__cache_index {
    het__cache_header header;
    het__cache_entry *entries; /* freed by het__cache_index_free() */
    uint64_t *sums;
} het__cache_index;

/* Where a file is read from. */
typedef struct het__cache_input {
    bool (*read)(void *user, uint64_t offset, void *target, size_t bytes);
    void *user;
    uint64_t bytes;
} het__cache_input;

/* HET_E_FORMAT: what is wrong, without the file's name. Memory is bounded by the file's size. */
het_status het__cache_index_read(het__cache_index *index, het__mem *mem,
                                 const het__cache_input *input, const het__cache_key *key,
                                 het_error *err);
void het__cache_index_free(het__cache_index *index, het__mem *mem);

/* NULL: not there. *next: where to begin to look, then where to begin the next time. */
const het__cache_entry *het__cache_find(const het__cache_index *index,
                                        const het__cache_entry *like, uint32_t *next);

/* Room for count entries, zeroed, in a file to be written. False: out of memory. */
bool het__cache_index_make(het__cache_index *index, het__mem *mem, const het__cache_key *key,
                           uint32_t count, uint64_t part_count);
/* From the entries' bytes follow offsets, parts and the file's size. */
void het__cache_index_lay_out(het__cache_index *index);
/* Last, when all sums are there. */
void het__cache_index_seal(het__cache_index *index);
/* Entries and sums. */
size_t het__cache_table_bytes(const het__cache_header *header);

static inline uint64_t het__cache_parts(uint64_t bytes)
{
    return bytes / HET__CACHE_PART + (bytes % HET__CACHE_PART != 0);
}

#endif /* HET_CPU_CACHE_FILE_H */

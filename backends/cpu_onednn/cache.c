/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu_onednn/cache.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "backends/cpu_onednn/cache_file.h"
#include "lib/base/error.h"
#include "lib/base/file.h"

/* Read at once: enough that threads rarely wait for each other, little enough that a start can be
 * cancelled soon. */
#define GROUP_BYTES ((uint64_t)64 << 20)

struct het__cpu_cache {
    char *path;
    het__cache_key key;
    bool mapped;            /* matrices are used where the file is mapped */
    bool kept;              /* the file is good, whatever is missed */
    het__file file;         /* read from; fd negative: nothing there, or nothing good */
    het__mapping mapping;
    het__cache_index index; /* of file */
    uint32_t next;          /* where to look for the next matrix */
    uint32_t done;          /* entries that are in the block */
    char *block;            /* the file's bytes, as far as they are read; NULL in mapped mode */
    uint32_t missed;        /* matrices that had to be re-laid */
    uint64_t hit_bytes;
};

/* ---- open and close ---- */

static void forget_file(het__cpu_cache *c, het__mem *mem)
{
    het__cache_index_free(&c->index, mem);
    het__file_close(&c->file);
}

static void free_cache(het__cpu_cache *c, het__mem *mem)
{
    forget_file(c, mem);
    het__unmap_file(&c->mapping);
    het__free(mem, c->block);
    het__free(mem, c->path);
    het__free(mem, c);
}

static void complain(const het__device *device, const het__cpu_cache *c, const char *reason)
{
    het__log_line(device->host->log, HET_LOG_WARN, "cpu_onednn",
                  "weight cache %s is not used: %s", c->path, reason);
}

static void set_key(const het__device *device, het__cache_key *key)
{
    key->content = device->options.content;
    snprintf(key->level, sizeof key->level, "%s", device->level->name);
    key->layout = HET__CPU_LAYOUT_VERSION;
    key->choice = (device->options.precision == HET_PRECISION_EXACT ? HET__CACHE_EXACT : 0) |
                  (device->round_small ? HET__CACHE_ROUND_SMALL : 0);
}

/* "CONTENT-LEVEL-PRECISION-VERSION.weights" */
static char *path_of(const het__device *device, const het__cache_key *key)
{
    char hex[HET__HASH_HEX], name[128];
    het__hash128_hex(&key->content, hex);
    snprintf(name, sizeof name, "%s-%s-%s%s-%u.weights", hex, key->level,
             key->choice & HET__CACHE_EXACT ? "exact" : "fast",
             key->choice & HET__CACHE_ROUND_SMALL ? "-small" : "", key->layout);
    return het__path_join(device->host->mem, device->options.weight_cache, name);
}

static bool read_input(void *user, uint64_t offset, void *target, size_t bytes)
{
    return het__file_read(user, offset, target, bytes);
}

/* The file that is there: its index, and in mapped mode its mapping. Nothing there is no failure.
 */
static het_status read_index(const het__device *device, het__cpu_cache *c, het_error *err)
{
    het_status s = het__file_open(c->path, &c->file, err);
    if (s != HET_OK || c->file.fd < 0)
        return s;
    const het__cache_input input = { read_input, &c->file, c->file.bytes };
    s = het__cache_index_read(&c->index, device->host->mem, &input, &c->key, err);
    if (s == HET_OK && c->mapped)
        s = het__map_open(c->file.fd, c->path, &c->mapping, err);
    if (s == HET_OK && c->mapping.data && c->mapping.bytes != c->index.header.file_bytes)
        s = het__fail(err, HET_E_FORMAT, "its size changes");
    if (s == HET_OK) {
        if (!c->mapped)
            het__file_want(&c->file);
        return s;
    }
    het__unmap_file(&c->mapping);
    forget_file(c, device->host->mem);
    return s;
}

/* Whether the cache is of use: something is there, or can be put there. */
static bool start(const het__device *device, het__cpu_cache *c)
{
    het_error err = HET_ERROR_INIT;
    const het_status s = read_index(device, c, &err);
    if (s == HET_OK && c->file.fd >= 0)
        return true;
    if (s != HET_OK)
        complain(device, c, err.message);
    if (s == HET_E_IO || s == HET_E_NOMEM)
        return false;
    /* A bad file is replaced. */
    const bool can = het__folder_check(device->options.weight_cache, &err) == HET_OK;
    if (!can && s == HET_OK)
        complain(device, c, err.message);
    return can;
}

het__cpu_cache *het__cpu_cache_open(const het__device *device)
{
    het__mem *mem = device->host->mem;
    if (!device->options.weight_cache)
        return NULL;
    het__cpu_cache *c = het__alloc_zero(mem, 1, sizeof *c);
    if (c) {
        c->file.fd = -1;
        c->mapped = device->options.weights_mapped;
        set_key(device, &c->key);
        c->path = path_of(device, &c->key);
    }
    if (c && c->path && start(device, c))
        return c;
    if (!c || !c->path)
        het__log_line(device->host->log, HET_LOG_WARN, "cpu_onednn",
                      "the weight cache is not used: out of memory");
    if (c)
        free_cache(c, mem);
    return NULL;
}

void het__cpu_cache_close(het__device *device)
{
    if (device->cache)
        free_cache(device->cache, device->host->mem);
    device->cache = NULL;
}

/* ---- load ---- */

static het__cache_entry entry_of(const het__cpu_constant *constant)
{
    const het__cpu_matrix *m = &constant->matrix;
    return (het__cache_entry){ .name = constant->name, .n = m->n, .k = m->k,
                               .bytes = constant->packed_bytes, .dtype = (uint32_t)m->dtype,
                               .form = m->form, .act = (uint32_t)m->act };
}

/* A piece of an entry that one sum covers. */
typedef struct part {
    uint64_t at; /* in the file */
    size_t bytes;
} part;

/* Part number index of the file, which belongs to entry or one after it. */
static part part_at(const het__cache_entry *entry, uint64_t index)
{
    while (index - entry->part >= het__cache_parts(entry->bytes))
        entry++;
    const uint64_t begin = (index - entry->part) * HET__CACHE_PART, left = entry->bytes - begin;
    return (part){ entry->offset + begin,
                   left < HET__CACHE_PART ? (size_t)left : HET__CACHE_PART };
}

typedef struct read_job {
    het__pool *pool;
    const het__cpu_cache *cache;
    const het__cache_entry *entry; /* the first */
    uint64_t end;                  /* number of the part behind the last */
    _Atomic uint64_t bad;          /* number + 1 of a part that is not what it should be */
} read_job;

static void read_region(void *arg, uint32_t worker, uint32_t count)
{
    read_job *job = arg;
    const het__cpu_cache *c = job->cache;
    (void)worker;
    (void)count;
    for (;;) {
        const uint64_t index = job->entry->part + (uint64_t)het__pool_take(job->pool, 1);
        if (index >= job->end || job->bad)
            return;
        const part p = part_at(job->entry, index);
        if (!het__file_read(&c->file, p.at, c->block + p.at, p.bytes) ||
            het__hash64(c->block + p.at, p.bytes, 0) != c->index.sums[index])
            job->bad = index + 1;
    }
}

/* The rest of the file is as suspect as the part that is bad. */
static void give_up_file(const het__device *device, uint64_t index)
{
    het__cpu_cache *c = device->cache;
    char reason[96];
    snprintf(reason, sizeof reason, "part %llu cannot be read or does not have its checksum",
             (unsigned long long)index);
    complain(device, c, reason);
    forget_file(c, device->host->mem);
}

/* The next entries up to this one and, for the threads' sake, some more. */
static bool read_until(const het__device *device, const het__cache_entry *entry)
{
    het__cpu_cache *c = device->cache;
    const het__cache_entry *first = &c->index.entries[c->done];
    const het__cache_entry *end = c->index.entries + c->index.header.entry_count;
    const het__cache_entry *last = first;
    while (last + 1 < end && (last < entry || last->offset - first->offset < GROUP_BYTES))
        last++;
    read_job job = { .pool = device->pool, .cache = c, .entry = first,
                     .end = last->part + het__cache_parts(last->bytes) };
    het__pool_run(device->pool, read_region, &job);
    if (job.bad) {
        give_up_file(device, job.bad - 1);
        return false;
    }
    c->done = (uint32_t)(last - c->index.entries) + 1;
    return true;
}

/* One block for all matrices: small ones share huge pages too. What is not read stays untouched. */
static bool in_block(const het__device *device, const het__cache_entry *entry)
{
    het__cpu_cache *c = device->cache;
    if (!c->block) {
        c->block = het__alloc(device->host->mem, (size_t)c->index.header.file_bytes);
        if (!c->block) {
            complain(device, c, "out of memory");
            c->kept = true;
            forget_file(c, device->host->mem);
            return false;
        }
    }
    return entry < c->index.entries + c->done || read_until(device, entry);
}

static void lend(het__device *device, het__cpu_constant *constant, const void *at)
{
    constant->matrix.packed = (void *)(uintptr_t)at; /* never written after packing */
    constant->borrowed = true;
    if (device->cache->mapped)
        device->mapped_bytes += constant->packed_bytes;
}

bool het__cpu_cache_load(het__device *device, het__cpu_constant *constant)
{
    het__cpu_cache *c = device->cache;
    if (!c)
        return false;
    const het__cache_entry like = entry_of(constant);
    const het__cache_entry *entry =
        c->file.fd >= 0 ? het__cache_find(&c->index, &like, &c->next) : NULL;
    if (!entry || (!c->mapped && !in_block(device, entry))) {
        c->missed++;
        return false;
    }
    lend(device, constant,
         (c->mapped ? (const char *)c->mapping.data : c->block) + entry->offset);
    device->weight_bytes += constant->packed_bytes;
    c->hit_bytes += constant->packed_bytes;
    return true;
}

/* ---- keep ---- */


/* One entry per matrix or vector that has a form of its own, in the order in which they were asked
 * for. */
static bool list_matrices(const het__device *device, het__cache_index *index)
{
    uint32_t count = 0;
    uint64_t parts = 0;
    for (const het__cpu_constant *c = device->constants; c; c = c->next)
        if (c->matrix.packed) {
            count++;
            parts += het__cache_parts(c->packed_bytes);
        }
    if (!het__cache_index_make(index, device->host->mem, &device->cache->key, count, parts))
        return false;
    for (const het__cpu_constant *c = device->constants; c; c = c->next) /* newest first */
        if (c->matrix.packed)
            index->entries[--count] = entry_of(c);
    het__cache_index_lay_out(index);
    return true;
}

typedef struct write_job {
    het__pool *pool;
    const het__new_file *file;
    const het__cache_entry *entry;
    const char *data; /* of the entry */
    uint64_t *sums;   /* of the file */
    _Atomic int code; /* the system's, of a failure */
} write_job;

static void write_region(void *arg, uint32_t worker, uint32_t count)
{
    write_job *job = arg;
    const het__cache_entry *e = job->entry;
    (void)worker;
    (void)count;
    for (;;) {
        const uint64_t index = e->part + (uint64_t)het__pool_take(job->pool, 1);
        if (index >= e->part + het__cache_parts(e->bytes) || job->code)
            return;
        const part p = part_at(e, index);
        const char *data = job->data + (p.at - e->offset);
        job->sums[index] = het__hash64(data, p.bytes, 0);
        const int code = het__new_file_write(job->file, p.at, data, p.bytes);
        if (code)
            job->code = code;
    }
}

static int write_matrices(const het__device *device, het__cache_index *index,
                          const het__new_file *file)
{
    int code = 0;
    uint32_t i = index->header.entry_count;
    for (const het__cpu_constant *c = device->constants; c && !code; c = c->next) {
        if (!c->matrix.packed)
            continue;
        write_job job = { .pool = device->pool, .file = file, .entry = &index->entries[--i],
                          .data = c->matrix.packed, .sums = index->sums };
        het__pool_run(device->pool, write_region, &job);
        code = job.code;
    }
    return code;
}

static het_status write_file(const het__device *device, het__cache_index *index, het_error *err)
{
    const het__cpu_cache *c = device->cache;
    const size_t table = het__cache_table_bytes(&index->header);
    het__new_file file;
    const het_status s = het__new_file_begin(&file, device->host->mem, c->path,
                                             index->header.file_bytes, err);
    if (s != HET_OK)
        return s;
    int code = write_matrices(device, index, &file);
    het__cache_index_seal(index);
    if (!code)
        code = het__new_file_write(&file, 0, &index->header, sizeof index->header);
    if (!code)
        code = het__new_file_write(&file, sizeof index->header, index->entries, table);
    if (code) {
        het__new_file_abandon(&file);
        return het__fail_native(err, HET_E_IO, code, "cannot write: %s", strerror(code));
    }
    return het__new_file_commit(&file, err);
}

/* In mapped mode the file that has just been written takes the place of the memory. Programs ask a
 * matrix where it lies, but know vectors, which are small, by address. */
static void move_into_map(het__device *device)
{
    het__cpu_cache *c = device->cache;
    het_error err = HET_ERROR_INIT;
    if (c->mapping.data) /* an older file, which others may point into */
        return;
    if (read_index(device, c, &err) != HET_OK || c->file.fd < 0)
        return;
    bool all = true;
    for (het__cpu_constant *k = device->constants; k; k = k->next) {
        if (k->use != HET__CPU_USE_MATRIX || !k->matrix.packed || k->borrowed)
            continue;
        const het__cache_entry like = entry_of(k);
        const het__cache_entry *entry = het__cache_find(&c->index, &like, &c->next);
        if (entry)
            lend(device, k, (const char *)c->mapping.data + entry->offset);
        all = all && entry;
    }
    if (all)
        het__cpu_matrices_free(device);
}

static void write_anew(het__device *device)
{
    het__cpu_cache *c = device->cache;
    het__mem *mem = device->host->mem;
    het_error err = HET_ERROR_INIT;
    het__cache_index index;
    het_status s;
    if (list_matrices(device, &index)) {
        s = write_file(device, &index, &err);
        het__cache_index_free(&index, mem);
    } else {
        s = het__fail_nomem(&err, "the list of cached weights");
    }
    forget_file(c, mem);
    if (s == HET_OK && c->mapped)
        move_into_map(device);
    if (s == HET_OK || s == HET_E_BUSY)
        het__log_line(device->host->log, HET_LOG_INFO, "cpu_onednn", "weight cache %s: %s",
                      c->path, s == HET_OK ? "written" : "another is writing it");
    else
        het__log_line(device->host->log, HET_LOG_WARN, "cpu_onednn",
                      "weight cache %s is not written: %s", c->path, err.message);
}

void het__cpu_cache_keep(het__device *device)
{
    het__cpu_cache *c = device->cache;
    if (!c)
        return;
    if (c->missed && !c->kept)
        write_anew(device);
    else if (!c->missed)
        het__log_line(device->host->log, HET_LOG_INFO, "cpu_onednn",
                      "weight cache %s: %llu MiB %s", c->path,
                      (unsigned long long)(c->hit_bytes >> 20), c->mapped ? "mapped" : "read");
    forget_file(c, device->host->mem);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/content.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/file.h"

/* Bytes that are hashed at once, and then may leave memory: a file is larger than what is free. */
#define PIECE_BYTES ((size_t)16 << 20)
/* The coarsest clock of a file system that is in use counts in steps of two seconds. */
#define CALM_NS (INT64_C(2) * 1000000000)

/* ---- hashing ---- */

typedef struct description {
    int64_t extent[HET_RANK_MAX];
    uint64_t bytes;
    uint32_t dtype, rank;
} description;

static het_status add_data(const het__content_request *r, const het__gguf_tensor *t,
                           het__borrower *borrower, het__hash128 *id, het_error *err)
{
    const char *data = t->data;
    for (size_t left = t->bytes; left > 0;) {
        const size_t n = left < PIECE_BYTES ? left : PIECE_BYTES;
        const void *at;
        if (r->progress && r->progress(r->progress_user, 0.0, "contents") != 0)
            return het__fail(err, HET_E_CANCELLED, "cancelled while hashing %s", t->name);
        const het_status s = het__borrow(borrower, data, n, &at, err);
        if (s != HET_OK)
            return s;
        het__hash128_add(id, at, n);
        if (r->file && !r->keeps_pages)
            het__drop_pages(data, n);
        data += n;
        left -= n;
    }
    return HET_OK;
}

static het_status hash_all(const het__content_request *r, het__hash128 *id, het_error *err)
{
    het__borrower borrower = { .lender = r->lender };
    het_status s = HET_OK;
    *id = (het__hash128){ { 0 } };
    for (size_t i = 0; s == HET_OK && i < r->gguf->tensor_count; i++) {
        const het__gguf_tensor *t = &r->gguf->tensors[i];
        description d = { .bytes = t->bytes, .dtype = (uint32_t)t->dtype, .rank = t->rank };
        memcpy(d.extent, t->extent, t->rank * sizeof d.extent[0]);
        het__hash128_add(id, t->name, strlen(t->name));
        het__hash128_add(id, &d, sizeof d);
        s = add_data(r, t, &borrower, id, err);
    }
    het__borrow_end(&borrower);
    return s;
}

/* ---- memos ---- */

typedef struct memo {
    char magic[8];
    uint32_t order; /* of bytes */
    uint32_t version;
    uint64_t device, inode, bytes;
    int64_t modified_ns, changed_ns;
    het__hash128 id;
    uint64_t checksum; /* of all before */
} memo;
_Static_assert(sizeof(memo) == 80, "a memo has no holes");

#define MEMO_MAGIC "HETMEMO\n"

static memo memo_of(const het__file_state *file, const het__hash128 *id)
{
    memo m = { .order = 0x01020304, .version = 1, .device = file->device, .inode = file->inode,
               .bytes = file->bytes, .modified_ns = file->modified_ns,
               .changed_ns = file->changed_ns, .id = *id };
    memcpy(m.magic, MEMO_MAGIC, sizeof m.magic);
    m.checksum = het__hash64(&m, offsetof(memo, checksum), 0);
    return m;
}

/* One per place on the disk, so that a file which changes often leaves no trail of memos. */
static char *memo_path(const het__content_request *r)
{
    const uint64_t place[2] = { r->file->device, r->file->inode };
    const het__hash128 hash = het__hash128_of(place, sizeof place);
    char hex[HET__HASH_HEX], name[HET__HASH_HEX + 8];
    het__hash128_hex(&hash, hex);
    snprintf(name, sizeof name, "%s.memo", hex);
    return het__path_join(r->mem, r->folder, name);
}

bool het__content_recall(const het__content_request *r, het__hash128 *id)
{
    memo found, wanted;
    het__file file = { -1, 0 };
    char *path = memo_path(r);
    if (!path)
        return false;
    bool good = het__file_open(path, &file, NULL) == HET_OK && file.fd >= 0 &&
                file.bytes == sizeof found && het__file_read(&file, 0, &found, sizeof found);
    if (good) {
        wanted = memo_of(r->file, &found.id);
        good = memcmp(&found, &wanted, sizeof found) == 0;
        *id = found.id;
    }
    het__file_close(&file);
    het__free(r->mem, path);
    return good;
}

void het__content_remember(const het__content_request *r, const het__hash128 *id)
{
    const int64_t calm = r->file->seen_ns - CALM_NS;
    if (r->file->modified_ns > calm || r->file->changed_ns > calm)
        return;
    het_error err = HET_ERROR_INIT;
    const memo m = memo_of(r->file, id);
    char *path = memo_path(r);
    if (path && het__file_replace(r->mem, path, &m, sizeof m, &err) != HET_OK)
        het__log_line(r->log, HET_LOG_DEBUG, "model", "no memo of the file's contents: %s",
                      err.message);
    het__free(r->mem, path);
}

het_status het__content_id(const het__content_request *request, het__hash128 *id, het_error *err)
{
    if (request->file && het__content_recall(request, id))
        return HET_OK;
    const het_status s = hash_all(request, id, err);
    if (s == HET_OK && request->file)
        het__content_remember(request, id);
    return s;
}

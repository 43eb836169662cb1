/* SPDX-License-Identifier: Apache-2.0 */
/* Frames are compressed in rounds, some per thread, and written in their order, so that the bytes
 * do not depend on the number of threads. Room for the source's size is made first: no package is
 * larger by more than its index, and a full disk is found before the work. */
#include "lib/import/package_parts.h"

#include <assert.h>
#include <string.h>

#include "lib/base/compress.h"
#include "lib/base/crew.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/import/gguf_parts.h"
#include "lib/import/package_source.h"

/* Frames per thread and round: enough that threads seldom wait for the slowest. */
#define ROUND_FRAMES 8
/* A plane that does not become smaller by this part stays as it is, and costs no time later. */
#define WORTH 16

/* One frame of a round. */
typedef struct slot {
    uint8_t *packed; /* block_bytes */
    uint32_t plane_bytes[HET__PACKAGE_PLANES];
    het__hash128 hash;
    het_status status;
} slot;

typedef struct worker {
    het__compressor *compressor;
    uint8_t *planes; /* block_bytes */
} worker;

typedef struct writer {
    const het__package_request *q;
    het__package_source source;
    het__new_file file;
    worker *workers;
    slot *slots;
    uint32_t worker_count, slot_count;
    uint8_t *index; /* header and all before the data */
    size_t index_bytes;
    uint64_t first; /* frame of slot 0 */
    uint32_t used;  /* slots of this round */
    _Atomic uint32_t next;
    uint64_t at; /* in the file */
} writer;

/* ---- numbers ---- */

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

/* ---- index ---- */

static size_t frames_at(const het__package *p)
{
    return HET__PACKAGE_HEADER_BYTES + (size_t)p->file_count * HET__PACKAGE_FILE_BYTES +
           (size_t)p->segment_count * HET__PACKAGE_SEGMENT_BYTES;
}

static uint8_t *put_name(uint8_t *to, const char *name)
{
    const size_t n = strlen(name);
    memcpy(to, name, n);
    return to + n;
}

static void fill_tables(writer *w)
{
    const het__package *p = &w->source.package;
    uint8_t *file = w->index + HET__PACKAGE_HEADER_BYTES;
    uint8_t *segment = file + (size_t)p->file_count * HET__PACKAGE_FILE_BYTES;
    uint8_t *names = w->index + frames_at(p) + p->frame_count * HET__PACKAGE_FRAME_BYTES;
    for (uint32_t i = 0; i < p->file_count; i++, file += HET__PACKAGE_FILE_BYTES) {
        const het__package_file *f = &p->files[i];
        put64(file, f->bytes);
        put32(file + 8, f->segment_count);
        put32(file + 12, (uint32_t)strlen(f->name));
        names = put_name(names, f->name);
        for (uint32_t k = 0; k < f->segment_count; k++, segment += HET__PACKAGE_SEGMENT_BYTES) {
            const het__package_segment *s = &p->segments[f->first_segment + k];
            put64(segment, s->bytes);
            put32(segment + 8, (uint32_t)strlen(s->name));
            put32(segment + 12, s->width);
            names = put_name(names, s->name);
        }
    }
    assert(names == w->index + w->index_bytes);
}

static void fill_header(writer *w)
{
    const het__package *p = &w->source.package;
    uint8_t *h = w->index;
    memcpy(h, HET__PACKAGE_MAGIC, 8);
    put32(h + HET__PACKAGE_AT_VERSION, HET__PACKAGE_VERSION);
    put32(h + HET__PACKAGE_AT_KIND, (uint32_t)p->kind);
    put32(h + HET__PACKAGE_AT_BLOCK, p->block_bytes);
    put32(h + HET__PACKAGE_AT_FILES, p->file_count);
    put32(h + HET__PACKAGE_AT_SEGMENTS, p->segment_count);
    put64(h + HET__PACKAGE_AT_FRAMES, p->frame_count);
    put64(h + HET__PACKAGE_AT_NAMES, w->source.names_bytes);
    put64(h + HET__PACKAGE_AT_BYTES, w->at);
    const het__hash128 hash = het__hash128_of(h + HET__PACKAGE_HEADER_BYTES,
                                              w->index_bytes - HET__PACKAGE_HEADER_BYTES);
    memcpy(h + HET__PACKAGE_AT_INDEX_HASH, hash.byte, sizeof hash.byte);
    put64(h + HET__PACKAGE_AT_HASH, het__hash64(h, HET__PACKAGE_AT_HASH, 0));
}

/* ---- frames ---- */

static void pack_frame(const writer *w, const worker *me, uint64_t frame, slot *out)
{
    const het__package *p = &w->source.package;
    const het__package_segment *s = het__package_segment_of(p, frame);
    const uint32_t bytes = het__package_frame_bytes(p, s, frame), plane = bytes / s->width;
    const uint8_t *from = w->source.contents[s - p->segments] +
                          (het__package_frame_content(p, s, frame) - s->content);
    uint8_t *to = out->packed;
    out->hash = het__hash128_of(from, bytes);
    memset(out->plane_bytes, 0, sizeof out->plane_bytes);
    if (s->width > 1)
        het__planes_split(s->width, from, bytes, me->planes);
    const uint8_t *planes = s->width > 1 ? me->planes : from;
    const int level = s->width > 1 ? HET__COMPRESS_BYTES : w->q->level;
    for (uint32_t k = 0; k < s->width; k++) {
        size_t n = 0;
        const uint8_t *source = planes + (size_t)k * plane;
        out->status = het__compress(me->compressor, level, source, plane, to,
                                    plane - plane / WORTH, &n);
        if (out->status != HET_OK)
            return;
        if (n == 0 || n >= plane) {
            memcpy(to, source, plane);
            n = plane;
        }
        out->plane_bytes[k] = (uint32_t)n;
        to += n;
    }
}

static void work(void *user, uint32_t number)
{
    writer *w = user;
    for (uint32_t i; (i = atomic_fetch_add(&w->next, 1)) < w->used;)
        pack_frame(w, &w->workers[number], w->first + i, &w->slots[i]);
}

static het_status write_at(const writer *w, uint64_t at, const void *data, size_t bytes,
                           het_error *err)
{
    const int code = het__new_file_write(&w->file, at, data, bytes);
    return code ? het__fail_native(err, HET_E_IO, code, "cannot write %s: system error %d",
                                   w->file.path, code)
                : HET_OK;
}

static het_status take_frame(writer *w, const slot *s, uint64_t frame, het_error *err)
{
    uint8_t *record =
        w->index + frames_at(&w->source.package) + frame * HET__PACKAGE_FRAME_BYTES;
    size_t bytes = 0;
    if (s->status != HET_OK)
        return het__fail_nomem(err, "compressing");
    for (uint32_t k = 0; k < HET__PACKAGE_PLANES; k++) {
        put32(record + 4 * k, s->plane_bytes[k]);
        bytes += s->plane_bytes[k];
    }
    memcpy(record + HET__PACKAGE_FRAME_HASH, s->hash.byte, sizeof s->hash.byte);
    const het_status status = write_at(w, w->at, s->packed, bytes, err);
    w->at += bytes;
    return status;
}

static het_status write_frames(writer *w, het_error *err)
{
    const het__package_request *q = w->q;
    const uint64_t all = w->source.package.frame_count;
    het_status s = HET_OK;
    for (w->first = 0; s == HET_OK && w->first < all; w->first += w->used) {
        if (q->progress &&
            q->progress(q->progress_user, (double)w->first / (double)all, "packing") != 0)
            return het__fail(err, HET_E_CANCELLED, "cancelled while packing");
        w->used = all - w->first < w->slot_count ? (uint32_t)(all - w->first) : w->slot_count;
        w->next = 0;
        het__crew_run(q->mem, w->worker_count, work, w);
        for (uint32_t i = 0; s == HET_OK && i < w->used; i++)
            s = take_frame(w, &w->slots[i], w->first + i, err);
    }
    return s;
}

/* ---- the whole ---- */

static het_status prepare(writer *w, het_error *err)
{
    const het__package *p = &w->source.package;
    het__mem *mem = w->q->mem;
    const size_t block = p->block_bytes;
    w->worker_count = p->frame_count < w->q->threads ? (uint32_t)p->frame_count : w->q->threads;
    w->worker_count += w->worker_count == 0;
    w->slot_count = w->worker_count * ROUND_FRAMES;
    if (p->frame_count < w->slot_count)
        w->slot_count = (uint32_t)p->frame_count;
    w->index_bytes =
        frames_at(p) + p->frame_count * HET__PACKAGE_FRAME_BYTES + w->source.names_bytes;
    w->index = het__alloc_zero(mem, 1, w->index_bytes);
    w->workers = het__alloc_zero(mem, w->worker_count, sizeof *w->workers);
    w->slots = het__alloc_zero(mem, w->slot_count, sizeof *w->slots);
    bool whole = w->index && w->workers && w->slots;
    for (uint32_t i = 0; whole && i < w->worker_count; i++) {
        w->workers[i].compressor = het__compressor_create();
        w->workers[i].planes = het__alloc(mem, block);
        whole = w->workers[i].compressor && w->workers[i].planes;
    }
    for (uint32_t i = 0; whole && i < w->slot_count; i++) {
        w->slots[i].packed = het__alloc(mem, block);
        whole = w->slots[i].packed != NULL;
    }
    return whole ? HET_OK : het__fail_nomem(err, "packing");
}

static void give_back(writer *w)
{
    het__mem *mem = w->q->mem;
    for (uint32_t i = 0; w->workers && i < w->worker_count; i++) {
        het__compressor_destroy(w->workers[i].compressor);
        het__free(mem, w->workers[i].planes);
    }
    for (uint32_t i = 0; w->slots && i < w->slot_count; i++)
        het__free(mem, w->slots[i].packed);
    het__free(mem, w->workers);
    het__free(mem, w->slots);
    het__free(mem, w->index);
    het__package_source_close(&w->source);
}

static het_status write_file(writer *w, het_error *err)
{
    const uint64_t most = w->index_bytes + w->source.package.content_bytes;
    het_status s = het__new_file_begin(&w->file, w->q->mem, w->q->target, most, err);
    if (s != HET_OK)
        return s;
    w->at = w->index_bytes;
    fill_tables(w);
    s = write_frames(w, err);
    if (s == HET_OK) {
        fill_header(w);
        s = write_at(w, 0, w->index, w->index_bytes, err);
    }
    if (s == HET_OK)
        s = het__new_file_trim(&w->file, w->at, err);
    if (s == HET_OK)
        return het__new_file_commit(&w->file, err);
    het__new_file_abandon(&w->file);
    return s;
}

het_status het__package_write(const het__package_request *request, het_package_info *info,
                              het_error *err)
{
    writer w = { .q = request };
    if (!het__compress_present())
        return het__fail(err, HET_E_UNSUPPORTED,
                         "packages are not written: this build is without zstd");
    het_status s = het__package_source_open(&w.source, request->mem, request->source,
                                            request->block_bytes, err);
    if (s == HET_OK)
        s = prepare(&w, err);
    if (s == HET_OK)
        s = write_file(&w, err);
    if (s == HET_OK) {
        het__package_describe(&w.source.package, info);
        info->package_bytes = w.at;
    }
    give_back(&w);
    return s;
}

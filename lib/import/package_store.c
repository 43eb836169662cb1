/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/package_store.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/import/package_parts.h"

/* The memory checker of sanitized builds tells who reads what was neither borrowed nor kept. */
#if defined(__SANITIZE_ADDRESS__)
#define HAVE_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_POISON 1
#endif
#endif
#ifdef HAVE_POISON
#include <sanitizer/asan_interface.h>
#define POISON(data, bytes) ASAN_POISON_MEMORY_REGION(data, bytes)
#define UNPOISON(data, bytes) ASAN_UNPOISON_MEMORY_REGION(data, bytes)
#else
#define POISON(data, bytes) ((void)(data), (void)(bytes))
#define UNPOISON(data, bytes) ((void)(data), (void)(bytes))
#endif

/* Where a file of the package would lie. */
typedef struct place {
    uint8_t *base;
    uint64_t content; /* of its first byte */
    uint64_t bytes;
} place;

struct het__package_store {
    het__mem *mem;
    het__arena arena;
    het__mapping file;
    het__package package;
    het__lender lender;
    uint32_t threads;
    place *places; /* in no order; immutable once there are loans */
    uint32_t place_count;
    het__mutex lock;          /* of keeping */
    _Atomic uint8_t *is_kept; /* per segment: its bytes are at its place */
};

struct het__loan {
    het__package_store *store;
    const het__team *team; /* of the call under way */
    het__unpacker *unpacker;
    uint32_t threads; /* of it */
    uint8_t *window;
    size_t capacity;
    uint64_t first, end; /* frames in the window */
};

/* ---- where things are ---- */

static const place *place_of(const het__package_store *s, const void *data, size_t bytes)
{
    const uintptr_t at = (uintptr_t)data;
    for (uint32_t i = 0; i < s->place_count; i++) {
        const place *p = &s->places[i];
        const uintptr_t base = (uintptr_t)p->base;
        if (at >= base && at - base < p->bytes) {
            assert(bytes <= p->bytes - (at - base));
            (void)bytes;
            return p;
        }
    }
    return NULL;
}

/* The segment that holds a byte of the content. */
static uint32_t segment_at(const het__package *p, uint64_t content)
{
    uint32_t low = 0, high = p->segment_count;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (p->segments[middle].content <= content)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint64_t frame_at(const het__package *p, uint64_t content)
{
    const het__package_segment *s = &p->segments[segment_at(p, content)];
    return s->first_frame + (content - s->content) / p->block_bytes;
}

static uint64_t content_of(const het__package *p, uint64_t frame)
{
    return frame == p->frame_count
               ? p->content_bytes
               : het__package_frame_content(p, het__package_segment_of(p, frame), frame);
}

/* ---- unpacking ---- */

static het_status unpack_frames(het__loan *l, uint64_t first, uint64_t end, uint8_t *target,
                                het_error *err)
{
    het__package_store *s = l->store;
    const uint32_t count = l->team ? l->team->count : s->threads;
    const het__package_job job = { .package = &s->package, .first_frame = first,
                                   .end_frame = end, .target = target, .threads = count };
    if (l->threads < count) {
        het__unpacker_destroy(l->unpacker);
        l->threads = 0;
        const het_status made =
            het__unpacker_create(&s->package, count, s->mem, &l->unpacker, err);
        if (made != HET_OK)
            return made;
        l->threads = count;
    }
    const het_status status = het__unpacker_run(l->unpacker, &job, l->team, err);
    const uint64_t from = s->package.starts[first];
    const uint64_t to = end < s->package.frame_count ? s->package.starts[end] : s->package.bytes;
    het__drop_pages(s->package.data + from, (size_t)(to - from));
    return status;
}

/* ---- keeping ---- */

static bool is_kept(const het__package_store *s, uint32_t segment)
{
    return atomic_load_explicit(&s->is_kept[segment], memory_order_acquire) != 0;
}

static bool all_kept(const het__package_store *s, uint64_t content, uint64_t end)
{
    const het__package *p = &s->package;
    for (uint32_t i = segment_at(p, content); i < p->segment_count && p->segments[i].content < end;
         i++)
        if (!is_kept(s, i))
            return false;
    return true;
}

/* The lock is held, or there are no loans yet. */
static het_status keep_segment(het__loan *l, const place *where, uint32_t index, het_error *err)
{
    het__package_store *s = l->store;
    const het__package_segment *g = &s->package.segments[index];
    const uint64_t end = index + 1 < s->package.segment_count
                             ? s->package.segments[index + 1].first_frame : s->package.frame_count;
    uint8_t *target = where->base + (g->content - where->content);
    if (is_kept(s, index))
        return HET_OK;
    UNPOISON(target, (size_t)g->bytes);
    const het_status status = unpack_frames(l, g->first_frame, end, target, err);
    if (status == HET_OK)
        atomic_store_explicit(&s->is_kept[index], 1, memory_order_release);
    return status;
}

static het_status store_keep(het__loan *l, const het__team *team, const void *data, size_t bytes,
                             het_error *err)
{
    het__package_store *s = l->store;
    const place *where = place_of(s, data, bytes);
    if (!where || bytes == 0)
        return HET_OK;
    const uint64_t content = where->content + (uint64_t)((const uint8_t *)data - where->base);
    const het__package *p = &s->package;
    het_status status = HET_OK;
    if (all_kept(s, content, content + bytes))
        return HET_OK;
    l->team = team;
    het__mutex_lock(&s->lock);
    for (uint32_t i = segment_at(p, content); status == HET_OK && i < p->segment_count &&
                                              p->segments[i].content < content + bytes; i++)
        status = keep_segment(l, where, i, err);
    het__mutex_unlock(&s->lock);
    return status;
}

/* ---- lending ---- */

/* Room for bytes, of which the first `kept` stay. */
static bool grow_window(het__loan *l, size_t bytes, size_t kept)
{
    if (bytes <= l->capacity)
        return true;
    uint8_t *longer = het__alloc(l->store->mem, bytes);
    if (!longer)
        return false;
    if (kept)
        memcpy(longer, l->window, kept);
    het__free(l->store->mem, l->window);
    l->window = longer;
    l->capacity = bytes;
    return true;
}

/* The window becomes frames [first, end). */
static het_status move_window(het__loan *l, uint64_t first, uint64_t end, het_error *err)
{
    const het__package *p = &l->store->package;
    const uint64_t base = content_of(p, first), bytes = content_of(p, end) - base;
    uint64_t have = first; /* up to there frames are in the window */
    if (first >= l->first && first < l->end) {
        have = l->end < end ? l->end : end;
        memmove(l->window, l->window + (base - content_of(p, l->first)),
                (size_t)(content_of(p, have) - base));
    }
    const size_t kept = (size_t)(content_of(p, have) - base);
    l->first = l->end = first;
    if (bytes > SIZE_MAX || !grow_window(l, (size_t)bytes, kept))
        return het__fail_nomem(err, "unpacked weights");
    const het_status s =
        have < end ? unpack_frames(l, have, end, l->window + kept, err) : HET_OK;
    l->end = s == HET_OK ? end : first;
    return s;
}

static het_status store_borrow(het__loan *l, const het__team *team, const void *data, size_t bytes,
                               const void **at, het_error *err)
{
    const het__package_store *s = l->store;
    const place *where = place_of(s, data, bytes);
    *at = data;
    if (!where || bytes == 0)
        return HET_OK;
    const uint64_t content = where->content + (uint64_t)((const uint8_t *)data - where->base);
    if (all_kept(s, content, content + bytes))
        return HET_OK;
    const uint64_t first = frame_at(&s->package, content);
    const uint64_t end = frame_at(&s->package, content + bytes - 1) + 1;
    l->team = team;
    if (first < l->first || end > l->end) {
        const het_status status = move_window(l, first, end, err);
        if (status != HET_OK)
            return status;
    }
    *at = l->window + (content - content_of(&s->package, l->first));
    return HET_OK;
}

static het_status store_begin(void *user, het__loan **loan, het_error *err)
{
    het__package_store *s = user;
    *loan = het__alloc_zero(s->mem, 1, sizeof **loan);
    if (!*loan)
        return het__fail_nomem(err, "unpacking");
    (*loan)->store = s;
    return HET_OK;
}

static void store_end(het__loan *l)
{
    het__mem *mem = l->store->mem;
    het__unpacker_destroy(l->unpacker);
    het__free(mem, l->window);
    het__free(mem, l);
}

/* ---- the store ---- */

het_status het__package_store_create(het__mem *mem, het__mapping *file, uint32_t threads,
                                     het__package_store **store, het_error *err)
{
    het__package_store *s = het__alloc_zero(mem, 1, sizeof *s);
    *store = NULL;
    if (!s) {
        het__unmap_file(file);
        return het__fail_nomem(err, "a package");
    }
    s->mem = mem;
    s->file = *file;
    s->threads = threads;
    *file = (het__mapping){ 0 };
    het__arena_init(&s->arena, mem);
    het__mutex_init(&s->lock);
    s->lender = (het__lender){ s, store_begin, store_borrow, store_keep, store_end };
    het_status status =
        het__package_open(&s->package, &s->arena, s->file.data, s->file.bytes, err);
    if (status == HET_OK) {
        s->is_kept = het__arena_zero(&s->arena, s->package.segment_count + 1, 1);
        s->places = het__arena_zero(&s->arena, s->package.file_count + 1, sizeof *s->places);
        if (!s->is_kept || !s->places)
            status = het__fail_nomem(err, "a package");
    }
    if (status == HET_OK)
        *store = s;
    else
        het__package_store_destroy(s);
    return status;
}

void het__package_store_destroy(het__package_store *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->place_count; i++)
        UNPOISON(s->places[i].base, (size_t)s->places[i].bytes);
    het__mutex_finish(&s->lock);
    het__arena_finish(&s->arena);
    het__unmap_file(&s->file);
    het__free(s->mem, s);
}

const het__package *het__package_store_package(const het__package_store *store)
{
    return &store->package;
}

const het__lender *het__package_store_lender(const het__package_store *store)
{
    return &store->lender;
}

het_status het__package_store_place(het__package_store *s, const het__package_file *file,
                                    void *base, het_error *err)
{
    const het__package *p = &s->package;
    const uint64_t content = file->segment_count ? p->segments[file->first_segment].content : 0;
    place *where = &s->places[s->place_count];
    het__loan own = { .store = s };
    het_status status = HET_OK;
    assert(s->place_count < p->file_count && (uintptr_t)base % HET__ALIGN == 0);
    *where = (place){ base, content, file->bytes };
    s->place_count++;
    POISON(base, (size_t)file->bytes);
    for (uint32_t i = 0; status == HET_OK && i < file->segment_count; i++)
        if (!*p->segments[file->first_segment + i].name)
            status = keep_segment(&own, where, file->first_segment + i, err);
    het__unpacker_destroy(own.unpacker);
    if (status != HET_OK) {
        UNPOISON(base, (size_t)file->bytes);
        s->place_count--;
    }
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Threads take frame after frame. A frame that is corrupt stops them; since frames are taken in
 * their order and one that is taken is finished, the first corrupt one is always the one named. */
#include "lib/import/package_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/compress.h"
#include "lib/base/crew.h"
#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/import/gguf_parts.h"
#include "lib/import/json.h"

typedef struct worker {
    het__decompressor *decompressor;
    uint8_t *planes; /* frame_max */
    uint8_t *joined; /* the same, where there is no target; else NULL */
    const char *problem; /* of frame; NULL: none */
    uint64_t frame;
} worker;

struct het__unpacker {
    het__mem *mem;
    const het__package *package;
    bool joins; /* for jobs without a target */
    uint32_t count;
    worker *workers; /* made ready when they are needed */
};

typedef struct crew {
    const het__package_job *job;
    worker *workers;
    uint32_t count;
    _Atomic uint64_t next, done; /* frames */
    _Atomic uint32_t stop;
    bool cancelled; /* of the caller's thread */
} crew;

void het__package_choose(het__package_job *job, uint32_t first, uint32_t count)
{
    const het__package *p = job->package;
    const uint32_t end = first + count;
    assert(end <= p->segment_count);
    job->first_frame = first < p->segment_count ? p->segments[first].first_frame : p->frame_count;
    job->end_frame = end < p->segment_count ? p->segments[end].first_frame : p->frame_count;
}

static uint64_t content_at(const het__package *p, uint64_t frame)
{
    return frame == p->frame_count
               ? p->content_bytes
               : het__package_frame_content(p, het__package_segment_of(p, frame), frame);
}

uint64_t het__package_job_bytes(const het__package_job *job)
{
    if (job->end_frame <= job->first_frame)
        return 0;
    return content_at(job->package, job->end_frame) - content_at(job->package, job->first_frame);
}

/* NULL, or what is wrong. */
static const char *unpack_frame(const worker *w, const het__package *p,
                                const het__package_segment *s, uint64_t frame, uint8_t *target)
{
    const uint8_t *record = p->frames + frame * HET__PACKAGE_FRAME_BYTES;
    const uint8_t *packed = p->data + p->starts[frame];
    const uint8_t *planes[HET__PACKAGE_PLANES] = { NULL };
    const uint32_t bytes = het__package_frame_bytes(p, s, frame), plane = bytes / s->width;
    for (uint32_t k = 0; k < s->width; k++) {
        const uint32_t n = het__gguf_load32(record + 4 * k);
        planes[k] = packed;
        if (n != plane) {
            uint8_t *to = s->width == 1 ? target : w->planes + (size_t)k * plane;
            if (!het__decompress(w->decompressor, packed, n, to, plane))
                return "it cannot be decompressed";
            planes[k] = to;
        }
        packed += n;
    }
    if (planes[0] != target)
        het__planes_join(s->width, planes, target, bytes);
    const het__hash128 hash = het__hash128_of(target, bytes);
    return memcmp(hash.byte, record + HET__PACKAGE_FRAME_HASH, sizeof hash.byte) == 0
               ? NULL : "its hash differs";
}

static void report(crew *c)
{
    const het__package_job *job = c->job;
    const double all = (double)(job->end_frame - job->first_frame);
    const double done = (double)c->done / all;
    if (job->progress && job->progress(job->progress_user, job->from + (job->to - job->from) * done,
                                       job->what) != 0) {
        c->cancelled = true;
        c->stop = 1;
    }
}

static void work(void *user, uint32_t number)
{
    crew *c = user;
    if (number >= c->count)
        return;
    worker *w = &c->workers[number];
    const het__package_job *job = c->job;
    const het__package *p = job->package;
    const uint64_t base = content_at(p, job->first_frame);
    while (!c->stop) {
        const uint64_t frame = job->first_frame + atomic_fetch_add(&c->next, 1);
        if (frame >= job->end_frame)
            break;
        const het__package_segment *s = het__package_segment_of(p, frame);
        const uint64_t at = het__package_frame_content(p, s, frame) - base;
        uint8_t *target = w->joined ? w->joined : job->target + at;
        w->problem = unpack_frame(w, p, s, frame, target);
        w->frame = frame;
        if (w->problem) {
            c->stop = 1;
            break;
        }
        c->done++;
        if (number == 0)
            report(c);
    }
}

static const het__package_file *file_of(const het__package *p, const het__package_segment *s)
{
    const uint32_t index = (uint32_t)(s - p->segments);
    const het__package_file *f = p->files;
    while (index < f->first_segment || index - f->first_segment >= f->segment_count)
        f++;
    return f;
}

static het_status name_problem(const het__package *p, const worker *w, het_error *err)
{
    char name[80];
    const het__package_segment *s = het__package_segment_of(p, w->frame);
    snprintf(name, sizeof name, "%.76s", *s->name ? s->name : file_of(p, s)->name);
    return het__fail(err, HET_E_FORMAT,
                     "%s %s: the frame of %u bytes at %llu of it, byte %llu of the package, is "
                     "corrupt: %s", *s->name ? "tensor" : "file", het__printable(name),
                     het__package_frame_bytes(p, s, w->frame),
                     (unsigned long long)((w->frame - s->first_frame) * p->block_bytes),
                     (unsigned long long)p->starts[w->frame], w->problem);
}

static het_status judge(const crew *c, het_error *err)
{
    const worker *first = NULL;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->workers[i].problem && (!first || c->workers[i].frame < first->frame))
            first = &c->workers[i];
    if (first)
        return name_problem(c->job->package, first, err);
    return c->cancelled ? het__fail(err, HET_E_CANCELLED, "cancelled while unpacking") : HET_OK;
}

/* ---- unpackers ---- */

static bool prepare(const het__unpacker *u, worker *w)
{
    const size_t bytes = u->package->frame_max;
    w->problem = NULL;
    if (!w->decompressor)
        w->decompressor = het__decompressor_create();
    if (!w->planes)
        w->planes = het__alloc(u->mem, bytes);
    if (u->joins && !w->joined)
        w->joined = het__alloc(u->mem, bytes);
    return w->decompressor && w->planes && (!u->joins || w->joined);
}

static het_status create(const het__package *package, uint32_t threads, bool joins, het__mem *mem,
                         het__unpacker **unpacker, het_error *err)
{
    het__unpacker *u = het__alloc_zero(mem, 1, sizeof *u);
    worker *workers = het__alloc_zero(mem, threads, sizeof *workers);
    *unpacker = NULL;
    if (!u || !workers) {
        het__free(mem, workers);
        het__free(mem, u);
        return het__fail_nomem(err, "unpacking");
    }
    *u = (het__unpacker){ mem, package, joins, threads, workers };
    *unpacker = u;
    return HET_OK;
}

het_status het__unpacker_create(const het__package *package, uint32_t threads, het__mem *mem,
                                het__unpacker **unpacker, het_error *err)
{
    return create(package, threads, false, mem, unpacker, err);
}

void het__unpacker_destroy(het__unpacker *u)
{
    if (!u)
        return;
    for (uint32_t i = 0; i < u->count; i++) {
        het__decompressor_destroy(u->workers[i].decompressor);
        het__free(u->mem, u->workers[i].planes);
        het__free(u->mem, u->workers[i].joined);
    }
    het__free(u->mem, u->workers);
    het__free(u->mem, u);
}

het_status het__unpacker_run(het__unpacker *u, const het__package_job *job, const het__team *team,
                             het_error *err)
{
    crew c = { .job = job, .workers = u->workers, .count = u->count };
    assert(job->package == u->package && (job->target || u->joins));
    if (job->end_frame <= job->first_frame)
        return HET_OK;
    const uint64_t frames = job->end_frame - job->first_frame;
    const uint32_t most = team ? team->count : job->threads;
    c.count = most < c.count ? most : c.count;
    c.count = frames < c.count ? (uint32_t)frames : c.count;
    for (uint32_t i = 0; i < c.count; i++)
        if (!prepare(u, &u->workers[i]))
            return het__fail_nomem(err, "unpacking");
    if (team && c.count > 1)
        team->run(team->user, work, &c);
    else
        het__crew_run(u->mem, c.count, work, &c);
    return judge(&c, err);
}

het_status het__package_unpack(const het__package_job *job, het__mem *mem, het_error *err)
{
    het__unpacker *u;
    if (job->end_frame <= job->first_frame)
        return HET_OK;
    const uint64_t frames = job->end_frame - job->first_frame;
    const uint32_t count = frames < job->threads ? (uint32_t)frames : job->threads;
    het_status s = create(job->package, count, !job->target, mem, &u, err);
    if (s == HET_OK)
        s = het__unpacker_run(u, job, NULL, err);
    het__unpacker_destroy(u);
    return s;
}

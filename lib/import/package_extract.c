/* SPDX-License-Identifier: Apache-2.0 */
/* Files come out of a package frame by frame, so that memory does not grow with the model. Nothing
 * is at the target before everything is. */
#include "lib/import/package_parts.h"

#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/folder.h"

/* Frames per thread that are unpacked before they are written. */
#define ROUND_FRAMES 8

typedef struct extractor {
    const het__package *p;
    const het__package_request *q;
    uint8_t *buffer;
    uint64_t round; /* frames that fit into it */
} extractor;

static het_status extract_frames(const extractor *x, const het__new_file *file,
                                 const het__package_file *f, het_error *err)
{
    het__package_job job = { .package = x->p, .target = x->buffer, .threads = x->q->threads,
                             .progress = x->q->progress, .progress_user = x->q->progress_user,
                             .what = "unpacking" };
    het_status s = HET_OK;
    uint64_t at = 0;
    het__package_choose(&job, f->first_segment, f->segment_count);
    const uint64_t end = job.end_frame;
    const double all = (double)x->p->frame_count;
    while (s == HET_OK && job.first_frame < end) {
        job.end_frame = end - job.first_frame < x->round ? end : job.first_frame + x->round;
        job.from = (double)job.first_frame / all;
        job.to = (double)job.end_frame / all;
        const size_t bytes = (size_t)het__package_job_bytes(&job);
        s = het__package_unpack(&job, x->q->mem, err);
        const int code = s == HET_OK ? het__new_file_write(file, at, x->buffer, bytes) : 0;
        if (code)
            s = het__fail_native(err, HET_E_IO, code, "cannot write %s: system error %d",
                                 file->path, code);
        at += bytes;
        job.first_frame = job.end_frame;
    }
    return s;
}

static het_status extract_file(const extractor *x, const het__package_file *f, const char *path,
                               het_error *err)
{
    het__new_file file;
    het_status s = het__new_file_begin(&file, x->q->mem, path, f->bytes, err);
    if (s != HET_OK)
        return s;
    s = extract_frames(x, &file, f, err);
    if (s == HET_OK)
        return het__new_file_commit(&file, err);
    het__new_file_abandon(&file);
    return s;
}

static het_status extract_folder(const extractor *x, het_error *err)
{
    het__new_folder folder;
    het_status s = het__new_folder_begin(&folder, x->q->mem, x->q->target, err);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; s == HET_OK && i < x->p->file_count; i++) {
        char *path;
        s = het__new_folder_file(&folder, x->p->files[i].name, &path, err);
        if (s == HET_OK)
            s = extract_file(x, &x->p->files[i], path, err);
        het__free(x->q->mem, path);
    }
    if (s == HET_OK)
        return het__new_folder_commit(&folder, err);
    het__new_folder_abandon(&folder);
    return s;
}

het_status het__package_extract(const het__package *package, const het__package_request *request,
                                het_error *err)
{
    extractor x = { package, request, NULL, (uint64_t)request->threads * ROUND_FRAMES };
    if (package->frame_count < x.round)
        x.round = package->frame_count;
    x.buffer = het__alloc(request->mem, (size_t)x.round * package->frame_max);
    if (!x.buffer)
        return het__fail_nomem(err, "unpacking");
    const het_status s = package->kind == HET_PACKAGE_FOLDER
                             ? extract_folder(&x, err)
                             : extract_file(&x, &package->files[0], request->target, err);
    het__free(request->mem, x.buffer);
    return s;
}

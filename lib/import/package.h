/* SPDX-License-Identifier: Apache-2.0 */
/* Packages (.het): the files of a model, compressed piece by piece. docs/package.md has the format.
 *
 *   header | files | segments | frames | names | data of the frames, one behind the other
 *
 * A file is segments without gaps: one per tensor, and what lies between them (headers, padding,
 * other files). A segment is frames of block_bytes each, the last one shorter. A frame is unpacked
 * by itself: its bytes are split into planes (of two or four bytes per element, the exponents apart
 * from the rest), each a zstd frame or, where that saves nothing, as it is; a hash of the unpacked
 * bytes proves it. Where a frame lies follows from the sizes of those before it, so no two can
 * overlap and none can lie outside. */
#ifndef HET_IMPORT_PACKAGE_H
#define HET_IMPORT_PACKAGE_H

#include "lib/base/arena.h"
#include "lib/base/crew.h"
#include "lib/base/hash.h"

#include <hetinfer/package.h>

#define HET__PACKAGE_PLANES 4
#define HET__PACKAGE_FILES_MAX 65536
#define HET__PACKAGE_THREADS_MAX 1024

typedef struct het__package_segment {
    const char *name;     /* of the tensor; "" between tensors */
    uint64_t content;     /* its first byte, counted from the first of all files */
    uint64_t bytes;       /* at least 1 */
    uint64_t first_frame;
    uint32_t width;       /* planes: 1, 2 or 4 */
} het__package_segment;

typedef struct het__package_file {
    const char *name; /* a path below the package's folder, with '/' */
    uint64_t bytes;
    uint32_t first_segment, segment_count;
} het__package_file;

typedef struct het__package {
    const uint8_t *data; /* borrowed */
    size_t bytes;
    het_package_kind kind;
    uint32_t block_bytes;
    uint32_t frame_max; /* bytes of the longest frame, unpacked: block_bytes, or less */
    uint32_t file_count, segment_count, tensor_count;
    uint64_t frame_count;
    uint64_t content_bytes; /* of all files */
    const het__package_file *files; /* ordered by name */
    const het__package_segment *segments;
    const uint8_t *frames;  /* records as they stand in the file */
    const uint64_t *starts; /* per frame: its first byte in the file */
} het__package;

/* Whether a file begins like a package. */
bool het__package_sniff(const void *data, size_t bytes);
/* Read the index; no frame is looked at. All memory comes from the arena and is bounded by the
 * index; the bytes are kept. */
het_status het__package_open(het__package *package, het__arena *arena, const void *data,
                             size_t bytes, het_error *err);

/* NULL if there is none. O(log n). */
const het__package_file *het__package_find(const het__package *package, const char *name);
/* The segment of a tensor, NULL if the file has none of this name. O(n). */
const het__package_segment *het__package_tensor(const het__package *package,
                                                const het__package_file *file, const char *name);
/* Bytes of a file before its first tensor. */
uint64_t het__package_head(const het__package *package, const het__package_file *file);

/* What is to be unpacked: segments that follow each other, or frames. */
typedef struct het__package_job {
    const het__package *package;
    uint64_t first_frame, end_frame;
    uint8_t *target;   /* of the first frame's first byte; NULL: frames are only checked */
    uint32_t threads;  /* at least 1, the caller's one of them */
    het_progress_fn progress; /* may be NULL; told on the caller's thread */
    void *progress_user;
    double from, to;   /* what it is told at the beginning and at the end */
    const char *what;
} het__package_job;

/* Frames of segments [first, first + count); the job's other fields stay. */
void het__package_choose(het__package_job *job, uint32_t first, uint32_t count);
/* Bytes that the job's frames unpack to. */
uint64_t het__package_job_bytes(const het__package_job *job);
/* HET_E_FORMAT names the first corrupt frame; HET_E_CANCELLED. Then target holds anything. */
het_status het__package_unpack(const het__package_job *job, het__mem *mem, het_error *err);

/* What threads need to unpack, for one job after another. One job at a time. */
typedef struct het__unpacker het__unpacker;

/* For jobs with a target, of up to so many threads. */
het_status het__unpacker_create(const het__package *package, uint32_t threads, het__mem *mem,
                                het__unpacker **unpacker, het_error *err);
/* As het__package_unpack(), on a team's threads. NULL: on as many of its own as the job says. */
het_status het__unpacker_run(het__unpacker *unpacker, const het__package_job *job,
                             const het__team *team, het_error *err);
/* May be NULL. */
void het__unpacker_destroy(het__unpacker *unpacker);

/* Writing. The index is made before the data is read, so all of the source stays mapped. */
typedef struct het__package_request {
    het__mem *mem;
    const char *source; /* a GGUF file, or a folder */
    const char *target;
    int level;
    uint32_t block_bytes; /* of frames; 0: the usual */
    uint32_t threads;
    het_progress_fn progress;
    void *progress_user;
} het__package_request;

het_status het__package_write(const het__package_request *request, het_package_info *info,
                              het_error *err);
/* Everything into a file (GGUF) or a new folder at target. */
het_status het__package_extract(const het__package *package, const het__package_request *request,
                                het_error *err);
/* Figures of an open package. */
void het__package_describe(const het__package *package, het_package_info *info);

#endif /* HET_IMPORT_PACKAGE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* The index of a package. Nothing is believed because the hashes are right: every count is compared
 * with what the file can hold before memory is taken for it, and every sum with what it must be. */
#include "lib/import/package_parts.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/compress.h"
#include "lib/base/error.h"
#include "lib/import/gguf_parts.h"

typedef struct reader {
    het__package *p;
    het__arena *arena;
    const uint8_t *file_records, *segment_records;
    const char *names;
    uint64_t names_left;
    uint64_t data_at; /* first byte behind the index */
    het__package_file *files;
    het__package_segment *segments;
    uint64_t *starts;
    het_error *err;
} reader;

bool het__package_sniff(const void *data, size_t bytes)
{
    return bytes >= 8 && memcmp(data, HET__PACKAGE_MAGIC, 8) == 0;
}

static het_status bad(const reader *r, const char *what)
{
    return het__fail(r->err, HET_E_FORMAT, "the package's index is wrong: %s", what);
}

/* ---- names ---- */

bool het__package_name_is_text(const char *name, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    return true;
}

bool het__package_path_is_safe(const char *path, size_t bytes)
{
    if (bytes == 0 || bytes > HET__PACKAGE_PATH_MAX || !het__package_name_is_text(path, bytes))
        return false;
    for (size_t at = 0; at <= bytes;) {
        const char *slash = memchr(path + at, '/', bytes - at);
        const size_t n = slash ? (size_t)(slash - path) - at : bytes - at;
        if (n == 0 || n > 255 || (n == 1 && path[at] == '.') ||
            (n == 2 && path[at] == '.' && path[at + 1] == '.'))
            return false;
        at += n + 1;
    }
    return true;
}

static het_status read_name(reader *r, uint32_t bytes, const char **name)
{
    if (bytes > r->names_left)
        return bad(r, "its names end too early");
    *name = het__arena_strndup(r->arena, r->names, bytes);
    if (!*name)
        return het__fail_nomem(r->err, "the index of a package");
    r->names += bytes;
    r->names_left -= bytes;
    return HET_OK;
}

/* ---- header ---- */

static uint32_t header32(const reader *r, size_t at)
{
    return het__gguf_load32(r->p->data + at);
}

static uint64_t header64(const reader *r, size_t at)
{
    return het__gguf_load64(r->p->data + at);
}

static het_status check_header(const reader *r)
{
    const het__package *p = r->p;
    if (!het__package_sniff(p->data, p->bytes))
        return het__fail(r->err, HET_E_FORMAT, "not a package");
    if (p->bytes < HET__PACKAGE_HEADER_BYTES)
        return het__fail(r->err, HET_E_FORMAT, "the package of %zu bytes ends in its header",
                         p->bytes);
    const uint32_t version = header32(r, HET__PACKAGE_AT_VERSION);
    if (version > HET__PACKAGE_VERSION)
        return het__fail(r->err, HET_E_VERSION,
                         "packages of version %u are newer than this release, which reads %d",
                         version, HET__PACKAGE_VERSION);
    if (het__hash64(p->data, HET__PACKAGE_AT_HASH, 0) != header64(r, HET__PACKAGE_AT_HASH))
        return het__fail(r->err, HET_E_FORMAT, "the package's header is corrupt: its hash differs");
    if (version == 0 || header32(r, HET__PACKAGE_AT_ZERO) || header64(r, HET__PACKAGE_AT_ZEROS) ||
        header64(r, HET__PACKAGE_AT_RESERVED))
        return bad(r, "a field of the header is not what it must be");
    if (header64(r, HET__PACKAGE_AT_BYTES) != p->bytes)
        return het__fail(r->err, HET_E_FORMAT,
                         "the package has %zu bytes and says that it has %llu", p->bytes,
                         (unsigned long long)header64(r, HET__PACKAGE_AT_BYTES));
    return HET_OK;
}

static bool is_block(uint32_t bytes)
{
    return bytes >= HET__PACKAGE_BLOCK_MIN && bytes <= HET__PACKAGE_BLOCK_MAX &&
           (bytes & (bytes - 1)) == 0;
}

/* Counts and where the tables lie. Every product is below 2^37 or bounded by the file's size. */
static het_status read_header(reader *r)
{
    het__package *p = r->p;
    const het_status s = check_header(r);
    if (s != HET_OK)
        return s;
    p->kind = (het_package_kind)header32(r, HET__PACKAGE_AT_KIND);
    p->block_bytes = header32(r, HET__PACKAGE_AT_BLOCK);
    p->file_count = header32(r, HET__PACKAGE_AT_FILES);
    p->segment_count = header32(r, HET__PACKAGE_AT_SEGMENTS);
    p->frame_count = header64(r, HET__PACKAGE_AT_FRAMES);
    r->names_left = header64(r, HET__PACKAGE_AT_NAMES);
    if ((p->kind != HET_PACKAGE_GGUF && p->kind != HET_PACKAGE_FOLDER) ||
        !is_block(p->block_bytes) || p->file_count > HET__PACKAGE_FILES_MAX ||
        (p->kind == HET_PACKAGE_GGUF && p->file_count != 1))
        return bad(r, "its kind, its size of frames or its number of files does not exist");
    const uint64_t room = p->bytes - HET__PACKAGE_HEADER_BYTES;
    const uint64_t fixed = (uint64_t)p->file_count * HET__PACKAGE_FILE_BYTES +
                           (uint64_t)p->segment_count * HET__PACKAGE_SEGMENT_BYTES;
    if (fixed > room || p->frame_count > (room - fixed) / HET__PACKAGE_FRAME_BYTES ||
        r->names_left > room - fixed - p->frame_count * HET__PACKAGE_FRAME_BYTES)
        return bad(r, "it announces more than the file can hold");
    r->file_records = p->data + HET__PACKAGE_HEADER_BYTES;
    r->segment_records = r->file_records + (size_t)p->file_count * HET__PACKAGE_FILE_BYTES;
    p->frames = r->segment_records + (size_t)p->segment_count * HET__PACKAGE_SEGMENT_BYTES;
    r->names = (const char *)p->frames + p->frame_count * HET__PACKAGE_FRAME_BYTES;
    r->data_at = (uint64_t)((const uint8_t *)r->names - p->data) + r->names_left;
    const het__hash128 hash =
        het__hash128_of(r->file_records, (size_t)r->data_at - HET__PACKAGE_HEADER_BYTES);
    if (memcmp(hash.byte, p->data + HET__PACKAGE_AT_INDEX_HASH, sizeof hash.byte) != 0)
        return het__fail(r->err, HET_E_FORMAT, "the package's index is corrupt: its hash differs");
    return HET_OK;
}

/* ---- tables ---- */

static het_status read_segment(reader *r, uint32_t index, uint64_t *frames)
{
    het__package *p = r->p;
    het__package_segment *s = &r->segments[index];
    const uint8_t *record = r->segment_records + (size_t)index * HET__PACKAGE_SEGMENT_BYTES;
    const uint32_t name_bytes = het__gguf_load32(record + 8);
    s->bytes = het__gguf_load64(record);
    s->width = het__gguf_load32(record + 12);
    s->content = p->content_bytes;
    s->first_frame = *frames;
    if (name_bytes > HET__PACKAGE_NAME_MAX ||
        !het__package_name_is_text(r->names, name_bytes <= r->names_left ? name_bytes : 0))
        return bad(r, "a tensor's name is no text");
    const het_status status = read_name(r, name_bytes, &s->name);
    if (status != HET_OK)
        return status;
    if ((s->width != 1 && s->width != 2 && s->width != 4) || s->bytes == 0 ||
        s->bytes % s->width != 0)
        return bad(r, "a segment is empty, or not whole elements");
    const uint64_t count = (s->bytes - 1) / p->block_bytes + 1;
    if (count > p->frame_count - *frames)
        return bad(r, "there are fewer frames than its segments have");
    if (s->bytes > INT64_MAX - p->content_bytes)
        return bad(r, "its files are larger than any");
    *frames += count;
    const uint32_t longest = s->bytes < p->block_bytes ? (uint32_t)s->bytes : p->block_bytes;
    p->frame_max = longest > p->frame_max ? longest : p->frame_max;
    p->content_bytes += s->bytes;
    p->tensor_count += name_bytes > 0;
    return HET_OK;
}

static het_status read_file(reader *r, uint32_t index, uint32_t *segments, uint64_t *frames)
{
    het__package *p = r->p;
    het__package_file *f = &r->files[index];
    const uint8_t *record = r->file_records + (size_t)index * HET__PACKAGE_FILE_BYTES;
    const uint32_t name_bytes = het__gguf_load32(record + 12);
    f->bytes = het__gguf_load64(record);
    f->segment_count = het__gguf_load32(record + 8);
    f->first_segment = *segments;
    if (name_bytes > r->names_left || !het__package_path_is_safe(r->names, name_bytes))
        return bad(r, "a file's name is no path below a folder");
    het_status s = read_name(r, name_bytes, &f->name);
    if (s != HET_OK)
        return s;
    if (index > 0 && strcmp(f[-1].name, f->name) >= 0)
        return bad(r, "its files are not in the order of their names");
    if (f->segment_count > p->segment_count - *segments)
        return bad(r, "its files have more segments than there are");
    const uint64_t begin = p->content_bytes;
    for (uint32_t i = 0; s == HET_OK && i < f->segment_count; i++)
        s = read_segment(r, *segments + i, frames);
    *segments += f->segment_count;
    if (s == HET_OK && p->content_bytes - begin != f->bytes)
        return bad(r, "a file is not as large as its segments together");
    return s;
}

static het_status read_tables(reader *r)
{
    het__package *p = r->p;
    uint32_t segments = 0;
    uint64_t frames = 0;
    r->files = het__arena_zero(r->arena, p->file_count, sizeof *r->files);
    r->segments = het__arena_zero(r->arena, p->segment_count, sizeof *r->segments);
    r->starts = het__arena_zero(r->arena, (size_t)p->frame_count, sizeof *r->starts);
    if (!r->files || !r->segments || !r->starts)
        return het__fail_nomem(r->err, "the index of a package");
    p->files = r->files;
    p->segments = r->segments;
    p->starts = r->starts;
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < p->file_count; i++)
        s = read_file(r, i, &segments, &frames);
    if (s == HET_OK && (segments != p->segment_count || frames != p->frame_count ||
                        r->names_left != 0))
        return bad(r, "it has more segments, frames or names than its files");
    return s;
}

/* ---- frames ---- */

const het__package_segment *het__package_segment_of(const het__package *p, uint64_t frame)
{
    uint32_t low = 0, high = p->segment_count;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (p->segments[middle].first_frame <= frame)
            low = middle;
        else
            high = middle;
    }
    return &p->segments[low];
}

uint32_t het__package_frame_bytes(const het__package *p, const het__package_segment *s,
                                  uint64_t frame)
{
    const uint64_t left = s->bytes - (frame - s->first_frame) * p->block_bytes;
    return left < p->block_bytes ? (uint32_t)left : p->block_bytes;
}

uint64_t het__package_frame_content(const het__package *p, const het__package_segment *s,
                                    uint64_t frame)
{
    return s->content + (frame - s->first_frame) * p->block_bytes;
}

static het_status check_frames(reader *r)
{
    const het__package *p = r->p;
    uint64_t at = r->data_at;
    for (uint32_t i = 0; i < p->segment_count; i++) {
        const het__package_segment *s = &p->segments[i];
        const uint64_t end = s->first_frame + (s->bytes - 1) / p->block_bytes + 1;
        for (uint64_t f = s->first_frame; f < end; f++) {
            const uint8_t *record = p->frames + f * HET__PACKAGE_FRAME_BYTES;
            const uint32_t plane = het__package_frame_bytes(p, s, f) / s->width;
            r->starts[f] = at;
            for (uint32_t k = 0; k < HET__PACKAGE_PLANES; k++) {
                const uint32_t packed = het__gguf_load32(record + 4 * k);
                if (k < s->width ? packed == 0 || packed > plane : packed != 0)
                    return bad(r, "a frame's packed size is impossible");
                at += packed; /* bounded by frame_count * block_bytes */
            }
        }
    }
    return at == p->bytes ? HET_OK : bad(r, "its frames do not end where the file does");
}

het_status het__package_open(het__package *package, het__arena *arena, const void *data,
                             size_t bytes, het_error *err)
{
    reader r = { .p = package, .arena = arena, .err = err };
    *package = (het__package){ .data = data, .bytes = bytes };
    if (!het__compress_present())
        return het__fail(err, HET_E_UNSUPPORTED,
                         "packages are not read: this build is without zstd");
    het_status s = read_header(&r);
    if (s == HET_OK)
        s = read_tables(&r);
    if (s == HET_OK)
        s = check_frames(&r);
    if (s != HET_OK)
        *package = (het__package){ 0 };
    return s;
}

/* ---- search ---- */

const het__package_file *het__package_find(const het__package *p, const char *name)
{
    uint32_t low = 0, high = p->file_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int c = strcmp(name, p->files[middle].name);
        if (c == 0)
            return &p->files[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const het__package_segment *het__package_tensor(const het__package *p,
                                                const het__package_file *file, const char *name)
{
    for (uint32_t i = 0; *name && i < file->segment_count; i++)
        if (strcmp(p->segments[file->first_segment + i].name, name) == 0)
            return &p->segments[file->first_segment + i];
    return NULL;
}

uint64_t het__package_head(const het__package *p, const het__package_file *file)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < file->segment_count; i++) {
        const het__package_segment *s = &p->segments[file->first_segment + i];
        if (*s->name)
            break;
        bytes += s->bytes;
    }
    return bytes;
}

void het__package_describe(const het__package *p, het_package_info *info)
{
    *info = (het_package_info){ .struct_size = sizeof *info, .kind = (uint32_t)p->kind,
                                .file_count = p->file_count, .tensor_count = p->tensor_count,
                                .frame_count = p->frame_count,
                                .content_bytes = p->content_bytes, .package_bytes = p->bytes };
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/package_source.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/folder.h"
#include "lib/import/gguf_parts.h"
#include "lib/import/json.h"
#include "lib/import/package_parts.h"
#include "lib/import/safetensors.h"

/* Bytes of a file that stay together: a tensor. */
typedef struct piece {
    const char *name;
    const uint8_t *data;
    size_t bytes;
    uint32_t width;
} piece;

typedef struct listed {
    const char *name; /* first, for the sort */
    struct listed *next;
} listed;

/* Segments of one file, before they stand side by side with the others'. */
typedef struct planned {
    het__package_segment *segments;
    const uint8_t **contents;
    uint32_t count;
} planned;

typedef struct lister {
    het__package_source *source;
    listed *first;
    uint32_t count;
    planned *plans;
    het_error *err;
} lister;

/* ---- files ---- */

static het_status add_file(void *user, const char *path, het_error *err)
{
    lister *l = user;
    char shown[100];
    if (!het__package_path_is_safe(path, strlen(path))) {
        snprintf(shown, sizeof shown, "%.96s", path);
        return het__fail(err, HET_E_UNSUPPORTED, "%s: packages hold no such name",
                         het__printable(shown));
    }
    if (l->count == HET__PACKAGE_FILES_MAX)
        return het__fail(err, HET_E_UNSUPPORTED, "the folder has more than %d files",
                         HET__PACKAGE_FILES_MAX);
    listed *f = het__arena_zero(&l->source->arena, 1, sizeof *f);
    const char *name = f ? het__arena_strdup(&l->source->arena, path) : NULL;
    if (!name)
        return het__fail_nomem(err, "the list of files");
    *f = (listed){ name, l->first };
    l->first = f;
    l->count++;
    return HET_OK;
}

static het_status map_file(const lister *l, const char *path, het__mapping *mapping)
{
    het__file file;
    het_status s = het__file_open(path, &file, l->err);
    if (s == HET_OK && file.fd < 0)
        s = het__fail(l->err, HET_E_IO, "%s is missing", path);
    if (s == HET_OK && file.bytes > 0)
        s = het__map_open(file.fd, path, mapping, l->err);
    het__file_close(&file);
    return s;
}

/* ---- tensors ---- */

static uint32_t width_of(het_dtype dtype)
{
    return dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_BF16 ? 2 : dtype == HET_DTYPE_F32 ? 4 : 1;
}

static bool comes_before(const piece *a, const piece *b)
{
    return (uintptr_t)a->data < (uintptr_t)b->data;
}

static void sift_down(piece *p, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && comes_before(&p[child], &p[child + 1]))
            child++;
        if (!comes_before(&p[root], &p[child]))
            return;
        const piece swap = p[root];
        p[root] = p[child];
        p[child] = swap;
    }
}

static void sort_by_place(piece *p, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(p, i, count);
    for (size_t last = count; last-- > 1;) {
        const piece swap = p[0];
        p[0] = p[last];
        p[last] = swap;
        sift_down(p, 0, last);
    }
}

static het_status gguf_pieces(const lister *l, const het__mapping *m, piece **pieces,
                              size_t *count)
{
    het__gguf g;
    het__arena *arena = &l->source->arena;
    const het_status s = het__gguf_open(&g, arena, m->data, m->bytes, l->err);
    if (s != HET_OK)
        return s;
    *count = g.tensor_count;
    *pieces = het__arena_zero(arena, g.tensor_count, sizeof **pieces);
    if (!*pieces)
        return het__fail_nomem(l->err, "the list of tensors");
    for (size_t i = 0; i < g.tensor_count; i++) {
        const het__gguf_tensor *t = &g.tensors[i];
        (*pieces)[i] = (piece){ t->name, t->data, t->bytes, width_of(t->dtype) };
    }
    return HET_OK;
}

static het_status safetensors_pieces(const lister *l, const char *name, const het__mapping *m,
                                     piece **pieces, size_t *count)
{
    het__safetensors st;
    het__arena *arena = &l->source->arena;
    het__safetensors_init(&st, arena);
    const het_status s = het__safetensors_add(&st, name, m->data, m->bytes, l->err);
    if (s != HET_OK)
        return s;
    *count = st.count;
    *pieces = het__arena_zero(arena, st.count, sizeof **pieces);
    if (!*pieces)
        return het__fail_nomem(l->err, "the list of tensors");
    for (size_t i = 0; i < st.count; i++) {
        const het__st_tensor *t = &st.tensors[i];
        (*pieces)[i] = (piece){ t->name, t->data, t->bytes, width_of(t->dtype) };
    }
    return HET_OK;
}

static void add_segment(planned *f, const char *name, const uint8_t *data, size_t bytes,
                        uint32_t width)
{
    if (bytes == 0)
        return;
    f->segments[f->count] = (het__package_segment){ .name = name, .bytes = bytes, .width = width };
    f->contents[f->count++] = data;
}

/* Tensors that share bytes stay one: the first of them has a name. */
static het_status cut_file(const lister *l, planned *f, const het__mapping *m, piece *pieces,
                           size_t count)
{
    const uint8_t *base = m->data;
    size_t at = 0;
    sort_by_place(pieces, count);
    f->segments = het__arena_zero(&l->source->arena, 2 * count + 1, sizeof *f->segments);
    f->contents = het__arena_zero(&l->source->arena, 2 * count + 1, sizeof *f->contents);
    if (!f->segments || !f->contents)
        return het__fail_nomem(l->err, "the list of tensors");
    for (size_t i = 0; i < count; i++) {
        const piece *p = &pieces[i];
        const size_t begin = p->bytes ? (size_t)(p->data - base) : 0;
        if (p->bytes == 0 || begin < at)
            continue;
        add_segment(f, "", base + at, begin - at, 1);
        add_segment(f, p->name, p->data, p->bytes, p->width);
        at = begin + p->bytes;
    }
    add_segment(f, "", base + at, m->bytes - at, 1);
    return HET_OK;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_gguf(const het__mapping *m)
{
    return m->bytes >= 4 && memcmp(m->data, "GGUF", 4) == 0;
}

static het_status plan_file(lister *l, uint32_t index)
{
    const het__package_file *f = &l->source->package.files[index];
    const het__mapping *m = &l->source->mappings[index];
    piece *pieces = NULL;
    size_t count = 0;
    het_status s = HET_OK;
    if (!m->data)
        return HET_OK;
    if (is_gguf(m))
        s = gguf_pieces(l, m, &pieces, &count);
    else if (ends_with(f->name, ".safetensors"))
        s = safetensors_pieces(l, f->name, m, &pieces, &count);
    if (s == HET_E_UNSUPPORTED) { /* types of tensors that are not known: bytes like others */
        s = HET_OK;
        count = 0;
    }
    return s == HET_OK ? cut_file(l, &l->plans[index], m, pieces, count) : s;
}

/* ---- the whole ---- */

/* Segments of all files side by side, and the places that follow from it. */
static het_status join_plans(lister *l)
{
    het__package_source *src = l->source;
    het__package *p = &src->package;
    het__package_file *files = (het__package_file *)(uintptr_t)p->files;
    uint64_t count = 0;
    for (uint32_t i = 0; i < p->file_count; i++)
        count += l->plans[i].count;
    if (count > UINT32_MAX)
        return het__fail(l->err, HET_E_UNSUPPORTED, "the source has too many tensors");
    het__package_segment *all = het__arena_zero(&src->arena, (size_t)count, sizeof *all);
    src->contents = het__arena_zero(&src->arena, (size_t)count, sizeof *src->contents);
    if (!all || !src->contents)
        return het__fail_nomem(l->err, "the list of tensors");
    p->segments = all;
    for (uint32_t i = 0; i < p->file_count; i++) {
        files[i].first_segment = p->segment_count;
        files[i].segment_count = l->plans[i].count;
        src->names_bytes += strlen(files[i].name);
        for (uint32_t k = 0; k < l->plans[i].count; k++) {
            het__package_segment *s = &all[p->segment_count];
            *s = l->plans[i].segments[k];
            s->content = p->content_bytes;
            s->first_frame = p->frame_count;
            src->contents[p->segment_count++] = l->plans[i].contents[k];
            src->names_bytes += strlen(s->name);
            p->content_bytes += s->bytes;
            p->tensor_count += *s->name != '\0';
            p->frame_count += (s->bytes - 1) / p->block_bytes + 1;
        }
    }
    return HET_OK;
}

/* The files in the order of their names, mapped. */
static het_status map_files(lister *l, const char *path)
{
    het__package_source *src = l->source;
    het__arena *arena = &src->arena;
    listed *list = het__arena_zero(arena, l->count, sizeof *list);
    het__package_file *files = het__arena_zero(arena, l->count, sizeof *files);
    const bool is_folder = src->package.kind == HET_PACKAGE_FOLDER;
    src->mappings = het__arena_zero(arena, l->count, sizeof *src->mappings);
    l->plans = het__arena_zero(arena, l->count, sizeof *l->plans);
    if (!list || !files || !src->mappings || !l->plans)
        return het__fail_nomem(l->err, "the list of files");
    uint32_t n = 0;
    for (const listed *f = l->first; f; f = f->next)
        list[n++] = *f;
    const size_t *order = het__gguf_sort(arena, list, n, sizeof *list);
    if (!order)
        return het__fail_nomem(l->err, "the list of files");
    src->package.files = files;
    for (uint32_t i = 0; i < n; i++) {
        char full[HET__FOLDER_PATH_MAX];
        files[i].name = list[order[i]].name;
        if (is_folder)
            snprintf(full, sizeof full, "%s/%s", path, files[i].name);
        const het_status s = map_file(l, is_folder ? full : path, &src->mappings[i]);
        if (s != HET_OK)
            return s;
        files[i].bytes = src->mappings[i].bytes;
        src->package.file_count++;
    }
    return HET_OK;
}

het_status het__package_source_open(het__package_source *source, het__mem *mem, const char *path,
                                    uint32_t block_bytes, het_error *err)
{
    lister l = { .source = source, .err = err };
    het__package *p = &source->package;
    *source = (het__package_source){ .names_bytes = 0 };
    het__arena_init(&source->arena, mem);
    p->block_bytes = block_bytes ? block_bytes : HET__PACKAGE_BLOCK_USUAL;
    p->kind = het__is_folder(path) ? HET_PACKAGE_FOLDER : HET_PACKAGE_GGUF;
    const char *slash = strrchr(path, '/');
    het_status s = p->kind == HET_PACKAGE_FOLDER
                       ? het__folder_walk(path, add_file, &l, err)
                       : add_file(&l, slash ? slash + 1 : path, err);
    if (s == HET_OK && l.count == 0)
        s = het__fail(err, HET_E_UNSUPPORTED, "there is no file in %s", path);
    if (s == HET_OK)
        s = map_files(&l, path);
    if (s == HET_OK && p->kind == HET_PACKAGE_GGUF && !is_gguf(&source->mappings[0]))
        s = het__fail(err, HET_E_UNSUPPORTED, "%s is neither a GGUF file nor a folder", path);
    for (uint32_t i = 0; s == HET_OK && i < p->file_count; i++)
        s = plan_file(&l, i);
    return s == HET_OK ? join_plans(&l) : s;
}

void het__package_source_close(het__package_source *source)
{
    for (uint32_t i = 0; i < source->package.file_count; i++)
        het__unmap_file(&source->mappings[i]);
    het__arena_finish(&source->arena);
    source->package.file_count = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/hf_files.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"

#define INDEX_BYTES_MAX ((size_t)64 << 20)
#define SHARD_NAME_MAX 255
/* No system opens longer paths. */
#define PATH_BYTES 4096
/* No model comes in more files. */
#define SHARDS_MAX 4096

/* ---- places ---- */

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_weights(const char *name)
{
    return ends_with(name, ".safetensors") || ends_with(name, ".safetensors.index.json");
}

static bool stands_for_folder(const char *name)
{
    return is_weights(name) || strcmp(name, "config.json") == 0 ||
           strcmp(name, "tokenizer.json") == 0 || strcmp(name, "tokenizer.model") == 0;
}

bool het__hf_place_has(const het__hf_place *place, const char *name)
{
    if (place->packed)
        return het__package_find(place->packed->package, name) != NULL;
    het__file file = { -1, 0 };
    char path[PATH_BYTES];
    const int n = snprintf(path, sizeof path, "%s/%s", place->folder, name);
    const bool found = n > 0 && (size_t)n < sizeof path &&
                       het__file_open(path, &file, NULL) == HET_OK && file.fd >= 0;
    het__file_close(&file);
    return found;
}

/* A folder whose weights cannot be opened is not one without any. */
static het_status look_for(const het__hf_place *place, const char *name, const char **weights,
                           het_error *err)
{
    char path[PATH_BYTES];
    if (*weights)
        return HET_OK;
    if (het__hf_place_has(place, name)) {
        *weights = name;
        return HET_OK;
    }
    const int n = place->packed ? 0 : snprintf(path, sizeof path, "%s/%s", place->folder, name);
    if (n > 0 && (size_t)n < sizeof path && het__is_entry(path))
        return het__fail(err, HET_E_IO, "%s is a link that leads nowhere, or no file", path);
    return HET_OK;
}

/* weights: the name that was given, or NULL. */
static het_status find_weights(het__hf_place *place, const char *weights, het_error *err)
{
    het_status s = look_for(place, "model.safetensors", &weights, err);
    if (s == HET_OK)
        s = look_for(place, "model.safetensors.index.json", &weights, err);
    if (s != HET_OK || !weights)
        return s;
    place->weights = het__strndup(place->mem, weights, strlen(weights));
    return place->weights ? HET_OK : het__fail_nomem(err, "a path");
}

het_status het__hf_place_find(het__mem *mem, const char *path, het__hf_place *place,
                              het_error *err)
{
    *place = (het__hf_place){ .mem = mem };
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path, *weights = NULL;
    if (het__is_folder(path)) {
        place->folder = het__strndup(mem, path, strlen(path));
    } else if (stands_for_folder(name)) {
        const size_t n = slash ? (size_t)(slash - path) : 0;
        place->folder = slash ? het__strndup(mem, n ? path : "/", n ? n : 1)
                              : het__strndup(mem, ".", 1);
        weights = is_weights(name) ? name : NULL;
    } else {
        return HET_OK;
    }
    if (!place->folder)
        return het__fail_nomem(err, "a path");
    if (weights && !het__hf_place_has(place, weights)) {
        het__hf_place_finish(place); /* opening the path says so */
        return HET_OK;
    }
    return find_weights(place, weights, err);
}

het_status het__hf_place_of(het__mem *mem, const het__hf_packed *packed, const char *path,
                            het__hf_place *place, het_error *err)
{
    *place = (het__hf_place){ .mem = mem, .packed = packed };
    place->folder = het__strndup(mem, path, strlen(path));
    return place->folder ? find_weights(place, NULL, err) : het__fail_nomem(err, "a path");
}

void het__hf_place_finish(het__hf_place *place)
{
    het__free(place->mem, place->folder);
    het__free(place->mem, place->weights);
    place->folder = place->weights = NULL;
}

/* ---- files ---- */

/* Which part of the weights a file is, for progress. */
typedef struct part {
    double from, to;
} part;

/* Room for bytes of a packed file. */
static het_status reserve(const het__hf_place *place, const het__package_file *f, uint64_t bytes,
                          het__mapping *mapping, het_error *err)
{
    if (bytes == 0)
        return het__fail(err, HET_E_FORMAT, "%s is empty", f->name);
    void *data = bytes <= SIZE_MAX ? het__alloc(place->mem, (size_t)bytes) : NULL;
    if (!data)
        return het__fail_nomem(err, "a file of a package");
    *mapping = (het__mapping){ data, (size_t)bytes, place->packed->state, place->mem };
    return HET_OK;
}

/* Segments [0, count) of a packed file into memory of its own. */
static het_status unpack(const het__hf_place *place, const het__package_file *f, uint32_t count,
                         const part *told, het__mapping *mapping, het_error *err)
{
    const het__hf_packed *packed = place->packed;
    het__package_job job = { .package = packed->package, .threads = packed->threads,
                             .what = "weights" };
    het__package_choose(&job, f->first_segment, count);
    het_status s = reserve(place, f, het__package_job_bytes(&job), mapping, err);
    if (s != HET_OK)
        return s;
    job.target = (uint8_t *)(uintptr_t)mapping->data;
    if (told) {
        job.progress = packed->progress;
        job.progress_user = packed->progress_user;
        job.from = packed->from + (packed->to - packed->from) * told->from;
        job.to = packed->from + (packed->to - packed->from) * told->to;
        het__want_huge_pages(job.target, mapping->bytes);
    }
    s = het__package_unpack(&job, place->mem, err);
    if (s != HET_OK)
        het__unmap_file(mapping);
    return s;
}

/* A place for a file whose tensors stay packed. */
static het_status place_file(const het__hf_place *place, const het__package_file *f,
                             het__mapping *mapping, het_error *err)
{
    het_status s = reserve(place, f, f->bytes, mapping, err);
    if (s != HET_OK)
        return s;
    s = het__package_store_place(place->packed->store, f, (void *)(uintptr_t)mapping->data, err);
    if (s != HET_OK)
        het__unmap_file(mapping);
    return s;
}

static het_status unpack_file(const het__hf_place *place, const char *name, const part *told,
                              het__mapping *mapping, het_error *err)
{
    const het__package_file *f = het__package_find(place->packed->package, name);
    *mapping = (het__mapping){ 0 };
    if (!f)
        return HET_OK;
    return told && place->packed->store ? place_file(place, f, mapping, err)
                                        : unpack(place, f, f->segment_count, told, mapping, err);
}

/* What a file has before its first tensor. */
static het_status unpack_head(const het__hf_place *place, const het__package_file *f,
                              het__mapping *mapping, het_error *err)
{
    uint32_t count = 0;
    while (count < f->segment_count &&
           !*place->packed->package->segments[f->first_segment + count].name)
        count++;
    *mapping = (het__mapping){ 0 };
    return unpack(place, f, count, NULL, mapping, err);
}

het_status het__hf_map(const het__hf_place *place, const char *name, het__mapping *mapping,
                       het_error *err)
{
    het__file file;
    if (place->packed)
        return unpack_file(place, name, NULL, mapping, err);
    char *path = het__path_join(place->mem, place->folder, name);
    *mapping = (het__mapping){ 0 };
    if (!path)
        return het__fail_nomem(err, "a path");
    het_status s = het__file_open(path, &file, err);
    if (s == HET_OK && file.fd >= 0)
        s = het__map_open(file.fd, path, mapping, err);
    het__file_close(&file);
    het__free(place->mem, path);
    return s;
}

het_status het__hf_json(const het__hf_place *place, const char *name, size_t bytes_max,
                        json_t **root, het_error *err)
{
    het__mapping mapping;
    *root = NULL;
    het_status s = het__hf_map(place, name, &mapping, err);
    if (s == HET_OK && mapping.data) {
        const het__json_limits limits = { bytes_max, HET__HF_DEPTH_MAX };
        s = het__json_read(name, mapping.data, mapping.bytes, &limits, root, err);
    }
    het__unmap_file(&mapping);
    return s;
}

/* ---- shards ---- */

/* All files as one: its size is a hash of every file's place, size and times, so that it changes
 * when one of them does. */
static void add_state(het__hf_shards *shards, const het__file_state *f)
{
    het__file_state *all = &shards->state;
    het__hash128 h = { { 0 } };
    const uint64_t parts[6] = { all->bytes, f->device, f->inode, f->bytes,
                                (uint64_t)f->modified_ns, (uint64_t)f->changed_ns };
    if (f->bytes == 0)
        return; /* no file, which nothing is remembered of */
    if (shards->count == 0) {
        *all = *f;
        return;
    }
    het__hash128_add(&h, parts, sizeof parts);
    memcpy(&all->bytes, &h, sizeof all->bytes);
    all->modified_ns = f->modified_ns > all->modified_ns ? f->modified_ns : all->modified_ns;
    all->changed_ns = f->changed_ns > all->changed_ns ? f->changed_ns : all->changed_ns;
    all->seen_ns = f->seen_ns < all->seen_ns ? f->seen_ns : all->seen_ns;
}

/* There must be room in mappings. */
static het_status add_shard(het__hf_shards *shards, const het__hf_place *place, const char *name,
                            bool loads, het_error *err)
{
    het__mapping *m = &shards->mappings[shards->count];
    const part told = { (double)shards->count / (double)shards->total,
                        (double)(shards->count + 1) / (double)shards->total };
    const het__package_file *packed =
        place->packed && !loads ? het__package_find(place->packed->package, name) : NULL;
    het_status s = packed          ? unpack_head(place, packed, m, err)
                   : place->packed ? unpack_file(place, name, &told, m, err)
                                   : het__hf_map(place, name, m, err);
    if (s == HET_OK && !m->data)
        s = het__fail(err, HET_E_IO, "the weight file %s/%s is missing", place->folder, name);
    if (s != HET_OK)
        return s;
    add_state(shards, &m->state);
    shards->count++;
    return het__safetensors_add_head(&shards->tensors, name, m->data, m->bytes,
                                     packed ? (size_t)packed->bytes : m->bytes, err);
}

static bool is_plain_name(const char *name)
{
    return name && *name && strlen(name) <= SHARD_NAME_MAX && !strchr(name, '/') &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool is_known(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The files that a map names, each once: those of neighbours are mostly the same. */
static het_status list_shards(const json_t *map, het__arena *arena, const char ***names,
                              size_t *count, het_error *err)
{
    const char *tensor;
    json_t *value;
    *names = het__arena_zero(arena, SHARDS_MAX, sizeof **names);
    *count = 0;
    if (!*names)
        return het__fail_nomem(err, "the list of files");
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value) {
        const char *name = json_string_value(value);
        if (!is_plain_name(name))
            return het__fail(err, HET_E_FORMAT, "an entry of weight_map is no name of a file");
        if (*count && strcmp((*names)[*count - 1], name) == 0)
            continue;
        if (is_known(*names, *count, name))
            continue;
        if (*count == SHARDS_MAX)
            return het__fail(err, HET_E_FORMAT, "weight_map names more than %d files",
                             SHARDS_MAX);
        (*names)[(*count)++] = name;
    }
    return HET_OK;
}

static het_status check_map(const het__hf_shards *shards, const json_t *map, het_error *err)
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value) {
        const het__st_tensor *t = het__safetensors_find(&shards->tensors, tensor);
        if (t && strcmp(t->file, json_string_value(value)) == 0)
            continue;
        char text[80];
        snprintf(text, sizeof text, "%.76s", tensor);
        return het__fail(err, HET_E_FORMAT, "tensor %s is not in %s, where weight_map has it",
                         het__printable(text), json_string_value(value));
    }
    return HET_OK;
}

static het_status open_index(het__hf_shards *shards, const het__hf_place *place, bool loads,
                             json_t *root, het__arena *arena, het_error *err)
{
    const char **names;
    size_t count;
    const json_t *map = json_object_get(root, "weight_map");
    if (json_object_size(map) == 0)
        return het__fail(err, HET_E_FORMAT, "%s has no weight_map", place->weights);
    het_status s = list_shards(map, arena, &names, &count, err);
    if (s != HET_OK)
        return s;
    shards->total = count;
    shards->mappings = het__arena_zero(arena, count, sizeof *shards->mappings);
    if (!shards->mappings)
        return het__fail_nomem(err, "the list of files");
    for (size_t i = 0; s == HET_OK && i < count; i++)
        s = add_shard(shards, place, names[i], loads, err);
    if (s == HET_OK)
        s = het__safetensors_seal(&shards->tensors, err);
    return s == HET_OK ? check_map(shards, map, err) : s;
}

het_status het__hf_shards_open(het__hf_shards *shards, const het__hf_place *place, bool loads,
                               het__arena *arena, het_error *err)
{
    json_t *root = NULL;
    het_status s;
    *shards = (het__hf_shards){ 0 };
    if (place->packed && place->packed->store)
        shards->lender = het__package_store_lender(place->packed->store);
    het__safetensors_init(&shards->tensors, arena);
    if (ends_with(place->weights, ".index.json")) {
        s = het__hf_json(place, place->weights, INDEX_BYTES_MAX, &root, err);
        if (s == HET_OK && !root)
            s = het__fail(err, HET_E_IO, "%s/%s is missing", place->folder, place->weights);
        if (s == HET_OK)
            s = open_index(shards, place, loads, root, arena, err);
        json_decref(root);
        return s;
    }
    shards->total = 1;
    shards->mappings = het__arena_zero(arena, 1, sizeof *shards->mappings);
    if (!shards->mappings)
        return het__fail_nomem(err, "the list of files");
    s = add_shard(shards, place, place->weights, loads, err);
    return s == HET_OK ? het__safetensors_seal(&shards->tensors, err) : s;
}

void het__hf_shards_close(het__hf_shards *shards)
{
    for (size_t i = 0; i < shards->count; i++)
        het__unmap_file(&shards->mappings[i]);
    shards->count = 0;
}

bool het__hf_shards_hold(const het__hf_shards *shards, const void *data)
{
    for (size_t i = 0; i < shards->count; i++) {
        const het__mapping *m = &shards->mappings[i];
        const uintptr_t begin = (uintptr_t)m->data;
        if (!m->mem && (uintptr_t)data >= begin && (uintptr_t)data - begin < m->bytes)
            return true;
    }
    return false;
}

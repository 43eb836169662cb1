/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a Hugging Face folder: which path means one, its JSON files, its shards mapped.
 * Names of shards come from the index and stay inside the folder; the folder's own files may be
 * links, as in that hub's cache. */
#ifndef HET_IMPORT_HF_FILES_H
#define HET_IMPORT_HF_FILES_H

#include "lib/base/arena.h"
#include "lib/base/os.h"
#include "lib/import/json.h"
#include "lib/import/package_store.h"
#include "lib/import/safetensors.h"

/* Most bytes of tokenizer.json, and of other JSON files of which nothing else is known. */
#define HET__HF_JSON_MAX ((size_t)256 << 20)
#define HET__HF_DEPTH_MAX 32

/* The folder is in a package: its files are unpacked when they are asked for. */
typedef struct het__hf_packed {
    const het__package *package;
    het__package_store *store; /* keeps the weights packed; NULL: they are unpacked when loaded */
    het__file_state state; /* of the package; bytes 0: it is no file */
    uint32_t threads;
    het_progress_fn progress; /* may be NULL; told while weights are unpacked */
    void *progress_user;
    double from, to;
} het__hf_packed;

typedef struct het__hf_place {
    het__mem *mem;
    const het__hf_packed *packed; /* borrowed; NULL: files of the system */
    char *folder;  /* NULL: the path means no such folder */
    char *weights; /* name of a weight file or index; NULL: there is none */
} het__hf_place;

/* A folder, or a file that stands for its folder by its name: config.json, tokenizer.json,
 * tokenizer.model, *.safetensors, *.safetensors.index.json. HET_OK or HET_E_NOMEM; the place is to
 * be finished either way. */
het_status het__hf_place_find(het__mem *mem, const char *path, het__hf_place *place,
                              het_error *err);
/* The same of a package of a folder; path is for messages. */
het_status het__hf_place_of(het__mem *mem, const het__hf_packed *packed, const char *path,
                            het__hf_place *place, het_error *err);
void het__hf_place_finish(het__hf_place *place);
/* Whether the folder has such a file. */
bool het__hf_place_has(const het__hf_place *place, const char *name);

/* Map a file of the folder, or unpack it. One that is absent gives HET_OK and data NULL. */
het_status het__hf_map(const het__hf_place *place, const char *name, het__mapping *mapping,
                       het_error *err);
/* Parse one: *root is NULL where it is absent. */
het_status het__hf_json(const het__hf_place *place, const char *name, size_t bytes_max,
                        json_t **root, het_error *err);

/* Weight files, mapped for as long as the tensors are used. */
typedef struct het__hf_shards {
    size_t count, total; /* that are open; that there will be */
    het__mapping *mappings; /* in the arena of tensors */
    het__file_state state;  /* of all of them together */
    const het__lender *lender; /* of the tensors' data; NULL: it is there */
    het__safetensors tensors;
} het__hf_shards;

/* loads: with their data; without it that of a package is not unpacked and NULL. On failure what is
 * there is given back by close. */
het_status het__hf_shards_open(het__hf_shards *shards, const het__hf_place *place, bool loads,
                               het__arena *arena, het_error *err);
void het__hf_shards_close(het__hf_shards *shards);
/* Whether the bytes lie in one of the files, from which they can be read again. */
bool het__hf_shards_hold(const het__hf_shards *shards, const void *data);

#endif /* HET_IMPORT_HF_FILES_H */

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/exec/calibrations.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/cost/cost.h"

/* A file of ours has some tens of kilobytes. */
#define FILE_BYTES_MAX (4u << 20)

typedef struct het__calibrations_entry {
    struct het__calibrations_entry *next;
    uint32_t device, threads;
    bool is_known; /* false: looked for and not found */
    het__calibration calibration;
} entry;

void het__calibrations_init(het__calibrations *store, bool use_env, het__mem *mem, het__log *log)
{
    memset(store, 0, sizeof *store);
    store->mem = mem;
    store->log = log;
    store->folder = use_env ? het__calibration_folder(mem) : NULL;
    het__mutex_init(&store->lock);
}

void het__calibrations_finish(het__calibrations *store)
{
    if (!store->mem)
        return;
    while (store->first) {
        entry *e = store->first;
        store->first = e->next;
        het__calibration_finish(&e->calibration);
        het__free(store->mem, e);
    }
    het__free(store->mem, store->folder);
    het__mutex_finish(&store->lock);
    memset(store, 0, sizeof *store);
}

/* ---- reading ---- */

static het_status read_text(het__mem *mem, const het__file *file, const char *path, char **text,
                            het_error *err)
{
    if (file->bytes == 0 || file->bytes > FILE_BYTES_MAX)
        return het__fail(err, HET_E_FORMAT, "%s: %llu bytes are no calibration", path,
                         (unsigned long long)file->bytes);
    *text = het__alloc(mem, (size_t)file->bytes);
    if (!*text)
        return het__fail_nomem(err, "a calibration");
    if (het__file_read(file, 0, *text, (size_t)file->bytes))
        return HET_OK;
    het__free(mem, *text);
    *text = NULL;
    return het__fail(err, HET_E_IO, "cannot read %s", path);
}

static het_status read_file(const het__calibrations *store, const char *path,
                            const het_device_info *info, uint32_t threads, het__calibration *c,
                            bool *found, het_error *err)
{
    het__file file;
    char *text = NULL, reason[64];
    het_status s = het__file_open(path, &file, err);
    *found = s == HET_OK && file.fd >= 0;
    if (!*found)
        return s;
    s = read_text(store->mem, &file, path, &text, err);
    if (s == HET_OK)
        s = het__calibration_read(c, text, (size_t)file.bytes, path, store->mem, err);
    if (s == HET_OK && !het__calibration_fits(c, info, threads, reason, sizeof reason))
        s = het__fail(err, HET_E_INVALID, "%s was measured with %s", path, reason);
    if (s == HET_OK)
        s = het__calibration_fit(c, store->mem, err);
    if (s != HET_OK)
        het__calibration_finish(c);
    het__free(store->mem, text);
    het__file_close(&file);
    return s;
}

static void look_up(const het__calibrations *store, const het_device_info *info, uint32_t threads,
                    entry *e)
{
    het_error err = HET_ERROR_INIT;
    char *name = het__calibration_file(store->mem, info, threads);
    char *path = name ? het__path_join(store->mem, store->folder, name) : NULL;
    if (path) {
        const het_status s = read_file(store, path, info, threads, &e->calibration, &e->is_known,
                                       &err);
        e->is_known = e->is_known && s == HET_OK;
        if (s != HET_OK)
            het__log_line(store->log, HET_LOG_WARN, "calibration", "not used: %s", err.message);
    }
    het__free(store->mem, path);
    het__free(store->mem, name);
}

static entry *find(const het__calibrations *store, uint32_t device, uint32_t threads)
{
    entry *e = store->first;
    while (e && (e->device != device || e->threads != threads))
        e = e->next;
    return e;
}

static entry *add(het__calibrations *store, uint32_t device, uint32_t threads)
{
    entry *e = het__alloc_zero(store->mem, 1, sizeof *e);
    if (!e)
        return NULL;
    e->device = device;
    e->threads = threads;
    return e;
}

const het__calibration *het__calibrations_find(het__calibrations *store,
                                               const het_device_info *info, uint32_t threads)
{
    if (!store)
        return NULL;
    het__mutex_lock(&store->lock);
    entry *e = find(store, info->index, threads);
    if (!e && store->folder) {
        e = add(store, info->index, threads);
        if (e) {
            look_up(store, info, threads, e);
            e->next = store->first;
            store->first = e;
        }
    }
    het__mutex_unlock(&store->lock);
    return e && e->is_known ? &e->calibration : NULL;
}

/* ---- keeping ---- */

static het_status write_into_folder(const het__calibrations *store, const het_device_info *info,
                                    const het__calibration *c, const char *text, het_error *err)
{
    het_status s = het__folder_make(store->mem, store->folder, err);
    char *name = het__calibration_file(store->mem, info, c->threads);
    char *path = name ? het__path_join(store->mem, store->folder, name) : NULL;
    if (s == HET_OK)
        s = path ? het__file_replace(store->mem, path, text, strlen(text), err)
                 : het__fail_nomem(err, "a calibration");
    het__free(store->mem, path);
    het__free(store->mem, name);
    return s;
}

static het_status write_text(const het__calibrations *store, const het_device_info *info,
                             const het__calibration *c, const char *path, het_error *err)
{
    if (path ? !*path : !store->folder)
        return HET_OK;
    char *text = het__calibration_write(c, store->mem);
    if (!text)
        return het__fail_nomem(err, "a calibration");
    const het_status s = path ? het__file_replace(store->mem, path, text, strlen(text), err)
                              : write_into_folder(store, info, c, text, err);
    het__free(store->mem, text);
    return s;
}

het_status het__calibrations_keep(het__calibrations *store, const het_device_info *info,
                                  het__calibration *c, const char *path, het_error *err)
{
    const het_status s = write_text(store, info, c, path, err);
    if (s != HET_OK)
        return s;
    entry *e = add(store, info->index, c->threads);
    if (!e)
        return het__fail_nomem(err, "a calibration");
    e->calibration = *c;
    e->is_known = true;
    memset(c, 0, sizeof *c);
    het__mutex_lock(&store->lock);
    e->next = store->first;
    store->first = e;
    het__mutex_unlock(&store->lock);
    return HET_OK;
}

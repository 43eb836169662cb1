/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of HETINFER_SIM, from the machine files that the library brings. They belong to the
 * process, like the faults of the null device: what a context may ask before it opens a device, it
 * asks by index alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sim/sim.h"
#include "lib/base/error.h"
#include "lib/machine/figures.h"
#include "lib/machine/machine_file.h"
#include "lib/machine/profile.h"

#define DEFAULT_TEXT "amd-8945hs:igpu,amd-8945hs:npu"
#define TEXT_MAX 400

/* Guarded by the lock. */
static het__mutex lock = PTHREAD_MUTEX_INITIALIZER;
static char known_text[TEXT_MAX];
static char known_reason[200];
static het__sim_profile known[HET__DEVICES_MAX];
static uint32_t known_count;
static const het__backend *known_inner; /* that computes */

/* One "PROFILE:DEVICE[@BYTES]". */
typedef struct wanted {
    char profile[40], device[64];
    uint64_t bytes; /* 0: the profile's */
} wanted;

static bool read_bytes(const char *text, uint64_t *bytes)
{
    char *end;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);
    const int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    end += shift != 0;
    *bytes = (uint64_t)n << shift;
    return end != text && !*end && !errno && n > 0 && *bytes >> shift == n;
}

static bool read_wanted(const char *text, size_t length, wanted *w, char *reason, size_t bytes)
{
    char part[128];
    memset(w, 0, sizeof *w);
    if (length >= sizeof part) {
        snprintf(reason, bytes, "a device of HETINFER_SIM is longer than %zu bytes",
                 sizeof part - 1);
        return false;
    }
    memcpy(part, text, length);
    part[length] = '\0';
    char *colon = strchr(part, ':'), *at = strrchr(part, '@');
    if (at)
        *at = '\0';
    if (!colon || !colon[1] || strlen(colon + 1) >= sizeof w->device ||
        (size_t)(colon - part) >= sizeof w->profile || (at && !read_bytes(at + 1, &w->bytes))) {
        snprintf(reason, bytes, "HETINFER_SIM: \"%.60s\" is not PROFILE:DEVICE[@BYTES]", part);
        return false;
    }
    *colon = '\0';
    memcpy(w->profile, part, strlen(part) + 1);
    memcpy(w->device, colon + 1, strlen(colon + 1) + 1);
    return true;
}

static bool is_meant(const het__machine_device *d, const char *name)
{
    return strcmp(d->name, name) == 0 ||
           (d->kind >= 1 && strcmp(het__kind_names[d->kind - 1], name) == 0);
}

/* What is kept outlives the texts of the file. */
static void keep(const het__machine *m, uint32_t index, const wanted *w, het__sim_profile *out)
{
    memset(out, 0, sizeof *out);
    out->device = m->device[index];
    for (uint32_t k = 0; k < HET__FIGURE_OWN_COUNT; k++)
        het__device_figure(&out->device, k)->origin = NULL;
    out->device.calibration = NULL;
    const double own = out->device.memory_bytes.value;
    const double all = m->group[out->device.group].memory_bytes.value;
    out->memory_bytes = w->bytes ? w->bytes : (uint64_t)(own > 0 ? own : all);
    out->device.group = 0;
    out->link_bandwidth = m->link_bandwidth.value;
    out->link_latency_ns = m->link_latency.value;
    memcpy(out->profile, w->profile, sizeof out->profile);
    out->is_hidden = out->device.kind == HET_DEVICE_GPU || out->device.kind == HET_DEVICE_NPU;
}

static bool find_device(const wanted *w, het__mem *mem, het__sim_profile *out, char *reason,
                        size_t bytes)
{
    const het__profile *p = het__profile_find(w->profile);
    het_error err = HET_ERROR_INIT;
    het__arena arena;
    if (!p) {
        snprintf(reason, bytes, "there is no profile \"%s\"", w->profile);
        return false;
    }
    het__arena_init(&arena, mem);
    het__machine *m = het__arena_zero(&arena, 1, sizeof *m);
    bool found = false;
    if (!m || het__machine_read(p->text, p->bytes, p->name, &arena, m, &err) != HET_OK) {
        snprintf(reason, bytes, "profile %s: %.120s", w->profile, m ? err.message : "no memory");
    } else {
        for (uint32_t i = 0; i < m->device_count && !found; i++)
            if (is_meant(&m->device[i], w->device)) {
                keep(m, i, w, out);
                found = true;
            }
        if (!found)
            snprintf(reason, bytes, "profile %s has no device \"%s\"", w->profile, w->device);
    }
    het__arena_finish(&arena);
    return found;
}

/* All or none. */
static uint32_t read_text(const char *text, het__mem *mem, het__sim_profile *out, char *reason,
                          size_t bytes)
{
    uint32_t count = 0;
    for (const char *at = text; *at;) {
        const size_t length = strcspn(at, ",");
        wanted w;
        if (count == HET__DEVICES_MAX) {
            snprintf(reason, bytes, "HETINFER_SIM names more than %d devices", HET__DEVICES_MAX);
            return 0;
        }
        if (!read_wanted(at, length, &w, reason, bytes) ||
            !find_device(&w, mem, &out[count++], reason, bytes))
            return 0;
        at += length + (at[length] == ',');
    }
    snprintf(reason, bytes, "simulated devices of machine files, used when named");
    return count;
}

static const het__backend *find_inner(const het__host *host)
{
    const char *name = host->use_env ? het__env("HETINFER_SIM_COMPUTE") : NULL;
    if (!name || !*name)
        name = "ref";
    for (const het__backend *const *b = het__backends; *b; b++)
        if (strcmp((*b)->name, name) == 0 && strcmp(name, "sim") != 0)
            return *b;
    return NULL;
}

uint32_t het__sim_probe(const het__host *host, char *reason, size_t bytes)
{
    const het__backend *inner = find_inner(host);
    const char *given = host->use_env ? het__env("HETINFER_SIM") : NULL;
    const char *text = given && *given ? given : DEFAULT_TEXT;
    if (strlen(text) >= TEXT_MAX) {
        snprintf(reason, bytes, "HETINFER_SIM is longer than %d bytes", TEXT_MAX - 1);
        return 0;
    }
    if (!inner) {
        snprintf(reason, bytes, "no backend to compute with");
        return 0;
    }
    het__mutex_lock(&lock);
    known_inner = inner;
    if (strcmp(text, known_text) != 0) {
        known_count = read_text(text, host->mem, known, known_reason, sizeof known_reason);
        /* What failed is read again: memory may have run out. */
        memcpy(known_text, known_count ? text : "", known_count ? strlen(text) + 1 : 1);
    }
    const uint32_t count = known_count;
    snprintf(reason, bytes, "%s", known_reason);
    het__mutex_unlock(&lock);
    return count;
}

bool het__sim_profile_get(uint32_t index, het__sim_profile *profile)
{
    het__mutex_lock(&lock);
    const bool found = index < known_count;
    if (found) {
        *profile = known[index];
        profile->inner = known_inner;
    }
    het__mutex_unlock(&lock);
    return found;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Faults on demand: reading them, and whether one is due. The syntax is in control.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define FAULTS_MAX 16

typedef struct fault {
    char call[64];   /* "": a kernel */
    char kernel[64]; /* "": any */
    uint64_t at;     /* 1 = the next; 0: all */
    bool lasts;
    uint32_t device; /* 0: any */
    ze_result_t result;
    zd_effect effect;
    uint32_t slow_ms;
    uint64_t seen;
    bool is_over;
} fault;

static fault faults[FAULTS_MAX];
static uint32_t fault_count;
static char env_text[512]; /* HETINFER_ZE_FAULT when it was last read */

static const struct {
    const char *name;
    ze_result_t result;
} results[] = {
    { "oom", ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY },
    { "oom_host", ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY },
    { "lost", ZE_RESULT_ERROR_DEVICE_LOST },
    { "gone", ZE_RESULT_ERROR_DEVICE_LOST },
    { "unknown", ZE_RESULT_ERROR_UNKNOWN },
    { "uninitialized", ZE_RESULT_ERROR_UNINITIALIZED },
    { "invalid", ZE_RESULT_ERROR_INVALID_ARGUMENT },
    { "unsupported", ZE_RESULT_ERROR_UNSUPPORTED_FEATURE },
    { "not_ready", ZE_RESULT_NOT_READY },
    { "build", ZE_RESULT_ERROR_MODULE_BUILD_FAILURE },
    { "denied", ZE_RESULT_ERROR_INSUFFICIENT_PERMISSIONS },
};

static const struct {
    const char *name;
    zd_effect effect;
} effects[] = {
    { "hang", ZD_HANG }, { "lost", ZD_LOSE }, { "gone", ZD_LOSE_FOR_EVER },
    { "flip", ZD_FLIP }, { "nan", ZD_NAN },   { "slow", ZD_NO_EFFECT },
};

/* ---- reading ---- */

static bool read_result(fault *f, const char *value)
{
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (strcmp(value, results[i].name) == 0) {
            f->result = results[i].result;
            f->effect = strcmp(value, "lost") == 0   ? ZD_LOSE
                        : strcmp(value, "gone") == 0 ? ZD_LOSE_FOR_EVER
                                                     : ZD_NO_EFFECT;
            return true;
        }
    char *end;
    f->result = (ze_result_t)strtoul(value, &end, 0);
    return end != value && !*end && f->result != ZE_RESULT_SUCCESS;
}

static bool read_effect(fault *f, const char *value)
{
    for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++)
        if (strcmp(value, effects[i].name) == 0) {
            f->effect = effects[i].effect;
            return true;
        }
    return false;
}

/* "3" or "3+". */
static bool read_number(fault *f, const char *value)
{
    char *end;
    f->at = strtoull(value, &end, 10);
    f->lasts = *end == '+';
    return f->at > 0 && (!*end || (f->lasts && !end[1]));
}

static bool read_pair(fault *f, const char *key, const char *value)
{
    if (strcmp(key, "call") == 0)
        return snprintf(f->call, sizeof f->call, "%s", value) < (int)sizeof f->call;
    if (strcmp(key, "kernel") == 0)
        return snprintf(f->kernel, sizeof f->kernel, "%s", value) < (int)sizeof f->kernel;
    if (strcmp(key, "at") == 0 || strcmp(key, "launch") == 0)
        return read_number(f, value);
    if (strcmp(key, "result") == 0)
        return read_result(f, value);
    if (strcmp(key, "kind") == 0)
        return read_effect(f, value);
    if (strcmp(key, "ms") == 0 || strcmp(key, "slow") == 0) {
        f->slow_ms = (uint32_t)strtoul(value, NULL, 10);
        return f->slow_ms > 0;
    }
    if (strcmp(key, "device") == 0) {
        f->device = (uint32_t)strtoul(value, NULL, 10);
        return f->device > 0;
    }
    return false;
}

/* One fault; text is taken apart. */
static bool read_fault(fault *f, char *text)
{
    char *rest = NULL;
    memset(f, 0, sizeof *f);
    for (char *pair = strtok_r(text, ",", &rest); pair; pair = strtok_r(NULL, ",", &rest)) {
        char *const equals = strchr(pair, '=');
        if (!equals)
            return false;
        *equals = '\0';
        if (!read_pair(f, pair, equals + 1))
            return false;
    }
    return f->call[0] ? f->result != ZE_RESULT_SUCCESS : f->effect || f->slow_ms;
}

/* With the lock held. */
static bool arm(const char *text)
{
    char copy[512];
    char *rest = NULL;
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return false;
    for (char *one = strtok_r(copy, ";", &rest); one; one = strtok_r(NULL, ";", &rest))
        if (fault_count == FAULTS_MAX || !read_fault(&faults[fault_count++], one)) {
            fprintf(stderr, "ze-test-driver: fault not understood: %s\n", text);
            fault_count = 0;
            return false;
        }
    return true;
}

/* NULL: forget all. */
int ze_test_arm(const char *text)
{
    pthread_mutex_lock(&zd.lock);
    bool good = true;
    if (text)
        good = arm(text);
    else
        fault_count = 0;
    pthread_mutex_unlock(&zd.lock);
    return good;
}

void zd_read_faults(void)
{
    const char *text = getenv("HETINFER_ZE_FAULT");
    pthread_mutex_lock(&zd.lock);
    if (strcmp(text ? text : "", env_text) != 0) {
        snprintf(env_text, sizeof env_text, "%s", text ? text : "");
        fault_count = 0;
        arm(env_text);
    }
    pthread_mutex_unlock(&zd.lock);
}

uint32_t ze_test_armed(void)
{
    uint32_t count = 0;
    pthread_mutex_lock(&zd.lock);
    for (uint32_t i = 0; i < fault_count; i++)
        count += !faults[i].is_over;
    pthread_mutex_unlock(&zd.lock);
    return count;
}

/* ---- whether one is due ---- */

static bool is_due(fault *f, const zd_device *device)
{
    if (f->is_over || (f->device && (!device || device->index + 1 != f->device)))
        return false;
    f->seen++;
    if (f->at && f->seen < f->at)
        return false;
    f->is_over = f->at && !f->lasts;
    return true;
}

void zd_lose(zd_device *device, bool for_ever)
{
    device->lost_age = for_ever ? UINT64_MAX : device->lost_age < zd.age ? zd.age
                                                                        : device->lost_age;
    pthread_cond_broadcast(&zd.changed);
}

void zd_stopped(const zd_device *device)
{
    while (device->running)
        zd_wait_until(UINT64_MAX);
}

ze_result_t zd_fault_of_call(const char *call, zd_device *device)
{
    for (uint32_t i = 0; i < fault_count; i++) {
        fault *const f = &faults[i];
        if (strcmp(f->call, call) != 0 || !is_due(f, device))
            continue;
        /* A call for no device in particular loses all. */
        for (uint32_t d = 0; d < zd.device_count && f->effect; d++)
            if (!device || device == &zd.devices[d])
                zd_lose(&zd.devices[d], f->effect == ZD_LOSE_FOR_EVER);
        return f->result;
    }
    return ZE_RESULT_SUCCESS;
}

zd_effect zd_fault_of_launch(const char *kernel, const zd_device *device, uint32_t *slow_ms)
{
    zd_effect effect = ZD_NO_EFFECT;
    for (uint32_t i = 0; i < fault_count; i++) {
        fault *const f = &faults[i];
        if (f->call[0] || (f->kernel[0] && strcmp(f->kernel, kernel) != 0) || !is_due(f, device))
            continue;
        *slow_ms += f->slow_ms;
        effect = effect ? effect : f->effect;
    }
    return effect;
}

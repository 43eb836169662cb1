/* SPDX-License-Identifier: Apache-2.0 */
/* Armed faults, call counters, and the text form of faults. */
#include "backends/null/fault.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/os.h"

static const char *const call_names[HET__NULL_CALL_COUNT] = {
    [HET__NULL_OPEN] = "open",
    [HET__NULL_BUFFER_CREATE] = "buffer_create",
    [HET__NULL_BUFFER_WRITE] = "buffer_write",
    [HET__NULL_BUFFER_READ] = "buffer_read",
    [HET__NULL_COMPILE] = "compile",
    [HET__NULL_ENQUEUE] = "enqueue",
    [HET__NULL_WAIT] = "wait",
};

static const struct {
    const char *name;
    het__null_effect effect;
    het_status status;
} effects[] = {
    { "invalid", HET__NULL_FAIL, HET_E_INVALID },
    { "nomem", HET__NULL_FAIL, HET_E_NOMEM },
    { "unsupported", HET__NULL_FAIL, HET_E_UNSUPPORTED },
    { "io", HET__NULL_FAIL, HET_E_IO },
    { "busy", HET__NULL_FAIL, HET_E_BUSY },
    { "timeout", HET__NULL_FAIL, HET_E_TIMEOUT },
    { "cancelled", HET__NULL_FAIL, HET_E_CANCELLED },
    { "device_lost", HET__NULL_FAIL, HET_E_DEVICE_LOST },
    { "internal", HET__NULL_FAIL, HET_E_INTERNAL },
    { "lost", HET__NULL_LOST, HET_E_DEVICE_LOST },
    { "hang", HET__NULL_HANG, HET_E_TIMEOUT },
    { "nan", HET__NULL_NAN, HET_OK },
    { "short", HET__NULL_SHORT, HET_OK },
    { "long", HET__NULL_LONG, HET_OK },
};

/* Everything below is guarded by the lock. */
static het__mutex lock = PTHREAD_MUTEX_INITIALIZER;
static het__null_fault faults[HET__NULL_FAULTS_MAX]; /* number counts from the last reset */
static uint32_t fault_count;
static uint64_t calls[HET__NULL_DEVICES_MAX + 1][HET__NULL_CALL_COUNT]; /* row 0: of all */
static bool hidden;
static uint32_t device_count = 1;
static uint64_t memory_bytes;
static char armed_text[256]; /* of the environment */

void het__null_reset(void)
{
    het__mutex_lock(&lock);
    fault_count = 0;
    memset(calls, 0, sizeof calls);
    hidden = false;
    device_count = 1;
    memory_bytes = 0;
    armed_text[0] = '\0';
    het__mutex_unlock(&lock);
}

/* Whether a call can have an effect. */
static bool fits(het__null_call call, het__null_effect effect)
{
    switch (effect) {
    case HET__NULL_HANG:
        return call == HET__NULL_WAIT;
    case HET__NULL_NAN:
    case HET__NULL_SHORT:
    case HET__NULL_LONG:
        return call == HET__NULL_ENQUEUE;
    default:
        return true;
    }
}

static bool arm_locked(const het__null_fault *fault)
{
    assert(fault->number > 0 && fault->call < HET__NULL_CALL_COUNT);
    assert(fault->device <= HET__NULL_DEVICES_MAX && fits(fault->call, fault->effect));
    if (fault_count == HET__NULL_FAULTS_MAX)
        return false;
    het__null_fault *f = &faults[fault_count++];
    *f = *fault;
    f->number += calls[fault->device][fault->call];
    if (f->effect == HET__NULL_LOST)
        f->status = HET_E_DEVICE_LOST;
    return true;
}

bool het__null_arm(const het__null_fault *fault)
{
    het__mutex_lock(&lock);
    const bool armed = arm_locked(fault);
    het__mutex_unlock(&lock);
    return armed;
}

uint32_t het__null_armed(void)
{
    het__mutex_lock(&lock);
    const uint32_t count = fault_count;
    het__mutex_unlock(&lock);
    return count;
}

bool het__null_meets(uint32_t device, het__null_call call, het__null_fault *fault)
{
    bool met = false;
    assert(device < HET__NULL_DEVICES_MAX);
    het__mutex_lock(&lock);
    calls[0][call]++;
    calls[device + 1][call]++;
    for (uint32_t i = 0; i < fault_count && !met; i++) {
        const het__null_fault *f = &faults[i];
        const uint64_t number = calls[f->device][call];
        if (f->call != call || (f->device && f->device != device + 1) ||
            (f->lasting ? number < f->number : number != f->number))
            continue;
        *fault = *f;
        fault->number = number;
        met = true;
        if (!f->lasting)
            faults[i] = faults[--fault_count];
    }
    het__mutex_unlock(&lock);
    return met;
}

uint64_t het__null_calls_of(uint32_t device, het__null_call call)
{
    assert(device <= HET__NULL_DEVICES_MAX);
    het__mutex_lock(&lock);
    const uint64_t count = calls[device][call];
    het__mutex_unlock(&lock);
    return count;
}

uint64_t het__null_calls(het__null_call call)
{
    return het__null_calls_of(0, call);
}

void het__null_devices(uint32_t count)
{
    assert(count > 0 && count <= HET__NULL_DEVICES_MAX);
    het__mutex_lock(&lock);
    device_count = count;
    het__mutex_unlock(&lock);
}

uint32_t het__null_device_count(void)
{
    het__mutex_lock(&lock);
    const uint32_t count = device_count;
    het__mutex_unlock(&lock);
    return count;
}

void het__null_memory(uint64_t bytes)
{
    het__mutex_lock(&lock);
    memory_bytes = bytes;
    het__mutex_unlock(&lock);
}

uint64_t het__null_memory_bytes(void)
{
    het__mutex_lock(&lock);
    const uint64_t bytes = memory_bytes;
    het__mutex_unlock(&lock);
    return bytes;
}

void het__null_hide_buffers(bool hide)
{
    het__mutex_lock(&lock);
    hidden = hide;
    het__mutex_unlock(&lock);
}

bool het__null_buffers_hidden(void)
{
    het__mutex_lock(&lock);
    const bool hide = hidden;
    het__mutex_unlock(&lock);
    return hide;
}

const char *het__null_call_name(het__null_call call)
{
    return call_names[call];
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

static bool parse_effect(const char *text, size_t length, het__null_fault *fault)
{
    for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++) {
        if (!is_word(text, length, effects[i].name))
            continue;
        fault->effect = effects[i].effect;
        fault->status = effects[i].status;
        return fits(fault->call, fault->effect);
    }
    return false;
}

/* Digits, up to a bound that no test needs. */
static const char *parse_number(const char *at, const char *end, uint64_t *number)
{
    for (*number = 0; at < end && *at >= '0' && *at <= '9' && *number < 1000000000; at++)
        *number = *number * 10 + (uint64_t)(*at - '0');
    return at;
}

/* "call" or "call@device". */
static bool parse_call(const char *text, size_t length, het__null_fault *fault)
{
    const char *end = text + length, *mark = memchr(text, '@', length);
    const size_t name = mark ? (size_t)(mark - text) : length;
    fault->call = HET__NULL_CALL_COUNT;
    for (int i = 0; i < HET__NULL_CALL_COUNT; i++)
        if (is_word(text, name, call_names[i]))
            fault->call = (het__null_call)i;
    if (mark) {
        uint64_t device;
        if (mark + 1 == end || parse_number(mark + 1, end, &device) != end ||
            device >= HET__NULL_DEVICES_MAX)
            return false;
        fault->device = (uint32_t)device + 1;
    }
    return fault->call != HET__NULL_CALL_COUNT;
}

/* One "call[@device]:number[+]:effect" of the given length. */
static bool parse_fault(const char *text, size_t length, het__null_fault *fault)
{
    const char *end = text + length, *colon = memchr(text, ':', length);
    memset(fault, 0, sizeof *fault);
    if (!colon || !parse_call(text, (size_t)(colon - text), fault))
        return false;
    const char *at = parse_number(colon + 1, end, &fault->number);
    if (at < end && *at == '+') {
        fault->lasting = true;
        at++;
    }
    return fault->number > 0 && at < end && *at == ':' &&
           parse_effect(at + 1, (size_t)(end - at - 1), fault);
}

het_status het__null_arm_text(const char *text, het_error *err)
{
    het_status status = HET_OK;
    const size_t length = strlen(text);
    if (length >= sizeof armed_text)
        return het__fail(err, HET_E_INVALID, "HETINFER_NULL_FAULT is longer than %zu bytes",
                         sizeof armed_text - 1);
    het__mutex_lock(&lock);
    if (strcmp(text, armed_text) != 0) {
        const uint32_t before = fault_count;
        for (const char *at = text; !status && *at;) {
            const size_t part = strcspn(at, ",");
            het__null_fault fault;
            if (!parse_fault(at, part, &fault))
                status = het__fail(err, HET_E_INVALID, "HETINFER_NULL_FAULT: \"%.*s\" is no fault",
                                   (int)part, at);
            else if (!arm_locked(&fault))
                status = het__fail(err, HET_E_INVALID, "HETINFER_NULL_FAULT: more than %d faults",
                                   HET__NULL_FAULTS_MAX);
            at += part + (at[part] == ',');
        }
        if (status)
            fault_count = before;
        else
            memcpy(armed_text, text, length + 1);
    }
    het__mutex_unlock(&lock);
    return status;
}

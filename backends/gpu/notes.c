/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/gpu/notes.h"

#include <assert.h>

#include "lib/base/error.h"
#include "lib/base/os.h"

/* More than a mixture has experts, and than a step brings layers between two looks. */
#define NOTES 1024

typedef struct note {
    het__brought what;
    uint64_t first, last; /* its uploads; 0: none that is to come */
    uint64_t seen;        /* the last of these that is known to have ended */
    bool has_failed;
} note;

struct het__gpu_notes {
    uint64_t taken, ended, made; /* of all that there ever were */
    bool is_open, is_watched;
    uint64_t known_ns; /* the last end by the device's clock */
    note ring[NOTES];
};

het_status het__gpu_notes_begin(het__gpu *gpu, het_error *err)
{
    if (!gpu->notes)
        gpu->notes = het__alloc_zero(gpu->host.mem, 1, sizeof *gpu->notes);
    return gpu->notes ? HET_OK : het__fail_nomem(err, "notes of what is brought");
}

void het__gpu_notes_drop(het__gpu *gpu)
{
    het__free(gpu->host.mem, gpu->notes);
    gpu->notes = NULL;
}

/* In their order: the first of those under way. */
static void end_first(het__gpu_notes *x)
{
    while (x->ended < x->made && x->ring[x->ended % NOTES].seen >= x->ring[x->ended % NOTES].last)
        x->ended++;
}

void het__gpu_note_open(het__gpu *gpu, int32_t layer, uint32_t expert, bool is_ahead)
{
    het__gpu_notes *x = gpu->notes;
    note *n = &x->ring[x->made % NOTES];
    assert(!x->is_open);
    if (x->made - x->taken == NOTES)
        x->taken++;
    if (x->ended < x->taken)
        x->ended = x->taken;
    *n = (note){ .what = { .begin_ns = het__now_ns(), .layer = layer, .expert = expert,
                           .is_ahead = is_ahead } };
    x->is_open = true;
}

void het__gpu_note_sent(het__gpu *gpu, uint64_t number, size_t bytes)
{
    het__gpu_notes *x = gpu->notes;
    if (!x || !x->is_open)
        return;
    note *n = &x->ring[x->made % NOTES];
    n->first = n->first ? n->first : number;
    n->last = number;
    n->what.bytes += bytes;
    if (!number)
        n->what.end_ns = het__now_ns();
}

void het__gpu_note_close(het__gpu *gpu, bool whole)
{
    het__gpu_notes *x = gpu->notes;
    assert(x->is_open);
    x->is_open = false;
    if (!whole)
        return;
    x->made++;
    end_first(x);
}

/* By the device's clock, which is set against the host's again and again, better each time: what
 * ended one behind the other does so by these times too. */
static bool times_of(het__gpu *gpu, void *event, uint64_t *begin, uint64_t *end)
{
    het__gpu_notes *x = gpu->notes;
    if (!gpu->driver->times || !gpu->driver->times(gpu, event, begin, end))
        return false;
    *begin = *begin > x->known_ns ? *begin : x->known_ns;
    *end = *end > *begin ? *end : *begin;
    x->known_ns = *end;
    return true;
}

void het__gpu_note_ended(het__gpu *gpu, uint64_t number, void *event, bool well)
{
    het__gpu_notes *x = gpu->notes;
    if (!x || !x->is_watched || (x->ended == x->made && !x->is_open))
        return;
    note *n = &x->ring[x->ended % NOTES];
    uint64_t begin = 0, end = 0;
    if (!n->first || number < n->first)
        return;
    const bool knows = well && times_of(gpu, event, &begin, &end);
    if (knows && number == n->first) {
        n->what.begin_ns = begin;
        n->what.is_device_clock = true;
    }
    n->what.is_device_clock = n->what.is_device_clock && knows;
    n->what.end_ns = knows ? end : het__now_ns();
    n->has_failed = n->has_failed || !well;
    n->seen = number;
    end_first(x);
}

uint32_t het__gpu_notes_take(het__gpu *gpu, het__brought *list, uint32_t max)
{
    het__gpu_notes *x = gpu->notes;
    uint32_t count = 0;
    if (!x)
        return 0;
    if (!x->is_watched)
        x->taken = x->ended = x->made;
    x->is_watched = true;
    for (; x->taken < x->ended && count < max; x->taken++) {
        const note *n = &x->ring[x->taken % NOTES];
        if (!n->has_failed && n->what.bytes)
            list[count++] = n->what;
    }
    return count;
}

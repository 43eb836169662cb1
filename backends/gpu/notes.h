/* SPDX-License-Identifier: Apache-2.0 */
/* What was brought beside programs, for traces: a layer's weights, or an expert, each by one or
 * more uploads.
 *
 *     ring, in their order:  taken … | ended … | sent, not known to have ended … | the one open
 *
 * The newest are kept. Times are the driver's where it tells them of events; else a note lasts from
 * its first upload until somebody saw the last one to have ended. Nothing here can fail once
 * notes_begin() has not. */
#ifndef HET_GPU_NOTES_H
#define HET_GPU_NOTES_H

#include "backends/gpu/driver.h"

/* Room for notes, once per device: before anything is brought. */
het_status het__gpu_notes_begin(het__gpu *gpu, het_error *err);
void het__gpu_notes_drop(het__gpu *gpu);

/* Uploads between the two are one note's. whole: all of them could be started; else there is no
 * note. */
void het__gpu_note_open(het__gpu *gpu, int32_t layer, uint32_t expert, bool is_ahead);
void het__gpu_note_close(het__gpu *gpu, bool whole);

/* sent.c: an upload was started (number 0: and has ended); the oldest of those under way has ended,
 * well or not. event is still the driver's. */
void het__gpu_note_sent(het__gpu *gpu, uint64_t number, size_t bytes);
void het__gpu_note_ended(het__gpu *gpu, uint64_t number, void *event, bool well);

/* See brought of het__backend. */
uint32_t het__gpu_notes_take(het__gpu *gpu, het__brought *list, uint32_t max);

#endif /* HET_GPU_NOTES_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads beside what runs, of experts and of layers that stream.
 *
 *     ring, in their order:   … known to have ended | sent: number … number | next
 *
 * Each upload has a number, from 1; 0 is none, as is a number whose upload is known to have ended.
 * Not every driver lets a command fail because one that it waits for did. So uploads are remembered
 * until they are known to have ended, and asked for when a wait for programs has: if one failed, so
 * did the wait, and nothing counts as being in any slot any more. */
#ifndef HET_GPU_SENT_H
#define HET_GPU_SENT_H

#include "backends/gpu/driver.h"

/* Room to remember so many, at least; else the oldest is waited for. While nothing runs. */
het_status het__gpu_sent_reserve(het__gpu *gpu, size_t count, het_error *err);

/* Bytes of the host, which stay as they are until they have arrived, go to the memory once `after`
 * has ended (an event; NULL: at once). Drivers without uploads write, and the number is 0. */
het_status het__gpu_send(het__gpu *gpu, het__gpu_memory *memory, size_t offset, const void *source,
                         size_t bytes, void *after, uint64_t *number, het_error *err);

/* What is started from now on comes after the upload, and so after all sent before it. */
het_status het__gpu_sent_await(het__gpu *gpu, uint64_t number, het_error *err);
/* The host waits for it. */
het_status het__gpu_sent_settle(het__gpu *gpu, uint64_t number, het_error *err);

/* After a wait for programs: whether all that they were to find was there. */
het_status het__gpu_sent_check(het__gpu *gpu, het_error *err);
/* What is in slots is not known: a wait has failed. */
void het__gpu_sent_forget(het__gpu *gpu);

/* Nothing is under way any more, or the device is gone. */
void het__gpu_sent_end(het__gpu *gpu);
void het__gpu_sent_drop(het__gpu *gpu);

#endif /* HET_GPU_SENT_H */

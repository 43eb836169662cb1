/* SPDX-License-Identifier: Apache-2.0 */
/* Experts of a device that keeps some of them only.
 *
 *     the host's weights ──▶ slots of the device, each one expert: gate, up, down
 *
 * Slots are as large as the largest expert of all mixtures of the device, and as many as its budget
 * holds. Which expert is in which is decided by lib/plain/experts.h. Where the driver can, experts
 * are brought beside what the device computes: the next one of a step while one is used, and at the
 * end of a mixture, those that the token before chose in the mixture that follows.
 *
 * All memory is taken while programs are compiled. */
#ifndef HET_GPU_EXPERTS_H
#define HET_GPU_EXPERTS_H

#include "backends/gpu/driver.h"

/* One mixture's experts; every program that runs the mixture has the same. */
typedef struct het__gpu_mixture {
    struct het__gpu_mixture *next;
    const unsigned char *weights[3]; /* gate, up, down: of the first expert */
    het_dtype dtype[3];
    size_t blocks[3], bytes[3];      /* of one expert */
    size_t at[3], small_at[3];       /* in the slot; in the matrix */
    uint32_t count, first_key;
    int32_t layer;                   /* for notes */
    uint32_t recent[HET__EXPERTS_USED_MAX], recent_count; /* what the last token chose */
} het__gpu_mixture;

/* The mixture of a call whose inputs 2 to 4 are the stacks, which are then not uploaded. */
het_status het__gpu_experts_join(het__gpu_call *call, het__gpu_mixture **mixture, het_error *err);

/* An expert's slot, which is held; it is brought if it is not there. NO_SLOT, without failure: all
 * slots are held. */
het_status het__gpu_experts_take(het__gpu *gpu, const het__gpu_mixture *mixture, uint32_t expert,
                                 uint32_t *slot, het_error *err);
/* What is started from now on finds the expert in its slot. */
het_status het__gpu_experts_await(het__gpu *gpu, uint32_t slot, het_error *err);
het__gpu_memory *het__gpu_experts_memory(const het__gpu *gpu, uint32_t slot);
/* Everything that uses the slot has been started. */
het_status het__gpu_experts_leave(het__gpu *gpu, uint32_t slot, het_error *err);
/* After a failure. */
void het__gpu_experts_give_up(het__gpu *gpu, uint32_t slot);
/* Bring what the mixture behind this one is likely to want. */
het_status het__gpu_experts_look_ahead(het__gpu *gpu, const het__gpu_mixture *mixture,
                                       het_error *err);

/* What is in the slots is not known. */
void het__gpu_experts_forget(het__gpu *gpu);

/* Before the device is closed. */
void het__gpu_experts_drop(het__gpu *gpu);
void het__gpu_experts_count(const het__gpu *gpu, het__backend_counters *counters);

#endif /* HET_GPU_EXPERTS_H */

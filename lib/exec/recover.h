/* SPDX-License-Identifier: Apache-2.0 */
/* What a session does when a device fails: the same again, a smaller share, or on without it.
 *
 *     het__recovery_init -> het__recovery_create
 *         -> { het__recovery_cool -> run -> het__recovery_settled or het__recovery_after -> … }*
 *
 * It decides and counts; running again, and bringing back what was lost, is up to whoever drives
 * the executor. Triggers of the policy (fallback.on_error, …) say how often and where to;
 * docs/failover.md has the order. An operation is what the caller asked for (a session, a step):
 * one warning is logged for each device that failed in it, when it is over. Run-thread only. */
#ifndef HET_EXEC_RECOVER_H
#define HET_EXEC_RECOVER_H

#include "lib/exec/executor.h"
#include "lib/exec/heat.h"

#include <hetinfer/telemetry.h>

/* What is known of a device that failed. */
typedef struct het__recovery_device {
    uint64_t retry_count, failure_count;
    uint32_t shrink_count; /* how often its share was made smaller */
    uint32_t hot_count;    /* how often it was taken out because it was too hot */
    uint32_t rest;         /* looks at its temperature before it may come back */
    double celsius;        /* with which it came back */
    het__exec_failure last;
    char message[224];     /* of the last failure */
    /* of the operation under way */
    bool is_open;          /* it has failed */
    uint32_t tries;        /* on the same device, after the first */
    bool is_shrunk;
} het__recovery_device;

typedef struct het__recovery {
    const het__registry *registry;
    het__policy policy; /* a view of the session's, under which what is gone does not count */
    bool has_policy;
    bool spares_hosts;  /* the application's own operations run on the host: what they return is not
                           a failure of the device */
    bool skips_missing; /* as the policy says itself */
    bool is_exhausted;  /* nothing is left that could run it */
    uint32_t all;       /* devices that may be used, as bits of the registry */
    uint32_t mask;      /* of these, those that were not taken out */
    double limits[HET__MACHINE_DEVICES_MAX]; /* bytes; 0: none */
    uint32_t stand_ins[HET__MACHINE_DEVICES_MAX]; /* of a device that was taken out: those that the
                                                     policy named to take over, as bits */
    het__recovery_device device[HET__MACHINE_DEVICES_MAX];
    uint32_t hot;       /* devices that were taken out because they were too hot */
    uint32_t needed;    /* devices without which no plan was found: heat does not take them out */
    het__heat heat;
    uint32_t open;      /* devices that failed in the operation under way */
    uint32_t shrunk;    /* of these, those whose share was made smaller last */
    uint32_t back;      /* devices that came back in it after they were too hot */
    uint32_t used;      /* devices of the executor that failed last */
    het_error first;    /* of the operation; status 0: none */
    uint64_t replan_count, retry_count;
} het__recovery;

typedef enum het__recovery_step {
    HET__RECOVERY_FAIL = 0, /* nothing can be done: return the error */
    HET__RECOVERY_AGAIN,    /* the same run on the same executor */
    HET__RECOVERY_REBUILD,  /* the same run on a new one; the old one must be destroyed before */
} het__recovery_step;

/* policy: NULL, or kept as long as the recovery. Nothing to finish. */
void het__recovery_init(het__recovery *recovery, const het__registry *registry, uint32_t mask,
                        const het__policy *policy);

/* An executor over the devices that are left, fewer if some fail. The recovery fills the request's
 * mask, policy, limits, deadline and failure. cancel: may be NULL. What is returned is the first
 * error of the operation, unless it was cancelled or the host's memory ran out. */
het_status het__recovery_create(het__recovery *recovery, const het__exec_request *request,
                                _Atomic uint32_t *cancel, het__exec **exec, het_error *err);

/* A run failed. err: not NULL; on HET__RECOVERY_FAIL it is what to return, as is *status. May sleep
 * before HET__RECOVERY_AGAIN, until *cancel. */
het__recovery_step het__recovery_after(het__recovery *recovery, const het__exec *exec,
                                       _Atomic uint32_t *cancel, het_status *status,
                                       het_error *err);

/* Before a run: devices of exec (may be NULL) that are hotter than the policy allows are waited for
 * or taken out, as it says; those that were taken out so and have cooled are used again, each time
 * after a longer rest. HET__RECOVERY_AGAIN: nothing has changed, or the wait was cancelled,
 * which the run will find. err: not NULL, set as *status on HET__RECOVERY_FAIL. */
het__recovery_step het__recovery_cool(het__recovery *recovery, const het__exec *exec,
                                      _Atomic uint32_t *cancel, het_status *status,
                                      het_error *err);

/* The operation succeeded, with exec (may be NULL), or was cancelled: log what happened in it. */
void het__recovery_settled(het__recovery *recovery, const het__exec *exec);
/* The operation failed. If nothing was left that could run it, all devices may be used again in a
 * later one. */
void het__recovery_gave_up(het__recovery *recovery);

/* Whether an executor whose run failed like this can run no more. */
bool het__recovery_is_dead(het_status status);
/* Devices that an executor uses, as bits of the registry. */
uint32_t het__recovery_used(const het__exec *exec);

void het__recovery_health(const het__recovery *recovery, uint32_t device,
                          het_device_health *health);

/* What a caller's error (may be NULL) can take of ours; returns its status. */
het_status het__recovery_report(const het_error *ours, het_error *err);

#endif /* HET_EXEC_RECOVER_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring a device for the cost model: ceilings, copies, and small graphs of every class of work,
 * compiled and run as those of models are.
 *
 *     calibrate.c           what is measured, in what order, and how long; timing
 *     calibrate_network.c   graphs of tensor operations
 *     calibrate_language.c  language models of no weights worth knowing */
#ifndef HET_EXEC_CALIBRATE_H
#define HET_EXEC_CALIBRATE_H

#include "lib/exec/executor.h"
#include "lib/exec/registry.h"
#include "lib/machine/calibration.h"

typedef struct het__calibrate_request {
    const het__registry *registry;
    uint32_t device;  /* of the registry */
    uint32_t threads; /* >= 1 */
    bool quick;       /* a fifth of the cases, and of the time for each */
    het_progress_fn progress; /* may be NULL */
    void *progress_user;
    double from, to;  /* what this device is of the whole, for progress */
} het__calibrate_request;

/* Measure. c is initialised by this, fitted, and finished on failure. Blocks for up to a minute.
 * HET_E_CANCELLED when the progress callback asked for it. */
het_status het__calibrate(const het__calibrate_request *request, het__calibration *c,
                          het_error *err);

/* ---- between the files of it ---- */

/* A graph that may be compiled: fused, with its constants in its arena. */
typedef struct het__calibrate_subject {
    het__graph graph, raw;       /* graph borrows from raw, which may be empty */
    int64_t symbols_max[HET__SYM_MAX];
    char name[64];               /* for progress and the log */
    bool is_language;
    bool is_cold; /* its weights stand for such as do not fit into caches */
} het__calibrate_subject;

/* One binding of a subject's symbols that is timed. */
typedef struct het__calibrate_step {
    int64_t tokens, context; /* 0: a graph without symbols */
} het__calibrate_step;

#define HET__CALIBRATE_STEPS_MAX 8

uint32_t het__calibrate_network_count(bool quick);
/* block: see het__pass_options. */
het_status het__calibrate_network(uint32_t index, bool quick, int32_t block, het__mem *mem,
                                  het__calibrate_subject *subject, het_error *err);

uint32_t het__calibrate_language_count(bool quick);
het_status het__calibrate_language(uint32_t index, bool quick, het__mem *mem,
                                   het__calibrate_subject *subject, het__calibrate_step *steps,
                                   uint32_t *step_count, het_error *err);
void het__calibrate_language_bind(het__exec *exec, const het__calibrate_step *step,
                                  int64_t *symbols);

void het__calibrate_subject_finish(het__calibrate_subject *subject);

/* Every byte of a weight: a small number in every type, and in the scales of blocks. */
#define HET__CALIBRATE_BYTE 0x2c

#endif /* HET_EXEC_CALIBRATE_H */

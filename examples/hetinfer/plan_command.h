/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `hetinfer plan` share. */
#ifndef HETINFER_PLAN_COMMAND_H
#define HETINFER_PLAN_COMMAND_H

#include "common.h"

#include <stdlib.h>

typedef struct plan_request {
    int phase;     /* het_phase */
    int objective; /* het_objective */
    int64_t tokens, context, sequences, outputs;
    const char *machine, *policy, *from, *html, *model;
    bool measure, text, alone, no_split;
    settings settings;
} plan_request;

/* A plan, and what it was made under. */
typedef struct plan_made {
    het_machine *machine; /* NULL: this one */
    het_policy *policy;   /* NULL: none */
    het_plan *plan;
} plan_made;

/* Declare what says for what, on what and how is planned. */
void plan_declare(options *o, plan_request *r);
/* Both return STATUS_GO, or what to exit with after a sentence on stderr. command: its name. */
int plan_check(plan_request *r, const char *command);
int plan_make(const engine *e, const plan_request *r, plan_made *made);
void plan_unmake(plan_made *made);

/* "latency". */
const char *plan_objective(uint32_t objective);
/* Of totals times 1e-6. */
const char *plan_unit(const het_plan_info *info);

/* STATUS_GO, or STATUS_FAILED after a sentence on stderr. */
int plan_layer_at(const het_plan *plan, uint32_t index, het_plan_layer *layer);
int plan_device_at(const het_plan *plan, uint32_t index, het_plan_device *device);
int plan_transfer_at(const het_plan *plan, uint32_t index, het_plan_transfer *transfer);
int plan_split_at(const het_plan *plan, uint32_t index, het_plan_split *split);

/* plan_json.c */
int plan_print_json(const het_plan *plan, const het_plan_info *info, const plan_request *r);

#endif /* HETINFER_PLAN_COMMAND_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* What Loop and Scan share: a body that is run again and again, the states that it carries, and
 * what it gives to be put together. */
#ifndef HET_PLAIN_LOOP_H
#define HET_PLAIN_LOOP_H

#include "lib/ir/sequence.h"
#include "lib/plain/stack.h"

typedef struct het__loop_run {
    het__eval *e;
    het__loop form;
    uint32_t before;      /* inputs of the body before its states */
    uint32_t given;       /* outputs of the body before its states */
    uint32_t input_count; /* of the body */
    uint32_t stack_count;
    het__tensor *inputs, *outputs; /* of the body */
    bool *is_owned;                /* per state: its memory is ours */
    het__stack *stacks;            /* per output that is put together, and more behind */
} het__loop_run;

/* The form must be there. Fills in what the body captures. stack_count: at least form.stacked. */
het_status het__loop_open(het__loop_run *l, uint32_t before, uint32_t given, uint32_t stack_count);
void het__loop_close(het__loop_run *l);
/* State i becomes t. */
void het__loop_set_state(het__loop_run *l, uint32_t i, const het__tensor *t, bool is_owned);
/* Run the body once; its states replace those before, what is to be stacked is stacked. Outputs
 * before the states stay in l->outputs and are the caller's. */
het_status het__loop_once(het__loop_run *l);
/* The states become the node's first outputs. */
het_status het__loop_hand_out_states(het__loop_run *l);
/* The node's output o becomes t, whose memory moves along where it can; t is finished. */
het_status het__hand_out(het__eval *e, uint32_t o, het__tensor *t);
/* What the body declares of the i-th output that is stacked. */
const het__value *het__loop_declared(const het__loop_run *l, uint32_t i);

#endif /* HET_PLAIN_LOOP_H */

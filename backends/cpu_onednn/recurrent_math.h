/* SPDX-License-Identifier: Apache-2.0 */
/* One step of recurrent layers behind its products, for one instruction-set level: from the gates'
 * sums to the next states, for several sequences at once. */
#ifndef HET_CPU_RECURRENT_MATH_H
#define HET_CPU_RECURRENT_MATH_H

#include "lib/ir/sequence.h"

/* A step of one direction. Gates stand one behind the other as in W: an RNN's one, a GRU's update,
 * reset and new, an LSTM's input, output, forget and cell. What is computed lies in place. */
typedef struct het__cell_job {
    const het__recurrent *form;
    const het__activation *act; /* of the direction */
    int64_t rows;               /* sequences */
    float *gates;               /* [rows][gates * hidden]: W x + R h + biases; of a GRU's new
                                 * gate without R h */
    int64_t gate_stride;        /* floats between rows */
    float *hidden;              /* [rows][hidden]: the state before, then behind the step */
    float *cell;                /* LSTM: [rows][hidden] */
    float *part;                /* GRU: [rows][hidden]. Linear before reset: R h of the new gate.
                                 * Else gru_gates() writes the state under the reset gate. */
    const float *part_bias;     /* GRU, linear before reset: [hidden] for part; NULL: none */
    const float *peepholes;     /* LSTM: [3 * hidden] or NULL */
} het__cell_job;

typedef struct het__recurrent_math {
    const char *level; /* name of the het__cpu_level that may use it */
    void (*rnn)(const het__cell_job *job);
    /* Update and reset; then, with R times part added to the new gate where that is not linear
     * before reset, the state. */
    void (*gru_gates)(const het__cell_job *job);
    void (*gru_state)(const het__cell_job *job);
    void (*lstm)(const het__cell_job *job);
} het__recurrent_math;

/* Whether these loops know a curve. */
static inline bool het__recurrent_knows(het__curve curve)
{
    return curve != HET__CURVE_ELU && curve != HET__CURVE_SOFTPLUS &&
           curve != HET__CURVE_THRESHOLDED_RELU;
}

/* Of the level of that name. */
const het__recurrent_math *het__recurrent_math_for(const char *level);

#endif /* HET_CPU_RECURRENT_MATH_H */

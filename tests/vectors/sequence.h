/* SPDX-License-Identifier: Apache-2.0 */
/* Made by make_sequence.py; see there. */
#include "sequence_recurrent.h"
#include "sequence_attention.h"
#include "sequence_signals.h"

static const struct {
    const vector_case *cases;
    size_t count;
} sequence_groups[] = {
    { sequence_recurrent,
      sizeof sequence_recurrent / sizeof *sequence_recurrent },
    { sequence_attention,
      sizeof sequence_attention / sizeof *sequence_attention },
    { sequence_signals,
      sizeof sequence_signals / sizeof *sequence_signals },
};

/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences and steps of a language model: which tokens run next, where their keys and values go,
 * and whose logits came out. Drives the executor; knows no device.
 *
 * A step takes pending tokens of the sequences in order of creation and describes them to the
 * graph by small I32 inputs (see het__attention_input in lib/ir/op.h).
 *
 * When a device fails for good, the keys and values of all sequences are gone with the executor.
 * The tokens are there: before a sequence's next step those that it had run are run again on a new
 * executor, without logits. */
#ifndef HET_GENERATE_ENGINE_H
#define HET_GENERATE_ENGINE_H

#include "lib/exec/recover.h"
#include "lib/generate/pages.h"
#include "lib/generate/turns.h"

typedef struct het__limits {
    int64_t context_max;
    uint32_t sequence_max, batch_max, logits_max;
    int64_t vocabulary;
    uint32_t page_size;
    int64_t hidden_in, hidden_out; /* of layers by themselves: floats per token that they start
                                      from, and end with; 0: ids, logits */
    const het__turns *turns; /* NULL: the graph has no input of angles; else kept */
} het__limits;

/* One stream of tokens. Run-thread only. */
typedef struct het__stream {
    struct het__stream *next; /* in order of creation */
    int32_t *ids;             /* context_max */
    uint8_t *wants;           /* per id: its logits are asked for */
    int32_t *pages;           /* page_max */
    uint32_t page_count, page_max;
    int64_t length, done;     /* appended; run */
    int64_t cached;           /* of those that were run, with keys and values in the executor */
    uint32_t taken;           /* tokens in the step that is under way */
    int turn_set;             /* that the cached positions were turned by */
    int32_t *spans;           /* per id: length of the sequence once it was appended; or NULL */
    uint32_t row_first, row_count; /* in the logits of the last step */
    int64_t row_position;
    uint64_t step;            /* that made the rows */
    float *hidden;            /* context_max rows, where streams start from them; else NULL */
    uint32_t hidden_first, hidden_count; /* in the hidden rows of the last step */
    int64_t hidden_position;
} het__stream;

typedef struct het__step_inputs {
    int32_t *ids, *positions, *slots, *segments, *pages, *rows;
    float *turns; /* NULL: none */
} het__step_inputs;

typedef struct het__engine {
    het__mem *mem;
    het__exec *exec; /* NULL: lost, and made anew by the next step */
    /* How to make it anew; NULL: failures are returned. */
    het__recovery *recovery;
    const het__exec_request *request;
    void (*moved)(void *user); /* exec is another one, or NULL */
    void *moved_user;
    het__limits limits;
    het__pages pages;
    het__stream *first;
    uint32_t stream_count;
    het__step_inputs in;
    float *logits;              /* NULL: the layers end before */
    float *hidden_in, *hidden_out; /* NULL: as limits say */
    uint64_t step_count;
    uint64_t prefill_tokens, decode_tokens, prefill_ns, decode_ns;
    _Atomic uint32_t cancel;
} het__engine;

/* Symbols of the largest steps, for the executor. */
void het__engine_symbols(const het__limits *limits,
                         int64_t symbols[HET__PHASE_COUNT][HET__SYM_MAX]);

het_status het__engine_init(het__engine *engine, het__mem *mem, het__exec *exec,
                            const het__limits *limits, het_error *err);
/* From now on failures of devices are dealt with: the engine may destroy exec and make another by
 * the request. All are kept until finish. moved is called whenever exec has changed. */
void het__engine_recover(het__engine *engine, het__recovery *recovery,
                         const het__exec_request *request, void (*moved)(void *user), void *user);
/* Streams must be destroyed before. exec is left to whoever made the engine. */
void het__engine_finish(het__engine *engine);

het_status het__stream_create(het__engine *engine, het__stream **stream, het_error *err);
void het__stream_destroy(het__engine *engine, het__stream *stream);
het_status het__stream_append(het__engine *engine, het__stream *stream, const int32_t *ids,
                              size_t count, bool all_logits, het_error *err);
/* rows: NULL: zeros. */
het_status het__stream_append_hidden(het__engine *engine, het__stream *stream, const float *rows,
                                     size_t count, bool all_logits, het_error *err);
void het__stream_truncate(het__engine *engine, het__stream *stream, int64_t length);
const float *het__stream_logits(const het__engine *engine, const het__stream *stream,
                                int64_t *position, uint32_t *rows);

const float *het__stream_hidden(const het__engine *engine, const het__stream *stream,
                                int64_t *position, uint32_t *rows);

/* Run one step over all streams, or over `only` if that is not NULL. */
het_status het__engine_step(het__engine *engine, het__stream *only, het_error *err);
/* Run a short prompt and one token of a stream made for it. Logits, other streams and counters are
 * as before afterwards. Allocates. */
het_status het__engine_warmup(het__engine *engine, het_error *err);
int64_t het__engine_pending(const het__engine *engine);

#endif /* HET_GENERATE_ENGINE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sequence.h
 * One stream of tokens with its cache of keys and values.
 *
 * A sequence belongs to its session: a call on a sequence needs exclusive use of the session.
 */
#ifndef HETINFER_SEQUENCE_H
#define HETINFER_SEQUENCE_H

#include <hetinfer/session.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_sequence het_sequence;

/** Keep the logits of every appended token, not only of the last. */
#define HET_APPEND_LOGITS_ALL (UINT64_C(1) << 0)

/**
 * Create an empty sequence.
 *
 * @param session   Kept alive by the sequence.
 * @param sequence  Receives the handle.
 * @param err       May be NULL.
 * @retval HET_E_BUSY  sequence_max sequences are alive.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_sequence_create(het_session *session,
                                                     het_sequence **sequence, het_error *err);

/**
 * Add tokens to be run by the next steps.
 *
 * @param sequence  Sequence.
 * @param ids       Token ids, each in [0, vocabulary_size). Copied.
 * @param id_count  Number of ids, > 0.
 * @param flags     HET_APPEND_*.
 * @param err       May be NULL.
 * @retval HET_E_INVALID  An id is out of range, the sequence would exceed context_max, or the
 *                        session starts from hidden rows; nothing was added.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_sequence_append(het_sequence *sequence, const int32_t *ids,
                                                     size_t id_count, uint64_t flags,
                                                     het_error *err);

/**
 * Add tokens by what the layers before the session's first made of them.
 *
 * For sessions with het_session_options.layer_first > 0; they know no ids. A model is spread over
 * processes like this:
 *
 *     session of layers [0, k)                     session of layers [k, n)
 *     het_sequence_append(ids)
 *     het_session_step()
 *     het_sequence_hidden()          == rows ==>   het_sequence_append_hidden(rows)
 *                                                  het_session_step()
 *                                                  het_sequence_logits()
 *
 * Each keeps keys and values of its own layers. What one truncates the other must.
 *
 * @param sequence   Sequence.
 * @param rows       row_count rows of embedding_size floats, in order. Copied.
 * @param row_count  Number of tokens, > 0.
 * @param flags      HET_APPEND_*.
 * @param err        May be NULL.
 * @retval HET_E_INVALID  The session starts from ids, or the sequence would exceed context_max;
 *                        nothing was added.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_sequence_append_hidden(het_sequence *sequence,
                                                            const float *rows, size_t row_count,
                                                            uint64_t flags, het_error *err);

/**
 * What the last step made of this sequence's tokens, for the layers that follow.
 *
 * @param sequence        Sequence of a session that ends before the model's last layer.
 * @param first_position  Receives the position of the first row. May be NULL.
 * @param row_count       Receives the number of rows. May be NULL.
 * @return A row of embedding_size floats for each token that the step took; NULL if there are none.
 *         Borrowed; valid until the next step or warm-up of the session or truncation of the
 *         sequence.
 * @since 0.1
 */
HET_API const float *het_sequence_hidden(const het_sequence *sequence, int64_t *first_position,
                                         uint32_t *row_count);

/**
 * Forget everything from a position on, pending tokens included.
 *
 * @param sequence  Sequence.
 * @param length    Positions to keep, in [0, het_sequence_length()].
 * @param err       May be NULL.
 * @retval HET_E_INVALID  @p length is out of range.
 * Its logits are gone afterwards. Cost: O(pages freed).
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_sequence_truncate(het_sequence *sequence, int64_t length,
                                                       het_error *err);

/**
 * Positions of the sequence, pending ones included.
 * @since 0.1
 */
HET_API int64_t het_sequence_length(const het_sequence *sequence);

/**
 * Tokens that are appended but not run yet.
 * @since 0.1
 */
HET_API int64_t het_sequence_pending(const het_sequence *sequence);

/**
 * Logits that the last step made for this sequence.
 *
 * @param sequence        Sequence.
 * @param first_position  Receives the position of the token that the first row follows. May be
 *                        NULL.
 * @param row_count       Receives the number of rows. May be NULL.
 * @return Rows of vocabulary_size floats, row r being the scores of what follows position
 *         first_position + r; NULL if the last step made none for this sequence. Borrowed;
 *         valid until the next step of the session or truncation of the sequence.
 * @since 0.1
 */
HET_API const float *het_sequence_logits(const het_sequence *sequence, int64_t *first_position,
                                         uint32_t *row_count);

/**
 * Give a sequence up; its pages are free for others.
 * @param sequence  May be NULL.
 * @since 0.1
 */
HET_API void het_sequence_destroy(het_sequence *sequence);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_SEQUENCE_H */

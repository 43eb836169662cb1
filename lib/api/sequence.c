/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of sequence.h. */
#include "lib/api/handles.h"
#include "lib/base/error.h"

het_status het_sequence_create(het_session *session, het_sequence **sequence, het_error *err)
{
    HET_REQUIRE(sequence != NULL, err);
    *sequence = NULL;
    HET_REQUIRE(session != NULL, err);
    het_status s = het__need_language(session, "het_sequence_create", err);
    if (s != HET_OK)
        return s;
    het__mem *mem = &session->model->context->mem;
    het_sequence *q = het__alloc_zero(mem, 1, sizeof *q);
    if (!q)
        return het__fail_nomem(err, "a sequence");
    s = het__stream_create(&session->engine, &q->stream, err);
    if (s != HET_OK) {
        het__free(mem, q);
        return s;
    }
    q->session = session;
    het__session_retain(session);
    *sequence = q;
    return HET_OK;
}

het_status het_sequence_append(het_sequence *sequence, const int32_t *ids, size_t id_count,
                               uint64_t flags, het_error *err)
{
    HET_REQUIRE(sequence != NULL && ids != NULL && id_count > 0, err);
    if (flags & ~HET_APPEND_LOGITS_ALL)
        return het__fail(err, HET_E_VERSION, "het_sequence_append: an unknown flag");
    return het__stream_append(&sequence->session->engine, sequence->stream, ids, id_count,
                              flags & HET_APPEND_LOGITS_ALL, err);
}

het_status het_sequence_append_hidden(het_sequence *sequence, const float *rows, size_t row_count,
                                      uint64_t flags, het_error *err)
{
    HET_REQUIRE(sequence != NULL && rows != NULL && row_count > 0, err);
    if (flags & ~HET_APPEND_LOGITS_ALL)
        return het__fail(err, HET_E_VERSION, "het_sequence_append_hidden: an unknown flag");
    return het__stream_append_hidden(&sequence->session->engine, sequence->stream, rows, row_count,
                                     flags & HET_APPEND_LOGITS_ALL, err);
}

const float *het_sequence_hidden(const het_sequence *sequence, int64_t *first_position,
                                 uint32_t *row_count)
{
    return het__stream_hidden(&sequence->session->engine, sequence->stream, first_position,
                              row_count);
}

het_status het_sequence_truncate(het_sequence *sequence, int64_t length, het_error *err)
{
    HET_REQUIRE(sequence != NULL, err);
    if (length < 0 || length > sequence->stream->length)
        return het__fail(err, HET_E_INVALID, "length %lld is not in 0 to %lld", (long long)length,
                         (long long)sequence->stream->length);
    het__stream_truncate(&sequence->session->engine, sequence->stream, length);
    return HET_OK;
}

int64_t het_sequence_length(const het_sequence *sequence)
{
    return sequence->stream->length;
}

int64_t het_sequence_pending(const het_sequence *sequence)
{
    return sequence->stream->length - sequence->stream->done;
}

const float *het_sequence_logits(const het_sequence *sequence, int64_t *first_position,
                                 uint32_t *row_count)
{
    return het__stream_logits(&sequence->session->engine, sequence->stream, first_position,
                              row_count);
}

void het_sequence_destroy(het_sequence *sequence)
{
    if (!sequence)
        return;
    het_session *session = sequence->session;
    het__stream_destroy(&session->engine, sequence->stream);
    het__free(&session->model->context->mem, sequence);
    het__session_release(session);
}

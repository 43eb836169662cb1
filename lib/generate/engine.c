/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/generate/engine.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/passes/layers.h"

static uint32_t pages_for(const het__limits *l, int64_t positions)
{
    return (uint32_t)((positions + l->page_size - 1) / l->page_size);
}

void het__engine_symbols(const het__limits *l, int64_t symbols[HET__PHASE_COUNT][HET__SYM_MAX])
{
    const int64_t pages = (int64_t)pages_for(l, l->context_max) * l->sequence_max;
    memset(symbols, 0, HET__PHASE_COUNT * sizeof symbols[0]);
    for (uint32_t p = 0; p < HET__PHASE_COUNT; p++) {
        const bool decode = p == HET_PHASE_DECODE;
        const uint32_t few = l->sequence_max < l->batch_max ? l->sequence_max : l->batch_max;
        symbols[p][HET__SYM_ONE] = 1;
        symbols[p][HET__SYM_TOKENS] = decode ? few : l->batch_max;
        symbols[p][HET__SYM_SEQUENCES] = few;
        symbols[p][HET__SYM_ROWS] = decode && few < l->logits_max ? few : l->logits_max;
        symbols[p][HET__SYM_PAGES] = pages;
        symbols[p][HET__SYM_STATE_PAGES] = pages;
    }
}

static bool find_io(het__engine *e)
{
    e->in.ids = het__exec_input(e->exec, "ids");
    e->in.positions = het__exec_input(e->exec, "positions");
    e->in.slots = het__exec_input(e->exec, "slots");
    e->in.segments = het__exec_input(e->exec, "segments");
    e->in.pages = het__exec_input(e->exec, "pages");
    e->in.rows = het__exec_input(e->exec, "rows");
    e->in.turns = het__exec_input(e->exec, "turns");
    e->logits = het__exec_output(e->exec, "logits");
    e->hidden_in = het__exec_input(e->exec, HET__HIDDEN_IN);
    e->hidden_out = het__exec_output(e->exec, HET__HIDDEN_OUT);
    return e->in.ids && e->in.positions && e->in.slots && e->in.segments && e->in.pages &&
           e->in.rows && !e->in.turns == !e->limits.turns &&
           !e->hidden_in == !e->limits.hidden_in &&
           (e->limits.hidden_out ? e->hidden_out : e->logits);
}

het_status het__engine_init(het__engine *e, het__mem *mem, het__exec *exec,
                            const het__limits *limits, het_error *err)
{
    memset(e, 0, sizeof *e);
    e->mem = mem;
    e->exec = exec;
    e->limits = *limits;
    if (!find_io(e))
        return het__fail(err, HET_E_INTERNAL,
                         "the graph lacks an input or output of a language model");
    if (!het__pages_init(&e->pages, pages_for(limits, limits->context_max) * limits->sequence_max,
                         mem))
        return het__fail_nomem(err, "the page list");
    return HET_OK;
}

void het__engine_recover(het__engine *e, het__recovery *recovery, const het__exec_request *request,
                         void (*moved)(void *user), void *user)
{
    e->recovery = recovery;
    e->request = request;
    e->moved = moved;
    e->moved_user = user;
}

void het__engine_finish(het__engine *e)
{
    assert(!e->first);
    if (e->mem)
        het__pages_finish(&e->pages, e->mem);
}

/* ---- streams ---- */

het_status het__stream_create(het__engine *e, het__stream **stream, het_error *err)
{
    *stream = NULL;
    if (e->stream_count == e->limits.sequence_max)
        return het__fail(err, HET_E_BUSY, "all %u sequences of the session are in use",
                         e->limits.sequence_max);
    het__stream *s = het__alloc_zero(e->mem, 1, sizeof *s);
    if (!s)
        return het__fail_nomem(err, "a sequence");
    s->page_max = pages_for(&e->limits, e->limits.context_max);
    s->ids = het__alloc_zero(e->mem, (size_t)e->limits.context_max, sizeof *s->ids);
    s->wants = het__alloc_zero(e->mem, (size_t)e->limits.context_max, sizeof *s->wants);
    s->pages = het__alloc_zero(e->mem, s->page_max, sizeof *s->pages);
    het__stream **end = &e->first;
    while (*end)
        end = &(*end)->next;
    *end = s;
    e->stream_count++;
    size_t floats = 0;
    bool room = s->ids && s->wants && s->pages;
    if (room && e->limits.turns && e->limits.turns->kind == HET__TURNING_DYNAMIC) {
        s->spans = het__alloc_zero(e->mem, (size_t)e->limits.context_max, sizeof *s->spans);
        room = s->spans != NULL;
    }
    if (room && e->limits.hidden_in) {
        room = het__mul_size((size_t)e->limits.context_max, (size_t)e->limits.hidden_in, &floats);
        s->hidden = room ? het__alloc_zero(e->mem, floats, sizeof *s->hidden) : NULL;
        room = s->hidden != NULL;
    }
    if (!room) {
        het__stream_destroy(e, s);
        return het__fail_nomem(err, "a sequence");
    }
    *stream = s;
    return HET_OK;
}

void het__stream_destroy(het__engine *e, het__stream *stream)
{
    het__stream **at = &e->first;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    e->stream_count--;
    while (stream->page_count)
        het__pages_give(&e->pages, stream->pages[--stream->page_count]);
    het__free(e->mem, stream->ids);
    het__free(e->mem, stream->wants);
    het__free(e->mem, stream->pages);
    het__free(e->mem, stream->hidden);
    het__free(e->mem, stream->spans);
    het__free(e->mem, stream);
}

static het_status check_room(const het__engine *e, const het__stream *s, size_t count,
                             het_error *err)
{
    if (count > (uint64_t)(e->limits.context_max - s->length))
        return het__fail(err, HET_E_INVALID, "%zu more tokens after %lld exceed context_max %lld",
                         count, (long long)s->length, (long long)e->limits.context_max);
    return HET_OK;
}

static void add_tokens(het__stream *s, size_t count, bool all_logits)
{
    const int64_t length = s->length + (int64_t)count;
    memset(s->wants + s->length, all_logits, count);
    for (int64_t i = s->length; s->spans && i < length; i++)
        s->spans[i] = (int32_t)length;
    s->length = length;
}

het_status het__stream_append(het__engine *e, het__stream *s, const int32_t *ids, size_t count,
                              bool all_logits, het_error *err)
{
    if (e->limits.hidden_in)
        return het__fail(err, HET_E_INVALID,
                         "the session's layers start from hidden rows, not from ids");
    const het_status room = check_room(e, s, count, err);
    if (room != HET_OK)
        return room;
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= e->limits.vocabulary)
            return het__fail(err, HET_E_INVALID, "token %zu is %d, not in [0, %lld)", i, ids[i],
                             (long long)e->limits.vocabulary);
    memcpy(s->ids + s->length, ids, count * sizeof *ids);
    add_tokens(s, count, all_logits);
    return HET_OK;
}

het_status het__stream_append_hidden(het__engine *e, het__stream *s, const float *rows,
                                     size_t count, bool all_logits, het_error *err)
{
    if (!e->limits.hidden_in)
        return het__fail(err, HET_E_INVALID, "the session's layers start from ids");
    const het_status room = check_room(e, s, count, err);
    if (room != HET_OK)
        return room;
    const size_t width = (size_t)e->limits.hidden_in;
    float *to = s->hidden + (size_t)s->length * width;
    if (rows)
        memcpy(to, rows, count * width * sizeof *to);
    else
        memset(to, 0, count * width * sizeof *to);
    memset(s->ids + s->length, 0, count * sizeof *s->ids);
    add_tokens(s, count, all_logits);
    return HET_OK;
}

void het__stream_truncate(het__engine *e, het__stream *s, int64_t length)
{
    assert(length >= 0 && length <= s->length);
    s->length = length;
    if (s->done > length)
        s->done = length;
    if (s->cached > s->done)
        s->cached = s->done;
    while (s->page_count > pages_for(&e->limits, s->done))
        het__pages_give(&e->pages, s->pages[--s->page_count]);
    s->row_count = s->hidden_count = 0;
}

const float *het__stream_logits(const het__engine *e, const het__stream *s, int64_t *position,
                                uint32_t *rows)
{
    if (s->row_count == 0 || s->step != e->step_count || !e->logits)
        return NULL;
    if (position)
        *position = s->row_position;
    if (rows)
        *rows = s->row_count;
    return e->logits + (size_t)s->row_first * (size_t)e->limits.vocabulary;
}

const float *het__stream_hidden(const het__engine *e, const het__stream *s, int64_t *position,
                                uint32_t *rows)
{
    if (s->hidden_count == 0 || s->step != e->step_count || !e->hidden_out)
        return NULL;
    if (position)
        *position = s->hidden_position;
    if (rows)
        *rows = s->hidden_count;
    return e->hidden_out + (size_t)s->hidden_first * (size_t)e->limits.hidden_out;
}

int64_t het__engine_pending(const het__engine *e)
{
    int64_t n = 0;
    for (const het__stream *s = e->first; s; s = s->next)
        n += s->length - s->done;
    return n;
}

/* ---- a step ---- */

typedef struct batch {
    uint32_t tokens, sequences, rows, pages;
    int64_t past;   /* positions before the step, all sequences */
    bool is_replay; /* of tokens that were run before, whose rows nobody wants */
} batch;

/* A token's logits are kept if it asks for them or ends what was appended. */
static bool wants_row(const het__stream *s, int64_t position)
{
    return s->wants[position] || position == s->length - 1;
}

/* Tokens of a stream that fit the step: rows must fit, and be neighbours. */
static uint32_t tokens_for(const het__engine *e, const het__stream *s, const batch *b)
{
    uint32_t n = 0, rows = 0;
    if (b->is_replay) {
        const int64_t room = e->limits.batch_max - b->tokens;
        return (uint32_t)(s->done - s->cached < room ? s->done - s->cached : room);
    }
    while (s->done + n < s->length && b->tokens + n < e->limits.batch_max) {
        const bool row = wants_row(s, s->done + n);
        if ((row && b->rows + rows == e->limits.logits_max) || (!row && rows))
            break;
        rows += row;
        n++;
    }
    return n;
}

static bool reserve_pages(het__engine *e, het__stream *s, int64_t positions)
{
    while (s->page_count < pages_for(&e->limits, positions)) {
        const int32_t page = het__pages_take(&e->pages);
        if (page < 0)
            return false;
        s->pages[s->page_count++] = page;
    }
    return true;
}

static void describe_tokens(het__engine *e, het__stream *s, uint32_t count, batch *b)
{
    const het__step_inputs *in = &e->in;
    const size_t width = (size_t)e->limits.hidden_in;
    s->row_first = b->rows;
    s->row_count = 0;
    s->hidden_first = b->tokens;
    s->hidden_count = b->is_replay ? 0 : count;
    s->hidden_position = s->cached;
    if (width)
        memcpy(e->hidden_in + b->tokens * width, s->hidden + (size_t)s->cached * width,
               count * width * sizeof *s->hidden);
    for (uint32_t i = 0; i < count; i++) {
        const int64_t p = s->cached + i;
        if (in->turns)
            het__turns_row(e->limits.turns, p, s->spans ? s->spans[p] : s->length,
                           in->turns + (size_t)b->tokens * 2 * (size_t)e->limits.turns->pairs);
        in->ids[b->tokens] = s->ids[p];
        in->positions[b->tokens] = (int32_t)p;
        const int64_t size = e->limits.page_size;
        in->slots[b->tokens] = (int32_t)(s->pages[p / size] * size + p % size);
        if (!b->is_replay && wants_row(s, p)) {
            if (!s->row_count++)
                s->row_position = p;
            in->rows[b->rows++] = (int32_t)b->tokens;
        }
        b->tokens++;
    }
}

static bool add_stream(het__engine *e, het__stream *s, uint32_t count, batch *b)
{
    if (!reserve_pages(e, s, s->cached + count))
        return false;
    int32_t *segment = e->in.segments + 4 * b->sequences++;
    segment[0] = (int32_t)b->tokens;
    segment[1] = (int32_t)count;
    segment[2] = (int32_t)s->cached;
    segment[3] = (int32_t)b->pages;
    const uint32_t pages = pages_for(&e->limits, s->cached + count);
    memcpy(e->in.pages + b->pages, s->pages, pages * sizeof *s->pages);
    b->pages += pages;
    b->past += s->cached;
    describe_tokens(e, s, count, b);
    return true;
}

static bool takes_part(const het__stream *s, const het__stream *only)
{
    return (!only || s == only) && s->done < s->length;
}

static het_status gather(het__engine *e, het__stream *only, bool is_replay, batch *b,
                         het_error *err)
{
    memset(b, 0, sizeof *b);
    b->is_replay = is_replay;
    for (het__stream *s = e->first; s; s = s->next) {
        s->row_count = s->taken = s->hidden_count = 0;
        if (!takes_part(s, only))
            continue;
        s->taken = tokens_for(e, s, b);
        if (s->taken && !add_stream(e, s, s->taken, b))
            return het__fail(err, HET_E_INTERNAL, "pages ran out");
    }
    return HET_OK;
}

static void commit(het__engine *e, const batch *b)
{
    e->step_count += !b->is_replay;
    for (het__stream *s = e->first; s; s = s->next) {
        s->cached += s->taken;
        if (b->is_replay)
            continue;
        s->done += s->taken;
        s->step = s->taken ? e->step_count : 0;
    }
}

static void bind(const het__engine *e, const batch *b, int64_t *symbols)
{
    memset(symbols, 0, HET__SYM_MAX * sizeof *symbols);
    symbols[HET__SYM_ONE] = 1;
    symbols[HET__SYM_TOKENS] = b->tokens;
    symbols[HET__SYM_SEQUENCES] = b->sequences;
    symbols[HET__SYM_ROWS] = b->rows;
    symbols[HET__SYM_PAGES] = b->pages;
    symbols[HET__SYM_CONTEXT] = b->past / (b->sequences ? b->sequences : 1);
    symbols[HET__SYM_STATE_PAGES] = e->pages.count;
}

static bool is_decode(const het__engine *e, const batch *b)
{
    return b->tokens == b->sequences && b->tokens <= e->limits.sequence_max;
}

/* ---- when a device fails ---- */

static void drop_executor(het__engine *e)
{
    het__exec_destroy(e->exec);
    e->exec = NULL;
    e->logits = e->hidden_in = e->hidden_out = NULL;
    for (het__stream *s = e->first; s; s = s->next)
        s->cached = 0;
    if (e->moved)
        e->moved(e->moved_user);
}

static het_status make_executor(het__engine *e, het_error *err)
{
    het_status s = het__recovery_create(e->recovery, e->request, &e->cancel, &e->exec, err);
    if (s == HET_OK && !find_io(e)) {
        drop_executor(e);
        s = het__fail(err, HET_E_INTERNAL,
                      "the graph lacks an input or output of a language model");
    }
    if (s == HET_OK && e->moved)
        e->moved(e->moved_user);
    return s;
}

/* Whether the same may be run again; *status and err are then as before, else what to return. */
static bool recovers(het__engine *e, het_status *status, het_error *err)
{
    het__exec_failure failure;
    if (!e->recovery)
        return false;
    het__exec_failure_get(e->exec, &failure);
    const het__recovery_step next =
        het__recovery_after(e->recovery, e->exec, &e->cancel, status, err);
    if (next == HET__RECOVERY_REBUILD || het__recovery_is_dead(failure.status))
        drop_executor(e);
    return next != HET__RECOVERY_FAIL;
}

/* A device that is too hot gives its work to others before the next step. */
static het_status cool(het__engine *e, het_error *err)
{
    het_status s = HET_OK;
    if (e->recovery && het__recovery_cool(e->recovery, e->exec, &e->cancel, &s, err) ==
                           HET__RECOVERY_REBUILD)
        drop_executor(e);
    return s;
}

/* One run of what is pending, or of what is to be run again. */
static het_status run_once(het__engine *e, het__stream *only, bool is_replay, batch *b,
                           bool *again, het_error *err)
{
    int64_t symbols[HET__SYM_MAX];
    het_status s = gather(e, only, is_replay, b, err);
    if (s != HET_OK || b->tokens == 0)
        return s;
    bind(e, b, symbols);
    s = het__exec_run(e->exec, is_decode(e, b) ? HET_PHASE_DECODE : HET_PHASE_PREFILL, symbols,
                      &e->cancel, err);
    if (s == HET_OK)
        commit(e, b);
    else
        *again = recovers(e, &s, err);
    return s;
}

/* Keys that were turned by what no longer holds for the sequence's length are made again. */
static void check_turns(het__engine *e, const het__stream *only)
{
    for (het__stream *s = e->first; e->limits.turns && s; s = s->next) {
        const int set = het__turns_set(e->limits.turns, s->length);
        if (!takes_part(s, only) || set == s->turn_set)
            continue;
        s->turn_set = set;
        s->cached = 0;
    }
}

/* A step with all that it takes: an executor, keys and values of the past. *again: something
 * failed, and it may be begun anew. */
static het_status attempt(het__engine *e, het__stream *only, batch *b, bool *again, het_error *err)
{
    het_status s = e->exec ? HET_OK : make_executor(e, err);
    *again = false;
    while (s == HET_OK) {
        bool is_behind = false;
        for (const het__stream *q = e->first; q; q = q->next)
            is_behind = is_behind || (takes_part(q, only) && q->cached < q->done);
        s = run_once(e, only, is_behind, b, again, err);
        if (s == HET_OK && !is_behind)
            break;
    }
    return s;
}

/* Of the operation. */
static void conclude(het__engine *e, het_status s)
{
    if (s == HET_E_CANCELLED)
        atomic_store(&e->cancel, 0);
    if (!e->recovery)
        return;
    if (s == HET_OK || s == HET_E_CANCELLED)
        het__recovery_settled(e->recovery, e->exec);
    else
        het__recovery_gave_up(e->recovery);
}

het_status het__engine_step(het__engine *e, het__stream *only, het_error *err)
{
    batch b;
    het_error own = HET_ERROR_INIT;
    bool again = false, any = false;
    const uint64_t begin = het__now_ns();
    for (het__stream *s = e->first; s; s = s->next) {
        s->row_count = s->hidden_count = 0;
        any = any || takes_part(s, only);
    }
    if (!any)
        return atomic_exchange(&e->cancel, 0)
                   ? het__fail(err, HET_E_CANCELLED, "cancelled before the step") : HET_OK;
    check_turns(e, only);
    het_status s = cool(e, &own);
    again = s == HET_OK;
    while (again) {
        s = attempt(e, only, &b, &again, &own);
        again = s != HET_OK && again;
    }
    conclude(e, s);
    if (s != HET_OK) {
        e->step_count++;
        own.status = s;
        return het__recovery_report(&own, err);
    }
    const bool decode = is_decode(e, &b);
    *(decode ? &e->decode_tokens : &e->prefill_tokens) += b.tokens;
    *(decode ? &e->decode_ns : &e->prefill_ns) += het__now_ns() - begin;
    return HET_OK;
}

static het_status append_made_up(het__engine *e, het__stream *stream, size_t count, het_error *err)
{
    static const int32_t ids[2] = { 0, 0 };
    return e->limits.hidden_in
               ? het__stream_append_hidden(e, stream, NULL, count, false, err)
               : het__stream_append(e, stream, ids, count, false, err);
}

/* A stream of made-up tokens: two at once, then one, so that both phases run. */
static het_status run_made_up(het__engine *e, het_error *err)
{
    het__stream *stream;
    het_status s = het__stream_create(e, &stream, err);
    if (s != HET_OK)
        return s;
    const int64_t context = e->limits.context_max;
    s = append_made_up(e, stream, context < 2 ? 1 : 2, err);
    while (s == HET_OK && stream->done < stream->length)
        s = het__engine_step(e, stream, err);
    if (s == HET_OK && context > 2)
        s = append_made_up(e, stream, 1, err);
    while (s == HET_OK && stream->done < stream->length)
        s = het__engine_step(e, stream, err);
    het__stream_destroy(e, stream);
    return s;
}

/* Rows of the last step that streams may still ask for. */
static uint32_t live_rows(const het__engine *e)
{
    uint32_t rows = 0;
    for (const het__stream *s = e->first; s; s = s->next)
        if (s->row_count && s->step == e->step_count && s->row_first + s->row_count > rows)
            rows = s->row_first + s->row_count;
    return e->logits ? rows : 0;
}

static void run_and_forget(het__engine *e, het_status *status, het_error *err)
{
    const het__engine before = { .step_count = e->step_count,
                                 .prefill_tokens = e->prefill_tokens,
                                 .decode_tokens = e->decode_tokens,
                                 .prefill_ns = e->prefill_ns, .decode_ns = e->decode_ns };
    *status = run_made_up(e, err);
    e->step_count = before.step_count;
    e->prefill_tokens = before.prefill_tokens;
    e->decode_tokens = before.decode_tokens;
    e->prefill_ns = before.prefill_ns;
    e->decode_ns = before.decode_ns;
}

/* The rows of the last step would be overwritten and forgotten, by the steps here or with an
 * executor whose device fails in them; streams are told that their rows are of the last step. */
het_status het__engine_warmup(het__engine *e, het_error *err)
{
    const uint32_t live = live_rows(e);
    const size_t row_bytes = (size_t)e->limits.vocabulary * sizeof(float) * live;
    float *kept = het__alloc(e->mem, row_bytes);
    uint32_t *rows = het__alloc_zero(e->mem, e->stream_count ? e->stream_count : 1, sizeof *rows);
    het_status s = kept && rows ? HET_OK : het__fail_nomem(err, "a warm-up");
    if (s == HET_OK) {
        uint32_t i = 0;
        if (live)
            memcpy(kept, e->logits, row_bytes);
        for (const het__stream *q = e->first; q; q = q->next)
            rows[i++] = q->step == e->step_count ? q->row_count : 0;
        run_and_forget(e, &s, err);
        if (live && e->logits)
            memcpy(e->logits, kept, row_bytes);
        i = 0;
        for (het__stream *q = e->first; q; q = q->next) {
            q->row_count = rows[i++];
            q->hidden_count = 0;
            q->step = e->step_count;
        }
    }
    het__free(e->mem, rows);
    het__free(e->mem, kept);
    return s;
}

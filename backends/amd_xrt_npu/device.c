/* SPDX-License-Identifier: Apache-2.0 */
/* An opened device. A design is used only after a product of its own came out right; contexts take
 * columns of the array, so the one that was used longest ago leaves when there are too few.
 *
 * After a device is lost or hangs nothing is asked of it but to let go; what a device that hangs
 * holds is left to it. */
#include "backends/amd_xrt_npu/npu.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/quant/quant.h"

/* No batch comes near it: 512 rows by the widest cut are some milliseconds. */
#define RUN_LIMIT_MS 10000
/* So often a wait looks whether the device was given up meanwhile. */
#define LOOK_MS 50
/* Of a known product, that are computed to see whether it is right: half a second. */
#define TERMS_MAX (INT64_C(1) << 26)

het_status het__npu_failed(het__device *device, het_error *err, int status, const char *doing,
                           const het__xrt_message *m)
{
    if (status == HET_E_DEVICE_LOST)
        device->is_lost = true;
    if (status == HET_E_TIMEOUT)
        device->is_hung = true;
    return het__fail(err, (het_status)status, "XRT, %s: %s", doing, m->text);
}

/* Let go of an object. */
static void let_go(het__device *device, void (*drop)(void *object), void **object)
{
    if (*object && device->is_hung)
        het__npu_abandon(*object);
    else if (*object)
        drop(*object);
    *object = NULL;
}

/* ---- buffers ---- */

het_status het__npu_buffer_new(het__device *device, const het__npu_state *state,
                               uint32_t argument, size_t bytes, het__npu_buffer *buffer,
                               het_error *err)
{
    het__xrt_message m = { "" };
    const int use = argument == 1 ? HET__XRT_INSTRUCTIONS : HET__XRT_DATA;
    const int s = device->xrt->buffer_open(device->handle, bytes, use, state->group[argument],
                                           &buffer->bo, &buffer->host, &m);
    if (s != HET_OK)
        return het__npu_failed(device, err, s, "a buffer", &m);
    buffer->bytes = bytes;
    return HET_OK;
}

void het__npu_buffer_drop(het__device *device, het__npu_buffer *buffer)
{
    let_go(device, device->xrt->buffer_close, &buffer->bo);
    *buffer = (het__npu_buffer){ .bo = NULL };
}

het_status het__npu_sync(het__device *device, const het__npu_buffer *buffer, int direction,
                         size_t bytes, het_error *err)
{
    het__xrt_message m = { "" };
    assert(bytes <= buffer->bytes);
    const int s = device->xrt->buffer_sync(buffer->bo, direction, bytes, &m);
    /* What was written by the array is read after this, not before. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return s == HET_OK ? HET_OK : het__npu_failed(device, err, s, "handing a buffer over", &m);
}

/* ---- contexts ---- */

static void context_drop(het__device *device, het__npu_state *state)
{
    for (uint32_t slot = 0; slot < HET__NPU_SLOTS; slot++)
        for (uint32_t n = 0; n < HET__NPU_BATCH_MAX; n++) {
            het__npu_batch *b = &state->batch[slot][n];
            let_go(device, device->xrt->list_close, &b->list);
            for (uint32_t i = 0; i <= n; i++)
                let_go(device, device->xrt->run_close, &b->run[i]);
        }
    let_go(device, device->xrt->context_close, &state->context);
    state->is_spoilt = false;
}

/* The context that was wanted longest ago leaves; false: there is none but keep. */
static bool leave_one(het__device *device, const het__npu_state *keep)
{
    het__npu_state *oldest = NULL;
    for (uint32_t i = 0; i < device->designs->count; i++) {
        het__npu_state *s = &device->state[i];
        if (s != keep && s->context && (!oldest || s->used < oldest->used))
            oldest = s;
    }
    if (oldest)
        context_drop(device, oldest);
    return oldest != NULL;
}

static uint32_t columns_taken(const het__device *device)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < device->designs->count; i++)
        taken += device->state[i].context ? device->state[i].design->columns : 0;
    return taken;
}

het_status het__npu_acquire(het__device *device, het__npu_state *state, het_error *err)
{
    het__xrt_message m = { "" };
    int s = HET_OK;
    state->used = ++device->clock;
    if (state->is_spoilt)
        context_drop(device, state);
    if (state->context)
        return HET_OK;
    while (columns_taken(device) + state->design->columns > device->columns)
        if (!leave_one(device, state))
            break;
    do /* others on this machine take columns too */
        s = device->xrt->context_open(device->handle, state->xclbin, state->design->kernel,
                                      &state->context, &m);
    while (s != HET_OK && s != HET_E_DEVICE_LOST && s != HET_E_TIMEOUT &&
           leave_one(device, state));
    if (s == HET_OK)
        return HET_OK;
    const het_status status = het__npu_failed(device, err, s, "a context", &m);
    context_drop(device, state);
    return status;
}

/* ---- runs ---- */

/* Makes what a batch of so many runs lacks. */
static int batch_make(het__device *device, het__npu_state *state, het__npu_batch *b,
                      uint32_t count, het__xrt_message *m)
{
    const het__xrt_calls *xrt = device->xrt;
    int s = HET_OK;
    if (b->run[count - 1])
        return HET_OK;
    if (count > 1 && !b->list)
        s = xrt->list_open(state->context, &b->list, m);
    for (uint32_t i = 0; i < count && s == HET_OK; i++) {
        if (b->run[i])
            continue;
        void *run = NULL;
        s = xrt->run_open(state->context, &run, m);
        if (s == HET_OK && count > 1 && (s = xrt->list_add(b->list, run, m)) != HET_OK)
            xrt->run_close(run);
        if (s == HET_OK)
            b->run[i] = run;
    }
    return s;
}

static int set_arguments(const het__xrt_calls *xrt, void *run, const het__npu_work *work,
                         het__xrt_message *m)
{
    const uint64_t opcode = HET__NPU_OPCODE;
    const het__npu_stream *stream = work->stream;
    const het__npu_buffer *const data[] = { work->a, work->b, work->c };
    int s = xrt->run_set(run, 0, &opcode, sizeof opcode, m);
    if (s == HET_OK)
        s = xrt->run_set_buffer(run, 1, stream->buffer.bo, m);
    if (s == HET_OK)
        s = xrt->run_set(run, 2, &stream->words, sizeof stream->words, m);
    for (uint32_t i = 0; i < 3 && s == HET_OK; i++)
        s = xrt->run_set_buffer(run, 3 + i, data[i]->bo, m);
    return s;
}

het_status het__npu_start(het__device *device, het__npu_state *state, uint32_t slot,
                          const het__npu_work *work, uint32_t count, het_error *err)
{
    const het__xrt_calls *xrt = device->xrt;
    het__xrt_message m = { "" };
    assert(count >= 1 && count <= HET__NPU_BATCH_MAX && (count == 1 || device->has_lists));
    het__npu_batch *b = &state->batch[slot][count - 1];
    int s = batch_make(device, state, b, count, &m);
    for (uint32_t i = 0; i < count && s == HET_OK; i++)
        s = set_arguments(xrt, b->run[i], &work[i], &m);
    if (s == HET_OK)
        s = count > 1 ? xrt->list_start(b->list, &m) : xrt->run_start(b->run[0], &m);
    device->launches++;
    return s == HET_OK ? HET_OK : het__npu_failed(device, err, s, "starting runs", &m);
}

/* XRT says of a run that the system gave up, and of one that is still under way, the same: which it
 * is tells the time that went by. */
static int wait_for(het__device *device, const het__npu_batch *b, uint32_t count, uint32_t *end,
                    het__xrt_message *m)
{
    const uint64_t limit = het__now_ns() + RUN_LIMIT_MS * UINT64_C(1000000);
    for (;;) {
        const uint64_t begin = het__now_ns();
        const int s = count > 1 ? device->xrt->list_wait(b->list, LOOK_MS, end, m)
                                : device->xrt->run_wait(b->run[0], LOOK_MS, end, m);
        const uint64_t now = het__now_ns();
        if (s != HET_OK || *end != HET__XRT_TIMEOUT || now >= limit || device->is_stopping ||
            now - begin < LOOK_MS * UINT64_C(1000000))
            return s;
    }
}

het_status het__npu_finish(het__device *device, het__npu_state *state, uint32_t slot,
                           uint32_t count, het_error *err)
{
    het__xrt_message m = { "" };
    uint32_t end = 0;
    const int s = wait_for(device, &state->batch[slot][count - 1], count, &end, &m);
    if (s == HET_OK && end == HET__XRT_COMPLETED)
        return HET_OK;
    state->is_spoilt = true; /* for all that is known, a run may be under way */
    if (s != HET_OK)
        return het__npu_failed(device, err, s, "waiting for runs", &m);
    snprintf(m.text, sizeof m.text, "the run ended in state %u", end);
    return het__npu_failed(device, err,
                           end == HET__XRT_TIMEOUT      ? HET_E_TIMEOUT
                           : end == HET__XRT_NORESPONSE ? HET_E_DEVICE_LOST
                                                        : HET_E_INTERNAL,
                           state->design->name, &m);
}

/* ---- streams ---- */

static het_status stream_make(het__device *device, het__npu_stream *stream, het_error *err)
{
    const het__npu_state *state = &device->state[stream->design];
    uint32_t *words = NULL;
    size_t count = 0;
    het_status s = het__npu_instructions(state->design, device->host.mem, stream->rows,
                                         stream->columns, &words, &count, err);
    if (s == HET_OK)
        s = het__npu_buffer_new(device, state, 1, count * sizeof *words, &stream->buffer, err);
    if (s == HET_OK) {
        memcpy(stream->buffer.host, words, count * sizeof *words);
        stream->words = (uint32_t)count;
        s = het__npu_sync(device, &stream->buffer, HET__XRT_TO_DEVICE, stream->buffer.bytes, err);
    }
    het__free(device->host.mem, words);
    return s;
}

het_status het__npu_stream_get(het__device *device, uint32_t design, int64_t rows,
                               int64_t columns, const het__npu_stream **stream, het_error *err)
{
    for (const het__npu_stream *s = device->streams; s; s = s->next)
        if (s->design == design && s->rows == rows && s->columns == columns) {
            *stream = s;
            return HET_OK;
        }
    het__npu_stream *made = het__alloc_zero(device->host.mem, 1, sizeof *made);
    if (!made)
        return het__fail_nomem(err, "instructions");
    *made = (het__npu_stream){ .design = design, .rows = rows, .columns = columns };
    const het_status s = stream_make(device, made, err);
    if (s != HET_OK) {
        het__npu_buffer_drop(device, &made->buffer);
        het__free(device->host.mem, made);
        return s;
    }
    made->next = device->streams;
    device->streams = made;
    *stream = made;
    return HET_OK;
}

/* ---- a design proves itself ---- */

/* Codes that no exchange of rows, columns or tiles leaves as they are. Those of BF16 are so small
 * that sums are whole numbers below 2^24, which F32 holds in whatever order they come about. */
static int32_t code_of(const het__npu_design *d, int64_t row, int64_t column, int64_t salt)
{
    const int64_t most = d->type == HET__NPU_BF16 ? 15 : 125;
    return (int32_t)((row * 31 + column * 17 + row * column % 13 * salt) % (2 * most + 1) - most);
}

static void fill(const het__npu_design *d, void *codes, int64_t rows, int64_t columns,
                 int64_t salt)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            const int32_t code = code_of(d, r, c, salt);
            if (d->type == HET__NPU_BF16)
                ((uint16_t *)codes)[r * columns + c] = het__f32_to_bf16((float)code);
            else
                ((int8_t *)codes)[r * columns + c] = (int8_t)code;
        }
}

/* Large products are looked at here and there: a tile that is moved wrongly shows in many. */
static bool is_right(const het__npu_design *d, int64_t rows, int64_t columns, const void *got)
{
    const bool b_inner = d->weights_by_column;
    const int64_t step = (rows * columns / (TERMS_MAX / d->inner)) | 1;
    for (int64_t i = 0; i < rows * columns; i += step) {
        const int64_t r = i / columns, c = i % columns;
        int32_t sum = 0;
        for (int64_t k = 0; k < d->inner; k++)
            sum += code_of(d, r, k, 7) * code_of(d, b_inner ? c : k, b_inner ? k : c, 5);
        const float value = (float)sum;
        const void *want = d->type == HET__NPU_BF16 ? (const void *)&value : &sum;
        if (memcmp((const char *)got + HET__NPU_SUM_BYTES * i, want, HET__NPU_SUM_BYTES) != 0)
            return false;
    }
    return true;
}

static het_status known_product(het__device *device, uint32_t design, int64_t rows,
                                int64_t columns, het__npu_buffer data[3], het_error *err)
{
    het__npu_state *state = &device->state[design];
    const het__npu_design *d = state->design;
    const size_t element = (size_t)het__npu_element_bytes(d);
    const size_t bytes[] = { (size_t)(rows * d->inner) * element,
                             (size_t)(d->inner * columns) * element,
                             HET__NPU_SUM_BYTES * (size_t)(rows * columns) };
    const het__npu_stream *stream = NULL;
    het_status s = het__npu_stream_get(device, design, rows, columns, &stream, err);
    for (uint32_t i = 0; i < 3 && s == HET_OK; i++)
        s = het__npu_buffer_new(device, state, 3 + i, bytes[i], &data[i], err);
    if (s != HET_OK)
        return s;
    fill(d, data[0].host, rows, d->inner, 7);
    fill(d, data[1].host, d->weights_by_column ? columns : d->inner,
         d->weights_by_column ? d->inner : columns, 5);
    memset(data[2].host, 0x55, bytes[2]);
    for (uint32_t i = 0; i < 3 && s == HET_OK; i++)
        s = het__npu_sync(device, &data[i], HET__XRT_TO_DEVICE, bytes[i], err);
    if (s == HET_OK)
        s = het__npu_start(device, state, 0,
                           &(het__npu_work){ stream, &data[0], &data[1], &data[2] }, 1, err);
    if (s == HET_OK)
        s = het__npu_finish(device, state, 0, 1, err);
    if (s == HET_OK)
        s = het__npu_sync(device, &data[2], HET__XRT_FROM_DEVICE, bytes[2], err);
    if (s == HET_OK && !is_right(d, rows, columns, data[2].host))
        s = het__fail(err, HET_E_UNSUPPORTED, "%s/%s: it multiplies %lld by %lld by %lld wrongly",
                      d->folder, d->xclbin, (long long)rows, (long long)d->inner,
                      (long long)columns);
    return s;
}

/* What says nothing of a design, and may be otherwise the next time. */
static bool is_passing(int status)
{
    return status == HET_E_DEVICE_LOST || status == HET_E_TIMEOUT || status == HET_E_NOMEM ||
           status == HET_E_BUSY;
}

static het_status check_kernel(het__device *device, het__npu_state *state, het_error *err)
{
    const het__npu_design *d = state->design;
    char path[HET__NPU_PATH_MAX + 80];
    uint32_t arguments = 0;
    het__xrt_message m = { "" };
    snprintf(path, sizeof path, "%s/%s", d->folder, d->xclbin);
    if (d->columns > device->columns)
        return het__fail(err, HET_E_UNSUPPORTED, "%s takes %u columns of %u", path, d->columns,
                         device->columns);
    if (!het__path_exists(path))
        return het__fail(err, HET_E_UNSUPPORTED, "%s is not there", path);
    int s = device->xrt->xclbin_open(path, d->kernel, &state->xclbin, &arguments, &m);
    if (s != HET_OK && !is_passing(s))
        return het__fail(err, HET_E_UNSUPPORTED, "%s: %s", path, m.text);
    if (s != HET_OK)
        return het__npu_failed(device, err, s, "an xclbin", &m);
    if (arguments < HET__NPU_KERNEL_ARGUMENTS)
        return het__fail(err, HET_E_UNSUPPORTED, "%s: kernel %s takes %u arguments, not %d", path,
                         d->kernel, arguments, HET__NPU_KERNEL_ARGUMENTS);
    const het_status status = het__npu_acquire(device, state, err);
    if (status != HET_OK)
        return status;
    for (uint32_t i = 1; i < HET__NPU_KERNEL_ARGUMENTS; i++) {
        if (i == 2)
            continue; /* a number has no memory */
        s = device->xrt->group(state->context, i, &state->group[i], &m);
        if (is_passing(s))
            return het__npu_failed(device, err, s, "a kernel", &m);
        if (s != HET_OK)
            return het__fail(err, HET_E_UNSUPPORTED, "%s: argument %u of kernel %s: %s", path, i,
                             d->kernel, m.text);
    }
    return HET_OK;
}

static het_status prove(het__device *device, uint32_t design, het_error *err)
{
    het__npu_state *state = &device->state[design];
    const het__npu_design *d = state->design;
    het__npu_buffer data[3] = { { NULL, NULL, 0 } };
    int64_t rungs[HET__NPU_RUNGS_MAX];
    het_status s = check_kernel(device, state, err);
    if (s == HET_OK) {
        const int64_t width = het__npu_cut_columns(d, 1);
        const uint32_t count = het__npu_rungs(d, width, rungs);
        assert(count > 0);
        (void)count;
        s = known_product(device, design, rungs[0], width, data, err);
    }
    for (uint32_t i = 0; i < 3; i++)
        het__npu_buffer_drop(device, &data[i]);
    state->is_usable = s == HET_OK;
    return s;
}

/* Every design that is for this device; a failure that is not the design's own ends it. */
static het_status prove_all(het__device *device, uint32_t mask, het_error *err)
{
    het_error first = HET_ERROR_INIT;
    uint32_t usable = 0, refused = 0;
    for (uint32_t i = 0; i < device->designs->count; i++) {
        het_error own = HET_ERROR_INIT;
        device->state[i].design = &device->designs->design[i];
        if (!(mask >> i & 1))
            continue;
        const het_status s = prove(device, i, &own);
        if (is_passing(s) || s == HET_E_IO)
            return het__fail(err, s, "%s", own.message);
        usable += s == HET_OK;
        if (s == HET_OK)
            continue;
        het__npu_mark_bad(device->index, device->state[i].design->folder);
        if (device->host.log)
            het__log_line(device->host.log, HET_LOG_WARN, "amd_xrt_npu", "design refused: %s",
                          own.message);
        if (refused++ == 0)
            first = own;
    }
    if (usable)
        return HET_OK;
    return refused ? het__fail(err, HET_E_UNSUPPORTED, "no design can be used: %s", first.message)
                   : het__fail(err, HET_E_UNSUPPORTED, "there is no design for this device");
}

/* ---- open and close ---- */

static void state_drop(het__device *device, het__npu_state *state)
{
    for (uint32_t i = 0; i < state->part_count; i++)
        het__npu_buffer_drop(device, &state->part[i]);
    het__free(device->host.mem, state->part);
    for (uint32_t i = 0; i < HET__NPU_SLOTS * HET__NPU_BATCH_MAX; i++)
        het__npu_buffer_drop(device, &state->result[i / HET__NPU_BATCH_MAX]
                                                    [i % HET__NPU_BATCH_MAX]);
    context_drop(device, state);
    let_go(device, device->xrt->xclbin_close, &state->xclbin);
}

void het__npu_close(het__device *device)
{
    het__mem *mem = device->host.mem;
    if (!het__npu_queue_stop(device)) {
        het__npu_abandon(device);
        return;
    }
    het__npu_weights_drop(device);
    while (device->streams) {
        het__npu_stream *next = device->streams->next;
        het__npu_buffer_drop(device, &device->streams->buffer);
        het__free(mem, device->streams);
        device->streams = next;
    }
    for (uint32_t i = 0; i < device->designs->count; i++)
        state_drop(device, &device->state[i]);
    if (device->handle)
        let_go(device, device->xrt->device_close, &device->handle);
    het__free(mem, device->factor);
    het__free(mem, device->sums);
    het__free(mem, device->designs);
    het__free(mem, device);
}

het_status het__npu_open(const het__host *host, uint32_t index, const het__open_options *options,
                         het__device **device, het_error *err)
{
    char reason[160] = "";
    het__xrt_message m = { "" };
    const het__xrt_calls *xrt = het__npu_load(host->use_env, reason, sizeof reason);
    if (!xrt)
        return het__fail(err, HET_E_UNSUPPORTED, "%s", reason);
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    het__npu_designs *designs = het__alloc_zero(host->mem, 1, sizeof *designs);
    if (!d || !designs) {
        het__free(host->mem, designs);
        het__free(host->mem, d);
        return het__fail_nomem(err, "an NPU");
    }
    const uint32_t mask = het__npu_usable(index, designs);
    d->host = *host;
    d->xrt = xrt;
    d->index = index;
    d->designs = designs;
    d->columns = het__npu_columns_of(index);
    d->has_lists = het__npu_has_lists();
    het_status status = het__npu_queue_start(d, !options->parallel, err);
    const int s = status == HET_OK ? xrt->device_open(index, &d->handle, &m) : HET_OK;
    if (status == HET_OK)
        status = s == HET_OK ? prove_all(d, mask, err)
                             : het__npu_failed(d, err, s, "a device", &m);
    if (status != HET_OK) {
        het__npu_close(d);
        return status;
    }
    *device = d;
    return HET_OK;
}

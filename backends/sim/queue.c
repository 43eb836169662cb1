/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of a simulated device, on a thread of its own, one after the other.
 *
 *     enqueue ─▶ [ ring ] ─▶ compute (inner device) ─▶ sleep until the modelled end ─▶ done
 *
 * A program that fails spoils what follows until somebody waits and is told. */
#include "backends/sim/sim.h"

#include <string.h>

#include "lib/base/error.h"

/* Without the lock. */
static het_status compute(het__device *d, const het__sim_job *job, double *ns, het_error *err)
{
    het__mutex_lock(&d->inner_lock);
    het_status s = d->inner->enqueue(d->inner_device, job->program->inner, job->symbols, err);
    if (s == HET_OK)
        s = d->inner->wait(d->inner_device, 0, err);
    het__mutex_unlock(&d->inner_lock);
    *ns = het__sim_model_ns(&job->program->model, &d->profile.device, job->symbols);
    return s;
}

/* ---- weights that come ---- */

static void send(het__device *d, het__program *p, uint64_t from, bool is_ahead)
{
    const double bandwidth = d->profile.link_bandwidth;
    const double ns = d->profile.link_latency_ns +
                      (bandwidth > 0 ? (double)p->stream_bytes / bandwidth * 1e9 : 0);
    const uint64_t begin = from > d->uploads_end_ns ? from : d->uploads_end_ns;
    p->arrives_ns = begin + (uint64_t)(ns * d->scale);
    d->uploads_end_ns = p->arrives_ns;
    d->brought[d->stream_count++ % HET__SIM_SPANS] = (het__brought){
        begin, p->arrives_ns, p->stream_bytes, p->layer, HET__NO_EXPERT, is_ahead, true,
    };
    d->streamed_bytes += p->stream_bytes;
}

/* When a program can begin: its weights are there, and the next ones are sent for, which come
 * beside it into the other slot. */
static uint64_t begin_streamed(het__device *d, het__program *p, uint64_t now)
{
    if (!p->stream_bytes)
        return now;
    d->stream_ahead += p->arrives_ns != 0;
    if (!p->arrives_ns)
        send(d, p, now, false);
    const uint64_t begin = p->arrives_ns > now ? p->arrives_ns : now;
    p->arrives_ns = 0;
    if (d->last_streamed && d->last_streamed != p)
        d->last_streamed->after = p;
    d->last_streamed = p;
    if (p->after && !p->after->arrives_ns)
        send(d, p->after, begin, true);
    return begin;
}

void het__sim_stream_forget(het__device *d, const het__program *program)
{
    het__mutex_lock(&d->lock);
    d->last_streamed = d->last_streamed == program ? NULL : d->last_streamed;
    for (het__program *p = d->programs; p; p = p->next)
        p->after = p->after == program ? NULL : p->after;
    het__mutex_unlock(&d->lock);
}

/* The lock is held, and given up meanwhile. */
static void run_one(het__device *d)
{
    const het__sim_job *job = &d->jobs[d->done % HET__SIM_QUEUE_MAX];
    const bool skips = d->failed || d->is_abandoned;
    het_error err = HET_ERROR_INIT;
    het_status s = HET_OK;
    double ns = 0;
    const uint64_t begin = het__now_ns();
    const uint64_t starts = skips ? begin : begin_streamed(d, job->program, begin);
    if (!skips) {
        het__mutex_unlock(&d->lock);
        s = compute(d, job, &ns, &err);
        het__mutex_lock(&d->lock);
    }
    const uint64_t end = starts + (uint64_t)(ns * d->scale);
    while (!d->is_stopping && !d->is_abandoned && het__now_ns() < end)
        het__cond_wait_until(&d->change, &d->lock, end);
    if (s != HET_OK) {
        d->failed = s;
        d->failed_at = d->done + 1;
        d->failure = err;
    }
    d->modelled_ns += ns;
    d->spans[d->done % HET__SIM_SPANS] = (het__sim_span){ begin, het__now_ns() };
    d->done++;
}

static void *work(void *argument)
{
    het__device *d = argument;
    het__mutex_lock(&d->lock);
    while (!d->is_stopping) {
        if (d->done == d->enqueued) {
            het__cond_wait(&d->change, &d->lock);
            continue;
        }
        run_one(d);
        het__cond_broadcast(&d->change);
    }
    het__mutex_unlock(&d->lock);
    return NULL;
}

het_status het__sim_queue_start(het__device *d, het_error *err)
{
    het__mutex_init(&d->lock);
    het__mutex_init(&d->inner_lock);
    het__cond_init(&d->change);
    d->jobs = het__alloc(d->mem, HET__SIM_QUEUE_MAX * sizeof *d->jobs);
    d->spans = het__alloc_zero(d->mem, HET__SIM_SPANS, sizeof *d->spans);
    d->brought = het__alloc_zero(d->mem, HET__SIM_SPANS, sizeof *d->brought);
    het_status s = d->jobs && d->spans && d->brought ? HET_OK : het__fail_nomem(err, "a queue");
    if (s == HET_OK && !het__thread_start(&d->thread, work, d))
        s = het__fail(err, HET_E_NOMEM, "no thread for a simulated device");
    if (s == HET_OK)
        return s;
    het__free(d->mem, d->jobs);
    het__free(d->mem, d->spans);
    het__free(d->mem, d->brought);
    d->jobs = NULL;
    het__cond_finish(&d->change);
    het__mutex_finish(&d->inner_lock);
    het__mutex_finish(&d->lock);
    return s;
}

void het__sim_queue_stop(het__device *d)
{
    het__mutex_lock(&d->lock);
    d->is_stopping = true;
    het__cond_broadcast(&d->change);
    het__mutex_unlock(&d->lock);
    het__thread_join(d->thread);
    het__free(d->mem, d->jobs);
    het__free(d->mem, d->spans);
    het__free(d->mem, d->brought);
    het__cond_finish(&d->change);
    het__mutex_finish(&d->inner_lock);
    het__mutex_finish(&d->lock);
}

/* Waits where the ring is full. */
void het__sim_queue_add(het__device *d, het__program *program, const int64_t *symbols)
{
    het__mutex_lock(&d->lock);
    while (d->enqueued - d->done == HET__SIM_QUEUE_MAX)
        het__cond_wait(&d->change, &d->lock);
    het__sim_job *job = &d->jobs[d->enqueued % HET__SIM_QUEUE_MAX];
    job->program = program;
    memcpy(job->symbols, symbols, sizeof job->symbols);
    d->enqueued++;
    het__cond_broadcast(&d->change);
    het__mutex_unlock(&d->lock);
}

het_status het__sim_queue_wait(het__device *d, uint64_t count, uint64_t timeout_ns, het_error *err)
{
    const uint64_t deadline = het__now_ns() + timeout_ns;
    het_status s = HET_OK;
    het__mutex_lock(&d->lock);
    const uint64_t until = count < d->enqueued ? count : d->enqueued;
    while (d->done < until && s == HET_OK) {
        if (!timeout_ns)
            het__cond_wait(&d->change, &d->lock);
        else if (het__now_ns() >= deadline)
            s = het__fail(err, HET_E_TIMEOUT, "sim: %s has not done program %llu within %llu ms",
                          d->profile.device.name, (unsigned long long)until,
                          (unsigned long long)(timeout_ns / 1000000u));
        else
            het__cond_wait_until(&d->change, &d->lock, deadline);
    }
    if (s == HET_OK && d->failed && d->failed_at <= until) {
        s = d->failed;
        if (err)
            *err = d->failure;
        d->failed = HET_OK;
    }
    het__mutex_unlock(&d->lock);
    return s;
}

void het__sim_queue_drop(het__device *d)
{
    het__mutex_lock(&d->lock);
    d->is_abandoned = d->done < d->enqueued;
    if (d->is_abandoned)
        het__cond_broadcast(&d->change);
    while (d->done < d->enqueued)
        het__cond_wait(&d->change, &d->lock);
    d->is_abandoned = false;
    het__mutex_unlock(&d->lock);
}

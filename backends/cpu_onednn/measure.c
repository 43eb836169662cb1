/* SPDX-License-Identifier: Apache-2.0 */
/* Every figure is the best of a few short rounds with all threads at once: interruptions only
 * lower a round. */
#include "backends/cpu_onednn/measure.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/os.h"

#define READ_BYTES ((size_t)256 << 20)
/* Threads take blocks of this size; a multiple of a page. */
#define READ_BLOCK ((size_t)1 << 20)
#define READ_ROUNDS 4
#define PEAK_ROUNDS 3
/* Least length of a round: far above what starting and meeting cost. */
#define PEAK_NS 10000000u
/* Short, so that some of many rounds are not interrupted. */
#define BARRIERS 200
#define LAUNCH_ROUNDS 40

typedef struct read_job {
    const het__device *device;
    unsigned char *data;
    bool fill;
    _Atomic uint64_t sum; /* so that reading is not optimised away */
} read_job;

static void read_region(void *arg, uint32_t worker, uint32_t count)
{
    (void)worker;
    (void)count;
    read_job *job = arg;
    uint64_t sum = 0;
    for (;;) {
        const size_t at = (size_t)het__pool_take(job->device->pool, 1) * READ_BLOCK;
        if (at >= READ_BYTES)
            break;
        if (job->fill)
            memset(job->data + at, 1, READ_BLOCK);
        else
            sum += job->device->level->read_all(job->data + at, READ_BLOCK);
    }
    atomic_fetch_add(&job->sum, sum);
}

static het_status measure_read(het__device *device, double *bytes_per_s, het_error *err)
{
    read_job job = { .device = device, .data = het__alloc(device->host->mem, READ_BYTES) };
    if (!job.data)
        return het__fail_nomem(err, "the memory to measure");
    job.fill = true;
    het__pool_run(device->pool, read_region, &job);
    job.fill = false;
    for (int i = 0; i < READ_ROUNDS; i++) {
        const uint64_t begin = het__now_ns();
        het__pool_run(device->pool, read_region, &job);
        const double rate = (double)READ_BYTES / ((double)(het__now_ns() - begin) * 1e-9);
        *bytes_per_s = rate > *bytes_per_s ? rate : *bytes_per_s;
    }
    het__free(device->host->mem, job.data);
    return HET_OK;
}

typedef struct peak_job {
    double (*loop)(uint64_t iterations);
    uint64_t iterations;
    _Atomic uint64_t operations;
} peak_job;

static void peak_region(void *arg, uint32_t worker, uint32_t count)
{
    (void)worker;
    (void)count;
    peak_job *job = arg;
    const double done = job->loop(job->iterations);
    atomic_fetch_add(&job->operations, (uint64_t)done);
}

static double measure_peak(het__device *device, double (*loop)(uint64_t iterations))
{
    if (!loop)
        return 0;
    peak_job job = { .loop = loop, .iterations = 1000 };
    double best = 0;
    for (int i = 0; i < PEAK_ROUNDS;) {
        atomic_store(&job.operations, 0);
        const uint64_t begin = het__now_ns();
        het__pool_run(device->pool, peak_region, &job);
        const uint64_t ns = het__now_ns() - begin;
        if (ns < PEAK_NS && job.iterations < UINT64_MAX / 4) {
            job.iterations *= 2;
            continue;
        }
        const double rate = (double)atomic_load(&job.operations) / ((double)ns * 1e-9);
        best = rate > best ? rate : best;
        i++;
    }
    return best;
}

static void barrier_region(void *arg, uint32_t worker, uint32_t count)
{
    (void)worker;
    (void)count;
    for (int i = 0; i < BARRIERS; i++)
        het__pool_barrier(arg);
}

/* A step costs its barrier and the taking of a task. */
static double measure_launch(het__device *device)
{
    double best = 1e9;
    for (int i = 0; i < LAUNCH_ROUNDS; i++) {
        const uint64_t begin = het__now_ns();
        het__pool_run(device->pool, barrier_region, device->pool);
        const double ns = (double)(het__now_ns() - begin) / BARRIERS;
        best = ns < best ? ns : best;
    }
    return best;
}

het_status het__cpu_measure(het__device *device, het_device_figures *figures, het_error *err)
{
    double read = 0;
    const het_status s = measure_read(device, &read, err);
    if (s != HET_OK)
        return s;
    figures->source = HET_SOURCE_MEASURED;
    figures->read_bytes_per_s = read;
    figures->f32_ops_per_s = measure_peak(device, device->level->peak_f32);
    figures->bf16_ops_per_s = measure_peak(device, device->level->peak_bf16);
    figures->int8_ops_per_s = measure_peak(device, device->level->peak_int8);
    figures->launch_ns = measure_launch(device);
    return HET_OK;
}

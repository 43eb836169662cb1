/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of a device. Every figure is the best of a few rounds, by the host's clock: interruptions
 * only lower a round, and a device's own clock may not be one. */
#include "backends/intel_l0/l0.h"

#include "lib/base/error.h"
#include "lib/base/os.h"

#define READ_BYTES ((size_t)256 << 20)
#define ROUNDS 3
/* Least length of a round: far above what starting costs. */
#define PEAK_NS 20000000u
#define PEAK_ROUNDS_MAX (1 << 24)
#define LAUNCHES 200
#define GROUP 64

typedef struct bench {
    het__device *device;
    het__gpu_memory *out;
    size_t items;
} bench;

/* Starts a kernel some times, as a program would, and waits; the time that took, 0 on failure. */
static uint64_t timed(const bench *b, void *kernel, size_t items, int times, het_error *err)
{
    static const size_t group = GROUP;
    het__gpu *gpu = &b->device->gpu;
    const uint64_t begin = het__now_ns();
    het_status s = het__l0_run_begin(gpu, true, err);
    if (s != HET_OK)
        return 0;
    for (int i = 0; i < times && s == HET_OK; i++)
        s = het__l0_launch(gpu, kernel, 1, &items, &group, err);
    if (s != HET_OK) {
        het__l0_run_drop(gpu);
        return 0;
    }
    s = het__l0_run_end(gpu, err);
    if (s == HET_OK)
        s = het__l0_wait(b->device, HET__L0_PATIENCE_NS, err);
    const uint64_t ns = het__now_ns() - begin;
    return s != HET_OK ? 0 : ns ? ns : 1;
}

static void *kernel_of(const bench *b, const char *name, het_error *err)
{
    void *kernel = NULL;
    return het__l0_kernel_make(&b->device->gpu, "measure", name, "", &kernel, err) == HET_OK
               ? kernel
               : NULL;
}

/* Bytes read per second, 0 on failure. */
static double measure_read(const bench *b, het_error *err)
{
    het__gpu *gpu = &b->device->gpu;
    const uint64_t most = gpu->facts->buffer_max_bytes;
    const size_t bytes = most < READ_BYTES ? (size_t)most / 4096 * 4096 : READ_BYTES;
    const uint64_t count = bytes / 64;
    het__buffer *buffer = NULL;
    double best = 0;
    void *k = kernel_of(b, "read_all", err);
    if (!k)
        return 0;
    if (het__l0_buffer_create(b->device, bytes, &buffer, err) == HET_OK) {
        het__l0_argument(k, 0, sizeof buffer->at, &buffer->at);
        het__l0_argument(k, 1, sizeof count, &count);
        het__l0_argument(k, 2, sizeof b->out, &b->out);
        for (int i = 0; i < ROUNDS + 1; i++) { /* the first one warms up */
            const uint64_t ns = timed(b, k, b->items, 1, err);
            const double rate = ns ? (double)bytes / ((double)ns * 1e-9) : 0;
            best = i > 0 && rate > best ? rate : best;
        }
        het__l0_buffer_destroy(b->device, buffer);
    }
    het__l0_kernel_release(gpu, k);
    return best;
}

/* Operations per second of a loop on registers, 0 if there is none. */
static double measure_peak(const bench *b, const char *name, double per_round, het_error *err)
{
    void *k = kernel_of(b, name, err);
    const float factor = 0.5f;
    double best = 0;
    int32_t rounds = 256;
    if (!k)
        return 0;
    het__l0_argument(k, 0, sizeof b->out, &b->out);
    het__l0_argument(k, 2, sizeof factor, &factor);
    for (int i = 0; i < ROUNDS;) {
        het__l0_argument(k, 1, sizeof rounds, &rounds);
        const uint64_t ns = timed(b, k, b->items, 1, err);
        if (ns == 0)
            break;
        if (ns < PEAK_NS && rounds < PEAK_ROUNDS_MAX) {
            rounds *= 2;
            continue;
        }
        const double rate = per_round * (double)rounds * (double)b->items / ((double)ns * 1e-9);
        best = rate > best ? rate : best;
        i++;
    }
    het__l0_kernel_release(&b->device->gpu, k);
    return best;
}

static double measure_launch(const bench *b, het_error *err)
{
    void *k = kernel_of(b, "nothing", err);
    double best = 0;
    if (!k)
        return 0;
    het__l0_argument(k, 0, sizeof b->out, &b->out);
    for (int i = 0; i < ROUNDS + 1; i++) {
        const double ns = (double)timed(b, k, GROUP, LAUNCHES, err) / LAUNCHES;
        best = i > 0 && (best == 0 || ns < best) ? ns : best;
    }
    het__l0_kernel_release(&b->device->gpu, k);
    return best;
}

het_status het__l0_measure(het__device *device, het_device_figures *figures, het_error *err)
{
    bench b = { .device = device, .items = (size_t)device->found.facts.units * 1024 };
    const het_status s = het__l0_memory_make(&device->gpu, GROUP, NULL, &b.out, err);
    if (s != HET_OK)
        return s;
    figures->source = HET_SOURCE_MEASURED;
    figures->read_bytes_per_s = measure_read(&b, err);
    figures->f32_ops_per_s = measure_peak(&b, "peak_f32", 2.0 * 8 * 16, err);
    figures->int8_ops_per_s = measure_peak(&b, "peak_int8", 2.0 * 4 * 16, err);
    figures->launch_ns = measure_launch(&b, err);
    het__l0_memory_free(&device->gpu, b.out);
    if (figures->read_bytes_per_s > 0 && figures->f32_ops_per_s > 0 && figures->launch_ns > 0)
        return HET_OK;
    return device->gpu.is_gone
               ? HET_E_DEVICE_LOST
               : het__fail(err, HET_E_UNSUPPORTED, "the device gives no figures");
}

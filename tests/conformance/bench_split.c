/* SPDX-License-Identifier: Apache-2.0 */
/* What a step costs beside its kernels: a decode step of a model as large as TinyLlama, on one
 * device and with its layers taking turns on two, the CPU and a simulated device that computes with
 * the CPU's kernels and adds no time of its own, or another backend's.
 *
 *     bench_split [LAYERS [BACKEND]]
 *
 * Prints, per plan, the median of the step's wall time, of the time that kernels ran in it, and the
 * difference; and the same of the step that was least disturbed. No pass or fail: the numbers
 * depend on what else the machine does. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "placed.h"

#include <hetinfer.h>

#include "../tiny_model.h"
#include "lib/base/os.h"

#define STEPS 60

static struct { het__device *device; const het__backend *backend; } opened[8];
static const het__backend *inner_of[PLACED_MAX];

static het_status note_open(uint32_t number, const het__host *host, uint32_t index,
                            const het__open_options *options, het__device **device, het_error *err)
{
    const het_status s = inner_of[number]->open(host, index, options, device, err);
    for (uint32_t i = 0; s == HET_OK && i < 8; i++)
        if (!opened[i].device) {
            opened[i].device = *device;
            opened[i].backend = inner_of[number];
            break;
        }
    return s;
}

static het_status open_0(const het__host *h, uint32_t index, const het__open_options *o,
                         het__device **device, het_error *err)
{
    return note_open(0, h, index, o, device, err);
}

static het_status open_1(const het__host *h, uint32_t index, const het__open_options *o,
                         het__device **device, het_error *err)
{
    return note_open(1, h, index, o, device, err);
}

static void note_close(het__device *device)
{
    for (uint32_t i = 0; i < 8; i++)
        if (opened[i].device == device) {
            opened[i].device = NULL;
            opened[i].backend->close(device);
            return;
        }
}

/* Nanoseconds that kernels of all open devices have run. Of the simulated device: from the spans of
 * its programs, which are real where nothing is added. */
static uint64_t kernel_ns(uint64_t *programs)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 8; i++) {
        if (!opened[i].device)
            continue;
        if (opened[i].backend->span) {
            uint64_t begin, end;
            while (opened[i].backend->span(opened[i].device, programs[i] + 1, &begin, &end)) {
                sum += end - begin;
                programs[i]++;
            }
        } else {
            het__backend_counters c;
            opened[i].backend->counters(opened[i].device, &c);
            sum += c.busy_ns - programs[i];
            programs[i] = c.busy_ns;
        }
    }
    return sum;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const het_model *model, const char *devices, const char *what)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    het_sequence *q = NULL;
    double wall[STEPS], kernels[STEPS], beside[STEPS];
    double least = INFINITY, least_kernels = 0;
    uint64_t programs[8] = { 0 };
    const int32_t id = 5;
    o.devices = devices;
    o.threads = 2;
    o.context_max = 128;
    o.batch_max = 8;
    if (het_session_create(model, &o, &s, &err) != HET_OK ||
        het_sequence_create(s, &q, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        het_session_destroy(s);
        return;
    }
    for (int i = -4; i < STEPS; i++) { /* the first few warm up */
        CHECK_INT(het_sequence_append(q, &id, 1, 0, NULL), HET_OK);
        kernel_ns(programs);
        const uint64_t start = het__now_ns();
        CHECK_INT(het_session_step(s, NULL, &err), HET_OK);
        const uint64_t stop = het__now_ns();
        const double inside = (double)kernel_ns(programs);
        if (i < 0)
            continue;
        wall[i] = (double)(stop - start) / 1e6;
        kernels[i] = inside / 1e6;
        beside[i] = 100 * ((double)(stop - start) / inside - 1);
        if (wall[i] < least) {
            least = wall[i];
            least_kernels = kernels[i];
        }
    }
    qsort(wall, STEPS, sizeof *wall, ascending);
    qsort(kernels, STEPS, sizeof *kernels, ascending);
    qsort(beside, STEPS, sizeof *beside, ascending);
    het_plan_info info = { .struct_size = sizeof info };
    CHECK_INT(het_plan_get_info(het_session_plan(s, HET_PHASE_DECODE), &info), HET_OK);
    printf("%-20s %3u parts %3u copies: median %.3f ms, kernels %.3f ms, beside %.2f %%; ", what,
           info.layer_count, (uint32_t)info.transfer_count, wall[STEPS / 2], kernels[STEPS / 2],
           beside[STEPS / 2]);
    printf("least step %.3f ms, kernels %.3f ms, beside %.2f %%\n", least, least_kernels,
           100 * (least / least_kernels - 1));
    fflush(stdout);
    het_sequence_destroy(q);
    het_session_destroy(s);
}

int main(int argc, char **argv)
{
    tiny_options t = { .architecture = "llama", .layers = 22, .width = 2048, .ffn = 5632,
                       .heads = 32, .kv_heads = 4, .head_size = 64, .vocabulary = 32000,
                       .context = 2048, .seed = 1, .type = GW_Q4_0 };
    static tiny_model m;
    het_context_options co = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    if (argc > 1)
        t.layers = (uint32_t)strtoul(argv[1], NULL, 10);
    setenv("HETINFER_SIM", "amd-8945hs:igpu@16G", 1);
    setenv("HETINFER_SIM_SCALE", "0", 1);
    setenv("HETINFER_SIM_COMPUTE", "cpu_onednn", 1);
    const char *second = argc > 2 ? argv[2] : "sim";
    char list[80], alone[80];
    snprintf(list, sizeof list, "cpu_onednn,%s", second);
    snprintf(alone, sizeof alone, "%s alone", second);
    co.backends = list;
    if (het_context_create(&co, &context, &err) != HET_OK)
        test_skip(err.message);
    tiny_make(&m, &t);
    if (het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        return test_finish();
    }
    if (context->registry.count < 2)
        test_skip("there is no second device");
    context->registry.count = 2;
    placed_begin(&context->registry);
    for (uint32_t i = 0; i < 2; i++) {
        inner_of[i] = placed.real[i].backend;
        placed.table[i].open = i ? open_1 : open_0;
        placed.table[i].close = note_close;
    }
    measure(model, "cpu_onednn", "one device");
    measure(model, second, alone);
    placed.pattern = PLACED_HALVES;
    measure(model, NULL, "two halves");
    for (placed.pattern = 1; placed.pattern <= 4; placed.pattern += 3)
        measure(model, NULL, placed.pattern == 1 ? "layers by turns" : "layers, other turns");
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&m);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A calibration from beginning to end. A subject is compiled once and run until its median stands
 * firm or its time is over; what was timed becomes a sample of all its nodes together. Subjects
 * that a device cannot run, or would take too long for, are left out. */
#include "lib/exec/calibrate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/cost/cost.h"
#include "lib/exec/graph_run.h"

/* Runs before the first that counts, the least and the most that count, and the time for one step
 * of a subject. */
#define WARM_RUNS 2
#define RUNS_LEAST 5
#define RUNS_MOST 101
#define STEP_NS 120000000u
#define STEP_NS_QUICK 35000000u
/* A run that bare figures expect to take longer is left out. */
#define RUN_NS_MOST 7e8

/* To fill all caches with; more than theirs as they may be shared with other machines' work. */
#define FILLER_BYTES_LEAST ((size_t)64 << 20)
#define FILLER_BYTES_MOST ((size_t)512 << 20)
#define CACHE_LINE 64

#define COPY_BYTES ((size_t)32 << 20)
#define COPY_SMALL 64
#define COPY_ROUNDS 5

typedef struct session {
    const het__calibrate_request *q;
    het__mem *mem;
    het__calibration *c;
    het__machine_device bare; /* figures alone, to tell what takes too long */
    uint32_t done, all;
    unsigned char *filler; /* what takes the place of all else in caches; NULL: none yet */
    size_t filler_bytes;
    het_error *err;
} session;

void het__calibrate_subject_finish(het__calibrate_subject *subject)
{
    het__graph_finish(&subject->graph);
    het__graph_finish(&subject->raw);
}

static het_status advance(session *s, const char *what)
{
    const het__calibrate_request *q = s->q;
    const double share = s->all ? (double)s->done / s->all : 0;
    if (q->progress &&
        q->progress(q->progress_user, q->from + share * (q->to - q->from), what) != 0)
        return het__fail(s->err, HET_E_CANCELLED, "cancelled while measuring: %s", what);
    return HET_OK;
}

/* ---- ceilings ---- */

static het_status measure_ceilings(session *s)
{
    const het__calibrate_request *q = s->q;
    const het_device_info *info = &q->registry->device[q->device].info;
    het__machine machine;
    het_device_figures f;
    het_error ignored = HET_ERROR_INIT;
    het_status status = het__registry_measure(q->registry, q->device, q->threads, &f, &ignored);
    if (status == HET_E_UNSUPPORTED)
        het__machine_assume(info, q->threads, &f);
    else if (status != HET_OK)
        return het__fail(s->err, status, "%s", ignored.message);
    memset(&machine, 0, sizeof machine);
    if (!het__machine_add(&machine, info, &f))
        return het__fail(s->err, HET_E_INTERNAL, "a machine of one device");
    s->bare = machine.device[0];
    het__calibration *c = s->c;
    for (int p = 0; p < HET__PEAK_COUNT; p++)
        c->peak[p] = s->bare.peak[p].value;
    c->bandwidth = f.read_bytes_per_s;
    c->launch_ns = f.launch_ns > 1 ? f.launch_ns : 1;
    c->in_waves = s->bare.unit_class != HET__UNIT_CORES;
    c->capacity = info->kind == HET_DEVICE_CPU && q->threads < info->unit_count
                      ? q->threads : info->unit_count;
    return HET_OK;
}

/* ---- copies ---- */

static het_status copy_once(const het__backend *backend, het__device *device, het__buffer *buffer,
                            char *host, size_t bytes, het_error *err)
{
    char *there = backend->buffer_host(device, buffer);
    if (there) {
        memcpy(there, host, bytes);
        memcpy(host, there, bytes);
        return HET_OK;
    }
    het_status s = backend->buffer_write(device, buffer, 0, host, bytes, err);
    return s == HET_OK ? backend->buffer_read(device, buffer, 0, host, bytes, err) : s;
}

/* Best of a few: what interrupts only adds. Both ways, as a transfer between devices goes. */
static het_status time_copy(const het__backend *backend, het__device *device, het__buffer *buffer,
                            char *host, size_t bytes, double *ns, het_error *err)
{
    het_status s = HET_OK;
    *ns = 0;
    for (int i = 0; s == HET_OK && i < COPY_ROUNDS; i++) {
        const uint64_t begin = het__now_ns();
        s = copy_once(backend, device, buffer, host, bytes, err);
        const double took = (double)(het__now_ns() - begin);
        *ns = i == 0 || took < *ns ? took : *ns;
    }
    return s;
}

static het_status measure_copies(session *s)
{
    const het__registered *r = &s->q->registry->device[s->q->device];
    const het__open_options options = { .threads = s->q->threads };
    het__device *device = NULL;
    het__buffer *buffer = NULL;
    double small = 0, large = 0;
    char *host = het__alloc_zero(s->mem, COPY_BYTES, 1);
    if (!host)
        return het__fail_nomem(s->err, "the memory to measure");
    het_status status =
        r->backend->open(&s->q->registry->host, r->backend_index, &options, &device, s->err);
    if (status == HET_OK)
        status = r->backend->buffer_create(device, COPY_BYTES, &buffer, s->err);
    if (status == HET_OK)
        status = time_copy(r->backend, device, buffer, host, COPY_BYTES, &large, s->err);
    if (status == HET_OK)
        status = time_copy(r->backend, device, buffer, host, COPY_SMALL, &small, s->err);
    if (buffer)
        r->backend->buffer_destroy(device, buffer);
    if (device)
        r->backend->close(device);
    het__free(s->mem, host);
    s->c->copy_ns = small;
    s->c->copy_bandwidth = large > small ? (double)COPY_BYTES / ((large - small) * 1e-9) : 0;
    return status;
}

/* ---- one step of a subject ---- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* times: sorted by this. */
static void summarise(double *times, uint32_t count, double *median, double *spread)
{
    qsort(times, count, sizeof *times, by_size);
    *median = count % 2 ? times[count / 2] : (times[count / 2 - 1] + times[count / 2]) / 2;
    const double quarter = times[count / 4], three = times[count - 1 - count / 4];
    *spread = *median > 0 ? (three - quarter) / 2 / *median : 0;
}

static uint64_t cache_bytes(void)
{
    het__cpus cpus;
    het__cpu_facts facts;
    het__cpus_get(&cpus);
    het__cpus_describe("", &cpus, &facts);
    return facts.cache_bytes;
}

/* Whether a part of the weights would still be in caches from run to run. */
static bool is_to_be_chilled(const het__calibrate_subject *subject)
{
    double bytes = 0;
    for (uint32_t v = 0; v < subject->graph.value_count; v++)
        if (subject->graph.values[v].kind == HET__VALUE_CONST)
            bytes += (double)het__value_bytes(&subject->graph.values[v], subject->symbols_max);
    return subject->is_cold && bytes < 2 * (double)cache_bytes();
}

static bool make_filler(session *s)
{
    const uint64_t known = cache_bytes(), wanted = known + known / 4;
    s->filler_bytes = (size_t)(wanted > FILLER_BYTES_MOST    ? FILLER_BYTES_MOST
                               : wanted < FILLER_BYTES_LEAST ? FILLER_BYTES_LEAST : wanted);
    s->filler = het__alloc(s->mem, s->filler_bytes);
    if (s->filler)
        memset(s->filler, 1, s->filler_bytes); /* pages of its own */
    return s->filler != NULL;
}

/* By reading: what was written would have to be brought to memory while the run is timed. */
static void fill_caches(const session *s)
{
    const volatile unsigned char *from = s->filler;
    for (size_t i = 0; i < s->filler_bytes; i += CACHE_LINE)
        (void)from[i];
}

static het_status time_runs(session *s, het__exec *exec, const int64_t *symbols, bool cold,
                            double *median, double *spread)
{
    double times[RUNS_MOST];
    const uint64_t limit = s->q->quick ? STEP_NS_QUICK : STEP_NS;
    const uint64_t begin = het__now_ns();
    _Atomic uint32_t cancel = 0;
    uint32_t count = 0, runs = 0;
    if (cold && !s->filler && !make_filler(s))
        return het__fail_nomem(s->err, "the memory to measure");
    while (count < RUNS_MOST && (count < RUNS_LEAST || het__now_ns() - begin < limit)) {
        if (cold)
            fill_caches(s);
        const uint64_t start = het__now_ns();
        const het_status status = het__exec_run(exec, 0, symbols, &cancel, s->err);
        if (status != HET_OK)
            return status;
        if (runs++ >= WARM_RUNS)
            times[count++] = (double)(het__now_ns() - start);
        if (count > 0 && het__now_ns() - begin > 8 * limit)
            break; /* slower than expected: what there is must do */
    }
    summarise(times, count, median, spread);
    return HET_OK;
}

static bool is_same(const het__work_item *a, const het__work_item *b)
{
    return a->work_class == b->work_class && a->format == b->format && a->peak == b->peak &&
           a->flops == b->flops && a->input_bytes == b->input_bytes &&
           a->output_bytes == b->output_bytes && a->weight_bytes == b->weight_bytes &&
           a->units == b->units;
}

/* Blocks repeat: what was there before counts one more. */
static void add_item(het__work_item *items, uint32_t *count, const het__work_item *item)
{
    uint32_t i = 0;
    while (i < *count && !is_same(&items[i], item))
        i++;
    if (i == *count) {
        items[(*count)++] = *item;
        items[i].times = 0;
    }
    items[i].times++;
}

static het_status collect_items(session *s, const het__graph *graph, const int64_t *symbols,
                                het__work_item **items, uint32_t *count, double *expected_ns)
{
    *expected_ns = 0;
    *count = 0;
    *items = het__alloc_zero(s->mem, graph->node_count, sizeof **items);
    if (!*items)
        return het__fail_nomem(s->err, "a sample");
    for (uint32_t n = 0; n < graph->node_count; n++) {
        het__work work;
        het__work_item item = { .times = 0 };
        het__cost cost;
        if (het__cost_is_nothing(graph, &graph->nodes[n]))
            continue;
        het__node_work(graph, &graph->nodes[n], symbols, &work);
        het__work_item_of(graph, &graph->nodes[n], &work, &s->bare, false, &item);
        het__cost_item(&item, &s->bare, &cost);
        *expected_ns += cost.ns;
        add_item(*items, count, &item);
    }
    return HET_OK;
}

static het_status measure_step(session *s, const het__calibrate_subject *subject, het__exec *exec,
                               const het__calibrate_step *step)
{
    int64_t symbols[HET__SYM_MAX];
    het__work_item *items;
    uint32_t count;
    double expected, median = 0, spread = 0;
    memcpy(symbols, subject->symbols_max, sizeof symbols);
    if (subject->is_language)
        het__calibrate_language_bind(exec, step, symbols);
    het_status status = collect_items(s, &subject->graph, symbols, &items, &count, &expected);
    if (status == HET_OK && expected < RUN_NS_MOST) {
        status = time_runs(s, exec, symbols, is_to_be_chilled(subject), &median, &spread);
        if (status == HET_OK)
            status = het__calibration_add(s->c, items, count, median, spread, s->err);
    }
    het__free(s->mem, items);
    return status;
}

static het_status measure_subject(session *s, het__calibrate_subject *subject,
                                  const het__calibrate_step *steps, uint32_t step_count)
{
    het__exec_request request = {
        .registry = s->q->registry, .graph = &subject->graph,
        .unfused_count = subject->graph.node_count, .device_mask = 1u << s->q->device,
        .threads = s->q->threads, .phase_count = 1,
    };
    het__exec *exec = NULL;
    memcpy(request.symbols_max[0], subject->symbols_max, sizeof subject->symbols_max);
    if (!subject->is_language)
        het__graph_run_layers(&subject->graph, subject->symbols_max);
    het_status status = het__exec_create(&request, &exec, s->err);
    if (status == HET_E_UNSUPPORTED) /* the device has no such operation */
        return HET_OK;
    for (uint32_t i = 0; status == HET_OK && i < step_count; i++)
        status = measure_step(s, subject, exec, &steps[i]);
    het__exec_destroy(exec);
    return status;
}

/* ---- all of it ---- */

static het_status measure_languages(session *s, uint32_t count)
{
    het_status status = HET_OK;
    for (uint32_t i = 0; status == HET_OK && i < count; i++) {
        het__calibrate_subject subject;
        het__calibrate_step steps[HET__CALIBRATE_STEPS_MAX];
        uint32_t step_count;
        status = het__calibrate_language(i, s->q->quick, s->mem, &subject, steps, &step_count,
                                         s->err);
        if (status != HET_OK)
            break;
        status = advance(s, subject.name);
        if (status == HET_OK)
            status = measure_subject(s, &subject, steps, step_count);
        het__calibrate_subject_finish(&subject);
        s->done++;
    }
    return status;
}

static het_status measure_networks(session *s, uint32_t count)
{
    static const het__calibrate_step once = { 0, 0 };
    const het__registered *r = &s->q->registry->device[s->q->device];
    const int32_t block =
        r->backend->image_block ? r->backend->image_block(&s->q->registry->host) : 0;
    het_status status = HET_OK;
    for (uint32_t i = 0; status == HET_OK && i < count; i++) {
        het__calibrate_subject subject;
        status = het__calibrate_network(i, s->q->quick, block, s->mem, &subject, s->err);
        if (status != HET_OK)
            break;
        status = advance(s, subject.name);
        if (status == HET_OK)
            status = measure_subject(s, &subject, &once, 1);
        het__calibrate_subject_finish(&subject);
        s->done++;
    }
    return status;
}

het_status het__calibrate(const het__calibrate_request *q, het__calibration *c, het_error *err)
{
    session s = { .q = q, .mem = q->registry->host.mem, .c = c, .err = err };
    const uint32_t languages = het__calibrate_language_count(q->quick);
    const uint32_t networks = het__calibrate_network_count(q->quick);
    assert(q->threads >= 1);
    s.all = 2 + languages + networks;
    het__calibration_init(c, s.mem);
    het__calibration_key(c, &q->registry->device[q->device].info, q->threads);
    het_status status = advance(&s, "ceilings");
    if (status == HET_OK)
        status = measure_ceilings(&s);
    s.done = 1;
    if (status == HET_OK)
        status = measure_copies(&s);
    s.done = 2;
    if (status == HET_OK)
        status = measure_networks(&s, networks);
    if (status == HET_OK)
        status = measure_languages(&s, languages);
    if (status == HET_OK)
        status = het__calibration_fit(c, s.mem, err);
    if (status != HET_OK)
        het__calibration_finish(c);
    het__free(s.mem, s.filler);
    return status;
}

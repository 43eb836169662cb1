/* SPDX-License-Identifier: Apache-2.0 */
/* Running a case on two devices and comparing what they give. */
#include "cts.h"

#include <math.h>
#include <stdarg.h>

#include "lib/base/dtype.h"
#include "lib/plain/plain.h"

struct cts cts;

/* ---- the report ---- */

cts_row *cts_row_of(const char *name)
{
    for (uint32_t i = 0; i < cts.row_count; i++)
        if (strcmp(cts.rows[i].name, name) == 0)
            return &cts.rows[i];
    if (cts.row_count == CTS_ROWS_MAX)
        abort();
    cts_row *row = &cts.rows[cts.row_count++];
    memset(row, 0, sizeof *row);
    snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

void cts_fail(cts_row *row, const char *name, const char *format, ...)
{
    char text[300];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fprintf(stderr, "%s: %s, %s: %s\n", cts.device_name, row->name, name, text);
    row->failed++;
}

/* ---- devices ---- */

het_status cts_open(cts_side *side, const het__backend *backend, uint32_t index,
                    het_precision precision, het_error *err)
{
    const het__open_options options = { .threads = 2, .precision = (uint32_t)precision };
    memset(side, 0, sizeof *side);
    side->backend = backend;
    side->index = index;
    return backend->open(&cts.host, index, &options, &side->device, err);
}

void cts_close(cts_side *side)
{
    if (side->device)
        side->backend->close(side->device);
    memset(side, 0, sizeof *side);
}

static bool is_product(const het__node *node)
{
    return node->op == HET__OP_LINEAR || node->op == HET__OP_GATED || node->op == HET__OP_MATMUL;
}

bool cts_supports(const cts_side *side, const cts_case *c, char *reason, size_t bytes)
{
    const het__backend *b = side->backend;
    /* What the core would plan nothing for; a case of several operations names the first. */
    if (b->is_reduced && side == &cts.exact && is_product(&c->graph.nodes[0])) {
        snprintf(reason, bytes, "computes in fewer bits than an exact session may");
        return false;
    }
    for (uint32_t n = 0; n < c->graph.node_count; n++) {
        const het__node *node = &c->graph.nodes[n];
        char why[160] = "";
        if (b->supports_on ? b->supports_on(side->index, &c->graph, node, why, sizeof why)
                           : b->supports(&c->graph, node, why, sizeof why))
            continue;
        if (strcmp(het__node_operation(node), c->row) == 0)
            snprintf(reason, bytes, "%s", why[0] ? why : "no reason given");
        else
            snprintf(reason, bytes, "%s: %s", het__node_operation(node), why);
        return false;
    }
    return true;
}

/* ---- cases ---- */

/* Data by a case's name, so that no case changes another's. */
static uint64_t seed_of(const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (; *text; text++)
        h = (h ^ (uint64_t)(unsigned char)*text) * UINT64_C(1099511628211);
    return h | 1;
}

cts_case *cts_begin(const char *row, const char *format, ...)
{
    cts_case *c = calloc(1, sizeof *c);
    va_list list;
    if (!c)
        abort();
    va_start(list, format);
    vsnprintf(c->name, sizeof c->name, format, list);
    va_end(list);
    c->row = row;
    if (cts.options.filter && !strstr(row, cts.options.filter) &&
        !strstr(c->name, cts.options.filter)) {
        free(c);
        return NULL;
    }
    het__graph_init(&c->graph, &cts.mem);
    for (int i = 0; i < HET__SYM_MAX; i++)
        c->symbols_max[i] = c->steps[0].symbols[i] = 1;
    c->step_count = 1;
    c->scale = 1;
    c->seed = cts.seed = (seed_of(c->name) ^ seed_of(row)) | 1;
    c->next = cts.cases;
    cts.cases = c;
    return c;
}

void cts_close_cases(void)
{
    while (cts.cases) {
        cts_case *c = cts.cases;
        cts.cases = c->next;
        het__graph_finish(&c->graph);
        free(c);
    }
}

static size_t bytes_of(const cts_case *c, uint32_t value, const int64_t *symbols)
{
    return (size_t)het__value_bytes(&c->graph.values[value], symbols);
}

static bool is_view(const cts_case *c, uint32_t value)
{
    const uint32_t maker = c->graph.values[value].producer;
    return maker != HET__NO_VALUE && het__op_is_view(c->graph.nodes[maker].op);
}

/* A view of a temporary lies where that lies, as the executor has it. */
static uint32_t root_of(const cts_case *c, uint32_t value)
{
    const het__graph *g = &c->graph;
    while (is_view(c, value) && g->values[value].kind == HET__VALUE_TEMP) {
        const uint32_t from = g->nodes[g->values[value].producer].inputs[0];
        if (g->values[from].kind != HET__VALUE_TEMP || g->values[from].producer == HET__NO_VALUE)
            break;
        value = from;
    }
    return value;
}

static het_status create(cts_run *r, size_t bytes, het__buffer **buffer, het_error *err)
{
    const het_status s = r->side->backend->buffer_create(r->side->device, bytes, buffer, err);
    if (s == HET_OK)
        r->buffers[r->buffer_count++] = *buffer;
    return s;
}

/* Behind each value lies room for a canary. */
static het_status place_values(cts_run *r, cts_layout layout, het_error *err)
{
    const cts_case *c = r->c;
    het__buffer *all = NULL;
    size_t total = 0;
    for (uint32_t v = 0; v < c->graph.value_count; v++) {
        if (c->graph.values[v].kind == HET__VALUE_CONST)
            continue;
        const size_t room = bytes_of(c, v, c->symbols_max);
        r->room[v] = het__round_up(room ? room : 1, HET__ALIGN);
        if (layout == CTS_TOGETHER) {
            r->offset[v] = total;
            total += r->room[v] + 2 * HET__ALIGN;
            continue;
        }
        const het_status s = create(r, r->room[v] + HET__ALIGN, &r->places[v].buffer, err);
        if (s != HET_OK)
            return s;
    }
    if (layout == CTS_TOGETHER && total) {
        const het_status s = create(r, total, &all, err);
        if (s != HET_OK)
            return s;
    }
    for (uint32_t v = 0; all && v < c->graph.value_count; v++)
        if (c->graph.values[v].kind != HET__VALUE_CONST)
            r->places[v] = (het__place){ all, r->offset[v] };
    for (uint32_t v = 0; v < c->graph.value_count; v++)
        if (c->graph.values[v].kind != HET__VALUE_CONST)
            r->places[v] = r->places[root_of(c, v)];
    return HET_OK;
}

het_status cts_prepare(cts_run *r, cts_side *side, const cts_case *c, cts_layout layout,
                       het_error *err)
{
    static uint32_t nodes[CTS_VALUES_MAX];
    memset(r, 0, sizeof *r);
    r->side = side;
    r->c = c;
    for (uint32_t n = 0; n < c->graph.node_count; n++)
        nodes[n] = n;
    const het__slice slice = { .graph = &c->graph, .nodes = nodes,
                               .node_count = c->graph.node_count, .places = r->places,
                               .symbols_max = c->symbols_max };
    const het_status s = place_values(r, layout, err);
    return s == HET_OK ? side->backend->compile(side->device, &slice, &r->program, err) : s;
}

void cts_release(cts_run *r)
{
    if (r->program)
        r->side->backend->release(r->side->device, r->program);
    for (uint32_t i = 0; i < r->buffer_count; i++)
        r->side->backend->buffer_destroy(r->side->device, r->buffers[i]);
    memset(r, 0, sizeof *r);
}

het_status cts_write(cts_run *r, uint32_t value, const void *data, size_t bytes, het_error *err)
{
    const het__backend *b = r->side->backend;
    const het__place *p = &r->places[value];
    char *host = b->buffer_host(r->side->device, p->buffer);
    if (!host)
        return b->buffer_write(r->side->device, p->buffer, p->offset, data, bytes, err);
    memcpy(host + p->offset, data, bytes);
    return HET_OK;
}

het_status cts_read(cts_run *r, uint32_t value, void *data, size_t bytes, het_error *err)
{
    const het__backend *b = r->side->backend;
    const het__place *p = &r->places[value];
    const char *host = b->buffer_host(r->side->device, p->buffer);
    if (!host)
        return b->buffer_read(r->side->device, p->buffer, p->offset, data, bytes, err);
    memcpy(data, host + p->offset, bytes);
    return HET_OK;
}

/* Random, but the same for both devices. */
static void contents(const cts_case *c, uint32_t step, uint32_t value, void *data, size_t bytes)
{
    const het__value *v = &c->graph.values[value];
    cts.seed = (c->seed + 977 * (step + 1) + 131 * value) | 1;
    if (c->fill && c->fill(c, step, value, data, bytes))
        return;
    cts_random_elements(v->dtype, data, het__value_elements(v, c->steps[step].symbols));
    for (int64_t i = 0; v->dtype == HET_DTYPE_F32 && i < (int64_t)(bytes / 4); i++) {
        float *x = (float *)data + i;
        *x *= c->scale;
        if (c->is_positive)
            *x = 0.05f + fabsf(*x);
    }
}

/* What lies behind an input's bytes of this step is NaN, and an index that leads nowhere; a result
 * is a canary all over. */
het_status cts_feed(cts_run *r, uint32_t step, bool with_states, het_error *err)
{
    const cts_case *c = r->c;
    for (uint32_t v = 0; v < c->graph.value_count; v++) {
        const het__value *value = &c->graph.values[v];
        if (value->kind == HET__VALUE_CONST || root_of(c, v) != v ||
            (value->kind == HET__VALUE_STATE && !with_states))
            continue;
        const size_t bytes = bytes_of(c, v, c->steps[step].symbols), all = r->room[v] + HET__ALIGN;
        unsigned char *image = malloc(all);
        if (!image)
            abort();
        memset(image, value->producer == HET__NO_VALUE ? 0xff : CTS_CANARY, all);
        if (value->producer == HET__NO_VALUE)
            contents(c, step, v, image, bytes);
        cts_code_input(c, step, v, image);
        const het_status s = cts_write(r, v, image, all, err);
        free(image);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

/* Also: a step allocates nothing. */
het_status cts_go(cts_run *r, uint32_t step, het_error *err)
{
    const het__backend *b = r->side->backend;
    const uint64_t count = cts.mem.count;
    het_status s = b->enqueue(r->side->device, r->program, r->c->steps[step].symbols, err);
    r->side->enqueued += s == HET_OK;
    if (s == HET_OK)
        s = b->wait(r->side->device, 0, err);
    /* A plain kernel takes its scratch in its first run. */
    const bool is_plain = r->c->graph.node_count && het__op_is_tensor(r->c->graph.nodes[0].op);
    if (s == HET_OK && !is_plain && cts.mem.count != count)
        cts_fail(cts_row_of(r->c->row), r->c->name, "a step allocates memory");
    return s;
}

/* ---- comparing ---- */

/* Elements as numbers, blocks decoded; NULL: bytes must be equal. */
static double *numbers(const het__value *v, const void *data, int64_t count)
{
    double *x = malloc((size_t)(count ? count : 1) * sizeof *x);
    if (!x)
        abort();
    if (!het__dtype_is_block(v->dtype)) {
        for (int64_t i = 0; i < count; i++)
            x[i] = het__get_f64(v->dtype, data, i);
        return x;
    }
    const het__dtype_info *info = het__dtype(v->dtype);
    float block[256];
    for (int64_t i = 0; i < count; i += info->block_elements) {
        het__decoder(v->dtype)((const char *)data + i / info->block_elements * info->block_bytes,
                               block, info->block_elements);
        for (uint32_t j = 0; j < info->block_elements; j++)
            x[i + j] = (double)block[j];
    }
    return x;
}

/* The channels that a blocked image's last block has too many hold any finite number. */
static bool is_padding(const cts_case *c, const het__value *v, int64_t i)
{
    if (v->producer == HET__NO_VALUE)
        return false;
    const het__node *node = &c->graph.nodes[v->producer];
    if (node->op != HET__OP_CONV && node->op != HET__OP_POOL && node->op != HET__OP_BLOCK &&
        node->op != HET__OP_QCONV)
        return false;
    const het__image_attrs *a = &node->attrs.image;
    if (!a->block_out)
        return false;
    const int64_t place = v->extent[2].count * v->extent[3].count * a->block_out;
    const int64_t block = i / place % v->extent[1].count;
    return block * a->block_out + i % a->block_out >= a->channels_out;
}

static double relative_of(const cts_case *c, const het__value *v)
{
    if (v->kind == HET__VALUE_STATE && c->state_tolerance > 0)
        return c->state_tolerance;
    if (v->dtype == HET_DTYPE_F16)
        return fmax(c->tolerance, 1.0 / 512);
    if (v->dtype == HET_DTYPE_BF16)
        return fmax(c->tolerance, 1.0 / 64);
    return c->tolerance;
}

static bool compare_numbers(const cts_case *c, uint32_t step, const het__value *v,
                            const double *got, const double *want, int64_t count)
{
    const bool is_exact = !het__dtype_is_float(v->dtype) && !het__dtype_is_block(v->dtype);
    double largest = fmax(1e-3, c->magnitude), worst = -1;
    int64_t where = -1;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(want[i]) && !is_padding(c, v, i))
            largest = fmax(largest, fabs(want[i]));
    const double allowed = is_exact ? 0 : relative_of(c, v) * largest;
    for (int64_t i = 0; i < count; i++) {
        if (is_padding(c, v, i)) {
            if (!isfinite(got[i]) && where < 0)
                where = i, worst = INFINITY;
            continue;
        }
        if ((isnan(want[i]) && isnan(got[i])) || got[i] == want[i])
            continue;
        const double e = fabs(got[i] - want[i]);
        if (!(e <= allowed) && !(e <= worst))
            where = i, worst = isnan(e) ? INFINITY : e;
    }
    if (where >= 0)
        cts_fail(cts_row_of(c->row), c->name,
                 "step %u, value %s, element %" PRId64 " of %" PRId64 ": %.9g, want %.9g, off by "
                 "%.3g, allowed %.3g", step, v->name, where, count, got[where], want[where], worst,
                 allowed);
    return where < 0;
}

static bool compare_value(cts_run *got, cts_run *want, uint32_t step, uint32_t value)
{
    const cts_case *c = got->c;
    const het__value *v = &c->graph.values[value];
    const size_t bytes = bytes_of(c, value, c->steps[step].symbols);
    const size_t all = got->room[value] + HET__ALIGN;
    const int64_t count = het__value_elements(v, c->steps[step].symbols);
    unsigned char *g = malloc(all), *w = malloc(all);
    het_error err = HET_ERROR_INIT;
    bool good = g && w && cts_read(got, value, g, all, &err) == HET_OK &&
                cts_read(want, value, w, all, &err) == HET_OK;
    if (!good)
        cts_fail(cts_row_of(c->row), c->name, "reading %s: %s", v->name, err.message);
    const unsigned char behind = v->producer == HET__NO_VALUE ? 0xff : CTS_CANARY;
    for (size_t i = bytes; good && i < all; i++)
        if (g[i] != behind) {
            cts_fail(cts_row_of(c->row), c->name, "step %u, value %s: byte %zu behind its %zu is "
                     "written", step, v->name, i - bytes, bytes);
            good = false;
        }
    if (good && v->kind == HET__VALUE_INPUT && !want->c->coding && memcmp(g, w, bytes) != 0) {
        cts_fail(cts_row_of(c->row), c->name, "input %s is written", v->name);
        good = false;
    }
    if (good && v->kind != HET__VALUE_INPUT) {
        double *a = numbers(v, g, count), *b = numbers(v, w, count);
        good = compare_numbers(c, step, v, a, b, count);
        free(a);
        free(b);
    }
    free(g);
    free(w);
    return good;
}

/* Temporaries that are read on are not looked at: they may lie below a view. */
bool cts_compare(cts_run *got, cts_run *want, uint32_t step, bool with_states)
{
    uint32_t uses[CTS_VALUES_MAX];
    const het__graph *g = &got->c->graph;
    bool good = true;
    het__graph_use_counts(g, uses);
    for (uint32_t v = 0; v < g->value_count; v++) {
        const het__value *value = &g->values[v];
        if (value->kind == HET__VALUE_CONST || (value->kind == HET__VALUE_STATE && !with_states) ||
            (value->kind == HET__VALUE_TEMP && uses[v] > 0))
            continue;
        good = compare_value(got, want, step, v) && good;
    }
    return good;
}

/* ---- one case ---- */

/* Of a product with what a device's codes mean: what codes of F32 and sums of F32 may lose. */
#define CODED_TOLERANCE 1e-5

static void run_both(cts_case *c, cts_side *side, cts_row *row)
{
    static cts_run got, want;
    het_error err = HET_ERROR_INIT;
    const cts_layout layout = (cts_layout)(row->cases % CTS_LAYOUTS);
    const cts_case *coded = cts_coded(c, side);
    if (coded->coding) /* sums of F32 */
        c->tolerance = CODED_TOLERANCE;
    het_status s = cts_prepare(&got, side, c, layout, &err);
    if (s == HET_OK)
        s = cts_prepare(&want, &cts.ref, coded, layout, &err);
    for (uint32_t i = 0; s == HET_OK && i < c->step_count; i++) {
        s = cts_feed(&got, i, true, &err);
        if (s == HET_OK)
            s = cts_feed(&want, i, true, &err);
        if (s == HET_OK)
            s = cts_go(&want, i, &err);
        if (s == HET_OK)
            s = cts_go(&got, i, &err);
        if (s == HET_OK && !cts_compare(&got, &want, i, true))
            break;
    }
    if (s != HET_OK)
        cts_fail(row, c->name, "%s: %s", het_status_name(s), err.message);
    cts_release(&got);
    cts_release(&want);
}

void cts_check(cts_case *c)
{
    static uint32_t number;
    if (cts.options.every && number++ % cts.options.every)
        return;
    cts_row *row = cts_row_of(c->row);
    cts_side *side = c->is_fast ? &cts.fast : &cts.exact;
    het_error err = HET_ERROR_INIT;
    char reason[240] = "";
    row->cases++;
    test_checks++;
    if (c->graph.failed || c->graph.value_count > CTS_VALUES_MAX ||
        het__graph_check(&c->graph, &err) != HET_OK) {
        cts_fail(row, c->name, "the case is wrong: %s", err.message);
        return;
    }
    if (!cts_supports(side, c, reason, sizeof reason)) {
        if (!row->refused++)
            snprintf(row->reason, sizeof row->reason, "%s", reason);
        if (!reason[0] || !strcmp(reason, "no reason given"))
            cts_fail(row, c->name, "is refused without a reason");
        return;
    }
    if (cts.options.first && row->cases - row->refused > 1) {
        row->cases--;
        return;
    }
    if (cts.options.verbose)
        printf("%s: %s\n", row->name, c->name), fflush(stdout);
    if (!cts.options.only_ask && cts_supports(&cts.ref, c, reason, sizeof reason))
        run_both(c, side, row);
}

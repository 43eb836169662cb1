/* SPDX-License-Identifier: Apache-2.0 */
/* Calibrations as data: whose they are, their samples, and their file.
 *
 *     calibration: 2
 *     library: 1000
 *     backend: "cpu_onednn"
 *     …
 *     ceilings: {f32: …, bandwidth: …, launch_ns: …, …}
 *     samples:
 *       - ns: 41000
 *         spread: 12
 *         work:
 *           - [conv, F32, f32, OPERATIONS, IN, OUT, WEIGHTS, PIECES, TIMES]
 *
 * All numbers are whole, so that no locale can spoil them; spread counts thousandths. A file that
 * does not hold exactly this is refused. */
#include "lib/machine/calibration.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <hetinfer/version.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/os.h"
#include "lib/base/text.h"
#include "lib/base/yaml.h"
#include "lib/machine/machine.h"

#define FILE_VERSION 2
/* Times and amounts that a measurement gives: a nanosecond to a day; up to 2^60. */
#define NS_MOST 8.64e13
#define AMOUNT_MOST 1.152921504606846976e18
#define ITEMS_OF_SAMPLE_MAX 1024
#define TIMES_MOST 1000000

static const char *const class_names[] = {
    [HET__WORK_MATMUL_ONE] = "matmul_one", [HET__WORK_MATMUL] = "matmul",
    [HET__WORK_CONV] = "conv", [HET__WORK_CONV_POINT] = "conv_point",
    [HET__WORK_CONV_DEPTH] = "conv_depth", [HET__WORK_CONV_UP] = "conv_up",
    [HET__WORK_ATTENTION] = "attention",
    [HET__WORK_MOE] = "moe", [HET__WORK_NORM] = "norm", [HET__WORK_SOFTMAX] = "softmax",
    [HET__WORK_POOL] = "pool",
    [HET__WORK_REDUCE] = "reduce", [HET__WORK_ELEMENTWISE] = "elementwise",
    [HET__WORK_RESIZE] = "resize", [HET__WORK_GATHER] = "gather", [HET__WORK_MOVE] = "move",
    [HET__WORK_RECURRENT] = "recurrent", [HET__WORK_OTHER] = "other",
    [HET__WORK_CLASS_COUNT] = NULL,
};

static const char *const peak_names[] = { "f32", "f16", "bf16", "int8", NULL };

const char *het__work_class_name(uint32_t work_class)
{
    return work_class < HET__WORK_CLASS_COUNT ? class_names[work_class] : "unknown";
}

void het__calibration_init(het__calibration *c, het__mem *mem)
{
    memset(c, 0, sizeof *c);
    het__arena_init(&c->arena, mem);
    c->library = HETINFER_VERSION;
}

void het__calibration_finish(het__calibration *c)
{
    if (c->arena.mem)
        het__arena_finish(&c->arena);
    memset(c, 0, sizeof *c);
}

/* ---- whose it is ---- */

/* Names come from firmware and drivers: what is not plain text becomes '?', in files and when
 * compared. */
static void copy_plain(char *to, size_t room, const char *from)
{
    size_t n = 0;
    for (; n + 1 < room && from[n]; n++)
        to[n] = from[n] >= 0x20 && from[n] < 0x7f ? from[n] : '?';
    memset(to + n, 0, room - n);
}

void het__calibration_key(het__calibration *c, const het_device_info *info, uint32_t threads)
{
    c->library = HETINFER_VERSION;
    c->threads = threads;
    copy_plain(c->backend, sizeof c->backend, info->backend);
    copy_plain(c->name, sizeof c->name, info->name);
    copy_plain(c->features, sizeof c->features, info->features);
    copy_plain(c->driver, sizeof c->driver, info->driver);
}

/* What differs, or NULL. */
static const char *difference(const het__calibration *a, const het__calibration *b)
{
    return a->library != b->library               ? "another version of the library"
           : strcmp(a->backend, b->backend) != 0   ? "another backend"
           : strcmp(a->name, b->name) != 0         ? "another device"
           : strcmp(a->features, b->features) != 0 ? "other instruction sets or extensions"
           : strcmp(a->driver, b->driver) != 0     ? "another driver"
           : a->threads != b->threads              ? "another number of threads" : NULL;
}

bool het__calibration_fits(const het__calibration *c, const het_device_info *info, uint32_t threads,
                           char *reason, size_t reason_bytes)
{
    het__calibration want = { .threads = 0 };
    het__calibration_key(&want, info, threads);
    const char *differs = difference(c, &want);
    if (reason && reason_bytes > 0)
        snprintf(reason, reason_bytes, "%s", differs ? differs : "");
    return !differs;
}

void het__calibration_figures(const het__calibration *c, het_device_figures *figures)
{
    figures->source = HET_SOURCE_MEASURED;
    figures->read_bytes_per_s = c->bandwidth;
    figures->f32_ops_per_s = c->peak[HET__PEAK_F32];
    figures->bf16_ops_per_s = c->peak[HET__PEAK_BF16];
    figures->int8_ops_per_s = c->peak[HET__PEAK_INT8];
    figures->launch_ns = c->launch_ns;
}

char *het__calibration_file(het__mem *mem, const het_device_info *info, uint32_t threads)
{
    het__calibration key = { .threads = 0 };
    het__text text;
    het__calibration_key(&key, info, threads);
    het__text_init(&text, mem);
    het__text_printf(&text, "%u\n%s\n%s\n%s\n%s\n%u", key.library, key.backend, key.name,
                     key.features, key.driver, key.threads);
    char *whole = het__text_take(&text);
    if (!whole)
        return NULL;
    const uint64_t hash = het__hash64(whole, strlen(whole), 0);
    het__free(mem, whole);
    het__text_init(&text, mem);
    het__text_printf(&text, "calibration-%s-%016llx.yaml", key.backend, (unsigned long long)hash);
    return het__text_take(&text);
}

char *het__calibration_folder(het__mem *mem)
{
    const char *own = het__env("HETINFER_CALIBRATION");
    if (own)
        return *own && strcmp(own, "off") != 0 ? het__strndup(mem, own, strlen(own)) : NULL;
    const char *cache = het__env("XDG_CACHE_HOME"), *home = het__env("HOME");
    if (cache && cache[0] == '/') /* a relative one is to be ignored, says its specification */
        return het__path_join(mem, cache, "hetinfer");
    return home && home[0] == '/' ? het__path_join(mem, home, ".cache/hetinfer") : NULL;
}

/* ---- samples ---- */

/* Room for more, doubled; the old array stays in the arena, which is less than the new one. */
static void *grow(het__arena *arena, const void *old, uint32_t count, uint32_t *room, uint32_t more,
                  size_t size)
{
    uint32_t want = *room ? *room : 16;
    while (want < count + more)
        want *= 2;
    void *p = het__arena_zero(arena, want, size);
    if (!p)
        return NULL;
    if (count > 0)
        memcpy(p, old, count * size);
    *room = want;
    return p;
}

static bool is_amount(double x)
{
    return x >= 0 && x <= AMOUNT_MOST; /* false for NaN */
}

static bool is_item(const het__work_item *item)
{
    return item->work_class < HET__WORK_CLASS_COUNT && item->peak < HET__PEAK_COUNT &&
           het__dtype((het_dtype)item->format) && is_amount(item->flops) &&
           is_amount(item->input_bytes) && is_amount(item->output_bytes) &&
           is_amount(item->weight_bytes) && is_amount(item->units) && item->times <= TIMES_MOST;
}

het_status het__calibration_add(het__calibration *c, const het__work_item *items, uint32_t count,
                                double ns, double spread, het_error *err)
{
    bool good = count > 0 && count <= ITEMS_OF_SAMPLE_MAX && ns >= 1 && ns <= NS_MOST &&
                spread >= 0 && spread <= 100;
    for (uint32_t i = 0; good && i < count; i++)
        good = is_item(&items[i]);
    if (!good)
        return het__fail(err, HET_E_INVALID, "no measurement gives such a sample");
    if (c->sample_count == HET__CALIBRATION_SAMPLES_MAX ||
        count > HET__CALIBRATION_ITEMS_MAX - c->item_count)
        return het__fail(err, HET_E_INVALID,
                         "a calibration has at most %d samples of %d operations",
                         HET__CALIBRATION_SAMPLES_MAX, HET__CALIBRATION_ITEMS_MAX);
    if (c->sample_count == c->sample_room) {
        void *p = grow(&c->arena, c->samples, c->sample_count, &c->sample_room, 1,
                       sizeof *c->samples);
        if (!p)
            return het__fail_nomem(err, "a calibration");
        c->samples = p;
    }
    if (count > c->item_room - c->item_count) {
        void *p = grow(&c->arena, c->items, c->item_count, &c->item_room, count,
                       sizeof *c->items);
        if (!p)
            return het__fail_nomem(err, "a calibration");
        c->items = p;
    }
    memcpy(c->items + c->item_count, items, count * sizeof *items);
    c->samples[c->sample_count++] = (het__calibration_sample){ c->item_count, count, ns, spread };
    c->item_count += count;
    return HET_OK;
}

/* ---- writing ---- */

static void write_string(het__text *text, const char *key, const char *value)
{
    het__text_printf(text, "%s: \"", key);
    for (; *value; value++)
        het__text_printf(text, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
    het__text_append(text, "\"\n", 2);
}

static void write_ceilings(het__text *text, const het__calibration *c)
{
    het__text_printf(text, "ceilings:\n");
    for (int p = 0; p < HET__PEAK_COUNT; p++)
        het__text_printf(text, "  %s: %.0f\n", peak_names[p], c->peak[p]);
    het__text_printf(text,
                     "  bandwidth: %.0f\n  launch_ns: %.0f\n  copy_bandwidth: %.0f\n"
                     "  copy_ns: %.0f\n  capacity: %.0f\n  in_waves: %s\n",
                     c->bandwidth, c->launch_ns, c->copy_bandwidth, c->copy_ns, c->capacity,
                     c->in_waves ? "true" : "false");
}

static void write_sample(het__text *text, const het__calibration *c,
                         const het__calibration_sample *s)
{
    het__text_printf(text, "  - ns: %.0f\n    spread: %.0f\n    work:\n", s->ns, s->spread * 1000);
    for (uint32_t i = 0; i < s->item_count; i++) {
        const het__work_item *w = &c->items[s->first_item + i];
        het__text_printf(text, "      - [%s, %s, %s, %.0f, %.0f, %.0f, %.0f, %.0f, %u]\n",
                         class_names[w->work_class], het_dtype_name((het_dtype)w->format),
                         peak_names[w->peak], w->flops, w->input_bytes, w->output_bytes,
                         w->weight_bytes, w->units, w->times);
    }
}

char *het__calibration_write(const het__calibration *c, het__mem *mem)
{
    het__text text;
    het__text_init(&text, mem);
    het__text_printf(&text, "calibration: %d\nlibrary: %u\n", FILE_VERSION, c->library);
    write_string(&text, "backend", c->backend);
    write_string(&text, "name", c->name);
    write_string(&text, "features", c->features);
    write_string(&text, "driver", c->driver);
    het__text_printf(&text, "threads: %u\n", c->threads);
    write_ceilings(&text, c);
    het__text_printf(&text, "# nanoseconds, spread in thousandths, and what was run: class, "
                     "weights, arithmetic,\n# operations, bytes in, bytes out, bytes of weights, "
                     "pieces, times\nsamples:%s\n", c->sample_count ? "" : " []");
    for (uint32_t s = 0; s < c->sample_count; s++)
        write_sample(&text, c, &c->samples[s]);
    return het__text_take(&text);
}

/* ---- reading ---- */

typedef struct reader {
    het__calibration *c;
    const char *what;
    het_error *err;
} reader;

/* The child of that name, which must be there. */
static het_status need(const reader *r, const het__yaml_node *node, const char *key,
                       const het__yaml_node **child)
{
    *child = het__yaml_get(node, key);
    return *child ? HET_OK : het__yaml_fail(r->what, node, r->err, "%s is missing", key);
}

static het_status read_number(const reader *r, const het__yaml_node *node, const char *key,
                              double low, double high, double *value)
{
    const het__yaml_node *child;
    const het_status s = need(r, node, key, &child);
    return s == HET_OK ? het__yaml_number(r->what, child, low, high, value, r->err) : s;
}

static het_status read_count(const reader *r, const het__yaml_node *node, const char *key,
                             uint32_t *value)
{
    double x = 0;
    const het_status s = read_number(r, node, key, 0, UINT32_MAX, &x);
    *value = (uint32_t)x;
    return s;
}

static het_status read_string(const reader *r, const het__yaml_node *node, const char *key,
                              char *to, size_t room)
{
    const het__yaml_node *child;
    const het_status s = need(r, node, key, &child);
    if (s != HET_OK)
        return s;
    if (child->kind != HET__YAML_SCALAR || strlen(child->text) >= room)
        return het__yaml_fail(r->what, child, r->err, "%s is no text of at most %zu characters",
                              key, room - 1);
    copy_plain(to, room, child->text);
    return HET_OK;
}

static het_status read_key(const reader *r, const het__yaml_node *root)
{
    het__calibration *c = r->c;
    double version = 0;
    het_status s = read_number(r, root, "calibration", 1, 1e9, &version);
    if (s == HET_OK && version != FILE_VERSION) /* exact: a whole number */
        return het__yaml_fail(r->what, het__yaml_get(root, "calibration"), r->err,
                              "a calibration of version %.0f, this release reads %d", version,
                              FILE_VERSION);
    if (s == HET_OK)
        s = read_count(r, root, "library", &c->library);
    if (s == HET_OK)
        s = read_string(r, root, "backend", c->backend, sizeof c->backend);
    if (s == HET_OK)
        s = read_string(r, root, "name", c->name, sizeof c->name);
    if (s == HET_OK)
        s = read_string(r, root, "features", c->features, sizeof c->features);
    if (s == HET_OK)
        s = read_string(r, root, "driver", c->driver, sizeof c->driver);
    return s == HET_OK ? read_count(r, root, "threads", &c->threads) : s;
}

static het_status read_ceilings(const reader *r, const het__yaml_node *root)
{
    static const char *const keys[] = { "f32", "f16", "bf16", "int8", "bandwidth", "launch_ns",
                                        "copy_bandwidth", "copy_ns", "capacity", "in_waves", NULL };
    het__calibration *c = r->c;
    double *const values[] = { &c->peak[HET__PEAK_F32], &c->peak[HET__PEAK_F16],
                               &c->peak[HET__PEAK_BF16], &c->peak[HET__PEAK_INT8], &c->bandwidth,
                               &c->launch_ns, &c->copy_bandwidth, &c->copy_ns, &c->capacity };
    const het__yaml_node *node, *flag;
    het_status s = need(r, root, "ceilings", &node);
    if (s == HET_OK)
        s = het__yaml_keys(r->what, node, keys, r->err);
    for (size_t i = 0; s == HET_OK && i < sizeof values / sizeof *values; i++)
        s = read_number(r, node, keys[i], 0, AMOUNT_MOST, values[i]);
    if (s == HET_OK)
        s = need(r, node, "in_waves", &flag);
    return s == HET_OK ? het__yaml_flag(r->what, flag, &c->in_waves, r->err) : s;
}

static het_status read_format(const reader *r, const het__yaml_node *node, uint32_t *format)
{
    for (uint32_t t = 1; node->kind == HET__YAML_SCALAR && t < 64; t++)
        if (het__dtype((het_dtype)t) && strcmp(node->text, het_dtype_name((het_dtype)t)) == 0) {
            *format = t;
            return HET_OK;
        }
    return het__yaml_fail(r->what, node, r->err, "no element type of that name");
}

static het_status read_item(const reader *r, const het__yaml_node *node, het__work_item *item)
{
    if (node->kind != HET__YAML_SEQUENCE || node->count != 9)
        return het__yaml_fail(r->what, node, r->err, "an operation has nine entries");
    const het__yaml_node *e = node->children;
    double *const values[] = { &item->flops, &item->input_bytes, &item->output_bytes,
                               &item->weight_bytes, &item->units };
    het_status s = het__yaml_choice(r->what, &e[0], class_names, &item->work_class, r->err);
    if (s == HET_OK)
        s = read_format(r, &e[1], &item->format);
    if (s == HET_OK)
        s = het__yaml_choice(r->what, &e[2], peak_names, &item->peak, r->err);
    for (size_t i = 0; s == HET_OK && i < sizeof values / sizeof *values; i++)
        s = het__yaml_number(r->what, &e[3 + i], 0, AMOUNT_MOST, values[i], r->err);
    double times = 0;
    if (s == HET_OK)
        s = het__yaml_number(r->what, &e[8], 0, TIMES_MOST, &times, r->err);
    item->times = (uint32_t)times;
    return s;
}

static het_status read_sample(const reader *r, const het__yaml_node *node, het__work_item *items)
{
    static const char *const keys[] = { "ns", "spread", "work", NULL };
    const het__yaml_node *work;
    double ns = 0, spread = 0;
    het_status s = het__yaml_keys(r->what, node, keys, r->err);
    if (s == HET_OK)
        s = read_number(r, node, "ns", 1, NS_MOST, &ns);
    if (s == HET_OK)
        s = read_number(r, node, "spread", 0, 100000, &spread);
    if (s == HET_OK)
        s = need(r, node, "work", &work);
    if (s != HET_OK)
        return s;
    if (work->kind != HET__YAML_SEQUENCE || work->count < 1 || work->count > ITEMS_OF_SAMPLE_MAX)
        return het__yaml_fail(r->what, work, r->err, "a sample has 1 to %d operations",
                              ITEMS_OF_SAMPLE_MAX);
    for (uint32_t i = 0; s == HET_OK && i < work->count; i++)
        s = read_item(r, &work->children[i], &items[i]);
    return s == HET_OK ? het__calibration_add(r->c, items, work->count, ns, spread / 1000, r->err)
                       : s;
}

static het_status read_all(const reader *r, const het__yaml_node *root, het__arena *arena)
{
    static const char *const keys[] = { "calibration", "library", "backend", "name", "features",
                                        "driver", "threads", "ceilings", "samples", NULL };
    const het__yaml_node *samples;
    het__work_item *items = het__arena_zero(arena, ITEMS_OF_SAMPLE_MAX, sizeof *items);
    het_status s = items ? HET_OK : het__fail_nomem(r->err, "a calibration");
    if (s == HET_OK)
        s = het__yaml_keys(r->what, root, keys, r->err);
    if (s == HET_OK)
        s = read_key(r, root);
    if (s == HET_OK)
        s = read_ceilings(r, root);
    if (s == HET_OK)
        s = need(r, root, "samples", &samples);
    if (s != HET_OK)
        return s;
    if (samples->kind != HET__YAML_SEQUENCE)
        return het__yaml_fail(r->what, samples, r->err, "samples is no list");
    for (uint32_t i = 0; s == HET_OK && i < samples->count; i++)
        s = read_sample(r, &samples->children[i], items);
    return s;
}

het_status het__calibration_read(het__calibration *c, const char *text, size_t bytes,
                                 const char *what, het__mem *mem, het_error *err)
{
    const reader r = { c, what, err };
    const het__yaml_node *root;
    het__arena arena;
    het__calibration_init(c, mem);
    het__arena_init(&arena, mem);
    het_status s = het__yaml_parse(text, bytes, what, &arena, &root, err);
    if (s == HET_OK)
        s = read_all(&r, root, &arena);
    het__arena_finish(&arena);
    if (s != HET_OK)
        het__calibration_finish(c);
    return s;
}

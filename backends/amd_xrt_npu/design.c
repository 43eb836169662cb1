/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/amd_xrt_npu/design.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/os.h"
#include "lib/base/sysfs.h"
#include "lib/base/yaml.h"

#define MANIFEST_MAX 65536
#define ENTRIES_MAX 64 /* that are looked at in a folder */
#define TILE_MAX 512
#define INNER_MAX 65536
#define MATRIX_MAX (INT64_C(1) << 28) /* elements of A, B or C of one run */
#define SYSTEM_FOLDERS "/usr/local/share/hetinfer/npu:/usr/share/hetinfer/npu"

static const char *const generation_names[] = { "npu1", "npu4", "npu5", "npu6", NULL };
static const char *const source_names[] = { "files", "single-core-v1", "whole-array-v1", NULL };
static const char *const form_names[] = { "0.1", "1.0", NULL };
static const char *const order_names[] = { "row", "column", NULL };

/* What a manifest is read with. */
typedef struct reader {
    const char *what;
    const het__yaml_node *root;
    het__npu_design *design;
    het_error *err;
} reader;

static het_status need_text(const reader *r, const char *key, char *out, size_t bytes)
{
    const het__yaml_node *node;
    const char *text = NULL;
    het_status s = het__yaml_need(r->what, r->root, key, &node, r->err);
    if (s == HET_OK)
        s = het__yaml_text(r->what, node, bytes - 1, &text, r->err);
    if (s == HET_OK)
        memcpy(out, text, strlen(text) + 1);
    return s;
}

static het_status number(const reader *r, const het__yaml_node *in, const char *key, double low,
                         double high, int64_t *out)
{
    const het__yaml_node *node;
    double value = 0;
    het_status s = het__yaml_need(r->what, in, key, &node, r->err);
    if (s == HET_OK)
        s = het__yaml_number(r->what, node, low, high, &value, r->err);
    *out = (int64_t)value;
    if (s == HET_OK && (double)*out != value)
        s = het__yaml_fail(r->what, node, r->err, "%s is not a whole number", key);
    return s;
}

static het_status read_devices(const reader *r)
{
    const het__yaml_node *list;
    het_status s = het__yaml_need(r->what, r->root, "devices", &list, r->err);
    if (s != HET_OK)
        return s;
    if (list->kind != HET__YAML_SEQUENCE || list->count == 0)
        return het__yaml_fail(r->what, list, r->err, "devices is a list of generations");
    for (uint32_t i = 0; i < list->count && s == HET_OK; i++) {
        uint32_t which = 0;
        s = het__yaml_choice(r->what, &list->children[i], generation_names, &which, r->err);
        r->design->generations |= 1u << (HET__NPU_1 + which);
    }
    if (s == HET_OK && (r->design->generations >> HET__NPU_1 & 1) &&
        r->design->generations != 1u << HET__NPU_1)
        s = het__yaml_fail(r->what, list, r->err, "no configuration is for npu1 and for others");
    return s;
}

/* The combinations that there are kernels for: of codes, and of BF16. The first name decides. */
static het_status read_types(const reader *r)
{
    static const char *const keys[] = { "input", "weight", "output", "accumulator", NULL };
    static const char *const inputs[] = { "i8", "bf16", NULL }, *const sums[] = { "i32", "f32" };
    const het__yaml_node *types;
    het_status s = het__yaml_need(r->what, r->root, "types", &types, r->err);
    if (s == HET_OK)
        s = het__yaml_keys(r->what, types, keys, r->err);
    for (uint32_t i = 0; i < 4 && s == HET_OK; i++) {
        const het__yaml_node *node;
        const char *text;
        s = het__yaml_need(r->what, types, keys[i], &node, r->err);
        if (s == HET_OK)
            s = het__yaml_text(r->what, node, 8, &text, r->err);
        if (s == HET_OK && i == 0) {
            uint32_t which = 0;
            s = het__yaml_choice(r->what, node, inputs, &which, r->err);
            r->design->type = (het__npu_type)which;
            continue;
        }
        const char *want = (i == 1 ? inputs : sums)[r->design->type];
        if (s == HET_OK && strcmp(text, want) != 0)
            s = het__yaml_fail(r->what, node, r->err, "%s %s is not known; with input %s it is to "
                               "be %s", keys[i], text, inputs[r->design->type], want);
    }
    return s;
}

static het_status read_tile(const reader *r)
{
    static const char *const keys[] = { "rows", "inner", "columns", NULL };
    const het__yaml_node *tile;
    het__npu_design *d = r->design;
    het_status s = het__yaml_need(r->what, r->root, "tile", &tile, r->err);
    if (s == HET_OK)
        s = het__yaml_keys(r->what, tile, keys, r->err);
    if (s == HET_OK)
        s = number(r, tile, "rows", 1, TILE_MAX, &d->tile_rows);
    if (s == HET_OK)
        s = number(r, tile, "inner", 4, TILE_MAX, &d->tile_inner);
    if (s == HET_OK)
        s = number(r, tile, "columns", 4, TILE_MAX, &d->tile_columns);
    if (s == HET_OK)
        s = number(r, r->root, "inner", 4, INNER_MAX, &d->inner);
    if (s == HET_OK && (d->tile_inner % 4 || d->tile_columns % 4))
        s = het__yaml_fail(r->what, tile, r->err, "tiles are whole words: multiples of 4 wide");
    if (s == HET_OK && d->inner % d->tile_inner)
        s = het__yaml_fail(r->what, tile, r->err, "inner %lld is no multiple of the tile's %lld",
                           (long long)d->inner, (long long)d->tile_inner);
    return s;
}

static het_status read_layout(const reader *r)
{
    static const char *const keys[] = { "input", "weight", "output", NULL };
    const het__yaml_node *layout = het__yaml_get(r->root, "layout");
    het_status s = layout ? het__yaml_keys(r->what, layout, keys, r->err) : HET_OK;
    for (uint32_t i = 0; layout && i < 3 && s == HET_OK; i++) {
        const het__yaml_node *node = het__yaml_get(layout, keys[i]);
        uint32_t order = 0;
        if (!node)
            continue;
        s = het__yaml_choice(r->what, node, order_names, &order, r->err);
        if (s == HET_OK && order == 1 && i != 1)
            s = het__yaml_fail(r->what, node, r->err, "only weights may lie by column");
        if (i == 1)
            r->design->weights_by_column = order == 1;
    }
    return s;
}

static het_status read_shapes(const reader *r, const het__yaml_node *in)
{
    static const char *const keys[] = { "rows", "columns", "file", NULL };
    const het__yaml_node *list;
    het__npu_design *d = r->design;
    het_status s = het__yaml_need(r->what, in, "shapes", &list, r->err);
    if (s == HET_OK && (list->kind != HET__YAML_SEQUENCE || list->count == 0 ||
                        list->count > HET__NPU_SHAPES_MAX))
        s = het__yaml_fail(r->what, list, r->err, "shapes is a list of 1 to %d",
                           HET__NPU_SHAPES_MAX);
    for (uint32_t i = 0; s == HET_OK && i < list->count; i++) {
        const het__yaml_node *item = &list->children[i];
        het__npu_shape *shape = &d->shape[d->shape_count++];
        const reader inner = { r->what, item, d, r->err };
        s = het__yaml_keys(r->what, item, keys, r->err);
        if (s == HET_OK)
            s = number(r, item, "rows", 1, 65536, &shape->rows);
        if (s == HET_OK)
            s = number(r, item, "columns", 1, 65536, &shape->columns);
        if (s == HET_OK)
            s = need_text(&inner, "file", shape->file, sizeof shape->file);
        if (s == HET_OK &&
            (shape->rows % het__npu_unit_rows(d) || shape->columns % d->tile_columns))
            s = het__yaml_fail(r->what, item, r->err, "a shape that is not of whole tiles");
        if (s == HET_OK &&
            (shape->rows * d->inner > MATRIX_MAX || shape->columns * d->inner > MATRIX_MAX ||
             shape->rows * shape->columns > MATRIX_MAX))
            s = het__yaml_fail(r->what, item, r->err, "a shape that is too large for one run");
    }
    return s;
}

static het_status read_instructions(const reader *r)
{
    static const char *const keys[] = { "source", "form", "shapes", NULL };
    const het__yaml_node *in, *node;
    het__npu_design *d = r->design;
    uint32_t which = 0;
    het_status s = het__yaml_need(r->what, r->root, "instructions", &in, r->err);
    if (s == HET_OK)
        s = het__yaml_keys(r->what, in, keys, r->err);
    if (s == HET_OK)
        s = het__yaml_need(r->what, in, "source", &node, r->err);
    if (s == HET_OK)
        s = het__yaml_choice(r->what, node, source_names, &which, r->err);
    d->source = (het__npu_source)which;
    d->core_rows = d->source == HET__NPU_WHOLE_ARRAY ? 4 : 1;
    which = 0;
    if (s == HET_OK && (node = het__yaml_get(in, "form")))
        s = het__yaml_choice(r->what, node, form_names, &which, r->err);
    d->form = (het__txn_form)which;
    if (s == HET_OK && d->source == HET__NPU_FILES)
        return read_shapes(r, in);
    if (s == HET_OK && d->columns != d->core_rows)
        return het__yaml_fail(r->what, in, r->err, "%s takes %u column%s", source_names[d->source],
                              d->core_rows, d->core_rows == 1 ? "" : "s");
    if (s == HET_OK && d->weights_by_column)
        return het__yaml_fail(r->what, in, r->err, "%s takes weights by row",
                              source_names[d->source]);
    if (s == HET_OK && het__npu_cut_columns(d, 1) == 0)
        return het__yaml_fail(r->what, in, r->err, "tiles too large for its descriptors");
    return s;
}

static het_status read_figures(const reader *r)
{
    const char *const keys[] = { r->design->type == HET__NPU_BF16 ? "bf16" : "int8", "bandwidth",
                                 "launch", "source", NULL };
    static const char *const sources[] = { "assumed", "measured", NULL };
    static const struct { const char *unit; int power; double high; } kinds[] = {
        { "op/s", 0, 1e16 }, { "B/s", 0, 1e13 }, { "s", 9, 1e10 },
    };
    const het__yaml_node *figures = het__yaml_get(r->root, "figures"), *node;
    double value[3] = { 0 };
    uint32_t source = 0;
    het_status s = figures ? het__yaml_keys(r->what, figures, keys, r->err) : HET_OK;
    for (uint32_t i = 0; figures && i < 3 && s == HET_OK; i++)
        if ((node = het__yaml_get(figures, keys[i])))
            s = het__yaml_quantity(r->what, node, kinds[i].unit, kinds[i].power, 0, kinds[i].high,
                                   &value[i], r->err);
    if (figures && s == HET_OK && (node = het__yaml_get(figures, "source")))
        s = het__yaml_choice(r->what, node, sources, &source, r->err);
    r->design->ops_per_s = value[0];
    r->design->bytes_per_s = value[1];
    r->design->launch_ns = value[2];
    r->design->is_measured = source == 1;
    return s;
}

het_status het__npu_manifest_read(const char *text, size_t size, const char *folder,
                                  het__arena *arena, het__npu_design *design, het_error *err)
{
    static const char *const keys[] = { "name", "devices", "columns", "xclbin", "kernel",
                                        "types", "tile", "inner", "layout", "instructions",
                                        "figures", NULL };
    memset(design, 0, sizeof *design);
    const size_t length = strlen(folder);
    const char *what = het__arena_printf(arena, "%s/%s", folder, HET__NPU_MANIFEST);
    if (!what)
        return het__fail_nomem(err, "a manifest");
    if (length >= sizeof design->folder)
        return het__fail(err, HET_E_INVALID, "the path of a design package is too long");
    memcpy(design->folder, folder, length + 1);
    reader r = { .what = what, .design = design, .err = err };
    int64_t columns = 0;
    het_status s = het__yaml_parse(text, size, what, arena, &r.root, err);
    if (s == HET_OK)
        s = het__yaml_keys(what, r.root, keys, err);
    if (s == HET_OK)
        s = need_text(&r, "name", design->name, sizeof design->name);
    if (s == HET_OK)
        s = need_text(&r, "xclbin", design->xclbin, sizeof design->xclbin);
    if (s == HET_OK && strchr(design->xclbin, '/'))
        s = het__yaml_fail(what, het__yaml_get(r.root, "xclbin"), err,
                           "the xclbin is a file of the package, without a path");
    if (s == HET_OK)
        s = need_text(&r, "kernel", design->kernel, sizeof design->kernel);
    if (s == HET_OK)
        s = read_devices(&r);
    if (s == HET_OK)
        s = number(&r, r.root, "columns", 1, 8, &columns);
    design->columns = (uint32_t)columns;
    if (s == HET_OK)
        s = read_types(&r);
    if (s == HET_OK)
        s = read_tile(&r);
    if (s == HET_OK)
        s = read_layout(&r);
    if (s == HET_OK)
        s = read_instructions(&r);
    return s == HET_OK ? read_figures(&r) : s;
}

/* ---- finding ---- */

static het_status read_package(const char *folder, het__mem *mem, het__npu_design *design,
                               het_error *err)
{
    het__file file;
    het__arena arena;
    het_status s = het__file_open_below(folder, HET__NPU_MANIFEST, &file, err);
    if (s != HET_OK)
        return s;
    het__arena_init(&arena, mem);
    char *text =
        file.bytes <= MANIFEST_MAX ? het__arena_alloc(&arena, (size_t)file.bytes + 1) : NULL;
    if (file.bytes > MANIFEST_MAX)
        s = het__fail(err, HET_E_FORMAT, "%s/%s: larger than %d bytes", folder, HET__NPU_MANIFEST,
                      MANIFEST_MAX);
    else if (!text)
        s = het__fail_nomem(err, "a manifest");
    else if (!het__file_read(&file, 0, text, (size_t)file.bytes))
        s = het__fail(err, HET_E_IO, "%s/%s cannot be read", folder, HET__NPU_MANIFEST);
    else
        s = het__npu_manifest_read(text, (size_t)file.bytes, folder, &arena, design, err);
    het__arena_finish(&arena);
    het__file_close(&file);
    return s;
}

typedef struct search {
    het__mem *mem;
    het__npu_designs *designs;
    char folder[HET__NPU_PATH_MAX]; /* that is looked into */
} search;

static void refuse(het__npu_designs *designs, const char *reason)
{
    if (designs->refused++ == 0)
        snprintf(designs->reason, sizeof designs->reason, "%s", reason);
}

/* A folder with a manifest is a package. */
static bool try_package(search *s, const char *folder)
{
    char path[HET__NPU_PATH_MAX + 32];
    het_error err = HET_ERROR_INIT;
    snprintf(path, sizeof path, "%s/%s", folder, HET__NPU_MANIFEST);
    if (!het__path_exists(path))
        return false;
    if (s->designs->count == HET__NPU_DESIGNS_MAX) {
        refuse(s->designs, "there are more packages than are looked at");
        return true;
    }
    het__npu_design *d = &s->designs->design[s->designs->count];
    if (read_package(folder, s->mem, d, &err) == HET_OK)
        s->designs->count++;
    else
        refuse(s->designs, err.message);
    return true;
}

/* Every folder in the one that is looked into. */
static void try_entries(search *s)
{
    char names[ENTRIES_MAX][HET__SYS_NAME];
    const uint32_t count = het__sys_list(s->folder, "", names, ENTRIES_MAX, ".");
    for (uint32_t i = 0; i < count; i++) {
        char path[HET__NPU_PATH_MAX];
        const int n = snprintf(path, sizeof path, "%s/%s", s->folder, names[i]);
        if (n > 0 && (size_t)n < sizeof path)
            try_package(s, path);
    }
}

static void try_list(search *s, const char *list)
{
    while (*list) {
        const size_t n = strcspn(list, ":");
        if (n > 0 && n < sizeof s->folder) {
            memcpy(s->folder, list, n);
            s->folder[n] = 0;
            if (!try_package(s, s->folder))
                try_entries(s);
        }
        list += n + (list[n] == ':');
    }
}

void het__npu_find_designs(het__mem *mem, bool use_env, het__npu_designs *designs)
{
    search s = { .mem = mem, .designs = designs };
    char own[HET__NPU_PATH_MAX] = "";
    memset(designs, 0, sizeof *designs);
    const char *list = use_env ? het__env("HETINFER_NPU_DESIGNS") : NULL;
    if (list) {
        try_list(&s, list);
        return;
    }
    const char *data = use_env ? het__env("XDG_DATA_HOME") : NULL;
    const char *home = use_env ? het__env("HOME") : NULL;
    if (data && data[0] == '/')
        snprintf(own, sizeof own, "%s/hetinfer/npu", data);
    else if (home && home[0] == '/')
        snprintf(own, sizeof own, "%s/.local/share/hetinfer/npu", home);
    try_list(&s, own);
    try_list(&s, SYSTEM_FOLDERS);
}

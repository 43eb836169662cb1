/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a machine file as it stands, and the same bytes as any YAML document.
 *
 * Properties: memory is bounded by the input's size; a refusal carries a message that can be shown,
 * names the line, and leaves nothing behind; a tree holds together: lines within the text, keys in
 * mappings only and unique; a machine is within its limits, its figures finite and in bounds;
 * writing what was read, reading that and writing it again gives the same text; reading twice gives
 * the same; when an allocation fails, the answer is out of memory or what it was before; nothing
 * leaks. */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/yaml.h"
#include "lib/machine/figures.h"
#include "lib/machine/machine_file.h"

#define NAME "m.yaml"

typedef struct result {
    fuzz_memory memory;
    het__mem mem;
    het__arena arena;
    het__machine machine;
    char *text; /* as it is written; NULL if it was refused */
    het_error err;
    het_status status;
} result;

static void start(result *r, const void *data, size_t size, uint64_t until)
{
    memset(r, 0, sizeof *r);
    fuzz_mem_init(&r->mem, &r->memory, until);
    het__arena_init(&r->arena, &r->mem);
    r->err = (het_error)HET_ERROR_INIT;
    r->status = het__machine_read(data, size, NAME, &r->arena, &r->machine, &r->err);
    if (r->status == HET_OK) {
        het__text text;
        het__text_init(&text, &r->mem);
        het__machine_put(&text, &r->machine);
        r->text = het__text_take(&text);
        if (!r->text)
            r->status = het__fail_nomem(&r->err, NAME);
    }
}

static void finish(result *r)
{
    het__free(&r->mem, r->text);
    het__arena_finish(&r->arena);
    FUZZ_REQUIRE(r->memory.live == 0 && r->memory.used == 0);
}

static void check_message(const het_error *err, het_status status, const char *name)
{
    FUZZ_REQUIRE(err->status == (int32_t)status && err->message[0]);
    for (const char *at = err->message; *at; at += het__yaml_shown(at))
        FUZZ_REQUIRE(het__yaml_shown(at) > 0);
    if (status != HET_E_NOMEM)
        FUZZ_REQUIRE(strncmp(err->message, name, strlen(name)) == 0);
}

/* ---- trees ---- */

static void check_node(const het__yaml_node *node, bool is_mapped, uint32_t lines, uint32_t depth)
{
    FUZZ_REQUIRE(depth <= HET__YAML_DEPTH_MAX && node->line >= 1 && node->line <= lines);
    FUZZ_REQUIRE((node->key != NULL) == is_mapped);
    FUZZ_REQUIRE((node->text != NULL) == (node->kind == HET__YAML_SCALAR));
    for (uint32_t i = 0; i < node->count; i++) {
        check_node(&node->children[i], node->kind == HET__YAML_MAPPING, lines, depth + 1);
        if (node->kind == HET__YAML_MAPPING && i < 64)
            FUZZ_REQUIRE(het__yaml_get(node, node->children[i].key) == &node->children[i]);
    }
}

static void check_tree(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    het__mem mem;
    het__arena arena;
    het_error err = HET_ERROR_INIT;
    const het__yaml_node *root = NULL;
    uint32_t lines = 2; /* the last has no line feed, and an end may be one line further */
    for (size_t i = 0; i < size; i++) /* every kind of line break that YAML knows */
        lines += data[i] == '\n' || data[i] == '\r' || data[i] == 0x85 || data[i] >= 0xa8;
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    het__arena_init(&arena, &mem);
    const het_status s = het__yaml_parse((const char *)data, size, NAME, &arena, &root, &err);
    if (s == HET_OK) {
        check_node(root, false, lines, 0);
    } else {
        FUZZ_REQUIRE(s == HET_E_FORMAT || s == HET_E_NOMEM);
        check_message(&err, s, NAME ":");
    }
    FUZZ_REQUIRE(atomic_load(&mem.peak) <= ((size_t)1 << 20) + 1024 * size);
    het__arena_finish(&arena);
    FUZZ_REQUIRE(memory.live == 0 && memory.used == 0);
}

/* ---- machines ---- */

static void check_figure(const het__figure *f, const het__figure_info *info)
{
    FUZZ_REQUIRE(isfinite(f->value) && f->source <= HET_SOURCE_ASSUMED);
    FUZZ_REQUIRE((f->value == 0) == (f->source == HET_SOURCE_UNAVAILABLE));
    FUZZ_REQUIRE(f->value == 0 || (f->value >= info->low && f->value <= info->high));
    FUZZ_REQUIRE(!info->is_whole || f->value == floor(f->value));
}

static void check_machine(const het__machine *m)
{
    FUZZ_REQUIRE(m->device_count >= 1 && m->device_count <= HET__MACHINE_DEVICES_MAX);
    FUZZ_REQUIRE(m->group_count >= 1 && m->group_count <= HET__MACHINE_GROUPS_MAX);
    FUZZ_REQUIRE(m->link_count <= HET__MACHINE_LINKS_MAX && m->name[0]);
    for (uint32_t i = 0; i < m->device_count; i++) {
        FUZZ_REQUIRE(m->device[i].group < m->group_count && m->device[i].name[0]);
        FUZZ_REQUIRE(m->device[i].context_index == UINT32_MAX);
        for (uint32_t k = 0; k < HET__FIGURE_COUNT; k++)
            check_figure(het__machine_figure(m, i, k), &het__figure_infos[k]);
        for (uint32_t k = 0; k < i; k++)
            FUZZ_REQUIRE(strcmp(m->device[i].name, m->device[k].name) != 0);
    }
    for (uint32_t i = 0; i < m->link_count; i++) {
        const het__machine_link *link = &m->link[i];
        FUZZ_REQUIRE(link->from < m->device_count && link->to < m->device_count);
        FUZZ_REQUIRE(het__machine_find_link(m, link->from, link->to) == link);
        check_figure(&link->latency, &het__latency_info);
        FUZZ_REQUIRE(isfinite(het__machine_transfer_ns(m, link->from, link->to, 1e12)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result first, second;
    check_tree(data, size);
    start(&first, data, size, UINT64_MAX);
    FUZZ_REQUIRE(atomic_load(&first.mem.peak) <= ((size_t)1 << 20) + 1024 * size);
    FUZZ_REQUIRE((first.status == HET_OK) == (first.text != NULL));
    start(&second, data, size, UINT64_MAX);
    FUZZ_REQUIRE(first.status == second.status);
    FUZZ_REQUIRE(strcmp(first.err.message, second.err.message) == 0);
    finish(&second);

    start(&second, data, size, fuzz_seed(data, size) % 64);
    FUZZ_REQUIRE(second.status == HET_E_NOMEM || second.status == first.status);
    if (second.status != HET_OK)
        check_message(&second.err, second.status, NAME);
    finish(&second);

    if (first.status == HET_OK) {
        check_machine(&first.machine);
        start(&second, first.text, strlen(first.text), UINT64_MAX);
        FUZZ_REQUIRE(second.status == HET_OK && strcmp(first.text, second.text) == 0);
        finish(&second);
    } else {
        FUZZ_REQUIRE(first.status == HET_E_FORMAT || first.status == HET_E_INVALID ||
                     first.status == HET_E_VERSION || first.status == HET_E_NOMEM);
        check_message(&first.err, first.status, NAME ":");
    }
    finish(&first);
    return 0;
}

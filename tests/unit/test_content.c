/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of a model's weights, and memos of it. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <sys/stat.h>

#include "folder.h"
#include "gguf_writer.h"
#include "lib/import/content.h"
#include "test.h"

static test_folder folder;
static het__mem mem;
static int pieces;

static int count_pieces(void *user, double fraction, const char *what)
{
    (void)user;
    CHECK_NEAR(fraction, 0, 0);
    CHECK_STR(what, "contents");
    pieces++;
    return 0;
}

typedef struct file_spec {
    const char *name;
    uint64_t extent;
    uint32_t type;
    float first;
} file_spec;

static het__hash128 id_of(const file_spec *spec, const char *architecture)
{
    float values[64] = { spec->first, 2, 3 };
    het__hash128 id = { { 0 } };
    het_error err = HET_ERROR_INIT;
    het__arena arena;
    het__gguf gguf;
    size_t bytes;
    gw *g = gw_begin(3);
    gw_string(g, "general.architecture", architecture);
    gw_tensor(g, "a", GW_F32, 1, (uint64_t[]){ 16 }, values, 64);
    gw_tensor(g, spec->name, spec->type, 2, (uint64_t[]){ spec->extent, 32 / spec->extent },
              values, spec->type == GW_F32 ? 128 : 64);
    void *file = gw_finish(g, &bytes);
    void *aligned = aligned_alloc(64, (bytes + 63) / 64 * 64);
    memcpy(aligned, file, bytes);
    het__arena_init(&arena, &mem);
    CHECK_INT(het__gguf_open(&gguf, &arena, aligned, bytes, &err), HET_OK);
    const het__content_request request = { .gguf = &gguf, .mem = &mem };
    CHECK_INT(het__content_id(&request, &id, &err), HET_OK);
    het__arena_finish(&arena);
    free(aligned);
    free(file);
    return id;
}

static bool same(het__hash128 a, het__hash128 b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Every part of a description counts; what is no weight does not. */
static void identity(void)
{
    const file_spec base = { "b", 16, GW_F32, 1 };
    const file_spec others[] = {
        { "c", 16, GW_F32, 1 }, { "b", 8, GW_F32, 1 }, { "b", 16, GW_F16, 1 },
        { "b", 16, GW_BF16, 1 }, { "b", 16, GW_F32, 1.0000001f },
    };
    const het__hash128 id = id_of(&base, "llama");
    CHECK(same(id, id_of(&base, "llama")));
    CHECK(same(id, id_of(&base, "qwen2")));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const het__hash128 other = id_of(&others[i], "llama");
        CHECK(!same(id, other));
        for (size_t k = 0; k < i; k++)
            CHECK(!same(other, id_of(&others[k], "llama")));
    }
}

static const het__file_state calm = { .device = 5, .inode = 77, .bytes = 1000,
                                      .modified_ns = 100000000000, .changed_ns = 101000000000,
                                      .seen_ns = 104000000000 };

static het__content_request request_for(const het__file_state *state)
{
    return (het__content_request){ .file = state, .folder = folder.path, .mem = &mem };
}

static void memos(void)
{
    const het__hash128 id = { { 1, 2, 3 } };
    het__hash128 found = { { 0 } };
    het__content_request r = request_for(&calm);
    CHECK(!het__content_recall(&r, &found));
    het__content_remember(&r, &id);
    CHECK_INT(test_folder_count(&folder, ".memo", NULL), 1);
    CHECK(het__content_recall(&r, &found) && same(found, id));
    het__file_state changed[6] = { calm, calm, calm, calm, calm, calm };
    changed[0].device++;
    changed[1].inode++;
    changed[2].bytes++;
    changed[3].modified_ns++;
    changed[4].changed_ns--;
    changed[5].seen_ns++; /* asked again later: still the same file */
    for (int i = 0; i < 6; i++) {
        r.file = &changed[i];
        CHECK_INT(het__content_recall(&r, &found), i == 5);
    }
    /* A newer state takes the place of the old one. */
    r.file = &changed[3];
    het__content_remember(&r, &id);
    CHECK_INT(test_folder_count(&folder, "", NULL), 1);
    CHECK(het__content_recall(&r, &found));
    r.file = &calm;
    CHECK(!het__content_recall(&r, &found));
}

/* A file that changed just before it was seen may change again without a trace. */
static void racy(void)
{
    const het__hash128 id = { { 1 } };
    het__hash128 found;
    het__file_state young = calm;
    het__content_request r = request_for(&young);
    young.seen_ns = young.changed_ns + 1999999999;
    het__content_remember(&r, &id);
    young = calm;
    young.modified_ns = young.seen_ns + 5; /* a clock that is ahead */
    het__content_remember(&r, &id);
    CHECK(!het__content_recall(&r, &found));
    CHECK_INT(test_folder_count(&folder, "", NULL), 0);
}

static void damaged_memos(void)
{
    const het__hash128 id = { { 9 } };
    het__hash128 found;
    char name[256] = "", path[512];
    size_t bytes = 0;
    const het__content_request r = request_for(&calm);
    het__content_remember(&r, &id);
    CHECK_INT(test_folder_count(&folder, ".memo", name), 1);
    strcpy(path, test_folder_file(&folder, name));
    uint8_t *data = test_read_file(path, &bytes);
    CHECK_INT(bytes, 80);
    for (size_t i = 0; data && i < bytes; i++) {
        data[i] ^= 4;
        test_file_write(path, data, bytes);
        if (het__content_recall(&r, &found))
            TEST_FAIL("byte %d does not matter", (int)i);
        data[i] ^= 4;
    }
    test_file_write(path, data, bytes - 1);
    CHECK(!het__content_recall(&r, &found));
    test_file_write(path, "", 0);
    CHECK(!het__content_recall(&r, &found));
    CHECK_INT(remove(path), 0);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK(!het__content_recall(&r, &found));
    het__content_remember(&r, &id); /* cannot, and leaves nothing */
    CHECK_INT(test_folder_count(&folder, ".tmp", NULL), 0);
    free(data);
}

/* A file that nobody has touched for long is read once. */
static void old_file(void)
{
    char path[512];
    het__mapping mapping;
    het__arena arena;
    het__gguf gguf;
    het_error err = HET_ERROR_INIT;
    test_source_path(path, sizeof path, "examples/models/hearth-draft.gguf");
    if (het__map_file(path, &mapping, &err) != HET_OK) {
        printf("no model in the source tree\n");
        return;
    }
    het__arena_init(&arena, &mem);
    CHECK_INT(het__gguf_open(&gguf, &arena, mapping.data, mapping.bytes, &err), HET_OK);
    mapping.state.seen_ns += INT64_C(10000000000); /* a checkout may be seconds old */
    het__content_request r = request_for(&mapping.state);
    het__hash128 first, second, whole;
    r.gguf = &gguf;
    r.progress = count_pieces;
    pieces = 0;
    CHECK_INT(het__content_id(&r, &first, &err), HET_OK);
    CHECK(pieces > 0);
    pieces = 0;
    CHECK_INT(het__content_id(&r, &second, &err), HET_OK);
    CHECK_INT(pieces, 0);
    r.file = NULL;
    CHECK_INT(het__content_id(&r, &whole, &err), HET_OK);
    CHECK(same(first, second) && same(first, whole));
    het__arena_finish(&arena);
    het__unmap_file(&mapping);
}

int main(void)
{
    void (*const cases[])(void) = { identity, memos, racy, damaged_memos, old_file };
    het__mem_init(&mem, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_folder_make(&folder);
        cases[i]();
        test_folder_remove(&folder);
    }
    CHECK_INT(mem.bytes, 0);
    return test_finish();
}

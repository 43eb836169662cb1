/* SPDX-License-Identifier: Apache-2.0 */
/* Packages: the same bytes come back, whatever was packed and by how many threads; a package is the
 * model that it holds, to the bit; every part of it that is corrupt is refused, and what lies about
 * itself under right hashes as well; nothing is left behind by a failure. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <hetinfer.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include "counting_allocator.h"
#include "lib/base/compress.h"
#include "lib/base/hash.h"
#include "lib/import/package_parts.h"
#include "tiny_folder.h"

#define LENGTH 20

static counting_allocator counter;
static het_context *context;
static test_folder folder; /* of packages and what comes out of them */
static test_folder source; /* of a model, or empty */

static const char *in(const char *name)
{
    return test_folder_file(&folder, name);
}

/* ---- what tests share ---- */

static void tiny_gguf(const char *name, uint32_t type)
{
    tiny_options o = TINY_LLAMA;
    tiny_model m;
    o.type = type;
    o.words = true;
    o.vocabulary = 300;
    tiny_make(&m, &o);
    test_file_write(in(name), m.file, m.bytes);
    tiny_free(&m);
}

static het_status pack(const char *from, const char *to, het_package_info *info, het_error *err)
{
    het_package_options o = HET_PACKAGE_OPTIONS_INIT;
    o.threads = 2;
    return het_package_write(context, from, to, &o, info, err);
}

/* With frames of 4 KiB, so that small tensors have several. */
static bool pack_small(const char *from, const char *to, uint32_t threads)
{
    het__mem mem;
    het_error err = HET_ERROR_INIT;
    het_package_info info;
    het__mem_init(&mem, NULL);
    const het__package_request q = { .mem = &mem, .source = from, .target = to, .level = 3,
                                     .block_bytes = HET__PACKAGE_BLOCK_MIN, .threads = threads };
    if (het__package_write(&q, &info, &err) == HET_OK)
        return true;
    TEST_FAIL("%s: %s", from, err.message);
    return false;
}

static bool same_files(const char *a, const char *b)
{
    size_t n = 0, m = 1;
    void *x = test_read_file(a, &n), *y = test_read_file(b, &m);
    const bool same = x && y && n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

static het_model *load(const char *path, uint64_t flags)
{
    het_error err = HET_ERROR_INIT;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_model *m = NULL;
    o.flags = flags;
    if (het_model_load(context, path, &o, &m, &err) != HET_OK)
        TEST_FAIL("%s: %s", path, err.message);
    return m;
}

static void logits_of(const het_model *m, float *out, size_t count)
{
    int32_t ids[LENGTH];
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    het_sequence *q = NULL;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.devices = "ref";
    o.threads = 1;
    o.context_max = 64;
    for (int i = 0; i < LENGTH; i++)
        ids[i] = (7 * i + 3) % 100;
    if (!m || het_session_create(m, &o, &s, &err) != HET_OK) {
        TEST_FAIL("session: %s", err.message);
        return;
    }
    CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
    CHECK_INT(het_sequence_append(q, ids, LENGTH, 0, NULL), HET_OK);
    while (het_sequence_pending(q) > 0)
        CHECK_INT(het_session_step(s, NULL, NULL), HET_OK);
    const float *logits = het_sequence_logits(q, NULL, NULL);
    CHECK(logits != NULL);
    if (logits)
        memcpy(out, logits, count * sizeof *out);
    het_sequence_destroy(q);
    het_session_destroy(s);
}

static void same_descriptions(const het_model *a, const het_model *b)
{
    het_model_info x = { .struct_size = sizeof x }, y = { .struct_size = sizeof y };
    CHECK(a && b && het_model_get_info(a, &x) == HET_OK && het_model_get_info(b, &y) == HET_OK);
    CHECK(memcmp(&x, &y, sizeof x) == 0);
    CHECK_INT(het_model_metadata_count(a), het_model_metadata_count(b));
    CHECK_INT(het_model_weight_count(a), het_model_weight_count(b));
    for (size_t i = 0; i < het_model_weight_count(a); i++) {
        het_weight v = { .struct_size = sizeof v }, w = { .struct_size = sizeof w };
        CHECK_INT(het_model_weight_at(a, i, &v), HET_OK);
        CHECK_INT(het_model_weight_at(b, i, &w), HET_OK);
        CHECK_STR(v.name, w.name);
        CHECK(v.size_bytes == w.size_bytes && v.desc.dtype == w.desc.dtype);
    }
}

/* ---- planes ---- */

static void planes_come_back(void)
{
    static const uint32_t widths[] = { 1, 2, 4 };
    uint64_t seed = 5;
    for (size_t i = 0; i < 3; i++) {
        uint8_t bytes[404], planes[404], back[404];
        const uint8_t *at[HET__PACKAGE_PLANES];
        const uint32_t w = widths[i];
        for (size_t k = 0; k < sizeof bytes; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            bytes[k] = (uint8_t)(seed >> 56);
        }
        het__planes_split(w, bytes, sizeof bytes, planes);
        for (uint32_t k = 0; k < w; k++)
            at[k] = planes + k * sizeof bytes / w;
        het__planes_join(w, at, back, sizeof bytes);
        CHECK(memcmp(back, bytes, sizeof bytes) == 0);
    }
    /* 1.0 in BF16 and -1.0 in F32: the exponent, 127, stands in the last plane. */
    uint8_t planes[4];
    het__planes_split(2, (const uint8_t[]){ 0x80, 0x3f }, 2, planes);
    CHECK_INT(planes[0], 0);
    CHECK_INT(planes[1], 127);
    het__planes_split(4, (const uint8_t[]){ 0, 0, 0x80, 0xbf }, 4, planes);
    CHECK_INT(planes[0], 1);
    CHECK_INT(planes[3], 127);
}

/* ---- what comes back ---- */

static void gguf_files_come_back(void)
{
    static const uint32_t types[] = { GW_F32, GW_F16, GW_BF16, GW_Q8_0 };
    for (size_t i = 0; i < 4; i++) {
        float a[300] = { 0 }, b[300] = { 1 };
        het_error err = HET_ERROR_INIT;
        het_package_info info = { .struct_size = sizeof info };
        tiny_gguf("t.gguf", types[i]);
        CHECK_INT(pack(in("t.gguf"), in("t.het"), &info, &err), HET_OK);
        CHECK_INT(info.kind, HET_PACKAGE_GGUF);
        CHECK_INT(info.file_count, 1);
        CHECK(info.tensor_count > 10 && info.frame_count > info.tensor_count);
        CHECK(i == 3 || info.package_bytes < info.content_bytes);
        CHECK_INT(het_package_extract(context, in("t.het"), in("b.gguf"), NULL, NULL, &err),
                  HET_OK);
        CHECK(same_files(in("t.gguf"), in("b.gguf")));
        for (uint64_t flags = 0; flags <= HET_MODEL_TOKENIZER_ONLY; flags++) {
            het_model *m = load(in("t.gguf"), flags), *p = load(in("t.het"), flags);
            same_descriptions(m, p);
            CHECK((het_model_tokenizer(m) != NULL) == (het_model_tokenizer(p) != NULL));
            if (flags == 0) {
                logits_of(m, a, 300);
                logits_of(p, b, 300);
                CHECK(memcmp(a, b, sizeof a) == 0);
            }
            het_model_destroy(m);
            het_model_destroy(p);
        }
        test_folder_empty(&folder);
    }
}

static void trained_weights_become_smaller(void)
{
    char path[512];
    het_package_info info = { .struct_size = sizeof info };
    CHECK_INT(pack(test_source_path(path, sizeof path, "examples/models/hearth.gguf"),
                   in("h.het"), &info, NULL), HET_OK);
    printf("examples/models/hearth.gguf: %llu bytes as %llu, %.1f %%\n",
           (unsigned long long)info.content_bytes, (unsigned long long)info.package_bytes,
           100 * (double)info.package_bytes / (double)info.content_bytes);
    CHECK(info.package_bytes < info.content_bytes * 7 / 10);
    CHECK_INT(het_package_check(context, in("h.het"), NULL, NULL, NULL), HET_OK);
    test_folder_empty(&folder);
}

static void make_source(int shards)
{
    tiny_options o = TINY_LLAMA;
    tiny_model tiny;
    o.architecture = "qwen3";
    tiny_make(&tiny, &o);
    tiny_folder_write(&source, &tiny, shards);
    tiny_free(&tiny);
    sw_file(test_folder_file(&source, "nothing.txt"), "", 0);
    sw_file(test_folder_file(&source, ".hidden"), "h", 1);
}

static void folders_come_back(void)
{
    for (int shards = 1; shards <= 3; shards += 2) {
        float a[120] = { 0 }, b[120] = { 1 };
        het_error err = HET_ERROR_INIT;
        het_package_info info = { .struct_size = sizeof info };
        char inner[512], name[256];
        test_folder out;
        make_source(shards);
        snprintf(inner, sizeof inner, "%s/more", source.path);
        CHECK(mkdir(inner, 0777) == 0);
        snprintf(inner, sizeof inner, "%s/more/text", source.path);
        sw_file(inner, "text", 4);
        CHECK_INT(pack(source.path, in("f.het"), &info, &err), HET_OK);
        CHECK_INT(info.kind, HET_PACKAGE_FOLDER);
        CHECK_INT(info.file_count, 4 + shards + (shards > 1));
        snprintf(out.path, sizeof out.path, "%.250s/f", folder.path);
        CHECK_INT(het_package_extract(context, in("f.het"), out.path, NULL, NULL, &err), HET_OK);
        CHECK_INT(test_folder_count(&folder, "", NULL), 2);
        CHECK_INT(test_folder_count(&out, "", NULL), test_folder_count(&source, "", NULL));
        CHECK(same_files(inner, test_folder_file(&out, "more/text")));
        CHECK_INT(remove(test_folder_file(&out, "more/text")), 0);
        /* A folder is not written over. */
        CHECK_INT(het_package_extract(context, in("f.het"), out.path, NULL, NULL, &err), HET_E_IO);
        CHECK(strstr(err.message, "is there already"));
        for (uint64_t flags = 0; flags <= HET_MODEL_TOKENIZER_ONLY; flags++) {
            het_model *m = load(source.path, flags), *p = load(in("f.het"), flags);
            same_descriptions(m, p);
            if (flags == 0) {
                logits_of(m, a, 120);
                logits_of(p, b, 120);
                CHECK(memcmp(a, b, sizeof a) == 0);
            }
            het_model_destroy(m);
            het_model_destroy(p);
        }
        remove(inner);
        while (test_folder_count(&out, "", name) > 0) {
            const char *const x = test_folder_file(&source, name);
            CHECK(strcmp(name, "more") == 0 || same_files(x, test_folder_file(&out, name)));
            CHECK_INT(remove(test_folder_file(&out, name)), 0);
        }
        rmdir(out.path);
        test_folder_empty(&source);
        test_folder_empty(&folder);
    }
}

/* From memory there is no file of which a hash could be remembered, but the model is the same. */
static void packages_in_memory(void)
{
    float a[300] = { 0 }, b[300] = { 1 };
    size_t bytes = 0;
    het_model *m = NULL;
    tiny_gguf("t.gguf", GW_BF16);
    CHECK_INT(pack(in("t.gguf"), in("t.het"), NULL, NULL), HET_OK);
    void *data = test_read_file(in("t.het"), &bytes);
    CHECK_INT(het_model_load_memory(context, data, bytes, NULL, &m, NULL), HET_OK);
    free(data); /* not needed any more */
    het_model *plain = load(in("t.gguf"), 0);
    logits_of(m, a, 300);
    logits_of(plain, b, 300);
    CHECK(memcmp(a, b, sizeof a) == 0);
    het_model_destroy(m);
    het_model_destroy(plain);
    test_folder_empty(&folder);
}

/* What has the weights can be quantised, and gives the same file. */
static void packages_are_quantised(void)
{
    het_error err = HET_ERROR_INIT;
    tiny_gguf("t.gguf", GW_BF16);
    CHECK_INT(pack(in("t.gguf"), in("t.het"), NULL, NULL), HET_OK);
    het_model *plain = load(in("t.gguf"), HET_MODEL_INSPECT_ONLY), *whole = load(in("t.het"), 0);
    het_model *head = load(in("t.het"), HET_MODEL_INSPECT_ONLY);
    if (plain && whole && head) {
        CHECK_INT(het_quantize(plain, NULL, in("a.gguf"), NULL, &err), HET_OK);
        CHECK_INT(het_quantize(whole, NULL, in("b.gguf"), NULL, &err), HET_OK);
        CHECK(same_files(in("a.gguf"), in("b.gguf")));
        CHECK_INT(het_quantize(head, NULL, in("c.gguf"), NULL, &err), HET_E_UNSUPPORTED);
        CHECK(strstr(err.message, "INSPECT_ONLY"));
    }
    het_model_destroy(plain);
    het_model_destroy(whole);
    het_model_destroy(head);
    test_folder_empty(&folder);
}

static void threads_change_nothing(void)
{
    tiny_gguf("t.gguf", GW_F32);
    if (pack_small(in("t.gguf"), in("1.het"), 1) && pack_small(in("t.gguf"), in("7.het"), 7))
        CHECK(same_files(in("1.het"), in("7.het")));
    for (uint32_t threads = 1; threads < 8; threads += 3) {
        het_package_options o = HET_PACKAGE_OPTIONS_INIT;
        o.threads = threads;
        CHECK_INT(het_package_extract(context, in("1.het"), in("b.gguf"), &o, NULL, NULL), HET_OK);
        CHECK(same_files(in("t.gguf"), in("b.gguf")));
    }
    test_folder_empty(&folder);
}

/* ---- one by one ---- */

typedef struct opened {
    uint8_t *data;
    size_t bytes;
    het__mem mem;
    het__arena arena;
    het__package package;
    het_error err;
    het_status status;
} opened;

static void open_bytes(opened *o, uint8_t *data, size_t bytes)
{
    *o = (opened){ .data = data, .bytes = bytes };
    o->err = (het_error)HET_ERROR_INIT;
    het__mem_init(&o->mem, NULL);
    het__arena_init(&o->arena, &o->mem);
    o->status = het__package_open(&o->package, &o->arena, data, bytes, &o->err);
}

static het_status unpack_all(opened *o, uint8_t *target)
{
    const het__package_job job = { .package = &o->package, .target = target, .threads = 1,
                                   .end_frame = o->package.frame_count };
    return het__package_unpack(&job, &o->mem, &o->err);
}

static void close_opened(opened *o)
{
    het__arena_finish(&o->arena);
}

static void one_tensor_of_many(void)
{
    opened o;
    size_t bytes = 0;
    tiny_gguf("t.gguf", GW_BF16);
    if (!pack_small(in("t.gguf"), in("t.het"), 2))
        return;
    uint8_t *data = test_read_file(in("t.het"), &bytes);
    open_bytes(&o, data, bytes);
    CHECK_INT(o.status, HET_OK);
    const het__package_file *f = het__package_find(&o.package, "t.gguf");
    CHECK(f && !het__package_find(&o.package, "u.gguf"));
    const het__package_segment *s = het__package_tensor(&o.package, f, "blk.1.ffn_up.weight");
    CHECK(s && !het__package_tensor(&o.package, f, "blk.9.ffn_up.weight"));
    CHECK(!het__package_tensor(&o.package, f, ""));
    if (s) {
        size_t whole_bytes = 0;
        uint8_t *whole = test_read_file(in("t.gguf"), &whole_bytes);
        uint8_t *one = malloc((size_t)s->bytes);
        het__package_job job = { .package = &o.package, .target = one, .threads = 1 };
        het__package_choose(&job, (uint32_t)(s - o.package.segments), 1);
        CHECK(job.end_frame - job.first_frame >= 3);
        CHECK_INT(het__package_job_bytes(&job), s->bytes);
        /* All others may be corrupt. */
        for (uint64_t i = 0; i < o.package.frame_count; i++)
            if (i < job.first_frame || i >= job.end_frame)
                data[o.package.starts[i]] ^= 1;
        CHECK_INT(het__package_unpack(&job, &o.mem, &o.err), HET_OK);
        CHECK(memcmp(one, whole + s->content, (size_t)s->bytes) == 0);
        free(one);
        free(whole);
    }
    close_opened(&o);
    free(data);
    test_folder_empty(&folder);
}

/* ---- corruption ---- */

static void seal(uint8_t *data, size_t bytes)
{
    const uint64_t index = HET__PACKAGE_HEADER_BYTES +
                           (uint64_t)(data[20] | data[21] << 8) * HET__PACKAGE_FILE_BYTES +
                           (uint64_t)(data[24] | data[25] << 8) * HET__PACKAGE_SEGMENT_BYTES +
                           (uint64_t)(data[32] | data[33] << 8) * HET__PACKAGE_FRAME_BYTES +
                           (uint64_t)(data[40] | data[41] << 8);
    if (index <= bytes) {
        const het__hash128 h = het__hash128_of(data + HET__PACKAGE_HEADER_BYTES,
                                               (size_t)index - HET__PACKAGE_HEADER_BYTES);
        memcpy(data + HET__PACKAGE_AT_INDEX_HASH, h.byte, sizeof h.byte);
    }
    const uint64_t hash = het__hash64(data, HET__PACKAGE_AT_HASH, 0);
    for (int i = 0; i < 8; i++)
        data[HET__PACKAGE_AT_HASH + i] = (uint8_t)(hash >> 8 * i);
}

/* Every byte of the file, flipped: refused, or (in a frame of zstd, some bits of which mean
 * nothing) the same contents. */
static void every_byte_counts(void)
{
    opened o;
    size_t bytes = 0, tried = 0, harmless = 0;
    tiny_gguf("t.gguf", GW_BF16);
    if (!pack_small(in("t.gguf"), in("t.het"), 1))
        return;
    uint8_t *data = test_read_file(in("t.het"), &bytes);
    open_bytes(&o, data, bytes);
    const size_t content = (size_t)o.package.content_bytes;
    const size_t index_end = (size_t)o.package.starts[0];
    uint8_t *want = malloc(content), *got = malloc(content);
    CHECK_INT(unpack_all(&o, want), HET_OK);
    close_opened(&o);
    for (size_t i = 0; i < bytes; i += i < index_end ? 1 : 211, tried++) {
        data[i] ^= (uint8_t)(1u << i % 8);
        open_bytes(&o, data, bytes);
        const bool opens = o.status == HET_OK;
        if (opens && unpack_all(&o, got) == HET_OK) {
            harmless++;
            CHECK(i >= index_end && memcmp(got, want, content) == 0);
        } else if (opens) {
            CHECK(i >= index_end && strstr(o.err.message, "is corrupt"));
            CHECK(strstr(o.err.message, "tensor ") || strstr(o.err.message, "file t.gguf"));
        } else {
            CHECK(o.status == HET_E_FORMAT || (i >= 8 && i < 12 && o.status == HET_E_VERSION));
            CHECK(o.err.message[0] != '\0');
        }
        close_opened(&o);
        data[i] ^= (uint8_t)(1u << i % 8);
    }
    printf("%zu bytes tried, %zu without meaning\n", tried, harmless);
    CHECK(harmless * 100 < tried);
    free(want);
    free(got);
    free(data);
    test_folder_empty(&folder);
}

static void every_length_is_too_short(void)
{
    opened o;
    size_t bytes = 0;
    tiny_gguf("t.gguf", GW_BF16);
    if (!pack_small(in("t.gguf"), in("t.het"), 1))
        return;
    uint8_t *data = test_read_file(in("t.het"), &bytes);
    for (size_t n = 0; n < bytes; n += n < 200 ? 1 : 997) {
        uint8_t *part = malloc(n ? n : 1); /* so that a sanitizer sees its end */
        memcpy(part, data, n);
        open_bytes(&o, part, n);
        CHECK_INT(o.status, HET_E_FORMAT);
        close_opened(&o);
        if (n >= HET__PACKAGE_HEADER_BYTES) { /* the same with a header that agrees */
            for (int i = 0; i < 8; i++)
                part[HET__PACKAGE_AT_BYTES + i] = (uint8_t)((uint64_t)n >> 8 * i);
            seal(part, n);
            open_bytes(&o, part, n);
            CHECK_INT(o.status, HET_E_FORMAT);
            close_opened(&o);
        }
        free(part);
    }
    free(data);
    test_folder_empty(&folder);
}

/* What the header and the index may not say, though their hashes are right. */
static void wrong_indices(void)
{
    size_t bytes = 0;
    tiny_gguf("t.gguf", GW_BF16);
    if (!pack_small(in("t.gguf"), in("t.het"), 1))
        return;
    uint8_t *data = test_read_file(in("t.het"), &bytes), *copy = malloc(bytes);
    const size_t file = HET__PACKAGE_HEADER_BYTES, segment = file + HET__PACKAGE_FILE_BYTES;
    const uint32_t segments = data[24];
    const size_t frame = segment + (size_t)segments * HET__PACKAGE_SEGMENT_BYTES;
    const size_t frames = (size_t)(data[32] | data[33] << 8);
    const size_t names = frame + frames * HET__PACKAGE_FRAME_BYTES;
    const struct {
        size_t at, count;
        uint64_t value;
        const char *says;
    } cases[] = {
        { HET__PACKAGE_AT_VERSION, 4, 0, "field of the header" },
        { HET__PACKAGE_AT_VERSION, 4, 2, "newer" },
        { HET__PACKAGE_AT_ZERO, 4, 1, "field of the header" },
        { HET__PACKAGE_AT_RESERVED, 8, 1, "field of the header" },
        { HET__PACKAGE_AT_KIND, 4, 3, "kind" },
        { HET__PACKAGE_AT_BLOCK, 4, 0, "size of frames" },
        { HET__PACKAGE_AT_BLOCK, 4, 6000, "size of frames" },
        { HET__PACKAGE_AT_BLOCK, 4, UINT32_C(1) << 31, "size of frames" },
        { HET__PACKAGE_AT_BLOCK, 4, 8192, "frames" },
        { HET__PACKAGE_AT_FILES, 4, 2, "number of files" },
        { HET__PACKAGE_AT_FILES, 4, UINT32_MAX, "number of files" },
        { HET__PACKAGE_AT_SEGMENTS, 4, UINT32_MAX, "can hold" },
        { HET__PACKAGE_AT_FRAMES, 8, UINT64_MAX, "can hold" },
        { HET__PACKAGE_AT_FRAMES, 8, UINT64_C(1) << 60, "can hold" },
        { HET__PACKAGE_AT_FRAMES, 8, frames + 1, "" },
        { HET__PACKAGE_AT_FRAMES, 8, frames - 1, "" },
        { HET__PACKAGE_AT_NAMES, 8, UINT64_MAX, "can hold" },
        { HET__PACKAGE_AT_NAMES, 8, 3, "" },
        { HET__PACKAGE_AT_BYTES, 8, UINT64_MAX, "says that it has" },
        { file, 8, 7, "as large as its segments" },
        { file + 8, 4, segments + 1, "more segments than there are" },
        { file + 8, 4, segments - 1, "" },
        { file + 12, 4, 0, "no path" },
        { file + 12, 4, UINT32_MAX, "no path" },
        { segment, 8, 0, "empty" },
        { segment, 8, UINT64_MAX - 1, "fewer frames" },
        { segment, 8, INT64_MAX, "fewer frames" },
        { segment + 8, 4, UINT32_MAX, "no text" },
        { segment + 12, 4, 3, "whole elements" },
        { segment + 12, 4, 0, "whole elements" },
        { frame, 4, 0, "packed size" },
        { frame, 4, UINT32_MAX, "packed size" },
        { frame + 12, 4, 1, "packed size" },
        { names, 1, '/', "no path" },
        { names, 2, '.' | '.' << 8, "" },
        { names, 1, 7, "no path" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        opened o;
        memcpy(copy, data, bytes);
        for (size_t k = 0; k < cases[i].count; k++)
            copy[cases[i].at + k] = (uint8_t)(cases[i].value >> 8 * k);
        seal(copy, bytes);
        open_bytes(&o, copy, bytes);
        /* "..gguf" is a name like others. */
        const bool fine = strcmp(cases[i].says, "") == 0 && cases[i].at == names;
        CHECK_INT(o.status, fine                                   ? HET_OK
                            : strcmp(cases[i].says, "newer") == 0 ? HET_E_VERSION
                                                                   : HET_E_FORMAT);
        if (!strstr(o.err.message, cases[i].says))
            TEST_FAIL("case %zu: \"%s\", want \"%s\"", i, o.err.message, cases[i].says);
        close_opened(&o);
    }
    free(copy);
    free(data);
    test_folder_empty(&folder);
}

static void safe_paths(void)
{
    static const struct { const char *path; bool safe; } cases[] = {
        { "a", true },     { "a/b.c", true }, { "..a", true }, { "", false },   { "/a", false },
        { "a/", false },   { "a//b", false }, { ".", false },  { "..", false }, { "a/..", false },
        { "../a", false }, { "a/./b", false }, { "a\nb", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_INT(het__package_path_is_safe(cases[i].path, strlen(cases[i].path)), cases[i].safe);
}

/* ---- failure ---- */

static void wrong_calls(void)
{
    het_error err = HET_ERROR_INIT;
    het_package_options o = HET_PACKAGE_OPTIONS_INIT;
    tiny_gguf("t.gguf", GW_F16);
    o.level = 20;
    CHECK_INT(het_package_write(context, in("t.gguf"), in("t.het"), &o, NULL, &err),
              HET_E_INVALID);
    o.level = 0;
    o.threads = 5000;
    CHECK_INT(het_package_write(context, in("t.gguf"), in("t.het"), &o, NULL, &err),
              HET_E_INVALID);
    CHECK_INT(het_package_write(context, in("none"), in("t.het"), NULL, NULL, &err), HET_E_IO);
    test_file_write(in("text"), "text", 4);
    CHECK_INT(het_package_write(context, in("text"), in("t.het"), NULL, NULL, &err),
              HET_E_UNSUPPORTED);
    CHECK_INT(het_package_write(context, source.path, in("t.het"), NULL, NULL, &err),
              HET_E_UNSUPPORTED);
    CHECK_INT(het_package_write(context, in("t.gguf"), in("no/t.het"), NULL, NULL, &err),
              HET_E_IO);
    CHECK_INT(het_package_check(context, in("text"), NULL, NULL, &err), HET_E_FORMAT);
    CHECK_INT(het_package_check(context, in("none"), NULL, NULL, &err), HET_E_IO);
    CHECK_INT(test_folder_count(&folder, "", NULL), 2);
    test_folder_empty(&folder);
}

static int stop(void *user, double fraction, const char *what)
{
    (void)what;
    CHECK(fraction >= 0 && fraction <= 1);
    return --*(int *)user == 0;
}

static void failure_leaves_nothing(void)
{
    het_error err = HET_ERROR_INIT;
    struct rlimit old, low;
    int calls = 1;
    tiny_gguf("t.gguf", GW_F16);
    CHECK_INT(pack(in("t.gguf"), in("t.het"), NULL, NULL), HET_OK);
    test_file_write(in("x"), "before", 6);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &low);
    CHECK_INT(pack(in("t.gguf"), in("x"), NULL, &err), HET_E_IO);
    CHECK(strstr(err.message, "/x") && err.native_code != 0);
    CHECK_INT(het_package_extract(context, in("t.het"), in("x"), NULL, NULL, &err), HET_E_IO);
    setrlimit(RLIMIT_FSIZE, &old);
    het_package_options o = HET_PACKAGE_OPTIONS_INIT;
    o.progress = stop;
    o.progress_user = &calls;
    CHECK_INT(het_package_write(context, in("t.gguf"), in("x"), &o, NULL, &err), HET_E_CANCELLED);
    calls = 3;
    CHECK_INT(het_package_extract(context, in("t.het"), in("x"), &o, NULL, &err),
              HET_E_CANCELLED);
    CHECK_INT(test_folder_count(&folder, "", NULL), 3);
    size_t bytes = 0;
    char *text = test_read_file(in("x"), &bytes);
    CHECK(text && bytes == 6 && memcmp(text, "before", 6) == 0);
    free(text);
    /* A corrupt package leaves no half of a folder. */
    make_source(3);
    CHECK_INT(pack(source.path, in("f.het"), NULL, NULL), HET_OK);
    char *data = test_read_file(in("f.het"), &bytes);
    data[bytes - 1] ^= 1;
    test_file_write(in("f.het"), data, bytes);
    free(data);
    CHECK_INT(het_package_extract(context, in("f.het"), in("f"), NULL, NULL, &err), HET_E_FORMAT);
    CHECK_INT(test_folder_count(&folder, "", NULL), 4);
    test_folder_empty(&source);
    test_folder_empty(&folder);
}

typedef enum fallible {
    WRITE,
    EXTRACT,
    CHECK_ALL,
    LOAD_GGUF,
    LOAD_FOLDER,
    FALLIBLE_COUNT,
} fallible;

static het_status attempt(fallible what)
{
    het_model *m = NULL;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_status s;
    o.threads = 2;
    switch (what) {
    case WRITE: return pack(source.path, in("w.het"), NULL, NULL);
    case EXTRACT: return het_package_extract(context, in("g.het"), in("w.het"), NULL, NULL, NULL);
    case CHECK_ALL: return het_package_check(context, in("f.het"), NULL, NULL, NULL);
    default:
        s = het_model_load(context, in(what == LOAD_GGUF ? "g.het" : "f.het"), &o, &m, NULL);
        het_model_destroy(m);
        return s;
    }
}

static void every_allocation_fails_once(void)
{
    tiny_gguf("t.gguf", GW_F16);
    make_source(3);
    CHECK_INT(pack(in("t.gguf"), in("g.het"), NULL, NULL), HET_OK);
    CHECK_INT(pack(source.path, in("f.het"), NULL, NULL), HET_OK);
    for (fallible what = WRITE; what < FALLIBLE_COUNT; what++) {
        const int64_t blocks = counter.blocks;
        uint64_t n = 1, refused = 0;
        for (;; n++) {
            counting_allocator_fail(&counter, n);
            const het_status s = attempt(what);
            const bool failed = counter.failed > 0;
            counting_allocator_fail(&counter, 0);
            /* Work goes on with fewer threads. */
            CHECK(s == HET_OK || (failed && s == HET_E_NOMEM));
            refused += s != HET_OK;
            CHECK_INT(counter.blocks, blocks);
            CHECK_INT(test_folder_count(&folder, "", NULL),
                      s == HET_OK && what < CHECK_ALL ? 4 : 3);
            remove(in("w.het"));
            if (!failed || n > 3000)
                break;
        }
        printf("%d: %d allocations\n", (int)what, (int)n - 1);
        CHECK(n > 4 && refused + 20 > n);
    }
    test_folder_empty(&source);
    test_folder_empty(&folder);
}

int main(void)
{
    const het_allocator allocator = counting_allocator_of(&counter);
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.allocator = &allocator;
    if (!het__compress_present())
        test_skip("built without zstd");
    CHECK_INT(het_context_create(&o, &context, NULL), HET_OK);
    test_folder_make(&folder);
    test_folder_make(&source);
    test_case(planes_come_back);
    test_case(gguf_files_come_back);
    test_case(trained_weights_become_smaller);
    test_case(folders_come_back);
    test_case(packages_in_memory);
    test_case(packages_are_quantised);
    test_case(threads_change_nothing);
    test_case(one_tensor_of_many);
    test_case(every_byte_counts);
    test_case(every_length_is_too_short);
    test_case(wrong_indices);
    test_case(safe_paths);
    test_case(wrong_calls);
    test_case(failure_leaves_nothing);
    test_case(every_allocation_fails_once);
    test_folder_remove(&folder);
    test_folder_remove(&source);
    het_context_destroy(context);
    CHECK_INT(counter.blocks, 0);
    return test_finish();
}

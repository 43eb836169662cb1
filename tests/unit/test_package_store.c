/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that stay packed until they are asked for: whatever reads them sees the bytes of the
 * plain file, wherever it reads and however often, on each device and in each way that weights are
 * read; a corrupt frame is named by who asks for it and nobody else.
 *
 * With an argument: on the backend of that name alone. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv */
#include <hetinfer.h>

#include <stdatomic.h>

#include "backends/null/null.h"
#include "counting_allocator.h"
#include "lib/base/compress.h"
#include "lib/base/os.h"
#include "lib/import/package_parts.h"
#include "lib/import/package_store.h"
#include "tiny_folder.h"

#define LENGTH 12
#define LOGITS_MAX 1024

static counting_allocator counter;
static het_allocator allocator;
static het_context *context;
static _Atomic uint32_t made; /* sessions */
static test_folder folder; /* of packages */
static test_folder source; /* of a model, or empty */

static const char *in(const char *name)
{
    return test_folder_file(&folder, name);
}

/* With frames of 4 KiB, so that tiny tensors have several. */
static bool pack_small(const char *from, const char *to)
{
    het__mem mem;
    het_error err = HET_ERROR_INIT;
    het_package_info info;
    het__mem_init(&mem, NULL);
    const het__package_request q = { .mem = &mem, .source = from, .target = to, .level = 3,
                                     .block_bytes = HET__PACKAGE_BLOCK_MIN, .threads = 2 };
    if (het__package_write(&q, &info, &err) == HET_OK)
        return true;
    TEST_FAIL("%s: %s", from, err.message);
    return false;
}

static void tiny_gguf(const char *name, const tiny_options *options)
{
    tiny_model m;
    tiny_make(&m, options);
    test_file_write(in(name), m.file, m.bytes);
    tiny_free(&m);
}

/* A model whose matrices have several frames. */
static tiny_options wide(uint32_t type)
{
    tiny_options o = TINY_LLAMA;
    o.type = type;
    o.words = true;
    o.vocabulary = 300;
    return o;
}

/* ---- the store by itself ---- */

typedef struct store {
    het__mem mem;
    het__package_store *store;
    het__lender lender;
    uint8_t *base; /* the place */
    uint8_t *plain;
    size_t bytes;
} store;

static bool store_open(store *s, const char *gguf, const char *package)
{
    het__mapping file;
    het_error err = HET_ERROR_INIT;
    memset(s, 0, sizeof *s);
    het__mem_init(&s->mem, &allocator);
    s->plain = test_read_file(in(gguf), &s->bytes);
    s->base = het__alloc(&s->mem, s->bytes);
    if (het__map_file(in(package), &file, &err) != HET_OK ||
        het__package_store_create(&s->mem, &file, 2, &s->store, &err) != HET_OK ||
        het__package_store_place(s->store, &het__package_store_package(s->store)->files[0],
                                 s->base, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        return false;
    }
    s->lender = *het__package_store_lender(s->store);
    return true;
}

static void store_close(store *s)
{
    het__package_store_destroy(s->store);
    het__free(&s->mem, s->base);
    free(s->plain);
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Ranges of one frame and of many, in order and not, over the edges of tensors, before and after
 * some tensors are kept. */
static void any_range_can_be_borrowed(void)
{
    store s;
    uint64_t seed = 3;
    const tiny_options o = wide(GW_BF16);
    tiny_gguf("t.gguf", &o);
    if (!pack_small(in("t.gguf"), in("t.het")) || !store_open(&s, "t.gguf", "t.het"))
        return;
    het__borrower b = { .lender = &s.lender };
    size_t at = 0;
    for (int i = 0; i < 3000; i++) {
        const size_t most = i % 3 ? 9000 : 60000, n = (size_t)(next(&seed) % most);
        const void *data;
        het_error err = HET_ERROR_INIT;
        if (next(&seed) % 4 == 0 || at + n > s.bytes)
            at = (size_t)(next(&seed) % (s.bytes - most));
        if (i > 1000 && i % 100 == 0) {
            CHECK_INT(het__borrow_keep(&b, s.base + at, n, &err), HET_OK);
            CHECK(memcmp(s.base + at, s.plain + at, n) == 0);
        }
        CHECK_INT(het__borrow(&b, s.base + at, n, &data, &err), HET_OK);
        CHECK(memcmp(data, s.plain + at, n) == 0);
        at += n;
    }
    /* What is no part of a place is where it is. */
    const void *same;
    CHECK_INT(het__borrow(&b, &seed, sizeof seed, &same, NULL), HET_OK);
    CHECK(same == &seed);
    CHECK_INT(het__borrow_keep(&b, s.base, s.bytes, NULL), HET_OK);
    CHECK(memcmp(s.base, s.plain, s.bytes) == 0);
    CHECK_INT(het__borrow(&b, s.base, s.bytes, &same, NULL), HET_OK);
    CHECK(same == s.base);
    het__borrow_end(&b);
    store_close(&s);
    test_folder_empty(&folder);
}

/* Nothing but the corrupt frame is refused, as often as it is asked for. */
static void corrupt_frames_are_named(void)
{
    store s;
    size_t bytes = 0;
    const tiny_options o = wide(GW_F32);
    tiny_gguf("t.gguf", &o);
    if (!pack_small(in("t.gguf"), in("t.het")) || !store_open(&s, "t.gguf", "t.het"))
        return;
    const het__package *p = het__package_store_package(s.store);
    const het__package_segment *bad = het__package_tensor(p, &p->files[0], "blk.1.ffn_up.weight");
    const uint64_t at = bad->content, frame = p->starts[bad->first_frame + 1] + 1;
    store_close(&s);
    uint8_t *data = test_read_file(in("t.het"), &bytes);
    data[frame] ^= 1;
    test_file_write(in("t.het"), data, bytes);
    free(data);
    if (!store_open(&s, "t.gguf", "t.het"))
        return;
    het__borrower b = { .lender = &s.lender };
    for (int i = 0; i < 3; i++) {
        const void *here;
        het_error err = HET_ERROR_INIT;
        CHECK_INT(het__borrow(&b, s.base + at, 4096, &here, &err), HET_OK);
        CHECK(memcmp(here, s.plain + at, 4096) == 0);
        CHECK_INT(het__borrow(&b, s.base + at, 8192, &here, &err), HET_E_FORMAT);
        CHECK(strstr(err.message, "tensor blk.1.ffn_up.weight") && strstr(err.message, "corrupt"));
        CHECK_INT(het__borrow_keep(&b, s.base + at, 1, &err), HET_E_FORMAT);
        CHECK_INT(het__borrow(&b, s.base + at + 8192, 4096, &here, &err), HET_OK);
        CHECK(memcmp(here, s.plain + at + 8192, 4096) == 0);
    }
    het__borrow_end(&b);
    store_close(&s);
    test_folder_empty(&folder);
}

/* ---- sessions ---- */

typedef struct way {
    const char *name;
    const char *devices;
    const char *policy; /* may be NULL */
    uint64_t flags;
    uint32_t precision;
    uint32_t first, count; /* layers; 0, 0: all */
    bool cache;
    bool fails; /* the null device is lost while it runs */
} way;

static het_model *load(const char *path, uint32_t quantize)
{
    het_error err = HET_ERROR_INIT;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_model *m = NULL;
    o.quantize_type = quantize;
    if (het_model_load(context, path, &o, &m, &err) != HET_OK)
        TEST_FAIL("%s: %s", path, err.message);
    return m;
}

static het_status open_session(const het_model *m, const way *w, het_session **session,
                               het_error *err)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_policy *policy = NULL;
    if (w->policy && het_policy_load_memory(context, w->policy, strlen(w->policy), NULL, &policy,
                                            err) != HET_OK)
        TEST_FAIL("%s: %s", w->name, err->message);
    o.devices = w->devices;
    o.threads = 2;
    o.context_max = 64;
    o.flags = w->flags;
    o.precision = w->precision;
    o.layer_first = w->first;
    o.layer_count = w->count;
    o.policy = policy;
    o.weight_cache = w->cache ? folder.path : NULL;
    const het_status s = het_session_create(m, &o, session, err);
    het_policy_destroy(policy);
    return s;
}

/* Logits, or hidden values of a session that ends before the head. False: the session cannot be
 * made here. */
static bool run(const het_model *m, const way *w, float *out, size_t *count)
{
    int32_t ids[LENGTH];
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    het_sequence *q = NULL;
    uint32_t rows = 0;
    het_model_info info = { .struct_size = sizeof info };
    CHECK_INT(het_model_get_info(m, &info), HET_OK);
    for (int i = 0; i < LENGTH; i++)
        ids[i] = (7 * i + 3) % 100;
    if (open_session(m, w, &s, &err) != HET_OK) {
        printf("%s: %s\n", w->name, err.message);
        return false;
    }
    atomic_fetch_add(&made, 1);
    if (w->fails)
        het__null_arm(&(het__null_fault){ HET__NULL_ENQUEUE, 2, false, HET__NULL_LOST, HET_OK, 0 });
    CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
    CHECK_INT(het_sequence_append(q, ids, LENGTH, 0, NULL), HET_OK);
    while (het_sequence_pending(q) > 0) {
        const het_status st = het_session_step(s, NULL, &err);
        if (st != HET_OK) {
            TEST_FAIL("%s: %s", w->name, err.message);
            break;
        }
    }
    const bool ends = !w->count || w->first + w->count == info.layer_count;
    const float *x = ends ? het_sequence_logits(q, NULL, &rows)
                          : het_sequence_hidden(q, NULL, &rows);
    *count = ends ? (size_t)info.vocabulary_size : (size_t)info.embedding_size;
    CHECK(x && rows > 0 && *count <= LOGITS_MAX);
    if (x && *count <= LOGITS_MAX)
        memcpy(out, x + (rows - 1) * *count, *count * sizeof *out);
    het_telemetry t = { .struct_size = sizeof t };
    CHECK_INT(het_telemetry_snapshot(s, &t), HET_OK);
    CHECK(!w->fails || t.replan_count == 1);
    het_sequence_destroy(q);
    het_session_destroy(s);
    return true;
}

#define PREFER(device) "hetinfer-policy: 1\nrules: [{prefer: " device "}]\n"
#define LIMIT(text) "hetinfer-policy: 1\nlimits: {opencl_igpu: {" text "}}\n"

static const way ways[] = {
    { .name = "cpu", .devices = "cpu_onednn" },
    { .name = "cpu exact", .devices = "cpu_onednn", .precision = HET_PRECISION_EXACT },
    { .name = "ref", .devices = "ref" },
    { .name = "mapped", .devices = "cpu_onednn", .flags = HET_SESSION_WEIGHTS_MAPPED },
    { .name = "validate", .devices = "cpu_onednn", .flags = HET_SESSION_VALIDATE },
    { .name = "cache made", .devices = "cpu_onednn", .cache = true },
    { .name = "cache used", .devices = "cpu_onednn", .cache = true },
    { .name = "first layer", .devices = "cpu_onednn", .count = 1 },
    { .name = "simulated", .devices = "sim,cpu_onednn", .policy = PREFER("simulated") },
    { .name = "lost", .devices = "null,cpu_onednn", .policy = PREFER("null"), .fails = true },
};

static const way ways_opencl[] = {
    { .name = "opencl", .devices = "opencl_igpu" },
    { .name = "opencl mapped", .devices = "opencl_igpu", .flags = HET_SESSION_WEIGHTS_MAPPED },
    { .name = "opencl and cpu", .devices = "opencl_igpu,cpu_onednn",
      .policy = PREFER("opencl_igpu") },
    { .name = "expert slots", .devices = "opencl_igpu",
      .policy = LIMIT("memory: 8 GB, experts: 60 kB") },
    { .name = "streams", .devices = "opencl_igpu,cpu_onednn",
      .policy = LIMIT("memory: 250 kB, stream: true") },
};

static const way ways_npu[] = {
    { .name = "npu", .devices = "amd_xrt_npu,cpu_onednn", .policy = PREFER("amd_xrt_npu") },
};

/* Both in the same way, twice over the same model: the second session finds what the first kept. */
static void compare(const char *plain, const char *packed, const way *w, uint32_t quantize)
{
    float a[LOGITS_MAX] = { 0 }, b[LOGITS_MAX] = { 1 };
    size_t n = 0, m = 0;
    het_model *one = load(plain, quantize), *two = load(packed, quantize);
    for (int i = 0; one && two && i < 2; i++) {
        het__null_reset();
        const bool can = run(one, w, a, &n);
        het__null_reset();
        CHECK_INT(run(two, w, b, &m), can);
        if (can && (n != m || n == 0 || memcmp(a, b, n * sizeof *a) != 0))
            TEST_FAIL("%s: %s and %s differ", w->name, plain, packed);
    }
    het_model_destroy(two);
    het_model_destroy(one);
}

static const way *list;
static size_t list_count;

static void compare_all(const char *plain, const char *packed)
{
    for (size_t i = 0; i < list_count; i++)
        compare(plain, packed, &list[i], 0);
}

static void types_of_weights(void)
{
    static const uint32_t types[] = { GW_F32, GW_F16, GW_BF16, GW_Q8_0 };
    for (size_t i = list == ways ? 0 : 2; i < 4; i++) {
        const tiny_options o = wide(types[i]);
        tiny_gguf("t.gguf", &o);
        if (pack_small(in("t.gguf"), in("t.het"))) {
            char plain[512], packed[512];
            snprintf(plain, sizeof plain, "%s", in("t.gguf"));
            snprintf(packed, sizeof packed, "%s", in("t.het"));
            compare_all(plain, packed);
            if (i < 3 && list == ways)
                compare(plain, packed, &ways[0], HET_DTYPE_Q8_0);
        }
        test_folder_empty(&folder);
    }
}

static void compare_reference(const char *name)
{
    char plain[512], packed[512], file[128];
    snprintf(file, sizeof file, "tests/models/reference/%s", name);
    test_source_path(plain, sizeof plain, file);
    snprintf(packed, sizeof packed, "%s", in("m.het"));
    if (pack_small(plain, packed))
        compare_all(plain, packed);
    test_folder_empty(&folder);
}

/* Compiling OpenCL's kernels takes long. */
static void families(void)
{
    if (list == ways_opencl) {
        compare_reference("families/qwen3moe.gguf");
        return;
    }
    static const char *const names[] = {
        "families/gemma2.gguf", "families/gemma3n.gguf", "families/mixtral.gguf",
        "families/phimoe-longrope.gguf", "families/qwen3moe.gguf", "folders/gemma3n",
        "folders/mixtral", "folders/phimoe", "folders/phi3-longrope", "folders/qwen3moe",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        compare_reference(names[i]);
}

/* int8 with scales is made into another type when it is loaded. */
static void quantised_files(void)
{
    char plain[512], packed[512];
    het_error err = HET_ERROR_INIT;
    het_quantize_options q = HET_QUANTIZE_OPTIONS_INIT;
    const tiny_options o = wide(GW_BF16);
    tiny_gguf("t.gguf", &o);
    snprintf(plain, sizeof plain, "%s", in("q.gguf"));
    snprintf(packed, sizeof packed, "%s", in("q.het"));
    het_model *m = load(in("t.gguf"), 0);
    q.type = HET_DTYPE_I8;
    CHECK_INT(het_quantize(m, &q, plain, NULL, &err), HET_OK);
    het_model_destroy(m);
    if (pack_small(plain, packed))
        compare(plain, packed, &list[0], 0);
    test_folder_empty(&folder);
}

/* ---- corruption ---- */

static void flip_last_byte(const char *path)
{
    size_t bytes = 0;
    uint8_t *data = test_read_file(path, &bytes);
    data[bytes - 1] ^= 1;
    test_file_write(path, data, bytes);
    free(data);
}

/* A model is loaded whatever its weights are worth; a session that needs a corrupt one is not made,
 * and says which. */
static void sessions_name_what_is_corrupt(void)
{
    static const char *const packages[] = { "t.het", "f.het" };
    tiny_options o = wide(GW_F32);
    tiny_model tiny;
    het_package_options p = HET_PACKAGE_OPTIONS_INIT;
    tiny_gguf("t.gguf", &o);
    CHECK_INT(het_package_write(context, in("t.gguf"), in("t.het"), &p, NULL, NULL), HET_OK);
    o.architecture = "qwen3";
    tiny_make(&tiny, &o);
    tiny_folder_write(&source, &tiny, 1);
    tiny_free(&tiny);
    CHECK_INT(het_package_write(context, source.path, in("f.het"), &p, NULL, NULL), HET_OK);
    for (size_t i = 0; i < 2; i++) {
        flip_last_byte(in(packages[i]));
        CHECK_INT(het_package_check(context, in(packages[i]), NULL, NULL, NULL), HET_E_FORMAT);
        for (size_t k = 0; k < list_count; k++) {
            const way *w = &list[k];
            het_error err = HET_ERROR_INIT;
            het_session *s = NULL;
            het_model *m = load(in(packages[i]), 0);
            const bool needs = !w->count;
            if (!m)
                continue;
            const het_status status = open_session(m, w, &s, &err);
            if (status == HET_E_UNSUPPORTED || status == HET_E_INVALID || !needs)
                printf("%s: %s\n", w->name, err.message);
            else if (status != HET_E_FORMAT || !strstr(err.message, "tensor ") ||
                     !strstr(err.message, "is corrupt"))
                TEST_FAIL("%s: %d, %s", w->name, (int)status, err.message);
            het_session_destroy(s);
            het_model_destroy(m);
        }
    }
    test_folder_empty(&source);
    test_folder_empty(&folder);
}

/* ---- threads ---- */

typedef struct runner {
    het__thread thread;
    const het_model *model;
    const way *way;
    float out[LOGITS_MAX];
    size_t count;
} runner;

static void *run_one(void *argument)
{
    runner *r = argument;
    run(r->model, r->way, r->out, &r->count);
    return NULL;
}

/* Sessions of one packed model at once, that borrow, and keep the same tensors. */
static void sessions_at_once(void)
{
    const tiny_options o = wide(GW_BF16);
    const way *const each[] = { &ways[0], &ways[2], &ways[3], &ways[2] };
    runner r[4] = { { .count = 0 } };
    float want[LOGITS_MAX];
    size_t n = 0;
    tiny_gguf("t.gguf", &o);
    het_model *plain = load(in("t.gguf"), 0);
    if (!pack_small(in("t.gguf"), in("t.het")) || !plain)
        return;
    for (int round = 0; round < 5; round++) {
        het_model *m = load(in("t.het"), 0);
        for (int i = 0; i < 4; i++) {
            r[i].model = m;
            r[i].way = each[i];
            CHECK(het__thread_start(&r[i].thread, run_one, &r[i]));
        }
        for (int i = 0; i < 4; i++) {
            het__thread_join(r[i].thread);
            run(plain, each[i], want, &n);
            CHECK(n == r[i].count && memcmp(want, r[i].out, n * sizeof *want) == 0);
        }
        het_model_destroy(m);
    }
    het_model_destroy(plain);
    test_folder_empty(&folder);
}

/* ---- memory ---- */

static void every_allocation_fails_once(void)
{
    static const char *const files[] = { "t.het", "f.het" };
    tiny_options o = wide(GW_F32);
    tiny_model tiny;
    tiny_gguf("t.gguf", &o);
    o.architecture = "qwen3";
    tiny_make(&tiny, &o);
    tiny_folder_write(&source, &tiny, 3);
    tiny_free(&tiny);
    if (!pack_small(in("t.gguf"), in("t.het")) || !pack_small(source.path, in("f.het")))
        return;
    for (size_t i = 0; i < 4; i++) {
        const way *w = i < 2 ? &ways[0] : &ways[2];
        const int64_t blocks = counter.blocks;
        for (uint64_t n = 1;; n += n < 200 ? 1 : 13) {
            het_model *m = NULL;
            het_session *s = NULL;
            counting_allocator_fail(&counter, n);
            het_status status = het_model_load(context, in(files[i % 2]), NULL, &m, NULL);
            if (status == HET_OK)
                status = open_session(m, w, &s, NULL);
            const bool failed = counter.failed > 0;
            counting_allocator_fail(&counter, 0);
            CHECK(status == HET_OK || (failed && status == HET_E_NOMEM));
            het_session_destroy(s);
            het_model_destroy(m);
            CHECK_INT(counter.blocks, blocks);
            if (!failed || n > 20000)
                break;
        }
    }
    test_folder_empty(&source);
    test_folder_empty(&folder);
}

int main(int argc, char **argv)
{
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    const bool is_host = argc < 2, is_npu = argc > 1 && strcmp(argv[1], "amd_xrt_npu") == 0;
    if (!het__compress_present())
        test_skip("built without zstd");
    setenv("HETINFER_SIM_SCALE", "0", 1);
    setenv("HETINFER_OPENCL_CPU", "1", 1);
    allocator = counting_allocator_of(&counter);
    o.allocator = &allocator;
    o.backends = is_host  ? "cpu_onednn,ref,null,sim"
                 : is_npu ? "amd_xrt_npu,cpu_onednn" : "opencl_igpu,cpu_onednn";
    if (het_context_create(&o, &context, &err) != HET_OK)
        test_skip(err.message);
    list = is_host ? ways : is_npu ? ways_npu : ways_opencl;
    list_count = (is_host  ? sizeof ways
                  : is_npu ? sizeof ways_npu : sizeof ways_opencl) / sizeof ways[0];
    test_folder_make(&folder);
    test_folder_make(&source);
    if (is_host) {
        test_case(any_range_can_be_borrowed);
        test_case(corrupt_frames_are_named);
    }
    test_case(types_of_weights);
    test_case(families);
    test_case(quantised_files);
    test_case(sessions_name_what_is_corrupt);
    if (is_host) {
        test_case(sessions_at_once);
        test_case(every_allocation_fails_once);
    }
    test_folder_remove(&folder);
    test_folder_remove(&source);
    het_context_destroy(context);
    CHECK_INT(counter.blocks, is_host ? 0 : counter.blocks);
    if (!made)
        test_skip("no such device");
    return test_finish();
}

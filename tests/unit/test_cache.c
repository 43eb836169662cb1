/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of re-laid weights: what comes from it is what would have been made, bit by bit; what
 * is not right is left alone, said once, and replaced; what is another's is not taken. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv */
#include <hetinfer.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "backends/cpu_onednn/cache_file.h"
#include "folder.h"
#include "lib/api/handles.h"
#include "tiny_model.h"

#define VOCABULARY 1200
#define WARNINGS_MAX 4

static test_folder folder;
static het_context *context;
static het_model *model;
static tiny_model tiny;

/* ---- one session ---- */

typedef struct outcome {
    het_status status;
    het_error err;
    float logits[VOCABULARY];
    het_telemetry telemetry;
    int warnings;
    char warning[512]; /* the last */
    int written, read, mapped; /* lines that say so */
    int hashed;        /* pieces of the model's contents */
    double stop_at;    /* fraction at which the progress callback cancels; 0: never */
    bool stop_hashing;
} outcome;

static void listen(void *user, het_log_level level, const char *component, const char *text)
{
    outcome **now = user, *o = *now;
    (void)component;
    if (!o)
        return;
    if (level <= HET_LOG_WARN) {
        o->warnings++;
        snprintf(o->warning, sizeof o->warning, "%s", text);
    }
    if (strstr(text, "weight cache") && level == HET_LOG_INFO) {
        o->written += strstr(text, ": written") != NULL;
        o->read += strstr(text, " read") != NULL;
        o->mapped += strstr(text, " mapped") != NULL;
    }
}

static outcome *current;

static int progress(void *user, double fraction, const char *what)
{
    outcome *o = user;
    const bool hashing = strcmp(what, "contents") == 0;
    o->hashed += hashing;
    return (o->stop_at > 0 && fraction >= o->stop_at) || (hashing && o->stop_hashing);
}

static het_session_options options_for(const char *cache)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.devices = "cpu_onednn";
    o.threads = 2;
    o.context_max = 64;
    o.batch_max = 16;
    o.weight_cache = cache;
    return o;
}

static void compute(het_session *s, outcome *out)
{
    static const int32_t ids[] = { 3, 77, 11, 50, 2 };
    het_sequence *q = NULL;
    CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
    CHECK_INT(het_sequence_append(q, ids, 5, 0, NULL), HET_OK);
    CHECK_INT(het_session_step(s, NULL, &out->err), HET_OK);
    int64_t first;
    uint32_t count = 0;
    const float *got = het_sequence_logits(q, &first, &count);
    CHECK_INT(count, 1);
    if (got)
        memcpy(out->logits, got, sizeof out->logits);
    out->telemetry.struct_size = sizeof out->telemetry;
    CHECK_INT(het_telemetry_snapshot(s, &out->telemetry), HET_OK);
    het_sequence_destroy(q);
}

static void start_with(const het_model *m, het_session_options o, outcome *out)
{
    het_session *s = NULL;
    out->err = (het_error)HET_ERROR_INIT;
    current = out;
    o.progress = progress;
    o.progress_user = out;
    out->status = het_session_create(m, &o, &s, &out->err);
    current = NULL;
    if (out->status == HET_OK)
        compute(s, out);
    het_session_destroy(s);
    CHECK_INT(test_folder_count(&folder, ".tmp", NULL), 0);
}

static outcome start(const het_model *m, const char *cache, uint64_t flags)
{
    outcome out = { 0 };
    het_session_options o = options_for(cache);
    o.flags = flags;
    start_with(m, o, &out);
    if (out.status != HET_OK)
        TEST_FAIL("%s", out.err.message);
    return out;
}

#define CHECK_SAME(a, b) CHECK(memcmp((a).logits, (b).logits, sizeof(a).logits) == 0)

static het_model *load(const tiny_model *t)
{
    het_error err = HET_ERROR_INIT;
    het_model *m = NULL;
    if (het_model_load_memory(context, t->file, t->bytes, NULL, &m, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return m;
}

/* Matrices of one to five parts, of two forms, one of them shared by embedding and head. */
static tiny_options shape(uint64_t seed)
{
    tiny_options o = TINY_LLAMA;
    o.type = GW_Q8_0;
    o.width = 640;
    o.ffn = 320;
    o.heads = 10;
    o.kv_heads = 5;
    o.head_size = 64;
    o.vocabulary = VOCABULARY;
    o.seed = seed;
    return o;
}

static char *cache_path(char *path)
{
    char name[256] = "";
    CHECK_INT(test_folder_count(&folder, ".weights", name), 1);
    strcpy(path, test_folder_file(&folder, name));
    return path;
}

/* ---- cases ---- */

static void hit_after_miss(void)
{
    char path[512];
    const outcome plain = start(model, NULL, 0);
    CHECK_INT(plain.hashed, 0);
    CHECK_INT(test_folder_count(&folder, "", NULL), 0);
    const outcome miss = start(model, folder.path, 0), hit = start(model, folder.path, 0);
    CHECK_SAME(miss, plain);
    CHECK_SAME(hit, plain);
    CHECK_INT(miss.written, 1);
    CHECK_INT(miss.read, 0);
    CHECK_INT(hit.written, 0);
    CHECK_INT(hit.read, 1);
    CHECK_INT(miss.warnings + hit.warnings, 0);
    CHECK_INT(hit.telemetry.weight_bytes, plain.telemetry.weight_bytes);
    CHECK_INT(hit.telemetry.mapped_bytes, plain.telemetry.mapped_bytes);
    size_t first_bytes = 0, second_bytes = 0;
    char *first = test_read_file(cache_path(path), &first_bytes);
    CHECK(first_bytes > hit.telemetry.weight_bytes - hit.telemetry.mapped_bytes - 100000);
    CHECK_INT(remove(path), 0);
    CHECK_INT(start(model, folder.path, 0).written, 1);
    char *second = test_read_file(path, &second_bytes);
    CHECK_INT(second_bytes, first_bytes);
    CHECK(first && second && memcmp(first, second, first_bytes) == 0);
    free(first);
    free(second);
}

static void mapped(void)
{
    const outcome plain = start(model, NULL, 0);
    const outcome miss = start(model, folder.path, HET_SESSION_WEIGHTS_MAPPED);
    const outcome hit = start(model, folder.path, HET_SESSION_WEIGHTS_MAPPED);
    CHECK_SAME(miss, plain); /* the kernels of re-laid weights */
    CHECK_SAME(hit, plain);
    CHECK_INT(miss.written, 1);
    CHECK_INT(hit.mapped, 1);
    CHECK_INT(hit.telemetry.weight_bytes, plain.telemetry.weight_bytes);
    /* Vectors of the first session stay in memory. */
    CHECK(miss.telemetry.mapped_bytes <= hit.telemetry.mapped_bytes &&
          miss.telemetry.mapped_bytes > hit.telemetry.mapped_bytes - 100000);
    CHECK(hit.telemetry.mapped_bytes > plain.telemetry.mapped_bytes + 1000000);
    CHECK_INT(start(model, folder.path, 0).read, 1); /* the same file serves both */
    CHECK_INT(hit.warnings + miss.warnings, 0);
}

/* ---- damage ---- */

typedef struct damage {
    const char *name;
    const char *said; /* part of the warning */
    size_t at;        /* byte that is changed */
    bool sealed;      /* the header's checksum is made right again */
} damage;

static void seal(char *file)
{
    het__cache_index index;
    memcpy(&index.header, file, sizeof index.header);
    index.entries = (het__cache_entry *)(void *)(file + sizeof index.header);
    het__cache_index_seal(&index);
    memcpy(file, &index.header, sizeof index.header);
}

/* A bad file is said once, not used, and replaced by what it should be. */
static void meet_bad(const char *name, const char *said, const char *path, const void *bad,
                     size_t bad_bytes, const char *good, size_t bytes, const outcome *plain)
{
    test_file_write(path, bad, bad_bytes);
    const outcome o = start(model, folder.path, 0);
    CHECK_SAME(o, *plain);
    if (o.warnings != 1 || !strstr(o.warning, path) || !strstr(o.warning, said))
        TEST_FAIL("%s: %d warnings, the last: %s", name, o.warnings, o.warning);
    if (o.written != 1)
        TEST_FAIL("%s: not replaced", name);
    size_t now_bytes = 0;
    char *now = test_read_file(path, &now_bytes);
    if (now_bytes != bytes || !now || memcmp(now, good, bytes) != 0)
        TEST_FAIL("%s: replaced by something else", name);
    free(now);
}

#define HEADER(field) offsetof(het__cache_header, field)
#define ENTRY(i, field) \
    (sizeof(het__cache_header) + (i) * sizeof(het__cache_entry) + offsetof(het__cache_entry, field))

static void damaged_bytes(const char *path, char *good, size_t bytes, const outcome *plain)
{
    const het__cache_header *h = (const het__cache_header *)(const void *)good;
    const het__cache_entry *last =
        (const het__cache_entry *)(const void *)(good + ENTRY(h->entry_count - 1, name));
    const size_t sums = ENTRY(h->entry_count, name);
    const damage list[] = {
        { "magic", "does not begin", HEADER(magic), false },
        { "order", "byte order", HEADER(order), true },
        { "version", "version", HEADER(version), true },
        { "content", "another model", HEADER(key.content), true },
        { "level", "level", HEADER(key.level), true },
        { "layout", "forms", HEADER(key.layout), true },
        { "choice", "precision", HEADER(key.choice), true },
        { "entry count", "checksum", HEADER(entry_count), false },
        { "entries without end", "no room", HEADER(entry_count) + 3, true },
        { "part count", "checksum", HEADER(part_count), false },
        { "part size", "parts of", HEADER(part_bytes), true },
        { "file size", "its header says", HEADER(file_bytes) + 2, true },
        { "checksum", "checksum", HEADER(checksum), false },
        { "name", "checksum", ENTRY(1, name), false },
        { "offset", "entry 1 lies", ENTRY(1, offset), true },
        { "offset in a page", "entry 0 lies", ENTRY(0, offset) + 1, true },
        { "beyond the end", "entry 2 lies", ENTRY(2, offset) + 5, true },
        { "size beyond the end", "entry 2 lies", ENTRY(2, bytes) + 7, true },
        { "size into the next", "entry", ENTRY(0, bytes) + 1, true },
        { "part", "begins with part", ENTRY(1, part), true },
        { "sum", "part 0", sums, true },
        { "first byte", "part 0", (size_t)h->file_bytes, false }, /* set below */
        { "last byte", "part", (size_t)(last->offset + last->bytes) - 1, false },
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        char *bad = malloc(bytes);
        size_t at = list[i].at;
        if (at == bytes)
            at = (size_t)((const het__cache_entry *)(const void *)(good + ENTRY(0, name)))->offset;
        memcpy(bad, good, bytes);
        bad[at] = (char)(bad[at] ^ 0x41);
        if (list[i].sealed && at != HEADER(entry_count) + 3)
            seal(bad);
        meet_bad(list[i].name, list[i].said, path, bad, bytes, good, bytes, plain);
        free(bad);
    }
}

static void damaged_files(void)
{
    char path[512], longer_path[512];
    const outcome plain = start(model, NULL, 0);
    start(model, folder.path, 0);
    size_t bytes = 0;
    char *good = test_read_file(cache_path(path), &bytes);
    const size_t lengths[] = { 0, 1, 87, 88, 100, 4096, bytes / 2, bytes - 4096, bytes - 1 };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        meet_bad("short", path, path, good, lengths[i], good, bytes, &plain);
    char *longer = calloc(1, bytes + 1);
    memcpy(longer, good, bytes);
    meet_bad("long", "its header says", path, longer, bytes + 1, good, bytes, &plain);
    memset(longer, 0, bytes);
    meet_bad("zeros", "does not begin", path, longer, bytes, good, bytes, &plain);
    free(longer);
    damaged_bytes(path, good, bytes, &plain);
    /* Something that is no file is left as it is. */
    CHECK_INT(remove(path), 0);
    CHECK_INT(mkdir(path, 0700), 0);
    strcpy(longer_path, path);
    const outcome o = start(model, folder.path, 0);
    CHECK_SAME(o, plain);
    CHECK_INT(o.warnings, 1);
    CHECK(strstr(o.warning, longer_path) != NULL);
    CHECK_INT(rmdir(path), 0);
    free(good);
}

/* What is mapped is checked at its beginning only; a bad beginning is not mapped. */
static void damaged_mapped(void)
{
    char path[512];
    const outcome plain = start(model, NULL, 0);
    start(model, folder.path, 0);
    size_t bytes = 0;
    char *good = test_read_file(cache_path(path), &bytes);
    const size_t at[] = { 0, 9, 30, 80, 200, 400 };
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        good[at[i]] ^= 1;
        test_file_write(path, good, bytes);
        good[at[i]] ^= 1;
        const outcome o = start(model, folder.path, HET_SESSION_WEIGHTS_MAPPED);
        CHECK_SAME(o, plain);
        CHECK_INT(o.warnings, 1);
        CHECK_INT(o.written, 1);
    }
    CHECK_INT(start(model, folder.path, HET_SESSION_WEIGHTS_MAPPED).mapped, 1);
    free(good);
}

/* ---- whose ---- */

static void two_models(void)
{
    tiny_model other;
    const tiny_options o = shape(2);
    tiny_make(&other, &o);
    CHECK_INT(other.bytes, tiny.bytes);
    het_model *m = load(&other);
    const outcome a = start(model, NULL, 0), b = start(m, NULL, 0);
    CHECK(memcmp(a.logits, b.logits, sizeof a.logits) != 0);
    CHECK_SAME(start(model, folder.path, 0), a);
    const outcome miss = start(m, folder.path, 0);
    CHECK_INT(miss.written, 1);
    CHECK_SAME(miss, b);
    CHECK_INT(test_folder_count(&folder, ".weights", NULL), 2);
    const outcome hit = start(m, folder.path, 0), hit_first = start(model, folder.path, 0);
    CHECK_INT(hit.read + hit_first.read, 2);
    CHECK_SAME(hit, b);
    CHECK_SAME(hit_first, a);
    het_model_destroy(m);
    tiny_free(&other);
}

static void other_settings(void)
{
    const char *level = getenv("HETINFER_CPU_LEVEL");
    char old[32] = "";
    snprintf(old, sizeof old, "%s", level ? level : "");
    CHECK_INT(start(model, folder.path, 0).written, 1);
    outcome exact = { 0 }, again = { 0 };
    het_session_options o = options_for(folder.path);
    o.precision = HET_PRECISION_EXACT;
    start_with(model, o, &exact);
    CHECK_INT(exact.written, 1);
    start_with(model, o, &again);
    CHECK_INT(again.read, 1);
    CHECK_SAME(exact, again);
    setenv("HETINFER_CPU_ROUND_SMALL", "1", 1);
    CHECK_INT(start(model, folder.path, 0).written, 1);
    unsetenv("HETINFER_CPU_ROUND_SMALL");
    int levels = 1;
    if (strcmp(old, "generic") != 0) {
        setenv("HETINFER_CPU_LEVEL", "generic", 1);
        const outcome plain = start(model, NULL, 0), slow = start(model, folder.path, 0);
        CHECK_INT(slow.written, 1);
        CHECK_SAME(slow, plain);
        if (*old)
            setenv("HETINFER_CPU_LEVEL", old, 1);
        else
            unsetenv("HETINFER_CPU_LEVEL");
        levels = 2;
    }
    CHECK_INT(test_folder_count(&folder, ".weights", NULL), 2 + levels);
    CHECK_INT(start(model, folder.path, 0).read, 1);
}

/* The file of a model that is changed in place, or replaced by one of its size. */
static void changed_files(void)
{
    char path[512];
    tiny_model other;
    het_error err = HET_ERROR_INIT;
    const tiny_options o = shape(3);
    tiny_make(&other, &o);
    char *bytes = malloc(tiny.bytes);
    memcpy(bytes, tiny.file, tiny.bytes);
    bytes[tiny.bytes - 700] ^= 1; /* in output.weight */
    const void *const contents[] = { tiny.file, bytes, other.file, tiny.file };
    strcpy(path, test_folder_file(&folder, "model.gguf"));
    for (int i = 0; i < 4; i++) {
        const int fd = open(path, O_WRONLY | O_CREAT, 0600);
        CHECK_INT(write(fd, contents[i], tiny.bytes), tiny.bytes);
        close(fd);
        het_model *m = NULL;
        CHECK_INT(het_model_load(context, path, NULL, &m, &err), HET_OK);
        const outcome plain = start(m, NULL, 0), cached = start(m, folder.path, 0);
        CHECK_SAME(cached, plain);
        CHECK_INT(cached.written, i < 3);
        CHECK_INT(cached.read, i == 3);
        CHECK(cached.hashed > 0); /* too young for a memo */
        CHECK_INT(test_folder_count(&folder, ".weights", NULL), i < 3 ? i + 1 : 3);
        CHECK_INT(test_folder_count(&folder, ".memo", NULL), 0);
        het_model_destroy(m);
    }
    free(bytes);
    tiny_free(&other);
}

/* A file that has been left alone is hashed once. */
static void calm_file(void)
{
    char path[512];
    het_error err = HET_ERROR_INIT;
    const outcome plain = start(model, NULL, 0);
    strcpy(path, test_folder_file(&folder, "model.gguf"));
    test_file_write(path, tiny.file, tiny.bytes);
    for (int i = 0; i < 2; i++) {
        het_model *m = NULL;
        CHECK_INT(het_model_load(context, path, NULL, &m, &err), HET_OK);
        m->mapping.state.seen_ns += INT64_C(10000000000);
        const outcome o = start(m, folder.path, 0);
        CHECK_SAME(o, plain);
        CHECK_INT(o.written, i == 0);
        CHECK_INT(o.read, i == 1);
        CHECK_INT(o.hashed > 0, i == 0);
        CHECK_INT(test_folder_count(&folder, ".memo", NULL), 1);
        het_model_destroy(m);
    }
}

/* ---- what cannot be written ---- */

static void cancelled(void)
{
    outcome o = { .stop_hashing = true };
    start_with(model, options_for(folder.path), &o);
    CHECK_INT(o.status, HET_E_CANCELLED);
    o = (outcome){ .stop_at = 0.3 };
    start_with(model, options_for(folder.path), &o);
    CHECK_INT(o.status, HET_E_CANCELLED);
    CHECK_INT(test_folder_count(&folder, "", NULL), 0);
}

static void bad_folders(void)
{
    const outcome plain = start(model, NULL, 0);
    const outcome rows = start(model, NULL, HET_SESSION_WEIGHTS_MAPPED);
    test_file_write(test_folder_file(&folder, "file"), "x", 1);
    const char *const names[] = { "absent", "file" };
    for (int i = 0; i < 2; i++) {
        char path[512];
        strcpy(path, test_folder_file(&folder, names[i]));
        const outcome o = start(model, path, 0);
        CHECK_SAME(o, plain);
        CHECK_INT(o.warnings, 1);
        CHECK(strstr(o.warning, path) != NULL);
        /* Mapped weights are then what they are without a cache. */
        const outcome m = start(model, path, HET_SESSION_WEIGHTS_MAPPED);
        CHECK_SAME(m, rows);
        CHECK_INT(m.warnings, 1);
    }
    CHECK_INT(test_folder_count(&folder, "", NULL), 1);
    outcome o = { 0 };
    start_with(model, options_for(""), &o);
    CHECK_INT(o.status, HET_E_INVALID);
}

static void full_disk(void)
{
    struct rlimit old, low;
    const outcome plain = start(model, NULL, 0);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 100000;
    setrlimit(RLIMIT_FSIZE, &low);
    const outcome a = start(model, folder.path, 0);
    const outcome b = start(model, folder.path, HET_SESSION_WEIGHTS_MAPPED);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_SAME(a, plain);
    CHECK_SAME(b, plain);
    CHECK_INT(a.warnings, 1);
    CHECK_INT(b.warnings, 1);
    CHECK(strstr(a.warning, "not written") && strstr(a.warning, folder.path));
    CHECK_INT(a.written + b.written, 0);
    CHECK_INT(test_folder_count(&folder, "", NULL), 0);
}

/* ---- several at once ---- */

static void *start_one(void *result)
{
    het_session_options o = options_for(folder.path);
    het_session *s = NULL;
    outcome *out = result;
    out->status = het_session_create(model, &o, &s, &out->err);
    if (s) {
        het_sequence *q = NULL;
        static const int32_t ids[] = { 3, 77, 11, 50, 2 };
        int64_t first;
        uint32_t count;
        if (!het_sequence_create(s, &q, NULL) && !het_sequence_append(q, ids, 5, 0, NULL) &&
            !het_session_step(s, NULL, NULL))
            memcpy(out->logits, het_sequence_logits(q, &first, &count), sizeof out->logits);
        het_sequence_destroy(q);
    }
    het_session_destroy(s);
    return NULL;
}

static void at_once(void)
{
    static outcome out[4];
    pthread_t threads[4];
    const outcome plain = start(model, NULL, 0);
    for (int round = 0; round < 2; round++) {
        memset(out, 0, sizeof out);
        for (int i = 0; i < 4; i++)
            CHECK_INT(pthread_create(&threads[i], NULL, start_one, &out[i]), 0);
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
            CHECK_INT(out[i].status, HET_OK);
            CHECK_SAME(out[i], plain);
        }
    }
    CHECK_INT(test_folder_count(&folder, "", NULL), 1);
}

/* ---- main ---- */

static void run(const char *name, void (*one)(void))
{
    const int before = test_failures;
    test_folder_make(&folder);
    one();
    test_folder_remove(&folder);
    printf("%s %s\n", test_failures == before ? "ok    " : "FAILED", name);
}

static bool has_cpu(void)
{
    for (uint32_t i = 0; i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        if (!het_device_get_info(het_context_device(context, i), &info) &&
            strcmp(info.backend, "cpu_onednn") == 0)
            return true;
    }
    return false;
}

int main(void)
{
    const tiny_options o = shape(1);
    het_context_options c = HET_CONTEXT_OPTIONS_INIT;
    c.log = listen;
    c.log_user = &current;
    c.log_level = HET_LOG_DEBUG;
    het_error err = HET_ERROR_INIT;
    if (het_context_create(&c, &context, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    if (!has_cpu())
        test_skip("no device cpu_onednn");
    tiny_make(&tiny, &o);
    model = load(&tiny);
    run("hit_after_miss", hit_after_miss);
    run("mapped", mapped);
    run("damaged_files", damaged_files);
    run("damaged_mapped", damaged_mapped);
    run("two_models", two_models);
    run("other_settings", other_settings);
    run("changed_files", changed_files);
    run("calm_file", calm_file);
    run("cancelled", cancelled);
    run("bad_folders", bad_folders);
    run("full_disk", full_disk);
    run("at_once", at_once);
    het_model_destroy(model);
    tiny_free(&tiny);
    het_context_destroy(context);
    return test_finish();
}

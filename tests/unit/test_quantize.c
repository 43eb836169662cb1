/* SPDX-License-Identifier: Apache-2.0 */
/* het_quantize(): what a written file says and holds, which tensor gets which type, what is left
 * behind when it fails; on the example model what it loses; and the files of another program, whose
 * tensors have the same bytes. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <hetinfer.h>

#include <sys/resource.h>

#include "counting_allocator.h"
#include "folder.h"
#include "lib/api/importance.h"
#include "lib/import/gguf.h"
#include "lib/quant/quant.h"
#include "test.h"
#include "tiny_folder.h"
#include "tiny_model.h"

static test_folder folder;
static counting_allocator counter;
static het_context *context;

/* A file on disk, parsed. */
typedef struct parsed {
    void *data;
    het__mem mem;
    het__arena arena;
    het__gguf gguf;
} parsed;

static bool parse(parsed *p, const char *path)
{
    size_t bytes = 0;
    het_error err = HET_ERROR_INIT;
    p->data = test_read_file(path, &bytes);
    het__mem_init(&p->mem, NULL);
    het__arena_init(&p->arena, &p->mem);
    if (p->data && het__gguf_open(&p->gguf, &p->arena, p->data, bytes, &err) == HET_OK)
        return true;
    TEST_FAIL("%s: %s", path, err.message);
    return false;
}

static void close_parsed(parsed *p)
{
    het__arena_finish(&p->arena);
    free(p->data);
}

static het_model *load(const char *path)
{
    het_error err = HET_ERROR_INIT;
    het_model *m = NULL;
    const het_status s = het_model_load(context, path, NULL, &m, &err);
    if (s)
        TEST_FAIL("%s: %s", path, err.message);
    return m;
}

/* A model of random weights; rows of 256, so that every type fits. */
static const char *tiny_file(uint32_t type, uint32_t width)
{
    const char *path = test_folder_file(&folder, "tiny.gguf");
    tiny_options o = TINY_LLAMA;
    tiny_model m;
    o.type = type;
    o.width = width;
    o.ffn = 256;
    tiny_make(&m, &o);
    test_file_write(path, m.file, m.bytes);
    tiny_free(&m);
    return path;
}

static het_status quantize(const het_model *m, uint32_t type, const char *name,
                           het_quantization **q, het_error *err)
{
    het_quantize_options o = HET_QUANTIZE_OPTIONS_INIT;
    o.type = type;
    return het_quantize(m, &o, test_folder_file(&folder, name), q, err);
}

static het_quantization_tensor tensor_of(const het_quantization *q, const char *name)
{
    het_quantization_info info = { .struct_size = sizeof info };
    CHECK_INT(het_quantization_get_info(q, &info), HET_OK);
    for (uint32_t i = 0; i < info.tensor_count; i++) {
        het_quantization_tensor t = { .struct_size = sizeof t };
        CHECK_INT(het_quantization_at(q, i, &t), HET_OK);
        if (strcmp(t.name, name) == 0)
            return t;
    }
    TEST_FAIL("no tensor %s", name);
    return (het_quantization_tensor){ .name = "" };
}

/* ---- what a file holds ---- */

static void metadata_and_norms_are_carried_over(void)
{
    parsed from, to;
    het_quantization *q = NULL;
    const char *path = tiny_file(GW_F32, 256);
    het_model *m = load(path);
    het_error err = HET_ERROR_INIT;
    CHECK_INT(quantize(m, HET_DTYPE_Q4_K, "out.gguf", &q, &err), HET_OK);
    if (!parse(&from, path) || !parse(&to, test_folder_file(&folder, "out.gguf")))
        return;
    for (size_t i = 0; i < from.gguf.entry_count; i++) {
        const het__gguf_entry *a = &from.gguf.entries[i], *b = het__gguf_find(&to.gguf, a->key);
        if (strcmp(a->key, "general.file_type") == 0 ||
            strcmp(a->key, "general.quantization_version") == 0)
            continue;
        CHECK(b && b->type == a->type && b->count == a->count &&
              b->value_bytes == a->value_bytes && memcmp(b->value, a->value, a->value_bytes) == 0);
    }
    int64_t number = 0;
    CHECK(het__gguf_i64(&to.gguf, "general.file_type", &number));
    CHECK_INT(number, 14);
    CHECK_INT(to.gguf.tensor_count, from.gguf.tensor_count);
    for (size_t i = 0; i < from.gguf.tensor_count; i++) {
        const het__gguf_tensor *a = &from.gguf.tensors[i], *b = &to.gguf.tensors[i];
        CHECK_STR(b->name, a->name);
        CHECK(b->rank == a->rank && memcmp(a->extent, b->extent, sizeof a->extent) == 0);
        if (a->rank < 2)
            CHECK(b->dtype == a->dtype && memcmp(a->data, b->data, a->bytes) == 0);
        else
            CHECK_INT(b->dtype, a->extent[a->rank - 1] % 256 ? HET_DTYPE_Q5_0 : HET_DTYPE_Q4_K);
    }
    const het_quantization_tensor t = tensor_of(q, "blk.0.ffn_down.weight");
    CHECK_INT(t.result, HET_QUANTIZE_ENCODED);
    CHECK(t.rms_error > 0 && t.rms_error < 0.15 * t.rms_value && t.error_max >= t.rms_error);
    CHECK_INT(t.source_bytes, t.elements * 4);
    CHECK_INT(t.target_bytes, t.elements / 256 * 144);
    het_quantization_destroy(q);
    close_parsed(&from);
    close_parsed(&to);
    het_model_destroy(m);
    test_folder_empty(&folder);
}

static void types_by_name(void)
{
    const het_quantize_override overrides[] = {
        { "blk.1.ffn_*", HET_DTYPE_Q6_K, 0 }, { "*attn_?.weight", 0, 0 },
        { "output.weight", HET_DTYPE_F16, 0 },
    };
    het_quantize_options o = HET_QUANTIZE_OPTIONS_INIT;
    het_quantization *q = NULL;
    het_model *m = load(tiny_file(GW_F32, 96)); /* rows of 96 are no blocks of 256 */
    o.type = HET_DTYPE_Q6_K;
    o.flags = HET_QUANTIZE_KEEP_EMBEDDING | HET_QUANTIZE_KEEP_OUTPUT;
    o.overrides = overrides;
    o.override_count = 3;
    CHECK_INT(het_quantize(m, &o, test_folder_file(&folder, "o.gguf"), &q, NULL), HET_OK);
    static const struct { const char *name; uint32_t type, result; } want[] = {
        { "blk.1.ffn_down.weight", HET_DTYPE_Q6_K, HET_QUANTIZE_ENCODED },
        { "blk.0.ffn_up.weight", HET_DTYPE_Q8_0, HET_QUANTIZE_REPLACED },
        { "blk.0.attn_q.weight", HET_DTYPE_F32, HET_QUANTIZE_COPIED },
        { "blk.0.attn_norm.weight", HET_DTYPE_F32, HET_QUANTIZE_COPIED },
        { "token_embd.weight", HET_DTYPE_F32, HET_QUANTIZE_COPIED },
        { "output.weight", HET_DTYPE_F16, HET_QUANTIZE_ENCODED }, /* before the flag */
    };
    for (size_t i = 0; q && i < sizeof want / sizeof want[0]; i++) {
        const het_quantization_tensor t = tensor_of(q, want[i].name);
        CHECK_INT(t.type, want[i].type);
        CHECK_INT(t.result, want[i].result);
    }
    het_quantization_destroy(q);
    /* Block formats are left alone unless asked for, and then encoded again. */
    het_model *small = load(test_folder_file(&folder, "o.gguf"));
    for (int again = 0; again < 2; again++) {
        het_quantize_options p = HET_QUANTIZE_OPTIONS_INIT;
        p.type = HET_DTYPE_Q4_0;
        p.flags = again ? HET_QUANTIZE_AGAIN : 0;
        q = NULL;
        CHECK_INT(het_quantize(small, &p, test_folder_file(&folder, "p.gguf"), &q, NULL), HET_OK);
        CHECK_INT(tensor_of(q, "blk.0.ffn_up.weight").type,
                  again ? HET_DTYPE_Q4_0 : HET_DTYPE_Q8_0);
        CHECK_INT(tensor_of(q, "output.weight").type, HET_DTYPE_Q4_0);
        het_quantization_destroy(q);
    }
    het_model_destroy(small);
    het_model_destroy(m);
    test_folder_empty(&folder);
}

static void wrong_calls(void)
{
    het_error err = HET_ERROR_INIT;
    het_quantize_options o = HET_QUANTIZE_OPTIONS_INIT;
    het_model *m = load(tiny_file(GW_F32, 64));
    const char *path = test_folder_file(&folder, "x.gguf");
    o.type = HET_DTYPE_I32;
    CHECK_INT(het_quantize(m, &o, path, NULL, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "I32"));
    o.type = 0;
    o.flags = UINT64_C(1) << 40;
    CHECK_INT(het_quantize(m, &o, path, NULL, &err), HET_E_VERSION);
    o.flags = 0;
    o.override_count = 1;
    CHECK_INT(het_quantize(m, &o, path, NULL, &err), HET_E_INVALID);
    CHECK_INT(het_quantize(m, NULL, NULL, NULL, &err), HET_E_INVALID);
    CHECK_INT(het_quantize(m, NULL, test_folder_file(&folder, "no/x"), NULL, &err), HET_E_IO);
    het_model_destroy(m);
    test_folder_empty(&folder);
}

/* The first element of the last tensor becomes what it must not be. */
static void values_that_do_not_fit(void)
{
    static const struct { float value; het_status status; } cases[] = {
        { NAN, HET_E_FORMAT }, { -INFINITY, HET_E_FORMAT }, { 1e30f, HET_E_UNSUPPORTED },
    };
    for (size_t i = 0; i < 3; i++) {
        const char *path = tiny_file(GW_F32, 64);
        parsed p;
        if (!parse(&p, path))
            return;
        const het__gguf_tensor *t = het__gguf_tensor_find(&p.gguf, "blk.0.ffn_up.weight");
        memcpy((char *)(uintptr_t)t->data, &cases[i].value, sizeof cases[i].value);
        test_file_write(path, p.data, p.gguf.bytes);
        close_parsed(&p);
        het_model *m = load(path);
        het_error err = HET_ERROR_INIT;
        CHECK_INT(quantize(m, HET_DTYPE_Q8_0, "x.gguf", NULL, &err), cases[i].status);
        CHECK(strstr(err.message, "blk.0.ffn_up.weight"));
        het_model_destroy(m);
        CHECK_INT(test_folder_count(&folder, "", NULL), 1);
        test_folder_empty(&folder);
    }
}

/* A scale per row beside the codes; a file without them, or with what is none, is refused. */
static void int8_by_channel(void)
{
    static const float bad[] = { NAN, -1, INFINITY };
    parsed p;
    het_error err = HET_ERROR_INIT;
    het_model *m = load(tiny_file(GW_F32, 64)), *broken = NULL;
    het_quantization *q = NULL;
    CHECK_INT(quantize(m, HET_DTYPE_I8, "i.gguf", &q, NULL), HET_OK);
    const het_quantization_tensor t = tensor_of(q, "blk.0.ffn_up.weight");
    CHECK_INT(t.type, HET_DTYPE_I8);
    CHECK_INT(t.target_bytes, 256 * 64 + 256 * 4);
    het_quantization_destroy(q);
    const char *path = test_folder_file(&folder, "i.gguf");
    if (!parse(&p, path))
        return;
    const het__gguf_tensor *codes = het__gguf_tensor_find(&p.gguf, "blk.0.ffn_up.weight");
    const het__gguf_tensor *scales = het__gguf_tensor_find(&p.gguf, "blk.0.ffn_up.weight_scale");
    CHECK(codes && codes->dtype == HET_DTYPE_I8 && codes->rank == 2);
    CHECK(scales && scales->dtype == HET_DTYPE_F32 && scales->rank == 1);
    CHECK_INT(scales ? scales->extent[0] : 0, 256);
    for (int i = 0; scales && i < 3; i++) {
        float *last = (float *)(uintptr_t)scales->data + 255;
        const float before = *last;
        *last = bad[i];
        test_file_write(path, p.data, p.gguf.bytes);
        CHECK_INT(het_model_load(context, path, NULL, &broken, &err), HET_E_FORMAT);
        CHECK(strstr(err.message, "scale 255") && strstr(err.message, "blk.0.ffn_up.weight"));
        *last = before;
    }
    for (size_t i = 0; i + 25 < p.gguf.bytes; i++) /* the scales under another name */
        if (memcmp((char *)p.data + i, "blk.0.ffn_up.weight_scale", 25) == 0)
            ((char *)p.data)[i + 24] = 'f';
    test_file_write(path, p.data, p.gguf.bytes);
    CHECK_INT(het_model_load(context, path, NULL, &broken, &err), HET_E_FORMAT);
    CHECK(strstr(err.message, "blk.0.ffn_up.weight_scale"));
    close_parsed(&p);
    het_model_destroy(m);
    test_folder_empty(&folder);
}

/* More threads than pieces, and fewer: the same file and the same report. */
static void threads_change_nothing(void)
{
    static const uint32_t threads[] = { 1, 2, 3, 40 };
    char path[512];
    size_t bytes = 0;
    void *first = NULL;
    het_model *m = load(test_source_path(path, sizeof path, "examples/models/hearth.gguf"));
    double error = 0;
    for (size_t i = 0; m && i < 4; i++) {
        het_quantize_options o = HET_QUANTIZE_OPTIONS_INIT;
        het_quantization_info info = { .struct_size = sizeof info };
        het_quantization *q = NULL;
        size_t n = 0;
        o.type = HET_DTYPE_Q4_0;
        o.threads = threads[i];
        CHECK_INT(het_quantize(m, &o, test_folder_file(&folder, "t.gguf"), &q, NULL), HET_OK);
        CHECK_INT(het_quantization_get_info(q, &info), HET_OK);
        void *file = test_read_file(test_folder_file(&folder, "t.gguf"), &n);
        if (i == 0) {
            first = file;
            bytes = n;
            error = info.rms_error;
            CHECK(error > 0);
        } else {
            CHECK(file && first && n == bytes && memcmp(file, first, n) == 0);
            CHECK_NEAR(info.rms_error, error, 0);
            free(file);
        }
        het_quantization_destroy(q);
    }
    free(first);
    het_quantize_options o = HET_QUANTIZE_OPTIONS_INIT;
    o.threads = 1025;
    CHECK_INT(het_quantize(m, &o, test_folder_file(&folder, "t.gguf"), NULL, NULL), HET_E_INVALID);
    het_model_destroy(m);
    test_folder_empty(&folder);
}

/* ---- folders ---- */

#define LENGTH 40
#define WORDS 96

static void logits_of(const het_model *m, float *out)
{
    int32_t ids[LENGTH];
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    het_sequence *q = NULL;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.devices = "ref";
    o.kv_dtype = HET_DTYPE_F32;
    o.threads = 1;
    o.context_max = 64;
    for (int i = 0; i < LENGTH; i++)
        ids[i] = (i * 37 + 11) % (WORDS - 8);
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
        memcpy(out, logits, WORDS * sizeof *out);
    het_sequence_destroy(q);
    het_session_destroy(s);
}

/* What the authors' classes saved, as GGUF: copied bit by bit, so the logits are those of the
 * folder but for the order of sums where rows have moved. */
static void folders_become_files(void)
{
    static const char *const names[] = {
        "gemma", "gemma2", "gemma3", "gemma3n", "llama", "mistral", "mixtral", "phi3",
        "phi3-longrope", "phimoe", "phimoe-longrope", "qwen2", "qwen3", "qwen3moe", "smollm3",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[128], path[512];
        float a[WORDS] = { 0 }, b[WORDS] = { 1 };
        het_error err = HET_ERROR_INIT;
        snprintf(file, sizeof file, "tests/models/reference/folders/%s", names[i]);
        het_model *m = load(test_source_path(path, sizeof path, file));
        if (quantize(m, HET_DTYPE_BF16, "f.gguf", NULL, &err) != HET_OK)
            TEST_FAIL("%s: %s", names[i], err.message);
        het_model *g = load(test_folder_file(&folder, "f.gguf"));
        logits_of(m, a);
        logits_of(g, b);
        double worst = 0;
        for (int k = 0; k < WORDS; k++)
            worst = fmax(worst, fabs((double)a[k] - (double)b[k]));
        if (!(worst < 2e-5))
            TEST_FAIL("%s: off by %g", names[i], worst);
        het_model_destroy(g);
        het_model_destroy(m);
        test_folder_empty(&folder);
    }
}

/* In memory the weights become what a file would have. */
static void while_loading(void)
{
    static const char *const names[] = { "mixtral", "gemma3n", "phi3", "smollm3" };
    static const uint32_t types[] = { HET_DTYPE_Q8_0, HET_DTYPE_BF16, HET_DTYPE_I8 };
    for (size_t i = 0; i < 3 * sizeof names / sizeof names[0]; i++) {
        char file[128], path[512];
        float a[WORDS] = { 0 }, b[WORDS] = { 1 };
        het_model_options o = HET_MODEL_OPTIONS_INIT;
        het_model *small = NULL;
        snprintf(file, sizeof file, "tests/models/reference/folders/%s", names[i / 3]);
        het_model *m = load(test_source_path(path, sizeof path, file));
        o.quantize_type = types[i % 3];
        o.threads = 1 + (uint32_t)i % 3;
        CHECK_INT(quantize(m, o.quantize_type, "f.gguf", NULL, NULL), HET_OK);
        het_model *g = load(test_folder_file(&folder, "f.gguf"));
        CHECK_INT(het_model_load(context, path, &o, &small, NULL), HET_OK);
        logits_of(g, a);
        logits_of(small, b);
        double worst = 0;
        for (int k = 0; k < WORDS; k++)
            worst = fmax(worst, fabs((double)a[k] - (double)b[k]));
        if (!(worst < 2e-5))
            TEST_FAIL("%s: off by %g", names[i / 3], worst);
        het_model_destroy(small);
        het_model_destroy(g);
        het_model_destroy(m);
        test_folder_empty(&folder);
    }
}

static void while_loading_goes_wrong(void)
{
    char path[512];
    het_error err = HET_ERROR_INIT;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_model *m = NULL;
    float a[WORDS] = { 0 }, b[WORDS] = { 1 };
    test_source_path(path, sizeof path, "tests/models/reference/folders/llama");
    o.quantize_type = HET_DTYPE_IQ4_XS; /* which is not written */
    CHECK_INT(het_model_load(context, path, &o, &m, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "quantize_type"));
    o.quantize_type = HET_MODEL_QUANTIZE_AUTO; /* a model this small stays as it is */
    CHECK_INT(het_model_load(context, path, &o, &m, &err), HET_OK);
    het_model *plain = load(path);
    logits_of(plain, a);
    logits_of(m, b);
    CHECK(memcmp(a, b, sizeof a) == 0);
    het_model_destroy(plain);
    het_model_destroy(m);
}

/* Sum over an expert's matrix of weight times squared difference. */
static double weighed_error(const het__gguf_tensor *x, const het__gguf_tensor *y, int64_t expert,
                            const float *weights)
{
    static float a[4096], b[4096];
    const int64_t rows = x->extent[1], columns = x->extent[2];
    double sum = 0;
    for (int64_t r = expert * rows; r < (expert + 1) * rows && columns <= 4096; r++) {
        het__decoder(x->dtype)((const char *)x->data + r * het_dtype_bytes(x->dtype, columns), a,
                               columns);
        het__decoder(y->dtype)((const char *)y->data + r * het_dtype_bytes(y->dtype, columns), b,
                               columns);
        for (int64_t i = 0; i < columns; i++)
            sum += (double)weights[i] * pow((double)a[i] - (double)b[i], 2);
    }
    return sum;
}

/* Every expert is encoded for the tokens that reach it: the error there falls, and what the experts
 * multiply last is weighed too. */
static void experts_are_weighed_by_themselves(void)
{
    static const uint32_t types[] = { HET_DTYPE_Q4_0, HET_DTYPE_Q4_1 };
    static const char text[] =
        "It was a dark and stormy evening, and the old house stood silent upon the hill. She had "
        "waited by the window for an hour, and when at last the carriage came, she could not "
        "find the strength to rise from her chair. \"You are late,\" said she, \"and I had begun "
        "to think that you would never return.\" He answered nothing, but took her hand in his.";
    char path[512];
    het__mem mem;
    het__arena arena;
    het__importance importance;
    parsed exact, plain, weighed;
    het_error err = HET_ERROR_INIT;
    het__mem_init(&mem, NULL);
    het__arena_init(&arena, &mem);
    het_model *m = load(test_source_path(path, sizeof path, "examples/models/hearth-phimoe"));
    CHECK_INT(quantize(m, HET_DTYPE_F32, "f32.gguf", NULL, NULL), HET_OK);
    CHECK_INT(het__importance_measure(m, text, strlen(text), 2, NULL, NULL, &arena, &importance,
                                      &err), HET_OK);
    for (int k = 0; k < 2; k++) {
        het_quantize_options o = HET_QUANTIZE_OPTIONS_INIT;
        int stacks = 0, fell = 0, experts = 0;
        o.type = types[k];
        CHECK_INT(het_quantize(m, &o, test_folder_file(&folder, "a.gguf"), NULL, &err), HET_OK);
        o.importance = text;
        o.importance_bytes = strlen(text);
        CHECK_INT(het_quantize(m, &o, test_folder_file(&folder, "b.gguf"), NULL, &err), HET_OK);
        if (!parse(&exact, test_folder_file(&folder, "f32.gguf")) ||
            !parse(&plain, test_folder_file(&folder, "a.gguf")) ||
            !parse(&weighed, test_folder_file(&folder, "b.gguf")))
            return;
        for (size_t i = 0; i < exact.gguf.tensor_count; i++) {
            const het__gguf_tensor *x = &exact.gguf.tensors[i];
            if (!strstr(x->name, "_exps."))
                continue;
            const het__column_weights *w = het__importance_of(&importance, x);
            CHECK(w && w->matrices == x->extent[0] && w->columns == x->extent[2]);
            double before = 0, after = 0;
            for (int64_t e = 0; w && e < w->matrices; e++) {
                const double a = weighed_error(x, &plain.gguf.tensors[i], e,
                                               w->weights + e * w->columns);
                const double b = weighed_error(x, &weighed.gguf.tensors[i], e,
                                               w->weights + e * w->columns);
                experts++;
                fell += b < a;
                before += a;
                after += b;
            }
            stacks++;
            if (!(after < before))
                TEST_FAIL("%s: %g without, %g with", x->name, before, after);
        }
        printf("%s: less error in %d of %d experts, %d tensors\n",
               het_dtype_name((het_dtype)types[k]), fell, experts, stacks);
        CHECK(stacks >= 3 && fell == experts);
        close_parsed(&exact);
        close_parsed(&plain);
        close_parsed(&weighed);
    }
    het__arena_finish(&arena);
    het_model_destroy(m);
    test_folder_empty(&folder);
}

/* The model must be there to read the text, and the text must be one. */
static void importance_goes_wrong(void)
{
    char path[512];
    het_error err = HET_ERROR_INIT;
    het_quantize_options q = HET_QUANTIZE_OPTIONS_INIT;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_model *m = NULL;
    o.flags = HET_MODEL_INSPECT_ONLY;
    test_source_path(path, sizeof path, "examples/models/hearth-draft.gguf");
    CHECK_INT(het_model_load(context, path, &o, &m, NULL), HET_OK);
    q.importance = "It was a dark and stormy night.";
    q.importance_bytes = strlen(q.importance);
    const char *file = test_folder_file(&folder, "i.gguf");
    CHECK_INT(het_quantize(m, &q, file, NULL, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "INSPECT_ONLY"));
    het_model_destroy(m);
    m = load(path);
    q.importance_bytes = 0;
    CHECK_INT(het_quantize(m, &q, file, NULL, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "too short"));
    het_model_destroy(m);
}

static void what_gguf_cannot_say(void)
{
    char path[512];
    het_error err = HET_ERROR_INIT;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_model *m = load(test_source_path(path, sizeof path,
                                         "tests/models/reference/folders/smollm3-listed"));
    CHECK_INT(quantize(m, HET_DTYPE_BF16, "f.gguf", NULL, &err), HET_E_UNSUPPORTED);
    CHECK(strstr(err.message, "cannot be said"));
    het_model_destroy(m);
    o.flags = HET_MODEL_INSPECT_ONLY;
    m = NULL;
    CHECK_INT(het_model_load(context, path, &o, &m, NULL), HET_OK);
    CHECK_INT(quantize(m, HET_DTYPE_BF16, "f.gguf", NULL, &err), HET_E_UNSUPPORTED);
    CHECK(strstr(err.message, "INSPECT_ONLY"));
    het_model_destroy(m);
    CHECK_INT(test_folder_count(&folder, "", NULL), 0);
}

/* A folder with this tokenizer.json, or NULL. */
static het_model *folder_with(const test_folder *f, const char *tokenizer)
{
    char file[128], path[512];
    size_t bytes = 0;
    tiny_options o = TINY_LLAMA;
    tiny_model tiny;
    o.architecture = "qwen3";
    o.vocabulary = 600;
    tiny_make(&tiny, &o);
    tiny_folder_write(f, &tiny, 2);
    tiny_free(&tiny);
    snprintf(file, sizeof file, "tests/vectors/tokenizers/%s.json", tokenizer);
    void *data = test_read_file(test_source_path(path, sizeof path, file), &bytes);
    CHECK(data != NULL);
    if (data)
        test_file_write(test_folder_file(f, "tokenizer.json"), data, bytes);
    free(data);
    return load(f->path);
}

static void vocabularies_come_along(void)
{
    static const struct { const char *name; bool fits; } cases[] = {
        { "llama3", true }, { "qwen2", true }, { "gpt2", true }, { "digits", false },
        { "llama", false }, { "unigram", false },
    };
    static const char text[] = "Once upon a time, it's 1234567 caf\xc3\xa9\n\n  <|end|>x";
    test_folder from;
    test_folder_make(&from);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t a[200], b[200];
        size_t n = 0, k = 1;
        het_error err = HET_ERROR_INIT;
        het_model *m = folder_with(&from, cases[i].name);
        const het_status s = quantize(m, HET_DTYPE_Q8_0, "v.gguf", NULL, &err);
        if (s != (cases[i].fits ? HET_OK : HET_E_UNSUPPORTED))
            TEST_FAIL("%s: %d, %s", cases[i].name, (int)s, err.message);
        het_model *g = s == HET_OK ? load(test_folder_file(&folder, "v.gguf")) : NULL;
        if (g) {
            const uint64_t flags = HET_ENCODE_ADD_SPECIAL | HET_ENCODE_PARSE_SPECIAL;
            CHECK_INT(het_tokenizer_encode(het_model_tokenizer(m), text, sizeof text - 1, flags, a,
                                           200, &n, NULL), HET_OK);
            CHECK_INT(het_tokenizer_encode(het_model_tokenizer(g), text, sizeof text - 1, flags, b,
                                           200, &k, NULL), HET_OK);
            const bool same = n == k && n > 10 && memcmp(a, b, n * sizeof *a) == 0;
            if (!same)
                TEST_FAIL("%s: %zu ids, want %zu", cases[i].name, k, n);
        }
        het_model_destroy(g);
        het_model_destroy(m);
        test_folder_empty(&folder);
        test_folder_empty(&from);
    }
    test_folder_remove(&from);
}

/* ---- failure ---- */

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
    int calls = 4;
    het_model *m = load(tiny_file(GW_F32, 64));
    test_file_write(test_folder_file(&folder, "x.gguf"), "before", 6);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 65536;
    setrlimit(RLIMIT_FSIZE, &low);
    CHECK_INT(quantize(m, HET_DTYPE_F16, "x.gguf", NULL, &err), HET_E_IO);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK(strstr(err.message, "x.gguf") && err.native_code != 0);
    het_quantize_options o = HET_QUANTIZE_OPTIONS_INIT;
    o.progress = stop;
    o.progress_user = &calls;
    CHECK_INT(het_quantize(m, &o, test_folder_file(&folder, "x.gguf"), NULL, &err),
              HET_E_CANCELLED);
    CHECK_INT(test_folder_count(&folder, "", NULL), 2);
    size_t bytes = 0;
    char *text = test_read_file(test_folder_file(&folder, "x.gguf"), &bytes);
    CHECK(text && bytes == 6 && memcmp(text, "before", 6) == 0);
    free(text);
    het_model_destroy(m);
    test_folder_empty(&folder);
}

static void fail_every_allocation(het_model *m, int files)
{
    const int64_t blocks = counter.blocks;
    uint64_t n = 1;
    for (;; n++) {
        het_quantization *q = NULL;
        counting_allocator_fail(&counter, n);
        const het_status s = quantize(m, HET_DTYPE_Q4_0, "x.gguf", &q, NULL);
        const bool failed = counter.failed > 0;
        counting_allocator_fail(&counter, 0);
        CHECK_INT(s, failed ? HET_E_NOMEM : HET_OK);
        CHECK_INT(test_folder_count(&folder, "", NULL), failed ? files : files + 1);
        remove(test_folder_file(&folder, "x.gguf"));
        CHECK(!failed || !q);
        het_quantization_destroy(q);
        CHECK_INT(counter.blocks, blocks);
        if (!failed || n > 1000)
            break;
    }
    printf("%d allocations\n", (int)n - 1);
    CHECK(n > 5);
    het_model_destroy(m);
    test_folder_empty(&folder);
}

static void every_allocation_fails_once(void)
{
    test_folder from;
    fail_every_allocation(load(tiny_file(GW_F32, 64)), 1);
    test_folder_make(&from);
    fail_every_allocation(folder_with(&from, "llama3"), 0);
    test_folder_remove(&from);
}

/* ---- what is lost ---- */

/* Negative log-likelihood per token of a short text. */
static double mean_nll(const het_model *m, const int32_t *ids, size_t count)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *session = NULL;
    het_sequence *sequence = NULL;
    het_model_info info = { .struct_size = sizeof info };
    het_error err = HET_ERROR_INIT;
    uint64_t pending = 0;
    double sum = 0;
    o.context_max = (int64_t)count;
    o.batch_max = (uint32_t)count;
    o.logits_max = (uint32_t)count;
    CHECK_INT(het_model_get_info(m, &info), HET_OK);
    if (het_session_create(m, &o, &session, &err) ||
        het_sequence_create(session, &sequence, &err) ||
        het_sequence_append(sequence, ids, count, HET_APPEND_LOGITS_ALL, &err) ||
        het_session_step(session, &pending, &err))
        TEST_FAIL("%s", err.message);
    uint32_t rows = 0;
    const float *logits = sequence ? het_sequence_logits(sequence, NULL, &rows) : NULL;
    CHECK_INT(rows, count);
    for (uint32_t r = 0; logits && r + 1 < rows; r++) {
        const float *row = logits + (size_t)r * (size_t)info.vocabulary_size;
        double all = 0;
        for (int64_t i = 0; i < info.vocabulary_size; i++)
            all += exp((double)row[i]);
        sum += log(all) - (double)row[ids[r + 1]];
    }
    het_sequence_destroy(sequence);
    het_session_destroy(session);
    return sum / (double)(count - 1);
}

static void example_model_keeps_what_it_knows(void)
{
    static const char text[] =
        "It was a dark and stormy evening, and the old house stood silent upon the hill. She had "
        "waited by the window for an hour, and when at last the carriage came, she could not "
        "find the strength to rise from her chair. \"You are late,\" said she, \"and I had begun "
        "to think that you would never return.\" He answered nothing, but took her hand in his.";
    static const struct { het_dtype dtype; double worse; } types[] = {
        { HET_DTYPE_Q8_0, 0.005 }, { HET_DTYPE_I8, 0.01 },
        { HET_DTYPE_F16, 0.005 },  { HET_DTYPE_Q6_K, 0.005 },
        { HET_DTYPE_Q5_1, 0.05 },  { HET_DTYPE_Q5_0, 0.05 },  { HET_DTYPE_Q4_K, 0.1 },
        { HET_DTYPE_Q4_1, 0.15 },  { HET_DTYPE_Q4_0, 0.15 },  { HET_DTYPE_IQ4_NL, 0.15 },
        { HET_DTYPE_MXFP4, 0.3 },
    };
    char path[512];
    int32_t ids[256];
    size_t count = 0;
    het_model *m = load(test_source_path(path, sizeof path, "examples/models/hearth.gguf"));
    if (!m)
        return;
    CHECK_INT(het_tokenizer_encode(het_model_tokenizer(m), text, sizeof text - 1,
                                   HET_ENCODE_ADD_SPECIAL, ids, 256, &count, NULL), HET_OK);
    const double before = exp(mean_nll(m, ids, count));
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        CHECK_INT(quantize(m, (uint32_t)types[i].dtype, "h.gguf", NULL, NULL), HET_OK);
        het_model *small = load(test_folder_file(&folder, "h.gguf"));
        const double after = small ? exp(mean_nll(small, ids, count)) : INFINITY;
        printf("%-6s perplexity %.3f, %+.2f %%\n", het_dtype_name(types[i].dtype), after,
               100 * (after / before - 1));
        CHECK_NEAR(after / before, 1, types[i].worse);
        het_model_destroy(small);
    }
    het_model_destroy(m);
    test_folder_empty(&folder);
}

/* Tensors that another program made of the same weights in the same type have the same bytes. */
static void same_as_other(const char *from, const char *other, uint32_t type)
{
    char path[512], inside[128];
    parsed a, b;
    int same = 0;
    snprintf(inside, sizeof inside, "llm/%s.gguf", from);
    het_model *m = load(test_data_path(path, sizeof path, inside));
    CHECK_INT(quantize(m, type, "s.gguf", NULL, NULL), HET_OK);
    snprintf(inside, sizeof inside, "llm/%s.gguf", other);
    if (!m || !parse(&a, test_folder_file(&folder, "s.gguf")) ||
        !parse(&b, test_data_path(path, sizeof path, inside)))
        return;
    for (size_t i = 0; i < a.gguf.tensor_count; i++) {
        const het__gguf_tensor *x = &a.gguf.tensors[i];
        const het__gguf_tensor *y = het__gguf_tensor_find(&b.gguf, x->name);
        if (!y || x->dtype != y->dtype || x->rank < 2)
            continue;
        same++;
        CHECK_INT(x->bytes, y->bytes);
        if (memcmp(x->data, y->data, x->bytes) != 0)
            TEST_FAIL("%s of %s differs", x->name, other);
    }
    printf("%s: %d matrices alike\n", other, same);
    CHECK(same > 5);
    close_parsed(&a);
    close_parsed(&b);
    het_model_destroy(m);
    test_folder_empty(&folder);
}

static void other_programs_files(void)
{
    same_as_other("gguf/stories260K-F32", "gguf/stories260K-Q8_0", HET_DTYPE_Q8_0);
    same_as_other("gguf/stories260K-F32", "gguf/stories260K-Q4_0", HET_DTYPE_Q4_0);
    same_as_other("gguf/stories260K-F32", "gguf/stories260K-Q4_1", HET_DTYPE_Q4_1);
    same_as_other("gguf/stories260K-F32", "gguf/stories260K-Q5_0", HET_DTYPE_Q5_0);
    same_as_other("gguf/stories260K-F32", "gguf/stories260K-Q5_1", HET_DTYPE_Q5_1);
    same_as_other("gguf/stories260K-F32", "gguf/stories260K-IQ4_NL", HET_DTYPE_IQ4_NL);
    same_as_other("gguf/stories260K-F32", "gguf/stories260K-BF16", HET_DTYPE_BF16);
    same_as_other("gguf/stories260K-F32", "gguf/stories260K-F16", HET_DTYPE_F16);
}

static void remove_folder(void) /* after a skip, too */
{
    test_folder_remove(&folder);
}

int main(void)
{
    const het_allocator allocator = counting_allocator_of(&counter);
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.allocator = &allocator;
    CHECK_INT(het_context_create(&o, &context, NULL), HET_OK);
    test_folder_make(&folder);
    atexit(remove_folder);
    test_case(metadata_and_norms_are_carried_over);
    test_case(types_by_name);
    test_case(wrong_calls);
    test_case(values_that_do_not_fit);
    test_case(int8_by_channel);
    test_case(threads_change_nothing);
    test_case(folders_become_files);
    test_case(what_gguf_cannot_say);
    test_case(while_loading);
    test_case(while_loading_goes_wrong);
    test_case(experts_are_weighed_by_themselves);
    test_case(importance_goes_wrong);
    test_case(vocabularies_come_along);
    test_case(failure_leaves_nothing);
    test_case(every_allocation_fails_once);
    test_case(example_model_keeps_what_it_knows);
    if (test_failures) /* a skip below must not hide them */
        return test_finish();
    test_case(other_programs_files);
    het_context_destroy(context);
    CHECK_INT(counter.blocks, 0);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The GGUF reader: every value type, every way a file can be broken that has a message of its own,
 * a file cut at every length, and memory that runs out at every allocation. Files lie in blocks of
 * exactly their size, so that a sanitizer sees a byte read too far. */
#include "gguf_writer.h"
#include "lib/base/dtype.h"
#include "lib/import/gguf.h"
#include "test.h"

typedef struct opened {
    het__mem mem;
    het__arena arena;
    het__gguf gguf;
    het_error err;
    het_status status;
    void *file;
    size_t bytes;
} opened;

static void open_bytes(opened *o, void *file, size_t bytes)
{
    memset(o, 0, sizeof *o);
    het__mem_init(&o->mem, NULL);
    het__arena_init(&o->arena, &o->mem);
    o->err = (het_error)HET_ERROR_INIT;
    o->file = malloc(bytes ? bytes : 1);
    o->bytes = bytes;
    if (!o->file)
        abort();
    if (bytes)
        memcpy(o->file, file, bytes);
    free(file);
    o->status = het__gguf_open(&o->gguf, &o->arena, o->file, bytes, &o->err);
}

static void open_writer(opened *o, gw *g)
{
    size_t bytes;
    void *file = gw_finish(g, &bytes);
    open_bytes(o, file, bytes);
}

static void close_opened(opened *o)
{
    het__arena_finish(&o->arena);
    CHECK_INT(o->mem.bytes, 0);
    free(o->file);
}

/* The file must be refused with this status and a message that holds these words. */
static void refused(gw *g, het_status status, const char *words)
{
    opened o;
    open_writer(&o, g);
    if (o.status != status || !strstr(o.err.message, words))
        TEST_FAIL("status %d, \"%s\"; want %d with \"%s\"", (int)o.status, o.err.message,
                  (int)status, words);
    test_checks++;
    CHECK_INT(o.gguf.entry_count, 0);
    CHECK(!o.gguf.tensors);
    CHECK(strlen(o.err.message) < sizeof o.err.message - 1); /* not cut */
    close_opened(&o);
}

static const het__gguf_entry *entry_of(const opened *o, const char *key)
{
    const het__gguf_entry *e = het__gguf_find(&o->gguf, key);
    if (!e) {
        TEST_FAIL("no entry %s", key);
        exit(1);
    }
    return e;
}

static void every_type_is_read(void)
{
    gw *g = gw_begin(3);
    gw_u8(g, "z.u8", 200);
    gw_i8(g, "y.i8", -100);
    gw_u16(g, "u16", 60000);
    gw_i16(g, "i16", -30000);
    gw_u32(g, "u32", 4000000000u);
    gw_i32(g, "i32", INT32_MIN);
    gw_f32(g, "f32", 0.1f);
    gw_bool(g, "bool", 1);
    gw_string(g, "string", "héllo");
    gw_u64(g, "u64", UINT64_MAX);
    gw_u64(g, "u64.small", INT64_MAX);
    gw_i64(g, "i64", INT64_MIN);
    gw_f64(g, "f64", 0.1);
    gw_array_i16(g, "a.i16", (int16_t[]){ -1, 2, -3 }, 3);
    gw_array_bool(g, "a.bool", (uint8_t[]){ 0, 1 }, 2);
    gw_array_f64(g, "a.f64", (double[]){ 1e300, -0.25 }, 2);
    gw_array_string(g, "a.string", (const char *const[]){ "", "ab", "\"\n\x01" }, 3);
    gw_array_u64(g, "a.none", NULL, 0);
    opened o;
    open_writer(&o, g);
    CHECK_INT(o.status, HET_OK);
    CHECK_INT(o.gguf.entry_count, 18);
    CHECK_INT(o.gguf.version, 3);
    CHECK_INT(o.gguf.alignment, 32);
    CHECK_STR(o.gguf.entries[0].key, "z.u8"); /* file order is kept */

    static const struct { const char *key; int64_t want; } integers[] = {
        { "z.u8", 200 }, { "y.i8", -100 }, { "u16", 60000 }, { "i16", -30000 },
        { "u32", 4000000000 }, { "i32", INT32_MIN }, { "u64.small", INT64_MAX },
        { "i64", INT64_MIN },
    };
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        int64_t v = 0;
        CHECK(het__gguf_i64(&o.gguf, integers[i].key, &v));
        CHECK_INT(v, integers[i].want);
    }
    int64_t i = 7;
    double d = 7;
    bool b = false;
    het__span s = { 0 };
    static const char *const not_integers[] = { "u64", "f32", "bool", "string", "a.i16", "absent" };
    for (size_t k = 0; k < sizeof not_integers / sizeof not_integers[0]; k++)
        CHECK(!het__gguf_i64(&o.gguf, not_integers[k], &i));
    CHECK_INT(i, 7);
    CHECK(het__gguf_f64(&o.gguf, "f32", &d) && d == (double)0.1f);
    CHECK(het__gguf_f64(&o.gguf, "f64", &d) && d == 0.1);
    CHECK(het__gguf_f64(&o.gguf, "i16", &d) && d == -30000);
    CHECK(!het__gguf_f64(&o.gguf, "i64", &d) && !het__gguf_f64(&o.gguf, "bool", &d));
    CHECK(!het__gguf_f64(&o.gguf, "a.f64", &d) && !het__gguf_f64(&o.gguf, "string", &d));
    CHECK(het__gguf_bool(&o.gguf, "bool", &b) && b);
    CHECK(!het__gguf_bool(&o.gguf, "z.u8", &b) && !het__gguf_bool(&o.gguf, "a.bool", &b));
    CHECK(het__gguf_string(&o.gguf, "string", &s) && s.bytes == 6 && !memcmp(s.data, "héllo", 6));
    CHECK(!het__gguf_string(&o.gguf, "a.string", &s) && !het__gguf_string(&o.gguf, "", &s));

    const het__gguf_entry *a = entry_of(&o, "a.i16");
    CHECK_INT(a->count, 3);
    CHECK(het__gguf_array_i64(a, 2, &i) && i == -3);
    CHECK(!het__gguf_array_i64(a, 3, &i) && !het__gguf_array_i64(a, UINT64_MAX, &i));
    CHECK(het__gguf_array_f64(a, 0, &d) && d == -1);
    CHECK(het__gguf_array_i64(entry_of(&o, "a.bool"), 1, &i) && i == 1);
    CHECK(!het__gguf_array_f64(entry_of(&o, "a.bool"), 1, &d));
    CHECK(het__gguf_array_f64(entry_of(&o, "a.f64"), 1, &d) && d == -0.25);
    CHECK(het__gguf_array_i64(entry_of(&o, "u16"), 0, &i) && i == 60000);
    CHECK(!het__gguf_array_i64(entry_of(&o, "a.none"), 0, &i));
    CHECK(!het__gguf_array_i64(entry_of(&o, "a.string"), 0, &i));
    const het__span *strings = het__gguf_strings(&o.gguf, entry_of(&o, "a.string"));
    CHECK(strings && strings[0].bytes == 0 && strings[1].bytes == 2 &&
          !memcmp(strings[1].data, "ab", 2));
    CHECK(!het__gguf_strings(&o.gguf, entry_of(&o, "string")));
    CHECK(!het__gguf_strings(&o.gguf, entry_of(&o, "a.i16")));
    close_opened(&o);
}

static void rendered(const opened *o, const char *key, const char *type, const char *want)
{
    CHECK_STR(het__gguf_type_name(entry_of(o, key)), type);
    CHECK_STR(het__gguf_render(o->gguf.arena, entry_of(o, key)), want);
}

static void values_render(void)
{
    gw *g = gw_begin(2);
    static const struct { float value; const char *want; } floats[] = {
        { 0, "0" }, { 1, "1" }, { -1.5f, "-1.5" }, { 0.1f, "0.1" }, { 1e-5f, "1e-5" },
        { 10000, "10000" }, { 1e6f, "1000000" }, { 1e20f, "1e20" },
        { 3.4028235e38f, "3.4028235e38" },
        { 0.00012f, "0.00012" }, { 16777216, "16777216" }, { INFINITY, "inf" },
        { -INFINITY, "-inf" },
        { NAN, "nan" }, { 123.456f, "123.456" }, { 1e-45f, "1e-45" },
    };
    char key[32];
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        snprintf(key, sizeof key, "f%zu", i);
        gw_f32(g, key, floats[i].value);
    }
    gw_f64(g, "f64", 0.1 + 0.2);
    gw_bool(g, "yes", 1);
    gw_u64(g, "big", UINT64_MAX);
    gw_text(g, "text", "a\n\"\xff\0é", 7);
    gw_array_u8(g, "few", (uint8_t[]){ 1, 2, 3 }, 3);
    gw_array_i32(g, "many", (int32_t[]){ -1, 2, 3, 4, 5, 6, 7, 8, 9 }, 9);
    gw_array_bool(g, "bools", (uint8_t[]){ 0, 1 }, 2);
    gw_array_string(g, "strings", (const char *const[]){ "a\"\\\n\x01", "" }, 2);
    gw_array_string(g, "long", (const char *const[]){ "0123456789012345678901234567890123456789x" },
                    1);
    gw_array_f32(g, "none", NULL, 0);
    opened o;
    open_writer(&o, g);
    CHECK_INT(o.status, HET_OK);
    CHECK_INT(o.gguf.version, 2);
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        snprintf(key, sizeof key, "f%zu", i);
        rendered(&o, key, "f32", floats[i].want);
    }
    rendered(&o, "f64", "f64", "0.30000000000000004");
    rendered(&o, "yes", "bool", "true");
    rendered(&o, "big", "u64", "18446744073709551615");
    rendered(&o, "text", "string", "a\n\"\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
    rendered(&o, "few", "array of u8", "[1, 2, 3]");
    rendered(&o, "many", "array of i32", "[-1, 2, 3, 4, 5, 6, 7, 8, … 9 elements]");
    rendered(&o, "bools", "array of bool", "[false, true]");
    rendered(&o, "strings", "array of string", "[\"a\\\"\\\\\\n\\x01\", \"\"]");
    rendered(&o, "long", "array of string", "[\"0123456789012345678901234567890123456789…\"]");
    rendered(&o, "none", "array of f32", "[]");
    close_opened(&o);
}

static void tensors_are_placed(void)
{
    float values[6] = { 1, 2, 3, 4, 5, 6 };
    gw *g = gw_begin(3);
    gw_u32(g, "general.alignment", 64);
    gw_tensor(g, "b", GW_F32, 2, (uint64_t[]){ 3, 2 }, values, sizeof values);
    gw_tensor(g, "a", GW_Q4_0, 3, (uint64_t[]){ 64, 5, 2 }, NULL, 10 * 36);
    gw_tensor(g, "scalar", GW_F32, 0, NULL, values + 1, 4);
    gw_tensor(g, "mx", GW_MXFP4, 1, (uint64_t[]){ 32 }, NULL, 17);
    opened o;
    open_writer(&o, g);
    CHECK_INT(o.status, HET_OK);
    CHECK_INT(o.gguf.tensor_count, 4);
    CHECK_INT(o.gguf.alignment, 64);
    const het__gguf_tensor *t = het__gguf_tensor_find(&o.gguf, "b");
    CHECK(t == &o.gguf.tensors[0]);
    CHECK_INT(t->rank, 2);
    CHECK_INT(t->extent[0], 2);
    CHECK_INT(t->extent[1], 3);
    CHECK_INT(t->bytes, 24);
    CHECK(memcmp(t->data, values, sizeof values) == 0);
    CHECK_INT(((const uint8_t *)t->data - o.gguf.data) % 64, 0);
    t = het__gguf_tensor_find(&o.gguf, "a");
    CHECK(t && t->dtype == HET_DTYPE_Q4_0);
    CHECK_INT(t->bytes, 360);
    CHECK_INT(t->extent[0] * 10000 + t->extent[1] * 1000 + t->extent[2], 25064);
    t = het__gguf_tensor_find(&o.gguf, "scalar");
    CHECK(t && t->rank == 0 && t->bytes == 4 && memcmp(t->data, values + 1, 4) == 0);
    CHECK(!het__gguf_tensor_find(&o.gguf, "ab") && !het__gguf_tensor_find(&o.gguf, ""));
    close_opened(&o);
}

/* Many names, written in an order that is neither sorted nor reversed. */
static void lookup_finds_each_of_many(void)
{
    enum { COUNT = 1000 };
    gw *g = gw_begin(3);
    char key[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "key.%d", i * 7919 % COUNT);
        gw_i32(g, key, i);
    }
    opened o;
    open_writer(&o, g);
    CHECK_INT(o.status, HET_OK);
    for (int i = 0; i < COUNT; i++) {
        int64_t v = -1;
        snprintf(key, sizeof key, "key.%d", i * 7919 % COUNT);
        CHECK(het__gguf_i64(&o.gguf, key, &v));
        CHECK_INT(v, i);
    }
    CHECK(!het__gguf_find(&o.gguf, "key.") && !het__gguf_find(&o.gguf, "key.1000"));
    close_opened(&o);
}

static void empty_files_open(void)
{
    opened o;
    open_writer(&o, gw_begin(3));
    CHECK_INT(o.status, HET_OK);
    CHECK(!het__gguf_find(&o.gguf, "x") && !het__gguf_tensor_find(&o.gguf, "x"));
    close_opened(&o);
    open_bytes(&o, NULL, 0);
    CHECK_INT(o.status, HET_E_FORMAT);
    close_opened(&o);
    het__gguf g;
    CHECK_INT(het__gguf_open(&g, &o.arena, NULL, 0, NULL), HET_E_FORMAT);
}

static void headers_are_refused(void)
{
    opened o;
    char *other = malloc(8);
    if (!other)
        abort();
    memcpy(other, "GGML1234", 8);
    open_bytes(&o, other, 8);
    CHECK_INT(o.status, HET_E_FORMAT);
    CHECK(strstr(o.err.message, "47 47 4d 4c") != NULL);
    close_opened(&o);
    refused(gw_begin(1), HET_E_UNSUPPORTED, "version 1");
    refused(gw_begin(0), HET_E_FORMAT, "version 0");
    refused(gw_begin(4), HET_E_VERSION, "version 4");
    refused(gw_begin(0x03000000), HET_E_UNSUPPORTED, "big-endian");
    gw *g = gw_begin(3);
    g->entry_count = UINT64_MAX;
    refused(g, HET_E_FORMAT, "18446744073709551615 metadata entries");
    g = gw_begin(3);
    g->tensor_count = 1;
    refused(g, HET_E_FORMAT, "1 tensors, but the 0 bytes after byte 24");
    /* The smallest entry there can be takes 13 bytes. */
    g = gw_begin(3);
    gw_u8(g, "", 0);
    g->entry_count = 2;
    refused(g, HET_E_FORMAT, "2 metadata entries, but the 13 bytes after byte 24 hold at most 1");
    /* A small file must not make us take much memory. */
    g = gw_begin(3);
    gw_string(g, "k", "0123456789");
    g->entry_count = 1 << 16;
    open_writer(&o, g);
    CHECK_INT(o.status, HET_E_FORMAT);
    CHECK(o.mem.peak < 64 << 10);
    close_opened(&o);
}

static gw *with_raw(const char *key, uint32_t type, const void *value, size_t bytes)
{
    gw *g = gw_begin(3);
    gw_raw(g, key, type, value, bytes);
    return g;
}

static void entries_are_refused(void)
{
    static const uint8_t huge[16] = { 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    refused(with_raw("k", 13, huge, 8), HET_E_FORMAT, "key 'k' at byte 33 is 13");
    refused(with_raw("k", 8, huge + 4, 8), HET_E_FORMAT,
            "string of key 'k' at byte 45 takes 18446744073709551615 bytes");
    refused(with_raw("k", 10, huge, 7), HET_E_FORMAT, "value of key 'k' at byte 37");
    for (uint32_t type = 0; type < 13; type++) { /* arrays that claim 2^64 - 1 elements */
        uint8_t value[12];
        memcpy(value, &type, 4);
        memcpy(value + 4, huge + 4, 8);
        refused(with_raw("k", 9, value, 12), type == 9 ? HET_E_UNSUPPORTED : HET_E_FORMAT,
                "key 'k'");
    }
    /* Eight times the count is 8 in 64 bits. */
    refused(with_raw("k", 9, (uint8_t[20]){ 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x20 }, 20),
            HET_E_FORMAT, "has 2305843009213693953 elements of 8 bytes");
    refused(with_raw("k", 9, (uint8_t[12]){ 13 }, 12), HET_E_FORMAT, "element type of key 'k'");
    refused(with_raw("k", 9, (uint8_t[12]){ 9 }, 12), HET_E_UNSUPPORTED, "array of arrays");
    refused(with_raw("k", 7, (uint8_t[1]){ 2 }, 1), HET_E_FORMAT,
            "bool of key 'k' at byte 37 is 2");
    gw *g = gw_begin(3);
    gw_array_bool(g, "k", (uint8_t[]){ 0, 1, 255 }, 3);
    refused(g, HET_E_FORMAT, "bool of key 'k' at byte 51 is 255");
    g = gw_begin(3);
    gw_u8(g, "twice", 1);
    gw_u8(g, "once", 1);
    gw_u8(g, "twice", 2);
    refused(g, HET_E_FORMAT, "metadata key 'twice' occurs twice, as number 0 and 2");
    refused(with_raw("a\nb", 0, huge, 1), HET_E_FORMAT, "control character 0x0a");

    char *key = malloc(65537);
    if (!key)
        abort();
    memset(key, 'k', 65536);
    key[65535] = key[65536] = '\0';
    opened o;
    g = gw_begin(3);
    gw_u8(g, key, 5);
    open_writer(&o, g);
    CHECK_INT(o.status, HET_OK);
    int64_t v = 0;
    CHECK(het__gguf_i64(&o.gguf, key, &v) && v == 5);
    close_opened(&o);
    refused(with_raw(key, 7, (uint8_t[1]){ 2 }, 1), HET_E_FORMAT, "kkk...' at byte");
    key[65535] = 'k';
    refused(with_raw(key, 0, huge, 1), HET_E_FORMAT, "is 65536 bytes long, more than the 65535");
    free(key);
}

static gw *with_u32(const char *key, uint32_t value)
{
    gw *g = gw_begin(3);
    gw_u32(g, key, value);
    g->alignment = 1;
    return g;
}

static void alignment_and_parts(void)
{
    refused(with_u32("general.alignment", 0), HET_E_FORMAT, "general.alignment is 0");
    refused(with_u32("general.alignment", 48), HET_E_FORMAT, "general.alignment is 48");
    refused(with_u32("general.alignment", 1 << 21), HET_E_FORMAT, "general.alignment is 2097152");
    refused(with_raw("general.alignment", 6, (uint8_t[4]){ 0 }, 4), HET_E_FORMAT, "not an integer");
    refused(with_u32("split.count", 3), HET_E_UNSUPPORTED, "one of 3 parts");
    opened o;
    open_writer(&o, with_u32("split.count", 1));
    CHECK_INT(o.status, HET_OK);
    close_opened(&o);
    for (uint32_t alignment = 1; alignment <= 1 << 20; alignment *= 2) {
        gw *g = with_u32("general.alignment", alignment);
        g->alignment = alignment;
        gw_tensor(g, "a", GW_I8, 1, (uint64_t[]){ 3 }, "abc", 3);
        gw_tensor(g, "b", GW_I8, 1, (uint64_t[]){ 2 }, "de", 2);
        open_writer(&o, g);
        CHECK_INT(o.status, HET_OK);
        if (o.status == HET_OK)
            CHECK(memcmp(o.gguf.tensors[1].data, "de", 2) == 0);
        close_opened(&o);
    }
}

/* One record of a tensor, with 256 bytes of data in the file. */
static gw *with_tensor(const char *name, uint32_t type, uint32_t rank, const uint64_t *extents,
                       uint64_t offset)
{
    gw *g = gw_begin(3);
    gw_tensor_at(g, name, type, rank, extents, offset);
    gw_put(&g->data, NULL, 256);
    return g;
}

static void tensors_are_refused(void)
{
    const uint64_t one[8] = { 32, 1, 1, 1, 1, 1, 1, 1 };
    const uint64_t wide = UINT64_C(1) << 31;
    opened o;
    open_writer(&o, with_tensor("t", GW_F32, 4, one, 128));
    CHECK_INT(o.status, HET_OK);
    close_opened(&o);
    refused(with_tensor("t", GW_F32, 5, one, 0), HET_E_FORMAT, "'t' at byte 33 has 5 dimensions");
    refused(with_tensor("t", GW_F32, UINT32_MAX & 7, one, 0), HET_E_FORMAT, "7 dimensions");
    refused(with_tensor("t", 16, 1, one, 0), HET_E_UNSUPPORTED, "tensor 't' at byte 45 has type 16 "
                                                                "(IQ2_XXS)");
    static const uint32_t unknown[] = { 4, 5, 31, 33, 36, 38, 40, 1000, UINT32_MAX };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        refused(with_tensor("t", unknown[i], 1, one, 0), HET_E_UNSUPPORTED, "(unknown)");
    refused(with_tensor("t", GW_F32, 2, (uint64_t[]){ 4, 0 }, 0), HET_E_FORMAT,
            "dimension 1 of tensor 't' at byte 45 is 0");
    refused(with_tensor("t", GW_F32, 1, (uint64_t[]){ UINT64_MAX }, 0), HET_E_FORMAT,
            "dimension 0 of tensor 't' at byte 37 is 18446744073709551615");
    refused(with_tensor("t", GW_I8, 3, (uint64_t[]){ wide, wide, wide }, 0), HET_E_FORMAT,
            "overflows");
    refused(with_tensor("t", GW_F32, 2, (uint64_t[]){ wide, wide }, 0), HET_E_FORMAT, "overflows");
    refused(with_tensor("t", GW_Q4_0, 1, (uint64_t[]){ 33 }, 0), HET_E_FORMAT,
            "rows of 33 elements, not whole Q4_0 blocks of 32");
    refused(with_tensor("t", GW_Q4_K, 2, (uint64_t[]){ 128, 2 }, 0), HET_E_FORMAT, "rows of 128");
    refused(with_tensor("t", GW_Q8_0, 0, NULL, 0), HET_E_FORMAT, "rows of 1 elements");
    refused(with_tensor("t", GW_F32, 1, one, 16), HET_E_FORMAT,
            "not a multiple of the alignment 32");
    refused(with_tensor("t", GW_F32, 1, one, 160), HET_E_FORMAT, "128 bytes at offset 160");
    refused(with_tensor("t", GW_F32, 1, one, UINT64_MAX - 31), HET_E_FORMAT, "ends outside");
    refused(with_tensor("t", GW_F32, 1, (uint64_t[]){ 65 }, 0), HET_E_FORMAT,
            "260 bytes at offset 0");

    char name[300];
    memset(name, 'n', sizeof name);
    name[255] = '\0';
    open_writer(&o, with_tensor(name, GW_F32, 1, one, 0));
    CHECK_INT(o.status, HET_OK);
    CHECK(het__gguf_tensor_find(&o.gguf, name) != NULL);
    close_opened(&o);
    refused(with_tensor(name, GW_F32, 1, one, 16), HET_E_FORMAT, "nnn...' at byte");
    name[255] = 'n';
    name[256] = '\0';
    refused(with_tensor(name, GW_F32, 1, one, 0), HET_E_FORMAT,
            "256 bytes long, more than the 255");
    gw *g = with_tensor("t", GW_F32, 1, one, 0);
    gw_tensor_at(g, "t", GW_F32, 1, one, 128);
    refused(g, HET_E_FORMAT, "tensor 't' occurs twice");
}

/* A file with all the parts there are. */
static gw *small_file(void)
{
    gw *g = gw_begin(3);
    gw_string(g, "general.architecture", "test");
    gw_u32(g, "general.alignment", 32);
    gw_array_string(g, "tokens", (const char *const[]){ "a", "bc", "" }, 3);
    gw_array_f32(g, "scores", (float[]){ 1, 2, 3 }, 3);
    gw_bool(g, "flag", 0);
    gw_tensor(g, "w", GW_Q8_0, 2, (uint64_t[]){ 32, 2 }, NULL, 68);
    gw_tensor(g, "v", GW_F32, 1, (uint64_t[]){ 4 }, NULL, 16);
    return g;
}

static void every_length_is_survived(void)
{
    size_t bytes;
    uint8_t *file = gw_finish(small_file(), &bytes);
    CHECK(bytes > 300 && bytes < 1000);
    for (size_t length = 0; length <= bytes; length++) {
        uint8_t *cut = malloc(length + 1);
        if (!cut)
            abort();
        memcpy(cut, file, length);
        opened o;
        open_bytes(&o, cut, length);
        CHECK_INT(o.status, length < bytes ? HET_E_FORMAT : HET_OK);
        CHECK(o.status == HET_OK || strlen(o.err.message) > 10);
        close_opened(&o);
    }
    free(file);
}

/* Any byte replaced: opens or is refused, and what opens can be read. */
static void every_changed_byte_is_survived(void)
{
    size_t bytes;
    uint8_t *file = gw_finish(small_file(), &bytes);
    static const uint8_t values[] = { 0, 1, 9, 0x7f, 0x80, 0xff };
    int accepted = 0;
    for (size_t at = 0; at < bytes; at++)
        for (size_t v = 0; v < sizeof values; v++) {
            uint8_t *changed = malloc(bytes);
            if (!changed)
                abort();
            memcpy(changed, file, bytes);
            changed[at] = values[v];
            opened o;
            open_bytes(&o, changed, bytes);
            accepted += o.status == HET_OK;
            for (size_t i = 0; i < o.gguf.entry_count; i++)
                CHECK(het__gguf_render(&o.arena, &o.gguf.entries[i]) != NULL);
            for (size_t i = 0; i < o.gguf.tensor_count; i++) {
                const het__gguf_tensor *t = &o.gguf.tensors[i];
                const uint8_t *end = (const uint8_t *)o.file + bytes;
                CHECK(t->bytes <= (size_t)(end - (const uint8_t *)t->data));
            }
            close_opened(&o);
        }
    CHECK(accepted > 0);
    free(file);
}

static int allocations_left;

static void *failing_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (allocations_left-- <= 0)
        return NULL;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void failing_free(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(ptr);
}

static void memory_runs_out(void)
{
    gw *g = small_file();
    char key[32];
    for (int i = 0; i < 2000; i++) { /* more than one block of the arena */
        snprintf(key, sizeof key, "key.%d", i);
        gw_u8(g, key, 0);
    }
    size_t bytes;
    uint8_t *file = gw_finish(g, &bytes);
    const het_allocator allocator = { sizeof allocator, 0, NULL, failing_alloc, failing_free };
    het_status s = HET_E_NOMEM;
    int n = 0;
    for (; s != HET_OK && n < 1000; n++) {
        het__mem mem;
        het__mem_init(&mem, &allocator);
        het__arena arena;
        het__arena_init(&arena, &mem);
        het__gguf gguf;
        het_error err = HET_ERROR_INIT;
        allocations_left = n;
        s = het__gguf_open(&gguf, &arena, file, bytes, &err);
        if (s != HET_OK) {
            CHECK_INT(s, HET_E_NOMEM);
            CHECK(strstr(err.message, "memory") && !gguf.entries);
        } else {
            allocations_left = 0;
            CHECK(!het__gguf_render(&arena, het__gguf_find(&gguf, "tokens")));
        }
        het__arena_finish(&arena);
        CHECK_INT(mem.bytes, 0);
    }
    CHECK(n > 3 && n < 1000);
    free(file);
}

static void shared_files_open(void)
{
    static const struct { const char *path; size_t tensors; } files[] = {
        { "llm/derived/stories260K-llama-tied-F32.gguf", 47 },
        { "llm/derived/stories260K-moe2of4-F32.gguf", 53 },
        { "llm/derived/stories260K-moe2of4-Q8_0.gguf", 53 },
        { "llm/derived/stories260K-moe4of4-F32.gguf", 53 },
        { "llm/derived/stories260K-phi3-F32.gguf", 33 },
        { "llm/derived/stories260K-x256-F16.gguf", 48 },
        { "llm/derived/stories260K-x256-IQ4_NL.gguf", 48 },
        { "llm/derived/stories260K-x256-IQ4_XS.gguf", 48 },
        { "llm/derived/stories260K-x256-Q2_K.gguf", 48 },
        { "llm/derived/stories260K-x256-Q3_K_M.gguf", 48 },
        { "llm/derived/stories260K-x256-Q4_0.gguf", 48 },
        { "llm/derived/stories260K-x256-Q4_K_M.gguf", 48 },
        { "llm/derived/stories260K-x256-Q5_K_M.gguf", 48 },
        { "llm/derived/stories260K-x256-Q6_K.gguf", 48 },
        { "llm/derived/stories260K-x256-Q8_0.gguf", 48 },
        { "llm/derived/stories260K-x256-moe2of4-MXFP4_MOE.gguf", 53 },
        { "llm/derived/stories260K-x256-moe2of4-Q4_K_M.gguf", 53 },
        { "llm/gguf/stories260K-BF16.gguf", 48 },
        { "llm/gguf/stories260K-F16.gguf", 48 },
        { "llm/gguf/stories260K-F32.gguf", 48 },
        { "llm/gguf/stories260K-IQ4_NL.gguf", 48 },
        { "llm/gguf/stories260K-Q4_0.gguf", 48 },
        { "llm/gguf/stories260K-Q4_1.gguf", 48 },
        { "llm/gguf/stories260K-Q4_K_M.gguf", 48 },
        { "llm/gguf/stories260K-Q5_0.gguf", 48 },
        { "llm/gguf/stories260K-Q5_1.gguf", 48 },
        { "llm/gguf/stories260K-Q8_0.gguf", 48 },
        { "tokenizers/ggml-vocab-falcon.gguf", 0 },
        { "tokenizers/ggml-vocab-gpt-2.gguf", 0 },
        { "tokenizers/ggml-vocab-phi-3.gguf", 0 },
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[512];
        size_t bytes = 0;
        void *file = test_read_file(test_data_path(path, sizeof path, files[i].path), &bytes);
        if (!file) {
            TEST_FAIL("cannot read %s", path);
            continue;
        }
        opened o;
        open_bytes(&o, file, bytes);
        if (o.status != HET_OK)
            TEST_FAIL("%s: %s", path, o.err.message);
        CHECK_INT(o.gguf.tensor_count, files[i].tensors);
        het__span architecture;
        CHECK(het__gguf_string(&o.gguf, "general.architecture", &architecture));
        const het__gguf_entry *tokens = het__gguf_find(&o.gguf, "tokenizer.ggml.tokens");
        CHECK(tokens && tokens->count >= 500 && het__gguf_strings(&o.gguf, tokens) != NULL);
        close_opened(&o);
    }
}

int main(void)
{
    test_case(every_type_is_read);
    test_case(values_render);
    test_case(tensors_are_placed);
    test_case(lookup_finds_each_of_many);
    test_case(empty_files_open);
    test_case(headers_are_refused);
    test_case(entries_are_refused);
    test_case(alignment_and_parts);
    test_case(tensors_are_refused);
    test_case(every_length_is_survived);
    test_case(every_changed_byte_is_survived);
    test_case(memory_runs_out);
    if (test_failures) /* a skip below must not hide them */
        return test_finish();
    test_case(shared_files_open);
    return test_finish();
}

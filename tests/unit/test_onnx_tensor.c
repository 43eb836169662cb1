/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of ONNX files: every type in every form, and what is refused. */
#include "test.h"

#include "lib/import/onnx.h"
#include "onnx_writer.h"

static het__mem mem;

/* The message in a block of its own, so that a byte read too far is found. */
static het_status read_tensor(ow message, het__tensor *t, const char **name, het_error *err)
{
    uint8_t *exact = malloc(message.bytes ? message.bytes : 1);
    *err = (het_error)HET_ERROR_INIT;
    memset(t, 0, sizeof *t);
    if (message.bytes)
        memcpy(exact, message.data, message.bytes);
    const het_status s = het__onnx_tensor(exact, message.bytes, &mem, t, name, err);
    free(exact);
    free(message.data);
    return s;
}

static void check_bytes(ow message, het_dtype dtype, const void *want, size_t bytes)
{
    het__tensor t;
    het_error err;
    CHECK_INT(read_tensor(message, &t, NULL, &err), HET_OK);
    CHECK_STR(err.message, "");
    CHECK_INT(t.dtype, dtype);
    CHECK_INT(t.data ? het__tensor_bytes(&t) : -1, bytes);
    if (t.data && het__tensor_bytes(&t) == (int64_t)bytes)
        for (size_t i = 0; i < bytes; i++)
            CHECK_INT(((const uint8_t *)t.data)[i], ((const uint8_t *)want)[i]);
    het__free(&mem, t.data);
}

static void check_refused(ow message, het_status status, const char *part)
{
    het__tensor t;
    het_error err;
    CHECK_INT(read_tensor(message, &t, NULL, &err), status);
    CHECK_INT(err.status, status);
    if (!strstr(err.message, part))
        TEST_FAIL("message \"%s\" does not say \"%s\"", err.message, part);
    CHECK(!t.data);
    CHECK_INT(atomic_load(&mem.bytes), 0);
}

static ow packed_varints(ow t, uint32_t field, const int64_t *x, size_t count)
{
    ow list = { NULL, 0, 0 };
    for (size_t i = 0; i < count; i++)
        ow_number(&list, (uint64_t)x[i]);
    ow_add(&t, field, list);
    return t;
}

static void raw_contents(void)
{
    static const uint8_t bytes[64] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 250 };
    static const struct { int type; het_dtype dtype; size_t width; } rows[] = {
        { OW_FLOAT, HET_DTYPE_F32, 4 },      { OW_UINT8, HET_DTYPE_U8, 1 },
        { OW_INT8, HET_DTYPE_I8, 1 },        { OW_UINT16, HET_DTYPE_U16, 2 },
        { OW_INT16, HET_DTYPE_I16, 2 },      { OW_INT32, HET_DTYPE_I32, 4 },
        { OW_INT64, HET_DTYPE_I64, 8 },      { OW_FLOAT16, HET_DTYPE_F16, 2 },
        { OW_DOUBLE, HET_DTYPE_F64, 8 },     { OW_UINT32, HET_DTYPE_U32, 4 },
        { OW_UINT64, HET_DTYPE_U64, 8 },     { OW_BFLOAT16, HET_DTYPE_BF16, 2 },
        { OW_F8E4M3, HET_DTYPE_F8E4M3, 1 },  { OW_F8E4M3UZ, HET_DTYPE_F8E4M3UZ, 1 },
        { OW_F8E5M2, HET_DTYPE_F8E5M2, 1 },  { OW_F8E5M2UZ, HET_DTYPE_F8E5M2UZ, 1 },
        { OW_F8E8M0, HET_DTYPE_F8E8M0, 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_bytes(ow_tensor("x", rows[i].type, "2,3", bytes, 6 * rows[i].width), rows[i].dtype,
                    bytes, 6 * rows[i].width);
    check_bytes(ow_tensor("x", OW_BOOL, "4", "\0\1\7\200", 4), HET_DTYPE_BOOL, "\0\1\1\1", 4);
    check_bytes(ow_tensor("x", OW_FLOAT, "", bytes, 4), HET_DTYPE_F32, bytes, 4);
    check_bytes(ow_tensor("x", OW_FLOAT, "2,0,3", NULL, 0), HET_DTYPE_F32, bytes, 0);
    check_bytes(ow_bare_tensor("x", OW_INT4, "0"), HET_DTYPE_I4, bytes, 0);
}

static void names_and_extents(void)
{
    het__tensor t;
    het_error err;
    const char *name = NULL;
    CHECK_INT(read_tensor(ow_tensor("a name", OW_UINT8, "1,2,1,3", "abcdef", 6), &t, &name, &err),
              HET_OK);
    CHECK_STR(name, "a name");
    CHECK_INT(t.rank, 4);
    CHECK_INT(t.extent[1], 2);
    CHECK_INT(t.extent[3], 3);
    het__free(&mem, t.data);
    CHECK_INT(read_tensor(ow_tensor(NULL, OW_UINT8, "", "a", 1), &t, &name, &err), HET_OK);
    CHECK_STR(name, "");
    het__free(&mem, t.data);
    /* Extents may be packed. */
    ow p = { NULL, 0, 0 };
    ow_bytes(&p, OW_T_DIMS, "\2\3", 2);
    ow_int(&p, OW_T_TYPE, OW_UINT8);
    ow_bytes(&p, OW_T_RAW, "abcdef", 6);
    CHECK_INT(read_tensor(p, &t, NULL, &err), HET_OK);
    CHECK_INT(t.rank, 2);
    CHECK_INT(t.extent[1], 3);
    het__free(&mem, t.data);
}

static void small_elements(void)
{
    /* Low bits first; an odd count leaves bits of the last byte unused. */
    check_bytes(ow_tensor("x", OW_UINT4, "3", "\x81\xff", 2), HET_DTYPE_U4, "\1\10\17", 3);
    check_bytes(ow_tensor("x", OW_INT4, "3", "\x81\x0f", 2), HET_DTYPE_I4, "\1\xf8\xff", 3);
    check_bytes(ow_tensor("x", OW_F4E2M1, "2", "\xa5", 1), HET_DTYPE_F4E2M1, "\5\12", 2);
    check_bytes(ow_tensor("x", OW_UINT2, "5", "\xe4\2", 2), HET_DTYPE_U2, "\0\1\2\3\2", 5);
    check_bytes(ow_tensor("x", OW_INT2, "5", "\xe4\2", 2), HET_DTYPE_I2, "\0\1\xfe\xff\xfe", 5);
    const int64_t two[] = { 0x81, 0x0f };
    check_bytes(packed_varints(ow_bare_tensor("x", OW_INT4, "3"), OW_T_INT32S, two, 2),
                HET_DTYPE_I4, "\1\xf8\xff", 3);
    check_refused(ow_tensor("x", OW_INT4, "3", "\x81", 1), HET_E_FORMAT, "1 bytes of contents");
    check_refused(ow_tensor("x", OW_INT2, "5", "\1\2\3", 3), HET_E_FORMAT, "3 bytes of contents");
}

static void numbers_of_each_kind(void)
{
    const int64_t small[] = { 1, -2, 127 };
    const int8_t i8[] = { 1, -2, 127 };
    const int16_t i16[] = { 1, -2, 127 };
    const int32_t i32[] = { 1, -2, 127 };
    const int64_t i64[] = { 1, -2, INT64_MIN };
    check_bytes(packed_varints(ow_bare_tensor("x", OW_INT8, "3"), OW_T_INT32S, small, 3),
                HET_DTYPE_I8, i8, 3);
    check_bytes(packed_varints(ow_bare_tensor("x", OW_INT16, "3"), OW_T_INT32S, small, 3),
                HET_DTYPE_I16, i16, 6);
    check_bytes(packed_varints(ow_bare_tensor("x", OW_INT32, "3"), OW_T_INT32S, small, 3),
                HET_DTYPE_I32, i32, 12);
    check_bytes(packed_varints(ow_bare_tensor("x", OW_INT64, "3"), OW_T_INT64S, i64, 3),
                HET_DTYPE_I64, i64, 24);
    check_bytes(packed_varints(ow_bare_tensor("x", OW_UINT64, "3"), OW_T_UINT64S, i64, 3),
                HET_DTYPE_U64, i64, 24);
    check_bytes(packed_varints(ow_bare_tensor("x", OW_UINT32, "3"), OW_T_UINT64S, small, 3),
                HET_DTYPE_U32, i32, 12);
    const int64_t halves[] = { 0x3c00, 0xc000, 0xffff };
    const uint16_t u16[] = { 0x3c00, 0xc000, 0xffff };
    check_bytes(packed_varints(ow_bare_tensor("x", OW_FLOAT16, "3"), OW_T_INT32S, halves, 3),
                HET_DTYPE_F16, u16, 6);
    check_bytes(packed_varints(ow_bare_tensor("x", OW_BFLOAT16, "3"), OW_T_INT32S, halves, 3),
                HET_DTYPE_BF16, u16, 6);
    check_bytes(packed_varints(ow_bare_tensor("x", OW_F8E5M2, "3"), OW_T_INT32S, halves, 3),
                HET_DTYPE_F8E5M2, "\0\0\xff", 3);
    check_bytes(packed_varints(ow_bare_tensor("x", OW_BOOL, "3"), OW_T_INT32S, halves, 3),
                HET_DTYPE_BOOL, "\1\1\1", 3);
}

static void numbers_packed_or_not(void)
{
    const float f[] = { 1.5F, -2, 3 };
    const double d[] = { 1.5, -2, 3 };
    const int64_t i[] = { 5, -6, 7 };
    ow t = ow_bare_tensor("x", OW_FLOAT, "3");
    ow_bytes(&t, OW_T_FLOATS, f, sizeof f);
    check_bytes(t, HET_DTYPE_F32, f, sizeof f);
    t = ow_bare_tensor("x", OW_DOUBLE, "3");
    ow_bytes(&t, OW_T_DOUBLES, d, sizeof d);
    check_bytes(t, HET_DTYPE_F64, d, sizeof d);
    t = ow_bare_tensor("x", OW_FLOAT, "3"); /* singly and in a piece of two */
    ow_float(&t, OW_T_FLOATS, f[0]);
    ow_bytes(&t, OW_T_FLOATS, f + 1, 8);
    check_bytes(t, HET_DTYPE_F32, f, sizeof f);
    t = ow_bare_tensor("x", OW_DOUBLE, "3");
    for (int k = 0; k < 3; k++)
        ow_double(&t, OW_T_DOUBLES, d[k]);
    check_bytes(t, HET_DTYPE_F64, d, sizeof d);
    t = packed_varints(ow_bare_tensor("x", OW_INT64, "3"), OW_T_INT64S, i, 1);
    ow_int(&t, OW_T_INT64S, i[1]);
    check_bytes(packed_varints(t, OW_T_INT64S, i + 2, 1), HET_DTYPE_I64, i, sizeof i);
    /* Raw contents count when both are there. */
    t = packed_varints(ow_tensor("x", OW_INT64, "3", i, sizeof i), OW_T_INT64S, i, 1);
    check_bytes(t, HET_DTYPE_I64, i, sizeof i);
}

static void wrong_contents(void)
{
    const int64_t i[] = { 5, -6, 7 };
    check_refused(ow_bare_tensor("x", OW_FLOAT, "3"), HET_E_FORMAT, "not as many numbers");
    check_refused(ow_tensor("x", OW_FLOAT, "3", i, 11), HET_E_FORMAT,
                  "11 bytes of contents, not 12");
    check_refused(ow_tensor("x", OW_FLOAT, "3", i, 13), HET_E_FORMAT,
                  "13 bytes of contents, not 12");
    check_refused(packed_varints(ow_bare_tensor("x", OW_INT64, "2"), OW_T_INT64S, i, 3),
                  HET_E_FORMAT, "not as many numbers");
    /* Numbers of another field are none of this type. */
    check_refused(packed_varints(ow_bare_tensor("x", OW_INT64, "3"), OW_T_INT32S, i, 3),
                  HET_E_FORMAT, "not as many numbers");
    ow t = ow_bare_tensor("x", OW_FLOAT, "1");
    ow_bytes(&t, OW_T_FLOATS, "abc", 3);
    check_refused(t, HET_E_FORMAT, "malformed list");
    t = ow_bare_tensor("x", OW_INT64, "1");
    ow_bytes(&t, OW_T_INT64S, "\x80", 1);
    check_refused(t, HET_E_FORMAT, "malformed list");
}

static void impossible_extents(void)
{
    check_refused(ow_tensor("x", OW_FLOAT, "-1", "", 0), HET_E_FORMAT, "impossible size");
    check_refused(ow_tensor("x", OW_FLOAT, "4611686018427387904", "", 0), HET_E_FORMAT,
                  "impossible size");
    check_refused(ow_tensor("x", OW_UINT8, "4294967296,4294967296", "", 0), HET_E_FORMAT,
                  "impossible size");
    check_refused(ow_tensor("x", OW_UINT2, "9223372036854775807", "", 0), HET_E_FORMAT,
                  "bytes of contents");
    check_refused(ow_tensor("x", OW_FLOAT, "1,1,1,1,1,1,1,1,1", "abcd", 4), HET_E_UNSUPPORTED,
                  "more than 8 extents");
}

static void other_kinds(void)
{
    check_refused(ow_tensor("x", OW_STRING, "1", "a", 1), HET_E_UNSUPPORTED, "strings");
    check_refused(ow_tensor("x", OW_COMPLEX64, "1", "aaaaaaaa", 8), HET_E_UNSUPPORTED, "complex");
    check_refused(ow_tensor("x", OW_COMPLEX128, "1", "a", 1), HET_E_UNSUPPORTED, "complex");
    check_refused(ow_tensor("x", 27, "1", "a", 1), HET_E_UNSUPPORTED, "not known");
    check_refused(ow_tensor("x", -5, "1", "a", 1), HET_E_UNSUPPORTED, "not known");
    check_refused(ow_tensor("x", 0, "1", "a", 1), HET_E_UNSUPPORTED, "not known");
    ow t = ow_tensor("x", OW_UINT8, "1", "a", 1);
    ow_bytes(&t, OW_T_SEGMENT, "\10\0\20\1", 4);
    check_refused(t, HET_E_UNSUPPORTED, "segment");
    t = ow_bare_tensor("x", OW_UINT8, "1");
    ow_int(&t, OW_T_LOCATION, 1);
    ow_add(&t, OW_T_EXTERNAL, ow_entry("location", "w.bin"));
    check_refused(t, HET_E_UNSUPPORTED, "w.bin");
    check_refused(ow_tensor("a\xff", OW_UINT8, "1", "a", 1), HET_E_FORMAT, "no text");
}

static void malformed_fields(void)
{
    static const struct { const char *bytes; size_t size; } rows[] = {
        { "\x00", 1 },                 /* number 0 */
        { "\x0b", 1 },                 /* a group */
        { "\x0f", 1 },                 /* no wire type */
        { "\x08", 1 },                 /* no value */
        { "\x08\x80", 2 },             /* half a value */
        { "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12 }, /* eleven bytes */
        { "\x4a\x03" "ab", 4 },        /* longer than what is there */
        { "\x4a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
        { "\x25\x01\x02\x03", 4 },     /* three of four bytes */
        { "\x51\1\2\3\4\5\6\7", 8 },   /* seven of eight */
        { "\x80\x80\x80\x80\x80\x01", 6 }, /* a number that no field has */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ow t = ow_tensor("x", OW_UINT8, "1", "a", 1);
        ow_put(&t, rows[i].bytes, rows[i].size);
        check_refused(t, HET_E_FORMAT, "malformed tensor");
    }
    /* Unknown fields, and known ones of another wire type, are passed over. */
    ow t = ow_tensor("x", OW_UINT8, "1", "a", 1);
    ow_text(&t, 99, "what");
    ow_float(&t, 98, 1);
    ow_text(&t, OW_T_TYPE, "no number");
    ow_int(&t, OW_T_RAW, 5);
    check_bytes(t, HET_DTYPE_U8, "a", 1);
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(raw_contents);
    test_case(names_and_extents);
    test_case(small_elements);
    test_case(numbers_of_each_kind);
    test_case(numbers_packed_or_not);
    test_case(wrong_contents);
    test_case(impossible_extents);
    test_case(other_kinds);
    test_case(malformed_fields);
    CHECK_INT(atomic_load(&mem.bytes), 0);
    return test_finish();
}

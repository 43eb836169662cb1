/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of every element type: blocks with a few bytes set, whose values are worked out by hand
 * from the format's layout; all halves and every tie between neighbours; then, where the shared
 * folder is present, golden vectors, to the bit. */
#include "lib/base/dtype.h"
#include "lib/quant/quant.h"
#include "test.h"

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* A block that is zero but for some bytes: one element's value, and that of the element that is
 * tested against it. */
typedef struct block_case {
    het_dtype dtype;
    struct { int at, value; } set[6];
    int element;
    float want;
    int other; /* another element */
    float other_want;
} block_case;

/* 0x3c00 is 1 as binary16, 0x3800 one half, 0x4000 two, 0xbc00 minus one; low byte first. */
static const block_case block_cases[] = {
    { HET_DTYPE_Q4_0, { { 1, 0x3c }, { 5, 0x0f } }, 3, 7, 19, -8 },
    { HET_DTYPE_Q4_0, { { 1, 0xbc }, { 5, 0xf0 } }, 19, -7, 3, 8 },
    { HET_DTYPE_Q4_1, { { 1, 0x40 }, { 3, 0xbc }, { 4, 0x05 } }, 0, 9, 16, -1 },
    { HET_DTYPE_Q5_0, { { 1, 0x3c }, { 5, 0x01 }, { 14, 0x20 } }, 24, 2, 8, -16 },
    { HET_DTYPE_Q5_1, { { 1, 0x3c }, { 3, 0x38 }, { 5, 0x80 } }, 15, 16.5f, 31, 0.5f },
    { HET_DTYPE_Q8_0, { { 1, 0x38 }, { 33, 0x80 } }, 31, -64, 30, 0 },
    { HET_DTYPE_Q8_1, { { 1, 0x38 }, { 5, 0x7f } }, 1, 63.5f, 0, 0 },
    { HET_DTYPE_Q8_K, { { 2, 0x80 }, { 3, 0x3e }, { 204, 0xfe } }, 200, -0.5f, 199, 0 },
    { HET_DTYPE_IQ4_NL, { { 1, 0x3c }, { 7, 0x80 } }, 21, 1, 5, -127 },
    { HET_DTYPE_MXFP4, { { 0, 127 }, { 1, 0x97 } }, 0, 6, 16, -0.5f },
    /* Sub-block 13 is the second 16 bytes of the second half's codes, bits 4 and 5. */
    { HET_DTYPE_Q2_K, { { 81, 0x3c }, { 13, 0x03 }, { 66, 0x20 } }, 210, 6, 211, 0 },
    { HET_DTYPE_Q2_K, { { 83, 0x40 }, { 3, 0x50 } }, 48, -10, 47, 0 },
    /* Scale 0 means -32, a clear high bit means -4. */
    { HET_DTYPE_Q3_K, { { 109, 0x3c }, { 36, 0x40 }, { 4, 0x08 } }, 100, -32, 101, 128 },
    { HET_DTYPE_Q3_K, { { 109, 0x3c }, { 97, 0x10 }, { 105, 0x20 } }, 150, -4, 160, 128 },
    /* Sub-block 5: scale 1 + (1 << 4), minimum 2. */
    { HET_DTYPE_Q4_K, { { 1, 0x3c }, { 3, 0x3c }, { 13, 0x21 }, { 5, 0x40 }, { 87, 0x30 } },
      167, 49, 168, -2 },
    { HET_DTYPE_Q4_K, { { 1, 0x3c }, { 3, 0x3c }, { 6, 0x3f }, { 10, 0x02 }, { 48, 0x0f } },
      64, 943, 65, -2 },
    { HET_DTYPE_Q5_K,
      { { 1, 0x3c }, { 3, 0x3c }, { 13, 0x21 }, { 5, 0x40 }, { 119, 0x30 }, { 23, 0x20 } },
      167, 321, 168, -2 },
    { HET_DTYPE_Q6_K, { { 209, 0x3c }, { 205, 0xff }, { 84, 0x50 }, { 180, 0x20 } },
      212, -5, 213, 32 },
    { HET_DTYPE_IQ4_XS, { { 1, 0x3c }, { 5, 0x10 }, { 2, 0x80 }, { 60, 0x0f } },
      100, 113, 0, 4064 },
};

/* Two equal blocks, at an odd address, so that the step from block to block counts too. */
static void blocks_by_hand(void)
{
    for (size_t i = 0; i < sizeof block_cases / sizeof block_cases[0]; i++) {
        const block_case *c = &block_cases[i];
        const het__dtype_info *info = het__dtype(c->dtype);
        uint8_t buffer[2 * 300 + 1] = { 0 };
        for (int block = 0; block < 2; block++)
            for (size_t s = 0; s < 6; s++)
                if (c->set[s].value)
                    buffer[1 + block * (int)info->block_bytes + c->set[s].at] =
                        (uint8_t)c->set[s].value;
        float y[2 * 256 + 1];
        const int n = (int)info->block_elements;
        y[2 * n] = 12345;
        const int before = test_failures;
        het__decoder(c->dtype)(buffer + 1, y, 2 * n);
        CHECK_NEAR(y[c->element], c->want, 0);
        CHECK_NEAR(y[n + c->element], c->want, 0);
        CHECK_NEAR(y[c->other], c->other_want, 0);
        CHECK_NEAR(y[n + c->other], c->other_want, 0);
        CHECK_NEAR(y[2 * n], 12345, 0);
        if (test_failures != before)
            TEST_FAIL("case %zu, type %s", i, info->name);
    }
}

#define CHECK_SCALAR(dtype, type, value, want)                        \
    do {                                                              \
        char bytes_[3 * sizeof(type) + 1];                            \
        const type v_ = (value);                                      \
        for (size_t i_ = 0; i_ < 3; i_++)                             \
            memcpy(bytes_ + 1 + i_ * sizeof v_, &v_, sizeof v_);      \
        float y_[3] = { 0 };                                          \
        het__decoder(dtype)(bytes_ + 1, y_, 3);                       \
        CHECK_NEAR(y_[0], want, 0);                                   \
        CHECK_NEAR(y_[2], want, 0);                                   \
    } while (0)

static void scalars_by_hand(void)
{
    CHECK_SCALAR(HET_DTYPE_F32, float, 1.5f, 1.5);
    CHECK_SCALAR(HET_DTYPE_F16, uint16_t, 0xc500, -5);
    CHECK_SCALAR(HET_DTYPE_BF16, uint16_t, 0xc0a0, -5);
    CHECK_SCALAR(HET_DTYPE_F64, double, 0.1, (double)0.1f);
    CHECK_SCALAR(HET_DTYPE_I8, int8_t, -128, -128);
    CHECK_SCALAR(HET_DTYPE_I16, int16_t, -32768, -32768);
    CHECK_SCALAR(HET_DTYPE_I32, int32_t, INT32_MIN, -2147483648.0);
    CHECK_SCALAR(HET_DTYPE_I64, int64_t, (INT64_C(1) << 40) + 1, 1099511627776.0);
    CHECK_SCALAR(HET_DTYPE_U8, uint8_t, 255, 255);
    CHECK_SCALAR(HET_DTYPE_U16, uint16_t, 65535, 65535);
    CHECK_SCALAR(HET_DTYPE_U32, uint32_t, 0x80000000u, 2147483648.0);
    CHECK_SCALAR(HET_DTYPE_U64, uint64_t, UINT64_C(1) << 63, 9223372036854775808.0);
}

/* Types that weights of language models have; those of graphs alone are read by lib/plain. */
static void every_numeric_type_has_a_decoder(void)
{
    for (int i = 0; i < 64; i++) {
        const het_dtype dtype = (het_dtype)i;
        const bool of_graphs = i >= HET_DTYPE_BOOL && i <= HET_DTYPE_U2;
        const bool want = het__dtype(dtype) && !of_graphs;
        CHECK_INT(het__decoder(dtype) != NULL, want);
    }
    CHECK(!het__decoder((het_dtype)-1) && !het__decoder(HET_DTYPE_FORCE_32));
    float y = 7;
    for (int i = 0; i < 64; i++)
        if (het__decoder((het_dtype)i))
            het__decoder((het_dtype)i)(NULL, &y, 0);
    CHECK_NEAR(y, 7, 0);
}

static double half_value(unsigned h) /* of a finite positive half, from its definition */
{
    const int e = (int)(h >> 10);
    return e ? ldexp(1024 + (h & 0x3ff), e - 25) : ldexp(h & 0x3ff, -24);
}

static void halves_convert_both_ways(void)
{
    int wrong = 0;
    for (unsigned h = 0; h < 0x7c00; h++) {
        const float f = het__f16_to_f32((uint16_t)h);
        wrong += (double)f != half_value(h) || het__f32_to_f16(f) != h;
        wrong += bits_of(het__f16_to_f32((uint16_t)(h | 0x8000))) != (bits_of(f) | 0x80000000u);
        wrong += het__f32_to_f16(-f) != (h | 0x8000);
        /* The tie with the next half goes to the even one, its neighbours to the nearer one. */
        const float tie = (float)((half_value(h) + half_value(h + 1)) / 2);
        wrong += het__f32_to_f16(tie) != (h & 1 ? h + 1 : h);
        wrong += het__f32_to_f16(float_of(bits_of(tie) - 1)) != h;
        wrong += het__f32_to_f16(float_of(bits_of(tie) + 1)) != h + 1;
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(het__f32_to_f16(3e38f), 0x7c00);
    CHECK_INT(het__f32_to_f16(-INFINITY), 0xfc00);
    CHECK_INT(het__f32_to_f16(float_of(1)), 0);
    CHECK_INT(het__f32_to_f16(float_of(0x80000001u)), 0x8000);
    CHECK_INT(het__f32_to_f16(float_of(0x7f800001u)) & 0x7e00, 0x7e00);
    CHECK(isinf(het__f16_to_f32(0x7c00)) && isnan(het__f16_to_f32(0xfc01)));
}

static void bf16_rounds_to_nearest_even(void)
{
    int wrong = 0;
    for (uint32_t b = 0; b < 0x7f80; b++) {
        wrong += het__f32_to_bf16(het__bf16_to_f32((uint16_t)b)) != b;
        wrong += het__f32_to_bf16(float_of(b << 16 | 0x8000)) != (b & 1 ? b + 1 : b);
        wrong += het__f32_to_bf16(float_of(b << 16 | 0x7fff)) != b;
        wrong += het__f32_to_bf16(float_of(b << 16 | 0x8001)) != b + 1;
    }
    CHECK_INT(wrong, 0);
    CHECK(isnan(het__bf16_to_f32(het__f32_to_bf16(float_of(0x7f800001u)))));
}

static void scale_helpers(void)
{
    for (int e = 0; e < 256; e++)
        CHECK_NEAR(het__e8m0_half((uint8_t)e), ldexp(1, e - 128), 0);
    /* Twelve bytes of ones give the largest scales. */
    uint8_t packed[12], scale, min;
    int8_t scales[16];
    memset(packed, 0xff, sizeof packed);
    het__q3k_scales(packed, scales);
    for (int j = 0; j < 16; j++)
        CHECK_INT(scales[j], 31);
    for (int j = 0; j < 8; j++) {
        het__k4_scale_min(packed, j, &scale, &min);
        CHECK_INT(scale, 63);
        CHECK_INT(min, 63);
    }
}

static void *golden(const char *name, size_t *bytes)
{
    char path[512], inside[128];
    snprintf(inside, sizeof inside, "golden/quant/%s", name);
    void *p = test_read_file(test_data_path(path, sizeof path, inside), bytes);
    if (!p)
        TEST_FAIL("cannot read %s", path);
    return p;
}

static void same_bits(const char *what, const float *got, const float *want, size_t count)
{
    size_t wrong = 0, first = 0;
    for (size_t i = count; i-- > 0;)
        if (bits_of(got[i]) != bits_of(want[i])) {
            wrong++;
            first = i;
        }
    test_checks++;
    if (wrong)
        TEST_FAIL("%s: %zu of %zu differ, first [%zu] = %.9g, want %.9g", what, wrong, count, first,
                  (double)got[first], (double)want[first]);
}

static size_t type_bytes(het_dtype dtype, size_t count)
{
    const het__dtype_info *info = het__dtype(dtype);
    return count / info->block_elements * info->block_bytes;
}

static void golden_blocks(void)
{
    static const struct { het_dtype dtype; const char *name; } types[] = {
        { HET_DTYPE_F16, "f16" },       { HET_DTYPE_BF16, "bf16" },     { HET_DTYPE_Q4_0, "q4_0" },
        { HET_DTYPE_Q4_1, "q4_1" },     { HET_DTYPE_Q5_0, "q5_0" },     { HET_DTYPE_Q5_1, "q5_1" },
        { HET_DTYPE_Q8_0, "q8_0" },     { HET_DTYPE_Q2_K, "q2_K" },     { HET_DTYPE_Q3_K, "q3_K" },
        { HET_DTYPE_Q4_K, "q4_K" },     { HET_DTYPE_Q5_K, "q5_K" },     { HET_DTYPE_Q6_K, "q6_K" },
        { HET_DTYPE_IQ4_NL, "iq4_nl" }, { HET_DTYPE_IQ4_XS, "iq4_xs" },
        { HET_DTYPE_MXFP4, "mxfp4" },
    };
    static const char *const inputs[] = { "real", "cos", "edge" };
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        for (size_t i = 0; i < 3; i++) {
            char name[64];
            size_t q_bytes = 0, y_bytes = 0;
            snprintf(name, sizeof name, "%s_%s.q", types[t].name, inputs[i]);
            void *q = golden(name, &q_bytes);
            snprintf(name, sizeof name, "%s_%s.deq.f32", types[t].name, inputs[i]);
            float *want = golden(name, &y_bytes);
            const size_t count = y_bytes / sizeof *want;
            CHECK(count > 0);
            CHECK_INT(q_bytes, type_bytes(types[t].dtype, count));
            float *got = malloc(y_bytes + 1);
            if (q && want && got) {
                het__decoder(types[t].dtype)(q, got, (int64_t)count);
                same_bits(name, got, want, count);
            }
            free(q);
            free(want);
            free(got);
        }
}

/* The activation formats have no decoded file: each value is within half a step of its source. */
static void golden_activations(void)
{
    static const struct { het_dtype dtype; const char *name; int block; } types[] = {
        { HET_DTYPE_Q8_0, "act_256.q8_0.q", 32 },
        { HET_DTYPE_Q8_1, "act_256.q8_1.q", 32 },
        { HET_DTYPE_Q8_K, "act_256.q8_K.q", 256 },
    };
    size_t bytes = 0;
    float *x = golden("act_256.f32", &bytes);
    CHECK_INT(bytes, 1024);
    for (size_t t = 0; x && t < 3; t++) {
        float y[256] = { 0 };
        void *q = golden(types[t].name, &bytes);
        CHECK_INT(bytes, type_bytes(types[t].dtype, 256));
        if (q)
            het__decoder(types[t].dtype)(q, y, 256);
        for (int i = 0; i < 256; i += types[t].block) {
            double top = 0;
            for (int j = i; j < i + types[t].block; j++)
                top = fmax(top, fabs((double)x[j]));
            /* The step, top / 127, is itself rounded to 11 bits: half a step and 1/2048 of top. */
            for (int j = i; j < i + types[t].block; j++)
                CHECK_NEAR(y[j], x[j], top / 254 + top / 2048);
        }
        free(q);
    }
    free(x);
}

/* Codes are the nearest of 255 multiples of a scale that F16 holds. */
static void encode_q8_0(void)
{
    uint64_t state = 8;
    static const float sizes[] = { 1, 1e-3f, 3e4f, 1e-9f, 0 };
    for (int t = 0; t < 500; t++) {
        float x[64], y[64];
        unsigned char blocks[68];
        const float size = sizes[t % 5];
        for (int i = 0; i < 64; i++)
            x[i] = size * test_random_float(&state);
        het__q8_0_encode(x, blocks, 64);
        het__decoder(HET_DTYPE_Q8_0)(blocks, y, 64);
        for (int b = 0; b < 64; b += 32) {
            double top = 0;
            for (int i = b; i < b + 32; i++)
                top = fmax(top, fabs((double)x[i]));
            /* Half a step, the scale's rounding at 127 steps, and where F16 ends. */
            const double bound = top / 254 * 1.001 + top / 2048 + 127 * 0x1p-25;
            for (int i = b; i < b + 32; i++)
                CHECK_NEAR(y[i], x[i], bound);
        }
    }
    static const float odd[] = { NAN, INFINITY, -INFINITY, 1e30f };
    for (int t = 0; t < 4; t++) {
        float x[32] = { 1, 2, odd[t] }, y[32];
        unsigned char block[34];
        het__q8_0_encode(x, block, 32);
        het__decoder(HET_DTYPE_Q8_0)(block, y, 32);
        CHECK(!isfinite(y[2]));
    }
}

static void golden_conversions(void)
{
    size_t bytes = 0;
    float *table = golden("fp16_to_fp32_table.f32", &bytes);
    CHECK_INT(bytes, 65536 * 4);
    float *got = malloc(65536 * 4);
    for (uint32_t h = 0; got && h < 65536; h++)
        got[h] = het__f16_to_f32((uint16_t)h);
    if (table && got)
        same_bits("half table", got, table, 65536);
    free(table);
    free(got);

    size_t f16_bytes = 0, bf16_bytes = 0;
    float *in = golden("cvt_in.f32", &bytes);
    uint16_t *f16 = golden("cvt_out.f16", &f16_bytes), *bf16 = golden("cvt_out.bf16", &bf16_bytes);
    CHECK(bytes > 0 && f16_bytes == bytes / 2 && bf16_bytes == bytes / 2);
    int wrong = 0;
    for (size_t i = 0; in && f16 && bf16 && i < bytes / 4; i++) {
        wrong += het__f32_to_f16(in[i]) != f16[i];
        wrong += het__f32_to_bf16(in[i]) != bf16[i];
    }
    CHECK_INT(wrong, 0);
    printf("%zu conversions\n", bytes / 4);
    free(in);
    free(f16);
    free(bf16);
}

int main(void)
{
    test_case(blocks_by_hand);
    test_case(scalars_by_hand);
    test_case(every_numeric_type_has_a_decoder);
    test_case(halves_convert_both_ways);
    test_case(bf16_rounds_to_nearest_even);
    test_case(scale_helpers);
    test_case(encode_q8_0);
    if (test_failures) /* a skip below must not hide them */
        return test_finish();
    test_case(golden_blocks);
    test_case(golden_activations);
    test_case(golden_conversions);
    return test_finish();
}

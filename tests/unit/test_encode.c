/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders: the bytes of the reference quantisers, and what holds of any input: bounds on the
 * error, zeros, constants, extremes, importance. Golden files: without importance all formats give
 * the reference's bytes. */
#include "lib/quant/encode.h"

#include "lib/base/dtype.h"
#include "test.h"

static const struct {
    het_dtype dtype;
    const char *name;
    double step; /* bound of the error, as a share of max - min of a block around zero */
} types[] = {
    { HET_DTYPE_F16, "f16", 1.0 / 2048 },      { HET_DTYPE_BF16, "bf16", 1.0 / 256 },
    { HET_DTYPE_Q4_0, "q4_0", 1.0 / 15 },      { HET_DTYPE_Q4_1, "q4_1", 0.55 / 15 },
    { HET_DTYPE_Q5_0, "q5_0", 1.0 / 31 },      { HET_DTYPE_Q5_1, "q5_1", 0.55 / 31 },
    { HET_DTYPE_Q8_0, "q8_0", 0.55 / 127 },    { HET_DTYPE_Q2_K, "q2_K", 0.45 },
    { HET_DTYPE_Q3_K, "q3_K", 0.2 },           { HET_DTYPE_Q4_K, "q4_K", 0.1 },
    { HET_DTYPE_Q5_K, "q5_K", 0.06 },          { HET_DTYPE_Q6_K, "q6_K", 0.04 },
    { HET_DTYPE_IQ4_NL, "iq4_nl", 0.12 },      { HET_DTYPE_MXFP4, "mxfp4", 0.18 },
};

#define TYPE_COUNT (sizeof types / sizeof types[0])
#define ROW 512

static size_t type_bytes(het_dtype dtype, size_t count)
{
    const het__dtype_info *info = het__dtype(dtype);
    return count / info->block_elements * info->block_bytes;
}

/* Encode and decode; no byte beyond the row may be touched. */
static void round_trip(het_dtype dtype, const float *x, const float *importance, float *y)
{
    unsigned char bytes[ROW * 4 + 8];
    const size_t n = type_bytes(dtype, ROW);
    memset(bytes, 0xa5, sizeof bytes);
    het__encoder(dtype)(x, importance, bytes + 1, ROW);
    for (size_t i = 0; i < 7; i++)
        CHECK_INT(bytes[1 + n + i], 0xa5);
    CHECK_INT(bytes[0], 0xa5);
    het__decoder(dtype)(bytes + 1, y, ROW);
}

static void errors_are_bounded(void)
{
    uint64_t state = 5;
    static const float sizes[] = { 1, 1e-3f, 1000, 0.02f };
    for (size_t t = 0; t < TYPE_COUNT; t++)
        for (int round = 0; round < 40; round++) {
            float x[ROW], y[ROW];
            const float size = sizes[round % 4];
            for (int i = 0; i < ROW; i++)
                x[i] = size * test_random_float(&state);
            round_trip(types[t].dtype, x, NULL, y);
            for (int i = 0; i < ROW; i++)
                CHECK_NEAR(y[i], x[i], 2 * (double)size * types[t].step + 1e-7);
        }
}

static void zeros_stay_zeros(void)
{
    const float x[ROW] = { 0 };
    float importance[ROW];
    for (int i = 0; i < ROW; i++)
        importance[i] = 1;
    for (size_t t = 0; t < TYPE_COUNT; t++)
        for (int k = 0; k < 2; k++) {
            float y[ROW];
            round_trip(types[t].dtype, x, k ? importance : NULL, y);
            for (int i = 0; i < ROW; i++)
                CHECK_NEAR(y[i], 0, 0);
        }
}

static void constants_and_tiny_values(void)
{
    static const float values[] = { 1, -1, 0.375f, -3.7f, 1e-6f, 1e-20f, 1e-40f, -1e-45f };
    for (size_t t = 0; t < TYPE_COUNT; t++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            float x[ROW], y[ROW];
            for (int i = 0; i < ROW; i++)
                x[i] = values[v];
            round_trip(types[t].dtype, x, NULL, y);
            /* MXFP4 has 4 and 6 to choose from; below F16's reach all is zero or one unit. */
            const double share = types[t].dtype == HET_DTYPE_MXFP4 ? 0.26 : 0.02;
            for (int i = 0; i < ROW; i += 37)
                CHECK_NEAR(y[i], x[i], share * fabs((double)x[i]) + 128 * 0x1p-24);
        }
}

/* No input, however large or mixed, leaves what is defined; the sanitizers look on. */
static void any_bits_are_survived(void)
{
    uint64_t state = 77;
    for (int round = 0; round < 300; round++) {
        float x[ROW], y[ROW], importance[ROW];
        for (int i = 0; i < ROW; i++) {
            uint32_t bits = (uint32_t)test_random(&state);
            memcpy(&x[i], &bits, sizeof bits);
            importance[i] = fabsf(test_random_float(&state));
        }
        for (size_t t = 0; t < TYPE_COUNT; t++)
            round_trip(types[t].dtype, x, round % 2 ? importance : NULL, y);
    }
}

static double weighted_error(het_dtype dtype, const float *x, const float *given,
                             const float *weights)
{
    float y[ROW];
    double sum = 0;
    round_trip(dtype, x, given, y);
    for (int i = 0; i < ROW; i++)
        sum += (double)weights[i] * (double)(y[i] - x[i]) * (double)(y[i] - x[i]);
    return sum;
}

/* With some columns much more important than the rest, saying so leaves less weighted error. */
static void importance_helps(void)
{
    static const het_dtype searched[] = {
        HET_DTYPE_Q4_0, HET_DTYPE_Q4_1, HET_DTYPE_Q5_0, HET_DTYPE_Q5_1, HET_DTYPE_Q2_K,
        HET_DTYPE_Q3_K, HET_DTYPE_Q4_K, HET_DTYPE_Q5_K, HET_DTYPE_Q6_K, HET_DTYPE_IQ4_NL,
    };
    uint64_t state = 6;
    for (size_t t = 0; t < sizeof searched / sizeof searched[0]; t++) {
        double with = 0, without = 0;
        for (int round = 0; round < 20; round++) {
            float x[ROW], importance[ROW];
            for (int i = 0; i < ROW; i++) {
                x[i] = test_random_float(&state);
                importance[i] = test_random(&state) % 8 ? 0.01f : 1;
            }
            with += weighted_error(searched[t], x, importance, importance);
            without += weighted_error(searched[t], x, NULL, importance);
        }
        printf("%s: weighted error %.3f of what it is without\n", het__dtype(searched[t])->name,
               with / without);
        CHECK(with < without);
    }
}

/* A group of large values that hardly count must not make the other scales coarse. */
static void scales_are_shared_by_importance(void)
{
    static const het_dtype shared[] = { HET_DTYPE_Q2_K, HET_DTYPE_Q4_K, HET_DTYPE_Q5_K };
    uint64_t state = 21;
    for (size_t t = 0; t < sizeof shared / sizeof shared[0]; t++) {
        double with = 0, without = 0;
        for (int round = 0; round < 20; round++) {
            float x[ROW], importance[ROW];
            for (int i = 0; i < ROW; i++) {
                const bool loud = i % 256 < 32;
                x[i] = test_random_float(&state) * (loud ? 100 : 1);
                importance[i] = loud ? 1e-8f : 1;
            }
            with += weighted_error(shared[t], x, importance, importance);
            without += weighted_error(shared[t], x, NULL, importance);
        }
        printf("%s: %.3g of the error\n", het_dtype_name(shared[t]), with / without);
        CHECK(with < 0.5 * without);
    }
}

static void int8_per_channel(void)
{
    uint64_t state = 9;
    float x[ROW], scale;
    int8_t codes[ROW];
    for (int i = 0; i < ROW; i++)
        x[i] = 3 * test_random_float(&state);
    het__int8_encode(x, ROW, codes, &scale);
    int most = 0;
    for (int i = 0; i < ROW; i++) {
        CHECK_NEAR((float)codes[i] * scale, x[i], (double)scale * 0.5001);
        CHECK(codes[i] >= -127);
        most = abs(codes[i]) > most ? abs(codes[i]) : most;
    }
    CHECK_INT(most, 127);
    CHECK(het__int8_is_f16(scale) && scale >= 0);
    uint8_t blocks[ROW / 32 * 34];
    float y[ROW], z[ROW];
    het__int8_to_q8_0(codes, scale, blocks, ROW);
    het__decoder(HET_DTYPE_Q8_0)(blocks, y, ROW);
    het__int8_decode(codes, scale, z, ROW);
    CHECK(memcmp(y, z, sizeof y) == 0);
    for (int i = 0; i < ROW; i++) /* among F16's smallest numbers: coarser, but nothing is cut */
        x[i] *= 1e-6f;
    het__int8_encode(x, ROW, codes, &scale);
    for (int i = 0; i < ROW; i++)
        CHECK_NEAR((float)codes[i] * scale, x[i], (double)scale * 0.5001);
    CHECK(het__int8_is_f16(scale));
    memset(x, 0, sizeof x);
    het__int8_encode(x, ROW, codes, &scale);
    CHECK_NEAR(scale, 0, 0);
    CHECK_INT(codes[5], 0);
    CHECK(!het__encoder(HET_DTYPE_I32) && !het__encoder(HET_DTYPE_Q8_K));
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

static void same_blocks(const char *name, const unsigned char *got, const unsigned char *want,
                        size_t bytes, size_t block)
{
    size_t wrong = 0, first = 0;
    for (size_t at = bytes; at > 0; at -= block)
        if (memcmp(got + at - block, want + at - block, block) != 0) {
            wrong++;
            first = at / block - 1;
        }
    test_checks++;
    if (wrong)
        TEST_FAIL("%s: %zu of %zu blocks differ, the first is %zu", name, wrong, bytes / block,
                  first);
}

static void golden_bytes(void)
{
    static const char *const inputs[] = { "real", "cos", "edge" };
    for (size_t t = 0; t < TYPE_COUNT; t++)
        for (size_t i = 0; i < 3; i++) {
            char name[64];
            size_t x_bytes = 0, q_bytes = 0;
            snprintf(name, sizeof name, "input_%s.f32", inputs[i]);
            float *x = golden(name, &x_bytes);
            snprintf(name, sizeof name, "%s_%s.q", types[t].name, inputs[i]);
            unsigned char *want = golden(name, &q_bytes), *got = malloc(q_bytes + 1);
            const size_t count = x_bytes / sizeof *x;
            CHECK(count > 0);
            CHECK_INT(q_bytes, type_bytes(types[t].dtype, count));
            if (x && want && got && q_bytes == type_bytes(types[t].dtype, count)) {
                het__encoder(types[t].dtype)(x, NULL, got, (int64_t)count);
                same_blocks(name, got, want, q_bytes, het__dtype(types[t].dtype)->block_bytes);
            }
            free(x);
            free(want);
            free(got);
        }
}

int main(void)
{
    test_case(errors_are_bounded);
    test_case(zeros_stay_zeros);
    test_case(constants_and_tiny_values);
    test_case(any_bits_are_survived);
    test_case(importance_helps);
    test_case(scales_are_shared_by_importance);
    test_case(int8_per_channel);
    if (test_failures) /* a skip below must not hide them */
        return test_finish();
    test_case(golden_bytes);
    return test_finish();
}

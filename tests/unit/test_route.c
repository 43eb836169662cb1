/* SPDX-License-Identifier: Apache-2.0 */
/* Which experts a token uses, and by what shares: SparseMixer against the authors' function in F32
 * (ties, near ties at the threshold, negative and huge scores among the rows), the others by their
 * definition. */
#include "lib/plain/route.h"
#include "test.h"

typedef struct mixer_case {
    float scores[6];
    int32_t first, second;
    float share[2];
} mixer_case;

/* transformers 5.23, models/phimoe: sparsemixer(scores, 0.01, False). */
static const mixer_case mixer_cases[] = {
    { { 0.803276062f, 0.174833387f, 0.0889780968f, -0.613718033f, 0.0461824499f, -1.36825919f },
      0, 1, { 1.000000000f, 1.000000000f } },
    { { 0.337495089f, 1.01111591f, -1.43517935f, 0.977431774f, 0.522049963f, 1.23791671f },
      5, 1, { 1.000000000f, 1.000000000f } },
    { { -0.864635587f, 0.298960835f, 0.419218659f, -0.0798543245f, 0.926410854f, 0.815677524f },
      4, 5, { 1.000000000f, 1.000000000f } },
    { { 0.495189011f, -0.164316982f, -0.677962184f, -1.05910742f, 0.747696638f, 0.23891741f },
      4, 0, { 1.000000000f, 1.000000000f } },
    { { -0.392150223f, 0.151914895f, -1.18373322f, 0.534360707f, -1.45102274f, -0.629374027f },
      3, 1, { 1.000000000f, 1.000000000f } },
    { { 0.154415101f, -0.247990161f, 0.453501165f, 0.0120910909f, 1.34203553f, 1.46200371f },
      5, 4, { 1.000000000f, 1.000000000f } },
    { { 0.436160982f, 1.01701355f, -2.19252682f, 0.212330669f, -0.939496815f, -0.323578268f },
      1, 0, { 1.000000000f, 1.000000000f } },
    { { -1.05471087f, 0.823772728f, -0.527050197f, 0.810725868f, -0.804592609f, -1.05006421f },
      1, 3, { 0.503261685f, 1.000000000f } },
    { { -0.109653562f, 0.352967262f, -0.444702327f, -0.950878859f, -0.056192942f, -1.43955541f },
      1, 4, { 1.000000000f, 1.000000000f } },
    { { -1.21328628f, 1.09467351f, -0.495685309f, 0.757652521f, -0.679101348f, 0.838926852f },
      1, 5, { 1.000000000f, 1.000000000f } },
    { { 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f },
      0, 1, { 0.166666672f, 0.200000003f } },
    { { 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f },
      0, 1, { 0.166666672f, 0.200000003f } },
    { { 2.0f, 2.0f, 0.0f, 0.0f, 0.0f, 0.0f },
      0, 1, { 0.500000000f, 1.000000000f } },
    { { 0.0f, 3.0f, 1.0f, 3.0f, 1.0f, 1.0f },
      1, 3, { 0.500000000f, 1.000000000f } },
    { { -1.0f, -1.0f, -1.0f, -2.0f, -2.0f, -2.0f },
      0, 1, { 0.333333343f, 0.500000000f } },
    { { -1.0f, -1.00999999f, -1.01999998f, -1.02999997f, -5.0f, -6.0f },
      0, 1, { 0.336672157f, 0.336672157f } },
    { { 1.0f, 0.99000001f, 0.980000019f, 0.970000029f, 0.5f, 0.0f },
      0, 1, { 0.336672157f, 0.502499998f } },
    { { 1.0f, 0.981000006f, 0.978999972f, 0.980000019f, 0.5f, 0.0f },
      0, 1, { 0.337680608f, 0.333666712f } },
    { { 100.0f, 99.0f, 98.0999985f, 97.9000015f, 2.0f, 1.0f },
      0, 1, { 0.659001231f, 0.574897468f } },
    { { -100.0f, -99.0f, -98.0999985f, -97.9000015f, -2.0f, -1.0f },
      5, 4, { 1.000000000f, 1.000000000f } },
    { { 9.99999997e-07f, 0.0f, -9.99999997e-07f, 4.99999999e-07f, 1.99999999e-06f,
        -3.00000011e-06f },
      4, 0, { 1.000000000f, 1.000000000f } },
    { { 0.5f, 0.5f, 0.495000005f, 0.49000001f, 0.485000014f, -7.0f },
      0, 1, { 0.250937104f, 0.335001379f } },
    { { -3.0f, -3.0f, -3.0f, -3.0f, -3.0f, -2.95000005f },
      5, 0, { 0.173727304f, 0.200000003f } },
    { { 1.00000002e+30f, 1.00000002e+29f, 0.0f, 0.0f, 0.0f, -1.00000002e+30f },
      0, 1, { 1.000000000f, 1.000000000f } },
    { { 0.976138234f, 0.997288406f, 1.00568259f, 0.984538734f, 1.00000882f, 0.988452971f },
      2, 4, { 0.251958907f, 0.251861066f } },
    { { 1.0200963f, 0.98107034f, 1.01586092f, 0.999470174f, 0.998431325f, 0.999472022f },
      0, 2, { 0.501058877f, 0.253151178f } },
    { { 0.998996556f, 1.01091385f, 1.02007306f, 0.986641765f, 0.984684944f, 0.968286514f },
      2, 1, { 0.502289772f, 0.502979279f } },
    { { 0.99648571f, 1.02122796f, 0.999901772f, 1.02362645f, 1.01499522f, 1.02939749f },
      5, 3, { 0.251774371f, 0.334558904f } },
    { { 1.02852559f, 1.01567018f, 0.996586561f, 1.00209892f, 0.996163428f, 0.997516394f },
      0, 1, { 0.503213823f, 0.202827007f } },
    { { 1.01912558f, 0.997703612f, 1.02126753f, 0.93815738f, 0.969743073f, 1.00007021f },
      2, 0, { 0.500535488f, 0.504763663f } },
    { { 1.03576541f, 1.02400756f, 0.997870743f, 0.985835195f, 1.01529491f, 0.980826735f },
      0, 1, { 0.336921722f, 0.502178192f } },
    { { 0.96384424f, 0.992274106f, 1.01983666f, 1.00244963f, 0.972003758f, 1.01030505f },
      2, 5, { 0.336329222f, 0.336212873f } },
};

static void sparse_mixer(void)
{
    const het__moe_attrs attrs = { .used = 2, .router = HET__ROUTER_SPARSE_MIXER, .scale = 1,
                                   .jitter = 0.01f };
    for (size_t i = 0; i < sizeof mixer_cases / sizeof mixer_cases[0]; i++) {
        const mixer_case *c = &mixer_cases[i];
        het__route r;
        het__route_token(&attrs, c->scores, 6, &r);
        const int at = r.expert[0] == c->first ? 0 : 1; /* ours stand in order */
        const int before = test_failures;
        CHECK(r.expert[0] < r.expert[1]);
        CHECK_INT(r.expert[at], c->first);
        CHECK_INT(r.expert[1 - at], c->second);
        CHECK_NEAR((double)r.share[at], (double)c->share[0], 2e-7);
        CHECK_NEAR((double)r.share[1 - at], (double)c->share[1], 2e-7);
        if (test_failures > before)
            fprintf(stderr, "    in row %zu\n", i);
    }
}

static void largest_shares(void)
{
    const float scores[5] = { 0.5f, 2, -1, 2, 1 };
    het__moe_attrs attrs = { .used = 3, .router = HET__ROUTER_SOFTMAX, .scale = 1 };
    double sum = 0, chosen = exp(2.0) + exp(2.0) + exp(1.0);
    het__route r;
    for (int i = 0; i < 5; i++)
        sum += exp((double)scores[i]);
    het__route_token(&attrs, scores, 5, &r);
    CHECK(r.expert[0] == 1 && r.expert[1] == 3 && r.expert[2] == 4);
    CHECK_NEAR((double)r.share[0], exp(2.0) / sum, 1e-7);
    CHECK_NEAR((double)r.share[2], exp(1.0) / sum, 1e-7);
    attrs.normalise = true;
    het__route_token(&attrs, scores, 5, &r);
    CHECK_NEAR((double)r.share[1], exp(2.0) / chosen, 1e-7);
    attrs.router = HET__ROUTER_SIGMOID;
    attrs.normalise = false;
    attrs.scale = 2;
    het__route_token(&attrs, scores, 5, &r);
    CHECK_NEAR((double)r.share[2], 2 / (1 + exp(-1.0)), 1e-6);
    /* Of equal scores the first are taken. */
    const float equal[5] = { 1, 1, 1, 1, 1 };
    attrs.used = 2;
    het__route_token(&attrs, equal, 5, &r);
    CHECK(r.expert[0] == 0 && r.expert[1] == 1);
}

/* Whatever the scores are, experts are valid and differ. */
static void hostile_scores(void)
{
    const float values[] = { NAN, INFINITY, -INFINITY, 0, -0.0f, 3e38f, -3e38f };
    uint64_t seed = 5;
    for (int i = 0; i < 3000; i++) {
        float scores[7];
        het__route r;
        const het__router kind = (het__router)(i % 3);
        const het__moe_attrs attrs = { .used = kind == HET__ROUTER_SPARSE_MIXER ? 2 : 4,
                                       .router = kind, .normalise = i % 2, .scale = 1,
                                       .jitter = 0.01f };
        for (int k = 0; k < 7; k++)
            scores[k] = values[(test_random(&seed) >> 40) % 7];
        het__route_token(&attrs, scores, 7, &r);
        CHECK(r.expert[0] >= 0 && r.expert[attrs.used - 1] < 7);
        for (int k = 1; k < attrs.used; k++)
            CHECK(r.expert[k] > r.expert[k - 1]);
    }
}

int main(void)
{
    test_case(sparse_mixer);
    test_case(largest_shares);
    test_case(hostile_scores);
    return test_finish();
}

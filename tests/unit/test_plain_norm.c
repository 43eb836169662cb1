/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations: values against formulas spelled out, parameters of every form, and refusals. */
#include "eval_case.h"

#define F32 HET_DTYPE_F32
#define EPS 1e-5

/* ---- batch ---- */

static void batch_norm_with_given_statistics(void)
{
    enum { N = 2, C = 3, S = 300 };
    static double x[N * C * S], want[N * C * S];
    static const double scale[] = { 1, -2, 0.5 }, shift[] = { 0, 1, 3 }, mean[] = { 1, 0, -5 },
                        variance[] = { 4, 1, 0.25 };
    uint64_t seed = 3;
    for (int i = 0; i < N * C * S; i++) {
        const int c = i / S % C;
        x[i] = (double)test_random_float(&seed);
        want[i] = (x[i] - mean[c]) / sqrt(variance[c] + EPS) * scale[c] + shift[c];
    }
    case_begin("BatchNormalization", 15);
    case_input(F32, 3, E(N, C, S), x);
    case_input(F32, 1, E(C), scale);
    case_input(F32, 1, E(C), shift);
    case_input(F32, 1, E(C), mean);
    case_input(F32, 1, E(C), variance);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(N, C, S), want, 1e-5);
}

static void batch_norm_trains(void)
{
    /* One channel: mean 3, variance 5. */
    for (int opset = 9; opset <= 15; opset += 6) {
        const uint32_t outputs = opset == 9 ? 5 : 3;
        case_begin("BatchNormalization", opset);
        eval_case.outputs = outputs;
        case_input(F32, 3, E(2, 1, 2), V(0, 2, 4, 6));
        for (int i = 0; i < 4; i++)
            case_input(F32, 1, E(1), i == 0 ? V(2) : i == 3 ? V(10) : V(1));
        case_float("momentum", 0.75f);
        if (opset >= 14)
            case_int("training_mode", 1);
        CHECK_INT(case_run(), HET_OK);
        const double r = 2 / sqrt(5 + EPS);
        case_check(0, F32, 3, E(2, 1, 2), V(1 - 3 * r, 1 - r, 1 + r, 1 + 3 * r), 1e-5);
        case_check(1, F32, 1, E(1), V(1 * 0.75 + 3 * 0.25), 1e-6);
        case_check(2, F32, 1, E(1), V(10 * 0.75 + 5 * 0.25), 1e-6);
        if (outputs == 5) {
            case_check(3, F32, 1, E(1), V(3), 1e-6);
            case_check(4, F32, 1, E(1), V(5), 1e-6);
        }
    }
}

static void batch_norm_per_element(void)
{
    case_begin("BatchNormalization", 7);
    case_input(F32, 3, E(2, 1, 2), V(0, 2, 4, 6));
    case_input(F32, 2, E(1, 2), V(1, 2));
    case_input(F32, 2, E(1, 2), V(0, 1));
    case_input(F32, 2, E(1, 2), V(1, 1));
    case_input(F32, 2, E(1, 2), V(1, 1));
    case_int("spatial", 0);
    case_float("epsilon", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(2, 1, 2), V(-1, 3, 3, 11), 1e-5);
}

static void bad_batch_norm(void)
{
    static const int64_t channels[] = { 2, 4, 0 };
    for (int i = 0; i < 3; i++) { /* of three channels */
        case_begin("BatchNormalization", 15);
        case_input(F32, 2, E(1, 3), V(1, 2, 3));
        for (int k = 0; k < 4; k++)
            case_input(F32, 1, E(k == 3 ? channels[i] : 3), V(1, 1, 1, 1));
        CHECK_INT(case_run(), HET_E_INVALID);
    }
    case_begin("BatchNormalization", 15); /* statistics are no outputs of inference */
    eval_case.outputs = 3;
    case_input(F32, 2, E(1, 1), V(1));
    for (int k = 0; k < 4; k++)
        case_input(F32, 1, E(1), V(1));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("BatchNormalization", 15);
    case_input(F32, 0, NULL, V(1));
    for (int k = 0; k < 4; k++)
        case_input(F32, 1, E(1), V(1));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("BatchNormalization", 15);
    case_input(F32, 2, E(1, 1), V(1));
    case_no_input();
    CHECK_INT(case_run(), HET_E_INVALID);
}

/* ---- layer and RMS ---- */

static void layer_norm_and_statistics(void)
{
    enum { R = 3, N = 300 };
    static double x[R * N], scale[N], shift[N], want[R * N], means[R], inverses[R];
    uint64_t seed = 4;
    for (int i = 0; i < N; i++) {
        scale[i] = (double)test_random_float(&seed);
        shift[i] = (double)test_random_float(&seed);
    }
    for (int r = 0; r < R; r++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < N; i++) {
            x[r * N + i] = 100 * r + (double)test_random_float(&seed);
            x[r * N + i] = (double)(float)x[r * N + i];
            mean += x[r * N + i] / N;
        }
        for (int i = 0; i < N; i++)
            variance += (x[r * N + i] - mean) * (x[r * N + i] - mean) / N;
        means[r] = mean;
        inverses[r] = 1 / sqrt(variance + 0.125);
        for (int i = 0; i < N; i++)
            want[r * N + i] = (x[r * N + i] - mean) * inverses[r] * scale[i] + shift[i];
    }
    case_begin("LayerNormalization", 17);
    eval_case.outputs = 3;
    case_input(F32, 2, E(R, N), x);
    case_input(F32, 1, E(N), scale);
    case_input(F32, 1, E(N), shift);
    case_float("epsilon", 0.125f);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(R, N), want, 1e-5);
    case_check(1, F32, 2, E(R, 1), means, 1e-4);
    case_check(2, F32, 2, E(R, 1), inverses, 1e-5);
}

/* The statistics have the stash type, and scales may differ from row to row. */
static void layer_norm_broadcasts(void)
{
    case_begin("LayerNormalization", 17);
    eval_case.outputs = 2;
    case_input(HET_DTYPE_F16, 2, E(2, 2), V(1, 3, 5, 9));
    case_input(HET_DTYPE_F16, 2, E(2, 1), V(1, 10));
    case_no_input();
    case_float("epsilon", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, HET_DTYPE_F16, 2, E(2, 2), V(-1, 1, -10, 10), 1e-2);
    case_check(1, F32, 2, E(2, 1), V(2, 7), 0);

    case_begin("LayerNormalization", 17);
    case_input(F32, 2, E(2, 2), V(1, 3, 5, 9));
    case_input(F32, 0, NULL, V(2));
    case_input(F32, 1, E(2), V(0, 1));
    case_int("axis", -1);
    case_float("epsilon", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 2), V(-2, 3, -2, 3), 1e-6);
}

static void rms_norm(void)
{
    case_begin("RMSNormalization", 23);
    case_input(F32, 3, E(1, 2, 2), V(1, 1, 5, 3));
    case_input(F32, 2, E(2, 2), V(1, 2, 3, 4));
    case_int("axis", 1);
    case_float("epsilon", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 2, 2), V(1 / 3.0, 2 / 3.0, 5, 4), 1e-6);
}

static void bad_layer_norm(void)
{
    case_begin("LayerNormalization", 17); /* the scale is larger than x */
    case_input(F32, 2, E(1, 2), V(1, 2));
    case_input(F32, 2, E(2, 2), V(1, 2, 3, 4));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("LayerNormalization", 17);
    case_input(F32, 1, E(2), V(1, 2));
    case_input(F32, 2, E(1, 2), V(1, 2));
    CHECK_INT(case_run(), HET_E_INVALID);
    static const int64_t axes[] = { 2, -3, INT64_MIN, INT64_MAX };
    for (int i = 0; i < 4; i++) {
        case_begin("LayerNormalization", 17);
        case_input(F32, 2, E(1, 2), V(1, 2));
        case_input(F32, 1, E(2), V(1, 2));
        case_int("axis", axes[i]);
        CHECK_INT(case_run(), HET_E_INVALID);
    }
    case_begin("LayerNormalization", 17);
    case_input(F32, 2, E(1, 2), V(1, 2));
    case_input(F32, 1, E(2), V(1, 2));
    case_int("stash_type", 7);
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("RMSNormalization", 23);
    case_input(F32, 0, NULL, V(1));
    case_input(F32, 0, NULL, V(1));
    CHECK_INT(case_run(), HET_E_INVALID);
}

/* ---- groups ---- */

static void group_scales_by_version(void)
{
    const double x[] = { 1, 3, 5, 7, 2, 2, 4, 4 }; /* [1][4][2], groups of two channels */
    const double r = 1 / sqrt(5);
    case_begin("GroupNormalization", 18);
    case_input(F32, 3, E(1, 4, 2), x);
    case_input(F32, 1, E(2), V(1, 2));
    case_input(F32, 1, E(2), V(0, 5));
    case_int("num_groups", 2);
    case_float("epsilon", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 4, 2), V(-3 * r, -r, r, 3 * r, 3, 3, 7, 7), 1e-6);

    case_begin("GroupNormalization", 21);
    case_input(F32, 3, E(1, 4, 2), x);
    case_input(F32, 1, E(4), V(1, 2, 3, 4));
    case_input(F32, 1, E(4), V(0, 0, 1, 1));
    case_int("num_groups", 2);
    case_float("epsilon", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 4, 2), V(-3 * r, -r, 2 * r, 6 * r, -2, -2, 5, 5), 1e-6);

    case_begin("InstanceNormalization", 6);
    case_input(F32, 3, E(2, 1, 2), V(1, 3, 10, 20));
    case_input(F32, 1, E(1), V(2));
    case_input(F32, 1, E(1), V(1));
    case_float("epsilon", 0);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(2, 1, 2), V(-1, 3, -1, 3), 1e-6);
}

static void bad_groups(void)
{
    static const int64_t groups[] = { 0, -1, 3, 8, INT64_MIN, INT64_MAX };
    for (int i = 0; i < 6; i++) {
        case_begin("GroupNormalization", 21);
        case_input(F32, 2, E(1, 4), V(1, 2, 3, 4));
        case_input(F32, 1, E(4), V(1, 2, 3, 4));
        case_input(F32, 1, E(4), V(1, 2, 3, 4));
        case_int("num_groups", groups[i]);
        CHECK_INT(case_run(), HET_E_INVALID);
    }
    case_begin("GroupNormalization", 18); /* opset 18 scales groups */
    case_input(F32, 2, E(1, 4), V(1, 2, 3, 4));
    case_input(F32, 1, E(4), V(1, 2, 3, 4));
    case_input(F32, 1, E(4), V(1, 2, 3, 4));
    case_int("num_groups", 2);
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("InstanceNormalization", 22);
    case_input(F32, 1, E(4), V(1, 2, 3, 4));
    case_input(F32, 1, E(4), V(1, 2, 3, 4));
    case_input(F32, 1, E(4), V(1, 2, 3, 4));
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("InstanceNormalization", 22); /* no channels, no elements */
    case_input(F32, 3, E(2, 0, 3), V(0));
    case_input(F32, 1, E(0), V(0));
    case_input(F32, 1, E(0), V(0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(2, 0, 3), V(0), 0);
}

/* ---- others ---- */

static void lp_norm(void)
{
    case_begin("LpNormalization", 22);
    case_input(F32, 2, E(2, 2), V(3, -4, 0, 0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 2), V(0.6, -0.8, 0, 0), 1e-6);
    case_begin("LpNormalization", 22);
    case_input(F32, 2, E(2, 2), V(3, -4, 1, 4));
    case_int("axis", 0);
    case_int("p", 1);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 2), V(0.75, -0.5, 0.25, 0.5), 1e-6);
    case_begin("LpNormalization", 22);
    case_input(F32, 1, E(2), V(1, 2));
    case_int("p", 3);
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("LpNormalization", 22);
    case_input(F32, 1, E(2), V(1, 2));
    case_int("axis", 1);
    CHECK_INT(case_run(), HET_E_INVALID);
}

static void mean_variance_norm(void)
{
    case_begin("MeanVarianceNormalization", 13);
    case_input(F32, 4, E(2, 2, 1, 1), V(1, 7, 3, 7)); /* per channel */
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(2, 2, 1, 1), V(-1, 0, 1, 0), 1e-6);
    case_begin("MeanVarianceNormalization", 13);
    case_input(F32, 2, E(2, 2), V(1, 7, 3, 7)); /* no axis 3 */
    CHECK_INT(case_run(), HET_E_INVALID);
    case_begin("MeanVarianceNormalization", 13);
    case_input(F32, 2, E(2, 2), V(1, 3, 10, 30));
    case_ints("axes", 1, E(-1));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 2, E(2, 2), V(-1, 1, -1, 1), 1e-6);
}

int main(void)
{
    test_case(batch_norm_with_given_statistics);
    test_case(batch_norm_trains);
    test_case(batch_norm_per_element);
    test_case(bad_batch_norm);
    test_case(layer_norm_and_statistics);
    test_case(layer_norm_broadcasts);
    test_case(rms_norm);
    test_case(bad_layer_norm);
    test_case(group_scales_by_version);
    test_case(bad_groups);
    test_case(lp_norm);
    test_case(mean_variance_norm);
    case_end();
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers, attention and signals against torch and NumPy (tests/vectors/make_sequence.py),
 * properties that no table shows, and what must be refused. */
#include "vector_case.h"

#include "vectors/sequence.h"

#define F32 HET_DTYPE_F32
#define F64 HET_DTYPE_F64
#define I64 HET_DTYPE_I64
#define I32 HET_DTYPE_I32
#define HUGE_ ((int64_t)1 << 40)

static void vectors(void)
{
    for (size_t g = 0; g < sizeof sequence_groups / sizeof *sequence_groups; g++)
        for (size_t i = 0; i < sequence_groups[g].count; i++)
            vector_check(&sequence_groups[g].cases[i]);
}

static void refused(const char *why)
{
    CHECK(case_run() == HET_E_INVALID);
    if (!strstr(eval_case.err.message, why))
        TEST_FAIL("\"%s\" does not say \"%s\"", eval_case.err.message, why);
}

/* ---- recurrent layers ---- */

static void recurrent_case(const char *op, int64_t gates)
{
    static const double zeros[64];
    case_begin(op, 22);
    case_input(F32, 3, E(2, 1, 2), zeros);
    case_input(F32, 3, E(1, gates * 2, 2), zeros);
    case_input(F32, 3, E(1, gates * 2, 2), zeros);
}

static void recurrent_refusals(void)
{
    recurrent_case("LSTM", 4);
    case_string("direction", "sideways");
    refused("direction");
    recurrent_case("LSTM", 4);
    case_string("direction", "bidirectional");
    refused("W is");
    recurrent_case("GRU", 4);
    refused("W is");
    recurrent_case("RNN", 1);
    case_int("hidden_size", 3);
    refused("hidden_size");
    recurrent_case("GRU", 3);
    het__attr *a = case_attr("activations", HET__ATTR_STRINGS);
    a->count = 1;
    a->u.strings = (const char *const[]){ "Tanh" };
    refused("1 activations where 2");
    a->count = 2;
    a->u.strings = (const char *const[]){ "Tanh", "Tanhh" };
    refused("Tanhh is not");
    recurrent_case("RNN", 1);
    case_no_input();
    case_input(I32, 1, E(1), V(3));
    refused("3 of 2 steps");
    recurrent_case("RNN", 1);
    case_no_input();
    case_input(F32, 1, E(1), V(1));
    refused("sequence_lens");
    case_begin("RNN", 22);
    case_input(F32, 3, E(2, 1, 2), V(0, 0, 0, 0));
    refused("R is not");
}

static void recurrent_without_anything(void)
{
    bool unknown;
    case_begin("GRU", 14); /* no sequences: the other extents may be anything */
    case_input(F32, 3, E(HUGE_, 0, 2), NULL);
    case_input(F32, 3, E(1, 6, 2), NULL);
    case_input(F32, 3, E(1, 6, 2), NULL);
    CHECK_INT(case_rule(&unknown), HET_OK);
    CHECK(!unknown);
    eval_case.outputs = 2;
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(HUGE_, 1, 0, 2), NULL, 0);
    recurrent_case("LSTM", 4); /* no steps: the last states are the first */
    eval_case.in[0].extent[0] = 0;
    case_no_input();
    case_no_input();
    case_input(F32, 3, E(1, 1, 2), V(1, 2));
    case_input(F32, 3, E(1, 1, 2), V(3, 4));
    eval_case.outputs = 3;
    CHECK_INT(case_run(), HET_OK);
    case_check(1, F32, 3, E(1, 1, 2), V(1, 2), 0);
    case_check(2, F32, 3, E(1, 1, 2), V(3, 4), 0);
}

/* Without peepholes no gate sees the cell, not even one that is infinite. */
static void recurrent_infinite_cell(void)
{
    recurrent_case("LSTM", 4);
    case_no_input();
    case_no_input();
    case_input(F32, 3, E(1, 1, 2), V(0, 0));
    case_input(F32, 3, E(1, 1, 2), V(INFINITY, 0));
    eval_case.outputs = 3;
    CHECK_INT(case_run(), HET_OK);
    case_check(1, F32, 3, E(1, 1, 2), V(0.5, 0), 0); /* gates of sigmoid(0), tanh of the cell */
    case_check(2, F32, 3, E(1, 1, 2), V(INFINITY, 0), 0);
}

/* ---- attention ---- */

static void attention_case(int64_t heads, int64_t kv_heads)
{
    static const double zeros[64];
    case_begin("Attention", 24);
    case_input(F32, 4, E(1, heads, 2, 2), zeros);
    case_input(F32, 4, E(1, kv_heads, 2, 2), zeros);
    case_input(F32, 4, E(1, kv_heads, 2, 2), zeros);
}

/* What stands under a mask may be anything, and a query that sees no key gives zeros. */
static void attention_closed_keys(void)
{
    case_begin("Attention", 23);
    case_input(F32, 4, E(1, 1, 2, 1), V(1, 1));
    case_input(F32, 4, E(1, 1, 2, 1), V(1, (double)NAN));
    case_input(F32, 4, E(1, 1, 2, 1), V(5, (double)INFINITY));
    case_input(HET_DTYPE_BOOL, 2, E(2, 2), V(1, 0, 0, 0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 1, 2, 1), V(5, 0), 0);
}

static void attention_refusals(void)
{
    attention_case(3, 2);
    refused("3 query heads on 2");
    attention_case(2, 0);
    refused("on 0 key heads");
    attention_case(2, 2);
    case_int("left_window_size", -2);
    refused("window");
    attention_case(2, 2);
    case_int("qk_matmul_output_mode", 4);
    refused("qk_matmul_output_mode 4");
    attention_case(2, 2);
    case_int("softmax_precision", 7);
    refused("softmax_precision 7");
    attention_case(2, 2);
    case_input(F32, 2, E(2, 3), V(0, 0, 0, 0, 0, 0));
    refused("attn_mask F32[2,3]");
    attention_case(2, 2);
    case_no_input();
    case_input(F32, 4, E(1, 2, 1, 2), V(0, 0, 0, 0));
    refused("come together");
    attention_case(2, 2);
    for (int i = 0; i < 3; i++)
        case_no_input();
    case_input(I64, 1, E(1), V(3));
    refused("3 of 2 keys");
    case_begin("Attention", 23);
    for (int i = 0; i < 3; i++)
        case_input(F32, 3, E(1, 1, 4), V(0, 0, 0, 0));
    refused("0 query heads");
    case_int("q_num_heads", 3);
    case_int("kv_num_heads", 1);
    refused("do not divide");
}

static void attention_extremes(void)
{
    attention_case(2, 1);
    case_int("left_window_size", INT64_MAX);
    case_int("right_window_size", INT64_MAX);
    CHECK_INT(case_run(), HET_OK);
    case_begin("Attention", 23); /* no batch: nothing may be multiplied out */
    for (int i = 0; i < 3; i++)
        case_input(F32, 4, E(0, 1, HUGE_, 4), V(0));
    CHECK_INT(case_run(), HET_OK);
    case_begin("Attention", 23); /* no keys: zeros */
    case_input(F32, 4, E(1, 1, 1, 2), V(1, 1));
    case_input(F32, 4, E(1, 1, 0, 2), V(0));
    case_input(F32, 4, E(1, 1, 0, 2), V(0));
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 4, E(1, 1, 1, 2), V(0, 0), 0);
}

/* ---- the small ones ---- */

static void linear_refusals(void)
{
    for (int i = 0; i < 4; i++) {
        case_begin("LinearAttention", 27);
        for (int k = 0; k < 3; k++)
            case_input(F32, 3, E(1, 1, 4), V(1, 2, 3, 4));
        case_int("q_num_heads", i == 0 ? 0 : i == 1 ? 3 : 2);
        case_int("kv_num_heads", i == 1 ? 3 : 2);
        case_string("update_rule", i == 2 ? "gated" : i == 3 ? "other" : "linear");
        refused(i == 0 ? "0 query heads" : i == 1 ? "do not divide" : i == 2 ? "decay" : "other");
    }
    case_begin("CausalConvWithState", 27);
    case_input(F32, 3, E(1, 2, 3), V(1, 2, 3, 4, 5, 6));
    case_input(F32, 3, E(2, 1, 0), V(0));
    refused("empty");
    case_begin("CausalConvWithState", 27);
    case_input(F32, 3, E(1, 2, 3), V(1, 2, 3, 4, 5, 6));
    case_input(F32, 3, E(2, 2, 1), V(1, 1, 1, 1));
    refused("weight is");
}

static void rotary_case(double position)
{
    case_begin("RotaryEmbedding", 23);
    case_input(F32, 3, E(1, 1, 4), V(1, 2, 3, 4));
    case_input(F32, 2, E(2, 1), V(1, 1));
    case_input(F32, 2, E(2, 1), V(0, 0));
    case_input(I64, 2, E(1, 1), &position);
    case_int("num_heads", 2);
}

static void rotary_refusals(void)
{
    rotary_case(2);
    refused("position 2 of 2");
    rotary_case(-1);
    refused("position -1");
    rotary_case(1);
    eval_case.attrs[0].u.i = 3;
    refused("3 heads");
    rotary_case(1);
    case_int("rotary_embedding_dim", 6);
    refused("6 of 2");
    rotary_case(1);
    case_int("rotary_embedding_dim", -2);
    refused("-2 of 2");
    rotary_case(1);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F32, 3, E(1, 1, 4), V(1, 2, 3, 4), 0);
}

/* ---- signals ---- */

static void dft_case(double axis, double length)
{
    case_begin("DFT", 20);
    case_input(F32, 2, E(4, 1), V(1, 2, 3, 4));
    case_input(I64, 0, NULL, &length);
    case_input(I64, 0, NULL, &axis);
}

static void signal_refusals(void)
{
    dft_case(1, 4);
    refused("axis 1 of 2");
    dft_case(-1, 4);
    refused("axis -1");
    dft_case(0, 0);
    refused("length 0");
    dft_case(0, 0x1p62);
    refused("impossible size");
    case_begin("DFT", 20);
    case_input(F32, 2, E(4, 3), V(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    refused("is 3, not 1 or 2");
    case_begin("DFT", 20);
    case_input(F32, 2, E(1, 2), V(1, 2));
    case_int("inverse", 1);
    case_int("onesided", 1);
    refused("length 0");
    for (int i = 0; i < 3; i++) {
        case_begin("STFT", 17);
        case_input(F32, 3, E(1, 4, 1), V(1, 2, 3, 4));
        case_input(I64, 0, NULL, i == 0 ? V(0) : V(1));
        case_no_input();
        case_input(I64, 0, NULL, i == 1 ? V(5) : i == 2 ? V(-1) : V(2));
        refused("frames of");
    }
    case_begin("HannWindow", 17);
    case_input(I64, 0, NULL, V(-1));
    refused("impossible size");
    case_int("output_datatype", 8);
    refused("output_datatype 8");
}

static void signal_sizes_from_contents(void)
{
    bool unknown;
    dft_case(0, 8);
    CHECK_INT(case_rule(&unknown), HET_OK);
    CHECK(unknown);
    CHECK_INT(eval_case.out[0].dtype, F32);
    CHECK_INT(case_run(), HET_OK);
    CHECK_INT(eval_case.out[0].extent[0], 8);
    case_begin("HannWindow", 17);
    case_input(I64, 0, NULL, V(1));
    case_int("periodic", 0);
    case_int("output_datatype", 11);
    CHECK_INT(case_rule(&unknown), HET_OK);
    CHECK(unknown);
    CHECK_INT(eval_case.out[0].dtype, F64);
    CHECK_INT(case_run(), HET_OK);
    case_check(0, F64, 1, E(1), V(1), 0);
}

/* There and back is what it was, for lengths of every kind. */
static void transform_round_trip(void)
{
    uint64_t seed = 7;
    for (int64_t n = 1; n < 300; n += n < 40 ? 1 : 37) {
        double line[600], there[600];
        for (int64_t i = 0; i < 2 * n; i++)
            line[i] = (double)test_random_float(&seed);
        case_begin("DFT", 20);
        case_input(F64, 2, E(n, 2), line);
        CHECK_INT(case_run(), HET_OK);
        for (int64_t i = 0; i < 2 * n; i++)
            there[i] = case_out(0, i);
        case_begin("DFT", 20);
        case_input(F64, 2, E(n, 2), there);
        case_int("inverse", 1);
        CHECK_INT(case_run(), HET_OK);
        case_check(0, F64, 2, E(n, 2), line, 1e-13);
    }
}

static void mel_case(double bins, double length, double rate, double low, double high)
{
    case_begin("MelWeightMatrix", 17);
    case_input(I64, 0, NULL, &bins);
    case_input(I64, 0, NULL, &length);
    case_input(I64, 0, NULL, &rate);
    case_input(F32, 0, NULL, &low);
    case_input(F32, 0, NULL, &high);
}

/* Each triangle has one peak of 1 and falls to both sides. */
static void mel_triangles(void)
{
    mel_case(8, 256, 8192, 0, 4096);
    CHECK_INT(case_run(), HET_OK);
    CHECK_INT(eval_case.out[0].extent[0], 129);
    CHECK_INT(eval_case.out[0].extent[1], 8);
    int64_t before = -1;
    for (int64_t band = 0; band < 8; band++) {
        int64_t peak = 0;
        for (int64_t j = 1; j < 129; j++)
            if (case_out(0, j * 8 + band) > case_out(0, peak * 8 + band))
                peak = j;
        CHECK_NEAR(case_out(0, peak * 8 + band), 1, 0);
        for (int64_t j = 1; j <= peak; j++)
            CHECK(case_out(0, j * 8 + band) >= case_out(0, (j - 1) * 8 + band));
        for (int64_t j = peak + 1; j < 129; j++)
            CHECK(case_out(0, j * 8 + band) <= case_out(0, (j - 1) * 8 + band));
        CHECK(peak >= before);
        before = peak;
    }
}

static void mel_refusals(void)
{
    mel_case(4, 16, 8000, 0, 80000);
    refused("outside");
    mel_case(4, 16, 8000, 4000, 0);
    refused("outside");
    mel_case(4, 16, 8000, -800, 100);
    refused("outside");
    mel_case(4, 16, 0, 0, 100);
    refused("0 Hz");
    mel_case(-1, 16, 8000, 0, 100);
    refused("-1 bins");
}

/* ---- arithmetic ---- */

static het__work work_of_case(void)
{
    het__work work = { 0 };
    het__eval e = case_eval();
    CHECK_INT(het__tensor_op_of(eval_case.node.op)->shape(&e), HET_OK);
    het__tensor_op_of(eval_case.node.op)->count(&e, &work);
    return work;
}

static void arithmetic(void)
{
    recurrent_case("LSTM", 4); /* two steps of 4 gates of 2, from 2 inputs and 2 states */
    het__work work = work_of_case();
    CHECK_NEAR(work.macs, 2 * 4 * 2 * (2 + 2), 0);
    CHECK_NEAR(work.units, 1, 0);
    attention_case(4, 2); /* 4 heads of 2 queries on 2 keys of 2, and back */
    work = work_of_case();
    CHECK_NEAR(work.macs, 4 * 2 * 2 * (2 + 2), 0);
    CHECK_NEAR(work.units, 8, 0);
    case_begin("CausalConvWithState", 27);
    case_input(F32, 3, E(2, 3, 5), NULL);
    case_input(F32, 3, E(3, 1, 4), NULL);
    work = work_of_case();
    CHECK_NEAR(work.macs, 2 * 3 * 5 * 4, 0);
    CHECK_NEAR(work.units, 6, 0);
    case_begin("DFT", 20);
    case_input(F32, 3, E(3, 16, 1), NULL);
    work = work_of_case();
    CHECK_NEAR(work.units, 3, 0);
    CHECK_NEAR(work.flops, 3 * 5 * 16 * 4, 0);
}

int main(void)
{
    test_case(vectors);
    test_case(arithmetic);
    test_case(recurrent_refusals);
    test_case(recurrent_without_anything);
    test_case(recurrent_infinite_cell);
    test_case(attention_closed_keys);
    test_case(attention_refusals);
    test_case(attention_extremes);
    test_case(linear_refusals);
    test_case(rotary_refusals);
    test_case(signal_refusals);
    test_case(signal_sizes_from_contents);
    test_case(transform_round_trip);
    test_case(mel_triangles);
    test_case(mel_refusals);
    case_end();
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Gates and states of recurrent layers; compiled once per instruction-set level, like level.c.
 * Lanes run along the hidden units of a sequence. */
#include "backends/cpu_onednn/recurrent_math.h"

#include <math.h>

#include "backends/cpu_onednn/vec_curves.h"

#if HET__LEVEL == HET__LEVEL_AVX512
#define MATH het__recurrent_math_avx512
#define LEVEL_NAME "avx512"
#elif HET__LEVEL == HET__LEVEL_GENERIC
#define MATH het__recurrent_math_generic
#define LEVEL_NAME "generic"
#elif HET__LEVEL == HET__LEVEL_AVX2VNNI
#define MATH het__recurrent_math_avx2vnni
#define LEVEL_NAME "avx2vnni"
#else
#define MATH het__recurrent_math_avx2
#define LEVEL_NAME "avx2"
#endif

/* An activation as vectors. clips: between -clip and clip first. */
typedef struct curve {
    het__curve kind;
    bool clips;
    vf alpha, beta, clip;
} curve;

static inline curve curve_of(const het__activation *a, double clip)
{
    return (curve){ a->curve, clip < (double)INFINITY, vf_set((float)a->alpha),
                    vf_set((float)a->beta), vf_set((float)clip) };
}

VEC_INLINE vf bend(const curve *c, vf x)
{
    /* min and max give their second operand where one is NaN. */
    if (c->clips)
        x = vf_min(c->clip, vf_max(vf_sub(vf_zero(), c->clip), x));
    switch (c->kind) {
    case HET__CURVE_TANH:
        return vf_tanh(x);
    case HET__CURVE_SIGMOID:
        return vf_sigmoid(x);
    case HET__CURVE_RELU:
        return vf_max(x, vf_zero());
    case HET__CURVE_AFFINE:
        return vf_fma(c->alpha, x, c->beta);
    case HET__CURVE_LEAKY_RELU:
        return vf_add(vf_max(vf_zero(), x), vf_mul(c->alpha, vf_min(vf_zero(), x)));
    case HET__CURVE_SCALED_TANH:
        return vf_mul(c->alpha, vf_tanh(vf_mul(c->beta, x)));
    case HET__CURVE_HARD_SIGMOID:
        return vf_min(vf_max(vf_fma(c->alpha, x, c->beta), vf_zero()), vf_set(1));
    case HET__CURVE_SOFTSIGN:
        return vf_div(x, vf_add(vf_set(1), vf_max(x, vf_sub(vf_zero(), x))));
    default:
        return x;
    }
}

static void rnn(const het__cell_job *j)
{
    const int64_t n = j->form->hidden;
    const curve act = curve_of(&j->act[0], j->form->clip);
    for (int64_t r = 0; r < j->rows; r++) {
        const float *gate = j->gates + r * j->gate_stride;
        for (int64_t i = 0; i < n; i += VL)
            vf_store_upto(j->hidden + r * n + i, bend(&act, vf_load_upto(gate + i, n - i)), n - i);
    }
}

static void gru_gates(const het__cell_job *j)
{
    const int64_t n = j->form->hidden;
    const curve act = curve_of(&j->act[0], j->form->clip);
    for (int64_t r = 0; r < j->rows; r++) {
        float *gates = j->gates + r * j->gate_stride;
        for (int64_t i = 0; i < 2 * n; i += VL)
            vf_store_upto(gates + i, bend(&act, vf_load_upto(gates + i, 2 * n - i)), 2 * n - i);
        for (int64_t i = 0; i < n && !j->form->is_linear_before_reset; i += VL) {
            const vf reset = vf_load_upto(gates + n + i, n - i);
            const vf before = vf_load_upto(j->hidden + r * n + i, n - i);
            vf_store_upto(j->part + r * n + i, vf_mul(reset, before), n - i);
        }
    }
}

static void gru_state(const het__cell_job *j)
{
    const int64_t n = j->form->hidden;
    const bool linear = j->form->is_linear_before_reset;
    const curve act = curve_of(&j->act[1], j->form->clip);
    for (int64_t r = 0; r < j->rows; r++) {
        const float *gates = j->gates + r * j->gate_stride;
        for (int64_t i = 0; i < n; i += VL) {
            const int64_t m = n - i;
            float *state = j->hidden + r * n + i;
            const vf before = vf_load_upto(state, m), update = vf_load_upto(gates + i, m);
            vf fresh = vf_load_upto(gates + 2 * n + i, m);
            if (linear) {
                vf part = vf_load_upto(j->part + r * n + i, m);
                if (j->part_bias)
                    part = vf_add(part, vf_load_upto(j->part_bias + i, m));
                fresh = vf_fma(vf_load_upto(gates + n + i, m), part, fresh);
            }
            fresh = bend(&act, fresh);
            const vf kept = vf_mul(update, before);
            vf_store_upto(state, vf_fma(vf_sub(vf_set(1), update), fresh, kept), m);
        }
    }
}

static void lstm(const het__cell_job *j)
{
    const het__recurrent *f = j->form;
    const int64_t n = f->hidden;
    const float *peep = j->peepholes;
    const curve gate = curve_of(&j->act[0], f->clip), fill = curve_of(&j->act[1], f->clip);
    const curve out = curve_of(&j->act[2], (double)INFINITY);
    for (int64_t r = 0; r < j->rows; r++) {
        const float *gates = j->gates + r * j->gate_stride;
        for (int64_t i = 0; i < n; i += VL) {
            const int64_t m = n - i;
            float *cell = j->cell + r * n + i;
            const vf before = vf_load_upto(cell, m);
            vf x_in = vf_load_upto(gates + i, m), x_out = vf_load_upto(gates + n + i, m);
            vf x_keep = vf_load_upto(gates + 2 * n + i, m);
            if (peep) {
                x_in = vf_fma(vf_load_upto(peep + i, m), before, x_in);
                x_keep = vf_fma(vf_load_upto(peep + 2 * n + i, m), before, x_keep);
            }
            const vf in = bend(&gate, x_in);
            const vf keep = f->couples_forget ? vf_sub(vf_set(1), in) : bend(&gate, x_keep);
            const vf fresh = bend(&fill, vf_load_upto(gates + 3 * n + i, m));
            const vf next = vf_fma(in, fresh, vf_mul(keep, before));
            if (peep)
                x_out = vf_fma(vf_load_upto(peep + n + i, m), next, x_out);
            vf_store_upto(cell, next, m);
            /* The cell is not clipped here: ONNX Runtime bounds the gates only. */
            vf_store_upto(j->hidden + r * n + i, vf_mul(bend(&gate, x_out), bend(&out, next)), m);
        }
    }
}

const het__recurrent_math MATH = { LEVEL_NAME, rnn, gru_gates, gru_state, lstm };

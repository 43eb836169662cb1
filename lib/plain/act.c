/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/plain/act.h"

#include <assert.h>
#include <math.h>

double het__unary_value(het__unary kind, double x)
{
    static const double sqrt_2_over_pi = 0.79788456080286535588;
    static const double sqrt_half = 0.70710678118654752440;
    switch (kind) {
    case HET__UNARY_NONE:
        return x;
    case HET__UNARY_SILU:
        return x / (1.0 + exp(-x));
    case HET__UNARY_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt_2_over_pi * (x + 0.044715 * x * x * x)));
    case HET__UNARY_GELU_ERF:
        return 0.5 * x * (1.0 + erf(x * sqrt_half));
    case HET__UNARY_RELU:
        return x < 0.0 ? 0.0 : x; /* NaN stays NaN */
    case HET__UNARY_TANH:
        return tanh(x);
    case HET__UNARY_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    case HET__UNARY_SCALE:
    case HET__UNARY_SOFTCAP:
        break; /* they take an alpha */
    }
    assert(false); /* a kind without a formula */
    return x;
}

double het__act_value(const het__act *act, double x)
{
    const double alpha = (double)act->alpha, beta = (double)act->beta;
    switch (act->kind) {
    case HET__ACT_NONE:
        return x;
    case HET__ACT_RELU:
        return het__unary_value(HET__UNARY_RELU, x);
    case HET__ACT_CLIP:
        return x < alpha ? alpha : x > beta ? beta : x;
    case HET__ACT_LEAKY_RELU:
        return x < 0 ? alpha * x : x;
    case HET__ACT_SIGMOID:
        return het__unary_value(HET__UNARY_SIGMOID, x);
    case HET__ACT_TANH:
        return tanh(x);
    case HET__ACT_SWISH:
        return x / (1.0 + exp(-alpha * x));
    case HET__ACT_HARD_SIGMOID:
        return fmin(fmax(alpha * x + beta, 0), 1);
    case HET__ACT_HARD_SWISH:
        return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case HET__ACT_GELU_ERF:
        return het__unary_value(HET__UNARY_GELU_ERF, x);
    case HET__ACT_GELU_TANH:
        return het__unary_value(HET__UNARY_GELU_TANH, x);
    case HET__ACT_COUNT:
        break;
    }
    assert(false); /* a kind without a formula */
    return x;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Cast and CastLike between all scalar types. Floats are rounded once, to nearest even; integers
 * keep their low bits; what no integer can hold is cut as het__put_f64() does it. */
#include <math.h>

#include "lib/plain/chunk.h"
#include "lib/plain/small_floats.h"

/* F8E8M0 has powers of two only: towards which one x goes, before it is put away. */
static double to_power(double x, const char *mode)
{
    int exponent;
    if (!(x > 0) || isinf(x) || strcmp(mode, "nearest") == 0)
        return x;
    const double part = frexp(x, &exponent); /* in [0.5, 1) */
    const bool up = strcmp(mode, "up") == 0;
    return ldexp(1, up && part > 0.5 ? exponent : exponent - 1);
}

static void cast_to_small_float(const het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *y = &e->outputs[0];
    const bool saturate = het__attr_int(e->attrs, "saturate", 1) != 0;
    const char *mode = het__attr_string(e->attrs, "round_mode", "up");
    const int64_t total = het__tensor_elements(y);
    uint8_t *to = y->data;
    het__chunk in;
    for (int64_t i = 0; i < total; i += HET__CHUNK) {
        const int64_t n = total - i < HET__CHUNK ? total - i : HET__CHUNK;
        const double *from = het__lane_load(HET__LANE_F64, x, i, 1, n, &in);
        for (int64_t k = 0; k < n; k++)
            to[i + k] = het__small_float_put(
                y->dtype, y->dtype == HET_DTYPE_F8E8M0 ? to_power(from[k], mode) : from[k],
                saturate);
    }
}

static bool is_small_float(het_dtype dtype)
{
    return dtype >= HET_DTYPE_F8E4M3 && dtype <= HET_DTYPE_F4E2M1;
}

het_status het__plain_cast(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *y = &e->outputs[0];
    const het__lane lane = het__lane_of(x->dtype);
    const int64_t total = het__tensor_elements(y);
    het__chunk in;
    if (x->dtype == y->dtype)
        return het__plain_identity(e);
    if (is_small_float(y->dtype)) {
        cast_to_small_float(e);
        return HET_OK;
    }
    for (int64_t i = 0; i < total; i += HET__CHUNK) {
        const int64_t n = total - i < HET__CHUNK ? total - i : HET__CHUNK;
        het__lane_store(lane, x->dtype == HET_DTYPE_U64, y, i, n,
                        het__lane_load(lane, x, i, 1, n, &in));
    }
    return HET_OK;
}

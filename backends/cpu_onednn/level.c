/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction-set level. The build compiles this file once per level, with HET__LEVEL and the
 * compiler flags that allow its instructions; nothing compiled here may run before the level was
 * found fit for the processor (matmul.c). */
#include "backends/cpu_onednn/helpers.h"

#if HET__LEVEL == HET__LEVEL_AVX512
#define LEVEL het__cpu_level_avx512
#define LEVEL_NAME "avx512"
#define LEVEL_FEATURES "AVX-512 with VNNI and BF16"
#elif HET__LEVEL == HET__LEVEL_AVX2VNNI
#ifdef HET__LEVEL_EVEX /* the tests' own build, encoded for processors with AVX-512 VNNI */
#define LEVEL het__cpu_level_evex
#else
#define LEVEL het__cpu_level_avx2vnni
#endif
#define LEVEL_NAME "avx2vnni"
#define LEVEL_FEATURES "AVX2 with FMA, F16C and AVX-VNNI"
#elif HET__LEVEL == HET__LEVEL_AVX2
#define LEVEL het__cpu_level_avx2
#define LEVEL_NAME "avx2"
#define LEVEL_FEATURES "AVX2 with FMA and F16C"
#else
#define LEVEL het__cpu_level_generic
#define LEVEL_NAME "generic"
#define LEVEL_FEATURES "portable C"
#endif

static bool is_q8(const het__cpu_matrix *m)
{
    return m->form < FORM_Q8_COUNT && m->act == HET__CPU_ACT_Q8;
}

static size_t level_choose(het__cpu_matrix *m, het_precision precision, bool relay)
{
    const bool fast = precision == HET_PRECISION_FAST;
    const int quantised = q8_form_of(m->dtype);
    m->act = HET__CPU_ACT_F32;
    if (quantised) {
        m->form = (uint32_t)quantised;
        m->act = fast ? HET__CPU_ACT_Q8 : HET__CPU_ACT_F32;
        if (!relay)
            return 0;
        return fast ? q8_packed_bytes(m) : f32_packed_bytes(m);
    }
    switch ((int)m->dtype) {
    case HET_DTYPE_F32:
        m->form = FORM_F32;
        break;
    case HET_DTYPE_F16:
        m->form = FORM_F16;
        break;
    case HET_DTYPE_BF16:
        m->form = VEC_HAVE_BF16 && fast ? FORM_DOT_BF16 : FORM_BF16;
        m->act = VEC_HAVE_BF16 && fast ? HET__CPU_ACT_BF16 : HET__CPU_ACT_F32;
        break;
    default:
        m->form = FORM_ROWS;
        return 0;
    }
    return relay ? f32_packed_bytes(m) : 0;
}

static int64_t level_granule(const het__cpu_matrix *m)
{
    return is_q8(m) ? Q8_ROWS : F32_ROWS;
}

static void level_pack(const het__cpu_matrix *m, int64_t first, int64_t count)
{
    if (is_q8(m))
        q8_pack(m, first, count);
    else
        f32_pack(m, first, count);
}

static size_t level_scratch_bytes(const het__cpu_matrix *m, int64_t tokens)
{
    (void)tokens;
    return is_q8(m) ? q8_scratch_bytes(&q8_forms[m->form]) : f32_scratch_bytes();
}

static void level_run(const het__cpu_matrix *m, int64_t first, int64_t count, const void *acts,
                      size_t act_stride, int64_t tokens, float *out, int64_t out_stride,
                      void *scratch)
{
    assert(first % level_granule(m) == 0);
    if (is_q8(m))
        q8_run(m, first, count, acts, act_stride, tokens, out, out_stride, scratch);
    else
        f32_run(m, first, count, acts, act_stride, tokens, out, out_stride, scratch);
}

extern const het__cpu_level LEVEL;

const het__cpu_level LEVEL = {
    .name = LEVEL_NAME,
    .features = LEVEL_FEATURES,
    .choose = level_choose,
    .granule = level_granule,
    .pack = level_pack,
    .prepare = level_prepare,
    .scratch_bytes = level_scratch_bytes,
    .run = level_run,
    .finish = level_finish,
    .peak_f32 = level_peak_f32,
#if VEC_HAVE_BF16
    .peak_bf16 = level_peak_bf16,
#endif
#if HET__LEVEL != HET__LEVEL_GENERIC
    .peak_int8 = level_peak_int8,
#endif
    .read_all = level_read_all,
    .dot = level_dot,
    .to_f16 = level_to_f16,
    .exp_rows = level_exp_rows,
    .scale_max = level_scale_max,
    .silu = level_silu,
    .gelu_tanh = level_gelu_tanh,
};

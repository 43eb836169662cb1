/* SPDX-License-Identifier: Apache-2.0 */
/* Products of 8-bit activations with block-quantised weights.
 *
 * Per row and token one F32 accumulator takes, block after block of 32 (or 16) columns,
 *
 *     sum += scale_w * scale_a * (integer dot product) [ + bias_w * scale_a * (sum of codes) ]
 *
 * in the order of the columns. Few tokens stream the packed form; more share panels of
 * Q8_PANEL_UNITS units, and the accumulators rest in the output between panels. Both run the same
 * code in the same order, so a token's result does not depend on how many tokens came along.
 */
#ifndef HET_CPU_Q8_TILE_H
#define HET_CPU_Q8_TILE_H

#include "backends/cpu_onednn/q8_forms.h"

/* Rows (in groups) and tokens of a register tile: two accumulators per pair must fit the register
 * file, next to the weights and one activation. */
#if HET__LEVEL == HET__LEVEL_AVX512
#define Q8_GROUPS 2
#define Q8_TOKENS 6
#elif HET__LEVEL == HET__LEVEL_GENERIC
#define Q8_GROUPS 2
#define Q8_TOKENS 2
#else
#define Q8_GROUPS 2
#define Q8_TOKENS 3
#endif

/* Columns of a panel / 256. Its two groups (at most 80 KiB) stay in a second-level cache, next to
 * the activations of a tile; shorter panels, which would fit the first level, cost more in
 * accumulators moved than they save. */
#define Q8_PANEL_UNITS 8

typedef struct q8_job {
    const uint8_t *weights;
    size_t group_stride; /* bytes to the next group; 0: there is none, its rows are not written */
    const uint8_t *acts; /* of the first token, at the first block */
    size_t act_stride;
    int64_t blocks;
    float *out;
    int64_t out_stride;
    int64_t rows;        /* to write, <= Q8_GROUPS * VL */
    bool more;           /* add to what out holds */
} q8_job;

/* What the integer sum starts from: minus the zero point times the sum of the codes. */
VEC_INLINE vi q8_init(const q8_form *f, const q8_act *a, int h)
{
    if (f->zero == 0)
        return vi_zero();
    if (f->halves == 2) {
        const uint32_t minus = (uint32_t)-f->zero & 0xffff;
        return vi_madd16(vi_bcast(&a->half_sums), vi_set((int32_t)(h ? minus << 16 : minus)));
    }
    if (f->zero == 128)
        return vi_bcast(&a->sum_neg128);
    return f->zero == 8 ? vi_bcast(&a->sum_neg8) : vi_shl(vi_bcast(&a->sum_neg8), 1);
}

VEC_INLINE vf q8_act_sum(const q8_form *f, const q8_act *a, int h)
{
    if (f->halves == 1)
        return vf_from_vi(vi_bcast(&a->sum_neg8));
    return vf_from_vi(vi_madd16(vi_bcast(&a->half_sums), vi_set(h ? 1 << 16 : 1)));
}

/* One block (or half of one) of R groups with tokens of R x tokens accumulators. */
VEC_INLINE void q8_step(const q8_form *f, const int R, const int tokens,
                        const uint8_t *const header[], const uint8_t *const planes[], const int b,
                        const int h, const uint8_t *const acts[], vf sum[][Q8_TOKENS])
{
    const int steps = 8 / f->halves;
    vi init[Q8_TOKENS], acc[4][Q8_TOKENS];
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        init[t] = q8_init(f, (const q8_act *)(const void *)acts[t], h);
        VEC_UNROLL
        for (int r = 0; r < R; r++)
            acc[r][t] = vec_begin(f->dot, init[t]);
    }
    VEC_UNROLL
    for (int v = h * steps; v < (h + 1) * steps; v++) {
        vi codes[4];
        VEC_UNROLL
        for (int r = 0; r < R; r++)
            codes[r] = q8_codes(f, planes[r], v);
        VEC_UNROLL
        for (int t = 0; t < tokens; t++) {
            const vi a = vi_bcast(acts[t] + 4 * v);
            VEC_UNROLL
            for (int r = 0; r < R; r++)
                acc[r][t] = vec_dot(f->dot, acc[r][t], codes[r], a);
        }
    }
    if (f->scale != SCALE_PANEL && tokens >= 3) {
        /* Here the processor's own prefetch stops at each page while the sums wait; with fewer
         * tokens it keeps up by itself, and more requests only disturb it. */
        for (size_t i = 0; i < q8_plane_bytes(f); i += 64)
            __builtin_prefetch(planes[0] + 8192 + i);
    }
    vf scale[4], bias[4];
    VEC_UNROLL
    for (int r = 0; r < R; r++) {
        scale[r] = q8_scale(f, header[r], b, h);
        bias[r] = f->bias ? q8_sum_bias(f, header[r], b, h) : vf_zero();
    }
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        const q8_act *a = (const q8_act *)(const void *)acts[t];
        const vf d = vf_bcast(&a->scale);
        VEC_UNROLL
        for (int r = 0; r < R; r++) {
            const vi dot = vec_end(f->dot, acc[r][t], init[t]);
            sum[r][t] = vf_fma(vf_from_vi(dot), vf_mul(scale[r], d), sum[r][t]);
        }
        if (f->bias) {
            const vf s = vf_mul(q8_act_sum(f, a, h), d);
            VEC_UNROLL
            for (int r = 0; r < R; r++)
                sum[r][t] = vf_fma(bias[r], s, sum[r][t]);
        }
    }
}

VEC_INLINE void q8_store(const q8_job *job, const int R, const int tokens, vf sum[][Q8_TOKENS])
{
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        float *out = job->out + t * job->out_stride;
        VEC_UNROLL
        for (int r = 0; r < R; r++) {
            const int64_t n = job->rows - r * VL;
            if (n >= VL)
                vf_store(out + r * VL, sum[r][t]);
            else if (n > 0)
                vf_store_n(out + r * VL, sum[r][t], n);
        }
    }
}

/* R groups x tokens over all blocks of the job. f, R, tokens are constants where it is inlined. */
VEC_INLINE void q8_tile(const q8_form *f, const int R, const int tokens, const q8_job *job)
{
    const size_t header_bytes = q8_header_bytes(f), plane_bytes = q8_plane_bytes(f);
    const uint8_t *header[4], *planes[4], *acts[Q8_TOKENS];
    vf sum[4][Q8_TOKENS];
    VEC_UNROLL
    for (int r = 0; r < R; r++)
        planes[r] = job->weights + (size_t)r * job->group_stride;
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        acts[t] = job->acts + (size_t)t * job->act_stride;
        const float *out = job->out + t * job->out_stride;
        VEC_UNROLL
        for (int r = 0; r < R; r++) {
            const int64_t n = job->rows - r * VL;
            sum[r][t] = !job->more || n <= 0 ? vf_zero()
                : n >= VL ? vf_load(out + r * VL) : vf_load_n(out + r * VL, n);
        }
    }
    for (int64_t u = 0; u < job->blocks; u += UNIT) {
        const int blocks = (int)(job->blocks - u < UNIT ? job->blocks - u : UNIT);
        VEC_UNROLL
        for (int r = 0; r < R; r++) {
            header[r] = planes[r];
            planes[r] += header_bytes;
        }
        for (int b = 0; b < blocks; b++) {
            VEC_UNROLL
            for (int h = 0; h < f->halves; h++)
                q8_step(f, R, tokens, header, planes, b, h, acts, sum);
            VEC_UNROLL
            for (int r = 0; r < R; r++)
                planes[r] += plane_bytes;
            VEC_UNROLL
            for (int t = 0; t < tokens; t++)
                acts[t] += sizeof(q8_act);
        }
    }
    q8_store(job, R, tokens, sum);
}

typedef void (*q8_tile_fn)(const q8_job *job);

#define Q8_TILE_OF(form, groups, tokens)                        \
    static void q8_tile_##form##_##tokens(const q8_job *job)    \
    {                                                           \
        q8_tile(&q8_forms[form], groups, tokens, job);          \
    }
#define Q8_TILE(form, tokens) Q8_TILE_OF(form, Q8_GROUPS, tokens)
#if Q8_TOKENS == 6
#define Q8_TILES(form)                                                                        \
    Q8_TILE(form, 1) Q8_TILE(form, 2) Q8_TILE(form, 3) Q8_TILE(form, 4) Q8_TILE(form, 5)      \
    Q8_TILE(form, 6)
#define Q8_TILE_ROW(form)                                                                     \
    [form] = { q8_tile_##form##_1, q8_tile_##form##_2, q8_tile_##form##_3, q8_tile_##form##_4, \
               q8_tile_##form##_5, q8_tile_##form##_6 }
#elif Q8_TOKENS == 3
#define Q8_TILES(form) Q8_TILE(form, 1) Q8_TILE(form, 2) Q8_TILE(form, 3)
#define Q8_TILE_ROW(form) \
    [form] = { q8_tile_##form##_1, q8_tile_##form##_2, q8_tile_##form##_3 }
#else
#define Q8_TILES(form) Q8_TILE(form, 1) Q8_TILE(form, 2)
#define Q8_TILE_ROW(form) [form] = { q8_tile_##form##_1, q8_tile_##form##_2 }
#endif

/* One group at a time: with little to compute, one stretch of memory streams best. */
#if Q8_TOKENS >= 4
#define Q8_FEW 4
#define Q8_TILES_FEW(form)                                                                      \
    Q8_TILE_OF(form, 1, 1) Q8_TILE_OF(form, 1, 2) Q8_TILE_OF(form, 1, 3) Q8_TILE_OF(form, 1, 4)
#define Q8_FEW_ROW(form) \
    { q8_tile_##form##_1, q8_tile_##form##_2, q8_tile_##form##_3, q8_tile_##form##_4 }
#else
#define Q8_FEW 2
#define Q8_TILES_FEW(form) Q8_TILE_OF(form, 1, 1) Q8_TILE_OF(form, 1, 2)
#define Q8_FEW_ROW(form) { q8_tile_##form##_1, q8_tile_##form##_2 }
#endif

Q8_TILES(PANEL_SYMMETRIC)
Q8_TILES(PANEL_BIAS_NIBBLE)
Q8_TILES(PANEL_HALVES)
Q8_TILES(PANEL_HALVES_BIAS)
#if !VEC_DOT_UNSIGNED
Q8_TILES(PANEL_NIBBLE)
Q8_TILES(PANEL_BIAS)
#endif

static const q8_tile_fn q8_panel_tiles[][Q8_TOKENS] = {
    Q8_TILE_ROW(PANEL_SYMMETRIC),
    Q8_TILE_ROW(PANEL_BIAS_NIBBLE),
    Q8_TILE_ROW(PANEL_HALVES),
    Q8_TILE_ROW(PANEL_HALVES_BIAS),
#if !VEC_DOT_UNSIGNED
    Q8_TILE_ROW(PANEL_NIBBLE),
    Q8_TILE_ROW(PANEL_BIAS),
#endif
};

/* What is made per packed form. */
typedef struct q8_functions {
    void (*pack)(const het__cpu_matrix *m, int64_t row, int64_t first, int64_t count,
                 uint8_t *target);
    void (*unpack)(const uint8_t *source, int64_t count, uint8_t *panel);
    q8_tile_fn few[Q8_FEW]; /* 1 to Q8_FEW tokens, straight from the packed form */
} q8_functions;

#define Q8_FORM(form)                                                                            \
    static void q8_pack_##form(const het__cpu_matrix *m, int64_t row, int64_t first,             \
                               int64_t count, uint8_t *target)                                   \
    {                                                                                            \
        q8_pack_group(&q8_forms[form], m, row, first, count, target);                            \
    }                                                                                            \
    static void q8_unpack_##form(const uint8_t *source, int64_t count, uint8_t *panel)           \
    {                                                                                            \
        q8_unpack_group(&q8_forms[form], source, count, panel);                                  \
    }                                                                                            \
    Q8_TILES_FEW(form)
#define Q8_FORM_ROW(form) [form] = { q8_pack_##form, q8_unpack_##form, Q8_FEW_ROW(form) }

Q8_FORM(FORM_Q4_0)
Q8_FORM(FORM_Q4_1)
Q8_FORM(FORM_Q5_0)
Q8_FORM(FORM_Q5_1)
Q8_FORM(FORM_Q8_0)
Q8_FORM(FORM_IQ4_NL)
Q8_FORM(FORM_MXFP4)
Q8_FORM(FORM_Q4_K)
Q8_FORM(FORM_Q5_K)
Q8_FORM(FORM_Q6_K)
Q8_FORM(FORM_IQ4_XS)
Q8_FORM(FORM_Q3_K)
Q8_FORM(FORM_Q2_K)

static const q8_functions q8_functions_of[FORM_Q8_COUNT] = {
    Q8_FORM_ROW(FORM_Q4_0), Q8_FORM_ROW(FORM_Q4_1), Q8_FORM_ROW(FORM_Q5_0),
    Q8_FORM_ROW(FORM_Q5_1), Q8_FORM_ROW(FORM_Q8_0), Q8_FORM_ROW(FORM_IQ4_NL),
    Q8_FORM_ROW(FORM_MXFP4), Q8_FORM_ROW(FORM_Q4_K), Q8_FORM_ROW(FORM_Q5_K),
    Q8_FORM_ROW(FORM_Q6_K), Q8_FORM_ROW(FORM_IQ4_XS), Q8_FORM_ROW(FORM_Q3_K),
    Q8_FORM_ROW(FORM_Q2_K),
};

/* 0 if the type has no such form. */
static int q8_form_of(het_dtype dtype)
{
    for (int i = FORM_Q4_0; i < FORM_Q8_COUNT; i++) {
        if (q8_forms[i].dtype == dtype)
            return i;
    }
    return 0;
}

/* Bytes of scratch for one group of a panel, and of its packed form. */
static size_t q8_panel_stride(const q8_form *f)
{
    return q8_group_bytes(&q8_forms[f->panel], Q8_PANEL_UNITS * UNIT);
}

static size_t q8_packed_stride(const q8_form *f)
{
    return q8_group_bytes(f, Q8_PANEL_UNITS * UNIT);
}

static size_t q8_scratch_bytes(const q8_form *f)
{
    return Q8_GROUPS * (q8_panel_stride(f) + q8_packed_stride(f));
}

/* Where blocks [first, first + count) of the group of rows from row on lie in packed form; made in
 * scratch if the matrix is used as it lies. */
static const uint8_t *q8_packed(const het__cpu_matrix *m, int64_t row, int64_t first,
                                int64_t count, uint8_t *scratch)
{
    const q8_form *f = &q8_forms[m->form];
    if (m->packed) {
        const size_t group = q8_group_bytes(f, m->k / 32);
        return (const uint8_t *)m->packed + (size_t)(row / VL) * group
            + (size_t)(first / UNIT) * q8_unit_bytes(f);
    }
    q8_functions_of[m->form].pack(m, row, first, count, scratch);
    return scratch;
}

/* Panels of up to Q8_GROUPS groups for all tokens. job is set but for what changes with the
 * columns; job->out is the first token's. */
static void q8_run_panels(const het__cpu_matrix *m, int64_t row, int64_t tokens, q8_job job,
                          uint8_t *scratch)
{
    const q8_form *f = &q8_forms[m->form];
    const int64_t blocks = m->k / 32, step = Q8_PANEL_UNITS * UNIT;
    const int groups = (int)((job.rows + VL - 1) / VL);
    const size_t stride = q8_panel_stride(f);
    const uint8_t *const acts = job.acts;
    float *const out = job.out;
    job.weights = scratch;
    job.group_stride = groups > 1 ? stride : 0;
    for (int64_t first = 0; first < blocks; first += step) {
        job.blocks = blocks - first < step ? blocks - first : step;
        job.more = first > 0;
        for (int g = 0; g < groups; g++) {
            const uint8_t *packed = q8_packed(m, row + g * VL, first, job.blocks,
                                              scratch + Q8_GROUPS * stride);
            q8_functions_of[m->form].unpack(packed, job.blocks, scratch + (size_t)g * stride);
        }
        for (int64_t t = 0; t < tokens; t += Q8_TOKENS) {
            const int64_t count = tokens - t < Q8_TOKENS ? tokens - t : Q8_TOKENS;
            job.acts = acts + (size_t)t * job.act_stride + (size_t)first * sizeof(q8_act);
            job.out = out + t * job.out_stride;
            q8_panel_tiles[f->panel][count - 1](&job);
        }
    }
}

/* Few tokens: the packed form is streamed, one group after the other. What a group's second round
 * of tokens needs is in a cache by then. */
static void q8_run_few(const het__cpu_matrix *m, int64_t row, int64_t tokens, q8_job job,
                       uint8_t *scratch)
{
    const int64_t blocks = m->k / 32;
    const int64_t step = m->packed ? blocks : Q8_PANEL_UNITS * UNIT;
    const uint8_t *const acts = job.acts;
    float *const out = job.out;
    for (int64_t first = 0; first < blocks; first += step) {
        job.blocks = blocks - first < step ? blocks - first : step;
        job.more = first > 0;
        job.weights = q8_packed(m, row, first, job.blocks, scratch);
        for (int64_t t = 0; t < tokens; t += Q8_FEW) {
            const int64_t count = tokens - t < Q8_FEW ? tokens - t : Q8_FEW;
            job.acts = acts + (size_t)t * job.act_stride + (size_t)first * sizeof(q8_act);
            job.out = out + t * job.out_stride;
            q8_functions_of[m->form].few[count - 1](&job);
        }
    }
}

static void q8_run(const het__cpu_matrix *m, int64_t first, int64_t count, const void *acts,
                   size_t act_stride, int64_t tokens, float *out, int64_t out_stride,
                   void *scratch)
{
    const bool few = tokens <= 2 * Q8_FEW;
    const int64_t step = few ? VL : Q8_GROUPS * VL;
    for (int64_t row = first; row < first + count; row += step) {
        const int64_t rows = first + count - row < step ? first + count - row : step;
        const q8_job job = { .acts = acts, .act_stride = act_stride, .out = out + (row - first),
                             .out_stride = out_stride, .rows = rows };
        if (few)
            q8_run_few(m, row, tokens, job, scratch);
        else
            q8_run_panels(m, row, tokens, job, scratch);
    }
}

static void q8_pack(const het__cpu_matrix *m, int64_t first, int64_t count)
{
    const size_t group = q8_group_bytes(&q8_forms[m->form], m->k / 32);
    for (int64_t row = first; row < first + count; row += VL) {
        uint8_t *target = (uint8_t *)m->packed + (size_t)(row / VL) * group;
        q8_functions_of[m->form].pack(m, row, 0, m->k / 32, target);
    }
}

static size_t q8_packed_bytes(const het__cpu_matrix *m)
{
    const size_t groups = (size_t)((m->n + VL - 1) / VL);
    return groups * q8_group_bytes(&q8_forms[m->form], m->k / 32);
}

#endif /* HET_CPU_Q8_TILE_H */

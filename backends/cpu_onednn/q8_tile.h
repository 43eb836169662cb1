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

/* Tokens of a register tile: two accumulators per group and token must fit the register file, next
 * to the weights and one activation. */
#if HET__LEVEL == HET__LEVEL_AVX512
#define Q8_TOKENS 6
#elif HET__LEVEL == HET__LEVEL_GENERIC
#define Q8_TOKENS 2
#else
#define Q8_TOKENS 3
#endif

/* Columns of a panel / 256. It (at most 80 KiB) stays in a second-level cache, next to the
 * activations of a tile; shorter panels, which would fit the first level, cost more in
 * accumulators moved than they save. */
#define Q8_PANEL_UNITS 8

/* Tokens that read the packed form itself: up to two rounds, each of which decodes it. */
#define Q8_FEW (2 * Q8_TOKENS)
/* Bytes that a tile of several tokens fetches ahead of its computing. With fewer the processor's
 * own prefetch keeps up, and more requests only disturb it; so they do where codes have 8 bits. */
#define Q8_AHEAD 4096

typedef struct q8_job {
    const uint8_t *weights; /* a band, at the first block */
    const uint8_t *acts; /* of the first token, at the first block */
    size_t act_stride;
    int64_t blocks;
    float *out;
    int64_t out_stride;
    int64_t rows;        /* to write, <= Q8_ROWS */
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

/* Integer products of half h (or all) of a block's columns: acc[r][t]. */
VEC_INLINE void q8_dots(const q8_form *f, const int tokens, const uint8_t *planes, const int h,
                        const uint8_t *const acts[], vi acc[][Q8_TOKENS])
{
    const int steps = 8 / f->halves;
    vi init[Q8_TOKENS];
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        init[t] = q8_init(f, (const q8_act *)(const void *)acts[t], h);
        VEC_UNROLL
        for (int r = 0; r < Q8_GROUPS; r++)
            acc[r][t] = vec_begin(f->dot, init[t]);
    }
    VEC_UNROLL
    for (int v = h * steps; v < (h + 1) * steps; v++) {
        vi codes[Q8_GROUPS];
        VEC_UNROLL
        for (int r = 0; r < Q8_GROUPS; r++)
            codes[r] = q8_codes(f, planes + r * 4 * VL, v);
        VEC_UNROLL
        for (int t = 0; t < tokens; t++) {
            const vi a = vi_bcast(acts[t] + 4 * v);
            VEC_UNROLL
            for (int r = 0; r < Q8_GROUPS; r++)
                acc[r][t] = vec_dot(f->dot, acc[r][t], codes[r], a);
        }
    }
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        VEC_UNROLL
        for (int r = 0; r < Q8_GROUPS; r++)
            acc[r][t] = vec_end(f->dot, acc[r][t], init[t]);
    }
}

/* Half h of a block (or all of it) of a band with these tokens. Of two halves the scaled sums meet
 * in part before the activations' scale, which they share. */
VEC_INLINE void q8_half(const q8_form *f, const int tokens, const uint8_t *header,
                        const uint8_t *planes, const int b, const int h,
                        const uint8_t *const acts[], vf part[][Q8_TOKENS], vf sum[][Q8_TOKENS])
{
    vi dot[Q8_GROUPS][Q8_TOKENS];
    vf scale[Q8_GROUPS], bias[Q8_GROUPS];
    q8_dots(f, tokens, planes, h, acts, dot);
    VEC_UNROLL
    for (int r = 0; r < Q8_GROUPS; r++) {
        const uint8_t *own = header + (size_t)r * q8_scale_bytes(f);
        scale[r] = q8_scale(f, own, b, h);
        bias[r] = f->bias ? q8_sum_bias(f, own, b, h) : vf_zero();
    }
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        const q8_act *a = (const q8_act *)(const void *)acts[t];
        const vf d = vf_bcast(&a->scale);
        const vf s = !f->bias ? vf_zero()
            : f->halves == 2 ? q8_act_sum(f, a, h) : vf_mul(q8_act_sum(f, a, h), d);
        VEC_UNROLL
        for (int r = 0; r < Q8_GROUPS; r++) {
            const vf value = vf_from_vi(dot[r][t]);
            vf *target = f->halves == 2 ? &part[r][t] : &sum[r][t];
            if (f->halves == 2)
                *target = h == 0 ? vf_mul(value, scale[r]) : vf_fma(value, scale[r], *target);
            else
                *target = vf_fma(value, vf_mul(scale[r], d), *target);
            if (f->bias)
                *target = vf_fma(bias[r], s, *target);
            if (f->halves == 2 && h == 1)
                sum[r][t] = vf_fma(*target, d, sum[r][t]);
        }
    }
}

VEC_INLINE void q8_store(const q8_job *job, const int tokens, vf sum[][Q8_TOKENS])
{
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        float *out = job->out + t * job->out_stride;
        VEC_UNROLL
        for (int r = 0; r < Q8_GROUPS; r++) {
            const int64_t n = job->rows - r * VL;
            if (n >= VL)
                vf_store(out + r * VL, sum[r][t]);
            else if (n > 0)
                vf_store_n(out + r * VL, sum[r][t], n);
        }
    }
}

VEC_INLINE void q8_fetch(const uint8_t *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(p + i);
}

VEC_INLINE void q8_begin(const q8_job *job, const int tokens, vf sum[][Q8_TOKENS])
{
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        const float *out = job->out + t * job->out_stride;
        VEC_UNROLL
        for (int r = 0; r < Q8_GROUPS; r++) {
            const int64_t n = job->rows - r * VL;
            sum[r][t] = !job->more || n <= 0 ? vf_zero()
                : n >= VL ? vf_load(out + r * VL) : vf_load_n(out + r * VL, n);
        }
    }
}

/* A band with these tokens over all blocks of the job. f and tokens are constants where it is
 * inlined. */
VEC_INLINE void q8_tile(const q8_form *f, const int tokens, const q8_job *job)
{
    const size_t header_bytes = q8_header_bytes(f), plane_bytes = q8_plane_bytes(f);
    const uint8_t *planes = job->weights, *acts[Q8_TOKENS];
    vf sum[Q8_GROUPS][Q8_TOKENS], part[Q8_GROUPS][Q8_TOKENS];
    VEC_UNROLL
    for (int t = 0; t < tokens; t++)
        acts[t] = job->acts + (size_t)t * job->act_stride;
    q8_begin(job, tokens, sum);
    for (int64_t u = 0; u < job->blocks; u += f->unit) {
        const int blocks = (int)(job->blocks - u < f->unit ? job->blocks - u : f->unit);
        const uint8_t *header = planes;
        /* Its lines in order, before they are read between the planes: the processor's prefetch
         * follows only what is read in the order of memory. */
        if (f->unit > 1)
            q8_fetch(header, header_bytes);
        planes += header_bytes;
        for (int b = 0; b < blocks; b++) {
            if (tokens >= 3 && f->bits < 8) /* nor is a panel streamed */
                q8_fetch(planes + Q8_AHEAD, plane_bytes);
            q8_half(f, tokens, header, planes, b, 0, acts, part, sum);
            if (f->halves == 2)
                q8_half(f, tokens, header, planes, b, 1, acts, part, sum);
            planes += plane_bytes;
            VEC_UNROLL
            for (int t = 0; t < tokens; t++)
                acts[t] += sizeof(q8_act);
        }
    }
    q8_store(job, tokens, sum);
}

typedef void (*q8_tile_fn)(const q8_job *job);

#define Q8_TILE(form, tokens)                                   \
    static void q8_tile_##form##_##tokens(const q8_job *job)    \
    {                                                           \
        q8_tile(&q8_forms[form], tokens, job);                  \
    }
#if Q8_TOKENS == 6
#define Q8_TILES(form)                                                                        \
    Q8_TILE(form, 1) Q8_TILE(form, 2) Q8_TILE(form, 3) Q8_TILE(form, 4) Q8_TILE(form, 5)      \
    Q8_TILE(form, 6)
#define Q8_TILE_ROW(form)                                                                 \
    { q8_tile_##form##_1, q8_tile_##form##_2, q8_tile_##form##_3, q8_tile_##form##_4,     \
      q8_tile_##form##_5, q8_tile_##form##_6 }
#elif Q8_TOKENS == 3
#define Q8_TILES(form) Q8_TILE(form, 1) Q8_TILE(form, 2) Q8_TILE(form, 3)
#define Q8_TILE_ROW(form) { q8_tile_##form##_1, q8_tile_##form##_2, q8_tile_##form##_3 }
#else
#define Q8_TILES(form) Q8_TILE(form, 1) Q8_TILE(form, 2)
#define Q8_TILE_ROW(form) { q8_tile_##form##_1, q8_tile_##form##_2 }
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
    [PANEL_SYMMETRIC] = Q8_TILE_ROW(PANEL_SYMMETRIC),
    [PANEL_BIAS_NIBBLE] = Q8_TILE_ROW(PANEL_BIAS_NIBBLE),
    [PANEL_HALVES] = Q8_TILE_ROW(PANEL_HALVES),
    [PANEL_HALVES_BIAS] = Q8_TILE_ROW(PANEL_HALVES_BIAS),
#if !VEC_DOT_UNSIGNED
    [PANEL_NIBBLE] = Q8_TILE_ROW(PANEL_NIBBLE),
    [PANEL_BIAS] = Q8_TILE_ROW(PANEL_BIAS),
#endif
};

/* What is made per packed form. */
typedef struct q8_functions {
    void (*pack)(const het__cpu_matrix *m, int64_t row, int64_t first, int64_t count,
                 uint8_t *target);
    void (*unpack)(const uint8_t *source, int64_t count, uint8_t *panel);
    q8_tile_fn few[Q8_TOKENS]; /* straight from the packed form */
} q8_functions;

#define Q8_FORM(form)                                                                            \
    static void q8_pack_##form(const het__cpu_matrix *m, int64_t row, int64_t first,             \
                               int64_t count, uint8_t *target)                                   \
    {                                                                                            \
        q8_pack_band(&q8_forms[form], m, row, first, count, target);                            \
    }                                                                                            \
    static void q8_unpack_##form(const uint8_t *source, int64_t count, uint8_t *panel)           \
    {                                                                                            \
        q8_unpack_band(&q8_forms[form], source, count, panel);                                  \
    }                                                                                            \
    Q8_TILES(form)
#define Q8_FORM_ROW(form) [form] = { q8_pack_##form, q8_unpack_##form, Q8_TILE_ROW(form) }

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

/* Bytes of scratch for a panel, and for its packed form. */
static size_t q8_panel_bytes(const q8_form *f)
{
    return q8_band_bytes(&q8_forms[f->panel], Q8_PANEL_UNITS * UNIT);
}

static size_t q8_scratch_bytes(const q8_form *f)
{
    return q8_panel_bytes(f) + q8_band_bytes(f, Q8_PANEL_UNITS * UNIT);
}

/* Where blocks [first, first + count) of the band of rows from row on lie in packed form; made in
 * scratch if the matrix is used as it lies. */
static const uint8_t *q8_packed(const het__cpu_matrix *m, int64_t row, int64_t first,
                                int64_t count, uint8_t *scratch)
{
    const q8_form *f = &q8_forms[m->form];
    if (m->packed)
        return (const uint8_t *)m->packed + (size_t)(row / Q8_ROWS) * q8_band_bytes(f, m->k / 32)
            + q8_offset(f, first);
    q8_functions_of[m->form].pack(m, row, first, count, scratch);
    return scratch;
}

/* All tokens with a piece of a band, as evenly as the tiles allow: a remainder of one token would
 * cost nearly as much as six. job->acts and job->out are the first token's. */
static void q8_run_tiles(const q8_tile_fn *tiles, int64_t tokens, q8_job job)
{
    const int64_t rounds = (tokens + Q8_TOKENS - 1) / Q8_TOKENS;
    for (int64_t i = 0, t = 0; i < rounds; i++) {
        const int64_t count = (tokens - t + rounds - i - 1) / (rounds - i);
        tiles[count - 1](&job);
        job.acts += (size_t)(count * (int64_t)job.act_stride);
        job.out += count * job.out_stride;
        t += count;
    }
}

/* One band in pieces: with few tokens re-laid in scratch, with many unpacked into panels there. */
static void q8_run_pieces(const het__cpu_matrix *m, int64_t row, int64_t tokens, q8_job job,
                          uint8_t *scratch)
{
    const q8_form *f = &q8_forms[m->form];
    const q8_functions *own = &q8_functions_of[m->form];
    const bool few = tokens <= Q8_FEW;
    const int64_t blocks = m->k / 32, step = Q8_PANEL_UNITS * UNIT;
    const uint8_t *const acts = job.acts;
    for (int64_t first = 0; first < blocks; first += step) {
        job.blocks = blocks - first < step ? blocks - first : step;
        job.more = first > 0;
        job.acts = acts + (size_t)first * sizeof(q8_act);
        job.weights = q8_packed(m, row, first, job.blocks, scratch + q8_panel_bytes(f));
        if (!few) {
            own->unpack(job.weights, job.blocks, scratch);
            job.weights = scratch;
        }
        q8_run_tiles(few ? own->few : q8_panel_tiles[f->panel], tokens, job);
    }
}

static void q8_run(const het__cpu_matrix *m, int64_t first, int64_t count, const void *acts,
                   size_t act_stride, int64_t tokens, float *out, int64_t out_stride,
                   void *scratch)
{
    const bool streamed = tokens <= Q8_FEW && m->packed;
    const size_t band = q8_band_bytes(&q8_forms[m->form], m->k / 32);
    q8_job job = { .acts = acts, .act_stride = act_stride, .out = out, .out_stride = out_stride,
                   .blocks = m->k / 32 };
    if (streamed)
        job.weights = (const uint8_t *)m->packed + (size_t)(first / Q8_ROWS) * band;
    for (int64_t row = first; row < first + count; row += Q8_ROWS) {
        job.rows = first + count - row < Q8_ROWS ? first + count - row : Q8_ROWS;
        if (streamed) {
            q8_run_tiles(q8_functions_of[m->form].few, tokens, job);
            job.weights += band;
        } else {
            q8_run_pieces(m, row, tokens, job, scratch);
        }
        job.out += Q8_ROWS;
    }
}

static void q8_pack(const het__cpu_matrix *m, int64_t first, int64_t count)
{
    const size_t band = q8_band_bytes(&q8_forms[m->form], m->k / 32);
    for (int64_t row = first; row < first + count; row += Q8_ROWS) {
        uint8_t *target = (uint8_t *)m->packed + (size_t)(row / Q8_ROWS) * band;
        q8_functions_of[m->form].pack(m, row, 0, m->k / 32, target);
    }
}

static size_t q8_packed_bytes(const het__cpu_matrix *m)
{
    const size_t bands = (size_t)((m->n + Q8_ROWS - 1) / Q8_ROWS);
    return bands * q8_band_bytes(&q8_forms[m->form], m->k / 32);
}

#endif /* HET_CPU_Q8_TILE_H */

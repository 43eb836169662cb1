/* SPDX-License-Identifier: Apache-2.0 */
/* Products of F32 activations with weights of any type, and of BF16 activations with BF16 weights.
 *
 * Weights stand in bands of F32_ROWS rows, column after column:  [k][F32_ROWS], so that one token
 * streams one stretch of memory. F32, F16 and BF16 are packed so; other types, and many tokens, go
 * through panels of F32_COLUMNS columns in F32 (or, for the BF16 dot product, pairs of columns in
 * 32-bit words, [k / 2][F32_ROWS]).
 *
 * Per row and token, each stretch of F32_COLUMNS columns is summed in order from zero and then
 * added to the result: the same for one token and for many. Rows that are used as they lie, with
 * one token, are summed lane by lane instead (row_dots), and may differ in the last bits.
 */
#ifndef HET_CPU_F32_TILE_H
#define HET_CPU_F32_TILE_H

#include "backends/cpu_onednn/q8_tile.h"
#include "lib/quant/quant.h"

/* Groups of VL rows in a band; one token takes them all at once, so that four sums hide the latency
 * of the multiply-add. Groups x tokens of a larger tile: its sums, the weights and one activation
 * fill the registers. */
#define F32_BAND 4
#if HET__LEVEL == HET__LEVEL_AVX512
#define F32_GROUPS 4
#define F32_TOKENS 6
#elif HET__LEVEL == HET__LEVEL_GENERIC
#define F32_GROUPS 4
#define F32_TOKENS 2
#else
#define F32_GROUPS 2
#define F32_TOKENS 6
#endif

#define F32_ROWS (F32_BAND * VL)
_Static_assert(F32_ROWS % Q8_ROWS == 0, "a band of F32 panels is made of whole packed bands");
#define F32_COLUMNS 256

/* What the weights of a tile are, and with that the step over k. */
enum { TILE_F32, TILE_F16, TILE_BF16, TILE_DOT_BF16 };

typedef struct f32_job {
    const uint8_t *weights;
    const uint8_t *acts;
    size_t act_stride;
    int64_t steps;      /* columns, or pairs of columns */
    float *out;
    int64_t out_stride;
    int64_t rows;
    bool more;          /* add to what out holds */
} f32_job;

VEC_INLINE size_t f32_step_bytes(const int kind)
{
    return kind == TILE_F16 || kind == TILE_BF16 ? 2 * F32_ROWS : 4 * F32_ROWS;
}

VEC_INLINE vf f32_weights(const int kind, const uint8_t *p)
{
    switch (kind) {
    case TILE_F16: return vf_load_f16(p);
    case TILE_BF16: return vf_load_bf16(p);
    default: return vf_load((const float *)(const void *)p);
    }
}

VEC_INLINE void f32_store_whole(const f32_job *job, const int R, const int tokens,
                                vf sum[][F32_TOKENS])
{
    float *out = job->out;
    const int64_t stride = job->out_stride;
    const bool more = job->more;
    VEC_UNROLL
    for (int t = 0; t < tokens; t++, out += stride) {
        VEC_UNROLL
        for (int r = 0; r < R; r++)
            vf_store(out + r * VL, more ? vf_add(vf_load(out + r * VL), sum[r][t]) : sum[r][t]);
    }
}

VEC_INLINE void f32_store(const f32_job *job, const int R, const int tokens,
                          vf sum[][F32_TOKENS])
{
    if (job->rows >= R * VL) {
        f32_store_whole(job, R, tokens, sum);
        return;
    }
    VEC_UNROLL
    for (int t = 0; t < tokens; t++) {
        VEC_UNROLL
        for (int r = 0; r < R; r++) {
            float *out = job->out + t * job->out_stride + r * VL;
            const int64_t n = job->rows - r * VL;
            if (n > 0)
                vf_store_n(out, job->more ? vf_add(vf_load_n(out, n), sum[r][t]) : sum[r][t], n);
        }
    }
}

/* R groups x tokens; kind, R and tokens are constants where it is inlined. */
VEC_INLINE void f32_tile(const int kind, const int R, const int tokens, const f32_job *job)
{
    const size_t step_bytes = f32_step_bytes(kind);
    const uint8_t *acts[F32_TOKENS], *weights = job->weights;
    vf sum[F32_BAND][F32_TOKENS];
    VEC_UNROLL
    for (int r = 0; r < R; r++) {
        VEC_UNROLL
        for (int t = 0; t < tokens; t++)
            sum[r][t] = vf_zero();
    }
    VEC_UNROLL
    for (int t = 0; t < tokens; t++)
        acts[t] = job->acts + (size_t)t * job->act_stride;
    for (int64_t i = 0; i < job->steps; i++, weights += step_bytes) {
#if VEC_HAVE_BF16
        if (kind == TILE_DOT_BF16) {
            vi w[F32_BAND];
            VEC_UNROLL
            for (int r = 0; r < R; r++)
                w[r] = vi_load(weights + (size_t)r * step_bytes / F32_BAND);
            VEC_UNROLL
            for (int t = 0; t < tokens; t++) {
                const vi a = vi_bcast(acts[t] + 4 * i);
                VEC_UNROLL
                for (int r = 0; r < R; r++)
                    sum[r][t] = vec_dot_bf16(sum[r][t], w[r], a);
            }
            continue;
        }
#endif
        vf w[F32_BAND];
        VEC_UNROLL
        for (int r = 0; r < R; r++)
            w[r] = f32_weights(kind, weights + (size_t)r * step_bytes / F32_BAND);
        VEC_UNROLL
        for (int t = 0; t < tokens; t++) {
            const vf a = vf_bcast(acts[t] + 4 * i);
            VEC_UNROLL
            for (int r = 0; r < R; r++)
                sum[r][t] = vf_fma(w[r], a, sum[r][t]);
        }
    }
    f32_store(job, R, tokens, sum);
}

typedef void (*f32_tile_fn)(const f32_job *job);

#define F32_TILE(kind, tokens)                                              \
    static void f32_tile_##kind##_##tokens(const f32_job *job)              \
    {                                                                       \
        f32_tile(kind, (tokens) == 1 ? F32_BAND : F32_GROUPS, tokens, job); \
    }
#if F32_TOKENS == 6
#define F32_TILES(kind)                                                                     \
    F32_TILE(kind, 1) F32_TILE(kind, 2) F32_TILE(kind, 3) F32_TILE(kind, 4) F32_TILE(kind, 5) \
    F32_TILE(kind, 6)
#define F32_TILE_ROW(kind)                                                                    \
    [kind] = { f32_tile_##kind##_1, f32_tile_##kind##_2, f32_tile_##kind##_3,                 \
               f32_tile_##kind##_4, f32_tile_##kind##_5, f32_tile_##kind##_6 }
#else
#define F32_TILES(kind) F32_TILE(kind, 1) F32_TILE(kind, 2)
#define F32_TILE_ROW(kind) [kind] = { f32_tile_##kind##_1, f32_tile_##kind##_2 }
#endif

F32_TILES(TILE_F32)
F32_TILES(TILE_F16)
F32_TILES(TILE_BF16)
#if VEC_HAVE_BF16
F32_TILES(TILE_DOT_BF16)
#endif

static const f32_tile_fn f32_tiles[][F32_TOKENS] = {
    F32_TILE_ROW(TILE_F32),
    F32_TILE_ROW(TILE_F16),
    F32_TILE_ROW(TILE_BF16),
#if VEC_HAVE_BF16
    F32_TILE_ROW(TILE_DOT_BF16),
#endif
};

/* The last groups of a matrix where they are fewer than a tile has. */
#define F32_LAST(R, tokens)                                      \
    static void f32_last_##R##_##tokens(const f32_job *job)      \
    {                                                            \
        f32_tile(TILE_F32, R, tokens, job);                      \
    }
#if F32_TOKENS == 6
#define F32_LASTS(R)                                                                    \
    F32_LAST(R, 1) F32_LAST(R, 2) F32_LAST(R, 3) F32_LAST(R, 4) F32_LAST(R, 5) F32_LAST(R, 6)
#define F32_LAST_ROW(R)                                                                 \
    { f32_last_##R##_1, f32_last_##R##_2, f32_last_##R##_3, f32_last_##R##_4,           \
      f32_last_##R##_5, f32_last_##R##_6 }
#else
#define F32_LASTS(R) F32_LAST(R, 1) F32_LAST(R, 2)
#define F32_LAST_ROW(R) { f32_last_##R##_1, f32_last_##R##_2 }
#endif

F32_LASTS(1)
#if F32_GROUPS > 2
F32_LASTS(2)
F32_LASTS(3)
#endif

static const f32_tile_fn f32_lasts[F32_GROUPS - 1][F32_TOKENS] = {
    F32_LAST_ROW(1),
#if F32_GROUPS > 2
    F32_LAST_ROW(2),
    F32_LAST_ROW(3),
#endif
};

/* Forms of a matrix beyond those of q8_forms.h (whose numbers double as "quantised, computed in
 * F32" where act is F32). */
enum {
    FORM_F32 = FORM_Q8_COUNT,
    FORM_F16,
    FORM_BF16,
    FORM_DOT_BF16,
    FORM_ROWS /* any type that has a decoder, never packed */
};

/* Bytes of one packed band: of F32_ROWS rows, or Q8_ROWS of block types. */
static size_t f32_band_bytes(const het__cpu_matrix *m)
{
    switch (m->form) {
    case FORM_F32: return (size_t)m->k * 4 * F32_ROWS;
    case FORM_F16:
    case FORM_BF16: return ((size_t)m->k * 2 * F32_ROWS + 63) / 64 * 64;
    case FORM_DOT_BF16: return (size_t)((m->k + 1) / 2) * 4 * F32_ROWS;
    default: return q8_band_bytes(&q8_forms[m->form], m->k / 32);
    }
}

static size_t f32_packed_bytes(const het__cpu_matrix *m)
{
    const int64_t rows = m->form < FORM_Q8_COUNT ? Q8_ROWS : F32_ROWS;
    return (size_t)((m->n + rows - 1) / rows) * f32_band_bytes(m);
}

/* Columns [first, first + count) of a band side by side; rows beyond n become zero. size: bytes of
 * an element. */
VEC_INLINE void f32_interleave(const het__cpu_matrix *m, int64_t row, int64_t first,
                               int64_t count, const size_t size, uint8_t *target)
{
    if (row + F32_ROWS > m->n)
        memset(target, 0, (size_t)count * size * F32_ROWS);
    for (int64_t k0 = 0; k0 < count; k0 += 32) { /* a piece that stays in the first-level cache */
        const int64_t k1 = k0 + 32 < count ? k0 + 32 : count;
        for (int64_t r = 0; r < F32_ROWS && row + r < m->n; r++) {
            const uint8_t *source = (const uint8_t *)m->source + (size_t)(row + r) * m->row_bytes
                + (size_t)first * size;
            for (int64_t k = k0; k < k1; k++)
                memcpy(target + (size_t)(k * F32_ROWS + r) * size, source + (size_t)k * size, size);
        }
    }
}

/* As above, in pairs of 16-bit columns; an odd last column meets a zero. */
static void f32_interleave_pairs(const het__cpu_matrix *m, int64_t row, int64_t first,
                                 int64_t count, uint8_t *target)
{
    const int64_t pairs = count / 2;
    if (row + F32_ROWS > m->n || count % 2)
        memset(target, 0, (size_t)((count + 1) / 2) * 4 * F32_ROWS);
    for (int64_t k0 = 0; k0 < pairs; k0 += 32) {
        const int64_t k1 = k0 + 32 < pairs ? k0 + 32 : pairs;
        for (int64_t r = 0; r < F32_ROWS && row + r < m->n; r++) {
            const uint8_t *source = (const uint8_t *)m->source + (size_t)(row + r) * m->row_bytes
                + (size_t)first * 2;
            for (int64_t k = k0; k < k1; k++)
                memcpy(target + (size_t)(k * F32_ROWS + r) * 4, source + (size_t)k * 4, 4);
        }
    }
    for (int64_t r = 0; count % 2 && r < F32_ROWS && row + r < m->n; r++) {
        const uint8_t *source = (const uint8_t *)m->source + (size_t)(row + r) * m->row_bytes;
        memcpy(target + (size_t)(pairs * F32_ROWS + r) * 4,
               source + (size_t)(first + count - 1) * 2, 2);
    }
}

static void f32_pack(const het__cpu_matrix *m, int64_t first, int64_t count)
{
    const int64_t rows = m->form < FORM_Q8_COUNT ? Q8_ROWS : F32_ROWS;
    const size_t band = f32_band_bytes(m);
    for (int64_t row = first; row < first + count; row += rows) {
        uint8_t *target = (uint8_t *)m->packed + (size_t)(row / rows) * band;
        switch (m->form) {
        case FORM_F32: f32_interleave(m, row, 0, m->k, 4, target); break;
        case FORM_F16:
        case FORM_BF16: f32_interleave(m, row, 0, m->k, 2, target); break;
        case FORM_DOT_BF16: f32_interleave_pairs(m, row, 0, m->k, target); break;
        default: q8_functions_of[m->form].pack(m, row, 0, m->k / 32, target); break;
        }
    }
}

/* Exact values of one block of a group, into its VL lanes of the F32 band's panel. */
VEC_INLINE void f32_expand_block(const q8_form *f, const uint8_t *header, const uint8_t *planes,
                                 int b, float *panel)
{
    VEC_UNROLL
    for (int v = 0; v < 8; v++) {
        const int h = v * f->halves / 8;
        const vf scale = q8_scale(f, header, b, h);
        const vf bias = f->bias ? q8_bias(f, header, b, h) : vf_zero();
        const vi codes = q8_codes(f, planes, v);
        VEC_UNROLL
        for (int j = 0; j < 4; j++, panel += F32_ROWS) {
            vi c = vi_and(vi_shr(codes, 8 * j), vi_set(255));
            if (f->dot == VEC_DOT_WIDE && f->zero == 0) /* signed bytes */
                c = vi_add(vi_and(vi_add(c, vi_set(128)), vi_set(255)), vi_set(-128));
            const vf code = vf_from_vi(vi_add(c, vi_set(-f->zero)));
            vf_store(panel, vf_add(vf_mul(code, scale), bias));
        }
    }
}

/* The same of blocks of a re-laid band of Q8_ROWS rows. */
VEC_INLINE void f32_expand_q8(const q8_form *f, const uint8_t *source, int64_t count, float *panel)
{
    const size_t header = q8_header_bytes(f), plane = q8_plane_bytes(f);
    for (int64_t u = 0; u < count; u += f->unit) {
        const int blocks = (int)(count - u < f->unit ? count - u : f->unit);
        const uint8_t *planes = source + header;
        for (int b = 0; b < blocks; b++, panel += 32 * F32_ROWS) {
            for (int g = 0; g < Q8_GROUPS; g++)
                f32_expand_block(f, source + (size_t)g * q8_scale_bytes(f), planes + g * 4 * VL, b,
                                 panel + g * VL);
            planes += plane;
        }
        source = planes;
    }
}

#define F32_EXPAND(form)                                                            \
    static void f32_expand_##form(const uint8_t *source, int64_t count, float *panel) \
    {                                                                               \
        f32_expand_q8(&q8_forms[form], source, count, panel);                       \
    }
F32_EXPAND(FORM_Q4_0)
F32_EXPAND(FORM_Q4_1)
F32_EXPAND(FORM_Q5_0)
F32_EXPAND(FORM_Q5_1)
F32_EXPAND(FORM_Q8_0)
F32_EXPAND(FORM_IQ4_NL)
F32_EXPAND(FORM_MXFP4)
F32_EXPAND(FORM_Q4_K)
F32_EXPAND(FORM_Q5_K)
F32_EXPAND(FORM_Q6_K)
F32_EXPAND(FORM_IQ4_XS)
F32_EXPAND(FORM_Q3_K)
F32_EXPAND(FORM_Q2_K)

static void (*const f32_expanders[FORM_Q8_COUNT])(const uint8_t *, int64_t, float *) = {
    [FORM_Q4_0] = f32_expand_FORM_Q4_0, [FORM_Q4_1] = f32_expand_FORM_Q4_1,
    [FORM_Q5_0] = f32_expand_FORM_Q5_0, [FORM_Q5_1] = f32_expand_FORM_Q5_1,
    [FORM_Q8_0] = f32_expand_FORM_Q8_0, [FORM_IQ4_NL] = f32_expand_FORM_IQ4_NL,
    [FORM_MXFP4] = f32_expand_FORM_MXFP4, [FORM_Q4_K] = f32_expand_FORM_Q4_K,
    [FORM_Q5_K] = f32_expand_FORM_Q5_K, [FORM_Q6_K] = f32_expand_FORM_Q6_K,
    [FORM_IQ4_XS] = f32_expand_FORM_IQ4_XS, [FORM_Q3_K] = f32_expand_FORM_Q3_K,
    [FORM_Q2_K] = f32_expand_FORM_Q2_K,
};

/* Panel of any type that only its decoder knows, by way of one decoded row. */
static void f32_panel_rows(const het__cpu_matrix *m, int64_t row, int64_t first, int64_t count,
                           float *panel, float *decoded)
{
    const het__dtype_info *info = het__dtype(m->dtype);
    const het__decode_fn decode = het__decoder(m->dtype);
    const size_t offset = (size_t)first / info->block_elements * info->block_bytes;
    memset(panel, 0, (size_t)count * F32_ROWS * sizeof *panel);
    for (int64_t r = 0; decode && r < F32_ROWS && row + r < m->n; r++) {
        decode((const uint8_t *)m->source + (size_t)(row + r) * m->row_bytes + offset, decoded,
               count);
        for (int64_t k = 0; k < count; k++)
            panel[k * F32_ROWS + r] = decoded[k];
    }
}

/* Panel of a block type, from its bands. */
static void f32_panel_q8(const het__cpu_matrix *m, int64_t row, int64_t first, int64_t count,
                         float *panel, uint8_t *scratch)
{
    for (int64_t r = 0; r < F32_ROWS; r += Q8_ROWS) {
        /* Beyond n nothing is packed; what the panel holds there is computed and not written. */
        const int64_t from = row + r < m->n ? row + r : row;
        f32_expanders[m->form](q8_packed(m, from, first / 32, count / 32, scratch), count / 32,
                               panel + r);
    }
}

/* Values of a 16-bit type, already interleaved, into a panel. */
VEC_INLINE void f32_widen(const int kind, const uint8_t *source, int64_t count, float *panel)
{
    for (int64_t i = 0; i < count * F32_ROWS; i += VL)
        vf_store(panel + i, f32_weights(kind, source + (size_t)i * 2));
}

/* Columns [first, first + count) of a band as a panel, which is written to target unless the
 * packed form serves as it is. scratch: as large as target. */
static const uint8_t *f32_panel(const het__cpu_matrix *m, int64_t row, int64_t first,
                                int64_t count, uint8_t *target, uint8_t *scratch)
{
    const uint8_t *packed = !m->packed ? NULL
        : (const uint8_t *)m->packed + (size_t)(row / F32_ROWS) * f32_band_bytes(m);
    switch (m->form) {
    case FORM_F32:
        if (packed)
            return packed + (size_t)first * 4 * F32_ROWS;
        f32_interleave(m, row, first, count, 4, target);
        break;
    case FORM_DOT_BF16:
        if (packed)
            return packed + (size_t)first * 2 * F32_ROWS;
        f32_interleave_pairs(m, row, first, count, target);
        break;
    case FORM_F16:
    case FORM_BF16: {
        if (!packed)
            f32_interleave(m, row, first, count, 2, scratch);
        const uint8_t *source = packed ? packed + (size_t)first * 2 * F32_ROWS : scratch;
        if (m->form == FORM_F16)
            f32_widen(TILE_F16, source, count, (float *)(void *)target);
        else
            f32_widen(TILE_BF16, source, count, (float *)(void *)target);
        break;
    }
    case FORM_ROWS:
        f32_panel_rows(m, row, first, count, (float *)(void *)target, (float *)(void *)scratch);
        break;
    default:
        f32_panel_q8(m, row, first, count, (float *)(void *)target, scratch);
        break;
    }
    return target;
}

#define F32_PANEL_BYTES ((size_t)F32_COLUMNS * 4 * F32_ROWS)

static size_t f32_scratch_bytes(void)
{
    return 2 * F32_PANEL_BYTES;
}

/* Products of one token with rows as they lie: lanes run along k. */
VEC_INLINE vf row_piece(const int form, const uint8_t *p, int64_t n)
{
    if (form == FORM_F32)
        return vf_load_n((const float *)(const void *)p, n);
    uint16_t h[VL] = { 0 };
    memcpy(h, p, 2 * (size_t)n);
    return form == FORM_F16 ? vf_load_f16(h) : vf_load_bf16(h);
}

VEC_INLINE void row_dots(const het__cpu_matrix *m, const int form, int64_t first, int64_t count,
                         const float *x, float *out)
{
    const size_t size = form == FORM_F32 ? 4 : 2;
    const int kind = form == FORM_F32 ? TILE_F32 : form == FORM_F16 ? TILE_F16 : TILE_BF16;
    for (int64_t i = 0; i < count; i += 4) {
        const uint8_t *w[4];
        vf sum[4];
        for (int r = 0; r < 4; r++) {
            const int64_t row = first + (i + r < count ? i + r : i);
            w[r] = (const uint8_t *)m->source + (size_t)row * m->row_bytes;
            sum[r] = vf_zero();
        }
        int64_t k = 0;
        for (; k + VL <= m->k; k += VL) {
            const vf a = vf_load(x + k);
            VEC_UNROLL
            for (int r = 0; r < 4; r++)
                sum[r] = vf_fma(f32_weights(kind, w[r] + (size_t)k * size), a, sum[r]);
        }
        if (k < m->k) {
            const vf a = vf_load_n(x + k, m->k - k);
            for (int r = 0; r < 4; r++)
                sum[r] = vf_fma(row_piece(form, w[r] + (size_t)k * size, m->k - k), a, sum[r]);
        }
        for (int r = 0; r < 4 && i + r < count; r++)
            out[i + r] = vf_sum(sum[r]);
    }
}

static bool f32_run_rows(const het__cpu_matrix *m, int64_t first, int64_t count, const void *acts,
                         float *out)
{
    switch (m->form) {
    case FORM_F32: row_dots(m, FORM_F32, first, count, acts, out); return true;
    case FORM_F16: row_dots(m, FORM_F16, first, count, acts, out); return true;
    case FORM_BF16: row_dots(m, FORM_BF16, first, count, acts, out); return true;
    default: return false;
    }
}

/* The groups of a band in as many tiles as it takes. */
static void f32_run_tile(const int kind, int64_t tokens, f32_job job)
{
    const int groups = tokens == 1 ? F32_BAND : F32_GROUPS;
    for (int g = 0; g < F32_BAND && job.rows > 0; g += groups) {
        const int64_t left = (job.rows + VL - 1) / VL;
        if (kind == TILE_F32 && left < F32_GROUPS)
            f32_lasts[left - 1][tokens - 1](&job);
        else
            f32_tiles[kind][tokens - 1](&job);
        job.weights += (size_t)groups * f32_step_bytes(kind) / F32_BAND;
        job.out += groups * VL;
        job.rows -= groups * VL;
    }
}

/* One band for all tokens, in tiles of even size: a small one computes no longer than it reads.
 * Only where two would both be small, one is whole. */
static void f32_run_band(const het__cpu_matrix *m, int64_t row, int64_t tokens, f32_job job,
                         uint8_t *scratch)
{
    const uint8_t *const acts = job.acts;
    float *const out = job.out;
    const bool dot = m->form == FORM_DOT_BF16;
    /* Widening as it is read costs less than a panel, up to some rounds of tokens. */
    const bool direct = tokens <= 8 * F32_TOKENS && m->packed
        && (m->form == FORM_F16 || m->form == FORM_BF16);
    const int kind = dot ? TILE_DOT_BF16 : !direct ? TILE_F32
        : m->form == FORM_F16 ? TILE_F16 : TILE_BF16;
    for (int64_t first = 0; first < m->k; first += F32_COLUMNS) {
        const int64_t count = m->k - first < F32_COLUMNS ? m->k - first : F32_COLUMNS;
        job.weights = direct ? (const uint8_t *)m->packed
                + (size_t)(row / F32_ROWS) * f32_band_bytes(m) + (size_t)first * 2 * F32_ROWS
            : f32_panel(m, row, first, count, scratch, scratch + F32_PANEL_BYTES);
        job.steps = dot ? (count + 1) / 2 : count;
        job.more = first > 0;
        int64_t n, tiles = (tokens + F32_TOKENS - 1) / F32_TOKENS;
        for (int64_t t = 0; t < tokens; t += n, tiles--) {
            n = tokens == F32_TOKENS + 1 && t == 0 ? F32_TOKENS : (tokens - t + tiles - 1) / tiles;
            job.acts = acts + (size_t)t * job.act_stride + (size_t)first * (dot ? 2 : 4);
            job.out = out + t * job.out_stride;
            f32_run_tile(kind, n, job);
        }
    }
}

static void f32_run(const het__cpu_matrix *m, int64_t first, int64_t count, const void *acts,
                    size_t act_stride, int64_t tokens, float *out, int64_t out_stride,
                    void *scratch)
{
    const int64_t step = F32_ROWS;
    if (tokens == 1 && !m->packed && f32_run_rows(m, first, count, acts, out))
        return;
    for (int64_t row = first; row < first + count; row += step) {
        const int64_t rows = first + count - row < step ? first + count - row : step;
        const f32_job job = { .acts = acts, .act_stride = act_stride, .out = out + (row - first),
                              .out_stride = out_stride, .rows = rows };
        f32_run_band(m, row, tokens, job, scratch);
    }
}

#endif /* HET_CPU_F32_TILE_H */

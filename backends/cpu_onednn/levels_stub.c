/* SPDX-License-Identifier: Apache-2.0 */
/* Throw-away level in plain C, until the real ones are merged. */
#include <math.h>
#include <string.h>
#include "backends/cpu_onednn/matmul.h"
#include "lib/quant/quant.h"
static size_t choose(het__cpu_matrix *m, het_precision p, bool relay)
{ (void)p; m->act = HET__CPU_ACT_F32; if (relay && m->dtype != HET_DTYPE_F32) { m->form = 1; return (size_t)(m->n * m->k) * 4; } m->form = 0; return 0; }
static int64_t granule(const het__cpu_matrix *m) { (void)m; return 8; }
static void pack(const het__cpu_matrix *m, int64_t first, int64_t count)
{ for (int64_t i = first; i < first + count; i++) het__decoder(m->dtype)((const char *)m->source + (size_t)i * m->row_bytes, (float *)m->packed + i * m->k, m->k); }
static void prepare(het__cpu_act a, const float *x, int64_t k, void *row) { (void)a; memcpy(row, x, (size_t)k * 4); }
static size_t scratch_bytes(const het__cpu_matrix *m, int64_t t) { (void)t; return (size_t)m->k * 4; }
static float dot(const float *a, const float *b, int64_t n)
{ float s[8] = {0}; int64_t i = 0; for (; i + 8 <= n; i += 8) for (int j = 0; j < 8; j++) s[j] += a[i + j] * b[i + j];
  for (; i < n; i++) s[0] += a[i] * b[i]; return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]; }
static void run(const het__cpu_matrix *m, int64_t first, int64_t count, const void *acts, size_t stride, int64_t tokens, float *out, int64_t os, void *scratch)
{ for (int64_t i = 0; i < count; i++) { const float *w = scratch;
    if (m->packed) w = (const float *)m->packed + (first + i) * m->k;
    else het__decoder(m->dtype)((const char *)m->source + (size_t)(first + i) * m->row_bytes, scratch, m->k);
    for (int64_t t = 0; t < tokens; t++) out[t * os + i] = dot((const float *)(const void *)((const char *)acts + (size_t)t * stride), w, m->k); } }
static double peak(uint64_t n) { volatile float x = 1; for (uint64_t i = 0; i < n; i++) x = x * 1.0f + 0.0f; return 2.0 * (double)n; }
static uint64_t read_all(const void *d, size_t b) { const uint64_t *p = d; uint64_t s = 0; for (size_t i = 0; i < b / 8; i++) s += p[i]; return s; }
static float dot_f16(const float *a, const uint16_t *b, int64_t n) { float s = 0; for (int64_t i = 0; i < n; i++) s += a[i] * het__f16_to_f32(b[i]); return s; }
static void axpy(float *y, float a, const float *x, int64_t n) { for (int64_t i = 0; i < n; i++) y[i] += a * x[i]; }
static void axpy_f16(float *y, float a, const uint16_t *x, int64_t n) { for (int64_t i = 0; i < n; i++) y[i] += a * het__f16_to_f32(x[i]); }
static void to_f16(uint16_t *t, const float *s, int64_t n) { for (int64_t i = 0; i < n; i++) t[i] = het__f32_to_f16(s[i]); }
static void from_f16(float *t, const uint16_t *s, int64_t n) { for (int64_t i = 0; i < n; i++) t[i] = het__f16_to_f32(s[i]); }
static void exp_rows(float *x, int64_t n, float m, float *sum) { float s = 0; for (int64_t i = 0; i < n; i++) s += x[i] = expf(x[i] - m); *sum = s; }
static void silu(float *x, int64_t n) { for (int64_t i = 0; i < n; i++) x[i] = x[i] / (1 + expf(-x[i])); }
static void gelu(float *x, int64_t n) { for (int64_t i = 0; i < n; i++) x[i] = 0.5f * x[i] * (1 + tanhf(0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i]))); }
static const het__cpu_level levels3[3] = {
 { "avx512", "avx512", choose, granule, pack, prepare, scratch_bytes, run, peak, NULL, NULL, read_all, dot, dot_f16, axpy, axpy_f16, to_f16, from_f16, exp_rows, silu, gelu },
 { "avx2", "avx2", choose, granule, pack, prepare, scratch_bytes, run, peak, NULL, NULL, read_all, dot, dot_f16, axpy, axpy_f16, to_f16, from_f16, exp_rows, silu, gelu },
 { "generic", "generic", choose, granule, pack, prepare, scratch_bytes, run, peak, NULL, NULL, read_all, dot, dot_f16, axpy, axpy_f16, to_f16, from_f16, exp_rows, silu, gelu },
};
static const het__cpu_level *const list[] = { &levels3[0], &levels3[1], &levels3[2], NULL };
const het__cpu_level *const *het__cpu_levels(void) { return list; }
#include "lib/base/os.h"
const het__cpu_level *het__cpu_level_choose(bool use_env) { const char *e = use_env ? het__env("HETINFER_CPU_LEVEL") : NULL; if (!e) return list[0]; for (int i = 0; list[i]; i++) if (!strcmp(list[i]->name, e)) return list[i]; return NULL; }

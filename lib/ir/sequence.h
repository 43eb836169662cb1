/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of recurrent operations, attention and signals: what a node's attributes and the extents of
 * its inputs say, read and checked once for shape rules, arithmetic and kernels alike. A form that
 * was read without refusal fits all inputs; only contents remain to be looked at. */
#ifndef HET_IR_SEQUENCE_H
#define HET_IR_SEQUENCE_H

#include "lib/ir/eval.h"

/* The types that these operations compute with: F16, BF16, F32, F64. */
bool het__is_real(het_dtype dtype);
/* Element type by its number in ONNX files; NONE unless it is a plain integer or floating type. */
het_dtype het__real_or_integer(int64_t number);
/* Input i has this type, this rank and these extents; refuses with its name otherwise. */
het_status het__eval_expect(const het__eval *e, uint32_t i, const char *name, het_dtype dtype,
                            uint32_t rank, const int64_t *extent);
/* The same for an input that may be left out. */
het_status het__eval_expect_optional(const het__eval *e, uint32_t i, const char *name,
                                     het_dtype dtype, uint32_t rank, const int64_t *extent);

/* ---- RNN, GRU, LSTM ---- */

typedef enum het__curve {
    HET__CURVE_TANH,
    HET__CURVE_SIGMOID,
    HET__CURVE_RELU,
    HET__CURVE_AFFINE,
    HET__CURVE_LEAKY_RELU,
    HET__CURVE_THRESHOLDED_RELU,
    HET__CURVE_SCALED_TANH,
    HET__CURVE_HARD_SIGMOID,
    HET__CURVE_ELU,
    HET__CURVE_SOFTSIGN,
    HET__CURVE_SOFTPLUS,
} het__curve;

typedef struct het__activation {
    het__curve curve;
    double alpha, beta;
} het__activation;

typedef struct het__recurrent {
    uint32_t gates;      /* RNN 1, GRU 3, LSTM 4 */
    uint32_t curves;     /* activations of one direction: 1, 2, 3 */
    uint32_t directions; /* 1 or 2 */
    bool is_reversed;    /* the first direction runs backwards */
    bool is_batch_first; /* layout 1 */
    int64_t steps, batch, width, hidden;
    double clip; /* infinity: none */
    bool is_linear_before_reset, couples_forget;
    het__activation activations[6];
} het__recurrent;

het_status het__recurrent_form(const het__eval *e, het__recurrent *form);

/* ---- Attention, FlexAttention ---- */

typedef struct het__attention {
    bool is_packed; /* rank 3: heads lie side by side in the last extent */
    int64_t batch, heads, kv_heads;
    int64_t rows;  /* queries */
    int64_t fresh; /* keys among the inputs */
    int64_t past;  /* keys of the cache before them */
    int64_t keys;  /* both */
    int64_t key_size, value_size;
    double scale, softcap; /* softcap 0: none */
    bool is_causal;
    int64_t left, right; /* window around the query's position; -1: open */
    int64_t qk_mode;     /* what the fourth output holds */
    het_dtype precision; /* of the softmax */
} het__attention;

het_status het__attention_form(const het__eval *e, het__attention *form);
het_status het__flex_attention_form(const het__eval *e, het__attention *form);

/* ---- LinearAttention, CausalConvWithState, RotaryEmbedding ---- */

typedef struct het__linear_attention {
    int64_t batch, steps, heads, kv_heads, key_size, value_size;
    double scale;
    bool has_decay, has_delta;
    bool is_decay_per_key; /* one decay for each component of a key, else one for each head */
    bool is_beta_shared;   /* one beta for all heads */
} het__linear_attention;

het_status het__linear_attention_form(const het__eval *e, het__linear_attention *form);

typedef struct het__rotary {
    bool is_packed;
    bool is_interleaved;
    int64_t batch, steps, heads, head_size;
    int64_t half;      /* pairs that are rotated */
    int64_t positions; /* rows of the tables, when positions are given */
} het__rotary;

het_status het__rotary_form(const het__eval *e, het__rotary *form);

/* ---- DFT, STFT ---- */

typedef struct het__dft {
    uint32_t axis;
    int64_t length; /* of the transform */
    int64_t bins;   /* kept of it */
    bool is_inverse, is_onesided, is_complex /* the input */;
    int64_t step, frames; /* STFT */
} het__dft;

/* *known false: contents that decide are not there. */
het_status het__dft_form(const het__eval *e, het__dft *form, bool *known);
het_status het__stft_form(const het__eval *e, het__dft *form, bool *known);

/* ---- If, Loop, Scan and other bodies ---- */

typedef struct het__body {
    const struct het__graph *graph;
    uint32_t formal;   /* inputs that the operation feeds */
    uint32_t captured; /* inputs that are the node's last ones */
} het__body;

/* The body in the attribute of that name; refuses where there is none. formal_least: inputs that
 * the operation feeds at least. */
het_status het__body_form(const het__eval *e, const char *name, uint32_t formal_least,
                          het__body *body);

typedef struct het__loop {
    het__body body;
    uint32_t first;   /* input that is the first state */
    uint32_t states;  /* values carried from step to step */
    uint32_t scans;   /* inputs taken apart (Scan) */
    uint32_t stacked; /* outputs put together */
} het__loop;

het_status het__loop_form(const het__eval *e, het__loop *form);
het_status het__scan_form(const het__eval *e, het__loop *form);

#endif /* HET_IR_SEQUENCE_H */

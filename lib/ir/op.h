/* SPDX-License-Identifier: Apache-2.0 */
/* The operations: their kinds and attributes. What each one takes, gives and costs stands in the
 * op table (op.c), the one place that knows an operation.
 *
 * Adding an operation: a kind here, its attributes if it has any, a row in op.c, a kernel in
 * backends/ref, a case in tests/unit/test_ops.c. */
#ifndef HET_IR_OP_H
#define HET_IR_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ir/attr.h"
#include "lib/ir/tensor_ops.h"

typedef enum het__op {
    HET__OP_NONE = 0,
    HET__OP_EMBED,     /* (table [V,D], ids [T]) -> [T,D]: rows of the table, times scale; ids
                          beyond the table take row 0 */
    HET__OP_NORM,      /* (x [T,D], weight? [G], bias? [G]) -> [T,D]: over groups of G elements */
    HET__OP_LINEAR,    /* (x [T,K], residual? [T,N], then per projection: W [N,K], bias? [N])
                          -> one [T,N] per projection: x·Wᵀ + bias (+ residual, one projection) */
    HET__OP_GATED,     /* (x [T,K], Wg [N,K], Wu [N,K]) -> [T,N]: act(x·Wgᵀ) * (x·Wuᵀ) */
    HET__OP_ROPE,      /* (x [T,H*d], positions [T], factors? [r/2] or [T,r]) -> [T,H*d] */
    HET__OP_ATTENTION, /* see het__attention_input -> [T,H*d] */
    HET__OP_ADD,       /* (a, b) -> same shape; b may be a row [D] */
    HET__OP_MUL,       /* (a, b) -> same shape; b may be a row [D] */
    HET__OP_UNARY,     /* (x) -> same shape */
    HET__OP_SOFTMAX,   /* (x [T,D]) -> [T,D]: over the last extent */
    HET__OP_ROWS,      /* (x [T,D], rows [R]) -> [R,D] */
    HET__OP_COLUMNS,   /* (x [T,N]) -> [T,count]: columns from first */
    HET__OP_JOIN,      /* (2 to 8 parts [T,Ni]) -> [T, sum of Ni]: rows behind one another */
    HET__OP_MOE,       /* (x [T,D], scores [T,E], Wg [E,F,D], Wu [E,F,D], Wd [E,D,F]) -> [T,D]:
                          sum over the experts that the router picks for a token, in their order,
                          of share * (Wd · (act(Wg·x) * (Wu·x))) */
    HET__OP_CUT,       /* (x [T,D]) -> [T,D]: relu(x - mean - deviations * standard deviation), both
                          of the row */
    HET__OP_MATCH,     /* (x [T,D], like [T,D]) -> [T,D]: x * rms(like) / sqrt(max(mean x², eps)) */
    HET__OP_PREDICT,   /* (c [T,A*A], A times h [T,D]) -> A times [T,D]:
                          h_b + sum over a of c[b*A+a] * h_a */
    HET__OP_CORRECT,   /* (c [T,A], y [T,D], A times p [T,D]) -> A times [T,D]:
                          p_b + (c[b] + 1) * (y - p_active) */

    /* Images, F32. A blocked image [N,ceil(C/b),H,W,b] keeps b channels of a place together; what
     * stands in those beyond C is finite, and nothing depends on it. A plain one is [N,C,H,W]. See
     * het__image_attrs. */
    HET__OP_CONV,    /* (x, w [M,C/g,kh,kw], bias? [M], residual? as the output) -> image of M
                        channels: act(conv(x, w) + bias + residual) */
    HET__OP_POOL,    /* (x) -> image: window of maxima or means, then act */
    HET__OP_BLOCK,   /* (x [N,C,H,W]) -> [N,ceil(C/b),H,W,b] */
    HET__OP_UNBLOCK, /* (x [N,ceil(C/b),H,W,b]) -> [N,C,H,W] */
    HET__OP_MATMUL,  /* (a [..,M,K], b [..,K,N] (or [..,N,K]), bias? [N], residual? as the output)
                        -> [..,M,N]: act(scale * a·b + bias + residual); leading extents of a and
                        b are equal or those of b are missing or 1 */

    /* Codes of eight bits. Images are plain or blocked like those of F32; POOL (of maxima), BLOCK
     * and UNBLOCK take them too. */
    HET__OP_QCONV, /* (x, w [M,C/g,kh,kw] I8, factor [M] F32, bias? [M] I32) -> image of codes:
                      round(factor * (conv(x - zero_in, w) + bias)) + zero_out within least to
                      most; the sum is kept modulo 2^32, rounding is to nearest even */
    HET__OP_QMAP,  /* (x, table [256] of bytes) -> same shape: the entry at each byte of x */

    /* Tensor operations: the rows of tensor_ops.h. */
    HET__OP_T_FIRST,
    HET__OP_T_BEFORE = HET__OP_T_FIRST - 1,
#define HET__OP_ID(id, name, least, most, outputs, shape, count, axes, plain) HET__OP_T_##id,
    HET__TENSOR_OPS(HET__OP_ID)
#undef HET__OP_ID
    HET__OP_T_UNKNOWN, /* an operation that this release does not know: attrs.tensor.type */
    HET__OP_T_CUSTOM,  /* one that the application registered: attrs.tensor.custom, custom.h */
    HET__OP_COUNT
} het__op;

typedef enum het__unary {
    HET__UNARY_NONE = 0,
    HET__UNARY_SILU,
    HET__UNARY_GELU_TANH,
    HET__UNARY_GELU_ERF,
    HET__UNARY_RELU,
    HET__UNARY_TANH,
    HET__UNARY_SIGMOID,
    HET__UNARY_SCALE,   /* alpha * x; only as a node of its own, like the next */
    HET__UNARY_SOFTCAP, /* alpha * tanh(x / alpha) */
} het__unary;

/* How a token's experts follow from its scores, and their shares. Ties go to the first expert. */
typedef enum het__router {
    HET__ROUTER_SOFTMAX = 0,  /* the largest; share: softmax over all scores */
    HET__ROUTER_SIGMOID,      /* the largest; share: sigmoid */
    HET__ROUTER_SPARSE_MIXER, /* two, one after the other; share: softmax over the scores that come
                                 near the largest (lib/plain/route.h) */
} het__router;

typedef struct het__moe_attrs {
    int32_t used;       /* experts per token */
    het__router router;
    bool normalise;     /* shares are divided by their sum */
    float scale;        /* of shares */
    float jitter;       /* of SparseMixer */
    het__unary act;
} het__moe_attrs;

/* Most experts of one layer, and most that a token uses. */
#define HET__EXPERTS_MAX 1024
#define HET__EXPERTS_USED_MAX 64

typedef enum het__norm_kind {
    HET__NORM_RMS = 0, /* x / sqrt(mean x² + eps) * weight */
    HET__NORM_LAYER,   /* (x - mean) / sqrt(var + eps) * weight + bias */
} het__norm_kind;

/* Inputs of HET__OP_ATTENTION. The first four tensors describe the step; see lib/generate/batch.h.
 * Optional inputs are HET__NO_VALUE. Without K and V a node reads a state that another node of the
 * graph, before it, writes. */
typedef enum het__attention_input {
    HET__ATTN_Q = 0,     /* [T, H*d] */
    HET__ATTN_K,         /* [T, G*d]: keys of the step's tokens, not yet in the cache */
    HET__ATTN_V,         /* [T, G*d] */
    HET__ATTN_K_STATE,   /* [pages, G, page, d], F16, F32 or Q8_0: read and written */
    HET__ATTN_V_STATE,   /* the same */
    HET__ATTN_POSITIONS, /* [T] I32: position of each token in its sequence */
    HET__ATTN_SLOTS,     /* [T] I32: page * page_size + offset, where its key and value go */
    HET__ATTN_SEGMENTS,  /* [B,4] I32: per sequence first row, rows, positions before the step,
                            index of its first entry in PAGES */
    HET__ATTN_PAGES,     /* [P] I32: page numbers in order of position, sequence after sequence */
    HET__ATTN_Q_NORM,    /* optional [d]: weight of an RMS norm over each head of q */
    HET__ATTN_K_NORM,    /* optional [d] */
    HET__ATTN_FACTORS,   /* optional [rot/2] F32: divisors of the rope frequencies; or [T, rot] F32:
                            cosines, then sines of each token, in place of theta, scale and
                            magnitude */
    HET__ATTN_INPUT_COUNT
} het__attention_input;

typedef struct het__rope_attrs {
    int32_t head_size;   /* d */
    int32_t rotated;     /* leading elements of a head that turn, even; 0 = no rotation */
    bool interleaved;    /* pairs (2i, 2i+1); otherwise halves (i, i + rotated/2) */
    float theta;         /* base: angle = position * scale / theta^(2i/rotated) / factors[i] */
    float scale;         /* of positions (linear scaling); 1 = none */
    float magnitude;     /* of sine and cosine (attention factor); 1 = none */
} het__rope_attrs;

typedef struct het__attention_attrs {
    int32_t heads;      /* H */
    int32_t kv_heads;   /* G, divides H */
    int32_t head_size;  /* d */
    int32_t page_size;  /* positions per page of the state */
    float scale;        /* of q·k */
    float softcap;      /* c·tanh(s/c); 0 = none */
    int32_t window;     /* positions seen, itself included; 0 = all */
    float norm_eps;     /* of Q_NORM and K_NORM */
    het__rope_attrs rope; /* rotated = 0 unless the rotation of q and k was fused in */
} het__attention_attrs;

/* What is done to each element of a result before it is written. */
typedef enum het__act_kind {
    HET__ACT_NONE = 0,
    HET__ACT_RELU,
    HET__ACT_CLIP,         /* min(max(x, alpha), beta) */
    HET__ACT_LEAKY_RELU,   /* x < 0 ? alpha * x : x */
    HET__ACT_SIGMOID,
    HET__ACT_TANH,
    HET__ACT_SWISH,        /* x * sigmoid(alpha * x) */
    HET__ACT_HARD_SIGMOID, /* min(max(alpha * x + beta, 0), 1) */
    HET__ACT_HARD_SWISH,   /* x * min(max(x / 6 + 1/2, 0), 1) */
    HET__ACT_GELU_ERF,
    HET__ACT_GELU_TANH,
    HET__ACT_COUNT
} het__act_kind;

typedef struct het__act {
    het__act_kind kind;
    float alpha, beta;
} het__act;

/* Windows over images; extents are height, width. */
typedef struct het__image_attrs {
    int32_t channels_in, channels_out; /* real ones, without the padding of blocks */
    int32_t block_in, block_out;       /* b of the input and output; 0: plain */
    int32_t groups;                    /* 1 for pools */
    int32_t kernel[2], stride[2], dilation[2], pad_begin[2], pad_end[2];
    bool mean, count_padding;          /* of pools; otherwise maxima */
    bool residual;                     /* of convolutions: input 3 is there */
    het__act act;
    /* Of QCONV: type and range of the output's codes, zero points. */
    het_dtype type;
    int32_t zero_in, zero_out, least, most;
} het__image_attrs;

typedef struct het__matmul_attrs {
    bool transpose_b; /* b is [..,N,K] */
    float scale;
    het__act act;
} het__matmul_attrs;

/* Attributes of a node; which member counts follows from its operation. */
typedef union het__attrs {
    struct { float scale; } embed;
    struct { het__norm_kind kind; float eps; int32_t group; } norm; /* group = G */
    struct { int32_t projections; bool residual; } linear;
    struct { het__unary act; } gated;
    het__rope_attrs rope;
    het__attention_attrs attention;
    struct { het__unary kind; float alpha; } unary;
    struct { int64_t first, count; } columns;
    het__moe_attrs moe;
    struct { float deviations; } cut;
    struct { float eps; } match;
    struct { int32_t active; } correct;
    het__image_attrs image;   /* CONV, POOL, BLOCK, UNBLOCK, QCONV */
    struct { het_dtype type; } map; /* QMAP: of the output */
    het__matmul_attrs matmul;
    het__attr_list tensor; /* of all tensor operations */
} het__attrs;

static inline bool het__op_is_tensor(het__op op)
{
    return op >= HET__OP_T_FIRST && op < HET__OP_COUNT;
}

/* The output is the bytes of the first input under another shape. */
static inline bool het__op_is_view(het__op op)
{
    return op == HET__OP_T_IDENTITY || op == HET__OP_T_RESHAPE || op == HET__OP_T_FLATTEN ||
           op == HET__OP_T_SQUEEZE || op == HET__OP_T_UNSQUEEZE;
}

#endif /* HET_IR_OP_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* What every kernel file begins with: small floats, activations, the dialects of the language.
 *
 * Macros that the host defines: HET_FP16 (0, 1: type half may be computed with), HET_SUBGROUP (the
 * width that kernels ask for; 0: none), HET_CPU (items of a group run one after the other). */
#ifndef HET_FP16
#define HET_FP16 0
#endif
#ifndef HET_SUBGROUP
#define HET_SUBGROUP 0
#endif
#ifndef HET_CPU
#define HET_CPU 0
#endif

#if HET_FP16
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#endif
#if HET_SUBGROUP
#ifdef cl_khr_subgroups
#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#endif
#ifdef cl_intel_required_subgroup_size
#define HET_SUBGROUP_KERNEL __attribute__((intel_reqd_sub_group_size(HET_SUBGROUP)))
#else
#define HET_SUBGROUP_KERNEL
#endif
#else
#define HET_SUBGROUP_KERNEL
#endif

/* For every function that is given local memory. PoCL 3.1 (bug seen in 3.1, gone when each call is
 * inlined; results are zero otherwise) takes what the kernel wrote there for undefined in a
 * function that it does not inline before it lays out the memory. */
#define HET_INLINE static inline __attribute__((always_inline))

/* A tensor: the base of its memory and the bytes to its beginning. */
#define HET_IN(name) __global const uchar *name, const ulong name##_at
#define HET_OUT(name) __global uchar *name, const ulong name##_at
#define HET_FLOATS(name) ((__global const float *)(name + name##_at))
#define HET_FLOATS_OUT(name) ((__global float *)(name + name##_at))
#define HET_INTS(name) ((__global const int *)(name + name##_at))

/* F16 and BF16 by their bits, at addresses that are multiples of 2. */
static inline float het_half(__global const uchar *at)
{
    return vload_half(0, (__global const half *)at);
}

static inline float het_bf16(__global const uchar *at)
{
    return as_float((uint)(*(__global const ushort *)at) << 16);
}

/* Values of het__unary (lib/ir/op.h). */
#define HET_UNARY_NONE 0
#define HET_UNARY_SILU 1
#define HET_UNARY_GELU_TANH 2
#define HET_UNARY_GELU_ERF 3
#define HET_UNARY_RELU 4
#define HET_UNARY_TANH 5
#define HET_UNARY_SIGMOID 6
#define HET_UNARY_SCALE 7
#define HET_UNARY_SOFTCAP 8

static inline float het_sigmoid(float x)
{
    return 1.0f / (1.0f + exp(-x));
}

/* kind is a constant where it matters; alpha is of SCALE and SOFTCAP. The two forms of GELU are
 * written without the sum 1 + tanh or 1 + erf, of which nothing is left far below zero. */
static inline float het_unary(int kind, float alpha, float x)
{
    switch (kind) {
    case HET_UNARY_SILU:
        return x / (1.0f + exp(-x));
    case HET_UNARY_GELU_TANH:
        return x / (1.0f + exp(-1.59576912160573071f * (x + 0.044715f * x * x * x)));
    case HET_UNARY_GELU_ERF:
        return 0.5f * x * erfc(x * -0.70710678118654752f);
    case HET_UNARY_RELU:
        return x < 0.0f ? 0.0f : x; /* NaN stays NaN */
    case HET_UNARY_TANH:
        return tanh(x);
    case HET_UNARY_SIGMOID:
        return het_sigmoid(x);
    case HET_UNARY_SCALE:
        return alpha * x;
    case HET_UNARY_SOFTCAP:
        return alpha * tanh(x / alpha);
    default:
        return x;
    }
}

/* Values of het__act_kind (lib/ir/op.h). */
#define HET_ACT_NONE 0
#define HET_ACT_RELU 1
#define HET_ACT_CLIP 2
#define HET_ACT_LEAKY_RELU 3
#define HET_ACT_SIGMOID 4
#define HET_ACT_TANH 5
#define HET_ACT_SWISH 6
#define HET_ACT_HARD_SIGMOID 7
#define HET_ACT_HARD_SWISH 8
#define HET_ACT_GELU_ERF 9
#define HET_ACT_GELU_TANH 10

static inline float het_act(int kind, float alpha, float beta, float x)
{
    switch (kind) {
    case HET_ACT_RELU:
        return x < 0.0f ? 0.0f : x;
    case HET_ACT_CLIP:
        return x < alpha ? alpha : x > beta ? beta : x;
    case HET_ACT_LEAKY_RELU:
        return x < 0.0f ? alpha * x : x;
    case HET_ACT_SIGMOID:
        return het_sigmoid(x);
    case HET_ACT_TANH:
        return tanh(x);
    case HET_ACT_SWISH:
        return x * het_sigmoid(alpha * x);
    case HET_ACT_HARD_SIGMOID:
        return fmin(fmax(alpha * x + beta, 0.0f), 1.0f);
    case HET_ACT_HARD_SWISH:
        return x * fmin(fmax(x * (1.0f / 6.0f) + 0.5f, 0.0f), 1.0f);
    case HET_ACT_GELU_ERF:
        return het_unary(HET_UNARY_GELU_ERF, 0.0f, x);
    case HET_ACT_GELU_TANH:
        return het_unary(HET_UNARY_GELU_TANH, 0.0f, x);
    default:
        return x;
    }
}

/* ---- what the items of a group find together ----
 *
 * For kernels whose host defines GROUP, the items of a group in one dimension: a power of two, 1 on
 * processors. room: GROUP floats of local memory. All items get the result. */
#ifdef GROUP
#if HET_SUBGROUP && GROUP > HET_SUBGROUP
#define HET_ROOM (GROUP / HET_SUBGROUP)
#define HET_FOLD(name, own, fold)                                                          \
    HET_INLINE float name(float x, __local float *room)                                    \
    {                                                                                      \
        x = own(x);                                                                        \
        barrier(CLK_LOCAL_MEM_FENCE);                                                      \
        if (get_sub_group_local_id() == 0)                                                 \
            room[get_sub_group_id()] = x;                                                  \
        barrier(CLK_LOCAL_MEM_FENCE);                                                      \
        x = room[0];                                                                       \
        for (int i = 1; i < HET_ROOM; i++)                                                 \
            x = fold(x, room[i]);                                                          \
        return x;                                                                          \
    }
#elif GROUP > 1
#define HET_ROOM GROUP
#define HET_FOLD(name, own, fold)                                                          \
    HET_INLINE float name(float x, __local float *room)                                    \
    {                                                                                      \
        const int item = (int)get_local_id(0);                                             \
        barrier(CLK_LOCAL_MEM_FENCE);                                                      \
        room[item] = x;                                                                    \
        barrier(CLK_LOCAL_MEM_FENCE);                                                      \
        for (int half_way = GROUP / 2; half_way > 0; half_way /= 2) {                      \
            if (item < half_way)                                                           \
                room[item] = fold(room[item], room[item + half_way]);                      \
            barrier(CLK_LOCAL_MEM_FENCE);                                                  \
        }                                                                                  \
        return room[0];                                                                    \
    }
#else
#define HET_ROOM 1
#define HET_FOLD(name, own, fold)                                                          \
    HET_INLINE float name(float x, __local float *room)                                    \
    {                                                                                      \
        (void)room;                                                                        \
        return x;                                                                          \
    }
#endif
static inline float het_plus(float a, float b)
{
    return a + b;
}
HET_FOLD(het_group_sum, sub_group_reduce_add, het_plus)
HET_FOLD(het_group_max, sub_group_reduce_max, fmax)
#endif

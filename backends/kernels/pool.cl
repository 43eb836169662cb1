/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of maxima and means, and changes of layout, of floats and of codes of eight bits.
 *
 * Options: of pool V (channels of an item; divides the block), BLOCK (1: plain), T (float, uchar,
 * char), MEAN, ACT; of block and unblock T of the element's size and BLOCK; MAP: of map. */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#ifdef POOL

#if V == 1
#define TV T
#define LOADV(at) (*(at))
#define STOREV(v, at) (*(at) = (v))
#else
#define TV JOIN(T, V)
#define LOADV(at) JOIN(vload, V)(0, at)
#define STOREV(v, at) JOIN(vstore, V)(v, 0, at)
#endif

/* sizes: input height, width, output height, width
 * form: kernel, stride, dilation, padding before; each height, width
 * counts: vectors of an image, images, whether padding counts, least code, of the type */
__kernel void pool(HET_IN(x), HET_OUT(out), const int4 sizes, const int8 form, const int4 counts,
                   const float alpha, const float beta)
{
    const int place = get_global_id(0), vector = get_global_id(1), image = get_global_id(2);
    if (place >= sizes.s2 * sizes.s3 || vector >= counts.s0 || image >= counts.s1)
        return;
    const int oy = place / sizes.s3, ox = place % sizes.s3, per_block = BLOCK / V;
    const long block = (long)image * (counts.s0 / per_block) + vector / per_block;
    const int lane = vector % per_block * V;
    __global const T *from = (__global const T *)(x + x_at) +
        block * sizes.s0 * sizes.s1 * BLOCK + lane;
    __global T *to = (__global T *)(out + out_at) +
        (block * sizes.s2 * sizes.s3 + place) * BLOCK + lane;
#if MEAN
    TV sum = (TV)0;
    int seen = 0;
#elif IS_FLOAT
    TV most = (TV)(-INFINITY);
#else
    TV most = (TV)(T)counts.s3;
#endif
    for (int ky = 0; ky < form.s0; ky++) {
        const int iy = oy * form.s2 - form.s6 + ky * form.s4;
        if (iy < 0 || iy >= sizes.s0)
            continue;
        for (int kx = 0; kx < form.s1; kx++) {
            const int ix = ox * form.s3 - form.s7 + kx * form.s5;
            if (ix < 0 || ix >= sizes.s1)
                continue;
            const TV v = LOADV(from + (long)(iy * sizes.s1 + ix) * BLOCK);
#if MEAN
            sum += v;
            seen++;
#elif IS_FLOAT
            most = ((v > most) | (v != v)) ? v : most; /* a NaN stays */
#else
            most = max(most, v);
#endif
        }
    }
#if MEAN
    const int all = counts.s2 ? form.s0 * form.s1 : seen;
    const TV result = all ? sum / (float)all : (TV)0;
#else
    const TV result = most;
#endif
    STOREV(result, to);
#if IS_FLOAT
    for (int i = 0; ACT != HET_ACT_NONE && i < V; i++)
        to[i] = het_act(ACT, alpha, beta, to[i]);
#endif
}

#endif

#ifdef LAYOUT

/* counts: channels, places of an image, blocks of an image. Items: places, blocks of all images. */
__kernel void block(HET_IN(x), HET_OUT(out), const int4 counts)
{
    const int place = get_global_id(0), which = get_global_id(1);
    if (place >= counts.s1 || which >= counts.s3)
        return;
    const int image = which / counts.s2, first = which % counts.s2 * BLOCK;
    __global const T *from = (__global const T *)(x + x_at) +
        ((long)image * counts.s0 + first) * counts.s1 + place;
    __global T *to = (__global T *)(out + out_at) + ((long)which * counts.s1 + place) * BLOCK;
    for (int i = 0; i < BLOCK; i++)
        to[i] = first + i < counts.s0 ? from[(long)i * counts.s1] : (T)0;
}

__kernel void unblock(HET_IN(x), HET_OUT(out), const int4 counts)
{
    const int place = get_global_id(0), which = get_global_id(1);
    if (place >= counts.s1 || which >= counts.s3)
        return;
    const int image = which / counts.s2, first = which % counts.s2 * BLOCK;
    __global const T *from = (__global const T *)(x + x_at) +
        ((long)which * counts.s1 + place) * BLOCK;
    __global T *to = (__global T *)(out + out_at) +
        ((long)image * counts.s0 + first) * counts.s1 + place;
    for (int i = 0; i < BLOCK && first + i < counts.s0; i++)
        to[(long)i * counts.s1] = from[i];
}

#endif

#ifdef MAP

/* Bytes through a table of 256, 16 by an item. */
__kernel void map(HET_IN(x), HET_IN(table), HET_OUT(out), const int count)
{
    const int first = get_global_id(0) * 16;
    if (first >= count)
        return;
    __global const uchar *from = x + x_at, *entries = table + table_at;
    __global uchar *to = out + out_at;
    const int end = min(first + 16, count);
    for (int i = first; i < end; i++)
        to[i] = entries[from[i]];
}

#endif

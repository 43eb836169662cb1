/* SPDX-License-Identifier: Apache-2.0 */
/* Elements that lie where a table or a tensor of indices says, and weighted sums of such: padding,
 * gathering, resizing.
 *
 * Options: T, the type of an element; PICK, GATHER or RESIZE; TI, of indices. */

#ifdef PICK

/* extent: of the output, axis 0 innermost. The table has the source of each place along an axis, in
 * elements, axis after axis from 0 on; one that is negative stands for value. */
__kernel void pick(HET_OUT(out), HET_IN(x), HET_IN(table), const int8 extent, const int others,
                   const T value)
{
    const int p0 = get_global_id(0), p1 = get_global_id(1), outer = get_global_id(2);
    if (p0 >= extent.s0 || p1 >= extent.s1 || outer >= others)
        return;
    __global const int *sources = (__global const int *)(table + table_at);
    const int s0 = sources[p0], s1 = sources[extent.s0 + p1];
    int from = s0 + s1, least = min(s0, s1), rest = outer, first = extent.s0 + extent.s1;
    const int further[6] = { extent.s2, extent.s3, extent.s4, extent.s5, extent.s6, extent.s7 };
    for (int i = 0; i < 6; i++) {
        const int s = sources[first + rest % further[i]];
        from += s;
        least = min(least, s);
        first += further[i];
        rest /= further[i];
    }
    ((__global T *)(out + out_at))[((long)outer * extent.s1 + p1) * extent.s0 + p0] =
        least < 0 ? value : ((__global const T *)(x + x_at))[from];
}

#endif

#ifdef GATHER

/* x [outer][count][run], indices [picked] -> [outer][picked][run]. Negative indices count from the
 * back; one outside of the axis takes its nearest end. sizes: run, picked, outer, count */
__kernel void gather(HET_OUT(out), HET_IN(x), HET_IN(indices), const int4 sizes)
{
    const int r = get_global_id(0), i = get_global_id(1), o = get_global_id(2);
    if (r >= sizes.s0 || i >= sizes.s1 || o >= sizes.s2)
        return;
    long k = ((__global const TI *)(indices + indices_at))[i];
    k += k < 0 ? sizes.s3 : 0;
    k = clamp(k, (long)0, (long)(sizes.s3 - 1));
    ((__global T *)(out + out_at))[((long)o * sizes.s1 + i) * sizes.s0 + r] =
        ((__global const T *)(x + x_at))[((long)o * sizes.s3 + k) * sizes.s0 + r];
}

#endif

#ifdef RESIZE

/* x [outer][a][b][inner] -> [outer][a'][b'][inner]. taps: for each place of a' then of b', `width`
 * elements of that axis; weights: likewise.
 * sizes: a, b, a', b', width of a, width of b, inner, outer */
__kernel void resize(HET_OUT(out), HET_IN(x), HET_IN(taps), HET_IN(weights), const int8 sizes)
{
    const int place = get_global_id(0), oa = get_global_id(1), outer = get_global_id(2);
    if (place >= sizes.s3 * sizes.s6 || oa >= sizes.s2 || outer >= sizes.s7)
        return;
    const int ob = place / sizes.s6, inner = place % sizes.s6;
    __global const int *ta = (__global const int *)(taps + taps_at), *tb = ta + sizes.s2 * sizes.s4;
    __global const float *wa = (__global const float *)(weights + weights_at);
    __global const float *wb = wa + sizes.s2 * sizes.s4;
    __global const float *from = (__global const float *)(x + x_at) +
        (long)outer * sizes.s0 * sizes.s1 * sizes.s6 + inner;
    float sum = 0.0f;
    for (int i = 0; i < sizes.s4; i++) {
        __global const float *line = from + (long)ta[oa * sizes.s4 + i] * sizes.s1 * sizes.s6;
        float part = 0.0f;
        for (int k = 0; k < sizes.s5; k++)
            part += wb[ob * sizes.s5 + k] * line[(long)tb[ob * sizes.s5 + k] * sizes.s6];
        sum += wa[oa * sizes.s4 + i] * part;
    }
    ((__global float *)(out + out_at))
        [((long)outer * sizes.s2 + oa) * sizes.s3 * sizes.s6 + place] = sum;
}

#endif

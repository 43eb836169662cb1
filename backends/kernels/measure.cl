/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of a device: reading of memory, and products on registers. What they find is written where
 * no result can be, so that it has to be found. */

/* Items read sixteen floats at a time, side by side. */
__kernel void read_all(__global const float16 *x, const ulong count, __global float *out)
{
    const ulong step = get_global_size(0);
    float16 sum = 0.0f;
#if HET_CPU /* a part of its own for each item */
    const ulong part = (count + step - 1) / step, begin = get_global_id(0) * part;
    for (ulong i = begin; i < min(begin + part, count); i++)
        sum += x[i];
#else
    for (ulong i = get_global_id(0); i < count; i += step)
        sum += x[i];
#endif
    const float8 eight = sum.lo + sum.hi;
    if (eight.s0 + eight.s3 + eight.s7 == 0.123f)
        out[0] = 1.0f;
}

/* Eight independent chains of sixteen lanes, by name so that they stay in registers: 2 * 8 * 16
 * operations a round. */
__kernel void peak_f32(__global float *out, const int rounds, const float factor)
{
    float16 a = (float)(get_global_id(0) & 7), b = 1.0f, c = 2.0f, d = 3.0f, e = 4.0f, f = 5.0f;
    float16 g = 6.0f, h = 7.0f;
    const float16 by = factor, more = 0.25f;
    for (int i = 0; i < rounds; i++) {
        a = fma(a, by, more);
        b = fma(b, by, more);
        c = fma(c, by, more);
        d = fma(d, by, more);
        e = fma(e, by, more);
        f = fma(f, by, more);
        g = fma(g, by, more);
        h = fma(h, by, more);
    }
    const float16 all = a + b + c + d + e + f + g + h;
    if (all.s0 + all.s7 + all.sf == 0.123f)
        out[0] = 1.0f;
}

/* Products of bytes and their sums: 2 * 4 * 16 operations a round. */
__kernel void peak_int8(__global float *out, const int rounds, const float factor)
{
    const char16 x = (char)factor + (char)(get_global_id(0) & 7);
    int16 a = 0, b = 1, c = 2, d = 3;
    for (int i = 0; i < rounds; i++) {
        const short16 y = convert_short16((char16)(char)i);
        a += convert_int16(convert_short16(x) * y);
        b += convert_int16(convert_short16(x + (char)1) * y);
        c += convert_int16(convert_short16(x + (char)2) * y);
        d += convert_int16(convert_short16(x + (char)3) * y);
    }
    const int16 all = a ^ b ^ c ^ d;
    if (all.s0 == 0x12345678)
        out[0] = 1.0f;
}

__kernel void nothing(__global float *out)
{
    if (get_global_id(0) > 1)
        out[0] = 0.0f;
}

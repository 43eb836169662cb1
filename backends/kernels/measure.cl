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

/* Sixteen independent chains of eight lanes: 2 * 8 * 16 operations a round. */
#define CHAINS(type, word, factor, more)                                                   \
    type a[16];                                                                            \
    for (int j = 0; j < 16; j++)                                                           \
        a[j] = (type)((word)(j + (int)(get_global_id(0) & 7)) * (word)0.125f);             \
    for (int i = 0; i < rounds; i++)                                                       \
        for (int j = 0; j < 16; j++)                                                       \
            a[j] = a[j] * (type)(factor) + (type)(more);                                   \
    type all = a[0];                                                                       \
    for (int j = 1; j < 16; j++)                                                           \
        all += a[j];

__kernel void peak_f32(__global float *out, const int rounds, const float factor)
{
    CHAINS(float8, float, factor, 0.25f)
    if (all.s0 + all.s3 + all.s7 == 0.123f)
        out[0] = 1.0f;
}

/* Products of four bytes and their sum, as products with weights of eight bits have them. */
__kernel void peak_int8(__global float *out, const int rounds, const float factor)
{
    char4 x[8];
    int sum[8];
    for (int j = 0; j < 8; j++) {
        x[j] = (char4)(j + (int)factor, (char)get_global_id(0), (char)(j + 2), (char)3);
        sum[j] = j;
    }
    for (int i = 0; i < rounds; i++) {
        const char4 y = as_char4(i);
        for (int j = 0; j < 8; j++) {
            const short4 p = convert_short4(x[j]) * convert_short4(y);
            sum[j] += (int)p.x + (int)p.y + (int)p.z + (int)p.w;
        }
    }
    int all = 0;
    for (int j = 0; j < 8; j++)
        all ^= sum[j];
    if (all == 0x12345678)
        out[0] = 1.0f;
}

__kernel void nothing(__global float *out)
{
    if (get_global_id(0) > 1)
        out[0] = 0.0f;
}

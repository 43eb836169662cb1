/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element: sums, products, functions. The output may lie where an input lies. */

/* OP 0: a + b; 1: a * b. b has b_rows rows, one of which may stand for all. */
#ifdef OP
__kernel void binary(HET_IN(a), HET_IN(b), HET_OUT(y), const uint columns, const uint tokens,
                     const uint b_rows)
{
    const uint i = (uint)get_global_id(0), t = (uint)get_global_id(1);
    if (i >= columns || t >= tokens)
        return;
    const ulong at = (ulong)t * columns + i;
    const float u = HET_FLOATS(a)[at], v = HET_FLOATS(b)[b_rows == 1 ? i : at];
    HET_FLOATS_OUT(y)[at] = OP ? u * v : u + v;
}
#endif

#ifdef KIND
__kernel void unary(HET_IN(x), HET_OUT(y), const ulong count, const float alpha)
{
    const ulong i = get_global_id(0);
    if (i < count)
        HET_FLOATS_OUT(y)[i] = het_unary(KIND, alpha, HET_FLOATS(x)[i]);
}
#endif

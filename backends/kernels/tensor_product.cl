/* SPDX-License-Identifier: Apache-2.0 */
/* Products of two tensors of activations, matrix by matrix:
 *
 *     out[m][n] = alpha * sum over k of a[m][k] * b[k][n]   (+ beta * c[m][n])
 *
 * An item computes ROWS x COLUMNS elements. b lies by rows of k (TRANSPOSED 0), read in vectors of
 * COLUMNS, or by rows of n (1), where a row of a and one of b are multiplied in vectors of 8.
 *
 * Options: ROWS, COLUMNS, TRANSPOSED, HAS_C; SKIPS: what a zero of a would be multiplied with does
 * not matter, be it no number. */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#if TRANSPOSED
#define DEEP 8
#define VECTOR float8
#else
#define VECTOR JOIN(float, COLUMNS)
#endif

/* sizes: m, n, k, matrices of an outer one
 * steps: of a, b and out from row to row, then of c from row to row and column to column
 * outer, inner: from matrix to matrix of a, b, out, c along two axes; inner matrices of b are
 * repeated `share` times */
__kernel void product(HET_OUT(out), HET_IN(a), HET_IN(b), HET_IN(c), const int4 sizes,
                      const int8 steps, const int4 outer, const int4 inner, const int share,
                      const float alpha, const float beta)
{
    const int n0 = get_global_id(0) * COLUMNS, m0 = get_global_id(1) * ROWS;
    const int matrix = get_global_id(2), o = matrix / sizes.s3, i = matrix % sizes.s3;
    if (n0 >= sizes.s1 || m0 >= sizes.s0)
        return;
    __global const float *pa = HET_FLOATS(a) + (long)o * outer.s0 + (long)i * inner.s0;
    __global const float *pb = HET_FLOATS(b) + (long)o * outer.s1 + (long)(i / share) * inner.s1;
    __global float *to = HET_FLOATS_OUT(out) + (long)o * outer.s2 + (long)i * inner.s2;
    float sums[ROWS][COLUMNS];
    __global const float *lines[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        lines[r] = pa + (long)min(m0 + r, sizes.s0 - 1) * steps.s0;
#if TRANSPOSED
    __global const float *columns[COLUMNS];
    VECTOR acc[ROWS][COLUMNS];
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
        columns[j] = pb + (long)min(n0 + j, sizes.s1 - 1) * steps.s1;
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            acc[r][j] = (VECTOR)0.0f;
    int k = 0;
    for (; k + DEEP <= sizes.s2; k += DEEP) {
        VECTOR y[COLUMNS];
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            y[j] = vload8(0, columns[j] + k);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const VECTOR x = vload8(0, lines[r] + k);
#pragma unroll
            for (int j = 0; j < COLUMNS; j++)
                acc[r][j] = mad(x, y[j], acc[r][j]);
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
            const float4 s = acc[r][j].lo + acc[r][j].hi;
            sums[r][j] = (s.s0 + s.s1) + (s.s2 + s.s3);
            for (int t = k; t < sizes.s2; t++)
                sums[r][j] = mad(lines[r][t], columns[j][t], sums[r][j]);
        }
#else
    VECTOR acc[ROWS];
    const int whole = n0 + COLUMNS <= sizes.s1;
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        acc[r] = (VECTOR)0.0f;
    for (int k = 0; k < sizes.s2; k++) {
        __global const float *line = pb + (long)k * steps.s1 + n0;
        VECTOR y;
        if (whole) {
            y = JOIN(vload, COLUMNS)(0, line);
        } else {
            float tail[COLUMNS];
#pragma unroll
            for (int j = 0; j < COLUMNS; j++)
                tail[j] = n0 + j < sizes.s1 ? line[j] : 0.0f;
            y = JOIN(vload, COLUMNS)(0, tail);
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            acc[r] = SKIPS && lines[r][k] == 0.0f ? acc[r]
                                                  : mad((VECTOR)lines[r][k], y, acc[r]);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        JOIN(vstore, COLUMNS)(acc[r], 0, sums[r]);
#endif
    for (int r = 0; r < ROWS && m0 + r < sizes.s0; r++)
        for (int j = 0; j < COLUMNS && n0 + j < sizes.s1; j++) {
            float v = alpha * sums[r][j];
            if (HAS_C)
                v += beta * (HET_FLOATS(c) + (long)o * outer.s3 + (long)i * inner.s3)
                    [(long)(m0 + r) * steps.s3 + (long)(n0 + j) * steps.s4];
            to[(long)(m0 + r) * steps.s2 + n0 + j] = v;
        }
}

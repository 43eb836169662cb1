/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels for the driver's own test. */
int __spirv_SpecConstant(int id, int otherwise) __attribute__((overloadable));

#define TIMES __spirv_SpecConstant(7, 3)

/* out[i] = TIMES * in[i] + plus */
__kernel void scale(__global const float *in, __global float *out, const float plus)
{
    const size_t i = get_global_id(0);
    out[i] = (float)TIMES * in[i] + plus;
}

/* Sums of groups of items, through memory of the caller's choosing. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void sums(__global const int *in, __global int *out, __local int *room)
{
    const int item = (int)get_local_id(0);
    room[item] = in[get_global_id(0)];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_way = 32; half_way > 0; half_way /= 2) {
        if (item < half_way)
            room[item] += room[item + half_way];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (item == 0)
        out[get_group_id(0)] = room[0];
}

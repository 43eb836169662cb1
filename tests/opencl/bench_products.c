/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of products on the first OpenCL device: our kernels, and CLBlast where it can.
 *
 *     meson test --benchmark opencl_products        (HETINFER_OPENCL_AS_GPU=1: kernels of GPUs)
 *
 * A line per product: the median of the steps that fit in half a second, started and waited for,
 * and what a second of processor time makes: on a processor that others use too it is the figure
 * that counts, times the number of cores. An argument picks the lines that contain it. */
#define _POSIX_C_SOURCE 200809L /* setenv */

#include <time.h>

#include "lib/base/os.h"
#include "opencl_rig.h"

typedef struct bench {
    const char *name;
    het_dtype type;
    int64_t tokens, n, k;
    bool other; /* with CLBlast too */
    bool is_turned;
} bench;

static const bench benches[] = {
    { "gemm", HET_DTYPE_F32, 1024, 1024, 1024, true, false },
    { "gemm, [k, n]", HET_DTYPE_F32, 1024, 1024, 1024, true, true },
    { "gemm", HET_DTYPE_F16, 1024, 1024, 1024, false, false },
    { "gemm", HET_DTYPE_Q4_0, 1024, 1024, 1024, false, false },
    { "gemm", HET_DTYPE_Q4_K, 512, 2048, 2048, false, false },
    { "gemv", HET_DTYPE_F32, 1, 2048, 2048, false, false },
    { "gemv", HET_DTYPE_F16, 1, 4096, 4096, false, false },
    { "gemv", HET_DTYPE_Q4_0, 1, 4096, 4096, false, false },
    { "gemv", HET_DTYPE_Q8_0, 1, 4096, 4096, false, false },
    { "gemv", HET_DTYPE_Q4_K, 1, 4096, 4096, false, false },
    { "gemv", HET_DTYPE_Q6_K, 1, 4096, 4096, false, false },
    { "gemv", HET_DTYPE_IQ4_XS, 1, 4096, 4096, false, false },
    { "gemv", HET_DTYPE_MXFP4, 1, 4096, 4096, false, false },
    { "4 rows", HET_DTYPE_Q4_0, 4, 4096, 4096, false, false },
    { "8 rows", HET_DTYPE_Q4_0, 8, 4096, 4096, false, false },
};

static node_case case_of(const bench *b, const void *weights)
{
    node_case c = { .op = b->is_turned ? HET__OP_MATMUL : HET__OP_LINEAR, .input_count = 4,
                    .tokens_max = 1, .seed = 1 };
    snprintf(c.name, sizeof c.name, "%s", b->name);
    c.inputs[0] = (node_input){ .kind = HET__VALUE_INPUT, .dtype = HET_DTYPE_F32, .rank = 2,
                                .extent = { FIXED(b->tokens), FIXED(b->k) } };
    node_input w = { .kind = HET__VALUE_CONST, .dtype = b->type, .rank = 2,
                     .extent = { FIXED(b->n), FIXED(b->k) }, .data = weights };
    if (b->is_turned) {
        w.extent[0] = (het__extent)FIXED(b->k);
        w.extent[1] = (het__extent)FIXED(b->n);
        c.attrs.matmul.scale = 1;
    } else {
        c.attrs.linear.projections = 1;
    }
    c.inputs[b->is_turned ? 1 : 2] = w;
    return c;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(const bench *b, const char *how)
{
    enum { MOST = 2000 };
    static uint64_t ns[MOST];
    uint64_t state = 7;
    void *w = random_weights(b->type, b->is_turned ? b->k : b->n, b->is_turned ? b->n : b->k,
                             &state, NULL);
    const node_case c = case_of(b, w);
    rig r;
    if (node_open(&r, "opencl_igpu", &c)) {
        node_fill(&r, &r, &c);
        rig_run(&r); /* what the driver still has to compile */
        size_t count = 0;
        const clock_t processor = clock();
        for (uint64_t begin = het__now_ns(); count < MOST && het__now_ns() - begin < 500000000;) {
            const uint64_t start = het__now_ns();
            rig_run(&r);
            ns[count++] = het__now_ns() - start;
        }
        const double busy = (double)(clock() - processor) / CLOCKS_PER_SEC / (double)count;
        qsort(ns, count, sizeof ns[0], by_size);
        const double seconds = (double)ns[count / 2] / 1e9;
        const double bytes = (double)het_dtype_bytes(b->type, b->n * b->k);
        const double flops = 2.0 * (double)b->tokens * (double)b->n * (double)b->k;
        printf("%-12s %-6s %4lld x %lld x %lld %-7s %8.3f ms %7.2f GFLOP/s %6.2f GB/s; "
               "%7.2f, %6.2f\n", b->name, het_dtype_name(b->type), (long long)b->tokens,
               (long long)b->n, (long long)b->k, how, 1e3 * seconds, flops / seconds / 1e9,
               bytes / seconds / 1e9, flops / busy / 1e9, bytes / busy / 1e9);
        fflush(stdout);
    }
    rig_close(&r);
    free(w);
}

int main(int argc, char **argv)
{
    setenv("HETINFER_OPENCL_CPU", "1", 1);
    printf("%s; GB/s are of weights\n", opencl_device());
    for (size_t i = 0; i < sizeof benches / sizeof benches[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s %s", benches[i].name, het_dtype_name(benches[i].type));
        if (argc > 1 && !strstr(line, argv[1]))
            continue;
        setenv("HETINFER_OPENCL_CLBLAST", "0", 1);
        measure(&benches[i], "own");
        setenv("HETINFER_OPENCL_CLBLAST", "1", 1);
        if (benches[i].other)
            measure(&benches[i], "CLBlast");
    }
    return test_finish();
}

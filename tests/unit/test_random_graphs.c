/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs made by chance of what passes look for: whatever they find in them, the outputs stay the
 * same, and running out of memory at any point is reported and leaks nothing. */
#include "counting_allocator.h"
#include "tensor_bench.h"

#define GRAPHS 1500
#define NODES 24
#define TENSOR_PASSES \
    (UINT32_C(1) << HET__PASS_TIDY | UINT32_C(1) << HET__PASS_ACTIVATIONS | \
     UINT32_C(1) << HET__PASS_NORMS | UINT32_C(1) << HET__PASS_ATTENTION | \
     UINT32_C(1) << HET__PASS_TRANSPOSES | UINT32_C(1) << HET__PASS_FOLD | \
     UINT32_C(1) << HET__PASS_SIBLINGS)

/* Values made so far, with shapes kept beside: the raw graph does not know them. */
typedef struct pool {
    bench b;
    uint32_t ids[NODES * 4];
    het__tensor shapes[NODES * 4];
    bool read[NODES * 4];
    uint32_t count;
    uint64_t seed;
} pool;

static uint32_t below(pool *p, uint32_t n)
{
    return (uint32_t)(test_random(&p->seed) >> 33) % n;
}

static void put(pool *p, uint32_t id, uint32_t rank, const int64_t *extent)
{
    het__tensor *t = &p->shapes[p->count];
    memset(t, 0, sizeof *t);
    t->rank = rank;
    memcpy(t->extent, extent, rank * sizeof *extent);
    p->read[p->count] = false;
    p->ids[p->count++] = id;
}

/* A value of this rank (0: any); recent ones more often, so that chains grow. */
static bool pick(pool *p, uint32_t rank, uint32_t *at)
{
    for (int tries = 0; tries < 20; tries++) {
        const uint32_t last = p->count < 4 ? p->count : 4;
        *at = below(p, 3) ? p->count - 1 - below(p, last) : below(p, p->count);
        if (rank == 0 || p->shapes[*at].rank == rank) {
            p->read[*at] = true;
            return true;
        }
    }
    return false;
}

static void add_unary(pool *p)
{
    static const char *const ops[] = { "Relu", "Sigmoid", "Tanh", "Neg", "Identity", "Abs",
                                       "Dropout", "Erf" };
    uint32_t x;
    if (pick(p, 0, &x))
        put(p, OP(&p->b, ops[below(p, 8)], p->ids[x]), p->shapes[x].rank, p->shapes[x].extent);
}

static void add_scalar(pool *p)
{
    static const char *const ops[] = { "Add", "Mul", "Sub", "Div", "Pow" };
    static const double numbers[] = { 0, 1, 2, 3, 0.5, 1.0 / 6 };
    uint32_t x;
    const uint32_t op = below(p, 5);
    if (!pick(p, 0, &x))
        return;
    double c = numbers[below(p, 6)];
    if ((op == 3 && c == 0) || op == 4)
        c = 2;
    const uint32_t s = bench_scalar(&p->b, c);
    const bool first = op < 3 && below(p, 2);
    put(p, first ? OP(&p->b, ops[op], s, p->ids[x]) : OP(&p->b, ops[op], p->ids[x], s),
        p->shapes[x].rank, p->shapes[x].extent);
}

static void add_binary(pool *p)
{
    static const char *const ops[] = { "Add", "Mul", "Sub", "Max" };
    uint32_t x, y;
    if (!pick(p, 0, &x) || !pick(p, 0, &y))
        return;
    het__tensor out = p->shapes[y];
    if (het__broadcast(&p->shapes[x], &out) && bench_span(out.rank, out.extent) < 4000)
        put(p, OP(&p->b, ops[below(p, 4)], p->ids[x], p->ids[y]), out.rank, out.extent);
}

/* With a constant that has some of the extents. */
static void add_constant(pool *p)
{
    int64_t extent[HET_RANK_MAX];
    uint32_t x;
    if (!pick(p, 0, &x))
        return;
    const het__tensor *t = &p->shapes[x];
    const uint32_t one = below(p, t->rank + 1);
    for (uint32_t i = 0; i < t->rank; i++)
        extent[i] = i == one || below(p, 6) == 0 ? t->extent[i] : 1;
    const uint32_t skip = below(p, 2) ? 0 : t->rank - 1;
    const uint32_t w = bench_weight(&p->b, t->rank - skip, extent + skip);
    put(p, OP(&p->b, below(p, 2) ? "Add" : "Mul", p->ids[x], w), t->rank, t->extent);
}

static void add_transpose(pool *p)
{
    int64_t perm[HET_RANK_MAX], extent[HET_RANK_MAX];
    uint32_t x;
    if (!pick(p, 0, &x))
        return;
    const uint32_t rank = p->shapes[x].rank;
    for (uint32_t i = 0; i < rank; i++)
        perm[i] = i;
    for (uint32_t i = rank; i-- > 1;) {
        const uint32_t k = below(p, i + 1);
        const int64_t keep = perm[i];
        perm[i] = perm[k];
        perm[k] = keep;
    }
    for (uint32_t i = 0; i < rank; i++)
        extent[i] = p->shapes[x].extent[perm[i]];
    bench_ints(&p->b, "perm", rank, perm);
    put(p, OP(&p->b, "Transpose", p->ids[x]), rank, extent);
}

static void add_view(pool *p)
{
    uint32_t x;
    if (!pick(p, 0, &x))
        return;
    const het__tensor *t = &p->shapes[x];
    const int64_t rows = het__tensor_span(t, 0, 1), rest = het__tensor_span(t, 1, t->rank);
    const int64_t shapes[3][4] = { { rows, rest }, { 1, rows, rest }, { 1, rest, rows, 1 } };
    const uint32_t which = below(p, 3);
    put(p, OP(&p->b, "Reshape", p->ids[x], bench_list(&p->b, 2 + which, shapes[which])),
        2 + which, shapes[which]);
}

static void add_mean(pool *p)
{
    int64_t extent[HET_RANK_MAX];
    uint32_t x;
    if (!pick(p, 0, &x))
        return;
    const het__tensor *t = &p->shapes[x];
    const int64_t axis = below(p, 3) ? (int64_t)t->rank - 1 : (int64_t)below(p, t->rank);
    memcpy(extent, t->extent, sizeof extent);
    extent[axis] = 1;
    put(p, OP(&p->b, "ReduceMean", p->ids[x], bench_list(&p->b, 1, &axis)), t->rank, extent);
}

static void add_product(pool *p)
{
    int64_t extent[HET_RANK_MAX];
    uint32_t x;
    if (!pick(p, 0, &x) || p->shapes[x].rank < 2)
        return;
    const het__tensor *t = &p->shapes[x];
    memcpy(extent, t->extent, sizeof extent);
    const int64_t depth = extent[t->rank - 1];
    extent[t->rank - 1] = 1 + below(p, 4);
    const uint32_t w = bench_weight(&p->b, 2, E(depth, extent[t->rank - 1]));
    put(p, OP(&p->b, "MatMul", p->ids[x], w), t->rank, extent);
}

static void add_softmax(pool *p)
{
    uint32_t x;
    if (!pick(p, 0, &x))
        return;
    bench_int(&p->b, "axis", below(p, 4) ? -1 : 0);
    put(p, OP(&p->b, "Softmax", p->ids[x]), p->shapes[x].rank, p->shapes[x].extent);
}

static void add_conv(pool *p)
{
    uint32_t x;
    if (!pick(p, 4, &x))
        return;
    int64_t extent[4];
    memcpy(extent, p->shapes[x].extent, sizeof extent);
    uint32_t in = p->ids[x];
    const int64_t channels = extent[1];
    if (below(p, 2)) {
        in = OP(&p->b, "Pad", in, bench_list(&p->b, 8, E(0, 0, 1, 0, 0, 0, 0, 2)));
        extent[2] += 1;
        extent[3] += 2;
    }
    extent[1] = 1 + below(p, 3);
    const uint32_t y =
        OP(&p->b, "Conv", in, bench_weight(&p->b, 4, E(extent[1], channels, 1, 1)));
    if (bench_span(4, extent) < 4000)
        put(p, y, 4, extent);
}

static void add_norm(pool *p)
{
    uint32_t x;
    if (!pick(p, 4, &x))
        return;
    const int64_t c = p->shapes[x].extent[1];
    const uint32_t scale = bench_weight(&p->b, 1, &c), shift = bench_weight(&p->b, 1, &c);
    const uint32_t mean = bench_weight(&p->b, 1, &c);
    put(p, OP(&p->b, "BatchNormalization", p->ids[x], scale, shift, mean,
              bench_positive(&p->b, c)), 4, p->shapes[x].extent);
}

static void grow(pool *p, uint64_t seed)
{
    static void (*const steps[])(pool *) = {
        add_unary, add_unary, add_scalar, add_scalar, add_binary, add_binary, add_constant,
        add_transpose, add_transpose, add_view, add_mean, add_product, add_softmax, add_conv,
        add_norm,
    };
    p->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    p->count = 0;
    bench_open(&p->b);
    put(p, bench_input(&p->b, 4, E(1, 3, 4, 5)), 4, E(1, 3, 4, 5));
    put(p, bench_input(&p->b, 3, E(2, 3, 4)), 3, E(2, 3, 4));
    put(p, bench_input(&p->b, 4, E(1, 3, 4, 5)), 4, E(1, 3, 4, 5));
    p->read[0] = p->read[1] = p->read[2] = true;
    for (int i = 0; i < NODES; i++)
        steps[below(p, COUNT(steps))](p);
    for (uint32_t i = 3; i < p->count; i++)
        if (p->b.raw.output_count < 6 && (!p->read[i] || below(p, 12) == 0))
            bench_output(&p->b, p->ids[i]);
}

/* Before and after, and nothing to do the second time: bench_run() checks both. */
static void outputs_stay(void)
{
    static pool p;
    uint32_t rewrites = 0;
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        const int before = test_failures;
        grow(&p, seed);
        if (p.b.raw.output_count > 0)
            rewrites += bench_run(&p.b, TENSOR_PASSES);
        bench_close(&p.b);
        if (test_failures != before)
            fprintf(stderr, "graph %d\n", (int)seed);
    }
    printf("       %u rewrites\n", rewrites);
    CHECK(rewrites > GRAPHS);
}

/* The n-th allocation of the passes fails, for every n. */
static void memory_runs_out(void)
{
    static pool p;
    const het__pass_options options = { TENSOR_PASSES, 0 };
    uint32_t failures = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        bool complete = false;
        for (uint64_t n = 1; !complete; n++) {
            counting_allocator counter = { 0 };
            const het_allocator allocator = counting_allocator_of(&counter);
            grow(&p, seed);
            het__graph graph;
            het__mem mem;
            het__mem_init(&mem, &allocator);
            CHECK_INT(het__specialise(&p.b.raw, p.b.inputs, p.b.input_count, &mem, &graph, NULL,
                                      &p.b.err), HET_OK);
            counting_allocator_fail(&counter, n);
            const het_status s = het__passes_run(&graph, &options, NULL, &p.b.err);
            complete = atomic_load(&counter.failed) == 0;
            if (complete)
                CHECK_INT(s, HET_OK);
            else
                failures++;
            if (!complete && s != HET_OK) /* or the pass did without */
                CHECK_INT(s, HET_E_NOMEM);
            het__graph_finish(&graph);
            bench_close(&p.b);
            CHECK_INT(atomic_load(&counter.blocks), 0);
        }
    }
    CHECK(failures > 50);
}

int main(void)
{
    test_case(outputs_stay);
    test_case(memory_runs_out);
    return test_finish();
}

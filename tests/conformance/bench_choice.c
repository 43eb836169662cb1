/* SPDX-License-Identifier: Apache-2.0 */
/* Whether plans choose the faster device for single operations, by the calibrations in force: each
 * operation of a sweep over kinds, sizes and formats runs on either device by itself, and is placed
 * by the planner over both.
 *
 *     bench_choice [DEVICE DEVICE]     (cpu_onednn opencl_igpu)
 *
 * Prints, per operation, what was expected and the least time measured, and the choice; then how
 * many choices were right, and the regret: the time of all choices over that of the best. Choices
 * between devices within 5 % of each other count as right. No pass or fail: the numbers depend on
 * what else the machine does. */
#include <hetinfer.h>

#include <math.h>

#include "../onnx_writer.h"
#include "../test.h"
#include "lib/api/handles.h"
#include "lib/base/os.h"
#include "lib/exec/executor.h"
#include "lib/passes/passes.h"

#define THREADS 2
#define STEP_NS 60000000u
#define RUNS_LEAST 5
#define ALIKE 0.05

static het_context *context;
static const char *names[2] = { "cpu_onednn", "opencl_igpu" };
static char both[64];

static struct {
    uint32_t all, right, faster[2]; /* faster: on which an operation takes less time */
    double chosen, best, errors[2][512];
} sums;

/* One operation. expected: of a plan on the device alone; 0: it does not run there. */
typedef struct outcome {
    double expected[2], measured[2];
    int choice;
} outcome;

static int which(const char *backend)
{
    return strcmp(backend, names[1]) == 0;
}

static void tell(const char *what, const outcome *o)
{
    if (!(o->measured[0] > 0) || !(o->measured[1] > 0)) {
        printf("%-34s runs on one of them only\n", what);
        return;
    }
    const int best = o->measured[1] < o->measured[0];
    const double chosen = o->measured[o->choice], least = o->measured[best];
    const bool right = chosen <= least * (1 + ALIKE);
    for (int k = 0; k < 2 && sums.all < 512; k++)
        sums.errors[k][sums.all] = fabs(o->expected[k] / o->measured[k] - 1);
    sums.all++;
    sums.right += right;
    sums.faster[best]++;
    sums.chosen += chosen;
    sums.best += least;
    printf("%-34s %10.4f %10.4f  %10.4f %10.4f ms  %-12s %s\n", what, o->expected[0] * 1e-6,
           o->measured[0] * 1e-6, o->expected[1] * 1e-6, o->measured[1] * 1e-6, names[o->choice],
           right ? "" : "wrong");
    fflush(stdout);
}

/* ---- operations of ONNX, through the public interface ---- */

typedef struct onnx_case {
    const char *op, *extents, *weight; /* weight: extents, or NULL */
    int64_t kernel, stride, group;     /* of windows */
} onnx_case;

static ow model_of(const onnx_case *c, const float *weights, size_t count)
{
    ow g = ow_graph("g");
    const bool windows = strstr(c->op, "Conv") || strstr(c->op, "Pool");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, c->extents);
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    if (c->weight)
        ow_add(&g, OW_WEIGHT, ow_tensor("w", OW_FLOAT, c->weight, weights,
                                        count * sizeof *weights));
    ow n = ow_node(c->op, c->weight ? "x,w" : strcmp(c->op, "Concat") == 0 ? "x,x" : "x", "y");
    if (windows && c->kernel) {
        const int64_t k[2] = { c->kernel, c->kernel }, s[2] = { c->stride, c->stride };
        const int64_t edge = c->kernel / 2, p[4] = { edge, edge, edge, edge };
        ow_attr_ints(&n, "kernel_shape", k, 2);
        ow_attr_ints(&n, "strides", s, 2);
        ow_attr_ints(&n, "pads", p, 4);
    }
    if (c->group)
        ow_attr_int(&n, "group", c->group);
    if (strcmp(c->op, "Concat") == 0)
        ow_attr_int(&n, "axis", 1);
    if (strcmp(c->op, "Transpose") == 0)
        ow_attr_ints(&n, "perm", (const int64_t[]){ 1, 0 }, 2);
    if (strcmp(c->op, "ReduceMean") == 0)
        ow_attr_ints(&n, "axes", (const int64_t[]){ 1 }, 1);
    ow_add(&g, OW_NODE, n);
    return ow_model(9, 17, g);
}

static size_t elements(const char *extents, het_tensor_desc *desc)
{
    size_t count = 1;
    desc->rank = 0;
    for (const char *at = extents; *at;) {
        char *end;
        desc->extent[desc->rank] = strtol(at, &end, 10);
        count *= (size_t)desc->extent[desc->rank++];
        at = *end ? end + 1 : end;
    }
    return count;
}

static double least_of(het_session *s)
{
    double least = INFINITY;
    het_error err = HET_ERROR_INIT;
    const uint64_t begin = het__now_ns();
    for (int i = 0; i < RUNS_LEAST || het__now_ns() - begin < STEP_NS; i++) {
        const uint64_t start = het__now_ns();
        CHECK_INT(het_session_run(s, &err), HET_OK);
        least = fmin(least, (double)(het__now_ns() - start));
    }
    return least;
}

/* The layer that takes longest says where the operation is. */
static void read_plan(const het_session *s, int alone, outcome *o)
{
    const het_plan *plan = het_session_plan(s, HET_PHASE_DECODE);
    het_plan_info info = { .struct_size = sizeof info };
    double most = -1;
    CHECK(plan && het_plan_get_info(plan, &info) == HET_OK);
    for (uint32_t i = 0; i < info.layer_count; i++) {
        het_plan_layer l = { .struct_size = sizeof l };
        CHECK_INT(het_plan_layer_at(plan, i, &l), HET_OK);
        if (alone < 0 && l.predicted_ns > most)
            o->choice = which(l.backend);
        most = fmax(most, l.predicted_ns);
    }
    if (alone >= 0)
        o->expected[alone] = info.predicted_ns;
}

static void run_onnx_on(const het_model *model, const char *devices, int alone, het_tensor *x,
                        outcome *o)
{
    het_session_options so = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    het_error err = HET_ERROR_INIT;
    so.devices = devices;
    so.threads = THREADS;
    het_status status = het_session_create(model, &so, &s, &err);
    if (status == HET_OK)
        status = het_session_bind_input(s, "x", x, &err);
    if (status == HET_OK)
        status = het_session_run(s, &err);
    if (status == HET_OK) {
        read_plan(s, alone, o);
        if (alone >= 0)
            o->measured[alone] = least_of(s);
    }
    het_session_destroy(s);
}

static void run_onnx(const onnx_case *c)
{
    outcome o = { .choice = 0 };
    het_tensor x = HET_TENSOR_INIT;
    het_tensor_desc w = x.desc;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    char what[96];
    const size_t count = elements(c->extents, &x.desc);
    const size_t weights = c->weight ? elements(c->weight, &w) : 0;
    float *data = calloc(count + weights, sizeof *data);
    if (!data)
        return;
    for (size_t i = 0; i < count + weights; i++)
        data[i] = 0.01f * (float)(i % 13);
    x.data = data;
    x.size_bytes = count * sizeof *data;
    x.desc.dtype = HET_DTYPE_F32;
    ow file = model_of(c, data + count, weights);
    if (het_model_load_memory(context, file.data, file.bytes, NULL, &model, &err) != HET_OK)
        TEST_FAIL("%s: %s", c->op, err.message);
    for (int k = 0; model && k < 3; k++)
        run_onnx_on(model, k < 2 ? names[k] : both, k < 2 ? k : -1, &x, &o);
    snprintf(what, sizeof what, "%s %s%s%s", c->op, c->extents, c->weight ? " by " : "",
             c->weight ? c->weight : "");
    tell(what, &o);
    het_model_destroy(model);
    free(file.data);
    free(data);
}

/* ---- products with weights in blocks ---- */

static void make_product(het__graph *g, het__mem *mem, het_dtype format, int64_t k, int64_t n,
                         void *weights)
{
    const het__extent e[2] = { { 1, HET__SYM_TOKENS }, { k, HET__SYM_ONE } };
    const int64_t w[2] = { n, k };
    het_error err = HET_ERROR_INIT;
    het__graph_init(g, mem);
    const uint32_t x = het__graph_value(g, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, e);
    const uint32_t in[4] = { x, HET__NO_VALUE, het__graph_const(g, "w", format, 2, w, weights),
                             HET__NO_VALUE };
    const het__attrs attrs = { .linear = { 1, false } };
    const uint32_t node = het__graph_node(g, HET__OP_LINEAR, 0, "linear", in, 4, &attrs, &err);
    CHECK(node != HET__NO_VALUE);
    het__graph_output(g, g->nodes[0].outputs[0], "y");
}

static void run_product_on(const het__exec_request *q, int alone, outcome *o)
{
    het__exec *exec = NULL;
    het_error err = HET_ERROR_INIT;
    _Atomic uint32_t cancel = 0;
    if (het__exec_create(q, &exec, &err) != HET_OK)
        return;
    const het__plan *plan = het__exec_plan_of(exec, 0);
    if (alone < 0) {
        o->choice = which(plan->machine.device[plan->entries[0].device].backend);
    } else {
        double least = INFINITY;
        const uint64_t begin = het__now_ns();
        for (int i = 0; i < RUNS_LEAST || het__now_ns() - begin < STEP_NS; i++) {
            const uint64_t start = het__now_ns();
            CHECK_INT(het__exec_run(exec, 0, q->symbols_max[0], &cancel, &err), HET_OK);
            least = fmin(least, (double)(het__now_ns() - start));
        }
        o->expected[alone] = plan->predicted_ns;
        o->measured[alone] = least;
    }
    het__exec_destroy(exec);
}

static void run_product(het_dtype format, int64_t k, int64_t n, int64_t columns)
{
    const size_t bytes = (size_t)(n * het_dtype_bytes(format, k));
    void *weights = malloc(bytes);
    het__graph g;
    outcome o = { .choice = 0 };
    char what[96];
    if (!weights)
        return;
    memset(weights, 0x2c, bytes);
    make_product(&g, &context->mem, format, k, n, weights);
    het__exec_request q = { .registry = &context->registry, .graph = &g, .unfused_count = 1,
                            .threads = THREADS, .phase_count = 1 };
    for (int i = 0; i < HET__SYM_MAX; i++)
        q.symbols_max[0][i] = 1;
    q.symbols_max[0][HET__SYM_TOKENS] = columns;
    for (int d = 0; d < 3; d++) {
        het_error err = HET_ERROR_INIT;
        CHECK_INT(het__registry_select(&context->registry, d < 2 ? names[d] : both, &q.device_mask,
                                       &err), HET_OK);
        run_product_on(&q, d < 2 ? d : -1, &o);
    }
    snprintf(what, sizeof what, "%s %dx%d, %d columns", het_dtype_name(format), (int)n, (int)k,
             (int)columns);
    tell(what, &o);
    het__graph_finish(&g);
    free(weights);
}

/* ---- the sweep: none of these is what a calibration runs ---- */

static const onnx_case cases[] = {
    { "Conv", "1,24,56,56", "32,24,3,3", 3, 1, 1 }, { "Conv", "1,96,20,20", "96,96,3,3", 3, 1, 1 },
    { "Conv", "1,3,160,160", "24,3,3,3", 3, 2, 1 }, { "Conv", "1,200,9,9", "200,200,3,3", 3, 1, 1 },
    { "Conv", "1,40,40,40", "120,40,1,1", 1, 1, 1 },
    { "Conv", "1,160,12,12", "320,160,1,1", 1, 1, 1 },
    { "Conv", "1,20,90,90", "24,20,1,1", 1, 1, 1 }, { "Conv", "1,72,40,40", "72,1,3,3", 3, 1, 72 },
    { "Conv", "1,240,18,18", "240,1,5,5", 5, 1, 240 },
    { "Conv", "1,36,100,100", "36,1,3,3", 3, 2, 36 },
    { "MaxPool", "1,40,80,80", NULL, 3, 2, 0 }, { "MaxPool", "1,150,20,20", NULL, 3, 2, 0 },
    { "AveragePool", "1,48,60,60", NULL, 3, 2, 0 },
    { "GlobalAveragePool", "1,300,11,11", NULL, 0, 0, 0 },
    { "MatMul", "1,700", "700,1100", 0, 0, 0 }, { "MatMul", "50,300", "300,500", 0, 0, 0 },
    { "MatMul", "200,600", "600,900", 0, 0, 0 }, { "MatMul", "12,1500", "1500,400", 0, 0, 0 },
    { "Softmax", "30,400", NULL, 0, 0, 0 }, { "Softmax", "900,700", NULL, 0, 0, 0 },
    { "LayerNormalization", "40,300", "300", 0, 0, 0 },
    { "LayerNormalization", "600,900", "900", 0, 0, 0 },
    { "Relu", "7000", NULL, 0, 0, 0 }, { "Relu", "900000", NULL, 0, 0, 0 },
    { "Sigmoid", "30000", NULL, 0, 0, 0 }, { "Sigmoid", "700000", NULL, 0, 0, 0 },
    { "Add", "50000", "50000", 0, 0, 0 }, { "Mul", "600000", "600000", 0, 0, 0 },
    { "Tanh", "200000", NULL, 0, 0, 0 }, { "ReduceMean", "400,900", NULL, 0, 0, 0 },
    { "Transpose", "300,500", NULL, 0, 0, 0 }, { "Transpose", "1500,1100", NULL, 0, 0, 0 },
    { "Concat", "60,700", NULL, 0, 0, 0 }, { "Concat", "500,1300", NULL, 0, 0, 0 },
};

static double median(double *errors, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = i; j > 0 && errors[j] < errors[j - 1]; j--) {
            const double swap = errors[j];
            errors[j] = errors[j - 1];
            errors[j - 1] = swap;
        }
    return count ? errors[count / 2] : 0;
}

int main(int argc, char **argv)
{
    static const het_dtype formats[] = { HET_DTYPE_Q4_0, HET_DTYPE_Q8_0, HET_DTYPE_Q4_K,
                                         HET_DTYPE_Q6_K, HET_DTYPE_F16, HET_DTYPE_F32 };
    static const int64_t shapes[][2] = { { 384, 512 }, { 1536, 1792 }, { 2048, 5632 } };
    static const int64_t columns[] = { 1, 24, 96 };
    het_context_options co = HET_CONTEXT_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    if (argc == 3) {
        names[0] = argv[1];
        names[1] = argv[2];
    }
    snprintf(both, sizeof both, "%s,%s", names[0], names[1]);
    co.backends = both;
    if (het_context_create(&co, &context, &err) != HET_OK)
        test_skip(err.message);
    if (het_context_device_count(context) < 2)
        test_skip("no two devices");
    printf("%-34s %10s %10s  %10s %10s\n", "", names[0], "measured", names[1], "measured");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_onnx(&cases[i]);
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
                run_product(formats[f], shapes[s][0], shapes[s][1], columns[c]);
    printf("%u are faster on %s, %u on %s\n", sums.faster[0], names[0], sums.faster[1], names[1]);
    printf("right %u of %u (%.1f %%), regret %.2f %%, median error %.1f and %.1f %%\n", sums.right,
           sums.all, 100.0 * sums.right / fmax(sums.all, 1),
           100 * (sums.chosen / sums.best - 1), 100 * median(sums.errors[0], sums.all),
           100 * median(sums.errors[1], sums.all));
    het_context_destroy(context);
    return test_finish();
}

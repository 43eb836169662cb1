/* SPDX-License-Identifier: Apache-2.0 */
/* What rounding to 8 bits explains of a whole model: a language model with its products on the
 * stand-in for an NPU gives the logits, bit for bit, of one whose products plain C makes of the
 * same codes, placed alike; so that what differs from unrounded products is the rounding and
 * nothing else. */
#define _XOPEN_SOURCE 700 /* setenv, mkdtemp */
#include "exec_case.h"
#include "folder.h"

#include "lib/plain/act.h"
#include "lib/quant/quant.h"

#define PART 64 /* terms of a sum that the design takes at once */
#define EXTENT_MAX 512

/* ---- a device that does in plain C what the NPU does ---- */

struct het__device {
    het__mem *mem;
};

struct het__buffer {
    char *data;
    bool is_borrowed;
};

typedef struct plain_product {
    het__op op;
    het__unary act;
    const float *x, *residual;
    het__value x_value;
    uint32_t count;
    float *weights[4], *bias[4], *out[4];
    int64_t columns[4];
} plain_product;

struct het__program {
    uint32_t count;
    plain_product products[16];
};

static het_status plain_open(const het__host *host, uint32_t index,
                             const het__open_options *options, het__device **device,
                             het_error *err)
{
    (void)index, (void)options, (void)err;
    *device = het__alloc(host->mem, sizeof **device);
    (*device)->mem = host->mem;
    return HET_OK;
}

static void plain_close(het__device *device)
{
    het__free(device->mem, device);
}

static het_status buffer_of(het__device *device, char *data, bool is_borrowed,
                            het__buffer **buffer)
{
    *buffer = het__alloc(device->mem, sizeof **buffer);
    **buffer = (het__buffer){ data, is_borrowed };
    return HET_OK;
}

static het_status plain_create(het__device *device, size_t bytes, het__buffer **buffer,
                               het_error *err)
{
    (void)err;
    return buffer_of(device, het__alloc_zero(device->mem, bytes, 1), false, buffer);
}

static het_status plain_import(het__device *device, void *host, size_t bytes,
                               het__buffer **buffer, het_error *err)
{
    (void)bytes, (void)err;
    return buffer_of(device, host, true, buffer);
}

static void plain_destroy(het__device *device, het__buffer *buffer)
{
    if (!buffer->is_borrowed)
        het__free(device->mem, buffer->data);
    het__free(device->mem, buffer);
}

static void *plain_host(het__device *device, het__buffer *buffer)
{
    (void)device;
    return buffer->data;
}

static float *place_of(const het__slice *slice, uint32_t value)
{
    return (float *)(void *)(slice->places[value].buffer->data + slice->places[value].offset);
}

static float *decoded(const het__slice *slice, uint32_t value)
{
    const het__value *v = &slice->graph->values[value];
    const int64_t count = het__value_elements(v, slice->symbols_max);
    float *out = malloc((size_t)count * sizeof *out);
    het__decoder(v->dtype)(v->data, out, count);
    return out;
}

static void product_init(const het__slice *slice, const het__node *node, plain_product *p)
{
    const bool linear = node->op == HET__OP_LINEAR;
    *p = (plain_product){ .op = node->op, .x = place_of(slice, node->inputs[0]) };
    p->x_value = slice->graph->values[node->inputs[0]];
    p->count = linear ? (uint32_t)node->attrs.linear.projections : 2;
    p->act = linear ? HET__UNARY_NONE : node->attrs.gated.act;
    if (linear && node->inputs[1] != HET__NO_VALUE)
        p->residual = place_of(slice, node->inputs[1]);
    for (uint32_t i = 0; i < p->count; i++) {
        const uint32_t w = node->inputs[linear ? 2 + 2 * i : 1 + i];
        p->weights[i] = decoded(slice, w);
        p->columns[i] = slice->graph->values[w].extent[0].count;
        p->out[i] = place_of(slice, node->outputs[linear ? i : 0]);
        if (linear && node->inputs[3 + 2 * i] != HET__NO_VALUE)
            p->bias[i] = decoded(slice, node->inputs[3 + 2 * i]);
    }
}

static het_status plain_compile(het__device *device, const het__slice *slice,
                                het__program **program, het_error *err)
{
    (void)device, (void)err;
    *program = calloc(1, sizeof **program);
    for (uint32_t i = 0; i < slice->node_count; i++)
        product_init(slice, &slice->graph->nodes[slice->nodes[i]],
                     &(*program)->products[(*program)->count++]);
    return HET_OK;
}

static void plain_release(het__device *device, het__program *program)
{
    (void)device;
    for (uint32_t i = 0; i < program->count; i++)
        for (uint32_t k = 0; k < 4; k++) {
            free(program->products[i].weights[k]);
            free(program->products[i].bias[k]);
        }
    free(program);
}

static float encode(const float *x, int64_t count, int8_t *codes)
{
    float most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmaxf(most, fabsf(x[i]));
    const float factor = most / 127.0f, inverse = factor > 0 ? 1.0f / factor : 0;
    for (int64_t i = 0; i < count; i++)
        codes[i] = (int8_t)fminf(fmaxf(rintf(x[i] * inverse), -127), 127);
    return factor;
}

static double dot(const float *x, const float *w, int64_t inner)
{
    int8_t a[PART], b[PART];
    double value = 0;
    for (int64_t from = 0; from < inner; from += PART) {
        const int64_t count = inner - from < PART ? inner - from : PART;
        const float fx = encode(x + from, count, a), fw = encode(w + from, count, b);
        int32_t sum = 0;
        for (int64_t k = 0; k < count; k++)
            sum += a[k] * b[k];
        value += (double)sum * ((double)fx * (double)fw);
    }
    return value;
}

static void run_product(const plain_product *p, const int64_t *symbols)
{
    int64_t rows, inner;
    het__value_matrix(&p->x_value, symbols, &rows, &inner);
    for (uint32_t i = 0; i < p->count; i++)
        for (int64_t t = 0; t < rows; t++)
            for (int64_t n = 0; n < p->columns[i]; n++) {
                float *out = &p->out[i][t * p->columns[i] + n];
                double y = dot(p->x + t * inner, p->weights[i] + n * inner, inner);
                if (p->op == HET__OP_GATED)
                    y = i == 0 ? het__unary_value(p->act, y) : y * (double)*out;
                else
                    y = y + (p->bias[i] ? (double)p->bias[i][n] : 0.0) +
                        (p->residual ? (double)p->residual[t * p->columns[i] + n] : 0.0);
                *out = (float)y;
            }
}

static het_status plain_enqueue(het__device *device, het__program *program,
                                const int64_t *symbols, het_error *err)
{
    (void)device, (void)err;
    for (uint32_t i = 0; i < program->count; i++)
        run_product(&program->products[i], symbols);
    return HET_OK;
}

static het_status plain_wait(het__device *device, uint64_t timeout_ns, het_error *err)
{
    (void)device, (void)timeout_ns, (void)err;
    return HET_OK;
}

static void plain_counters(het__device *device, het__backend_counters *counters)
{
    (void)device;
    memset(counters, 0, sizeof *counters);
}

/* Says of itself what the NPU says, so that plans are alike. */
static het__backend plain_like(const het__backend *npu)
{
    het__backend b = *npu;
    b.open = plain_open;
    b.close = plain_close;
    b.buffer_create = plain_create;
    b.buffer_destroy = plain_destroy;
    b.buffer_host = plain_host;
    b.buffer_import = plain_import;
    b.compile = plain_compile;
    b.release = plain_release;
    b.enqueue = plain_enqueue;
    b.wait = plain_wait;
    b.is_asynchronous = false;
    b.wait_for = NULL;
    b.span = NULL;
    b.counters = plain_counters;
    return b;
}

/* ---- a model ---- */

static const char manifest[] =
    "name: x\ndevices: [npu1]\ncolumns: 4\nxclbin: a.xclbin\nkernel: MLIR_AIE\n"
    "types: {input: i8, weight: i8, output: i32, accumulator: i32}\n"
    "tile: {rows: 4, inner: 16, columns: 8}\ninner: 64\n"
    "instructions: {source: whole-array-v1}\nfigures: {int8: 100 Top/s, launch: 10 ns}\n";
static const char xclbin[] = "stand-in xclbin\nkernel MLIR_AIE\ncolumns 4\ncore_rows 4\n"
                             "tile_rows 4\ntile_inner 16\ntile_columns 8\ninner 64\n";

static uint32_t npu_nodes;

static void count_nodes(const het__exec *exec, const het__engine *engine, const het__graph *graph)
{
    const het__plan *plan = het__exec_plan_of(exec, 0);
    (void)engine;
    npu_nodes = 0;
    for (uint32_t n = 0; n < graph->node_count; n++)
        npu_nodes += plan->node_device[n] == 1;
}

static void rounding_explains_what_differs(void)
{
    static float npu[LENGTH * VOCABULARY], plain[LENGTH * VOCABULARY], exact[LENGTH * VOCABULARY];
    tiny_options t = TINY_LLAMA;
    tiny_model tiny;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    uint32_t entries;
    o.backends = "ref,amd_xrt_npu";
    tiny_make(&tiny, &t);
    CHECK_INT(het_context_create(&o, &context, &err), HET_OK);
    CHECK_INT(het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err), HET_OK);
    if (!model || context->registry.count != 2) {
        TEST_FAIL("no NPU: %s", context ? het_context_report(context) : err.message);
        return;
    }
    het__registry registry = context->registry;
    if (exec_case_run(model, &registry, npu, &entries, NULL, count_nodes, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    const uint32_t on_npu = npu_nodes;
    const het__backend like = plain_like(registry.device[1].backend);
    registry.device[1].backend = &like;
    CHECK_INT(exec_case_run(model, &registry, plain, &entries, NULL, count_nodes, &err), HET_OK);
    CHECK_INT(npu_nodes, on_npu);
    registry.count = 1;
    CHECK_INT(exec_case_run(model, &registry, exact, &entries, NULL, NULL, &err), HET_OK);
    double squares = 0, all = 0;
    for (int i = 0; i < LENGTH * VOCABULARY; i++) {
        squares += ((double)npu[i] - (double)exact[i]) * ((double)npu[i] - (double)exact[i]);
        all += (double)exact[i] * (double)exact[i];
    }
    printf("%u products on the NPU; rounding makes %.4f of the logits\n", on_npu,
           sqrt(squares / all));
    CHECK(on_npu >= 6);
    CHECK(memcmp(npu, plain, sizeof npu) == 0);
    CHECK(squares > 0 && sqrt(squares / all) < 0.05);
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&tiny);
}

int main(void)
{
    test_folder folder;
    test_folder_make(&folder);
    test_file_write(test_folder_file(&folder, "design.yaml"), manifest, sizeof manifest - 1);
    test_file_write(test_folder_file(&folder, "a.xclbin"), xclbin, sizeof xclbin - 1);
    setenv("HETINFER_NPU_DESIGNS", folder.path, 1);
    setenv("HETINFER_XRT_STANDIN", "", 1);
    test_case(rounding_explains_what_differs);
    test_folder_remove(&folder);
    return test_finish();
}

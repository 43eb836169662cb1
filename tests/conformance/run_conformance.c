/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite of ONNX against the public interface.
 *
 *     run_conformance [--quick] [DEVICES [SUBSTRING]]
 *
 * DEVICES: backends as in het_context_options ("": the default); SUBSTRING: only cases whose path
 * has it; --quick leaves out `light`, whole networks that take the reference minutes. Cases are
 * folders with model.onnx and sets of inputs and outputs as serialised tensors; those of `light`
 * are one model with one output, fed by numbers that rise from 0 to 1.
 *
 * Prints a line for each case that fails and a table by operation. Out of scope are cases with
 * machine-learning or training operations, strings, sequences, optionals, maps, sparse tensors and
 * complex numbers. Of outputs that are random by definition type and shape are compared. Passes if
 * 97 % of the node cases in scope pass and no case of an operation that vision and transformer
 * models use fails. */
#include <dirent.h>
#include <stdarg.h>

#include <hetinfer.h>

#include "compare.h"
#include "facts.h"
#include "lib/import/onnx.h"
#include "test.h"

#define CASES_MAX 4000
#define ROWS_MAX 600
#define PATH_BYTES 700
#define LONG_PATH_BYTES (PATH_BYTES + 64) /* something in a folder */
#define FILE_PATH_BYTES (LONG_PATH_BYTES + 64)
#define INPUTS_MAX 64
#define SETS_MAX 16
#define SHARE_WANTED 0.97

static const char *const sections[] = { "node", "simple", "pytorch-converted", "pytorch-operator",
                                        "light" };
#define SECTION_COUNT (sizeof sections / sizeof sections[0])

/* Operations that vision and transformer models use: none of their cases may fail. */
static const char *const needed[] = {
    "Abs", "Add", "And", "ArgMax", "ArgMin", "Attention", "AveragePool", "BatchNormalization",
    "Cast", "Ceil", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv", "ConvInteger",
    "ConvTranspose", "Cos", "CumSum", "DepthToSpace", "DequantizeLinear", "Div", "Dropout",
    "DynamicQuantizeLinear", "Einsum", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor",
    "GRU", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalAveragePool",
    "GlobalMaxPool", "Greater", "GreaterOrEqual", "GridSample", "GroupNormalization",
    "HardSigmoid", "HardSwish", "Identity", "If", "InstanceNormalization", "LRN", "LSTM",
    "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax", "Loop",
    "MatMul", "MatMulInteger", "Max", "MaxPool", "Mean", "Min", "Mish", "Mul", "Neg",
    "NonMaxSuppression", "NonZero", "Not", "OneHot", "Or", "PRelu", "Pad", "Pow", "QLinearConv",
    "QLinearMatMul", "QuantizeLinear", "RMSNormalization", "RNN", "Range", "Reciprocal",
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize",
    "RotaryEmbedding", "Round", "Scan", "ScatterElements", "ScatterND", "Selu", "Shape",
    "Sigmoid", "Sin", "Size", "Slice", "Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt",
    "Squeeze", "Sub", "Sum", "Swish", "Tanh", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze",
    "Upsample", "Where", "Xor",
};

/* A row of the table. */
typedef struct row {
    char name[160];
    bool needed;
    int passed, failed, outside;
    char reason[200]; /* of the first failure, or of being out of scope */
} row;

typedef struct tally {
    int passed, failed, outside, random;
} tally;

static const char *root; /* of the suite */
static het_context *context;
static het__mem mem;
static row rows[ROWS_MAX];
static size_t row_count;
static tally tallies[SECTION_COUNT];
static char reason[400]; /* why the case at hand failed */

static bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    return false;
}

/* ---- one set of inputs and outputs ---- */

typedef struct running {
    het_model *model;
    het_session *session;
    het__tensor inputs[INPUTS_MAX];
    double relative; /* tolerance */
    bool random;
} running;

/* A serialised tensor. */
static bool read_tensor(const char *path, het__tensor *t)
{
    het_error err = HET_ERROR_INIT;
    size_t bytes = 0;
    const char *name;
    void *data = test_read_file(path, &bytes);
    if (!data)
        return fail("cannot read %s", path);
    const het_status s = het__onnx_tensor(data, bytes, &mem, t, &name, &err);
    free(data);
    return s == HET_OK || fail("%s: %s", strrchr(path, '/') + 1, err.message);
}

static bool bind(const running *r, size_t index, const het__tensor *t)
{
    het_error err = HET_ERROR_INIT;
    het_port port = { .struct_size = sizeof port };
    het_tensor tensor = HET_TENSOR_INIT;
    if (het_model_input_at(r->model, index, &port) != HET_OK)
        return fail("there is no input %zu", index);
    tensor.data = t->data;
    tensor.size_bytes = (size_t)het__tensor_bytes(t);
    tensor.desc.dtype = t->dtype;
    tensor.desc.rank = t->rank;
    memcpy(tensor.desc.extent, t->extent, sizeof t->extent);
    return het_session_bind_input(r->session, port.name, &tensor, &err) == HET_OK ||
           fail("%s", err.message);
}

static bool check_output(const running *r, size_t index, const het__tensor *want)
{
    het_error err = HET_ERROR_INIT;
    het_port port = { .struct_size = sizeof port };
    het_tensor t = HET_TENSOR_INIT;
    char what[250];
    if (het_model_output_at(r->model, index, &port) != HET_OK)
        return fail("there is no output %zu", index);
    if (het_session_get_output(r->session, port.name, &t, &err) != HET_OK)
        return fail("%s", err.message);
    het__tensor got = { .dtype = (het_dtype)t.desc.dtype, .rank = t.desc.rank, .data = t.data };
    memcpy(got.extent, t.desc.extent, sizeof got.extent);
    if (same_form(&got, want, what, sizeof what) &&
        (r->random || same_values(&got, want, r->relative, what, sizeof what)))
        return true;
    return fail("output %zu (%s) %s", index, port.name, what);
}

static bool run_session(const running *r)
{
    het_error err = HET_ERROR_INIT;
    return het_session_run(r->session, &err) == HET_OK || fail("%s", err.message);
}

static bool read_inputs(running *r, const char *folder)
{
    char path[FILE_PATH_BYTES];
    const size_t count = het_model_input_count(r->model);
    if (count > INPUTS_MAX)
        return fail("%zu inputs", count);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/input_%zu.pb", folder, i);
        if (!read_tensor(path, &r->inputs[i]) || !bind(r, i, &r->inputs[i]))
            return false;
    }
    return true;
}

static bool check_outputs(const running *r, const char *folder)
{
    char path[FILE_PATH_BYTES];
    for (size_t i = 0; i < het_model_output_count(r->model); i++) {
        het__tensor want = { 0 };
        snprintf(path, sizeof path, "%s/output_%zu.pb", folder, i);
        const bool same = read_tensor(path, &want) && check_output(r, i, &want);
        het__free(&mem, want.data);
        if (!same)
            return false;
    }
    return true;
}

static void drop_inputs(running *r)
{
    for (size_t i = 0; i < INPUTS_MAX; i++)
        het__tensor_finish(&mem, &r->inputs[i]);
}

/* ---- the same once more, elsewhere ---- */

/* Memory for a tensor that begins where an element may and no better, and ends where it ends. */
static void *tight(size_t bytes, size_t element, void **block)
{
    *block = malloc(bytes + element);
    return *block ? (char *)*block + element : NULL;
}

static bool bind_tight_output(const running *r, size_t index, void **block)
{
    het_error err = HET_ERROR_INIT;
    het_port port = { .struct_size = sizeof port };
    het_tensor t = HET_TENSOR_INIT;
    if (het_model_output_at(r->model, index, &port) != HET_OK ||
        het_session_get_output(r->session, port.name, &t, &err) != HET_OK)
        return fail("%s", err.message);
    t.data = tight(t.size_bytes, (size_t)het_dtype_bytes((het_dtype)t.desc.dtype, 1), block);
    return t.data && (het_session_bind_output(r->session, port.name, &t, &err) == HET_OK ||
                      fail("%s", err.message));
}

static bool bind_tight_input(const running *r, size_t index, void **block)
{
    const size_t bytes = (size_t)het__tensor_bytes(&r->inputs[index]);
    het__tensor t = r->inputs[index];
    t.data = tight(bytes, (size_t)het_dtype_bytes(t.dtype, 1), block);
    if (!t.data)
        return fail("out of memory");
    memcpy(t.data, r->inputs[index].data, bytes);
    return bind(r, index, &t);
}

/* What was compiled for one place works at any other. */
static bool run_elsewhere(running *r, const char *folder)
{
    void *blocks[2 * INPUTS_MAX] = { NULL };
    const size_t inputs = het_model_input_count(r->model);
    const size_t outputs = het_model_output_count(r->model);
    bool good = outputs <= INPUTS_MAX || fail("%zu outputs", outputs);
    for (size_t i = 0; good && i < inputs; i++)
        good = bind_tight_input(r, i, &blocks[i]);
    for (size_t o = 0; good && o < outputs; o++)
        good = bind_tight_output(r, o, &blocks[inputs + o]);
    good = good && run_session(r) && check_outputs(r, folder);
    for (size_t o = 0; good && o < outputs; o++) {
        het_port port = { .struct_size = sizeof port };
        good = het_model_output_at(r->model, o, &port) == HET_OK &&
               het_session_bind_output(r->session, port.name, NULL, NULL) == HET_OK;
    }
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        free(blocks[i]);
    return good;
}

/* All sets of a case. */
static bool run_sets(running *r, const char *folder)
{
    bool passed = true;
    for (int set = 0; passed && set < SETS_MAX; set++) {
        char path[LONG_PATH_BYTES];
        snprintf(path, sizeof path, "%s/test_data_set_%d", folder, set);
        DIR *there = opendir(path);
        if (!there)
            return set > 0 || fail("there is no data");
        closedir(there);
        passed = read_inputs(r, path) && run_session(r) && check_outputs(r, path) &&
                 run_elsewhere(r, path);
        drop_inputs(r);
    }
    return passed;
}

/* The only input rises from 0 to 1; the output lies beside the model. */
static bool run_light(running *r, const char *path)
{
    char output[PATH_BYTES];
    het_port port = { .struct_size = sizeof port };
    het__tensor want = { 0 };
    if (het_model_input_at(r->model, 0, &port) != HET_OK)
        return fail("there is no input");
    const int64_t bytes = het_tensor_desc_bytes(&port.desc);
    if (port.desc.dtype != HET_DTYPE_F32 || bytes < 0)
        return fail("the input is not a tensor of fixed size");
    het__tensor *in = &r->inputs[0];
    *in = (het__tensor){ .dtype = HET_DTYPE_F32, .rank = port.desc.rank };
    memcpy(in->extent, port.desc.extent, sizeof in->extent);
    float *x = in->data = het__alloc(&mem, (size_t)bytes);
    const int64_t n = bytes / 4;
    for (int64_t i = 0; x && i < n; i++)
        x[i] = (float)((double)i / (double)n);
    snprintf(output, sizeof output, "%.*s_output_0.pb", (int)(strlen(path) - 5), path);
    r->relative = strstr(path, "densenet121") ? 2e-3 : 1e-3; /* as the suite has it */
    const bool passed = x && bind(r, 0, in) && run_session(r) && read_tensor(output, &want) &&
                        check_output(r, 0, &want);
    het__free(&mem, want.data);
    drop_inputs(r);
    return passed;
}

/* ---- one case ---- */

static bool run_case(const char *folder, const char *path, const facts *f)
{
    het_error err = HET_ERROR_INIT;
    running r = { .relative = 1e-3, .random = f->random && !strstr(path, "zero_ratio") };
    bool passed = false;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.threads = 2;
    if (het_model_load(context, path, NULL, &r.model, &err) != HET_OK ||
        het_session_create(r.model, &o, &r.session, &err) != HET_OK)
        fail("%s", err.message);
    else
        passed = folder ? run_sets(&r, folder) : run_light(&r, path);
    het_session_destroy(r.session);
    het_model_destroy(r.model);
    return passed;
}

static bool read_facts(const char *path, facts *f)
{
    size_t bytes = 0;
    void *model = test_read_file(path, &bytes);
    const bool good = model && facts_read(model, bytes, f);
    free(model);
    return good;
}

/* Operations stand for cases of one node; "Op, expanded" for those that spell one out in others. */
static void name_row(const char *folder, const char *section, const facts *f, char name[160])
{
    char base[PATH_BYTES];
    facts whole;
    snprintf(base, sizeof base, "%s", folder ? folder : "");
    char *end = strstr(base, "_expanded");
    if (strcmp(section, "node") != 0) {
        snprintf(name, 160, "(%s)", section);
        return;
    }
    if (end) {
        snprintf(end, sizeof base - (size_t)(end - base), "/model.onnx");
        if (read_facts(base, &whole)) {
            snprintf(name, 160, "%s, expanded", whole.operation);
            return;
        }
    }
    snprintf(name, 160, "%s%s", f->operation, f->node_count > 1 ? ", with others" : "");
}

static row *row_of(const char *name)
{
    size_t i = 0;
    while (i < row_count && strcmp(rows[i].name, name) != 0)
        i++;
    if (i == row_count) {
        if (row_count == ROWS_MAX - 1)
            return &rows[row_count];
        snprintf(rows[i].name, sizeof rows[i].name, "%s", name);
        row_count++;
        for (size_t k = 0; k < sizeof needed / sizeof needed[0]; k++)
            rows[i].needed |= strcmp(needed[k], name) == 0;
    }
    return &rows[i];
}

static void keep_reason(row *r, const char *text)
{
    if (!r->reason[0])
        snprintf(r->reason, sizeof r->reason, "%s", text);
}

/* folder: with sets of data; NULL for a case of `light`. */
static void judge(size_t section, const char *folder, const char *path)
{
    facts f;
    char name[160];
    tally *t = &tallies[section];
    if (!read_facts(path, &f)) {
        printf("FAILED %s: cannot be read\n", path + strlen(root) + 1);
        t->failed++;
        return;
    }
    name_row(folder, sections[section], &f, name);
    row *r = row_of(name);
    if (f.outside) {
        keep_reason(r, f.outside);
        r->outside++;
        t->outside++;
    } else if (run_case(folder, path, &f)) {
        r->passed++;
        t->passed++;
        t->random += f.random;
    } else {
        printf("FAILED %s: %s\n", path + strlen(root) + 1, reason);
        if (r->failed++ == 0)
            snprintf(r->reason, sizeof r->reason, "%.199s", reason);
        t->failed++;
    }
}

/* ---- the suite ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_row(const void *a, const void *b)
{
    return strcmp(((const row *)a)->name, ((const row *)b)->name);
}

/* Names in a folder, sorted; the list and the names are not given back. */
static size_t list_folder(const char *path, char **names)
{
    size_t n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && n < CASES_MAX && (e = readdir(d));)
        if (e->d_name[0] != '.')
            names[n++] = strdup(e->d_name);
    if (d)
        closedir(d);
    qsort(names, n, sizeof *names, by_name);
    return n;
}

static void run_section(size_t section, const char *wanted)
{
    static char *names[CASES_MAX];
    char folder[PATH_BYTES], path[LONG_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s/%s", root, sections[section]);
    const size_t n = list_folder(folder, names);
    for (size_t i = 0; i < n; i++) {
        const bool light = strcmp(sections[section], "light") == 0;
        const size_t length = strlen(names[i]);
        snprintf(folder, sizeof folder, "%s/%s/%s", root, sections[section], names[i]);
        snprintf(path, sizeof path, light ? "%s" : "%s/model.onnx", folder);
        const bool is_model = !light || (length > 5 && strcmp(names[i] + length - 5, ".onnx") == 0);
        if (is_model && (!wanted || strstr(folder, wanted)))
            judge(section, light ? NULL : folder, path);
        free(names[i]);
    }
}

static void print_table(void)
{
    qsort(rows, row_count, sizeof *rows, by_row);
    printf("\n%-44s %7s %7s %7s\n", "operation ('*': may not fail)", "passed", "failed", "outside");
    for (size_t i = 0; i < row_count; i++)
        printf("%c%-43s %7d %7d %7d  %s\n", rows[i].needed ? '*' : ' ', rows[i].name,
               rows[i].passed, rows[i].failed, rows[i].outside, rows[i].reason);
    printf("\n%-20s %7s %7s %7s %9s\n", "", "passed", "failed", "outside", "of scope");
    for (size_t s = 0; s < SECTION_COUNT; s++) {
        const tally *t = &tallies[s];
        const int scope = t->passed + t->failed;
        printf("%-20s %7d %7d %7d %7.2f %%\n", sections[s], t->passed, t->failed, t->outside,
               scope ? 100.0 * t->passed / scope : 0.0);
        if (t->random)
            printf("%-20s %7d of them random by definition: type and shape compared\n", "",
                   t->random);
    }
}

static int verdict(bool whole)
{
    int seen = 0, failures = 0;
    for (size_t i = 0; i < row_count; i++) {
        seen += rows[i].passed + rows[i].failed;
        if (rows[i].needed && rows[i].failed) {
            printf("FAILED: %d cases of %s, which vision and transformer models use\n",
                   rows[i].failed, rows[i].name);
            failures++;
        }
    }
    const int scope = tallies[0].passed + tallies[0].failed;
    if (scope && (double)tallies[0].passed < SHARE_WANTED * scope) {
        printf("FAILED: fewer than %.0f %% of the node cases pass\n", 100 * SHARE_WANTED);
        failures++;
    }
    if (whole && (scope < 1000 || seen <= scope)) {
        printf("FAILED: the suite is not whole: %d cases, %d of nodes\n", seen, scope);
        failures++;
    }
    return failures || !seen ? 1 : 0;
}

int main(int argc, char **argv)
{
    char path[PATH_BYTES];
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    const bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    argc -= quick;
    argv += quick;
    root = test_data_path(path, sizeof path, "onnx/conformance");
    DIR *there = opendir(root);
    if (!there)
        test_skip("no onnx/conformance in the shared data folder");
    closedir(there);
    o.backends = argc > 1 && *argv[1] ? argv[1] : NULL;
    if (het_context_create(&o, &context, &err) != HET_OK) {
        printf("FAILED: %s\n", err.message);
        return 1;
    }
    het__mem_init(&mem, NULL);
    for (size_t s = 0; s < SECTION_COUNT - quick; s++) /* light is the last */
        run_section(s, argc > 2 ? argv[2] : NULL);
    het_context_destroy(context);
    print_table();
    if (mem.bytes != 0)
        printf("FAILED: %llu bytes are left\n", (unsigned long long)mem.bytes);
    return mem.bytes != 0 ? 1 : verdict(argc <= 2);
}

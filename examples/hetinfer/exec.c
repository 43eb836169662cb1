/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer exec: a graph from arrays to arrays.
 *
 * The first run of a session may compile, so it is timed by itself; --repeat adds runs that are
 * timed one by one. Every output is written once, as the last run made it. */
#include "commands.h"
#include "common.h"
#include "interrupt.h"
#include "npy.h"
#include "port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes of a file's name made of an output's, without ".npy". */
#define NAME_MAX_BYTES 120

typedef struct request {
    texts inputs;
    const char *out;
    int64_t repeat;
    settings settings;
} request;

typedef struct execution {
    const engine *engine;
    het_tensor *inputs; /* per input; data NULL: not given */
    const char **sources; /* per input: its file */
    het_tensor *outputs;
    char **targets; /* per output: its file, or NULL */
    double *samples;
    size_t sample_count;
    double first_s;
} execution;

/* ---- inputs ---- */

/* "NAME=FILE": names may contain '=' as well, so the one that is an input's name counts. */
static int find_input(const execution *x, const char *text, size_t *index, const char **file)
{
    const het_model *model = x->engine->model;
    for (size_t i = 0; i < port_count(model, false); i++) {
        het_port port;
        const int status = port_at(model, false, i, &port);
        if (status != STATUS_GO)
            return status;
        const size_t n = strlen(port.name);
        if (strncmp(text, port.name, n) == 0 && text[n] == '=') {
            *index = i;
            *file = text + n + 1;
            return STATUS_GO;
        }
    }
    return failure("--in %s: the model has no input of that name; see 'hetinfer inspect'", text);
}

static int take_input(execution *x, const char *text)
{
    size_t index = 0;
    const char *file = NULL;
    het_port port;
    int status = find_input(x, text, &index, &file);
    if (status == STATUS_GO)
        status = port_at(x->engine->model, false, index, &port);
    if (status == STATUS_GO && x->inputs[index].data)
        status = failure("input %s is given twice", port.name);
    if (status == STATUS_GO)
        status = npy_load(file, &x->inputs[index]);
    if (status != STATUS_GO)
        return status;
    het_tensor *t = &x->inputs[index];
    x->sources[index] = file;
    if (port.desc.dtype != HET_DTYPE_NONE && !npy_become(t, (het_dtype)port.desc.dtype))
        return failure("%s holds %s, input %s is %s", file,
                       het_dtype_name((het_dtype)t->desc.dtype), port.name,
                       het_dtype_name((het_dtype)port.desc.dtype));
    het_error err = HET_ERROR_INIT;
    const het_status bound = het_session_bind_input(x->engine->session, port.name, t, &err);
    return bound ? failure_of(bound, &err) : STATUS_GO;
}

/* All that are missing, in one sentence. */
static int need_inputs(const execution *x)
{
    char missing[1000] = "";
    for (size_t i = 0; i < port_count(x->engine->model, false); i++) {
        het_port port;
        char shape[SHAPE_BYTES];
        const int status = port_at(x->engine->model, false, i, &port);
        if (status != STATUS_GO)
            return status;
        if (x->inputs[i].data)
            continue;
        shape_text(&port.desc, port.symbol, shape);
        const size_t used = strlen(missing);
        snprintf(missing + used, sizeof missing - used, "%s%s (%s)", used ? ", " : "", port.name,
                 shape);
    }
    return missing[0] ? failure("inputs without --in: %s", missing) : STATUS_GO;
}

/* ---- runs ---- */

static int run_once(const execution *x, double *seconds)
{
    het_error err = HET_ERROR_INIT;
    const double start = now_s();
    const het_status status = het_session_run(x->engine->session, &err);
    *seconds = now_s() - start;
    return status ? failure_of(status, &err) : STATUS_GO;
}

static int run_all(execution *x, int64_t repeat, bool quiet)
{
    progress bar;
    int status = run_once(x, &x->first_s);
    if (repeat > 0)
        x->samples = calloc((size_t)repeat, sizeof *x->samples);
    if (repeat > 0 && !x->samples)
        return failure("out of memory");
    progress_begin(&bar, quiet);
    for (int64_t i = 0; status == STATUS_GO && i < repeat; i++) {
        status = run_once(x, &x->samples[i]);
        x->sample_count += status == STATUS_GO;
        progress_update(&bar, (double)(i + 1) / (double)repeat, "running");
    }
    progress_end(&bar);
    return status;
}

/* ---- outputs ---- */

/* The output's name as that of a file: letters, digits, '.', '-' and '_', not hidden. */
static void safe_name(const char *name, char safe[NAME_MAX_BYTES + 1])
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    size_t n = 0;
    for (; name[n] && n < NAME_MAX_BYTES; n++)
        safe[n] = (char)(strchr(allowed, name[n]) ? name[n] : '_');
    safe[n] = '\0';
    if (safe[0] == '.' || safe[0] == '-' || !safe[0]) {
        safe[0] = '_';
        safe[n ? n : 1] = '\0';
    }
}

static bool is_taken(const execution *x, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(x->targets[i], path) == 0)
            return true;
    return false;
}

/* A path for output number index that no output before it has. */
static char *choose_path(const execution *x, size_t index, const char *folder, const char *name)
{
    char safe[NAME_MAX_BYTES + 1];
    safe_name(name, safe);
    const size_t bytes = strlen(folder) + sizeof safe + 32;
    char *path = malloc(bytes);
    if (path)
        snprintf(path, bytes, "%s/%s.npy", folder, safe);
    for (size_t i = 1; path && is_taken(x, index, path); i++)
        snprintf(path, bytes, "%s/%s_%zu.npy", folder, safe, i);
    return path;
}

static int write_output(execution *x, size_t index, const char *folder)
{
    het_port port;
    het_error err = HET_ERROR_INIT;
    int status = port_at(x->engine->model, true, index, &port);
    if (status != STATUS_GO)
        return status;
    het_tensor *t = &x->outputs[index];
    *t = (het_tensor)HET_TENSOR_INIT;
    const het_status got = het_session_get_output(x->engine->session, port.name, t, &err);
    if (got)
        return failure_of(got, &err);
    if (!folder)
        return STATUS_GO;
    x->targets[index] = choose_path(x, index, folder, port.name);
    if (!x->targets[index])
        return failure("out of memory");
    return npy_save(x->targets[index], t)
               ? STATUS_GO : failure("%s: %s", x->targets[index], strerror(errno));
}

static int write_outputs(execution *x, const char *folder)
{
    int status = STATUS_GO;
    for (size_t i = 0; status == STATUS_GO && i < port_count(x->engine->model, true); i++)
        status = write_output(x, i, folder);
    return status;
}

/* ---- result ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct figures {
    double median, mean, least, p95;
} figures;

static bool summarise(const execution *x, figures *f)
{
    const size_t n = x->sample_count;
    double *sorted = n ? malloc(n * sizeof *sorted) : NULL;
    if (!sorted)
        return false;
    memcpy(sorted, x->samples, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    f->median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    f->least = sorted[0];
    f->p95 = sorted[(n - 1) * 95 / 100];
    f->mean = 0;
    for (size_t i = 0; i < n; i++)
        f->mean += sorted[i] / (double)n;
    free(sorted);
    return true;
}

static json_t *json_ports(const execution *x, bool output)
{
    json_t *list = json_array();
    for (size_t i = 0; i < port_count(x->engine->model, output); i++) {
        het_port port;
        if (port_at(x->engine->model, output, i, &port) != STATUS_GO)
            continue;
        const char *file = output ? x->targets[i] : x->sources[i];
        json_t *entry = shape_json(port.name,
                                   output ? &x->outputs[i].desc : &x->inputs[i].desc, NULL);
        json_object_set_new(entry, "file", file ? json_text(file, strlen(file)) : json_null());
        json_array_append_new(list, entry);
    }
    return list;
}

/* What was compiled; null where the graph is run without a plan. */
static json_t *json_plan(const execution *x)
{
    const het_plan *plan = het_session_plan(x->engine->session, HET_PHASE_DECODE);
    het_plan_info info = { .struct_size = sizeof info };
    if (!plan || het_plan_get_info(plan, &info))
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:f, s:f}", "node_count", (json_int_t)info.node_count,
                     "unfused_count", (json_int_t)info.unfused_count, "transfer_count",
                     (json_int_t)info.transfer_count, "predicted_s", info.predicted_ns * 1e-9,
                     "flop_count", info.flop_count);
}

static int print_json(const execution *x)
{
    const engine *e = x->engine;
    figures f = { 0 };
    json_t *root = json_begin("exec"), *samples = json_array();
    json_t *model = json_pack("{s:s, s:o, s:I, s:I}", "format", e->info.format, "architecture",
                              json_text(e->info.architecture, strlen(e->info.architecture)),
                              "parameter_count", (json_int_t)e->info.parameter_count,
                              "weight_bytes", (json_int_t)e->info.weight_bytes);
    for (size_t i = 0; i < x->sample_count; i++)
        json_array_append_new(samples, json_real(x->samples[i]));
    json_object_set_new(root, "model", model);
    json_object_set_new(root, "inputs", json_ports(x, false));
    json_object_set_new(root, "outputs", json_ports(x, true));
    json_object_set_new(root, "plan", json_plan(x));
    json_object_set_new(root, "open_s", json_real(e->open_s));
    json_object_set_new(root, "session_s", json_real(e->session_s));
    json_object_set_new(root, "load_s", json_real(e->load_s));
    json_object_set_new(root, "first_run_s", json_real(x->first_s));
    json_object_set_new(root, "samples", samples);
    const bool many = summarise(x, &f);
    json_object_set_new(root, "median_s", many ? json_real(f.median) : json_null());
    json_object_set_new(root, "mean_s", many ? json_real(f.mean) : json_null());
    json_object_set_new(root, "min_s", many ? json_real(f.least) : json_null());
    json_object_set_new(root, "p95_s", many ? json_real(f.p95) : json_null());
    json_object_set_new(root, "peak_memory_bytes", json_integer((json_int_t)peak_memory_bytes()));
    return json_end(root);
}

static int print_result(const execution *x, const request *r)
{
    if (r->settings.json)
        return print_json(x);
    for (size_t i = 0; i < port_count(x->engine->model, true); i++) {
        het_port port;
        char shape[SHAPE_BYTES];
        const int status = port_at(x->engine->model, true, i, &port);
        if (status != STATUS_GO)
            return status;
        shape_text(&x->outputs[i].desc, NULL, shape);
        print_safe(port.name, 24);
        printf(" %-24s %s\n", shape, x->targets[i] ? x->targets[i] : "");
    }
    figures f;
    if (!r->settings.quiet) {
        fprintf(stderr, "load %.3f s, first run %.3f ms\n", x->engine->load_s, x->first_s * 1e3);
        if (summarise(x, &f))
            fprintf(stderr, "%zu runs: median %.3f ms, least %.3f ms, 95 %% within %.3f ms\n",
                    x->sample_count, f.median * 1e3, f.least * 1e3, f.p95 * 1e3);
    }
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static int execute(execution *x, const request *r)
{
    int status = STATUS_GO;
    for (size_t i = 0; status == STATUS_GO && i < r->inputs.count; i++)
        status = take_input(x, r->inputs.at[i]);
    if (status == STATUS_GO)
        status = need_inputs(x);
    if (status == STATUS_GO)
        status = run_all(x, r->repeat, r->settings.quiet);
    if (status == STATUS_GO && r->out && mkdir(r->out, 0777) != 0 && errno != EEXIST)
        status = failure("%s: %s", r->out, strerror(errno));
    if (status == STATUS_GO)
        status = write_outputs(x, r->out);
    return status == STATUS_GO ? print_result(x, r) : status;
}

static int execute_engine(const engine *e, const request *r)
{
    const size_t inputs = port_count(e->model, false), outputs = port_count(e->model, true);
    execution x = { .engine = e };
    x.inputs = calloc(inputs + 1, sizeof *x.inputs);
    x.sources = calloc(inputs + 1, sizeof *x.sources);
    x.outputs = calloc(outputs + 1, sizeof *x.outputs);
    x.targets = calloc(outputs + 1, sizeof *x.targets);
    const bool room = x.inputs && x.sources && x.outputs && x.targets;
    const int status = room ? execute(&x, r) : failure("out of memory");
    for (size_t i = 0; x.inputs && i < inputs; i++)
        free(x.inputs[i].data);
    for (size_t i = 0; x.targets && i < outputs; i++)
        free(x.targets[i]);
    free(x.inputs);
    free(x.sources);
    free(x.outputs);
    free(x.targets);
    free(x.samples);
    return status;
}

int command_exec(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "exec", "MODEL", "Run a graph model (ONNX) on arrays in .npy files.");
    options_texts(&o, "in", &r.inputs, "NAME=FILE", "An input; once for each");
    options_text(&o, "out", 'o', &r.out, "DIR", "Write each output to DIR/NAME.npy (nowhere)");
    options_int(&o, "repeat", 'r', &r.repeat, 0, 1000000, "N", "Timed runs after the first (0)");
    options_text(&o, "devices", 0, &r.settings.devices, "LIST", "Backends, comma-separated (all)");
    options_int(&o, "threads", 't', &r.settings.threads, 1, 4096, "N", "Threads (one per core)");
    options_choice(&o, "precision", &r.settings.precision, "fast|exact",
                   "Type of activations (fast)");
    options_flag(&o, "pin", 0, &r.settings.pin, "Keep each thread on a processor of its own");
    settings_trace(&o, &r.settings);
    settings_output(&o, &r.settings);
    const char *path = NULL;
    int status = options_parse(&o, argc, argv, &path);
    for (size_t i = 0; status == STATUS_GO && i < r.inputs.count; i++)
        if (!strchr(r.inputs.at[i], '='))
            status = usage_error("exec", "--in wants NAME=FILE, not '%s'", r.inputs.at[i]);
    if (status != STATUS_GO)
        return status;
    interrupt_begin();
    engine e = { 0 };
    status = engine_model(&e, &r.settings, path, 0);
    if (status == STATUS_GO && strcmp(e.info.format, "onnx") != 0)
        status = failure("%s is a language model: see 'hetinfer run' and 'hetinfer eval'", path);
    if (status == STATUS_GO)
        status = engine_session(&e, &r.settings, NULL);
    if (status == STATUS_GO)
        status = execute_engine(&e, &r);
    const int traced = engine_trace(&e, &r.settings);
    status = status == STATUS_DONE && traced != STATUS_GO ? traced : status;
    engine_close(&e);
    interrupt_end();
    return status;
}

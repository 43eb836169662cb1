/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include "interrupt.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

int failure(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("hetinfer: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return STATUS_FAILED;
}

int failure_of(het_status status, const het_error *err)
{
    if (status == HET_E_CANCELLED && interrupt_seen())
        return failure("interrupted");
    return failure("%s", err->message[0] ? err->message : het_status_name(status));
}

void settings_output(options *o, settings *s)
{
    options_flag(o, "json", 0, &s->json, "Print JSON on stdout");
    options_flag(o, "quiet", 'q', &s->quiet, "No progress, no statistics");
}

void settings_trace(options *o, settings *s)
{
    options_text(o, "trace", 0, &s->trace, "FILE",
                 "Write what each device did when, for Perfetto (nowhere)");
}

void settings_session(options *o, settings *s)
{
    options_text(o, "devices", 0, &s->devices, "LIST", "Backends to use, comma-separated (all)");
    options_int(o, "threads", 't', &s->threads, 1, 4096, "N", "Threads (one per core)");
    options_int(o, "context", 'c', &s->context, 1, INT32_MAX, "N",
                "Positions (the model's, at most 4096)");
    options_int(o, "batch", 'b', &s->batch, 1, 65536, "N", "Tokens of a prompt per step (512)");
    options_choice(o, "kv", &s->kv, "f16|f32|q8_0", "Type of cached keys and values (f16)");
    options_choice(o, "precision", &s->precision, "fast|exact", "Type of activations (fast)");
    options_flag(o, "pin", 0, &s->pin, "Keep each thread on a processor of its own");
    options_flag(o, "mapped", 0, &s->mapped, "Use weights as they lie in the file");
    options_text(o, "quantize", 0, &s->quantize, "TYPE",
                 "Put weights into this type when loading; auto: as memory asks for (as they are)");
    options_text(o, "policy", 0, &s->policy, "NAME", "Preset or policy file (none)");
    options_text(o, "weight-cache", 0, &s->weight_cache, "DIR",
                 "Keep re-laid weights here for the next start (nowhere)");
}

void settings_model(options *o, settings *s)
{
    options_text(o, "dtype", 0, &s->dtype, "TYPE",
                 "Of weights that a config.json has not: f32, bf16, q4_0, … (as it says)");
}

/* HET_DTYPE_NONE if there is no such type. */
het_dtype find_dtype(const char *name)
{
    if (strcasecmp(name, "int8") == 0)
        return HET_DTYPE_I8;
    for (int d = HET_DTYPE_F32; d <= HET_DTYPE_MXFP4; d++) {
        const char *known = het_dtype_name((het_dtype)d);
        if (known && strcasecmp(known, name) == 0)
            return (het_dtype)d;
    }
    return HET_DTYPE_NONE;
}

/* Names of backends are for the context, because some are probed only when named; a list with a
 * kind of device in it ("cpu", "gpu", "npu") selects among what the context found. */
static bool names_a_kind(const char *list)
{
    static const char *const kinds[] = { "cpu", "gpu", "igpu", "npu" };
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        at += *at == '-';
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (strcspn(at, ",") == strlen(kinds[i]) && !strncmp(at, kinds[i], strlen(kinds[i])))
                return true;
    }
    return false;
}

static void print_warning(void *user, het_log_level level, const char *component,
                          const char *text)
{
    (void)user;
    (void)level;
    (void)component;
    failure("%s", text);
}

int engine_context(engine *e, const settings *s)
{
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    if (names_a_kind(s->devices))
        e->selected = s->devices;
    else
        o.backends = s->devices;
    if (!getenv("HETINFER_LOG")) { /* which the library would print, and more of it */
        o.log = print_warning;
        o.log_level = HET_LOG_WARN;
    }
    const het_status status = het_context_create(&o, &e->context, &err);
    return status ? failure_of(status, &err) : STATUS_GO;
}

/* Whether *type is one that an option names; without the option it is none. */
static int read_dtype(const char *option, const char *name, het_dtype *type)
{
    *type = name ? find_dtype(name) : HET_DTYPE_NONE;
    if (!name || *type)
        return STATUS_GO;
    failure("--%s: there is no type '%s'", option, name);
    return STATUS_USAGE;
}

const char *machine_name(const char *name)
{
    return name && strcmp(name, "this") != 0 ? name : NULL;
}

int machine_open(const het_context *context, const char *name, int64_t threads,
                 het_machine **machine)
{
    het_error err = HET_ERROR_INIT;
    het_machine_options o = HET_MACHINE_OPTIONS_INIT;
    o.flags = HET_MACHINE_CALIBRATED;
    o.threads = (uint32_t)threads;
    const het_status status = machine_name(name)
                                  ? het_machine_load(context, name, machine, &err)
                                  : het_machine_from_context(context, &o, machine, &err);
    return status ? failure_of(status, &err) : STATUS_GO;
}

int engine_model(engine *e, const settings *s, const char *path, uint64_t flags)
{
    het_dtype dtype, small;
    const bool is_auto = s->quantize && strcmp(s->quantize, "auto") == 0;
    int status = read_dtype("dtype", s->dtype, &dtype);
    if (status == STATUS_GO)
        status = read_dtype("quantize", is_auto ? NULL : s->quantize, &small);
    if (status == STATUS_GO)
        status = engine_context(e, s);
    if (status != STATUS_GO)
        return status;
    const double start = now_s();
    het_error err = HET_ERROR_INIT;
    progress bar;
    progress_begin(&bar, s->quiet);
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    o.flags = flags;
    o.progress = progress_update;
    o.progress_user = &bar;
    o.weight_dtype = (uint32_t)dtype;
    o.quantize_type = is_auto ? HET_MODEL_QUANTIZE_AUTO : (uint32_t)small;
    o.threads = s->threads > 1024 ? 1024 : (uint32_t)s->threads; /* of a package */
    const het_status loaded = het_model_load(e->context, path, &o, &e->model, &err);
    progress_end(&bar);
    if (loaded)
        return failure_of(loaded, &err);
    e->open_s = now_s() - start;
    e->load_s += e->open_s;
    e->tokenizer = het_model_tokenizer(e->model);
    e->info.struct_size = sizeof e->info;
    const het_status known = het_model_get_info(e->model, &e->info);
    return known ? failure("%s", het_status_name(known)) : STATUS_GO;
}

int engine_need_language(const engine *e, const char *path)
{
    return strcmp(e->info.format, "onnx") == 0
               ? failure("%s is a graph, not a language model: see 'hetinfer exec'", path)
               : STATUS_GO;
}

het_status open_policy(const engine *e, const char *name, het_policy **policy, het_error *err)
{
    for (uint32_t i = 0; i < het_policy_preset_count(); i++)
        if (strcmp(name, het_policy_preset_name(i)) == 0)
            return het_policy_preset(e->context, name, policy, err);
    return het_policy_load(e->context, name, policy, err);
}

int engine_session(engine *e, const settings *s, const het_session_options *more)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    if (more)
        o = *more;
    o.threads = (uint32_t)s->threads;
    o.devices = e->selected;
    o.context_max = o.context_max ? o.context_max : s->context;
    o.batch_max = o.batch_max ? o.batch_max : (uint32_t)s->batch;
    o.kv_dtype = s->kv == 2   ? HET_DTYPE_Q8_0
                 : s->kv == 1 ? HET_DTYPE_F32
                              : HET_DTYPE_F16;
    o.precision = (uint32_t)s->precision;
    o.weight_cache = s->weight_cache;
    o.flags |= s->mapped ? HET_SESSION_WEIGHTS_MAPPED : 0;
    o.flags |= s->pin ? HET_SESSION_PIN_THREADS : 0;
    het_policy *policy = NULL;
    het_error err = HET_ERROR_INIT;
    het_status status = s->policy ? open_policy(e, s->policy, &policy, &err) : HET_OK;
    if (status)
        return failure_of(status, &err);
    progress bar;
    progress_begin(&bar, s->quiet);
    o.progress = progress_update;
    o.progress_user = &bar;
    o.policy = policy;
    const double start = now_s();
    status = het_session_create(e->model, &o, &e->session, &err);
    progress_end(&bar);
    het_policy_destroy(policy);
    e->session_s = now_s() - start;
    e->load_s += e->session_s;
    if (!status && s->trace)
        status = het_session_trace_start(e->session, 0, &err);
    if (status)
        return failure_of(status, &err);
    interrupt_session(e->session);
    return STATUS_GO;
}

static int write_piece(void *file, const char *text, size_t bytes)
{
    return fwrite(text, 1, bytes, file) != bytes;
}

int engine_trace(const engine *e, const settings *s)
{
    het_error err = HET_ERROR_INIT;
    if (!s->trace || !e->session)
        return STATUS_GO;
    FILE *f = fopen(s->trace, "w");
    if (!f)
        return failure("%s: %s", s->trace, strerror(errno));
    const het_status status = het_session_trace_write(e->session, write_piece, f, &err);
    const bool failed = fclose(f) != 0 || status == HET_E_IO;
    return failed ? failure("%s: cannot write", s->trace)
           : status ? failure_of(status, &err) : STATUS_GO;
}

void engine_close(engine *e)
{
    interrupt_session(NULL);
    het_session_destroy(e->session);
    het_model_destroy(e->model);
    het_context_destroy(e->context);
    memset(e, 0, sizeof *e);
}

static char *read_stream(FILE *f, size_t *bytes)
{
    size_t capacity = 1 << 16, length = 0;
    char *text = malloc(capacity);
    while (text) {
        length += fread(text + length, 1, capacity - 1 - length, f);
        if (length < capacity - 1)
            break;
        char *larger = capacity <= SIZE_MAX / 2 ? realloc(text, capacity * 2) : NULL;
        if (!larger)
            free(text);
        text = larger;
        capacity *= 2;
    }
    if (text)
        text[length] = '\0';
    *bytes = length;
    return text;
}

bool is_gguf(const char *path)
{
    char head[4] = { 0 };
    FILE *f = fopen(path, "rb");
    const bool is = f && fread(head, 1, sizeof head, f) == sizeof head &&
                    memcmp(head, "GGUF", sizeof head) == 0;
    if (f)
        fclose(f);
    return is;
}

char *read_file(const char *path, size_t *bytes)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!f) {
        failure("%s: %s", path, strerror(errno));
        return NULL;
    }
    errno = 0;
    char *text = read_stream(f, bytes);
    if (text && ferror(f)) {
        free(text);
        text = NULL;
    }
    if (!text)
        failure("%s: %s", path, errno ? strerror(errno) : "out of memory");
    if (f != stdin)
        fclose(f);
    return text;
}

int read_text(const char *command, const char *text, const char *file, char **result,
              size_t *bytes)
{
    if (!text == !file)
        return usage_error(command, text ? "give -p or -f, not both" : "give a text: -p or -f");
    if (file) {
        *result = read_file(file, bytes);
        return *result ? STATUS_GO : STATUS_FAILED;
    }
    *bytes = strlen(text);
    *result = strdup(text);
    return *result ? STATUS_GO : failure("out of memory");
}

int parse_ids(const char *command, const char *text, int32_t **ids, size_t *count)
{
    int32_t *list = malloc((strlen(text) / 2 + 1) * sizeof *list);
    size_t n = 0;
    if (!list)
        return failure("out of memory");
    for (const char *at = text; *at;) {
        char *end = NULL;
        errno = 0;
        const long long id = strtoll(at, &end, 10);
        if (end == at || errno || id < 0 || id > INT32_MAX) {
            free(list);
            return usage_error(command, "--ids wants numbers and commas, not '%.20s'", at);
        }
        list[n++] = (int32_t)id;
        at = end;
        while (isspace((unsigned char)*at))
            at++;
        at += *at == ',' && at[1] != '\0';
    }
    *ids = list;
    *count = n;
    if (n)
        return STATUS_GO;
    free(list);
    *ids = NULL;
    return usage_error(command, "--ids is empty");
}

int encode(const engine *e, const char *text, size_t bytes, uint64_t flags, int32_t **ids,
           size_t *count)
{
    if (!e->tokenizer)
        return failure("the model has no tokenizer");
    het_error err = HET_ERROR_INIT;
    int32_t *list = malloc((bytes + 2) * sizeof *list);
    if (!list)
        return failure("out of memory");
    const het_status status =
        het_tokenizer_encode(e->tokenizer, text, bytes, flags, list, bytes + 2, count, &err);
    if (status) {
        free(list);
        return failure_of(status, &err);
    }
    *ids = list;
    return STATUS_GO;
}

int give_text(const settings *s, const char *command, const char *text, size_t bytes)
{
    if (s->json) {
        json_t *root = json_begin(command);
        json_object_set_new(root, "text", json_text(text, bytes));
        return json_end(root);
    }
    const bool written = fwrite(text, 1, bytes, stdout) == bytes;
    if (isatty(STDOUT_FILENO))
        putchar('\n');
    return written && fflush(stdout) == 0 ? STATUS_DONE : failure("cannot write the text");
}

double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

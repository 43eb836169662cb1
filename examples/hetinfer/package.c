/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer pack and unpack: a model's files into one that is smaller, and back. */
#include "commands.h"
#include "common.h"
#include "interrupt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 1024

typedef struct request {
    const char *command;
    texts paths; /* from, to */
    int64_t level, threads;
    bool check;
    settings settings;
} request;

/* Cores that are there, unless a number was given. */
static uint32_t thread_count(int64_t asked)
{
    const long cores = asked ? (long)asked : sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (uint32_t)cores;
}

static double ratio(const het_package_info *i)
{
    return i->content_bytes ? (double)i->package_bytes / (double)i->content_bytes : 0;
}

static const char *content_name(uint32_t kind)
{
    return kind == HET_PACKAGE_GGUF ? "gguf" : kind == HET_PACKAGE_FOLDER ? "folder" : "unknown";
}

static int print_info(const request *r, const char *target, const het_package_info *i,
                      double seconds)
{
    char content[32], package[32];
    if (r->settings.json) {
        json_t *root = json_begin(r->command);
        json_object_set_new(root, "kind", json_string(content_name(i->kind)));
        json_object_set_new(root, "target",
                            target ? json_text(target, strlen(target)) : json_null());
        json_object_set_new(root, "file_count", json_integer(i->file_count));
        json_object_set_new(root, "tensor_count", json_integer(i->tensor_count));
        json_object_set_new(root, "frame_count", json_integer((json_int_t)i->frame_count));
        json_object_set_new(root, "content_bytes", json_integer((json_int_t)i->content_bytes));
        json_object_set_new(root, "package_bytes", json_integer((json_int_t)i->package_bytes));
        json_object_set_new(root, "ratio", json_real(ratio(i)));
        json_object_set_new(root, "seconds", json_real(seconds));
        return json_end(root);
    }
    printf("%s of %u file%s, %u tensors in %llu frames\n", content_name(i->kind), i->file_count,
           i->file_count == 1 ? "" : "s", i->tensor_count, (unsigned long long)i->frame_count);
    printf("content %s, package %s: %.1f %%, %.2f s\n",
           format_bytes((double)i->content_bytes, content),
           format_bytes((double)i->package_bytes, package), 100 * ratio(i), seconds);
    if (!target)
        puts("all checksums are right");
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

/* Where things go if nothing is said: MODEL.gguf or FOLDER to MODEL.het, and back. For free(). */
static char *default_target(const char *source, bool packs, bool is_gguf)
{
    size_t n = strlen(source);
    while (n > 1 && source[n - 1] == '/')
        n--;
    const char *const end = packs ? ".gguf" : ".het";
    const size_t m = strlen(end);
    if (n > m && memcmp(source + n - m, end, m) == 0)
        n -= m;
    const char *const added = packs ? ".het" : is_gguf ? ".gguf" : "";
    char *path = malloc(n + sizeof ".gguf.files");
    if (path)
        snprintf(path, n + sizeof ".gguf.files", "%.*s%s%s", (int)n, source, added,
                 !packs && !is_gguf && strlen(source) == n ? ".files" : "");
    return path;
}

static het_status call(const request *r, const het_context *context, const char *target,
                       het_package_options *o, het_package_info *info, het_error *err)
{
    het_context *c = (het_context *)(uintptr_t)context;
    const char *from = r->paths.at[0];
    progress bar;
    progress_begin(&bar, r->settings.quiet);
    o->progress = progress_update;
    o->progress_user = &bar;
    const het_status s = strcmp(r->command, "pack") == 0
                             ? het_package_write(c, from, target, o, info, err)
                         : target ? het_package_extract(c, from, target, o, info, err)
                                  : het_package_check(c, from, o, info, err);
    progress_end(&bar);
    return s;
}

/* Whether a package holds a GGUF file: its name is to end so. 1, 0, or -1 after a sentence. */
static int holds_gguf(const char *path)
{
    unsigned char head[16] = { 0 };
    FILE *f = fopen(path, "rb");
    if (!f || fread(head, 1, sizeof head, f) != sizeof head) {
        if (f)
            fclose(f);
        failure("cannot read %s", path);
        return -1;
    }
    fclose(f);
    return head[12] == HET_PACKAGE_GGUF;
}

static int go(const request *r)
{
    const bool packs = strcmp(r->command, "pack") == 0;
    het_package_options o = HET_PACKAGE_OPTIONS_INIT;
    het_package_info info = { .struct_size = sizeof info };
    het_error err = HET_ERROR_INIT;
    engine e = { 0 };
    char *named = NULL;
    const char *target = r->paths.count > 1 ? r->paths.at[1] : NULL;
    o.level = (uint32_t)r->level;
    o.threads = thread_count(r->threads);
    if (!target && !r->check) {
        const int gguf = packs ? 0 : holds_gguf(r->paths.at[0]);
        if (gguf < 0)
            return STATUS_FAILED;
        named = default_target(r->paths.at[0], packs, gguf == 1);
        if (!named)
            return failure("out of memory");
        target = named;
    }
    int status = engine_context(&e, &r->settings);
    const double start = now_s();
    const het_status made =
        status == STATUS_GO ? call(r, e.context, target, &o, &info, &err) : HET_OK;
    if (made)
        status = failure_of(made, &err);
    if (status == STATUS_GO)
        status = print_info(r, target, &info, now_s() - start);
    engine_close(&e);
    free(named);
    return status;
}

static int parse_and_go(request *r, options *o, int argc, char **argv)
{
    const char *none = NULL;
    o->operands = &r->paths;
    options_int(o, "threads", 't', &r->threads, 1, THREADS_MAX, "N", "Threads (one per core)");
    settings_output(o, &r->settings);
    int status = options_parse(o, argc, argv, &none);
    if (status == STATUS_GO && (r->paths.count < 1 || r->paths.count > 2))
        status = usage_error(r->command, "give what to read, and at most one target");
    if (status == STATUS_GO && r->check && r->paths.count > 1)
        status = usage_error(r->command, "--check writes nothing: it takes no target");
    if (status != STATUS_GO)
        return status;
    interrupt_begin();
    status = go(r);
    interrupt_end();
    return status;
}

int command_pack(int argc, char **argv)
{
    request r = { .command = "pack" };
    options o;
    options_begin(&o, "pack", "MODEL [OUT.het]", "Pack a GGUF file or a folder, without loss.");
    options_int(&o, "level", 0, &r.level, 1, 19, "N", "Of zstd: smaller, or faster (3)");
    return parse_and_go(&r, &o, argc, argv);
}

int command_unpack(int argc, char **argv)
{
    request r = { .command = "unpack" };
    options o;
    options_begin(&o, "unpack", "MODEL.het [TARGET]", "Get the files of a package back.");
    options_flag(&o, "check", 0, &r.check, "Compare all checksums and write nothing");
    return parse_and_go(&r, &o, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPIR-V to what PoCL takes: bitcode of SPIR 1.2, made by llvm-spirv in a child process.
 *
 * Only what the interface asks for is read of a module: its version, what it wants of the device,
 * and the width of its specialisation constants, whose values come without one. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"

extern char **environ;

#define MAGIC 0x07230203u
#define VERSION_MAX 0x00010200u
#define CONSTANTS_MAX 64
#define TYPES_MAX 64
#define TRANSLATOR "llvm-spirv-15"

/* FNV-1a twice, from different beginnings. */
void zd_hash(zd_key *key, const void *data, size_t bytes)
{
    const uint64_t prime = UINT64_C(0x100000001b3);
    const uint8_t *p = data;
    if (!key->a)
        *key = (zd_key){ UINT64_C(0xcbf29ce484222325), UINT64_C(0x9e3779b97f4a7c15) };
    for (size_t i = 0; i < bytes; i++) {
        key->a = (key->a ^ p[i]) * prime;
        key->b = ((key->b ^ p[i]) * prime) ^ (key->b >> 29);
    }
}

/* ---- reading a module ---- */

typedef struct constant {
    uint32_t id;     /* of the module's own */
    uint32_t target; /* number that applications use */
    char type;       /* i, f, b; 0: not seen yet */
    uint32_t bits;
} constant;

typedef struct type {
    uint32_t id, bits;
    char type;
} type;

typedef struct reader {
    constant constants[CONSTANTS_MAX];
    type types[TYPES_MAX];
    uint32_t constant_count, type_count;
    bool has_dot; /* imports the function that dot.c makes */
    const char *problem;
} reader;

static void read_capability(reader *r, uint32_t capability)
{
    static const struct {
        uint32_t capability;
        const char *problem;
    } missing[] = {
        { 9, "the device has no fp16 (capability Float16)" },
        { 18, "the device has no subgroups (capability Groups)" },
        { 58, "the device has no subgroups (capability SubgroupDispatch)" },
        { 5568, "the device has no subgroups (capability SubgroupShuffleINTEL)" },
        { 6025, "the device has no DP4a (capability DotProductInputAll)" },
        { 6019, "the device has no DP4a (capability DotProduct)" },
    };
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        if (missing[i].capability == capability)
            r->problem = missing[i].problem;
}

static void read_type(reader *r, uint32_t id, char kind, uint32_t bits)
{
    if (r->type_count < TYPES_MAX)
        r->types[r->type_count++] = (type){ .id = id, .bits = bits, .type = kind };
}

static void read_constant(reader *r, uint32_t type_id, uint32_t id)
{
    for (uint32_t i = 0; i < r->constant_count; i++)
        for (uint32_t t = 0; r->constants[i].id == id && t < r->type_count; t++)
            if (r->types[t].id == type_id) {
                r->constants[i].type = r->types[t].type;
                r->constants[i].bits = r->types[t].bits;
            }
}

static void read_instruction(reader *r, const uint32_t *words, uint32_t count)
{
    enum { CAPABILITY = 17, BOOL = 20, INT = 21, FLOAT = 22, SPEC_TRUE = 48, SPEC_FALSE = 49,
           SPEC = 50, DECORATE = 71, SPEC_ID = 1 };
    switch (words[0] & 0xffff) {
    case CAPABILITY:
        if (count >= 2)
            read_capability(r, words[1]);
        break;
    case BOOL:
        if (count >= 2)
            read_type(r, words[1], 'b', 1);
        break;
    case INT:
    case FLOAT:
        if (count >= 3)
            read_type(r, words[1], (words[0] & 0xffff) == INT ? 'i' : 'f', words[2]);
        break;
    case SPEC_TRUE:
    case SPEC_FALSE:
    case SPEC:
        if (count >= 3)
            read_constant(r, words[1], words[2]);
        break;
    case DECORATE:
        if (zd_is_dot_import(words, count)) {
            r->has_dot = true;
            if (!zd.has_dot)
                r->problem = "the device has no DP4a (an import of its function)";
        }
        if (count >= 4 && words[2] == SPEC_ID && r->constant_count < CONSTANTS_MAX)
            r->constants[r->constant_count++] = (constant){ .id = words[1], .target = words[3] };
        break;
    default:
        break;
    }
}

static bool read_module(reader *r, const void *spirv, size_t bytes)
{
    const size_t count = bytes / sizeof(uint32_t);
    uint32_t *const words = malloc(bytes ? bytes : 1);
    memset(r, 0, sizeof *r);
    if (!words)
        return false;
    memcpy(words, spirv, bytes);
    if (bytes % sizeof(uint32_t) || count < 5 || words[0] != MAGIC)
        r->problem = "not SPIR-V";
    else if (words[1] > VERSION_MAX)
        r->problem = "SPIR-V newer than 1.2";
    for (size_t i = 5; i < count && !r->problem;) {
        const uint32_t length = words[i] >> 16;
        if (length == 0 || length > count - i)
            r->problem = "SPIR-V that ends within an instruction";
        else
            read_instruction(r, &words[i], length);
        i += length;
    }
    free(words);
    return !r->problem;
}

/* ---- constants ---- */

/* "id:i32:value" of one constant, appended. */
static bool say_constant(char *text, size_t bytes, const constant *c, const void *value)
{
    const size_t used = strlen(text);
    int n = -1;
    char kind[8];
    snprintf(kind, sizeof kind, "%c%u", c->type == 'b' ? 'i' : c->type, (unsigned)c->bits);
    if (c->type == 'f' && c->bits == 32) {
        float v;
        memcpy(&v, value, sizeof v);
        n = snprintf(text + used, bytes - used, "%u:%s:%.9g ", (unsigned)c->target, kind,
                     (double)v);
    } else if (c->type == 'f' && c->bits == 64) {
        double v;
        memcpy(&v, value, sizeof v);
        n = snprintf(text + used, bytes - used, "%u:%s:%.17g ", (unsigned)c->target, kind, v);
    } else if (c->type == 'i' || c->type == 'b') {
        /* Bytes of the value that the application's pointer is promised to have. */
        uint64_t v = 0;
        memcpy(&v, value, c->bits < 8 ? 1 : c->bits / 8);
        n = snprintf(text + used, bytes - used, "%u:%s:%llu ", (unsigned)c->target, kind,
                     (unsigned long long)v);
    }
    return n > 0 && (size_t)n < bytes - used;
}

static bool say_constants(char *text, size_t bytes, const reader *r,
                          const ze_module_constants_t *given, char *log, size_t log_bytes)
{
    text[0] = '\0';
    for (uint32_t k = 0; given && k < given->numConstants; k++) {
        uint32_t i = 0;
        while (i < r->constant_count && r->constants[i].target != given->pConstantIds[k])
            i++;
        if (i == r->constant_count) {
            zd_complain("zeModuleCreate: constant %u, which the module does not have",
                        (unsigned)given->pConstantIds[k]);
            snprintf(log, log_bytes, "no constant %u", (unsigned)given->pConstantIds[k]);
            return false;
        }
        if (!say_constant(text, bytes, &r->constants[i], given->pConstantValues[k])) {
            snprintf(log, log_bytes, "constant %u cannot be passed on",
                     (unsigned)given->pConstantIds[k]);
            return false;
        }
    }
    return true;
}

/* ---- files and the child ---- */

static void *read_file(const char *path, size_t *bytes)
{
    struct stat status;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    void *data = NULL;
    if (file >= 0 && fstat(file, &status) == 0 && status.st_size > 0) {
        *bytes = (size_t)status.st_size;
        data = malloc(*bytes);
        if (data && read(file, data, *bytes) != status.st_size) {
            free(data);
            data = NULL;
        }
    }
    if (file >= 0)
        close(file);
    return data;
}

static bool write_file(const char *path, const void *data, size_t bytes)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    const bool good = write(file, data, bytes) == (ssize_t)bytes;
    return close(file) == 0 && good;
}

/* What the child says goes to a file. */
static bool run_child(const char *in, const char *out, const char *said, char *constants)
{
    char input[300], output[300], spec[4200];
    snprintf(input, sizeof input, "%s", in);
    snprintf(output, sizeof output, "%s", out);
    snprintf(spec, sizeof spec, "--spec-const=%s", constants);
    char translator[] = TRANSLATOR, r[] = "-r", env[] = "--spirv-target-env=CL1.2", o[] = "-o";
    char *arguments[] = { translator, r, env, input, o, output, constants[0] ? spec : NULL, NULL };
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    if (posix_spawnp(&child, TRANSLATOR, &actions, NULL, arguments, environ) == 0)
        while (waitpid(child, &status, 0) < 0)
            ;
    posix_spawn_file_actions_destroy(&actions);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void *translate(const void *spirv, size_t bytes, char *constants, size_t *bitcode_bytes,
                       char *log, size_t log_bytes)
{
    const char *tmp = getenv("TMPDIR");
    char folder[200], in[240], out[240], said[240];
    void *bitcode = NULL;
    if (snprintf(folder, sizeof folder, "%s/ze-test-XXXXXX", tmp ? tmp : "/tmp") >=
            (int)sizeof folder || !mkdtemp(folder)) {
        snprintf(log, log_bytes, "no temporary folder");
        return NULL;
    }
    snprintf(in, sizeof in, "%s/in.spv", folder);
    snprintf(out, sizeof out, "%s/out.bc", folder);
    snprintf(said, sizeof said, "%s/said", folder);
    if (write_file(in, spirv, bytes) && run_child(in, out, said, constants))
        bitcode = read_file(out, bitcode_bytes);
    if (!bitcode) {
        size_t n = 0;
        char *const text = read_file(said, &n);
        snprintf(log, log_bytes, "%s failed: %.*s", TRANSLATOR, (int)(n > 1000 ? 1000 : n),
                 text ? text : "");
        free(text);
    }
    unlink(in);
    unlink(out);
    unlink(said);
    rmdir(folder);
    return bitcode;
}

/* Kept under its key, so that later processes need no child. */
static void keep(const char *path, const void *bitcode, size_t bytes)
{
    char beside[420];
    snprintf(beside, sizeof beside, "%s.%d", path, (int)getpid());
    mkdir(zd.cache_folder, 0700);
    if (!write_file(beside, bitcode, bytes) || rename(beside, path) != 0)
        unlink(beside);
}

void *zd_translate(const void *spirv, size_t bytes, const ze_module_constants_t *given,
                   zd_key *key, size_t *bitcode_bytes, char *log, size_t log_bytes)
{
    char constants[4096], path[400] = "";
    reader r;
    void *bitcode = NULL;
    if (!read_module(&r, spirv, bytes)) {
        snprintf(log, log_bytes, "%s", r.problem ? r.problem : "no memory");
        return NULL;
    }
    if (!say_constants(constants, sizeof constants, &r, given, log, log_bytes))
        return NULL;
    zd_hash(key, spirv, bytes);
    zd_hash(key, constants, strlen(constants));
    if (zd.cache_folder) {
        snprintf(path, sizeof path, "%s/%016llx%016llx.bc", zd.cache_folder,
                 (unsigned long long)key->a, (unsigned long long)key->b);
        bitcode = read_file(path, bitcode_bytes);
    }
    if (!bitcode) {
        void *const defined = r.has_dot ? zd_define_dot(spirv, &bytes) : NULL;
        bitcode = translate(defined ? defined : spirv, bytes, constants, bitcode_bytes, log,
                            log_bytes);
        free(defined);
        if (bitcode && path[0])
            keep(path, bitcode, *bitcode_bytes);
    }
    return bitcode;
}

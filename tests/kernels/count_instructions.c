/* SPDX-License-Identifier: Apache-2.0 */
/* Work of fixed size whose instructions are counted: run by instructions.py, in one of two ways.
 *
 *     valgrind --tool=callgrind … count_instructions    levels avx2 and generic, steps of a model
 *     count_instructions --step                         level avx512, which valgrind does not know
 *
 * Each piece runs inside count_region(). callgrind counts and dumps that function, and the names
 * are printed in the same order. With --step a parent process lets a child execute one instruction
 * at a time, and the count is printed after the name: a few microseconds per instruction, so only
 * the kernels that need it. Inputs depend on nothing but the code here, and one thread runs, so the
 * same binary always gives the same counts, whatever else the machine does. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */

#include "weights.h"

#include <hetinfer.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/dtype.h"
#include "tiny_model.h"

#define N 64
#define K 512
#define TOKENS 24
#define VECTOR 1003
#define CONTEXT 192

typedef void (*work_fn)(void *work);

/* Not static and not inlined: callgrind finds it by its name. */
void count_region(work_fn work, void *argument);

__attribute__((noinline)) void count_region(work_fn work, void *argument)
{
    work(argument);
    __asm__ volatile("" ::: "memory"); /* no tail call: the region ends when this returns */
}

/* Seen by both processes of --step. */
typedef struct tally {
    volatile uint64_t count;
    volatile int inside; /* the child wants its next instructions counted */
} tally;

static tally *stepping; /* NULL: callgrind counts */

static void breakpoint(void)
{
#if defined(__x86_64__)
    __asm__ volatile("int3");
#endif
}

__attribute__((format(printf, 3, 4))) static void count(work_fn work, void *argument,
                                                        const char *format, ...)
{
    va_list list;
    if (stepping) {
        stepping->inside = 1;
        breakpoint();
        count_region(work, argument);
        stepping->inside = 0;
    }
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    if (stepping)
        printf("\t%llu", (unsigned long long)stepping->count);
    putchar('\n');
    fflush(stdout);
    if (!stepping)
        count_region(work, argument);
}

/* ---- products ---- */

typedef struct product {
    const het__cpu_level *level;
    het__cpu_matrix matrix;
    float *x, *out;
    uint8_t *acts;
    size_t act_stride;
    void *scratch;
    int64_t tokens;
} product;

static void run_pack(void *work)
{
    const product *p = work;
    p->level->pack(&p->matrix, 0, N);
}

static void run_prepare(void *work)
{
    const product *p = work;
    for (int64_t t = 0; t < p->tokens; t++)
        p->level->prepare(p->matrix.act, p->x + t * K, K, p->acts + (size_t)t * p->act_stride);
}

static void run_product(void *work)
{
    const product *p = work;
    p->level->run(&p->matrix, 0, N, p->acts, p->act_stride, p->tokens, p->out, N, p->scratch);
}

static void count_product(const het__cpu_level *level, het_dtype dtype)
{
    static const int64_t tokens[] = { 1, TOKENS };
    const char *type = het__dtype(dtype)->name;
    uint64_t seed = 11;
    product p = { .level = level };
    size_t row_bytes;
    void *source = weights_random(dtype, N, K, &seed, &row_bytes);
    p.matrix = (het__cpu_matrix){ .dtype = dtype, .n = N, .k = K, .source = source,
                                  .row_bytes = row_bytes };
    const size_t packed = level->choose(&p.matrix, HET_PRECISION_FAST, true);
    if (stepping && !packed) { /* a table of plain C, the same at every level */
        free(source);
        return;
    }
    p.act_stride = het__cpu_act_bytes(p.matrix.act, K);
    p.x = aligned_bytes(TOKENS * K * sizeof *p.x);
    p.out = aligned_bytes(TOKENS * N * sizeof *p.out);
    p.acts = aligned_bytes(TOKENS * p.act_stride);
    p.scratch = aligned_bytes(level->scratch_bytes(&p.matrix, TOKENS));
    for (int i = 0; i < TOKENS * K; i++)
        p.x[i] = test_random_float(&seed);
    if (packed) {
        p.matrix.packed = aligned_bytes(packed);
        if (stepping)
            run_pack(&p);
        else
            count(run_pack, &p, "%s pack %s", level->name, type);
    }
    for (int i = 0; i < 2; i++) {
        p.tokens = tokens[i];
        run_prepare(&p);
        count(run_product, &p, "%s product %s %lld", level->name, type,
              (long long)tokens[i]);
    }
    free(p.matrix.packed);
    free(p.scratch);
    free(p.acts);
    free(p.out);
    free(p.x);
    free(source);
}

/* ---- vectors ---- */

typedef struct vectors {
    const het__cpu_level *level;
    float a[VECTOR], b[VECTOR];
    uint16_t h[VECTOR];
    uint8_t *acts;
    float result;
} vectors;

static void run_dot(void *w)
{
    vectors *v = w;
    v->result = v->level->dot(v->a, v->b, VECTOR);
}

static void run_to_f16(void *w)
{
    vectors *v = w;
    v->level->to_f16(v->h, v->a, VECTOR);
}

static void run_exp(void *w)
{
    vectors *v = w;
    v->level->exp_rows(v->a, VECTOR, 1.0f, &v->result);
}

static void run_silu(void *w)
{
    vectors *v = w;
    v->level->silu(v->b, VECTOR);
}

static void run_gelu(void *w)
{
    vectors *v = w;
    v->level->gelu_tanh(v->b, VECTOR);
}

static void run_prepare_q8(void *w)
{
    vectors *v = w;
    v->level->prepare(HET__CPU_ACT_Q8, v->b, VECTOR, v->acts);
}

static void count_vectors(const het__cpu_level *level)
{
    static const struct { const char *name; work_fn run; } list[] = {
        { "dot", run_dot }, { "to_f16", run_to_f16 }, { "exp_rows", run_exp },
        { "silu", run_silu }, { "gelu_tanh", run_gelu }, { "prepare_q8", run_prepare_q8 },
    };
    static vectors v;
    uint64_t seed = 13;
    v.level = level;
    v.acts = aligned_bytes(het__cpu_act_bytes(HET__CPU_ACT_Q8, VECTOR));
    for (int i = 0; i < VECTOR; i++) {
        v.a[i] = test_random_float(&seed);
        v.b[i] = test_random_float(&seed);
    }
    level->to_f16(v.h, v.b, VECTOR);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        count(list[i].run, &v, "%s %s", level->name, list[i].name);
    free(v.acts);
}

/* ---- steps of a model: what lies around the kernels ---- */

static void check(het_status status, const het_error *err)
{
    if (status) {
        fprintf(stderr, "%s: %s\n", het_status_name(status), err->message);
        exit(1);
    }
}

static void run_step(void *work)
{
    het_error err = HET_ERROR_INIT;
    uint64_t pending;
    check(het_session_step(work, &pending, &err), &err);
}

static void append(het_sequence *sequence, int32_t count)
{
    het_error err = HET_ERROR_INIT;
    for (int32_t i = 0; i < count; i++) {
        const int32_t id = 3 + i * 7 % 250;
        check(het_sequence_append(sequence, &id, 1, 0, &err), &err);
    }
}

static void count_steps(het_session *session, const char *type)
{
    het_error err = HET_ERROR_INIT;
    het_sequence *sequence = NULL;
    check(het_sequence_create(session, &sequence, &err), &err);
    append(sequence, 32);
    run_step(session); /* the first step binds extents for the first time */
    append(sequence, 32);
    count(run_step, session, "avx2 step %s prefill 32", type);
    append(sequence, CONTEXT - 64);
    run_step(session);
    append(sequence, 1);
    run_step(session);
    append(sequence, 1);
    count(run_step, session, "avx2 step %s decode", type);
    het_sequence_destroy(sequence);
}

static void count_model(uint32_t type, const char *name)
{
    tiny_options o = TINY_LLAMA;
    o.width = 256;
    o.ffn = 512;
    o.heads = 4;
    o.head_size = 64;
    o.type = type;
    o.vocabulary = 320;
    tiny_model m;
    tiny_make(&m, &o);
    het_error err = HET_ERROR_INIT;
    het_context_options with = HET_CONTEXT_OPTIONS_INIT;
    with.backends = "cpu_onednn,ref";
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *session = NULL;
    check(het_context_create(&with, &context, &err), &err);
    check(het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err), &err);
    het_session_options options = HET_SESSION_OPTIONS_INIT;
    options.threads = 1;
    options.context_max = 256;
    options.batch_max = 128;
    check(het_session_create(model, &options, &session, &err), &err);
    count_steps(session, name);
    het_session_destroy(session);
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&m);
}

static bool count_level(const char *name)
{
    for (const het__cpu_level *const *l = het__cpu_levels(); *l; l++) {
        if (strcmp((*l)->name, name) != 0)
            continue;
        for (const het_dtype *d = weight_types; *d != HET_DTYPE_NONE; d++)
            count_product(*l, *d);
        count_vectors(*l);
        return true;
    }
    return false;
}

/* ---- instruction by instruction ---- */

/* Stops of the child: at a breakpoint its instructions are counted until it says so. */
static int follow(pid_t child, tally *t)
{
    int status;
    while (waitpid(child, &status, 0) == child) {
        if (WIFEXITED(status))
            return WEXITSTATUS(status);
        if (WIFSIGNALED(status) || WSTOPSIG(status) != SIGTRAP)
            break;
        uint64_t n = 0;
        while (t->inside) {
            if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
                waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
                return 1;
            n++;
        }
        t->count = n;
        if (ptrace(PTRACE_CONT, child, NULL, NULL) != 0)
            break;
    }
    return 1;
}

static int step_through(const char *level)
{
    tally *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t == MAP_FAILED)
        return 1;
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu() > 0 ? (size_t)sched_getcpu() : 0, &here);
    (void)sched_setaffinity(0, sizeof here, &here); /* taking turns is quicker on one processor */
    const pid_t child = fork();
    if (child != 0)
        return child > 0 ? follow(child, t) : 1;
    stepping = t;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        test_skip("this system lets no process be traced");
    if (!count_level(level))
        test_skip("this processor has no AVX-512");
    exit(0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--step") == 0)
        return step_through("avx512");
    setenv("HETINFER_CPU_LEVEL", "avx2", 1);
    setenv("HETINFER_CPU_ROUND_SMALL", "1", 1);
    if (!count_level("avx2"))
        test_skip("valgrind knows no AVX2 on this processor");
    count_level("generic");
    count_model(GW_Q4_0, "q4_0");
    count_model(GW_F32, "f32");
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Modules of SPIR-V: sets of options that the backends ask for are found, others are refused, and
 * constants reach the place that the kernel's compiler gave them. */
#include <stdbool.h>

#include "backends/kernels/spirv.h"
#include "backends/kernels/spirv_table.h"
#include "tests/test.h"

#define MAGIC 0x07230203u
#define VERSION_MOST 0x00010200u
#define OP_DECORATE 71u
#define SPEC_ID 1u
#define OPTIONS "-DHET_ACT=0 -DHET_UNARY=1 -DHET_BATCHED=0 -DHET_GROUPED=0 -DHET_GATHER=0"
#define MATVEC OPTIONS " -DTOKENS=1 -DROWS=4 -DLANES=64 -DSETS=4 -DSTEPS=4"

static const het__spirv_target plain = { .subgroup = 0 };
static const het__spirv_target full = { true, 16, true, true };

/* Whether a module has a constant of this number. */
static bool decorates(const het__spirv *found, uint32_t id)
{
    const uint32_t *words = found->code;
    const size_t count = found->bytes / 4;
    for (size_t at = 5; at < count && words[at] >> 16 > 0; at += words[at] >> 16)
        if ((words[at] & 0xffff) == OP_DECORATE && words[at + 2] == SPEC_ID && words[at + 3] == id)
            return true;
    return false;
}

static void check_module(const het__spirv *found)
{
    const uint32_t *words = found->code;
    CHECK(found->bytes > 20 && found->bytes % 4 == 0);
    CHECK_INT(words[0], MAGIC);
    CHECK(words[1] <= VERSION_MOST);
    for (uint32_t i = 0; i < found->constant_count; i++)
        CHECK(decorates(found, found->ids[i]));
}

/* The same words from the last to the first. */
static void reverse(const char *options, char *turned, size_t bytes)
{
    size_t at = bytes - 1;
    turned[at] = 0;
    for (const char *p = options; *p;) {
        const size_t n = strcspn(p, " ");
        at -= n;
        memcpy(turned + at, p, n);
        turned[--at] = ' ';
        p += n;
        p += strspn(p, " ");
    }
    memmove(turned, turned + at, bytes - at);
}

static bool same(const het__spirv *a, const het__spirv *b)
{
    return a->code == b->code && a->bytes == b->bytes && a->constant_count == b->constant_count &&
           memcmp(a->ids, b->ids, sizeof a->ids) == 0 &&
           memcmp(a->values, b->values, sizeof a->values) == 0;
}

/* The words with the -D that compilers of source are given. */
static void with_marks(const char *words, char *options, size_t bytes)
{
    size_t used = 0;
    while (*words) {
        const size_t n = strcspn(words, " ");
        used += (size_t)snprintf(options + used, bytes - used, "-D%.*s ", (int)n, words);
        words += n + strspn(words + n, " ");
    }
}

/* Every set of the list, which was recorded from devices that run the kernels of GPUs. */
static void recorded(void)
{
    char path[1024], line[1024];
    const char *source = getenv("HETINFER_TEST_SOURCE");
    snprintf(path, sizeof path, "%s/tests/opencl/kernel_options.txt", source ? source : ".");
    FILE *file = fopen(path, "r");
    CHECK(file);
    if (!file)
        return;
    int sets = 0;
    while (fgets(line, sizeof line, file)) {
        char options[2048] = "", turned[2048];
        het__spirv found, again;
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#' || !line[0])
            continue;
        char *rest = line + strcspn(line, " ");
        if (*rest)
            *rest++ = 0;
        with_marks(rest, options, sizeof options);
        /* One more option asks for lanes of a subgroup: no other device has it. */
        const bool lanes = strstr(options, "-DLANES=16") || strcmp(line, "dot") == 0;
        const bool is_there = het__spirv_find(line, options, lanes ? &full : &plain, &found);
        if (!is_there) {
            TEST_FAIL("no module of %s %s", line, options);
            continue;
        }
        check_module(&found);
        const bool needs = lanes && !strstr(options, "-DKIND=0 ");
        CHECK(!needs || !het__spirv_find(line, options, &plain, &again));
        reverse(options, turned, sizeof turned);
        CHECK(het__spirv_find(line, turned, lanes ? &full : &plain, &again));
        CHECK(same(&found, &again));
        sets++;
    }
    fclose(file);
    CHECK(sets > 250);
}

static void refused(void)
{
    static const struct {
        const char *file, *options;
    } sets[] = {
        { "nothing", "" },
        { "elementwis", "-DKIND=1" },
        { "elementwise", "-DKIND=1 -DUNKNOWN=1" },
        { "elementwise", "-DKIN=1" },
        { "elementwise", "-DKINDS=1" },
        { "elementwise", "-DKIND=nonsense" },
        { "elementwise", "-DKIND=-1" },
        { "elementwise", "-DKIND=" },
        { "elementwise", "-DKIND=2147483648" },
        { "elementwise", "-DKIND=99999999999999999999999999" },
        { "elementwise", "KIND=1" },
        { "elementwise", "-D" },
        { "measure", "-DKIND=1" },
        { "rows", "-DKIND=0 -DWEIGHT=1 -DBIAS=0" },            /* no GROUP */
        { "rows", "-DGROUP=32 -DKIND=0 -DWEIGHT=1 -DBIAS=0" }, /* not on the list */
        { "rows", "-DEMBED -DHET_W=37 -DHET_SPLIT=0" },
        { "matvec", MATVEC },                                   /* no type */
        { "matvec", "-DHET_W=40 -DHET_SPLIT=1 " MATVEC },
        { "attention", "-DROPE -DSIZE=64 -DROTATED=64" " -DGROUP=64" },
        { "attention", "-DGROUP=64 -DSIZE=257 -DROTATED=0 -DINTERLEAVED=0 -DSTATE=2 -DVEC=1 "
                       "-DNORM=0" },
        { "moe", "-DEXPERTS=513 -DUSED=2 -DLANES=64 -DROUTER=0 -DNORMALISE=0" },
        { "tensor_map", "-DF=f_nonsense -DARITY=1 -DTO=float -DTA=float -DRANK=1" },
        { "tensor_map", "-DF=f_ab -DARITY=1 -DTO=float -DTA=float -DRANK=1" },
    };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        het__spirv found = { .bytes = 77 };
        if (het__spirv_find(sets[i].file, sets[i].options, &full, &found))
            TEST_FAIL("a module of %s %s", sets[i].file, sets[i].options);
        CHECK_INT(found.bytes, 77);
    }
    char many[1024] = "";
    for (int i = 0; i < 60; i++)
        strcat(many, "-DKIND=1 ");
    het__spirv found;
    CHECK(!het__spirv_find("elementwise", many, &full, &found));
}

static int32_t value_of(const het__spirv *found, uint32_t id)
{
    for (uint32_t i = 0; i < found->constant_count; i++)
        if (found->ids[i] == id)
            return found->values[i];
    return -1;
}

/* Numbers are those of the list's line: the first constant on it is 0. */
static void constants(void)
{
    het__spirv found;
    CHECK(het__spirv_find("elementwise", "-DKIND=7", &plain, &found));
    CHECK_INT(found.constant_count, 1);
    CHECK_INT(value_of(&found, 1), 7);
    CHECK(het__spirv_find("elementwise", "-DOP=1", &plain, &found));
    CHECK_INT(found.constant_count, 1);
    CHECK_INT(value_of(&found, 0), 1);
    CHECK(het__spirv_find("attention", "-DGROUP=64 -DSIZE=96 -DROTATED=48 -DINTERLEAVED=1 "
                          "-DSTATE=36 -DVEC=4 -DNORM=1", &plain, &found));
    CHECK_INT(found.constant_count, 4);
    CHECK_INT(value_of(&found, 0), 96);
    CHECK_INT(value_of(&found, 1), 48);
    CHECK_INT(value_of(&found, 2), 1);
    CHECK_INT(value_of(&found, 3), 1);
    CHECK(het__spirv_find("matvec", "-DHET_W=40 -DHET_SPLIT=0 " MATVEC, &plain, &found));
    CHECK_INT(found.constant_count, 5);
    CHECK_INT(value_of(&found, 1), 1);
    /* Words are counted from the first. */
    CHECK(het__spirv_find("tensor_map", "-DF=f_mul -DARITY=2 -DTO=int -DTA=int -DTB=int -DRANK=3",
                          &plain, &found));
    CHECK_INT(found.constant_count, 2);
    CHECK_INT(value_of(&found, 0), 3);
    CHECK_INT(value_of(&found, 1), 2);
    /* What the kernel does not use is no constant of its module. */
    CHECK(het__spirv_find("conv", "-DCONV_ANY -DV=1 -DNB=1 -DPIX=1 -DIN_BLOCK=1 -DOUT_BLOCK=1 "
                          "-DACT=1 -DCODES=1 -DTX=char -DTY=char", &plain, &found));
    CHECK_INT(found.constant_count, 2);
    CHECK_INT(value_of(&found, 2), -1);
}

static void targets(void)
{
    static const het__spirv_target others[] = { { .fp16 = true }, { .subgroup = 8 },
                                                { .fp16 = true, .subgroup = 32 } };
    const char *norm = "-DGROUP=64 -DKIND=0 -DWEIGHT=1 -DBIAS=0";
    const char *tile = "-DKIND=0 -DHET_TURNED=0 -DTILE=64 -DSUM_MAX=0 -DHET_SPLIT=0 " OPTIONS;
    char half[512], single[512];
    het__spirv on_plain, on_full, other;
    CHECK(het__spirv_find("rows", norm, &plain, &on_plain));
    CHECK(het__spirv_find("rows", norm, &full, &on_full));
    CHECK(on_plain.code != on_full.code);
    for (size_t i = 0; i < 3; i++) {
        CHECK(het__spirv_find("rows", norm, &others[i], &other));
        CHECK(other.code == on_plain.code);
    }
    snprintf(half, sizeof half, "-DHET_W=2 %s", tile);
    snprintf(single, sizeof single, "-DHET_W=1 %s", tile);
    CHECK(het__spirv_find("matmul", half, &plain, &on_plain));
    CHECK(het__spirv_find("matmul", half, &others[0], &on_full));
    CHECK(on_plain.code != on_full.code);
    CHECK(het__spirv_find("matmul", single, &plain, &on_plain));
    CHECK(het__spirv_find("matmul", single, &full, &on_full));
    CHECK(on_plain.code == on_full.code);
}

static void table(void)
{
    CHECK(het__spirv_module_count > 100);
    for (uint32_t i = 0; i < het__spirv_module_count; i++) {
        const het__spirv_module *m = &het__spirv_modules[i];
        const het__spirv found = { .code = m->words, .bytes = m->bytes };
        check_module(&found);
        CHECK(m->line < het__spirv_line_count);
        for (uint32_t id = 0; id < 32; id++)
            CHECK_INT(decorates(&found, id), m->constants >> id & 1);
        if (i == 0)
            continue;
        const int order = strcmp(m[-1].key, m->key);
        CHECK(order < 0 || (order == 0 && m[-1].needs > m->needs));
    }
    for (uint32_t i = 0; i < het__spirv_line_count; i++)
        for (uint32_t k = 0; k < het__spirv_lines[i].option_count; k++)
            CHECK(het__spirv_lines[i].options[k].constant < HET__SPIRV_CONSTANTS_MAX);
}

int main(void)
{
    test_case(recorded);
    test_case(refused);
    test_case(constants);
    test_case(targets);
    test_case(table);
    return test_finish();
}

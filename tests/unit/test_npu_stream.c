/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of the array and manifests of designs: what is written, what is refused. */
#include "test.h"

#include "backends/amd_xrt_npu/design.h"

static het__npu_design design_of(het__npu_source source, het__txn_form form, int64_t tile,
                                 int64_t inner)
{
    return (het__npu_design){
        .source = source, .form = form, .generations = 1u << HET__NPU_1, .inner = inner,
        .columns = source == HET__NPU_WHOLE_ARRAY ? 4 : 1,
        .core_rows = source == HET__NPU_WHOLE_ARRAY ? 4 : 1,
        .tile_rows = tile, .tile_inner = tile, .tile_columns = tile,
    };
}

/* ---- the one stream that is known ---- */

/* mlir-aie once kept a built design of a product of 256 by 256 by 256, one core, tiles of 32 by 32
 * by 32 (single_core/build of its commit 74f36eb38e): the words of its stream, descriptor by
 * descriptor. */
typedef struct expected {
    uint32_t words[512];
    size_t count;
} expected;

static void add(expected *e, const uint32_t *words, size_t count)
{
    memcpy(e->words + e->count, words, count * sizeof *words);
    e->count += count;
}

static void add_results(expected *e, uint32_t bd, uint32_t offset)
{
    const uint32_t w[] = { 1, 0x1d000 + 32 * bd, 0x2c, 0x2000, 0, 0, 0x02000000, 0x820000ff, 0x1f,
                           0x00101fff, 0x02000000, 0x81, 0x18, 0x1d004 + 32 * bd, 2, offset, 0, 3,
                           0x1d200, 0xf00, 0xf00, 0, 0x1d204, 0x80010000 + bd };
    add(e, w, sizeof w / sizeof *w);
}

static void add_pair(expected *e, uint32_t bd, uint32_t offset)
{
    const uint32_t w[] = { 1, 0x1d000 + 32 * bd, 0x2c, 0x800, 0, 0, 0x00800000, 0x8200003f, 7, 0,
                           0x02000000, 0x81, 0x18, 0x1d004 + 32 * bd, 0, offset, 0, 0, 0x1d214,
                           0x00070000 + bd, 1, 0x1d020 + 32 * bd, 0x2c, 0x800, 0, 0, 0x00800000,
                           0x8200003f, 0x7ff, 0x00700007, 0x02000000, 0x81, 0x18, 0x1d024 + 32 * bd,
                           1, 0, 0, 0, 0x1d21c, 0x00070001 + bd };
    add(e, w, sizeof w / sizeof *w);
}

static void make_expected(expected *e)
{
    static const uint32_t header[] = { 0x06030001, 0x00000101, 0x44, 0x6d0 };
    static const uint32_t wait[] = { 0x80, 0x10, 0, 0x00010100 };
    e->count = 0;
    add(e, header, 4);
    for (uint32_t group = 0; group < 4; group++) {
        const uint32_t half = group % 2 * 8;
        add_results(e, half, 0x10000 * group);
        add_pair(e, half + 1, 0x4000 * group);
        add_pair(e, half + 3, 0x4000 * group + 0x2000);
        if (group > 0)
            add(e, wait, 4);
    }
    add(e, wait, 4);
}

static void single_core_is_what_mlir_aie_writes(void)
{
    static expected e;
    het__mem mem;
    het_error err = HET_ERROR_INIT;
    uint32_t *words = NULL;
    size_t count = 0, same = 0;
    het__mem_init(&mem, NULL);
    const het__npu_design d = design_of(HET__NPU_SINGLE_CORE, HET__TXN_1_0, 32, 256);
    make_expected(&e);
    CHECK_INT(het__npu_instructions(&d, &mem, 256, 256, &words, &count, &err), HET_OK);
    CHECK_INT(e.count, 436);
    CHECK_INT(count, e.count);
    while (words && same < count && same < e.count && words[same] == e.words[same])
        same++;
    CHECK_INT(same, e.count);
    het__free(&mem, words);
    CHECK_INT(mem.bytes, 0);
}

/* ---- what a stream may hold ---- */

static het_status check(const uint32_t *words, size_t count, uint32_t columns, const char **says)
{
    static het_error err;
    static const uint64_t bytes[3] = { 65536, 65536, 262144 };
    err = (het_error)HET_ERROR_INIT;
    const het_status s = het__txn_check(words, count, columns, bytes, &err);
    *says = err.message;
    return s;
}

/* The stream with one word changed is refused for this reason. */
static void changed(const expected *good, size_t word, uint32_t value, const char *want)
{
    static expected e;
    const char *says;
    e = *good;
    e.words[word] = value;
    CHECK_INT(check(e.words, e.count, 1, &says), HET_E_FORMAT);
    if (!strstr(says, want))
        TEST_FAIL("word %zu: \"%s\" does not say \"%s\"", word, says, want);
}

static void streams_are_checked(void)
{
    static expected e;
    const char *says;
    make_expected(&e);
    CHECK_INT(check(e.words, e.count, 1, &says), HET_OK);
    CHECK_INT(check(e.words, e.count - 1, 1, &says), HET_E_FORMAT);
    changed(&e, 0, 0x06030002, "a form that is not known");
    changed(&e, 2, 0x45, "another count of operations");
    changed(&e, 3, 0x6d4, "another length");
    changed(&e, 4, 0x55, "no known kind");
    changed(&e, 5, 0x1d200, "no buffer descriptor");
    changed(&e, 5, 0x0201d000, "no buffer descriptor"); /* of the next column */
    changed(&e, 6, 0x28, "has 8 words");
    changed(&e, 6, 0xffffffff, "a length that cannot be");
    changed(&e, 7, 0x400000, "reaches beyond");
    changed(&e, 11, 0x820fffff, "reaches beyond");
    changed(&e, 13, 0x001fffff, "reaches beyond");
    changed(&e, 14, 0x04000000, "is not valid");
    changed(&e, 15 + 2, 0x1d200, "no address of a descriptor");
    changed(&e, 15 + 3, 3, "an argument that there is not");
    changed(&e, 15 + 4, 0x40000, "reaches beyond");
    changed(&e, 22, 0x1d204, "no control of a mover");
    changed(&e, 26, 0x1d208, "no queue");
    changed(&e, 27, 0x80010001, "has no address");
    changed(&e, 27, 0x00010000, "a token that nothing gives");
    changed(&e, e.count - 2, 1, "something else than results");
    changed(&e, e.count - 1, 0x00020100, "columns that there are not");
}

/* Random words change: nothing but a status comes of it. */
static void broken_streams_end(void)
{
    static expected e;
    uint64_t seed = 5;
    uint32_t refused = 0;
    for (int i = 0; i < 20000; i++) {
        const char *says;
        make_expected(&e);
        for (int k = 0; k < 2; k++)
            e.words[test_random(&seed) % e.count] = (uint32_t)(test_random(&seed) >> 32) >>
                                                    test_random(&seed) % 32;
        refused += check(e.words, e.count, 1 + (uint32_t)i % 8, &says) != HET_OK;
    }
    CHECK(refused > 15000);
}

static void files_are_words_or_hexadecimal(void)
{
    static const char text[] = "06030100\n00000101\r\n00000000\n10\n";
    static const unsigned char binary[] = { 0, 1, 3, 6, 1, 1, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0 };
    het__mem mem;
    het_error err = HET_ERROR_INIT;
    uint32_t *words = NULL;
    size_t count = 0;
    het__mem_init(&mem, NULL);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(i ? het__txn_read(&mem, binary, sizeof binary, &words, &count, &err)
                    : het__txn_read(&mem, text, sizeof text - 1, &words, &count, &err), HET_OK);
        CHECK_INT(count, 4);
        if (count == 4)
            CHECK(words[0] == 0x06030100 && words[1] == 0x101 && words[2] == 0 && words[3] == 16);
        het__free(&mem, words);
    }
    CHECK_INT(het__txn_read(&mem, "06030100\n0000010100\n000\n", 25, &words, &count, &err),
              HET_E_FORMAT);
    CHECK_INT(het__txn_read(&mem, "0603", 4, &words, &count, &err), HET_E_FORMAT);
    CHECK_INT(mem.bytes, 0);
}

/* ---- generated streams ---- */

static void generated_streams_stay_within(void)
{
    static const int64_t widths[] = { 1, 2, 3, 7, 64 };
    het__mem mem;
    het__mem_init(&mem, NULL);
    for (int source = HET__NPU_SINGLE_CORE; source <= HET__NPU_WHOLE_ARRAY; source++)
        for (int form = 0; form < 2; form++)
            for (size_t i = 0; i < 5; i++)
                for (int64_t rows = 1; rows < 8; rows++) {
                    het__npu_design d = design_of((het__npu_source)source,
                                                  (het__txn_form)form, 16, 48);
                    d.type = rows % 2 ? HET__NPU_BF16 : HET__NPU_INT8;
                    uint32_t *words = NULL;
                    size_t count = 0;
                    het_error err = HET_ERROR_INIT;
                    if (het__npu_instructions(&d, &mem, rows * het__npu_unit_rows(&d),
                                              widths[i] * het__npu_unit_columns(&d), &words,
                                              &count, &err) != HET_OK)
                        TEST_FAIL("%s", err.message);
                    het__free(&mem, words);
                    test_checks++;
                }
    CHECK_INT(mem.bytes, 0);
}

static void columns_are_cut_evenly(void)
{
    const het__npu_design one = design_of(HET__NPU_SINGLE_CORE, HET__TXN_0_1, 32, 256);
    const het__npu_design all = design_of(HET__NPU_WHOLE_ARRAY, HET__TXN_0_1, 64, 512);
    int64_t rungs[HET__NPU_RUNGS_MAX];
    CHECK_INT(het__npu_cut_columns(&one, 1), 32);
    CHECK_INT(het__npu_cut_columns(&one, 2048), 2048);
    CHECK_INT(het__npu_cut_columns(&one, 2049), 1056);
    CHECK_INT(het__npu_cut_columns(&all, 5632), 2816); /* rows of results are 2^20 words apart */
    CHECK_INT(het__npu_rungs(&one, 32, rungs), 5);
    CHECK_INT(rungs[0], 32);
    CHECK_INT(rungs[4], 512);
    CHECK_INT(het__npu_rungs(&all, 256, rungs), 2);
    CHECK_INT(rungs[0], 256);
}

/* ---- manifests ---- */

#define HEAD "name: x\ndevices: [npu1]\ncolumns: 1\nxclbin: a.xclbin\nkernel: MLIR_AIE\n"
#define TYPES "types: {input: i8, weight: i8, output: i32, accumulator: i32}\n"
#define TILE "tile: {rows: 8, inner: 16, columns: 16}\ninner: 32\n"
#define SOURCE "instructions: {source: single-core-v1, form: \"1.0\"}\n"

static het_status read_manifest(const char *text, het__npu_design *d, het_error *err)
{
    het__mem mem;
    het__arena arena;
    *err = (het_error)HET_ERROR_INIT;
    het__mem_init(&mem, NULL);
    het__arena_init(&arena, &mem);
    const het_status s = het__npu_manifest_read(text, strlen(text), "/designs/x", &arena, d, err);
    het__arena_finish(&arena);
    CHECK_INT(mem.bytes, 0);
    return s;
}

static void manifests_say_what_they_mean(void)
{
    static het__npu_design d;
    het_error err;
    CHECK_INT(read_manifest(HEAD TYPES TILE SOURCE
                            "figures: {int8: 2.5 Top/s, launch: 120 us, source: measured}\n",
                            &d, &err), HET_OK);
    CHECK_STR(d.kernel, "MLIR_AIE");
    CHECK_STR(d.folder, "/designs/x");
    CHECK_INT(d.generations, 1u << HET__NPU_1);
    CHECK(d.source == HET__NPU_SINGLE_CORE && d.form == HET__TXN_1_0 && d.is_measured);
    CHECK(d.tile_rows == 8 && d.tile_inner == 16 && d.tile_columns == 16 && d.inner == 32);
    CHECK_NEAR(d.ops_per_s, 2.5e12, 1);
    CHECK_NEAR(d.launch_ns, 120e3, 1e-6);
    CHECK_INT(read_manifest(HEAD TYPES TILE
                            "instructions: {source: files, shapes: [{rows: 64, columns: 32, "
                            "file: i.bin}]}\nlayout: {weight: column}\n", &d, &err), HET_OK);
    CHECK(d.source == HET__NPU_FILES && d.shape_count == 1 && d.weights_by_column);
    CHECK(d.type == HET__NPU_INT8);
    CHECK_INT(read_manifest(HEAD "types: {input: bf16, weight: bf16, output: f32, accumulator: "
                            "f32}\n" TILE SOURCE "figures: {bf16: 1 Top/s}\n", &d, &err), HET_OK);
    CHECK(d.type == HET__NPU_BF16);
    CHECK_NEAR(d.ops_per_s, 1e12, 1);
}

static void bad_manifests_are_refused_by_line(void)
{
    static const struct { const char *text, *says; } cases[] = {
        { "", "name" },
        { "name: [", "design.yaml:" },
        { HEAD TYPES TILE, "instructions" },
        { HEAD TYPES TILE SOURCE "speed: 3\n", "speed" },
        { HEAD TILE SOURCE, "types" },
        { "name: x\nxclbin: a\nkernel: k\ndevices: [npu9]\n", "npu9" },
        { "name: x\nxclbin: a\nkernel: k\ndevices: []\n", "a list of generations" },
        { "name: x\nxclbin: a\nkernel: k\ndevices: [npu1, npu4]\n", "for npu1 and for others" },
        { HEAD "types: {input: bf16, weight: i8, output: i32, accumulator: i32}\n" TILE SOURCE,
          "design.yaml:6: weight i8 is not known; with input bf16 it is to be bf16" },
        { HEAD "types: {input: i16, weight: i8, output: i32, accumulator: i32}\n" TILE SOURCE,
          "i16" },
        { HEAD TYPES TILE SOURCE "figures: {bf16: 1 Top/s}\n", "bf16" },
        { HEAD TYPES "tile: {rows: 8, inner: 6, columns: 16}\ninner: 12\n" SOURCE, "whole words" },
        { HEAD TYPES "tile: {rows: 8, inner: 16, columns: 16}\ninner: 24\n" SOURCE,
          "no multiple of the tile's 16" },
        { HEAD TYPES "tile: {rows: 1.5, inner: 16, columns: 16}\ninner: 32\n" SOURCE,
          "not a whole number" },
        { HEAD TYPES TILE "instructions: {source: whole-array-v1}\n", "takes 4 columns" },
        { HEAD TYPES TILE "instructions: {source: magic}\n", "magic" },
        { HEAD TYPES TILE "instructions: {source: files}\n", "shapes" },
        { HEAD TYPES TILE "instructions: {source: files, shapes: [{rows: 9, columns: 32, file: a}]}"
          "\n", "whole tiles" },
        { HEAD TYPES "tile: {rows: 8, inner: 16, columns: 16}\ninner: 65536\n"
          "instructions: {source: files, shapes: [{rows: 65536, columns: 32, file: a}]}\n",
          "too large for one run" },
        { "name: x\nxclbin: ../a.xclbin\nkernel: k\n", "without a path" },
        { HEAD TYPES TILE SOURCE "layout: {output: column}\n", "only weights" },
        { HEAD TYPES TILE SOURCE "layout: {weight: column}\n", "takes weights by row" },
        { HEAD TYPES TILE SOURCE "figures: {int8: fast}\n", "design.yaml:10" },
    };
    static het__npu_design d;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        het_error err;
        CHECK(read_manifest(cases[i].text, &d, &err) != HET_OK);
        if (!strstr(err.message, cases[i].says))
            TEST_FAIL("case %zu: \"%s\" does not say \"%s\"", i, err.message, cases[i].says);
    }
}

int main(void)
{
    test_case(single_core_is_what_mlir_aie_writes);
    test_case(streams_are_checked);
    test_case(broken_streams_end);
    test_case(files_are_words_or_hexadecimal);
    test_case(generated_streams_stay_within);
    test_case(columns_are_cut_evenly);
    test_case(manifests_say_what_they_mean);
    test_case(bad_manifests_are_refused_by_line);
    return test_finish();
}

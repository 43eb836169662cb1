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

int main(void)
{
    test_case(single_core_is_what_mlir_aie_writes);
    return test_finish();
}

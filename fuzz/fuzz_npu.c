/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a design's manifest, or, where it begins with a zero byte, behind that the file of a
 * stream of instructions.
 *
 * Properties: a refusal carries a message; a manifest that is accepted cuts any number of columns
 * into whole units, and what is generated for it is accepted too; a stream that is accepted is
 * accepted again, and never with less room. When an allocation fails nothing is left behind. */
#include "fuzz.h"

#include <string.h>

#include "backends/amd_xrt_npu/design.h"

#define SIZE_MAX_BYTES 65536

static void check_stream(const uint8_t *data, size_t size, het__mem *mem)
{
    static const uint64_t room[3] = { 65536, 65536, 262144 }, less[3] = { 0, 0, 0 };
    uint32_t *words = NULL;
    size_t count = 0;
    het_error err = HET_ERROR_INIT;
    const het_status s = het__txn_read(mem, data, size, &words, &count, &err);
    if (s != HET_OK) {
        FUZZ_REQUIRE((s == HET_E_FORMAT || s == HET_E_NOMEM) && err.message[0]);
        return;
    }
    for (uint32_t columns = 1; columns <= 8; columns *= 2) {
        const het_status first = het__txn_check(words, count, columns, room, &err);
        FUZZ_REQUIRE(first == HET_OK || (first == HET_E_FORMAT && err.message[0]));
        FUZZ_REQUIRE(first == het__txn_check(words, count, columns, room, &err));
        if (first != HET_OK)
            FUZZ_REQUIRE(het__txn_check(words, count, columns, less, &err) != HET_OK);
    }
    het__free(mem, words);
}

static void check_manifest(const uint8_t *data, size_t size, het__mem *mem)
{
    static het__npu_design d;
    het__arena arena;
    het_error err = HET_ERROR_INIT;
    het__arena_init(&arena, mem);
    const het_status s =
        het__npu_manifest_read((const char *)data, size, "/designs/x", &arena, &d, &err);
    FUZZ_REQUIRE(s == HET_OK || err.message[0]);
    if (s == HET_OK && d.source != HET__NPU_FILES) {
        const int64_t width = het__npu_cut_columns(&d, 100);
        uint32_t *words = NULL;
        size_t count = 0;
        FUZZ_REQUIRE(width > 0 && width % het__npu_unit_columns(&d) == 0);
        const het_status made = het__npu_instructions(&d, mem, het__npu_unit_rows(&d), width,
                                                      &words, &count, &err);
        FUZZ_REQUIRE(made == HET_OK || made == HET_E_NOMEM);
        het__free(mem, words);
    }
    het__arena_finish(&arena);
}

static void run(const uint8_t *data, size_t size, uint64_t until)
{
    fuzz_memory memory;
    het__mem mem;
    fuzz_mem_init(&mem, &memory, until);
    if (size > 0 && data[0] == 0)
        check_stream(data + 1, size - 1, &mem);
    else
        check_manifest(data, size, &mem);
    FUZZ_REQUIRE(memory.live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SIZE_MAX_BYTES)
        return 0;
    run(data, size, UINT64_MAX);
    run(data, size, fuzz_seed(data, size) % 8);
    return 0;
}

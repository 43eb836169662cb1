/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a line with a kernel file, then its options.
 *
 * Properties: asking twice gives the same; what is found is a module with constants that the list
 * has, each once; where nothing is found nothing is written; what a device offers more never loses
 * a module. */
#include "fuzz.h"

#include <string.h>

#include "backends/kernels/spirv.h"

#define TEXT_MAX 4096

static bool find(const char *file, const char *options, bool fp16, uint32_t subgroup,
                 het__spirv *found)
{
    const het__spirv_target target = { fp16, subgroup, fp16 };
    memset(found, 0x5a, sizeof *found);
    het__spirv untouched = *found;
    const bool is_there = het__spirv_find(file, options, &target, found);
    FUZZ_REQUIRE(is_there || memcmp(found, &untouched, sizeof untouched) == 0);
    return is_there;
}

static void check(const het__spirv *found)
{
    FUZZ_REQUIRE(found->bytes >= 20 && found->bytes % 4 == 0);
    FUZZ_REQUIRE(*(const uint32_t *)found->code == 0x07230203);
    FUZZ_REQUIRE(found->constant_count <= HET__SPIRV_CONSTANTS_MAX);
    for (uint32_t i = 0; i < found->constant_count; i++) {
        FUZZ_REQUIRE(found->values[i] >= 0);
        FUZZ_REQUIRE(i == 0 || found->ids[i] > found->ids[i - 1]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX];
    het__spirv plain, again, full;
    if (size >= sizeof text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    char *options = text + strcspn(text, "\n");
    if (*options)
        *options++ = 0;
    const bool is_there = find(text, options, false, 0, &plain);
    FUZZ_REQUIRE(find(text, options, false, 0, &again) == is_there);
    FUZZ_REQUIRE(find(text, options, true, 16, &full) || !is_there);
    if (!is_there)
        return 0;
    check(&plain);
    check(&full);
    FUZZ_REQUIRE(plain.code == again.code && plain.constant_count == again.constant_count);
    return 0;
}

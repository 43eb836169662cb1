/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a template | NUL | variables as JSON (both of any bytes).
 *
 * Properties: reading and running end, within their limits, with a text or a sentence; the same
 * input gives the same text; when an allocation fails, the answer is out of memory or what it was
 * before; nothing leaks. */
#include "fuzz.h"

#include <string.h>

#include "lib/text/template.h"

static const het__template_limits limits = { 20000, (size_t)4 << 20, 65536 };

static het_status run(het__mem *mem, const uint8_t *data, size_t size, char **text, size_t *bytes,
                      het_error *err)
{
    static const het_chat_message messages[] = {
        { "system", "Be brief.", NULL },
        { "user", "\xc3\x84 <b> {{ x }}", "{\"name\": \"a\", \"n\": [1, 2.5, null]}" },
        { "assistant", NULL, "{\"tool_calls\": [{\"function\": {\"name\": \"f\"}}]}" },
    };
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    const size_t cut = end ? (size_t)(end - data) : size;
    char *json = cut < size ? malloc(size - cut) : NULL;
    het_template_options o = HET_TEMPLATE_OPTIONS_INIT;
    het__template t;
    *text = NULL;
    if (json) {
        memcpy(json, data + cut + 1, size - cut - 1);
        json[size - cut - 1] = '\0';
    }
    o.flags = size & 1 ? HET_TEMPLATE_GENERATION_PROMPT : 0;
    o.tools_json = "[{\"type\": \"function\"}]";
    o.variables_json = json;
    o.bos_token = "<s>";
    o.date_s = (int64_t)size * 1000000007;
    het_status s = het__template_init(&t, mem, (het__ts){ (const char *)data, cut }, &limits, err);
    if (s == HET_OK) {
        s = het__template_apply(&t, mem, messages, 3, &o, &limits, text, bytes, err);
        het__template_finish(&t);
    }
    FUZZ_REQUIRE((s == HET_OK) == (*text != NULL));
    free(json);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    het__mem mem;
    het_error err = HET_ERROR_INIT;
    char *first, *second;
    size_t bytes = 0, again = 0;
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    const het_status s = run(&mem, data, size, &first, &bytes, &err);
    FUZZ_REQUIRE(s == HET_OK || err.message[0]);
    FUZZ_REQUIRE(s == HET_OK || s == HET_E_INVALID || s == HET_E_FORMAT ||
                 s == HET_E_UNSUPPORTED);
    FUZZ_REQUIRE(s != HET_OK || bytes <= limits.output_bytes);
    FUZZ_REQUIRE(run(&mem, data, size, &second, &again, NULL) == s);
    if (s == HET_OK)
        FUZZ_REQUIRE(bytes == again && memcmp(first, second, bytes) == 0);
    het__free(&mem, first);
    het__free(&mem, second);
    FUZZ_REQUIRE(memory.live == 0 && memory.used == 0);

    fuzz_mem_init(&mem, &memory, fuzz_seed(data, size) % 12);
    const het_status scarce = run(&mem, data, size, &first, &bytes, NULL);
    FUZZ_REQUIRE(scarce == s || scarce == HET_E_NOMEM);
    het__free(&mem, first);
    FUZZ_REQUIRE(memory.live == 0 && memory.used == 0);
    return 0;
}

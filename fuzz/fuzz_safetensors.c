/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a safetensors file as it stands.
 *
 * Properties: a refusal carries a message of printable ASCII; the tensors lie inside the input,
 * side by side without gaps, as large as their types and extents ask for; every name is found again
 * and what it means to a family is a name of the graph; reading it twice as two shards is refused
 * unless it is empty; when an allocation fails, the answer is out of memory or what it was before;
 * nothing leaks. */
#include "fuzz.h"

#include <string.h>

#include "lib/base/dtype.h"
#include "lib/import/hf_names.h"
#include "lib/import/safetensors.h"

typedef struct result {
    fuzz_memory memory;
    het__mem mem;
    het__arena arena;
    het__safetensors st;
    het_error err;
    het_status status;
} result;

static void start(result *r, const uint8_t *data, size_t size, uint64_t until, int times)
{
    memset(r, 0, sizeof *r);
    fuzz_mem_init(&r->mem, &r->memory, until);
    het__arena_init(&r->arena, &r->mem);
    r->err = (het_error)HET_ERROR_INIT;
    het__safetensors_init(&r->st, &r->arena);
    for (int i = 0; i < times && r->status == HET_OK; i++)
        r->status = het__safetensors_add(&r->st, i ? "second" : "first", data, size, &r->err);
    if (r->status == HET_OK)
        r->status = het__safetensors_seal(&r->st, &r->err);
}

static void finish(result *r)
{
    het__arena_finish(&r->arena);
    FUZZ_REQUIRE(r->memory.live == 0 && r->memory.used == 0);
}

static void check_refusal(const result *r)
{
    FUZZ_REQUIRE(r->status == HET_E_FORMAT || r->status == HET_E_UNSUPPORTED ||
                 r->status == HET_E_NOMEM);
    FUZZ_REQUIRE(r->err.status == (int32_t)r->status && r->err.message[0]);
    for (const char *p = r->err.message; *p; p++)
        FUZZ_REQUIRE(*p >= 0x20 && *p < 0x7f);
}

static void check_tensors(const result *r, const uint8_t *data, size_t size)
{
    const uint8_t *at = NULL;
    for (size_t i = 0; i < r->st.count; i++) {
        const het__st_tensor *t = &r->st.tensors[i];
        const uint8_t *p = t->data;
        size_t bytes = het__dtype(t->dtype)->block_bytes;
        for (uint32_t k = 0; k < t->rank; k++) {
            FUZZ_REQUIRE(t->extent[k] >= 0);
            bytes *= (size_t)t->extent[k];
        }
        FUZZ_REQUIRE(bytes == t->bytes && p >= data + 8 && p + bytes <= data + size);
        FUZZ_REQUIRE(!at || p == at);
        at = p + bytes;
        FUZZ_REQUIRE(het__safetensors_find(&r->st, t->name) == t);
    }
    FUZZ_REQUIRE(!at || at == data + size);
}

static void check_names(const result *r)
{
    static const char *const families[] = { "llama", "gemma2", "gemma3n", "qwen3moe" };
    for (size_t i = 0; i < r->st.count; i++)
        for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
            het__hf_name n;
            het__hf_name_of(het__hf_family_of(families[f]), r->st.tensors[i].name, &n);
            const bool used = n.use != HET__HF_UNKNOWN && n.use != HET__HF_OTHER;
            FUZZ_REQUIRE(used == (n.name[0] != '\0') && strlen(n.name) < HET__HF_NAME_BYTES - 1);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result first, second;
    start(&first, data, size, UINT64_MAX, 1);
    start(&second, data, size, fuzz_seed(data, size) % 4, 1);
    FUZZ_REQUIRE(second.status == HET_E_NOMEM || second.status == first.status);
    finish(&second);

    if (first.status == HET_OK) {
        check_tensors(&first, data, size);
        check_names(&first);
        start(&second, data, size, UINT64_MAX, 2);
        FUZZ_REQUIRE(second.status == (first.st.count ? HET_E_FORMAT : HET_OK));
        finish(&second);
    } else {
        check_refusal(&first);
    }
    finish(&first);
    return 0;
}

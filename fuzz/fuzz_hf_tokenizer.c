/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a tokenizer.json and, behind a byte 0xff, a text to encode; or, if it does not begin as an
 * object, a SentencePiece model.
 *
 * Properties: a refusal carries a message of printable ASCII; ids are in range and as many as
 * promised; decoding what was encoded works, and a stream gives UTF-8; encoding twice gives the
 * same; when an allocation fails, the answer is out of memory or what it was before; nothing
 * leaks. */
#include "fuzz.h"

#include <string.h>

#include "lib/import/hf_tokenizer.h"
#include "lib/text/utf8.h"

#define IDS_MAX 8192

static const char sample[] = "Hello  world,\n\tit's 2024! <|end|> \xc3\xa9 e\xcc\x81 \xe2\x96\x81x "
                             "\xf0\x9f\x98\x80\xff 12345";

typedef struct result {
    fuzz_memory memory;
    het__mem mem;
    het_tokenizer *t;
    het_error err;
    het_status status;
} result;

static void start(result *r, const uint8_t *data, size_t size, uint64_t until)
{
    memset(r, 0, sizeof *r);
    fuzz_mem_init(&r->mem, &r->memory, until);
    r->err = (het_error)HET_ERROR_INIT;
    r->status = size && data[0] == '{'
                    ? het__hf_tokenizer_json(data, size, &r->mem, &r->t, &r->err)
                    : het__hf_tokenizer_spm(data, size, &r->mem, &r->t, &r->err);
    FUZZ_REQUIRE((r->status == HET_OK) == (r->t != NULL));
}

static void finish(result *r)
{
    het__tokenizer_destroy(r->t);
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

static void check_stream(const het_tokenizer *t, const int32_t *ids, size_t count)
{
    het_detokenizer *d = NULL;
    const char *text;
    size_t bytes;
    FUZZ_REQUIRE(het_detokenizer_create(t, 0, &d, NULL) == HET_OK);
    for (size_t i = 0; i <= count; i++) {
        FUZZ_REQUIRE(het_detokenizer_push(d, i < count ? ids[i] : -1, &text, &bytes) == HET_OK);
        for (size_t k = 0, n; k < bytes; k += n) {
            n = het__utf8_char(text + k, bytes - k);
            FUZZ_REQUIRE(n > 0);
        }
    }
    het_detokenizer_destroy(d);
}

static void check_text(result *r, const char *text, size_t size, uint64_t flags)
{
    static int32_t ids[IDS_MAX], again[IDS_MAX];
    size_t count = 0, count_again = 0, bytes = 0;
    het_error err = HET_ERROR_INIT;
    het_tokenizer_info info = { .struct_size = sizeof info };
    const het_status s =
        het_tokenizer_encode(r->t, text, size, flags, ids, IDS_MAX, &count, &err);
    if (s != HET_OK) { /* an expression that takes too long */
        FUZZ_REQUIRE((s == HET_E_UNSUPPORTED || s == HET_E_NOMEM) && err.message[0]);
        return;
    }
    FUZZ_REQUIRE(het_tokenizer_encode(r->t, text, size, flags, again, IDS_MAX, &count_again,
                                      NULL) == HET_OK);
    FUZZ_REQUIRE(count == count_again && het_tokenizer_get_info(r->t, &info) == HET_OK);
    count = count < IDS_MAX ? count : IDS_MAX;
    FUZZ_REQUIRE(memcmp(ids, again, count * sizeof *ids) == 0);
    for (size_t i = 0; i < count; i++)
        FUZZ_REQUIRE(ids[i] >= 0 && ids[i] < info.token_count);
    FUZZ_REQUIRE(het_tokenizer_decode(r->t, ids, count, 0, NULL, 0, &bytes, NULL) == HET_OK);
    check_stream(r->t, ids, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result first, second;
    const uint8_t *mark = size && data[0] == '{' ? memchr(data, 0xff, size) : NULL;
    const size_t file = mark ? (size_t)(mark - data) : size;
    start(&first, data, file, UINT64_MAX);
    start(&second, data, file, fuzz_seed(data, size) % 16);
    FUZZ_REQUIRE(second.status == HET_E_NOMEM || second.status == first.status);
    finish(&second);
    if (first.status == HET_OK) {
        const char *text = mark ? (const char *)mark + 1 : sample;
        const size_t bytes = mark ? size - file - 1 : sizeof sample - 1;
        check_text(&first, text, bytes, 0);
        check_text(&first, text, bytes, HET_ENCODE_ADD_SPECIAL | HET_ENCODE_PARSE_SPECIAL);
    } else {
        check_refusal(&first);
    }
    finish(&first);
    return 0;
}

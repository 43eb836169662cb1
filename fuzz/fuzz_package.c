/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a package as it stands. It is read once so, and once with its size and its hashes
 * repaired, so that the index and the frames are reached.
 *
 * Properties: memory is bounded by the input's size; a refusal carries a message of printable
 * ASCII; files are made of segments and segments of frames without gaps, inside the input; every
 * file is found by a name that stays below its folder; frames unpack to what they announce, or are
 * refused with the tensor's name, on one thread as on two; when an allocation fails, the answer is
 * out of memory or what it was before; nothing leaks. */
#include "fuzz.h"

#include <string.h>

#include "lib/base/compress.h"
#include "lib/base/hash.h"
#include "lib/import/package_parts.h"

/* As much as is unpacked of one input. */
#define CONTENT_MAX ((uint64_t)8 << 20)

typedef struct result {
    fuzz_memory memory;
    het__mem mem;
    het__arena arena;
    het__package package;
    het_error err;
    het_status status;
} result;

static void start(result *r, const uint8_t *data, size_t size, uint64_t until)
{
    memset(r, 0, sizeof *r);
    fuzz_mem_init(&r->mem, &r->memory, until);
    het__arena_init(&r->arena, &r->mem);
    r->err = (het_error)HET_ERROR_INIT;
    r->status = het__package_open(&r->package, &r->arena, data, size, &r->err);
}

static void finish(result *r)
{
    het__arena_finish(&r->arena);
    FUZZ_REQUIRE(r->memory.live == 0 && r->memory.used == 0);
}

static void check_message(het_status status, const het_error *err)
{
    FUZZ_REQUIRE(err->status == (int32_t)status && err->message[0]);
    for (const char *p = err->message; *p; p++)
        FUZZ_REQUIRE(*p >= 0x20 && *p < 0x7f);
}

static void check_index(const het__package *p, size_t size)
{
    uint64_t content = 0, frames = 0;
    uint32_t segments = 0;
    for (uint32_t i = 0; i < p->file_count; i++) {
        const het__package_file *f = &p->files[i];
        const uint64_t begin = content;
        FUZZ_REQUIRE(het__package_path_is_safe(f->name, strlen(f->name)));
        FUZZ_REQUIRE(het__package_find(p, f->name) == f && f->first_segment == segments);
        for (uint32_t k = 0; k < f->segment_count; k++) {
            const het__package_segment *s = &p->segments[segments++];
            FUZZ_REQUIRE(s->content == content && s->first_frame == frames && s->bytes > 0);
            content += s->bytes;
            frames += (s->bytes - 1) / p->block_bytes + 1;
        }
        FUZZ_REQUIRE(content - begin == f->bytes && het__package_head(p, f) <= f->bytes);
    }
    FUZZ_REQUIRE(segments == p->segment_count && frames == p->frame_count &&
                 content == p->content_bytes);
    for (uint64_t i = 0; i < frames; i++)
        FUZZ_REQUIRE(p->starts[i] < size && (i == 0 || p->starts[i] > p->starts[i - 1]));
}

static het_status unpack(result *r, uint32_t threads)
{
    const het__package_job job = { .package = &r->package, .end_frame = r->package.frame_count,
                                   .threads = threads };
    return het__package_unpack(&job, &r->mem, &r->err);
}

static void check_package(const uint8_t *data, size_t size)
{
    result first, second;
    start(&first, data, size, UINT64_MAX);
    start(&second, data, size, fuzz_seed(data, size) % 4);
    FUZZ_REQUIRE(second.status == HET_E_NOMEM || second.status == first.status);
    finish(&second);
    FUZZ_REQUIRE(first.memory.used <= 8 * size + 65536);
    if (first.status == HET_OK) {
        check_index(&first.package, size);
        if (first.package.content_bytes <= CONTENT_MAX) {
            const het_status s = unpack(&first, 1);
            FUZZ_REQUIRE(s == HET_OK || s == HET_E_FORMAT);
            if (s != HET_OK)
                check_message(s, &first.err);
            het_error err = first.err;
            FUZZ_REQUIRE(unpack(&first, 2) == s);
            FUZZ_REQUIRE(strcmp(err.message, first.err.message) == 0);
        }
    } else {
        FUZZ_REQUIRE(first.status == HET_E_FORMAT || first.status == HET_E_VERSION);
        check_message(first.status, &first.err);
    }
    finish(&first);
}

static uint64_t number(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static void put(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* The size and both hashes, where the index lies inside. */
static void repair(uint8_t *data, size_t size)
{
    const uint64_t files = number(data + HET__PACKAGE_AT_FILES, 4);
    const uint64_t segments = number(data + HET__PACKAGE_AT_SEGMENTS, 4);
    const uint64_t frames = number(data + HET__PACKAGE_AT_FRAMES, 8);
    const uint64_t names = number(data + HET__PACKAGE_AT_NAMES, 8);
    memcpy(data, HET__PACKAGE_MAGIC, 8);
    put(data + HET__PACKAGE_AT_BYTES, size);
    if (frames <= size && names <= size) {
        const uint64_t index = files * HET__PACKAGE_FILE_BYTES +
                               segments * HET__PACKAGE_SEGMENT_BYTES +
                               frames * HET__PACKAGE_FRAME_BYTES + names;
        if (index <= size - HET__PACKAGE_HEADER_BYTES) {
            const het__hash128 h =
                het__hash128_of(data + HET__PACKAGE_HEADER_BYTES, (size_t)index);
            memcpy(data + HET__PACKAGE_AT_INDEX_HASH, h.byte, sizeof h.byte);
        }
    }
    put(data + HET__PACKAGE_AT_HASH, het__hash64(data, HET__PACKAGE_AT_HASH, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!het__compress_present())
        return 0;
    check_package(data, size);
    if (size < HET__PACKAGE_HEADER_BYTES)
        return 0;
    uint8_t *copy = malloc(size);
    FUZZ_REQUIRE(copy);
    memcpy(copy, data, size);
    repair(copy, size);
    check_package(copy, size);
    free(copy);
    return 0;
}

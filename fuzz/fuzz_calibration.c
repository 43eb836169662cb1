/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a calibration's file.
 *
 * Properties: memory is bounded by the input's size; a refusal names the file, carries a message
 * and leaves nothing behind; writing what was read and reading that gives the same text; whatever
 * the samples, the fit ends, and every cost by it is finite, positive, within its range, and never
 * falls when there is more to do; when an allocation fails, the answer is out of memory or what it
 * was before; nothing leaks. */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/cost/cost.h"
#include "lib/machine/calibration.h"

#define NAME "c.yaml"
/* What is fitted for each input: more takes its time. */
#define ITEMS_FITTED 64

typedef struct result {
    fuzz_memory memory;
    het__mem mem;
    het__calibration calibration; /* finished if it was refused */
    char *text;
    het_error err;
    het_status status;
} result;

static void start(result *r, const void *data, size_t size, uint64_t until)
{
    memset(r, 0, sizeof *r);
    fuzz_mem_init(&r->mem, &r->memory, until);
    r->err = (het_error)HET_ERROR_INIT;
    r->status = het__calibration_read(&r->calibration, data, size, NAME, &r->mem, &r->err);
    if (r->status != HET_OK)
        return;
    r->text = het__calibration_write(&r->calibration, &r->mem);
    if (!r->text)
        r->status = het__fail_nomem(&r->err, NAME);
}

static void finish(result *r)
{
    het__free(&r->mem, r->text);
    het__calibration_finish(&r->calibration);
    FUZZ_REQUIRE(r->memory.live == 0 && r->memory.used == 0);
}

static double cost_of(const het__work_item *item, const het__calibration *c)
{
    het__cost cost;
    het__cost_calibrated(item, c, &cost);
    FUZZ_REQUIRE(isfinite(cost.ns) && cost.ns > 0);
    FUZZ_REQUIRE(0 < cost.low_ns && cost.low_ns <= cost.ns && cost.ns <= cost.high_ns);
    FUZZ_REQUIRE(cost.launch_ns >= 0 && cost.compute_ns >= 0 && cost.memory_ns >= 0);
    return cost.ns;
}

/* The last digits may be lost in rounding. */
static void check_costs(const het__calibration *c)
{
    for (uint32_t k = 0; k < HET__WORK_CLASS_COUNT; k++) {
        const het__work_item little = { .work_class = k, .format = HET_DTYPE_F32, .flops = 1e4,
                                        .input_bytes = 1e3, .output_bytes = 1e3,
                                        .weight_bytes = 1e3, .units = 64 };
        het__work_item more = little;
        const double ns = cost_of(&little, c);
        more.flops *= 8;
        FUZZ_REQUIRE(cost_of(&more, c) >= ns * (1 - 1e-9));
        more = little;
        more.weight_bytes *= 8;
        FUZZ_REQUIRE(cost_of(&more, c) >= ns * (1 - 1e-9));
    }
}

static void check_fit(result *r)
{
    if (r->calibration.item_count > ITEMS_FITTED)
        return;
    r->err = (het_error)HET_ERROR_INIT;
    const het_status s = het__calibration_fit(&r->calibration, &r->mem, &r->err);
    FUZZ_REQUIRE(s == HET_OK || s == HET_E_NOMEM);
    if (s == HET_OK)
        check_costs(&r->calibration);
}

static void check_again(const uint8_t *data, size_t size, const result *first, uint64_t until)
{
    result second;
    start(&second, data, size, until);
    FUZZ_REQUIRE(second.status == HET_E_NOMEM || second.status == first->status);
    FUZZ_REQUIRE(second.status == HET_OK || second.err.message[0]);
    finish(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result first, second;
    start(&first, data, size, UINT64_MAX);
    FUZZ_REQUIRE(atomic_load(&first.mem.peak) <= ((size_t)2 << 20) + 1024 * size);
    check_again(data, size, &first, fuzz_seed(data, size) % 64);
    if (first.status == HET_OK) {
        start(&second, first.text, strlen(first.text), UINT64_MAX);
        FUZZ_REQUIRE(second.status == HET_OK && strcmp(first.text, second.text) == 0);
        finish(&second);
        check_fit(&first);
    } else {
        FUZZ_REQUIRE(first.err.status == (int32_t)first.status && first.err.message[0]);
        FUZZ_REQUIRE(first.status == HET_E_NOMEM ||
                     strncmp(first.err.message, NAME ":", sizeof NAME) == 0);
    }
    finish(&first);
    return 0;
}

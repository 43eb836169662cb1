/* SPDX-License-Identifier: Apache-2.0 */
/* The memory plan: what is alive together lies apart, and little is wasted. */
#include "lib/exec/memory.h"

#include "counting_allocator.h"
#include "test.h"

#define COUNT_MAX 200

static size_t live_bytes_max(const het__interval *it, uint32_t count)
{
    size_t most = 0;
    for (uint32_t i = 0; i < count; i++) { /* the peak is at the beginning of some interval */
        size_t live = 0;
        for (uint32_t j = 0; j < count; j++)
            if (it[j].first <= it[i].first && it[i].first <= it[j].last)
                live += it[j].bytes;
        most = live > most ? live : most;
    }
    return most;
}

static bool apart(const het__interval *a, const het__interval *b)
{
    const bool in_time = a->first <= b->last && b->first <= a->last;
    return !in_time || a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset;
}

static void check_plan(const het__interval *it, const het__interval *asked, uint32_t count,
                       size_t total)
{
    uint32_t bad = 0, unaligned = 0, beyond = 0, changed = 0;
    for (uint32_t i = 0; i < count; i++) {
        unaligned += it[i].offset % HET__ALIGN != 0 || it[i].bytes % HET__ALIGN != 0;
        beyond += it[i].offset + it[i].bytes > total;
        changed += it[i].first != asked[i].first || it[i].last != asked[i].last ||
                   it[i].bytes < asked[i].bytes || it[i].bytes >= asked[i].bytes + HET__ALIGN;
        for (uint32_t j = 0; j < i; j++)
            bad += !apart(&it[i], &it[j]);
    }
    CHECK_INT(bad, 0);
    CHECK_INT(unaligned, 0);
    CHECK_INT(beyond, 0);
    CHECK_INT(changed, 0);
    CHECK(total >= live_bytes_max(it, count));
}

static void random_intervals(void)
{
    uint64_t seed = 3;
    het__mem mem;
    het__mem_init(&mem, NULL);
    double worst = 1, sum = 0;
    const uint32_t rounds = 400;
    for (uint32_t r = 0; r < rounds; r++) {
        het__interval it[COUNT_MAX], asked[COUNT_MAX], again[COUNT_MAX];
        const uint32_t count = 1 + (uint32_t)(test_random(&seed) >> 32) % COUNT_MAX;
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t first = (uint32_t)(test_random(&seed) >> 32) % 100;
            const uint32_t length = (uint32_t)(test_random(&seed) >> 32) % (r % 2 ? 4 : 40);
            const size_t bytes = (size_t)(test_random(&seed) >> 32) % (r % 3 ? 5000 : 100000);
            it[i] = (het__interval){ first, first + length,
                                     r % 5 ? bytes : bytes / 4096 * 4096, 1 };
        }
        memcpy(asked, it, sizeof it);
        memcpy(again, it, sizeof it);
        size_t total = 1, total_again = 2;
        CHECK_INT(het__memory_plan(it, count, &mem, &total), HET_OK);
        check_plan(it, asked, count, total);
        CHECK_INT(het__memory_plan(again, count, &mem, &total_again), HET_OK);
        CHECK_INT(total_again, total);
        CHECK(memcmp(it, again, count * sizeof *it) == 0);
        const size_t low = live_bytes_max(it, count);
        const double factor = low ? (double)total / (double)low : 1;
        worst = factor > worst ? factor : worst;
        sum += factor;
    }
    printf("bytes over the peak alive: %.3f on average, %.3f at worst\n", sum / rounds, worst);
    CHECK(worst < 1.6 && sum / rounds < 1.1);
    CHECK_INT(mem.bytes, 0);
}

static void none_and_empty(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    size_t total = 7;
    CHECK_INT(het__memory_plan(NULL, 0, &mem, &total), HET_OK);
    CHECK_INT(total, 0);
    het__interval it[] = { { 0, 5, 0, 9 }, { 2, 3, 100, 9 }, { 3, 3, 0, 9 }, { 3, 9, 64, 9 } };
    CHECK_INT(het__memory_plan(it, 4, &mem, &total), HET_OK);
    CHECK_INT(total, 192);
    CHECK(apart(&it[1], &it[3]));
    CHECK_INT(mem.bytes, 0);
}

/* A chain x0 -> x1 -> x2 … needs two of them at a time. */
static void chain(void)
{
    het__interval it[50];
    het__mem mem;
    het__mem_init(&mem, NULL);
    for (uint32_t i = 0; i < 50; i++)
        it[i] = (het__interval){ i, i + 1, 1024, 0 };
    size_t total = 0;
    CHECK_INT(het__memory_plan(it, 50, &mem, &total), HET_OK);
    CHECK_INT(total, 2048);
}

static void no_memory(void)
{
    counting_allocator counter = { 0 };
    const het_allocator allocator = counting_allocator_of(&counter);
    het__mem mem;
    het__mem_init(&mem, &allocator);
    for (uint64_t n = 1; n <= 3; n++) {
        het__interval it[3] = { { 0, 1, 64, 0 }, { 1, 2, 64, 0 }, { 2, 3, 64, 0 } };
        size_t total;
        counting_allocator_fail(&counter, n);
        CHECK_INT(het__memory_plan(it, 3, &mem, &total), n < 3 ? HET_E_NOMEM : HET_OK);
        CHECK_INT(counter.blocks, 0);
    }
}

int main(void)
{
    test_case(random_intervals);
    test_case(none_and_empty);
    test_case(chain);
    test_case(no_memory);
    return test_finish();
}

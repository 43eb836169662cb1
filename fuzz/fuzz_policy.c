/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a policy as text.
 *
 * Properties: a refusal carries a message without control characters and leaves nothing behind;
 * what is accepted is written, read and written again, with the same text; on a machine of three
 * devices it either says what is missing, or gives every part of a network, in every layer, answers
 * that agree with each other; every note has a key and a text; when an allocation fails, the answer
 * is out of memory or what it was before, and nothing is left behind. */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "lib/partition/policy.h"

#define SIZE_MAX_BYTES 65536

static void check_message(het_status status, const het_error *err)
{
    FUZZ_REQUIRE(status == HET_E_FORMAT || status == HET_E_INVALID || status == HET_E_NOMEM ||
                 status == HET_E_VERSION);
    FUZZ_REQUIRE(err->status == (int32_t)status && err->message[0]);
    for (const char *p = err->message; *p; p++)
        FUZZ_REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void make_machine(het__machine *m)
{
    static const uint32_t kinds[] = { HET_DEVICE_CPU, HET_DEVICE_IGPU, HET_DEVICE_NPU };
    memset(m, 0, sizeof *m);
    m->group_count = 1;
    m->group[0].memory_bytes.value = 32e9;
    for (; m->device_count < 3; m->device_count++) {
        m->device[m->device_count].kind = kinds[m->device_count];
        m->device[m->device_count].context_index = UINT32_MAX;
        m->device[m->device_count].units.value = 8;
    }
}

static void check_answers(const het__policy_view *view)
{
    for (uint32_t c = 0; c < HET__CLASS_COUNT; c++)
        for (int32_t layer = -1; layer < 3; layer++) {
            het__policy_answer answers[HET__MACHINE_DEVICES_MAX];
            const het__policy_subject s = { { c, layer }, "blk.0.attn_q", "linear", 1e6 * c, 1e5 };
            het__policy_ask(view, &s, answers);
            for (uint32_t d = 0; d < view->machine->device_count; d++) {
                char why[64];
                FUZZ_REQUIRE(answers[d].broken <= HET__POLICY_DEVICES_MAX);
                FUZZ_REQUIRE(het__policy_allows(view, &s, d, why, sizeof why) ==
                             answers[d].is_allowed);
                FUZZ_REQUIRE(why[0] && strlen(why) < sizeof why);
                FUZZ_REQUIRE(answers[d].is_allowed || answers[d].cause != HET__CAUSE_NONE);
            }
        }
}

static void check_meaning(const het__policy *policy, het__mem *mem)
{
    het__machine machine;
    het__policy_view view;
    het_error err = HET_ERROR_INIT;
    make_machine(&machine);
    const het_status status = het__policy_bind(policy, &machine, mem, &view, &err);
    if (status != HET_OK) {
        check_message(status, &err);
        return;
    }
    check_answers(&view);
    for (uint32_t d = 0; d < machine.device_count; d++) {
        FUZZ_REQUIRE(het__policy_memory_limit(&view, d) > 0);
        FUZZ_REQUIRE(het__policy_threads(&view, d) <= 1024);
        FUZZ_REQUIRE(het__policy_precision_of(&view, d) <= HET__PEAK_COUNT);
    }
    FUZZ_REQUIRE(het__policy_objective(policy) != HET_OBJECTIVE_DEFAULT);
    het__policy_view_finish(&view);
}

static void check_note(void *user, const het_policy_note *note)
{
    (void)user;
    FUZZ_REQUIRE(note->key[0] && note->text[0]);
}

static char *write_policy(const het__policy *policy, het__mem *mem)
{
    het__text text;
    het__text_init(&text, mem);
    het__policy_write(policy, &text);
    char *whole = het__text_take(&text);
    FUZZ_REQUIRE(whole);
    return whole;
}

static void check_round(const het__policy *policy, het__mem *mem)
{
    het__policy again;
    char *first = write_policy(policy, mem);
    FUZZ_REQUIRE(het__policy_read(first, strlen(first), "again", mem, &again, NULL) == HET_OK);
    char *second = write_policy(&again, mem);
    FUZZ_REQUIRE(strcmp(first, second) == 0);
    het__free(mem, second);
    het__free(mem, first);
    het__policy_finish(&again);
}

static het_status run(const char *text, size_t size, uint64_t until)
{
    fuzz_memory memory;
    het__mem mem;
    het__policy policy;
    het_error err = HET_ERROR_INIT;
    fuzz_mem_init(&mem, &memory, until);
    const het_status status = het__policy_read(text, size, "fuzz", &mem, &policy, &err);
    if (status != HET_OK) {
        check_message(status, &err);
    } else if (until == UINT64_MAX) {
        check_round(&policy, &mem);
        check_meaning(&policy, &mem);
        het__policy_notes(&policy, check_note, NULL);
    }
    if (status == HET_OK)
        het__policy_finish(&policy);
    FUZZ_REQUIRE(memory.live == 0);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SIZE_MAX_BYTES)
        return 0;
    const het_status status = run((const char *)data, size, UINT64_MAX);
    const het_status without = run((const char *)data, size, fuzz_seed(data, size) % 16);
    FUZZ_REQUIRE(without == HET_E_NOMEM || without == status);
    return 0;
}

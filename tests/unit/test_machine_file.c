/* SPDX-License-Identifier: Apache-2.0 */
/* Machine files: what is read, what is refused and where, that writing what was read changes
 * nothing, that the built-in profiles are what they claim, and memory that runs out everywhere. */
#include "counting_allocator.h"
#include "lib/base/yaml.h"
#include "lib/machine/figures.h"
#include "lib/machine/machine_file.h"
#include "lib/machine/profile.h"
#include "test.h"

static counting_allocator counter;
static het__mem mem;
static het__arena arena;
static het__machine machine;
static het_error err;

static void begin(void)
{
    const het_allocator allocator = counting_allocator_of(&counter);
    counting_allocator_fail(&counter, 0);
    het__mem_init(&mem, &allocator);
    het__arena_init(&arena, &mem);
    err = (het_error)HET_ERROR_INIT;
}

static void end(void)
{
    het__arena_finish(&arena);
    CHECK_INT(counter.blocks, 0);
}

/* From a block of exactly its size. */
static het_status read_text(const char *text, size_t bytes)
{
    char *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, text, bytes);
    const het_status s = het__machine_read(copy, bytes, "m.yaml", &arena, &machine, &err);
    free(copy);
    return s;
}

/* In the arena. */
static const char *write_text(const het__machine *m)
{
    het__text text;
    het__text_init(&text, &mem);
    het__machine_put(&text, m);
    const char *copy = text.failed ? NULL : het__arena_strdup(&arena, text.data);
    het__text_finish(&text);
    return copy;
}

#define HEAD "hetinfer-machine: 1\nname: \"x\"\nmemories:\n  - name: \"m\"\n"
#define ONE HEAD "devices:\n  - name: \"d\"\n    kind: cpu\n"

static const char whole[] =
    "hetinfer-machine: 1\n"
    "name: \"Two devices\"\n"
    "about: \"For a test: \\\"quotes\\\", a \\\\ and \xc3\xa4.\"\n"
    "link:\n"
    "  bandwidth: {value: 8 GB/s, source: assumed, origin: \"a copy\"}\n"
    "  latency: {value: 10 us, source: assumed}\n"
    "memories:\n"
    "  - name: \"dram\"\n"
    "    bandwidth: {value: 89.6 GB/s, source: datasheet, origin: \"5600 MT/s x 16 B\"}\n"
    "    size: {value: 16 GiB, source: measured}\n"
    "  - name: \"hbm\"\n"
    "devices:\n"
    "  - name: \"a\"\n"
    "    kind: cpu\n"
    "    backend: \"cpu_onednn\"\n"
    "    memory: \"dram\"\n"
    "    f32: {value: 1.4656 Top/s, source: modelled, origin: \"6 x 32 x 5.1 GHz\"}\n"
    "    launch: {value: 1.5 us, source: measured}\n"
    "    units: {value: 6, source: datasheet}\n"
    "    near-memory: {value: 1280 KiB, source: datasheet}\n"
    "    price: {value: 0.25 /h, source: assumed}\n"
    "  - name: \"b\"\n"
    "    kind: npu\n"
    "    units-are: systolic\n"
    "    memory: \"hbm\"\n"
    "    int8: {value: 2 Top/s, unverified: true}\n"
    "    energy-per-op: {value: 0.1 pJ/op, unverified: true, origin: \"someone\"}\n"
    "links:\n"
    "  - from: \"a\"\n"
    "    to: \"b\"\n"
    "    bandwidth: {value: 3.3 GB/s, source: measured}\n"
    "    latency: {value: 7.25 us, source: measured}\n";

static void values_arrive(void)
{
    begin();
    CHECK_INT(read_text(whole, sizeof whole - 1), HET_OK);
    const het__machine_device *a = &machine.device[0], *b = &machine.device[1];
    CHECK_STR(machine.name, "Two devices");
    CHECK_STR(machine.about, "For a test: \"quotes\", a \\ and \xc3\xa4.");
    CHECK_INT(machine.device_count, 2);
    CHECK_INT(machine.group_count, 2);
    CHECK_INT(machine.link_count, 1);
    CHECK(machine.link_bandwidth.value == 8e9 && machine.link_latency.value == 10000);
    CHECK(machine.group[0].bandwidth.value == 89.6e9);
    CHECK(machine.group[0].memory_bytes.value == 16.0 * (1 << 30));
    CHECK(machine.group[1].bandwidth.value == 0);
    CHECK_INT(machine.group[1].bandwidth.source, HET_SOURCE_UNAVAILABLE);
    CHECK_INT(a->kind, HET_DEVICE_CPU);
    CHECK_INT(a->unit_class, HET__UNIT_CORES);
    CHECK_INT(a->context_index, UINT32_MAX);
    CHECK_STR(a->backend, "cpu_onednn");
    CHECK(a->peak[HET__PEAK_F32].value == 1.4656e12);
    CHECK_INT(a->peak[HET__PEAK_F32].source, HET_SOURCE_MODELLED);
    CHECK_STR(a->peak[HET__PEAK_F32].origin, "6 x 32 x 5.1 GHz");
    CHECK(a->launch.value == 1500 && a->launch.source == HET_SOURCE_MEASURED && !a->launch.origin);
    CHECK(a->units.value == 6 && a->near_bytes.value == 1280 * 1024 &&
          a->price_per_hour.value == 0.25);
    CHECK_INT(b->kind, HET_DEVICE_NPU);
    CHECK_INT(b->unit_class, HET__UNIT_SYSTOLIC);
    CHECK_INT(b->group, 1);
    CHECK(b->peak[HET__PEAK_INT8].is_unverified && b->joules_per_op.value == 0.1e-12);
    CHECK(het__machine_transfer_ns(&machine, 0, 1, 3.3e9) == 7250 + 1e9);
    CHECK_NEAR(het__machine_transfer_ns(&machine, 1, 0, 8e9), 10000 + 1e9, 1e-3);
    CHECK_STR(write_text(&machine), whole);
    end();
}

static void refusals_name_the_line(void)
{
    static const struct {
        const char *text;
        het_status status;
        const char *message;
    } cases[] = {
        { "", HET_E_INVALID, "m.yaml:1: the key 'hetinfer-machine' is missing" },
        { "- 1\n", HET_E_INVALID, "m.yaml:1: the key 'hetinfer-machine' is missing" },
        { "a: [\n", HET_E_FORMAT, NULL },
        { "\nhetinfer-machine: 2\nnews: 1\n", HET_E_VERSION,
          "m.yaml:2: a machine file of form 2; this release knows form 1" },
        { "hetinfer-machine: one\n", HET_E_INVALID,
          "m.yaml:1: hetinfer-machine must be a number, not 'one'" },
        { "hetinfer-machine: 1\n", HET_E_INVALID, "m.yaml:1: the key 'name' is missing" },
        { "hetinfer-machine: 1\nname: x\ncolour: red\n", HET_E_INVALID,
          "m.yaml:3: unknown key 'colour', not one of hetinfer-machine, name, about, link, "
          "memories, devices, links" },
        { "hetinfer-machine: 1\nname: x\n", HET_E_INVALID,
          "m.yaml:1: there is no memory under 'memories'" },
        { "hetinfer-machine: 1\nname: x\nmemories: {a: 1}\n", HET_E_INVALID,
          "m.yaml:3: memories must be a list" },
        { HEAD, HET_E_INVALID, "m.yaml:1: there is no device under 'devices'" },
        { HEAD "  - name: m\n", HET_E_INVALID, "m.yaml:5: there are two memories 'm'" },
        { ONE, HET_OK, NULL },
        { ONE "  - {name: d, kind: gpu}\n", HET_E_INVALID, "m.yaml:8: there are two devices 'd'" },
        { ONE "    memory: other\n", HET_E_INVALID, "m.yaml:8: there is no memory 'other'" },
        { HEAD "  - name: n\ndevices:\n  - {name: d, kind: cpu}\n", HET_E_INVALID,
          "m.yaml:7: there are several memories: the key 'memory' is missing" },
        { ONE "    speed: 3\n", HET_E_INVALID, NULL },
        { HEAD "devices:\n  - name: d\n    kind: abacus\n", HET_E_INVALID,
          "m.yaml:7: kind must be one of cpu, igpu, gpu, npu, reference, simulated, not 'abacus'" },
        { ONE "    f32: 3 Top/s\n", HET_E_INVALID, "m.yaml:8: f32 must be a mapping with keys" },
        { ONE "    f32: {source: measured}\n", HET_E_INVALID,
          "m.yaml:8: the key 'value' is missing" },
        { ONE "    f32: {value: 3 Top/s}\n", HET_E_INVALID,
          "m.yaml:8: f32 must have a source or 'unverified: true', not neither" },
        { ONE "    f32: {value: 3 Top/s, unverified: false}\n", HET_E_INVALID,
          "m.yaml:8: f32 must have a source or 'unverified: true', not neither" },
        { ONE "    f32: {value: 3 Top/s, source: assumed, unverified: true}\n", HET_E_INVALID,
          "m.yaml:8: f32 must have a source or 'unverified: true', not both" },
        { ONE "    f32: {value: 3 Top/s, source: hearsay}\n", HET_E_INVALID,
          "m.yaml:8: source must be one of measured, modelled, datasheet, assumed, not 'hearsay'" },
        { ONE "    f32: {value: 3 TB/s, source: assumed}\n", HET_E_INVALID,
          "m.yaml:8: value is '3 TB/s', whose unit is not 'op/s'" },
        { ONE "    f32: {value: 3, source: assumed}\n", HET_E_INVALID,
          "m.yaml:8: value is '3', whose unit is not 'op/s'" },
        { ONE "    f32: {value: 0 op/s, source: assumed}\n", HET_E_INVALID,
          "m.yaml:8: value is '0 op/s', not in 1000 to 1e+21" },
        { ONE "    f32: {value: -3 Top/s, source: assumed}\n", HET_E_INVALID, NULL },
        { ONE "    f32: {value: 1e30 op/s, source: assumed}\n", HET_E_INVALID, NULL },
        { ONE "    f32: {value: nan op/s, source: assumed}\n", HET_E_INVALID, NULL },
        { ONE "    units: {value: 1.5, source: assumed}\n", HET_E_INVALID,
          "m.yaml:8: units must be a whole number" },
        { ONE "    cache: {value: 1.5 B, source: assumed}\n", HET_E_INVALID,
          "m.yaml:8: cache must be a whole number of B" },
        { ONE "    f32: {value: 3 Top/s, source: assumed, origin: \"a\\tb\"}\n", HET_E_INVALID,
          "m.yaml:8: origin holds a character that is not for text" },
        { ONE "    backend: 0123456789abcdef\n", HET_E_INVALID,
          "m.yaml:8: backend has 16 bytes, more than 15" },
        { ONE "links:\n  - {from: d, to: e}\n", HET_E_INVALID, "m.yaml:9: there is no device 'e'" },
        { ONE "links:\n  - {from: d}\n", HET_E_INVALID, "m.yaml:9: the key 'to' is missing" },
        { ONE "links:\n  - {from: d, to: d}\n", HET_E_INVALID,
          "m.yaml:9: a link needs two devices" },
        { ONE "  - {name: e, kind: cpu}\nlinks:\n  - {from: d, to: e}\n  - {from: d, to: e}\n",
          HET_E_INVALID, "m.yaml:11: there are two links from 'd' to 'e'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin();
        const het_status s = read_text(cases[i].text, strlen(cases[i].text));
        if (s != cases[i].status || (s != HET_OK && err.status != (int32_t)s))
            TEST_FAIL("case %zu: %d, want %d: %s", i, s, cases[i].status, err.message);
        if (cases[i].message)
            CHECK_STR(err.message, cases[i].message);
        CHECK(s == HET_OK || strncmp(err.message, "m.yaml:", 7) == 0);
        end();
    }
}

/* One more entry than there is room for. */
static void counts_are_bounded(void)
{
    static char text[65536];
    enum { MOST = HET__MACHINE_DEVICES_MAX };
    for (uint32_t count = MOST; count <= MOST + 1; count++) {
        size_t n = (size_t)snprintf(text, sizeof text, "%sdevices:\n", HEAD);
        for (uint32_t i = 0; i < count; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "  - {name: d%u, kind: gpu}\n", i);
        begin();
        CHECK_INT(read_text(text, n), count > MOST ? HET_E_INVALID : HET_OK);
        end();
        n += (size_t)snprintf(text + n, sizeof text - n, "links:\n");
        if (count > MOST)
            break;
        for (uint32_t i = 0; i <= HET__MACHINE_LINKS_MAX; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "  - {from: d%u, to: d%u}\n",
                                  i / 15, (i / 15 + 1 + i % 15) % 16);
        begin();
        CHECK_INT(read_text(text, n), HET_E_INVALID);
        CHECK(strstr(err.message, "there are 65 links, more than 64"));
        end();
    }
    char *large = calloc(1, HET__MACHINE_FILE_BYTES_MAX + 1);
    begin();
    CHECK_INT(read_text(large, HET__MACHINE_FILE_BYTES_MAX + 1), HET_E_FORMAT);
    end();
    free(large);
}

/* ---- profiles ---- */

/* Above this nothing that is sold computes or reads, and below that nothing is worth a plan. */
static void check_plausible(const char *profile, uint32_t device)
{
    const het__machine_device *d = &machine.device[device];
    const het__machine_group *g = &machine.group[d->group];
    double peak = 0;
    for (uint32_t i = 0; i < HET__PEAK_COUNT; i++)
        peak = d->peak[i].value > peak ? d->peak[i].value : peak;
    const double balance = peak / d->bandwidth.value; /* operations per byte */
    if (!(peak >= 1e11 && peak <= 1e16) || !(balance >= 5 && balance <= 2000))
        TEST_FAIL("%s: %s: %g operations/s, %g per byte", profile, d->name, peak, balance);
    if (!(d->bandwidth.value <= g->bandwidth.value && g->bandwidth.value >= 1e10))
        TEST_FAIL("%s: %s reads more than its memory gives", profile, d->name);
    if (!(d->launch.value >= 500 && d->launch.value <= 1e6))
        TEST_FAIL("%s: %s: launch %g ns", profile, d->name, d->launch.value);
    /* A device whose operations took more than its power allows would be wrong by a factor. */
    if (d->joules_per_op.value > 0 && d->watts.value > 0 &&
        d->joules_per_op.value * peak > 8 * d->watts.value)
        TEST_FAIL("%s: %s: %g W by its operations, %g W stated", profile, d->name,
                  d->joules_per_op.value * peak, d->watts.value);
    if (d->clock.value > 0 && !(d->clock.value >= 1e8 && d->clock.value <= 6e9))
        TEST_FAIL("%s: %s: %g Hz", profile, d->name, d->clock.value);
}

static void check_origins(const char *profile)
{
    for (uint32_t i = 0; i < machine.device_count; i++)
        for (uint32_t k = 0; k < HET__FIGURE_COUNT; k++) {
            const het__figure *f = het__machine_figure(&machine, i, k);
            if (het__figure_is_known(f) && !f->origin)
                TEST_FAIL("%s: %s: %s has no origin", profile, machine.device[i].name,
                          het__figure_infos[k].key);
        }
}

static void profiles_are_what_they_claim(void)
{
    CHECK(het__profile_count >= 11);
    for (uint32_t i = 0; i < het__profile_count; i++) {
        const het__profile *p = &het__profiles[i];
        begin();
        if (het__machine_read(p->text, p->bytes, p->name, &arena, &machine, &err) != HET_OK) {
            TEST_FAIL("%s", err.message);
            end();
            continue;
        }
        CHECK(i == 0 || strcmp(het__profiles[i - 1].name, p->name) < 0);
        CHECK(het__profile_find(p->name) == p);
        /* The file is as it would be written, but for its first line. */
        const char *text = write_text(&machine), *body = memchr(p->text, '\n', p->bytes);
        const size_t bytes = p->bytes - (size_t)(body + 1 - p->text);
        if (strlen(text) != bytes || memcmp(text, body + 1, bytes) != 0)
            TEST_FAIL("%s is not as it would be written:\n%s", p->name, text);
        for (uint32_t d = 0; d < machine.device_count; d++)
            check_plausible(p->name, d);
        check_origins(p->name);
        end();
    }
    CHECK(!het__profile_find("no-such-machine"));
}

/* What the documents have wrong is right here. */
static void documents_are_corrected(void)
{
    const het__profile *p = het__profile_find("h100-pcie");
    begin();
    CHECK_INT(het__machine_read(p->text, p->bytes, p->name, &arena, &machine, &err), HET_OK);
    CHECK(machine.device[0].units.value == 114);
    CHECK(machine.device[0].peak[HET__PEAK_BF16].value == 756.5e12);
    CHECK(machine.device[0].joules_per_op.value < 1e-12);
    end();
    p = het__profile_find("tpu-v4");
    begin();
    CHECK_INT(het__machine_read(p->text, p->bytes, p->name, &arena, &machine, &err), HET_OK);
    CHECK_STR(machine.group[0].name, "hbm2");
    CHECK_INT(machine.device[0].unit_class, HET__UNIT_SYSTOLIC);
    end();
    p = het__profile_find("kpu-t100");
    begin();
    CHECK_INT(het__machine_read(p->text, p->bytes, p->name, &arena, &machine, &err), HET_OK);
    CHECK(machine.device[0].peak[HET__PEAK_F32].is_unverified &&
          machine.device[0].near_bytes.value == 256 * 1024);
    end();
    p = het__profile_find("intel-185h");
    begin();
    CHECK_INT(het__machine_read(p->text, p->bytes, p->name, &arena, &machine, &err), HET_OK);
    CHECK(machine.device_count == 3 && machine.group_count == 1 &&
          machine.group[0].bandwidth.value == 89.6e9);
    end();
}

static void memory_runs_out_everywhere(void)
{
    for (uint64_t n = 1; n < 1000; n++) {
        begin();
        counting_allocator_fail(&counter, n);
        const het_status s =
            het__machine_read(whole, sizeof whole - 1, "m", &arena, &machine, &err);
        const char *text = s == HET_OK ? write_text(&machine) : NULL;
        const bool failed = counter.failed > 0;
        CHECK(s == HET_OK || s == HET_E_NOMEM);
        CHECK((text != NULL) == !failed);
        end();
        if (!failed)
            return;
    }
    TEST_FAIL("memory never sufficed");
}

/* A text with a byte changed, taken away or put in is read or refused, and what is read is written
 * and read again as the same. */
static void damaged_files_do_no_harm(void)
{
    uint64_t seed = 11;
    char text[sizeof whole + 1];
    for (int i = 0; i < 4000; i++) {
        static const char bytes[] = "{}[]:,\"\\#&*!- \n\t0159eE.+-kGp\xff\x80";
        size_t size = sizeof whole - 1;
        const size_t at = test_random(&seed) % size;
        const char byte = bytes[test_random(&seed) % (sizeof bytes - 1)];
        memcpy(text, whole, size);
        switch (test_random(&seed) % 3) {
        case 0:
            text[at] = byte;
            break;
        case 1:
            memmove(text + at, text + at + 1, --size - at);
            break;
        default:
            memmove(text + at + 1, text + at, size++ - at);
            text[at] = byte;
        }
        begin();
        if (read_text(text, size) == HET_OK) {
            const char *first = write_text(&machine);
            CHECK_INT(read_text(first, strlen(first)), HET_OK);
            CHECK_STR(write_text(&machine), first);
        } else {
            CHECK(err.message[0]);
        }
        end();
    }
}

int main(void)
{
    test_case(values_arrive);
    test_case(refusals_name_the_line);
    test_case(counts_are_bounded);
    test_case(profiles_are_what_they_claim);
    test_case(documents_are_corrected);
    test_case(memory_runs_out_everywhere);
    test_case(damaged_files_do_no_harm);
    return test_finish();
}

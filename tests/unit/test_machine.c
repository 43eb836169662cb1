/* SPDX-License-Identifier: Apache-2.0 */
/* The present machine as data: made-up trees of /sys and /proc, and the public functions on this
 * machine, whose record loads as the same again. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "lib/machine/features.h"
#include "lib/machine/figures.h"
#include "lib/machine/machine_file.h"
#include "lib/machine/probe.h"
#include "test.h"

static char root[64];

static void make(const char *format, ...)
{
    char path[512];
    const int n = snprintf(path, sizeof path, "%s/", root);
    va_list list;
    va_start(list, format);
    vsnprintf(path + n, sizeof path - (size_t)n, format, list);
    va_end(list);
    char *text = strchr(path, '=');
    CHECK(text != NULL);
    *text++ = '\0';
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    if (f) {
        fprintf(f, "%s\n", text);
        fclose(f);
    }
}

static void begin_tree(void)
{
    snprintf(root, sizeof root, "/tmp/het_machine_XXXXXX");
    CHECK(mkdtemp(root) != NULL);
}

static void end_tree(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    CHECK_INT(system(command), 0);
}

static void make_cache(int id, int index, int level, const char *type, const char *size,
                       const char *sharing)
{
    make("sys/devices/system/cpu/cpu%d/cache/index%d/level=%d", id, index, level);
    make("sys/devices/system/cpu/cpu%d/cache/index%d/type=%s", id, index, type);
    make("sys/devices/system/cpu/cpu%d/cache/index%d/size=%s", id, index, size);
    make("sys/devices/system/cpu/cpu%d/cache/index%d/shared_cpu_list=%s", id, index, sharing);
}

static void make_cpu(int id, const char *siblings, int megahertz, const char *l2,
                     const char *l2_sharing, const char *l3_sharing)
{
    make("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list=%s", id, siblings);
    make("sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq=%d000", id, megahertz);
    make_cache(id, 0, 1, "Data", "48K", siblings);
    make_cache(id, 1, 1, "Instruction", "64K", siblings);
    make_cache(id, 2, 2, "Unified", l2, l2_sharing);
    if (l3_sharing)
        make_cache(id, 3, 3, "Unified", "24576K", l3_sharing);
}

static void order(uint32_t count, het__cpus *cpus)
{
    uint16_t allowed[HET__CPUS_MAX];
    for (uint32_t i = 0; i < count; i++)
        allowed[i] = (uint16_t)i;
    het__cpus_order(root, allowed, count, cpus);
}

/* A device of a context, assumed, on a made-up system. */
static void probe(uint32_t count, het__machine *machine, het__arena *arena)
{
    het__cpus cpus;
    het_device_figures figures;
    het_device_info info = { .struct_size = sizeof info, .kind = HET_DEVICE_CPU,
                             .unit_count = 4, .memory_bytes = 5u << 20 };
    snprintf(info.backend, sizeof info.backend, "cpu_onednn");
    snprintf(info.name, sizeof info.name, "Some \"CPU\"\tof\x01 ours");
    snprintf(info.features, sizeof info.features, "avx2 fma");
    memset(machine, 0, sizeof *machine);
    order(count, &cpus);
    het__machine_assume(&info, 2, &figures);
    CHECK_INT(het__machine_probe(machine, root, &cpus, &info, &figures, 2, arena, NULL), HET_OK);
    info.kind = HET_DEVICE_REFERENCE;
    CHECK_INT(het__machine_probe(machine, root, &cpus, &info, &figures, 2, arena, NULL), HET_OK);
}

/* Two performance cores of two threads, four efficient ones that share a cache, two far ones. */
static void hybrid_processors(void)
{
    het__mem mem;
    het__arena arena;
    het__machine m;
    begin_tree();
    for (int i = 0; i < 4; i++) {
        char pair[8];
        snprintf(pair, sizeof pair, "%d-%d", i / 2 * 2, i / 2 * 2 + 1);
        make_cpu(i, pair, 5100, "2048K", pair, "0-7");
    }
    for (int i = 4; i < 10; i++) {
        char own[8];
        snprintf(own, sizeof own, "%d", i);
        make_cpu(i, own, i < 8 ? 3800 : 2500, "2M", i < 8 ? "4-7" : "8,9", i < 8 ? "0-7" : NULL);
    }
    make("proc/meminfo=MemTotal:       32768 kB\nMemFree: 1 kB");
    het__mem_init(&mem, NULL);
    het__arena_init(&arena, &mem);
    probe(10, &m, &arena);
    const het__machine_device *d = &m.device[0];
    CHECK(d->clock.value == 5.1e9 && d->clock.source == HET_SOURCE_MEASURED);
    CHECK_STR(d->units.origin,
              "cores that may be used; highest clocks: 2 x 5100 MHz, 4 x 3800 MHz");
    CHECK(d->near_bytes.value == 2 << 20 && d->cache_bytes.value == 24 << 20);
    CHECK(d->lanes.value == 8 && d->units.value == 4);
    CHECK_INT(d->peak[HET__PEAK_F32].source, HET_SOURCE_ASSUMED);
    CHECK(d->peak[HET__PEAK_F32].origin && strstr(d->peak[HET__PEAK_F32].origin, "threads: 2"));
    CHECK(m.group[0].memory_bytes.value == 32 << 20);
    CHECK_STR(m.group[0].memory_bytes.origin, "/proc/meminfo");
    CHECK(m.device[1].clock.value == 0 && m.device[1].cache_bytes.value == 0);
    CHECK(strcmp(m.device[0].name, m.device[1].name) != 0);
    het__arena_finish(&arena);
    end_tree();
}

/* Two chiplets; an efficient cluster's part of a shared cache; sizes that are no numbers. */
static void caches_are_added_up(void)
{
    het__cpus cpus;
    het__cpu_facts facts;
    begin_tree();
    for (int i = 0; i < 8; i++)
        make_cpu(i, i < 4 ? (i < 2 ? "0,1" : "2,3") : (i < 6 ? "4,5" : "6,7"), 3000, "4M",
                 i < 4 ? "0-3" : "4-7", i < 4 ? "0-3" : "4-7");
    order(8, &cpus);
    het__cpus_describe(root, &cpus, &facts);
    CHECK_INT(facts.near_bytes, 2 << 20); /* two cores of two threads each */
    CHECK_INT(facts.cache_bytes, 48 << 20);
    CHECK_INT(facts.kind_count, 1);
    CHECK_INT(facts.kind[0].cores, 4);
    make("sys/devices/system/cpu/cpu0/cache/index2/size=99999999999999999999G");
    make("sys/devices/system/cpu/cpu0/cache/index3/size=many");
    make("sys/devices/system/cpu/cpu1/cache/index3/shared_cpu_list=3-1");
    make("sys/devices/system/cpu/cpu2/cache/index3/shared_cpu_list=99999");
    make("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq=-5");
    order(8, &cpus);
    het__cpus_describe(root, &cpus, &facts);
    CHECK_INT(facts.near_bytes, 0);
    end_tree();
}

/* Containers and other systems show nothing at all. */
static void missing_files_are_unknown(void)
{
    het__mem mem;
    het__arena arena;
    het__machine m;
    begin_tree();
    het__mem_init(&mem, NULL);
    het__arena_init(&arena, &mem);
    probe(4, &m, &arena);
    const het__machine_device *d = &m.device[0];
    CHECK(d->clock.value == 0 && d->near_bytes.value == 0 && d->cache_bytes.value == 0);
    CHECK_STR(d->units.origin, "cores that may be used");
    CHECK(m.group[0].memory_bytes.value == 5 << 20);
    het__text text;
    het__machine again;
    het__text_init(&text, &mem);
    snprintf(m.name, sizeof m.name, "x");
    het__machine_put(&text, &m);
    CHECK_INT(het__machine_read(text.data, text.length, "m", &arena, &again, NULL), HET_OK);
    CHECK_STR(again.device[0].name, "Some \"CPU\"?of? ours");
    het__text_finish(&text);
    het__arena_finish(&arena);
    end_tree();
}

/* As backends spell them. */
static void features_are_found(void)
{
    CHECK(het__features_have("AVX-512 with VNNI and BF16", "avx512"));
    CHECK(het__features_have("AVX-512 with VNNI and BF16", "bf16"));
    CHECK(!het__features_have("AVX-512 with VNNI and BF16", "avx2"));
    CHECK(het__features_have("AVX2 with FMA, F16C and AVX-VNNI", "avx2"));
    CHECK(het__features_have("AVX2 with FMA, F16C and AVX-VNNI", "vnni"));
    CHECK(!het__features_have("AVX2 with FMA, F16C and AVX-VNNI", "avx512"));
    CHECK(het__features_have("avx2 avx512f", "avx512"));
    CHECK(!het__features_have("portable C", "avx") && !het__features_have("", "avx"));
    CHECK(!het__features_have("AVX-51", "avx512"));
    het_device_figures wide, plain;
    het_device_info info = { .struct_size = sizeof info, .kind = HET_DEVICE_CPU, .unit_count = 2 };
    het__machine_assume(&info, 0, &plain);
    snprintf(info.features, sizeof info.features, "AVX-512 with VNNI and BF16");
    het__machine_assume(&info, 0, &wide);
    CHECK(wide.f32_ops_per_s == 8 * plain.f32_ops_per_s && wide.bf16_ops_per_s > 0 &&
          plain.bf16_ops_per_s == 0 && wide.int8_ops_per_s > 8 * plain.int8_ops_per_s);
}

/* ---- public functions ---- */

static het_context *make_context(void)
{
    het_context *context = NULL;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.flags = HET_CONTEXT_NO_ENV;
    CHECK_INT(het_context_create(&o, &context, NULL), HET_OK);
    return context;
}

static void this_machine_round_trips(void)
{
    het_error err = HET_ERROR_INIT;
    het_context *context = make_context();
    het_machine *machine = NULL, *again = NULL;
    het_machine_options o = HET_MACHINE_OPTIONS_INIT;
    o.threads = 1;
    CHECK_INT(het_machine_from_context(context, &o, &machine, &err), HET_OK);
    CHECK_INT(het_machine_device_count(machine), het_context_device_count(context));
    for (uint32_t i = 0; i < het_machine_device_count(machine); i++) {
        het_machine_device d = { .struct_size = sizeof d };
        het_figure f = { .struct_size = sizeof f };
        CHECK_INT(het_machine_device_at(machine, i, &d), HET_OK);
        CHECK_INT(d.context_index, i);
        CHECK_STR(d.memory_name, "host");
        CHECK_INT(d.figures_source, HET_SOURCE_ASSUMED);
        CHECK_INT(het_machine_figure(machine, i, HET_FIGURE_F32, &f), HET_OK);
        CHECK(f.value > 0 && f.source == HET_SOURCE_ASSUMED && f.origin[0]);
        CHECK_INT(het_machine_figure(machine, i, HET_FIGURE_SHARED_BYTES, &f), HET_OK);
        CHECK(f.value > 1e8 && f.source == HET_SOURCE_MEASURED);
    }
    const char *text = het_machine_text(machine);
    CHECK_INT(het_machine_load_memory(context, text, strlen(text), &again, &err), HET_OK);
    CHECK_STR(het_machine_text(again), text);
    het_machine_destroy(again);
    test_folder folder;
    test_folder_make(&folder);
    const char *path = test_folder_file(&folder, "here.yaml");
    CHECK_INT(het_machine_write(machine, path, &err), HET_OK);
    CHECK_INT(het_machine_load(context, path, &again, &err), HET_OK);
    CHECK_STR(again ? het_machine_text(again) : NULL, text);
    het_context_destroy(context); /* machines keep it */
    het_machine_destroy(again);
    CHECK(het_machine_write(machine, "/no/such/folder/x.yaml", &err) == HET_E_IO);
    het_machine_destroy(machine);
    test_folder_empty(&folder);
    rmdir(folder.path);
}

static void profiles_load_by_name(void)
{
    het_context *context = make_context();
    CHECK(!het_machine_profile_name(het_machine_profile_count()));
    for (uint32_t i = 0; i < het_machine_profile_count(); i++) {
        het_machine *m = NULL;
        het_error err = HET_ERROR_INIT;
        het_machine_info info = { .struct_size = sizeof info };
        if (het_machine_load(context, het_machine_profile_name(i), &m, &err) != HET_OK) {
            TEST_FAIL("%s", err.message);
            continue;
        }
        CHECK_INT(het_machine_get_info(m, &info), HET_OK);
        CHECK(info.name[0] && info.about[0] && info.device_count == het_machine_device_count(m));
        het_machine_destroy(m);
    }
    het_context_destroy(context);
}

static void wrong_arguments_are_refused(void)
{
    het_error err = HET_ERROR_INIT;
    het_context *context = make_context();
    het_machine *m = NULL;
    het_machine_options o = HET_MACHINE_OPTIONS_INIT;
    CHECK_INT(het_machine_load(context, "no-such-machine", &m, &err), HET_E_IO);
    CHECK_STR(err.message, "there is neither a profile nor a file 'no-such-machine'");
    CHECK(!m);
    CHECK_INT(het_machine_load(context, "/", &m, &err), HET_E_IO);
    CHECK_INT(het_machine_load_memory(context, NULL, 0, &m, &err), HET_E_INVALID);
    o.threads = 5000;
    CHECK_INT(het_machine_from_context(context, &o, &m, &err), HET_E_INVALID);
    o.threads = 0;
    o.flags = 2;
    CHECK_INT(het_machine_from_context(context, &o, &m, &err), HET_E_VERSION);
    CHECK_INT(het_machine_load(context, "intel-185h", &m, &err), HET_OK);
    het_machine_device d = { .struct_size = sizeof d };
    het_figure f = { .struct_size = sizeof f }, g = { .struct_size = sizeof g };
    CHECK_INT(het_machine_device_at(m, 3, &d), HET_E_INVALID);
    CHECK_INT(het_machine_figure(m, 3, HET_FIGURE_F32, &f), HET_E_INVALID);
    CHECK_INT(het_machine_figure(m, 0, (het_figure_kind)HET__FIGURE_COUNT, &f), HET_E_INVALID);
    CHECK_INT(het_machine_figure(m, 0, HET_FIGURE_BF16, &f), HET_OK);
    CHECK(f.value == 0 && f.source == HET_SOURCE_UNAVAILABLE && !f.origin[0]);
    CHECK_INT(het_machine_link(m, 0, 0, &f, &g), HET_E_INVALID);
    CHECK_INT(het_machine_link(m, 0, 3, &f, &g), HET_E_INVALID);
    CHECK_INT(het_machine_link(m, 0, 1, &f, &g), HET_OK);
    CHECK(f.value == 44.8e9 && g.value == 20000);
    CHECK_STR(f.unit, "B/s");
    CHECK_STR(g.unit, "ns");
    CHECK_STR(g.name, "latency");
    het_machine_destroy(m);
    het_machine_destroy(NULL);
    het_context_destroy(context);
}

int main(void)
{
    test_case(hybrid_processors);
    test_case(caches_are_added_up);
    test_case(missing_files_are_unknown);
    test_case(features_are_found);
    test_case(this_machine_round_trips);
    test_case(profiles_load_by_name);
    test_case(wrong_arguments_are_refused);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Files of calibrations: what is written is read, anything else is refused with its line; and a
 * context's store, which uses what belongs to a device and leaves alone what does not. */
#define _GNU_SOURCE /* setenv, mkdtemp */
#include "folder.h"
#include "lib/exec/calibrations.h"
#include "lib/machine/machine.h"
#include "test.h"

#include <hetinfer/version.h>

static het__mem mem;
static het__log silence;
static char said[512];

static het_device_info device_of(const char *name)
{
    het_device_info info = { .struct_size = sizeof info, .index = 3, .unit_count = 2 };
    snprintf(info.backend, sizeof info.backend, "cpu_test");
    snprintf(info.name, sizeof info.name, "%s", name);
    snprintf(info.features, sizeof info.features, "avx2 avx512f");
    return info;
}

static het__calibration sample_of(const het_device_info *info)
{
    static const het__work_item items[] = {
        { HET__WORK_CONV, HET_DTYPE_F32, HET__PEAK_F32, 2e9, 1000, 2000, 3000, 500, 7 },
        { HET__WORK_MATMUL_ONE, HET_DTYPE_Q4_K, HET__PEAK_INT8, 4096, 0, 64, 1152921504606846976.0,
          0, 0 },
        { HET__WORK_OTHER, HET_DTYPE_I8, HET__PEAK_F32, 0, 0, 0, 0, 0, 1 },
    };
    het__calibration c;
    het_error err = HET_ERROR_INIT;
    het__calibration_init(&c, &mem);
    het__calibration_key(&c, info, 7);
    c.peak[HET__PEAK_F32] = 123456789012.0;
    c.peak[HET__PEAK_INT8] = 5e11;
    c.bandwidth = 3e10;
    c.launch_ns = 321;
    c.copy_bandwidth = 9e9;
    c.copy_ns = 250;
    c.capacity = 2;
    c.in_waves = true;
    CHECK_INT(het__calibration_add(&c, items, 2, 54321, 0.012, &err), HET_OK);
    CHECK_INT(het__calibration_add(&c, items + 2, 1, 8, 0, &err), HET_OK);
    return c;
}

static het_status read_back(het__calibration *c, const char *text, het_error *err)
{
    *err = (het_error)HET_ERROR_INIT;
    return het__calibration_read(c, text, strlen(text), "file", &mem, err);
}

static void files_keep_everything(void)
{
    const het_device_info info = device_of("odd \"name\" \\ with \t control, \xc3\xa4");
    het__calibration c = sample_of(&info), back;
    het_error err;
    char *text = het__calibration_write(&c, &mem);
    CHECK(text != NULL);
    CHECK_INT(read_back(&back, text, &err), HET_OK);
    if (err.message[0])
        TEST_FAIL("%s", err.message);
    char *again = het__calibration_write(&back, &mem);
    CHECK_STR(again, text);
    CHECK(het__calibration_fits(&back, &info, 7, NULL, 0));
    CHECK_INT(back.sample_count, 2);
    CHECK_INT(back.item_count, 3);
    CHECK_NEAR(back.samples[0].ns, 54321, 0);
    CHECK_NEAR(back.samples[0].spread, 0.012, 1e-9);
    CHECK_INT(back.items[0].times, 7);
    CHECK_INT(back.items[1].format, HET_DTYPE_Q4_K);
    CHECK_INT(back.items[1].peak, HET__PEAK_INT8);
    CHECK_NEAR(back.items[1].weight_bytes, 1152921504606846976.0, 0);
    CHECK(back.in_waves);
    het__free(&mem, again);
    het__free(&mem, text);
    het__calibration_finish(&back);
    het__calibration_finish(&c);
    CHECK_INT(mem.bytes, 0);
}

static void others_are_told_apart(void)
{
    const het_device_info info = device_of("a device");
    het__calibration c = sample_of(&info);
    het_device_info other = info;
    char reason[64], *name, *changed;
    CHECK(het__calibration_fits(&c, &info, 7, reason, sizeof reason));
    CHECK(!het__calibration_fits(&c, &info, 8, reason, sizeof reason));
    CHECK_STR(reason, "another number of threads");
    other.driver[0] = '9';
    CHECK(!het__calibration_fits(&c, &other, 7, reason, sizeof reason));
    CHECK_STR(reason, "another driver");
    name = het__calibration_file(&mem, &info, 7);
    changed = het__calibration_file(&mem, &other, 7);
    CHECK(strcmp(name, changed) != 0);
    CHECK(strchr(name, '/') == NULL);
    het__free(&mem, name);
    het__free(&mem, changed);
    c.library++;
    CHECK(!het__calibration_fits(&c, &info, 7, reason, sizeof reason));
    CHECK_STR(reason, "another version of the library");
    het__calibration_finish(&c);
}

/* The text with the first `from` replaced. */
static char *changed(const char *text, const char *from, const char *to)
{
    static char copy[8192];
    const char *at = strstr(text, from);
    CHECK(at != NULL);
    if (at)
        snprintf(copy, sizeof copy, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return copy;
}

static void broken_files_are_refused(void)
{
    static const struct { const char *from, *to, *says; } cases[] = {
        { "calibration: 1", "calibration: 2", "file:1: a calibration of version 2" },
        { "calibration: 1\n", "", "calibration is missing" },
        { "threads: 7", "threads: many", "file:7:" },
        { "threads: 7", "threads: -1", "file:7:" },
        { "threads: 7", "threads: 7\nthreads: 8", "" },
        { "threads: 7", "threats: 7", "threats" },
        { "  bandwidth: 30000000000\n", "", "bandwidth is missing" },
        { "in_waves: true", "in_waves: perhaps", "" },
        { "launch_ns: 321", "launch_ns: .nan", "" },
        { "launch_ns: 321", "launch_ns: 1e40", "" },
        { "[conv,", "[convolution,", "" },
        { "q4_k", "q4_q", "" },
        { "Q4_K", "Q4_Q", "" },
        { "int8, 4096", "int9, 4096", "" },
        { ", 500, 7]", ", 500]", "nine entries" },
        { "- ns: 54321", "- ns: 0", "" },
        { "- ns: 54321\n    spread", "- spread", "ns is missing" },
        { "work:\n", "work: [[[\n", "" },
        { "samples:", "samples: 3\nmore:", "" },
    };
    const het_device_info info = device_of("a device");
    het__calibration c = sample_of(&info), back;
    char *text = het__calibration_write(&c, &mem);
    het_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!strstr(text, cases[i].from))
            continue; /* names of types are written in one of the two ways */
        const het_status s = read_back(&back, changed(text, cases[i].from, cases[i].to), &err);
        CHECK(s == HET_E_INVALID || s == HET_E_FORMAT);
        if (s == HET_OK || !strstr(err.message, cases[i].says) || !err.message[0])
            TEST_FAIL("%s: \"%s\"", cases[i].to, err.message);
    }
    for (size_t n = 0; n < strlen(text); n++) { /* cut short: refused, or fewer samples */
        const het_status s = het__calibration_read(&back, text, n, "file", &mem, &err);
        CHECK(s != HET_OK || back.sample_count <= 2);
        het__calibration_finish(&back);
    }
    het__free(&mem, text);
    het__calibration_finish(&c);
    CHECK_INT(mem.bytes, 0);
}

static void senseless_samples_are_refused(void)
{
    const het_device_info info = device_of("a device");
    het__calibration c = sample_of(&info);
    het_error err = HET_ERROR_INIT;
    het__work_item item = { HET__WORK_CONV, HET_DTYPE_F32, HET__PEAK_F32, 1, 1, 1, 1, 1, 1 };
    CHECK_INT(het__calibration_add(&c, &item, 0, 5, 0, &err), HET_E_INVALID);
    CHECK_INT(het__calibration_add(&c, &item, 1, 0, 0, &err), HET_E_INVALID);
    CHECK_INT(het__calibration_add(&c, &item, 1, (double)NAN, 0, &err), HET_E_INVALID);
    CHECK_INT(het__calibration_add(&c, &item, 1, (double)INFINITY, 0, &err), HET_E_INVALID);
    CHECK_INT(het__calibration_add(&c, &item, 1, 5, -1, &err), HET_E_INVALID);
    item.flops = (double)NAN;
    CHECK_INT(het__calibration_add(&c, &item, 1, 5, 0, &err), HET_E_INVALID);
    item.flops = -1;
    CHECK_INT(het__calibration_add(&c, &item, 1, 5, 0, &err), HET_E_INVALID);
    item.flops = 1;
    item.work_class = HET__WORK_CLASS_COUNT;
    CHECK_INT(het__calibration_add(&c, &item, 1, 5, 0, &err), HET_E_INVALID);
    item.work_class = 0;
    for (int i = 0; i < HET__CALIBRATION_SAMPLES_MAX - 2; i++)
        CHECK_INT(het__calibration_add(&c, &item, 1, 5, 0, &err), HET_OK);
    CHECK_INT(het__calibration_add(&c, &item, 1, 5, 0, &err), HET_E_INVALID);
    het__calibration_finish(&c);
}

/* ---- the store ---- */

static void hear(void *user, het_log_level level, const char *component, const char *message)
{
    (void)user;
    (void)level;
    (void)component;
    snprintf(said, sizeof said, "%s", message);
}

static void open_store(het__calibrations *store, const char *folder)
{
    said[0] = '\0';
    setenv("HETINFER_CALIBRATION", folder, 1);
    het__calibrations_init(store, true, &mem, &silence);
}

static void store_finds_what_was_kept(void)
{
    const het_device_info info = device_of("a device"), other = device_of("another");
    test_folder folder;
    het__calibrations store;
    het_error err = HET_ERROR_INIT;
    char path[512];
    test_folder_make(&folder);
    snprintf(path, sizeof path, "%s/deep/folder", folder.path);
    open_store(&store, path);
    CHECK(het__calibrations_find(&store, &info, 7) == NULL);
    het__calibration c = sample_of(&info);
    CHECK_INT(het__calibrations_keep(&store, &info, &c, NULL, &err), HET_OK);
    if (err.message[0])
        TEST_FAIL("%s", err.message);
    CHECK(het__calibrations_find(&store, &info, 7) != NULL); /* at once */
    CHECK(het__calibrations_find(&store, &info, 6) == NULL);
    het__calibrations_finish(&store);

    open_store(&store, path); /* and by the next */
    const het__calibration *found = het__calibrations_find(&store, &info, 7);
    CHECK(found && found->rate_count >= HET__WORK_CLASS_COUNT);
    CHECK(found == het__calibrations_find(&store, &info, 7));
    het_device_info elsewhere = other;
    elsewhere.index = 4;
    CHECK(het__calibrations_find(&store, &elsewhere, 7) == NULL);
    CHECK_STR(said, "");
    het__calibrations_finish(&store);

    test_folder deep;
    snprintf(deep.path, sizeof deep.path, "%.200s/deep/folder", folder.path);
    CHECK_INT(test_folder_count(&deep, ".yaml", NULL), 1);
    test_folder_remove(&deep);
    snprintf(deep.path, sizeof deep.path, "%.200s/deep", folder.path);
    test_folder_remove(&deep);
    test_folder_remove(&folder);
    CHECK_INT(mem.bytes, 0);
}

static void store_names_what_is_broken(void)
{
    const het_device_info info = device_of("a device"), other = device_of("another");
    test_folder folder;
    het__calibrations store;
    test_folder_make(&folder);
    char *name = het__calibration_file(&mem, &info, 7);
    test_file_write(test_folder_file(&folder, name), "calibration: 1\nlibrary: [", 25);
    open_store(&store, folder.path);
    CHECK(het__calibrations_find(&store, &info, 7) == NULL);
    CHECK(strstr(said, name) != NULL);
    said[0] = '\0';
    CHECK(het__calibrations_find(&store, &info, 7) == NULL); /* said once */
    CHECK_STR(said, "");
    het__calibrations_finish(&store);

    het__calibration c = sample_of(&other); /* somebody else's under this one's name */
    char *text = het__calibration_write(&c, &mem);
    test_file_write(test_folder_file(&folder, name), text, strlen(text));
    open_store(&store, folder.path);
    CHECK(het__calibrations_find(&store, &info, 7) == NULL);
    CHECK(strstr(said, "another device") != NULL);
    het__calibrations_finish(&store);
    het__free(&mem, text);
    het__free(&mem, name);
    het__calibration_finish(&c);
    test_folder_remove(&folder);
    CHECK_INT(mem.bytes, 0);
}

static void folders_are_found(void)
{
    const struct { const char *own, *cache, *home, *want; } cases[] = {
        { "/a/b", "/c", "/h", "/a/b" }, { "off", "/c", "/h", NULL }, { "", "/c", "/h", NULL },
        { NULL, "/c", "/h", "/c/hetinfer" }, { NULL, NULL, "/h", "/h/.cache/hetinfer" },
        { NULL, "relative", "/h", "/h/.cache/hetinfer" }, { NULL, NULL, NULL, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const names[] = { "HETINFER_CALIBRATION", "XDG_CACHE_HOME", "HOME" };
        const char *const values[] = { cases[i].own, cases[i].cache, cases[i].home };
        for (int k = 0; k < 3; k++)
            values[k] ? setenv(names[k], values[k], 1) : unsetenv(names[k]);
        char *folder = het__calibration_folder(&mem);
        if (cases[i].want)
            CHECK_STR(folder, cases[i].want);
        else
            CHECK(folder == NULL);
        het__free(&mem, folder);
    }
    het__calibrations store;
    het__calibrations_init(&store, false, &mem, &silence);
    CHECK(store.folder == NULL);
    het__calibrations_finish(&store);
}

int main(void)
{
    het__mem_init(&mem, NULL);
    het__log_init(&silence, hear, NULL, HET_LOG_WARN);
    test_case(files_keep_everything);
    test_case(others_are_told_apart);
    test_case(broken_files_are_refused);
    test_case(senseless_samples_are_refused);
    test_case(store_finds_what_was_kept);
    test_case(store_names_what_is_broken);
    test_case(folders_are_found);
    het__log_finish(&silence);
    return test_finish();
}

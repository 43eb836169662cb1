/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine without XRT, with one that is too old, or without an NPU is told. A program of its
 * own: a library of XRT that was loaded stays. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "folder.h"
#include "rig.h"

#include <sys/stat.h>

static void probe(bool use_env, het__probed *probed)
{
    rig r;
    rig_init(&r, "amd_xrt_npu");
    r.host.use_env = use_env;
    memset(probed, 0, sizeof *probed);
    r.backend->probe(&r.host, probed);
    printf("  %s\n", probed->reason);
    rig_close(&r);
}

static void says(const het__probed *probed, const char *text)
{
    CHECK_INT(probed->device_count, 0);
    if (!strstr(probed->reason, text))
        TEST_FAIL("\"%s\" does not say \"%s\"", probed->reason, text);
}

static void put(const test_folder *folder, const char *name, const char *text)
{
    FILE *f = fopen(test_folder_file(folder, name), "w");
    CHECK(f && fputs(text, f) >= 0);
    if (f)
        fclose(f);
}

static void nothing_is_loaded_where_there_is_no_npu(void)
{
    het__probed probed;
    unsetenv("HETINFER_XRT_LIBRARY");
    probe(true, &probed);
    says(&probed, "the system shows no AMD NPU");
    CHECK(!het__find_symbol("_ZN3xrt6system17enumerate_devicesEv"));
}

/* Packages are checked where they are made, too. */
static void packages_are_told_without_an_npu(void)
{
    static const char manifest[] =
        "name: x\ndevices: [npu1]\ncolumns: 1\nxclbin: a.xclbin\nkernel: MLIR_AIE\n"
        "types: {input: i8, weight: i8, output: i32, accumulator: i32}\n"
        "tile: {rows: 8, inner: 16, columns: 16}\ninner: 32\n"
        "instructions: {source: single-core-v1}\n";
    char *before = strdup(getenv("HETINFER_NPU_DESIGNS"));
    het__probed probed;
    test_folder folder;
    test_folder_make(&folder);
    put(&folder, "design.yaml", manifest);
    setenv("HETINFER_NPU_DESIGNS", folder.path, 1);
    probe(true, &probed);
    says(&probed, "no AMD NPU; 1 design; there is no ");
    says(&probed, "a.xclbin");
    put(&folder, "a.xclbin", "something");
    probe(true, &probed);
    says(&probed, "no AMD NPU; 1 design");
    put(&folder, "design.yaml", "name: x\n");
    probe(true, &probed);
    says(&probed, "no AMD NPU; 0 designs; 1 refused: ");
    setenv("HETINFER_NPU_DESIGNS", before, 1);
    free(before);
    test_folder_remove(&folder);
}

static void a_missing_library_is_named(void)
{
    het__probed probed;
    test_folder folder;
    test_folder_make(&folder);
    CHECK_INT(mkdir(test_folder_file(&folder, "accel0"), 0700), 0);
    CHECK_INT(mkdir(test_folder_file(&folder, "accel0/device"), 0700), 0);
    put(&folder, "accel0/device/vendor", "0x1022\n");
    put(&folder, "accel0/device/device", "0x1502\n");
    setenv("HETINFER_NPU_SYSFS", folder.path, 1);
    setenv("HETINFER_XRT_LIBRARY", "/nowhere/libxrt_coreutil.so.2", 1);
    probe(true, &probed);
    says(&probed, "XRT is not installed: /nowhere");
    setenv("HETINFER_NPU_SYSFS", "/nowhere", 1);
    remove(test_folder_file(&folder, "accel0/device/vendor"));
    remove(test_folder_file(&folder, "accel0/device/device"));
    remove(test_folder_file(&folder, "accel0/device"));
    remove(test_folder_file(&folder, "accel0"));
    test_folder_remove(&folder);
}

static void our_part_may_be_missing(void)
{
    het__probed probed;
    char *path = strdup(getenv("HETINFER_BACKEND_PATH"));
    setenv("HETINFER_BACKEND_PATH", "/nowhere", 1);
    probe(true, &probed);
    says(&probed, "hetinfer-xrt.so) is not installed");
    setenv("HETINFER_BACKEND_PATH", path, 1);
    free(path);
}

static void an_old_library_is_refused_by_what_it_lacks(void)
{
    het__probed probed;
    setenv("HETINFER_XRT_LIBRARY", getenv("HETINFER_TEST_OLD_XRT"), 1);
    probe(true, &probed);
    says(&probed, "XRT is older than 2.17: it lacks _ZN3xrt10hw_contextC1E");
}

int main(void)
{
    test_case(nothing_is_loaded_where_there_is_no_npu);
    test_case(packages_are_told_without_an_npu);
    test_case(a_missing_library_is_named);
    test_case(our_part_may_be_missing);
    test_case(an_old_library_is_refused_by_what_it_lacks);
    return test_finish();
}

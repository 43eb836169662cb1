/* SPDX-License-Identifier: Apache-2.0 */
/* What files tell of a system: its name, kernel, libraries, drivers of OpenCL, and hardware.
 * Versions of libraries are those in the names of their files, so that nothing is loaded to find
 * them. */
#include "doctor.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 512

static bool read_line_of(const char *root, const char *name, char *line, size_t bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "r");
    const bool is_read = f && fgets(line, (int)bytes, f);
    if (f)
        fclose(f);
    if (is_read)
        line[strcspn(line, "\r\n")] = '\0';
    return is_read;
}

/* ---- the distribution ---- */

/* KEY=value or KEY="value" */
static void take_value(const char *line, const char *key, char *value, size_t bytes)
{
    const size_t n = strlen(key);
    if (strncmp(line, key, n) != 0 || line[n] != '=')
        return;
    const char *from = line + n + 1 + (line[n + 1] == '"' || line[n + 1] == '\'');
    snprintf(value, bytes, "%s", from);
    value[strcspn(value, "\"'\n")] = '\0';
}

static void read_release(doctor_system *s)
{
    char path[PATH_BYTES], line[256], like[128] = "";
    snprintf(path, sizeof path, "%s/etc/os-release", s->root);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        take_value(line, "ID", s->id, sizeof s->id);
        take_value(line, "ID_LIKE", like, sizeof like);
        take_value(line, "PRETTY_NAME", s->pretty, sizeof s->pretty);
    }
    if (f)
        fclose(f);
    s->distribution = distribution_of(s->id, like);
    if (!s->pretty[0])
        snprintf(s->pretty, sizeof s->pretty, "%s", s->id[0] ? s->id : "an unknown system");
}

/* ---- libraries ---- */

static const char *const folders[] = {
    "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib64",
    "usr/lib",                  "lib64",                "usr/local/lib",
    "usr/local/lib64",          "opt/xilinx/xrt/lib",   "opt/xilinx/xrt/lib64",
};

/* "libxrt_coreutil.so.2" that leads to "libxrt_coreutil.so.2.13.0": 2.13.0. */
static void version_of(const char *path, const char *name, char *version, size_t bytes)
{
    char target[PATH_BYTES];
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return;
    target[n] = '\0';
    const char *so = strstr(target, ".so.");
    if (so && strlen(so) > strlen(strstr(name, ".so.")))
        snprintf(version, bytes, "%.31s", so + 4);
}

static library find_library(const char *root, const char *name)
{
    library found = { .name = name };
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !found.is_there; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s/%s", root, folders[i], name);
        found.is_there = access(path, F_OK) == 0;
        if (found.is_there)
            version_of(path, name, found.version, sizeof found.version);
    }
    return found;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void find_opencl_drivers(doctor_system *s)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/etc/OpenCL/vendors", s->root);
    DIR *folder = opendir(path);
    for (const struct dirent *e; folder && s->opencl_driver_count < DOCTOR_DRIVERS_MAX &&
                                 (e = readdir(folder)) != NULL;) {
        const size_t n = strlen(e->d_name);
        if (n > 4 && n < sizeof s->opencl_drivers[0] && strcmp(e->d_name + n - 4, ".icd") == 0)
            memcpy(s->opencl_drivers[s->opencl_driver_count++], e->d_name, n + 1);
    }
    if (folder)
        closedir(folder);
    qsort(s->opencl_drivers, s->opencl_driver_count, sizeof *s->opencl_drivers, compare_names);
}

/* ---- tools ---- */

const char *const doctor_tools[DOCTOR_TOOLS] = { "clinfo", "intel_gpu_top", "rocm-smi",
                                                 "xrt-smi" };

static void find_tools(doctor_system *s)
{
    static const char *const places[] = { "usr/bin", "usr/local/bin", "opt/xilinx/xrt/bin",
                                          "opt/rocm/bin" };
    for (size_t i = 0; i < DOCTOR_TOOLS; i++)
        for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
            char path[PATH_BYTES];
            snprintf(path, sizeof path, "%s/%s/%s", s->root, places[k], doctor_tools[i]);
            s->has_tool[i] = s->has_tool[i] || access(path, F_OK) == 0;
        }
}

/* ---- hardware ---- */

/* Two reads, so that counters become power and load. */
static int read_hardware(doctor_system *s, const het_hardware *hardware)
{
    const struct timespec pause = { 0, 100000000 };
    s->hardware_count = het_hardware_count(hardware);
    if (s->hardware_count > DOCTOR_HARDWARE_MAX)
        s->hardware_count = DOCTOR_HARDWARE_MAX;
    for (uint32_t i = 0; i < s->hardware_count; i++) {
        piece *p = &s->hardware[i];
        p->info.struct_size = sizeof p->info;
        p->state.struct_size = sizeof p->state;
        if (het_hardware_at(hardware, i, &p->info) || het_hardware_state(hardware, i, &p->state))
            return failure("the hardware cannot be read");
    }
    if (!s->root[0])
        nanosleep(&pause, NULL);
    for (uint32_t i = 0; i < s->hardware_count; i++) {
        het_device_state later = { .struct_size = sizeof later };
        het_device_state between = { .struct_size = sizeof between };
        if (het_hardware_state(hardware, i, &later) == HET_OK &&
            het_device_state_between(&s->hardware[i].state, &later, &between) == HET_OK)
            s->hardware[i].state = between;
    }
    return STATUS_GO;
}

static int find_hardware(doctor_system *s)
{
    het_error err = HET_ERROR_INIT;
    het_context_options co = HET_CONTEXT_OPTIONS_INIT;
    het_hardware_options ho = HET_HARDWARE_OPTIONS_INIT;
    het_context *context = NULL;
    het_hardware *hardware = NULL;
    co.backends = "ref";
    ho.root = s->root[0] ? s->root : NULL;
    het_status status = het_context_create(&co, &context, &err);
    if (!status)
        status = het_hardware_find(context, &ho, &hardware, &err);
    const int result = status ? failure_of(status, &err) : read_hardware(s, hardware);
    het_hardware_destroy(hardware);
    het_context_destroy(context);
    return result;
}

int doctor_look(doctor_system *system, const char *root)
{
    memset(system, 0, sizeof *system);
    system->root = root;
    read_release(system);
    if (!read_line_of(root, "proc/sys/kernel/osrelease", system->kernel, sizeof system->kernel) ||
        sscanf(system->kernel, "%u.%u", &system->kernel_major, &system->kernel_minor) != 2)
        system->kernel_major = system->kernel_minor = 0;
    system->libraries = (library_set){
        .opencl = find_library(root, "libOpenCL.so.1"),
        .clblast = find_library(root, "libclblast.so.1"),
        .ze_loader = find_library(root, "libze_loader.so.1"),
        .ze_intel = find_library(root, "libze_intel_gpu.so.1"),
        .xrt = find_library(root, "libxrt_coreutil.so.2"),
        .xrt_npu = find_library(root, "libxrt_driver_xdna.so.2"),
    };
    find_opencl_drivers(system);
    find_tools(system);
    return find_hardware(system);
}

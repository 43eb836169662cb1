/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between the hardware of a machine and a backend, in the order in which it has to be
 * put right: a driver of the kernel, the right to use the device, the libraries, their versions. Of
 * a device that works nothing is said. */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTEL 0x8086
#define AMD 0x1002
#define NVIDIA 0x10de

/* The first release of XRT with contexts of the NPU as they are used here. */
#define XRT_MAJOR 2
#define XRT_MINOR 17
/* The kernel that brought the NPU's driver. */
#define NPU_KERNEL_MAJOR 6
#define NPU_KERNEL_MINOR 14

void doctor_find(doctor_backend *b, weight how_bad, need helps, const char *name,
                 const char *format, ...)
{
    if (b->finding_count == DOCTOR_FINDINGS_MAX)
        return;
    finding *f = &b->findings[b->finding_count++];
    va_list list;
    va_start(list, format);
    vsnprintf(f->text, sizeof f->text, format, list);
    va_end(list);
    f->weight = how_bad;
    f->need = helps;
    snprintf(f->name, sizeof f->name, "%s", name);
}

static bool is_gpu(const het_hardware_info *info)
{
    return info->kind == HET_DEVICE_GPU || info->kind == HET_DEVICE_IGPU;
}

/* Whether the backend has found what the files are of. */
static bool is_in_use(const doctor_system *s, const doctor_backend *b)
{
    return !s->root[0] && b->device_count > 0;
}

static bool kernel_before(const doctor_system *s, unsigned major, unsigned minor)
{
    return s->kernel_major && (s->kernel_major < major ||
                               (s->kernel_major == major && s->kernel_minor < minor));
}

/* ---- drivers of the kernel and rights ---- */

#define GPUS_MAX 12

/* Intel's generations since 2023. */
typedef struct generation {
    const char *name, *module;
    unsigned kernel_minor;    /* of kernel 6: the first that drives them unasked; 0: not known */
    unsigned build;           /* of a compute runtime that does not know them yet, as files count */
    const char *release;      /* (libze_intel_gpu.so.1.3.BUILD); and as people do */
    uint32_t gpus[GPUS_MAX];  /* device ids, ended by 0 */
} generation;

static const generation generations[] = {
    { "Meteor Lake", "i915", 7, 24595, "22.43", { 0x7d40, 0x7d45, 0x7d55, 0x7d60, 0x7dd5 } },
    { "Arrow Lake", "i915", 0, 24595, "22.43", { 0x7d41, 0x7d51, 0x7d67, 0x7dd1 } },
    { "Lunar Lake", "xe", 12, 27642, "23.43", { 0x6420, 0x64a0, 0x64b0 } },
    { "Battlemage", "xe", 12, 27642, "23.43",
      { 0xe202, 0xe20b, 0xe20c, 0xe20d, 0xe210, 0xe211, 0xe212, 0xe215, 0xe216 } },
    { "Panther Lake", "xe", 0, 27642, "23.43",
      { 0xb080, 0xb081, 0xb082, 0xb083, 0xb08f, 0xb090, 0xb0a0, 0xb0b0 } },
};

static const generation *generation_of(const het_hardware_info *info)
{
    for (size_t i = 0; info->vendor_id == INTEL && i < sizeof generations / sizeof *generations;
         i++)
        for (size_t k = 0; k < GPUS_MAX && generations[i].gpus[k]; k++)
            if (generations[i].gpus[k] == info->device_id)
                return &generations[i];
    return NULL;
}

static void check_gpu_driver(const doctor_system *s, const het_hardware_info *info,
                             doctor_backend *b)
{
    const generation *g = generation_of(info);
    const char *module = g                          ? g->module
                         : info->vendor_id == INTEL ? "i915"
                         : info->vendor_id == AMD   ? "amdgpu" : "";
    if (g && g->kernel_minor && kernel_before(s, 6, g->kernel_minor)) {
        doctor_find(b, MISSING, NEED_KERNEL, "",
                    "kernel %s is too old for the GPU at %s (%s): 6.%u or newer drives it",
                    s->kernel, info->physical, g->name, g->kernel_minor);
        return;
    }
    if (!module[0]) {
        doctor_find(b, MISSING, NEED_NONE, "", "no driver of the kernel has taken %s (%s)",
                    info->physical, info->name);
        return;
    }
    doctor_find(b, MISSING, NEED_MODULE, module,
                "no driver of the kernel has taken %s (%s): its module is %s", info->physical,
                info->name, module);
    doctor_find(b, MISSING, NEED_FIRMWARE, "",
                "if loading %s does not help, the firmware of %s is missing (see dmesg)", module,
                info->physical);
}

/* Whether the device can be reached at all; says what is in the way. */
static bool check_node(const doctor_system *s, const het_hardware_info *info, doctor_backend *b)
{
    if (!info->driver[0]) {
        if (is_gpu(info))
            check_gpu_driver(s, info, b);
        return false;
    }
    if (info->access == HET_ACCESS_ALLOWED)
        return true;
    if (info->access == HET_ACCESS_NONE) {
        doctor_find(b, MISSING, NEED_NONE, "",
                    "%s is driven by %s, but has no file in /dev: in a container it must be "
                    "passed through", info->physical, info->driver);
        return false;
    }
    /* A group without a name, or that of the administrator, is none to join. */
    const bool is_named = info->group[0] > '9' && strcmp(info->group, "root") != 0;
    const char *group = is_named ? info->group : "render";
    doctor_find(b, MISSING, NEED_GROUP, group,
                "%s (%s) may not be used by this user: %s the group %s", info->node,
                info->physical, is_named ? "it belongs to" : "it should belong to", group);
    return true; /* what else is missing is worth saying at once */
}

/* ---- GPUs ---- */

static bool has_opencl_driver(const doctor_system *s, const char *const *names)
{
    for (; *names; names++)
        for (uint32_t i = 0; i < s->opencl_driver_count; i++)
            if (strncmp(s->opencl_drivers[i], *names, strlen(*names)) == 0)
                return true;
    return false;
}

/* "1.3.24595.41": 24595; 0 if that is not how it is written. */
static unsigned build_of(const char *version)
{
    unsigned a, b, build;
    return sscanf(version, "%u.%u.%u", &a, &b, &build) == 3 ? build : 0;
}

static void check_intel_version(const doctor_system *s, const het_hardware_info *info,
                                need helps, doctor_backend *b)
{
    const generation *g = generation_of(info);
    const unsigned build = build_of(s->libraries.ze_intel.version);
    if (g && build && build <= g->build)
        doctor_find(b, MISSING, helps, "",
                    "Intel's driver (build %u) does not know the GPU at %s (%s): a release after "
                    "%s does", build, info->physical, g->name, g->release);
}

static void check_opencl_driver(const doctor_system *s, const het_hardware_info *info,
                                doctor_backend *b)
{
    static const char *const intel[] = { "intel", NULL }, *const amd[] = { "amdocl", NULL },
                      *const nvidia[] = { "nvidia", NULL },
                      *const rusticl[] = { "rusticl", NULL };
    const bool mesa = has_opencl_driver(s, rusticl);
    const char *const *wanted = info->vendor_id == INTEL ? intel
                                : info->vendor_id == AMD ? amd
                                : info->vendor_id == NVIDIA ? nvidia : NULL;
    const need helps = info->vendor_id == INTEL ? NEED_OPENCL_INTEL
                       : info->vendor_id == AMD ? NEED_OPENCL_AMD : NEED_OPENCL_NVIDIA;
    if (!wanted || has_opencl_driver(s, wanted)) {
        if (info->vendor_id == INTEL)
            check_intel_version(s, info, NEED_OPENCL_INTEL, b);
        return;
    }
    if (mesa && info->vendor_id != NVIDIA)
        doctor_find(b, MISSING, NEED_NONE, "",
                    "the only OpenCL driver for %s is Mesa's rusticl, which is used only with "
                    "RUSTICL_ENABLE=%s in the environment", info->physical,
                    info->vendor_id == INTEL ? "iris" : "radeonsi");
    else
        doctor_find(b, MISSING, helps, "", "no OpenCL driver for %s (%s) is installed",
                    info->physical, info->name);
}

static void check_opencl(const doctor_system *s, doctor_backend *b)
{
    uint32_t gpus = 0;
    for (uint32_t i = 0; i < s->hardware_count; i++)
        if (is_gpu(&s->hardware[i].info)) {
            gpus++;
            if (!is_in_use(s, b) && check_node(s, &s->hardware[i].info, b))
                check_opencl_driver(s, &s->hardware[i].info, b);
        }
    if (!gpus) {
        if (!is_in_use(s, b))
            doctor_find(b, NOTE, NEED_NONE, "", "the kernel shows no GPU: nothing is missing");
        return;
    }
    if (!s->libraries.opencl.is_there && !is_in_use(s, b))
        doctor_find(b, MISSING, NEED_OPENCL_LOADER, "",
                    "the loader of OpenCL drivers (libOpenCL.so.1) is not installed");
    if (!s->libraries.clblast.is_there)
        doctor_find(b, NOTE, NEED_CLBLAST, "",
                    "CLBlast is not installed: large products run on kernels of our own");
    if (b->state == NOT_BUILT)
        doctor_find(b, MISSING, NEED_BUILD_OPENCL, "", "this build has no backend for OpenCL");
}

static void check_level_zero(const doctor_system *s, doctor_backend *b)
{
    uint32_t gpus = 0;
    if (is_in_use(s, b))
        return;
    for (uint32_t i = 0; i < s->hardware_count; i++) {
        const het_hardware_info *info = &s->hardware[i].info;
        if (!is_gpu(info) || info->vendor_id != INTEL)
            continue;
        gpus++;
        if (check_node(s, info, b) && s->libraries.ze_intel.is_there)
            check_intel_version(s, info, NEED_LEVEL_ZERO_INTEL, b);
    }
    if (!gpus) {
        doctor_find(b, NOTE, NEED_NONE, "",
                    "the kernel shows no GPU of Intel's: nothing is missing");
        return;
    }
    if (!s->libraries.ze_loader.is_there)
        doctor_find(b, MISSING, NEED_LEVEL_ZERO_LOADER, "",
                    "the loader of Level Zero (libze_loader.so.1) is not installed");
    if (!s->libraries.ze_intel.is_there)
        doctor_find(b, MISSING, NEED_LEVEL_ZERO_INTEL, "",
                    "Intel's Level Zero driver (libze_intel_gpu.so.1) is not installed");
    if (b->state == NOT_BUILT)
        doctor_find(b, MISSING, NEED_NONE, "",
                    "this build has no backend for Level Zero: the GPU may be used through "
                    "OpenCL");
}

/* ---- NPUs ---- */

static void check_xrt(const doctor_system *s, doctor_backend *b)
{
    const library *xrt = &s->libraries.xrt;
    unsigned major = 0, minor = 0;
    if (!xrt->is_there) {
        doctor_find(b, MISSING, NEED_XRT, "", "XRT (libxrt_coreutil.so.2) is not installed");
        return;
    }
    if (sscanf(xrt->version, "%u.%u", &major, &minor) == 2 &&
        (major < XRT_MAJOR || (major == XRT_MAJOR && minor < XRT_MINOR))) {
        doctor_find(b, MISSING, NEED_XRT, "",
                    "XRT %u.%u is too old to use the NPU: %d.%d or newer is needed", major, minor,
                    XRT_MAJOR, XRT_MINOR);
        return;
    }
    if (!s->libraries.xrt_npu.is_there)
        doctor_find(b, MISSING, NEED_XRT_PLUGIN, "",
                    "XRT's part for the NPU (libxrt_driver_xdna.so.2) is not installed");
}

static void check_amd_npu(const doctor_system *s, const het_hardware_info *info,
                          doctor_backend *b)
{
    if (!info->driver[0] && kernel_before(s, NPU_KERNEL_MAJOR, NPU_KERNEL_MINOR)) {
        doctor_find(b, MISSING, NEED_KERNEL, "",
                    "kernel %s is too old for the NPU at %s: its driver amdxdna came with %d.%d",
                    s->kernel, info->physical, NPU_KERNEL_MAJOR, NPU_KERNEL_MINOR);
    } else if (!info->driver[0]) {
        doctor_find(b, MISSING, NEED_MODULE, "amdxdna",
                    "no driver of the kernel has taken the NPU at %s: its module is amdxdna",
                    info->physical);
        doctor_find(b, MISSING, NEED_FIRMWARE, "",
                    "if loading amdxdna does not help, the NPU's firmware is missing, or it is "
                    "switched off in the BIOS (see dmesg)");
    } else {
        check_node(s, info, b);
    }
}

/* What the backend said of the packages that it found. */
static void check_designs(doctor_backend *b)
{
    const weight how_bad = b->device_count ? BROKEN : NOTE;
    const char *refused = strstr(b->reason, " refused: ");
    const char *missing = strstr(b->reason, "; there is no ");
    if (refused)
        doctor_find(b, how_bad, NEED_NONE, "", "a design package cannot be used: %s",
                    refused + strlen(" refused: "));
    else if (missing)
        doctor_find(b, how_bad, NEED_NONE, "", "a design package cannot be used: %s", missing + 2);
}

static void check_npu(const doctor_system *s, doctor_backend *b)
{
    uint32_t npus = 0;
    check_designs(b);
    if (is_in_use(s, b)) {
        if (strstr(b->reason, ", 0 designs"))
            doctor_find(b, MISSING, NEED_NONE, "",
                        "the NPU has no designs, and nothing runs on it without: a folder of them "
                        "is named by HETINFER_NPU_DESIGNS");
        return;
    }
    for (uint32_t i = 0; i < s->hardware_count; i++) {
        const het_hardware_info *info = &s->hardware[i].info;
        if (info->kind == HET_DEVICE_NPU && info->vendor_id == INTEL)
            doctor_find(b, NOTE, NEED_NONE, "", "%s (%s): no backend drives it", info->physical,
                        info->name);
        if (info->kind != HET_DEVICE_NPU || info->vendor_id == INTEL)
            continue;
        npus++;
        check_amd_npu(s, info, b);
    }
    if (!npus) {
        doctor_find(b, NOTE, NEED_NONE, "",
                    "the kernel shows no NPU of AMD's: nothing is missing");
        return;
    }
    check_xrt(s, b);
    if (b->state == NOT_BUILT)
        doctor_find(b, MISSING, NEED_NONE, "", "this build has no backend for the NPU");
}

/* ---- all ---- */

static void check_cpu(doctor_backend *b)
{
    if (b->state == NOT_BUILT)
        doctor_find(b, BROKEN, NEED_NONE, "",
                    "this build has no backend for processors (-Dcpu_onednn=disabled)");
    else if (b->device_count && !strstr(b->devices[0].info.driver, "oneDNN"))
        doctor_find(b, NOTE, NEED_BUILD_ONEDNN, "",
                    "built without oneDNN: dense products run on kernels of our own");
}

void doctor_check(const doctor_system *system, doctor_backend *backend)
{
    if (backend->state == NOT_LOADED)
        doctor_find(backend, system->hardware_count > 1 ? MISSING : NOTE, NEED_NONE, "",
                    "hetinfer-%s.so cannot be loaded: it lies beside the library or in a folder "
                    "of HETINFER_BACKEND_PATH", backend->name);
    if (strcmp(backend->name, "cpu_onednn") == 0)
        check_cpu(backend);
    else if (strcmp(backend->name, "opencl_igpu") == 0)
        check_opencl(system, backend);
    else if (strcmp(backend->name, "intel_l0") == 0)
        check_level_zero(system, backend);
    else
        check_npu(system, backend);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The table of packages. Names are those of the distributions' own archives, of the releases of
 * 2025 and 2026; where an older release differs, a note says how. */
#include "doctor_advice.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

typedef struct row {
    const char *word;
    const char *packages[DISTRIBUTION_COUNT];
    const char *note[DISTRIBUTION_COUNT];
} row;

#define RUSTICL "set RUSTICL_ENABLE=radeonsi as well"
#define OWN_XRT "no usable package: build XRT and its NPU plugin from github.com/amd/xdna-driver"

static const row table[NEED_COUNT] = {
    [NEED_NONE] = { "none", { "", "", "", "" }, { "", "", "", "" } },
    [NEED_OPENCL_LOADER] = {
        "opencl-loader",
        { "ocl-icd-libopencl1", "ocl-icd-libopencl1", "OpenCL-ICD-Loader", "ocl-icd" },
        { "", "", "ocl-icd before Fedora 41", "" },
    },
    [NEED_OPENCL_INTEL] = {
        "opencl-intel",
        { "intel-opencl-icd", "intel-opencl-icd", "intel-compute-runtime",
          "intel-compute-runtime" },
        { "Debian 12 has 22.43, which knows no GPU newer than Arc A", "", "", "" },
    },
    [NEED_OPENCL_AMD] = {
        "opencl-amd",
        { "mesa-opencl-icd", "mesa-opencl-icd", "mesa-libOpenCL", "opencl-mesa" },
        { RUSTICL, RUSTICL, RUSTICL " (or rocm-opencl)", RUSTICL " (or rocm-opencl-runtime)" },
    },
    [NEED_OPENCL_NVIDIA] = {
        "opencl-nvidia",
        { "nvidia-opencl-icd", "", "", "opencl-nvidia" },
        { "of the section non-free", "a part of NVIDIA's driver (ubuntu-drivers install)",
          "a part of NVIDIA's driver (RPM Fusion)", "" },
    },
    [NEED_CLBLAST] = {
        "clblast",
        { "libclblast1", "libclblast1", "clblast", "clblast" },
        { "", "", "", "" },
    },
    [NEED_LEVEL_ZERO_LOADER] = {
        "level-zero-loader",
        { "libze1", "libze1", "oneapi-level-zero", "level-zero-loader" },
        { "", "", "", "" },
    },
    [NEED_LEVEL_ZERO_INTEL] = {
        "level-zero-intel",
        { "libze-intel-gpu1", "libze-intel-gpu1", "intel-level-zero", "intel-compute-runtime" },
        { "Debian 12 has 22.43 in intel-opencl-icd, which knows no GPU newer than Arc A", "", "",
          "" },
    },
    [NEED_XRT] = {
        "xrt",
        { "", "libxrt2 libxrt-npu2", "xrt", "xrt xrt-plugin-amdxdna" },
        { OWN_XRT " (Debian 12 and 13 have 2.13)",
          "from Ubuntu 26.04 on; 24.04 has 2.13: build from github.com/amd/xdna-driver there",
          "where it is packaged; else build from github.com/amd/xdna-driver", "" },
    },
    [NEED_XRT_PLUGIN] = {
        "xrt-npu-plugin",
        { "", "libxrt-npu2", "xrt", "xrt-plugin-amdxdna" },
        { OWN_XRT, "from Ubuntu 26.04 on",
          "where it is packaged; else build from github.com/amd/xdna-driver", "" },
    },
    [NEED_KERNEL] = {
        "kernel",
        { "linux-image-amd64", "linux-generic-hwe-24.04", "kernel", "linux" },
        { "of backports, where the release has an older one", "", "", "" },
    },
    [NEED_FIRMWARE] = {
        "firmware",
        { "firmware-linux-nonfree", "linux-firmware", "linux-firmware", "linux-firmware" },
        { "of the section non-free-firmware", "", "", "" },
    },
    [NEED_BUILD_OPENCL] = {
        "build-opencl",
        { "ocl-icd-opencl-dev libclblast-dev", "ocl-icd-opencl-dev libclblast-dev",
          "OpenCL-ICD-Loader-devel opencl-headers clblast-devel",
          "ocl-icd opencl-headers clblast" },
        { "then build anew", "then build anew", "then build anew", "then build anew" },
    },
    [NEED_BUILD_ONEDNN] = {
        "build-onednn",
        { "libdnnl-dev", "libdnnl-dev", "onednn-devel", "onednn" },
        { "then build anew", "then build anew", "then build anew", "then build anew" },
    },
    [NEED_GROUP] = { "group", { "", "", "", "" },
                     { "then log in again", "then log in again", "then log in again",
                       "then log in again" } },
    [NEED_MODULE] = { "module", { "", "", "", "" }, { "", "", "", "" } },
};

static const char *const words[] = { "debian", "ubuntu", "fedora", "arch", "other" };
static const char *const titles[] = { "Debian", "Ubuntu", "Fedora", "Arch", "other" };
static const char *const install[] = { "sudo apt install", "sudo apt install", "sudo dnf install",
                                       "sudo pacman -S" };

const char *distribution_word(distribution d)
{
    return words[d];
}

const char *distribution_title(distribution d)
{
    return titles[d];
}

/* Names that distributions have for themselves, and whose packages they use. */
static const struct { const char *id; distribution d; } ids[] = {
    { "debian", DEBIAN },   { "ubuntu", UBUNTU },    { "fedora", FEDORA },    { "arch", ARCH },
    { "linuxmint", UBUNTU }, { "pop", UBUNTU },      { "neon", UBUNTU },      { "rhel", FEDORA },
    { "centos", FEDORA },   { "rocky", FEDORA },     { "almalinux", FEDORA }, { "manjaro", ARCH },
    { "endeavouros", ARCH }, { "cachyos", ARCH },    { "raspbian", DEBIAN },
};

distribution distribution_of(const char *id, const char *id_like)
{
    const char *const lists[] = { id, id_like };
    for (size_t k = 0; k < 2; k++)
        for (const char *at = lists[k]; *at;) {
            const size_t n = strcspn(at, " ");
            for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
                if (n == strlen(ids[i].id) && memcmp(at, ids[i].id, n) == 0)
                    return ids[i].d;
            at += n + strspn(at + n, " ");
        }
    return DISTRIBUTION_COUNT;
}

const char *need_word(need what)
{
    return table[what].word;
}

const char *need_packages(need what, distribution d)
{
    assert(d < DISTRIBUTION_COUNT);
    return table[what].packages[d];
}

const char *need_note(need what, distribution d)
{
    assert(d < DISTRIBUTION_COUNT);
    return table[what].note[d];
}

const char *need_command(need what, distribution d, const char *name, char *text, size_t bytes)
{
    assert(d < DISTRIBUTION_COUNT);
    text[0] = '\0';
    if (what == NEED_GROUP)
        snprintf(text, bytes, "sudo usermod -aG %s \"$USER\"", name);
    else if (what == NEED_MODULE)
        snprintf(text, bytes, "sudo modprobe %s", name);
    else if (table[what].packages[d][0])
        snprintf(text, bytes, "%s %s", install[d], table[what].packages[d]);
    return text;
}

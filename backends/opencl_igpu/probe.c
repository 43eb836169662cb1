/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices there are.
 *
 * The loader loads every driver that is installed, which takes long where one brings a compiler;
 * so it is asked only where the system shows a graphics device, or where processors are asked for.
 *
 * One GPU may be seen through several drivers: of those with the same place on the PCI bus one
 * stays. A vendor's own driver is preferred to Mesa's, Mesa's new one to its old one. */
#include "backends/opencl_igpu/opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/os.h"

#define PLATFORMS_MAX 16

/* As much as fits: drivers refuse to give the beginning of a text. */
static void text_of(cl_device_id id, cl_device_info what, char *text, size_t bytes)
{
    char whole[256] = "";
    if (clGetDeviceInfo(id, what, sizeof whole - 1, whole, NULL) != CL_SUCCESS)
        whole[0] = 0;
    snprintf(text, bytes, "%s", whole);
}

static uint64_t number_of(cl_device_id id, cl_device_info what, size_t bytes)
{
    uint64_t value = 0; /* little-endian: a smaller type fills its beginning */
    return clGetDeviceInfo(id, what, bytes, &value, NULL) == CL_SUCCESS ? value : 0;
}

#define NUMBER(id, what, type) ((type)number_of(id, what, sizeof(type)))

static void platform_text(cl_platform_id id, cl_platform_info what, char *text, size_t bytes)
{
    char whole[256] = "";
    if (clGetPlatformInfo(id, what, sizeof whole - 1, whole, NULL) != CL_SUCCESS)
        whole[0] = 0;
    snprintf(text, bytes, "%s", whole);
}

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
            return true;
    return false;
}

/* ---- one device ---- */

/* Place on the PCI bus, where a driver tells it. */
static void find_physical(cl_device_id id, const char *extensions, char physical[32])
{
    struct { cl_uint domain, bus, device, function; } pci = { 0 };
    struct { cl_uint type; unsigned char unused[17], bus, device, function; } amd = { 0 };
    bool known = false;
    if (has_word(extensions, "cl_khr_pci_bus_info")) {
        known = clGetDeviceInfo(id, HET__CL_DEVICE_PCI_BUS_INFO, sizeof pci, &pci, NULL) ==
                CL_SUCCESS;
    } else if (has_word(extensions, "cl_amd_device_attribute_query")) {
        known = clGetDeviceInfo(id, HET__CL_DEVICE_TOPOLOGY_AMD, sizeof amd, &amd, NULL) ==
                    CL_SUCCESS && amd.type == 1;
        pci.bus = amd.bus;
        pci.device = amd.device;
        pci.function = amd.function;
    } else if (has_word(extensions, "cl_nv_device_attribute_query")) {
        pci.domain = NUMBER(id, HET__CL_DEVICE_PCI_DOMAIN_ID_NV, cl_uint);
        pci.bus = NUMBER(id, HET__CL_DEVICE_PCI_BUS_ID_NV, cl_uint);
        pci.device = NUMBER(id, HET__CL_DEVICE_PCI_SLOT_ID_NV, cl_uint) >> 3;
        pci.function = NUMBER(id, HET__CL_DEVICE_PCI_SLOT_ID_NV, cl_uint) & 7;
        known = pci.bus != 0;
    }
    physical[0] = 0;
    if (known)
        snprintf(physical, 32, "pci:%04x:%02x:%02x.%x", pci.domain & 0xffff, pci.bus & 0xff,
                 pci.device & 0xff, pci.function & 7);
}

static uint32_t rank_of(const char *platform)
{
    if (strstr(platform, "Clover"))
        return 0;
    if (strstr(platform, "Portable Computing Language"))
        return 1;
    return strstr(platform, "rusticl") ? 2 : 3;
}

/* "OpenCL 3.0 …": 30. */
static uint32_t version_of(const char *text)
{
    const char *at = strncmp(text, "OpenCL ", 7) == 0 ? text + 7 : "";
    char *end;
    const unsigned long major = strtoul(at, &end, 10);
    const unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major < 100 && minor < 10 ? (uint32_t)(10 * major + minor) : 0;
}

/* The width that our kernels ask for: only where a kernel can ask. */
static uint32_t subgroup_of(cl_device_id id, const char *extensions)
{
    size_t sizes[16];
    size_t bytes = 0;
    if (!has_word(extensions, "cl_intel_required_subgroup_size") ||
        !has_word(extensions, "cl_intel_subgroups") ||
        clGetDeviceInfo(id, 0x4108 /* CL_DEVICE_SUB_GROUP_SIZES_INTEL */, sizeof sizes, sizes,
                        &bytes) != CL_SUCCESS)
        return 0;
    for (size_t i = 0; i < bytes / sizeof sizes[0] && i < 16; i++)
        if (sizes[i] == 16)
            return 16;
    return 0;
}

static void find_facts(cl_device_id id, const char *extensions, het__cl_found *found)
{
    het__gpu_facts *f = &found->facts;
    const cl_device_type type = NUMBER(id, CL_DEVICE_TYPE, cl_device_type);
    char vendor[64];
    text_of(id, CL_DEVICE_VENDOR, vendor, sizeof vendor);
    f->is_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
    f->units = NUMBER(id, CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint);
    f->group_max = NUMBER(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, size_t);
    f->local_bytes = NUMBER(id, CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong);
    f->local_is_real = NUMBER(id, CL_DEVICE_LOCAL_MEM_TYPE, cl_device_local_mem_type) == CL_LOCAL;
    f->memory_bytes = NUMBER(id, CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong);
    f->buffer_max_bytes = NUMBER(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong);
    f->lanes = NUMBER(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, cl_uint);
    f->base_align = NUMBER(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, cl_uint) / 8;
    f->fp16 = has_word(extensions, "cl_khr_fp16");
    f->subgroup = subgroup_of(id, extensions);
    /* Its functions are declared for OpenCL C 3.0. */
    f->has_dot = found->version >= 30 && has_word(extensions, "cl_khr_integer_dot_product");
    f->dot = f->has_dot ? HET__GPU_DOT_KHR : HET__GPU_DOT_PLAIN;
    f->is_intel = strstr(vendor, "Intel") != NULL;
    f->is_amd = strstr(vendor, "Advanced Micro") || strstr(vendor, "AMD");
    found->runs_unordered =
        (NUMBER(id, CL_DEVICE_QUEUE_ON_HOST_PROPERTIES, cl_command_queue_properties) &
         CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) != 0;
    f->shares_memory = NUMBER(id, CL_DEVICE_HOST_UNIFIED_MEMORY, cl_bool) != 0;
    if (found->version >= 20)
        found->svm_fine = f->shares_memory &&
                          (NUMBER(id, CL_DEVICE_SVM_CAPABILITIES, cl_device_svm_capabilities) &
                           CL_DEVICE_SVM_FINE_GRAIN_BUFFER) != 0;
}

static void fill_info(cl_device_id id, const char *platform, const char *extensions,
                      het__cl_found *found)
{
    het_device_info *info = &found->info;
    const het__gpu_facts *f = &found->facts;
    char driver[48];
    text_of(id, CL_DRIVER_VERSION, driver, sizeof driver);
    info->struct_size = sizeof *info;
    info->kind = f->is_cpu ? HET_DEVICE_CPU
                           : f->shares_memory ? HET_DEVICE_IGPU : HET_DEVICE_GPU;
    info->unit_count = f->units;
    info->memory_bytes = f->memory_bytes;
    text_of(id, CL_DEVICE_NAME, info->name, sizeof info->name);
    snprintf(info->driver, sizeof info->driver, "%.24s %.36s",
             strncmp(platform, "Portable", 8) == 0 ? "PoCL" : platform, driver);
    snprintf(info->features, sizeof info->features, "opencl%u.%u%s%s%s%s%s", found->version / 10,
             found->version % 10, f->fp16 ? " fp16" : "", f->subgroup ? " subgroup16" : "",
             has_word(extensions, "cl_khr_integer_dot_product") ? " int8" : "",
             f->shares_memory ? " shared" : "", found->svm_fine ? " svm" : "");
}

/* What our kernels take for granted: a compiler, this byte order, groups of some size. */
static bool is_usable(cl_device_id id)
{
    return NUMBER(id, CL_DEVICE_AVAILABLE, cl_bool) &&
           NUMBER(id, CL_DEVICE_COMPILER_AVAILABLE, cl_bool) &&
           NUMBER(id, CL_DEVICE_ENDIAN_LITTLE, cl_bool) &&
           NUMBER(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, size_t) >= 64 &&
           NUMBER(id, CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong) >= 16384;
}

static void add_device(const het__host *host, cl_platform_id platform, cl_device_id id,
                       het__cl_list *list)
{
    if (list->count == HET__DEVICES_MAX || !is_usable(id))
        return;
    char name[64], version[32];
    size_t bytes = 0;
    clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, 0, NULL, &bytes);
    char *extensions = het__alloc_zero(host->mem, bytes + 1, 1);
    if (!extensions) {
        list->is_short = true;
        return;
    }
    het__cl_found *found = &list->device[list->count];
    memset(found, 0, sizeof *found);
    clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, bytes, extensions, NULL);
    platform_text(platform, CL_PLATFORM_NAME, name, sizeof name);
    text_of(id, CL_DEVICE_VERSION, version, sizeof version);
    found->platform = platform;
    found->id = id;
    found->version = version_of(version);
    found->rank = rank_of(name);
    /* rusticl ends the process when it is given a program that it did not write itself. */
    found->keeps_binaries = found->rank != 2;
    find_physical(id, extensions, found->physical);
    find_facts(id, extensions, found);
    fill_info(id, name, extensions, found);
    het__free(host->mem, extensions);
    /* A device switched to look like a GPU, so that a processor can test the kernels of GPUs. */
    if (host->use_env && het__env("HETINFER_OPENCL_AS_GPU"))
        found->facts.is_cpu = false;
    if (host->use_env && het__env("HETINFER_OPENCL_DOT"))
        found->facts.has_dot = true;
    if (found->version >= 12)
        list->count++;
}

void het__cl_drop_twins(het__cl_list *list)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const het__cl_found *d = &list->device[i];
        bool is_best = true;
        for (uint32_t k = 0; d->physical[0] && k < list->count; k++) {
            const het__cl_found *other = &list->device[k];
            if (k != i && strcmp(other->physical, d->physical) == 0 &&
                (other->rank > d->rank || (other->rank == d->rank && k < i)))
                is_best = false;
        }
        list->device[i].info.flags = is_best; /* decided for all before any is moved */
    }
    for (uint32_t i = 0; i < list->count; i++)
        if (list->device[i].info.flags) {
            list->device[i].info.flags = 0;
            list->device[kept++] = list->device[i];
        }
    list->count = kept;
}

/* ---- all ---- */

static bool has_hardware(void)
{
    return het__path_exists("/dev/dri") || het__path_exists("/dev/kfd") ||
           het__path_exists("/dev/dxg") || het__path_exists("/dev/nvidiactl") ||
           het__path_exists("/dev/mali0") || het__path_exists("/dev/kgsl-3d0");
}

static bool wants_processors(const het__host *host)
{
    const char *text = host->use_env ? het__env("HETINFER_OPENCL_CPU") : NULL;
    return text && strcmp(text, "1") == 0;
}

void het__cl_find(const het__host *host, het__cl_list *list)
{
    memset(list, 0, sizeof *list);
    const bool processors = wants_processors(host);
    if (!processors && !has_hardware()) {
        snprintf(list->reason, sizeof list->reason, "the system shows no GPU");
        return;
    }
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint platform_count = 0;
    const cl_int code = clGetPlatformIDs(PLATFORMS_MAX, platforms, &platform_count);
    if (code != CL_SUCCESS || platform_count == 0) {
        snprintf(list->reason, sizeof list->reason, "no OpenCL driver is installed");
        return;
    }
    const cl_device_type kinds = CL_DEVICE_TYPE_GPU | (processors ? CL_DEVICE_TYPE_CPU : 0);
    if (platform_count > PLATFORMS_MAX)
        platform_count = PLATFORMS_MAX;
    for (cl_uint p = 0; p < platform_count; p++) {
        cl_device_id ids[HET__DEVICES_MAX];
        cl_uint count = 0;
        const cl_int listed =
            clGetDeviceIDs(platforms[p], kinds, HET__DEVICES_MAX, ids, &count);
        list->is_short = list->is_short || listed == CL_OUT_OF_HOST_MEMORY;
        if (listed != CL_SUCCESS)
            continue;
        for (cl_uint d = 0; d < count && d < HET__DEVICES_MAX; d++)
            add_device(host, platforms[p], ids[d], list);
    }
    const uint32_t before = list->count;
    het__cl_drop_twins(list);
    const int n = snprintf(list->reason, sizeof list->reason, "%u driver%s, %u device%s",
                           platform_count, platform_count == 1 ? "" : "s", list->count,
                           list->count == 1 ? "" : "s");
    if (list->is_short)
        snprintf(list->reason + n, sizeof list->reason - (size_t)n,
                 "; memory ran out while looking for more");
    else if (before > list->count)
        snprintf(list->reason + n, sizeof list->reason - (size_t)n,
                 "; %u seen through another driver too", before - list->count);
}

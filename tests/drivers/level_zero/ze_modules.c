/* SPDX-License-Identifier: Apache-2.0 */
/* The library's SPIR-V through the compiler of whatever Level Zero driver is there: every module
 * that the device can take is made with its constants, and every kernel of it.
 *
 * Usage: ze_modules [--seconds N] [--dp4a] [--submit SCALE.spv] INDEX.txt
 *     --seconds  take modules spread over the list until the time is up
 *     --dp4a     the device has DP4a, whatever its driver says (Intel's of 22.43 does not)
 *     --submit   also submit a kernel with memory, events and both kinds of lists
 * INDEX.txt lists the modules beside it, see backends/kernels/spirv.py. With a driver that only
 * records what it is given (evidence of compiling and submitting, not of executing) the output says
 * so. */
#include <level_zero/ze_api.h>
#include <stdbool.h>
#include <time.h>

#include "test.h"

#define OK ZE_RESULT_SUCCESS
#define SECOND UINT64_C(1000000000)
#define MODULES_MAX 4000

typedef struct module {
    char path[400], name[160];
    bool needs_fp16, needs_subgroup, needs_dp4a, needs_xmx;
    uint32_t ids[16], id_count;
} module;

static ze_driver_handle_t driver;
static ze_device_handle_t device;
static ze_context_handle_t context;
static bool has_fp16, has_subgroup, has_dp4a, records;
static uint32_t kernel_count, spilling;
static module modules[MODULES_MAX];
static uint32_t module_count;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the list ---- */

static void read_constants(module *m, char *text)
{
    for (char *word = strtok(text, " \n"); word; word = strtok(NULL, " \n"))
        if (m->id_count < 16)
            m->ids[m->id_count++] = (uint32_t)strtoul(word, NULL, 10);
}

static bool read_line(char *line, const char *folder)
{
    char *field[5] = { line };
    for (int i = 1; i < 5; i++) {
        char *const tab = strchr(field[i - 1], '\t');
        if (!tab)
            return false;
        *tab = '\0';
        field[i] = tab + 1;
    }
    module *const m = &modules[module_count];
    snprintf(m->path, sizeof m->path, "%s/%s", folder, field[3]);
    snprintf(m->name, sizeof m->name, "%.30s %.100s %.20s", field[0], field[1], field[2]);
    m->needs_fp16 = strstr(field[2], "fp16") != NULL;
    m->needs_subgroup = strstr(field[2], "subgroup") != NULL;
    m->needs_xmx = strstr(field[2], "xmx") != NULL;
    m->needs_dp4a = strstr(field[2], "dp4a") != NULL;
    read_constants(m, field[4]);
    return true;
}

static void read_index(const char *path)
{
    char line[1000], folder[300];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    FILE *const f = fopen(path, "r");
    if (!f)
        test_skip("the library was built without modules of SPIR-V");
    while (module_count < MODULES_MAX && fgets(line, sizeof line, f))
        module_count += read_line(line, folder);
    fclose(f);
    CHECK(module_count > 0);
}

/* ---- the device ---- */

static void open_device(void)
{
    uint32_t count = 1;
    ze_device_properties_t p = { .stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES };
    ze_device_compute_properties_t c = { .stype = ZE_STRUCTURE_TYPE_DEVICE_COMPUTE_PROPERTIES };
    ze_device_module_properties_t m = { .stype = ZE_STRUCTURE_TYPE_DEVICE_MODULE_PROPERTIES };
    const ze_context_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC };
    if (zeInit(0) != OK || zeDriverGet(&count, &driver) != OK || count == 0)
        test_skip("no Level Zero driver, or none without a GPU (package intel-opencl-icd)");
    count = 1;
    CHECK_INT(zeDeviceGet(driver, &count, &device), OK);
    CHECK_INT(zeDeviceGetProperties(device, &p), OK);
    CHECK_INT(zeDeviceGetComputeProperties(device, &c), OK);
    CHECK_INT(zeDeviceGetModuleProperties(device, &m), OK);
    CHECK_INT(zeContextCreate(driver, &desc, &context), OK);
    has_fp16 = m.flags & ZE_DEVICE_MODULE_FLAG_FP16;
    has_dp4a = m.flags & ZE_DEVICE_MODULE_FLAG_DP4A;
    for (uint32_t i = 0; i < c.numSubGroupSizes; i++)
        has_subgroup |= c.subGroupSizes[i] == 16;
    records = getenv("SetCommandStreamReceiver") != NULL;
    printf("%s, fp16 %s, subgroups of 16 %s, DP4a %s\n", p.name, has_fp16 ? "yes" : "no",
           has_subgroup ? "yes" : "no", has_dp4a ? "yes" : "no");
    if (records)
        printf("this driver records what it is given: NOTHING EXECUTES here; what follows was "
               "compiled and submitted\n");
}

/* ---- compiling ---- */

static void make_kernels(const module *m, ze_module_handle_t handle)
{
    const char *names[64];
    uint32_t count = 64;
    CHECK_INT(zeModuleGetKernelNames(handle, &count, names), OK);
    CHECK(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        const ze_kernel_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_KERNEL_DESC,
                                        .pKernelName = names[i] };
        ze_kernel_properties_t p = { .stype = ZE_STRUCTURE_TYPE_KERNEL_PROPERTIES };
        ze_kernel_handle_t kernel = NULL;
        const ze_result_t r = zeKernelCreate(handle, &desc, &kernel);
        if (r != OK) {
            TEST_FAIL("%s: kernel %s: 0x%x", m->name, names[i], (unsigned)r);
            continue;
        }
        CHECK_INT(zeKernelGetProperties(kernel, &p), OK);
        if (p.spillMemSize) {
            printf("spills %u bytes: %s: %s\n", (unsigned)p.spillMemSize, m->name, names[i]);
            spilling++;
        }
        kernel_count++;
        CHECK_INT(zeKernelDestroy(kernel), OK);
    }
}

static void make_module(const module *m)
{
    static const int32_t one = 1;
    const void *values[16];
    size_t bytes = 0;
    uint8_t *const code = test_read_file(m->path, &bytes);
    for (int i = 0; i < 16; i++)
        values[i] = &one;
    const ze_module_constants_t constants = { m->id_count, m->ids, values };
    const ze_module_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_MODULE_DESC,
                                    .format = ZE_MODULE_FORMAT_IL_SPIRV, .inputSize = bytes,
                                    .pInputModule = code, .pConstants = &constants };
    ze_module_handle_t handle = NULL;
    ze_module_build_log_handle_t log = NULL;
    const ze_result_t r = zeModuleCreate(context, device, &desc, &handle, &log);
    char text[2000] = "";
    size_t text_bytes = sizeof text;
    if (log)
        zeModuleBuildLogGetString(log, &text_bytes, text);
    if (r == OK)
        make_kernels(m, handle);
    else
        TEST_FAIL("%s (%s): 0x%x: %s", m->name, m->path, (unsigned)r, text);
    if (log)
        zeModuleBuildLogDestroy(log);
    if (handle)
        CHECK_INT(zeModuleDestroy(handle), OK);
    free(code);
}

/* All, or every so many-th first, as long as there is time. */
static void compile(double seconds)
{
    const double begin = now();
    uint32_t made = 0, left_out = 0;
    const uint32_t stride = 37; /* prime to the count, or some come twice */
    for (uint32_t i = 0; i < module_count && (seconds <= 0 || now() - begin < seconds); i++) {
        const module *const m = &modules[(uint32_t)((uint64_t)i * stride % module_count)];
        if ((m->needs_fp16 && !has_fp16) || (m->needs_subgroup && !has_subgroup) ||
            (m->needs_dp4a && !has_dp4a) || m->needs_xmx) {
            left_out++;
            continue;
        }
        make_module(m);
        made++;
    }
    printf("%u of %u modules compiled, %u kernels, %u spill; %u need what the device lacks\n",
           (unsigned)made, (unsigned)module_count, (unsigned)kernel_count, (unsigned)spilling,
           (unsigned)left_out);
    CHECK(made > 0);
}

/* ---- submitting ---- */

#define COUNT 1024

typedef struct job {
    ze_module_handle_t module;
    ze_kernel_handle_t kernel;
    ze_command_queue_handle_t queue;
    ze_command_list_handle_t list, immediate;
    ze_event_pool_handle_t pool;
    ze_event_handle_t event;
    void *in, *out;
} job;

static void make_job(job *j, const uint8_t *code, size_t bytes)
{
    const ze_module_desc_t program = { .stype = ZE_STRUCTURE_TYPE_MODULE_DESC, .inputSize = bytes,
                                      .format = ZE_MODULE_FORMAT_IL_SPIRV, .pInputModule = code };
    const ze_kernel_desc_t kernel = { .stype = ZE_STRUCTURE_TYPE_KERNEL_DESC,
                                      .pKernelName = "scale" };
    const ze_device_mem_alloc_desc_t d = { .stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC };
    const ze_host_mem_alloc_desc_t h = { .stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC };
    const ze_event_pool_desc_t pool = { .stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC, .count = 1,
                                        .flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE };
    const ze_event_desc_t event = { .stype = ZE_STRUCTURE_TYPE_EVENT_DESC };
    const float plus = 1;
    CHECK_INT(zeModuleCreate(context, device, &program, &j->module, NULL), OK);
    CHECK_INT(zeKernelCreate(j->module, &kernel, &j->kernel), OK);
    CHECK_INT(zeMemAllocShared(context, &d, &h, COUNT * sizeof(float), 64, device, &j->in), OK);
    CHECK_INT(zeMemAllocDevice(context, &d, COUNT * sizeof(float), 64, device, &j->out), OK);
    CHECK_INT(zeEventPoolCreate(context, &pool, 1, &device, &j->pool), OK);
    CHECK_INT(zeEventCreate(j->pool, &event, &j->event), OK);
    CHECK_INT(zeKernelSetGroupSize(j->kernel, 64, 1, 1), OK);
    CHECK_INT(zeKernelSetArgumentValue(j->kernel, 0, sizeof j->in, &j->in), OK);
    CHECK_INT(zeKernelSetArgumentValue(j->kernel, 1, sizeof j->out, &j->out), OK);
    CHECK_INT(zeKernelSetArgumentValue(j->kernel, 2, sizeof plus, &plus), OK);
}

static void submit(const char *path)
{
    size_t bytes = 0;
    uint8_t *const code = test_read_file(path, &bytes);
    const ze_command_queue_desc_t queue = { .stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
                                            .mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS };
    const ze_command_list_desc_t list = { .stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC };
    const ze_group_count_t groups = { COUNT / 64, 1, 1 };
    job j = { .kernel = NULL };
    make_job(&j, code, bytes);
    CHECK_INT(zeCommandQueueCreate(context, device, &queue, &j.queue), OK);
    CHECK_INT(zeCommandListCreate(context, device, &list, &j.list), OK);
    CHECK_INT(zeCommandListAppendLaunchKernel(j.list, j.kernel, &groups, NULL, 0, NULL), OK);
    CHECK_INT(zeCommandListAppendBarrier(j.list, NULL, 0, NULL), OK);
    CHECK_INT(zeCommandListAppendMemoryCopy(j.list, j.in, j.out, COUNT, NULL, 0, NULL), OK);
    CHECK_INT(zeCommandListClose(j.list), OK);
    CHECK_INT(zeCommandQueueExecuteCommandLists(j.queue, 1, &j.list, NULL), OK);
    CHECK_INT(zeCommandQueueSynchronize(j.queue, 10 * SECOND), OK);
    CHECK_INT(zeCommandListCreateImmediate(context, device, &queue, &j.immediate), OK);
    CHECK_INT(zeCommandListAppendLaunchKernel(j.immediate, j.kernel, &groups, j.event, 0, NULL),
              OK);
    /* Where nothing executes, no event comes: a bounded wait. */
    const ze_result_t r = zeEventHostSynchronize(j.event, records ? SECOND / 10 : 10 * SECOND);
    CHECK(r == OK || (records && r == ZE_RESULT_NOT_READY));
    CHECK_INT(zeCommandListDestroy(j.immediate), OK);
    CHECK_INT(zeCommandListDestroy(j.list), OK);
    CHECK_INT(zeCommandQueueDestroy(j.queue), OK);
    CHECK_INT(zeEventDestroy(j.event), OK);
    CHECK_INT(zeEventPoolDestroy(j.pool), OK);
    CHECK_INT(zeKernelDestroy(j.kernel), OK);
    CHECK_INT(zeModuleDestroy(j.module), OK);
    CHECK_INT(zeMemFree(context, j.in), OK);
    CHECK_INT(zeMemFree(context, j.out), OK);
    free(code);
    printf("a list and an immediate list submitted; event %s\n",
           r == OK ? "signalled" : "not signalled");
}

int main(int argc, char **argv)
{
    double seconds = 0;
    const char *scale = NULL;
    int i = 1;
    bool with_dp4a = false;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--dp4a") == 0) {
            with_dp4a = true;
            i--;
            continue;
        }
        if (strcmp(argv[i], "--seconds") == 0 && !getenv("HETINFER_TEST_LONG"))
            seconds = strtod(argv[i + 1], NULL);
        if (strcmp(argv[i], "--submit") == 0)
            scale = argv[i + 1];
    }
    open_device();
    has_dp4a = has_dp4a || with_dp4a;
    if (scale)
        submit(scale);
    if (i < argc) {
        read_index(argv[i]);
        compile(seconds);
    }
    CHECK_INT(zeContextDestroy(context), OK);
    return test_finish();
}

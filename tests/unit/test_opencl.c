/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenCL backend beside the results of its operations (those: tests/conformance): devices,
 * memory, waiting, kernels that do not build, the cache of kernels, attention that is split.
 *
 * A processor's driver stands in for a GPU's; without one the program skips. */
#define _XOPEN_SOURCE 700 /* setenv, mkdtemp */
#include "backends/opencl_igpu/opencl.h"
#include "folder.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/os.h"
#include "lib/exec/registry.h"
#include "lib/quant/quant.h"
#include "rig.h"

#define NAME "opencl_igpu"

static void open_rig(rig *r)
{
    het_error err = HET_ERROR_INIT;
    rig_init(r, NAME);
    r->host.use_env = true;
    CHECK_INT(rig_open_device(r, &err), HET_OK);
}

/* ---- devices ---- */

static void devices_say_what_they_are(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    const het__host host = { .mem = &mem, .use_env = true };
    static het__probed probed;
    rig_backend(NAME)->probe(&host, &probed);
    CHECK(probed.device_count >= 1);
    const het_device_info *info = &probed.device[0];
    CHECK(info->name[0] && info->driver[0] && info->unit_count > 0 && info->memory_bytes > 0);
    CHECK(strncmp(info->features, "opencl", 6) == 0);
    printf("%s; %s; %s; %s\n", info->name, info->driver, info->features, probed.reason);
    CHECK_INT(mem.bytes, 0);
}

/* Processors are not offered unless asked for, and the question is of the environment. */
static void processors_are_for_tests(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    const het__host host = { .mem = &mem };
    static het__probed probed;
    rig_backend(NAME)->probe(&host, &probed);
    for (uint32_t i = 0; i < probed.device_count; i++)
        CHECK(probed.device[i].kind != HET_DEVICE_CPU);
    CHECK(probed.reason[0]);
}

static void add_fake(het__cl_list *list, const char *name, const char *physical, uint32_t rank)
{
    het__cl_found *f = &list->device[list->count++];
    memset(f, 0, sizeof *f);
    snprintf(f->info.name, sizeof f->info.name, "%s", name);
    snprintf(f->physical, sizeof f->physical, "%s", physical);
    f->rank = rank;
}

static void one_gpu_by_two_drivers_is_one(void)
{
    static het__cl_list list;
    list.count = 0;
    add_fake(&list, "mesa", "pci:0000:00:02.0", 2);
    add_fake(&list, "unknown place", "", 3);
    add_fake(&list, "vendor", "pci:0000:00:02.0", 3);
    add_fake(&list, "vendor again", "pci:0000:00:02.0", 3);
    add_fake(&list, "other card", "pci:0000:03:00.0", 2);
    add_fake(&list, "another unknown", "", 3);
    het__cl_drop_twins(&list);
    CHECK_INT(list.count, 4);
    CHECK_STR(list.device[0].info.name, "unknown place");
    CHECK_STR(list.device[1].info.name, "vendor");
    CHECK_STR(list.device[2].info.name, "other card");
    CHECK_STR(list.device[3].info.name, "another unknown");
    CHECK_INT(list.device[1].info.flags, 0);
}

static void one_gpu_by_two_backends_is_one(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    static het__registry registry;
    het__text report;
    memset(&registry, 0, sizeof registry);
    het__text_init(&report, &mem);
    static het__probed first, second;
    first.device_count = 1;
    snprintf(first.physical[0], sizeof first.physical[0], "pci:0000:00:02.0");
    second.device_count = 3;
    snprintf(second.device[0].name, sizeof second.device[0].name, "the same");
    memcpy(second.physical[0], first.physical[0], sizeof first.physical[0]);
    snprintf(second.physical[1], sizeof second.physical[1], "pci:0000:03:00.0");
    het__registry_add(&registry, rig_backend("ref"), &first, &report);
    het__registry_add(&registry, rig_backend("null"), &second, &report);
    CHECK_INT(registry.count, 3);
    CHECK_INT(registry.device[1].backend_index, 1);
    CHECK_INT(registry.device[2].backend_index, 2);
    CHECK_INT(registry.device[2].info.index, 2);
    CHECK_STR(report.data, "null: the same is device 0 of ref, which is preferred\n");
    het__text_finish(&report);
}

static void codes_become_statuses(void)
{
    static const struct { cl_int code; het_status status; const char *text; } cases[] = {
        { CL_OUT_OF_RESOURCES, HET_E_NOMEM, "clFinish gives CL_OUT_OF_RESOURCES (-5)" },
        { CL_MEM_OBJECT_ALLOCATION_FAILURE, HET_E_NOMEM,
          "clFinish gives CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)" },
        { CL_DEVICE_NOT_AVAILABLE, HET_E_DEVICE_LOST,
          "clFinish gives CL_DEVICE_NOT_AVAILABLE (-2)" },
        { CL_INVALID_KERNEL_ARGS, HET_E_INTERNAL, "clFinish gives CL_INVALID_KERNEL_ARGS (-52)" },
        { -9999, HET_E_DEVICE_LOST, "clFinish gives DEVICE_GONE (-9999)" },
        { -1234, HET_E_DEVICE_LOST, "clFinish gives code -1234" },
        { -77, HET_E_INTERNAL, "clFinish gives code -77" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        het_error err = HET_ERROR_INIT;
        CHECK_INT(het__cl_fail(&err, cases[i].code, "clFinish"), cases[i].status);
        CHECK_STR(err.message, cases[i].text);
        CHECK_INT(err.native_code, cases[i].code);
    }
}

/* ---- memory ---- */

static void buffers_keep_bytes(void)
{
    rig r;
    open_rig(&r);
    char data[1000], back[1000] = { 1 };
    het_error err = HET_ERROR_INIT;
    het__buffer *b = NULL;
    CHECK_INT(r.backend->buffer_create(r.device, 1000, &b, &err), HET_OK);
    if (b) {
        CHECK_INT(r.backend->buffer_read(r.device, b, 0, back, 1000, &err), HET_OK);
        for (int i = 0; i < 1000; i++) {
            CHECK_INT(back[i], 0);
            data[i] = (char)(i * 7);
        }
        CHECK_INT(r.backend->buffer_write(r.device, b, 100, data, 333, &err), HET_OK);
        CHECK_INT(r.backend->buffer_write(r.device, b, 1000, data, 0, &err), HET_OK);
        CHECK_INT(r.backend->buffer_read(r.device, b, 101, back, 332, &err), HET_OK);
        CHECK_INT(memcmp(back, data + 1, 332), 0);
        const char *host = r.backend->buffer_host(r.device, b);
        if (host) /* one memory, not two */
            CHECK_INT(memcmp(host + 100, data, 333), 0);
        r.backend->buffer_destroy(r.device, b);
    }
    b = NULL;
    CHECK_INT(r.backend->buffer_create(r.device, SIZE_MAX / 2, &b, &err), HET_E_NOMEM);
    CHECK(!b && strstr(err.message, "bytes"));
    rig_close(&r);
}

/* y = silu(x) of 1024 floats, with both in memory of ours. */
static void imported_memory_is_used_in_place(void)
{
    rig r;
    open_rig(&r);
    const het__extent extent[] = { { 1, HET__SYM_TOKENS }, { 1024, HET__SYM_ONE } };
    const uint32_t x = het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, extent);
    const het__attrs attrs = { .unary = { .kind = HET__UNARY_SILU } };
    const uint32_t y =
        het__graph_node(&r.graph, HET__OP_UNARY, 0, "silu", &x, 1, &attrs, NULL);
    char *room = malloc(4 * HET__IMPORT_ALIGN);
    float *in = (float *)het__round_up((uintptr_t)room, HET__IMPORT_ALIGN);
    float *out = in + HET__IMPORT_ALIGN / sizeof *in;
    het_error err = HET_ERROR_INIT;
    const het_status s =
        r.backend->buffer_import(r.device, in, HET__IMPORT_ALIGN, &r.buffers[x], &err);
    if (s == HET_E_UNSUPPORTED) {
        printf("no import: %s\n", err.message);
    } else {
        CHECK_INT(s, HET_OK);
        CHECK_INT(r.backend->buffer_import(r.device, out, HET__IMPORT_ALIGN, &r.buffers[y], &err),
                  HET_OK);
        r.places[x].buffer = r.buffers[x];
        r.places[y].buffer = r.buffers[y];
        CHECK(r.backend->buffer_host(r.device, r.buffers[x]) == (void *)in);
        if (rig_compile(&r))
            for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 1024; i++)
                    in[i] = (float)(i - 512 + round) / 64;
                rig_run(&r);
                for (int i = 0; i < 1024; i++)
                    CHECK_NEAR((double)out[i], in[i] / (1 + exp(-(double)in[i])), 1e-5);
            }
    }
    rig_close(&r);
    free(room);
}

/* y = x + w: w is used where it lies, or copied if kernels could not read it there. */
static void constants_lie_where_they_are(void)
{
    static const int64_t extent[] = { 64 };
    _Alignas(64) static char bytes[65 * sizeof(float)];
    for (int odd = 0; odd < 2; odd++) {
        float values[64];
        for (int i = 0; i < 64; i++)
            values[i] = (float)i;
        memcpy(bytes + odd, values, sizeof values);
        rig r;
        open_rig(&r);
        const het__extent x_extent[] = { { 1, HET__SYM_TOKENS }, { 64, HET__SYM_ONE } };
        const uint32_t x =
            het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, x_extent);
        const uint32_t w =
            het__graph_const(&r.graph, "w", HET_DTYPE_F32, 1, extent, bytes + odd);
        const uint32_t y = het__graph_node(&r.graph, HET__OP_ADD, 0, "add",
                                           (uint32_t[]){ x, w }, 2, &(het__attrs){ 0 }, NULL);
        if (rig_compile(&r)) {
            het__backend_counters counters;
            ((float *)rig_data(&r, x))[5] = 0.5f;
            rig_run(&r);
            CHECK_NEAR((double)((float *)rig_data(&r, y))[5], 5.5, 0.0);
            CHECK_NEAR((double)((float *)rig_data(&r, y))[63], 63, 0.0);
            r.backend->counters(r.device, &counters);
            CHECK_INT(counters.weight_bytes, sizeof values);
            CHECK_INT(counters.mapped_bytes,
                      !odd && r.device->found.facts.is_cpu && het__cl_imports(r.device)
                          ? sizeof values : 0);
            CHECK_INT(counters.launch_count, 1);
        }
        rig_close(&r);
    }
}

/* ---- waiting ---- */

/* y = silu(x) of a million floats. */
static uint32_t build_long(rig *r)
{
    const het__extent extent[] = { { 1, HET__SYM_TOKENS }, { 1 << 20, HET__SYM_ONE } };
    const uint32_t x =
        het__graph_value(&r->graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, extent);
    const het__attrs attrs = { .unary = { .kind = HET__UNARY_SILU } };
    return het__graph_node(&r->graph, HET__OP_UNARY, 0, "silu", &x, 1, &attrs, NULL);
}

static void parts_are_waited_for(void)
{
    enum { COUNT = 3 * HET__CL_RING / 2 };
    rig r;
    open_rig(&r);
    build_long(&r);
    het_error err = HET_ERROR_INIT;
    if (rig_compile(&r)) {
        const uint64_t before = het__now_ns();
        for (int i = 0; i < COUNT; i++)
            CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        uint64_t begin = 0, end = 0, last = 0;
        CHECK_INT(r.backend->wait_for(r.device, COUNT - 10, 0, &err), HET_OK);
        CHECK(!r.backend->span(r.device, COUNT, &begin, &end) ||
              r.device->retired == COUNT); /* or it was faster than we */
        CHECK_INT(r.backend->wait_for(r.device, COUNT - 5, UINT64_C(60000000000), &err), HET_OK);
        CHECK_INT(r.backend->wait(r.device, UINT64_C(60000000000), &err), HET_OK);
        CHECK(!r.backend->span(r.device, 0, &begin, &end));
        CHECK(!r.backend->span(r.device, 1, &begin, &end)); /* too long ago */
        CHECK(!r.backend->span(r.device, COUNT + 1, &begin, &end));
        for (uint64_t i = COUNT - 20; i <= COUNT; i++) {
            CHECK(r.backend->span(r.device, i, &begin, &end));
            CHECK(begin >= last && end > begin);
            last = end;
        }
        /* The two clocks differ by no more than a wait may be late. */
        CHECK(begin > before && end < het__now_ns() + 5000000);
        het__backend_counters counters;
        r.backend->counters(r.device, &counters);
        CHECK(counters.busy_ns > 0 && counters.busy_ns <= het__now_ns() - before + 5000000);
        CHECK_INT(counters.launch_count, COUNT);
    }
    rig_close(&r);
}

/* Seconds of work, of which a few milliseconds are waited for. */
static void a_device_that_hangs_is_left(void)
{
    static const char text[] =
        "__kernel void spin(__global float *x) {\n"
        "    volatile __global float *y = x;\n"
        "    for (int i = 0; i < 300000000; i++) y[0] = y[0] * 0.5f + 1.0f;\n"
        "}\n";
    rig r;
    open_rig(&r);
    het_error err = HET_ERROR_INIT;
    cl_program program;
    cl_int code;
    const size_t one = 1;
    cl_event event;
    build_long(&r);
    CHECK(rig_compile(&r));
    CHECK_INT(het__cl_build_source(r.device, "spin", text, sizeof text - 1, "", &program, &err),
              HET_OK);
    cl_kernel kernel = clCreateKernel(program, "spin", &code);
    CHECK_INT(code, CL_SUCCESS);
    clSetKernelArg(kernel, 0, sizeof(cl_mem), &r.buffers[1]->mem);
    CHECK_INT(het__cl_run_begin(r.device, &err), HET_OK);
    CHECK_INT(clEnqueueNDRangeKernel(r.device->queue, kernel, 1, NULL, &one, NULL, 0, NULL, &event),
              CL_SUCCESS);
    het__cl_run_event(r.device, event);
    CHECK_INT(het__cl_run_end(r.device, &err), HET_OK);
    const uint64_t begin = het__now_ns();
    CHECK_INT(r.backend->wait(r.device, 20000000, &err), HET_E_TIMEOUT);
    CHECK(strstr(err.message, "20 ms"));
    rig_close(&r);
    const uint64_t ns = het__now_ns() - begin;
    printf("left after %.1f ms\n", (double)ns * 1e-6);
    CHECK(ns >= 20000000 && ns < 500000000);
}

/* ---- kernels ---- */

static void kernels_that_do_not_build_say_why(void)
{
    static const char text[] = "__kernel void broken(__global float *x) {\n"
                               "    x[0] = nonsense;\n"
                               "}\n";
    rig r;
    open_rig(&r);
    het_error err = HET_ERROR_INIT;
    cl_program program;
    CHECK_INT(het__cl_build_source(r.device, "broken", text, sizeof text - 1, "", &program, &err),
              HET_E_UNSUPPORTED);
    printf("%s\n", err.message);
    CHECK(strstr(err.message, "cannot build kernels of broken: "));
    CHECK_INT(het__cl_build_of(r.device, "rows", "-DGROUP=1 -DKIND=nonsense(", &program, &err),
              HET_E_UNSUPPORTED);
    CHECK_INT(het__cl_build_of(r.device, "no such file", "", &program, &err), HET_E_INTERNAL);
    /* The device works on. */
    CHECK_INT(het__cl_build_of(r.device, "elementwise", "-DOP=0", &program, &err), HET_OK);
    rig_close(&r);
}

/* How many programs the cache gave to a device that builds two. */
static uint32_t loads(const char *folder)
{
    het_error err = HET_ERROR_INIT;
    rig r;
    rig_init(&r, NAME);
    r.host.use_env = true;
    r.host.cache_folder = folder;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    cl_program program;
    CHECK_INT(het__cl_build_of(r.device, "elementwise", "-DOP=1", &program, &err), HET_OK);
    CHECK_INT(het__cl_build_of(r.device, "elementwise", "-DOP=1", &program, &err), HET_OK);
    CHECK_INT(het__cl_build_of(r.device, "elementwise", "-DKIND=1", &program, &err), HET_OK);
    CHECK_INT(het__cl_build_of(r.device, "elementwise", "-DKIND=1", &program, &err), HET_OK);
    const uint32_t count = r.device->loaded_count;
    build_long(&r);
    if (rig_compile(&r)) /* what came from the cache works */
        rig_run(&r);
    rig_close(&r);
    return count;
}

typedef enum harm { FLIPPED, SHORT, EMPTY, FOREIGN, HARMS } harm;

/* Spoils one of the files. */
static void spoil(const test_folder *files, harm kind)
{
    static const char foreign[] = "text, not a program";
    char name[256];
    CHECK(test_folder_count(files, ".bin", name) > 0);
    const char *path = test_folder_file(files, name);
    het__mapping mapping;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het__map_file(path, &mapping, &err), HET_OK);
    char *data = malloc(mapping.bytes);
    memcpy(data, mapping.data, mapping.bytes);
    data[mapping.bytes - 9] ^= 1;
    const size_t bytes = mapping.bytes;
    het__unmap_file(&mapping);
    if (kind == FOREIGN)
        test_file_write(path, foreign, sizeof foreign);
    else
        test_file_write(path, data, kind == EMPTY ? 0 : kind == SHORT ? bytes - 3 : bytes);
    free(data);
}

static void kernels_are_kept(void)
{
    test_folder root, below, files;
    test_folder_make(&root);
    snprintf(below.path, sizeof below.path, "%.200s/new", root.path);
    snprintf(files.path, sizeof files.path, "%.200s/opencl", below.path);
    rig r;
    open_rig(&r);
    const uint32_t all = r.device->found.keeps_binaries ? 2 : 0;
    rig_close(&r);
    CHECK_INT(loads(below.path), 0);
    CHECK_INT(loads(below.path), all);
    for (int kind = 0; kind < HARMS && all; kind++) {
        spoil(&files, (harm)kind);
        CHECK_INT(loads(below.path), all - 1);
        CHECK_INT(loads(below.path), all);
    }
    CHECK_INT(loads("/proc/no such place"), 0); /* a cache that cannot be */
    test_folder_remove(&files);
    rmdir(below.path);
    rmdir(root.path);
}

static void speed_is_measured(void)
{
    rig r;
    open_rig(&r);
    het_error err = HET_ERROR_INIT;
    het_device_figures f = { 0 };
    CHECK_INT(r.backend->measure(r.device, &f, &err), HET_OK);
    printf("%.1f GB/s, %.0f GFLOP/s, %.0f GOP/s of bytes, %.1f us a launch\n",
           f.read_bytes_per_s * 1e-9, f.f32_ops_per_s * 1e-9, f.int8_ops_per_s * 1e-9,
           f.launch_ns * 1e-3);
    CHECK_INT(f.source, HET_SOURCE_MEASURED);
    CHECK(f.read_bytes_per_s > 1e8 && f.f32_ops_per_s > 1e8 && f.int8_ops_per_s > 1e8);
    CHECK(f.launch_ns > 10 && f.launch_ns < 1e8);
    rig_close(&r);
}

/* ---- attention over many positions ---- */

enum { HEADS = 2, KV_HEADS = 1, SIZE = 32, PAGE = 16, PAGES = 80 };

typedef struct long_attention {
    uint32_t inputs[HET__ATTN_INPUT_COUNT], out;
} long_attention;

static long_attention build_attention(rig *r, het_dtype state, int32_t window, float softcap)
{
    const het__extent q[] = { { 1, HET__SYM_TOKENS }, { HEADS * SIZE, HET__SYM_ONE } };
    const het__extent kv[] = { { 1, HET__SYM_TOKENS }, { KV_HEADS * SIZE, HET__SYM_ONE } };
    const het__extent states[] = { { 1, HET__SYM_STATE_PAGES }, { KV_HEADS, HET__SYM_ONE },
                                   { PAGE, HET__SYM_ONE }, { SIZE, HET__SYM_ONE } };
    const het__extent tokens[] = { { 1, HET__SYM_TOKENS } }, pages[] = { { 1, HET__SYM_PAGES } };
    const het__extent segments[] = { { 1, HET__SYM_SEQUENCES }, { 4, HET__SYM_ONE } };
    het__graph *g = &r->graph;
    long_attention a = { .inputs = {
        het__graph_value(g, "q", HET__VALUE_INPUT, HET_DTYPE_F32, 2, q),
        het__graph_value(g, "k", HET__VALUE_INPUT, HET_DTYPE_F32, 2, kv),
        het__graph_value(g, "v", HET__VALUE_INPUT, HET_DTYPE_F32, 2, kv),
        het__graph_value(g, "ks", HET__VALUE_STATE, state, 4, states),
        het__graph_value(g, "vs", HET__VALUE_STATE, state, 4, states),
        het__graph_value(g, "positions", HET__VALUE_INPUT, HET_DTYPE_I32, 1, tokens),
        het__graph_value(g, "slots", HET__VALUE_INPUT, HET_DTYPE_I32, 1, tokens),
        het__graph_value(g, "segments", HET__VALUE_INPUT, HET_DTYPE_I32, 2, segments),
        het__graph_value(g, "pages", HET__VALUE_INPUT, HET_DTYPE_I32, 1, pages),
        HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE } };
    const het__attrs attrs = { .attention = {
        .heads = HEADS, .kv_heads = KV_HEADS, .head_size = SIZE, .page_size = PAGE,
        .scale = 0.2f, .softcap = softcap, .window = window,
        .rope = { SIZE, SIZE, true, 10000.0f, 1.0f, 1.0f } } };
    a.out = het__graph_node(g, HET__OP_ATTENTION, 0, "attention", a.inputs, HET__ATTN_INPUT_COUNT,
                            &attrs, NULL);
    r->symbols[HET__SYM_STATE_PAGES] = r->symbols_max[HET__SYM_STATE_PAGES] = PAGES;
    r->symbols[HET__SYM_PAGES] = r->symbols_max[HET__SYM_PAGES] = PAGES;
    r->symbols_max[HET__SYM_TOKENS] = 40;
    return a;
}

static void fill_state(rig *r, uint32_t value, het_dtype type)
{
    const int64_t count = PAGES * KV_HEADS * PAGE * SIZE;
    uint64_t random = value;
    float row[SIZE];
    char *at = rig_data(r, value);
    for (int64_t i = 0; i < count / SIZE; i++) {
        for (int j = 0; j < SIZE; j++)
            row[j] = test_random_float(&random);
        if (type == HET_DTYPE_Q8_0)
            het__q8_0_encode(row, at + i * 34, SIZE);
        for (int j = 0; j < SIZE && type == HET_DTYPE_F16; j++)
            ((uint16_t *)at)[i * SIZE + j] = het__f32_to_f16(row[j]);
    }
}

/* tokens new ones after `before` others, in a table of pages that runs backwards. */
static void attention_result(const char *backend, het_dtype type, int32_t window, float softcap,
                             int32_t before, int32_t tokens, float *out)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    rig_init(&r, backend);
    r.host.use_env = true;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    const long_attention a = build_attention(&r, type, window, softcap);
    r.symbols[HET__SYM_TOKENS] = tokens;
    if (rig_compile(&r)) {
        uint64_t random = 7;
        const uint32_t *in = a.inputs;
        const int32_t segment[4] = { 0, tokens, before, 0 };
        for (int i = 0; i < tokens * HEADS * SIZE; i++)
            ((float *)rig_data(&r, in[HET__ATTN_Q]))[i] = test_random_float(&random);
        for (int i = 0; i < tokens * KV_HEADS * SIZE; i++) {
            ((float *)rig_data(&r, in[HET__ATTN_K]))[i] = test_random_float(&random);
            ((float *)rig_data(&r, in[HET__ATTN_V]))[i] = test_random_float(&random);
        }
        fill_state(&r, in[HET__ATTN_K_STATE], type);
        fill_state(&r, in[HET__ATTN_V_STATE], type);
        for (int i = 0; i < PAGES; i++)
            ((int32_t *)rig_data(&r, in[HET__ATTN_PAGES]))[i] = PAGES - 1 - i;
        for (int t = 0; t < tokens; t++) {
            const int p = before + t;
            ((int32_t *)rig_data(&r, in[HET__ATTN_POSITIONS]))[t] = p;
            ((int32_t *)rig_data(&r, in[HET__ATTN_SLOTS]))[t] =
                (PAGES - 1 - p / PAGE) * PAGE + p % PAGE;
        }
        memcpy(rig_data(&r, in[HET__ATTN_SEGMENTS]), segment, sizeof segment);
        rig_run(&r);
        memcpy(out, rig_data(&r, a.out), (size_t)tokens * HEADS * SIZE * sizeof *out);
        if (strcmp(backend, NAME) == 0)
            CHECK(tokens > 1 || r.program->scratch != NULL || !r.device->found.facts.is_cpu);
    }
    rig_close(&r);
}

static void long_contexts_are_split(void)
{
    static const struct { int32_t before, tokens, window; float softcap; } cases[] = {
        { 1199, 1, 0, 0 }, { 1260, 1, 700, 0 }, { 0, 1, 0, 0 }, { 300, 1, 0, 5.0f },
        { 900, 40, 0, 0 }, { 0, 40, 9, 2.0f },
    };
    static const het_dtype types[] = { HET_DTYPE_F16, HET_DTYPE_Q8_0 };
    static float want[40 * HEADS * SIZE], got[40 * HEADS * SIZE];
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const int32_t tokens = cases[i].tokens;
            attention_result("ref", types[t], cases[i].window, cases[i].softcap, cases[i].before,
                             tokens, want);
            attention_result(NAME, types[t], cases[i].window, cases[i].softcap, cases[i].before,
                             tokens, got);
            double worst = 0;
            for (int j = 0; j < tokens * HEADS * SIZE; j++)
                worst = fmax(worst, fabs((double)got[j] - (double)want[j]));
            printf("%d positions, %d tokens: %.2g\n", cases[i].before, tokens, worst);
            CHECK(worst < 3e-6);
        }
}

/* ---- memory of the host runs out ---- */

static void *limited_alloc(void *user, size_t bytes, size_t align)
{
    int *left = user;
    return --*left < 0 ? NULL : aligned_alloc(align, het__round_up(bytes, align));
}

static void limited_free(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(ptr);
}

static void memory_runs_out(void)
{
    het_status status = HET_E_NOMEM;
    int limit = 0;
    for (; status != HET_OK && limit < 200; limit++) {
        int left = limit;
        const het_allocator allocator = { .struct_size = sizeof allocator, .user = &left,
                                          .alloc = limited_alloc, .free = limited_free };
        het__mem mem;
        het__mem_init(&mem, &allocator);
        rig r;
        rig_init(&r, NAME);
        r.host.mem = &mem;
        r.host.use_env = true;
        het_error err = HET_ERROR_INIT;
        build_attention(&r, HET_DTYPE_F16, 0, 0);
        status = rig_open_device(&r, &err);
        CHECK(status == HET_OK || status == HET_E_NOMEM); /* never "the device is gone" */
        if (!status)
            status = rig_buffers(&r, &err);
        if (!status)
            status = rig_compile_slice(&r, &err);
        CHECK_INT(err.status, status);
        rig_close(&r);
        CHECK_INT(mem.bytes, 0);
    }
    CHECK_INT(status, HET_OK);
    CHECK(limit > 10);
}

int main(void)
{
    setenv("HETINFER_OPENCL_CPU", "1", 1);
    het__mem mem;
    het__mem_init(&mem, NULL);
    const het__host host = { .mem = &mem, .use_env = true };
    static het__cl_list list;
    test_case(one_gpu_by_two_drivers_is_one);
    test_case(one_gpu_by_two_backends_is_one);
    test_case(codes_become_statuses);
    het__cl_find(&host, &list);
    if (list.count == 0)
        test_skip(list.reason);
    test_case(devices_say_what_they_are);
    test_case(processors_are_for_tests);
    test_case(buffers_keep_bytes);
    test_case(imported_memory_is_used_in_place);
    test_case(constants_lie_where_they_are);
    test_case(parts_are_waited_for);
    test_case(kernels_that_do_not_build_say_why);
    test_case(kernels_are_kept);
    test_case(speed_is_measured);
    test_case(long_contexts_are_split);
    test_case(memory_runs_out);
    test_case(a_device_that_hangs_is_left);
    return test_finish();
}

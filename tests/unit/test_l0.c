/* SPDX-License-Identifier: Apache-2.0 */
/* The Level Zero backend on the test driver (tests/drivers/level_zero): results, memory, times,
 * what is kept of modules, and what it does when the driver fails. */
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/intel_l0/l0.h"
#include "drivers/level_zero/control.h"
#include "folder.h"
#include "lib/api/handles.h"
#include "lib/base/os.h"
#include "lib/exec/heat.h"
#include "rig.h"

#define NAME "intel_l0"
#define MINUTE_NS UINT64_C(60000000000)

/* ---- the driver ---- */

static void (*reset)(void);
static int (*arm)(const char *);
static uint64_t (*complaints)(void);
static void (*counts)(ze_test_counters *);

static bool find_function(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static bool find_control(void)
{
    const char *path = getenv("HETINFER_ZE_DRIVER");
    void *library = path ? dlopen(path, RTLD_NOW) : NULL;
    return library && find_function(library, "ze_test_reset", &reset) &&
           find_function(library, "ze_test_arm", &arm) &&
           find_function(library, "ze_test_complaints", &complaints) &&
           find_function(library, "ze_test_counts", &counts);
}

/* No rule of the interface was broken, and what was armed is forgotten. */
static void end_faults(void)
{
    CHECK_INT(complaints(), 0);
    reset();
}

static void open_rig(rig *r, const char *cache)
{
    het_error err = HET_ERROR_INIT;
    rig_init(r, NAME);
    r->host.use_env = true;
    r->host.cache_folder = cache;
    if (rig_open_device(r, &err) != HET_OK) {
        printf("%s\n", err.message);
        exit(1);
    }
}

/* y = silu(x) of so many floats. */
static uint32_t build_silu(rig *r, int64_t elements)
{
    const het__extent extent[] = { { 1, HET__SYM_TOKENS }, { elements, HET__SYM_ONE } };
    const uint32_t x =
        het__graph_value(&r->graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, extent);
    const het__attrs attrs = { .unary = { .kind = HET__UNARY_SILU } };
    return het__graph_node(&r->graph, HET__OP_UNARY, 0, "silu", &x, 1, &attrs, NULL);
}

/* ---- probing ---- */

static void devices_say_what_they_are(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    const het__host host = { .mem = &mem, .use_env = true };
    static het__probed probed;
    rig_backend(NAME)->probe(&host, &probed);
    printf("%s: %s, %s\n", probed.reason, probed.device[0].name, probed.device[0].features);
    CHECK(probed.device_count >= 1);
    CHECK_INT(probed.device[0].kind, HET_DEVICE_IGPU);
    CHECK(probed.device[0].unit_count > 0 && probed.device[0].memory_bytes > 0);
    CHECK(strstr(probed.device[0].features, "spirv1."));
    CHECK(strstr(probed.device[0].features, "uuid:"));
    CHECK(strncmp(probed.physical[0], "pci:", 4) == 0);
    CHECK_INT(strlen(probed.physical[0]), strlen("pci:0000:00:02.0"));
    CHECK_INT(mem.bytes, 0);
}

/* In a process of its own: the loader is not asked again after it failed, in any context. */
static int probe_without_driver(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    const het__host host = { .mem = &mem, .use_env = true };
    static het__probed probed;
    setenv("ZE_ENABLE_ALT_DRIVERS", "/no such/driver.so", 1);
    for (int i = 0; i < 2; i++) {
        memset(&probed, 0, sizeof probed);
        rig_backend(NAME)->probe(&host, &probed);
        if (probed.device_count != 0 || !strstr(probed.reason, "zeInit"))
            return 1;
    }
    printf("%s\n", probed.reason);
    fflush(stdout);
    return 0;
}

static void a_failed_start_is_final(void)
{
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0)
        _exit(probe_without_driver());
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void nodes_without_kernels_are_refused(void)
{
    rig r;
    char reason[160] = "";
    rig_init(&r, NAME);
    const het__extent x[] = { { 1, HET__SYM_TOKENS }, { 64, HET__SYM_ONE } };
    const het__extent odd[] = { { 1, HET__SYM_TOKENS }, { 16, HET__SYM_ONE } };
    const uint32_t v = het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, x);
    const uint32_t w = het__graph_value(&r.graph, "p", HET__VALUE_INPUT, HET_DTYPE_I32, 1, odd);
    const het__attrs attrs = { .unary = { .kind = HET__UNARY_SILU } };
    het__graph_node(&r.graph, HET__OP_UNARY, 0, "silu", &v, 1, &attrs, NULL);
    const het__attrs rope = { .rope = { 64, 64, true, 10000.0f, 1.0f, 1.0f } };
    het__graph_node(&r.graph, HET__OP_ROPE, 0, "rope", (uint32_t[]){ v, w, HET__NO_VALUE }, 3,
                    &rope, NULL);
    CHECK(!r.graph.failed && r.graph.node_count == 2);
    CHECK(r.backend->supports_on(0, &r.graph, &r.graph.nodes[0], reason, sizeof reason));
    CHECK(r.backend->supports_on(0, &r.graph, &r.graph.nodes[1], reason, sizeof reason));
    /* A size of heads that no module was made for. */
    r.graph.nodes[1].attrs.rope.head_size = INT32_MAX;
    r.graph.nodes[1].attrs.rope.rotated = -1;
    CHECK(!r.backend->supports_on(0, &r.graph, &r.graph.nodes[1], reason, sizeof reason));
    printf("%s\n", reason);
    CHECK(strstr(reason, "no module of attention"));
    het__graph_finish(&r.graph);
    CHECK_INT(r.mem.bytes, 0);
}

/* ---- memory ---- */

static void buffers_keep_bytes(void)
{
    rig r;
    char data[1000], back[1000] = { 1 };
    het_error err = HET_ERROR_INIT;
    het__buffer *b = NULL;
    open_rig(&r, NULL);
    CHECK_INT(r.backend->buffer_create(r.device, 1000, &b, &err), HET_OK);
    CHECK_INT(r.backend->buffer_read(r.device, b, 0, back, 1000, &err), HET_OK);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(back[i], 0);
        data[i] = (char)(i * 7);
    }
    CHECK_INT(r.backend->buffer_write(r.device, b, 100, data, 333, &err), HET_OK);
    CHECK_INT(r.backend->buffer_read(r.device, b, 101, back, 332, &err), HET_OK);
    CHECK_INT(memcmp(back, data + 1, 332), 0);
    CHECK_INT(memcmp((char *)r.backend->buffer_host(r.device, b) + 100, data, 333), 0);
    r.backend->buffer_destroy(r.device, b);
    b = NULL;
    CHECK_INT(r.backend->buffer_create(r.device, SIZE_MAX / 2, &b, &err), HET_E_NOMEM);
    CHECK(!b && strstr(err.message, "bytes"));
    rig_close(&r);
}

/* As on a graphics card: what the host cannot reach goes through the staging block, in parts. */
static void cards_are_read_and_written(void)
{
    enum { BYTES = (9 << 20) + 77 };
    rig r;
    het_error err = HET_ERROR_INIT;
    het__buffer *b = NULL;
    char *data = malloc(BYTES), *back = malloc(BYTES);
    open_rig(&r, NULL);
    r.device->found.facts.shares_memory = false;
    CHECK_INT(r.backend->buffer_create(r.device, BYTES, &b, &err), HET_OK);
    CHECK(!r.backend->buffer_host(r.device, b));
    CHECK_INT(r.backend->buffer_read(r.device, b, 0, back, BYTES, &err), HET_OK);
    for (int i = 0; i < BYTES; i++) {
        data[i] = (char)(i * 7 + i / 999);
        if (back[i]) {
            TEST_FAIL("byte %d is not zero", i);
            break;
        }
    }
    CHECK_INT(r.backend->buffer_write(r.device, b, 1, data, BYTES - 1, &err), HET_OK);
    CHECK_INT(r.backend->buffer_read(r.device, b, 1, back, BYTES - 1, &err), HET_OK);
    CHECK_INT(memcmp(back, data, BYTES - 1), 0);
    CHECK_INT(r.backend->buffer_import(r.device, (void *)HET__IMPORT_ALIGN, HET__IMPORT_ALIGN,
                                       &b, &err), HET_E_UNSUPPORTED);
    r.backend->buffer_destroy(r.device, b);
    rig_close(&r);
    free(data);
    free(back);
}

/* A card copies beside what its kernels do: a buffer that no program uses is written and read while
 * one runs, and one that is used waits for it. */
static void cards_copy_beside_programs(void)
{
    enum { SLOW_MS = 400, COUNT = 1024 };
    rig r;
    het_error err = HET_ERROR_INIT;
    het__buffer *other = NULL;
    float data[COUNT], back[COUNT];
    rig_init(&r, NAME);
    r.host.use_env = true;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    CHECK(r.device && r.device->copies);
    const uint32_t y = build_silu(&r, COUNT);
    CHECK_INT(r.backend->buffer_create(r.device, sizeof data, &other, &err), HET_OK);
    if (rig_compile(&r) && other) {
        const uint32_t x = r.graph.nodes[0].inputs[0];
        for (int i = 0; i < COUNT; i++)
            ((float *)rig_data(&r, x))[i] = data[i] = (float)i / 64;
        rig_run(&r); /* compiled by now */
        CHECK_INT(r.backend->buffer_write(r.device, r.buffers[x], 0, data, sizeof data, &err),
                  HET_OK);
        CHECK(arm("launch=1,kind=slow,ms=400"));
        const uint64_t begin = het__now_ns();
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->buffer_write(r.device, other, 0, data, sizeof data, &err), HET_OK);
        CHECK_INT(r.backend->buffer_read(r.device, other, 0, back, sizeof back, &err), HET_OK);
        const uint64_t copied = het__now_ns();
        CHECK_INT(memcmp(data, back, sizeof data), 0);
        /* What the program reads is written behind it. */
        memset(back, 0, sizeof back);
        CHECK_INT(r.backend->buffer_write(r.device, r.buffers[x], 0, back, sizeof back, &err),
                  HET_OK);
        const uint64_t written = het__now_ns();
        CHECK_INT(r.backend->buffer_read(r.device, r.buffers[y], 0, back, sizeof back, &err),
                  HET_OK);
        for (int i = 0; i < COUNT; i++)
            CHECK_NEAR((double)back[i], data[i] / (1 + exp(-(double)data[i])), 1e-5);
        CHECK_INT(r.backend->wait(r.device, MINUTE_NS, &err), HET_OK);
        CHECK(written - begin >= SLOW_MS * UINT64_C(1000000));
        CHECK(copied < written && copied - begin < (written - begin) / 2);
        end_faults();
    }
    if (other)
        r.backend->buffer_destroy(r.device, other);
    rig_close(&r);
}

static void imported_memory_is_used_in_place(void)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    open_rig(&r, NULL);
    const uint32_t y = build_silu(&r, 1024);
    const uint32_t x = r.graph.nodes[0].inputs[0];
    char *room = malloc(4 * HET__IMPORT_ALIGN);
    float *in = (float *)het__round_up((uintptr_t)room, HET__IMPORT_ALIGN);
    float *out = in + HET__IMPORT_ALIGN / sizeof *in;
    CHECK_INT(r.backend->buffer_import(r.device, in, HET__IMPORT_ALIGN, &r.buffers[x], &err),
              HET_OK);
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
    rig_close(&r);
    free(room);
}

/* The driver forgets a range when it is released first: not while another buffer has it. */
static void memory_is_imported_twice(void)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    het__buffer *second = NULL;
    open_rig(&r, NULL);
    const uint32_t y = build_silu(&r, 1024);
    const uint32_t x = r.graph.nodes[0].inputs[0];
    char *room = malloc(2 * HET__IMPORT_ALIGN);
    float *in = (float *)het__round_up((uintptr_t)room, HET__IMPORT_ALIGN);
    CHECK_INT(r.backend->buffer_import(r.device, in, HET__IMPORT_ALIGN, &r.buffers[x], &err),
              HET_OK);
    CHECK_INT(r.backend->buffer_import(r.device, in, HET__IMPORT_ALIGN, &second, &err), HET_OK);
    if (second)
        r.backend->buffer_destroy(r.device, second);
    r.places[x].buffer = r.buffers[x];
    if (rig_compile(&r)) {
        for (int i = 0; i < 1024; i++)
            in[i] = (float)(i - 512) / 64;
        rig_run(&r);
        const float *out = rig_data(&r, y);
        CHECK_NEAR((double)out[1000], in[1000] / (1 + exp(-(double)in[1000])), 1e-5);
    }
    rig_close(&r);
    free(room);
}

/* ---- times ---- */

/* y = x + v + w: both constants lie in pages that the driver takes once, and are copied nowhere. */
static void weights_lie_where_they_are(void)
{
    static const int64_t extent[] = { 2048 };
    char *room = aligned_alloc(HET__IMPORT_ALIGN, 6 * HET__IMPORT_ALIGN);
    CHECK(room != NULL);
    float *v = (float *)(room + 64), *w = v + 2048; /* 64 bytes behind the beginning of a page */
    for (int i = 0; room && i < 4096; i++)
        v[i] = (float)i;
    for (int mapped = 0; mapped < 2 && room; mapped++) {
        rig r;
        ze_test_counters before, while_open, after;
        rig_init(&r, NAME);
        r.host.use_env = true;
        r.options.weights_mapped = mapped;
        het_error err = HET_ERROR_INIT;
        counts(&before);
        CHECK_INT(rig_open_device(&r, &err), HET_OK);
        const het__extent x_extent[] = { { 1, HET__SYM_TOKENS }, { 2048, HET__SYM_ONE } };
        const uint32_t x =
            het__graph_value(&r.graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, x_extent);
        const uint32_t a = het__graph_const(&r.graph, "v", HET_DTYPE_F32, 1, extent, v);
        const uint32_t b = het__graph_const(&r.graph, "w", HET_DTYPE_F32, 1, extent, w);
        const uint32_t sum = het__graph_node(&r.graph, HET__OP_ADD, 0, "add",
                                             (uint32_t[]){ x, a }, 2, &(het__attrs){ 0 }, NULL);
        const uint32_t y = het__graph_node(&r.graph, HET__OP_ADD, 0, "add",
                                           (uint32_t[]){ sum, b }, 2, &(het__attrs){ 0 }, NULL);
        if (rig_compile(&r)) {
            het__backend_counters c;
            ((float *)rig_data(&r, x))[5] = 0.5f;
            rig_run(&r);
            CHECK_NEAR((double)((float *)rig_data(&r, y))[5], 5.5 + 2053, 0.0);
            r.backend->counters(r.device, &c);
            counts(&while_open);
            CHECK_INT(c.weight_bytes, 2 * 2048 * sizeof *v);
            CHECK_INT(c.mapped_bytes, mapped ? c.weight_bytes : 0);
            CHECK_INT(while_open.imports - before.imports, mapped);
            CHECK_INT(while_open.copied_bytes - before.copied_bytes,
                      mapped ? 0 : 2 * 2048 * sizeof *v);
        }
        rig_close(&r);
        counts(&after);
        CHECK_INT(after.imports, before.imports);
        CHECK_INT(complaints(), 0);
    }
    free(room);
}

/* What the driver's system management tells, and what it does not. */
static void drivers_tell_their_state(void)
{
    const uint64_t all = HET_STATE_JOULES | HET_STATE_CELSIUS | HET_STATE_MEGAHERTZ |
                         HET_STATE_BUSY;
    het_device_state s;
    het__mem mem;
    het__mem_init(&mem, NULL);
    const het__host host = { .mem = &mem, .use_env = true };
    static het__probed probed;
    const het__backend *backend = rig_backend(NAME);
    backend->probe(&host, &probed);
    setenv("HETINFER_ZE_SYSMAN", "temperature=71,frequency=1800,power=15000,load=25", 1);
    backend->state(0, &s);
    CHECK_INT(s.known & all, all);
    CHECK_NEAR(s.celsius, 71, 0.0);
    CHECK_NEAR(s.megahertz, 1800, 0.0);
    CHECK(s.joules >= 0 && s.busy_of_count > 0);
    CHECK(s.known & (HET_STATE_MEMORY | HET_STATE_SHARED_MEMORY));
    het_device_state first = s, later, between;
    first.kind = HET_DEVICE_IGPU;
    first.time_ns = het__now_ns();
    while (het__now_ns() < first.time_ns + 50000000)
        ;
    backend->state(0, &later);
    later.kind = HET_DEVICE_IGPU;
    later.time_ns = het__now_ns();
    CHECK(het__hardware_between(&first, &later, &between));
    CHECK_NEAR(between.load, 0.25, 0.05);
    CHECK_NEAR(between.watts, 15, 3.0);
    setenv("HETINFER_ZE_SYSMAN", "power=none", 1);
    backend->state(0, &s);
    CHECK_INT(s.known & HET_STATE_JOULES, 0);
    setenv("HETINFER_ZE_SYSMAN", "off", 1);
    backend->state(0, &s);
    CHECK_INT(s.known, 0);
    unsetenv("HETINFER_ZE_SYSMAN");
    unsetenv("ZES_ENABLE_SYSMAN"); /* nobody asked the driver for it */
    backend->state(0, &s);
    CHECK_INT(s.known, 0);
    setenv("ZES_ENABLE_SYSMAN", "1", 1);
    backend->state(77, &s);
    CHECK_INT(s.known, 0);
}

/* Devices of a context are asked too, and a policy's watch over heat sees it. */
static void heat_is_seen_through_the_driver(void)
{
    het_context_options options = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    het_error err = HET_ERROR_INIT;
    options.backends = NAME;
    setenv("HETINFER_ZE_SYSMAN", "temperature=97", 1);
    CHECK_INT(het_context_create(&options, &context, &err), HET_OK);
    const het_device *device = context ? het_context_device(context, 0) : NULL;
    het_device_state s = { .struct_size = sizeof s };
    if (device) {
        CHECK_INT(het_device_get_state(device, &s), HET_OK);
        CHECK((s.known & HET_STATE_CELSIUS) && s.celsius == 97);
        het__heat heat;
        const het__policy_fallback what = { .limit = 95 };
        double celsius = 0, limit = 0;
        het__heat_init(&heat, &context->registry, &what, 0);
        CHECK(het__heat_is_high(&heat, 0, &celsius, &limit));
        CHECK_NEAR(celsius, 97, 0.0);
        CHECK_NEAR(limit, 95, 0.0);
        setenv("HETINFER_ZE_SYSMAN", "temperature=94", 1);
        CHECK(!het__heat_is_high(&heat, 0, &celsius, &limit));
    }
    unsetenv("HETINFER_ZE_SYSMAN");
    het_context_destroy(context);
}

static void programs_have_times(void)
{
    enum { COUNT = 3 * HET__L0_RING / 2 };
    rig r;
    het_error err = HET_ERROR_INIT;
    uint64_t begin = 0, end = 0, last = 0;
    open_rig(&r, NULL);
    build_silu(&r, 1 << 14);
    if (rig_compile(&r)) {
        ze_test_counters before_steps, after_steps;
        rig_run(&r);
        const uint64_t before = het__now_ns();
        counts(&before_steps);
        for (int i = 0; i < COUNT; i++)
            CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->wait_for(r.device, COUNT - 10, MINUTE_NS, &err), HET_OK);
        CHECK_INT(r.backend->wait(r.device, MINUTE_NS, &err), HET_OK);
        counts(&after_steps);
        CHECK_INT(after_steps.allocations, before_steps.allocations);
        CHECK_INT(after_steps.objects, before_steps.objects);
        CHECK_INT(after_steps.launches - before_steps.launches, COUNT);
        CHECK(!r.backend->span(r.device, 0, &begin, &end));
        CHECK(!r.backend->span(r.device, 2, &begin, &end)); /* too long ago */
        CHECK(!r.backend->span(r.device, COUNT + 2, &begin, &end));
        for (uint64_t i = COUNT - 20; i <= COUNT + 1; i++) {
            CHECK(r.backend->span(r.device, i, &begin, &end));
            /* A tick of the device's clock may be as long as a small program. */
            CHECK(begin + 1000 >= last && end >= begin);
            last = end;
        }
        CHECK(begin > before && end < het__now_ns() + 5000000);
    }
    rig_close(&r);
}

/* A device that gives no times runs all the same. */
static void without_times_spans_are_unknown(void)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    uint64_t begin, end;
    open_rig(&r, NULL);
    build_silu(&r, 1024);
    if (rig_compile(&r)) {
        CHECK(arm("call=zeEventQueryKernelTimestamp,at=1+,result=not_ready"));
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_OK);
        CHECK_INT(r.backend->wait(r.device, MINUTE_NS, &err), HET_OK);
        CHECK(!r.backend->span(r.device, 1, &begin, &end));
        end_faults();
    }
    rig_close(&r);
}

/* ---- modules ---- */

/* How many modules the cache gave to a device that needs one. */
static uint32_t loads(const char *folder)
{
    rig r;
    open_rig(&r, folder);
    const uint32_t y = build_silu(&r, 1024);
    uint32_t count = UINT32_MAX;
    if (rig_compile(&r)) {
        ((float *)rig_data(&r, r.graph.nodes[0].inputs[0]))[7] = 1.0f;
        rig_run(&r);
        CHECK_NEAR((double)((float *)rig_data(&r, y))[7], 1 / (1 + exp(-1.0)), 1e-6);
        count = r.device->loaded_count;
    }
    rig_close(&r);
    return count;
}

static void modules_are_kept(void)
{
    test_folder root, files;
    char name[256];
    test_folder_make(&root);
    snprintf(files.path, sizeof files.path, "%.200s/level_zero", root.path);
    CHECK_INT(loads(root.path), 0);
    CHECK_INT(loads(root.path), 1);
    CHECK_INT(test_folder_count(&files, ".bin", name), 1);
    test_file_write(test_folder_file(&files, name), "no module", 9);
    CHECK_INT(loads(root.path), 0); /* and is written again */
    CHECK_INT(loads(root.path), 1);
    /* A native binary that the driver refuses: of another release of its. */
    CHECK(arm("call=zeModuleCreate,at=1,result=invalid"));
    CHECK_INT(loads(root.path), 0);
    end_faults();
    CHECK_INT(loads("/proc/no such place"), 0);
    test_folder_remove(&files);
    rmdir(root.path);
}

/* ---- faults ---- */

typedef struct fault {
    const char *text;
    het_status compiled, started, waited; /* HET_OK: went well, and what follows is tried */
} fault;

static void run_fault(const fault *f)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    open_rig(&r, NULL);
    build_silu(&r, 1024);
    CHECK_INT(rig_buffers(&r, &err), HET_OK);
    CHECK(arm(f->text));
    het_status s = rig_compile_slice(&r, &err);
    if (s != f->compiled)
        TEST_FAIL("%s: compile gives %s", f->text, het_status_name(s));
    if (s == HET_OK) {
        /* What a kernel does to the device may show before the step is started whole. */
        s = r.backend->enqueue(r.device, r.program, r.symbols, &err);
        if (s != f->started && !(s == f->waited && s == HET_E_DEVICE_LOST))
            TEST_FAIL("%s: enqueue gives %s", f->text, het_status_name(s));
    }
    if (s == HET_OK) {
        s = r.backend->wait(r.device, 30000000, &err); /* times 20 when it first runs */
        if (s != f->waited)
            TEST_FAIL("%s: wait gives %s", f->text, het_status_name(s));
    }
    CHECK(s == HET_OK || err.message[0]);
    const uint64_t begin = het__now_ns();
    rig_close(&r);
    const uint64_t ns = het__now_ns() - begin;
    if (ns > 1000000000)
        TEST_FAIL("%s: left after %.1f ms", f->text, (double)ns * 1e-6);
    if (strstr(f->text, "hang")) /* the driver takes a wait for what hangs for a hopeless one */
        reset();
    else
        end_faults();
}

static void faults_have_their_status(void)
{
    /* What launches do comes first: devices that were left may still start theirs. */
    static const fault faults[] = {
        { "launch=1,kind=lost", HET_OK, HET_OK, HET_E_DEVICE_LOST },
        { "launch=1,kind=hang", HET_OK, HET_OK, HET_E_TIMEOUT },
        { "call=zeModuleCreate,at=1,result=build", HET_E_UNSUPPORTED, 0, 0 },
        { "call=zeModuleCreate,at=1,result=oom", HET_E_NOMEM, 0, 0 },
        { "call=zeModuleCreate,at=1,result=lost", HET_E_DEVICE_LOST, 0, 0 },
        { "call=zeKernelCreate,at=1,result=oom_host", HET_E_NOMEM, 0, 0 },
        { "call=zeKernelSetArgumentValue,at=2,result=invalid", HET_OK, HET_E_INTERNAL, 0 },
        { "call=zeCommandListAppendLaunchKernel,at=1,result=oom", HET_OK, HET_E_NOMEM, 0 },
        { "call=zeCommandListAppendLaunchKernel,at=1,result=lost", HET_OK, HET_E_DEVICE_LOST, 0 },
        { "call=zeCommandListAppendBarrier,at=1+,result=lost", HET_OK, HET_E_DEVICE_LOST, 0 },
        { "call=zeEventHostSynchronize,at=1,result=lost", HET_OK, HET_OK, HET_E_DEVICE_LOST },
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        run_fault(&faults[i]);
}

/* After memory ran out the same device goes on. */
static void memory_may_come_back(void)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    het__buffer *b = NULL;
    open_rig(&r, NULL);
    const uint32_t y = build_silu(&r, 1024);
    CHECK(arm("call=zeMemAllocShared,at=1,result=oom"));
    CHECK_INT(r.backend->buffer_create(r.device, 1000, &b, &err), HET_E_NOMEM);
    CHECK(arm("call=zeCommandListAppendLaunchKernel,at=1,result=oom"));
    if (rig_compile(&r)) {
        CHECK_INT(r.backend->enqueue(r.device, r.program, r.symbols, &err), HET_E_NOMEM);
        rig_run(&r);
        CHECK_NEAR((double)((float *)rig_data(&r, y))[0], 0, 0);
    }
    rig_close(&r);
    end_faults();
}

static void speed_is_measured(void)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    het_device_figures f = { 0 };
    open_rig(&r, NULL);
    r.device->found.facts.units = 1; /* a processor stands in */
    CHECK_INT(r.backend->measure(r.device, &f, &err), HET_OK);
    printf("stand-in: %.1f GB/s, %.0f GFLOP/s, %.0f GOP/s of bytes, %.1f us a launch\n",
           f.read_bytes_per_s * 1e-9, f.f32_ops_per_s * 1e-9, f.int8_ops_per_s * 1e-9,
           f.launch_ns * 1e-3);
    CHECK_INT(f.source, HET_SOURCE_MEASURED);
    CHECK(f.read_bytes_per_s > 1e7 && f.f32_ops_per_s > 1e7 && f.int8_ops_per_s > 1e7);
    CHECK(f.launch_ns > 10 && f.launch_ns < 1e8);
    rig_close(&r);
}

/* ---- uploads ---- */

#define UPLOAD_BYTES (((size_t)9 << 20) + 12) /* three parts */

static void check_upload(het__gpu *gpu, het__gpu_memory *memory, unsigned char *data,
                         unsigned char *seen, uint32_t turn)
{
    const het__gpu_driver *driver = gpu->driver;
    het_error err = HET_ERROR_INIT;
    void *after = NULL, *event = NULL;
    uint64_t begin = 0, end = 0;
    const size_t bytes = turn % 3 ? 40 + turn : UPLOAD_BYTES, offset = turn % 3 ? 4 * turn : 0;
    for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)(i * 7 + i / 251 + turn);
    if (turn % 2)
        CHECK_INT(driver->mark(gpu, &after, &err), HET_OK);
    const uint64_t sent = het__now_ns();
    CHECK_INT(driver->upload(gpu, memory, offset, data, bytes, after, &event, &err), HET_OK);
    memset(data, 0, bytes); /* it was taken */
    CHECK_INT(driver->await(gpu, event, &err), HET_OK);
    CHECK_INT(driver->memory_read(gpu, memory, offset, seen, bytes, &err), HET_OK);
    CHECK_INT(driver->state(gpu, event, &err), HET_OK);
    CHECK_INT(driver->settle(gpu, event, &err), HET_OK);
    CHECK(driver->times(gpu, event, &begin, &end));
    CHECK(end >= begin && begin + 1000000 > sent && end < het__now_ns() + 1000000);
    bool same = true;
    for (size_t i = 0; i < bytes && same; i++)
        same = seen[i] == (unsigned char)(i * 7 + i / 251 + turn);
    CHECK(same);
    driver->forget(gpu, event);
    driver->forget(gpu, after);
    driver->forget(gpu, NULL);
}

/* More than there are events and blocks, of one part and of several; a copy that fails costs no
 * other upload anything. */
static void uploads_arrive(void)
{
    rig r;
    open_rig(&r, NULL);
    het__gpu *gpu = &r.device->gpu;
    het_error err = HET_ERROR_INIT;
    het__gpu_memory *memory = NULL;
    void *event = NULL;
    unsigned char *data = malloc(UPLOAD_BYTES), *seen = malloc(UPLOAD_BYTES);
    CHECK_INT(gpu->driver->uploads_reserve(gpu, 4, &err), HET_OK);
    CHECK_INT(gpu->driver->uploads_reserve(gpu, 8, &err), HET_OK);
    CHECK_INT(gpu->driver->memory_make(gpu, UPLOAD_BYTES, NULL, &memory, &err), HET_OK);
    for (uint32_t turn = 0; turn < 48; turn++)
        check_upload(gpu, memory, data, seen, turn);
    for (int part = 1; part <= 3; part++) {
        char text[100];
        snprintf(text, sizeof text, "call=zeCommandListAppendMemoryCopy,at=%d,result=unknown",
                 part);
        CHECK(arm(text));
        memset(data, part, UPLOAD_BYTES);
        CHECK_INT(gpu->driver->upload(gpu, memory, 0, data, UPLOAD_BYTES, NULL, &event, &err),
                  HET_E_INTERNAL);
        check_upload(gpu, memory, data, seen, 3);
    }
    /* Many at once: each is there when the last one is. */
    static void *events[40];
    for (uint32_t i = 0; i < 40; i++) {
        memset(data, (int)i, 64);
        CHECK_INT(gpu->driver->upload(gpu, memory, 64 * i, data, 64, NULL, &events[i], &err),
                  HET_OK);
    }
    CHECK_INT(gpu->driver->settle(gpu, events[39], &err), HET_OK);
    for (uint32_t i = 0; i < 40; i++) {
        CHECK_INT(gpu->driver->state(gpu, events[i], &err), HET_OK);
        gpu->driver->forget(gpu, events[i]);
    }
    CHECK_INT(gpu->driver->memory_read(gpu, memory, 0, seen, 64 * 40, &err), HET_OK);
    for (uint32_t i = 0; i < 64 * 40; i++)
        CHECK_INT(seen[i], i / 64);
    gpu->driver->memory_free(gpu, memory);
    free(data);
    free(seen);
    rig_close(&r);
    end_faults();
}

/* card: the driver's devices are cards (HETINFER_ZE_CARD). */
int main(int argc, char **argv)
{
    if (!rig_backend(NAME))
        test_skip("the library is built without Level Zero");
    if (argc > 1 && strcmp(argv[1], "card") == 0) {
        if (!find_control())
            test_skip("there is no test driver");
        test_case(cards_are_read_and_written);
        test_case(cards_copy_beside_programs);
        test_case(uploads_arrive);
        CHECK_INT(complaints(), 0);
        return test_finish();
    }
    test_case(a_failed_start_is_final); /* before this process has started the loader */
    if (!find_control())
        test_skip("there is no test driver");
    test_case(devices_say_what_they_are);
    test_case(nodes_without_kernels_are_refused);
    test_case(buffers_keep_bytes);
    test_case(cards_are_read_and_written);
    test_case(imported_memory_is_used_in_place);
    test_case(memory_is_imported_twice);
    test_case(weights_lie_where_they_are);
    test_case(drivers_tell_their_state);
    test_case(heat_is_seen_through_the_driver);
    test_case(programs_have_times);
    test_case(without_times_spans_are_unknown);
    test_case(modules_are_kept);
    test_case(memory_may_come_back);
    test_case(speed_is_measured);
    test_case(faults_have_their_status);
    test_case(uploads_arrive);
    CHECK_INT(complaints(), 0);
    return test_finish();
}

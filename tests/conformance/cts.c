/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite of devices.
 *
 *     device_conformance [--only TEXT] [--verbose] [--cache FOLDER] BACKEND[:INDEX]
 *     device_conformance --markdown BACKEND[:INDEX]…
 *
 * Runs every case on one device and prints, per operation, how many passed, how many the device
 * refused and why, and how many failed. --only: cases or operations with this in their name.
 * --cache: where the device may keep compiled kernels from one start to the next.
 * --markdown runs nothing: it writes the tables of docs/BACKENDS.md from what the devices say they
 * support. Exit: 0 passed, 1 failed, 2 usage, 77 a device is absent. */
#include "cts.h"

#include <stdlib.h>

#include "lib/exec/registry.h"

#define DEVICES_MAX 8
#define BLOCK_MAX ((size_t)1 << 40)

/* Sanitizers end the process where a machine would say no. */
static void *alloc_sane(void *user, size_t bytes, size_t align)
{
    (void)user;
    return bytes > BLOCK_MAX ? NULL : aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void free_sane(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(ptr);
}

static void all_cases(void)
{
    cts.seed = 1;
    cts_contract();
    cts_vectors();
    cts_language();
    cts_attention();
    cts_images();
    cts_tensors();
}

/* ---- one device ---- */

/* Failures of all rows: each file of the suite counts checks of its own. */
static uint32_t print_rows(void)
{
    uint32_t cases = 0, refused = 0, failed = 0;
    printf("%-40s %7s %7s %7s  %s\n", "operation", "passed", "refused", "failed", "because");
    for (uint32_t i = 0; i < cts.row_count; i++) {
        const cts_row *r = &cts.rows[i];
        const uint32_t bad = r->failed < r->cases ? r->failed : r->cases - r->refused;
        printf("%-40s %7u %7u %7u  %s\n", r->name, r->cases - r->refused - bad, r->refused,
               r->failed, r->reason);
        cases += r->cases;
        refused += r->refused;
        failed += r->failed;
    }
    printf("%s: %u cases, %u refused, %u failures\n", cts.device_name, cases, refused, failed);
    return failed;
}

/* By the registry, so that a device that the core would not see is not tested either. */
static bool find_device(const char *name, het__registry *registry, uint32_t *device,
                        het_error *err)
{
    char list[64];
    const char *colon = strchr(name, ':');
    const size_t length = colon ? (size_t)(colon - name) : strlen(name);
    const uint32_t index = colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
    snprintf(list, sizeof list, "%.*s", (int)length, name);
    if (het__registry_init(registry, &cts.host, list, err) != HET_OK) {
        if (registry->report)
            fprintf(stderr, "%s", registry->report);
        return false;
    }
    for (*device = 0; *device < registry->count; ++*device)
        if (registry->device[*device].backend_index == index)
            return true;
    snprintf(err->message, sizeof err->message, "%s has no device %u: %s", list, index,
             registry->report);
    return false;
}

static void open_all(const het__registered *d)
{
    het_error err = HET_ERROR_INIT;
    const het__backend *ref = NULL;
    for (const het__backend *const *b = het__backends; *b; b++)
        if (strcmp((*b)->name, "ref") == 0)
            ref = *b;
    snprintf(cts.device_name, sizeof cts.device_name, "%s", d->info.name);
    if (!ref || cts_open(&cts.ref, ref, 0, HET_PRECISION_EXACT, &err) != HET_OK ||
        cts_open(&cts.exact, d->backend, d->backend_index, HET_PRECISION_EXACT, &err) != HET_OK ||
        cts_open(&cts.fast, d->backend, d->backend_index, HET_PRECISION_FAST, &err) != HET_OK)
        TEST_FAIL("%s cannot be opened: %s", cts.device_name, err.message);
}

static void close_all(void)
{
    cts_close(&cts.fast);
    cts_close(&cts.exact);
    cts_close(&cts.ref);
    cts_close_cases();
}

static int run_device(const char *name)
{
    het__registry registry = { .count = 0 };
    het_error err = HET_ERROR_INIT;
    uint32_t device;
    cts.host.use_env = true;
    if (!find_device(name, &registry, &device, &err)) {
        het__registry_finish(&registry);
        test_skip(err.message);
    }
    printf("%s: %s\n%s", name, registry.device[device].info.name, registry.report);
    fflush(stdout);
    open_all(&registry.device[device]);
    if (cts.exact.device && cts.fast.device)
        all_cases();
    CHECK_INT(print_rows(), 0);
    close_all();
    het__registry_finish(&registry);
    CHECK_INT(cts.mem.bytes, 0);
    return test_finish();
}

/* ---- the page ---- */

typedef struct column {
    char name[64], title[64];
    cts_row rows[CTS_ROWS_MAX];
    uint32_t row_count;
} column;

static bool ask(const char *name, column *c)
{
    het__registry registry = { .count = 0 };
    het_error err = HET_ERROR_INIT;
    uint32_t device;
    /* The page says what simulated devices there are without being told. */
    cts.host.use_env = strncmp(name, "sim", 3) != 0;
    const bool found = find_device(name, &registry, &device, &err);
    if (found) {
        snprintf(c->name, sizeof c->name, "%s", name);
        snprintf(c->title, sizeof c->title, "%s", registry.device[device].info.name);
        cts.row_count = 0;
        cts.exact.backend = cts.fast.backend = registry.device[device].backend;
        cts.exact.index = cts.fast.index = registry.device[device].backend_index;
        all_cases();
        cts_close_cases();
        memcpy(c->rows, cts.rows, sizeof c->rows);
        c->row_count = cts.row_count;
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    het__registry_finish(&registry);
    return found;
}

static void print_cell(const cts_row *r)
{
    if (r->refused == r->cases)
        printf(" – |");
    else if (r->refused)
        printf(" %u of %u |", r->cases - r->refused, r->cases);
    else
        printf(" all |");
}

/* Without the operation's own name at its end, so that equal reasons are one. */
static void plain_reason(const cts_row *r, char *text, size_t bytes)
{
    const size_t all = strlen(r->reason), own = strlen(r->name);
    snprintf(text, bytes, "%s", r->reason);
    if (all > own + 5 && strcmp(r->reason + all - own, r->name) == 0 &&
        memcmp(r->reason + all - own - 5, " for ", 5) == 0)
        text[all - own - 5] = '\0';
}

/* Each reason of a device once, with the operations that it names. Only a simulated device has the
 * same name everywhere. */
static void print_reasons(const column *c)
{
    bool said[CTS_ROWS_MAX] = { false };
    uint32_t refused = 0;
    for (uint32_t i = 0; i < c->row_count; i++)
        refused += c->rows[i].refused;
    if (!refused)
        return;
    printf("\n### What `%s` refuses\n\n", c->name);
    if (strncmp(c->title, "sim:", 4) == 0)
        printf("%s.\n\n", c->title);
    for (uint32_t i = 0; i < c->row_count; i++) {
        char why[240], other[240];
        if (!c->rows[i].refused || said[i])
            continue;
        plain_reason(&c->rows[i], why, sizeof why);
        printf("- %s:", why);
        for (uint32_t j = i, n = 0; j < c->row_count; j++) {
            plain_reason(&c->rows[j], other, sizeof other);
            if (!c->rows[j].refused || strcmp(why, other) != 0)
                continue;
            said[j] = true;
            printf("%s `%s`", n++ ? "," : "", c->rows[j].name);
        }
        printf("\n");
    }
}

static int markdown(int count, char **names)
{
    static column columns[DEVICES_MAX];
    uint32_t used = 0;
    cts.options.only_ask = true;
    for (int i = 0; i < count && used < DEVICES_MAX; i++)
        used += ask(names[i], &columns[used]);
    if ((int)used < count)
        return 77;
    printf("| operation | cases |");
    for (uint32_t i = 0; i < used; i++)
        printf(" `%s` |", columns[i].name);
    printf("\n|---|---|");
    for (uint32_t i = 0; i < used; i++)
        printf("---|");
    printf("\n");
    for (uint32_t r = 0; r < columns[0].row_count; r++) {
        printf("| `%s` | %u |", columns[0].rows[r].name, columns[0].rows[r].cases);
        for (uint32_t i = 0; i < used; i++)
            print_cell(&columns[i].rows[r]);
        printf("\n");
    }
    for (uint32_t i = 0; i < used; i++)
        print_reasons(&columns[i]);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: device_conformance [--only TEXT] [--every N] [--first] "
                    "[--verbose] [--cache FOLDER] BACKEND[:INDEX]\n"
                    "       device_conformance --markdown BACKEND[:INDEX]...\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const het_allocator sane = { sizeof sane, 0, NULL, alloc_sane, free_sane };
    int at = 1;
    het__mem_init(&cts.mem, &sane);
    cts.host.mem = &cts.mem;
    if (at < argc && strcmp(argv[at], "--markdown") == 0)
        return argc > 2 ? markdown(argc - 2, argv + 2) : usage();
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--verbose") == 0)
            cts.options.verbose = true;
        else if (strcmp(argv[at], "--first") == 0)
            cts.options.first = true;
        else if (strcmp(argv[at], "--only") == 0 && at + 1 < argc)
            cts.options.filter = argv[++at];
        else if (strcmp(argv[at], "--every") == 0 && at + 1 < argc)
            cts.options.every = (uint32_t)atoi(argv[++at]);
        else if (strcmp(argv[at], "--cache") == 0 && at + 1 < argc)
            cts.host.cache_folder = argv[++at];
        else
            return usage();
    }
    return at + 1 == argc ? run_device(argv[at]) : usage();
}

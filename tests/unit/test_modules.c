/* SPDX-License-Identifier: Apache-2.0 */
/* Backends that are files of their own: found, loaded, refused.
 *
 * The files hetinfer-….so of module_sample.c lie beside this program. */
#define _XOPEN_SOURCE 700 /* setenv, mkdtemp */
#include "lib/exec/modules.h"

#include "folder.h"
#include "test.h"

static const het__backend *load(const char *name, bool use_env, char *reason, size_t bytes)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    const het__host host = { .mem = &mem, .use_env = use_env };
    reason[0] = 0;
    const het__backend *b = het__module_load(&host, name, reason, bytes);
    CHECK_INT(mem.bytes, 0);
    CHECK(b || reason[0]);
    return b;
}

static void loads_what_fits(void)
{
    char reason[256];
    const het__backend *b = load("sample", true, reason, sizeof reason);
    CHECK(b != NULL);
    if (b)
        CHECK_STR(b->name, "sample");
    CHECK(load("sample", true, reason, sizeof reason) == b); /* once */
}

static void refuses_what_does_not(void)
{
    char reason[256];
    CHECK(!load("foreign", true, reason, sizeof reason));
    CHECK(strstr(reason, "its module is of another build: /"));
    CHECK(!load("renamed", true, reason, sizeof reason));
    CHECK(strstr(reason, "its module is of another build: /"));
    CHECK(!load("absent", true, reason, sizeof reason));
    CHECK_STR(reason, "its module is not installed");
    CHECK(!load("../sample", true, reason, sizeof reason));
}

/* A path that is given comes first, where the environment counts. */
static void looks_where_it_is_told(void)
{
    static const char text[] = "no library\n";
    char reason[256], list[600];
    test_folder folder;
    test_folder_make(&folder);
    test_file_write(test_folder_file(&folder, "hetinfer-sample.so"), text, sizeof text);
    snprintf(list, sizeof list, "/nowhere:%s", folder.path);
    setenv("HETINFER_BACKEND_PATH", list, 1);
    CHECK(!load("sample", true, reason, sizeof reason));
    CHECK(strstr(reason, "its module cannot be loaded: /"));
    CHECK(strstr(reason, folder.path));
    CHECK(load("sample", false, reason, sizeof reason) != NULL);
    test_folder_empty(&folder);
    CHECK(load("sample", true, reason, sizeof reason) != NULL);
    setenv("HETINFER_BACKEND_PATH", ":::", 1);
    CHECK(load("sample", true, reason, sizeof reason) != NULL);
    unsetenv("HETINFER_BACKEND_PATH");
    test_folder_remove(&folder);
}

int main(void)
{
    test_case(loads_what_fits);
    test_case(refuses_what_does_not);
    test_case(looks_where_it_is_told);
    return test_finish();
}

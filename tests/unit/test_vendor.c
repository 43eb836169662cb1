/* SPDX-License-Identifier: Apache-2.0 */
/* By the public interface: the backends of vendor libraries are there as this build has them, as
 * files or linked in, and what is not there is a line in the report. */
#define _XOPEN_SOURCE 700 /* setenv */
#include <hetinfer.h>

#include "test.h"

static void has_no_device_where_there_is_none(void)
{
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    het_error err = HET_ERROR_INIT;
    o.backends = "opencl_igpu,ref";
    o.flags = HET_CONTEXT_NO_ENV;
    CHECK_INT(het_context_create(&o, &context, &err), HET_OK);
    if (!context)
        return;
    const char *report = het_context_report(context);
    printf("%s", report);
    CHECK(strncmp(report, "opencl_igpu: ", 13) == 0);
    CHECK(!strstr(report, "its module"));
    for (uint32_t i = 0; i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        CHECK_INT(het_device_get_info(het_context_device(context, i), &info), HET_OK);
        CHECK(strcmp(info.backend, "ref") == 0 || info.kind != HET_DEVICE_CPU);
    }
    het_context_destroy(context);
}

static void gives_devices_twice(void)
{
    setenv("HETINFER_OPENCL_CPU", "1", 1);
    for (int i = 0; i < 2; i++) {
        het_context_options o = HET_CONTEXT_OPTIONS_INIT;
        het_context *context = NULL;
        het_error err = HET_ERROR_INIT;
        o.backends = "opencl_igpu,ref";
        CHECK_INT(het_context_create(&o, &context, &err), HET_OK);
        if (context && het_context_device_count(context) > 1) {
            het_device_info info = { .struct_size = sizeof info };
            CHECK_INT(het_device_get_info(het_context_device(context, 0), &info), HET_OK);
            CHECK_STR(info.backend, "opencl_igpu");
            CHECK(info.driver[0] != 0);
        } else if (context) {
            printf("no driver: %s", het_context_report(context));
        }
        het_context_destroy(context);
    }
}

static void a_file_that_is_no_library_is_a_line(void)
{
    setenv("HETINFER_BACKEND_PATH", "/nowhere", 1);
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    het_error err = HET_ERROR_INIT;
    o.backends = "no_such_backend";
    CHECK_INT(het_context_create(&o, &context, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "opencl_igpu"));
    CHECK(context == NULL);
}

int main(void)
{
    test_case(has_no_device_where_there_is_none);
    test_case(gives_devices_twice);
    test_case(a_file_that_is_no_library_is_a_line);
    return test_finish();
}

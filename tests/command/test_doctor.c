/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of `hetinfer doctor` by themselves: the table of packages, and computations with known
 * results on devices that work, fail, or compute nonsense. */
#include "../../examples/hetinfer/doctor.h"
#include "test.h"

#include <ctype.h>

/* What the tested files need of the rest of the command. */
double now_s(void)
{
    static double now = 1;
    return now += 0.001;
}

void doctor_hide_home(char *text)
{
    (void)text;
}

/* ---- advice ---- */

static void distributions_are_known_by_name_or_kinship(void)
{
    CHECK_INT(distribution_of("debian", ""), DEBIAN);
    CHECK_INT(distribution_of("ubuntu", "debian"), UBUNTU);
    CHECK_INT(distribution_of("linuxmint", "ubuntu debian"), UBUNTU);
    CHECK_INT(distribution_of("unheard", "ubuntu debian"), UBUNTU);
    CHECK_INT(distribution_of("unheard", "rhel  fedora"), FEDORA);
    CHECK_INT(distribution_of("arch", ""), ARCH);
    CHECK_INT(distribution_of("debianoid", ""), DISTRIBUTION_COUNT);
    CHECK_INT(distribution_of("", ""), DISTRIBUTION_COUNT);
    CHECK_STR(distribution_word(DISTRIBUTION_COUNT), "other");
}

/* Every need has a word of its own, and help on every distribution: packages or words. */
static void every_need_has_help(void)
{
    for (int n = NEED_NONE + 1; n < NEED_COUNT; n++) {
        CHECK(need_word((need)n) != NULL);
        for (int m = NEED_NONE; need_word((need)n) && m < n; m++)
            CHECK(strcmp(need_word((need)n), need_word((need)m)) != 0);
        for (int d = 0; d < DISTRIBUTION_COUNT; d++) {
            char command[160];
            const char *packages = need_packages((need)n, (distribution)d);
            need_command((need)n, (distribution)d, "render", command, sizeof command);
            CHECK(command[0] || need_note((need)n, (distribution)d)[0]);
            CHECK(strlen(command) < 80);
            if (packages[0])
                CHECK(strstr(command, packages) != NULL);
            for (const char *p = packages; *p; p++)
                CHECK(isalnum((unsigned char)*p) || strchr(" -.+", *p));
        }
    }
}

static void commands_are_those_of_the_distribution(void)
{
    char text[160];
    CHECK_STR(need_command(NEED_LEVEL_ZERO_INTEL, FEDORA, "", text, sizeof text),
              "sudo dnf install intel-level-zero");
    CHECK_STR(need_command(NEED_XRT, ARCH, "", text, sizeof text),
              "sudo pacman -S xrt xrt-plugin-amdxdna");
    CHECK_STR(need_command(NEED_XRT, DEBIAN, "", text, sizeof text), "");
    CHECK_STR(need_command(NEED_GROUP, UBUNTU, "video", text, sizeof text),
              "sudo usermod -aG video \"$USER\"");
    CHECK_STR(need_command(NEED_MODULE, ARCH, "amdxdna", text, sizeof text),
              "sudo modprobe amdxdna");
}

/* ---- known answers ---- */

static void answer(const char *backend, const char *fault, uint32_t which, bool is_only,
                   doctor_device *device)
{
    char list[32];
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    setenv("HETINFER_NULL_DEVICES", is_only ? "1" : "2", 1);
    if (fault)
        setenv("HETINFER_NULL_FAULT", fault, 1);
    else
        unsetenv("HETINFER_NULL_FAULT");
    snprintf(list, sizeof list, "%s,ref", backend);
    o.backends = list;
    memset(device, 0, sizeof *device);
    CHECK_INT(het_context_create(&o, &context, &err), HET_OK);
    if (context)
        doctor_answer(context, backend, which, is_only, device);
    het_context_destroy(context);
}

static void devices_that_work_are_right(void)
{
    static const char *const backends[] = { "ref", "null", "cpu_onednn" };
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        het_context_options o = HET_CONTEXT_OPTIONS_INIT;
        het_context *context = NULL;
        doctor_device device;
        o.backends = backends[i];
        if (het_context_create(&o, &context, NULL) != HET_OK)
            continue; /* not in this build */
        het_context_destroy(context);
        answer(backends[i], NULL, 0, true, &device);
        for (int k = 0; k < DOCTOR_TESTS; k++) {
            CHECK_STR(device.tests[k].message, "");
            CHECK_INT(device.tests[k].verdict, PASSED);
            CHECK(device.tests[k].run_ms > 0 && device.tests[k].setup_ms > 0);
        }
    }
}

static void failures_are_found_and_do_not_end_it(void)
{
    static const struct { const char *fault, *message; } cases[] = {
        { "enqueue:1:nan", "element 0 of the result is" },
        { "enqueue:1:device_lost", "" },
        { "open:1:internal", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        doctor_device device;
        answer("null", cases[i].fault, 0, true, &device);
        CHECK_INT(device.tests[0].verdict, FAILED);
        CHECK(strstr(device.tests[0].message, cases[i].message) && device.tests[0].message[0]);
        CHECK_INT(device.tests[1].verdict, PASSED); /* the fault came once */
    }
}

/* The other device is left alone: its fault does not come. */
static void one_of_several_devices_is_meant(void)
{
    doctor_device device;
    answer("null", "enqueue@0:1+:device_lost", 1, false, &device);
    CHECK_STR(device.tests[0].message, "");
    CHECK_INT(device.tests[0].verdict, PASSED);
    CHECK_INT(device.tests[1].verdict, PASSED);
    answer("null", "enqueue@1:1+:device_lost", 1, false, &device);
    CHECK_INT(device.tests[0].verdict, FAILED);
}

int main(void)
{
    test_case(distributions_are_known_by_name_or_kinship);
    test_case(every_need_has_help);
    test_case(commands_are_those_of_the_distribution);
    test_case(devices_that_work_are_right);
    test_case(failures_are_found_and_do_not_end_it);
    test_case(one_of_several_devices_is_meant);
    return test_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Input: bytes that are taken both for the driver's table of a chip (gpu_metrics) and for what the
 * kernel says of an open device (fdinfo).
 *
 * Properties: reading twice gives the same; numbers of a table are NAN or not negative, shares are
 * within 0 and 1, temperatures and powers within what their fields can hold; a table cut short is
 * refused; text of fdinfo is terminated, and lines behind the text change nothing that stands in
 * it but may add. */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "lib/machine/fdinfo.h"
#include "lib/machine/gpu_metrics.h"

static void check_number(double value, double max)
{
    FUZZ_REQUIRE(isnan(value) || (value >= 0 && value <= max));
}

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void check_metrics(const uint8_t *data, size_t size)
{
    het__gpu_metrics a, b;
    if (!het__gpu_metrics_parse(data, size, &a))
        return;
    FUZZ_REQUIRE(size >= 4 && het__gpu_metrics_parse(data, size, &b));
    FUZZ_REQUIRE(a.format == b.format && a.content == b.content);
    FUZZ_REQUIRE(a.is_chip == (a.format >= 2) && a.is_chip == b.is_chip);
    FUZZ_REQUIRE(same(a.gpu_celsius, b.gpu_celsius) && same(a.npu_load, b.npu_load));
    FUZZ_REQUIRE(same(a.gpu_watts, b.gpu_watts) && same(a.cpu_celsius, b.cpu_celsius));
    check_number(a.gpu_celsius, 655.34);
    check_number(a.cpu_celsius, 655.34);
    check_number(a.gpu_watts, 4294967.294);
    check_number(a.cpu_watts, 4294967.294);
    check_number(a.npu_watts, 65.534);
    check_number(a.gpu_megahertz, 65534);
    check_number(a.npu_megahertz, 65534);
    check_number(a.gpu_load, 1);
    check_number(a.npu_load, 1);
    check_number(a.traffic_bytes_per_s, 2 * 65534e6);
    const size_t whole = data[0] | (size_t)data[1] << 8;
    FUZZ_REQUIRE(whole <= size && !het__gpu_metrics_parse(data, whole - 1, &b));
}

static void check_fdinfo(const uint8_t *data, size_t size)
{
    het__fdinfo a, b;
    const bool is_device = het__fdinfo_parse((const char *)data, size, &a);
    FUZZ_REQUIRE(is_device == het__fdinfo_parse((const char *)data, size, &b));
    FUZZ_REQUIRE(memcmp(&a, &b, sizeof a) == 0);
    FUZZ_REQUIRE(is_device == (a.driver[0] != '\0'));
    FUZZ_REQUIRE(memchr(a.driver, 0, sizeof a.driver) && memchr(a.address, 0, sizeof a.address));
    FUZZ_REQUIRE(!a.has_cycles || a.cycles_in_all > 0);
    FUZZ_REQUIRE(a.has_bytes || a.bytes == 0);

    static const char more[] = "\ndrm-engine-gfx:\t1 ns\n";
    char *longer = malloc(size + sizeof more);
    FUZZ_REQUIRE(longer != NULL);
    memcpy(longer, data, size);
    memcpy(longer + size, more, sizeof more);
    het__fdinfo_parse(longer, size + sizeof more - 1, &b);
    FUZZ_REQUIRE(b.has_ns && b.busy_ns == a.busy_ns + (a.busy_ns < UINT64_MAX));
    FUZZ_REQUIRE(b.bytes == a.bytes && b.cycles == a.cycles && b.client == a.client);
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_metrics(data, size);
    check_fdinfo(data, size);
    return 0;
}

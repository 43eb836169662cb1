/* SPDX-License-Identifier: Apache-2.0 */
/* Cost of a node: the longer of computing and reading, and what becomes of figures' sources. */
#include "lib/cost/cost.h"
#include "test.h"

static het__cost cost_of(double flops, double bytes, uint32_t source)
{
    static const het__graph graph;
    const het__node node = { .op = HET__OP_SOFTMAX };
    const het__work work = { .flops = flops, .input_bytes = bytes / 2, .output_bytes = bytes / 2 };
    const het__machine_device device = { .bandwidth = { .value = 10e9, .source = source },
                                         .peak = { [HET__PEAK_F32] = { .value = 100e9 } },
                                         .launch = { .value = 7 } };
    het__cost cost;
    het__cost_node(&graph, &node, &work, &device, false, &cost);
    return cost;
}

static void longer_counts(void)
{
    const het__cost reading = cost_of(100, 1000, HET_SOURCE_ASSUMED);
    CHECK(reading.memory_bound);
    CHECK_NEAR(reading.ns, 7 + 100, 1e-9);
    const het__cost computing = cost_of(1000, 50, HET_SOURCE_ASSUMED);
    CHECK(!computing.memory_bound);
    CHECK_NEAR(computing.ns, 7 + 10, 1e-9);
}

/* Assumed figures err on the low side already; of measured ones kernels reach a part. */
static void measured_is_not_reached(void)
{
    CHECK_NEAR(cost_of(100, 1000, HET_SOURCE_DATASHEET).memory_ns, 100, 1e-9);
    const het__cost m = cost_of(1000, 1000, HET_SOURCE_MEASURED);
    CHECK(m.memory_ns > 100 && m.memory_ns < 200);
    CHECK(m.compute_ns > 10 && m.compute_ns < 20);
}

int main(void)
{
    test_case(longer_counts);
    test_case(measured_is_not_reached);
    return test_finish();
}

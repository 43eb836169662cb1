/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cost/cost.h"

#include <math.h>

/* What whole steps reach of measured figures, which are of bare loops: prompts 50 to 64 % of the
 * peak, tokens one by one 54 to 95 % of the bandwidth, as the machine has it (Q4_0, 1.1 and 2.6 B
 * parameters, AVX-512, two threads; hetinfer bench --predict). Assumed figures err on the low side
 * already. */
#define REACHED_OF_PEAK 0.65
#define REACHED_OF_BANDWIDTH 0.85

/* Four times of five the time of a whole network is within these factors of what bare figures say:
 * one roofline misses the seven networks of tests/validation by 40 % in the median. */
#define UNSURE_MEASURED 1.8
#define UNSURE_DATASHEET 2.5
#define UNSURE_ASSUMED 4.0

double het__cost_utilisation(double pieces, double capacity, bool in_waves)
{
    if (!(pieces > 0) || !(capacity > 0))
        return 1;
    if (pieces < capacity)
        return pieces / capacity;
    return in_waves ? pieces / (ceil(pieces / capacity) * capacity) : 1;
}

/* Cores share work out as they finish; the others run pieces in waves of all lanes. */
static double device_utilisation(const het__work_item *item, const het__machine_device *device)
{
    const bool cores = device->unit_class == HET__UNIT_CORES;
    const double lanes = !cores && device->lanes.value > 1 ? device->lanes.value : 1;
    return het__cost_utilisation(item->units, device->units.value * lanes, !cores);
}

static double unsure(const het__machine_device *device)
{
    switch (het__machine_source(device)) {
    case HET_SOURCE_MEASURED: return UNSURE_MEASURED;
    case HET_SOURCE_DATASHEET: case HET_SOURCE_MODELLED: return UNSURE_DATASHEET;
    default: return UNSURE_ASSUMED;
    }
}

static void cost_roofline(const het__work_item *item, const het__machine_device *device,
                          het__cost *cost)
{
    const bool measured = device->bandwidth.source == HET_SOURCE_MEASURED;
    const double f32 = het__machine_peak(device, HET__PEAK_F32);
    const double own = het__machine_peak(device, (het__peak)item->peak);
    const double peak = (own > f32 ? own : f32) * (measured ? REACHED_OF_PEAK : 1) *
                        device_utilisation(item, device);
    const double bandwidth = device->bandwidth.value * (measured ? REACHED_OF_BANDWIDTH : 1);
    const double bytes = item->input_bytes + item->output_bytes + item->weight_bytes;
    cost->compute_ns = peak > 0 ? item->flops / peak * 1e9 : 0;
    cost->memory_ns = bandwidth > 0 ? bytes / bandwidth * 1e9 : 0;
    cost->launch_ns = device->launch.value;
    cost->overlap = 1;
    cost->ns = cost->launch_ns + fmax(cost->compute_ns, cost->memory_ns);
    cost->low_ns = cost->ns / unsure(device);
    cost->high_ns = cost->ns * unsure(device);
}

void het__cost_item(const het__work_item *item, const het__machine_device *device,
                    het__cost *cost)
{
    if (device->calibration && device->calibration->rate_count > 0)
        het__cost_calibrated(item, device->calibration, cost);
    else
        cost_roofline(item, device, cost);
    cost->work_class = item->work_class;
    cost->memory_bound = cost->memory_ns > cost->compute_ns;
}

/* ---- products in fixed pieces ---- */

static double pieces(double extent, uint32_t piece)
{
    return piece ? ceil(extent / piece) : 1;
}

static double padded(double extent, uint32_t multiple)
{
    return multiple ? pieces(extent, multiple) * multiple : extent;
}

/* Constant matrices of a product: where they stand, how many; 0: no product. */
static uint32_t matrices_of(const het__node *node, uint32_t *first, uint32_t *step)
{
    *first = node->op == HET__OP_LINEAR ? 2 : 1;
    *step = node->op == HET__OP_LINEAR ? 2 : 1;
    return node->op == HET__OP_LINEAR   ? (uint32_t)node->attrs.linear.projections
           : node->op == HET__OP_GATED  ? 2
           : node->op == HET__OP_MATMUL ? 1 : 0;
}

static int64_t matrix_columns(const het__node *node, const het__value *w)
{
    return w->extent[node->op == HET__OP_MATMUL && !node->attrs.matmul.transpose_b].count;
}

/* What a device that takes products in pieces computes beside them, and how often it starts. */
static void apply_unit(const het__graph *graph, const het__node *node, const het__work *work,
                       const het__machine_device *device, het__work_item *item, double *starts)
{
    const het__product_unit *u = &device->product_unit;
    uint32_t first, step;
    const uint32_t count = matrices_of(node, &first, &step);
    double wanted = 0, done = 0, columns = 0;
    *starts = 1;
    if (u->rows == 0 || count == 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        const het__value *w = &graph->values[node->inputs[first + i * step]];
        columns += w->rank == 2 && !(node->op == HET__OP_GATED && i > 0)
                       ? (double)matrix_columns(node, w) : 0;
    }
    const double rows = columns > 0 ? work->units / columns : 0;
    if (!(rows > 0))
        return;
    *starts = 0;
    for (uint32_t i = 0; i < count; i++) {
        const het__value *w = &graph->values[node->inputs[first + i * step]];
        const double n = (double)matrix_columns(node, w);
        const double k = (double)(w->extent[0].count * w->extent[1].count) / n;
        wanted += rows * k * n;
        done += padded(rows, u->rows) * padded(k, u->inner) * padded(n, u->columns);
        *starts += pieces(rows, u->rows_most) * pieces(k, u->inner) * pieces(n, u->columns_most);
    }
    item->flops *= done / wanted;
}

bool het__cost_is_nothing(const het__graph *graph, const het__node *node)
{
    return het__op_is_view(node->op) &&
           graph->values[node->inputs[0]].kind == HET__VALUE_TEMP &&
           graph->values[node->outputs[0]].kind == HET__VALUE_TEMP;
}

void het__cost_node(const het__graph *graph, const het__node *node, const het__work *work,
                    const het__machine_device *device, bool exact, het__cost *cost)
{
    het__work_item item;
    double starts = 1;
    if (het__cost_is_nothing(graph, node)) {
        *cost = (het__cost){ .work_class = het__work_class_of(graph, node), .overlap = 1 };
        return;
    }
    het__work_item_of(graph, node, work, device, exact, &item);
    if (!device->calibration)
        apply_unit(graph, node, work, device, &item, &starts);
    het__cost_item(&item, device, cost);
    const double more = (starts - 1) * cost->launch_ns;
    cost->launch_ns += more;
    cost->ns += more;
    cost->low_ns += more;
    cost->high_ns += more;
}

/* ---- one memory for several ---- */

/* What a device can draw, as far as the group's memory gives it. */
static double demand_of(const het__machine *machine, uint32_t device)
{
    const double own = machine->device[device].bandwidth.value;
    const double all = machine->group[machine->device[device].group].bandwidth.value;
    return all > 0 && own > all ? all : own;
}

/* Devices that want less than an even part get what they want, the least first; what they leave is
 * divided among the others. */
double het__cost_share(const het__machine *machine, uint32_t device, uint32_t active)
{
    const uint32_t group = machine->device[device].group;
    const double wanted = demand_of(machine, device);
    double left = machine->group[group].bandwidth.value;
    uint32_t waiting = 0;
    active |= UINT32_C(1) << device;
    for (uint32_t i = 0; i < machine->device_count; i++)
        if (machine->device[i].group != group)
            active &= ~(UINT32_C(1) << i);
        else
            waiting += active >> i & 1;
    if (!(left > 0) || !(wanted > 0))
        return 1;
    while (waiting > 1) {
        const double even = left / waiting;
        const uint32_t before = waiting;
        for (uint32_t i = 0; i < machine->device_count; i++) {
            if (!(active >> i & 1) || i == device || demand_of(machine, i) > even)
                continue;
            left -= demand_of(machine, i);
            active &= ~(UINT32_C(1) << i);
            waiting--;
        }
        if (waiting == before || wanted <= even)
            break;
    }
    const double part = left / waiting;
    return part < wanted ? part / wanted : 1;
}

void het__cost_contended(const het__machine *machine, uint32_t device, uint32_t active,
                         const het__cost *alone, het__cost *cost)
{
    const double share = het__cost_share(machine, device, active);
    const double before = alone->ns;
    *cost = *alone;
    cost->memory_ns = alone->memory_ns / share;
    cost->memory_bound = cost->memory_ns > cost->compute_ns;
    cost->ns = cost->launch_ns + fmax(cost->compute_ns, cost->memory_ns) +
               (1 - cost->overlap) * fmin(cost->compute_ns, cost->memory_ns);
    const double times = before > 0 ? cost->ns / before : 1;
    cost->low_ns *= times;
    cost->high_ns *= times;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* An analysis as text: parts of the model, its longest operations, totals. */
#include "analyze.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST 12

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static int print_modules(const analysis *a)
{
    size_t count;
    module *modules = analysis_modules(a, &count);
    if (!modules)
        return failure("out of memory");
    printf("%-28s %10s %12s %12s %10s %10s %7s\n", "part", "operations", "parameters", "MMAC", "MB",
           "ms", "% time");
    for (size_t i = 0; i < count; i++) {
        const module *m = &modules[i];
        print_safe(m->name, 28);
        printf(" %10u %12.0f %12.3f %10.3f %10.4f %7.1f\n", m->node_count, m->parameters,
               m->macs * 1e-6, m->bytes * 1e-6, m->ns * 1e-6, share(m->ns, a->info.mapped_ns));
    }
    free(modules);
    return STATUS_GO;
}

/* ---- operations ---- */

typedef struct ranked {
    double ns;
    uint32_t index;
} ranked;

static int by_time(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    if (a->ns != b->ns)
        return a->ns > b->ns ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static int print_node(const analysis *a, uint32_t index)
{
    het_subgraph n;
    const int status = analysis_node(a, index, &n);
    if (status != STATUS_GO)
        return status;
    printf("%5u ", index);
    print_safe(n.name, 40);
    putchar(' ');
    print_safe(n.operations, 18);
    printf(" %5u %10.3f %9.3f %8.2f %-8s %6.0f %5.0f %6.1f %9.4f\n", n.stage, n.mac_count * 1e-6,
           subgraph_bytes(&n) * 1e-6, n.intensity, bottleneck_name(n.bottleneck),
           n.mapping->item_count, n.mapping->wave_count, 100 * n.mapping->utilisation,
           n.mapped_ns * 1e-6);
    return STATUS_GO;
}

static int print_nodes(const analysis *a)
{
    const uint32_t count = a->info.node_count;
    ranked *order = calloc(count ? count : 1, sizeof *order);
    int status = order ? STATUS_GO : failure("out of memory");
    for (uint32_t i = 0; status == STATUS_GO && i < count; i++) {
        het_subgraph n;
        status = analysis_node(a, i, &n);
        order[i] = (ranked){ n.mapped_ns, i };
    }
    if (status == STATUS_GO && !a->all_nodes)
        qsort(order, count, sizeof *order, by_time);
    printf("\n%5s %-40s %-18s %5s %10s %9s %8s %-8s %6s %5s %6s %9s\n", "#",
           a->all_nodes ? "operation" : "longest operations", "kind", "stage", "MMAC", "MB",
           "op/byte", "bound by", "tiles", "waves", "% peak", "ms");
    for (uint32_t i = 0; status == STATUS_GO && i < count && (a->all_nodes || i < LONGEST); i++)
        status = print_node(a, order[i].index);
    free(order);
    return status;
}

/* ---- totals ---- */

static void print_totals(const analysis *a)
{
    const het_analysis_info *t = &a->info;
    printf("\n%u operations (%u %s), %.0f parameters", t->node_count, t->spelled_count,
           is_language(a) ? "before fusion" : "in the file", t->parameter_count);
    if (t->kv_bytes_per_token > 0)
        printf(", %.0f of them read per token; %.0f bytes of keys and values per token",
               t->active_parameter_count, t->kv_bytes_per_token);
    if (t->opaque_count)
        printf("; nothing is known of %u operations", t->opaque_count);
    printf("\n%.4f GMAC, %.4f GFLOP, %.1f MB: %.1f operations per byte (two per MAC), %s\n",
           t->mac_count * 1e-9, t->flop_count * 1e-9, t->traffic_bytes * 1e-6, t->mac_intensity,
           label_name(t->label));
    printf("stages: %u on the longest chain, at most %u side by side, efficiency %.3f\n",
           t->concurrency->critical_path_count, t->concurrency->width_count,
           t->concurrency->efficiency);
    printf("device: %s, %.1f GFLOP/s, %.1f GB/s: balance %.1f operations per byte (%s, %s)\n",
           t->device, t->peak_ops_per_s * 1e-9, t->bytes_per_s * 1e-9, t->balance,
           source_name(t->figures_source), analysis_basis(a));
    printf("time: roofline %.4f ms, mapped to units %.4f ms, planned with %.4f ms; mostly bound by "
           "%s\n", t->roofline_ns * 1e-6, t->mapped_ns * 1e-6, t->predicted_ns * 1e-6,
           bottleneck_name(t->bottleneck));
    printf("units: %.1f %% have work, %.1f %% of the peak can be reached\n", 100 * t->unit_fill,
           100 * t->utilisation);
    if (t->energy_source != HET_SOURCE_UNAVAILABLE)
        printf("energy: %.6g J per inference (%s)\n", t->joules, source_name(t->energy_source));
    if (t->price > 0)
        printf("price: %.6g per inference\n", t->price);
}

/* Groups of one block of a language model are like those of the next, so the longest stand for
 * all; single operations save nothing. */
static int print_groups(const analysis *a)
{
    uint32_t count = 0;
    ranked *order = calloc(a->info.group_count ? a->info.group_count : 1, sizeof *order);
    int status = order ? STATUS_GO : failure("out of memory");
    for (uint32_t i = 0; status == STATUS_GO && i < a->info.group_count; i++) {
        het_subgraph g;
        status = analysis_group(a, i, &g);
        if (status == STATUS_GO && g.operation_count > 1)
            order[count++] = (ranked){ g.predicted_ns, i };
    }
    if (status == STATUS_GO && !a->all_nodes)
        qsort(order, count, sizeof *order, by_time);
    if (count)
        printf("\n%5s %-40s %12s %10s %9s %9s %8s %-8s %9s  %s\n", "group",
               a->all_nodes ? "first operation" : "longest groups", "parameters", "MMAC", "MB",
               "MB alone", "op/byte", "bound by", "ms", "operations");
    for (uint32_t i = 0; status == STATUS_GO && i < count && (a->all_nodes || i < LONGEST); i++) {
        het_subgraph g;
        status = analysis_group(a, order[i].index, &g);
        if (status != STATUS_GO)
            break;
        printf("%5u ", order[i].index);
        print_safe(g.name, 40);
        printf(" %12.0f %10.3f %9.3f %9.3f %8.2f %-8s %9.4f  ", g.parameter_count,
               g.mac_count * 1e-6, subgraph_bytes(&g) * 1e-6, g.ungrouped_bytes * 1e-6,
               g.intensity, bottleneck_name(g.bottleneck), g.predicted_ns * 1e-6);
        print_safe(g.operations, 0);
        putchar('\n');
    }
    free(order);
    return status;
}

static int print_fusion(const analysis *a)
{
    const het_analysis_info *t = &a->info;
    const double alone = t->ungrouped_bytes, saved = alone - t->grouped_bytes;
    const uint32_t operations = is_language(a) ? t->spelled_count : t->node_count;
    const int status = print_groups(a);
    if (status != STATUS_GO || !t->group_count)
        return status;
    printf("\nfusion: %u operations in %u groups (%.2f to one), %u end in an activation\n",
           operations, t->group_count, (double)operations / t->group_count, t->tile_count);
    printf("traffic: %.1f MB alone, %.1f MB in groups: %.1f MB saved (%.1f %%)\n",
           alone * 1e-6, t->grouped_bytes * 1e-6, saved * 1e-6, share(saved, alone));
    printf("kept inside, each value once: %.1f MB, %.1f %% of what is left without them\n",
           t->inner_bytes * 1e-6, share(t->inner_bytes, alone - t->inner_bytes));
    printf("time: %.4f ms alone, %.4f ms in groups\n", t->ungrouped_ns * 1e-6,
           t->grouped_ns * 1e-6);
    return STATUS_GO;
}

static void print_sweep(const analysis *a)
{
    const int64_t fills = sweep_fills_at(a), computes = sweep_computes_at(a);
    printf("\n%8s %12s %10s %8s %10s %10s %12s\n", "batch", "GMAC", "op/byte", "% units",
           "% of peak", "ms", "per second");
    for (size_t i = 0; i < a->point_count; i++) {
        const het_analysis_info *t = &a->points[i].info;
        printf("%8lld %12.4f %10.2f %8.1f %10.1f %10.4f %12.2f\n",
               (long long)a->points[i].batch, t->mac_count * 1e-9, t->intensity,
               100 * t->unit_fill, 100 * t->utilisation, t->mapped_ns * 1e-6,
               t->mapped_ns > 0 ? (double)a->points[i].batch / t->mapped_ns * 1e9 : 0);
    }
    if (fills)
        printf("all units have work from a batch of %lld on\n", (long long)fills);
    else
        puts("no batch of these gives all units work");
    if (computes)
        printf("more operations per byte than the balance from a batch of %lld on\n",
               (long long)computes);
    else
        puts("no batch of these reaches the balance");
}

/* ---- support ---- */

/* The first node of its kind. */
static bool is_first(const analysis *a, uint32_t index, const char *operation)
{
    for (uint32_t i = 0; i < index; i++) {
        het_subgraph n;
        if (analysis_node(a, i, &n) == STATUS_GO && strcmp(n.operations, operation) == 0)
            return false;
    }
    return true;
}

/* "12", "3 of 12" or "-": nodes of the kind that the device runs. why: of the first it does not. */
static void print_cell(const analysis *a, const char *operation, uint32_t device, const char **why)
{
    uint32_t count = 0, runs = 0;
    char cell[32];
    for (uint32_t i = 0; i < a->info.node_count; i++) {
        het_subgraph n;
        const char *reason = NULL;
        if (analysis_node(a, i, &n) != STATUS_GO || strcmp(n.operations, operation) != 0)
            continue;
        count++;
        const bool good = het_analysis_support_at(a->handle, i, device, &reason) == HET_OK;
        runs += good;
        *why = good || *why ? *why : reason;
    }
    if (runs == count)
        snprintf(cell, sizeof cell, "%u", count);
    else if (runs)
        snprintf(cell, sizeof cell, "%u of %u", runs, count);
    else
        snprintf(cell, sizeof cell, "-");
    printf(" %16s", cell);
}

static int print_support(const analysis *a)
{
    const uint32_t devices = (uint32_t)het_context_device_count(a->engine->context);
    printf("\n%-24s", "operation");
    for (uint32_t d = 0; d < devices; d++) {
        het_device_info info = { .struct_size = sizeof info };
        const het_device *device = het_context_device(a->engine->context, d);
        const het_status status = het_device_get_info(device, &info);
        if (status)
            return failure("%s", het_status_name(status));
        printf(" %16s", info.backend);
    }
    putchar('\n');
    for (uint32_t i = 0; i < a->info.node_count; i++) {
        het_subgraph n;
        const char *why = NULL;
        const int status = analysis_node(a, i, &n);
        if (status != STATUS_GO)
            return status;
        if (!is_first(a, i, n.operations))
            continue;
        print_safe(n.operations, 24);
        for (uint32_t d = 0; d < devices; d++)
            print_cell(a, n.operations, d, &why);
        printf("%s%s\n", why ? "  " : "", why ? why : "");
    }
    return STATUS_GO;
}

int analyze_print_table(const analysis *a)
{
    int status = print_modules(a);
    if (status == STATUS_GO)
        status = print_nodes(a);
    if (status != STATUS_GO)
        return status;
    print_totals(a);
    if (a->fusion)
        status = print_fusion(a);
    if (status != STATUS_GO)
        return status;
    if (a->point_count)
        print_sweep(a);
    if (a->support)
        status = print_support(a);
    if (status != STATUS_GO)
        return status;
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

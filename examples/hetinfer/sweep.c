/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer sweep: models on machines as comma-separated values, a row for each pair. A machine is
 * represented by whichever of its devices takes the least time. Equal inputs give equal bytes. */
#include "analyze.h"
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MACHINES_MAX 64

typedef struct request {
    texts models;
    const char *machines, *csv;
    int64_t batch;
    int arithmetic, phase;
    int64_t context;
    bool relative;
    settings settings;
} request;

typedef struct entry {
    char *name; /* for free() */
    het_machine *machine;
} entry;

typedef struct table {
    FILE *file;
    const request *request;
    het_context *context;
    entry machines[MACHINES_MAX];
    size_t machine_count;
} table;

/* What is compared with the first machine. */
typedef struct row {
    double ns, peak, joules;
} row;

/* ---- machines ---- */

static int load_machines(table *t)
{
    const char *at = t->request->machines;
    for (size_t length; *at; at += length + (at[length] == ',')) {
        length = strcspn(at, ",");
        if (length == 0)
            return usage_error("sweep", "--machines has an empty name");
        if (t->machine_count == MACHINES_MAX)
            return usage_error("sweep", "--machines: %d at most", MACHINES_MAX);
        entry *e = &t->machines[t->machine_count++];
        e->name = strndup(at, length);
        if (!e->name)
            return failure("out of memory");
        const int status = machine_open(t->context, e->name, 0, &e->machine);
        if (status != STATUS_GO)
            return status;
    }
    return STATUS_GO;
}

static void drop_machines(table *t)
{
    for (size_t i = 0; i < t->machine_count; i++) {
        het_machine_destroy(t->machines[i].machine);
        free(t->machines[i].name);
    }
}

/* ---- rows ---- */

static void put_header(const table *t)
{
    fputs("model,machine,device,batch,parameters,macs,flops,bytes,tiles,nodes,groups,"
          "critical_path,width,efficiency,intensity,label,bottleneck,unit_fill,utilisation,"
          "roofline_ms,mapped_ms,predicted_ms,grouped_ms,inferences_per_s,peak_inferences_per_s,"
          "joules,price,seed_v1_ms,seed_v1_joules,figures", t->file);
    fputs(t->request->relative ? ",speed_ratio,peak_ratio,energy_ratio" : "", t->file);
    fputs(",basis\n", t->file);
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void put_row(const table *t, const char *model, const char *machine,
                    const het_analysis_info *i, row *first)
{
    const double batch = (double)t->request->batch;
    FILE *f = t->file;
    csv_text(f, model);
    fputc(',', f);
    csv_text(f, machine);
    fputc(',', f);
    csv_text(f, i->device);
    fprintf(f, ",%.0f,%.0f,%.0f,%.0f,%.0f,%u,%u,%u,%u,%u,%.6g,%.6g,%s,%s,%.6g,%.6g", batch,
            i->parameter_count, i->mac_count, i->flop_count, i->traffic_bytes, i->tile_count,
            i->node_count, i->group_count, i->concurrency->critical_path_count,
            i->concurrency->width_count, i->concurrency->efficiency, i->mac_intensity,
            label_name(i->label), bottleneck_name(i->bottleneck), i->unit_fill, i->utilisation);
    fprintf(f, ",%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%s", i->roofline_ns * 1e-6,
            i->mapped_ns * 1e-6, i->predicted_ns * 1e-6, i->grouped_ns * 1e-6,
            ratio(batch * 1e9, i->mapped_ns),
            ratio(batch * i->peak_ops_per_s, 2 * i->mac_count), i->joules, i->price,
            i->seed_ns * 1e-6, i->seed_joules, source_name(i->figures_source));
    if (first->peak <= 0)
        *first = (row){ i->mapped_ns, i->peak_ops_per_s, i->joules };
    if (t->request->relative)
        fprintf(f, ",%.6g,%.6g,%.6g", ratio(first->ns, i->mapped_ns),
                ratio(i->peak_ops_per_s, first->peak), ratio(first->joules, i->joules));
    fprintf(f, ",%s\n", figures_basis(machine_name(machine) != NULL, i->is_calibrated != 0));
}

/* The device that takes the least time; of equals the first. */
static int add_pair(const table *t, const het_model *model, const char *name, const entry *e,
                    row *first)
{
    het_analysis_options o = HET_ANALYSIS_OPTIONS_INIT;
    het_analysis *best = NULL;
    het_analysis_info least = { .struct_size = sizeof least };
    o.machine = e->machine;
    o.batch_count = t->request->batch;
    o.arithmetic = (uint32_t)t->request->arithmetic;
    o.group_rule = HET_GROUP_PATTERNS;
    o.phase = (uint32_t)t->request->phase;
    o.context_count = t->request->context;
    for (; o.device < het_machine_device_count(e->machine); o.device++) {
        het_analysis *a = NULL;
        het_analysis_info info = { .struct_size = sizeof info };
        het_error err = HET_ERROR_INIT;
        het_status status = het_analysis_make(model, &o, &a, &err);
        if (status == HET_OK)
            status = het_analysis_get_info(a, &info);
        if (status != HET_OK) {
            het_analysis_destroy(best);
            het_analysis_destroy(a);
            return failure_of(status, &err);
        }
        const bool better = !best || info.mapped_ns < least.mapped_ns;
        het_analysis_destroy(better ? best : a);
        best = better ? a : best;
        least = better ? info : least;
    }
    if (best)
        put_row(t, name, e->name, &least, first);
    het_analysis_destroy(best);
    return STATUS_GO;
}

static int add_model(const table *t, const char *path)
{
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    char name[128];
    row first = { 0 };
    const het_status loaded = het_model_load(t->context, path, NULL, &model, &err);
    int status = loaded ? failure_of(loaded, &err) : STATUS_GO;
    analysis_model_name(path, name, sizeof name);
    for (size_t i = 0; status == STATUS_GO && i < t->machine_count; i++)
        status = add_pair(t, model, name, &t->machines[i], &first);
    het_model_destroy(model);
    return status;
}

static int write_table(table *t)
{
    const request *r = t->request;
    int status = load_machines(t);
    if (status != STATUS_GO)
        return status;
    t->file = r->csv ? fopen(r->csv, "w") : stdout;
    if (!t->file)
        return failure("%s: %s", r->csv, strerror(errno));
    put_header(t);
    for (size_t i = 0; status == STATUS_GO && i < r->models.count; i++)
        status = add_model(t, r->models.at[i]);
    const bool failed = fflush(t->file) != 0 || ferror(t->file) != 0;
    if (((r->csv && fclose(t->file) != 0) || failed) && status == STATUS_GO)
        status = failure("%s: cannot write", r->csv ? r->csv : "stdout");
    return status == STATUS_GO ? STATUS_DONE : status;
}

int command_sweep(int argc, char **argv)
{
    request r = { .batch = 1 };
    options o;
    const char *none = NULL;
    options_begin(&o, "sweep", "MODEL...", "Write what models cost on machines, a row per pair.");
    o.operands = &r.models;
    options_text(&o, "machines", 'm', &r.machines, "LIST", "Profiles, machine files, this");
    options_text(&o, "csv", 0, &r.csv, "FILE", "Where to write (stdout)");
    options_int(&o, "batch", 'b', &r.batch, 1, 1 << 20, "N", "Images or sequences (1)");
    options_choice(&o, "phase", &r.phase, "decode|prefill", "Kind of step (decode)");
    options_int(&o, "context", 'c', &r.context, 0, INT32_MAX, "N", "Positions before it (0)");
    options_choice(&o, "arithmetic", &r.arithmetic, "f32|f16|bf16|int8|fastest",
                   "Whose peak counts (f32)");
    options_flag(&o, "relative", 0, &r.relative, "Ratios to the first machine");
    options_flag(&o, "quiet", 'q', &r.settings.quiet, "No statistics");
    int status = options_parse(&o, argc, argv, &none);
    if (!r.machines)
        r.machines = "this";
    if (status != STATUS_GO)
        return status;
    engine e = { 0 };
    table t = { .request = &r };
    status = engine_context(&e, &r.settings);
    t.context = e.context;
    if (status == STATUS_GO)
        status = write_table(&t);
    drop_machines(&t);
    engine_close(&e);
    return status;
}

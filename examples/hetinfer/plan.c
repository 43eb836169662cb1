/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer plan: where each layer would run, what that is expected to cost, and why; on this
 * machine or on one that is only described. Runs nothing of the model. */
#include "plan_command.h"

#include "commands.h"
#include "timeline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const objectives[] = { "default", "latency", "throughput", "energy" };

const char *plan_objective(uint32_t objective)
{
    return objective < sizeof objectives / sizeof *objectives ? objectives[objective] : "other";
}

const char *plan_unit(const het_plan_info *info)
{
    return info->objective == HET_OBJECTIVE_ENERGY ? "mJ" : "ms";
}

int plan_layer_at(const het_plan *plan, uint32_t index, het_plan_layer *layer)
{
    memset(layer, 0, sizeof *layer);
    layer->struct_size = sizeof *layer;
    const het_status status = het_plan_layer_at(plan, index, layer);
    return status ? failure("layer %u: %s", index, het_status_name(status)) : STATUS_GO;
}

int plan_device_at(const het_plan *plan, uint32_t index, het_plan_device *device)
{
    memset(device, 0, sizeof *device);
    device->struct_size = sizeof *device;
    const het_status status = het_plan_device_at(plan, index, device);
    return status ? failure("device %u: %s", index, het_status_name(status)) : STATUS_GO;
}

int plan_transfer_at(const het_plan *plan, uint32_t index, het_plan_transfer *transfer)
{
    memset(transfer, 0, sizeof *transfer);
    transfer->struct_size = sizeof *transfer;
    const het_status status = het_plan_transfer_at(plan, index, transfer);
    return status ? failure("transfer %u: %s", index, het_status_name(status)) : STATUS_GO;
}

int plan_split_at(const het_plan *plan, uint32_t index, het_plan_split *split)
{
    memset(split, 0, sizeof *split);
    split->struct_size = sizeof *split;
    const het_status status = het_plan_split_at(plan, index, split);
    return status ? failure("split %u: %s", index, het_status_name(status)) : STATUS_GO;
}

/* ---- table ---- */

static int print_layers(const het_plan *plan, const het_plan_info *info)
{
    char a[32];
    printf("%-12s %-12s %10s %10s  %s\n", "layer", "device", "ms", "weights", "why");
    for (uint32_t i = 0; i < info->layer_count; i++) {
        het_plan_layer l;
        const int status = plan_layer_at(plan, i, &l);
        if (status != STATUS_GO)
            return status;
        printf("%-12s %-12s %10.4f %10s  ", l.name, l.backend, l.predicted_ns * 1e-6,
               format_bytes(l.weight_bytes, a));
        print_safe(l.reason, 0);
        printf("\n%26s", "");
        print_safe(l.operations, 0);
        putchar('\n');
    }
    return STATUS_GO;
}

static int print_transfers(const het_plan *plan, const het_plan_info *info)
{
    char a[32];
    if (info->transfer_count)
        printf("\n%-12s %-25s %10s %10s  %s\n", "copy before", "from and to", "ms", "bytes",
               "value");
    for (uint32_t i = 0; i < info->transfer_count; i++) {
        het_plan_transfer t;
        het_plan_layer l;
        het_plan_device from, to;
        int status = plan_transfer_at(plan, i, &t);
        if (status == STATUS_GO)
            status = plan_layer_at(plan, t.layer, &l);
        if (status == STATUS_GO)
            status = plan_device_at(plan, t.from, &from);
        if (status == STATUS_GO)
            status = plan_device_at(plan, t.to, &to);
        if (status != STATUS_GO)
            return status;
        printf("%-12s %-12s %-12s %10.4f %10s  ", l.name, from.backend, to.backend,
               t.predicted_ns * 1e-6, format_bytes(t.bytes, a));
        print_safe(t.name, 0);
        putchar('\n');
    }
    return STATUS_GO;
}

static void print_total(double total)
{
    if (isfinite(total))
        printf(" %12.4f", total * 1e-6);
    else
        printf(" %12s", "cannot");
}

/* What each device holds against what it may, and what it would take alone. */
static int print_devices(const het_plan *plan, const het_plan_info *info)
{
    char a[32], b[32], c[32], d[32];
    printf("\n%-12s %6s %10s %10s %10s %10s %10s %9s %12s\n", "device", "nodes", "weights",
           "states", "values", "limit", "busy ms", "of limit", "alone");
    for (uint32_t i = 0; i < info->device_count; i++) {
        het_plan_device v;
        const int status = plan_device_at(plan, i, &v);
        if (status != STATUS_GO)
            return status;
        const double values = v.io_bytes + v.activation_bytes;
        const double all = v.weight_bytes + v.slot_bytes + v.state_bytes + values;
        printf("%-12s %6u %10s %10s %10s %10s %10.4f", v.backend, v.node_count,
               format_bytes(v.weight_bytes + v.slot_bytes, a), format_bytes(v.state_bytes, b),
               format_bytes(values, c),
               isfinite(v.limit_bytes) ? format_bytes(v.limit_bytes, d) : "none",
               v.busy_ns * 1e-6);
        if (isfinite(v.limit_bytes) && v.limit_bytes > 0)
            printf(" %7.1f %%", 100 * all / v.limit_bytes);
        else
            printf(" %9s", "");
        print_total(v.single_total);
        putchar('\n');
        if (v.slot_bytes > 0)
            printf("%-12s keeps experts in %u slots of %s in all; %.4f ms for bringing others\n",
                   "", v.slot_count, format_bytes(v.slot_bytes, a), v.bring_ns * 1e-6);
        if (v.stream_slot_count)
            printf("%-12s brings weights of %u of %u layers for each step, %s, in %u slots of %s\n",
                   "", v.stream_layer_count, v.stream_layer_max, format_bytes(v.stream_bytes, a),
                   v.stream_slot_count, format_bytes(v.stream_slot_bytes, b));
        if (v.file_bytes > 0)
            printf("%-12s reads %s of weights from the file: not everything fits\n", "",
                   format_bytes(v.file_bytes, a));
    }
    return STATUS_GO;
}

static double gain(double other, double total)
{
    return other > 0 ? 100 * (1 - total / other) : 0;
}

/* What the simulation adds. */
static int print_splits(const het_plan *plan, const het_plan_info *info)
{
    uint32_t products = 0;
    for (uint32_t i = 0; i < info->split_count; i++) {
        het_plan_split s;
        const int status = plan_split_at(plan, i, &s);
        if (status != STATUS_GO)
            return status;
        products += s.share < 1;
    }
    printf("simulated: %.4f ms a step", info->simulated_ns * 1e-6);
    if (info->split_count)
        printf("; %.4f ms, %.1f %% less, with %u products split by rows and %u branches beside",
               info->split_ns * 1e-6, gain(info->simulated_ns, info->split_ns), products,
               info->split_count - products);
    else
        printf("; no split or branch makes it shorter");
    putchar('\n');
    return STATUS_GO;
}

static int print_comparison(const het_plan *plan, const het_plan_info *info)
{
    printf("\n%s: %.4f %s", plan_objective(info->objective), info->total * 1e-6, plan_unit(info));
    if (info->is_proven)
        printf(", and no placement is better\n");
    else
        printf("; not proven: the best may have as little as %.4f, %.1f %% less\n",
               info->bound * 1e-6, gain(info->total, info->bound));
    if (info->best_single != UINT32_MAX) {
        het_plan_device v;
        const int status = plan_device_at(plan, info->best_single, &v);
        if (status != STATUS_GO)
            return status;
        printf("best device alone: %s, %.4f %s: the plan saves %.1f %%\n", v.backend,
               v.single_total * 1e-6, plan_unit(info), gain(v.single_total, info->total));
    }
    if (isfinite(info->greedy_total))
        printf("first device that can: %.4f %s: the plan saves %.1f %%\n",
               info->greedy_total * 1e-6, plan_unit(info), gain(info->greedy_total, info->total));
    if (info->broken_count)
        printf("wishes of the policy not kept: %u\n", info->broken_count);
    return info->simulated_ns > 0 ? print_splits(plan, info) : STATUS_GO;
}

static int print_table(const het_plan *plan, const het_plan_info *info)
{
    char a[32], b[32];
    int status = print_layers(plan, info);
    if (status == STATUS_GO)
        status = print_transfers(plan, info);
    if (status == STATUS_GO && info->device_count > 1)
        status = print_devices(plan, info);
    if (status != STATUS_GO)
        return status;
    printf("\n%u nodes (%u before fusion), %u transfers of %s\n", info->node_count,
           info->unfused_count, info->transfer_count,
           format_bytes((double)info->transfer_bytes, a));
    printf("one step: %.4f ms, %.3f GFLOP, weights %s, activations %s (figures: %s)\n",
           info->predicted_ns * 1e-6, info->flop_count * 1e-9, format_bytes(info->weight_bytes, a),
           format_bytes(info->activation_bytes, b), source_name(info->figures_source));
    if (info->device_count > 1)
        status = print_comparison(plan, info);
    if (status != STATUS_GO)
        return status;
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

/* ---- command ---- */

/* One step of the plan over time, and why everything is where it is. */
static int write_html(const het_plan *plan, const plan_request *r)
{
    het_simulation *simulation = NULL;
    het_error err = HET_ERROR_INIT;
    timeline t = { 0 };
    char title[256], about[512];
    const het_status simulated = het_simulation_make(plan, NULL, &simulation, &err);
    int status = simulated ? failure_of(simulated, &err) : timeline_read(&t, simulation);
    snprintf(title, sizeof title, "%s: plan of a %s step", r->model,
             r->phase ? "prefill" : "decode");
    snprintf(about, sizeof about, "Planned for %s under %s.",
             r->machine ? r->machine : "this machine", r->policy ? r->policy : "no policy");
    if (status == STATUS_GO)
        status = timeline_write_html(&t, plan, title, about, r->html);
    timeline_free(&t);
    het_simulation_destroy(simulation);
    return status;
}

static int print_plan(const het_plan *plan, const plan_request *r)
{
    het_plan_info info = { .struct_size = sizeof info };
    const het_status status = het_plan_get_info(plan, &info);
    if (status)
        return failure("%s", het_status_name(status));
    if (r->settings.json)
        return plan_print_json(plan, &info, r);
    if (!r->text)
        return print_table(plan, &info);
    fputs(het_plan_text(plan), stdout);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static bool is_preset(const char *name)
{
    for (uint32_t i = 0; i < het_policy_preset_count(); i++)
        if (strcmp(het_policy_preset_name(i), name) == 0)
            return true;
    return false;
}

static int load_policy(const engine *e, const char *name, het_policy **policy)
{
    het_error err = HET_ERROR_INIT;
    het_status status = HET_OK;
    if (name)
        status = is_preset(name) ? het_policy_preset(e->context, name, policy, &err)
                                 : het_policy_load(e->context, name, policy, &err);
    return status ? failure_of(status, &err) : STATUS_GO;
}

static int load_machine(const engine *e, const char *name, het_machine **machine)
{
    het_error err = HET_ERROR_INIT;
    const het_status status = name ? het_machine_load(e->context, name, machine, &err) : HET_OK;
    return status ? failure_of(status, &err) : STATUS_GO;
}

static int make_or_load(const engine *e, const plan_request *r, const het_plan_options *o,
                        het_plan **plan)
{
    het_error err = HET_ERROR_INIT;
    het_status status;
    if (r->from) {
        size_t bytes = 0;
        char *text = read_file(r->from, &bytes);
        if (!text)
            return STATUS_FAILED;
        status = het_plan_load(e->model, o, text, bytes, plan, &err);
        free(text);
    } else {
        status = het_plan_make(e->model, o, plan, &err);
    }
    return status ? failure_of(status, &err) : STATUS_GO;
}

int plan_make(const engine *e, const plan_request *r, plan_made *made)
{
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    o.phase = (uint32_t)r->phase;
    o.token_count = r->tokens;
    o.context_count = r->context;
    o.threads = (uint32_t)r->settings.threads;
    o.measure = r->measure;
    o.devices = e->selected;
    o.objective = (uint32_t)r->objective;
    o.sequence_count = (uint32_t)r->sequences;
    o.output_count = r->outputs;
    o.flags = (r->alone ? HET_PLAN_ALONE : 0) |
              (r->machine && !r->no_split ? HET_PLAN_SPLIT : 0);
    int status = load_machine(e, r->machine, &made->machine);
    if (status == STATUS_GO)
        status = load_policy(e, r->policy, &made->policy);
    o.machine = made->machine;
    o.policy = made->policy;
    return status == STATUS_GO ? make_or_load(e, r, &o, &made->plan) : status;
}

void plan_unmake(plan_made *made)
{
    het_plan_destroy(made->plan);
    het_policy_destroy(made->policy);
    het_machine_destroy(made->machine);
}

int plan_check(plan_request *r, const char *command)
{
    r->machine = machine_name(r->machine);
    if (r->machine && (r->settings.devices || r->settings.threads || r->measure))
        return usage_error(command, "--devices, --threads and --measure mean this machine: "
                           "not with --machine");
    return STATUS_GO;
}

void plan_declare(options *o, plan_request *r)
{
    options_choice(o, "phase", &r->phase, "decode|prefill", "Kind of step (decode)");
    options_int(o, "tokens", 'n', &r->tokens, 1, 1 << 20, "N", "Tokens per step (1, prefill 512)");
    options_int(o, "context", 'c', &r->context, 0, INT32_MAX, "N", "Positions before it (0)");
    options_int(o, "sequences", 's', &r->sequences, 1, 65536, "N", "Sequences decoded at once (1)");
    options_int(o, "outputs", 0, &r->outputs, 1, INT32_MAX, "N",
                "Tokens decoded per prompt: weighs the phases (128)");
    options_text(o, "machine", 0, &r->machine, "NAME", "Profile or machine file (this)");
    options_text(o, "policy", 0, &r->policy, "NAME", "Preset or policy file (none)");
    options_choice(o, "objective", &r->objective, "default|latency|throughput|energy",
                   "What is to be least (the policy's, or latency)");
    options_flag(o, "alone", 0, &r->alone, "Place the phase without regard to the other one");
    options_flag(o, "no-split", 0, &r->no_split, "With --machine: no simulation of splits");
    options_text(o, "from", 0, &r->from, "FILE", "A plan's text: its devices, with costs anew");
    options_flag(o, "measure", 'm', &r->measure, "Measure the devices first");
    options_text(o, "devices", 0, &r->settings.devices, "LIST", "Backends, comma-separated (all)");
    options_int(o, "threads", 't', &r->settings.threads, 1, 4096, "N", "Threads (one per core)");
    settings_model(o, &r->settings);
    settings_output(o, &r->settings);
}

int command_plan(int argc, char **argv)
{
    plan_request r = { 0 };
    plan_made made = { 0 };
    options o;
    engine e = { 0 };
    options_begin(&o, "plan", "MODEL", "Print where each layer runs, what it costs, and why.");
    plan_declare(&o, &r);
    options_flag(&o, "text", 0, &r.text, "The plan's own text form, one line per node");
    options_text(&o, "html", 0, &r.html, "FILE", "Write timeline and reasons as a page");
    int status = options_parse(&o, argc, argv, &r.model);
    if (status == STATUS_GO)
        status = plan_check(&r, "plan");
    if (status == STATUS_GO)
        status = engine_model(&e, &r.settings, r.model, 0);
    if (status == STATUS_GO)
        status = plan_make(&e, &r, &made);
    if (status == STATUS_GO && r.html)
        status = write_html(made.plan, &r);
    if (status == STATUS_GO)
        status = print_plan(made.plan, &r);
    plan_unmake(&made);
    engine_close(&e);
    return status;
}

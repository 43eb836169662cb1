/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as JSON: totals, devices with what they hold, layers, copies, and which layers each device
 * has (shards), in the order in which a step meets them. */
#include "plan_command.h"

#include <math.h>
#include <string.h>

/* JSON has no infinity. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *device_number(uint32_t index)
{
    return index == UINT32_MAX ? json_null() : json_integer((json_int_t)index);
}

static json_t *json_layer(const het_plan_layer *l)
{
    return json_pack(
        "{s:i, s:s, s:I, s:s, s:o, s:o, s:I, s:f, s:f, s:f, s:f, s:I, s:f, s:f, s:f, s:o, s:o}",
        "layer", (int)l->layer, "name", l->name, "device",
        l->device == UINT32_MAX ? (json_int_t)-1 : (json_int_t)l->device, "backend", l->backend,
        "operations", json_text(l->operations, strlen(l->operations)), "reason",
        json_text(l->reason, strlen(l->reason)), "node_count", (json_int_t)l->node_count,
        "predicted_ns", l->predicted_ns, "flop_count", l->flop_count, "weight_bytes",
        l->weight_bytes, "activation_bytes", l->activation_bytes, "plan_device",
        (json_int_t)l->plan_device, "stored_bytes", l->stored_bytes, "stream_bytes",
        l->stream_bytes, "state_bytes", l->state_bytes, "runner_up", device_number(l->runner_up),
        "runner_up_total", number(l->runner_up_total));
}

static json_t *json_device(const het_plan_device *d)
{
    json_t *device = json_pack(
        "{s:o, s:s, s:o, s:I, s:f, s:f, s:f, s:f, s:f, s:o, s:f, s:o}", "name",
        json_text(d->name, strlen(d->name)), "backend", d->backend, "context_index",
        device_number(d->context_index), "node_count", (json_int_t)d->node_count, "weight_bytes",
        d->weight_bytes, "file_bytes", d->file_bytes, "state_bytes", d->state_bytes, "io_bytes",
        d->io_bytes, "activation_bytes", d->activation_bytes, "limit_bytes",
        number(d->limit_bytes), "busy_ns", d->busy_ns, "single_total", number(d->single_total));
    json_t *more = json_pack(
        "{s:I, s:f, s:f, s:I, s:f, s:f, s:I, s:I}", "slot_count", (json_int_t)d->slot_count,
        "slot_bytes", d->slot_bytes, "bring_ns", d->bring_ns, "stream_slot_count",
        (json_int_t)d->stream_slot_count, "stream_slot_bytes", d->stream_slot_bytes,
        "stream_bytes", d->stream_bytes, "stream_layer_count", (json_int_t)d->stream_layer_count,
        "stream_layer_max", (json_int_t)d->stream_layer_max);
    json_object_update(device, more);
    json_decref(more);
    return device;
}

static json_t *json_transfer(const het_plan_transfer *t)
{
    return json_pack("{s:I, s:I, s:I, s:o, s:f, s:f}", "from", (json_int_t)t->from, "to",
                     (json_int_t)t->to, "before", (json_int_t)t->layer, "value",
                     json_text(t->name, strlen(t->name)), "bytes", t->bytes, "predicted_ns",
                     t->predicted_ns);
}

static json_t *json_totals(const het_plan_info *i)
{
    json_t *totals = json_pack(
        "{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:s}", "node_count", (json_int_t)i->node_count,
        "unfused_count", (json_int_t)i->unfused_count, "transfer_count",
        (json_int_t)i->transfer_count, "transfer_bytes", (json_int_t)i->transfer_bytes,
        "predicted_ns", i->predicted_ns, "flop_count", i->flop_count, "weight_bytes",
        i->weight_bytes, "activation_bytes", i->activation_bytes, "figures_source",
        source_name(i->figures_source));
    json_t *more = json_pack(
        "{s:s, s:f, s:f, s:f, s:b, s:o, s:o, s:I, s:f, s:f}", "objective",
        plan_objective(i->objective), "total", i->total, "bound", i->bound, "gap",
        i->is_proven || !(i->total > 0) ? 0.0 : (i->total - i->bound) / i->total, "proven",
        (int)i->is_proven, "best_single", device_number(i->best_single), "greedy_total",
        number(i->greedy_total), "broken_wishes", (json_int_t)i->broken_count, "simulated_ns",
        i->simulated_ns, "split_ns", i->split_ns);
    json_object_update(totals, more);
    json_decref(more);
    return totals;
}

static json_t *json_split(const het_plan_split *s)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:f, s:f}", "name", json_text(s->name, strlen(s->name)),
                     "node_count", (json_int_t)s->node_count, "device", (json_int_t)s->device,
                     "other", (json_int_t)s->other, "share", s->share, "simulated_ns",
                     s->simulated_ns);
}

/* ---- shards: whole layers [start, end) per device, -1 for what is in none ---- */

static json_t *begin_shard(const het_plan_layer *l)
{
    return json_pack("{s:I, s:i, s:i, s:i, s:f, s:f}", "device", (json_int_t)l->plan_device,
                     "start_layer", (int)l->layer, "end_layer", (int)l->layer + 1, "entries", 0,
                     "stored_bytes", 0.0, "state_bytes", 0.0);
}

static void add_to(json_t *shard, const char *key, double more)
{
    json_t *old = json_object_get(shard, key);
    json_object_set_new(shard, key,
                        json_is_integer(old)
                            ? json_integer(json_integer_value(old) + (json_int_t)more)
                            : json_real(json_real_value(old) + more));
}

/* An entry continues the shard before it if its device is the same; layers may be cut. */
static void take_entry(json_t *shards, const het_plan_layer *l)
{
    json_t *last = json_array_size(shards) ? json_array_get(shards, json_array_size(shards) - 1)
                                           : NULL;
    const bool same =
        last && json_integer_value(json_object_get(last, "device")) == (json_int_t)l->plan_device;
    if (!same) {
        last = begin_shard(l);
        json_array_append_new(shards, last);
    }
    if (l->layer >= 0) {
        if (json_integer_value(json_object_get(last, "start_layer")) < 0)
            json_object_set_new(last, "start_layer", json_integer(l->layer));
        json_object_set_new(last, "end_layer", json_integer(l->layer + 1));
    }
    add_to(last, "entries", 1);
    add_to(last, "stored_bytes", l->stored_bytes);
    add_to(last, "state_bytes", l->state_bytes);
}

static int fill_layers(const het_plan *plan, const het_plan_info *info, json_t *layers,
                       json_t *shards)
{
    for (uint32_t i = 0; i < info->layer_count; i++) {
        het_plan_layer l;
        const int status = plan_layer_at(plan, i, &l);
        if (status != STATUS_GO)
            return status;
        json_array_append_new(layers, json_layer(&l));
        take_entry(shards, &l);
    }
    return STATUS_GO;
}

static int fill_lists(const het_plan *plan, const het_plan_info *info, json_t *root)
{
    json_t *layers = json_array(), *shards = json_array(), *devices = json_array();
    json_t *transfers = json_array(), *splits = json_array();
    int status = fill_layers(plan, info, layers, shards);
    for (uint32_t i = 0; status == STATUS_GO && i < info->device_count; i++) {
        het_plan_device d;
        status = plan_device_at(plan, i, &d);
        if (status == STATUS_GO)
            json_array_append_new(devices, json_device(&d));
    }
    for (uint32_t i = 0; status == STATUS_GO && i < info->transfer_count; i++) {
        het_plan_transfer t;
        status = plan_transfer_at(plan, i, &t);
        if (status == STATUS_GO)
            json_array_append_new(transfers, json_transfer(&t));
    }
    for (uint32_t i = 0; status == STATUS_GO && i < info->split_count; i++) {
        het_plan_split s;
        status = plan_split_at(plan, i, &s);
        if (status == STATUS_GO)
            json_array_append_new(splits, json_split(&s));
    }
    json_object_set_new(root, "splits", splits);
    json_object_set_new(root, "layers", layers);
    json_object_set_new(root, "devices", devices);
    json_object_set_new(root, "transfers", transfers);
    json_object_set_new(root, "shards", shards);
    return status;
}

int plan_print_json(const het_plan *plan, const het_plan_info *info, const plan_request *r)
{
    json_t *root = json_begin("plan");
    json_object_set_new(root, "phase", json_string(r->phase ? "prefill" : "decode"));
    json_object_set_new(root, "machine", r->machine ? json_string(r->machine) : json_null());
    json_object_set_new(root, "policy", r->policy ? json_string(r->policy) : json_null());
    json_object_set_new(root, "totals", json_totals(info));
    const int status = fill_lists(plan, info, root);
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the text of a plan, and checking it against the graph that it is for. Nothing of the text
 * is believed that the graph can tell: operations and names of nodes, bytes of copies, that every
 * value is where it is read and that no copy is idle. */
#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/partition/place.h"
#include "lib/partition/plan.h"
#include "lib/partition/plan_words.h"

typedef struct reader {
    const char *at, *end;
    uint32_t line;
    const het__graph *g;
    const int64_t *symbols;
    const het__machine *machine;
    het__mem *mem;
    uint8_t *device;  /* per node */
    uint32_t *where;  /* per value: devices that hold it */
    uint32_t *pending; /* per value: devices that a copy has reached before its reader, as bits */
    uint32_t pending_count, transfer_count;
    uint64_t transfer_bytes;
    het_error *err;
} reader;

static het_status refuse(const reader *r, const char *what)
{
    return het__fail(r->err, HET_E_FORMAT, "plan:%u: %s", r->line, what);
}

/* ---- words ---- */

static bool take(reader *r, const char *word)
{
    const size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

static bool at_word(const reader *r, const char *word)
{
    const size_t n = strlen(word);
    return (size_t)(r->end - r->at) >= n && memcmp(r->at, word, n) == 0;
}

static bool end_line(reader *r)
{
    if (!take(r, "\n"))
        return false;
    r->line++;
    return true;
}

/* Digits without leading zeros, at most 2^63. */
static bool number(reader *r, uint64_t *value)
{
    uint64_t n = 0;
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && n <= UINT64_MAX / 20)
        n = 10 * n + (uint64_t)(*r->at++ - '0');
    *value = n;
    return r->at > start && (*start != '0' || r->at == start + 1) &&
           (r->at == r->end || *r->at < '0' || *r->at > '9');
}

static bool number_or_none(reader *r)
{
    uint64_t n;
    return take(r, "-") || number(r, &n);
}

static bool below(reader *r, uint64_t limit, uint32_t *value)
{
    uint64_t n;
    if (!number(r, &n) || n >= limit)
        return false;
    *value = (uint32_t)n;
    return true;
}

/* "…" with anything but line ends in it. */
static bool quoted(reader *r)
{
    if (!take(r, "\""))
        return false;
    while (r->at < r->end && *r->at != '"' && *r->at != '\n')
        r->at += *r->at == '\\' && r->end - r->at > 1 && r->at[1] != '\n' ? 2 : 1;
    return take(r, "\"");
}

/* Exactly this name. *failed: out of memory. */
static bool quoted_name(reader *r, const char *name, bool *failed)
{
    het__text text;
    het__text_init(&text, r->mem);
    het__plan_quote(&text, name ? name : "");
    *failed = *failed || text.failed;
    const bool same = !text.failed && take(r, text.data);
    het__text_finish(&text);
    return same;
}

/* ---- lines ---- */

static het_status read_head(reader *r)
{
    uint64_t version;
    if (!take(r, "plan ") || !number(r, &version))
        return refuse(r, "not a plan");
    if (version != HET__PLAN_VERSION)
        return het__fail(r->err, HET_E_VERSION, "plan:1: version %llu, this release reads %d",
                         (unsigned long long)version, HET__PLAN_VERSION);
    if (!end_line(r) || !take(r, "machine ") || !quoted(r) || !end_line(r))
        return refuse(r, "a line 'machine \"NAME\"' should follow");
    if (!take(r, "step ") || !quoted(r) || !end_line(r))
        return refuse(r, "a line 'step \"NAME\"' should follow");
    bool known = take(r, "objective ");
    uint32_t i = 1;
    while (known && het__plan_objective_name(i) && !take(r, het__plan_objective_name(i)))
        i++;
    if (!known || !het__plan_objective_name(i) || !end_line(r))
        return refuse(r, "a line 'objective latency' should follow, or throughput, or energy");
    return HET_OK;
}

static bool bytes_of_device(reader *r)
{
    uint64_t n;
    return take(r, " weights ") && number(r, &n) && take(r, " file ") && number(r, &n) &&
           take(r, " states ") && number(r, &n) &&
           take(r, " io ") && number(r, &n) && take(r, " values ") && number(r, &n) &&
           take(r, " limit ") && number_or_none(r) &&
           (!take(r, " slots ") || (number(r, &n) && take(r, " bring ") && number(r, &n))) &&
           end_line(r);
}

static het_status read_devices(reader *r)
{
    bool failed = false;
    for (uint32_t i = 0; i < r->machine->device_count; i++) {
        uint32_t index;
        if (!take(r, "device ") || !below(r, i + 1, &index) || index != i || !take(r, " ") ||
            !take(r, r->machine->device[i].backend) || !take(r, " ") ||
            !quoted_name(r, r->machine->device[i].name, &failed))
            return failed ? HET_E_NOMEM : refuse(r, "not the machine's device of that number");
        if (!bytes_of_device(r))
            return refuse(r, "bytes of a device: weights, file, states, io, values, limit");
    }
    return at_word(r, "device ") ? refuse(r, "more devices than the machine has") : HET_OK;
}

/* What is brought follows from the devices, and is worked out again. */
static het_status read_streams(reader *r)
{
    uint64_t n, all;
    uint32_t device;
    while (take(r, "stream "))
        if (!below(r, r->machine->device_count, &device) || !take(r, " slots ") || !number(r, &n) ||
            n == 0 || !take(r, " bytes ") || !number(r, &n) || !take(r, " layers ") ||
            !number(r, &n) || !take(r, " of ") || !number(r, &all) || n == 0 || n > all ||
            !take(r, " brings ") || !number(r, &n) || !end_line(r))
            return refuse(r, "not 'stream DEVICE slots N bytes N layers N of N brings N'");
    return HET_OK;
}

/* A copy of what is there, to where the next node reads it. */
static het_status read_transfer(reader *r, uint32_t next)
{
    uint32_t value, from, to;
    uint64_t bytes, ns;
    const uint32_t devices = r->machine->device_count;
    if (!below(r, r->g->value_count, &value) || !take(r, " from ") || !below(r, devices, &from) ||
        !take(r, " to ") || !below(r, devices, &to) || !take(r, " bytes ") || !number(r, &bytes) ||
        !take(r, " ns ") || !number(r, &ns) || !end_line(r))
        return refuse(r, "not 'transfer VALUE from DEVICE to DEVICE bytes N ns N'");
    const het__value *v = &r->g->values[value];
    const int64_t size = het__value_bytes(v, r->symbols);
    if (v->producer == HET__NO_VALUE || v->producer >= next)
        return refuse(r, "the value is not made before");
    if (!(r->where[value] >> from & 1) || r->where[value] >> to & 1)
        return refuse(r, "the value is not there, or is where it goes to already");
    if (bytes != (uint64_t)(size > 0 ? size : 0))
        return refuse(r, "not the bytes of the value");
    r->where[value] |= 1u << to;
    r->pending[value] |= 1u << to;
    r->pending_count++;
    r->transfer_count++;
    r->transfer_bytes += bytes;
    return HET_OK;
}

/* What the node reads is there, and all that was copied is read. */
static het_status check_inputs(reader *r, uint32_t node)
{
    const het__node *n = &r->g->nodes[node];
    const uint32_t bit = 1u << r->device[node];
    for (uint32_t i = 0; i < n->input_count; i++) {
        const uint32_t v = n->inputs[i];
        if (v == HET__NO_VALUE || r->g->values[v].producer == HET__NO_VALUE)
            continue;
        if (!(r->where[v] & bit))
            return refuse(r, "no transfer brings what the node reads to its device");
        if (r->pending[v] & bit) {
            r->pending[v] &= ~bit;
            r->pending_count--;
        }
    }
    for (uint32_t o = 0; o < n->output_count; o++)
        r->where[n->outputs[o]] |= bit;
    return r->pending_count ? refuse(r, "a transfer before this node is not for it") : HET_OK;
}

static het_status read_node(reader *r, uint32_t node)
{
    const het__node *n = &r->g->nodes[node];
    uint32_t index, device;
    uint64_t ns, layer;
    bool failed = false;
    if (!take(r, "node ") || !below(r, (uint64_t)node + 1, &index) || index != node)
        return refuse(r, "the graph's next node should follow");
    if (!take(r, " ") || !quoted_name(r, het__node_operation(n), &failed) || !take(r, " ") ||
        !quoted_name(r, n->name, &failed))
        return failed ? HET_E_NOMEM : refuse(r, "not the operation and name of the graph's node");
    if (!take(r, " layer ") ||
        (n->layer < 0 ? !take(r, "-1") : (!number(r, &layer) || layer != (uint64_t)n->layer)))
        return refuse(r, "not the layer of the graph's node");
    if (!take(r, " device ") || !below(r, r->machine->device_count, &device) ||
        !take(r, " ns ") || !number(r, &ns))
        return refuse(r, "not 'device N ns N'");
    r->device[node] = (uint8_t)device;
    const het_status s = check_inputs(r, node);
    return s == HET_OK && !end_line(r) ? refuse(r, "the line does not end") : s;
}

static het_status read_nodes(reader *r)
{
    het_status s = HET_OK;
    for (uint32_t n = 0; s == HET_OK && n < r->g->node_count; n++) {
        while (s == HET_OK && take(r, "transfer "))
            s = read_transfer(r, n);
        if (s == HET_OK)
            s = read_node(r, n);
    }
    return s;
}

/* Reasons cover all nodes, in order. */
static het_status read_reasons(reader *r)
{
    uint64_t first, count, covered = 0;
    while (take(r, "why ")) {
        if (!number(r, &first) || first != covered || !take(r, " ") || !number(r, &count) ||
            count == 0 || count > r->g->node_count - covered)
            return refuse(r, "reasons do not cover the nodes one after the other");
        for (uint64_t i = 1; i < count; i++)
            if (r->device[first + i] != r->device[first])
                return refuse(r, "a reason for nodes on different devices");
        covered += count;
        if (!take(r, " ") || !quoted(r) || !end_line(r))
            return refuse(r, "a reason stands in quotes");
    }
    return covered == r->g->node_count ? HET_OK : refuse(r, "some node has no reason");
}

/* Nodes of one device, shared with another one. */
static het_status read_splits(reader *r)
{
    uint64_t n, count, first, nodes, share;
    uint32_t from, to;
    const uint32_t devices = r->machine->device_count;
    if (!take(r, "simulated ns "))
        return HET_OK;
    if (!number(r, &n) || !take(r, " splits ") || !number(r, &count) || !end_line(r))
        return refuse(r, "not 'simulated ns N splits N'");
    for (uint64_t i = 0; i < count; i++) {
        if (!take(r, "split ") || !number(r, &first) || !take(r, " ") || !number(r, &nodes) ||
            !take(r, " from ") || !below(r, devices, &from) || !take(r, " to ") ||
            !below(r, devices, &to) || !take(r, " share ") || !number(r, &share) ||
            !take(r, " ns ") || !number(r, &n) || !end_line(r))
            return refuse(r, "not 'split NODE COUNT from DEVICE to DEVICE share N ns N'");
        if (nodes == 0 || first >= r->g->node_count || nodes > r->g->node_count - first ||
            from == to || share == 0 || share > 256 || (share < 256 && nodes > 1))
            return refuse(r, "no such split");
        for (uint64_t k = first; k < first + nodes; k++)
            if (r->device[k] != from)
                return refuse(r, "a split of nodes that are on another device");
    }
    return HET_OK;
}

static het_status read_sums(reader *r)
{
    uint64_t n, transfers, bytes;
    uint32_t index;
    for (uint32_t i = 0; i < r->machine->device_count; i++)
        if (!take(r, "single ") || !below(r, i + 1, &index) || index != i || !take(r, " ") ||
            !number_or_none(r) || !end_line(r))
            return refuse(r, "a line 'single DEVICE N' per device should follow");
    if (!take(r, "greedy ") || !number_or_none(r) || !end_line(r))
        return refuse(r, "a line 'greedy N' should follow");
    const het_status s = read_splits(r);
    if (s != HET_OK)
        return s;
    if (!take(r, "total ns ") || !number(r, &n) || !take(r, " objective ") || !number(r, &n) ||
        !take(r, " bound ") || !number(r, &n) || !take(r, " transfers ") ||
        !number(r, &transfers) || !take(r, " bytes ") || !number(r, &bytes) || !take(r, " ") ||
        (!take(r, "proven") && !take(r, "\"best found\"")) || !end_line(r))
        return refuse(r, "a line 'total …' should follow");
    if (transfers != r->transfer_count || bytes != r->transfer_bytes) {
        r->line--;
        return refuse(r, "not the sums of the transfers");
    }
    if (!take(r, "end") || !end_line(r) || r->at != r->end)
        return refuse(r, "a line 'end' should follow, and nothing else");
    return HET_OK;
}

het_status het__plan_read(const char *text, size_t bytes, const het__graph *graph,
                          const int64_t *symbols, const het__machine *machine, het__mem *mem,
                          uint8_t *node_device, het_error *err)
{
    reader r = { .at = text, .end = text + bytes, .line = 1, .g = graph, .symbols = symbols,
                 .machine = machine, .mem = mem, .device = node_device, .err = err };
    r.where = het__alloc_zero(mem, graph->value_count, sizeof *r.where);
    r.pending = het__alloc_zero(mem, graph->value_count, sizeof *r.pending);
    het_status s = r.where && r.pending ? read_head(&r) : HET_E_NOMEM;
    if (s == HET_OK)
        s = read_devices(&r);
    if (s == HET_OK)
        s = read_streams(&r);
    if (s == HET_OK)
        s = read_nodes(&r);
    if (s == HET_OK)
        s = read_reasons(&r);
    if (s == HET_OK)
        s = read_sums(&r);
    het__free(mem, r.where);
    het__free(mem, r.pending);
    return s == HET_E_NOMEM ? het__fail_nomem(err, "the plan") : s;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as text: one line each for the machine's devices, the copies before a node, the node, and
 * the reasons; whole numbers only, so that no locale and no rounding of a printer shows.
 *
 *     plan 2
 *     machine "NAME"
 *     step "decode tokens 1 context 512"
 *     objective latency
 *     device 0 cpu_onednn "NAME" weights B file B states B io B values B limit B|-
 *     stream 0 slots 2 bytes B layers 3 of 8 brings B    weights come; only such devices
 *     node 0 Conv "NAME" layer 0 device 0 ns T
 *     transfer V from 0 to 1 bytes B ns T        before the node that needs it
 *     why 0 12 "…"                               nodes 0 to 11
 *     single 0 T|-                               all on device 0
 *     greedy T|-
 *     simulated ns T splits N                    with splits asked for only
 *     split 7 1 from 0 to 1 share S ns T         S 256ths of node 7's rows; of branches 256
 *     total ns T objective T bound T transfers N bytes B proven|"best found"
 *     end
 */
#include <math.h>
#include <string.h>

#include "lib/partition/plan.h"
#include "lib/partition/plan_words.h"

void het__plan_quote(het__text *text, const char *name)
{
    het__text_append(text, "\"", 1);
    for (const char *at = name; *at; at++) {
        const unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\')
            het__text_printf(text, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            het__text_printf(text, "\\x%02x", c);
        else
            het__text_append(text, at, 1);
    }
    het__text_append(text, "\"", 1);
}

const char *het__plan_objective_name(uint32_t objective)
{
    static const char *const names[] = { NULL, "latency", "throughput", "energy" };
    return objective < sizeof names / sizeof *names ? names[objective] : NULL;
}

/* "-": there is none. */
static void put_number(het__text *text, const char *word, double value)
{
    if (isfinite(value))
        het__text_printf(text, "%s %.0f", word, value);
    else
        het__text_printf(text, "%s -", word);
}

static void put_device(het__text *text, const het__plan *plan, uint32_t i)
{
    const het__plan_memory *m = &plan->memory[i];
    het__text_printf(text, "device %u %s ", i, plan->machine.device[i].backend);
    het__plan_quote(text, plan->machine.device[i].name);
    het__text_printf(text, " weights %.0f file %.0f states %.0f io %.0f values %.0f",
                     m->weight_bytes, m->file_bytes, m->state_bytes, m->io_bytes,
                     m->activation_bytes);
    put_number(text, " limit", m->limit_bytes);
    if (m->slot_bytes > 0)
        het__text_printf(text, " slots %.0f bring %.0f", m->slot_bytes, m->bring_ns);
    het__text_append(text, "\n", 1);
}

static void put_stream(het__text *text, const het__plan *plan, uint32_t i)
{
    const het__plan_stream *s = &plan->stream[i];
    if (s->slot_count)
        het__text_printf(text, "stream %u slots %u bytes %.0f layers %u of %u brings %.0f\n", i,
                         s->slot_count, s->slot_bytes, s->come_count, s->layer_count, s->bytes);
}

static void put_nodes(het__text *text, const het__plan *plan, const het__graph *g)
{
    uint32_t transfer = 0;
    for (uint32_t n = 0; n < plan->node_count; n++) {
        for (; transfer < plan->transfer_count && plan->transfers[transfer].node == n; transfer++) {
            const het__plan_transfer *t = &plan->transfers[transfer];
            het__text_printf(text, "transfer %u from %u to %u bytes %.0f ns %.0f\n", t->value,
                             t->from, t->to, t->bytes, t->ns);
        }
        het__text_printf(text, "node %u ", n);
        het__plan_quote(text, het__node_operation(&g->nodes[n]));
        het__text_append(text, " ", 1);
        het__plan_quote(text, g->nodes[n].name ? g->nodes[n].name : "");
        het__text_printf(text, " layer %d device %u ns %.0f\n", g->nodes[n].layer,
                         plan->node_device[n], plan->node_ns[n]);
    }
}

/* Shares in 256ths: het__plan_split_find() makes no others. */
static void put_splits(het__text *text, const het__plan *plan)
{
    het__text_printf(text, "simulated ns %.0f splits %u\n", plan->simulated_ns,
                     plan->split_count);
    for (uint32_t i = 0; i < plan->split_count; i++) {
        const het__plan_split *s = &plan->splits[i];
        het__text_printf(text, "split %u %u from %u to %u share %.0f ns %.0f\n", s->first_node,
                         s->node_count, s->device, s->other, s->share * 256, s->simulated_ns);
    }
}

char *het__plan_write(const het__plan *plan, const het__graph *graph, const char *step,
                      het__mem *mem)
{
    het__text text;
    het__text_init(&text, mem);
    het__text_printf(&text, "plan %d\nmachine ", HET__PLAN_VERSION);
    het__plan_quote(&text, plan->machine.name);
    het__text_append(&text, "\nstep ", 6);
    het__plan_quote(&text, step);
    het__text_printf(&text, "\nobjective %s\n", het__plan_objective_name(plan->objective));
    for (uint32_t i = 0; i < plan->machine.device_count; i++)
        put_device(&text, plan, i);
    for (uint32_t i = 0; i < plan->machine.device_count; i++)
        put_stream(&text, plan, i);
    put_nodes(&text, plan, graph);
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        het__text_printf(&text, "why %u %u ", plan->entries[i].first_node,
                         plan->entries[i].node_count);
        het__plan_quote(&text, plan->entries[i].reason);
        het__text_append(&text, "\n", 1);
    }
    for (uint32_t i = 0; i < plan->machine.device_count; i++) {
        het__text_printf(&text, "single %u", i);
        put_number(&text, "", plan->single[i]);
        het__text_append(&text, "\n", 1);
    }
    put_number(&text, "greedy", plan->greedy);
    het__text_append(&text, "\n", 1);
    if (plan->simulated_ns > 0)
        put_splits(&text, plan);
    het__text_printf(&text, "total ns %.0f objective %.0f bound %.0f transfers %u bytes %llu %s\n"
                     "end\n", plan->predicted_ns, plan->total, plan->bound, plan->transfer_count,
                     (unsigned long long)plan->transfer_bytes,
                     plan->proven ? "proven" : "\"best found\"");
    return het__text_take(&text);
}

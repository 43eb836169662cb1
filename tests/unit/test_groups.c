/* SPDX-License-Identifier: Apache-2.0 */
/* Fusion groups: one small graph per boundary, and the search against brute force: every partition
 * of random small graphs is checked and costed by code written here, and none may be cheaper. */
#include "lib/partition/groups.h"

#include "counting_allocator.h"
#include "test.h"

#define NODES_MAX 64
#define VALUES_MAX 96
#define READS_MAX 256

/* A problem with the memory behind it. Node i makes value made[i]. */
typedef struct problem {
    het__group_problem p;
    het__group_node nodes[NODES_MAX];
    het__group_value values[VALUES_MAX];
    het__group_read reads[READS_MAX];
    het__group_edge edges[READS_MAX];
    uint32_t made[NODES_MAX];
} problem;

static void begin(problem *b)
{
    memset(b, 0, sizeof *b);
    b->p.nodes = b->nodes;
    b->p.values = b->values;
    b->p.reads = b->reads;
    b->p.edges = b->edges;
    b->p.launch_ns = 10;
    b->p.ns_per_byte = 1;
    b->p.near_bytes = 1000;
}

static uint32_t outside(problem *b, double bytes)
{
    b->values[b->p.value_count] = (het__group_value){ bytes, HET__GROUP_OUTSIDE, false };
    return b->p.value_count++;
}

/* A node that makes `bytes`. */
static uint32_t add(problem *b, het__group_kind kind, double bytes)
{
    const uint32_t n = b->p.node_count++;
    b->nodes[n] = (het__group_node){ .kind = kind };
    b->made[n] = b->p.value_count;
    b->values[b->p.value_count++] = (het__group_value){ bytes, n, false };
    return n;
}

/* The last node reads a value; at_hand bytes of it must be near. */
static void reads(problem *b, uint32_t value, double at_hand)
{
    const uint32_t n = b->p.node_count - 1, from = b->values[value].producer;
    b->reads[b->p.read_count++] = (het__group_read){ n, value, at_hand, true };
    b->nodes[n].operand_count++;
    if (from != HET__GROUP_OUTSIDE)
        b->edges[b->p.edge_count++] = (het__group_edge){ from, n };
}

/* A chain of elementwise nodes on an input of 8 bytes. */
static void chain(problem *b, const het__group_kind *kinds, uint32_t count)
{
    begin(b);
    uint32_t value = outside(b, 8);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t n = add(b, kinds[i], 8);
        reads(b, value, 0);
        value = b->made[n];
    }
    b->values[value].is_result = true;
}

static const het__group_kind others[8];

static het__mem mem;
static uint32_t group[NODES_MAX];

/* The groups of all nodes as digits. */
static const char *groups_of(const problem *b, het__group_rule rule)
{
    static char text[NODES_MAX + 1];
    het__grouping g = { .group = group };
    CHECK_INT(het__groups_make(&b->p, rule, &mem, &g), HET_OK);
    for (uint32_t n = 0; n < b->p.node_count; n++)
        text[n] = (char)('0' + group[n]);
    text[b->p.node_count] = '\0';
    return text;
}

/* ---- boundaries ---- */

static void chains_are_one_group(void)
{
    problem b;
    chain(&b, others, 5);
    CHECK_STR(groups_of(&b, HET__GROUP_GREEDY), "00000");
    CHECK_STR(groups_of(&b, HET__GROUP_PATTERNS), "01234");
    CHECK_STR(groups_of(&b, HET__GROUP_SEARCH), "00000");
}

static void forks_end_a_group(void)
{
    problem b;
    begin(&b);
    const uint32_t x = outside(&b, 8), first = add(&b, 0, 8);
    reads(&b, x, 0);
    add(&b, 0, 8);
    reads(&b, b.made[first], 0);
    add(&b, 0, 8);
    reads(&b, b.made[first], 0);
    CHECK_STR(groups_of(&b, HET__GROUP_GREEDY), "012");
    CHECK_STR(groups_of(&b, HET__GROUP_SEARCH), "000");
    chain(&b, others, 3); /* a fork to the caller */
    b.values[b.made[1]].is_result = true;
    CHECK_STR(groups_of(&b, HET__GROUP_GREEDY), "001");
}

static void joins_begin_a_group(void)
{
    problem b;
    begin(&b);
    const uint32_t x = outside(&b, 8), y = outside(&b, 8), first = add(&b, 0, 8);
    reads(&b, x, 0);
    const uint32_t join = add(&b, 0, 8);
    reads(&b, b.made[first], 0);
    reads(&b, y, 0);
    add(&b, 0, 8);
    reads(&b, b.made[join], 0);
    CHECK_STR(groups_of(&b, HET__GROUP_GREEDY), "011");
}

static void limits_end_a_group(void)
{
    problem b;
    chain(&b, others, 5);
    b.p.max_ops = 2;
    CHECK_STR(groups_of(&b, HET__GROUP_GREEDY), "00112");
    groups_of(&b, HET__GROUP_SEARCH);
    CHECK_INT(group[4], 2); /* three groups, no matter which */
    b.p.max_ops = 0;
    b.p.max_bytes = 32; /* an input and what three make */
    CHECK_STR(groups_of(&b, HET__GROUP_GREEDY), "00011");
    b.p.max_bytes = 1; /* single operations are there anyway */
    CHECK_STR(groups_of(&b, HET__GROUP_GREEDY), "01234");
    CHECK_STR(groups_of(&b, HET__GROUP_SEARCH), "01234");
    b.p.max_bytes = 0;
    b.nodes[2].is_alone = true;
    CHECK_STR(groups_of(&b, HET__GROUP_GREEDY), "00122");
    CHECK_STR(groups_of(&b, HET__GROUP_SEARCH), "00122");
}

/* A chain of convolutions, norms, activations, ReLU, additions and others. */
static void spell(problem *b, const char *letters)
{
    static const char all[] = ".cnar+";
    het__group_kind kinds[8];
    uint32_t n = 0;
    for (; letters[n]; n++)
        kinds[n] = (het__group_kind)(strchr(all, letters[n]) - all);
    chain(b, kinds, n);
}

static void patterns_are_those_of_the_table(void)
{
    static const struct {
        const char *kinds, *want;
    } cases[] = {
        { "cnacnrcn", "00011122" }, { "+r+acacr", "00123456" }, { "nacnnar.", "01223456" },
        { "cnar+rr.", "00012234" },
    };
    problem b;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spell(&b, cases[i].kinds);
        CHECK_STR(groups_of(&b, HET__GROUP_PATTERNS), cases[i].want);
    }
    spell(&b, "cna"); /* the convolution is read by somebody else as well */
    b.values[b.made[0]].is_result = true;
    CHECK_STR(groups_of(&b, HET__GROUP_PATTERNS), "012");
}

/* ---- cost ---- */

static het__group_cost cost_of(const problem *b, uint32_t first, uint32_t count)
{
    het__group_index x;
    het__group_cost cost;
    uint32_t nodes[NODES_MAX];
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = first + i;
    CHECK(het__group_index_init(&x, &b->p, &mem));
    het__group_measure(&x, nodes, count, &cost);
    het__group_index_finish(&x, &mem);
    return cost;
}

static void traffic_is_what_leaves_a_group(void)
{
    problem b;
    chain(&b, others, 3);
    b.nodes[1].constant_bytes = 5;
    CHECK_NEAR(cost_of(&b, 0, 1).bytes, 16, 0);
    CHECK_NEAR(cost_of(&b, 0, 3).bytes, 8 + 8 + 5, 0);
    CHECK_NEAR(cost_of(&b, 0, 3).inner_bytes, 16, 0);
    CHECK_NEAR(cost_of(&b, 0, 3).touched_bytes, 4 * 8 + 5, 0);
    CHECK_NEAR(cost_of(&b, 0, 3).ns, 10 + 21, 0);
    b.nodes[0].compute_ns = 100;
    CHECK_NEAR(cost_of(&b, 0, 3).ns, 10 + 100, 0);
    b.values[b.made[0]].is_result = true; /* written, and not read again */
    CHECK_NEAR(cost_of(&b, 0, 3).bytes, 8 + 8 + 8 + 5, 0);
    CHECK_NEAR(cost_of(&b, 0, 3).inner_bytes, 8, 0);
}

/* What does not fit near memory is written and read as if nothing were fused. */
static void near_memory_is_finite(void)
{
    problem b;
    chain(&b, others, 3);
    b.reads[1].at_hand = b.reads[2].at_hand = 8;
    b.p.near_bytes = 16;
    CHECK_NEAR(cost_of(&b, 0, 3).bytes, 16, 0);
    b.p.near_bytes = 15;
    CHECK_NEAR(cost_of(&b, 0, 3).bytes, 32, 0);
    b.p.near_bytes = 7;
    CHECK_NEAR(cost_of(&b, 0, 3).bytes, 48, 0);
    b.reads[1].at_hand = b.reads[2].at_hand = 2; /* rows */
    CHECK_NEAR(cost_of(&b, 0, 3).bytes, 16, 0);
}

/* x -> a -> (whole) b -> add(a, b): a must be kept until b is through. */
static void phases_keep_values(void)
{
    problem b;
    begin(&b);
    const uint32_t x = outside(&b, 8), first = add(&b, 0, 8);
    reads(&b, x, 0);
    const uint32_t second = add(&b, 0, 4);
    reads(&b, b.made[first], 0);
    add(&b, 0, 8);
    reads(&b, b.made[first], 0);
    reads(&b, b.made[second], 4);
    b.p.near_bytes = 12;
    CHECK_NEAR(cost_of(&b, 0, 3).bytes, 16, 0);
    b.p.near_bytes = 11; /* the small one, which comes second, is put out */
    CHECK_NEAR(cost_of(&b, 0, 3).bytes, 16 + 8, 0);
    b.p.near_bytes = 7; /* now the large one; it is read in two phases */
    CHECK_NEAR(cost_of(&b, 0, 3).bytes, 16 + 8 + 16, 0);
}

/* ---- random graphs ---- */

static uint32_t below(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(test_random(seed) >> 33) % n;
}

/* Whole numbers: sums are exact in any order. */
static void make_random(problem *b, uint64_t *seed, uint32_t nodes)
{
    begin(b);
    const uint32_t x = outside(b, 1 + below(seed, 9));
    for (uint32_t i = 0; i < nodes; i++) {
        const uint32_t n = add(b, below(seed, 6), 1 + below(seed, 9));
        uint32_t from[2] = { i ? b->made[below(seed, 3) ? i - 1 : below(seed, i)] : x, x };
        if (i && below(seed, 2))
            from[1] = b->made[below(seed, i)];
        for (uint32_t k = 0; k < 1 + below(seed, 2); k++)
            if (!k || from[1] != from[0])
                reads(b, from[k], below(seed, 2) ? b->values[from[k]].bytes : below(seed, 2));
        b->nodes[n].compute_ns = below(seed, 20);
        b->nodes[n].constant_bytes = below(seed, 5);
        b->nodes[n].is_alone = below(seed, 12) == 0;
        b->values[b->made[n]].is_result = i + 1 == nodes || below(seed, 8) == 0;
    }
    b->p.launch_ns = below(seed, 12);
    b->p.near_bytes = below(seed, 25);
    b->p.max_ops = 1 + below(seed, 6);
    b->p.max_bytes = below(seed, 2) ? 0 : 10 + below(seed, 30);
}

/* All of the rules of groups.h once more, for members as bits. */
typedef struct oracle {
    const problem *b;
    uint32_t members, phase[NODES_MAX];
    double bytes, touched, near;
} oracle;

static bool has(const oracle *o, uint32_t node)
{
    return node != HET__GROUP_OUTSIDE && (o->members >> node & 1);
}

static bool is_piece(const oracle *o, const het__group_read *r)
{
    const double bytes = o->b->values[r->value].bytes;
    return r->at_hand <= o->b->p.near_bytes && (r->at_hand < bytes || r->at_hand <= 0);
}

static void oracle_value(oracle *o, uint32_t v)
{
    const het__group_value *value = &o->b->values[v];
    uint32_t readers = 0, strangers = 0, pieces = 0, phases = 0, late = 0;
    double need = 0;
    for (uint32_t i = 0; i < o->b->p.read_count; i++) {
        const het__group_read *r = &o->b->reads[i];
        if (r->value != v)
            continue;
        readers += has(o, r->node);
        strangers += !has(o, r->node);
        if (!has(o, r->node))
            continue;
        need = fmax(need, r->at_hand);
        pieces += is_piece(o, r);
        if (is_piece(o, r))
            phases |= 1u << o->phase[r->node];
        late += is_piece(o, r) && has(o, value->producer) &&
                o->phase[r->node] != o->phase[value->producer];
    }
    const bool shared = pieces > 1 && (phases & (phases - 1)) == 0;
    const double passes = shared ? readers - pieces + 1 : readers;
    if (readers || has(o, value->producer))
        o->touched += value->bytes;
    if (!has(o, value->producer)) {
        o->bytes += passes * value->bytes;
        return;
    }
    need = late ? value->bytes : need;
    const bool stays = readers && o->near + need <= o->b->p.near_bytes;
    o->near += stays ? need : 0;
    o->bytes += (strangers || value->is_result || !stays ? 1 : 0) * value->bytes;
    o->bytes += stays ? 0 : passes * value->bytes;
}

/* INFINITY if it may not be a group. */
static double oracle_cost(const problem *b, uint32_t members)
{
    oracle o = { .b = b, .members = members };
    double compute = 0;
    bool alone = false;
    for (uint32_t n = 0; n < b->p.node_count; n++) {
        if (!has(&o, n))
            continue;
        compute += b->nodes[n].compute_ns;
        o.bytes += b->nodes[n].constant_bytes;
        o.touched += b->nodes[n].constant_bytes;
        alone = alone || b->nodes[n].is_alone;
        for (uint32_t i = 0; i < b->p.read_count; i++) {
            const het__group_read *r = &b->reads[i];
            const uint32_t from = b->values[r->value].producer;
            if (r->node == n && has(&o, from) && o.phase[from] + !is_piece(&o, r) > o.phase[n])
                o.phase[n] = o.phase[from] + !is_piece(&o, r);
        }
    }
    for (uint32_t v = 0; v < b->p.value_count; v++)
        oracle_value(&o, v);
    uint32_t reached = members & (0u - members), before = 0;
    while (reached != before) {
        before = reached;
        for (uint32_t i = 0; i < b->p.edge_count; i++)
            if (has(&o, b->edges[i].from) && has(&o, b->edges[i].to) &&
                (reached >> b->edges[i].from | reached >> b->edges[i].to) & 1)
                reached |= 1u << b->edges[i].from | 1u << b->edges[i].to;
    }
    const uint32_t count = (uint32_t)__builtin_popcount(members);
    if (count > 1 && (alone || reached != members || count > b->p.max_ops ||
                      (b->p.max_bytes > 0 && o.touched > b->p.max_bytes)))
        return INFINITY;
    return b->p.launch_ns + fmax(compute, o.bytes * b->p.ns_per_byte);
}

/* Groups can run one after the other. */
static bool can_run(const problem *b, const uint32_t *members, uint32_t count)
{
    uint32_t ran = 0, done = 0;
    for (bool went = true; went;) {
        went = false;
        for (uint32_t k = 0; k < count; k++) {
            bool ready = !(done >> k & 1);
            for (uint32_t i = 0; ready && i < b->p.edge_count; i++)
                ready = !(members[k] >> b->edges[i].to & 1) ||
                        ((members[k] | ran) >> b->edges[i].from & 1);
            if (!ready)
                continue;
            done |= 1u << k;
            ran |= members[k];
            went = true;
        }
    }
    return done == (1u << count) - 1;
}

static double best_from(const problem *b, const double *cost, uint32_t n, uint32_t *members,
                        uint32_t count)
{
    if (n == b->p.node_count) {
        double ns = 0;
        for (uint32_t k = 0; k < count; k++)
            ns += cost[members[k]];
        return isfinite(ns) && can_run(b, members, count) ? ns : INFINITY;
    }
    double best = INFINITY;
    for (uint32_t k = 0; k <= count; k++) {
        members[k] = (k < count ? members[k] : 0) | 1u << n;
        best = fmin(best, best_from(b, cost, n + 1, members, k < count ? count : count + 1));
        members[k] &= ~(1u << n);
    }
    return best;
}

static double brute_force(const problem *b)
{
    static double cost[1 << 8];
    uint32_t members[9] = { 0 };
    for (uint32_t m = 1; m < 1u << b->p.node_count; m++)
        cost[m] = oracle_cost(b, m);
    return best_from(b, cost, 0, members, 0);
}

/* Valid, costed right; the sum of the groups by the code above. */
static double check_grouping(const problem *b, const het__grouping *g, bool small)
{
    uint32_t members[NODES_MAX] = { 0 };
    double ns = 0;
    bool in_order = true;
    for (uint32_t i = 0; i < b->p.edge_count; i++)
        in_order = in_order && g->group[b->edges[i].from] <= g->group[b->edges[i].to];
    CHECK(in_order);
    if (!small)
        return g->ns;
    for (uint32_t n = 0; n < b->p.node_count; n++)
        members[g->group[n]] |= 1u << n;
    for (uint32_t k = 0; k < g->group_count; k++)
        ns += oracle_cost(b, members[k]);
    CHECK(can_run(b, members, g->group_count));
    CHECK_NEAR(g->ns, ns, 1e-9);
    return ns;
}

static void search_equals_brute_force(void)
{
    static problem b;
    uint64_t seed = 0x9e3779b97f4a7c15;
    uint32_t better = 0, fused = 0;
    for (uint32_t i = 0; i < 700; i++) {
        make_random(&b, &seed, 1 + below(&seed, i < 500 ? 6 : 8));
        double ns[HET__GROUP_RULE_COUNT];
        het__grouping g = { .group = group };
        for (int rule = 0; rule < HET__GROUP_RULE_COUNT; rule++) {
            CHECK_INT(het__groups_make(&b.p, (het__group_rule)rule, &mem, &g), HET_OK);
            ns[rule] = check_grouping(&b, &g, true);
        }
        CHECK(g.proven);
        CHECK_NEAR(ns[HET__GROUP_SEARCH], brute_force(&b), 1e-9);
        better += ns[HET__GROUP_SEARCH] < ns[HET__GROUP_GREEDY];
        fused += g.group_count < b.p.node_count;
    }
    printf("       %u of 700 better than greedy, %u with groups of several\n", better, fused);
    CHECK(better > 150 && fused > 250);
}

static void search_is_never_dearer(void)
{
    static problem b;
    uint64_t seed = 7;
    for (uint32_t i = 0; i < 24; i++) {
        make_random(&b, &seed, 20 + below(&seed, 40));
        b.p.max_ops = i % 8 ? b.p.max_ops : 0;
        uint32_t again[NODES_MAX];
        het__grouping greedy = { .group = group }, patterns = greedy, best = greedy;
        het__grouping second = { .group = again };
        CHECK_INT(het__groups_make(&b.p, HET__GROUP_GREEDY, &mem, &greedy), HET_OK);
        check_grouping(&b, &greedy, false);
        CHECK_INT(het__groups_make(&b.p, HET__GROUP_PATTERNS, &mem, &patterns), HET_OK);
        CHECK_INT(het__groups_make(&b.p, HET__GROUP_SEARCH, &mem, &best), HET_OK);
        check_grouping(&b, &best, false);
        CHECK(best.ns <= greedy.ns && best.ns <= patterns.ns);
        CHECK_INT(het__groups_make(&b.p, HET__GROUP_SEARCH, &mem, &second), HET_OK);
        CHECK(memcmp(group, again, b.p.node_count * sizeof *group) == 0);
    }
}

/* Groups of a graph of groups are its nodes. */
static void greedy_is_idempotent(void)
{
    static problem b, q;
    uint64_t seed = 11;
    for (uint32_t i = 0; i < 200; i++) {
        make_random(&b, &seed, 5 + below(&seed, 40));
        b.p.max_ops = 0;
        b.p.max_bytes = 0;
        het__grouping g = { .group = group }, h = { .group = (uint32_t[NODES_MAX]){ 0 } };
        CHECK_INT(het__groups_make(&b.p, HET__GROUP_GREEDY, &mem, &g), HET_OK);
        begin(&q);
        const uint32_t x = outside(&q, 1);
        for (uint32_t k = 0; k < g.group_count; k++) {
            uint64_t seen = 0; /* groups that this one needs */
            add(&q, 0, 1);
            for (uint32_t r = 0; r < b.p.read_count; r++) {
                const uint32_t from = b.values[b.reads[r].value].producer;
                const uint32_t key = from == HET__GROUP_OUTSIDE ? 63 : group[from];
                if (group[b.reads[r].node] != k || key == k || (seen >> key & 1))
                    continue;
                seen |= UINT64_C(1) << key;
                reads(&q, key == 63 ? x : q.made[key], 0);
            }
            for (uint32_t n = 0; n < b.p.node_count; n++) {
                q.nodes[k].is_alone = q.nodes[k].is_alone || (group[n] == k && b.nodes[n].is_alone);
                if (group[n] == k && b.values[b.made[n]].is_result)
                    q.values[q.made[k]].is_result = true;
            }
        }
        CHECK_INT(het__groups_make(&q.p, HET__GROUP_GREEDY, &mem, &h), HET_OK);
        CHECK_INT(h.group_count, g.group_count);
    }
}

static void memory_may_run_out(void)
{
    static problem b;
    uint64_t seed = 3, done = 0;
    counting_allocator counter;
    het__mem counted;
    memset(&counter, 0, sizeof counter);
    const het_allocator allocator = counting_allocator_of(&counter);
    het__mem_init(&counted, &allocator);
    make_random(&b, &seed, 40);
    for (uint64_t n = 1; !done && n < 1000; n++) {
        het__grouping g = { .group = group };
        counting_allocator_fail(&counter, n);
        const het_status s = het__groups_make(&b.p, HET__GROUP_SEARCH, &counted, &g);
        done = counter.failed == 0;
        CHECK_INT(s, done ? HET_OK : HET_E_NOMEM);
        CHECK_INT(counter.blocks, 0);
    }
    CHECK(done);
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(chains_are_one_group);
    test_case(forks_end_a_group);
    test_case(joins_begin_a_group);
    test_case(limits_end_a_group);
    test_case(patterns_are_those_of_the_table);
    test_case(traffic_is_what_leaves_a_group);
    test_case(near_memory_is_finite);
    test_case(phases_keep_values);
    test_case(search_equals_brute_force);
    test_case(search_is_never_dearer);
    test_case(greedy_is_idempotent);
    test_case(memory_may_run_out);
    CHECK_INT(mem.bytes, 0);
    return test_finish();
}

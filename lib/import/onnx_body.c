/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs: the main one and bodies of nodes, what goes into them and what comes out. A body names
 * values around it freely; here each of them becomes an input of the body, one of every body of the
 * node, and an input of the node, or, where it is a constant, a constant of the body. */
#include <string.h>

#include "lib/import/onnx_parts.h"

/* What an empty graph takes, in pieces; see het__onnx_spend(). */
#define BODY_PIECES 128

void het__onnx_frame_init(const het__onnx_reader *r, het__onnx_frame *frame, het__graph *graph)
{
    memset(frame, 0, sizeof *frame);
    frame->graph = graph;
    frame->prefix = "";
    het__names_init(&frame->bound, r->mem);
}

void het__onnx_frame_finish(const het__onnx_reader *r, het__onnx_frame *frame)
{
    het__names_finish(&frame->bound);
    het__free(r->mem, frame->taken);
}

/* ---- names from around ---- */

/* Index among the captures of the node; HET__NO_VALUE: out of memory. */
static uint32_t capture_index(het__onnx_reader *r, het__onnx_captures *c, const char *name,
                              uint32_t outer)
{
    const size_t bytes = strlen(name);
    const het__name_slot *slot = het__names_find(&c->index, name, bytes);
    if (slot)
        return slot->value;
    void *names = c->names, *values = c->outer;
    const bool room =
        het__onnx_grow(r, &names, c->count, &c->name_capacity, sizeof *c->names);
    const bool more = het__onnx_grow(r, &values, c->count, &c->outer_capacity, sizeof *c->outer);
    c->names = names;
    c->outer = values;
    if (!room || !more || !het__names_add(&c->index, name, bytes, c->count))
        return HET__NO_VALUE;
    c->names[c->count] = name;
    c->outer[c->count] = outer;
    return c->count++;
}

/* INPUT values for captures [have, want) at the end of a body. */
static het_status add_inputs(het__onnx_reader *r, het__graph *g, const het__onnx_captures *c,
                             uint32_t have, uint32_t want)
{
    het_status s = het__onnx_spend(r, want - have);
    for (uint32_t i = have; s == HET_OK && i < want; i++) {
        const uint32_t v = het__graph_value(g, "", HET__VALUE_INPUT, HET_DTYPE_NONE,
                                            HET__RANK_UNKNOWN, NULL);
        if (v == HET__NO_VALUE)
            return het__onnx_nomem(r);
        g->values[v].name = c->names[i];
    }
    return s;
}

static het_status capture(het__onnx_reader *r, het__onnx_frame *f, const char *name,
                          uint32_t outer, uint32_t *value)
{
    const uint32_t i = capture_index(r, f->captures, name, outer);
    if (i == HET__NO_VALUE)
        return het__onnx_nomem(r);
    while (f->taken_count <= i) {
        void *taken = f->taken;
        if (!het__onnx_grow(r, &taken, f->taken_count, &f->taken_capacity, sizeof *f->taken))
            return het__onnx_nomem(r);
        f->taken = taken;
        const het_status s =
            add_inputs(r, f->graph, f->captures, f->taken_count, f->taken_count + 1);
        if (s != HET_OK)
            return s;
        f->taken[f->taken_count++] = f->graph->value_count - 1;
    }
    *value = f->taken[i];
    return HET_OK;
}

het_status het__onnx_pad_body(het__onnx_reader *r, het__graph *body,
                              const het__onnx_captures *captures, uint32_t *taken)
{
    const het_status s = add_inputs(r, body, captures, *taken, captures->count);
    *taken = captures->count;
    return s;
}

/* A constant of a graph around, as one of this graph. */
static uint32_t copy_const(het__graph *g, const het__graph *from, uint32_t value)
{
    const het__value v = from->values[value];
    const uint32_t copy = het__graph_value(g, "", v.kind, v.dtype, v.rank, v.extent);
    if (copy != HET__NO_VALUE) {
        g->values[copy].name = v.name;
        g->values[copy].data = v.data;
    }
    return copy;
}

/* Of the name in the nearest frame around that knows it; NULL: in none. */
static const het__onnx_frame *find_around(const het__onnx_frame *frame, const char *name,
                                          uint32_t *value)
{
    for (const het__onnx_frame *f = frame; f; f = f->around) {
        const het__name_slot *slot = het__names_find(&f->bound, name, strlen(name));
        *value = slot ? slot->value : HET__NO_VALUE;
        if (slot)
            return f;
    }
    return NULL;
}

/* As deep as bodies are nested between the frame and where the name is known. */
static het_status take(het__onnx_reader *r, het__onnx_frame *frame, const het__onnx_frame *source,
                       const char *name, uint32_t outer, uint32_t *value)
{
    het_status s = HET_OK;
    const het__name_slot *slot = het__names_find(&frame->bound, name, strlen(name));
    if (slot) {
        *value = slot->value;
        return s;
    }
    if (outer == HET__ONNX_ABSENT) {
        *value = outer;
    } else if (source->graph->values[outer].kind == HET__VALUE_CONST) {
        s = het__onnx_spend(r, 1);
        *value = copy_const(frame->graph, source->graph, outer);
        if (s == HET_OK && *value == HET__NO_VALUE)
            return het__onnx_nomem(r);
    } else {
        uint32_t around;
        s = take(r, frame->around, source, name, outer, &around);
        if (s == HET_OK)
            s = capture(r, frame, name, around, value);
    }
    return s == HET_OK ? het__onnx_bind(r, frame, name, *value) : s;
}

het_status het__onnx_lookup(het__onnx_reader *r, het__onnx_frame *frame, const char *name,
                            const char *user, uint32_t *value)
{
    uint32_t outer;
    const het__onnx_frame *source = find_around(frame, name, &outer);
    if (!source)
        return het__fail(r->err, HET_E_FORMAT, "%s uses %s, which nothing makes", user, name);
    const het_status s = take(r, frame, source, name, outer, value);
    if (s == HET_OK && *value == HET__ONNX_ABSENT)
        *value = HET__NO_VALUE;
    return s;
}

/* ---- ends of a graph ---- */

/* Extents that the file leaves open become symbols. HET_E_UNSUPPORTED: there is no symbol left. */
static het_status find_extents(het__onnx_reader *r, het__graph *g, const het__onnx_io *io,
                               het__extent *extent)
{
    for (uint32_t i = 0; i < io->rank && io->rank != HET__RANK_UNKNOWN; i++) {
        extent[i] = (het__extent){ io->extent[i], HET__SYM_ONE };
        if (io->extent[i] >= 0)
            continue;
        const char *symbol = io->symbol[i];
        if (!symbol)
            symbol = het__arena_printf(r->keep, "%.200s[%u]", io->name, i);
        const uint32_t n = symbol ? het__graph_symbol(g, symbol) : HET__SYM_MAX;
        if (g->failed || !symbol)
            return het__onnx_nomem(r);
        if (n == HET__SYM_MAX)
            return het__fail(r->err, HET_E_UNSUPPORTED, "%s: more than %d extents are open",
                             io->name, HET__SYM_MAX - HET__SYM_COUNT);
        extent[i] = (het__extent){ 1, n };
    }
    return HET_OK;
}

/* In bodies: what the file says, which need not be true. It counts where nothing else is known, as
 * for the outputs of a loop that does not run. */
static het_status declare(het__onnx_reader *r, het__graph *g, const het__onnx_io *io,
                          uint32_t value)
{
    het__extent extent[HET_RANK_MAX];
    het__value *v = &g->values[value];
    const het_status s = find_extents(r, g, io, extent);
    v->dtype = io->dtype;
    if (s != HET_OK || io->rank == HET__RANK_UNKNOWN)
        return s == HET_E_UNSUPPORTED ? HET_OK : s;
    v->rank = io->rank;
    memcpy(v->extent, extent, io->rank * sizeof extent[0]);
    return HET_OK;
}

/* Inputs that have no weight as their value. */
static het_status build_inputs(het__onnx_reader *r, het__onnx_frame *frame,
                               const het__onnx_part *part)
{
    het__graph *g = frame->graph;
    het__extent extent[HET_RANK_MAX];
    het_status s = het__onnx_spend(r, part->input_count);
    for (uint32_t i = 0; s == HET_OK && i < part->input_count; i++) {
        const het__onnx_io *io = &part->inputs[i];
        if (het__names_find(&frame->bound, io->name, strlen(io->name)))
            continue;
        if (!frame->around && (io->odd || io->dtype == HET_DTYPE_NONE))
            return het__fail(r->err, io->odd ? HET_E_UNSUPPORTED : HET_E_FORMAT, "input %s is %s",
                             io->name, io->odd ? io->odd : "of no type");
        if (!frame->around)
            s = find_extents(r, g, io, extent);
        if (s != HET_OK)
            return s;
        const uint32_t rank = frame->around ? HET__RANK_UNKNOWN : io->rank;
        const uint32_t v = het__graph_value(g, "", HET__VALUE_INPUT, io->dtype, rank, extent);
        if (v == HET__NO_VALUE)
            return het__onnx_nomem(r);
        g->values[v].name = io->name;
        if (frame->around)
            s = declare(r, g, io, v);
        if (s == HET_OK)
            s = het__onnx_bind(r, frame, io->name, v);
    }
    return s;
}

/* A value that a node makes, of that name alone. */
static het_status build_identity(het__onnx_reader *r, het__onnx_frame *frame, const char *name,
                                 uint32_t *value)
{
    const het__name_slot *slot = het__names_find(&r->opsets, "", 0);
    const het__attr_list attrs = { .opset = slot ? (int32_t)slot->value : 1 };
    het__graph *g = frame->graph;
    const uint32_t v = het__graph_tensor_node(g, HET__OP_T_IDENTITY, "", value, 1, 1, &attrs);
    if (v == HET__NO_VALUE)
        return het__onnx_nomem(r);
    g->nodes[g->node_count - 1].name = name;
    *value = v;
    return HET_OK;
}

static het_status build_outputs(het__onnx_reader *r, het__onnx_frame *frame,
                                const het__onnx_part *part)
{
    het__graph *g = frame->graph;
    het_status s = het__onnx_spend(r, part->output_count);
    for (uint32_t i = 0; s == HET_OK && i < part->output_count; i++) {
        const char *name = part->outputs[i].name;
        uint32_t v;
        s = het__onnx_lookup(r, frame, name, part->name, &v);
        if (s == HET_OK && v == HET__NO_VALUE)
            return het__fail(r->err, HET_E_FORMAT, "output %s is left out", name);
        if (s == HET_OK && g->values[v].kind != HET__VALUE_TEMP)
            s = build_identity(r, frame, name, &v);
        if (s != HET_OK)
            return s;
        het__graph_output(g, v, name);
        if (g->failed)
            return het__onnx_nomem(r);
        if (frame->around)
            s = declare(r, g, &part->outputs[i], v);
    }
    return s;
}

/* ---- whole graphs ---- */

static het_status build_graph(het__onnx_reader *r, het__onnx_frame *frame,
                              const het__onnx_part *part)
{
    het_status s = het__onnx_build_weights(r, frame, part);
    if (s == HET_OK)
        s = build_inputs(r, frame, part);
    if (s == HET_OK)
        s = het__onnx_build_nodes(r, frame, part);
    return s == HET_OK ? build_outputs(r, frame, part) : s;
}

het_status het__onnx_build_body(het__onnx_reader *r, het__onnx_frame *around,
                                const het__onnx_part *part, het__onnx_captures *captures,
                                het__graph **graph, uint32_t *taken)
{
    /* A graph without anything in it takes memory all the same. */
    const het_status spent = het__onnx_spend(r, BODY_PIECES);
    if (spent != HET_OK)
        return spent;
    het__onnx *m = r->model;
    void *list = m->bodies;
    het__graph *g = het__arena_alloc(r->keep, sizeof *g);
    const bool room = het__onnx_grow(r, &list, m->body_count, &r->body_capacity, sizeof g);
    m->bodies = list;
    if (!g || !room)
        return het__onnx_nomem(r);
    if (r->depth == HET__ONNX_DEPTH_MAX)
        return het__fail(r->err, HET_E_UNSUPPORTED, "calls and bodies are nested deeper than %d",
                         HET__ONNX_DEPTH_MAX);
    het__graph_init(g, r->mem);
    m->bodies[m->body_count++] = g;
    het__onnx_frame frame;
    het__onnx_frame_init(r, &frame, g);
    frame.around = around;
    frame.captures = captures;
    frame.call = around->call;
    frame.prefix = around->prefix;
    r->depth++;
    const het_status s = build_graph(r, &frame, part);
    r->depth--;
    *graph = g;
    *taken = frame.taken_count;
    het__onnx_frame_finish(r, &frame);
    return s;
}

static het_status declare_outputs(het__onnx_reader *r, const het__onnx_part *part)
{
    het__graph *g = &r->model->graph;
    het__onnx_declared *list = het__arena_zero(r->keep, part->output_count, sizeof *list);
    if (!list)
        return het__onnx_nomem(r);
    for (uint32_t o = 0; o < part->output_count; o++) {
        const het__onnx_io *io = &part->outputs[o];
        if (io->odd)
            return het__fail(r->err, HET_E_UNSUPPORTED, "output %s is %s", io->name, io->odd);
        list[o].dtype = io->dtype;
        list[o].rank = io->rank;
        for (uint32_t i = 0; i < io->rank && io->rank != HET__RANK_UNKNOWN; i++) {
            const uint32_t n = io->symbol[i] ? het__graph_symbol(g, io->symbol[i]) : HET__SYM_MAX;
            const bool open = io->extent[i] < 0 && n < HET__SYM_MAX;
            list[o].extent[i] = (het__extent){ open ? 1 : io->extent[i], open ? n : HET__SYM_ONE };
        }
    }
    r->model->outputs = list;
    return g->failed ? het__onnx_nomem(r) : HET_OK;
}

het_status het__onnx_build(het__onnx_reader *r, const het__onnx_part *part)
{
    het__onnx_frame frame;
    if (part->output_count == 0)
        return het__fail(r->err, HET_E_FORMAT, "the graph has no outputs");
    het__onnx_frame_init(r, &frame, &r->model->graph);
    het_status s = build_graph(r, &frame, part);
    if (s == HET_OK)
        s = declare_outputs(r, part);
    het__onnx_frame_finish(r, &frame);
    return s;
}

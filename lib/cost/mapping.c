/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles, waves and lanes.
 *
 * A piece of work is cut into tiles of rows x columns results. A tile begins at the largest size
 * that the class of units works on, is halved until its operands fit near memory, and halved on
 * until every unit has one or the smallest size is reached. Units take tiles one after the other:
 * with t tiles on u units there are ceil(t / u) waves, the last of which may leave units idle.
 *
 *   cores     64 x 8 vectors of results at most, one vector at least
 *   SIMT      128 x 128 at most, 32 x 32 at least
 *   systolic  an array of s x s terms x columns, through which all rows stream; filling and
 *             emptying it takes 2 s rows' time
 *   tiles     64 x 64 at most, 8 x 8 at least, in the tile's own scratchpad
 *
 * The sizes are those of common kernels; a calibration corrects what they miss in time. */
#include "lib/cost/mapping.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Where a machine does not say: results that a unit works on at a time, and bytes near it. */
static const struct { double lanes, near_bytes; } usual[HET__UNIT_CLASS_COUNT] = {
    [HET__UNIT_CORES] = { 8, 1 << 20 },
    [HET__UNIT_SIMT] = { 128, 1 << 16 },
    [HET__UNIT_SYSTOLIC] = { 128 * 128, 1 << 24 },
    [HET__UNIT_TILES] = { 64, 1 << 18 },
};

/* Results per lane that a SIMT unit must have in flight, of several groups of lanes or of one, to
 * hide the latency of arithmetic and near memory: the smallest tile on 128 lanes. */
#define SIMT_RESULTS_PER_LANE 8

typedef struct tile {
    double rows, columns, depth;
} tile;

double het__waves(double items, double units)
{
    return items > 0 && units > 0 ? ceil(items / units) : 0;
}

static double at_least(double x, double low)
{
    return x > low ? x : low;
}

static double at_most(double x, double high)
{
    return x < high ? x : high;
}

static double tile_bytes(const tile *t, double element_bytes)
{
    const double operands = t->depth > 0 ? t->depth * (t->rows + t->columns)
                                         : t->rows * t->columns;
    return (operands + t->rows * t->columns) * element_bytes;
}

static double half(double x)
{
    return ceil(x / 2);
}

/* Halve depth first: it costs only another pass over the results, which stay. */
static void fit(tile *t, double element_bytes, double near_bytes)
{
    while (tile_bytes(t, element_bytes) > near_bytes) {
        if (t->depth > 1 && t->depth >= t->rows && t->depth >= t->columns)
            t->depth = half(t->depth);
        else if (t->rows > 1 && t->rows >= t->columns)
            t->rows = half(t->rows);
        else if (t->columns > 1)
            t->columns = half(t->columns);
        else if (t->depth > 1)
            t->depth = half(t->depth);
        else
            return;
    }
}

static double tiles_of(const het__work_shape *w, const tile *t)
{
    return w->matrices * ceil(w->rows / t->rows) * ceil(w->columns / t->columns);
}

/* Smaller tiles while units have none. */
static void spread(const het__work_shape *w, tile *t, tile least, double units)
{
    while (tiles_of(w, t) < units && (t->rows > least.rows || t->columns > least.columns)) {
        const bool by_rows = t->rows > least.rows &&
                             (t->rows >= t->columns || t->columns <= least.columns);
        if (by_rows)
            t->rows = at_least(half(t->rows), least.rows);
        else
            t->columns = at_least(half(t->columns), least.columns);
    }
}

static void sizes_of(uint32_t unit_class, double lanes, bool is_product, tile *most, tile *least)
{
    switch (unit_class) {
    case HET__UNIT_SIMT:
        *most = is_product ? (tile){ 128, 128, 64 } : (tile){ 1, 4096, 0 };
        *least = is_product ? (tile){ 32, 32, 1 } : (tile){ 1, lanes, 0 };
        break;
    case HET__UNIT_TILES:
        *most = is_product ? (tile){ 64, 64, 1024 } : (tile){ 1, 4096, 0 };
        *least = is_product ? (tile){ 8, 8, 1 } : (tile){ 1, lanes, 0 };
        break;
    default:
        *most = is_product ? (tile){ 64, 8 * lanes, 512 } : (tile){ 1, 512 * lanes, 0 };
        *least = (tile){ 1, lanes, is_product };
        break;
    }
}

static void write_tile(const tile *t, double element_bytes, double near_bytes, het_mapping *m)
{
    m->tile_rows = (int64_t)t->rows;
    m->tile_columns = (int64_t)t->columns;
    m->tile_depth = (int64_t)t->depth;
    m->tile_bytes = tile_bytes(t, element_bytes);
    m->is_fitting = m->tile_bytes <= near_bytes;
}

/* Rows without a matrix beside them are one long row: no edge of a tile stays empty within. */
static het__work_shape as_one_row(const het__work_shape *w)
{
    return (het__work_shape){ .matrices = 1, .rows = 1, .element_bytes = w->element_bytes,
                              .columns = w->matrices * w->rows * w->columns };
}

static void map_tiles(const het__work_shape *given, double near_bytes, het_mapping *m)
{
    const bool is_product = given->depth > 0;
    const het__work_shape w = is_product ? *given : as_one_row(given);
    tile most, least;
    sizes_of(m->unit_class, m->lane_count, is_product, &most, &least);
    tile t = { at_most(most.rows, w.rows), at_most(most.columns, w.columns),
               at_most(most.depth, w.depth) };
    least.rows = at_most(least.rows, t.rows);
    least.columns = at_most(least.columns, t.columns);
    fit(&t, w.element_bytes, near_bytes);
    least.rows = at_most(least.rows, t.rows);
    least.columns = at_most(least.columns, t.columns);
    spread(&w, &t, least, m->unit_count);
    m->item_count = tiles_of(&w, &t);
    write_tile(&t, w.element_bytes, near_bytes, m);
    /* Vectors and blocks are started whole: a tile takes up as many lanes as begin it. */
    const double group = is_product && m->unit_class != HET__UNIT_CORES ? least.columns
                                                                        : m->lane_count;
    const double columns = ceil(at_most(t.columns, w.columns) / group) * group;
    m->occupancy = w.matrices * w.rows * w.columns / (m->item_count * t.rows * columns);
    if (m->unit_class == HET__UNIT_SIMT) {
        const double each = ceil(m->item_count / m->unit_count);
        const double held = at_most(each, at_least(floor(near_bytes / m->tile_bytes), 1));
        const double results = held * t.rows * columns / m->lane_count;
        m->occupancy *= at_most(1, results / SIMT_RESULTS_PER_LANE);
    }
}

/* Weights lie in the array, rows stream past them. What is no product has one side of the array as
 * lanes. */
static void map_systolic(const het__work_shape *given, double near_bytes, het_mapping *m)
{
    const double side = at_least(floor(sqrt(m->lane_count)), 1);
    const bool is_product = given->depth > 0;
    het__work_shape w = is_product ? *given : as_one_row(given);
    if (is_product && w.is_apart) { /* a matrix for each column, of which an array has one side */
        w.matrices *= w.columns;
        w.columns = 1;
    }
    tile t = is_product ? (tile){ w.rows, at_most(side, w.columns), at_most(side, w.depth) }
                        : (tile){ 1, at_most(side * 8, w.columns), 0 };
    fit(&t, w.element_bytes, near_bytes);
    write_tile(&t, w.element_bytes, near_bytes, m);
    m->item_count = tiles_of(&w, &t) * (is_product ? ceil(w.depth / t.depth) : 1);
    if (is_product)
        m->occupancy = w.matrices * w.rows * w.columns * w.depth /
                       (m->item_count * (t.rows + 2 * side) * side * side);
    else
        m->occupancy = w.columns / (m->item_count * ceil(t.columns / side) * side) / side;
}

void het__map_work(const het__work_shape *shape, const het__machine_device *d, het_mapping *m)
{
    const uint32_t unit_class = d->unit_class < HET__UNIT_CLASS_COUNT ? d->unit_class
                                                                     : HET__UNIT_CORES;
    const double near_bytes = d->near_bytes.value > 0 ? d->near_bytes.value
                                                      : usual[unit_class].near_bytes;
    het__work_shape w = *shape;
    memset(m, 0, sizeof *m);
    m->struct_size = sizeof *m;
    m->unit_class = unit_class;
    m->unit_count = at_least(floor(d->units.value), 1);
    m->lane_count = d->lanes.value > 0 ? at_least(floor(d->lanes.value), 1)
                                       : usual[unit_class].lanes;
    m->thread_count = w.matrices * w.rows * w.columns;
    if (!(m->thread_count >= 1)) {
        m->is_fitting = 1;
        return;
    }
    w.element_bytes = w.element_bytes > 0 ? w.element_bytes : 4;
    if (unit_class == HET__UNIT_SYSTOLIC)
        map_systolic(&w, near_bytes, m);
    else
        map_tiles(&w, near_bytes, m);
    m->used_unit_count = at_most(m->item_count, m->unit_count);
    m->wave_count = het__waves(m->item_count, m->unit_count);
    m->wave_efficiency = at_most(m->item_count / (m->wave_count * m->unit_count), 1);
    m->occupancy = at_most(m->occupancy, 1);
    m->utilisation = m->wave_efficiency * m->occupancy;
    assert(m->used_unit_count <= m->unit_count);
}

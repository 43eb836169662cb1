/* SPDX-License-Identifier: Apache-2.0 */
/* What `hetinfer analyze` and `hetinfer sweep` share: one analysis, and the forms that it is shown
 * in. */
#ifndef HETINFER_ANALYZE_H
#define HETINFER_ANALYZE_H

#include "common.h"

#include <stdio.h>

/* The step of a batch sweep. */
typedef struct sweep_point {
    int64_t batch;
    het_analysis_info info; /* its names are gone */
} sweep_point;

typedef struct analysis {
    const engine *engine;
    const char *path;
    het_machine *machine;
    bool is_present; /* the machine that this runs on */
    uint32_t threads; /* that its figures are for; 0: one per core */
    het_analysis *handle;
    het_analysis_info info;
    het_analysis_options options;
    bool fusion, support, all_nodes;
    sweep_point points[NUMBERS_MAX];
    size_t point_count;
} analysis;

/* A part of the model: a block of a language model, or the nodes under one name. */
typedef struct module {
    char name[64];
    uint32_t node_count;
    double parameters, macs, flops, bytes, ns;
} module;

/* ---- analyze.c ---- */

/* The file's name without folder and ending. */
void analysis_model_name(const char *path, char *name, size_t bytes);
int analysis_node(const analysis *a, uint32_t index, het_subgraph *node);
int analysis_group(const analysis *a, uint32_t index, het_subgraph *group);
bool is_language(const analysis *a);
/* "profile", "calibrated" or "probed". */
const char *analysis_basis(const analysis *a);
/* In order of their first nodes; for free(), NULL when out of memory. */
module *analysis_modules(const analysis *a, size_t *count);
/* Of a sweep: the first batch that leaves no more than 5 % of the units idle; 0: none does. */
int64_t sweep_fills_at(const analysis *a);
/* The first batch with as many operations per byte as the balance; 0: none has. */
int64_t sweep_computes_at(const analysis *a);

const char *bottleneck_name(uint32_t bottleneck);
const char *label_name(uint32_t label);
const char *unit_class_name(uint32_t unit_class);
static inline double subgraph_bytes(const het_subgraph *s)
{
    return s->input_bytes + s->output_bytes + s->weight_bytes;
}

/* ---- one file per form ---- */

int analyze_print_table(const analysis *a);
int analyze_print_json(const analysis *a);
int analyze_write_csv(const analysis *a, const char *path);
int analyze_write_html(const analysis *a, const char *path);

/* A field of a CSV file: quoted where it must be. */
void csv_text(FILE *f, const char *text);

#endif /* HETINFER_ANALYZE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* The insides of the CPU backend: device, program, steps.
 *
 * A program is a list of steps. A step is a number of tasks that may run in any order on any
 * thread, and begins when all tasks of the one before are done. A node becomes one or a few steps:
 *
 *     node     linear            attention               norm + linear, many tokens
 *     steps    prepare, product  angles*, keys, heads    norm and prepare, product
 *                                (* by the first layer of a step, for all that turn alike)
 *
 * A task's result depends on its index alone, never on the thread or on how many there are. Step
 * files fill het__cpu_step; program.c runs them.
 */
#ifndef HET_CPU_CPU_H
#define HET_CPU_CPU_H

#include "backends/cpu_onednn/matmul.h"
#include "backends/cpu_onednn/onednn.h"
#include "backends/cpu_onednn/pool.h"
#include "lib/backend.h"
#include "lib/base/moving.h"
#include "lib/plain/call.h"

typedef struct het__cpu_step het__cpu_step;

/* scratch: the thread's own het__cpu_build.worker_bytes, aligned to 64, contents undefined. */
typedef void (*het__cpu_task_fn)(const het__cpu_step *step, int64_t task, unsigned char *scratch);

struct het__cpu_step {
    het__program *program;
    void *data; /* of the step's kind, in the program's arena */
    /* Set tasks (and what else depends on extents) when extents have changed. */
    void (*bind)(het__cpu_step *step, const int64_t *symbols);
    /* Optional: before every run, by the calling thread; may set tasks. */
    void (*look)(het__cpu_step *step);
    /* Optional: tasks that depend on the contents of inputs; asked when the steps before are
     * over. */
    int64_t (*count)(const het__cpu_step *step);
    /* Optional: by every thread that got a task, before its first. */
    void (*begin)(const het__cpu_step *step, unsigned char *scratch);
    /* Optional: when the program is released. */
    void (*finish)(het__cpu_step *step);
    het__cpu_task_fn task;
    int64_t tasks;
    double macs;    /* what its bind adds to the program's; 0: it does not say */
    double weight;  /* of a task, in products; 0: tasks differ, and are taken one by one in order */
    het__load load; /* if weight > 0 */
};

typedef enum het__cpu_use {
    HET__CPU_USE_MATRIX, /* of a product */
    HET__CPU_USE_VECTOR, /* as F32 */
    HET__CPU_USE_TABLE,  /* rows of an embedding, as they lie */
} het__cpu_use;

/* Constants as the device keeps them; one per constant and use, shared by all programs. */
typedef struct het__cpu_constant {
    struct het__cpu_constant *next;
    het__cpu_use use;
    const void *data;       /* in the graph: key, with use, turned and dtype, n, k of the matrix */
    bool turned;            /* there it is [k,n], F32 */
    het__cpu_matrix matrix; /* a vector has one row, packed as F32 */
    size_t packed_bytes;
    bool borrowed;          /* packed belongs to the device's cache */
    het__hash128 name;      /* of the weight inside the model */
} het__cpu_constant;

typedef struct het__cpu_slab het__cpu_slab; /* weights.c */

/* Cosine and sine of every position's angles, shared by all nodes of the device that turn alike. */
typedef struct het__cpu_angles {
    struct het__cpu_angles *next;
    uint32_t positions;    /* key: a value of the graph */
    const float *factors;  /* key */
    het__rope_attrs attrs; /* key */
    double *frequencies;   /* [rotated / 2] */
    float *table;          /* [capacity][cosines, sines] */
    int32_t *made;         /* [capacity]: positions that the first rows are of */
    int64_t capacity, made_count;
    bool is_given;         /* the table is an input of the graph; nothing else here is set */
} het__cpu_angles;

struct het__device {
    const het__host *host;
    const het__cpu_level *level;
    het__pool *pool;
    het__onednn *onednn; /* NULL: not there, or of no use at this level */
    het__open_options options;
    bool round_small;  /* HETINFER_CPU_ROUND_SMALL: for tests */
    double alone_macs; /* programs with fewer products run on the calling thread alone */
    double short_macs; /* steps with fewer, or one task, on whichever thread is free; 0: none */
    het__cpu_constant *constants;
    het__cpu_slab *matrix_slabs, *vector_slabs; /* memory of re-laid weights */
    het__cpu_angles *angles;
    struct het__cpu_cache *cache; /* NULL: none */
    uint64_t weight_bytes, mapped_bytes;
    unsigned char *shared, *workers; /* scratch, as much as the most demanding program takes */
    size_t shared_bytes, workers_bytes;
    uint64_t scratch_bytes, launch_count, busy_ns;
    uint64_t moves; /* of imported buffers */
};

struct het__program {
    het__device *device;
    het__arena arena;
    het__cpu_step *steps;
    uint32_t step_count, step_capacity;
    size_t worker_stride;
    size_t bytes;           /* of weights that it re-laid for itself */
    /* The run in progress. */
    unsigned char *shared;  /* scratch of a node's steps, seen by all threads; the device's */
    unsigned char *workers; /* scratch of each thread; the device's */
    uint32_t at;            /* step after the one that is run */
    int64_t tasks;
    uint64_t launches;      /* steps that had tasks */
    double step_macs;       /* products of a step, set by bind */
    double context_macs;    /* products per position before the step */
    het_status status; /* of a step that refused its contents; the steps behind it do not run */
    het_error failure;
    int64_t symbols[HET__SYM_MAX];
    bool bound;
    bool uses_onednn;
    het__moving *moving; /* what points into imported buffers */
    uint64_t moves;      /* of the device, that this has followed */
};

/* What compiling hands from node to node. */
typedef struct het__cpu_build {
    het__device *device;
    het__program *program;
    const het__slice *slice;
    const uint32_t *uses; /* readers of each value, in the whole graph */
    size_t shared_bytes;  /* most that any node takes */
    size_t worker_bytes;
    bool lost_field; /* no memory to remember a pointer in: the program cannot be used */
    het__borrower *borrower; /* of constants */
    het_error *err;
} het__cpu_build;

/* ---- program.c ---- */

/* Appends a step with data_bytes of zeroed data; NULL (and err filled) when out of memory. The
 * pointer is good until the next step is added. */
het__cpu_step *het__cpu_add_step(het__cpu_build *build, size_t data_bytes);
/* Host address of a value that has a place, NULL for an absent input: good while the program is
 * built. */
void *het__cpu_address(const het__cpu_build *build, uint32_t value);
/* The same into *field, a pointer in the program's arena that is kept up to date: the place may
 * move between runs. So what a step derives from an address, it derives in its tasks. */
void het__cpu_place(het__cpu_build *build, uint32_t value, void *field);
/* No more than that the field, which points into the place or will when the program is built, is
 * kept up to date. Nothing for constants. */
void het__cpu_follow(het__cpu_build *build, uint32_t value, void *field);
const het__value *het__cpu_value(const het__cpu_build *build, const het__node *node,
                                uint32_t input);
/* Room for bytes more at the end of *total, aligned to 64: returns its offset. */
size_t het__cpu_reserve(size_t *total, size_t bytes);
void het__cpu_need_shared(het__cpu_build *build, size_t bytes);
void het__cpu_need_worker(het__cpu_build *build, size_t bytes);
/* Most rows that a value has. */
int64_t het__cpu_rows_max(const het__cpu_build *build, uint32_t value);

/* ---- weights.c ---- */

/* turned: the weights are F32 and their columns, not their rows, are the matrix's rows. */
het_status het__cpu_matrix_get(het__cpu_build *build, uint32_t value, bool turned,
                               const het__cpu_matrix **matrix);
/* Matrix number index of a constant of rank 3. */
het_status het__cpu_matrix_part(het__cpu_build *build, uint32_t value, int64_t index,
                                const het__cpu_matrix **matrix);
/* F32 elements of a small constant, or of a value with a place, where vector must be as
 * het__cpu_place() wants it; NULL for HET__NO_VALUE. */
het_status het__cpu_vector_get(het__cpu_build *build, uint32_t value, const float **vector);
/* Whether a constant in F32 lies where no float can be read: files pack bytes without gaps. Kernels
 * read a copy of it, het__cpu_vector_get(). */
bool het__cpu_lies_askew(const het__value *v);
/* A table that is read as it lies. */
het_status het__cpu_table_get(het__cpu_build *build, uint32_t value,
                              const het__cpu_matrix **matrix);
/* Who borrows constants to re-lay them: its bytes are made by the pool. */
het__team het__cpu_team(const het__device *device);
void het__cpu_constants_free(het__device *device);
/* The memory of all matrices that do not lie in the cache: none of them may be in use. */
void het__cpu_matrices_free(het__device *device);

/* ---- steps ---- */

typedef struct het__cpu_norm {
    const float *weight, *bias;
    int64_t group;
    float eps;
    het__norm_kind kind;
} het__cpu_norm;

/* target may be x. */
void het__cpu_norm_row(const het__cpu_level *level, const het__cpu_norm *norm, const float *x,
                       float *target, int64_t columns);
void het__cpu_activate(const het__cpu_level *level, het__unary kind, float *x, int64_t count);
het_status het__cpu_norm_init(het__cpu_build *build, const het__node *node, het__cpu_norm *norm);

/* Turn one head in place; row is the table's row of its token. */
void het__cpu_turn(const het__rope_attrs *attrs, const float *row, float *head);
/* The table for these positions. The first node of a program that asks for it gets a step that
 * fills it, unless an earlier program has for the same positions. */
het_status het__cpu_angles_get(het__cpu_build *build, uint32_t positions, uint32_t factors,
                               const het__rope_attrs *attrs, const het__cpu_angles **angles);
void het__cpu_angles_free(het__device *device);

het_status het__cpu_build_embed(het__cpu_build *build, const het__node *node);
het_status het__cpu_build_norm(het__cpu_build *build, const het__node *node);
het_status het__cpu_build_rope(het__cpu_build *build, const het__node *node);
het_status het__cpu_build_elementwise(het__cpu_build *build, const het__node *node);
het_status het__cpu_build_softmax(het__cpu_build *build, const het__node *node);
het_status het__cpu_build_rows(het__cpu_build *build, const het__node *node);
het_status het__cpu_build_attention(het__cpu_build *build, const het__node *node);
het_status het__cpu_build_moe(het__cpu_build *build, const het__node *node);
/* COLUMNS, CUT, MATCH, PREDICT, CORRECT. */
het_status het__cpu_build_streams(het__cpu_build *build, const het__node *node);
/* Any tensor operation, by its plain kernel. */
het_status het__cpu_build_plain(het__cpu_build *build, const het__node *node);
/* LINEAR, GATED, and MATMUL with a constant [N,K]. norm: the node whose output is read here and
 * nowhere else, or NULL. */
het_status het__cpu_build_product(het__cpu_build *build, const het__node *node,
                                  const het__node *norm);

#endif /* HET_CPU_CPU_H */

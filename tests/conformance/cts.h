/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the device suite share.
 *
 * A case is a graph of one operation, or of a few around one, with its data. It runs on the device
 * under test and on "ref", several steps with symbols of different sizes in one compiled program,
 * and all results must agree within a tolerance that follows from operation, type and the number of
 * terms of a sum, never from the device. A device may refuse a node; then the case counts as
 * refused and the reason is kept.
 *
 * Cases live until the devices are closed: constants and attributes must outlive those. */
#ifndef HETINFER_CTS_H
#define HETINFER_CTS_H

#include "lib/backend.h"
#include "test.h"

#define CTS_STEPS_MAX 8
#define CTS_VALUES_MAX 96
#define CTS_ROWS_MAX 320
#define CTS_CANARY 0xa5

/* A row of the report: an operation, or a rule of the contract. */
typedef struct cts_row {
    char name[64];
    uint32_t cases, refused, failed;
    char reason[240]; /* of the first refusal */
} cts_row;

typedef struct cts_step {
    int64_t symbols[HET__SYM_MAX];
} cts_step;

typedef struct cts_case cts_case;

/* Contents of an input or state for a step: bytes long. False: random numbers will do. */
typedef bool (*cts_fill_fn)(const cts_case *c, uint32_t step, uint32_t value, void *data,
                            size_t bytes);

/* How a device codes what it multiplies. */
typedef struct cts_coding {
    int64_t part; /* terms of a sum with one factor each; 0: BF16, which has none */
} cts_coding;

struct cts_case {
    char name[120];
    const char *row;
    het__graph graph;
    int64_t symbols_max[HET__SYM_MAX];
    uint32_t step_count;
    cts_step steps[CTS_STEPS_MAX];
    cts_fill_fn fill;
    const void *user;     /* of fill */
    double tolerance;     /* times the largest wanted value; of floating point */
    double magnitude;     /* of what an activation cuts: the largest counts as no less */
    double state_tolerance; /* of states; 0: as the rest */
    float scale;          /* of random numbers */
    bool is_fast;         /* the device is opened with HET_PRECISION_FAST */
    bool is_positive;     /* random numbers are above 0 */
    uint64_t seed;
    const cts_coding *coding; /* inputs of products are coded; NULL: not */
    cts_case *next;
};

/* One opened device. */
typedef struct cts_side {
    const het__backend *backend;
    uint32_t index; /* within the backend */
    het__device *device;
    uint64_t enqueued;
} cts_side;

/* A case on a device. */
typedef struct cts_run {
    cts_side *side;
    const cts_case *c;
    het__program *program;
    het__place places[CTS_VALUES_MAX];
    het__buffer *buffers[CTS_VALUES_MAX];
    size_t offset[CTS_VALUES_MAX], room[CTS_VALUES_MAX];
    uint32_t buffer_count;
} cts_run;

typedef struct cts_options {
    bool only_ask;      /* what a device supports; nothing runs */
    const char *filter; /* part of a row's or case's name, or NULL */
    bool verbose;
    uint32_t every; /* only each so-manieth case of operations; 0: all */
    bool first;     /* only the first of each operation that the device accepts */
} cts_options;

/* State of the program: one device at a time. */
extern struct cts {
    cts_options options;
    het__mem mem;
    het__host host;
    char device_name[64];
    cts_side ref, exact, fast;
    cts_row rows[CTS_ROWS_MAX];
    uint32_t row_count;
    cts_case *cases; /* kept */
    uint64_t seed;
} cts;

/* ---- cts_run.c ---- */

cts_row *cts_row_of(const char *name);
/* A failure of the case or rule at hand: printed, counted. */
void cts_fail(cts_row *row, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Begin a case; NULL if the filter leaves it out. The graph is empty, all symbols are 1. */
cts_case *cts_begin(const char *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Run and judge it. */
void cts_check(cts_case *c);
void cts_close_cases(void);

het_status cts_open(cts_side *side, const het__backend *backend, uint32_t index,
                    het_precision precision, het_error *err);
void cts_close(cts_side *side);
bool cts_supports(const cts_side *side, const cts_case *c, char *reason, size_t bytes);

/* Every value in a buffer, all in one, or views on top of what they view. */
typedef enum cts_layout { CTS_APART = 0, CTS_TOGETHER, CTS_LAYOUTS } cts_layout;
het_status cts_prepare(cts_run *r, cts_side *side, const cts_case *c, cts_layout layout,
                       het_error *err);
void cts_release(cts_run *r);
het_status cts_write(cts_run *r, uint32_t value, const void *data, size_t bytes, het_error *err);
het_status cts_read(cts_run *r, uint32_t value, void *data, size_t bytes, het_error *err);
/* Inputs, canaries; enqueue; wait. with_states: states are filled too. */
het_status cts_feed(cts_run *r, uint32_t step, bool with_states, het_error *err);
het_status cts_go(cts_run *r, uint32_t step, het_error *err);
/* All results of a step against the other run's. */
bool cts_compare(cts_run *got, cts_run *want, uint32_t step, bool with_states);

/* Memory until the devices are closed. */
void *cts_bytes(cts_case *c, size_t bytes);
float cts_random(void);
int64_t cts_between(int64_t low, int64_t high);

/* ---- cts_coded.c ---- */

/* The case for "ref" of a product that the device codes, or the case itself. */
const cts_case *cts_coded(cts_case *c, const cts_side *side);
void cts_code_input(const cts_case *c, uint32_t step, uint32_t value, void *data);

/* ---- building (cts_build.c) ---- */

#define CTS_FIXED(count) ((het__extent){ (count), HET__SYM_ONE })

/* [T, columns] F32. */
uint32_t cts_matrix(cts_case *c, const char *name, int64_t columns);
uint32_t cts_index(cts_case *c, const char *name, het__symbol symbol, int64_t columns);
uint32_t cts_input(cts_case *c, const char *name, het_dtype dtype, uint32_t rank,
                   const int64_t *extent);
/* Random weights of any type whose rows are whole blocks. */
uint32_t cts_weight(cts_case *c, het_dtype dtype, uint32_t rank, const int64_t *extent);
/* F32 around a number. */
uint32_t cts_vector(cts_case *c, int64_t count, float around);
uint32_t cts_constant(cts_case *c, het_dtype dtype, uint32_t rank, const int64_t *extent,
                      const void *data);
/* First output; the graph fails if the rule refuses. */
uint32_t cts_node(cts_case *c, het__op op, const uint32_t *inputs, uint32_t count,
                  const het__attrs *attrs);
/* The same with a list of attributes and several outputs. */
uint32_t cts_tensor_node(cts_case *c, het__op op, const uint32_t *inputs, uint32_t count,
                         const het__attr_list *list, uint32_t outputs);
void cts_random_elements(het_dtype dtype, void *data, int64_t count);
/* (base + per_root * sqrt(terms)) units of the last place of F32. */
double cts_tolerance(het__op op, int64_t terms, het_dtype weights, bool is_fast);
/* Steps that bind TOKENS to each of these numbers, and ROWS to what belongs to it. */
void cts_tokens(cts_case *c, uint32_t count, const int64_t *tokens);

/* All types that weights have, ended by NONE. */
extern const het_dtype cts_weight_types[];

/* ---- cases ---- */

void cts_language(void);  /* cts_language.c, cts_attention.c */
void cts_attention(void);
void cts_images(void);    /* cts_image.c */
void cts_tensors(void);   /* cts_tensor.c */
void cts_vectors(void);   /* cts_vectors.c: NumPy's results, on every device, ref included */
void cts_contract(void);  /* cts_contract.c */

#endif /* HETINFER_CTS_H */

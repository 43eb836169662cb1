/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the NPU's backend.
 *
 *     load.c     XRT's library and the calls into it
 *     probe.c    which devices and which designs there are
 *     design.c   manifests; gemm.c and txn.c: instructions
 *     device.c   an opened device: contexts, designs that proved themselves, streams, memory
 *     weights.c  constants in 8 bits or BF16, cut and packed as a design takes them
 *     product.c  one product: activations coded alike, runs, sums scaled back
 *     program.c  nodes of a slice
 *     queue.c    the device's own thread, on which programs run
 *
 * A value of the graph lies in memory of the host. What the array reads and writes are buffers of
 * its own: weights, packed once; and for the running product its activations and the results of two
 * batches of runs, of which one is being computed while the host takes up the other. */
#ifndef HET_NPU_H
#define HET_NPU_H

#include "backends/amd_xrt_npu/design.h"
#include "backends/amd_xrt_npu/xrt.h"
#include "lib/backend.h"
#include "lib/base/os.h"

#define HET__NPU_KERNEL_ARGUMENTS 6 /* opcode, instructions, their count, A, B, C */
#define HET__NPU_OPCODE 3           /* run a stream */
#define HET__NPU_SLOTS 2            /* batches of runs that are under way */
#define HET__NPU_BATCH_MAX 16       /* runs of a batch */
/* Results of a batch of more than one run, about as many bytes as are summed up in the time that a
 * start takes: beyond, runs that go one by one overlap with the host's part better. */
#define HET__NPU_BATCH_BYTES (1 << 20)
/* Of a design whose manifest states nothing: a core of the first generation with plain code, what
 * starting a run costs, and what one mover brings. Guesses on the slow side, marked so. */
#define HET__NPU_CORE_OPS 100e9
#define HET__NPU_LAUNCH_NS 200e3
#define HET__NPU_COLUMN_BYTES 4e9
/* Activations of a row are kept coded, part by part. */
#define HET__NPU_INNER_MAX 131072

/* ---- load.c ---- */

/* The calls, loaded once per process; NULL with a line that says what is missing. */
const het__xrt_calls *het__npu_load(bool use_env, char *reason, size_t bytes);
/* Whether the library has run lists. */
bool het__npu_has_lists(void);
/* An object that a hung device may still use is never given back; it stays reachable. */
void het__npu_abandon(const void *object);

/* ---- probe.c ---- */

typedef struct het__npu_found {
    uint32_t count;
    uint32_t generation[HET__DEVICES_MAX]; /* het__npu_generation */
    uint32_t bad[HET__DEVICES_MAX];        /* mask of designs that failed their check */
    het__npu_designs designs;
} het__npu_found;

void het__npu_probe(const het__host *host, het__probed *probed);
/* Which designs a device of the last probe may use, as a mask. */
uint32_t het__npu_usable(uint32_t index, het__npu_designs *designs);
/* Operations per second of a design, as stated or assumed. */
double het__npu_rate(const het__npu_design *d);
/* Of the fastest design that a device may use. */
void het__npu_figures(uint32_t index, het_device_figures *figures);
void het__npu_product_unit(uint32_t index, het__product_unit *unit);
void het__npu_mark_bad(uint32_t index, const char *folder);
/* Columns of a device's array that contexts may have, all together. */
uint32_t het__npu_columns_of(uint32_t index);

/* ---- device.c ---- */

typedef struct het__npu_buffer {
    void *bo;   /* NULL: none */
    void *host;
    size_t bytes;
} het__npu_buffer;

typedef struct het__npu_stream {
    struct het__npu_stream *next;
    uint32_t design;
    int64_t rows, columns;
    het__npu_buffer buffer;
    uint32_t words;
} het__npu_stream;

/* Runs that are handed over at once, so many and no fewer. */
typedef struct het__npu_batch {
    void *list; /* NULL: there is but one run */
    void *run[HET__NPU_BATCH_MAX];
} het__npu_batch;

/* A design on an opened device. */
typedef struct het__npu_state {
    const het__npu_design *design;
    bool is_usable;
    void *xclbin;
    uint32_t group[HET__NPU_KERNEL_ARGUMENTS];
    void *context; /* NULL: it has left the array */
    bool is_spoilt; /* a run failed in it: it is made anew */
    /* By count less one, made when first used. */
    het__npu_batch batch[HET__NPU_SLOTS][HET__NPU_BATCH_MAX];
    uint64_t used; /* when it was last wanted, by the device's count */
    /* Of the running product. */
    uint32_t part_count;
    het__npu_buffer *part; /* activations: one per part of the inner extent */
    het__npu_buffer result[HET__NPU_SLOTS][HET__NPU_BATCH_MAX]; /* of each run */
} het__npu_state;

struct het__npu_weights;

/* Programs in the order of their enqueueing. */
#define HET__NPU_QUEUE_MAX 32
#define HET__NPU_SPANS 64

typedef struct het__npu_job {
    het__program *program;
    int64_t symbols[HET__SYM_MAX];
} het__npu_job;

typedef struct het__npu_queue {
    het__mutex lock;
    het__cond change;
    het__thread thread;
    bool has_thread; /* immutable after open; false: programs run within enqueue */
    /* Guarded by the lock. */
    bool has_ended;  /* the thread touches nothing any more */
    bool is_stuck;   /* it was given time for that in vain */
    het__npu_job jobs[HET__NPU_QUEUE_MAX];
    uint64_t enqueued, done;
    uint64_t begin_ns[HET__NPU_SPANS], end_ns[HET__NPU_SPANS];
    het_status failed; /* what became of program failed_at, until somebody is told */
    uint64_t failed_at;
    het_error failure;
} het__npu_queue;

struct het__device {
    het__host host;
    const het__xrt_calls *xrt;
    void *handle;
    uint32_t index;
    uint32_t columns; /* that contexts may have, all together */
    uint64_t clock;
    bool has_lists;
    _Atomic bool is_lost, is_hung, is_stopping;
    _Atomic uint64_t launches, busy_ns;
    het__backend_counters counters; /* the others */
    het__npu_queue queue;
    het__npu_designs *designs;
    het__npu_state state[HET__NPU_DESIGNS_MAX];
    het__npu_stream *streams;
    struct het__npu_weights *weights;
    /* Of the running product: factors of rows, [part][row]; sums of a cut, scaled. */
    float *factor;
    int64_t factor_count;
    double *sums;
    int64_t sum_count;
};

het_status het__npu_open(const het__host *host, uint32_t index, const het__open_options *options,
                         het__device **device, het_error *err);
void het__npu_close(het__device *device);
/* What a call of XRT came to; remembers when the device is lost. */
het_status het__npu_failed(het__device *device, het_error *err, int status, const char *doing,
                           const het__xrt_message *m);
/* The design has a context: another may have to leave for it. */
het_status het__npu_acquire(het__device *device, het__npu_state *state, het_error *err);
het_status het__npu_buffer_new(het__device *device, const het__npu_state *state,
                               uint32_t argument, size_t bytes, het__npu_buffer *buffer,
                               het_error *err);
void het__npu_buffer_drop(het__device *device, het__npu_buffer *buffer);
het_status het__npu_sync(het__device *device, const het__npu_buffer *buffer, int direction,
                         size_t bytes, het_error *err);
/* Kept until the device is closed. */
het_status het__npu_stream_get(het__device *device, uint32_t design, int64_t rows,
                               int64_t columns, const het__npu_stream **stream, het_error *err);

typedef struct het__npu_work {
    const het__npu_stream *stream;
    const het__npu_buffer *a, *b, *c;
} het__npu_work;

/* Runs of a design in a slot, at once; finish waits for all. More than one only with lists. */
het_status het__npu_start(het__device *device, het__npu_state *state, uint32_t slot,
                          const het__npu_work *work, uint32_t count, het_error *err);
het_status het__npu_finish(het__device *device, het__npu_state *state, uint32_t slot,
                           uint32_t count, het_error *err);

/* ---- weights.c ---- */

/* A constant matrix: codes of 8 bits, and a factor per column of the product and part of the inner
 * extent; or BF16, which has no factors. */
typedef struct het__npu_weights {
    struct het__npu_weights *next;
    const void *data;
    bool is_transposed; /* data lies [inner, columns] */
    uint32_t design;
    int64_t inner, columns;
    int64_t width;  /* of a cut */
    uint32_t parts; /* of the inner extent */
    uint32_t cuts;
    float *factor;  /* [part][column]; NULL: BF16 */
    het__npu_buffer *block; /* [cut][part] */
} het__npu_weights;

het_status het__npu_weights_get(het__device *device, const het__slice *slice, uint32_t value,
                                bool is_transposed, const het__npu_weights **weights,
                                het_error *err);
void het__npu_weights_drop(het__device *device);
/* The design by which a matrix is multiplied soonest, of a mask; HET__NPU_DESIGNS_MAX: none. */
uint32_t het__npu_choose(const het__npu_designs *designs, uint32_t mask, int64_t inner,
                         int64_t columns);

/* ---- product.c ---- */

/* Takes the product's elements of a row from a column on. */
typedef void (*het__npu_take)(void *user, int64_t row, int64_t first, int64_t count,
                              const double *values);

typedef struct het__npu_product {
    const float *x; /* [rows, inner] */
    int64_t rows, inner;
    uint32_t count;
    const het__npu_weights *const *weights; /* all of one inner extent and one design */
    het__npu_take take;
    void *user; /* of each product, count of them */
    size_t user_bytes;
} het__npu_product;

/* All that running a product of up to so many rows takes. blocks: of all that goes with it. */
het_status het__npu_product_prepare(het__device *device, const het__npu_weights *weights,
                                    uint32_t blocks, int64_t rows, het_error *err);
het_status het__npu_product_run(het__device *device, const het__npu_product *product,
                                het_error *err);
/* Codes of a row or a part of one, [-127, 127], and the factor that gives it back; one with
 * infinities or NaN has the factor NaN. */
float het__npu_encode(const float *x, int64_t count, int8_t *codes);
/* As BF16, to nearest even. */
void het__npu_round(const float *x, int64_t count, uint16_t *rounded);

/* ---- program.c ---- */

bool het__npu_supports_on(uint32_t index, const het__graph *graph, const het__node *node,
                          char *reason, size_t bytes);
het_status het__npu_compile(het__device *device, const het__slice *slice, het__program **program,
                            het_error *err);
void het__npu_release(het__device *device, het__program *program);
void *het__npu_bytes_of(const het__buffer *buffer);
het_status het__npu_program_run(het__device *device, het__program *program,
                                const int64_t *symbols, het_error *err);

/* ---- queue.c ---- */

het_status het__npu_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                            het_error *err);
/* threaded: programs run on a thread of the device's own. */
het_status het__npu_queue_start(het__device *device, bool threaded, het_error *err);
/* Ends the thread; false: it is stuck in a call of XRT, and all that the device has stays. */
bool het__npu_queue_stop(het__device *device);
/* Until no program runs; of a device that hangs, until its thread has ended or too long for that:
 * then false, and what it uses must stay. */
bool het__npu_quiet(het__device *device);
het_status het__npu_queue_wait(het__device *device, uint64_t count, uint64_t timeout_ns,
                               het_error *err);
bool het__npu_queue_span(het__device *device, uint64_t count, uint64_t *begin_ns,
                         uint64_t *end_ns);

#endif /* HET_NPU_H */

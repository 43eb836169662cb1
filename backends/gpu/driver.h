/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations need of a driver, and what a backend that has one gets for it.
 *
 * A backend's device begins with a het__gpu, its table is lent for as long as the device. Functions
 * of the table are called as those of het__backend are: never two of one device at once. A failure
 * after which the driver must not be asked again sets is_gone; then only kernel_release and
 * memory_free are called, which do nothing. */
#ifndef HET_GPU_DRIVER_H
#define HET_GPU_DRIVER_H

#include "backends/gpu/product.h"

/* A kernel object belongs to a program, since its arguments do. */
struct het__gpu_kernel {
    het__gpu_kernel *next; /* of the same program */
    const struct het__gpu_driver *driver;
    void *handle; /* the driver's */
};

typedef struct het__gpu_driver {
    /* A kernel object; see het__gpu_kernel_of(). */
    het_status (*kernel)(het__gpu *gpu, const char *file, const char *name, const char *options,
                         void **handle, het_error *err);
    void (*kernel_release)(het__gpu *gpu, void *handle);
    /* A failure to set an argument shows when the kernel is started. */
    void (*argument)(void *handle, uint32_t index, size_t bytes, const void *value);
    void (*argument_memory)(void *handle, uint32_t index, het__gpu_memory *memory); /* or NULL */
    /* global: above 0, and whole groups unless local is NULL: then the driver chooses groups. */
    het_status (*launch)(het__gpu *gpu, void *handle, uint32_t dimensions, const size_t *global,
                         const size_t *local, het_error *err);
    het_status (*copy)(het__gpu *gpu, het__gpu_memory *source, size_t source_offset,
                       het__gpu_memory *target, size_t target_offset, size_t bytes,
                       het_error *err);

    /* Memory of the device that holds data, or anything where that is NULL. Blocks. */
    het_status (*memory_make)(het__gpu *gpu, size_t bytes, const void *data,
                              het__gpu_memory **memory, het_error *err);
    /* Optional: whole pages of the host that kernels read in place for as long as it is; false:
     * not these. */
    bool (*memory_import)(het__gpu *gpu, const void *host, size_t bytes, het__gpu_memory **memory);
    bool imports_once; /* a page can be in one import only: neighbours are imported together */
    void (*memory_free)(het__gpu *gpu, het__gpu_memory *memory);
    het__gpu_memory *(*memory_of)(const het__buffer *buffer);

    /* Bytes of a memory to and from the host, behind all that was started. Both block. */
    het_status (*memory_read)(het__gpu *gpu, het__gpu_memory *memory, size_t offset, void *target,
                              size_t bytes, het_error *err);
    het_status (*memory_write)(het__gpu *gpu, het__gpu_memory *memory, size_t offset,
                               const void *source, size_t bytes, het_error *err);
    /* Optional, all or none: bytes from the host beside what is started. They come after `after`
     * (NULL: at once) and are there at *event; the source stays as it is until then. mark: an event
     * when all that was started so far has ended. await: what is started from now on begins after
     * it. settle: the host waits for it. state: HET_E_BUSY while it is to come, HET_OK afterwards,
     * or why it never comes; does not wait. Events are given back by forget, which takes NULL. */
    het_status (*upload)(het__gpu *gpu, het__gpu_memory *memory, size_t offset, const void *source,
                         size_t bytes, void *after, void **event, het_error *err);
    /* Optional: so many uploads may be remembered at once; before the first, while nothing runs. */
    het_status (*uploads_reserve)(het__gpu *gpu, size_t count, het_error *err);
    het_status (*mark)(het__gpu *gpu, void **event, het_error *err);
    het_status (*await)(het__gpu *gpu, void *event, het_error *err);
    het_status (*settle)(het__gpu *gpu, void *event, het_error *err);
    het_status (*state)(het__gpu *gpu, void *event, het_error *err);
    void (*forget)(het__gpu *gpu, void *event);
    /* Optional: when an upload that has ended ran, by het__now_ns(); false: not known. */
    bool (*times)(het__gpu *gpu, void *event, uint64_t *begin_ns, uint64_t *end_ns);

    /* Around what a step of a program starts; is_first: of this program. drop() instead of end():
     * it was not started whole, does not count, and has ended when drop() returns. */
    het_status (*begin)(het__gpu *gpu, bool is_first, het_error *err);
    /* Optional, between these: what is started from now on is a call's. Where is_unordered, it
     * waits for the calls that this one names, and for nothing else of its program. */
    het_status (*call)(het__gpu *gpu, het__gpu_call *call, het_error *err);
    het_status (*end)(het__gpu *gpu, het_error *err);
    void (*drop)(het__gpu *gpu);

    /* Optional: see het__gpu_dense_init() and het__gpu_dense_run(). */
    het_status (*dense_init)(het__gpu_call *call, het__gpu_product *product, int64_t rows_max,
                             het_error *err);
    het_status (*dense_run)(het__gpu_call *call, const het__gpu_product *product,
                            const het__gpu_product_step *step, bool *done, het_error *err);
} het__gpu_driver;

typedef struct het__gpu_kept het__gpu_kept; /* a constant on the device */
typedef struct het__gpu_experts het__gpu_experts; /* experts.h */
typedef struct het__gpu_stream het__gpu_stream; /* stream.h */
typedef struct het__gpu_notes het__gpu_notes; /* notes.h */

/* Uploads that are not known to have ended: sent.h. */
typedef struct het__gpu_sent {
    void **events; /* a ring */
    size_t first, count, max;
    uint64_t last; /* number of the latest */
} het__gpu_sent;

struct het__gpu {
    const het__gpu_driver *driver;
    const het__gpu_facts *facts;
    het__host host;
    bool weights_mapped; /* constants are used where they lie, if that can be */
    bool rounds;         /* rows may be rounded to 8 bits beside weights of block types */
    bool rounds_small;   /* beside small weights too; for tests */
    bool is_unordered;   /* what is started runs in order only where that is asked for */
    bool only_asks;      /* for what a node would need: memory is not looked at */
    bool is_gone;        /* lost or hanging: nothing is asked of the driver any more */
    het__gpu_kept *kept;
    uint64_t expert_bytes; /* 0: all experts are constants like others */
    uint32_t expert_keep;  /* het_expert_keep */
    het__gpu_experts *experts; /* NULL: no mixture yet, or no limit */
    het__gpu_sent sent;
    het__gpu_notes *notes; /* NULL: nothing is brought */
    struct het__gpu_scratch *scratch;
    uint32_t stream_slots; /* of slices that stream; 0: there are none */
    het__gpu_stream *stream; /* NULL: none was compiled */
    het__backend_counters counters;
    uint64_t rounded_count; /* calls whose rows are rounded to 8 bits */
};

typedef struct het__gpu_scratch {
    struct het__gpu_scratch *next;
    het__gpu_memory *mem;
    size_t bytes;
    uint32_t user_count; /* programs */
} het__gpu_scratch;

struct het__program {
    het__arena arena;
    uint32_t call_count;
    het__gpu_call *calls;
    het__gpu_kernel *kernels;
    het__gpu_scratch *scratch; /* NULL: no call wants any */
    bool has_run;
    struct het__gpu_item *item; /* what comes before it runs; NULL: nothing */
    void **waits; /* room for what is waited for at once, where is_unordered; arena */
    void *own;    /* the backend's; arena */
};

/* What het__backend says of the functions without het__gpu_. */
bool het__gpu_supports(const het__graph *graph, const het__node *node, char *reason, size_t bytes);
/* The same for a device of these facts: the operation is prepared for as many rows as would need
 * every kernel that it has, by a driver of which only the function kernel is called. */
bool het__gpu_supports_by(const het__gpu_driver *driver, const het__gpu_facts *facts,
                          const het__graph *graph, const het__node *node, char *reason,
                          size_t bytes);
het_status het__gpu_compile(het__gpu *gpu, const het__slice *slice, het__program **program,
                            het_error *err);
void het__gpu_release(het__gpu *gpu, het__program *program);
het_status het__gpu_enqueue(het__gpu *gpu, het__program *program, const int64_t *symbols,
                            het_error *err);

/* Scratch of at least so many bytes, for a program, which leaves it when it is released. */
het_status het__gpu_scratch_take(het__gpu *gpu, size_t bytes, het__gpu_scratch **scratch,
                                 het_error *err);
void het__gpu_scratch_leave(het__gpu *gpu, het__gpu_scratch *scratch);

/* What calls wait for, and the bytes that they touch: once they are prepared. */
het_status het__gpu_order(het__gpu *gpu, het__program *program, const int64_t *symbols_max,
                          het_error *err);
/* Whether one of these bytes is written by one of both and used by the other. */
bool het__gpu_touches(const het__program *program, const het__gpu_touch *touch);

/* A constant as it lies. */
het_status het__gpu_keep_plain(het__gpu *gpu, const het__slice *slice, het__gpu_operand *operand,
                               size_t bytes, het_error *err);
/* Before the device is closed. */
void het__gpu_drop_constants(het__gpu *gpu);
/* A constant, or those of a slice that are not read while it is compiled alone, stay where their
 * data says; without a borrower all do. */
het_status het__gpu_keep_data(const het__slice *slice, const het__value *value, const void *data,
                              het_error *err);
het_status het__gpu_keep_slice(const het__gpu *gpu, const het__slice *slice, het_error *err);

#endif /* HET_GPU_DRIVER_H */

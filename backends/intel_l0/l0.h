/* SPDX-License-Identifier: Apache-2.0 */
/* The Level Zero backend inside: what its files share. Kernels and arguments are the affair of
 * backends/gpu, for which memory is an address of unified shared memory and a kernel's handle a
 * het__l0_kernel. */
#ifndef HET_L0_H
#define HET_L0_H

#include <level_zero/ze_api.h>

#include "backends/gpu/driver.h"

/* ---- devices of the machine (probe.c) ---- */

#define HET__L0_NO_GROUP UINT32_MAX

typedef struct het__l0_found {
    ze_driver_handle_t driver;
    ze_device_handle_t id;
    het_device_info info;
    char physical[32];
    het__gpu_facts facts;
    ze_api_version_t api; /* of the driver */
    uint32_t ordinal;     /* of the group of queues that compute */
    uint32_t copy_ordinal; /* of one that only copies, beside it; HET__L0_NO_GROUP: none */
    double tick_ns;       /* of the device's clock; 0: not known */
    uint64_t clock_mask, kernel_mask; /* bits of the clock, and of the times of kernels */
    bool is_stand_in;     /* compiles a kernel when it first runs */
} het__l0_found;

typedef struct het__l0_list {
    uint32_t count;
    het__l0_found device[HET__DEVICES_MAX];
    char reason[200];
} het__l0_list;

void het__l0_find(const het__host *host, het__l0_list *list);

/* ---- an opened device (device.c) ---- */

/* Programs that may be under way, or whose times are remembered. */
#define HET__L0_RING 64

typedef struct het__l0_run {
    ze_event_handle_t first, last; /* of its first kernel; of its end */
    bool has_first;
    bool is_first;             /* of its program */
    uint64_t begin_ns, end_ns; /* when retired, by het__now_ns(); 0: not known */
} het__l0_run;

typedef struct het__l0_module {
    struct het__l0_module *next;
    char *key; /* file and options */
    ze_module_handle_t module;
} het__l0_module;

typedef struct het__l0_kernel {
    ze_kernel_handle_t kernel;
    ze_result_t failed; /* of an argument; shown when the kernel is started */
    uint32_t group[3];  /* as set last */
} het__l0_kernel;

typedef ze_result_t(ZE_APICALL *het__l0_import_fn)(ze_driver_handle_t, void *, size_t);
typedef ze_result_t(ZE_APICALL *het__l0_unimport_fn)(ze_driver_handle_t, void *);

struct het__device {
    het__gpu gpu; /* first: what one points to the other does */
    bool has_stopped; /* lost, so that it uses nothing any more; else, if gpu.is_gone, it may */
    het__l0_found found;
    ze_context_handle_t context;
    ze_command_list_handle_t list; /* immediate, asynchronous */
    ze_command_list_handle_t copies; /* the same of the queue that only copies, which runs beside
                                        it; idle between calls. NULL: list does what it would */
    bool is_in_order;      /* the list keeps the order by itself */
    bool has_unordered;    /* something was started that no barrier stands behind */
    ze_event_pool_handle_t pool;
    ze_event_handle_t own; /* of copies that block */
    bool own_is_used;      /* it may be signalled */
    ze_event_handle_t end; /* of the list */
    struct het__l0_uploads *uploads; /* NULL: nothing is brought beside programs */
    void *staging;         /* host memory that those copies go through; NULL: not needed yet */
    het__l0_import_fn import_pointer; /* NULL: the driver has none */
    het__l0_unimport_fn release_pointer;
    uint64_t enqueued, retired; /* programs */
    het__l0_run ring[HET__L0_RING];
    het__l0_run *open_run; /* that launches belong to, or NULL */
    uint64_t clock_ns, clock_ticks; /* host's and device's clock at one moment; 0: not known */
    het__l0_module *modules;
    uint32_t loaded_count; /* modules that the cache gave */
};

/* How memory of the host came to be the device's. */
typedef enum het__l0_origin { HET__L0_OWN, HET__L0_POINTER, HET__L0_MAPPED } het__l0_origin;

struct het__buffer {
    void *at;
    bool is_host; /* the host reaches it */
    het__l0_origin origin;
    uint64_t last_use; /* number of the program that was enqueued last with it; 0: none */
};

/* The device whose part this is. */
static inline het__device *het__l0_device(het__gpu *gpu)
{
    return (het__device *)gpu;
}

het_status het__l0_open(const het__host *host, uint32_t index, const het__open_options *options,
                        het__device **device, het_error *err);
void het__l0_close(het__device *device);
/* A list of a group of queues, immediate and asynchronous; in order as the device's own is. */
ze_result_t het__l0_list_make(het__device *device, uint32_t ordinal,
                              ze_command_list_handle_t *list);
ze_result_t het__l0_event_make(ze_event_pool_handle_t pool, uint32_t index,
                               ze_event_handle_t *event);

/* ---- memory (memory.c) ---- */

het_status het__l0_buffer_create(het__device *device, size_t bytes, het__buffer **buffer,
                                 het_error *err);
void het__l0_buffer_destroy(het__device *device, het__buffer *buffer);
void *het__l0_buffer_host(het__device *device, het__buffer *buffer);
/* Pages of the host through Intel's function, counted for the process (imports.c). Who cannot wait
 * for what still uses them leaves without telling the driver, and so does whoever leaves after a
 * device that may go on. Thread-safe. */
bool het__l0_range_take(const het__device *device, void *host, size_t bytes);
void het__l0_range_leave(const het__device *device, void *host, bool tells);
bool het__l0_range_begins(const het__device *device, const void *host);
het_status het__l0_buffer_import(het__device *device, void *host, size_t bytes,
                                 het__buffer **buffer, het_error *err);
het_status het__l0_buffer_write(het__device *device, het__buffer *buffer, size_t offset,
                                const void *source, size_t bytes, het_error *err);
het_status het__l0_buffer_read(het__device *device, het__buffer *buffer, size_t offset,
                               void *target, size_t bytes, het_error *err);
/* Parts of the table of driver.c. */
het_status het__l0_memory_make(het__gpu *gpu, size_t bytes, const void *data,
                               het__gpu_memory **memory, het_error *err);
bool het__l0_memory_import(het__gpu *gpu, const void *host, size_t bytes,
                           het__gpu_memory **memory);
void het__l0_memory_free(het__gpu *gpu, het__gpu_memory *memory);
het__gpu_memory *het__l0_memory_of(const het__buffer *buffer);
het_status het__l0_memory_read(het__gpu *gpu, het__gpu_memory *memory, size_t offset, void *target,
                               size_t bytes, het_error *err);
het_status het__l0_memory_write(het__gpu *gpu, het__gpu_memory *memory, size_t offset,
                                const void *source, size_t bytes, het_error *err);

/* ---- what was enqueued (events.c) ---- */

/* The longest that anything but a wait of the core's blocks. */
#define HET__L0_PATIENCE_NS UINT64_C(10000000000)

/* Before anything is appended: it runs behind what was. */
het_status het__l0_order(het__device *device, het_error *err);
/* What was appended has ended, or HET_E_TIMEOUT. */
het_status het__l0_drain(het__device *device, uint64_t timeout_ns, het_error *err);
/* An event is signalled in time; 0: no limit. */
het_status het__l0_await(het__device *device, ze_event_handle_t event, uint64_t timeout_ns,
                         het_error *err);
/* An event behind all that was appended. */
het_status het__l0_signal_end(het__device *device, ze_event_handle_t event, het_error *err);
/* The device's own event is as new. Before its use, not after: a failure must leave no event that
 * seems to say that the next copy has ended. */
het_status het__l0_own_reset(het__device *device, het_error *err);
/* All that was appended has ended; inside a program too. */
het_status het__l0_pass(het__device *device, het_error *err);
/* From the beginning of one event to the end of another, both signalled, by het__now_ns(). */
bool het__l0_times(het__device *device, ze_event_handle_t first, ze_event_handle_t last,
                   uint64_t *begin_ns, uint64_t *end_ns);
/* The event that what is copied must wait for if programs up to `count` use it, or NULL. */
ze_event_handle_t het__l0_end_of(const het__device *device, uint64_t count);
het_status het__l0_run_begin(het__gpu *gpu, bool is_first, het_error *err);
het_status het__l0_run_end(het__gpu *gpu, het_error *err);
void het__l0_run_drop(het__gpu *gpu);
het_status het__l0_wait(het__device *device, uint64_t timeout_ns, het_error *err);
het_status het__l0_wait_for(het__device *device, uint64_t count, uint64_t timeout_ns,
                            het_error *err);
bool het__l0_span(het__device *device, uint64_t count, uint64_t *begin_ns, uint64_t *end_ns);

/* ---- uploads (uploads.c): parts of the table of driver.c ---- */

het_status het__l0_uploads_reserve(het__gpu *gpu, size_t count, het_error *err);
void het__l0_uploads_drop(het__device *device); /* nothing is under way */
het_status het__l0_upload(het__gpu *gpu, het__gpu_memory *memory, size_t offset,
                          const void *source, size_t bytes, void *after, void **event,
                          het_error *err);
het_status het__l0_mark(het__gpu *gpu, void **event, het_error *err);
het_status het__l0_await_upload(het__gpu *gpu, void *event, het_error *err);
het_status het__l0_settle(het__gpu *gpu, void *event, het_error *err);
het_status het__l0_state(het__gpu *gpu, void *event, het_error *err);
void het__l0_forget(het__gpu *gpu, void *event);
bool het__l0_upload_times(het__gpu *gpu, void *event, uint64_t *begin_ns, uint64_t *end_ns);

/* ---- kernels (modules.c, driver.c) ---- */

het_status het__l0_module_of(het__device *device, const char *file, const char *options,
                             ze_module_handle_t *module, het_error *err);
void het__l0_drop_modules(het__device *device);
het_status het__l0_kernel_make(het__gpu *gpu, const char *file, const char *name,
                               const char *options, void **handle, het_error *err);
void het__l0_kernel_release(het__gpu *gpu, void *handle);
het_status het__l0_launch(het__gpu *gpu, void *handle, uint32_t dimensions, const size_t *global,
                          const size_t *local, het_error *err);
void het__l0_argument(void *handle, uint32_t index, size_t bytes, const void *value);

extern const het__gpu_driver het__l0_driver;
/* The same where only what a node would need is asked for. */
extern const het__gpu_driver het__l0_asking;

het_status het__l0_measure(het__device *device, het_device_figures *figures, het_error *err);

/* ---- state (sysman.c) ---- */

/* Whether drivers were asked to offer system management. */
bool het__l0_has_sysman(void);
/* Fills what is known; state is zero. From any thread. */
void het__l0_read_state(ze_device_handle_t id, het_device_state *state);

/* ---- codes (error.c) ---- */

/* A status and a sentence for a code that is not ZE_RESULT_SUCCESS; what: "zeInit". */
het_status het__l0_fail(het_error *err, ze_result_t code, const char *what);
/* The same, and the device is not asked again if it is lost. */
het_status het__l0_failed(het__device *device, het_error *err, ze_result_t code,
                          const char *what);

#endif /* HET_L0_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenCL backend inside: what its files share. Kernels and arguments are the affair of
 * backends/gpu, for which memory is a cl_mem and a kernel's handle a cl_kernel. */
#ifndef HET_OPENCL_H
#define HET_OPENCL_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 300
#endif
#include <CL/cl.h>

#include "backends/gpu/driver.h"

/* Newer than the headers of some distributions, or of a vendor. */
#define HET__CL_DEVICE_PCI_BUS_INFO 0x410F
#define HET__CL_DEVICE_TOPOLOGY_AMD 0x4037
#define HET__CL_DEVICE_PCI_BUS_ID_NV 0x4008
#define HET__CL_DEVICE_PCI_SLOT_ID_NV 0x4009
#define HET__CL_DEVICE_PCI_DOMAIN_ID_NV 0x400A

/* ---- devices of the machine (probe.c) ---- */

typedef struct het__cl_found {
    cl_platform_id platform;
    cl_device_id id;
    het_device_info info;
    char physical[32];
    het__gpu_facts facts;
    uint32_t version;        /* of OpenCL: 10 * major + minor */
    bool svm_fine;           /* fine-grained buffers */
    bool keeps_binaries;     /* programs may be saved and loaded again */
    bool runs_unordered;     /* has queues out of order */
    uint32_t rank;           /* of drivers of one piece of hardware the largest wins */
} het__cl_found;

typedef struct het__cl_list {
    uint32_t count;
    het__cl_found device[HET__DEVICES_MAX];
    bool is_short; /* the host's memory ran out while looking: there may be more */
    char reason[200];
} het__cl_list;

void het__cl_find(const het__host *host, het__cl_list *list);
/* Keep one of those with the same physical place: the first of the highest rank. Order stays. */
void het__cl_drop_twins(het__cl_list *list);

/* ---- an opened device (device.c) ---- */

/* Programs that may be under way, or whose times are remembered. */
#define HET__CL_RING 64

typedef struct het__cl_run {
    cl_event first, last; /* NULL: retired, or nothing was started */
    bool is_first;        /* of its program */
    het__program *program; /* NULL: released, or none of its calls was begun */
    uint64_t enqueued_ns;      /* by the host's clock */
    uint64_t begin_ns, end_ns; /* when retired, by the device's clock; 0: not known */
} het__cl_run;

/* What this backend keeps with a program. */
typedef struct het__cl_program {
    uint64_t last_ns; /* what its last run took; 0: not known */
} het__cl_program;

typedef struct het__cl_build {
    struct het__cl_build *next;
    char *key; /* file and options */
    cl_program program;
} het__cl_build;

struct het__device {
    het__gpu gpu; /* first: what one points to the other does */
    het__cl_found found;
    cl_context context;
    cl_command_queue queue;
    cl_command_queue copies;  /* of buffers, by and for the host */
    cl_command_queue uploads; /* of experts; NULL: all of them are there */
    bool import_is_known, import_works;
    uint64_t enqueued, retired; /* programs */
    het__cl_run ring[HET__CL_RING];
    het__cl_run *open_run;  /* that launches belong to, or NULL */
    het__gpu_call *open_call; /* in order.c, where the queue is out of order */
    int64_t clock_ns;       /* host's clock minus the device's */
    uint64_t clock_set_ns;  /* when that was found out */
    het__cl_build *builds;
    uint32_t loaded_count;  /* programs that the cache gave */
};

struct het__buffer {
    cl_mem mem;
    void *host; /* NULL: the host cannot reach it in place */
    void *svm;  /* to be freed */
};

/* The device whose part this is. */
static inline het__device *het__cl_device(het__gpu *gpu)
{
    return (het__device *)gpu;
}

het_status het__cl_open(const het__host *host, uint32_t index, const het__open_options *options,
                        het__device **device, het_error *err);
void het__cl_close(het__device *device);
het_status het__cl_buffer_create(het__device *device, size_t bytes, het__buffer **buffer,
                                 het_error *err);
void het__cl_buffer_destroy(het__device *device, het__buffer *buffer);
void *het__cl_buffer_host(het__device *device, het__buffer *buffer);
het_status het__cl_buffer_import(het__device *device, void *host, size_t bytes,
                                 het__buffer **buffer, het_error *err);
het_status het__cl_buffer_write(het__device *device, het__buffer *buffer, size_t offset,
                                const void *source, size_t bytes, het_error *err);
het_status het__cl_buffer_read(het__device *device, het__buffer *buffer, size_t offset,
                               void *target, size_t bytes, het_error *err);
/* Whether kernels see host memory in place; tried once. */
bool het__cl_imports(het__device *device);
/* het__cl_fail(), and the device is not asked again if it is lost. */
het_status het__cl_failed(het__device *device, het_error *err, cl_int code, const char *what);

/* ---- what was enqueued (events.c) ---- */

het_status het__cl_run_begin(het__device *device, het_error *err);
void het__cl_run_event(het__device *device, cl_event event); /* takes it over */
/* The program was not started whole: it does not count, and what was started has ended. */
void het__cl_run_drop(het__device *device);
het_status het__cl_run_end(het__device *device, het_error *err);
het_status het__cl_wait(het__device *device, uint64_t timeout_ns, het_error *err);
het_status het__cl_wait_for(het__device *device, uint64_t count, uint64_t timeout_ns,
                            het_error *err);
bool het__cl_span(het__device *device, uint64_t count, uint64_t *begin_ns, uint64_t *end_ns);
/* When an event that has ended ran, by het__now_ns(). */
bool het__cl_times(const het__device *device, cl_event event, uint64_t *begin_ns,
                   uint64_t *end_ns);
/* The event that ends when the first count programs have, or NULL: they have. */
cl_event het__cl_last_event(const het__device *device, uint64_t count);

/* ---- what waits for what (order.c) ---- */

/* Events for the next command of the queue; *events is good until then. */
cl_uint het__cl_waits(het__device *device, const cl_event **events);
void het__cl_call_event(het__device *device, cl_event event); /* takes it over */
het_status het__cl_call(het__gpu *gpu, het__gpu_call *call, het_error *err);
/* Of the program that is open: finds the event of its end; or gives all events back. */
het_status het__cl_calls_end(het__device *device, het_error *err);
void het__cl_calls_forget(het__device *device);
/* The next command of the queue waits for all before it. */
het_status het__cl_behind_all(het__device *device, het_error *err);
/* What a copy between the host and these bytes must wait for, or NULL. */
cl_event het__cl_copy_after(const het__device *device, const het__gpu_touch *copy);
void het__cl_program_gone(het__device *device, const het__program *program);

/* ---- kernels (build.c, kernel_cache.c) ---- */

het_status het__cl_build_of(het__device *device, const char *file, const char *options,
                            cl_program *program, het_error *err);
/* The same for a source that is in no file. */
het_status het__cl_build_source(het__device *device, const char *file, const char *text,
                                size_t bytes, const char *options, cl_program *program,
                                het_error *err);
/* Built from what a former start left; NULL: there is nothing that fits. */
cl_program het__cl_cache_load(het__device *device, const char *options, const char *text,
                              size_t bytes);
void het__cl_cache_store(het__device *device, const char *options, const char *text, size_t bytes,
                         cl_program program);

/* ---- what operations and the backend ask for (driver.c, measure.c, error.c) ---- */

extern const het__gpu_driver het__cl_driver;

/* A status and a sentence for a code of OpenCL that is not CL_SUCCESS; what: "clFinish". */
het_status het__cl_fail(het_error *err, cl_int code, const char *what);
het_status het__cl_measure(het__device *device, het_device_figures *figures, het_error *err);

#endif /* HET_OPENCL_H */

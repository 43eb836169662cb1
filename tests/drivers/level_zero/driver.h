/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Level Zero test driver share: objects behind the handles, and one lock.
 *
 * A handle is the address of an object. Destroyed objects stay as marked shells until the process
 * ends, so that a handle used too late is told from a living one. Everything that changes after its
 * creation is guarded by zd.lock, and zd.changed is signalled whenever something did. */
#ifndef ZD_DRIVER_H
#define ZD_DRIVER_H

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS

#include <CL/cl.h>
#include <level_zero/ze_api.h>
#include <level_zero/ze_ddi.h>
#include <level_zero/zes_ddi.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"

typedef enum zd_kind {
    ZD_DRIVER = 1,
    ZD_DEVICE,
    ZD_CONTEXT,
    ZD_MODULE,
    ZD_BUILD_LOG,
    ZD_KERNEL,
    ZD_LIST,
    ZD_QUEUE,
    ZD_FENCE,
    ZD_POOL,
    ZD_EVENT,
    ZD_SENSOR,
    ZD_KIND_COUNT
} zd_kind;

typedef struct zd_device zd_device;

/* The head of every object. */
typedef struct zd_object {
    uint32_t magic;
    zd_kind kind;
    zd_device *device; /* that it belongs to, or NULL */
    uint64_t age;      /* of the driver when it was made, see zd_driver */
    struct zd_object *next; /* of all objects, living or not */
} zd_object;

struct zd_device {
    zd_object o;
    uint32_t index;
    uint64_t lost_age;   /* objects of this age and older are lost with it; 0: none is */
    uint64_t hang_age;   /* the same where a queue hangs */
    uint32_t running;    /* queues that are executing something */
    uint64_t used_bytes; /* of its memory */
    uint64_t busy_ns;    /* executing kernels */
};

typedef struct zd_context {
    zd_object o;
} zd_context;

typedef struct zd_driver {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    zd_object o; /* the handle of the driver */
    bool is_ready;
    /* Grows with the first context after a device was lost or hung: what is made from then on
     * works, as it does after the kernel has reset a GPU, and what was there before does not. */
    uint64_t age;
    zd_device devices[ZE_TEST_DEVICES_MAX];
    uint32_t device_count;
    uint64_t memory_bytes; /* of each device */
    uint32_t version;
    bool reorders;
    bool is_card; /* not integrated */
    bool has_dot; /* devices say that they have DP4a */
    bool has_dot_extension; /* and by Intel's extension only */
    const char *cache_folder; /* or NULL */
    ze_test_counters counters;
    cl_context cl;
    cl_device_id cl_device;
} zd_driver;

extern zd_driver zd;

/* ---- object.c ---- */

/* Zeroed, of the given size; NULL: no memory. */
void *zd_new(size_t bytes, zd_kind kind, zd_device *device);
/* A shell is left. The caller frees what the object owned. */
void zd_retire(void *object);
bool zd_is(const void *object, zd_kind kind);
/* Lost with its device, or beside a queue that hangs; with zd.lock held. */
bool zd_is_lost(const zd_object *object);
bool zd_hangs(const zd_object *object);
/* Everything that was lost or hangs is freed, as when a process ends. */
void zd_reclaim(void);
/* The beginning of every function: counts the call, looks at the handle, gives the fault that is
 * due. device: the one that the call is for; NULL: the object's. */
ze_result_t zd_enter(const char *call, const void *object, zd_kind kind, const void *device);
/* The same for functions that release: they work on lost devices and have no faults. */
ze_result_t zd_enter_release(const char *call, const void *object, zd_kind kind);
void zd_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void zd_report_leaks(void);

/* ---- fault.c ---- */

typedef enum zd_effect { ZD_NO_EFFECT, ZD_HANG, ZD_LOSE, ZD_LOSE_FOR_EVER, ZD_FLIP, ZD_NAN }
    zd_effect;

/* With zd.lock held. */
ze_result_t zd_fault_of_call(const char *call, zd_device *device);
zd_effect zd_fault_of_launch(const char *kernel, const zd_device *device, uint32_t *slow_ms);
void zd_lose(zd_device *device, bool for_ever);
/* A device that is lost has stopped: before anybody is told so. */
void zd_stopped(const zd_device *device);
/* Arm what HETINFER_ZE_FAULT says, if that is new. */
void zd_read_faults(void);

/* ---- clock.c ---- */

#define ZD_TICKS_PER_SECOND 19200000u
#define ZD_TIMESTAMP_BITS 32

uint64_t zd_now_ns(void);
/* The device's counter at a time: it wraps soon after the start, and does not begin at 0. */
uint64_t zd_ticks(uint64_t ns);
/* Wait for a change of anything, with zd.lock held. False: deadline_ns has passed. */
bool zd_wait_until(uint64_t deadline_ns);
/* UINT64_MAX, or one that does not fit, is for ever. */
uint64_t zd_deadline(uint64_t timeout_ns);
void zd_sleep_ms(uint32_t ms);

/* ---- memory.c ---- */

typedef struct zd_memory {
    uint8_t *base;
    size_t bytes;
    ze_memory_type_t type;
    zd_device *device; /* NULL: of the host */
    uint32_t imports; /* 0: allocated; else how often it was imported */
    uint64_t id;
    uint64_t age; /* of the context that it was allocated in */
} zd_memory;

/* What lies at an address, with zd.lock held; NULL: nothing that was allocated. */
const zd_memory *zd_memory_at(const void *at);
/* Whether a range lies in one allocation, or in none (then it is the host's). Complains. */
bool zd_range_is_sound(const char *what, const void *at, size_t bytes);
void zd_count_memory_left(void);
/* Of what is as old, or older, on a device; NULL: the host's, and imported. */
void zd_free_memory(const zd_device *device, uint64_t age);
ze_result_t zd_import(ze_driver_handle_t driver, void *at, size_t bytes);
ze_result_t zd_release_import(ze_driver_handle_t driver, void *at);

/* ---- spirv.c ---- */

typedef struct zd_key {
    uint64_t a, b;
} zd_key;

void zd_hash(zd_key *key, const void *data, size_t bytes);
/* SPIR-V with constants to bitcode that PoCL takes, in memory of malloc; NULL, and log says why. */
void *zd_translate(const void *spirv, size_t bytes, const ze_module_constants_t *constants,
                   zd_key *key, size_t *bitcode_bytes, char *log, size_t log_bytes);

/* ---- dot.c ---- */

/* Whether an instruction of a module says that its function for DP4a comes from elsewhere. */
bool zd_is_dot_import(const uint32_t *words, uint32_t count);
/* The module with the function in it, *bytes long, for free(). NULL: no memory. */
void *zd_define_dot(const void *spirv, size_t *bytes);

/* ---- module.c ---- */

typedef struct zd_module {
    zd_object o;
    zd_context *context;
    cl_program program; /* shared by modules of equal keys, kept until the end */
    zd_key key;
    void *bitcode;
    size_t bitcode_bytes;
    char *names;  /* of its kernels, ended by NUL each */
    uint32_t name_count;
    uint32_t kernels; /* living */
} zd_module;

/* ---- kernel.c ---- */

typedef enum zd_arg_kind { ZD_ARG_VALUE, ZD_ARG_POINTER, ZD_ARG_LOCAL } zd_arg_kind;

#define ZD_VALUE_MAX 128

typedef struct zd_arg {
    zd_arg_kind kind;
    size_t want; /* bytes; 0: not known */
    size_t bytes;
    bool is_set;
    union {
        void *pointer;
        uint8_t value[ZD_VALUE_MAX];
    } is;
} zd_arg;

typedef struct zd_kernel {
    zd_object o;
    zd_module *module;
    cl_kernel kernel;
    pthread_mutex_t setting; /* from the first argument set to the enqueueing */
    char name[128];
    uint32_t arg_count;
    zd_arg *args;
    uint32_t group[3];    /* 0: not set */
    uint32_t required[3]; /* 0: any */
    uint64_t local_bytes; /* of its own, without arguments */
} zd_kernel;

/* ---- list.c, run.c ---- */

typedef struct zd_event zd_event;
typedef struct zd_list zd_list;
typedef struct zd_queue zd_queue;
typedef struct zd_fence zd_fence;

typedef enum zd_op_kind {
    ZD_LAUNCH,
    ZD_COPY,
    ZD_FILL,
    ZD_BARRIER,
    ZD_SIGNAL,
    ZD_RESET,
    ZD_QUERY, /* timestamps of an event to memory */
    ZD_CLOCK  /* time to memory */
} zd_op_kind;

/* One command. */
typedef struct zd_op {
    struct zd_op *next;
    zd_op_kind kind;
    zd_event *signal; /* when it has ended; or NULL */
    zd_event **waits;
    uint32_t wait_count;
    zd_kernel *kernel;
    zd_arg *args; /* as they were when it was appended */
    size_t global[3], local[3];
    void *target;
    const void *source;
    size_t bytes;
    uint8_t pattern[ZD_VALUE_MAX];
    size_t pattern_bytes;
    zd_event *event; /* of RESET and QUERY */
} zd_op;

struct zd_list {
    zd_object o;
    zd_context *context;
    zd_queue *queue; /* of an immediate list; else NULL */
    bool is_closed, is_copy_only, is_synchronous;
    uint32_t pending; /* executions that have not ended */
    zd_op *first, *last;
};

/* What a queue has to do: a list, or one command of an immediate list, which it then owns. */
typedef struct zd_item {
    struct zd_item *next;
    zd_list *list;
    zd_op *op;
    zd_fence *fence;
} zd_item;

struct zd_queue {
    zd_object o;
    zd_context *context;
    pthread_t thread;
    cl_command_queue cl;
    zd_item *first, *last;
    uint64_t submitted, finished; /* items */
    uint64_t ops_submitted, ops_ended;
    bool is_stopping, is_copy_only, is_synchronous;
    bool hangs; /* a kernel that does not end */
    bool is_unfinished; /* PoCL may still be at work; the worker's own */
};

struct zd_fence {
    zd_object o;
    zd_queue *queue;
    bool is_signalled;
    uint32_t pending;
};

/* Whether a kernel can be appended to a list. Complains. */
ze_result_t zd_check_launch(const zd_list *list, const zd_kernel *kernel,
                            const ze_group_count_t *groups);
void zd_free_ops(zd_op *first);
/* What a list owns, its queue too. */
void zd_drop_list(zd_list *list);
/* Execute commands in order, as a queue's thread. False: the device is lost, or hangs. */
bool zd_run(zd_queue *queue, zd_op *first);

/* ---- queue.c ---- */

ze_result_t zd_queue_start(zd_context *context, zd_device *device,
                           const ze_command_queue_desc_t *desc, zd_queue **queue);
/* Ends the thread; what it has not begun is dropped. */
void zd_queue_stop(zd_queue *queue);
/* Takes list or op. */
ze_result_t zd_queue_push(zd_queue *queue, zd_list *list, zd_op *op, zd_fence *fence);
ze_result_t zd_queue_wait(zd_queue *queue, uint64_t timeout_ns);

/* ---- event.c ---- */

typedef struct zd_pool {
    zd_object o;
    zd_context *context;
    uint32_t count;
    bool has_timestamps, is_host_visible;
    zd_event **events; /* per index, or NULL */
    uint32_t living;
} zd_pool;

struct zd_event {
    zd_object o;
    zd_pool *pool;
    uint32_t index;
    bool is_signalled;
    uint32_t pending; /* commands given to queues that will signal it */
    uint32_t resets;  /* commands given to queues that will reset it, since it was signalled */
    uint64_t begin_ns, end_ns;
};

/* Until something has ended, with zd.lock held. A device that hangs is lost after a while to
 * whoever waits without a limit. */
ze_result_t zd_wait_for(bool (*is_done)(const void *), const zd_object *what,
                        uint64_t timeout_ns);
/* With zd.lock held. */
void zd_event_signal(zd_event *event, uint64_t begin_ns, uint64_t end_ns);
ze_kernel_timestamp_result_t zd_event_times(const zd_event *event);
/* Whether handles are living events; complains. */
bool zd_events_are_sound(const char *call, ze_event_handle_t signal, uint32_t count,
                         ze_event_handle_t *waits);

/* ---- tables, one per file that has the functions ---- */

extern const ze_global_dditable_t zd_global_table;
extern const ze_driver_dditable_t zd_driver_table;
extern const ze_device_dditable_t zd_device_table;
extern const ze_context_dditable_t zd_context_table;
extern const ze_mem_dditable_t zd_mem_table;
extern const ze_module_dditable_t zd_module_table;
extern const ze_module_build_log_dditable_t zd_build_log_table;
extern const ze_kernel_dditable_t zd_kernel_table;
extern const ze_command_list_dditable_t zd_list_table;
extern const ze_command_queue_dditable_t zd_queue_table;
extern const ze_fence_dditable_t zd_fence_table;
extern const ze_event_pool_dditable_t zd_pool_table;
extern const ze_event_dditable_t zd_event_table;
extern const zes_device_dditable_t zd_sysman_device_table;
extern const zes_power_dditable_t zd_sysman_power_table;
extern const zes_frequency_dditable_t zd_sysman_frequency_table;
extern const zes_temperature_dditable_t zd_sysman_temperature_table;
extern const zes_memory_dditable_t zd_sysman_memory_table;
extern const zes_engine_dditable_t zd_sysman_engine_table;

#endif /* ZD_DRIVER_H */

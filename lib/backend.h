/* SPDX-License-Identifier: Apache-2.0 */
/* One accelerator stack, seen from the core.
 *
 * Call order:
 *     probe -> open -> { supports | buffer_* | compile } -> ready
 *           -> { supports | buffer_* | { enqueue -> wait }* | release } -> close
 *
 * The core checks every argument before it calls in, and never calls two functions of one opened
 * device at the same time, so an implementation neither validates nor locks. It owns what it
 * returns until the matching release, and keeps no pointer that a call lends it, except constants
 * and attributes of a graph, which outlive the opened device.
 *
 * A function marked optional may be NULL; the text says what the core does then.
 *
 * What a status means to the core, whichever function returns it:
 *     HET_E_NOMEM        memory ran out, of the host or of the device; nothing has changed
 *     HET_E_BUSY         not now: the same call may succeed later
 *     HET_E_TIMEOUT      the device does not answer
 *     HET_E_DEVICE_LOST  nothing that is on the device can be used any more
 *     others             this call fails, and would again
 * After TIMEOUT and DEVICE_LOST the core calls no more than release, buffer_destroy and close,
 * which must then end soon: what a device that hangs still holds is left to it.
 */
#ifndef HET_BACKEND_H
#define HET_BACKEND_H

#include "lib/base/hash.h"
#include "lib/base/lender.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/ir/graph.h"
#include "lib/ir/product_unit.h"

#include <hetinfer/device.h>
#include <hetinfer/hardware.h>
#include <hetinfer/session.h>

/* What a backend may use of the context: lent for as long as its devices are open. */
typedef struct het__host {
    het__mem *mem;
    het__log *log;
    bool use_env; /* HETINFER_* variables may be read */
    /* Folder where things may be kept from one start to the next (compiled kernels), or NULL. It
     * need not exist yet. */
    const char *cache_folder;
} het__host;

#define HET__DEVICES_MAX 16
#define HET__IMPORT_ALIGN 4096

/* Result of a probe. */
typedef struct het__probed {
    uint32_t device_count; /* at most HET__DEVICES_MAX */
    het_device_info device[HET__DEVICES_MAX]; /* index and backend are filled by the core */
    /* What is the same for one piece of hardware whichever backend sees it: "pci:0000:00:02.0"; "":
     * not known. Of two devices with the same the core keeps the one of the backend that it
     * prefers. */
    char physical[HET__DEVICES_MAX][32];
    char reason[200]; /* one line: what was found, or why nothing */
} het__probed;

typedef struct het__device het__device;   /* an opened device; each backend defines its own */
typedef struct het__program het__program; /* a compiled slice; each backend defines its own */
typedef struct het__buffer het__buffer;   /* device-reachable memory; each backend its own */

typedef struct het__open_options {
    uint32_t threads;   /* host threads, the caller's included, >= 1 */
    uint32_t precision; /* het_precision */
    bool weights_mapped; /* read constants where they lie; do not re-lay them */
    bool pin_threads;    /* but never the caller's */
    het_parallel_fn parallel; /* runs what threads would; NULL: the device starts its own */
    void *parallel_user;
    /* Folder where constants in a form of the device's own may be kept from one start to the next,
     * or NULL; with weights_mapped they are used where they lie in that folder's files. */
    const char *weight_cache;
    het__hash128 content; /* of the model that constants belong to; with weight_cache only */
    /* A device with memory of its own keeps experts of mixtures within so many bytes, and brings
     * the others when they are chosen; 0: all of them are there. */
    uint64_t expert_bytes;
    uint32_t expert_keep; /* het_expert_keep */
    /* Slices that stream have so many places on the device to take turns in, at least two; 0: there
     * are none. */
    uint32_t stream_slots;
} het__open_options;

/* Where a value of a slice lives on this device. */
typedef struct het__place {
    het__buffer *buffer; /* NULL: not in this slice */
    size_t offset;       /* bytes, a multiple of HET__ALIGN unless imported */
} het__place;

/* A run of nodes that is compiled as one. */
typedef struct het__slice {
    const het__graph *graph;
    const uint32_t *nodes; /* in order of execution */
    uint32_t node_count;
    const het__place *places;   /* per value of the graph: inputs, outputs, temporaries, states.
                                   Constants have none: the backend takes value->data. */
    const int64_t *symbols_max; /* HET__SYM_MAX entries: the most that a step binds */
    /* The backend keeps a copy of its own of these bytes of a constant: what it still reads of the
     * original is little (single rows of a table), so its pages may leave memory. */
    void (*constant_copied)(void *user, const void *data, size_t bytes);
    void *user;
    /* Per node of the graph, of mixtures: uses of each expert, for the device to add to while it
     * runs if its host sees what is chosen. NULL, or of no interest: nothing is counted. */
    uint64_t *const *expert_uses;
    /* Constants of lib/ir/stream.h are not kept on the device: they are brought before each run of
     * the program, if that can be while the program before it runs. */
    bool streams;
    /* For a backend that borrows: constants are read after het__borrow_keep(), or where
     * het__borrow() says. While compiling only; team is the backend's to set meanwhile. NULL:
     * value->data is all there is to it. */
    het__borrower *borrower;
} het__slice;

typedef struct het__backend_counters {
    uint64_t weight_bytes;  /* constants as kept by the device, copies and mapped ones */
    uint64_t mapped_bytes;  /* of these, read where a file is mapped */
    uint64_t scratch_bytes; /* memory of programs */
    uint64_t launch_count;  /* kernels started */
    uint64_t busy_ns;       /* time between start and end of programs */
    /* With expert_bytes: see het_expert_traffic. */
    uint64_t expert_slots, expert_slot_bytes;
    uint64_t expert_hits, expert_misses, expert_evictions, expert_ahead, expert_ahead_hits;
    uint64_t expert_staged_bytes;
    /* With stream_slots. weight_bytes counts the slots. */
    uint64_t stream_slot_bytes; /* all slots */
    uint64_t stream_count, stream_ahead; /* slices' constants brought; of these, before they were
                                            asked for */
    uint64_t streamed_bytes;
} het__backend_counters;

/* Something that was brought to a device beside its programs. */
#define HET__NO_EXPERT UINT32_MAX
typedef struct het__brought {
    uint64_t begin_ns, end_ns; /* by het__now_ns() */
    uint64_t bytes;
    int32_t layer;             /* as its nodes say */
    uint32_t expert;           /* of that layer's mixture; HET__NO_EXPERT: the layer's weights */
    bool is_ahead;             /* before it was asked for */
    bool is_device_clock;      /* the device measured it; else the host, from outside */
} het__brought;

typedef struct het__backend {
    const char *name;
    bool on_demand; /* used only when named */

    /* Report devices. Never fails: no driver means zero devices and a reason. Starts no threads,
     * takes no device memory, changes no process state. */
    void (*probe)(const het__host *host, het__probed *probed);

    /* Make a probed device usable. May block, may fail. */
    het_status (*open)(const het__host *host, uint32_t index, const het__open_options *options,
                       het__device **device, het_error *err);
    void (*close)(het__device *device); /* all buffers and programs are released by then */

    /* Whether the device can run a node; if not, reason (bytes long) says why in a few words. May
     * be asked without an opened device. Pure. */
    bool (*supports)(const het__graph *graph, const het__node *node, char *reason, size_t bytes);
    /* Optional: the same for one of the devices that the last probe reported, where they differ in
     * what they run. NULL: supports. */
    bool (*supports_on)(uint32_t index, const het__graph *graph, const het__node *node,
                        char *reason, size_t bytes);

    /* Optional: what is known of the speed of a probed device without measuring it, for plans.
     * NULL: it is assumed from the device's kind. */
    void (*figures)(uint32_t index, het_device_figures *figures);

    /* Optional: what its driver tells of a probed device's present state, with the bits of known;
     * the rest is zero. From any thread, whatever else runs; does not wait for what runs. NULL:
     * nothing. */
    void (*state)(uint32_t index, het_device_state *state);

    /* Optional: how products are cut, for plans. NULL: not at all. */
    void (*product_unit)(uint32_t index, het__product_unit *unit);

    /* Optional: channels of images that the device likes to have together (see HET__OP_CONV). NULL:
     * none. */
    int32_t (*image_block)(const het__host *host);

    /* Optional: speed figures of the device (blocks). NULL: HET_E_UNSUPPORTED for the user. */
    het_status (*measure)(het__device *device, het_device_figures *figures, het_error *err);

    /* Whether programs may still run after enqueue has returned, so that other devices can work
     * meanwhile. */
    bool is_asynchronous;

    /* Slices may stream (see het__slice). */
    bool streams;

    /* It asks slice->borrower for the constants that it reads. Else they are where value->data says
     * before compile is called. */
    bool borrows;

    /* Products are computed in fewer bits than HET_PRECISION_EXACT allows: the core plans none of
     * them for a session that is to be exact. */
    bool is_reduced;

    /* Memory that kernels reach; zeroed. */
    het_status (*buffer_create)(het__device *device, size_t bytes, het__buffer **buffer,
                                het_error *err);
    void (*buffer_destroy)(het__device *device, het__buffer *buffer);
    /* The buffer's bytes in host memory, valid between steps; NULL if the host cannot reach
     * them: the core then uses read and write. */
    void *(*buffer_host)(het__device *device, het__buffer *buffer);
    /* Optional: a buffer that is `bytes` of host memory at `host` (a multiple of
     * HET__IMPORT_ALIGN, both), which stays where it is until the buffer is destroyed: kernels and
     * host see the same bytes, without a copy, once programs have ended. HET_E_UNSUPPORTED: not
     * this memory. NULL: none. */
    het_status (*buffer_import)(het__device *device, void *host, size_t bytes,
                                het__buffer **buffer, het_error *err);
    /* Optional, of devices whose programs have ended when enqueue returns: an imported buffer's
     * bytes lie at `host` from the next enqueue on, wherever the language lets an element of what
     * lies in it lie. Such a device also imports memory of any size at any such place, reads
     * nothing beyond the value's bytes, and writes to no input. Allocates nothing, touches no
     * bytes, cannot fail. NULL: inputs and outputs of the caller are copied. */
    void (*buffer_move)(het__device *device, het__buffer *buffer, void *host);
    /* Copy between host memory and a buffer. Blocks. Optional where buffer_host never gives
     * NULL. */
    het_status (*buffer_write)(het__device *device, het__buffer *buffer, size_t offset,
                               const void *source, size_t bytes, het_error *err);
    het_status (*buffer_read)(het__device *device, het__buffer *buffer, size_t offset,
                              void *target, size_t bytes, het_error *err);

    /* Prepare a slice. Constants are prepared once per device and shared by its programs. May
     * block for long, may fail; allocates all that running takes. */
    het_status (*compile)(het__device *device, const het__slice *slice, het__program **program,
                          het_error *err);
    void (*release)(het__device *device, het__program *program);
    /* Optional: everything that will ever be compiled on this device has been; the time for what
     * the next start may profit from. May block for long. */
    void (*ready)(het__device *device);

    /* Start a program with symbols bound (HET__SYM_MAX entries). Programs of a device run in the
     * order of their enqueueing. Does not allocate. */
    het_status (*enqueue)(het__device *device, het__program *program, const int64_t *symbols,
                          het_error *err);
    /* Until everything enqueued has ended. timeout_ns 0: no limit. */
    het_status (*wait)(het__device *device, uint64_t timeout_ns, het_error *err);
    /* Optional: until the first `count` programs that were enqueued since the device was opened
     * have ended. NULL: the core calls wait. */
    het_status (*wait_for)(het__device *device, uint64_t count, uint64_t timeout_ns,
                           het_error *err);
    /* Optional: when the program that was enqueued as number `count` (from 1) ran, by
     * het__now_ns(); false if that is not known, or too long ago. Only after it was waited for. */
    bool (*span)(het__device *device, uint64_t count, uint64_t *begin_ns, uint64_t *end_ns);
    /* Optional: what was brought for programs (expert_bytes, stream_slots) and is known to have
     * arrived since this was last called, in its order; at most max, of which the device remembers
     * the last thousand or so. The first call finds none: remembering begins with it. Allocates
     * nothing, does not wait. NULL: nothing is known. */
    uint32_t (*brought)(het__device *device, het__brought *list, uint32_t max);

    void (*counters)(het__device *device, het__backend_counters *counters);
} het__backend;

/* What a backend that is a file of its own exports under the name het__backend_module. It shares
 * structures with the core that made it and no other: build must be equal to the core's. */
typedef struct het__module {
    uint32_t struct_size;
    const char *build; /* HET__MODULE_BUILD */
    const het__backend *backend;
} het__module;

#define HET__MODULE_SYMBOL "het__backend_module"

/* The built-in backends of this build in order of preference, ended by NULL: made from the build
 * options. */
extern const het__backend *const het__backends[];

#endif /* HET_BACKEND_H */

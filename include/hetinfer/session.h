/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file session.h
 * A model compiled for the devices of a plan, with its memory and its state.
 */
#ifndef HETINFER_SESSION_H
#define HETINFER_SESSION_H

#include <hetinfer/plan.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_session het_session;

/** How exactly products with the weights are computed. */
typedef enum het_precision {
    /** Activations are rounded to 8 bits per block where weights are block-quantised, and to
     *  bfloat16 where weights are: the speed that people expect. Small weights are exact.
     *  Results below the least normal F32 (1.2e-38) may become zero, but not in
     *  operations of the application. */
    HET_PRECISION_FAST = 0,
    /** Activations stay F32; weights are exactly what the file says, and numbers below the
     *  least normal F32 what they are, on the CPU. */
    HET_PRECISION_EXACT = 1,
    HET_PRECISION_FORCE_32 = 0x7fffffff
} het_precision;

/** Use weights as they lie in the file: less memory traffic at start, slower steps. With
 *  weight_cache, re-laid weights as they lie in the cache's file. */
#define HET_SESSION_WEIGHTS_MAPPED (UINT64_C(1) << 0)

/** Keep each thread of the session on a processor of its own, the fastest cores first. The caller's
 *  thread is left alone. Not together with het_session_options.parallel. */
#define HET_SESSION_PIN_THREADS (UINT64_C(1) << 1)

/** Check while running, for finding a device or driver at fault: one program at a time, and after
 *  each whether it wrote beyond its outputs or made numbers that are none (NaN, infinity) of
 *  numbers that are. On a device other than the reference that is a failure of the device. Several
 *  times slower. */
#define HET_SESSION_VALIDATE (UINT64_C(1) << 2)

/** Work that het_parallel_fn hands on. index is in [0, count). */
typedef void (*het_task_fn)(void *arg, uint32_t index);

/**
 * Call task(arg, i) once for every i in [0, count), on any threads, and return when all have
 * returned.
 *
 * The more of them run at the same time, the faster the step; even one after the other all of them
 * return, the first having done most of the work. The calling thread may run some. Which thread
 * runs which index may change from call to call. Calls come from the thread that is inside a
 * function of this session (het_session_create(), het_session_step(), het_session_run(),
 * het_session_warmup(), het_generate()), one at a time, about one per layer in each step: handing
 * over within microseconds keeps the full speed. @p task leaves signals and all else of a thread
 * alone; while it waits for others it spins, and then yields. It must not be called after
 * het_parallel_fn has returned. Of this session's functions only het_session_cancel() may be called
 * meanwhile.
 *
 * @param user   The session's parallel_user.
 * @param count  het_session_options.threads.
 * @param task   Work of the library.
 * @param arg    First argument of @p task.
 */
typedef void (*het_parallel_fn)(void *user, uint32_t count, het_task_fn task, void *arg);

/**
 * Options of het_session_create().
 *
 * For a graph model context_max, sequence_max, batch_max, logits_max, kv_dtype, weight_cache,
 * layer_first, layer_count and HET_SESSION_WEIGHTS_MAPPED mean nothing and are not looked at.
 */
typedef struct het_session_options {
    uint32_t struct_size;      /**< sizeof(het_session_options). */
    uint32_t threads;          /**< Host threads, the caller's included; 0 = one per core. */
    uint64_t flags;            /**< HET_SESSION_*. */
    int64_t context_max;       /**< Positions per sequence; 0 = the model's, at most 4096. */
    uint32_t sequence_max;     /**< Sequences alive at once; 0 = 1. */
    uint32_t batch_max;        /**< Tokens per step; 0 = 512. */
    uint32_t logits_max;       /**< Rows of logits per step; 0 = sequence_max. */
    uint32_t kv_dtype;         /**< HET_DTYPE_F16, F32, or Q8_0 (heads of a multiple
                                  of 32); 0 = F16. */
    uint32_t precision;        /**< het_precision. */
    uint32_t reserved;         /**< Zero. */
    const char *devices;       /**< Backends allowed, comma-separated. May be NULL: all. */
    het_progress_fn progress;  /**< May be NULL. */
    void *progress_user;       /**< First argument of progress. */
    het_parallel_fn parallel;  /**< The application's threads. May be NULL: the session's own. */
    void *parallel_user;       /**< First argument of parallel. */
    const char *weight_cache;  /**< Folder that keeps re-laid weights from one start to the next.
                                    May be NULL: none, and the library writes no file. See
                                    het_session_create(). */
    const het_policy *policy;  /**< Copied. May be NULL: everything may run everywhere. */
    uint32_t layer_first;      /**< First layer of a language model that the session runs, so that a
                                    model can be spread over processes; see
                                    het_sequence_append_hidden(). */
    uint32_t layer_count;      /**< Layers from there on; 0 = all that follow. */
} het_session_options;

/** Initial value of a het_session_options. */
#define HET_SESSION_OPTIONS_INIT \
    { sizeof(het_session_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, \
      NULL, NULL, NULL, NULL, 0, 0 }

/**
 * Compile a model and reserve all memory that running it takes.
 *
 * A graph model is compiled here if its inputs leave no extent open, else at the first run for each
 * combination of extents. A device that fails here is given less, or left out; see
 * het_session_step().
 *
 * @param model    Kept alive by the session.
 * @param options  May be NULL: defaults.
 * @param session  Receives the handle.
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID      An option is out of range; the message names it. Or the policy demands
 *                            a device that is not there.
 * @retval HET_E_UNSUPPORTED  No device can run some operation, or may under the policy. Or the
 *                            model's layers cannot be cut there: more than one tensor goes from one
 *                            to the next, or both sides share keys and values.
 * @retval HET_E_FORMAT       A weight of the model's package is corrupt; the message names it.
 * @retval HET_E_CANCELLED    The progress callback asked for it.
 * @retval HET_E_NOMEM        Out of memory.
 *
 * Cost: weights are re-laid for the CPU's instruction set once per session (about the time of
 * reading the file) unless HET_SESSION_WEIGHTS_MAPPED is given. Starts threads - 1 threads and one
 * for each NPU, which mostly sleeps; none if parallel is given.
 *
 * With weight_cache, an existing folder, the re-laid weights are written there once and read from
 * there by later sessions, whose start then costs the reading of one file of about the model's
 * size. A file of the cache belongs to the contents of one model, one instruction set, one
 * precision and one version of the library's forms; it is made when it is missing and replaced when
 * it is damaged. Several sessions and processes may use a folder at once. Contents are known by a
 * hash of all weights: of a model file, computed once and then remembered in the folder by its
 * place, size and times; of a model in memory, in every call. What is read is checked against
 * hashes of its own. A cache that cannot be read or written costs a warning in the log and never
 * the session. With HET_SESSION_WEIGHTS_MAPPED the weights are used where the cache's file is
 * mapped: nothing is read in advance, processes share one copy, and only the file's beginning is
 * checked; if the file cannot be written, this session has its re-laid weights in memory. Nothing
 * is ever removed from the folder but files of the library's own that a newer one replaces: to
 * bound its growth is up to its owner, who may delete any file in it at any time. Whoever can write
 * into the folder decides what the model computes.
 *
 * Of a policy a session keeps the list of devices, the rules, thresholds and limits of memory, all
 * in its plans, and where threads is 0 the limit of threads of the CPU. het_policy_note_at() tells
 * what else is honoured where.
 *
 * Thread-safety: several sessions may be created from one model at once.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_create(const het_model *model,
                                                    const het_session_options *options,
                                                    het_session **session, het_error *err);

/**
 * Run one step: the pending tokens of all sequences, at most batch_max of them.
 *
 * Tokens are taken from the sequences in order of creation; a long prompt takes several steps.
 * After the step, het_sequence_logits() gives the new logits.
 *
 * @param session        Session.
 * @param pending_count  Receives the tokens still pending after the step. May be NULL.
 * @param err            May be NULL.
 *
 * @retval HET_OK             Done; also when nothing was pending.
 * @retval HET_E_INVALID      The session is one of a graph model; the same goes for
 *                            het_sequence_create() and het_generate().
 * @retval HET_E_CANCELLED    het_session_cancel() was called; the tokens of this step are
 *                            pending again.
 * @retval HET_E_BUSY, HET_E_IO, HET_E_NOMEM, HET_E_TIMEOUT, HET_E_DEVICE_LOST, HET_E_INTERNAL
 *                            A device failed, and nothing else could go on, or the policy forbids
 *                            it; err->backend names it. The tokens of this step are pending again,
 *                            and a later step tries anew.
 *
 * A device that fails does not fail the step if the session can go on in another way: it is tried
 * again, given less, or left out of a new plan, for which sequences are run again from their
 * tokens. Each such failure is logged once as a warning. docs/failover.md has the order and the
 * conditions.
 *
 * Cost: allocates nothing, unless a device fails.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_step(het_session *session, uint64_t *pending_count,
                                                  het_error *err);

/**
 * Say where an input of a graph model lies from now on.
 *
 * The bytes are read where they are, in each het_session_run() until another tensor is bound. Only
 * these are copied at the beginning of each run, which het_telemetry.bind_copy_bytes counts:
 * - inputs that a device other than the CPU reads, into its memory;
 * - data at no multiple of its element's size;
 * - bytes that the session itself gave for an output of the last run, which is written again; they
 *   may be bound for the next run, and no longer;
 * - all inputs with HET_SESSION_VALIDATE.
 *
 * The session writes to no input. Unbound or bound elsewhere, memory is looked at no more.
 * Extents may differ from one binding to the next where the model leaves them open; each new
 * combination is compiled at its first run, and the last four are kept.
 *
 * @param session  Session of a graph model.
 * @param name     Name of the input.
 * @param tensor   Type and extents as the model wants them; the struct is copied, its bytes are
 *                 borrowed. NULL: forget what was bound.
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID  No such input, a wrong type or extent, or too few bytes; the message names
 *                        what was expected.
 *
 * Cost: finds the name; the next run then points what is compiled elsewhere, a fraction of a
 * microsecond for each place where the input is used. Allocates nothing.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_bind_input(het_session *session, const char *name,
                                                        const het_tensor *tensor, het_error *err);

/**
 * Say where an output of a graph model shall be written, instead of into memory of the session.
 *
 * It is written there and nowhere else while the model runs. Only these are copied at the end of a
 * run, in the order of the model's outputs, which het_telemetry.bind_copy_bytes counts:
 * - outputs that a device other than the CPU makes, from its memory;
 * - outputs whose memory meets that of a bound input or of an earlier output: inputs are what they
 *   were until all have been read;
 * - where data is no multiple of the element's size;
 * - outputs of a model whose extents follow from contents, which are made before their size is
 *   known; and all outputs with HET_SESSION_VALIDATE.
 *
 * @param session  Session of a graph model.
 * @param name     Name of the output.
 * @param tensor   data and size_bytes count; a run whose output is larger fails with HET_E_INVALID.
 *                 NULL: memory of the session again.
 * @param err      May be NULL.
 * @retval HET_E_INVALID  No such output.
 *
 * Cost: as het_session_bind_input().
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_bind_output(het_session *session, const char *name,
                                                         const het_tensor *tensor,
                                                         het_error *err);

/**
 * Run a graph model once on the inputs that are bound.
 *
 * @param session  Session of a graph model.
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID      An input is not bound, or the extents of the inputs do not fit each
 *                            other; the message names the operation that refuses them. Or the
 *                            session is one of a language model; the same goes for the functions
 *                            that bind and get tensors.
 * @retval HET_E_UNSUPPORTED  The model has an operation that this release does not know and nobody
 *                            registered before it was loaded (see het_op_register()); the message
 *                            names it and its node.
 * @retval HET_E_CANCELLED    het_session_cancel() was called.
 * @retval HET_E_BUSY, HET_E_IO, HET_E_NOMEM, HET_E_TIMEOUT, HET_E_DEVICE_LOST, HET_E_INTERNAL
 *                            A device failed, and nothing else could go on; see het_session_step().
 * @retval other              What a callback of het_op_register() returned.
 * After any failure there are no outputs to get, and bound ones may be partly written.
 *
 * Cost: allocates nothing if inputs of these extents were run before and no extent follows from
 * contents.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_run(het_session *session, het_error *err);

/**
 * An output of the last het_session_run().
 *
 * @param session  Session of a graph model.
 * @param name     Name of the output.
 * @param tensor   Filled up to tensor->struct_size bytes; data is borrowed from the session, or
 *                 from the caller where an output was bound, until the next run, whose inputs may
 *                 be bound to it.
 * @param err      May be NULL.
 * @retval HET_E_INVALID  No such output, or nothing was run yet.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_get_output(const het_session *session,
                                                        const char *name, het_tensor *tensor,
                                                        het_error *err);

/**
 * Make the step or run that is under way, or else the next one, return HET_E_CANCELLED.
 *
 * A step stops at the end of the layer it is in, a run of a graph at the end of an operation or a
 * group of them. One call stops one step, run or het_generate().
 *
 * Thread-safety: any thread, at any time while the session lives.
 * @since 0.1
 */
HET_API void het_session_cancel(het_session *session);

/**
 * Run a step on made-up tokens, so that the first real one meets warm caches and threads.
 *
 * Leaves sequences and logits untouched. A graph model is compiled for the inputs that are bound,
 * and not run.
 * @retval HET_E_BUSY     All sequence_max sequences are in use.
 * @retval HET_E_INVALID  An input of a graph model is not bound.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_warmup(het_session *session, het_error *err);

/**
 * The plan that the session runs.
 *
 * @param session  Session.
 * @param phase    Which of its plans. A graph model has one, that of the extents compiled or run
 *                 last, for any phase.
 * @return Borrowed from the session until its next step, run or warm-up; NULL for an unknown phase,
 *         where a graph is run without a plan or was not compiled yet, and after a device failed
 *         and nothing could go on.
 * @since 0.1
 */
HET_API const het_plan *het_session_plan(const het_session *session, het_phase phase);

/**
 * Give a session up. Its sequences stay valid handles, but cannot step any more than it can.
 *
 * @param session  May be NULL. Must not be running.
 * @since 0.1
 */
HET_API void het_session_destroy(het_session *session);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_SESSION_H */

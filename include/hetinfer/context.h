/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file context.h
 * The root of everything: allocator, log, and the devices that were found.
 */
#ifndef HETINFER_CONTEXT_H
#define HETINFER_CONTEXT_H

#include <hetinfer/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_context het_context;
typedef struct het_device het_device;

/**
 * Memory functions of the host application. Both are called from any thread.
 *
 * All host memory of the library passes through them; what vendor libraries
 * allocate on their own does not.
 */
typedef struct het_allocator {
    uint32_t struct_size; /**< sizeof(het_allocator). */
    uint32_t flags;       /**< Zero. */
    void *user;           /**< Passed back as first argument. */
    /** @return @p bytes (> 0) aligned to @p align (a power of two), or NULL. */
    void *(*alloc)(void *user, size_t bytes, size_t align);
    /** Take back @p ptr (non-NULL), which alloc() gave for the same @p bytes and @p align. */
    void (*free)(void *user, void *ptr, size_t bytes, size_t align);
} het_allocator;

/** How frequent a message is, and how much it matters. */
typedef enum het_log_level {
    HET_LOG_ERROR = 1, /**< A call failed. */
    HET_LOG_WARN = 2,  /**< Something is worse than asked for; work goes on. */
    HET_LOG_INFO = 3,  /**< Once per context, model or session. */
    HET_LOG_DEBUG = 4, /**< Once per layer while loading. */
    HET_LOG_TRACE = 5, /**< Once per layer and step. */
    HET_LOG_LEVEL_FORCE_32 = 0x7fffffff
} het_log_level;

/**
 * Receives one finished line (UTF-8, no line feed). Called from any thread that
 * is inside the library, never from two at once for one context. Must not call
 * the library.
 */
typedef void (*het_log_fn)(void *user, het_log_level level, const char *component,
                           const char *message);

/** Do not read HETINFER_* environment variables. */
#define HET_CONTEXT_NO_ENV (UINT64_C(1) << 0)

/** Options of het_context_create(). */
typedef struct het_context_options {
    uint32_t struct_size;           /**< sizeof(het_context_options). */
    uint32_t log_level;             /**< het_log_level; 0 = HET_LOG_WARN. */
    uint64_t flags;                 /**< HET_CONTEXT_*. */
    const het_allocator *allocator; /**< Copied. May be NULL: the C library's. */
    het_log_fn log;                 /**< May be NULL: silence. */
    void *log_user;                 /**< First argument of log. */
    /**
     * Backends to use, comma-separated, in order of preference; a leading `-`
     * removes one from the default list; names that exist only on demand
     * ("null") must be written out. May be NULL: all that are not on demand.
     * The environment variable HETINFER_BACKENDS is used when this is NULL.
     */
    const char *backends;
} het_context_options;

/** Initial value of a het_context_options. */
#define HET_CONTEXT_OPTIONS_INIT { sizeof(het_context_options), 0, 0, NULL, NULL, NULL, NULL }

/**
 * Create a context and look for devices.
 *
 * A driver that is missing is no failure: it is left out, and
 * het_context_report() says why.
 *
 * @param options  May be NULL: defaults.
 * @param context  Receives the handle.
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID  An unknown backend name; err->message lists the known.
 * @retval HET_E_VERSION  The options come from a newer header and use its news.
 * @retval HET_E_NOMEM    Out of memory.
 *
 * Cost: some milliseconds; probing opens vendor libraries but starts no thread.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_context_create(const het_context_options *options,
                                                    het_context **context, het_error *err);

/**
 * Number of devices found, at least 1: the reference device is always there.
 * @since 0.1
 */
HET_API uint32_t het_context_device_count(const het_context *context);

/**
 * One device, in order of preference.
 *
 * @param context  Context.
 * @param index    In [0, het_context_device_count()).
 * @return Borrowed from the context; NULL if @p index is out of range.
 * @since 0.1
 */
HET_API const het_device *het_context_device(const het_context *context, uint32_t index);

/**
 * What each backend said when it was probed: one line per backend, "name: text".
 *
 * @return Text borrowed from the context.
 * @since 0.1
 */
HET_API const char *het_context_report(const het_context *context);

/**
 * Give the context up. Models and sessions made from it stay valid.
 *
 * @param context  May be NULL.
 * @since 0.1
 */
HET_API void het_context_destroy(het_context *context);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_CONTEXT_H */

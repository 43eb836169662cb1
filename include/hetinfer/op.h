/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file op.h
 * An application's own operators: what a graph model may use beyond what the library knows.
 *
 * An operator is registered in a context, by the domain and name that files give it, before a model
 * that uses it is loaded:
 *
 *     het_op_info info = HET_OP_INFO_INIT;
 *     info.domain = "com.example";
 *     info.name = "Mirror";
 *     info.inputs_min = 1;
 *     info.shape = mirror_shape;      // extents of the outputs from those of the inputs
 *     info.compute = mirror_compute;  // contents of the outputs
 *     het_op_register(context, &info, &err);
 *
 * Its nodes then take part in all that other nodes do: shapes, plans, bodies of Loop, If and Scan,
 * and, with HET_OP_PURE, folding. They run on the host.
 *
 * Callbacks are called on the thread that is inside a function of the library or on one of the
 * session's own, by one thread at a time for each session or plan; sessions of several threads call
 * them at the same time. They must return normally (no longjmp(), no exception), and may call other
 * functions of the library, but none for the session that calls them.
 */
#ifndef HETINFER_OP_H
#define HETINFER_OP_H

#include <hetinfer/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Most inputs, and most outputs, that an operator can have. */
#define HET_OP_OPERANDS_MAX 64

/** One node of a graph that is looked at or computed: valid until the callback returns. */
typedef struct het_op_call het_op_call;

/** The same inputs give the same outputs, and nothing else happens: where all inputs are known in
 *  advance, the node may be computed once, when shapes are worked out, instead of in each run. */
#define HET_OP_PURE (UINT64_C(1) << 0)

/** What computing a node once takes; for plans. */
typedef struct het_op_cost {
    uint32_t struct_size; /**< sizeof(het_op_cost), set by the library. */
    uint32_t reserved;    /**< Zero. */
    double flop_count;    /**< Floating-point operations; at first, one per element of output 0. */
    double extra_bytes;   /**< Memory read and written beyond each input and output once. */
} het_op_cost;

/**
 * Type and extents of the outputs from those of the inputs.
 *
 * Called when shapes are worked out: first, often, without contents (het_op_call_input() gives a
 * tensor whose data is NULL). An extent that follows from contents which are not there is set to
 * -1; where not even their number is known, flags gets HET_TENSOR_RANK_UNKNOWN. Types must be known
 * always. Where extents are still open when all contents are there, only computing shows them:
 * compute then makes each output with het_op_call_make_output().
 *
 * @param user     het_op_info.user.
 * @param call     The node.
 * @param outputs  One per output of the node; on entry scalars of no type, with struct_size set.
 * @return HET_OK, or why not; het_op_call_fail() says it in words.
 */
typedef het_status (*het_op_shape_fn)(void *user, het_op_call *call, het_tensor_desc *outputs);

/**
 * What computing the node takes, when all shapes are known. Contents are there of constants only.
 *
 * @param user  het_op_info.user.
 * @param call  The node; het_op_call_output() describes outputs, without data.
 * @param cost  Filled with guesses on entry. Numbers that are negative or not finite are ignored.
 */
typedef void (*het_op_cost_fn)(void *user, const het_op_call *call, het_op_cost *cost);

/**
 * Contents of the outputs.
 *
 * Outputs stand in het_op_call_output(), with memory of the size that shape gave and undefined
 * contents, all of which must be written.
 *
 * @param user  het_op_info.user.
 * @param call  The node.
 * @return HET_OK, or why not; het_op_call_fail() says it in words.
 */
typedef het_status (*het_op_compute_fn)(void *user, het_op_call *call);

/** An operator. */
typedef struct het_op_info {
    uint32_t struct_size; /**< sizeof(het_op_info). */
    uint32_t reserved;    /**< Zero. */
    uint64_t flags;       /**< HET_OP_*. */
    const char *domain;   /**< As in the file. NULL and "" mean "ai.onnx". */
    const char *name;     /**< Type of its nodes in the file. */
    int32_t version_min;  /**< Lowest version of the domain's operation set it is for. */
    int32_t version_max;  /**< Highest; 0 = none is too high. */
    uint32_t inputs_min;  /**< Fewest inputs. */
    uint32_t inputs_max;  /**< Most inputs; 0 = as many as inputs_min. */
    uint32_t outputs_min; /**< Fewest outputs; 0 = 1. */
    uint32_t outputs_max; /**< Most outputs; 0 = as many as the fewest. */
    void *user;           /**< First argument of the callbacks. */
    het_op_shape_fn shape;
    het_op_cost_fn cost; /**< May be NULL. */
    het_op_compute_fn compute;
    /** Called once, when nothing can call the operator any more: behind het_op_unregister() or the
     *  end of the context, and the end of all models that use it. Any thread. May be NULL. */
    void (*release)(void *user);
} het_op_info;

/** Initial value of a het_op_info. */
#define HET_OP_INFO_INIT \
    { sizeof(het_op_info), 0, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL }

/**
 * Make an operator known to models that are loaded from now on.
 *
 * Models that were loaded before stay as they are. Functions that a file brings with it under this
 * name are used as the file has them.
 *
 * @param context  Keeps the registration.
 * @param info     Copied, strings included. user is kept until release.
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID  No name, shape or compute; impossible counts or versions; the library has
 *                        an operation of this name, or one that is registered already shares a
 *                        version with it; err->message says which. release is not called.
 * @retval HET_E_VERSION  The info comes from a newer header and uses its news.
 * @retval HET_E_NOMEM    Out of memory.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_op_register(het_context *context, const het_op_info *info,
                                                 het_error *err);

/**
 * Take an operator away from models that are loaded from now on, in all registered versions.
 * Models that were loaded before keep it.
 *
 * @param context  Where it was registered.
 * @param domain   May be NULL: "ai.onnx".
 * @param name     Name.
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID  There is none of this name.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_op_unregister(het_context *context, const char *domain,
                                                   const char *name, het_error *err);

/**
 * Name of the node, for messages.
 * @return Borrowed from the call.
 * @since 0.1
 */
HET_API const char *het_op_call_node(const het_op_call *call);

/**
 * Version of the operation set that the node means: what the file says of the domain, or 1.
 * @since 0.1
 */
HET_API int32_t het_op_call_version(const het_op_call *call);

/**
 * Number of inputs that the node has, those it leaves out before its last included.
 * @since 0.1
 */
HET_API uint32_t het_op_call_input_count(const het_op_call *call);

/**
 * One input: to be read only.
 *
 * @return Borrowed from the call; NULL if there is none, or if the node leaves it out. data is NULL
 *         where contents are not known, and aligned for the element type elsewhere.
 * @since 0.1
 */
HET_API const het_tensor *het_op_call_input(const het_op_call *call, uint32_t index);

/**
 * Number of outputs that the node has, those that nobody reads included.
 * @since 0.1
 */
HET_API uint32_t het_op_call_output_count(const het_op_call *call);

/**
 * One output.
 *
 * @return Borrowed from the call; NULL in a shape function, if there is none, or if it must be made
 *         first (see het_op_call_make_output()). data is to be written, and NULL in a cost
 *         function.
 * @since 0.1
 */
HET_API const het_tensor *het_op_call_output(const het_op_call *call, uint32_t index);

/**
 * In a compute function: memory for an output whose extents shape left open.
 *
 * @param call   The node.
 * @param index  Output.
 * @param desc   The type that shape gave, and extents. For an output that has memory already:
 *               what shape gave.
 * @return As het_op_call_output(). NULL on failure, which the run then reports: return any status.
 * @since 0.1
 */
HET_API const het_tensor *het_op_call_make_output(het_op_call *call, uint32_t index,
                                                  const het_tensor_desc *desc);

/**
 * Say why a callback is about to fail: behind the operator and the node in the message of the call
 * that the application made. The last sentence counts.
 *
 * @param call      The node.
 * @param sentence  Without a full stop; cut to some 100 bytes.
 * @since 0.1
 */
HET_API void het_op_call_fail(het_op_call *call, const char *sentence);

/**
 * An attribute that is an integer.
 * @return Its value, or @p absent if the node has none of this name and kind.
 * @since 0.1
 */
HET_API int64_t het_op_attr_int(const het_op_call *call, const char *name, int64_t absent);

/**
 * An attribute that is a number.
 * @return Its value, or @p absent if the node has none of this name and kind.
 * @since 0.1
 */
HET_API float het_op_attr_float(const het_op_call *call, const char *name, float absent);

/**
 * An attribute that is a text.
 * @return Borrowed from the model, or @p absent if the node has none of this name and kind.
 * @since 0.1
 */
HET_API const char *het_op_attr_string(const het_op_call *call, const char *name,
                                       const char *absent);

/**
 * An attribute that is a list of integers.
 *
 * @param call   The node.
 * @param name   Name.
 * @param count  Receives the number of elements; 0 if there is no such attribute.
 * @return Borrowed from the model; NULL if the node has none of this name and kind.
 * @since 0.1
 */
HET_API const int64_t *het_op_attr_ints(const het_op_call *call, const char *name, size_t *count);

/**
 * An attribute that is a list of numbers; as het_op_attr_ints().
 * @since 0.1
 */
HET_API const float *het_op_attr_floats(const het_op_call *call, const char *name, size_t *count);

/**
 * An attribute that is a list of texts; as het_op_attr_ints().
 * @since 0.1
 */
HET_API const char *const *het_op_attr_strings(const het_op_call *call, const char *name,
                                               size_t *count);

/**
 * An attribute that is a tensor: to be read only.
 *
 * @param call    The node.
 * @param name    Name.
 * @param tensor  Filled up to tensor->struct_size bytes; data is borrowed from the model and
 *                aligned for the element type.
 *
 * @retval HET_E_INVALID  The node has none of this name and kind.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_op_attr_tensor(const het_op_call *call, const char *name,
                                                    het_tensor *tensor);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_OP_H */

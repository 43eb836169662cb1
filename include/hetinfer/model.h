/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model.h
 * An immutable model: graph, weights, metadata, tokenizer.
 */
#ifndef HETINFER_MODEL_H
#define HETINFER_MODEL_H

#include <hetinfer/context.h>
#include <hetinfer/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct het_model het_model;
typedef struct het_tokenizer het_tokenizer;

/**
 * Told how far a long call has come.
 *
 * @param user      As given.
 * @param fraction  In [0, 1], never falling.
 * @param what      What is being done, for example "tokenizer".
 * @return 0 to go on; anything else cancels with HET_E_CANCELLED.
 */
typedef int (*het_progress_fn)(void *user, double fraction, const char *what);

/** Read the metadata and the tensor list only: no graph, no tokenizer. Of a graph model inputs and
 *  outputs as well; no session can be made from it. */
#define HET_MODEL_INSPECT_ONLY (UINT64_C(1) << 0)
/** The same and the tokenizer: for files that hold a vocabulary and no weights, of any family. A
 *  graph model has none. */
#define HET_MODEL_TOKENIZER_ONLY (UINT64_C(1) << 1)

/** Options of het_model_load() and het_model_load_memory(). */
typedef struct het_model_options {
    uint32_t struct_size;     /**< sizeof(het_model_options). */
    uint32_t reserved;        /**< Zero. */
    uint64_t flags;           /**< HET_MODEL_*. */
    het_progress_fn progress; /**< May be NULL. */
    void *progress_user;      /**< First argument of progress. */
    uint32_t weight_dtype;    /**< Of a model without weights (a config.json): the het_dtype that
                                   its matrices are taken to have, F32, F16, BF16 or a block
                                   format; 0: what the file says. Weights beside the file are
                                   left alone then. No effect on other models. */
    uint32_t threads;         /**< Threads that unpack a package (package.h), also for devices that
                                   have none of their own to do it, or quantise, up to 1024, the
                                   caller's one of them; they end with the call.
                                   0 = one per processor, at most 16. No effect on other loads. */
    uint32_t quantize_type;   /**< Of a language model with weights: the het_dtype that its matrices
                                   get as het_quantize() would give it (quantize.h), in memory; or
                                   HET_MODEL_QUANTIZE_AUTO. 0: none. No effect on other models. */
    uint32_t reserved2;       /**< Zero. */
} het_model_options;

/** In quantize_type: as they are if the weights take up to half of the machine's memory, else Q8_0
 *  if these take up to six tenths, else Q4_K. */
#define HET_MODEL_QUANTIZE_AUTO UINT32_C(0xffffffff)

/** Initial value of a het_model_options. */
#define HET_MODEL_OPTIONS_INIT { sizeof(het_model_options), 0, 0, NULL, NULL, 0, 0, 0, 0 }

/** Figures of a model. Zero where a model has no such thing. */
typedef struct het_model_info {
    uint32_t struct_size;       /**< Set by the caller. */
    uint32_t layer_count;       /**< Repeated blocks. */
    uint64_t parameter_count;   /**< Elements of all weights; of a graph model without scalars and
                                     what is neither floating nor quantised. */
    uint64_t active_count;      /**< Weights that one decoded token reads; see docs/MODELS.md. */
    uint64_t weight_bytes;      /**< Bytes of all weights as stored, or as a GGUF file would. */
    uint64_t kv_bytes_per_token; /**< Keys and values of one position in F16, all layers. */
    int64_t context_max;        /**< Positions the model was made for. */
    int64_t embedding_size;     /**< Width of the hidden state. */
    int64_t vocabulary_size;    /**< Rows of the output head. */
    uint32_t head_count;        /**< Query heads. */
    uint32_t kv_head_count;     /**< Key and value heads. */
    uint32_t expert_count;      /**< Experts per layer. */
    uint32_t expert_used_count; /**< Experts that one token uses. */
    char format[16];            /**< "gguf", "onnx", "safetensors", or "config": a config.json, no
                                     weights. */
    char architecture[32];      /**< For example "llama"; of a graph model the graph's name, or
                                     "graph". */
    char name[64];              /**< The model's own name, or "". */
} het_model_info;

/**
 * One entry of the model file's metadata, rendered as text.
 *
 * Behind the entries of a graph model stands one per kind of operation: type "operation" or, if
 * neither this release knows it nor het_op_register() was told, "unknown operation"; key its name,
 * with its domain if that is not ONNX's own; value how many nodes are of that kind, in bodies as
 * well.
 */
typedef struct het_metadata {
    uint32_t struct_size; /**< Set by the caller. */
    uint32_t reserved;    /**< Zero. */
    const char *key;      /**< Borrowed from the model. */
    const char *type;     /**< For example "u32", "string", "array of f32". Static. */
    const char *value;    /**< Text; arrays show their first elements. Borrowed. */
} het_metadata;

/** One weight of the model. */
typedef struct het_weight {
    uint32_t struct_size; /**< Set by the caller. */
    int32_t layer;        /**< Block that it belongs to, or -1. */
    const char *name;     /**< As in the file. Borrowed from the model. */
    const char *module;   /**< "embedding", "attention", "ffn", "moe", "norm", "head", "other"; in
                               a graph model the operation that reads it first, or "other".
                               Borrowed. */
    het_tensor_desc desc; /**< Type and extents, outermost first. */
    uint64_t size_bytes;  /**< Bytes as stored. */
} het_weight;

/** One input or output of a graph model, as the file declares it: of an output that may be wrong,
 *  and het_session_get_output() tells. */
typedef struct het_port {
    uint32_t struct_size;             /**< Set by the caller. */
    uint32_t reserved;                /**< Zero. */
    const char *name;                 /**< As in the file. Borrowed from the model. */
    het_tensor_desc desc;             /**< Extents that are not fixed are -1. What is not known
                                           before a run has the type HET_DTYPE_NONE and
                                           HET_TENSOR_RANK_UNKNOWN. */
    const char *symbol[HET_RANK_MAX]; /**< Names of extents that are not fixed; equal names stand
                                           for equal extents. NULL: fixed, or without a name.
                                           Borrowed. */
} het_port;

/**
 * Open a model file.
 *
 * The file is mapped, not read: weights are paged in when they are first used,
 * and the file must not be changed while the model or a session of it lives.
 *
 * @param context  Kept alive by the model.
 * @param path     A GGUF file (version 2 or 3) or an ONNX file, told apart by their contents; or
 *                 a Hugging Face folder, or its config.json, model.safetensors or
 *                 model.safetensors.index.json. External data files of an ONNX file are looked for
 *                 in its folder and below. A package (package.h) of a GGUF file or of a folder
 *                 gives the model that they would give; it is unpacked into memory of the
 *                 model's, and not needed any more after the call. Weights of a folder are
 *                 named as in its files, and
 *                 metadata entries are the keys of config.json, those of an object as
 *                 "object.key", then those of other files ("generation_config.key",
 *                 "tokenizer_config.key", "tokenizer.chat_template"). A config.json without
 *                 weights beside it, or with options->weight_dtype, gives a model without weights:
 *                 it can be inspected and planned, sessions are refused; weights are then named as
 *                 in GGUF. A folder with a tokenizer alone will do for HET_MODEL_TOKENIZER_ONLY.
 * @param options  May be NULL: defaults.
 * @param model    Receives the handle.
 * @param err      May be NULL.
 *
 * @retval HET_E_IO           A file is missing, or cannot be opened or mapped.
 * @retval HET_E_FORMAT       The bytes are malformed; the message says where. Of a package: a
 *                            piece that is needed already is corrupt; the message names the
 *                            tensor. Those of other weights are checked when they are unpacked.
 * @retval HET_E_UNSUPPORTED  A model family, tokenizer, block format or type of
 *                            input or weight that this release does not know; the
 *                            message names it. An operation of an ONNX file that
 *                            is not known fails runs, not this call.
 * @retval HET_E_VERSION      An ONNX file of a newer operation set.
 * @retval HET_E_CANCELLED    The progress callback asked for it.
 * @retval HET_E_NOMEM        Out of memory.
 *
 * Cost: proportional to the vocabulary or the nodes, not to the weights; experts that a folder
 * holds one by one are copied side by side. Weights of a package are unpacked when something asks
 * for them, a session mostly: the file must stay as it is until the model and all its sessions are
 * destroyed, as a plain one must.
 * Thread-safety: other threads may use the context meanwhile.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_model_load(het_context *context, const char *path,
                                                const het_model_options *options,
                                                het_model **model, het_error *err);

/**
 * Open a model that is already in memory.
 *
 * @param context     Kept alive by the model.
 * @param data        The bytes of a GGUF file, aligned to 32 bytes, or of an ONNX
 *                    file without external data, a package or a config.json, at any
 *                    address. Kept until the model and all its sessions are destroyed, and must not
 *                    change; a package is unpacked by this call, and not read afterwards.
 * @param size_bytes  Readable bytes at @p data.
 * @param options     May be NULL: defaults.
 * @param model       Receives the handle.
 * @param err         May be NULL.
 * Failures as het_model_load().
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_model_load_memory(het_context *context, const void *data,
                                                       size_t size_bytes,
                                                       const het_model_options *options,
                                                       het_model **model, het_error *err);

/**
 * Figures of a model.
 *
 * @param model  Model.
 * @param info   Filled up to info->struct_size bytes.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_model_get_info(const het_model *model, het_model_info *info);

/**
 * Number of metadata entries.
 * @since 0.1
 */
HET_API size_t het_model_metadata_count(const het_model *model);

/**
 * One metadata entry, in file order.
 *
 * @param model  Model.
 * @param index  In [0, het_model_metadata_count()).
 * @param entry  Filled up to entry->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_model_metadata_at(const het_model *model, size_t index,
                                                       het_metadata *entry);

/**
 * Number of weights.
 * @since 0.1
 */
HET_API size_t het_model_weight_count(const het_model *model);

/**
 * One weight, in file order.
 *
 * @param model   Model.
 * @param index   In [0, het_model_weight_count()).
 * @param weight  Filled up to weight->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_model_weight_at(const het_model *model, size_t index,
                                                     het_weight *weight);

/**
 * The model's tokenizer.
 *
 * @return Borrowed from the model; NULL if the model has none or was loaded with
 *         HET_MODEL_INSPECT_ONLY.
 * @since 0.1
 */
HET_API const het_tokenizer *het_model_tokenizer(const het_model *model);

/**
 * Number of inputs of a graph model (ONNX); 0 for a language model, which is fed by
 * het_session_step().
 * @since 0.1
 */
HET_API size_t het_model_input_count(const het_model *model);

/**
 * One input, in file order.
 *
 * @param model  Model.
 * @param index  In [0, het_model_input_count()).
 * @param port   Filled up to port->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_model_input_at(const het_model *model, size_t index,
                                                    het_port *port);

/**
 * Number of outputs of a graph model; 0 for a language model.
 * @since 0.1
 */
HET_API size_t het_model_output_count(const het_model *model);

/**
 * One output, in file order. See het_model_input_at().
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_model_output_at(const het_model *model, size_t index,
                                                     het_port *port);

/**
 * Give a model up. Sessions made from it stay valid.
 *
 * @param model  May be NULL.
 * @since 0.1
 */
HET_API void het_model_destroy(het_model *model);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_MODEL_H */

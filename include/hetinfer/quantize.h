/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file quantize.h
 * Writing a language model's weights in smaller element types.
 *
 * Matrices (rank 2 and 3, names that end in ".weight") of a floating type are encoded anew; norms,
 * biases, factors of rope and what routes to experts stay as they are, byte for byte, and so does
 * all metadata but the file type. Every slice of a tensor of experts is encoded as it would be by
 * itself. Encoding is deterministic: a file's weights give the same bytes on every machine.
 */
#ifndef HETINFER_QUANTIZE_H
#define HETINFER_QUANTIZE_H

#include <hetinfer/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What was done in a call of het_quantize(): a report. */
typedef struct het_quantization het_quantization;

/** Leave the matrix that makes the scores ("output.weight") as it is. */
#define HET_QUANTIZE_KEEP_OUTPUT (UINT64_C(1) << 0)
/** Leave the tables of which a token reads a row as they are. In a model without "output.weight"
 *  the table makes the scores as well. */
#define HET_QUANTIZE_KEEP_EMBEDDING (UINT64_C(1) << 1)
/** Encode anew what is in a block format already; the errors of both add up. */
#define HET_QUANTIZE_AGAIN (UINT64_C(1) << 2)

/** What became of a tensor. */
typedef enum het_quantize_result {
    HET_QUANTIZE_COPIED = 0,  /**< Byte for byte. */
    HET_QUANTIZE_ENCODED = 1, /**< In the type that was asked for. */
    HET_QUANTIZE_REPLACED = 2, /**< In a larger type, because its rows are not whole blocks of the
                                    one that was asked for. */
    HET_QUANTIZE_RESULT_FORCE_32 = 0x7fffffff
} het_quantize_result;

/** Another type for some tensors. Passed in arrays: does not grow. */
typedef struct het_quantize_override {
    const char *pattern; /**< Of names: '*' stands for any characters, '?' for one, for example
                              "blk.?.ffn_down.*". */
    uint32_t type;       /**< het_dtype; 0 leaves them as they are. */
    uint32_t reserved;   /**< Zero. */
} het_quantize_override;

/** Options of het_quantize(). */
typedef struct het_quantize_options {
    uint32_t struct_size; /**< sizeof(het_quantize_options). */
    uint32_t type;        /**< het_dtype: F32, F16, BF16, I8 (symmetric, a scale per row), Q4_0,
                               Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K, IQ4_NL or MXFP4; 0 = Q8_0. */
    uint64_t flags;       /**< HET_QUANTIZE_*. */
    const het_quantize_override *overrides; /**< The first whose pattern fits counts, before the
                               flags that keep. May be NULL. */
    size_t override_count;    /**< Of overrides. */
    het_progress_fn progress; /**< May be NULL. Not 0 cancels. */
    void *progress_user;      /**< First argument of progress. */
    uint32_t threads;         /**< Threads that encode, up to 1024, the caller's one of them; they
                                   end with the call. 0 = 1. */
    uint32_t reserved;        /**< Zero. */
    const char *importance;   /**< UTF-8 text that the model reads first, to find out how much each
                                   column of its matrices matters; errors are then weighed by it.
                                   NULL: none, and the bytes are those of the formats' reference
                                   encoders. Types without a choice (F32, F16, BF16, I8, Q8_0,
                                   MXFP4) do not change. */
    size_t importance_bytes;  /**< Bytes at importance. */
} het_quantize_options;

/** Initial value of a het_quantize_options: Q8_0. */
#define HET_QUANTIZE_OPTIONS_INIT \
    { sizeof(het_quantize_options), 0, 0, NULL, 0, NULL, NULL, 0, 0, NULL, 0 }

/** Totals. */
typedef struct het_quantization_info {
    uint32_t struct_size;   /**< Set by the caller. */
    uint32_t type;          /**< het_dtype that was asked for. */
    uint32_t tensor_count;  /**< Entries of het_quantization_at(). */
    uint32_t encoded_count; /**< Of them: not copied. */
    uint64_t source_bytes;  /**< Of all tensors, before. */
    uint64_t target_bytes;  /**< The same after. */
    double rms_error;       /**< Root mean square of the difference, over all encoded elements. */
    double rms_value;       /**< Root mean square of these elements before. */
} het_quantization_info;

/** One tensor. */
typedef struct het_quantization_tensor {
    uint32_t struct_size;  /**< Set by the caller. */
    uint32_t result;       /**< het_quantize_result. */
    uint32_t source_type;  /**< het_dtype before. */
    uint32_t type;         /**< het_dtype after. */
    const char *name;      /**< Borrowed from the report. */
    uint64_t elements;     /**< Elements. */
    uint64_t source_bytes; /**< Bytes before. */
    uint64_t target_bytes; /**< Bytes after. */
    double rms_error;      /**< Root mean square of the difference; 0 of what was copied. */
    double rms_value;      /**< Root mean square of the elements before; 0 of what was copied. */
    double error_max;      /**< Largest difference. */
    uint32_t is_weighed;   /**< 1: errors were weighed by the importance of columns. */
    uint32_t reserved;     /**< Zero. */
} het_quantization_tensor;

/**
 * Write a GGUF file with the weights of a model in other element types.
 *
 * A row that is not whole blocks of the type asked for gets one with smaller blocks: Q2_K, Q3_K:
 * IQ4_NL; Q4_K: Q5_0; Q5_K: Q5_1; Q6_K: Q8_0; and F16 where its length is no multiple of 32. I8
 * takes rows of any length up to 65536; the scales of "x.weight" become a tensor "x.weight_scale",
 * whose bytes count with the matrix in the report. docs/quantize.md has the layout.
 *
 * A folder's model is written as GGUF has it: tensors under GGUF's names with rows of q and k in
 * its order, the configuration, the vocabulary (of tokenizer.model where there is one, else of
 * tokenizer.json) and the chat template. White space that added tokens take with them, and
 * normal forms of Unicode, have no place there.
 *
 * @param model         A language model from a GGUF file, for which HET_MODEL_INSPECT_ONLY is
 *                      enough; or, whole, from a package of one or from a folder, which must still
 *                      be there. With options->importance always whole; tables are encoded without
 *                      it, and each expert by what its own tokens bring.
 * @param options       May be NULL: Q8_0.
 * @param path          Where the file goes. One that is there is replaced, at once and only after
 *                      all has been written; it may be the model's own.
 * @param quantization  Receives the report. May be NULL.
 * @param err           May be NULL.
 *
 * @retval HET_E_INVALID      A type is not one of those above, a pattern is NULL, or threads is out
 *                            of range.
 * @retval HET_E_UNSUPPORTED  The model is of another format, was loaded without its weights, or is
 *                            a folder in a package; GGUF cannot say what its configuration or its
 *                            tokenizer says; or a weight is too large for a type's scale; the
 *                            message names the tensor.
 * @retval HET_E_FORMAT       A weight to be encoded is not finite; the message names it.
 * @retval HET_E_IO           The file cannot be written, or there is no room for it; nothing is
 *                            left behind.
 * @retval HET_E_BUSY         Somebody else is writing this file.
 * @retval HET_E_CANCELLED    The progress callback asked for it; nothing is left behind.
 *
 * Cost: reads all weights; a thread encodes some 100 million elements a second in simple types, 3
 * to 40 million where scales are searched. Takes about 1 MiB per thread beside what describes the
 * file. The bytes do not depend on the number of threads.
 * Thread-safety: any thread.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_quantize(const het_model *model,
                                              const het_quantize_options *options,
                                              const char *path, het_quantization **quantization,
                                              het_error *err);

/**
 * Totals.
 *
 * @param quantization  Report.
 * @param info          Filled up to info->struct_size bytes.
 * @retval HET_E_INVALID  struct_size is too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_quantization_get_info(const het_quantization *quantization,
                                                           het_quantization_info *info);

/**
 * One tensor, in the order of the file.
 *
 * @param quantization  Report.
 * @param index         In [0, tensor_count).
 * @param tensor        Filled up to tensor->struct_size bytes.
 * @retval HET_E_INVALID  Index out of range, or struct_size too small to hold itself.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_quantization_at(const het_quantization *quantization,
                                                     uint32_t index,
                                                     het_quantization_tensor *tensor);

/**
 * Give the report up.
 * @param quantization  May be NULL.
 * @since 0.1
 */
HET_API void het_quantization_destroy(het_quantization *quantization);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_QUANTIZE_H */

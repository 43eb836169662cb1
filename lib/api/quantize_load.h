/* SPDX-License-Identifier: Apache-2.0 */
/* Weights in smaller types as a model is loaded. */
#ifndef HET_API_QUANTIZE_LOAD_H
#define HET_API_QUANTIZE_LOAD_H

#include "lib/api/handles.h"

/* The type that het_quantize() with options of this type alone would give a tensor; its own, if it
 * would be copied. quantize.c */
het_dtype het__quantize_type_of(const het__gguf_tensor *tensor, het_dtype type);

/* Matrices of a language model that was loaded whole, into memory of its arena; o->quantize_type
 * says which type. What was mapped of them may leave memory. */
het_status het__quantize_loaded(het_model *model, const het_model_options *o, het_error *err);

/* What the name of a matrix in int8 has behind it for the tensor of its scales. */
#define HET__INT8_SCALE "_scale"
/* A longer row is written in F16. */
#define HET__INT8_COLUMNS_MAX 65536

/* Before the graph is built: matrices of type I8 with a scale per row become Q8_0 or F32 in memory
 * of the arena. Does nothing where the tensors have no data. int8_load.c */
het_status het__int8_loaded(het_model *model, het_error *err);

#endif /* HET_API_QUANTIZE_LOAD_H */

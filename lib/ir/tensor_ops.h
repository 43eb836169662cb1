/* SPDX-License-Identifier: Apache-2.0 */
/* The table of tensor operations: the meaning is that of the ONNX operation of the same name, in
 * the version that the node's opset says, on tensors of any rank and type.
 *
 * Columns: id (het__op is HET__OP_T_<id>), name ("domain:Name" outside ai.onnx), fewest and most
 * inputs, most outputs, shape rule (het__shape_<…>), arithmetic (het__count_<…>), axes along which
 * pieces are independent, plain kernel (het__plain_<…>). */
#ifndef HET_IR_TENSOR_OPS_H
#define HET_IR_TENSOR_OPS_H

#define HET__MANY 65535
#define HET__EVAL_OUTPUTS_MAX 64

#define HET__TENSOR_OPS(X) \
    /* one operand, element by element: shape_elementwise.c, plain/unary.c, cast.c, random.c */ \
    X(ABS, "Abs", 1, 1, 1, same, elements, "elements", unary) \
    X(ACOS, "Acos", 1, 1, 1, same, elements, "elements", unary) \
    X(ACOSH, "Acosh", 1, 1, 1, same, elements, "elements", unary) \
    X(ASIN, "Asin", 1, 1, 1, same, elements, "elements", unary) \
    X(ASINH, "Asinh", 1, 1, 1, same, elements, "elements", unary) \
    X(ATAN, "Atan", 1, 1, 1, same, elements, "elements", unary) \
    X(ATANH, "Atanh", 1, 1, 1, same, elements, "elements", unary) \
    X(CEIL, "Ceil", 1, 1, 1, same, elements, "elements", unary) \
    X(CELU, "Celu", 1, 1, 1, same, elements, "elements", unary) \
    X(COS, "Cos", 1, 1, 1, same, elements, "elements", unary) \
    X(COSH, "Cosh", 1, 1, 1, same, elements, "elements", unary) \
    X(ELU, "Elu", 1, 1, 1, same, elements, "elements", unary) \
    X(ERF, "Erf", 1, 1, 1, same, elements, "elements", unary) \
    X(EXP, "Exp", 1, 1, 1, same, elements, "elements", unary) \
    X(FLOOR, "Floor", 1, 1, 1, same, elements, "elements", unary) \
    X(GELU, "Gelu", 1, 1, 1, same, elements, "elements", unary) \
    X(HARD_SIGMOID, "HardSigmoid", 1, 1, 1, same, elements, "elements", unary) \
    X(HARD_SWISH, "HardSwish", 1, 1, 1, same, elements, "elements", unary) \
    X(LEAKY_RELU, "LeakyRelu", 1, 1, 1, same, elements, "elements", unary) \
    X(LOG, "Log", 1, 1, 1, same, elements, "elements", unary) \
    X(MISH, "Mish", 1, 1, 1, same, elements, "elements", unary) \
    X(NEG, "Neg", 1, 1, 1, same, elements, "elements", unary) \
    X(RECIPROCAL, "Reciprocal", 1, 1, 1, same, elements, "elements", unary) \
    X(RELU, "Relu", 1, 1, 1, same, elements, "elements", unary) \
    X(ROUND, "Round", 1, 1, 1, same, elements, "elements", unary) \
    X(SELU, "Selu", 1, 1, 1, same, elements, "elements", unary) \
    X(SHRINK, "Shrink", 1, 1, 1, same, elements, "elements", unary) \
    X(SIGMOID, "Sigmoid", 1, 1, 1, same, elements, "elements", unary) \
    X(SIGN, "Sign", 1, 1, 1, same, elements, "elements", unary) \
    X(SIN, "Sin", 1, 1, 1, same, elements, "elements", unary) \
    X(SINH, "Sinh", 1, 1, 1, same, elements, "elements", unary) \
    X(SOFTPLUS, "Softplus", 1, 1, 1, same, elements, "elements", unary) \
    X(SOFTSIGN, "Softsign", 1, 1, 1, same, elements, "elements", unary) \
    X(SQRT, "Sqrt", 1, 1, 1, same, elements, "elements", unary) \
    X(SWISH, "Swish", 1, 1, 1, same, elements, "elements", unary) \
    X(TAN, "Tan", 1, 1, 1, same, elements, "elements", unary) \
    X(TANH, "Tanh", 1, 1, 1, same, elements, "elements", unary) \
    X(THRESHOLDED_RELU, "ThresholdedRelu", 1, 1, 1, same, elements, "elements", unary) \
    X(MS_GELU, "com.microsoft:Gelu", 1, 1, 1, same, elements, "elements", unary) \
    X(MS_FAST_GELU, "com.microsoft:FastGelu", 1, 2, 1, same, elements, "elements", fast_gelu) \
    X(IDENTITY, "Identity", 1, 1, 1, same, none, "elements", identity) \
    X(NOT, "Not", 1, 1, 1, same, elements, "elements", not) \
    X(BITWISE_NOT, "BitwiseNot", 1, 1, 1, same, elements, "elements", not) \
    X(IS_INF, "IsInf", 1, 1, 1, test, elements, "elements", test) \
    X(IS_NAN, "IsNaN", 1, 1, 1, test, elements, "elements", test) \
    X(CLIP, "Clip", 1, 3, 1, same, elements, "elements", clip) \
    X(CAST, "Cast", 1, 1, 1, cast, elements, "elements", cast) \
    X(CAST_LIKE, "CastLike", 2, 2, 1, cast_like, elements, "elements", cast) \
    X(BIT_CAST, "BitCast", 1, 1, 1, bit_cast, none, "elements", identity) \
    X(DROPOUT, "Dropout", 1, 3, 2, dropout, elements, "elements", dropout) \
    X(BERNOULLI, "Bernoulli", 1, 1, 1, random_like, elements, "elements", random) \
    X(RANDOM_UNIFORM, "RandomUniform", 0, 0, 1, random, elements, "elements", random) \
    X(RANDOM_NORMAL, "RandomNormal", 0, 0, 1, random, elements, "elements", random) \
    X(RANDOM_UNIFORM_LIKE, "RandomUniformLike", 1, 1, 1, random_like, elements, "elements", \
      random) \
    X(RANDOM_NORMAL_LIKE, "RandomNormalLike", 1, 1, 1, random_like, elements, "elements", \
      random) \
    X(MULTINOMIAL, "Multinomial", 1, 1, 1, multinomial, elements, "rows", multinomial) \
    /* several operands, broadcast: shape_elementwise.c, plain/binary.c */ \
    X(ADD, "Add", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(SUB, "Sub", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(MUL, "Mul", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(DIV, "Div", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(MOD, "Mod", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(POW, "Pow", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(PRELU, "PRelu", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(BIT_SHIFT, "BitShift", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(BITWISE_AND, "BitwiseAnd", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(BITWISE_OR, "BitwiseOr", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(BITWISE_XOR, "BitwiseXor", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(AND, "And", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(OR, "Or", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(XOR, "Xor", 2, 2, 1, broadcast, elements, "elements", binary) \
    X(EQUAL, "Equal", 2, 2, 1, compare, elements, "elements", compare) \
    X(GREATER, "Greater", 2, 2, 1, compare, elements, "elements", compare) \
    X(GREATER_OR_EQUAL, "GreaterOrEqual", 2, 2, 1, compare, elements, "elements", compare) \
    X(LESS, "Less", 2, 2, 1, compare, elements, "elements", compare) \
    X(LESS_OR_EQUAL, "LessOrEqual", 2, 2, 1, compare, elements, "elements", compare) \
    X(MAX, "Max", 1, HET__MANY, 1, broadcast, elements, "elements", variadic) \
    X(MIN, "Min", 1, HET__MANY, 1, broadcast, elements, "elements", variadic) \
    X(SUM, "Sum", 1, HET__MANY, 1, broadcast, elements, "elements", variadic) \
    X(MEAN, "Mean", 1, HET__MANY, 1, broadcast, elements, "elements", variadic) \
    X(WHERE, "Where", 3, 3, 1, where, elements, "elements", where) \
    /* quantised: shape_quantize.c, plain/quantize.c */ \
    X(QUANTIZE_LINEAR, "QuantizeLinear", 2, 3, 1, quantize, elements, "elements", quantize) \
    X(DEQUANTIZE_LINEAR, "DequantizeLinear", 2, 3, 1, dequantize, elements, "elements", \
      dequantize) \
    X(DYNAMIC_QUANTIZE_LINEAR, "DynamicQuantizeLinear", 1, 1, 3, dynamic_quantize, elements, \
      "elements", dynamic_quantize) \
    X(MS_QLINEAR_ADD, "com.microsoft:QLinearAdd", 7, 8, 1, qlinear_binary, elements, "elements", \
      qlinear_binary) \
    X(MS_QLINEAR_MUL, "com.microsoft:QLinearMul", 7, 8, 1, qlinear_binary, elements, "elements", \
      qlinear_binary) \
    X(MS_QLINEAR_POOL, "com.microsoft:QLinearGlobalAveragePool", 5, 5, 1, qlinear_pool, elements, \
      "channels", qlinear_pool) \
    /* moving elements: shape_move.c, plain/move.c */ \
    X(RESHAPE, "Reshape", 1, 2, 1, reshape, none, "elements", identity) \
    X(FLATTEN, "Flatten", 1, 1, 1, flatten, none, "elements", identity) \
    X(SQUEEZE, "Squeeze", 1, 2, 1, squeeze, none, "elements", identity) \
    X(UNSQUEEZE, "Unsqueeze", 1, 2, 1, unsqueeze, none, "elements", identity) \
    X(TRANSPOSE, "Transpose", 1, 1, 1, transpose, none, "elements", transpose) \
    X(CONCAT, "Concat", 1, HET__MANY, 1, concat, none, "elements", concat) \
    X(SPLIT, "Split", 1, 2, HET__EVAL_OUTPUTS_MAX, split, none, "elements", split) \
    X(SLICE, "Slice", 1, 5, 1, slice, none, "elements", slice) \
    X(EXPAND, "Expand", 2, 2, 1, expand, none, "elements", expand) \
    X(TILE, "Tile", 2, 3, 1, tile, none, "elements", tile) \
    X(PAD, "Pad", 1, 4, 1, pad, none, "elements", pad) \
    X(DEPTH_TO_SPACE, "DepthToSpace", 1, 1, 1, depth_to_space, none, "elements", depth_to_space) \
    X(SPACE_TO_DEPTH, "SpaceToDepth", 1, 1, 1, space_to_depth, none, "elements", space_to_depth) \
    X(REVERSE_SEQUENCE, "ReverseSequence", 2, 2, 1, reverse_sequence, none, "elements", \
      reverse_sequence) \
    X(CENTER_CROP_PAD, "CenterCropPad", 2, 2, 1, center_crop_pad, none, "elements", \
      center_crop_pad) \
    X(COL2IM, "Col2Im", 3, 3, 1, col2im, elements, "channels", col2im) \
    X(TRILU, "Trilu", 1, 2, 1, trilu, none, "elements", trilu) \
    X(RESIZE, "Resize", 1, 4, 1, resize, elements, "elements", resize) \
    X(UPSAMPLE, "Upsample", 1, 2, 1, resize, elements, "elements", resize) \
    X(GRID_SAMPLE, "GridSample", 2, 2, 1, grid_sample, elements, "elements", grid_sample) \
    X(AFFINE_GRID, "AffineGrid", 2, 2, 1, affine_grid, elements, "elements", affine_grid) \
    /* picking and placing by index: shape_index.c, plain/index.c */ \
    X(GATHER, "Gather", 2, 2, 1, gather, none, "elements", gather) \
    X(GATHER_ELEMENTS, "GatherElements", 2, 2, 1, gather_elements, none, "elements", \
      gather_elements) \
    X(GATHER_ND, "GatherND", 2, 2, 1, gather_nd, none, "elements", gather_nd) \
    X(SCATTER, "Scatter", 3, 3, 1, scatter_elements, none, "elements", scatter_elements) \
    X(SCATTER_ELEMENTS, "ScatterElements", 3, 3, 1, scatter_elements, none, "elements", \
      scatter_elements) \
    X(SCATTER_ND, "ScatterND", 3, 3, 1, scatter_nd, none, "elements", scatter_nd) \
    X(TENSOR_SCATTER, "TensorScatter", 2, 3, 1, tensor_scatter, none, "elements", tensor_scatter) \
    X(COMPRESS, "Compress", 2, 2, 1, compress, none, "elements", compress) \
    X(NON_ZERO, "NonZero", 1, 1, 1, non_zero, none, "elements", non_zero) \
    X(UNIQUE, "Unique", 1, 1, 4, unique, none, "", unique) \
    X(TOP_K, "TopK", 1, 2, 2, top_k, elements, "rows", top_k) \
    X(NON_MAX_SUPPRESSION, "NonMaxSuppression", 2, 5, 1, non_max_suppression, elements, "classes", \
      non_max_suppression) \
    X(SHAPE, "Shape", 1, 1, 1, shape, none, "", shape) \
    X(SIZE, "Size", 1, 1, 1, size, none, "", shape) \
    X(CONSTANT, "Constant", 0, 0, 1, constant, none, "", constant) \
    X(CONSTANT_OF_SHAPE, "ConstantOfShape", 1, 1, 1, constant_of_shape, none, "elements", \
      constant_of_shape) \
    X(EYE_LIKE, "EyeLike", 1, 1, 1, eye_like, none, "elements", eye_like) \
    X(RANGE, "Range", 3, 3, 1, range, elements, "elements", range) \
    X(ONE_HOT, "OneHot", 3, 3, 1, one_hot, none, "elements", one_hot) \
    /* products: shape_product.c, plain/product.c */ \
    X(MAT_MUL, "MatMul", 2, 2, 1, mat_mul, mat_mul, "batch, rows, columns", mat_mul) \
    X(GEMM, "Gemm", 2, 3, 1, gemm, gemm, "rows, columns", gemm) \
    X(EINSUM, "Einsum", 1, HET__MANY, 1, einsum, einsum, "elements", einsum) \
    X(MAT_MUL_INTEGER, "MatMulInteger", 2, 4, 1, mat_mul_integer, mat_mul, \
      "batch, rows, columns", mat_mul_integer) \
    X(QLINEAR_MAT_MUL, "QLinearMatMul", 8, 8, 1, qlinear_mat_mul, mat_mul, \
      "batch, rows, columns", qlinear_mat_mul) \
    X(DET, "Det", 1, 1, 1, det, det, "batch", det) \
    /* windows over an image: shape_window.c, plain/conv.c, plain/pool.c */ \
    X(CONV, "Conv", 2, 3, 1, conv, conv, "batch, channels, rows", conv) \
    X(CONV_INTEGER, "ConvInteger", 2, 4, 1, conv_integer, conv, "batch, channels, rows", \
      conv_integer) \
    X(QLINEAR_CONV, "QLinearConv", 8, 9, 1, qlinear_conv, conv, "batch, channels, rows", \
      qlinear_conv) \
    X(CONV_TRANSPOSE, "ConvTranspose", 2, 3, 1, conv_transpose, conv_transpose, \
      "batch, channels", conv_transpose) \
    X(DEFORM_CONV, "DeformConv", 3, 5, 1, deform_conv, conv, "batch, channels, rows", \
      deform_conv) \
    X(AVERAGE_POOL, "AveragePool", 1, 1, 1, pool, pool, "batch, channels, rows", average_pool) \
    X(MAX_POOL, "MaxPool", 1, 1, 2, pool, pool, "batch, channels, rows", max_pool) \
    X(LP_POOL, "LpPool", 1, 1, 1, pool, pool, "batch, channels, rows", lp_pool) \
    X(GLOBAL_AVERAGE_POOL, "GlobalAveragePool", 1, 1, 1, global_pool, global_pool, \
      "batch, channels", global_pool) \
    X(GLOBAL_MAX_POOL, "GlobalMaxPool", 1, 1, 1, global_pool, global_pool, "batch, channels", \
      global_pool) \
    X(GLOBAL_LP_POOL, "GlobalLpPool", 1, 1, 1, global_pool, global_pool, "batch, channels", \
      global_pool) \
    X(MAX_UNPOOL, "MaxUnpool", 2, 3, 1, max_unpool, none, "batch, channels", max_unpool) \
    X(MAX_ROI_POOL, "MaxRoiPool", 2, 2, 1, max_roi_pool, elements, "regions", max_roi_pool) \
    X(ROI_ALIGN, "RoiAlign", 3, 3, 1, roi_align, elements, "regions", roi_align) \
    X(LRN, "LRN", 1, 1, 1, lrn, lrn, "elements", lrn) \
    /* along axes: shape_reduce.c, shape_norm.c; plain/reduce.c, softmax.c, norm.c, loss.c, … */ \
    X(REDUCE_L1, "ReduceL1", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(REDUCE_L2, "ReduceL2", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(REDUCE_LOG_SUM, "ReduceLogSum", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(REDUCE_LOG_SUM_EXP, "ReduceLogSumExp", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(REDUCE_MAX, "ReduceMax", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(REDUCE_MEAN, "ReduceMean", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(REDUCE_MIN, "ReduceMin", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(REDUCE_PROD, "ReduceProd", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(REDUCE_SUM, "ReduceSum", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(REDUCE_SUM_SQUARE, "ReduceSumSquare", 1, 2, 1, reduce, reduce, "kept elements", reduce) \
    X(ARG_MAX, "ArgMax", 1, 1, 1, arg, reduce, "kept elements", arg) \
    X(ARG_MIN, "ArgMin", 1, 1, 1, arg, reduce, "kept elements", arg) \
    X(SOFTMAX, "Softmax", 1, 1, 1, softmax, softmax, "rows", softmax) \
    X(LOG_SOFTMAX, "LogSoftmax", 1, 1, 1, softmax, softmax, "rows", softmax) \
    X(HARDMAX, "Hardmax", 1, 1, 1, softmax, softmax, "rows", softmax) \
    X(CUM_SUM, "CumSum", 2, 2, 1, cumulate, elements, "rows", cumulate) \
    X(CUM_PROD, "CumProd", 2, 2, 1, cumulate, elements, "rows", cumulate) \
    X(BATCH_NORMALIZATION, "BatchNormalization", 5, 5, 5, batch_norm, norm, "elements", \
      batch_norm) \
    X(LAYER_NORMALIZATION, "LayerNormalization", 2, 3, 3, layer_norm, norm, "rows", layer_norm) \
    X(RMS_NORMALIZATION, "RMSNormalization", 2, 2, 1, layer_norm, norm, "rows", layer_norm) \
    X(GROUP_NORMALIZATION, "GroupNormalization", 3, 3, 1, group_norm, norm, "batch, groups", \
      group_norm) \
    X(INSTANCE_NORMALIZATION, "InstanceNormalization", 3, 3, 1, group_norm, norm, \
      "batch, channels", group_norm) \
    X(LP_NORMALIZATION, "LpNormalization", 1, 1, 1, lp_norm, norm, "rows", lp_norm) \
    X(MEAN_VARIANCE_NORMALIZATION, "MeanVarianceNormalization", 1, 1, 1, mean_variance_norm, norm, \
      "rows", mean_variance_norm) \
    X(NEGATIVE_LOG_LIKELIHOOD_LOSS, "NegativeLogLikelihoodLoss", 2, 3, 1, loss, loss, \
      "elements", loss) \
    X(SOFTMAX_CROSS_ENTROPY_LOSS, "SoftmaxCrossEntropyLoss", 2, 3, 2, loss, loss, "elements", \
      loss) \
    /* sequences, attention, signals: shape_sequence.c, plain/recurrent.c and others */ \
    X(RNN, "RNN", 3, 6, 2, recurrent, recurrent, "directions, batch", recurrent) \
    X(GRU, "GRU", 3, 6, 2, recurrent, recurrent, "directions, batch", recurrent) \
    X(LSTM, "LSTM", 3, 8, 3, recurrent, recurrent, "directions, batch", recurrent) \
    X(ATTENTION, "Attention", 3, 7, 4, attention, attention, "batch, heads, rows", attention) \
    X(FLEX_ATTENTION, "ai.onnx.preview:FlexAttention", 3, HET__MANY, 1, flex_attention, attention, \
      "batch, heads, rows", flex_attention) \
    X(LINEAR_ATTENTION, "LinearAttention", 3, 6, 2, linear_attention, linear_attention, \
      "batch, heads", linear_attention) \
    X(CAUSAL_CONV, "CausalConvWithState", 2, 4, 2, causal_conv, causal_conv, "batch, channels", \
      causal_conv) \
    X(ROTARY_EMBEDDING, "RotaryEmbedding", 3, 4, 1, rotary_embedding, elements, "positions", \
      rotary_embedding) \
    X(DFT, "DFT", 1, 3, 1, dft, dft, "batch", dft) \
    X(STFT, "STFT", 2, 4, 1, stft, dft, "batch, frames", stft) \
    X(BLACKMAN_WINDOW, "BlackmanWindow", 1, 1, 1, window, elements, "elements", window) \
    X(HAMMING_WINDOW, "HammingWindow", 1, 1, 1, window, elements, "elements", window) \
    X(HANN_WINDOW, "HannWindow", 1, 1, 1, window, elements, "elements", window) \
    X(MEL_WEIGHT_MATRIX, "MelWeightMatrix", 5, 5, 1, mel, elements, "elements", mel) \
    /* bodies: plain/control.c */ \
    X(IF, "If", 1, HET__MANY, HET__EVAL_OUTPUTS_MAX, body, none, "", if) \
    X(LOOP, "Loop", 2, HET__MANY, HET__EVAL_OUTPUTS_MAX, body, none, "", loop) \
    X(SCAN, "Scan", 1, HET__MANY, HET__EVAL_OUTPUTS_MAX, body, none, "", scan)

#endif /* HET_IR_TENSOR_OPS_H */

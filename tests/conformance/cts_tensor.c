/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations, one line per case:
 *
 *     operation, attributes, operands, outputs
 *
 * Attributes: name=1, name=[1,2], name~0.5, name:word. Operands: type[extents], with "=" before it
 * a constant, with "+" one of numbers above zero, with {numbers} behind it exactly those; "-":
 * absent. Contents are random elsewhere. Only operations whose extents follow from those of their
 * operands: the others never reach a device. */
#include "cts.h"

#include <ctype.h>
#include <math.h>

#include "lib/base/dtype.h"
#include "lib/plain/plain.h"

#define OPERANDS_MAX 12

typedef struct line {
    const char *op, *attrs, *operands;
    uint32_t outputs;
    int64_t terms; /* of the longest sum; 0: 1 */
} line;

static const char *const unary_operations[] = {
    "Abs", "Acos", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf",
    "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg", "Reciprocal",
    "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign",
    "Swish", "Tan", "Tanh", "ThresholdedRelu", "com.microsoft:Gelu", "com.microsoft:FastGelu",
    "Identity", "IsNaN",
};

static const char *const positive_operations[] = { "Acosh", "Log", "Sqrt" };

static const char *const broadcast_operations[] = { "Add", "Sub", "Mul", "Div", "Max", "Min",
                                                    "Sum", "Mean" };

static const char *const compare_operations[] = { "Equal", "Greater", "GreaterOrEqual", "Less",
                                                  "LessOrEqual" };

static const char *const broadcast_operands[] = {
    "f32[3,5,7] f32[3,5,7]", "f32[2,3,17] =f32[17]", "f32[4,1,33] f32[4,9,1]",
    "f32[1000] =f32[1]", "f32[2,6,5,5] =f32[6,1,1]",
};

static const char *const reductions[] = {
    "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare", "ReduceLogSumExp",
};

static const line lines[] = {
    { "Relu", "", "i32[77]", 1, 0 },
    { "Abs", "", "i64[3,5]", 1, 0 },
    { "Neg", "", "i8[130]", 1, 0 },
    { "Sigmoid", "", "f16[3,33]", 1, 0 },
    { "Exp", "", "bf16[3,33]", 1, 0 },
    { "LeakyRelu", "alpha~0.3", "f32[5,3,67]", 1, 0 },
    { "Elu", "alpha~0.7", "f32[5,3,67]", 1, 0 },
    { "com.microsoft:FastGelu", "", "f32[5,67] =f32[67]", 1, 0 },
    { "Not", "", "bool[77]", 1, 0 },
    { "BitwiseNot", "", "u8[77]", 1, 0 },
    { "IsInf", "", "f32[77]", 1, 0 },
    { "Clip", "", "f32[3,77] =f32[]{-0.5} =f32[]{1}", 1, 0 },
    { "Clip", "", "f32[3,77] - =f32[]{1}", 1, 0 },
    { "Clip", "", "i32[77] =i32[]{-3} =i32[]{4}", 1, 0 },
    { "Cast", "to=10", "f32[3,77]", 1, 0 },
    { "Cast", "to=16", "f32[3,77]", 1, 0 },
    { "Cast", "to=1", "f16[3,77]", 1, 0 },
    { "Cast", "to=6", "f32[3,77]", 1, 0 },
    { "Cast", "to=7", "i32[77]", 1, 0 },
    { "Cast", "to=1", "i64[77]", 1, 0 },
    { "Cast", "to=1", "bool[77]", 1, 0 },
    { "Cast", "to=9", "f32[77]", 1, 0 },
    { "Cast", "to=2", "i32[77]{1,2,3,4,5,6,7,8,9}", 1, 0 },
    { "Add", "", "i32[3,5,7] i32[5,1]", 1, 0 },
    { "Mul", "", "i64[3,5,7] i64[7]", 1, 0 },
    { "Sub", "", "u8[40] u8[40]", 1, 0 },
    { "Add", "", "f16[3,5,7] f16[7]", 1, 0 },
    { "Div", "", "i32[2,3] =i32[3]{2,-3,5}", 1, 0 },
    { "Mod", "", "i32[2,3] =i32[3]{2,-3,5}", 1, 0 },
    { "Pow", "", "+f32[3,17] =f32[17]", 1, 0 },
    { "Pow", "", "f32[3,17] =f32[]{2}", 1, 0 },
    { "PRelu", "", "f32[2,6,5,5] =f32[6,1,1]", 1, 0 },
    { "PRelu", "", "f32[3,17] f32[3,17]", 1, 0 },
    { "Max", "", "f32[3,17] f32[17] f32[3,1]", 1, 0 },
    { "Min", "", "i32[3,17] i32[17]", 1, 0 },
    { "Sum", "", "f32[3,17] f32[17] f32[3,1]", 1, 0 },
    { "Mean", "", "f32[3,17] f32[17] f32[3,1]", 1, 0 },
    { "And", "", "bool[3,17] bool[17]", 1, 0 },
    { "Or", "", "bool[3,17] bool[17]", 1, 0 },
    { "Xor", "", "bool[3,17] bool[17]", 1, 0 },
    { "BitwiseAnd", "", "i32[3,17] i32[17]", 1, 0 },
    { "BitwiseOr", "", "i32[3,17] i32[17]", 1, 0 },
    { "BitwiseXor", "", "u8[3,17] u8[17]", 1, 0 },
    { "BitShift", "direction:LEFT", "u32[5] =u32[5]{1,2,3,4,5}", 1, 0 },
    { "Equal", "", "i64[3,17] i64[17]", 1, 0 },
    { "Where", "", "bool[3,17] f32[3,17] f32[17]", 1, 0 },
    { "Where", "", "bool[4,1] i64[4,9] =i64[]{5}", 1, 0 },
    /* quantised */
    { "QuantizeLinear", "", "f32[2,3,17] =f32[]{0.02} =u8[]{130}", 1, 0 },
    { "QuantizeLinear", "axis=1", "f32[2,3,17] =f32[3]{0.02,0.03,0.01} =i8[3]{1,2,-3}", 1, 0 },
    { "DequantizeLinear", "", "u8[2,3,17] =f32[]{0.02} =u8[]{130}", 1, 0 },
    { "DequantizeLinear", "axis=1", "i8[2,3,17] =f32[3]{0.02,0.03,0.01} =i8[3]{1,2,-3}", 1, 0 },
    { "DynamicQuantizeLinear", "", "f32[3,77]", 3, 0 },
    { "com.microsoft:QLinearAdd", "", "u8[3,17] =f32[]{0.02} =u8[]{120} u8[3,17] =f32[]{0.03} "
      "=u8[]{130} =f32[]{0.04} =u8[]{128}", 1, 0 },
    { "com.microsoft:QLinearMul", "", "u8[3,17] =f32[]{0.02} =u8[]{120} u8[3,17] =f32[]{0.03} "
      "=u8[]{130} =f32[]{0.04} =u8[]{128}", 1, 0 },
    { "com.microsoft:QLinearGlobalAveragePool", "", "u8[2,5,7,6] =f32[]{0.02} =u8[]{120} "
      "=f32[]{0.01} =u8[]{100}", 1, 42 },
    /* moving */
    { "Reshape", "", "f32[3,8,5] =i64[2]{6,20}", 1, 0 },
    { "Flatten", "axis=2", "f32[3,8,5,2]", 1, 0 },
    { "Squeeze", "", "f32[3,1,5] =i64[1]{1}", 1, 0 },
    { "Unsqueeze", "", "f32[3,5] =i64[1]{1}", 1, 0 },
    { "Transpose", "perm=[0,2,1]", "f32[3,17,29]", 1, 0 },
    { "Transpose", "perm=[0,2,3,1]", "f32[2,5,7,6]", 1, 0 },
    { "Transpose", "perm=[3,1,0,2]", "i64[2,3,4,5]", 1, 0 },
    { "Transpose", "perm=[1,0]", "u8[33,65]", 1, 0 },
    { "Transpose", "perm=[1,0]", "f16[33,65]", 1, 0 },
    { "Concat", "axis=1", "f32[2,3,5] f32[2,4,5] f32[2,1,5]", 1, 0 },
    { "Concat", "axis=-1", "f32[2,3,5] =f32[2,3,7]", 1, 0 },
    { "Concat", "axis=0", "i64[3] i64[4]", 1, 0 },
    { "Split", "axis=1 num_outputs=3", "f32[2,9,5]", 3, 0 },
    { "Split", "axis=-1", "f32[2,9] =i64[2]{2,7}", 2, 0 },
    { "Slice", "", "f32[5,9,7] =i64[2]{1,2} =i64[2]{4,9} =i64[2]{0,1} =i64[2]{1,3}", 1, 0 },
    { "Slice", "", "f32[5,9] =i64[1]{-1} =i64[1]{-100} =i64[1]{1} =i64[1]{-2}", 1, 0 },
    { "Expand", "", "f32[3,1,5] =i64[4]{2,3,4,5}", 1, 0 },
    { "Tile", "", "f32[3,5] =i64[2]{2,3}", 1, 0 },
    { "Pad", "mode:constant", "f32[3,5,7] =i64[6]{0,1,2,1,0,3} =f32[]{0.5}", 1, 0 },
    { "Pad", "mode:reflect", "f32[3,5,7] =i64[6]{0,1,2,0,0,3}", 1, 0 },
    { "Pad", "mode:edge", "f32[3,5,7] =i64[6]{0,1,2,0,0,3}", 1, 0 },
    { "DepthToSpace", "blocksize=2 mode:DCR", "f32[1,12,3,5]", 1, 0 },
    { "DepthToSpace", "blocksize=2 mode:CRD", "f32[1,12,3,5]", 1, 0 },
    { "SpaceToDepth", "blocksize=2", "f32[1,3,6,4]", 1, 0 },
    { "ReverseSequence", "batch_axis=0 time_axis=1", "f32[3,5,2] =i64[3]{5,2,1}", 1, 0 },
    { "Trilu", "upper=1", "f32[2,7,9]", 1, 0 },
    { "Trilu", "upper=0", "f32[2,7,9] =i64[]{-1}", 1, 0 },
    { "Resize", "mode:nearest", "f32[1,3,5,7] - =f32[4]{1,1,2,2}", 1, 0 },
    { "Resize", "mode:linear", "f32[1,3,5,7] - =f32[4]{1,1,2,1.5}", 1, 0 },
    { "Resize", "mode:linear coordinate_transformation_mode:align_corners",
      "f32[1,3,5,7] - - =i64[4]{1,3,9,11}", 1, 0 },
    { "Resize", "mode:cubic", "f32[1,2,5,7] - =f32[4]{1,1,2,2}", 1, 16 },
    { "Resize", "mode:nearest coordinate_transformation_mode:asymmetric nearest_mode:floor",
      "f32[1,3,5,7] - =f32[4]{1,1,3,2}", 1, 0 },
    { "GridSample", "", "f32[1,3,6,7] f32[1,4,5,2]", 1, 4 },
    /* by index */
    { "Gather", "axis=0", "f32[9,5] =i64[2,3]{0,8,3,-1,4,2}", 1, 0 },
    { "Gather", "axis=1", "f32[3,9,5] i64[4]{0,8,3,-2}", 1, 0 },
    { "Gather", "axis=0", "i64[9] i64[]{3}", 1, 0 },
    { "GatherElements", "axis=1", "f32[3,4] i64[3,2]{0,3,1,2,-1,0}", 1, 0 },
    { "GatherND", "", "f32[3,4,5] i64[2,2]{0,3,2,1}", 1, 0 },
    { "ScatterElements", "axis=1", "f32[3,4] i64[3,2]{0,3,1,2,3,0} f32[3,2]", 1, 0 },
    { "ScatterND", "", "f32[3,4,5] i64[2,2]{0,3,2,1} f32[2,5]", 1, 0 },
    { "TopK", "axis=-1", "f32[3,40] =i64[1]{5}", 2, 0 },
    { "Shape", "", "f32[3,40]", 1, 0 },
    { "ConstantOfShape", "", "=i64[2]{3,40}", 1, 0 },
    { "Range", "", "=i64[]{3} =i64[]{50} =i64[]{4}", 1, 0 },
    { "OneHot", "axis=-1", "i64[5]{0,3,1,2,6} =i64[]{7} =f32[2]{-1,2}", 1, 0 },
    { "EyeLike", "", "f32[5,7]", 1, 0 },
    /* products */
    { "MatMul", "", "f32[33,65] =f32[65,47]", 1, 65 },
    { "MatMul", "", "f32[2,3,9,17] f32[2,3,17,5]", 1, 17 },
    { "MatMul", "", "f32[2,3,9,17] f32[17]", 1, 17 },
    { "MatMul", "", "f16[9,17] f16[17,5]", 1, 17 },
    { "Gemm", "transB=1 alpha~0.5 beta~2.0", "f32[33,65] =f32[47,65] =f32[47]", 1, 65 },
    { "Gemm", "transA=1", "f32[65,33] f32[65,47]", 1, 65 },
    { "Einsum", "equation:bij,bjk->bik", "f32[2,5,17] f32[2,17,7]", 1, 17 },
    { "MatMulInteger", "", "u8[9,33] =i8[33,17] =u8[]{120}", 1, 0 },
    { "QLinearMatMul", "", "u8[9,33] =f32[]{0.02} =u8[]{120} =i8[33,17] =f32[]{0.01} =i8[]{3} "
      "=f32[]{0.1} =u8[]{128}", 1, 0 },
    /* windows */
    { "Conv", "pads=[1,1,1,1]", "f32[2,5,9,11] =f32[7,5,3,3] =f32[7]", 1, 45 },
    { "Conv", "strides=[2,2] group=3", "f32[1,6,9,11] =f32[9,2,3,3]", 1, 18 },
    { "Conv", "dilations=[2] pads=[2,2]", "f32[2,5,31] =f32[7,5,3]", 1, 15 },
    { "Conv", "", "f32[1,2,5,6,7] =f32[3,2,2,2,2]", 1, 16 },
    { "ConvInteger", "pads=[1,1,1,1]", "u8[1,3,7,9] =u8[4,3,3,3] =u8[]{128} =u8[]{125}", 1, 0 },
    { "QLinearConv", "pads=[1,1,1,1]", "u8[1,3,7,9] =f32[]{0.02} =u8[]{120} =i8[4,3,3,3] "
      "=f32[]{0.01} =i8[]{0} =f32[]{0.05} =u8[]{128}", 1, 0 },
    { "ConvTranspose", "strides=[2,2] pads=[1,1,1,1]", "f32[1,5,6,7] =f32[5,3,4,4] =f32[3]", 1,
      80 },
    { "ConvTranspose", "strides=[2,2]", "f32[2,5,6,7] =f32[5,3,2,2] =f32[3]", 1, 20 },
    { "ConvTranspose", "strides=[3,2] output_padding=[1,1] pads=[1,0,1,0]",
      "f32[1,6,5,9] =f32[6,4,3,2]", 1, 36 },
    { "ConvTranspose", "strides=[1,2] pads=[0,1,0,0] group=2", "f32[1,6,5,9] =f32[6,2,2,2]", 1,
      24 },
    { "AveragePool", "kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2]", "f32[2,5,9,11]", 1, 9 },
    { "AveragePool", "kernel_shape=[2,3] count_include_pad=1 pads=[0,1,1,1]", "f32[2,5,9,11]", 1,
      6 },
    { "MaxPool", "kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2]", "f32[2,5,9,11]", 1, 0 },
    { "LpPool", "kernel_shape=[2,2]", "f32[1,3,6,8]", 1, 4 },
    { "GlobalAveragePool", "", "f32[2,5,9,11]", 1, 99 },
    { "GlobalMaxPool", "", "f32[2,5,9,11]", 1, 0 },
    { "LRN", "size=5", "f32[1,11,4,5]", 1, 5 },
    { "RoiAlign", "output_height=3 output_width=2 spatial_scale~1.0",
      "f32[1,3,8,9] =f32[2,4]{0,0,5,6,1,2,7,7} =i64[2]{0,0}", 1, 16 },
    /* along axes */
    { "ReduceSum", "keepdims=0", "f32[3,5,7] =i64[2]{0,2}", 1, 21 },
    { "ReduceMean", "keepdims=1", "f32[2,6,5,5] =i64[2]{2,3}", 1, 25 },
    { "ReduceSum", "", "i64[3,50] =i64[1]{1}", 1, 0 },
    { "ReduceLogSum", "", "+f32[3,50] =i64[1]{1}", 1, 50 },
    { "ArgMax", "axis=1 keepdims=0", "f32[3,50]", 1, 0 },
    { "ArgMin", "axis=-1", "f32[3,5,33]", 1, 0 },
    { "Softmax", "axis=-1", "f32[3,5,67]", 1, 67 },
    { "Softmax", "axis=1", "f32[3,67,5]", 1, 67 },
    { "LogSoftmax", "axis=-1", "f32[3,67]", 1, 67 },
    { "Hardmax", "axis=-1", "f32[3,67]", 1, 0 },
    { "CumSum", "", "f32[3,67] =i64[]{1}", 1, 67 },
    { "BatchNormalization", "epsilon~0.001",
      "f32[2,5,7,6] =+f32[5] =f32[5] =f32[5] =+f32[5]", 1, 1 },
    { "LayerNormalization", "axis=-1", "f32[3,5,67] =f32[67] =f32[67]", 1, 67 },
    { "RMSNormalization", "axis=-1", "f32[3,5,67] =f32[67]", 1, 67 },
    { "GroupNormalization", "num_groups=3", "f32[2,6,5,7] =f32[6] =f32[6]", 1, 70 },
    { "InstanceNormalization", "", "f32[2,6,5,7] =f32[6] =f32[6]", 1, 35 },
    { "LpNormalization", "axis=-1 p=2", "f32[3,67]", 1, 67 },
    { "MeanVarianceNormalization", "axes=[0,2,3]", "f32[2,3,4,5]", 1, 40 },
    /* sequences, attention, signals */
    { "LSTM", "hidden_size=6", "f32[5,2,7] =f32[1,24,7] =f32[1,24,6] =f32[1,48]", 3, 65 },
    { "GRU", "hidden_size=6", "f32[5,2,7] =f32[1,18,7] =f32[1,18,6] =f32[1,36]", 2, 65 },
    { "RNN", "hidden_size=6", "f32[5,2,7] =f32[1,6,7] =f32[1,6,6] =f32[1,12]", 2, 65 },
    { "Attention", "", "f32[1,4,9,16] f32[1,4,11,16] f32[1,4,11,8]", 1, 27 },
    { "Attention", "scale~0.3", "f32[1,1,131,16] f32[1,1,70,16] f32[1,1,70,24] f32[131,70]", 1,
      27 },
    { "Attention", "is_causal=1 scale~0.2", "f32[2,4,9,16] f32[2,2,9,16] f32[2,2,9,16]", 1, 25 },
    { "Attention", "q_num_heads=3 kv_num_heads=3", "f32[1,7,48] f32[1,7,48] f32[1,7,48]", 1, 23 },
    { "RotaryEmbedding", "", "f32[1,2,5,16] =f32[9,8] =f32[9,8] i64[1,5]{0,1,2,3,7}", 1, 1 },
    { "DFT", "", "f32[1,16,1] - =i64[]{1}", 1, 16 },
};

/* ---- reading a line ---- */

typedef struct reader {
    cts_case *c;
    het__attr attrs[8];
    uint32_t attr_count;
    void *contents[CTS_VALUES_MAX]; /* of inputs that have some */
} reader;

static int32_t opset_of(const char *op)
{
    return strcmp(op, "Swish") == 0 || strcmp(op, "RMSNormalization") == 0 ||
                   strcmp(op, "RotaryEmbedding") == 0 || strcmp(op, "Attention") == 0
               ? 24 : strcmp(op, "GroupNormalization") == 0 ? 21 : 20;
}

static het_dtype dtype_of(const char *name, size_t length)
{
    for (int d = 1; d < 128; d++) {
        const het__dtype_info *info = het__dtype((het_dtype)d);
        size_t i = 0;
        while (info && i < length && tolower((unsigned char)info->name[i]) == name[i])
            i++;
        if (info && i == length && !info->name[i])
            return (het_dtype)d;
    }
    return HET_DTYPE_NONE;
}

/* Numbers between commas up to a bracket; returns behind it. */
static const char *numbers(const char *at, char end, double *x, uint32_t *count, uint32_t most)
{
    *count = 0;
    while (*at != end && *at) {
        char *next;
        const double value = strtod(at, &next);
        if (next == at)
            abort();
        if (*count < most)
            x[(*count)++] = value;
        at = *next == ',' ? next + 1 : next;
    }
    return *at ? at + 1 : at;
}

static void read_attrs(reader *r, const char *text)
{
    while (*text) {
        const size_t name = strcspn(text, "=~:"), length = strcspn(text, " ");
        het__attr *a = &r->attrs[r->attr_count++];
        double x[8];
        uint32_t count;
        a->name = het__arena_strndup(&r->c->graph.arena, text, name);
        const char *value = text + name + 1;
        if (text[name] == ':') {
            a->kind = HET__ATTR_STRING;
            a->u.string = het__arena_strndup(&r->c->graph.arena, value, length - name - 1);
        } else if (text[name] == '~') {
            a->kind = HET__ATTR_FLOAT;
            a->u.f = strtof(value, NULL);
        } else if (*value == '[') {
            numbers(value + 1, ']', x, &count, 8);
            int64_t *list = cts_bytes(r->c, sizeof *list * 8);
            for (uint32_t i = 0; i < count; i++)
                list[i] = (int64_t)x[i];
            a->kind = HET__ATTR_INTS;
            a->count = count;
            a->u.ints = list;
        } else {
            a->kind = HET__ATTR_INT;
            a->u.i = strtoll(value, NULL, 10);
        }
        text += length + (text[length] == ' ');
    }
}

static bool given(const cts_case *c, uint32_t step, uint32_t value, void *data, size_t bytes)
{
    const void *const *contents = c->user;
    (void)step;
    if (contents[value])
        memcpy(data, contents[value], bytes);
    return contents[value] != NULL;
}

/* Elements beyond those that are given repeat them. */
static void *make_contents(reader *r, het_dtype dtype, int64_t elements, const double *x,
                           uint32_t count, bool positive)
{
    const size_t bytes = (size_t)elements * het__dtype(dtype)->block_bytes;
    void *data = cts_bytes(r->c, bytes);
    if (!count)
        cts_random_elements(dtype, data, elements);
    for (int64_t i = 0; count && i < elements; i++)
        het__put_f64(dtype, data, i, x[i % count]);
    for (int64_t i = 0; positive && i < elements; i++)
        het__put_f64(dtype, data, i, 0.05 + fabs(het__get_f64(dtype, data, i)));
    return data;
}

static const char *read_operand(reader *r, const char *at, uint32_t *value)
{
    bool constant = false, positive = false;
    double x[32];
    uint32_t rank = 0, count = 0;
    int64_t extent[HET_RANK_MAX], elements = 1;
    *value = HET__NO_VALUE;
    for (; *at == '=' || *at == '+'; at++)
        *(*at == '=' ? &constant : &positive) = true;
    if (*at == '-')
        return at + 1;
    const size_t name = strcspn(at, "[");
    const het_dtype dtype = dtype_of(at, name);
    if (dtype == HET_DTYPE_NONE)
        abort();
    at = numbers(at + name + 1, ']', x, &rank, HET_RANK_MAX);
    for (uint32_t i = 0; i < rank; i++)
        elements *= extent[i] = (int64_t)x[i];
    if (*at == '{')
        at = numbers(at + 1, '}', x, &count, 32);
    void *data = constant || count ? make_contents(r, dtype, elements, x, count, positive) : NULL;
    if (constant) {
        *value = cts_constant(r->c, dtype, rank, extent, data);
    } else {
        *value = cts_input(r->c, "x", dtype, rank, extent);
        if (*value != HET__NO_VALUE)
            r->contents[*value] = data;
        r->c->is_positive = r->c->is_positive || positive;
    }
    return at;
}

static void run_line(const line *l)
{
    reader r = { 0 };
    uint32_t inputs[OPERANDS_MAX], count = 0;
    const het__op op = het__tensor_op_find(l->op);
    cts_case *c = cts_begin(l->op, "%s%s%s", l->operands, *l->attrs ? ", " : "", l->attrs);
    if (!c)
        return;
    r.c = c;
    c->tolerance = cts_tolerance(op, l->terms ? l->terms : 1, HET_DTYPE_NONE, false);
    read_attrs(&r, l->attrs);
    for (const char *at = l->operands; *at && count < OPERANDS_MAX; count++) {
        at = read_operand(&r, at, &inputs[count]);
        at += *at == ' ';
    }
    het__attr *items = cts_bytes(c, sizeof r.attrs);
    memcpy(items, r.attrs, sizeof r.attrs);
    void **contents = cts_bytes(c, sizeof r.contents);
    memcpy(contents, r.contents, sizeof r.contents);
    c->user = contents;
    c->fill = given;
    const het__attr_list list = { .items = items, .count = r.attr_count,
                                  .opset = opset_of(l->op) };
    cts_tensor_node(c, op, inputs, count, &list, l->outputs);
    cts_check(c);
}

/* Something, a view of it, something: the view lies where what it views lies. */
static void view(const char *op, const char *operand, int64_t first, int64_t second)
{
    cts_case *c = cts_begin(op, "as a view of a temporary");
    const int64_t extent[3] = { 4, 6, 10 }, two = 2, one = 1;
    if (!c)
        return;
    int64_t *list = cts_bytes(c, 2 * sizeof *list);
    list[0] = first;
    list[1] = second;
    c->tolerance = cts_tolerance(HET__OP_T_ADD, 1, HET_DTYPE_NONE, false);
    uint32_t x = cts_input(c, "x", HET_DTYPE_F32, 3, extent);
    x = cts_node(c, HET__OP_T_NEG, &x, 1, NULL);
    uint32_t in[2] = { x, HET__NO_VALUE };
    if (*operand)
        in[1] = cts_constant(c, HET_DTYPE_I64, 1, *operand == '2' ? &two : &one, list);
    x = cts_node(c, het__tensor_op_find(op), in, *operand ? 2 : 1, NULL);
    cts_node(c, HET__OP_T_ABS, &x, 1, NULL);
    cts_check(c);
}

static void each(const char *const *names, size_t count, const char *operands, int64_t terms)
{
    for (size_t i = 0; i < count; i++)
        run_line(&(line){ names[i], "", operands, 1, terms });
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

void cts_tensors(void)
{
    each(unary_operations, COUNT(unary_operations), "f32[3,5,67]", 1);
    each(unary_operations, COUNT(unary_operations), "f32[1]", 1);
    each(positive_operations, COUNT(positive_operations), "+f32[3,5,67]", 1);
    for (size_t i = 0; i < COUNT(broadcast_operands); i++) {
        each(broadcast_operations, COUNT(broadcast_operations), broadcast_operands[i], 1);
        each(compare_operations, COUNT(compare_operations), broadcast_operands[i], 1);
    }
    for (size_t i = 0; i < COUNT(reductions); i++) {
        run_line(&(line){ reductions[i], "", "f32[3,5,67] =i64[1]{2}", 1, 67 });
        run_line(&(line){ reductions[i], "keepdims=0", "f32[3,67,5] =i64[1]{1}", 1, 67 });
        run_line(&(line){ reductions[i], "", "f32[3,5,7]", 1, 105 });
    }
    for (size_t i = 0; i < COUNT(lines); i++)
        run_line(&lines[i]);
    view("Reshape", "2", 24, 10);
    view("Flatten", "", 0, 0);
    view("Unsqueeze", "1", 1, 0);
    view("Identity", "", 0, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation that moves, picks or places, with operands and attributes thrown together at
 * random: extreme numbers, wrong ranks, types and counts, missing inputs, contents that are not
 * known. Whatever comes must be refused or computed, inside of the memory that there is; what the
 * rule says without contents it must say with them. Meant for sanitizers. */
#include "lib/base/dtype.h"
#include "eval_case.h"

#define ROUNDS 60000
#define BYTES_MAX 65536 /* outputs above are shapes only */

static uint64_t seed = 20;

static int64_t below(int64_t n)
{
    return (int64_t)(test_random(&seed) % (uint64_t)n);
}

static int64_t hostile_int(void)
{
    static const int64_t extreme[] = { INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1,
                                       INT32_MIN, INT32_MAX,     UINT32_MAX, INT64_C(1) << 62,
                                       INT64_C(1) << 40, -(INT64_C(1) << 40) };
    return below(8) == 0 ? extreme[below(10)] : below(11) - 4;
}

static double hostile_number(void)
{
    static const double extreme[] = { NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e-300, -0.0,
                                      0x1p63, -0x1p63, 0.5 };
    return below(8) == 0 ? extreme[below(10)] : (double)below(900) / 100 - 3;
}

static het_dtype any_type(void)
{
    static const het_dtype types[] = { HET_DTYPE_F32, HET_DTYPE_F32, HET_DTYPE_F32, HET_DTYPE_I64,
                                       HET_DTYPE_I64, HET_DTYPE_I32, HET_DTYPE_F16, HET_DTYPE_U8,
                                       HET_DTYPE_BOOL, HET_DTYPE_F64, HET_DTYPE_U64, HET_DTYPE_I4,
                                       HET_DTYPE_F8E4M3, HET_DTYPE_Q4_0 };
    return types[below(14)];
}

static void random_shape(het__tensor *t, bool huge)
{
    t->rank = (uint32_t)below(below(4) ? 5 : HET_RANK_MAX + 1);
    for (uint32_t i = 0; i < t->rank; i++)
        t->extent[i] = below(12) == 0 ? 0 : huge && below(3) == 0 ? INT64_C(1) << below(62)
                                                                  : 1 + below(4);
}

static void fill(het__tensor *t)
{
    const bool is_int = het__dtype_is_int(t->dtype);
    const int64_t n = het__tensor_bytes(t) ? het__tensor_elements(t) : 0;
    if (het__dtype(t->dtype)->block_elements != 1) {
        memset(t->data, 1, (size_t)het__tensor_bytes(t));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        if (is_int)
            het__put_i64(t->dtype, t->data, i, hostile_int());
        else
            het__put_f64(t->dtype, t->data, i, hostile_number());
}

/* Shapes often repeat, and lists often have as many entries as the first operand has axes. */
static void random_input(const het__tensor *first)
{
    struct eval_case *c = &eval_case;
    het__tensor *t = &c->in[c->inputs];
    const int64_t kind = below(10);
    t->dtype = any_type();
    if (first && kind < 2) {
        *t = *first;
        t->data = NULL;
        t->dtype = below(3) ? first->dtype : HET_DTYPE_I64;
    } else if (first && kind < 6) {
        t->rank = 1;
        t->extent[0] = below(4) == 0 ? 1 : below(3) == 0 ? 2 * first->rank : first->rank;
        t->dtype = below(3) ? HET_DTYPE_I64 : HET_DTYPE_F32;
    } else {
        random_shape(t, below(10) == 0);
    }
    const int64_t bytes = het__tensor_bytes(t);
    if (below(16) == 0)
        memset(t, 0, sizeof *t); /* left out */
    else if (bytes < 0)
        t->rank = 0;
    if (t->dtype != HET_DTYPE_NONE && het__tensor_bytes(t) >= 0 &&
        het__tensor_bytes(t) <= BYTES_MAX) {
        c->owned[c->inputs] = malloc((size_t)het__tensor_bytes(t) + 1);
        t->data = (char *)c->owned[c->inputs] + 1;
        fill(t);
    }
    c->inputs++;
}

static int64_t ints[CASE_MAX][20];
static float reals[20];

static const char *const int_names[] = { "axis", "allowzero", "num_outputs", "blocksize", "k",
                                         "batch_axis", "time_axis", "batch_dims", "upper",
                                         "largest", "sorted", "start", "end", "align_corners",
                                         "antialias", "exclude_outside", "center_point_box",
                                         "dtype" };
static const char *const list_names[] = { "perm", "axes", "starts", "ends", "split", "pads",
                                          "strides", "dilations", "shape", "value_ints" };
static const char *const string_names[] = { "mode", "mode", "padding_mode", "reduction",
                                            "coordinate_transformation_mode", "nearest_mode",
                                            "keep_aspect_ratio_policy" };
static const char *const strings[] = { "constant", "reflect", "edge", "wrap", "linear", "cubic",
                                       "nearest", "CRD", "circular", "add", "max", "min", "mul",
                                       "border", "reflection", "half_pixel", "align_corners",
                                       "tf_crop_and_resize", "asymmetric", "half_pixel_symmetric",
                                       "ceil", "not_larger", "not_smaller", "?" };

#define ANY(array) array[below((int64_t)(sizeof array / sizeof array[0]))]

static void random_attr(uint32_t i)
{
    const int64_t kind = below(8);
    if (kind < 3) {
        case_int(ANY(int_names), hostile_int());
    } else if (kind < 5) {
        const uint32_t rank = eval_case.inputs ? eval_case.in[0].rank : 2;
        const uint32_t count = below(2) ? rank : (uint32_t)below(17);
        for (uint32_t k = 0; k < count; k++)
            ints[i][k] = below(4) ? below(4) : hostile_int();
        case_ints(ANY(list_names), count, ints[i]);
    } else if (kind < 7) {
        case_string(ANY(string_names), ANY(strings));
    } else {
        het__attr *a = case_attr("scales", HET__ATTR_FLOATS);
        a->count = (uint32_t)below(6);
        a->u.floats = reals;
        for (uint32_t k = 0; k < a->count; k++)
            reals[k] = (float)hostile_number();
    }
}

/* Outputs of exactly as many bytes as they have, so that a sanitizer sees one more. */
static bool make_outputs(void *memory[CASE_MAX])
{
    for (uint32_t o = 0; o < eval_case.outputs; o++) {
        const int64_t bytes = het__tensor_bytes(&eval_case.out[o]);
        if (bytes < 0 || bytes > BYTES_MAX)
            return false;
        memory[o] = malloc(bytes ? (size_t)bytes : 1);
        eval_case.out[o].data = memory[o];
    }
    return true;
}

static int64_t computed;

static void run_case(void)
{
    void *memory[CASE_MAX] = { NULL };
    het__tensor blind[CASE_MAX];
    bool unknown, has_all = true;
    const het_status first = case_rule(&unknown);
    memcpy(blind, eval_case.out, sizeof blind);
    memset(eval_case.out, 0, sizeof eval_case.out);
    het__eval e = case_eval();
    const het_status second = het__tensor_op_of(eval_case.node.op)->shape(&e);
    if (first == HET_OK && !unknown) {
        CHECK_INT(second, HET_OK);
        for (uint32_t o = 0; second == HET_OK && o < eval_case.outputs; o++)
            CHECK(het__tensor_same_extents(&blind[o], &eval_case.out[o]));
    }
    for (uint32_t i = 0; i < eval_case.inputs; i++)
        has_all = has_all && (eval_case.in[i].data || eval_case.in[i].dtype == HET_DTYPE_NONE);
    if (second == HET_OK && has_all && (e.unknown || make_outputs(memory))) {
        e.mem = &eval_case.mem;
        e.scratch = &eval_case.scratch;
        computed += het__plain_kernel(eval_case.node.op)(&e) == HET_OK;
    }
    for (uint32_t o = 0; o < CASE_MAX; o++) {
        if (memory[o])
            eval_case.out[o].data = NULL;
        free(memory[o]);
    }
}

static void hostile(void)
{
    for (int64_t round = 0; round < ROUNDS; round++) {
        const int32_t op = HET__OP_T_RESHAPE +
                           (int32_t)below(HET__OP_T_ONE_HOT - HET__OP_T_RESHAPE + 1);
        const het__tensor_op *info = het__tensor_op_of((het__op)op);
        case_begin(info->info.name, (int32_t)(below(2) ? 9 + below(16) : 18));
        const int64_t most = info->info.inputs_max > 5 ? 5 : info->info.inputs_max;
        const int64_t least = info->info.inputs_min;
        const int64_t inputs = least + below(most - least + 1);
        for (int64_t i = 0; i < inputs; i++)
            random_input(i ? &eval_case.in[0] : NULL);
        const uint32_t attrs = (uint32_t)below(5);
        for (uint32_t i = 0; i < attrs; i++)
            random_attr(i);
        eval_case.outputs = 1 + (uint32_t)below(info->outputs_max > 4 ? 4 : info->outputs_max);
        run_case();
    }
    printf("%lld of %d computed\n", (long long)computed, ROUNDS);
    CHECK(computed > ROUNDS / 20);
    case_end();
}

int main(void)
{
    test_case(hostile);
    return test_finish();
}

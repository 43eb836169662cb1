/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of tensor operations as tables that a script writes: operands, attributes, outputs. */
#ifndef HETINFER_VECTOR_CASE_H
#define HETINFER_VECTOR_CASE_H

#include "eval_case.h"

typedef struct vector_tensor {
    het_dtype dtype; /* HET_DTYPE_NONE: left out */
    uint32_t rank;
    int64_t extent[6];
    const double *data;
} vector_tensor;

typedef struct vector_case {
    const char *name, *op;
    int32_t opset;
    double tolerance; /* times the larger of 1 and the largest wanted value */
    uint32_t attr_count, input_count, output_count;
    het__attr attrs[8];
    vector_tensor inputs[9], outputs[4];
} vector_case;

static inline void vector_load(const vector_case *v)
{
    case_begin(v->op, v->opset);
    for (uint32_t i = 0; i < v->attr_count; i++)
        *case_attr(v->attrs[i].name, v->attrs[i].kind) = v->attrs[i];
    for (uint32_t i = 0; i < v->input_count; i++)
        if (v->inputs[i].dtype == HET_DTYPE_NONE)
            case_no_input();
        else
            case_input(v->inputs[i].dtype, v->inputs[i].rank, v->inputs[i].extent,
                       v->inputs[i].data);
    eval_case.outputs = v->output_count;
}

static inline void vector_check(const vector_case *v)
{
    const int before = test_failures;
    vector_load(v);
    CHECK_INT(case_run(), HET_OK);
    for (uint32_t o = 0; o < v->output_count && test_failures == before; o++) {
        const vector_tensor *want = &v->outputs[o];
        double scale = 1;
        const int64_t n = het__tensor_elements(&eval_case.out[o]);
        for (int64_t i = 0; i < n; i++)
            if (isfinite(want->data[i]))
                scale = fmax(scale, fabs(want->data[i]));
        case_check(o, want->dtype, want->rank, want->extent, want->data, v->tolerance * scale);
    }
    if (test_failures != before)
        fprintf(stderr, "case %s: %s\n", v->name, eval_case.err.message);
}

/* Rule or kernel must refuse the case at hand, and say why. */
static inline void case_refused(const char *why)
{
    const het_status s = case_run();
    CHECK(s == HET_E_INVALID || s == HET_E_UNSUPPORTED);
    if (!strstr(eval_case.err.message, why))
        TEST_FAIL("\"%s\" does not say \"%s\"", eval_case.err.message, why);
}

#endif /* HETINFER_VECTOR_CASE_H */

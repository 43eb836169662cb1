/* SPDX-License-Identifier: Apache-2.0 */
/* Negative log likelihood of given classes, from log-probabilities or (cross entropy) from scores
 * whose softmax they are. Scores are [batch][classes][places]; places side by side are taken a
 * block at a time. */
#include <math.h>
#include <string.h>

#include "lib/plain/block.h"

typedef struct job {
    het__eval *e;
    const het__tensor *x, *target, *weight; /* weight: NULL for 1 */
    het__slab rows;
    bool softmax, each;
    const het__attr *ignored; /* class that does not count; NULL: all do */
    double loss, weights;     /* sums */
} job;

/* The logarithm of what softmax divides by, for count neighbours. */
static void log_sums(const job *j, int64_t start, int64_t count, double *shift)
{
    double x[HET__BLOCK], top[HET__BLOCK], sum[HET__BLOCK];
    memset(sum, 0, sizeof sum);
    for (int64_t c = 0; c < count; c++)
        top[c] = -HUGE_VAL;
    for (int64_t k = 0; k < j->rows.n; k++) {
        het__load_f64(j->x, start + k * j->rows.inner, count, x);
        for (int64_t c = 0; c < count; c++)
            top[c] = top[c] >= x[c] || isnan(top[c]) ? top[c] : x[c];
    }
    for (int64_t k = 0; k < j->rows.n; k++) {
        het__load_f64(j->x, start + k * j->rows.inner, count, x);
        for (int64_t c = 0; c < count; c++)
            sum[c] += exp(x[c] - top[c]);
    }
    for (int64_t c = 0; c < count; c++)
        shift[c] = top[c] + log(sum[c]);
}

static void put_log_probabilities(const job *j, int64_t start, int64_t count, const double *shift)
{
    double x[HET__BLOCK];
    for (int64_t k = 0; j->e->output_count > 1 && k < j->rows.n; k++) {
        het__load_f64(j->x, start + k * j->rows.inner, count, x);
        for (int64_t c = 0; c < count; c++)
            x[c] -= shift[c];
        het__store_f64(&j->e->outputs[1], start + k * j->rows.inner, count, x);
    }
}

/* The place with this index among the targets; where its scores start and what they lack. */
static het_status place(job *j, int64_t index, int64_t start, double shift)
{
    const int64_t class = het__get_i64(j->target->dtype, j->target->data, index);
    double loss = 0;
    if (!j->ignored || class != j->ignored->u.i) {
        if (class < 0 || class >= j->rows.n)
            return het__eval_refuse(j->e, "there is no class %lld", (long long)class);
        const double weight =
            j->weight ? het__get_f64(j->weight->dtype, j->weight->data, class) : 1;
        const double x = het__get_f64(j->x->dtype, j->x->data, start + class * j->rows.inner);
        loss = (shift - x) * weight;
        j->weights += weight;
    }
    j->loss += loss;
    if (j->each)
        het__put_f64(j->e->outputs[0].dtype, j->e->outputs[0].data, index, loss);
    return HET_OK;
}

static het_status block(job *j, int64_t o, int64_t at)
{
    double shift[HET__BLOCK] = { 0 };
    const int64_t count = het__block(j->rows.inner - at);
    const int64_t start = o * j->rows.n * j->rows.inner + at;
    het_status s = HET_OK;
    if (j->softmax) {
        log_sums(j, start, count, shift);
        put_log_probabilities(j, start, count, shift);
    }
    for (int64_t i = 0; i < count && s == HET_OK; i++)
        s = place(j, o * j->rows.inner + at + i, start + i, shift[i]);
    return s;
}

het_status het__plain_loss(het__eval *e)
{
    const char *reduction = het__attr_string(e->attrs, "reduction", "mean");
    job j = { .e = e, .x = &e->inputs[0], .target = &e->inputs[1],
              .weight = het__eval_input(e, 2), .rows = het__slab_of(&e->inputs[0], 1, 2),
              .softmax = e->node->op == HET__OP_T_SOFTMAX_CROSS_ENTROPY_LOSS,
              .each = strcmp(reduction, "none") == 0,
              .ignored = het__attr_find(e->attrs, "ignore_index", HET__ATTR_INT) };
    for (int64_t o = 0; o < j.rows.outer; o++) {
        for (int64_t at = 0; at < j.rows.inner; at += HET__BLOCK) {
            const het_status s = block(&j, o, at);
            if (s != HET_OK)
                return s;
        }
    }
    if (strcmp(reduction, "mean") == 0)
        j.loss /= j.weights;
    if (!j.each)
        het__put_f64(e->outputs[0].dtype, e->outputs[0].data, 0, j.loss);
    return HET_OK;
}
